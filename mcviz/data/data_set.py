"""A data set: examples with labels, ids and columns."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mcviz import validate
from mcviz.choices import USUAL_IGNORE, Ignore
from mcviz.data.content import NOTHING, Content, ImageContent, NumberContent, TextContent
from mcviz.data.fitting import Size, have_same_proportions, scale_label_maps
from mcviz.data.in_place import LazyRows
from mcviz.data.label_sets import match_label_sets, take_lists
from mcviz.data.labels import UNKNOWN as UNKNOWN_LABEL
from mcviz.data.labels import (
    MatchedBy,
    check_named,
    convert_targets,
    explain_renaming,
    match_labels,
    order_by_ids,
    rename_classes,
    target_names,
)
from mcviz.data.masks import MaskFiles
from mcviz.data.pictures import Pictures
from mcviz.errors import InvalidInputError
from mcviz.tasks import find_task
from mcviz.text import explain_alike, list_names

Images = np.ndarray | Pictures | LazyRows
AS_IMAGES = "Other sizes are taken in the same proportions: crop or stretch each mask as its image."
AS_PASSES = (
    "Other sizes are taken in the same proportions. If the model took the middle of each image, say so by "
    "preprocessing, on the command line --crop; otherwise bring the masks to the size of the passes."
)
PARTS = ("inputs", "labels", "ids", "columns")  # of a data set beside its content, with a row an example


@dataclass(frozen=True, init=False)
class DataSet:
    """Checked examples in one order: images, texts, rows, or none.

    Attributes:
        held: the examples in the form of their kind: of the `images`, `texts` or `rows` that are given, or nothing.
        labels: (N,) int64 class indices; of a regression (N, D) float32, NaN where one is not known; of a segmentation
            (N, H, W) uint8, or masks in files, which may differ in size; or None where none is known.
        class_names: names of the classes, where the data know them, in the order of the class indices.
        ids: N texts that name the examples, where the data know them; all different.
        columns: a row an example: the user's own columns, of which there may be none; or None.
        notes: sentences on what was found out, to be told to the person.
        target_names: names of what a regression predicts, D of them; None for classes.
        matched_by: how `match_labels` found the class indices.
        kind: what the examples are, a name of `mcviz.kinds.KINDS`; "none" until whoever reads them gives it.
        inputs: (N,) what a model takes, where that is not what is shown: a structured array, with a field for each of
            the model's inputs by its name, or one field `NAMELESS`. None where a model takes what is shown.
        some_unlabelled: whether a class index of -1 stands for a label that is not known; it is refused otherwise.

    Raises:
        InvalidInputError: more than one of images, texts and rows.
    """

    held: Content
    labels: np.ndarray | MaskFiles | None
    class_names: tuple[str, ...] | None
    ids: tuple[str, ...] | None
    columns: pd.DataFrame | None
    notes: tuple[str, ...]
    target_names: tuple[str, ...] | None
    matched_by: MatchedBy
    kind: str
    inputs: np.ndarray | None
    ignored: int | None
    some_unlabelled: bool

    def __init__(
        self,
        images: Images | None = None,
        labels: np.ndarray | MaskFiles | None = None,
        class_names: tuple[str, ...] | None = None,
        ids: tuple[str, ...] | None = None,
        columns: pd.DataFrame | None = None,
        notes: tuple[str, ...] = (),
        texts: np.ndarray | None = None,
        rows: pd.DataFrame | None = None,
        target_names: tuple[str, ...] | None = None,
        matched_by: MatchedBy = "place",
        kind: str = "none",
        inputs: np.ndarray | None = None,
        ignored: int | None = None,
        some_unlabelled: bool = False,
        held: Content = NOTHING,
    ) -> None:
        contents = held, ImageContent(images), TextContent(texts), NumberContent(rows)
        given = {type(content): content for content in contents if content.values is not None}
        if len(given) > 1:
            received = " and ".join(content.plural for content in given.values())
            raise validate.invalid("data", "of one kind", received, "Leave out all but one.")
        vars(self).update(
            held=next(iter(given.values()), NOTHING),
            labels=labels,
            class_names=class_names,
            ids=ids,
            columns=columns,
            notes=notes,
            target_names=target_names,
            matched_by=matched_by,
            kind=kind,
            inputs=inputs,
            ignored=ignored,
            some_unlabelled=some_unlabelled,
        )

    def __len__(self) -> int:
        parts = (self.held.values, *(getattr(self, name) for name in PARTS))
        return next((len(part) for part in parts if part is not None), 0)

    @property
    def images(self) -> Images | None:
        """(N, height, width, channels), uint8 in 0..255 or finite float32; or None.

        Images in files are read when this is indexed.
        """
        return self.held.values if isinstance(self.held, ImageContent) else None

    @property
    def texts(self) -> np.ndarray | None:
        """(N,) of dtype object, all `str`; or None."""
        return self.held.values if isinstance(self.held, TextContent) else None

    @property
    def rows(self) -> pd.DataFrame | None:
        """N × D float32, finite, in the model's named inputs; or None."""
        return self.held.values if isinstance(self.held, NumberContent) else None

    @property
    def content(self) -> pd.DataFrame | None:
        """The columns of examples: `text`, or those of rows; else None."""
        return self.held.columns

    def with_content(self, held: Content) -> "DataSet":
        """Return the data with other content, of as many examples."""
        return replace(self, held=held)

    @property
    def labelled(self) -> int:
        """The number of labelled examples."""
        if not isinstance(self.labels, np.ndarray) or self.labels.ndim > 2:
            return 0 if self.labels is None else len(self.labels)
        if self.labels.dtype.kind == "f":
            return int(np.isfinite(self.labels).reshape(len(self), -1).all(axis=1).sum())
        if self.labels.ndim == 1:
            return int(np.ma.count(self._masked_labels))
        return int((self.labels != UNKNOWN_LABEL).any(axis=1).sum())

    @property
    def label_array(self) -> np.ndarray | None:
        """The labels as one array in memory, masks in file size.

        Raises:
            InvalidInputError: a mask cannot be read, or masks differ in size.
        """
        return None if self.labels is None else np.asarray(self.labels)

    @property
    def pixels(self) -> np.ndarray:
        """(N, height, width, channels) images in memory.

        Raises:
            InvalidInputError: there are none, or a picture cannot be read.
        """
        if self.images is None:
            raise InvalidInputError("the examples are no images.")
        return self.images[:]

    def with_class_names(self, names: Sequence[str] | Mapping[str, str]) -> "DataSet":
        """Return the data with classes in the order of the model's outputs.

        Labels match by `match_labels`. If the data name classes, labels follow names, never order.

        Args:
            names: of all classes; or new names of some by those that the data have, whose order stays.

        Raises:
            InvalidInputError: names that repeat, are fewer than the labels need, or lack one of the data's own; new
                names of classes that the data do not have; or the labels are those of a regression.
        """
        if isinstance(self.labels, np.ndarray) and self.labels.ndim == 2 and self.target_names is None:
            return self._name_label_columns(names)
        if self.target_names is not None:
            raise validate.invalid("class_names", "left out, since a regression has no classes", list_names(names))
        own = self.class_names
        if isinstance(names, Mapping):
            return replace(self, class_names=rename_classes(own or (), names) or None)
        if len(set(names)) != len(names):
            raise validate.invalid("class_names", "different names", list_names(names))
        names = tuple(names)
        if self.labels is not None and self.labels.ndim == 3:
            return self._name_classes_of_masks(names)
        if self.labels is not None and own is None and self.matched_by != "column":
            return self._match("labels", self._masked_labels, names)
        if isinstance(self.labels, np.ndarray) and own is not None:
            check_named(own, names, explain_renaming(own[0]))
            places = np.array([*(names.index(name) for name in own), UNKNOWN_LABEL])  # the last one, of -1
            return replace(self, labels=places[self.labels], class_names=names, matched_by="name")
        return replace(self, class_names=names)

    def with_target_names(self, names: Sequence[str]) -> "DataSet":
        """Return the data with targets in order of names; own names reorder labels, others rename targets.

        Raises:
            InvalidInputError: names that repeat, are more or fewer than the targets, or lack some of the data's own.
        """
        count = len(names) if self.target_names is None else len(self.target_names)
        names = validate.different_names("target_names", names, count)
        labels = self.label_array
        if self.target_names is None or labels is None or not set(names) & set(self.target_names):
            return replace(self, target_names=names)
        if set(names) != set(self.target_names):
            expected = f"names for all of {list_names(self.target_names)}, which the data have"
            raise validate.invalid("target_names", expected, list_names(names))
        places = [self.target_names.index(name) for name in names]
        return replace(self, labels=labels[:, places], target_names=names)

    def with_names(self, names: Sequence[str], task: str) -> "DataSet":
        """Return the data with classes or targets in the order of names.

        Raises:
            InvalidInputError: as `with_class_names` and `with_target_names`.
        """
        return find_task(task).name_axis(self, names)

    def check_labels(self, task: str = "classification") -> "DataSet":
        """Return the data with labels in this class's form.

        Args:
            task: what the labels are for.

        Raises:
            InvalidInputError: they are no labels, or those of another task.
        """
        return self if self.labels is None else find_task(task).check_labels(self)

    def check_class_labels(self) -> "DataSet":
        """Return the data with labels in the form of a classification.

        Raises:
            InvalidInputError: they are no labels, or those of a regression.
        """
        if self.target_names is not None:
            raise validate.invalid("labels", "of classes", "what a regression predicts", "Name the task: regression.")
        if not isinstance(self.labels, np.ndarray) or self.labels.dtype.kind not in "iu":
            return replace(self, labels=None).with_classes(self.labels)
        indices, _, by = match_labels("labels", self._masked_labels, len(self))
        return replace(self, labels=indices, matched_by=self.matched_by if by == "place" else by)

    @property
    def _masked_labels(self) -> Any:
        """Return class indices, masked if unknown."""
        labels = self.labels
        if not isinstance(labels, np.ndarray) or labels.ndim > 1 or not self.some_unlabelled:
            return labels
        return np.ma.masked_array(labels, labels == UNKNOWN_LABEL)

    def with_labels(self, labels: Any, task: str = "classification", name: str = "labels") -> "DataSet":
        """The same examples with labels.

        Args:
            labels: as `with_classes` takes them, for a regression as `with_targets`.
            task: what they are for.
            name: what an error calls them.

        Raises:
            InvalidInputError: other labels.
        """
        return find_task(task).label(self, labels, name)

    def with_classes(self, labels: Any, name: str = "labels") -> "DataSet":
        """The same examples with classes as their labels.

        Args:
            labels: as `match_labels` takes them, also as a mapping from ids, or a Series, whose index is taken as
                `order_by_ids` says. Where the data name their classes and have no labels, these are the names that are
                given.
            name: what an error calls them.

        Raises:
            InvalidInputError: other labels.
        """
        ordered = order_by_ids(name, labels, self.ids, len(self) or len(labels), partial=True)
        return self._match(name, ordered, self.class_names if self.labels is None else None)

    def with_label_sets(self, labels: Any, name: str = "labels") -> "DataSet":
        """The same examples with several labels each.

        Args:
            labels: as `match_label_sets` takes them, also as a mapping from ids, or with an index, which is taken as
                `order_by_ids` says.
            name: what an error calls them.

        Raises:
            InvalidInputError: other labels.
        """
        count = len(self) or len(labels)
        ordered = take_lists(order_by_ids(name, labels, self.ids, count, partial=True))
        rows, names = match_label_sets(name, ordered, count, self.class_names)
        by: MatchedBy = "column" if getattr(ordered, "ndim", 1) == 2 else "name" if self.class_names else "order"
        return replace(self, labels=rows, class_names=names, matched_by=by)

    def _name_label_columns(self, names: Sequence[str] | Mapping[str, str]) -> "DataSet":
        assert isinstance(self.labels, np.ndarray)
        own = self.class_names
        if isinstance(names, Mapping):
            return replace(self, class_names=rename_classes(own or (), names) or None)
        names = validate.different_names("class_names", names, len(names))
        if own is None and len(names) != self.labels.shape[1]:
            raise validate.invalid("class_names", f"{self.labels.shape[1]:,} names, one a class", f"{len(names):,}")
        if own is None:
            return replace(self, class_names=names)
        check_named(own, names, explain_renaming(own[0]))
        if len(own) < len(names) and self.matched_by == "column":
            missing = list_names([name for name in names if name not in own])
            raise validate.invalid("labels", "of every class, a column each", f"none of {missing}")
        labels = np.zeros((len(self.labels), len(names)), np.int8)  # a list of names has no class that it does not name
        labels[(self.labels == UNKNOWN_LABEL).all(axis=1)] = UNKNOWN_LABEL
        labels[:, [names.index(name) for name in own]] = self.labels
        by: MatchedBy = "column" if self.matched_by == "column" else "name"
        return replace(self, labels=labels, class_names=names, matched_by=by)

    def with_targets(self, values: Any, names: Sequence[str] | None = None, name: str = "labels") -> "DataSet":
        """Return the data with targets of a regression as labels.

        Args:
            values: (N,) or (N, D) numbers, also as a table or a column of one, whose index is taken as `order_by_ids`
                says, or as a mapping from ids.
            names: D names; those of the table without it, or else "target", or "target_0", ….
            name: what an error calls the values.

        Raises:
            InvalidInputError: other values, or another number of names.
        """
        values = order_by_ids(name, values, self.ids, len(self) or len(values), partial=True)
        targets = convert_targets(name, values, len(self) or len(values))
        count = targets.shape[1]
        names = validate.different_names("target_names", names or target_names(values, count), count)
        return replace(self, labels=targets, target_names=names, class_names=None)

    def with_masks(self, masks: Any, name: str = "labels") -> "DataSet":
        """Return the data with a label map each.

        Args:
            masks: (N, H, W) whole numbers of 0 to 255 or bool, also with an axis of one channel behind; a mapping from
                ids; or masks in files.
            name: what an error calls them.

        Raises:
            InvalidInputError: other masks, or not one an example.
        """
        if isinstance(masks, MaskFiles):
            return replace(self, labels=masks, target_names=None)
        ordered = order_by_ids(name, masks, self.ids, len(self) or len(masks))
        if isinstance(ordered, pd.Series):
            ordered = list(ordered)
        values = validate.dtype(name, validate.array(name, ordered), np.integer, np.bool_)
        values = values[..., 0] if values.ndim == 4 and values.shape[-1] == 1 else values
        advice = "A mask has the number of a class in every pixel, in one channel."
        validate.shape(name, values, (len(self) or "examples", "height", "width"), advice=advice)
        if values.dtype != np.uint8 and (values.min() < 0 or values.max() > 255):
            raise validate.invalid(name, "whole numbers of 0 to 255", f"{values.min()} to {values.max()}", advice)
        return replace(self, labels=values.astype(np.uint8, copy=False), target_names=None)

    def fit_masks(self, size: Size, *, crop: Size | None, as_images: bool) -> np.ndarray:
        """Fit masks to one size like their images, by nearest pixels.

        Args:
            size: (height, width).
            crop: the proportions that images are cropped to, as (height, width); None for none.
            as_images: whether masks have to have the proportions of their images, which were brought to this size; they
                need those of the size otherwise, unless they are cropped.

        Returns:
            (N, *size) uint8.

        Raises:
            InvalidInputError: a mask cannot be read, or has other proportions.
        """
        masks = self.labels
        assert masks is not None
        if isinstance(masks, np.ndarray) and masks.shape[1:] == size:
            return masks
        wanted = set() if crop else {size}
        if as_images:  # masks in files were held against their images when these were paired
            wanted = set() if isinstance(masks, MaskFiles) else self._image_sizes() or {size}
        for one, other in itertools.product(sorted(self.mask_sizes), sorted(wanted)):
            if not have_same_proportions(one, other):
                whose, advice = ("images", AS_IMAGES) if as_images else ("passes", AS_PASSES)
                raise validate.invalid("labels", f"masks of the size of the {whose}, {other}", f"{one}", advice)
        return masks.fit(size, crop) if isinstance(masks, MaskFiles) else scale_label_maps(masks, size, crop)

    @property
    def mask_sizes(self) -> set[Size]:
        """The height and width of all masks, upright."""
        if isinstance(self.labels, MaskFiles):
            return set(self.labels.sizes)
        return set() if self.labels is None else {(self.labels.shape[1], self.labels.shape[2])}

    def resolve_ignore(self, ignore: Ignore) -> tuple[int | None, bool]:
        """Return the mask value of ignored pixels.

        Args:
            ignore: as it is given; where it is not, it is that of the data, or else 255.

        Returns:
            It, or None for nothing; and whether it was not known, so that it may turn out to be the foreground.
        """
        if ignore != "auto":
            return ignore, False
        return (USUAL_IGNORE if self.ignored is None else self.ignored), self.ignored is None

    def _image_sizes(self) -> set[Size]:
        if isinstance(self.images, Pictures):
            return set(self.images.sizes)
        return set() if self.images is None else {(self.images.shape[1], self.images.shape[2])}

    def with_labels_of(self, others: "DataSet") -> "DataSet":
        """Return the data with labels, class names and columns of others, matched by common ids.

        Missing ids have unknown labels; every image needs a mask.

        Raises:
            InvalidInputError: the others are not as many, or have other ids.
        """
        if self.ids and others.ids:
            others = others.spread(self.ids).in_order_of(self.ids)
        if len(self) not in (0, len(others)):
            raise validate.invalid("labels", f"{len(self):,} labels, one an example", f"{len(others):,}")
        if self.class_names is not None and self.labels is None:
            others = others.with_class_names(self.class_names)
        columns, content = self.columns if others.columns is None else others.columns, self.content
        if columns is not None and content is not None:
            columns = columns.drop(columns=list(content), errors="ignore")  # a table of labels may repeat them
        return replace(
            self,
            labels=others.labels,
            some_unlabelled=others.some_unlabelled,
            ignored=others.ignored,
            class_names=others.class_names,
            matched_by=others.matched_by,
            target_names=others.target_names,
            ids=self.ids or others.ids,
            columns=columns,
        )

    def check_classes(self, count: int) -> None:
        """Check class names and labels against the number of classes.

        Raises:
            InvalidInputError: they are not, or belong to a regression.
        """
        if self.target_names is not None:
            raise validate.invalid("target_names", "left out for a classification", list_names(self.target_names))
        advice = "Name all classes, in the order of the model's outputs, with class_names."
        if self.class_names is not None:
            validate.different_names("class_names", self.class_names, count, advice)
        if isinstance(self.labels, np.ndarray) and self.labels.ndim == 2 and self.labels.shape[1] != count:
            raise validate.invalid("labels", f"of {count:,} classes, as are predicted", f"{self.labels.shape[1]:,}")
        if self.labels is not None and self.labels.ndim == 1:
            known = np.ma.compressed(self._masked_labels)
            validate.class_indices("labels", known, len(known), count, f"Are they names? {advice}")

    def with_columns(self, columns: "pd.DataFrame | Mapping[str, Any]") -> "DataSet":
        """Return the data with the user's columns, a row an example.

        Args:
            columns: a table, whose index is taken as `order_by_ids` says; or each column by its name.

        Raises:
            InvalidInputError: another number of rows, or a column that is the example itself.
        """
        if isinstance(columns, Mapping):
            lengths = {len(values) for values in columns.values()}
            if len(lengths | ({len(self)} - {0})) > 1:
                lengths_of_columns = ", ".join(f"{name} with {len(values):,}" for name, values in columns.items())
                raise validate.invalid(
                    "columns", f"of {len(self) or 'as many'} values each, one an example", lengths_of_columns
                )
            table = pd.DataFrame(
                {name: order_by_ids(name, values, self.ids, len(values)) for name, values in columns.items()}
            )
        else:
            table = order_by_ids("columns", columns, self.ids, len(self) or len(columns))
        if len(self) not in (0, len(table)):
            raise validate.invalid("columns", f"{len(self):,} rows, one an example", f"{len(table):,} rows")
        content = self.content
        twice = [str(name) for name in table if content is not None and str(name) in content]
        if twice:
            raise validate.invalid("columns", "other columns than those of the examples", list_names(twice))
        return replace(self, columns=table.reset_index(drop=True))

    def with_ids(self, ids: Any) -> "DataSet":
        """The same examples under names of their own.

        Raises:
            InvalidInputError: not one for each, or not all different.
        """
        texts = tuple(str(id_) for id_ in np.asarray(ids).tolist())
        if len(self) not in (0, len(texts)) or len(set(texts)) != len(texts):
            raise validate.invalid(
                "ids",
                f"{len(self):,} different texts, one an example",
                f"{len(texts):,}, {len(set(texts)):,} of them different",
            )
        return replace(self, ids=texts)

    def spread(self, ids: Sequence[str]) -> "DataSet":
        """Add examples by missing ids without content; other labels stay unchanged."""
        labels, own = self.labels, set(self.ids or ())
        missing = [name for name in ids if name not in own]
        is_more = self.held.values is not None or self.inputs is not None
        fits = bool(own and missing) and own <= set(ids) and not is_more
        if not fits or not isinstance(labels, np.ndarray) or labels.ndim > 2:
            return self
        count, columns = len(labels) + len(missing), self.columns
        unknown = np.nan if labels.dtype.kind == "f" else UNKNOWN_LABEL
        spread = np.full((count, *labels.shape[1:]), unknown, labels.dtype)
        spread[: len(labels)] = labels
        columns = None if columns is None else columns.reindex(range(count))
        return replace(
            self, labels=spread, columns=columns, ids=(*(self.ids or ()), *missing), some_unlabelled=labels.ndim == 1
        )

    def in_order_of(self, ids: Sequence[str]) -> "DataSet":
        """Return the data in the order of ids or numbers.

        Raises:
            InvalidInputError: the ids are not those of the examples.
        """
        if not len(self):
            return self.with_ids(ids)
        place = {name: number for number, name in enumerate(self.ids or map(str, range(len(self))))}
        missing = [name for name in ids if name not in place]
        if missing or len(ids) != len(place):
            received = f"{len(ids):,} ids" + (f", of which {missing[0]} names none" if missing else "")
            own = "those" if self.ids else "numbers, since the examples have no ids,"
            raise validate.invalid(
                "ids", f"{own} of the {len(place):,} examples", received, explain_alike(missing, place)
            )
        return replace(self.take(np.array([place[name] for name in ids])), ids=tuple(ids))

    def slice_for_worker(self, start: int, stop: int) -> "DataSet":
        """Return examples `start` to `stop` without ids and columns, for a worker; images in files stay there."""
        alone = replace(self, ids=None, columns=None, notes=())
        return alone._map_parts(lambda part: _slice_for_worker(part, start, stop))

    def take(self, indices: np.ndarray) -> "DataSet":
        """Return some examples by number."""
        return self._map_parts(lambda part: _take(part, indices))

    def _map_parts(self, change: Callable[[Any], Any]) -> "DataSet":
        parts = {name: getattr(self, name) for name in PARTS}
        changed = {name: change(part) for name, part in parts.items() if part is not None}
        return replace(self, held=self.held.map(change), **changed)

    def _name_classes_of_masks(self, names: tuple[str, ...]) -> "DataSet":
        if self.class_names is not None and names != self.class_names:
            expected = f"those of the data in their order, {list_names(self.class_names)}"
            raise validate.invalid("class_names", expected, list_names(names), explain_renaming(self.class_names[0]))
        return replace(self, class_names=names)

    def _match(self, name: str, labels: Any, class_names: Sequence[str] | None) -> "DataSet":
        indices, names, by = match_labels(name, labels, len(self) or len(labels), class_names)
        unknown = bool((indices == UNKNOWN_LABEL).any())
        return replace(
            self, labels=indices, class_names=names, matched_by=by, target_names=None, some_unlabelled=unknown
        )


def _slice_for_worker(part: Any, start: int, stop: int) -> Any:
    if isinstance(part, Pictures):
        return part.slice_for_worker(range(start, min(stop, len(part))))
    if isinstance(part, LazyRows):
        return part.take(range(start, min(stop, len(part))))
    if isinstance(part, MaskFiles):
        return part.take(np.arange(start, min(stop, len(part))))
    return part.iloc[start:stop] if isinstance(part, pd.DataFrame) else part[start:stop]


def _take(part: Any, indices: np.ndarray) -> Any:
    if isinstance(part, Pictures | LazyRows | MaskFiles):
        return part.take(indices)
    if isinstance(part, pd.DataFrame):
        return part.iloc[indices].reset_index(drop=True)
    return tuple(part[index] for index in indices) if isinstance(part, tuple) else part[indices]


def as_model_input(images: np.ndarray) -> np.ndarray:
    """Return float32 images in 0..1: uint8 is divided by 255.

    Args:
        images: (N, …) uint8 or floating point.

    Returns:
        (N, …) float32.
    """
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    return images.astype(np.float32, copy=False)
