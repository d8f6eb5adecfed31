"""How well this run's model can tell inputs that it was not made for."""

from mcviz.app.navigation import OUT_OF_DISTRIBUTION, PROBE, begin, require_classes
from mcviz.app.probe.detectors import load_scores, render_findings, render_first_comparison, render_given_sets
from mcviz.app.resources import has
from mcviz.app.state import PageState
from mcviz.app.wording import as_markdown
from mcviz.runs import Run


def describe_verdict(run: Run, _state: PageState) -> str:
    """Say how many inputs of other kinds the verdict stops, where that is known."""
    scores = load_scores(run) if has(run, "classes") else None
    if scores is None or not scores.sets:
        return "Does the model notice inputs that it was not made for?"
    return as_markdown(scores.sentences[0])


run, state = begin(OUT_OF_DISTRIBUTION, describe_verdict)
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
