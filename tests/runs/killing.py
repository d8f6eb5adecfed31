"""Kills writers with SIGKILL at random moments, and prints what it found.

`python -m tests.runs.killing FOLDER KILLS [FORM]` runs it.

A process of its own, because it forks: a fork costs a millisecond, a new interpreter half a second.
"""

import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from mcviz.errors import PartialRunError, RunNotFoundError
from mcviz.runs import open_run
from tests.failing import in_child, killed
from tests.runs.making import FORMS, contents, make, numbers

PAUSE = 0.001
PASSES = {"first": 6, "grown": 10}


def main(folder: Path, kills: int, form: dict[str, Any]) -> None:
    """Grow runs from nothing to 6 and then to 10 passes, killing the writer again and again on the way."""
    os.fsync = os.fstat  # no power is lost, so nothing need wait for the disk
    pick = random.Random(2024)
    truth = {}
    for passes in PASSES.values():
        run = make(folder / f"whole-{passes}", passes=passes, **form)
        truth[passes] = contents(Path(run.path)), numbers(run)
    started = time.perf_counter()
    make(folder / "timed", pause=PAUSE, **form)
    span = time.perf_counter() - started
    seen: Counter[str] = Counter()
    runs = 0
    while seen["kills"] < kills:
        out = folder / f"run-{runs}"
        runs += 1
        for passes in PASSES.values():
            for _ in range(7):
                child = in_child(lambda out=out, passes=passes: make(out, passes=passes, pause=PAUSE, **form))
                hit = killed(child, pick.uniform(0, span))
                span *= 1.02 if hit else 0.95  # the machine may be busier or idler than when it was timed
                seen["kills"] += hit
                seen[state(out, truth)] += 1
            make(out, passes=passes, **form)
            assert contents(out) == truth[passes][0], (
                f"{out} is not a run that was never stopped: {sorted(contents(out))}"
            )
            assert numbers(open_run(out)) == truth[passes][1]
        assert not list(folder.rglob("*.tmp")), "an unfinished file was left"
    print(json.dumps({**seen, "runs": runs}))  # noqa: T201


def state(out: Path, truth: dict) -> str:
    """What stands after a kill; anything but nothing, a partial run and a whole run fails."""
    try:
        run = open_run(out)
    except RunNotFoundError:
        return "none"
    except PartialRunError:
        return "partial"
    assert numbers(run) == truth[run.passes][1]
    return f"whole, {run.passes} passes"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), FORMS[sys.argv[3] if len(sys.argv) > 3 else next(iter(FORMS))])
