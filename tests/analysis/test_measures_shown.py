"""One list of measures: command line, JSON, table, figure, page and gates show the same, and comparisons theirs."""

import json
from pathlib import Path

import pytest

import mcviz
from mcviz import plot
from mcviz.analysis.calibration_sentences import calibration_text
from mcviz.analysis.predictors import predictors
from mcviz.analysis.requirements import parse_requirement
from mcviz.measures.calibration import calibration, calibration_table
from mcviz.runs import Run
from tests.commands import output_of


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, old: Run) -> Run:
    """A quick run of classes with deterministic probabilities."""
    probs = old.probs_block(0, 120)
    path = tmp_path_factory.mktemp("small") / "run"
    return mcviz.write_run(path, probs, labels=old.labels[:120], deterministic=probs[0])


def test_all_that_shows_the_trust_in_a_run_shows_the_measures_of_its_task(
    small: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = {each.name: each for each in small.task.quality.measures if "trust" in each.places}
    headings = [measure.heading for measure in listed.values()]
    found = json.loads(output_of(capsys, "trust", small.path, "--json"))
    assert [name for name in found["figures"]["ensemble"] if "by_chance" not in name] == list(listed)
    assert [name for name in found["ensemble_less"]["deterministic"] if "by_chance" not in name] == list(listed)
    lines = output_of(capsys, "trust", small.path).splitlines()
    heads = [line for line in lines if line.endswith("ensemble − this")]
    assert [line.partition("  ")[0] for line in heads] == headings
    assert mcviz.trust(small).text_rows[0][1:] == headings
    result = calibration(predictors(small))
    panels = plot.calibration(small, result).layout.annotations
    assert [panel.text.removesuffix(" (❘ chance)") for panel in panels] == headings
    spoken = calibration_text(result)
    for row in calibration_table(result).values():
        assert list(row) == headings
        assert all(f"{heading} {figure}" in spoken for heading, figure in row.items())
    for name in listed:
        found = parse_requirement(f"{name} >= 0.5").judge(result.figures).found
        assert found.value == result.figures["ensemble"][name].value


def test_all_that_compares_runs_shows_the_compared_measures_of_their_task(
    small: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = small.task.quality.compared
    assert {"aurc", "auroc"} <= set(listed)
    comparison = mcviz.compare(small, small)
    assert [each.measure.name for each in comparison.measures] == list(listed)
    found = json.loads(output_of(capsys, "compare", small.path, small.path, "--json"))
    assert list(found["measures"]) == list(listed)
    lines = output_of(capsys, "compare", small.path, small.path).splitlines()
    shown = [line for line in lines if any(line.startswith(f"{each.label}  ") for each in listed.values())]
    assert len(shown) == len(listed)
