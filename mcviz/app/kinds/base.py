"""Kinds of examples on pages, and inputs of these kinds for a model.

An input has predictions, parts, and possibly a distortion.
"""

import hashlib
import importlib
import json
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NoReturn

import numpy as np
import streamlit as st

from mcviz.app.resources import RunPart, has, predict_live, skip_loaded_objects
from mcviz.app.state import (
    PageState,
    choose_name,
    rerun_fragments,
    session_store,
    state_widget_args,
    update_state,
)
from mcviz.app.wording import as_markdown
from mcviz.errors import McvizError
from mcviz.kinds.base import Distortion
from mcviz.kinds.image_distortions import Noise
from mcviz.kinds.text_distortions import TextNoise
from mcviz.runs import Run
from mcviz.text import percent, true_minus

MOST_INPUTS = 2000  # of a sweep
MOST_CACHED = 16  # predictions in a session, so that going back to an input costs nothing
MOST_CACHED_BYTES = 2**26  # of these; the latest is kept in any case
MOST_POSITIONS = 32  # of the slider, that are predicted
MIX = "mix"  # the name of a distortion that takes another example

TILE = 208  # pixels that a larger image is scaled down to: the smallest tile on a screen of twice the usual sharpness


@dataclass(frozen=True)
class ProbeInput:
    """An input for the model.

    Attributes:
        content: as the kind has it: (height, width, channels) float32 in 0..1, a text, or (D,) float32.
        name: what it is, such as "Uniform noise at 100% strength, seed 3".
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
        digest: the version of the numbers of the run whose model predicts.
        labels: (available,) int, or None where no prediction is correct.
        stored_as: the name under which the findings are kept beside the run; "" where they are not.
    """

    kind: str
    name: str
    available: int
    load: Callable[[int, int], np.ndarray]
    digest: str
    labels: np.ndarray | None = None
    stored_as: str = ""

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
        choose: renders its controls, and returns the input that they give; of noise only those of all inputs.
        nothing_yet: an icon, and what to do where there is no input yet.
        sweep: many inputs of the kind, where that makes sense.
        is_noise: whether it opens with many inputs, of which one is looked at.
        along: the input along its slider, where it has one.
        needs: what a run has to have.
        seen_in_its_controls: whether the controls show the input, so that it need not be drawn beside them.
    """

    label: str
    choose: Callable[[Run, PageState], ProbeInput | None]
    nothing_yet: tuple[str, str] = ("", "")
    sweep: Callable[[Run, PageState], SweepInputs] | None = None
    is_noise: bool = False
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
            skip_loaded_objects()

    if module and module not in sys.modules:
        threading.Thread(target=work).start()


def digest_contents(contents: np.ndarray) -> str:
    """Return the SHA-256 of contents; arrays of texts hold only addresses."""
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


@dataclass(frozen=True)
class DistortionSettings:
    """A distortion of one example.

    Attributes:
        name: of the distortion, one of the kind's.
        example: its number in the run.
        amount: where the slider stands.
        seed: of the random numbers in the distortion.
        other_example: the number of the example that is mixed in.
    """

    name: str
    example: int
    amount: float
    seed: int
    other_example: int


@dataclass(frozen=True)
class Distorter:
    """How examples of a kind are distorted.

    Attributes:
        distortions: by name, the usual one first.
        contents: of some examples of a run, in the form of `ProbeInput.content`, in one array.
        others: the last argument of a distortion, of a run, the settings and the contents that are distorted.
        are_pictures: whether contents are images, to be shown beside the predictions along the slider.
    """

    distortions: Mapping[str, Distortion]
    contents: Callable[[Run, np.ndarray], np.ndarray]
    others: Callable[[Run, DistortionSettings, np.ndarray], np.ndarray]
    are_pictures: bool = False

    def settings(self, run: Run, state: PageState) -> DistortionSettings:
        """Read the settings from the state, with defaults in place of values that the run or the distortion lacks."""
        name = choose_name(state.distortion, self.distortions)
        amount, (low, high) = state.amount, self.distortions[name].ends
        if amount is None or not low <= amount <= high:
            amount = self.distortions[name].unchanged
        other = min(1, len(run) - 1) if state.other_example is None else state.other_example
        return DistortionSettings(name, state.example or 0, float(amount), state.seed or 0, other)

    def distort(self, run: Run, settings: DistortionSettings, contents: np.ndarray, amounts: list[float]) -> np.ndarray:
        """Distort some contents by each of some amounts, one after the other; the settings say all else."""
        others = self.others(run, settings, contents)
        apply = self.distortions[settings.name].apply
        return np.concatenate([apply(contents, amount, settings.seed, others) for amount in amounts])

    def choose(self, run: Run, state: PageState) -> ProbeInput:
        """Render the controls of one distorted example."""
        settings = self.settings(run, state)
        distortion = self.distortions[settings.name]
        choose_example(run, settings.example)
        st.selectbox(
            "Distortion",
            list(self.distortions),
            format_func=lambda name: self.distortions[name].label,
            **state_widget_args("distortion", settings.name, _change_distortion),
        )
        st.slider(
            f"{distortion.label}, {distortion.unit}",
            *map(float, distortion.ends),
            step=float(distortion.step),
            format="percent" if distortion.is_share else "%g",
            **state_widget_args(
                f"amount-{settings.name}", settings.amount, lambda new: update_state(amount=round(new, 6))
            ),
        )
        if settings.name == MIX:
            other = state_widget_args("other_example", settings.other_example)
            st.number_input("The other example", 0, len(run) - 1, width=150, **other)
        if distortion.seeded:
            st.button(
                "Another seed", icon=":material/casino:", on_click=update_state, kwargs={"seed": settings.seed + 1}
            )
        content = self.distort(run, settings, self._example(run, settings), [settings.amount])[0]
        given = run.labels[settings.example] if has(run, "classes") and run.labels is not None else -1
        label = None if given < 0 else int(given)
        note = "" if label is None else f"The label of the example is **{as_markdown(run.class_names[label])}**."
        return ProbeInput(content, f"Example {settings.example}, {self.describe(settings)}", note, label)

    def along(self, run: Run, state: PageState) -> SliderSeries:
        """Return the example at positions over the whole range of the slider."""
        settings = self.settings(run, state)
        distortion, example = self.distortions[settings.name], self._example(run, settings)
        low, high = distortion.ends
        steps = round((high - low) / distortion.step)
        amounts = low + distortion.step * np.arange(0, steps + 1, -(-(steps + 1) // MOST_POSITIONS))
        amounts = np.clip(amounts.round(6), low, high)
        return SliderSeries(
            amounts,
            self.distort(run, settings, example, amounts.tolist()),
            title=f"{distortion.label}, {distortion.unit}",
            tick_format=".0%" if distortion.is_share else "",
            current=settings.amount,
            are_pictures=self.are_pictures,
        )

    def sweep(self, run: Run, state: PageState) -> SweepInputs:
        """Return examples of the run in a random order, distorted as the settings say."""
        settings, total = self.settings(run, state), len(run)
        order = np.random.default_rng(0).permutation(total)

        def load(start: int, stop: int) -> np.ndarray:
            contents = self.contents(run, order[start:stop])
            return self.distort(run, replace(settings, seed=start), contents, [settings.amount])

        are_known = has(run, "classes") and run.labels is not None and run.manifest.examples_with_labels is None
        ordered = np.asarray(run.labels)[order] if are_known else None
        return SweepInputs("distorted examples", self.describe(settings), total, load, run.numbers_version, ordered)

    def describe(self, settings: DistortionSettings) -> str:
        """Name a distortion with its amount."""
        distortion = self.distortions[settings.name]
        amount = percent(settings.amount, 0) if distortion.is_share else true_minus(f"{settings.amount:g}")
        other = f", example {settings.other_example}" if settings.name == MIX else ""
        return f"{distortion.label[:1].lower()}{distortion.label[1:]}, {amount} {distortion.unit}{other}"

    def _example(self, run: Run, settings: DistortionSettings) -> np.ndarray:
        return self.contents(run, np.array([settings.example]))


def _change_distortion(name: str) -> None:
    update_state(distortion=name, amount=None)
    rerun_fragments()


def choose_example(run: Run, example: int) -> None:
    """Render a choice of the example that an input starts from."""
    last = len(run) - 1
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input("Example", 0, last, width=150, **state_widget_args("example", example))
        st.button("Random example", icon=":material/shuffle:", on_click=_go_to_random_example, args=(last,))


def choose_noise(noises: Mapping[str, Noise] | Mapping[str, TextNoise], kind: str) -> None:
    """Render a choice of the kind of noise, by name."""
    st.selectbox(
        "Kind of noise", list(noises), format_func=lambda name: noises[name].label, **state_widget_args("noise", kind)
    )
    st.caption(noises[kind].meaning)


def _go_to_random_example(last: int) -> None:
    update_state(example=int(np.random.default_rng().integers(last + 1)))


@dataclass(frozen=True)
class Tiles:
    """Pictures in one sheet, or words on each tile, for the gallery.

    Attributes:
        sheet: the picture of all tiles and how the browser cuts it, as the component takes it; or nothing.
        details: what else the component takes of each example, or nothing.
    """

    sheet: Mapping[str, object] = field(default_factory=dict)
    details: tuple[Mapping[str, Any], ...] = ()


class KindRenderer(ABC):
    """Shows a kind of examples; subclasses define differences from hidden examples.

    Attributes:
        inputs: what can be predicted besides the run's own examples.
        fits_column: whether `render_small` fits into a narrow column; if not, an input is rendered alone.
        has_noise: whether there is `noise`.
        has_parts: whether an input has `parts`.
        distorter: how examples are distorted step by step, or None where nobody has said.
    """

    inputs: ClassVar[Mapping[str, InputKind]] = {}
    fits_column = False
    has_noise = False
    has_parts = False
    distorter: Distorter | None = None

    @abstractmethod
    def render_example(self, run: Run, example: int, width: int) -> None:
        """Render an example of a run that keeps its examples, a picture at most `width` pixels wide."""

    @abstractmethod
    def render_input(self, run: Run, content: Any, spoken: str) -> None:
        """Render an input; `spoken` is for those who cannot see it."""

    @abstractmethod
    def contents(self, run: Run, examples: np.ndarray) -> np.ndarray:
        """Return some examples in the form of `ProbeInput.content`, in one array."""

    def text(self, run: Run, example: int) -> str:
        """Return an example's text, or ""."""
        return ""

    def values(self, run: Run, example: int) -> list[tuple[str, str]]:
        """Return an example's numbers by column; empty for other kinds."""
        return []

    def render_small(self, run: Run, content: Any, spoken: str) -> None:
        """Render an example that is kept beside a run, as small as the kind can be."""
        self.render_input(run, content, spoken)

    def tiles(self, run: Run, examples: np.ndarray, side: int = TILE) -> Tiles:
        """Return the gallery's view of some examples, of photographs at most `side` pixels high and wide."""
        return Tiles()

    def input_tiles(self, run: Run, contents: np.ndarray) -> Tiles:
        """Return the gallery's view of some inputs that are not in the run."""
        return Tiles()

    def table_columns(self, run: Run, examples: np.ndarray) -> dict[str, tuple[list[Any], Any]]:
        """Return columns of the table of examples by name: values, and how Streamlit shows them."""
        return {}

    def thumbnail(self, content: Any) -> str:
        """Return the address of a small picture of an example that is kept beside a run; "" without one."""
        return ""

    def noise(self, run: Run) -> ProbeInput:
        """Return an input that is nothing."""
        raise NotImplementedError

    def parts(self, run: Run, content: Any) -> Parts:
        """Return the parts of an input, which can be hidden one after the other."""
        raise NotImplementedError


class NothingRenderer(KindRenderer):
    """Examples that are not in the run."""

    def render_example(self, run: Run, example: int, width: int) -> NoReturn:
        raise _missing(run)

    def render_input(self, run: Run, content: Any, spoken: str) -> NoReturn:
        raise _missing(run)

    def contents(self, run: Run, examples: np.ndarray) -> NoReturn:
        raise _missing(run)


def _missing(run: Run) -> McvizError:
    return McvizError(f"The examples of {run.path} are not in it.")
