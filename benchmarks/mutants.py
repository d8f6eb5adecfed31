"""Change mcviz at random places, and count how many of the changes the tests of the changed line detect.

`record` runs tests under Python 3.12 or later and keeps the lines that each passing test runs. `judge` draws mutants
with a seed, and runs the tests of each one's line, the quickest first, until one fails: those of `pytest` first, and
then the slow ones. A mutant outside every function, or on a line that no test runs after the import, is judged by all
tests of its file. At the end, `judge` runs each test that detected a mutant on the unchanged project, and names those
that fail there too.
"""

import argparse
import ast
import faulthandler
import itertools
import json
import os
import random
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import CodeType

import pytest

ROOT = Path(__file__).parents[1]
TOOL = 4  # of sys.monitoring; hypothesis takes 3
FOLDER = "LINES_OF_MCVIZ"  # the variable that tells the processes of `record` where to write; MCVIZ_ is for users
PRELOADED = "numpy", "pandas", "scipy.special", "plotly.graph_objects", "streamlit.testing.v1", "zarr", "hypothesis"
# Of pytest: what is preloaded cannot be rewritten any more.
QUIET = "-q", "-n", "0", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"
SECONDS = 300  # of a processor, beyond twice those recorded, after which a mutant counts as detected: it hangs
BATCH = 10  # recorded seconds of the tests that run first, which need few files of tests
COMPARISONS: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One changed expression: its file and lines, its place in the file's bytes, and the text that replaces it."""

    path: str
    lines: range
    is_in_function: bool
    place: slice
    text: str

    def apply(self, source: bytes) -> bytes:
        """Return the changed file."""
        return source[: self.place.start] + self.text.encode() + source[self.place.stop :]


@dataclass(frozen=True)
class Recorded:
    """One test, the seconds of a processor that it takes, and the lines of mcviz that it runs by their files."""

    name: str
    seconds: float
    is_slow: bool
    lines: dict[str, list[int]]

    def runs(self, mutant: Mutant) -> bool:
        """Whether the test runs the mutant's lines, or its file where the mutant is in no function."""
        lines = self.lines.get(mutant.path, ())
        return bool(lines) and (not mutant.is_in_function or any(line in mutant.lines for line in lines))


def change(node: ast.AST) -> ast.AST | None:
    """Return a changed copy of an expression or statement, or None where there is none."""
    match node:
        case ast.Compare(left, [operator], comparators):
            return ast.Compare(left, [COMPARISONS[type(operator)]()], comparators)
        case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
            return ast.BinOp(left, OPERATORS[type(operator)](), right)
        case ast.BoolOp(operator, values):
            return ast.BoolOp(OPERATORS[type(operator)](), values)
        case ast.UnaryOp(ast.Not(), operand):
            return operand
        case ast.Constant(bool(value)):
            return ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            return ast.Constant(value + 1)
        case ast.Return(value) if value is not None:
            return ast.Return(None)
        case ast.Expr(ast.Call()):
            return ast.Pass()
    return None


def find_mutants(path: str, source: bytes) -> Iterator[Mutant]:
    """Yield every mutant of a file but those in annotations and f-strings."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def visit(node: ast.AST, is_in_function: bool) -> Iterator[Mutant]:
        changed = change(node)
        if changed and isinstance(node, ast.expr | ast.stmt):
            last, column = node.end_lineno or node.lineno, node.end_col_offset or 0
            place = slice(starts[node.lineno - 1] + node.col_offset, starts[last - 1] + column)
            text = ast.unparse(ast.fix_missing_locations(changed))
            text = text if isinstance(node, ast.stmt) else f"({text})"
            yield Mutant(path, range(node.lineno, last + 1), is_in_function, place, text)
        is_in_function |= isinstance(node, ast.FunctionDef | ast.Lambda)
        for name, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                is_code = isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr)
                if is_code and name not in ("annotation", "returns"):
                    yield from visit(child, is_in_function)

    yield from visit(ast.parse(source), False)


class Recorder:
    """A plug-in of pytest that writes what each test runs."""

    def __init__(self, folder: Path) -> None:
        self.file = (folder / f"{os.getpid()}.jsonl").open("a")
        self.seen: dict[str, set[int]] = {}
        self.monitoring = import_module("sys").monitoring  # which Python 3.11 has not
        self.monitoring.use_tool_id(TOOL, "mutants")
        self.monitoring.register_callback(TOOL, self.monitoring.events.LINE, self._see)
        self.monitoring.set_events(TOOL, self.monitoring.events.LINE)

    def _see(self, code: CodeType, line: int) -> object:
        if code.co_filename.startswith(f"{ROOT}/mcviz/"):
            self.seen.setdefault(str(Path(code.co_filename).relative_to(ROOT)), set()).add(line)
        return self.monitoring.DISABLE  # until the next test

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Write one test's name, time and lines."""
        self.seen = {}
        self.monitoring.restart_events()
        began, failures = sum(os.times()[:4]), item.session.testsfailed
        result = yield
        lines = {path: sorted(numbers) for path, numbers in self.seen.items()}
        name, is_slow = item.nodeid.partition("@")[0], item.get_closest_marker("slow") is not None
        row = {"name": name, "seconds": sum(os.times()[:4]) - began, "is_slow": is_slow, "lines": lines}
        if item.session.testsfailed == failures:
            print(json.dumps(row), file=self.file, flush=True)
        return result


def pytest_configure(config: pytest.Config) -> None:
    """Record in each process that runs tests."""
    if FOLDER in os.environ and (hasattr(config, "workerinput") or not config.getoption("numprocesses", None)):
        config.pluginmanager.register(Recorder(Path(os.environ[FOLDER])))


def read_tests(folder: Path) -> list[Recorded]:
    """Read the recorded tests, those of `pytest` before the slow ones and the quickest first."""
    rows = (json.loads(line) for file in folder.glob("*.jsonl") for line in file.read_text().splitlines())
    return sorted((Recorded(**row) for row in rows), key=lambda test: (test.is_slow, test.seconds))


class Chosen:
    """A plug-in of pytest that runs some tests in their order, and writes the names of those that fail."""

    def __init__(self, names: list[str], file: Path) -> None:
        self.places = {name: place for place, name in enumerate(names)}
        self.file = file

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the chosen tests, in the order of their names."""
        chosen = [item for item in items if item.nodeid in self.places]
        items[:] = sorted(chosen, key=lambda item: self.places[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the name of a test that fails."""
        if report.failed:
            with self.file.open("a") as file:
                print(report.nodeid, file=file)


def find_failures(project: Path, tests: list[Recorded], options: list[str]) -> list[str]:
    """Return the tests that fail in a copy of the project, run in a fork that shares the imported libraries.

    A fork that ends in another way than a test run does, or takes too long, counts as a failure of its own.
    """
    failures = project.parent / "failures"
    failures.unlink(missing_ok=True)
    names = [test.name for test in tests]
    files = dict.fromkeys(name.partition("::")[0] for name in names)
    child = os.fork()
    if child == 0:
        os.chdir(project)
        os.environ["PYTHONPATH"] = str(project)
        sys.path[:] = [str(project), *(path for path in sys.path if Path(path).resolve() != ROOT)]
        sys.dont_write_bytecode = True
        seconds = SECONDS + 2 * round(sum(test.seconds for test in tests))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        code = 1
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            faulthandler.dump_traceback_later(10 * seconds, exit=True, file=nowhere)
            try:
                arguments = [*files, "-m", "slow or not slow", *options, *QUIET]
                code = pytest.main(arguments, plugins=[Chosen(names, failures)])
            finally:
                os._exit(code)
    status = os.waitpid(child, 0)[1]
    if failures.exists():
        return failures.read_text().splitlines()
    ended = os.waitstatus_to_exitcode(status)
    is_sound = ended in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    return [] if is_sound else [f"the run, which ends with {ended}"]


def judge(mutant: Mutant, project: Path, tests: list[Recorded], options: list[str]) -> tuple[str, str]:
    """Return who detects a mutant in a copy of the project, "pytest", "slow tests" or "nobody", and the test."""
    file = project / mutant.path
    source = file.read_bytes()
    file.write_bytes(mutant.apply(source))
    chosen = [test for test in tests if test.runs(mutant)] or [test for test in tests if mutant.path in test.lines]
    quick = [test for test in chosen if not test.is_slow]
    first = sum(seconds <= BATCH for seconds in itertools.accumulate(test.seconds for test in quick))
    slow = [test for test in chosen if test.is_slow]
    try:
        for who, batch in (("pytest", quick[:first]), ("pytest", quick[first:]), ("slow tests", slow)):
            failures = find_failures(project, batch, ["-x", *options]) if batch else []
            if failures:
                return who, failures[0]
        return "nobody", ""
    finally:
        file.write_bytes(source)


def draw_mutants(project: Path, seed: int, count: int) -> list[Mutant]:
    """Draw mutants of all files of mcviz, each as likely as any other."""
    files = sorted((project / "mcviz").rglob("*.py"))
    everything = [
        mutant for file in files for mutant in find_mutants(str(file.relative_to(project)), file.read_bytes())
    ]
    return random.Random(seed).sample(everything, count)


def main() -> int:
    """Record the lines of tests, or judge mutants by them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["record", "judge"])
    parser.add_argument("folder", type=Path, help="where the lines of tests are kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=300, help="of mutants")
    given, options = parser.parse_known_args()
    if given.command == "record":
        given.folder.mkdir(parents=True)
        os.environ[FOLDER] = str(given.folder.absolute())
        return pytest.main(["-p", "benchmarks.mutants", "-m", "slow or not slow", *options])
    for name in PRELOADED:
        import_module(name)
    tests, found = read_tests(given.folder), {"pytest": 0, "slow tests": 0, "nobody": 0}
    detectors: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        project = shutil.copytree(ROOT, Path(folder) / ROOT.name, ignore=shutil.ignore_patterns(".git", ".*_cache"))
        for mutant in draw_mutants(project, given.seed, given.count):
            who, test = judge(mutant, project, tests, options)
            found[who] += 1
            detectors.add(test)
            text = " ".join(mutant.text.split())[:60]
            print(f"{mutant.path}:{mutant.lines[0]}", text, who, test, sep="\t", flush=True)
        unchanged = find_failures(project, [test for test in tests if test.name in detectors], options)
    print(*(f"detected by {who}: {count} of {given.count}" for who, count in found.items()), sep="\n")
    print(*(f"fails without a change: {name}" for name in unchanged), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
