"""The commands, with arguments, options, help and the functions they call."""

import warnings
from collections.abc import Callable, Collection, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import mcviz
from mcviz.choices import METHODS
from mcviz.cli.base import call_lazily, report_interrupt, tell
from mcviz.interrupts import raise_interrupts
from mcviz.options import (
    CheckOptions,
    ImportOptions,
    ModelOptions,
    OptionField,
    SampleOptions,
    all_option_fields,
    option_fields,
    parse_places,
    read_group,
)
from mcviz.permission import READ_ONLY
from mcviz.variables import check_variables

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Command = Callable[..., Any]


def add_options(
    group: "type[DataclassInstance]", *, required: Collection[str], helps: Mapping[str, str] | None = None
) -> Callable[[Command], Command]:
    """Give a command the options of a group, passed as one `options` instance.

    Args:
        group: the class.
        required: names of the required options, which come first in the help.
        helps: by the name of an option, its own help in this command.
    """
    declared = sorted(all_option_fields(group), key=lambda field: field.name not in required)

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_group(**values: Any) -> Any:
            own = {field.field: values.pop(field.field) for field in declared}
            return command(options=read_group(group, own), **values)

        decorated: Command = with_group
        for field in reversed(declared):
            words = (helps or {}).get(field.name, field.option.help)
            decorated = _click_option(field, words, required=field.name in required)(decorated)
        return decorated

    return decorate


def import_option(command: Command) -> Command:
    """Give a command the `--import` option of the user's modules, `modules`."""
    return _option_of_model("modules")(command)


def _option_of_model(name: str) -> Callable[[Command], Command]:
    (field,) = (field for field in option_fields(ModelOptions) if field.field == name)
    return _click_option(field, field.option.help, required=False)


def _click_option(field: OptionField, words: str, *, required: bool) -> Callable[[Command], Command]:
    option, is_told = field.option, field.default not in (None, "", ()) and field.default is not False
    default = {} if required else {"default": field.default if is_told else None}  # a default would make it optional
    return click.option(
        f"--{field.name}/{field.argument}" if field.default is True else f"--{field.name}",
        field.field,
        type=_click_type(field),
        is_flag=field.is_flag,
        multiple=option.several,
        metavar=option.metavar,
        show_default=is_told,
        required=required,
        envvar=option.variable,
        show_envvar=option.variable is not None,
        callback=partial(_parse_value, field),
        help=words,
        **default,
    )


def _click_type(field: OptionField) -> Any:
    option = field.option
    if option.choices:
        return click.Choice(option.choices)
    if option.at_least is not None:
        return click.IntRange(min=option.at_least)
    if option.between is not None:
        return click.FloatRange(*option.between, min_open=True, max_open=True)
    return {bool: bool, bool | None: bool, float | None: float}.get(field.type, str)


def _parse_value(field: OptionField, context: click.Context, parameter: click.Parameter, given: Any) -> Any:
    if given in (None, ()):
        return field.default
    try:
        return field.option.parse(given) if field.option.parse else given
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from error


def parse_share(context: click.Context, option: click.Parameter, given: str | None) -> float | None:
    """Parse a fraction, typed as 0.05 or 5%."""
    try:
        return None if given is None else float(f"{given[:-1]}e-2" if given.endswith("%") else given)  # 99.9% is 0.999
    except ValueError as error:
        raise click.BadParameter(
            f"expected a share such as 0.05 or 5%, received {given!r}.", context, option
        ) from error


PATH = click.Path(path_type=Path)
RUN = click.argument("run", metavar="RUN")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, with all that is found.")
GROUP = click.option(
    "--group",
    metavar="COLUMN",
    help="One of your own columns: examples of one value belong together, such as those of a patient.",
)
SEED = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of what is drawn at random."
)
TO = click.option("--to", metavar="FILE", required=True, help="A .csv or .parquet, a row an example.")
CONFIDENCE = click.option(
    "--confidence",
    callback=parse_share,
    metavar="SHARE",
    default="95%",
    show_default=True,
    help="Of intervals and guarantees.",
)
SUMMARY = click.option(
    "--summary", type=PATH, metavar="FOLDER", help="Write summary.md, its picture and report.html into FOLDER."
)
COST = click.FloatRange(min=0)
SHIPPED_SEED = 25  # of the training of the shipped run; its README describes the trials


class _Commands(click.Group):
    def invoke(self, context: click.Context) -> Any:
        with report_interrupt("stopped."), raise_interrupts(), warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: tell(f"warning: {message}")
            check_variables()
            return super().invoke(context)


@click.group(cls=_Commands, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mcviz.__version__, message="%(prog)s %(version)s")
def commands() -> None:
    """Monte Carlo dropout: sample a model many times over, and see which inputs it is uncertain about."""


@commands.command(short_help="Train the reference network on MNIST.")
@click.option("--out", type=PATH, metavar="MODEL.keras", required=True, help="Where the model goes.")
@click.option(
    "--data", type=PATH, metavar="PATH", help="Its .npz or the folder of its IDX files; downloaded without it."
)
@click.option("--seed", default=SHIPPED_SEED, show_default=True, help="Of weights, dropout and order.")
@click.option("--epochs", default=10, show_default=True, help="Of training.")
@click.option("--activation", default="relu", show_default=True, help="Of all layers but the last.")
@call_lazily("mcviz.cli.sample:train", stopped=lambda out, **_: f"stopped; {out} was not written.")
def train() -> None:
    """Train the reference network on MNIST, and write it with a history of its epochs."""


def _shards_kept(options: SampleOptions | ImportOptions, **_: object) -> str:
    again = "the same command" if options.run.resume else "the same command without --no-resume"
    return f"stopped. Every finished shard is kept: {again} makes the rest of {options.run.out}."


@commands.command(short_help="Sample a model over examples into a run, or resume one.")
@add_options(SampleOptions, required=["model", "data", "out"])
@call_lazily("mcviz.cli.sample:sample", stopped=_shards_kept)
def sample() -> None:
    """Sample a model over examples into a run, resume one that was stopped, or add passes to one that is finished."""


@commands.command(short_help="See what a model makes of data, and what passes will take.")
@add_options(CheckOptions, required=["model", "data"], helps={"passes": "How many to estimate for."})
@call_lazily("mcviz.cli.sample:check")
def check() -> None:
    """Look at what a model makes of some of the data, before hours are spent on passes."""


@commands.command("import", short_help="Make a run of passes that were made elsewhere.")
@click.argument("passes", metavar="PASSES")
@add_options(ImportOptions, required=["out"])
@call_lazily("mcviz.cli.sample:import_", stopped=_shards_kept)
def import_() -> None:
    """Make a run of the passes in PASSES.

    They are .npz, .npy, Zarr, NetCDF, HDF5, a long table, or a folder with one .npy a pass.

    Without --axes, the axes are pass, example and class, or target of a regression. A long table has the columns
    example, pass, class and probability, or example, pass, target and value.
    """


@commands.command(short_help="Print how far a run's probabilities can be trusted.")
@RUN
@click.option("--by", metavar="COLUMN", help="Also by group: one of your own columns, of classes label or prediction.")
@GROUP
@click.option("--score", metavar="NAME", help="The score that ranks examples; the first that RUN has without it.")
@click.option(
    "--mistake-cost", type=COST, help="What a mistake or the largest loss costs that nobody sees; with --look-cost."
)
@click.option("--look-cost", type=COST, help="What it costs to look at an example, in the same unit.")
@CONFIDENCE
@click.option(
    "--calibrated-on",
    metavar="RUN",
    help="Estimate the accuracy, or the coverage of a regression, of examples without labels by a run of the same "
    "model with labels; it may be RUN itself.",
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
@call_lazily("mcviz.cli.trust:trust")
def trust() -> None:
    """Print how far the predictions of the run in folder or at fsspec address RUN can be trusted.

    Of classes: how well it is calibrated, and which scores find its mistakes. Of several labels an example: how good it
    is, in all and by class. Of a regression: how wrong it is, and whether its intervals hold the labels. Of all, where
    it is worst. Of classes without labels, with --calibrated-on: the accuracy to be expected,
    and which columns and scores are distributed otherwise.
    """


@commands.command(short_help="Write the prediction intervals of a regression.")
@RUN
@click.option(
    "--coverage", callback=parse_share, metavar="SHARE", default="0.9", show_default=True, help="Of labels they hold."
)
@click.option(
    "--calibrated-on",
    metavar="RUN",
    help="A run of the same model with labels, which calibrates the intervals; RUN's own labels without it.",
)
@click.option("--to", type=PATH, metavar="FILE", required=True, help="A .csv or .parquet.")
@call_lazily("mcviz.cli.intervals:intervals")
def intervals() -> None:
    """Write the prediction intervals of the regression in folder or at fsspec address RUN, a row an example and target.

    They are those of the passes, and those of split-conformal prediction, which hold as many labels of new examples of
    the same kind as they promise, whatever the model: all of one width, and in proportion to the predictive std.
    """


@commands.command(short_help="Print the slices of a run that its model is worse on.")
@RUN
@GROUP
@JSON
@call_lazily("mcviz.cli.slices:slices")
def slices() -> None:
    """Print the slices of the run in folder or at fsspec address RUN that its model is worse on than chance explains.

    A slice has one value of a column, or of each of two: of the label, the prediction, or columns of your own. Of
    several labels an example, it has a class among those that are given or predicted.
    """


@commands.command(short_help="Decide from which probability a class is predicted, or which errors are right.")
@RUN
@click.option("--set", "values", multiple=True, metavar="CLASS=NUMBER", help="A threshold; 0.5 takes one away.")
@click.option(
    "--best", type=click.Choice(["f1", "accuracy"]), help="Choose the best thresholds by one half of the labels."
)
@click.option(
    "--recall", callback=parse_share, metavar="SHARE", help="Choose the highest thresholds with this recall likewise."
)
@click.option(
    "--class",
    "classes",
    multiple=True,
    metavar="CLASS",
    help="A class whose threshold is chosen; or all, of two the second.",
)
@click.option(
    "--tolerance",
    "tolerances",
    multiple=True,
    metavar="[TARGET=]NUMBER[%]",
    help="The largest error that is right, in the target's unit, or as a share of the label.",
)
@click.option("--clear", is_flag=True, help="Take away all that was decided before.")
@GROUP
@JSON
@call_lazily("mcviz.cli.thresholds:thresholds")
def thresholds() -> None:
    """Decide about the run in folder or at fsspec address RUN, or without options print what was decided.

    Each of several labels, or one of two classes, is predicted above its threshold, 0.5 at first. --best and --recall
    choose by one half of the labels; from then on every figure is by the other half. Of numbers, an error above the
    tolerance is a mistake, so that `mcviz refer`, `mcviz slices` and requirements take them as they take classes. The
    decisions are kept in a file beside the run; the run stays as it is.
    """


@commands.command(short_help="Print which examples a person should look at.")
@RUN
@click.option(
    "--accuracy", callback=parse_share, metavar="SHARE", help="The least accuracy left after review, such as 0.999."
)
@click.option(
    "--quality", callback=parse_share, metavar="SHARE", help="The least quality left after review: 1 − the mean loss."
)
@click.option("--budget", type=click.IntRange(min=0), metavar="N", help="The most examples to look at.")
@click.option("--miss", callback=parse_share, metavar="SHARE", help="The most mistakes to miss, such as 5%.")
@click.option("--score", help="The score that ranks examples; the first that RUN has without it.")
@CONFIDENCE
@GROUP
@click.option("--calibrated-on", metavar="RUN", help="Apply the threshold of a run of the same model with labels.")
@SEED
@import_option
@click.option("--to", metavar="FILE", help="Write the referred examples to a .csv or .parquet.")
@click.option("--guaranteed-to", metavar="FILE", help="Write those that the guarantee for new examples takes.")
@JSON
@call_lazily("mcviz.cli.refer:refer")
def refer() -> None:
    """Print which examples of RUN a person should look at so that the rest is good enough.

    Give one target: --accuracy, --quality, --budget or --miss.

    Of all runs at most 5% lead to a guarantee that is false; of the guarantees that are printed, more are false where
    few can be given.
    """


@commands.command("label-issues", short_help="List the examples whose labels are most likely wrong.")
@RUN
@click.option(
    "--first", type=click.IntRange(min=1), help="How many; as many as are estimated, or 100 without an estimate."
)
@CONFIDENCE
@SEED
@click.option("--to", metavar="FILE", help="Write the list to a .csv or .parquet.")
@JSON
@call_lazily("mcviz.cli.refer:label_issues")
def label_issues() -> None:
    """Print how many labels of RUN are estimated to be wrong, and list the likeliest first.

    The model must not have been trained on these labels: it would have learnt the wrong ones too. Of several labels an
    example, each class of an example is a row.
    """


@commands.command(short_help="List the examples to label next.")
@RUN
@click.option("--method", type=click.Choice(METHODS), required=True, help="How examples are chosen.")
@click.option("--batch", type=click.IntRange(min=1), default=100, show_default=True, help="How many examples.")
@SEED
@TO
@call_lazily("mcviz.cli.refer:acquire")
def acquire() -> None:
    """Write the examples of RUN whose labels would tell the model most, the first to be labelled first."""


@commands.group(short_help="Take away what people decided, or bring it in.")
def review() -> None:
    """Take away what people decided on the page Label, or bring in what they decided on a shared page."""


@review.command("import", short_help="Add the decisions that a shared page saved.")
@RUN
@click.argument("file", metavar="DECISIONS.json", type=PATH)
@call_lazily("mcviz.cli.review:import_")
def import_reviews() -> None:
    """Add the decisions in DECISIONS.json, which a shared page or Label Studio saved, to the reviews of RUN's examples.

    The whole file is checked before any is added. A decision that is there is not added again.
    """


@review.command("export", short_help="Write corrected labels, or move files to their classes.")
@RUN
@click.option(
    "--to",
    metavar="FILE",
    help="Write a .csv or .parquet: id, old, new, who, when and note; of a segmentation decisions and notes.",
)
@click.option(
    "--to-folders",
    metavar="FOLDER",
    help="Print which files of FOLDER, with a folder a class, move to which class; --yes moves them.",
)
@click.option("--yes", is_flag=True, help="Move the files.")
@call_lazily("mcviz.cli.review:export")
def export_reviews() -> None:
    """Write the labels of RUN as reviewers corrected them, or move its files to the folders of their new classes.

    Give --to or --to-folders.
    """


@commands.command(short_help="Print how well a run's model tells what it was not made for.")
@RUN
@click.option(
    "--against",
    metavar="PATH",
    multiple=True,
    help="Also against a set of your own: a folder, .npz, table or another run. May be given again.",
)
@import_option
@JSON
@call_lazily("mcviz.cli.ood:ood")
def ood() -> None:
    """Print how well the model of RUN tells what it was not made for: sets made of its own examples, and yours.

    What is computed is kept with the run, and shown on the page Out of distribution.
    """


@commands.command(short_help="Compare two runs.")
@click.argument("one", metavar="RUN")
@click.argument("other", metavar="OTHER")
@click.option("--score", metavar="NAME", help="The score that ranks examples; without it the first that both have.")
@click.option("--by", metavar="COLUMN", help="Also by group: label, prediction, or one of your own columns.")
@GROUP
@click.option(
    "--labels",
    type=click.Choice(["new", "old"]),
    default="new",
    show_default=True,
    help="Where labels differ, the run whose labels both are measured by: the newer or the older one.",
)
@CONFIDENCE
@click.option("--to", metavar="FILE", help="Write all examples under both runs to a .csv or .parquet.")
@click.option(
    "--require",
    "requirements",
    multiple=True,
    metavar="REQUIREMENT",
    help='Exit with code 1 where OTHER does not meet it, such as "accuracy not worse by 0.5%".',
)
@SUMMARY
@JSON
@call_lazily("mcviz.cli.compare:compare")
def compare() -> None:
    """Print whether the run OTHER is better than RUN by more than noise, and what it is worse on.

    Compared are the examples that both have: by their ids, or else by their content.
    """


@commands.command(short_help="Add a score of your own to a run.")
@RUN
@click.option(
    "--name", metavar="NAME", required=True, help="Of the score, such as energy; one that is there is replaced."
)
@click.option(
    "--from",
    "file",
    type=PATH,
    metavar="FILE",
    required=True,
    help="A table (.csv, .tsv, .parquet, .jsonl) with a column id, or example, its number; or a file of one value a "
    "line, in order.",
)
@click.option("--low-is-uncertain", is_flag=True, help="A low value means uncertain; a high one without it.")
@click.option("--meaning", metavar="TEXT", default="", help="A sentence on how to read a value, for the dashboard.")
@call_lazily("mcviz.cli.refer:score")
def score() -> None:
    """Add a score that was made elsewhere to the run in folder or at fsspec address RUN.

    Its examples are then ranked and filtered by it too. The run itself stays as it is.
    """


@commands.command(short_help="Check every byte of a run.")
@RUN
@call_lazily("mcviz.cli.runs:verify")
def verify() -> None:
    """Read every byte of the run in folder or at fsspec address RUN, and compute its scores and accuracies again."""


@commands.command("list", short_help="List the runs of a folder.")
@click.argument("folder", metavar="[FOLDER]", envvar="MCVIZ_CACHE", required=False)
@JSON
@call_lazily("mcviz.cli.runs:list_")
def list_() -> None:
    """List the runs in FOLDER, or in `cache`, as the dashboard shows them."""


@commands.command(short_help="Give a run another name.")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@call_lazily("mcviz.cli.runs:rename")
def rename() -> None:
    """Give the run in folder OLD the name NEW, in the same folder. What was derived from it goes along."""


@commands.command(short_help="Remove a run.")
@RUN
@click.option("--yes", is_flag=True, help="Do not ask.")
@call_lazily("mcviz.cli.runs:remove")
def remove() -> None:
    """Remove the run in folder or at fsspec address RUN, with what was derived from it."""


@commands.command(short_help="Write a run as a file for other tools.")
@RUN
@click.option(
    "--to",
    metavar="FILE",
    required=True,
    help="Its ending says what: .parquet (scores), .npz (predictions of all passes) or .nc (both, as NetCDF).",
)
@call_lazily("mcviz.cli.runs:export")
def export() -> None:
    """Write the run in folder or at fsspec address RUN as a file for other tools."""


def _parse_examples(context: click.Context, option: click.Parameter, given: str | None) -> tuple[int, ...]:
    try:
        return () if given is None else parse_places(given)
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from error


@commands.command(short_help="Write a run as one web page, for people without Python.")
@RUN
@click.option("--to", type=PATH, metavar="PAGE.html", required=True, help="Where the page goes.")
@click.option("--score", metavar="NAME", help="The score that ranks at first; the first that RUN has without it.")
@click.option(
    "--examples",
    callback=_parse_examples,
    metavar="A,B,…|FILE",
    help="Only the examples of these numbers, counted from 0; or of a file with one number a line.",
)
@click.option(
    "--without",
    callback=lambda *given: tuple(given[-1].split(",")) if given[-1] else (),
    metavar="PARTS",
    help="Leave out images (the examples, of whatever kind), labels, columns or ids; several with commas.",
)
@click.option("--link", metavar="ADDRESS", default="", help="Of a dashboard that shows the run; the page links to it.")
@click.option(
    "--max-size",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MB",
    default=10.0,
    show_default=True,
    help="Of the page. A larger one gets fewer scores, then smaller pictures, then fewer examples.",
)
@click.option("--present", is_flag=True, help="Also the steps of the page Present, as slides.")
@call_lazily("mcviz.cli.share:share", stopped=lambda to, **_: f"stopped; {to} was not written.")
def share() -> None:
    """Write the run in folder or at fsspec address RUN as one web page.

    It has Overview, Explore and Trust, opens from a disk, a mail or a web host, and asks no network for anything.
    """


@commands.command(short_help="Open the dashboard.")
@click.option(
    "--cache",
    type=PATH,
    metavar="FOLDER",
    envvar="MCVIZ_CACHE",
    show_default="cache",
    help="The folder of runs. Where it holds none, the runs that came with mcviz are shown as examples.",
)
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="8501, or the next that is free, without it.")
@click.option(
    "--read-only",
    is_flag=True,
    envvar=READ_ONLY,
    show_envvar=True,
    help="Let nobody sample, rename, remove or review; all can be looked at and exported.",
)
@import_option
@_option_of_model("device")
@call_lazily("mcviz.app.server:serve")
def dashboard() -> None:
    """Open the dashboard in a browser, for this machine alone. Ctrl-C ends it."""


@commands.command(hidden=True)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("lock", type=int)
@call_lazily("mcviz.cli.work:work")
def work() -> None:
    """Carry out the job of FOLDER, whose lock is the descriptor LOCK; a server of the dashboard starts this."""
