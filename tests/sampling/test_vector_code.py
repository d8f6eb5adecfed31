"""Each piece of machine code gives the bits of the plain Python that stands above it."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from numba.core.caching import FunctionCache

from mcviz.sampling import machine_code
from mcviz.sampling.machine_code import IN_BITS, IN_WORD, LANES
from mcviz.sampling.machine_code_files import CheckedFile

seeds, places = st.integers(0, 2**32), st.integers(0, 9)
words = st.integers(0, 2**64 - 1).map(np.uint64)
wide = st.tuples(words, words)


def copied_sum(target, source, other, place, factor):
    """All that is done with LANES."""
    lanes = machine_code.load(source, place) * factor + machine_code.load(other, 2 * place)
    machine_code.store(target, place, machine_code.load(target, place) + lanes)


def shifted(target, place, bits):
    machine_code.append_bits(target, place, bits)


def unpacked(target, place, word):
    machine_code.unpack(target, place, word)


def compared(numbers, place, byte):
    return machine_code.compare(numbers, place, byte)


def zeros(word):
    return machine_code.leading_zeros(word)


def multiplied(one, other, added):
    return machine_code.multiply_add(one, other, added)


MACHINE = {each: njit(each) for each in (copied_sum, shifted, unpacked, compared, zeros, multiplied)}


def assert_same_bits(plain: Callable, *given: object) -> None:
    """What both return, and what both make of their first argument."""
    own = [each.copy() if isinstance(each, np.ndarray) else each for each in given]
    assert MACHINE[plain](*own) == plain(*given)
    np.testing.assert_array_equal(own[0], given[0])


@given(seeds, places)
def test_lanes_are_loaded_scaled_added_and_stored(seed, place):
    numbers = np.random.default_rng(seed)
    target, source = numbers.standard_normal((2, LANES + 9), np.float32)
    other = numbers.standard_normal((3, LANES), np.float32)  # its rows lie one after the other
    assert_same_bits(copied_sum, target, source, other, place, np.float32(numbers.standard_normal()))


@given(seeds, places)
def test_a_word_of_bits_is_shifted_in(seed, place):
    numbers = np.random.default_rng(seed)
    target = numbers.integers(0, 2**32, IN_WORD + 9, np.uint32)
    assert_same_bits(shifted, target, place, numbers.integers(0, 2**32, dtype=np.uint32))


@given(seeds, places)
def test_bytes_are_compared(seed, place):
    numbers = np.random.default_rng(seed)
    values = numbers.integers(0, 4, IN_BITS + 9, np.uint8)
    assert_same_bits(compared, values, place, np.uint8(numbers.integers(0, 4)))


@given(words, places)
def test_a_word_is_unpacked(word, place):
    assert_same_bits(unpacked, np.zeros(IN_BITS + 9, bool), place, word)


@given(words.filter(bool))
def test_zeros_in_front_are_counted(word):
    assert_same_bits(zeros, word)


@given(wide, wide, wide)
def test_whole_numbers_of_128_bits_are_multiplied_and_added(one, other, added):
    assert_same_bits(multiplied, one, other, added)


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("__init__", RuntimeError("no locator available")),
        ("__init__", OSError("Read-only file system")),
        ("_save_overload", OSError("No space left on device")),
    ],
)
def test_where_machine_code_cannot_be_kept_it_is_made_all_the_same(monkeypatch, method, error):
    def refuse(*_):
        raise error

    monkeypatch.setattr(FunctionCache, method, refuse)
    filled = np.zeros(3)

    @machine_code.jit("void(float64[::1])")
    def fill(numbers):
        numbers[:] = 2

    fill(filled)
    np.testing.assert_array_equal(filled, 2)


def damaged(content: bytes, step: int) -> Iterator[bytes]:
    yield b""
    for at in range(0, len(content), step):
        yield content[:at]
        yield content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_compiled_functions_in_damaged_files_are_missing_and_can_be_kept_again(tmp_path, stride):
    files = CheckedFile(str(tmp_path), "function", (1.5, 300))
    files.save("key", data := {"code": bytes(range(200))})
    for path in tmp_path.iterdir():
        whole = path.read_bytes()
        for content in damaged(whole, stride):
            path.write_bytes(content)
            assert files.load("key") in (None, data), content
            files.save("key", data)
            assert files.load("key") == data, content
