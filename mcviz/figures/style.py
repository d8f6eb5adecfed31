"""Colours and layout of figures, and images as picture files.

A colour means one thing in all figures, and in the dashboard's components (colours in `app/page.css`). Ensemble, label,
wrong predictions and deterministic model have colours of Okabe & Ito (2008). Class colours are others, as distinct as
those, also with common colour blindness. All have a contrast of 3:1 on light and dark pages.
"""

import base64
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from PIL import Image, ImageColor

from mcviz.text import one_line

ENSEMBLE = "#0072B2"  # blue; also for its predictions
DETERMINISTIC = "#CC79A7"  # reddish purple
SINGLE_PASS = "#3B9BD1"  # sky blue
LABEL = "#009E73"  # bluish green
WRONG = "#D55E00"  # vermilion
NEUTRAL = "#868F9A"  # no meaning: correct predictions, other classes, all examples
CORRECT = NEUTRAL
SPREAD = "#6B7280"
UNCERTAIN = "#B13FDB"  # violet
RAISES, LOWERS = "#12879E", "#A8701A"  # teal and brown: effects that raise or lower a prediction
LOW, HIGH = "#AA8855", "#5555EE"  # tan and blue-violet: the ends of the user's own numbers
SELECTED = "#56B4E9"  # a square among others in shades of blue, grey and yellow
DARK_INK = "#10161D"  # on bright squares
INK = "#1C2733"  # on the page or veils over it; the dashboard's style brightens it on dark pages
CLASSES = (  # also of scores, runs and detectors
    "#4499BB", "#DD2299", "#889922", "#8800FF", "#AA8855", "#CC0055", "#557766", "#AA77FF", "#AA4422", "#8888DD",
)  # fmt: skip
UNLABELLED = CLASSES[-1]  # examples without a label, beside correct and wrong ones
OTHERS = "#DD2299"  # magenta: inputs from outside the run
NUMBER = ",.4~r"  # d3's format that equals `significant`
LARGE_LETTERS = 24  # pixels of letters for an audience
LONGEST_CLASS_NAME = 12  # characters of a class's name if there is little room
NAMED_CLASSES = 20  # classes; with more, names would leave no room for the chart

# plotly's HTML, LaTeX and hover variables; it decodes entities after parsing them
ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "{": "&#123;"})
SHARES = {"clipmin": -0.02, "clipmax": 1.02}  # of an automatic axis, which is 2 long for equal values

CRISP_BELOW = 112  # pixels; larger images are scaled smoothly
JPEG_QUALITY = 85


def escape_label(text: str) -> str:
    """Escape a user's text, such as a class name, for plotly."""
    return one_line(text).translate(ENTITIES)


def escape_labels(texts: Sequence[str]) -> list[str]:
    """Escape each text."""
    return [escape_label(text) for text in texts]


def shorten_name(name: str) -> str:
    """Shorten a long name to its two ends: names often begin alike."""
    return name if len(name) <= LONGEST_CLASS_NAME else f"{name[:5]}…{name[6 - LONGEST_CLASS_NAME :]}"


def class_colour(index: int) -> str:
    """Return the colour of a class; above ten classes, colours repeat."""
    return CLASSES[index % len(CLASSES)]


def uncertainty_scale(uncertain_when: Literal["low", "high"]) -> str:
    """Return the colour scale with bright uncertain values."""
    return "Cividis_r" if uncertain_when == "low" else "Cividis"


def value_colours(uncertain_when: Literal["low", "high"] | None) -> tuple[str, str]:
    """Return the colours of the lowest and highest values of points.

    Uncertain values stand out on light and dark pages; None is for a number that is no score.
    """
    if uncertain_when is None:
        return LOW, HIGH
    return (UNCERTAIN, NEUTRAL) if uncertain_when == "low" else (NEUTRAL, UNCERTAIN)


def veil(colour: str, opacity: float) -> str:
    """Return a transparent colour in plotly's format."""
    red, green, blue = ImageColor.getrgb(colour)[:3]
    return f"rgba({red}, {green}, {blue}, {opacity})"


CHART_HEIGHT = 640  # pixels, of a chart that is a view of its own


def apply_layout(figure: go.Figure, height: int) -> go.Figure:
    """Apply the layout that all figures share.

    Args:
        figure: the figure, which is changed.
        height: in pixels.

    Returns:
        The same figure.
    """
    return figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 32, "b": 8},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "title": None},
        bargap=0.08,
        hoverlabel={"namelength": -1},
        dragmode=False,
    )


def enlarge_letters(figure: go.Figure) -> go.Figure:
    """Enlarge letters for an audience, and fill the container's height.

    Args:
        figure: the figure, which is changed.

    Returns:
        The same figure.
    """
    letters = {"size": LARGE_LETTERS}
    figure.update_layout(height=None, font=letters, legend_font=letters)
    figure.update_annotations(font=letters)
    axis = {"tickfont": letters, "title_font": letters, "title_standoff": LARGE_LETTERS, "automargin": True}
    return figure.update_xaxes(axis).update_yaxes(axis)


def axis_title(name: str, unit: str) -> str:
    """Return an axis title with the escaped unit, such as "RMSE, mg/dl"."""
    return f"{name}, {escape_label(unit)}" if unit else name


def pass_bins(values: np.ndarray) -> int:
    """Return the number of histogram bins for (T,) passes: 10 to 40."""
    # with an odd number, one bin is centred on the value of equal passes
    return min(40, max(10, len(values) // 12)) if np.ptp(values) > 0 else 11


def pass_histogram(values: np.ndarray, number: str) -> tuple[go.Bar, np.ndarray]:
    """Draw the distribution of the passes.

    Args:
        values: (T,) one a pass.
        number: d3's format of them.

    Returns:
        10 to 40 bars, and their edges.
    """
    counts, edges = np.histogram(values.astype(np.float64), bins=pass_bins(values))
    bars = go.Bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts,
        width=np.diff(edges) * 0.92,
        marker_color=SINGLE_PASS,
        name="single passes",
        hovertemplate=f"%{{y}} passes near %{{x:{number}}}<extra></extra>",
    )
    return bars, edges


def add_line(
    figure: go.Figure,
    x: ArrayLike,
    y: ArrayLike,
    colour: str,
    *,
    hover: str = "",
    width: float = 2.5,
    dash: str | None = None,
    marked: bool = False,
    **more: Any,
) -> go.Figure:
    """Add a line.

    Args:
        figure: the figure, which is changed.
        x: (n,) its points.
        y: (n,) its points.
        colour: of the line.
        hover: plotly's template of the text on hover; nothing is shown without it.
        width: in pixels.
        dash: "dash" or "dot"; without it the line is solid.
        marked: whether each point is marked.
        more: other attributes of the trace, such as its name, and `row` and `col` of a subplot.

    Returns:
        The same figure.
    """
    return figure.add_scatter(
        x=x,
        y=y,
        mode="lines+markers" if marked else "lines",
        line={"color": colour, "width": width, "dash": dash},
        hovertemplate=f"{hover}<extra></extra>" if hover else None,
        hoverinfo=None if hover else "skip",
        **more,
    )


def label_lines(
    figure: go.Figure, points: Mapping[str, tuple[float, float]], *, apart: bool = False, log: bool = False
) -> go.Figure:
    """Name two lines beside them, in place of a legend.

    The higher one is named above, the lower one below.

    Args:
        figure: the figure, which is changed.
        points: the position of each name, such as the right end of its line.
        apart: whether the names lead away from each other, as in the middle of a chart, and not to the left.
        log: whether the x axis is logarithmic.

    Returns:
        The same figure.
    """
    lower, higher = sorted(points, key=lambda name: points[name][1])
    colours = {trace.name: trace.line.color for trace in figure.data if trace.name in points}
    for name, side, shift in ((lower, "left" if apart else "right", -11), (higher, "right", 11)):
        x, y = points[name]
        figure.add_annotation(
            x=np.log10(x) if log else x,
            y=y,
            text=f'<span style="color: {colours[name]}">━</span> {name}',
            showarrow=False,
            xanchor=side,
            yshift=shift,
            font_size=13,
        )
    return figure.update_layout(showlegend=False)


def pad_range(values: np.ndarray) -> list[float]:
    """Return an axis range with a margin, so that no line is cut."""
    margin = 0.03 * np.ptp(values) or 0.5
    return [float(values.min() - margin), float(values.max() + margin)]


def log_axis(
    ends: Sequence[float], ticks: Sequence[float], text: Callable[[float], str] = "{:,}".format
) -> dict[str, Any]:
    """Return the attributes of a logarithmic axis.

    Args:
        ends: its limits, as powers of ten.
        ticks: the labelled values.
        text: names one.
    """
    return {"type": "log", "range": ends, "tickvals": ticks, "ticktext": [text(tick) for tick in ticks]}


def band(x: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str) -> go.Scatter:
    """Return the area between two lines, in a faint colour."""
    return go.Scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        mode="lines",  # plotly would mark few points
        fill="toself",
        fillcolor=colour,
        opacity=0.18,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )


def diagonal(low: float, high: float) -> dict[str, object]:
    """Return the shape of the diagonal."""
    line = {"color": NEUTRAL, "width": 2, "dash": "dot"}
    return {"type": "line", "x0": low, "y0": low, "x1": high, "y1": high, "line": line}


def position_line(x: float) -> dict[str, object]:
    """Return a vertical line at the current position."""
    line = {"color": SPREAD, "width": 2, "dash": "dot"}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Convert images to 8-bit pixels, grey or RGB.

    Args:
        images: (…, height, width, channels) uint8, or floating point in 0..1.

    Returns:
        (…, height, width, 1 or 3) uint8: of more than three channels the first three, of two the first.
    """
    seen = images[..., : 3 if images.shape[-1] > 2 else 1]
    return seen if seen.dtype == np.uint8 else np.round(np.clip(seen, 0, 1) * 255).astype(np.uint8)


def contact_sheet(images: np.ndarray, columns: int) -> np.ndarray:
    """Compose images into one picture, row by row, padded with black.

    Args:
        images: (N, height, width, channels) uint8, or floating point in 0..1.
        columns: how many stand side by side.

    Returns:
        (rows × height, columns × width, 1 or 3) uint8.
    """
    pixels = to_pixels(images)
    count, height, width, channels = pixels.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, height, width, channels), dtype=np.uint8)
    sheet[:count] = pixels
    grid = sheet.reshape(rows, columns, height, width, channels)
    return grid.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def png(image: np.ndarray, scale: int = 1) -> bytes:
    """Encode an image as PNG, each pixel enlarged to a crisp square.

    Args:
        image: (height, width, channels) uint8, or floating point in 0..1, as `to_pixels` takes it.
        scale: the side of a pixel's square.

    Returns:
        The file's bytes.
    """
    pixels = to_pixels(image)
    if pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    picture = Image.fromarray(pixels)
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def png_url(image: np.ndarray, scale: int = 1) -> str:
    """Encode an image like `png`, as a `data:` address."""
    return "data:image/png;base64," + base64.b64encode(png(image, scale)).decode()


def picture_url(image: np.ndarray, side: int) -> str:
    """Encode an image at display size, as a `data:` address.

    Args:
        image: (height, width, channels) uint8, or floating point in 0..1.
        side: displayed length of the longer side, in pixels. Images smaller than `CRISP_BELOW` are enlarged to crisp
            squares, others are scaled down until the longer side is twice that.

    Returns:
        A `data:` address.
    """
    longer = max(image.shape[:2])
    if longer < CRISP_BELOW:
        return png_url(image, scale=max(1, 2 * side // longer))
    return png_url(_scale_down(image, 2 * side))


def sheet_url(images: np.ndarray, columns: int, side: int) -> str:
    """Compose images into one picture, as a `data:` address.

    Args:
        images: (n, height, width, channels) uint8, or floating point in 0..1.
        columns: how many stand side by side.
        side: in pixels; photographs are scaled down until neither side is longer, and kept as JPEG. Images that are
            smaller than `CRISP_BELOW` keep every pixel.

    Returns:
        A `data:` address.
    """
    height, width = images.shape[1:3]
    if max(height, width) < CRISP_BELOW:
        return png_url(contact_sheet(images, columns))
    file = io.BytesIO()
    _to_rgb(contact_sheet(thumbnails(images, side), columns)).save(file, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def thumbnails(images: Iterable[np.ndarray], side: int) -> np.ndarray:
    """Scale images of one shape, at least one, to thumbnails.

    Args:
        images: (height, width, channels) uint8 each, or floating point in 0..1.
        side: in pixels; images are scaled down until neither side is longer.

    Returns:
        (n, h, w, 1 or 3) uint8; images that are no larger keep every pixel.
    """
    return np.stack(
        [to_pixels(image) if max(image.shape[:2]) <= side else _scale_down(image, side) for image in images]
    )


def _scale_down(image: np.ndarray, side: int) -> np.ndarray:
    """Scale down to (h, w, 3) uint8 with no side longer than the limit."""
    height, width = image.shape[:2]
    share = min(1.0, side / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    return np.asarray(_to_rgb(image).resize(size, Image.Resampling.BOX))


def _to_rgb(image: np.ndarray) -> Image.Image:
    pixels = to_pixels(image)
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB")
