"""An example of the run, distorted, as an input: one, one over the whole range of the distortion, and many."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from mcviz.app.components.widgets import bind
from mcviz.app.inputs import Along, ProbeInput, SweepInputs
from mcviz.app.needs import has
from mcviz.app.state import PageState, choose_name, go
from mcviz.app.wording import as_markdown
from mcviz.data.distortions import Distortion
from mcviz.measures import percent
from mcviz.runs import Run

MOST_POSITIONS = 32  # of the slider, that are predicted
MIX = "mix"  # the name of a distortion that takes another example


@dataclass(frozen=True)
class DistortionSettings:
    """Which example is distorted, and how.

    Attributes:
        name: of the distortion, one of the kind's.
        example: its number in the run.
        amount: where the slider stands.
        seed: of what is random in the distortion.
        other_example: the number of the example that is mixed in.
    """

    name: str
    example: int
    amount: float
    seed: int
    other_example: int


@dataclass(frozen=True)
class Distorter:
    """How examples of a kind are distorted: what is particular to the kind, and what is the same for all of them.

    Attributes:
        distortions: by name, the usual one first.
        contents: of some examples of a run, in the form of `ProbeInput.content`, in one array.
        others: what a distortion takes besides, of a run, the settings and the contents that are distorted.
        gradual: the name of the one that is looked at first where all examples are distorted step by step.
        are_pictures: whether contents are images, to be shown beside what is predicted along the slider.
    """

    distortions: Mapping[str, Distortion]
    contents: Callable[[Run, np.ndarray], np.ndarray]
    others: Callable[[Run, DistortionSettings, np.ndarray], np.ndarray]
    gradual: str
    are_pictures: bool = False

    def settings(self, run: Run, state: PageState) -> DistortionSettings:
        """Read the settings from the state; what the run or the distortion does not allow is replaced by the usual."""
        name = choose_name(state.distortion, self.distortions)
        distortion, amount = self.distortions[name], state.amount
        if amount is None or not distortion.low <= amount <= distortion.high:
            amount = distortion.unchanged
        other = min(1, len(run) - 1) if state.other_example is None else state.other_example
        return DistortionSettings(name, state.example or 0, float(amount), state.seed, other)

    def distort(self, run: Run, settings: DistortionSettings, contents: np.ndarray, amounts: list[float]) -> np.ndarray:
        """Distort some contents by each of some amounts, with all else as the settings say; one after the other."""
        others = self.others(run, settings, contents)
        apply = self.distortions[settings.name].apply
        return np.concatenate([apply(contents, amount, settings.seed, others) for amount in amounts])

    def choose(self, run: Run, state: PageState) -> ProbeInput:
        """Controls for one example of the run and its distortion."""
        settings, last = self.settings(run, state), len(run) - 1
        distortion = self.distortions[settings.name]
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.number_input("Example", 0, last, width=150, **bind("example", settings.example))
            st.button("Random example", icon=":material/shuffle:", on_click=go_to_random_example, args=(last,))
        st.selectbox(
            "Distortion",
            list(self.distortions),
            format_func=lambda name: self.distortions[name].label,
            **bind("distortion", settings.name, lambda new: go(distortion=new, amount=None)),
        )
        st.slider(
            f"{distortion.label}, {distortion.unit}",
            float(distortion.low),
            float(distortion.high),
            step=float(distortion.step),
            format="percent" if _is_share(distortion) else "%g",
            **bind(f"amount-{settings.name}", settings.amount, lambda new: go(amount=round(new, 6))),
        )
        if settings.name == MIX:
            st.number_input("The other example", 0, last, width=150, **bind("other_example", settings.other_example))
        if distortion.seeded:
            st.button("Another seed", icon=":material/casino:", on_click=go, kwargs={"seed": settings.seed + 1})
        content = self.distort(run, settings, self._example(run, settings), [settings.amount])[0]
        labels = _classes(run)
        label = None if labels is None else int(labels[settings.example])
        note = "" if label is None else f"The label of the example is **{as_markdown(run.class_names[label])}**."
        return ProbeInput(content, f"Example {settings.example}, {self.describe(settings)}", note, label)

    def along(self, run: Run, state: PageState) -> Along:
        """The example at positions over the whole range of the slider."""
        settings = self.settings(run, state)
        distortion, example = self.distortions[settings.name], self._example(run, settings)
        steps = round((distortion.high - distortion.low) / distortion.step)
        amounts = distortion.low + distortion.step * np.arange(0, steps + 1, -(-(steps + 1) // MOST_POSITIONS))
        amounts = np.clip(amounts.round(6), distortion.low, distortion.high)
        return Along(
            amounts,
            self.distort(run, settings, example, amounts.tolist()),
            title=f"{distortion.label}, {distortion.unit}",
            tick_format=".0%" if _is_share(distortion) else "",
            current=settings.amount,
            are_pictures=self.are_pictures,
        )

    def sweep(self, run: Run, state: PageState) -> SweepInputs:
        """Examples of the run, in a random order, distorted as the settings say."""
        settings, total = self.settings(run, state), len(run)
        order = np.random.default_rng(0).permutation(total)

        def load(start: int, stop: int) -> np.ndarray:
            contents = self.contents(run, order[start:stop])
            return self.distort(run, replace(settings, seed=start), contents, [settings.amount])

        labels = _classes(run)
        swept = None if labels is None else labels[order]
        return SweepInputs("distorted examples", self.describe(settings), total, load, run.digest, swept)

    @property
    def of_many(self) -> dict[str, Distortion]:
        """Those by which examples with labels are distorted step by step: not that which ends at another example."""
        return {name: each for name, each in self.distortions.items() if name != MIX}

    def by_amount(self, run: Run, name: str, examples: np.ndarray) -> Callable[[float], np.ndarray]:
        """What distorts some examples of the run by an amount; the same is random for each amount."""
        settings, contents = DistortionSettings(name, 0, 0.0, 0, 0), self.contents(run, examples)
        return lambda amount: self.distort(run, settings, contents, [amount])

    def describe(self, settings: DistortionSettings) -> str:
        """Name a distortion with its amount."""
        distortion = self.distortions[settings.name]
        amount = percent(settings.amount, 0) if _is_share(distortion) else f"{settings.amount:g}"
        other = f", example {settings.other_example}" if settings.name == MIX else ""
        return f"{distortion.label[:1].lower()}{distortion.label[1:]}, {amount} {distortion.unit}{other}"

    def _example(self, run: Run, settings: DistortionSettings) -> np.ndarray:
        return self.contents(run, np.array([settings.example]))


def _classes(run: Run) -> np.ndarray | None:
    """(N,) int: the labels of a classification, or None."""
    return run.labels if has(run, "classes") else None


def _is_share(distortion: Distortion) -> bool:
    """Whether the slider counts parts of a whole, to be shown as a percentage."""
    return distortion.unit.startswith("of ")


def go_to_random_example(last: int) -> None:
    """Go to any example of the run."""
    go(example=int(np.random.default_rng().integers(last + 1)))
