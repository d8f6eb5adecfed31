"""How fast a run opens and one image's passes are there, against other ways of keeping the same numbers.

    python benchmarks/store.py [RUN]

Every reading is made in a process of its own, so that imports count where they are needed; the medians of several are
printed. The files have been written a moment before or are read once unmeasured: the disk's own speed is not measured.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from mcviz.runs import Run, open_run  # noqa: E402 (mcviz need not be installed)

SHIPPED = ROOT / "cache" / "mnist-cnn"
REPEATS = 9
IMAGES = 200

TIMED = """
import json, sys, time
import numpy as np
path, count = sys.argv[1], int(sys.argv[2])
times = [time.perf_counter()]
{imports}
times.append(time.perf_counter())
{opening}
times.append(time.perf_counter())
for i in np.random.default_rng(0).integers(0, count, {images}).tolist():
    passes = {one}
    times.append(time.perf_counter())
assert passes.shape == {shape} and passes.dtype == np.float32, passes
imported, opened, first, *rest = np.diff(times).tolist()
print(json.dumps([imported, opened, first, float(np.median(rest)), float(np.quantile(rest, 0.99))]))
"""

# joblib knows a function by its module and its code, so that what keeps and what reads must be one file.
KEPT_BY_JOBLIB = """
import joblib
from mcviz.runs import open_run

def passes(path):
    run = open_run(path)
    return run.probs_block(0, run.manifest.images.count)

def kept(folder):
    return joblib.Memory(folder, verbose=0).cache(passes)
"""


@dataclass(frozen=True)
class Way:
    """A way of keeping a run's numbers: where they are, and the code that opens them and reads image `i`."""

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
        print(f"{run.path}: {run.manifest.passes} passes × {run.manifest.images.count} images × {run.manifest.classes}")
        print(
            f"milliseconds, medians of {REPEATS} processes{'on disk':>12}{'import':>9}{'open':>9}{'1st image':>11}",
            end="",
        )
        print(f"{'an image':>10}{'99 of 100':>11}")
        for way in ways:
            print(_row(way, run), flush=True)
    parts = {"predictions and scores": "passes-", "images": "images/", "labels": "labels", "model": "model.keras"}
    sizes = {part: sum(f.bytes for n, f in run.manifest.files.items() if n.startswith(s)) for part, s in parts.items()}
    print("the run holds " + ", ".join(f"{part} {size / 1e6:.2f} MB" for part, size in sizes.items()), end="")
    print(f"; its whole folder {_size(Path(run.path)) / 1e6:.2f} MB")


def _row(way: Way, run: Run) -> str:
    shape = run.manifest.passes, run.manifest.classes
    script = TIMED.format(imports=way.imports, opening=way.opening, one=way.one, images=IMAGES, shape=shape)
    command = [sys.executable, "-c", script, str(way.path), str(run.manifest.images.count)]
    readings = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
        for _ in range(REPEATS + 1)
    ][1:]  # the first one brings the files into memory
    imported, opened, first, median, late = (1000 * statistics.median(column) for column in zip(*readings, strict=True))
    start = f"{way.name:<37}{way.size / 1e6:>9.1f} MB{imported:>9.1f}{opened:>9.1f}"
    return f"{start}{first:>11.3f}{median:>10.3f}{late:>11.3f}"


def _ways(run: Run, scratch: Path) -> list[Way]:
    probs = run.probs_block(0, run.manifest.images.count)
    np.savez(scratch / "plain.npz", probs=probs)
    np.savez_compressed(scratch / "compressed.npz", probs=probs)
    (scratch / "kept_by_joblib.py").write_text(KEPT_BY_JOBLIB)
    kept = f"import sys; sys.path.insert(0, {str(scratch)!r}); import kept_by_joblib"
    reading = f"probs = kept_by_joblib.kept({str(scratch / 'joblib')!r})(path)"
    subprocess.run([sys.executable, "-c", f"path = {run.path!r}; {kept}; {reading}"], check=True, cwd=ROOT)
    predictions = sum(file.bytes for name, file in run.manifest.files.items() if name.startswith("passes-"))
    whole = "probs = np.load(path)['probs']"
    ways = [
        Way(
            "mcviz run",
            Path(run.path),
            predictions,
            "import mcviz.runs",
            "run = mcviz.runs.open_run(path)",
            "run.probs(i)",
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
        Way("joblib.Memory", Path(run.path), _size(scratch / "joblib"), kept, reading, "probs[:, i]"),
    ]
    return ways + _with_zarr(probs, scratch)


def _with_zarr(probs: np.ndarray, scratch: Path) -> list[Way]:
    """The same 16 bits in zarr's own format: chunks of 8 images with checksums, in one file."""
    try:
        import zarr
        from zarr.codecs import BloscCodec, Crc32cCodec
    except ImportError:
        return []
    steps = np.rint(probs.transpose(1, 2, 0) * np.float32(65535)).astype(np.uint16)
    codec = BloscCodec(cname="zstd", clevel=7, shuffle="bitshuffle")
    array = zarr.create_array(
        scratch / "zarr",
        shape=steps.shape,
        dtype=steps.dtype,
        chunks=(8, *steps.shape[1:]),
        shards=(-(-len(steps) // 8) * 8, *steps.shape[1:]),
        compressors=[codec, Crc32cCodec()],
    )
    array[:] = steps
    one = "array[i].T / np.float32(65535)"
    return [
        Way(
            "zarr, sharded, zstd and bitshuffle",
            scratch / "zarr",
            _size(scratch / "zarr"),
            "import zarr",
            "array = zarr.open_array(path, mode='r')",
            one,
        )
    ]


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(f.stat().st_size for f in path.rglob("*") if f.is_file())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", default=SHIPPED, help="default: the run that ships")
    return parser.parse_args()


if __name__ == "__main__":
    main()
