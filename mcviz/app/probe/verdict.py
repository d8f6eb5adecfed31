"""Whether an input looks like the examples of the open run, and what that rests on."""

import threading
import time
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.failures import refusal
from mcviz.app.navigation import PROBE
from mcviz.app.resources import for_the_model, sampler, sorted_scores
from mcviz.errors import McvizError
from mcviz.measures import SCORES, percent, scores
from mcviz.measures.ood import COVERAGE, OODDetector
from mcviz.runs import Run

NEARLY_NONE = 1e-9  # of a share: rounding
PATIENCE = 10  # seconds that the first verdicts wait for the detector
STILL_FITTING = (
    "The OOD detector is still being fitted to this run's examples, which happens once. It is used as soon as it is "
    "ready and you change something."
)


@dataclass(frozen=True)
class Verdict:
    """What a detector finds for one input.

    Attributes:
        is_ood: whether the input is out of distribution.
        less_usual: the share of this run's examples that look less usual, 0 to 1.
        figures: what that rests on, as texts by their names.
    """

    is_ood: bool
    less_usual: float
    figures: dict[str, str]


class Detector(Protocol):
    """Tells by the examples of a run which inputs are out of distribution."""

    def is_ood(self, images: np.ndarray, probs: np.ndarray) -> np.ndarray:
        """(n,) bool, for (n, height, width, channels) images in 0..1 with (T, n, C) probabilities."""

    def verdict(self, image: np.ndarray, probs: np.ndarray) -> Verdict:
        """The verdict on one (height, width, channels) image in 0..1 with (T, C) probabilities."""


@dataclass(frozen=True)
class EntropyDetector:
    """Detects by the expected entropy alone, which needs no fit.

    Attributes:
        run: whose examples are in distribution.
        reason: why the fitted detector is not used, in a sentence or two in Markdown.
    """

    run: Run
    reason: str
    score = SCORES["expected_entropy"]

    def is_ood(self, images: np.ndarray, probs: np.ndarray) -> np.ndarray:  # noqa: ARG002 (the passes are enough)
        """As `Detector` says."""
        return self.score.function(probs) > self._limit()

    def verdict(self, image: np.ndarray, probs: np.ndarray) -> Verdict:
        """As `Detector` says."""
        values = sorted_scores(self.run, self.score.name)
        value = float(self.score.function(probs[:, None])[0])
        less_usual = 1 - float(np.searchsorted(values, value, side="right")) / len(values)
        figures = {
            self.score.label: self.score.format(value),
            "Examples with a higher one": _share(less_usual),
            "Limit: out of distribution above": self.score.format(self._limit()),
        }
        return Verdict(bool(self.is_ood(image[None], probs[:, None])[0]), less_usual, figures)

    def _limit(self) -> float:
        return float(np.quantile(sorted_scores(self.run, self.score.name), COVERAGE))


@dataclass(frozen=True)
class FittedDetector:
    """Detects by the max probability and by the activations in front of the first stochastic layer.

    The two were found with the known sets of the OOD study in view; how they are combined was fixed by hand.

    Attributes:
        run: whose examples are in distribution.
        detector: fitted to them.
    """

    run: Run
    detector: OODDetector

    def is_ood(self, images: np.ndarray, probs: np.ndarray) -> np.ndarray:
        """As `Detector` says."""
        from mcviz.model.ood import ood_verdict

        return ood_verdict(self.detector, sampler(self.run), for_the_model(self.run, images), probs).is_ood

    def verdict(self, image: np.ndarray, probs: np.ndarray) -> Verdict:
        """As `Detector` says."""
        from mcviz.model.ood import ood_verdict

        taken = for_the_model(self.run, image[None])
        found = ood_verdict(self.detector, sampler(self.run), taken, probs[:, None])
        figures = {
            "Examples as uncertain, by max probability": self._share_of_examples(found.p_uncertainty[0]),
            "Examples with activations as unusual for their prediction": self._share_of_examples(
                found.p_unexplained[0]
            ),
            "Examples less usual by both together": _share(found.percentile[0]),
            "Limit: out of distribution below": f"{1 - COVERAGE:.0%}",
        }
        return Verdict(bool(found.is_ood[0]), float(found.percentile[0]), figures)

    def _share_of_examples(self, p_value: float) -> str:
        """The share of the examples that were fitted to, without the input itself, which a p-value counts in."""
        count = len(self.detector.unexplained)
        return _share((p_value * (count + 1) - 1) / count)


@dataclass(frozen=True)
class Fit:
    """A detector that is being fitted.

    Attributes:
        detector: it, or why there is none.
        deadline: in seconds of `time.monotonic`, until when it is waited for.
    """

    detector: Future[OODDetector] = field(default_factory=Future)
    deadline: float = field(default_factory=lambda: time.monotonic() + PATIENCE)


def fit_is_over(run: Run) -> bool:
    """Whether the detector of a run is fitted, or cannot be; the first call starts the fit.

    Raises:
        McvizError: the run's model cannot be loaded.
    """
    return _fit(run.digest, run).detector.done()


def detector_for(run: Run) -> Detector:
    """The fitted detector of a run, or the one by entropy where the fit failed or takes long.

    Raises:
        McvizError: the run's model cannot be loaded.
    """
    fit = _fit(run.digest, run)
    if not fit.detector.done() and time.monotonic() < fit.deadline:
        with st.spinner("Fitting the OOD detector to this run's examples …"):
            wait([fit.detector], fit.deadline - time.monotonic())
    if not fit.detector.done():
        return EntropyDetector(run, STILL_FITTING)
    failure = fit.detector.exception()
    if failure is not None:
        return EntropyDetector(
            run, f"The OOD detector could not be fitted to this run. {refusal(failure, PROBE.title)}"
        )
    return FittedDetector(run, fit.detector.result())


def show_verdict(run: Run, image: np.ndarray, probs: np.ndarray) -> None:
    """The verdict on one input: what it means, and below that its figures.

    Args:
        run: whose examples are in distribution.
        image: (height, width, channels) float32 in 0..1.
        probs: (T, C) probabilities of the input.
    """
    detector = detector_for(run)
    verdict = detector.verdict(image, probs)
    compared = less_usual_examples(verdict.less_usual)
    if verdict.is_ood:
        st.warning(f"**Out of distribution: treat the prediction as a guess.** {compared}", icon=":material/warning:")
    else:
        st.success(f"**In distribution, as far as can be told.** {compared}", icon=":material/check_circle:")
    if isinstance(detector, EntropyDetector):
        st.caption(f"By expected entropy alone. {detector.reason}")
    figures = pd.DataFrame(verdict.figures.items(), columns=["this input, against this run's examples", "figure"])
    st.table(figures.set_index(figures.columns[0]), width="content")


def less_usual_examples(share: float) -> str:
    """How many of a run's examples look less usual than an input, such as "4 of 100 … look less usual."."""
    count = round(100 * share)
    if share <= NEARLY_NONE:
        return "No example of this run looks less usual."
    if share >= 1 - NEARLY_NONE:
        return "All examples of this run look less usual."
    if count == 0:
        return "Fewer than 1 of 100 examples of this run look less usual."
    if count == 100:
        return "More than 99 of 100 examples of this run look less usual."
    only, look = "Only " if share < 1 - COVERAGE else "", "looks" if count == 1 else "look"
    return f"{only}{count} of 100 examples of this run {look} less usual."


def compare_scores(run: Run, probs: np.ndarray) -> None:
    """Every score of one input, and how many of this run's examples are less uncertain by it.

    Args:
        run: whose examples the input is compared with.
        probs: (T, C) probabilities of the input.
    """
    values = scores(probs[:, None])
    rows = []
    for name, score in SCORES.items():
        if name in values:
            of_run, value = sorted_scores(run, name), values[name][0]
            below = np.searchsorted(of_run, value) / len(of_run)
            above = 1 - np.searchsorted(of_run, value, side="right") / len(of_run)
            less_uncertain = percent(float(below if score.uncertain_when == "high" else above))
            rows.append((score.label, score.format(float(value)), less_uncertain))
    st.table(pd.DataFrame(rows, columns=["score", "value", "more uncertain than"]).set_index("score"))


@st.cache_resource(max_entries=2, show_spinner=False)
def _fit(digest: str, _run: Run) -> Fit:  # noqa: ARG001 (the digest is the cache's key)
    prepared = sampler(_run)
    from mcviz.model.ood import fit_ood_detector

    fit = Fit()

    def work() -> None:
        try:
            fit.detector.set_result(fit_ood_detector(prepared, _run))
        except (McvizError, ValueError, MemoryError) as error:  # too few images, or ones that do not vary
            fit.detector.set_exception(error)

    threading.Thread(target=work).start()  # no daemon: a process that ends amid a product of OpenBLAS can hang
    return fit


def _share(fraction: float) -> str:
    return percent(float(fraction)) if fraction > NEARLY_NONE else "none"
