"""Activations of a run's model, nearest examples, and OOD scores."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from scipy.special import entr

from mcviz.data import DataSet, read_data
from mcviz.errors import InvalidInputError, UnsuitableModelError
from mcviz.measures import SCORES, Predictions, Score
from mcviz.measures.ood import (
    DETECTORS,
    DROPOUT_OFF,
    LEAST_CALIBRATING,
    LEAST_OOD_EXAMPLES,
    NEIGHBOURS,
    NEIGHBOURS_OF_LAST,
    NO_NETWORK,
    UNEXPLAINED,
    VERDICT,
    ClassSubspaces,
    OODDetector,
    OODPrediction,
    PrincipalSubspace,
    nearest_neighbours,
    scale_to_unit_length,
    uncertainty_from_means,
    unexplained_share,
)
from mcviz.measures.selective import Shift, compare_scores
from mcviz.runs import Derived, Run, load_derived, open_run, save_derived
from mcviz.runs.ood_scores import OODScores, OODSet, load_ood_scores, save_ood_scores
from mcviz.runs.tables import Progress
from mcviz.sampling.adapters import adapter_for_run, load_shown, load_stored
from mcviz.sampling.engine import iterate_blocks
from mcviz.sampling.loading import load_run_sampler
from mcviz.sampling.sampler import Sampler
from mcviz.tasks.probabilities import dequantise, quantise

MOST_FEATURES = 16_384
EXAMPLES_AT_ONCE = 500
MOST_NEIGHBOURS = 10_000
STORED_FEATURES = Derived("model-features", 1, {"features": "float16"})
MOST_COMPARED = 512  # features of an example; more are projected

MOST_EXAMPLES = 5000  # to fit the subspaces, and again to calibrate
FIT = Derived("ood-detector", 2, {"unexplained": "float64"})

MOST_HELD_OUT, MOST_OF_A_SET = 1000, 500  # examples
MOST_REFERENCE_EXAMPLES = 1000  # for neighbours and for the detector of inputs
SEED = 0
LEAST = 3 * LEAST_OOD_EXAMPLES
KEPT_EXAMPLES = 4
BLOCK_VALUES = 2**25  # of passes in memory at a time
Stage = Callable[[str, float], None]
Values = dict[str, np.ndarray]


def activations_before_dropout(sampler: Sampler, examples: np.ndarray) -> np.ndarray:
    """Return inputs of the first stochastic layers, equal in every pass.

    Above 16,384 numbers an example, feature maps are averaged over blocks of pixels. A model that cannot be split gives
    its input.

    Args:
        sampler: the prepared model.
        examples: (N, ...) model inputs, or N texts.

    Returns:
        (N, D) float32.

    Raises:
        InvalidInputError: examples do not fit the model.
    """
    prepared, plan = sampler.plan_for(examples)
    activations = []
    for rows, block in iterate_blocks(prepared, plan.shared_examples_per_block):
        shared = [array[: rows.stop - rows.start] for array in plan.shared_part(block)]
        activations.append(np.concatenate([_pool_features(array) for array in shared], axis=1))
    return np.concatenate(activations)


def unit_features(sampler: Sampler, examples: np.ndarray) -> np.ndarray:
    """Return a model's features of examples as unit vectors.

    They are inputs of the last dense layer, dropout off, else of the first stochastic layers. Above 512 they are
    projected at random, which nearly keeps angles (Johnson & Lindenstrauss 1984).

    Args:
        sampler: the prepared model.
        examples: (N, ...) model inputs, or N texts.

    Returns:
        (N, D) float32 of unit length; 0 without active features.

    Raises:
        InvalidInputError: examples do not fit the model.
    """
    try:
        features = sampler.network.compute_features(examples)
    except UnsuitableModelError:
        features = activations_before_dropout(sampler, examples)
    if features.shape[1] > MOST_COMPARED:
        features = features @ _random_directions(features.shape[1])
    return scale_to_unit_length(features)


@dataclass(frozen=True)
class Neighbours:
    """Examples of a run with their features.

    Attributes:
        examples: (M,) int64 numbers of the compared examples: all, or 10,000 at most, evenly spread.
        features: (M, D) float32 of unit length, from `unit_features`.
    """

    examples: np.ndarray
    features: np.ndarray

    def nearest(self, features: np.ndarray, count: int, without: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Find examples with the most similar directions of features.

        Args:
            features: (D,) float32 of the input.
            count: the most to return.
            without: the number of an example to leave out, or None.

        Returns:
            (n,) int64 numbers of examples, the nearest first, and (n,) the cosines, 1 for equal directions.
        """
        cosines = self.features @ features
        order = np.argsort(-cosines, kind="stable")
        order = order[self.examples[order] != without][:count] if without is not None else order[:count]
        return self.examples[order], cosines[order]


def find_neighbours(sampler: Sampler, run: Run, progress: Progress | None = None) -> Neighbours:
    """Load the features of a run's examples, or compute and store them.

    Args:
        sampler: of the run's model.
        run: a run that keeps its examples.
        progress: called with (done, total) examples; an error that it raises ends the work.

    Raises:
        McvizError: the run has no examples, or the model does not take them.
    """
    stride = -(-len(run) // MOST_NEIGHBOURS)
    numbers = np.arange(0, len(run), stride)
    earlier = load_derived(run.path, run.digest, STORED_FEATURES)
    if earlier is not None and earlier["features"].ndim == 2 and len(earlier["features"]) == len(numbers):
        return Neighbours(numbers, earlier["features"].astype(np.float32))
    adapter, stored, blocks = adapter_for_run(sampler, run), load_stored(run), []
    for start in range(0, len(numbers), EXAMPLES_AT_ONCE):
        stop = min(start + EXAMPLES_AT_ONCE, len(numbers))
        blocks.append(unit_features(sampler, adapter.from_stored(stored[start * stride : stop * stride : stride])))
        if progress:
            progress(stop, len(numbers))
    features = np.concatenate(blocks)
    save_derived(run.path, run.digest, STORED_FEATURES, {"features": features})
    return Neighbours(numbers, features)


@lru_cache(maxsize=2)
def _random_directions(features: int) -> np.ndarray:
    """Draw (features, `MOST_COMPARED`) float32."""
    return np.random.default_rng(0).normal(size=(features, MOST_COMPARED)).astype(np.float32)


def _pool_features(array: np.ndarray) -> np.ndarray:
    """Average blocks to (N, D) float32, D at most `MOST_FEATURES`."""
    while array[0].size > MOST_FEATURES and array.ndim > 2:
        axis = int(np.argmax(array.shape[1:-1])) + 1
        if array.shape[axis] == 1:
            break
        edges = np.arange(0, array.shape[axis], 2)
        sums = np.add.reduceat(array, edges, axis=axis)
        widths = np.diff(np.r_[edges, array.shape[axis]])
        array = sums / widths.reshape([-1 if i == axis else 1 for i in range(array.ndim)])
    flat = array.reshape(len(array), -1).astype(np.float32)
    if flat.shape[1] <= MOST_FEATURES:
        return flat
    edges = np.linspace(0, flat.shape[1], MOST_FEATURES, endpoint=False).astype(int)
    return np.add.reduceat(flat, edges, axis=1)


def fit_ood_detector(sampler: Sampler, run: Run) -> OODDetector:
    """Fit the detector on one random half of a classification.

    The other half calibrates it. At most 10,000 examples are used. Fitting takes seconds, so keep the detector. The
    calibration is stored with the run.

    Args:
        sampler: of the run's model.
        run: a run that keeps its examples.

    Raises:
        InvalidInputError: the run has fewer than 20 examples.
        McvizError: the run is of a regression, or without its examples.
    """
    _check_enough(len(run), LEAST_OOD_EXAMPLES)
    fitted, calibrating = split_halves(np.arange(len(run)))
    stored = load_derived(run.path, run.digest, FIT)
    unexplained = stored["unexplained"] if stored and stored["unexplained"].shape == (len(calibrating),) else None
    detector = _calibrate(sampler, run, fit_class_subspaces(sampler, run, fitted), calibrating, unexplained)
    if unexplained is None:
        save_derived(run.path, run.digest, FIT, {"unexplained": detector.unexplained})
    return detector


def _calibrate(
    sampler: Sampler,
    run: Run,
    subspaces: ClassSubspaces,
    examples: np.ndarray,
    unexplained: np.ndarray | None = None,
) -> OODDetector:
    """Calibrate the detector; unexplained shares may be known."""
    mean_probs = run.mean_probs[examples]
    if unexplained is None:
        activations = activations_before_dropout(sampler, model_inputs(sampler, run, examples))
        unexplained = unexplained_share(subspaces, mean_probs, activations)
    return OODDetector.calibrate(subspaces, mean_probs, unexplained)


def split_halves(examples: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Split examples at random to fit and to calibrate, ascending.

    Args:
        examples: (N,) their numbers, at least 20.
        seed: of the split.

    Returns:
        At most 5,000 each; half of the examples, and at least 19, are for calibration.
    """
    order = np.random.default_rng(seed).permutation(examples)[: 2 * MOST_EXAMPLES]
    fitted, calibrating = np.split(order, [len(order) - max(LEAST_CALIBRATING, -(-len(order) // 2))])
    return np.sort(fitted), np.sort(calibrating)


def fit_class_subspaces(sampler: Sampler, run: Run, examples: np.ndarray) -> ClassSubspaces:
    """Fit class subspaces on a run's examples by labels, or else predictions.

    Args:
        sampler: of the run's model.
        run: a classification that keeps its examples.
        examples: (M,) their numbers, ascending.
    """
    labels = _classes(run)[examples]
    activations = activations_before_dropout(sampler, model_inputs(sampler, run, examples))
    return ClassSubspaces.fit(activations, labels, run.mean_probs.shape[1])


def model_inputs(sampler: Sampler, run: Run, examples: np.ndarray) -> np.ndarray:
    """Read a run's examples by ascending numbers as model inputs."""
    return adapter_for_run(sampler, run).from_stored(load_stored(run)[examples])


def ood_verdict(detector: OODDetector, sampler: Sampler, images: np.ndarray, probs: np.ndarray) -> OODPrediction:
    """Decide with a fitted detector which images are out of distribution.

    Args:
        detector: from `fit_ood_detector`.
        sampler: of the same model.
        images: (N, ...) float32 model inputs.
        probs: (T, N, C) the passes over them.

    Returns:
        The verdict on each image, with its p-values.
    """
    return detector.predict(probs.mean(axis=0, dtype=np.float64), activations_before_dropout(sampler, images))


def ood_shift(sampler: Sampler, old: Run, new: Run, seed: int = 0) -> tuple[Shift, float, float]:
    """Compare examples of two runs by the OOD score.

    The detector is fitted on half of the old examples. The other half calibrates it and is compared with the new
    examples: fitted examples would look too usual.

    Args:
        sampler: of the model of both.
        old: a classification that keeps its examples; at most 10,000 are taken at random.
        new: a classification that keeps its examples, which are others; at most 5,000 are taken, evenly spread.
        seed: of the halves.

    Returns:
        The shift between the OOD scores of old and new examples, and the shares of old and new examples that are out
        of distribution, at most 5% of the old ones.

    Raises:
        InvalidInputError: `old` has fewer than 40 examples.
        McvizError: a run has no examples, or the model does not take them.
    """
    _check_enough(len(old), 2 * LEAST_OOD_EXAMPLES)
    fitted, others = split_halves(np.arange(len(old)), seed)
    detector = _calibrate(sampler, old, fit_class_subspaces(sampler, old, fitted), others)
    spread = np.arange(0, len(new), max(1, -(-len(new) // MOST_EXAMPLES)))
    new_activations = activations_before_dropout(sampler, model_inputs(sampler, new, spread))
    verdict = detector.predict(new.mean_probs[spread], new_activations)
    comparison = compare_scores(-np.log10(detector.calibration_combined), verdict.ood_score)
    return comparison, detector.calibration_share, float(verdict.is_ood.mean())


def _check_enough(count: int, least: int) -> None:
    if count < least:
        raise InvalidInputError(
            f"What is usual cannot be learnt from so few examples. Received: a run of {count} examples. "
            f"Sample at least {least}."
        )


@dataclass(frozen=True)
class ExampleSet:
    """A set of examples.

    Attributes:
        key: its name in files and addresses.
        label: its name for people.
        contents: (N, …) in displayed form.
        source: its path, or "" if derived from the run's examples.
    """

    key: str
    label: str
    contents: np.ndarray
    source: str = ""


def ood(
    run: Run,
    against: str | Path | Sequence[str | Path] = (),
    *,
    modules: tuple[str, ...] = (),
    stage: Stage | None = None,
) -> OODScores:
    """Measure how well a run's model detects out-of-distribution sets.

    The sets are made of the run's examples, or are yours. Results are stored with the run, and loaded later without the
    model.

    Args:
        run: a classification with its examples and its model.
        against: the path of a further set, or several: folders, files or other runs of such examples. At most 500 of
            each are drawn.
        modules: of the user, imported before the run's model is loaded.
        stage: called with the name of a stage and the finished share of all, 0 to 1; an error that it raises ends the
            work.

    Raises:
        DataNotFoundError: nothing is at a path.
        InvalidInputError: fewer than 60 examples, a regression, a run without its model, or examples of another kind.
        MissingPackageError: the model's framework or a module is missing.
        McvizError: another run cannot be opened, or the model does not take a set.
    """
    stored, paths = load_ood_scores(run), [against] if isinstance(against, str | Path) else against
    if stored is not None and not paths:
        return stored
    if run.model_path is None:
        raise InvalidInputError(
            f"{run.path} was kept without its model, so nothing new can be predicted. Sample it again with the model "
            "kept."
        )
    sampler = load_run_sampler(run, modules)
    scores = compute_ood_scores(
        sampler, run, [read_set(sampler, run, path) for path in paths], kept=stored, stage=stage
    )
    save_ood_scores(run, scores)
    return scores


def make_sets(run: Run, examples: np.ndarray) -> list[ExampleSet]:
    """Make the sets that the run's kind derives from its examples.

    Args:
        run: with its examples.
        examples: (N,) their numbers. At most 500 are drawn at random: neighbours may be of one class.
    """
    examples = examples[_draw(len(examples))]
    contents = load_shown(run, examples)
    classes = _classes(run)[examples]
    others = contents[_draw_other_classes(classes)]
    return [
        ExampleSet(name, ood_set.label, ood_set.make(contents, others, SEED + number))
        for number, (name, ood_set) in enumerate(run.kind.ood_sets.items(), 1)
    ]


def read_set(sampler: Sampler, run: Run, path: str | Path) -> ExampleSet:
    """Read a set: another run, or data for `read_data`.

    Args:
        sampler: of the run's model.
        run: of the same kind of examples.
        path: of a folder or a file. At most 500 examples are drawn.

    Raises:
        DataNotFoundError: nothing is at that path.
        InvalidInputError: examples are of another kind, or cannot be converted into the run's form.
        McvizError: another run cannot be opened, or has no examples.
    """
    path = Path(path)
    is_run = (path / "manifest.json").exists()
    examples = _draw_from_run(open_run(path)) if is_run else _draw_some(read_data(path))
    if examples.kind != run.kind.name:
        raise InvalidInputError(
            f"{path} should hold {run.kind.plural}, as the run does. Received: examples of the kind "
            f"{examples.kind}. Give a folder, a file or a run of {run.kind.plural}."
        )
    contents = adapter_for_run(sampler, run).read_inputs(run, examples)
    content = json.dumps(contents.tolist()).encode() if contents.dtype == object else contents.tobytes()
    digest = hashlib.sha256(f"{path.name}\n".encode() + content).hexdigest()
    return ExampleSet(f"set_{digest[:12]}", path.stem if path.is_file() else path.name, contents, str(path))


def compute_ood_scores(
    sampler: Sampler,
    run: Run,
    given: Sequence[ExampleSet] = (),
    *,
    kept: OODScores | None = None,
    stage: Stage | None = None,
) -> OODScores:
    """Compute OOD scores of a run's examples, derived sets and other sets.

    Up to 1,000 examples are held out from fitting and calibration. Sets are derived from them and compared with them.

    Args:
        sampler: of the run's model.
        run: a classification that keeps its examples.
        given: other sets.
        kept: earlier scores; then only the given sets are computed.
        stage: called with the name of a stage and the finished share of all, 0 to 1; an error that it raises ends the
            work.

    Raises:
        InvalidInputError: the run has fewer than 60 examples.
        McvizError: the run is of a regression, or without its examples; or the model does not take a set.
    """
    report = stage or (lambda *_: None)
    if not run.task.has_one_class:
        raise InvalidInputError(
            "The verdict and its scores take one class an example. "
            f"Received: {run.path}, of {run.manifest.task}. On the page Probe, each input is compared with the run's "
            "examples by the spread of its passes."
        )
    if len(run) < LEAST:
        raise InvalidInputError(
            "Detectors are fitted, calibrated and tested on examples of their own. Received: a run of "
            f"{len(run)} examples. Sample at least {LEAST}."
        )
    own, others = split_held_out(len(run))
    report("Fitting the detectors", 0.0)
    detectors = _Detectors.fit(sampler, run, *split_halves(others), partial(_report_part, report, 0.0, 0.3))
    if kept is None:
        report("This run's own examples", 0.3)
        scores = detectors.score_own(own)
        kept = OODScores(detectors.labels, scores, (), detectors.fitted, len(detectors.verdict.unexplained), run.passes)
        given = [*make_sets(run, own), *given]
    sets = []
    for number, set_of_examples in enumerate(given):
        start = 0.35 + 0.6 * number / len(given)
        sets.append(detectors.predict(set_of_examples, partial(_report_part, report, start, 0.6 / len(given))))
    report("Measuring", 0.95)
    return kept.with_sets(tuple(sets))


def split_held_out(count: int, seed: int = SEED) -> tuple[np.ndarray, np.ndarray]:
    """Split a run at random into held-out and fitting examples, ascending.

    Args:
        count: of the run's examples, N.
        seed: of the split.

    Returns:
        The held-out examples, up to 1,000 and at most a third; and all others.
    """
    order = np.random.default_rng(seed).permutation(count)
    own = min(MOST_HELD_OUT, count // 3)
    return np.sort(order[:own]), np.sort(order[own:])


@dataclass(frozen=True)
class _Detectors:
    """The detectors, fitted and calibrated on a run.

    Attributes:
        sampler: of the run's model.
        run: of the examples.
        verdict: the detector of the verdict.
        front: (M, D) activations before dropout of the neighbours, each of length 1.
        last: (M, D) inputs of the last layer, each of length 1; None if the model does not end in a dense layer.
        span: of the neighbours without any network.
        contents: (M, …) the neighbours in displayed form.
        fitted: the number of fitted examples.
    """

    sampler: Sampler
    run: Run
    verdict: OODDetector
    front: np.ndarray
    last: np.ndarray | None
    span: PrincipalSubspace
    contents: np.ndarray
    fitted: int

    @classmethod
    def fit(
        cls, sampler: Sampler, run: Run, fitted: np.ndarray, calibrating: np.ndarray, report: Stage
    ) -> "_Detectors":
        subspaces = fit_class_subspaces(sampler, run, fitted)
        report("Calibrating the verdict", 0.5)
        verdict = _calibrate(sampler, run, subspaces, calibrating)
        report("Looking at neighbours", 0.8)
        near = np.sort(np.random.default_rng(SEED).permutation(fitted)[:MOST_REFERENCE_EXAMPLES])
        examples, contents = model_inputs(sampler, run, near), load_shown(run, near)
        front = scale_to_unit_length(activations_before_dropout(sampler, examples))
        last = _last_features(sampler, examples)
        span = PrincipalSubspace.fit(run.kind.compute_vectors(contents, contents))
        return cls(sampler, run, verdict, front, last, span, contents, len(fitted))

    @property
    def labels(self) -> dict[str, str]:
        labels = {name: detector.label for name, detector in DETECTORS.items()} | {NO_NETWORK: self.run.kind.alone}
        if self.last is None:
            del labels[NEIGHBOURS_OF_LAST]
        return labels

    def score_own(self, examples: np.ndarray) -> OODSet:
        run = self.run
        deterministic, scores = run.deterministic_probs, run.scores()
        inputs = model_inputs(self.sampler, run, examples)
        return self._score(
            ExampleSet("own", "This run's examples", load_shown(run, examples)),
            inputs,
            run.mean_probs[examples].astype(np.float64),
            {name: scores[name].to_numpy()[examples] for name in _passes_scores()},
            self.sampler.deterministic(inputs) if deterministic is None else deterministic[examples],
        )

    def predict(self, given: ExampleSet, report: Stage) -> OODSet:
        examples = adapter_for_run(self.sampler, self.run).from_inputs(given.contents)
        means, blocks = [], []
        for probs in self._sample(examples, partial(report, given.label)):
            predictions = Predictions(probs)
            means.append(predictions.mean_probs)
            blocks.append({name: score.compute(predictions) for name, score in _passes_scores().items()})
        scores = {name: np.concatenate([block[name] for block in blocks]) for name in _passes_scores()}
        return self._score(given, examples, np.concatenate(means), scores, self.sampler.deterministic(examples))

    def _score(
        self,
        given: ExampleSet,
        examples: np.ndarray,
        mean_probs: np.ndarray,
        passes_scores: Values,
        deterministic: np.ndarray,
    ) -> OODSet:
        """Score N examples, (N, …) model inputs, by every detector."""
        front = activations_before_dropout(self.sampler, examples)
        unexplained = unexplained_share(self.verdict.subspaces, mean_probs, front)
        verdict = self.verdict.classify(uncertainty_from_means(mean_probs), unexplained)
        content = self.run.kind.compute_vectors(given.contents, self.contents)
        scores: Values = {
            VERDICT: verdict.ood_score,
            UNEXPLAINED: unexplained,
            NEIGHBOURS: nearest_neighbours(self.front, scale_to_unit_length(front)),
            **{name: SCORES[name].uncertainty(values) for name, values in passes_scores.items()},
            DROPOUT_OFF: -deterministic.max(axis=1),
            "deterministic_entropy": entr(deterministic.astype(np.float64)).sum(axis=1),
            NO_NETWORK: self.span.distance(content),
        }
        if self.last is not None and (last := _last_features(self.sampler, examples)) is not None:
            scores[NEIGHBOURS_OF_LAST] = nearest_neighbours(self.last, last)
        return _summarize(self.run, given, {name: scores[name] for name in self.labels}, verdict, mean_probs)

    def _sample(self, examples: np.ndarray, report: Callable[[float], None]) -> Iterator[np.ndarray]:
        """Sample passes (T, n, C) part by part, as a run stores them."""
        run, at_once = self.run, max(1, BLOCK_VALUES // (self.run.passes * len(self.run.class_names)))
        for start in range(0, len(examples), at_once):
            block = examples[start : start + at_once]

            def progress(done: int, total: int, start: int = start, count: int = len(block)) -> None:
                report((start + count * done / total) / len(examples))

            probs = self.sampler.sample(
                block,
                passes=run.passes,
                seed=run.manifest.seed or 0,
                masks=run.manifest.masks or "per_pass",
                first_example=start,
                progress=progress,
            )
            yield dequantise(quantise(probs))


def _summarize(run: Run, given: ExampleSet, scores: Values, verdict: OODPrediction, mean_probs: np.ndarray) -> OODSet:
    confidence = mean_probs.max(axis=1)
    passing = np.flatnonzero(~verdict.is_ood)
    surest = passing[np.argsort(-confidence[passing], kind="stable")]
    places = np.array([0, *surest[: KEPT_EXAMPLES - 1]])
    small = run.kind.shrink(given.contents[places])
    return OODSet(
        given.key,
        given.label,
        given.source,
        {name: values.astype(np.float32) for name, values in scores.items()},
        verdict.p_value.astype(np.float32),
        confidence.astype(np.float32),
        small,
        places,
        mean_probs.argmax(axis=1)[places],
    )


def _report_part(stage: Stage, start: float, share: float, name: str, done: float) -> None:
    stage(name, start + share * done)


def _passes_scores() -> dict[str, Score]:
    return {name: score for name, score in SCORES.items() if name in DETECTORS}


def _classes(run: Run) -> np.ndarray:
    """Return (N,) labels, or predictions if unknown."""
    predicted = run.mean_probs.argmax(axis=1)
    return predicted if run.labels is None else np.where(run.labels < 0, predicted, run.labels)


def _draw_other_classes(classes: np.ndarray) -> np.ndarray:
    """Draw for each example the index of one of another class, if there is one."""
    random = np.random.default_rng(SEED)
    order = random.permutation(len(classes))
    indices = np.empty(len(classes), int)
    for index, own in enumerate(classes):
        others = order[classes[order] != own]
        indices[index] = random.choice(others if len(others) else order)
    return indices


def _draw(count: int) -> np.ndarray:
    """Draw at most 500 indices, ascending."""
    return np.sort(np.random.default_rng(SEED).permutation(count)[:MOST_OF_A_SET])


def _draw_some(examples: DataSet) -> DataSet:
    return examples if len(examples) <= MOST_OF_A_SET else examples.take(_draw(len(examples)))


def _draw_from_run(run: Run) -> DataSet:
    drawn, content = _draw(len(run)), run.kind.content
    held = content.from_columns(run.content.iloc[drawn]) if content.in_columns else content(load_shown(run, drawn))
    return DataSet(held=held, kind=run.kind.name)


def _last_features(sampler: Sampler, examples: np.ndarray) -> np.ndarray | None:
    try:
        return scale_to_unit_length(sampler.network.compute_features(examples))
    except UnsuitableModelError:
        return None
