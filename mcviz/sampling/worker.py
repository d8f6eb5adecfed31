"""The work of a worker of a Dask cluster: it reports whether it can take part, and makes shards.

The model is loaded once and kept. A worker makes one shard at a time, in as many threads as it has.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from mcviz.data import DataSet
from mcviz.errors import McvizError, StorageError
from mcviz.extras import import_modules
from mcviz.manifest import Manifest
from mcviz.options import ModelOptions
from mcviz.runs.files import Folder, folder_at
from mcviz.runs.manifest_file import read_manifest
from mcviz.runs.run import Run
from mcviz.runs.shards import ShardResult, make_shard
from mcviz.sampling.adapters import adapter_for_examples
from mcviz.sampling.backends import find_backend
from mcviz.sampling.engine import limit_threads
from mcviz.sampling.model_source import ModelSource
from mcviz.sampling.sampler import Sampler
from mcviz.sampling.source import SamplerSource, load_sampler, versions

PASSES_COMPARED = 2

_computing, _writing = threading.Lock(), threading.Lock()
_ended: set[str] = set()  # executions that are over
_samplers: dict[tuple[ModelSource, str, str | None, str | None], Sampler] = {}  # the last one


class EndedError(McvizError):
    """The execution that a shard is for is over; nobody waits for it."""


@dataclass(frozen=True)
class ShardOrder:
    """A shard to be made.

    Attributes:
        execution: the name of the execution that it is for, which may end.
        address: of the run's folder.
        name: of the run's partial manifest.
        manifest: of the run, with the files to read.
        old: of the run of fewer passes that grows, with the files to read; or None.
        model: from which the worker loads it.
        shard: its number.
        examples: of the shard; images in files or in a run are read here.
        is_stored: whether its passes are stored already, and are only to be summed up.
    """

    execution: str
    address: str
    name: str
    manifest: Manifest
    old: Manifest | None
    model: ModelSource
    shard: int
    examples: DataSet
    is_stored: bool


@dataclass(frozen=True)
class WorkerReport:
    """The report of a worker whether it can take part.

    Attributes:
        refusal: why not, as the end of a sentence that begins with the worker's name; or empty.
        bits: a SHA-256 of a few predictions, which differs where processors round otherwise.
    """

    refusal: str
    bits: str = ""


def check_worker(order: ShardOrder, expected: dict[str, str]) -> WorkerReport:
    """Check whether this worker can make such shards, on the first examples.

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
            order.examples.labels,
            lambda *_: _check_running(order),
            folder=None if order.is_stored else folder,
            permit=permit,
        )


def end_execution(execution: str) -> None:
    """Keep this worker from writing for an execution, once it has finished the present file."""
    with _writing:
        _ended.add(execution)


def _prepare(order: ShardOrder) -> tuple[Sampler, SamplerSource]:
    sampler = _load_sampler(order)
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
    """Check that the run is found in the folder, and can be written."""
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
    """Refuse to write to a run that was removed or finished meanwhile, where the end did not get here."""
    try:
        folder.read(order.name, 0, 1)
    except FileNotFoundError as error:
        raise EndedError(f"{folder.path} is not being written any more.") from error


def _check_running(order: ShardOrder) -> None:
    if order.execution in _ended:
        raise EndedError("The execution is over.")


@cache
def _limit_threads(options: ModelOptions) -> None:
    """Limit the threads to those of the worker, since others may be on the same machine."""
    from distributed import get_worker

    threads = get_worker().state.nthreads
    limit_threads(threads)
    import_modules(options.modules)
    find_backend(options.model).limit_threads(threads)
