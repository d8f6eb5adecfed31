"""Arrays by their names as the bytes of one `.npz` file, and back; nothing that could run code is read."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np


def encode_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The compressed file of some arrays."""
    file, members = io.BytesIO(), dict[str, Any](arrays)
    np.savez_compressed(file, **members)
    return file.getvalue()


def decode_npz(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file.

    Raises:
        ValueError: it is no such file, or damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return dict(archive)
    except (ValueError, OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"it holds no arrays ({error})") from error
