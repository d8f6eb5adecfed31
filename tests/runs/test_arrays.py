"""Probabilities are stored to half a step; what is read is what was written and verified."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mcviz.errors import CorruptRunError
from mcviz.manifest import layout_for
from mcviz.runs import Images, arrays, open_run
from mcviz.tasks.probabilities import dequantise, quantise
from tests.runs.making import make, numbers, some_images
from tests.runs.sealing import replace_file

shapes = st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(2, 4))


@given(
    shapes.flatmap(
        lambda shape: hnp.arrays(np.float32, shape, elements=st.floats(0, 1, width=32, allow_subnormal=False))
    )
)
def test_a_probability_comes_back_within_half_a_step(probs: np.ndarray) -> None:
    stored = dequantise(quantise(probs))
    assert stored.shape == probs.shape
    assert stored.dtype == np.float32
    assert np.abs(stored.astype(np.float64) - probs).max() <= 0.5 / 65534 + 2**-24


def test_zero_and_one_are_exact_and_none_is_missing() -> None:
    probs = np.array([[[0.0, 1.0]]], dtype=np.float32)
    np.testing.assert_array_equal(dequantise(quantise(probs)), probs)
    assert quantise(probs).max() == 65534


@given(st.integers(1, 10**5), st.integers(2, 10**4), st.integers(1, 2000))
def test_chunks_are_powers_of_two_of_a_hundred_thousand_values(passes: int, classes: int, side: int) -> None:
    layout = layout_for(passes, classes, Images((side, side, 3), "uint8", 0, 255, True))
    for size in (
        layout.examples_per_chunk,
        layout.examples_per_shard,
        layout.images_per_chunk,
        layout.images_per_shard,
    ):
        assert size & (size - 1) == 0
    assert layout.examples_per_chunk == 1 or layout.examples_per_chunk * passes * classes <= 100_000
    assert layout.examples_per_shard % layout.examples_per_chunk == 0
    assert layout.examples_per_shard <= 512
    assert layout.images_per_shard % layout.images_per_chunk == 0


def test_the_layout_of_the_shipped_run() -> None:
    layout = layout_for(500, 10, Images((28, 28, 1), "uint8", 0, 255, True))
    assert (layout.examples_per_chunk, layout.examples_per_shard) == (16, 512)


def test_images_that_are_all_zero_are_stored_as_well(tmp_path: Path) -> None:
    black = np.zeros_like(some_images())
    run = make(tmp_path / "run", pixels=black)
    np.testing.assert_array_equal(open_run(run.path).images[:], black)


def test_what_does_not_fit_in_memory_is_read_again(finished_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = numbers(open_run(finished_run))
    monkeypatch.setattr(arrays, "CACHED_BYTES", 1)
    for _ in range(2):
        assert numbers(open_run(finished_run)) == truth


def test_a_file_that_changes_after_it_was_read_changes_no_number(finished_run: Path) -> None:
    run = open_run(finished_run)
    first = run.probs(0)
    shard = finished_run / "predictions.zarr/probs/c.0.0.0"
    shard.write_bytes(shard.read_bytes()[::-1])
    np.testing.assert_array_equal(run.probs(0), first)
    with pytest.raises(CorruptRunError, match=r"c\.0\.0\.0"):
        open_run(run.path).probs(0)


@pytest.mark.parametrize("name", ["probs/zarr.json", "probs/c.0.0.0", "images/zarr.json", "label/c.0"])
@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[" * 5000, b"\xff" * 300, b'{"zarr_format": 3, "node_type": "group"}']
)
def test_a_manifest_that_vouches_for_nonsense(finished_run: Path, name: str, content: bytes) -> None:
    replace_file(finished_run, f"predictions.zarr/{name}", content)
    with pytest.raises(CorruptRunError, match=f"{finished_run}/predictions.zarr"):
        numbers(open_run(finished_run))


def test_metadata_that_describes_another_array_is_refused(finished_run: Path) -> None:
    file = "predictions.zarr/probs/zarr.json"
    replace_file(finished_run, file, (finished_run / file).read_bytes().replace(b"uint16", b"uint32"))
    with pytest.raises(CorruptRunError, match="describes another array than the manifest"):
        open_run(finished_run).probs(0)
