"""Which detector tells images that are out of scope, and whether higher moments help."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.detection import (
    AIM,
    AIMS,
    AT_MISTAKES,
    COMPARED_AT_MISTAKES,
    FIGURES,
    MISTAKES,
    PROBES,
    Results,
    aims,
    results,
)
from mcviz.figures.detection import roc_curve, shades, surprise_distributions

BEST, ALL = "The best of each kind", "All"
KNOWN, NEW = "Known before", "New"
YES_NO = {True: "yes", False: "no"}
COMPARED, PASSES = COMPARED_AT_MISTAKES, "Max probability"
COMPARED_WITH = f"no more than {AT_MISTAKES} less than max probability, dropout off, in the same training"
SHARE, BIMODALITY = "Unexplained share", "Bimodality coefficient of the probability"
TWO, FOUR = "Shown the set: two moments", "Shown the set: four moments"
ALWAYS = (COMPARED, "Entropy, dropout off", "Expected entropy", SHARE, BIMODALITY, TWO, FOUR)
OF_MOMENTS = ("higher moments", "models of the moments")
HELPED, HURT = ("uniform", "gaussian", "mixed", "digits"), ("rotated", "inverted", "letters")
DISTORTED = {"rotated": "turned", "inverted": "inverted", "mirrored": "mirrored digits"}
OFTEN_NORMAL = {MISTAKES: "the test images", "fashion": "Fashion-MNIST", "rotated": "turned digits"}
MEANINGS = (
    "0.5 is guessing, 1 is perfect, and below 0.5 the other end would be the suspicious one",
    "the share of the set that passes when 95% of the test images do: 0 is perfect, 0.95 is guessing",
    "of finding the set among the test images: 1 is perfect, and guessing has the set’s share of all images",
)
BEST_IS, AS_LIGHT = (1, 0, 1), (0.1, 0.5, 0.5)  # of `FIGURES`: the perfect value, and how far from it shades end
HEADERS = {
    "uniform": "Uniform",
    "gaussian": "Gaussian",
    "salt_and_pepper": "Salt",
    "smooth": "Smooth",
    "grey": "Grey",
    "fashion": "Fashion",
    "rotated": "Turned",
    "mixed": "Mixed",
    "shuffled": "Shuffled",
    "digits": "8 × 8",
    "letters": "Letters",
    "shapes": "Shapes",
    "patterns": "Stripes",
    "photographs": "Photographs",
    "fashion_inverted": "Inv. Fashion",
    "stacked": "Stacked",
    "mirrored": "Mirrored",
    "printed": "Printed",
}


def findings(found: Results) -> None:
    """What was found, in words, with the figures of the files."""
    with st.container(key="findings"):
        st.markdown("\n\n".join(part(found) for part in (the_detector, its_price, of_moments, of_disagreement)))


def the_detector(found: Results) -> str:
    """How far the chosen detector reaches, and how it came about."""
    name = found.detectors[found.chosen]
    others = [column for column in found.sets(known=True) if column not in AIMS]
    hardest = min(others, key=lambda column: found.auroc(name, column))
    return f"""
**What is foreign is told; what looks much like a digit is not always.** {PROBES} (★) is the harmonic mean of two
p-values: that of the passes’ max probability, which finds what is torn between classes, and that of the *unexplained
share*, how much of the activations in front of dropout lies outside of what their class usually does, which finds what
is foreign. On sets that were known while it was being made, it reaches {found.auroc(name, "uniform"):.4f} on uniform
and {found.auroc(name, "gaussian"):.4f} on Gaussian noise, {found.auroc(name, "fashion"):.4f} on Fashion-MNIST, and at
least {found.auroc(name, hardest):.3f} on every other (hardest: {lowered(found.label(hardest))}). On sets that were new
to it, {listed(found, met=True)}. But {listed(found, met=False)}. Digits of other writers
({found.auroc(name, "digits"):.3f}) and printed ones ({found.auroc(name, "printed"):.3f}) stand out as well: it finds
what is unlike MNIST. Its parts were found with the known sets in view, on other trainings; the harmonic mean was fixed
by hand, after a rule that looks at other broken images alone had picked another combination. The
{len(found.trainings)} trainings of this page were made afterwards, and the new sets written down before anything was
tried on them. Among harmonic means, the rule chooses this one on {found.rehearsed} of them."""


def its_price(found: Results) -> str:
    """What the chosen detector gives away on images, for the sake of mistakes."""
    name = found.detectors[found.chosen]
    missed = [aim.column for aim in aims(found) if aim.column != MISTAKES and not aim.met_by_the_median]
    alone = " and ".join(f"{found.auroc(SHARE, column):.4f} on {lowered(found.label(column))}" for column in missed)
    told = sum(found.auroc(SHARE, column) >= AIM for column in missed)
    known = found.sets(known=True)
    as_good = sum(found.auroc(SHARE, column) >= found.auroc(name, column) for column in known)
    return f"""
**Finding mistakes as well has a price.** The unexplained share alone reaches {alone}, and is as good or better on
{as_good} of the {len(known)} known out-of-scope sets: {told} of the {len(missed)} misses come from joining it with max
probability. That is needed, since alone it finds the model’s own mistakes at {found.auroc(SHARE, MISTAKES):.4f} only,
where max probability, dropout off, has {found.auroc(COMPARED, MISTAKES):.4f} and no more than {AT_MISTAKES} less was
asked for. Joined, they reach {found.auroc(name, MISTAKES):.4f}."""


def of_moments(found: Results) -> str:
    """Whether higher moments help, where, and why."""
    gain, where = most_gained(found)
    skewed, heavy = "Skewness of the logit", "Kurtosis of the logit"
    spread = "Middle half of the logit"
    known = [found.columns.index(column) for column in found.sets(known=True)]
    worst = np.median(found.figures[:, 0], axis=0)[:, known].min(axis=1)
    moments = np.isin(found.families, OF_MOMENTS)
    usual = ", ".join(f"{found.not_normal_share(c):.0%} of {words}" for c, words in OFTEN_NORMAL.items())
    least = sorted(set(found.columns) - {MISTAKES}, key=found.not_normal_share, reverse=True)[:3]
    shaped = ", ".join(f"{lowered(found.label(c))} ({found.not_normal_share(c):.1%})" for c in least)
    plain = ", ".join(f"{found.auroc(COMPARED, c):.3f}" for c in least)
    energy = ", ".join(f"{found.auroc('Energy, dropout off', c):.3f}" for c in HELPED)
    return f"""
**Higher moments help a little on some noise and on mixtures, and hurt on distorted digits and letters.** The
bimodality coefficient of the probability beats max probability, dropout off, on {against(found, BIMODALITY, HELPED)},
much as energy does without any passes ({energy}). But it loses on {against(found, BIMODALITY, HURT)}. No detector made
of moments comes near the chosen one: on its hardest known set the best has {worst[moments].max():.3f}, the chosen one
{worst[found.chosen]:.3f}. Why? A logit is a sum over many units that dropout switches, so over the passes it is often
nearly normal: a test finds another shape for {usual}, where chance alone gives 1%. Mean and standard deviation then
say nearly all that there is. Other shapes are most frequent for {shaped}; there, max probability, dropout off, has
{plain} already. Skewness and kurtosis of the logit are near guessing ({found.auroc(skewed, "fashion"):.2f} and
{found.auroc(heavy, "fashion"):.2f} on Fashion-MNIST); over {found.passes} passes those of a normal logit have standard
errors of {(6 / found.passes) ** 0.5:.2f} and {(24 / found.passes) ** 0.5:.2f}. The skewness of the *probability*
({found.auroc("Skewness of the probability", "fashion"):.3f}) restates where between 0 and 1 its mean lies, much as max
probability does ({found.auroc(COMPARED, "fashion"):.3f}). Ten nearest neighbours get worse: on Fashion-MNIST
{found.auroc("Neighbours, two moments", "fashion"):.3f} with two moments of each class,
{found.auroc("Neighbours, four moments", "fashion"):.3f} with four. Even a classifier that is *shown* half of a set
gains at most {gain:.4f} on the other half by the third and fourth moment ({lowered(where)}). The spread says more: the
middle half of the logit has {found.auroc(spread, "uniform"):.3f} on uniform noise, but misses inverted digits
({found.auroc(spread, "inverted"):.3f})."""


def of_disagreement(found: Results) -> str:
    """Whether disagreement of the passes helps, and what their mean is worth."""
    information = "Mutual information"
    distorted = ", ".join(
        f"{found.auroc(information, c):.3f} on {words} (max probability of the passes {found.auroc(PASSES, c):.3f}, "
        f"dropout off {found.auroc(COMPARED, c):.3f})"
        for c, words in DISTORTED.items()
    )
    return f"""
**Disagreement fails on noise, and helps a little on distorted digits.** The passes agree more about noise than about
digits: the disagreement of their logits has {found.auroc("Disagreement of logits", "uniform"):.3f}, which is upside
down, and mutual information {found.auroc(information, "uniform"):.3f} on uniform noise (max probability, dropout off:
{found.auroc(COMPARED, "uniform"):.3f}) and {found.auroc(information, "grey"):.2f} on constant grey. It reaches
{distorted}. Averaging {found.passes} passes makes max probability itself worse on noise:
{found.auroc(PASSES, "uniform"):.3f} on uniform, dropout off {found.auroc(COMPARED, "uniform"):.3f}. Dropout asks
whether the layers behind it depend on single units, not whether what reaches them is foreign. That is seen in front of
dropout, where all passes are alike."""


def against(found: Results, detector: str, columns: Sequence[str]) -> str:
    """A detector's figures on some sets, each against max probability, dropout off."""
    return ", ".join(
        f"{lowered(found.label(c))} ({found.auroc(detector, c):.3f} against {found.auroc(COMPARED, c):.3f})"
        for c in columns
    )


def lowered(label: str) -> str:
    """A label within a sentence."""
    label = label.removesuffix(" (a shift)")
    return label if label.startswith(("Fashion", "Gaussian")) else label[:1].lower() + label[1:]


def listed(found: Results, *, met: bool) -> str:
    """The new sets on which the detector reaches the aim, or those on which it does not, with their figures."""
    new = [aim for aim in aims(found) if aim.column in found.sets(known=False) and aim.met_by_the_median == met]
    if not new:
        return f"it reaches {AIM} on none" if met else "it falls short on none"
    words = ", ".join(f"{lowered(found.label(aim.column))} ({np.median(aim.reached):.4f})" for aim in new)
    return f"it reaches {AIM} on {words}" if met else f"it falls short of {AIM} on {words}"


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
        f"{PROBES}: its AUROC in {len(found.trainings)} trainings that nobody had looked at when it was made: "
        f"{len(rows) - missed} of {len(rows)} aims are met by the median, "
        f"{sum(bool(aim.met.all()) for aim in rows)} in every training. At mistakes, the aim is {COMPARED_WITH}."
    )
    frame = pd.DataFrame(
        {
            "set": [found.label(aim.column) for aim in rows],
            "median": [f"{np.median(aim.reached):.5f}" for aim in rows],
            "median meets it": [YES_NO[aim.met_by_the_median] for aim in rows],
            "aim": [f"{aim.aim:.5f}" for aim in rows],
            "lowest": [f"{aim.reached.min():.5f}" for aim in rows],
            "highest": [f"{aim.reached.max():.5f}" for aim in rows],
            "trainings that do": [f"{aim.met.sum()} of {len(aim.met)}" for aim in rows],
            "known before": [YES_NO[aim.column not in found.sets(known=False)] for aim in rows],
        }
    ).set_index("set")
    st.dataframe(
        frame,
        key="detection-aims",
        height="content",
        column_config={"_index": st.column_config.Column(width=165), "median": st.column_config.Column(width=70)},
    )


def best_of_each_kind(found: Results) -> list[int]:
    """The places of the chosen detector, of baselines and bounds, and of the best at its worst set in each kind."""
    worst = np.median(found.figures[:, 0], axis=0)[:, found.out_of_distribution].min(axis=1)
    best = {max(np.flatnonzero(found.families == kind), key=lambda d: worst[d]) for kind in set(found.families)}
    always = {found.chosen, *(found.detectors.index(name) for name in ALWAYS)}
    return sorted((int(d) for d in best | always), key=lambda d: -worst[d])


def listed_as(found: Results, detector: str) -> str:
    """A detector in a table or a list, the chosen one with its mark."""
    return ("★ " if detector == found.detectors[found.chosen] else "") + found.name(detector)


def table(found: Results) -> None:
    """The table: one figure of the detectors for the sets; a click on a cell opens it below."""
    st.subheader("The table", anchor=False)
    with st.container(horizontal=True):
        shown = st.segmented_control("Detectors", [BEST, ALL], default=BEST, required=True, key="detectors-shown")
        group = st.segmented_control("Sets", [KNOWN, NEW], default=KNOWN, required=True, key="sets-shown")
        figure = st.segmented_control("Figure", FIGURES, default=FIGURES[0], required=True, key="figure-shown")
    rows = best_of_each_kind(found) if shown == BEST else list(range(len(found.detectors)))
    of_sets = found.known[:-1] == (group == KNOWN)
    columns = [len(of_sets), *np.flatnonzero(of_sets)]
    f = FIGURES.index(figure)
    st.caption(
        f"{figure}, median of {len(found.trainings)} trainings of the reference network; {MEANINGS[f]}. ★ is the "
        "detector whose verdict the probe shows. The 8 × 8 digits and the printed ones are digits all the same: a "
        "shift, not out of scope. “Shown the set” is a bound and no detector. Click a cell to see what is behind it."
    )
    shares = np.median(found.figures[:, f], axis=0)[rows][:, columns]
    frame = pd.DataFrame(
        shares, index=[listed_as(found, found.detectors[d]) for d in rows], columns=[found.labels[s] for s in columns]
    )
    colours = shades(shares, perfect=BEST_IS[f], far=AS_LIGHT[f])
    styled = frame.style.format("{:.3f}", na_rep="").apply(lambda _: colours, axis=None)

    headers = {
        found.label(column): st.column_config.Column(words, help=found.label(column))
        for column, words in HEADERS.items()
    }

    def opened() -> None:
        for row, label in st.session_state["detection-table"]["selection"]["cells"]:
            st.session_state["detector-widget"] = found.detectors[rows[row]]
            st.session_state["set-widget"] = found.columns[found.labels.index(label)]

    st.dataframe(
        styled,
        key="detection-table",
        height="content",
        column_config={"_index": st.column_config.Column(width=210), **headers},
        on_select=opened,
        selection_mode="single-cell",
    )


def cell(found: Results) -> None:
    """One cell in full: its figures, and of the shipped model the ROC curve and the distributions behind it."""
    st.subheader("One cell", anchor=False)
    with st.container(horizontal=True):
        detector = st.selectbox(
            "Detector",
            found.detectors,
            index=found.chosen,
            format_func=lambda name: listed_as(found, name),
            width=260,
            key="detector-widget",
        )
        column = st.selectbox("Set", found.columns, format_func=found.label, width=260, key="set-widget")
    d, s, label = found.detectors.index(detector), found.columns.index(column), found.label(column)
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
    inside = "right answers" if found.columns[s] == MISTAKES else "test images"
    left, right = st.columns(2, gap="large")
    with left:
        at_5 = found.roc[d, s, int(np.argmin(np.abs(found.false_stops - 0.05)))]
        spoken = f"With one in twenty {inside} stopped by mistake, {at_5:.1%} of “{label}” are found."
        st.caption(spoken)
        name = found.name(found.detectors[d])
        figure = roc_curve(found.false_stops, found.roc[d, s], name, found.roc[compared, s], COMPARED, inside)
        chart(figure, "roc", f"ROC curve. {spoken}")
    with right:
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
