"""The attacks count what holds, and say what does not and how to repeat it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from benchmarks import attack
attack.ROWS = tuple(attack.Row("three numbers", "they are odd", attack._tests(name)) for name in sys.argv[2:])
sys.argv[1:] = ["--short"]
attack.main()
"""


def attacked(*names: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, str(ROOT), *names]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_a_promise_that_does_not_hold_is_counted_and_ends_in_code_1(tmp_path):
    tests = "import pytest\n@pytest.mark.parametrize('number', [1, 2, 3])\ndef test_odd(number): assert number % 2\n"
    (tmp_path / "test_numbers.py").write_text(tests)
    done = attacked(f"{tmp_path}/test_numbers.py::test_odd")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "| three numbers | 3 | they are odd | 2 |"
    assert "test_odd[2]" in done.stderr
    assert "repeat it by: pytest" in done.stderr


def test_promises_that_hold_end_in_code_0_and_tests_that_are_gone_do_not(tmp_path):
    (tmp_path / "test_numbers.py").write_text("def test_odd(): assert 1 % 2\n")
    done = attacked(f"{tmp_path}/test_numbers.py::test_odd")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "| three numbers | 1 | they are odd | 1 |")
    assert attacked(f"{tmp_path}/test_numbers.py::test_even").returncode == 1
