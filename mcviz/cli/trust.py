"""`mcviz trust`: is a run calibrated, which scores find its mistakes, and how wrong is a regression?"""

import math
from collections.abc import Mapping
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

import mcviz
from mcviz.analysis.base import check_arguments_of_classes, describe_run, group_sentence
from mcviz.analysis.referral import SET_COVERAGE, CheapestReferral, find_cheapest_referral, set_rows
from mcviz.analysis.requirements import parse_requirement
from mcviz.analysis.run_trust import ClassificationTrust
from mcviz.analysis.trust import RegressionTrust
from mcviz.analysis.unlabelled import SHIFTED, estimate_accuracy
from mcviz.choices import MEASURE_NAMES, PREDICTOR_NAMES
from mcviz.cli.base import table_lines
from mcviz.cli.gate import Findings, Rows, check_summary_folder, finish
from mcviz.cli.progress import count_progress
from mcviz.cli.refer import ood_warnings
from mcviz.measures import percent
from mcviz.measures.calibration import ECES, ENOUGH, Calibration
from mcviz.measures.conformal import SetFigures
from mcviz.measures.intervals import Interval
from mcviz.measures.quality import Measure
from mcviz.measures.registry import fixed
from mcviz.measures.regression import FEWEST_FOR_RMSE
from mcviz.measures.selective import SelectiveFigures
from mcviz.plot import intervals, reliability
from mcviz.runs import Run, open_run

if TYPE_CHECKING:
    import plotly.graph_objects as go

IN_PERCENT = "accuracy", *ECES, "overconfidence"


def regression_lines(found: RegressionTrust) -> list[str]:
    """Return lines on each measure of each way to predict."""
    lines = [line for measure in found.run.task.quality.measures for line in _measure_lines(measure, found)]
    if len(found.run) < FEWEST_FOR_RMSE:
        lines += ["", f"Fewer than {FEWEST_FOR_RMSE} examples are too few for the interval of an RMSE."]
    return lines


def draw_coverage(found: RegressionTrust) -> "dict[str, go.Figure]":
    """Draw how often intervals of each target hold the label."""
    return {
        f"Do intervals of {target} hold what they promise?": intervals(found.run, place)
        for place, target in enumerate(found.run.targets)
    }


def _measure_lines(measure: Measure, found: RegressionTrust) -> list[str]:
    rows = [(measure.label, f"{100 * found.confidence:.6g}% interval", "ensemble − this")]
    for way, figures in found.figures.items():
        if measure.name in figures:
            less = found.format(found.differences.get(way, {}), measure, sign="+")
            rows.append((f"  {PREDICTOR_NAMES[way]}", found.format(figures, measure), less))
    return ["", *table_lines(rows, "<36", "<40", "")]


def find_estimate(run: Run, calibrated_on: Run, confidence: float, modules: tuple[str, ...]) -> Findings:
    """Estimate the accuracy, and test which columns and scores are distributed otherwise.

    Args:
        run: whose accuracy is estimated.
        calibrated_on: the labelled run.
        confidence: of the interval.
        modules: to import for the runs' model, which is asked for the OOD score.
    """
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
        "",
        *table_lines(rows),
        "",
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


def trust(
    run: str,
    by: str | None,
    group: str | None,
    score: str | None,
    mistake_cost: float | None,
    look_cost: float | None,
    confidence: float,
    calibrated_on: str | None,
    modules: tuple[str, ...],
    requirements: tuple[str, ...],
    summary: Path | None,
    as_json: bool,
) -> None:
    """Print the trust in a run, or its estimated accuracy; fail where a requirement is not met."""
    required = [parse_requirement(each) for each in requirements]
    if summary is not None:
        check_summary_folder(summary)
    if (mistake_cost is None) != (look_cost is None):
        raise click.UsageError(
            "The cheapest threshold takes both --mistake-cost and --look-cost. Received: one of them."
        )
    opened = open_run(run)
    if calibrated_on is not None:
        options = {
            "--by": by,
            "--group": group,
            "--score": score,
            "--mistake-cost": mistake_cost,
            "--look-cost": look_cost,
        }
        given = [name for name, value in options.items() if value is not None]
        if given or required:
            raise click.UsageError(
                f"An accuracy that is estimated with --calibrated-on goes with no {', '.join(given) or '--require'}, "
                "which takes labels."
            )
        estimate = find_estimate(opened, open_run(calibrated_on), confidence, modules)
        finish(estimate, [], as_json=as_json, folder=summary)
        return
    check_arguments_of_classes(opened, {"--by": by, "--mistake-cost": mistake_cost, "--look-cost": look_cost})
    with count_progress("permutations") as progress:
        found = mcviz.trust(opened, by=by, group=group, score=score, confidence=confidence, progress=progress)
    finish(
        _describe(found, mistake_cost, look_cost),
        [each.judge(found.figures, opened, confidence) for each in required],
        as_json=as_json,
        folder=summary,
    )


def _describe(
    found: ClassificationTrust | RegressionTrust, mistake_cost: float | None, look_cost: float | None
) -> Findings:
    as_dict, together = found.as_dict(), group_sentence(found.run, found.group)
    if isinstance(found, RegressionTrust):
        lines, rows, draw_charts = regression_lines(found), found.text_rows, partial(draw_coverage, found)
    else:
        costs = _find_costs(found, mistake_cost, look_cost)
        as_dict["cheapest"] = costs and costs.as_dict()
        lines = [
            *_calibration_lines(found.calibration),
            *_group_lines(found.by, found.by_group),
            *_score_lines(found.scores),
            *_convergence_lines(found),
            *_set_lines(found.prediction_sets),
            *_cost_lines(costs),
        ]
        rows, draw_charts = _calibration_rows(found.calibration), partial(_draw_reliability, found)
    return Findings(
        found.run,
        found.score,
        found.sentences,
        [*lines, "", together],
        as_dict,
        tables={"How good is each way to predict?": rows},
        draw_charts=draw_charts,
    )


def _find_costs(
    found: ClassificationTrust, mistake_cost: float | None, look_cost: float | None
) -> CheapestReferral | None:
    if mistake_cost is None or look_cost is None:
        return None
    return find_cheapest_referral(found.run, mistake_cost, look_cost, found.score, confidence=found.confidence)


def _draw_reliability(found: ClassificationTrust) -> "dict[str, go.Figure]":
    return {
        "Are the probabilities calibrated?": reliability(found.run, found.calibration.predictors, group=found.group)
    }


def _calibration_rows(found: Calibration) -> Rows:
    rows: Rows = [["predictor", *MEASURE_NAMES.values()]]
    rows += [
        [PREDICTOR_NAMES[way], *(" ".join(_format_figure(found, way, measure).split()) for measure in MEASURE_NAMES)]
        for way in found.figures
    ]
    return rows


def _calibration_lines(found: Calibration) -> list[str]:
    lines = []
    for measure, label in MEASURE_NAMES.items():
        beside = "by chance" if measure in ECES else f"{100 * found.confidence:.6g}% interval"
        lines += ["", f"{label:<47}{beside:<22}ensemble − this"]
        for way in found.figures:
            line = f"  {PREDICTOR_NAMES[way]:<34}{_format_figure(found, way, measure)}"
            if way in found.differences:
                line += f"   {_format_with_ends(found.differences[way][measure], measure, sign='+')}"
            lines.append(line)
    return lines


def _group_lines(by: str | None, groups: Mapping[str, Calibration]) -> list[str]:
    """Lines on accuracy and calibration of the ensemble in each group, the least accurate first."""
    lines = []
    ordered = sorted(groups.items(), key=lambda pair: pair[1].figures["ensemble"]["accuracy"].value)
    for measure in ("accuracy", "overconfidence") if groups else ():
        lines += ["", f"{MEASURE_NAMES[measure]} of the ensemble, by {by}"]
        for name, found in ordered:
            count = len(found.predictors["ensemble"]["correct"])
            lines.append(f"  {name:<24.24}{count:>9,} {_format_figure(found, 'ensemble', measure)}")
    return lines


def _score_lines(figures: Mapping[str, SelectiveFigures]) -> list[str]:
    """Lines on the scores by which mistakes are found, the best first."""
    if not any(found.augrc.value for found in figures.values()):
        return ["", "Every prediction is correct, so there are no mistakes by which scores could be ranked."]
    lines = ["", "AUGRC, in millionths: how well an order finds mistakes; low is good"]
    for name, found in sorted(figures.items(), key=lambda pair: pair[1].augrc.value):
        value, low, high = (1e6 * each for each in astuple(found.augrc))
        tie = "ties with the best" if found.ties_with_best else ""
        ends = "" if math.isnan(low) else f"({low:.1f} to {high:.1f})"
        lines.append(f"  {name:<34}{value:>9.1f}  {ends}".ljust(70) + tie)
    if any(math.isnan(found.augrc.low) for found in figures.values()):
        lines.append(f"Without an interval: that takes {ENOUGH}.")
    return lines


def _convergence_lines(trusted: ClassificationTrust) -> list[str]:
    """Lines on the ensemble of the first passes, size by size, and on how many are enough."""
    found, score = trusted.convergence, trusted.convergence_score
    rows = [("passes", "accuracy", "NLL", "ECE", "top 100 shared")]
    columns = zip(found.sizes, found.accuracy, found.nll, found.ece, found.shared_top, strict=True)
    for size, accuracy, nll, ece, shared in columns:
        top = f"{100 * shared:.0f}%" if size > 1 else ""
        rows.append((f"{size:,}", f"{100 * accuracy:.2f}%", f"{nll:.4f}", f"{100 * ece:.2f}%", top))
    lines = ["", *table_lines(rows, "<8", ">11", ">10", ">9", ">17")]
    top = f"Top 100 shared: the part of the 100 most uncertain by {score} that two halves of the passes agree on."
    if found.enough == trusted.run.passes:
        return [*lines, f"The figures still move up to the last pass. {top}"]
    return [*lines, f"From {found.enough:,} passes on, more passes change nothing that matters. {top}"]


def _set_lines(found: SetFigures) -> list[str]:
    title = f"Prediction sets that are to hold the label for {100 * SET_COVERAGE:.0f}% of each class"
    return ["", title, *table_lines([(f"  {name}", figure) for name, figure in set_rows(found)], "<36", "")]


def _cost_lines(found: CheapestReferral | None) -> list[str]:
    if found is None:
        return []
    costs = found.costs
    rows = [
        (f"  looking at, of {found.judged:,} examples that judge it", "costs"),
        (f"  {len(costs.on_others.referred):,}", f"{costs.cost:,.6g}"),
        ("  none", f"{costs.of_none:,.6g}"),
        ("  all", f"{costs.of_all:,.6g}"),
    ]
    return ["", found.in_words, *table_lines(rows, "<49", ">12")]


def _format_figure(found: Calibration, way: str, measure: str) -> str:
    """Format a figure of a predictor with the ends of its interval, or an ECE with the bound by chance."""
    return _format_with_ends(found.figures[way][measure], measure, by_chance=found.eces_by_chance[way].get(measure))


def _format_with_ends(interval: Interval, measure: str, sign: str = "", by_chance: float | None = None) -> str:
    scale, end, digits = (100, "%", 2) if measure in IN_PERCENT else (1, "", 4)
    beside = ""
    value, low, high = (fixed(scale * each, digits, sign) for each in astuple(interval))
    if by_chance is not None:
        beside = f"(up to {scale * by_chance:.{digits}f}%)"
    elif not math.isnan(interval.low):
        beside = f"({low} to {high})"
    return f"{value + end:>9}  {beside:<20}"
