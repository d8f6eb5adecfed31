"""The end of a command that may gate a pipeline: print, summarise, fail.

A summary is Markdown with one picture, and a self-contained web page. Both escape names of runs, classes and examples.
"""

import base64
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from mcviz.analysis.requirements import Judgement
from mcviz.app.wording import as_inline_markdown, as_markdown
from mcviz.cli.base import print_json, say, tell
from mcviz.errors import InvalidInputError
from mcviz.figures.report import draw_in_page, web_page
from mcviz.measures import most_uncertain_first
from mcviz.plot import draw_contact_sheet
from mcviz.runs import Run
from mcviz.runs.verify import replaced_file
from mcviz.text import as_html, significant

Rows = list[Sequence[str]]  # of a table, the column names first
if TYPE_CHECKING:
    import plotly.graph_objects as go

    Section = tuple[str, Rows | bytes | go.Figure]  # a heading; a table, a picture or a chart

NOT_MET = 1  # the exit code
MOST_EXAMPLES = 24
MOST_COLUMNS = 8  # of a row of numbers
LONGEST = 200  # characters of a text
OUTCOMES = {True: "met", False: "not met", None: "means nothing here"}
PICTURE = "examples.png"
PICTURE_LABEL = "The most uncertain examples; a line under a picture marks a wrong prediction"
STYLE = """
.table { overflow-x: auto; } table { font-size: 14px; }
td, th { vertical-align: top; border-bottom: 1px solid #d5dde5; }
td { max-width: 32em; overflow-wrap: break-word; unicode-bidi: plaintext; } img { max-width: 100%; }
"""


@dataclass(frozen=True)
class Findings:
    """The findings of a command on a run.

    Attributes:
        run: the judged run, whose most uncertain examples a summary shows.
        score: to rank them by.
        sentences: the verdict.
        lines: printed behind the verdict.
        as_dict: printed as JSON in place of both.
        tables: of a summary, by heading.
        draw_charts: draws the charts of a summary, by heading.
    """

    run: Run
    score: str
    sentences: Sequence[str]
    lines: Sequence[str]
    as_dict: Mapping[str, Any]
    tables: Mapping[str, Rows]
    draw_charts: "Callable[[], Mapping[str, go.Figure]]"


def check_summary_folder(folder: Path) -> None:
    """Check that a folder can take a summary.

    Raises:
        InvalidInputError: it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InvalidInputError(f"A summary is written into a folder. Received: {folder}, a file. Name another one.")


def finish(findings: Findings, judgements: Sequence[Judgement], *, as_json: bool, folder: Path | None) -> None:
    """Print findings, and write the summary if a folder is given.

    Args:
        findings: of the command.
        judgements: of the requirements.
        as_json: whether JSON is printed.
        folder: of the summary's files, or None.

    Raises:
        click.exceptions.Exit: with code 1 if a requirement is not met.
        InvalidInputError: a requirement means nothing here; the summary is written before, and says so.
        StorageError: the summary cannot be written.
    """
    failed, refused = ([judgement for judgement in judgements if judgement.met is outcome] for outcome in (False, None))
    if as_json:
        print_json({**findings.as_dict, "requirements": list(map(_judgement_dict, judgements))})
    else:
        for line in [" ".join(findings.sentences), *findings.lines]:
            say(line.rstrip())
        if judgements and not failed and not refused:
            say(f"All requirements are met: {', '.join(judgement.requirement for judgement in judgements)}.")
    for judgement in failed:
        tell(f"not met: {judgement.requirement}; {judgement.in_words}.")
    if folder is not None:
        write_summary(folder, findings, judgements)
    if refused:
        raise InvalidInputError("\n".join(judgement.in_words for judgement in refused))
    if failed:
        raise click.exceptions.Exit(NOT_MET)


def _judgement_dict(judgement: Judgement) -> dict[str, Any]:
    parts = [
        {"part": part.part, "examples": part.examples, **asdict(part.found), "met": part.met}
        for part in judgement.parts
    ]
    figure = {"requirement": judgement.requirement, **asdict(judgement.found), "met": judgement.met}
    reason = {"reason": judgement.in_words} if judgement.met is None else {}
    return figure | reason | ({"parts": parts} if parts else {})


def write_summary(folder: Path, findings: Findings, judgements: Sequence[Judgement]) -> None:
    """Write `summary.md`, its picture, and `report.html`.

    Args:
        folder: created if missing.
        findings: of the command.
        judgements: of the requirements, if there were any.

    Raises:
        StorageError: a file cannot be written.
    """
    run, scores = findings.run, findings.run.score_registry
    score = scores[findings.score]
    uncertain = most_uncertain_first(score.name, run.scores()[score.name].to_numpy(), scores)[:MOST_EXAMPLES]
    failed = sum(not judgement.met for judgement in judgements)
    outcome = f"{failed} of {len(judgements)} requirements not met" if failed else "all requirements met"
    title = f"{run.name}: {outcome}" if judgements else run.name
    sections: list[Section] = list(findings.tables.items())
    if judgements:
        rows = [(judgement.requirement, judgement.in_words, OUTCOMES[judgement.met]) for judgement in judgements]
        sections.insert(0, ("Requirements", [("requirement", "found", ""), *rows]))
        for place, judgement in enumerate((judged for judged in judgements if len(judged.parts) > 1), 1):
            parts = [(part.part, f"{part.examples:,}", part.in_words, OUTCOMES[part.met]) for part in judgement.parts]
            sections.insert(place, (judgement.requirement, [("part", "examples", "found", ""), *parts]))
    sections += findings.draw_charts().items()
    heading, picture = f"The {len(uncertain)} most uncertain examples, by {score.inline_label}", b""
    if run.has_images:
        file = io.BytesIO()
        draw_contact_sheet(run, uncertain).save(file, "PNG")
        picture = file.getvalue()
        sections.append((heading, picture))
        heading = "The same examples in a table"
    sections.append((heading, _example_rows(run, uncertain, score.name)))
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "summary.md": "\n\n".join(_markdown(title, findings.sentences, sections)).encode() + b"\n",
        "report.html": web_page(title, _html(title, findings.sentences, sections), STYLE).encode(),
        PICTURE: picture,
    }
    for name, content in files.items():
        if content:
            with replaced_file(folder / name) as temporary:
                temporary.write_bytes(content)


def _markdown(title: str, sentences: Sequence[str], sections: "Sequence[Section]") -> Iterator[str]:
    """Yield the blocks of the Markdown file, without charts."""
    yield f"# {as_inline_markdown(title)}"
    yield as_markdown(" ".join(sentences))
    for heading, content in sections:
        if isinstance(content, bytes):
            yield f"## {as_inline_markdown(heading)}"
            yield f"![{PICTURE_LABEL}]({PICTURE})"
        elif isinstance(content, list):
            yield f"## {as_inline_markdown(heading)}"
            head, *body = (f"| {' | '.join(map(as_inline_markdown, row))} |" for row in content)
            yield "\n".join([head, f"|{'---|' * len(content[0])}", *body])


def _html(title: str, sentences: Sequence[str], sections: "Sequence[Section]") -> Iterator[str]:
    yield f"<h1>{as_html(title)}</h1>"
    yield f"<p>{as_html(' '.join(sentences))}</p>"
    charts = draw_in_page(content for _, content in sections if not isinstance(content, bytes | list))
    for heading, content in sections:
        yield f"<h2>{as_html(heading)}</h2>"
        if isinstance(content, bytes):
            yield f'<img alt="{PICTURE_LABEL}" src="data:image/png;base64,{base64.b64encode(content).decode()}">'
        elif isinstance(content, list):
            head, *body = content
            yield f'<div class="table"><table><tr>{"".join(f"<th>{as_html(cell)}</th>" for cell in head)}</tr>'
            yield from (f"<tr>{''.join(f'<td>{as_html(cell)}</td>' for cell in row)}</tr>" for row in body)
            yield "</table></div>"
        else:
            yield next(charts)


def _example_rows(run: Run, examples: np.ndarray, score: str) -> Rows:
    table, names = run.scores().iloc[examples], dict(enumerate(run.class_names) if run.task.has_one_class else ())
    columns_of_task = [*run.task.named_columns] + [
        name for name in run.task.table_columns(run.targets) if name != "correct" and table[name].notna().all()
    ]
    columns = [["example", *map(str, examples)], ["id", *table["id"]]]
    columns += [[name, *(names.get(value) or _shorten(value) for value in table[name])] for name in columns_of_task]
    columns += [[score, *(run.score_registry[score].format(value, run.manifest.unit) for value in table[score])]]
    if run.manifest.examples.content:
        content = run.content.iloc[examples, :MOST_COLUMNS]
        columns += [[name, *map(_shorten, content[name])] for name in content]
    return list(zip(*columns, strict=True))


def _shorten(value: str | float | None) -> str:
    text = "–" if value is None else value if isinstance(value, str) else significant(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
