"""Shards of a run by the workers of a Dask cluster.

Each worker loads the model once and makes one shard at a time with all its threads. The process with the run's lock
checks workers and submits a few shards at a time. Dask chooses the worker, and repeats lost shards.
"""

import hashlib
import logging
import re
import secrets
import threading
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from mcviz.data import DataSet
from mcviz.errors import ClusterError, McvizError, StorageError
from mcviz.extras import import_modules, require_dask
from mcviz.manifest import Manifest
from mcviz.options import ModelOptions
from mcviz.runs.manifest_file import read_manifest
from mcviz.runs.run import Run
from mcviz.runs.storage import Folder, folder_at
from mcviz.runs.writer import ShardResult, Shards, make_shard, trim_files
from mcviz.sampling.adapters import adapter_for_examples
from mcviz.sampling.base import ModelSpec, absolute
from mcviz.sampling.engine import limit_threads, thread_count
from mcviz.sampling.loading import SamplerSource, load_sampler, versions
from mcviz.sampling.sampler import Sampler, find_backend
from mcviz.validate import invalid

if TYPE_CHECKING:
    from distributed import Client, Future


PASSES_COMPARED = 2
_computing, _writing = threading.Lock(), threading.Lock()
_ended: set[str] = set()  # finished executions
_samplers: dict[tuple[ModelSpec, str, str | None, str | None], Sampler] = {}  # the last one

LOCAL = re.compile(r"local:(\d{1,4})")
SECONDS_TO_CONNECT = 5
SECONDS_WITHOUT_WORKERS = 60  # at the start, and after the last one was lost
SECONDS_TO_END = 10
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_OF_WAITING = 0.05
SECONDS_TO_FETCH = 30
AHEAD = 2  # shards of a worker at a time, so that it does not wait for the next
MOST_SUBMISSIONS = 3  # of one shard, each lost with all its workers


class EndedError(McvizError):
    """The execution of a shard is over."""


@dataclass(frozen=True)
class ShardOrder:
    """A shard to be made.

    Attributes:
        execution: the name of its execution, which may end.
        address: of the run's folder.
        name: of the run's partial manifest.
        manifest: of the run, with the files to read.
        old: the manifest of the run of fewer passes that grows, with the files to read; or None.
        model: for the worker to load.
        shard: its number.
        examples: of the shard; images in files or in a run are read here.
        is_stored: whether its passes are stored already, and need only sums.
    """

    execution: str
    address: str
    name: str
    manifest: Manifest
    old: Manifest | None
    model: ModelSpec
    shard: int
    examples: DataSet
    is_stored: bool


@dataclass(frozen=True)
class WorkerReport:
    """A worker's report on whether it can take part.

    Attributes:
        refusal: the reason against it, as the end of a sentence that begins with the worker's name; or empty.
        bits: a SHA-256 of a few predictions, which differs between processors of other rounding.
    """

    refusal: str
    bits: str = ""


def check_worker(order: ShardOrder, expected: dict[str, str]) -> WorkerReport:
    """Check with the first examples whether this worker can make shards.

    Args:
        order: with the first examples of the run.
        expected: versions of libraries by their names.
    """
    assert order.manifest.model is not None
    own = versions(order.manifest.model.backend)
    makes_bits = {name: version for name, version in expected.items() if name != "python"}
    other = [f"{name} {own[name]}, not {version}" for name, version in makes_bits.items() if own[name] != version]
    if other:
        return WorkerReport(f"has {', '.join(other)}")
    with _computing:
        _limit_threads(order.model.options)
        try:
            _check_folder(folder_at(order.address), order)
            sampler, source = _prepare(order)
            passes = source.passes(0, len(order.examples), 0, PASSES_COMPARED, lambda *_: None)
        except Exception as error:  # noqa: BLE001 (of any kind: it is reported, and this worker gets no work)
            return WorkerReport(f"cannot take part: {error}")
    return WorkerReport("", hashlib.sha256(passes.tobytes() + sampler.product.encode()).hexdigest())


def make_ordered_shard(order: ShardOrder) -> ShardResult:
    """Make a shard.

    Raises:
        EndedError: the execution is over.
        McvizError: it cannot be made.
    """
    with _computing:
        _limit_threads(order.model.options)
        _check_running(order)
        folder = folder_at(order.address)
        _, source = _prepare(order)

        @contextmanager
        def permit() -> Iterator[None]:
            with _writing:  # `end_execution` waits for it
                _check_running(order)
                _check_run_exists(folder, order)
                yield

        return make_shard(
            Run(folder, order.manifest),
            None if order.old is None else Run(folder, order.old),
            order.shard,
            source,
            order.examples.label_array,
            lambda *_: _check_running(order),
            folder=None if order.is_stored else folder,
            permit=permit,
        )


def end_execution(execution: str) -> None:
    """Stop this worker from writing for an execution after its current file."""
    with _writing:
        _ended.add(execution)


def _prepare(order: ShardOrder) -> tuple[Sampler, SamplerSource]:
    sampler = _load_sampler(order).with_target_scaler(order.manifest.target_scaler)
    adapter, content = adapter_for_examples(sampler, order.examples, order.manifest.preprocessing)
    assert order.manifest.seed is not None
    assert order.manifest.masks is not None
    first = order.manifest.shard_range(order.shard)[0]
    return sampler, SamplerSource(adapter, content, order.manifest.seed, order.manifest.masks, first)


def _load_sampler(order: ShardOrder) -> Sampler:
    source, manifest = order.model, order.manifest
    assert manifest.model is not None
    key = source, manifest.model.sha256, manifest.origin.product, manifest.origin.compiler
    if key not in _samplers:
        sampler = load_sampler(source)
        if sampler.network.input_specs is None:  # the digest may be of operations, which follow from the examples' form
            adapter, content = adapter_for_examples(sampler, order.examples, manifest.preprocessing)
            sampler.plan_for(adapter.from_stored(content[:1]))
        if sampler.network.compute_digest() != manifest.model.sha256:
            raise StorageError(f"it finds another model at {source.options.model}. Put the same file on all machines")
        _samplers.clear()
        _samplers[key] = sampler.match_run(manifest)
    return _samplers[key]


def _check_folder(folder: Folder, order: ShardOrder) -> None:
    try:
        there = read_manifest(folder, order.name)
    except McvizError as error:
        raise StorageError(
            f"it does not find the run at {folder.path}. Give a folder or an address that all share"
        ) from error
    if there.digest != order.manifest.digest:
        raise StorageError(f"it finds another run at {folder.path}")
    probe = f".probe.{hashlib.sha256(order.execution.encode()).hexdigest()[:6]}{threading.get_ident() % 16**6:06x}.tmp"
    with _writing:  # `end_execution` waits for it
        _check_running(order)
        folder.write(probe, b"")
        folder.delete(probe)


def _check_run_exists(folder: Folder, order: ShardOrder) -> None:
    try:
        folder.read(order.name, 0, 1)
    except FileNotFoundError as error:
        raise EndedError(f"{folder.path} is not being written any more.") from error


def _check_running(order: ShardOrder) -> None:
    if order.execution in _ended:
        raise EndedError("The execution is over.")


@cache
def _limit_threads(options: ModelOptions) -> None:
    """Limit threads to those of the worker: others share the machine."""
    from distributed import get_worker

    threads = get_worker().state.nthreads
    limit_threads(threads)
    import_modules(options.modules)
    find_backend(options.model).limit_threads(threads)


@contextmanager
def connect(scheduler: str) -> Iterator["Client"]:
    """Connect to a Dask cluster; `local:N` starts N processes for the block.

    Args:
        scheduler: its address, such as `tcp://10.0.0.1:8786`; or `local:` and a number of processes.

    Raises:
        MissingPackageError: Dask is not installed.
        InvalidInputError: any other text.
        ClusterError: no scheduler answers there.
    """
    require_dask()
    local = LOCAL.fullmatch(scheduler)
    if scheduler.startswith("local") and not (local and int(local[1])):
        raise invalid("scheduler", "the address of a Dask scheduler, or local:N with N processes", scheduler)
    from distributed import Client, LocalCluster

    with ExitStack() as held:
        for name in ("distributed", "distributed.client"):  # each has a level of its own
            logger = logging.getLogger(name)
            held.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)  # lost workers are reported here, in fewer lines
        if local:
            count = int(local[1])
            threads = max(1, thread_count() // count)
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=threads,
                processes=True,
                memory_limit=0,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
            held.enter_context(cluster)
        try:
            address = cluster.scheduler_address if local else scheduler
            client = Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"No Dask scheduler answers at {scheduler}. Start one with `dask scheduler`, and give the address that "
                "it prints."
            ) from error
        held.enter_context(client)
        yield client


@dataclass(frozen=True)
class DaskExecutor:
    """An executor of shards on a cluster's workers; see `ShardExecutor`.

    Attributes:
        client: of the cluster.
        model: for every worker to load.
        examples: of the run. They are sent with their shard, except images in files or in a run, which a worker reads
            itself.
        versions: of the libraries of this machine, by name; a worker's should be the same, except Python's.
    """

    client: "Client"
    model: ModelSpec
    examples: DataSet
    versions: dict[str, str]

    def run(self, shards: Shards, poll: Callable[[], None]) -> Generator[tuple[int, ShardResult]]:
        """See `ShardExecutor`.

        Raises:
            ClusterError: a worker cannot take part, the scheduler is gone, or no worker is left.
        """
        execution = _Execution(self, shards, poll)
        try:
            yield from execution.results()
        finally:
            execution.end()


@dataclass(frozen=True)
class _Task:
    """A shard to make, or a worker to check."""

    workers: frozenset[str]
    shard: int | None = None


class _Execution:
    """The making of all shards of a run."""

    def __init__(self, executor: DaskExecutor, shards: Shards, poll: Callable[[], None]) -> None:
        from distributed import as_completed

        self.executor, self.client, self.shards, self.poll = executor, executor.client, shards, poll
        self.name = secrets.token_hex(8)
        self.waiting = deque(range(shards.manifest.shards))
        self.submissions: Counter[int] = Counter()
        self.tasks: dict[Future, _Task] = {}
        self.completed = as_completed(loop=self.client.loop)
        self.known: set[str] = set()
        self.fit: set[str] = set()
        self.bits: str | None = None
        self.refreshed = 0.0
        self.last_seen = time.monotonic()

    def results(self) -> Iterator[tuple[int, ShardResult]]:
        self._check_first_workers()
        missing = len(self.waiting)
        while missing:
            self._refresh_workers()
            self._submit_shards()
            for future, task in self._completed():
                if task.shard is None:
                    self._admit(task, _collect_report(future))
                elif result := self._collect_shard(task.shard, future):
                    missing -= 1
                    yield task.shard, result
                else:
                    self.waiting.appendleft(task.shard)

    def end(self) -> None:
        with suppress(Exception):  # from a lost scheduler
            self.client.cancel(list(self.tasks))
        if self.client.status == "running":
            ending = threading.Thread(target=self._end_on_workers, daemon=True)
            ending.start()
            ending.join(SECONDS_TO_END)  # a worker that hangs finds out by itself before it writes

    def _end_on_workers(self) -> None:
        with suppress(Exception):  # from lost workers
            self.client.run(end_execution, self.name, workers=list(self.known), on_error="ignore")

    def _check_first_workers(self) -> None:
        reports: dict[str, WorkerReport] = {}
        while not reports or self.tasks:
            self._refresh_workers()
            for future, task in self._completed():
                (worker,) = task.workers
                if report := _collect_report(future):
                    reports[worker] = report
        bits = Counter(report.bits for report in reports.values() if not report.refusal)
        self.bits = bits.most_common(1)[0][0] if bits else None
        refused = [text for worker, report in reports.items() if (text := self._refusal(worker, report))]
        if refused:
            more = f" {len(refused) - 1:,} more workers cannot either." if len(refused) > 1 else ""
            raise ClusterError(f"{refused[0]}{more}")
        self.fit |= reports.keys()

    def _admit(self, task: _Task, report: WorkerReport | None) -> None:
        if report is None:
            return
        if self.bits is None:
            self.bits = report.bits
        (worker,) = task.workers
        if refusal := self._refusal(worker, report):
            warnings.warn(f"{refusal} It gets no work.", stacklevel=2)
        else:
            self.fit.add(worker)

    def _refusal(self, worker: str, report: WorkerReport) -> str:
        if report.refusal:
            return f"Worker {worker} {report.refusal.rstrip('.')}."
        if report.bits != self.bits:
            return f"Worker {worker} computes other last bits than the others. Use machines with one kind of processor."
        return ""

    def _refresh_workers(self) -> None:
        if self.client.status != "running":
            raise _scheduler_gone()
        if time.monotonic() < self.refreshed + SECONDS_BETWEEN_LOOKS:
            return
        try:
            there = set(self.client.nthreads())
        except (OSError, ValueError, RuntimeError) as error:  # closed during the request
            raise _scheduler_gone() from error
        self.refreshed = time.monotonic()
        for future, task in list(self.tasks.items()):
            if not task.workers & there:  # Dask would wait for these very workers
                del self.tasks[future]
                future.cancel()
                if task.shard is not None:
                    self.waiting.appendleft(task.shard)
        self.fit &= there
        for worker in sorted(there - self.known):
            first = self._make_order(0, self.executor.examples.slice_for_worker(0, 1))
            self._submit(_Task(frozenset([worker])), check_worker, first, self.executor.versions)
        self.known = there
        if self.fit or self.tasks:
            self.last_seen = time.monotonic()
        elif time.monotonic() > self.last_seen + SECONDS_WITHOUT_WORKERS:
            raise ClusterError(
                "The Dask cluster has no worker that can take part. Start some with `dask worker` and the address of "
                "the scheduler. The same command goes on with what is finished."
            )

    def _submit_shards(self) -> None:
        """Submit no more shards than workers need: examples are sent along."""
        submitted = sum(task.shard is not None for task in self.tasks.values())
        for _ in range(min(len(self.waiting), AHEAD * len(self.fit) - submitted)):
            shard = self.waiting.popleft()
            self.submissions[shard] += 1
            if self.submissions[shard] > MOST_SUBMISSIONS:
                raise self._lost_error(shard)
            examples = self.executor.examples.slice_for_worker(*self.shards.manifest.shard_range(shard))
            self._submit(_Task(frozenset(self.fit), shard), make_ordered_shard, self._make_order(shard, examples))

    def _make_order(self, shard: int, examples: DataSet) -> ShardOrder:
        shards, shard_range = self.shards, self.shards.manifest.shard_range(shard)
        return ShardOrder(
            self.name,
            absolute(shards.folder.path),
            shards.name,
            trim_files(shards.manifest, *shard_range),
            None if shards.old is None else trim_files(shards.old, *shard_range),
            self.executor.model,
            shard,
            examples,
            shard in shards.there,
        )

    def _submit(self, task: _Task, function: Callable[..., Any], *arguments: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a large shard, which is intended
            future = self.client.submit(function, *arguments, workers=list(task.workers), pure=False)
        self.tasks[future] = task
        self.completed.add(future)

    def _completed(self) -> Iterator[tuple["Future", _Task]]:
        self.poll()
        if not self.completed.has_ready():
            time.sleep(SECONDS_OF_WAITING)
        for future in self.completed.next_batch(block=False):
            if task := self.tasks.pop(future, None):
                yield future, task

    def _collect_shard(self, shard: int, future: "Future") -> ShardResult | None:
        """Return a finished shard; None if its worker was lost."""
        from distributed import CancelledError, KilledWorker

        try:
            return future.result(timeout=SECONDS_TO_FETCH)
        except (CancelledError, TimeoutError):
            return None
        except KilledWorker as error:
            raise self._lost_error(shard) from error
        except McvizError:
            raise
        except Exception as error:
            if self.client.status != "running":
                raise _scheduler_gone() from error
            raise ClusterError(f"A worker failed: {type(error).__name__}: {error}") from error

    def _lost_error(self, shard: int) -> ClusterError:
        start, stop = self.shards.manifest.shard_range(shard)
        return ClusterError(
            f"Several workers were lost while they made examples {start:,} to {stop - 1:,}. Have they enough memory? "
            "The same command goes on with what is finished."
        )


def _collect_report(future: "Future") -> WorkerReport | None:
    """Return a worker's report; None if it was lost."""
    from distributed import CancelledError

    try:
        return future.result(timeout=SECONDS_TO_FETCH)
    except (CancelledError, TimeoutError):
        return None
    except Exception as error:  # noqa: BLE001 (the check itself did not run)
        return WorkerReport(f"cannot be asked: {type(error).__name__}: {error}. Install mcviz there as it is here")


def _scheduler_gone() -> ClusterError:
    return ClusterError(
        "The Dask scheduler is gone. What is finished is kept: the same command goes on, with another scheduler or "
        "without."
    )
