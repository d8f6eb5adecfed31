"""The pages of a segmentation: their figures are those of the run's arrays, and outlines lie where the maps change."""

import base64
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz import Run
from mcviz.analysis.referral import name_best_score
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.segmentation import draw_outlines
from mcviz.app.wording import as_markdown
from mcviz.figures.style import CLASSES
from mcviz.measures.segmentation import count_overlaps
from mcviz.reviews import answers_of, open_reviews, summarise_reviews
from mcviz.text import fixed, percent
from tests.app.opening import assert_sound, opened_page
from tests.app.probing import compared_figures, sent, sentences, table, widget, words
from tests.cases import one_in

NAMES = ["ground", "*disc*", "bar"]
SIZE, EXAMPLES, PASSES = (24, 20), 16, 6
Open = Callable[..., AppTest]


def draw(rng: np.random.Generator, lean: float = 3.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images of a disc, and in half of them of a bar; masks, of which one is ignored; probabilities of passes."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    masks = np.zeros((EXAMPLES, *SIZE), np.uint8)
    for example, mask in enumerate(masks):
        row, column = rng.integers(6, 14, 2)
        mask[(y - row) ** 2 + (x - column) ** 2 < 20] = 1
        if example % 2:
            mask[-4:-1] = 2
    images = (60 * masks + rng.integers(0, 40, masks.shape)).astype(np.uint8)[..., None]
    logits = rng.normal(size=(PASSES, EXAMPLES, *SIZE, 3)) + lean * np.eye(3)[masks]
    logits[:, 3, -5:] = [5, 0, 0]  # the bar of example 3 is missed
    probs = np.exp(logits - logits.max(axis=-1, keepdims=True))
    given = masks.copy()
    given[2] = 255
    return images, given, (probs / probs.sum(axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs with labels, of label maps alone, and of a model that is kept."""
    folder = tmp_path_factory.mktemp("segmentations")
    images, masks, probs = draw(np.random.default_rng(0))
    columns = {"patient": [f"p{example % 4}" for example in range(EXAMPLES)]}
    more: dict[str, Any] = {"task": "segmentation", "class_names": NAMES}
    mcviz.write_run(
        folder / "labelled", probs, data=images, labels=masks, deterministic=probs[0], columns=columns, **more
    )
    order, turned = [1, 2, 0], np.append(np.argsort([1, 2, 0]), [255] * 253)[masks].astype(np.uint8)
    another = draw(np.random.default_rng(0), lean=1.0)[2]
    another[:, 3, -5:] = np.eye(3)[masks[3, -5:]]  # which draws that bar
    names = [NAMES[number] for number in order]
    changes: dict[str, Any] = {"labels": turned, "class_names": names, "background": 2}
    mcviz.write_run(folder / "turned", another[..., order], data=images, columns=columns, **more | changes)
    mcviz.write_run(folder / "renamed", probs, data=images, labels=masks, **more | {"class_names": [*NAMES[:2], "rod"]})
    maps = probs.argmax(axis=-1).astype(np.uint8)
    mcviz.write_run(folder / "maps", maps, **more)
    mcviz.write_run(folder / "without-background", maps, background=None, **more)
    import keras

    keras.utils.set_random_seed(0)
    inputs = keras.Input((*SIZE, 1))
    hidden = keras.layers.Dropout(0.5)(keras.layers.Conv2D(6, 3, padding="same", activation="relu")(inputs))
    model = keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same", activation="softmax")(hidden))
    mcviz.sample_run(model, (images, masks), folder / "sampled", passes=PASSES, **more)
    return folder


@pytest.fixture
def open_page(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))

    def opened(name: str, run: str, **query: str) -> AppTest:
        app = opened_page(name, {"run": run, **query})
        assert not app.error
        return app

    return opened


@pytest.fixture
def run(cache: Path) -> Run:
    return mcviz.open_run(cache / "labelled")


def unpack(data: dict[str, Any]) -> np.ndarray:
    numbers = np.frombuffer(zlib.decompress(base64.b64decode(data["packed"])), np.uint8)
    return numbers.reshape(-1, data["height"], data["width"])


@pytest.mark.parametrize("name", ["overview", "uncertain", "trust", "review", "example", "side_by_side", "runs"])
@pytest.mark.parametrize("which", one_in(3, ["labelled", "maps", "sampled"]))
def test_every_page_opens(open_page: Open, name: str, which: str) -> None:
    assert open_page(name, which).title


def test_one_example_gets_every_pass_the_prediction_the_label_and_the_maps(open_page: Open, run: Run) -> None:
    app = open_page("example", "labelled", example="5")
    (data,) = sent(app, "packed")
    planes = unpack(data)
    assert np.array_equal(planes[:PASSES], run.label_maps(5))
    assert np.array_equal(planes[PASSES], run.mean_predictions[5])
    assert run.labels is not None
    assert np.array_equal(planes[PASSES + 1], run.labels[5])
    entropy = run.predictions_block(5, 6).predictive_entropy[0]
    assert planes[PASSES + 2] * data["maps"][0]["most"] / 255 == pytest.approx(entropy, abs=0.5 * entropy.max() / 255)
    assert [name for name, _ in data["classes"]] == NAMES
    assert [colour for _, colour in data["classes"]] == ["#000000", *CLASSES[:2]]
    assert data["background"] == 0
    assert data["image"].startswith("data:image/png")
    rows, dice = table(app, "passes that draw it"), run.array("class_dice")[5]
    assert rows["Dice"].tolist() == [percent(value) for value in dice]
    area = [percent(run.array("class_area_mean")[5, number]) for number in range(3)]
    assert [text.split(" ± ")[0] for text in rows["area"]] == area
    assert set(rows["passes that draw it"]) == {f"{PASSES} of {PASSES}"}


def test_a_demo_shows_a_sure_image_the_passes_of_an_unsure_one_and_its_map(open_page: Open, run: Run) -> None:
    agreement = run.scores()["pairwise_dice"].to_numpy()
    for step, example in (("1", agreement.argmax()), ("2", agreement.argmin()), ("3", agreement.argmin())):
        app = open_page("story", "labelled", step=step)
        (data,) = sent(app, "packed")
        assert np.array_equal(unpack(data)[:PASSES], run.label_maps(example))
        assert (data["plays"], data["disagreement"], data["labelled"]) == (step == "3", False, False)
    assert sent(open_page("story", "labelled", step="4"), "packed")[0]["disagreement"]
    assert "needs the model" in open_page("story", "labelled", step="5").header[0].value
    assert "before it was" in words(open_page("story", "sampled", step="5"))


def test_more_passes_say_that_all_are_sampled_anew(open_page: Open) -> None:
    assert "so all passes are sampled anew. These took " in words(open_page("runs", "sampled"))
    assert "more-passes" not in [button.key for button in open_page("runs", "labelled").button]


def test_label_maps_alone_have_no_entropies_and_no_picture(open_page: Open) -> None:
    (data,) = sent(open_page("example", "maps", example="5"), "packed")
    assert data["maps"] == []
    assert data["image"] == ""
    assert not data["labelled"]
    assert len(unpack(data)) == PASSES + 1


def test_two_runs_are_compared_with_the_outlines_of_both(open_page: Open, cache: Path, run: Run) -> None:
    other = mcviz.open_run(cache / "turned")
    app, found = open_page("runs", "labelled", other="turned", example="5"), mcviz.compare(run, other)
    assert found.changes is not None
    assert found.terms is not None
    assert compared_figures(app)["labelled"].tolist() == [row[1] for row in found.text_rows]
    assert found.in_words in words(app)
    assert [each.value for each in app.subheader][:2] == ["Lower Dice", "Higher Dice"]
    first, second = ([tile["example"] for tile in data["tiles"]] for data in sent(app, "tiles")[:2])
    assert first == found.changed("lower Dice")[:3].tolist()
    assert second == found.changed("higher Dice")[:3].tolist()
    back = np.array([1, 2, 0])  # the number in the first run of each class of the other
    for data, passes, mean in zip(
        sent(app, "packed"),
        (run.label_maps(5), back[other.label_maps(5)]),
        (run.mean_predictions[5], back[other.mean_predictions[5]]),
        strict=True,
    ):
        planes = unpack(data)
        assert np.array_equal(planes[:PASSES], passes)
        assert np.array_equal(planes[PASSES], mean)
        assert run.labels is not None
        assert np.array_equal(planes[PASSES + 1], run.labels[5])
        assert ([name for name, _ in data["classes"]], data["background"]) == (NAMES, 0)
    for terms in found.terms:
        assert f"mean Dice **{percent(terms['dice'][5])}** with the label;" in words(app)
    tables = [each.value for each in app.table if "passes that draw it" in each.value]
    assert [each.index.tolist() for each in tables] == [["ground", r"\*disc\*", "bar"]] * 2
    dice = count_overlaps(back[other.mean_predictions[[5]]], run.labels[[5]], 3, 0).dice[0]
    assert tables[1]["Dice"].tolist() == [percent(value) for value in dice]


def test_a_class_that_one_of_two_runs_lacks_has_both_names(open_page: Open) -> None:
    app = open_page("runs", "labelled", other="renamed", example="5")
    assert [[name for name, _ in data["classes"]] for data in sent(app, "packed")] == [[*NAMES[:2], "bar or rod"]] * 2
    tables = [each.value.index.tolist() for each in app.table if "passes that draw it" in each.value]
    assert tables == [["ground", r"\*disc\*", "bar or rod"]] * 2


def test_images_that_changed_are_a_selection_and_another_background_gets_no_verdict(
    open_page: Open, cache: Path, run: Run
) -> None:
    found = mcviz.compare(run, mcviz.open_run(cache / "turned")).changes
    assert found is not None
    app = open_page("uncertain", "labelled", other="turned", columns='{"change":["lower Dice"]}', view="scatter")
    assert f"**{found.counts['lower Dice']}** of {EXAMPLES} examples" in words(app)
    said = words(open_page("runs", "labelled", other="without-background"))
    assert "**No verdict.** Two runs are compared that predict the same." in said


def test_what_is_missed_is_said_and_found_by_filters(open_page: Open, run: Run) -> None:
    said = " ".join(sentences(open_page("example", "labelled", example="3")))
    assert "The label has **\\*disc\\***, **bar**; the prediction draws **\\*disc\\***." in said
    wrong = run.array("class_dice")[:, 2] == 0
    for field, expected in (
        ("wrong", wrong),
        ("label", run.array("class_area_label")[:, 2] > 0),
        ("prediction", (run.mean_predictions == 2).any(axis=(1, 2))),
    ):
        app = open_page("uncertain", "labelled", **{field: "2"})
        assert f"**{expected.sum()}** of {EXAMPLES} examples" in words(app)
    assert 3 in np.flatnonzero(wrong)


def test_overview_has_the_cards_of_dice_and_the_least_agreement_first(open_page: Open, run: Run) -> None:
    app = open_page("overview", "labelled")
    assert run.manifest.quality is not None
    assert f"mean Dice {percent(run.manifest.quality, 2)}" in words(app)
    assert percent(run.manifest.quality, 2) in [each.value for each in app.metric]
    (tiles,) = (data["tiles"] for data in sent(app, "tiles"))
    agreement = run.scores()["pairwise_dice"].to_numpy()
    assert [tile["example"] for tile in tiles] == agreement.argsort(kind="stable")[: len(tiles)].tolist()
    assert {tile["example"] for tile in tiles if tile["wrong"]} <= set(
        np.flatnonzero((run.array("class_dice") == 0).any(axis=1)).tolist()
    )


@pytest.mark.parametrize("view", ["gallery", "table", "scatter", "map", "errors", "groups"])
def test_every_view_of_explore_is_drawn(open_page: Open, view: str) -> None:
    app = open_page("uncertain", "labelled", view=view, column="patient")
    assert view in widget(app.segmented_control, "view").value


def test_errors_are_losses_against_the_score(open_page: Open, run: Run) -> None:
    app = open_page("uncertain", "labelled", view="errors", score="mean_entropy")
    spoken = " ".join(each.proto.alt for each in app.get("plotly_chart"))
    assert "Mean entropy against Loss of Dice" in spoken
    assert "The rank correlation of the two is" in words(app)
    assert "Where the line climbs" not in words(app)
    loss, agreement = (run.scores()[name].astype(float).rank() for name in ("loss", "pairwise_dice"))
    known = run.scores()["loss"].notna()
    expected = np.corrcoef(loss[known], -agreement[known].rank())[0, 1]
    said = words(open_page("uncertain", "labelled", view="errors", score="pairwise_dice"))
    of_uncertain = f"The rank correlation of the two is {fixed(expected, 2)}: 1 if the most uncertain examples"
    assert f"{of_uncertain} have the largest loss of Dice" in said, "low agreement counts as uncertain"


def test_trust_finds_who_has_to_be_looked_at(open_page: Open, run: Run) -> None:
    app = open_page("trust", "labelled", referral="accuracy")
    found = mcviz.refer(run, quality=0.9)
    widget(app.number_input, "wanted-accuracy").set_value(90.0).run()
    assert_sound(app)
    assert found.on_labels is not None
    (cards,) = ([each.value for each in app.metric if each.label == "To a person"],)
    assert cards == [f"{len(found.on_labels.referred):,}"]
    assert table(app, "IoU").index.tolist() == ["ground", r"\*disc\*", "bar"]


def test_predictions_are_judged_and_noted_but_not_painted(open_page: Open, cache: Path, run: Run) -> None:
    app = opened_page("review", {"run": "labelled"}, reviewer="Ada")
    first = int(run.scores()["pairwise_dice"].to_numpy().argsort(kind="stable")[0])
    right = next(each for each in app.button if each.key and each.key.startswith(f"review-prediction-{first}"))
    right.click().run()
    assert_sound(app)
    known = summarise_reviews(run, open_reviews(run).rows())
    (decision,) = known.decisions
    assert (decision.example, decision.in_words(answers_of(run).options)) == (first, "prediction is right")
    app = opened_page("review", {"run": "labelled", "part": "results"})
    assert [each.value for each in app.metric] == ["1", "1", "0"]


def test_probe_predicts_and_has_no_explanations(open_page: Open, cache: Path) -> None:
    app = opened_page("probe", {"run": "sampled", "input": "distortion"}, predicting=True)
    assert not app.error
    assert "No explanations" in words(app)
    assert "Two passes agree on a Dice of" in words(app)
    (data,) = sent(app, "packed")
    assert len(unpack(data)) == PASSES + 3
    assert data["image"].startswith("data:image/png")
    assert all("Detectors" not in str(each.options) for each in app.segmented_control)


def test_inputs_that_take_too_much_memory_are_refused_in_words(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcviz.app.resources.MOST_LIVE_BYTES", 1 << 10)
    assert "In Python `mcviz.sample` predicts new inputs." in words(open_page("probe", "sampled"))


def test_overview_and_trust_name_the_score_that_is_best_here(cache: Path, open_page: Open) -> None:
    best = name_best_score(mcviz.open_run(cache / "labelled"))
    assert "finds losses of Dice best" in best or "No score" in best
    for page in ("overview", "trust"):
        assert as_markdown(best) in words(open_page(page, "labelled"))
    assert "random order" in table(open_page("trust", "labelled", details="scores"), "AUGRC, ‰").index


def test_a_poor_outline_of_the_right_class_is_not_called_right(run: Run) -> None:
    row = {"prediction": "bar", "wrong": "", "label": "bar", "loss": 0.85}
    assert task_renderer(run).phrases.tile_text(run, row).brief == "Dice 15%"
    assert task_renderer(run).phrases.tile_text(run, row | {"wrong": "bar", "loss": 1.0}).brief == "Dice 0%"


def test_outlines_lie_around_what_they_surround() -> None:
    maps = np.zeros((1, 150, 150), np.uint8)
    maps[0, 40:60, 70:90] = 1
    pictures = np.full((1, 150, 150, 1), 9, np.uint8)
    drawn = draw_outlines(pictures, maps, ["#000000", "#0A141E"], 0)[0]
    coloured = (drawn == (10, 20, 30)).all(axis=-1)
    rows, columns = np.nonzero(coloured)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (38, 61, 68, 91)
    assert not coloured[40:60, 70:90].any()
    assert (drawn[~coloured] == 9).all()
