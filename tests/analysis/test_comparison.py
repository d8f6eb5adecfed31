"""Two runs against each other: what is counted, what is refused, what is said; on the command line too."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mcviz
from mcviz.analysis.comparison import (
    change_table,
    check_comparable,
    class_order,
    compare,
    join_comparison,
    same_examples,
    scores_to_compare,
)
from mcviz.cli import main
from mcviz.errors import InvalidInputError
from mcviz.runs import Run

EXAMPLES = 240
NAMES = ["cat", "dog", "owl"]


def images(seed: int = 0, count: int = EXAMPLES) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 1), dtype=np.uint8)


def probs(seed: int, labels: np.ndarray, lean: float = 0.5) -> np.ndarray:
    """(T, N, C) float32 that lean to the labels."""
    logits = np.random.default_rng(seed).normal(size=(6, len(labels), 3)) + lean * np.eye(3)[labels]
    return (np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)).astype(np.float32)


LABELS = np.random.default_rng(9).integers(3, size=EXAMPLES)


def classes(path: Path, seed: int, **changes: Any) -> Run:
    given = {"data": images(), "labels": LABELS, "class_names": NAMES} | changes
    passes = given.pop("passes", None)
    return mcviz.write_run(path, probs(seed, LABELS) if passes is None else passes, **given)


def numbers(path: Path, seed: int, **changes: Any) -> Run:
    truth = np.linspace(0, 9, 60, dtype=np.float32)[:, None]
    outputs = truth + np.random.default_rng(seed).normal(size=(7, 60, 1)).astype(np.float32)
    return mcviz.write_run(
        path, outputs, task="regression", data=images(count=60), **({"labels": truth, "unit": "kg"} | changes)
    )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("pair")
    return classes(folder / "one", 1), classes(folder / "other", 2)


@pytest.fixture(scope="module")
def regressions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("regressions")
    return numbers(folder / "one", 1), numbers(folder / "other", 2)


def test_every_example_is_counted_once_by_a_slow_loop(pair: tuple[Run, Run]) -> None:
    found = compare(*pair)
    tables = [run.scores() for run in pair]
    slow = dict.fromkeys(("right to wrong", "wrong to right", "right in both", "wrong in both"), 0)
    for one, other in zip(*(table["correct"] for table in tables), strict=True):
        before, after = ("right" if each else "wrong" for each in (one, other))
        slow[f"{before} in both" if before == after else f"{before} to {after}"] += 1
    assert found.changes.counts == slow
    assert all(slow.values())
    lost = found.changes.of("right to wrong")
    fall = [pair[0].mean_probs[i, LABELS[i]] - pair[1].mean_probs[i, LABELS[i]] for i in lost]
    assert (np.diff(fall) <= 1e-6).all()
    assert found.measures[0].difference.value == pytest.approx(
        (slow["wrong to right"] - slow["right to wrong"]) / EXAMPLES
    )
    tops = [set(table["max_probability"].sort_values(kind="stable").index[:100]) for table in tables]
    assert found.shared_top == len(tops[0] & tops[1]) / 100


def test_a_regression_is_counted_by_its_errors(regressions: tuple[Run, Run]) -> None:
    found = compare(*regressions)
    one, other = (run.scores()["absolute_error"].to_numpy() for run in regressions)
    assert found.changes.counts == {
        "larger error": int((other > one).sum()), "smaller error": int((other < one).sum()), "same error": 0,
    }  # fmt: skip
    worst = found.changes.of("larger error")[0]
    assert other[worst] - one[worst] == pytest.approx((other - one).max())
    rmse = found.measures[0]
    assert rmse.one.value == pytest.approx(np.sqrt(np.square(one).mean()), rel=1e-5)
    assert "kg" in found.in_words
    assert found.shared_top is None  # there are no more than those


def test_a_run_against_itself_is_the_same(pair: tuple[Run, Run]) -> None:
    found = compare(pair[0], pair[0])
    assert {each.measure.name: each.verdict for each in found.measures if each.verdict != "same"} == {
        "accuracy": "noise"
    }
    assert {each.difference.value for each in found.measures} == {0}
    assert found.in_words == (
        "The accuracy is the same on these 240 examples; on others it may differ by up to 1.53 points. "
        "The NLL is the same on these 240 examples."
    )
    assert found.shared_top == 1


def test_of_few_examples_it_is_not_known_which_run_is_better(tmp_path: Path) -> None:
    few = {"data": images(count=4), "labels": LABELS[:4]}
    found = compare(*(classes(tmp_path / str(seed), seed, passes=probs(seed, LABELS)[:, :4], **few) for seed in (1, 2)))
    assert all(np.isnan(each.difference.low) for each in found.measures)
    assert found.in_words == "It is not known which run is better: 4 examples tell too little."


def test_the_other_way_round_turns_every_difference(pair: tuple[Run, Run]) -> None:
    one, back = compare(*pair), compare(*pair[::-1])
    for forth, turned in zip(one.measures, back.measures, strict=True):
        assert turned.difference.value == pytest.approx(-forth.difference.value)
        assert turned.difference.low == pytest.approx(-forth.difference.high, abs=1e-12, nan_ok=True)
    assert one.changes.counts["right to wrong"] == back.changes.counts["wrong to right"]


def test_other_examples_are_compared_by_figures_alone_and_that_is_said(pair: tuple[Run, Run], tmp_path: Path) -> None:
    other = classes(tmp_path / "run", 3, data=images(5))
    found = compare(pair[0], other)
    assert not found.paired
    assert found.changes is None
    assert any("different examples" in note for note in found.notes)
    assert len(found.measures) == 7
    with pytest.raises(InvalidInputError, match="over the same ones"):
        change_table(found)
    paired = compare(*pair).measures[1].difference
    apart = found.measures[1].difference
    assert apart.high - apart.low > paired.high - paired.low


def test_classes_in_another_order_are_matched_by_name(pair: tuple[Run, Run], tmp_path: Path) -> None:
    order = [2, 0, 1]
    turned = classes(
        tmp_path / "run", 2, passes=probs(2, LABELS)[..., order], labels=np.argsort(order)[LABELS],
        class_names=[NAMES[c] for c in order],
    )  # fmt: skip
    straight, found = compare(*pair), compare(pair[0], turned)
    assert class_order(pair[0], turned).tolist() == np.argsort(order).tolist()
    assert found.changes.counts == straight.changes.counts
    np.testing.assert_allclose(found.changes.worse, straight.changes.worse, atol=1e-5)
    assert not found.notes
    unlabelled = classes(
        tmp_path / "bare", 2, passes=probs(2, LABELS)[..., order], labels=None, class_names=[NAMES[c] for c in order]
    )
    borrowed = compare(pair[0], unlabelled)
    assert borrowed.changes.counts == straight.changes.counts
    assert compare(unlabelled, pair[0]).changes.counts["wrong to right"] == straight.changes.counts["right to wrong"]
    assert borrowed.measures[0].other.value == pytest.approx(straight.measures[0].other.value)
    assert any("Only the first run has labels" in note for note in borrowed.notes)


def test_other_names_and_other_labels_are_said(pair: tuple[Run, Run], tmp_path: Path) -> None:
    renamed = classes(tmp_path / "renamed", 2, class_names=["0", "1", "2"])
    assert any("other names" in note for note in compare(pair[0], renamed).notes)
    labels = LABELS.copy()
    labels[:4] = (labels[:4] + 1) % 3
    relabelled = classes(tmp_path / "relabelled", 2, labels=labels)
    assert any(note.startswith("4 labels are not the same") for note in compare(pair[0], relabelled).notes)


def test_without_labels_the_predictions_are_compared(tmp_path: Path) -> None:
    runs = [classes(tmp_path / str(seed), seed, labels=None) for seed in (1, 2)]
    found = compare(*runs)
    same = sum(a == b for a, b in zip(*(run.scores()["prediction"] for run in runs), strict=True))
    assert found.changes.counts == {"another prediction": EXAMPLES - same, "same prediction": same}
    assert found.measures == ()
    assert "labels are missing" in found.in_words
    bare = [numbers(tmp_path / f"n{seed}", seed, labels=None) for seed in (1, 2)]
    moved = np.abs(bare[0].mean_predictions - bare[1].mean_predictions)[:, 0]
    assert compare(*bare).changes.of("another prediction")[0] == moved.argmax()


def test_what_predicts_something_else_is_refused(
    pair: tuple[Run, Run], regressions: tuple[Run, Run], tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match="classification and the other of regression"):
        compare(pair[0], regressions[0])
    pounds = numbers(tmp_path / "pounds", 1, unit="lb")
    with pytest.raises(InvalidInputError, match="the unit kg and lb"):
        compare(regressions[0], pounds)
    drawn = np.random.default_rng(0).dirichlet(np.ones(4), (2, EXAMPLES)).astype(np.float32)
    four = mcviz.write_run(tmp_path / "four", drawn, data=images())
    with pytest.raises(InvalidInputError, match="number of classes 3 and 4"):
        check_comparable(pair[0].manifest, four.manifest)
    with pytest.raises(InvalidInputError, match="score"):
        compare(*pair, score="self_confidence")
    with pytest.raises(InvalidInputError, match="confidence"):
        compare(*pair, confidence=1)


def test_examples_known_by_number_alone_are_the_same_where_labels_or_ids_are(tmp_path: Path) -> None:
    def run(name: str, **changes: Any) -> Run:
        return classes(tmp_path / name, 1, **({"data": None} | changes))

    ids = [f"case {i}" for i in range(EXAMPLES)]
    assert same_examples(run("a").manifest, run("b").manifest)
    unknown = run("c", labels=None), run("d", labels=None)
    assert not same_examples(unknown[0].manifest, unknown[1].manifest)
    assert any("not known whether" in note for note in compare(*unknown).notes)
    assert not same_examples(run("e", labels=LABELS[::-1].copy()).manifest, run("a2").manifest)
    named = [run(name, labels=None, ids=given).manifest for name, given in (("f", ids), ("g", ids), ("h", ids[::-1]))]
    assert same_examples(named[0], named[1])
    assert not same_examples(named[0], named[2])


def test_what_stands_beside_a_run_is_the_other_s(pair: tuple[Run, Run], regressions: tuple[Run, Run]) -> None:
    found = join_comparison(*pair)
    for score in scores_to_compare(*pair):
        np.testing.assert_array_equal(found[f"other_{score}"], pair[1].scores()[score])
    assert (found["change"] == "right to wrong").sum() == compare(*pair).changes.counts["right to wrong"]
    assert join_comparison(*regressions)["other_prediction"].tolist() == regressions[1].scores()["prediction"].tolist()


def test_the_command_prints_what_python_finds(
    pair: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [run.path for run in pair]
    assert main(["compare", *paths, "--json", "--to", str(tmp_path / "all.csv")]) == 0
    printed, found = json.loads(capsys.readouterr().out), compare(*pair)
    assert printed["measures"]["accuracy"]["other_less_one"]["value"] == found.measures[0].difference.value
    assert printed["changes"]["right to wrong"]["ids"] == [str(i) for i in found.changes.of("right to wrong")]
    table = pd.read_csv(tmp_path / "all.csv")
    assert len(table) == EXAMPLES
    assert table["id"].tolist() == np.argsort(-found.changes.worse, kind="stable").tolist()
    assert main(["compare", *paths]) == 0
    shown = capsys.readouterr().out
    assert found.in_words in shown
    assert f"right to wrong {found.changes.counts['right to wrong']:>18,}" in shown
    assert main(["compare", paths[0], str(tmp_path / "nothing")]) == 2
    assert main(["compare", *paths, "--to", str(tmp_path / "all.txt")]) == 2
