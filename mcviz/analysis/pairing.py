"""Which examples two runs share, by their ids or else by a digest of each, and the labels that both are measured by."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mcviz import validate
from mcviz.data.in_place import LazyRows, Places
from mcviz.manifest import Manifest
from mcviz.runs import Derived, Run, load_derived, save_derived
from mcviz.runs.tables import BLOCK_BYTES
from mcviz.text import list_names, one_line

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray
LabelChoice = Literal["new", "old"]  # of two runs, the labels of the one that was begun later, or earlier

DIGESTS = Derived("example-digests", 1, {"digests": "uint64"})


@dataclass(frozen=True)
class Pairs:
    """The examples that two runs share, n of them.

    Attributes:
        one: (n,) int64, their numbers in the first run, ascending.
        other: (n,) int64, their numbers in the second.
        by: how they were found, "ids", "contents" or both; neither where both runs have them in the same order.
        labels: that both runs are measured by: (n,) int64 classes, numbered as in the first run, or (n, D) float32 true
            values, or (n, H, W) uint8 classes that are read as they are indexed; None where neither run has labels.
        labels_of: the run that these labels are of; None without labels.
        labels_differ: how many labels differ between the runs.
        notes: on labels, on what was left out, and on what looks wrong, a sentence each.
    """

    one: Array
    other: Array
    by: tuple[str, ...]
    labels: Array | LazyRows | None
    labels_of: Run | None
    labels_differ: int
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.one)

    def select(self, chosen: Array) -> "Pairs":
        """Select some pairs, by a mask, (n,) bool."""
        labels = None if self.labels is None else self.labels[chosen]
        return replace(self, one=self.one[chosen], other=self.other[chosen], labels=labels)

    def find(self, example: int) -> int | None:
        """Return an example's place among pairs, or None."""
        place = int(np.searchsorted(self.one, example))
        return place if place < len(self) and self.one[place] == example else None


def pair_examples(one: Run, other: Run, labels: LabelChoice = "new") -> Pairs:
    """Find examples that two runs share, and common labels.

    Unique ids that are no numbers count, unless the content has another id. Others pair by content: pixels, text or
    row; equal contents in order, if equally many.

    Args:
        one: a run.
        other: a run of the same task, classes or targets.
        labels: where labels differ, those of the run that was begun later ("new") or earlier ("old").

    Raises:
        InvalidInputError: `labels` is something else.
    """
    wanted = validate.choice("labels", labels, get_args(LabelChoice))
    (first, second), by, notes = _find_pairs(one, other)
    both = _select_labels(one, other, one, first), _select_labels(one, other, other, second)
    differ, chosen = 0, 0 if both[1] is None else 1
    if both[0] is not None and both[1] is not None:
        differ = sum(_count_unequal(both[0][block], both[1][block]) for block in row_blocks(both[0], len(first)))
        chosen = int(_is_later(one, other) == (wanted == "new"))
    labels_of = None if both[chosen] is None else (one, other)[chosen]
    if differ:
        age = {"new": "newer", "old": "older"}[wanted]
        notes.append(
            f"{differ:,} {'label is' if differ == 1 else 'labels are'} not the same. Both runs are measured by those "
            f"of {name_apart(one, other)[chosen]}, the {age} run."
        )
    elif labels_of is not None and both[1 - chosen] is None and len(first):
        notes.append(f"Only the {('first', 'second')[chosen]} run has labels. Both are measured by these.")
    measured_by = both[chosen]
    if (out := _find_unshared(one, other, (first, second), measured_by)).any():
        notes.append(_name_unshared(one, other, first[out]))
        first, second = first[~out], second[~out]
        measured_by = None if measured_by is None else measured_by[~out]
    if measured_by is not None and (hidden := one.choosing[first] | other.choosing[second]).any():
        notes.append(f"{hidden.sum():,} examples chose thresholds, so their labels judge neither run.")
        measured_by = one.task.hide_labels(np.asarray(measured_by), hidden)
    return Pairs(first, second, by, measured_by, labels_of, differ, tuple(notes))


def same_examples(one: Manifest, other: Manifest) -> bool:
    """Return whether two runs have the same examples in order, by manifests.

    Examples known only by number are the same if labels or passes are.
    """
    a, b = one.examples, other.examples
    if (a.kind, a.count, a.sha256) != (b.kind, b.count, b.sha256):
        return False
    have_content = one.images is not None or bool(a.content)
    have_ids = a.columns_sha256 is not None and b.columns_sha256 is not None
    known = ((one.labels_sha256, other.labels_sha256), (one.origin.sha256, other.origin.sha256))
    return have_content or have_ids or any(first is not None and first == second for first, second in known)


def match_by_name(one: Manifest, other: Manifest) -> bool:
    """Whether classes of two runs are the same by their names: both have names, some of them in common."""
    named = all(run.class_names != tuple(map(str, range(run.classes))) for run in (one, other))
    shared = set(one.class_names) & set(other.class_names)
    return len(shared) == len(one.class_names) or (named and bool(shared))


def class_order(one: Run, other: Run) -> Array:
    """(C,) int64: for each class of one run its number in the other, by name, or else by number.

    Classes of one run that the other lacks have the numbers that are left, in order; see `unshared_classes`.
    """
    if not match_by_name(one.manifest, other.manifest):
        return np.arange(len(one.class_names))
    place = {name: number for number, name in enumerate(other.class_names)}
    left = iter([number for name, number in place.items() if name not in one.class_names])
    return np.array([place[name] if name in place else next(left) for name in one.class_names], np.int64)


def unshared_classes(one: Run, other: Run) -> Array:
    """(c,) int64: the classes of one run that the other lacks by name, whose number in it is that of another class."""
    if not match_by_name(one.manifest, other.manifest):
        return np.empty(0, np.int64)
    return np.flatnonzero([name not in other.class_names for name in one.class_names])


def paired_class_names(one: Run, other: Run) -> tuple[str, ...]:
    """Name the classes of one run, each as one line; "a or d" is of a class that is a there and d in the other."""
    names, order = list(map(one_line, one.class_names)), class_order(one, other)
    for number in unshared_classes(one, other):
        names[number] += f" or {one_line(other.class_names[order[number]])}"
    return tuple(names)


def name_apart(one: Run, other: Run) -> tuple[str, str]:
    """Name two runs by folder, or by path if those are equal."""
    names = (one.name, other.name) if one.name != other.name else (one.path, other.path)
    return one_line(names[0]), one_line(names[1])


def row_blocks(rows: Array | LazyRows, count: int) -> Iterator[slice]:
    """Yield slices of so many rows of an array, each of as many bytes as are looked at at once."""
    step = max(1, BLOCK_BYTES // (int(np.prod(rows.shape[1:])) * rows.dtype.itemsize))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def _find_unshared(one: Run, other: Run, pairs: tuple[Array, Array], labels: Array | LazyRows | None) -> Array:
    """Find paired examples of classes that one run lacks, by label or else prediction."""
    unshared, found = unshared_classes(one, other), np.zeros(len(pairs[0]), bool)
    if not len(unshared) or not one.task.has_one_class:
        return found
    if labels is not None:
        return np.isin(np.asarray(labels), unshared)
    for run, examples in zip((one, other), pairs, strict=True):
        order = class_order(one, run)
        means = one.task.reorder_predictions(run.mean_predictions[examples], order)
        found |= np.isin(run.task.beside(one.task, order).decide(means), unshared)
    return found


def _name_unshared(one: Run, other: Run, examples: Array) -> str:
    ids = list_names([one_line(id_) for id_ in one.scores()["id"].iloc[examples]])
    lacking = []
    for which, of, run in (("second", one, other), ("first", other, one)):
        names = [one_line(name) for name in of.class_names if name not in run.class_names]
        lacking.append(f"the {which} run lacks {list_names(names)}")
    return f"Classes are matched by name: {', and '.join(lacking)}. Examples of these are left out: {ids}."


def _select_labels(one: Run, other: Run, run: Run, examples: Array) -> Array | LazyRows | None:
    labels, order, unshared = run.lazy_labels, class_order(one, run), unshared_classes(one, other)

    def reorder(rows: Array) -> Array:
        return one.task.drop_labels(one.task.reorder_labels(rows, order), unshared, len(order))

    if not isinstance(labels, LazyRows):
        return None if labels is None else reorder(labels[examples])
    rows = labels.take(examples)

    def read(places: Places) -> Array:
        return reorder(rows.read(places))

    return replace(rows, read=read)


def _count_unequal(one: Array, other: Array) -> int:
    unequal = (one != other) & ((one == one) | (other == other))  # NaN of both is known of neither
    return int(np.count_nonzero(unequal.any(axis=tuple(range(1, unequal.ndim)))))


def _find_pairs(one: Run, other: Run) -> tuple[Array, tuple[str, ...], list[str]]:
    """Return (2, n) int64 numbers of shared examples, the method, and notes."""
    if same_examples(one.manifest, other.manifest):
        return np.tile(np.arange(len(one)), (2, 1)), (), []
    ids, digests = (_find_ids(one), _find_ids(other)), _load_comparable_digests(one, other)
    notes: list[str] = []
    pairs = np.empty((2, 0), np.int64) if ids[0] is None or ids[1] is None else _match(ids[0], ids[1])
    if digests is None:
        return pairs, ("ids",) if pairs.size else (), notes
    contents = [digests_of_run[of] for digests_of_run, of in zip(digests, pairs, strict=True)]
    differ = contents[0] != contents[1]
    moved = differ & (np.isin(contents[0], digests[1]) | np.isin(contents[1], digests[0]))
    pairs = pairs[:, ~moved]
    if count := int(np.count_nonzero(differ & ~moved)):
        notes.append(
            f"{count:,} of the examples that have the same id in both runs differ in content. Check that an id names "
            "the same example in both."
        )
    left = [np.delete(np.arange(len(digests_of_run)), of) for digests_of_run, of in zip(digests, pairs, strict=True)]
    contents = [digests_of_run[of] for digests_of_run, of in zip(digests, left, strict=True)]
    by_content = _match(*contents)
    if count := int(np.isin(np.delete(contents[0], by_content[0]), contents[1]).sum()):
        notes.append(
            f"{count:,} examples of the first run are left out: the second has others of the same content, but not as "
            "many, and nothing says which is which."
        )
    by = tuple(word for word, of in (("ids", pairs), ("contents", by_content)) if of.size)
    pairs = np.concatenate([pairs, [left[0][by_content[0]], left[1][by_content[1]]]], axis=1)
    return pairs[:, pairs[0].argsort()], by, notes


def _is_later(one: Run, other: Run) -> bool:
    """Return whether the second run began later, or its time is unknown."""
    began, then = (run.manifest.time("started") or run.manifest.time("finished") for run in (one, other))
    return began is None or then is None or began <= then


def _find_ids(run: Run) -> "pd.Series | None":
    """Return ids unless they repeat or only count."""
    columns = run.columns
    if columns is None or not columns["id"].is_unique or (columns["id"] == columns.index.astype(str)).all():
        return None
    return columns["id"]


def _match(one: "pd.Series | Array", other: "pd.Series | Array") -> Array:
    """Match (N,) with (M,) keys: (2, n) int64 places of equally frequent ones."""
    import pandas as pd  # here, because it takes time to import

    codes, unique = pd.factorize(np.concatenate([one, other]))
    places = []
    sides = codes[: len(one)], codes[len(one) :]
    counts = [np.bincount(side, minlength=len(unique)) for side in sides]
    for side in sides:
        as_often = np.flatnonzero((counts[0] == counts[1])[side])
        places.append(as_often[side[as_often].argsort(kind="stable")])
    return np.stack(places)


def _load_comparable_digests(one: Run, other: Run) -> tuple[Array, Array] | None:
    """Load digests of two runs' examples; None for different forms."""
    form, there = (_describe_form(run.manifest) for run in (one, other))
    return (_load_digests(one), _load_digests(other)) if form is not None and form == there else None


def _describe_form(manifest: Manifest) -> Any:
    """Return the form by which contents compare; None without examples."""
    if not manifest.has_examples:
        return None
    images = manifest.images
    return manifest.examples.kind, (images.shape, images.dtype) if images else sorted(manifest.examples.content)


def _load_digests(run: Run) -> Array:
    """Return (N,) uint64 digests of examples, computed once and stored."""
    stored = load_derived(run.path, run.digest, DIGESTS)
    if stored is None or stored["digests"].shape != (len(run),):
        digests = b"".join(hashlib.blake2b(content, digest_size=8).digest() for content in _read_contents(run))
        stored = {"digests": np.frombuffer(digests, np.uint64)}
        save_derived(run.path, run.digest, DIGESTS, stored)
    return stored["digests"]


def _read_contents(run: Run) -> Iterator[Any]:
    encode = run.kind.content.encode
    if run.has_images:
        for block in row_blocks(run.images, len(run)):
            yield from encode(run.images[block])
    else:
        yield from encode(run.content)
