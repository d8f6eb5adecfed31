"""The colours of the classes, as colour-blind eyes see them; pictures as bytes."""

import base64
import io
import re
import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcviz import figures
from mcviz.figures import style
from mcviz.figures.style import CLASSES, class_colour
from tests.figures.reading import contrast, linear, rgb

pytestmark = pytest.mark.lowest

OKABE_ITO = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}


EYES = {  # Machado, Oliveira & Fernandes (2009), severity 1, on linear RGB
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour: str, eye: str) -> np.ndarray:
    """CIE L*a*b* of `#rrggbb`."""
    seen = XYZ @ np.clip(np.asarray(EYES[eye]) @ linear(rgb(colour)), 0, 1) / XYZ.sum(axis=1)
    f = np.where(seen > 216 / 24389, np.cbrt(seen), (seen * 24389 / 27 + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def nearest(colours: set[str], eye: str) -> float:
    return min(float(np.linalg.norm(lab(a, eye) - lab(b, eye))) for a, b in combinations(colours, 2))


@pytest.mark.parametrize("eye", EYES)
def test_any_two_classes_are_as_far_apart_as_two_colours_of_okabe_and_ito(eye: str) -> None:
    assert nearest(set(CLASSES), eye) >= min(nearest(OKABE_ITO - {"#000000"}, other) for other in EYES)


NAMES = "ENSEMBLE DETERMINISTIC SINGLE_PASS LABEL WRONG NEUTRAL SPREAD UNCERTAIN RAISES LOWERS OTHERS"
MEANINGS = {name: getattr(style, name) for name in NAMES.split()}


def test_ten_classes_have_ten_colours_and_none_that_means_something_else() -> None:
    assert len({class_colour(c) for c in range(10)}) == 10
    assert len(set(MEANINGS.values())) == len(MEANINGS)
    taken = {MEANINGS[name] for name in ("ENSEMBLE", "DETERMINISTIC", "LABEL", "WRONG", "UNCERTAIN")}
    assert min(np.linalg.norm(lab(a, "usual") - lab(b, "usual")) for a in CLASSES for b in taken) > 12


@pytest.mark.parametrize("page", ["#FFFFFF", "#10161D"])
def test_marks_are_seen_on_a_light_and_on_a_dark_page(page: str) -> None:
    for colour in {*CLASSES, *MEANINGS.values(), style.LOW, style.HIGH}:
        assert contrast(rgb(colour), rgb(page)) >= 3, colour


def test_colours_mean_the_same_in_figures_and_in_components() -> None:
    app = Path(style.__file__).parents[1] / "app"
    page = (app / "page.css").read_text(encoding="utf-8")
    assert f"--mcviz-wrong: {style.WRONG.lower()};" in page
    assert f"--mcviz-neutral: {style.NEUTRAL.lower()};" in page
    taken = {colour.lower() for colour in MEANINGS.values()}
    for sheet in (app / "components").glob("*.css"):
        assert not taken & set(re.findall("#[0-9a-f]{6}", sheet.read_text(encoding="utf-8"))), sheet.name
    options = tomllib.loads((app.parents[1] / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert options["theme"]["chartCategoricalColors"] == list(CLASSES[:8])
    for scheme, page_colour in (("light", "#FFFFFF"), ("dark", "#10161D")):
        assert options["theme"][scheme]["backgroundColor"] == page_colour


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_contact_sheet_keeps_every_pixel_in_its_place(channels: int, dtype: type) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 5, channels)).astype(np.uint8)
    given = images if dtype == np.uint8 else (images / 255).astype(np.float32)
    sheet = figures.contact_sheet(given, columns=3)
    assert sheet.shape == (12, 15, channels)
    for i, image in enumerate(images):
        row, column = divmod(i, 3)
        np.testing.assert_array_equal(sheet[row * 4 : row * 4 + 4, column * 5 : column * 5 + 5], image)


def test_png_is_read_back_enlarged_crisply() -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 1)).astype(np.uint8)
    read = np.asarray(Image.open(io.BytesIO(figures.png(image, scale=3))))
    np.testing.assert_array_equal(read, image[..., 0].repeat(3, 0).repeat(3, 1))


@pytest.mark.parametrize(("channels", "seen"), [(1, 1), (2, 1), (3, 3), (4, 3)])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (32, 128), (300, 90)])
def test_pictures_of_any_channels_and_size_can_be_looked_at(channels: int, seen: int, height: int, width: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, height, width, channels), dtype=np.uint8)
    small = figures.thumbnails(images, 256)
    assert max(small.shape[1:3]) <= 256
    if max(height, width) <= 256:
        np.testing.assert_array_equal(small, images[..., :seen])
    for url in (figures.picture_url(images[0], 100), figures.sheet_url(images, 2, 208)):
        picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
        assert picture.width / picture.height == pytest.approx(width / height, rel=0.02)
        assert picture.mode in ("L", "RGB")
