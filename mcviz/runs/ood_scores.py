"""OOD scores of sets of examples, kept beside the run."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz.measures.conformal import share_by_chance
from mcviz.measures.intervals import Interval, proportion
from mcviz.measures.ood import (
    DETECTORS,
    DROPOUT_OFF,
    NO_NETWORK,
    OOD_P_VALUE,
    VERDICT,
    Detection,
    detection,
    detection_intervals,
)
from mcviz.runs.derived import Derived, load_derived, save_derived
from mcviz.text import describe_in_html, percent

if TYPE_CHECKING:
    import pandas as pd

    from mcviz.runs.run import Run

SURE = 0.9  # a max probability above which a model is called sure
FILE = Derived("ood-scores", 1, {"about": "uint8", "numbers": "float32", "shown": "uint8"})


@dataclass(frozen=True)
class OODSet:
    """N out-of-distribution examples with scores.

    Attributes:
        key: its name in files and addresses.
        label: its name for people.
        source: where it is from, as it was named; empty where it was made of the run's own examples.
        scores: by detector (N,) float32, high for out of distribution.
        p_values: (N,) float32, the verdict's.
        confidence: (N,) float32, the max probability of the mean of the passes.
        shown: (K, …) some of the examples, small: uint8 images, float32 rows or texts. The first stands for the set;
            the others are those that the model is surest of and the verdict lets pass, the surest first.
        shown_numbers: (K,) the numbers of these.
        predictions: (K,) the predicted classes of these.
        figures: by detector, its figures against the in-distribution examples, with the low and the high ends of their
            95% intervals.
    """

    key: str
    label: str
    source: str
    scores: Mapping[str, np.ndarray]
    p_values: np.ndarray
    confidence: np.ndarray
    shown: np.ndarray
    shown_numbers: np.ndarray
    predictions: np.ndarray
    figures: Mapping[str, tuple[Detection, Detection, Detection]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.p_values)

    @property
    def is_stopped(self) -> np.ndarray:
        """(N,) bool, whether the verdict stops an example."""
        return self.p_values <= np.float32(OOD_P_VALUE)

    @property
    def is_sure(self) -> np.ndarray:
        """(N,) bool, max probability above 90%."""
        return self.confidence > SURE

    @property
    def stopped(self) -> Interval:
        """The stopped share, with its exact interval."""
        return proportion(int(self.is_stopped.sum()), len(self))

    @property
    def sure(self) -> float:
        """The share of sure predictions."""
        return float(self.is_sure.mean())

    @property
    def stopped_of_sure(self) -> Interval | None:
        """The stopped share of sure predictions, or None."""
        sure = self.is_sure
        return proportion(int(self.is_stopped[sure].sum()), int(sure.sum())) if sure.any() else None

    def interval(self, detector: str) -> Interval:
        """A detector's AUROC with its 95% interval."""
        return Interval(*(figures.auroc for figures in self.figures[detector]))

    def as_dict(self) -> dict[str, Any]:
        """Return the set and its figures for JSON."""
        figures = {
            name: {"value": asdict(value), "low": asdict(low), "high": asdict(high)}
            for name, (value, low, high) in self.figures.items()
        }
        return {
            "key": self.key,
            "label": self.label,
            "source": self.source,
            "examples": len(self),
            "stopped": self.stopped,
            "sure": self.sure,
            "stopped_of_sure": self.stopped_of_sure,
            "figures": figures,
        }


@dataclass(frozen=True, repr=False)
class OODScores:
    """Scores of detectors for a run's examples and for other sets.

    Attributes:
        labels: of the detectors for people, by their names.
        own: of the run's own examples; no detector was fitted or calibrated on any of them.
        sets: that are compared with them.
        fitted: how many examples detectors were fitted on.
        calibrated: how many the verdict was calibrated on.
        passes: of each prediction.
    """

    labels: Mapping[str, str]
    own: OODSet
    sets: tuple[OODSet, ...]
    fitted: int
    calibrated: int
    passes: int

    @property
    def sentences(self) -> list[str]:
        """The stopped share, that of sure predictions, and the best detector; None without sets."""
        if not self.sets:
            return []
        return [
            _describe_stopped(self.sets),
            _describe_sure(self.sets),
            _describe_best(self.means(), self.labels),
        ]

    @property
    def in_words(self) -> str:
        """The findings, in sentences."""
        return " ".join(self.sentences)

    @property
    def stopped_by_chance(self) -> tuple[float, float]:
        """The range of its own stopped share in 95% of splits."""
        return share_by_chance(self.calibrated, len(self.own), OOD_P_VALUE)

    def with_sets(self, sets: "tuple[OODSet, ...]") -> "OODScores":
        """Return a copy with sets added or replaced; missing figures are computed."""
        keys = {set_.key for set_ in sets}
        new = tuple(set_ if set_.figures else self._measure(set_) for set_ in sets)
        return replace(self, sets=tuple(set_ for set_ in self.sets if set_.key not in keys) + new)

    def without(self, key: str) -> "OODScores":
        """A copy without a set."""
        return replace(self, sets=tuple(set_ for set_ in self.sets if set_.key != key))

    def chart_labels(self) -> dict[str, str]:
        """Return short labels of the detectors in charts."""
        labels = {name: label for name, label in self.labels.items() if DETECTORS[name].drawn}
        return {name: DETECTORS[name].short or label for name, label in labels.items()}

    def hardest_first(self) -> list[OODSet]:
        """The sets, those first that the verdict detects worst."""
        return sorted(self.sets, key=lambda set_: (set_.figures[VERDICT][0].auroc, set_.stopped.value))

    def means(self) -> dict[str, float]:
        """Return each detector's mean AUROC over sets."""
        return {name: float(np.mean([set_.figures[name][0].auroc for set_ in self.sets])) for name in self.labels}

    @property
    def table(self) -> "pd.DataFrame":
        """The sets, the hardest first, indexed by `set`; the run's own examples are last.

        Columns: `examples`; `stopped`, `sure` and `stopped_of_sure` as fractions; and each detector's AUROC. All but
        `examples` and `sure` are followed by 95% intervals, such as `stopped_low`, float64. Own examples lack some.
        """
        import pandas as pd  # here, because it takes time to import

        every = [*self.hardest_first(), self.own]
        rows = [
            {"examples": len(set_)}
            | _name_ends("stopped", set_.stopped)
            | {"sure": set_.sure}
            | _name_ends("stopped_of_sure", None if set_ is self.own else set_.stopped_of_sure)
            | {
                column: value
                for name in self.labels
                for column, value in _name_ends(name, None if set_ is self.own else set_.interval(name)).items()
            }
            for set_ in every
        ]
        return pd.DataFrame(rows, pd.Index([set_.label for set_ in every], name="set"))

    @property
    def text_rows(self) -> list[tuple[str, ...]]:
        """Return rows of verdicts, the hardest first, after column names."""
        rows: list[tuple[str, ...]] = [("set", "examples", "stopped", "sure", "stopped of sure")]
        for set_ in (*self.hardest_first(), self.own):
            of_sure = None if set_ is self.own else set_.stopped_of_sure
            stopped = "" if of_sure is None else percent(of_sure.value)
            rows.append((set_.label, f"{len(set_):,}", percent(set_.stopped.value), percent(set_.sure), stopped))
        return rows

    def __repr__(self) -> str:
        return self.in_words

    def _repr_html_(self) -> str:
        return describe_in_html("Out of distribution", self.sentences, self.text_rows)

    def as_dict(self) -> dict[str, Any]:
        """Return the findings for JSON."""
        return {
            "in_words": self.sentences,
            "passes": self.passes,
            "fitted": self.fitted,
            "calibrated": self.calibrated,
            "held_out": len(self.own),
            "held_out_stopped": {
                "value": self.own.stopped.value,
                "by_chance": dict(zip(("low", "high"), self.stopped_by_chance, strict=True)),
            },
            "detectors": self.labels,
            "sets": [set_.as_dict() for set_ in self.sets],
        }

    def _measure(self, set_: OODSet) -> OODSet:
        figures = {}
        for name in self.labels:
            pair = self.own.scores[name].astype(np.float64), set_.scores[name].astype(np.float64)
            figures[name] = (detection(*pair), *detection_intervals(*pair))
        return replace(set_, figures=figures)


def _name_ends(name: str, interval: Interval | None) -> dict[str, float]:
    """Return a value and its interval by column names; missing without one."""
    value = interval or Interval(math.nan)
    return {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}


def _describe_stopped(sets: tuple[OODSet, ...]) -> str:
    share = percent(float(np.mean([set_.stopped.value for set_ in sets])), 0)
    hardest, easiest = (end(sets, key=lambda set_: set_.stopped.value) for end in (min, max))
    if len(sets) == 1:
        return f"The verdict stops {share} of “{hardest.label}”."
    return (
        f"Over {len(sets)} sets of inputs that the model was not made for, the verdict stops {share}: from "
        f"{percent(hardest.stopped.value, 0)} of “{hardest.label}” to {percent(easiest.stopped.value, 0)} of "
        f"“{easiest.label}”."
    )


def _describe_sure(sets: tuple[OODSet, ...]) -> str:
    sure, passing = (sum(map(count, sets)) for count in (_sure, _sure_and_passing))
    if not sure:
        return f"The model is sure of none: no probability is above {SURE:.0%}."
    if not passing:
        return f"The verdict stops all that the model is sure of (above {SURE:.0%})."
    worst = max(sets, key=_sure_and_passing)
    return (
        f"Of the inputs that the model is sure of (above {SURE:.0%}), {percent(passing / sure, 0)} pass; of "
        f"“{worst.label}”, "
        f"{percent(_sure_and_passing(worst) / _sure(worst), 0)}."
    )


def _sure(set_: OODSet) -> int:
    return int(set_.is_sure.sum())


def _sure_and_passing(set_: OODSet) -> int:
    return int((set_.is_sure & ~set_.is_stopped).sum())


def _describe_best(means: Mapping[str, float], labels: Mapping[str, str]) -> str:
    best = max((name for name in means if name != VERDICT), key=lambda name: means[name])
    if best == DROPOUT_OFF:
        return f"The best single detector is confidence with dropout off: mean AUROC {means[best]:.3f}."
    return (
        f"The best single detector is {labels[best][:1].lower()}{labels[best][1:]}: mean AUROC {means[best]:.3f}; "
        f"confidence with dropout off has {means[DROPOUT_OFF]:.3f}."
    )


def load_ood_scores(run: "Run") -> OODScores | None:
    """Load a run's stored OOD scores, or None."""
    arrays = load_derived(run.path, run.digest, FILE)
    try:
        return None if arrays is None else _unpack(arrays)
    except (LookupError, TypeError, ValueError):  # of another version, or damaged
        return None


def save_ood_scores(run: "Run", scores: OODScores) -> bool:
    """Save scores beside the run; see `save_derived`."""
    return save_derived(run.path, run.digest, FILE, _pack(scores))


def _pack(scores: OODScores) -> dict[str, np.ndarray]:
    sets = (scores.own, *scores.sets)
    encoded = [_encode_shown(set_.shown) for set_ in sets]
    about = {
        "labels": dict(scores.labels),
        "fitted": scores.fitted,
        "calibrated": scores.calibrated,
        "passes": scores.passes,
        "sets": [_describe_set(set_, len(content)) for set_, content in zip(sets, encoded, strict=True)],
    }
    numbers = [
        np.stack([*(set_.scores[name] for name in scores.labels), set_.p_values, set_.confidence]) for set_ in sets
    ]
    return {
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        "numbers": np.concatenate(numbers, axis=1).astype(np.float32),
        "shown": np.frombuffer(b"".join(encoded), np.uint8),
    }


def _describe_set(set_: OODSet, shown_bytes: int) -> dict[str, Any]:
    return {
        "key": set_.key,
        "label": set_.label,
        "source": set_.source,
        "count": len(set_),
        "shown": [set_.shown.dtype.str, set_.shown.shape, shown_bytes],
        "shown_are": set_.shown_numbers.tolist(),
        "predictions": set_.predictions.tolist(),
        "figures": {name: list(map(astuple, parts)) for name, parts in set_.figures.items()},
    }


def _encode_shown(examples: np.ndarray) -> bytes:
    return (
        json.dumps(examples.tolist()).encode() if examples.dtype == object else np.ascontiguousarray(examples).tobytes()
    )


def _unpack(arrays: Mapping[str, np.ndarray]) -> OODScores:
    about = json.loads(arrays["about"].tobytes())
    numbers = np.split(arrays["numbers"], np.cumsum([about_set["count"] for about_set in about["sets"]])[:-1], axis=1)
    encoded = np.split(arrays["shown"], np.cumsum([about_set["shown"][2] for about_set in about["sets"]])[:-1])
    own, *sets = map(partial(_read_set, list(about["labels"])), about["sets"], numbers, encoded)
    # As detectors are called today; only that without a network is called by the kind of the examples.
    labels = {name: label if name == NO_NETWORK else DETECTORS[name].label for name, label in about["labels"].items()}
    return OODScores(labels, own, tuple(sets), about["fitted"], about["calibrated"], about["passes"])


def _read_set(detectors: Sequence[str], about: Mapping[str, Any], numbers: np.ndarray, encoded: np.ndarray) -> OODSet:
    *scores, p_values, confidence = numbers
    (dtype, shape, _), content, figures = about["shown"], encoded.tobytes(), about["figures"].items()
    texts = np.dtype(dtype) == object
    return OODSet(
        about["key"],
        about["label"],
        about["source"],
        dict(zip(detectors, scores, strict=True)),
        p_values,
        confidence,
        np.array(json.loads(content), object) if texts else np.frombuffer(content, dtype).reshape(shape),
        np.array(about["shown_are"], int),
        np.array(about["predictions"], int),
        {name: (Detection(*value), Detection(*low), Detection(*high)) for name, (value, low, high) in figures},
    )
