"""`mcviz sample` and `mcviz check`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcviz.cli.data import (
    add_scaler,
    choose_preprocessing,
    name_classes,
    read_examples,
    read_relabelled,
    say_classes,
    say_run,
)
from mcviz.cli.options import add_options
from mcviz.cli.printing import say, tell
from mcviz.cli.progress import sampling_progress
from mcviz.cli.stopping import loading, report_interrupt
from mcviz.cli.work import Watcher
from mcviz.errors import DataNotFoundError, InvalidInputError
from mcviz.extras import find_modules, is_function_name, require_dask, require_framework
from mcviz.options import CheckOptions, ModelOptions, PreprocessingOptions, SampleOptions

if TYPE_CHECKING:
    from distributed import Client

    from mcviz.data import DataSet
    from mcviz.runs import Preprocessing, Run
    from mcviz.sampling import Sampler
    from mcviz.sampling.checking import Trial

OF_A_RUN = ("output", "from_logits", "weights", "transform")  # options that a run's own model does without


@click.command(short_help="Sample a model over examples into a run, or resume one.")
@add_options(SampleOptions, required=["model", "data", "out"])
def sample(options: SampleOptions) -> None:
    """Sample a model over examples into a run, resume one that was stopped, or add passes to one that is finished."""
    again = "the same command" if options.run.resume else "the same command without --no-resume"
    stopped = f"stopped. Every finished shard is kept: {again} makes the rest of {options.run.out}."
    with report_interrupt(stopped), _cluster(options.scheduler, stopped) as cluster:
        _sample(options, cluster, stopped)


@contextmanager
def _cluster(scheduler: str | None, stopped: str) -> "Iterator[Client | None]":
    """The cluster of a scheduler's address, whose workers tell their warnings here; None without one."""
    if scheduler is None:
        yield None
        return
    require_dask()
    with loading(stopped):
        from mcviz.sampling.cluster import connect
    with ExitStack() as held:
        with loading(stopped):
            client = held.enter_context(connect(scheduler))
        yield client


def _sample(options: SampleOptions, cluster: "Client | None", stopped: str) -> None:
    watcher = click.get_current_context().find_object(Watcher)  # of a job
    sampler, examples, preprocessing = _load_model_and_data(options, stopped)
    from mcviz.kinds import find_kind
    from mcviz.sampling.run_sampling import sample_run

    def say_trial(trial: "Trial") -> None:
        say(sampler.description())
        say(f"output: {sampler.meaning.text}")
        how = trial.adapter.preprocessing
        say(f"{find_kind(examples).plural}: {how}. {how.reason}")
        if trial.advice:
            tell(f"warning: {trial.advice}")

    if watcher:
        watcher.begin(examples, options.run.out)
    with sampling_progress(len(examples)) as progress:
        run = sample_run(
            sampler,
            examples,
            options.run.out,
            passes=options.passes,
            seed=options.seed,
            masks=options.masks,
            class_names=examples.class_names,
            unit=options.data.unit,
            preprocessing=preprocessing,
            about=dict(options.run.about),
            resume=options.run.resume,
            keep_images=options.run.keep_images,
            keep_model=options.keep_model,
            tried=say_trial,
            progress=watcher.progress if watcher else progress,
            in_stages=watcher is not None,
            seen=watcher.seen if watcher else None,
            scheduler=cluster,
        )
    say_run(run)


@click.command(short_help="See what a model makes of data, and what passes will take.")
@add_options(CheckOptions, required=["model", "data"], helps={"passes": "How many to estimate for."})
def check(options: CheckOptions) -> None:
    """Look at what a model makes of some of the data, before hours are spent on passes."""
    stopped = "stopped."
    with report_interrupt(stopped):
        sampler, examples, preprocessing = _load_model_and_data(options, stopped)
        from mcviz.sampling.checking import check_model

        found = check_model(sampler, examples, masks=options.masks, preprocessing=preprocessing)
    if watcher := click.get_current_context().find_object(Watcher):
        watcher.checked(found, options.passes)
    for line in found.lines(options.passes):
        say(line)
    if found.advice:
        tell(f"warning: {found.advice}")


def _load_model_and_data(options: CheckOptions, stopped: str) -> "tuple[Sampler, DataSet, Preprocessing | None]":
    """Read the data, which takes less time to refuse, and then the model."""
    model, data = options.model, options.data
    if not Path(model.model).exists() and not is_function_name(model.model):
        raise DataNotFoundError(f"No model at that place. Received: {model.model}. Make one with `mcviz train`.")
    find_modules(model.modules)
    chosen = choose_preprocessing(options.preprocessing)
    with loading(stopped):
        import mcviz.data.given  # noqa: F401 (here, where Ctrl-C can do no harm)
    file, own = _find_model(model)
    require_framework(file)
    task = own.manifest.task if own else options.task.task
    examples = read_relabelled(data, task) if data.labels else read_examples(data, task)
    chosen = add_scaler(chosen, data, examples)
    examples = name_classes(examples, data)
    if model.trust_model:
        tell(f"warning: {model.model} is opened without checks and can run any code on this machine, with your rights.")
    with loading(stopped):
        from mcviz.sampling.backends import find_backend
        from mcviz.sampling.examples import name_classes_by_model
        from mcviz.sampling.model_source import ModelSource, absolute
        from mcviz.sampling.source import load_sampler

        find_backend(file)  # which imports the framework
    weights = None if model.weights is None else absolute(model.weights)
    source = ModelSource(
        replace(model, model=absolute(file), weights=weights),
        options.task,
        run=None if own is None else absolute(own.path),
    )
    sampler = load_sampler(source)
    if data.class_names is None:
        examples = name_classes_by_model(examples, sampler.network)
    say_classes(examples)
    return sampler, examples, chosen or _find_preprocessing(options.preprocessing, sampler, examples)


def _find_preprocessing(
    options: PreprocessingOptions, sampler: "Sampler", examples: "DataSet"
) -> "Preprocessing | None":
    """Find the preprocessing for the crop and the order of colours of the options; return None without these."""
    if examples.images is None or not (options.crop or options.channel_order):
        return None
    from msgspec.structs import replace

    from mcviz.sampling.examples import default_preprocessing

    found = default_preprocessing(sampler.network, examples.images.dtype)
    return replace(found, crop=options.crop, channel_order=options.channel_order or "rgb")


def _find_model(options: ModelOptions) -> "tuple[str, Run | None]":
    """The file or function of a model; and the run where it is that of one, and is sampled as it was for it."""
    from mcviz.runs import open_run
    from mcviz.runs.manifest_file import NAME

    path = options.model
    if not (Path(path) / NAME).is_file():
        return path, None
    run = open_run(path)
    if run.model_path is None:
        raise InvalidInputError(f"{path} was kept without its model. Sample it again with the model kept.")
    for name in OF_A_RUN:
        if getattr(options, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise InvalidInputError(
                f"{option} is left out where the model is that of a run, which has its own. To sample that model in "
                f"another way, give {_describe_source(run)}."
            )
    return run.model_path, run


def _describe_source(run: "Run") -> str:
    """Say how the model of a run is given by itself."""
    model = run.manifest.model
    if model is None or model.backend == "keras":
        return f"its file: --model {run.model_path}"
    function = model.function or "package.module:function, which builds it,"
    return f"its code and its weights: --model {function} --weights {run.model_path}"
