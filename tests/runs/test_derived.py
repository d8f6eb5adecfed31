"""What follows from a run is kept with it, is never taken for that of another run, and may be lost at any time."""

from pathlib import Path

import numpy as np
import pytest

from mcviz.runs import Run, derived, keep_derived, open_run, remove_run, verify_run
from tests.runs.making import contents, make

VALUES = np.random.default_rng(0).random(7)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make(tmp_path / "run")


def the_file(run: Run) -> Path:
    return Path(run.path) / "derived" / "speed-1.frames"


def test_what_is_kept_comes_back_to_the_last_bit(run: Run) -> None:
    assert derived(run, "speed-1", 7) is None
    assert keep_derived(run, "speed-1", VALUES)
    np.testing.assert_array_equal(derived(open_run(run.path), "speed-1", 7), VALUES)


def test_the_run_stays_the_run_that_it_was(run: Run) -> None:
    before = contents(Path(run.path))
    keep_derived(run, "speed-1", VALUES)
    assert {name: data for name, data in contents(Path(run.path)).items() if "derived" not in str(name)} == before
    assert verify_run(run.path).files == len(run.manifest.files)
    assert [path.name for path in the_file(run).parent.iterdir()] == ["speed-1.frames"]


def test_nothing_but_what_was_asked_for_comes_back(run: Run, tmp_path: Path) -> None:
    keep_derived(run, "speed-1", VALUES)
    assert derived(run, "speed-1", 8) is None
    assert derived(run, "speed-2", 7) is None
    other = make(tmp_path / "other", passes=7)
    the_file(other).parent.mkdir()
    the_file(other).write_bytes(the_file(run).read_bytes())
    assert derived(other, "speed-1", 7) is None


@pytest.mark.parametrize("place", ["first", "middle", "last", "cut"])
def test_damage_is_as_if_it_were_not_there(run: Run, place: str) -> None:
    keep_derived(run, "speed-1", VALUES)
    data = bytearray(the_file(run).read_bytes())
    if place == "cut":
        del data[-1]
    else:
        data[{"first": 0, "middle": len(data) // 2, "last": -1}[place]] ^= 1
    the_file(run).write_bytes(data)
    assert derived(run, "speed-1", 7) is None
    assert keep_derived(run, "speed-1", VALUES)
    assert derived(run, "speed-1", 7) is not None


def test_a_run_that_grew_has_its_own(run: Run) -> None:
    keep_derived(run, "speed-1", VALUES)
    grown = make(run.path, passes=9)
    assert derived(grown, "speed-1", 7) is None
    assert not keep_derived(run, "speed-1", VALUES)
    assert keep_derived(grown, "speed-1", 2 * VALUES)
    np.testing.assert_array_equal(derived(grown, "speed-1", 7), 2 * VALUES)


def test_a_run_that_was_removed_is_not_begun_again(run: Run) -> None:
    keep_derived(run, "speed-1", VALUES)
    remove_run(run.path)
    assert not keep_derived(run, "speed-1", VALUES)
    assert not list(Path(run.path).parent.iterdir())


def test_a_folder_that_cannot_be_written_to_goes_without(run: Run) -> None:
    the_file(run).parent.write_text("in the way")  # the rights of root would overcome a folder that is read-only
    assert not keep_derived(run, "speed-1", VALUES)
    assert derived(run, "speed-1", 7) is None
    assert verify_run(run.path)
