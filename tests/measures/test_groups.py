"""Examples in groups: ones of a single example change nothing, copies of an example tell no more than one, and groups
stay whole."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcviz.analysis.calibration_sentences import calibration_sentences
from mcviz.measures.calibration import calibration, calibration_terms
from mcviz.measures.conformal import conformal_quantile
from mcviz.measures.intervals import (
    Interval,
    betting_p_value,
    bootstrap_intervals,
    design_effect,
    mean_intervals,
    split_in_halves,
)
from mcviz.measures.quality import CLASSIFICATION, compare_measures
from mcviz.measures.registry import Terms, select_terms
from mcviz.measures.selective import (
    Ranking,
    _losses_of_rest,
    compute_areas,
    guarantee_budget,
    guarantee_quality,
    selective_figures,
)
from mcviz.measures.slices import permute_groups

RANDOM = np.random.default_rng(5)
COPIES = 4


def draw_terms(examples: int, mistakes: float = 0.3) -> Terms:
    confidence = RANDOM.uniform(1 - 2 * mistakes, 1, examples)
    probs = np.stack([confidence, 1 - confidence], axis=1)
    return calibration_terms(probs, (RANDOM.random(examples) >= confidence).astype(int))


def ends(intervals: list[Interval]) -> np.ndarray:
    return np.array([(each.value, each.low, each.high) for each in intervals])


def measured(terms: Terms, groups: np.ndarray | None) -> tuple[dict[str, Interval], dict[str, float]]:
    """The figures, and the ECEs by chance."""
    found = calibration({"ensemble": terms}, groups=groups)
    return found.figures["ensemble"], found.eces_by_chance["ensemble"]


def all_ends(terms: Terms, groups: np.ndarray | None) -> np.ndarray:
    figures, by_chance = measured(terms, groups)
    return np.append(ends(list(figures.values())), list(by_chance.values()))


def test_groups_of_one_example_change_nothing() -> None:
    terms, alone = draw_terms(300), np.arange(300)
    np.testing.assert_allclose(all_ends(terms, alone), all_ends(terms, None), rtol=1e-9)
    areas = [
        selective_figures({"score": Ranking(-terms["confidence"], ~terms["correct"], groups)})["score"].aurc.value
        for groups in (np.arange(300), None)
    ]
    assert areas[0] == areas[1]
    scores = RANDOM.normal(size=57)
    for coverage in (0.0, 0.5, 0.9, 0.98, 0.99):
        assert conformal_quantile(scores, coverage, np.arange(57)) in (
            conformal_quantile(scores, coverage),
            scores.min(),
        )


def test_copies_of_an_example_tell_no_more_than_one() -> None:
    terms = draw_terms(200)
    copies, groups = select_terms(terms, np.repeat(np.arange(200), COPIES)), np.repeat(np.arange(200), COPIES)
    (once, chance), (copied, chance_of_copies) = measured(terms, None), measured(copies, groups)
    for name in ("accuracy", "nll", "brier"):
        np.testing.assert_allclose(ends([copied[name]]), ends([once[name]]), rtol=1e-6)
    np.testing.assert_allclose(ends([copied["overconfidence"]]), ends([once["overconfidence"]]), atol=2e-3)  # not exact
    assert chance_of_copies["ece"] == pytest.approx(chance["ece"], rel=0.2)
    independent, single = measured(copies, None)[0]["accuracy"], once["accuracy"]
    assert independent.high - independent.low < 0.6 * (single.high - single.low)


def test_intervals_of_means_are_those_of_sums_over_groups_of_any_size() -> None:
    sizes = RANDOM.integers(1, 12, 80)
    groups = np.repeat(np.arange(80), sizes)
    values = RANDOM.normal(size=80)[groups] + RANDOM.normal(size=len(groups))
    (found,) = mean_intervals(values[:, None], groups=groups)
    sums = np.array([(values[groups == group] - values.mean()).sum() for group in range(80)])
    error = np.sqrt(80 / 79 * np.square(sums).sum()) / len(values)
    assert found.high - found.value >= 1.99 * error  # t of 79 degrees of freedom
    assert found.high - found.value <= 2.5 * error
    (percentiles,) = bootstrap_intervals(
        lambda chosen: lambda weights: (weights @ values[chosen] / weights.sum(axis=1))[:, None],
        len(values),
        groups=groups,
    )
    assert percentiles.high - percentiles.low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_the_design_effect_is_that_of_the_correlation_and_the_worst_of_few_groups_with_mistakes() -> None:
    groups, shared = np.repeat(np.arange(2000), 10), RANDOM.random(2000) < 0.5
    wrong = np.where(shared.repeat(10), (RANDOM.random(2000) < 0.2).repeat(10), RANDOM.random(20_000) < 0.2)
    assert design_effect(wrong, 0.2, groups) == pytest.approx(1 + 9 / 2, rel=0.1)  # half of the groups are all alike
    assert design_effect(RANDOM.random(20_000) < 0.2, 0.2, groups) == pytest.approx(1, abs=0.1)
    assert design_effect(groups == 3, 0.001, groups) == 10
    assert design_effect(np.array([True, False, False]), 1 / 3, np.array([0, 0, 1])) == pytest.approx(5 / 3)


@given(groups=st.lists(st.integers(0, 9), min_size=2, max_size=60).map(np.array), seed=st.integers(0, 99))
def test_halves_hold_every_example_once_and_no_group_twice(groups: np.ndarray, seed: int) -> None:
    first, second = split_in_halves(len(groups), groups, seed)
    assert sorted([*first, *second]) == list(range(len(groups)))
    assert not set(groups[first]) & set(groups[second])
    assert 0 <= len(set(groups[first])) - len(set(groups[second])) <= 1


def test_a_conformal_quantile_weighs_groups_and_not_examples() -> None:
    groups = np.repeat(np.arange(9), RANDOM.integers(1, 8, 9))
    scores = RANDOM.normal(size=len(groups))
    for coverage in (0.1, 0.5, 0.8, 0.9):
        found = conformal_quantile(scores, coverage, groups)
        shares = {
            score: sum((scores[groups == group] <= score).mean() for group in range(9)) / 10 for score in sorted(scores)
        }
        assert found == next(score for score, share in shares.items() if share >= coverage - 1e-9)
    assert conformal_quantile(scores, 0.91, groups) == np.inf


def test_few_groups_are_too_few_to_tell() -> None:
    terms = draw_terms(300)
    found = calibration({"ensemble": terms}, groups=np.arange(300) // 100)
    assert calibration_sentences(found)[0] == "There are too few groups to tell whether the ensemble is calibrated: 3."


@given(
    losses=st.lists(st.floats(0, 1), min_size=1, max_size=50).map(np.array),
    means=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
@example(losses=np.array([5e-324]), means=(0.0, 0.0))  # the smallest loss, at which a stake was rounded up
def test_a_smaller_loss_is_less_likely_under_a_larger_mean(losses: np.ndarray, means: tuple[float, float]) -> None:
    low, high = (betting_p_value(losses, mean) for mean in sorted(means))
    assert 0 <= high <= low * (1 + 1e-9) <= 1 + 1e-9
    assert betting_p_value(losses, 0) == betting_p_value(np.ones(60), 0.1) == 1


def test_bets_against_the_true_mean_are_seldom_won() -> None:
    won = np.zeros(3)
    for seed in range(400):
        random = np.random.default_rng(seed)
        for place, losses in enumerate((random.random(80) < 0.1, random.beta(0.2, 1.8, 80), random.random(80) / 5)):
            won[place] += betting_p_value(losses.astype(float), 0.1) <= 0.05
    assert won.max() / 400 <= 0.05
    assert betting_p_value(np.zeros(60), 0.1) < 0.01
    stake = sum(
        part * (1 + bet * 0.1 / 0.9) ** 60 for bet, part in ((1, 7 / 16), (0.6, 3 / 16), (0.3, 3 / 16), (0.1, 3 / 16))
    )
    assert betting_p_value(np.zeros(60), 0.1) == pytest.approx(1 / stake)


def test_a_mean_loss_of_groups_is_the_risk_where_that_of_the_rest_is() -> None:
    groups = np.repeat(np.arange(30), RANDOM.integers(1, 9, 30))
    ranking = Ranking(RANDOM.random(len(groups)), RANDOM.random(len(groups)) >= 0.7, groups)
    rest = ranking.uncertainty < 0.6
    risk = (ranking.loss[rest]).mean()
    losses = _losses_of_rest(ranking, 0.6, risk, seed=1)
    assert losses.mean() == pytest.approx(risk)
    assert losses.min() >= 0
    assert losses.max() <= 1
    assert _losses_of_rest(ranking, 0.6, risk / 2, seed=1).mean() > risk / 2


@pytest.mark.slow
def test_guarantees_of_groups_are_seldom_false_and_are_given_where_there_are_many() -> None:
    given, false = 0, 0
    groups = np.arange(3000) // 10
    for seed in range(20):
        random = np.random.default_rng(seed)
        group_chance = random.beta(0.3, 1.2, 300)[groups]  # a fifth is wrong, alike within groups
        uncertainty = random.random(3000)
        mistakes = random.random(3000) < group_chance * 2 * uncertainty
        ranking = Ranking(uncertainty, mistakes, groups)
        found = guarantee_quality(ranking, 0.84, seed=seed)
        given += found is not None
        false += found is not None and 1 - 0.2 * found.threshold < 0.84
        budget = guarantee_budget(ranking, 1500, seed=seed)
        assert budget is not None
        assert budget.quality < 1 - 0.2 * budget.threshold
    assert given >= 12
    assert false <= 3


def test_permutations_keep_groups_whole() -> None:
    groups = np.r_[np.repeat(np.arange(20), 5), np.repeat(np.arange(20, 23), [1, 2, 3])]
    terms = np.stack([groups, np.arange(len(groups))]).astype(float)
    permuted = permute_groups(groups)(terms, np.random.default_rng(0), 7)
    of, example = permuted[:, :7], permuted[:, 7:]
    for draw in range(7):
        for group in range(23):
            assert len(set(of[groups == group, draw])) == 1
        assert sorted(example[:100, draw]) == list(range(100))
    assert (of[:100] != groups[:100, None]).mean() > 0.8


def test_two_runs_in_groups_are_compared_by_groups() -> None:
    groups = np.arange(600) // 10
    one, other = ({"correct": RANDOM.random(600) < 0.8} for _ in range(2))
    other["correct"][:100] = False  # ten groups fail altogether
    for terms in (one, other):
        confidence = RANDOM.uniform(0.6, 1, 600)
        terms |= {"confidence": confidence, "uncertainty": -confidence, "nll": 1 - confidence, "brier": 1 - confidence}
    widths = []
    for members in (None, groups):
        found = compare_measures(CLASSIFICATION, one, other, groups=members)[0].difference
        assert found.value == pytest.approx(other["correct"].mean() - one["correct"].mean())
        widths.append(found.high - found.low)
    assert widths[1] > 1.5 * widths[0]


def test_areas_of_draws_of_other_sizes_are_those_of_their_examples() -> None:
    ranking = Ranking(RANDOM.random(30), RANDOM.random(30) >= 0.7)
    weights = RANDOM.integers(0, 3, (4, 30)).astype(float)
    for found, row in zip(compute_areas(ranking, weights), weights.astype(int), strict=True):
        alone = ranking.select(np.repeat(np.arange(30), row))
        np.testing.assert_allclose(found, compute_areas(alone, np.ones((1, len(alone))))[0])
