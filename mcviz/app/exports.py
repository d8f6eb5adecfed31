"""The selection as files to take away: scores, a sheet of the images, and a report that opens without a network."""

import html
import io
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np

from mcviz.app.kinds import kind_renderer
from mcviz.app.resources import Need, class_names, details, format_facts, has, run_numbers, run_scores
from mcviz.app.selection import Selection
from mcviz.app.tasks import task_renderer
from mcviz.app.wording import counted, direction
from mcviz.figures import CRISP_BELOW, contact_sheet, png, sheet_url, thumbnails
from mcviz.figures.report import draw_in_page, web_page
from mcviz.runs import Run
from mcviz.text import as_html

SHEET_EXAMPLES = 1_000
SHEET_TILE = 256  # pixels that a larger image is scaled down to
REPORT_EXAMPLES = 96
REPORT_COLUMNS = 12
CHART_HEIGHT = 440  # pixels, at which the squares of ten classes do not touch
MOST_FACTS = 8  # columns of the user's own that a tile lists; the CSV has all
REPORT_TILE_HEIGHT = 160  # pixels, at most
REPORT_TILE = 112  # pixels that a larger image is scaled down to, about as wide as it is shown
# Charts are drawn one by one while the page is read: `auto-fit` would give the first of them the width of all columns.
STYLE = """
.quiet { color: #566371; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(420px, 100%), 1fr)); gap: 16px; }
.charts > * { min-width: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 10px; }
.tiles.wide { grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); }
.tile { border: 1px solid #d5dde5; border-radius: 8px; overflow: hidden; font-size: 13px; }
.tile.wrong { border-bottom: 3px solid #d55e00; } .tile p { margin: 4px 8px; }
.tile span { display: block; overflow-wrap: anywhere; }
.tiles.texts { grid-template-columns: repeat(auto-fill, minmax(min(240px, 100%), 1fr)); }
.tile .text { margin: 8px 8px 0; font-size: 15px; overflow: hidden; overflow-wrap: anywhere; unicode-bidi: plaintext;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 6; }
.tile div { margin: 0 auto; background-repeat: no-repeat; } .crisp { image-rendering: pixelated; }
"""


def csv(selection: Selection) -> bytes:
    """Write all scores of the selected examples as CSV, in the order of the ranking.

    The names of the classes are in it as they are, so that what reads it finds them again. A spreadsheet may take one
    that begins with =, +, - or @ for a formula.
    """
    return task_renderer(selection.run).export_table(selection).to_csv(index=False).encode()


def parquet(selection: Selection) -> bytes:
    """Write all scores of the selected examples as Parquet, in the order of the ranking."""
    file = io.BytesIO()
    task_renderer(selection.run).export_table(selection).to_parquet(file, index=False)
    return file.getvalue()


def sheet(selection: Selection) -> bytes:
    """Write the images of the first 1,000 selected examples as one PNG, in the order of the ranking."""
    examples = selection.examples[:SHEET_EXAMPLES]
    columns = max(1, int(np.ceil(np.sqrt(len(examples)))))
    pictures = thumbnails((selection.run.pictures[int(example)] for example in examples), SHEET_TILE)
    return png(contact_sheet(pictures, columns))


def report(selection: Selection, link: str = "") -> str:
    """Write a web page of its own with the run, the selection, its charts and its first 96 examples.

    Args:
        selection: what it is about.
        link: the address that shows it in the dashboard; empty where there is none.
    """
    run = selection.run
    name, score = as_html(run.name), run_scores(run)[selection.score]
    heading = f"How well the labels of {name} fit" if score.needs_labels else f"What {name} is uncertain about"
    end = direction(score, selection.state.order)
    filters = ", ".join(label for label, _ in selection.filters.chips(class_names(run), run_numbers(run))) or "none"
    figures = task_renderer(run).summary_figures(selection) if len(selection.examples) else []
    parts = [
        f"<h1>{heading}</h1>",
        f'<p class="quiet">{counted(run.passes, "pass")} over {counted(len(run), "example")}{_describe_passes(run)}. '
        f"Run {run.digest[:12]}.</p>",
        _qualities(run),
        "<h2>The matching examples</h2>",
        f"<p>{len(selection.examples):,} of {len(run):,} examples. Filters: {html.escape(filters)}. "
        f"Ranked by {score.inline_label}, {end} first. {html.escape(score.meaning)}</p>",
        _link(link),
        f'<div class="charts">{"".join(draw_in_page(figures, CHART_HEIGHT))}</div>',
        f"<h2>The first {min(len(selection.examples), REPORT_EXAMPLES)} examples</h2>",
        _tiles(selection),
    ]
    return web_page(f"{run.name}: {len(selection.examples):,} examples", parts, STYLE)


def _link(link: str) -> str:
    address = html.escape(link)
    return f'<p>In the dashboard: <a href="{address}">{address}</a></p>' if link else ""


def _describe_passes(run: Run) -> str:
    """Say how the masks of the passes were drawn, or where the passes were made."""
    if run.manifest.origin.kind == "imported":
        return f", imported from {as_html(run.manifest.origin.source or 'elsewhere')}"
    return f", with Monte Carlo dropout, {run.manifest.sampling_summary}"


def _qualities(run: Run) -> str:
    rows = task_renderer(run).quality_rows(run)
    if not rows:
        return "<p>The examples have no labels, so it is not known how right the predictions are.</p>"
    cells = "".join(f"<tr><td>{name}</td><td><b>{html.escape(value)}</b></td></tr>" for name, value in rows.items())
    return f"<table>{cells}</table>"


def _tiles(selection: Selection) -> str:
    examples = selection.examples[:REPORT_EXAMPLES]
    if len(examples) == 0:
        return "<p>No example matches all filters.</p>"
    run, rows, style, crisp = selection.run, -(-len(examples) // REPORT_COLUMNS), "", ""
    if has(run, "images"):
        pictures = run.pictures[examples]
        height, width = pictures.shape[1:3]
        crisp = "crisp" if max(height, width) < CRISP_BELOW else ""
        # One picture for all tiles; each shows its own part of it.
        source = sheet_url(pictures, REPORT_COLUMNS, REPORT_TILE)
        style = (
            f"<style>.tile div {{ aspect-ratio: {width / height}; background-image: url({source}); "
            f"background-size: {100 * REPORT_COLUMNS}% {100 * rows}%; "
            f"max-width: {REPORT_TILE_HEIGHT * width / height:.0f}px; }}</style>"
        )
    own, score = details(run)[:MOST_FACTS], run_scores(run)[selection.score]
    contents = () if style else kind_renderer(run).tiles(run, examples).details
    contents, tiles = contents or ({},) * len(examples), []
    for index, (example, row, more) in enumerate(
        zip(examples, selection.table.iloc[: len(examples)].to_dict("records"), contents, strict=True)
    ):
        across = 100 * (index % REPORT_COLUMNS) / (REPORT_COLUMNS - 1)
        down = 100 * (index // REPORT_COLUMNS) / max(rows - 1, 1)
        text = task_renderer(run).tile_text(run, row)
        predicted = f"{'✗ ' if text.wrong else ''}predicted {text.prediction}"
        words = [f"label {text.label}", predicted] if text.label else [predicted]
        lines = "".join(f"<span>{html.escape(word)}</span>" for word in words)
        facts = (html.escape(f"{name} {fact}") for name, fact in [*more.get("facts", ()), *format_facts(own, row)])
        lines += "".join(f"<span>{fact}</span>" for fact in facts)
        value = html.escape(score.format(row[selection.score]))
        content = f'<p class="text">{html.escape(more["text"])}</p>' if more.get("text") else ""
        picture = (
            f'<div class="{crisp}" role="img" aria-label="example {example}" '
            f'style="background-position: {across}% {down}%"></div>'
        )
        tiles.append(
            f'<div class="tile{" wrong" if text.wrong else ""}">{picture if style else content}'
            f"<p>#{index + 1} · example&nbsp;{example}{lines}{value}</p></div>"
        )
    size = " texts" if "text" in contents[0] else " wide" if own or "facts" in contents[0] else ""
    return style + f'<div class="tiles{size}">{"".join(tiles)}</div>'


@dataclass(frozen=True)
class Export:
    """A file to take away.

    Attributes:
        label: what its button says.
        mime: its media type.
        make: its content, of a selection.
        needs: what a run has to have for it to be offered.
        linked: whether `make` takes the address of the selection as well.
    """

    label: str
    mime: str
    make: Callable[..., bytes | str]
    needs: Collection[Need] = field(default_factory=frozenset)
    linked: bool = False


EXPORTS = {  # by the ending of the file's name
    "csv": Export("Scores as CSV", "text/csv", csv),
    "parquet": Export("Scores as Parquet", "application/vnd.apache.parquet", parquet),
    "png": Export("Images as one PNG", "image/png", sheet, needs={"images"}),
    "html": Export("Report as HTML", "text/html", report, linked=True),
}
