"""How long Monte Carlo passes take, against the loop that most people write.

    python benchmarks/sampling.py [--model MODEL.keras --data MNIST.npz]

The loop is `predict` over all images, once a pass, with Keras's own layers and dropout really on. Some of its passes
are timed and the rest scaled. Ours are whole jobs, everything counted but the import of TensorFlow and the data.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import mcviz
from mcviz.data import as_model_input, read_data
from mcviz.errors import McvizError
from mcviz.model import Sampler, load_model
from mcviz.model.sampler import Masks

SHIPPED_RUN = Path(__file__).resolve().parent.parent / "cache" / "mnist-cnn"
PASSES = 500
MODES: tuple[Masks, ...] = ("per_pass", "per_example")


class Loop(keras.Model):
    """A model whose `predict` has dropout on: as Keras has it, with frozen BatchNormalization."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model
        self.compile(jit_compile=False)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """One pass."""
        return self.model(inputs, training=True)


@dataclass(frozen=True)
class Case:
    """A model and its images, with the numbers of passes that are timed."""

    name: str
    model: keras.Model
    images: np.ndarray
    passes: int
    loop_passes: int


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="the reference network, trained; otherwise that of the shipped run")
    parser.add_argument("--data", type=Path, help="an .npz of MNIST; otherwise the images of the shipped run")
    parser.add_argument("--only-reference", action="store_true", help="leave the other models out")
    options = parser.parse_args()
    try:
        model, images = reference(options.model, options.data)
    except McvizError as error:
        print(f"{error}\nGive --model and --data.", file=sys.stderr)
        return 2
    busy = os.getloadavg()[0]
    print(f"{len(os.sched_getaffinity(0))} cores, keras {keras.__version__}, tensorflow {tf.__version__}")
    print(f"load before the start: {busy:.1f}{'' if busy < 0.5 else ', so these figures are not to be quoted'}\n")
    print_reference(Case("reference network", model, images, PASSES, loop_passes=5))
    if not options.only_reference:
        print_others([convolutional(images[:2000]), recurrent(), transformer()])
    return 0


def reference(model: Path | None, data: Path | None) -> tuple[keras.Model, np.ndarray]:
    """The model and its images, (N, 28, 28, 1) float32 in 0..1."""
    if model and data:
        return load_model(model), as_model_input(read_data(data).pixels)
    run = mcviz.open_run(SHIPPED_RUN)
    if run.model_path is None:
        raise mcviz.errors.RunNotFoundError(f"The run {SHIPPED_RUN} has no model.")
    return load_model(model or run.model_path), as_model_input(np.asarray(run.images))


def print_reference(case: Case) -> None:
    """Both mask modes against the loop and the bare matrix product, the time of one image, and the memory."""
    ours = {masks: seconds(partial(whole_job, case, masks)) for masks in MODES}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # before the loop takes memory of its own
    loop = seconds_of_loop(case)
    dense = seconds_of_dense_product(len(case.images)) * case.passes
    print(f"{case.name}, {len(case.images):,} images × {case.passes} passes")
    print(f"{'':32}{'a job':>10}{'a pass':>12}{'the loop':>12}{'the product':>14}")
    rows = {f"the loop, {case.loop_passes} passes, scaled": loop, "the bare dense product": dense} | ours
    for name, took in rows.items():
        print(f"  {name:<30}{took:8.1f} s{took / case.passes:10.4f} s{loop / took:11.1f}×{took / dense:13.2f}×")
    sampler = Sampler(case.model)
    for masks in MODES:
        one = [seconds(partial(sampler.sample, case.images[:1], passes=PASSES, masks=masks)) for _ in range(22)][2:]
        print(f"  one image, {PASSES} passes, warm, {masks}: {1000 * np.median(one):.1f} ms, the median of 20")
    print(f"  peak memory of the two jobs, with TensorFlow and the images: {memory:.2f} GB\n")


def print_others(cases: list[Case]) -> None:
    """Models without a masked dense layer, both modes against their loops."""
    print(f"{'other models, a pass over 2,000 inputs':<54}{'the loop':>10}{'per_pass':>18}{'per_example':>18}")
    for case in cases:
        loop = seconds_of_loop(case) / case.passes
        sampler = Sampler(case.model)
        line = f"  {case.name:<52}{loop:8.4f} s"
        for masks in MODES:
            took = seconds(partial(sampler.sample, case.images, passes=case.passes, masks=masks)) / case.passes
            line += f"{took:9.4f} s{loop / took:6.1f}×"
        print(line)


def whole_job(case: Case, masks: Masks) -> None:
    """Prepare the model and sample it."""
    Sampler(case.model).sample(case.images, passes=case.passes, masks=masks)


def seconds_of_loop(case: Case) -> float:
    """Seconds of a whole job by the loop, scaled up from some passes of it."""
    loop = Loop(case.model)
    one = loop.predict(case.images[:1000], batch_size=1000, verbose=0)
    assert (one != loop.predict(case.images[:1000], batch_size=1000, verbose=0)).any(), "the loop's dropout is off"
    took = [seconds(partial(loop.predict, case.images, batch_size=1000, verbose=0)) for _ in range(case.loop_passes)]
    return float(np.mean(took)) * case.passes


def seconds_of_dense_product(count: int) -> float:
    """Seconds of one pass's matrix product, (count, 9216) @ (9216, 128), the median of 10."""
    numbers = np.random.default_rng(0)
    activations = tf.constant(numbers.random((count, 9216), dtype=np.float32))
    kernel = tf.constant(numbers.random((9216, 128), dtype=np.float32))
    return float(np.median([seconds(partial(tf.matmul, activations, kernel)) for _ in range(11)][1:]))


def seconds(work: Callable[[], object]) -> float:
    """Seconds of wall clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def convolutional(images: np.ndarray) -> Case:
    """A small network with BatchNormalization and SpatialDropout2D in its early layers."""
    model = keras.Sequential(
        [
            keras.Input(images.shape[1:]),
            layers.Conv2D(16, 3, activation="relu"),
            layers.BatchNormalization(trainable=False),
            layers.SpatialDropout2D(0.2),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.BatchNormalization(trainable=False),
            layers.SpatialDropout2D(0.2),
            layers.Conv2D(32, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    return Case("convolutions, BatchNormalization, SpatialDropout2D", model, images, passes=128, loop_passes=3)


def recurrent() -> Case:
    """A text model with dropout on the inputs and the state of an LSTM."""
    model = keras.Sequential(
        [
            keras.Input((60,), dtype="int32"),
            layers.Embedding(5000, 32),
            layers.LSTM(48, dropout=0.2, recurrent_dropout=0.2),
            layers.Dense(4, activation="softmax"),
        ]
    )
    tokens = np.random.default_rng(0).integers(0, 5000, (2000, 60)).astype(np.int32)
    return Case("text: embedding, LSTM with recurrent dropout", model, tokens, passes=128, loop_passes=3)


def transformer() -> Case:
    """One transformer block over token embeddings, dropout in its attention and behind both halves."""
    tokens = keras.Input((40,), dtype="int32")
    hidden = layers.Embedding(5000, 32)(tokens)
    attended = layers.MultiHeadAttention(4, 8, dropout=0.1)(hidden, hidden)
    hidden = layers.LayerNormalization()(hidden + layers.Dropout(0.1)(attended))
    forward = layers.Dense(32)(layers.Dense(64, activation="relu")(hidden))
    hidden = layers.LayerNormalization()(hidden + layers.Dropout(0.1)(forward))
    pooled = layers.Dropout(0.3)(layers.GlobalAveragePooling1D()(hidden))
    model = keras.Model(tokens, layers.Dense(4, activation="softmax")(pooled))
    images = np.random.default_rng(0).integers(0, 5000, (2000, 40)).astype(np.int32)
    return Case("text: a transformer block", model, images, passes=128, loop_passes=3)


if __name__ == "__main__":
    raise SystemExit(main())
