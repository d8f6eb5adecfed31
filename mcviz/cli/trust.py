"""`mcviz trust`."""

import math
from collections.abc import Callable, Mapping
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

import mcviz
from mcviz.analysis.base import RunTrust, describe_run, group_sentence, require_bounded_loss
from mcviz.analysis.quality_trust import QualityTrust
from mcviz.analysis.referral import SET_COVERAGE, CheapestReferral, find_cheapest_referral, set_rows
from mcviz.analysis.requirements import judge_all, parse_requirement
from mcviz.analysis.segmentation_trust import SegmentationTrust
from mcviz.analysis.trust import ClassificationTrust
from mcviz.analysis.unlabelled import SHIFTED, RunCoverage, RunEstimate, estimate_without_labels
from mcviz.choices import PREDICTOR_NAMES
from mcviz.cli.base import table_lines
from mcviz.cli.gate import Findings, Rows, check_summary_folder, finish
from mcviz.cli.progress import count_progress
from mcviz.cli.refer import ood_warnings
from mcviz.measures.calibration import CALIBRATION_MEASURES, ENOUGH, Calibration
from mcviz.measures.conformal import SetFigures
from mcviz.measures.intervals import Interval
from mcviz.measures.measure import Measure
from mcviz.measures.selective import SelectiveFigures
from mcviz.plot import intervals, reliability
from mcviz.runs import Run, labelled_numbers, open_run
from mcviz.text import one_line, percent

if TYPE_CHECKING:
    import plotly.graph_objects as go


def quality_lines(result: QualityTrust) -> list[str]:
    """Return lines on each measure and predictor, and on missing intervals."""
    measures, figures = result.run.task.quality.measures, result.figures["ensemble"]
    lines = [line for measure in measures for line in _measure_lines(measure, result)]
    without = [measure for measure in measures if measure.name in figures and math.isnan(figures[measure.name].low)]
    return lines + [line for measure in without if measure.too_few for line in ("", measure.too_few)]


def draw_coverage(result: QualityTrust) -> "dict[str, go.Figure]":
    """Draw how often each target's intervals hold the label."""
    return {
        f"Do intervals of {target} hold what they promise?": intervals(result.run, place)
        for place, target in enumerate(result.run.targets)
    }


def _measure_lines(measure: Measure, result: QualityTrust) -> list[str]:
    rows = [(measure.label, f"{100 * result.confidence:.6g}% interval", "ensemble − this")]
    for way, figures in result.figures.items():
        if measure.name in figures:
            less = result.format(result.differences.get(way, {}), measure, sign="+")
            rows.append((f"  {PREDICTOR_NAMES[way]}", result.format(figures, measure), less))
    return ["", *table_lines(rows, "<36", "<40", "")]


def _class_lines(result: QualityTrust) -> list[str]:
    if not result.by_class:
        return []
    measures = {measure.name: measure for measure in result.run.task.quality.measures}
    rows: Rows = [("class", "examples", "AP", "AUROC", "F1", "ECE", "probability − share")]
    by_precision = sorted(result.by_class.items(), key=lambda pair: np.nan_to_num(pair[1].map.value, nan=2))
    rows += [
        (
            one_line(name),
            f"{figures.examples:,}",
            *(measures[name].format_interval(getattr(figures, name)) for name in ("map", "auroc", "f1")),
            measures["ece"].format(figures.ece),
            measures["accuracy"].format_interval(figures.excess, sign="+"),
        )
        for name, figures in by_precision
    ]
    return ["", *table_lines(rows)]


def _dice_lines(result: SegmentationTrust) -> list[str]:
    dice = result.run.task.quality.measures[0]
    rows: Rows = [("class", "images", "Dice", "IoU", "pairwise Dice")]
    by_dice = sorted(result.maps.items(), key=lambda pair: np.nan_to_num(pair[1].dice.value, nan=2))
    for name, figures in by_dice:
        means = figures.dice, figures.iou, figures.pairwise
        rows.append((one_line(name), f"{figures.images:,}", *map(dice.format_interval, means)))
    return ["", "Of each class, over the images where prediction or label has it", *table_lines(rows)]


def _pixel_lines(result: SegmentationTrust) -> list[str]:
    measure = result.run.task.quality.measures[0]
    rows: Rows = [("confidence − accuracy of a pixel", f"{100 * result.confidence:.6g}% interval, of images")]
    rows += [
        (f"  {one_line(name)}", measure.format_interval(interval, sign="+")) for name, interval in result.excess.items()
    ]
    lines = ["", *table_lines(rows, "<36", "")]
    return [*lines, f"  ECE of the pixels, {percent(result.ece, 2)}, has no interval: pixels are not independent."]


def _group_quality_lines(result: QualityTrust) -> list[str]:
    if not result.by_group:
        return []
    measure = result.run.task.quality.measures[0]
    sign = 1 if measure.better == "high" else -1
    ordered = sorted(result.by_group.items(), key=lambda pair: sign * pair[1].figures[measure.name].value)
    return [
        "",
        f"{measure.label} of the ensemble, by {one_line(result.by or '')}",
        *(f"  {name:<24.24}{group.examples:>9,}  {result.format(group.figures, measure)}" for name, group in ordered),
    ]


def find_estimate(run: Run, calibrated_on: Run, confidence: float, modules: tuple[str, ...]) -> Findings:
    """Estimate accuracy or coverage, and test columns and scores for shift.

    Args:
        run: the run to estimate for.
        calibrated_on: the labelled run; or the same one, if some of its examples have a label.
        confidence: of the interval.
        modules: to import for the runs' model, for the OOD score.
    """
    estimate = estimate_without_labels(run, calibrated_on, confidence)
    ood = ood_warnings(calibrated_on, run, modules, "the estimate")
    sentences = [*estimate.sentences, *estimate.shift_sentences, *ood]
    rows: Rows = [("column or score", "test", "statistic", "p", "corrected p", "")]
    rows += [
        (
            column.name,
            column.test,
            f"{column.statistic:.3f}",
            f"{column.p_value:.2g}",
            f"{column.corrected:.2g}",
            "shifted" if column.is_shifted else "",
        )
        for column in estimate.columns
    ]
    lines = [
        *estimate.warnings,
        *_temperature_lines(estimate),
        "",
        *table_lines(rows),
        "",
        f"Shifted is a p-value below {SHIFTED:g}, corrected for {len(estimate.columns)} tests.",
    ]
    if (labels := run.judging_labels) is not None:
        task, judged = run.task, len(labelled_numbers(run))
        count = "" if judged == len(run) else f" {judged:,}"
        quality = task.format_quality(task.compute_quality(run.mean_predictions, labels), run.manifest.unit)
        lines.append(f"By the run's own{count} labels, the {task.quality_name} is {quality}.")
    as_dict = {**describe_run(run, sentences), **estimate.as_dict()}
    as_dict["warnings"] += ood
    return Findings(
        run,
        run.first_score,
        sentences,
        lines,
        as_dict,
        tables={"What is distributed otherwise?": rows},
        draw_charts=lambda: {},
    )


def _temperature_lines(estimate: RunEstimate | RunCoverage) -> list[str]:
    if not isinstance(estimate, RunEstimate):
        return []
    found = estimate.estimated
    return [f"Temperature {found.temperature:.3f}; mean confidence at it {percent(found.mean_confidence, 2)}."]


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
    """Print a run's trust or estimated accuracy; fail if a requirement is unmet."""
    required = [parse_requirement(text) for text in requirements]
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
    if mistake_cost is not None:
        require_bounded_loss(opened)
    with count_progress("permutations") as progress:
        result = mcviz.trust(opened, by=by, group=group, score=score, confidence=confidence, progress=progress)
    finish(
        _describe(result, mistake_cost, look_cost),
        judge_all(required, lambda requirement: requirement.judge(result.figures, opened, confidence)),
        as_json=as_json,
        folder=summary,
    )


def _describe(
    result: ClassificationTrust | QualityTrust, mistake_cost: float | None, look_cost: float | None
) -> Findings:
    as_dict, together = result.as_dict(), group_sentence(result.run, result.group)
    costs = _find_costs(result, mistake_cost, look_cost)
    as_dict["cheapest"] = costs and costs.as_dict()
    draw_charts: Callable[[], Mapping[str, go.Figure]]
    if isinstance(result, QualityTrust):
        lines = [*quality_lines(result), *_class_lines(result)]
        if isinstance(result, SegmentationTrust):
            lines += [*_dice_lines(result), *_pixel_lines(result)]
            lines += _score_lines(result.scores, result.run.task.loss.noun)
        lines += [*_group_quality_lines(result), *_cost_lines(costs)]
        rows, draw_charts = result.text_rows, partial(draw_coverage, result)
    else:
        lines = [
            *_calibration_lines(result.calibration),
            *_group_lines(result.by, result.by_group),
            *_score_lines(result.scores, result.run.task.loss.noun),
            *_convergence_lines(result),
            *_set_lines(result.prediction_sets),
            *_cost_lines(costs),
        ]
        rows, draw_charts = _calibration_rows(result.calibration), partial(_draw_reliability, result)
    return Findings(
        result.run,
        result.score,
        result.sentences,
        [*lines, "", together],
        as_dict,
        tables={"How accurate is each way to predict?": rows},
        draw_charts=draw_charts,
    )


def _find_costs(result: RunTrust, mistake_cost: float | None, look_cost: float | None) -> CheapestReferral | None:
    if mistake_cost is None or look_cost is None:
        return None
    return find_cheapest_referral(result.run, mistake_cost, look_cost, result.score, confidence=result.confidence)


def _draw_reliability(result: ClassificationTrust) -> "dict[str, go.Figure]":
    return {
        "Are the probabilities calibrated?": reliability(result.run, result.calibration.predictors, group=result.group)
    }


def _calibration_rows(result: Calibration) -> Rows:
    measures = CALIBRATION_MEASURES.values()
    rows: Rows = [["predictor", *(measure.heading for measure in measures)]]
    rows += [
        [PREDICTOR_NAMES[way], *(" ".join(_format_figure(result, way, measure).split()) for measure in measures)]
        for way in result.figures
    ]
    return rows


def _calibration_lines(result: Calibration) -> list[str]:
    lines = []
    for measure in CALIBRATION_MEASURES.values():
        beside = f"{100 * result.confidence:.6g}% interval" if measure.has_interval else "by chance"
        lines += ["", f"{measure.heading:<51}{beside:<22}ensemble − this"]
        for way in result.figures:
            line = f"  {PREDICTOR_NAMES[way]:<34}{_format_figure(result, way, measure)}"
            if way in result.differences:
                line += f"   {_format_with_ends(result.differences[way][measure.name], measure, sign='+')}"
            lines.append(line)
    return lines


def _group_lines(by: str | None, groups: Mapping[str, Calibration]) -> list[str]:
    lines = []
    ordered = sorted(groups.items(), key=lambda pair: pair[1].figures["ensemble"]["accuracy"].value)
    for measure in (CALIBRATION_MEASURES[name] for name in ("accuracy", "overconfidence") if groups):
        lines += ["", f"{measure.heading} of the ensemble, by {by}"]
        for name, calibration_of_group in ordered:
            count = len(calibration_of_group.predictors["ensemble"]["correct"])
            lines.append(f"  {name:<24.24}{count:>9,} {_format_figure(calibration_of_group, 'ensemble', measure)}")
    return lines


def _score_lines(figures: Mapping[str, SelectiveFigures], noun: str) -> list[str]:
    if not any(areas.augrc.value for areas in figures.values()):
        return ["", f"Every prediction is correct, so there are no {noun} by which scores could be ranked."]
    lines = ["", f"AUGRC, in millionths: how well an order finds {noun}; low is good"]
    for name, areas in sorted(figures.items(), key=lambda pair: pair[1].augrc.value):
        value, low, high = (1e6 * end for end in astuple(areas.augrc))
        tie = "ties with the best" if areas.ties_with_best else "" if areas.beats_random else "no better than random"
        ends = "" if math.isnan(low) else f"({low:.1f} to {high:.1f})"
        lines.append(f"  {name:<34}{value:>9.1f}  {ends}".ljust(70) + tie)
    first = next(iter(figures.values()))
    lines.append(f"  {'random':<34}{1e6 * (first.augrc.value - first.above_random.value):>9.1f}  half of the mean loss")
    if any(math.isnan(areas.augrc.low) for areas in figures.values()):
        lines.append(f"Without an interval: that takes {ENOUGH}.")
    return lines


def _convergence_lines(trusted: ClassificationTrust) -> list[str]:
    convergence, score = trusted.convergence, trusted.convergence_score
    rows = [("passes", "accuracy", "NLL", "ECE", "top 100 shared")]
    columns = zip(
        convergence.sizes, convergence.accuracy, convergence.nll, convergence.ece, convergence.shared_top, strict=True
    )
    for size, accuracy, nll, ece, shared in columns:
        top = percent(shared, 0) if size > 1 else ""
        rows.append((f"{size:,}", percent(accuracy, 2), f"{nll:.4f}", percent(ece, 2), top))
    lines = ["", *table_lines(rows)]
    top = f"Top 100 shared: the part of the 100 most uncertain by {score} that two halves of the passes agree on."
    if convergence.enough == trusted.run.passes:
        return [*lines, f"The figures still move up to the last pass. {top}"]
    return [*lines, f"From {convergence.enough:,} passes on, more passes change nothing that matters. {top}"]


def _set_lines(figures: SetFigures) -> list[str]:
    title = f"Prediction sets that are to hold the label for {100 * SET_COVERAGE:.0f}% of each class"
    return ["", title, *table_lines([(f"  {name}", figure) for name, figure in set_rows(figures)], "<36", "")]


def _cost_lines(referral: CheapestReferral | None) -> list[str]:
    if referral is None:
        return []
    costs = referral.costs
    rows = [
        (f"  looking at, of {referral.judged:,} examples that judge it", "costs"),
        (f"  {len(costs.on_others.referred):,}", f"{costs.cost:,.6g}"),
        ("  none", f"{costs.of_none:,.6g}"),
        ("  all", f"{costs.of_all:,.6g}"),
    ]
    return ["", referral.in_words, *table_lines(rows, "<49", ">12")]


def _format_figure(result: Calibration, way: str, measure: Measure) -> str:
    by_chance = result.eces_by_chance[way].get(measure.name)
    return _format_with_ends(result.figures[way][measure.name], measure, by_chance=by_chance)


def _format_with_ends(interval: Interval, measure: Measure, sign: str = "", by_chance: float | None = None) -> str:
    sign = "+" if measure.is_signed else sign
    beside, unit = "", ("" if measure.unit != "share" else " points" if sign else "%")
    value, low, high = (measure.format_number(each, sign=sign) for each in astuple(interval))
    if by_chance is not None:
        beside = f"(up to {measure.format_number(by_chance)}%)"
    elif not math.isnan(interval.low):
        beside = f"({low} to {high})"
    return f"{value + unit:>13}  {beside:<20}"
