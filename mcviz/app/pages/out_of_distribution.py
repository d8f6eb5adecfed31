"""How well this run's model can tell inputs that it was not made for."""

from mcviz.app.navigation import OUT_OF_DISTRIBUTION, PROBE, begin, require_classes
from mcviz.app.ood import load_scores, render_findings, render_first_comparison, render_given_sets
from mcviz.app.resources import has
from mcviz.app.state import PageState
from mcviz.app.wording import counted
from mcviz.runs import Run


def describe_sets(run: Run, _state: PageState) -> str:
    """Say of how many sets the scores are known."""
    found = load_scores(run) if has(run, "classes") else None
    if found is None or not found.sets:
        return f"How many inputs that the model was not made for are stopped, and how many like the run's {len(run):,}."
    inputs = sum(len(each.confidence) for each in found.sets)
    return (
        f"{counted(inputs, 'input')} that the model was not made for, in {counted(len(found.sets), 'set')}, are "
        f"compared with the run's {counted(len(run), 'example')}."
    )


run, state = begin(OUT_OF_DISTRIBUTION, describe_sets)
require_classes(
    run,
    "This page is about probabilities of classes. How unusual an input is to a regression is shown on Probe, by "
    "the spread of its passes.",
    PROBE,
)
found = load_scores(run)
if found is None:
    render_first_comparison(run)
else:
    if found.sets:
        render_findings(run, found, state)
    render_given_sets(run, found)
