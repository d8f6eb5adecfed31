"""Arrays by their names as the bytes of one `.npz` file, and back; nothing that could run code is read."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from mcviz.tasks.summary import Summary

KINDS = ("totals", "columns")  # of what `encode_sums` keeps


def packed(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The compressed file of some arrays."""
    file, members = io.BytesIO(), dict[str, Any](arrays)
    np.savez_compressed(file, **members)
    return file.getvalue()


def unpacked(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file.

    Raises:
        ValueError: it is no such file, or damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return dict(archive)
    except (ValueError, OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"it holds no arrays ({error})") from error


def encode_sums(summary: Summary) -> bytes:
    """A file of the totals and the columns of some examples."""
    return packed({f"{kind}/{name}": each for kind in KINDS for name, each in getattr(summary, kind).items()})


def decode_sums(content: bytes) -> Summary:
    """What `encode_sums` wrote; the summary has no arrays.

    Raises:
        ValueError: it is no such file.
    """
    arrays = unpacked(content)
    found = {
        kind: {name.removeprefix(f"{kind}/"): each for name, each in arrays.items() if name.startswith(f"{kind}/")}
        for kind in KINDS
    }
    return Summary(arrays={}, **found)
