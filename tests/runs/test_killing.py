"""A writer killed with SIGKILL at 200 random moments leaves a whole old run, a whole new one or a partial one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.attack


@pytest.mark.exhaustive
@pytest.mark.parametrize("form", ["classes of images", "three targets with variances"])
def test_killed_two_hundred_times(tmp_path: Path, form: str) -> None:
    command = [sys.executable, "-m", "tests.runs.killing", str(tmp_path), "200", form]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["kills"] >= 200
    assert min(seen["partial"], seen["whole, 6 passes"]) >= 10, f"the moments were too alike to mean something: {seen}"
