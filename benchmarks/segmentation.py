"""Segmentation: which score finds poor predictions, the speed of sampling, and of looking at another image.

    python benchmarks/segmentation.py --data mnist.npz [--parts scores sampling looks] [--examples 600] [--turns 5]

The model is that of the shipped run. `scores` ranks canvases that the run does not have; its intervals are of the
paired bootstrap over canvases. `sampling` and `looks` take turns with what they are held against; a ratio is the median
over turns. Only `scores` needs MNIST.
"""

import argparse
import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras
import numpy as np
import tensorflow as tf
from streamlit.testing.v1 import AppTest

import mcviz
from benchmarks.digits import CHANNELS, CLASS_NAMES, PASSES, SIDE, build_unet, draw_canvases
from mcviz.data import as_model_input, read_mnist
from mcviz.measures.intervals import percentile_intervals, resample
from mcviz.measures.registry import SEGMENTATION_SCORES, SegmentationPredictions
from mcviz.measures.segmentation import (
    areas,
    count_overlaps,
    pairwise_dice_by_class,
    reduce_probabilities,
    soft_dice_confidence,
)
from mcviz.measures.selective import Ranking, compute_areas, perfect_ranking
from mcviz.sampling import Sampler

Array = np.ndarray

ROOT = Path(__file__).resolve().parents[1]
SHIPPED, BESIDE = "digits-segmentation", "mnist-cnn"
FIRST = "pairwise_dice"
CLASSES = len(CLASS_NAMES)
AT_ONCE = 32  # canvases, whose probabilities are in memory
LOOPED = 64  # canvases of the loop
LARGE = 512  # pixels a side


def main(arguments: list[str] | None = None) -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="an .npz of MNIST, as keras.datasets.mnist packs it")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--examples", type=int, default=600, help="canvases that are ranked")
    parser.add_argument("--passes", type=int, default=PASSES)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args(arguments)
    for part in options.parts:
        PARTS[part](options)
    if hasattr(os, "getloadavg"):
        print(f"Processes that ran or waited in the last minute, this one with them: {os.getloadavg()[0]:.1f}")


def print_scores(options: argparse.Namespace) -> None:
    """Print how well each score ranks the canvases, and how much worse than the first one."""
    if options.data is None:
        raise SystemExit("The scores are those of canvases of MNIST: give it by --data.")
    images, masks, _ = draw_canvases(read_mnist(options.data)[1], options.examples, seed=2)
    loss, uncertainties = rank_canvases(load_shipped(), images, masks, options.passes)
    orders = {name: Ranking(uncertainty, loss) for name, uncertainty in uncertainties.items()}
    orders |= {"random (expected)": Ranking(np.zeros(len(loss)), loss), "perfect": perfect_ranking(Ranking(loss, loss))}

    def build_statistic(chosen: Array | slice) -> Callable[[Array], Array]:
        some = [ranking.select(chosen) for ranking in orders.values()]

        def compare(weights: Array) -> Array:
            both = np.stack([1000 * compute_areas(ranking, weights)[:, [0, 2]] for ranking in some], axis=1)
            return np.concatenate([both, both - both[:, :1]], axis=2).reshape(len(weights), -1)

        return compare

    figures = percentile_intervals(*resample(build_statistic, len(loss)), 0.95)
    print(f"{len(loss)} canvases, {options.passes} passes, mean Dice {1 - loss.mean():.1%}\n")
    print("| score | AURC × 1000 | more than the first | AUGRC × 1000 | more than the first |\n|---|---|---|---|---|")
    for name, *columns in zip(orders, *(figures[place::4] for place in (0, 2, 1, 3)), strict=True):
        cells = [
            f"{area.value:.1f} | {more.format('{:+.1f}'.format) if more.low < more.high else '–'}"
            for area, more in (columns[:2], columns[2:])
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def load_shipped() -> keras.Model:
    """Load the model of the shipped run."""
    return mcviz.load_model(ROOT / "cache" / SHIPPED / "model.keras")


def rank_canvases(model: keras.Model, images: Array, masks: Array, passes: int) -> tuple[Array, dict[str, Array]]:
    """Sample canvases, and compute how wrong their predictions are and how uncertain by each score.

    Args:
        model: predicts `CLASSES` classes, of which the first is the background.
        images: (N, side, side, 1) uint8.
        masks: (N, side, side) uint8.
        passes: T.

    Returns:
        (N,) losses, 1 less the mean Dice; and (N,) uncertainties by the label of each score, pairwise Dice first.
    """
    sampler, loss, found = Sampler(model, task="segmentation"), [], []
    for start in range(0, len(images), AT_ONCE):
        chosen = slice(start, start + AT_ONCE)
        probs = sampler.sample(as_model_input(images[chosen]), passes=passes)
        probs = probs.reshape(passes, -1, *masks.shape[1:], CLASSES)
        of = reduce_probabilities(probs, None, 0)
        entropies = of.predictive_entropy, of.mutual_information
        predictions = SegmentationPredictions(of.classes, CLASSES, 0, of.mean_class, of.mean_confidence, *entropies)
        loss.append(1 - count_overlaps(of.mean_class, masks[chosen], CLASSES, 0).mean_dice)
        mean, drawn = probs.mean(axis=0), areas(of.mean_class[None], CLASSES)[0, :, 1:] > 0
        scores = {
            SEGMENTATION_SCORES[name].label: SEGMENTATION_SCORES[name].uncertainty(values)
            for name, values in SEGMENTATION_SCORES.compute(predictions).items()
        }
        by_class = [soft_dice_confidence(mean[..., digit], of.mean_class == digit, 0) for digit in range(1, CLASSES)]
        scores["Soft Dice confidence, mean over what is drawn"] = -average(np.stack(by_class, axis=1), drawn)
        agreement = pairwise_dice_by_class(of.classes, CLASSES)[:, 1:]
        scores["Pairwise Dice, of a class first and then over classes"] = -average(agreement, ~np.isnan(agreement))
        found.append(scores)
    return np.concatenate(loss), {name: np.concatenate([scores[name] for scores in found]) for name in found[0]}


def average(by_class: Array, chosen: Array) -> Array:
    """Average (N, C) values of some classes, image by image; 1 where it is none."""
    return np.where(chosen.any(axis=1), np.where(chosen, by_class, 0).sum(axis=1) / chosen.sum(axis=1).clip(1), 1)


def print_sampling(options: argparse.Namespace) -> None:
    """Print how long passes take by mcviz, and by a loop that calls the model once a pass."""
    images = as_model_input(np.asarray(mcviz.open_run(ROOT / "cache" / SHIPPED).images[:LOOPED]))
    print(f"{len(images)} canvases, {options.passes} passes, medians of {options.turns} turns\n")
    print("| model | loop | mcviz | times as fast | by processor time |\n|---|---|---|---|---|")
    for name, build in {"Keras U-Net": build_keras_loop, "PyTorch U-Net": build_torch_loop}.items():
        model, call = build()
        sampler = Sampler(model, task="segmentation")
        if np.array_equal(call(images), call(images)):
            raise RuntimeError(f"The dropout of the loop is off, in the {name}.")
        work = {
            "loop": lambda call=call: np.stack([call(images) for _ in range(options.passes)]),
            "mcviz": lambda sampler=sampler: sampler.sample(images, passes=options.passes),
        }
        sampler.sample(images, passes=2)
        print_turns(name, take_turns(work, options.turns), "s")


def build_keras_loop() -> tuple[keras.Model, Callable[[Array], Array]]:
    """Load the shipped model, and compile a call of it with dropout on."""
    looped = load_shipped()
    call = tf.function(lambda images: looped(images, training=True))
    return load_shipped(), lambda images: call(images).numpy()


def build_torch_loop() -> tuple[object, Callable[[Array], Array]]:
    """Build a U-Net of torch with the layers of the shipped one, and a call of it with its dropout on."""
    import torch
    from torch import nn

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down, self.up, self.joined = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
            for before, channels in zip((1, *CHANNELS), CHANNELS, strict=False):
                first, second = nn.Conv2d(before, channels, 3, 2, 1), nn.Conv2d(channels, channels, 3, 1, 1)
                self.down.append(nn.Sequential(first, nn.ReLU(), second, nn.ReLU()))
            for below, channels in pairwise(CHANNELS[::-1]):
                self.up.append(nn.ConvTranspose2d(below, channels, 2, 2))
                joined = nn.Conv2d(2 * channels, channels, 3, 1, 1), nn.ReLU(), nn.Dropout(0.2)
                self.joined.append(nn.Sequential(*joined))
            self.dropout, self.full = nn.Dropout(0.3), nn.ConvTranspose2d(CHANNELS[0], CHANNELS[0], 2, 2)
            self.last = nn.Conv2d(CHANNELS[0] + 1, CLASSES, 3, padding=1)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            hidden, left = images, []
            for down in self.down:
                hidden = down(hidden)
                left.append(hidden)
            hidden = self.dropout(left.pop())
            for up, joined in zip(self.up, self.joined, strict=True):
                hidden = joined(torch.cat([up(hidden), left.pop()], 1))
            return self.last(torch.cat([self.full(hidden).relu(), images], 1))

    torch.manual_seed(0)
    model, looped = UNet().eval(), UNet().eval()
    for module in looped.modules():
        module.training = isinstance(module, nn.Dropout)

    def call(images: Array) -> Array:
        with torch.inference_mode():
            return looped(torch.from_numpy(np.moveaxis(images, -1, 1).copy())).softmax(dim=1).numpy()

    return model, call


def print_looks(options: argparse.Namespace) -> None:
    """Print how long the server takes for another image on One example, without the browser."""
    print(f"the next image on One example, medians of {options.turns} turns\n")
    print("| image | time | held against | times as long | by processor time |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        write_large_run(Path(folder) / "large", options.turns + 2, options.passes)
        for name in (BESIDE, SHIPPED):
            (Path(folder) / name).symlink_to(ROOT / "cache" / name)
        os.environ["MCVIZ_CACHE"] = folder
        apps = {name: open_example(name) for name in (BESIDE, SHIPPED, "large")}
        gc.freeze()  # or else Streamlit, after each page, would look for garbage in what TensorFlow has in memory
        work = {name: lambda app=app: step(app) for name, app in apps.items()}
        seconds = take_turns(work, options.turns)
        gc.unfreeze()
    for name, label in ((SHIPPED, f"{SIDE} × {SIDE}, of the shipped run"), ("large", f"{LARGE} × {LARGE}")):
        print_turns(label, {name: seconds[name], BESIDE: seconds[BESIDE]}, "ms")


def write_large_run(path: Path, examples: int, passes: int) -> None:
    """Sample the shipped model over large images, each of many canvases side by side."""
    side = LARGE // SIDE
    large = build_unet(LARGE)
    large.set_weights(load_shipped().get_weights())
    run = mcviz.open_run(ROOT / "cache" / SHIPPED)
    chosen = np.random.default_rng(0).integers(len(run), size=(examples, side, side))
    images, masks = (np.asarray(array)[chosen] for array in (run.images, run.labels))
    images = images.swapaxes(2, 3).reshape(examples, LARGE, LARGE, 1)
    masks = masks.swapaxes(2, 3).reshape(examples, LARGE, LARGE)
    sampler = Sampler(large, task="segmentation")
    mcviz.sample_run(sampler, (images, masks), path, passes=passes, class_names=CLASS_NAMES, keep_model=False)


def open_example(run: str) -> AppTest:
    """Open the two most uncertain examples of a run, one after the other, so that all is read that stays in memory."""
    app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=600)
    app.query_params["run"] = run
    return step(app.switch_page("mcviz/app/pages/example.py").run())


def step(app: AppTest) -> AppTest:
    """Go on to the next example."""
    next(button for button in app.button if button.label == "Next").click().run()
    if app.exception:
        raise RuntimeError(str(app.exception))
    return app


Seconds = list[tuple[float, float]]  # by the clock and of the processors, a pair a turn


def take_turns(work: Mapping[str, Callable[[], object]], turns: int) -> dict[str, Seconds]:
    """Measure each work once a turn, in an order that is turned round from turn to turn."""
    seconds: dict[str, Seconds] = {name: [] for name in work}
    for turn in range(turns):
        for name in list(work)[:: -1 if turn % 2 else 1]:
            clock, processor = time.perf_counter(), time.process_time()
            work[name]()
            seconds[name].append((time.perf_counter() - clock, time.process_time() - processor))
    return seconds


def print_turns(label: str, seconds: Mapping[str, Seconds], unit: Literal["s", "ms"]) -> None:
    """Print the medians of two works, and the median of how many times as long as the second the first one takes."""
    one, other = seconds.values()
    pairs = list(zip(one, other, strict=True))
    ratios = [statistics.median(first[kind] / second[kind] for first, second in pairs) for kind in (0, 1)]
    scale, digits = (1000, 0) if unit == "ms" else (1, 2)
    cells = []
    for each in (one, other):
        clock, processor = (scale * statistics.median(times) for times in zip(*each, strict=True))
        cells.append(f"{clock:,.{digits}f} {unit}, {processor:,.{digits}f} {unit} of processors")
    print(f"| {label} | {' | '.join(cells)} | {ratios[0]:.2f}× | {ratios[1]:.2f}× |", flush=True)


PARTS = {"scores": print_scores, "sampling": print_sampling, "looks": print_looks}

if __name__ == "__main__":
    main()
