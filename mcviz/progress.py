"""A line on a terminal that tells how far a long sampling is."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

BAR_WIDTH = 20
SECONDS_BETWEEN_DRAWINGS = 0.1
SECONDS_BETWEEN_LOG_LINES = 10.0


class SamplingProgress:
    """Draws passes and images per second and the time left; call it as `progress(done, total)`.

    A prediction is one image in one pass. On a terminal one line is drawn over and over; elsewhere a line is written
    every ten seconds.
    """

    def __init__(
        self, images: int, stream: TextIO | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """Start the clock.

        Args:
            images: how many images one pass takes, N.
            stream: where to write; standard error without one.
            clock: seconds from any origin.
        """
        self._images = images
        self._stream = stream or sys.stderr
        self._clock = clock
        self._over_and_over = self._stream.isatty()
        self._started: tuple[float, int] | None = None
        self._drawn = -float("inf")

    def __call__(self, done: int, total: int) -> None:
        """Draw, unless the last drawing was a moment ago.

        Args:
            done: predictions that stand, those of an earlier, stopped sampling among them.
            total: predictions that there will be.
        """
        now = self._clock()
        if self._started is None:
            self._started = (now, done)
        pause = SECONDS_BETWEEN_DRAWINGS if self._over_and_over else SECONDS_BETWEEN_LOG_LINES
        if now - self._drawn < pause and done < total:
            return
        self._drawn = now
        seconds, fresh = now - self._started[0], done - self._started[1]
        line = progress_line(done, total, fresh / seconds if seconds > 0 and fresh else None, self._images)
        self._stream.write(f"\r\x1b[2K{line}" if self._over_and_over else f"{line}\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave the last drawing standing, and go to a new line."""
        if self._over_and_over and self._started is not None:
            self._stream.write("\n")
            self._stream.flush()


def progress_line(done: int, total: int, rate: float | None, images: int) -> str:
    """Say in one line how far it is.

    Args:
        done: predictions that stand.
        total: predictions that there will be.
        rate: predictions a second, or None before anything was measured.
        images: predictions in one pass.

    Returns:
        Such as `[######..............]  30%  120 passes/s  1,200,000 images/s  0:03 left`.
    """
    filled = BAR_WIDTH * done // total
    line = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {100 * done // total:3d}%"
    if rate is None:
        return line
    return f"{line}  {rate / images:,.1f} passes/s  {rate:,.0f} images/s  {duration((total - done) / rate)} left"


def duration(seconds: float) -> str:
    """Seconds as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
