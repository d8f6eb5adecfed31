"""Many examples: what workers of Dask gain on this machine, and what a run takes, measured and estimated.

    python benchmarks/scale.py                          # all parts; about half an hour
    python benchmarks/scale.py --parts workers          # the plain command against one and two workers
    python benchmarks/scale.py --parts sizes            # time, memory and bytes by the number of examples
    python benchmarks/scale.py --parts table            # filters and ranking by pandas, by pyarrow and by DuckDB
    python benchmarks/scale.py --parts verdict          # how long the verdict on a run's probabilities takes

The model is that of the shipped run. For `workers` its examples are sampled, and the time counts from the first
predictions that are told of: TensorFlow, the model and the data are loaded by then, on the workers too. The ways take
turns, so that a slow moment of the machine meets all of them. Every run is compared with the first one, byte for byte.

For `sizes` the examples are repeated, each time moved by some pixels, in a file that is read as it is needed. Each run
is made by `mcviz.sample_run` in a process of its own. How long the dashboard takes to open and to rank so many examples
is measured by `python benchmarks/dashboard.py --examples 100000 1000000`.

For `table` the rows of the shipped run's scores are repeated, and moved a little. Every way gives the numbers of the
examples that pass a filter, in the order of a score; that they agree is checked.

For `verdict` the first passes of the shipped run are repeated, and imported as a run of 200,000 examples.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.dataset

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))  # of the workers

from benchmarks.memory import own_memory  # noqa: E402 (mcviz need not be installed)
from mcviz import plot, write_run  # noqa: E402
from mcviz.analysis.calibration_sentences import calibration_sentences  # noqa: E402
from mcviz.analysis.predictors import main_predictors, other_predictors  # noqa: E402
from mcviz.app.filters import ColumnFilter, Filters  # noqa: E402
from mcviz.data import DataSet  # noqa: E402
from mcviz.measures import most_uncertain_first  # noqa: E402
from mcviz.measures.calibration import add_predictors, calibration  # noqa: E402
from mcviz.options import ModelOptions  # noqa: E402
from mcviz.runs import Run, open_run  # noqa: E402
from mcviz.runs.data_set import data_set_of  # noqa: E402
from mcviz.runs.manifest_file import MAX_MANIFEST_BYTES  # noqa: E402
from mcviz.sampling.base import ModelSpec  # noqa: E402
from mcviz.sampling.cluster import connect  # noqa: E402
from mcviz.sampling.loading import load_sampler  # noqa: E402
from mcviz.sampling.run_sampling import sample_run  # noqa: E402
from mcviz.sampling.sampler import Sampler  # noqa: E402

SHIPPED = ROOT / "cache" / "mnist-cnn"
WAYS = {"the plain command": None, "one worker, `local:1`": "local:1", "two workers, `local:2`": "local:2"}
PARTS = ("workers", "sizes", "table", "verdict")
RANKED_BY = "mutual_information"
QUESTIONS = {  # in words, as the dashboard asks, and as a condition
    "all examples": (Filters(), "true"),
    "wrong predictions": (Filters(correct="wrong"), "not correct"),
    "label 4, predictive entropy from 0.5 on": (
        Filters(label=(4,), ranges=(ColumnFilter("predictive_entropy", low=0.5),)),
        "label = 4 and predictive_entropy >= 0.5",
    ),
}
TRIES = 7  # of each question
JUDGED, JUDGED_PASSES = 200_000, 50  # examples and passes, for `verdict`
WANTED = 10**7, 10**9  # examples, which are estimated
MACHINES = 1, 16, 256
MB, GB = 1e6, 1e9


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--examples", type=int, default=4096, help="of the shipped run, for `workers`")
    parser.add_argument("--passes", type=int, default=200, help="for `workers`")
    parser.add_argument("--tries", type=int, default=2, help="of each way, for `workers`")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**4, 10**5, 10**6], help="examples, for `sizes`")
    parser.add_argument("--few-passes", type=int, default=20, help="for `sizes`")
    parser.add_argument("--out", type=Path, help="where the runs of `sizes` stay; without it they are removed")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load before the start {os.getloadavg()[0]:.1f}")
    run = open_run(SHIPPED)
    if "workers" in options.parts and not workers(run, options.examples, options.passes, options.tries):
        return 1
    if "sizes" in options.parts:
        with tempfile.TemporaryDirectory() as folder:
            sizes(run, sorted(options.sizes), options.few_passes, options.out or Path(folder))
    if "table" in options.parts:
        with tempfile.TemporaryDirectory() as folder:
            questions(run, max(options.sizes), Path(folder) / "scores.parquet")
    if "verdict" in options.parts:
        with tempfile.TemporaryDirectory() as folder:
            verdict(run, Path(folder) / "run")
    return 0


def workers(run: Run, count: int, passes: int, tries: int) -> bool:
    """Print how much is sampled in a second in each way; False where the bits differ."""
    sampler = load_sampler(ModelSpec(ModelOptions(str(run.model_path))))
    examples = data_set_of(run)
    examples = examples.take(np.arange(min(count, len(examples))))
    print(f"\n{len(examples):,} examples × {passes:,} passes; medians of {tries}\n")
    rates: dict[str, list[float]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        first: dict[str, bytes] | None = None
        for number in range(tries):
            for name, scheduler in WAYS.items():
                out = Path(folder) / f"{number}-{scheduler or 'plain'}"
                rates[name].append(rate(sampler, examples, out, passes, scheduler))
                now = files(out)
                first = first or now
                if now != first:
                    print(f"{name}: other bits", file=sys.stderr)
                    return False
    plain = statistics.median(rates[next(iter(WAYS))])
    print("| | predictions a second | of the plain command |\n|---|---|---|")
    for name, found_rates in rates.items():
        median = statistics.median(found_rates)
        print(f"| {name} | {median:,.0f} | {median / plain:.2f}× |")
    print("\nAll runs have the same bytes.")
    return True


@dataclass(frozen=True)
class Made:
    """A run that was made, and what that took.

    Attributes:
        run: the run.
        seconds: of the whole command.
        peak: bytes of memory at most, without mapped files.
    """

    run: Run
    seconds: float
    peak: int

    @property
    def count(self) -> int:
        """The number of examples."""
        return len(self.run)

    @property
    def bytes(self) -> int:
        """The bytes of all files but the images and the model."""
        return sum(
            file.bytes
            for name, file in self.run.manifest.files.items()
            if "/images/" not in name and not name.endswith(".keras")
        )

    @property
    def of_manifest(self) -> int:
        """Bytes of the manifest."""
        return (Path(self.run.path) / "manifest.json").stat().st_size


def sizes(run: Run, counts: list[int], passes: int, folder: Path) -> None:
    """Print what runs of that many examples take, and what is estimated from the largest ones."""
    print("\n| examples | passes | seconds | peak memory | bytes an example | files | manifest |")
    print("|---|---|---|---|---|---|---|")
    measurements: list[Made] = []
    jobs = [(min(counts), run.passes), *((count, passes) for count in counts)]
    for count, workers in jobs:
        data = examples_file(run, folder / f"examples-{count}.npy", count)
        measurement = sampled(run, data, folder / f"passes-{count}-{workers}" / "run", workers)
        if workers == passes:
            measurements.append(measurement)
        print(
            f"| {count:,} | {workers} | {measurement.seconds:,.0f} | {measurement.peak / MB:,.0f} MB "
            f"| {measurement.bytes / count:,.0f} | {len(measurement.run.manifest.files):,} "
            f"| {measurement.of_manifest / MB:.2f} MB |",
            flush=True,
        )
        data.unlink()
    if len(measurements) > 1:
        estimates(measurements, passes)


def estimates(measurements: list[Made], passes: int) -> None:
    """Print what more examples would take: in proportion to what the last step of the sizes added."""
    print(f"\nEstimated of the same model with {passes} passes:")
    print("\n| examples | on disk | " + " | ".join(f"{count} such machines" for count in MACHINES), end=" |\n")
    print("|---|---|" + "---|" * len(MACHINES))
    seconds, size = (slope(measurements, name) for name in ("seconds", "bytes"))
    for count in WANTED:
        hours = [f"{count * seconds / among / 3600:,.1f} h" for among in MACHINES]
        print(f"| {count:,} | {count * size / GB:,.0f} GB | {' | '.join(hours)} |")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    print("\n| what ends first | at so many examples |\n|---|---|")
    of_manifest = measurements[-1].of_manifest / measurements[-1].count
    ends = {
        f"the memory of the first machine, {memory / GB:.0f} GB": memory / slope(measurements, "peak"),
        f"the manifest, of at most {MAX_MANIFEST_BYTES / MB:.0f} MB": MAX_MANIFEST_BYTES / of_manifest,
    }
    for what, most in sorted(ends.items(), key=lambda end: end[1]):
        print(f"| {what} | {most / 1e6:,.0f} million |")


def slope(runs: list[Made], name: str) -> float:
    """The cost of one more example, by the two largest runs."""
    one, other = runs[-2:]
    return float(getattr(other, name) - getattr(one, name)) / (other.count - one.count)


def examples_file(run: Run, path: Path, count: int) -> Path:
    """A file of that many images, (count, 28, 28) uint8, and one of their labels beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images, labels = np.asarray(run.images[:])[..., 0], run.labels
    assert labels is not None
    file = np.lib.format.open_memmap(path, "w+", np.uint8, (count, *images.shape[1:]))
    for number, start in enumerate(range(0, count, len(images))):
        moved = np.roll(images, (number % 5 - 2, number // 5 % 5 - 2), axis=(1, 2))
        file[start : start + len(images)] = moved[: count - start]
    file.flush()
    np.save(labels_of(path), np.resize(labels, count))
    return path


def questions(run: Run, count: int, path: Path) -> None:
    """Print how long each way takes to say which examples pass a filter, in the order of a score."""
    rows = pd.concat([run.scores()] * -(-count // len(run)), ignore_index=True)[:count].rename_axis("example")
    moved = np.random.default_rng(0).uniform(0, 1e-3, count)
    rows = rows.assign(**{RANKED_BY: rows[RANKED_BY].astype(float) + moved})  # without ties, whose order is nobody's
    rows.reset_index().to_parquet(path, compression="zstd")
    order = most_uncertain_first(RANKED_BY, rows[RANKED_BY].to_numpy())
    print(
        f"\n{count:,} examples; medians of {TRIES}; the table takes {rows.memory_usage().sum() / MB:,.0f} MB in memory"
    )
    print(
        "\n| | selected | pandas, as the dashboard | pandas, and sorts | pyarrow | DuckDB |\n|---|---|---|---|---|---|"
    )
    for words, (filters, condition) in QUESTIONS.items():
        ways = {
            "kept": lambda filters=filters: order[filters.mask(rows)[order]],
            "sorted": lambda filters=filters: sort_again(rows, filters),
            "pyarrow": lambda filters=filters: by_pyarrow(path, filters),
            "duckdb": lambda condition=condition: by_duckdb(path, condition),
        }
        results, seconds = zip(*(median_of(way) for way in ways.values()), strict=True)
        if any(not np.array_equal(results[0], other) for other in results):
            raise SystemExit(f"{words}: the ways do not agree")
        print(
            f"| {words} | {len(results[0]):,} | {' | '.join(f'{1000 * median:,.0f} ms' for median in seconds)} |",
            flush=True,
        )


def sort_again(rows: pd.DataFrame, filters: Filters) -> np.ndarray:
    """As the dashboard does for a score that nobody has ranked by yet."""
    order = most_uncertain_first(RANKED_BY, rows[RANKED_BY].to_numpy())
    return order[filters.mask(rows)[order]]


def by_pyarrow(path: Path, filters: Filters) -> np.ndarray:
    """With the filter pushed down to the file."""
    field, condition = pyarrow.dataset.field, pyarrow.dataset.scalar(True)
    if filters.correct == "wrong":
        condition &= ~field("correct")
    if filters.label:
        condition &= field("label").isin(filters.label)
    for column in filters.ranges:
        condition &= field(column.name) >= column.low
    rows = pyarrow.dataset.dataset(path).to_table(columns=["example", RANKED_BY], filter=condition)
    return rows.sort_by([(RANKED_BY, "descending")])["example"].to_numpy()


def by_duckdb(path: Path, condition: str) -> np.ndarray:
    """With the filter pushed down to the file."""
    query = f"select example from read_parquet(?) where {condition} order by {RANKED_BY} desc"
    return np.asarray(duckdb.execute(query, [str(path)]).fetchnumpy()["example"])


def median_of(way: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """Return its result, and the median of its seconds."""
    result, seconds = way(), []
    for _ in range(TRIES):
        started = time.perf_counter()
        way()
        seconds.append(time.perf_counter() - started)
    return result, statistics.median(seconds)


def verdict(run: Run, path: Path) -> None:
    """Print how long each step to the verdict on a run's probabilities takes, and what comes after it."""
    labels, deterministic, times = run.labels, run.deterministic_probs, JUDGED // len(run)
    assert labels is not None
    assert deterministic is not None
    probs = np.tile(run.probs_block(0, None)[:JUDGED_PASSES], (1, times, 1))
    write_run(path, probs, labels=np.tile(labels, times), deterministic=np.tile(deterministic, (times, 1)))
    del probs
    print(
        f"\n{len(run) * times:,} examples × {JUDGED_PASSES} passes\n\n| step | seconds | of processors |\n|---|---|---|"
    )
    before = time.perf_counter(), time.process_time()

    def lap(step: str) -> None:
        nonlocal before
        now = time.perf_counter(), time.process_time()
        print(f"| {step} | {now[0] - before[0]:.2f} | {now[1] - before[1]:.2f} |", flush=True)
        before = now

    judged = open_run(path)
    known = main_predictors(judged)
    lap("ensemble and deterministic model are read")
    calibrated = calibration(known)
    calibration_sentences(calibrated)
    lap("the verdict stands")
    plot.reliability(judged, known)
    lap("reliability diagram")
    others = other_predictors(judged)
    lap("single passes are read, temperatures fitted")
    add_predictors(calibrated, others)
    lap("all figures stand")


def labels_of(path: Path) -> Path:
    """The file of the labels of such images."""
    return path.with_name(f"labels-of-{path.name}")


def sampled(run: Run, data: Path, out: Path, passes: int) -> Made:
    """A run that was made in a process of its own."""
    code = f"""
import mcviz, numpy
images, labels = numpy.load({str(data)!r}, mmap_mode="r")[..., None], numpy.load({str(labels_of(data))!r})
mcviz.sample_run({run.model_path!r}, (images, labels), {str(out)!r}, passes={passes})
"""
    command = [sys.executable, "-c", code]
    started, peak = time.perf_counter(), 0
    process = subprocess.Popen(command)
    while process.poll() is None:
        peak = max(peak, own_memory(process.pid))
        time.sleep(0.05)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Made(open_run(out), time.perf_counter() - started, peak)


def rate(sampler: Sampler, examples: DataSet, out: Path, passes: int, scheduler: str | None) -> float:
    """Predictions a second, from the first that are told of to the end of the run."""
    began: list[float] = []

    def progress(done: int, total: int) -> None:  # noqa: ARG001
        if done and not began:
            began.extend((time.perf_counter(), done))

    with connect(scheduler) if scheduler else nullcontext() as client:
        sample_run(sampler, examples, out, passes=passes, progress=progress, scheduler=client, keep_images=False)
        taken = time.perf_counter() - began[0]
    return (len(examples) * passes - began[1]) / taken


def files(folder: Path) -> dict[str, bytes]:
    """The files of a run but its manifest, which says when it was made."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


if __name__ == "__main__":
    raise SystemExit(main())
