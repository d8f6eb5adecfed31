"""Choices that Python, the command line and the dashboard share."""

from typing import Literal, get_args

Masks = Literal["per_pass", "per_example"]
MASKS: tuple[Masks, ...] = get_args(Masks)

DEFAULT_PASSES = 500

# The columns of a regression's output: a value a target, or D means and then D spreads.
Predicts = Literal["mean", "mean,variance", "mean,log_variance", "mean,std"]
PREDICTS: tuple[Predicts, ...] = get_args(Predicts)

# What stands in a mask for a pixel that counts nowhere: a number, nothing, or what the data say, and else 255.
Ignore = int | None | Literal["auto"]
USUAL_IGNORE = 255

# Methods of choosing the examples to label next.
Method = Literal["bald", "power-bald", "batch-bald", "entropy", "random"]
METHODS: tuple[Method, ...] = get_args(Method)

# The ways to predict that are compared, with their names for people.
PREDICTOR_NAMES = {
    "deterministic": "deterministic",
    "single_pass": "single pass",
    "ensemble": "ensemble",
    "deterministic_scaled": "deterministic, temperature-scaled",
    "ensemble_scaled": "ensemble, temperature-scaled",
}
