"""`mcviz trust`: is a run calibrated, which scores find its mistakes, and how wrong is a regression?"""

import math
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcviz.choices import MEASURE_NAMES, PREDICTOR_NAMES
from mcviz.cli.arguments import CONFIDENCE, GROUP, JSON, RUN
from mcviz.cli.gate import SUMMARY, Findings, Rows, describe_run, finish
from mcviz.cli.options import import_option
from mcviz.cli.progress import count_progress
from mcviz.cli.regression import find_errors
from mcviz.cli.stopping import loading
from mcviz.cli.unlabelled import find_estimate

if TYPE_CHECKING:
    from mcviz.analysis.referral import CheapestReferral
    from mcviz.analysis.regression import Figures
    from mcviz.analysis.trust import Convergence
    from mcviz.measures.calibration import Calibration, CalibrationFigures
    from mcviz.measures.conformal import SetFigures
    from mcviz.measures.selective import SelectiveFigures
    from mcviz.runs import Run

COST = click.FloatRange(min=0)
ECES = "ece", "ece_equal_mass"
IN_PERCENT = "accuracy", *ECES, "overconfidence"


@click.command(short_help="Print how far a run's probabilities can be trusted.")
@RUN
@click.option("--by", metavar="COLUMN", help="Also by group: label, prediction, or one of your own columns.")
@GROUP
@click.option(
    "--score",
    metavar="NAME",
    help="The score that ranks examples; max_probability without it, of a regression predictive_std.",
)
@click.option("--mistake-cost", type=COST, help="What a mistake costs that nobody sees; with --look-cost.")
@click.option("--look-cost", type=COST, help="What it costs to look at an example, in the same unit.")
@CONFIDENCE
@click.option(
    "--calibrated-on",
    metavar="RUN",
    help="Without labels: estimate the accuracy by a run of the same model with labels.",
)
@import_option
@click.option(
    "--require",
    "requirements",
    multiple=True,
    metavar="REQUIREMENT",
    help='Exit with code 1 where it is not met, such as "accuracy >= 99%" or "recall of every class >= 80%".',
)
@SUMMARY
@JSON
def trust(
    run: str,
    confidence: float,
    calibrated_on: str | None,
    modules: tuple[str, ...],
    requirements: tuple[str, ...],
    summary: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Print how far the predictions of the run in folder or at fsspec address RUN can be trusted.

    Of classes: how well it is calibrated, and which scores find its mistakes. Of a regression: how wrong it is, and
    whether its intervals hold the labels. Of classes without labels, with --calibrated-on: the accuracy to be expected,
    and which columns and scores are distributed otherwise.
    """
    with loading():
        from mcviz import open_run, validate
        from mcviz.analysis.requirements import parse_requirement
        from mcviz.cli.summary import check_summary_folder

    required = [parse_requirement(each) for each in requirements]
    if summary is not None:
        check_summary_folder(summary)
    if (options["mistake_cost"] is None) != (options["look_cost"] is None):
        raise click.UsageError(
            "The cheapest threshold takes both --mistake-cost and --look-cost. Received: one of them."
        )
    if not 0 < validate.fraction("confidence", confidence) < 1:
        raise validate.invalid("confidence", "above 0 and below 1", confidence)
    opened = open_run(run)
    if calibrated_on is not None:
        given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
        if given or required:
            raise click.UsageError(
                f"An accuracy that is estimated with --calibrated-on goes with no {', '.join(given) or '--require'}, "
                "which takes labels."
            )
        found = find_estimate(opened, open_run(calibrated_on), confidence, modules)
        finish(found, [], as_json=as_json, folder=summary)
        return
    find = _find_calibration if opened.task.predicts_classes else find_errors
    figures, found = find(opened, confidence, **options)
    finish(found, [each.judge(figures, opened, confidence) for each in required], as_json=as_json, folder=summary)


def _find_calibration(
    run: "Run",
    confidence: float,
    *,
    by: str | None,
    group: str | None,
    score: str | None,
    mistake_cost: float | None,
    look_cost: float | None,
) -> "tuple[Figures, Findings]":
    with loading():
        from mcviz import validate
        from mcviz.analysis.base import convergence_score, find_groups, group_sentence, ranking_scores
        from mcviz.analysis.referral import find_cheapest_referral, measure_prediction_sets, rank_by_all_scores
        from mcviz.analysis.slices import slices as find_slices
        from mcviz.analysis.trust import (
            compute_convergence,
            group_by_column,
            predictors,
            verdict_sentences,
        )
        from mcviz.measures.calibration import CALIBRATION_MEASURES, calibration, calibration_by_group
        from mcviz.measures.selective import selective_figures
        from mcviz.plot import reliability

    score = validate.choice("score", score or run.first_score, ranking_scores(run))
    groups, dependent = group_by_column(run, by) if by else None, find_groups(run, group)
    ways = predictors(run, group=group)
    found = calibration(ways, groups=dependent, confidence=confidence)
    with count_progress("permutations") as progress:
        slices = find_slices(run, group=group, progress=progress)
    by_group = {}
    if groups is not None:
        by_number = calibration_by_group(ways, groups.members, groups=dependent, confidence=confidence)
        by_group = {groups.names[number]: each for number, each in by_number.items()}
    selective = selective_figures(rank_by_all_scores(run, group), confidence=confidence)
    ranked_by = convergence_score(score)
    convergence = compute_convergence(run, ranked_by)
    sets = measure_prediction_sets(run, group=group)
    costs = (
        None
        if mistake_cost is None or look_cost is None
        else find_cheapest_referral(run, mistake_cost, look_cost, score, confidence=confidence)
    )
    sentences = [*verdict_sentences(run, found), *slices.sentences]
    grouped = {name: _calibration_dict(each) for name, each in by_group.items()}
    more = {
        "convergence": _convergence_dict(convergence),
        "prediction_sets": sets,
        "cheapest": costs and costs.as_dict(),
    }
    by_groups = {"by": by, "groups": grouped, "slices": slices.as_dict()}
    rows: Rows = [["predictor", *MEASURE_NAMES.values()]]
    rows += [
        [PREDICTOR_NAMES[way], *(" ".join(_format_with_ends(each, measure).split()) for measure in MEASURE_NAMES)]
        for way, each in found.figures.items()
    ]
    figures = {way: {name: getattr(each, name) for name in CALIBRATION_MEASURES} for way, each in found.figures.items()}
    return figures, Findings(
        run,
        score,
        sentences,
        lines=[
            *_calibration_lines(found),
            *_group_lines(by, by_group),
            *_score_lines(selective),
            *_convergence_lines(convergence, run, ranked_by),
            *_set_lines(sets),
            *_cost_lines(costs),
            "",
            group_sentence(run, group),
        ],
        as_dict={
            **describe_run(run, sentences),
            "group": group,
            **_calibration_dict(found),
            "scores": selective,
            **by_groups,
            "score": score,
            **more,
        },
        tables={"How good is each way to predict?": rows},
        draw_charts=lambda: {"Are the probabilities calibrated?": reliability(run, ways, group=group)},
    )


def _calibration_dict(found: "Calibration") -> dict[str, Any]:
    return {
        "confidence": found.confidence,
        "figures": found.figures,
        "ensemble_less": found.differences,
        "bins": found.bins,
        "equal_mass_bins": found.equal_mass_bins,
    }


def _calibration_lines(found: "Calibration") -> list[str]:
    lines = []
    for measure, label in MEASURE_NAMES.items():
        beside = "by chance" if measure in ECES else f"{100 * found.confidence:.6g}% interval"
        lines += ["", f"{label:<47}{beside:<22}ensemble − this"]
        for way, figures in found.figures.items():
            line = f"  {PREDICTOR_NAMES[way]:<34}{_format_with_ends(figures, measure)}"
            if way in found.differences:
                line += f"   {_format_with_ends(found.differences[way], measure, sign='+')}"
            lines.append(line)
    return lines


def _group_lines(by: str | None, groups: "dict[str, Calibration]") -> list[str]:
    """Lines on accuracy and calibration of the ensemble in each group, the least accurate first."""
    lines = []
    ordered = sorted(groups.items(), key=lambda pair: pair[1].figures["ensemble"].accuracy.value)
    for measure in ("accuracy", "overconfidence") if groups else ():
        lines += ["", f"{MEASURE_NAMES[measure]} of the ensemble, by {by}"]
        for name, found in ordered:
            count = len(found.predictors["ensemble"])
            lines.append(f"  {name:<24.24}{count:>9,} {_format_with_ends(found.figures['ensemble'], measure)}")
    return lines


def _score_lines(figures: "dict[str, SelectiveFigures]") -> list[str]:
    """Lines on the scores by which mistakes are found, the best first."""
    from mcviz.measures.calibration import ENOUGH

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


def _convergence_dict(found: "Convergence") -> dict[str, Any]:
    return {**vars(found), "enough": found.enough}


def _convergence_lines(found: "Convergence", run: "Run", score: str) -> list[str]:
    """Lines on the ensemble of the first passes, size by size, and on how many are enough."""
    lines = ["", f"{'passes':<8}{'accuracy':>11}{'NLL':>10}{'ECE':>9}{'top 100 shared':>17}"]
    columns = zip(found.sizes, found.accuracy, found.nll, found.ece, found.shared_top, strict=True)
    for size, accuracy, nll, ece, shared in columns:
        top = f"{100 * shared:.0f}%" if size > 1 else ""
        lines.append(f"{size:<8,}{100 * accuracy:>10.2f}%{nll:>10.4f}{100 * ece:>8.2f}%{top:>17}")
    top = f"Top 100 shared: the part of the 100 most uncertain by {score} that two halves of the passes agree on."
    if found.enough == run.passes:
        return [*lines, f"The figures still move up to the last pass. {top}"]
    return [*lines, f"From {found.enough:,} passes on, more passes change nothing that matters. {top}"]


def _set_lines(found: "SetFigures") -> list[str]:
    from mcviz.analysis.referral import SET_COVERAGE

    held, size = found.coverage, found.size
    return [
        "",
        f"Prediction sets that are to hold the label for {100 * SET_COVERAGE:.0f}% of each class",
        f"  {'classes in a set':<34}{size.value:>9.2f}  ({size.low:.2f} to {size.high:.2f})",
        f"  {'hold the label':<34}{f'{100 * held.value:.2f}%':>9}  ({100 * held.low:.2f} to {100 * held.high:.2f})",
        f"  {'are one class alone':<34}{f'{100 * found.single:.1f}%':>9}",
        f"  {'are empty: no class fits':<34}{f'{100 * found.empty:.1f}%':>9}",
    ]


def _cost_lines(found: "CheapestReferral | None") -> list[str]:
    if found is None:
        return []
    costs = found.costs
    return [
        "",
        found.in_words,
        f"  {f'looking at, of {found.judged:,} examples that judge it':<47}{'costs':>12}",
        *(
            f"  {looks:<47}{cost:>12,.6g}"
            for looks, cost in (
                (f"{len(costs.on_others.referred):,}", costs.cost),
                ("none", costs.of_none),
                ("all", costs.of_all),
            )
        ),
    ]


def _format_with_ends(figures: "CalibrationFigures", measure: str, sign: str = "") -> str:
    """Format a figure with the ends of its interval, or an ECE with the bound by chance."""
    from mcviz.measures.units import fixed

    scale, end, digits = (100, "%", 2) if measure in IN_PERCENT else (1, "", 4)
    interval, beside = getattr(figures, measure), ""
    value, low, high = (fixed(scale * each, digits, sign) for each in astuple(interval))
    if measure in ECES and not sign:
        beside = f"(up to {scale * getattr(figures, f'{measure}_by_chance'):.{digits}f}%)"
    elif not math.isnan(interval.low):
        beside = f"({low} to {high})"
    return f"{value + end:>9}  {beside:<20}"
