"""A model that cannot be loaded is refused with what to do."""

import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from mcviz.errors import UnsuitableModelError
from mcviz.sampling.keras.model_files import load_model


class OwnDropout(keras.layers.Dropout):
    """A layer that nobody has registered."""


class OwnModel(keras.Model):
    """A model that nobody has registered."""

    def call(self, images):
        return images


def with_own_layer() -> keras.Model:
    return keras.Sequential([keras.Input((4,)), OwnDropout(0.5), keras.layers.Dense(2)])


@pytest.mark.parametrize(("make", "name"), [(with_own_layer, "OwnDropout"), (OwnModel, "OwnModel")])
def test_a_class_of_one_s_own_is_named_and_the_remedy_too(tmp_path: Path, make, name: str) -> None:
    model = make()
    model(np.zeros((1, 4), np.float32))
    model.save(tmp_path / "m.keras")
    message = (
        rf"'{name}' is none of Keras's\. .* @keras\.saving\.register_keras_serializable\(\), and use mcviz\.sample_run"
    )
    with pytest.raises(UnsuitableModelError, match=message):
        load_model(tmp_path / "m.keras")


@pytest.mark.parametrize(
    ("name", "trust"), [("m.pt", False), ("m.pt", True), ("m.pth", True), ("pytorch_model.bin", False)]
)
def test_a_file_of_pytorch_is_told_what_is_missing_and_nothing_else(tmp_path: Path, name: str, trust: bool) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:  # as torch.save writes it
        for member in ("m/data.pkl", "m/byteorder", "m/data/0", "m/version"):
            archive.writestr(member, "3")
    with pytest.raises(UnsuitableModelError, match=r"--model package\.module:function --weights FILE") as refused:
        load_model(tmp_path / name, trust=trust)
    for wrong in ("--trust-model", "--import", "model.save", "Keras cannot"):
        assert wrong not in str(refused.value)


def test_what_is_no_model_at_all(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_text("x")
    with pytest.raises(UnsuitableModelError, match=r"Keras cannot load that model\. Received: .*m\.keras"):
        load_model(tmp_path / "m.keras")
