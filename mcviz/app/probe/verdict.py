"""OOD verdicts on inputs: whether one looks like the examples of the open run, and by which figures."""

import math
import threading
import time
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mcviz.app.components.charts import text_table
from mcviz.app.failures import refusal, unforeseen
from mcviz.app.navigation import PROBE
from mcviz.app.probe.inputs import as_batch
from mcviz.app.resources import (
    cached_for_run,
    model_inputs,
    numbers_key,
    run_scores,
    sampler,
    sorted_scores,
)
from mcviz.app.streamlit_internals import join_visit
from mcviz.app.tasks import task_renderer
from mcviz.app.wording import as_markdown
from mcviz.errors import McvizError
from mcviz.measures import Score, percent
from mcviz.measures.conformal import conformal_quantile
from mcviz.measures.ood import COVERAGE, OOD_P_VALUE, OODDetector
from mcviz.runs import Run

NEARLY_NONE = 1e-9  # of a share: rounding
POLL = 0.2  # seconds between two looks whether it is there
PATIENCE = 20  # seconds that the first verdicts wait for the detector; what fails is tried again after as many
EXPLAINED = (McvizError, ValueError, MemoryError)  # errors whose own words are shown to a visitor
NONE_TO_FIT = "A detector that also looks at the activations of the network exists for classifications only."
STILL_FITTING = (
    "The OOD detector is still being fitted to this run's examples, which happens once. Its verdict takes the place of "
    "this one as soon as it is ready."
)
LOOK_AGAIN = 1.0  # seconds between two looks whether it can


@dataclass(frozen=True)
class OODVerdict:
    """The verdict of a detector on one input.

    Attributes:
        is_ood: whether the input is out of distribution.
        less_usual: the share of this run's examples that look less usual, 0 to 1.
        figures: behind the verdict, as texts by their names.
        by: in Markdown, which detector it is from, where it is not the fitted one, and why; or "".
        is_preliminary: whether that of the fitted detector is to come.
    """

    is_ood: bool
    less_usual: float
    figures: dict[str, str]
    by: str = ""
    is_preliminary: bool = False


class Detector(Protocol):
    """Finds out which inputs are out of distribution, by the examples of a run."""

    def is_ood(self, contents: np.ndarray, predictions: np.ndarray) -> np.ndarray:
        """Return (n,) bool, for n inputs with (T, n, K) predictions."""

    def verdict(self, content: Any, predictions: np.ndarray) -> OODVerdict:
        """Return the verdict on one input with (T, K) predictions."""


@dataclass(frozen=True)
class ScoreDetector:
    """Detects by one score alone, such as the expected entropy of a classification, which needs no fit.

    Attributes:
        run: whose examples are in distribution.
        reason: why the fitted detector is not used, in a sentence or two in Markdown.
    """

    run: Run
    reason: str

    @property
    def score(self) -> Score:
        """The score by which it detects: high where an input is out of distribution."""
        return run_scores(self.run)[task_renderer(self.run).ood_score]

    def is_ood(self, contents: np.ndarray, predictions: np.ndarray) -> np.ndarray:  # noqa: ARG002 (passes are enough)
        """Return (n,) bool: whose score is above the limit."""
        return self._values(predictions) > self._limit

    def verdict(self, content: Any, predictions: np.ndarray) -> OODVerdict:  # noqa: ARG002
        """Compare the score of one input with those of the run's examples."""
        values = sorted_scores(self.run, self.score.name)
        value = float(self._values(predictions[:, None])[0])
        less_usual = 1 - float(np.searchsorted(values, value, side="right")) / len(values)
        limit, words = self._limit, "none: too few examples to tell"
        if np.isfinite(limit):
            words = as_markdown(self.score.format(limit))
        figures = {
            self.score.label: as_markdown(self.score.format(value)),
            "Examples with a higher one": _share(less_usual),
            f"Limit, passed by at most {OOD_P_VALUE:.0%} of inputs like these": words,
        }
        by = f"By {self.score.inline_label} alone. {self.reason}"
        return OODVerdict(value > limit, less_usual, figures, by, self.reason == STILL_FITTING)

    def _values(self, predictions: np.ndarray) -> np.ndarray:
        return task_renderer(self.run).compute_scores(self.run, predictions)[self.score.name]

    @property
    def _limit(self) -> float:
        return conformal_quantile(sorted_scores(self.run, self.score.name), COVERAGE)


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

    def is_ood(self, contents: np.ndarray, predictions: np.ndarray) -> np.ndarray:
        """Return (n,) bool, by both p-values together."""
        from mcviz.sampling.ood import ood_verdict

        return ood_verdict(self.detector, sampler(self.run), model_inputs(self.run, contents), predictions).is_ood

    def verdict(self, content: Any, predictions: np.ndarray) -> OODVerdict:
        """Compare one input with the run's examples by both p-values."""
        from mcviz.sampling.ood import ood_verdict

        model_input = model_inputs(self.run, as_batch(content))
        verdict = ood_verdict(self.detector, sampler(self.run), model_input, predictions[:, None])
        figures = {
            "Examples as uncertain, by confidence": self._share_of_examples(verdict.p_uncertainty[0]),
            "Examples with activations as unusual for their prediction": self._share_of_examples(
                verdict.p_unexplained[0]
            ),
            "Examples less usual by both together": _share(verdict.percentile[0]),
            "Out of distribution if that is at most": f"{OOD_P_VALUE:.0%}",
        }
        return OODVerdict(bool(verdict.is_ood[0]), float(verdict.percentile[0]), figures)

    def _share_of_examples(self, p_value: float) -> str:
        """Return the share of the run's examples; a p-value also counts the input itself."""
        count = len(self.detector.unexplained)
        return _share((p_value * (count + 1) - 1) / count)


@dataclass(frozen=True)
class Fit:
    """A detector that is being fitted.

    Attributes:
        detector: or the error that there is instead.
        deadline: in seconds of `time.monotonic`, until when pages wait for it.
    """

    detector: Future[OODDetector] = field(default_factory=Future)
    deadline: float = field(default_factory=lambda: time.monotonic() + PATIENCE)

    @property
    def is_valid(self) -> bool:
        """Whether it need not be tried again; most failures are after a while, not those about the run's examples."""
        failure = self.detector.exception() if self.detector.done() else None
        return failure is None or isinstance(failure, ValueError) or time.monotonic() < self.deadline


def is_detector_ready(run: Run) -> bool:
    """Whether the detector of a run is fitted, or cannot be; the first call starts the fit.

    Raises:
        McvizError: the run's model cannot be loaded.
    """
    return not task_renderer(run).fits_detector or _fit(run).detector.done()


def detector_for(run: Run, *, patient: bool = False) -> Detector:
    """Return the fitted detector of a run, or one by a score where there is none, or the fit failed or takes long.

    Args:
        run: whose examples are in distribution.
        patient: whether to wait for the fit however long it takes.

    Raises:
        McvizError: the run's model cannot be loaded.
    """
    if not task_renderer(run).fits_detector:
        return ScoreDetector(run, NONE_TO_FIT)
    fit = _fit(run)
    deadline = math.inf if patient else fit.deadline
    if not fit.detector.done() and time.monotonic() < deadline:
        with st.spinner("Fitting the OOD detector to this run's examples …"):
            place = st.empty()
            while not fit.detector.done() and time.monotonic() < deadline:
                wait([fit.detector], POLL)
                place.empty()  # where something else is asked for by now, Streamlit ends this run here
    if not fit.detector.done():
        return ScoreDetector(run, STILL_FITTING)
    failure = fit.detector.exception()
    if failure is not None:
        reason = (refusal if isinstance(failure, EXPLAINED) else unforeseen)(failure, PROBE.title)
        return ScoreDetector(run, f"The OOD detector could not be fitted to this run. {reason}")
    return FittedDetector(run, fit.detector.result())


def render_headline(place: DeltaGenerator, run: Run, content: Any, predictions: np.ndarray) -> OODVerdict:
    """Render what the verdict on one input means for its prediction, in a sentence, and return the verdict.

    Args:
        place: of the sentence.
        run: whose examples are in distribution.
        content: of the input.
        predictions: (T, K) of its passes.
    """
    with place:
        verdict = detector_for(run).verdict(content, predictions)
        usual = less_usual_examples(verdict.less_usual)
        if verdict.is_preliminary:
            usual = f"{usual} This is **preliminary**: {STILL_FITTING[0].lower()}{STILL_FITTING[1:]}"
            replace_when_ready(run)
        if verdict.is_ood:
            words = f"**Out of distribution: treat the answer as a guess.** {usual}"
            st.warning(words, icon=":material/warning:")
        else:
            words = f"**This looks like this run's examples, as far as can be told.** {usual}"
            st.success(words, icon=":material/check_circle:")
    return verdict


def replace_when_ready(run: Run) -> None:
    """Draw the page again once the detector is fitted, whose verdict then takes the place of the preliminary one."""

    @st.fragment(run_every=LOOK_AGAIN)
    def look() -> None:
        if is_detector_ready(run):
            st.rerun()

    look()


def render_reasons(verdict: OODVerdict) -> None:
    """Render the figures behind a verdict."""
    st.markdown("**Does it look like this run's examples?**")
    if verdict.by:
        st.caption(verdict.by)
    text_table(("this input, against this run's examples", "figure"), verdict.figures.items(), width="content")


def less_usual_examples(share: float) -> str:
    """Describe how many of a run's examples look less usual than an input, such as "4 of 100 … look less usual."."""
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


def render_score_comparison(run: Run, predictions: np.ndarray) -> None:
    """Render every score of one input, and how many of this run's examples are less uncertain by it.

    Args:
        run: whose examples the input is compared with.
        predictions: (T, K) of the input.
    """
    values = task_renderer(run).compute_scores(run, predictions[:, None])
    rows = []
    for name, score in run_scores(run).items():
        if name in values:
            of_run, value = sorted_scores(run, name), values[name][0]
            below = np.searchsorted(of_run, value) / len(of_run)
            above = 1 - np.searchsorted(of_run, value, side="right") / len(of_run)
            less_uncertain = percent(float(below if score.uncertain_when == "high" else above))
            rows.append((score.label, as_markdown(score.format(float(value))), less_uncertain))
    text_table(("score", "value", "more uncertain than"), rows)


@cached_for_run(numbers_key, max_entries=2, validate=lambda fit: fit.is_valid)
def _fit(run: Run) -> Fit:
    prepared = sampler(run)
    from mcviz.sampling.ood import fit_ood_detector

    fit = Fit()

    def work() -> None:
        try:
            fit.detector.set_result(fit_ood_detector(prepared, run))
        except BaseException as error:  # noqa: BLE001 (it is shown to whoever asks for the detector)
            fit.detector.set_exception(error)

    thread = threading.Thread(target=work)  # no daemon: a process that ends amid a product of OpenBLAS can hang
    join_visit(thread)  # whether it may keep what it finds depends on who asked
    thread.start()
    return fit


def _share(fraction: float) -> str:
    return percent(float(fraction)) if fraction > NEARLY_NONE else "none"
