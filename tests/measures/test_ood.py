"""The OOD detector on activations whose right decision is known; detection against counting, scikit-learn and laws."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score

from mcviz.measures.ood import (
    ClassSubspaces,
    OODDetector,
    PrincipalSubspace,
    detection,
    detection_intervals,
    harmonic_mean_p,
    nearest_neighbours,
    roc_points,
    unexplained_share,
)
from tests.cases import one_in

CLASSES, DIMENSIONS, OF_A_CLASS, RANK = 3, 400, 120, 4
RANDOM = np.random.default_rng(0)
BASES = RANDOM.normal(size=(CLASSES, RANK, DIMENSIONS))


def activations(labels: np.ndarray, seed: int) -> np.ndarray:
    """Each class in a subspace of its own, with a little noise around it."""
    random = np.random.default_rng(seed)
    inside = np.einsum("nr,nrd->nd", random.normal(2, 1, (len(labels), RANK)), BASES[labels])
    return (inside + 0.1 * random.normal(size=inside.shape)).astype(np.float32)


LABELS = np.arange(CLASSES * OF_A_CLASS) % CLASSES
KNOWN = activations(LABELS, 1)
CONFIDENT = 0.94 * np.eye(CLASSES) + 0.02


def confident_of(labels: np.ndarray, seed: int) -> np.ndarray:
    uncertainty = np.random.default_rng(seed).uniform(0, 0.1, (len(labels), 1))
    return (1 - uncertainty) * CONFIDENT[labels] + uncertainty / CLASSES


def test_residuals_are_those_of_principal_components() -> None:
    random = np.random.default_rng(2)
    spectrum = 0.95 ** np.arange(DIMENSIONS)  # so that it is clear which direction is the last one taken
    known, others = (random.normal(1, 1, (count, DIMENSIONS)) * spectrum for count in (360, 12))
    subspaces = ClassSubspaces.fit(known.astype(np.float32), LABELS, CLASSES)
    unit = known / np.linalg.norm(known, axis=1, keepdims=True)
    deviations = others / np.linalg.norm(others, axis=1, keepdims=True) - unit.mean(axis=0)
    unexplained = subspaces.unexplained(others.astype(np.float32))
    for c in range(CLASSES):
        of_class = unit[c == LABELS] - unit.mean(axis=0)
        # Components about the origin: with the negatives added, the mean that scikit-learn takes away is zero.
        pca = PCA(60, svd_solver="full").fit(np.concatenate([of_class, -of_class]))
        rest = deviations - pca.inverse_transform(pca.transform(deviations))
        expected = np.square(rest).sum(axis=1) / np.square(deviations).sum(axis=1)
        np.testing.assert_allclose(unexplained[:, c], expected, atol=1e-4)


@pytest.mark.parametrize(("examples", "dimensions", "expected"), [(60, DIMENSIONS, 10), (360, 40, 10)])
def test_directions_are_orthonormal_and_at_most_half_the_examples_and_a_quarter_of_the_dimensions(
    examples: int, dimensions: int, expected: int
) -> None:
    subspaces = ClassSubspaces.fit(KNOWN[:examples, :dimensions], LABELS[:examples], CLASSES)
    for directions in subspaces.directions:
        assert directions.shape == (dimensions, expected)
        np.testing.assert_allclose(directions.T @ directions, np.eye(expected), atol=1e-4)


@pytest.fixture(scope="module")
def subspaces() -> ClassSubspaces:
    return ClassSubspaces.fit(KNOWN, LABELS, CLASSES)


def test_a_class_explains_its_own_and_nothing_explains_what_is_in_no_subspace(subspaces: ClassSubspaces) -> None:
    labels = np.arange(30) % CLASSES
    unexplained = subspaces.unexplained(activations(labels, 3))
    assert (unexplained.argmin(axis=1) == labels).all()
    unlike_all = np.random.default_rng(4).normal(size=(30, DIMENSIONS)).astype(np.float32)
    assert subspaces.unexplained(unlike_all).min() > unexplained[np.arange(30), labels].max()


def test_a_share_is_the_mean_over_the_classes_that_the_passes_see(subspaces: ClassSubspaces) -> None:
    probs = np.array([[0.5, 0.3, 0.2]])
    expected = (probs * subspaces.unexplained(KNOWN[:1])).sum()
    assert unexplained_share(subspaces, probs, KNOWN[:1])[0] == pytest.approx(expected)


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_brightness_does_not_matter(subspaces: ClassSubspaces, scale: float) -> None:
    np.testing.assert_allclose(subspaces.unexplained(scale * KNOWN[:9]), subspaces.unexplained(KNOWN[:9]), atol=1e-4)


def test_silent_activations_and_classes_without_examples_are_no_trouble() -> None:
    subspaces = ClassSubspaces.fit(KNOWN, LABELS, CLASSES + 1)
    assert (subspaces.unexplained(KNOWN)[:, CLASSES] == 1).all()
    assert np.isfinite(subspaces.unexplained(np.zeros((2, DIMENSIONS), np.float32))).all()


def calibrated(seed: int, count: int) -> OODDetector:
    """Fitted on the known ones, and calibrated on as many others of their kind."""
    labels = np.arange(count) % CLASSES
    subspaces = ClassSubspaces.fit(KNOWN, LABELS, CLASSES)
    mean_probs = confident_of(labels, seed)
    unexplained = unexplained_share(subspaces, mean_probs, activations(labels, seed + 1))
    return OODDetector.calibrate(subspaces, mean_probs, unexplained)


@pytest.fixture(scope="module")
def detector() -> OODDetector:
    return calibrated(20, 399)


def test_new_examples_of_the_same_kind_are_stopped_as_often_as_it_says(detector: OODDetector) -> None:
    labels = np.arange(3000) % CLASSES
    found = detector.predict(confident_of(labels, 7), activations(labels, 8))
    assert found.is_ood.mean() == pytest.approx(0.05, abs=0.03)
    assert found.percentile.mean() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("count", one_in(6, [19, 59, 199]))
@pytest.mark.parametrize("tied", [False, True])
def test_in_simulation_at_most_5_percent_are_stopped_and_hardly_fewer(count: int, tied: bool) -> None:
    """Of each draw of calibration examples: what share of new ones is stopped? Its mean is what is promised."""
    random = np.random.default_rng(count)
    no_subspaces = ClassSubspaces(np.zeros(1, np.float32), ())
    shares = []
    for _ in range(1200):
        both = random.gamma(0.3, size=(2, count + 40))  # as skewed as doubts are
        both[1] += 0.5 * both[0]
        if tied:
            both = both.round(1)
        detector = OODDetector(no_subspaces, *both[:, :count])
        shares.append(detector.classify(*both[:, count:]).is_ood.mean())
    error = np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) <= 0.05 + 4 * error
    if not tied:  # ties of the two ranks alone are left, (1, 2) and (2, 1)
        assert np.mean(shares) >= 0.05 - 1 / (count + 1) - 4 * error


def test_the_p_value_is_the_rank_among_all_examples_together(detector: OODDetector) -> None:
    """By hand: every rank is counted in one list of the calibration examples and the new one."""
    labels = np.arange(12) % CLASSES
    probs, new = confident_of(labels, 30), activations(labels, 31)
    found = detector.predict(probs, new)
    unexplained = unexplained_share(detector.subspaces, probs, new)
    for place in range(12):
        u = [*detector.uncertainty, 1 - probs[place].max()]
        v = [*detector.unexplained, unexplained[place]]
        ranks = [[sum(other >= value for other in values) / len(values) for value in values] for values in (u, v)]
        combined = [2 / (1 / a + 1 / b) for a, b in zip(*ranks, strict=True)]
        assert found.p_uncertainty[place] == pytest.approx(ranks[0][-1])
        assert found.p_unexplained[place] == pytest.approx(ranks[1][-1])
        assert found.combined[place] == pytest.approx(combined[-1])
        assert found.p_value[place] == pytest.approx(np.mean([each <= combined[-1] for each in combined]))


def test_the_calibration_examples_themselves_are_stopped_as_often_as_it_says(detector: OODDetector) -> None:
    assert 0.03 <= detector.calibration_share <= 0.05


def test_uncertainty_alone_or_unexplained_activations_alone_are_enough(detector: OODDetector) -> None:
    labels = np.zeros(20, int)
    known, confident = activations(labels, 9), confident_of(labels, 10)
    uncertain = np.full((20, CLASSES), 1 / CLASSES)
    unlike_all = np.random.default_rng(11).normal(size=(20, DIMENSIONS)).astype(np.float32)
    assert detector.predict(confident, known).is_ood.mean() <= 0.2
    usual = detector.predict(confident, known).ood_score
    for found in (detector.predict(uncertain, known), detector.predict(confident, unlike_all)):
        assert found.is_ood.all()
        assert (found.percentile < 0.05).all()
        assert found.ood_score.min() > np.median(usual)


def test_too_few_examples_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 19 in-distribution examples to be calibrated\. Received: 18"):
        calibrated(0, 18)


P_VALUES = st.lists(st.floats(1e-4, 1), min_size=2, max_size=5)


@given(P_VALUES)
def test_the_harmonic_mean_agrees_with_scipy_and_lies_between_the_ends(values: list[float]) -> None:
    column = np.array(values)[:, None]
    assert harmonic_mean_p(column)[0] == pytest.approx(stats.hmean(values))
    assert min(values) - 1e-12 <= harmonic_mean_p(column)[0] <= max(values) + 1e-12


@given(P_VALUES, st.data())
def test_more_evidence_never_speaks_for_an_example(values: list[float], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(values) - 1))
    column, stronger = np.array(values)[:, None], np.array(values)[:, None].copy()
    stronger[at] /= 2
    assert harmonic_mean_p(stronger)[0] <= harmonic_mean_p(column)[0] + 1e-12


def test_full_confidence_cannot_make_up_for_what_is_farther_out_than_all_that_is_known() -> None:
    assert harmonic_mean_p(np.array([[1 / 101], [1.0]]))[0] < 0.05


def test_neighbours_are_those_of_a_slow_loop() -> None:
    known, vectors = RANDOM.normal(size=(30, 4)), RANDOM.normal(size=(7, 4))
    expected = [np.sort([np.linalg.norm(vector - each) for each in known])[:10].mean() for vector in vectors]
    np.testing.assert_allclose(nearest_neighbours(known, vectors), expected)


def test_of_few_vectors_all_are_neighbours() -> None:
    assert nearest_neighbours(np.zeros((3, 2)), np.array([[3.0, 4.0]])) == [5]


def test_what_lies_in_the_plane_of_the_known_vectors_is_near_and_how_far_the_rest_is_out() -> None:
    plane = RANDOM.normal(size=(200, 2)) @ np.array([[1.0, 0, 0], [0, 1, 0]]) + [5, 5, 2]
    span = PrincipalSubspace.fit(plane)
    assert span.components.shape == (2, 3)
    np.testing.assert_allclose(span.distance(np.array([[9.0, -3, 2], [5, 5, 6], [1, 2, -1]])), [0, 4, 3], atol=1e-9)


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_as_many_components_are_taken_as_explain_nine_tenths(share: float) -> None:
    spread = np.sqrt([share, 1 - share])
    known = RANDOM.normal(size=(4000, 2)) * spread
    assert len(PrincipalSubspace.fit(known).components) == (2 if share < 0.9 else 1)


SCORES = st.lists(st.integers(1, 12), min_size=1, max_size=30).map(lambda values: np.log(np.array(values) / 3))


def counted(in_dist: np.ndarray, ood: np.ndarray) -> tuple[float, float]:
    """AUROC over all pairs, and FPR95 over all thresholds, by counting."""
    wins = [(o > i) + 0.5 * (o == i) for o in ood for i in in_dist]
    passing = [
        np.mean([o < line for o in ood])
        for line in [*np.unique(np.r_[in_dist, ood]), np.inf]
        if np.mean([i < line for i in in_dist]) >= 0.95
    ]
    return float(np.mean(wins)), float(min(passing))


@given(SCORES, SCORES)
@example(np.r_[np.zeros(18), 1, 2], np.array([1.0, 2.0]))  # its curve is straight where it reaches 95%
def test_figures_agree_with_counting(in_dist: np.ndarray, ood: np.ndarray) -> None:
    found = detection(in_dist, ood)
    auroc, fpr95 = counted(in_dist, ood)
    assert found.auroc == pytest.approx(auroc, abs=1e-9)
    assert found.fpr95 == pytest.approx(fpr95, abs=1e-9)
    truth = np.r_[np.zeros(len(in_dist)), np.ones(len(ood))]
    assert found.average_precision == pytest.approx(average_precision_score(truth, np.r_[in_dist, ood]))


def test_apart_and_alike_are_the_two_ends() -> None:
    apart = detection(np.arange(10.0), np.arange(20.0, 25.0))
    assert (apart.auroc, apart.fpr95, apart.average_precision) == (1, 0, 1)
    alike = detection(np.zeros(10), np.zeros(10))
    assert (alike.auroc, alike.fpr95, alike.average_precision) == (0.5, 1, 0.5)


@pytest.mark.slow
def test_bootstrap_resamples_as_a_slow_loop_does() -> None:
    random = np.random.default_rng(1)
    in_dist, ood = random.integers(0, 40, 300) / 10, random.integers(10, 60, 120) / 10
    slow = []
    for _ in range(400):
        i, o = random.choice(in_dist, len(in_dist)), random.choice(ood, len(ood))
        each = detection(i, o)
        slow.append([each.auroc, each.fpr95, each.average_precision])
    expected = np.quantile(slow, [0.025, 0.975], axis=0)
    low, high = detection_intervals(in_dist, ood, resamples=400)
    for name, column in zip(("auroc", "fpr95", "average_precision"), expected.T, strict=True):
        width = column[1] - column[0]
        assert getattr(low, name) == pytest.approx(column[0], abs=0.2 * width)
        assert getattr(high, name) == pytest.approx(column[1], abs=0.2 * width)


@given(SCORES, SCORES)
def test_intervals_are_ordered_and_within_bounds_and_the_same_again(in_dist, ood) -> None:
    low, high = detection_intervals(in_dist, ood, resamples=20)
    assert detection_intervals(in_dist, ood, resamples=20) == (low, high)
    found = detection(in_dist, ood)
    for name in ("auroc", "fpr95", "average_precision"):
        assert getattr(low, name) - 1e-9 <= getattr(found, name) <= getattr(high, name) + 1e-9
        assert -1e-9 <= getattr(low, name) <= getattr(high, name) <= 1 + 1e-9


@pytest.mark.slow
def test_intervals_cover_the_truth_about_as_often_as_they_claim() -> None:
    random, covered = np.random.default_rng(2), 0
    truth = 0.76025  # of two normal distributions one standard deviation apart: Phi(1 / sqrt(2))
    for seed in range(100):
        low, high = detection_intervals(random.normal(size=200), random.normal(1, 1, 200), resamples=200, seed=seed)
        covered += low.auroc <= truth <= high.auroc
    assert 86 <= covered <= 100  # of 95 expected; fewer than 86 has a chance below 0.001


@given(SCORES, SCORES)
def test_roc_points_are_what_thresholds_reach_and_the_straight_lines_between(in_dist, ood) -> None:
    rates = np.array([0, 0.1, 0.5, 1.0])
    reached = [(np.mean(in_dist >= line), np.mean(ood >= line)) for line in [*np.r_[in_dist, ood], np.inf]]
    expected = []
    for rate in rates:
        x, y = max(point for point in reached if point[0] <= rate)
        to_x, to_y = min((point for point in reached if point[0] > rate), default=(1 + x, y))
        expected.append(y + (to_y - y) * (rate - x) / (to_x - x))
    np.testing.assert_allclose(roc_points(in_dist, ood, rates), expected, atol=1e-9)


COUNTS = st.lists(st.integers(0, 2000), min_size=4, max_size=4).filter(any)


@given(COUNTS, COUNTS)
def test_the_area_under_the_drawn_curve_is_the_auroc_however_many_examples_tie(in_dist, ood) -> None:
    tied = [np.repeat(np.arange(4.0), counts) for counts in (in_dist, ood)]
    rates = np.linspace(0, 1, 1001)
    area = np.trapezoid(roc_points(*tied, rates), rates)
    assert area == pytest.approx(detection(*tied).auroc, abs=0.005)
