"""Every check returns the clean value, or quotes what it received."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcviz import validate
from mcviz.errors import InvalidInputError, McvizError


@pytest.mark.parametrize(
    ("clean", "expected"),
    [
        (validate.whole_number("passes", np.int32(7), 1), 7),
        (validate.whole_number("seed", 0), 0),
        (validate.number("pixels", 3, 0), 3.0),
        (validate.fraction("weight", np.float32(0.5)), 0.5),
        (validate.choice("masks", "per_pass", ("per_pass", "per_example")), "per_pass"),
    ],
)
def test_what_fits_comes_back_as_python_s_own(clean: object, expected: object) -> None:
    assert clean == expected
    assert type(clean) is type(expected)


IMAGES = ("N", "height", "width")


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (
            lambda: validate.whole_number("passes", 0, 1),
            "`passes` should be a whole number of at least 1. Received: 0.",
        ),
        (lambda: validate.whole_number("seed", True), "`seed` should be a whole number of at least 0. Received: True."),
        (
            lambda: validate.whole_number("side", 2.0, 0, 28),
            "`side` should be a whole number from 0 to 28. Received: 2.0.",
        ),
        (
            lambda: validate.whole_number("side", 29, 0, 28),
            "`side` should be a whole number from 0 to 28. Received: 29.",
        ),
        (lambda: validate.number("pixels", -1, 0), "`pixels` should be a number of at least 0. Received: -1."),
        (lambda: validate.number("pixels", np.inf, 0), "`pixels` should be a number of at least 0. Received: inf."),
        (lambda: validate.fraction("weight", np.nan), "`weight` should be a number from 0 to 1. Received: nan."),
        (lambda: validate.fraction("weight", "half"), "`weight` should be a number from 0 to 1. Received: 'half'."),
        (lambda: validate.choice("channels", 2, (1, 3)), "`channels` should be 1 or 3. Received: 2."),
        (
            lambda: validate.shape("images", np.zeros((3, 28)), IMAGES, (*IMAGES, "channels"), advice="Reshape it."),
            "`images` should be (N, height, width) or (N, height, width, channels), with no axis empty. "
            "Received: shape (3, 28). Reshape it.",
        ),
        (
            lambda: validate.shape("images", np.zeros((0, 4, 4)), IMAGES),
            "`images` should be (N, height, width), with no axis empty. Received: shape (0, 4, 4).",
        ),
        (
            lambda: validate.shape("probs", np.zeros(4), (3,)),
            "`probs` should be (3,). Received: shape (4,).",
        ),
        (
            lambda: validate.dtype("images", np.zeros(4, np.int8), np.uint8, np.floating),
            "`images` should be uint8 or floating point. Received: dtype int8.",
        ),
        (
            lambda: validate.finite("images", np.array([0, np.nan])),
            "`images` should be finite. Received: NaN or infinite values.",
        ),
        (
            lambda: validate.class_indices("labels", [[1], [2, 3]], 2),
            "`labels` should be 2 class indices, one an example. Received: [[1], [2, 3]].",
        ),
        (
            lambda: validate.class_indices("labels", [1.0, 2.0], 2),
            "`labels` should be 2 class indices, one an example. Received: shape (2,), dtype float64.",
        ),
        (
            lambda: validate.class_indices("labels", [0, -1], 2),
            "`labels` should be class indices from 0 upwards. Received: -1.",
        ),
        (
            lambda: validate.class_indices("labels", [0, 3], 2, classes=3),
            "`labels` should be class indices from 0 to 2. Received: 3.",
        ),
    ],
)
def test_what_does_not_fit_is_quoted_beside_what_should_be_there(check: Callable[[], Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}$") as refused:
        check()
    assert isinstance(refused.value, McvizError)
    assert isinstance(refused.value, ValueError)


def test_arrays_that_fit_come_back_as_they_are() -> None:
    images = np.zeros((2, 4, 4), np.float32)
    assert validate.shape("images", images, IMAGES, (*IMAGES, "channels")) is images
    assert validate.dtype("images", images, np.uint8, np.floating) is images
    assert validate.finite("images", images) is images


@pytest.mark.parametrize("labels", [[0, 2, 1], np.array([0, 2, 1], np.uint8), (0, 2, 1)])
def test_labels_come_back_as_int64(labels: Any) -> None:
    indices = validate.class_indices("labels", labels, 3, classes=3)
    assert indices.dtype == np.int64
    assert indices.tolist() == [0, 2, 1]
