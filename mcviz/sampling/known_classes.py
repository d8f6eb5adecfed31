"""The classes that a model file may name: what ordinary saved models hold, by module and name as Keras writes them.

None of them loads a file, takes a function, or wraps code that is not Keras's; those with a vocabulary could, and their
options are checked besides, by `vocabularies`. A class that is not here is refused, so that one which a later Keras
brings is looked at before a file may ask for it.
"""

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
