"""Sampling straight into a run on disk."""

import hashlib
import importlib.metadata
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np

import mcviz
from mcviz.data import DataSet, as_data_set
from mcviz.errors import McvizError, UnsuitableModelError
from mcviz.interrupts import held_interrupts
from mcviz.model.inputs import ImageAdapter
from mcviz.model.loading import load_model
from mcviz.model.model_files import reason, write_model_file
from mcviz.model.sampler import Masks, Sampler, as_sampler
from mcviz.runs import Layer, Manifest, Model, Origin, Preprocessing, Run
from mcviz.runs.contents import Contents, Progress, Rows, described_examples, described_images, sha256_of, stored_scores
from mcviz.runs.files import folder_at
from mcviz.runs.manifest import layout_for, read_manifest
from mcviz.runs.table import encode_columns
from mcviz.runs.writer import rename_classes, write
from mcviz.validate import class_indices, invalid, one_of, whole_number

DRAW_SCHEME = 2  # goes up whenever the sampler gives other numbers for the same seed
PRODUCT = "matmul"  # how a dense layer behind dropout is computed; another way rounds otherwise
LIBRARIES = ("keras", "tensorflow", "numpy")


def sample_run(
    model: keras.Model | Sampler | str | os.PathLike[str],
    data: Any,
    out: str | os.PathLike[str],
    *,
    passes: int = 500,
    seed: int = 0,
    masks: Masks = "per_pass",
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    resume: bool = True,
    keep_images: bool = True,
    keep_model: bool = True,
    about: dict[str, Any] | None = None,
    output: str | None = None,
    from_logits: bool | None = None,
    progress: Progress | None = None,
) -> Run:
    """Sample a model over images into a run on disk, block by block, so that memory stays flat.

    A run that is there already is opened. One that was stopped is gone on with, and one that has fewer passes gets the
    others; both end bit for bit as if they had never been stopped. Any other run is left as it is, and refused.

    Args:
        model: a Keras classifier with dropout, the path of one, or a `Sampler` of one, which is taken as it is.
        data: images, alone or with labels: a `DataSet`, arrays, a path, or what else `as_data_set` takes. Pictures from
            files are brought to the model's size. The shape may do without the axis of one channel, or be flat.
        out: the run's folder, or an fsspec address.
        passes: the number of passes, T.
        seed: of the masks.
        masks: `per_pass` or `per_example`.
        class_names: C names, in the order of the model's outputs; those of the data without it, or else numbers.
        preprocessing: how the model takes the images; found out without it: floating point reaches the model as it is,
            uint8 is divided by 255, unless the model begins with a layer that scales, or takes whole numbers.
        resume: whether to go on with a partial run; False begins it anew.
        keep_images: whether the run holds the images, to be looked at.
        keep_model: whether the run holds the model, without its optimizer, to be asked about new images.
        about: free: where the data came from, their licence.
        output: the name of the output to sample, for models with several; a `Sampler` has its own.
        from_logits: whether the output is logits; None finds out from the graph; a `Sampler` has its own.
        progress: called with (done, total) predictions; what it raises stops the sampling, and what is done stays.

    Returns:
        The finished run.

    Raises:
        InvalidInputError: an argument that cannot be used.
        DataNotFoundError: no model or data at that path.
        UnsuitableModelError: a model whose passes would not differ, or that is no classifier.
        RunExistsError: another run is there.
        StorageError: the run cannot be written.
    """
    one_of("masks", masks, ("per_pass", "per_example"))
    passes, seed = whole_number("passes", passes, 1), whole_number("seed", seed)
    examples = as_data_set(data)
    loaded = load_model(model) if isinstance(model, str | os.PathLike) else model
    sampler = as_sampler(loaded, output=output, from_logits=from_logits)
    adapter, images = ImageAdapter.for_examples(sampler, examples, preprocessing)
    source = _Source(adapter, images, seed, masks)
    classes = source.deterministic(0, 1).shape[1]
    if class_names is not None:
        _check_names(class_names, classes)
        examples = examples.with_class_names(class_names)
    check_classes(examples, classes)
    names = examples.class_names or _names_there(classes, out)
    network, (described, content) = sampler.model, described_images(images, keep_images)
    wanted = Manifest(
        passes=passes,
        classes=classes,
        class_names=names,
        examples=described_examples("image", len(images), content, examples.ids, examples.columns),
        images=described,
        labels_sha256=None if examples.labels is None else sha256_of(examples.labels),
        model=Model(network.name, model_digest(network), keep_model, sampler.output, sampler.from_logits),
        preprocessing=adapter.preprocessing,
        seed=seed,
        masks=masks,
        origin=Origin(
            "dropout",
            draw_scheme=DRAW_SCHEME,
            product=PRODUCT,
            stochastic_layers=tuple(Layer(layer.name, layer.kind, layer.rate) for layer in sampler.stochastic_layers),
            inactive_layers=sampler.inactive_layers,
        ),
        scores=stored_scores(),
        layout=layout_for(passes, classes, described),
        about=about or {},
        created={"versions": _versions()},
    )
    contents = Contents(
        source,
        images,
        examples.labels,
        examples.ids,
        encode_columns(examples.ids, examples.columns),
        model=_without_optimizer(network) if keep_model else None,
    )
    run = write(out, wanted, contents, resume=resume, progress=progress)
    return run if run.class_names == names else rename_classes(run, names)


def check_classes(examples: DataSet, classes: int) -> None:
    """Check that class names and labels, where there are some, are of as many classes as a model has.

    Raises:
        InvalidInputError: they are of others.
    """
    if examples.class_names is not None:
        _check_names(examples.class_names, classes, "Name all classes of the model, in its order, with class_names.")
    if examples.labels is not None:
        class_indices("labels", examples.labels, len(examples), classes)


@held_interrupts()
def model_digest(model: keras.Model) -> str:
    """SHA-256 of a model's architecture and weights, the same in memory, saved and loaded."""
    digest = hashlib.sha256()
    architecture = keras.saving.serialize_keras_object(model)
    digest.update(json.dumps([architecture["class_name"], architecture["config"]], sort_keys=True).encode())
    for weight in model.weights:
        digest.update(sha256_of(keras.ops.convert_to_numpy(weight)).encode())
    return digest.hexdigest()


class _Source:
    def __init__(self, adapter: ImageAdapter, images: Rows, seed: int, masks: Masks) -> None:
        self._adapter, self._images, self._seed, self._masks = adapter, images, seed, masks

    def passes(self, start: int, stop: int, first_pass: int, passes: int, progress: Progress) -> np.ndarray:
        return self._adapter.sampler.sample(
            self._taken(start, stop),
            passes=passes,
            seed=self._seed,
            masks=self._masks,
            first_pass=first_pass,
            first_example=start,
            progress=progress,
        )

    def deterministic(self, start: int, stop: int) -> np.ndarray:
        return self._adapter.sampler.deterministic(self._taken(start, stop))

    def _taken(self, start: int, stop: int) -> np.ndarray:
        return self._adapter.from_stored(self._images[start:stop])


def _check_names(names: Sequence[str], classes: int, advice: str = "") -> None:
    if len(names) != classes or len(set(names)) != classes:
        raise invalid("class_names", f"{classes} different names", list(names), advice)


def _names_there(classes: int, out: str | os.PathLike[str]) -> tuple[str, ...]:
    """The names of the run that is there, or else numbers."""
    with suppress(McvizError):
        there = read_manifest(folder_at(out))
        if there.classes == classes:
            return there.class_names
    return tuple(str(number) for number in range(classes))


@held_interrupts()
def _without_optimizer(model: keras.Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return write_model_file(model, Path(folder))
        except (ValueError, TypeError, NotImplementedError) as error:
            raise UnsuitableModelError(
                f"Keras cannot save this model ({reason(error)}). Sample it without keeping the model."
            ) from error


def _versions() -> dict[str, str]:
    found = {library: _version(library) for library in LIBRARIES}
    return {"mcviz": mcviz.__version__, "python": platform.python_version(), **found}


def _version(library: str) -> str:
    for name in (library, f"{library}-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"
