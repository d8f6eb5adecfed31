"""Images with their labels from `.npz` files."""

from pathlib import Path

from mcviz import validate
from mcviz.data.data_set import DataSet, check_image_shape
from mcviz.data.labels import NAMES
from mcviz.data.npz import Arrays, opened_npz
from mcviz.errors import InvalidInputError


def read_npz(path: Path) -> DataSet:
    """Read images, with labels, class names (`class_names`) and ids (`ids`) where there are some.

    Raises:
        DataNotFoundError: there is no such file.
        InvalidInputError: it is no `.npz`, or holds no images under one of the names in use.
    """
    with opened_npz(path) as arrays:
        for names in NAMES:
            if names[0] in arrays:
                return _named(read_pair(arrays, *names), arrays)
        others = ", ".join(image for image, _ in NAMES[1:])
        raise InvalidInputError(
            f"it holds no images: expected an array named images (with labels, if known), or {others}, "
            f"found {arrays}. Save it with numpy.savez(path, images=…, labels=…)."
        )


def read_pair(arrays: Arrays, images: str, labels: str) -> DataSet:
    """Read two arrays by their names; shapes are looked at before anything is unpacked.

    Raises:
        InvalidInputError: they are not images and labels.
    """
    form = arrays.form(images)
    check_image_shape(images, form)
    if labels in arrays and len(arrays.form(labels)) != len(form):
        found = f"shape {arrays.form(labels).shape}"
        raise validate.invalid(labels, f"{len(form)} class indices, one an example", found)
    known = arrays.read(labels) if labels in arrays else None
    return DataSet.of_arrays(arrays.read(images), known, names=(images, labels))


def _named(examples: DataSet, arrays: Arrays) -> DataSet:
    for name, put in (("class_names", DataSet.with_class_names), ("ids", DataSet.with_ids)):
        if name in arrays:
            form = arrays.form(name)
            if form.ndim != 1 or form.dtype.kind not in "US":
                raise validate.invalid(name, "texts, in one axis", f"{form.dtype}, shape {form.shape}")
            examples = put(examples, [str(text) for text in arrays.read(name).astype(str)])
    return examples
