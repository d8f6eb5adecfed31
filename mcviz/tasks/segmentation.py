"""Segmentation: one of C classes for each pixel, kept as label maps and more."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy

from mcviz import validate
from mcviz.choices import Predicts
from mcviz.errors import InvalidInputError
from mcviz.manifest import LabelMaps, Manifest
from mcviz.measures.intervals import Interval
from mcviz.measures.registry import SEGMENTATION_SCORES, SegmentationPredictions, Terms
from mcviz.measures.segmentation import (
    CONFIDENCE_STEPS,
    NO_BACKGROUND,
    SEGMENTATION,
    Overlaps,
    PixelSums,
    Reduced,
    areas,
    count_overlaps,
    count_pixels,
    dice_per_pass,
    join_pixels,
    loss_terms,
    pairwise_dice_by_class,
    reduce_label_maps,
    reduce_probabilities,
)
from mcviz.tasks.base import (
    GAIN,
    Aggregates,
    Changes,
    Loss,
    PassFormat,
    PassNames,
    StoredArray,
    StoredLabels,
    Task,
    by_example,
    by_pass,
    compare_unlabelled,
    locate,
)
from mcviz.tasks.multilabel import Multilabel, name_sets, require_separable
from mcviz.text import list_names, percent
from mcviz.validate import invalid

if TYPE_CHECKING:
    from mcviz.data import DataSet
    from mcviz.measures.multilabel import ClassFigures

FEWEST_CLASSES = 2
MOST_CLASSES = 254  # so that a pixel that is ignored, C, and one that was never written differ
UNWRITTEN = 255  # of arrays of bytes
NATS_STEPS = 65534  # of the largest entropy, log C, in two bytes
UNWRITTEN_NATS = 65535
MOST_BYTES = 1 << 30  # of memory, of the passes of one image while they are reduced
SUMS_BYTES = 40  # of memory for a number of one pass, while sums and entropies are computed
CHUNK_BYTES = 1 << 15  # of maps that are compressed together
SHARD_BYTES = 1 << 22
SUM_TOLERANCE = 1e-3  # how far the probabilities of a pixel may be from a sum of one
POOR_DICE = 0.2
FIGURES = {  # of each class, by the name of their array
    "class_dice": "Dice of each class, of prediction and label",
    "class_pairwise_dice": "mean Dice of each class, of two passes",
    "class_area": "share of pixels of each class in the prediction",
    "class_area_label": "share of pixels of each class in the label",
    "class_area_mean": "mean over the passes of the share of pixels of each class",
    "class_area_std": "standard deviation over the passes of the share of pixels of each class",
}
ENTROPIES = {  # of each pixel, in nats, by the name of their array
    "predictive_entropy": "entropy of the mean of the passes",
    "mutual_information": "mutual information of class and pass",
}
OF_LABELS = "class_dice", "class_area_label"  # those of `FIGURES` that only runs with labels have
AXES = ("example", "height", "width")
MEAN_ADVICE = "Give the mean over the passes of their probabilities, not of their logits."
RESIZED = " They are brought to {:,} × {:,} pixels (nearest); Dice is on that grid."
NOT_PROBABILITIES = "If these are logits, say so (from_logits), on the command line by --from-logits."


class Segmentation(Task):
    """Predict one of C classes for H × W pixels; K is H · W · C, or H · W of label maps."""

    name = "segmentation"
    scores = SEGMENTATION_SCORES
    first_scores = ("pairwise_dice",)
    best_score_varies = True
    quality = SEGMENTATION
    quality_name = "mean Dice"
    loss = Loss("loss", "losses of Dice", "Lower Dice", "loss of Dice", 1.0, "miss of Dice 0")
    loss_column = "loss"
    has_one_class = False
    instead = (
        "Of a segmentation, `mcviz trust` prints Dice, `mcviz refer` finds the images that a person should look at, "
        "`mcviz compare` compares two runs, and `mcviz export` writes the label maps of all passes."
    )
    named_columns = Multilabel.named_columns
    decides = "verdict"
    outputs = "softmax"
    last_axis = "class"
    dimension = "category"
    several_labels = False
    of_pixels = True
    keeps_passes = False
    pass_names = PassNames(
        ("probs", "probabilities", "classes", "masks", "passes", "logits"),
        "class",
        ("class", "category", "classes", "categories"),
        "probability",
        "class_names",
        min_axes=4,
        most_axes=5,
        means=("mean_probs",),
    )

    def claims(self, manifest: Manifest) -> Iterator[tuple[bool, str]]:
        yield from super().claims(manifest)
        maps, classes = manifest.label_maps, manifest.classes
        yield maps is not None, "the size of its label maps is missing"
        if maps is None:
            return
        yield 2 <= classes <= MOST_CLASSES, f"{classes} classes are predicted, and 2 to {MOST_CLASSES} can be"
        yield not manifest.targets and not manifest.unit, f"{len(manifest.targets)} targets are predicted"
        yield manifest.predicts == "mean", f"classes are predicted as {manifest.predicts}"
        yield maps.background is None or maps.background < classes, f"the background is {maps.background}"
        summed = 0 if _has_majority(manifest) else maps.width * maps.height * classes
        size = 4 * manifest.passes * manifest.width + SUMS_BYTES * summed
        yield (
            size <= MOST_BYTES,
            f"{manifest.passes:,} passes over an image of {maps.height:,} × {maps.width:,} pixels and {classes} "
            f"classes take {size / 2**30:.1f} GiB of memory while they are reduced, and {MOST_BYTES >> 30} GiB at most "
            "is taken",
        )

    def arrays(self, manifest: Manifest) -> Iterator[StoredArray]:
        maps, count, shard = label_maps_of(manifest), manifest.examples.count, manifest.layout.examples_per_shard
        shape = count, maps.height, maps.width
        about = {"long_name": "most probable class in each pass", "_FillValue": UNWRITTEN}
        of_classes = 0, manifest.classes - 1
        yield StoredArray(
            "classes", (*shape, manifest.passes), "uint8", (*AXES, "draw"), 1, shard, UNWRITTEN, about, of_classes
        )
        bounds = {"mean_class": of_classes, "deterministic_classes": of_classes, "label": (0, manifest.classes)}
        for name, long_name in _describe_maps(manifest).items():
            rows = shard if name in self.pass_arrays(manifest) else _power_of_two(SHARD_BYTES // maps.pixels)
            nats = name in ENTROPIES
            dtype, fill = ("uint16", UNWRITTEN_NATS) if nats else ("uint8", UNWRITTEN)
            packing = {"_FillValue": fill, "long_name": long_name}
            if nats:
                packing |= {"units": "nats", "scale_factor": _nats_scale(manifest.classes)}
            elif name == "mean_confidence":
                packing |= {"units": "1", "scale_factor": 1 / CONFIDENCE_STEPS}
            chunk = min(rows, _power_of_two(CHUNK_BYTES // (maps.pixels * np.dtype(dtype).itemsize)))
            yield StoredArray(name, shape, dtype, AXES, chunk, rows, fill, packing, bounds.get(name))
        for name, long_name in FIGURES.items():
            if name not in OF_LABELS or manifest.labels_sha256 is not None:
                figures = by_example(
                    name, count, ("category", manifest.classes), {"units": "1", "long_name": long_name}
                )
                yield replace(figures, fill_value=0.0, bounds=(0, 1))  # since NaN is of a class that is nowhere
        if manifest.labels_sha256 is not None:
            by_size = {"units": "1", "long_name": "mean Dice of the first 1, 2, … passes together"}
            columns = count, manifest.passes
            yield StoredArray(
                "dice_by_ensemble_size", columns, "float32", ("example", "draw"), shard, shard, 0.0, by_size, (0, 1)
            )
            single = {"units": "1", "long_name": "mean Dice of each pass"}
            yield replace(
                by_example("dice_per_pass", count, ("draw", manifest.passes), single), fill_value=0.0, bounds=(0, 1)
            )
            for name, of_what in (
                ("sum_of_dice_per_pass", "sum over the images of the mean Dice of each pass"),
                ("sum_of_dice_by_ensemble_size", "sum over the images of the mean Dice of the first 1, 2, … passes"),
                ("images_with_labels", "number of images of which a pixel is not ignored"),
            ):
                yield by_pass(name, manifest.passes, "float64", float("nan"), {"long_name": of_what})

    def pass_arrays(self, manifest: Manifest) -> tuple[str, ...]:
        entropies = _entropies(manifest)
        by_size = () if manifest.labels_sha256 is None else ("dice_by_ensemble_size",)
        return ("classes", "mean_class", "mean_confidence", *entropies, *by_size)

    def check_passes(self, manifest: Manifest, passes: np.ndarray) -> None:
        low, high = float(passes.min()), float(passes.max())
        if label_maps_of(manifest).alone:
            if not (low >= 0 and high < manifest.classes):
                received = f"{low:g} to {high:g}"
                raise InvalidInputError(
                    f"Label maps should have classes 0 to {manifest.classes - 1}. Received: {received}."
                )
        elif not (low >= -SUM_TOLERANCE and high <= 1 + SUM_TOLERANCE):
            raise InvalidInputError(f"Passes to be kept should be probabilities, 0 to 1. Received: {low} to {high}.")

    def encode(self, manifest: Manifest, passes: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
        maps = label_maps_of(manifest)
        shape, background = (*passes.shape[:2], maps.height, maps.width), background_of(maps)
        if maps.alone:
            classes = passes.reshape(shape).astype(np.uint8)
            reduced = reduce_label_maps(classes, labels, manifest.classes, background)
        else:
            reduced = reduce_probabilities(passes.reshape(*shape, manifest.classes), labels, background)
        return {
            "classes": np.ascontiguousarray(np.moveaxis(reduced.classes, 0, -1)),
            **_pack_reduced(reduced, manifest),
        }

    def with_mean(
        self, manifest: Manifest, rows: Mapping[str, np.ndarray], mean: np.ndarray, labels: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """See the base; the mean is (n, H, W, C) float32 probabilities."""
        parts = []
        for example, probs in enumerate(mean):  # one after the other, since a shard has room for label maps alone
            label = None if labels is None else labels[[example]]
            of_mean = reduce_probabilities(probs[None, None], label, background_of(label_maps_of(manifest)))
            parts.append(_pack_reduced(of_mean, manifest))
        known = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        if labels is not None:
            of_fewer = rows["dice_by_ensemble_size"][:, :-1]
            known["dice_by_ensemble_size"] = np.concatenate([of_fewer, known["dice_by_ensemble_size"]], axis=1)
        return {**rows, **known}

    def decode(self, manifest: Manifest, rows: Mapping[str, np.ndarray]) -> SegmentationPredictions:
        nats = np.float32(_nats_scale(manifest.classes))
        entropies = {name: rows[name] * nats for name in ENTROPIES if name in rows}
        return SegmentationPredictions(
            np.moveaxis(rows["classes"], -1, 0),
            manifest.classes,
            background_of(label_maps_of(manifest)),
            rows["mean_class"],
            rows["mean_confidence"] / np.float32(CONFIDENCE_STEPS),
            dice_by_ensemble_size=rows.get("dice_by_ensemble_size"),
            **entropies,
        )

    def recompute(
        self, manifest: Manifest, passes: SegmentationPredictions, labels: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        if not label_maps_of(manifest).alone:
            return {}
        flat = passes.classes.reshape(*passes.classes.shape[:2], -1).astype(np.float32)
        rows = self.encode(manifest, flat, labels)
        if manifest.mean_sha256 is not None and labels is not None:
            of_all = count_overlaps(passes.mean_class, labels, manifest.classes, passes.background).mean_dice
            rows["dice_by_ensemble_size"][:, -1] = of_all
        unverified = self.unverified_arrays(manifest)
        return {name: rows[name] for name in rows if name != "classes" and name not in unverified}

    def unverified_arrays(self, manifest: Manifest) -> tuple[str, ...]:
        _, *others = self.pass_arrays(manifest)
        if not label_maps_of(manifest).alone:
            return tuple(others)
        return () if _has_majority(manifest) else tuple(name for name in others if name != "dice_by_ensemble_size")

    def keep_deterministic(self, manifest: Manifest, predictions: np.ndarray) -> np.ndarray:
        return _most_probable(predictions, label_maps_of(manifest))

    def prediction_arrays(self, manifest: Manifest, way: Literal["mean", "deterministic"]) -> tuple[str, ...]:
        return ("mean_class",) if way == "mean" else ("deterministic_classes",)

    def split(self, manifest: Manifest, predictions: SegmentationPredictions) -> dict[str, np.ndarray]:
        arrays = {name: getattr(predictions, name) for name in self.pass_arrays(manifest)}
        return {name: array for name, array in arrays.items() if name != "dice_by_ensemble_size"}

    def split_deterministic(self, manifest: Manifest, predictions: np.ndarray) -> dict[str, np.ndarray]:
        return {"deterministic_classes": predictions}

    def stored_labels(
        self,
        examples: "DataSet",
        names: Sequence[str],
        label_maps: LabelMaps | None,
        *,
        crop: tuple[int, int] | None = None,
        as_images: bool = False,
        find_foreground: bool = False,
    ) -> StoredLabels:
        if examples.labels is None or label_maps is None:
            return StoredLabels(examples.label_array)
        size, classes, ignore = (label_maps.height, label_maps.width), len(names), label_maps.ignore
        masks = examples.fit_masks(size, crop=crop, as_images=as_images)
        values = np.sum([np.bincount(mask.ravel(), minlength=256) for mask in masks], axis=0)
        foreground = find_only_value(values) if classes == 2 else None
        class_of = np.arange(256, dtype=np.uint8)
        if foreground is not None and find_foreground:
            class_of[foreground] = 1
        elif ignore is not None:
            class_of[ignore] = classes
        wrong = np.flatnonzero((class_of > classes) | ((class_of == classes) & (np.arange(256) != ignore)))
        if values[wrong].any():
            raise _no_class(masks, int(wrong[values[wrong] > 0][0]), classes, foreground)
        counts = np.bincount(class_of, values).astype(np.int64)[: classes + 1]
        if not counts[:classes].any():
            advice = "Leave ignore (--ignore) out, or give the number that stands for no class."
            raise invalid(
                "labels", "masks of which a pixel counts", f"{ignore} in every pixel, which is ignored", advice
            )
        resized = "" if examples.mask_sizes == {size} else RESIZED.format(*size)
        summary = f"{_list_pixels(counts, names)} of {masks.size:,} pixels in {len(masks):,} masks.{resized}"
        if foreground is not None and find_foreground:
            summary += f" They hold only 0 and {foreground}, which is taken as {_name_class(1, names[1])}."
        return StoredLabels(class_of[masks], summary, _doubt_pixels(counts, names, ignore))

    def given_labels(self, manifest: Manifest, labels: np.ndarray) -> np.ndarray:
        ignore = label_maps_of(manifest).ignore
        return labels if ignore is None else np.where(labels == manifest.classes, np.uint8(ignore), labels)

    def aggregate(self, manifest: Manifest, passes: SegmentationPredictions, labels: np.ndarray | None) -> Aggregates:
        classes, pixels = manifest.classes, label_maps_of(manifest).pixels
        shares = areas(passes.classes, classes) / pixels
        mean, std = (np.asarray(of_passes(shares, axis=0)) for of_passes in (np.mean, np.std))
        arrays: dict[str, np.ndarray] = {
            "class_pairwise_dice": pairwise_dice_by_class(passes.classes, classes),
            "class_area": areas(passes.mean_class[None], classes)[0] / pixels,
            "class_area_mean": mean,
            "class_area_std": std,
        }
        columns = {name: self.scores[name].compute(passes).astype(np.float32) for name in manifest.scores}
        totals: dict[str, np.ndarray] = {}
        if labels is not None:
            overlaps = count_overlaps(passes.mean_class, labels, classes, passes.background)
            by_pass_of_image = dice_per_pass(passes.classes, labels, classes, passes.background)
            arrays |= {"class_dice": overlaps.dice, "dice_per_pass": by_pass_of_image}
            arrays["class_area_label"] = overlaps.second / pixels
            columns |= _loss_columns(overlaps)
            by_size = passes.dice_by_ensemble_size
            assert by_size is not None  # it is kept wherever there are labels
            totals = {
                "sum_of_dice_per_pass": np.nan_to_num(by_pass_of_image).sum(axis=0, dtype=np.float64),
                "sum_of_dice_by_ensemble_size": np.nan_to_num(by_size).sum(axis=0, dtype=np.float64),
                "images_with_labels": np.full(manifest.passes, float((overlaps.pixels > 0).sum())),
            }
        return Aggregates({name: rows.astype(np.float32) for name, rows in arrays.items()}, totals, columns)

    def table_columns(self, targets: Sequence[str]) -> dict[str, str]:
        return dict.fromkeys(("loss", "dice_of_label", "pooled_dice", "loss_of_surplus"), "float32")

    def name_rows(self, manifest: Manifest, read: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
        drawn, names = foreground_of(manifest), manifest.class_names
        sets = {name: rows[:, drawn] for name, rows in self.class_sets(manifest, read).items()}
        unknown = np.ones(manifest.examples.count, bool)
        if manifest.labels_sha256 is not None:
            unknown[(read("class_area_label") > 0).any(axis=1)] = False
        return name_sets(sets, [names[number] for number in drawn], unknown)

    def class_sets(self, manifest: Manifest, read: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
        """See the base; a class of Dice 0 is wrong: missed, or not in the label."""
        sets = {"prediction": read("class_area") > 0}
        if manifest.labels_sha256 is not None:
            sets |= {"label": read("class_area_label") > 0, "wrong": read("class_dice") == 0}
        return sets

    def score_inputs(self, manifest: Manifest) -> set[str]:
        of_labels = set() if manifest.labels_sha256 is None else {"labels", "dice_by_ensemble_size"}
        return self.pass_inputs(manifest) | of_labels

    def pass_inputs(self, manifest: Manifest) -> set[str]:
        maps = label_maps_of(manifest)
        there = {"classes", "class_count", "background", "mean_class", "mean_confidence"}
        two = manifest.classes == 2 and maps.background is not None and not _has_majority(manifest)
        return there | {*_entropies(manifest), *(["foreground_probability"] if two else [])}

    def predictions(
        self,
        passes: SegmentationPredictions,
        labels: np.ndarray | None = None,
        deterministic: np.ndarray | None = None,
        *,
        targets: int = 0,
    ) -> SegmentationPredictions:
        return replace(passes, labels=labels)

    def terms_by_predictor(
        self, manifest: Manifest, passes: Any, labels: np.ndarray, deterministic: np.ndarray | None = None
    ) -> dict[str, dict[str, np.ndarray]]:
        ways = {"ensemble": passes[0]} | ({} if deterministic is None else {"deterministic": deterministic})
        background = background_of(label_maps_of(manifest))
        return {
            way: loss_terms(count_overlaps(predicted, labels, manifest.classes, background))
            for way, predicted in ways.items()
        }

    def class_terms(self, manifest: Manifest, read: Callable[..., np.ndarray], labels: np.ndarray) -> dict[str, Terms]:
        dice = read("class_dice").astype(np.float64)
        pairwise = read("class_pairwise_dice").astype(np.float64)
        pixels = self.count_pixels(manifest, read, labels)
        sums = {"count": pixels.count, "correct": pixels.correct, "confidence": pixels.confidence}
        return {"ensemble": {"dice": dice, "iou": dice / (2 - dice), "pairwise": pairwise, **sums}}

    def count_pixels(self, manifest: Manifest, read: Callable[..., np.ndarray], labels: np.ndarray) -> PixelSums:
        """Count pixels of all images, shard by shard, like `class_terms`."""
        parts = []
        for shard in range(manifest.shards):
            start, stop = manifest.shard_range(shard)
            predicted, confidence = (read(name, start, stop) for name in ("mean_class", "mean_confidence"))
            parts.append(count_pixels(predicted, confidence, labels[start:stop], manifest.classes))
        return join_pixels(parts)

    def verdict(
        self,
        figures: Mapping[str, Interval],
        by_class: "Mapping[str, ClassFigures]",
        examples: int,
        groups: np.ndarray | None,
        confidence: float,
    ) -> list[str]:
        """Describe mean Dice, and its loss by classes that the label lacks."""
        dice, surplus, (measure, *_) = figures["dice"].value, figures["loss_of_surplus"].value, self.quality.measures
        quality = f"The mean Dice is {measure.format_interval(figures['dice'])}."
        rule = "A class that prediction or label has and the other lacks has Dice 0"
        if not dice < 1:
            return [quality, f"{rule}."]
        lost = f"{percent(surplus / (1 - dice))} of what is lost of Dice is classes that the label lacks"
        return [quality, f"{rule}: {lost}."]

    def compute_quality(
        self,
        predictions: np.ndarray,
        labels: np.ndarray,
        manifest: Manifest | None = None,
        *,
        label_maps: LabelMaps | None = None,
    ) -> float:
        if manifest is None:  # of a model on trial
            maps, classes = label_maps or LabelMaps(*labels.shape[1:]), predictions.shape[1] // labels[0].size
            predictions = _most_probable(predictions, maps)
        else:
            maps, classes = label_maps_of(manifest), manifest.classes
        dice = count_overlaps(predictions, labels, classes, background_of(maps)).mean_dice
        return float("nan") if np.isnan(dice).all() else float(np.nanmean(dice))

    def loss_of_terms(self, terms: Terms) -> np.ndarray:
        return np.asarray(1 - terms["dice"])

    def mean_measure(self, terms: Terms) -> tuple[str, np.ndarray]:
        return "dice", terms["dice"]

    def quality_by_pass(self, manifest: Manifest, totals: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        count = totals["images_with_labels"]
        return totals["sum_of_dice_per_pass"] / count, totals["sum_of_dice_by_ensemble_size"] / count

    def pass_format(self, predicts: Predicts, from_logits: bool) -> PassFormat:
        return MapPasses(predicts, from_logits)

    def label(self, examples: "DataSet", labels: Any, name: str) -> "DataSet":
        return examples.with_masks(labels, name)

    def check_labels(self, examples: "DataSet") -> "DataSet":
        return examples.with_masks(examples.labels)

    def reorder_labels(self, labels: np.ndarray, order: np.ndarray) -> np.ndarray:
        """See the base; ignored pixels stay so."""
        return np.append(np.argsort(order), len(order)).astype(np.uint8)[labels]

    def drop_labels(self, labels: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
        """As for any task; their pixels count nowhere."""
        return np.where(np.isin(labels, classes), np.uint8(count), labels)

    def reorder_predictions(self, predictions: np.ndarray, order: np.ndarray) -> np.ndarray:
        return self.reorder_labels(predictions, order)

    def name_axis(self, examples: "DataSet", names: Sequence[str] | Mapping[str, str]) -> "DataSet":
        return examples.with_class_names(names)

    def default_names(self, width: int, predicts: Predicts) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return tuple(map(str, range(width))), ()

    def names(self, examples: "DataSet", width: int, predicts: Predicts) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if width > MOST_CLASSES:
            raise invalid("classes", f"2 to {MOST_CLASSES} for each pixel", f"{width:,}", "Merge some of them.")
        require_separable(examples.class_names)
        if examples.class_names is not None:
            validate.different_names(
                "class_names", examples.class_names, width, "Name all classes, also the background."
            )
        return examples.class_names or (), ()

    def describe_outputs(self, examples: "DataSet", width: int, predicts: Predicts) -> dict[str, str]:
        named = f": {list_names(examples.class_names)}" if examples.class_names else ""
        return {"classes of a pixel": f"{width:,}{named}"}

    def guessing_hint(self, quality: float, labels: np.ndarray, width: int, which: str) -> str:
        return f"The model's mean Dice on {which} is {percent(quality)}." if quality < POOR_DICE else ""

    def rescaling_hint(self, quality: float, better: float) -> str:
        return f"it is {percent(better)}" if better > quality + GAIN else ""

    def compare_predictions(
        self,
        manifest: Manifest,
        mean: np.ndarray,
        other: np.ndarray,
        labels: np.ndarray | None,
        other_task: Task | None = None,
    ) -> Changes:
        classes, background = manifest.classes, background_of(label_maps_of(manifest))
        if labels is None:
            agreement = count_overlaps(other, mean, classes, background).mean_dice
            return compare_unlabelled(1 - agreement, (mean == other).all(axis=(1, 2)))
        before, after = (count_overlaps(maps, labels, classes, background).mean_dice for maps in (mean, other))
        kinds: tuple[str, ...] = ("lower Dice", "higher Dice", "same Dice")
        kind = np.select([after < before, after > before], [0, 1], 2).astype(np.int64)
        without = np.isnan(before)
        if without.any():
            kinds, kind = (*kinds, "every pixel ignored"), np.where(without, 3, kind)
        return Changes(kinds, kinds[:2], kind, np.nan_to_num(before - after))


class MapPasses(PassFormat):
    """Passes of pixel probabilities, logits or label maps, reshaped to three axes."""

    least = FEWEST_CLASSES
    axis = "class"

    def __init__(self, predicts: Predicts, from_logits: bool) -> None:
        if predicts != "mean":
            raise invalid("predicts", "left out for a segmentation", predicts, "Or give task='regression'.")
        self._from_logits, self._largest = from_logits, 0
        self._shape: tuple[int, ...] = ()  # of the numbers of an image
        self._mean_classes = 0  # of the mean of the passes, where that is given
        self._foreground: int | None = None  # the number that stands for the second of two classes in label maps

    @property
    def takes_whole_numbers(self) -> bool:
        return len(self._shape) == 2

    def describe_maps(self, background: int | None, ignore: int | None) -> LabelMaps:
        height, width = self._shape[:2]
        return LabelMaps(height, width, background, ignore, alone=self.takes_whole_numbers)

    def settle(self, blocks: Iterable[np.ndarray], examples: "DataSet") -> None:
        """See the base; label maps of 0 and 255, or of two names, have two classes."""
        if not self.takes_whole_numbers:
            return
        values = np.zeros(256, np.int64)
        for block in blocks:
            if block.max() == 1 or not 0 <= block.min() <= block.max() <= 255:
                return  # of classes 0 and 1, or of none, which is said later
            values += np.bincount(block.astype(np.uint8).ravel(), minlength=256)
            if np.count_nonzero(values) > 2:
                return
        only, named = find_only_value(values), examples.class_names
        if only is not None and (only >= MOST_CLASSES if named is None else len(named) == 2):
            self._foreground = only

    def describe(self, passes: int, count: int, last: int) -> str:
        height, width = self._shape[:2]
        found = f"{passes:,} over {count:,} images of {height:,} × {width:,} pixels (height × width), {last:,} classes"
        if self._foreground is None:
            return found
        return f"{found}; their label maps hold only 0 and {self._foreground}, which is taken as class 1"

    def count_last(self, width: int, examples: "DataSet") -> int:
        if not self.takes_whole_numbers:
            return self._shape[2]
        named = 0 if examples.class_names is None else len(examples.class_names)
        return self._mean_classes or max(named, self._largest + 1, FEWEST_CLASSES)

    def check_mean(self, mean_probs: Any, count: int) -> np.ndarray:
        """Return (N, H, W, C) float32 probabilities beside label maps."""
        if not self.takes_whole_numbers:
            return super().check_mean(mean_probs, count)
        values = validate.dtype("mean_probs", validate.array("mean_probs", mean_probs), np.floating)
        values = validate.shape("mean_probs", values, (count, *self._shape, "C")).astype(np.float32, copy=False)
        classes = values.shape[-1]
        least = max(FEWEST_CLASSES, self._largest + 1)
        if not least <= classes <= MOST_CLASSES:
            expected = f"of {least} to {MOST_CLASSES} classes, as the label maps need them"
            raise invalid("mean_probs", expected, f"{classes}")
        for example, probs in enumerate(values):
            sums = probs.sum(axis=-1, dtype=np.float64)
            wrong = ~((probs.min(axis=-1) >= 0) & (np.abs(sums - 1) <= SUM_TOLERANCE))
            if wrong.any():
                row, column = np.argwhere(wrong)[0].tolist()
                received = list_names([f"{value:.4g}" for value in probs[row, column]])
                where = f"in row {row}, column {column} of example {example}"
                raise invalid("mean_probs", "probabilities that sum to 1", f"{received} {where}", MEAN_ADVICE)
        self._mean_classes = classes
        return values

    def expand_axes(self, passes: Any, axes: Sequence[str] | None) -> tuple[Any, Sequence[str] | None]:
        if axes is not None:
            raise invalid("axes", "left out for a segmentation", list_names(axes), f"They are {self._expected}.")
        if isinstance(passes, Iterator):
            return (self._flatten(one[None], "of a pass")[0] for one in passes), None
        if isinstance(passes, list | tuple) or not hasattr(passes, "shape"):
            passes = validate.array("passes", passes)
        return self._flatten(passes, "of all"), ("pass", "example", "class")

    _expected = "(passes, images, height, width, classes) of probabilities, or without classes of label maps"

    def _flatten(self, passes: Any, which: str) -> Any:
        """Reshape passes of 4 or 5 axes to 3."""
        shape, dtype = tuple(map(int, passes.shape)), np.dtype(passes.dtype)
        maps = dtype.kind in "iub"
        if len(shape) != (4 if maps else 5) or 0 in shape:
            advice = "Label maps are whole numbers, and probabilities floating point."
            raise invalid("passes", self._expected, f"shape {shape}, dtype {dtype}, {which}", advice)
        if self._shape and shape[2:] != self._shape:
            raise invalid("passes", f"all of the size {self._shape}", f"{shape[2:]}")
        if maps and self._from_logits:
            raise invalid("from_logits", "left out for label maps", True)
        self._shape, self.least = shape[2:], 1 if maps else FEWEST_CLASSES
        flat = shape[0], shape[1], int(np.prod(shape[2:]))
        return passes.reshape(flat) if isinstance(passes, np.ndarray) else _FlatPasses(passes, flat)

    def convert(self, block: np.ndarray) -> np.ndarray:
        if self._foreground is not None:
            return np.where(block == self._foreground, np.float32(1), block)
        if not self._from_logits:
            return block
        classes = block.reshape(*block.shape[:-1], -1, self._shape[2])
        return np.asarray(scipy.special.softmax(classes, axis=-1), np.float32).reshape(block.shape)

    def check(self, block: np.ndarray, start: int, epsilon: float) -> None:
        wrong = (block < 0) | (block >= MOST_CLASSES) if self.takes_whole_numbers else block < 0
        if wrong.any():
            kind = "class" if self.takes_whole_numbers else "probability"
            received = f"{block[tuple(np.argwhere(wrong)[0])]:g}"
            advice = (
                f"At most {MOST_CLASSES} classes are taken, from 0." if self.takes_whole_numbers else NOT_PROBABILITIES
            )
            raise InvalidInputError(f"A {kind} of {locate(wrong, start)} is {received}. {advice}")
        if self.takes_whole_numbers:
            self._largest = max(self._largest, int(block.max()))
            return
        if self._from_logits:
            return
        sums = block.reshape(*block.shape[:-1], -1, self._shape[2]).sum(axis=-1)
        wrong = np.abs(sums - 1) > max(SUM_TOLERANCE, epsilon * self._shape[2])
        if wrong.any():
            total = sums[tuple(np.argwhere(wrong)[0])]
            raise InvalidInputError(
                f"The probabilities of a pixel of {locate(wrong, start)} sum to {total:.4g}, and should sum to 1. "
                f"{NOT_PROBABILITIES}"
            )

    def deterministic(self, given: Any, shape: tuple[int, int], last: int) -> np.ndarray:
        """Return (N, H · W · C) probabilities, or (N, H · W) label maps."""
        name = "deterministic"
        values = validate.array(name, given)
        maps = (shape[0], *self._shape[:2])
        validate.shape(name, values, maps, *([] if self.takes_whole_numbers else [(shape[0], *self._shape)]))
        if values.ndim == len(maps):
            values = validate.dtype(name, values, np.integer, np.bool_, advice="Label maps are whole numbers.")
            classes = values if self._foreground is None else np.where(values == self._foreground, 1, values)
            if classes.min() < 0 or classes.max() >= last:
                raise invalid(name, f"classes, 0 to {last - 1}, as the passes", f"{classes.min()} to {classes.max()}")
            maps_alone = self.takes_whole_numbers
            return (classes if maps_alone else np.eye(last)[classes.astype(np.int64)]).astype(np.float32).reshape(shape)
        flat = validate.dtype(name, values, np.floating).reshape(shape)
        probs = self.convert(validate.finite(name, flat.astype(np.float32, copy=False)))
        pixels = probs.reshape(-1, last)
        if (pixels < 0).any() or (np.abs(pixels.sum(axis=-1) - 1) > SUM_TOLERANCE).any():
            raise invalid(name, "probabilities of each pixel that sum to one", "others", "Are they logits?")
        return probs


class _FlatPasses:
    """Passes of a lazily read array, each image in a row."""

    def __init__(self, passes: Any, shape: tuple[int, int, int]) -> None:
        self._passes, self.shape, self.dtype = passes, shape, passes.dtype
        chunks = getattr(passes, "chunks", None)
        self.chunks = None if chunks is None else (*chunks[:2], shape[2] if isinstance(chunks[0], int) else (shape[2],))

    def __getitem__(self, part: tuple[slice, ...]) -> np.ndarray:
        block = np.asarray(self._passes[part[:2]])
        return block.reshape(*block.shape[:2], -1)


def _loss_columns(overlaps: Overlaps) -> dict[str, np.ndarray]:
    """Return (n,) float32 columns that need labels; NaN if all is ignored."""
    terms = loss_terms(overlaps)
    columns = {"loss": 1 - terms.pop("dice"), **terms}
    return {name: values.astype(np.float32) for name, values in columns.items()}


def _describe_maps(manifest: Manifest) -> dict[str, str]:
    votes = _has_majority(manifest)
    described = {
        "mean_class": "class of the most passes" if votes else "most probable class of the mean of the passes",
        "mean_confidence": "share of the passes that have it" if votes else "probability of the most probable class",
    }
    described |= {name: ENTROPIES[name] for name in _entropies(manifest)}
    if manifest.deterministic:
        described["deterministic_classes"] = "most probable class with dropout off"
    if manifest.labels_sha256 is not None:
        described["label"] = f"class that is the label; {manifest.classes} where a pixel is ignored"
    return described


def _has_majority(manifest: Manifest) -> bool:
    """Return whether majority votes predict: only label maps are known."""
    return label_maps_of(manifest).alone and manifest.mean_sha256 is None


def _entropies(manifest: Manifest) -> tuple[str, ...]:
    alone = label_maps_of(manifest).alone
    return () if _has_majority(manifest) else tuple(ENTROPIES)[: 1 if alone else 2]


def _pack_reduced(reduced: Reduced, manifest: Manifest) -> dict[str, np.ndarray]:
    rows = {
        "mean_class": reduced.mean_class,
        "mean_confidence": _pack(reduced.mean_confidence, 1 / CONFIDENCE_STEPS, np.uint8),
    }
    scale = _nats_scale(manifest.classes)
    nats = {name: getattr(reduced, name) for name in _entropies(manifest)}
    rows |= {name: _pack(values, scale, np.uint16) for name, values in nats.items() if values is not None}
    if reduced.dice_by_ensemble_size is not None:
        rows["dice_by_ensemble_size"] = reduced.dice_by_ensemble_size
    return rows


def _most_probable(predictions: np.ndarray, maps: LabelMaps) -> np.ndarray:
    """Return (n, H, W) uint8 of (n, K) predictions."""
    pixels = predictions.reshape(len(predictions), maps.height, maps.width, -1)
    return (pixels[..., 0] if maps.alone else pixels.argmax(axis=-1)).astype(np.uint8)


def find_only_value(values: np.ndarray) -> int | None:
    """Return the only number above 1 beside 0, such as 255.

    Args:
        values: (256,) integers, how often each number occurs.
    """
    present = np.flatnonzero(values).tolist()
    return present[1] if len(present) == 2 and present[0] == 0 and present[1] > 1 else None


def _no_class(masks: np.ndarray, value: int, classes: int, foreground: int | None) -> InvalidInputError:
    """Name the first mask pixel without a class."""
    example, row, column = np.argwhere(masks == value)[0].tolist()
    received = f"{value} in row {row}, column {column} of the mask of example {example}"
    advice = (
        f"If {value} stands for pixels that count nowhere, give it as ignore, on the command line --ignore {value}."
    )
    if foreground is not None:
        advice = f"If {value} is the foreground, leave ignore out, on the command line --ignore."
    return invalid("labels", f"classes, 0 to {classes - 1}", received, advice)


def _name_class(number: int, name: str) -> str:
    return f"class {number}" if name == str(number) else f"{number} {name}"


def _list_pixels(counts: np.ndarray, names: Sequence[str]) -> str:
    named = [_name_class(number, name) for number, name in enumerate(names)]
    shares = [percent(count / counts.sum(), 2) for count in counts.tolist()]
    return f"{list_names(list(map(' '.join, zip(named, shares, strict=False))))}, ignored {shares[-1]}"


def _doubt_pixels(counts: np.ndarray, names: Sequence[str], ignore: int | None) -> str:
    sentences, absent = [], [name for name, count in zip(names, counts.tolist(), strict=False) if not count]
    if (share := counts[-1] / counts.sum()) > 0.5:
        sentences.append(f"{percent(share, 2)} of the pixels of the masks are ignored, since they hold {ignore}.")
    if absent:
        sentences.append(f"No pixel of the masks is of class {list_names(absent)}.")
    question = "Are the numbers in the masks those of the model's classes?"
    return " ".join([*sentences, question]) if sentences else ""


def label_maps_of(manifest: Manifest) -> LabelMaps:
    """Describe the label maps of a run of segmentation."""
    assert manifest.label_maps is not None  # which `claims` sees to
    return manifest.label_maps


def background_of(maps: LabelMaps) -> int:
    """Return the class that Dice leaves out, or -1."""
    return NO_BACKGROUND if maps.background is None else maps.background


def foreground_of(manifest: Manifest) -> list[int]:
    """Return a run's classes without the background."""
    return [number for number in range(manifest.classes) if number != label_maps_of(manifest).background]


def _nats_scale(classes: int) -> float:
    return float(np.log(classes)) / NATS_STEPS


def _pack(values: np.ndarray, scale: float, dtype: type[np.unsignedinteger[Any]]) -> np.ndarray:
    """Pack numbers as multiples of a scale, never the fill value."""
    steps = np.rint(np.clip(values / np.float64(scale), 0, np.iinfo(dtype).max - 1))
    return steps.astype(dtype)


def _power_of_two(most: int) -> int:
    """Return the largest power of two up to a number, at least 1."""
    return 1 << (max(most, 1).bit_length() - 1)
