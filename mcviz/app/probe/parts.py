"""Inputs that a model is asked about: their predictions, parts that are hidden one by one, and charts of these."""

import hashlib
import importlib
import json
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart, text_table
from mcviz.app.resources import RunPart, predict_live
from mcviz.app.state import PageState, session_store
from mcviz.app.wording import as_markdown
from mcviz.data.drawing import Windows, drop_each_group, groups_of_words, replace_each_by_median
from mcviz.figures.passes import effect_bars, map_over_picture
from mcviz.figures.style import LOWERS, RAISES
from mcviz.runs import Run
from mcviz.text import true_minus

MOST_INPUTS = 2000  # of a sweep

MOST_CACHED = 16  # predictions in a session, so that going back to an input costs nothing
MOST_CACHED_BYTES = 2**26  # of these; the latest is kept in any case

MOST_WORDS = 8  # in the table of words
LONGEST = 40  # characters of one there


@dataclass(frozen=True)
class ProbeInput:
    """An input for the model.

    Attributes:
        content: as the kind has it: (height, width, channels) float32 in 0..1, a text, or (D,) float32.
        name: what it is, such as "Uniform noise of seed 3".
        note: one sentence on what a correct prediction would be.
        label: its class, where it is known.
    """

    content: Any
    name: str
    note: str = ""
    label: int | None = None


def as_batch(content: Any) -> np.ndarray:
    """Return (1, …): one `ProbeInput.content` in an array, of dtype object for a text."""
    return np.array([content], object if isinstance(content, str) else None)


@dataclass(frozen=True)
class SweepInputs:
    """Inputs of a sweep.

    Attributes:
        kind: what the inputs are called, such as "noise images".
        name: what exactly they are, such as "uniform noise at 80% strength".
        available: how many there are.
        load: (start, stop) to stop - start contents in one array.
        digest: of the run whose model predicts.
        labels: (available,) int, or None where no prediction is correct.
    """

    kind: str
    name: str
    available: int
    load: Callable[[int, int], np.ndarray]
    digest: str
    labels: np.ndarray | None = None

    def same_as(self, other: "SweepInputs") -> bool:
        """Return whether the inputs of both are the same."""
        return (self.digest, self.kind, self.name) == (other.digest, other.kind, other.name)


@dataclass(frozen=True)
class SliderSeries:
    """An input at every position of a slider that changes it.

    Attributes:
        amounts: (P,) positions of the slider, ascending.
        contents: the input at each of them, as `ProbeInput.content`, in one array.
        title: of the slider.
        tick_format: d3's format of its numbers; empty for as they are.
        current: the slider's position now.
        are_pictures: whether the contents are images, which can be shown beside what is predicted.
    """

    amounts: np.ndarray
    contents: np.ndarray
    title: str
    tick_format: str
    current: float
    are_pictures: bool


@dataclass(frozen=True)
class InputKind:
    """A kind of input for the model.

    Attributes:
        label: what it is called.
        choose: its controls, and the input that they give.
        nothing_yet: an icon, and what to do where there is no input yet.
        sweep: many inputs of the kind, where that makes sense.
        along: the input along its slider, where it has one.
        needs: what a run has to have.
        seen_in_its_controls: whether the controls show the input, so that it need not be drawn beside them.
    """

    label: str
    choose: Callable[[Run, PageState], ProbeInput | None]
    nothing_yet: tuple[str, str] = ("", "")
    sweep: Callable[[Run, PageState], SweepInputs] | None = None
    along: Callable[[Run, PageState], SliderSeries] | None = None
    needs: Collection[RunPart] = field(default_factory=frozenset)
    seen_in_its_controls: bool = False


def predict(run: Run, contents: np.ndarray) -> np.ndarray:
    """Predict new inputs with the run's model, in as many passes as the run has.

    Args:
        run: whose model predicts.
        contents: N inputs, each as `ProbeInput.content`.

    Returns:
        (T, N, K) float32 predictions.
    """
    cached: dict[tuple[str, str], np.ndarray] = session_store().setdefault("cached-predictions", {})
    key = run.digest, digest_contents(contents)
    if key not in cached:
        predictions = predict_live(run, contents)
        while cached and (
            len(cached) == MOST_CACHED
            or sum(array.nbytes for array in cached.values()) + predictions.nbytes > MOST_CACHED_BYTES
        ):
            cached.pop(next(iter(cached)))
        cached[key] = predictions
    return cached[key]


def import_ahead(run: Run) -> None:
    """Import the framework of a run's model before there is an input, so that the first one is answered sooner."""
    module = f"mcviz.sampling.{run.manifest.model.backend}.network" if run.manifest.model else ""

    def work() -> None:
        with suppress(ImportError):  # the first prediction will tell what is missing
            importlib.import_module(module)

    if module and module not in sys.modules:
        threading.Thread(target=work).start()


def digest_contents(contents: np.ndarray) -> str:
    """Return the SHA-256 of contents; the bytes of an array of texts are only where they lie in memory."""
    is_text = contents.dtype == object
    return hashlib.sha256(json.dumps(contents.tolist()).encode() if is_text else contents.tobytes()).hexdigest()


@dataclass(frozen=True)
class Contributions:
    """How much each of P parts of an input adds to one predicted number.

    Attributes:
        mean: (P,) over the passes, in the unit.
        std: (P,) over the passes.
        unit: such as "percentage points".
        name: of the number, as plain text.
    """

    mean: np.ndarray
    std: np.ndarray
    unit: str
    name: str


@dataclass(frozen=True)
class Parts:
    """The parts of an input.

    Attributes:
        count: how many, P; 0 where there is nothing to hide.
        hidden: (start, stop) to stop - start inputs, each without one part, in one array.
        method: a sentence on how parts are hidden.
        render: renders how much each part adds.
    """

    count: int
    hidden: Callable[[int, int], np.ndarray]
    method: str
    render: Callable[[Contributions], None]


def image_parts(image: np.ndarray) -> Parts:
    """Return squares of an image, (height, width, channels) float32 in 0..1."""
    windows = Windows.over(*image.shape[:2])

    def render(added: Contributions) -> None:
        left, right = st.columns(2, gap="medium")
        for place, title, values, signed in (
            (left, f"What speaks for {as_markdown(added.name)}", added.mean, True),
            (right, "How far the passes differ", added.std, False),
        ):
            with place:
                st.markdown(f"**{title}**")
                figure = map_over_picture(image, windows.spread(values), windows.step, added.unit, signed=signed)
                most = float(np.abs(values).max())
                chart(figure, f"map-{signed}", f"{title}: a map over the picture, up to {most:.3g} {added.unit}.")
        st.caption(
            "Left, teal: hiding this place lowers the prediction, so it speaks for it. Brown: hiding it raises the "
            "prediction, so it speaks against it. Right: the standard deviation over the passes."
        )

    return Parts(
        len(windows.corners),
        lambda start, stop: windows.hide(image, start, stop),
        f"Squares of {windows.side} × {windows.side} pixels are painted over, one after the other, in the colour of "
        "the picture's edge. This cannot show the effect of what is missing in a picture.",
        render,
    )


def text_parts(text: str) -> Parts:
    """Return the words of a text."""
    groups = groups_of_words(text)
    single = all(" " not in text[start:stop] for start, stop in groups)

    def render(added: Contributions) -> None:
        most, pieces, at = float(np.abs(added.mean).max()) or 1.0, [], 0
        for (start, stop), mean, std in zip(groups, added.mean, added.std, strict=True):
            colour, strength = RAISES if mean >= 0 else LOWERS, round(140 * abs(mean) / most)
            title = f"{true_minus(f'{mean:+.3g}')} ± {std:.3g} {escape(added.unit)}"
            pieces.append(escape(text[at:start]))
            pieces.append(
                f'<span style="background: {colour}{strength:02x}; border-radius: 3px; padding: 1px 2px" '
                f'title="{title}">{escape(text[start:stop])}</span>'
            )
            at = stop
        pieces.append(escape(text[at:]))
        st.html(f'<p style="white-space: pre-wrap; line-height: 1.9; max-width: 70ch">{"".join(pieces)}</p>')
        st.caption(
            f"Teal: without it the prediction is lower, so it speaks for {as_markdown(added.name)}. Brown: it speaks "
            "against it."
        )
        order = np.argsort(-np.abs(added.mean), kind="stable")[:MOST_WORDS]
        words = [text[groups[at][0] : groups[at][1]] for at in order]
        rows = [
            (
                as_markdown(word if len(word) <= LONGEST else f"{word[: LONGEST - 1]}…"),
                f"{true_minus(f'{added.mean[at]:+.3g}')} ± {added.std[at]:.3g}",
            )
            for word, at in zip(words, order, strict=True)
        ]
        text_table(("words", f"adds, {as_markdown(added.unit)}"), rows, width="content")

    return Parts(
        len(groups),
        lambda start, stop: drop_each_group(text, groups[start:stop]),
        "Words are left out, one after the other."
        if single
        else f"The text is long: words are left out in {len(groups)} groups of neighbours, one after the other.",
        render,
    )


def row_parts(row: np.ndarray, names: Sequence[str], medians: np.ndarray) -> Parts:
    """Return the values of a row, (D,) float32, of columns with these names and (D,) medians."""

    def render(added: Contributions) -> None:
        strongest = names[int(np.abs(added.mean).argmax())]
        figure = effect_bars(names, added.mean, added.std, added.unit)
        chart(figure, "effects", f"Bar chart of what each column adds to {added.name}, the most by {strongest}.")
        st.caption(
            f"Teal: with the usual value the prediction is lower, so the value speaks for {as_markdown(added.name)}. "
            "Brown: it speaks against it. The line at the end of a bar is one standard deviation over the passes to "
            "either side."
        )

    hidden = replace_each_by_median(row, medians)
    return Parts(
        len(row),
        lambda start, stop: hidden[start:stop],
        "Values are replaced, one after the other, by the median of their column in this run. Values that only matter "
        "together are not found in this way.",
        render,
    )
