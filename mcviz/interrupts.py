"""Ctrl-C at moments when `KeyboardInterrupt` would do harm."""

import os
import signal
import sys
import threading
from _thread import interrupt_main
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import FrameType
from typing import Any

INTERRUPTED = 130  # as a shell reports a command that Ctrl-C ended
LATER = 0.01  # seconds, in which a destructor ends

Handler = Callable[[int, FrameType | None], object]


class HeldInterrupt:
    """A held Ctrl-C, with its handler."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._pressed = False

    def hold(self, *_: object) -> None:
        """Remember that Ctrl-C was pressed."""
        self._pressed = True

    def check(self) -> None:
        """Raise a held Ctrl-C, if any.

        Raises:
            KeyboardInterrupt: there was.
        """
        if self._pressed:
            self._pressed = False
            self._handler(signal.SIGINT, None)


@contextmanager
def hold_interrupts() -> Iterator[HeldInterrupt]:
    """Raise `KeyboardInterrupt` only at a `check` and at the end: it can crash TensorFlow. Only in the main thread."""
    handler = signal.getsignal(signal.SIGINT)
    held = HeldInterrupt(handler if callable(handler) else signal.default_int_handler)
    with _install_handler(held.hold, callable(handler)):
        yield held
    held.check()


@contextmanager
def raise_interrupts() -> Iterator[None]:
    """Raise `KeyboardInterrupt` at Ctrl-C after `install_exit_handler`.

    Python swallows exceptions in destructors and callbacks, so it is raised again.
    """
    applies, usual = isinstance(signal.getsignal(signal.SIGINT), _EndProcess), sys.unraisablehook

    def raise_again(passed_over: Any) -> None:
        if passed_over.exc_type is KeyboardInterrupt:
            threading.Timer(LATER, interrupt_main).start()
        else:
            usual(passed_over)

    with _install_handler(signal.default_int_handler, applies):
        sys.unraisablehook = raise_again if applies else usual
        try:
            yield
        finally:
            sys.unraisablehook = usual


@contextmanager
def end_at_interrupt(message: str, stream: int) -> Iterator[None]:
    """End the process at Ctrl-C instead of raising `KeyboardInterrupt`."""
    with _install_handler(_EndProcess(message, stream), signal.getsignal(signal.SIGINT) is signal.default_int_handler):
        yield


def install_exit_handler(message: str) -> None:
    """End the process at Ctrl-C with one line while there is nothing to clean up.

    Args:
        message: the line, after `mcviz: `.
    """
    if _in_main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _EndProcess(message, stream=2))


def is_command() -> bool:
    """Return whether this process is `mcviz` or `python -m mcviz`, before the import."""
    if sys.argv[0] == "-m":
        return ("-m", "mcviz") in pairwise(sys.orig_argv)
    return os.path.basename(sys.argv[0]) in ("mcviz", "mcviz.exe")  # noqa: PTH119 (pathlib takes longer to load)


class _EndProcess:
    def __init__(self, message: str, stream: int) -> None:
        self._line, self._stream = f"mcviz: {message}\n".encode(errors="backslashreplace"), stream

    def __call__(self, *_: object) -> None:
        os.write(self._stream, self._line)
        os._exit(INTERRUPTED)


@contextmanager
def _install_handler(handler: Handler, applies: bool) -> Iterator[None]:
    if not applies or not _in_main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
