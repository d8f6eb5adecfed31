"""Whatever is wrong with what people give ends in one clear line, exit code 2, and nothing left behind."""

import re
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mcviz.cli import main

RNG = np.random.default_rng(0)
LABELS = np.arange(6) % 3
CLASSES = ("ant", "bee", "cat")
PROBS = RNG.dirichlet(np.ones(3), (5, 6))
SAMPLE = "--data {w}/data.npz --passes 2"
IMPORT = "import {w}/probs.npy"


def dropout_network(shape: tuple[int | None, ...], *head: keras.Layer) -> keras.Model:
    layers = keras.layers
    first = [layers.GlobalAveragePooling2D()] if None in shape else [layers.BatchNormalization(), layers.Flatten()]
    return keras.Sequential([keras.Input(shape), *first, layers.Dropout(0.5), *(head or (layers.Dense(3, "softmax"),))])


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of what is wrong in one way each, and of what is right."""
    folder = tmp_path_factory.mktemp("wrong")
    models(folder)
    pictures(folder)
    tables(folder)
    arrays(folder)
    return folder


def models(folder: Path) -> None:
    layers = keras.layers
    dropout_network((8, 8, 3)).save(folder / "model.keras")
    dropout_network((None, None, 3)).save(folder / "any.keras")
    dropout_network((8, 8, 2)).save(folder / "two.keras")
    dropout_network((8, 8, 3), layers.Dense(2)).save(folder / "pair.keras")
    dropout_network((8, 8, 3), layers.Lambda(lambda x: x), layers.Dense(3, "softmax")).save(folder / "lambda.keras")
    keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3, "softmax")]).save(
        folder / "plain.keras"
    )
    (folder / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (folder / "saved").mkdir()
    (folder / "saved/saved_model.pb").touch()
    (folder / "text.keras").write_text("no model")
    (folder / "failing_layers.py").write_text("raise RuntimeError('first line\\nsecond line')")


def pictures(folder: Path) -> None:
    for place, label in enumerate(LABELS):
        colours = RNG.integers(0, 256, (8 + place, 9, 3), dtype=np.uint8)
        for kind in ("photos", "broken"):
            (folder / kind / CLASSES[label]).mkdir(parents=True, exist_ok=True)
            Image.fromarray(colours).save(folder / kind / CLASSES[label] / f"{place}.png")
    (folder / "broken/bee/4.png").write_bytes(b"\x89PNG\r\n")
    (folder / "empty").mkdir()
    (folder / "empty/notes.md").touch()


def tables(folder: Path) -> None:
    ids = [f"{place}.png" for place in range(6)]
    pd.DataFrame({"id": ["a", "a", *ids[2:]], "label": LABELS}).to_csv(folder / "twice.csv", index=False)
    pd.DataFrame({"id": ids, "label": LABELS + 1}).to_csv(folder / "outside.csv", index=False)
    pd.DataFrame({"id": ids, "label": LABELS}).to_csv(folder / "unknown.csv", index=False)
    pd.DataFrame({"file": ["nowhere.png"], "label": [0]}).to_csv(folder / "nowhere.csv", index=False)
    pd.DataFrame({"colour": ["red"]}).to_csv(folder / "colours.csv", index=False)
    pd.DataFrame({"example": ids, "pass": 0, "class": 0, "probability": 1.0}).to_csv(folder / "half.csv", index=False)
    rows = [(name, t, c, PROBS[t, e, c]) for e, name in enumerate(ids) for t in range(5) for c in range(3)]
    named = pd.DataFrame(rows, columns=["example", "pass", "class", "probability"])
    named.to_csv(folder / "named.csv", index=False)
    (folder / "latin.txt").write_bytes("größe\nb\nc\n".encode("latin-1"))
    (folder / "repeated.txt").write_text("a\nb\na\n")
    (folder / "text.txt").write_text("0.1 0.9\n")

    (folder / "texts").mkdir()
    (folder / "texts/empty.txt").touch()
    (folder / "missing.csv").write_text("text,label\ngood,0\n,1\n")
    (folder / "holes.csv").write_text("age,income,label\n30,1,0\n40,,1\n")
    (folder / "rows.csv").write_text("age,income,city,label,text\n30,1,Ulm,0,a\n40,2,Bonn,1,b\n")
    (folder / "scaler.csv").write_text("mean,std\n1,1\n1,0\n")
    (folder / "scaler.pkl").write_bytes(b"\x80\x04.")


def arrays(folder: Path) -> None:
    values = -abs(RNG.normal(size=(5, 6, 2)))
    np.save(folder / "values.npy", values)
    np.save(folder / "odd.npy", RNG.normal(size=(5, 6, 3)))
    np.savez(folder / "spread.npz", outputs=values, variances=values[..., :1])
    np.savez(folder / "both.npz", outputs=values, variances=abs(values))
    table = pd.DataFrame({"a": range(6), "b": range(6), "word": list("uvwxyz"), "gap": [0, 1, None, 3, 4, 5]})
    table.to_csv(folder / "targets.csv", index=False)
    (folder / "words.csv").write_text("example,pass,value\n0,0,much\n0,1,little\n")
    images = RNG.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    np.savez(folder / "data.npz", images=images, labels=LABELS)
    np.savez(folder / "grey.npz", images=images[..., 0], labels=LABELS)
    np.savez(folder / "small.npz", images=images[:, :4], labels=LABELS)
    np.savez(folder / "texts.npz", images=np.full((6, 8, 8), "red"))
    np.savez(folder / "nan.npz", images=np.where(images > 250, np.nan, images))
    np.savez(folder / "four.npz", images=images, labels=np.arange(6) % 4)
    np.savez(folder / "others.npz", images=images[:5], labels=LABELS[:5])
    nan = PROBS.copy()
    nan[3, 2] = np.nan
    for name, array in {
        "probs": PROBS,
        "square": PROBS[:, :5],
        "logits": np.log(PROBS) - 1,
        "nan": nan,
        "one": PROBS[:1],
        "single": PROBS[..., :1],
        "equal": np.repeat(PROBS[:1], 5, axis=0),
        "whole": (PROBS * 100).astype(np.int64),
        "flat": PROBS[0],
        "fixed": PROBS[0, :, :2],
        "features": RNG.normal(size=(4, 2)),
        "labels": LABELS,
    }.items():
        np.save(folder / f"{name}.npy", array)


WITH_A_MODEL = {  # with sample and check alike
    "no such model": (f"--model {{w}}/nowhere.keras {SAMPLE}", "No model at that place"),
    "a text as model": (f"--model {{w}}/text.keras {SAMPLE}", r"cannot load that model.*Save it with"),
    "an HDF5 model": (
        f"--model {{w}}/model.h5 {SAMPLE}",
        r"Convert one that you trust: .*model\.save\('NAME\.keras'\)",
    ),
    "a SavedModel": (f"--model {{w}}/saved {SAMPLE}", r"Convert one that you trust: .*\.save\('NAME\.keras'\)"),
    "a Lambda layer": (f"--model {{w}}/lambda.keras {SAMPLE}", r"A Lambda layer is Python code.*--import"),
    "no dropout": (f"--model {{w}}/plain.keras {SAMPLE}", "All passes would be the same"),
    "two numbers": (f"--model {{w}}/pair.keras {SAMPLE}", r"two numbers without a softmax.*--from-logits"),
    "two channels and pictures": ("--model {w}/two.keras --data {w}/photos", "1 or 3 channels.*pictures in files"),
    "sizes that differ": ("--model {w}/any.keras --data {w}/photos", "pictures of one size, since the model takes any"),
    "images of another size": ("--model {w}/model.keras --data {w}/small.npz", r"model takes, \(N, 8, 8, 3\)"),
    "labels of other classes": (
        "--model {w}/model.keras --data {w}/four.npz",
        "class indices from 0 to 2. Received: 3",
    ),
    "no passes at all": ("--model {w}/text.keras --data {w}/data.npz --passes 0", "0 is not in the range x>=1"),
    "no such output": (f"--model {{w}}/model.keras {SAMPLE} --output side", "one of the model's outputs"),
    "from logits for probabilities": (f"--model {{w}}/model.keras {SAMPLE} --from-logits", "returns probabilities"),
    "a missing module": (
        f"--model {{w}}/model.keras {SAMPLE} --import no_layers",
        "no_layers names no module that is installed or in",
    ),
    "a path as module": (f"--model {{w}}/model.keras {SAMPLE} --import ./no_layers.py", "names no module"),
    "a failing module": (
        f"--model {{w}}/model.keras {SAMPLE} --import failing_layers",
        r"cannot be imported: RuntimeError: first line second line\.",
    ),
    "missing numbers": (
        "--model {w}/model.keras --data {w}/holes.csv",
        "1 values of the rows are missing .* row 1, counted from 0, column income",
    ),
    "too many names": (f"--model {{w}}/model.keras {SAMPLE} --class-names a,b,c,d", "3 different names"),
    "another number of means": (f"--model {{w}}/model.keras {SAMPLE} --mean 1,2", "1 or 3 numbers.*Received: 2"),
    "ImageNet's on grey": ("--model {w}/model.keras --data {w}/grey.npz --preprocess imagenet", "model takes"),
}
IN_ALL = {  # what data and preprocessing may be wrong in, for sample, check and import
    "no data": ("{w}/nowhere", "There is no data at"),
    "no pictures": ("{w}/empty", "the folder holds no pictures"),
    "a broken picture": ("{w}/broken", r"1 of 6 pictures cannot be read: bee.4\.png.*--skip-broken"),
    "ids twice": ("{w}/twice.csv", "6 different texts, one an example. Received: 6, 5 of them different"),
    "a path to nothing": ("{w}/nowhere.csv", "nowhere.png: No such file"),
    "no column of ours": ("{w}/colours.csv", "no column of pictures"),
    "an empty text": ("{w}/texts", "1 of 1 texts cannot be read: empty.txt: it is empty.*--skip-broken"),
    "missing texts": ("{w}/missing.csv", "1 of 2 texts in text are missing, the first in row 1.*Fill them in"),
    "a city as a number": (
        "{w}/rows.csv --feature-columns age,city",
        r"numeric columns. Received: city \(.*\). Turn them into numbers",
    ),
    "no such column of texts": ("{w}/rows.csv --text-column body", "no column 'body'. It has age, income"),
    "no such number": ("{w}/rows.csv --feature-columns age --feature-columns size", "no column 'size'"),
    "a number twice": ("{w}/rows.csv --feature-columns age,age", "names such as A,B, each once"),
    "a number and label": ("{w}/rows.csv --feature-columns age,label --label-column label", "'label' is named twice"),
    "texts and numbers": ("{w}/rows.csv --text-column text --feature-columns age", "texts and rows are named"),
    "classes in two columns": (
        "{w}/rows.csv --label-column age,label",
        "classes are in one column of labels, and age, label are named",
    ),
    "a scaler for images": (
        "{w}/data.npz --scaler {w}/scaler.csv",
        "--scaler is for rows of numbers. Received: .*image",
    ),
    "no scaler": ("{w}/rows.csv --feature-columns age --scaler {w}/no.csv", "There is no scaler at"),
    "a pickled scaler": ("{w}/rows.csv --feature-columns age --scaler {w}/scaler.pkl", "pickle could run any code"),
    "a scaler of two columns": (
        "{w}/rows.csv --feature-columns age --scaler {w}/scaler.csv",
        "The rows have 1 columns",
    ),
    "a scaler with a std of 0": (
        "{w}/rows.csv --feature-columns age,income --scaler {w}/scaler.csv",
        "`std` should be above 0. Received: 0 in place 1",
    ),
    "a scaler and a mean": (
        "{w}/rows.csv --feature-columns age,income --scaler {w}/scaler.csv --mean 0",
        "--scaler gives mean and std. Leave out --mean",
    ),
    "texts as images": ("{w}/texts.npz", "floating point. Received: dtype <U3"),
    "NaN in images": ("{w}/nan.npz", "finite. Received: NaN"),
    "a text as data": ("{w}/text.txt", "none of what is taken"),
    "no such column": ("{w}/twice.csv --label-column finding", "no column 'finding'"),
    "too few names": (
        "{w}/data.npz --class-names a,b",
        "names of 3 classes at least, by the labels. Received: 2 names",
    ),
    "names that repeat": ("{w}/data.npz --class-names a,b,a", "different names. Received: a, b, a"),
    "a file of names that repeat": ("{w}/data.npz --class-names {w}/repeated.txt", "different names"),
    "a file of names in Latin-1": ("{w}/data.npz --class-names {w}/latin.txt", "cannot be read as UTF-8"),
    "no file of names": ("{w}/data.npz --class-names {w}/nowhere.txt", "there is no file"),
    "names without one of the folders'": ("{w}/photos --class-names ant,bee,dog", "names for all of ant, bee, cat"),
    "scale 0": ("{w}/data.npz --scale 0", "`scale` should be finite and above 0. Received: 0"),
    "scale nan": ("{w}/data.npz --scale nan", "`scale` should be finite and above 0. Received: nan"),
    "std 0": ("{w}/data.npz --std 0.2,0,0.2", "`std` should be finite and above 0. Received: 0.2, 0, 0.2"),
    "mean nan": ("{w}/data.npz --mean nan", "`mean` should be finite. Received: nan"),
    "mean of words": ("{w}/data.npz --mean grey", "expected numbers such as 0.5"),
    "ImageNet's mean on grey": (
        "{w}/grey.npz --preprocess imagenet",
        "`mean` should be 1 number. Received: 3|model takes",
    ),
}
OF_PASSES = {
    "names before the model": (
        "sample --model {w}/text.keras --data {w}/data.npz --class-names a,b",
        "names of 3 classes",
    ),
    "no passes": ("import {w}/nowhere.npy", "There are no passes at"),
    "a text as passes": ("import {w}/text.txt", "none of what is taken"),
    "half a table": ("import {w}/half.csv --axes pass,example,class", "at least 2 passes and 2 classes"),
    "as many passes as examples": ("import {w}/square.npy", "cannot be told apart. Name their order: .*--axes"),
    "axes by other names": (f"{IMPORT} --axes draw,example,class", "pass, example and class in some order"),
    "axes in another order": (f"{IMPORT} --data {{w}}/data.npz --axes example,pass,class", "Received: 5 examples"),
    "logits": ("import {w}/logits.npy", "is negative. If these are logits, say so .*--from-logits"),
    "NaN": ("import {w}/nan.npy", "pass 3, example 2 is not a finite number"),
    "one pass": ("import {w}/one.npy", "at least 2 passes"),
    "one class, though the images name three": (
        "import {w}/single.npy --data {w}/photos",
        "2 classes. Received: 5 and 1",
    ),
    "equal passes": ("import {w}/equal.npy", "All 5 passes are the same"),
    "whole numbers": ("import {w}/whole.npy", "floating point. Received: dtype int64"),
    "two axes": ("import {w}/flat.npy", r"\(passes, examples, classes\)"),
    "deterministic of another shape": (f"{IMPORT} --deterministic {{w}}/fixed.npy", r"of the shape \(6, 3\)"),
    "features of another length": (f"{IMPORT} --features {{w}}/features.npy", r"\(6, features\)"),
    "no such features": (f"{IMPORT} --features {{w}}/nowhere.npy", "There is no data file"),
    "other images": (f"{IMPORT} --data {{w}}/others.npz", "5 examples"),
    "labels outside the classes": (f"{IMPORT} --labels {{w}}/outside.csv", "class indices from 0 to 2. Received: 3"),
    "unknown ids": (f"{IMPORT} --data {{w}}/photos --labels {{w}}/unknown.csv", "those of the 6 examples"),
    "names for images that have none": (
        "import {w}/named.csv --data {w}/data.npz",
        "numbers, since the examples have",
    ),
    "labels of others": (f"{IMPORT} --data {{w}}/others.npz --labels {{w}}/labels.npy", "5 labels|5 class indices"),
    "no labels": (f"{IMPORT} --labels {{w}}/nowhere.npy", "There is no data file"),
    "values of a regression as probabilities": ("import {w}/values.npy", "say so .* by --task regression"),
    "variances that are none": (
        "import {w}/values.npy --task regression --predicts mean,variance",
        "variance of pass 0, example 0 is not above 0. .*--predicts",
    ),
    "a mean without its spread": (
        "import {w}/odd.npy --task regression --predicts mean,std",
        "an even number of columns. Received: 3 columns",
    ),
    "logits of a regression": ("import {w}/values.npy --task regression --from-logits", "left out for a regression"),
    "classes of a regression": (
        "import {w}/values.npy --task regression --class-names a,b",
        "left out for a regression",
    ),
    "a unit of classes": (f"{IMPORT} --unit kg", "`unit` should be left out for a classification. Received: kg"),
    "a spread of classes": (f"{IMPORT} --predicts mean,std", "left out for a classification"),
    "two columns of classes": (f"{IMPORT} --labels {{w}}/targets.csv --label-column a,b", "classes are in one column"),
    "texts as targets": (
        "import {w}/values.npy --task regression --labels {w}/targets.csv --label-column a,word",
        "numbers, which a regression predicts",
    ),
    "targets that are missing": (
        "import {w}/values.npy --task regression --labels {w}/targets.csv --label-column a,gap",
        "1 of 6 labels are missing or not finite, the first in row 2",
    ),
    "another number of targets": (
        "import {w}/values.npy --task regression --labels {w}/targets.csv --label-column a",
        "of 2 targets, as are predicted. Received: 1",
    ),
    "a long table of words": ("import {w}/words.csv --task regression", "its column value should hold numbers"),
    "a long table of classes": (
        "import {w}/half.csv --task regression",
        "has the columns example, pass, target, value",
    ),
    "a spread of another shape": (
        "import {w}/spread.npz --task regression",
        r"variances has the shape \(5, 6, 1\), and outputs the shape",
    ),
    "a spread that the file has otherwise": (
        "import {w}/both.npz --task regression --predicts mean,std",
        "left out, or mean,variance, as the file has them. Received: mean,std",
    ),
    "another number of names": (
        f"{IMPORT} --class-names a,b",
        "`class_names` should be 3 different names. Received: a, b. Name all",
    ),
    "means for other channels": (f"{IMPORT} --data {{w}}/data.npz --mean 1,2", "1 or 3 numbers.*Received: 2"),
}
CASES = {
    **{
        f"{does}: {name}": (f"{does} {rest}", told)
        for does in ("sample", "check")
        for name, (rest, told) in WITH_A_MODEL.items()
    },
    **{
        f"{does}: {name}": (f"{start} {rest}", told)
        for does, start in (
            ("sample", "sample --model {w}/model.keras --data"),
            ("check", "check --model {w}/model.keras --data"),
            ("import", f"{IMPORT} --data"),
        )
        for name, (rest, told) in IN_ALL.items()
    },
    **OF_PASSES,
}


@pytest.mark.parametrize("name", CASES)
def test_one_line_exit_code_2_and_nothing_left_behind(
    wrong: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(wrong)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    typed, told = CASES[name]
    command = typed.format(w=wrong).split()
    out = [] if command[0] == "check" else ["--out", "run"]
    before = everything_in(wrong)
    code = main([*command, *out])
    errors = capsys.readouterr().err.splitlines()
    assert (code, len(errors)) == (2, 1), errors
    assert errors[0].startswith("mcviz: ")
    assert re.search(told, errors[0]), errors[0]
    assert everything_in(wrong) == before


def everything_in(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if "__pycache__" not in path.parts}
