"""Links, pipes and what else a folder can hold: none is followed out of a run, waited for, or read as a run's file."""

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest

from mcviz.errors import CorruptRunError, InvalidInputError, McvizError, StorageError
from mcviz.runs import Derived, list_runs, load_derived, open_run, remove_run, run_names, save_derived, verify_run
from mcviz.runs.storage import folder_at, write_lock
from tests.cases import one_in
from tests.runs.making import contents, make, make_partial, numbers
from tests.runs.sealing import reseal

pytestmark = pytest.mark.attack

SPEED = Derived("speed", 1, {"count": "int32"})


@pytest.fixture(autouse=True)
def in_bounded_time() -> Iterator[None]:
    def late(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def cache(finished_runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, `odd` and `other`, with something that is derived from each."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    for name in ("odd", "other"):
        run = open_run(shutil.copytree(finished_runs["classes of images"], tmp_path / "cache" / name))
        save_derived(run.path, run.digest, SPEED, {"count": [1]})
    return tmp_path / "cache"


def a_socket(place: Path, twin: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        there = Path.cwd()
        os.chdir(place.parent)  # the path of a socket may not be long
        server.bind(place.name)
        os.chdir(there)


KINDS: dict[str, Callable[[Path, Path], object]] = {
    "link to the other run's": lambda place, twin: place.symlink_to(twin),
    "relative link to it": lambda place, twin: place.symlink_to(os.path.relpath(twin, place.parent)),
    "link to nothing": lambda place, twin: place.symlink_to(twin.parent / "nothing"),
    "link to itself": lambda place, _: place.symlink_to(place.name),
    "link to the run": lambda place, _: place.symlink_to(place.parent),
    "link as long as the other run's": lambda place, twin: place.symlink_to(("n/" * 2000)[: twin.stat().st_size]),
    "pipe": lambda place, _: os.mkfifo(place),
    "socket": a_socket,
    "folder": lambda place, _: place.mkdir(),
}
PLACES = [
    "manifest.json",
    "scores.parquet",
    "model.keras",
    "predictions.zarr",
    "predictions.zarr/probs",
    "predictions.zarr/probs/c.0.0.0",
    "predictions.zarr/label/zarr.json",
]
BESIDE = ["derived", "derived/speed-1.npz", "predictions-5.zarr", "predictions-10.zarr", "manifest-10.json", "stray"]


def put(cache: Path, place: str, kind: str) -> None:
    odd, twin = cache / "odd" / place, cache / "other" / place
    if odd.is_dir():
        shutil.rmtree(odd)
    odd.unlink(missing_ok=True)
    KINDS[kind](odd, twin if twin.exists() else cache / "other/predictions.zarr")


@pytest.mark.parametrize("kind", one_in(8, KINDS))
def test_in_the_place_of_a_file_that_the_run_needs(cache: Path, kind: str) -> None:
    shutil.copytree(cache / "odd", cache.parent / "odd")
    grown = numbers(make(cache.parent / "grown", passes=10))
    truth, before = numbers(open_run(cache / "other")), contents(cache / "other")
    for place in PLACES:
        put(cache, place, kind)
        assert {run.path: run.state for run in list_runs(cache)}.get(f"{cache}/odd") != "finished", place
        for use in (open_run, verify_run, make):
            with pytest.raises(McvizError, match=str(cache / "odd")):
                use(cache / "odd")
        with suppress(McvizError):  # what growing does not need, it replaces
            assert numbers(make(cache / "odd", passes=10)) == grown
        with suppress(McvizError):  # a folder or a link that is called manifest.json
            remove_run(cache / "odd")
        assert contents(cache / "other") == before, place
        assert numbers(open_run(cache / "other")) == truth
        shutil.rmtree(cache / "odd", ignore_errors=True)
        shutil.copytree(cache.parent / "odd", cache / "odd")
    assert numbers(open_run(cache / "odd")) == truth


@pytest.mark.parametrize(("place", "kind"), one_in(13, product(BESIDE, KINDS)))
def test_beside_the_files_that_the_run_needs(cache: Path, place: str, kind: str) -> None:
    truth, before = numbers(open_run(cache / "other")), contents(cache / "other")
    put(cache, place, kind)
    assert [run.state for run in list_runs(cache)] == ["finished", "finished"]
    assert numbers(open_run(cache / "odd")) == truth
    assert verify_run(cache / "odd").files == 20
    run = open_run(cache / "odd")
    assert place in ("derived", "derived/speed-1.npz") or load_derived(run.path, run.digest, SPEED) is not None
    save_derived(run.path, run.digest, SPEED, {"count": [1]})
    with suppress(StorageError):  # where something is in the way of the files that the writing needs
        make(cache / "odd")
        make(cache / "odd", passes=10)
    assert contents(cache / "other") == before
    assert numbers(open_run(cache / "odd"))["labels"] == truth["labels"]
    left = remove_run(cache / "odd")
    assert contents(cache / "other") == before
    assert numbers(open_run(cache / "other")) == truth
    assert (cache / "odd").exists() == bool(left)
    assert all(os.path.lexists(cache / "odd" / name) for name in left)


def test_folders_nested_by_the_thousand(cache: Path) -> None:
    truth = numbers(open_run(cache / "other"))
    nested = [cache / "odd/n"]
    for _ in range(1100):  # more than Python calls one within another
        nested.append(nested[-1] / "n")
    for folder in nested:
        folder.mkdir()
    assert [run.state for run in list_runs(cache)] == ["finished", "finished"]
    assert numbers(open_run(cache / "odd")) == truth
    assert make(cache / "odd", passes=10).passes == 10
    (left,) = remove_run(cache / "odd")
    assert len(left) == len("n/") * 1101
    for folder in [*reversed(nested), cache / "odd"]:
        folder.rmdir()


def test_the_folders_of_runs_may_be_links(cache: Path, tmp_path: Path) -> None:
    truth = numbers(open_run(cache / "other"))
    (tmp_path / "cache link").symlink_to(cache)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/run").symlink_to(cache / "odd")
    assert run_names(tmp_path / "cache link") == ["odd", "other"]
    assert [run.state for run in list_runs(tmp_path / "elsewhere")] == ["finished"]
    for place in (tmp_path / "cache link/odd", tmp_path / "elsewhere/run"):
        run = open_run(place)
        assert numbers(run) == truth
        assert verify_run(place).files == 20
        assert save_derived(run.path, run.digest, SPEED, {"count": [2]})
    assert make(tmp_path / "elsewhere/run", passes=10).passes == open_run(cache / "odd").passes == 10
    assert remove_run(tmp_path / "cache link/other") == []
    assert run_names(cache) == ["odd"]


def test_one_lock_for_all_the_ways_to_a_run(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(cache / "odd")
    with write_lock(folder_at(tmp_path / "link")):
        assert (cache / ".odd.lock").exists()


def test_a_lock_that_is_a_link_makes_no_file_elsewhere(cache: Path, tmp_path: Path) -> None:
    (cache / ".new.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="new cannot be written"):
        make(cache / "new")
    assert not (tmp_path / "elsewhere").exists()


def partial_of_many(manifest: dict) -> None:
    manifest["state"], manifest["files"], manifest["examples"]["count"] = "partial", {}, 10**12
    for size in ("examples_per_chunk", "examples_per_shard", "images_per_chunk", "images_per_shard"):
        manifest["layout"][size] = 1


def deeply_nested(manifest: dict) -> None:
    manifest["about"] = {"a": {}}
    inner = manifest["about"]["a"]
    for _ in range(300):
        inner["a"] = {}
        inner = inner["a"]


BAD = [
    b"",
    b"[" * 1_000_000,
    b'{"a":' * 300_000,
    b" " * 70_000_000,
    b"[0" + b",0" * 1_000_000 + b"]",
    b'{"checksum": NaN, "seed": 1e999}',
    b'{"checksum": "' + b"9" * 5000 + b'", "seed": ' + b"9" * 5000 + b"}",
    b'{"checksum": "\\ud800"}',
    b'"\xed\xa0\x80"',
    b"{}",
    b"[]",
    b"null",
    b"1e999",
    b"\xff\xfe",
    b'{"checksum": 1}',
]


@pytest.mark.parametrize("content", BAD, ids=range(len(BAD)))
def test_a_manifest_that_is_none_costs_one_line(cache: Path, content: bytes) -> None:
    (cache / "odd/manifest.json").write_bytes(content)
    with pytest.raises(CorruptRunError, match=f"{cache}/odd/manifest.json"):
        open_run(cache / "odd")
    odd, other = list_runs(cache)
    assert (odd.state, other.state) == ("damaged", "finished")
    assert len(odd.message) < 1000
    assert "\n" not in odd.message
    odd.message.encode()
    remove_run(cache / "odd")
    assert run_names(cache) == ["other"]


@pytest.mark.parametrize(
    ("claim", "state"),
    [
        (partial_of_many, "partial"),
        (deeply_nested, "finished"),
        (lambda manifest: manifest.update(seed=10**400), "finished"),
        (lambda manifest: manifest.update(passes=1 << 70), "damaged"),
        (lambda manifest: manifest["about"].update(x=float("nan")), "damaged"),
        (lambda manifest: manifest["images"].update(highest=float("inf")), "damaged"),
        (lambda manifest: manifest.update(format="\ud800" * 1_000_000), "unreadable"),
    ],
)
def test_a_manifest_that_was_sealed_again_costs_one_line(cache: Path, claim: Callable, state: str) -> None:
    reseal(cache / "odd", claim)
    odd, other = list_runs(cache)
    assert (odd.state, other.state) == (state, "finished")
    assert len(odd.message) < 1000
    odd.message.encode()


def test_a_thousand_entries(cache: Path) -> None:
    for number in range(1000):
        (cache / f"bad-{number}").mkdir()
        (cache / f"bad-{number}/manifest.json").write_bytes(b"{}")
    assert [run.state for run in list_runs(cache)] == ["damaged"] * 1000 + ["finished"] * 2


def test_a_name_that_is_no_text_costs_one_line_that_can_be_printed(cache: Path) -> None:
    odd = os.fsdecode(b"odd\xff")
    (cache / "odd").rename(cache / odd)
    listed, other = list_runs(cache)
    assert (listed.state, other.state) == ("unreadable", "finished")
    f"{listed.path} {listed.message}".encode()
    assert run_names(cache) == ["other"]
    for use in (open_run, make, remove_run, list_runs):
        with pytest.raises(InvalidInputError, match="should be Unicode") as caught:
            use(cache / odd)
        str(caught.value).encode()


def test_files_outside_a_partial_run_are_not_even_read(cache: Path, tmp_path: Path) -> None:
    make_partial(cache / "stopped")
    os.mkfifo(tmp_path / "pipe")
    whole = (cache / "stopped/manifest.json").read_bytes()
    for name in ("../../pipe", f"{tmp_path}/pipe", "..\\pipe", "a\0b", "predictions.zarr/probs/c.7.0.0", "notes.txt"):
        reseal(
            cache / "stopped", lambda manifest, name=name: manifest["files"].update({name: {"bytes": 1, "sha256": ""}})
        )
        for use in (open_run, make):
            with pytest.raises(CorruptRunError, match="is no file of such a run"):
                use(cache / "stopped")
        (cache / "stopped/manifest.json").write_bytes(whole)
    assert numbers(make(cache / "stopped")) == numbers(open_run(cache / "other"))
