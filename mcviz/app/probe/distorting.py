"""An example of the run, distorted, as an input; and the predictions over the whole range of the distortion."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.components.widgets import bound
from mcviz.app.probe.predicting import ProbeInput, own_images, predict
from mcviz.app.probe.sweep import SweepInputs
from mcviz.app.resources import for_the_model, model
from mcviz.app.state import PageState, go, one_of
from mcviz.data.distortions import DISTORTIONS, Distortion
from mcviz.figures.sweeps import predictions_along
from mcviz.measures import percent
from mcviz.runs import Run

MOST_POSITIONS = 32  # of the slider, in the curves
FGSM = "fgsm"
CHOICES = {
    **DISTORTIONS,
    FGSM: Distortion(
        "Adversarial step (FGSM)",
        "of full brightness",
        0,
        0.5,
        0,
        0.02,
        lambda x, step, _, signs: _stepped(x, step, signs),
    ),
}
RANDOM_PLACE = ("erase", "shuffle")


@dataclass(frozen=True)
class Chosen:
    """A distortion of an example.

    Attributes:
        name: one of `CHOICES`.
        example: its number.
        amount: where the slider stands.
        seed: of what is random in the distortion.
        other: the number of the example that is mixed in.
    """

    name: str
    example: int
    amount: float
    seed: int
    other: int


def chosen_distortion(run: Run, state: PageState) -> Chosen:
    """What the state says, within what this run and this distortion allow."""
    name = one_of(state.distortion, CHOICES)
    distortion, amount = CHOICES[name], state.amount
    if amount is None or not distortion.low <= amount <= distortion.high:
        amount = distortion.unchanged
    other = min(1, len(run) - 1) if state.other_example is None else state.other_example
    return Chosen(name, state.example or 0, float(amount), state.seed, other)


def distorted(run: Run, chosen: Chosen, images: np.ndarray, amount: float) -> np.ndarray:
    """(N, height, width, channels) float32 in 0..1 of (N, height, width, channels) float32 images, distorted."""
    others = images
    if chosen.name == "mix":
        others = own_images(run, np.array([chosen.other]))
    elif chosen.name == FGSM:
        others = _against_the_model(run.digest, hashlib.sha256(images.tobytes()).hexdigest(), run, images)
    return CHOICES[chosen.name].apply(images, amount, chosen.seed, others)


@st.cache_data(max_entries=32, show_spinner=False)
def _against_the_model(digest: str, pixels: str, _run: Run, _images: np.ndarray) -> np.ndarray:  # noqa: ARG001 (keys)
    network = model(_run)
    from mcviz.model.adversarial import gradient_sign

    return gradient_sign(network, for_the_model(_run, _images)).reshape(_images.shape)


def distortion_input(run: Run, state: PageState) -> ProbeInput:
    """Controls for one example of the run and its distortion."""
    chosen, last = chosen_distortion(run, state), len(run) - 1
    distortion = CHOICES[chosen.name]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input("Example", 0, last, width=150, **bound("example", chosen.example))
        st.button("Random example", icon=":material/shuffle:", on_click=go_to_any, args=(last,))
    st.selectbox(
        "Distortion",
        list(CHOICES),
        format_func=lambda name: CHOICES[name].label,
        **bound("distortion", chosen.name, lambda new: go(distortion=new, amount=None)),
    )
    st.slider(
        f"{distortion.label}, {distortion.unit}",
        float(distortion.low),
        float(distortion.high),
        step=float(distortion.step),
        format="percent" if is_share(distortion) else None,
        **bound(f"amount-{chosen.name}", chosen.amount, lambda new: go(amount=round(new, 6))),
    )
    if chosen.name == "mix":
        st.number_input("The other example", 0, last, width=150, **bound("other_example", chosen.other))
    if chosen.name in RANDOM_PLACE:
        st.button("Another seed", icon=":material/casino:", on_click=go, kwargs={"seed": chosen.seed + 1})
    image = distorted(run, chosen, own_images(run, np.array([chosen.example])), chosen.amount)[0]
    label = None if run.labels is None else int(run.labels[chosen.example])
    note = "" if label is None else f"The label of the example is **{run.class_names[label]}**."
    return ProbeInput(image, f"Example {chosen.example}, {described(chosen)}", note, label)


def show_curves(run: Run, state: PageState) -> None:
    """The predictions over the whole range of the slider."""
    chosen = chosen_distortion(run, state)
    distortion = CHOICES[chosen.name]
    steps = round((distortion.high - distortion.low) / distortion.step)
    amounts = distortion.low + distortion.step * np.arange(0, steps + 1, -(-(steps + 1) // MOST_POSITIONS))
    amounts = np.clip(amounts.round(6), distortion.low, distortion.high)
    image = own_images(run, np.array([chosen.example]))
    images = np.concatenate([distorted(run, chosen, image, float(amount)) for amount in amounts])
    probs = predict(run, images)
    first = run.class_names[int(probs[:, 0].mean(axis=0).argmax())]
    st.subheader("Along the whole slider", anchor=False)
    st.caption(
        "What the ensemble predicts at each position, and whether it notices: where the probability falls and the "
        "entropy rises, it does."
    )
    figure = predictions_along(
        amounts,
        probs,
        images,
        run.class_names,
        title=f"{distortion.label}, {distortion.unit}",
        tick_format=".0%" if is_share(distortion) else "",
        current=chosen.amount,
    )
    chart(figure, "along-the-slider", f"Predictions along the slider {distortion.label}: at its left end {first}.")


def distortion_sweep(run: Run, state: PageState) -> SweepInputs:
    """Examples of the run, in a random order, distorted as is chosen."""
    chosen, total = chosen_distortion(run, state), len(run)
    order = np.random.default_rng(0).permutation(total)

    def some(start: int, stop: int) -> np.ndarray:
        return distorted(run, replace(chosen, seed=start), own_images(run, order[start:stop]), chosen.amount)

    labels = None if run.labels is None else run.labels[order]
    return SweepInputs("distorted examples", described(chosen), total, some, run.digest, labels)


def described(chosen: Chosen) -> str:
    """A distortion in words."""
    distortion = CHOICES[chosen.name]
    amount = percent(chosen.amount, 0) if is_share(distortion) else f"{chosen.amount:g}"
    other = f", example {chosen.other}" if chosen.name == "mix" else ""
    return f"{distortion.label[:1].lower()}{distortion.label[1:]}, {amount} {distortion.unit}{other}"


def _stepped(images: np.ndarray, step: float, signs: np.ndarray) -> np.ndarray:
    return np.clip(images + np.float32(step) * signs, 0, 1)


def is_share(distortion: Distortion) -> bool:
    """Whether the slider counts parts of a whole, to be shown as a percentage."""
    return distortion.unit.startswith("of ")


def go_to_any(last: int) -> None:
    """Go to any example of the run."""
    go(example=int(np.random.default_rng().integers(last + 1)))
