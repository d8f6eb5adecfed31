"""Random numbers: the rates that were asked for, and a function of their key alone."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mcviz.sampling import Sampler, engine, machine_code
from mcviz.sampling.masks import RandomRequest, bernoulli, draw_active_mask, draw_random_numbers
from tests.sampling.fake import FakeNetwork, make_arrays

FALSE_ALARMS = 1e-6


def counted_draws(monkeypatch) -> list[int]:
    """The sizes of what machine code draws from now on."""
    sizes, draw = [], machine_code.bernoulli

    def counted(generator, size, rate, out):
        sizes.append(size)
        return draw(generator, size, rate, out)

    monkeypatch.setattr(machine_code, "bernoulli", counted)
    return sizes


class Counting:
    """Stands in for a generator that draws 256 elements.

    Whole bytes: every byte once. Bits, one an element and a request: each of the 256 combinations that eight requests
    can give once. Ties: every one at the same height.
    """

    def __init__(self, tie: int) -> None:
        self.tie, self.requests = tie, 0

    def integers(self, _low: int, _high: int, size: int, dtype: type) -> np.ndarray:
        every = np.arange(256, dtype=np.uint8)
        if dtype is np.uint32:
            return np.full(size, self.tie, np.uint32)
        if size == 256 // 8:
            return every.view(np.uint64)
        self.requests += 1
        return np.packbits(every >> self.requests - 1 & 1).view(np.uint64)


def test_a_multiple_of_one_256th_is_met_exactly():
    kept = [np.count_nonzero(bernoulli(Counting(0), 256, dropped / 256)) for dropped in range(1, 256)]
    assert kept == [256 - dropped for dropped in range(1, 256)]


@given(st.floats(1e-6, 1 - 1e-6))
def test_any_rate_is_met_to_a_41st_bit(rate):
    certain = np.count_nonzero(bernoulli(Counting(0), 256, rate))
    with_ties = np.count_nonzero(bernoulli(Counting(2**32 - 1), 256, rate))
    threshold = round((rate * 256 - int(rate * 256)) * 2**32)
    kept_of_a_tie = (2**32 - threshold) / 2**32 if with_ties != certain else 0
    assert (certain + kept_of_a_tie) / 256 == pytest.approx(1 - rate, abs=2**-40)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.25, 0.3, 0.5, 0.9, 0.001])
def test_the_share_of_dropped_elements_is_the_rate(rate):
    size = 1_000_000
    dropped = size - np.count_nonzero(bernoulli(np.random.default_rng(1), size, rate))
    assert stats.binomtest(dropped, size, rate).pvalue > FALSE_ALARMS


def test_uniform_and_normal_numbers_are_what_they_are_called():
    uniform = draw_random_numbers(RandomRequest(0, "uniform", 0.0, (50,), False), 1000, 1, 0, None)
    normal = draw_random_numbers(RandomRequest(0, "normal", 0.0, (50,), False), 1000, 1, 0, None)
    assert uniform.dtype == normal.dtype == np.float32
    assert stats.kstest(uniform.ravel(), "uniform").pvalue > FALSE_ALARMS
    assert stats.kstest(normal.ravel(), "norm").pvalue > FALSE_ALARMS


def test_a_key_gives_the_same_numbers_and_every_part_of_it_counts():
    request = RandomRequest(1, "bernoulli", 0.5, (64,), False)
    first = draw_random_numbers(request, 4, 5, 2, 3)
    np.testing.assert_array_equal(draw_random_numbers(request, 4, 5, 2, 3), first)
    others = [
        draw_random_numbers(RandomRequest(2, "bernoulli", 0.5, (64,), False), 4, 5, 2, 3),
        draw_random_numbers(request, 4, 6, 2, 3),
        draw_random_numbers(request, 4, 5, 3, 3),
        draw_random_numbers(request, 4, 5, 2, 4),
        draw_random_numbers(request, 4, 5, 2, None),
    ]
    for one, other in [(a, b) for i, a in enumerate([first, *others]) for b in others[i:]]:
        assert 0.3 < (one == other).mean() < 0.7


def test_a_mask_that_the_batch_shares_does_not_depend_on_the_example():
    request = RandomRequest(0, "bernoulli", 0.5, (64,), True)
    np.testing.assert_array_equal(draw_random_numbers(request, 4, 5, 2, 3), draw_random_numbers(request, 4, 5, 2, 9))


def test_where_all_activations_are_active_the_mask_of_them_is_the_whole_mask():
    request = RandomRequest(0, "bernoulli", 0.3, (4, 5), False)
    whole = draw_random_numbers(request, 8, 1, 2, 3).reshape(8, 20)
    np.testing.assert_array_equal(draw_active_mask(request, 8, 1, 2, 3, np.arange(20)), whole)


@given(
    st.integers(0, 700) | st.integers(8 * machine_code.CHUNK - 70, 16 * machine_code.CHUNK + 70),
    st.sampled_from([0.1, 0.25, 0.5, 0.9, 2**-30, 1 / 256, 3 / 16]),
    st.integers(0, 2**32),
)
def test_machine_code_draws_the_same_bits(size, rate, seed):
    expected = bernoulli(np.random.default_rng(seed), size, rate)
    packed = machine_code.draw_packed_bernoulli(np.random.default_rng(seed), size, rate)
    assert len(packed) == -(-size // 64) + 1
    bits = np.unpackbits(packed.astype(">u8").view(np.uint8)).astype(bool)
    np.testing.assert_array_equal(bits[:size], expected)
    np.testing.assert_array_equal(machine_code.bernoulli(np.random.default_rng(seed), size, rate), expected)
    out = np.ones(size, bool)
    machine_code.bernoulli(np.random.default_rng(seed), size, rate, out)
    np.testing.assert_array_equal(out, expected)


@given(st.integers(0, 50), st.integers(0, 2**62), st.integers(0, 2**64))
def test_machine_code_has_the_stream_of_numpy(size, steps, seed):
    """From any state on: numpy's own `advance` goes there."""
    generator = np.random.Generator(np.random.PCG64(seed))
    generator.bit_generator.advance(steps)
    packed = machine_code.draw_packed_bernoulli(generator, 64 * size, 0.5)
    drawn = generator.integers(0, 2**64, size, np.uint64)
    np.testing.assert_array_equal(packed[:-1].byteswap(), drawn)


@pytest.mark.parametrize("bias", [0, 10])  # of the hidden layer: a mask is drawn for the active units, or for all
def test_predictions_have_the_same_bits_however_masks_are_drawn(bias, monkeypatch):
    arrays = make_arrays((30,))
    sampler = Sampler(FakeNetwork(arrays | {"first_bias": arrays["first_bias"] + np.float32(bias)}))
    examples, sizes = np.random.default_rng(0).random((3, 30), dtype=np.float32), counted_draws(monkeypatch)
    monkeypatch.setattr(engine, "MANY", 0)
    with monkeypatch.context() as without_numba:
        without_numba.setattr(engine, "subset_sums_error", lambda: "No module named 'numba'")
        expected = sampler.sample(examples, passes=20, masks="per_example")
    assert not sizes
    np.testing.assert_array_equal(sampler.sample(examples, passes=20, masks="per_example"), expected)
    assert sizes
    assert (min(sizes) < 32 * 16) == (bias == 0)  # passes of a block × hidden units


def write_doubled(folder: Path) -> Path:
    source = folder / "doubled.py"
    source.write_text(
        "from mcviz.sampling.machine_code import jit\n\n\n"
        '@jit("int64(int64)")\ndef double(number):\n    return 2 * number\n',
        encoding="utf-8",
    )
    return source


def imported(source: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("doubled", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kept(source: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (source.parent / "__pycache__").glob("*.nb?")}


def test_versions_of_numba_leave_alone_what_others_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Or else a process that starts while one of them begins to keep its own reads what another one kept."""
    source = write_doubled(tmp_path)
    monkeypatch.setattr(numba, "__version__", "0.1.0")
    assert imported(source).double(4) == 8
    of_another = kept(source)
    monkeypatch.undo()
    assert imported(source).double(4) == 8
    assert len(kept(source)) == 2 * len(of_another) > 0
    assert kept(source).items() >= of_another.items()


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_a_damaged_file_of_machine_code_is_made_again(tmp_path: Path, ending: str):
    source = write_doubled(tmp_path)
    assert imported(source).double(4) == 8
    whole = kept(source)
    (path,) = (tmp_path / "__pycache__").glob(f"*.{ending}")
    path.write_bytes(whole[path.name][: len(whole[path.name]) // 2])
    assert imported(source).double(4) == 8
    assert kept(source).keys() == whole.keys()
    assert len(kept(source)[path.name]) == len(whole[path.name])
