"""What a worker of a Dask cluster does: it answers whether it can take part, and makes shards.

The model is loaded once and kept. A worker makes one shard at a time, in as many threads as it has.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache

import tensorflow as tf

from mcviz.data import DataSet
from mcviz.errors import McvizError, StorageError
from mcviz.manifest import Manifest
from mcviz.runs.files import Folder, folder_at
from mcviz.runs.manifest_file import read_manifest
from mcviz.runs.run import Run
from mcviz.runs.shards import ShardResult, make_shard
from mcviz.sampling import job
from mcviz.sampling.adapters import adapter_for_examples
from mcviz.sampling.model_source import ModelSource
from mcviz.sampling.sampler import Sampler
from mcviz.sampling.source import LIBRARIES, Source, load_sampler, model_digest, versions

COMPARED = ("mcviz", *LIBRARIES)  # whose versions make the bits
PASSES_COMPARED = 2

_at_work, _writing = threading.Lock(), threading.Lock()
_ended: set[str] = set()  # the makings that are over
_samplers: dict[tuple[ModelSource, str, str | None, str | None], Sampler] = {}  # the last one


class EndedError(McvizError):
    """The making that a shard is for is over; nobody waits for it."""


@dataclass(frozen=True)
class Order:
    """A shard to be made.

    Attributes:
        making: names the making that it is for, which may end.
        address: of the run's folder.
        name: of the run's partial manifest.
        manifest: of the run, with the files that are to be read.
        old: of the run of fewer passes that grows, with the files that are to be read; or None.
        model: where the model comes from.
        shard: its number.
        examples: those of the shard; images that lie in files or in a run are read here.
        there: whether its passes are there, and are only to be summed up.
    """

    making: str
    address: str
    name: str
    manifest: Manifest
    old: Manifest | None
    model: ModelSource
    shard: int
    examples: DataSet
    there: bool


@dataclass(frozen=True)
class Answer:
    """Whether a worker can take part.

    Attributes:
        refusal: why not, as the end of a sentence that begins with the worker's name; or empty.
        bits: a SHA-256 of a few predictions, by which workers whose processors round otherwise are told apart.
    """

    refusal: str
    bits: str = ""


def answer(order: Order, expected: dict[str, str]) -> Answer:
    """Whether this worker can make such shards, tried on the first examples.

    Args:
        order: with the first examples of the run.
        expected: versions of libraries by their names.
    """
    own = versions()
    other = [f"{name} {own[name]}, not {expected[name]}" for name in COMPARED if own[name] != expected[name]]
    if other:
        return Answer(f"has {', '.join(other)}")
    with _at_work:
        _limit_threads()
        try:
            _check_folder(folder_at(order.address), order)
            sampler, source = _prepared(order)
            passes = source.passes(0, len(order.examples), 0, PASSES_COMPARED, lambda *_: None)
        except Exception as error:  # noqa: BLE001 (of whatever kind: it is told, and this worker gets no work)
            return Answer(f"cannot take part: {error}")
    return Answer("", hashlib.sha256(passes.tobytes() + sampler.product.encode()).hexdigest())


def carry_out(order: Order) -> ShardResult:
    """Make a shard.

    Raises:
        EndedError: the making is over.
        McvizError: it cannot be made.
    """
    with _at_work:
        _limit_threads()
        _check_going_on(order)
        folder = folder_at(order.address)
        _, source = _prepared(order)

        @contextmanager
        def permit() -> Iterator[None]:
            with _writing:  # `end` waits for it
                _check_going_on(order)
                _check_there(folder, order)
                yield

        return make_shard(
            Run(folder, order.manifest),
            None if order.old is None else Run(folder, order.old),
            order.shard,
            source,
            order.examples.labels,
            lambda *_: _check_going_on(order),
            folder=None if order.there else folder,
            permit=permit,
        )


def end(making: str) -> None:
    """Let nothing be written any more for a making: what is being written is finished first."""
    with _writing:
        _ended.add(making)


def _prepared(order: Order) -> tuple[Sampler, Source]:
    sampler = _sampler(order.model, order.manifest)
    adapter, content = adapter_for_examples(sampler, order.examples, order.manifest.preprocessing)
    assert order.manifest.seed is not None
    assert order.manifest.masks is not None
    first = order.manifest.shard_range(order.shard)[0]
    return sampler, Source(adapter, content, order.manifest.seed, order.manifest.masks, first)


def _sampler(source: ModelSource, manifest: Manifest) -> Sampler:
    assert manifest.model is not None
    key = source, manifest.model.sha256, manifest.origin.product, manifest.origin.compiler
    if key not in _samplers:
        sampler = load_sampler(source)
        if model_digest(sampler.model) != manifest.model.sha256:
            raise StorageError(f"it finds another model at {source.options.model}. Put the same file on all machines")
        _samplers.clear()
        _samplers[key] = sampler.like(manifest)
    return _samplers[key]


def _check_folder(folder: Folder, order: Order) -> None:
    """Check that the run that is to be written is reached, and can be written."""
    try:
        there = read_manifest(folder, order.name)
    except McvizError as error:
        raise StorageError(
            f"it does not find the run at {folder.path}. Give a folder or an address that all share"
        ) from error
    if there.digest != order.manifest.digest:
        raise StorageError(f"it finds another run at {folder.path}")
    probe = f".probe.{hashlib.sha256(order.making.encode()).hexdigest()[:6]}{threading.get_ident() % 16**6:06x}.tmp"
    with _writing:  # `end` waits for it
        _check_going_on(order)
        folder.write(probe, b"")
        folder.delete(probe)


def _check_there(folder: Folder, order: Order) -> None:
    """Write nothing of a run that was removed or finished meanwhile, where the word of that did not get here."""
    try:
        folder.read(order.name, 0, 1)
    except FileNotFoundError as error:
        raise EndedError(f"{folder.path} is not being written any more.") from error


def _check_going_on(order: Order) -> None:
    if order.making in _ended:
        raise EndedError("The making is over.")


@cache
def _limit_threads() -> None:
    """Compute in as many threads as the worker has, since others may be on the same machine."""
    from distributed import get_worker

    threads = get_worker().state.nthreads
    job.use_threads(threads)
    with suppress(RuntimeError):  # TensorFlow is at work already, for somebody else
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
