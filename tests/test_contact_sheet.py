"""A contact sheet shows each example once, in its order, and marks the mistakes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ImageColor

import mcviz
from mcviz.errors import McvizError
from mcviz.figures.style import WRONG
from mcviz.plot import CAPTION, GAP, MARK, TILE, draw_contact_sheet

SHIPPED = Path(__file__).parents[1] / "cache" / "mnist-cnn"


def test_every_example_is_on_the_sheet_and_every_mistake_is_marked() -> None:
    run, examples = mcviz.open_run(SHIPPED), [3, 247, 1709, 9999, 1039]
    sheet = np.asarray(draw_contact_sheet(run, examples, columns=2))
    side = 4 * 28
    table = run.scores()
    assert not table["correct"][examples].all()
    for place, example in enumerate(examples):
        top, left = GAP + place // 2 * (side + MARK + CAPTION + GAP), GAP + place % 2 * (side + GAP)
        shown = sheet[top : top + side, left : left + side]
        np.testing.assert_array_equal(shown[::4, ::4], np.repeat(run.pictures[example], 3, axis=-1))
        marked = (sheet[top + side, left : left + side] == ImageColor.getrgb(WRONG)).all()
        assert marked == (not table["correct"][example])


def test_photographs_are_scaled_down_and_a_regression_has_no_mistakes(tmp_path: Path) -> None:
    photographs = np.full((3, 300, 600, 3), (0, 0, 255), np.uint8)
    outputs = np.random.default_rng(0).normal(size=(4, 3, 1)).astype(np.float32)
    run = mcviz.write_run(tmp_path / "run", outputs, data=photographs, task="regression", labels=outputs[0])
    sheet = np.asarray(draw_contact_sheet(run, range(3)))
    assert (sheet == (0, 0, 255)).all(axis=2).sum() == 3 * TILE * TILE // 2
    assert not (sheet == ImageColor.getrgb(WRONG)).all(axis=2).any()


def test_examples_without_pictures_are_refused(tmp_path: Path) -> None:
    run = mcviz.write_run(tmp_path / "run", np.eye(2, dtype=np.float32)[[[0, 1, 1], [1, 0, 1]]])
    with pytest.raises(McvizError, match="without its images"):
        draw_contact_sheet(run, [0])
