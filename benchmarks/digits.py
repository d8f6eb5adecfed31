"""The shipped run of segmentation: canvases with overlapping digits of MNIST, and a small U-Net that finds them.

    python benchmarks/digits.py --data mnist.npz [--out cache/digits-segmentation] [--canvases 8000] [--epochs 4]

It draws canvases from the training digits, trains on them, and samples the run from canvases of test digits. With the
defaults it takes some minutes of two cores.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
import pandas as pd

import mcviz
from mcviz.data import DataSet, as_model_input, read_mnist
from mcviz.sampling import Sampler

Array = np.ndarray

SIDE = 64  # pixels of a canvas
MOST_DIGITS = 3
INK = 96  # of 255: a pixel of a digit with so much is part of it
CLASS_NAMES = ["background", *(f"digit {digit}" for digit in range(10))]
ABOUT = {
    "source": "canvases of overlapping digits, drawn by benchmarks/digits.py from the test images of MNIST",
    "licence": "CC BY-SA 3.0, Yann LeCun and Corinna Cortes",
}
EXAMPLES, PASSES = 300, 20
BATCH = 32


def main(arguments: list[str] | None = None) -> None:
    """Draw, train and sample."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="an .npz of MNIST, as keras.datasets.mnist packs it")
    parser.add_argument("--out", type=Path, default=Path("cache/digits-segmentation"))
    parser.add_argument("--canvases", type=int, default=8000, help="to train on")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0, help="of the training")
    options = parser.parse_args(arguments)
    train, test = read_mnist(options.data)
    images, masks, _ = draw_canvases(train, options.canvases, seed=options.seed)
    model = train_unet(as_model_input(images), masks, epochs=options.epochs, seed=options.seed)
    images, masks, digits = draw_canvases(test, EXAMPLES, seed=1)
    columns = pd.DataFrame({"digits": digits})
    data = DataSet(images, masks, columns=columns)
    run = mcviz.sample_run(
        Sampler(model, task="segmentation"), data, options.out, passes=PASSES, class_names=CLASS_NAMES, about=ABOUT
    )
    print(run)


def draw_canvases(digits: DataSet, count: int, seed: int) -> tuple[Array, Array, Array]:
    """Draw one to three digits, anywhere on a canvas, each over those that are there already.

    Args:
        digits: images of 28 × 28 pixels, uint8, with their labels.
        count: of canvases, N.
        seed: of what is drawn where.

    Returns:
        (N, 64, 64, 1) uint8 canvases; (N, 64, 64) uint8 masks, 0 for the background and 1 + the digit for a pixel of
        one; and (N,) how many digits each canvas has.
    """
    random = np.random.default_rng(seed)
    images, masks = np.zeros((count, SIDE, SIDE, 1), np.uint8), np.zeros((count, SIDE, SIDE), np.uint8)
    numbers = random.integers(1, MOST_DIGITS + 1, count)
    for image, mask, number in zip(images[..., 0], masks, numbers, strict=True):
        for chosen in random.integers(len(digits.labels), size=number):
            digit = digits.pixels[chosen, ..., 0]
            top, left = random.integers(0, SIDE - np.array(digit.shape) + 1)
            place = slice(top, top + digit.shape[0]), slice(left, left + digit.shape[1])
            image[place] = np.maximum(image[place], digit)
            mask[place] = np.where(digit >= INK, 1 + digits.labels[chosen], mask[place])
    return images, masks, numbers


def build_unet(side: int = SIDE, classes: int = len(CLASS_NAMES), width: int = 24) -> keras.Model:
    """Build an untrained U-Net that works on halved images, down to an eighth, with dropout at each resolution.

    Args:
        side: height and width of an image, a multiple of 8.
        classes: the number of classes, C.
        width: channels at half the resolution; twice and three times as many at a quarter and an eighth.

    Returns:
        A model from (N, side, side, 1) float32 to (N, side, side, C) probabilities.
    """
    layers = keras.layers

    def convolve(inputs: keras.KerasTensor, channels: int, stride: int = 1) -> keras.KerasTensor:
        hidden = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False)(inputs)
        return layers.Activation("relu")(layers.BatchNormalization()(hidden))

    def join(below: keras.KerasTensor, beside: keras.KerasTensor, channels: int) -> keras.KerasTensor:
        raised = layers.Conv2DTranspose(channels, 2, strides=2)(below)
        return convolve(layers.Concatenate()([raised, beside]), channels)

    inputs = keras.Input((side, side, 1))
    half = convolve(convolve(inputs, width, 2), width)
    quarter = convolve(convolve(half, 2 * width, 2), 2 * width)
    eighth = layers.Dropout(0.3)(convolve(convolve(quarter, 3 * width, 2), 3 * width))
    raised = layers.Dropout(0.3)(join(eighth, quarter, 2 * width))
    raised = layers.Dropout(0.2)(join(raised, half, width))
    full = layers.Concatenate()([layers.Conv2DTranspose(width, 2, strides=2, activation="relu")(raised), inputs])
    return keras.Model(inputs, layers.Conv2D(classes, 3, padding="same", activation="softmax")(full))


def train_unet(images: Array, masks: Array, *, epochs: int, seed: int) -> keras.Model:
    """Train a U-Net by cross-entropy with Adam, whose learning rate falls to zero along a cosine.

    Args:
        images: (N, side, side, 1) float32 in 0..1.
        masks: (N, side, side) uint8 classes.
        epochs: how often it sees every image.
        seed: of the initial weights, the dropout masks and the order of the images.
    """
    keras.utils.set_random_seed(seed)
    model = build_unet(images.shape[1])
    steps = epochs * -(-len(images) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", jit_compile=False)  # XLA is slower on CPUs
    model.fit(images, masks, batch_size=BATCH, epochs=epochs, verbose=2)
    trained = build_unet(images.shape[1])  # without the optimizer, which would be saved with it
    trained.set_weights(model.get_weights())
    return trained


if __name__ == "__main__":
    main()
