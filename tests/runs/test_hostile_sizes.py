"""A manifest that claims what cannot be is refused before memory is taken, in a process that has little of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs.making import make

pytestmark = pytest.mark.attack

OPEN = """
import json, resource, sys
import msgspec
from pathlib import Path
from mcviz.errors import CorruptRunError
from mcviz.runs import open_run
from mcviz.manifest import Manifest
from mcviz.runs.manifest_file import NAME, _checksum
from tests.runs.making import numbers

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
file = Path(sys.argv[1]) / NAME
whole = file.read_bytes()
for claim in json.loads(sys.argv[2]):
    content = json.loads(whole)
    del content["checksum"], content["digest"]
    for path, value in claim.items():
        *parents, last = path.split("|" if "|" in path else "/")
        inner = content
        for parent in parents:
            inner = inner[parent]
        inner[last] = value
    try:
        content["digest"] = msgspec.convert(content, Manifest).digest
    except (ValueError, TypeError):
        content["digest"] = "none"
    content["checksum"] = _checksum(content)
    file.write_text(json.dumps(content))
    try:
        numbers(open_run(sys.argv[1]))
        print("OPENED", claim)
    except CorruptRunError as error:
        print(error)
"""

MANY = 10**12


CLAIMS: list[dict[str, object]] = [
    {"examples/count": MANY},
    {"examples/count": MANY, "layout/examples_per_shard": MANY, "layout/images_per_shard": MANY},
    {"passes": MANY},
    {"passes": MANY, "layout/examples_per_shard": 1, "layout/examples_per_chunk": 1},
    {"passes": 10**6},
    {"images/shape": [MANY, MANY, 1]},
    {"images/shape": [20_000, 20_000, 1]},
    {"images/shape": [1] * 40},
    {"layout/examples_per_shard": MANY},
    {"layout/examples_per_chunk": MANY},
    {"layout/images_per_chunk": MANY},
    {"layout/examples_per_shard": 1 << 20},
    {
        "examples/count": 1 << 20,
        "layout/examples_per_shard": 1 << 20,
        "layout/images_per_shard": 1 << 20,
        "layout/examples_per_chunk": 1,
        "layout/images_per_chunk": 1,
    },
    {"examples/count": 0},
    {"examples/count": -1},
    {"passes": 0},
    {"layout/examples_per_chunk": 0},
    {"images/shape": [-4, -3, 1]},
    {"files|predictions.zarr/label/c.0|bytes": MANY},
    {"images/dtype": "object"},
    {"images/dtype": "float32"},
    {"examples/count": 1e3},
    {"passes": True},
    {"passes": "6"},
    {"masks": "none"},
    {"state": "whole"},
]


def test_a_claim_that_cannot_be_is_refused_in_little_memory(tmp_path: Path) -> None:
    make(tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(tmp_path / "run"), json.dumps(CLAIMS)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(CLAIMS)
    assert all(line.startswith(str(tmp_path / "run")) for line in lines), lines
