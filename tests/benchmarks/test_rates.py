"""The study of rates: a rate is chosen on one half of the examples, and the others judge it."""

from pathlib import Path

import keras
import numpy as np
import pytest

import mcviz
from benchmarks.rates import main

EXAMPLES = 40
LABELS = np.arange(EXAMPLES) % 3
ROWS = np.random.default_rng(0).random((EXAMPLES, 6), dtype=np.float32) + np.eye(6, dtype=np.float32)[LABELS]


def test_the_rate_with_the_lowest_nll_of_one_half_is_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras.utils.set_random_seed(3)
    layers = [keras.Input((6,)), keras.layers.Dropout(0.5), keras.layers.Dense(3, activation="softmax")]
    keras.Sequential(layers).save(tmp_path / "model.keras")
    np.savez(tmp_path / "data.npz", x=ROWS, y=LABELS)
    command = ["--model", str(tmp_path / "model.keras"), "--data", str(tmp_path / "data.npz"), "--rates", "0.2", "0.8"]
    main([*command, "--passes", "12", "--first", "30"])
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:5]]
    assert [row[0] for row in rows] == ["as trained", "0.2", "0.8"]
    chosen = min(rows[1:], key=lambda row: float(row[1]))
    assert lines[-1].startswith(f"Chosen: {chosen[0]}. ")
    model = keras.models.load_model(tmp_path / "model.keras")
    choosing = np.random.default_rng(0).permutation(30)[:15]
    probs = mcviz.Sampler(model, rate=0.2).sample(ROWS[np.sort(choosing)], passes=12).mean(axis=0)
    nll = -np.log(probs[np.arange(15), LABELS[np.sort(choosing)]]).mean()
    assert float(rows[1][1]) == pytest.approx(nll, abs=1e-4)
