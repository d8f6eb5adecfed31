"""Several labels an example, from what people give to a run that other tools read."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mcviz
from mcviz.errors import InvalidInputError

NAMES = ["cat", "dog", "owl"]
PROBS = np.random.default_rng(0).random((4, 6, 3))
LABELS = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1], [-1, -1, -1], [-1, 0, 1]])


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        np.where(LABELS == -1, np.nan, LABELS),
        pd.DataFrame(LABELS[:, ::-1], columns=NAMES[::-1]),
    ],
)
def test_labels_meet_the_classes_in_any_form(tmp_path: Path, labels: Any) -> None:
    run = mcviz.write_run(tmp_path / "run", PROBS, labels=labels, class_names=NAMES, task="multilabel")
    assert run.labels.dtype == np.int8
    assert run.labels.tolist() == LABELS.tolist()
    table = run.table()
    assert table["label"].fillna("?").tolist() == ["cat", "dog;owl", "", "cat;dog;owl", "?", "owl"]
    known = LABELS != -1
    wrong = ((run.mean_probs > 0.5) != (LABELS == 1)) & known
    np.testing.assert_allclose(table["loss"][:4], wrong[:4].mean(axis=1))
    assert np.isnan(table["loss"][4])
    assert table["loss"][5] == wrong[5].sum() / 2
    assert run.manifest.quality == pytest.approx(1 - np.nanmean(table["loss"]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": LABELS * 2}, "rows of 0, 1 and missing"),
        ({"labels": LABELS[:, :2]}, "2 names|3 names|classes"),
        ({"labels": [[1, 0, 0], [1], [0], [0], [0], [0]]}, "twice|classes from 0"),
        ({"labels": LABELS[:5]}, "5 examples"),
        ({"labels": np.full((6, 3), -1)}, "No label of labels is known"),
        ({"class_names": ["cat", "cat", "owl"]}, "different"),
        ({"probs": PROBS * 2}, "not within 0 and 1"),
        ({"probs": PROBS[..., :2]}, "classes|names"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    given = {"probs": PROBS, "labels": LABELS, "class_names": NAMES} | changes
    with pytest.raises(InvalidInputError, match=words):
        mcviz.write_run(tmp_path / "run", given.pop("probs"), task="multilabel", **given)
    assert not (tmp_path / "run").exists()
