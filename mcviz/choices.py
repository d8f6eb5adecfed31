"""What is chosen from in Python, on the command line and in the dashboard alike."""

from typing import Literal, get_args

Masks = Literal["per_pass", "per_example"]
MASKS: tuple[Masks, ...] = get_args(Masks)

USUAL_PASSES = 500  # where nobody says how many

# What the columns of a regression's output are: a value a target, or D means and then D spreads.
Predicts = Literal["mean", "mean,variance", "mean,log_variance", "mean,std"]
PREDICTS: tuple[Predicts, ...] = get_args(Predicts)

# How examples to label next are drawn.
Method = Literal["bald", "power-bald", "batch-bald", "entropy", "random"]
METHODS: tuple[Method, ...] = get_args(Method)
