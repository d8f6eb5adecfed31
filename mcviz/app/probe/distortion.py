"""A distorted example of the run as an input, and the controls that several inputs share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from mcviz.app.probe.parts import ProbeInput, SliderSeries, SweepInputs
from mcviz.app.resources import has
from mcviz.app.state import HIGHEST_SEED, PageState, choose_name, rerun_fragments, state_widget_args, update_state
from mcviz.app.wording import as_markdown
from mcviz.data.distortions import Distortion, Noise, TextNoise
from mcviz.measures import percent
from mcviz.runs import Run
from mcviz.text import true_minus

MOST_POSITIONS = 32  # of the slider, that are predicted
MIX = "mix"  # the name of a distortion that takes another example
NONE_IS_CORRECT = "No prediction is correct: this is noise, and the model cannot say so."


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
        distortion, amount = self.distortions[name], state.amount
        if amount is None or not distortion.low <= amount <= distortion.high:
            amount = distortion.unchanged
        other = min(1, len(run) - 1) if state.other_example is None else state.other_example
        return DistortionSettings(name, state.example or 0, float(amount), state.seed, other)

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
            float(distortion.low),
            float(distortion.high),
            step=float(distortion.step),
            format="percent" if _is_share(distortion) else "%g",
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
        labels = _class_labels(run)
        label = None if labels is None else int(labels[settings.example])
        note = "" if label is None else f"The label of the example is **{as_markdown(run.class_names[label])}**."
        return ProbeInput(content, f"Example {settings.example}, {self.describe(settings)}", note, label)

    def along(self, run: Run, state: PageState) -> SliderSeries:
        """Return the example at positions over the whole range of the slider."""
        settings = self.settings(run, state)
        distortion, example = self.distortions[settings.name], self._example(run, settings)
        steps = round((distortion.high - distortion.low) / distortion.step)
        amounts = distortion.low + distortion.step * np.arange(0, steps + 1, -(-(steps + 1) // MOST_POSITIONS))
        amounts = np.clip(amounts.round(6), distortion.low, distortion.high)
        return SliderSeries(
            amounts,
            self.distort(run, settings, example, amounts.tolist()),
            title=f"{distortion.label}, {distortion.unit}",
            tick_format=".0%" if _is_share(distortion) else "",
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

        labels = _class_labels(run)
        ordered = None if labels is None else labels[order]
        return SweepInputs("distorted examples", self.describe(settings), total, load, run.digest, ordered)

    def describe(self, settings: DistortionSettings) -> str:
        """Name a distortion with its amount."""
        distortion = self.distortions[settings.name]
        amount = percent(settings.amount, 0) if _is_share(distortion) else true_minus(f"{settings.amount:g}")
        other = f", example {settings.other_example}" if settings.name == MIX else ""
        return f"{distortion.label[:1].lower()}{distortion.label[1:]}, {amount} {distortion.unit}{other}"

    def _example(self, run: Run, settings: DistortionSettings) -> np.ndarray:
        return self.contents(run, np.array([settings.example]))


def _change_distortion(name: str) -> None:
    """Choose another distortion, and draw also what stands outside of the fragment: what it does to many examples."""
    update_state(distortion=name, amount=None)
    rerun_fragments()


def choose_example(run: Run, example: int) -> None:
    """Render a choice of the example that an input starts from."""
    last = len(run) - 1
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input("Example", 0, last, width=150, **state_widget_args("example", example))
        st.button("Random example", icon=":material/shuffle:", on_click=_go_to_random_example, args=(last,))


def choose_seed(label: str, seed: int, another: str) -> None:
    """Render a choice of the seed, with a button for the next one."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(label, 0, HIGHEST_SEED, width=140, **state_widget_args("seed", seed))
        st.button(another, icon=":material/casino:", on_click=update_state, kwargs={"seed": seed + 1})


def choose_noise(noises: Mapping[str, Noise] | Mapping[str, TextNoise], kind: str, seed: int, another: str) -> None:
    """Render a choice of the kind of noise, by name, and of its seed."""
    st.selectbox(
        "Kind of noise", list(noises), format_func=lambda name: noises[name].label, **state_widget_args("noise", kind)
    )
    st.caption(noises[kind].meaning)
    choose_seed("Seed of the noise", seed, another)


def _class_labels(run: Run) -> np.ndarray | None:
    return run.labels if has(run, "classes") else None


def _is_share(distortion: Distortion) -> bool:
    """Whether the amount is a part of a whole, to be shown in percent."""
    return distortion.unit.startswith("of ")


def _go_to_random_example(last: int) -> None:
    update_state(example=int(np.random.default_rng().integers(last + 1)))
