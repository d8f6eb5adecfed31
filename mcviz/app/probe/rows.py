"""Rows and texts as inputs: an example that can be changed, shuffled columns, and text that is typed."""

import numpy as np
import streamlit as st

from mcviz.app.probe.distortion import NONE_IS_CORRECT, Distorter, choose_example, choose_noise, choose_seed
from mcviz.app.probe.parts import MOST_INPUTS, ProbeInput, SliderSeries, SweepInputs
from mcviz.app.resources import row_names, row_values, usual_values
from mcviz.app.state import LARGEST_VALUE, PageState, choose_name, session_store, state_widget_args, update_state
from mcviz.app.wording import as_markdown, counted
from mcviz.data import TEXT_DISTORTIONS, TEXT_NOISES, most_unusual, shuffle_columns
from mcviz.runs import Run
from mcviz.text import one_line, true_minus

SLIDERS = 12  # columns that have one at once
POSITIONS = 25  # of a column, in the curves
BEYOND = 0.1  # of a column's range, that its slider goes beyond
FEWEST_STEPS = 50  # of a slider
LONGEST = 40  # characters of a column's name above its slider

TYPED = "typed-text"  # of the session: the text, also while another input is shown
AREA = "text-area"
SAMPLE = 1000  # texts of the run, evenly spread, that words are drawn from
HEIGHT = 240  # pixels


def edit_row(run: Run, state: PageState) -> ProbeInput:
    """Render a choice of an example of the run, and a slider for each of its most unusual values."""
    example = state.example or 0
    changes, start = _changes(run, state), row_values(run)[example]
    choose_example(run, example)
    order, names = _unusual_columns(run, state), row_names(run)
    with st.container(gap=None):
        for column in order[:SLIDERS]:
            _slider(run, state, column, float(start[column]))
    more: list[int] = []
    if len(order) > SLIDERS:
        more = st.multiselect(
            "More columns", range(len(names)), format_func=names.__getitem__, key=f"more-columns-{run.digest}"
        )
    with st.container(gap=None):
        for column in dict.fromkeys([*more, *changes]):
            if column not in order[:SLIDERS]:
                _slider(run, state, column, float(start[column]))
    st.button(
        "Reset",
        icon=":material/restart_alt:",
        disabled=not changes,
        on_click=update_state,
        kwargs={"values": ()},
        help="Take the values of the example again",
    )
    name = f"Example {example}" + (f", {counted(len(changes), 'value')} changed" if changes else "")
    return ProbeInput(_edited_row(run, state), name)


def row_along(run: Run, state: PageState) -> SliderSeries:
    """Render a choice of a column, and return the row with other values in it."""
    row, columns = _edited_row(run, state), [str(name) for name in run.content]
    by_unusual = [columns[column] for column in _unusual_columns(run, state)]
    name = choose_name(state.column, by_unusual)
    st.selectbox("Column", by_unusual, format_func=one_line, width=320, **state_widget_args("column", name))
    column = columns.index(name)
    low, high, _ = slider_range(row_values(run)[:, column], float(row[column]))
    amounts = np.linspace(low, high, POSITIONS, dtype=np.float32)
    varied = np.repeat(row[None], POSITIONS, axis=0)
    varied[:, column] = amounts
    return SliderSeries(amounts, varied, title=name, tick_format="", current=float(row[column]), are_pictures=False)


def choose_shuffled_row(run: Run, state: PageState) -> ProbeInput:
    """Render the controls of one row of shuffled columns."""
    st.caption("Each column has the value of another example, so the values no longer belong together.")
    choose_seed("Seed", state.seed, "Another row")
    return shuffled_row(run, state.seed)


def shuffled_row(run: Run, seed: int) -> ProbeInput:
    """Return a row whose columns are shuffled among the run's examples."""
    row = shuffle_columns(row_values(run)[:1], row_values(run), seed=seed)[0]
    note = "No prediction is correct: its values come from different examples."
    return ProbeInput(row, f"Shuffled columns of seed {seed}", note)


def shuffled_sweep(run: Run, state: PageState) -> SweepInputs:  # noqa: ARG001
    """Return rows of shuffled columns."""
    rows = row_values(run)

    def load(start: int, stop: int) -> np.ndarray:
        return shuffle_columns(np.empty((stop - start, rows.shape[1]), np.float32), rows, seed=start)

    return SweepInputs("shuffled rows", "shuffled columns", MOST_INPUTS, load, run.digest)


def slider_range(values: np.ndarray, value: float) -> tuple[float, float, float]:
    """Return the ends and the step of a slider.

    Args:
        values: (N,) of a column; the slider goes a little beyond their range.
        value: of the slider.

    Returns:
        Both ends, multiples of the step as long as the value lies between them, and the step, a power of ten.
    """
    low, high = float(values.min()), float(values.max())
    width = (high - low) or abs(low) or 1.0
    step = 10.0 ** np.floor(np.log10(width / FEWEST_STEPS))
    if (values % 1 == 0).all():
        step = max(step, 1.0)
    ends = np.floor((low - BEYOND * width) / step), np.ceil((high + BEYOND * width) / step)
    low, high = (float(np.clip(float(f"{end * step:.12g}"), -LARGEST_VALUE, LARGEST_VALUE)) for end in ends)
    return min(low, value), max(high, value), float(step)


def _slider(run: Run, state: PageState, column: int, start: float) -> None:
    """Render a slider for a column, and a field for an exact value; the label says so where the value is changed."""
    changes = dict(state.values)
    value = changes.get(column, start)
    low, high, step = slider_range(row_values(run)[:, column], value)
    name = row_names(run)[column]
    label = as_markdown(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…")

    def put(new: float) -> None:
        others = {other: amount for other, amount in changes.items() if other != column}
        is_own = np.float32(new) == np.float32(start)
        update_state(values=tuple((others if is_own else {**others, column: new}).items()))

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.slider(
            f":material/edit: **{label}**, was {true_minus(f'{start:.4g}')}" if column in changes else label,
            low,
            high,
            step=step,
            format="%.4g",
            **state_widget_args(f"slider-{column}", value, put),
        )
        st.number_input(
            f"{label}, exactly",
            -LARGEST_VALUE,
            LARGEST_VALUE,
            step=step,
            format="%.6g",
            label_visibility="collapsed",
            width=116,
            **state_widget_args(f"exactly-{column}", value, put),
        )


def _unusual_columns(run: Run, state: PageState) -> list[int]:
    """Return the columns of the example, the most unusual first."""
    order: list[int] = most_unusual(usual_values(run).z(row_values(run)[state.example or 0])).tolist()
    return order


def _changes(run: Run, state: PageState) -> dict[int, float]:
    """Return the changed values by the number of their column."""
    return {column: value for column, value in state.values if column < len(run.content.columns)}


def _edited_row(run: Run, state: PageState) -> np.ndarray:
    """Return the example with its changed values, (D,) float32."""
    row = row_values(run)[state.example or 0].copy()
    for column, value in _changes(run, state).items():
        row[column] = value
    return row


def load_texts(run: Run, examples: np.ndarray) -> np.ndarray:
    """Load the texts of some examples, (n,) of dtype object."""
    return run.content.iloc[examples, 0].to_numpy(object)


def sample_texts(run: Run) -> np.ndarray:
    """Load some texts of the run, for their words, (n,) of dtype object."""
    return load_texts(run, np.arange(0, len(run), -(-len(run) // SAMPLE)))


def type_text(run: Run, state: PageState) -> ProbeInput | None:  # noqa: ARG001 (the text is not in the address)
    """Render a field for a text; the input is None while it is empty."""
    st.session_state.setdefault(AREA, session_store().get(TYPED, ""))
    text = session_store()[TYPED] = st.text_area("Your text", height=HEIGHT, key=AREA)
    return ProbeInput(text, "The text that was typed") if text.strip() else None


def choose_text_noise(run: Run, state: PageState) -> ProbeInput:
    """Render the controls of one text of noise."""
    noise, seed = choose_name(state.noise, TEXT_NOISES), state.seed
    choose_noise(TEXT_NOISES, noise, seed, "Another text")
    text = TEXT_NOISES[noise].draw(1, sample_texts(run), seed)[0]
    return ProbeInput(text, f"{TEXT_NOISES[noise].label} of seed {seed}", NONE_IS_CORRECT)


def text_noise_sweep(run: Run, state: PageState) -> SweepInputs:
    """Return texts of noise of the chosen kind."""
    noise = TEXT_NOISES[choose_name(state.noise, TEXT_NOISES)]

    def load(start: int, stop: int) -> np.ndarray:
        return noise.draw(stop - start, sample_texts(run), start)

    return SweepInputs("noise texts", noise.label.lower(), MOST_INPUTS, load, run.digest)


TEXT_DISTORTER = Distorter(TEXT_DISTORTIONS, load_texts, others=lambda run, *_: sample_texts(run))
