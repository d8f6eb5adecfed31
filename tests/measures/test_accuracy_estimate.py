"""The interval of an estimated accuracy holds the accuracy of examples that are alike, whatever the calibration."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.verdicts import FALSE, estimated_accuracy, rate
from mcviz.measures.intervals import expected_mistakes


@pytest.mark.parametrize("examples", [30, 300])
@pytest.mark.parametrize("temperature", [0.5, 1, 2])
def test_the_accuracy_is_seldom_left_out(examples: int, temperature: float) -> None:
    assert rate(60, estimated_accuracy, examples, 0.9, temperature) <= stats.binom.isf(1e-4, 60, FALSE) / 60


@pytest.mark.parametrize("confidence", [0.5, 0.95])
@pytest.mark.parametrize("examples", [1, 7, 400, 3000])
def test_expected_mistakes_are_those_of_many_draws(examples: int, confidence: float) -> None:
    random = np.random.default_rng(0)
    chances = random.beta(1, 6, examples)
    found = expected_mistakes(chances, confidence)
    drawn = np.array([(random.random(examples) < chances).mean() for _ in range(2000)])
    assert found.value == pytest.approx(chances.mean())
    held = ((found.low <= drawn) & (drawn <= found.high)).mean()
    assert held >= confidence - 0.05
    step = 1 / examples
    assert ((found.low + step <= drawn) & (drawn <= found.high - step)).mean() <= confidence + 0.05, (
        "no wider than that"
    )


def test_sure_predictions_make_the_mistakes_that_they_say() -> None:
    assert vars(expected_mistakes(np.zeros(5))) == {"value": 0, "low": 0, "high": 0}
    assert vars(expected_mistakes(np.ones(5))) == {"value": 1, "low": 1, "high": 1}
