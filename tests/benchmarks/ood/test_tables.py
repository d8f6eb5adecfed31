"""The tables: the document holds just what the command prints from the kept figures."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ood.cell import cell_page
from benchmarks.ood.results import FIGURES, TRAININGS, Results, aims, load
from benchmarks.ood.tables import DOCUMENT, TABLES, keep, spread, with_tables

TEXT = DOCUMENT.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def found() -> Results:
    return load(TRAININGS)


def test_the_document_holds_just_what_the_command_prints(found: Results) -> None:
    assert re.findall(r"<!-- table: (\w+) -->", TEXT) == list(TABLES)
    assert with_tables(TEXT, found) == TEXT
    for table in TABLES.values():
        assert table(found) in TEXT


def test_keeping_changes_nothing_but_the_tables(tmp_path: Path, found: Results) -> None:
    document = tmp_path / "document.md"
    document.write_text("before\n<!-- table: aims -->\nold\n<!-- end of table -->\nafter\n", encoding="utf-8")
    keep(found, document)
    lines = document.read_text(encoding="utf-8").splitlines()
    assert (lines[:2], lines[-2:]) == (["before", "<!-- table: aims -->"], ["<!-- end of table -->", "after"])
    assert "old" not in lines


def test_every_aim_is_answered_with_yes_or_no(found: Results) -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TABLES["aims"](found).splitlines()[2:]]
    assert len(rows) == len(aims(found))
    for row, aim in zip(rows, aims(found), strict=True):
        label, _, _, median, lowest, highest, meeting, met = row
        assert label == found.labels[found.column(aim.name)]
        assert (float(lowest), float(highest)) == pytest.approx((aim.reached.min(), aim.reached.max()), abs=6e-5)
        assert float(median) == pytest.approx(np.median(aim.reached), abs=6e-5)
        assert meeting == f"{aim.met.sum()} of 5"
        assert met == ("yes" if aim.met_by_the_median else "**no**")
    missed = [aim.name for aim in aims(found) if not aim.met_by_the_median]
    assert missed == ["letters", "shapes", "stacked"]


def test_a_cell_has_the_median_and_the_range_and_no_minus_zero() -> None:
    assert spread(np.array([0.9, 0.7, 0.8])) == "0.800 (0.700 to 0.900)"
    assert spread(np.array([-0.0001, 0, 0.0001])) == "0.000 (0.000 to 0.000)"


COMMANDS = sorted(set(re.findall(r"^python -m (benchmarks\.ood\S*) ", TEXT, re.MULTILINE)))


@pytest.mark.parametrize("module", COMMANDS)
def test_every_command_of_the_document_exists(module: str, monkeypatch, capsys) -> None:
    assert len(COMMANDS) == 4
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    for imported in (module, f"{module}.__main__"):  # by another test; runpy would warn
        monkeypatch.delitem(sys.modules, imported, raising=False)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module(module, run_name="__main__")
    assert stopped.value.code == 0
    assert f"python -m {module}" in capsys.readouterr().out


@pytest.mark.parametrize("figure", FIGURES)
def test_all_detectors_are_printed_by_any_figure(figure: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["tables", "--figure", figure])
    monkeypatch.delitem(sys.modules, "benchmarks.ood.tables", raising=False)
    runpy.run_module("benchmarks.ood.tables", run_name="__main__")
    printed = capsys.readouterr().out
    found = load(TRAININGS)
    assert f"{found.median('expected_entropy', 'rotated', figure):.3f}" in printed
    assert printed.count("| Expected entropy |") == 2


def test_a_cell_s_page_has_its_figures_and_both_charts(found: Results) -> None:
    page = cell_page("expected_entropy", "mistakes")
    assert "<h1>Expected entropy: Own mistakes</h1>" in page
    assert "correct predictions" in page
    assert page.count("Plotly.newPlot(") == 2
