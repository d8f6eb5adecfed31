"""`mcviz trust --calibrated-on`: the accuracy of a run without labels, by a labelled run of the same model."""

from typing import TYPE_CHECKING

from mcviz.cli.gate import Findings, Rows
from mcviz.cli.printing import table_lines
from mcviz.cli.referral import ood_warnings
from mcviz.cli.stopping import loading

if TYPE_CHECKING:
    from mcviz.runs import Run


def find_estimate(run: "Run", calibrated_on: "Run", confidence: float, modules: tuple[str, ...]) -> Findings:
    """Estimate the accuracy, and test which columns and scores are distributed otherwise.

    Args:
        run: whose accuracy is estimated.
        calibrated_on: the labelled run.
        confidence: of the interval.
        modules: to import for the runs' model, which is asked for the OOD score.
    """
    with loading():
        from mcviz.analysis.base import describe_run
        from mcviz.analysis.unlabelled import SHIFTED, estimate_accuracy
        from mcviz.measures import percent

    found = estimate_accuracy(run, calibrated_on, confidence)
    ood = ood_warnings(calibrated_on, run, modules, "the estimate")
    sentences = [*found.sentences, *found.shift_sentences, *ood]
    rows: Rows = [("column or score", "test", "statistic", "p", "corrected p", "")]
    rows += [
        (
            each.name,
            each.test,
            f"{each.statistic:.3f}",
            f"{each.p_value:.2g}",
            f"{each.corrected:.2g}",
            "shifted" if each.is_shifted else "",
        )
        for each in found.columns
    ]
    estimated = found.estimated
    lines = [
        *found.warnings,
        f"Temperature {estimated.temperature:.3f}; mean confidence at it {percent(estimated.mean_confidence, 2)}.",
        *table_lines(rows),
        f"Shifted is a p-value below {SHIFTED:g}, corrected for {len(found.columns)} tests.",
    ]
    if run.labels is not None:
        accuracy = float((run.mean_probs.argmax(axis=1) == run.labels).mean())
        lines.append(f"By the run's own labels, the accuracy is {percent(accuracy, 2)}.")
    as_dict = {**describe_run(run, sentences), **found.as_dict()}
    as_dict["warnings"] += ood
    return Findings(
        run,
        "max_probability",
        sentences,
        lines,
        as_dict,
        tables={"What is distributed otherwise?": rows},
        draw_charts=lambda: {},
    )
