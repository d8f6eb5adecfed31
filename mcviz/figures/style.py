"""Colours and layout that all figures share.

The colours are those of Okabe & Ito (2008) but for black, which a dark page would hide; people with any of the common
kinds of colour blindness tell them apart. To make ten for the classes there are a violet, a brown and a pink, which lie
as far from all others, to such eyes too, as those do from each other. Within a figure a colour means one thing. The
styles of the dashboard's own components have the colour of a wrong prediction too.
"""

from collections.abc import Sequence
from typing import Literal

import plotly.graph_objects as go

from mcviz.text import one_line

ENSEMBLE = "#0072B2"  # blue
DETERMINISTIC = "#D55E00"  # vermilion
SINGLE_PASS = "#56B4E9"  # sky blue
LABEL = "#009E73"  # bluish green
NEUTRAL = "#A9B1BB"
SPREAD = "#6B7280"
CORRECT = "#56B4E9"
WRONG = DETERMINISTIC
SELECTED = SINGLE_PASS  # a square among others in shades of blue, grey and yellow
DARK_INK = "#10161D"  # on bright squares
CLASSES = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#8A2BE2", "#7A3B1E", "#FFB3D9",
)  # fmt: skip
LARGE = 24  # pixels, of letters for an audience
LONGEST = 12  # characters of a class's name where there is little room
NAMED_CLASSES = 20  # classes; above, their names would leave no room for the chart


# What plotly takes for HTML, for LaTeX or, in a hover template, for a variable. It decodes entities after that.
ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "{": "&#123;"})


def as_label(text: str) -> str:
    """A text that others wrote, such as the name of a class, as plotly shows it as it was typed."""
    return one_line(text).translate(ENTITIES)


def all_as_labels(texts: Sequence[str]) -> list[str]:
    """Each of some texts as plotly shows it."""
    return [as_label(text) for text in texts]


def shortened(name: str) -> str:
    """Of a long name both ends, since names often begin alike."""
    return name if len(name) <= LONGEST else f"{name[:5]}…{name[6 - LONGEST :]}"


def class_colour(index: int) -> str:
    """The colour that a class always has; above ten classes, colours come again."""
    return CLASSES[index % len(CLASSES)]


def uncertainty_scale(uncertain_when: Literal["low", "high"]) -> str:
    """The scale of colours on which the values that mean uncertain are bright."""
    return "Cividis_r" if uncertain_when == "low" else "Cividis"


def styled(figure: go.Figure, height: int) -> go.Figure:
    """Give a figure the layout that all share.

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


def with_large_letters(figure: go.Figure) -> go.Figure:
    """A figure for an audience: the letters that are read from afar, and as high as what it is drawn in.

    Args:
        figure: the figure, which is changed.

    Returns:
        The same figure.
    """
    letters = {"size": LARGE}
    figure.update_layout(height=None, font=letters, legend_font=letters)
    figure.update_annotations(font=letters)
    axis = {"tickfont": letters, "title_font": letters, "title_standoff": LARGE, "automargin": True}
    return figure.update_xaxes(axis).update_yaxes(axis)
