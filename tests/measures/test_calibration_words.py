"""What is said of a model along a distortion is what intervals say."""

import numpy as np
import pytest

from mcviz.measures.calibration import Calibration, calibration, calibration_terms, degradation_sentences

EXAMPLES = 400


def step(confidence: float, deterministic: float, accuracy: float) -> Calibration:
    """An ensemble and a deterministic model of two classes with one confidence each, right as often as said."""
    labels = (np.arange(EXAMPLES) >= accuracy * EXAMPLES).astype(int)

    def way(p: float) -> np.ndarray:
        return np.tile([p, 1 - p], (1, EXAMPLES, 1)).astype(np.float32)

    return calibration(
        {
            "ensemble": calibration_terms(way(confidence), labels),
            "deterministic": calibration_terms(way(deterministic), labels),
        }
    )


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([(0.9, 0.9, 0.9), (0.8, 0.8, 0.5)], "makes the NLL neither better nor worse, beyond noise."),
        ([(0.9, 0.9, 0.9), (0.9, 0.6, 0.55)], "makes the NLL worse by "),
        ([(0.9, 0.9, 0.9), (0.6, 0.9, 0.55)], "makes the NLL better by "),
        ([(0.9, 0.99, 1.0), (0.9, 0.99, 0.99)], "There are too few mistakes to tell"),
    ],
)
def test_averaging_is_said_to_harm_or_to_help_where_the_nlls_differ_beyond_noise(
    steps: list[tuple[float, float, float]], said: str
) -> None:
    assert said in degradation_sentences([step(*each) for each in steps])[0]


def test_the_gain_is_that_of_all_steps_together() -> None:
    steps = [step(0.9, 0.8, 0.9), step(0.9, 0.6, 0.5)]
    said = degradation_sentences(steps)[0]
    gains = [each.figures["ensemble"]["nll"].value - each.figures["deterministic"]["nll"].value for each in steps]
    assert f"worse by {np.mean(gains):.4f} nats (95% interval " in said


@pytest.mark.parametrize(
    ("confidence", "said"),
    [
        (0.9, "over-confident by 30.0"),
        (
            0.6,
            "no miscalibration is found: confidence − accuracy may be anywhere between -5.1 and +5.2 percentage points",
        ),
        (0.51, "under-confident by 9.0"),
    ],
)
def test_the_end_is_judged_by_its_own_confidence(confidence: float, said: str) -> None:
    sentences = degradation_sentences([step(0.9, 0.9, 0.9), step(confidence, 0.6, 0.6)])
    assert said in sentences[2]
    assert sentences[1] == "The ensemble's accuracy goes from 90.0% to 60.0%."
