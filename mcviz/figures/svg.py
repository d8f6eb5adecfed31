"""Small charts as SVG markup, for pages without scripts."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mcviz.figures.style import NEUTRAL, SINGLE_PASS, pass_bins
from mcviz.figures.trust import PREDICTOR_COLOURS
from mcviz.measures.calibration import CONFIDENCE_EDGES, Bins
from mcviz.measures.intervals import Interval
from mcviz.text import as_html

WIDTH, HEIGHT = 480, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 26, 44  # around the area of a chart
LONGEST_NINES = 3.3  # position of 100%, a bit beyond 99.9%


def value_histogram(
    values: np.ndarray,
    lines: Mapping[str, tuple[float, str]],
    title: str,
    unit: str,
    format_value: Callable[[float], str],
) -> str:
    """Draw a histogram with vertical lines at some values.

    Args:
        values: (n,) to count, at least one.
        lines: by their names, a value and its colour each.
        title: of the values' axis, as plain text.
        unit: noun of the counted things.
        format_value: writes a value.
    """
    counts, edges = np.histogram(values.astype(np.float64), bins=pass_bins(values))
    ends = np.array([edges[0], edges[-1], *(value for value, _ in lines.values())])
    pad = 0.04 * (ends.max() - ends.min() or 1)
    across = _scale(ends.min() - pad, ends.max() + pad, LEFT, WIDTH - RIGHT)
    down = _scale(0, int(counts.max()), HEIGHT - BOTTOM, TOP)
    bars = [
        f'<rect x="{across(low):.1f}" y="{down(count):.1f}" width="{0.92 * (across(high) - across(low)):.1f}" '
        f'height="{HEIGHT - BOTTOM - down(count):.1f}" fill="{SINGLE_PASS}"/>'
        for count, low, high in zip(counts.tolist(), edges, edges[1:], strict=False)
        if count
    ]
    marks = [
        f'<line x1="{across(value):.1f}" x2="{across(value):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="{colour}" '
        f'stroke-width="3"{"" if not place else DASHED}/>'
        for place, (value, colour) in enumerate(lines.values())
    ]
    ticks = {value: format_value(value) for value in np.linspace(edges[0], edges[-1], 3)}
    legend = {name: colour for name, (_, colour) in lines.items()}
    words = f"Histogram of {title} of {len(values):,} {unit}. " + " ".join(
        f"{name}: {format_value(value)}." for name, (value, _) in lines.items()
    )
    heights = {0.0: "0", float(counts.max()): f"{counts.max():,}"}
    axes = _axes({across(at): text for at, text in ticks.items()}, {down(at): text for at, text in heights.items()})
    return _chart(words, [*axes, *bars, *marks, _label(title), *_legend({**legend, unit: SINGLE_PASS})])


DASHED = ' stroke-dasharray="6 4"'


def reliability_chart(bins: Mapping[str, tuple[Bins, Sequence[Interval]]]) -> str:
    """Draw accuracy − confidence in points, by confidence.

    Args:
        bins: for each model, by its name, the result of `measures.calibration.reliability_near_one`.
    """
    ends = [100 * value for _, gaps in bins.values() for gap in gaps for value in (gap.low, gap.high, 0)]
    room = 0.1 * (max(ends) - min(ends) or 1)
    first = next(iter(bins.values()))[0].edges
    across = _scale(_nines(first[0]), _nines(first[-1]), LEFT + 12, WIDTH - RIGHT - 12)
    down = _scale(min(ends) - room, max(ends) + room, HEIGHT - BOTTOM, TOP)
    parts = [f'<line class="zero" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down(0):.1f}" y2="{down(0):.1f}"/>']
    for place, (name, (counted, gaps)) in enumerate(bins.items()):
        colour = PREDICTOR_COLOURS.get(name, NEUTRAL)
        for low, high, count, gap in zip(counted.edges, counted.edges[1:], counted.count, gaps, strict=False):
            x = (across(_nines(low)) + across(_nines(high))) / 2 + 9 * (place - (len(bins) - 1) / 2)
            said = f"{name}, confidence {100 * low:g}% to {100 * high:g}%, {count:,.0f} examples"
            parts.append(
                f'<g stroke="{colour}" fill="{colour}"><title>{as_html(said)}</title><line x1="{x:.1f}" x2="{x:.1f}" '
                f'y1="{down(100 * gap.low):.1f}" y2="{down(100 * gap.high):.1f}" stroke-width="2"/>'
                f'<circle cx="{x:.1f}" cy="{down(100 * gap.value):.1f}" r="4" stroke="none"/></g>'
            )
    ticks = [edge for edge in CONFIDENCE_EDGES[1:-1] if edge >= 0.5 and first[0] <= edge <= first[-1]] or [*first]
    heights = {0.0: "0", min(ends): f"{min(ends):+.1f}", max(ends): f"{max(ends):+.1f}"}
    axes = _axes(
        {across(_nines(at)): f"{100 * at:g}%" for at in ticks}, {down(at): text for at, text in heights.items()}
    )
    words = "Accuracy − confidence in points by confidence, with 95% intervals; above zero is under-confident."
    legend = {name: PREDICTOR_COLOURS.get(name, NEUTRAL) for name in bins}
    return _chart(words, [*axes, *parts, _label("confidence"), *_legend(legend)])


def _nines(confidence: float) -> float:
    return float(min(LONGEST_NINES, -np.log10(max(1 - confidence, 1e-9))))


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: float(start + (end - start) * (value - low) / ((high - low) or 1))


def _axes(across: Mapping[float, str], down: Mapping[float, str]) -> list[str]:
    parts = [f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>']
    parts += [
        f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{text}</text>' for x, text in across.items()
    ]
    return parts + [f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>' for y, text in down.items()]


def _label(title: str) -> str:
    return f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{as_html(title)}</text>'


def _legend(colours: Mapping[str, str]) -> list[str]:
    parts, x = [], LEFT
    for name, colour in colours.items():
        parts.append(f'<rect x="{x}" y="4" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 14}" y="13">{as_html(name)}</text>')
        x += 30 + 7 * len(name)
    return parts


def _chart(words: str, parts: Sequence[str]) -> str:
    spoken = as_html(words)
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{spoken}">{"".join(parts)}</svg>'
