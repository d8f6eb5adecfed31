"""An example of the run, distorted, as an input; and the predictions over the whole range of the distortion."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.components.widgets import bound
from mcviz.app.probe.predicting import ProbeInput, example_images, predict
from mcviz.app.probe.sweep import SweepInputs
from mcviz.app.resources import class_names, for_the_model, model
from mcviz.app.state import PageState, go, one_of
from mcviz.app.wording import as_markdown
from mcviz.data.distortions import DISTORTIONS, Distortion
from mcviz.figures.sweeps import predictions_along
from mcviz.measures import percent
from mcviz.runs import Run

MOST_POSITIONS = 32  # of the slider, in the curves
FGSM = "fgsm"
PROBE_DISTORTIONS = {
    **DISTORTIONS,
    FGSM: Distortion(
        "Adversarial step (FGSM)",
        "of full brightness",
        0,
        0.5,
        0,
        0.02,
        lambda x, step, _, signs: _fgsm_step(x, step, signs),
    ),
}


@dataclass(frozen=True)
class DistortionSettings:
    """Which example is distorted, and how.

    Attributes:
        name: of the distortion, one of `PROBE_DISTORTIONS`.
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


def distortion_settings(run: Run, state: PageState) -> DistortionSettings:
    """Read the settings from the state; what this run or this distortion does not allow is replaced by the usual."""
    name = one_of(state.distortion, PROBE_DISTORTIONS)
    distortion, amount = PROBE_DISTORTIONS[name], state.amount
    if amount is None or not distortion.low <= amount <= distortion.high:
        amount = distortion.unchanged
    other = min(1, len(run) - 1) if state.other_example is None else state.other_example
    return DistortionSettings(name, state.example or 0, float(amount), state.seed, other)


def distort(run: Run, settings: DistortionSettings, images: np.ndarray, amount: float) -> np.ndarray:
    """Distort images by an amount.

    Args:
        run: whose model and examples some distortions need.
        settings: all but the amount.
        images: (N, height, width, channels) float32 in 0..1.
        amount: of the distortion.

    Returns:
        As many images of the same shape and range.
    """
    others = images
    if settings.name == "mix":
        others = example_images(run, np.array([settings.other_example]))
    elif settings.name == FGSM:
        others = _gradient_signs(run.digest, hashlib.sha256(images.tobytes()).hexdigest(), run, images)
    return PROBE_DISTORTIONS[settings.name].apply(images, amount, settings.seed, others)


@st.cache_data(max_entries=32, show_spinner=False)
def _gradient_signs(digest: str, pixels: str, _run: Run, _images: np.ndarray) -> np.ndarray:  # noqa: ARG001 (keys)
    network = model(_run)
    from mcviz.model.adversarial import gradient_sign

    used = _run.manifest.model
    signs = gradient_sign(
        network,
        for_the_model(_run, _images),
        output=used.output if used else None,
        from_logits=used.from_logits if used else None,
    ).reshape(_images.shape)
    return signs[..., ::-1] if _run.manifest.preprocessing.channel_order == "bgr" else signs


def distortion_input(run: Run, state: PageState) -> ProbeInput:
    """Controls for one example of the run and its distortion."""
    settings, last = distortion_settings(run, state), len(run) - 1
    distortion = PROBE_DISTORTIONS[settings.name]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input("Example", 0, last, width=150, **bound("example", settings.example))
        st.button("Random example", icon=":material/shuffle:", on_click=go_to_random_example, args=(last,))
    st.selectbox(
        "Distortion",
        list(PROBE_DISTORTIONS),
        format_func=lambda name: PROBE_DISTORTIONS[name].label,
        **bound("distortion", settings.name, lambda new: go(distortion=new, amount=None)),
    )
    st.slider(
        f"{distortion.label}, {distortion.unit}",
        float(distortion.low),
        float(distortion.high),
        step=float(distortion.step),
        format="percent" if is_share(distortion) else "%g",
        **bound(f"amount-{settings.name}", settings.amount, lambda new: go(amount=round(new, 6))),
    )
    if settings.name == "mix":
        st.number_input("The other example", 0, last, width=150, **bound("other_example", settings.other_example))
    if PROBE_DISTORTIONS[settings.name].seeded:
        st.button("Another seed", icon=":material/casino:", on_click=go, kwargs={"seed": settings.seed + 1})
    image = distort(run, settings, example_images(run, np.array([settings.example])), settings.amount)[0]
    label = None if run.labels is None else int(run.labels[settings.example])
    note = "" if label is None else f"The label of the example is **{as_markdown(run.class_names[label])}**."
    return ProbeInput(image, f"Example {settings.example}, {describe(settings)}", note, label)


def show_curves(run: Run, state: PageState) -> None:
    """The predictions over the whole range of the slider."""
    settings = distortion_settings(run, state)
    distortion = PROBE_DISTORTIONS[settings.name]
    steps = round((distortion.high - distortion.low) / distortion.step)
    amounts = distortion.low + distortion.step * np.arange(0, steps + 1, -(-(steps + 1) // MOST_POSITIONS))
    amounts = np.clip(amounts.round(6), distortion.low, distortion.high)
    image = example_images(run, np.array([settings.example]))
    images = np.concatenate([distort(run, settings, image, float(amount)) for amount in amounts])
    probs = predict(run, images)
    names = class_names(run)
    first = names[int(probs[:, 0].mean(axis=0).argmax())]
    st.subheader("Along the whole slider", anchor=False)
    st.caption(
        "What the ensemble predicts at each position. Where the probability falls and the entropy rises, it is "
        "uncertain."
    )
    figure = predictions_along(
        amounts,
        probs,
        images,
        names,
        title=f"{distortion.label}, {distortion.unit}",
        tick_format=".0%" if is_share(distortion) else "",
        current=settings.amount,
    )
    chart(figure, "along-the-slider", f"Predictions along the slider {distortion.label}: at its left end {first}.")


def distortion_sweep(run: Run, state: PageState) -> SweepInputs:
    """Examples of the run, in a random order, distorted as the settings say."""
    settings, total = distortion_settings(run, state), len(run)
    order = np.random.default_rng(0).permutation(total)

    def load(start: int, stop: int) -> np.ndarray:
        return distort(run, replace(settings, seed=start), example_images(run, order[start:stop]), settings.amount)

    labels = None if run.labels is None else run.labels[order]
    return SweepInputs("distorted examples", describe(settings), total, load, run.digest, labels)


def describe(settings: DistortionSettings) -> str:
    """Name a distortion with its amount."""
    distortion = PROBE_DISTORTIONS[settings.name]
    amount = percent(settings.amount, 0) if is_share(distortion) else f"{settings.amount:g}"
    other = f", example {settings.other_example}" if settings.name == "mix" else ""
    return f"{distortion.label[:1].lower()}{distortion.label[1:]}, {amount} {distortion.unit}{other}"


def _fgsm_step(images: np.ndarray, step: float, signs: np.ndarray) -> np.ndarray:
    return np.clip(images + np.float32(step) * signs, 0, 1)


def is_share(distortion: Distortion) -> bool:
    """Whether the slider counts parts of a whole, to be shown as a percentage."""
    return distortion.unit.startswith("of ")


def go_to_random_example(last: int) -> None:
    """Go to any example of the run."""
    go(example=int(np.random.default_rng().integers(last + 1)))
