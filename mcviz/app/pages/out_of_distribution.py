"""How well this run's model can tell inputs that it was not made for."""

from mcviz.app.navigation import OUT_OF_DISTRIBUTION, PROBE, begin, require_classes
from mcviz.app.ood import load_scores, render_findings, render_first_comparison, render_given_sets

run, state = begin(OUT_OF_DISTRIBUTION, "Does the model notice what it was not made for?")
require_classes(
    run,
    "This page is about probabilities of classes. How unusual an input is to a regression is shown on Probe, by "
    "the spread of its passes.",
    PROBE,
)
scores = load_scores(run)
if scores is None:
    render_first_comparison(run)
else:
    if scores.sets:
        render_findings(run, scores, state)
    render_given_sets(run, scores)
