import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from mcviz.data import DataSet, as_data_set, as_model_input, read_data, read_mnist
from mcviz.errors import DataNotFoundError, InvalidInputError
from tests.cases import one_in
from tests.data.hostile import BOMB, HONEST, HOSTILE, IMAGES, LABELS
from tests.factories import write_npz


@pytest.fixture
def mnist_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (7, 28, 28), dtype=np.uint8),
        "y_train": rng.integers(0, 10, 7, dtype=np.uint8),
        "x_test": rng.integers(0, 256, (5, 28, 28), dtype=np.uint8),
        "y_test": rng.integers(0, 10, 5, dtype=np.uint8),
    }


def test_mnist_comes_back_in_its_order_with_a_channel_and_int64_labels(tmp_path, mnist_arrays):
    train, test = read_mnist(write_npz(tmp_path / "images.npz", **mnist_arrays))
    for split, name in ((train, "train"), (test, "test")):
        assert split.images.dtype == np.uint8
        assert split.labels is not None
        assert split.labels.dtype == np.int64
        np.testing.assert_array_equal(split.images, mnist_arrays[f"x_{name}"][..., None])
        np.testing.assert_array_equal(split.labels, mnist_arrays[f"y_{name}"])


def test_the_test_images_of_an_mnist_file_are_the_ones_that_are_read(tmp_path, mnist_arrays):
    read = read_data(write_npz(tmp_path / "images.npz", **mnist_arrays))
    np.testing.assert_array_equal(read.images[..., 0], mnist_arrays["x_test"])
    np.testing.assert_array_equal(read.labels, mnist_arrays["y_test"])


def test_images_without_labels_have_none(tmp_path):
    read = read_data(write_npz(tmp_path / "images.npz", images=np.full((2, 4, 5, 3), 0.5)))
    assert read.labels is None
    assert read.images.dtype == np.float32
    assert read.images.shape == (2, 4, 5, 3)


def test_a_colour_image_keeps_its_channels_and_grey_ones_gain_one():
    assert as_data_set(np.zeros((2, 4, 5, 3), np.uint8)).images.shape == (2, 4, 5, 3)
    assert as_data_set(np.zeros((2, 4, 5), np.uint8)).images.shape == (2, 4, 5, 1)


def test_a_missing_file_is_named():
    with pytest.raises(DataNotFoundError, match=r"no data file nowhere\.npz"):
        read_mnist("nowhere.npz")


@pytest.mark.parametrize("key", ["x_train", "y_train", "x_test", "y_test"])
def test_a_file_that_lacks_a_part_of_mnist_says_which(tmp_path, mnist_arrays, key):
    del mnist_arrays[key]
    with pytest.raises(
        InvalidInputError, match=rf"images\.npz cannot be used: it is not MNIST-shaped: it lacks {key} "
    ):
        read_mnist(write_npz(tmp_path / "images.npz", **mnist_arrays))


def test_splits_of_two_image_sizes_are_refused(tmp_path, mnist_arrays):
    mnist_arrays["x_test"] = mnist_arrays["x_test"][:, :27]
    with pytest.raises(InvalidInputError, match=r"one size. Received: \(28, 28, 1\) and \(27, 28, 1\)"):
        read_mnist(write_npz(tmp_path / "images.npz", **mnist_arrays))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (
            np.zeros((3, 28), np.uint8),
            None,
            r"should be \(N, height, width\).*Received: shape \(3, 28\)\. Reshape rows of pixels",
        ),
        (np.zeros((0, 28, 28), np.uint8), None, r"no axis empty. Received: shape \(0, 28, 28\)"),
        (
            np.full((3, 28, 28), 256),
            None,
            r"whole numbers of 0 to 255, or floating point\. Received: 256 to 256",
        ),
        (np.full((3, 28, 28), "a"), None, r"floating point\. Received: dtype <U1"),
        (np.full((3, 28, 28), np.nan, np.float32), None, "should be finite. Received: NaN"),
        (np.full((3, 28, 28), np.inf), None, "should be finite"),
        (np.zeros((3, 28, 28), np.uint8), np.zeros(2, np.int64), r"3 class indices.*Received: shape \(2,\)"),
        (np.zeros((3, 28, 28), np.uint8), np.full(3, 0.5), "class indices, texts or one-hot rows. Received: fractions"),
        (np.zeros((3, 28, 28), np.uint8), np.ones((3, 3), np.int64), r"Received: shape \(3, 3\)"),
        (np.zeros((3, 28, 28), np.uint8), np.array([0, -1, 2]), "from 0 upwards. Received: -1"),
    ],
)
def test_arrays_that_are_not_labelled_images_are_refused_with_what_was_received(tmp_path, images, labels, message):
    arrays = {"images": images} | ({} if labels is None else {"labels": labels})
    with pytest.raises(InvalidInputError, match=message):
        read_data(write_npz(tmp_path / "images.npz", **arrays))


def test_a_file_without_images_lists_what_it_holds(tmp_path):
    with pytest.raises(InvalidInputError, match=r"expected an array named images .* found pictures"):
        read_data(write_npz(tmp_path / "images.npz", pictures=np.zeros((1, 2, 2), np.uint8)))


def test_pickled_objects_are_never_loaded(tmp_path):
    with pytest.raises(InvalidInputError, match="without objects"):
        read_data(write_npz(tmp_path / "images.npz", images=np.array([{"a": 1}], dtype=object)))


def test_a_text_and_an_empty_file_are_no_archive(tmp_path):
    (tmp_path / "text.npz").write_text("images")
    (tmp_path / "empty.npz").touch()
    for name in ("text.npz", "empty.npz"):
        with pytest.raises(InvalidInputError, match=f"{name} cannot be used: it is none of what is taken"):
            read_data(tmp_path / name)


def test_every_damaged_archive_ends_in_the_family_of_errors_or_in_the_same_images(tmp_path):
    """Flip each byte of a small archive in turn, and cut it at each length."""
    images = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    np.savez_compressed(tmp_path / "images.npz", images=images)
    whole = (tmp_path / "images.npz").read_bytes()
    flipped = [whole[:i] + bytes([whole[i] ^ 0xFF]) + whole[i + 1 :] for i in range(len(whole))]
    cut = [whole[:i] for i in range(len(whole))]
    refused = 0
    for content in flipped + cut:
        (tmp_path / "damaged.npz").write_bytes(content)
        try:
            read = read_data(tmp_path / "damaged.npz")
        except InvalidInputError:
            refused += 1
        else:
            np.testing.assert_array_equal(read.images[..., 0], images)
    assert refused > len(whole)


def test_a_model_gets_bytes_as_fractions_and_fractions_as_they_are():
    np.testing.assert_array_equal(as_model_input(np.array([0, 51, 255], np.uint8)), np.float32([0, 0.2, 1]))
    fractions = np.float32([0, 0.25, 1])
    assert as_model_input(fractions) is fractions
    assert as_model_input(np.float64([0.5])).dtype == np.float32


@pytest.mark.attack
@pytest.mark.parametrize("name", one_in(3, HOSTILE))
def test_a_hostile_file_is_refused_in_one_line_in_no_time_and_little_memory(tmp_path, name):
    path = tmp_path / "images.npz"
    HOSTILE[name](path)
    tracemalloc.start()
    started = time.process_time()
    try:
        with pytest.raises((InvalidInputError, DataNotFoundError), match=r"images\.npz") as refused:
            read_data(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(str(refused.value)) < 1000
    assert peak < BOMB / 4
    assert time.process_time() - started < 5


@pytest.mark.attack
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_file_is_read(tmp_path, name):
    path = tmp_path / "images.npz"
    HONEST[name](path)
    read = read_data(path)
    np.testing.assert_array_equal(read.images[..., 0], IMAGES)
    np.testing.assert_array_equal(read.labels, LABELS)


def test_a_large_file_takes_no_more_memory_than_its_images(tmp_path):
    images = np.zeros((BOMB // 784, 28, 28), np.uint8)
    np.savez_compressed(tmp_path / "images.npz", images=images)
    tracemalloc.start()
    try:
        read = read_data(tmp_path / "images.npz")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read.images.shape == (*images.shape, 1)
    assert peak < 1.25 * images.nbytes


def test_labels_and_columns_with_an_index_meet_examples_by_id_or_are_refused():
    images, ids = np.arange(5 * 16, dtype=np.uint8).reshape(5, 4, 4), ["3", "1", "4", "0", "2"]
    labels = pd.Series([0, 10, 20, 30, 40], range(5))  # the label of id 3 is 30
    named, plain = DataSet(images[..., None], ids=tuple(ids)), DataSet(images[..., None])
    wanted = [30, 10, 40, 0, 20]
    for given in (labels.to_dict(), labels.iloc[::-1]):
        assert named.with_labels(given).labels.tolist() == wanted
        assert named.with_targets(given).labels[:, 0].tolist() == wanted
    assert named.with_columns(labels.iloc[::-1].to_frame("x")).columns["x"].tolist() == wanted
    assert named.with_columns({"x": labels.iloc[::-1], "y": [1, 2, 3, 4, 5]}).columns["x"].tolist() == wanted
    for give in (named.with_labels, named.with_targets, lambda each: named.with_columns(each.to_frame())):
        with pytest.raises(InvalidInputError, match="ids in another order"):
            give(labels)
    for give in (plain.with_labels, plain.with_targets, lambda each: as_data_set((images, each))):
        with pytest.raises(InvalidInputError, match="in another order than the examples"):
            give(labels.iloc[::-1])
    selected = labels.set_axis([12, 0, 7, 3, 9])  # as of rows that were drawn from more, together with the images
    assert plain.with_labels(selected).labels.tolist() == labels.tolist()
    assert DataSet(images[..., None], ids=tuple("abcde")).with_labels(selected).labels.tolist() == labels.tolist()
    with pytest.raises(InvalidInputError, match="one for an id that no example has, 12"):
        named.with_labels(selected)
    with pytest.raises(InvalidInputError, match=r"of 5 values each, one an example. Received: a with 5, b with 4"):
        named.with_columns({"a": range(5), "b": range(4)})


def test_labels_of_more_examples_are_those_of_others():
    five = as_data_set(IMAGES.repeat(2, axis=0)[:5])
    with pytest.raises(InvalidInputError, match=r"5 labels, one an example\. Received: 6"):
        five.with_labels_of(DataSet(None).with_labels(range(6)))
