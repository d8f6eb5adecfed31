"""Build the site of docs/, with every warning an error: `python -m tests.docs.site FOLDER`.

It takes the packages of docs/requirements.txt. The pages on commands are written from the command line itself.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

from mcviz.cli import commands, main
from mcviz.tasks import TASKS
from tests.documents import ROOT

CONFIGURATION = "zensical.toml"
COMMANDS = Path("reference", "commands")  # the folder of their pages
NOTEBOOK = Path("tutorial", "first-look.md")
SCORES = Path("reference", "scores.md")
SHARED_RUN = "mnist-cnn.html"
TITLES = {
    "classification": "Classes",
    "multilabel": "Several labels",
    "segmentation": "Segmentation",
    "regression": "Regression",
}


def named_commands(group: click.Group = commands, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its full name, such as `review import`."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from named_commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def generated_pages() -> set[Path]:
    """Return the pages that `build_site` writes, relative to docs/."""
    pages = {COMMANDS / f"{name.replace(' ', '-')}.md" for name, _ in named_commands()}
    return {*pages, COMMANDS / "index.md", NOTEBOOK, SCORES, Path(SHARED_RUN)}


def write_command_pages(folder: Path) -> None:
    """Write a page on each command, and one that lists them."""
    folder.mkdir(parents=True)
    listed = ["# Commands", "`mcviz COMMAND --help` prints the same text as these pages."]
    for name, command in named_commands():
        page = f"{name.replace(' ', '-')}.md"
        (folder / page).write_text(describe_command(name, command), encoding="utf-8")
        listed.append(f"- [`mcviz {name}`]({page}): {as_text(command.get_short_help_str(limit=200))}")
    (folder / "index.md").write_text("\n\n".join(listed) + "\n", encoding="utf-8")


def describe_command(name: str, command: click.Command) -> str:
    """Describe a command, its arguments and its options in Markdown."""
    context = click.Context(command, info_name=f"mcviz {name}")
    pieces = " ".join(command.collect_usage_pieces(context))
    parts = [f"# mcviz {name}", f"```text\nmcviz {name} {pieces}\n```", as_text(cleandoc(command.help or ""))]
    records = [each.get_help_record(context) for each in command.get_params(context) if isinstance(each, click.Option)]
    options = [f"`{option}`\n:   {as_text(words)}" for option, words in filter(None, records)]
    return "\n\n".join([*parts, "## Options", *options]) + "\n"


def scores_page() -> str:
    """Describe every score in Markdown: its definition is the first line of its docstring."""
    parts = ["# Scores", "A score is one number for each example, computed from the passes. Entropies are in nats."]
    for task, title in TITLES.items():
        parts.append(f"## {title}")
        for score in TASKS[task].scores.values():
            unit = score.unit.replace("target", "unit of the target") or "no unit"
            definition = as_text(cleandoc(score.function.__doc__ or "").partition("\n")[0])
            parts.append(f"**{score.label}** ({unit}, uncertain if {score.uncertain_when})\n:   {definition}")
            parts.append(f"    {as_text(score.meaning)}")
    return "\n\n".join(parts) + "\n"


def as_text(words: str) -> str:
    """Escape in plain text whatever Markdown would read as markup."""
    return re.sub(r"([\\`*_<>\[\]|])", r"\\\1", words.replace("\b", "").strip())


def notebook_page(notebook: dict[str, Any]) -> str:
    """Return a notebook and its outputs in Markdown."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(f"```python\n{source}\n```" if cell["cell_type"] == "code" else source)
        parts += [show_output(output["data"]) for output in cell.get("outputs", ())]
    return "\n\n".join(parts) + "\n"


def show_output(data: dict[str, Any]) -> str:
    """Return the output of a cell in HTML."""
    if "image/png" in data:
        alt = "".join(data["text/plain"])
        return f'<p><img alt="{alt}" src="data:image/png;base64,{"".join(data["image/png"]).strip()}"></p>'
    html = re.sub(
        r'<style.*?</style>\n?| border="1"| class="dataframe"', "", "".join(data["text/html"]), flags=re.DOTALL
    )
    return "\n".join(line.strip() for line in html.splitlines() if line.strip())


def build_site(folder: Path) -> None:
    """Write the generated pages beside a copy of docs/, and build the site into a folder that is not there yet.

    Raises:
        SystemExit: Zensical or mkdocstrings warns, or a command fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch)
        docs = source / "docs"
        shutil.copytree(ROOT / "docs", docs)
        shutil.copy(ROOT / CONFIGURATION, source)
        write_command_pages(docs / COMMANDS)
        notebook = json.loads((docs / "first-look.ipynb").read_text(encoding="utf-8"))
        (docs / SCORES).write_text(scores_page(), encoding="utf-8")
        (docs / NOTEBOOK).write_text(notebook_page(notebook), encoding="utf-8")
        if main(["share", str(ROOT / "cache" / "mnist-cnn"), "--to", str(docs / SHARED_RUN)]):
            raise SystemExit("The run is not shared.")
        (source / "mcviz").symlink_to(ROOT / "mcviz")  # whose docstrings mkdocstrings reads
        done = subprocess.run(
            [sys.executable, "-m", "zensical", "build", "--strict"],
            cwd=source,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode or "griffe:" in done.stdout:  # whose warnings about docstrings Zensical ignores
            raise SystemExit(f"{done.stdout}\nThe site has warnings.")
        shutil.copytree(source / "site", folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of the site; it is made")
    build_site(parser.parse_args().folder)
