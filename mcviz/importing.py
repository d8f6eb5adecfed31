"""A run of passes that were made elsewhere: by another framework, an ensemble, test-time augmentation."""

import hashlib
import itertools
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy.special

import mcviz
from mcviz import validate
from mcviz.data import DataSet, Pictures, as_data_set
from mcviz.errors import InvalidInputError
from mcviz.runs import Manifest, Origin, Preprocessing, Run
from mcviz.runs.contents import Contents, Progress, described_examples, described_images, sha256_of, stored_scores
from mcviz.runs.manifest import layout_for
from mcviz.runs.table import encode_columns
from mcviz.runs.writer import rename_classes, write

if TYPE_CHECKING:
    import pandas as pd

AXES = ("pass", "example", "class")
MOST_PIXELS_A_SIDE = 512  # of pictures that are only looked at
SUM_TOLERANCE = 1e-3  # how far a row of probabilities may be from a sum of one
LOGITS = "If these are logits, say so (from_logits), on the command line by --from-logits"
BLOCK_VALUES = 1 << 21  # probabilities that are held in memory at once


def write_run(
    out: str | os.PathLike[str],
    probs: Any,
    *,
    images: Any = None,
    labels: Any = None,
    class_names: Sequence[str] | None = None,
    ids: Sequence[str] | None = None,
    columns: "pd.DataFrame | None" = None,
    deterministic: Any = None,
    features: Any = None,
    axes: Sequence[str] | None = None,
    from_logits: bool = False,
    preprocessing: Preprocessing | None = None,
    keep_images: bool = True,
    source: str | None = None,
    about: Mapping[str, Any] | None = None,
    resume: bool = True,
    progress: Progress | None = None,
) -> Run:
    """Write a run of passes that were made elsewhere; memory stays flat, however many there are.

    Everything is checked before anything is written. The same call again opens the run, or goes on with it.

    Args:
        out: the run's folder, or an fsspec address.
        probs: (T, N, C) probabilities of T passes over N examples and C classes, floating point: an array, what is
            sliced like one (a Zarr, HDF5 or Dask array, a memory map), or an iterator of passes, (N, C) each. What is
            not numpy's is kept in a temporary file meanwhile.
        images: (N, height, width) or (N, height, width, channels), uint8 or floating point; or what else `as_data_set`
            takes, whose labels, class names, ids and columns are taken where none are given; or None. Pictures in files
            are brought to their most frequent size, and to 512 pixels a side at most.
        labels: (N,) class indices, or None where they are not known.
        class_names: C names; their numbers without it.
        ids: N different texts that name the examples; their numbers without it.
        columns: the user's own columns, a row an example.
        deterministic: (N, C) probabilities of the model with dropout off, or None.
        features: (N, D) floating point by which examples are alike, or None.
        axes: the order of the axes of `probs`, such as `("example", "pass", "class")`; that of above without it.
        from_logits: whether `probs` and `deterministic` are logits.
        preprocessing: what was done to the images before the model took them, where that is known.
        keep_images: whether the run holds the images, to be looked at.
        source: what the passes were made by, in words.
        about: free: where the data came from, their licence.
        resume: whether to go on with a run that was stopped; False begins it anew.
        progress: called with (done, total) predictions; what it raises stops the writing.

    Raises:
        InvalidInputError: an array of another shape than it should have; numbers that are no probabilities; passes that
            do not differ; axes that cannot be told apart.
        RunExistsError: another run is there.
        StorageError: the run cannot be written.
    """
    examples = _examples(images, labels, class_names, ids, columns)
    with _on_disk(probs) as held:
        passes = _Passes.of(held, axes, len(examples) or None, from_logits)
        count, classes = passes.count, passes.classes
        if len(examples) not in (0, count):
            raise validate.invalid("probs", f"of {len(examples):,} examples, as the data are", f"{count:,} examples")
        if preprocessing is not None:
            preprocessing.check(None if examples.images is None else examples.images.shape[-1])
        names = _names(examples.class_names, classes)
        if examples.labels is not None:
            validate.class_indices("labels", examples.labels, count, classes)
        fixed = None if deterministic is None else _deterministic(deterministic, (count, classes), from_logits)
        features = None if features is None else _features(features, count)
        digest = passes.check()
        images, labels, ids, columns = examples.images, examples.labels, examples.ids, examples.columns
        if isinstance(images, Pictures):
            images = images.at_most(MOST_PIXELS_A_SIDE)
        described, content = (None, None) if images is None else described_images(images, keep_images)
        wanted = Manifest(
            passes=passes.passes,
            classes=classes,
            class_names=names,
            examples=described_examples("none" if images is None else "image", count, content, ids, columns),
            images=described,
            labels_sha256=None if labels is None else sha256_of(labels),
            model=None,
            deterministic=fixed is not None,
            preprocessing=preprocessing or Preprocessing(),
            seed=None,
            masks=None,
            features=None if features is None else features.shape[1],
            features_sha256=None if features is None else sha256_of(features),
            origin=Origin("imported", source, sha256=digest),
            scores=stored_scores(),
            layout=layout_for(passes.passes, classes, described),
            about=dict(about or {}),
            created={"versions": {"mcviz": mcviz.__version__, "numpy": np.__version__}},
        )
        contents = Contents(_Source(passes, fixed), images, labels, ids, encode_columns(ids, columns), features)
        run = write(out, wanted, contents, resume=resume, progress=progress)
    return run if examples.class_names is None or run.class_names == names else rename_classes(run, names)


class _Passes:
    """Passes as probabilities, (T, N, C), a block of examples at a time."""

    def __init__(self, array: "np.ndarray | _OnDisk", order: tuple[int, ...], from_logits: bool) -> None:
        self._array, self._order, self._from_logits = array, order, from_logits
        self.passes, self.count, self.classes = (array.shape[axis] for axis in order)
        self.tolerance = max(SUM_TOLERANCE, float(np.finfo(array.dtype).eps) * self.classes)

    @classmethod
    def of(
        cls, array: "np.ndarray | _OnDisk", axes: Sequence[str] | None, count: int | None, from_logits: bool
    ) -> "_Passes":
        if len(array.shape) != 3 or 0 in array.shape:
            raise validate.invalid("probs", "(passes, examples, classes), with no axis empty", f"shape {array.shape}")
        validate.dtype("probs", np.empty(0, array.dtype), np.floating)
        passes = cls(array, _order(array.shape, axes, count), from_logits)
        if passes.passes < 2 or passes.classes < 2:
            found = f"{passes.passes} and {passes.classes}"
            raise validate.invalid(
                "probs", "at least 2 passes and 2 classes", found, "Name the axes if they are others."
            )
        return passes

    def block(self, start: int, stop: int, first_pass: int, passes: int) -> np.ndarray:
        """(passes, stop - start, C) float32 probabilities."""
        of_axis = dict(zip(self._order, (slice(first_pass, first_pass + passes), slice(start, stop)), strict=False))
        part = tuple(of_axis.get(axis, slice(None)) for axis in range(3))
        block = np.asarray(self._array[part].transpose(self._order), np.float32)
        return scipy.special.softmax(block, axis=-1) if self._from_logits else block

    def check(self) -> str:
        """Check all of them, and give the SHA-256 of the probabilities.

        Raises:
            InvalidInputError: they are no probabilities, or the passes do not differ.
        """
        digest = hashlib.sha256(f"{self.passes} {self.count} {self.classes}".encode())
        differ = False
        rows = max(1, BLOCK_VALUES // (self.passes * self.classes))
        for start in range(0, self.count, rows):
            block = self.block(start, min(start + rows, self.count), 0, self.passes)
            self._check_block(block, start)
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
                f"The prediction of {_where(~finite, start)} is not a finite number. Leave that example out."
            )
        if self._from_logits:
            return
        if (block < 0).any():
            raise InvalidInputError(f"A probability of {_where(block < 0, start)} is negative. {LOGITS}.")
        sums = block.sum(axis=-1, dtype=np.float64)
        wrong = np.abs(sums - 1) > self.tolerance
        if wrong.any():
            found = sums[tuple(np.argwhere(wrong)[0])]
            raise InvalidInputError(
                f"The probabilities of {_where(wrong, start)} sum to {found:.4g}, and should sum to 1 within "
                f"{self.tolerance:g}. {LOGITS}. If the axes are in another order, name them."
            )


class _Source:
    def __init__(self, passes: _Passes, deterministic: np.ndarray | None) -> None:
        self._passes, self._deterministic = passes, deterministic

    def passes(self, start: int, stop: int, first_pass: int, passes: int, progress: Progress) -> np.ndarray:
        block = self._passes.block(start, stop, first_pass, passes)
        progress(block.shape[0] * block.shape[1], block.shape[0] * block.shape[1])
        return block

    def deterministic(self, start: int, stop: int) -> np.ndarray:
        if self._deterministic is None:
            raise InvalidInputError("This run has no probabilities with dropout off.")
        return self._deterministic[start:stop]


class _OnDisk:
    """An array in a file, of which each part is read by itself."""

    def __init__(
        self, path: Any, dtype: np.dtype, shape: tuple[int, ...], offset: int = 0, order: Literal["C", "F"] = "C"
    ) -> None:
        self.dtype, self.shape = dtype, shape
        self._path, self._offset, self._order = path, offset, order

    def __getitem__(self, part: tuple[slice, ...]) -> np.ndarray:
        if self._order == "C" and part[2] == slice(None):
            return self._read(*(range(length)[each] for length, each in zip(self.shape[:2], part, strict=False)))
        return np.array(self._mapped("r")[part])

    def __setitem__(self, part: tuple[slice, ...], values: np.ndarray) -> None:
        self._mapped("r+")[part] = values

    def _read(self, outer: range, inner: range) -> np.ndarray:
        """What lies together is read, and not mapped: all that a mapping shows and reads ahead counts as memory."""
        whole, row = len(inner) == self.shape[1], self.shape[2]
        starts = outer[:1] if whole else outer
        count = row * (len(outer) * len(inner) if whole else len(inner))
        parts = [self._numbers((each * self.shape[1] + inner.start) * row, count) for each in starts]
        return np.concatenate(parts).reshape(len(outer), len(inner), row)

    def _numbers(self, start: int, count: int) -> np.ndarray:
        return np.fromfile(self._path, self.dtype, count, offset=self._offset + start * self.dtype.itemsize)

    def _mapped(self, mode: Literal["r", "r+"]) -> np.memmap:
        return np.memmap(self._path, self.dtype, mode, self._offset, self.shape, self._order)


@contextmanager
def _on_disk(given: Any) -> Iterator[np.ndarray | _OnDisk]:
    """An array of numpy's; of what is lazy a copy in a temporary file, written a chunk at a time."""
    whole = isinstance(given, np.memmap) and given.filename and not isinstance(given.base, np.ndarray)
    if whole and given.mode != "c":
        yield _OnDisk(given.filename, given.dtype, given.shape, given.offset, "C" if given.flags.c_contiguous else "F")
        return
    if isinstance(given, np.ndarray | list | tuple):
        yield validate.array("probs", given)
        return
    with tempfile.NamedTemporaryFile() as file:
        if hasattr(given, "shape") and hasattr(given, "__getitem__"):
            yield _copied(given, file) if _has_dtype(given) else validate.array("probs", given)
        elif isinstance(given, Iterable):
            yield _stacked(given, file)
        else:
            raise validate.invalid("probs", "an array, or an iterator of passes", type(given).__name__)


def _has_dtype(given: Any) -> bool:
    """Whether it has a dtype of numpy's; tensors of PyTorch and TensorFlow, which are in memory, have their own."""
    try:
        np.dtype(given.dtype)
    except TypeError:
        return False
    return True


def _copied(lazy: Any, file: Any) -> _OnDisk:
    shape, dtype = tuple(map(int, lazy.shape)), np.dtype(lazy.dtype)
    if len(shape) != 3 or 0 in shape:
        raise validate.invalid("probs", "(passes, examples, classes), with no axis empty", f"shape {shape}")
    file.truncate(dtype.itemsize * math.prod(shape))
    copy = _OnDisk(file.name, dtype, shape)
    for part in _chunks(shape, getattr(lazy, "chunks", None)):
        copy[part] = np.asarray(lazy[part])
    return copy


def _stacked(passes: Iterable[Any], file: Any) -> _OnDisk:
    shape: tuple[int, ...] | None = None
    number = 0
    for number, each in enumerate(passes, 1):
        array = validate.array("probs", each)
        validate.dtype("probs", array, np.floating, np.integer)
        array = array.astype(np.float32, copy=False)
        if array.ndim != 2 or (shape is not None and array.shape != shape):
            expected = "(examples, classes), all of one shape"
            raise validate.invalid("probs", f"passes of the shape {expected}", f"{array.shape} in pass {number - 1}")
        shape = array.shape
        file.write(np.ascontiguousarray(array).data)
    if shape is None:
        raise validate.invalid("probs", "at least 2 passes", "none")
    file.flush()
    return _OnDisk(file.name, np.dtype(np.float32), (number, *shape))


def _chunks(shape: tuple[int, ...], chunks: Any) -> Iterator[tuple[slice, ...]]:
    """The parts of an array as it is stored: Zarr's and HDF5's sizes of a chunk, or Dask's of each."""
    if chunks is None:
        chunks = (max(1, BLOCK_VALUES // int(np.prod(shape[1:]))), *shape[1:])
    edges = []
    for length, size in zip(shape, chunks, strict=True):
        ends = np.cumsum(size) if isinstance(size, tuple) else np.minimum(np.arange(size, length + size, size), length)
        edges.append([slice(start, stop) for start, stop in itertools.pairwise([0, *ends.tolist()])])
    return itertools.product(*edges)


def _order(shape: tuple[int, ...], axes: Sequence[str] | None, count: int | None) -> tuple[int, ...]:
    if axes is not None:
        if sorted(axes) != sorted(AXES):
            raise validate.invalid("axes", "pass, example and class in some order", ", ".join(axes), "Name each once.")
        return tuple(list(axes).index(name) for name in AXES)
    asked = "Name their order: axes, or --axes on the command line, such as pass,example,class."
    if shape[0] == shape[1]:
        raise InvalidInputError(
            f"There are as many passes as examples ({shape[0]}), so the axes cannot be told apart. {asked}"
        )
    if count is not None and shape[1] != count and count in shape:
        raise InvalidInputError(f"`probs` has the shape {shape}, and there are {count:,} examples. {asked}")
    return 0, 1, 2


def _examples(
    images: Any, labels: Any, class_names: Sequence[str] | None, ids: Any, columns: "pd.DataFrame | None"
) -> DataSet:
    examples = DataSet(None) if images is None else as_data_set(images)
    if labels is not None:
        examples = examples.with_labels(labels)
    if ids is not None:
        examples = examples.with_ids(ids)
    if columns is not None:
        examples = examples.with_columns(columns)
    return examples if class_names is None else examples.with_class_names(class_names)


def _names(names: Sequence[str] | None, classes: int) -> tuple[str, ...]:
    if names is None:
        return tuple(str(number) for number in range(classes))
    if len(names) != classes:
        raise validate.invalid("class_names", f"{classes} names, one a class of the passes", f"{len(names)} names")
    return tuple(names)


def _deterministic(given: Any, shape: tuple[int, int], from_logits: bool) -> np.ndarray:
    probs = validate.dtype("deterministic", validate.array("deterministic", given), np.floating, np.integer)
    probs = validate.finite("deterministic", probs.astype(np.float32, copy=False))
    if probs.shape != shape:
        raise validate.invalid("deterministic", f"of the shape {shape}", f"shape {probs.shape}")
    if from_logits:
        return scipy.special.softmax(probs, axis=-1)
    if (probs < 0).any() or (np.abs(probs.sum(axis=-1) - 1) > SUM_TOLERANCE).any():
        raise validate.invalid("deterministic", "probabilities that sum to one", "others", "Are they logits?")
    return probs


def _features(given: Any, count: int) -> np.ndarray:
    features = validate.array("features", given)
    if features.ndim < 2 or len(features) != count or 0 in features.shape:
        raise validate.invalid("features", f"({count}, features), with no axis empty", f"shape {features.shape}")
    validate.dtype("features", features, np.floating, np.integer)
    return validate.finite("features", features.reshape(count, -1).astype(np.float32))


def _where(wrong: np.ndarray, start: int) -> str:
    """Pass and example of the first that is wrong, of (T, n, …) in examples from `start` on."""
    first = np.argwhere(wrong)[0]
    return f"pass {first[0]}, example {start + first[1]}"
