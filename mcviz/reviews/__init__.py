"""Reviews: people's decisions about examples, stored beside the runs, without TensorFlow."""

from mcviz.reviews.answers import Answers as Answers
from mcviz.reviews.answers import Decision as Decision
from mcviz.reviews.answers import LabelAnswers as LabelAnswers
from mcviz.reviews.answers import answers_of as answers_of
from mcviz.reviews.decisions import Outcome as Outcome
from mcviz.reviews.decisions import ReviewSummary as ReviewSummary
from mcviz.reviews.decisions import compute_outcome as compute_outcome
from mcviz.reviews.decisions import corrected_labels as corrected_labels
from mcviz.reviews.decisions import select_new_entries as select_new_entries
from mcviz.reviews.decisions import settled_examples as settled_examples
from mcviz.reviews.decisions import summarise_reviews as summarise_reviews
from mcviz.reviews.files import ImportedReviews as ImportedReviews
from mcviz.reviews.files import decisions_table as decisions_table
from mcviz.reviews.files import find_open_moves as find_open_moves
from mcviz.reviews.files import import_reviews as import_reviews
from mcviz.reviews.files import move_files as move_files
from mcviz.reviews.files import plan_moves as plan_moves
from mcviz.reviews.store import Entry as Entry
from mcviz.reviews.store import Reviews as Reviews
from mcviz.reviews.store import open_reviews as open_reviews
