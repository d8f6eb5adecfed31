"""Whatever is wrong with what people type ends in one clear line, exit code 2, and nothing left behind.

What is wrong with data and passes themselves is told by what reads them, in tests/data and tests/test_importing.py.
"""

import re
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from mcviz.cli import main
from tests.factories import write_file, write_npz, write_pngs

RNG = np.random.default_rng(0)
LABELS = np.arange(6) % 3
CLASSES = ("ant", "bee", "cat")
PROBS = RNG.dirichlet(np.ones(3), (5, 6))
SAMPLE = "sample --model {w}/model.keras --data"
MODEL = "sample --data {w}/data.npz --passes 2 --model"
CHECK = "check --model {w}/model.keras --data"
IMPORT = "import {w}/probs.npy"


def dropout_network(shape: tuple[int | None, ...], *head: keras.Layer) -> keras.Model:
    layers = keras.layers
    first = [layers.GlobalAveragePooling2D()] if None in shape else [layers.BatchNormalization(), layers.Flatten()]
    return keras.Sequential([keras.Input(shape), *first, layers.Dropout(0.5), *(head or (layers.Dense(3, "softmax"),))])


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of what is wrong in one way each, and of what is right."""
    folder = tmp_path_factory.mktemp("wrong")
    write_models(folder)
    write_data(folder)
    return folder


def write_models(folder: Path) -> None:
    layers = keras.layers
    dropout_network((8, 8, 3)).save(folder / "model.keras")
    dropout_network((None, None, 3)).save(folder / "any.keras")
    dropout_network((8, 8, 2)).save(folder / "two.keras")
    dropout_network((8, 8, 3), layers.Dense(2)).save(folder / "pair.keras")
    dropout_network((8, 8, 3), layers.Lambda(lambda x: x), layers.Dense(3, "softmax")).save(folder / "lambda.keras")
    keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3, "softmax")]).save(
        folder / "plain.keras"
    )
    write_file(folder / "model.h5", b"\x89HDF\r\n\x1a\n" + bytes(100))
    (folder / "saved").mkdir()
    (folder / "saved/saved_model.pb").touch()
    write_file(folder / "text.keras", "no model")
    write_file(folder / "failing_layers.py", "raise RuntimeError('first line\\nsecond line')")


def write_data(folder: Path) -> None:
    images = RNG.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    for name in ("photos", "sizes", "broken"):
        write_pngs(folder / name, images, [CLASSES[label] for label in LABELS])
    write_pngs(folder / "sizes/ant", images[:1, :5])
    write_file(folder / "broken/bee/4.png", b"\x89PNG\r\n")
    write_npz(folder / "data.npz", images=images, labels=LABELS)
    write_npz(folder / "grey.npz", images=images[..., 0], labels=LABELS)
    write_npz(folder / "four.npz", images=images, labels=np.arange(6) % 4)
    write_file(folder / "latin.txt", "größe\nb\nc\n".encode("latin-1"))
    write_file(folder / "repeated.txt", "a\nb\na\n")
    write_file(folder / "rows.csv", "age,income,city,label,text\n30,1,Ulm,0,a\n40,2,Bonn,1,b\n")
    write_file(folder / "holes.csv", "age,income,label\n30,1,0\n40,,1\n")
    write_file(folder / "scaler.csv", "mean,std\n1,1\n1,1\n")
    ids = [f"{place}.png" for place in range(6)]
    pd.DataFrame({"id": ids, "label": LABELS}).to_csv(folder / "unknown.csv", index=False)
    rows = [(name, t, c, PROBS[t, e, c]) for e, name in enumerate(ids) for t in range(5) for c in range(3)]
    long_table = pd.DataFrame(rows, columns=["example", "pass", "class", "probability"])
    long_table.to_csv(folder / "named.csv", index=False)
    for name, array in {"probs": PROBS, "single": PROBS[..., :1], "values": RNG.normal(size=(5, 6, 2))}.items():
        np.save(folder / f"{name}.npy", array)


OF_MODELS = {  # `sample` and `check` load model and data by one function
    "no such model": (f"{MODEL} {{w}}/nowhere.keras", "No model at that place"),
    "no such model to check": ("check --data {w}/data.npz --model {w}/nowhere.keras", "No model at that place"),
    "a text as model": (f"{MODEL} {{w}}/text.keras", r"cannot load that model.*Save it with"),
    "an HDF5 model": (f"{MODEL} {{w}}/model.h5", r"Convert one that you trust: .*model\.save\('NAME\.keras'\)"),
    "a SavedModel": (f"{MODEL} {{w}}/saved", r"Convert one that you trust: .*\.save\('NAME\.keras'\)"),
    "a Lambda layer": (f"{MODEL} {{w}}/lambda.keras", r"A Lambda layer is Python code.*--import.*lambda\.keras\."),
    "no dropout": (f"{MODEL} {{w}}/plain.keras", "All passes would be the same"),
    "two numbers": (f"{MODEL} {{w}}/pair.keras", r"two numbers without a softmax.*--from-logits"),
    "two numbers to check": ("check --data {w}/data.npz --model {w}/pair.keras", "without a softmax.*--from-logits"),
    "two channels and pictures": ("sample --model {w}/two.keras --data {w}/photos", "1 or 3 channels.*in files"),
    "sizes that differ": (
        "sample --model {w}/any.keras --data {w}/sizes",
        "pictures of one size, since the model takes any",
    ),
    "labels of other classes": (f"{SAMPLE} {{w}}/four.npz", "class indices from 0 to 2. Received: 3"),
    "no passes at all": (f"{SAMPLE} {{w}}/data.npz --passes 0", "0 is not in the range x>=1"),
    "no such device": (f"{SAMPLE} {{w}}/data.npz --device cuda:99", r"'cuda:99' \(TensorFlow sees.*--device cpu"),
    "no name of a device": (f"{SAMPLE} {{w}}/data.npz --device GPU-1", "expected auto, cpu, cuda, cuda:N or mps"),
    "no such output": (f"{SAMPLE} {{w}}/data.npz --output side", "one of the model's outputs"),
    "from logits for probabilities": (f"{SAMPLE} {{w}}/data.npz --from-logits", "returns probabilities"),
    "a missing module": (
        f"{SAMPLE} {{w}}/data.npz --import no_layers",
        "no_layers names no module that is installed or in",
    ),
    "a path as module": (f"{SAMPLE} {{w}}/data.npz --import ./no_layers.py", "names no module"),
    "a failing module": (
        f"{SAMPLE} {{w}}/data.npz --import failing_layers",
        r"cannot be imported: RuntimeError: first line second line\.",
    ),
    "too many names": (f"{SAMPLE} {{w}}/data.npz --class-names a,b,c,d", "3 different names"),
    "names before the model": (
        "sample --model {w}/text.keras --data {w}/data.npz --class-names a,b",
        "names of 3 classes at least, by the labels. Received: 2 names",
    ),
    "another number of means": (f"{SAMPLE} {{w}}/data.npz --mean 1,2", "1 or 3 numbers.*Received: 2"),
    "ImageNet's on grey": (f"{SAMPLE} {{w}}/grey.npz --preprocess imagenet", "model takes"),
}
OF_OPTIONS = {
    "no data": (f"{SAMPLE} {{w}}/nowhere", "There is no data at"),
    "no data to check": (f"{CHECK} {{w}}/nowhere", "There is no data at"),
    "a broken picture": (f"{SAMPLE} {{w}}/broken", r"1 of 6 pictures cannot be read: bee.4\.png.*--skip-broken"),
    "missing numbers": (
        f"{SAMPLE} {{w}}/holes.csv",
        "1 values of the rows are missing .* row 1, counted from 0, column income",
    ),
    "a number twice": (f"{SAMPLE} {{w}}/rows.csv --feature-columns age,age", "names such as A,B, each once"),
    "a scaler for images": (
        f"{SAMPLE} {{w}}/data.npz --scaler {{w}}/scaler.csv",
        "--scaler is for rows of numbers. Received: .*image",
    ),
    "a scaler and a mean": (
        f"{SAMPLE} {{w}}/rows.csv --feature-columns age,income --scaler {{w}}/scaler.csv --mean 0",
        "--scaler gives mean and std. Leave out --mean",
    ),
    "a file of names that repeat": (f"{SAMPLE} {{w}}/data.npz --class-names {{w}}/repeated.txt", "different names"),
    "a file of names in Latin-1": (
        f"{SAMPLE} {{w}}/data.npz --class-names {{w}}/latin.txt",
        "cannot be read as UTF-8",
    ),
    "no file of names": (f"{SAMPLE} {{w}}/data.npz --class-names {{w}}/nowhere.txt", "there is no file"),
    "scale 0": (f"{SAMPLE} {{w}}/data.npz --scale 0", "`scale` should be finite and above 0. Received: 0"),
    "mean of words": (f"{SAMPLE} {{w}}/data.npz --mean grey", "expected numbers such as 0.5"),
}
OF_IMPORTS = {
    "no data": (f"{IMPORT} --data {{w}}/nowhere", "There is no data at"),
    "scale 0": (f"{IMPORT} --data {{w}}/data.npz --scale 0", "`scale` should be finite and above 0. Received: 0"),
    "a scaler for images": (f"{IMPORT} --data {{w}}/data.npz --scaler {{w}}/scaler.csv", "--scaler is for rows"),
    "names without one of the folders'": (
        f"{IMPORT} --data {{w}}/photos --class-names ant,bee,dog",
        "names for all of ant, bee, cat",
    ),
    "ImageNet's mean on grey": (
        f"{IMPORT} --data {{w}}/grey.npz --preprocess imagenet",
        "`mean` should be 1 number. Received: 3",
    ),
    "one class, though the images name three": (
        "import {w}/single.npy --data {w}/photos",
        "2 classes. Received: 5 and 1",
    ),
    "no such features": (f"{IMPORT} --features {{w}}/nowhere.npy", "There is no data file"),
    "unknown ids": (f"{IMPORT} --data {{w}}/photos --labels {{w}}/unknown.csv", "those of the 6 examples"),
    "names for images that have none": (
        "import {w}/named.csv --data {w}/data.npz",
        "numbers, since the examples have",
    ),
    "classes of a regression": (
        "import {w}/values.npy --task regression --class-names a,b",
        "left out for a regression",
    ),
}
CASES = {
    **OF_MODELS,
    **OF_OPTIONS,
    **{f"import: {name}": case for name, case in OF_IMPORTS.items()},
}


@pytest.mark.parametrize("name", CASES)
def test_one_line_exit_code_2_and_nothing_left_behind(
    wrong: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(wrong)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    typed, message = CASES[name]
    command = typed.format(w=wrong).split()
    out = [] if command[0] == "check" else ["--out", "run"]
    before = everything_in(wrong)
    code = main([*command, *out])
    errors = capsys.readouterr().err.splitlines()
    assert (code, len(errors)) == (2, 1), errors
    assert errors[0].startswith("mcviz: ")
    assert re.search(message, errors[0]), errors[0]
    assert everything_in(wrong) == before


def everything_in(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if "__pycache__" not in path.parts}
