"""Files that pose as an `.npz` of images, each made by a function of the path where it is to be; and honest twins."""

import io
import os
import socket
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

Maker = Callable[[Path], object]

IMAGES = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
LABELS = np.array([0, 2, 1])
BOMB = 64 << 20  # bytes that a bomb unpacks to, from a thousandth of that
LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"  # the two records of a member, and where a field is in each
FLAGS, METHOD, CRC, PACKED, SIZE = (6, 8), (8, 10), (14, 16), (18, 20), (22, 24)


def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    """As numpy.save writes it."""
    written = io.BytesIO()
    np.lib.format.write_array(written, array, version)
    return written.getvalue()


def claimed(header: bytes | str, content: bytes = b"", version: int = 1) -> bytes:
    """An array whose header says what it likes."""
    header = header.encode() if isinstance(header, str) else header
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + content


def form(shape: object, dtype: str = "|u1") -> str:
    """A header that says shape and dtype."""
    return f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}\n"


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of members, names in any number."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return written.getvalue()


def changed(archive: bytes, field: tuple[int, int], value: bytes) -> bytes:
    """The archive with a field of its first member set, in both of its records."""
    for mark, at in zip((LOCAL, CENTRAL), field, strict=True):
        start = archive.index(mark) + at
        archive = archive[:start] + value + archive[start + len(value) :]
    return archive


def one(content: bytes, name: str = "images.npy", method: int = zipfile.ZIP_DEFLATED) -> Maker:
    """An archive of one member."""
    return lambda path: path.write_bytes(zipped((name, content), method=method))


def whole(archive: Callable[[], bytes]) -> Maker:
    """A file of just these bytes."""
    return lambda path: path.write_bytes(archive())


def bomb(header: str, method: int = zipfile.ZIP_DEFLATED) -> Maker:
    """An array of nothing but zeros, whose header is true to its size or not."""
    return lambda path: one(claimed(header, bytes(BOMB)), method=method)(path)


def with_images(name: str, content: Callable[[], bytes]) -> Maker:
    """Honest images, and another member."""
    return lambda path: path.write_bytes(zipped(("images.npy", npy(IMAGES)), (name, content())))


def _one_name_twice() -> bytes:
    return zipped(("images.npy", npy(IMAGES)), ("second.npy", npy(IMAGES[::-1]))).replace(b"second.npy", b"images.npy")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(path.parent)  # the path of a socket may have a hundred bytes
        try:
            listener.bind(path.name)
        finally:
            os.chdir(here)


STORED = partial(zipped, ("images.npy", npy(IMAGES)), method=zipfile.ZIP_STORED)
DEFLATED = partial(zipped, ("images.npy", npy(np.zeros((9, 28, 28), np.uint8))))
LENGTH = len(npy(IMAGES))

HOSTILE: dict[str, Maker] = {
    "empty": whole(lambda: b""),
    "no archive": whole(lambda: b"images\n" * 1000),
    "an empty archive": whole(zipped),
    "text for an array": one(b"images"),
    "an empty member": one(b""),
    "nothing but the magic word": one(b"\x93NUMPY"),
    "half a header": one(npy(IMAGES)[:40]),
    "an unknown version": one(b"\x93NUMPY\x09\x09" + npy(IMAGES)[8:]),
    "names of fields in a header": one(npy(np.zeros((3, 4, 4), [("ä", "u1")]), (3, 0))),
    "fields": one(npy(np.zeros((3, 4, 4), [("a", "u1"), ("b", "f4")]))),
    "Python objects": one(npy(np.array([{"a": 1}], object))),
    "objects for labels": with_images("labels.npy", lambda: npy(np.array([0, 1, None]))),
    "texts": one(npy(np.full((3, 4, 4), "a"))),
    "dates": one(npy(np.zeros((3, 4, 4), "M8[s]"))),
    "complex numbers": one(npy(np.zeros((3, 4, 4), complex))),
    "no images": one(npy(IMAGES[:0])),
    "NaN": one(npy(np.full((3, 4, 4), np.nan))),
    "labels that are too few": with_images("labels.npy", lambda: npy(LABELS[:2])),
    "a header that is no Python": one(claimed("{'descr': (\n", bytes(48))),
    "a header that cannot be decoded": one(claimed(b"\xff\xfe\x00" * 30, bytes(48), version=2)),
    "a header that is a number": one(claimed("1\n", bytes(48))),
    "a header that lacks the shape": one(claimed("{'descr': '|u1', 'fortran_order': False}\n", bytes(48))),
    "a header that calls a function": one(claimed(form("__import__('os').getcwd()"), bytes(48))),
    "a header that is nested deep": one(claimed("(" * 9000, bytes(48))),
    "a header of signs": one(claimed("-" * 9000 + "1", bytes(48))),
    "an unknown dtype": one(claimed(form((3, 4, 4), "sesame"), bytes(48))),
    "a dtype of two gigabytes": one(claimed(form((3, 4, 4), "|V2147483647"), bytes(48))),
    "a dtype that is a list": one(claimed(form((3, 4, 4)).replace("'|u1'", "[('a',)]"), bytes(48))),
    "a negative shape": one(claimed(form((-3, -4, 4)), bytes(48))),
    "a shape of fractions": one(claimed(form((3.0, 4, 4)), bytes(48))),
    "a hundred axes": one(claimed(form((1,) * 100), bytes(1))),
    "a shape beyond 64 bits": one(claimed(form((2**70, 28, 28)), bytes(48))),
    "a shape of more than is there": one(claimed(form((10**15, 28, 28)), bytes(48))),
    "a shape of less than is there": one(claimed(form((2, 4, 4)), bytes(48))),
    "a size of more than is there": whole(
        lambda: changed(zipped(("images.npy", claimed(form((10**6, 28, 28)), bytes(48)))), SIZE, _size((10**6, 28, 28)))
    ),
    "a size of less than is there": whole(lambda: changed(STORED(), SIZE, struct.pack("<I", LENGTH - 16))),
    "two sizes": whole(lambda: changed(DEFLATED(), PACKED, struct.pack("<I", 30))),
    "a wrong checksum": whole(lambda: changed(STORED(), CRC, b"\1\2\3\4")),
    "cut short": whole(lambda: STORED()[:-30]),
    "without its beginning": whole(lambda: STORED()[41:]),
    "damaged": whole(lambda: DEFLATED().replace(DEFLATED()[45:80], bytes(35))),
    "encrypted": whole(lambda: changed(STORED(), FLAGS, b"\1\0")),
    "an unknown way of packing": whole(lambda: changed(STORED(), METHOD, b"\x63\0")),
    "packed by bzip2": one(npy(IMAGES), method=zipfile.ZIP_BZIP2),
    "packed by LZMA": one(npy(IMAGES), method=zipfile.ZIP_LZMA),
    "one name twice": whole(_one_name_twice),
    "one name with and without its ending": whole(
        lambda: zipped(("images.npy", npy(IMAGES)), ("images", npy(IMAGES[::-1])))
    ),
    "a path": one(npy(IMAGES), "../images.npy"),
    "a folder": one(b"", "images.npy/"),
    "control characters in a name": one(npy(IMAGES), "\x1b[2Jimages\r\nmcviz: all is well.npy"),
    "a name of 60,000 characters": one(npy(IMAGES), "images" * 10_000),
    "ten thousand names": whole(lambda: zipped(*((f"array {i}.npy", b"") for i in range(10_000)))),
    "a bomb of rows": bomb(form((BOMB // 784, 784))),
    "a bomb behind a small header": bomb(form((3, 4, 4))),
    "a bomb of labels": with_images("labels.npy", lambda: claimed(form((BOMB,)), bytes(BOMB))),
    "a bomb for a header": whole(lambda: zipped(("images.npy", claimed(b" " * BOMB, version=2)))),
    "a bomb of text": whole(lambda: zipped(("images.npy", bytes(BOMB)))),
    "a bomb of bzip2": bomb(form((BOMB, 1, 1)), zipfile.ZIP_BZIP2),
    "a missing file": lambda _: None,
    "a folder for a file": Path.mkdir,
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a named pipe": lambda path: os.mkfifo(path),
    "a socket": _socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a file within a file": lambda path: path.symlink_to("/dev/null/images.npz"),
}


def _size(shape: tuple[int, ...]) -> bytes:
    return struct.pack("<I", len(claimed(form(shape))) + int(np.prod(shape)))


def _linked(path: Path) -> None:
    np.savez(path.with_name("original.npz"), images=IMAGES, labels=LABELS)
    path.symlink_to("original.npz")


HONEST: dict[str, Maker] = {
    "np.savez": lambda path: np.savez(path, images=IMAGES, labels=LABELS),
    "np.savez_compressed": lambda path: np.savez_compressed(path, images=IMAGES, labels=LABELS),
    "Fortran's order": lambda path: np.savez(path, images=np.asfortranarray(IMAGES), labels=LABELS),
    "big endian": lambda path: np.savez(path, images=IMAGES.astype(">f4"), labels=LABELS.astype(">i2")),
    "half precision": lambda path: np.savez(path, images=IMAGES.astype(np.float16), labels=LABELS),
    "double precision": lambda path: np.savez(path, images=IMAGES.astype(float), labels=LABELS.astype(np.uint64)),
    "whole numbers of 64 bits": lambda path: np.savez(path, images=IMAGES.astype(np.int64), labels=LABELS),
    "a header of version 2": whole(lambda: zipped(("images.npy", npy(IMAGES, (2, 0))), ("labels.npy", npy(LABELS)))),
    "without zip64": whole(lambda: zipped(("images.npy", npy(IMAGES)), ("labels.npy", npy(LABELS)))),
    "names without an ending": whole(lambda: zipped(("images", npy(IMAGES)), ("labels", npy(LABELS)))),
    "as MNIST is packed": lambda path: np.savez(path, x_test=IMAGES, y_test=LABELS),
    "other members beside": lambda path: np.savez(path, images=IMAGES, labels=LABELS, other=np.array([{}], object)),
    "a link": _linked,
}
