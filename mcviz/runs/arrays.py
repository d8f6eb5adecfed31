"""The arrays of a run as Zarr v3: encode, read and check.

Arrays are cut along their first axis. Names and packing follow the CF conventions. `zarr` takes a fifth of a second, so
it is imported at the first use.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mcviz.choices import Predicts
from mcviz.data.in_place import Places, as_numbers
from mcviz.errors import CorruptRunError
from mcviz.manifest import COLUMNS, Examples, Images, LabelMaps, Manifest, Origin, Preprocessing, StoredFile, layout_for
from mcviz.runs.manifest_file import NAME, corrupt, read_manifest
from mcviz.runs.storage import Folder
from mcviz.tasks import TASKS, task_of
from mcviz.tasks.base import StoredArray, by_example
from mcviz.text import list_names

if TYPE_CHECKING:
    import zarr


BYTES = 255

MOST_BETWEEN = 8  # rows for each one that is wanted, which cost less to decode than to leave out

CACHED_BYTES = 1 << 26  # of shards that were read and verified
GROUP = b'{"zarr_format":3,"node_type":"group","attributes":{"Conventions":"CF-1.11","source":"mcviz"}}'


def describe_file(content: bytes) -> StoredFile:
    """Return size and SHA-256 of content."""
    return StoredFile(len(content), hashlib.sha256(content).hexdigest())


def read_verified(folder: Folder, manifest: Manifest, name: str) -> bytes:
    """Read a file of a run.

    Raises:
        FileNotFoundError: it is gone.
        CorruptRunError: its checksum is another.
    """
    content = folder.read(name, 0, manifest.files[name].bytes + 1)
    if describe_file(content) != manifest.files[name]:
        raise corrupt(folder.address(name), "is damaged, cut short or of another run: it does not match its checksum")
    return content


def is_intact(folder: Folder, manifest: Manifest, name: str) -> bool:
    """Return whether a file of a run matches its checksum."""
    try:
        read_verified(folder, manifest, name)
    except (FileNotFoundError, CorruptRunError):
        return False
    return True


@dataclass(frozen=True)
class ValueScale:
    """Conversion of stored image values to 0 (black) … 1 (white).

    Attributes:
        low: the value of black, (1,) or one a channel, float32.
        high: the value of white, as `low`.
        reversed_channels: whether the colours are stored as blue, green, red.
        stretched: whether the range was only taken from the images, so that their true colours are not known.
    """

    low: np.ndarray
    high: np.ndarray
    reversed_channels: bool = False
    stretched: bool = False

    @classmethod
    def of(cls, images: Images, preprocessing: Preprocessing) -> "ValueScale":
        """Return the scale of a run's images."""
        lowest, highest = images.lowest, images.highest
        if images.dtype == "uint8":
            return cls._between(0, BYTES)
        if preprocessing.applied:
            return cls._from_preprocessing(preprocessing)
        if lowest >= -1 and highest <= 1:
            return cls._between(0 if lowest >= 0 else -1, 1)
        if lowest >= 0 and BYTES / 2 < highest <= BYTES:
            return cls._between(0, BYTES)
        return cls._between(lowest, highest if highest > lowest else lowest + 1, stretched=True)

    def to_unit(self, images: np.ndarray) -> np.ndarray:
        """Convert stored (…, height, width, channels) to float32 RGB in 0..1."""
        unit = np.clip((images.astype(np.float32) - self.low) / (self.high - self.low), 0, 1)
        return unit[..., ::-1] if self.reversed_channels else unit

    def from_unit(self, images: np.ndarray) -> np.ndarray:
        """Convert float32 in 0..1 to stored values, float32."""
        ordered = images[..., ::-1] if self.reversed_channels else images
        return ordered.astype(np.float32, copy=False) * (self.high - self.low) + self.low

    @classmethod
    def _between(cls, low: float, high: float, stretched: bool = False) -> "ValueScale":
        return cls(np.array([low], np.float32), np.array([high], np.float32), stretched=stretched)

    @classmethod
    def _from_preprocessing(cls, done: Preprocessing) -> "ValueScale":
        mean, std = np.array(done.mean or (0,)), np.array(done.std or (1,))
        white = BYTES if done.divide_by > 1 or mean.max() > 1 or std.max() > 1 else 1
        low, high = -mean / std, (white / done.divide_by - mean) / std
        return cls(low.astype(np.float32), high.astype(np.float32), done.channel_order == "bgr")


def stored_arrays(manifest: Manifest) -> dict[str, StoredArray]:
    """The arrays that a run has, by name."""
    layout, count = manifest.layout, manifest.examples.count
    arrays = list(task_of(manifest).arrays(manifest))
    if manifest.images is not None and manifest.images.stored:
        in_chunk, in_shard = layout.images_per_chunk, layout.images_per_shard
        shape, dtype = (count, *manifest.images.shape), manifest.images.dtype
        arrays.append(
            StoredArray("images", shape, dtype, ("example", "height", "width", "channel"), in_chunk, in_shard, 0)
        )
    if manifest.features is not None:
        attributes = {"long_name": "features by which examples are alike"}
        arrays.append(by_example("features", count, ("feature", manifest.features), attributes))
    return {array.name: array for array in arrays}


def read_whole_manifest(folder: Folder, name: str = NAME) -> Manifest:
    """Read a manifest and check its list of files.

    Raises:
        CorruptRunError: it is damaged, or a file is missing from its list, or another one is on it.
        Others: as `read_manifest`.
    """
    manifest = read_manifest(folder, name)
    arrays = stored_arrays(manifest)
    alone = [manifest.table, *_optional_files(manifest)]
    expected = 1 + len(alone) + sum(1 + array.shards for array in arrays.values())
    if manifest.state == "finished" and len(manifest.files) != expected:
        count = manifest.examples.count
        what = f"is damaged: {count} examples take {expected} files, and {len(manifest.files)} are listed"
        raise corrupt(folder.address(name), what)
    others = {f"{manifest.store}/{file}" for file in ("zarr.json", *(f"{array}/zarr.json" for array in arrays))}
    for file in manifest.files.keys() - others - set(alone):
        inner, _, shard = file.rpartition("/c.")
        array = arrays.get(inner.removeprefix(f"{manifest.store}/"))
        number = shard.partition(".")[0]
        there = array and number.isdecimal() and len(number) < 14 and int(number) < array.shards
        if not array or not there or file != shard_file(manifest, array, int(number)):
            raise corrupt(folder.address(name), f"is damaged: {file!r:.100} is no file of such a run")
    return manifest


def expected_files(manifest: Manifest) -> Iterator[str]:
    """Return all files of a finished run except its manifest."""
    yield f"{manifest.store}/zarr.json"
    for array in stored_arrays(manifest).values():
        yield f"{manifest.store}/{array.name}/zarr.json"
        for shard in range(array.shards):
            yield shard_file(manifest, array, shard)
    yield manifest.table
    yield from _optional_files(manifest)


def _optional_files(manifest: Manifest) -> list[str]:
    columns = [COLUMNS] if manifest.examples.columns_sha256 is not None else []
    return columns + ([manifest.model_file] if manifest.model_file else [])


def shard_file(manifest: Manifest, array: StoredArray, shard: int) -> str:
    """The file of one shard of an array."""
    return f"{manifest.store}/{array.name}/{array.key(shard)}"


def complete_shards(manifest: Manifest) -> list[int]:
    """The numbers of the shards whose passes are complete."""
    prefixes = [f"{manifest.store}/{name}/c." for name in task_of(manifest).pass_arrays(manifest)]
    shards = [{int(file.split(".")[2]) for file in manifest.files if file.startswith(prefix)} for prefix in prefixes]
    return sorted(set.intersection(*shards))


def bytes_per_prediction(
    passes: np.ndarray, task: str, predicts: Predicts, label_maps: LabelMaps | None = None
) -> float:
    """Estimate bytes on disk of a prediction from the first (T, n, K) passes."""
    count, width = passes.shape[1], passes.shape[2]
    classes, targets = TASKS[task].default_names(width // (label_maps.pixels if label_maps else 1), predicts)
    manifest = Manifest(
        task=task,
        passes=len(passes),
        classes=len(classes),
        targets=targets,
        predicts=predicts,
        label_maps=label_maps,
        examples=Examples("none", count, ""),
        images=None,
        labels_sha256=None,
        model=None,
        seed=None,
        masks=None,
        origin=Origin("imported"),
        scores=(),
        layout=layout_for(len(passes), width, None),
    )
    rows = min(count, manifest.layout.examples_per_chunk)
    encoded = task_of(manifest).encode(manifest, passes[:, :rows], None)
    arrays = stored_arrays(manifest)
    return sum(len(encode_shard(arrays[name], 0, part)) for name, part in encoded.items()) / (rows * len(passes))


def encode_shard(array: StoredArray, shard: int, rows: np.ndarray) -> bytes:
    """The file of one shard.

    Args:
        array: that it is part of.
        shard: its number.
        rows: its rows, of the array's dtype.
    """
    files: dict[str, Any] = {}
    start = shard * array.shard
    _create_array(array, files)[start : start + len(rows)] = rows
    return bytes(files[array.key(shard)].to_bytes())


def encode_metadata(array: StoredArray) -> bytes:
    """The `zarr.json` of an array."""
    files: dict[str, Any] = {}
    _create_array(array, files)
    return bytes(files["zarr.json"].to_bytes())


class ArrayReader:
    """Reads rows of a run's arrays after checking file checksums.

    Verified bytes stay in bounded memory. Threads may share a reader.
    """

    def __init__(self, folder: Folder, manifest: Manifest) -> None:
        self._folder, self._manifest = folder, manifest
        self._arrays = stored_arrays(manifest)
        self._opened: dict[str, tuple[zarr.Array[Any], dict[str, Any]]] = {}
        self._cached: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._reading = threading.Lock()

    def rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return stored rows `start` to `stop` of an array.

        Raises:
            FileNotFoundError: a file is gone.
            CorruptRunError: a file is not what was written.
        """
        array = self._arrays[name]
        stop = array.shape[0] if stop is None else stop
        if start >= stop:
            return np.empty((0, *array.shape[1:]), array.dtype)
        pieces = []
        for shard in range(start // array.shard, -(-stop // array.shard)):
            first = shard * array.shard
            pieces.append(self._decode(array, [shard], slice(max(start, first), min(stop, first + array.shard))))
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def take(self, name: str, places: Places) -> np.ndarray:
        """Return stored rows by number, in their order; errors as of `rows`."""
        array, numbers = self._arrays[name], as_numbers(places)
        rows = np.empty((len(numbers), *array.shape[1:]), array.dtype)
        # Zarr reads from several files at once, but is slow at it where a file has several chunks.
        together = 1
        if len(numbers) and array.shard == array.chunk:
            together = max(1, CACHED_BYTES // 2 // (array.shard * rows[0].nbytes))
        shards = numbers // array.shard
        groups = shards // together
        for group in np.unique(groups).tolist():
            within = groups == group
            wanted, files = numbers[within], np.unique(shards[within]).tolist()
            first, last = int(wanted.min()), int(wanted.max())
            if len(files) == 1 and last - first < MOST_BETWEEN * len(wanted):
                rows[within] = self._decode(array, files, slice(first, last + 1))[wanted - first]
            else:
                rows[within] = self._decode(array, files, wanted)
        return rows

    def _load_shard(self, array: StoredArray, shard: int) -> "zarr.Array[Any]":
        opened, files = self._opened.get(array.name) or self._open(array)
        key = array.name, shard
        if key not in self._cached:
            content = read_verified(self._folder, self._manifest, shard_file(self._manifest, array, shard))
            self._make_room(len(content))
            files[array.key(shard)] = _buffer(content)
            self._cached[key] = len(content)
        self._cached.move_to_end(key)
        return opened

    def _open(self, array: StoredArray) -> "tuple[zarr.Array[Any], dict[str, Any]]":
        import zarr
        from zarr.storage import MemoryStore

        name = f"{self._manifest.store}/{array.name}/zarr.json"
        files: dict[str, Any] = {"zarr.json": _buffer(read_verified(self._folder, self._manifest, name))}
        try:
            opened = zarr.open_array(MemoryStore(files), mode="r")
            layout = opened.shape, str(opened.dtype), opened.chunks, opened.shards or opened.chunks
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise corrupt(self._folder.address(name), f"is damaged: {error}") from error
        inner = array.shape[1:]
        if layout != (array.shape, array.dtype, (array.chunk, *inner), (array.shard, *inner)):
            raise corrupt(self._folder.address(name), f"describes another array than the manifest: {layout}")
        self._opened[array.name] = opened, files
        return self._opened[array.name]

    def _decode(self, array: StoredArray, shards: Sequence[int], index: slice | np.ndarray) -> np.ndarray:
        address = list_names([self._folder.address(shard_file(self._manifest, array, shard)) for shard in shards])
        with self._reading:
            opened, *_ = [self._load_shard(array, shard) for shard in shards]
            try:
                rows = np.asarray(opened.oindex[index])
            except (ValueError, RuntimeError, TypeError, IndexError) as error:  # what Zarr and its codecs raise
                raise corrupt(address, f"cannot be decoded: {error}") from error
        is_missing = rows != rows if np.isnan(array.fill_value) else rows == array.fill_value
        if array.fill_value and np.any(is_missing):
            raise corrupt(address, "lacks numbers")
        if array.bounds and np.any((rows < array.bounds[0]) | (rows > array.bounds[1])):
            raise corrupt(address, f"holds numbers beyond {array.bounds[0]:g} to {array.bounds[1]:g}")
        return rows

    def _make_room(self, size: int) -> None:
        while self._cached and sum(self._cached.values()) + size > CACHED_BYTES:
            (name, shard), _ = self._cached.popitem(last=False)
            del self._opened[name][1][self._arrays[name].key(shard)]


def _create_array(array: StoredArray, files: dict[str, Any]) -> "zarr.Array[Any]":
    import zarr
    from zarr.codecs import BloscCodec
    from zarr.storage import MemoryStore

    inner = array.shape[1:]
    return zarr.create_array(
        MemoryStore(files),
        shape=array.shape,
        dtype=array.dtype,
        chunks=(array.chunk, *inner),
        shards=None if array.shard == array.chunk else (array.shard, *inner),
        fill_value=array.fill_value,
        compressors=BloscCodec(cname="zstd", clevel=5, shuffle="shuffle"),
        dimension_names=array.dimensions,
        chunk_key_encoding={"name": "default", "separator": "."},
        attributes=array.attributes,
        config={"write_empty_chunks": True},  # or a shard of nothing but the fill value would be no file
    )


def _buffer(content: bytes) -> Any:
    from zarr.core.buffer import cpu

    return cpu.Buffer.from_bytes(content)
