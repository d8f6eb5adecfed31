"""Whether an input is like the images that the run's model is for, by the doubt of the passes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from mcviz.app.wording import percent, score_value
from mcviz.measures import SCORES, scores
from mcviz.runs import Run

DETECTOR = "expected_entropy"
KEPT_SHARE = 0.95  # of the test images


@dataclass(frozen=True)
class Judgement:
    """How far some inputs are from the test images.

    Attributes:
        doubt: (n,) the detector's value for each input; high is unlike the test images.
        below: (n,) the share of test images with a lower value.
        threshold: which 95% of the test images stay under.
        unlike: (n,) bool: whether an input is beyond the threshold.
    """

    doubt: np.ndarray
    below: np.ndarray
    threshold: float
    unlike: np.ndarray


@st.cache_resource(max_entries=8, show_spinner=False)
def of_the_test_images(digest: str, name: str, _run: Run) -> np.ndarray:  # noqa: ARG001 (the digest is the cache's key)
    """(N,) one of `SCORES` of the run's own images, lowest first."""
    values = np.sort(_run.scores()[name].to_numpy())
    values.setflags(write=False)
    return values


def judge(run: Run, probs: np.ndarray) -> Judgement:
    """Hold inputs against the test images, by the detector and its threshold.

    Args:
        run: whose own images are the test images.
        probs: (T, n, C) probabilities of the inputs.
    """
    own = of_the_test_images(run.digest, DETECTOR, run)
    doubt = SCORES[DETECTOR].function(probs)
    threshold = float(np.quantile(own, KEPT_SHARE))
    return Judgement(doubt, np.searchsorted(own, doubt) / len(own), threshold, doubt > threshold)


def show_verdict(run: Run, probs: np.ndarray) -> None:
    """The verdict on one input, in plain words.

    Args:
        run: whose own images are the test images.
        probs: (T, C) probabilities of the input.
    """
    judgement = judge(run, probs[:, None])
    value, threshold = (score_value(DETECTOR, float(number)) for number in (judgement.doubt[0], judgement.threshold))
    where = (
        f"{SCORES[DETECTOR].label} {value}: more than {percent(float(judgement.below[0]))} of the test images have. "
        f"The line is drawn at {threshold}, which {KEPT_SHARE:.0%} of them stay under."
    )
    if judgement.unlike[0]:
        st.warning(f"**Unlike the test images: take the answer for a guess.** {where}", icon=":material/warning:")
    else:
        st.success(f"**Like the test images, as far as the doubt tells.** {where}", icon=":material/check_circle:")


def compared_with_the_test_images(run: Run, probs: np.ndarray) -> None:
    """Every score of one input, and how many of the test images are less doubtful by it.

    Args:
        run: whose own images are the test images.
        probs: (T, C) probabilities of the input.
    """
    values = scores(probs[:, None])
    shares = []
    for name, score in SCORES.items():
        own, value = of_the_test_images(run.digest, name, run), values[name][0]
        below = np.searchsorted(own, value) / len(own)
        above = 1 - np.searchsorted(own, value, side="right") / len(own)
        shares.append(percent(float(below if score.uncertain_when == "high" else above)))
    table = pd.DataFrame(
        {
            "score": [score.label for score in SCORES.values()],
            "value": [_literal(score_value(name, float(values[name][0]))) for name in SCORES],
            "more in doubt than": [_literal(share) for share in shares],
        }
    ).set_index("score")
    st.table(table)


def _literal(text: str) -> str:
    """Text for a table, where a leading ">" would begin a quotation."""
    return text.replace(">", "\\>").replace("<", "\\<")
