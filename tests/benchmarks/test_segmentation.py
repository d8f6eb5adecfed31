"""The scripts of segmentation: one makes a run from any MNIST, and one prints its tables."""

import re
from pathlib import Path

import numpy as np
import pytest

import mcviz
from benchmarks import digits, segmentation
from mcviz.data import read_mnist
from tests.requiring import require_torch


@pytest.fixture
def mnist(tmp_path: Path) -> str:
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)
    labels = np.arange(40) % 10
    np.savez(tmp_path / "mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    return str(tmp_path / "mnist.npz")


def test_a_mask_has_the_class_of_the_digit_that_lies_on_top(mnist: str) -> None:
    images, masks, numbers = digits.draw_canvases(read_mnist(mnist)[1], 50, seed=3)
    assert (images.shape, masks.shape) == ((50, 64, 64, 1), (50, 64, 64))
    assert (images[..., 0][masks > 0] >= digits.INK).all()
    assert (images[..., 0][masks == 0] < digits.INK).all()
    assert set(numbers) == {1, 2, 3}
    assert all(len(np.unique(mask)) - 1 <= number for mask, number in zip(masks, numbers, strict=True))
    again = digits.draw_canvases(read_mnist(mnist)[1], 50, seed=3)
    np.testing.assert_array_equal(again[1], masks)


@pytest.mark.slow
def test_a_run_like_the_shipped_one_is_made_and_holds(
    mnist: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digits, "EXAMPLES", 4)
    digits.main(["--data", mnist, "--out", str(tmp_path / "run"), "--canvases", "16", "--epochs", "1"])
    run = mcviz.open_run(tmp_path / "run")
    assert (len(run), run.passes, run.class_names) == (4, 20, tuple(digits.CLASS_NAMES))
    mcviz.verify_run(run.path)


def rows_of(printed: str) -> dict[str, list[str]]:
    """The cells of each row of the tables, by its first one."""
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| ")]
    return {first: cells for first, *cells in rows}


@pytest.mark.slow
def test_the_scores_are_ranked_between_chance_and_perfection(mnist: str, capsys: pytest.CaptureFixture[str]) -> None:
    segmentation.main(["--data", mnist, "--parts", "scores", "--examples", "12", "--passes", "3"])
    rows = rows_of(capsys.readouterr().out)
    assert len(rows) == 11
    least, most = float(rows["perfect"][0]), 1000.0
    assert all(least <= float(cells[0]) <= most for name, cells in rows.items() if name != "score")
    assert re.fullmatch(r"[+-][\d.]+ \([+-][\d.]+ to [+-][\d.]+\)", rows["random (expected)"][1])


@pytest.mark.slow
def test_sampling_and_looks_are_timed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    require_torch()
    monkeypatch.setattr(segmentation, "LOOPED", 4)
    monkeypatch.setattr(segmentation, "LARGE", 128)
    segmentation.main(["--parts", "sampling", "looks", "--passes", "3", "--turns", "1"])
    rows = rows_of(capsys.readouterr().out)
    assert rows.keys() >= {"Keras U-Net", "PyTorch U-Net", "64 × 64, of the shipped run", "128 × 128"}
    assert all(float(cells[2].removesuffix("×")) > 0 for name, cells in rows.items() if name not in ("model", "image"))
