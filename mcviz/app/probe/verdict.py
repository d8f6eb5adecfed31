"""Whether an input is like the images that the run's model is for, in plain words."""

import threading
import time
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.resources import for_the_model, sampler, sorted_scores
from mcviz.errors import McvizError
from mcviz.measures import SCORES, percent, scores
from mcviz.measures.ood import COVERAGE, OODDetector
from mcviz.runs import Run

NEARLY_NONE = 1e-9  # of a share: rounding
PATIENCE = 10  # seconds that the first verdicts wait for the detector
STILL_LEARNING = (
    "A better detector is learning, once for this run, what its images look like; it takes over as soon as it is ready "
    "and you change something."
)


class Judge(Protocol):
    """Holds inputs against the run's own images, which are the test images."""

    def unlike(self, images: np.ndarray, probs: np.ndarray) -> np.ndarray:
        """(n,) bool: which of (n, height, width, channels) images in 0..1 with (T, n, C) passes are out of scope."""

    def verdict(self, image: np.ndarray, probs: np.ndarray) -> tuple[bool, str]:
        """Whether one (height, width, channels) image with (T, C) passes is out of scope, and on what that rests."""


@dataclass(frozen=True)
class ByDoubt:
    """Judges by the expected entropy alone, which needs no learning.

    Attributes:
        run: whose own images are the test images.
        why: why it is not the detector that judges, in a sentence or two.
    """

    run: Run
    why: str
    score = "expected_entropy"

    def unlike(self, images: np.ndarray, probs: np.ndarray) -> np.ndarray:  # noqa: ARG002 (the passes say it all)
        """As `Judge` says."""
        return SCORES[self.score].function(probs) > self._threshold()

    def verdict(self, image: np.ndarray, probs: np.ndarray) -> tuple[bool, str]:
        """As `Judge` says."""
        value = float(SCORES[self.score].function(probs[:, None])[0])
        below = np.searchsorted(sorted_scores(self.run, self.score), value)
        words = (
            f"{SCORES[self.score].label} {SCORES[self.score].format(value)}: more than "
            f"{percent(float(below) / len(self.run))} of the test images have. The line is drawn at "
            f"{SCORES[self.score].format(self._threshold())}, which {COVERAGE:.0%} of them stay under."
        )
        return bool(self.unlike(image[None], probs[:, None])[0]), words

    def _threshold(self) -> float:
        return float(np.quantile(sorted_scores(self.run, self.score), COVERAGE))


@dataclass(frozen=True)
class ByDetector:
    """Judges by doubt and by activations that are foreign to the class.

    The two were found with the known sets of the OOD study in view; how they are combined was fixed by hand.
    """

    run: Run
    detector: OODDetector

    def unlike(self, images: np.ndarray, probs: np.ndarray) -> np.ndarray:
        """As `Judge` says."""
        from mcviz.model.ood import ood_verdict

        taken = for_the_model(self.run, images)
        return ood_verdict(self.detector, sampler(self.run), taken, probs).is_ood

    def verdict(self, image: np.ndarray, probs: np.ndarray) -> tuple[bool, str]:
        """As `Judge` says."""
        from mcviz.model.ood import ood_verdict

        taken = for_the_model(self.run, image[None])
        judged = ood_verdict(self.detector, sampler(self.run), taken, probs[:, None])
        doubt, novelty = (self._among_the_others(p[0]) for p in (judged.p_uncertainty, judged.p_unexplained))
        return bool(judged.is_ood[0]), (
            f"{doubt[0].upper()}{doubt[1:]} of the test images leave the ensemble as undecided, and "
            f"{novelty} are as foreign to the class that it names. By both together, "
            f"{_share(judged.percentile[0])} of them fit worse; the line is drawn at {1 - COVERAGE:.0%}."
        )

    def _among_the_others(self, p: float) -> str:
        """The share of the images that were learnt from, without the input itself, which a p-value counts in."""
        count = len(self.detector.unexplained)
        return _share((p * (count + 1) - 1) / count)


@dataclass(frozen=True)
class Learning:
    """A detector that is being fitted.

    Attributes:
        detector: it, or why there is none.
        deadline: in seconds of `time.monotonic`, until when it is waited for.
    """

    detector: Future[OODDetector] = field(default_factory=Future)
    deadline: float = field(default_factory=lambda: time.monotonic() + PATIENCE)


def has_learnt(run: Run) -> bool:
    """Whether nothing is to be waited for: the detector is there, or it never will be. It begins to learn, if need be.

    Raises:
        McvizError: the run's model cannot be loaded.
    """
    return _learning(run.digest, run).detector.done()


def the_judge(run: Run) -> Judge:
    """The best judge that there is: the detector, or the doubt while the detector takes long to learn.

    Raises:
        McvizError: the run's model cannot be loaded.
    """
    learning = _learning(run.digest, run)
    if not learning.detector.done() and time.monotonic() < learning.deadline:
        with st.spinner("Learning what the test images look like …"):
            wait([learning.detector], learning.deadline - time.monotonic())
    if not learning.detector.done():
        return ByDoubt(run, STILL_LEARNING)
    failure = learning.detector.exception()
    if failure is not None:
        return ByDoubt(run, f"The better detector could not be learnt from this run. {failure}")
    return ByDetector(run, learning.detector.result())


def show_verdict(run: Run, image: np.ndarray, probs: np.ndarray) -> None:
    """The verdict on one input.

    Args:
        run: whose own images are the test images.
        image: (height, width, channels) float32 in 0..1.
        probs: (T, C) probabilities of the input.
    """
    judge = the_judge(run)
    unlike, words = judge.verdict(image, probs)
    if unlike:
        st.warning(f"**Unlike the test images: take the answer for a guess.** {words}", icon=":material/warning:")
    else:
        st.success(f"**Like the test images, as far as can be told.** {words}", icon=":material/check_circle:")
    if isinstance(judge, ByDoubt):
        st.caption(f"By the doubt alone. {judge.why}")


def compared_with_the_test_images(run: Run, probs: np.ndarray) -> None:
    """Every score of one input, and how many of the test images are less doubtful by it.

    Args:
        run: whose own images are the test images.
        probs: (T, C) probabilities of the input.
    """
    values = scores(probs[:, None])
    shares = []
    for name, score in SCORES.items():
        own, value = sorted_scores(run, name), values[name][0]
        below = np.searchsorted(own, value) / len(own)
        above = 1 - np.searchsorted(own, value, side="right") / len(own)
        shares.append(percent(float(below if score.uncertain_when == "high" else above)))
    table = pd.DataFrame(
        {
            "score": [score.label for score in SCORES.values()],
            "value": [SCORES[name].format(float(values[name][0])) for name in SCORES],
            "more in doubt than": list(shares),
        }
    ).set_index("score")
    st.table(table)


@st.cache_resource(max_entries=2, show_spinner=False)
def _learning(digest: str, _run: Run) -> Learning:  # noqa: ARG001 (the digest is the cache's key)
    prepared = sampler(_run)
    from mcviz.model.ood import fit_ood_detector

    learning = Learning()

    def learn() -> None:
        try:
            learning.detector.set_result(fit_ood_detector(prepared, _run))
        except (McvizError, ValueError, MemoryError) as error:  # too few images, or ones that do not vary
            learning.detector.set_exception(error)

    threading.Thread(target=learn).start()  # no daemon: a process that ends amid a product of OpenBLAS can hang
    return learning


def _share(fraction: float) -> str:
    return percent(float(fraction)) if fraction > NEARLY_NONE else "none"
