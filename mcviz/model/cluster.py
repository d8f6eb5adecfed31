"""Shards of a run, made by the workers of a Dask cluster.

One process, the one that holds the run's lock, hands out the shards and takes in what they come to. Every worker is
asked first whether it can take part. A shard that is lost with its worker is handed out again, as is the last one that
takes too long; what two workers may have written is read again before it counts.
"""

import logging
import queue
import re
import secrets
import statistics
import threading
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from mcviz.data import DataSet
from mcviz.errors import ClusterError, McvizError
from mcviz.extras import require_dask
from mcviz.model.job import cores
from mcviz.model.model_source import ModelSource, absolute
from mcviz.model.worker import Answer, Order, answer, carry_out, end
from mcviz.runs.shards import MadeShard, Shards, only_files_of
from mcviz.runs.verified import is_whole
from mcviz.validate import invalid

if TYPE_CHECKING:
    from distributed import Client, Future

LOCAL = re.compile(r"local:(\d{1,4})")
SECONDS_TO_CONNECT = 5
SECONDS_WITHOUT_WORKERS = 60  # at the start, and after the last one was lost
SECONDS_TO_END = 10
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_OF_WAITING = 0.1
SECONDS_TO_FETCH = 30
AHEAD = 2  # shards that a worker has at a time, so that it need not wait for the next one
MOST_LOSSES = 3  # of one shard: then the shard is what kills the workers
SLOW = 3  # times the usual seconds of a shard, after which an idle worker makes it too


@contextmanager
def connected(scheduler: str) -> Iterator["Client"]:
    """A client of a Dask cluster; of one of this machine, for as long as this lasts, for `local:N`.

    Args:
        scheduler: its address, such as `tcp://10.0.0.1:8786`; or `local:` and a number of processes.

    Raises:
        MissingPackageError: Dask is not installed.
        InvalidInputError: it is no such text.
        ClusterError: no scheduler answers there.
    """
    require_dask()
    local = LOCAL.fullmatch(scheduler)
    if scheduler.startswith("local") and not (local and int(local[1])):
        raise invalid("scheduler", "the address of a Dask scheduler, or local:N with N processes", scheduler)
    from distributed import Client, LocalCluster

    with ExitStack() as held:
        for name in ("distributed", "distributed.client"):  # of which each has a level of its own
            logger = logging.getLogger(name)
            held.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)  # what they say of lost workers is said here, in fewer lines
        if local:
            count = int(local[1])
            threads = max(1, cores() // count)
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
class Workers:
    """Makes the shards of a run by the workers of a cluster; see `Makers`.

    Attributes:
        client: of the cluster.
        model: where every worker gets the model from.
        examples: of the run. A worker gets those of a shard with it, but for images that lie in files or in a run,
            which it reads itself.
        versions: of what this machine computes with, by name; a worker should have those in `COMPARED`.
    """

    client: "Client"
    model: ModelSource
    examples: DataSet
    versions: dict[str, str]

    def made(self, shards: Shards, waiting: Callable[[], None]) -> Generator[tuple[int, MadeShard]]:
        """See `Makers`.

        Raises:
            ClusterError: a worker cannot take part, the scheduler is gone, or no worker is left.
        """
        left = list(range(shards.manifest.shards))
        while left:
            making = _Making(self, shards, waiting, deque(left))
            try:
                yield from making.carry_out()
            finally:
                making.end()
            doubtful = {shard: each for shard, each in making.held.items() if not _is_whole(shards, each)}
            yield from ((shard, each) for shard, each in making.held.items() if shard not in doubtful)
            left = list(doubtful)


@dataclass
class _Flight:
    """What a worker was asked to do: to answer, or to make a shard."""

    worker: str
    shard: int | None
    since: float = field(default_factory=time.monotonic)


class _Making:
    """The making of some shards, each handed out once, or again where it is lost or slow."""

    def __init__(self, workers: Workers, shards: Shards, waiting: Callable[[], None], left: deque[int]) -> None:
        self.client, self.workers, self.shards, self.waiting, self.left = workers.client, workers, shards, waiting, left
        self.name = secrets.token_hex(8)
        self.wanted = set(left)
        self.held: dict[int, MadeShard] = {}  # of those that were handed out more than once
        self.flights: dict[Future, _Flight] = {}
        self.news: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self.handed: Counter[int] = Counter()
        self.lost: Counter[int] = Counter()
        self.took: list[float] = []
        self.fit: set[str] = set()
        self.known: set[str] = set()
        self.unheard: set[str] = set()  # workers that may still be at what nobody waits for
        self.bits: str | None = None
        self.looked = 0.0
        self.seen_any = time.monotonic()

    def carry_out(self) -> Iterator[tuple[int, MadeShard]]:
        self._ask_the_first()
        while self.wanted:
            self._look()
            self._hand_out()
            for future in self._news():
                flight = self.flights.pop(future, None)
                if flight is None:
                    continue
                if flight.shard is None:
                    self._hear(flight.worker, future)
                elif (made := self._result(flight, flight.shard, future)) and flight.shard in self.wanted:
                    self.wanted.discard(flight.shard)
                    self.took.append(time.monotonic() - flight.since)
                    if self.handed[flight.shard] == 1:
                        yield flight.shard, made
                    else:
                        self.held[flight.shard] = made

    def end(self) -> None:
        """Let no worker write any more."""
        at_it = self.unheard | {flight.worker for flight in self.flights.values()}
        with suppress(Exception):  # of a scheduler that is gone
            self.client.cancel(list(self.flights))
        self.flights.clear()
        if not at_it or self.client.status != "running":
            return
        told = threading.Thread(target=self._tell_the_end, args=(at_it & self.known,), daemon=True)
        told.start()
        told.join(SECONDS_TO_END)  # a worker that hangs finds out by itself before it writes

    def _tell_the_end(self, workers: set[str]) -> None:
        with suppress(Exception):  # of workers that are gone
            self.client.run(end, self.name, workers=list(workers), on_error="ignore")

    def _ask_the_first(self) -> None:
        """Ask all workers that are there, and refuse to begin with one that cannot take part."""
        answers: dict[str, Answer] = {}
        while not answers or self.flights:
            self._look()
            for future in self._news():
                flight = self.flights.pop(future, None)
                if flight is not None and (heard := self._answer(future)) is not None:
                    answers[flight.worker] = heard
        bits = Counter(each.bits for each in answers.values() if not each.refusal)
        self.bits = bits.most_common(1)[0][0] if bits else None
        refused = [text for worker, each in answers.items() if (text := self._refusal(worker, each))]
        if refused:
            more = f" {len(refused) - 1:,} more workers cannot either." if len(refused) > 1 else ""
            raise ClusterError(f"{refused[0]}{more}")
        self.fit |= answers.keys()

    def _hear(self, worker: str, future: "Future") -> None:
        """Take in the answer of a worker that came later."""
        heard = self._answer(future)
        if heard is None:
            return
        if self.bits is None:
            self.bits = heard.bits
        if refusal := self._refusal(worker, heard):
            warnings.warn(f"{refusal} It gets no work.", stacklevel=2)
        else:
            self.fit.add(worker)

    def _refusal(self, worker: str, heard: Answer) -> str:
        if heard.refusal:
            return f"Worker {worker} {heard.refusal.rstrip('.')}."
        if heard.bits != self.bits:
            return f"Worker {worker} computes other last bits than the others. Use machines with one kind of processor."
        return ""

    def _answer(self, future: "Future") -> Answer | None:
        """What a worker answered; None where it was lost."""
        if future.status == "error":  # it could not even be asked
            error = future.exception()
            return Answer(f"cannot be asked: {type(error).__name__}: {error}. Install mcviz there as it is here")
        with suppress(TimeoutError):
            if future.status == "finished":
                return future.result(timeout=SECONDS_TO_FETCH)
        return None

    def _look(self) -> None:
        """See which workers have come and gone, now and then."""
        if time.monotonic() < self.looked + SECONDS_BETWEEN_LOOKS:
            return
        there = self._there()
        self.looked = time.monotonic()
        if there - self.known or self.fit & there or self._asked() & there:
            self.seen_any = time.monotonic()
        elif time.monotonic() > self.seen_any + SECONDS_WITHOUT_WORKERS:
            raise ClusterError(
                "The Dask cluster has no worker that can take part. Start some with `dask worker` and the address of "
                "the scheduler. The same command goes on with what is finished."
            )
        for future, flight in list(self.flights.items()):
            if flight.worker not in there:
                del self.flights[future]
                self._lose(flight)
                future.cancel()
        self.fit &= there
        for worker in sorted(there - self.known):
            self._submit(_Flight(worker, None), partial(answer, expected=self.workers.versions), 0)
        self.known = there

    def _there(self) -> set[str]:
        if self.client.status != "running":
            raise self._gone()
        try:
            return set(self.client.nthreads())
        except (OSError, ValueError, RuntimeError) as error:  # closed while it was asked
            raise self._gone() from error

    def _gone(self) -> ClusterError:
        return ClusterError(
            "The Dask scheduler is gone. What is finished is kept: the same command goes on, with another scheduler or "
            "without."
        )

    def _asked(self) -> set[str]:
        return {flight.worker for flight in self.flights.values() if flight.shard is None}

    def _hand_out(self) -> None:
        has = Counter(flight.worker for flight in self.flights.values())
        for worker in sorted(self.fit):
            while self.left and has[worker] < AHEAD:
                shard = self.left.popleft()
                if shard in self.wanted:
                    self._make(worker, shard)
                    has[worker] += 1
            if not self.left and not has[worker] and (slow := self._slow()) is not None:
                self._make(worker, slow)
                has[worker] += 1

    def _make(self, worker: str, shard: int) -> None:
        self.handed[shard] += 1
        self._submit(_Flight(worker, shard), carry_out, shard)

    def _slow(self) -> int | None:
        """A shard that one worker alone has had for longer than is usual."""
        if not self.took:
            return None
        usual = statistics.median(self.took)
        copies = Counter(flight.shard for flight in self.flights.values())
        waits = [
            (flight.since, flight.shard)
            for flight in self.flights.values()
            if flight.shard in self.wanted and copies[flight.shard] == 1
        ]
        if not waits or time.monotonic() - min(waits)[0] < SLOW * usual + SECONDS_BETWEEN_LOOKS:
            return None
        return min(waits)[1]

    def _submit(self, flight: _Flight, function: Callable[..., Any], shard: int) -> None:
        shards, examples = self.shards, self.shards.manifest.shard_range(shard)
        order = Order(
            self.name,
            absolute(shards.folder.path),
            shards.name,
            only_files_of(shards.manifest, *examples),
            None if shards.old is None else only_files_of(shards.old, *examples),
            self.workers.model,
            shard,
            self._examples(flight, shard),
            shard in shards.there,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a shard that is large, which is meant
            future = self.client.submit(function, order, workers=[flight.worker], allow_other_workers=False, pure=False)
        self.flights[future] = flight
        future.add_done_callback(self.news.put)

    def _examples(self, flight: _Flight, shard: int) -> DataSet:
        start, stop = self.shards.manifest.shard_range(shard)
        return self.workers.examples.apart(start, stop if flight.shard is not None else start + 1)

    def _news(self) -> Iterator["Future"]:
        self.waiting()
        with suppress(queue.Empty):
            yield self.news.get(timeout=SECONDS_OF_WAITING)
            while True:
                yield self.news.get_nowait()

    def _result(self, flight: _Flight, shard: int, future: "Future") -> MadeShard | None:
        if future.status == "error" and shard in self.wanted:
            error = future.exception()
            if isinstance(error, McvizError):
                raise error
            raise ClusterError(f"Worker {flight.worker} failed: {type(error).__name__}: {error}") from error
        with suppress(TimeoutError):
            if future.status == "finished":
                return future.result(timeout=SECONDS_TO_FETCH)
        if shard in self.wanted:
            self._lose(flight)
        return None

    def _lose(self, flight: _Flight) -> None:
        if flight.shard is None or flight.shard not in self.wanted:
            return
        self.unheard.add(flight.worker)
        self.lost[flight.shard] += 1
        if self.lost[flight.shard] >= MOST_LOSSES:
            start, stop = self.shards.manifest.shard_range(flight.shard)
            raise ClusterError(
                f"{MOST_LOSSES} workers were lost while they made examples {start:,} to {stop - 1:,}. Have they enough "
                "memory? The same command goes on with what is finished."
            )
        self.left.appendleft(flight.shard)


def _is_whole(shards: Shards, made: MadeShard) -> bool:
    """Whether what two workers may have written is what one of them said."""
    listed = replace(shards.manifest, files=made.files)
    return all(is_whole(shards.folder, listed, name) for name in made.files)
