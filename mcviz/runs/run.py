"""A finished run, opened for reading. Files are read on demand; nothing here needs a framework of models."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

import numpy as np

from mcviz.data.in_place import LazyRows, Places
from mcviz.decisions import Decisions
from mcviz.errors import CorruptRunError, McvizError, PartialRunError
from mcviz.kinds import Kind, kind_of
from mcviz.manifest import COLUMNS, Images, Manifest
from mcviz.measures import PassSummary, Score, Scores, summarise
from mcviz.permission import require_permission
from mcviz.runs.arrays import (
    ArrayReader,
    ValueScale,
    complete_shards,
    read_verified,
    read_whole_manifest,
    stored_arrays,
)
from mcviz.runs.decisions import FILE as DECISIONS
from mcviz.runs.decisions import encode_decisions, read_decisions
from mcviz.runs.derived import FILE as ADDED_SCORES
from mcviz.runs.derived import (
    PATIENCE,
    AddedScores,
    Derived,
    check_name,
    describe,
    encode_added_scores,
    load_derived,
    match_values,
    read_added_scores,
    save_derived,
)
from mcviz.runs.manifest_file import corrupt, read_manifest, replaced
from mcviz.runs.storage import Folder, LocalFolder, folder_at, require_own, write_lock
from mcviz.runs.tables import NULLABLE, decode_columns, decode_table
from mcviz.tasks import Task, task_of
from mcviz.text import as_html

if TYPE_CHECKING:
    import pandas as pd


T = TypeVar("T")
P = ParamSpec("P")


class Run:
    """One model × one data set × T passes × seed × mask mode, on disk. `len(run)` is the number of examples, N.

    Arrays that come from here are read-only, and may be shared between threads.

    Attributes:
        path: the folder or address.
        manifest: of the run.
        digest: its identity, a SHA-256 of all that determines its numbers.
    """

    def __init__(self, folder: Folder, manifest: Manifest) -> None:
        self._folder = folder
        self._arrays = ArrayReader(folder, manifest)
        self._added_scores: tuple[str, AddedScores] | None = None
        self._decided: Decided | None = None
        self._named: tuple[str, dict[str, np.ndarray]] | None = None
        self.path = folder.path
        self.manifest = manifest
        self.digest = manifest.digest

    def __repr__(self) -> str:
        return f"<Run {self.path}: {self.passes} passes × {len(self)} examples>"

    def _repr_html_(self) -> str:
        """The run as a notebook shows it, of what the manifest says alone."""
        manifest, task = self.manifest, self.task
        quality = "" if manifest.quality is None else task.format_quality(manifest.quality, manifest.unit)
        facts = {
            "passes": f"{self.passes:,}, {manifest.sampling_summary}",
            "examples": f"{len(self):,}",
            "kind": manifest.examples.kind,
            "predicts": manifest.output_summary,
            "model": manifest.model.name if manifest.model else "",
            task.sealed_quality_name: quality,
            "digest": self.digest[:12],
        }
        rows = "".join(f"<tr><td>{name}</td><td>{as_html(fact)}</td></tr>" for name, fact in facts.items() if fact)
        return f"<b>Run {as_html(self.name)}</b><table>{rows}</table>"

    def __len__(self) -> int:
        return self.manifest.examples.count

    @property
    def name(self) -> str:
        """The folder's own name."""
        return PurePosixPath(self.path).name

    @property
    def passes(self) -> int:
        """The number of passes, T."""
        return self.manifest.passes

    @property
    def class_names(self) -> tuple[str, ...]:
        """C names; none of a regression."""
        return self.manifest.class_names

    @property
    def targets(self) -> tuple[str, ...]:
        """D names of targets; none for classes."""
        return self.manifest.targets

    @property
    def has_images(self) -> bool:
        """Whether the run has its images."""
        return self.manifest.has_images

    @property
    def image_shape(self) -> tuple[int, ...]:
        """One image's (height, width, channels).

        Raises:
            McvizError: the examples are no images.
        """
        return self._require_images().shape

    @property
    def value_scale(self) -> ValueScale:
        """The values of the images that stand for black and white.

        Raises:
            McvizError: the examples are no images.
        """
        return ValueScale.of(self._require_images(), self.manifest.preprocessing)

    @cached_property
    def model_path(self) -> str | None:
        """The model's local file, or None.

        Raises:
            CorruptRunError: the file is not what was written.
        """
        name = self.manifest.model_file
        if name is None or not isinstance(self._folder, LocalFolder):
            return None
        self.read_file(name)
        return self._folder.address(name)

    def read_file(self, name: str) -> bytes:
        """One of the files that the manifest lists.

        Raises:
            RunNotFoundError: the run was removed, or replaced by another.
            CorruptRunError: the file is not what was written.
        """
        return self._read(read_verified, self._folder, self.manifest, name)

    def probs(self, example: int) -> np.ndarray:
        """The passes of one example of a classification.

        Args:
            example: its number, 0 to N - 1.

        Returns:
            (T, C) float32 probabilities, within 1/131068 of what was sampled, and float32's own rounding.

        Raises:
            TypeError: that is no whole number.
            IndexError: there is no such example.
            CorruptRunError: a file is not what was written.
            McvizError: the run is of a regression.
        """
        self._require_array("probs", "probabilities of classes")
        return self.predictions(example)

    def probs_block(self, start: int, stop: int | None) -> np.ndarray:
        """The passes of the examples from `start` to before `stop`, as a slice counts.

        Returns:
            (T, n, C) float32 probabilities.

        Raises:
            CorruptRunError: a file is not what was written.
            McvizError: the run is of a regression.
        """
        self._require_array("probs", "probabilities of classes")
        return self.predictions_block(start, stop)

    def outputs(self, example: int) -> np.ndarray:
        """The passes of one example of a regression.

        Args:
            example: its number, 0 to N - 1.

        Returns:
            (T, D) float32 predicted means.

        Raises:
            As `probs`; McvizError: the run is of a classification.
        """
        self._require_array("outputs", "outputs of a regression")
        return self.predictions(example)[:, : len(self.targets)]

    def variances(self, example: int) -> np.ndarray | None:
        """The predicted variances of one example of a regression, (T, D) float32; None where there are none.

        Raises:
            CorruptRunError: as of `outputs`.
        """
        self._require_array("outputs", "outputs of a regression")
        return self.predictions(example)[:, len(self.targets) :] if self.manifest.predicts != "mean" else None

    def predictions(self, example: int) -> np.ndarray:
        """The passes of one example, (T, K) float32: as of `probs`, or outputs and then their variances.

        Raises:
            CorruptRunError: as of `probs`.
        """
        example = self._check_example(example)
        if self.manifest.label_maps:
            raise McvizError(f"{self.path} keeps the passes of a segmentation as label maps: read `label_maps`.")
        return np.asarray(self._read_passes(example, example + 1)[:, 0])

    def label_maps(self, example: int) -> np.ndarray:
        """The passes of one example of a segmentation.

        Args:
            example: its number, 0 to N - 1.

        Returns:
            (T, H, W) uint8, the most probable class of each pixel in each pass.

        Raises:
            As `probs`; McvizError: the run is of another task.
        """
        self._require_array("classes", "label maps")
        example = self._check_example(example)
        return _freeze(np.moveaxis(self._read_rows("classes", example, example + 1)[0], -1, 0))

    def predictions_block(self, start: int, stop: int | None) -> Any:
        """The passes of examples `start` to `stop`, (T, n, K) float32; of a segmentation `SegmentationPredictions`.

        Raises:
            CorruptRunError: a file is not what was written.
        """
        start, stop, _ = slice(start, stop).indices(len(self))
        return self._read_passes(start, stop)

    def summary(self, example: int) -> PassSummary:
        """Summarise the passes of one example of a classification.

        Raises:
            CorruptRunError: as of `probs`.
        """
        probs, task = self.probs(example), self.task
        return summarise(probs, task.decide) if task.has_one_class else summarise(probs)

    def array(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """One of the run's arrays as it is stored, by its name in the Zarr store: its rows `start` to before `stop`.

        Raises:
            KeyError: the run has no such array.
            CorruptRunError: a file is not what was written.
        """
        return self._read_rows(name, start, stop)

    @cached_property
    def images(self) -> LazyRows:
        """(N, height, width, channels) uint8 in 0..255 or float32; read from disk as it is indexed.

        Raises:
            McvizError: the run has no images.
        """
        if self.manifest.images is None or not self.manifest.images.stored:
            raise McvizError(f"{self.path} was kept without its images. Sample it again with the images kept.")
        return self._lazy_rows("images")

    @cached_property
    def pictures(self) -> LazyRows:
        """(N, height, width, 1 or 3) uint8: the images for display; read from disk as it is indexed.

        Of images with more than three channels the first three are shown, and of two the first.

        Raises:
            McvizError: the run has no images.
        """
        images, scale = self.images, self.value_scale
        channels = 1 if images.shape[-1] < 3 else 3
        if images.dtype == np.uint8 and images.shape[-1] == channels:
            return images

        def read(places: Places) -> np.ndarray:
            unit = scale.to_unit(images.read(places))
            return np.round(unit[..., :channels] * 255).astype(np.uint8)

        return replace(images, read=read, image_shape=(*images.image_shape[:-1], channels), dtype=np.dtype(np.uint8))

    @cached_property
    def labels(self) -> np.ndarray | None:
        """(N,) int64 classes, (N, D) float32 targets, or None.

        Of a segmentation (N, H, W) uint8 classes, C for ignored pixels.
        """
        return None if self.manifest.labels_sha256 is None else _freeze(self._read_rows("label"))

    @property
    def lazy_labels(self) -> "np.ndarray | LazyRows | None":
        """The `labels`, of which label maps are read from disk as they are indexed."""
        if self.manifest.labels_sha256 is None or not self.task.of_pixels:
            return self.labels
        return self._lazy_rows("label")

    @property
    def lazy_mean_predictions(self) -> "np.ndarray | LazyRows":
        """The `mean_predictions`, of which label maps are read from disk as they are indexed."""
        return self._lazy_rows("mean_class") if self.task.of_pixels else self.mean_predictions

    @cached_property
    def deterministic_probs(self) -> np.ndarray | None:
        """(N, C) float32 probabilities with dropout off, or None."""
        self._require_array("probs", "probabilities of classes")
        return self.deterministic_predictions

    @cached_property
    def deterministic_predictions(self) -> np.ndarray | None:
        """(N, K) float32 predictions of the model with dropout off, as `predictions` has them; or None.

        Of a segmentation (N, H, W) uint8 label maps.
        """
        if not self.manifest.deterministic:
            return None
        return _freeze(self._read_by_example("deterministic"))

    @cached_property
    def features(self) -> np.ndarray | None:
        """(N, D) float32 features of similarity, or None."""
        return _freeze(self._read_rows("features")) if self.manifest.features is not None else None

    @cached_property
    def columns(self) -> "pd.DataFrame | None":
        """The ids (`id`) and the user's columns, indexed by `example`, or None; reserved names begin with `user_`.

        Raises:
            CorruptRunError: the file is not what was written.
        """
        if self.manifest.examples.columns_sha256 is None:
            return None
        content = self._read(read_verified, self._folder, self.manifest, COLUMNS)
        try:
            return decode_columns(content, len(self))
        except ValueError as error:
            raise corrupt(self._folder.address(COLUMNS), f"is damaged: {error}") from error

    @cached_property
    def content(self) -> "pd.DataFrame":
        """The texts or rows of numbers, in the model's order of columns.

        Returns:
            One row an example, indexed by `example`: a column of texts (str), or D columns of finite float32.

        Raises:
            McvizError: they are of another kind.
            CorruptRunError: the file is not what was written.
        """
        examples, columns = self.manifest.examples, self.columns
        if not examples.content or columns is None:
            raise McvizError(f"The examples of {self.path} are no texts and no rows of numbers.")
        try:
            if missing := [name for name in examples.content if name not in columns]:
                raise ValueError(f"it has no column {missing[0]!r:.60}")
            return self.kind.content.check(columns[list(examples.content)])
        except ValueError as error:
            raise corrupt(self._folder.address(COLUMNS), f"is damaged: {error}") from error

    @cached_property
    def mean_probs(self) -> np.ndarray:
        """(N, C) float32 predictive mean of a classification."""
        self._require_array("probs", "probabilities of classes")
        return self.mean_predictions

    @cached_property
    def mean_predictions(self) -> np.ndarray:
        """(N, K) float32 mean of the passes, as `predictions` has them; of a segmentation (N, H, W) uint8."""
        return _freeze(self._read_by_example("mean"))

    def scores(self) -> "pd.DataFrame":
        """Every score of every example, in a table that is the caller's own.

        Returns:
            One row an example, indexed by `example`: `id` (str), `label` (Int64, missing where unknown), `prediction`
            (int64), `correct` (boolean, missing where unknown), then the scores of `mcviz.SCORES` (float32), and those
            that were added. Of a regression `label` and `prediction` are float32, one for each target, and `correct` is
            not there. Of several labels an example they are names of classes, such as "cat;dog", followed by
            `exact_match` (boolean) and `loss` (float32), the share of known labels that are wrong; of a segmentation
            they are the classes that are in the label and in the prediction, followed by `loss`, 1 less the mean Dice.
            `decisions` count: predictions and losses are by their thresholds and tolerances, and losses are missing of
            examples that chose these.

        Warns:
            UserWarning: scores that were added cannot be read; the table is without them.
        """
        table = self._table.assign(**self._computed_scores, **self._decided_columns)
        known = [name for name in self.task.scores if name in table]
        unknown = [name for name in self.manifest.scores if name not in self.task.scores]
        added = self._read_added_scores()
        if added.problem:
            warnings.warn(added.problem, stacklevel=2)
        table = table.assign(**self._named_columns)
        columns = [*self._named_columns, *self.task.table_columns(self.targets)]
        scores = table[["id", *columns, *known, *unknown]]
        return scores if added.table is None else scores.join(added.table)

    def add_score(self, name: str, values: Any, *, high_is_uncertain: bool = True, meaning: str = "") -> None:
        """Add a score that was made elsewhere to the run, or replace an earlier one of that name.

        The run itself and its digest stay as they are: the scores are kept in a file beside it, and also hold for more
        passes over the same examples.

        Args:
            name: of the score: lower-case letters, digits and underscores; none of a column of the run.
            values: (N,) numbers in the order of the examples; or a mapping from their ids, or a pandas Series whose
                index has the ids, or counts the rows. They are kept as float32.
            high_is_uncertain: whether a high value means uncertain, or else a low one.
            meaning: a sentence or two on how to read a value, up to 500 characters.

        Raises:
            InvalidInputError: a name that is taken or cannot be, or values that are not one finite number an example.
            NotPermittedError: the run came with mcviz, or the caller may not write.
            CorruptRunError: the scores that were added earlier cannot be read; the message names the file.
            RunNotFoundError: the run was removed or replaced.
            StorageError: the file cannot be written, or another process writes the run.
        """
        require_permission("No score can be added")
        require_own(self.path)
        check_name(name, self._taken_names())
        ids = self._table["id"]
        packed, about = match_values(values, ids), describe(high_is_uncertain, meaning)
        with write_lock(self._folder, PATIENCE):
            if read_manifest(self._folder).digest != self.digest:
                raise replaced(self.path)
            self._added_scores = None
            added = self._read_added_scores()
            if added.problem:
                raise CorruptRunError(added.problem)
            content = encode_added_scores(added, self.manifest, ids, name, about, packed)
            self._folder.write(ADDED_SCORES, content)
            self._added_scores = None

    def table(self) -> "pd.DataFrame":
        """The table of `scores`, followed by the user's own columns."""
        columns = self.columns
        return self.scores() if columns is None else self.scores().join(columns.drop(columns="id"))

    @property
    def pass_accuracy(self) -> np.ndarray | None:
        """(T,) float64 accuracy of each single pass of a classification, or None without labels."""
        return self._select_quality("accuracy", 0)

    @property
    def ensemble_accuracy(self) -> np.ndarray | None:
        """(T,) float64 accuracy of the mean of the first t + 1 passes of a classification, or None without labels."""
        return self._select_quality("accuracy", 1)

    @property
    def deterministic_accuracy(self) -> float | None:
        """The accuracy with dropout off, or None."""
        return self.deterministic_quality if self._is_measured_by("accuracy") else None

    @property
    def pass_rmse(self) -> np.ndarray | None:
        """(T,) float64 root mean squared error of each single pass of a regression, or None without labels."""
        return self._select_quality("RMSE", 0)

    @property
    def ensemble_rmse(self) -> np.ndarray | None:
        """(T,) float64 RMSE of the mean of the first t + 1 passes of a regression, or None without labels."""
        return self._select_quality("RMSE", 1)

    @property
    def deterministic_rmse(self) -> float | None:
        """The RMSE with dropout off, or None."""
        return self.deterministic_quality if self._is_measured_by("RMSE") else None

    @property
    def task(self) -> Task:
        """The task of its model, which decides as `decisions` say."""
        return self._read_decisions().task

    @property
    def decisions(self) -> Decisions:
        """The thresholds and tolerances that a user has decided on.

        Raises:
            CorruptRunError: their file cannot be used; the message names it.
        """
        return self._read_decisions().decisions

    @property
    def undecided(self) -> "Run":
        """The same run without any decisions: classes are predicted above 0.5, and errors are no mistakes."""
        run = Run(self._folder, self.manifest)
        run._decided = Decided(None, Decisions(), task_of(self.manifest))
        return run

    def decide(self, decisions: Decisions) -> None:
        """Replace the decisions about the run, which are kept in a file beside it; the run itself stays as it is.

        Raises:
            NotPermittedError: the run came with mcviz, or the caller may not write.
            RunNotFoundError: the run was removed or replaced.
            StorageError: the file cannot be written, or another process writes the run.
        """
        require_permission("Nothing can be decided")
        require_own(self.path)
        with write_lock(self._folder, PATIENCE):
            if read_manifest(self._folder).digest != self.digest:
                raise replaced(self.path)
            if decisions == Decisions():
                self._folder.delete(DECISIONS)
            else:
                self._folder.write(DECISIONS, encode_decisions(decisions, self.manifest))
            self._decided = None

    @property
    def choosing(self) -> np.ndarray:
        """(N,) bool, the examples whose labels chose thresholds, and so judge nothing."""
        return self.decisions.find_choosing(len(self))

    @property
    def judging_labels(self) -> np.ndarray | None:
        """The `labels` without those that chose thresholds, which are as if nobody knew them; None without labels."""
        labels = self.labels
        return labels if labels is None else self.hide_choosing(labels)

    def hide_choosing(self, labels: np.ndarray) -> np.ndarray:
        """Return labels, such as corrected ones, without those of the examples that chose thresholds."""
        return _freeze(self.task.hide_labels(labels, self.choosing)) if self.decisions.chosen_on else labels

    def _read_decisions(self) -> "Decided":
        """Return the decisions, read again after a change."""
        held = self._decided
        if held is None or held.version not in (None, self._folder.version(DECISIONS)):
            version = self._folder.version(DECISIONS)
            decisions = read_decisions(self._folder, self.manifest)
            held = Decided(version, decisions, task_of(self.manifest).decided(decisions, self.manifest))
            self._decided = held
        return held

    @property
    def kind(self) -> Kind:
        """The kind of its examples."""
        return kind_of(self.manifest)

    @cached_property
    def quality_by_pass(self) -> tuple[np.ndarray, np.ndarray] | None:
        """How good each single pass is and the mean of the first t + 1 passes, (T,) float64 each; None without labels.

        It is an accuracy or an RMSE: `Task.quality_name` of the run's task.
        """
        if self.manifest.labels_sha256 is None:
            return None
        names = [array.name for array in stored_arrays(self.manifest).values() if array.dimensions == ("draw",)]
        single, ensembles = task_of(self.manifest).quality_by_pass(
            self.manifest, {name: self._read_rows(name) for name in names}
        )
        return _freeze(single), _freeze(ensembles)

    @property
    def deterministic_quality(self) -> float | None:
        """The quality with dropout off, or None."""
        if self.labels is None or self.deterministic_predictions is None:
            return None
        return task_of(self.manifest).compute_quality(self.deterministic_predictions, self.labels, self.manifest)

    def _select_quality(self, quality: str, which: int) -> np.ndarray | None:
        by_way = self.quality_by_pass if self._is_measured_by(quality) else None
        return None if by_way is None else by_way[which]

    def _is_measured_by(self, quality: str) -> bool:
        return task_of(self.manifest).quality_name == quality

    def _check_example(self, example: int) -> int:
        if isinstance(example, bool) or not isinstance(example, int | np.integer):
            raise TypeError(f"An example is named by its number, a whole one. Received: {example!r}.")
        if not 0 <= example < len(self):
            raise IndexError(f"There are examples 0 to {len(self) - 1}. Received: {example}.")
        return int(example)

    def _read_passes(self, start: int, stop: int) -> Any:
        """Return (T, n, K) passes, or their reduction, of examples `start` to `stop`."""
        rows = {name: self._read_rows(name, start, stop) for name in self.task.pass_arrays(self.manifest)}
        passes = self.task.decode(self.manifest, rows)
        return _freeze(passes) if isinstance(passes, np.ndarray) else passes

    def _require_array(self, array: str, what: str) -> None:
        if array not in self.task.pass_arrays(self.manifest):
            raise McvizError(f"{self.path} is a run of {self.manifest.task}, which has no {what}.")

    def _read_by_example(self, way: Literal["mean", "deterministic"]) -> np.ndarray:
        """Return (N, K) predictions from arrays with one row an example."""
        return np.concatenate([self._read_rows(name) for name in self.task.prediction_arrays(self.manifest, way)], 1)

    def _require_images(self) -> Images:
        if self.manifest.images is None:
            raise McvizError(f"The examples of {self.path} are no images.")
        return self.manifest.images

    @cached_property
    def _table(self) -> "pd.DataFrame":
        name = self.manifest.table
        content = self.read_file(name)
        try:
            columns = task_of(self.manifest).table_columns(self.targets)
            return decode_table(content, len(self), columns, self.manifest.scores)
        except ValueError as error:
            raise corrupt(self._folder.address(name), f"is damaged: {error}") from error

    @property
    def score_names(self) -> tuple[str, ...]:
        """The names of the scores that `scores` gives; none of the task's is read or computed for this."""
        there, stored = self.task.score_inputs(self.manifest), self.manifest.scores
        scores = self.task.scores.items()
        known = (name for name, score in scores if name in stored or there.issuperset(score.needs))
        return *known, *self.added_scores

    @property
    def first_score(self) -> str:
        """The default score to rank by."""
        return next(name for name in self.task.first_scores if name in self.score_names)

    @property
    def added_scores(self) -> tuple[str, ...]:
        """The names of the scores that were added by `add_score`."""
        return tuple(self._read_added_scores().about)

    @property
    def added_scores_problem(self) -> str:
        """Why added scores are unreadable, and advice, or ""."""
        return self._read_added_scores().problem

    @property
    def score_registry(self) -> Scores:
        """The scores of its task and those that were added: the label, the uncertain end and the meaning of each."""
        return self._read_added_scores().register(self.task.scores)

    @property
    def scores_version(self) -> str:
        """A text that changes whenever a score is added or replaced, or anything is decided."""
        return f"{self.numbers_version} {self._folder.version(ADDED_SCORES)}".rstrip()

    @property
    def numbers_version(self) -> str:
        """A text that changes with decisions; the digest without any."""
        return f"{self.digest} {self._read_decisions().version or ''}".rstrip()

    def _read_added_scores(self) -> AddedScores:
        """Return added scores, read again after a change."""
        version, held = self._folder.version(ADDED_SCORES), self._added_scores
        if held is None or held[0] != version:
            held = version, read_added_scores(self._folder, self.manifest, self._taken_names)
            self._added_scores = held
        return held[1]

    def _taken_names(self) -> set[str]:
        columns = self.columns
        own = () if columns is None else map(str, columns)
        of_task = {*self.task.named_columns, *self.task.table_columns(self.targets)}
        return {*of_task, *self.task.scores, *self.manifest.scores, *own}

    @property
    def _named_columns(self) -> dict[str, np.ndarray]:
        version = self.numbers_version
        if self._named is None or self._named[0] != version:
            self._named = version, self.task.name_rows(self.manifest, self.array)
        return self._named[1]

    @property
    def _decided_columns(self) -> dict[str, Any]:
        import pandas as pd  # here, because it takes time to import

        if self.decisions == Decisions():  # labels may be many
            return {}
        types = self.task.table_columns(self.targets)
        columns = self.task.decided_columns(self.manifest, self.array, self.judging_labels)
        missing = {name: NULLABLE[kind] for name, kind in types.items() if not name.startswith("prediction")}
        return {
            name: pd.Series(values).astype(missing[name]).array if name in missing else values
            for name, values in columns.items()
        }

    @cached_property
    def _computed_scores(self) -> dict[str, np.ndarray]:
        """Return missing scores, (N,) float32 by name; slow ones are stored."""
        there = self.task.score_inputs(self.manifest)
        scores = self.task.scores.values()
        missing = [score for score in scores if score.name not in self._table and there.issuperset(score.needs)]
        return {score.name: self._compute_score(score) for score in missing}

    def _compute_score(self, score: Score) -> np.ndarray:
        if "mean_probs" in score.needs and "probs" not in score.needs:
            # One pass with that mean does as well, and is read at once.
            return score.compute(self._predictions(self.mean_predictions[None], 0, len(self))).astype(np.float32)
        derived = Derived(f"score-{score.name}", 1, {"values": "float32"})
        stored = load_derived(self.path, self.digest, derived)
        if stored is None or stored["values"].shape != (len(self),):
            shards = [self.manifest.shard_range(shard) for shard in range(self.manifest.shards)]
            values = [score.compute(self._predictions(self.predictions_block(*shard), *shard)) for shard in shards]
            stored = {"values": np.concatenate(values).astype(np.float32)}
            save_derived(self.path, self.digest, derived, stored)
        return stored["values"]

    def _predictions(self, passes: np.ndarray, start: int, stop: int) -> Any:
        labels, deterministic = self.labels, self.deterministic_predictions
        return self.task.predictions(
            passes,
            None if labels is None else labels[start:stop],
            None if deterministic is None else deterministic[start:stop],
            targets=len(self.targets),
        )

    def _lazy_rows(self, name: str) -> LazyRows:
        array = stored_arrays(self.manifest)[name]

        def read(places: Places) -> np.ndarray:
            return self._read(self._arrays.take, name, places)

        return LazyRows(read, range(array.shape[0]), array.shape[1:], np.dtype(array.dtype))

    def _read_rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        return self._read(self._arrays.rows, name, start, stop)

    def _read(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except (FileNotFoundError, CorruptRunError) as error:
            there = read_manifest(self._folder)
            if (there.digest, there.files) != (self.digest, self.manifest.files):
                raise replaced(self.path) from error
        try:
            return read(*args, **kwargs)  # it may have been removed and made again meanwhile
        except FileNotFoundError as error:
            raise corrupt(self.path, f"is damaged: {str(error).rstrip('.')}") from error


@dataclass(frozen=True)
class Decided:
    """Decisions, their task, and the version of their file, or None."""

    version: str | None
    decisions: Decisions
    task: Task


def _freeze(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def open_run(path: str | os.PathLike[str]) -> Run:
    """Open a finished run.

    Args:
        path: its folder, or an fsspec address such as `s3://bucket/run`.

    Raises:
        RunNotFoundError: there is no run.
        PartialRunError: its sampling was stopped before the end; the message says how to go on.
        CorruptRunError: a file is missing, or is not what was written.
        InvalidInputError: another version of mcviz wrote it.
        StorageError: it cannot be read.
    """
    folder = folder_at(path)
    while True:
        manifest = read_whole_manifest(folder)
        if manifest.state == "partial":
            raise PartialRunError(describe_progress(folder, manifest))
        if not _find_wrong_size(folder, manifest):
            return Run(folder, manifest)
        was_replaced = read_manifest(folder) != manifest
        if not was_replaced and (wrong := _find_wrong_size(folder, manifest)):
            raise wrong


def describe_progress(folder: Folder, manifest: Manifest) -> str:
    """Describe how much of a partial run is done, and how to go on."""
    return (
        f"{folder.path} is a partial run: {examples_done(manifest):,} of {manifest.examples.count:,} examples have "
        f"their {manifest.passes:,} passes. Go on with the `mcviz sample` command that began it (--out {folder.path}), "
        f"or remove it with `mcviz remove {folder.path}`."
    )


def examples_done(manifest: Manifest) -> int:
    """The number of examples whose passes are complete."""
    shards = [manifest.shard_range(shard) for shard in complete_shards(manifest)]
    return sum(stop - start for start, stop in shards)


def _find_wrong_size(folder: Folder, manifest: Manifest) -> CorruptRunError | None:
    sizes = folder.sizes(list(manifest.files))
    for name, file in manifest.files.items():
        if sizes.get(name) != file.bytes:
            problem = f"has {sizes[name]} bytes" if name in sizes else "is missing, or no regular file"
            return corrupt(folder.address(name), f"{problem}, and should have {file.bytes}")
    return None
