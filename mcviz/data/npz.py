"""Arrays from `.npz` files of unknown origin, whose memory is known before unpacking.

A few kilobytes can claim gigabytes. The header's shape and dtype must match the size in the archive.
"""

import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
from numpy.lib import format as npy

from mcviz.errors import DataNotFoundError, InvalidInputError
from mcviz.regular import open_regular
from mcviz.text import list_names

MOST_HEADER_BYTES = 10_000  # as numpy has it: a longer one could exhaust the parser
HEADER_LENGTHS = {(1, 0): ("<H", npy.read_array_header_1_0), (2, 0): ("<I", npy.read_array_header_2_0)}
PACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
MOST_UNPACKED = 1032  # bytes from one: no deflated member has more
# What zipfile and numpy raise over the broken archives of the world; anything else would be a fault of ours.
NPZ_ERRORS = (
    ValueError,
    OSError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,  # an encrypted member, an unknown way of packing, a header nested too deep
    TypeError,
    SyntaxError,
    LookupError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


class NpzArrays:
    """The arrays of one archive, by name."""

    def __init__(self, archive: zipfile.ZipFile, most_bytes: int) -> None:
        self._archive, self._most_bytes = archive, most_bytes
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name in self._members:
                raise InvalidInputError(f"it holds two arrays named {name:.60}. Save each under a name of its own.")
            self._members[name] = member

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def names(self) -> list[str]:
        """The names of all arrays."""
        return list(self._members)

    def __str__(self) -> str:
        """The names, or the first of many."""
        return list_names([f"{name:.60}" for name in self._members]) or "no arrays"

    def header_array(self, name: str) -> np.ndarray:
        """Return an empty array of the same shape and dtype without memory.

        Raises:
            InvalidInputError: it is no array of plain numbers, or has another size than its header says.
        """
        member = self._members[name]
        if member.flag_bits & 1:
            raise InvalidInputError(f"{name} is encrypted. Save it with numpy.savez, which does not encrypt.")
        if member.compress_type not in PACKED:
            raise InvalidInputError(f"{name} is packed in a way that numpy.savez does not use. Save it with that.")
        with self._archive.open(member) as file:
            shape, dtype, start = _read_header(name, file)
        if dtype.hasobject:
            raise InvalidInputError(f"{name} holds Python objects, not numbers. Save it without objects.")
        size = start + math.prod(shape) * dtype.itemsize
        if size != member.file_size:
            raise InvalidInputError(
                f"{name} should take {size:,} bytes by its header, and takes {member.file_size:,}. Save it again."
            )
        if size > self._most_bytes:
            raise InvalidInputError(
                f"{name} should take {size:,} bytes, which the file is too small for. Save it again."
            )
        return np.broadcast_to(np.zeros((), dtype), shape)

    def read(self, name: str) -> np.ndarray:
        """Read an array after checking its header.

        Raises:
            InvalidInputError: as `header_array`, or it cannot be unpacked.
        """
        self.header_array(name)
        with self._archive.open(self._members[name]) as file:
            return npy.read_array(file, allow_pickle=False)


@contextmanager
def open_npz(path: str | os.PathLike[str]) -> Iterator[NpzArrays]:
    """Open an archive; all errors name the file.

    Raises:
        DataNotFoundError: there is no such file.
        InvalidInputError: it cannot be used as an `.npz` of plain arrays.
    """
    try:
        file = open_regular(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataNotFoundError(f"There is no data file {path}. Give the path of an .npz file.") from error
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read ({error.strerror}). Give the path of an .npz file.") from error
    try:
        with file:
            if not zipfile.is_zipfile(file):
                raise InvalidInputError("it is not an .npz. Save arrays with numpy.savez(path, images=…, labels=…).")
            with zipfile.ZipFile(file) as archive:
                yield NpzArrays(archive, most_bytes=MOST_UNPACKED * os.fstat(file.fileno()).st_size)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path} cannot be used: {error}") from error
    except NPZ_ERRORS as error:
        raise InvalidInputError(
            f"{path} cannot be read as an .npz of plain arrays ({error!s:.200}). "
            "Save it with numpy.savez, without objects."
        ) from error


def _read_header(name: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype, int]:
    """Read shape, dtype and the offset of the numbers."""
    start = file.read(npy.MAGIC_LEN)
    version = tuple(start[-2:])
    if not start.startswith(npy.MAGIC_PREFIX) or version not in HEADER_LENGTHS:
        raise InvalidInputError(f"{name} is no array of numbers as numpy.save writes it. Save it with numpy.savez.")
    form, read_header = HEADER_LENGTHS[version]
    (length,) = struct.unpack(form, file.read(struct.calcsize(form)))
    if length > MOST_HEADER_BYTES:
        raise InvalidInputError(
            f"{name} has a header of {length:,} bytes, where at most {MOST_HEADER_BYTES:,} are taken."
        )
    file.seek(npy.MAGIC_LEN)
    shape, _, dtype = read_header(file)
    return shape, dtype, npy.MAGIC_LEN + struct.calcsize(form) + length
