"""The speed of opening a run and reading one example's passes, beside other ways to read the same numbers.

    python benchmarks/store.py [RUN]

Every reading is made in a process of its own, so that imports count where they are needed; the medians of several are
printed. The files have been written a moment before or are read once unmeasured: the disk's own speed is not measured.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from mcviz.manifest import MODEL_FILES  # noqa: E402
from mcviz.runs import Run, list_runs, open_run  # noqa: E402 (mcviz need not be installed)

SHIPPED = ROOT / "cache" / "mnist-cnn"
REPEATS = 9
EXAMPLES = 200
LISTED = 100  # runs
Found = TypeVar("Found")

TIMED = """
import json, sys, time
import numpy as np
path, count = sys.argv[1], int(sys.argv[2])
times = [time.perf_counter()]
{imports}
times.append(time.perf_counter())
{opening}
times.append(time.perf_counter())
for i in np.random.default_rng(0).integers(0, count, {examples}).tolist():
    passes = {one}
    times.append(time.perf_counter())
assert passes.shape == {shape} and passes.dtype == np.float32, passes
imported, opened, first, *rest = np.diff(times).tolist()
print(json.dumps([imported, opened, first, float(np.median(rest)), float(np.quantile(rest, 0.99))]))
"""


@dataclass(frozen=True)
class Way:
    """A way to read a run's numbers: where they are, and the code that opens them and reads example `i`."""

    name: str
    path: Path
    size: int
    imports: str
    opening: str
    one: str


def main() -> None:
    """Print the table."""
    run = open_run(_options().run)
    with tempfile.TemporaryDirectory() as scratch:
        ways = _ways(run, Path(scratch))
        print(f"{run.path}: {run.passes} passes × {len(run)} examples × {len(run.class_names)} classes")
        print(
            f"milliseconds, medians of {REPEATS} processes{'on disk':>12}{'import':>9}{'open':>9}{'first':>11}",
            end="",
        )
        print(f"{'another':>10}{'99 of 100':>11}")
        for way in ways:
            print(_row(way, run), flush=True)
    store = run.manifest.store
    parts = {
        "probabilities": f"{store}/probs",
        "images": f"{store}/images",
        "scores": run.manifest.table,
        "model": MODEL_FILES["keras"],
    }
    sizes = {part: _bytes(run, start) for part, start in parts.items()}
    print("the run holds " + ", ".join(f"{part} {size / 1e6:.2f} MB" for part, size in sizes.items()), end="")
    print(f"; its whole folder {_size(Path(run.path)) / 1e6:.2f} MB")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        copies(run, folder / "one", 1)
        copies(run, folder / "runs", LISTED)
        found, seconds = _median(lambda: list_runs(folder / "runs"))
        assert [each.state for each in found] == ["finished"] * LISTED
        print(f"a list of {LISTED} such runs, with state, accuracy and size: {1000 * seconds:.0f} ms")
        one, many = (_median(partial(_command, folder / name))[1] for name in ("one", "runs"))
    print(f"`mcviz list` of {LISTED} such runs: {1000 * many:.0f} ms, of one {1000 * one:.0f} ms")


def copies(run: Run, folder: Path, count: int) -> None:
    """So many runs in a folder, which are one copy and links to its files."""
    first = folder / "run-000"
    shutil.copytree(run.path, first)
    for number in range(1, count):
        shutil.copytree(first, folder / f"run-{number:03}", copy_function=os.link)


def _command(folder: Path) -> None:
    command = [sys.executable, "-m", "mcviz", "list", str(folder)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, cwd=ROOT)


def _median(what: Callable[[], Found]) -> tuple[Found, float]:
    """Return its result, and the median of its seconds."""
    times = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        found = what()
        times.append(time.perf_counter() - began)
    return found, statistics.median(times[1:])  # the first one brings the files into memory


def _row(way: Way, run: Run) -> str:
    shape = run.passes, len(run.class_names)
    script = TIMED.format(imports=way.imports, opening=way.opening, one=way.one, examples=EXAMPLES, shape=shape)
    command = [sys.executable, "-c", script, str(way.path), str(len(run))]
    readings = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
        for _ in range(REPEATS + 1)
    ][1:]  # the first one brings the files into memory
    imported, opened, first, median, late = (1000 * statistics.median(column) for column in zip(*readings, strict=True))
    start = f"{way.name:<37}{way.size / 1e6:>9.1f} MB{imported:>9.1f}{opened:>9.1f}"
    return f"{start}{first:>11.3f}{median:>10.3f}{late:>11.3f}"


def _ways(run: Run, scratch: Path) -> list[Way]:
    probs = run.probs_block(0, None)
    np.savez(scratch / "plain.npz", probs=probs)
    np.savez_compressed(scratch / "compressed.npz", probs=probs)
    store, size = Path(run.path) / run.manifest.store, _bytes(run, f"{run.manifest.store}/probs")
    whole = "probs = np.load(path)['probs']"
    return [
        Way(
            "mcviz, every shard verified",
            Path(run.path),
            size,
            "import mcviz.runs, zarr",
            "run = mcviz.runs.open_run(path)",
            "run.probs(i)",
        ),
        Way(
            "zarr on the same files, unverified",
            store / "probs",
            size,
            "import zarr",
            "array = zarr.open_array(path, mode='r')",
            "array[i].T / np.float32(65534)",
        ),
        Way(
            "xarray on the same files, unverified",
            store,
            size,
            "import xarray",
            "probs = xarray.open_zarr(path, consolidated=False)['probs']",
            "probs[i].values.T.astype(np.float32)",
        ),
        Way("np.load of a whole npz", scratch / "plain.npz", _size(scratch / "plain.npz"), "", whole, "probs[:, i]"),
        Way(
            "np.load of a compressed npz",
            scratch / "compressed.npz",
            _size(scratch / "compressed.npz"),
            "",
            whole,
            "probs[:, i]",
        ),
    ]


def _bytes(run: Run, start: str) -> int:
    """The bytes of the run's files whose names start so."""
    return sum(file.bytes for name, file in run.manifest.files.items() if name.startswith(start))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(f.stat().st_size for f in path.rglob("*") if f.is_file())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", default=SHIPPED, help="default: the run that ships")
    return parser.parse_args()


if __name__ == "__main__":
    main()
