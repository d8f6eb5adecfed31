"""What a `.keras` file holds, checked before Keras or HDF5 builds anything of it; and how one is written.

Keras's own safe mode holds Python code back, but builds whatever else a file names: layers that load other models from
disk, any public function of Keras, modules from the working directory. Here a file may name what is in
`known_classes`, and what the running program has registered itself.
"""

import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import h5py
import keras

from mcviz.errors import DataNotFoundError, InvalidInputError, UnsuitableModelError
from mcviz.regular import open_regular
from mcviz.sampling.known_classes import KNOWN_ACTIVATIONS, KNOWN_CLASSES, KNOWN_DTYPES, LAYERS_WITH_VOCABULARY
from mcviz.sampling.vocabularies import FILE_OF_VOCABULARY, check_words_can_be_saved, too_many_words, unsafe_option
from mcviz.text import first_line

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
MOST_CONFIG_BYTES = 16 << 20
MOST_LAYERS = 1500  # the deepest network of keras.applications has about 1,000
MOST_LAYER_CALLS = 20_000  # while it is built, some seconds
MOST_UNPACKING = 20  # times the packed size; Keras packs nothing
MOST_WEIGHT_ARRAYS = 20_000
MOST_VOCABULARIES = 100
MOST_VOCABULARY_BYTES = 64 << 20  # of all together
LONGEST_NAME = 200
NAME_OF_LAYER = re.compile(r"[A-Za-z0-9_.\\/>-]*")
NAME_OF_MODEL = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold
PARTS_OF_LAYERS = {"keras.constraints", "keras.dtype_policies", "keras.initializers", "keras.regularizers"}
OWN_CLASS = (
    "Where it is defined, register it with @keras.saving.register_keras_serializable(), and use mcviz.sample_run from "
    "Python after that, or name its module by --import."
)
IF_TRUSTED = "If you trust who made it, load it in Python with Keras and sample the model, or add --trust-model."
FROM_SAVED_MODEL = (
    "Convert one that you trust: pip install tf_keras; tf_keras.models.load_model('NAME').save('NAME.h5'); "
    "keras.saving.load_model('NAME.h5', compile=False).save('NAME.keras')"
)
PYTORCH = (".pt", ".pth")
FROM_PYTORCH = (
    "That is a file of PyTorch, and mcviz samples Keras models. Make the passes in PyTorch, and write them with "
    "mcviz.write_run('RUN', passes, data=…, labels=…, from_logits=True): docs/recipes.md has the lines, under PyTorch."
)
SAVE_IT = "Save it with model.save('NAME.keras')."


def open_regular_file(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a model's file: no folder, and nothing that could make the reader wait, such as a named pipe.

    Raises:
        DataNotFoundError: nothing is at `path`.
        UnsuitableModelError: it is of PyTorch, a folder, a pipe or a device, or cannot be opened.
    """
    if not Path(path).exists():
        raise DataNotFoundError(f"No model at that place. Received: {path}. Make one with `mcviz train`.")
    if Path(path).suffix in PYTORCH:
        raise UnsuitableModelError(f"{FROM_PYTORCH} Received: {path}.")
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
    """Read and check all that a model is built from.

    Args:
        file: an open `.keras` file.
        folder: where the weights and the vocabularies are unpacked to.

    Returns:
        The architecture, in Keras's notation and without what a model is trained with; the file of its weights; and
        how many numbers that file holds.

    Raises:
        UnsuitableModelError: what could run code, read other files, or take more memory or time than an ordinary model.
        Exception: what zipfile, json and h5py raise for a file that is none, or damaged.
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
        for name in filter(FILE_OF_VOCABULARY.fullmatch, archive.namelist()):
            _unpack_vocabulary(archive.read(name), folder / name)
    return config, weights, _numbers_in(weights)


def check_architecture(config: Any) -> None:
    """Hold an architecture in Keras's notation against `known_classes`, and take out what a model is trained with.

    Raises:
        UnsuitableModelError: it names what is not known, or has more layers than an ordinary model.
    """
    if not isinstance(config, dict) or "class_name" not in config:
        raise UnsuitableModelError("That file holds no Keras model. Received: a config.json without a class.")
    seen = _Seen()
    _layer_calls(config, seen)
    seen.layers = 0
    calls = _layer_calls(config, seen)  # now that the size of what is referred to is known
    for count, most, what in ((seen.layers, MOST_LAYERS, "layers"), (calls, MOST_LAYER_CALLS, "calls of layers")):
        if count > most:
            raise UnsuitableModelError(f"A model may have {most:,} {what}. Received: {count:,}. {IF_TRUSTED}")


def write_model_file(model: keras.Model, folder: Path) -> bytes:
    """A model as a `.keras` file without its optimizer, the same bytes whenever it is written.

    Args:
        model: it is left as it was.
        folder: for files on the way.

    Raises:
        ValueError, TypeError, NotImplementedError: Keras cannot save the model.
    """
    saved, written = folder / "saved.keras", io.BytesIO()
    check_words_can_be_saved(model)
    model.save(saved)
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(written, "w") as out:
        for name in sorted(archive.namelist()):
            content = archive.read(name)
            if name == CONFIG:
                config = json.loads(content)
                _make_lasting(config, {})
                content = json.dumps(config).encode()
            elif name == METADATA:
                metadata = json.loads(content)
                del metadata["date_saved"]
                content = json.dumps(metadata).encode()
            elif name == WEIGHTS:
                content = _weights_alone(model, folder)
            out.writestr(zipfile.ZipInfo(name, FIXED_TIME), content)
    return written.getvalue()


def check_name(name: str, pattern: re.Pattern[str] = NAME_OF_LAYER) -> None:
    """Refuse a name that TensorFlow's graphs do not take: Keras fails on it, and then keeps it in every later name.

    Raises:
        UnsuitableModelError: it has other characters than a graph takes.
    """
    if not pattern.fullmatch(name):
        raise UnsuitableModelError(
            "The name of a layer or model should be of the letters A to Z, digits, and _ . - > inside it. "
            f"Received: {name!r:.100}. Rename it."
        )


def reason(error: BaseException) -> str:
    """What an error says in its first line: of bounded length, without control characters."""
    text = "".join(character if character.isprintable() else " " for character in first_line(error))
    return text if len(text) <= 300 else f"{text[:300]}…"


def _check_members(archive: zipfile.ZipFile) -> None:
    names = sorted(archive.namelist())
    if any(name.endswith("/data.pkl") for name in names):
        raise UnsuitableModelError(FROM_PYTORCH)
    vocabularies = list(filter(FILE_OF_VOCABULARY.fullmatch, names))
    others = [name for name in names if name not in vocabularies]
    twice = len(set(names)) < len(names)
    if others not in ([CONFIG, METADATA, WEIGHTS], [CONFIG, WEIGHTS]) or twice:
        raise UnsuitableModelError(
            f"A .keras file should hold {CONFIG}, {METADATA} and {WEIGHTS}, vocabularies of its layers, and nothing "
            f"else. Received: {', '.join(others + vocabularies)!r:.300}. {IF_TRUSTED}"
        )
    size = sum(archive.getinfo(name).file_size for name in vocabularies)
    if len(vocabularies) > MOST_VOCABULARIES or size > MOST_VOCABULARY_BYTES:
        raise _refused(f"{len(vocabularies)} vocabularies of {size:,} bytes")
    for member in archive.infolist():
        most = MOST_CONFIG_BYTES if member.filename != WEIGHTS else MOST_UNPACKING * member.compress_size
        if member.file_size > most or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnsuitableModelError(
                f"Part of the file unpacks to more than that of an ordinary model. Received: "
                f"{member.file_size:,} bytes of {member.filename}. {SAVE_IT}"
            )


def _unpack_vocabulary(content: bytes, path: Path) -> None:
    if too_many := too_many_words(content.decode().splitlines()):
        raise _refused(too_many)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@dataclass
class _Seen:
    """What has been seen of a model: its layers, and how many calls each takes that others refer to by its number."""

    layers: int = 0
    shared: dict[int, int] = field(default_factory=dict)


def _layer_calls(config: Any, seen: _Seen, *, inside_shared: bool = False) -> int:
    """Check an object and all within it, and count how often a layer or operation is called when it is built.

    Args:
        config: a part of an architecture; what a model is trained with is taken out.
        seen: is added to.
        inside_shared: whether `config` is part of a layer that others refer to.
    """
    if isinstance(config, list):
        return sum(_layer_calls(each, seen, inside_shared=inside_shared) for each in config)
    if not isinstance(config, dict):
        return 0
    own = _check_object(config) if "class_name" in config else 0
    number = config.get("shared_object_id") if own else None
    if number is not None and (inside_shared or not isinstance(number, int)):
        raise UnsuitableModelError(
            "Layers that the model shares are nested. Received: shared_object_id within another."
        )
    _untrain(config)
    seen.layers += own
    inside_shared = inside_shared or number is not None
    calls = own + sum(_layer_calls(value, seen, inside_shared=inside_shared) for value in config.values())
    if own and isinstance(inner := config["config"].get("layers"), list) and config["class_name"] == "Sequential":
        calls *= len(inner) // 2 + 1  # Keras builds it anew with each layer that it adds
    if number is not None:
        seen.shared[number] = calls = max(calls, seen.shared.get(number, 0))
    return calls * max(1, len(_checked_nodes(config)))


def _check_object(config: dict[str, Any]) -> int:
    """1 for a layer, an operation or an object of the caller's own, 0 for what is only part of them."""
    name, module, registered = (config.get(key) for key in ("class_name", "module", "registered_name"))
    inner = config.get("config")
    if not isinstance(name, str) or not isinstance(module, str | None) or not isinstance(registered, str | None):
        raise _refused("an object without the name of its class")
    if name.startswith("__"):
        _check_notation(name, inner)
        return 0
    if "module" not in config:  # Keras would look it up as in files of an older kind
        raise _refused(f"the class {name!r:.100} without its module")
    if name == "function":
        _check_function(inner, module, registered)
        return 0
    if not isinstance(inner, dict):
        raise _refused(f"the class {name!r:.100} without its config")
    if _is_registered(registered if "registered_name" in config else name):
        return 1
    if name not in KNOWN_CLASSES.get(module or "", ()) or registered not in (name, None):
        raise _unknown(name, module)
    _check_name(config)
    if name in LAYERS_WITH_VOCABULARY and (unsafe := unsafe_option(inner)):
        raise _refused(f"a {name} layer with {unsafe}")
    return 0 if module in PARTS_OF_LAYERS or name == "DTypePolicy" else 1


def _unknown(name: str, module: str | None) -> UnsuitableModelError:
    if name == "Lambda":
        return UnsuitableModelError(
            "A Lambda layer is Python code, and a model file must not run code. Received: 'Lambda'. Make it a layer "
            f"class of your own. {OWN_CLASS} {IF_TRUSTED}"
        )
    if module is None or module.split(".")[0] != "keras":
        return UnsuitableModelError(
            f"The class {name!r:.100} is none of Keras's. Received: {module!r:.100}. {OWN_CLASS}"
        )
    return _refused(f"the class {name!r:.100} of {module!r:.100}")


def _check_function(name: Any, module: str | None, registered: str | None) -> None:
    """A function can only be an activation of Keras, or the caller's own."""
    own = isinstance(name, str) and _is_registered(name)
    known = isinstance(name, str) and name in KNOWN_ACTIVATIONS and module in ("builtins", "keras.activations")
    if not own and not (known and registered in (name, None)):
        raise _refused(f"the function {name!r:.100} of {module!r:.100}")


def _check_notation(name: str, inner: Any) -> None:
    """Keras's notation for what is no object of a class: tensors, slices and the like."""
    plain = name in ("__slice__", "__ellipsis__", "__bytes__")
    tensor = name in ("__tensor__", "__numpy__", "__keras_tensor__")
    texts = name == "__keras_tensor__" and isinstance(inner, dict) and inner.get("dtype") == "string"
    if not isinstance(inner, dict) or not (plain or texts or (tensor and _is_known_dtype(inner.get("dtype")))):
        raise _refused(f"{name!r:.100}")


def _is_known_dtype(dtype: Any) -> bool:
    return isinstance(dtype, str) and dtype in KNOWN_DTYPES


def _checked_nodes(config: dict[str, Any]) -> list[Any]:
    """How a layer of a functional model is called: each time on a tensor of the graph, never on numbers in the file."""
    nodes = config.get("inbound_nodes", [])
    if not isinstance(nodes, list) or not all(isinstance(node, dict) and _holds_tensor(node) for node in nodes):
        raise _refused("a call of a layer on no tensor of the model")
    return nodes


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        if "class_name" in value:
            return value["class_name"] == "__keras_tensor__"
        value = list(value.values())
    return isinstance(value, list) and any(map(_holds_tensor, value))


def _check_name(config: dict[str, Any]) -> None:
    for name in (config.get("name"), config["config"].get("name")):
        if isinstance(name, str) and not (name.isprintable() and len(name) <= LONGEST_NAME):
            raise UnsuitableModelError(
                f"A name should be of at most {LONGEST_NAME} characters that can be printed. Received: {name!r:.100}. "
                "Rename the layer."
            )
        if isinstance(name, str) and config["class_name"] != "InputLayer":
            check_name(name)


def _is_registered(name: str | None) -> bool:
    return keras.saving.get_registered_object(name) is not None


def _refused(what: str) -> UnsuitableModelError:
    return UnsuitableModelError(
        f"The file asks for what could run code, read files or is unknown. Received: {what}. {IF_TRUSTED}"
    )


def _make_lasting(config: Any, numbers: dict[int, int]) -> None:
    """Take out what a model is trained with, and count shared objects from 0: Keras names them by their address."""
    for each in config if isinstance(config, list) else config.values() if isinstance(config, dict) else ():
        _make_lasting(each, numbers)
    if isinstance(config, dict):
        _untrain(config)
        if "shared_object_id" in config:
            config["shared_object_id"] = numbers.setdefault(config["shared_object_id"], len(numbers))


def _untrain(config: dict[str, Any]) -> None:
    if config.get("compile_config") is not None:
        config["compile_config"] = None


def _numbers_in(weights: Path) -> int:
    """Check a file of weights, without following a link, and count its numbers."""
    count = stored = numbers = 0
    with h5py.File(weights, "r") as file:
        for dataset in _datasets(file, set()):
            count, numbers, stored = count + 1, numbers + (dataset.size or 0), stored + dataset.nbytes
            elsewhere = dataset.external or dataset.is_virtual or dataset.dtype.hasobject
            packed = dataset.chunks or dataset.id.get_storage_size() < dataset.nbytes
            if elsewhere or packed or count > MOST_WEIGHT_ARRAYS or stored > weights.stat().st_size:
                raise _refused(f"weights that are not in {WEIGHTS} number by number")
    return numbers


def _datasets(group: h5py.Group, seen: set[int]) -> Iterator[h5py.Dataset]:
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise _refused(f"a link to elsewhere in {WEIGHTS}")
        found = group[name]
        address = h5py.h5o.get_info(found.id).addr
        if address in seen:
            raise _refused(f"two names for one part of {WEIGHTS}")
        seen.add(address)
        if isinstance(found, h5py.Group):
            yield from _datasets(found, seen)
        elif isinstance(found, h5py.Dataset):
            yield found


def _weights_alone(model: keras.Model, folder: Path) -> bytes:
    """The HDF5 file of a model's weights, without those of its optimizer, loss and metrics."""
    path = folder / WEIGHTS
    parts = [getattr(model, name, None) for name in ("optimizer", "_loss_tracker", "_compile_loss", "_compile_metrics")]
    keras.saving.save_weights(model, path, objects_to_skip=[part for part in parts if part is not None])
    return path.read_bytes()
