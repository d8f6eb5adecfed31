"""What the documents say is there: snippets run, commands parse, links lead somewhere, names are those of the code."""

import ast
import configparser
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import resolve_name
from types import FunctionType

import click
import pandas
import pytest
import streamlit as st
import xarray
import yaml
from streamlit import config

import mcviz
from mcviz import extras
from mcviz.analysis.requirements import REQUIREMENT_FORM, parse_non_inferiority, parse_requirement
from mcviz.app.navigation import PAGES
from mcviz.app.server import OPEN_FILES
from mcviz.app.wording import as_markdown
from mcviz.cli import commands, main
from mcviz.cli.usage import review
from mcviz.manifest import COLUMNS, Manifest
from mcviz.runs.decisions import FILE as DECISIONS
from mcviz.runs.derived import FILE as ADDED_SCORES
from mcviz.sampling.base import Network, Plan
from mcviz.variables import VARIABLES
from tests import requiring  # require_torch by its name would mark every test of this file
from tests.cases import only
from tests.docs.site import CONFIGURATION, generated_pages
from tests.documents import DOCS, PAST_FENCES, ROOT, find_blocks, run_snippets, working_folder
from tests.runs.test_export import WITHOUT_MCVIZ

RUN = ROOT / "cache" / "mnist-cnn"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
RECIPES = "docs/how-to/recipes.md"  # whose snippets tests/test_recipes.py runs
TUTORIAL = "docs/tutorial/your-own-model.md"
GENERATED = {ROOT / "docs" / page for page in generated_pages()}
IN_LINE = {name: re.findall(r"`([^`\n]+)`", text) for name, text in PAST_FENCES.items()}
PLACEHOLDER = re.compile(r"(?<![A-Za-z])[A-Z]{3,}(?![a-z])(?!E\.md)")  # NAME, RUN, IMAGES.npz, but not README.md


def cells(text: str, header: str) -> list[list[str]]:
    """The rows of the table whose head begins with a word."""
    (rows,) = re.findall(rf"^\| {header} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows.splitlines()]


def words_of(command: str) -> list[str]:
    """A command without comment, variables and what is left open."""
    words = [word for word in shlex.split(command, comments=True) if word != "…"]
    while words and re.match(r"[A-Z_]+=", words[0]):
        words.pop(0)
    return words


# Commands


def is_command_of_mcviz(words: list[str]) -> None:
    name, *arguments = words[1:]
    if name.startswith("-"):
        with pytest.raises(click.exceptions.Exit):
            commands.make_context("mcviz", [name])
    elif arguments or shlex.join(words) in IN_BLOCKS:
        commands.commands[name].make_context(name, arguments)  # parses, and runs nothing
    else:
        assert name in commands.commands


# Programs with their arguments, as Python starts them, in one process: each imports the same.
HELPS = """
import contextlib, io, json, os, runpy, sys
path = sys.path.copy()
for first, *arguments in json.loads(sys.argv[1]):
    name, *rest = arguments if first == "-m" else (first, *arguments)
    sys.argv, sys.path[:] = [name, *rest, "--help"], ["" if first == "-m" else os.path.dirname(name), *path]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            (runpy.run_module if first == "-m" else runpy.run_path)(name, run_name="__main__")
            failure = "it did not end"
        except SystemExit as end:
            failure = end.code
        except ImportError as error:
            failure = str(error)
    print(json.dumps([failure, printed.getvalue()]))
"""


@cache
def helps() -> dict[str, tuple[int | str | None, str]]:
    """How each program of ours ends where `--help` is added to its arguments, and what it prints."""
    words = [shlex.split(command)[1:] for command in PROGRAMS]
    command = [sys.executable, "-P", "-c", HELPS, json.dumps(words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return dict(zip(PROGRAMS, map(json.loads, done.stdout.splitlines()), strict=True))


def is_program_of_ours(words: list[str]) -> None:
    """It takes the arguments, whose options its help has."""
    failure, printed = helps()[shlex.join(words)]
    if failure == "No module named 'torch'":
        requiring.require_torch()
    assert not failure
    for option in (word for word in words if word.startswith("--")):
        assert option in printed


def is_installation(words: list[str]) -> None:
    assert words[1] == "install"
    if words[2] == "-r":
        assert (ROOT / words[3]).is_file()
    else:
        where, _, extra = words[2].rstrip("]").partition("[")
        assert (ROOT / where / "pyproject.toml").is_file()
        assert not extra or extra in EXTRAS


@pytest.mark.parametrize(
    ("extra", "line"), [("keras", extras.INSTALL_KERAS), ("torch", extras.INSTALL_TORCH), ("dask", extras.INSTALL_DASK)]
)
def test_what_an_error_says_to_install_is_what_the_extra_holds(extra: str, line: str) -> None:
    needed = {re.match(r"[\w-]+", each).group() for each in EXTRAS[extra]} - {"tensorflow-cpu"}
    assert line.split()[:2] == ["pip", "install"]
    assert set(line.split()[2:]) == needed
    assert as_markdown(line) == line, "it can be copied from a page"
    for install in (extras.INSTALL_KERAS, extras.INSTALL_TORCH):
        assert set(extras.INSTALL_NUMBA.split()[2:]) <= set(install.split()[2:])


def test_xarray_opens_a_run_as_the_readme_says() -> None:
    (opening,) = [each for each in IN_LINE["README.md"] if each.startswith("xarray.")]
    assert opening in WITHOUT_MCVIZ  # which is run, and warns of nothing


def is_served(words: list[str]) -> None:
    assert words[1] == "run"
    assert (ROOT / words[2]).is_file()


def is_container(words: list[str]) -> None:
    assert words[1] in ("build", "run")
    if words[1] == "build":
        assert (ROOT / words[words.index("-f") + 1]).is_file()
        assert (ROOT / words[-1]).is_dir()


def is_installed(words: list[str]) -> None:
    assert entry_points(group="console_scripts", name=words[0])


def is_command_of_dask(words: list[str]) -> None:
    assert entry_points(group="dask_cli", name=words[1])


def is_a_file_here(words: list[str]) -> None:
    assert (ROOT / words[0]).is_file()


def makes_the_proxy_s_passwords(words: list[str]) -> None:
    assert f"auth_basic_user_file {words[2]};" in DOCS["docs/how-to/deploy.md"]


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "mcviz": is_command_of_mcviz,
    "python": is_program_of_ours,
    "pip": is_installation,
    "streamlit": is_served,
    "podman": is_container,
    "dask": is_command_of_dask,
    "htpasswd": makes_the_proxy_s_passwords,
    "pre-commit": is_installed,
    "pytest": is_installed,
    "lint-imports": is_installed,
    ".ci/run": is_a_file_here,
}


def commands_of(lines: Iterable[str]) -> set[str]:
    return {shlex.join(words) for line in lines if (words := words_of(line))}


def lines_of(block: str) -> list[str]:
    return block.replace("\\\n", "").splitlines()


IN_BLOCKS = commands_of(line for text in DOCS.values() for block in find_blocks("", text) for line in lines_of(block))
NAMED = commands_of(
    code for codes in IN_LINE.values() for code in codes if re.search("[ /]", code) and code.split()[0] in CHECKS
)
COMMANDS = sorted(IN_BLOCKS | NAMED)
PROGRAMS = [command for command in COMMANDS if command.startswith("python")]


@pytest.mark.xdist_group("commands")  # the programs are started once
@pytest.mark.parametrize("command", only({*COMMANDS} - {*PROGRAMS}, COMMANDS))
def test_a_command_can_be_typed_as_it_stands(command: str) -> None:
    words = shlex.split(command)
    CHECKS[words[0]](words)


def test_the_commands_are_found() -> None:
    assert {"pip install -r requirements.txt", "streamlit run dashboard.py", "mcviz dashboard"} <= IN_BLOCKS
    assert {command.split()[0] for command in NAMED} >= {"mcviz", "python", "streamlit"}


def test_an_option_that_is_named_without_a_command_is_one_of_the_command_line_s() -> None:
    every = [*commands.commands.values(), *review.commands.values()]
    known = {option for each in every for parameter in each.params for option in parameter.opts}
    for name, codes in IN_LINE.items():
        assert {code.split()[0] for code in codes if code.startswith("--")} <= known, name


# Snippets


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder where what a snippet writes does not stay."""
    monkeypatch.chdir(working_folder(tmp_path))


@pytest.mark.parametrize(
    "name", [name for name in DOCS if name.startswith("docs/") and name not in (RECIPES, TUTORIAL)]
)
def test_every_python_snippet_of_the_docs_runs(name: str, folder: None) -> None:
    run_snippets(name)


@pytest.mark.slow
def test_the_tutorial_finds_the_labels_that_it_changed(folder: None) -> None:
    run_snippets(TUTORIAL)
    listing = [words_of(line) for block in find_blocks("", DOCS[TUTORIAL]) for line in lines_of(block)]
    steps = [words[1:] for words in listing if words[0] == "mcviz" and words[1] != "dashboard"]
    assert [step[0] for step in steps] == ["sample", "label-issues"]
    assert [main(step) for step in steps] == [0, 0]
    listed = pandas.read_csv("issues.csv")["example"]
    assert 17 <= len(listed) <= 44  # the interval that the page quotes
    assert (listed < 20).sum() >= 17  # of the twenty


def test_messages_are_quoted_as_the_code_has_them() -> None:
    """An ellipsis stands for what differs each time."""
    known = [text for path in (ROOT / "mcviz").rglob("*.py") for text in texts_of(path)]
    quoted = re.findall(r"^> (.+)$", DOCS["docs/troubleshooting.md"], re.MULTILINE)
    assert len(quoted) >= 10
    for message in quoted:
        pattern = re.compile(re.escape(message.strip("… ")).replace("…", ".*"), re.DOTALL)
        assert any(map(pattern.search, known)), message


def texts_of(path: Path) -> Iterator[str]:
    """The texts of a module, with an ellipsis for each value in them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(each.value if isinstance(each, ast.Constant) else "…" for each in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_block_is_of_a_language_that_a_test_knows() -> None:
    for name, text in DOCS.items():
        opening = re.findall(r"^```(\w*)$", text, re.MULTILINE)[::2]
        assert set(opening) <= {"", "python", "diff", "nginx", "mermaid", "toml", "yaml", "bash", "ini", "text"}, name


def test_requirements_are_written_as_the_document_says() -> None:
    text = DOCS["docs/how-to/gate.md"]
    assert [" ".join(block.split()) for block in find_blocks("text", text)] == [REQUIREMENT_FORM]
    requirements = [code for code in IN_LINE["docs/how-to/gate.md"] if re.search(r" [<>]=? [0-9]", code)]
    assert len(requirements) > 8
    for each in requirements:
        assert str(parse_requirement(each)) == each


def test_the_workflow_has_twelve_lines_and_keeps_what_its_gate_writes() -> None:
    (block,) = find_blocks("yaml", DOCS["docs/how-to/gate.md"])
    assert len(block.splitlines()) == 12
    steps = yaml.safe_load(block)["jobs"]["gate"]["steps"]
    _, installation, gate, summary, upload = steps
    is_installation(shlex.split(installation["run"]))
    words = shlex.split(gate["run"])
    is_command_of_mcviz(words)
    parse_non_inferiority(words[words.index("--require") + 1])
    folder = words[words.index("--summary") + 1]
    assert summary["run"] == f'cat {folder}/summary.md >> "$GITHUB_STEP_SUMMARY"'
    assert upload["with"]["path"] == folder
    assert summary["if"] == upload["if"] == "always()"


def test_the_service_starts_a_dashboard_and_sets_variables_that_are_read() -> None:
    (block,) = find_blocks("ini", DOCS["docs/how-to/deploy.md"])
    unit = configparser.ConfigParser(strict=False)
    unit.read_string(block)
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert program.endswith("/mcviz")
    is_command_of_mcviz(["mcviz", *arguments])
    variables = re.findall(r"^Environment=(\w+)=", block, re.MULTILINE)
    known = {option.env_var for option in config.get_config_options().values()} | {*VARIABLES}
    assert {*variables} <= known
    assert int(unit["Service"]["LimitNOFILE"]) == OPEN_FILES


def test_the_nightly_script_compares_with_the_latest_run_and_keeps_fourteen(tmp_path: Path) -> None:
    """A shell runs it, with a program in the place of mcviz that notes its arguments, and makes and removes folders."""
    (block,) = find_blocks("bash", DOCS["docs/how-to/gate.md"])
    program = tmp_path / "bin" / "mcviz"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\necho "$@" >> log\n[ "$1" = sample ] && mkdir -p "$7" && exit 0\n[ "$1" != remove ] || rmdir "$2"\n'
    )
    program.chmod(0o755)
    (tmp_path / "cache" / "mine").mkdir(parents=True)
    variables = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}

    def run_at_night() -> list[list[str]]:
        (tmp_path / "log").unlink(missing_ok=True)
        subprocess.run(["bash", "-c", block], cwd=tmp_path, env=variables, check=True, capture_output=True)
        return [line.split() for line in (tmp_path / "log").read_text().splitlines()]

    first = run_at_night()
    assert [words[0] for words in first] == ["sample", "trust"]
    (tonight,) = {words[1] for words in first if words[0] == "trust"}
    assert [words[0] for words in run_at_night()] == ["sample", "trust"]  # there is no other run yet
    (tmp_path / tonight).rmdir()
    for day in range(10, 26):
        (tmp_path / f"cache/2001-01-{day}").mkdir()
    compared, *removed = run_at_night()[2:]
    assert compared[:3] == ["compare", "cache/2001-01-25", tonight]
    assert [words[:2] for words in removed] == [["remove", f"cache/2001-01-{day}"] for day in (10, 11, 12)]
    assert (tmp_path / "cache" / "mine").is_dir()
    for line in re.findall(r"mcviz (?:sample|trust|compare|remove) .*", block):
        is_command_of_mcviz(shlex.split(line))


def test_the_login_s_file_is_one_that_streamlit_reads() -> None:
    (block,) = find_blocks("toml", DOCS["docs/how-to/deploy.md"])
    login = tomllib.loads(block)["auth"]
    needed = {"redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url"}
    assert login.keys() == needed  # as Streamlit's documentation of `st.login` lists them
    assert all(key in st.login.__doc__ for key in needed)
    assert login["redirect_uri"].endswith("/oauth2callback")


# Links and names


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCS)
def test_every_link_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", PAST_FENCES[name]):
        if not target.startswith("https://"):
            file, _, anchor = target.partition("#")
            path = (ROOT / name).parent / file if file else ROOT / name
            if path.resolve() not in GENERATED:  # whose anchors .ci/run checks when it builds the site
                assert path.exists(), target
                assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("name", DOCS)
def test_every_file_that_is_named_is_there(name: str) -> None:
    folders = ROOT, ROOT / "mcviz", (ROOT / name).parent, RUN
    for code in IN_LINE[name]:
        is_path = re.fullmatch(r"(?!/)[\w./-]*(/|/[\w.-]+|\.(py|md|toml|txt|csv|npz|json|parquet|zarr|keras))", code)
        if is_path and not PLACEHOLDER.search(code):
            passes = re.compile(r"-1000(?=\.)")  # of a run that grew
            assert code in (COLUMNS, ADDED_SCORES, DECISIONS) or any(
                (folder / passes.sub("", code)).exists() for folder in folders
            ), code


@pytest.mark.parametrize(
    "name",
    sorted(
        {code for codes in IN_LINE.values() for code in codes if re.fullmatch(r"mcviz(\.\w+)+", code)}
        - {"mcviz.load_torch"}  # which takes PyTorch: tests/test_readme.py
    ),
)
def test_every_name_of_the_package_is_there(name: str) -> None:
    resolve_name(name)


def test_the_public_api_is_the_page_s() -> None:
    named = re.findall(r"^::: mcviz\.(\w+)$", DOCS["docs/reference/python.md"], re.MULTILINE)
    assert sorted(named) == sorted(mcviz.__all__)


def attributes_on(page: str, of: type) -> set[str]:
    """Return the attributes that a page shows from the docstring of a class."""
    assert f"::: {of.__module__}.{of.__qualname__}" in DOCS[page].splitlines()
    return {*re.findall(r"^    (\w+): ", inspect.getdoc(of).partition("Attributes:")[2], re.MULTILINE)}


@pytest.mark.parametrize("of", [Network, Plan])
def test_the_protocol_describes_all_that_the_engine_asks_for(of: type) -> None:
    kinds = FunctionType, classmethod, property
    members = {name for name, member in vars(of).items() if isinstance(member, kinds) and member.__doc__}
    asked = {name for name in (*of.__annotations__, *vars(of)) if not name.startswith("_")}
    shown = attributes_on("docs/reference/protocol.md", of) | members
    assert {name for name in shown if not name.startswith("_")} == asked


def test_every_page_of_the_dashboard_is_described_with_a_picture() -> None:
    sections = re.split(r"^## ", DOCS["docs/tutorial/pages.md"], flags=re.MULTILINE)[1:]
    assert sorted(section.partition("\n")[0] for section in sections) == sorted(page.title for page in PAGES)
    for section in sections:
        title = section.partition("\n")[0]
        assert re.search(rf"^!\[{title}: .+\]\(\.\./pictures/{title.lower().replace(' ', '-')}\.png\)$", section, re.M)


def test_the_navigation_of_the_site_has_every_page() -> None:
    listed = re.findall(r'"([\w/-]+\.md)"', (ROOT / CONFIGURATION).read_text())
    pages = {path.relative_to(ROOT / "docs") for path in [*(ROOT / "docs").rglob("*.md"), *GENERATED]}
    assert sorted(listed) == sorted(page.as_posix() for page in pages if page.suffix == ".md")


def test_the_format_s_tables_are_those_of_the_run_that_ships() -> None:
    store = xarray.open_zarr(RUN / "predictions.zarr", consolidated=False, mask_and_scale=False)
    rows = {row[0].strip("`"): row[1:] for row in cells(DOCS["docs/reference/run-format.md"], "array")}
    assert set(rows) == set(store.data_vars)
    for name, (dimensions, kind, _) in rows.items():
        assert store[name].dims == tuple(dimensions.split(", "))
        assert re.match(r"\w+", kind).group() == store[name].dtype
    manifest = json.loads((RUN / "manifest.json").read_text())
    fields, others = attributes_on("docs/reference/run-format.md", Manifest), {"digest", "checksum"}
    assert fields == {*Manifest.__struct_fields__}
    assert others <= {*IN_LINE["docs/reference/run-format.md"]}
    assert {*manifest} <= fields | others


# Deploying


def test_the_container_copies_and_installs_what_is_there() -> None:
    lines = (ROOT / "docs" / "Containerfile").read_text().splitlines()
    copied = [source for line in lines if line.startswith("COPY") for source in line.split()[1:-1]]
    assert copied
    assert all((ROOT / source).exists() for source in copied)
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    for needed in wheel["only-include"]:
        assert any(Path(needed).is_relative_to(source) for source in copied), needed
    (extra,) = [extras.group(1) for line in lines if (extras := re.search(r"pip install .*\[(\w+)\]", line))]
    assert extra in EXTRAS
    for name in re.findall(r"ENV (\w+)=", "\n".join(lines)):
        assert name in {option.env_var for option in config.get_config_options().values()}


def test_the_proxy_the_container_and_the_command_agree_on_the_port() -> None:
    text, container = DOCS["docs/how-to/deploy.md"], (ROOT / "docs" / "Containerfile").read_text()
    (command,) = re.findall(r"^CMD (.*)$", container, re.MULTILINE)
    is_command_of_mcviz(json.loads(command))
    ports = [
        *re.findall(r"^EXPOSE (\d+)$", container, re.MULTILINE),
        *re.findall(r'"--port", "(\d+)"', command),
        *re.findall(r"proxy_pass +http://127\.0\.0\.1:(\d+);", text),
        *re.findall(r"mcviz dashboard .*--port (\d+)", text),
        *re.findall(r"-p 127\.0\.0\.1:(\d+):(\d+)", text)[0],
    ]
    assert len(ports) >= 6
    assert set(ports) == {"8501"}


def test_the_variables_of_streamlit_are_its_own() -> None:
    named = set(re.findall(r"STREAMLIT_\w+", DOCS["docs/how-to/deploy.md"]))
    assert named
    assert named <= {option.env_var for option in config.get_config_options().values()}


def test_the_two_commands_that_ci_types_are_those_of_the_readme() -> None:
    text, script = ((ROOT / name).read_text("utf-8") for name in ("README.md", ".ci/run"))
    for typed in (
        "pip install -r requirements.txt\nstreamlit run dashboard.py",
        "pip install -r requirements-dev.txt\npytest",
    ):
        assert f"```\n{typed}\n```" in text
        assert f'step "{typed.replace(chr(10), " && ")}' in script
