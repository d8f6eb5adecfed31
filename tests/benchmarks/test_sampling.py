"""The benchmark of sampling finds the stages of a job, and another version to hold this one against."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "sampling.py"


def measured(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARK), "--images", "20", "--passes", "40", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.exhaustive
def test_every_stage_of_a_job_is_found_and_takes_time():
    done = measured("--parts", "stages", "--device", "cpu")
    rows = dict(re.findall(r"^  (\S.*?)  +\d.*?(\d+\.\d\d) s$", done.stdout, re.MULTILINE))
    assert done.returncode == 0, done.stderr
    assert {"the front", "drawing", "the product", "behind the product", "storing", "the rest", "all"} == rows.keys()
    assert float(rows["the product"]) > 0
    assert float(rows["the front"]) > 0


def test_a_version_that_there_is_not_is_named():
    done = measured("--against", "no-such-commit")
    assert done.returncode == 1
    assert "no mcviz at no-such-commit" in done.stderr
