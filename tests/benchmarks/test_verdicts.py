"""Short simulations of docs/appendix/error-rates.md: verdicts are seldom wrong, and find real differences."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks import bounded
from benchmarks.bounded import (
    FAILING,
    FAILING_IMAGES,
    IMAGES,
    LABEL_ODDS,
    PIXELS,
    SHARES,
    false_bias,
    false_share_guarantees,
    missed_dice,
    missed_failures,
    missed_label_differences,
    missed_label_means,
    true_bias,
    true_share_guarantee,
)
from benchmarks.verdicts import (
    COVERAGES,
    ERRORS,
    FALSE,
    FOUND,
    GOOD,
    GROUP_COUNTS,
    GROUPED,
    MISSED,
    OF_CLASSES,
    PASSED,
    RARE,
    RARE_SIZES,
    SIZES,
    Report,
    false_gain,
    false_group_differences,
    false_saving,
    false_shift,
    held_by_intervals,
    is_as_good,
    judged,
    judged_groups,
    judged_in_groups,
    judged_losses,
    missed_areas,
    missed_losses,
    missed_rmse,
    rate,
    true_gain,
    true_narrowness,
    true_overconfidence,
    true_places,
    true_saving,
    true_shift,
)
from tests.cases import one_in

DRAWS = 60


def most(bound: float, draws: int) -> float:
    return float(stats.binom.isf(1e-4, draws, bound) / draws)


@pytest.mark.parametrize("examples", one_in(3, [2, 30, 200]))
@pytest.mark.parametrize("mean", one_in(4, [0.6, 0.9, 0.98, 0.995]))
def test_what_is_said_of_calibration_is_seldom_wrong(examples: int, mean: float) -> None:
    for varied in (False, True):
        false, missed = rate(DRAWS, judged, examples, mean, varied, 1)
        assert false <= most(FALSE, DRAWS)
        assert missed <= most(MISSED, DRAWS)
        assert rate(DRAWS, missed_losses, examples, mean, varied, 1).max() <= most(MISSED, DRAWS)
    for temperature in (0.5, 2):
        assert rate(DRAWS, judged, examples, mean, True, temperature)[1] <= most(MISSED, DRAWS)
        assert rate(DRAWS, missed_losses, examples, mean, True, temperature).max() <= most(MISSED, DRAWS)


@pytest.mark.slow
@pytest.mark.parametrize("mean", [0.6, 0.9, 0.98])
def test_what_is_said_of_examples_in_groups_is_seldom_wrong(mean: float) -> None:
    verdict, *missed, guarantee, alone, _ = rate(30, judged_in_groups, 300, mean)
    assert max(verdict, guarantee) <= most(FALSE, 30)
    assert max(missed) <= most(MISSED, 30)
    assert alone >= verdict
    assert rate(30, false_group_differences, 100, mean).max() <= most(FALSE, 30)


@pytest.mark.parametrize("examples", one_in(3, [2, 30, 400]))
def test_what_is_said_of_intervals_is_seldom_wrong(examples: int) -> None:
    for share in COVERAGES:
        false, missed = rate(200, held_by_intervals, examples, share, 1)
        assert false <= most(FALSE, 200)
        assert missed <= most(MISSED, 200)
        for spread in (0.5, 2):
            assert rate(200, held_by_intervals, examples, share, spread)[1] <= most(MISSED, 200)


@pytest.mark.parametrize("examples", one_in(2, [10, 300]))
def test_what_is_said_of_one_run_is_seldom_wrong(examples: int) -> None:
    false, missed = rate(100, false_saving, examples, 0.9)
    assert false <= most(FALSE, 100)
    assert missed <= most(MISSED, 100)
    assert rate(20, false_gain, examples, 0.9) <= most(FALSE, 20)
    assert rate(DRAWS, missed_areas, examples, 0.9).max() <= most(MISSED, DRAWS)
    assert max(rate(50, missed_rmse, examples, law) for law in ERRORS) <= most(MISSED, 50)
    assert rate(100, false_shift, examples, 100) <= most(FALSE, 100)


@pytest.mark.parametrize("examples", one_in(3, [2, 30, 300]))
def test_what_is_said_of_shares_of_wrong_labels_is_seldom_wrong(examples: int) -> None:
    for mean in SHARES:
        assert rate(DRAWS, false_share_guarantees, examples, mean).max() <= most(FALSE, DRAWS)
    for odds in LABEL_ODDS:
        assert rate(DRAWS, missed_label_means, examples, odds).max() <= most(MISSED, DRAWS)


@pytest.mark.parametrize("how", one_in(2, ["another training", "fails in 2%"]))
def test_what_is_said_of_the_difference_of_shares_is_seldom_wrong(how: str) -> None:
    for examples, odds in ((50, 0.0), (300, -3.0)):
        missed, passed = np.split(rate(DRAWS, missed_label_differences, examples, odds, how), 2)
        assert missed.max() <= most(MISSED, DRAWS)
        assert passed.max() <= most(PASSED, DRAWS)


THERE = [
    (40, true_overconfidence, False), (40, true_overconfidence, True), (5, true_shift), (40, true_places),
    (20, true_saving), (10, true_share_guarantee), (40, true_narrowness), (10, true_gain),
]  # fmt: skip


@pytest.mark.parametrize("claim", one_in(3, zip(THERE, strict=True)))
def test_what_is_there_is_found(claim: tuple[Any, ...]) -> None:
    assert rate(*claim) >= FOUND


@pytest.mark.parametrize(("worst", "holds"), [(0.07, True), (0.1, False)])
def test_tables_are_markdown_and_it_is_known_whether_their_bounds_hold(
    worst: float, holds: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = [[np.array(0.01)] * len(OF_CLASSES) for _ in SIZES]
    rates[-1][-1] = np.array(worst)
    report = Report(500)
    report.print_false("something false", rates)
    assert report.holds == holds
    report.print_found({"this": np.array(0.9), "that": np.array(0.81 - worst)})
    assert report.holds == holds
    report.print_summary()
    head, line, *rows = (row for row in capsys.readouterr().out.splitlines() if row.startswith("|"))
    assert {row.count("|") for row in (head, line, *rows[: len(SIZES)])} == {len(OF_CLASSES) + 2}
    assert f"| something false |{' 1.0% |' * (len(SIZES) - 1)} {worst:.1%} |" in rows
    assert rows.count("| this | 90.0% |") == 2, "in the table and in the summary"


@pytest.mark.slow
def test_failures_that_are_rare_are_seldom_missed_and_pass_no_gate() -> None:
    cells = [(judged_losses, size, *how) for size in RARE_SIZES for how in RARE.values()]
    cells += [(judged_groups, count, *how) for count in GROUP_COUNTS for how in GROUPED.values()]
    for once, *given in cells:
        missed, passed = rate(DRAWS, once, *given).reshape(2, -1)
        assert missed.max() <= most(MISSED, DRAWS)
        assert passed.max() <= most(PASSED, DRAWS)
    for images in IMAGES:
        assert max(rate(DRAWS, missed_dice, images, share) for share in FAILING_IMAGES) <= most(MISSED, DRAWS)
        assert max(rate(DRAWS, false_bias, images, how) for how in PIXELS.values()) <= most(FALSE, DRAWS)
        *missed, passed = np.max([rate(DRAWS, missed_failures, images, share) for share in FAILING], axis=0)
        assert max(missed) <= most(MISSED, DRAWS)
        assert passed <= most(PASSED, DRAWS)
    assert rate(DRAWS, true_bias, 300, PIXELS["images alike within"]) >= FOUND


@pytest.mark.parametrize(
    ("once", "measure", "margin", "examples"),
    [
        (is_as_good, "accuracy", 0.02, 2000),
        (is_as_good, "brier", 0.005, 2000),
        (is_as_good, "nll", 0.02, 5000),
        (bounded.is_as_good, "dice", 0.02, 500),
        (bounded.is_as_good, "accuracy", 0.02, 500),
    ],
)
def test_a_model_that_is_as_good_passes(once: Callable[..., bool], measure: str, margin: float, examples: int) -> None:
    assert rate(20, once, examples, measure, margin) >= GOOD
