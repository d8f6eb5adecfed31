"""Trust in a segmentation: Dice, classes, calibration of pixels, and scores."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from mcviz.analysis.base import find_groups, require_known_labels
from mcviz.analysis.quality_trust import QualityTrust, measure_quality
from mcviz.analysis.referral import compare_scores_here, describe_scores_here
from mcviz.measures.intervals import Interval, find_biased
from mcviz.measures.segmentation import mean_of_known
from mcviz.measures.selective import SelectiveFigures
from mcviz.runs import Run
from mcviz.tasks.segmentation import Segmentation, foreground_of
from mcviz.text import list_names, one_line

WHOLE, PREDICTED_AS = "all pixels", "those predicted as "
FOREGROUND = f"{PREDICTED_AS}any foreground"


@dataclass(frozen=True)
class MapFigures:
    """Figures of one class, means over images that have it.

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
        maps: the figures of each class, by its name.
        excess: confidence − accuracy of a pixel: of `WHOLE`, of `FOREGROUND`, and of the pixels that are predicted as
            each class, by its name; with intervals of images that hold for all of them together (Bonferroni).
        ece: of all pixels, in 15 bins.
        calibration: whether the probabilities of pixels are too high or too low, in a sentence.
        scores: how well each score finds losses of Dice, by its name.
    """

    maps: Mapping[str, MapFigures] = field(default_factory=dict)
    excess: Mapping[str, Interval] = field(default_factory=dict)
    ece: float = np.nan
    calibration: str = ""
    scores: Mapping[str, SelectiveFigures] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the results for JSON, with classes, pixels and scores."""
        classes = {name: asdict(figures) for name, figures in self.maps.items()}
        pixels = {"confidence_less_accuracy": self.excess, "ece": self.ece}
        return super().as_dict() | {"classes": classes, "pixels": pixels, "scores": self.scores}


def measure_segmentation(
    run: Run, confidence: float = 0.95, *, group: str | None = None, by: str | None = None, score: str | None = None
) -> SegmentationTrust:
    """Measure a segmentation, its probabilities and scores; images or groups are independent, never pixels.

    Args:
        run: of segmentation, with labels.
        confidence: as for `measure_quality`.
        group: as for `measure_quality`.
        by: as for `measure_quality`; `label` and `prediction` are the images with each class.
        score: as for `measure_quality`.

    Raises:
        InvalidInputError: the run has no labels, one image, or no such column or score.
    """
    measured, labels = measure_quality(run, confidence, group=group, by=by, score=score), require_known_labels(run)
    classes, foreground = run.manifest.classes, foreground_of(run.manifest)
    options: dict[str, Any] = {"groups": find_groups(run, group), "confidence": confidence}
    pixels = Segmentation().count_pixels(run.manifest, run.array, labels)
    chosen = {WHOLE: range(classes), **({FOREGROUND: foreground} if len(foreground) < classes else {})}
    chosen |= {f"{PREDICTED_AS}{name}": [number] for number, name in enumerate(run.class_names)}
    together = options | {"confidence": 1 - (1 - confidence) / len(chosen)}
    excess = {name: pixels.excess(list(numbers), **together) for name, numbers in chosen.items()}
    quality, rule, *rest = measured.sentences
    calibration = _calibration_sentence(excess)
    scores = compare_scores_here(run, group, confidence)
    best = list(filter(None, [describe_scores_here(run, scores)]))
    of_quality = {part.name: getattr(measured, part.name) for part in fields(measured)}
    return SegmentationTrust(
        **of_quality | {"sentences": [quality, rule, calibration, *rest, *best]},
        maps=_measure_classes(run, options),
        excess=excess,
        ece=pixels.ece,
        calibration=calibration,
        scores=scores,
    )


def _measure_classes(run: Run, options: dict[str, Any]) -> dict[str, MapFigures]:
    dice, pairwise = (run.array(name).astype(np.float64) for name in ("class_dice", "class_pairwise_dice"))
    figures = {}
    for number, name in enumerate(run.class_names):
        of_class = dice[:, number]
        iou = of_class / (2 - of_class)
        means = (mean_of_known(values, **options) for values in (of_class, iou, pairwise[:, number]))
        figures[name] = MapFigures(int(np.isfinite(of_class).sum()), *means)
    return figures


def _calibration_sentence(excess: Mapping[str, Interval]) -> str:
    named = [f"{word} of {_list_pixels(names)}" for word, names in find_biased(excess).items()]
    if named:
        return f"Probabilities are {', and '.join(named)}: on average, and beyond chance."
    return "Probabilities of pixels are not shown to be too high or too low on average."


def _list_pixels(names: Sequence[str]) -> str:
    classes = [one_line(name.removeprefix(PREDICTED_AS)) for name in names if name != WHOLE]
    of_classes = [f"{PREDICTED_AS}{list_names(classes)}"] if classes else []
    return " and of ".join([*(name for name in names if name == WHOLE), *of_classes])
