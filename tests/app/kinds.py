"""Runs of different kinds, as people bring them: `cache_of_kinds` makes them, for AppTest and for a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from msgspec.structs import replace

import mcviz
from mcviz.runs import PRESETS
from tests.app.hostile import HOSTILE

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
    return {"labels": None, "data": rng.integers(0, 256, (len(labels), 16, 16, 4), dtype=np.uint8)}


def _thousand(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    names = [f"class {c}: {'a name of words ' * (c % 3)}" for c in range(1000)]
    return {"class_names": names, "data": photographs(rng, len(labels), 64, 64)}


def _long_names(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    names = [f"{c} Carcinoma, poorly differentiated, of the part number {c}" for c in range(12)]
    return {"class_names": names, "data": photographs(rng, len(labels), 48, 48)}


def _photographs(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    names = ["beach", "city", "forest", "mountain", "river"]
    deterministic = passes(rng, len(labels), 5, labels, 1)[0]
    return {"class_names": names, "data": photographs(rng, len(labels), 100, 100), "deterministic": deterministic}


def _tall(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    return {"data": photographs(rng, len(labels), 128, 32)}


def _wide_standardised(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    done = replace(PRESETS["imagenet"], applied=True, reason="As ImageNet's.")
    standardised = (photographs(rng, len(labels), 32, 128) / np.float32(255) - done.mean) / done.std
    return {"data": standardised.astype(np.float32), "preprocessing": done}


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
        "data": photographs(rng, len(labels), 32, 32),
        "ids": [f"scans/2024/picture_{example:03}.png" for example in range(len(labels))],
        "columns": pd.DataFrame(columns),
    }


def _icons_features(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    features = rng.normal(size=(len(labels), 7)) + 4 * np.eye(5, 7)[labels]
    images = rng.normal(size=(len(labels), 8, 8, 2)).astype(np.float32)
    return {"data": images, "features": features.astype(np.float32)}


def _two_classes(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    return {"class_names": ["healthy", "ill"], "features": rng.normal(size=(len(labels), 3)).astype(np.float32)}


# Texts and rows

TEXTS = [
    *HOSTILE,
    "",
    " \t\n ",
    "no",
    "A film of few words.\nAnd of two lines.\r\n\r\nThe third comes after an empty one.",
    "    indented = [1, 2]\n    for each in indented:\n\tprint(each)",
    "# Not a heading\n\n* not\n* a list\n\n> nor said\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n---\n```\nnor code\n```",
    "פיל אפור הלך ליער (wood) וחזר, 1984.",
    "كتاب جميل عن البحر، قرأته مرتين!",
    "日本語の文には、単語の間に空白がありません。" * 4,
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 e\u0301 \u200b a\u0338 Z͑ͫ̓a̴l̵g̶o",
    "Donaudampfschifffahrtsgesellschaft" * 12,
    "A sentence that goes on, and on, with a comma or two. " * 400,
]
FEW_TEXTS = ["A good film.", "A bad film.", "A film."]


def _texts(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    texts = [TEXTS[example % len(TEXTS)] for example in range(len(labels))]
    return {"data": texts, "class_names": ["bad", "neither", "good"], "columns": _sources(rng, len(labels))}


def _few_texts(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    return {"data": FEW_TEXTS, "labels": labels[: len(FEW_TEXTS)]}


def _rows(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    """Four columns: one constant, one of huge values, one of few, one of tiny; with names that could do harm."""
    values = [
        np.full(len(labels), 7.0),
        rng.normal(0, 1e37, len(labels)),
        rng.integers(0, 2, len(labels)),
        1e-30 * rng.normal(size=len(labels)),
    ]
    rows = pd.DataFrame(dict(zip(list(HOSTILE)[:4], values, strict=True)), dtype=np.float32)
    return {"data": rows, "columns": _sources(rng, len(labels))}


def _wide_rows(rng: np.random.Generator, labels: np.ndarray) -> dict[str, Any]:
    return {"data": pd.DataFrame(rng.normal(size=(len(labels), 300)), dtype=np.float32).add_prefix("sensor ")}


def _sources(rng: np.random.Generator, count: int) -> pd.DataFrame:
    return pd.DataFrame({"source": rng.choice(SOURCES, count)})


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
    "texts": (3, _texts),
    "few-texts": (2, _few_texts),
    "rows": (5, _rows),
    "wide-rows": (5, _wide_rows),
}


# Regression


def outputs(rng: np.random.Generator, labels: np.ndarray, draws: int = 12) -> np.ndarray:
    """(T, N, D) float32 outputs about labels (N, D), each example with an error and a spread of its own."""
    centres = labels + rng.normal(0, 10, labels.shape)
    spreads = rng.gamma(2, 5, (len(labels), 1))
    return (centres + spreads * rng.normal(size=(draws, *labels.shape))).astype(np.float32)


def _targets(rng: np.random.Generator, targets: int = 1, examples: int = EXAMPLES) -> np.ndarray:
    return rng.normal(150, 70, (examples, targets)).round()


def _of_rows(rng: np.random.Generator) -> dict[str, Any]:
    labels = _targets(rng)
    rows = pd.DataFrame(rng.normal(50, 10, (EXAMPLES, 4)), columns=["age", "bmi", "blood pressure", "glucose"])
    return {
        "passes": outputs(rng, labels),
        "labels": labels,
        "data": rows,
        "deterministic": outputs(rng, labels, 1)[0],
        "target_names": ["progression"],
        "unit": "mg/dl",
        "columns": _sources(rng, EXAMPLES),
    }


def _of_texts_with_variances(rng: np.random.Generator) -> dict[str, Any]:
    labels = _targets(rng)
    means = outputs(rng, labels)
    variances = np.log(rng.gamma(2, 50, means.shape))
    texts = [TEXTS[example % len(TEXTS)] for example in range(EXAMPLES)]
    predicted = np.concatenate([means, variances], axis=-1).astype(np.float32)
    return {"passes": predicted, "predicts": "mean,log_variance", "labels": labels, "data": texts}


def _of_pictures(rng: np.random.Generator) -> dict[str, Any]:
    labels = _targets(rng)
    return {"passes": outputs(rng, labels), "labels": labels, "data": photographs(rng, EXAMPLES, 48, 48), "unit": "°C"}


def _without_labels(rng: np.random.Generator) -> dict[str, Any]:
    return {"passes": outputs(rng, _targets(rng))}


def _three_targets(rng: np.random.Generator) -> dict[str, Any]:
    labels = _targets(rng, 3)
    means = outputs(rng, labels)
    predicted = np.concatenate([means, rng.gamma(2, 50, means.shape)], axis=-1).astype(np.float32)
    names = [f"*x* of {SOURCES[2]}", "y <b>", "a name of words " * 6]
    return {"passes": predicted, "predicts": "mean,variance", "labels": labels, "target_names": names, "unit": "$m$"}


def _without_errors(rng: np.random.Generator) -> dict[str, Any]:
    """Passes that are one above and one below the label, whose mean is the label."""
    labels = _targets(rng)
    return {"passes": (labels + np.array([1, -1] * 6)[:, None, None]).astype(np.float32), "labels": labels}


def _one_example(rng: np.random.Generator) -> dict[str, Any]:
    labels = _targets(rng, examples=1)
    return {"passes": outputs(rng, labels), "labels": labels}


def _two_passes(rng: np.random.Generator) -> dict[str, Any]:
    labels = _targets(rng)
    return {"passes": outputs(rng, labels, 2), "labels": labels}


REGRESSIONS: dict[str, Callable[[np.random.Generator], dict[str, Any]]] = {
    "regression-of-rows": _of_rows,
    "regression-of-texts-with-variances": _of_texts_with_variances,
    "regression-of-pictures": _of_pictures,
    "regression-without-labels": _without_labels,
    "regression-of-three-targets": _three_targets,
    "regression-without-errors": _without_errors,
    "regression-of-one-example": _one_example,
    "regression-of-two-passes": _two_passes,
}


def cache_of_kinds(folder: Path) -> None:
    """Make a run of each of `KINDS` and `REGRESSIONS` in a folder; none has a model."""
    for name, (classes, contents) in KINDS.items():
        rng = np.random.default_rng(0)
        labels = rng.integers(0, classes, EXAMPLES)
        given = {"labels": labels, "source": f"a test of *{name}*", **contents(rng, labels)}
        count = len(FEW_TEXTS) if name == "few-texts" else EXAMPLES
        mcviz.write_run(folder / name, passes(rng, count, classes, labels[:count]), **given)
    for name, regression in REGRESSIONS.items():
        given = regression(np.random.default_rng(0))
        predicted = given.pop("passes")
        mcviz.write_run(folder / name, predicted, task="regression", source=f"a test of *{name}*", **given)
