"""Targets that were scaled in training: a run is in the unit of the labels, whichever way its passes come."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mcviz
from mcviz import TargetScaler
from mcviz.data import DataSet, read_target_scaler
from mcviz.errors import InvalidInputError
from mcviz.runs import verify_run
from mcviz.tasks import TASKS

MEAN, STD = np.array([152.0, 3.0]), np.array([77.0, 0.5])
SCALER = TargetScaler(MEAN, STD)


def test_passes_and_spreads_from_elsewhere_come_back_to_the_unit_of_the_labels(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values, stds, labels = (
        random.normal(size=(5, 20, 2)),
        random.uniform(0.1, 1, (5, 20, 2)),
        random.normal(size=(20, 2)),
    )
    run = mcviz.write_run(
        tmp_path / "run",
        np.concatenate([values, stds], axis=-1),
        labels=labels * STD + MEAN,
        task="regression",
        predicts="mean,std",
        deterministic=np.concatenate([values[0], stds[0]], axis=-1),
        target_scaler=SCALER,
    )
    passes = run.predictions_block(0, None)
    np.testing.assert_allclose(passes[..., :2], values * STD + MEAN, rtol=1e-5)
    np.testing.assert_allclose(passes[..., 2:], np.square(stds * STD), rtol=1e-5)
    np.testing.assert_allclose(run.deterministic_predictions[:, :2], values[0] * STD + MEAN, rtol=1e-5)
    rmse = np.sqrt(np.mean(np.square((values.mean(axis=0) - labels) * STD)))
    assert run.manifest.quality == pytest.approx(rmse, rel=1e-4)
    verify_run(run.path)
    manifest = json.loads((Path(run.path) / "manifest.json").read_text())
    assert (manifest["revision"], manifest["target_scaler"]) == (1, {"mean": MEAN.tolist(), "std": STD.tolist()})


def test_a_scaler_of_others_is_refused(tmp_path: Path) -> None:
    passes = np.random.default_rng(0).normal(size=(3, 4, 1))
    with pytest.raises(InvalidInputError, match=r"a mean and a std for each target\. Received: 2 and 2 of 1 targets"):
        mcviz.write_run(tmp_path / "run", passes, task="regression", target_scaler=SCALER)
    with pytest.raises(InvalidInputError, match="left out for a task without targets"):
        mcviz.write_run(tmp_path / "run", np.full((3, 4, 2), 0.5), target_scaler=SCALER)
    with pytest.raises(InvalidInputError, match="of stds above 0"):
        mcviz.write_run(tmp_path / "run", passes, task="regression", target_scaler=TargetScaler([1.0], [0.0]))


def test_a_file_of_targets_is_matched_by_their_names(tmp_path: Path) -> None:
    file = tmp_path / "targets.csv"
    pd.DataFrame({"column": ["b", "a"], "mean": [3, 152], "std": [0.5, 77]}).to_csv(file, index=False)
    assert read_target_scaler(file, ("a", "b")) == SCALER
    assert read_target_scaler(file) == TargetScaler(MEAN[::-1], STD[::-1])


def test_the_warning_names_targets_first() -> None:
    labels = np.random.default_rng(0).normal(152, 77, (200, 1))
    scaled = (labels - 152) / 77
    hint = TASKS["regression"].target_hint(scaled, labels, 170.0)
    assert hint.startswith("Were the targets scaled in training? By the mean and std of these labels it is ")
    assert TASKS["regression"].target_hint(np.zeros((200, 1)), labels, 170.0) == ""


def make_regression(scale: float):
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.1), keras.layers.Dense(1)])
    model.layers[-1].set_weights([np.array([[1.0], [0.5], [0.2]]) * scale, np.zeros(1)])
    return model


@pytest.mark.slow
def test_a_sampled_model_answers_in_the_unit_of_the_labels(tmp_path: Path) -> None:
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("abc"))
    labels = rows.to_numpy() @ [1.0, 0.5, 0.2] * 77 + 152
    scaler = TargetScaler([152], [77])
    data = DataSet(None, rows=rows).with_targets(labels)
    with pytest.warns(mcviz.errors.ModelWarning, match="Were the targets scaled in training"):
        mcviz.sample_run(make_regression(1), data, tmp_path / "scaled", passes=6, task="regression")
    options = {"passes": 6, "task": "regression", "target_scaler": scaler}
    run = mcviz.sample_run(make_regression(1), data, tmp_path / "run", **options)
    assert run.deterministic_rmse == pytest.approx(0, abs=1e-3)
    from mcviz.sampling.loading import load_run_sampler

    np.testing.assert_allclose(load_run_sampler(run).deterministic(rows.to_numpy(np.float32))[:, 0], labels, rtol=1e-5)
    assert run.digest != mcviz.open_run(tmp_path / "scaled").digest
