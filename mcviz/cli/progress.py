"""Progress bars on standard error; occasional lines if it is no terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LOG_LINES = 10.0


@contextmanager
def sampling_progress(examples: int, stream: TextIO | None = None) -> Iterator[Callable[[int, int], None]]:
    """Show the progress of a sampling.

    Args:
        examples: number of examples in a pass, N.
        stream: to write to; standard error without one.

    Yields:
        A function of the finished predictions, including those of an earlier, stopped sampling, and their total.
    """
    with _open_bar(lambda done, total: _SamplingBar(examples, done, total, stream or sys.stderr)) as show:
        yield show


@contextmanager
def count_progress(things: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many things are done, after a second.

    Yields:
        A function of the finished things, and their total.
    """

    def make(_: int, total: int) -> "tqdm[Any]":
        return tqdm(total=total, unit=f" {things}", ascii=".#", delay=1, leave=False, **_stream_options(sys.stderr))

    with _open_bar(make) as show:
        yield show


@contextmanager
def stage_progress() -> Iterator[Callable[[str, float], None]]:
    """Show the stage, and the progress of it or of all stages.

    Yields:
        A function of the name of the stage, and the share that is done, 0 to 1.
    """
    form = "[{bar:20}] {percentage:3.0f}%  {desc}"

    def make(_: float, total: float) -> "tqdm[Any]":
        options = {"bar_format": form, "leave": False, "miniters": 0} | _stream_options(sys.stderr)
        return tqdm(total=total, ascii=".#", **options)

    with _open_bar(make) as show:
        yield lambda stage, done: show(100 * done, 100, stage)


@contextmanager
def _open_bar(make: "Callable[[Any, Any], tqdm[Any]]") -> Iterator[Callable[..., None]]:
    """Open a bar, `make(done, total)`, at the first report."""
    bar: tqdm[Any] | None = None

    def show(done: float, total: float, stage: str = "") -> None:
        nonlocal bar
        if bar is None:
            bar = make(done, total)
        if stage:
            bar.set_description_str(stage, refresh=False)
        if done < bar.n:  # of the stage that follows
            bar.reset()
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


class _SamplingBar(tqdm):
    monitor_interval = 0  # no monitor thread

    def __init__(self, examples: int, done: int, total: int, stream: TextIO) -> None:
        self._examples = examples
        super().__init__(initial=done, total=total, ascii=".#", **_stream_options(stream))

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
    """A stream that writes each state of a bar as a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, drawing: str) -> None:
        if line := drawing.strip():
            self._stream.write(f"{line}\n")

    def flush(self) -> None:
        self._stream.flush()


def _stream_options(stream: TextIO) -> dict[str, Any]:
    if stream.isatty():
        return {"file": stream}
    return {"file": _Lines(stream), "mininterval": SECONDS_BETWEEN_LOG_LINES}
