"""Reviews: what people decided about examples, kept beside the runs. Nothing here needs TensorFlow."""

from mcviz.reviews.decisions import Agreement, Decision, Reviewed, label_names, new_entries, reviewed
from mcviz.reviews.outcome import Outcome, outcome
from mcviz.reviews.store import Entry, Reviews, reviews_of

__all__ = [
    "Agreement",
    "Decision",
    "Entry",
    "Outcome",
    "Reviewed",
    "Reviews",
    "label_names",
    "new_entries",
    "outcome",
    "reviewed",
    "reviews_of",
]
