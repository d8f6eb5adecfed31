"""Every page on the shipped run, and on caches that hold nothing to show."""

import json
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz import Run
from mcviz.app import navigation
from mcviz.app.wording import abbreviated
from mcviz.measures import SCORES, most_uncertain_first
from mcviz.text import percent
from tests.app.keeping import kept_of
from tests.app.opening import assert_sound, open_popovers, switch_page
from tests.app.probing import about_run, class_means, paragraphs, widget
from tests.cases import one_in
from tests.runs.making import make, some_images

pytestmark = pytest.mark.lowest

ROOT = Path(__file__).parents[2]
OpenPage = Callable[..., AppTest]
PAGES = ["overview", "uncertain", "example", "side_by_side", "probe", "story"]


@pytest.fixture
def open_page() -> OpenPage:
    def opened(name: str, **query: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=120)
        open_popovers(app)
        for key, value in query.items():
            app.query_params[key] = value
        switch_page(app, name).run()
        return app

    return opened


def words(app: AppTest) -> str:
    """All that the page says."""
    return "\n".join(
        str(element.value)
        for kind in (app.title, app.caption, app.markdown, app.info, app.warning, app.error)
        for element in kind
    )


@pytest.mark.parametrize("name", [page.url_path for page in navigation.PAGES])
def test_every_page_opens(open_page: OpenPage, name: str) -> None:
    app = open_page(name)
    assert_sound(app)
    assert app.title[0].value
    assert "mnist-cnn" in words(app)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_an_empty_cache_says_what_to_do(
    open_page: OpenPage, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    monkeypatch.setattr("mcviz.runs.storage.SHIPPED_RUNS", ())
    app = open_page(name)
    assert_sound(app)
    assert "mcviz sample" in app.info[0].value
    assert "--out $MCVIZ_CACHE/NAME" in app.info[0].value


def test_the_hint_of_an_empty_cache_names_the_folder_that_is_read(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcviz.runs.storage.SHIPPED_RUNS", ())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my runs").mkdir()
    for named in ("my runs", str(tmp_path / "my runs")):
        monkeypatch.setenv("MCVIZ_CACHE", named)
        assert "--out 'my runs/NAME'`" in open_page("overview").info[0].value


def test_where_the_cache_has_no_run_the_shipped_one_is_shown(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = open_page("overview")
    assert "mnist-cnn" in words(app)
    assert len(app.metric) == 3


@pytest.mark.parametrize("name", PAGES)
def test_a_run_that_cannot_be_read_is_named_and_nothing_breaks(
    open_page: OpenPage, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{")
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = open_page(name)
    assert_sound(app, "broken")


def test_a_run_that_cannot_be_read_leaves_the_others_usable(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{")
    (tmp_path / "whole").symlink_to(ROOT / "cache" / "mnist-cnn")
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = open_page("overview")
    assert "broken" in app.error[0].value
    widget(app.selectbox, "run").select("whole").run()
    assert not app.error
    assert len(app.metric) == 3


def test_overview_shows_the_accuracies_that_the_passes_give(open_page: OpenPage, run: Run) -> None:
    app = open_page("overview")
    labels = run.labels
    correct = np.zeros(run.manifest.passes)
    right_together = 0
    for start in range(0, len(labels), 2000):
        block = run.probs_block(start, start + 2000)
        correct += (block.argmax(axis=-1) == labels[start : start + 2000]).sum(axis=1)
        mean = block.mean(axis=0, dtype=np.float64)
        right_together += (mean.argmax(axis=-1) == labels[start : start + 2000]).sum()
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown == {
        "Deterministic": f"{(run.deterministic_probs.argmax(axis=1) == labels).mean():.2%}",
        "One pass": f"{correct.mean() / len(labels):.2%}",
        "All passes": f"{right_together / len(labels):.2%}",
    }


def test_a_page_begins_with_a_sentence_of_the_run_s_own_figures(open_page: OpenPage, run: Run) -> None:
    scores = run.scores()
    wrong = ~scores["correct"].astype(bool)
    first = int(wrong.iloc[most_uncertain_first("max_probability", scores["max_probability"].to_numpy())[:200]].sum())
    overview = paragraphs(open_page("overview"))[0]
    among = f"{first} of the {wrong.sum()} mistakes are among the 200 that it is least confident of"
    right = "**mnist-cnn**: **99.30% right** on 10,000 images, not shown to differ from dropout off"
    assert overview == f"{right}; {among}."
    said = f"{wrong.sum()} predictions are wrong; {first} of these are among the"
    explore = paragraphs(open_page("uncertain"))[0]
    assert explore == f"10,000 examples, ranked by confidence, lowest first. {said} first 200."
    fours = int(((scores["label"] == 4) & wrong).sum())
    explore = paragraphs(open_page("uncertain", label="4", correct="wrong"))[0]
    sentence = "match, ranked by confidence, lowest first. Every prediction is wrong."
    assert explore == f"**{fours}** of 10,000 examples {sentence}"
    some = scores["label"] == 4
    order = most_uncertain_first("max_probability", scores["max_probability"][some].to_numpy())[:196]
    early = int(wrong[some].iloc[order].sum())
    explore = paragraphs(open_page("uncertain", label="4"))[0]
    assert explore.endswith(f"{fours} predictions are wrong; {early} of these are among the first 196 that match.")
    assert some.sum() // 5 == 196


def test_a_view_of_the_whole_run_has_no_filters_beside_it(open_page: OpenPage) -> None:
    app = open_page("uncertain", view="classes")
    assert "the filters do not apply" in words(app)
    assert [each.label for each in app.sidebar.selectbox] == ["Score"]
    assert not [*app.sidebar.multiselect, *app.sidebar.text_input, *app.sidebar.toggle]
    assert widget(app.selectbox, "score").value == "max_probability"
    assert open_page("uncertain").sidebar.selectbox


@pytest.mark.parametrize(
    ("own", "words_of_more"), [({}, "More: 9 scores"), ({"age": range(6)}, ", 1 column of your own")]
)
def test_ids_are_no_column_of_one_s_own(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: dict, words_of_more: str
) -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(3), (4, 6))
    mcviz.write_run(
        tmp_path / "run", probs, labels=np.zeros(6, int), ids=[f"item {c}" for c in "abcdef"], columns=own or None
    )
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    (more,) = (each.label for each in open_page("uncertain").expander if each.label.startswith("More"))
    assert more.endswith(words_of_more)


def test_the_bar_has_every_entry_also_for_a_run_of_which_a_page_has_little_to_say(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mcviz.write_run(tmp_path / "values", np.arange(10.0).reshape(2, 5, 1), task="regression")
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    for page in ("overview", "trust", "review", "probe", "side_by_side", "story", "runs"):
        app = open_page(page)
        assert_sound(app)
        links = [each.proto.label for each in app.get("page_link")]
        assert links[:8] == ["mcviz", "Overview", "Explore", "Trust", "Label", "Probe", "Runs", "Present"]


def test_the_path_of_overview_shows_what_the_root_shows(open_page: OpenPage) -> None:
    app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=120).run()
    assert app.title[0].value == "Overview"
    overview = next(each.proto for each in app.get("page_link") if each.proto.label == "Overview")
    assert overview.page == "overview"
    assert paragraphs(open_page("overview")) == paragraphs(app)


@pytest.mark.parametrize("score", one_in(3, SCORES))
def test_example_steps_through_the_ranking_of_any_score(open_page: OpenPage, run: Run, score: str) -> None:
    order = most_uncertain_first(score, run.scores()[score].to_numpy())
    app = open_page("example")
    widget(app.selectbox, "score").select(score)
    widget(app.number_input, "example").set_value(int(order[3])).run()
    assert_sound(app)
    assert "Rank **4**" in words(app)
    next(button for button in app.button if button.label == "Next").click().run()
    assert widget(app.number_input, "example").value == order[4]
    next(button for button in app.button if button.label == "Previous").click().run()
    assert widget(app.number_input, "example").value == order[3]


def test_mean_and_std_of_every_class_stand_once_on_the_page_of_an_example(open_page: OpenPage, run: Run) -> None:
    image = 1247
    app = open_page("example")
    widget(app.number_input, "example").set_value(image).run()
    sent = [json.loads(each.proto.json) for each in app.get("bidi_component") if "panels" in each.proto.json]
    (shown,) = (each["explanation"]["histograms"] for each in sent if "explanation" in each)
    probs = run.probs(image).astype(float)
    expected = [f"{percent(mean)} ± {percent(std)}" for mean, std in zip(probs.mean(0), probs.std(0), strict=True)]
    assert [panel["value"] for panel in shown["panels"]] == [abbreviated(value) for value in expected]
    assert not [table for table in app.table if "std" in table.value]


def test_uncertain_examples_can_be_filtered_to_the_wrong_ones(open_page: OpenPage, run: Run) -> None:
    app = open_page("uncertain")
    widget(app.segmented_control, "correct").set_value("wrong").run()
    assert_sound(app)
    wrong = int((~run.scores()["correct"].astype(bool)).sum())
    assert f"**{wrong:,}** of 10,000 examples" in words(app)


def test_each_choice_of_a_filter_says_how_many_examples_it_leaves_with_all_others_applied(
    open_page: OpenPage, run: Run
) -> None:
    scores = run.scores()
    fours, wrong = scores["label"] == 4, ~scores["correct"].astype(bool)
    app = open_page("uncertain", label="4", range="max_probability::0.9")
    low = scores["max_probability"] <= 0.9

    def options(name: str) -> list[str]:
        return list(widget([*app.multiselect, *app.segmented_control], name).options)

    assert options("values-label") == [f"{c} ({(low & (scores['label'] == c)).sum():,})" for c in range(10)]
    assert options("values-prediction") == [
        f"{c} ({(low & fours & (scores['prediction'] == c)).sum():,})" for c in range(10)
    ]
    among = low & fours
    counts = {"All": among.sum(), "Wrong": (among & wrong).sum(), "Correct": (among & ~wrong).sum()}
    assert options("correct") == [f"{name} {count:,}" for name, count in counts.items()]
    disagree = (among & (scores["variation_ratio"] > 0)).sum()
    assert widget(app.toggle, "disagree").label == f"Passes disagree ({disagree:,})"


def test_looking_at_a_cached_run_never_needs_the_model(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcviz.sampling", None)  # an import of it now fails
    for name in PAGES:
        assert_sound(open_page(name))


def test_noise_goes_through_the_model_live(
    open_page: OpenPage, colour_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(colour_cache))
    run = mcviz.open_run(colour_cache / "colour")
    app = open_page("probe", seed="0")
    assert_sound(app)
    assert "No prediction is correct" in words(app)
    noise = mcviz.uniform_noise(1, (12, 10, 3), seed=0)
    expected = mcviz.sample(mcviz.load_model(run.model_path), noise, passes=run.passes)[:, 0]
    shown = list(class_means(app).values())
    assert shown == pytest.approx(expected.mean(axis=0, dtype=np.float64))
    next(button for button in app.button if button.label == "Another noise image").click().run()
    assert widget(app.number_input, "seed").value == 1
    assert list(class_means(app).values()) != shown


@pytest.mark.slow
def test_the_sweep_says_which_class_noise_is_predicted_as(open_page: OpenPage) -> None:
    app = open_page("probe", strength="0.95")  # of full strength the findings would be kept beside the shipped run
    next(button for button in app.button if button.label == "Predict noise images").click().run()
    assert_sound(app)
    assert "of 100 noise images are predicted as 8" in words(app)


@pytest.mark.slow
def test_the_story_is_told_to_its_end(open_page: OpenPage, run: mcviz.Run) -> None:
    app = open_page("story")
    told = set()
    for step in range(1, 7):
        assert_sound(app)
        told.add(app.header[0].value)
        if step == 4:
            fewer = int((run.mean_probs.argmax(axis=1) == run.labels).sum())
            fewer -= int((run.deterministic_probs.argmax(axis=1) == run.labels).sum())
            assert f"With dropout off, the model is correct for {fewer} fewer." in words(app)
        if step == 5:
            assert "This is noise, taken for **8**" in app.header[0].value
        if step < 6:
            next(button for button in app.button if button.label == "Next").click().run()
    assert len(told) == 6
    assert "**out of distribution**" in words(app)
    assert "**Stopped**" in words(app)


def test_the_story_is_presented_without_what_steers_the_dashboard(open_page: OpenPage) -> None:
    app = open_page("story")
    app.button(key="story-present").click().run()
    assert app.query_params["present"] == "yes"
    app.button(key="story-next").click().run()
    assert (app.query_params["present"], app.query_params["step"]) == ("yes", "2")
    app.button(key="story-leave").click().run()
    assert "present" not in app.query_params
    assert app.query_params["step"] == "2"


def test_pins_stand_side_by_side(open_page: OpenPage, run: mcviz.Run) -> None:
    app = open_page("side_by_side")
    assert "No example is pinned" in words(app)
    app.query_params["pinned"] = "247,18"
    app.run()
    assert [button.label for button in app.button if button.label.startswith("Example")] == [
        "Example 247",
        "Example 18",
    ]
    shown = app.table[0].value
    assert list(shown.columns) == ["example 247", "example 18"]
    for name, score in mcviz.measures.SCORES.items():
        first, second = run.scores().loc[[247, 18], name]
        more_uncertain = first < second if score.uncertain_when == "low" else first > second
        differ = len({text.strip("*") for text in shown.loc[score.label]}) == 2
        bold = [text.startswith("**") for text in shown.loc[score.label]]
        assert bold == ([more_uncertain, not more_uncertain] if differ else [False, False])
    next(button for button in app.button if button.label == "Unpin").click().run()
    assert app.query_params["pinned"] == "18"
    assert not app.table[0].value.stack().str.startswith("**").any()


@pytest.fixture(scope="module")
def bare_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of nothing but predictions: no labels, no images, no model; other shapes and numbers than MNIST's."""
    model = mcviz.reference_network((12, 10, 3), classes=4)
    images = np.random.default_rng(0).random((30, 12, 10, 3), dtype=np.float32)
    folder = tmp_path_factory.mktemp("bare")
    mcviz.sample_run(model, images, folder / "bare", passes=7, masks="per_example", keep_images=False, keep_model=False)
    return folder


@pytest.mark.parametrize("name", PAGES)
def test_every_page_makes_do_with_predictions_alone(
    open_page: OpenPage, name: str, bare_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(bare_cache))
    app = open_page(name)
    assert_sound(app)
    assert "30 examples · 7 passes · masks `per_example` · seed 0" in words(app)


@pytest.fixture(scope="module")
def no_deterministic_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with labels and images, without the probabilities of the model with dropout off."""
    import keras

    folder = tmp_path_factory.mktemp("no-deterministic")
    flat = [keras.Input(some_images().shape[1:]), keras.layers.Flatten(), keras.layers.Dropout(0.5)]
    keras.Sequential([*flat, keras.layers.Dense(3, "softmax")]).save(folder / "model.keras")
    make(folder / "cache" / "passes-alone", deterministic=False, model_file=(folder / "model.keras").read_bytes())
    return folder / "cache"


@pytest.mark.parametrize("name", PAGES)
def test_every_page_makes_do_without_deterministic_outputs(
    open_page: OpenPage, name: str, no_deterministic_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(no_deterministic_cache))
    app = open_page(name)
    assert_sound(app)
    assert "**passes-alone**" in words(app)


def test_overview_without_deterministic_outputs_shows_the_other_accuracies_and_their_chart(
    open_page: OpenPage, no_deterministic_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(no_deterministic_cache))
    run = mcviz.open_run(no_deterministic_cache / "passes-alone")
    app = open_page("overview")
    assert {metric.label: metric.value for metric in app.metric} == {
        "One pass": f"{run.pass_accuracy.mean():.2%}",
        "All passes": f"{run.ensemble_accuracy[-1]:.2%}",
    }
    assert len(app.get("plotly_chart")) == 1


@pytest.mark.parametrize("step", one_in(4, ["1", "2", "3", "4"]))
def test_the_story_of_a_run_without_deterministic_outputs_is_told(
    open_page: OpenPage, step: str, no_deterministic_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(no_deterministic_cache))
    app = open_page("story", step=step)
    assert_sound(app)
    assert app.header[0].value


@pytest.mark.parametrize("view", one_in(3, ["scatter", "map", "confusion"]))
def test_where_nothing_passes_a_chart_view_says_so_once(open_page: OpenPage, view: str) -> None:
    app = open_page("uncertain", view=view, range="max_probability:2:")
    assert_sound(app)
    assert ["Take one off" in info.value for info in app.info] == [True]
    assert not [element for element in app.main if element.type == "plotly_chart"]


def test_the_run_s_information_says_how_its_masks_were_drawn(open_page: OpenPage) -> None:
    said = about_run(open_page("overview"))
    assert "**mnist-cnn** · 10,000 examples · 500 passes · masks `per_pass` · seed 0" in said
    assert "**Data**: 10,000 images, with labels." in said
    assert "**Model**: reference\\_network, kept in the run." in said
    assert "share one draw" in said


@pytest.mark.parametrize("view", one_in(3, ["table", "scatter", "gallery"]))
def test_every_view_makes_do_with_predictions_alone(
    open_page: OpenPage, view: str, bare_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(bare_cache))
    app = open_page("uncertain")
    app.query_params["view"] = view
    app.run()
    assert_sound(app)


@pytest.mark.parametrize("view", one_in(3, ["gallery", "table", "scatter", "map", "confusion", "classes"]))
def test_every_view_follows_the_filters(open_page: OpenPage, view: str, run: Run) -> None:
    app = open_page("uncertain")
    app.query_params["view"] = view
    app.query_params["label"] = "4"
    app.run()
    assert_sound(app)
    fours = int((run.scores()["label"] == 4).sum())
    assert f"**{fours:,}** of 10,000 examples" in words(app)


@pytest.fixture(scope="module")
def other_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of which other things are true than of the shipped one.

    One has no mistakes and passes that all agree, one nothing but mistakes, one a single image, one no labels; and
    the shipped one beside them.
    """
    import keras

    folder = tmp_path_factory.mktemp("others")
    dense = keras.layers.Dense(4, "softmax", bias_initializer=keras.initializers.Constant([0, 50, 0, 0]))
    biased = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dropout(0.5), dense])
    torn = mcviz.reference_network((8, 8, 1), classes=4)
    images = np.random.default_rng(0).random((5, 8, 8, 1), dtype=np.float32)
    mcviz.sample_run(biased, mcviz.DataSet(images, np.full(5, 1)), folder / "agreed", passes=7)
    unlabelled = mcviz.sample_run(torn, images, folder / "unlabelled", passes=7)
    least_likely = (
        np.concatenate([unlabelled.probs_block(0, 5), unlabelled.deterministic_probs[None]]).max(axis=0).argmin(axis=1)
    )
    mcviz.sample_run(torn, mcviz.DataSet(images, least_likely), folder / "mistaken", passes=7)
    mcviz.sample_run(torn, mcviz.DataSet(images[:1], least_likely[:1]), folder / "one-image", passes=7)
    (folder / "shipped").symlink_to(ROOT / "cache" / "mnist-cnn")
    return folder


@pytest.fixture
def open_other(open_page: OpenPage, other_cache: Path, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Open a page with an address, on a cache of several runs."""
    monkeypatch.setenv("MCVIZ_CACHE", str(other_cache))

    def opened(name: str, **query: str) -> AppTest:
        app = open_page(name)
        app.query_params.clear()
        for key, value in query.items():
            app.query_params[key] = value
        return app.run()

    return opened


@pytest.mark.parametrize(
    ("run_name", "name"), one_in(5, product(["agreed", "unlabelled", "mistaken", "one-image"], PAGES))
)
def test_every_page_shows_any_run(open_other: OpenPage, name: str, run_name: str) -> None:
    app = open_other(name, run=run_name)
    assert_sound(app)
    assert f"**{run_name}**" in words(app)


def test_where_there_are_several_runs_the_address_and_every_link_name_one(open_other: OpenPage) -> None:
    app = open_other("uncertain", correct="wrong")
    assert app.query_params["run"] == "agreed"
    assert app.query_params["correct"] == "wrong"
    links = [element.proto for element in app.main if element.type == "page_link"]
    assert all("run=agreed" in link.query_string for link in links)
    assert not app.warning


def test_the_address_of_the_only_run_stays_as_it_is(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only").symlink_to(ROOT / "cache" / "mnist-cnn")
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    assert dict(open_page("uncertain", correct="wrong").query_params) == {"correct": "wrong"}
    named = open_page("uncertain", correct="wrong", run="gone", selected="3")
    assert dict(named.query_params) == {"correct": "wrong"}
    assert "gone" in named.warning[0].value


def test_a_run_that_is_not_there_is_named_and_its_examples_are_not_taken_for_others(open_other: OpenPage) -> None:
    app = open_other("example", run="gone", example="3", flagged="1,2", pinned="1", selected="3", score="margin")
    assert "gone" in app.warning[0].value
    assert "**agreed**" in app.warning[0].value
    assert dict(app.query_params) == {"run": "agreed", "score": "margin"}
    next(button for button in app.button if button.label == "`F` Flag").click().run()
    assert not app.warning


def test_an_example_that_is_not_there_is_named(open_page: OpenPage) -> None:
    for asked in ("10000", "x", "9" * 4400):
        app = open_page("example", example=asked)
        assert_sound(app)
        assert asked[:20] in app.warning[0].value
        assert "0 to 9,999" in app.warning[0].value
    assert not open_page("example", example="9999").warning


def test_an_address_with_a_number_of_thousands_of_digits_is_no_exception(open_page: OpenPage) -> None:
    app = open_page("uncertain", selected="1" * 4400, page="1" * 4400)
    assert_sound(app)
    assert "10,000 examples, ranked" in words(app)


def test_filters_that_need_labels_do_nothing_without_labels(open_other: OpenPage) -> None:
    app = open_other("uncertain", run="unlabelled", correct="wrong", label="3")
    assert "5 examples, ranked" in words(app)


@pytest.mark.parametrize(
    ("run_name", "step", "said"),
    one_in(
        5,
        [
            ("agreed", 2, "They agree on every example"),
            ("agreed", 3, "makes no mistake here"),
            ("agreed", 4, "no better than alone"),
            ("mistaken", 3, "are not shown to hold more mistakes"),
            ("mistaken", 4, "are not shown to be better"),
            ("one-image", 4, "are not shown to be better"),
            ("one-image", 3, "are not shown to hold more mistakes"),
            ("shipped", 2, "the answer changes"),
            ("shipped", 3, "The uncertainty is useful"),
            ("shipped", 4, "are better than alone"),
        ],
    ),
)
def test_the_story_says_what_is_true_of_its_run(open_other: OpenPage, run_name: str, step: int, said: str) -> None:
    app = open_other("story", run=run_name, step=str(step))
    assert_sound(app)
    assert said in f"{app.header[0].value} {words(app)}"
    # Of so few images, plotly would draw no curve but errors.
    assert (run_name == "shipped" or step != 3) == bool(
        [element for element in app.main if element.type == "plotly_chart"]
    )


def test_overview_says_nothing_vacuous_where_all_passes_are_right(open_other: OpenPage) -> None:
    app = open_other("overview", run="agreed")
    assert_sound(app)
    assert "On average, the same in each." in words(app)
    spoken = [element.proto.alt for element in app.get("plotly_chart")]
    assert "Every single pass is as good as the ensemble." in spoken


def test_overview_does_not_call_the_last_of_two_passes_enough(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mcviz.write_run(tmp_path / "two", np.array([[[0.4, 0.6]] * 5, [[0.9, 0.1]] * 5]), labels=np.zeros(5, int))
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    spoken = [element.proto.alt for element in open_page("overview", section="passes").get("plotly_chart")]
    assert any("2 passes may be too few: up to the last one" in each for each in spoken)
    assert "The ensemble beats 50.0% of the single passes." in spoken


def test_where_nothing_is_selected_each_view_says_what_to_do(open_page: OpenPage) -> None:
    query = {"range": "max_probability:2:"}
    assert "Take one off" in open_page("uncertain", view="table", **query).info[0].value
    example = open_page("example", **query)
    assert "Take one off" in words(example)
    assert "Next goes to" not in words(example)


def test_a_run_without_mistakes_has_no_class_that_is_missed(open_other: OpenPage) -> None:
    app = open_other("uncertain", run="agreed", view="classes", correct="correct")
    said = words(app)
    assert "every prediction is correct" in said
    assert "is missed" not in said.replace("No class is ever missed", "")
    assert "Figures of the whole run, 5 labelled examples" in said
    table = app.table[0].value
    assert table["examples"].tolist() == ["0", "5", "0", "0"]
    assert table["correct"].tolist() == ["–", "100.0%", "–", "–"]


def test_rows_of_the_table_stay_ticked_only_while_it_shows_the_same_examples(open_page: OpenPage) -> None:
    def key(**query: str) -> str:
        return open_page("uncertain", view="table", **query).dataframe[0].proto.id

    assert key(label="4", correct="wrong") == key(correct="wrong", label="4")
    assert key(correct="wrong") != key(correct="wrong", order="confident_first")


def test_an_example_names_the_filters_and_the_order_that_it_steps_through(open_page: OpenPage) -> None:
    app = open_page("example", correct="wrong", order="confident_first", example="18")
    assert [button.label for button in app.button if (button.key or "").startswith("chip-")] == ["wrong predictions"]
    app.button(key="chip-0").click().run()
    assert "correct" not in app.query_params
    assert "most confident first" in words(app)


def test_no_more_pins_are_counted_than_stand_side_by_side(open_page: OpenPage) -> None:
    app = open_page("example", pinned="1,2,3,4,5,6")
    assert [button.label for button in app.button if button.label.startswith("Compare")] == ["Compare 4"]


def test_what_an_address_says_for_nothing_is_told_on_the_page(open_page: OpenPage) -> None:
    app = open_page("uncertain", score="certainty", pinned="1,2,3,4,5", page="9999")
    assert "“score=certainty”, “pinned=1,2,3,4,5”" in app.warning[0].value
    assert "There is no page 9,999: these examples fill 209 pages." in words(app)
    assert "There is no step 9: this is the first of" in words(open_page("story", step="9"))
    assert not open_page("uncertain", score="margin", pinned="1,2", page="2").warning


def test_a_range_takes_exact_numbers(open_page: OpenPage, run: Run) -> None:
    app = open_page("uncertain")
    widget(app.number_input, "high-max_probability").set_value(0.41237).run()
    few = int((run.scores()["max_probability"] <= 0.41237).sum())
    assert f"**{few:,}** of 10,000 examples" in words(app)
    widget(app.number_input, "low-max_probability").set_value(0.3).run()
    assert f"**{few - 1:,}** of 10,000 examples" in words(app)
    widget(app.number_input, "high-max_probability").set_value(None).run()
    assert "**9,999** of 10,000 examples" in words(app)


def test_what_lies_around_an_example_is_selected_without_drawing(open_page: OpenPage) -> None:
    app = open_page("uncertain", view="map", example="7")
    app.number_input(key="around").set_value(5)
    next(button for button in app.button if button.label == "Filter").click().run()
    assert "**5** of 10,000 examples" in words(app)
    assert 7 in kept_of(app)["latest-state"].filters.selected
