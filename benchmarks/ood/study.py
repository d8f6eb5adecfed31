"""The study of one model: every detector's OOD scores, and the combination that the validation sets choose.

The examples with even numbers are what is fitted on; those with odd numbers are in distribution and never fitted on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import log_softmax
from scipy.stats import normaltest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import StandardScaler, normalize

from benchmarks.ood import outliers
from benchmarks.ood.combinations import DISTANCES, UNCERTAINTIES, Values, combined
from benchmarks.ood.detectors import DETECTORS, MOMENTS, Outputs, label_of, suspicious_end
from benchmarks.ood.known_sets import ImageSet, validation_sets
from benchmarks.ood.moments import moment_vector
from benchmarks.ood.results import MISTAKES, PROBE
from mcviz import Sampler, load_model
from mcviz.measures.detection import detection
from mcviz.measures.ood import ClassSubspaces, OODDetector, unexplained_share
from mcviz.sampling.features import activations_before_dropout
from mcviz.sampling.keras.features import last_logits, penultimate_activations, penultimate_model

IMAGES_AT_ONCE = 1000
FOLDS = 5


@dataclass(frozen=True)
class Features:
    """The inputs of detectors, of N images: unfitted OOD scores by detector (N,), and vectors by name (N, D)."""

    ood_scores: Values
    vectors: Values

    def __getitem__(self, which: np.ndarray) -> "Features":
        return Features(
            {k: v[which] for k, v in self.ood_scores.items()}, {k: v[which] for k, v in self.vectors.items()}
        )


def joined(parts: list[Features]) -> Features:
    """The features of several blocks of images, one after the other."""
    return Features(
        {name: np.concatenate([part.ood_scores[name] for part in parts]) for name in parts[0].ood_scores},
        {name: np.concatenate([part.vectors[name] for part in parts]) for name in parts[0].vectors},
    )


class Network:
    """A model with its sampler, up to the layer in front of the last one."""

    def __init__(self, path: Path, passes: int) -> None:
        self.model, self.passes = load_model(path), passes
        self.sampler = Sampler(self.model)
        self.up_to_last = Sampler(penultimate_model(self.model), from_logits=False)

    def features(self, images: np.ndarray) -> Features:
        """Compute everything that detectors look at, for (N, 28, 28, 1) float32 images."""
        starts = range(0, len(images), IMAGES_AT_ONCE)
        return joined([self._features(images[start : start + IMAGES_AT_ONCE]) for start in starts])

    def _features(self, images: np.ndarray) -> Features:
        passes = self.up_to_last.sample(images, passes=self.passes)
        logits = last_logits(self.model, passes)
        logs = log_softmax(logits, axis=-1)
        deterministic = penultimate_activations(self.model, images)
        outputs = Outputs(np.exp(logs), logits, last_logits(self.model, deterministic))
        vectors = {
            "mean": outputs.probs.mean(axis=0, dtype=np.float64),
            **{name: moment_vector(logs, count) for count, name in MOMENTS.items()},
            "penultimate": deterministic,
            "penultimate_passes": passes.mean(axis=0),
            "front": activations_before_dropout(self.sampler, images),
        }
        return Features({name: detector.ood_score(outputs) for name, detector in DETECTORS.items()}, vectors)

    def not_normal(self, images: np.ndarray) -> float:
        """The share of images whose predicted class's logit is not normal over the passes, tested at the 1% level.

        The test is that of D'Agostino and Pearson (1973). Of logits that are normal, it rejects one in a hundred.
        """
        passes = self.up_to_last.sample(images[:IMAGES_AT_ONCE], passes=self.passes)
        logits = last_logits(self.model, passes).astype(np.float64)
        predicted = np.exp(log_softmax(logits, axis=-1)).mean(axis=0).argmax(axis=-1)
        of_predicted = np.take_along_axis(logits, predicted[None, :, None], axis=-1)[..., 0]
        return float((normaltest(of_predicted, axis=0).pvalue < 0.01).mean())


@dataclass(frozen=True)
class OODScores:
    """The OOD scores of one model.

    Attributes:
        pairs: by detector, by set (and by `MISTAKES`): the OOD scores in distribution, and out of it.
        ends: by detector, 1 where a high value of its statistic is suspicious and -1 where a low one is.
        selected: the combination that the validation sets choose.
    """

    pairs: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]
    ends: dict[str, int]
    selected: str


def ood_scores(
    network: Network, images: np.ndarray, labels: np.ndarray, sets: dict[str, ImageSet], say: Callable[[str], None]
) -> OODScores:
    """Compute every detector's OOD scores for one model.

    Args:
        network: the model.
        images: (N, 28, 28, 1) float32 in 0..1, in distribution.
        labels: (N,) their classes.
        sets: what is out of distribution, by name.
        say: called with what is being computed.
    """
    say("test images")
    known, rest = network.features(images[::2]), network.features(images[1::2])
    reference = cross_fitted(known, labels[::2])
    selected = select_combination(network, images[::2], labels[::2], known, reference)
    mistakes = known.vectors["mean"].argmax(axis=1) != labels[::2]
    ends = {n: 1 if d.known_end else suspicious_end(known.ood_scores[n], mistakes) for n, d in DETECTORS.items()}
    of_set = {}
    for name, each in sets.items():
        say(each.label)
        of_set[name] = network.features(each.images)
    say("fitted detectors")
    parts = [rest, *of_set.values()]
    of_all = _all_detectors(known, labels[::2], reference, ends, joined(parts))
    starts = np.cumsum([len(part.vectors["mean"]) for part in parts])[:-1]
    missed = rest.vectors["mean"].argmax(axis=1) != labels[1::2]
    pairs: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for detector, values in of_all.items():
        inlying, *outlying = np.split(values, starts)
        pairs[detector] = {name: (inlying, each) for name, each in zip(sets, outlying, strict=True)}
        pairs[detector][MISTAKES] = inlying[~missed], inlying[missed]
    for name, features in of_set.items():
        for bound, pair in supervised_bounds(rest, features).items():
            pairs.setdefault(bound, {})[name] = pair
    return OODScores(pairs, {name: ends.get(name, 1) for name in pairs}, selected)


def _all_detectors(
    known: Features, labels: np.ndarray, reference: Values, ends: dict[str, int], of: Features
) -> Values:
    parts = {name: ends[name] * values for name, values in of.ood_scores.items()}
    parts |= fitted(known, labels, of, everything=True)
    subspaces = ClassSubspaces.fit(known.vectors["front"], labels, known.vectors["mean"].shape[1])
    probe = OODDetector.calibrate(subspaces, known.vectors["mean"], reference["unexplained_share"])
    ood_score = probe.predict(of.vectors["mean"], of.vectors["front"]).ood_score
    return parts | combined(parts, reference) | {PROBE: ood_score}


def fitted(known: Features, labels: np.ndarray, of: Features, *, everything: bool) -> Values:
    """Fit detectors on `known` and judge others by them; without `everything` only what combinations are made of."""

    def neighbours(name: str) -> np.ndarray:
        return outliers.nearest_neighbours(normalize(known.vectors[name]), normalize(of.vectors[name]))

    subspaces = ClassSubspaces.fit(known.vectors["front"], labels, known.vectors["mean"].shape[1])
    found = {
        "unexplained_share": unexplained_share(subspaces, of.vectors["mean"], of.vectors["front"]),
        "neighbours_penultimate": neighbours("penultimate"),
    }
    if not everything:
        return found
    found |= {f"neighbours_{name}": neighbours(name) for name in ("penultimate_passes", "front")}
    for name in ("penultimate", "penultimate_passes"):
        a, b = normalize(known.vectors[name]), normalize(of.vectors[name])
        found[f"gaussian_{name}"] = outliers.gaussian_by_class(a, labels, b)
    for name in MOMENTS.values():
        scaler = StandardScaler().fit(known.vectors[name])
        a, b = scaler.transform(known.vectors[name]), scaler.transform(of.vectors[name])
        key = name.replace(" ", "_")
        found[f"gaussian_{key}"] = outliers.gaussian_by_class(a, labels, b)
        found[f"neighbours_{key}"] = outliers.nearest_neighbours(a, b)
        found[f"isolation_forest_{key}"] = outliers.isolation_forest(a, b)
        found[f"one_class_{key}"] = outliers.one_class(a, b)
    return found


def cross_fitted(known: Features, labels: np.ndarray) -> Values:
    """The inputs of combinations, for the fitting images themselves, each by a fit that was made without it."""
    fold = np.arange(len(labels)) % FOLDS
    result: Values = {name: np.empty(len(labels)) for name in DISTANCES}
    for k in range(FOLDS):
        part = fitted(known[fold != k], labels[fold != k], known[fold == k], everything=False)
        for name in DISTANCES:
            result[name][fold == k] = part[name]
    return result | {name: known.ood_scores[name] for name in UNCERTAINTIES}


def select_combination(
    network: Network, images: np.ndarray, labels: np.ndarray, known: Features, reference: Values
) -> str:
    """Choose a combination by the validation sets alone, which are made of a fifth of the fitting images.

    The one whose worst regret is smallest: how much AUROC it gives away against the best, over these sets and the
    model's mistakes. Fisher's way is out: where 100 images are known, an image that is farther out than all of them and
    predicted with full confidence gets a p of 0.056, and would pass. The harmonic mean gives it 0.02.
    """
    mine = np.arange(len(labels)) % FOLDS == 0  # the first fold of `cross_fitted`: it was judged by the others
    others = {name: values[~mine] for name, values in reference.items()}
    in_distribution = combined({name: values[mine] for name, values in reference.items()}, others)
    sets = validation_sets(images[mine], labels[mine])
    of = network.features(np.concatenate([each.images for each in sets.values()]))
    judged = combined(of.ood_scores | fitted(known[~mine], labels[~mine], of, everything=False), others)
    wrong = known.vectors["mean"].argmax(axis=1) != labels
    baseline = roc_auc_score(wrong, reference["max_probability"])
    gains = {name: roc_auc_score(wrong, values) - baseline for name, values in combined(reference, reference).items()}
    table = {
        name: [detection(in_distribution[name], each).auroc for each in np.split(judged[name], len(sets))]
        for name in judged
    }
    print(f"\nValidation, AUROC: {', '.join(each.label for each in sets.values())}; mistakes against max probability")
    for name, row in table.items():
        print(f"  {label_of(name):58s}{'  '.join(f'{value:.4f}' for value in row)}   {gains[name]:+.4f}")
    candidates = [name for name in table if name.startswith("harmonic")]
    columns = np.array([[*table[name], gains[name]] for name in candidates])
    selected = candidates[int((columns.max(axis=0) - columns).max(axis=1).argmin())]
    print(f"  selected: {label_of(selected)}")
    return selected


def supervised_bounds(rest: Features, of: Features) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The result of a classifier trained on half of a set for the other half: no detector, but a bound for them."""
    count = len(rest.vectors["mean"])
    truth = np.r_[np.zeros(count), np.ones(len(of.vectors["mean"]))]
    bounds = {}
    for name in MOMENTS.values():
        classifier = HistGradientBoostingClassifier(max_iter=60, random_state=0)
        vectors = np.concatenate([rest.vectors[name], of.vectors[name]])
        values = cross_val_predict(classifier, vectors, truth, cv=2, method="predict_proba")[:, 1]
        bounds[f"bound_{name.replace(' ', '_')}"] = values[:count], values[count:]
    return bounds
