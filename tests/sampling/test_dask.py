"""Shards made by the workers of a Dask cluster: the same bits, whatever dies on the way."""

import copy
import logging
import os
import pickle
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from distributed import Client, LocalCluster
from msgspec.structs import replace
from PIL import Image

from mcviz.cli import main
from mcviz.data import DataSet, LazyRows, Pictures, read_data
from mcviz.errors import ClusterError, InvalidInputError, PartialRunError
from mcviz.extras import INSTALL_DASK
from mcviz.options import ModelOptions
from mcviz.runs import Run, open_run, verify_run
from mcviz.runs.data_set import data_set_of
from mcviz.runs.storage import folder_at
from mcviz.sampling import cluster, run_sampling
from mcviz.sampling.base import ModelSpec
from mcviz.sampling.cluster import _Execution
from mcviz.sampling.loading import load_sampler
from mcviz.sampling.run_sampling import sample_run
from mcviz.sampling.sampler import Sampler
from tests.cases import only
from tests.factories import Stop, dropout_network
from tests.runs.making import contents, numbers
from tests.sampling.fake import FakeNetwork, make_arrays

pytestmark = [
    pytest.mark.lowest,
    pytest.mark.xdist_group("dask"),  # one cluster for all
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),  # Dask's
]
EXAMPLES = 64
LONG = 4000  # passes: a shard takes a moment
start_workers = partial(LocalCluster, threads_per_worker=1, memory_limit=0, dashboard_address="127.0.0.1:0")


def small_shards(patch: pytest.MonkeyPatch) -> None:
    """Sixteen shards in few examples; the workers learn it from the manifest."""
    layout = run_sampling.layout_for
    patch.setattr(
        run_sampling, "layout_for", lambda *sizes: replace(layout(*sizes), examples_per_shard=4, examples_per_chunk=2)
    )


@pytest.fixture(scope="module", autouse=True)
def environment(s3_server: str) -> Iterator[None]:
    """Of the workers too, which are started later."""
    with pytest.MonkeyPatch.context() as patch:
        # Another test may leave a page of the dashboard as the main module, which a new process would run again.
        patch.setitem(sys.modules, "__main__", ModuleType("__main__"))
        small_shards(patch)
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": s3_server,
        }.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all share: a model, and examples in two forms."""
    folder = tmp_path_factory.mktemp("shared")
    write_model(folder)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (EXAMPLES, 6, 5, 1), dtype=np.uint8)
    np.savez(folder / "data.npz", images=images, labels=random.integers(0, 4, EXAMPLES))
    (folder / "pictures").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(folder / "pictures" / f"{number:02}.png")
    np.save(folder / "x.npy", images)
    np.save(folder / "fractions.npy", images[..., 0] / 255)
    cells = [(folder / "pictures" / f"{number:02}.png").read_bytes() for number in range(EXAMPLES)]
    pq.write_table(pa.table({"image": cells}), folder / "pictures.parquet", row_group_size=24)
    return folder


@pytest.fixture(scope="module")
def workers(environment: None) -> Iterator[LocalCluster]:
    with start_workers(n_workers=2) as workers:
        yield workers


@pytest.fixture(scope="module", params=only([False], [False, True]), ids=["threads", "processes"])
def all_workers(request: pytest.FixtureRequest, environment: None) -> Iterator[LocalCluster]:
    """Workers that hear of everything by TCP, and take a moment to start where they are threads of this process."""
    with start_workers(n_workers=2, processes=request.param, protocol="tcp://") as workers:
        yield workers


def write_model(folder: Path, **options: Any) -> None:
    (folder / "model.fake").write_bytes(FakeNetwork(make_arrays(**options)).save())


def load_model(folder: Path) -> Sampler:
    return load_sampler(ModelSpec(ModelOptions(str(folder / "model.fake"), modules=("tests.sampling.fake",))))


def sampled(shared: Path, out: Any, **options: Any) -> Run:
    data = options.pop("data", shared / "data.npz")
    return sample_run(load_model(shared), data, out, **{"passes": 12, "seed": 3} | options)


@pytest.fixture(scope="module")
def alone(shared: Path, tmp_path_factory: pytest.TempPathFactory, environment: None) -> dict[int, Path]:
    """The runs that one process makes, by their passes."""
    folder = tmp_path_factory.mktemp("alone")
    return {passes: Path(sampled(shared, folder / str(passes), passes=passes).path) for passes in (12, LONG)}


def at(share: float, action: Callable[[], object]) -> Callable[[int, int], None]:
    """A progress that does something once, when a share is done."""
    left = [action]

    def progress(done: int, total: int) -> None:
        if left and done >= share * total:
            left.pop()()

    return progress


def stop() -> None:
    raise Stop


def pids(workers: LocalCluster) -> dict[str, int]:
    with Client(workers, set_as_default=False) as client:
        return client.run(os.getpid)


def test_the_bits_are_those_of_one_process_and_a_run_grows_and_goes_on(
    all_workers: LocalCluster, shared: Path, alone: dict[int, Path], tmp_path: Path
) -> None:
    counts: list[int] = []
    run = sampled(
        shared, tmp_path / "run", scheduler=all_workers.scheduler_address, progress=lambda done, _: counts.append(done)
    )
    assert contents(Path(run.path)) == contents(alone[12])
    assert verify_run(run.path)
    assert counts == sorted(counts)
    assert len(set(counts)) == 17  # nothing, and each shard
    with pytest.raises(Stop):
        sampled(shared, run.path, scheduler=all_workers.scheduler_address, passes=LONG, progress=at(0.3, stop))
    grown = sampled(shared, run.path, scheduler=all_workers.scheduler_address, passes=LONG)
    assert contents(Path(grown.path)) == contents(alone[LONG])


@pytest.mark.slow
def test_a_run_grows_whose_shards_become_smaller(
    workers: LocalCluster, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = run_sampling.layout_for
    monkeypatch.setattr(
        run_sampling,
        "layout_for",
        lambda passes, *others: replace(layout(passes, *others), examples_per_shard=8 if passes == 12 else 4),
    )
    sampled(shared, tmp_path / "run", scheduler=workers.scheduler_address)
    grown = sampled(shared, tmp_path / "run", scheduler=workers.scheduler_address, passes=20)
    whole = sampled(shared, tmp_path / "whole", passes=20)
    assert contents(Path(grown.path)) == contents(Path(whole.path))


@pytest.mark.slow
def test_stopped_and_gone_on_with_without_dask(
    workers: LocalCluster, shared: Path, alone: dict[int, Path], tmp_path: Path
) -> None:
    with pytest.raises(Stop):
        sampled(shared, tmp_path / "run", scheduler=workers.scheduler_address, passes=LONG, progress=at(0.3, stop))
    with pytest.raises(PartialRunError):
        open_run(tmp_path / "run")
    left: list[int] = []
    sampled(shared, tmp_path / "run", passes=LONG, progress=lambda done, _: left.append(done))
    assert left[0] > 0
    assert contents(tmp_path / "run") == contents(alone[LONG])


@pytest.mark.slow
def test_stopped_before_the_first_shard_nothing_is_left(workers: LocalCluster, shared: Path, tmp_path: Path) -> None:
    with pytest.raises(Stop):
        sampled(shared, tmp_path / "run", scheduler=workers.scheduler_address, passes=LONG, progress=at(0, stop))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "form", only(["table"], ["pictures", "table", "array", "fractions", "run", "run in an object store"])
)
def test_images_are_read_by_the_workers(
    all_workers: LocalCluster, shared: Path, alone: dict[int, Path], tmp_path: Path, monkeypatch, form: str
) -> None:
    if form == "run in an object store":
        import s3fs

        store = s3fs.S3FileSystem(skip_instance_cache=True)
        store.makedirs("s3://data", exist_ok=True)  # threads and processes read from one
        store.put(f"{alone[12]}", "s3://data/run", recursive=True)
    data: Any = {
        "pictures": lambda: shared / "pictures",
        "table": lambda: shared / "pictures.parquet",
        "array": lambda: shared / "x.npy",
        "fractions": lambda: shared / "fractions.npy",
        "run": lambda: data_set_of(open_run(alone[12])),
        "run in an object store": lambda: data_set_of(open_run("s3://data/run")),
    }[form]()
    one = sampled(shared, tmp_path / "one", data=data, keep_images=False)
    sent: list[DataSet] = []
    slice_for_worker = DataSet.slice_for_worker
    monkeypatch.setattr(DataSet, "slice_for_worker", lambda *given: sent.append(slice_for_worker(*given)) or sent[-1])
    run = sampled(shared, tmp_path / "run", data=data, keep_images=False, scheduler=all_workers.scheduler_address)
    assert contents(Path(run.path)) == contents(Path(one.path))
    if form != "fractions":  # these are rounded once more
        in_memory = open_run(alone[12])
        np.testing.assert_array_equal(run.predictions_block(0, None), in_memory.predictions_block(0, None))
    assert len(sent) > 16
    assert all(isinstance(each.images, Pictures | LazyRows) and len(pickle.dumps(each)) < 4000 for each in sent)


@pytest.mark.slow
def test_a_worker_that_does_not_reach_the_images_is_refused(
    workers: LocalCluster, shared: Path, tmp_path: Path
) -> None:
    (tmp_path / "x.npy").write_bytes((shared / "x.npy").read_bytes())
    data = read_data(tmp_path / "x.npy")
    first = data.images[:]  # as a machine has it that is not the workers'
    (tmp_path / "x.npy").unlink()
    object.__setattr__(data.images, "read", Here(data.images.read, first))
    with pytest.raises(
        ClusterError, match=r"^Worker tcp://\S+ cannot take part: .*x\.npy cannot be read: No such file"
    ):
        sampled(shared, tmp_path / "run", data=data, scheduler=workers.scheduler_address)
    assert not (tmp_path / "run").exists()


class Here:
    """Reads from memory, and elsewhere from the file."""

    def __init__(self, read: Any, images: np.ndarray) -> None:
        self.read, self.images = read, images

    def __call__(self, places: Any) -> np.ndarray:
        return self.images[np.asarray(places)]

    def __reduce__(self) -> Any:
        return copy.copy, (self.read,)


@pytest.mark.slow
def test_an_object_store_is_shared_ground(workers: LocalCluster, shared: Path, alone: dict[int, Path]) -> None:
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("s3://dask")
    run = sampled(shared, "s3://dask/run", scheduler=workers.scheduler_address)
    folder = folder_at("s3://dask/run")
    files = {name: folder.read(name) for name in folder.sizes() if name != "manifest.json"}
    assert files == contents(alone[12])
    assert numbers(run) == numbers(open_run(alone[12]))


@pytest.mark.slow
def test_a_worker_is_killed_in_the_middle_of_a_shard(
    workers: LocalCluster, shared: Path, alone: dict[int, Path], tmp_path: Path
) -> None:
    victims = pids(workers)
    kill = partial(os.kill, next(iter(victims.values())), signal.SIGKILL)
    run = sampled(shared, tmp_path / "run", passes=LONG, scheduler=workers.scheduler_address, progress=at(0.1, kill))
    assert workers.scheduler.task_prefixes["make_ordered_shard"].suspicious  # shards were lost with their worker
    assert contents(Path(run.path)) == contents(alone[LONG])


@pytest.mark.slow
@pytest.mark.parametrize("counted", ["by Dask", "here, where all workers are lost"])
def test_a_shard_that_kills_workers_stops_the_command(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: str
) -> None:
    monkeypatch.setattr(cluster, "MOST_SUBMISSIONS", 1)
    monkeypatch.setattr(cluster, "SECONDS_TO_END", 1)  # a worker that is gone answers nobody
    data = read_data(shared / "x.npy")
    object.__setattr__(data.images, "read", Deadly(data.images.read))
    message = r"^Several workers were lost while they made examples 3[26] to 3[59]\..* goes on with what is finished"
    with start_workers(n_workers=1) as workers:
        if counted == "by Dask":
            workers.scheduler.allowed_failures = 0
        with pytest.raises(ClusterError, match=message):
            sampled(shared, tmp_path / "run", data=data, scheduler=workers.scheduler_address)
    with pytest.raises(PartialRunError):
        open_run(tmp_path / "run")


class Deadly:
    """Reads images from a file, and kills the worker that reads the 35th."""

    def __init__(self, read: Any) -> None:
        self.read, self.home = read, os.getpid()

    def __call__(self, places: Any) -> np.ndarray:
        if os.getpid() != self.home and 35 in np.asarray(places):
            os.kill(os.getpid(), signal.SIGKILL)
        return self.read(places)


@pytest.mark.slow
def test_a_worker_that_hangs_keeps_nobody_from_stopping_and_changes_nothing_later(
    workers: LocalCluster, shared: Path, alone: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(workers, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    hangs = next(iter(pids(workers).values()))
    monkeypatch.setattr(cluster, "SECONDS_TO_END", 1)

    def hang_and_stop() -> None:
        os.kill(hangs, signal.SIGSTOP)
        stop()

    try:
        with pytest.raises(Stop):
            sampled(
                shared,
                tmp_path / "run",
                passes=LONG,
                scheduler=workers.scheduler_address,
                progress=at(0.1, hang_and_stop),
            )
        assert contents(Path(sampled(shared, tmp_path / "run", passes=LONG).path)) == contents(alone[LONG])
    finally:
        os.kill(hangs, signal.SIGCONT)
    time.sleep(1)  # it goes on, and may write the shard that it was at
    assert contents(tmp_path / "run") == contents(alone[LONG])


@pytest.mark.slow
def test_workers_of_other_versions_are_refused_by_name(
    workers: LocalCluster, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = run_sampling.versions("keras")
    monkeypatch.setattr(run_sampling, "versions", lambda _: own | {"keras": "3.0"})
    with pytest.raises(ClusterError, match=rf"^Worker tcp://\S+ has keras {own['keras']}, not 3\.0\."):
        sampled(shared, tmp_path / "run", scheduler=workers.scheduler_address)
    assert not (tmp_path / "run").exists()


def test_workers_that_have_not_the_model_are_refused_by_name(
    all_workers: LocalCluster, shared: Path, tmp_path: Path
) -> None:
    address = all_workers.scheduler_address
    for seed, message in ((None, "no model"), (1, "another model")):
        write_model(tmp_path)
        sampler = load_model(tmp_path)
        (tmp_path / "model.fake").unlink()
        if seed:
            write_model(tmp_path, seed=seed)
        with pytest.raises(ClusterError, match=rf"^Worker tcp://\S+ cannot take part: .*{message}"):
            sample_run(sampler, shared / "data.npz", tmp_path / "run", passes=12, scheduler=address)
    assert not (tmp_path / "run").exists()
    with pytest.raises(InvalidInputError, match="the path of a model, where there is a scheduler"):
        sample_run(sampler.network, shared / "data.npz", tmp_path / "run", passes=12, scheduler=address)


@pytest.mark.slow
def test_a_worker_that_comes_later_is_asked_too(
    workers: LocalCluster, shared: Path, alone: dict[int, Path], tmp_path: Path, monkeypatch
) -> None:
    expected: dict[str, str] = {}
    heard: list[tuple[object, ...]] = []
    submit_shards, admit = _Execution._submit_shards, _Execution._admit

    def grow() -> None:
        expected["numpy"] = "1.0"  # so that it is the newcomer that has another
        workers.scale(3)

    def held(self: _Execution) -> None:
        self.executor.versions.update(expected)
        if not expected or heard:
            submit_shards(self)

    monkeypatch.setattr(_Execution, "_submit_shards", held)
    monkeypatch.setattr(_Execution, "_admit", lambda *given: heard.append(given) or admit(*given))
    with pytest.warns(UserWarning, match=r"^Worker tcp://\S+ has numpy \S+, not 1\.0\. It gets no work\.$"):
        run = sampled(shared, tmp_path / "run", scheduler=workers.scheduler_address, progress=at(0.1, grow))
    workers.scale(2)
    assert contents(Path(run.path)) == contents(alone[12])


@pytest.mark.slow
def test_the_scheduler_is_gone_and_the_same_command_goes_on(
    shared: Path,
    alone: dict[int, Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger("distributed.client"), "propagate", True)  # so that it is heard here
    with start_workers(n_workers=1) as workers:
        options = {"scheduler": workers.scheduler_address, "progress": at(0.2, workers.close)}
        with pytest.raises(ClusterError, match=r"scheduler is gone.*the same command goes on"):
            sampled(shared, tmp_path / "run", passes=LONG, **options)
    assert [record.getMessage() for record in caplog.records if record.name == "distributed.client"] == []
    with pytest.raises(PartialRunError):
        open_run(tmp_path / "run")
    assert contents(Path(sampled(shared, tmp_path / "run", passes=LONG).path)) == contents(alone[LONG])


@pytest.mark.slow
def test_the_command_with_a_model_of_keras_and_a_process_of_this_machine(
    shared: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(cluster, "SECONDS_TO_CONNECT", 1)
    model, data = tmp_path / "model.keras", shared / "data.npz"
    dropout_network((6, 5, 1), hidden=16).save(model)
    command = ["sample", f"--model={model}", f"--data={data}", "--passes=12"]
    command += ["--seed=3", f"--out={tmp_path / 'run'}", "--scheduler"]
    began = time.monotonic()
    assert main([*command, "tcp://127.0.0.1:9"]) == 2
    assert time.monotonic() - began < 30
    assert re.fullmatch(r"mcviz: No Dask scheduler answers at tcp://127\.0\.0\.1:9\..*\n", capsys.readouterr().err)
    assert main([*command, "local:none"]) == 2
    assert "local:N with N processes. Received: local:none" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr("mcviz.extras.find_spec", {"keras": 1, "tensorflow": 1}.get)
        assert main([*command, "local:1"]) == 2
    assert INSTALL_DASK in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main([*command, "local:1"]) == 0
    sample_run(model, data, tmp_path / "one", passes=12, seed=3)
    assert contents(tmp_path / "run") == contents(tmp_path / "one")
