"""What thresholds gain that half of the labels chose, and whether guarantees by a tolerance hold.

    python benchmarks/thresholds.py gain          the F1 of a class by `mcviz thresholds --best f1`, shown and true
    python benchmarks/thresholds.py gain-of-two   the same of two classes
    python benchmarks/thresholds.py tolerance     the accuracy that `mcviz refer` guarantees within a tolerance
    python benchmarks/thresholds.py slider        how soon the slider on Trust counts, of 10,000 examples × 20 classes

Every draw is a run on disk, that is decided about and asked as any other. True figures are of a population of 200,000.
The time of the slider is from a key to the first frame with its counts, and to the first one with the interval of F1.
Half of the draws are warm-up for the slider.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import scipy
from playwright.sync_api import sync_playwright

import mcviz
from benchmarks.browsing import served, visited, wait_until_it_answers
from mcviz.analysis.thresholds import choosing_curve
from mcviz.app.thresholds import STEP
from mcviz.errors import InvalidInputError
from mcviz.measures.intervals import split_in_halves
from mcviz.measures.thresholds import FEWEST_POSITIVE, Curve
from mcviz.runs import Run
from tests.browsing import ROOT, SWITCHES, find_chromium

Array = np.ndarray
POPULATION = 200_000
RATE = 0.1  # of the class, about
SEPARATIONS = {"too low": -1.5, "calibrated": 0.0}  # of the log odds that a model says from the true ones
POSITIVES = 20, 50, 200  # labels of the class in the half that chooses, on average
TOLERANCES = 8.0, 12.0
LABELLED = 300, 1000, 3000
EXAMPLES, CLASSES = 10_000, 20  # of the run whose threshold is moved
FIRST_THRESHOLD = 0.1
SETTLED = 1000  # milliseconds between two keys
HEARD = "performance.now() - heard()"
COUNTED = f"""row => [...document.querySelectorAll("[data-testid=stTable] tr")].some(
    it => [...it.cells].slice(1, 4).map(cell => cell.textContent.trim()).join(" ") === row) && {HEARD}"""
DRAWN = f"""f1 => !document.querySelector("[data-stale=true]")
    && document.body.textContent.includes(`its F1 by them is ${{f1}} (`) && {HEARD}"""
WITHIN = 0.02  # of the true F1 is the shown one, on average
WANTED, CONFIDENCE = 0.95, 0.95


def draw_class(random: np.random.Generator, examples: int, shift: float) -> tuple[Array, Array]:
    """(N,) probabilities that a model gives a class, and (N,) int8, which examples have it."""
    odds = random.normal(-4.03, 2.6, examples)  # so that one example in ten has the class
    labels = (random.random(examples) < scipy.special.expit(odds)).astype(np.int8)
    return scipy.special.expit(odds + shift).astype(np.float32), labels


def measure_gain(of_two: bool, draws: int, folder: Path) -> None:
    """Print the gain of F1, and how far the shown F1 is from the true one."""
    print("model        positives  refused  median gain  shown − true  by the labels that chose − true")
    for model, shift in SEPARATIONS.items():
        population = Curve(*draw_population(shift))
        for positives in POSITIVES:
            random, gains, honest, same = np.random.default_rng(positives), [], [], []
            refused = 0
            for draw in range(draws):
                probs, labels = draw_class(random, round(2 * positives / RATE), shift)
                run = write_class(folder / f"{shift}-{positives}-{draw}", probs, labels, of_two)
                half = first_half(run)
                try:
                    found = mcviz.thresholds(run, best="f1").classes["login"]
                except InvalidInputError:
                    refused += 1
                    assert labels[half].sum() < FEWEST_POSITIVE
                    assert not run.decisions.thresholds, "a refused threshold is never chosen"
                    continue
                assert labels[half].sum() >= FEWEST_POSITIVE
                true = float(population.count(found.threshold).f1)
                gains.append(true - float(population.count(0.5).f1))
                honest.append(found.f1.value - true)
                same.append(float(Curve(probs[half], labels[half] == 1).count(found.threshold).f1) - true)
            figures = (np.median(gains), np.mean(honest), np.mean(same)) if gains else (np.nan,) * 3
            gain, shown, by_same = (f"{value:+.3f}" for value in figures)
            assert len(honest) < draws / 10 or abs(np.mean(honest)) <= WITHIN
            print(f"{model:<12} {positives:>9}  {refused:>7}  {gain:>11}  {shown:>12}  {by_same:>31}", flush=True)


def draw_population(shift: float) -> tuple[Array, Array]:
    """The probabilities of the population, and which examples have the class."""
    probs, labels = draw_class(np.random.default_rng(0), POPULATION, shift)
    return probs, labels == 1


def write_class(path: Path, probs: Array, labels: Array, of_two: bool) -> Run:
    """Write a run of one class of several labels, or of that class as the second of two."""
    apart = 0.1 * np.minimum(probs, 1 - probs)
    passes = np.stack([probs - apart, probs + apart])[..., None]
    if of_two:
        both = np.concatenate([1 - passes, passes], axis=-1)
        return mcviz.write_run(path, both, labels=labels.astype(int), class_names=["other", "login"])
    return mcviz.write_run(path, passes, labels=labels[:, None], task="multilabel", class_names=["login"])


def first_half(run: Run) -> Array:
    """(N,) bool, the examples that choose."""
    half = np.zeros(len(run), bool)
    half[split_in_halves(len(run), None, 0)[0]] = True
    return half


def draw_numbers(random: np.random.Generator, examples: int) -> tuple[Array, Array]:
    """(3, N, 1) passes whose spread says in part how wrong they are, and (N, 1) labels."""
    labels, size = random.normal(50, 10, examples), random.gamma(1.5, 2, examples)
    mean = labels + size * random.standard_t(4, examples)
    told = size * np.exp(random.normal(0, 0.4, examples))
    passes = mean + told * random.normal(0, 0.3, (3, examples))
    return passes[..., None].astype(np.float32), labels[:, None].astype(np.float32)


def measure_tolerance(draws: int, folder: Path) -> None:
    """Print how often the accuracy that is guaranteed is that of new examples at least."""
    passes, labels = draw_numbers(np.random.default_rng(0), POPULATION)
    spread, error = passes.std(axis=0)[:, 0], np.abs(passes.mean(axis=0) - labels)[:, 0]
    print("tolerance  labels  within it  guaranteed  broken  to a person, median")
    for tolerance in TOLERANCES:
        for count in LABELLED:
            random, broken, looks = np.random.default_rng(count), 0, []
            for draw in range(draws):
                run_passes, run_labels = draw_numbers(random, count)
                path = folder / f"{tolerance:g}-{count}-{draw}"
                run = mcviz.write_run(path, run_passes, labels=run_labels, task="regression")
                mcviz.thresholds(run, tolerance=tolerance)
                guarantee = mcviz.refer(run, accuracy=WANTED, confidence=CONFIDENCE).guarantee
                if guarantee is None:
                    continue
                rest = spread < guarantee.threshold
                broken += bool(rest.any() and (error[rest] <= tolerance).mean() < guarantee.quality)
                looks.append(1 - rest.mean())
            share = f"{(error <= tolerance).mean():.1%}"
            median = f"{np.median(looks):.1%}" if looks else "–"
            held = f"{len(looks):>6} of {draws}  {broken / draws:>5.1%}"
            print(f"{tolerance:>9g}  {count:>6}  {share:>9}  {held}  {median:>19}", flush=True)
            assert broken <= scipy.stats.binom.isf(0.001, draws, 1 - CONFIDENCE)


def write_labels(path: Path) -> Run:
    """Write a run of 10,000 examples with 20 labels each."""
    random = np.random.default_rng(0)
    columns = [draw_class(random, EXAMPLES, SEPARATIONS["too low"]) for _ in range(CLASSES)]
    probs, labels = (np.stack(part, axis=1) for part in zip(*columns, strict=True))
    names = [f"class {number}" for number in range(CLASSES)]
    return mcviz.write_run(path, np.stack([0.99 * probs, probs]), labels=labels, task="multilabel", class_names=names)


def measure_slider(draws: int, folder: Path) -> None:
    """Print how soon the counts of a threshold and the interval of its F1 are drawn after a key on the slider."""
    run = write_labels(folder / "labels")
    times: dict[str, list[float]] = {"counts": [], "interval of F1": []}
    curve = choosing_curve(run, 0)
    with sync_playwright() as playwright, served(ROOT / "dashboard.py", ROOT, folder) as (url, _):
        wait_until_it_answers(url)
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=SWITCHES)
        with visited(browser, f"{url}/trust?trust_class=0&trust_threshold={FIRST_THRESHOLD}") as page:
            slider = page.get_by_role("slider", name="Threshold of class 0")
            slider.focus()
            for draw in range(draws):
                counts = curve.count(FIRST_THRESHOLD + STEP * (draw + 1))
                row = f"{counts.both:,} {counts.positives - counts.both:,} {counts.predicted - counts.both:,}"
                page.wait_for_timeout(SETTLED)
                page.evaluate("listen('keydown')")
                slider.press("ArrowRight")
                for name, condition, wanted in (
                    ("counts", COUNTED, row),
                    ("interval of F1", DRAWN, f"{counts.f1:.3f}"),
                ):
                    drawn = page.wait_for_function(condition, arg=wanted, polling="raf")
                    times[name].append(float(drawn.json_value()))
        browser.close()
    for name, found in times.items():
        median, most = np.percentile(found[draws // 2 :], [50, 95])
        print(f"{name:<15} median {median:.0f} ms, 95th percentile {most:.0f} ms, of {len(found[draws // 2 :])}")


PARTS: dict[str, Callable[[int, Path], None]] = {
    "gain": partial(measure_gain, False),
    "gain-of-two": partial(measure_gain, True),
    "tolerance": measure_tolerance,
    "slider": measure_slider,
}


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--draws", type=int, default=200)
    options = parser.parse_args()
    for part in options.parts:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[part](options.draws, Path(folder))


if __name__ == "__main__":
    main()
