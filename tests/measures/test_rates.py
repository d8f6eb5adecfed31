"""A rate is chosen on one half of the examples and judged on the other, by slow loops and a simulation."""

import numpy as np
import pytest

from mcviz.measures import Predictions
from mcviz.measures.quality import QUALITY
from mcviz.measures.rates import choose_rate


def terms(seed: int, sharp: float, examples: int = 200) -> dict[str, np.ndarray]:
    """Terms of one pass; all but `sharp` is the same for a seed."""
    random = np.random.default_rng(seed)
    labels = random.integers(3, size=examples)
    logits = sharp * (random.normal(size=(1, examples, 3)) + np.eye(3)[labels])
    probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    return {**QUALITY["classification"].terms(Predictions(probs, labels)), "uncertainty": -probs[0].max(axis=1)}


def test_one_half_chooses_and_the_other_judges() -> None:
    by_rate = {rate: terms(0, 1 / rate) for rate in (0.2, 0.5, 0.9)}
    trained = terms(0, 5.0)
    found = choose_rate("classification", by_rate, trained, seed=3)
    order = np.random.default_rng(3).permutation(200)
    halves = set(order[:100].tolist()), set(order[100:].tolist())
    assert found.examples == (100, 100)
    for half, of in ((halves[0], found.choosing), (halves[1], [each[1].value for each in found.figures])):
        slow = [np.mean([by_rate[rate]["nll"][i] for i in half]) for rate in found.rates]
        np.testing.assert_allclose(of, slow)
    assert found.chosen == found.rates[np.argmin(found.choosing)]
    judged = [np.mean([each["nll"][i] for i in halves[1]]) for each in (by_rate[found.chosen], trained)]
    assert found.decisive.difference.value == pytest.approx(judged[0] - judged[1])
    assert found.decisive.verdict == "better"
    assert f"A rate of {found.chosen:g} has the lowest NLL on 100" in found.in_words()


def test_many_rates_that_are_equally_good_flatter_the_half_that_chooses_alone() -> None:
    """The best of 20 by chance seems better where it was chosen, and not on the other half."""
    choosing, judging = [], []
    for trial in range(60):
        random = np.random.default_rng(trial)
        base = terms(trial, 1.0, examples=60)
        by_rate = {(at + 1) / 21: {**base, "nll": base["nll"] + random.normal(0, 0.5, 60)} for at in range(20)}
        found = choose_rate("classification", by_rate, base, resamples=2, seed=trial)
        at = found.rates.tolist().index(found.chosen)
        of_all = np.mean([each[1].value for each in found.figures])
        choosing.append(found.choosing[at] - found.choosing.mean())
        judging.append(found.figures[at][1].value - of_all)
    assert np.mean(choosing) < -0.1
    assert abs(np.mean(judging)) < 3 * np.std(judging) / np.sqrt(60)


def test_two_examples_that_judge_cannot_say_that_a_rate_is_better() -> None:
    found = choose_rate("classification", {0.2: terms(0, 5.0, 4)}, terms(0, 0.1, 4), resamples=20)
    assert found.decisive.difference.value != 0
    assert found.in_words().endswith("(no interval): too few examples to tell that from noise.")


@pytest.mark.parametrize(("examples", "rates"), [(3, 1), (10, 0)])
def test_too_little_to_choose_from_is_refused(examples: int, rates: int) -> None:
    few = terms(0, 1.0, examples)
    with pytest.raises(ValueError, match="Received: "):
        choose_rate("classification", dict.fromkeys((0.1, 0.2)[:rates], few), few)
