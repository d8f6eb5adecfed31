"""Sampling straight into a run on disk."""

import dataclasses
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace

from mcviz.choices import DEFAULT_PASSES, MASKS, Ignore, Masks, Predicts
from mcviz.data import DataSet, as_data_set
from mcviz.data.given import NAMELESS, spread_places
from mcviz.devices import AUTO, CPU
from mcviz.errors import McvizError, ModelWarning
from mcviz.manifest import LabelMaps, layout_for
from mcviz.options import ModelOptions, TaskOptions
from mcviz.runs import Examples, Layer, Manifest, Model, Origin, Preprocessing, Run, TargetScaler
from mcviz.runs.data_set import data_set_of, find_run
from mcviz.runs.manifest_file import check_manifest, read_manifest
from mcviz.runs.storage import folder_at
from mcviz.runs.tables import (
    Contents,
    Progress,
    Rows,
    ShardCallback,
    describe_examples,
    describe_images,
    describe_labels,
    hash_array,
    with_scores,
)
from mcviz.runs.writer import ShardExecutor, check_known, is_finished, rename_classes, write
from mcviz.sampling.adapters import Adapter, InputsAdapter, adapter_for_examples
from mcviz.sampling.base import NO_COMPILER, ModelSpec, Network, Plan, absolute
from mcviz.sampling.checking import Trial, fit_labels, try_model
from mcviz.sampling.examples import name_classes_by_model
from mcviz.sampling.loading import SamplerSource, load_sampler, versions
from mcviz.sampling.sampler import Sampler, as_sampler
from mcviz.tasks import TASKS
from mcviz.tasks.base import StoredLabels
from mcviz.validate import choice, invalid, whole_number

if TYPE_CHECKING:
    import keras
    import torch
    from distributed import Client

DRAW_SCHEME = 2  # rises whenever the same seed gives other numbers
STAGES_GROW = 4  # times as many passes from one stage to the next


def sample_run(
    model: "keras.Model | torch.nn.Module | Network | Sampler | str | os.PathLike[str]",
    data: Any,
    out: str | os.PathLike[str],
    *,
    passes: int = DEFAULT_PASSES,
    seed: int = 0,
    masks: Masks = "per_pass",
    class_names: Sequence[str] | Mapping[str, str] | None = None,
    task: str | None = None,
    predicts: Predicts | None = None,
    target_names: Sequence[str] | None = None,
    unit: str = "",
    preprocessing: Preprocessing | None = None,
    target_scaler: TargetScaler | None = None,
    transform: Callable[[Any], Any] | None = None,
    resume: bool = True,
    keep_images: bool = True,
    keep_model: bool = True,
    about: dict[str, Any] | None = None,
    output: str | None = None,
    from_logits: bool | None = None,
    rate: float | None = None,
    device: str | None = None,
    background: int | None = 0,
    ignore: Ignore = "auto",
    tried: Callable[[Trial], None] | None = None,
    progress: Progress | None = None,
    in_stages: bool = False,
    seen: ShardCallback | None = None,
    scheduler: "str | Client | None" = None,
) -> Run:
    """Sample a model over examples into a run on disk, in constant memory.

    An existing run is opened, resumed, or extended, bit for bit as if never stopped, with its own product, compiler and
    device unless the `Sampler` sets others. Any other run is refused and left unchanged.

    Args:
        model: a model of Keras or PyTorch with dropout; the path of a Keras model, or `package.module:function`, which
            builds a PyTorch model; the result of `load_torch`; or a `Sampler`, which is used unchanged.
        data: images, texts or rows of numbers, alone or with labels: a `DataSet`, arrays, a path, or anything else for
            `as_data_set`; or a run, or its path, whose examples are sampled again. Pictures from files get the model's
            size. Images may be flat, or lack the axis of one channel. Pictures in files or inside Parquet, images in an
            `.npy` and those of a run stay there, and are read block by block.
        out: the run's folder, or an fsspec address.
        passes: the number of passes, T.
        seed: of the masks.
        masks: `per_pass` or `per_example`.
        class_names: C names, in the order of the model's outputs, which labels follow by name; or new names by those
            of the data. None takes those of the model (`config.id2label`) or the data, or else numbers.
        task: "classification" (default), "regression", "multilabel" or "segmentation"; a `Sampler` has its own.
        predicts: the meaning of a regression's columns, as for `Sampler`; a `Sampler` has its own.
        target_names: D names of a regression's targets; None takes those of the data.
        unit: of all targets of a regression, such as "mg/dl".
        preprocessing: of images or rows for the model. None derives it: floating point is left unchanged, and uint8 is
            divided by 255, unless the model begins with a layer that scales, or takes whole numbers.
        target_scaler: the scaling of a regression's targets in training. Labels are given in their own unit, and so are
            all numbers of the run: outputs are converted back to it, and variances to its square.
        transform: for a PyTorch model: makes its inputs of an example, as for `Sampler`; a `Sampler` has its own.
        resume: whether to continue a partial run; False begins it anew.
        keep_images: whether the run keeps images for display; texts and rows are always kept.
        keep_model: whether the run keeps the model, without its optimizer, to predict new examples.
        about: free notes, such as the source of the data and their licence.
        output: the name of the output to sample, for models with several; a `Sampler` has its own.
        from_logits: whether the output is logits; None derives it from the model; a `Sampler` has its own.
        rate: of the dropout in the passes, as for `Sampler`; a `Sampler` has its own.
        device: of the passes, as for `Sampler`; a `Sampler` has its own. None continues an existing run on its device.
        background: for a segmentation, the class that Dice leaves out, or None.
        ignore: for a segmentation, the value of mask pixels that count nowhere, or None. "auto" takes that of the
            data, or else 255; but if there are two classes, and the masks hold only 0 and one number of 2 or more, that
            number is the second class.
        tried: called with a trial of the model on some examples, before sampling. Without it, Python warns if the model
            is hardly better than guessing, or if examples, masks or outputs may be misread (`ModelWarning`).
        progress: called with (done, total) predictions; an error that it raises stops the sampling, and keeps finished
            work.
        in_stages: whether to finish a run of few passes first, which then grows to all: results appear early, and a
            stop loses less. The numbers are the same.
        seen: called with the run's manifest, the first example of a shard, and the result of its passes.
        scheduler: the address of a Dask scheduler, whose workers then make the shards of the run, or a client of it; or
            `local:N` for N processes of this machine. The numbers are the same. The model must then be given by its
            path, and all machines must share the paths or addresses of the model, the run, and images in files or in
            another run.

    Returns:
        The finished run.

    Raises:
        InvalidInputError: an argument is invalid.
        DataNotFoundError: no model or data is at that path.
        MissingPackageError: this machine lacks the product or the compiler of the existing run.
        UnsuitableModelError: passes of the model would not differ, or it does not predict that.
        RunExistsError: another run is there.
        StorageError: the run cannot be written.
        ClusterError: no scheduler answers, a worker cannot take part, or all are lost. Finished work is kept.
    """
    choice("masks", masks, MASKS)
    passes, seed = whole_number("passes", passes, 1), whole_number("seed", seed)
    if isinstance(model, str | os.PathLike):
        if transform is not None:
            advice = "Give mcviz.load_torch('package.module:function', transform=…), or the module."
            raise invalid("transform", "left out beside the path of a model", "one", advice)
        options = ModelOptions(
            absolute(model), output=output, from_logits=from_logits, rate=rate, device=device or AUTO
        )
        sampler = load_sampler(ModelSpec(options, TaskOptions(task or "classification", predicts or "mean")))
    else:
        sampler = as_sampler(
            model,
            output=output,
            from_logits=from_logits,
            task=task,
            predicts=predicts,
            rate=rate,
            device=device,
            transform=transform,
        )
    sampler = sampler.with_target_scaler(target_scaler)
    existing = _read_existing(out)
    sampler = _match_existing(sampler, existing, passes, resume=resume)
    prepared = _prepare(
        out,
        sampler,
        _read_examples(sampler, data, class_names, target_names),
        existing,
        preprocessing=preprocessing,
        passes=passes,
        seed=seed,
        masks=masks,
        background=background,
        ignore=ignore,
    )
    wanted, contents = _describe(
        prepared,
        passes=passes,
        seed=seed,
        masks=masks,
        unit=unit,
        keep_images=keep_images,
        keep_model=keep_model,
        about=about or {},
    )
    if tried is not None:
        tried(prepared.trial())
    elif not is_finished(folder_at(out), wanted) and (advice := prepared.trial().advice):
        warnings.warn(advice, ModelWarning, stacklevel=2)
    run = _write(
        out,
        prepared,
        wanted,
        contents,
        existing,
        scheduler=scheduler,
        in_stages=in_stages,
        resume=resume,
        progress=progress,
        seen=seen,
    )
    return run if run.class_names == prepared.names else rename_classes(run, prepared.names)


@dataclass(frozen=True)
class _Prepared:
    """A sampler with examples in its and the run's form.

    Attributes:
        sampler: with the product and the compiler of an existing run.
        adapter: between the examples and the model.
        examples: with stored labels, also for workers of a cluster.
        labels: as stored, with a report on them.
        content: the input of the adapter.
        source: of the passes.
        plan: of the model for such examples.
        sha256: of the model.
        names: of the classes; empty for a regression.
        targets: names of a regression's targets.
        maps: of a segmentation.
    """

    sampler: Sampler
    adapter: Adapter
    examples: DataSet
    labels: StoredLabels
    content: Rows
    source: SamplerSource
    plan: Plan
    sha256: str
    names: tuple[str, ...]
    targets: tuple[str, ...]
    maps: LabelMaps | None

    @property
    def inputs(self) -> np.ndarray | None:
        """The model's inputs, if they differ from the shown examples."""
        return self.examples.inputs if isinstance(self.adapter, InputsAdapter) else None

    @property
    def images(self) -> Rows | None:
        """The images that the run describes."""
        if self.examples.images is None:
            return None
        return self.content if self.inputs is None else self.examples.images

    def trial(self) -> Trial:
        return try_model(self.adapter, self.content, self.examples, self.labels, self.maps)


def _read_examples(
    sampler: Sampler,
    data: Any,
    class_names: Sequence[str] | Mapping[str, str] | None,
    target_names: Sequence[str] | None,
) -> DataSet:
    again = find_run(data)
    examples = as_data_set(data, sampler.task) if again is None else data_set_of(again)
    examples = name_classes_by_model(examples, sampler.network, class_names)
    return examples if target_names is None else examples.with_target_names(target_names)


def _prepare(
    out: str | os.PathLike[str],
    sampler: Sampler,
    examples: DataSet,
    existing: Manifest | None,
    *,
    preprocessing: Preprocessing | None,
    passes: int,
    seed: int,
    masks: Masks,
    background: int | None,
    ignore: Ignore,
) -> _Prepared:
    """Bring examples into the model's form and find output names; write nothing."""
    adapter, content = adapter_for_examples(sampler, examples, preprocessing)
    source = SamplerSource(adapter, content, seed, masks)
    plan, sha256 = source.plan, sampler.network.compute_digest()
    known = {"task": sampler.task, "passes": passes, "seed": seed, "masks": masks, "model": sha256}
    check_known(folder_at(out), known, TASKS[sampler.task])  # early, since describing the examples can take minutes
    if plan.deterministic is not None:
        source.deterministic(0, 1)  # refuse numbers that are not finite before writing
    of_task, last = TASKS[sampler.task], sampler.count_last(plan.width)
    names, targets = of_task.names(examples, last, sampler.predicts)
    existing_names = existing.class_names if existing and existing.classes == last else ()
    names = names or existing_names or of_task.default_names(last, sampler.predicts)[0]
    maps, labels = fit_labels(adapter, content, examples, names, background, ignore)
    examples = dataclasses.replace(examples, labels=labels.values)
    return _Prepared(sampler, adapter, examples, labels, content, source, plan, sha256, names, targets, maps)


def _describe(
    prepared: _Prepared,
    *,
    passes: int,
    seed: int,
    masks: Masks,
    unit: str,
    keep_images: bool,
    keep_model: bool,
    about: dict[str, Any],
) -> tuple[Manifest, Contents]:
    sampler, examples, source, images = prepared.sampler, prepared.examples, prepared.source, prepared.images
    network, plan, labels = sampler.network, prepared.plan, prepared.labels.values
    if unit and TASKS[sampler.task].last_axis != "target":
        raise invalid("unit", f"left out for a {sampler.task}", unit)
    described, pixels = (None, "") if images is None else describe_images(images, keep_images)
    given, table = describe_examples(
        Examples(examples.kind, prepared.content.shape[0], pixels),
        sampler.task,
        prepared.targets,
        examples.ids,
        examples.content,
        examples.columns,
    )
    wanted = Manifest(
        task=sampler.task,
        passes=passes,
        classes=len(prepared.names),
        class_names=prepared.names,
        targets=prepared.targets,
        unit=unit,
        predicts=sampler.predicts,
        target_scaler=sampler.target_scaler,
        label_maps=prepared.maps,
        examples=given,
        images=described,
        deterministic=plan.deterministic is not None,
        **describe_labels(sampler.task, labels),
        inputs_sha256=_hash_inputs(prepared),
        model=Model(
            network.name,
            prepared.sha256,
            keep_model,
            sampler.output,
            sampler.from_logits,
            network.backend,
            network.function,
            network.transform_name,
            None if network.transform is None else _hash_prepared(source, spread_places(given.count)),
        ),
        preprocessing=prepared.adapter.preprocessing,
        seed=seed,
        masks=masks,
        origin=Origin(
            "dropout",
            draw_scheme=DRAW_SCHEME,
            product=sampler.product,
            compiler=None if sampler.compiler == NO_COMPILER else sampler.compiler,
            stochastic_layers=tuple(Layer(layer.name, layer.kind, layer.rate) for layer in sampler.stochastic_layers),
            inactive_layers=sampler.inactive_layers,
            device=None if sampler.device == CPU else sampler.device,
        ),
        scores=(),
        layout=layout_for(passes, plan.width, described),
        about=about,
        created={"versions": versions(network.backend)},
    )
    wanted = with_scores(wanted)
    check_manifest(wanted)  # before the trial of the model, which is slow for large images
    model = network.save() if keep_model else None
    return wanted, Contents(source, images, labels, examples.ids, table, model=model)


def _hash_inputs(prepared: _Prepared) -> str | None:
    """Return the SHA-256 of model inputs; None if the run stores them."""
    inputs, examples = prepared.inputs, prepared.examples
    if inputs is None or (examples.held.values is not None and inputs.dtype.names == (NAMELESS,)):
        return None
    return _hash_prepared(prepared.source, np.arange(len(inputs)))


def _write(
    out: str | os.PathLike[str],
    prepared: _Prepared,
    wanted: Manifest,
    contents: Contents,
    existing: Manifest | None,
    *,
    scheduler: "str | Client | None",
    in_stages: bool,
    resume: bool,
    progress: Progress | None,
    seen: ShardCallback | None,
) -> Run:
    in_stages = in_stages and TASKS[wanted.task].keeps_passes
    stages, count = _stages(prepared.source, wanted, existing) if in_stages else [(wanted, 0)], wanted.examples.count
    with _executor(scheduler, prepared.sampler, prepared.examples) as executor:
        for stage, before in stages:
            run = write(
                out,
                stage,
                contents,
                executor=executor,
                resume=resume,
                progress=_as_part(progress, before * count, wanted.passes * count) if in_stages else progress,
                seen=seen,
            )
            resume = True
    return run


def _hash_prepared(source: SamplerSource, places: np.ndarray) -> str:
    prepared = source.prepare(places)
    return hashlib.sha256(
        json.dumps({name: hash_array(rows[:]) for name, rows in prepared.items()}).encode()
    ).hexdigest()


@contextmanager
def _executor(scheduler: "str | Client | None", sampler: Sampler, examples: DataSet) -> Iterator[ShardExecutor | None]:
    if scheduler is None:
        yield None
        return
    from mcviz.sampling.cluster import DaskExecutor, connect

    if sampler.source is None:
        advice = "Save it, so that every worker can load it."
        raise invalid("model", "the path of a model, where there is a scheduler", "a model in memory", advice)
    with connect(scheduler) if isinstance(scheduler, str) else nullcontext(scheduler) as client:
        yield DaskExecutor(client, sampler.source, examples, versions(sampler.network.backend))


def _stages(source: SamplerSource, wanted: Manifest, existing: Manifest | None) -> list[tuple[Manifest, int]]:
    """Return the stages of a run, each with its finished passes; itself last."""
    at_least = existing.passes if existing else 0  # a partial run is finished first
    finished = existing.passes if existing and existing.state == "finished" else 0
    passes, rounds, before = source.passes_at_once, [], finished
    while passes * 2 <= wanted.passes:
        if passes > finished and passes >= at_least:
            layout = layout_for(passes, wanted.width, wanted.images)
            rounds.append((replace(wanted, passes=passes, layout=layout), before))
            before = passes
        passes *= STAGES_GROW
    return [*rounds, (wanted, before)]


def _as_part(progress: Progress | None, before: int, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _: progress(before + done, total)


def _read_existing(out: str | os.PathLike[str]) -> Manifest | None:
    """Return the existing manifest; None for one that writing creates or refuses."""
    with suppress(McvizError):
        return read_manifest(folder_at(out))
    return None


def _match_existing(sampler: Sampler, existing: Manifest | None, passes: int, *, resume: bool) -> Sampler:
    if existing is None or existing.origin.kind == "imported" or (existing.state == "partial" and not resume):
        return sampler
    return sampler.match_run(existing, computes=existing.state == "partial" or existing.passes != passes)
