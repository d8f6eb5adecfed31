"""Masks of a segmentation from pictures: label maps whose pixels are the numbers of classes."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mcviz.data.data_set import DataSet
from mcviz.errors import InvalidInputError
from mcviz.kinds import KINDS, Files
from mcviz.regular import open_regular
from mcviz.text import list_names

SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".gif")  # that keep the numbers as they were saved, as JPEG does not
MOST_PIXELS = 1 << 26  # of a mask
FOLDERS = (("images", "masks"), ("images", "labels"), ("imagesTs", "labelsTs"), ("imagesTr", "labelsTr"))
CHANNEL = "_0000"  # of nnU-Net, behind the stem of the first channel of an image
TRAINING = (
    "These are nnU-Net's training cases, which each model of a cross-validation but one has seen, so that Dice may be "
    "too good. Take imagesTs and labelsTs where they are there."
)
INDICES = "A mask has the number of a class in every pixel: save it as grey or with a palette."


def read_mask(path: Path) -> np.ndarray:
    """Read a picture as a label map, (H, W) uint8: grey levels, or the numbers of a palette.

    Raises:
        InvalidInputError: it is no picture, one of colours, or has other numbers than 0 to 255.
    """
    try:
        with open_regular(path) as file, Image.open(io.BytesIO(file.read())) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                received = f"{picture.width:,} × {picture.height:,} pixels, where {MOST_PIXELS:,} are taken"
                raise InvalidInputError(f"The mask {path} has {received}.")
            if picture.mode not in ("P", "L", "1") and not picture.mode.startswith("I"):
                raise InvalidInputError(f"The mask {path} is a picture of colours ({picture.mode}). {INDICES}")
            values = np.asarray(picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(f"The mask {path} cannot be read as a picture ({error!s:.100}).") from error
    if values.min() < 0 or values.max() > 255:
        raise InvalidInputError(
            f"The mask {path} has numbers up to {values.max()}, and at most 255 is taken. {INDICES}"
        )
    return values.astype(np.uint8)


def read_masks(paths: Sequence[Path]) -> np.ndarray:
    """Read pictures as label maps of one size, (N, H, W) uint8.

    Raises:
        InvalidInputError: as `read_mask`, or they differ in size.
    """
    first = read_mask(paths[0])
    masks = np.empty((len(paths), *first.shape), np.uint8)
    for place, path in enumerate(paths):
        mask = read_mask(path)
        if mask.shape != first.shape:
            raise InvalidInputError(
                f"Masks should be of one size. Received: {first.shape} in {paths[0]}, and {mask.shape} in {path}."
            )
        masks[place] = mask
    return masks


def list_masks(folder: Path) -> dict[str, Path]:
    """The pictures of a folder that may be masks, by their names without the ending, in the order of these.

    Raises:
        InvalidInputError: two have one name.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    named = {path.stem: path for path in paths}
    if len(named) < len(paths):
        twice = next(path for path in paths if named[path.stem] != path)
        raise InvalidInputError(f"{twice} and {named[twice.stem].name} have one name. Keep one of them.")
    return named


def find_mask_folders(path: Path) -> tuple[Path, Path] | None:
    """The folders of images and of their masks within a folder, or None where there are none."""
    found = ((path / images, path / masks) for images, masks in FOLDERS)
    return next(((images, masks) for images, masks in found if images.is_dir() and masks.is_dir()), None)


def read_mask_folders(images: Path, masks: Path, files: Files) -> DataSet:
    """Read images with the masks of the same names, also as nnU-Net has them, with the names of its `dataset.json`.

    Raises:
        InvalidInputError: an image without a mask, or a mask that cannot be used; or images of several channels in
            several files.
    """
    kind = KINDS["image"]
    pictures = [
        path for path in sorted(images.iterdir()) if path.suffix.lower() in kind.suffixes and path.name[0] != "."
    ]
    if not pictures:
        raise InvalidInputError(f"{images} holds no pictures.")
    of_nnunet = images.name.startswith("images") and images.name != "images"
    if of_nnunet and (other := next((path for path in pictures if not path.stem.endswith(CHANNEL)), None)):
        raise InvalidInputError(
            f"Images of nnU-Net are taken as one picture each, of the name CASE{CHANNEL}. Received: {other}."
        )
    stems = [path.stem.removesuffix(CHANNEL) if of_nnunet else path.stem for path in pictures]
    there = list_masks(masks)
    missing = [stem for stem in stems if stem not in there]
    if missing:
        raise InvalidInputError(
            f"{masks} has no mask for {len(missing):,} of {len(stems):,} images, such as {missing[0]}. Put a picture "
            f"of the same name there ({', '.join(SUFFIXES)}), or take the image away."
        )
    examples = kind.read_files(DataSet(None), pictures, files)
    kept = dict(zip(map(str, (path.relative_to(files.folder or "") for path in pictures)), stems, strict=True))
    taken = stems if examples.ids is None else [kept[name] for name in examples.ids if name in kept]
    examples = examples.with_masks(read_masks([there[stem] for stem in taken])).with_ids(taken)
    notes = (*examples.notes, *([TRAINING] if images.name == "imagesTr" else []))
    return replace(
        examples, class_names=_read_names(images.parent / "dataset.json") if of_nnunet else None, notes=notes
    )


def read_pass_folders(path: Path) -> Iterator[np.ndarray]:
    """Read a folder of label maps a pass, (N, H, W) uint8 each; in every one the same names.

    Raises:
        InvalidInputError: there are none, or a mask is missing or cannot be used.
    """
    folders = sorted(folder for folder in path.iterdir() if folder.is_dir() and folder.name[0] != ".")
    listed = [list_masks(folder) for folder in folders]
    if not listed or not listed[0]:
        raise InvalidInputError(f"{path} holds no folders of label maps ({', '.join(SUFFIXES)}), one a pass.")
    for folder, there in zip(folders, listed, strict=True):
        if differing := listed[0].keys() ^ there.keys():
            name = min(differing)
            which = folders[0] if name in there else folder
            raise InvalidInputError(
                f"Every pass should have the same label maps. Received: none for {name} in {which}."
            )
    return (read_masks(list(there.values())) for there in listed)


def name_pass_folders(path: Path) -> tuple[str, ...]:
    """The names of the images of `read_pass_folders`."""
    folders = sorted(folder for folder in path.iterdir() if folder.is_dir() and folder.name[0] != ".")
    return tuple(list_masks(folders[0])) if folders else ()


def _read_names(path: Path) -> tuple[str, ...] | None:
    """The names of the classes in nnU-Net's `dataset.json`, in their order; None without such a file."""
    if not path.exists():
        return None
    try:
        with open_regular(path) as file:
            labels: Any = json.loads(file.read())["labels"]
        by_number = {int(number): str(name) for name, number in labels.items() if name != "ignore"}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidInputError(
            f"{path} should name the classes, as nnU-Net does it: labels, a number by each name. It does not ({error})."
        ) from error
    if sorted(by_number) != list(range(len(by_number))):
        raise InvalidInputError(
            f"{path} should name all classes from 0. Received: {list_names([str(number) for number in by_number])}."
        )
    return tuple(by_number[number] for number in range(len(by_number)))
