"""How far a command is, in one line of a terminal, elsewhere in a line every ten seconds."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LOG_LINES = 10.0


@contextmanager
def sampling_progress(examples: int, stream: TextIO | None = None) -> Iterator[Callable[[int, int], None]]:
    """Show how far a sampling is.

    A prediction is one example in one pass.

    Args:
        examples: how many a pass takes, N.
        stream: where to write; standard error without one.

    Yields:
        What takes the predictions that stand, those of an earlier, stopped sampling among them, and how many there will
        be.
    """
    with _drawn(lambda done, total: _SamplingBar(examples, done, total, stream or sys.stderr)) as show:
        yield show


@contextmanager
def pictures_progress() -> Iterator[Callable[[int, int], None]]:
    """Show how far a reading of picture files is, where it takes more than a moment.

    Yields:
        What takes the pictures that are checked, and how many there are.
    """

    def make(_: int, total: int) -> "tqdm[Any]":
        return tqdm(total=total, unit=" pictures", ascii=".#", delay=1, leave=False, **_written_to(sys.stderr))

    with _drawn(make) as show:
        yield show


@contextmanager
def stages_progress() -> Iterator[Callable[[str, float], None]]:
    """Show what is being done and how far all of it is.

    Yields:
        What takes the name of what is being done, and the share of all that is done, 0 to 1.
    """
    form = "[{bar:20}] {percentage:3.0f}%  {desc}"
    bar = tqdm(total=100, ascii=".#", bar_format=form, leave=False, **_written_to(sys.stderr))

    def show(what: str, done: float) -> None:
        bar.set_description_str(what, refresh=False)
        bar.update(100 * done - bar.n)

    try:
        yield show
    finally:
        bar.close()


@contextmanager
def _drawn(make: "Callable[[int, int], tqdm[Any]]") -> Iterator[Callable[[int, int], None]]:
    """A bar that is made from what is done and how much there is, when that is first told."""
    bar: tqdm[Any] | None = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            bar = make(done, total)
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


class _SamplingBar(tqdm):
    monitor_interval = 0  # no thread that looks after bars which are not updated

    def __init__(self, examples: int, done: int, total: int, stream: TextIO) -> None:
        self._examples = examples
        super().__init__(initial=done, total=total, ascii=".#", **_written_to(stream))

    @property
    def format_dict(self) -> dict[str, Any]:
        values = super().format_dict
        values["bar_format"] = "[{bar:20}] {percentage:3.0f}%"
        if (sampled := self.n - self.initial) and values["elapsed"]:
            rate = sampled / values["elapsed"]
            values["bar_format"] += (
                f"  {rate / self._examples:,.1f} passes/s  {rate:,.0f} predictions/s"
                f"  {self.format_interval(round((self.total - self.n) / rate))} left"
            )
        return values


class _Lines:
    """Makes each drawing of a bar a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, drawing: str) -> None:
        if line := drawing.strip():
            self._stream.write(f"{line}\n")

    def flush(self) -> None:
        self._stream.flush()


def _written_to(stream: TextIO) -> dict[str, Any]:
    if stream.isatty():
        return {"file": stream}
    return {"file": _Lines(stream), "mininterval": SECONDS_BETWEEN_LOG_LINES}
