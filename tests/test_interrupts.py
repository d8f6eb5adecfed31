"""Ctrl-C is held where it would do harm, let through where it does none, and otherwise left as it was."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from mcviz.interrupts import hold_interrupts


@pytest.fixture(autouse=True)
def as_python_starts() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # CI may start us with it ignored
    yield
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_it_is_raised_at_the_end():
    reached = []
    with pytest.raises(KeyboardInterrupt), hold_interrupts():  # noqa: PT012
        press()
        reached.append("end")
    assert reached == ["end"]


def test_it_is_raised_at_a_check_if_it_was_pressed_before():
    with hold_interrupts() as held:
        held.check()
        press()
        with pytest.raises(KeyboardInterrupt):
            held.check()
        held.check()


def test_within_another_it_is_held_until_the_outer_lets_it_through():
    reached = []
    with pytest.raises(KeyboardInterrupt), hold_interrupts():  # noqa: PT012
        with hold_interrupts():
            press()
        reached.append("inner")
    assert reached == ["inner"]


def test_a_decorated_function_ends_and_then_it_is_raised():
    reached = []

    @hold_interrupts()
    def held_throughout(fail: bool) -> None:
        press()
        reached.append(fail)
        if fail:
            raise ValueError("its own")

    with pytest.raises(KeyboardInterrupt):
        held_throughout(False)
    with pytest.raises(ValueError, match="its own"):
        held_throughout(True)
    assert reached == [False, True]


def test_a_handler_of_the_program_s_own_is_called_later_with_the_signal():
    called = []
    before = signal.signal(signal.SIGINT, lambda number, _: called.append(number))
    try:
        with hold_interrupts():
            press()
            assert called == []
        assert called == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_what_is_ignored_stays_ignored(handler):
    before = signal.signal(signal.SIGINT, handler)
    try:
        with hold_interrupts():
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_leaves_it_as_it_is():
    seen = []

    def work() -> None:
        with hold_interrupts() as held:
            held.check()
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


IN_A_DESTRUCTOR = """
import signal, time
from mcviz.interrupts import install_exit_handler, raise_interrupts

class Pressed:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

install_exit_handler("stopped.")
try:
    with raise_interrupts():
        Pressed()
        for _ in range(300):
            time.sleep(0.1)
        print("went on")
except KeyboardInterrupt:
    print("interrupted")
"""


def test_in_a_destructor_which_passes_it_over_it_is_raised_again():
    done = subprocess.run([sys.executable, "-c", IN_A_DESTRUCTOR], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
