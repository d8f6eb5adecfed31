"""IDX, the format in which MNIST and its like are published, gzipped or not."""

import gzip
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from mcviz.errors import InvalidInputError

GZIP = b"\x1f\x8b"
UINT8 = b"\x00\x00\x08"
SPLITS = ("t10k", "test", "train")


def is_idx(path: Path) -> bool:
    """Whether a file is IDX of bytes, by its content."""
    try:
        with _opened(path) as file:
            return file.read(3) == UINT8
    except (OSError, EOFError):
        return False


def read_idx(path: Path) -> np.ndarray:
    """Read one file.

    Returns:
        uint8 of the shape that its header names.

    Raises:
        InvalidInputError: it is not IDX of bytes, or shorter or longer than its header says.
    """
    try:
        with _opened(path) as file:
            if file.read(3) != UINT8:
                raise InvalidInputError(f"{path} is no IDX file of bytes.")
            axes = file.read(1)[0]
            shape = tuple(int.from_bytes(file.read(4), "big") for _ in range(axes))
            expected = math.prod(shape)
            values = _exactly(file, expected)
    except (OSError, EOFError, IndexError) as error:
        raise InvalidInputError(f"{path} cannot be read as IDX ({error}).") from error
    if len(values) != expected:
        raise InvalidInputError(f"{path} should hold {expected:,} bytes for its shape {shape}, and does not.")
    return np.frombuffer(values, np.uint8).reshape(shape)


def images_in(folder: Path) -> Path | None:
    """The file of images in a folder, that of the test split where there are several."""
    found = sorted(path for path in folder.iterdir() if "idx3" in path.name and path.is_file() and is_idx(path))
    found.sort(key=lambda path: next((place for place, split in enumerate(SPLITS) if split in path.name), len(SPLITS)))
    return found[0] if found else None


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        if not packed:
            yield file
            return
        with gzip.open(file) as unpacked:
            yield unpacked


def _exactly(file: IO[bytes] | gzip.GzipFile, expected: int) -> bytes:
    """So many bytes, or fewer or one more where the file has them: read part by part, so that a header may lie."""
    parts, left = [], expected + 1
    while left and (part := file.read(min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
