"""Overview: its answer, in the words of the run's kind and task, and how many passes are enough."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.analysis.predictors import compute_convergence
from mcviz.analysis.quality_trust import compare_with_deterministic
from mcviz.app.tasks.base import pass_quality, quality_cards
from mcviz.app.wording import as_markdown, counted
from mcviz.runs import Run
from mcviz.runs.storage import SHIPPED_RUNS
from tests.app.kinds import passes
from tests.app.opening import assert_sound, opened_page
from tests.app.probing import button, paragraphs, words

EXAMPLES = 120


def _write(folder: Path, name: str, labels: np.ndarray | None, examples: int = EXAMPLES) -> None:
    """Write a run of three classes, of which the first examples are the most uncertain."""
    probs = np.full((2, examples, 3), 0.01)
    sure = np.linspace(0.5, 0.97, examples)
    probs[:, :, 0], probs[:, :, 1] = sure, 0.99 - sure
    probs[1, :, 2] += 1e-3  # passes that are all the same are no passes
    probs /= probs.sum(axis=2, keepdims=True)
    mcviz.write_run(folder / name, probs.astype(np.float32), labels=labels)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("overview"), np.random.default_rng(0)
    labels = np.zeros(EXAMPLES, int)
    for name, wrong in {"right": [], "one-early": [3], "one-late": [90], "two": [3, 4], "late": [90, 91]}.items():
        _write(folder, name, np.where(np.isin(np.arange(EXAMPLES), wrong), 1, labels))
    _write(folder, "wrong", labels + 1)
    _write(folder, "three", np.array([1, 0, 0]), 3)
    many = rng.integers(0, 4, EXAMPLES)
    probs = passes(rng, EXAMPLES, 4, many, 40)
    mcviz.write_run(folder / "settled", np.concatenate([probs, probs, probs, probs]), labels=many)
    mcviz.write_run(folder / "moving", probs[:3], labels=many)
    return folder


@pytest.fixture(autouse=True)
def _here(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))


def opened(run: str, page: str = "overview", **query: str) -> AppTest:
    return opened_page(page, {"run": run, **query})


@pytest.mark.parametrize(
    ("run", "answer"),
    [
        ("right", "**100.00% right**; no prediction is wrong."),
        ("wrong", "**0.00% right**; every prediction is wrong."),
        (
            "one-early",
            "**99.17% right**; the only mistake is among the 24 that it is least confident of.",
        ),
        (
            "one-late",
            "**99.17% right**; the only mistake is not among the 24 that it is least confident of.",
        ),
        (
            "two",
            "**98.33% right**; 2 of the 2 mistakes are among the 24 that it is least confident of.",
        ),
        (
            "late",
            "**98.33% right**; none of the 2 mistakes is among the 24 that it is least confident of.",
        ),
    ],
)
def test_the_answer_says_how_good_the_ensemble_is_and_where_its_mistakes_are(run: str, answer: str) -> None:
    said = answer.replace(";", " on 120 examples;")
    assert paragraphs(opened(run))[0] == f"**{run}**: {said}"


def test_the_ensemble_is_compared_with_every_pass_and_with_dropout_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [each for each in opened("two").markdown if "deterministic" in each.value], "that run has none"
    monkeypatch.setenv("MCVIZ_CACHE", str(SHIPPED_RUNS[1].parent))
    app = opened(SHIPPED_RUNS[1].name)
    (said,) = (each.value for each in app.markdown if each.value.startswith("Its accuracy is "))
    assert said == as_markdown(compare_with_deterministic(mcviz.open_run(SHIPPED_RUNS[1]))[1])
    assert "The ensemble beats every single pass." in words(app)
    assert paragraphs(app)[0].startswith(
        "**fashion-cnn**: **91.70% right** on 5,000 images, worse than dropout off; 117"
    )
    app = opened(SHIPPED_RUNS[0].name)
    assert paragraphs(app)[0].startswith("**mnist-cnn**: **99.30% right** on 10,000 images, not shown to differ from")


def test_passes_that_are_nearly_always_right_are_not_said_to_be_always_right(tmp_path: Path) -> None:
    probs = np.full((400, 100, 2), [0.9, 0.1], np.float32)
    probs[0, 0] = [0.4, 0.6]
    run = mcviz.write_run(tmp_path / "run", probs, labels=np.zeros(100, int))
    cards = quality_cards(run, pass_quality(run))
    assert [value for _, value, _ in cards] == ["over 99.99%", "100.00%"]


def test_of_too_few_examples_the_mistakes_are_counted_alone() -> None:
    assert paragraphs(opened("three"))[0] == "**three**: **66.67% right** on 3 examples; 1 mistake."


@pytest.mark.parametrize(
    ("run", "answer"),
    [
        ("texts", "**70.00% right** on 40 texts; 5 of the 12 mistakes are among the 8 that it is least confident of."),
        ("unlabelled", "40 images without labels; the passes disagree on **26** of them."),
        ("regression-of-one-example", "**off by 6.812 (RMSE)** on 1 example."),
        ("regression-without-labels", "40 examples without labels; the predictive std is **7.27** at the median and"),
    ],
)
def test_the_answer_is_in_the_words_of_the_run(
    kinds: Path, monkeypatch: pytest.MonkeyPatch, run: str, answer: str
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(kinds))
    assert paragraphs(opened(run))[0].startswith(f"**{run}**: {answer}")


def test_the_largest_errors_of_a_regression_are_found_among_the_most_uncertain(
    kinds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(kinds))
    run = mcviz.open_run(kinds / "regression-of-rows")
    rows = run.scores()
    largest = rows["absolute_error"].nlargest(2).index
    found = len(set(largest) & set(rows["predictive_std"].nlargest(8).index))
    assert found == 1
    answer = "1 of the 2 largest errors is among the 8 that it is most uncertain of."
    found = paragraphs(opened("regression-of-rows"))[0]
    guessed = np.sqrt(np.var(np.asarray(run.labels, float)))
    ends = np.quantile(run.predictions_block(0, None).astype(float), [0.05, 0.95], axis=0, method="weibull")
    held = np.mean((ends[0] <= run.labels) & (run.labels <= ends[1]))
    promise = f"{guessed:.2f} mg/dl by always saying the mean; 90% intervals hold **{100 * held:.1f}%** of the labels"
    first = "**regression-of-rows**: **off by 12.36 mg/dl (RMSE)** on 40 rows for progression"
    assert found == f"{first}; {promise}; {answer}"


def test_errors_beyond_the_tolerance_are_counted_once_it_is_set(
    kinds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    run = mcviz.open_run(shutil.copytree(kinds / "regression-of-rows", tmp_path / "regression-of-rows"))
    mcviz.thresholds(run, tolerance=10)
    rows = run.scores()
    wrong = set(rows.index[rows["absolute_error"] > 10])
    found = len(wrong & set(rows["predictive_std"].nlargest(8).index))
    assert 1 < found < len(wrong)
    assert paragraphs(opened("regression-of-rows"))[0].endswith(
        f"; {found} of the {len(wrong)} out-of-tolerance errors are among the 8 that it is most uncertain of."
    )


def enough(run: Run) -> int:
    return compute_convergence(run).enough


@pytest.mark.parametrize("name", ["settled", "moving", "three"])
def test_how_many_passes_it_takes_is_computed_on_request_and_kept_beside_the_run(cache: Path, name: str) -> None:
    run, kept = mcviz.open_run(cache / name), list((cache / name / "derived").glob("convergence-*.npz"))
    assert not kept
    app = opened(name)
    assert "enough" not in words(app)
    button(app, "Compute").click().run()
    assert_sound(app)
    assert list((cache / name / "derived").glob("convergence-max-probability-*.npz"))
    said = words(app)
    settled = enough(run) < run.passes
    few = f"{counted(enough(run), 'pass')} {'is' if enough(run) == 1 else 'are'} enough"
    assert (f"**{few}**: with more, the figures move by less than" in said) == settled
    assert (f"**{run.passes} passes may be too few**: up to the last one, the figures move by more" in said) != settled
    assert ("Two halves of all passes share" in said) == (len(run) > 100), "of fewer both halves name all"
    assert words(opened(name)) == said, "it is there at once"


def test_a_link_to_the_question_whether_passes_are_enough_opens_its_place_on_overview() -> None:
    app = opened("two", "trust", details="passes", label="1")
    assert app.title[0].value == "Overview"
    assert dict(app.query_params) == {"run": "two", "section": "passes", "label": "1"}
    assert "passes may be too few" in words(app) or "passes are enough" in words(app) or "pass is enough" in words(app)
    assert any("scrollIntoView" in each.proto.body for each in app.get("html"))
    assert opened("two", "trust", details="passes,sets").title[0].value == "Trust", "which has the other question"


def test_the_place_on_overview_is_no_part_of_what_links_to_other_pages_carry() -> None:
    app = opened("two", section="passes")
    queries = [each.proto.query_string for each in app.get("page_link")]
    assert queries
    assert not any("section" in query for query in queries)
