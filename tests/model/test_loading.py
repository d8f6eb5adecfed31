"""A model that cannot be loaded is refused with what to do."""

from pathlib import Path

import keras
import numpy as np
import pytest

from mcviz.errors import UnsuitableModelError
from mcviz.model.loading import load_model


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
    told = (
        rf"'{name}' is none of Keras's\. .* @keras\.saving\.register_keras_serializable\(\), and use mcviz\.sample_run"
    )
    with pytest.raises(UnsuitableModelError, match=told):
        load_model(tmp_path / "m.keras")


def test_what_is_no_model_at_all(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_text("x")
    with pytest.raises(UnsuitableModelError, match=r"Keras cannot load that model\. Received: .*m\.keras"):
        load_model(tmp_path / "m.keras")
