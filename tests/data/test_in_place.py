"""Images that stay where they lie: whatever is indexed is what it is in the whole array, and no more is read."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz import validate
from mcviz.data import DataSet, LazyRows, as_data_set, read_data
from mcviz.data.in_place import NpyRows
from mcviz.errors import InvalidInputError
from mcviz.runs import tables
from tests.cases import one_in

RNG = np.random.default_rng(0)
COUNT = 37
BYTES = RNG.integers(0, 256, (COUNT, 6, 5, 3), dtype=np.uint8)
FORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bytes": lambda images: images,
    "grey": lambda images: images[..., 0],
    "one channel": lambda images: images[..., :1],
    "channels first": lambda images: np.ascontiguousarray(np.moveaxis(images, -1, 1)),
    "Fortran": np.asfortranarray,
    "int64": lambda images: images.astype(np.int64),
    "float16": lambda images: (images / 255).astype(np.float16),
    "float32": lambda images: (images / 255).astype(np.float32),
    "float64": lambda images: images / 255,
    "big-endian": lambda images: (images / 255).astype(">f4"),
}
INDICES = st.one_of(
    st.integers(-COUNT, COUNT - 1),
    st.slices(COUNT),
    st.lists(st.integers(-COUNT, COUNT - 1), max_size=9).map(lambda numbers: np.array(numbers, np.int64)),
    st.lists(st.booleans(), min_size=COUNT, max_size=COUNT).map(np.array),
)


@pytest.fixture(scope="module", params=one_in(3, FORMS))
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[LazyRows, np.ndarray]:
    """Images in a file, and the same that were in memory."""
    path, array = tmp_path_factory.mktemp("npy") / "x.npy", FORMS[request.param](BYTES)
    np.save(path, array)
    images, whole = read_data(path).images, as_data_set(array).images
    assert isinstance(images, LazyRows)
    assert isinstance(whole, np.ndarray)
    assert (images.shape, images.dtype, images.ndim, len(images)) == (whole.shape, whole.dtype, 4, COUNT)
    return images, whole


@given(INDICES)
def test_what_is_indexed_is_what_it_is_in_the_whole_array(both: tuple[LazyRows, np.ndarray], which) -> None:
    images, whole = both
    assert images[which].dtype == whole.dtype
    np.testing.assert_array_equal(images[which], whole[which])


@given(st.permutations(range(COUNT)), st.integers(0, COUNT), st.integers(0, COUNT))
def test_some_of_some_elsewhere_are_the_same(both: tuple[LazyRows, np.ndarray], order, start: int, stop: int) -> None:
    images, whole = both
    places = np.array(order)[:20]
    sent = pickle.dumps(DataSet(images).take(places).slice_for_worker(start, stop))
    assert len(sent) < 1500
    there = pickle.loads(sent).images  # noqa: S301
    np.testing.assert_array_equal(there[:], whole[places][start:stop])
    np.testing.assert_array_equal(np.asarray(DataSet(images).slice_for_worker(start, stop).images), whole[start:stop])


def test_a_number_beyond_the_last_is_none(both: tuple[LazyRows, np.ndarray]) -> None:
    for number in (COUNT, -COUNT - 1):
        with pytest.raises(IndexError):
            both[0][number]


def test_memory_stays_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "x.npy", BYTES / 255)
    monkeypatch.setattr(validate, "VALUES_AT_ONCE", 4 * BYTES[0].size)
    monkeypatch.setattr(tables, "BLOCK_BYTES", 4 * BYTES[0].size * 4)
    rows: list[int] = []
    read = NpyRows.__call__
    monkeypatch.setattr(NpyRows, "__call__", lambda self, places: rows.append(len(places)) or read(self, places))
    images = read_data(tmp_path / "x.npy").images
    assert tables.describe_images(images, stored=False) == tables.describe_images(
        (BYTES / 255).astype(np.float32), stored=False
    )
    assert (max(rows), sum(rows)) == (4, 2 * COUNT)


def test_an_array_that_is_mapped_in_python_is_not_read_either(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", BYTES)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert isinstance(as_data_set(mapped).images, LazyRows)
    changed = np.load(tmp_path / "x.npy", mmap_mode="c")
    changed[0] = 0
    for other in (mapped[1:], mapped[::2], mapped.transpose(0, 2, 1, 3), changed):
        images = as_data_set(other).images
        assert isinstance(images, np.ndarray)
        np.testing.assert_array_equal(images, other)
    np.memmap(tmp_path / "raw", np.uint8, "w+", shape=BYTES.shape)[:] = BYTES
    raw = as_data_set(np.memmap(tmp_path / "raw", np.uint8, "r", shape=BYTES.shape)).images
    assert isinstance(raw, np.ndarray)


def test_a_file_that_is_another_by_now_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", BYTES / 255)
    images = read_data(tmp_path / "x.npy").images
    np.save(tmp_path / "x.npy", np.full(BYTES.shape, np.nan))
    with pytest.raises(InvalidInputError, match="finite"):
        images[3:5]
    np.save(tmp_path / "x.npy", BYTES)
    with pytest.raises(InvalidInputError, match=r"x\.npy should hold float64 \(37, 6, 5, 3\), as before\. Received"):
        images[0]
    np.save(tmp_path / "x.npy", np.full(3, None, object), allow_pickle=True)
    with pytest.raises(InvalidInputError, match="as a plain array"):
        images[0]
    (tmp_path / "x.npy").unlink()
    with pytest.raises(InvalidInputError, match=r"x\.npy cannot be read: No such file"):
        images[0]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.where(np.arange(COUNT)[:, None, None] == COUNT - 1, -1, BYTES[..., 0].astype(int)), "whole numbers of 0"),
        (np.where(np.arange(COUNT)[:, None, None] == COUNT - 1, np.inf, BYTES[..., 0] / 255), "finite"),
        (BYTES > 3, "uint8 or floating point"),
    ],
)
def test_the_last_image_is_looked_at_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, array, message: str) -> None:
    monkeypatch.setattr(validate, "VALUES_AT_ONCE", 4 * array[0].size)
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(InvalidInputError, match=message):
        read_data(tmp_path / "x.npy")
