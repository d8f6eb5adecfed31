"""How far a run of segmentation can be trusted: Dice, each class, the calibration of its pixels, and its scores."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mcviz import validate
from mcviz.analysis.base import find_groups, ranking_scores, require_known_labels
from mcviz.analysis.referral import rank_by_all_scores
from mcviz.analysis.trust import QualityTrust, gain_sentence
from mcviz.measures import percent
from mcviz.measures.calibration import PREDICTOR_WORDS
from mcviz.measures.intervals import Interval
from mcviz.measures.quality import compute_measures
from mcviz.measures.registry import Terms
from mcviz.measures.segmentation import (
    NO_BACKGROUND,
    PixelSums,
    count_overlaps,
    count_pixels,
    interval_of_mean,
    join_pixels,
    loss_terms,
)
from mcviz.measures.selective import SelectiveFigures, selective_figures
from mcviz.runs import Run
from mcviz.text import list_names, one_line

WHOLE, FOREGROUND = "all pixels", "those of a predicted foreground"


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class, means over the images where one of the two has it.

    Attributes:
        images: where the prediction or the label has the class.
        dice: of prediction and label.
        iou: of prediction and label.
        pairwise: Dice of two passes, over the images where a pass has the class.
    """

    images: int
    dice: Interval
    iou: Interval
    pairwise: Interval


@dataclass(frozen=True, repr=False)
class SegmentationTrust(QualityTrust):
    """How far a run of segmentation can be trusted.

    Attributes:
        by_class: the figures of each class, by its name.
        excess: confidence − accuracy of a pixel, with intervals that resample images: of `WHOLE`, of `FOREGROUND`, and
            of the pixels that are predicted as each class, by its name.
        ece: of all pixels, in 15 bins.
        scores: how well each score finds losses of Dice, by its name.
    """

    by_class: Mapping[str, ClassFigures]
    excess: Mapping[str, Interval]
    ece: float
    scores: Mapping[str, SelectiveFigures]

    def as_dict(self) -> dict[str, Any]:
        """As for `QualityTrust`, with the classes, the pixels and the scores."""
        classes = {name: asdict(figures) for name, figures in self.by_class.items()}
        pixels = {"confidence_less_accuracy": self.excess, "ece": self.ece}
        return super().as_dict() | {"classes": classes, "pixels": pixels, "scores": self.scores}


def measure_segmentation(
    run: Run, confidence: float = 0.95, *, group: str | None = None, score: str | None = None
) -> SegmentationTrust:
    """Measure how good a segmentation is, and whether its probabilities and scores say where it is not.

    Images are taken as independent, or groups of them with `group`; no test counts pixels as examples.

    Args:
        run: of segmentation, with labels.
        confidence: above 0 and below 1, of the intervals.
        group: one of the user's own columns, whose values are groups of images that belong together.
        score: that ranks images; pairwise Dice without it.

    Raises:
        InvalidInputError: the run has no labels, one image, or no such column or score.
    """
    labels, groups, task = require_known_labels(run), find_groups(run, group), run.task
    score = run.first_score if score is None else validate.choice("score", score, ranking_scores(run))
    maps, classes = run.manifest.label_maps, run.manifest.classes
    assert maps is not None  # of every segmentation
    background = NO_BACKGROUND if maps.background is None else maps.background
    ways = {"ensemble": run.mean_predictions, "deterministic": run.deterministic_predictions}
    terms: dict[str, Terms] = {
        way: loss_terms(count_overlaps(predicted, labels, classes, background))
        for way, predicted in ways.items()
        if predicted is not None
    }
    options: dict[str, Any] = {"groups": groups, "confidence": confidence}
    figures = {way: compute_measures(task.quality, of_way, **options) for way, of_way in terms.items()}
    names = [measure.name for measure in task.quality.measures]
    differences = {
        way: task.quality.differences(of_way, terms["ensemble"], names, resamples=1000, seed=0, **options)
        for way, of_way in terms.items()
        if way != "ensemble"
    }
    pixels = _count_pixels(run, labels)
    foreground = [number for number in range(classes) if number != background]
    chosen = {WHOLE: range(classes), **({FOREGROUND: foreground} if len(foreground) < classes else {})}
    chosen |= {f"those predicted as {name}": [number] for number, name in enumerate(run.class_names)}
    excess = {name: pixels.excess(list(numbers), **options) for name, numbers in chosen.items()}
    sentences = [
        _surplus_sentence(figures["ensemble"]["dice"], figures["ensemble"]["loss_of_surplus"]),
        _calibration_sentence(excess),
        *(gain_sentence(run, gains, PREDICTOR_WORDS[way]) for way, gains in differences.items()),
    ]
    by_class = _measure_classes(run, options)
    scores = selective_figures(rank_by_all_scores(run, group), confidence=confidence)
    return SegmentationTrust(
        run, score, group, confidence, figures, sentences, differences, by_class, excess, pixels.ece, scores
    )


def _count_pixels(run: Run, labels: np.ndarray) -> PixelSums:
    """Count the pixels of the run, a shard of its passes after the other."""
    parts = []
    for shard in range(run.manifest.shards):
        start, stop = run.manifest.shard_range(shard)
        predicted, confidence = (run.array(name, start, stop) for name in ("mean_class", "mean_confidence"))
        parts.append(count_pixels(predicted, confidence, labels[start:stop], run.manifest.classes))
    return join_pixels(parts)


def _measure_classes(run: Run, options: dict[str, Any]) -> dict[str, ClassFigures]:
    dice, pairwise = (run.array(name).astype(np.float64) for name in ("class_dice", "class_pairwise_dice"))
    figures = {}
    for number, name in enumerate(run.class_names):
        of_class = dice[:, number]
        iou = of_class / (2 - of_class)
        means = (interval_of_mean(values, **options) for values in (of_class, iou, pairwise[:, number]))
        figures[name] = ClassFigures(int(np.isfinite(of_class).sum()), *means)
    return figures


def _surplus_sentence(dice: Interval, surplus: Interval) -> str:
    """Say how Dice counts classes that the label lacks, and how much of the loss that is."""
    rule = "A class that prediction or label has and the other lacks has Dice 0"
    if not dice.value < 1:
        return f"{rule}."
    share = percent(surplus.value / (1 - dice.value))
    return f"{rule}: {share} of what is lost of Dice is classes that the label lacks."


def _calibration_sentence(excess: Mapping[str, Interval]) -> str:
    """Say of which pixels the probabilities are too high or too low on average."""
    found = {
        "too high": [one_line(name) for name, interval in excess.items() if interval.low > 0],
        "too low": [one_line(name) for name, interval in excess.items() if interval.high < 0],
    }
    named = [f"{word} of {list_names(names)}" for word, names in found.items() if names]
    if named:
        return f"Probabilities are {' and '.join(named)}, on average and beyond chance."
    return "Probabilities of pixels are not shown to be too high or too low on average."
