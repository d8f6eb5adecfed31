"""Reviews: people's decisions about examples, kept beside the runs. Nothing here needs TensorFlow."""

from mcviz.reviews.decisions import (
    Agreement,
    Decision,
    ReviewSummary,
    label_names,
    select_new_entries,
    summarise_reviews,
)
from mcviz.reviews.outcome import Outcome, compute_outcome
from mcviz.reviews.store import Entry, Reviews, open_reviews

__all__ = [
    "Agreement",
    "Decision",
    "Entry",
    "Outcome",
    "ReviewSummary",
    "Reviews",
    "compute_outcome",
    "label_names",
    "open_reviews",
    "select_new_entries",
    "summarise_reviews",
]
