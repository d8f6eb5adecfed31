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

from mcviz.data import ColumnNames, DataSet, as_data_set, read_data, read_mnist
from mcviz.errors import DataNotFoundError, InvalidInputError
from tests.factories import (
    encode_idx,
    encode_picture,
    write_file,
    write_npz,
    write_png,
    write_pngs,
    write_saved_dataset,
    write_table,
)

pytestmark = pytest.mark.lowest

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
GREY = COLOUR[..., :1]
LABELS = np.array([0, 0, 0, 1, 1, 2])
CLASSES = ("ant", "bee", "cat, tabby")
FOLDERS = [CLASSES[label] for label in LABELS]


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
    write_pngs(tmp_path, images, FOLDERS)
    (tmp_path / ".hidden").mkdir()
    read = read_data(tmp_path)
    check(read, images, LABELS, CLASSES)
    assert read.notes == ()
    assert read.ids is not None
    assert read.ids[-1] == str(Path("cat, tabby", "5.png"))


def test_a_flat_folder_has_no_labels(tmp_path):
    write_pngs(tmp_path, COLOUR)
    (tmp_path / "notes.txt").touch()
    check(read_data(tmp_path), COLOUR, None, None)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
@pytest.mark.parametrize("texts", [False, True])
def test_a_table_of_paths_and_labels_keeps_the_users_columns(tmp_path, suffix, texts):
    write_pngs(tmp_path / "pictures", COLOUR)
    frame = pd.DataFrame(
        {
            "id": [f"00{n}" for n in range(6)],
            "file": [f"pictures/{n}.png" for n in range(6)],
            "label": [CLASSES[label] if texts else label for label in LABELS],
            "source": list("aabbcc"),
            "age": [1.5, 2, 3, 4, 5, np.nan],
        }
    )
    read = read_data(write_table(frame, tmp_path / f"examples{suffix}"))
    check(read, COLOUR, LABELS, CLASSES if texts else None)
    assert read.ids == tuple(frame["id"])
    assert read.columns is not None
    pd.testing.assert_frame_equal(read.columns, frame[["source", "age"]])


def test_columns_of_other_names_are_named(tmp_path):
    write_pngs(tmp_path, COLOUR)
    frame = pd.DataFrame({"scan": [f"{n}.png" for n in range(6)], "finding": LABELS, "patient": list("uvwxyz")})
    frame.to_csv(tmp_path / "t.csv", index=False)
    read = read_data(tmp_path / "t.csv", columns=ColumnNames("scan", "finding", "patient"))
    check(read, COLOUR, LABELS, None)
    assert read.ids == tuple("uvwxyz")
    for misspelt in (ColumnNames("scam"), ColumnNames(label="scam"), ColumnNames(id="scam")):
        with pytest.raises(InvalidInputError, match=r"no column 'scam'\. It has scan, finding, patient"):
            read_data(tmp_path / "t.csv", columns=misspelt)


def test_a_table_of_labels_alone_has_examples_without_images(tmp_path):
    pd.DataFrame({"label": LABELS, "source": list("aabbcc")}).to_csv(tmp_path / "t.csv", index=False)
    read = read_data(tmp_path / "t.csv")
    assert (read.images, len(read)) == (None, 6)
    np.testing.assert_array_equal(read.labels, LABELS)


def test_pictures_inside_a_parquet_table(tmp_path):
    cells = [{"bytes": encode_picture(image), "path": None} for image in COLOUR]
    pq.write_table(pa.table({"image": cells, "label": LABELS}), tmp_path / "t.parquet")
    check(read_data(tmp_path / "t.parquet"), COLOUR, LABELS, None)


@pytest.mark.parametrize(
    ("names", "form"),
    [
        (("images", "labels"), "numbers"),
        (("x_test", "y_test"), "column"),
        (("x", "y"), "one-hot"),
        (("X", "y"), "texts"),
        (("data", "target"), "bytes"),
        (("arr_0", "arr_1"), "numbers"),
    ],
    ids=str,
)
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


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_and_the_folder_that_they_are_in(tmp_path, packed):
    ending, pack = (".gz", gzip.compress) if packed else ("", bytes)
    for split, images, labels in (("train", GREY[:1], LABELS[:1]), ("t10k", GREY, LABELS)):
        (tmp_path / f"{split}-images-idx3-ubyte{ending}").write_bytes(pack(encode_idx(images[..., 0])))
        (tmp_path / f"{split}-labels-idx1-ubyte{ending}").write_bytes(pack(encode_idx(labels.astype(np.uint8))))
    one, of_several = read_data(tmp_path / f"t10k-images-idx3-ubyte{ending}"), read_data(tmp_path)
    check(one, GREY, LABELS, None)
    check(of_several, GREY, LABELS, None)
    assert one.notes == ()
    assert f"images: t10k-images-idx3-ubyte{ending}, of t10k" in of_several.notes[0]
    assert f"train-images-idx3-ubyte{ending}" in of_several.notes[0]


@pytest.mark.parametrize("claimed", [5, 7, 1 << 31])
def test_an_idx_file_that_lies_about_its_size_is_refused_without_taking_memory(tmp_path, claimed):
    content = encode_idx(GREY[..., 0]).replace(struct.pack(">I", 6), struct.pack(">I", claimed), 1)
    write_file(tmp_path / "a-idx3-ubyte", gzip.compress(content) if claimed == 5 else content)
    tracemalloc.start()
    with pytest.raises(InvalidInputError, match="a-idx3-ubyte should hold"):
        read_data(tmp_path / "a-idx3-ubyte")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("order", [None, [5, 0, 1, 2, 3, 4]])
@pytest.mark.parametrize("as_arrays", [False, True])
def test_a_saved_hugging_face_data_set(tmp_path, order, as_arrays):
    cells = COLOUR.tolist() if as_arrays else [{"bytes": encode_picture(c), "path": "x.png"} for c in COLOUR]
    features = {"label": {"_type": "ClassLabel", "names": CLASSES}, "image": {"_type": "Image"}}
    columns = {"image": cells, "label": LABELS, "source": list("aabbcc")}
    write_saved_dataset(tmp_path / "hf" / "test", columns, features, order)
    (tmp_path / "hf" / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    rows = order or list(range(6))
    for folder in (tmp_path / "hf", tmp_path / "hf" / "test"):
        read = read_data(folder)
        check(read, COLOUR[rows], LABELS[rows], CLASSES)
        assert read.columns is not None
        assert "".join(read.columns["source"]) == "".join("aabbcc"[row] for row in rows)


def test_a_split_of_a_saved_data_set_is_named_and_can_be_chosen(tmp_path):
    splits = {"train": COLOUR[:3], "validation": COLOUR[:2], "extra": COLOUR[:1]}
    for name, images in splits.items():
        write_saved_dataset(tmp_path / name, {"image": images.tolist()})
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))
    read = read_data(tmp_path)
    assert read.notes == ("split: validation, of train, validation, extra; --split takes another",)
    np.testing.assert_array_equal(read.images, splits["validation"])
    for name, images in splits.items():
        np.testing.assert_array_equal(read_data(tmp_path, split=name).images, images)
    with pytest.raises(InvalidInputError, match=r"`split` should be one of train, .*Received: test\."):
        read_data(tmp_path, split="test")
    with pytest.raises(InvalidInputError, match="`split` should be left out where the data is no saved data set of se"):
        read_data(tmp_path / "train", split="train")


@pytest.mark.parametrize("file", ["state.json", "dataset_info.json", "data-00000-of-00001.arrow", "indices-1.arrow"])
def test_a_pipe_in_a_saved_data_set_makes_nobody_wait(tmp_path, file):
    folder = write_saved_dataset(tmp_path / "hf" / "test", {"image": COLOUR.tolist()}, {}, list(range(6)))
    (tmp_path / "hf" / "dataset_dict.json").write_text(json.dumps({"splits": ["test"]}))
    (folder / file).unlink()
    os.mkfifo(folder / file)
    with pytest.raises(InvalidInputError, match=rf"{file} should be a regular file. Received: a named pipe"):
        read_data(tmp_path / "hf")


def test_a_saved_data_set_reads_no_file_outside_its_folder(tmp_path):
    folder = write_saved_dataset(tmp_path / "hf", {"image": COLOUR.tolist()})
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
        path = write_pngs(tmp_path, COLOUR, FOLDERS)
    elif kind == "npz":
        path = write_npz(tmp_path / "data.npz", images=COLOUR, labels=LABELS, class_names=np.array(CLASSES))
    else:
        features = {"label": {"_type": "ClassLabel", "names": CLASSES}}
        path = write_saved_dataset(tmp_path / "hf", {"image": COLOUR.tolist(), "label": LABELS}, features)
    read = read_data(path)
    check(read.with_class_names(dict(zip(CLASSES, "abc", strict=True))), COLOUR, LABELS, ("a", "b", "c"))
    renamed = read.with_class_names({"bee": "Bee"})
    check(renamed, COLOUR, LABELS, ("ant", "Bee", "cat, tabby"))
    assert renamed.matched_by == read.matched_by
    for wrong, message in (
        ({"wasp": "Wasp"}, "new names of ant, bee, cat, tabby. Received: wasp"),
        ({"bee": "ant"}, "3 different names"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            read.with_class_names(wrong)
    check(read.with_class_names(["bee", "cat, tabby", "ant"]), COLOUR, (LABELS - 1) % 3, ("bee", "cat, tabby", "ant"))
    message = r"names for all of ant, bee, cat, tabby, which the data have.* --rename-class ant=…. .* --names-in-order"
    for others in (["a", "b"], ["a", "b", "c"], ["Cat", "Ant", "Bee"], ["a", "b", "c", "d"], ["a", "b", "ant"]):
        with pytest.raises(InvalidInputError, match=message):
            read.with_class_names(others)


def test_one_broken_picture_is_named_and_counted_and_left_out_on_demand(tmp_path):
    write_pngs(tmp_path, COLOUR, FOLDERS)
    broken = tmp_path / "bee" / "3.png"
    broken.write_bytes(broken.read_bytes()[:40])
    with pytest.raises(InvalidInputError, match=r"1 of 6 pictures cannot be read: bee.3\.png: .* --skip-broken"):
        read_data(tmp_path)
    read = read_data(tmp_path, skip_broken=True)
    whole = [0, 1, 2, 4, 5]
    check(read, COLOUR[whole], LABELS[whole], CLASSES)
    assert "3.png" in read.notes[0]


def test_a_class_whose_every_picture_is_broken_keeps_its_number(tmp_path):
    write_pngs(tmp_path, COLOUR, FOLDERS)
    for path in (tmp_path / "bee").iterdir():
        path.write_bytes(b"")
    assert read_data(tmp_path, skip_broken=True).labels.tolist() == [0, 0, 0, 2]


COMMA_DTYPE = (
    b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': ',f8', 'fortran_order': False, 'shape': (4, 3), }".ljust(117) + b"\n"
)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f / "nowhere", "There is no data at .*nowhere. Give a folder of pictures"),
        (lambda f: f, r"the folder holds no pictures \(\.png"),
        (lambda f: write_png(f / "a.png", COLOUR[0]), "none of what is taken"),
        (
            lambda f: write_png(write_png(f / "a.png", COLOUR[0]).parent / "b" / "c.png", COLOUR[0]).parents[1],
            r"such as a\.png, lie beside its folders of pictures \(b\)",
        ),
        (lambda f: write_file(f / "t.csv", "file,label\n"), "has no rows"),
        (lambda f: write_file(f / "t.csv", "colour\nred\n"), r"no column of pictures \(path, .* but colour. Name one"),
        (lambda f: write_file(f / "t.csv", "file,label\na.png,1\n"), r"1 of 1 pictures .*a\.png: No such file"),
        (lambda f: write_file(f / "t.csv", "id,label\n1,\n2,\n"), "No label of labels is known"),
        (lambda f: write_file(f / "t.csv", "id,label\n1,0.5\n"), "class indices, texts or one-hot rows"),
        (
            lambda f: write_file(f / "t.csv", "id,label\n1,a\n1,b\n"),
            "2 different texts, one an example. Received: 2, 1 of them different",
        ),
        (lambda f: write_file(f / "t.csv", b"\xff\xfe\0"), "cannot be read as a table"),
        (lambda f: write_file(f / "t.parquet", "PAR1"), "cannot be read as a table"),
        (lambda f: write_file(f / "state.json", "{}").parent, "cannot be read as a saved data set"),
        (lambda f: write_file(f / "a.npy", b"\x93NUMPY\x01\x00"), "cannot be read as a plain array"),
        (lambda f: write_file(f / "a.npy", COMMA_DTYPE), "cannot be read as a plain array"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(tmp_path, make, message):
    with pytest.raises((InvalidInputError, DataNotFoundError), match=message) as caught:
        read_data(make(tmp_path))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_folder_of_idx_files_has_a_training_and_a_test_split(tmp_path):
    for split, images, labels in (("train", GREY, LABELS), ("t10k", GREY[:2], LABELS[:2])):
        (tmp_path / f"{split}-images-idx3-ubyte").write_bytes(encode_idx(images[..., 0]))
        (tmp_path / f"{split}-labels-idx1-ubyte").write_bytes(encode_idx(labels.astype(np.uint8)))
    train, test = read_mnist(tmp_path)
    check(train, GREY, LABELS, None)
    check(test, GREY[:2], LABELS[:2], None)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InvalidInputError, match="it lacks the images or labels of MNIST's t10k files"):
        read_mnist(tmp_path)
