"""Folders of masks, as nnU-Net has them, or of label maps of each pass."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mcviz.data.data_set import DataSet
from mcviz.data.fitting import have_same_proportions
from mcviz.data.masks import SUFFIXES, MaskFiles, find_turn, inspect_mask
from mcviz.data.pictures import QUARTER_TURNS, Pictures, read_upright
from mcviz.errors import InvalidInputError
from mcviz.kinds import KINDS, Files
from mcviz.regular import open_regular
from mcviz.text import list_names

FOLDERS = (("images", "masks"), ("images", "labels"), ("imagesTs", "labelsTs"), ("imagesTr", "labelsTr"))
IGNORE_NAME = "ignore"  # of what counts nowhere, in nnU-Net
CHANNEL = "_0000"  # of nnU-Net, behind the stem of the first channel of an image
TRAINING = (
    "These are nnU-Net's training cases, which each model of a cross-validation but one has seen, so that Dice may be "
    "too good. Take imagesTs and labelsTs where they are there."
)
UPRIGHT = (
    "{} masks are turned with their images, as the camera noted, though they fit these unturned as well. If these are "
    "upright already, save the images upright, without the camera's note."
)
NAMES_ADVICE = "It should name the classes as nnU-Net does: labels, a whole number by each name."


def list_masks(folder: Path) -> dict[str, Path]:
    """Return possible masks of a folder by stem, sorted.

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
    """Find folders of images and masks, or None."""
    found = ((path / images, path / masks) for images, masks in FOLDERS)
    return next(((images, masks) for images, masks in found if images.is_dir() and masks.is_dir()), None)


def read_mask_folders(images: Path, masks: Path, files: Files) -> DataSet:
    """Read images and masks by name, also of nnU-Net with its `dataset.json`.

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
    paired, both_ways = _pair_masks([there[stem] for stem in taken], examples.images)
    examples = examples.with_masks(paired).with_ids(taken)
    notes = (
        *examples.notes,
        *([TRAINING] if images.name == "imagesTr" else []),
        *([UPRIGHT.format(f"{both_ways:,} of {len(taken):,}")] if both_ways else []),
    )
    if not of_nnunet:
        return replace(examples, notes=notes)
    names, ignored = _read_names(images.parent / "dataset.json")
    return replace(examples, class_names=names, ignored=ignored, notes=notes)


def _pair_masks(paths: list[Path], images: Any) -> tuple[MaskFiles, int]:
    """Pair masks with the images of the same places, and count those of a turned image that fit it both ways.

    Raises:
        InvalidInputError: a mask cannot be used, or has not the proportions of its image.
    """
    assert isinstance(images, Pictures)
    sizes, turns, both_ways = [], [], 0
    for place, path in enumerate(paths):
        image, mask = read_upright(images.read(place)), inspect_mask(path)
        turn = find_turn(image, mask)
        if turn is None:
            (height, width), (image_height, image_width) = mask.size, image.size
            raise InvalidInputError(
                f"The mask {path} should have the proportions of its image, which has {image_height:,} × "
                f"{image_width:,} pixels once it is upright. Received: {height:,} × {width:,}. Save the mask as the "
                "image is, or crop both alike (--crop crops them to the model's proportions)."
            )
        both_ways += turn != 1 and have_same_proportions(mask.size, image.size)
        turns.append(turn)
        sizes.append(mask.size[::-1] if turn in QUARTER_TURNS else mask.size)
    return MaskFiles(paths, sizes, turns), both_ways


def read_pass_folders(path: Path) -> Iterator[np.ndarray]:
    """Read a folder of label maps a pass, (N, H, W) uint8, with equal names.

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
    return (np.asarray(_upright_masks(list(there.values()))) for there in listed)


def name_pass_folders(path: Path) -> tuple[str, ...]:
    """The names of the images of `read_pass_folders`."""
    folders = sorted(folder for folder in path.iterdir() if folder.is_dir() and folder.name[0] != ".")
    return tuple(list_masks(folders[0])) if folders else ()


def _upright_masks(paths: list[Path]) -> MaskFiles:
    sizes = [inspect_mask(path).size for path in paths]
    return MaskFiles(paths, sizes, [1] * len(paths))


def _read_names(path: Path) -> tuple[tuple[str, ...] | None, int | None]:
    if not path.exists():
        return None, None
    try:
        with open_regular(path) as file:
            labels: Any = json.loads(file.read())["labels"]
        by_name = {str(name): number for name, number in labels.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidInputError(f"{path} cannot be read ({error}). {NAMES_ADVICE}") from error
    numbers: dict[str, int] = {}
    for name, given in by_name.items():
        number = _whole_number(given)
        if number is None:
            raise InvalidInputError(f"{path} has {given!r:.60} for {name:.60}. {NAMES_ADVICE}")
        numbers[name] = number
    ignored = numbers.pop(IGNORE_NAME, None)
    by_number = {number: name for name, number in numbers.items()}
    if sorted(numbers.values()) != list(range(len(numbers))):
        listed = list_names([f"{number} {name}" for name, number in numbers.items()])
        raise InvalidInputError(f"{path} should number all classes from 0. Received: {listed}.")
    return tuple(by_number[number] for number in range(len(by_number))), ignored


def _whole_number(number: Any) -> int | None:
    if isinstance(number, str) and number.isascii() and number.isdigit():
        return int(number)
    return number if type(number) is int and number >= 0 else None
