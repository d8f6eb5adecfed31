"""The selection as files to take away: scores, a sheet of the images, and a report that opens without a network."""

import html
import io
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from mcviz.app.columns import facts_of, own_columns
from mcviz.app.needs import Need, has
from mcviz.app.resources import class_names
from mcviz.app.selection import Selection
from mcviz.app.wording import accuracy_labels, counted
from mcviz.figures import (
    CRISP_BELOW,
    accuracy_against_ensemble,
    accuracy_by_ensemble_size,
    confusion_matrix,
    contact_sheet,
    png,
    score_distributions,
    sheet_url,
    thumbnails,
)
from mcviz.measures import SCORES
from mcviz.runs import Run
from mcviz.text import one_line

SHEET_EXAMPLES = 1_000
SHEET_TILE = 256  # pixels that a larger image is scaled down to
REPORT_EXAMPLES = 96
COLUMNS = 12
CHART_HEIGHT = 440  # pixels, at which the squares of ten classes do not touch
MOST_FACTS = 8  # columns of the user's own that a tile lists; the CSV has all
TALLEST = 160  # pixels, of a tile's picture
TILE = 112  # pixels that a larger image is scaled down to, about as wide as it is shown
# Charts are drawn one by one while the page is read: `auto-fit` would give the first of them the width of all columns.
STYLE = """
html { scrollbar-gutter: stable; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2733; background: #fff; max-width: 1080px; margin: 32px auto;
  padding: 0 16px; }
h1, h2 { line-height: 1.2; } .quiet { color: #566371; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(420px, 100%), 1fr)); gap: 16px; }
.charts > * { min-width: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 10px; }
.tiles.wide { grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); }
.tile { border: 1px solid #d5dde5; border-radius: 8px; overflow: hidden; font-size: 13px; }
.tile.wrong { border-bottom: 3px solid #d55e00; } .tile p { margin: 4px 8px; }
.tile span { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.tile .own { white-space: normal; overflow-wrap: anywhere; }
.tile div { margin: 0 auto; background-repeat: no-repeat; } .crisp { image-rendering: pixelated; }
table { border-collapse: collapse; } td, th { padding: 4px 12px 4px 0; text-align: left; }
"""


def csv(selection: Selection) -> bytes:
    """All scores of the selected examples as CSV, in the order of the ranking.

    The names of the classes are in it as they are, so that what reads it finds them again. A spreadsheet may take one
    that begins with =, +, - or @ for a formula.
    """
    return _named(selection).to_csv(index=False).encode()


def parquet(selection: Selection) -> bytes:
    """All scores of the selected examples as Parquet, in the order of the ranking."""
    file = io.BytesIO()
    _named(selection).to_parquet(file, index=False)
    return file.getvalue()


def sheet(selection: Selection) -> bytes:
    """The images of the first 1,000 selected examples as one PNG, row by row in the order of the ranking."""
    examples = selection.examples[:SHEET_EXAMPLES]
    columns = max(1, int(np.ceil(np.sqrt(len(examples)))))
    pictures = thumbnails((selection.run.pictures[int(example)] for example in examples), SHEET_TILE)
    return png(contact_sheet(pictures, columns))


def report(selection: Selection) -> str:
    """A web page of its own with the run, the selection, its charts and its first 96 examples."""
    run = selection.run
    name, names = html.escape(one_line(run.name)), class_names(run)
    filters = ", ".join(label for label, _ in selection.filters.chips(names)) or "none"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: {len(selection.examples):,} examples</title><style>{STYLE}</style>
<script>{get_plotlyjs()}</script></head><body>
<h1>What {name} is uncertain about</h1>
<p class="quiet">{counted(run.passes, "pass")} over {counted(len(run), "example")}{_drawn(run)}.
Run {run.digest[:12]}.</p>
{_accuracies(run)}
<h2>The selection</h2>
<p>{len(selection.examples):,} of {len(run):,} examples. Filters: {html.escape(filters)}.
Ranked by {SCORES[selection.score].label.lower()}. {html.escape(SCORES[selection.score].meaning)}</p>
<div class="charts">{"".join(_chart(figure) for figure in _charts(selection))}</div>
<h2>The first {min(len(selection.examples), REPORT_EXAMPLES)} examples</h2>
{_tiles(selection)}
</body></html>"""


def _drawn(run: Run) -> str:
    """How the masks of the passes were drawn, or where the passes were made."""
    if run.manifest.origin.kind == "imported":
        return f", imported from {html.escape(one_line(run.manifest.origin.source or 'elsewhere'))}"
    return f", with Monte Carlo dropout, masks {run.manifest.masks}, seed {run.manifest.seed}"


def _named(selection: Selection) -> pd.DataFrame:
    scores = selection.table.rename_axis("example").reset_index()
    names = dict(enumerate(selection.run.class_names))
    for index, column in ((3, "prediction"), (2, "label")):
        name = f"{column}_name"
        scores = scores.rename(columns={name: f"user_{name}"})
        scores.insert(index, name, scores[column].map(names))
    return scores


def _accuracies(run: Run) -> str:
    if run.pass_accuracy is None or run.ensemble_accuracy is None:
        return "<p>The examples have no labels, so there is no accuracy.</p>"
    values = run.deterministic_accuracy, run.pass_accuracy.mean(), run.ensemble_accuracy[-1]
    deterministic, *others = accuracy_labels(run.manifest)
    off = "" if run.manifest.origin.kind == "imported" else " (dropout off)"
    rows = dict(zip((deterministic + off, *others), values, strict=True))
    cells = "".join(
        f"<tr><td>{name}</td><td><b>{value:.2%}</b></td></tr>" for name, value in rows.items() if value is not None
    )
    return f"<table>{cells}</table>"


def _charts(selection: Selection) -> list[go.Figure]:
    """Aggregates of the run and of the selection; none holds a number of a single example."""
    run, scores = selection.run, selection.table
    if len(scores) == 0:
        return []
    label, values = SCORES[selection.score].label, scores[selection.score].to_numpy()
    if run.pass_accuracy is None or run.ensemble_accuracy is None:
        return [score_distributions(values, None, label)]
    return [
        accuracy_against_ensemble(run.pass_accuracy, run.ensemble_accuracy[-1], run.deterministic_accuracy),
        accuracy_by_ensemble_size(run.ensemble_accuracy, run.deterministic_accuracy),
        score_distributions(values, scores["correct"].to_numpy(bool), label),
        confusion_matrix(scores["label"].to_numpy(int), scores["prediction"].to_numpy(int), class_names(run)),
    ]


def _chart(figure: go.Figure) -> str:
    figure.update_layout(template="plotly_white", height=CHART_HEIGHT)
    return str(
        figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False, "responsive": True})
    )


def _tiles(selection: Selection) -> str:
    examples = selection.examples[:REPORT_EXAMPLES]
    if len(examples) == 0:
        return "<p>No example passes all filters.</p>"
    run, rows, style, crisp = selection.run, -(-len(examples) // COLUMNS), "", ""
    if has(run, "images"):
        shown = run.pictures[examples]
        height, width = shown.shape[1:3]
        crisp = "crisp" if max(height, width) < CRISP_BELOW else ""
        # One picture for all tiles; each shows its own part of it.
        source = sheet_url(shown, COLUMNS, TILE)
        style = (
            f"<style>.tile div {{ aspect-ratio: {width / height}; background-image: url({source}); "
            f"background-size: {100 * COLUMNS}% {100 * rows}%; "
            f"max-width: {TALLEST * width / height:.0f}px; }}</style>"
        )
    names, own = class_names(run), list(own_columns(run))[:MOST_FACTS]
    tiles = []
    for index, (example, row) in enumerate(zip(examples, selection.table.to_dict("records"), strict=False)):
        across = 100 * (index % COLUMNS) / (COLUMNS - 1)
        down = 100 * (index // COLUMNS) / max(rows - 1, 1)
        known = not pd.isna(row["label"])
        wrong = known and not row["correct"]
        predicted = f"{'✗ ' if wrong else ''}predicted {names[row['prediction']]}"
        words = [f"label {names[row['label']]}", predicted] if known else [predicted]
        lines = "".join(f'<span title="{html.escape(word)}">{html.escape(word)}</span>' for word in words)
        facts = (html.escape(f"{name} {fact}") for name, fact in facts_of(own, row))
        lines += "".join(f'<span class="own">{fact}</span>' for fact in facts)
        value = SCORES[selection.score].format(row[selection.score])
        picture = (
            f'<div class="{crisp}" role="img" aria-label="example {example}" '
            f'style="background-position: {across}% {down}%"></div>'
        )
        tiles.append(
            f'<div class="tile{" wrong" if wrong else ""}">{picture if style else ""}'
            f"<p>#{index + 1} · example&nbsp;{example}{lines}{value}</p></div>"
        )
    return style + f'<div class="tiles{" wide" if own else ""}">{"".join(tiles)}</div>'


@dataclass(frozen=True)
class Export:
    """A file to take away.

    Attributes:
        label: what its button says.
        mime: its media type.
        make: its content, of a selection.
        needs: what a run has to have for it to be offered.
    """

    label: str
    mime: str
    make: Callable[[Selection], bytes | str]
    needs: Collection[Need] = field(default_factory=frozenset)


EXPORTS = {  # by the ending of the file's name
    "csv": Export("Scores as CSV", "text/csv", csv),
    "parquet": Export("Scores as Parquet", "application/vnd.apache.parquet", parquet),
    "png": Export("Images as one PNG", "image/png", sheet, needs={"images"}),
    "html": Export("Report as HTML", "text/html", report),
}
