"""A run is the same on this machine, in memory and in object storage."""

from pathlib import Path

import pytest

from mcviz.errors import CorruptRunError, PartialRunError, RunExistsError, RunNotFoundError, StorageError
from mcviz.runs import list_runs, open_run, remove_run, verify_run
from mcviz.runs.storage import LocalFolder, folder_at
from tests.runs.making import MadeUpSource, make, make_partial, numbers, some_images


def test_files_come_and_go(address: str) -> None:
    place = folder_at(f"{address}/folder")
    assert place.sizes() == {}
    place.write("a", b"first")
    place.write("inner/b", b"0123456789")
    assert place.sizes() == {"a": 5, "inner/b": 10}
    place.write("a", b"second")
    assert place.read("a") == b"second"
    assert place.read("inner/b", 3, 4) == b"3456"
    assert place.read("inner/b", 8, 10**12) == b"89"
    assert place.read("inner/b", 0, 0) == b""
    place.delete("a")
    place.delete("a")
    assert place.sizes() == {"inner/b": 10}
    with pytest.raises(FileNotFoundError):
        place.read("a")
    place.write("mine", b"stays")
    place.remove(["inner/b"])
    assert place.sizes() == {"mine": 5}
    place.remove(["mine"])
    place.remove(["mine"])
    assert place.sizes() == {}


def test_a_run_is_made_resumed_grown_verified_and_removed(address: str, tmp_path: Path) -> None:
    out = f"{address}/run"
    with pytest.raises(RunNotFoundError, match="There is no run at"):
        open_run(out)
    make_partial(out, predictions=30)
    with pytest.raises(PartialRunError, match="4 of 11 examples"):
        open_run(out)
    source = MadeUpSource(some_images(), 3, 5)
    assert numbers(make(out, source=source)) == numbers(make(tmp_path / "truth" / "run"))
    assert len(source.asked) == 2
    grown = make(out, passes=10)
    assert numbers(grown) == numbers(make(tmp_path / "truth" / "grown", passes=10))
    assert verify_run(out).files == 20
    with pytest.raises(RunExistsError):
        make(out, seed=6)
    assert [(run.state, run.examples_done) for run in list_runs(address)] == [("finished", 11)]
    remove_run(out)
    assert list_runs(address) == []
    assert folder_at(out).sizes() == {}


def test_a_damaged_file_is_named_by_its_address(address: str) -> None:
    out = f"{address}/run"
    make(out)
    place = folder_at(out)
    name = "predictions.zarr/probs/c.1.0.0"
    content = place.read(name)
    place.write(name, content[:70] + bytes([content[70] ^ 1]) + content[71:])
    with pytest.raises(CorruptRunError, match=f"{out}/{name}"):
        open_run(out).probs_block(0, 11)
    assert open_run(out).probs(0).shape == (6, 3)
    place.delete(name)
    with pytest.raises(CorruptRunError, match=f"{out}/{name} is missing"):
        open_run(out)


def test_a_remote_model_has_no_path(address: str) -> None:
    run = make(f"{address}/run")
    assert (run.model_path is None) == ("://" in address)


def test_file_addresses_are_local(tmp_path: Path) -> None:
    assert isinstance(folder_at(f"file://{tmp_path}"), LocalFolder)
    make(f"file://{tmp_path}/run")
    assert open_run(tmp_path / "run").manifest.passes == 6


def test_an_address_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match="nosuchthing://run is no address that can be used"):
        open_run("nosuchthing://run")
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(StorageError, match="needs the package fsspec: pip install fsspec"):
        open_run("memory://run")


def test_a_store_that_does_not_answer(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not address.startswith("s3"):
        return
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StorageError, match=f"{address}/run/manifest.json cannot be read"):
        open_run(f"{address}/run")
