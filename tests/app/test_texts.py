"""Runs of texts: on every page a text is shown as it was typed, found by its words, and new ones are predicted."""

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.app.kinds import base
from mcviz.app.resources import details, grouping_columns
from mcviz.app.selection import select
from mcviz.app.state import PageState
from mcviz.app.views import VIEWS, actions
from mcviz.kinds.text_distortions import TEXT_DISTORTIONS, TEXT_NOISES
from mcviz.text import one_line
from tests.app.hostile import HOSTILE
from tests.app.kinds import EXAMPLES, FEW_TEXTS, TEXTS
from tests.app.live_texts import CLASSES, RUN
from tests.app.opening import assert_sound
from tests.app.probing import OpenProbe, about_run, button, class_means, verdict_figures, widget, words
from tests.app.test_kinds import OF_IMAGES, opened, said
from tests.cases import one_in


@pytest.fixture
def _live(texts_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(texts_cache))


@pytest.fixture
def _kinds(kinds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(kinds))


def boxes(app: AppTest) -> list[str]:
    """The texts that are shown whole."""
    contents = [json.loads(each.proto.json) for each in app.get("bidi_component") if each.proto.json]
    return [content["text"] for content in contents if "text" in content]


def tiles(app: AppTest) -> dict[int, str]:
    *_, found = (json.loads(each.proto.json) for each in app.get("bidi_component") if "tiles" in each.proto.json)
    return {tile["example"]: tile["text"] for tile in found["tiles"]}


# Exploring


@pytest.mark.usefixtures("_kinds")
@pytest.mark.parametrize("example", one_in(12, range(len(TEXTS))))
def test_one_example_shows_all_of_a_text_as_it_was_typed(example: int) -> None:
    app = opened("example", "texts", example=str(example))
    text = TEXTS[example]
    assert boxes(app) == ([text] if text.strip() else [])
    assert ("An empty text." in words(app)) == (not text)
    assert ("A text of white space alone." in words(app)) == (bool(text) and not text.strip())
    assert len(text) < 40 or text not in words(app), "in no element that takes it for Markdown"


@pytest.mark.usefixtures("_kinds")
def test_a_tile_and_a_row_of_the_table_begin_with_the_text_in_one_line() -> None:
    shown = tiles(opened("uncertain", "texts", page_size="48"))
    assert len(shown) == 40
    (frame,) = (each.value for each in opened("uncertain", "texts", view="table").dataframe)
    assert frame.columns[:2].tolist() == ["example", "text"]
    assert "user_text" not in frame
    rows = dict(zip(frame["example"], frame["text"], strict=True))
    for example, beginning in shown.items():
        for found in (beginning, rows[example]):
            assert one_line(TEXTS[example % len(TEXTS)]).startswith(found.removesuffix("…"))
            assert found == one_line(found)
            assert len(found) < 500


def test_a_text_is_no_fact_and_makes_no_group(kinds: Path) -> None:
    for name, own in (("texts", ["source"]), ("few-texts", [])):
        run = mcviz.open_run(kinds / name)
        assert details(run) == own
        assert grouping_columns(run) == own


@pytest.mark.usefixtures("_kinds")
@pytest.mark.parametrize("run", ["texts", "few-texts"])
def test_texts_are_filtered_by_a_part_of_them_however_few_there_are(run: str) -> None:
    app = opened("uncertain", run)
    widget(app.selectbox, "filtered-column").select("text").run()
    widget(app.text_input, "contains-text").set_value("FILM").run()
    assert json.loads(app.query_params["columns"]) == {"text": "FILM"}
    given = FEW_TEXTS if run == "few-texts" else (TEXTS * 2)[:EXAMPLES]
    assert sorted(tiles(app)) == [example for example, text in enumerate(given) if "film" in text.lower()]


@pytest.mark.usefixtures("_kinds")
@pytest.mark.parametrize("typed", one_in(2, ["הלך ליער", "<SCRIPT>", "of two lines", "海", "日本語", "  sentence "]))
def test_find_finds_the_words_of_texts(typed: str) -> None:
    app = opened("uncertain", "texts")
    app.text_input(key="find").set_value(typed).run()
    found = [text for text in TEXTS if typed.strip().lower() in text.lower()]
    if not found:
        assert "columns" not in app.query_params
        assert [each.value for each in app.toast]
        return
    assert json.loads(app.query_params["columns"]) == {"text": typed.strip()}
    assert {one_line(text)[:50] for text in found} == {text[:50] for text in tiles(app).values()}


@pytest.mark.usefixtures("_kinds")
def test_find_still_finds_classes_first() -> None:
    app = opened("uncertain", "texts")
    app.text_input(key="find").set_value("good").run()
    assert (app.query_params["label"], "columns" in app.query_params) == ("2", False)


def test_the_tables_have_the_texts(kinds: Path) -> None:
    run = mcviz.open_run(kinds / "texts")
    assert b"Donaudampf" in actions.csv(select(run, PageState()))


# Probing


@pytest.mark.usefixtures("_live")
@pytest.mark.parametrize(
    ("name", "query"),
    one_in(
        16,
        [
            *(("uncertain", {"view": view}) for view in VIEWS if view != "groups"),
            *(("story", {"step": str(step)}) for step in range(1, 7)),
            *(("probe", {"input": kind, "example": "0"}) for kind in ("text", "distortion", "noise")),
        ],
    ),
)
def test_no_page_of_a_live_run_of_texts_says_anything_of_images(
    open_probe: OpenProbe, name: str, query: dict[str, str]
) -> None:
    text = said(open_probe(**query) if name == "probe" else opened(name, RUN, **query))
    assert not OF_IMAGES.search(text), OF_IMAGES.search(text)


@pytest.mark.usefixtures("_live")
def test_the_information_of_a_run_of_texts_says_nothing_of_images() -> None:
    information = about_run(opened("overview", RUN))
    assert "**Preprocessing**: taken as they are. The model makes numbers of the words by itself." in information
    assert not OF_IMAGES.search(information)


@pytest.mark.usefixtures("_live")
def test_a_text_that_is_typed_is_predicted_and_stays_while_another_input_is_shown(open_probe: OpenProbe) -> None:
    app = open_probe(input="text")
    assert "Type or paste a text into the field" in app.info[0].value
    assert not app.table
    app.text_area[0].set_value("a horse, a cow and a sheep").run()
    assert_sound(app)
    assert "predicts **animal**" in words(app)
    assert boxes(app) == [], "the field shows it"
    assert "less usual" in words(app)
    assert set(verdict_figures(app)) >= {"Examples with activations as unusual for their prediction"}
    widget(app.segmented_control, "input").set_value("noise").run()
    widget(app.segmented_control, "input").set_value("text").run()
    assert app.text_area[0].value == "a horse, a cow and a sheep"
    app.text_area[0].set_value("milk, bread and an egg").run()
    assert "predicts **food**" in words(app)
    app.text_area[0].set_value(" \n ").run()
    assert "Type or paste a text into the field" in app.info[0].value


@pytest.mark.usefixtures("_live")
@pytest.mark.parametrize("text", one_in(9, [*HOSTILE, "\0", "a\0", "👩‍👩‍👧", "word " * 20_000]))
def test_any_text_is_predicted(open_probe: OpenProbe, text: str) -> None:
    app = open_probe(input="text")
    app.text_area[0].set_value(text).run()
    assert_sound(app)
    assert list(class_means(app)) == CLASSES


@pytest.mark.usefixtures("_live")
@pytest.mark.parametrize("name", one_in(2, TEXT_DISTORTIONS))
def test_every_distortion_of_a_text_has_its_slider_its_curves_and_its_sweep(open_probe: OpenProbe, name: str) -> None:
    app = open_probe(input="distortion", example="1", distortion=name, sweep="25")
    (before,) = boxes(app)
    assert "Along the whole slider" in words(app)
    slider = widget(app.slider, f"amount-{name}")
    slider.set_value(1.0).run()
    assert_sound(app)
    assert boxes(app) != [before]
    assert f"The label of the example is **{CLASSES[1]}**" in words(app)
    button(app, "Predict distorted").click().run()
    assert_sound(app)
    assert "of 25 distorted examples" in words(app)


@pytest.mark.usefixtures("_live")
@pytest.mark.parametrize("name", one_in(2, TEXT_NOISES))
def test_noise_is_drawn_by_its_seed_and_swept(open_probe: OpenProbe, texts_cache: Path, name: str) -> None:
    app = open_probe(input="noise", noise=name, seed="3", sweep="25")
    others = mcviz.open_run(texts_cache / RUN).content["text"].to_numpy(object)
    assert boxes(app) == [text for text in TEXT_NOISES[name].draw(1, others, 3) if text.strip()]
    assert "No prediction is correct" in words(app)
    button(app, "Another noise text").click().run()
    assert app.query_params["seed"] == "4"
    app.run()  # all of the page, of which only the look was drawn
    button(app, "Predict noise").click().run()
    assert_sound(app)
    assert "of 25 noise texts" in words(app)


def test_predictions_of_texts_are_kept_by_their_words(texts_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predicted: list[str] = []

    def passes(_: mcviz.Run, texts: np.ndarray) -> np.ndarray:
        predicted.extend(texts)
        return np.zeros((1, len(texts), 3), np.float32)

    kept: dict[str, object] = {}
    monkeypatch.setattr(base, "session_store", lambda: kept)
    monkeypatch.setattr(base, "predict_live", passes)
    run, held = mcviz.open_run(texts_cache / RUN), np.empty(1, object)
    for text in ("a", "bc", "a\0", "bc", "a"):
        held[0] = text
        base.predict(run, held)
    assert predicted == ["a", "bc", "a\0"]
