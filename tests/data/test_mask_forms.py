"""The same masks in every form of file, size, turn and crop give the same Dice; what cannot be told is refused."""

import itertools
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mcviz.data import read_data
from mcviz.data.masks import read_mask
from mcviz.errors import InvalidInputError
from tests.cases import only
from tests.factories import encode_picture, write_file

SIZE = 6, 4  # of the truth, and of the model's images
ORIENTATION = 274
GREY_TIFF = 1  # its 0 is black
STORED_AS: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # an upright array, as a camera stores it with this note
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: upright.swapaxes(0, 1),
    6: np.rot90,
    7: lambda upright: np.rot90(upright, 2).swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


def draw_truth(seed: int, classes: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    truth = np.random.default_rng(seed).integers(0, classes, size).astype(np.uint8)
    truth[0, :classes] = np.arange(classes)
    return truth


def pack_bits(values: np.ndarray, bits: int) -> bytes:
    """Rows of numbers of a few bits, each row in whole bytes."""
    rows = np.unpackbits(values[..., None], axis=-1)[..., -bits:].reshape(len(values), -1)
    return b"".join(np.packbits(row).tobytes() for row in rows)


def encode_grey_png(values: np.ndarray, bits: int) -> bytes:
    """A grey PNG of any depth, written by its specification, since Pillow writes 1, 8 and 16 bits."""
    height, width = values.shape
    row_bytes = -(-width * bits // 8)
    packed = pack_bits(values, bits)
    lines = b"".join(b"\0" + packed[row * row_bytes :][:row_bytes] for row in range(height))
    chunks = (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)), (b"IDAT", zlib.compress(lines))
    encoded = b"\x89PNG\r\n\x1a\n"
    for name, content in (*chunks, (b"IEND", b"")):
        encoded += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return encoded


def encode_grey_tiff(values: np.ndarray, bits: int, zero: int = GREY_TIFF, order: str = "<") -> bytes:
    """An uncompressed grey TIFF of any depth, written by its specification."""
    height, width = values.shape
    packed, entries = pack_bits(values, bits), 10
    start = 8 + 2 + 12 * entries + 4
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: zero, 273: start, 277: 1, 278: height, 279: len(packed)}
    tags[ORIENTATION] = 1  # as many programs write it, whatever it is worth
    directory = struct.pack(f"{order}H", entries)
    for tag, value in sorted(tags.items()):
        directory += struct.pack(f"{order}HHII", tag, 4, 1, value)
    return struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8) + directory + b"\0" * 4 + packed


def encode_grey_bmp(values: np.ndarray, bits: int, grey: Callable[[int], int]) -> bytes:
    """A BMP with a palette of greys, written by its specification."""
    rows = [pack_bits(row[None], bits) for row in values[::-1]]
    pixels = b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
    palette = b"".join(bytes([grey(number)] * 3 + [0]) for number in range(2**bits))
    start, (height, width) = 54 + len(palette), values.shape
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, len(pixels), 0, 0, 2**bits, 0)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + palette + pixels


def save_noted(picture: Image.Image, kind: str, turn: int, **options: Any) -> bytes:
    if turn == 1:
        return encode_picture(picture, kind, **options)
    note = Image.Exif()
    note[ORIENTATION] = turn
    return encode_picture(picture, kind, exif=note, **options)


def by_pillow(kind: str, mode: str, **options: Any) -> Callable[[np.ndarray, int], bytes]:
    def encode(values: np.ndarray, turn: int) -> bytes:
        if mode == "P":
            picture = Image.fromarray(values)
            picture.putpalette([0, 0, 0, 200, 10, 10, 10, 200, 10, 10, 10, 200])
        elif mode == "1":
            picture = Image.fromarray(values.astype(bool))
        else:
            dtype = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}.get(mode, "u1")
            picture = Image.fromarray(values.astype(dtype))
        assert picture.mode == mode
        return save_noted(picture, kind, turn, **options)

    return encode


def by_hand(encode: Callable[..., bytes], *options: Any) -> Callable[[np.ndarray, int], bytes]:
    def encode_upright(values: np.ndarray, turn: int) -> bytes:
        assert turn == 1
        return encode(values, *options)

    return encode_upright


# By name: how a mask is written, and how many classes it holds at most.
FORMS: dict[str, tuple[Callable[[np.ndarray, int], bytes], int]] = {
    **{f"{kind} {mode}": (by_pillow(kind, mode), 2 if mode == "1" else 3)
       for kind, modes in {"PNG": ("1", "L", "P", "I;16"), "TIFF": ("1", "L", "P", "I;16", "I;16B", "I"),
                           "BMP": ("1", "L", "P"), "GIF": ("L", "P")}.items() for mode in modes},
    **{f"PNG P of {bits} bits": (by_pillow("PNG", "P", bits=bits), min(2**bits, 3)) for bits in (1, 2, 4)},
    **{f"TIFF L {packing}": (by_pillow("TIFF", "L", compression=packing), 3) for packing in ("tiff_lzw", "packbits")},
    **{f"PNG of {bits} grey bits": (by_hand(encode_grey_png, bits), min(2**bits, 3)) for bits in (1, 2, 4, 8)},
    **{f"TIFF of {bits} grey bits, {order}": (by_hand(encode_grey_tiff, bits, 1, order), min(2**bits, 3))
       for bits in (1, 2, 4, 8) for order in "<>"},
    "BMP of 8 grey bits": (by_hand(encode_grey_bmp, 8, int), 3),
    "BMP of 4 bits in colours": (by_hand(encode_grey_bmp, 4, lambda number: number * 17), 3),
    "BMP of 1 bit, white first": (by_hand(encode_grey_bmp, 1, lambda number: 255 * (1 - number)), 2),
}  # fmt: skip
NOTED = ("PNG", "TIFF")  # forms that can have a note
IMAGES: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 100, "subsampling": 0},
    "TIFF": {},
    "WEBP": {"lossless": True},
}


def place(truth: np.ndarray, factor: int, margins: tuple[int, int]) -> np.ndarray:
    """The truth, each pixel as a square, in the middle of more background above and below, or left and right."""
    canvas = np.pad(truth, [(margin, margin) for margin in margins])
    return canvas.repeat(factor, axis=0).repeat(factor, axis=1)


def ways_to_store(name: str, turn: int) -> Iterator[tuple[str, int]]:
    """How a mask of an image that is turned may be stored: as the image is, upright, or with a note of its own."""
    yield "as the image", 1
    if turn >= 5:  # else it is taken to be stored as the image is, since it fits both ways
        yield "upright", 1
    if name.split()[0] in NOTED and "grey bits" not in name:
        yield "with its own note", turn


def read_pair(folder: Path, truth: np.ndarray, name: str, kind: str, case: tuple[Any, ...]) -> tuple[Any, Any]:
    """What a perfect model predicts for an image, and its mask, at the size of the truth."""
    turn, (way, own_turn), (image_factor, mask_factor), margins = case
    image = (255 * np.eye(3, dtype=np.uint8))[place(truth, image_factor, margins)]
    mask = place(truth, mask_factor, margins)
    turned = Image.fromarray(np.ascontiguousarray(STORED_AS[turn](image)))
    mask = mask if way == "upright" else np.ascontiguousarray(STORED_AS[turn](mask))
    write_file(folder / "images" / f"a.{kind.lower()}", save_noted(turned, kind, turn, **IMAGES[kind]))
    write_file(folder / "masks" / f"a.{name.split()[0].lower()}", FORMS[name][0](mask, own_turn))
    examples = read_data(folder, task="segmentation")
    crop = truth.shape if any(margins) else None
    pictures = examples.images.resize((*truth.shape, 3), crop is not None)
    return pictures[:].argmax(axis=-1), examples.fit_masks(truth.shape, crop=crop, as_images=True)


def count_dice(one: np.ndarray, other: np.ndarray, classes: int) -> float:
    pairs = [((one == number), (other == number)) for number in range(1, classes)]
    return float(np.mean([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in pairs]))


FACTORS, MARGINS = ((1, 1), (2, 1), (1, 3), (3, 2)), ((0, 0), (2, 0), (0, 3))


@pytest.mark.parametrize("name", only(["PNG of 2 grey bits"], FORMS))
def test_the_same_masks_give_the_same_dice_in_every_form_size_turn_and_crop(
    tmp_path: Path, name: str, stride: int
) -> None:
    classes = FORMS[name][1]
    cases = [
        (turn, way, factors, margins)
        for turn, factors, margins in itertools.product(STORED_AS, FACTORS, MARGINS)
        for way in ways_to_store(name, turn)
    ]
    for number, case in list(enumerate(cases))[::stride]:
        folder, kind = tmp_path / str(number), list(IMAGES)[number % len(IMAGES)]
        (folder / "images").mkdir(parents=True)
        (folder / "masks").mkdir()
        truth = draw_truth(number, classes)
        predicted, mask = read_pair(folder, truth, name, kind, case)
        assert np.array_equal(mask[0], truth), (kind, case)
        assert count_dice(predicted, mask, classes) == 1, (kind, case)


MODES = ("1", "L", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "La", "RGBa",
         "I;16", "I;16L", "I;16B", "I;16N")  # fmt: skip
READ = {  # of those that Pillow writes, the others are refused
    "PNG": ({"1", "L", "P", "I;16", "I;16B"}, {"RGB", "RGBA", "LA"}),
    "TIFF": ({"1", "L", "P", "I", "I;16", "I;16L", "I;16B"},
             {"RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "F", "LA", "PA"}),
    "BMP": ({"1", "L", "P"}, {"RGB", "RGBA"}),
    "GIF": ({"1", "L", "P", "I", "F", "LA", "I;16", "I;16L", "I;16B", "I;16N"}, set()),
}  # fmt: skip
REPLACED = {("GIF", "RGB"), ("GIF", "RGBA")}  # colours for which Pillow makes up a palette as it writes


def paint(mode: str, truth: np.ndarray) -> Image.Image:
    picture = Image.new(mode, truth.shape[::-1])
    if mode in ("P", "PA"):
        picture.putpalette([0, 0, 0, 200, 10, 10])
    bands = len(picture.getbands())
    for row, column in itertools.product(*map(range, truth.shape)):
        value = int(truth[row, column]) * (255 if mode == "1" else 1)
        picture.putpixel((column, row), value if bands == 1 else (value,) * bands)
    return picture


@pytest.mark.parametrize("kind", only(["PNG"], READ))
def test_every_mode_that_pillow_writes_is_read_as_it_is_stored_or_refused(tmp_path: Path, kind: str) -> None:
    truth, path = draw_truth(0, 2), tmp_path / f"mask.{kind.lower()}"
    read, refused = set(), set()
    for mode in MODES:
        try:
            write_file(path, encode_picture(paint(mode, truth), kind))
        except (OSError, ValueError):
            continue  # Pillow does not write it
        if (kind, mode) in REPLACED:
            continue
        try:
            assert np.array_equal(read_mask(path), truth * (255 if (kind, mode) == ("GIF", "1") else 1)), mode
            read.add(mode)
        except InvalidInputError:
            refused.add(mode)
    assert (read, refused) == READ[kind]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encode_grey_tiff(np.eye(4, dtype=np.uint8), 8, 0), "a TIFF whose 0 is white"),
        (encode_grey_tiff(np.eye(4, dtype=np.uint8), 1, 0), "a TIFF whose 0 is white"),
        (encode_grey_bmp(np.eye(4, dtype=np.uint8), 4, int), "a BMP of 4 bits with a palette of greys"),
        *((encode_picture(Image.new("L", (4, 4)), kind, save_all=True, append_images=[Image.new("L", (4, 4), 1)]),
           "has 2 pages or frames") for kind in ("TIFF", "GIF", "PNG")),
        (encode_picture(Image.fromarray(np.array([[0, 256]], np.uint16))), "numbers of 0 to 256"),
        (encode_picture(Image.fromarray(np.array([[-1, 7]], np.int32)), "TIFF"), "numbers of -1 to 7"),
        (encode_picture(Image.new("L", (4, 4)), "JPEG"), "cannot be read as a picture, PNG, TIFF, BMP, GIF"),
        (encode_picture(Image.new("L", (4, 4)))[:45], "cannot be read as a picture"),
    ],
    ids=["white is zero", "white bit is zero", "4 bits of grey in BMP", "TIFF of pages", "moving GIF", "moving PNG",
         "too high", "negative", "JPEG", "cut"],
)  # fmt: skip
def test_masks_whose_numbers_cannot_be_told_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InvalidInputError, match=f"The mask .*mask.png .*{message}"):
        read_mask(write_file(tmp_path / "mask.png", content))


def test_a_mask_of_other_proportions_than_its_image_is_refused(tmp_path: Path) -> None:
    for turn, size in ((1, (4, 6)), (3, (4, 6)), (6, (6, 6)), (1, (6, 5))):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "masks").mkdir(exist_ok=True)
        picture = Image.fromarray(np.zeros((12, 8, 3), np.uint8))
        write_file(tmp_path / "images" / "a.png", save_noted(picture, "PNG", turn))
        write_file(tmp_path / "masks" / "a.png", encode_picture(np.zeros(size, np.uint8)))
        with pytest.raises(InvalidInputError, match=r"a\.png should have the proportions of its image"):
            read_data(tmp_path, task="segmentation")


def test_masks_that_fit_a_turned_image_both_ways_are_turned_and_it_is_told_once(tmp_path: Path) -> None:
    truth = draw_truth(0, 3, (5, 5))
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name in "abc":
        picture = Image.fromarray(np.zeros((5, 5, 3), np.uint8))
        write_file(tmp_path / "images" / f"{name}.png", save_noted(picture, "PNG", 1 if name == "c" else 6))
        write_file(tmp_path / "masks" / f"{name}.png", encode_picture(np.rot90(truth)))
    examples = read_data(tmp_path, task="segmentation")
    assert np.array_equal(np.asarray(examples.labels), [truth, truth, np.rot90(truth)])
    (note,) = examples.notes
    assert note.startswith("2 of 3 masks are turned with their images")
