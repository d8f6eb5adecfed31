"""`mcviz ood`."""

import mcviz
from mcviz.cli.base import loading, print_json, say, table_lines
from mcviz.cli.progress import stage_progress
from mcviz.extras import require_framework
from mcviz.runs import open_run
from mcviz.runs.ood_scores import OODScores, load_ood_scores
from mcviz.sampling.sampler import find_backend
from mcviz.text import percent

LABEL = "<26.25"  # a column with shortened labels of sets


def ood(run: str, against: tuple[str, ...], modules: tuple[str, ...], as_json: bool) -> None:
    """Print how well a run's model detects out-of-distribution examples."""
    opened = open_run(run)
    if opened.model_path is not None and (against or load_ood_scores(opened) is None):
        require_framework(opened.model_path)
        with loading():
            find_backend(opened.model_path)  # imports the framework
    with stage_progress() as progress:
        scores = mcviz.ood(opened, against, modules=modules, stage=progress)
    if as_json:
        print_json({"run": opened.path, **scores.as_dict()})
        return
    for line in (*scores.sentences, "", *_ood_table(scores)):
        say(line.rstrip())


def _ood_table(scores: OODScores) -> list[str]:
    (low, high), detectors = scores.stopped_by_chance, scores.chart_labels()
    hardest = [
        (ood_set.label, *(f"{ood_set.figures[name][0].auroc:.3f}" for name in detectors))
        for ood_set in scores.hardest_first()
    ]
    return [
        *table_lines(scores.text_rows, LABEL, ">10", ">10", ">10", ">18"),
        "Sure is a confidence above 90%. The run's own examples were held out, and at most 5% of such are to be "
        f"stopped on average, {percent(low)} to {percent(high)} in 95 of 100 splits as large as this one.",
        "",
        *table_lines([("AUROC", *detectors.values()), *hardest], LABEL, *[">19"] * len(detectors)),
        f"--json prints all {len(scores.labels)} detectors, with 95% intervals.",
    ]
