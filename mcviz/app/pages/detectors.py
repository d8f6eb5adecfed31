"""Which detector tells images that are out of scope, and whether higher moments help."""

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app import address
from mcviz.app.detection import AIM, AIMS, FIGURES, MISTAKES, Results, aims, results
from mcviz.app.parts import chart
from mcviz.figures.detection import roc_curve, shades, surprise_distributions

BEST, ALL = "The best of each kind", "All"
KNOWN, NEW = "Known before", "New"
YES_NO = {True: "yes", False: "no"}
COMPARED_WITH = "no more than 0.005 less than max probability in the same training"
COMPARED = "Max probability, dropout off"
TWO, FOUR = "Shown the set: two moments", "Shown the set: four moments"
ALWAYS = (COMPARED, "Entropy, dropout off", "Expected entropy", TWO, FOUR)
FOUND = """
**What is foreign is told; what looks much like a digit is not always.** {chosen} is the one detector whose verdict the
probe shows. On sets that were known while it was being made it reaches {uniform:.4f} on uniform and {gaussian:.4f} on
Gaussian noise, {fashion:.4f} on Fashion-MNIST, and at least {known:.3f} on every other (hardest: {known_hardest}). On
sets that were new to it, {above}. But {below}. Digits of other writers ({digits:.3f}) and printed ones ({printed:.3f})
stand out as well: what it finds is what is unlike MNIST. At finding the model's own mistakes it reaches
{mistakes:.4f}; max probability alone reaches {bar:.4f}. The max probability of the passes finds what is torn between
classes; the *unexplained share*, how much of the activations in front of dropout lies outside of what their class
usually does, finds what is foreign.

**How it came about.** Its parts were found with the known sets in view, on other trainings. The harmonic mean was
fixed by hand, after a rule that looks at other broken images alone had picked another combination. Then it was left as
it is: the {trainings} trainings that this page rests on were made afterwards, and the new sets were written down
before anything was tried on them. Among harmonic means, the rule chooses this one on {rehearsed} of them.

**Higher moments do not help.** A logit is a sum over many units that dropout switches, so over the passes it is often
nearly normal: a test finds another shape for {not_normal:.0%} of the test images, {not_normal_fashion:.0%} of
Fashion-MNIST and {not_normal_rotated:.0%} of the turned digits, where chance alone gives 1%. Mean and standard
deviation then say nearly all that there is. Skewness and kurtosis of the logit are near guessing ({skewness:.2f} and
{kurtosis:.2f} on Fashion-MNIST). Over {passes} passes those of a normal logit still have standard errors of
{se_skewness:.2f} and {se_kurtosis:.2f}, so that another draw of masks gives another order. The skewness of the
*probability* ({skewness_p:.3f}) restates where between 0 and 1 its mean lies, much as max probability does
({msp:.3f}). Distance models get worse by them: ten nearest neighbours reach {two:.3f} on Fashion-MNIST with two
moments of each class and {four:.3f} with four. Even a classifier that is *shown* half of a set gains little on the
other half by the third and fourth moment: at most {gain:.4f}, on {gain_where}. What does carry something of its own is
the spread: the middle half of the logit's passes is narrower for noise ({spread:.3f} on uniform noise, max probability
{msp_uniform:.3f}), but it misses inverted digits ({spread_inverted:.3f}).

**Nor does disagreement.** The passes agree more about noise than about digits: the disagreement of their logits has an
AUROC of {disagreement:.3f}, which is upside down, and mutual information misses constant grey ({information:.2f}).
Dropout asks whether the layers behind it depend on single units, not whether what reaches them is foreign. That is
seen in front of dropout, where all passes are alike.
"""


def findings(found: Results) -> None:
    """What was found, in words, with the figures of the files."""
    name = found.detectors[found.chosen]
    others = [column for column in found.sets(known=True) if column not in AIMS]
    hardest = min(others, key=lambda column: found.auroc(name, column))
    gain, where = most_gained(found)
    st.markdown(
        FOUND.format(
            chosen=name.split(": ")[1].replace(", ", " with ").capitalize(),
            **{
                each: found.auroc(name, each)
                for each in ("uniform", "gaussian", "fashion", "digits", "printed", MISTAKES)
            },
            known=found.auroc(name, hardest),
            known_hardest=lowered(found.label(hardest)),
            above=listed(found, met=True),
            below=listed(found, met=False),
            bar=found.auroc("Max probability", MISTAKES),
            trainings=len(found.trainings),
            rehearsed=found.rehearsed,
            skewness=found.auroc("Skewness of the logit", "fashion"),
            kurtosis=found.auroc("Kurtosis of the logit", "fashion"),
            passes=found.passes,
            se_skewness=(6 / found.passes) ** 0.5,  # of a normal distribution, for many passes
            se_kurtosis=(24 / found.passes) ** 0.5,
            skewness_p=found.auroc("Skewness of the probability", "fashion"),
            msp=found.auroc("Max probability", "fashion"),
            two=found.auroc("Neighbours, two moments", "fashion"),
            four=found.auroc("Neighbours, four moments", "fashion"),
            gain=gain,
            gain_where=lowered(where),
            spread=found.auroc("Middle half of the logit", "uniform"),
            msp_uniform=found.auroc("Max probability", "uniform"),
            spread_inverted=found.auroc("Middle half of the logit", "inverted"),
            disagreement=found.auroc("Disagreement of logits", "uniform"),
            information=found.auroc("Mutual information", "grey"),
            not_normal=np.median(found.not_normal[:, -1]),
            not_normal_fashion=np.median(found.not_normal[:, found.columns.index("fashion")]),
            not_normal_rotated=np.median(found.not_normal[:, found.columns.index("rotated")]),
        )
    )


def lowered(label: str) -> str:
    """A label within a sentence."""
    return label if label.startswith("Fashion") else label[:1].lower() + label[1:]


def listed(found: Results, *, met: bool) -> str:
    """The new sets on which the detector reaches the aim, or those on which it does not, with their figures."""
    new = [aim for aim in aims(found) if aim.column in found.sets(known=False) and aim.met_by_the_median == met]
    if not new:
        return f"it reaches {AIM} on none" if met else "it falls short on none"
    words = ", ".join(f"{lowered(found.label(aim.column))} ({np.median(aim.reached):.4f})" for aim in new)
    if met:
        return f"it reaches {AIM} on {words}"
    return f"it falls short of {AIM} on {words}, which are made of strokes as digits are"


def most_gained(found: Results) -> tuple[float, str]:
    """The most that a classifier which is shown a set gains by the third and fourth moment, and the set."""
    columns = [column for column in found.columns if column != MISTAKES]
    gains = {
        column: float(np.median(found.of_trainings(FOUR, column) - found.of_trainings(TWO, column)))
        for column in columns
    }
    column = max(gains, key=lambda each: gains[each])
    return gains[column], found.label(column)


def what_was_aimed_at(found: Results) -> None:
    """Whether the chosen detector does what it was to do, set by set."""
    st.subheader("What was aimed at", anchor=False)
    rows = aims(found)
    missed = sum(not aim.met_by_the_median for aim in rows)
    st.caption(
        f"The chosen detector's AUROC in {len(found.trainings)} trainings that nobody had looked at when it was made: "
        f"{len(rows) - missed} of {len(rows)} aims are met by the median, "
        f"{sum(bool(aim.met.all()) for aim in rows)} in every training. At mistakes, the aim is {COMPARED_WITH}."
    )
    frame = pd.DataFrame(
        {
            "set": [found.label(aim.column) for aim in rows],
            "known before": [YES_NO[aim.column not in found.sets(known=False)] for aim in rows],
            "aim": [f"{aim.aim:.4f}" for aim in rows],
            "median": [f"{np.median(aim.reached):.4f}" for aim in rows],
            "lowest": [f"{aim.reached.min():.4f}" for aim in rows],
            "highest": [f"{aim.reached.max():.4f}" for aim in rows],
            "median meets it": [YES_NO[aim.met_by_the_median] for aim in rows],
            "trainings that do": [f"{aim.met.sum()} of {len(aim.met)}" for aim in rows],
        }
    ).set_index("set")
    st.dataframe(
        frame, key="detection-aims", height="content", column_config={"_index": st.column_config.Column(width=190)}
    )


def best_of_each_kind(found: Results) -> list[int]:
    """The places of the chosen detector, of baselines and bounds, and of the best at its worst set in each kind."""
    worst = np.median(found.figures[:, 0], axis=0)[:, found.out_of_scope].min(axis=1)
    best = {max(np.flatnonzero(found.families == kind), key=lambda d: worst[d]) for kind in set(found.families)}
    always = {found.chosen, *(found.detectors.index(name) for name in ALWAYS)}
    return sorted((int(d) for d in best | always), key=lambda d: -worst[d])


def table(found: Results) -> None:
    """The table: AUROC of the detectors for the sets; a click on a cell opens it below."""
    st.subheader("The table", anchor=False)
    with st.container(horizontal=True):
        shown = st.segmented_control("Detectors", [BEST, ALL], default=BEST, required=True, key="detectors-shown")
        group = st.segmented_control("Sets", [KNOWN, NEW], default=KNOWN, required=True, key="sets-shown")
    rows = best_of_each_kind(found) if shown == BEST else list(range(len(found.detectors)))
    columns = np.flatnonzero(found.known == (group == KNOWN))
    st.caption(
        f"AUROC, median of {len(found.trainings)} trainings of the reference network; 0.5 is guessing, 1 is perfect, "
        "and below 0.5 the other end would be the suspicious one. The 8 × 8 digits and the printed ones are digits all "
        "the same: a shift, not out of scope. “Shown the set” is a bound and no detector. Click a cell to see what is "
        "behind it."
    )
    auroc = np.median(found.figures[:, 0], axis=0)[rows][:, columns]
    frame = pd.DataFrame(auroc, index=[found.detectors[d] for d in rows], columns=[found.labels[s] for s in columns])
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
    """One cell in full: its figures, and of the shipped model the ROC curve and the distributions behind it."""
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
    if np.isnan(found.shipped[0, d, s]):
        st.info("There is no such figure: this bound is shown the out-of-scope sets alone.", icon=":material/info:")
        return
    for place, (f, name) in zip(st.columns(3), enumerate(FIGURES), strict=True):
        trainings = found.figures[:, f, d, s]
        place.metric(name, f"{np.median(trainings):.4f}", border=True)
        place.caption(
            f"Median; {trainings.min():.4f} to {trainings.max():.4f} over {len(trainings)} trainings. The shipped "
            f"model: {found.shipped[f, d, s]:.4f}, 95% interval {found.low[f, d, s]:.4f} to {found.high[f, d, s]:.4f}."
        )
    curves(found, d, s, label)


def curves(found: Results, d: int, s: int, label: str) -> None:
    """The shipped model's ROC curve and the distributions behind it, side by side."""
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
    f"{len(found.trainings)} trainings of the reference network, and the one that ships · {found.passes} passes · "
    "5,000 test images in distribution, up to 1,000 in each set · printed by `python benchmarks/ood.py`"
)
findings(found)
what_was_aimed_at(found)
table(found)
cell(found)
