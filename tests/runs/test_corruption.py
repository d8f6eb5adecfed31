"""Whatever happens to a byte, a run gives the numbers that were written or an error that names the file."""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mcviz.errors import CorruptRunError
from mcviz.runs import Run, list_runs, open_run, verify_run
from tests.runs.making import FORMS, make, numbers

pytestmark = pytest.mark.attack

# The files of runs, and what of a run is read from each.
READERS: dict[str, dict[str, Callable[[Run], object]]] = {
    "classes of images": {
        "manifest.json": lambda run: run.manifest,
        "predictions.zarr/label/c.0": lambda run: run.labels,
        "predictions.zarr/images/c.0.0.0.0": lambda run: run.images[:],
        "predictions.zarr/probs/c.0.0.0": lambda run: run.probs(0),
        "predictions.zarr/probs/c.2.0.0": lambda run: run.probs(8),
        "predictions.zarr/probs/zarr.json": lambda run: run.probs(0),
        "predictions.zarr/mean_probs/c.0.0": lambda run: run.mean_probs,
        "predictions.zarr/correct_per_pass/c.0": lambda run: run.pass_accuracy,
        "scores.parquet": lambda run: run.scores(),
        "model.keras": lambda run: run.model_path,
    },
    "one target of rows": {
        "manifest.json": lambda run: run.manifest,
        "examples.parquet": lambda run: run.content,
        "predictions.zarr/label/c.0.0": lambda run: run.labels,
        "predictions.zarr/outputs/c.0.0.0": lambda run: run.predictions(0),
        "predictions.zarr/squared_error_per_pass/c.0": lambda run: run.pass_rmse,
        "scores.parquet": lambda run: run.scores(),
    },
    "three targets with variances": {
        "predictions.zarr/outputs/c.2.0.0": lambda run: run.predictions(8),
        "predictions.zarr/variances/c.0.0.0": lambda run: run.predictions(0),
        "predictions.zarr/mean_variances/c.0.0": lambda run: run.mean_predictions,
        "predictions.zarr/deterministic_variances/c.0.0": lambda run: run.deterministic_predictions,
    },
}
PLACES = [(form, name) for form, readers in READERS.items() for name in readers]


@dataclass(frozen=True)
class Whole:
    """A run in a folder, and its numbers."""

    folder: Path
    truth: dict[str, Any]


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Whole]:
    """A run of each form; derived scores, which are beside it, are kept nowhere."""
    found = {}
    for form in READERS:
        run = make(tmp_path_factory.mktemp("whole") / "run", **FORMS[form])
        found[form] = Whole(Path(run.path), numbers(run))
        shutil.rmtree(Path(run.path) / "derived", ignore_errors=True)
    return found


@pytest.fixture
def form() -> str:
    return "classes of images"


@pytest.fixture
def truth(wholes: dict[str, Whole], form: str) -> dict[str, Any]:
    return wholes[form].truth


@pytest.fixture
def folder(wholes: dict[str, Whole], form: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(wholes[form].folder, tmp_path / "run"))


def flipped(content: bytes, stride: int, seed: int = 0) -> Iterator[bytes]:
    """One byte of each so many, changed at random, each by itself."""
    pick = random.Random(seed)
    for at in range(0, len(content), stride):
        yield content[:at] + bytes([content[at] ^ pick.randrange(1, 256)]) + content[at + 1 :]


def outcome(folder: Path, first: Callable[[Path], object] = open_run) -> dict[str, Any] | str:
    """The numbers that a run gives, or the message of the error; any other error fails the test."""
    try:
        first(folder)
        return numbers(open_run(folder))
    except CorruptRunError as error:
        return str(error)


@pytest.mark.parametrize(("form", "name"), [place for place in PLACES if place[1] != "model.keras"])
def test_any_byte_flipped(folder: Path, truth: dict[str, Any], form: str, name: str, stride: int) -> None:
    file, read = folder / name, READERS[form][name]
    first = open_run if stride > 1 else lambda folder: read(open_run(folder))  # soonest, where each byte is tried
    for content in flipped(file.read_bytes(), stride):
        file.write_bytes(content)
        result = outcome(folder, first)
        assert result == truth or (isinstance(result, str) and str(file) in result), result


@pytest.mark.parametrize(("form", "name"), [place for place in PLACES if place[1] != "model.keras"])
def test_any_file_cut_short(folder: Path, truth: dict[str, Any], name: str, stride: int) -> None:
    file = folder / name
    content = file.read_bytes()
    for length in range(0, len(content), stride if name != "manifest.json" else 7 * stride):
        file.write_bytes(content[:length])
        found = outcome(folder)
        assert isinstance(found, str)
        assert str(file) in found


@pytest.mark.parametrize(("form", "name"), PLACES)
def test_verify_finds_a_flipped_byte_in_any_file(folder: Path, truth: dict[str, Any], name: str, stride: int) -> None:
    file = folder / name
    content = file.read_bytes()
    pick = random.Random(1)
    for _ in range(0, 25, stride):
        at = pick.randrange(len(content))
        file.write_bytes(content[:at] + bytes([content[at] ^ pick.randrange(1, 256)]) + content[at + 1 :])
        found = outcome(folder, verify_run)
        assert str(file) in str(found) or (name == "manifest.json" and found == truth)  # a blank for another blank


def test_a_damaged_model_is_not_handed_out(folder: Path) -> None:
    model = folder / "model.keras"
    model.write_bytes(model.read_bytes().replace(b"bytes", b"bites"))
    run = open_run(folder)
    assert run.deterministic_accuracy is not None
    with pytest.raises(CorruptRunError, match=str(model)):
        run.model_path  # noqa: B018


@pytest.mark.parametrize(("form", "name"), [place for place in PLACES if place[1] != "manifest.json"])
def test_a_file_that_is_missing(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{folder / name} is missing" in str(outcome(folder))


@pytest.mark.parametrize(
    ("form", "name"), [place for place in PLACES if place[1] not in ("manifest.json", "model.keras")]
)
def test_a_file_that_goes_missing_after_opening(folder: Path, name: str) -> None:
    run = open_run(folder)
    (folder / name).unlink()
    with pytest.raises(CorruptRunError, match=str(folder / name)):
        numbers(run)


def test_blocks_that_changed_places(folder: Path, truth: dict[str, Any]) -> None:
    first, second = folder / "predictions.zarr/probs/c.0.0.0", folder / "predictions.zarr/probs/c.1.0.0"
    one, other = first.read_bytes(), second.read_bytes()
    size = max(len(one), len(other))  # the same size, so that it is not the size that gives it away
    first.write_bytes(other.ljust(size, b"\0")[: len(one)])
    second.write_bytes(one.ljust(size, b"\0")[: len(other)])
    assert str(first) in str(outcome(folder))


def test_a_block_of_another_seed(folder: Path, tmp_path: Path) -> None:
    make(tmp_path / "other", seed=6)
    shutil.copy(tmp_path / "other/predictions.zarr/probs/c.1.0.0", folder / "predictions.zarr/probs/c.1.0.0")
    assert str(folder / "predictions.zarr/probs/c.1.0.0") in str(outcome(folder))


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b"1e999", b"[" * 100_000, b"\xff\xfe", b'{"checksum": 1}']
)
def test_a_manifest_that_is_none(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    assert str(folder / "manifest.json") in str(outcome(folder))


def test_a_list_of_runs_shows_the_damaged_one_and_goes_on(folder: Path) -> None:
    shutil.copytree(folder, folder.parent / "other")
    (folder / "manifest.json").write_bytes(b"{")
    states = {Path(run.path).name: run.state for run in list_runs(folder.parent)}
    assert states == {"run": "damaged", "other": "finished"}
