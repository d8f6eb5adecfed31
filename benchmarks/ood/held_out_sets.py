"""The sets that were held out: written down before any detector was tried on them, so none can owe its figures to them.

Letters, shapes, patterns and patches of photographs are of new kinds. Stacked halves are kin to the halves among the
validation sets, mirrored digits to rotated ones, and inverted clothes to clothes and to inverted digits. Some stacked
halves happen to make a digit, and so no detector can find them all.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_images

from benchmarks.ood.known_sets import ImageSet, of_other_class, spread
from benchmarks.ood.samples import fashion_sample
from mcviz.data import as_model_input
from mcviz.data.distortions import invert
from mcviz.data.drawing import LUMA, centred

SIDE, FINE = 28, 8  # pixels of an image, and drawn for each of them
LETTERS = "ACEFHJKLMNPRTUVWXY"  # B, D, G, I, O, Q, S and Z read as digits
DIGITS = "0123456789"
NO_DIGIT_IN_A_MIRROR = (3, 4, 6, 7, 9)  # 0, 1 and 8 stay what they are, and 2 and 5 change places


def held_out_sets(images: np.ndarray, labels: np.ndarray, count: int = 1000) -> dict[str, ImageSet]:
    """Make the sets, the same for the same images.

    Args:
        images: (N, 28, 28, 1) float32 in 0..1, test images that no detector is fitted on.
        labels: (N,) their classes.
        count: images in each set, at most N and 1,000; of mirrored digits at most as many as there are.

    Returns:
        By name: printed letters that read as no digit, geometric shapes, stripes and checks, patches of photographs,
        Fashion-MNIST inverted, the upper half of one digit on the lower half of another, digits in a mirror; and,
        as a shift, printed digits.
    """
    middle = images.shape[1] // 2
    others = images[of_other_class(labels, count)]
    fashion = as_model_input(spread(fashion_sample().pixels, count))
    asymmetric = images[np.isin(labels, NO_DIGIT_IN_A_MIRROR)][:count]
    sets = {
        "letters": ("Printed letters", printed(LETTERS, count, seed=21)),
        "shapes": ("Geometric shapes", shapes(count, seed=22)),
        "patterns": ("Stripes and checks", patterns(count, seed=23)),
        "photographs": ("Patches of photographs", photographs(count, seed=24)),
        "fashion_inverted": ("Inverted Fashion-MNIST", invert(fashion)),
        "stacked": ("Stacked halves of two", np.concatenate([images[:count, :middle], others[:, middle:]], axis=1)),
        "mirrored": ("Digits in a mirror", asymmetric[:, :, ::-1].copy()),
    }
    shift = ImageSet(
        "Printed digits (a shift)", printed(DIGITS, count, seed=25), out_of_distribution=False, known=False
    )
    return {name: ImageSet(*each, known=False) for name, each in sets.items()} | {"printed": shift}


def printed(characters: str, count: int, seed: int) -> np.ndarray:
    """Draw characters of Pillow's own font, thin to bold and a little askew, scaled and centred as MNIST's digits are.

    The font is Aileron Regular by Sora Sagano, whose file says “No Rights Reserved.”

    Args:
        characters: that one is drawn from for each image.
        count: how many images, N.
        seed: of the draws.

    Returns:
        (N, 28, 28, 1) float32 in 0..1.
    """
    random = np.random.default_rng(seed)
    font = ImageFont.load_default(0.6 * SIDE * FINE)
    middle = SIDE * FINE / 2
    images = []
    for character in random.choice(list(characters), count):
        paper, pen = _blank()
        bold = int(random.integers(0, 9))
        pen.text((middle, middle), str(character), fill=255, font=font, anchor="mm", stroke_width=bold)
        rotated = paper.rotate(random.uniform(-15, 15), Image.Resampling.BILINEAR)
        images.append(centred(np.asarray(rotated, np.float32) / 255, SIDE, SIDE))
    return np.stack(images)[..., None]


def shapes(count: int, seed: int) -> np.ndarray:
    """Draw triangles, squares, pentagons and stars with as many points, filled or outlined, rotated, large and small.

    Args and result: as in `printed`.
    """
    random = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        paper, pen = _blank()
        corners, star, filled = int(random.integers(3, 6)), random.random() < 0.5, random.random() < 0.5
        radii = random.uniform(6, 10) * np.where(star & (np.arange(2 * corners) % 2 == 1), 0.45, 1)
        radii = radii if star else radii[:corners]
        angles = 2 * np.pi * (random.random() + np.arange(len(radii)) / len(radii))
        centre = SIDE / 2 + random.uniform(-2, 2, 2)
        points = FINE * (centre + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1))
        outline = [tuple(point) for point in points]
        if filled:
            pen.polygon(outline, fill=255)
        else:
            pen.line([*outline, *outline[:2]], fill=255, width=round(FINE * random.uniform(1.5, 3.5)), joint="curve")
        images.append(_averaged(np.asarray(paper, np.float32) / 255))
    return np.stack(images)[..., None]


def patterns(count: int, seed: int) -> np.ndarray:
    """Draw stripes and checks in black and white, 4 to 14 pixels from one to the next, in any direction.

    Args and result: as in `printed`.
    """
    random = np.random.default_rng(seed)
    place = (np.arange(SIDE * FINE) + 0.5) / FINE
    down, right = np.meshgrid(place, place, indexing="ij")
    images = []
    for number in range(count):
        angle, period, phases = random.uniform(0, np.pi), random.uniform(4, 14), random.random(2)
        along = right * np.cos(angle) + down * np.sin(angle)
        across = down * np.cos(angle) - right * np.sin(angle)
        bright = (along / period + phases[0]) % 1 < 0.5
        if number % 2:
            bright ^= (across / period + phases[1]) % 1 < 0.5
        images.append(_averaged(bright.astype(np.float32)))
    return np.stack(images)[..., None]


def photographs(count: int, seed: int) -> np.ndarray:
    """Cut patches out of the two photographs that come with scikit-learn, from any place, in grey at half size.

    The photographs are by Daniel Büchele and vultilion, CC BY 2.0; they are read from scikit-learn, and not shipped.

    Args and result: as in `printed`.
    """
    random = np.random.default_rng(seed)
    pictures = [picture.astype(np.float32) / 255 @ LUMA for picture in load_sample_images().images]
    images = []
    for number in range(count):
        picture = pictures[number % len(pictures)]
        top, left = (int(random.integers(0, size - 2 * SIDE + 1)) for size in picture.shape)
        patch = picture[top : top + 2 * SIDE, left : left + 2 * SIDE]
        images.append(patch.reshape(SIDE, 2, SIDE, 2).mean(axis=(1, 3)))
    return np.clip(np.stack(images), 0, 1)[..., None]


def _blank() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    paper = Image.new("L", (SIDE * FINE, SIDE * FINE))
    return paper, ImageDraw.Draw(paper)


def _averaged(fine: np.ndarray) -> np.ndarray:
    return fine.reshape(SIDE, FINE, SIDE, FINE).mean(axis=(1, 3))
