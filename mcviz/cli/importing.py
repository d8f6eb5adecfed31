"""`mcviz import`."""

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mcviz.cli.data import (
    add_scaler,
    choose_preprocessing,
    name_classes,
    read_examples,
    read_labels,
    say_classes,
    say_run,
)
from mcviz.cli.options import add_options
from mcviz.cli.printing import say
from mcviz.cli.progress import sampling_progress
from mcviz.cli.stopping import loading, report_interrupt
from mcviz.options import ImportOptions

if TYPE_CHECKING:
    from mcviz.data import DataSet


@click.command("import", short_help="Make a run of passes that were made elsewhere.")
@click.argument("passes", metavar="PASSES")
@add_options(ImportOptions, required=["out"])
def import_(passes: str, options: ImportOptions) -> None:
    """Make a run of the passes in PASSES.

    They are .npz, .npy, Zarr, NetCDF, HDF5, a long table, or a folder with one .npy a pass.

    Without --axes, the axes are pass, example and class, or target of a regression. A long table has the columns
    example, pass, class and probability, or example, pass, target and value.
    """
    stopped = f"stopped. Every finished shard is kept: the same command makes the rest of {options.run.out}."
    with report_interrupt(stopped):
        _import(passes, options, stopped)


def _import(path: str, options: ImportOptions, stopped: str) -> None:
    with loading(stopped):
        from mcviz.data import DataSet, open_passes, read_array
        from mcviz.importing import write_run
        from mcviz.tasks import TASKS

    task = options.task.task
    chosen = choose_preprocessing(options.preprocessing)
    with open_passes(path, TASKS[task].pass_names) as passes:
        examples = _read_examples(options) if options.data.data else DataSet(None)
        chosen = add_scaler(chosen, options.data, examples)
        sizes = getattr(examples.images, "sizes", ())
        if len(sizes) > 1:
            say(f"The pictures have {len(sizes):,} sizes. They are shown in the most frequent one.")
        if options.data.labels:
            examples = examples.with_labels_of(read_labels(options.data.labels, options.data, task))
        if passes.ids:
            examples = examples.in_order_of(passes.ids)
        if examples.labels is None and passes.labels is not None:
            examples = examples.with_labels(passes.labels, task)
        names = TASKS[task].pass_names.arrays
        usual = (*(f"deterministic_{name}" for name in names), *names)
        fixed = read_array(options.deterministic, usual) if options.deterministic else passes.deterministic
        examples = name_classes(examples, options.data, task, passes.last_names or ())
        say_classes(examples)
        with sampling_progress(len(examples) or 1) as progress:
            run = write_run(
                options.run.out,
                passes.passes,
                data=examples,
                task=task,
                predicts=passes.resolve_predicts(options.task.predicts),
                unit=options.data.unit,
                deterministic=fixed,
                features=read_array(options.features) if options.features else None,
                axes=tuple(options.axes.split(",")) if options.axes else passes.axes,
                from_logits=options.from_logits,
                preprocessing=chosen,
                keep_images=options.run.keep_images,
                source=options.source,
                about=dict(options.run.about),
                resume=options.run.resume,
                progress=progress,
            )
    say_run(run)


def _read_examples(options: ImportOptions) -> "DataSet":
    """The examples; where labels come in a file of their own, that file has the column of labels."""
    data = options.data
    if data.labels:
        data = replace(data, columns=replace(data.columns, label_column=()))
    return read_examples(data, options.task.task, complete=False)
