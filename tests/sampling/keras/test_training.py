import keras
import numpy as np
import pandas as pd
import pytest

from mcviz.data import DataSet, as_data_set
from mcviz.errors import DataNotFoundError, InvalidInputError
from mcviz.sampling.keras.training import load_mnist, reference_network, save_trained, train


def bright_half(count: int, seed: int) -> DataSet:
    """Images that a small network learns in an epoch: class 0 is bright above, class 1 below."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = rng.integers(0, 60, (count, 12, 12, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[6 * label : 6 * label + 6] += 180
    return as_data_set((images, labels))


@pytest.fixture(scope="module")
def splits() -> tuple[DataSet, DataSet]:
    return bright_half(256, seed=0), bright_half(64, seed=1)


def test_the_reference_network_is_the_recipe():
    network = reference_network()
    expected = [
        ("Conv2D", (None, 26, 26, 32)),
        ("Conv2D", (None, 24, 24, 64)),
        ("MaxPooling2D", (None, 12, 12, 64)),
        ("Dropout", (None, 12, 12, 64)),
        ("Flatten", (None, 9216)),
        ("Dense", (None, 128)),
        ("Dropout", (None, 128)),
        ("Dense", (None, 10)),
    ]
    assert [(type(layer).__name__, layer.output.shape) for layer in network.layers] == expected
    assert [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)] == [0.25, 0.5]
    activations = [layer.activation.__name__ for layer in network.layers if hasattr(layer, "activation")]
    assert activations == ["relu", "relu", "relu", "softmax"]
    assert network.count_params() == 1_199_882


def test_the_activation_is_a_parameter():
    network = reference_network(activation="tanh")
    activations = [layer.activation.__name__ for layer in network.layers if hasattr(layer, "activation")]
    assert activations == ["tanh", "tanh", "tanh", "softmax"]


def test_a_seed_is_a_network():
    for one, same, other in zip(
        *(reference_network((12, 12, 1), 2, seed=seed).get_weights() for seed in (4, 4, 5)), strict=True
    ):
        np.testing.assert_array_equal(one, same)
        assert one.ndim == 1 or (one != other).any()


def test_training_learns_and_its_history_says_so(splits):
    seen = []
    model, history = train(*splits, epochs=3, seed=1, on_epoch=lambda epoch, row: seen.append((epoch, row)))
    assert list(history.columns) == ["train_loss", "train_accuracy", "test_loss", "test_accuracy"]
    assert list(history.index) == [1, 2, 3]
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert [row["test_accuracy"] for _, row in seen] == list(history["test_accuracy"])

    test = splits[1]
    probs = model(test.images.astype(np.float32) / 255, training=False).numpy()
    assert (probs.argmax(axis=1) == test.labels).mean() == history["test_accuracy"].iloc[-1] > 0.9
    loss = -np.log(probs[np.arange(64), test.labels].astype(np.float64)).mean()
    assert loss == pytest.approx(history["test_loss"].iloc[-1], rel=1e-4)


@pytest.mark.slow
def test_a_saved_network_holds_its_weights_and_no_optimizer(splits, tmp_path):
    model, history = train(*splits, epochs=1)
    assert save_trained(model, history, tmp_path / "m.keras") == tmp_path / "m.history.csv"
    assert (tmp_path / "m.keras").stat().st_size < model.count_params() * 4 * 1.5
    inputs = splits[1].images.astype(np.float32) / 255
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded(inputs), model(inputs))


def test_a_save_that_fails_leaves_the_old_model_and_nothing_else(tmp_path):
    (tmp_path / "m.keras").write_text("old")

    class FullDisk(keras.Sequential):
        def save(self, path) -> None:
            path.write_text("half a mod")
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        save_trained(FullDisk(), pd.DataFrame(), tmp_path / "m.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]
    assert (tmp_path / "m.keras").read_text() == "old"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "`epochs` should be a whole number of at least 1. Received: 0"),
        ({"seed": -1}, "`seed` should be a whole number of at least 0. Received: -1"),
        ({"activation": "rellu"}, "such as relu or tanh. Received: rellu"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_before_training(splits, settings, message):
    with pytest.raises(InvalidInputError, match=message):
        train(*splits, **settings)


def test_images_without_labels_cannot_be_learnt_from(splits):
    with pytest.raises(InvalidInputError, match="`labels` should be there for training and test"):
        train(splits[0], DataSet(splits[1].images, None))


def test_a_test_label_that_training_never_saw_is_refused(splits):
    odd = DataSet(splits[1].images, np.full(64, 2))
    with pytest.raises(InvalidInputError, match=r"`test labels` should be class indices from 0 to 1\. Received: 2"):
        train(splits[0], odd)


def test_what_is_not_mnist_shaped_is_refused_before_training(splits):
    images, labels = splits[0].images, splits[0].labels
    for spoilt, message in (
        (DataSet(images[:, :5], labels), r"at least 6 × 6 pixels .* Received: shape \(\d+, 5, .* Scale them up"),
        (DataSet(images.astype(np.float32), labels), r"float32 from 0 to 239\. Save them as uint8, or scale"),
        (DataSet(images, labels + 2**40), r"2 to 1,000 classes, .* up to 1099511627777\. Number the classes"),
        (DataSet(images, labels * 0), r"labels up to 0\. Number the classes anew"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            train(spoilt, spoilt)
    with pytest.raises(InvalidInputError, match="`images` should be of one size"):
        train(splits[0], DataSet(splits[1].images[:, 1:], splits[1].labels))


def test_without_a_network_the_remedy_is_named(monkeypatch):
    def no_network() -> None:
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", no_network)
    with pytest.raises(DataNotFoundError, match=r"could not be downloaded \(URL fetch failure\).*with --data"):
        load_mnist()


def test_without_a_file_mnist_is_the_one_that_keras_gives(monkeypatch):
    rng = np.random.default_rng(0)
    split = rng.integers(0, 256, (3, 28, 28), dtype=np.uint8), np.array([5, 0, 4], np.uint8)
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: (split, split))
    for images in load_mnist():
        np.testing.assert_array_equal(images.images[..., 0], split[0])
        np.testing.assert_array_equal(images.labels, split[1])
