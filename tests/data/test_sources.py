"""Every way in which people keep images and labels comes in as the same data set."""

import gzip
import json
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mcviz.data import ColumnNames, DataSet, as_data_set, read_data, read_mnist
from mcviz.errors import DataNotFoundError, InvalidInputError

pytestmark = pytest.mark.lowest

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
GREY = COLOUR[..., :1]
LABELS = np.array([0, 0, 0, 1, 1, 2])
CLASSES = ("ant", "bee", "cat, tabby")


def png(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(path)
    return path


def encoded(path: Path, image: np.ndarray) -> bytes:
    return png(path, image).read_bytes()


def check(read: DataSet, images: np.ndarray, labels: np.ndarray | None, classes: tuple[str, ...] | None) -> None:
    assert read.images is not None
    assert (read.images.dtype, read.images.shape, len(read)) == (np.uint8, images.shape, len(images))
    np.testing.assert_array_equal(read.images[:], images)
    np.testing.assert_array_equal(read.images[2:4], images[2:4])
    np.testing.assert_array_equal(read.images[1], images[1])
    assert read.class_names == classes
    if labels is None:
        assert read.labels is None
    else:
        assert read.labels is not None
        assert read.labels.dtype == np.int64
        np.testing.assert_array_equal(read.labels, labels)


@pytest.mark.parametrize("images", [COLOUR, GREY], ids=["colour", "grey"])
def test_one_folder_a_class(tmp_path, images):
    for number, (image, label) in enumerate(zip(images, LABELS, strict=True)):
        png(tmp_path / CLASSES[label] / f"{number}.png", image)
    (tmp_path / ".hidden").mkdir()
    read = read_data(tmp_path)
    check(read, images, LABELS, CLASSES)
    assert read.notes == ()
    assert read.ids is not None
    assert read.ids[-1] == str(Path("cat, tabby", "5.png"))


def test_a_flat_folder_has_no_labels(tmp_path):
    for number, image in enumerate(COLOUR):
        png(tmp_path / f"{number}.png", image)
    (tmp_path / "notes.txt").touch()
    check(read_data(tmp_path), COLOUR, None, None)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
@pytest.mark.parametrize("texts", [False, True])
def test_a_table_of_paths_and_labels_keeps_the_users_columns(tmp_path, suffix, texts):
    paths = [png(tmp_path / "pictures" / f"{n}.png", image).relative_to(tmp_path) for n, image in enumerate(COLOUR)]
    frame = pd.DataFrame(
        {
            "id": [f"00{n}" for n in range(6)],
            "file": [str(path) for path in paths],
            "label": [CLASSES[label] if texts else label for label in LABELS],
            "source": list("aabbcc"),
            "age": [1.5, 2, 3, 4, 5, np.nan],
        }
    )
    table = tmp_path / f"examples{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(table)
    else:
        frame.to_csv(table, index=False, sep="\t" if suffix == ".tsv" else ",")
    read = read_data(table)
    check(read, COLOUR, LABELS, CLASSES if texts else None)
    assert read.ids == tuple(frame["id"])
    assert read.columns is not None
    pd.testing.assert_frame_equal(read.columns, frame[["source", "age"]])


def test_columns_of_other_names_are_named(tmp_path):
    for number, image in enumerate(COLOUR):
        png(tmp_path / f"{number}.png", image)
    frame = pd.DataFrame({"scan": [f"{n}.png" for n in range(6)], "finding": LABELS, "patient": list("uvwxyz")})
    frame.to_csv(tmp_path / "t.csv", index=False)
    read = read_data(tmp_path / "t.csv", columns=ColumnNames("scan", "finding", "patient"))
    check(read, COLOUR, LABELS, None)
    assert read.ids == tuple("uvwxyz")
    with pytest.raises(InvalidInputError, match=r"no column 'scam'\. It has scan, finding, patient"):
        read_data(tmp_path / "t.csv", columns=ColumnNames("scam"))


def test_a_table_of_labels_alone_has_examples_without_images(tmp_path):
    pd.DataFrame({"label": LABELS, "source": list("aabbcc")}).to_csv(tmp_path / "t.csv", index=False)
    read = read_data(tmp_path / "t.csv")
    assert (read.images, len(read)) == (None, 6)
    np.testing.assert_array_equal(read.labels, LABELS)


def test_pictures_inside_a_parquet_table(tmp_path):
    cells = [{"bytes": encoded(tmp_path / "x.png", image), "path": None} for image in COLOUR]
    pq.write_table(pa.table({"image": cells, "label": LABELS}), tmp_path / "t.parquet")
    check(read_data(tmp_path / "t.parquet"), COLOUR, LABELS, None)


@pytest.mark.parametrize(
    "names",
    [("images", "labels"), ("x_test", "y_test"), ("x", "y"), ("X", "y"), ("data", "target"), ("arr_0", "arr_1")],
)
@pytest.mark.parametrize("form", ["numbers", "column", "one-hot", "texts", "bytes"])
def test_npz_and_npy_under_the_names_in_use(tmp_path, names, form):
    labels = {
        "numbers": LABELS.astype(np.uint8),
        "column": LABELS[:, None],
        "one-hot": np.eye(3)[LABELS],
        "texts": np.array(CLASSES)[LABELS],
        "bytes": np.array(CLASSES, dtype="S")[LABELS],
    }[form]
    classes = CLASSES if form in ("texts", "bytes") else None
    np.savez(tmp_path / "data.npz", **{names[0]: COLOUR, names[1]: labels})
    check(read_data(tmp_path / "data.npz"), COLOUR, LABELS, classes)
    for name, array in zip(names, (COLOUR, labels), strict=True):
        np.save(tmp_path / f"{name}.npy", array)
    check(read_data(tmp_path / f"{names[0]}.npy"), COLOUR, LABELS, classes)


def test_an_npz_may_name_its_classes_and_examples(tmp_path):
    ids = [f"scan {n}" for n in range(6)]
    np.savez(
        tmp_path / "data.npz", images=GREY[..., 0], labels=LABELS, class_names=np.array(CLASSES), ids=np.array(ids)
    )
    read = read_data(tmp_path / "data.npz")
    check(read, GREY, LABELS, CLASSES)
    assert read.ids == tuple(ids)


def idx(array: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_and_the_folder_that_they_are_in(tmp_path, packed):
    ending, pack = (".gz", gzip.compress) if packed else ("", bytes)
    for split, images, labels in (("train", GREY[:1], LABELS[:1]), ("t10k", GREY, LABELS)):
        (tmp_path / f"{split}-images-idx3-ubyte{ending}").write_bytes(pack(idx(images[..., 0])))
        (tmp_path / f"{split}-labels-idx1-ubyte{ending}").write_bytes(pack(idx(labels.astype(np.uint8))))
    check(read_data(tmp_path / f"t10k-images-idx3-ubyte{ending}"), GREY, LABELS, None)
    check(read_data(tmp_path), GREY, LABELS, None)


@pytest.mark.parametrize("claimed", [5, 7, 1 << 31])
def test_an_idx_file_that_lies_about_its_size_is_refused_without_taking_memory(tmp_path, claimed):
    content = bytearray(gzip.compress(idx(GREY[..., 0]))) if claimed == 5 else bytearray(idx(GREY[..., 0]))
    if claimed != 5:
        content[4:8] = struct.pack(">I", claimed)
    else:
        content = bytearray(gzip.compress(idx(GREY[..., 0]).replace(struct.pack(">I", 6), struct.pack(">I", 5), 1)))
    (tmp_path / "a-idx3-ubyte").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(InvalidInputError, match="a-idx3-ubyte should hold"):
        read_data(tmp_path / "a-idx3-ubyte")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def saved_dataset(
    folder: Path, columns: dict[str, object], features: dict[str, object], order: list[int] | None
) -> Path:
    """A data set as Hugging Face's `save_to_disk` writes it."""
    folder.mkdir(parents=True)
    files = {"data-00000-of-00001.arrow": pa.table(columns)}
    state: dict[str, object] = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_indices_files": None}
    if order is not None:
        files["indices-1.arrow"] = pa.table({"indices": pa.array(order, pa.uint64())})
        state["_indices_files"] = [{"filename": "indices-1.arrow"}]
    for name, table in files.items():
        with pa.ipc.new_stream(folder / name, table.schema) as writer:
            writer.write_table(table, max_chunksize=4)
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    return folder


@pytest.mark.parametrize("order", [None, [5, 0, 1, 2, 3, 4]])
@pytest.mark.parametrize("as_arrays", [False, True])
def test_a_saved_hugging_face_data_set(tmp_path, order, as_arrays):
    cells = (
        COLOUR.tolist() if as_arrays else [{"bytes": encoded(tmp_path / "x.png", c), "path": "x.png"} for c in COLOUR]
    )
    features = {"label": {"_type": "ClassLabel", "names": CLASSES}, "image": {"_type": "Image"}}
    columns = {"image": cells, "label": LABELS, "source": list("aabbcc")}
    saved_dataset(tmp_path / "hf" / "test", columns, features, order)
    (tmp_path / "hf" / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    rows = order or list(range(6))
    for folder in (tmp_path / "hf", tmp_path / "hf" / "test"):
        read = read_data(folder)
        check(read, COLOUR[rows], LABELS[rows], CLASSES)
        assert read.columns is not None
        assert "".join(read.columns["source"]) == "".join("aabbcc"[row] for row in rows)


@pytest.mark.parametrize("file", ["state.json", "dataset_info.json", "data-00000-of-00001.arrow", "indices-1.arrow"])
def test_a_pipe_in_a_saved_data_set_makes_nobody_wait(tmp_path, file):
    folder = saved_dataset(tmp_path / "hf" / "test", {"image": COLOUR.tolist()}, {}, list(range(6)))
    (tmp_path / "hf" / "dataset_dict.json").write_text(json.dumps({"splits": ["test"]}))
    (folder / file).unlink()
    os.mkfifo(folder / file)
    with pytest.raises(InvalidInputError, match=rf"{file} should be a regular file. Received: a named pipe"):
        read_data(tmp_path / "hf")


def test_a_saved_data_set_reads_no_file_outside_its_folder(tmp_path):
    folder = saved_dataset(tmp_path / "hf", {"image": COLOUR.tolist()}, {}, None)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "../other.arrow"}]}))
    with pytest.raises(InvalidInputError, match=r"cannot be read as a saved data set \(it names the file '\.\./other"):
        read_data(folder)


def test_classes_are_reordered_by_names_and_labels_follow(tmp_path):
    read = as_data_set((COLOUR, np.array(CLASSES)[LABELS]))
    turned = read.with_class_names(["wasp", *CLASSES[::-1]])
    assert turned.labels is not None
    assert [turned.class_names[label] for label in turned.labels] == [CLASSES[label] for label in LABELS]  # type: ignore[index]
    for others in (["ant", "bee", "wasp"], ["a", "b", "c"]):  # what was sorted has no order of its own
        with pytest.raises(InvalidInputError, match=r"names for all of ant, bee, cat, tabby, which the data have"):
            read.with_class_names(others)


@pytest.mark.parametrize("kind", ["folders", "Hugging Face", "npz"])
def test_classes_that_the_data_name_are_renamed_by_pairs_and_never_by_their_place(tmp_path, kind):
    if kind == "folders":
        for number, (image, label) in enumerate(zip(COLOUR, LABELS, strict=True)):
            png(tmp_path / CLASSES[label] / f"{number}.png", image)
        path = tmp_path
    elif kind == "npz":
        path = tmp_path / "data.npz"
        np.savez(path, images=COLOUR, labels=LABELS, class_names=np.array(CLASSES))
    else:
        features = {"label": {"_type": "ClassLabel", "names": CLASSES}}
        path = saved_dataset(tmp_path / "hf", {"image": COLOUR.tolist(), "label": LABELS}, features, None)
    read = read_data(path)
    check(read.with_class_names(dict(zip(CLASSES, "abc", strict=True))), COLOUR, LABELS, ("a", "b", "c"))
    renamed = read.with_class_names({"bee": "Bee"})
    check(renamed, COLOUR, LABELS, ("ant", "Bee", "cat, tabby"))
    assert renamed.matched_by == read.matched_by
    for wrong, told in (
        ({"wasp": "Wasp"}, "new names of ant, bee, cat, tabby. Received: wasp"),
        ({"bee": "ant"}, "3 different names"),
    ):
        with pytest.raises(InvalidInputError, match=told):
            read.with_class_names(wrong)
    check(read.with_class_names(["bee", "cat, tabby", "ant"]), COLOUR, (LABELS - 1) % 3, ("bee", "cat, tabby", "ant"))
    told = r"names for all of ant, bee, cat, tabby, which the data have.* --rename-class ant=…. .* --names-in-order"
    for others in (["a", "b"], ["a", "b", "c"], ["Cat", "Ant", "Bee"], ["a", "b", "c", "d"], ["a", "b", "ant"]):
        with pytest.raises(InvalidInputError, match=told):
            read.with_class_names(others)


def test_one_broken_picture_is_named_and_counted_and_left_out_on_demand(tmp_path):
    for number, (image, label) in enumerate(zip(COLOUR, LABELS, strict=True)):
        png(tmp_path / CLASSES[label] / f"{number}.png", image)
    broken = tmp_path / "bee" / "3.png"
    broken.write_bytes(broken.read_bytes()[:40])
    with pytest.raises(InvalidInputError, match=r"1 of 6 pictures cannot be read: bee.3\.png: .* --skip-broken"):
        read_data(tmp_path)
    read = read_data(tmp_path, skip_broken=True)
    kept = [0, 1, 2, 4, 5]
    check(read, COLOUR[kept], LABELS[kept], CLASSES)
    assert "3.png" in read.notes[0]


def test_a_class_whose_every_picture_is_broken_keeps_its_number(tmp_path):
    for number, (image, label) in enumerate(zip(COLOUR, LABELS, strict=True)):
        png(tmp_path / CLASSES[label] / f"{number}.png", image)
    for path in (tmp_path / "bee").iterdir():
        path.write_bytes(b"")
    assert read_data(tmp_path, skip_broken=True).labels.tolist() == [0, 0, 0, 2]


COMMA_DTYPE = (
    b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': ',f8', 'fortran_order': False, 'shape': (4, 3), }".ljust(117) + b"\n"
)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda f: f / "nowhere", "There is no data at .*nowhere. Give a folder of pictures"),
        (lambda f: f, r"the folder holds no pictures \(\.png"),
        (lambda f: png(f / "a.png", COLOUR[0]), "none of what is taken"),
        (
            lambda f: png(png(f / "a.png", COLOUR[0]).parent / "b" / "c.png", COLOUR[0]).parents[1],
            r"such as a\.png, lie beside its folders of pictures \(b\)",
        ),
        (lambda f: written(f / "t.csv", "file,label\n"), "has no rows"),
        (lambda f: written(f / "t.csv", "colour\nred\n"), r"no column of pictures \(path, .* but colour. Name one"),
        (lambda f: written(f / "t.csv", "file,label\na.png,1\n"), r"1 of 1 pictures .*a\.png: No such file"),
        (lambda f: written(f / "t.csv", "id,label\n1,a\n2,\n"), "1 rows without label"),
        (lambda f: written(f / "t.csv", "id,label\n1,0.5\n"), "class indices, texts or one-hot rows"),
        (lambda f: written(f / "t.csv", "id,label\n1,a\n1,b\n"), "2 different texts, one an example"),
        (lambda f: written(f / "t.csv", b"\xff\xfe\0"), "cannot be read as a table"),
        (lambda f: written(f / "t.parquet", "PAR1"), "cannot be read as a table"),
        (lambda f: written(f / "state.json", "{}").parent, "cannot be read as a saved data set"),
        (lambda f: written(f / "a.npy", b"\x93NUMPY\x01\x00"), "cannot be read as a plain array"),
        (lambda f: written(f / "a.npy", COMMA_DTYPE), "cannot be read as a plain array"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(tmp_path, make, told):
    with pytest.raises((InvalidInputError, DataNotFoundError), match=told) as caught:
        read_data(make(tmp_path))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_folder_of_idx_files_has_a_training_and_a_test_split(tmp_path):
    for split, images, labels in (("train", GREY, LABELS), ("t10k", GREY[:2], LABELS[:2])):
        (tmp_path / f"{split}-images-idx3-ubyte").write_bytes(idx(images[..., 0]))
        (tmp_path / f"{split}-labels-idx1-ubyte").write_bytes(idx(labels.astype(np.uint8)))
    train, test = read_mnist(tmp_path)
    check(train, GREY, LABELS, None)
    check(test, GREY[:2], LABELS[:2], None)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InvalidInputError, match="it lacks the images or labels of MNIST's t10k files"):
        read_mnist(tmp_path)
