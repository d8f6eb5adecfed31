"""Commands on how far a run can be trusted, and on what a person should look at or label."""

import math
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from mcviz.choices import METHODS
from mcviz.cli.printing import say, tell
from mcviz.cli.stopping import loading
from mcviz.extras import import_named_modules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from mcviz.analysis.trust import Convergence
    from mcviz.measures.calibration import Calibration, CalibrationFigures
    from mcviz.measures.conformal import SetFigures
    from mcviz.measures.groups import GroupTest
    from mcviz.measures.referral import Costs
    from mcviz.measures.selective import SelectiveFigures
    from mcviz.runs import Run
    from mcviz.runs.columns import Groups
    from mcviz.sampling import Sampler

IDS_SHOWN = 10
MEASURES = {
    "accuracy": "accuracy",
    "nll": "NLL in nats, clipped at 1/131068",
    "brier": "Brier score",
    "ece": "ECE, bins of one width",
    "ece_equal_mass": "ECE, bins of equal mass",
    "overconfidence": "mean confidence − accuracy",
}
ECES = "ece", "ece_equal_mass"
IN_PERCENT = "accuracy", *ECES, "overconfidence"
PREDICTORS = {
    "ensemble": "ensemble",
    "deterministic": "deterministic",
    "single_pass": "single pass",
    "ensemble_scaled": "ensemble, temperature scaled",
    "deterministic_scaled": "deterministic, temperature scaled",
}


def _share(context: click.Context, option: click.Parameter, given: str | None) -> float | None:
    """A fraction, typed as 0.05 or 5%."""
    try:
        return None if given is None else float(f"{given[:-1]}e-2" if given.endswith("%") else given)  # 99.9% is 0.999
    except ValueError as error:
        raise click.BadParameter(
            f"expected a share such as 0.05 or 5%, received {given!r}.", context, option
        ) from error


RUN = click.argument("run", metavar="RUN")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, with all that is found.")
COST = click.FloatRange(min=0)
CONFIDENCE = click.option(
    "--confidence",
    callback=_share,
    metavar="SHARE",
    default="95%",
    show_default=True,
    help="Of intervals and guarantees.",
)
SEED = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of what is drawn at random."
)
TO = click.option("--to", metavar="FILE", required=True, help="A .csv or .parquet, a row an example.")


@click.command(short_help="Print how far a run's probabilities can be trusted.")
@RUN
@click.option("--by", metavar="COLUMN", help="Also by group: label, prediction, or one of your own columns.")
@click.option("--score", default="max_probability", show_default=True, help="The score that ranks examples.")
@click.option("--mistake-cost", type=COST, help="What a mistake costs that nobody sees; with --look-cost.")
@click.option("--look-cost", type=COST, help="What it costs to look at an example, in the same unit.")
@CONFIDENCE
@JSON
def trust(
    run: str,
    by: str | None,
    score: str,
    mistake_cost: float | None,
    look_cost: float | None,
    confidence: float,
    as_json: bool,
) -> None:
    """Print how well the run in folder or at fsspec address RUN is calibrated, and which scores find its mistakes."""
    with loading():
        from mcviz import open_run, validate
        from mcviz.analysis.referral import find_cheapest_referral, measure_prediction_sets, rank_by_all_scores
        from mcviz.analysis.trust import (
            compute_convergence,
            group_by_all_columns,
            group_by_column,
            predictors,
            run_group_tests,
            verdict_sentences,
        )
        from mcviz.measures.calibration import calibration, calibration_by_group
        from mcviz.measures.selective import selective_figures

    if (mistake_cost is None) != (look_cost is None):
        raise click.UsageError(
            "The cheapest threshold takes both --mistake-cost and --look-cost. Received: one of them."
        )
    if not 0 < validate.fraction("confidence", confidence) < 1:
        raise validate.invalid("confidence", "above 0 and below 1", confidence)
    opened = open_run(run)
    groups = group_by_column(opened, by) if by else None
    ways = predictors(opened)
    found = calibration(ways, confidence=confidence)
    columns = group_by_all_columns(opened)
    tests = run_group_tests(ways["ensemble"], columns, confidence)
    by_group = {}
    if groups is not None:
        by_number = calibration_by_group(ways, groups.members, confidence=confidence)
        by_group = {groups.names[number]: each for number, each in by_number.items()}
    figures = selective_figures(rank_by_all_scores(opened), confidence=confidence)
    convergence = compute_convergence(opened, score)
    sets = measure_prediction_sets(opened)
    costs = (
        None
        if mistake_cost is None or look_cost is None
        else find_cheapest_referral(opened, mistake_cost, look_cost, score)
    )
    sentence = " ".join(verdict_sentences(opened, found, tests, columns))
    if as_json:
        grouped = {name: _as_dict(each) for name, each in by_group.items()}
        whole = {"run": opened.path, "examples": len(opened), "passes": opened.passes, "in_words": sentence}
        more = {"convergence": _convergence_dict(convergence), "prediction_sets": sets, "cheapest": _costs_dict(costs)}
        by_groups = {"by": by, "groups": grouped, "group_tests": _tests_as_dicts(tests, columns)}
        print_json({**whole, **_as_dict(found), "scores": figures, **by_groups, "score": score, **more})
        return
    say(sentence)
    for line in [
        *_calibration_lines(found),
        *_group_lines(by, by_group),
        *_score_lines(figures),
        *_convergence_lines(convergence, opened, score),
        *_set_lines(sets),
        *_cost_lines(costs, opened, score),
    ]:
        say(line.rstrip())


@click.command(short_help="Print which examples a person should look at.")
@RUN
@click.option("--accuracy", callback=_share, metavar="SHARE", help="The least accuracy of the rest, such as 0.999.")
@click.option("--budget", type=click.IntRange(min=0), metavar="N", help="The most examples to look at.")
@click.option("--miss", callback=_share, metavar="SHARE", help="The most mistakes to miss, such as 5%.")
@click.option("--score", default="max_probability", show_default=True, help="The score that ranks examples.")
@CONFIDENCE
@click.option("--calibrated-on", metavar="RUN", help="Apply the threshold of a run of the same model with labels.")
@SEED
@click.option("--to", metavar="FILE", help="Write the referred examples to a .csv or .parquet.")
@JSON
def refer(run: str, calibrated_on: str | None, to: str | None, as_json: bool, **target: Any) -> None:
    """Print which examples of RUN a person should look at so that the rest is good enough.

    Give one target: --accuracy, --budget or --miss.
    """
    with loading():
        from mcviz import open_run
        from mcviz import refer as referred
        from mcviz.analysis.referral import referral_rows, referral_sentences
        from mcviz.runs import check_table_file, write_table

    if to:
        check_table_file(to)
    old = open_run(calibrated_on) if calibrated_on else None
    new = open_run(run)
    found = referred(new, calibrated_on=old, **target)
    if old is not None:
        found = replace(found, warnings=(*found.warnings, *_ood_warnings(old, new)))
    for warning in found.warnings:
        tell(f"warning: {warning}")
    if to:
        write_table(found.table, to)
    if as_json:
        print_json(found.as_dict())
        return
    for line in [*referral_sentences(found), *_table_lines(referral_rows(found))]:
        say(line)
    _say_examples("To look at, the most uncertain first", found.table, to)


@click.command("label-issues", short_help="List the examples whose labels are most likely wrong.")
@RUN
@click.option("--first", type=click.IntRange(min=1), default=100, show_default=True, help="How many.")
@TO
def label_issues(run: str, first: int, to: str) -> None:
    """Write the examples of RUN whose labels are most likely wrong, the likeliest first."""
    with loading():
        from mcviz import open_run
        from mcviz.analysis.labelling import label_issues as found_in
        from mcviz.runs import check_table_file, write_table

    check_table_file(to)
    table = found_in(open_run(run), first)
    write_table(table, to)
    others = int((table["label"] != table["prediction"]).sum())
    say(f"These are the {len(table):,} lowest self-confidences. The ensemble predicts another class for {others:,}.")
    _say_examples("To check, the likeliest to be wrong first", table, to)


@click.command(short_help="List the examples to label next.")
@RUN
@click.option("--method", type=click.Choice(METHODS), required=True, help="How examples are chosen.")
@click.option("--batch", type=click.IntRange(min=1), default=100, show_default=True, help="How many examples.")
@SEED
@TO
def acquire(run: str, method: Any, batch: int, seed: int, to: str) -> None:
    """Write the examples of RUN whose labels would tell the model most, the first to be labelled first."""
    with loading():
        from mcviz import open_run
        from mcviz.analysis.labelling import acquire as acquired
        from mcviz.runs import check_table_file, write_table

    check_table_file(to)
    table = acquired(open_run(run), method, batch, seed)
    write_table(table, to)
    _say_examples(f"To label next, by {method}", table, to)


def sampler_of(run: "Run", model: str) -> "Sampler":
    """A run's own model, ready to be sampled as for the run, with what the operator's modules register."""
    from mcviz.sampling import Sampler, load_model

    import_named_modules()
    return Sampler.for_run(load_model(model), run)


def _ood_warnings(old: "Run", new: "Run") -> list[str]:
    """Whether new examples are not like the old ones by the OOD score, where there is a model that can be asked."""
    if old.manifest.examples.sha256 == new.manifest.examples.sha256:
        return []
    keep_examples = all(run.manifest.has_examples for run in (old, new))
    if old.model_path is None or not keep_examples or any(find_spec(name) is None for name in ("keras", "tensorflow")):
        return []
    with loading():
        from mcviz.analysis.referral import SHIFT_P_VALUE
        from mcviz.errors import McvizError
        from mcviz.measures import percent
        from mcviz.sampling.ood import ood_shift

    try:
        shift, usual, share = ood_shift(sampler_of(old, old.model_path), old, new)
    except McvizError as error:
        return [f"The examples are not compared by the OOD score. {error}"]
    if shift.p_value >= SHIFT_P_VALUE:
        return []
    return [
        f"The OOD score is distributed otherwise than in {old.path} (Kolmogorov–Smirnov {shift.statistic:.3f}, "
        f"p = {shift.p_value:.2g}): {percent(share)} of the examples are out of distribution, of the old ones "
        f"{percent(usual)}, and the guarantee is for examples that are alike."
    ]


COMMANDS = trust, refer, label_issues, acquire


def print_json(found: Any) -> None:
    """Print what was found as JSON."""
    import orjson

    # What is not a number or not finite is null.
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY).decode())


def _say_examples(what: str, table: "pd.DataFrame", to: str | None) -> None:
    ids = list(map(str, table["id"].iloc[:IDS_SHOWN]))
    if ids:
        more = len(table) - len(ids)
        say(f"{what}: {', '.join(ids)}" + (f" and {more:,} more." if more else "."))
    if to:
        say(f"{len(table):,} examples are written to {to}.")
    elif len(table) > len(ids):
        say("--to FILE writes all of them, --json prints them.")


def _as_dict(found: "Calibration") -> dict[str, Any]:
    return {
        "confidence": found.confidence,
        "figures": found.figures,
        "ensemble_less": found.differences,
        "bins": found.bins,
        "equal_mass_bins": found.equal_mass_bins,
    }


def _tests_as_dicts(tests: "Sequence[GroupTest]", columns: "Mapping[str, Groups]") -> list[dict[str, Any]]:
    return [{**vars(test), "group": columns[test.column].names[test.group]} for test in tests]


def _table_lines(rows: list[tuple[str, ...]]) -> list[str]:
    """A table as lines, its first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "   ".join(
            [f"{first:<{widths[0]}}", *(f"{text:>{width}}" for text, width in zip(others, widths[1:], strict=True))]
        )
        for first, *others in rows
    ]
    return ["", *lines, ""] if lines else []


def _calibration_lines(found: "Calibration") -> list[str]:
    lines = []
    for measure, label in MEASURES.items():
        beside = "by chance" if measure in ECES else f"{100 * found.confidence:.6g}% interval"
        lines += ["", f"{label:<47}{beside:<22}ensemble − this"]
        for way, name in PREDICTORS.items():
            if way in found.figures:
                line = f"  {name:<34}{_with_ends(found.figures[way], measure)}"
                if way in found.differences:
                    line += f"   {_with_ends(found.differences[way], measure, sign='+')}"
                lines.append(line)
    return lines


def _group_lines(by: str | None, groups: "dict[str, Calibration]") -> list[str]:
    """Accuracy and calibration of the ensemble in each group, the least accurate first."""
    lines = []
    ordered = sorted(groups.items(), key=lambda pair: pair[1].figures["ensemble"].accuracy.value)
    for measure in ("accuracy", "overconfidence") if groups else ():
        lines += ["", f"{MEASURES[measure]} of the ensemble, by {by}"]
        for name, found in ordered:
            count = len(found.predictors["ensemble"])
            lines.append(f"  {name:<24.24}{count:>9,} {_with_ends(found.figures['ensemble'], measure)}")
    return lines


def _score_lines(figures: "dict[str, SelectiveFigures]") -> list[str]:
    """Which orders find mistakes, the best first."""
    if not any(found.augrc.value for found in figures.values()):
        return ["", "Every prediction is correct, so there are no mistakes by which scores could be ranked."]
    lines = ["", "AUGRC, in millionths: how well an order finds mistakes; low is good"]
    for name, found in sorted(figures.items(), key=lambda pair: pair[1].augrc.value):
        value, low, high = (1e6 * each for each in (found.augrc.value, found.augrc.low, found.augrc.high))
        tie = "ties with the best" if found.ties_with_best else ""
        lines.append(f"  {name:<34}{value:>9.1f}  ({low:.1f} to {high:.1f})".ljust(70) + tie)
    return lines


def _convergence_dict(found: "Convergence") -> dict[str, Any]:
    return {**vars(found), "enough": found.enough}


def _costs_dict(found: "Costs | None") -> dict[str, Any] | None:
    if found is None:
        return None
    looks, missed = len(found.referral.referred), found.referral.missed
    costs = {"cost": found.cost, "of_none": found.of_none, "of_all": found.of_all, "saved": found.saved}
    return {"looks": looks, "missed": missed, **costs}


def _convergence_lines(found: "Convergence", run: "Run", score: str) -> list[str]:
    """The ensemble of the first passes, size by size, and from which on more change nothing that matters."""
    lines = ["", f"{'passes':<8}{'accuracy':>11}{'NLL':>10}{'ECE':>9}{'top 100 shared':>17}"]
    columns = zip(found.sizes, found.accuracy, found.nll, found.ece, found.shared_top, strict=True)
    for size, accuracy, nll, ece, shared in columns:
        top = f"{100 * shared:.0f}%" if size > 1 else ""
        lines.append(f"{size:<8,}{100 * accuracy:>10.2f}%{nll:>10.4f}{100 * ece:>8.2f}%{top:>17}")
    top = f"Shared is what two halves of the passes have in common of the most uncertain 100 by {score}."
    if found.enough == run.passes:
        return [*lines, f"The figures still move up to the last pass. {top}"]
    return [*lines, f"From {found.enough:,} passes on more passes change nothing that matters. {top}"]


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


def _cost_lines(found: "Costs | None", run: "Run", score: str) -> list[str]:
    if found is None:
        return []
    return [
        "",
        f"It is cheapest to look at {len(found.referral.referred):,} of {len(run):,} examples by {score}: that costs "
        f"{found.cost:,.6g}, none {found.of_none:,.6g}, all {found.of_all:,.6g}.",
    ]


def _with_ends(figures: "CalibrationFigures", measure: str, sign: str = "") -> str:
    """A figure, and what stands beside it: the ends of its interval, or of an ECE what chance alone gives."""
    scale, end, digits = (100, "%", 2) if measure in IN_PERCENT else (1, "", 4)
    interval, beside = getattr(figures, measure), ""
    value, low, high = (f"{scale * each:{sign}.{digits}f}" for each in (interval.value, interval.low, interval.high))
    if measure in ECES and not sign:
        beside = f"(up to {scale * getattr(figures, f'{measure}_by_chance'):.{digits}f}%)"
    elif not math.isnan(interval.low):
        beside = f"({low} to {high})"
    return f"{value + end:>9}  {beside:<20}"
