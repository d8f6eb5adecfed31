"""Pictures of every ordinary kind come out as the pixels that a viewer shows."""

import io

import numpy as np
import pytest
from PIL import Image

from mcviz.data.pictures import Pictures, check_pictures
from mcviz.errors import InvalidInputError
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
