"""The benchmark of sampling finds the stages of a job, and another version to hold this one against."""

import re
import subprocess
import sys

import pytest

from benchmarks import sampling


@pytest.mark.slow
def test_every_stage_of_a_job_is_found_and_takes_time():
    command = [sys.executable, sampling.__file__, "--images", "200", "--passes", "400", "--parts", "stages"]
    done = subprocess.run([*command, "--device", "cpu"], capture_output=True, text=True, check=False)
    rows = dict(re.findall(r"^  (\S.*?)  +\d.*?(\d+\.\d\d) s$", done.stdout, re.MULTILINE))
    assert done.returncode == 0, done.stderr
    assert {"the front", "drawing", "the product", "behind the product", "storing", "the rest", "all"} == rows.keys()
    assert float(rows["the product"]) > 0
    assert float(rows["the front"]) > 0


def test_a_version_that_there_is_not_is_named(monkeypatch):
    monkeypatch.setattr("sys.argv", ["sampling.py", "--against", "no-such-commit"])
    with pytest.raises(SystemExit, match="no mcviz at no-such-commit"):
        sampling.main()
