"""A data set: the examples that a model is asked about, with all that is known of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz import validate
from mcviz.data.labels import as_class_indices
from mcviz.data.pictures import Pictures
from mcviz.errors import InvalidInputError

if TYPE_CHECKING:
    import pandas as pd

IMAGES = ("N", "height", "width")
CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class DataSet:
    """Examples in one order, checked and brought into one form.

    Attributes:
        images: (N, height, width, channels), uint8 in 0..255 or finite float32, or pictures that are decoded when they
            are indexed; None where the examples are no images.
        labels: (N,) int64 class indices, or None where they are not known.
        class_names: names of the classes, where the data know them.
        ids: N texts that name the examples, where the data know them; all different.
        columns: a row an example: the user's own columns, of which there may be none; or None.
        notes: sentences on what was found out, to be told to the person.
    """

    images: np.ndarray | Pictures | None
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    columns: "pd.DataFrame | None" = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        parts = (self.images, self.labels, self.ids, self.columns)
        return next((len(part) for part in parts if part is not None), 0)

    @property
    def pixels(self) -> np.ndarray:
        """(N, height, width, channels): the images as one array in memory.

        Raises:
            InvalidInputError: there are none, or a picture cannot be read.
        """
        if self.images is None:
            raise InvalidInputError("the examples are no images.")
        return self.images[:]

    @classmethod
    def of_arrays(
        cls,
        images: Any,
        labels: Any = None,
        class_names: Sequence[str] | None = None,
        names: tuple[str, str] = ("images", "labels"),
    ) -> "DataSet":
        """Check arrays and bring them into the form of this class.

        Args:
            images: (N, height, width) or (N, height, width, channels), also with channels first where the sizes show
                that they are; floating point, or whole numbers of 0 to 255.
            labels: as `as_class_indices` takes them, or None.
            class_names: names of the classes; those of labels that are texts without it.
            names: what an error calls the two arrays.

        Raises:
            InvalidInputError: a wrong shape or dtype, no image at all, values that are not finite, or other labels.
        """
        images = _images(names[0], images)
        indices, texts = (None, None) if labels is None else as_class_indices(names[1], labels, len(images))
        examples = cls(images, indices, texts)
        return examples if class_names is None else examples.with_class_names(class_names)

    def with_class_names(self, names: Sequence[str]) -> "DataSet":
        """The same examples with the classes in the order of some names.

        Where the data name their classes, labels follow the names; otherwise the names are given to the class indices.

        Raises:
            InvalidInputError: names that repeat, are fewer than the labels need, or lack one of the data's own.
        """
        if len(set(names)) != len(names):
            raise validate.invalid("class_names", "different names", ", ".join(names))
        least = 0 if self.labels is None else int(self.labels.max(initial=-1)) + 1
        if self.class_names is None and len(names) < least:
            raise validate.invalid(
                "class_names", f"names of {least:,} classes at least, by the labels", f"{len(names):,} names"
            )
        if self.class_names is None or self.labels is None:
            return replace(self, class_names=tuple(names))
        missing = [name for name in self.class_names if name not in names]
        if len(missing) == len(self.class_names) <= len(names):  # all are new names
            return replace(self, class_names=tuple(names))
        if missing:
            expected = f"names for all of {', '.join(self.class_names)}, which the data have"
            raise validate.invalid("class_names", expected, ", ".join(names))
        places = np.array([list(names).index(name) for name in self.class_names])
        return replace(self, labels=places[self.labels], class_names=tuple(names))

    def checked(self) -> "DataSet":
        """The same examples, their arrays checked and brought into the form of this class.

        Raises:
            InvalidInputError: as `of_arrays`.
        """
        checked = self if self.images is None or isinstance(self.images, Pictures) else self.with_images(self.images)
        if self.labels is None:
            return checked
        return replace(checked, labels=as_class_indices("labels", self.labels, len(checked))[0])

    def with_images(self, images: Any) -> "DataSet":
        """The same examples with an array of images, which is checked.

        Raises:
            InvalidInputError: as `of_arrays`.
        """
        return replace(self, images=_images("images", images))

    def with_labels(self, labels: Any) -> "DataSet":
        """The same examples with labels, as `as_class_indices` takes them; texts name the classes.

        Raises:
            InvalidInputError: other labels.
        """
        indices, names = as_class_indices("labels", labels, len(self) or len(labels))
        return replace(self, labels=indices, class_names=names)

    def with_labels_of(self, others: "DataSet") -> "DataSet":
        """The same examples with the labels, class names and columns of others, matched by ids where both have them.

        Raises:
            InvalidInputError: the others are not as many, or have other ids.
        """
        if self.ids and others.ids:
            others = others.in_order_of(self.ids)
        if len(self) not in (0, len(others)):
            raise validate.invalid("labels", f"{len(self):,} labels, one an example", f"{len(others):,}")
        return replace(
            self,
            labels=others.labels,
            class_names=others.class_names,
            ids=self.ids or others.ids,
            columns=others.columns,
        )

    def with_columns(self, columns: "pd.DataFrame") -> "DataSet":
        """The same examples with the user's own columns, a row an example.

        Raises:
            InvalidInputError: another number of rows.
        """
        if len(self) not in (0, len(columns)):
            raise validate.invalid("columns", f"{len(self):,} rows, one an example", f"{len(columns):,} rows")
        return replace(self, columns=columns.reset_index(drop=True))

    def with_ids(self, ids: Any) -> "DataSet":
        """The same examples under names of their own.

        Raises:
            InvalidInputError: not one for each, or not all different.
        """
        texts = tuple(str(each) for each in np.asarray(ids).tolist())
        if len(self) not in (0, len(texts)) or len(set(texts)) != len(texts):
            raise validate.invalid(
                "ids",
                f"{len(self):,} different texts, one an example",
                f"{len(texts):,}, {len(set(texts)):,} of them different",
            )
        return replace(self, ids=texts)

    def in_order_of(self, ids: Sequence[str]) -> "DataSet":
        """The same examples in another order, that of their ids, or of their numbers where they have none.

        Raises:
            InvalidInputError: the ids are not those of the examples.
        """
        if not len(self):
            return self.with_ids(ids)
        place = {name: number for number, name in enumerate(self.ids or map(str, range(len(self))))}
        missing = [name for name in ids if name not in place]
        if missing or len(ids) != len(place):
            found = f"{len(ids):,} ids" + (f", of which {missing[0]} names none" if missing else "")
            own = "those" if self.ids else "numbers, since the examples have no ids,"
            raise validate.invalid("ids", f"{own} of the {len(place):,} examples", found)
        return replace(self.only(np.array([place[name] for name in ids])), ids=tuple(ids))

    def only(self, places: np.ndarray) -> "DataSet":
        """Some of the examples, by an array of their places."""
        if isinstance(self.images, Pictures):
            images: np.ndarray | Pictures | None = self.images.only(places)
        else:
            images = None if self.images is None else self.images[places]
        return replace(
            self,
            images=images,
            labels=None if self.labels is None else self.labels[places],
            ids=None if self.ids is None else tuple(self.ids[place] for place in places),
            columns=None if self.columns is None else self.columns.iloc[places].reset_index(drop=True),
        )


def as_model_input(images: np.ndarray) -> np.ndarray:
    """Images as a model trained on 0..1 takes them: uint8 divided by 255, float32 as it is.

    Args:
        images: (N, …) uint8 or floating point.

    Returns:
        (N, …) float32.
    """
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    return images.astype(np.float32, copy=False)


def check_image_shape(name: str, images: np.ndarray) -> None:
    """Check that an array has the shape of images, (N, height, width) or with channels.

    Raises:
        InvalidInputError: it has another.
    """
    advice = "Reshape rows of pixels to the images that they are." if images.ndim == 2 else ""
    validate.shape(name, images, IMAGES, (*IMAGES, "channels"), advice=advice)


def _images(name: str, given: Any) -> np.ndarray:
    images = validate.array(name, given)
    check_image_shape(name, images)
    if images.ndim == 3:
        images = images[..., None]
    elif images.shape[-1] not in CHANNELS and images.shape[1] in CHANNELS:
        images = np.moveaxis(images, 1, -1)
    return _bytes_or_float32(name, images)


def _bytes_or_float32(name: str, images: np.ndarray) -> np.ndarray:
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind in "iu":
        if images.min() < 0 or images.max() > 255:
            raise validate.invalid(
                name, "whole numbers of 0 to 255, or floating point", f"{images.min()} to {images.max()}"
            )
        return images.astype(np.uint8)
    validate.dtype(name, images, np.uint8, np.floating, advice="Save bytes of 0 to 255 as uint8.")
    return validate.finite(name, images.astype(np.float32, copy=False))
