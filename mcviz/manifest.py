"""The types of a manifest: examples, model, origin of numbers, files."""

import hashlib
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec.structs import replace

from mcviz.choices import Masks, Predicts
from mcviz.devices import CPU
from mcviz.errors import InvalidInputError
from mcviz.extras import is_function_name
from mcviz.validate import invalid

MODEL_FILES = {"keras": "model.keras", "torch": "model.safetensors"}  # by the framework, a name of `Backend`
COLUMNS = "examples.parquet"
FORMAT = 2
# Goes up where a manifest of this format gets a field, or a value of one, that earlier versions do not know. It is no
# part of a run's identity, and is left out while it is 0.
REVISION = 1  # a device, labels of some examples, a scaler of targets
MAX_CHUNK_BYTES = 1 << 28  # checked before memory is taken

CHUNK_VALUES = 100_000  # predictions that are read for one example
SHARD_EXAMPLES = 512  # suits the blocks that the sampler computes
SHARD_VALUES = 1 << 22  # predictions that are held in memory at once while a run is written
IMAGE_CHUNK_BYTES = 1 << 15
IMAGE_SHARD_BYTES = 1 << 22

Backend = Literal["keras", "torch"]
Count = Annotated[int, msgspec.Meta(ge=1, le=1 << 40)]
MOST_IMAGES = 1 << 20  # in a file, however small they are
ChunkSize = Annotated[int, msgspec.Meta(ge=1, le=MOST_IMAGES)]


@dataclass(frozen=True)
class Identity:
    """Marks a field of `Manifest` that determines the numbers.

    Attributes:
        name: what people call it, in errors and descriptions.
        only_with: a field, perhaps this one; where that is empty, this one is left out. A field that is added later
            names itself, so that runs from before have the identity that they had.
        setting: whether it is a setting of the sampling, which every description of a run lists.
    """

    name: str
    only_with: str = ""
    setting: bool = False


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An immutable part of a manifest, checked by type when read."""


class Examples(Part, frozen=True):
    """The examples that were predicted.

    Attributes:
        kind: of an example, a name of `mcviz.kinds.KINDS`; `none` where the run knows nothing but its number.
        count: how many, N.
        sha256: of their content: the identity of the data set, which reviews and comparisons of runs hang on.
        columns_sha256: of their ids and the user's own columns, or None where they have no names but their numbers.
        content: the columns of `examples.parquet` that are the examples themselves, in the model's order: texts, or the
            numbers of rows.
    """

    kind: str
    count: Count
    sha256: str
    columns_sha256: str | None = None
    content: tuple[str, ...] = ()


class Images(Part, frozen=True):
    """The pixels of the examples.

    Attributes:
        shape: one image's (height, width, channels).
        dtype: "uint8" (0..255) or "float32".
        lowest: the smallest value.
        highest: the largest value. A model trained on 0..1 should not have met more.
        stored: whether the images are in the run.
    """

    shape: tuple[Count, Count, Count]
    dtype: Literal["uint8", "float32"]
    lowest: float
    highest: float
    stored: bool


class Preprocessing(Part, frozen=True):
    """Input scaling, `(values / divide_by - mean) / std` in float32.

    Attributes:
        divide_by: of every value; 1 leaves it.
        mean: of each channel or column, or of all by one number; empty for none.
        std: as `mean`.
        channel_order: of the three colours where the model takes them.
        crop: whether a picture of another size is cut to the model's proportions; it is stretched otherwise.
        applied: whether the examples came so, and the model takes them as they are stored.
        reason: a sentence on why; no part of the run's identity.
    """

    divide_by: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[Annotated[float, msgspec.Meta(gt=0)], ...] = ()
    channel_order: Literal["rgb", "bgr"] = "rgb"
    crop: bool = False
    applied: bool = False
    reason: str = ""

    @property
    def steps(self) -> list[str]:
        """Return the steps in words; empty for none."""
        return [
            *([f"divided by {self.divide_by:g}"] if self.divide_by != 1 else []),
            *([f"less the mean {_join(self.mean)}"] if self.mean else []),
            *([f"divided by the std {_join(self.std)}"] if self.std else []),
            *(["in the order blue, green, red"] if self.channel_order == "bgr" else []),
            *(["cropped to the model's proportions"] if self.crop else []),
        ]

    def __str__(self) -> str:
        """All steps in a few words."""
        done = ", ".join(self.steps) or "as they are"
        return f"{done}, before they were stored" if self.applied else done

    def check(self, channels: int | None = None) -> None:
        """Check the numbers and their count of channels or columns.

        Raises:
            InvalidInputError: they are not finite, not above 0 where they divide, or for others.
        """
        for name, numbers in (("scale", (self.divide_by,)), ("mean", self.mean), ("std", self.std)):
            divides = name != "mean"
            if not all(math.isfinite(number) and (number > 0 or not divides) for number in numbers):
                received = ", ".join(f"{number:g}" for number in numbers)
                raise invalid(name, f"finite{' and above 0' if divides else ''}", received)
            if channels is not None and len(numbers) not in (0, 1, channels):
                expected = "1 number" if channels == 1 else f"1 or {channels} numbers, one a channel or column"
                raise invalid(name, expected, f"{len(numbers)} numbers")
        if self.channel_order == "bgr" and channels not in (None, 3):
            raise invalid("channel_order", "left out for images without three colours", "bgr")


class Model(Part, frozen=True):
    """The model that made the passes.

    Attributes:
        name: as its framework knows it.
        sha256: of its architecture and weights, whatever file they came in.
        stored: whether the model is in the run, as `file`, without the optimizer's state.
        output: the name of the output that was sampled, where one was asked for.
        from_logits: whether it was taken for logits, where that was asked for.
        backend: its framework.
        function: of PyTorch: what builds it, `package.module:function`; empty where the module was given in memory.
        transform: of PyTorch: what makes its input of an example; empty for none, or one without a name.
        transform_sha256: of what that makes of a few of the examples, by which it is told from another; or None.
    """

    name: str
    sha256: str
    stored: bool
    output: str | None = None
    from_logits: bool | None = None
    backend: Backend = "keras"
    function: str = ""
    transform: str = ""
    transform_sha256: str | None = None

    @property
    def has_transform(self) -> bool:
        """Whether a transform made the model's inputs."""
        return bool(self.transform or self.transform_sha256)

    @property
    def file(self) -> str:
        """The name of its file in the run."""
        return MODEL_FILES[self.backend]


class TargetScaler(Part, frozen=True):
    """Scaling of targets in training: `(value - mean) / std`.

    Attributes:
        mean: (D,) of each target; an array is taken, too, such as `mean_` of scikit-learn's StandardScaler.
        std: (D,) of each target, above 0; as `scale_` there.
    """

    mean: tuple[float, ...]
    std: tuple[Annotated[float, msgspec.Meta(gt=0)], ...]

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            msgspec.structs.force_setattr(self, name, tuple(np.ravel(getattr(self, name)).astype(float).tolist()))

    @property
    def summary(self) -> str:
        """The scaler in words."""
        if len(self.mean) == 1:
            return f"scaled in training, by the mean {self.mean[0]:g} and the std {self.std[0]:g}"
        return "scaled in training, each by a mean and a std of its own"

    def restore(self, predictions: np.ndarray) -> np.ndarray:
        """Return (…, D) predictions, or these and D variances, in target units, float32."""
        mean, std = np.array(self.mean), np.array(self.std)
        values = predictions[..., : len(mean)] * std + mean
        variances = predictions[..., len(mean) :]
        restored = np.concatenate([values, variances * np.square(std)], axis=-1) if variances.size else values
        return restored.astype(np.float32)

    def check(self, targets: int) -> None:
        """Check that it is of so many targets.

        Raises:
            InvalidInputError: it is of others, or a std is not above 0.
        """
        if not min(self.std, default=1.0) > 0:
            raise invalid("target_scaler", "of stds above 0", min(self.std))
        if not len(self.mean) == len(self.std) == targets:
            received = f"{len(self.mean):,} and {len(self.std):,} of {targets:,} targets"
            raise invalid("target_scaler", "a mean and a std for each target", received)


class Layer(Part, frozen=True):
    """A stochastic layer: name, class and rate."""

    name: str
    kind: str
    rate: float | None


class Origin(Part, frozen=True):
    """How the passes were made.

    Attributes:
        kind: "dropout" (sampled by mcviz) or "imported".
        source: what they were imported from; no part of the run's identity.
        draw_scheme: the version of the way in which masks are drawn from the seed.
        product: how a layer right behind dropout was computed; other ways round the numbers otherwise.
        compiler: what compiled the part that is repeated in every pass, which rounds otherwise, too; None for nothing.
        stochastic_layers: the layers that the passes differ by.
        inactive_layers: names of augmentation layers that stayed off.
        sha256: of the probabilities that were imported.
        device: the kind of device that computed them, such as "cuda", which rounds otherwise, too; None for the
            processor.
    """

    kind: Literal["dropout", "imported"]
    source: str | None = None
    draw_scheme: int | None = None
    product: str | None = None
    compiler: str | None = None
    stochastic_layers: tuple[Layer, ...] = ()
    inactive_layers: tuple[str, ...] = ()
    sha256: str | None = None
    device: Annotated[str, msgspec.Meta(pattern="^[a-z]{1,20}$")] | None = None

    @property
    def device_name(self) -> str:
        """The kind of device that computed the passes."""
        return self.device or CPU


class LabelMaps(Part, frozen=True):
    """Label maps of a segmentation: a class a pixel.

    Attributes:
        height: of every label map, in pixels.
        width: of every label map, in pixels.
        background: the class that Dice leaves out, or None where there is none.
        ignore: what stood in the given masks for a pixel that counts nowhere, or None; a run holds C in its place.
        alone: whether label maps are all that was known of the passes, and not the probabilities of the classes.
    """

    height: Annotated[int, msgspec.Meta(ge=1, le=1 << 16)]
    width: Annotated[int, msgspec.Meta(ge=1, le=1 << 16)]
    background: Annotated[int, msgspec.Meta(ge=0, le=253)] | None = 0
    ignore: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = 255
    alone: bool = False

    @property
    def pixels(self) -> int:
        """The number of pixels of an image."""
        return self.height * self.width


class Layout(Part, frozen=True):
    """Examples of a compressed chunk, and of a file (shard)."""

    examples_per_chunk: ChunkSize
    examples_per_shard: ChunkSize
    images_per_chunk: ChunkSize = 1
    images_per_shard: ChunkSize = 1


class StoredFile(Part, frozen=True):
    """A file's size in bytes and SHA-256."""

    bytes: int
    sha256: str


class Manifest(Part, frozen=True, kw_only=True):
    """All facts of a run; fields marked `Identity` determine its numbers.

    Attributes:
        task: what the model predicts, a name of `mcviz.tasks.TASKS`.
        passes: T.
        classes: C, of tasks that have classes.
        class_names: C names.
        targets: of regression: D names of what is predicted.
        unit: of all targets; empty for none.
        predicts: what the model returns for each target. Whatever spread it is, variances are kept.
        target_scaler: of regression: how the targets were scaled in training; passes and labels are in their unit. None
            of all others, whose manifests do not name it.
        label_maps: of segmentation: the form of the label maps; None of other tasks, whose manifests do not name it.
        mean_sha256: of the mean of the passes' probabilities, where it was given beside label maps; None of all others,
            whose manifests do not name it.
        examples: the examples that were predicted.
        images: their pixels, or None where they are no images.
        labels_sha256: of the labels, or None where nobody knows them.
        examples_with_labels: how many examples have a known label, where not all have one; None of all others, whose
            manifests do not name it.
        inputs_sha256: of the arrays that the model was given by name, or None where it was given what is shown.
        model: the model that made the passes, or None where it is not known.
        deterministic: whether the run has the predictions of the model with dropout off.
        with_passes: reserved, always None; rejects runs that kept only a summary.
        preprocessing: how the model takes a stored image or row.
        seed: of the masks, or None for passes that were made elsewhere.
        masks: `per_pass`, one draw of masks for all examples of a pass; `per_example`, a draw for each; or None.
        features: how many features of each example are stored, by which examples are alike; or None.
        features_sha256: of them.
        origin: how the passes were made.
        scores: names of the scores that are stored, in their order.
        layout: how the arrays are cut into chunks and files.
        store: the folder of the arrays.
        table: the file of the scores.
        quality: of a finished run with labels: how good the mean of all passes is, an accuracy or an RMSE, so that a
            list of runs need not read their arrays.
        about: free: where the examples came from, their licence.
        created: free: when, and by which versions of which libraries.
        state: "partial" while sampling, "finished" after.
        files: the files that are complete; of a finished run all that a number depends on.
        format: the version of this layout of files.
    """

    task: Annotated[str, Identity("task")] = "classification"
    passes: Annotated[Count, Identity("passes")]
    classes: Annotated[int, msgspec.Meta(ge=0, le=1 << 40), Identity("classes")] = 0
    class_names: tuple[str, ...] = ()
    targets: Annotated[tuple[str, ...], Identity("targets", only_with="targets")] = ()
    unit: Annotated[str, Identity("unit", only_with="targets")] = ""
    predicts: Annotated[Predicts, Identity("predicts", only_with="targets")] = "mean"
    target_scaler: Annotated[TargetScaler | None, Identity("target scaler", only_with="target_scaler")] = None
    label_maps: Annotated[LabelMaps | None, Identity("label maps", only_with="label_maps")] = None
    mean_sha256: Annotated[str | None, Identity("mean probabilities", only_with="mean_sha256")] = None
    examples: Examples
    images: Images | None
    labels_sha256: Annotated[str | None, Identity("labels")]
    examples_with_labels: Count | None = None
    inputs_sha256: Annotated[str | None, Identity("inputs of the model", only_with="inputs_sha256")] = None
    model: Model | None
    deterministic: bool = True
    with_passes: None = None
    preprocessing: Preprocessing = Preprocessing()
    seed: Annotated[int | None, Identity("seed", setting=True)]
    masks: Annotated[Masks | None, Identity("masks", setting=True)]
    features: Count | None = None
    features_sha256: Annotated[str | None, Identity("features")] = None
    origin: Origin
    scores: tuple[str, ...]
    layout: Layout
    store: str = "predictions.zarr"
    table: str = "scores.parquet"
    quality: float | None = None
    about: dict[str, Any] = {}
    created: dict[str, Any] = {}
    state: Literal["partial", "finished"] = "partial"
    files: dict[str, StoredFile] = {}
    format: Annotated[int, Identity("format")] = FORMAT

    @property
    def revision(self) -> int:
        """The lowest revision of the format with all used fields."""
        fields = self.origin.device, self.examples_with_labels, self.target_scaler
        return 0 if fields == (None, None, None) else REVISION

    @property
    def digest(self) -> str:
        """The identity: a SHA-256 of all that determines the numbers."""
        return hashlib.sha256(canonical(self.identity)).hexdigest()

    @property
    def identity(self) -> dict[str, Any]:
        """All that determines the numbers, by the names that users know."""
        examples, model, origin = self.examples, self.model, self.origin
        return {
            **{
                mark.name: msgspec.to_builtins(value) if isinstance(value := getattr(self, field), Part) else value
                for field, mark in IDENTITY.items()
                if not mark.only_with or getattr(self, mark.only_with)
            },
            "examples": [examples.kind, examples.count, examples.sha256, *examples.content],
            "ids and columns": examples.columns_sha256,
            "model": model and model.sha256,
            "output of the model": model and [model.output, model.from_logits],
            **({"transform": [model.transform, model.transform_sha256]} if model and model.has_transform else {}),
            "preprocessing": msgspec.to_builtins(replace(self.preprocessing, reason="")),
            "stochastic layers": [[layer.name, layer.kind, layer.rate] for layer in origin.stochastic_layers],
            "origin": [
                *(origin.kind, origin.sha256, origin.draw_scheme, origin.product),
                *([origin.compiler] if origin.compiler else []),  # a run from before there was one keeps its identity
            ],
            **({"device": origin.device} if origin.device else {}),
        }

    @property
    def labelled(self) -> int:
        """The number of examples with known labels, or all without labels."""
        if self.labels_sha256 is None:
            return 0
        return self.examples.count if self.examples_with_labels is None else self.examples_with_labels

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of sampling by name; empty for imported passes."""
        settings = {mark.name: getattr(self, field) for field, mark in IDENTITY.items() if mark.setting}
        return {name: value for name, value in sorted(settings.items()) if value is not None}

    @property
    def rates(self) -> str:
        """The dropout rates, such as "0.25, 0.5", or ""."""
        rates = {layer.rate for layer in self.origin.stochastic_layers if layer.rate is not None}
        return ", ".join(f"{rate:g}" for rate in sorted(rates))

    def time(self, event: Literal["started", "finished"]) -> datetime | None:
        """The UTC time of start or end, or None."""
        try:
            time = datetime.fromisoformat(str(self.created.get(event)))
        except ValueError:
            return None
        return time if time.tzinfo else time.replace(tzinfo=UTC)

    @property
    def has_images(self) -> bool:
        """Whether the images are in the run."""
        return self.images is not None and self.images.stored

    @property
    def has_examples(self) -> bool:
        """Whether the run holds its examples."""
        return self.has_images or bool(self.examples.content)

    @property
    def has_model(self) -> bool:
        """Whether the model is in the run."""
        return self.model_file is not None

    @property
    def model_file(self) -> str | None:
        """The name of the model's file, or None."""
        return self.model.file if self.model is not None and self.model.stored else None

    @property
    def width(self) -> int:
        """The numbers of a pass for an example, K: C, D, or 2 D with variances; for segmentation H · W · C or H · W."""
        if self.label_maps:
            return self.label_maps.pixels * (1 if self.label_maps.alone else self.classes)
        return self.outputs * (2 if self.targets and self.predicts != "mean" else 1)

    @property
    def outputs(self) -> int:
        """How many classes or targets are predicted."""
        return self.classes or len(self.targets)

    @property
    def chunk_bytes(self) -> int:
        """The bytes of a stored chunk in memory; label maps have one image."""
        if self.label_maps:
            return self.passes * self.label_maps.pixels
        return 4 * self.layout.examples_per_chunk * self.width * self.passes

    @property
    def output_summary(self) -> str:
        """The number of classes or targets in words."""
        if self.classes:
            return f"{self.classes:,} classes"
        return f"1 target, {self.targets[0]}" if len(self.targets) == 1 else f"{len(self.targets):,} targets"

    @property
    def shards(self) -> int:
        """The number of files of an array of passes."""
        return -(-self.examples.count // self.layout.examples_per_shard)

    @property
    def sampling_summary(self) -> str:
        """How the passes were made, in a few words."""
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        return "imported" if self.origin.kind == "imported" else settings

    def shard_range(self, shard: int) -> tuple[int, int]:
        """Return start and stop of a shard's examples."""
        start = shard * self.layout.examples_per_shard
        return start, min(start + self.layout.examples_per_shard, self.examples.count)


IDENTITY = {
    field.name: mark
    for field in msgspec.structs.fields(Manifest)
    for mark in getattr(field.type, "__metadata__", ())
    if isinstance(mark, Identity)
}


def layout_for(passes: int, width: int, images: Images | None) -> Layout:
    """Return the layout for these sizes, in powers of two, for any number of examples.

    Args:
        passes: T.
        width: how many numbers a pass gives for an example.
        images: of the examples, or None.
    """
    values = passes * width
    shard = _power_of_two(min(SHARD_EXAMPLES, SHARD_VALUES // values))
    chunk = min(shard, _power_of_two(CHUNK_VALUES // values))
    if images is None:
        return Layout(chunk, shard)
    image_bytes = math.prod(images.shape) * np.dtype(images.dtype).itemsize
    in_chunk, in_shard = (
        min(MOST_IMAGES, _power_of_two(most // image_bytes)) for most in (IMAGE_CHUNK_BYTES, IMAGE_SHARD_BYTES)
    )
    return Layout(chunk, shard, in_chunk, in_shard)


def check_claims(manifest: Manifest) -> None:
    """Check a manifest before reading data or using memory.

    Raises:
        InvalidInputError: no run of any task and kind can be so.
    """
    images, layout, examples = manifest.images, manifest.layout, manifest.examples
    image_bytes = 0 if images is None else 4 * layout.images_per_chunk * math.prod(images.shape)
    grown = f"-{manifest.passes}"
    for holds, what in (
        (len(manifest.class_names) == manifest.classes, f"{manifest.classes} classes have other names"),
        (len(set(manifest.targets)) == len(manifest.targets), "two targets have one name"),
        (manifest.chunk_bytes <= MAX_CHUNK_BYTES, f"{manifest.passes} passes of {manifest.width} numbers are too many"),
        (image_bytes <= MAX_CHUNK_BYTES, f"images of shape {images and images.shape} are too large"),
        (manifest.store in ("predictions.zarr", f"predictions{grown}.zarr"), f"the store is {manifest.store!r:.60}"),
        (manifest.table in ("scores.parquet", f"scores{grown}.parquet"), f"the table is {manifest.table!r:.60}"),
        (examples.columns_sha256 is not None or not examples.content, "the examples have no table"),
        (len(set(examples.content)) == len(examples.content), "two columns of the examples have one name"),
        (len(set(manifest.class_names)) == manifest.classes, "two classes have one name"),
        (
            manifest.examples_with_labels is None
            or (manifest.labels_sha256 is not None and manifest.examples_with_labels < examples.count),
            f"{manifest.examples_with_labels} of {examples.count} examples have labels",
        ),
        (
            manifest.mean_sha256 is None or (manifest.label_maps and manifest.label_maps.alone),
            "it has mean probabilities",
        ),
        (_names_functions(manifest.model), "its model names no functions"),
        (_are_versions(manifest.created.get("versions", {})), "its versions are no names and texts"),
    ):
        if not holds:
            raise InvalidInputError(what)


def _names_functions(model: Model | None) -> bool:
    return model is None or all(not name or is_function_name(name) for name in (model.function, model.transform))


def _are_versions(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(version, str) for version in value.values())


def _join(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


def _power_of_two(most: int) -> int:
    """Return the largest power of two up to a number, at least 1."""
    return 1 << (max(most, 1).bit_length() - 1)


def canonical(content: dict[str, Any]) -> bytes:
    """Encode canonical JSON for digests."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
