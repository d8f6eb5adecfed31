"""A run that is removed, replaced or grown under a reader: the numbers that it had, or an error that says so."""

import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from mcviz.errors import CorruptRunError, PartialRunError, RunExistsError, RunNotFoundError
from mcviz.runs import Run, list_runs, open_run, remove_run, verify_run, writer
from mcviz.runs.storage import LocalFolder
from tests.cases import one_in
from tests.runs.making import make, make_partial, numbers

pytestmark = pytest.mark.attack


def begin_another(out: Path) -> None:
    remove_run(out)
    make_partial(out, seed=6)


def replace(out: Path, other: Path) -> None:
    remove_run(out)
    shutil.copytree(other, out)


CHANGES: dict[str, Callable[[Path, Path], object]] = {
    "removed": lambda out, _: remove_run(out),
    "begun again": lambda out, _: begin_another(out),
    "replaced": lambda out, whole: replace(out, whole / "other"),
    "made again": lambda out, whole: replace(out, whole / "again"),
    "grown": lambda out, _: make(out, passes=10),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    make(folder / "run")
    make(folder / "other", seed=6)
    make(folder / "again", created={"versions": {"numpy": "9"}})
    return folder


class At:
    """Does something once, right before the nth look at a folder."""

    def __init__(self, patch: pytest.MonkeyPatch, look: int, change: Callable[[], object]) -> None:
        self.left, self.change = look, change
        for name in ("read", "sizes"):
            patch.setattr(LocalFolder, name, self.looking(getattr(LocalFolder, name)))

    def looking(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def look(*arguments: Any) -> Any:
            self.left -= 1
            if self.left == -1:
                self.change()
            return real(*arguments)

        return look


def read_all(out: Path) -> object:
    return numbers(open_run(out))


@pytest.mark.parametrize(("use", "change"), one_in(7, product([read_all, verify_run], CHANGES)))
def test_no_healthy_run_is_called_damaged(
    tmp_path: Path, whole: Path, use: Callable[[Path], object], change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    truths = [str(use(whole / name)).replace(str(whole / name), "RUN") for name in ("run", "other", "again")]
    seen = set()
    for look in range(0, 60, 4):
        out = tmp_path / f"run-{look}"
        shutil.copytree(whole / "run", out)
        with monkeypatch.context() as patch:
            at = At(patch, look, lambda out=out: CHANGES[change](out, whole))
            try:
                result = str(use(out)).replace(str(out), "RUN")
                seen.add("numbers")
                assert result in truths or look == 0
            except (RunNotFoundError, PartialRunError):
                seen.add("told")
            except CorruptRunError as error:
                pytest.fail(f"before look {look}: {error}")
        if at.left >= 0:
            break
    assert "numbers" in seen
    assert change == "made again" or "told" in seen


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_that_is_open_says_what_became_of_it(tmp_path: Path, whole: Path, change: str) -> None:
    out = tmp_path / "run"
    shutil.copytree(whole / "run", out)
    run = open_run(out)
    run.probs(3)
    CHANGES[change](out, whole)
    if change == "made again":
        assert numbers(run) == numbers(open_run(whole / "run"))
        return
    for read in (lambda: run.probs(9), lambda: run.scores(), lambda: run.mean_probs):
        with pytest.raises(RunNotFoundError, match=f"There is no run at {out}|replaced by another run since"):
            read()


def test_what_was_removed_while_it_was_listed_is_not_listed(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for look in range(6):
        for name in ("a", "b"):
            shutil.copytree(whole / "run", tmp_path / name)
        with monkeypatch.context() as patch:
            At(patch, look, lambda: remove_run(tmp_path / "a"))
            states = {Path(run.path).name: run.state for run in list_runs(tmp_path)}
        assert states.pop("a", "finished") == "finished"
        assert states == {"b": "finished"}
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        shutil.rmtree(tmp_path / "b")


@pytest.mark.parametrize("moment", ["_sweep", "open_run"])
@pytest.mark.parametrize(
    ("change", "passes"),
    [("removed", None), ("begun again", None), ("replaced", None), ("made again", 6), ("grown", None)],
)
def test_writing_returns_the_run_that_was_asked_for_or_none(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, moment: str, change: str, passes: int | None
) -> None:
    real = getattr(writer, moment)
    pending = [lambda: CHANGES[change](tmp_path / "run", whole)]

    def replaced_before(folder: Any) -> Any:
        if pending:
            pending.pop()()
        return real(folder)

    monkeypatch.setattr(writer, moment, replaced_before)
    try:
        run: Run | None = make(tmp_path / "run")
    except (RunExistsError, RunNotFoundError, PartialRunError):
        run = None
    assert (run and run.passes) == passes


def test_of_two_that_want_more_passes_each_gets_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, pending = writer.open_run, [10]

    def fewer_first(out: Any) -> Run:
        if pending:
            pending.pop()
            remove_run(out)
            make(out, passes=4)
        return real(out)

    monkeypatch.setattr(writer, "open_run", fewer_first)
    assert make(tmp_path / "run", passes=6).passes == 6
