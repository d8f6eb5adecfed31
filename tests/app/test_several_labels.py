"""Several labels an example on pages: decisions are kept, Trust promises what holds, and words are true."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.analysis.labelling import label_errors_sentence
from mcviz.analysis.referral import find_cheapest_referral, refer
from mcviz.analysis.thresholds import choosing_curve
from mcviz.app.referral import referral_filters
from mcviz.app.state import PageState
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import load_example
from mcviz.app.wording import as_markdown
from mcviz.measures import most_uncertain_first
from mcviz.measures.multilabel import MULTILABEL, class_ece, class_reliability
from mcviz.measures.quality import FEWEST_RANKED
from mcviz.measures.registry import MultilabelPredictions
from mcviz.reviews import compute_outcome, open_reviews, summarise_reviews
from mcviz.text import percent, percent_at_least
from tests.app.opening import assert_sound, opened_page
from tests.app.probing import sentences, widget, words

EXAMPLES, NAMES = 400, ["*cat*", "dog", "owl"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs with labels of which some are not known, without labels, and of more classes than there are keys."""
    folder, random = tmp_path_factory.mktemp("runs"), np.random.default_rng(0)
    odds = random.normal(0, 2.5, (EXAMPLES, 3))
    labels = (random.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(float)
    labels[:10], labels[10:20, 0] = np.nan, np.nan
    probs = 1 / (1 + np.exp(-(odds + random.normal(0, 0.7, (6, *odds.shape)))))
    columns = {"site": np.where(odds[:, 0] > 0, "east", "west")}
    mcviz.write_run(
        folder / "labelled", probs, labels=labels, class_names=NAMES, task="multilabel", columns=columns,
        data=random.integers(0, 256, (EXAMPLES, 6, 6, 1), dtype=np.uint8),
    )  # fmt: skip
    mcviz.write_run(folder / "unlabelled", probs[:, :30], class_names=NAMES, task="multilabel")
    many = random.random((5, 30, 14))
    names = [f"kind {number}" for number in range(14)]
    mcviz.write_run(folder / "many", many, labels=many[0] > 0.5, class_names=names, task="multilabel")
    return folder


@pytest.fixture(autouse=True)
def _here(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))


@pytest.fixture(autouse=True)
def _nothing_is_decided(cache: Path) -> None:
    for name in ("labelled", "unlabelled", "many"):
        path = open_reviews(mcviz.open_run(cache / name)).path
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()


def opened(page: str, run: str = "labelled", **query: str) -> AppTest:
    app = opened_page(page, {"run": run, **query}, reviewer="Ada")
    assert not app.error
    return app


def shown(app: AppTest) -> int:
    (found,) = {int(each.key.split("-")[-2]) for each in app.button if each.key and each.key.startswith("review-undo")}
    return found


def named(app: AppTest, name: str) -> Any:
    (found,) = (each for each in app.button if each.key and each.key.startswith(f"review-{name}-"))
    return found


def press(app: AppTest, *names: str) -> None:
    for name in names:
        named(app, name).click().run()
        assert_sound(app)


def decided(run: mcviz.Run) -> dict[int, tuple[str, tuple[int, ...] | None]]:
    known = summarise_reviews(run, open_reviews(run).rows())
    return {example: (each.kind, each.classes) for example, each in known.decisions_by("Ada").items()}


def queue(run: mcviz.Run, score: str) -> list[int]:
    values = run.scores()[score].to_numpy()
    return most_uncertain_first(score, values, run.score_registry).tolist()


def test_a_decision_is_that_labels_are_right_or_wrong_or_which_classes_there_are(cache: Path) -> None:
    run = mcviz.open_run(cache / "labelled")
    labelled = [example for example in queue(run, "expected_error") if (run.labels[example] >= 0).all()]
    app = opened("review", part="queue", selected=",".join(map(str, labelled[:6])))
    assert shown(app) == labelled[0]
    press(app, "label", "prediction", "wrong_label", "none", "skip")
    given, predicted = run.labels, (run.mean_probs > 0.5).astype(int)
    first, second, third, fourth, fifth, sixth = labelled[:6]
    assert decided(run) == {
        first: ("classes", tuple(given[first].tolist())),
        second: ("classes", tuple(predicted[second].tolist())),
        third: ("wrong_label", None),
        fourth: ("classes", (0, 0, 0)),
        fifth: ("skip", None),
    }
    assert shown(app) == sixth
    assert "**4** of 6 examples decided" in app.get("progress")[0].proto.text
    press(app, "class-0", "class-2", "keep")
    flipped = given[sixth].copy()
    flipped[[0, 2]] = 1 - flipped[[0, 2]]
    assert decided(run)[sixth] == ("classes", tuple(flipped.tolist()))


def test_classes_are_chosen_and_taken_out_before_they_are_kept(cache: Path) -> None:
    run = mcviz.open_run(cache / "labelled")
    app = opened("review", part="queue")
    example = shown(app)
    start = np.where(run.labels[example] >= 0, run.labels[example] == 1, run.mean_probs[example] > 0.5)
    for index in range(3):
        button = named(app, f"class-{index}")
        assert (button.proto.type == "primary") == start[index] == ("✓" in button.label)
    press(app, "class-1")
    assert decided(run) == {}, "nothing is kept yet"
    assert (named(app, "class-1").proto.type == "primary") != start[1]
    press(app, "class-1", "forward", "back")
    chosen = [as_markdown(name) for name, has in zip(NAMES, start, strict=True) if has]
    assert named(app, "keep").label == f"`K` Keep {', '.join(chosen) or 'none of the classes'}"
    press(app, "keep", "undo")
    assert (shown(app), decided(run)) == (example, {})


def test_unknown_labels_are_left_open_by_who_says_that_the_given_ones_are_right(cache: Path) -> None:
    run = mcviz.open_run(cache / "labelled")
    app = opened("review", part="queue", selected="12,3")
    if shown(app) != 12:
        press(app, "skip")
    assert "Of 1 class nobody knows." in " ".join(sentences(app))
    press(app, "label")
    assert decided(run)[12] == ("classes", (-1, *run.labels[12, 1:].tolist()))
    app = opened("review", part="queue", selected="3")
    assert not any("review-label-" in each.key or "review-wrong" in each.key for each in app.button if each.key)
    assert "given" not in " ".join(sentences(app))


def test_the_first_queue_is_of_probable_label_errors_by_label_quality(cache: Path) -> None:
    run = mcviz.open_run(cache / "labelled")
    wrong = np.flatnonzero(np.nan_to_num(run.scores()["loss"].to_numpy(float)) > 0)
    app = opened("review")
    assert f"**{len(wrong)} examples to check** of {EXAMPLES}" in words(app)
    assert label_errors_sentence(mcviz.count_label_errors(run)) in words(app)
    (parts,) = (each.options for each in app.segmented_control if each.label == "Part")
    assert parts[:2] == [f"{len(wrong)} to check", f"All {EXAMPLES}"]
    order = [example for example in queue(run, "label_quality") if example in wrong]
    assert shown(app) == order[0]
    press(app, "label")
    assert shown(app) == order[1]
    names = [f"**{as_markdown(name)}**" for name, label in zip(NAMES, run.labels[order[1]], strict=True) if label == 1]
    assert ", ".join(names) in sentences(app)[0]


def test_without_labels_classes_are_said_of_all(cache: Path) -> None:
    run = mcviz.open_run(cache / "unlabelled")
    app = opened("review", "unlabelled")
    assert "30 examples without labels: say which classes each has" in words(app)
    press(app, "keep", "prediction")
    assert all(kind == "classes" and -1 not in classes for kind, classes in decided(run).values())
    outcome = compute_outcome(run, summarise_reviews(run, open_reviews(run).rows()))
    assert outcome.mask.sum() == 2


def test_of_many_classes_those_that_there_are_are_typed(cache: Path) -> None:
    run = mcviz.open_run(cache / "many")
    app = opened("review", "many", part="queue")
    (field,) = (each for each in app.multiselect if each.key.startswith("review-class-"))
    example = shown(app)
    assert sorted(field.value) == np.flatnonzero(run.labels[example]).tolist()
    field.set_value([13, 2]).run()
    assert named(app, "keep").label == "`K` Keep kind 2, kind 13"
    press(app, "keep")
    assert decided(run)[example] == ("classes", tuple(int(number in (2, 13)) for number in range(14)))


def test_disputes_and_results_are_those_of_the_decisions(cache: Path) -> None:
    run = mcviz.open_run(cache / "labelled")
    app = opened("review", part="queue", selected="30,31")
    press(app, "label", "label")
    reviews, labels = open_reviews(run), run.labels
    other = {name: bool(label) for name, label in zip(NAMES, labels[30], strict=True)}
    other["owl"] = not other["owl"]
    reviews.add(30, "Bob", "classes", class_name=json.dumps(other, sort_keys=True))
    app = opened("review", part="disputes")
    assert shown(app) == 30
    assert "Bob: " in words(app)
    app = opened("review", part="results")
    cards = {each.label: each.value for each in app.metric}
    assert (cards["Decided"], cards["Label errors found"]) == ("1", "0")
    assert "Accuracy over labels" in cards
    disputed = next(each.value for each in app.dataframe if "decisions" in each.value)
    assert disputed["example"].tolist() == [30]
    assert len(app.get("download_button")) == 5
    assert 'choice="multiple"' in app.code[0].value
    app = opened("review", part="disputes")
    press(app, "wrong_label")  # and Bob says which classes are right
    assert "No example is disputed." in words(opened("review", part="disputes"))
    outcome = compute_outcome(run, summarise_reviews(run, reviews.rows()))
    assert outcome.labels[30].tolist() == [int(has) for has in other.values()]


def test_the_preset_of_label_errors_ranks_by_label_quality() -> None:
    app = opened("uncertain")
    ranking = widget(app.selectbox, "ranking")
    ranking.set_value(("label_quality", "uncertain_first")).run()
    assert_sound(app)
    assert app.query_params["score"] == ["label_quality"] or app.query_params["score"] == "label_quality"
    assert "Was the model trained on these labels?" in words(app)
    assert "labels are estimated to be wrong" not in words(app), "the estimate is of one class an example"


# Trust


@pytest.mark.parametrize(
    ("referral", "wanted", "target"),
    [("budget", "40", {"budget": 40}), ("accuracy", "0.9", {"quality": 0.9}), ("miss", "0.3", {"miss": 0.3})],
)
@pytest.mark.parametrize("score", ["expected_error", "mutual_information"])
def test_the_cards_and_the_promise_are_those_of_a_referral(
    cache: Path, referral: str, wanted: str, target: dict[str, Any], score: str
) -> None:
    run = mcviz.open_run(cache / "labelled")
    app, found = opened("trust", referral=referral, wanted=wanted, score=score), refer(run, score=score, **target)
    shown, loss = {each.label: each.value for each in app.metric}, run.scores()["loss"].to_numpy(float)
    referred = np.isin(np.arange(EXAMPLES), found.examples)
    assert shown["To a person"] == f"{referred.sum():,}"
    assert referred.sum() <= target.get("budget", EXAMPLES)
    assert shown["Wrong labels caught"] == percent(float(np.nansum(loss[referred]) / np.nansum(loss)))
    assert shown["Wrong labels missed"] == percent(float(np.nansum(loss[~referred]) / np.nansum(loss)))
    left = 1 - float(np.nanmean(loss[~referred]))
    assert shown["Accuracy over labels left"] == percent(left, 2)
    assert referral_filters(found).mask(run.scores()).tolist() == referred.tolist()
    if found.guarantee is None:
        assert "nothing is guaranteed" in words(app)
    else:
        least = percent_at_least(found.guarantee.quality, 2)
        assert f"the accuracy over labels of the rest is at least {least}" in words(app)


def test_a_referral_is_guaranteed_and_is_a_selection(cache: Path) -> None:
    run = mcviz.open_run(cache / "labelled")
    assert refer(run, budget=150).guarantee is not None
    app = opened("trust", referral="budget", wanted="150")
    app.button(key="select-referred").click().run()
    assert_sound(app)
    assert f"**{len(refer(run, budget=150).examples)}** of {EXAMPLES} examples match" in words(app)


def test_the_cheapest_threshold_is_asked_for_in_the_words_of_the_loss(cache: Path) -> None:
    run = mcviz.open_run(cache / "labelled")
    app = opened("trust", referral="cheapest", mistake_costs="20", look_costs="1")
    found = find_cheapest_referral(run, 20, 1)
    assert as_markdown(found.in_words) in [each.value for each in app.markdown]
    assert "A miss of all labels costs" in [each.label for each in app.number_input]
    assert "the wrong labels that are missed cost" in words(app)


def test_a_class_is_compared_with_its_labels_at_first_that_of_the_largest_ece(cache: Path) -> None:
    run = mcviz.open_run(cache / "labelled")
    terms = MULTILABEL.terms(MultilabelPredictions(run.mean_probs[None], run.labels))
    eces = [class_ece(terms, number) for number in range(3)]
    app = opened("trust")
    assert widget(app.selectbox, "trust_class").value == int(np.argmax(eces))
    assert f"Fewer than {FEWEST_RANKED} examples with a class, or without it, are too few" in words(app)
    for number in range(3):
        app = opened("trust", trust_class=str(number))
        bins, gaps = class_reliability(terms, number)
        figure = json.loads(next(each for each in app.get("plotly_chart")).proto.spec)
        dots = figure["data"][1]
        assert dots["name"] == NAMES[number]
        assert len(bins.count) > 2
        assert len(dots["hovertext"]) == len(bins.count) == len(gaps)
        assert f"Its ECE is {percent(eces[number], 2)}." in words(app)


def test_a_slider_counts_the_labels_that_choose_and_a_threshold_is_kept(
    cache: Path, tmp_path: Path, monkeypatch
) -> None:
    copy = tmp_path / "runs" / "labelled"
    shutil.copytree(cache / "labelled", copy)
    monkeypatch.setenv("MCVIZ_CACHE", str(copy.parent))
    app = opened_page("trust", {"trust_class": "1", "trust_threshold": "0.3"})
    run = mcviz.open_run(copy)
    curve = choosing_curve(run, 1)
    counts = curve.count(0.3)
    assert widget(app.slider, "trust_threshold").value == 0.3
    (table,) = (each.value for each in app.table if each.value.index.name == "threshold")
    assert table.loc["this", "found"] == f"{counts.both:,}"
    assert table.loc["this", "F1"] == f"{counts.f1:.3f}"
    next(each for each in app.button if each.key == "threshold-keep").click().run()
    assert_sound(app)
    kept = mcviz.open_run(copy).decisions.thresholds["dog"]
    assert (kept.value, kept.chosen_by) == (pytest.approx(0.3, abs=0.01), "hand")
    assert kept.value in curve.thresholds
    assert "trust_threshold" not in app.query_params
    judged = ~run.choosing & (run.labels[:, 1] >= 0)
    expected = f1_score(run.labels[judged, 1], run.mean_probs[judged, 1] > kept.value)
    (classes,) = (each.value for each in app.table if each.value.index.name == "class")
    assert classes.loc["dog", "F1"].startswith(f"{expected:.4f}"), "the figures of the page follow"
    right = 1 - run.scores()["loss"].mean()
    assert f"**{percent(right, 2)} of the labels right**" in words(app)
    assert mcviz.list_runs(copy.parent)[0].measure == "accuracy over labels at 0.5"
    assert "at 0.5" in json.dumps(mcviz.plot.ensemble_size(run).to_plotly_json(), default=str)


def test_groups_that_belong_together_count_in_the_diagram_and_the_promise() -> None:
    app = opened("trust", group="site")
    assert "only between groups: 2 by site" in words(app)


def test_which_score_finds_the_wrong_labels_is_answered() -> None:
    app = opened("trust", details="scores", referral="budget", wanted="40")
    assert "Which score finds the wrong labels?" in [each.label for each in app.expander]
    assert "**The wrong labels that nobody sees**" in [each.value for each in app.markdown]
    assert len(app.expander) == 1, "the other questions take one class an example"


# Words


def rows(run: mcviz.Run) -> list[dict[str, Any]]:
    return run.table().reset_index().to_dict("records")


def test_an_example_is_described_by_what_is_predicted_wrong_and_missed(cache: Path) -> None:
    run = mcviz.open_run(cache / "labelled")
    phrases, seen = task_renderer(run).phrases, set()
    for example in range(20, EXAMPLES):
        predicted, given = run.mean_probs[example] > 0.5, run.labels[example] == 1
        kind = (int(predicted.sum()), int((predicted & ~given).sum()), int((~predicted & given).sum()))
        if kind in seen:
            continue
        seen.add(kind)
        said = phrases.describe_example(run, rows(run)[example])

        def listed(which: np.ndarray) -> str:
            return ", ".join(f"**{as_markdown(name)}**" for name, has in zip(NAMES, which, strict=True) if has)

        parts = [f"is predicted to have {listed(predicted) or '**none of the classes**'}"]
        for word, which in (("wrong", predicted & ~given), ("missed", ~predicted & given)):
            if which.any():
                parts.append(f"{listed(which)} {'is' if which.sum() == 1 else 'are'} {word}")
        assert said == "; ".join(parts)
    assert len(seen) > 5
    app = opened("example", example="30")
    assert f"Example 30 {phrases.describe_example(run, rows(run)[30])}. Its " in words(app)


def test_a_tile_has_all_in_its_title_and_a_count_for_where_names_do_not_fit(cache: Path) -> None:
    run = mcviz.open_run(cache / "labelled")
    app = opened("uncertain")
    (data,) = (
        sent
        for sent in (json.loads(each.proto.json) for each in app.get("bidi_component") if each.proto.json)
        if len(sent.get("tiles", ())) > 1
    )
    for tile in data["tiles"]:
        row = rows(run)[tile["example"]]
        is_known = isinstance(row["wrong"], str)
        wrong = [name for name in row["wrong"].split(";") if name] if is_known else []
        predicted = [name for name in row["prediction"].split(";") if name]
        assert tile["wrong"] == bool(wrong)
        count = f"{len(wrong)} wrong" if wrong else "right" if is_known else f"{len(predicted)} of {len(NAMES)}"
        assert tile["brief"] == count
        title = tile["hover"].splitlines()[0]
        assert title.startswith(f"Predicted {', '.join(predicted) or 'none'}")
        assert all(name in title for name in wrong)


def test_the_highest_bar_of_an_example_reaches_the_top_of_its_histograms(cache: Path) -> None:
    run = mcviz.open_run(cache / "labelled")
    histograms = task_renderer(run).explain(load_example(run, PageState(), 30))["histograms"]
    highest = max(max(panel["counts"]) for panel in histograms["panels"])
    assert highest < run.passes
    assert highest == histograms["top"] >= histograms["ticks"][-1]
