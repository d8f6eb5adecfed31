"""What is chosen from in Python, on the command line and in the dashboard alike."""

from typing import Literal, get_args

Masks = Literal["per_pass", "per_example"]
MASKS: tuple[Masks, ...] = get_args(Masks)

# What a run keeps: all passes of every example, or what they come to and all passes of the most uncertain ones.
Keep = Literal["passes", "summary"]
KEEP: tuple[Keep, ...] = get_args(Keep)

# What the columns of a regression's output are: a value a target, or D means and then D spreads.
Predicts = Literal["mean", "mean,variance", "mean,log_variance", "mean,std"]
PREDICTS: tuple[Predicts, ...] = get_args(Predicts)

# How examples to label next are drawn.
Method = Literal["bald", "power-bald", "batch-bald", "entropy", "random"]
METHODS: tuple[Method, ...] = get_args(Method)
