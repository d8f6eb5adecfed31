"""The comparison of what to label next runs in its short form."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.active_learning import METHODS, Setting, main


@pytest.mark.slow
def test_the_short_form_prints_a_table_and_writes_a_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    labels = np.arange(100) % 10
    np.savez(tmp_path / "mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    tiny = Setting(pool=100, tests=100, start=10, batch=10, most=20, seeds=1, passes=3, steps=2)
    monkeypatch.setattr("benchmarks.active_learning.SHORT", tiny)
    written = tmp_path / "figure.html"
    main(["--data", str(tmp_path / "mnist.npz"), "--short", "--figure", str(written)])
    printed = capsys.readouterr().out
    assert all(f"| {name} " in printed for name in METHODS)
    assert "labels acquired" in written.read_text(encoding="utf-8")
