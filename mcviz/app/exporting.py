"""The selection as files to take away: scores, a sheet of the images, and a report that opens without a network."""

import html
import io
from collections.abc import Callable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from mcviz.app.parts import NO_IMAGES
from mcviz.app.views.looked_at import LookedAt
from mcviz.app.wording import score_value
from mcviz.figures import (
    CRISP_BELOW,
    accuracy_against_ensemble,
    accuracy_by_ensemble_size,
    confusion_matrix,
    contact_sheet,
    png,
    score_distributions,
    sheet_url,
)
from mcviz.measures import SCORES
from mcviz.runs import Run

SHEET_IMAGES = 1_000
REPORT_IMAGES = 96
COLUMNS = 12
CHART_HEIGHT = 440  # pixels, at which the squares of ten classes do not touch
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
.tile { border: 1px solid #d5dde5; border-radius: 8px; overflow: hidden; font-size: 13px; }
.tile.wrong { border-bottom: 3px solid #d55e00; } .tile p { margin: 4px 8px; }
.tile span { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.tile div { background-repeat: no-repeat; } .crisp { image-rendering: pixelated; }
table { border-collapse: collapse; } td, th { padding: 4px 12px 4px 0; text-align: left; }
"""


def csv(looked: LookedAt) -> bytes:
    """All scores of the selected images as CSV, in the order of the ranking."""
    return _named(looked).to_csv(index=False).encode()


def parquet(looked: LookedAt) -> bytes:
    """All scores of the selected images as Parquet, in the order of the ranking."""
    file = io.BytesIO()
    _named(looked).to_parquet(file, index=False)
    return file.getvalue()


def sheet(looked: LookedAt) -> bytes:
    """The first 1,000 selected images as one PNG, row by row in the order of the ranking."""
    images = looked.images[:SHEET_IMAGES]
    columns = max(1, int(np.ceil(np.sqrt(len(images)))))
    return png(contact_sheet(pictures(looked.run, images), columns))


def pictures(run: Run, images: np.ndarray) -> np.ndarray:
    """(n, height, width, channels): these images of a run."""
    return np.stack([run.images[image] for image in images])


def report(looked: LookedAt) -> str:
    """A web page of its own with the run, the selection, its charts and its first 96 images."""
    run = looked.run
    manifest = run.manifest
    filters = ", ".join(label for label, _ in looked.selection.chips(run.class_names)) or "none"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(run.name)}: {len(looked.images):,} images</title><style>{STYLE}</style>
<script>{get_plotlyjs()}</script></head><body>
<h1>What {html.escape(run.name)} is unsure about</h1>
<p class="quiet">{manifest.passes:,} Monte Carlo dropout passes over {len(run):,} images, seed {manifest.seed}.
Run {run.digest[:12]}.</p>
{_accuracies(run)}
<h2>The selection</h2>
<p>{len(looked.images):,} of {len(run):,} images. Filters: {html.escape(filters)}.
Ranked by {SCORES[looked.score].label.lower()}. {html.escape(SCORES[looked.score].meaning)}</p>
<div class="charts">{"".join(_chart(figure) for figure in _charts(looked))}</div>
<h2>The first {min(len(looked.images), REPORT_IMAGES)} images</h2>
{_tiles(looked)}
</body></html>"""


def _named(looked: LookedAt) -> pd.DataFrame:
    scores = looked.scores.rename_axis("example").reset_index()
    names = dict(enumerate(looked.run.class_names))
    for place, column in ((3, "predicted"), (2, "true")):
        scores.insert(place, f"{column}_name", scores[f"{column}_class"].map(names))
    return scores


def _accuracies(run: Run) -> str:
    if run.pass_accuracy is None or run.ensemble_accuracy is None or run.deterministic_accuracy is None:
        return "<p>The images have no labels, so nothing can be said about accuracy.</p>"
    rows = {
        "Ordinary model (dropout off)": run.deterministic_accuracy,
        "One MC pass, on average": run.pass_accuracy.mean(),
        "MC ensemble": run.ensemble_accuracy[-1],
    }
    cells = "".join(f"<tr><td>{name}</td><td><b>{value:.2%}</b></td></tr>" for name, value in rows.items())
    return f"<table>{cells}</table>"


def _charts(looked: LookedAt) -> list[go.Figure]:
    """Aggregates of the run and of the selection; none holds a number of a single image."""
    run, scores = looked.run, looked.scores
    if len(scores) == 0:
        return []
    label, values = SCORES[looked.score].label, scores[looked.score].to_numpy()
    if run.pass_accuracy is None or run.ensemble_accuracy is None or run.deterministic_accuracy is None:
        return [score_distributions(values, None, label)]
    return [
        accuracy_against_ensemble(run.pass_accuracy, run.ensemble_accuracy[-1], run.deterministic_accuracy),
        accuracy_by_ensemble_size(run.ensemble_accuracy, run.deterministic_accuracy),
        score_distributions(values, scores["correct"].to_numpy(bool), label),
        confusion_matrix(scores["label"].to_numpy(int), scores["prediction"].to_numpy(int), run.class_names),
    ]


def _chart(figure: go.Figure) -> str:
    figure.update_layout(template="plotly_white", height=CHART_HEIGHT)
    return str(
        figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False, "responsive": True})
    )


def _tiles(looked: LookedAt) -> str:
    images = looked.images[:REPORT_IMAGES]
    if len(images) == 0:
        return "<p>No image passes all filters.</p>"
    if not looked.run.has_images:
        return f"<p>{NO_IMAGES}</p>"
    shown = pictures(looked.run, images)
    height, width = shown.shape[1:3]
    crisp = "crisp" if max(height, width) < CRISP_BELOW else ""
    rows = -(-len(images) // COLUMNS)
    # One picture for all tiles; each shows its own part of it.
    source = sheet_url(shown, COLUMNS, TILE)
    style = (
        f"<style>.tile div {{ aspect-ratio: {width / height}; background-image: url({source}); "
        f"background-size: {100 * COLUMNS}% {100 * rows}%; }}</style>"
    )
    names = looked.run.class_names
    tiles = []
    for place, (image, row) in enumerate(zip(images, looked.scores.to_dict("records"), strict=False)):
        across = 100 * (place % COLUMNS) / (COLUMNS - 1)
        down = 100 * (place // COLUMNS) / max(rows - 1, 1)
        known = not pd.isna(row["label"])
        wrong = known and not row["correct"]
        said = f"{'✗ ' if wrong else ''}said {names[row['prediction']]}"
        words = [f"true {names[row['label']]}", said] if known else [said]
        lines = "".join(f'<span title="{html.escape(word)}">{html.escape(word)}</span>' for word in words)
        tiles.append(
            f'<div class="tile{" wrong" if wrong else ""}"><div class="{crisp}" role="img" aria-label="image {image}" '
            f'style="background-position: {across}% {down}%"></div>'
            f"<p>#{place + 1} · image&nbsp;{image}{lines}{score_value(looked.score, row[looked.score])}</p></div>"
        )
    return style + f'<div class="tiles">{"".join(tiles)}</div>'


EXPORTS: dict[str, tuple[str, str, Callable[[LookedAt], bytes | str]]] = {
    "Scores as CSV": ("csv", "text/csv", csv),
    "Scores as Parquet": ("parquet", "application/vnd.apache.parquet", parquet),
    "Images as one PNG": ("png", "image/png", sheet),
    "Report as HTML": ("html", "text/html", report),
}
