"""Calibration against scikit-learn and slow loops; what is said of runs whose calibration is known."""

import itertools
import math
import time
from dataclasses import asdict
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from mcviz.analysis.calibration_sentences import calibration_sentences, degradation_sentences
from mcviz.measures import intervals
from mcviz.measures.calibration import (
    CALIBRATION_MEASURES,
    CONFIDENCE_EDGES,
    ECES,
    SMALLEST_PROBABILITY,
    Calibration,
    add_predictors,
    apply_temperature,
    calibration,
    calibration_by_group,
    calibration_figures,
    calibration_terms,
    cross_fit_temperature,
    ece_by_chance,
    equal_mass_edges,
    equal_width_edges,
    fit_temperature,
    reliability,
    reliability_near_one,
)
from mcviz.measures.registry import join_terms

RANDOM = np.random.default_rng(0)


def calibration_in_words(found: Calibration) -> str:
    return " ".join(calibration_sentences(found))


def draw_coarse_probs(examples: int, classes: int, seed: int, passes: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(P, N, C) probabilities on a coarse grid, so that confidences tie and meet the ends of bins; labels."""
    random = np.random.default_rng(seed)
    steps = random.multinomial(30, random.dirichlet(np.ones(classes)), (passes, examples))
    return (steps / 30).astype(np.float32), random.integers(classes, size=examples)


def make_terms(correct: np.ndarray, confidence: np.ndarray) -> dict[str, np.ndarray]:
    return {"correct": correct, "confidence": confidence, "nll": 1 - confidence, "brier": confidence}


def slow_ece(confidence: list[float], correct: list[bool], edges: list[float]) -> float:
    """The sum over bins (low, high] of |correct - confidence|, divided by the number of predictions."""
    total = 0.0
    for low, high in itertools.pairwise(edges):
        inside = [i for i, p in enumerate(confidence) if (low < p <= high) or (p <= low == edges[0])]
        total += abs(sum(correct[i] - confidence[i] for i in inside))
    return total / len(confidence)


CASES = st.integers(1, 40), st.integers(2, 5), st.integers(0, 10**6)


@given(*CASES, st.integers(1, 4))
def test_every_figure_agrees_with_its_definition(examples: int, classes: int, seed: int, passes: int) -> None:
    probs, labels = draw_coarse_probs(examples, classes, seed, passes)
    terms = calibration_terms(probs, labels)
    found = calibration({"ensemble": terms}, resamples=2).figures["ensemble"]
    doubles = probs.astype(np.float64)
    correct = [bool(doubles[p, i].argmax() == labels[i]) for i in range(examples) for p in range(passes)]
    confidence = [float(doubles[p, i].max()) for i in range(examples) for p in range(passes)]
    pairs = [(doubles[p, i], int(labels[i])) for i in range(examples) for p in range(passes)]
    assert found["accuracy"].value == pytest.approx(np.mean(correct))
    assert found["nll"].value == pytest.approx(
        np.mean([-math.log(max(one[y], SMALLEST_PROBABILITY)) for one, y in pairs]), rel=1e-6
    )
    squares = [sum((q - (c == y)) ** 2 for c, q in enumerate(one)) for one, y in pairs]
    assert found["brier"].value == pytest.approx(np.mean(squares), rel=1e-6, abs=1e-6)
    assert found["overconfidence"].value == pytest.approx(np.mean(confidence) - np.mean(correct), abs=1e-6)
    for value, edges in ((found["ece"], equal_width_edges()), (found["ece_equal_mass"], equal_mass_edges(terms))):
        assert value.value == pytest.approx(slow_ece(confidence, correct, list(edges)), abs=1e-6)
        assert reliability(terms, edges).ece == pytest.approx(value.value, abs=1e-9)
        assert reliability(terms, edges).count.sum() == pytest.approx(examples)


def test_a_label_of_probability_zero_costs_half_a_step_of_storage() -> None:
    assert calibration_terms(np.array([[[1.0, 0.0]]]), np.array([1]))["nll"].tolist() == [
        pytest.approx(math.log(131068))
    ]


def test_bins_of_equal_mass_hold_as_many_and_keep_ties_together() -> None:
    confidence = RANDOM.permutation(np.linspace(0.2, 0.999, 150))
    terms = make_terms(np.ones(150, bool), confidence)
    assert reliability(terms, equal_mass_edges(terms)).count.tolist() == [10] * 15
    confidence[:100] = 1
    tied = reliability(terms, equal_mass_edges(terms))
    assert tied.count[-1] == 100
    assert len(tied.count) < 15


@given(st.lists(st.integers(1, 400), min_size=1, max_size=2), st.integers(0, 10**6), st.sampled_from([0.02, 0.2, 2]))
def test_bins_near_one_hold_fifty_examples_and_their_intervals_are_those_of_their_mistakes(
    sizes: list[int], seed: int, spread: float
) -> None:
    random, predictors = np.random.default_rng(seed), {}
    for name, size in enumerate(sizes):
        confidence = 1 - random.beta(spread, 1, size)
        predictors[str(name)] = make_terms(random.random(size) < confidence, confidence)
    found = reliability_near_one(predictors)
    edges = found["0"][0].edges
    assert set(edges) <= set(CONFIDENCE_EDGES)
    assert (np.diff(edges) > 0).all()
    for name, terms in predictors.items():
        bins, gaps = found[name]
        assert list(bins.edges) == list(edges)
        assert len(gaps) == 1 or bins.count.min() >= 50
        for low, high, count, gap in zip(edges, edges[1:], bins.count, gaps, strict=False):
            inside = ((low < terms["confidence"]) | (low == 0)) & (terms["confidence"] <= high)
            assert inside.sum() == count
            correct, confidence = terms["correct"][inside], terms["confidence"][inside]
            assert gap.value == pytest.approx(correct.mean() - confidence.mean())
            assert gap.low <= gap.value <= gap.high
            mistakes = int((~correct).sum())
            chances = reduce(np.convolve, ([each, 1 - each] for each in confidence), np.ones(1))
            tails = chances[mistakes:].sum(), chances[: mistakes + 1].sum()
            assert (min(tails) < 0.025) == (not gap.low <= 0 <= gap.high)
    there = np.concatenate([terms["confidence"] for terms in predictors.values()])
    fewest = [reliability(terms, np.array(CONFIDENCE_EDGES)).count for terms in predictors.values()]
    if np.min(fewest, axis=0).min() >= 50:
        assert list(edges) == list(CONFIDENCE_EDGES)
    assert edges[0] <= there.min() <= there.max() <= edges[-1]


def test_neighbours_of_few_examples_are_merged_from_the_lowest_on_and_empty_ends_are_left_out() -> None:
    def edges(*counts: int) -> list[float]:
        confidence = np.repeat([0.6, 0.85, 0.92, 0.97], counts)
        terms = make_terms(confidence > 0, confidence)
        return reliability_near_one({"a": terms, "b": terms})["b"][0].edges.tolist()

    assert edges(50, 50, 50, 50) == [0.5, 0.8, 0.9, 0.95, 0.98]
    assert edges(49, 1, 50, 49) == [0.5, 0.9, 0.98]
    assert edges(0, 30, 10, 60) == [0.8, 0.98]
    assert edges(0, 0, 3, 0) == [0.9, 0.95]


def test_predictors_that_come_later_change_no_figure() -> None:
    probs, labels = draw_coarse_probs(300, 3, 0, passes=4)
    predictors = {
        "single_pass": calibration_terms(probs, labels),
        "deterministic": calibration_terms(probs[:1], labels),
    }
    predictors["ensemble"] = calibration_terms(probs.mean(axis=0, keepdims=True), labels)
    first = calibration(
        {name: predictors[name] for name in ("ensemble", "deterministic")}, confidence=0.9, resamples=50
    )
    found = add_predictors(first, {"single_pass": predictors["single_pass"]}, resamples=50)
    expected = calibration(predictors, confidence=0.9, resamples=50)
    np.testing.assert_equal(asdict(found), asdict(expected))


@given(*CASES, st.integers(1, 3))
def test_blocks_of_examples_give_the_same_terms(examples: int, classes: int, seed: int, passes: int) -> None:
    probs, labels = draw_coarse_probs(examples, classes, seed, passes)
    cut = seed % (examples + 1)
    blocks = join_terms(
        [calibration_terms(probs[:, :cut], labels[:cut]), calibration_terms(probs[:, cut:], labels[cut:])]
    )
    for name, values in calibration_terms(probs, labels).items():
        np.testing.assert_array_equal(blocks[name], values)


def draw_labels_at(promised: float, examples: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of 3 classes whose labels are drawn at the temperature `promised`: above 1 is over-confident."""
    random = np.random.default_rng(seed)
    probs = random.dirichlet(np.ones(3), examples)
    truth = apply_temperature(probs, promised)
    return probs, (random.random((examples, 1)) > truth.cumsum(axis=1)[:, :2]).sum(axis=1)


@pytest.mark.parametrize(
    ("promised", "verdict"),
    [
        (2.0, "The ensemble is over-confident by"),
        (0.5, "The ensemble is under-confident by"),
        (1.0, "No miscalibration of the ensemble is found"),
    ],
)
def test_the_verdict_is_that_of_how_labels_were_drawn(promised: float, verdict: str) -> None:
    probs, labels = draw_labels_at(promised)
    terms = calibration_terms(probs[None], labels)
    found = calibration({"deterministic": terms, "ensemble": terms}, resamples=200)
    sentence = calibration_in_words(found)
    assert sentence.startswith(verdict), sentence
    difference = found.figures["ensemble"]["overconfidence"].value
    if promised != 1:
        assert f"by {100 * abs(difference):.2f} percentage points (95% interval " in sentence
    assert "Its accuracy is that of the deterministic model; the NLLs do not differ beyond noise." in sentence


def test_too_high_here_and_too_low_there_is_not_well_calibrated() -> None:
    confidence = np.repeat([0.6, 0.9], 1000)
    correct = np.r_[np.arange(1000) < 750, np.arange(1000) < 750]  # 0.15 too low, 0.15 too high
    terms = make_terms(correct, confidence)
    sentence = calibration_in_words(calibration({"ensemble": terms}))
    assert sentence.startswith("The ensemble is over-confident in places and under-confident in others: ")
    assert "its ECE of 15.00% is more than chance explains, up to " in sentence


def noisy(probs: np.ndarray, sharpness: float, seed: int) -> np.ndarray:
    return apply_temperature(probs * np.random.default_rng(seed).gamma(sharpness, 1 / sharpness, probs.shape), 1)


@pytest.mark.parametrize(("other", "words"), [(2, ("above", "more than noise", "better")), (5000, ("", "noise", ""))])
def test_a_gain_is_told_from_noise(other: float, words: tuple[str, str, str]) -> None:
    probs, labels = draw_labels_at(1.0)
    found = calibration(
        {
            "single_pass": calibration_terms(noisy(probs, other, 1)[None], labels),
            "ensemble": calibration_terms(probs[None], labels),
        }
    )
    sentence = calibration_in_words(found)
    gain = found.differences["single_pass"]["accuracy"]
    assert (gain.low > 0) == (other == 2)
    assert all(word in sentence for word in words), sentence
    assert ("more than noise" in sentence) == (other == 2)


def test_a_difference_is_paired_and_the_ensemble_less_the_other() -> None:
    probs, labels = draw_labels_at(1.0)
    predictors = {
        "deterministic": calibration_terms(noisy(probs, 50, 1)[None], labels),
        "ensemble": calibration_terms(probs[None], labels),
    }
    found = calibration(predictors)
    difference, both = found.differences["deterministic"], found.figures
    assert list(found.differences) == ["deterministic"]
    for name in CALIBRATION_MEASURES:
        expected = both["ensemble"][name].value - both["deterministic"][name].value
        assert difference[name].value == pytest.approx(expected, abs=1e-12), name
    paired, alone = difference["brier"], both["ensemble"]["brier"]
    assert paired.high - paired.low < (alone.high - alone.low) / 3


def test_an_interval_is_as_wide_as_the_figure_varies_between_samples_and_the_unseen_may_cost() -> None:
    samples = [draw_labels_at(2.0, examples=1000, seed=seed) for seed in range(60)]
    values = [calibration_figures(calibration_terms(*sample)) for sample in samples]
    unseen = 1 - 0.025 ** (1 / 1000)  # of the examples
    for name, most in (("accuracy", 0), ("nll", np.log(131068)), ("brier", 2), ("overconfidence", 0)):
        spread = np.std([each[name].value for each in values], ddof=1)
        width = np.mean([each[name].high - each[name].low for each in values])
        assert 0.65 * 2 * 1.96 * spread < width < 1.35 * 2 * 1.96 * spread + most * unseen, name


def of_few(confidence: float, examples: int, mistakes: int) -> Calibration:
    """Two classes, one confidence."""
    probs = np.tile([confidence, 1 - confidence], (1, examples, 1))
    return calibration(
        {"ensemble": calibration_terms(probs, (np.arange(examples) < mistakes).astype(int))}, resamples=50
    )


@pytest.mark.parametrize(
    ("confidence", "examples", "mistakes", "verdict"),
    [
        (0.984, 50, 0, "There are too few mistakes to tell whether the ensemble is calibrated: 0 of 50, 0.8 expected."),
        (0.9, 2, 0, "There are too few mistakes to tell"),
        (0.98, 100, 2, "There are too few mistakes to tell"),
        (0.51, 2, 1, "There are too few mistakes to tell"),
        (0.98, 100, 20, "The ensemble is over-confident by 18.00 percentage points (95% interval "),
        (0.9, 100, 0, "The ensemble is under-confident by 10.00 percentage points (95% interval "),
        (
            0.9,
            100,
            10,
            "No miscalibration of the ensemble is found: its confidence − accuracy may be anywhere between "
            "−5.28 and +8.00 percentage points (95% interval).",
        ),
    ],
)
def test_few_mistakes_are_no_verdict_unless_they_are_too_many_or_too_few(
    confidence: float, examples: int, mistakes: int, verdict: str
) -> None:
    assert calibration_in_words(of_few(confidence, examples, mistakes)).startswith(verdict)


@given(st.integers(2, 60), st.floats(0.5, 1), st.data())
def test_the_verdict_and_the_interval_never_disagree(examples: int, confidence: float, data: st.DataObject) -> None:
    found = of_few(confidence, examples, data.draw(st.integers(0, examples)))
    over, said = found.figures["ensemble"]["overconfidence"], calibration_in_words(found)
    assert (over.low > 0) == said.startswith("The ensemble is over-confident by")
    assert (over.high < 0) == said.startswith("The ensemble is under-confident by")


@given(*CASES, st.integers(1, 3))
def test_no_interval_leaves_out_its_own_figure(examples: int, classes: int, seed: int, passes: int) -> None:
    predictors = {
        name: calibration_terms(*draw_coarse_probs(examples, classes, seed, size))
        for name, size in (("ensemble", 1), ("single_pass", passes))
    }
    found = calibration(predictors, resamples=20)
    for each in (*found.figures.values(), *found.differences.values()):
        for name in CALIBRATION_MEASURES:
            interval = each[name]
            assert np.isnan(interval.low) or interval.low - 1e-12 <= interval.value <= interval.high + 1e-12, name


@pytest.mark.parametrize("mistakes", [0, 4, 50, 96, 100])
def test_the_interval_of_an_nll_leaves_room_for_mistakes_that_cost_more(mistakes: int) -> None:
    found = of_few(0.6, 100, mistakes).figures["ensemble"]
    assert np.isfinite([found["accuracy"].low, found["overconfidence"].low, found["nll"].low, found["brier"].low]).all()
    unseen = np.log(131068) * (1 - 0.025 ** (1 / 100))  # of the share of examples that may be wrong though none is
    assert found["nll"].high >= unseen
    assert found["brier"].high > found["brier"].value


def test_an_ece_stands_beside_what_chance_gives_and_has_no_interval() -> None:
    probs, labels = draw_labels_at(1.0, examples=500)
    result = calibration({"ensemble": calibration_terms(probs, labels)})
    found, by_chance = result.figures["ensemble"], result.eces_by_chance["ensemble"]["ece"]
    assert np.isnan([end for name in ECES for end in (found[name].low, found[name].high)]).all()
    random, confidence = np.random.default_rng(5), probs.max(axis=1)
    bins = np.ceil(15 * confidence).astype(int)
    draws = ((random.random(500) < confidence) - confidence for _ in range(1000))
    eces = [np.abs(np.bincount(bins, excess)).sum() / 500 for excess in draws]
    assert by_chance == pytest.approx(np.quantile(eces, 0.99), rel=0.1)  # 1 of the 5 in 100
    assert found["ece"].value < by_chance


def test_of_few_examples_the_gain_in_nll_is_not_judged() -> None:
    predictors = {
        name: of_few(p, 50, 2).predictors["ensemble"] for name, p in (("ensemble", 0.9), ("deterministic", 0.95))
    }
    said = calibration_in_words(calibration(predictors, resamples=50))
    assert said.endswith("there are too few examples to tell whether the NLLs differ.")


@pytest.mark.parametrize(("gained", "said"), [(6, "within noise"), (7, "more than noise")])
def test_a_gain_in_accuracy_takes_seven_changes(gained: int, said: str) -> None:
    """McNemar's exact test of changes that are all gains has p = 2 / 2**changes; the NLL in the sentence halves 5%."""
    one, other = (np.arange(200) >= mistakes for mistakes in (20, 20 + gained))
    predictors = {
        name: make_terms(right, np.full(200, 0.9)) | {"nll": 1.0 - right}
        for name, right in (("ensemble", one), ("deterministic", other))
    }
    assert f"that of the deterministic model, {said}" in calibration_in_words(calibration(predictors, resamples=50))


def test_groups_are_measured_alone() -> None:
    probs, labels = draw_labels_at(2.0, examples=900)
    terms, groups = calibration_terms(probs[None], labels), np.arange(900) % 3 * 5
    found = calibration_by_group({"ensemble": terms}, groups, resamples=50)
    assert list(found) == [0, 5, 10]
    alone = calibration({"ensemble": calibration_terms(probs[None, groups == 5], labels[groups == 5])}, resamples=50)
    assert repr(found[5].figures) == repr(alone.figures)  # NaN, which is no interval, is not equal to itself


def test_of_a_small_group_without_mistakes_the_accuracy_may_still_be_lower() -> None:
    (only,) = calibration_by_group(
        {"ensemble": calibration_terms(np.tile([0.9, 0.1], (1, 8, 1)), np.zeros(8, int))}, np.zeros(8)
    ).values()
    accuracy = only.figures["ensemble"]["accuracy"]
    assert (accuracy.value, accuracy.high) == (1, 1)
    assert accuracy.low == pytest.approx(0.025 ** (1 / 8))


def test_the_temperature_is_that_of_the_labels_and_of_another_optimiser() -> None:
    for promised in (0.6, 1.0, 2.5):
        probs, labels = draw_labels_at(promised, examples=20_000)
        found = fit_temperature(probs, labels)
        assert found == pytest.approx(promised, rel=0.06)

        def nll(log_value, probs=probs, labels=labels) -> float:
            scaled = apply_temperature(probs, float(np.exp(log_value[0])))
            return -np.log(scaled[np.arange(len(labels)), labels]).mean()

        assert found == pytest.approx(float(np.exp(minimize(nll, [0.0], method="Nelder-Mead").x[0])), rel=1e-3)


def test_temperature_scaling_mends_calibration_without_a_look_at_an_example_s_own_label() -> None:
    probs, labels = draw_labels_at(2.0)
    scaled = cross_fit_temperature(probs, labels)
    np.testing.assert_allclose(scaled.sum(axis=1), 1)
    np.testing.assert_array_equal(scaled.argmax(axis=1), probs.argmax(axis=1))
    found = calibration({"ensemble": calibration_terms(scaled[None], labels)})
    assert abs(found.figures["ensemble"]["overconfidence"].value) < 0.02
    first, second = np.array_split(np.random.default_rng(0).permutation(len(labels)), 2)
    expected = apply_temperature(probs[first], fit_temperature(probs[second], labels[second]))
    np.testing.assert_allclose(scaled[first], expected)


def test_chance_explains_the_ece_of_a_calibrated_model_as_often_as_it_says() -> None:
    below = 0
    for seed in range(200):
        probs, labels = draw_labels_at(1.0, examples=300, seed=seed)
        terms = calibration_terms(probs[None], labels)
        (chance,) = ece_by_chance(terms, equal_width_edges(), confidence=0.8, resamples=100)
        below += reliability(terms, equal_width_edges()).ece <= chance
    assert below / 200 == pytest.approx(0.8, abs=0.09)  # 3 standard errors


@pytest.mark.slow
def test_ten_thousand_examples_take_a_moment() -> None:
    probs, labels = RANDOM.dirichlet(np.ones(10), 10_000), RANDOM.integers(10, size=10_000)
    predictors = dict.fromkeys(("deterministic", "single_pass", "ensemble"), calibration_terms(probs[None], labels))
    started = time.process_time()
    calibration(predictors)
    assert time.process_time() - started < 10  # 1 to 2 s; a loop over resamples and bins takes minutes


@pytest.mark.slow
def test_of_very_many_examples_the_figures_and_nearly_the_intervals_are_those_of_all(monkeypatch) -> None:
    random = np.random.default_rng(0)
    probs = random.dirichlet([4, 1, 1], 30_000)
    labels = (random.random((30_000, 1)) > probs.cumsum(axis=1)[:, :2]).sum(axis=1)
    predictors = {
        "ensemble": calibration_terms(probs[None], labels),
        "deterministic": calibration_terms(probs[None] ** 2, labels),
    }
    monkeypatch.setattr(intervals, "MOST_DRAWN", 30_000)
    every = calibration(predictors, resamples=400)
    monkeypatch.setattr(intervals, "MOST_DRAWN", 3_000)
    some = calibration(predictors, resamples=400)
    for of_some, expected in (
        (some.figures["deterministic"], every.figures["deterministic"]),
        (some.differences["deterministic"], every.differences["deterministic"]),
    ):
        for name in ("accuracy", "nll", "brier", "overconfidence"):
            found, of_all = of_some[name], expected[name]
            assert found.value == pytest.approx(of_all.value, rel=1e-9, abs=1e-12)
            width = of_all.high - of_all.low
            assert found.high - found.low == pytest.approx(width, rel=0.25)
            assert (found.low, found.high) == pytest.approx((of_all.low, of_all.high), abs=0.25 * width)


EXAMPLES = 400


def step(confidence: float, deterministic: float, accuracy: float) -> Calibration:
    """An ensemble and a deterministic model of two classes with one confidence each, right as often as said."""
    labels = (np.arange(EXAMPLES) >= accuracy * EXAMPLES).astype(int)

    def terms(p: float) -> np.ndarray:
        return np.tile([p, 1 - p], (1, EXAMPLES, 1)).astype(np.float32)

    return calibration(
        {
            "ensemble": calibration_terms(terms(confidence), labels),
            "deterministic": calibration_terms(terms(deterministic), labels),
        }
    )


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([(0.9, 0.9, 0.9), (0.8, 0.8, 0.5)], "makes the NLL neither better nor worse, beyond noise."),
        ([(0.9, 0.9, 0.9), (0.9, 0.6, 0.55)], "makes the NLL worse by "),
        ([(0.9, 0.9, 0.9), (0.6, 0.9, 0.55)], "makes the NLL better by "),
        ([(0.9, 0.99, 1.0), (0.9, 0.99, 0.99)], "There are too few examples to tell whether averaging passes"),
    ],
)
def test_averaging_is_said_to_harm_or_to_help_where_the_nlls_differ_beyond_noise(
    steps: list[tuple[float, float, float]], said: str
) -> None:
    assert said in degradation_sentences([step(*each) for each in steps])[0]


def test_the_gain_is_that_of_all_steps_together() -> None:
    steps = [step(0.9, 0.8, 0.9), step(0.9, 0.6, 0.5)]
    said = degradation_sentences(steps)[0]
    gains = [each.figures["ensemble"]["nll"].value - each.figures["deterministic"]["nll"].value for each in steps]
    assert f"worse by {np.mean(gains):.4f} nats (95% interval " in said


@pytest.mark.parametrize(
    ("confidence", "said"),
    [
        (0.9, "over-confident by 30.0"),
        (
            0.6,
            "no miscalibration is found: confidence − accuracy may be anywhere between −5.1 and +5.2 percentage points",
        ),
        (0.51, "under-confident by 9.0"),
    ],
)
def test_the_end_is_judged_by_its_own_confidence(confidence: float, said: str) -> None:
    sentences = degradation_sentences([step(0.9, 0.9, 0.9), step(confidence, 0.6, 0.6)])
    assert said in sentences[2]
    assert sentences[1] == "The ensemble's accuracy goes from 90.0% to 60.0%."
