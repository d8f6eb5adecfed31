"""The OOD scores of a run's own examples and of sets that its model was not made for, by every detector."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from scipy.special import entr

from mcviz.data import DataSet, read_data
from mcviz.errors import InvalidInputError, UnsuitableModelError
from mcviz.measures import SCORES, Predictions, Score
from mcviz.measures.detectors import (
    CONFIDENCE,
    CONTENT,
    DETECTORS,
    NEIGHBOURS,
    NEIGHBOURS_OF_LAST,
    UNEXPLAINED,
    VERDICT,
)
from mcviz.measures.ood import LEAST_EXAMPLES, OODDetector, OODPrediction, uncertainty_of
from mcviz.measures.outliers import Span, nearest_neighbours
from mcviz.measures.subspaces import unexplained_share, unit_length
from mcviz.runs import Run, open_run
from mcviz.runs.ood_scores import OODScores, OODSet
from mcviz.sampling.adapters import adapter_for_run, load_shown
from mcviz.sampling.features import activations_before_dropout, penultimate
from mcviz.sampling.ood import class_subspaces, halves, taken
from mcviz.sampling.sampler import Sampler
from mcviz.tasks.classification import dequantise, quantise

OWN, OF_A_SET = 1000, 500  # examples at most
NEAR, SEED = 1000, 0  # examples that are looked at as neighbours, and by the detector of the inputs alone
LEAST = 3 * LEAST_EXAMPLES
SHOWN = 4
BLOCK_VALUES = 2**25  # of passes that are in memory at a time
Stage = Callable[[str, float], None]
Values = dict[str, np.ndarray]


@dataclass(frozen=True)
class GivenSet:
    """A set of examples.

    Attributes:
        key: its name in files and addresses.
        label: its name for people.
        contents: (N, …) as they are shown.
        source: where it is from, or "" where it was made of the run's own examples.
    """

    key: str
    label: str
    contents: np.ndarray
    source: str = ""


def made_sets(run: Run, examples: np.ndarray) -> list[GivenSet]:
    """The sets that can be made of examples of a run, as its kind says.

    Args:
        run: that keeps its examples.
        examples: (N,) their numbers.
    """
    contents = load_shown(run, examples)
    classes = _classes(run)[examples]
    others = contents[_of_another_class(classes)]
    return [
        GivenSet(name, each.label, each.make(contents, others, SEED + number))
        for number, (name, each) in enumerate(run.kind.ood_sets.items(), 1)
    ]


def read_set(sampler: Sampler, run: Run, path: str | Path) -> GivenSet:
    """Read a set that is to be compared with a run's examples: another run, or whatever `read_data` takes.

    Args:
        sampler: of the run's model.
        run: whose kind the examples have to be of.
        path: of a folder or a file. Of more than 500 examples that many are drawn.

    Raises:
        DataNotFoundError: nothing is at that path.
        InvalidInputError: examples of another kind, or that cannot be brought into the form of the run's.
        McvizError: another run that cannot be opened, or was kept without its examples.
    """
    path = Path(path)
    is_run = (path / "manifest.json").exists()
    examples = _of_run(open_run(path)) if is_run else _some(read_data(path))
    if examples.kind != run.kind.name:
        raise InvalidInputError(
            f"{path} should hold {run.kind.plural}, as the run does. Received: examples of the kind "
            f"{examples.kind}. Give a folder, a file or a run of {run.kind.plural}."
        )
    contents = adapter_for_run(sampler, run).read_inputs(run, examples)
    content = json.dumps(contents.tolist()).encode() if contents.dtype == object else contents.tobytes()
    digest = hashlib.sha256(f"{path.name}\n".encode() + content).hexdigest()
    return GivenSet(f"set_{digest[:12]}", path.stem if path.is_file() else path.name, contents, str(path))


def compare(
    sampler: Sampler,
    run: Run,
    given: Sequence[GivenSet] = (),
    *,
    kept: OODScores | None = None,
    stage: Stage | None = None,
) -> OODScores:
    """Compute the OOD scores of a run's own examples, of the sets that are made of them, and of sets that are given.

    Of the run's examples up to 1,000 are held out: nothing is fitted or calibrated on them, they are what sets are
    compared with, and sets are made of them.

    Args:
        sampler: of the run's model.
        run: a classification that keeps its examples.
        given: sets besides.
        kept: what was computed earlier; then the given sets alone are computed.
        stage: called with what is being done and how much of all is done, 0 to 1; what it raises ends the work.

    Raises:
        InvalidInputError: a run of fewer than 60 examples.
        McvizError: a run of a regression, without its examples, or sets that the model cannot take.
    """
    say = stage or (lambda *_: None)
    if not run.class_names:
        raise InvalidInputError(
            f"The verdict and its scores are of probabilities of classes. Received: {run.path}, a regression. On the "
            "page Probe, each input is compared with the run's examples by the spread of its passes."
        )
    if len(run) < LEAST:
        raise InvalidInputError(
            "Detectors are fitted, calibrated and tested on examples of their own. Received: a run of "
            f"{len(run)} examples. Sample at least {LEAST}."
        )
    own, others = held_out(len(run))
    say("Fitting the detectors", 0.0)
    fit = _Fit.of(sampler, run, *halves(others), partial(_part, say, 0.0, 0.3))
    if kept is None:
        say("This run's own examples", 0.3)
        kept = fit.scores_of(_own(fit, own))
        given = [*made_sets(run, own[:OF_A_SET]), *given]
    sets = []
    for number, each in enumerate(given):
        start = 0.35 + 0.6 * number / len(given)
        sets.append(fit.judged(each, partial(_part, say, start, 0.6 / len(given))))
    say("Measuring", 0.95)
    return kept.with_sets(tuple(sets))


def held_out(count: int, seed: int = SEED) -> tuple[np.ndarray, np.ndarray]:
    """Deal the examples of a run at random: those that are held out, and those to fit and to calibrate on, ascending.

    Args:
        count: of the run's examples, N.
        seed: of the draw.

    Returns:
        Up to 1,000 and at most a third; and all others.
    """
    drawn = np.random.default_rng(seed).permutation(count)
    own = min(OWN, count // 3)
    return np.sort(drawn[:own]), np.sort(drawn[own:])


@dataclass(frozen=True)
class _Fit:
    """Everything that is fitted or calibrated on a run's examples.

    Attributes:
        sampler: of the run's model.
        run: whose examples they are.
        detector: the verdict's.
        front: (M, D) activations of examples that are neighbours, each of length 1.
        last: (M, D) what the last layer gets of them, likewise; None where the model does not end in a dense layer.
        alone: what the same examples can make without any network.
        contents: (M, …) the same examples as they are shown.
        fitted: how many examples the detectors were fitted on.
    """

    sampler: Sampler
    run: Run
    detector: OODDetector
    front: np.ndarray
    last: np.ndarray | None
    alone: Span
    contents: np.ndarray
    fitted: int

    @classmethod
    def of(
        cls, sampler: Sampler, run: Run, fitted: np.ndarray, calibrating: np.ndarray, part: Callable[[str, float], None]
    ) -> "_Fit":
        subspaces = class_subspaces(sampler, run, fitted)
        part("Calibrating the verdict", 0.5)
        activations = activations_before_dropout(sampler, taken(sampler, run, calibrating))
        mean_probs = run.mean_probs[calibrating]
        detector = OODDetector.calibrated(subspaces, mean_probs, unexplained_share(subspaces, mean_probs, activations))
        part("Looking at neighbours", 0.8)
        near = np.sort(np.random.default_rng(SEED).permutation(fitted)[:NEAR])
        examples, contents = taken(sampler, run, near), load_shown(run, near)
        front = unit_length(activations_before_dropout(sampler, examples))
        last = _last(sampler, examples)
        alone = Span.of(run.kind.compute_vectors(contents, contents))
        return cls(sampler, run, detector, front, last, alone, contents, len(fitted))

    @property
    def labels(self) -> dict[str, str]:
        """Of the detectors that there are."""
        found = {name: each.label for name, each in DETECTORS.items()} | {CONTENT: self.run.kind.alone}
        if self.last is None:
            del found[NEIGHBOURS_OF_LAST]
        return found

    def scores_of(self, own: OODSet) -> OODScores:
        """What is found, with no set yet."""
        return OODScores(self.labels, own, (), self.fitted, len(self.detector.unexplained), self.run.passes)

    def judged(self, given: GivenSet, part: Callable[[str, float], None]) -> OODSet:
        """Predict the examples of a set, and let every detector judge them."""
        say = partial(part, given.label)
        examples = adapter_for_run(self.sampler, self.run).from_inputs(given.contents)
        means, values = [], []
        for probs in self._passes(examples, say):
            found = Predictions(probs)
            means.append(found.mean_probs)
            values.append({name: score.compute(found) for name, score in _passes_scores().items()})
        of_passes = {name: np.concatenate([each[name] for each in values]) for name in _passes_scores()}
        return self.found(given, examples, np.concatenate(means), of_passes, self.sampler.deterministic(examples))

    def found(
        self,
        given: GivenSet,
        examples: np.ndarray,
        mean_probs: np.ndarray,
        of_passes: Values,
        deterministic: np.ndarray,
    ) -> OODSet:
        """Let every detector judge a set.

        Args:
            given: N examples.
            examples: (N, …) as the model takes them.
            mean_probs: (N, C) the predictive mean.
            of_passes: by score of the passes (N,).
            deterministic: (N, C) with dropout off.
        """
        front = activations_before_dropout(self.sampler, examples)
        unexplained = unexplained_share(self.detector.subspaces, mean_probs, front)
        verdict = self.detector.judged(uncertainty_of(mean_probs), unexplained)
        content = self.run.kind.compute_vectors(given.contents, self.contents)
        scores: Values = {
            VERDICT: verdict.ood_score,
            UNEXPLAINED: unexplained,
            NEIGHBOURS: nearest_neighbours(self.front, unit_length(front)),
            **{name: SCORES[name].uncertainty(values) for name, values in of_passes.items()},
            CONFIDENCE: -deterministic.max(axis=1),
            "deterministic_entropy": entr(deterministic.astype(np.float64)).sum(axis=1),
            CONTENT: self.alone.distance(content),
        }
        if self.last is not None and (last := _last(self.sampler, examples)) is not None:
            scores[NEIGHBOURS_OF_LAST] = nearest_neighbours(self.last, last)
        return _described(self.run, given, {name: scores[name] for name in self.labels}, verdict, mean_probs)

    def _passes(self, examples: np.ndarray, say: Callable[[float], None]) -> Iterator[np.ndarray]:
        """(T, n, C) passes of some examples after the other, by the run's masks and as a run stores them."""
        run, at_once = self.run, max(1, BLOCK_VALUES // (self.run.passes * len(self.run.class_names)))
        for start in range(0, len(examples), at_once):
            block = examples[start : start + at_once]

            def progress(done: int, total: int, start: int = start, count: int = len(block)) -> None:
                say((start + count * done / total) / len(examples))

            probs = self.sampler.sample(
                block,
                passes=run.passes,
                seed=run.manifest.seed or 0,
                masks=run.manifest.masks or "per_pass",
                first_example=start,
                progress=progress,
            )
            yield dequantise(quantise(probs))


def _own(fit: _Fit, examples: np.ndarray) -> OODSet:
    """The held-out examples of a run, whose predictions it has."""
    run = fit.run
    deterministic, of_run = run.deterministic_probs, run.scores()
    prepared = taken(fit.sampler, run, examples)
    return fit.found(
        GivenSet("own", "This run's examples", load_shown(run, examples)),
        prepared,
        run.mean_probs[examples].astype(np.float64),
        {name: of_run[name].to_numpy()[examples] for name in _passes_scores()},
        fit.sampler.deterministic(prepared) if deterministic is None else deterministic[examples],
    )


def _described(run: Run, given: GivenSet, scores: Values, verdict: OODPrediction, mean_probs: np.ndarray) -> OODSet:
    confidence = mean_probs.max(axis=1)
    passing = np.flatnonzero(~verdict.is_ood)
    surest = passing[np.argsort(-confidence[passing], kind="stable")]
    shown = np.array([0, *surest[: SHOWN - 1]])
    small = run.kind.shrink(given.contents[shown])
    return OODSet(
        given.key,
        given.label,
        given.source,
        {name: values.astype(np.float32) for name, values in scores.items()},
        verdict.p_value.astype(np.float32),
        confidence.astype(np.float32),
        small,
        shown,
        mean_probs.argmax(axis=1)[shown],
    )


def _part(stage: Stage, start: float, share: float, what: str, done: float) -> None:
    """Tell how far all is, from how far a part of it is."""
    stage(what, start + share * done)


def _passes_scores() -> dict[str, Score]:
    return {name: score for name, score in SCORES.items() if name in DETECTORS}


def _classes(run: Run) -> np.ndarray:
    """(N,) the labels, or what is predicted where there are none."""
    return run.mean_probs.argmax(axis=1) if run.labels is None else np.asarray(run.labels)


def _of_another_class(classes: np.ndarray) -> np.ndarray:
    """(N,) for each example the place of a random one of another class; of any, where all are of one class."""
    random = np.random.default_rng(SEED)
    drawn = random.permutation(len(classes))
    found = np.empty(len(classes), int)
    for place, own in enumerate(classes):
        others = drawn[classes[drawn] != own]
        found[place] = random.choice(others if len(others) else drawn)
    return found


def _some(examples: DataSet) -> DataSet:
    """At most 500 examples, drawn at random."""
    if len(examples) <= OF_A_SET:
        return examples
    return examples.only(np.sort(np.random.default_rng(SEED).permutation(len(examples))[:OF_A_SET]))


def _of_run(run: Run) -> DataSet:
    """At most 500 examples of another run."""
    places = np.sort(np.random.default_rng(SEED).permutation(len(run))[:OF_A_SET])
    examples = run.kind.read_array(DataSet(None, kind=run.kind.name), "examples", load_shown(run, places))
    if examples.rows is None:
        return examples
    return replace(examples, rows=examples.rows.set_axis(list(run.manifest.examples.content), axis=1))


def _last(sampler: Sampler, examples: np.ndarray) -> np.ndarray | None:
    try:
        return unit_length(penultimate(sampler.model, examples))
    except UnsuitableModelError:
        return None
