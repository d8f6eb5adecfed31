"""Ten runs of different kinds, as people bring them: `cache_of_kinds` makes them, for AppTest and for a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from msgspec.structs import replace

import mcviz
from mcviz.runs import PRESETS

EXAMPLES = 40
SOURCES = ("clinic A", "clinic B", "web [scan](x)")


def passes(
    rng: np.random.Generator, count: int, classes: int, labels: np.ndarray | None, draws: int = 12
) -> np.ndarray:
    """(T, N, C) float32 probabilities that lean to the labels."""
    logits = rng.normal(size=(draws, count, classes)) + 2 * rng.normal(size=(count, classes))
    if labels is not None:
        logits[:, np.arange(count), labels] += 3
    exponentials = np.exp(logits)
    return (exponentials / exponentials.sum(axis=-1, keepdims=True)).astype(np.float32)


def photographs(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    """(N, height, width, 3) uint8: smooth colours with a bright disc."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    pictures = np.empty((count, height, width, 3), np.uint8)
    for picture in pictures:
        phases, (cy, cx) = rng.uniform(0, 6, 3), rng.uniform(0.2, 0.8, 2) * (height, width) / max(height, width)
        ground = 110 + 80 * np.sin(5 * x[..., None] + 4 * y[..., None] + phases)
        picture[:] = np.where(((x - cx) ** 2 + (y - cy) ** 2 < 0.02)[..., None], rng.integers(160, 256, 3), ground)
    return pictures


def _forest(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    return {"source": "the trees of a random forest"}


def _unlabelled(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    return {"labels": None, "images": rng.integers(0, 256, (len(labels), 16, 16, 4), dtype=np.uint8)}


def _thousand(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    names = [f"class {c}: {'a name of words ' * (c % 3)}" for c in range(1000)]
    return {"class_names": names, "images": photographs(rng, len(labels), 64, 64)}


def _long_names(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    names = [f"{c} Carcinoma, poorly differentiated, of the part number {c}" for c in range(12)]
    return {"class_names": names, "images": photographs(rng, len(labels), 48, 48)}


def _photographs(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    names = ["beach", "city", "forest", "mountain", "river"]
    deterministic = passes(rng, len(labels), 5, labels, 1)[0]
    return {"class_names": names, "images": photographs(rng, len(labels), 224, 224), "deterministic": deterministic}


def _tall(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    return {"images": photographs(rng, len(labels), 128, 32)}


def _wide_standardised(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    done = replace(PRESETS["imagenet"], applied=True, reason="As ImageNet's.")
    standardised = (photographs(rng, len(labels), 32, 128) / np.float32(255) - done.mean) / done.std
    return {"images": standardised.astype(np.float32), "preprocessing": done}


def _columns(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    columns = {
        "source": rng.choice(SOURCES, len(labels)),
        "age": rng.normal(50, 10, len(labels)),
        "taken": pd.date_range("2024-01-01", periods=len(labels), freq="D"),
        "*note*": [f"<b>note</b> {example}" for example in range(len(labels))],
        "label_name": ["mine"] * len(labels),
        "image": [None, *range(1, len(labels))],
    }
    return {
        "images": photographs(rng, len(labels), 32, 32),
        "ids": [f"scans/2024/picture_{example:03}.png" for example in range(len(labels))],
        "columns": pd.DataFrame(columns),
    }


def _icons_features(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    features = rng.normal(size=(len(labels), 7)) + 4 * np.eye(5, 7)[labels]
    images = rng.normal(size=(len(labels), 8, 8, 2)).astype(np.float32)
    return {"images": images, "features": features.astype(np.float32)}


def _two_classes(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    return {"class_names": ["healthy", "ill"], "features": rng.normal(size=(len(labels), 3)).astype(np.float32)}


KINDS: dict[str, tuple[int, Callable[[np.random.Generator, np.ndarray], dict[str, Any]]]] = {
    "forest": (5, _forest),
    "unlabelled": (5, _unlabelled),
    "thousand": (1000, _thousand),
    "long-names": (12, _long_names),
    "photographs": (5, _photographs),
    "tall": (5, _tall),
    "wide-standardised": (5, _wide_standardised),
    "columns": (5, _columns),
    "icons-features": (5, _icons_features),
    "two-classes": (2, _two_classes),
}


def cache_of_kinds(folder: Path) -> None:
    """Make a run of each of `KINDS` in a folder; none has a model."""
    for name, (classes, contents) in KINDS.items():
        rng = np.random.default_rng(0)
        labels = rng.integers(0, classes, EXAMPLES)
        given = {"labels": labels, "source": f"a test of *{name}*", **contents(rng, labels)}
        mcviz.write_run(folder / name, passes(rng, EXAMPLES, classes, labels), **given)
