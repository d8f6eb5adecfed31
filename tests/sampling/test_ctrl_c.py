"""Ctrl-C is never raised within TensorFlow, which it crashed now and then: pressed there, it is raised by us later."""

import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

import keras
import numpy as np
import pandas as pd
import pytest

from mcviz.data import DataSet
from mcviz.sampling.keras.model_files import load_model
from mcviz.sampling.keras.network import model_digest
from mcviz.sampling.keras.training import save_trained, train
from mcviz.sampling.sampler import Sampler
from tests.cases import only

IMAGES = DataSet(np.arange(64 * 12 * 12, dtype=np.uint8).reshape(64, 12, 12, 1), np.arange(64) % 2)


@pytest.fixture(autouse=True)
def as_python_starts() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # CI may start us with it ignored
    yield
    sys.setprofile(None)
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    layers = [keras.Input((12, 12, 1)), keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(3)]
    return keras.Sequential(layers)


def stopped_at(calls: int, action: Callable[[], object]) -> str:
    """Press Ctrl-C at a call within TensorFlow or Keras; where it was raised."""
    left = calls

    def press(frame: FrameType, event: str, _: object) -> None:
        nonlocal left
        if event == "call" and frame.f_globals.get("__name__", "").startswith(("tensorflow", "keras")):
            left -= 1
            if left == 0:
                sys.setprofile(None)
                signal.raise_signal(signal.SIGINT)

    sys.setprofile(press)
    with pytest.raises(KeyboardInterrupt) as stopped:
        action()
    return stopped.traceback[-1].path.name


@pytest.mark.parametrize("calls", only([1], [1, 20_000, 200_000]))
def test_in_training(calls):
    assert stopped_at(calls, lambda: train(IMAGES, IMAGES, epochs=1000)) == "interrupts.py"


@pytest.mark.parametrize("calls", only([30], [1, 30, 1000]))
def test_in_making_a_sampler(model, calls):
    assert stopped_at(calls, lambda: Sampler(model)) == "interrupts.py"


@pytest.mark.parametrize("calls", only([30], [1, 30, 1000]))
def test_in_loading_and_saving(model, tmp_path, calls):
    assert stopped_at(calls, lambda: save_trained(model, pd.DataFrame(), tmp_path / "m.keras")) == "interrupts.py"
    assert list(tmp_path.iterdir()) == []
    model.save(tmp_path / "m.keras")
    assert stopped_at(calls, lambda: load_model(tmp_path / "m.keras")) == "interrupts.py"


@pytest.mark.parametrize("calls", only([30], [1, 30]))
def test_in_the_deterministic_model_and_in_reading_weights(model, calls):
    sampler, images = Sampler(model), np.zeros((200, 12, 12, 1), np.float32)
    assert stopped_at(calls, lambda: sampler.deterministic(images)) == "interrupts.py"
    assert stopped_at(calls, lambda: model_digest(model)) == "interrupts.py"


@pytest.mark.slow
def test_training_ends_within_the_next_epoch():
    seen = []

    def press_after_two(epoch: int, _: dict[str, float]) -> None:
        seen.append(epoch)
        if epoch == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(IMAGES, IMAGES, epochs=1000, on_epoch=press_after_two)
    assert seen == [1, 2]
