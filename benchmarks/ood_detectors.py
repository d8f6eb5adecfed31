"""What `ood.py` compares: the detectors that are fitted, the candidates for the one detector, and how it is chosen."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import log_softmax
from scipy.stats import normaltest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from mcviz.data.outside import OutsideSet, rehearsal_sets
from mcviz.measures import outliers
from mcviz.measures.combination import conformal_p_values, fisher_p, harmonic_mean_p
from mcviz.measures.detection import detection
from mcviz.measures.detectors import DETECTORS, Evidence, oriented
from mcviz.measures.moments import moment_vector
from mcviz.measures.ood import OODDetector
from mcviz.measures.subspaces import ClassSubspaces, unexplained_share
from mcviz.model import Sampler, load_model
from mcviz.model.features import activations_before_dropout, last_logits, penultimate, penultimate_model

IMAGES_AT_ONCE = 1000
FOLDS = 5
COMBINE = {"Harmonic mean": harmonic_mean_p, "Fisher": fisher_p}
SOUND = "Harmonic mean"
CHOSEN = "Harmonic mean: max probability, unexplained share"  # computed by `mcviz.measures.ood`, as the probe does

Values = dict[str, np.ndarray]


@dataclass(frozen=True)
class Seen:
    """What was computed of N images: `scores` by detector (N,), and vectors by name (N, D)."""

    scores: Values
    vectors: Values

    def __getitem__(self, which: np.ndarray) -> "Seen":
        return Seen({k: v[which] for k, v in self.scores.items()}, {k: v[which] for k, v in self.vectors.items()})


def joined(parts: list[Seen]) -> Seen:
    """What was seen of several blocks of images, as one."""
    return Seen(
        {name: np.concatenate([part.scores[name] for part in parts]) for name in parts[0].scores},
        {name: np.concatenate([part.vectors[name] for part in parts]) for name in parts[0].vectors},
    )


class Network:
    """A model, ready to be looked into."""

    def __init__(self, path: Path, passes: int) -> None:
        self.model, self.passes = load_model(path), passes
        self.sampler = Sampler(self.model)
        self.behind_dropout = Sampler(penultimate_model(self.model), from_logits=False)

    def see(self, images: np.ndarray) -> Seen:
        """Compute everything that detectors look at, for (N, 28, 28, 1) float32 images."""
        return joined([self._see(images[at : at + IMAGES_AT_ONCE]) for at in range(0, len(images), IMAGES_AT_ONCE)])

    def _see(self, images: np.ndarray) -> Seen:
        passes = self.behind_dropout.sample(images, passes=self.passes)
        logits = last_logits(self.model, passes)
        logs = log_softmax(logits, axis=-1)
        plain = penultimate(self.model, images)
        evidence = Evidence(np.exp(logs), logits, last_logits(self.model, plain))
        vectors = {
            "mean": evidence.probs.mean(axis=0, dtype=np.float64),
            "two moments": moment_vector(logs, 2),
            "four moments": moment_vector(logs, 4),
            "penultimate": plain,
            "penultimate of the passes": passes.mean(axis=0),
            "front": activations_before_dropout(self.sampler, images),
        }
        return Seen({name: detector.surprise(evidence) for name, detector in DETECTORS.items()}, vectors)


def fitted(known: Seen, labels: np.ndarray, seen: Seen, *, everything: bool) -> Values:
    """The detectors that are fitted on `known`: label to surprise (N,); without `everything` those of candidates."""

    def near(name: str) -> np.ndarray:
        return outliers.nearest_neighbours(
            outliers.unit_length(known.vectors[name]), outliers.unit_length(seen.vectors[name])
        )

    subspaces = ClassSubspaces.fit(known.vectors["front"], labels, known.vectors["mean"].shape[1])
    found = {
        "Unexplained share": unexplained_share(subspaces, seen.vectors["mean"], seen.vectors["front"]),
        "Neighbours, penultimate": near("penultimate"),
    }
    if not everything:
        return found
    found["Neighbours, penultimate of the passes"] = near("penultimate of the passes")
    found["Neighbours, in front"] = near("front")
    for name in ("penultimate", "penultimate of the passes"):
        found[f"Gaussian by class, {name}"] = outliers.gaussian_by_class(
            outliers.unit_length(known.vectors[name]), labels, outliers.unit_length(seen.vectors[name])
        )
    for name in ("two moments", "four moments"):
        a, b = (outliers.standardised(known.vectors[name], each.vectors[name]) for each in (known, seen))
        found[f"Gaussian by class, {name}"] = outliers.gaussian_by_class(a, labels, b)
        found[f"Neighbours, {name}"] = outliers.nearest_neighbours(a, b)
        found[f"Isolation forest, {name}"] = outliers.isolation_forest(a, b)
        found[f"One-class, {name}"] = outliers.one_class(a, b)
    return found


def held_out(known: Seen, labels: np.ndarray) -> Values:
    """The candidates' parts for the fitting images, each by a fit that did not see it."""
    fold = np.arange(len(labels)) % FOLDS
    parts = [fitted(known[fold != k], labels[fold != k], known[fold == k], everything=False) for k in range(FOLDS)]
    result = {name: np.empty(len(labels)) for name in parts[0]}
    for k, part in enumerate(parts):
        for name, values in part.items():
            result[name][fold == k] = values
    return result | {DETECTORS[name].label: known.scores[name] for name in ("max_probability", "expected_entropy")}


def combined(parts: Values, reference: Values) -> Values:
    """Every candidate: one of two doubts with one of two novelties, combined in one of two ways."""
    p = {name: conformal_p_values(parts[name], reference[name]) for name in reference}
    return {
        f"{way}: {doubt.lower()}, {novelty.lower()}": -np.log10(function(np.stack([p[doubt], p[novelty]])))
        for way, function in COMBINE.items()
        for doubt in ("Max probability", "Expected entropy")
        for novelty in ("Unexplained share", "Neighbours, penultimate")
    }


def rehearse(network: Network, images: np.ndarray, labels: np.ndarray, known: Seen, reference: Values) -> str:
    """Choose a candidate without the sets: on a fifth of the fitting images, and other broken images made of them.

    The one whose worst regret is smallest: how much AUROC it gives away against the best, over these and the mistakes.
    Fisher's way is out: where 100 images are known, an image stranger than all of them and answered with full
    confidence gets a p of 0.056, and would pass. The harmonic mean gives it 0.02.
    """
    mine = np.arange(len(labels)) % FOLDS == 0  # the first fold of `held_out`: it judged these by the rest
    of_rest = {name: values[~mine] for name, values in reference.items()}
    inside = combined({name: values[mine] for name, values in reference.items()}, of_rest)
    sets = rehearsal_sets(images[mine], labels[mine])
    seen = network.see(np.concatenate([each.images for each in sets.values()]))
    parts = fitted(known[~mine], labels[~mine], seen, everything=False)
    judged = combined(parts | {DETECTORS[name].label: seen.scores[name] for name in DETECTORS}, of_rest)
    outside = {name: np.split(values, len(sets)) for name, values in judged.items()}
    wrong = known.vectors["mean"].argmax(axis=1) != labels
    bar = roc_auc_score(wrong, reference["Max probability"])
    finds = {name: roc_auc_score(wrong, values) - bar for name, values in combined(reference, reference).items()}
    table = {name: [detection(inside[name], each).auroc for each in outside[name]] for name in inside}
    print(
        f"\nRehearsal, AUROC    {'  '.join(each.label for each in sets.values())}   mistakes (against max probability)"
    )
    for name, row in table.items():
        print(f"  {name:58s}{'  '.join(f'{value:.4f}' for value in row)}   {finds[name]:+.4f}")
    candidates = [name for name in table if name.startswith(SOUND)]
    columns = np.array([[*table[name], finds[name]] for name in candidates])
    regret = (columns.max(axis=0) - columns).max(axis=1)
    chosen = candidates[int(regret.argmin())]
    print(f"  chosen: {chosen}")
    return chosen


def oracles(inside: Seen, outside: Seen) -> Values:
    """What a classifier that is shown half of a set makes of the other half: no detector, but a bound for them."""
    found = np.r_[np.zeros(len(inside.vectors["mean"])), np.ones(len(outside.vectors["mean"]))]
    return {
        f"Shown the set: {name}": cross_val_predict(
            HistGradientBoostingClassifier(max_iter=60, random_state=0),
            np.concatenate([inside.vectors[name], outside.vectors[name]]),
            found,
            cv=2,
            method="predict_proba",
        )[:, 1]
        for name in ("two moments", "four moments")
    }


@dataclass(frozen=True)
class Surprises:
    """By detector (its label), the surprises of the images inside, and of those outside by set."""

    family: dict[str, str]
    pairs: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]


def surprises(
    network: Network, images: np.ndarray, labels: np.ndarray, sets: dict[str, OutsideSet], say: Callable[[str], None]
) -> tuple[Surprises, str]:
    """Everything about one model: the surprises for each cell of the table, and which candidate was rehearsed best."""
    fit, rest = np.arange(0, len(images), 2), np.arange(1, len(images), 2)
    say("test images")
    known, inside = network.see(images[fit]), network.see(images[rest])
    reference = held_out(known, labels[fit])
    rehearsed = rehearse(network, images[fit], labels[fit], known, reference)
    wrong = known.vectors["mean"].argmax(axis=1) != labels[fit]
    novelty = reference["Unexplained share"]
    shown = OODDetector.fit(known.vectors["mean"], known.vectors["front"], labels[fit], novelty)
    signs = {n: 1 if d.known_end else oriented(known.scores[n], wrong) for n, d in DETECTORS.items()}

    def judged(seen: Seen) -> Values:
        simple = {DETECTORS[name].label: signs[name] * values for name, values in seen.scores.items()}
        parts = simple | fitted(known, labels[fit], seen, everything=True)
        chosen = shown.predict(seen.vectors["mean"], seen.vectors["front"]).ood_score
        return parts | combined(parts, reference) | {CHOSEN: chosen}

    seen = {"inside": inside}
    for name, each in sets.items():
        say(each.label)
        seen[name] = network.see(each.images)
    say("fitted detectors")
    judged_all = judged(joined(list(seen.values())))
    ends = np.cumsum([len(each.vectors["mean"]) for each in seen.values()])[:-1]
    by_detector = {name: dict(zip(seen, np.split(v, ends), strict=True)) for name, v in judged_all.items()}
    pairs = {name: {each: (parts["inside"], parts[each]) for each in sets} for name, parts in by_detector.items()}
    family = {detector.label: detector.family for detector in DETECTORS.values()}
    family |= {name: family_of(name) for name in pairs if name not in family}
    for name in sets:
        for oracle, values in oracles(inside, seen[name]).items():
            family[oracle] = "shown the set"
            pairs.setdefault(oracle, {})[name] = values[: len(rest)], values[len(rest) :]
    missed = inside.vectors["mean"].argmax(axis=1) != labels[rest]
    for detector, parts in by_detector.items():
        pairs[detector]["mistakes"] = parts["inside"][~missed], parts["inside"][missed]
    return Surprises(family, pairs), rehearsed


def not_normal(network: Network, images: np.ndarray) -> float:
    """The share of images whose predicted class's logit is not normal over the passes, tested at the 1% level.

    The test is that of D'Agostino and Pearson (1973). Of logits that are normal, it rejects one in a hundred.
    """
    passes = network.behind_dropout.sample(images[:IMAGES_AT_ONCE], passes=network.passes)
    logits = last_logits(network.model, passes).astype(np.float64)
    predicted = np.exp(log_softmax(logits, axis=-1)).mean(axis=0).argmax(axis=-1)
    of_predicted = np.take_along_axis(logits, predicted[None, :, None], axis=-1)[..., 0]
    return float((normaltest(of_predicted, axis=0).pvalue < 0.01).mean())


def family_of(label: str) -> str:
    """The family of a detector that is fitted, from its label."""
    if "moments" in label:
        return "models of the moments"
    return "combinations" if ":" in label else "activations"
