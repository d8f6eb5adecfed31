"""New examples that are not like the old ones are noticed by the OOD score, and others are not accused."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import mcviz
from mcviz.cli import main
from mcviz.data import DataSet
from mcviz.errors import InvalidInputError
from mcviz.kinds.image_distortions import uniform_noise
from mcviz.runs import Run
from mcviz.sampling import Sampler
from mcviz.sampling.ood import ood_shift
from mcviz.sampling.run_sampling import sample_run
from tests.sampling.test_ood import bars
from tests.test_no_tensorflow import run_codes


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    stack = [layers.Flatten(), layers.Dropout(0.3), layers.Dense(16, activation="relu")]
    model = keras.Sequential([keras.Input((10, 10, 1)), *stack, layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    labels = np.arange(900) % 3
    model.fit(bars(labels, 1), labels, epochs=12, batch_size=32, verbose=0)
    return model


@pytest.fixture(scope="module")
def runs(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder, labels = tmp_path_factory.mktemp("shift"), np.arange(300) % 3
    data = {
        "old": DataSet(bars(labels, 2), labels),
        "alike": DataSet(bars(labels, 3)),
        "noise": DataSet(uniform_noise(300, (10, 10, 1), 0)),
    }
    return {name: sample_run(model, each, folder / name, passes=10) for name, each in data.items()}


@pytest.mark.slow
def test_noise_is_distributed_otherwise_and_examples_drawn_alike_are_not(
    model: keras.Model, runs: dict[str, Run]
) -> None:
    sampler = Sampler(model)
    of_noise, usual, out = ood_shift(sampler, runs["old"], runs["noise"])
    assert of_noise.p_value < 1e-6
    assert usual < 0.2 < 0.8 < out
    p_values = [ood_shift(sampler, runs["old"], runs["alike"], seed)[0].p_value for seed in range(5)]
    assert min(p_values) > 0.001
    assert np.median(p_values) > 0.01


def refer(capsys: pytest.CaptureFixture[str], old: Run, new: Run) -> tuple[list[str], dict]:
    assert main(["refer", new.path, "--calibrated-on", old.path, "--budget", "30", "--json"]) == 0
    printed = capsys.readouterr()
    return [line for line in printed.err.splitlines() if "OOD" in line], json.loads(printed.out)


def test_a_referral_warns_of_examples_that_are_not_alike(capsys, runs: dict[str, Run]) -> None:
    (warning,), report = refer(capsys, runs["old"], runs["noise"])
    assert "The OOD score is distributed otherwise" in warning
    assert any("The OOD score" in each for each in report["warnings"])
    assert not refer(capsys, runs["old"], runs["alike"])[0]
    assert not refer(capsys, runs["old"], runs["old"])[0], "the same examples are alike"


def test_too_few_examples_to_compare_are_said_and_the_referral_is_made(
    capsys, model: keras.Model, runs: dict[str, Run], tmp_path: Path
) -> None:
    labels = np.arange(30) % 3
    few = sample_run(model, DataSet(bars(labels, 4), labels), tmp_path / "few", passes=10)
    with pytest.raises(InvalidInputError, match="Sample at least 40"):
        ood_shift(Sampler(model), few, runs["noise"])
    (warning,), report = refer(capsys, few, runs["noise"])
    assert "not compared by the OOD score" in warning
    assert report["examples"] == 300


def test_without_tensorflow_it_is_left_out(capsys, runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcviz.extras.find_spec", {"tensorflow": None}.get)
    assert not refer(capsys, runs["old"], runs["noise"])[0]


@pytest.mark.slow
def test_without_examples_it_imports_no_framework(runs: dict[str, Run], tmp_path: Path) -> None:
    probs = [runs[name].probs_block(0, None) for name in ("old", "noise")]
    old = mcviz.write_run(tmp_path / "old", probs[0], labels=runs["old"].labels)
    new = mcviz.write_run(tmp_path / "new", probs[1])
    command = ["refer", new.path, "--calibrated-on", old.path, "--budget", "30"]
    ((imported, _),) = run_codes(f"assert main({command}) == 0").values()
    assert not imported
