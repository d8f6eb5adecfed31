"""Read the examples, labels and preprocessing of commands; print what is known of these and of a run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mcviz.cli.printing import say
from mcviz.cli.progress import count_progress
from mcviz.errors import InvalidInputError
from mcviz.options import ColumnOptions, DataOptions, PreprocessingOptions
from mcviz.text import list_names

if TYPE_CHECKING:
    from mcviz.data import ColumnNames, DataSet
    from mcviz.runs import Preprocessing, Run

MOST_NAMES_SHOWN = 20


def read_examples(options: DataOptions, task: str = "classification", complete: bool = True) -> "DataSet":
    """Read examples, also those of a run, with a line on what was found out, and one on how far it is."""
    from mcviz.data import read_data
    from mcviz.runs.data_set import data_set_of, find_run

    if run := find_run(options.data):
        examples = data_set_of(run)
    else:
        with count_progress("pictures") as progress:
            examples = read_data(
                options.data,
                skip_broken=options.skip_broken,
                columns=_column_names(options.columns),
                task=task,
                complete=complete,
                progress=progress,
            )
    examples = _take_selected(examples, options)
    for note in examples.notes:
        say(note)
    return examples


def name_classes(
    examples: "DataSet", options: DataOptions, task: str = "classification", of_passes: Sequence[str] = ()
) -> "DataSet":
    """Give the classes the names of the options; those of passes are in the order of these, whoever names them.

    Raises:
        InvalidInputError: names that are not those of the data or of the passes, and are not given as new ones.
    """
    from mcviz.data.labels import explain_renaming, rename_classes

    own = tuple(of_passes) or examples.class_names or ()
    names, new = options.class_names, dict(options.rename_class)
    if options.names_in_order:
        if names is None or not own or len(names) != len(own):
            raise InvalidInputError(
                f"--names-in-order is for new names of the classes that the data have, {list_names(own) or 'none'}. "
                f"Received: {list_names(names or ()) or 'no --class-names'}."
            )
        new = dict(zip(own, names, strict=True)) | new
        names = None
    held = set(examples.class_names or ())
    if not of_passes:
        examples = examples.with_class_names(new) if new else examples
        return examples if names is None else examples.with_class_names(names)
    if known := held & new.keys():
        examples = examples.with_class_names({name: new[name] for name in known})
    renamed = rename_classes(own, {name: each for name, each in new.items() if name in own or name not in held})
    if names is not None and set(names) != set(renamed):
        expected = f"the names that the passes have, {list_names(renamed)}"
        raise InvalidInputError(
            f"--class-names should be {expected}. Received: {list_names(names)}. {explain_renaming(renamed[0])}"
        )
    return examples.with_names(renamed, task)


def say_classes(examples: "DataSet") -> None:
    """Print which number stands for which class, where the data or the options say it, and how labels met them."""
    from mcviz.data import MATCHES

    if examples.class_names:
        shown = ", ".join(f"{number} {name}" for number, name in enumerate(examples.class_names[:MOST_NAMES_SHOWN]))
        more = len(examples.class_names) - MOST_NAMES_SHOWN
        say(f"classes: {shown}" + (f" and {more:,} more" if more > 0 else ""))
    if examples.labels is not None and examples.target_names is None:
        say(f"labels: {MATCHES[examples.matched_by]}")


def read_labels(path: str, options: DataOptions, task: str = "classification") -> "DataSet":
    """Read labels from a table, with its ids and columns, or from an `.npy`."""
    from mcviz import data

    columns = _column_names(replace(options.columns, text_column=None, feature_columns=()))
    return _take_selected(data.read_labels(path, columns=columns, task=task), options)


def read_relabelled(options: DataOptions, task: str = "classification") -> "DataSet":
    """Read examples with the labels of a file, by ids or numbers; those that it does not name are left out.

    Raises:
        InvalidInputError: it names none of the examples, or has other labels than are taken.
    """
    import numpy as np

    from mcviz import data

    labels, columns = options.labels, replace(options.columns, text_column=None, feature_columns=())
    assert labels is not None
    given = data.read_labels(labels, columns=_column_names(columns), task=task)
    options = replace(options, columns=replace(options.columns, label_column=()))
    examples = replace(read_examples(options, task), labels=None)
    if given.ids is None:
        return examples.with_labels_of(given)
    ids = examples.ids or tuple(map(str, range(len(examples))))
    known, named = set(ids), set(given.ids)
    places = np.flatnonzero([name in named for name in ids])
    if not len(places):
        raise InvalidInputError(
            f"{labels} should have the ids of examples, such as {ids[0]}. Received: {given.ids[0]} and others. Name "
            "their column with --id-column."
        )
    if len(places) < len(ids):
        say(f"{len(ids) - len(places):,} of {len(ids):,} examples have no label in {labels} and are left out.")
    unknown = [name not in known for name in given.ids]
    if any(unknown):
        say(f"{sum(unknown):,} labels of {labels} are of no example that is taken.")
    given = given.only(np.flatnonzero(np.logical_not(unknown)))
    return examples.with_ids(ids).only(places).with_labels_of(given)


def add_scaler(chosen: "Preprocessing | None", options: DataOptions, examples: "DataSet") -> "Preprocessing | None":
    """Return the preprocessing of the options, with the mean and std of --scaler where it is given.

    Raises:
        InvalidInputError: the file cannot be used, the examples are no rows, or --mean or --std are given as well.
    """
    if options.scaler is None:
        return chosen
    from msgspec.structs import replace

    from mcviz.data import read_scaler
    from mcviz.runs import Preprocessing

    if examples.rows is None:
        raise InvalidInputError(f"--scaler is for rows of numbers. Received: examples of the kind {examples.kind}.")
    if chosen is not None and (chosen.mean or chosen.std):
        raise InvalidInputError("--scaler gives mean and std. Leave out --mean, --std and --preprocess, or --scaler.")
    mean, std = read_scaler(options.scaler, [str(name) for name in examples.rows])
    return replace(chosen or Preprocessing(), mean=mean, std=std, reason=f"By {Path(options.scaler).name}.")


def choose_preprocessing(options: PreprocessingOptions) -> "Preprocessing | None":
    """Return the preprocessing of the options; None where they leave the scale to be found out from the model."""
    from msgspec.structs import replace

    from mcviz.runs import PRESETS, Preprocessing

    given = {
        "divide_by": options.scale,
        "mean": options.mean,
        "std": options.std,
        "channel_order": options.channel_order,
    }
    chosen = {name: value for name, value in given.items() if value not in (None, ())}
    if options.preprocess is None and not chosen.keys() - {"channel_order"} and not options.preprocessed:
        return None
    named = PRESETS[options.preprocess] if options.preprocess else Preprocessing()
    crop = options.crop or named.crop
    asked = replace(named, **chosen, crop=crop, applied=options.preprocessed, reason="As asked for.")
    asked.check()
    return asked


def say_run(run: "Run") -> None:
    """Print how good a run's predictions are, where that is known, and where it is."""
    if run.quality_by_pass is not None:
        task, (single, ensembles) = run.task, run.quality_by_pass
        values = float(ensembles[-1]), task.quality_of_single_pass(single)
        together, alone = (task.format_quality(value, run.manifest.unit) for value in values)
        say(f"{task.quality_name}: ensemble {together}, mean single pass {alone}")
    say(f"The run is {run.path}.")


def _column_names(options: ColumnOptions) -> "ColumnNames":
    from mcviz.data import ColumnNames

    one = len(options.label_column) == 1
    return ColumnNames(
        picture=options.picture_column,
        label=options.label_column[0] if one else None,
        id=options.id_column,
        text=options.text_column,
        features=options.feature_columns,
        targets=() if one else options.label_column,
    )


def _take_selected(examples: "DataSet", options: DataOptions) -> "DataSet":
    import numpy as np

    if options.only:
        if max(options.only) >= len(examples):
            raise InvalidInputError(
                f"--only should name some of the {len(examples):,} examples, counted from 0. "
                f"Received: {max(options.only):,}."
            )
        examples = examples.only(np.array(options.only))
    if options.first is None or options.first >= len(examples):
        return examples
    return examples.only(np.arange(options.first))
