"""Images: arrays, pictures in files, and pictures inside tables."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz import validate
from mcviz.data.content import ImageContent
from mcviz.data.in_place import LazyRows, NpyRows, Places, locate_npy
from mcviz.data.tables import (
    PICTURE_COLUMNS,
    TEXT_COLUMNS,
    find_usual_column,
    holds_texts,
    is_numeric,
    require_complete,
)
from mcviz.kinds.base import Files, Kind, OODRecipe, Progress, drop_broken, join_halves
from mcviz.kinds.image_distortions import NOISES, Noise, invert, mix, rotate, shuffle_pixels

if TYPE_CHECKING:
    import pandas as pd

    from mcviz.data.data_set import DataSet
    from mcviz.data.tables import ColumnNames

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
IMAGES = ("N", "height", "width")
CHANNELS = (1, 3, 4)
MOST_NUMBERS = 4096  # of an image for a detector without a network
LARGEST = 96  # pixels a side, of an image kept beside a run


def _noise_like(noise: Noise) -> OODRecipe:
    return OODRecipe(noise.label, lambda images, _, seed: noise.draw(len(images), images.shape[1:], seed, 1.0))


OOD_SETS = {
    **{name: _noise_like(noise) for name, noise in NOISES.items()},
    "turned": OODRecipe("Turned by 90°", lambda images, *_: rotate(images, 90)),
    "inverted": OODRecipe("Inverted", lambda images, *_: invert(images)),
    "mixed": OODRecipe("Mixed pairs", lambda images, others, _: mix(images, others)),
    "shuffled": OODRecipe("Shuffled pixels", lambda images, _, seed: shuffle_pixels(images, seed=seed)),
    "stacked": OODRecipe("Stacked halves", lambda images, others, _: join_halves(images, others)),
}


class Image(Kind):
    """Images, (N, height, width, channels), uint8 or float32, perhaps on disk."""

    name = "image"
    plural = "images"
    column = "picture"
    content = ImageContent
    arrays = "(N, height, width), (N, height, width, channels)"
    suffixes = PICTURE_SUFFIXES
    files = "pictures"
    ood_sets = OOD_SETS
    alone = "Pixels alone"
    similarity_basis = "pixels"

    def check(self, examples: "DataSet") -> "DataSet":
        from mcviz.data.pictures import Pictures

        if isinstance(examples.images, Pictures | LazyRows):
            return examples
        return self.read_array(examples, "images", validate.array("images", examples.images))

    def takes(self, array: np.ndarray) -> bool:
        return array.ndim in (3, 4)

    def check_form(self, name: str, array: np.ndarray) -> None:
        advice = "Reshape rows of pixels to the images that they are." if array.ndim == 2 else ""
        validate.shape(name, array, IMAGES, (*IMAGES, "channels"), advice=advice)

    def read_array(self, examples: "DataSet", name: str, array: np.ndarray) -> "DataSet":
        self.check_form(name, array)
        if (rows := locate_npy(array)) is None:
            return examples.with_content(ImageContent(as_images(name, array)))
        read = partial(_read_rows, name, rows)
        at_once = max(1, validate.VALUES_AT_ONCE // array[0].size)
        for start in range(0, len(array), at_once):
            block = read(range(start, min(start + at_once, len(array))))
        return examples.with_content(ImageContent(LazyRows(read, range(len(array)), block.shape[1:], block.dtype)))

    def compute_vectors(self, contents: np.ndarray, others: np.ndarray) -> np.ndarray:
        averaged = contents
        while averaged[0].size > MOST_NUMBERS and max(averaged.shape[1:3]) > 1:
            axis = 1 + int(averaged.shape[2] > averaged.shape[1])
            edges = np.arange(0, averaged.shape[axis], 2)
            widths = np.diff(np.r_[edges, averaged.shape[axis]]).astype(np.float32)
            averaged = np.add.reduceat(averaged, edges, axis=axis) / np.expand_dims(
                widths, (1, 2) if axis == 1 else (0, 2)
            )
        return averaged.reshape(len(averaged), -1)

    def compute_components(self, content: Any, progress: Progress | None) -> np.ndarray:
        """Return the principal components of the pixels."""
        from mcviz.measures.similarity import (
            principal_components,  # here, because scikit-learn takes most of a second to import
        )

        return principal_components(content, progress=progress)

    def shrink(self, contents: np.ndarray) -> np.ndarray:
        step = -(-max(contents.shape[1:3]) // LARGEST)
        return np.round(np.clip(contents[:, ::step, ::step], 0, 1) * 255).astype(np.uint8)

    def read_table(self, examples: "DataSet", names: "ColumnNames", files: Files) -> "DataSet | None":
        import pandas as pd

        own = examples.columns
        name = names.picture or find_usual_column(own, PICTURE_COLUMNS)
        left = name in files.encoded
        if own is None or name is None or not (names.picture or left or _may_be_pictures(own, name)):
            return None
        column, examples = own[name], replace(examples, columns=own.drop(columns=[name]))
        if left:
            return self._read_pictures(examples, _name_rows(len(column)), files.encoded[name], files)
        if isinstance(column.dtype, pd.ArrowDtype) and not holds_texts(column):
            return self._read_arrow(examples, column, files)
        cells = require_complete(column).tolist()
        if isinstance(cells[0], dict | bytes):
            encoded = [cell["bytes"] if isinstance(cell, dict) else cell for cell in cells]
            return self._read_pictures(examples, _name_rows(len(cells)), lambda row: encoded[row], files)
        return None if files.folder is None else self._read_paths(examples, [str(cell) for cell in cells], files)

    def read_files(self, examples: "DataSet", paths: Sequence[Path], files: Files) -> "DataSet":
        return self._read_paths(examples, [str(path.relative_to(files.folder or "")) for path in paths], files)

    def _read_arrow(self, examples: "DataSet", column: "pd.Series", files: Files) -> "DataSet":
        from mcviz.data.parquet import encoded_pictures, picture_paths, stack_rows

        cells = column.array.__arrow_array__()
        if files.folder is not None and (paths := picture_paths(cells)):
            return self._read_paths(examples, paths, files)
        encoded = encoded_pictures(cells)
        if encoded is None:
            return self.read_array(examples, "images", stack_rows(cells))
        return self._read_pictures(examples, _name_rows(len(column)), lambda row: encoded[row].as_py() or b"", files)

    def _read_paths(self, examples: "DataSet", names: Sequence[str], files: Files) -> "DataSet":
        from mcviz.data.pictures import FilePictures

        folder = (files.folder or Path()).absolute()  # readers may have another working directory
        return self._read_pictures(examples, names, FilePictures(folder, names), files)

    def _read_pictures(
        self, examples: "DataSet", names: Sequence[str], read: Callable[[int], bytes], files: Files
    ) -> "DataSet":
        from mcviz.data.pictures import check_pictures

        pictures, broken = check_pictures(names, read, progress=files.progress)
        return drop_broken(examples.with_content(ImageContent(pictures)), self.files, names, broken, files)


def _read_rows(name: str, rows: NpyRows, places: Places) -> np.ndarray:
    return as_images(name, rows(places))


def as_images(name: str, array: np.ndarray) -> np.ndarray:
    """Convert an array to (N, height, width, channels) uint8 or float32.

    Args:
        name: the array's name in errors.
        array: (N, height, width), or with channels last; or first, if the sizes show it.

    Raises:
        InvalidInputError: other numbers than 0 to 255 or finite floating point.
    """
    if array.ndim == 3:
        array = array[..., None]
    elif array.shape[-1] not in CHANNELS and array.shape[1] in CHANNELS:
        array = np.moveaxis(array, 1, -1)
    return _bytes_or_float32(name, array)


def _bytes_or_float32(name: str, images: np.ndarray) -> np.ndarray:
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind in "iu":
        if images.size and (images.min() < 0 or images.max() > 255):
            raise validate.invalid(
                name, "whole numbers of 0 to 255, or floating point", f"{images.min()} to {images.max()}"
            )
        return images.astype(np.uint8)
    validate.dtype(name, images, np.uint8, np.floating, advice="Save bytes of 0 to 255 as uint8.")
    return validate.finite(name, images.astype(np.float32, copy=False))


def _may_be_pictures(table: "pd.DataFrame", name: str) -> bool:
    """Whether a usually named column holds pictures, not numbers or text files."""
    column = table[name]
    if is_numeric(column):
        return False
    if find_usual_column(table, TEXT_COLUMNS) is None or not holds_texts(column):
        return True
    return any(str(cell).lower().endswith(PICTURE_SUFFIXES) for cell in column)


def _name_rows(count: int) -> list[str]:
    return [f"row {row}" for row in range(count)]
