"""The options that say what data are and how a model takes them."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcviz.cli.printing import say
from mcviz.cli.progress import pictures_progress
from mcviz.extras import IMPORT_VARIABLE

if TYPE_CHECKING:
    from mcviz.data import DataSet
    from mcviz.runs import Preprocessing

Command = Callable[..., Any]
MOST_NAMES_SHOWN = 20
LABELS = ("labels", "y_test", "y", "target")  # under which an npz has them


@dataclass(frozen=True)
class Reading:
    """How examples are read: what the options of `data_options` say, but for the names of classes."""

    skip_broken: bool
    first: int | None
    picture_column: str | None
    label_column: str | None
    id_column: str | None


def data_options(command: Command) -> Command:
    """Options of a command that reads examples; it takes `class_names` and, for the others, a `Reading`."""

    @wraps(command)
    def with_reading(**settings: Any) -> Any:
        reading = Reading(**{field.name: settings.pop(field.name) for field in fields(Reading)})
        return command(reading=reading, **settings)

    for option in (
        click.option("--id-column", metavar="NAME", help="Of a table: what names an example."),
        click.option("--label-column", metavar="NAME", help="Of a table: class number or name."),
        click.option("--picture-column", metavar="NAME", help="Of a table: path, from its folder on."),
        click.option("--first", type=click.IntRange(1), metavar="N", help="Take only the first N examples."),
        click.option("--skip-broken", is_flag=True, help="Leave out pictures that cannot be read."),
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
        click.option("--preprocessed", is_flag=True, help="The images are already so, and are only shown by it."),
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


def read_examples(path: str, reading: Reading) -> "DataSet":
    """Read examples with a line on what was found out, and one on how far it is."""
    import numpy as np

    from mcviz.data import ColumnNames, read_data

    with pictures_progress() as progress:
        examples = read_data(
            path,
            skip_broken=reading.skip_broken,
            columns=ColumnNames(reading.picture_column, reading.label_column, reading.id_column),
            progress=progress,
        )
    if reading.first is not None and reading.first < len(examples):
        examples = examples.only(np.arange(reading.first))
    for note in examples.notes:
        say(note)
    return examples


def say_classes(examples: "DataSet") -> None:
    """Print which number stands for which class, where the data or the options say it."""
    if examples.class_names:
        shown = ", ".join(f"{number} {name}" for number, name in enumerate(examples.class_names[:MOST_NAMES_SHOWN]))
        more = len(examples.class_names) - MOST_NAMES_SHOWN
        say(f"classes: {shown}" + (f" and {more:,} more" if more > 0 else ""))


def read_labels(path: str, reading: Reading) -> "DataSet":
    """Read labels from a table, with its ids and columns, or from an `.npy`."""
    from mcviz.data import DataSet, read_array

    if path.endswith((".csv", ".tsv", ".parquet")):
        return read_examples(path, reading)
    return DataSet(None).with_labels(read_array(path, LABELS))


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


def _class_names(context: click.Context, option: click.Parameter, given: str | None) -> list[str] | None:
    if given is None:
        return None
    file = Path(given)
    if "," not in given and file.suffix and not file.exists():
        raise click.BadParameter(f"there is no file {given}.", context, option)
    if "," in given and not file.exists():
        return [name.strip() for name in given.split(",")]
    try:
        return file.read_text(encoding="utf-8-sig").strip().splitlines() if file.exists() else [given]
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{given} cannot be read as UTF-8 text ({error}).", context, option) from error


def _numbers(context: click.Context, option: click.Parameter, given: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in given.split(",")) if given else ()
    except ValueError as error:
        raise click.BadParameter(
            f"expected numbers such as 0.5 or 0.5,0.4,0.3, received {given!r}.", context, option
        ) from error
