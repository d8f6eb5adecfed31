"""What holds of every task: what it stores is what it reads, and its parts are those of its predictions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcviz.data import as_data_set
from mcviz.errors import InvalidInputError
from mcviz.measures.intervals import Interval
from mcviz.measures.measure import Measure
from mcviz.tasks import TASKS
from tests.runs.making import FORMS, made_up, make


def test_each_task_is_found_by_its_name() -> None:
    assert {name: task.name for name, task in TASKS.items()} == {name: name for name in TASKS}
    assert all(set(task.first_scores) <= set(task.scores) for task in TASKS.values())


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_passes_that_are_stored_come_back_within_their_precision(form: dict[str, Any], tmp_path: Path) -> None:
    manifest = make(tmp_path / "run", **form).manifest
    task = TASKS[manifest.task]
    passes = made_up(form).passes(0, manifest.examples.count, 0, manifest.passes, lambda *_: None)
    back = task.decode(manifest, task.encode(manifest, passes, None))
    np.testing.assert_allclose(back, passes, atol=1 / 65534)
    np.testing.assert_array_equal(np.concatenate(list(task.split(manifest, passes).values()), axis=-1), passes)
    assert tuple(task.split(manifest, passes)) == task.pass_arrays(manifest)


def test_a_task_that_is_not_there_is_refused_with_those_that_are() -> None:
    examples = np.zeros((2, 3)), np.zeros(2, int)
    message = rf"`task` should be {' or '.join(map(repr, TASKS))}\. Received: 'rank'"
    with pytest.raises(InvalidInputError, match=message):
        as_data_set(examples, "rank")


@pytest.mark.parametrize(
    ("name", "unit", "words"), [("segmentation", "", "16.4 points"), ("regression", "kg", "0.164 kg")]
)
def test_a_change_of_a_share_is_in_points(name: str, unit: str, words: str) -> None:
    assert TASKS[name].loss.format_change(0.164, unit) == words


@pytest.mark.parametrize("name", ["classification", "multilabel", "segmentation"])
def test_a_share_is_written_as_the_quality_of_its_task_and_never_rounds_to_certainty(name: str) -> None:
    share = TASKS[name].quality.measures[0]
    for value in (0, 0.00001, 0.25, 0.99999, 1):
        assert share.format(value) == TASKS[name].format_quality(value)
    assert share.format_interval(Interval(0.99999, 0.9995, 1)) == "over 99.99% (99.95 to 100.00)"
    gap = Measure("gap", "gap", "share", "", (-1, 1))
    assert gap.format(0.00001) == "0.00%", "a gap of about 0 is certain of nothing"
