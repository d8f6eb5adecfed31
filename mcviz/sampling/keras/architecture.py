"""The architectures that a model file may hold, checked before Keras builds anything of them.

Keras's own safe mode holds Python code back, but builds whatever else a file names: layers that load other models from
disk, any public function of Keras, modules from the working directory. Here a file may name the classes below, which
ordinary saved models hold, and what the running program has registered itself.

None of these classes loads a file, takes a function, or wraps code that is not Keras's. Those with a vocabulary could,
so their options are checked too. Any other class is refused, so that a class which a later Keras brings is looked at
before a file may ask for it.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import keras

from mcviz.errors import UnsuitableModelError

MOST_LAYERS = 1500  # the deepest network of keras.applications has about 1,000
MOST_LAYER_CALLS = 20_000  # while it is built, some seconds
LONGEST_NAME = 200
NAME_OF_LAYER = re.compile(r"[A-Za-z0-9_.\\/>-]*")
NAME_OF_MODEL = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
MOST_WORDS = 1_000_000  # of a vocabulary
MOST_CHARACTERS = 64_000_000  # of a vocabulary, each word as long as the longest, as numpy holds them
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
"""  # those that end in Initializer are in files of an older Keras
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


def check_architecture(config: Any) -> None:
    """Check an architecture in Keras's notation, and remove the settings of training from it.

    Raises:
        UnsuitableModelError: it names an unknown class or function, or has more layers than an ordinary model.
    """
    if not isinstance(config, dict) or "class_name" not in config:
        raise UnsuitableModelError("That file holds no Keras model. Received: a config.json without a class.")
    counts = _Counts()
    _count_calls(config, counts)
    counts.layers = 0
    calls = _count_calls(config, counts)  # now that the calls of shared layers are known
    for count, most, noun in ((counts.layers, MOST_LAYERS, "layers"), (calls, MOST_LAYER_CALLS, "calls of layers")):
        if count > most:
            raise UnsuitableModelError(f"A model may have {most:,} {noun}. Received: {count:,}. {IF_TRUSTED}")


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


def describe_excess(words: list[str]) -> str | None:
    """Describe a vocabulary that takes more memory than an ordinary one; None for any other."""
    longest = max(map(len, words), default=0)
    if len(words) > MOST_WORDS or len(words) * longest > MOST_CHARACTERS:
        return f"a vocabulary of {len(words):,} words of up to {longest:,} characters"
    return None


def forbidden(found: str) -> UnsuitableModelError:
    """Make the error for a part of a file that no ordinary model has."""
    return UnsuitableModelError(
        f"The file asks for what could run code, read files or is unknown. Received: {found}. {IF_TRUSTED}"
    )


def remove_training(config: dict[str, Any]) -> None:
    """Remove the settings of training, optimizer and loss, from the configuration of a model."""
    if config.get("compile_config") is not None:
        config["compile_config"] = None


@dataclass
class _Counts:
    """The number of layers, and by the id of each shared layer its number of calls."""

    layers: int = 0
    shared_calls: dict[int, int] = field(default_factory=dict)


def _count_calls(config: Any, counts: _Counts, *, inside_shared: bool = False) -> int:
    """Check an object and all within it, and count the calls of layers and operations when it is built."""
    if isinstance(config, list):
        return sum(_count_calls(each, counts, inside_shared=inside_shared) for each in config)
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
    """Check one object; return 1 for a layer, an operation or an object of the caller's own, 0 for a part of one."""
    name, module, registered = (config.get(key) for key in ("class_name", "module", "registered_name"))
    inner = config.get("config")
    if not isinstance(name, str) or not isinstance(module, str | None) or not isinstance(registered, str | None):
        raise forbidden("an object without the name of its class")
    if name.startswith("__"):
        _check_notation(name, inner)
        return 0
    if "module" not in config:  # Keras would look it up as in files of an older kind
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
    """Check that a function is an activation of Keras, or the caller's own."""
    own = isinstance(name, str) and _is_registered(name)
    known = isinstance(name, str) and name in KNOWN_ACTIVATIONS and module in ("builtins", "keras.activations")
    if not own and not (known and registered in (name, None)):
        raise forbidden(f"the function {name!r:.100} of {module!r:.100}")


def _check_notation(name: str, inner: Any) -> None:
    """Check Keras's notation for tensors, slices and the like, which are no objects of a class."""
    plain = name in ("__slice__", "__ellipsis__", "__bytes__")
    tensor = name in ("__tensor__", "__numpy__", "__keras_tensor__")
    dtype = inner.get("dtype") if isinstance(inner, dict) else None
    known = isinstance(dtype, str) and dtype in KNOWN_DTYPES
    texts = name == "__keras_tensor__" and dtype == "string"
    if not isinstance(inner, dict) or not (plain or texts or (tensor and known)):
        raise forbidden(f"{name!r:.100}")


def _read_nodes(config: dict[str, Any]) -> list[Any]:
    """Read the calls of a layer, each on a tensor of the graph, never on numbers in the file."""
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
    """Describe an option of a layer with a vocabulary that could run code, read a file, or take too much memory."""
    words, weights = options.get("vocabulary"), options.get("idf_weights")
    ngrams = options.get("ngrams")
    if words is not None and not _is_list_of(words, str) and not _is_list_of(words, int):
        return f"a vocabulary that is no list of words: {words!r:.100}"
    if weights is not None and not _is_list_of(weights, int | float):
        return f"weights of words that are no list of numbers: {weights!r:.100}"
    for name, known in (("standardize", STANDARDIZE), ("split", SPLIT), ("encoding", ("utf-8",))):
        if name in options and not any(options[name] == each for each in known):
            return f"{name}={options[name]!r:.100}"
    for name in SIZES:
        if not _is_size(options.get(name), MOST_WORDS):
            return f"{name}={options[name]!r:.100}"
    if not all(_is_size(each, MOST_NGRAM) for each in (ngrams if isinstance(ngrams, list) else [ngrams])):
        return f"ngrams={ngrams!r:.100}"
    return describe_excess([str(word) for word in words]) if words else None


def _is_list_of(values: Any, kind: Any) -> bool:
    return isinstance(values, list) and all(isinstance(each, kind) and not isinstance(each, bool) for each in values)


def _is_size(value: Any, most: int) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most)
