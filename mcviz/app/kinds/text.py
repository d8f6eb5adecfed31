"""Texts: tiles with their first lines, and all of one as it was typed; texts to type, noise and distortions."""

from html import escape
from typing import Any, ClassVar

import numpy as np
import streamlit as st

from mcviz.app.components import load_assets, text_table
from mcviz.app.kinds.base import (
    MOST_INPUTS,
    TILE,
    Contributions,
    Distorter,
    InputKind,
    KindRenderer,
    Parts,
    ProbeInput,
    SweepInputs,
    Tiles,
    choose_noise,
)
from mcviz.app.state import PageState, choose_name, session_store
from mcviz.app.wording import as_markdown
from mcviz.data.drawing import drop_each_group, groups_of_words
from mcviz.figures.style import LOWERS, RAISES
from mcviz.kinds.text_distortions import TEXT_DISTORTIONS, TEXT_NOISES, noise_of_words
from mcviz.runs import Run
from mcviz.text import one_line, true_minus

MOST_CHARACTERS = 100_000  # more than that is slow to send and to draw, and nobody scrolls through it
HEIGHT = 320  # pixels
TYPED = "typed-text"  # of the session: the text, also while another input is shown
AREA = "text-area"
SAMPLE = 1000  # texts of the run, evenly spread, that words are drawn from
TYPED_HEIGHT = 240  # pixels
MOST_WORDS = 8  # in the table of words
LONGEST = 40  # characters of one there
_mounted = st.components.v2.component(
    "mcviz_text_box",
    css=load_assets("text_box.css"),
    js=load_assets("element.js", "text.js", "latest_data.js", "text_box.js"),
)

ON_A_TILE = 400  # characters; what does not fit is cut by the browser
IN_A_TABLE = 200


def text_box(text: str, spoken: str, height: int = HEIGHT) -> None:
    """Render a text with its lines and its white space, in a box in which a long one scrolls.

    Args:
        text: of any length and content; of a very long one the beginning is shown.
        spoken: what it is, for those who cannot see it.
        height: of the box in pixels, at most.
    """
    if not text.strip():
        st.caption("A text of white space alone." if text else "An empty text.")
        return
    _mounted(key=f"text-{spoken}", data={"text": text[:MOST_CHARACTERS], "spoken": spoken, "height": height})
    if len(text) > MOST_CHARACTERS:
        st.caption(f"The first {MOST_CHARACTERS:,} of {len(text):,} characters.")


def load_texts(run: Run, examples: np.ndarray) -> np.ndarray:
    """Load the texts of some examples, (n,) of dtype object."""
    texts = run.kind.content.from_columns(run.content.iloc[examples]).to_array()
    assert texts is not None
    return texts


def sample_texts(run: Run) -> np.ndarray:
    """Load some texts of the run, for their words, (n,) of dtype object."""
    return load_texts(run, np.arange(0, len(run), -(-len(run) // SAMPLE)))


def type_text(run: Run, state: PageState) -> ProbeInput | None:  # noqa: ARG001 (the text is not in the address)
    """Render a field for a text; the input is None while it is empty."""
    st.session_state.setdefault(AREA, session_store().get(TYPED, ""))
    text = session_store()[TYPED] = st.text_area("Your text", height=TYPED_HEIGHT, key=AREA)
    return ProbeInput(text, "The text that was typed") if text.strip() else None


def choose_text_noise(run: Run, state: PageState) -> None:  # noqa: ARG001 (of every run)
    """Render the controls of noise texts."""
    with st.popover("Other noise texts", icon=":material/tune:"):
        choose_noise(TEXT_NOISES, choose_name(state.noise, TEXT_NOISES))


def text_noise_sweep(run: Run, state: PageState) -> SweepInputs:
    """Return texts of noise of the chosen kind, each of the seed that is its number."""
    kind, texts = choose_name(state.noise, TEXT_NOISES), sample_texts(run)
    noise = TEXT_NOISES[kind]

    def load(start: int, stop: int) -> np.ndarray:
        return np.concatenate([noise.draw(1, texts, seed) for seed in range(start, stop)])

    return SweepInputs(
        "noise texts", noise.label.lower(), MOST_INPUTS, load, run.numbers_version, stored_as=f"noise-{kind}"
    )


TEXT_DISTORTER = Distorter(TEXT_DISTORTIONS, load_texts, others=lambda run, *_: sample_texts(run))


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


class TextRenderer(KindRenderer):
    """Texts, as they were typed."""

    inputs: ClassVar = {
        "noise": InputKind("Noise", choose_text_noise, sweep=text_noise_sweep, is_noise=True),
        "text": InputKind(
            "Type",
            type_text,
            (":material/edit_note:", "Type or paste a text into the field, then press Ctrl+Enter or click beside it."),
            seen_in_its_controls=True,
        ),
        "distortion": InputKind(
            "Distort",
            TEXT_DISTORTER.choose,
            sweep=TEXT_DISTORTER.sweep,
            along=TEXT_DISTORTER.along,
        ),
    }
    fits_column = True
    has_noise = True
    has_parts = True
    distorter = TEXT_DISTORTER

    def render_example(self, run: Run, example: int, width: int) -> None:
        """Render a text as wide as there is room for, and as high as a picture may be wide."""
        text_box(load_texts(run, np.array([example]))[0], f"Example {example}", width)

    def render_input(self, run: Run, content: str, spoken: str) -> None:
        text_box(content, spoken)

    def text(self, run: Run, example: int) -> str:
        return str(load_texts(run, np.array([example]))[0])[:MOST_CHARACTERS]

    def contents(self, run: Run, examples: np.ndarray) -> np.ndarray:
        return load_texts(run, examples)

    def tiles(self, run: Run, examples: np.ndarray, side: int = TILE) -> Tiles:
        return self.input_tiles(run, load_texts(run, examples))

    def input_tiles(self, run: Run, contents: np.ndarray) -> Tiles:
        return Tiles(details=tuple({"text": _beginning(text, ON_A_TILE)} for text in contents))

    def table_columns(self, run: Run, examples: np.ndarray) -> dict[str, tuple[list[Any], Any]]:
        shown = run.content.iloc[examples].map(lambda text: _beginning(text, IN_A_TABLE))
        return {str(name): (shown[name].tolist(), st.column_config.TextColumn(width="large")) for name in shown}

    def noise(self, run: Run) -> ProbeInput:
        return ProbeInput(noise_of_words(1, sample_texts(run), seed=0)[0], "Random words")

    def parts(self, run: Run, content: str) -> Parts:
        return text_parts(content)


def _beginning(text: str, characters: int) -> str:
    line = one_line(text[: characters + 1])
    return line if len(text) <= characters else f"{line[:characters]}…"
