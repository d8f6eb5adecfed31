"""Every way in, by one command: what a person gives is what the run holds."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xarray
from msgspec.structs import replace
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

import mcviz
from mcviz.cli import main
from mcviz.runs import Preprocessing, Run
from tests.cases import one_in
from tests.data.test_sources import idx

RNG = np.random.default_rng(0)
CLASSES = ("ant", "bee", "cat")
LABELS = np.array([0, 0, 1, 1, 2, 2, 2])
N = len(LABELS)
COLOUR = np.zeros((N, 8, 8, 3), np.uint8)
COLOUR[np.arange(N), :, :, LABELS] = 200  # red, green or blue
COLOUR += RNG.integers(0, 20, COLOUR.shape, dtype=np.uint8)
PROBS = RNG.dirichlet(np.ones(3), (5, N))
NAMES = tuple(f"{number}.png" for number in range(N))
HALF_A_STEP = 1 / 131068 + 1e-7
IMAGENET = Preprocessing(255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), crop=True)


def network(*first: keras.Layer) -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    convolution = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(), layers.GlobalAveragePooling2D()]
    return keras.Sequential(
        [keras.Input((8, 8, 3)), *first, *convolution, layers.Dropout(0.5, name="half"), layers.Dense(3, "softmax")]
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "model.keras"
    network().save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(command: str, capsys: pytest.CaptureFixture[str] | None = None) -> str:
    """What a command that succeeds prints."""
    assert main(command.split()) == 0
    return capsys.readouterr().out if capsys else ""


def imported(options: str = "", passes: str = "probs.npy") -> Run:
    typed(f"import {passes} --out run {options}")
    return mcviz.open_run("run")


def sampled(model: Path, data: str, passes: int = 3) -> Run:
    typed(f"sample --model {model} --out run --passes {passes} --data {data}")
    return mcviz.open_run("run")


def check_examples(
    run: Run, labels: Sequence[int] | None = None, names: Sequence[str] | None = None, ids: Sequence[str] | None = None
) -> None:
    if labels is None:
        assert run.labels is None
    else:
        np.testing.assert_array_equal(run.labels, labels)
    assert run.class_names == tuple(names or map(str, range(len(run.class_names))))
    assert list(run.scores()["id"]) == list(ids or map(str, range(run.manifest.examples.count)))


def check_passes(run: Run, probs: np.ndarray = PROBS) -> None:
    np.testing.assert_allclose(run.probs_block(0, None), probs, atol=HALF_A_STEP)


def write_pictures(folder: Path, *, by_class: bool) -> None:
    """PNG and JPEG of different sizes whose colour tells the class."""
    for number, (image, label) in enumerate(zip(COLOUR, LABELS, strict=True)):
        place = folder / CLASSES[label] if by_class else folder
        place.mkdir(parents=True, exist_ok=True)
        ending = "jpg" if by_class and number % 2 else "png"
        size = (8 + 3 * number, 16) if by_class else (8, 8)
        Image.fromarray(image).resize(size, Image.Resampling.NEAREST).save(place / f"{number}.{ending}")


# Passes that were made elsewhere


def test_the_trees_of_a_random_forest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digits = load_digits()
    forest = RandomForestClassifier(10, random_state=0).fit(digits.data[:1000], digits.target[:1000])
    test = digits.data[1000:1200]
    np.save("probs.npy", np.stack([tree.predict_proba(test) for tree in forest.estimators_]))
    np.savez("digits.npz", images=(digits.images[1000:1200] / 16).astype(np.float32), labels=digits.target[1000:1200])
    printed = typed("import probs.npy --data digits.npz --out run --source forest", capsys)
    run = mcviz.open_run("run")
    check_examples(run, digits.target[1000:1200])
    check_passes(run, np.load("probs.npy"))
    assert (run.passes, run.manifest.classes, run.images.shape, run.manifest.origin.source) == (
        10,
        10,
        (200, 8, 8, 1),
        "forest",
    )
    right = forest.predict(test) == digits.target[1000:1200]
    assert f"accuracy: ensemble {right.mean():.2%}" in printed


def test_an_npz_as_pytorch_s_tensors_give_it(folder: Path) -> None:
    logits = np.log(PROBS).astype(np.float32)
    first = np.moveaxis(COLOUR, -1, 1).astype(np.float32) / 255  # channels first
    standardised = (first - np.array(IMAGENET.mean)[:, None, None]) / np.array(IMAGENET.std)[:, None, None]
    np.savez("passes.npz", logits=logits, labels=LABELS)
    np.save("images.npy", standardised.astype(np.float32))
    run = imported("--data images.npy --preprocess imagenet --preprocessed --from-logits", "passes.npz")
    check_examples(run, LABELS)
    check_passes(run)
    assert run.images.shape == (N, 8, 8, 3)
    assert run.manifest.preprocessing.applied
    np.testing.assert_array_equal(run.pictures[:], COLOUR)  # in true colours


@pytest.mark.parametrize("order", ["pass,example,class", "class,example,pass"])
def test_netcdf_names_its_own_axes_and_others_are_named(folder: Path, order: str) -> None:
    names = {"pass": "draw", "example": "obs_id", "class": "category"}
    axes = order.split(",")
    moved = PROBS.transpose([("pass", "example", "class").index(axis) for axis in axes])
    xarray.Dataset({"y": ([names[axis] for axis in axes], moved)}).to_netcdf("probs.nc")
    np.save("probs.npy", moved)
    check_passes(imported(passes="probs.nc"))
    typed(f"import probs.npy --axes {order} --out other")
    check_passes(mcviz.open_run("other"))


VALUES = RNG.normal(50, 20, (5, N, 2)).astype(np.float32)
TARGETS = RNG.normal(50, 20, (N, 2)).astype(np.float32)


def test_a_regression_with_its_targets_by_name_its_rows_and_its_unit(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variances = RNG.gamma(2, 3, VALUES.shape).astype(np.float32)
    np.save("values.npy", np.concatenate([VALUES, np.log(variances)], axis=2))
    np.save("fixed.npy", np.concatenate([VALUES[0], np.log(variances[0])], axis=1))
    table = pd.DataFrame(TARGETS, columns=["width", "height"]).assign(age=range(N), ward=list("aabbccd"), id=NAMES)
    table.to_csv("data.csv", index=False)
    printed = typed(
        "import values.npy --task regression --predicts mean,log_variance --data data.csv --label-column width,height "
        "--feature-columns age --deterministic fixed.npy --unit cm --out run",
        capsys,
    )
    run = mcviz.open_run("run")
    assert (run.targets, run.manifest.unit, run.manifest.examples.content) == (("width", "height"), "cm", ("age",))
    np.testing.assert_array_equal(run.labels, TARGETS)
    np.testing.assert_array_equal(run.outputs(3), VALUES[:, 3])
    np.testing.assert_allclose(run.variances(3), variances[:, 3], rtol=2e-6)
    np.testing.assert_array_equal(run.deterministic_predictions[:, :2], VALUES[0])
    assert (list(run.scores()["id"]), list(run.table()["ward"])) == (list(NAMES), list("aabbccd"))
    rmse = np.sqrt(np.square(VALUES.mean(axis=0) - TARGETS).mean())
    assert re.search(rf"RMSE: ensemble {rmse:.3g}\d? cm", printed)


def test_the_labels_of_a_regression_come_from_a_table_of_their_own(folder: Path) -> None:
    np.save("values.npy", VALUES)
    table = pd.DataFrame(TARGETS, columns=["width", "height"]).assign(id=NAMES, ward=list("aabbccd"))
    table.to_csv("l.csv", index=False)
    run = imported("--task regression --labels l.csv --label-column height,width", "values.npy")
    assert run.targets == ("height", "width")
    np.testing.assert_array_equal(run.labels, TARGETS[:, ::-1])
    assert list(run.table()["ward"]) == list("aabbccd")


def test_a_long_table_of_values_meets_its_texts_and_its_labels_by_their_names(folder: Path) -> None:
    order = [3, 0, 6, 2, 5, 1, 4]
    rows = [(NAMES[e], t, name, VALUES[t, e, d]) for e in order for t in range(5) for d, name in enumerate("wh")]
    pd.DataFrame(rows, columns=["example", "pass", "target", "value"]).to_csv("values.csv", index=False)
    texts = [f"text {number}" for number in range(N)]
    table = pd.DataFrame(TARGETS, columns=list("wh")).assign(id=NAMES, text=texts)
    table.to_csv("data.csv", index=False)
    run = imported("--task regression --data data.csv --label-column w,h", "values.csv")
    assert run.targets == ("h", "w")  # in the order of the passes, which is that of the names
    np.testing.assert_array_equal(run.labels, TARGETS[order][:, ::-1])
    np.testing.assert_array_equal(run.predictions_block(0, None), VALUES[:, order][..., ::-1])
    assert list(run.content["text"]) == [texts[place] for place in order]


@pytest.mark.parametrize("file", ["predictions.zarr", "run.npz", "run.nc"])
def test_a_run_of_regression_comes_in_again_by_one_command(folder: Path, file: str) -> None:
    np.savez(
        "first.npz",
        outputs=VALUES,
        stds=abs(VALUES),
        labels=TARGETS,
        deterministic_outputs=VALUES[0],
        deterministic_stds=abs(VALUES[0]),
    )
    run = imported("--task regression", "first.npz")
    if file != "predictions.zarr":
        mcviz.export_run(run, f"run/{file}")
    typed(f"import run/{file} --task regression --out again")
    again = mcviz.open_run("again")
    assert again.manifest.predicts == "mean,variance"
    for name in ("labels", "deterministic_predictions", "mean_predictions"):
        np.testing.assert_array_equal(getattr(again, name), getattr(run, name))


def long_table(order: Sequence[int]) -> pd.DataFrame:
    rows = [(NAMES[e], t, CLASSES[c], PROBS[t, e, c]) for e in order for t in range(5) for c in range(3)]
    return pd.DataFrame(rows, columns=["example", "pass", "class", "probability"])


def test_a_long_table_meets_its_pictures_by_their_names_and_not_by_their_places(folder: Path) -> None:
    order = [3, 0, 6, 2, 5, 1, 4]
    long_table(order).to_csv("probs.csv", index=False)
    write_pictures(Path("photos"), by_class=False)
    pd.DataFrame({"id": NAMES[::-1], "label": LABELS[::-1], "source": list("gfedcba")}).to_csv("l.csv", index=False)
    run = imported("--data photos --labels l.csv", "probs.csv")
    check_examples(run, LABELS[order], CLASSES, [NAMES[place] for place in order])
    check_passes(run, PROBS[:, order])
    np.testing.assert_array_equal(run.images[:], COLOUR[order])
    assert "".join(run.table()["source"]) == "".join("abcdefg"[place] for place in order)


def test_numbers_in_a_long_table_are_those_of_images_without_names(folder: Path) -> None:
    order = [3, 0, 6, 2, 5, 1, 4]
    table = long_table(order)
    table["example"] = [int(name.partition(".")[0]) for name in table["example"]]
    table.to_csv("probs.csv", index=False)
    np.savez("data.npz", images=COLOUR, labels=LABELS)
    run = imported("--data data.npz", "probs.csv")
    check_examples(run, LABELS[order], CLASSES, [str(place) for place in order])
    check_passes(run, PROBS[:, order])
    np.testing.assert_array_equal(run.images[:], COLOUR[order])


@pytest.mark.parametrize("kind", ["csv", "npy", "folders"])
def test_labels_from_elsewhere(folder: Path, kind: str) -> None:
    np.save("probs.npy", PROBS)
    np.save("labels.npy", np.eye(3)[LABELS])
    texts = [CLASSES[label] for label in LABELS]
    pd.DataFrame({"name": texts, "scan": NAMES, "age": range(N)}).to_csv("l.csv", index=False)
    if kind == "csv":
        run = imported("--labels l.csv --label-column name --id-column scan")
        check_examples(run, LABELS, CLASSES, NAMES)
        assert list(run.table()["age"]) == list(range(N))
    elif kind == "npy":
        check_examples(imported("--labels labels.npy"), LABELS)
    else:
        write_pictures(Path("photos"), by_class=True)
        ids = [f"{CLASSES[label]}/{n}.{'jpg' if n % 2 else 'png'}" for n, label in enumerate(LABELS)]
        check_examples(imported("--data photos"), LABELS, CLASSES, ids)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_table_of_labels_may_have_texts_and_numbers_which_are_the_user_s_own(folder: Path, kind: str) -> None:
    np.save("probs.npy", PROBS)
    own = {"text": list("tuvwxyz"), "age": list(range(N)), "file": NAMES}
    labels = pd.DataFrame({"label": LABELS, **own})
    labels.to_csv("l.csv", index=False)
    labels.to_json("l.jsonl", orient="records", lines=True)
    run = imported(f"--labels l.{kind}")
    check_examples(run, LABELS, ids=NAMES)
    for name, values in own.items():
        assert list(run.table()[name]) == list(values)


def test_deterministic_probabilities_and_features_come_along(folder: Path) -> None:
    features = RNG.normal(size=(N, 4)).astype(np.float32)
    for name, array in {"probs": PROBS, "fixed": PROBS.mean(axis=0), "features": features}.items():
        np.save(f"{name}.npy", array)
    run = imported("--deterministic fixed.npy --features features.npy --about licence=CC0")
    np.testing.assert_allclose(run.deterministic_probs, PROBS.mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(run.features, features)
    assert run.manifest.about == {"licence": "CC0"}


def test_class_names_change_without_another_import(folder: Path) -> None:
    np.save("probs.npy", PROBS)
    first = imported()
    Path("names.txt").write_text("\ufeffant, red\nbee\ncat\n\n", encoding="utf-8")
    renamed = imported("--class-names names.txt")
    assert (renamed.class_names, renamed.digest) == (("ant, red", "bee", "cat"), first.digest)


@pytest.mark.parametrize("features", ["", "--feature-columns age,income", "--feature-columns income"])
def test_columns_that_lack_numbers_come_along_as_the_user_s_own(
    folder: Path, features: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("probs.npy", PROBS)
    income = [1.5, np.nan, 3, 4, np.nan, 6, 7]
    table = pd.DataFrame({"age": range(N), "income": income, "label": LABELS})
    table.to_csv("t.csv", index=False)
    printed = typed(f"import probs.npy --data t.csv --out run {features}", capsys)
    assert "Columns that lack numbers are columns of your own, not inputs: income.\n" in printed
    runs = [mcviz.open_run("run")]
    if not features:
        runs.append(mcviz.write_run("other", PROBS, data=table))
    for run in runs:
        np.testing.assert_array_equal(run.table()["income"], income)
        assert run.labels.tolist() == LABELS.tolist()
        assert run.manifest.examples.content == (() if features.endswith("columns income") else ("age",))


def right_passes(labels: np.ndarray, classes: int) -> np.ndarray:
    """(2, N, C) passes whose ensemble predicts every label."""
    probs = np.full((2, len(labels), classes), 0.1 / (classes - 1), np.float32)
    probs[:, np.arange(len(labels)), labels] = 0.9
    probs[1] = (probs[1] + 1e-2) / (1 + 1e-2 * classes)
    return probs


TWELVE = np.random.default_rng(1).permutation(np.repeat(np.arange(12), 2))


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize(
    ("classes", "labels", "how"),
    [
        ([1, 2, 3], [1, 2, 2, 1], "matched to the classes by name"),
        (["1", "2", "3"], ["1", "2", "2", "1"], "matched to the classes by name"),
        ([f"class_{number}" for number in range(12)], TWELVE.tolist(), "whole numbers, the places of the classes"),
        ([f"class_{c}" for c in range(12)], [f"class_{c}" for c in TWELVE], "matched to the classes by name"),
        (list("xyz"), list("zxy"), "matched to the classes by name"),
    ],
    ids=["numbers", "numbers as texts", "places", "names", "letters"],
)
def test_labels_meet_the_classes_of_a_long_table(
    folder: Path, kind: str, classes: list[Any], labels: list[Any], how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = np.array([classes.index(each) if each in classes else each for each in labels])
    probs = right_passes(truth, len(classes))
    rows = [
        (f"e{n}", t, classes[c], probs[t, n, c])
        for n, t, c in np.random.default_rng(0).permutation(list(np.ndindex(len(truth), 2, len(classes))))
    ]
    table = pd.DataFrame(rows, columns=["example", "pass", "class", "probability"])
    known = pd.DataFrame({"id": [f"e{n}" for n in range(len(truth))], "label": labels})
    for name, frame in {"passes": table, "labels": known}.items():
        if kind == "csv":
            frame.to_csv(f"{name}.csv", index=False)
        elif kind == "parquet":
            frame.to_parquet(f"{name}.parquet")
        else:
            frame.to_json(f"{name}.jsonl", orient="records", lines=True)
    printed = typed(f"import passes.{kind} --labels labels.{kind} --out run", capsys)
    assert f"labels: {how}" in printed
    assert "accuracy: ensemble 100.00%" in printed
    run = mcviz.open_run("run")
    assert run.class_names == tuple(map(str, classes))
    ids = list(run.scores()["id"])
    assert run.labels.tolist() == [truth[int(name[1:])] for name in ids]


@pytest.mark.parametrize("kind", ["npz", "zarr", "nc"])
def test_names_of_classes_beside_the_passes_decide(folder: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    names, truth = np.array(["owl", "dog", "cat"]), np.array([0, 2, 1, 1])
    probs = right_passes(truth, 3)
    held = {"probs": (("draw", "example", "category"), probs), "class_names": (("name",), names)}
    if kind == "npz":
        np.savez("p.npz", probs=probs, class_names=names, labels=names[truth])
    elif kind == "zarr":
        xarray.Dataset(held).to_zarr("p.zarr", zarr_format=2, consolidated=False)
    else:
        xarray.Dataset(held).to_netcdf("p.nc")
    pd.DataFrame({"label": names[truth]}).to_csv("l.csv", index=False)
    beside = "" if kind == "npz" else "--labels l.csv"
    printed = typed(f"import p.{kind} {beside} --out run", capsys)
    assert "classes: 0 owl, 1 dog, 2 cat\nlabels: matched to the classes by name\n" in printed
    assert "accuracy: ensemble 100.00%" in printed
    check_examples(mcviz.open_run("run"), truth, names.tolist())


def test_classes_of_a_long_table_can_be_given_other_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long_table(range(N)).to_csv("probs.csv", index=False)
    new = "--class-names x,y,z --names-in-order"
    pairs = "--rename-class ant=x,bee=y --rename-class cat=z"
    for labels, names, out in (
        (CLASSES, new, "z-ant"),
        ("zyx", new, "z-z"),
        ("zyx", pairs, "pairs-z"),
        (CLASSES, pairs, "pairs-ant"),
        (CLASSES, "--class-names cat,bee,ant", "t-ant"),
    ):
        pd.DataFrame({"id": NAMES, "label": np.array(list(labels))[LABELS]}).to_csv("l.csv", index=False)
        typed(f"import probs.csv --labels l.csv {names} --out {out}")
    check_examples(mcviz.open_run("z-ant"), LABELS, "xyz", NAMES)
    check_examples(mcviz.open_run("pairs-ant"), LABELS, "xyz", NAMES)
    check_examples(mcviz.open_run("z-z"), 2 - LABELS, "xyz", NAMES)
    check_examples(mcviz.open_run("pairs-z"), 2 - LABELS, "xyz", NAMES)
    check_examples(mcviz.open_run("t-ant"), LABELS, CLASSES, NAMES)  # in the order of the passes
    for refused in ("bee,ant,dog", "x,y,z"):
        assert main(["import", "probs.csv", "--class-names", refused, "--out", "run"]) == 2
        assert "should be the names that the passes have, ant, bee, cat. Received" in capsys.readouterr().err


@pytest.mark.parametrize("many", [20, 1000])
def test_names_of_many_classes_fit_on_the_command_line(folder: Path, many: int) -> None:
    names = [f"a class of some length, number {number}".replace(",", "") for number in range(many)]
    np.save("probs.npy", np.random.default_rng(0).dirichlet(np.ones(many), (2, 3)))
    assert main(["import", "probs.npy", "--out", "run", "--class-names", ",".join(names)]) == 0
    assert mcviz.open_run("run").class_names == tuple(names)


# Images for a Keras model


def expected_passes(model: Path, images: np.ndarray, how: Preprocessing, passes: int = 3) -> np.ndarray:
    taken = images.astype(np.float32) / np.float32(how.divide_by)
    if how.mean:
        taken = (taken - np.array(how.mean, np.float32)) / np.array(how.std, np.float32)
    return mcviz.sample(mcviz.load_model(model), taken, passes=passes)


def test_a_folder_of_photographs_of_different_sizes(
    folder: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(Path("photos"), by_class=True)
    printed = typed(f"sample --model {model} --data photos --out run --passes 4", capsys)
    run = mcviz.open_run("run")
    ids = [f"{CLASSES[label]}/{n}.{'jpg' if n % 2 else 'png'}" for n, label in enumerate(LABELS)]
    check_examples(run, LABELS, CLASSES, ids)
    assert "classes: 0 ant, 1 bee, 2 cat\nlabels: matched to the classes by name\n" in printed
    assert "images: divided by 255. uint8 images are divided by 255" in printed
    assert (run.images.shape, run.images.dtype) == ((N, 8, 8, 3), np.uint8)
    np.testing.assert_allclose(run.images[:], COLOUR, atol=40)  # stretched, and JPEG among them
    assert run.images[:].mean(axis=(1, 2)).argmax(axis=1).tolist() == LABELS.tolist()
    check_passes(run, expected_passes(model, run.images[:], Preprocessing(255.0), 4))


def data_of(kind: str, folder: Path) -> str:
    """The same seven images in a kind of data."""
    if kind == "table":
        write_pictures(folder / "pictures", by_class=False)
        frame = pd.DataFrame({"path": [f"pictures/{name}" for name in NAMES]})
        frame["label"], frame["id"], frame["patient"] = [CLASSES[label] for label in LABELS], list("gfedcba"), range(N)
        frame.to_csv(folder / "t.csv", index=False)
        return "t.csv"
    if kind == "flat":
        write_pictures(folder / "flat", by_class=False)
        return "flat"
    if kind == "idx":
        (folder / "idx").mkdir()
        (folder / "idx/t10k-images-idx3-ubyte").write_bytes(idx(COLOUR[..., 0]))
        (folder / "idx/t10k-labels-idx1-ubyte").write_bytes(idx(LABELS.astype(np.uint8)))
        return "idx"
    if kind == "hugging face":
        write_pictures(folder / "pictures", by_class=False)
        cells = [{"bytes": (folder / "pictures" / name).read_bytes(), "path": name} for name in NAMES]
        table = pa.table({"image": cells, "label": LABELS, "id": list("gfedcba")})
        (folder / "hf").mkdir()
        with pa.ipc.new_stream(folder / "hf/data.arrow", table.schema) as writer:
            writer.write_table(table)
        (folder / "hf/state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
        names = {"label": {"_type": "ClassLabel", "names": CLASSES}}
        (folder / "hf/dataset_info.json").write_text(json.dumps({"features": names}))
        return "hf"
    np.savez(folder / "data.npz", x_test=COLOUR, y_test=LABELS[:, None])
    return "data.npz"


KINDS = {  # labels, class names, ids
    "table": (LABELS, CLASSES, "gfedcba"),
    "flat": (None, None, NAMES),
    "hugging face": (LABELS, CLASSES, "gfedcba"),
    "npz": (LABELS, None, None),
}


@pytest.mark.parametrize("kind", one_in(3, KINDS))
def test_every_kind_of_data_is_sampled_and_checked(
    folder: Path, model: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_of(kind, folder)
    run = sampled(model, data)
    check_examples(run, *KINDS[kind])
    np.testing.assert_array_equal(run.images[:], COLOUR)
    check_passes(run, expected_passes(model, COLOUR, Preprocessing(255.0)))
    if kind == "table":
        assert run.table()["patient"].tolist() == list(range(N))
    capsys.readouterr()
    told = typed(f"check --model {model} --data {data} --passes 100", capsys)
    assert f"examples:       {N}\n" in told
    assert f"images:         8 × 8 × 3, uint8, {COLOUR.min()} to {COLOUR.max()}\n" in told
    assert "half (Dropout 0.5)" in told
    fixed = mcviz.load_model(model).predict(COLOUR / np.float32(255), verbose=0).argmax(axis=1)
    accuracy = "no labels" if KINDS[kind][0] is None else f"{(fixed == LABELS).mean():.1%} of all {N}"
    assert f"accuracy:       {accuracy}, dropout off\n" in told
    assert "100 passes:" in told
    names = KINDS[kind][1]
    assert f"classes:        3{': ' + ', '.join(names) if names else ''}\n" in told


def test_idx_files_as_mnist_has_them(folder: Path, tmp_path: Path) -> None:
    layers = keras.layers
    stack = [keras.Input((8, 8)), layers.Flatten(), layers.Dropout(0.5, name="dropout"), layers.Dense(3, "softmax")]
    keras.Sequential(stack).save(tmp_path / "grey.keras")
    run = sampled(tmp_path / "grey.keras", data_of("idx", folder))
    check_examples(run, LABELS)
    np.testing.assert_array_equal(run.images[:], COLOUR[..., :1])
    check_passes(run, expected_passes(tmp_path / "grey.keras", COLOUR[..., 0], Preprocessing(255.0)))


def test_names_from_a_file_reorder_the_folders(folder: Path, model: Path) -> None:
    write_pictures(Path("photos"), by_class=True)
    Path("names.txt").write_text("cat\nant\nbee\n")
    run = sampled(model, "photos --class-names names.txt")
    assert run.class_names == ("cat", "ant", "bee")
    assert [run.class_names[label] for label in run.labels] == [CLASSES[label] for label in LABELS]


def test_folders_meet_other_names_by_pairs_or_in_an_order_that_is_said(
    folder: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(Path("photos"), by_class=True)
    command = ["check", "--model", str(model), "--data", "photos", "--passes", "1", "--class-names", "Cat,Ant,Bee"]
    assert main(command) == 2
    assert (
        "names for all of ant, bee, cat, which the data have. Received: Cat, Ant, Bee. To rename"
        in capsys.readouterr().err
    )
    assert main([*command, "--rename-class", "cat=Cat, ant=Ant", "--rename-class", "bee=Bee"]) == 0
    assert "classes: 0 Cat, 1 Ant, 2 Bee\nlabels: matched to the classes by name\n" in capsys.readouterr().out
    run = sampled(model, "photos --class-names Ameise,Biene,Katze --names-in-order")
    assert (run.labels.tolist(), run.class_names) == (LABELS.tolist(), ("Ameise", "Biene", "Katze"))
    assert main([*command, "--class-names", "Cat,Ant", "--names-in-order"]) == 2
    assert (
        "--names-in-order is for new names of the classes that the data have, ant, bee, cat. Received: Cat, Ant."
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("options", "how"),
    [
        ("--scale 1", Preprocessing(reason="As asked for.")),
        (
            "--scale 127.5 --mean 1 --std 1",
            Preprocessing(127.5, (1.0,), (1.0,), reason="As asked for."),
        ),
        (
            "--preprocess imagenet",
            replace(
                IMAGENET,
                reason="As asked for.",
            ),
        ),
    ],
)
def test_preprocessing_that_is_given_is_done_and_kept(
    folder: Path, model: Path, options: str, how: Preprocessing
) -> None:
    run = sampled(model, f"{data_of('npz', folder)} {options}")
    assert run.manifest.preprocessing == how
    np.testing.assert_array_equal(run.images[:], COLOUR)
    np.testing.assert_allclose(run.probs_block(0, None), expected_passes(model, COLOUR, how), atol=2e-5)


@pytest.mark.parametrize("crop", [False, True])
def test_crop_keeps_the_middle_where_pictures_are_stretched_without_it(folder: Path, model: Path, crop: bool) -> None:
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = 250
    Path("wide").mkdir()
    Image.fromarray(wide).save("wide/a.png")
    run = sampled(model, f"wide {'--crop' if crop else ''}")
    edges = run.images[0][:, [0, -1]].mean()
    assert edges > 240 if crop else edges < 60
    assert run.manifest.preprocessing.crop is crop


def test_layers_of_the_user_s_own_come_from_a_module_that_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    Path("my_layers_of_ways_in.py").write_text(
        "import keras\n"
        "@keras.saving.register_keras_serializable('ways_in')\n"
        "class Doubled(keras.layers.Layer):\n"
        "    def call(self, inputs):\n"
        "        return 2 * inputs\n"
    )
    saving = (
        "import keras, my_layers_of_ways_in as my, tests.test_ways_in as t; t.network(my.Doubled()).save('own.keras')"
    )
    root = Path(__file__).parents[1]
    alone = {**os.environ, "PYTHONPATH": f"{folder}:{root}"}  # so that what it registers is not known here
    subprocess.run([sys.executable, "-c", saving], cwd=folder, check=True, env=alone, capture_output=True)
    data = data_of("npz", folder)
    assert main(f"sample --model own.keras --data {data} --out run --passes 3".split()) == 2
    assert "--import" in capsys.readouterr().err
    run = sampled(Path("own.keras"), f"{data} --import my_layers_of_ways_in")
    check_examples(run, LABELS)
    check_passes(run, expected_passes(Path("own.keras"), COLOUR, Preprocessing(255.0)))


def test_classes_that_a_long_table_names_are_met_by_name(folder: Path) -> None:
    write_pictures(Path("photos"), by_class=True)
    ids = [f"{CLASSES[label]}/{n}.{'jpg' if n % 2 else 'png'}" for n, label in enumerate(LABELS)]
    names = ["aardvark", *CLASSES]  # the first class has no pictures
    rows = [
        (example, t, name, 0.7 if name == example.split("/")[0] else 0.1 + t * 0)
        for t in range(2)
        for example in ids
        for name in names
    ]
    table = pd.DataFrame(rows, columns=["example", "pass", "class", "probability"])
    table.loc[(table["pass"] == 1) & (table["class"] == "aardvark"), "probability"] = 0.08
    table.loc[(table["pass"] == 1) & (table["probability"] == 0.7), "probability"] = 0.72
    table.to_csv("long.csv", index=False)
    assert main(["import", "long.csv", "--data", "photos", "--out", "run"]) == 0
    run = mcviz.open_run("run")
    assert run.class_names == tuple(names)
    assert run.scores()["correct"].all()
