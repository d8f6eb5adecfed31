"""Two runs against each other: what is counted, what is refused, what is said; on the command line too."""

import html
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mcviz
from mcviz.analysis.comparison import (
    UNSHARED,
    change_table,
    check_comparable,
    compare,
    compare_groups,
    join_comparison,
    scores_to_compare,
)
from mcviz.analysis.pairing import class_order, pair_examples, same_examples
from mcviz.analysis.slices import compare_slices
from mcviz.errors import InvalidInputError
from mcviz.runs import Run
from tests.commands import output_of, refusal_of
from tests.factories import draw_probs

EXAMPLES = 150
NAMES = ["cat", "dog", "owl"]


def images(seed: int = 0, count: int = EXAMPLES) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 1), dtype=np.uint8)


def probs(seed: int, labels: np.ndarray, lean: float = 0.5) -> np.ndarray:
    """(T, N, C) float32 that lean to the labels."""
    return draw_probs(np.random.default_rng(seed), labels, passes=6, lean=lean)


LABELS = np.random.default_rng(9).integers(3, size=EXAMPLES)


def classes(path: Path, seed: int, **changes: Any) -> Run:
    given = {"data": images(), "labels": LABELS, "class_names": NAMES} | changes
    passes = given.pop("passes", None)
    return mcviz.write_run(path, probs(seed, LABELS) if passes is None else passes, **given)


def numbers(path: Path, seed: int, **changes: Any) -> Run:
    truth = np.linspace(0, 9, 60, dtype=np.float32)[:, None]
    outputs = truth + np.random.default_rng(seed).normal(size=(7, 60, 1)).astype(np.float32)
    given = {"passes": outputs, "data": images(count=60), "labels": truth, "unit": "kg"} | changes
    return mcviz.write_run(path, task="regression", **given)


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


def test_the_table_of_a_comparison_has_its_figures_and_a_notebook_shows_them(pair: tuple[Run, Run]) -> None:
    found = compare(*pair)
    assert found.table.index.tolist() == [each.measure.name for each in found.measures]
    for (_, row), each in zip(found.table.iterrows(), found.measures, strict=True):
        for of in ("one", "other", "difference"):
            interval = getattr(each, of)
            np.testing.assert_array_equal(
                row[[of, f"{of}_low", f"{of}_high"]].astype(float), [interval.value, interval.low, interval.high]
            )
        assert row["verdict"] == each.verdict
    page = found._repr_html_()
    for text in (found.examples_in_words, found.in_words, *(cell for row in found.text_rows for cell in row)):
        assert html.escape(text) in page


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
    assert "kg" in rmse.format(found.one.manifest.unit)[2]
    assert found.shared_top is None  # there are no more than those


def test_a_run_against_itself_is_the_same(pair: tuple[Run, Run]) -> None:
    found = compare(pair[0], pair[0])
    assert {each.verdict for each in found.measures} == set(found.verdicts.values()) == {"same"}
    assert {each.difference.value for each in found.measures} == {0}
    assert found.in_words == "Nothing changed: all 150 examples have the same labels and predictions in both runs."
    assert found.as_dict()["unchanged"]
    assert not compare(*pair).is_unchanged
    assert found.shared_top == 1


def test_of_few_examples_it_is_not_known_which_run_is_better(tmp_path: Path) -> None:
    few = {"data": images(count=4), "labels": LABELS[:4]}
    found = compare(*(classes(tmp_path / str(seed), seed, passes=probs(seed, LABELS)[:, :4], **few) for seed in (1, 2)))
    assert {each.verdict for each in found.measures} <= {"few", "same", "unknown"}
    assert found.in_words == "It is not known which run is better: 4 examples tell too little."


def test_the_other_way_round_turns_every_difference(pair: tuple[Run, Run]) -> None:
    one, back = compare(*pair), compare(*pair[::-1])
    for forth, turned in zip(one.measures, back.measures, strict=True):
        assert turned.difference.value == pytest.approx(-forth.difference.value)
        assert turned.difference.low == pytest.approx(-forth.difference.high, abs=1e-12, nan_ok=True)
    assert one.changes.counts["right to wrong"] == back.changes.counts["wrong to right"]


def test_runs_that_share_no_example_have_figures_and_no_verdict(pair: tuple[Run, Run], tmp_path: Path) -> None:
    other = classes(tmp_path / "run", 3, data=images(5), labels=LABELS[::-1].copy())
    found = compare(pair[0], other)
    assert not found.paired
    assert found.changes is None
    assert found.examples_in_words.startswith("No example is known to be in both runs")
    assert found.in_words == "It is not known which run is better, since they share no example."
    assert [each.one.value for each in found.measures[:1]] == [pair[0].scores()["correct"].mean()]
    assert [each.other.value for each in found.measures[:1]] == [other.scores()["correct"].mean()]
    assert {each.verdict for each in found.measures} == {"unknown"}
    with pytest.raises(InvalidInputError, match="where both runs have them"):
        change_table(found)


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
    assert compare(pair[0], relabelled).notes == (
        "4 labels are not the same. Both runs are measured by those of relabelled, the newer run.",
    )


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
    passes = np.random.default_rng(0).dirichlet(np.ones(4), (2, EXAMPLES)).astype(np.float32)
    four = mcviz.write_run(tmp_path / "four", passes, data=images())
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
    unknown = run("c", labels=None), run("d", labels=None, passes=probs(2, LABELS))
    assert not same_examples(unknown[0].manifest, unknown[1].manifest)
    assert not compare(*unknown).paired
    relabelled = run("c2", labels=(LABELS + 1) % 3)
    assert compare(run("a3"), relabelled).measures[0].difference.value == 0  # they are the same passes
    assert not same_examples(run("e", labels=LABELS[::-1].copy(), passes=probs(2, LABELS)).manifest, run("a2").manifest)
    named = [run(name, labels=None, ids=given).manifest for name, given in (("f", ids), ("g", ids), ("h", ids[::-1]))]
    assert same_examples(named[0], named[1])
    assert not same_examples(named[0], named[2])


def test_what_stands_beside_a_run_is_the_other_s(pair: tuple[Run, Run], regressions: tuple[Run, Run]) -> None:
    found = join_comparison(*pair, pair_examples(*pair))
    for score in scores_to_compare(*pair):
        np.testing.assert_array_equal(found[f"other_{score}"], pair[1].scores()[score])
    assert (found["change"] == "right to wrong").sum() == compare(*pair).changes.counts["right to wrong"]
    joined = join_comparison(*regressions, pair_examples(*regressions))
    assert joined["other_prediction"].tolist() == regressions[1].scores()["prediction"].tolist()


MOVED = np.random.default_rng(7).permutation(EXAMPLES)  # the order of a second run over the same examples
WRONG = np.arange(0, EXAMPLES, 10)  # whose labels somebody mended since the first run
MENDED = np.where(np.isin(np.arange(EXAMPLES), WRONG), (LABELS + 1) % 3, LABELS)
NAMED = [f"case {i}" for i in range(EXAMPLES)]


def begun_on(run: Run, when: str) -> Run:
    """The run as if it had been begun on a day."""
    run.manifest.created.update(started=f"2026-01-{when}T00:00:00+00:00")
    return run


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run, Run]:
    """An older run, a newer one in another order with mended labels, and the same in the old order."""
    folder = tmp_path_factory.mktemp("mended")
    new = {"labels": MENDED[MOVED], "data": images()[MOVED], "passes": probs(2, LABELS)[:, MOVED]}
    return (
        begun_on(classes(folder / "one", 1), "01"),
        begun_on(classes(folder / "other", 2, **new), "02"),
        begun_on(classes(folder / "straight", 2, labels=MENDED), "02"),
    )


def test_the_same_examples_in_another_order_are_paired_by_their_content(mended: tuple[Run, Run, Run]) -> None:
    one, other, straight = mended
    found, by_place = compare(one, other), compare(one, straight)
    assert found.examples_in_words == "Both runs have the same 150 examples, paired by their contents."
    assert found.pairs.other.tolist() == np.argsort(MOVED).tolist()
    np.testing.assert_array_equal(other.images[found.pairs.other], one.images[:])
    for forth, straight_forth in zip(found.measures, by_place.measures, strict=True):
        assert forth.difference.value == pytest.approx(straight_forth.difference.value)
        assert forth.verdict == straight_forth.verdict
    assert found.changes.counts == by_place.changes.counts
    assert found.shared_top == by_place.shared_top
    joined = join_comparison(one, other, found.pairs)
    np.testing.assert_array_equal(joined["other_margin"], other.scores()["margin"].to_numpy()[np.argsort(MOVED)])
    assert "other_self_confidence" not in joined  # which would be of other labels than the run's own beside it
    listed = change_table(found)
    assert listed.index.tolist() == np.argsort(-found.changes.worse, kind="stable").tolist()


@pytest.mark.parametrize(("which", "labels"), [("new", MENDED), ("old", LABELS)])
def test_both_runs_are_measured_by_the_labels_of_one(mended: tuple[Run, Run, Run], which: Any, labels: Any) -> None:
    one, other, straight = mended
    for first, second in ((one, other), (other, one)):
        found = compare(first, second, labels=which)
        assert found.pairs.labels_differ == len(WRONG)
        assert found.pairs.labels_of is (other if which == "new" else one)
        assert f"{len(WRONG)} labels are not the same. Both runs are measured by those of " in found.notes[0]
        accuracy = found.measures[0]
        for run, mean in ((first, accuracy.one.value), (second, accuracy.other.value)):
            passes = (one if run is one else straight).mean_probs
            assert mean == pytest.approx((passes.argmax(axis=1) == labels).mean())
    found = compare(one, other, labels=which)
    for name, (count, each) in compare_groups(found, "label").items():
        members = labels == NAMES.index(name)
        assert count == members.sum()
        assert each.one.value == pytest.approx((one.mean_probs.argmax(axis=1) == labels)[members].mean())
    assert compare_slices(found).in_words == compare_slices(compare(one, straight, labels=which)).in_words


@pytest.mark.parametrize("more", [{}, {"data": None}])
def test_one_model_under_mended_labels_is_no_better(tmp_path: Path, more: dict[str, Any]) -> None:
    found = compare(classes(tmp_path / "one", 1, **more), classes(tmp_path / "two", 1, labels=MENDED, **more))
    assert found.pairs.labels_differ == len(WRONG)
    assert {each.difference.value for each in found.measures} == {0}
    with pytest.raises(InvalidInputError, match="labels"):
        compare(found.one, found.other, labels="mine")


def test_examples_are_paired_by_ids_where_one_run_lacks_them_or_has_them_otherwise(tmp_path: Path) -> None:
    rows = np.random.default_rng(3).normal(size=(EXAMPLES, 2)).astype(np.float32)
    one = classes(tmp_path / "rows", 1, data=pd.DataFrame(rows, columns=["a", "b"]), ids=NAMED)
    there = MOVED[:100]  # the examples that the second run has
    given = {"ids": [NAMED[i] for i in there], "labels": LABELS[there], "passes": probs(2, LABELS)[:, there]}
    bare = classes(tmp_path / "bare", 2, data=None, **given)
    scaled = classes(tmp_path / "scaled", 2, data=pd.DataFrame(3 * rows[there], columns=["a", "b"]), **given)
    for other, notes in ((bare, ()), (scaled, ("100 of the examples that have the same id",))):
        found = compare(one, other)
        assert found.pairs.one.tolist() == sorted(there)
        assert there[found.pairs.other].tolist() == found.pairs.one.tolist()
        assert found.examples_in_words == (
            "100 examples are in both runs, paired by their ids, and only these are compared. The first run has 150 "
            "examples, the second 100."
        )
        assert found.measures[0].one.value == pytest.approx(one.scores()["correct"].to_numpy()[there].mean())
        assert found.measures[0].other.value == pytest.approx(bare.scores()["correct"].mean())
        assert sum(found.changes.counts.values()) == 100
        assert [note.startswith(start) for note, start in zip(found.notes, notes, strict=True)] == [True] * len(notes)
        joined = join_comparison(one, other, found.pairs)
        assert (joined["change"] == UNSHARED).sum() == joined["other_margin"].isna().sum() == 50
        np.testing.assert_array_equal(joined["other_margin"].to_numpy()[there], other.scores()["margin"])
        assert len(change_table(found)) == EXAMPLES
        assert set(change_table(found).index[100:]) == set(range(EXAMPLES)) - set(there.tolist())
    turned = compare(bare, one)
    assert turned.measures[0].difference.value == pytest.approx(-found.measures[0].difference.value)


def test_an_id_whose_content_moved_to_another_id_does_not_pair(tmp_path: Path) -> None:
    """As where a folder was numbered anew: the pixels say more than the names."""
    one = classes(tmp_path / "one", 1, ids=NAMED)
    other = classes(tmp_path / "two", 1, ids=NAMED, data=np.roll(images(), 1, axis=0))
    found = pair_examples(one, other)
    assert found.by == ("contents",)
    np.testing.assert_array_equal(other.images[found.other], one.images[:])


def test_ids_that_only_count_are_none_and_the_content_pairs(tmp_path: Path) -> None:
    counted = [str(i) for i in range(EXAMPLES)]
    one = classes(tmp_path / "one", 1, ids=counted)
    other = classes(tmp_path / "two", 1, ids=counted, data=images()[MOVED])
    found = pair_examples(one, other)
    assert found.by == ("contents",)
    assert found.other.tolist() == np.argsort(MOVED).tolist()


def as_images(numbers: np.ndarray) -> Any:
    return np.repeat(numbers, 16).astype(np.uint8).reshape(-1, 4, 4, 1)


def as_texts(numbers: np.ndarray) -> Any:
    return [f"text {number}" for number in numbers]


def as_rows(numbers: np.ndarray) -> Any:
    columns = ["b", "a"] if numbers[0] == 1 else ["a", "b"]  # in another order in each run
    return pd.DataFrame({name: numbers + (name == "a") for name in columns}, dtype=float)


@pytest.mark.parametrize("contents", [as_images, as_texts, as_rows])
def test_equal_examples_are_paired_in_order_where_both_runs_have_as_many(tmp_path: Path, contents: Any) -> None:
    runs = []
    for numbers in ([1, 1, 2, 2, 2, 3, 4], [3, 2, 2, 1, 1]):
        passes = probs(1, LABELS)[:, : len(numbers)]
        data = contents(np.array(numbers))
        runs.append(classes(tmp_path / str(len(numbers)), 1, data=data, labels=None, passes=passes))
    found = pair_examples(*runs)
    assert list(zip(found.one.tolist(), found.other.tolist(), strict=True)) == [(0, 3), (1, 4), (5, 0)]
    assert found.notes == (
        "3 examples of the first run are left out: the second has others of the same content, but not as many, and "
        "nothing says which is which.",
    )
    again = pair_examples(*runs)  # from what is kept beside the runs
    assert again.other.tolist() == found.other.tolist()


def test_a_regression_is_compared_in_any_order(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(60)[:40]
    truth = np.linspace(0, 9, 60, dtype=np.float32)[:, None]
    outputs = truth + np.random.default_rng(4).normal(size=(7, 60, 1)).astype(np.float32)
    one = numbers(tmp_path / "one", 1)
    moved = numbers(tmp_path / "moved", 2, data=images(count=60)[order], labels=truth[order], passes=outputs[:, order])
    found = compare(one, moved)
    error = (outputs.mean(axis=0) - truth)[:, 0][order]
    assert found.measures[0].other.value == pytest.approx(np.sqrt(np.square(error).mean()), rel=1e-5)
    errors = moved.scores()["absolute_error"].to_numpy()[found.pairs.other]
    np.testing.assert_allclose(found.terms[1]["absolute_error"], errors, rtol=1e-5)


def test_the_command_prints_what_python_finds(
    pair: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [run.path for run in pair]
    printed = json.loads(output_of(capsys, "compare", *paths, "--json", "--to", tmp_path / "all.csv"))
    found = compare(*pair)
    assert printed["measures"]["accuracy"]["other_less_one"]["value"] == found.measures[0].difference.value
    assert printed["changes"]["right to wrong"]["ids"] == [str(i) for i in found.changes.of("right to wrong")]
    table = pd.read_csv(tmp_path / "all.csv")
    assert len(table) == EXAMPLES
    assert table["id"].tolist() == np.argsort(-found.changes.worse, kind="stable").tolist()
    output = output_of(capsys, "compare", *paths)
    assert found.in_words in output
    assert f"right to wrong {found.changes.counts['right to wrong']:>18,}" in output
    refusal_of(capsys, "compare", paths[0], tmp_path / "nothing")
    refusal_of(capsys, "compare", *paths, "--to", tmp_path / "all.txt")


def test_classes_are_matched_by_name_and_examples_of_one_run_s_own_classes_are_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names, ids = (["a", "b", "c"], ["b", "c", "d"]), [f"image {number}" for number in range(60)]
    texts = np.array(list("abc"))[rng.integers(0, 3, 60)]
    probs = [rng.dirichlet(np.ones(3), (4, 60)).astype(np.float32) for _ in names]
    one = mcviz.write_run(tmp_path / "one", probs[0], labels=texts, class_names=names[0], ids=ids)
    other = mcviz.write_run(tmp_path / "other", probs[1], class_names=names[1], ids=ids)
    compared = compare(one, other)
    kept = texts != "a"
    assert compared.pairs.one.tolist() == np.flatnonzero(kept).tolist()
    said = [np.array(of)[each.mean(axis=0).argmax(axis=1)][kept] for of, each in zip(names, probs, strict=True)]
    accuracy = next(measured for measured in compared.measures if measured.measure.name == "accuracy")
    assert accuracy.one.value == pytest.approx((said[0] == texts[kept]).mean())
    assert accuracy.other.value == pytest.approx((said[1] == texts[kept]).mean())
    (note,) = [note for note in compared.notes if "matched by name" in note]
    assert "the second run lacks a, and the first run lacks d" in note
    assert f"are left out: {', '.join(np.array(ids)[~kept][:10])}" in note
    numbered = mcviz.write_run(tmp_path / "numbered", probs[1], ids=ids)
    assert any("compared by their numbers" in note for note in compare(one, numbered).notes)


def test_without_labels_examples_are_left_out_whose_predicted_class_one_run_lacks(tmp_path: Path) -> None:
    mean = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.1, 0.8, 0.1]])
    passes = np.stack([mean, mean[:, [1, 0, 2]] * 0 + mean * 0.9 + 0.1 / 3]).astype(np.float32)
    ids = ["p", "q", "r", "s"]
    one = mcviz.write_run(tmp_path / "one", passes, class_names=["a", "b", "c"], ids=ids)
    other = mcviz.write_run(tmp_path / "other", passes[..., [1, 2, 0]], class_names=["b", "c", "d"], ids=ids)
    compared = compare(one, other)
    assert compared.pairs.one.tolist() == [1, 2, 3]
    assert compared.changes.counts == {"another prediction": 0, "same prediction": 3}
