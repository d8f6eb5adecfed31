"""What follows from a run is kept with it, is never taken for that of another run, and may be lost at any time."""

from pathlib import Path

import numpy as np
import pytest

from mcviz.runs import Derived, Run, load_derived, open_run, remove_run, save_derived, verify_run
from tests.runs.making import make

SPEED = Derived("speed", 1, {"metres": "float64", "count": "int32"})
ARRAYS = {"metres": np.random.default_rng(0).random((7, 2)), "count": np.arange(3, dtype=np.int32)}


@pytest.fixture
def run(finished_run: Path) -> Run:
    return open_run(finished_run)


@pytest.fixture(autouse=True)
def users_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    return folder


def the_file(run: Run) -> Path:
    return Path(run.path) / SPEED.file


def assert_there(run: Run, arrays: dict[str, np.ndarray] = ARRAYS) -> None:
    derived = load_derived(run.path, run.digest, SPEED)
    assert derived is not None
    assert derived.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(derived[name], array)
        assert derived[name].dtype == array.dtype


def test_what_is_kept_comes_back_to_the_last_bit(run: Run) -> None:
    assert load_derived(run.path, run.digest, SPEED) is None
    assert save_derived(run.path, run.digest, SPEED, ARRAYS)
    assert_there(open_run(run.path))


def test_nothing_but_what_was_asked_for_comes_back(run: Run, tmp_path: Path) -> None:
    save_derived(run.path, run.digest, SPEED, ARRAYS)
    assert load_derived(run.path, run.digest, Derived("speed", 2, SPEED.dtypes)) is None
    other = make(tmp_path / "other", passes=7)
    the_file(other).parent.mkdir()
    the_file(other).write_bytes(the_file(run).read_bytes())
    assert load_derived(other.path, other.digest, SPEED) is None
    for dtypes in ({"metres": "float64"}, {"metres": "float32", "count": "int32"}):
        assert load_derived(run.path, run.digest, Derived("speed", 1, dtypes)) is None


def test_any_damage_is_as_if_it_were_not_there(run: Run) -> None:
    save_derived(run.path, run.digest, SPEED, ARRAYS)
    content = the_file(run).read_bytes()
    for at in range(len(content)):
        the_file(run).write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        derived = load_derived(run.path, run.digest, SPEED)
        assert derived is None or all(np.array_equal(derived[name], ARRAYS[name]) for name in ARRAYS)
    for length in range(0, len(content), 3):
        the_file(run).write_bytes(content[:length])
        assert load_derived(run.path, run.digest, SPEED) is None
    assert save_derived(run.path, run.digest, SPEED, ARRAYS)
    assert_there(run)


def test_a_pickle_is_not_read(run: Run) -> None:
    save_derived(run.path, run.digest, SPEED, ARRAYS)
    np.savez(the_file(run), metres=np.array([{}], dtype=object), count=ARRAYS["count"])
    assert load_derived(run.path, run.digest, SPEED) is None


def test_a_run_that_grew_has_its_own(run: Run) -> None:
    save_derived(run.path, run.digest, SPEED, ARRAYS)
    grown = make(run.path, passes=9)
    assert load_derived(grown.path, grown.digest, SPEED) is None
    assert not save_derived(run.path, run.digest, SPEED, ARRAYS)
    doubled = {"metres": 2 * ARRAYS["metres"], "count": ARRAYS["count"]}
    assert save_derived(grown.path, grown.digest, SPEED, doubled)
    assert_there(grown, doubled)


def test_a_run_that_was_removed_is_not_begun_again(run: Run) -> None:
    save_derived(run.path, run.digest, SPEED, ARRAYS)
    remove_run(run.path)
    assert not save_derived(run.path, run.digest, SPEED, ARRAYS)
    assert not list(Path(run.path).parent.iterdir())


def test_where_the_folder_cannot_be_written_to_it_goes_to_the_users_own(run: Run, users_folder: Path) -> None:
    the_file(run).parent.write_text("in the way")  # the rights of root would overcome a folder that is read-only
    assert save_derived(run.path, run.digest, SPEED, ARRAYS)
    assert_there(run)
    assert len(list(users_folder.rglob("speed-1.npz"))) == 1
    assert verify_run(run.path)
    remove_run(run.path)
    assert not list(users_folder.rglob("speed-1.npz"))


def test_what_was_kept_last_comes_back_wherever_it_was_kept(
    run: Run, users_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = {name: array + 1 for name, array in ARRAYS.items()}
    save_derived(run.path, run.digest, SPEED, ARRAYS)
    with monkeypatch.context() as installed:
        installed.setattr("mcviz.runs.derived.PACKAGE", Path(run.path).resolve().parent)
        assert save_derived(run.path, run.digest, SPEED, newer)
        assert_there(run, newer)
    assert_there(run, newer)
    assert save_derived(run.path, run.digest, SPEED, ARRAYS)
    assert_there(run)
    assert not list(users_folder.rglob("speed-1.npz"))


def test_where_nothing_can_be_written_it_goes_without(run: Run, users_folder: Path) -> None:
    the_file(run).parent.write_text("in the way")
    (users_folder / "mcviz").write_text("in the way as well")
    assert not save_derived(run.path, run.digest, SPEED, ARRAYS)
    assert load_derived(run.path, run.digest, SPEED) is None


def test_nothing_is_written_into_an_installed_package(
    run: Run, users_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcviz.runs.derived.PACKAGE", Path(run.path).resolve().parent)
    assert save_derived(run.path, run.digest, SPEED, ARRAYS)
    assert not the_file(run).exists()
    assert_there(run)
    assert len(list(users_folder.rglob("speed-1.npz"))) == 1
