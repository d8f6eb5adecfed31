"""Attacks on mcviz, and how often its promises held: a Markdown table, and exit code 1 if one did not.

    python benchmarks/attack.py [--short]

It takes ten minutes, the short form one. The attacks are those of the tests, which need requirements-dev.txt; the long
form tries many more moments and seeds. A case that does not hold is printed with the command that repeats it.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from mcviz.runs import open_run  # noqa: E402 (mcviz need not be installed)
from tests.interrupting import interrupted  # noqa: E402
from tests.runs import test_corruption as corruption  # noqa: E402
from tests.runs.making import make, numbers  # noqa: E402

SHIPPED = ROOT / "cache" / "mnist-cnn"
IMPORTS = {"verify": 900, "train": 3500, "sample": 3500}  # there are some more of them, in any version of the libraries
SECONDS = 10  # in which the slowest command has begun its work


@dataclass(frozen=True)
class Result:
    """The outcome of some cases: `broken` maps those whose promise did not hold to the command that repeats them."""

    cases: int
    broken: dict[str, str]


Attack = Callable[[Path, bool], Result]


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        done: what is done.
        promise: what then holds.
        attack: does it, given an empty folder and whether it is to be short.
    """

    done: str
    promise: str
    attack: Attack


def main() -> None:
    """Print the table."""
    options = _options()
    if options.interrupt:
        with tempfile.TemporaryDirectory() as scratch:
            moment, command = options.interrupt
            sys.exit(interrupted(moment, *_typed(command, moment, Path(scratch))))
    print("| what is done | cases | what is promised | cases that held |\n|---|---|---|---|", flush=True)
    broken: dict[str, str] = {}
    for row in ROWS:
        with tempfile.TemporaryDirectory() as folder:
            result = row.attack(Path(folder), options.short)
        if not result.cases:
            continue
        held = result.cases - len(result.broken)
        print(f"| {row.done} | {result.cases:,} | {row.promise} | {held:,} |", flush=True)
        broken |= result.broken
    for case, command in broken.items():
        print(f"\n{case}\nrepeat it by: {command}", file=sys.stderr)
    sys.exit(bool(broken))


def _tests(*names: str, in_short: bool = True) -> Attack:
    """Tests by their pytest names without parameters; each set of parameters is a case."""

    def attack(folder: Path, short: bool) -> Result:
        if short and not in_short:
            return Result(0, {})
        counting = _Counting()
        chosen = [name.replace("tests/", f"{ROOT}/tests/", 1) for name in names]
        quiet = ["-p", "no:terminal", "-p", "no:cacheprovider", f"--rootdir={ROOT}", f"--basetemp={folder / 'pytest'}"]
        ended = pytest.main([*quiet, *chosen], plugins=[counting])
        if ended not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            counting.cases += 1
            counting.broken[f"{', '.join(names)}: pytest ended by {ended!r}"] = f"pytest {' '.join(names)}"
        return Result(counting.cases, counting.broken)

    return attack


class _Counting:
    """A plugin of pytest that counts."""

    def __init__(self) -> None:
        self.cases = 0
        self.broken: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.cases += report.when == "call" and not report.skipped
        if report.failed:
            self.broken[f"{report.nodeid}: {report.longreprtext[-1000:]}"] = f"pytest '{report.nodeid}'"


def _kills(folder: Path, short: bool) -> Result:
    command = [sys.executable, "-m", "tests.runs.killing", str(folder), "20" if short else "300"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return Result(
            1, {f"killed writers: {done.stderr[-1000:]}": f"python -m tests.runs.killing FOLDER {command[-1]}"}
        )
    return Result(json.loads(done.stdout)["kills"], {})


def _flips(folder: Path, short: bool) -> Result:
    """Every byte of every file, in the short form of one, changed and the file read again."""
    run = Path(make(folder / "run").path)
    truth = numbers(open_run(run))
    cases, broken = 0, {}
    for seed in range(1 if short else 2):
        for name in ["predictions.zarr/probs/c.0.0.0"] if short else corruption.NAMES["classes of images"]:
            content = (run / name).read_bytes()
            for at, changed in enumerate(corruption.flipped(content, 1, seed)):
                (run / name).write_bytes(changed)
                cases += 1
                try:
                    corruption.check(run, name, truth)
                except Exception as error:  # noqa: BLE001 (whatever it is, it is not the promise)
                    broken[f"byte {at} of {name}, seed {seed}: {error!r:.300}"] = (
                        "pytest tests/runs/test_corruption.py, with this seed as the default of `flipped`"
                    )
            (run / name).write_bytes(content)
    return Result(cases, broken)


def _ctrl_c_in_imports(folder: Path, short: bool) -> Result:
    pick = random.Random(0)
    repeats = {"verify": 3, "train": 1, "sample": 1} if short else {"verify": 24, "train": 8, "sample": 8}
    moments = [
        (f"import {pick.randint(1, IMPORTS[command])}", command) for command, n in repeats.items() for _ in range(n)
    ]
    return _interrupted(folder, moments)


def _ctrl_c_at_any_time(folder: Path, short: bool) -> Result:
    pick = random.Random(1)
    moments = [
        (f"seconds {pick.uniform(0, SECONDS):.2f}", command)
        for command in ("train", "sample")
        for _ in range(1 if short else 10)
    ]
    return _interrupted(folder, moments)


def _interrupted(folder: Path, moments: list[tuple[str, str]]) -> Result:
    broken = {}
    for moment, command in moments:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            if wrong := interrupted(moment, *_typed(command, moment, Path(scratch))):
                case = f"Ctrl-C at {moment} of mcviz {command}: {wrong[-1000:]}"
                broken[case] = f"python benchmarks/attack.py --interrupt '{moment}' {command}"
    return Result(len(moments), broken)


def _typed(command: str, moment: str, folder: Path) -> list[str]:
    """A command that has all it needs; one that is stopped after some seconds does not end by itself."""
    if command == "verify":
        return ["verify", str(SHIPPED)]
    images, labels = np.zeros((1000, 28, 28), np.uint8), np.arange(1000) % 10
    np.savez(folder / "mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    typed = [command, "--data", str(folder / "mnist.npz"), "--out", str(folder / "out.keras")]
    endless = moment.startswith("seconds")
    if command == "train":
        return [*typed, "--epochs", "10000" if endless else "1"]
    return [*typed, "--model", str(SHIPPED / "model.keras"), "--passes", "1000000" if endless else "1"]


ROWS = (
    Row(
        "a writer of a run is killed (SIGKILL) at a random moment, and started again",
        "the old run, the new one, or a partial one that goes on to the same bits; never a wrong number",
        _kills,
    ),
    Row(
        "the disk fails at every call in turn: full, not writable, an error of its own",
        "one line; the run that was there is whole",
        _tests("tests/runs/test_storage_failures.py", in_short=False),
    ),
    Row(
        "a removal is killed before each of its calls; the power fails at each step of a writing or a removal",
        "the whole run or none, or a removal that goes on; nothing is left for good",
        _tests("tests/runs/test_removal.py", in_short=False),
    ),
    Row(
        "a link, a loop of links, a pipe, a socket or nested folders in a run; an odd entry beside it",
        "one line, in bounded time; nothing outside the run is read, changed or removed; other runs are well",
        _tests("tests/runs/test_odd_entries.py", in_short=False),
    ),
    Row(
        "a run is removed, made again, replaced or grown by others while it is read",
        "the run, or an error that says what became of it; no healthy run is called damaged",
        _tests("tests/runs/test_replaced.py"),
    ),
    Row("a byte of a run's file is changed", "the same numbers, or an error that names the file", _flips),
    Row(
        "a run's file is cut short at every length, is missing, or is that of another run",
        "an error that names the file",
        _tests(
            "tests/runs/test_corruption.py::test_any_file_cut_short",
            "tests/runs/test_corruption.py::test_a_file_that_is_missing",
            "tests/runs/test_corruption.py::test_a_file_that_goes_missing_after_opening",
            "tests/runs/test_corruption.py::test_blocks_that_changed_places",
            "tests/runs/test_corruption.py::test_a_block_of_another_seed",
            "tests/runs/test_corruption.py::test_a_manifest_that_is_none",
        ),
    ),
    Row(
        "a manifest claims what cannot be, and is sealed again",
        "an error, with little memory taken",
        _tests("tests/runs/test_hostile_sizes.py"),
    ),
    Row(
        "a manifest or a table with wrong content is sealed again",
        "an error, or the same numbers",
        _tests("tests/runs/test_resealed.py"),
    ),
    Row(
        "an npz file that lies, is broken, holds no images or unpacks to a thousand times its size; "
        "a folder, pipe, socket or device in its place",
        "one line, code 2, in little time and memory; nothing is left behind",
        _tests(
            "tests/data/test_data_set.py::test_a_hostile_file_is_refused_in_one_line_in_no_time_and_little_memory",
            "tests/test_cli.py::test_hostile_data_are_refused_in_one_line",
        ),
    ),
    Row(
        "an honest npz file of every kind that numpy writes",
        "the same images and labels",
        _tests("tests/data/test_data_set.py::test_an_honest_file_is_read"),
    ),
    Row(
        "an uploaded picture is broken, huge, or something else; or damaged at random",
        "a picture, or one sentence; a large one is not decoded",
        _tests(
            "tests/data/test_upload.py::test_a_bad_file_ends_in_one_clear_sentence",
            "tests/data/test_upload.py::test_size_is_refused_before_a_pixel_is_decoded",
            "tests/data/test_upload.py::test_a_jpeg_of_thousands_of_scans_is_refused_unread",
            "tests/data/test_upload.py::test_damage_anywhere_gives_a_picture_or_a_sentence",
        ),
    ),
    Row(
        "a model file names code or other files, or takes all memory or time",
        "one line in little time and memory; nothing of it ran",
        _tests(
            "tests/sampling/keras/test_model_files.py::test_what_could_run_code_or_read_files_is_refused_and_nothing_ran",
            "tests/sampling/keras/test_model_files.py::test_what_would_take_all_memory_or_time_is_refused_before_it_does",
            "tests/sampling/keras/test_model_files.py::test_what_is_no_regular_file_is_refused_without_waiting",
        ),
    ),
    Row(
        "runs and classes are named in HTML, Markdown, LaTeX or a terminal's commands",
        "a page, a figure, a report and a terminal show the name as text",
        _tests("tests/app/test_hostile_names.py", in_short=False),
    ),
    Row(
        "a page of another site, or under another host name, asks the dashboard",
        "it is not answered",
        _tests("tests/app/test_hosts.py::test_a_foreign_name_is_refused_even_by_a_page_of_its_own"),
    ),
    Row(
        "an argument of the command line holds bytes that cannot be decoded",
        "one line, code 2; nothing is left behind",
        _tests("tests/test_cli.py::test_what_cannot_be_decoded_is_refused_in_one_line"),
    ),
    Row(
        "Ctrl-C within the import of a library, by `verify`, `train` and `sample`",
        "one line, code 130",
        _ctrl_c_in_imports,
    ),
    Row("Ctrl-C at a random moment of `train` and `sample`", "one line, code 130", _ctrl_c_at_any_time),
)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a minute instead of ten: fewer moments and seeds")
    parser.add_argument("--interrupt", nargs=2, metavar=("MOMENT", "COMMAND"), help="repeat one Ctrl-C")
    return parser.parse_args()


if __name__ == "__main__":
    main()
