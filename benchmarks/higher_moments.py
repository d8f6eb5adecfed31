"""Do higher moments find out-of-distribution images? Print the table of docs/appendix/higher-moments.md in Markdown.

    python benchmarks/higher_moments.py [MODEL.keras ...] [--passes 500] [--images 1000]

Without a model it is the shipped one, which takes five minutes of two cores. Of several models, such as `mcviz train
--seed 11 --out seed11.keras` makes, a cell has the median over them, and the lowest and the highest.

In distribution are the test images of the shipped run. Detectors are fitted on those with even numbers; those with odd
numbers are what every set is compared with. The end of a moment that is suspicious is where the model's mistakes lie
among the fitting images.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import scipy
from PIL import Image, ImageDraw, ImageFont
from scipy.special import softmax
from scipy.stats import kurtosis, skew
from sklearn.datasets import load_digits, load_sample_images
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import normalize

import mcviz
from mcviz.data import as_model_input
from mcviz.data.drawing import LUMA, center_digit
from mcviz.kinds.image_distortions import NOISES, invert, mix, rotate, shuffle_pixels
from mcviz.measures import mutual_information
from mcviz.measures.ood import ClassSubspaces, OODDetector, nearest_neighbours, unexplained_share
from mcviz.sampling.ood import activations_before_dropout

Array = np.ndarray
Values = dict[str, Array]  # by detector or layer, a row an image

ROOT = Path(__file__).parents[1]
MNIST, FASHION = ROOT / "cache" / "mnist-cnn", ROOT / "cache" / "fashion-cnn"
SIDE, FINE = 28, 8  # pixels of an image, and drawn for each of them
LETTERS = "ACEFHJKLMNPRTUVWXY"  # B, D, G, I, O, Q, S and Z read as digits
NO_DIGIT_IN_A_MIRROR = (3, 4, 6, 7, 9)  # 0, 1 and 8 stay what they are, and 2 and 5 change places
IMAGES_AT_ONCE = 1000
FLAT = 1e-12  # a standard deviation below this is rounding
FOLDS = 5
MISTAKES = "Own mistakes"
DROPOUT_OFF, UNEXPLAINED, PROBE = "Max probability, dropout off", "Unexplained share", "The probe’s detector"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL.keras", help="networks for MNIST; the shipped one without")
    parser.add_argument("--passes", type=int, default=500)
    parser.add_argument("--images", type=int, default=1000, help="of each set, and ten times as many test images")
    options = parser.parse_args()
    run = mcviz.open_run(MNIST)
    first = slice(10 * options.images)
    images, labels = as_model_input(np.asarray(run.images)[first]), np.asarray(run.labels)[first]
    sets = make_sets(images[1::2], labels[1::2], options.images)
    paths = options.models or [MNIST / "model.keras"]
    tables = [measure_aurocs(mcviz.load_model(path), images, labels, sets, options.passes) for path in paths]
    print(f"| set | {' | '.join(tables[0])} |\n|---{'|---' * len(tables[0])}|")
    for name in (*sets, MISTAKES):
        cells = [[table[detector][name] for table in tables] for detector in tables[0]]
        print(f"| {name} | {' | '.join(map(format_cell, cells))} |")


def format_cell(aurocs: list[float]) -> str:
    """Format the AUROC of one model, or the median of several with their range."""
    middle = f"{np.median(aurocs):.3f}"
    return middle if len(aurocs) == 1 else f"{middle} ({min(aurocs):.3f} to {max(aurocs):.3f})"


def measure_aurocs(
    model: keras.Model, images: Array, labels: Array, sets: dict[str, Array], passes: int
) -> dict[str, dict[str, float]]:
    """Measure how well each detector finds each set, and the model's own mistakes.

    Args:
        model: ends in a dense layer of 10 classes, with dropout.
        images: (N, 28, 28, 1) float32 in 0..1, in distribution; every second one is fitted on.
        labels: (N,) their classes.
        sets: images by name.
        passes: T.

    Returns:
        The AUROC by detector and set.
    """
    known, *others = (observe(model, inputs, passes) for inputs in (images[::2], images[1::2], *sets.values()))
    wrong = [predict(inputs) != truth for inputs, truth in ((known, labels[::2]), (others[0], labels[1::2]))]
    ends = {name: 1 if roc_auc_score(wrong[0], values) >= 0.5 else -1 for name, values in known["moments"].items()}
    fitted = fit_detectors(known, labels[::2])
    (own, *foreign) = (
        features["scores"]
        | {name: ends[name] * values for name, values in features["moments"].items()}
        | fitted(features)
        for features in others
    )
    return {
        detector: {
            **{name: _auroc(own[detector], values[detector]) for name, values in zip(sets, foreign, strict=True)},
            MISTAKES: float(roc_auc_score(wrong[1], own[detector])),
        }
        for detector in own
    }


def observe(model: keras.Model, images: Array, passes: int) -> dict[str, Values]:
    """Compute the outputs and activations of (N, 28, 28, 1) images that detectors look at."""
    blocks = [
        _observe_block(model, images[start : start + IMAGES_AT_ONCE], passes)
        for start in range(0, len(images), IMAGES_AT_ONCE)
    ]
    return {
        kind: {name: np.concatenate([block[kind][name] for block in blocks]) for name in blocks[0][kind]}
        for kind in blocks[0]
    }


def _observe_block(model: keras.Model, images: Array, passes: int) -> dict[str, Values]:
    kernel, bias = model.layers[-1].get_weights()
    in_front = keras.Model(model.inputs[0], model.layers[-1].input)
    logits = mcviz.Sampler(in_front, task="regression").sample(images, passes=passes) @ kernel + bias
    activations = in_front(images, training=False).numpy()
    probs, deterministic = softmax(logits, axis=-1), softmax(activations @ kernel + bias, axis=-1)
    mean = probs.mean(axis=0, dtype=np.float64)
    predicted = mean.argmax(axis=-1)[None, :, None]
    shapes = {name: np.take_along_axis(of, predicted, -1)[..., 0] for name, of in (("p", probs), ("logit", logits))}
    return {
        "vectors": {
            "mean": mean,
            "last": normalize(activations),
            "front": activations_before_dropout(mcviz.Sampler(model), images),
        },
        "scores": {
            DROPOUT_OFF: -deterministic.max(axis=-1),
            "Max probability": -mean.max(axis=-1),
            "Mutual information": mutual_information(probs),
        },
        "moments": {
            "Skewness of the probability": compute_moment(skew, shapes["p"], 0),
            "Bimodality of the probability": compute_bimodality(shapes["p"]),
            "Skewness of the logit": compute_moment(skew, shapes["logit"], 0),
            "Kurtosis of the logit": compute_moment(_kurtosis, shapes["logit"], 3),
        },
    }


def predict(observed: dict[str, Values]) -> Array:
    """Return the class of the predictive mean. (N,) int64."""
    return observed["vectors"]["mean"].argmax(axis=1)


def compute_moment(moment: Callable[[Array], Array], values: Array, of_normal: float) -> Array:
    """Compute a standardised moment over the passes, that of a normal distribution where all passes agree.

    Args:
        moment: of the first axis.
        values: (T, N), a number a pass.
        of_normal: its value for a normal distribution.

    Returns:
        (N,) float64.
    """
    values = values.astype(np.float64)
    varies = values.std(axis=0) > FLAT
    moments = np.full(values.shape[1], float(of_normal))
    moments[varies] = moment(values[:, varies])
    return moments


def compute_bimodality(values: Array) -> Array:
    """Compute (skewness² + 1) / kurtosis, 0 to 1, 5/9 for a uniform distribution (Pearson 1916, Sarle 1990)."""
    return (compute_moment(skew, values, 0) ** 2 + 1) / compute_moment(_kurtosis, values, 3)


def _kurtosis(values: Array) -> Array:
    return kurtosis(values, fisher=False)


def fit_detectors(known: dict[str, Values], labels: Array) -> Callable[[dict[str, Values]], Values]:
    """Fit the detectors that look at activations on in-distribution images with their (N,) labels."""
    vectors, fold = known["vectors"], np.arange(len(labels)) % FOLDS
    classes = vectors["mean"].shape[1]
    subspaces = ClassSubspaces.fit(vectors["front"], labels, classes)
    shares = np.empty(len(labels))
    for part in range(FOLDS):  # each image by a fit that was made without it
        others = ClassSubspaces.fit(vectors["front"][fold != part], labels[fold != part], classes)
        shares[fold == part] = unexplained_share(others, vectors["mean"][fold == part], vectors["front"][fold == part])
    probe = OODDetector.calibrate(subspaces, vectors["mean"], shares)

    def score(observed: dict[str, Values]) -> Values:
        of = observed["vectors"]
        return {
            "Ten neighbours, penultimate layer": nearest_neighbours(vectors["last"], of["last"]),
            UNEXPLAINED: unexplained_share(subspaces, of["mean"], of["front"]),
            PROBE: probe.predict(of["mean"], of["front"]).ood_score,
        }

    return score


def _auroc(own: Array, foreign: Array) -> float:
    return float(roc_auc_score(np.repeat([0, 1], [len(own), len(foreign)]), np.concatenate([own, foreign])))


def make_sets(images: Array, labels: Array, count: int) -> dict[str, Array]:
    """Make the sets of images that are not as those of MNIST, the same for the same images.

    Args:
        images: (N, 28, 28, 1) float32 in 0..1, test images that no detector is fitted on.
        labels: (N,) their classes.
        count: images in each set, at most N.

    Returns:
        By name (at most `count`, 28, 28, 1) float32 in 0..1.
    """
    first, middle = images[:count], SIDE // 2
    random = np.random.default_rng(6)
    others = images[[random.choice(np.flatnonzero(labels != label)) for label in labels[:count]]]
    fashion = as_model_input(_spread(np.asarray(mcviz.open_run(FASHION).images), count))
    digits = scipy.ndimage.zoom(load_digits().images / 16, (1, 20 / 8, 20 / 8), order=1)
    digits = np.pad(digits, ((0, 0), (4, 4), (4, 4)))[..., None].astype(np.float32)
    noises = NOISES.values()
    return {
        **{noise.label: noise.draw(count, images.shape[1:], seed, 1.0) for seed, noise in enumerate(noises, start=1)},
        "Fashion-MNIST": fashion,
        "Inverted Fashion-MNIST": invert(fashion),
        "Rotated by 90°": rotate(first, 90),
        "Inverted": invert(first),
        "Digits in a mirror": images[np.isin(labels, NO_DIGIT_IN_A_MIRROR)][:count, :, ::-1].copy(),
        "Mixed pairs": mix(first, others),
        "Stacked halves of two": np.concatenate([first[:, :middle], others[:, middle:]], axis=1),
        "Shuffled pixels": shuffle_pixels(first, seed=7),
        "Printed letters": draw_characters(LETTERS, count, seed=21),
        "Stripes and checks": draw_patterns(count, seed=23),
        "Patches of photographs": cut_photographs(count, seed=24),
        "8 × 8 digits (a shift)": _spread(digits, count),
        "Printed digits (a shift)": draw_characters("0123456789", count, seed=25),
    }


def draw_characters(characters: str, count: int, seed: int) -> Array:
    """Draw characters of Pillow's own font, thin to bold and a little askew, scaled and centred as MNIST's digits are.

    The font is Aileron Regular by Sora Sagano, whose file says “No Rights Reserved.”
    """
    random, middle = np.random.default_rng(seed), SIDE * FINE / 2
    font, images = ImageFont.load_default(0.6 * SIDE * FINE), []
    for character in random.choice(list(characters), count):
        paper = Image.new("L", (SIDE * FINE, SIDE * FINE))
        bold = int(random.integers(0, 9))
        pen = ImageDraw.Draw(paper)
        pen.text((middle, middle), str(character), fill=255, font=font, anchor="mm", stroke_width=bold)
        rotated = paper.rotate(random.uniform(-15, 15), Image.Resampling.BILINEAR)
        images.append(center_digit(np.asarray(rotated, np.float32) / 255, SIDE, SIDE))
    return np.stack(images)[..., None]


def draw_patterns(count: int, seed: int) -> Array:
    """Draw stripes and checks in black and white, 4 to 14 pixels from one to the next, in any direction."""
    random, images = np.random.default_rng(seed), []
    place = (np.arange(SIDE * FINE) + 0.5) / FINE
    down, right = np.meshgrid(place, place, indexing="ij")
    for number in range(count):
        angle, period, phases = random.uniform(0, np.pi), random.uniform(4, 14), random.random(2)
        bright = ((right * np.cos(angle) + down * np.sin(angle)) / period + phases[0]) % 1 < 0.5
        if number % 2:
            bright ^= ((down * np.cos(angle) - right * np.sin(angle)) / period + phases[1]) % 1 < 0.5
        images.append(bright.astype(np.float32).reshape(SIDE, FINE, SIDE, FINE).mean(axis=(1, 3)))
    return np.stack(images)[..., None]


def cut_photographs(count: int, seed: int) -> Array:
    """Cut patches out of the two photographs that come with scikit-learn, from any place, in grey at half size.

    The photographs are by Daniel Büchele and vultilion, CC BY 2.0; they are read from scikit-learn, and not shipped.
    """
    random, images = np.random.default_rng(seed), []
    pictures = [picture.astype(np.float32) / 255 @ LUMA for picture in load_sample_images().images]
    for number in range(count):
        picture = pictures[number % len(pictures)]
        top, left = (int(random.integers(0, size - 2 * SIDE + 1)) for size in picture.shape)
        patch = picture[top : top + 2 * SIDE, left : left + 2 * SIDE]
        images.append(patch.reshape(SIDE, 2, SIDE, 2).mean(axis=(1, 3)))
    return np.clip(np.stack(images), 0, 1)[..., None]


def _spread(images: Array, count: int) -> Array:
    return images[np.arange(count) * len(images) // count]


if __name__ == "__main__":
    main()
