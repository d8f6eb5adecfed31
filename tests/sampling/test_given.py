"""What people hold in Python is taken by `sample`, `Sampler` and `sample_run` alike, and gives the same numbers."""

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from PIL import Image

import mcviz
from mcviz.data import DataSet, as_data_set
from mcviz.errors import McvizError
from mcviz.sampling.sampler import Sampler, sample
from tests.cases import one_in, only
from tests.factories import dropout_network, encode_picture

layers = keras.layers
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 6, 5, 3), dtype=np.uint8)
UNIT = IMAGES.astype(np.float32) / np.float32(255)
LABELS = np.arange(12) % 4


@cache
def network(*front: keras.Layer) -> keras.Model:
    return dropout_network((6, 5, 3), *front, layers.BatchNormalization())


@cache
def expected_passes() -> np.ndarray:
    return sample(network(), UNIT, passes=4)


class HuggingFace:
    """What is used of a `datasets.Dataset`: names, features, and its rows as an Arrow table."""

    def __init__(self, pictures: list[dict[str, Any]]) -> None:
        self._table = pa.table({"image": pictures, "label": LABELS})
        self.column_names = self._table.column_names
        self.features = {"image": SimpleNamespace(), "label": SimpleNamespace(names=["a", "b", "c", "d"])}

    def with_format(self, kind: str) -> "HuggingFace":
        assert kind == "arrow"
        return self

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, rows: slice) -> pa.Table:
        return self._table[rows]


def hugging_face(folder: Path, how: str) -> HuggingFace:
    if how == "bytes":
        return HuggingFace([{"bytes": encode_picture(image), "path": None} for image in IMAGES])
    paths = [folder / f"{number}.png" for number in range(12)]
    for path, image in zip(paths, IMAGES, strict=True):
        Image.fromarray(image).save(path)
    return HuggingFace([{"bytes": None, "path": str(path)} for path in paths])


def held(how: str, folder: Path) -> Any:
    data = tf.data.Dataset.from_tensor_slices
    return {
        "array": lambda: IMAGES,
        "int64": lambda: IMAGES.astype(np.int64),
        "float64": lambda: UNIT.astype(np.float64),
        "list": UNIT.tolist,
        "tensor": lambda: tf.constant(IMAGES),
        "pair": lambda: (IMAGES, LABELS),
        "pair of floats": lambda: (UNIT, LABELS[:, None]),
        "DataSet": lambda: DataSet(IMAGES, LABELS),
        "tf.data": lambda: data(IMAGES),
        "tf.data of pairs": lambda: data((IMAGES, LABELS)),
        "tf.data of one-hot pairs": lambda: data((IMAGES, np.eye(4)[LABELS])),
        "tf.data in batches": lambda: data((IMAGES, LABELS)).batch(5),
        "tf.data in whole batches": lambda: data((IMAGES, LABELS)).batch(6, drop_remainder=True),
        "PIL images": lambda: [Image.fromarray(image) for image in IMAGES],
        "Hugging Face": lambda: hugging_face(folder, "bytes"),
        "Hugging Face with paths": lambda: hugging_face(folder, "paths"),
        "path": lambda: saved(folder / "data.npz"),
    }[how]()


def saved(path: Path) -> Path:
    np.savez(path, images=IMAGES, labels=LABELS)
    return path


HELD = [
    "array", "int64", "float64", "list", "tensor", "pair", "pair of floats", "DataSet", "tf.data", "tf.data of pairs",
    "tf.data of one-hot pairs", "tf.data in batches", "tf.data in whole batches", "PIL images", "Hugging Face",
    "Hugging Face with paths", "path",
]  # fmt: skip
WITH_LABELS = [how for how in HELD if "pair" in how or "batches" in how or how in ("DataSet", "path")]


@pytest.mark.parametrize("how", only(["array"], HELD))
def test_all_that_people_hold_gives_the_same_passes(how: str, tmp_path: Path) -> None:
    np.testing.assert_array_equal(mcviz.sample(network(), held(how, tmp_path), passes=4), expected_passes())
    run = mcviz.sample_run(network(), held(how, tmp_path), tmp_path / "run", passes=4)
    np.testing.assert_allclose(run.probs_block(0, None), expected_passes(), atol=1 / 65535)
    if how in WITH_LABELS or how.startswith("Hugging"):
        np.testing.assert_array_equal(run.labels, LABELS)
    else:
        assert run.labels is None
    if how.startswith("Hugging"):
        assert run.class_names == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    "first",
    one_in(2, [layers.Rescaling(1 / 255), layers.Normalization(mean=127.0, variance=5000.0)]),
    ids=["rescaling", "normal"],
)
def test_both_leave_bytes_to_a_model_that_scales_them(first: keras.Layer, tmp_path: Path) -> None:
    model = network(first)
    passes = mcviz.sample(model, IMAGES, passes=3)
    np.testing.assert_array_equal(passes, mcviz.sample(model, IMAGES.astype(np.float32), passes=3))
    run = mcviz.sample_run(model, IMAGES, tmp_path / "run", passes=3)
    np.testing.assert_allclose(run.probs_block(0, None), passes, atol=1 / 65535)


def test_numbers_of_words_are_not_scaled() -> None:
    model = dropout_network((7,), layers.Embedding(200, 3))
    words = RNG.integers(0, 200, (5, 7), dtype=np.uint8)
    np.testing.assert_array_equal(
        mcviz.sample(model, words, passes=3), mcviz.sample(model, words.astype(np.float32), passes=3)
    )


@pytest.mark.parametrize("shape", one_in(2, zip([(4,), (4, 6)])))
def test_examples_that_are_no_images_come_in_pairs_and_as_tf_data_too(shape: tuple[int, ...]) -> None:
    rows = RNG.normal(size=(8, *shape)).astype(np.float32)
    model = dropout_network(shape)
    expected = mcviz.sample(model, rows, passes=3)
    data = tf.data.Dataset.from_tensor_slices((rows, LABELS[:8]))
    for given in ((rows, LABELS[:8]), data.batch(3), data if len(shape) == 1 else rows):
        np.testing.assert_array_equal(mcviz.sample(model, given, passes=3), expected)


NOT_TAKEN = {
    "a path to nothing": ("nowhere", "There is no data at nowhere"),
    "texts": (np.array([["a", "b"]]), "Received|of the shape"),
    "texts of the shape": (np.full((2, 6, 5, 3), "red"), "dtype <U3"),
    "nothing": (None, r"shape \(\)"),
    "a dictionary": ({"x": IMAGES}, r"one array, as the model takes\. Received: arrays by name: x"),
    "a generator": ((image for image in IMAGES), r"shape \(\)"),
    "lists of different lengths": ([[1.0], [1.0, 2.0]], "should be one array. Received: list"),
    "PIL images of two sizes": ([Image.new("RGB", (5, 6)), Image.new("RGB", (6, 6))], "of one size"),
    "an array of nothing": (IMAGES[:0], "no axis empty|at least one example"),
    "NaN": (np.where(UNIT > 0.9, np.nan, UNIT), "finite"),
    "complex numbers": (UNIT.astype(np.complex64), "dtype complex64"),
    "tf.data of dictionaries": (tf.data.Dataset.from_tensor_slices({"image": IMAGES}), "arrays, or of pairs"),
    "tf.data that never ends": (tf.data.Dataset.from_tensor_slices(IMAGES).repeat(), "that ends"),
    "tf.data of nothing": (tf.data.Dataset.from_tensor_slices(IMAGES).take(0), "an empty one"),
    "tf.data of texts": (tf.data.Dataset.from_tensor_slices(["a", "b"]), "Received|of the shape"),
    "tf.data of several sizes": (
        tf.data.Dataset.from_generator(
            lambda: (IMAGES[0, :rows] for rows in (5, 6)), output_signature=tf.TensorSpec((None, None, 3), tf.uint8)
        ),
        "cannot be read: all input arrays must have the same shape",
    ),
    "tf.data that fails": (
        tf.data.Dataset.from_tensor_slices([b"no picture"]).map(lambda x: tf.io.decode_png(x, 3)),
        "The tf.data.Dataset cannot be read: ",
    ),
    "a Hugging Face data set that streams": (
        SimpleNamespace(column_names=["image"], with_format=None, features={}),
        "of one split.*load it without streaming",
    ),
    "a Hugging Face DatasetDict": (
        SimpleNamespace(column_names={"train": ["image"]}, with_format=None),
        r"of one split.*Pick a split, such as data\['test'\]",
    ),
}


@pytest.mark.parametrize("name", one_in(12, NOT_TAKEN))
def test_what_is_not_taken_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    given, message = NOT_TAKEN[name]
    for call in (
        lambda: mcviz.sample(network(), given, passes=2),
        lambda: Sampler(network()).deterministic(given),
        lambda: mcviz.sample_run(network(), given, tmp_path / "run", passes=2),
    ):
        with pytest.raises(McvizError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("names", [("ant", "bee"), ("1", "2", "3", "10")])
def test_a_folder_has_the_classes_that_keras_gives_it_empty_ones_too(tmp_path: Path, names: tuple[str, ...]) -> None:
    for number, name in enumerate(names):
        (tmp_path / name).mkdir()
        if name != "2":
            Image.fromarray(IMAGES[number]).save(tmp_path / name / "0.png")
    data = keras.utils.image_dataset_from_directory(tmp_path, image_size=(6, 5), shuffle=False, verbose=False)
    for read in (as_data_set(data), mcviz.read_data(tmp_path)):
        assert read.class_names == tuple(sorted(names))
        assert [read.class_names[label] for label in read.labels] == sorted(name for name in names if name != "2")
