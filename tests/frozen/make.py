"""Make the frozen runs, and the figures that they are held to: `python -m tests.frozen.make`.

It was run once, by the version that the manifests name; `cache` and `figures.json` beside it are what it wrote. They
are not written anew: runs like these are out in the world, and every later version has to open them as they are. One,
`summary`, was made by `keep="summary"`, which is not there any more, and every later version has to refuse it by name.
"""

import hashlib
import json
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from msgspec.structs import asdict, replace

import mcviz
from mcviz.data import DataSet, as_data_set
from mcviz.jobs import Jobs
from mcviz.reviews import open_reviews
from mcviz.runs import Run, open_run

FOLDER = Path(__file__).parent
CACHE, FIGURES = FOLDER / "cache", FOLDER / "figures.json"
SHIPPED = FOLDER.parents[1] / "cache"
WHOLE = ("classification", "texts", "regression", "imported", "growing")
FEW = {  # examples of the shipped runs
    **dict.fromkeys(("mnist-cnn", "fashion-cnn"), (0, 1247, 4999)),
    "digits-segmentation": (0, 150, 299),
}


def figures_of(run: Run, examples: tuple[int, ...] | None = None) -> dict[str, Any]:
    """What a run says: its digest, the bits of all arrays and scores that it stores, and its table.

    Args:
        run: to be asked.
        examples: whose passes and rows of the table are taken; all without it.
    """
    table, chosen = run.table(), list(range(len(run)) if examples is None else examples)
    stored: dict[str, Any] = {
        "mean": run.mean_predictions,
        "deterministic": run.deterministic_predictions,
        "labels": run.labels,
        "images": run.images[:] if run.has_images else None,
        "content": run.content if run.manifest.examples.content else None,
        "features": run.features,
        **{name: table[name] for name in run.manifest.scores},
    }
    stored["passes"] = [(run.label_maps if run.task.of_pixels else run.predictions)(example) for example in chosen]
    return {
        "digest": run.digest,
        "quality": run.manifest.quality,
        "bits": {name: sha256_of(values) for name, values in stored.items() if values is not None},
        "table": {name: rows_of(table[name].iloc[chosen]) for name in table},
    }


def rows_of(column: pd.Series) -> list[Any]:
    """The values of a column, of types that JSON has; what is missing is None."""
    return column.astype(object).where(column.notna(), None).tolist()


def sha256_of(values: Any) -> str:
    """Of the bits of an array, or of texts."""
    array = np.asarray(values)
    content = json.dumps(array.tolist()).encode() if array.dtype == object else array.tobytes()
    return hashlib.sha256(f"{array.dtype} {array.shape}".encode() + content).hexdigest()


def reviews_in(cache: Path) -> list[dict[str, Any]]:
    """The history of the reviews of a run."""
    rows = open_reviews(open_run(cache / "classification")).rows()
    return json.loads(json.dumps([asdict(row) for row in rows], default=str))


def jobs_in(cache: Path) -> list[dict[str, Any]]:
    """The jobs of a folder of runs, with what they are doing."""
    found = [{**asdict(each.job), "state": each.state, "message": each.message} for each in Jobs(cache).found()]
    return json.loads(json.dumps(found))


def _make_runs() -> None:
    import keras
    from keras import layers

    from mcviz.sampling import run_sampling

    layout_for = run_sampling.layout_for
    run_sampling.layout_for = lambda *sizes: replace(layout_for(*sizes), examples_per_chunk=2, examples_per_shard=4)
    keras.utils.set_random_seed(0)
    hidden = [layers.Flatten(), layers.Dense(6, activation="relu"), layers.Dropout(0.5)]
    last = layers.Dense(3, activation="softmax")
    model = keras.Sequential([keras.Input((4, 4, 1)), *hidden, last], name="of_images")
    images = DataSet((np.arange(192) ** 2 % 251).astype(np.uint8).reshape(12, 4, 4, 1), np.arange(12) * 2 % 3)
    same: dict[str, Any] = {"seed": 3, "class_names": ("circle", "square", "star"), "about": {"licence": "CC0"}}
    mcviz.sample_run(model, images, CACHE / "classification", passes=8, **same)
    mcviz.sample_run(model, images, CACHE / "growing", passes=2, keep_model=False, **same)
    with suppress(InterruptedError):
        mcviz.sample_run(model, images, CACHE / "growing", passes=8, keep_model=False, progress=_stop_halfway, **same)
    with suppress(InterruptedError):
        mcviz.sample_run(model, images, CACHE / "partial", passes=8, progress=_stop_halfway, **same)

    texts = ["a good film", "bad", "", "日本語", 'never, "again"', "A film\nof two lines.", "long, long", "e\u0301"]
    front = layers.TextVectorization(vocabulary=["film", "good", "bad", "long"], output_sequence_length=4)
    hidden = [layers.Embedding(6, 3), layers.GlobalAveragePooling1D(), layers.Dropout(0.3)]
    last = layers.Dense(2, activation="softmax")
    model = keras.Sequential([keras.Input((1,), dtype="string"), front, *hidden, last], name="of_texts")
    mcviz.sample_run(model, as_data_set((texts, np.arange(8) % 2)), CACHE / "texts", passes=8)

    rows = pd.DataFrame({"height": np.arange(9) * 0.75, "age in years": np.arange(9) % 4}, dtype=np.float32)
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(6, activation="tanh"), layers.Dropout(0.4), layers.Dense(2)], name="of_rows"
    )
    weights = np.arange(9, dtype=np.float32)[:, None] ** 2
    columns = pd.DataFrame({"place": list("aabbccaab")})
    data = DataSet(None, weights, rows=rows, columns=columns, target_names=("weight",))
    mcviz.sample_run(
        model, data, CACHE / "regression", passes=8, task="regression", predicts="mean,log_variance", unit="kg"
    )

    passes = (np.arange(5 * 7 * 3) * 7 % 11 + 1).astype(np.float32).reshape(5, 7, 3)
    mcviz.write_run(
        CACHE / "imported",
        passes / passes.sum(axis=2, keepdims=True),
        labels=np.arange(7) % 3,
        ids=[f"scan {example}" for example in range(7)],
        features=np.arange(14, dtype=np.float32).reshape(7, 2),
        source="an ensemble of five",
    )


def _stop_halfway(done: int, total: int) -> None:
    if done >= total / 2:
        raise InterruptedError


def _make_reviews() -> None:
    reviews = open_reviews(open_run(CACHE / "classification"))
    reviews.add(0, "Ada", "class", class_name="star", label="circle")
    reviews.add(0, "Grace", "wrong_label", label="circle")
    reviews.add(1, "Ada", "none", label="star")
    reviews.add(2, "Ada", "skip", label="square")
    reviews.add(2, "Grace", "note", note="Blurred;\nask again.", label="square")
    reviews.add(3, "Grace", "class", class_name="circle", label="circle")
    reviews.undo("Ada")


def _make_jobs() -> None:
    """One that fails, since its model is not there, and one that is paused while it waits."""
    jobs = Jobs(CACHE)
    jobs.add("sample", ["--model=nowhere.keras", "--data=nowhere.npz", "--passes=8"], "failed", "A model that is gone")
    options = ["--model=of_images.keras", "--data=images.npz", "--passes=8", "--seed=3"]
    job = jobs.add("sample", options, "partial", "The partial run", about={"note": "kept"}, address={"page": "runs"})
    jobs.pause(job.id)
    while any(each.alive for each in jobs.found()):
        time.sleep(0.1)


if __name__ == "__main__":
    _make_runs()
    _make_reviews()
    _make_jobs()
    with tempfile.TemporaryDirectory() as folder:  # where scores that runs do not store may be kept
        copy = Path(shutil.copytree(CACHE, Path(folder) / "cache"))
        runs = {name: figures_of(open_run(copy / name)) for name in WHOLE}
    runs |= {name: figures_of(open_run(SHIPPED / name), few) for name, few in FEW.items()}
    content = {"runs": runs, "reviews": reviews_in(CACHE), "jobs": jobs_in(CACHE)}
    FIGURES.write_text(json.dumps(content) + "\n", encoding="utf-8")
