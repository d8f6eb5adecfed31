"""Sampling straight into a run on disk."""

import hashlib
import importlib.metadata
import json
import os
import platform
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

import mcviz
from mcviz.data import LabelledImages, read_images
from mcviz.errors import McvizError, UnsuitableModelError
from mcviz.interrupts import held_interrupts
from mcviz.measures import SCORES
from mcviz.model.inputs import ImageAdapter
from mcviz.model.loading import load_model
from mcviz.model.model_files import one_line, write_model_file
from mcviz.model.sampler import Masks, Sampler, as_sampler
from mcviz.runs import Examples, Images, Layer, Manifest, Model, Origin, Run
from mcviz.runs.files import folder_at
from mcviz.runs.manifest import layout_for, read_manifest
from mcviz.runs.writer import Progress, rename_classes, write_run
from mcviz.validate import class_indices, invalid, one_of, whole_number

DRAW_SCHEME = 2  # goes up whenever the sampler gives other numbers for the same seed
PRODUCT = "matmul"  # how a dense layer behind dropout is computed; another way rounds otherwise
LIBRARIES = ("keras", "tensorflow", "numpy")


def sample_run(
    model: keras.Model | Sampler | str | os.PathLike[str],
    data: LabelledImages | np.ndarray | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    passes: int = 500,
    seed: int = 0,
    masks: Masks = "per_pass",
    class_names: list[str] | None = None,
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
        data: (N, height, width, channels) images, alone or with (N,) labels; or the path of an `.npz` of them. Float32
            reaches the model as it is; uint8 is divided by 255, unless the model does so in its first layer, or takes
            whole numbers. Its shape may do without the axis of one channel, or be flat.
        out: the run's folder, or an fsspec address.
        passes: the number of passes, T.
        seed: of the masks.
        masks: `per_pass` or `per_example`.
        class_names: C names; their numbers without it.
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
    loaded = load_model(model) if isinstance(model, str | os.PathLike) else model
    sampler = as_sampler(loaded, output=output, from_logits=from_logits)
    network, labelled = sampler.model, _labelled(data)
    one_of("masks", masks, ("per_pass", "per_example"))
    adapter = ImageAdapter.for_data(sampler, labelled.images)
    source = _Source(adapter, labelled.images, seed, masks)
    classes = source.deterministic(0, 1).shape[1]
    if labelled.labels is not None:
        class_indices("labels", labelled.labels, len(labelled.images), classes)
    images = _described(labelled.images, keep_images)
    passes = whole_number("passes", passes, 1)
    wanted = Manifest(
        passes=passes,
        classes=classes,
        class_names=_names(class_names, classes, out),
        examples=Examples("image", len(labelled.images), _sha256(labelled.images)),
        images=images,
        labels_sha256=None if labelled.labels is None else _sha256(labelled.labels),
        model=Model(network.name, model_digest(network), keep_model, sampler.output, sampler.from_logits),
        preprocessing="divide_by_255" if adapter.divides_by_255 and labelled.images.dtype == np.uint8 else "none",
        seed=whole_number("seed", seed),
        masks=masks,
        origin=Origin(
            "dropout",
            draw_scheme=DRAW_SCHEME,
            product=PRODUCT,
            stochastic_layers=tuple(Layer(layer.name, layer.kind, layer.rate) for layer in sampler.stochastic_layers),
            inactive_layers=sampler.inactive_layers,
        ),
        scores=tuple(score.name for score in SCORES.values() if score.needs == ("probs",)),
        layout=layout_for(passes, classes, images),
        about=about or {},
        created={"versions": _versions()},
    )
    kept = _without_optimizer(network) if keep_model else None
    run = write_run(out, wanted, source, labelled.images, labelled.labels, kept, resume=resume, progress=progress)
    return run if run.class_names == wanted.class_names else rename_classes(run, wanted.class_names)


@held_interrupts()
def model_digest(model: keras.Model) -> str:
    """SHA-256 of a model's architecture and weights, the same in memory, saved and loaded."""
    digest = hashlib.sha256()
    architecture = keras.saving.serialize_keras_object(model)
    digest.update(json.dumps([architecture["class_name"], architecture["config"]], sort_keys=True).encode())
    for weight in model.weights:
        digest.update(_sha256(keras.ops.convert_to_numpy(weight)).encode())
    return digest.hexdigest()


class _Source:
    def __init__(self, adapter: ImageAdapter, images: np.ndarray, seed: int, masks: Masks) -> None:
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


def _labelled(data: LabelledImages | np.ndarray | str | os.PathLike[str]) -> LabelledImages:
    if isinstance(data, str | os.PathLike):
        return read_images(Path(data))
    labelled = data if isinstance(data, LabelledImages) else LabelledImages(np.asarray(data), None)
    return LabelledImages.checked(labelled.images, labelled.labels)


def _described(images: np.ndarray, stored: bool) -> Images:
    height, width, channels = images.shape[1:]
    dtype: Literal["uint8", "float32"] = "uint8" if images.dtype == np.uint8 else "float32"
    return Images((height, width, channels), dtype, float(images.min()), float(images.max()), stored)


def _names(names: list[str] | None, classes: int, out: str | os.PathLike[str]) -> tuple[str, ...]:
    """The names that were asked for; without any those of the run that is there, or else numbers."""
    if names is None:
        with suppress(McvizError):
            there = read_manifest(folder_at(out))
            if there.classes == classes:
                return there.class_names
        return tuple(str(number) for number in range(classes))
    if len(names) != classes or len(set(names)) != classes:
        raise invalid("class_names", f"{classes} different names", names)
    return tuple(names)


@held_interrupts()
def _without_optimizer(model: keras.Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return write_model_file(model, Path(folder))
        except (ValueError, TypeError, NotImplementedError) as error:
            raise UnsuitableModelError(
                f"Keras cannot save this model ({one_line(error)}). Sample it without keeping the model."
            ) from error


def _sha256(array: np.ndarray) -> str:
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    for start in range(0, len(array) if array.ndim else 0, 1024):
        digest.update(np.ascontiguousarray(array[start : start + 1024]).data)
    return digest.hexdigest()


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
