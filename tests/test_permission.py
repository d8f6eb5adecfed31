"""Whoever may only look changes nothing: not a byte on disk, whichever function is called."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcviz import permission
from mcviz.errors import NotPermittedError
from mcviz.jobs import Jobs
from mcviz.permission import may_write, require_permission
from mcviz.reviews import open_reviews
from mcviz.runs import Derived, Run, load_derived, open_run, remove_run, rename_run, save_derived
from mcviz.runs.writer import rename_classes
from tests.runs.making import make

SPEED = Derived("speed", 1, {"metres": "float64"})
WRITING: dict[str, Callable[[Run], object]] = {
    "remove": lambda run: remove_run(run.path),
    "rename": lambda run: rename_run(run.path, "other"),
    "rename classes": lambda run: rename_classes(run, ("a", "b", "c")),
    "decide": lambda run: open_reviews(run).add(0, "Ada", "none"),
    "import decisions": lambda run: open_reviews(run).add_all([]),
    "undo": lambda run: open_reviews(run).undo("Ada"),
    "write": lambda run: make(Path(run.path).with_name("new")),
    "pause a job": lambda run: Jobs(Path(run.path).parent).pause("20261126-120000-000000-abcdef"),
    "forget a job": lambda run: Jobs(Path(run.path).parent).forget("20261126-120000-000000-abcdef"),
    "add a score": lambda run: run.add_score("energy", np.zeros(len(run))),
    "add passes": lambda run: make(Path(run.path), passes=9),
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    run = make(tmp_path / "cache" / "run")
    open_reviews(run).add(1, "Ada", "none")
    save_derived(run.path, run.digest, SPEED, {"metres": np.zeros(3)})
    return run


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Says who asks."""

    def asks(name: str | None) -> None:
        monkeypatch.setattr(permission, "_person", lambda: name)

    return asks


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "by"),
    [*((name, "read-only") for name in WRITING), ("remove", "another person"), ("remove", "nobody")],
)
def test_nothing_is_written_by_who_may_only_look(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, person: Callable[[str | None], None], name: str, by: str
) -> None:
    if by == "read-only":
        monkeypatch.setenv("MCVIZ_READ_ONLY", "1")
    else:
        monkeypatch.setenv("MCVIZ_WRITERS", "ann@example.org")
        person("eve@example.org" if by == "another person" else None)
    before = everything(tmp_path)
    with pytest.raises(NotPermittedError, match="here: "):
        WRITING[name](run)
    assert everything(tmp_path) == before
    assert not save_derived(run.path, run.digest, SPEED, {"metres": np.ones(3)})
    assert everything(tmp_path) == before
    with pytest.raises(NotPermittedError, match="No job can be started here: "):
        Jobs(Path(run.path).parent).add("check", ["--model=a.keras"], "run", "Check")
    assert everything(tmp_path) == before
    derived = load_derived(run.path, run.digest, SPEED)
    assert derived is not None
    assert not derived["metres"].any()


@pytest.mark.parametrize("name", WRITING)
def test_who_is_on_the_list_may_write(
    run: Run, monkeypatch: pytest.MonkeyPatch, person: Callable[[str | None], None], name: str
) -> None:
    monkeypatch.setenv("MCVIZ_WRITERS", "bob@example.org, Ann@Example.org")
    person("ann@example.ORG")
    WRITING[name](run)


def test_a_finished_run_is_still_opened_by_the_command_that_made_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_READ_ONLY", "1")
    assert make(Path(run.path)).digest == run.digest
    assert open_run(run.path).probs(0).shape == (6, 3)


@pytest.mark.parametrize("value", ["1", "true", "yes", "on", "READ", " 1 "])
def test_any_value_but_those_for_no_is_read_only(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MCVIZ_READ_ONLY", value)
    with pytest.raises(NotPermittedError, match=r"Nothing can be done here: everything is read-only \(MCVIZ_READ_ONLY"):
        require_permission("Nothing can be done")


@pytest.mark.parametrize("value", ["", "0", "False", "no", " off "])
def test_the_values_for_no_leave_everything_as_it_is(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MCVIZ_READ_ONLY", value)
    assert may_write()


@pytest.mark.parametrize(
    ("listed", "asking", "may"),
    [
        (None, None, True),
        ("", "ann@example.org", False),
        ("ann@example.org", "ann@example.org", True),
        ("ann@example.org", "nn@example.org", False),
        ("ann@example.org,bob@example.org", "bob@example.org", True),
        ("ann@example.org bob@example.org\ncy@example.org", "cy@example.org", True),
        ("ann@example.org", "ann@example.org bob@example.org", False),
        ("ann@example.org", "", False),
    ],
)
def test_the_list_names_whole_addresses(
    monkeypatch: pytest.MonkeyPatch, person: Callable[[str | None], None], listed: str | None, asking: str, may: bool
) -> None:
    if listed is None:
        monkeypatch.delenv("MCVIZ_WRITERS", raising=False)
    else:
        monkeypatch.setenv("MCVIZ_WRITERS", listed)
    person(asking)
    assert may_write() == may


def test_the_list_is_for_the_dashboard_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permission, "_person", None)
    monkeypatch.setenv("MCVIZ_WRITERS", "ann@example.org")
    assert may_write()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "Everybody who reaches this dashboard may change what it shows"),
        ({"MCVIZ_READ_ONLY": "1"}, "Nobody may change anything (MCVIZ_READ_ONLY is set)"),
        ({"MCVIZ_READ_ONLY": "1", "MCVIZ_WRITERS": "ann"}, "Nobody may change anything (MCVIZ_READ_ONLY is set)"),
        ({"MCVIZ_WRITERS": " "}, "Nobody may change anything (MCVIZ_WRITERS is a list of nobody)"),
        ({"MCVIZ_WRITERS": "Ann,bob"}, "may change what this dashboard shows (MCVIZ_WRITERS): Ann, bob."),
    ],
)
def test_it_is_said_who_may_write(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str) -> None:
    for name in ("MCVIZ_READ_ONLY", "MCVIZ_WRITERS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert words in permission.describe_writers()
