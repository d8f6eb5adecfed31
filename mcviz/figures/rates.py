"""What the rate of dropout does to an ensemble: a chart, and a page of its own that opens without a network."""

import html
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from mcviz.figures.parts import NUMBER, band, with_unit
from mcviz.figures.style import DETERMINISTIC, ENSEMBLE, NEUTRAL, styled
from mcviz.measures.quality import QUALITY
from mcviz.measures.rates import RateChoice

HEIGHT = 300  # pixels
FORMATS = {"share": ".2%", "per mille": ".5f", "nats": ".4f", "target": NUMBER, "": ".4f"}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2733; background: #fff; max-width: 1080px; margin: 32px auto;
  padding: 0 16px; }
h1, h2 { line-height: 1.2; } .quiet { color: #566371; } .wide { overflow-x: auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(420px, 100%), 1fr)); gap: 16px; }
.charts > * { min-width: 0; }
table { border-collapse: collapse; } td, th { padding: 4px 16px 4px 0; text-align: left; white-space: nowrap; }
tr.chosen td { font-weight: 600; }
"""


def measure_by_rate(found: RateChoice, name: str, trained: Sequence[float], target_unit: str = "") -> go.Figure:
    """How good the ensemble is at each rate, on the half of the examples that did not choose.

    Args:
        found: what the rates are worth.
        name: of the measure.
        trained: the rates that the model was trained with.
        target_unit: of a regression.

    Returns:
        A line with the band of its intervals, a level at what the model is worth as it was trained, a dotted line at
        each rate of the training, and a ring at the rate that was chosen.
    """
    quality = QUALITY[found.task]
    place = quality.place[name]
    measure = quality.measures[place]
    number = FORMATS[measure.unit]
    value, low, high = np.array([(each[place].value, each[place].low, each[place].high) for each in found.figures]).T
    level, at, ends = found.as_trained[place].value, found.rates.tolist().index(found.chosen), found.rates[[0, -1]]
    figure = go.Figure([band(found.rates, low, high, ENSEMBLE)])
    figure.add_scatter(
        x=found.rates,
        y=value,
        mode="lines+markers",
        line={"color": ENSEMBLE, "width": 2.5},
        customdata=[measure.with_interval(each[place], target_unit) for each in found.figures],
        hovertemplate="rate %{x}: %{customdata}<extra></extra>",
    )
    figure.add_scatter(
        x=ends,
        y=[level, level],
        mode="lines",
        line={"color": DETERMINISTIC, "width": 2, "dash": "dash"},
        hovertemplate=f"as trained: %{{y:{number}}}<extra></extra>",
    )
    figure.add_scatter(
        x=[found.chosen],
        y=value[at : at + 1],
        mode="markers",
        marker={"symbol": "circle-open", "size": 16, "color": DETERMINISTIC, "line": {"width": 3}},
        hovertemplate=f"chosen: rate %{{x}}, %{{y:{number}}}<extra></extra>",
    )
    for rate in trained:
        figure.add_vline(x=rate, line={"color": NEUTRAL, "width": 2, "dash": "dot"})
    figure.update_xaxes(title="rate of dropout")
    figure.update_yaxes(tickformat=number)
    title = with_unit(measure.label, {"nats": "nats", "target": target_unit}.get(measure.unit, ""))
    return styled(figure, HEIGHT).update_layout(title=title, showlegend=False)


def rates_page(found: RateChoice, trained: Sequence[float], facts: Mapping[str, str], target_unit: str = "") -> str:
    """A web page of its own: which rate was chosen, the chart, and every figure.

    Args:
        found: what the rates are worth.
        trained: the rates that the model was trained with.
        facts: what was sampled, by name.
        target_unit: of a regression.
    """
    quality, half = QUALITY[found.task], found.examples[1]
    config = {"displayModeBar": False, "responsive": True}
    charts = ""
    for name in quality.drawn:
        figure = measure_by_rate(found, name, trained, target_unit).update_layout(template="plotly_white")
        charts += figure.to_html(full_html=False, include_plotlyjs=False, config=config)
    rows, body = found.rows(target_unit), ""
    for row in rows:
        body += '<tr class="chosen">' if row["rate"] == f"{found.chosen:g}" else "<tr>"
        body += "".join(f"<td>{html.escape(cell)}</td>" for cell in row.values()) + "</tr>"
    told = " · ".join(f"{html.escape(name)} {html.escape(value)}" for name, value in facts.items())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Which rate of dropout?</title><style>{STYLE}</style><script>{get_plotlyjs()}</script></head><body>
<h1>Which rate of dropout?</h1>
<p>{html.escape(found.in_words(target_unit))}</p>
<p class="quiet">{told}</p>
<div class="charts">{charts}</div>
<p class="quiet">Measured on the {half:,} examples that did not choose the rate, with {100 * found.confidence:.6g}%
intervals. Line: all dropout at one rate. Dashed: as trained. Dotted: the rates of the training. Ring: the rate that was
chosen.</p>
<h2>Every figure</h2>
<div class="wide"><table><tr>{"".join(f"<th>{html.escape(head)}</th>" for head in rows[0])}</tr>{body}</table></div>
</body></html>"""
