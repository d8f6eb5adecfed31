"""Keras models from and to `.keras` files: a file is checked before Keras or HDF5 builds anything of it."""

import io
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import h5py
import keras

from mcviz.errors import DataNotFoundError, InvalidInputError, UnsuitableModelError
from mcviz.extras import needs_torch
from mcviz.interrupts import hold_interrupts
from mcviz.regular import open_regular
from mcviz.sampling.keras.architecture import (
    IF_TRUSTED,
    check_architecture,
    describe_excess,
    forbidden,
    remove_training,
)
from mcviz.sampling.keras.internals import TooManyNumbersError, limit_variables, load_assets, shared_objects
from mcviz.sampling.keras.texts import layers_with_vocabulary
from mcviz.sampling.model_source import WEIGHTS_ALONE
from mcviz.text import reason

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
ASSETS = "assets"  # the folder of the files that layers bring
VOCABULARY_FILE = re.compile(r"assets(/\w+)+/vocabulary\.txt", re.ASCII)  # which names no place outside
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
MOST_CONFIG_BYTES = 16 << 20
MOST_UNPACKING = 20  # times the packed size; Keras packs nothing
MOST_WEIGHT_ARRAYS = 20_000
MOST_VOCABULARIES = 100
MOST_VOCABULARY_BYTES = 64 << 20  # of all together
SPARE_NUMBERS = 1_000_000  # that a layer may hold beyond those in the file
FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold
FROM_SAVED_MODEL = (
    "Convert one that you trust: pip install tf_keras; tf_keras.models.load_model('NAME').save('NAME.h5'); "
    "keras.saving.load_model('NAME.h5', compile=False).save('NAME.keras')"
)
SAVE_IT = "Save it with model.save('NAME.keras')."

_loading = threading.RLock()  # the path of imports is the process's; a class of one's own may load a model itself


@hold_interrupts()
def load_model(path: str | os.PathLike[str], *, trust: bool = False) -> keras.Model:
    """Load a Keras model from a `.keras` file, without running code that comes with it.

    The file may name layers of Keras and classes that your program has registered, as `check_architecture` says. All of
    it is checked before anything is built, and takes memory in proportion to the file.

    Args:
        path: of the file.
        trust: whether to load the file in Keras's own way, without these checks and without Keras's safe mode. It may
            then run any code, be of HDF5, and hold `Lambda` layers.

    Raises:
        DataNotFoundError: nothing is at `path`.
        UnsuitableModelError: it is not a Keras model, could run code, or needs code that is missing.
    """
    with _loading, _hide_working_directory(), open_regular_file(path) as file:
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=False) if trust else _load_checked(file)
        except UnsuitableModelError as error:
            raise UnsuitableModelError(f"{error} The file is {path}.") from error
        except Exception as error:  # Keras raises what its readers raise: ValueError, TypeError, OSError, KeyError, …
            raise UnsuitableModelError(
                f"Keras cannot load that model. Received: {path}: {reason(error)}. {SAVE_IT}"
            ) from error
    if not isinstance(model, keras.Model):
        raise UnsuitableModelError(f"That file holds no Keras model. Received: {path} with a {type(model).__name__}.")
    return model


def open_regular_file(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a model's file: no folder, and nothing that could make the reader wait, such as a named pipe.

    Raises:
        DataNotFoundError: nothing is at `path`.
        UnsuitableModelError: it is of PyTorch, a folder, a pipe or a device, or cannot be opened.
    """
    if not Path(path).exists():
        raise DataNotFoundError(f"No model at that place. Received: {path}. Make one with `mcviz train`.")
    if needs_torch(os.fspath(path)):
        raise UnsuitableModelError(f"{WEIGHTS_ALONE} Received: {path}.")
    if (Path(path) / "saved_model.pb").exists():
        raise UnsuitableModelError(
            f"A SavedModel is code that cannot be checked before it runs. Received: {path}. {FROM_SAVED_MODEL}"
        )
    if Path(path).is_dir():
        raise UnsuitableModelError(
            f"A model is a .keras file, and that is a folder. Received: {path}. If you trust it, load it with Keras "
            "and save it with model.save('NAME.keras')."
        )
    try:
        return open_regular(path)
    except InvalidInputError as error:
        raise UnsuitableModelError(
            f"A model is a .keras file, and that is no regular file. Received: {path}."
        ) from error
    except OSError as error:
        raise UnsuitableModelError(f"That file cannot be opened ({error.strerror}). Received: {path}.") from error


def read_model_file(file: IO[bytes], folder: Path) -> tuple[dict[str, Any], Path, int]:
    """Read and check the parts of a model.

    Args:
        file: an open `.keras` file.
        folder: where the weights and the vocabularies are unpacked to.

    Returns:
        The architecture, in Keras's notation and without the settings of training; the file of its weights; and the
        count of numbers in that file.

    Raises:
        UnsuitableModelError: it could run code, read other files, or take more memory or time than an ordinary model.
        Exception: from zipfile, json or h5py, for a file of another kind or a damaged one.
    """
    if file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE:
        raise UnsuitableModelError(
            "An HDF5 model cannot be checked for code before it runs. Received: HDF5. Convert one that you trust: "
            "model = keras.saving.load_model('NAME.h5', compile=False); model.save('NAME.keras')"
        )
    with zipfile.ZipFile(file) as archive:
        _check_members(archive)
        config = json.loads(archive.read(CONFIG))
        check_architecture(config)
        weights = folder / WEIGHTS
        with archive.open(WEIGHTS) as packed, weights.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
        for name in filter(VOCABULARY_FILE.fullmatch, archive.namelist()):
            _unpack_vocabulary(archive.read(name), folder / name)
    return config, weights, _count_numbers(weights)


def write_model_file(model: keras.Model, folder: Path) -> bytes:
    """Write a model as a `.keras` file without its optimizer, the same bytes each time.

    Args:
        model: it is left as it was.
        folder: for temporary files.

    Returns:
        The content of the file.

    Raises:
        ValueError, TypeError, NotImplementedError: Keras cannot save the model.
    """
    saved, written = folder / "saved.keras", io.BytesIO()
    _check_words(model)
    model.save(saved)
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(written, "w") as out:
        for name in sorted(archive.namelist()):
            content = archive.read(name)
            if name == CONFIG:
                config = json.loads(content)
                _make_reproducible(config, {})
                content = json.dumps(config).encode()
            elif name == METADATA:
                metadata = json.loads(content)
                del metadata["date_saved"]
                content = json.dumps(metadata).encode()
            elif name == WEIGHTS:
                content = _save_weights(model, folder)
            out.writestr(zipfile.ZipInfo(name, FIXED_TIME), content)
    return written.getvalue()


def _load_checked(file: IO[bytes]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        architecture, weights, numbers = read_model_file(file, Path(folder))
        try:
            with limit_variables(2 * numbers + SPARE_NUMBERS), shared_objects():
                model = keras.saving.deserialize_keras_object(architecture, safe_mode=True)
        except TooManyNumbersError as error:
            raise UnsuitableModelError(
                f"The model has layers for more weights than are in the file. Received: {numbers:,} numbers in it. "
                f"{SAVE_IT}"
            ) from error
        if isinstance(model, keras.Model) and model.built:
            model.load_weights(weights)
            _load_vocabularies(model, Path(folder) / ASSETS)
        return model


def _load_vocabularies(model: keras.Model, folder: Path) -> None:
    layers = layers_with_vocabulary(model)
    without = load_assets(model, folder) if layers else []
    without += [layer.name for layer in layers if not layer.get_vocabulary(include_special_tokens=False)]
    if without:
        raise UnsuitableModelError(
            "A layer with a vocabulary needs words, each of them once. "
            f"Received: none that can be used for {without[0]}. Let it adapt to texts first. {SAVE_IT}"
        )


@contextmanager
def _hide_working_directory() -> Iterator[None]:
    """Take the working directory, where the model may have come with modules, off the path of imports."""
    path, here = sys.path.copy(), Path.cwd()
    sys.path[:] = [entry for entry in path if entry and Path(entry).resolve() != here]
    try:
        yield
    finally:
        sys.path[:] = path


def _check_members(archive: zipfile.ZipFile) -> None:
    names = sorted(archive.namelist())
    if any(name.endswith("/data.pkl") for name in names):
        raise UnsuitableModelError(WEIGHTS_ALONE)
    vocabularies = list(filter(VOCABULARY_FILE.fullmatch, names))
    others = [name for name in names if name not in vocabularies]
    twice = len(set(names)) < len(names)
    if others not in ([CONFIG, METADATA, WEIGHTS], [CONFIG, WEIGHTS]) or twice:
        raise UnsuitableModelError(
            f"A .keras file should hold {CONFIG}, {METADATA} and {WEIGHTS}, vocabularies of its layers, and nothing "
            f"else. Received: {', '.join(others + vocabularies)!r:.300}. {IF_TRUSTED}"
        )
    size = sum(archive.getinfo(name).file_size for name in vocabularies)
    if len(vocabularies) > MOST_VOCABULARIES or size > MOST_VOCABULARY_BYTES:
        raise forbidden(f"{len(vocabularies)} vocabularies of {size:,} bytes")
    for member in archive.infolist():
        most = MOST_CONFIG_BYTES if member.filename != WEIGHTS else MOST_UNPACKING * member.compress_size
        if member.file_size > most or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnsuitableModelError(
                f"Part of the file unpacks to more than that of an ordinary model. Received: "
                f"{member.file_size:,} bytes of {member.filename}. {SAVE_IT}"
            )


def _unpack_vocabulary(content: bytes, path: Path) -> None:
    if excess := describe_excess(content.decode().splitlines()):
        raise forbidden(excess)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _count_numbers(weights: Path) -> int:
    """Check a file of weights, without following a link, and count its numbers."""
    count = stored = numbers = 0
    with h5py.File(weights, "r") as file:
        for dataset in _walk_datasets(file, set()):
            count, numbers, stored = count + 1, numbers + (dataset.size or 0), stored + dataset.nbytes
            elsewhere = dataset.external or dataset.is_virtual or dataset.dtype.hasobject
            packed = dataset.chunks or dataset.id.get_storage_size() < dataset.nbytes
            if elsewhere or packed or count > MOST_WEIGHT_ARRAYS or stored > weights.stat().st_size:
                raise forbidden(f"weights that are not in {WEIGHTS} number by number")
    return numbers


def _walk_datasets(group: h5py.Group, seen: set[int]) -> Iterator[h5py.Dataset]:
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise forbidden(f"a link to elsewhere in {WEIGHTS}")
        found = group[name]
        address = h5py.h5o.get_info(found.id).addr
        if address in seen:
            raise forbidden(f"two names for one part of {WEIGHTS}")
        seen.add(address)
        if isinstance(found, h5py.Group):
            yield from _walk_datasets(found, seen)
        elif isinstance(found, h5py.Dataset):
            yield found


def _make_reproducible(config: Any, numbers: dict[int, int]) -> None:
    """Remove the settings of training, and number shared objects from 0: Keras names them by their address."""
    for each in config if isinstance(config, list) else config.values() if isinstance(config, dict) else ():
        _make_reproducible(each, numbers)
    if isinstance(config, dict):
        remove_training(config)
        if "shared_object_id" in config:
            config["shared_object_id"] = numbers.setdefault(config["shared_object_id"], len(numbers))


def _check_words(model: keras.Model) -> None:
    """Refuse a word with a line break, which Keras would read back as two: it keeps one word a line."""
    for layer in layers_with_vocabulary(model):
        kept_in_file = layer.get_config()["vocabulary"] is None
        for word in map(str, layer.get_vocabulary() if kept_in_file else ()):
            if word.splitlines() not in ([], [word]):
                raise ValueError(f"the word {word!r:.100} of its vocabulary has a line break in it")


def _save_weights(model: keras.Model, folder: Path) -> bytes:
    """Save a model's weights as HDF5, without those of its optimizer, loss and metrics."""
    path = folder / WEIGHTS
    parts = [getattr(model, name, None) for name in ("optimizer", "_loss_tracker", "_compile_loss", "_compile_metrics")]
    keras.saving.save_weights(model, path, objects_to_skip=[part for part in parts if part is not None])
    return path.read_bytes()
