"""A run of passes from another framework, an ensemble or test-time augmentation."""

import errno
import hashlib
import itertools
import math
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

import mcviz
from mcviz import validate
from mcviz.choices import Ignore, Predicts
from mcviz.data import DataSet, Pictures, as_data_set
from mcviz.data.data_set import Images
from mcviz.data.fitting import Size
from mcviz.data.pictures import MOST_PIXELS_A_SIDE
from mcviz.errors import InvalidInputError, ModelWarning, StorageError
from mcviz.manifest import LabelMaps, layout_for
from mcviz.runs import Examples, Manifest, Origin, Preprocessing, Run, TargetScaler
from mcviz.runs.storage import folder_at
from mcviz.runs.tables import (
    Contents,
    Progress,
    describe_examples,
    describe_images,
    describe_labels,
    hash_array,
    with_scores,
)
from mcviz.runs.writer import is_finished, rename_classes, write
from mcviz.tasks import PassFormat, find_task
from mcviz.tasks.base import StoredLabels, locate
from mcviz.text import list_names

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ImportTrial:
    """A check of passes and labels before writing a run.

    Attributes:
        passes: a description of how passes are taken whose axes could be others; or "".
        labels: as the run holds them, with a report on them.
    """

    passes: str
    labels: StoredLabels


BLOCK_VALUES = 1 << 21  # predictions that are held in memory at once
NO_ROOM = errno.ENOSPC, errno.EDQUOT, errno.EFBIG


def write_run(
    out: str | os.PathLike[str],
    passes: Any,
    *,
    data: Any = None,
    labels: Any = None,
    task: str = "classification",
    predicts: Predicts = "mean",
    target_names: Sequence[str] | None = None,
    unit: str = "",
    class_names: Sequence[str] | Mapping[str, str] | None = None,
    ids: Sequence[str] | None = None,
    columns: "pd.DataFrame | Mapping[str, Any] | None" = None,
    deterministic: Any = None,
    mean_probs: Any = None,
    features: Any = None,
    axes: Sequence[str] | None = None,
    from_logits: bool = False,
    background: int | None = 0,
    ignore: Ignore = "auto",
    preprocessing: Preprocessing | None = None,
    target_scaler: TargetScaler | None = None,
    keep_images: bool = True,
    source: str | None = None,
    about: Mapping[str, Any] | None = None,
    resume: bool = True,
    progress: Progress | None = None,
    tried: Callable[[ImportTrial], None] | None = None,
) -> Run:
    """Write a run of given passes in constant memory.

    All is checked before writing. Repeating the call opens or continues the run.

    Args:
        out: the run's folder, or an fsspec address.
        passes: (T, N, C) probabilities of T passes over N examples and C classes, or of a regression (T, N, D) values
            of D targets, or (T, N) of one; floating point: an array, what is sliced like one (a Zarr, HDF5 or Dask
            array, a memory map), or an iterator of passes, an array each. What is not numpy's is kept in a temporary
            file meanwhile. Of a segmentation (T, N, H, W, C) probabilities, or (T, N, H, W) label maps in whole
            numbers, from which entropies cannot be computed.
        data: the examples, images, texts or rows of numbers, as `as_data_set` takes them, whose labels, class names,
            ids and columns are taken where none are given; or None. Pictures in files are brought to their most
            frequent size, and to 512 pixels a side at most. Columns of a table that lack numbers are the user's own.
        labels: of classes, as `mcviz.data.labels.match_labels` takes them, which says which class each is; or (N,) or
            (N, D) true values of a regression, or (N, H, W) masks of a segmentation; None where they are not known. A
            mapping is of ids; the index of a Series or a table names the examples where it has their ids.
        task: "classification", "regression", "multilabel" or "segmentation".
        predicts: what the columns of `passes` and `deterministic` are in a regression: "mean", a value for each target;
            or D means and then D spreads, "mean,variance", "mean,log_variance" or "mean,std".
        target_names: D names of what a regression predicts, in the order of `passes`; those of the data without it.
        unit: of all targets of a regression, such as "mg/dl".
        class_names: C names, in the order of `passes`, which labels follow by name; or new names by those that the data
            have; those of the data without it, or else numbers.
        ids: N different texts that name the examples; their numbers without it.
        columns: the user's own columns, a table with a row an example, as `labels`; or each by its name.
        deterministic: (N, C) probabilities of the model with dropout off, or (N, D) values; or None.
        mean_probs: (N, H, W, C) mean over the passes of their probabilities, beside label maps of a segmentation, from
            which it does not follow; or None: then the prediction is the class of the most passes.
        features: (N, D) floating point by which examples are alike, or None.
        axes: the order of the axes of `passes`, such as `("example", "pass", "class")`, or with "target" of a
            regression; that of above without it.
        from_logits: whether `passes` and `deterministic` are logits.
        background: of a segmentation, the class that Dice leaves out, or None where there is none.
        ignore: of a segmentation, what stands in masks for a pixel that counts nowhere, or None. "auto" is what the
            data say, or else 255; but if there are two classes, and masks or label maps of passes hold only 0 and one
            number of 2 or more, that number is the second class.
        preprocessing: what was done to the images before the model took them, where that is known. If that is a crop,
            pictures and masks in files are cropped.
        target_scaler: how the targets of a regression were scaled in training, where `passes` and `deterministic` are
            scaled. They are brought back to the unit of the labels, and variances to its square.
        keep_images: whether the run holds the images, to be looked at.
        source: what the passes were made by, in words.
        about: free: where the data came from, their licence.
        resume: whether to go on with a run that was stopped; False starts it again.
        progress: called with (done, total) predictions; what it raises stops the writing.
        tried: called with a look at passes and labels, before anything is written. Without it, Python warns where most
            pixels of masks are ignored, or a class never occurs in them (`ModelWarning`).

    Raises:
        InvalidInputError: an array of another shape than it should have; numbers that are no probabilities; passes that
            do not differ; axes that cannot be told apart.
        RunExistsError: another run is there.
        StorageError: the run cannot be written.
    """
    of_task = find_task(task)
    of_task.check_mask_options(background, ignore)
    form = of_task.pass_format(predicts, from_logits)
    if target_scaler is not None:
        form.restore_targets(target_scaler)
    examples = _build_data_set(data, labels, ids, columns, task)
    for name, names, of in (("class_names", class_names, "class"), ("target_names", target_names, "target")):
        if names is not None and form.axis != of:
            raise validate.invalid(name, f"left out for a {task}", list_names(names))
    if class_names is not None:
        examples = of_task.name_axis(examples, class_names)
    if target_names is not None:
        examples = examples.with_target_names(target_names)
    if unit and form.axis != "target":
        raise validate.invalid("unit", f"left out for a {task}", unit)
    passes, axes = form.expand_axes(passes, axes)
    with _open_passes(passes) as held:
        given = _Passes.from_array(held, axes, len(examples) or None, form)
        count, width = given.count, given.width
        if len(examples) not in (0, count):
            raise validate.invalid("passes", f"of {len(examples):,} examples, as the data are", f"{count:,} examples")
        if preprocessing is not None:
            preprocessing.check(examples.held.width)
        features = None if features is None else _check_features(features, count)
        ignored, unknown = examples.resolve_ignore(ignore)
        if unknown:
            form.settle(given.blocks(), examples)
        digest = given.check()
        mean = None if mean_probs is None else form.check_mean(mean_probs, count)
        last = form.count_last(width, examples)
        fixed = None if deterministic is None else form.deterministic(deterministic, (count, width), last)
        names, targets = of_task.names(examples, last, predicts)
        names = names or of_task.default_names(last, predicts)[0]
        maps = form.describe_maps(background, ignored)
        images, crop = _crop_images(examples.images, preprocessing, maps)
        stored = of_task.stored_labels(examples, names, maps, crop=crop, find_foreground=unknown)
        labels, ids = stored.values, examples.ids
        described, content = (None, "") if images is None else describe_images(images, keep_images)
        described_as = Examples(examples.kind, count, content)
        described_as, table = describe_examples(described_as, task, targets, ids, examples.content, examples.columns)
        wanted = Manifest(
            task=task,
            passes=given.passes,
            classes=len(names),
            class_names=names,
            targets=targets,
            unit=unit,
            predicts=predicts,
            target_scaler=target_scaler,
            label_maps=maps,
            mean_sha256=None if mean is None else hash_array(mean),
            examples=described_as,
            images=described,
            **describe_labels(task, labels),
            model=None,
            deterministic=fixed is not None,
            preprocessing=preprocessing or Preprocessing(),
            seed=None,
            masks=None,
            features=None if features is None else features.shape[1],
            features_sha256=None if features is None else hash_array(features),
            origin=Origin("imported", source, sha256=digest),
            scores=(),
            layout=layout_for(given.passes, width, described),
            about=dict(about or {}),
            created={"versions": {"mcviz": mcviz.__version__, "numpy": np.__version__}},
        )
        wanted = with_scores(wanted)
        contents = Contents(_Source(given, fixed), images, labels, ids, table, features, mean=mean)
        trial = ImportTrial(form.describe(given.passes, count, last), stored)
        _tell(trial, tried, known=is_finished(folder_at(out), wanted))
        run = write(out, wanted, contents, resume=resume, progress=progress)
    return run if examples.class_names is None or run.class_names == names else rename_classes(run, names)


class _Passes:
    """Passes in a run's form, (T, N, K), by blocks of examples."""

    def __init__(self, array: np.ndarray, order: tuple[int, ...], form: PassFormat) -> None:
        self._array, self._order, self.form = array, order, form
        self._epsilon = 0.0 if array.dtype.kind in "iub" else float(np.finfo(array.dtype).eps)
        self.passes, self.count, self.width = (array.shape[axis] for axis in order)

    @classmethod
    def from_array(
        cls, array: np.ndarray, axes: Sequence[str] | None, count: int | None, form: PassFormat
    ) -> "_Passes":
        _check_axes(array.shape)
        if not form.takes_whole_numbers:  # whose dtype was looked at, and which may be held as floats since
            validate.dtype("passes", np.empty(0, array.dtype), np.floating)
        passes = cls(array, _find_axes(array.shape, axes, count, form.axis), form)
        if passes.passes < 2 or passes.width < form.least:
            received, several = f"{passes.passes} and {passes.width}", f" and {form.least} classes" * (form.least > 1)
            raise validate.invalid(
                "passes", f"at least 2 passes{several}", received, "Name the axes if they are others."
            )
        form.convert(np.ones((1, passes.width), np.float32))
        return passes

    def block(self, start: int, stop: int, first_pass: int, passes: int) -> np.ndarray:
        """(passes, stop - start, K) float32."""
        of_axis = dict(zip(self._order, (slice(first_pass, first_pass + passes), slice(start, stop)), strict=False))
        part = tuple(of_axis.get(axis, slice(None)) for axis in range(3))
        if isinstance(self._array, np.memmap):
            block = np.array(_map_again(self._array)[part].transpose(self._order), np.float32)
        else:
            block = np.asarray(self._array[part].transpose(self._order), np.float32)
        return self.form.convert(block)

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all blocks, (T, n, K) float32."""
        rows = max(1, BLOCK_VALUES // (self.passes * self.width))
        for start in range(0, self.count, rows):
            yield self.block(start, min(start + rows, self.count), 0, self.passes)

    def check(self) -> str:
        """Check all of them, and give their SHA-256.

        Raises:
            InvalidInputError: they are nothing of the task, or the passes do not differ.
        """
        digest = hashlib.sha256(f"{self.passes} {self.count} {self.width}".encode())
        differ = False
        start = 0
        for block in self.blocks():
            self._check_block(block, start)
            start += block.shape[1]
            differ = differ or bool((block[0] != block[1:]).any())
            digest.update(np.ascontiguousarray(block.transpose(1, 0, 2)).data)
        if not differ:
            raise InvalidInputError(
                f"All {self.passes} passes are the same: nothing differed from pass to pass. Make them with dropout "
                "on, or with another member of the ensemble each."
            )
        return digest.hexdigest()

    def _check_block(self, block: np.ndarray, start: int) -> None:
        finite = np.isfinite(block)
        if not finite.all():
            raise InvalidInputError(
                f"The prediction of {locate(~finite, start)} is not a finite number. Leave that example out."
            )
        self.form.check(block, start, self._epsilon)


class _Source:
    def __init__(self, passes: _Passes, deterministic: np.ndarray | None) -> None:
        self._passes, self._deterministic = passes, deterministic

    def passes(self, start: int, stop: int, first_pass: int, passes: int, progress: Progress) -> np.ndarray:
        block = self._passes.block(start, stop, first_pass, passes)
        progress(block.shape[0] * block.shape[1], block.shape[0] * block.shape[1])
        return block

    def deterministic(self, start: int, stop: int) -> np.ndarray:
        if self._deterministic is None:
            raise InvalidInputError("This run has no predictions with dropout off.")
        return self._deterministic[start:stop]


@contextmanager
def _open_passes(given: Any) -> Iterator[np.ndarray]:
    """Open passes as a NumPy array; copy lazy ones into a mapped temporary file."""
    whole = isinstance(given, np.memmap) and given.filename and not isinstance(given.base, np.ndarray)
    if whole and given.mode != "c":
        yield given
        return
    if isinstance(given, np.ndarray | list | tuple):
        yield validate.array("passes", given)
        return
    with ExitStack() as opened:
        with _explain_full_disk():
            file = opened.enter_context(tempfile.NamedTemporaryFile())
            if hasattr(given, "shape") and hasattr(given, "__getitem__"):
                held = _copy_to_file(given, file) if _has_dtype(given) else validate.array("passes", given)
            elif isinstance(given, Iterable):
                held = _stack_to_file(given, file)
            else:
                raise validate.invalid("passes", "an array, or an iterator of passes", type(given).__name__)
        yield held


@contextmanager
def _explain_full_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        is_without_folder = error.errno == errno.ENOENT and error.filename is None
        if error.errno not in NO_ROOM and not is_without_folder:
            raise
        raise StorageError(
            f"The passes do not fit into the folder of temporary files ({error.strerror or error}). Received: "
            f"{os.environ.get('TMPDIR') or 'the default folder'}. Free space there, or name another folder by TMPDIR."
        ) from error


def _has_dtype(given: Any) -> bool:
    """Return whether it has a NumPy dtype; tensors have their own."""
    try:
        np.dtype(given.dtype)
    except TypeError:
        return False
    return True


def _copy_to_file(lazy: Any, file: Any) -> np.memmap:
    shape, dtype = tuple(map(int, lazy.shape)), np.dtype(lazy.dtype)
    _check_axes(shape)
    _reserve(file, math.prod(shape) * dtype.itemsize)
    copy = np.memmap(file.name, dtype, "r+", shape=shape)
    for part in _chunk_slices(shape, getattr(lazy, "chunks", None)):
        _map_again(copy, "r+")[part] = np.asarray(lazy[part])
    return copy


def _reserve(file: Any, size: int) -> None:
    """Reserve disk space: a full disk would end a process that writes to a map."""
    if shutil.disk_usage(file.name).free < size:
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: they take {size:,} bytes")
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)


def _stack_to_file(passes: Iterable[Any], file: Any) -> np.memmap:
    shape: tuple[int, ...] | None = None
    number = 0
    for number, one in enumerate(passes, 1):
        array = validate.array("passes", one)
        validate.dtype("passes", array, np.floating, np.integer)
        array = array.astype(np.float32, copy=False)
        if array.ndim != 2 or (shape is not None and array.shape != shape):
            expected = "(examples, classes), all of one shape"
            raise validate.invalid("passes", f"of the shape {expected}", f"{array.shape} in pass {number - 1}")
        shape = array.shape
        file.write(np.ascontiguousarray(array).data)
    if shape is None:
        raise validate.invalid("passes", "at least 2 passes", "none")
    file.flush()
    return np.memmap(file.name, np.float32, "r", shape=(number, *shape))


def _map_again(array: np.memmap, mode: Literal["r", "r+"] = "r") -> np.memmap:
    """Map the file again: touched pages count as memory until then."""
    order: Literal["C", "F"] = "C" if array.flags.c_contiguous else "F"
    assert array.filename is not None
    return np.memmap(array.filename, array.dtype, mode, array.offset, array.shape, order)


def _chunk_slices(shape: tuple[int, ...], chunks: Any) -> Iterator[tuple[slice, ...]]:
    """Return stored parts: chunks of Zarr, HDF5 or Dask."""
    if chunks is None:
        chunks = (max(1, BLOCK_VALUES // int(np.prod(shape[1:]))), *shape[1:])
    edges = []
    for length, size in zip(shape, chunks, strict=True):
        ends = np.cumsum(size) if isinstance(size, tuple) else np.minimum(np.arange(size, length + size, size), length)
        edges.append([slice(start, stop) for start, stop in itertools.pairwise([0, *ends.tolist()])])
    return itertools.product(*edges)


def _check_axes(shape: tuple[int, ...]) -> None:
    if len(shape) != 3 or 0 in shape:
        expected = "(passes, examples, classes), or targets in place of classes, with no axis empty"
        raise validate.invalid("passes", expected, f"shape {shape}")


def _find_axes(shape: tuple[int, ...], axes: Sequence[str] | None, count: int | None, last: str) -> tuple[int, ...]:
    names = ("pass", "example", last)
    if axes is not None:
        if sorted(axes) != sorted(names):
            expected = f"pass, example and {last} in some order"
            raise validate.invalid("axes", expected, ", ".join(axes), "Name each once.")
        return tuple(list(axes).index(name) for name in names)
    asked = f"Name their order: axes, or --axes on the command line, such as {','.join(names)}."
    if shape[0] == shape[1]:
        raise InvalidInputError(
            f"There are as many passes as examples ({shape[0]}), so the axes cannot be told apart. {asked}"
        )
    if count is not None and shape[1] != count and count in shape:
        raise InvalidInputError(f"`passes` has the shape {shape}, and there are {count:,} examples. {asked}")
    return 0, 1, 2


def _build_data_set(data: Any, labels: Any, ids: Any, columns: Any, task: str) -> DataSet:
    examples = DataSet(None) if data is None else as_data_set(data, task, complete=False)
    if ids is not None:  # first, since they may say which example a label or a row is of
        examples = examples.with_ids(ids)
    if labels is not None:
        examples = examples.with_labels(labels, task)
    return examples if columns is None else examples.with_columns(columns)


def _tell(trial: ImportTrial, tried: Callable[[ImportTrial], None] | None, *, known: bool) -> None:
    """Pass a trial to the caller, or warn."""
    if tried is not None:
        tried(trial)
    elif trial.labels.advice and not known:
        warnings.warn(trial.labels.advice, ModelWarning, stacklevel=3)


def _crop_images(
    images: Images | None, preprocessing: Preprocessing | None, maps: LabelMaps | None
) -> tuple[Images | None, Size | None]:
    """Return displayed images, of at most 512 pixels a side, and their crop."""
    crop = None if preprocessing is None or not preprocessing.crop or maps is None else (maps.height, maps.width)
    if not isinstance(images, Pictures):
        return images, crop
    height, width, channels = images.image_shape
    if preprocessing is not None and preprocessing.crop:
        height, width = crop or (height, width)
        images = images.resize((height, width, channels), crop=True)
    return images.limit_side(MOST_PIXELS_A_SIDE), crop


def _check_features(given: Any, count: int) -> np.ndarray:
    features = validate.array("features", given)
    if features.ndim < 2 or len(features) != count or 0 in features.shape:
        raise validate.invalid("features", f"({count}, features), with no axis empty", f"shape {features.shape}")
    validate.dtype("features", features, np.floating, np.integer)
    return validate.finite("features", features.reshape(count, -1).astype(np.float32))
