"""Runs of an earlier version, and those that ship with the project, say what they said then; see `make`."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcviz
from mcviz.errors import InvalidInputError
from mcviz.runs import list_runs, open_run, remove_run, verify_run
from mcviz.runs.data_set import data_set_of
from tests.frozen.make import CACHE, FEW, FIGURES, SHIPPED, WHOLE, figures_of, jobs_in, reviews_in

KNOWN = json.loads(FIGURES.read_text(encoding="utf-8"))
A_STEP = 1.01 / 65534  # of stored probabilities: what is sampled elsewhere may be rounded to the next one


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CACHE, tmp_path / "cache"))


def assert_says(found: dict[str, Any], known: dict[str, Any]) -> None:
    """What is stored is the same to the bit; what is computed of it may be rounded otherwise by other machines."""
    table, known_table = found["table"], known["table"]
    assert {**found, "table": None} == {**known, "table": None}
    assert table.keys() >= known_table.keys()  # there may be more scores by now
    for name, values in known_table.items():
        if any(isinstance(value, float) for value in values):
            np.testing.assert_allclose(np.array(table[name], float), np.array(values, float), rtol=1e-6, err_msg=name)
        else:
            assert table[name] == values, name


@pytest.mark.parametrize("name", WHOLE)
def test_a_run_of_an_earlier_version_says_what_it_said(cache: Path, name: str) -> None:
    assert_says(figures_of(open_run(cache / name)), KNOWN["runs"][name])
    verify_run(cache / name)  # and what this version computes of its passes is what it stores


@pytest.mark.parametrize("name", FEW)
def test_a_shipped_run_says_what_it_said(name: str) -> None:
    assert_says(figures_of(open_run(SHIPPED / name), FEW[name]), KNOWN["runs"][name])


def test_runs_reviews_and_jobs_of_an_earlier_version_are_found(cache: Path) -> None:
    states = {run.name: (run.state, run.examples_done) for run in list_runs(cache)}
    assert states.pop("partial") == ("partial", 4)
    assert states.pop("summary") == ("unreadable", 0)
    assert states == {name: ("finished", len(KNOWN["runs"][name]["table"]["id"])) for name in WHOLE}
    for found, known in ((reviews_in(cache), KNOWN["reviews"]), (jobs_in(cache), KNOWN["jobs"])):
        assert len(found) == len(known)
        assert all(each.items() >= before.items() for each, before in zip(found, known, strict=True))


def test_a_summary_of_an_earlier_version_is_refused_in_a_sentence_and_can_be_removed(cache: Path) -> None:
    sentence = (
        f"{cache}/summary keeps a summary, with the passes of 3 examples alone, which this mcviz does not read. Sample "
        "it again into another folder, or open it with a version from before the release of 0.1.0."
    )
    for opened in (open_run, verify_run):
        with pytest.raises(InvalidInputError, match=f"^{re.escape(sentence)}$"):
            opened(cache / "summary")
    data = data_set_of(open_run(cache / "classification"))
    with pytest.raises(InvalidInputError, match=f"^{re.escape(sentence)}$"):
        mcviz.sample_run(cache / "classification/model.keras", data, cache / "summary", passes=8, seed=3)
    assert next(run.message for run in list_runs(cache) if run.name == "summary") == sentence
    remove_run(cache / "summary")
    assert not (cache / "summary").exists()


@pytest.mark.parametrize(("name", "added"), [("partial", 8), ("growing", 6)])
def test_what_an_earlier_version_began_is_finished_with_the_same_numbers(cache: Path, name: str, added: int) -> None:
    whole, done = open_run(cache / "classification"), []
    run = mcviz.sample_run(
        cache / "partial/model.keras",
        data_set_of(whole),
        cache / name,
        passes=8,
        seed=3,
        progress=lambda predictions, _: done.append(predictions),
    )
    assert min(done) == 4 * added  # those of the first four examples were there
    assert run.digest == whole.digest == KNOWN["runs"]["classification"]["digest"]
    np.testing.assert_allclose(run.probs_block(0, None), whole.probs_block(0, None), rtol=0, atol=A_STEP)
    verify_run(run.path)
