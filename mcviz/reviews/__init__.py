"""Reviews: people's decisions about examples, kept beside the runs. Nothing here needs TensorFlow."""

from mcviz.reviews.decisions import (
    Agreement,
    Decision,
    Outcome,
    ReviewSummary,
    compute_outcome,
    corrected_labels,
    label_names,
    select_new_entries,
    summarise_reviews,
)
from mcviz.reviews.files import Move, find_open_moves, move_files, plan_moves
from mcviz.reviews.store import Entry, Reviews, open_reviews

__all__ = [
    "Agreement",
    "Decision",
    "Entry",
    "Move",
    "Outcome",
    "ReviewSummary",
    "Reviews",
    "compute_outcome",
    "corrected_labels",
    "find_open_moves",
    "label_names",
    "move_files",
    "open_reviews",
    "plan_moves",
    "select_new_entries",
    "summarise_reviews",
]
