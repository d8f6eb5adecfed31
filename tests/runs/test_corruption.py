"""Whatever happens to a byte, a run gives the numbers that were written or an error that names the file."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mcviz.errors import CorruptRunError
from mcviz.runs import Run, open_run, verify_run
from tests.cases import one_in
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
        "examples.parquet": lambda run: (run.content, run.columns),
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


@pytest.fixture(scope="module")
def truths(finished_runs: dict[str, Path]) -> dict[str, dict[str, Any]]:
    return {form: numbers(open_run(finished_runs[form])) for form in READERS}


@pytest.fixture
def truth(truths: dict[str, dict[str, Any]], form: str) -> dict[str, Any]:
    """The numbers of the run."""
    return truths[form]


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


@pytest.mark.parametrize(("form", "name"), one_in(4, [place for place in PLACES if place[1] != "model.keras"]))
def test_any_byte_flipped(finished_run: Path, truth: dict[str, Any], form: str, name: str, stride: int) -> None:
    file, read = finished_run / name, READERS[form][name]
    first = open_run if stride > 1 else lambda folder: read(open_run(folder))  # soonest, where each byte is tried
    for content in flipped(file.read_bytes(), stride):
        file.write_bytes(content)
        result = outcome(finished_run, first)
        assert result == truth or (isinstance(result, str) and str(file) in result), result


@pytest.mark.parametrize(("form", "name"), [place for place in PLACES if place[1] != "model.keras"])
def test_any_file_cut_short(finished_run: Path, truth: dict[str, Any], name: str, stride: int) -> None:
    file = finished_run / name
    content = file.read_bytes()
    for length in range(0, len(content), stride if name != "manifest.json" else 7 * stride):
        file.write_bytes(content[:length])
        message = outcome(finished_run)
        assert isinstance(message, str)
        assert str(file) in message


@pytest.mark.parametrize("form", FORMS)
def test_verify_names_any_file_with_a_flipped_byte(finished_run: Path) -> None:
    for name in open_run(finished_run).manifest.files:
        content = (finished_run / name).read_bytes()
        (finished_run / name).write_bytes(next(flipped(content, len(content), seed=len(content))))
        with pytest.raises(CorruptRunError, match=f"{finished_run / name} "):
            verify_run(finished_run)
        (finished_run / name).write_bytes(content)


def test_a_damaged_model_is_not_handed_out(finished_run: Path) -> None:
    model = finished_run / "model.keras"
    model.write_bytes(model.read_bytes().replace(b"bytes", b"bites"))
    run = open_run(finished_run)
    assert run.deterministic_accuracy is not None
    with pytest.raises(CorruptRunError, match=str(model)):
        run.model_path  # noqa: B018


@pytest.mark.parametrize(("form", "name"), [place for place in PLACES if place[1] != "manifest.json"])
def test_a_file_that_is_missing(finished_run: Path, name: str) -> None:
    (finished_run / name).unlink()
    assert f"{finished_run / name} is missing" in str(outcome(finished_run))


@pytest.mark.parametrize(
    ("form", "name"), [place for place in PLACES if place[1] not in ("manifest.json", "model.keras")]
)
def test_a_file_that_goes_missing_after_opening(finished_run: Path, name: str) -> None:
    run = open_run(finished_run)
    (finished_run / name).unlink()
    with pytest.raises(CorruptRunError, match=str(finished_run / name)):
        numbers(run)


def test_a_block_of_another_seed(finished_run: Path, tmp_path: Path) -> None:
    make(tmp_path / "other", seed=6)
    shutil.copy(tmp_path / "other/predictions.zarr/probs/c.1.0.0", finished_run / "predictions.zarr/probs/c.1.0.0")
    assert str(finished_run / "predictions.zarr/probs/c.1.0.0") in str(outcome(finished_run))
