"""A file of compressed frames, each with its own checksum: the one kind of file that a run keeps its numbers in.

    magic  8 bytes | frames  uint32 | length uint32, CRC-32 uint32 of every frame | CRC-32 uint32 of all that | frames

The header's checksum also covers a key, the name of what the file is part of, so that a whole file of another run, or
of another place in the same run, is not taken for this one.
"""

import zlib
from dataclasses import dataclass

import numpy as np
import zstandard

from mcviz.errors import CorruptRunError
from mcviz.runs.damage import damaged
from mcviz.runs.place import Place

MAGIC = b"mcvizF1\n"
LEVEL = 9  # of zstd; higher ones save little and take several times as long
MAX_FRAME_BYTES = 1 << 28  # checked before memory is taken


def pack(key: str, frames: list[bytes]) -> bytes:
    """Compress frames into the bytes of one file."""
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_content_size=True)
    packed = [compressor.compress(frame) for frame in frames]
    table = np.array([(len(frame), zlib.crc32(frame)) for frame in packed], dtype="<u4").reshape(-1, 2)
    header = MAGIC + np.uint32(len(packed)).astype("<u4").tobytes() + table.tobytes()
    return b"".join([header, _seal(key, header), *packed])


@dataclass(frozen=True)
class FrameFile:
    """The header of such a file, and the way to its frames."""

    place: Place
    name: str
    starts: np.ndarray
    lengths: np.ndarray
    checksums: np.ndarray

    @classmethod
    def open(cls, place: Place, name: str, key: str, count: int) -> "FrameFile":
        """Read the header of a file that should hold `count` frames.

        Raises:
            FileNotFoundError: there is no such file.
            CorruptRunError: the header is not the one that was written.
        """
        size = len(MAGIC) + 4 + 8 * count + 4
        header = place.read(name, 0, size)
        body, seal = header[:-4], header[-4:]
        if len(header) != size or not body.startswith(MAGIC) or seal != _seal(key, body):
            raise damaged(
                place.address(name),
                "is damaged, cut short or of another run: its header does not match its checksum",
            )
        table = np.frombuffer(body, dtype="<u4", offset=len(MAGIC) + 4).reshape(count, 2).astype(np.int64)
        lengths = table[:, 0]
        return cls(place, name, size + np.cumsum(lengths) - lengths, lengths, table[:, 1])

    def read(self, index: int, expected_bytes: int) -> bytes:
        """One frame, uncompressed.

        Raises:
            FileNotFoundError: the file is gone.
            CorruptRunError: the frame is not the one that was written, or has not `expected_bytes`.
        """
        length = int(self.lengths[index])
        if max(length, expected_bytes) > MAX_FRAME_BYTES:
            raise self._corrupt(f"frame {index} claims {max(length, expected_bytes)} bytes, more than any run has")
        packed = self.place.read(self.name, int(self.starts[index]), length)
        if len(packed) != length or zlib.crc32(packed) != self.checksums[index]:
            raise self._corrupt(f"frame {index} does not match its checksum")
        try:
            if zstandard.frame_content_size(packed) == expected_bytes:
                return zstandard.ZstdDecompressor().decompress(packed)
        except zstandard.ZstdError as error:
            raise self._corrupt(f"frame {index} cannot be uncompressed ({error})") from error
        raise self._corrupt(f"frame {index} does not hold the {expected_bytes} bytes that the manifest asks for")

    def _corrupt(self, what: str) -> CorruptRunError:
        return damaged(self.place.address(self.name), f"is damaged: {what}")


def _seal(key: str, header: bytes) -> bytes:
    return np.uint32(zlib.crc32(header, zlib.crc32(key.encode()))).astype("<u4").tobytes()
