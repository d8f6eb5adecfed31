"""The speed of Monte Carlo passes, against the loop that most people write, and against another version of mcviz.

    python benchmarks/sampling.py [--parts reference stages ...] [--model MODEL.keras --data MNIST.npz]
    python benchmarks/sampling.py --against COMMIT [--parts reference networks]

The loop is `predict` over all images, once a pass, with Keras's own layers and dropout really on. Some of its passes
are timed and the rest scaled. Ours are whole jobs, everything counted but the import of TensorFlow and the data.
With --against, the two versions do the same jobs in turns, each in a process of its own.
"""

import argparse
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

import mcviz
from mcviz.data import as_model_input, read_data
from mcviz.errors import McvizError, RunNotFoundError

ROOT = Path(__file__).resolve().parent.parent
SHIPPED_RUN = ROOT / "cache" / "mnist-cnn"
WORKER = ROOT / "benchmarks" / "sampling_worker.py"
MODES = "per_pass", "per_example"
PRODUCTS = "matmul", "subset_sums"
COMPILERS = "none", "xla"
LOOP_PASSES = 5
ACTIVE, UNITS = 1714, 128  # activations of the reference network that are not zero, on average, and its dense layer
SOME_PASSES = (8, 16, 32, 48, 64, 96, 128, 256, 500, 1000)
SOME_EXAMPLES = (100, 1000, 10_000, 100_000)
SHARE = 1 / 8  # of a network's inputs, where it is sampled many times
PASSES_OF_MANY = 100  # of the job of the most examples, whose passes fit into memory


class Process:
    """A process that samples with one version of mcviz; see `sampling_worker.py`."""

    def __init__(self, options: argparse.Namespace, root: Path = ROOT, cores: int | None = None) -> None:
        path = os.pathsep.join(map(str, (root, ROOT)))  # mcviz is the version's, the networks are those of today
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONPATH": path}
        if options.device == "cpu":
            environment["CUDA_VISIBLE_DEVICES"] = "-1"
        allowed = sorted(os.sched_getaffinity(0))[:cores]
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER), str(options.reference)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if options.verbose else subprocess.DEVNULL,
            text=True,
            env=environment,
            preexec_fn=partial(os.sched_setaffinity, 0, allowed),  # before TensorFlow makes as many threads
        )

    def __call__(self, name: str, **arguments: Any) -> Any:
        """Call a method of the worker."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, arguments]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(
                f"The process that was asked for {name} {arguments} ended. --verbose shows its last words."
            )
        return json.loads(answer)

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def main() -> int:
    """Print the tables that are asked for."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        options.reference = Path(folder)
        try:
            _write_reference(options)
        except McvizError as error:
            print(f"{error}\nGive --model and --data.", file=sys.stderr)
            return 2
        other = _write_version(options.against, Path(folder)) if options.against else None
        with Process(options) as process:
            machine = process("machine")
        if options.device == "gpu" and not machine["gpus"]:
            print("TensorFlow sees no GPU. Install one that does: pip install 'tensorflow[and-cuda]'", file=sys.stderr)
            return 2
        _print_machine(machine)
        if other:
            print_against(options, other)
            return 0
        for part in options.parts:
            PARTS[part](options)
            print()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="the reference network, trained; otherwise that of the shipped run")
    parser.add_argument("--data", type=Path, help="an .npz of MNIST; otherwise the images of the shipped run")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which tables; otherwise all")
    parser.add_argument("--networks", nargs="+", metavar="NAME", help="of these alone; see networks.py")
    parser.add_argument("--images", type=int, default=10_000, help="of the reference job; otherwise 10,000")
    parser.add_argument("--passes", type=int, default=500, help="of the reference job; otherwise 500")
    parser.add_argument("--against", metavar="COMMIT", help="a version of this repository to do the same jobs in turns")
    parser.add_argument("--turns", type=int, default=3, help="how often, with --against; otherwise 3")
    parser.add_argument("--device", choices=["cpu", "gpu"], help="otherwise what TensorFlow sees")
    parser.add_argument("--verbose", action="store_true", help="show what TensorFlow says")
    return parser.parse_args()


def _write_reference(options: argparse.Namespace) -> None:
    """Put the reference network and its images, (N, 28, 28, 1) float32 in 0..1, where the processes find them."""
    model: Any = options.model
    pixels: Any = read_data(options.data).pixels if options.data else None
    if model is None or pixels is None:
        run = mcviz.open_run(SHIPPED_RUN)
        model, pixels = model or run.model_path, run.images if pixels is None else pixels
    if model is None or pixels is None:
        raise RunNotFoundError(f"The run {SHIPPED_RUN} has no model or no images.")
    shutil.copyfile(model, options.reference / "model.keras")
    np.save(options.reference / "images.npy", as_model_input(np.asarray(pixels)))


def _print_machine(machine: dict[str, Any]) -> None:
    busy = os.getloadavg()[0]
    device = f", {len(machine['gpus'])} GPU" if machine["gpus"] else ""
    versions = f"keras {machine['keras']}, tensorflow {machine['tensorflow']}"
    print(f"{len(os.sched_getaffinity(0))} cores{device}, {versions}")
    print(f"load before the start: {busy:.1f}{'' if busy < 0.5 else ', so these figures are not to be quoted'}\n")


def _write_version(commit: str, folder: Path) -> Path:
    """Put the package as it was at a commit of this repository into a folder."""
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit, "mcviz"], check=False, capture_output=True)
    if archive.returncode:
        raise SystemExit(f"git has no mcviz at {commit}: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder / "version", filter="data")
    return folder / "version"


def print_reference(options: argparse.Namespace) -> None:
    """Both mask modes against the loop and the bare matrix product, the time of one image, and the memory."""
    job = {"network": "reference", "examples": options.images}
    with Process(options) as process:
        ours = {f"mcviz, {masks}": process("sample", **job, **_how(options, masks)) for masks in MODES}
        memory = process("memory")
        singles = {masks: [process("sample", **_single(options, masks)) for _ in range(22)][2:] for masks in MODES}
    with Process(options) as process:
        loop = _times(process("loop", **job, passes=LOOP_PASSES), options.passes / LOOP_PASSES)
        dense = _times(process("dense", examples=options.images), options.passes)
    print(f"reference network, {options.images:,} images × {options.passes} passes: wall clock, the speed-up over")
    print(
        "the loop, and the time relative to the product; then seconds of processors, which tell more on a busy machine"
    )
    print(f"{'':32}{'a job':>10}{'the loop':>12}{'the product':>14}{'processors':>14}{'the loop':>12}")
    rows = {f"the loop, {LOOP_PASSES} passes, scaled": loop, "the bare dense product": dense} | ours
    for name, took in rows.items():
        of_clock = f"{took['wall']:8.1f} s{loop['wall'] / took['wall']:11.1f}×{took['wall'] / dense['wall']:13.2f}×"
        print(f"  {name:<30}{of_clock}{took['cpu']:12.1f} s{loop['cpu'] / took['cpu']:11.1f}×")
    for masks, measurements in singles.items():
        median = 1000 * statistics.median(measurement["wall"] for measurement in measurements)
        print(f"  one image, {options.passes} passes, warm, {masks}: {median:.1f} ms, the median of 20")
    print(f"  peak memory of the two jobs, with TensorFlow and the images: {_memory(memory)}")


def print_stages(options: argparse.Namespace) -> None:
    """Where a job's time goes."""
    with Process(options, cores=1) as process:
        for masks in MODES:  # once before, with what TensorFlow does at first
            process("stages", examples=256, passes=options.passes, masks=masks)
        stages = {m: process("stages", examples=options.images, passes=options.passes, masks=m) for m in MODES}
    print(f"seconds of one core, {options.images:,} images × {options.passes} passes, the model prepared")
    print(f"{'':32}" + "".join(f"{masks:>14}" for masks in MODES))
    for stage in stages[MODES[0]]:
        print(f"  {stage:<30}" + "".join(f"{stages[masks][stage]:12.2f} s" for masks in MODES))
    print(f"  {'all':<30}" + "".join(f"{sum(stages[masks].values()):12.2f} s" for masks in MODES))


def print_product(options: argparse.Namespace) -> None:
    """The speed of each product of masks and weights by the number of passes, and where the two cross."""
    print(f"one example's product, {ACTIVE:,} activations that are not zero × {UNITS} units: milliseconds of a thread,")
    print("and billions of activations times weights a second")
    print(f"{'passes':>8}" + "".join(f"{product:>24}" for product in PRODUCTS))
    with Process(options, cores=1) as process:
        for passes in SOME_PASSES:
            line = f"{passes:8,}"
            for product in PRODUCTS:
                took = process("products", product=product, active=ACTIVE, passes=passes, units=UNITS)
                line += f"{1000 * took:14.2f} ms{ACTIVE * UNITS * passes / took / 1e9:8.0f}"
            print(line)


def print_passes(options: argparse.Namespace) -> None:
    """The cost of passes by their number, under either product: where the two cross."""
    examples = min(options.images, 1000)
    print(f"seconds of a job of {examples:,} images, per_pass, the model prepared")
    print(f"{'passes':>8}" + "".join(f"{product:>16}" for product in PRODUCTS))
    with Process(options) as process:
        for passes in SOME_PASSES:
            took = (_sampled(process, examples, passes, "per_pass", product=product) for product in PRODUCTS)
            print(f"{passes:8,}" + "".join(f"{seconds:14.2f} s" for seconds in took))


def print_images(options: argparse.Namespace) -> None:
    """The cost of images by their number."""
    print("a job by the number of images, the model prepared: seconds, and milliseconds an image")
    print(f"{'images':>8}{'passes':>8}" + "".join(f"{masks:>28}" for masks in MODES))
    with Process(options) as process:
        for examples in SOME_EXAMPLES:
            passes = min(options.passes, PASSES_OF_MANY) if examples == SOME_EXAMPLES[-1] else options.passes
            took = [_sampled(process, examples, passes, masks) for masks in MODES]
            print(f"{examples:8,}{passes:8,}" + "".join(f"{t:14.2f} s{1000 * t / examples:9.2f} ms" for t in took))


def print_threads(options: argparse.Namespace) -> None:
    """The gain of a second core."""
    examples = min(options.images, 2000)
    print(f"seconds of a job of {examples:,} images × {options.passes} passes, the model prepared")
    print(f"{'cores':>8}" + "".join(f"{masks:>16}" for masks in MODES))
    for cores in range(1, 1 + min(2, len(os.sched_getaffinity(0)))):
        with Process(options, cores=cores) as process:
            took = (_sampled(process, examples, options.passes, masks) for masks in MODES)
            print(f"{cores:8}" + "".join(f"{seconds:14.2f} s" for seconds in took))


def print_networks(options: argparse.Namespace) -> None:
    """Networks of many kinds, both mask modes against their loops."""
    with Process(options) as process:
        networks = _networks(options, process)
        header = "".join(f"{masks:>19}" for masks in MODES)
        print(f"{'a pass':<52}{'inputs':>8}{'prepared in':>13}{'the loop':>12}{header}")
        for name, network in networks.items():
            loop = process("loop", network=name, examples=network["examples"], passes=network["loop_passes"])["wall"]
            loop /= network["loop_passes"]
            prepared, line = [], ""
            for masks in MODES:
                measured = process("sample", network=name, **_size(network), masks=masks, options={})
                prepared.append(measured["prepared"])
                took = (measured["wall"] - measured["prepared"]) / network["passes"]
                line += f"{1000 * took:9.1f} ms{loop / took:6.1f}×"
            print(
                f"  {network['name']:<50}{network['examples']:8,}{min(prepared):11.1f} s{1000 * loop:9.1f} ms{line}",
                flush=True,
            )


def print_compiling(options: argparse.Namespace) -> None:
    """The gain of XLA for networks of many kinds, and which of them mcviz compiles: a check of its rule."""
    print("seconds of processors of one job, masks per_example, and of preparing the model; what mcviz does by itself")
    header = "".join(f"{name:>12}{'prepared':>10}" for name in COMPILERS)
    print(f"{'':<52}{'inputs':>8}{'passes':>8}{header}{'gain':>8}  by itself")
    with Process(options) as process:
        for name, network in _networks(options, process).items():
            job = {"network": name, "masks": "per_example"} | _size(network, SHARE)
            chosen = process("sample", **job | {"passes": 1}, options={})
            spent, line = [], ""
            for compiler in COMPILERS:
                given = {"compiler": compiler, "product": chosen["product"]}
                first = process("sample", **job, options=given)
                warm = (process("sample", **job, options=given, whole=False) for _ in range(3))
                spent.append(min(measurement["cpu"] for measurement in list(warm)[1:]))
                line += f"{spent[-1]:10.2f} s{first['prepared cpu']:8.1f} s"
            figures = f"{job['examples']:8,}{job['passes']:8,}{line}{spent[0] / spent[1]:7.2f}×  {chosen['compiler']}"
            print(f"  {network['name']:<50}{figures}", flush=True)


def print_against(options: argparse.Namespace, other: Path) -> None:
    """The jobs of the parts that are asked for, by this version and by another in turns."""
    print(f"this version against {options.against}, in {options.turns} turns: the medians, and the ratio of each turn")
    print(f"{'':46}{'that':>9}{'this':>9}{'ratio':>8}{'processors':>13}  ratios of wall clock")
    with Process(options) as this, Process(options, other) as that:
        for name, job in _jobs_against(options, this):
            if "whole" in job:  # the model is prepared before
                for version in (this, that):
                    version("sample", **job | {"passes": 1})
            turns = [{"that": that("sample", **job), "this": this("sample", **job)} for _ in range(options.turns)]
            _print_turns(name, turns)
        print(f"  peak memory, that: {_memory(that('memory'))}; this: {_memory(this('memory'))}")


def _jobs_against(options: argparse.Namespace, process: Process) -> Iterator[tuple[str, dict[str, Any]]]:
    if "reference" in options.parts:
        for masks in MODES:
            job = {"network": "reference", "examples": options.images, **_how(options, masks)}
            yield f"reference network, {masks}", job
    if "networks" in options.parts:
        for name, network in _networks(options, process).items():
            for masks in MODES:
                job = {"network": name, **_size(network, SHARE), "masks": masks, "options": {}, "whole": False}
                yield f"{name}, {masks}", job


def _print_turns(name: str, turns: Sequence[dict[str, dict[str, float]]]) -> None:
    ratios = {clock: [turn["that"][clock] / turn["this"][clock] for turn in turns] for clock in ("wall", "cpu")}
    that, this = (statistics.median(turn[version]["wall"] for turn in turns) for version in ("that", "this"))
    each_turn = " ".join(f"{ratio:.2f}" for ratio in ratios["wall"])
    wall, processors = (statistics.median(ratios[clock]) for clock in ("wall", "cpu"))
    print(f"  {name:<44}{that:7.2f} s{this:7.2f} s{wall:7.2f}×{processors:12.2f}×  {each_turn}", flush=True)


def _memory(peak: dict[str, int]) -> str:
    return f"{peak['all'] / 1e9:.2f} GB, of which without mapped files {peak['own'] / 1e9:.2f} GB"


def _times(took: dict[str, float], factor: float) -> dict[str, float]:
    return {clock: seconds * factor for clock, seconds in took.items()}


def _networks(options: argparse.Namespace, process: Process) -> dict[str, Any]:
    """Select the tables that are asked for, by name."""
    there = process("networks")
    if unknown := set(options.networks or ()) - there.keys():
        raise SystemExit(f"There is no network {', '.join(sorted(unknown))}. There are {', '.join(there)}.")
    return {name: network for name, network in there.items() if name in (options.networks or there)}


def _how(options: argparse.Namespace, masks: str) -> dict[str, Any]:
    return {"passes": options.passes, "masks": masks, "options": {}}


def _single(options: argparse.Namespace, masks: str) -> dict[str, Any]:
    return {"network": "reference", "examples": 1, "whole": False, **_how(options, masks)}


def _size(network: dict[str, Any], share: float = 1) -> dict[str, Any]:
    return {"examples": max(1, round(network["examples"] * share)), "passes": network["passes"]}


def _sampled(process: Process, examples: int, passes: int, masks: str, **options: Any) -> float:
    """Seconds of a job of the reference network, once the model has been prepared and used."""
    job = {"network": "reference", "passes": passes, "masks": masks, "options": options, "whole": False}
    process("sample", examples=1, **job)
    return process("sample", examples=examples, **job)["wall"]


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "reference": print_reference,
    "stages": print_stages,
    "product": print_product,
    "passes": print_passes,
    "images": print_images,
    "threads": print_threads,
    "networks": print_networks,
    "compiling": print_compiling,
}

if __name__ == "__main__":
    raise SystemExit(main())
