"""An image of the run, distorted, as an input; and the answers over the whole range of the distortion."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from mcviz.app import address
from mcviz.app.parts import chart
from mcviz.app.probe.asking import Asked, ask, own_images
from mcviz.app.probe.sweep import Swept
from mcviz.app.resources import for_the_model, model
from mcviz.app.wording import percent
from mcviz.data.distortions import DISTORTIONS, Distortion
from mcviz.figures.sweeps import predictions_along
from mcviz.runs import Run

MOST_POSITIONS = 32  # of the slider, in the curves
HIGHEST_SEED = 10**9
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
    """What the address says of the distortion.

    Attributes:
        name: one of `CHOICES`.
        image: the number of the run's image.
        amount: where the slider stands.
        seed: of what is random in the distortion.
        other: the number of the image that is mixed in.
    """

    name: str
    image: int
    amount: float
    seed: int
    other: int


def chosen_distortion(run: Run) -> Chosen:
    """What the address says, within what this run and this distortion allow."""
    name = address.one_of("distortion", list(CHOICES), next(iter(CHOICES)))
    distortion, count = CHOICES[name], len(run)
    return Chosen(
        name,
        address.whole_number("image", 0, 0, count - 1),
        address.number("amount", distortion.unchanged, distortion.low, distortion.high),
        address.whole_number("seed", 0, 0, HIGHEST_SEED),
        address.whole_number("mixed", min(1, count - 1), 0, count - 1),
    )


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


def distortion_input(run: Run) -> Asked:
    """Controls for one image of the run and its distortion."""
    chosen, last = chosen_distortion(run), len(run) - 1
    distortion = CHOICES[chosen.name]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input("Image", 0, last, width=150, **address.bound("image", chosen.image))
        st.button("Random image", icon=":material/shuffle:", on_click=any_image, args=(last,))
    st.selectbox(
        "Distortion",
        list(CHOICES),
        format_func=lambda name: CHOICES[name].label,
        **address.bound("distortion", chosen.name, lambda new: address.go(distortion=new, amount=None)),
    )
    st.slider(
        f"{distortion.label}, {distortion.unit}",
        float(distortion.low),
        float(distortion.high),
        step=float(distortion.step),
        format="percent" if is_share(distortion) else None,
        **address.bound("amount", float(chosen.amount), lambda new: address.go(amount=f"{new:g}")),
    )
    if chosen.name == "mix":
        st.number_input("The other image", 0, last, width=150, **address.bound("mixed", chosen.other))
    if chosen.name in RANDOM_PLACE:
        st.button("Another draw of chance", icon=":material/casino:", on_click=another_draw, args=(chosen.seed,))
    image = distorted(run, chosen, own_images(run, np.array([chosen.image])), chosen.amount)[0]
    label = None if run.labels is None else int(run.labels[chosen.image])
    truth = "" if label is None else f"The label of the image before is **{run.class_names[label]}**."
    return Asked(image, f"Image {chosen.image}, {described(chosen)}", truth, label)


def show_curves(run: Run) -> None:
    """The answers over the whole range of the slider."""
    chosen = chosen_distortion(run)
    distortion = CHOICES[chosen.name]
    steps = round((distortion.high - distortion.low) / distortion.step)
    amounts = distortion.low + distortion.step * np.arange(0, steps + 1, -(-(steps + 1) // MOST_POSITIONS))
    amounts = np.clip(amounts.round(6), distortion.low, distortion.high)
    image = own_images(run, np.array([chosen.image]))
    images = np.concatenate([distorted(run, chosen, image, float(amount)) for amount in amounts])
    probs = ask(run, images)
    said = run.class_names[int(probs[:, 0].mean(axis=0).argmax())]
    st.subheader("Along the whole slider", anchor=False)
    st.caption(
        "What the ensemble says at each position, and whether it notices: where the probability falls and the entropy "
        "rises, it does."
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
    chart(figure, "along-the-slider", f"Answers along the slider {distortion.label}: at its left end {said}.")


def swept_images(run: Run) -> Swept:
    """Images of the run, in an order of chance, distorted as is chosen."""
    chosen, total = chosen_distortion(run), len(run)
    order = np.random.default_rng(0).permutation(total)

    def some(start: int, stop: int) -> np.ndarray:
        return distorted(run, replace(chosen, seed=start), own_images(run, order[start:stop]), chosen.amount)

    labels = None if run.labels is None else run.labels[order]
    return Swept("distorted images", described(chosen), total, some, run.digest, labels)


def described(chosen: Chosen) -> str:
    """A distortion in words."""
    distortion = CHOICES[chosen.name]
    amount = percent(chosen.amount, 0) if is_share(distortion) else f"{chosen.amount:g}"
    other = f", image {chosen.other}" if chosen.name == "mix" else ""
    return f"{distortion.label[:1].lower()}{distortion.label[1:]}, {amount} {distortion.unit}{other}"


def _stepped(images: np.ndarray, step: float, signs: np.ndarray) -> np.ndarray:
    return np.clip(images + np.float32(step) * signs, 0, 1)


def is_share(distortion: Distortion) -> bool:
    """Whether the slider counts parts of a whole, to be shown as a percentage."""
    return distortion.unit.startswith("of ")


def any_image(last: int) -> None:
    """Go to any image of the run."""
    address.go(image=int(np.random.default_rng().integers(last + 1)))


def another_draw(seed: int) -> None:
    """Draw anew what is random in the distortion."""
    address.go(seed=seed + 1)
