"""Intervals of a run: conformal ones are by their definition, also for new examples, and hold by construction."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mcviz
from mcviz.analysis.intervals import EVERY, THIRDS, calibrate_by_size
from mcviz.analysis.slices import slices
from mcviz.cli import main
from mcviz.errors import InvalidInputError

COUNT = 200


def make(path: Path, count: int = COUNT, labelled: int = COUNT, seed: int = 0) -> mcviz.Run:
    """A run whose passes differ less than its errors, and only by half as much in the region north."""
    random = np.random.default_rng(seed)
    true = random.normal(50, 10, count)
    region = np.where(np.arange(count) % 4 == 0, "north", "south")
    spread = np.where(region == "north", 0.3, 1.5)
    passes = true + random.normal(size=count) + spread * random.normal(size=(20, count))
    labels = true.copy()
    labels[labelled:] = np.nan
    columns = pd.DataFrame({"region": region})
    return mcviz.write_run(path, passes[..., None], labels=labels, columns=columns, task="regression")


def test_examples_without_labels_and_new_ones_are_calibrated_by_all_labels(tmp_path: Path) -> None:
    run, new = make(tmp_path / "half", labelled=120), make(tmp_path / "new", 30, seed=1)
    mean, labels = run.mean_predictions[:, 0].astype(float), np.asarray(run.labels)[:, 0]
    errors = np.sort(np.abs(mean[:120] - labels[:120]))
    radius = errors[math.ceil(121 * 0.8) - 1]
    table = mcviz.prediction_intervals(run, 0.8)
    assert table["example"].tolist() == list(range(COUNT))
    np.testing.assert_allclose(table["conformal_high"][120:], mean[120:] + radius, rtol=1e-6)
    np.testing.assert_allclose(table["conformal_low"][120:], mean[120:] - radius, rtol=1e-6)
    assert len(set((table["conformal_high"] - table["conformal_low"])[:120].round(9))) == 2, "one width a half"
    of_new = mcviz.prediction_intervals(new, 0.8, run)
    np.testing.assert_allclose(of_new["conformal_high"], new.mean_predictions[:, 0] + radius, rtol=1e-6)
    assert ((of_new["conformal_by_std_high"] - of_new["conformal_by_std_low"]).nunique()) == 30


def test_the_shares_by_size_are_counts_of_labels(tmp_path: Path) -> None:
    run = make(tmp_path / "all")
    found = calibrate_by_size(run)
    outputs, labels = run.predictions_block(0, None)[..., 0].astype(float), np.asarray(run.labels)[:, 0]
    order = np.argsort(outputs.mean(axis=0), kind="stable")
    for name, part in zip((EVERY, *THIRDS), (order, *np.array_split(order, 3)), strict=True):
        for level, share in zip((0.5, 0.8, 0.9, 0.95), found[name].observed, strict=True):
            low, high = np.quantile(outputs[:, part], [(1 - level) / 2, (1 + level) / 2], axis=0, method="weibull")
            assert share == pytest.approx(np.mean((low <= labels[part]) & (labels[part] <= high))), name


def test_the_slice_whose_intervals_hold_least_is_named_with_what_they_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make(tmp_path / "regions")
    worst = next(worse for worse in slices(run).slices if worse.measure == "coverage")
    assert [str(condition) for condition in worst.conditions] == ["region north"]
    outputs, labels = run.predictions_block(0, None)[..., 0].astype(float), np.asarray(run.labels)[:, 0]
    low, high = np.quantile(outputs, [0.05, 0.95], axis=0, method="weibull")
    held, north = (low <= labels) & (labels <= high), run.table()["region"].to_numpy() == "north"
    assert worst.value == pytest.approx(held[north].mean())
    assert worst.of_rest == pytest.approx(held[~north].mean())
    assert f"90% intervals hold {100 * held[north].mean():.1f}% of the labels of 50 examples" in worst.in_words
    assert main(["trust", run.path]) == 0
    assert "region north: 90% intervals hold" in capsys.readouterr().out
    assert main(["slices", run.path]) == 0
    assert "Intervals hold fewer labels" in capsys.readouterr().out


def test_the_command_writes_a_table_and_refuses_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, file = make(tmp_path / "all"), tmp_path / "intervals.csv"
    assert main(["intervals", run.path, "--coverage", "95%", "--to", str(file)]) == 0
    printed = capsys.readouterr().out
    assert f"{COUNT} rows are written" in printed
    assert "split-conformal, of one width" in printed
    pd.testing.assert_frame_equal(
        pd.read_csv(file, dtype={"id": str}), mcviz.prediction_intervals(run, 0.95), check_dtype=False, rtol=1e-6
    )
    new = make(tmp_path / "new", 30, seed=1)
    assert main(["intervals", new.path, "--calibrated-on", run.path, "--to", str(file)]) == 0
    written, labels = pd.read_csv(file), np.asarray(new.labels)[:, 0]
    held = np.mean((written["conformal_low"] <= labels) & (labels <= written["conformal_high"]))
    assert re.search(rf"split-conformal, of one width +{100 * held:.1f}%", capsys.readouterr().out), "of those written"
    probs = np.random.default_rng(0).dirichlet(np.ones(2), (3, 4))
    classes = mcviz.write_run(tmp_path / "classes", probs, labels=[0, 1, 0, 1])
    with pytest.raises(InvalidInputError, match="Intervals are of numbers"):
        mcviz.prediction_intervals(classes)
    with pytest.raises(InvalidInputError, match="coverage"):
        mcviz.prediction_intervals(run, 1.0)
    scaled = mcviz.runs.Preprocessing(divide_by=255.0)
    other = mcviz.write_run(
        tmp_path / "other", np.arange(6.0).reshape(2, 3, 1), task="regression", preprocessing=scaled
    )
    with pytest.raises(InvalidInputError, match="two kinds of preprocessing"):
        mcviz.prediction_intervals(other, 0.9, run)
