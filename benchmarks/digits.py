"""The shipped run of segmentation: canvases with overlapping digits of MNIST, and a small U-Net that finds them.

    python benchmarks/digits.py --data mnist.npz [--out cache/digits-segmentation] [--canvases 12000] [--epochs 5]

It draws canvases from the training digits, trains on them, and samples the run from canvases of test digits. With the
defaults it takes some minutes of two cores.
"""

import argparse
from functools import partial
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
BATCH = 16
RATE = 2e-3
CHANNELS = 16, 32, 48, 64  # at a half of the side, at a quarter and so on
BACKGROUND_SHARE = 0.95  # of the pixels


def main(arguments: list[str] | None = None) -> None:
    """Draw, train and sample."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="an .npz of MNIST, as keras.datasets.mnist packs it")
    parser.add_argument("--out", type=Path, default=Path("cache/digits-segmentation"))
    parser.add_argument("--canvases", type=int, default=12_000, help="to train on")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the training")
    options = parser.parse_args(arguments)
    train, test = read_mnist(options.data)
    model = train_unet(train, canvases=options.canvases, epochs=options.epochs, seed=options.seed)
    images, masks, digits = draw_canvases(test, EXAMPLES, seed=1)
    columns = pd.DataFrame({"digits": digits})
    data = DataSet(images, masks, columns=columns)
    run = mcviz.sample_run(
        Sampler(model, task="segmentation"), data, options.out, passes=PASSES, class_names=CLASS_NAMES, about=ABOUT
    )
    print(run)


def draw_canvases(
    digits: DataSet, count: int, seed: int, *, side: int = SIDE, most: int = MOST_DIGITS
) -> tuple[Array, Array, Array]:
    """Draw one to some digits, anywhere on a canvas, each over those that are there already.

    Args:
        digits: images of 28 × 28 pixels, uint8, with their labels.
        count: of canvases, N.
        seed: of what is drawn where.
        side: of a canvas, in pixels.
        most: digits on a canvas.

    Returns:
        (N, side, side, 1) uint8 canvases; (N, side, side) uint8 masks, 0 for the background and 1 + the digit for a
        pixel of one; and (N,) how many digits each canvas has.
    """
    random, labels = np.random.default_rng(seed), np.asarray(digits.labels)
    images, masks = np.zeros((count, side, side, 1), np.uint8), np.zeros((count, side, side), np.uint8)
    numbers = random.integers(1, most + 1, count)
    for image, mask, number in zip(images[..., 0], masks, numbers.tolist(), strict=True):
        for chosen in random.integers(len(labels), size=number).tolist():
            digit = digits.pixels[chosen, ..., 0]
            top, left = random.integers(0, side - np.array(digit.shape) + 1)
            place = slice(top, top + digit.shape[0]), slice(left, left + digit.shape[1])
            image[place] = np.maximum(image[place], digit)
            mask[place] = np.where(digit >= INK, 1 + labels[chosen], mask[place])
    return images, masks, numbers


def build_unet(side: int = SIDE) -> keras.Model:
    """Build an untrained U-Net of 200,000 weights, whose weights have the same shapes for any size of image.

    It works on halved images, down to a sixteenth, with dropout at each size but the full one.

    Args:
        side: height and width of an image, a multiple of 16.

    Returns:
        A model from (N, side, side, 1) float32 to (N, side, side, 11) probabilities, of which the background's is high
        at first: else learning that most is background makes activations zero for good.
    """
    layers = keras.layers
    convolution = partial(layers.Conv2D, padding="same", activation="relu", kernel_initializer="he_normal")
    inputs = hidden = keras.Input((side, side, 1))
    left = []
    for channels in CHANNELS:
        hidden = convolution(channels, 3)(convolution(channels, 3, strides=2)(hidden))
        left.append(hidden)
    hidden = layers.Dropout(0.3)(left.pop())
    for channels in CHANNELS[-2::-1]:
        joined = layers.Concatenate()([layers.Conv2DTranspose(channels, 2, strides=2)(hidden), left.pop()])
        hidden = layers.Dropout(0.2)(convolution(channels, 3)(joined))
    hidden = layers.Conv2DTranspose(CHANNELS[0], 2, strides=2, activation="relu")(hidden)
    last = layers.Conv2D(len(CLASS_NAMES), 3, padding="same", activation="softmax")
    model = keras.Model(inputs, last(layers.Concatenate()([hidden, inputs])))
    last.bias.assign(np.log([BACKGROUND_SHARE, *[(1 - BACKGROUND_SHARE) / 10] * 10]))
    return model


def train_unet(digits: DataSet, *, canvases: int, epochs: int, seed: int) -> keras.Model:
    """Train a U-Net by cross-entropy with Adam: at first on single digits, for one epoch, and then on canvases.

    Args:
        digits: images of 28 × 28 pixels, uint8, with their labels.
        canvases: how many are drawn of them, and of single digits twice as many.
        epochs: how often it sees every canvas.
        seed: of the canvases, the initial weights, the dropout masks and the order of the canvases.
    """
    keras.utils.set_random_seed(seed)
    single = draw_canvases(digits, 2 * canvases, seed, side=32, most=1)
    small = build_unet(32)
    _fit(small, *single[:2], epochs=1)
    model = build_unet()
    model.set_weights(small.get_weights())
    _fit(model, *draw_canvases(digits, canvases, seed)[:2], epochs=epochs)
    trained = build_unet()  # without the optimizer, which would be saved with it
    trained.set_weights(model.get_weights())
    return trained


def _fit(model: keras.Model, images: Array, masks: Array, *, epochs: int) -> None:
    rate = keras.optimizers.schedules.CosineDecay(RATE, epochs * -(-len(images) // BATCH))
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)  # XLA is slower on processors
    model.fit(as_model_input(images), masks, batch_size=BATCH, epochs=epochs, verbose=2)


if __name__ == "__main__":
    main()
