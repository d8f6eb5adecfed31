"""Selective prediction against slow loops over orders of ties, and against closed forms."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from benchmarks.verdicts import false_ranks, rate, true_rank
from mcviz.measures.selective import (
    Ranking,
    cumulative_errors,
    find_ties_with_best,
    perfect_ranking,
    risk_bands,
    risk_by_coverage,
    selective_figures,
)


@st.composite
def rankings(draw: st.DrawFn, most: int = 30) -> Ranking:
    count = draw(st.integers(1, most))
    uncertainty = draw(st.lists(st.integers(0, 5), min_size=count, max_size=count))
    correct = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    return Ranking(np.array(uncertainty, float), np.array(correct))


def orders(ranking: Ranking):
    """Every order from certain to uncertain."""
    by_number = sorted(range(len(ranking)), key=lambda i: ranking.uncertainty[i])
    groups = [list(group) for _, group in itertools.groupby(by_number, key=lambda i: ranking.uncertainty[i])]
    for choice in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield [i for group in choice for i in group]


@given(rankings(most=6))
def test_with_ties_every_figure_is_the_mean_over_all_orders(ranking: Ranking) -> None:
    count, risks, areas, kept = len(ranking), [], [], []
    for order in orders(ranking):
        wrong = np.cumsum(~ranking.correct[order])
        risks.append(wrong / np.arange(1, count + 1))
        kept.append([0, *wrong])
        areas.append(np.trapezoid(kept[-1], dx=1 / count) / count)
    np.testing.assert_allclose(cumulative_errors(ranking), np.mean(kept, axis=0))
    np.testing.assert_allclose(risk_by_coverage(ranking), np.mean(risks, axis=0))
    found = selective_figures({"it": ranking}, resamples=2)["it"]
    assert found.aurc.value == pytest.approx(np.mean(risks))
    assert found.augrc.value == pytest.approx(np.mean(areas))


@given(rankings())
def test_the_augrc_is_the_closed_form_of_traub_et_al(ranking: Ranking) -> None:
    accuracy = ranking.correct.mean()
    found = selective_figures({"it": ranking}, resamples=2)["it"]
    auroc = roc_auc_score(~ranking.correct, ranking.uncertainty) if 0 < accuracy < 1 else 0.0
    expected = (1 - auroc) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    assert found.augrc.value == pytest.approx(expected, abs=1e-12)


@given(rankings())
def test_no_order_is_better_than_the_perfect_one(ranking: Ranking) -> None:
    best, own = perfect_ranking(ranking), selective_figures({"it": ranking}, resamples=2)["it"]
    assert (risk_by_coverage(best) <= risk_by_coverage(ranking) + 1e-12).all()
    assert selective_figures({"it": best}, resamples=2)["it"].e_aurc.value == pytest.approx(0, abs=1e-12)
    assert own.e_aurc.value == pytest.approx(own.aurc.value - risk_by_coverage(best).mean(), abs=1e-12)


RANDOM = np.random.default_rng(0)
WRONG = RANDOM.random(600) < 0.15
GOOD = Ranking(np.round(WRONG + RANDOM.normal(size=600), 1), ~WRONG)
ALIKE = Ranking(np.round(GOOD.uncertainty + np.random.default_rng(1).normal(size=600) / 5, 1), ~WRONG)
BAD = Ranking(RANDOM.normal(size=600), ~WRONG)
RANKINGS = {"bad": BAD, "good": GOOD, "alike": ALIKE}


def test_intervals_are_those_of_a_slow_loop_over_draws() -> None:
    random, found = np.random.default_rng(7), []
    for _ in range(300):
        drawn = np.sort(random.integers(600, size=600))
        values = []
        for ranking in (BAD, GOOD):
            again = Ranking(ranking.uncertainty[drawn], ranking.correct[drawn])
            aurc, best = risk_by_coverage(again).mean(), risk_by_coverage(perfect_ranking(again)).mean()
            values.append((aurc, aurc - best, np.trapezoid(cumulative_errors(again), dx=1 / 600) / 600))
        found.append([*values[0], *values[1], values[0][2] - values[1][2]])
    ours, fewest = selective_figures({"bad": BAD, "good": GOOD}), int(WRONG.sum())
    areas = [each for name in ("bad", "good") for each in (ours[name].aurc, ours[name].e_aurc, ours[name].augrc)]
    for interval, draws in zip(areas, np.transpose(found), strict=False):
        odds = interval.value / (1 - interval.value)
        error = draws.std(ddof=1) / (interval.value * (1 - interval.value))
        factor = math.exp(stats.t.ppf(0.975, fewest - 1) * error)
        low, high = (each / (1 + each) for each in (odds / factor, odds * factor))
        assert interval.low == pytest.approx(low, abs=0.15 * (high - low))
        assert interval.high == pytest.approx(high, abs=0.15 * (high - low))
    low, high = np.quantile([each[6] for each in found], [0.025, 0.975])
    assert ours["bad"].above_best.low == pytest.approx(low, abs=0.15 * (high - low))
    assert ours["bad"].above_best.high == pytest.approx(high, abs=0.15 * (high - low))


@pytest.mark.parametrize(("wrong", "has_interval"), [(4, False), (5, True), (15, True), (16, False)])
def test_areas_have_intervals_from_five_mistakes_and_five_correct_predictions_on(
    wrong: int, has_interval: bool
) -> None:
    found = selective_figures({"it": Ranking(np.random.default_rng(1).random(20), np.arange(20) >= wrong)})["it"]
    for each in (found.aurc, found.e_aurc, found.augrc):
        assert (0 < each.low < each.value < each.high < 1) if has_interval else np.isnan([each.low, each.high]).all()


def test_what_ties_with_the_best_is_told_from_what_is_worse() -> None:
    figures = selective_figures(RANKINGS)
    assert set(find_ties_with_best(figures)) == {"good", "alike"}
    assert not figures["bad"].ties_with_best
    best = find_ties_with_best(figures)[0]
    assert figures[best].above_best.value == 0
    assert figures[best].augrc.value == min(each.augrc.value for each in figures.values())


def test_differences_are_beyond_the_range_over_all_orders_of_a_slow_loop() -> None:
    """How far the AUGRCs of draws are from those of all examples; the range of that over the orders."""
    random, ranges = np.random.default_rng(7), []

    def augrc(ranking: Ranking) -> float:
        return float(np.trapezoid(cumulative_errors(ranking), dx=1 / 600) / 600)

    for _ in range(400):
        drawn = np.sort(random.integers(600, size=600))
        away = [
            augrc(Ranking(each.uncertainty[drawn], each.correct[drawn])) - augrc(each) for each in RANKINGS.values()
        ]
        ranges.append(max(away) - min(away))
    for found in selective_figures(RANKINGS).values():
        assert found.above_best.high - found.above_best.value == pytest.approx(np.quantile(ranges, 0.95), rel=0.1)
        assert found.above_best.low <= found.above_best.value <= found.above_best.high


def test_equally_good_scores_tie_and_one_that_knows_nothing_does_not() -> None:
    for examples, mean in ((30, 0.6), (200, 0.9), (200, 0.98)):
        assert rate(60, false_ranks, examples, mean) * 60 <= stats.binom.isf(1e-4, 60, 0.05)
    assert rate(10, true_rank) >= 0.8


def test_predictions_of_two_models_are_compared_by_their_own_mistakes() -> None:
    better = Ranking(GOOD.uncertainty, GOOD.correct | (RANDOM.random(600) < 0.7))
    figures = selective_figures({"worse": GOOD, "better": better})
    assert find_ties_with_best(figures) == ["better"]


def test_bands_hold_the_curve_and_are_as_wide_as_it_varies() -> None:
    coverages = np.array([0.25, 0.5, 1.0])
    bands = risk_bands(GOOD, coverages)
    curve = risk_by_coverage(GOOD)
    for band, coverage in zip(bands, coverages, strict=True):
        assert band.value == pytest.approx(curve[round(600 * coverage) - 1])
        assert band.low <= band.value <= band.high
    share = WRONG.mean()
    assert bands[-1].high - bands[-1].low == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / 600), rel=0.1)


def test_without_mistakes_there_is_no_risk() -> None:
    figures = selective_figures({"it": Ranking(RANDOM.random(20), np.ones(20, bool))}, resamples=20)["it"]
    assert figures.aurc.value == figures.augrc.value == figures.e_aurc.value == 0
    assert np.isnan([figures.aurc.high, figures.augrc.high, figures.e_aurc.high]).all()
    assert figures.ties_with_best
