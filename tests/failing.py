"""Systems that fail: a process that is killed, a disk that is full or refuses, at a chosen call or moment."""

import errno
import os
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NoReturn
from unittest.mock import patch

CALLS = ("open", "mkdir", "rename", "replace", "unlink", "rmdir", "fsync")  # of the system, that change a folder


@contextmanager
def from_call(number: int, action: Callable[[], object], names: Iterable[str] = CALLS) -> Iterator[None]:
    """Do something else in place of the nth call of the functions of `os` with these names, and of all after it."""
    left = count(number, -1)

    def until_then(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            if next(left) <= 0:
                action()
            return function(*arguments, **keywords)

        return call

    with patch.multiple(os, **{name: until_then(getattr(os, name)) for name in names}):
        yield


def refuse(number: int = errno.EIO) -> NoReturn:
    """Fail as a call of the system does."""
    raise OSError(number, os.strerror(number))


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, as on a disk without room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def in_child(action: Callable[[], object]) -> int:
    """Start to do something in a fork of this process; its process id."""
    child = os.fork()
    if child == 0:
        try:
            action()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def killed(child: int, after: float) -> bool:
    """Kill a child some seconds on; whether it was still at work."""
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def killed_before(call: int, action: Callable[[], object]) -> bool:
    """Do something in a child that is killed right before its nth call; whether there were that many."""

    def until_killed() -> None:
        with from_call(call, lambda: os.kill(os.getpid(), signal.SIGKILL)):
            action()

    status = os.waitpid(in_child(until_killed), 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the action failed by itself"
    return os.WIFSIGNALED(status)
