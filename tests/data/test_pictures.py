"""Pictures come in as a viewer shows them; those that strangers send, too, or else they end in a sentence."""

import io
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mcviz.data.pictures import Pictures, check_pictures, edge_brightness, fit_picture, flatten_on_white, read_picture
from mcviz.errors import InvalidInputError
from tests.cases import one_in
from tests.factories import encode_picture

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)


def read(*contents: bytes) -> Pictures:
    pictures, broken = check_pictures([str(n) for n in range(len(contents))], lambda place: contents[place])
    assert not broken
    return pictures


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})])
def test_lossless_kinds_keep_every_pixel(kind, options):
    np.testing.assert_array_equal(read(encode_picture(COLOUR, kind, **options))[0], COLOUR)


def test_jpeg_is_what_pillow_decodes():
    content = encode_picture(COLOUR, "JPEG", quality=95)
    np.testing.assert_array_equal(read(content)[0], np.asarray(Image.open(io.BytesIO(content))))


def test_grey_pictures_have_one_channel_and_grey_among_colours_three():
    grey, colour = encode_picture(COLOUR[..., 0]), encode_picture(COLOUR)
    np.testing.assert_array_equal(read(grey)[0][..., 0], COLOUR[..., 0])
    mixed = read(grey, colour)
    np.testing.assert_array_equal(mixed[0], np.repeat(COLOUR[..., :1], 3, axis=-1))


def test_sixteen_bits_become_eight_by_their_high_byte():
    sixteen = (COLOUR[..., 0].astype(np.uint16) << 8) | 77
    for kind in ("PNG", "TIFF"):
        np.testing.assert_array_equal(read(encode_picture(sixteen, kind))[0][..., 0], COLOUR[..., 0])


def test_what_is_transparent_shows_white():
    rgba = np.dstack([COLOUR, np.zeros(COLOUR.shape[:2], np.uint8)])
    rgba[0, 0, 3] = 255
    image = read(encode_picture(rgba))[0]
    np.testing.assert_array_equal(image[0, 0], COLOUR[0, 0])
    assert (image[1:] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_the_camera_noted(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode_picture(COLOUR, "PNG", exif=exif)
    turns = {1: COLOUR, 2: COLOUR[:, ::-1], 3: COLOUR[::-1, ::-1], 4: COLOUR[::-1]}
    swapped = COLOUR.transpose(1, 0, 2)
    turns |= {5: swapped, 6: swapped[:, ::-1], 7: swapped[::-1, ::-1], 8: swapped[::-1]}
    pictures = read(content)
    assert pictures.image_shape == turns[orientation].shape
    np.testing.assert_array_equal(pictures[0], turns[orientation])


def test_sizes_that_differ_are_brought_to_the_models_stretched_or_cut():
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, :4] = 255
    pictures = read(*map(encode_picture, (wide, wide[:, 2:6], wide)))
    assert pictures.image_shape == (4, 8, 3)
    assert pictures.sizes == {(4, 8), (4, 4)}
    stretched, cut = pictures.resize((4, 4, 3)), pictures.resize((4, 4, 1), crop=True)
    assert (stretched.shape, cut.shape) == ((3, 4, 4, 3), (3, 4, 4, 1))
    assert stretched[0][0, :, 0].tolist()[::3] == [255, 0]
    np.testing.assert_array_equal(cut[0][..., 0], wide[:, 2:6, 0])
    np.testing.assert_array_equal(cut[1][..., 0], wide[:, 2:6, 0])
    with pytest.raises(InvalidInputError, match="1 or 3 channels"):
        pictures.resize((4, 4, 2))


def test_nothing_is_decoded_before_its_size_is_checked():
    huge = bytearray(encode_picture(Image.new("L", (2, 2))))
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    _, broken = check_pictures(["huge", "text", "empty"], lambda place: (bytes(huge), b"<svg>", b"")[place])
    assert sorted(broken) == [0, 1, 2]


def test_a_picture_that_breaks_later_is_named():
    contents = [encode_picture(COLOUR)]
    pictures, _ = check_pictures(["scan.png"], lambda place: contents[place])
    contents[0] = b""
    with pytest.raises(InvalidInputError, match=r"scan\.png cannot be read: it is no whole PNG"):
        pictures[0]


def test_only_some_pictures_and_progress():
    contents = [encode_picture(np.full((2, 2, 3), n, np.uint8)) for n in range(5)]
    seen: list[tuple[int, int]] = []
    pictures, _ = check_pictures(list("abcde"), contents.__getitem__, progress=lambda *done: seen.append(done))
    assert seen == [(n, 5) for n in range(1, 6)]
    some = pictures.take(np.array([4, 1])).take(np.array([1]))
    assert some.names == ["b"]
    assert (some[:] == 1).all()


def test_large_pictures_are_made_smaller_to_be_looked_at():
    wide = read(encode_picture(np.full((10, 40, 3), 7, np.uint8)))
    assert wide.limit_side(20).image_shape == (5, 20, 3)
    assert (wide.limit_side(20)[0] == 7).all()
    assert wide.limit_side(100).image_shape == (10, 40, 3)


# One picture that a stranger sends


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *before: bytes) -> bytes:
    """A PNG put together by hand."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def noise(side: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (side, side), dtype=np.uint8))


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)


def test_a_png_comes_in_to_the_bit(pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(read_picture(encode_picture(pixels)), pixels)


def test_a_jpeg_comes_in_as_it_looks() -> None:
    flat = np.full((16, 16, 3), (200, 90, 30), np.uint8)
    image = read_picture(encode_picture(flat, "JPEG", quality=95))
    assert np.abs(image.astype(int) - flat).max() <= 4


def test_the_name_does_not_matter_but_grey_palette_and_single_bits_do(pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(read_picture(encode_picture(pixels[..., 0])), np.repeat(pixels[..., :1], 3, axis=2))
    palette = Image.fromarray(pixels).quantize(16)
    np.testing.assert_array_equal(read_picture(encode_picture(palette)), np.asarray(palette.convert("RGB")))
    bits = Image.fromarray(pixels[..., 0] > 127)
    np.testing.assert_array_equal(read_picture(encode_picture(bits))[..., 0], np.where(pixels[..., 0] > 127, 255, 0))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_in_an_upload_shows_white(mode: str) -> None:
    black = Image.new("RGBA", (4, 4), (0, 0, 0, 255))
    black.putpixel((1, 2), (0, 0, 0, 0))
    content = encode_picture(black.quantize(4)) if mode == "P" else encode_picture(black.convert(mode))
    image = read_picture(content)
    assert image[2, 1].tolist() == [255, 255, 255]
    assert image[0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(("orientation", "turned"), [(1, 0), (3, 2), (6, 3), (8, 1)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_turn_that_the_camera_noted_is_carried_out(kind: str, orientation: int, turned: int) -> None:
    halves = np.zeros((16, 24, 3), np.uint8)
    halves[:, 12:] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_picture(encode_picture(halves, kind, exif=exif))
    np.testing.assert_array_equal(image > 127, np.rot90(halves, turned) > 127)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_notes_of_a_camera_do_no_harm(pixels: np.ndarray) -> None:
    content = encode_picture(pixels, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    np.testing.assert_array_equal(read_picture(content), pixels)


def test_a_phone_s_picture_with_a_second_one_inside_gives_the_first(pixels: np.ndarray) -> None:
    first, second = Image.fromarray(np.full((8, 8, 3), 250, np.uint8)), Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    content = encode_picture(first, "MPO", save_all=True, append_images=[second])
    assert read_picture(content).min() > 240


def gif() -> bytes:
    return encode_picture(Image.new("L", (5, 5)), "GIF")


def animated() -> bytes:
    frames = [Image.new("L", (5, 5), grey) for grey in (0, 100, 200)]
    return encode_picture(frames[0], save_all=True, append_images=frames[1:])


def bomb() -> bytes:
    return png(20_000, 20_000, 1, 0, zlib.compress(bytes(2501 * 20_000), 9))


# What takes long to make is made by the test.
REFUSED: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
    "empty": (b"", "empty"),
    "large file": (lambda: encode_picture(Image.new("L", (5, 5))) + bytes(40 * 2**20), r"at most 40 MB"),
    "text": (b"hello", "neither PNG nor JPEG"),
    "renamed GIF": (gif(), "but a GIF"),
    "renamed SVG": (b'\n <svg xmlns="http://www.w3.org/2000/svg"/>', "but an SVG"),
    "renamed XML": (b'<?xml version="1.0"?><svg/>', "but an SVG"),
    "renamed WebP": (encode_picture(Image.new("RGB", (5, 5)), "WEBP"), "but a WebP"),
    "renamed BMP": (encode_picture(Image.new("RGB", (5, 5)), "BMP"), "but a BMP"),
    "renamed TIFF": (encode_picture(Image.new("RGB", (5, 5)), "TIFF"), "but a TIFF"),
    "bomb": (bomb, "too large"),
    "many pixels": (lambda: encode_picture(Image.new("1", (10_001, 5000))), "At most 50 million"),
    "renamed HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "but a HEIC photograph"),
    "1 × 1": (encode_picture(Image.new("L", (1, 1))), "too small"),
    "a line": (encode_picture(Image.new("L", (300, 1))), "too small"),
    "animated": (animated(), "animated"),
    "CMYK": (encode_picture(Image.new("CMYK", (5, 5)), "JPEG"), "CMYK"),
    "16-bit grey": (encode_picture(Image.new("I;16", (5, 5))), "16 bits"),
    "16-bit RGB": (png(2, 2, 16, 2, zlib.compress(bytes(2 * 13))), "16 bits"),
    "signature alone": (b"\x89PNG\r\n\x1a\n", "damaged or cut short"),
    "JPEG signature alone": (b"\xff\xd8\xff\xe0", "damaged or cut short"),
    "truncated PNG": (encode_picture(noise(60))[:-600], "damaged or cut short"),
    "truncated JPEG": (encode_picture(noise(60), "JPEG")[:-600], "damaged or cut short"),
    "no pixels": (png(4, 4, 8, 0, b""), "damaged or cut short"),
    "bomb in a text": (
        lambda: png(4, 4, 8, 0, zlib.compress(bytes(20)), chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(10**8), 9))),
        "damaged or cut short",
    ),
}


@pytest.mark.attack
@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_file_ends_in_one_clear_sentence(name: str) -> None:
    made, words = REFUSED[name]
    content = made() if callable(made) else made
    with pytest.raises(InvalidInputError, match=words) as refused:
        read_picture(content)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(".")


@pytest.mark.attack
def test_size_is_refused_before_a_pixel_is_decoded() -> None:
    content = bomb()
    tracemalloc.start()
    with pytest.raises(InvalidInputError, match="too large"):
        read_picture(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


PEAK = """
import resource, sys
from mcviz.data.pictures import read_picture
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
image = read_picture(open(sys.argv[1], "rb").read())
peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
print(*image.shape[:2], image[:1000].min(), image[1040:, :, 0].max(), peak)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
@pytest.mark.parametrize(
    ("kind", "options", "most"), one_in(2, [("JPEG", {}, 60), ("PNG", {"compress_level": 1}, 260)])
)
def test_fifty_megapixels_of_a_phone_are_read_at_a_reduced_size_in_bounded_memory(
    tmp_path: Path, kind: str, options: dict[str, int], most: int
) -> None:
    upright = Image.new("RGBA" if kind == "PNG" else "RGB", (8160, 6120), "navy")
    upright.paste("white", (0, 0, 4080, 6120))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right
    upright.save(tmp_path / "photo", kind, exif=exif, **options)
    printed = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / "photo")], capture_output=True, text=True, check=True
    )
    height, width, upper, lower, megabytes = map(int, printed.stdout.split())
    assert (height, width) == (2040, 1530)
    assert megabytes < most
    assert upper > 240, "what was on the left is on top"
    assert lower < 15


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_strip_as_narrow_as_a_hair_is_made_smaller_too(kind: str) -> None:
    content = encode_picture(np.full((20_000, 3), 200, np.uint8), kind)
    assert read_picture(content).shape == (2000, 1, 3)


@pytest.mark.parametrize("mode", one_in(3, ["RGBA", "LA", "P", "L", "1"]))
def test_a_picture_that_is_made_smaller_is_the_average_of_what_it_shows(mode: str) -> None:
    black = Image.new("RGBA", (5000, 1500), (0, 0, 0, 255))
    black.paste((0, 0, 0, 0), (0, 0, 5000, 900))
    given = (
        black.quantize(4)
        if mode == "P"
        else flatten_on_white(black).convert(mode)
        if mode in "L1"
        else black.convert(mode)
    )
    image = read_picture(encode_picture(given, compress_level=1), 1000)
    assert image.shape == (300, 1000, 3)
    assert image[:180].min() == 255
    assert image[180:].max() == 0


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_brightness_of_an_edge_is_that_of_the_background(dtype: type) -> None:
    paper = np.full((30, 20, 3), 0.8)
    paper[5:25, 8:12] = 0.1
    paper = (paper * 255).astype(np.uint8) if dtype is np.uint8 else paper.astype(np.float32)
    assert edge_brightness(paper) == pytest.approx(0.8, abs=0.01)
    assert edge_brightness(paper[..., :1]) == pytest.approx(0.8, abs=0.01)


@pytest.mark.attack
def test_a_jpeg_of_thousands_of_scans_is_refused_unread() -> None:
    content = encode_picture(noise(600), "JPEG", progressive=True)
    at = content.rindex(b"\xff\xda")
    last_scan = content[at:-2]
    assert read_picture(content).shape == (600, 600, 3)
    with pytest.raises(InvalidInputError, match="layers"):
        read_picture(content[:at] + last_scan[:40] * 500 + content[at:])


@pytest.mark.attack
@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(deadline=None, max_examples=200)
@given(st.data())
def test_damage_anywhere_gives_a_picture_or_a_sentence(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "APNG", "EXIF"]))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "words"
    content = {
        "PNG": lambda: encode_picture(noise(12).convert("RGBA").quantize(8)),
        "JPEG": lambda: encode_picture(noise(12), "JPEG", progressive=True),
        "APNG": animated,
        "EXIF": lambda: encode_picture(noise(12), "JPEG", exif=exif),
    }[kind]()
    broken = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(len(broken) // 2, len(broken)))
    try:
        image = read_picture(bytes(broken[:cut]))
    except InvalidInputError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (5, 9, 3)])
@given(height=st.integers(2, 40), width=st.integers(2, 40))
@settings(deadline=None, max_examples=30)
def test_a_fitted_picture_has_the_model_s_shape_and_a_flat_one_stays_flat(
    shape: tuple[int, int, int], height: int, width: int
) -> None:
    image = fit_picture(np.full((height, width, 3), 51, np.uint8), shape)
    assert image.shape == shape
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, 0.2, atol=1e-6)


def test_nothing_is_cropped_and_the_edge_s_colour_fills_the_rest() -> None:
    wide = np.full((10, 40, 3), 255, np.uint8)
    wide[3:7, 10:30] = 0
    image = fit_picture(wide, (40, 40, 1))[..., 0]
    expected = np.ones((40, 40))
    expected[18:22, 10:30] = 0
    np.testing.assert_allclose(image, expected)


def test_one_channel_is_the_usual_luma() -> None:
    colour = np.full((4, 4, 3), (255, 0, 0), np.uint8)
    np.testing.assert_allclose(fit_picture(colour, (4, 4, 1)), 0.299, atol=0.003)
    np.testing.assert_allclose(fit_picture(colour, (4, 4, 3))[0, 0], [1, 0, 0])


def test_a_model_of_other_channels_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="takes 4"):
        fit_picture(np.zeros((4, 4, 3), np.uint8), (4, 4, 4))
