"""Which detector tells images that are out of scope, and whether higher moments help."""

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app import address
from mcviz.app.detection import FIGURES, MISTAKES, SHIFT, Results, results
from mcviz.app.parts import chart
from mcviz.figures.detection import roc_curve, shades, surprise_distributions

BEST, ALL = "The best of each kind", "All"
COMPARED = "Max probability, dropout off"
ALWAYS = (
    COMPARED,
    "Entropy, dropout off",
    "Expected entropy",
    "Shown the set: two moments",
    "Shown the set: four moments",
)
FOUND = """
**One detector tells them all: {chosen}.** Its AUROC is {uniform:.4f} on uniform and {gaussian:.4f} on Gaussian noise,
{fashion:.4f} on Fashion-MNIST and at least {worst:.3f} on every other out-of-scope set (hardest: {hardest}). At
finding the model's own mistakes it reaches {mistakes:.4f}; max probability alone reaches {bar:.4f}. It was chosen on
other broken images, but its parts were found with these sets in view, and the harmonic mean was fixed by hand after the
rule had picked another combination, so expect a little less on sets of your own. The max probability of the passes
finds what is torn between classes; the *unexplained share*, how much of the activations in front of dropout lies
outside of what their class usually does, finds what is foreign.
The probe's verdict is by this detector.

**Higher moments do not help.** A logit is a sum over many units that dropout switches, so over the passes it is
nearly normal: a test finds another shape for {not_normal:.0%} of the test images, {not_normal_fashion:.0%} of
Fashion-MNIST and {not_normal_rotated:.0%} of the turned digits, where chance alone gives 1%. Mean and standard
deviation then say all that there is. Skewness and kurtosis of the logit are near guessing ({skewness:.2f} and
{kurtosis:.2f} on Fashion-MNIST). The skewness of the *probability* ({skewness_p:.3f}) restates where between 0 and 1
its mean lies, much as max probability does ({msp:.3f}). Distance models get worse by them: ten nearest neighbours
reach {two:.3f} on Fashion-MNIST with two moments of each class and {four:.3f} with four. Even a classifier that is
*shown* half of a set does no better on the other half with four than with two ({oracle_four:.4f} and {oracle_two:.4f}
on turned digits).

**Nor does disagreement.** The passes agree more about noise than about digits: the disagreement of their logits has
an AUROC of {disagreement:.3f}, which is upside down, and mutual information misses constant grey ({information:.2f}).
Dropout asks whether the layers behind it depend on single units, not whether what reaches them is foreign. That is
seen in front of dropout, where all passes are alike.
"""


def findings(found: Results) -> None:
    """What was found, in words, with the figures of the file."""
    name = found.detectors[found.chosen]
    worst, hardest = found.worst(name)
    st.markdown(
        FOUND.format(
            chosen=name.split(": ")[1].replace(", ", " with "),
            **{each: found.auroc(name, each) for each in ("uniform", "gaussian", "fashion", "mistakes")},
            worst=worst,
            hardest=hardest.lower(),
            bar=found.auroc("Max probability", MISTAKES),
            skewness=found.auroc("Skewness of the logit", "fashion"),
            kurtosis=found.auroc("Kurtosis of the logit", "fashion"),
            skewness_p=found.auroc("Skewness of the probability", "fashion"),
            msp=found.auroc("Max probability", "fashion"),
            two=found.auroc("Neighbours, two moments", "fashion"),
            four=found.auroc("Neighbours, four moments", "fashion"),
            oracle_two=found.auroc("Shown the set: two moments", "rotated"),
            oracle_four=found.auroc("Shown the set: four moments", "rotated"),
            disagreement=found.auroc("Disagreement of logits", "uniform"),
            information=found.auroc("Mutual information", "grey"),
            not_normal=found.not_normal["test"],
            not_normal_fashion=found.not_normal["fashion"],
            not_normal_rotated=found.not_normal["rotated"],
        )
    )


def best_of_each_kind(found: Results) -> list[int]:
    """The places of the chosen detector, of baselines and bounds, and of the best at its worst set in each kind."""
    sets = [s for s, column in enumerate(found.columns) if column not in (SHIFT, MISTAKES)]
    worst = np.median(found.figures[:, 0], axis=0)[:, sets].min(axis=1)
    best = {max(np.flatnonzero(found.families == kind), key=lambda d: worst[d]) for kind in set(found.families)}
    always = {found.chosen, *(found.detectors.index(name) for name in ALWAYS)}
    return sorted((int(d) for d in best | always), key=lambda d: -worst[d])


def table(found: Results) -> None:
    """The table: AUROC of the detectors for the sets; a click on a cell opens it below."""
    st.subheader("The table", anchor=False)
    shown = st.segmented_control("Detectors", [BEST, ALL], default=BEST, key="detectors-shown") or BEST
    rows = best_of_each_kind(found) if shown == BEST else list(range(len(found.detectors)))
    st.caption(
        f"AUROC, median of {found.models} trainings of the reference network; 0.5 is guessing, 1 is perfect, and below "
        "0.5 the other end would be the suspicious one. The 8 × 8 digits are digits of other writers: a shift, not out "
        "of scope. “Shown the set” is a bound and no detector. Click a cell to see what is behind it."
    )
    auroc = np.median(found.figures[:, 0], axis=0)[rows]
    frame = pd.DataFrame(auroc, index=[found.detectors[d] for d in rows], columns=found.labels)
    styled = frame.style.format("{:.3f}", na_rep="").apply(lambda _: shades(auroc), axis=None)

    def opened() -> None:
        for row, label in st.session_state["detection-table"]["selection"]["cells"]:
            address.go(detector=frame.index[row], set=found.columns[found.labels.index(label)])

    st.dataframe(
        styled,
        key="detection-table",
        height="content",
        column_config={"_index": st.column_config.Column(width=240)},
        on_select=opened,
        selection_mode="single-cell",
    )


def cell(found: Results) -> None:
    """One cell in full: its figures, the ROC curve and the distributions behind it."""
    st.subheader("One cell", anchor=False)
    detector = address.one_of("detector", found.detectors, found.detectors[found.chosen])
    column = address.one_of("set", found.columns, found.columns[0])
    with st.container(horizontal=True):
        st.selectbox("Detector", found.detectors, width=440, **address.bound("detector", detector))
        st.selectbox(
            "Set",
            found.columns,
            format_func=lambda name: found.labels[found.columns.index(name)],
            width=260,
            **address.bound("set", column),
        )
    d, s, label = (
        found.detectors.index(detector),
        found.columns.index(column),
        found.labels[found.columns.index(column)],
    )
    if np.isnan(found.figures[0, 0, d, s]):
        st.info("There is no such figure: this bound is shown the out-of-scope sets alone.", icon=":material/info:")
        return
    for place, (f, name) in zip(st.columns(3), enumerate(FIGURES), strict=True):
        trainings = found.figures[:, f, d, s]
        place.metric(name, f"{found.figures[0, f, d, s]:.4f}", border=True)
        place.caption(
            f"95% interval {found.low[f, d, s]:.4f} to {found.high[f, d, s]:.4f}. "
            f"{found.models} trainings: {trainings.min():.4f} to {trainings.max():.4f}."
        )
    curves(found, d, s, label)


def curves(found: Results, d: int, s: int, label: str) -> None:
    """The ROC curve of a cell and the distributions behind it, side by side."""
    compared = found.detectors.index(COMPARED)
    left, right = st.columns(2, gap="large")
    with left:
        at_5 = found.roc[d, s, int(np.argmin(np.abs(found.false_stops - 0.05)))]
        spoken = f"With one in twenty test images stopped by mistake, {at_5:.1%} of “{label}” are found."
        st.caption(spoken)
        figure = roc_curve(found.false_stops, found.roc[d, s], found.detectors[d], found.roc[compared, s], COMPARED)
        chart(figure, "roc", f"ROC curve. {spoken}")
    with right:
        inside = "right answers" if found.columns[s] == MISTAKES else "test images"
        spoken = f"How surprising the detector finds the {inside}, and “{label}”. The less they overlap, the better."
        st.caption(spoken)
        figure = surprise_distributions(found.edges[d, s], found.inside[d, s], found.outside[d, s], (inside, label))
        chart(figure, "surprise", f"Two distributions. {spoken}")


found = results()
st.title("Which detector tells what is out of scope?", anchor=False)
st.caption(
    f"The model that ships with mcviz and other trainings of it, {found.models} in all · {found.passes} passes · "
    "5,000 test images in distribution, up to 1,000 in each set · printed by `python benchmarks/ood.py`"
)
findings(found)
table(found)
cell(found)
