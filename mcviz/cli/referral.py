"""Commands on the examples that a person should look at or label: `mcviz refer`, `label-issues` and `acquire`."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from mcviz.choices import METHODS
from mcviz.cli.arguments import CONFIDENCE, GROUP, JSON, RUN, SEED, TO, parse_share
from mcviz.cli.ood import import_framework
from mcviz.cli.options import import_option
from mcviz.cli.printing import print_json, say, table_lines, tell
from mcviz.cli.stopping import loading
from mcviz.errors import McvizError, MissingPackageError
from mcviz.extras import require_framework

if TYPE_CHECKING:
    import pandas as pd

    from mcviz.runs import Run

IDS_SHOWN = 10


@click.command(short_help="Print which examples a person should look at.")
@RUN
@click.option(
    "--accuracy", callback=parse_share, metavar="SHARE", help="The least accuracy of the rest, such as 0.999."
)
@click.option("--budget", type=click.IntRange(min=0), metavar="N", help="The most examples to look at.")
@click.option("--miss", callback=parse_share, metavar="SHARE", help="The most mistakes to miss, such as 5%.")
@click.option("--score", default="max_probability", show_default=True, help="The score that ranks examples.")
@CONFIDENCE
@GROUP
@click.option("--calibrated-on", metavar="RUN", help="Apply the threshold of a run of the same model with labels.")
@SEED
@import_option
@click.option("--to", metavar="FILE", help="Write the referred examples to a .csv or .parquet.")
@JSON
def refer(
    run: str,
    calibrated_on: str | None,
    group: str | None,
    modules: tuple[str, ...],
    to: str | None,
    as_json: bool,
    **target: Any,
) -> None:
    """Print which examples of RUN a person should look at so that the rest is good enough.

    Give one target: --accuracy, --budget or --miss.

    Of all runs at most 5% lead to a guarantee that is false; of the guarantees that are printed, more are false where
    few can be given.
    """
    with loading():
        from mcviz import open_run
        from mcviz import refer as choose_examples
        from mcviz.analysis.base import group_sentence
        from mcviz.analysis.referral import referral_rows, referral_sentences
        from mcviz.runs import check_table_file, write_table

    if to:
        check_table_file(to)
    old = open_run(calibrated_on) if calibrated_on else None
    new = open_run(run)
    found = choose_examples(new, calibrated_on=old, group=group, **target)
    if old is not None:
        found = replace(found, warnings=(*found.warnings, *ood_warnings(old, new, modules, "the guarantee")))
    for warning in found.warnings:
        tell(f"warning: {warning}")
    if to:
        write_table(found.table, to)
    if as_json:
        print_json(found.as_dict() | {"group": group})
        return
    for line in [*referral_sentences(found), *table_lines(referral_rows(found)), group_sentence(old or new, group)]:
        say(line)
    _say_examples("To look at, the most uncertain first", found.table, to)


@click.command("label-issues", short_help="List the examples whose labels are most likely wrong.")
@RUN
@click.option("--first", type=click.IntRange(min=1), default=100, show_default=True, help="How many.")
@CONFIDENCE
@SEED
@click.option("--to", metavar="FILE", help="Write the examples to a .csv or .parquet.")
@JSON
def label_issues(run: str, first: int, confidence: float, seed: int, to: str | None, as_json: bool) -> None:
    """Print how many labels of RUN are estimated to be wrong, and list the likeliest first.

    The model must not have been trained on these labels: it would have learnt the wrong ones too.
    """
    with loading():
        from mcviz import open_run
        from mcviz.analysis.labelling import OUT_OF_FOLD, count_label_errors, label_errors_sentence
        from mcviz.analysis.labelling import label_issues as list_label_issues
        from mcviz.runs import check_table_file, write_table

    if to:
        check_table_file(to)
    opened = open_run(run)
    count = count_label_errors(opened, confidence, seed)
    table = list_label_issues(opened, first)
    if to:
        write_table(table, to)
    if as_json:
        estimated = {"confidence": confidence, **vars(count)}
        print_json({"run": run, "examples": len(opened), "estimated": estimated, "ids": table["id"].tolist()})
        return
    say(label_errors_sentence(count, len(opened), confidence))
    others = int((table["label"] != table["prediction"]).sum())
    say(f"These are the {len(table):,} lowest self-confidences. The ensemble predicts another class for {others:,}.")
    say(OUT_OF_FOLD)
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
        from mcviz.analysis.labelling import acquire as choose_examples
        from mcviz.runs import check_table_file, write_table

    check_table_file(to)
    table = choose_examples(open_run(run), method, batch, seed)
    write_table(table, to)
    _say_examples(f"To label next, by {method}", table, to)


COMMANDS = refer, label_issues, acquire


def ood_warnings(old: "Run", new: "Run", modules: tuple[str, ...], promise: str) -> list[str]:
    """Warn that new examples differ from the old ones by the OOD score, where there is a model to compute it.

    Args:
        old: a run with labels.
        new: a run of the same model.
        modules: to import for that.
        promise: what holds only for examples that are alike.
    """
    if old.manifest.examples.sha256 == new.manifest.examples.sha256:
        return []
    keep_examples = all(run.manifest.has_examples for run in (old, new))
    if old.model_path is None or not keep_examples:
        return []
    try:
        require_framework(old.model_path)
    except MissingPackageError:
        return []
    with loading():
        from mcviz.analysis.referral import SHIFT_P_VALUE
        from mcviz.measures import percent
        from mcviz.sampling.ood import ood_shift
        from mcviz.sampling.source import load_run_sampler

    try:
        import_framework(old.model_path)
        shift, usual, share = ood_shift(load_run_sampler(old, modules), old, new)
    except McvizError as error:
        return [f"The examples are not compared by the OOD score. {error}"]
    if shift.p_value >= SHIFT_P_VALUE:
        return []
    return [
        f"The OOD score is distributed otherwise than in {old.path} (Kolmogorov–Smirnov {shift.statistic:.3f}, "
        f"p = {shift.p_value:.2g}): {percent(share)} of the examples are out of distribution, of the old ones "
        f"{percent(usual)}, and {promise} is for examples that are alike."
    ]


def _say_examples(what: str, table: "pd.DataFrame", to: str | None) -> None:
    ids = list(map(str, table["id"].iloc[:IDS_SHOWN]))
    if ids:
        more = len(table) - len(ids)
        say(f"{what}: {', '.join(ids)}" + (f" and {more:,} more." if more else "."))
    if to:
        say(f"{len(table):,} examples are written to {to}.")
    elif len(table) > len(ids):
        say("--to FILE writes all of them, --json prints them.")
