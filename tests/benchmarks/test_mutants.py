"""Mutants are valid Python that differs in one place, and are judged by the tests that run their lines."""

import ast
from pathlib import Path

import pytest

from benchmarks import mutants
from benchmarks.mutants import Mutant, Recorded, draw_mutants, find_mutants, judge

SOURCE = b"""LIMIT: 'Literal[1]' = 3

def f(x: 'Literal[2]') -> bool:
    note(x)
    return x < 5 and not x == 2
"""


def test_each_expression_is_changed_once_and_annotations_are_not() -> None:
    found = [each.apply(SOURCE).decode() for each in find_mutants("f.py", SOURCE)]
    assert {line for text in found for line in text.splitlines()} - {*SOURCE.decode().splitlines()} == {
        "LIMIT: 'Literal[1]' = (4)", "    pass", "    return", "    return (x < 5 or not x == 2)",
        "    return (x <= 5) and not x == 2", "    return x < (6) and not x == 2", "    return x < 5 and (x == 2)",
        "    return x < 5 and not (x != 2)", "    return x < 5 and not x == (3)",
    }  # fmt: skip
    for text in found:
        ast.parse(text)


def test_mutants_of_a_seed_are_the_same_and_those_of_all_files_are_drawn(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / "mcviz" / name).mkdir(parents=True)
        (tmp_path / "mcviz" / name / "f.py").write_bytes(SOURCE)
    drawn = draw_mutants(tmp_path, 1, 12)
    assert drawn == draw_mutants(tmp_path, 1, 12)
    assert drawn != draw_mutants(tmp_path, 2, 12)
    assert {each.path.split("/")[1] for each in drawn} == {*"abc"}


@pytest.mark.slow
def test_mutants_of_mcviz_itself_are_valid() -> None:
    for each in draw_mutants(mutants.ROOT, 1, 100):
        ast.parse(each.apply((mutants.ROOT / each.path).read_bytes()))


def test_it_says_whose_tests_detect_a_mutant_and_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "f.py").write_bytes(SOURCE)
    failing = set()

    def find_failures(_: Path, tests: list[Recorded], __: list[str]) -> list[str]:
        return [test.name for test in tests if test.name in failing]

    monkeypatch.setattr(mutants, "find_failures", find_failures)
    top, *_, inside = find_mutants("f.py", SOURCE)
    tests = [
        Recorded("quick", 0.1, False, {"f.py": [1, 5]}),
        Recorded("slow", 0.2, True, {"f.py": [5]}),
        Recorded("elsewhere", 0.2, False, {"f.py": [4]}),
    ]

    def judged(mutant: Mutant, *names: str) -> tuple[str, str]:
        failing.clear()
        failing.update(names)
        return judge(mutant, tmp_path, tests, [])

    assert judged(inside, "quick", "slow") == ("pytest", "quick")
    assert judged(inside, "slow", "elsewhere") == ("slow tests", "slow")
    assert judged(inside, "elsewhere") == ("nobody", "")
    assert judged(top, "elsewhere") == ("pytest", "elsewhere"), "it is outside every function"
    assert (tmp_path / "f.py").read_bytes() == SOURCE
