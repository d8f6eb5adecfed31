"""Measures of segmentation against torchmetrics, scikit-learn and plain loops in float64, and what always holds."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, jaccard_score

from mcviz.measures.registry import SEGMENTATION_SCORES, SegmentationPredictions
from mcviz.measures.segmentation import (
    NO_BACKGROUND,
    areas,
    count_overlaps,
    dice_per_pass,
    foreground_entropy,
    majority,
    mean_entropy,
    mean_mutual_information,
    pairwise_dice,
    pairwise_dice_by_class,
    reduce_label_maps,
    reduce_probabilities,
    soft_dice_confidence,
    soft_dice_of_passes,
    window_entropy,
)
from tests.requiring import require_torch

seeds = st.integers(0, 10**6)


def draw_maps(seed: int, *shape: int, classes: int = 4) -> np.ndarray:
    """Label maps in which classes are often missing: the number of an image's classes is drawn, too."""
    rng = np.random.default_rng(seed)
    maps = rng.integers(0, rng.integers(1, classes + 1, (*shape[:-2], 1, 1)), shape)
    return maps.astype(np.uint8)


def draw_probs(seed: int, *shape: int, classes: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.4), shape).astype(np.float32)


def loop_dice(first: np.ndarray, second: np.ndarray, classes: int, background: int) -> float:
    """The mean Dice of two maps, pixel by pixel as it is defined."""
    valid = [(int(a), int(b)) for a, b in zip(first.flat, second.flat, strict=True) if b != classes]
    values = []
    for number in range(classes):
        sizes = sum(a == number for a, _ in valid) + sum(b == number for _, b in valid)
        if number != background and sizes:
            values.append(2 * sum(a == b == number for a, b in valid) / sizes)
    if not valid:
        return float("nan")
    return sum(values) / len(values) if values else 1.0


def test_mean_dice_is_that_of_torchmetrics_with_1_for_its_nan() -> None:
    require_torch("torchmetrics")
    import torch
    from torchmetrics.functional.segmentation import dice_score

    @settings(max_examples=40)
    @given(seeds, st.integers(2, 5))
    def check(seed: int, classes: int) -> None:
        prediction, labels = draw_maps(seed, 6, 5, 4, classes=classes), draw_maps(seed + 1, 6, 5, 4, classes=classes)
        prediction[0], labels[0] = 0, 0
        expected = dice_score(
            torch.from_numpy(prediction.astype(np.int64)),
            torch.from_numpy(labels.astype(np.int64)),
            num_classes=classes,
            include_background=False,
            average="macro",
            input_format="index",
            aggregation_level="samplewise",
        ).numpy()
        ours = count_overlaps(prediction, labels, classes, 0).mean_dice
        assert ours == pytest.approx(np.where(np.isnan(expected), 1, expected), abs=1e-6)
        assert ours[0] == 1

    check()


@settings(max_examples=40)
@given(seeds, st.sampled_from([0, 2, NO_BACKGROUND]))
def test_dice_without_ignored_pixels_is_that_of_a_loop(seed: int, background: int) -> None:
    prediction, labels = draw_maps(seed, 4, 5, 6), draw_maps(seed + 1, 4, 5, 6, classes=5)  # 4 is ignored
    labels[0] = 4
    overlaps = count_overlaps(prediction, labels, 4, background)
    expected = [loop_dice(*pair, 4, background) for pair in zip(prediction, labels, strict=True)]
    assert overlaps.mean_dice == pytest.approx(expected, nan_ok=True)
    assert np.isnan(overlaps.mean_dice[0])


def test_dice_and_iou_of_a_class_are_f1_and_jaccard_of_its_pixels() -> None:
    prediction, labels = draw_maps(5, 3, 8, 8), draw_maps(6, 3, 8, 8)
    overlaps = count_overlaps(prediction, labels, 4, 0)
    for image, number in itertools.product(range(3), range(4)):
        ours = prediction[image].ravel() == number, labels[image].ravel() == number
        if not (ours[0] | ours[1]).any():
            assert np.isnan(overlaps.dice[image, number])
            assert np.isnan(overlaps.iou[image, number])
            continue
        assert overlaps.dice[image, number] == pytest.approx(f1_score(ours[1], ours[0]))
        assert overlaps.iou[image, number] == pytest.approx(jaccard_score(ours[1], ours[0]))
    pooled = f1_score(labels[1].ravel(), prediction[1].ravel(), labels=[1, 2, 3], average="micro")
    assert overlaps.pooled_dice[1] == pytest.approx(pooled)


def test_classes_that_the_label_lacks_are_told_from_the_rest_of_the_loss() -> None:
    labels = np.array([[[0, 1, 1, 0]], [[0, 0, 0, 0]], [[0, 1, 2, 2]]], np.uint8)
    prediction = np.array([[[0, 1, 1, 2]], [[0, 0, 1, 1]], [[0, 1, 2, 0]]], np.uint8)
    overlaps = count_overlaps(prediction, labels, 3, 0)
    assert overlaps.mean_dice == pytest.approx([0.5, 0, (1 + 2 / 3) / 2])
    assert overlaps.mean_dice_of_second == pytest.approx([1, np.nan, (1 + 2 / 3) / 2], nan_ok=True)
    assert overlaps.loss_of_surplus == pytest.approx([0.5, 1, 0])


@settings(max_examples=30)
@given(seeds, st.integers(2, 5), st.sampled_from([0, NO_BACKGROUND]))
def test_pairwise_dice_is_the_mean_over_the_pairs_of_a_loop(seed: int, passes: int, background: int) -> None:
    classes = draw_maps(seed, passes, 3, 4, 5)
    pairs = list(itertools.combinations(range(passes), 2))
    expected = [np.mean([loop_dice(classes[i, n], classes[j, n], 4, background) for i, j in pairs]) for n in range(3)]
    assert pairwise_dice(classes, 4, background) == pytest.approx(expected)
    by_class = pairwise_dice_by_class(classes, 4)
    for image, number in itertools.product(range(3), range(4)):
        masks = classes[:, image] == number
        dice = [2 * (masks[i] & masks[j]).sum() / (masks[i].sum() + masks[j].sum()) for i, j in pairs
                if masks[i].any() or masks[j].any()]  # fmt: skip
        assert by_class[image, number] == pytest.approx(np.mean(dice) if dice else np.nan, nan_ok=True)


@settings(max_examples=20)
@given(seeds)
def test_scores_do_not_depend_on_the_order_of_passes_the_images_beside_or_a_mirror(seed: int) -> None:
    classes = draw_maps(seed, 4, 5, 6, 7)
    order = np.random.default_rng(seed).permutation(4)
    expected = pairwise_dice(classes, 4, 0)
    assert np.array_equal(pairwise_dice(classes[:, 2:3], 4, 0), expected[2:3])
    assert pairwise_dice(classes[order], 4, 0) == pytest.approx(expected, abs=1e-12)
    assert np.array_equal(pairwise_dice(classes[..., ::-1], 4, 0), expected)
    assert ((expected >= 0) & (expected <= 1)).all()
    assert (pairwise_dice(classes[[0, 0, 0]], 4, 0) == 1).all()


@pytest.mark.parametrize("shape", [(3, 14, 17), (2, 4, 30), (1, 3, 3)])
def test_the_largest_window_is_that_of_a_search(shape: tuple[int, ...]) -> None:
    entropy = np.random.default_rng(1).random(shape).astype(np.float32)
    height, width = min(10, shape[1]), min(10, shape[2])
    expected = [
        max(
            float(one[y : y + height, x : x + width].astype(np.float64).mean())
            for y in range(shape[1] - height + 1)
            for x in range(shape[2] - width + 1)
        )
        for one in entropy
    ]
    assert window_entropy(entropy) == pytest.approx(expected)


def test_entropies_are_means_over_pixels_and_the_foreground_that_of_the_image_where_there_is_none() -> None:
    entropy = np.random.default_rng(2).random((2, 5, 5)).astype(np.float32)
    predicted = np.zeros((2, 5, 5), np.uint8)
    predicted[0, 1, 2:4] = 1
    assert mean_entropy(entropy) == pytest.approx(entropy.reshape(2, -1).mean(axis=1))
    assert foreground_entropy(entropy, predicted, 0) == pytest.approx([entropy[0, 1, 2:4].mean(), entropy[1].mean()])
    assert mean_mutual_information(entropy) == pytest.approx(mean_entropy(entropy))


def test_soft_dice_confidence_is_its_formula() -> None:
    probs = np.random.default_rng(3).random((3, 4, 4))
    probs[2] = 0
    predicted = (probs > 0.5).astype(np.uint8)
    expected = [
        2 * (p * y).sum() / (p.sum() + y.sum()) if p.sum() + y.sum() else 1
        for p, y in zip(probs, predicted, strict=True)
    ]
    assert soft_dice_confidence(probs, predicted, 0) == pytest.approx(expected)
    assert expected[2] == 1


@settings(max_examples=20)
@given(seeds, st.integers(2, 4))
def test_reducing_passes_one_by_one_gives_what_all_together_give(seed: int, classes: int) -> None:
    probs, labels = draw_probs(seed, 5, 3, 4, 4, classes=classes), draw_maps(seed, 3, 4, 4, classes=classes + 1)
    reduced, exact = reduce_probabilities(probs, labels, 0), probs.astype(np.float64)
    mean = exact.mean(axis=0)
    entropy = -(mean * np.log(mean)).sum(axis=-1)
    expected = -(exact * np.log(np.maximum(exact, 1e-300))).sum(axis=-1).mean(axis=0)
    assert np.array_equal(reduced.classes, probs.argmax(axis=-1))
    assert np.array_equal(reduced.mean_class, mean.argmax(axis=-1))
    assert reduced.mean_confidence == pytest.approx(mean.max(axis=-1), abs=1e-6)
    assert reduced.predictive_entropy == pytest.approx(entropy, abs=1e-5)
    assert reduced.mutual_information == pytest.approx(entropy - expected, abs=1e-5)
    together = [mean_of.argmax(axis=-1) for mean_of in np.cumsum(exact, axis=0)]
    by_size = [[loop_dice(one[n], labels[n], classes, 0) for one in together] for n in range(3)]
    assert reduced.dice_by_ensemble_size == pytest.approx(np.array(by_size), abs=1e-6, nan_ok=True)
    single = [[loop_dice(one[n], labels[n], classes, 0) for one in reduced.classes] for n in range(3)]
    assert dice_per_pass(reduced.classes, labels, classes, 0) == pytest.approx(np.array(single), abs=1e-6, nan_ok=True)


def test_blocks_of_images_and_threads_do_not_change_a_bit() -> None:
    probs, labels = draw_probs(4, 6, 5, 9, 9), draw_maps(4, 5, 9, 9, classes=3)
    whole = reduce_probabilities(probs, labels, 0)
    parts = [reduce_probabilities(probs[:, [n]], labels[[n]], 0) for n in range(5)]
    for name in ("mean_class", "mean_confidence", "predictive_entropy", "mutual_information", "dice_by_ensemble_size"):
        assert np.array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name))


@settings(max_examples=20)
@given(seeds, st.integers(2, 6))
def test_the_majority_of_label_maps_is_that_of_votes_the_lowest_of_equal_ones(seed: int, passes: int) -> None:
    classes, labels = draw_maps(seed, passes, 2, 3, 4), draw_maps(seed + 1, 2, 3, 4)
    predicted, share = majority(classes, 4)
    for place in np.ndindex(predicted.shape):
        votes = np.bincount(classes[:, *place], minlength=4)
        assert predicted[place] == votes.argmax()
        assert share[place] == pytest.approx(votes.max() / passes)
    by_size = reduce_label_maps(classes, labels, 4, 0).dice_by_ensemble_size
    for size in range(1, passes + 1):
        expected = count_overlaps(majority(classes[:size], 4)[0], labels, 4, 0).mean_dice
        assert by_size is not None
        assert by_size[:, size - 1] == pytest.approx(expected)


def test_soft_dice_of_the_passes_is_that_of_their_shares_over_the_classes_that_are_drawn() -> None:
    classes = draw_maps(8, 5, 4, 6, 6)
    drawn = classes[0] * (classes[0] != 3)  # the last class is drawn nowhere
    drawn[2], classes[:, 2] = 0, 0
    drawn[3] = 0
    expected = []
    for image, of_image in enumerate(drawn):
        numbers = [number for number in np.unique(of_image) if number]
        shares = [(classes[:, image] == number).mean(axis=0) for number in numbers]
        pairs = [(p, of_image == number) for p, number in zip(shares, numbers, strict=True)]
        expected.append(np.mean([2 * (p * y).sum() / (p.sum() + y.sum()) for p, y in pairs]) if pairs else image == 2)
    assert soft_dice_of_passes(classes, 4, drawn, 0) == pytest.approx(np.array(expected, float))
    two, drawn = (classes > 1).astype(np.uint8), (classes[0] > 1).astype(np.uint8)
    share = two.mean(axis=0)
    assert soft_dice_of_passes(two, 2, drawn, 0) == pytest.approx(soft_dice_confidence(share, drawn, 0))


def test_areas_are_pixels_of_each_class() -> None:
    classes = draw_maps(8, 3, 2, 5, 5)
    counts = areas(classes, 4)
    assert counts.shape == (3, 2, 4)
    assert (counts.sum(axis=-1) == 25).all()
    assert counts[1, 1, 2] == (classes[1, 1] == 2).sum()


def test_scores_are_those_whose_arrays_are_there() -> None:
    reduced = reduce_probabilities(draw_probs(9, 4, 2, 6, 6, classes=2), None, 0)
    arrays = reduced.mean_class, reduced.mean_confidence, reduced.predictive_entropy, reduced.mutual_information
    known = SegmentationPredictions(reduced.classes, 2, 0, *arrays)
    assert list(SEGMENTATION_SCORES.compute(known)) == list(SEGMENTATION_SCORES)
    of_maps = SegmentationPredictions(reduced.classes, 2, 0, *arrays[:2])
    assert list(SEGMENTATION_SCORES.compute(of_maps)) == ["pairwise_dice", "soft_dice_of_passes"]
    without_background = SegmentationPredictions(reduced.classes, 2, NO_BACKGROUND, *arrays)
    assert "soft_dice_confidence" not in SEGMENTATION_SCORES.compute(without_background)
    with pytest.raises(ValueError, match="labels should have the shape"):
        SegmentationPredictions(reduced.classes, 2, 0, *arrays, labels=reduced.mean_class[:1])
