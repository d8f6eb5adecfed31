"""The options that say what data are and how a model takes them."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcviz.cli.printing import say
from mcviz.cli.progress import picture_progress
from mcviz.errors import InvalidInputError
from mcviz.extras import IMPORT_VARIABLE
from mcviz.regular import path_exists

if TYPE_CHECKING:
    from mcviz.data import ColumnNames, DataSet
    from mcviz.runs import Preprocessing

Command = Callable[..., Any]
MOST_NAMES_SHOWN = 20


@dataclass(frozen=True)
class Reading:
    """How examples are read: what the options of `data_options` say, but for the names of classes."""

    skip_broken: bool
    first: int | None
    only: tuple[int, ...]
    picture_column: str | None
    text_column: str | None
    feature_columns: tuple[str, ...]
    label_column: tuple[str, ...]
    id_column: str | None
    scaler: str | None

    @property
    def columns(self) -> "ColumnNames":
        """The columns of a table that are named."""
        from mcviz.data import ColumnNames

        one = len(self.label_column) == 1
        return ColumnNames(
            picture=self.picture_column,
            label=self.label_column[0] if one else None,
            id=self.id_column,
            text=self.text_column,
            features=self.feature_columns,
            targets=() if one else self.label_column,
        )


def data_options(command: Command) -> Command:
    """Options of a command that reads examples; it takes `class_names` and, for the others, a `Reading`."""

    @wraps(command)
    def with_reading(**settings: Any) -> Any:
        reading = Reading(**{field.name: settings.pop(field.name) for field in fields(Reading)})
        return command(reading=reading, **settings)

    for option in (
        click.option("--id-column", metavar="NAME", help="Of a table: what names an example."),
        click.option(
            "--label-column",
            metavar="NAME",
            multiple=True,
            callback=_names,
            help="Of a table: class number or name; of a regression its target, or several: A,B,….",
        ),
        click.option("--scaler", metavar="FILE", help="Of rows: mean and std a column, in a .csv or .npz."),
        click.option(
            "--feature-columns",
            metavar="A,B,…",
            multiple=True,
            callback=_names,
            help="Of a table: numbers, in the model's order; all numeric ones without it.",
        ),
        click.option("--text-column", metavar="NAME", help="Of a table: text."),
        click.option("--picture-column", metavar="NAME", help="Of a table: path, from its folder on."),
        click.option(
            "--only",
            metavar="A,B,…|FILE",
            callback=_places,
            help="Take only the examples of these numbers, counted from 0; or of a file with one number a line.",
        ),
        click.option("--first", type=click.IntRange(1), metavar="N", help="Take only the first N examples."),
        click.option("--skip-broken", is_flag=True, help="Leave out pictures and texts that cannot be read."),
        click.option(
            "--class-names",
            metavar="A,B,…|FILE",
            callback=_class_names,
            help="In the order of the model's outputs; or a file with one name a line.",
        ),
    ):
        with_reading = option(with_reading)
    return with_reading


def preprocessing_options(command: Command) -> Command:
    """Options of a command that gives images to a model, which `chosen_preprocessing` takes."""
    for option in (
        click.option(
            "--preprocessed",
            is_flag=True,
            help="The images are already preprocessed that way; to show them, it is undone.",
        ),
        click.option("--crop", is_flag=True, help="Cut pictures to the model's proportions; they are stretched else."),
        click.option("--channel-order", type=click.Choice(["rgb", "bgr"]), help="In which the model takes colours."),
        click.option("--std", callback=_numbers, metavar="A,B,C", help="Divides after --mean; one, or one a channel."),
        click.option("--mean", callback=_numbers, metavar="A,B,C", help="Subtracted after --scale, as is --std."),
        click.option("--scale", type=float, metavar="N", help="What the model takes images divided by: 255, 127.5, 1."),
        click.option(
            "--preprocess",
            type=click.Choice(["imagenet", "caffe", "tf"]),
            help="By name: torchvision's and Keras's for ImageNet.",
        ),
    ):
        command = option(command)
    return command


def import_option(command: Command) -> Command:
    """Names modules of the user's own, which register their layers."""
    return click.option(
        "--import",
        "modules",
        metavar="MODULE",
        multiple=True,
        envvar=IMPORT_VARIABLE,
        show_envvar=True,
        help="Import a module that registers your own layers.",
    )(command)


def read_examples(path: str, reading: Reading, task: str = "classification", complete: bool = True) -> "DataSet":
    """Read examples, also those of a run, with a line on what was found out, and one on how far it is."""
    from mcviz.data import read_data
    from mcviz.jobs.of_run import data_set_of
    from mcviz.runs import open_run
    from mcviz.runs.manifest_file import NAME

    if (Path(path) / NAME).is_file():
        examples = data_set_of(open_run(path))
    else:
        with picture_progress() as progress:
            examples = read_data(
                path,
                skip_broken=reading.skip_broken,
                columns=reading.columns,
                task=task,
                complete=complete,
                progress=progress,
            )
    examples = _some(examples, reading)
    for note in examples.notes:
        say(note)
    return examples


def say_classes(examples: "DataSet") -> None:
    """Print which number stands for which class, where the data or the options say it, and how labels met them."""
    from mcviz.data import MATCHES

    if examples.class_names:
        shown = ", ".join(f"{number} {name}" for number, name in enumerate(examples.class_names[:MOST_NAMES_SHOWN]))
        more = len(examples.class_names) - MOST_NAMES_SHOWN
        say(f"classes: {shown}" + (f" and {more:,} more" if more > 0 else ""))
    if examples.labels is not None and examples.target_names is None:
        say(f"labels: {MATCHES[examples.matched_by]}")


def read_labels(path: str, reading: Reading, task: str = "classification") -> "DataSet":
    """Read labels from a table, with its ids and columns, or from an `.npy`."""
    from mcviz import data

    columns = replace(reading, text_column=None, feature_columns=()).columns
    return _some(data.read_labels(path, columns=columns, task=task), reading)


def with_scaler(chosen: "Preprocessing | None", reading: Reading, examples: "DataSet") -> "Preprocessing | None":
    """What the options say of preprocessing, with the mean and std of --scaler where it is given.

    Raises:
        InvalidInputError: the file cannot be used, the examples are no rows, or --mean or --std are given as well.
    """
    if reading.scaler is None:
        return chosen
    from msgspec.structs import replace

    from mcviz.data import read_scaler
    from mcviz.runs import Preprocessing

    if examples.rows is None:
        raise InvalidInputError(f"--scaler is for rows of numbers. Received: examples of the kind {examples.kind}.")
    if chosen is not None and (chosen.mean or chosen.std):
        raise InvalidInputError("--scaler gives mean and std. Leave out --mean, --std and --preprocess, or --scaler.")
    mean, std = read_scaler(reading.scaler, [str(name) for name in examples.rows])
    return replace(chosen or Preprocessing(), mean=mean, std=std, reason=f"By {Path(reading.scaler).name}.")


def chosen_preprocessing(
    preprocess: str | None,
    scale: float | None,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    channel_order: str | None,
    crop: bool,
    preprocessed: bool,
) -> "Preprocessing | None":
    """What the options say, or None where they say nothing of the scale, which is found out from the model then."""
    from msgspec.structs import replace

    from mcviz.runs import PRESETS, Preprocessing

    given = {"divide_by": scale, "mean": mean, "std": std, "channel_order": channel_order}
    chosen = {name: value for name, value in given.items() if value not in (None, ())}
    if preprocess is None and not chosen.keys() - {"channel_order"} and not preprocessed:
        return None
    named = PRESETS[preprocess] if preprocess else Preprocessing()
    asked = replace(named, **chosen, crop=crop or named.crop, applied=preprocessed, reason="As asked for.")
    asked.check()
    return asked


def _some(examples: "DataSet", reading: Reading) -> "DataSet":
    import numpy as np

    if reading.only:
        if max(reading.only) >= len(examples):
            raise InvalidInputError(
                f"--only should name some of the {len(examples):,} examples, counted from 0. "
                f"Received: {max(reading.only):,}."
            )
        examples = examples.only(np.array(reading.only))
    if reading.first is None or reading.first >= len(examples):
        return examples
    return examples.only(np.arange(reading.first))


def _names(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(name.strip() for text in given for name in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise click.BadParameter(f"expected names such as A,B, each once, received {given}.", context, option)
    return names


def _places(context: click.Context, option: click.Parameter, given: str | None) -> tuple[int, ...]:
    """Numbers of examples, in the order in which they are taken."""
    if given is None:
        return ()
    try:
        typed = given.replace(",", " ").split()
        texts = typed if "".join(typed).isdecimal() else Path(given).read_text(encoding="utf-8-sig").split()
        places = tuple(int(text) for text in texts)
    except (OSError, ValueError) as error:
        raise click.BadParameter(
            f"expected numbers such as 3,1,4, or a file with one a line, received {given!r:.60} ({error}).",
            context,
            option,
        ) from error
    if not places or min(places) < 0 or len(set(places)) < len(places):
        raise click.BadParameter("expected at least one number, each once and from 0 upwards.", context, option)
    return places


def _class_names(context: click.Context, option: click.Parameter, given: str | None) -> list[str] | None:
    if given is None:
        return None
    if not path_exists(given):
        if "," not in given and Path(given).suffix:
            raise click.BadParameter(f"there is no file {given}.", context, option)
        return [name.strip() for name in given.split(",")]
    try:
        return Path(given).read_text(encoding="utf-8-sig").strip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{given} cannot be read as UTF-8 text ({error}).", context, option) from error


def _numbers(context: click.Context, option: click.Parameter, given: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in given.split(",")) if given else ()
    except ValueError as error:
        raise click.BadParameter(
            f"expected numbers such as 0.5 or 0.5,0.4,0.3, received {given!r}.", context, option
        ) from error
