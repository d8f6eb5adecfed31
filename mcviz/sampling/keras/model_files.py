"""Keras models from and to `.keras` files, checked before Keras or HDF5 builds anything.

Keras's safe mode builds layers that load other models, any public function, and modules of the working directory. Here
a file may name only the classes below and those that the program has registered. None of them loads files, takes
functions, or wraps foreign code; options of vocabularies are checked.
"""

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
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import h5py
import keras

from mcviz.errors import DataNotFoundError, InvalidInputError, UnsuitableModelError
from mcviz.extras import needs_torch
from mcviz.interrupts import hold_interrupts
from mcviz.regular import open_regular
from mcviz.sampling.base import WEIGHTS_ALONE
from mcviz.sampling.keras.internals import TooManyNumbersError, limit_variables, load_assets, shared_objects
from mcviz.sampling.keras.texts import layers_with_vocabulary
from mcviz.text import reason

MOST_LAYERS = 1500  # the deepest network of keras.applications has about 1,000
MOST_LAYER_CALLS = 20_000  # while it is built, some seconds
LONGEST_NAME = 200
NAME_OF_LAYER = re.compile(r"[A-Za-z0-9_.\\/>-]*")
NAME_OF_MODEL = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
MOST_WORDS = 1_000_000  # of a vocabulary
MOST_CHARACTERS = 64_000_000  # of a vocabulary, each word padded to the longest, as in numpy
MOST_NGRAM = 100  # words
STANDARDIZE = (None, "lower_and_strip_punctuation", "lower", "strip_punctuation")
SPLIT = (None, "whitespace", "character")
SIZES = ("max_tokens", "num_oov_indices", "output_sequence_length", "vocabulary_size")
PARTS_OF_LAYERS = {"keras.constraints", "keras.dtype_policies", "keras.initializers", "keras.regularizers"}
OWN_CLASS = (
    "Where it is defined, register it with @keras.saving.register_keras_serializable(), and use mcviz.sample_run from "
    "Python after that, or name its module by --import."
)
IF_TRUSTED = "If you trust who made it, load it in Python with Keras and sample the model, or add --trust-model."

# By module and name, as Keras writes them.
LAYERS = """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention AugMix
    AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization Bidirectional
    CategoryEncoding CenterCrop Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D
    Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D CutMix
    Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU EinsumDense Embedding Equalization Flatten GRU
    GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention HashedCrossing
    Hashing Identity InputLayer IntegerLookup LSTM LSTMCell LayerNormalization LeakyReLU Masking MaxPooling1D
    MaxPooling2D MaxPooling3D Maximum MelSpectrogram Minimum MixUp MultiHeadAttention Multiply Normalization PReLU
    Permute Pipeline RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter
    RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale
    RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness
    RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing ReversibleEmbedding
    STFTSpectrogram SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax Solarization SpatialDropout1D
    SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells StringLookup Subtract TextVectorization
    TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
"""
INITIALIZERS = """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal LecunUniform Ones
    Orthogonal OrthogonalInitializer RandomNormal RandomUniform STFT STFTInitializer TruncatedNormal VarianceScaling
    Zeros
"""  # older versions of Keras write names that end in Initializer
OPERATIONS_OF_ARRAYS = """
    Abs Absolute Add All Amax Amin Any Append Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh Argmax Argmin
    Argsort Average BroadcastTo Ceil Clip Concatenate Cos Cosh CountNonzero Cross Cumprod Cumsum Diagonal Diff Divide
    DivideNoNan Dot Einsum Equal Exp Exp2 ExpandDims Expm1 Fabs Flip Floor FloorDivide FullLike GetItem Greater
    GreaterEqual Hstack Inner Isfinite Isinf Isnan Less LessEqual Log Log10 Log1p Log2 Logaddexp LogicalAnd LogicalNot
    LogicalOr LogicalXor Matmul Max Maximum Mean Median Min Minimum Mod Moveaxis Multiply NanToNum Negative NotEqual
    OnesLike Outer Pad Power Prod Ravel Reciprocal Repeat Reshape Roll Round Sign Sin Sinh Sort Split Sqrt Square
    Squeeze Stack Std Subtract Sum Swapaxes Take TakeAlongAxis Tan Tanh Tensordot Tile Transpose Tril Triu TrueDivide
    Var Vdot Vstack Where ZerosLike
"""
OPERATIONS_OF_NETWORKS = """
    AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm Celu Conv ConvTranspose DepthToSpace DepthwiseConv
    DotProductAttention Elu Gelu Glu HardShrink HardSigmoid HardSilu HardTanh LayerNorm LeakyRelu LogSigmoid LogSoftmax
    MaxPool Moments MultiHot Normalize OneHot RMSNorm Relu Relu6 Selu SeparableConv Sigmoid Silu SoftShrink Softmax
    Softplus Softsign SpaceToDepth SparsePlus SparseSigmoid Sparsemax Squareplus TanhShrink Threshold
"""
ACTIVATIONS = """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
    log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid
    sparsemax squareplus swish tanh tanh_shrink threshold
"""
LAYERS_WITH_VOCABULARY = frozenset({"IntegerLookup", "StringLookup", "TextVectorization"})
DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 bfloat16"
KNOWN_CLASSES: dict[str, frozenset[str]] = {
    module: frozenset(names.split())
    for module, names in {
        "keras": "DTypePolicy Sequential",
        "keras.constraints": "MaxNorm MinMaxNorm NonNeg UnitNorm",
        "keras.dtype_policies": "DTypePolicyMap",
        "keras.initializers": INITIALIZERS,
        "keras.layers": LAYERS,
        "keras.regularizers": "L1 L1L2 L2 OrthogonalRegularizer",
        "keras.src.applications.convnext": "LayerScale StochasticDepth",
        "keras.src.applications.inception_resnet_v2": "CustomScaleLayer",
        "keras.src.models.functional": "Functional",
        "keras.src.ops.core": "Cast SaturateCast Slice StopGradient Unstack",
        "keras.src.ops.image": "HSVToRGB PadImages RGBToGrayscale RGBToHSV Resize",
        "keras.src.ops.linalg": "Norm",
        "keras.src.ops.math": "Erf Logsumexp Rsqrt TopK",
        "keras.src.ops.nn": OPERATIONS_OF_NETWORKS,
        "keras.src.ops.numpy": OPERATIONS_OF_ARRAYS,
    }.items()
}
KNOWN_ACTIVATIONS = frozenset(ACTIVATIONS.split())
KNOWN_DTYPES = frozenset(DTYPES.split())

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
ASSETS = "assets"  # the folder of layers' files
VOCABULARY_FILE = re.compile(r"assets(/\w+)+/vocabulary\.txt", re.ASCII)  # never a path outside of the folder
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
MOST_CONFIG_BYTES = 16 << 20
MOST_UNPACKING = 20  # times the packed size; Keras packs nothing
MOST_WEIGHT_ARRAYS = 20_000
MOST_VOCABULARIES = 100
MOST_VOCABULARY_BYTES = 64 << 20  # of all together
SPARE_NUMBERS = 1_000_000  # of layers beyond those in the file
FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip
FROM_SAVED_MODEL = (
    "Convert one that you trust: pip install tf_keras; tf_keras.models.load_model('NAME').save('NAME.h5'); "
    "keras.saving.load_model('NAME.h5', compile=False).save('NAME.keras')"
)
SAVE_IT = "Save it with model.save('NAME.keras')."
_loading = threading.RLock()  # imports have one path for all threads; a user's class may load a model itself


def check_architecture(config: Any) -> None:
    """Check an architecture and remove its training settings.

    Raises:
        UnsuitableModelError: it names an unknown class or function, or has too many layers.
    """
    if not isinstance(config, dict) or "class_name" not in config:
        raise UnsuitableModelError("That file holds no Keras model. Received: a config.json without a class.")
    counts = _Counts()
    _count_calls(config, counts)
    counts.layers = 0
    calls = _count_calls(config, counts)  # again, with known calls of shared layers
    for count, most, noun in ((counts.layers, MOST_LAYERS, "layers"), (calls, MOST_LAYER_CALLS, "calls of layers")):
        if count > most:
            raise UnsuitableModelError(f"A model may have {most:,} {noun}. Received: {count:,}. {IF_TRUSTED}")


def check_name(name: str, pattern: re.Pattern[str] = NAME_OF_LAYER) -> None:
    """Refuse names that TensorFlow rejects: Keras would keep them in later names.

    Raises:
        UnsuitableModelError: it has characters that no graph takes.
    """
    if not pattern.fullmatch(name):
        raise UnsuitableModelError(
            "The name of a layer or model should be of the letters A to Z, digits, and _ . - > inside it. "
            f"Received: {name!r:.100}. Rename it."
        )


def describe_excess(words: list[str]) -> str | None:
    """Describe an oversized vocabulary, or return None."""
    longest = max(map(len, words), default=0)
    if len(words) > MOST_WORDS or len(words) * longest > MOST_CHARACTERS:
        return f"a vocabulary of {len(words):,} words of up to {longest:,} characters"
    return None


def forbidden(received: str) -> UnsuitableModelError:
    """Return the error for an unusual part of a file."""
    return UnsuitableModelError(
        f"The file asks for what could run code, read files or is unknown. Received: {received}. {IF_TRUSTED}"
    )


def remove_training(config: dict[str, Any]) -> None:
    """Remove optimizer and loss from a model's configuration."""
    if config.get("compile_config") is not None:
        config["compile_config"] = None


@dataclass
class _Counts:
    """Numbers of layers, and of calls by shared layer."""

    layers: int = 0
    shared_calls: dict[int, int] = field(default_factory=dict)


def _count_calls(config: Any, counts: _Counts, *, inside_shared: bool = False) -> int:
    """Check an object and its parts; count calls of layers and operations."""
    if isinstance(config, list):
        return sum(_count_calls(part, counts, inside_shared=inside_shared) for part in config)
    if not isinstance(config, dict):
        return 0
    own = _check_object(config) if "class_name" in config else 0
    number = config.get("shared_object_id") if own else None
    if number is not None and (inside_shared or not isinstance(number, int)):
        raise UnsuitableModelError(
            "Layers that the model shares are nested. Received: shared_object_id within another."
        )
    remove_training(config)
    counts.layers += own
    inside_shared = inside_shared or number is not None
    calls = own + sum(_count_calls(value, counts, inside_shared=inside_shared) for value in config.values())
    if own and isinstance(inner := config["config"].get("layers"), list) and config["class_name"] == "Sequential":
        calls *= len(inner) // 2 + 1  # Keras rebuilds it with each layer that it adds
    if number is not None:
        counts.shared_calls[number] = calls = max(calls, counts.shared_calls.get(number, 0))
    return calls * max(1, len(_read_nodes(config)))


def _check_object(config: dict[str, Any]) -> int:
    """Check one object; return 1, or 0 for a part.

    Layers, operations and registered classes count.
    """
    name, module, registered = (config.get(key) for key in ("class_name", "module", "registered_name"))
    inner = config.get("config")
    if not isinstance(name, str) or not isinstance(module, str | None) or not isinstance(registered, str | None):
        raise forbidden("an object without the name of its class")
    if name.startswith("__"):
        _check_notation(name, inner)
        return 0
    if "module" not in config:  # Keras would search for it, as in older files
        raise forbidden(f"the class {name!r:.100} without its module")
    if name == "function":
        _check_function(inner, module, registered)
        return 0
    if not isinstance(inner, dict):
        raise forbidden(f"the class {name!r:.100} without its config")
    if _is_registered(registered if "registered_name" in config else name):
        return 1
    if name not in KNOWN_CLASSES.get(module or "", ()) or registered not in (name, None):
        raise _unknown_class(name, module)
    _check_name(config)
    if name in LAYERS_WITH_VOCABULARY and (unsafe := _find_unsafe_option(inner)):
        raise forbidden(f"a {name} layer with {unsafe}")
    return 0 if module in PARTS_OF_LAYERS or name == "DTypePolicy" else 1


def _unknown_class(name: str, module: str | None) -> UnsuitableModelError:
    if name == "Lambda":
        return UnsuitableModelError(
            "A Lambda layer is Python code, and a model file must not run code. Received: 'Lambda'. Make it a layer "
            f"class of your own. {OWN_CLASS} {IF_TRUSTED}"
        )
    if module is None or module.split(".")[0] != "keras":
        return UnsuitableModelError(
            f"The class {name!r:.100} is none of Keras's. Received: {module!r:.100}. {OWN_CLASS}"
        )
    return forbidden(f"the class {name!r:.100} of {module!r:.100}")


def _check_function(name: Any, module: str | None, registered: str | None) -> None:
    """Check that a function is a Keras activation or the caller's own."""
    own = isinstance(name, str) and _is_registered(name)
    known = isinstance(name, str) and name in KNOWN_ACTIVATIONS and module in ("builtins", "keras.activations")
    if not own and not (known and registered in (name, None)):
        raise forbidden(f"the function {name!r:.100} of {module!r:.100}")


def _check_notation(name: str, inner: Any) -> None:
    plain = name in ("__slice__", "__ellipsis__", "__bytes__")
    tensor = name in ("__tensor__", "__numpy__", "__keras_tensor__")
    dtype = inner.get("dtype") if isinstance(inner, dict) else None
    known = isinstance(dtype, str) and dtype in KNOWN_DTYPES
    texts = name == "__keras_tensor__" and dtype == "string"
    if not isinstance(inner, dict) or not (plain or texts or (tensor and known)):
        raise forbidden(f"{name!r:.100}")


def _read_nodes(config: dict[str, Any]) -> list[Any]:
    """Read the calls of a layer on tensors of the graph, never on numbers."""
    nodes = config.get("inbound_nodes", [])
    if not isinstance(nodes, list) or not all(isinstance(node, dict) and _holds_tensor(node) for node in nodes):
        raise forbidden("a call of a layer on no tensor of the model")
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


def _find_unsafe_option(options: dict[str, Any]) -> str | None:
    """Describe a vocabulary option that could run code, read a file or fill memory."""
    words, weights = options.get("vocabulary"), options.get("idf_weights")
    ngrams = options.get("ngrams")
    if words is not None and not _is_list_of(words, str) and not _is_list_of(words, int):
        return f"a vocabulary that is no list of words: {words!r:.100}"
    if weights is not None and not _is_list_of(weights, int | float):
        return f"weights of words that are no list of numbers: {weights!r:.100}"
    for name, known in (("standardize", STANDARDIZE), ("split", SPLIT), ("encoding", ("utf-8",))):
        if name in options and not any(options[name] == value for value in known):
            return f"{name}={options[name]!r:.100}"
    for name in SIZES:
        if not _is_size(options.get(name), MOST_WORDS):
            return f"{name}={options[name]!r:.100}"
    if not all(_is_size(size, MOST_NGRAM) for size in (ngrams if isinstance(ngrams, list) else [ngrams])):
        return f"ngrams={ngrams!r:.100}"
    return describe_excess([str(word) for word in words]) if words else None


def _is_list_of(values: Any, kind: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, kind) and not isinstance(value, bool) for value in values)


def _is_size(value: Any, most: int) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most)


@hold_interrupts()
def load_model(path: str | os.PathLike[str], *, trust: bool = False) -> keras.Model:
    """Load a Keras model from a `.keras` file without running its code.

    The file may name layers of Keras and classes that your program has registered. All is checked before building, and
    memory is proportional to the file.

    Args:
        path: of the file.
        trust: whether to load the file without these checks and without Keras's safe mode. It may then run any code, be
            HDF5, and contain `Lambda` layers.

    Raises:
        DataNotFoundError: nothing is at `path`.
        UnsuitableModelError: it is not a Keras model, could run code, or needs missing code.
    """
    with _loading, _hide_working_directory(), open_regular_file(path) as file:
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=False) if trust else _load_checked(file)
        except UnsuitableModelError as error:
            raise UnsuitableModelError(f"{error} The file is {path}.") from error
        except Exception as error:  # Keras passes on errors of its readers: ValueError, TypeError, OSError, KeyError, …
            raise UnsuitableModelError(
                f"Keras cannot load that model. Received: {path}: {reason(error)}. {SAVE_IT}"
            ) from error
    if not isinstance(model, keras.Model):
        raise UnsuitableModelError(f"That file holds no Keras model. Received: {path} with a {type(model).__name__}.")
    return model


def open_regular_file(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a model's file: no folder, and nothing that blocks, like a pipe.

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
        folder: for the unpacked weights and vocabularies.

    Returns:
        The architecture, in Keras's notation and without training settings; the file of its weights; and the count of
        numbers in that file.

    Raises:
        UnsuitableModelError: it could run code, read other files, or take too much memory or time.
        Exception: from zipfile, json or h5py, for another kind of file or a damaged one.
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
    """Write a reproducible `.keras` file without optimizer.

    Args:
        model: it stays unchanged.
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
    """Hide the working directory from imports: a model may bring modules."""
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
    """Count the numbers in a weight file, without following links."""
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
        member = group[name]
        address = h5py.h5o.get_info(member.id).addr
        if address in seen:
            raise forbidden(f"two names for one part of {WEIGHTS}")
        seen.add(address)
        if isinstance(member, h5py.Group):
            yield from _walk_datasets(member, seen)
        elif isinstance(member, h5py.Dataset):
            yield member


def _make_reproducible(config: Any, numbers: dict[int, int]) -> None:
    """Remove training settings and number shared objects from 0."""
    for part in config if isinstance(config, list) else config.values() if isinstance(config, dict) else ():
        _make_reproducible(part, numbers)
    if isinstance(config, dict):
        remove_training(config)
        if "shared_object_id" in config:
            config["shared_object_id"] = numbers.setdefault(config["shared_object_id"], len(numbers))


def _check_words(model: keras.Model) -> None:
    """Refuse words with line breaks: Keras stores one word a line."""
    for layer in layers_with_vocabulary(model):
        kept_in_file = layer.get_config()["vocabulary"] is None
        for word in map(str, layer.get_vocabulary() if kept_in_file else ()):
            if word.splitlines() not in ([], [word]):
                raise ValueError(f"the word {word!r:.100} of its vocabulary has a line break in it")


def _save_weights(model: keras.Model, folder: Path) -> bytes:
    path = folder / WEIGHTS
    parts = [getattr(model, name, None) for name in ("optimizer", "_loss_tracker", "_compile_loss", "_compile_metrics")]
    keras.saving.save_weights(model, path, objects_to_skip=[part for part in parts if part is not None])
    return path.read_bytes()
