"""A manifest's fields say themselves whether they are part of the run's identity, and what people call them."""

import math
import re
from typing import Any

import pytest
from msgspec.structs import replace

from mcviz.errors import InvalidInputError
from mcviz.manifest import IDENTITY, Examples, Layout, Manifest, Origin, Preprocessing

CLASSES = Manifest(
    passes=5,
    classes=3,
    examples=Examples("none", 2, "a"),
    images=None,
    labels_sha256=None,
    model=None,
    seed=4,
    masks="per_pass",
    origin=Origin("dropout"),
    scores=(),
    layout=Layout(1, 1),
)
TARGETS = replace(CLASSES, task="regression", classes=0, targets=("weight",))
ANOTHER: Any = "another"
COMPOSED = {"examples", "model", "preprocessing", "origin"}  # of which only parts are in the identity


def differing(one: Manifest, other: Manifest) -> set[str]:
    names = one.identity.keys() | other.identity.keys()
    return {name for name in names if one.identity.get(name) != other.identity.get(name)}


@pytest.mark.parametrize("field", Manifest.__struct_fields__)
def test_a_field_changes_the_identity_under_its_name_or_not_at_all(field: str) -> None:
    if field not in COMPOSED:
        changed = replace(TARGETS, **{field: ANOTHER})
        assert differing(TARGETS, changed) == ({IDENTITY[field].name} if field in IDENTITY else set())
        assert (changed.digest == TARGETS.digest) is (field not in IDENTITY)


def test_what_only_a_regression_has_is_left_out_of_the_identity_of_classes() -> None:
    assert differing(CLASSES, replace(CLASSES, unit="kg")) == set()
    assert differing(CLASSES, TARGETS) == {"task", "classes", "targets", "unit", "predicts"}


def test_settings_are_those_that_the_passes_were_drawn_with() -> None:
    assert CLASSES.settings == {"masks": "per_pass", "seed": 4}
    assert CLASSES.sampling_summary == "masks per_pass, seed 4"
    imported = replace(CLASSES, seed=None, masks=None, origin=Origin("imported"))
    assert (imported.settings, imported.sampling_summary) == ({}, "imported")


@pytest.mark.parametrize(
    ("given", "channels", "message"),
    [
        ({"divide_by": 0.0}, None, "`scale` should be finite and above 0. Received: 0."),
        ({"divide_by": math.nan}, None, "`scale` should be finite and above 0. Received: nan."),
        ({"std": (0.2, 0.0, 0.2)}, None, "`std` should be finite and above 0. Received: 0.2, 0, 0.2."),
        ({"mean": (math.nan,)}, None, "`mean` should be finite. Received: nan."),
        ({"mean": (0.1, 0.2, 0.3)}, 1, "`mean` should be 1 number. Received: 3 numbers."),
        ({"std": (0.1, 0.2)}, 3, "`std` should be 1 or 3 numbers, one a channel or column. Received: 2 numbers."),
        ({"channel_order": "bgr"}, 1, "`channel_order` should be left out for images without three colours"),
    ],
)
def test_preprocessing_by_numbers_that_cannot_be_is_refused(given: Any, channels: int | None, message: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}"):
        Preprocessing(**given).check(channels)


def test_preprocessing_may_have_one_number_for_all_channels_and_a_mean_below_0() -> None:
    Preprocessing(2.0, mean=(-0.5,), std=(0.1,)).check(3)
    Preprocessing(mean=(0.0, 1.0, -1.0), channel_order="bgr").check(3)
