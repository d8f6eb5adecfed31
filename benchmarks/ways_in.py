"""The cost of each way in: seconds and peak memory of one command, from a person's own data to a run.

    python benchmarks/ways_in.py

Data are made up on the fly. Each command runs in a process of its own, whose memory is that which the system counted,
with all libraries. Files have been written a moment before: the disk's own speed is not measured.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
PHOTOGRAPHS, CLASSES, SIZE = 2000, 10, (500, 375)
MODEL = """
import keras
layers = keras.layers
stack = [keras.Input((96, 96, 3)), layers.Rescaling(1 / 255)]
for filters in (16, 32, 64):
    stack += [layers.Conv2D(filters, 3, strides=2), layers.BatchNormalization(), layers.ReLU()]
stack += [layers.GlobalAveragePooling2D(), layers.Dropout(0.5), layers.Dense(10, "softmax")]
keras.Sequential(stack).save("model.keras")
"""
FOREST = """
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
digits = load_digits()
forest = RandomForestClassifier(100, random_state=0).fit(digits.data[:900], digits.target[:900])
np.save("forest.npy", np.stack([tree.predict_proba(digits.data[900:]) for tree in forest.estimators_]))
np.savez("digits.npz", images=np.float32(digits.images[900:] / 16), labels=digits.target[900:])
"""
ITERATOR = """
import mcviz, numpy as np
def passes():
    for number in range(50):
        probs = np.random.default_rng(number).random(({count}, 10), dtype=np.float32)
        probs /= probs.sum(axis=1, keepdims=True)
        yield probs
mcviz.write_run("iterated-{count}", passes())
"""


def main() -> None:
    """Print a Markdown table, a row a way in."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        python = [sys.executable, "-c"]
        rows: dict[str, str | list[str]] = {
            "100 trees of a random forest, 897 digits": "import forest.npy --data digits.npz --out forest",
            "2,000 photographs of 500 × 375, Keras with BatchNormalization, 100 passes": (
                "sample --model model.keras --data photographs --passes 100 --out photographs-run"
            ),
            "an npz as PyTorch's tensors give it: 50 × 10,000 × 10 logits": (
                "import torch.npz --from-logits --data images.npy --out torch"
            ),
            "an iterator of 50 × 10,000 × 10": [*python, ITERATOR.format(count=10_000)],
            "an iterator of 50 × 100,000 × 10": [*python, ITERATOR.format(count=100_000)],
            "an iterator of 50 × 1,000,000 × 10": [*python, ITERATOR.format(count=1_000_000)],
        }
        print("| way in | command | time | peak memory |\n|---|---|---|---|")
        for name, command in rows.items():
            typed = command if isinstance(command, list) else [sys.executable, "-m", "mcviz", *command.split()]
            seconds, peak = measured(typed, Path(folder))
            shown = f"`mcviz {command}`" if isinstance(command, str) else "`mcviz.write_run(RUN, passes())`"
            print(f"| {name} | {shown} | {seconds:.1f} s | {peak / 1e6:,.0f} MB |", flush=True)


def prepare(folder: Path) -> None:
    """Make up what the commands are given."""
    for code in (MODEL, FOREST):
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, env=environment(), capture_output=True)
    rng = np.random.default_rng(0)
    across, down = np.meshgrid(np.linspace(0, 200, SIZE[0]), np.linspace(0, 200, SIZE[1]))
    for number in range(PHOTOGRAPHS):
        place = folder / "photographs" / f"class {number % CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        tint = rng.random(3)
        picture = across[..., None] * tint + down[..., None] * tint[::-1] * 0.2 + rng.random((*across.shape, 3)) * 15
        Image.fromarray(picture.astype(np.uint8)).save(place / f"{number}.jpg", quality=85)
    logits = rng.normal(size=(50, 10_000, 10)).astype(np.float32)
    np.savez(folder / "torch.npz", logits=logits, labels=rng.integers(0, 10, 10_000))
    np.save(folder / "images.npy", rng.random((10_000, 3, 32, 32), dtype=np.float32))


def measured(command: list[str], folder: Path) -> tuple[float, int]:
    """Seconds, and bytes of memory at the most."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - started, used.ru_maxrss * 1024


def environment() -> dict[str, str]:
    """In which mcviz need not be installed."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


if __name__ == "__main__":
    main()
