"""Segmentation: Dice, IoU and scores of label maps.

There are T passes, N images of H × W pixels, and C classes. Label maps are uint8 class indices; label pixels with the
value C are ignored and count in neither map. Dice leaves out the class `background`, or none if it is -1.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy  # loads scipy.special when it is first used

from mcviz.measures.intervals import Interval, bounded_interval, subtract
from mcviz.measures.measure import ClassMeasure, Measure
from mcviz.measures.quality import Quality
from mcviz.measures.registry import (
    SEGMENTATION_SCORES,
    AnyPredictions,
    SegmentationPredictions,
    Terms,
    register,
    require_labels,
)

Array = np.ndarray
score = partial(register, scores=SEGMENTATION_SCORES)

NO_BACKGROUND = -1
BINS = 15  # of the confidence of pixels
CONFIDENCE_STEPS = 254  # of a confidence in a byte
WINDOW = 10  # pixels a side, of the window of `window_entropy`


@dataclass(frozen=True)
class Overlaps:
    """Pixel counts by class of two label maps, image by image.

    Attributes:
        both: (N, C) int64, pixels of the class in both maps.
        either: (N, C) int64, pixels of the first plus the second map; so 2 · both / either is the Dice.
        second: (N, C) int64, pixels of the class in the second map.
        pixels: (N,) int64, pixels that are not ignored.
        background: the class that means leave out.
    """

    both: Array
    either: Array
    second: Array
    pixels: Array
    background: int

    @property
    def dice(self) -> Array:
        """(N, C) float64 Dice (Dice 1945; Sørensen 1948), 0 to 1.

        NaN if the class is in neither map.
        """
        return _divide(2 * self.both, self.either)

    @property
    def iou(self) -> Array:
        """(N, C) float64 intersection over union (Jaccard 1912), 0 to 1.

        NaN if the class is in neither map.
        """
        return _divide(self.both, self.either - self.both)

    @property
    def mean_dice(self) -> Array:
        """(N,) float64 mean Dice over the foreground classes of either map.

        It is 1 without foreground, and NaN if every pixel is ignored. It equals torchmetrics' `dice_score` per image
        with `average="macro"` and `include_background=False`, with 1 for its NaN.
        """
        return self._mean(self._foreground(self.either) > 0, empty=1.0)

    @property
    def mean_dice_of_second(self) -> Array:
        """(N,) float64 mean Dice over the second map's foreground classes.

        Like MONAI's DiceMetric; NaN if the second map has no foreground.
        """
        return self._mean(self._foreground(self.second) > 0, empty=np.nan)

    @property
    def pooled_dice(self) -> Array:
        """(N,) float64 Dice of all foreground pixels (micro average); 1 without foreground."""
        both, either = (self._foreground(counts).sum(axis=1) for counts in (self.both, self.either))
        return self._known(np.where(either > 0, _divide(2 * both, either), 1.0))

    @property
    def loss_of_surplus(self) -> Array:
        """(N,) float64 part of 1 - `mean_dice` due to surplus classes.

        These are foreground classes of the first map that the second lacks.
        """
        there = self._foreground(self.either) > 0
        surplus = there & (self._foreground(self.second) == 0)
        return self._known(surplus.sum(axis=1) / np.maximum(there.sum(axis=1), 1))

    def _foreground(self, by_class: Array) -> Array:
        return by_class if self.background == NO_BACKGROUND else np.delete(by_class, self.background, axis=1)

    def _mean(self, chosen: Array, empty: float) -> Array:
        count = chosen.sum(axis=1)
        total = np.where(chosen, self._foreground(self.dice), 0).sum(axis=1)
        return self._known(np.where(count > 0, total / np.maximum(count, 1), empty))

    def _known(self, values: Array) -> Array:
        return np.where(self.pixels > 0, values, np.nan)


def count_overlaps(first: Array, second: Array, classes: int, background: int) -> Overlaps:
    """Count the pixels that two maps give each class.

    Args:
        first: (N, H, W) uint8, the prediction.
        second: (N, H, W) uint8, the label; a pixel of the value C is ignored in both.
        classes: C.
        background: the class that means leave out, or -1.
    """
    first, second = (maps.reshape(len(maps), -1) for maps in (first, second))
    valid = second < classes
    both, either, of_second = (np.empty((len(first), classes), np.int64) for _ in range(3))
    for number in range(classes):
        in_first, in_second = (first == number) & valid, second == number
        both[:, number] = (in_first & in_second).sum(axis=1)
        of_second[:, number] = in_second.sum(axis=1)
        either[:, number] = in_first.sum(axis=1) + of_second[:, number]
    return Overlaps(both, either, of_second, valid.sum(axis=1), background)


def dice_per_pass(classes: Iterable[Array], labels: Array, class_count: int, background: int) -> Array:
    """Compute the mean Dice of every pass with the label.

    Args:
        classes: T label maps, (N, H, W) uint8 each.
        labels: (N, H, W) uint8.
        class_count: C.
        background: the class that Dice leaves out, or -1.

    Returns:
        (N, T) float32; NaN if every pixel is ignored.
    """
    passes = [count_overlaps(maps, labels, class_count, background).mean_dice for maps in classes]
    return np.stack(passes, axis=1).astype(np.float32)


@dataclass(frozen=True)
class Reduced:
    """The stored results of the passes over N images.

    Attributes:
        classes: (T, N, H, W) uint8, the most probable class of each pass; the lowest of equal ones.
        mean_class: (N, H, W) uint8, that of the mean of the passes, or the class of the most passes.
        mean_confidence: (N, H, W) float32, its mean probability, or its share of the passes.
        predictive_entropy: (N, H, W) float32 in nats, of the mean of the passes; None of label maps.
        mutual_information: (N, H, W) float32 in nats, of class and pass (BALD, Houlsby et al. 2011); None of label
            maps.
        dice_by_ensemble_size: (N, T) float32, mean Dice of the first 1, 2, … passes together; None without labels.
    """

    classes: Array
    mean_class: Array
    mean_confidence: Array
    predictive_entropy: Array | None
    mutual_information: Array | None
    dice_by_ensemble_size: Array | None


def reduce_probabilities(probs: Array, labels: Array | None, background: int) -> Reduced:
    """Reduce the probabilities of a few images, pass by pass.

    It needs extra memory for the sums of one pass.

    Args:
        probs: (T, N, H, W, C) float32.
        labels: (N, H, W) uint8, or None.
        background: the class that Dice leaves out, or -1.
    """
    classes = np.empty(probs.shape[:-1], np.uint8)
    total, entropy = np.zeros(probs.shape[1:]), np.zeros(probs.shape[1:-1])
    by_size = []
    for number, one in enumerate(probs):
        classes[number] = one.argmax(axis=-1)
        total += one
        entropy += scipy.special.entr(one).sum(axis=-1, dtype=np.float64)
        if labels is not None:
            together = total.argmax(axis=-1).astype(np.uint8)
            by_size.append(count_overlaps(together, labels, probs.shape[-1], background).mean_dice)
    total /= len(probs)
    predictive = scipy.special.entr(total).sum(axis=-1)
    return Reduced(
        classes,
        total.argmax(axis=-1).astype(np.uint8),
        total.max(axis=-1).astype(np.float32),
        predictive.astype(np.float32),
        np.maximum(predictive - entropy / len(probs), 0).astype(np.float32),  # rounding can take it below zero
        np.stack(by_size, axis=1).astype(np.float32) if by_size else None,
    )


def reduce_label_maps(classes: Array, labels: Array | None, class_count: int, background: int) -> Reduced:
    """Reduce passes with label maps only; the majority replaces the mean.

    Args:
        classes: (T, N, H, W) uint8.
        labels: (N, H, W) uint8, or None.
        class_count: C.
        background: the class that Dice leaves out, or -1.
    """
    mean_class, share = majority(classes, class_count)
    by_size = None
    if labels is not None:
        by_size = dice_per_pass(_majorities(classes, class_count), labels, class_count, background)
    return Reduced(classes, mean_class, share, None, None, by_size)


def majority(classes: Array, class_count: int) -> tuple[Array, Array]:
    """Return the majority class, the lowest of ties, and its share.

    Args:
        classes: (T, N, H, W) uint8.
        class_count: C.

    Returns:
        (N, H, W) uint8, and (N, H, W) float32 from 1/C to 1.
    """
    most, votes = np.zeros(classes.shape[1:], np.uint8), np.zeros(classes.shape[1:], np.uint16)
    for number in range(class_count):
        count = (classes == number).sum(axis=0, dtype=np.uint16)
        more = count > votes
        most[more], votes[more] = number, count[more]
    return most, (votes / np.float32(len(classes))).astype(np.float32)


def _majorities(classes: Array, class_count: int) -> Iterator[Array]:
    votes = np.zeros((class_count, *classes.shape[1:]), np.uint16)
    for one in classes:
        for number in range(class_count):
            votes[number] += one == number
        yield votes.argmax(axis=0).astype(np.uint8)


def areas(classes: Array, class_count: int) -> Array:
    """Count the pixels of each class in (T, N, H, W) maps: (T, N, C) int64."""
    return np.stack([(classes == number).sum(axis=(-2, -1)) for number in range(class_count)], axis=-1)


def pairwise_dice_by_class(classes: Array, class_count: int) -> Array:
    """Compute the mean Dice of each class over pairs of passes.

    Args:
        classes: (T, N, H, W) uint8.
        class_count: C.

    Returns:
        (N, C) float64, 0 to 1; NaN if no pass has the class. Pairs without the class are left out.
    """
    pairs = np.triu_indices(len(classes), 1)
    result = np.full((classes.shape[1], class_count), np.nan)
    for number, dice in enumerate(_dice_of_pairs(classes, range(class_count))):
        of_pairs = dice[:, *pairs]
        there = ~np.isnan(of_pairs)
        result[:, number] = _divide(np.where(there, of_pairs, 0).sum(axis=1), there.sum(axis=1))
    return result


@score(
    "Pairwise Dice",
    "probability",
    "low",
    "How much the passes agree on what they draw: the mean Dice of two of them. Low: each pass draws something else.",
)
def pairwise_dice(classes: Array, class_count: int, background: int) -> Array:
    """Return the mean Dice between passes (Roy et al. 2019; Zenk et al. 2025).

    It is 0 to 1. Each pair is averaged over the foreground classes that either pass has; two without foreground agree
    with 1.
    """
    shape = classes.shape[1], len(classes), len(classes)
    total, count = np.zeros(shape), np.zeros(shape, np.int64)
    for dice in _dice_of_pairs(classes, (number for number in range(class_count) if number != background)):
        there = ~np.isnan(dice)
        total += np.where(there, dice, 0)
        count += there
    mean = np.where(count > 0, total / np.maximum(count, 1), 1.0)
    return np.asarray(mean[:, *np.triu_indices(len(classes), 1)].mean(axis=1))


@score(
    "Largest window entropy",
    "nats",
    "high",
    f"The mean entropy of the {WINDOW} × {WINDOW} pixels that are the most uncertain. High: somewhere in the image the "
    "ensemble hesitates.",
)
def window_entropy(predictive_entropy: Array) -> Array:
    """Return the largest mean entropy of a square window (Zenk et al. 2025).

    In nats, over patches of the predictive entropy, which are clipped to the size of the image.
    """
    height, width = (min(WINDOW, side) for side in predictive_entropy.shape[1:])
    sums = np.zeros((len(predictive_entropy), *(side + 1 for side in predictive_entropy.shape[1:])))
    sums[:, 1:, 1:] = predictive_entropy.cumsum(axis=1, dtype=np.float64).cumsum(axis=2)
    inside = (
        sums[:, height:, width:] - sums[:, :-height, width:] - sums[:, height:, :-width] + sums[:, :-height, :-width]
    )
    return np.maximum(inside.max(axis=(1, 2)) / (height * width), 0)


@score(
    "Mean entropy",
    "nats",
    "high",
    "The uncertainty of a pixel, over the whole image. High: the ensemble hesitates in much of it.",
)
def mean_entropy(predictive_entropy: Array) -> Array:
    """Return the mean predictive entropy of the pixels, in nats."""
    return np.asarray(predictive_entropy.mean(axis=(1, 2), dtype=np.float64))


@score(
    "Mean entropy of the foreground",
    "nats",
    "high",
    "The uncertainty of a pixel where the ensemble sees something; of the whole image where it sees nothing.",
)
def foreground_entropy(predictive_entropy: Array, mean_class: Array, background: int) -> Array:
    """Return the mean predictive entropy of predicted foreground pixels, in nats."""
    foreground = mean_class != background
    count = foreground.sum(axis=(1, 2))
    total = np.where(foreground, predictive_entropy, 0).sum(axis=(1, 2), dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), mean_entropy(predictive_entropy))


@score(
    "Mean mutual information (BALD)",
    "nats",
    "high",
    "Uncertainty of the model. High: each pass is confident, but of different classes, in much of the image.",
)
def mean_mutual_information(mutual_information: Array) -> Array:
    """Return the mean mutual information of the pixels, in nats (Houlsby et al. 2011)."""
    return np.asarray(mutual_information.mean(axis=(1, 2), dtype=np.float64))


@score(
    "Soft Dice confidence",
    "probability",
    "low",
    "The Dice that the ensemble's own probabilities promise its prediction. Low: it is unsure of what it draws.",
)
def soft_dice_confidence(foreground_probability: Array, mean_class: Array, background: int) -> Array:
    """Return 2 Σ p·y / (Σ p + Σ y), 0 to 1 (Borges et al. 2024).

    p is the foreground's probability and y the prediction, of two classes with a background; 1 if both sums are 0.
    """
    predicted = mean_class != background
    both = np.where(predicted, foreground_probability, 0).sum(axis=(1, 2), dtype=np.float64)
    either = foreground_probability.sum(axis=(1, 2), dtype=np.float64) + predicted.sum(axis=(1, 2))
    return np.where(either > 0, 2 * both / np.where(either > 0, either, 1), 1.0)


@score(
    "Soft Dice confidence of the passes",
    "probability",
    "low",
    "The Dice that the passes promise what all together draw, a mean over the classes that are drawn. Low: many passes "
    "draw less of it, or more.",
)
def soft_dice_of_passes(classes: Array, class_count: int, mean_class: Array, background: int) -> Array:
    """Return the mean of 2 Σ p·y / (Σ p + Σ y) over drawn classes.

    y is the prediction and p the share of passes that draw the class (after Borges et al. 2024). If nothing is
    predicted, it is 1 if no pass draws anything, else 0.
    """
    total, drawn = np.zeros(len(mean_class)), np.zeros(len(mean_class), np.int64)
    for number in (number for number in range(class_count) if number != background):
        predicted, masks = mean_class == number, classes == number
        both, of_passes = (each.sum(axis=(0, 2, 3)) for each in (masks & predicted, masks))
        size = predicted.sum(axis=(1, 2))
        total += np.where(size > 0, 2 * both / np.maximum(of_passes + len(classes) * size, 1), 0)
        drawn += size > 0
    nothing = (classes == background).all(axis=(0, 2, 3))
    return np.where(drawn > 0, total / np.maximum(drawn, 1), nothing)


def _dice_of_pairs(classes: Array, numbers: Iterable[int]) -> Iterator[Array]:
    """Yield (N, T, T) float64 Dice of pairs of passes, class by class.

    NaN if neither has the class; exact up to 2^24 pixels an image.
    """
    stacked = classes.reshape(*classes.shape[:2], -1).swapaxes(0, 1)
    for number in numbers:
        masks = (stacked == number).astype(np.float32)
        both = np.matmul(masks, masks.swapaxes(1, 2)).astype(np.float64)
        sizes = np.diagonal(both, axis1=1, axis2=2)
        yield _divide(2 * both, sizes[:, :, None] + sizes[:, None, :])


def _divide(numerator: Array, denominator: Array) -> Array:
    """Divide in float64; NaN for a denominator of 0."""
    quotient = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    return np.divide(numerator, denominator, out=quotient, where=denominator > 0)


def loss_terms(overlaps: Overlaps) -> dict[str, Array]:
    """Return the terms of `SEGMENTATION`, (N,) float64 each, NaN without a value."""
    return {
        "dice": overlaps.mean_dice,
        "dice_of_label": overlaps.mean_dice_of_second,
        "pooled_dice": overlaps.pooled_dice,
        "loss_of_surplus": overlaps.loss_of_surplus,
    }


def _terms(predictions: AnyPredictions) -> dict[str, Array]:
    assert isinstance(predictions, SegmentationPredictions)
    maps = predictions.mean_class, require_labels(predictions)
    return loss_terms(count_overlaps(*maps, predictions.class_count, predictions.background))


def _intervals(terms: Terms, *, groups: Array | None, confidence: float, **_: Any) -> dict[str, Interval]:
    return {measure.name: mean_of_known(terms[measure.name], groups, confidence) for measure in SEGMENTATION.measures}


def _differences(
    one: Terms, other: Terms, measures: Collection[str], *, groups: Array | None, confidence: float, **_: Any
) -> dict[str, Interval]:
    return {name: mean_of_known(subtract(other[name], one[name]), groups, confidence, least=-1) for name in measures}


def mean_of_known(values: Array, groups: Array | None, confidence: float, *, least: float = 0) -> Interval:
    """Compute the mean over images that have a value, by `bounded_interval`.

    Args:
        values: (N,) from `least` to 1; NaN for an image without one.
        groups: as for `bounded_interval`.
        confidence: 0 to 1.
        least: lowest possible value.
    """
    known = ~np.isnan(values)
    if not known.any():
        return Interval(np.nan)
    return bounded_interval(values[known], (least, 1), None if groups is None else groups[known], confidence)


@dataclass(frozen=True)
class PixelSums:
    """Sums over non-ignored pixels, from which calibration is computed.

    Attributes:
        count: (N, C) int64, pixels that are predicted as each class.
        correct: (N, C) int64, those of them whose label it is.
        confidence: (N, C) float64, the sum of their confidences, 0 to 1 each.
        bins: (B, 3) float64, over all images: pixels, correct ones and confidence in B equal bins of confidence.
    """

    count: Array
    correct: Array
    confidence: Array
    bins: Array

    @property
    def ece(self) -> float:
        """The expected calibration error of pixels (Guo et al. 2017), 0 to 1."""
        count, correct, confidence = self.bins.T
        return float(np.abs(confidence - correct).sum() / max(count.sum(), 1))

    def excess(self, classes: list[int], *, groups: Array | None, confidence: float) -> Interval:
        """Compute confidence − accuracy of pixels predicted as some classes.

        The interval is by image or by group of images.
        """
        count = self.count[:, classes].sum(axis=1)
        excess = (self.confidence - self.correct)[:, classes].sum(axis=1)
        there = count > 0
        if not there.any():
            return Interval(np.nan)
        members = None if groups is None else groups[there]
        return bounded_interval(excess[there], (-1, 1), members, confidence, sizes=count[there])


def count_pixels(mean_class: Array, confidence: Array, labels: Array, class_count: int) -> PixelSums:
    """Sum over the pixels of a few images.

    Args:
        mean_class: (N, H, W) uint8, the prediction.
        confidence: (N, H, W) uint8, its probability in steps of 1/254, as a run has it.
        labels: (N, H, W) uint8; a pixel of the value C is ignored.
        class_count: C.
    """
    count, correct = (np.zeros((len(labels), class_count), np.int64) for _ in range(2))
    total, bins = np.zeros(count.shape), np.zeros((BINS, 3))
    place = np.minimum(confidence.astype(np.int64) * BINS // CONFIDENCE_STEPS, BINS - 1)
    right, valid = mean_class == labels, labels < class_count
    for number in range(class_count):
        predicted = (mean_class == number) & valid
        count[:, number] = predicted.sum(axis=(1, 2))
        correct[:, number] = (predicted & right).sum(axis=(1, 2))
        total[:, number] = np.where(predicted, confidence, 0).sum(axis=(1, 2), dtype=np.int64) / CONFIDENCE_STEPS
    for column, weights in enumerate((None, right[valid], confidence[valid] / CONFIDENCE_STEPS)):
        bins[:, column] = np.bincount(place[valid], weights, BINS)
    return PixelSums(count, correct, total, bins)


def join_pixels(parts: Sequence[PixelSums]) -> PixelSums:
    """Join sums of parts in order."""
    count, correct, confidence = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("count", "correct", "confidence")
    )
    return PixelSums(count, correct, confidence, np.sum([part.bins for part in parts], axis=0))


def _mean_of_class(name: str) -> Callable[[Terms, int, float], Interval]:
    return lambda terms, number, confidence: mean_of_known(terms[name][:, number], None, confidence)


def _excess_of_class(terms: Terms, number: int, confidence: float) -> Interval:
    sums = PixelSums(terms["count"], terms["correct"], terms["confidence"], np.zeros((BINS, 3)))
    return sums.excess([number], groups=None, confidence=confidence)


SEGMENTATION = Quality(
    (
        Measure("dice", "mean Dice", "share", "high", (0, 1)),
        Measure("dice_of_label", "mean Dice of the label's classes", "share", "high", (0, 1)),
        Measure("pooled_dice", "Dice of all foreground together", "share", "high", (0, 1)),
        Measure("loss_of_surplus", "Dice lost by surplus classes", "share", "low", (0, 1)),
    ),
    "dice",
    _terms,
    _intervals,
    _differences,
    (
        ClassMeasure("dice", "Dice", "share", "high", (0, 1), compute=_mean_of_class("dice")),
        ClassMeasure("iou", "IoU", "share", "high", (0, 1), compute=_mean_of_class("iou")),
        ClassMeasure("pairwise", "pairwise Dice", "share", "", (0, 1), compute=_mean_of_class("pairwise")),
        ClassMeasure(
            "overconfidence", "confidence − accuracy of its pixels", "share", "", (-1, 1), compute=_excess_of_class
        ),
    ),
)
