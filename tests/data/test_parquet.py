"""Pictures inside a Parquet table stay there: whatever is indexed is what it is in the whole column."""

import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcviz.data import ColumnNames, DataSet, Pictures, parquet, read_data
from mcviz.data.parquet import ParquetPictures
from mcviz.errors import InvalidInputError, StorageError
from tests.factories import encode_picture

RNG = np.random.default_rng(0)
COUNT = 70
IMAGES = RNG.integers(0, 256, (COUNT, 6, 5, 3), dtype=np.uint8)


CELLS = [encode_picture(image) for image in IMAGES]
LABELS = np.arange(COUNT) % 3
FORMS: dict[str, Any] = {
    "bytes": pa.array(CELLS, pa.binary()),
    "large bytes": pa.array(CELLS, pa.large_binary()),
    "bytes and paths": pa.array([{"bytes": cell, "path": f"{n}.png"} for n, cell in enumerate(CELLS)]),
    "bytes without paths": pa.array([{"bytes": cell, "path": None} for cell in CELLS]),
}


def write_pictures(path: Path, cells: Any = FORMS["bytes"], group: int = 30, **columns: Any) -> Path:
    pq.write_table(pa.table({"image": cells, "label": LABELS} | columns), path, row_group_size=group)
    return path


@pytest.fixture(scope="module", params=[(form, group) for form in FORMS for group in (COUNT, 30, 1)], ids=str)
def pictures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    form, group = request.param
    read = read_data(write_pictures(tmp_path_factory.mktemp("parquet") / "t.parquet", FORMS[form], group))
    assert isinstance(read.images, Pictures)
    assert isinstance(read.images.read, ParquetPictures)
    np.testing.assert_array_equal(read.labels, LABELS)
    assert read.columns is not None
    assert list(read.columns) == []
    return read.images


@settings(max_examples=20)
@given(
    st.one_of(
        st.integers(-COUNT, COUNT - 1),
        st.slices(COUNT),
        st.lists(st.integers(-COUNT, COUNT - 1), max_size=9).map(lambda numbers: np.array(numbers, np.int64)),
    ),
    st.integers(1, 4000),
    st.integers(1, 20),
)
def test_what_is_indexed_is_what_it_is_in_the_whole_column(pictures: Pictures, which, held: int, rows: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "HELD_BYTES", held)
        patch.setattr(parquet, "DECODED_ROWS", rows)
        parquet._open_column.cache_clear()
        np.testing.assert_array_equal(pictures[which], IMAGES[which])


@settings(max_examples=20)
@given(st.permutations(range(COUNT)), st.integers(0, COUNT), st.integers(0, COUNT))
def test_some_of_some_elsewhere_are_the_same(pictures: Pictures, order, start: int, stop: int) -> None:
    places = np.array(order)[:40]
    some = DataSet(pictures).take(places).take(np.arange(20)[::-1])
    sent = pickle.dumps(some.slice_for_worker(start, stop))
    assert len(sent) < 1500
    there = pickle.loads(sent).images  # noqa: S301
    np.testing.assert_array_equal(there[:], IMAGES[places[:20][::-1]][start:stop])
    np.testing.assert_array_equal(DataSet(pictures).slice_for_worker(start, stop).images[:], IMAGES[start:stop])


def test_memory_stays_flat_and_the_file_is_read_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_pictures(tmp_path / "t.parquet", group=COUNT)
    most = 8 * max(map(len, CELLS))
    monkeypatch.setattr(parquet, "HELD_BYTES", most)
    monkeypatch.setattr(parquet, "DECODED_ROWS", 4)
    monkeypatch.setattr("mcviz.data.pictures.THREADS", 1)  # or they may come a little out of order
    held: list[int] = []
    read: list[int] = []
    hold = parquet._Column._hold

    def noted(self: parquet._Column, row: int, content: bytes | None) -> None:
        hold(self, row, content)
        read.append(row)
        held.append(sum(len(each or b"") for each in self._held.values()))
        assert self._bytes == held[-1]

    monkeypatch.setattr(parquet._Column, "_hold", noted)
    whole: list[list[str]] = []
    frame = pd.read_parquet
    monkeypatch.setattr(pd, "read_parquet", lambda path, columns: whole.append(columns) or frame(path, columns=columns))
    pictures = read_data(path).images
    assert whole == [["label"]]
    assert max(held) <= most
    assert read == list(range(COUNT))
    read.clear()
    order = RNG.permutation(COUNT)
    np.testing.assert_array_equal(DataSet(pictures).take(order).images[:], IMAGES[order])
    assert read == list(range(COUNT))
    assert max(held) <= most


def test_columns_that_are_left_in_the_file_are_no_others(tmp_path: Path) -> None:
    other = pa.array([b"x"] * COUNT)
    path = write_pictures(
        tmp_path / "t.parquet", other, scan=FORMS["bytes"], text=["good"] * COUNT, x=np.arange(COUNT) / 2
    )
    scans = read_data(path, columns=ColumnNames(picture="scan"))
    assert isinstance(scans.images.read, ParquetPictures)
    assert scans.columns is not None
    assert list(scans.columns) == ["image", "text", "x"]
    assert scans.columns["image"].tolist() == [b"x"] * COUNT
    np.testing.assert_array_equal(scans.images[5], IMAGES[5])
    for named, kind in (({"text": "text"}, "text"), ({"features": ("x",)}, "row")):
        read = read_data(path, columns=ColumnNames(**named))
        assert read.kind == kind
        assert read.columns is not None
        assert read.columns["image"].tolist() == [b"x"] * COUNT


def test_a_table_of_pictures_alone_and_one_with_an_index_of_its_own(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": FORMS["bytes"]}), tmp_path / "t.parquet")
    np.testing.assert_array_equal(read_data(tmp_path / "t.parquet").images[3:5], IMAGES[3:5])
    frame = pd.DataFrame({"image": CELLS, "label": LABELS, "age": np.arange(COUNT)})
    frame[frame["age"] > 9].set_index("age").to_parquet(tmp_path / "t.parquet")
    read = read_data(tmp_path / "t.parquet")
    np.testing.assert_array_equal(read.images[:], IMAGES[10:])
    np.testing.assert_array_equal(read.labels, LABELS[10:])


def test_a_row_without_a_picture_is_named_and_left_out_on_demand(tmp_path: Path) -> None:
    for cells in ([*CELLS[:-2], None, b"no picture"], [{"bytes": each} for each in (*CELLS[:-2], None, b"")]):
        write_pictures(tmp_path / "t.parquet", pa.array(cells))
        with pytest.raises(InvalidInputError, match=r"2 of 70 pictures cannot be read: row 68: it is missing; row 69"):
            read_data(tmp_path / "t.parquet")
        read = read_data(tmp_path / "t.parquet", skip_broken=True)
        np.testing.assert_array_equal(read.images[:], IMAGES[:-2])


def test_a_file_that_is_another_by_now_is_refused(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "t.parquet")
    pictures = read_data(path).images
    whole = path.read_bytes()
    pq.write_table(pa.table({"image": FORMS["bytes"][:9]}), path)
    with pytest.raises(
        StorageError, match=r"t\.parquet should have 70 rows and a column image, as before\. Received: 9"
    ):
        pictures[3]
    pq.write_table(pa.table({"image": LABELS}), path)
    with pytest.raises(StorageError, match=r"t\.parquet cannot be read: its column image holds no pictures any more"):
        pictures[3]
    path.unlink()
    with pytest.raises(StorageError, match=r"t\.parquet cannot be read: No such file"):
        pictures[3]
    path.mkdir()
    with pytest.raises(StorageError, match=r"should be a regular file"):
        pictures[3]
    path.rmdir()
    path.write_bytes(whole)
    np.testing.assert_array_equal(pictures[3], IMAGES[3])


def test_a_damaged_file_is_refused_at_once_or_gives_no_other_pictures(tmp_path: Path) -> None:
    whole = write_pictures(tmp_path / "whole.parquet", group=COUNT).read_bytes()
    path = tmp_path / "t.parquet"
    for at in RNG.integers(0, len(whole), 60).tolist():
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        with suppress(InvalidInputError, StorageError):
            read = read_data(path)
            assert read.images is None or read.images.shape[0] == COUNT
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInputError, match=r"t\.parquet cannot be read as a table"):
        read_data(path)
