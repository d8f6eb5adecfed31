"""What tests of several folders work on, made small."""

import io
import json
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import mcviz
from mcviz.runs import Run

if TYPE_CHECKING:
    import keras
    import pandas as pd

# Arrays of predictions


def draw_probs(
    random: np.random.Generator,
    labels: np.ndarray,
    *,
    passes: int,
    classes: int = 3,
    lean: float | np.ndarray,
    shared: float = 0.0,
    noise: float = 1.0,
) -> np.ndarray:
    """(T, N, C) float32 probabilities that lean to the labels, by so much or by (N,) numbers.

    The logits have `noise` of each pass, and what is `shared` by all passes.
    """
    from scipy.special import softmax

    shape = len(labels), classes
    logits = noise * random.normal(size=(passes, *shape)) + shared * random.normal(size=shape)
    logits += np.asarray(lean)[..., None] * np.eye(classes)[labels]
    return softmax(logits, axis=-1).astype(np.float32)


def make_doubtful_run(path: Path, examples: int, seed: int, *, labelled: bool = True, doubt: float = 1.0) -> Run:
    """A run of a model that is often wrong where its passes are in doubt; more `doubt` is another distribution."""
    import pandas as pd

    random = np.random.default_rng(seed)
    labels, certainty = random.integers(3, size=examples), random.gamma(3, 2 / doubt, examples)
    probs = draw_probs(random, labels, passes=8, lean=certainty, shared=1, noise=0.3)
    columns = pd.DataFrame({"source": np.where(np.arange(examples) % 3 == 0, "a", "b"), "number": np.arange(examples)})
    columns.loc[:4, "source"] = None
    return mcviz.write_run(
        path,
        probs,
        labels=labels if labelled else None,
        ids=[f"item {example}" for example in range(examples)],
        columns=columns,
        class_names=["cat", "dog", "=owl"],
    )


# Files that users bring


def write_file(path: Path, content: str | bytes) -> Path:
    """A file of just this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_npz(path: Path, **arrays: Any) -> Path:
    """Arrays by their names, as `numpy.savez` writes them."""
    np.savez(path, **arrays)
    return path


def write_table(table: "pd.DataFrame", path: Path) -> Path:
    """A table in the format of the path's ending: .parquet, .jsonl, .ndjson, .tsv or .csv."""
    if path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix in (".jsonl", ".ndjson"):
        table.to_json(path, orient="records", lines=True, force_ascii=False)
    else:
        table.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


def encode_picture(picture: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture file: of a uint8 array (H, W), (H, W, 1) or (H, W, channels), or of Pillow's own."""
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 and picture.ndim == 3 else picture)
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def write_png(path: Path, image: np.ndarray) -> Path:
    """A PNG, in a folder that is made for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_file(path, encode_picture(image))


def write_pngs(folder: Path, images: np.ndarray, folders: Iterable[str] | None = None) -> Path:
    """A folder of 0.png, 1.png and so on, each in a folder of its own class where these are given."""
    folders = [""] * len(images) if folders is None else folders
    for number, (image, name) in enumerate(zip(images, folders, strict=True)):
        write_png(folder / name / f"{number}.png", image)
    return folder


def encode_idx(array: np.ndarray) -> bytes:
    """The bytes of an IDX file, as MNIST comes in."""
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_saved_dataset(
    folder: Path,
    columns: Mapping[str, Any],
    features: Mapping[str, Any] | None = None,
    order: list[int] | None = None,
) -> Path:
    """A data set as Hugging Face's `save_to_disk` writes it."""
    import pyarrow as pa

    folder.mkdir(parents=True)
    files = {"data-00000-of-00001.arrow": pa.table(dict(columns))}
    state: dict[str, object] = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_indices_files": None}
    if order is not None:
        files["indices-1.arrow"] = pa.table({"indices": pa.array(order, pa.uint64())})
        state["_indices_files"] = [{"filename": "indices-1.arrow"}]
    for name, table in files.items():
        with pa.ipc.new_stream(folder / name, table.schema) as writer:
            writer.write_table(table, max_chunksize=4)
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features or {}}))
    return folder


# Networks


def dropout_network(
    shape: tuple[int | None, ...],
    *front: "keras.Layer",
    classes: int = 4,
    hidden: int = 0,
    rate: float = 0.5,
    activation: str | None = "softmax",
    dtype: str = "float32",
    seed: int = 0,
) -> "keras.Model":
    """A Keras model of `front`, a dense layer where `hidden` has units for it, dropout and a dense layer."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(seed)
    dense = [layers.Dense(hidden, "relu", name="hidden")] if hidden else []
    last = [layers.Dropout(rate, seed=1, name="dropped"), layers.Dense(classes, activation, name="classes")]
    return keras.Sequential([keras.Input(shape, dtype=dtype), *front, layers.Flatten(), *dense, *last], name="small")


# Stopping


class Stop(BaseException):
    """What Streamlit raises to leave a page, and no `Exception`."""


def stop_after(share: float) -> Callable[[int, int], None]:
    """A progress that raises `Stop` when more than a share is done."""

    def progress(done: int, total: int) -> None:
        if done > share * total:
            raise Stop

    return progress
