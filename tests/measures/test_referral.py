"""Referrals against a loop over all thresholds, and guarantees against how often they hold in simulation."""

import math
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mcviz.measures.selective import (
    Ranking,
    Referral,
    compare_scores,
    evaluate_threshold,
    find_cheapest,
    guarantee_accuracy,
    guarantee_budget,
    guarantee_threshold,
    referral_for_accuracy,
    referral_for_budget,
    referral_for_misses,
    select_referred,
)


@st.composite
def rankings(draw: st.DrawFn, least: int = 1) -> Ranking:
    count = draw(st.integers(least, 25))
    uncertainty = draw(st.lists(st.integers(-3, 4), min_size=count, max_size=count))
    correct = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    return Ranking(np.array(uncertainty, np.float32) / 3, np.array(correct))


def all_referrals(ranking: Ranking) -> list[tuple[int, int, int]]:
    """(referred, missed, rest) of every threshold, from none referred to all."""
    found = []
    for threshold in [math.inf, *sorted(set(ranking.uncertainty.tolist()), reverse=True)]:
        kept = [i for i in range(len(ranking)) if ranking.uncertainty[i] < threshold]
        found.append((len(ranking) - len(kept), sum(not ranking.correct[i] for i in kept), len(kept)))
    return found


def assert_agrees(found: Referral, ranking: Ranking, referred: int) -> None:
    assert len(found.referred) == referred
    assert (ranking.uncertainty[found.referred] >= found.threshold).all()
    assert sorted(found.referred) == np.flatnonzero(ranking.uncertainty >= found.threshold).tolist()
    assert (np.diff(ranking.uncertainty[found.referred]) <= 0).all()
    mistakes = int((~ranking.correct).sum())
    assert found.caught == int((~ranking.correct[found.referred]).sum()) == mistakes - found.missed
    rest = len(ranking) - referred
    assert found.accuracy_of_rest == (1 - found.missed / rest if rest else None)
    again = evaluate_threshold(ranking, found.threshold)
    assert again.referred.tolist() == found.referred.tolist()


@given(rankings(), st.integers(0, 100))
def test_an_accuracy_is_reached_with_the_fewest_referrals(ranking: Ranking, percent: int) -> None:
    reached = [
        referred
        for referred, missed, rest in all_referrals(ranking)
        if Fraction(rest - missed) >= Fraction(percent, 100) * rest
    ]
    assert_agrees(referral_for_accuracy(ranking, percent / 100), ranking, min(reached))


@given(rankings(), st.integers(0, 30))
def test_a_budget_is_used_as_far_as_ties_allow(ranking: Ranking, budget: int) -> None:
    within = [referred for referred, _, _ in all_referrals(ranking) if referred <= budget]
    assert_agrees(referral_for_budget(ranking, budget), ranking, max(within))


@given(rankings(), st.integers(0, 100))
def test_few_mistakes_are_missed_with_the_fewest_referrals(ranking: Ranking, percent: int) -> None:
    mistakes = int((~ranking.correct).sum())
    enough = [
        referred
        for referred, missed, _ in all_referrals(ranking)
        if Fraction(missed) <= Fraction(percent, 100) * mistakes
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
    of_threshold = (chosen.uncertainty < found.threshold) & ~chosen.correct
    assert mistake * of_threshold.sum() + look * (chosen.uncertainty >= found.threshold).sum() == min(costs)
    looks, missed = judged.uncertainty >= found.threshold, ~judged.correct & (judged.uncertainty < found.threshold)
    assert sorted(found.on_others.referred) == second[looks].tolist()
    assert found.cost == mistake * missed.sum() + look * looks.sum()
    assert (found.of_none, found.of_all) == (mistake * (~judged.correct).sum(), look * len(judged))
    assert found.saved.value == min(found.of_none, found.of_all) - found.cost
    assert found.saved.low <= found.saved.value + 1e-9
    assert found.saved.value <= found.saved.high + 1e-9


def test_the_ends_of_a_saving_are_those_of_the_mistakes_among_looks_and_rest() -> None:
    uncertainty, wrong = np.tile([1.0, 0.0], 200), np.zeros(400, bool)
    wrong[:80:2], wrong[1:9:2] = True, True  # of 200 uncertain ones 40, of the rest 4
    found = find_cheapest(Ranking(uncertainty, ~wrong), 10, 1)
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
# those below t it is so with the chance t^3 / 16.


def drawn(examples: int, seed: int, steps: int | None = None) -> Ranking:
    random = np.random.default_rng(seed)
    uncertainty = random.random(examples)
    correct = random.random(examples) >= uncertainty**3 / 4
    return Ranking(np.ceil(uncertainty * steps) / steps if steps else uncertainty, correct)


def true_accuracy(threshold: float, steps: int | None = None) -> float:
    end = (math.ceil(min(threshold, 2) * steps - 1e-9) - 1) / steps if steps and threshold < math.inf else threshold
    return 1 - min(end, 1.0) ** 3 / 16


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("accuracy", [0.96, 0.98])
@pytest.mark.parametrize("steps", [None, 20])
def test_a_guaranteed_accuracy_holds_as_often_as_it_says(accuracy: float, confidence: float, steps: int | None) -> None:
    simulations = 400
    found = [
        guarantee_accuracy(drawn(1200, seed, steps), accuracy, confidence=confidence, seed=seed)
        for seed in range(simulations)
    ]
    there = [each for each in found if each is not None]
    assert len(there) > 0.5 * simulations  # or it would hold for want of guarantees
    broken = sum(true_accuracy(each.threshold, steps) < accuracy for each in there)
    allowed = (1 - confidence) * simulations
    assert broken <= allowed + 3 * math.sqrt(allowed)
    assert all(each.on_others.accuracy_of_rest >= accuracy for each in there)


def test_the_threshold_that_is_best_on_the_same_labels_would_break_its_word() -> None:
    thresholds = [referral_for_accuracy(drawn(1200, seed), 0.98).threshold for seed in range(200)]
    assert np.mean([true_accuracy(threshold) < 0.98 for threshold in thresholds]) > 0.3


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_bound_for_a_budget_holds_as_often_as_it_says(confidence: float) -> None:
    found = [guarantee_budget(drawn(800, seed), 80, confidence=confidence) for seed in range(600)]
    broken = sum(true_accuracy(each.threshold) < each.accuracy for each in found)
    allowed = (1 - confidence) * 600
    assert broken <= allowed + 3 * math.sqrt(allowed)
    assert broken >= allowed / 4  # it is no looser than it has to be


def test_the_bound_is_scipy_s_of_the_half_that_did_not_choose() -> None:
    ranking = drawn(801, 3)
    found = guarantee_threshold(ranking, partial(referral_for_misses, share=0.2), confidence=0.9, seed=5)
    of_others = Ranking(ranking.uncertainty[found.others], ranking.correct[found.others])
    of_choosing = np.setdiff1d(np.arange(801), found.others)
    chosen = referral_for_misses(Ranking(ranking.uncertainty[of_choosing], ranking.correct[of_choosing]), 0.2)
    assert found.threshold == chosen.threshold
    assert (
        found.on_others.referred.tolist()
        == found.others[evaluate_threshold(of_others, found.threshold).referred].tolist()
    )
    rest = 400 - len(found.on_others.referred)
    exact = stats.binomtest(rest - found.on_others.missed, rest, alternative="greater").proportion_ci(0.9, "exact")
    assert found.accuracy == pytest.approx(exact.low)


def test_what_too_few_examples_cannot_guarantee_is_not_promised() -> None:
    right = np.ones(200, bool)
    assert guarantee_accuracy(Ranking(np.arange(200.0), right), 0.99) is None  # 0.99^100 is above 5%
    assert guarantee_accuracy(Ranking(np.arange(200.0), right), 1.0) is None
    assert guarantee_accuracy(Ranking(np.arange(200.0), ~right), 0.5) is None
    easy = guarantee_accuracy(Ranking(np.arange(200.0), right), 0.97)
    assert (easy.threshold, len(easy.on_others.referred)) == (math.inf, 0)
    assert guarantee_budget(Ranking(np.zeros(10), right[:10]), 10) is None
    assert guarantee_threshold(Ranking(np.zeros(10), ~right[:10]), partial(referral_for_misses, share=0.0)) is None


def test_a_shift_of_scores_is_noticed_and_none_is_not() -> None:
    random = np.random.default_rng(0)
    old = random.normal(size=500)
    assert compare_scores(old, random.normal(size=400)).p_value > 0.05
    moved = compare_scores(old, random.normal(0.5, size=400))
    assert moved.p_value < 1e-6
    assert 0 < moved.statistic < 1
