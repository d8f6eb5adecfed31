"""What a run says about itself: how its numbers were made, and which files hold them."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from mcviz.errors import InvalidInputError, RunNotFoundError
from mcviz.runs.damage import damaged
from mcviz.runs.frames import MAX_FRAME_BYTES
from mcviz.runs.parsing import as_dataclass
from mcviz.runs.place import Place

NAME = "manifest.json"
FORMAT = 1
MAX_MANIFEST_BYTES = 1 << 26
MAX_BLOCK = 1 << 20


@dataclass(frozen=True)
class ImageSet:
    """The images that were asked about.

    Attributes:
        count: how many, N.
        shape: one image's (height, width, channels).
        dtype: "uint8" (0..255) or "float32".
        sha256: of dtype, shape and values.
        lowest: the smallest value.
        highest: the largest value. A model trained on 0..1 should not have met more.
        kept: whether the images are in the run.
    """

    count: int
    shape: tuple[int, ...]
    dtype: str
    sha256: str
    lowest: float
    highest: float
    kept: bool


@dataclass(frozen=True)
class ModelUsed:
    """The model that was sampled.

    Attributes:
        name: as Keras knows it.
        sha256: of its architecture and weights, whatever file they came in.
        file_sha256: of the file that was handed in, or None for a model in memory.
        kept: whether the model is in the run, as `model.keras` without the optimizer's state.
        output: the name of the output that was sampled, where one was asked for.
        from_logits: whether it was taken for logits, where that was asked for.
        white: what 255 in uint8 images was to the model: 1, or 255 for a model that divides by itself.
    """

    name: str
    sha256: str
    file_sha256: str | None
    kept: bool
    output: str | None = None
    from_logits: bool | None = None
    white: int = 1


@dataclass(frozen=True)
class Layer:
    """A layer that was stochastic in every pass: its name, its Keras class and its rate."""

    name: str
    kind: str
    rate: float


@dataclass(frozen=True)
class Layout:
    """How many images go into one file (block) and into one separately compressed part of it (frame)."""

    block: int
    frame: int
    image_block: int
    image_frame: int


@dataclass(frozen=True)
class StoredFile:
    """A file's size and SHA-256."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Everything that a run says about itself.

    Attributes:
        passes: T.
        seed: of the masks.
        masks: "per_pass" or "per_example".
        classes: C.
        class_names: C names.
        images: the images that were asked about.
        labels_sha256: of the true classes, or None where nobody knows them.
        model: the model that was sampled.
        stochastic_layers: the layers that the passes differ by.
        inactive_layers: names of augmentation layers that stayed off.
        sampler: the version of the way in which masks are drawn from the seed.
        scores: names of the float scores that are stored, in their order.
        layout: how the numbers are cut into files.
        data: free: where the images came from, their licence.
        made: free: when, and by which versions of which libraries.
        state: "partial" while sampling, "finished" after.
        files: every file of a finished run that a number depends on.
        format: the version of the files' format.
    """

    passes: int
    seed: int
    masks: Literal["per_pass", "per_example"]
    classes: int
    class_names: tuple[str, ...]
    images: ImageSet
    labels_sha256: str | None
    model: ModelUsed
    stochastic_layers: tuple[Layer, ...]
    inactive_layers: tuple[str, ...]
    sampler: int
    scores: tuple[str, ...]
    layout: Layout
    data: dict[str, Any] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)
    state: Literal["partial", "finished"] = "partial"
    files: dict[str, StoredFile] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def digest(self) -> str:
        """The identity of the run: a SHA-256 of all that determines its numbers."""
        return hashlib.sha256(_canonical(identity(self))).hexdigest()

    @property
    def blocks(self) -> int:
        """The number of files of predictions."""
        return -(-self.images.count // self.layout.block)

    @property
    def predictions(self) -> int:
        """The number of single predictions: images × passes."""
        return self.images.count * self.passes

    def block_name(self, block: int) -> str:
        """The file of the predictions of one block of images."""
        return f"{self.block_folder}/{block:05d}.frames"

    @property
    def block_folder(self) -> str:
        """The folder of the predictions."""
        return f"passes-{self.passes}"

    def block_range(self, block: int) -> tuple[int, int]:
        """The first image of a block, and the first one after it."""
        start = block * self.layout.block
        return start, min(start + self.layout.block, self.images.count)

    @property
    def image_blocks(self) -> int:
        """The number of files of images."""
        return -(-self.images.count // self.layout.image_block) if self.images.kept else 0


def identity(manifest: Manifest) -> dict[str, Any]:
    """What determines the numbers of a run, with the names that people know it by."""
    asked = manifest.model.output, manifest.model.from_logits
    return {
        "format": manifest.format,
        "passes": manifest.passes,
        "seed": manifest.seed,
        "masks": manifest.masks,
        "images": [*manifest.images.shape, manifest.images.count, manifest.images.dtype, manifest.images.sha256],
        "labels": manifest.labels_sha256,
        "class names": list(manifest.class_names),
        "model": manifest.model.sha256,
        **({} if asked == (None, None) else {"output of the model": list(asked)}),
        **({} if manifest.model.white == 1 else {"white to the model": manifest.model.white}),
        "stochastic layers": [[layer.name, layer.kind, layer.rate] for layer in manifest.stochastic_layers],
        "way of drawing masks": manifest.sampler,
    }


def write_manifest(place: Place, manifest: Manifest) -> None:
    """Put a manifest in place. For a finished run this is the moment from which it counts."""
    content = asdict(manifest) | {"digest": manifest.digest}
    content["checksum"] = _checksum(content)
    place.write(NAME, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).encode())


def read_manifest(place: Place) -> Manifest:
    """Read a run's manifest, and check it against its own checksum.

    Raises:
        RunNotFoundError: there is none.
        CorruptRunError: it is not what was written, or claims what cannot be.
        InvalidInputError: a later version of mcviz wrote it.
    """
    try:
        data = place.read(NAME, 0, MAX_MANIFEST_BYTES)
    except FileNotFoundError as error:
        raise RunNotFoundError(
            f"There is no run at {place.path}. Make one with "
            f"`python -m mcviz sample --model MODEL.keras --data FILE.npz --out {place.path}`."
        ) from error
    try:
        content = json.loads(data)
        sealed = content.pop("checksum") == _checksum(content)
        if not sealed:
            raise ValueError("it does not match its checksum")
        if content["format"] != FORMAT:
            raise _LaterFormatError(
                f"{place.path} is in format {content['format']} and this mcviz reads format {FORMAT}. Update mcviz."
            )
        digest = content.pop("digest")
        manifest = as_dataclass(Manifest, content)
        if manifest.digest != digest:
            raise ValueError("its digest is not that of what it says")
        check_manifest(manifest)
    except _LaterFormatError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise damaged(place.address(NAME), f"is damaged: {error}") from error
    return manifest


def block_files(manifest: Manifest) -> list[str]:
    """The names of all files of predictions."""
    return [manifest.block_name(block) for block in range(manifest.blocks)]


def image_files(manifest: Manifest) -> list[str]:
    """The names of all files of images."""
    return [image_block_name(block) for block in range(manifest.image_blocks)]


def image_block_name(block: int) -> str:
    """The file of one block of images."""
    return f"images/{block:05d}.frames"


LABELS = "labels.frames"
MODEL = "model.keras"


def check_manifest(manifest: Manifest) -> None:
    """Hold what a manifest claims against itself, before anything is read or any memory taken for it.

    Raises:
        InvalidInputError: no run can be so.
    """
    images, layout = manifest.images, manifest.layout
    sizes = [manifest.passes, manifest.classes, images.count, *images.shape, *asdict(layout).values()]
    frame_bytes = 2 * layout.frame * manifest.classes * (manifest.passes + 1)
    image_bytes = layout.image_frame * math.prod(images.shape) * np.dtype(images.dtype).itemsize
    for holds, what in (
        (min(sizes) >= 1, f"a size is less than 1: {sizes}"),
        (layout.frame <= layout.block <= MAX_BLOCK, f"the layout is {layout}"),
        (layout.image_frame <= layout.image_block <= MAX_BLOCK, f"the layout is {layout}"),
        (len(images.shape) <= 4, f"images have shape {images.shape}"),
        (manifest.model.white in (1, 255), f"white to the model is {manifest.model.white}, not 1 or 255"),
        (images.dtype in ("uint8", "float32"), f"images are {images.dtype}, not uint8 or float32"),
        (len(manifest.class_names) == manifest.classes, f"{manifest.classes} classes have other names"),
        (frame_bytes <= MAX_FRAME_BYTES, f"{manifest.passes} passes of {manifest.classes} classes are too many"),
        (image_bytes <= MAX_FRAME_BYTES, f"images of shape {images.shape} are too large"),
    ):
        if not holds:
            raise InvalidInputError(what)
    if manifest.state == "finished":
        _check_files(manifest)


class _LaterFormatError(InvalidInputError):
    pass


def _check_files(manifest: Manifest) -> None:
    others = [LABELS] * (manifest.labels_sha256 is not None) + [MODEL] * manifest.model.kept
    expected = manifest.blocks + manifest.image_blocks + len(others)
    if len(manifest.files) != expected:  # counted before they are named: a name takes memory
        raise InvalidInputError(
            f"{manifest.images.count} images take {expected} files, and {len(manifest.files)} are listed"
        )
    unlisted = {*block_files(manifest), *image_files(manifest), *others} - manifest.files.keys()
    if unlisted:
        raise InvalidInputError(f"{min(unlisted)} is not listed")


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(content)).hexdigest()


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
