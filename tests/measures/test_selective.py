"""Selective prediction and referrals against slow loops, closed forms and how often guarantees hold in simulation."""

import itertools
import math
from fractions import Fraction
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from benchmarks.verdicts import false_ranks, rate, true_rank
from mcviz.measures.selective import (
    Ranking,
    Referral,
    _losses_of_rest,
    compare_scores,
    cumulative_loss,
    evaluate_threshold,
    find_cheapest,
    find_ties_with_best,
    guarantee_budget,
    guarantee_quality,
    guarantee_threshold,
    perfect_ranking,
    referral_for_budget,
    referral_for_misses,
    referral_for_quality,
    risk_bands,
    select_referred,
    selective_figures,
)
from tests.cases import one_in

EIGHTHS = st.integers(0, 8).map(lambda eighths: eighths / 8)  # losses whose sums are exact


@st.composite
def rankings(draw: st.DrawFn, least: int = 1, most: int = 25) -> Ranking:
    count = draw(st.integers(least, most))
    uncertainty = draw(st.lists(st.integers(-3, 4), min_size=count, max_size=count))
    loss = draw(st.one_of(*(st.lists(losses, min_size=count, max_size=count) for losses in (st.booleans(), EIGHTHS))))
    return Ranking(np.array(uncertainty, np.float32) / 3, np.array(loss))


def mistakes_of(ranking: Ranking) -> Ranking:
    """The same order, with a mistake for each loss of a half or more."""
    return Ranking(ranking.uncertainty, ranking.loss >= 0.5)


def orders(ranking: Ranking):
    """Every order from certain to uncertain."""
    by_number = sorted(range(len(ranking)), key=lambda i: ranking.uncertainty[i])
    groups = [list(group) for _, group in itertools.groupby(by_number, key=lambda i: ranking.uncertainty[i])]
    for choice in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield [i for group in choice for i in group]


def risk_by_coverage(ranking: Ranking) -> np.ndarray:
    """The mean loss of the 1, 2, … N most certain examples; of those that tie, each counts as their mean."""
    losses = pd.Series(ranking.loss, dtype=float).groupby(ranking.uncertainty).transform("mean")
    return losses.iloc[np.argsort(ranking.uncertainty, kind="stable")].expanding().mean().to_numpy()


@given(rankings(most=6))
def test_with_ties_every_figure_is_the_mean_over_all_orders(ranking: Ranking) -> None:
    count, risks, areas, errors = len(ranking), [], [], []
    for order in orders(ranking):
        wrong = np.cumsum(ranking.loss[order])
        risks.append(wrong / np.arange(1, count + 1))
        errors.append([0, *wrong])
        areas.append(np.trapezoid(errors[-1], dx=1 / count) / count)
    np.testing.assert_allclose(cumulative_loss(ranking), np.mean(errors, axis=0))
    np.testing.assert_allclose(risk_by_coverage(ranking), np.mean(risks, axis=0))
    found = selective_figures({"it": ranking}, resamples=2)["it"]
    assert found.aurc.value == pytest.approx(np.mean(risks))
    assert found.augrc.value == pytest.approx(np.mean(areas))


@given(rankings())
def test_the_augrc_is_the_closed_form_of_traub_et_al(ranking: Ranking) -> None:
    ranking = mistakes_of(ranking)
    accuracy = 1 - ranking.loss.mean()
    found = selective_figures({"it": ranking}, resamples=2)["it"]
    auroc = roc_auc_score(ranking.loss, ranking.uncertainty) if 0 < accuracy < 1 else 0.0
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
GOOD = Ranking(np.round(WRONG + RANDOM.normal(size=600), 1), WRONG)
ALIKE = Ranking(np.round(GOOD.uncertainty + np.random.default_rng(1).normal(size=600) / 5, 1), WRONG)
BAD = Ranking(RANDOM.normal(size=600), WRONG)
RANKINGS = {"bad": BAD, "good": GOOD, "alike": ALIKE}


def test_intervals_are_those_of_a_slow_loop_over_draws() -> None:
    random, found = np.random.default_rng(7), []
    for _ in range(300):
        draw = np.sort(random.integers(600, size=600))
        values = []
        for ranking in (BAD, GOOD):
            again = Ranking(ranking.uncertainty[draw], ranking.loss[draw])
            aurc, best = risk_by_coverage(again).mean(), risk_by_coverage(perfect_ranking(again)).mean()
            values.append((aurc, aurc - best, np.trapezoid(cumulative_loss(again), dx=1 / 600) / 600))
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
    found = selective_figures({"it": Ranking(np.random.default_rng(1).random(20), np.arange(20) < wrong)})["it"]
    for each in (found.aurc, found.e_aurc, found.augrc):
        assert (0 < each.low < each.value < each.high < 1) if has_interval else np.isnan([each.low, each.high]).all()


def test_what_ties_with_the_best_is_told_from_what_is_worse() -> None:
    figures = selective_figures(RANKINGS)
    assert set(find_ties_with_best(figures)) == {"good", "alike"}
    assert not figures["bad"].ties_with_best
    best = find_ties_with_best(figures)[0]
    assert figures[best].above_best.value == 0
    assert figures[best].augrc.value == min(each.augrc.value for each in figures.values())


def test_an_order_is_compared_with_a_random_one_whose_augrc_is_half_of_the_mean_loss() -> None:
    loss = np.random.default_rng(3).uniform(0, 1, 200)
    orders = {"best": loss, "worst": -loss, "noise": np.random.default_rng(4).random(200)}
    figures = selective_figures({name: Ranking(order, loss) for name, order in orders.items()})
    for each in figures.values():
        assert each.above_random.value == pytest.approx(each.augrc.value - loss.mean() / 2)
    assert [name for name, each in figures.items() if each.beats_random] == ["best"]
    assert figures["worst"].above_random.low > 0
    assert figures["noise"].above_random.low < 0 < figures["noise"].above_random.high


def test_a_score_that_knows_nothing_is_seldom_said_to_beat_a_random_order() -> None:
    random, found = np.random.default_rng(5), 0
    for seed in range(60):
        rankings = {"it": Ranking(random.random(60), random.uniform(0, 1, 60) ** 4)}
        found += selective_figures(rankings, resamples=100, seed=seed)["it"].beats_random
    assert found <= stats.binom.isf(1e-4, 60, 0.025)


def test_differences_are_beyond_the_range_over_all_orders_of_a_slow_loop() -> None:
    """How far the AUGRCs of draws are from those of all examples; the range of that over the orders."""
    random, ranges = np.random.default_rng(7), []

    def augrc(ranking: Ranking) -> float:
        return float(np.trapezoid(cumulative_loss(ranking), dx=1 / 600) / 600)

    for _ in range(400):
        draw = np.sort(random.integers(600, size=600))
        away = [augrc(Ranking(each.uncertainty[draw], each.loss[draw])) - augrc(each) for each in RANKINGS.values()]
        ranges.append(max(away) - min(away))
    for found in selective_figures(RANKINGS).values():
        assert found.above_best.high - found.above_best.value == pytest.approx(np.quantile(ranges, 0.95), rel=0.1)
        assert found.above_best.low <= found.above_best.value <= found.above_best.high


@pytest.mark.slow
def test_equally_good_scores_tie_and_one_that_knows_nothing_does_not() -> None:
    for examples, mean in ((30, 0.6), (200, 0.9), (200, 0.98)):
        assert rate(60, false_ranks, examples, mean) * 60 <= stats.binom.isf(1e-4, 60, 0.05)
    assert rate(10, true_rank) >= 0.8


def test_predictions_of_two_models_are_compared_by_their_own_mistakes() -> None:
    better = Ranking(GOOD.uncertainty, GOOD.loss & (RANDOM.random(600) >= 0.7))
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
    figures = selective_figures({"it": Ranking(RANDOM.random(20), np.zeros(20, bool))}, resamples=20)["it"]
    assert figures.aurc.value == figures.augrc.value == figures.e_aurc.value == 0
    assert np.isnan([figures.aurc.high, figures.augrc.high, figures.e_aurc.high]).all()
    assert figures.ties_with_best


def all_referrals(ranking: Ranking) -> list[tuple[int, float, int]]:
    """(referred, missed, rest) of every threshold, from none referred to all."""
    found = []
    for threshold in [math.inf, *sorted(set(ranking.uncertainty.tolist()), reverse=True)]:
        rest = [i for i in range(len(ranking)) if ranking.uncertainty[i] < threshold]
        found.append((len(ranking) - len(rest), sum(ranking.loss[i] for i in rest), len(rest)))
    return found


def assert_agrees(found: Referral, ranking: Ranking, referred: int) -> None:
    assert len(found.referred) == referred
    assert (ranking.uncertainty[found.referred] >= found.threshold).all()
    assert sorted(found.referred) == np.flatnonzero(ranking.uncertainty >= found.threshold).tolist()
    assert (np.diff(ranking.uncertainty[found.referred]) <= 0).all()
    assert found.caught == ranking.loss[found.referred].sum() == ranking.loss.sum() - found.missed
    rest = len(ranking) - referred
    assert found.quality_of_rest == (1 - found.missed / rest if rest else None)
    again = evaluate_threshold(ranking, found.threshold)
    assert again.referred.tolist() == found.referred.tolist()


@given(rankings(), st.integers(0, 100))
def test_an_accuracy_is_reached_with_the_fewest_referrals(ranking: Ranking, percent: int) -> None:
    reached = [
        referred
        for referred, missed, rest in all_referrals(ranking)
        if Fraction(float(rest - missed)) >= Fraction(percent, 100) * rest
    ]
    assert_agrees(referral_for_quality(ranking, percent / 100), ranking, min(reached))


@given(rankings(), st.integers(0, 30))
def test_a_budget_is_used_as_far_as_ties_allow(ranking: Ranking, budget: int) -> None:
    within = [referred for referred, _, _ in all_referrals(ranking) if referred <= budget]
    assert_agrees(referral_for_budget(ranking, budget), ranking, max(within))


@given(rankings(), st.integers(0, 100))
def test_few_mistakes_are_missed_with_the_fewest_referrals(ranking: Ranking, percent: int) -> None:
    lost = Fraction(float(ranking.loss.sum()))
    enough = [
        referred
        for referred, missed, _ in all_referrals(ranking)
        if Fraction(float(missed)) <= Fraction(percent, 100) * lost
    ]
    assert_agrees(referral_for_misses(ranking, percent / 100), ranking, min(enough))


@given(rankings(least=2), st.integers(0, 50), st.integers(0, 5), st.integers(0, 3))
def test_the_cheapest_threshold_of_one_half_is_judged_by_the_other(
    ranking: Ranking, mistake: int, look: int, seed: int
) -> None:
    found = find_cheapest(ranking, mistake, look, seed=seed)
    first, second = (np.sort(half) for half in np.array_split(np.random.default_rng(seed).permutation(len(ranking)), 2))
    chosen, judged = ranking.select(first), ranking.select(second)
    costs = [mistake * missed + look * referred for referred, missed, _ in all_referrals(chosen)]
    of_threshold = (chosen.uncertainty < found.threshold) * chosen.loss
    assert mistake * of_threshold.sum() + look * (chosen.uncertainty >= found.threshold).sum() == min(costs)
    looks, missed = judged.uncertainty >= found.threshold, judged.loss * (judged.uncertainty < found.threshold)
    assert sorted(found.on_others.referred) == second[looks].tolist()
    assert found.cost == mistake * missed.sum() + look * looks.sum()
    assert (found.of_none, found.of_all) == (mistake * judged.loss.sum(), look * len(judged))
    assert found.saved.value == min(found.of_none, found.of_all) - found.cost
    assert found.saved.low <= found.saved.value + 1e-9
    assert found.saved.value <= found.saved.high + 1e-9


def test_the_ends_of_a_saving_are_those_of_the_mistakes_among_looks_and_rest() -> None:
    uncertainty, wrong = np.tile([1.0, 0.0], 200), np.zeros(400, bool)
    wrong[:80:2], wrong[1:9:2] = True, True  # of 200 uncertain ones 40, of the rest 4
    found = find_cheapest(Ranking(uncertainty, wrong), 10, 1)
    looks, caught, missed = len(found.on_others.referred), found.on_others.caught, found.on_others.missed
    of_looks = stats.binomtest(caught, looks).proportion_ci(method="exact")
    of_rest = stats.binomtest(missed, 200 - looks).proportion_ci(method="exact")
    against_none = [looks * (10 * end - 1) for end in of_looks]
    against_all = [(200 - looks) * (1 - 10 * end) for end in (of_rest.high, of_rest.low)]
    assert (found.saved.low, found.saved.high) == pytest.approx((
        min(against_none[0], against_all[0]), min(against_none[1], against_all[1])
    ))  # fmt: skip


def test_a_threshold_is_applied_without_labels() -> None:
    assert select_referred(np.array([0.1, 0.9, 0.5, 0.9]), 0.5).tolist() == [1, 3, 2]
    assert select_referred(np.array([0.1, 0.9]), math.inf).tolist() == []


# Guarantees. Of an example with the uncertainty u, 0 to 1, the prediction is wrong with the chance u^3 / 4, so that of
# those below t it is so with the chance t^3 / 16. Other losses have that mean, and are from 0 to 1.


def draw_ranking(examples: int, seed: int, steps: int | None = None, kind: str = "mistakes") -> Ranking:
    random = np.random.default_rng(seed)
    uncertainty = random.random(examples)
    chance = uncertainty**3 / 4
    loss = random.random(examples) < chance if kind == "mistakes" else random.beta(chance, 1 - chance)
    return Ranking(np.ceil(uncertainty * steps) / steps if steps else uncertainty, loss)


def true_accuracy(threshold: float, steps: int | None = None) -> float:
    end = (math.ceil(min(threshold, 2) * steps - 1e-9) - 1) / steps if steps and threshold < math.inf else threshold
    return 1 - min(end, 1.0) ** 3 / 16


@pytest.mark.parametrize(
    ("accuracy", "confidence", "steps", "kind"),
    one_in(
        6,
        [
            (0.96, 0.8, None, "mistakes"),
            (0.98, 0.95, None, "mistakes"),
            (0.96, 0.95, 20, "mistakes"),
            (0.98, 0.8, 20, "mistakes"),
            (0.96, 0.8, None, "losses"),
            (0.96, 0.95, 20, "losses"),
        ],
    ),
)
def test_a_guaranteed_quality_holds_as_often_as_it_says(
    accuracy: float, confidence: float, steps: int | None, kind: str
) -> None:
    simulations = 400 if kind == "mistakes" else 100
    found = [
        guarantee_quality(draw_ranking(1200, seed, steps, kind), accuracy, confidence=confidence, seed=seed)
        for seed in range(simulations)
    ]
    there = [each for each in found if each is not None]
    assert len(there) > 0.5 * simulations  # or it would hold for want of guarantees
    broken = sum(true_accuracy(each.threshold, steps) < accuracy for each in there)
    allowed = (1 - confidence) * simulations
    assert broken <= allowed + 3 * math.sqrt(allowed)
    assert all(each.on_others.quality_of_rest >= accuracy for each in there)


def test_the_threshold_that_is_best_on_the_same_labels_would_break_its_word() -> None:
    thresholds = [referral_for_quality(draw_ranking(1200, seed), 0.98).threshold for seed in range(200)]
    assert np.mean([true_accuracy(threshold) < 0.98 for threshold in thresholds]) > 0.3


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_bound_for_a_budget_holds_as_often_as_it_says(confidence: float) -> None:
    found = [guarantee_budget(draw_ranking(800, seed), 80, confidence=confidence) for seed in range(600)]
    broken = sum(true_accuracy(each.threshold) < each.quality for each in found)
    allowed = (1 - confidence) * 600
    assert broken <= allowed + 3 * math.sqrt(allowed)
    assert broken >= allowed / 4  # it is no looser than it has to be


@pytest.mark.slow
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_bound_of_losses_holds_as_often_as_it_says_and_tells_more_than_half_of_that_of_mistakes(
    confidence: float,
) -> None:
    budget = [
        guarantee_budget(draw_ranking(800, seed, kind="losses"), 80, confidence=confidence) for seed in range(200)
    ]
    halves = partial(referral_for_misses, share=0.2)
    split = [
        guarantee_threshold(draw_ranking(800, seed, kind="losses"), halves, confidence=confidence, seed=seed)
        for seed in range(200)
    ]
    exact = [guarantee_budget(draw_ranking(800, seed), 80, confidence=confidence) for seed in range(200)]
    for found in (budget, split):
        broken = sum(true_accuracy(each.threshold) < each.quality for each in found)
        assert broken <= (1 - confidence) * 200 + 3 * math.sqrt((1 - confidence) * 200)
    short, of_mistakes = (
        np.mean([true_accuracy(each.threshold) - each.quality for each in found]) for found in (budget, exact)
    )
    assert short < 2 * of_mistakes


def test_a_mean_loss_is_tested_on_the_losses_of_the_rest_in_an_order_that_does_not_depend_on_them() -> None:
    ranking = draw_ranking(400, 1, kind="losses")
    threshold = float(np.quantile(ranking.uncertainty, 0.7))
    losses = _losses_of_rest(ranking, threshold, 0.1, seed=4)
    assert sorted(losses) == sorted(ranking.loss[ranking.uncertainty < threshold])
    others = Ranking(ranking.uncertainty, 1 - ranking.loss)  # other losses of the same examples
    np.testing.assert_allclose(_losses_of_rest(others, threshold, 0.1, seed=4), 1 - losses)


def test_a_cheapest_threshold_of_losses_saves_what_it_says_as_often_as_it_says() -> None:
    """Of a loss whose missed part costs ten looks: the true saving of each threshold is known."""
    missed = 0
    for seed in range(200):
        found = find_cheapest(draw_ranking(600, seed, kind="losses"), 10, 1, seed=seed)
        kept = min(found.threshold, 1.0)
        of_rest, of_looks = kept**4 / 16, (1 - kept**4) / 16  # losses an example
        saved = 300 * min(10 * of_looks - (1 - kept), kept - 10 * of_rest)
        missed += not found.saved.low <= saved <= found.saved.high
    assert missed <= 10


def test_the_bound_is_scipy_s_of_the_half_that_did_not_choose() -> None:
    ranking = draw_ranking(801, 3)
    found = guarantee_threshold(ranking, partial(referral_for_misses, share=0.2), confidence=0.9, seed=5)
    of_others = Ranking(ranking.uncertainty[found.others], ranking.loss[found.others])
    of_choosing = np.setdiff1d(np.arange(801), found.others)
    chosen = referral_for_misses(Ranking(ranking.uncertainty[of_choosing], ranking.loss[of_choosing]), 0.2)
    assert found.threshold == chosen.threshold
    assert (
        found.on_others.referred.tolist()
        == found.others[evaluate_threshold(of_others, found.threshold).referred].tolist()
    )
    rest = 400 - len(found.on_others.referred)
    exact = stats.binomtest(rest - found.on_others.missed, rest, alternative="greater").proportion_ci(0.9, "exact")
    assert found.quality == pytest.approx(exact.low)


def test_what_too_few_examples_cannot_guarantee_is_not_promised() -> None:
    wrong = np.zeros(200, bool)
    assert guarantee_quality(Ranking(np.arange(200.0), wrong), 0.99) is None  # 0.99^100 is above 5%
    assert guarantee_quality(Ranking(np.arange(200.0), wrong), 1.0) is None
    assert guarantee_quality(Ranking(np.arange(200.0), ~wrong), 0.5) is None
    easy = guarantee_quality(Ranking(np.arange(200.0), wrong), 0.97)
    assert (easy.threshold, len(easy.on_others.referred)) == (math.inf, 0)
    assert guarantee_budget(Ranking(np.zeros(10), wrong[:10]), 10) is None
    assert guarantee_threshold(Ranking(np.zeros(10), ~wrong[:10]), partial(referral_for_misses, share=0.0)) is None


def test_a_shift_of_scores_is_noticed_and_none_is_not() -> None:
    random = np.random.default_rng(0)
    old = random.normal(size=500)
    assert compare_scores(old, random.normal(size=400)).p_value > 0.05
    moved = compare_scores(old, random.normal(0.5, size=400))
    assert moved.p_value < 1e-6
    assert 0 < moved.statistic < 1
