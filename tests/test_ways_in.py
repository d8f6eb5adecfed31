"""Every way in, by one command: what a person gives is what the run holds."""

import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import xarray
from msgspec.structs import replace
from PIL import Image

import mcviz
from mcviz.cli import main
from mcviz.runs import Preprocessing, Run
from tests.cases import one_in, only
from tests.factories import encode_idx, write_file, write_npz, write_table

RNG = np.random.default_rng(0)
CLASSES = ("ant", "bee", "cat")
LABELS = np.array([0, 0, 1, 1, 2, 2, 2])
N = len(LABELS)
COLOUR = np.zeros((N, 8, 8, 3), np.uint8)
COLOUR[np.arange(N), :, :, LABELS] = 200  # red, green or blue
COLOUR += RNG.integers(0, 20, COLOUR.shape, dtype=np.uint8)
PROBS = RNG.dirichlet(np.ones(3), (5, N))
NAMES = tuple(f"{number}.png" for number in range(N))
LONG = ["example", "pass", "class", "probability"]
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


def run_command(command: str, capsys: pytest.CaptureFixture[str] | None = None) -> str:
    """What a command that succeeds prints."""
    assert main(command.split()) == 0
    return capsys.readouterr().out if capsys else ""


def import_passes(options: str = "", passes: str = "probs.npy") -> Run:
    run_command(f"import {passes} --out run {options}")
    return mcviz.open_run("run")


def sample_data(model: Path, data: str, passes: int = 3) -> Run:
    run_command(f"sample --model {model} --out run --passes {passes} --data {data}")
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


def test_an_npz_as_pytorch_s_tensors_give_it(folder: Path) -> None:
    logits = np.log(PROBS).astype(np.float32)
    first = np.moveaxis(COLOUR, -1, 1).astype(np.float32) / 255  # channels first
    standardised = (first - np.array(IMAGENET.mean)[:, None, None]) / np.array(IMAGENET.std)[:, None, None]
    np.savez("passes.npz", logits=logits, labels=LABELS)
    np.save("images.npy", standardised.astype(np.float32))
    run = import_passes("--data images.npy --preprocess imagenet --preprocessed --from-logits", "passes.npz")
    check_examples(run, LABELS)
    check_passes(run)
    assert run.images.shape == (N, 8, 8, 3)
    assert run.manifest.preprocessing.applied
    np.testing.assert_array_equal(run.pictures[:], COLOUR)  # in true colours


def test_axes_are_in_the_order_that_is_named_or_that_the_file_names(folder: Path) -> None:
    np.save("probs.npy", PROBS.transpose(2, 1, 0))
    check_passes(import_passes("--axes class,example,pass"))
    xarray.Dataset({"y": (("category", "obs_id", "draw"), PROBS.transpose(2, 1, 0))}).to_netcdf("probs.nc")
    run_command("import probs.nc --out other")
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
    printed = run_command(
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
    run = import_passes("--task regression --labels l.csv --label-column height,width", "values.npy")
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
    run = import_passes("--task regression --data data.csv --label-column w,h", "values.csv")
    assert run.targets == ("h", "w")  # in the order of the passes, which is that of the names
    np.testing.assert_array_equal(run.labels, TARGETS[order][:, ::-1])
    np.testing.assert_array_equal(run.predictions_block(0, None), VALUES[:, order][..., ::-1])
    assert list(run.content["text"]) == [texts[place] for place in order]


def test_a_run_of_regression_comes_in_again_by_one_command(folder: Path) -> None:
    spreads = {"stds": abs(VALUES), "deterministic_outputs": VALUES[0], "deterministic_stds": abs(VALUES[0])}
    write_npz(Path("first.npz"), outputs=VALUES, labels=TARGETS, **spreads)
    run = import_passes("--task regression", "first.npz")
    mcviz.export_run(run, "run.npz")
    run_command("import run.npz --task regression --out again")
    again = mcviz.open_run("again")
    assert again.manifest.predicts == "mean,variance"
    for name in ("labels", "deterministic_predictions", "mean_predictions"):
        np.testing.assert_array_equal(getattr(again, name), getattr(run, name))


def long_table(order: Sequence[int]) -> pd.DataFrame:
    rows = [(NAMES[e], t, CLASSES[c], PROBS[t, e, c]) for e in order for t in range(5) for c in range(3)]
    return pd.DataFrame(rows, columns=LONG)


def test_a_long_table_meets_its_pictures_by_their_names_and_not_by_their_places(folder: Path) -> None:
    order = [3, 0, 6, 2, 5, 1, 4]
    long_table(order).to_csv("probs.csv", index=False)
    write_pictures(Path("photos"), by_class=False)
    pd.DataFrame({"id": NAMES[::-1], "label": LABELS[::-1], "source": list("gfedcba")}).to_csv("l.csv", index=False)
    run = import_passes("--data photos --labels l.csv", "probs.csv")
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
    run = import_passes("--data data.npz", "probs.csv")
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
        run = import_passes("--labels l.csv --label-column name --id-column scan")
        check_examples(run, LABELS, CLASSES, NAMES)
        assert list(run.table()["age"]) == list(range(N))
    elif kind == "npy":
        check_examples(import_passes("--labels labels.npy"), LABELS)
    else:
        write_pictures(Path("photos"), by_class=True)
        ids = [f"{CLASSES[label]}/{n}.{'jpg' if n % 2 else 'png'}" for n, label in enumerate(LABELS)]
        check_examples(import_passes("--data photos"), LABELS, CLASSES, ids)


def test_a_table_of_labels_may_have_texts_and_numbers_which_are_the_user_s_own(folder: Path) -> None:
    np.save("probs.npy", PROBS)
    own = {"text": list("tuvwxyz"), "age": list(range(N)), "file": NAMES}
    pd.DataFrame({"label": LABELS, **own}).to_csv("l.csv", index=False)
    run = import_passes("--labels l.csv")
    check_examples(run, LABELS, ids=NAMES)
    for name, values in own.items():
        assert list(run.table()[name]) == list(values)


def test_deterministic_probabilities_and_features_come_along(folder: Path) -> None:
    features = RNG.normal(size=(N, 4)).astype(np.float32)
    for name, array in {"probs": PROBS, "fixed": PROBS.mean(axis=0), "features": features}.items():
        np.save(f"{name}.npy", array)
    run = import_passes("--deterministic fixed.npy --features features.npy --about licence=CC0 --source forest")
    np.testing.assert_allclose(run.deterministic_probs, PROBS.mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(run.features, features)
    assert (run.manifest.about, run.manifest.origin.source) == ({"licence": "CC0"}, "forest")


def test_class_names_change_without_another_import(folder: Path) -> None:
    np.save("probs.npy", PROBS)
    first = import_passes()
    Path("names.txt").write_text("\ufeffant, red\nbee\ncat\n\n", encoding="utf-8")
    renamed = import_passes("--class-names names.txt")
    assert (renamed.class_names, renamed.digest) == (("ant, red", "bee", "cat"), first.digest)


@pytest.mark.parametrize("features", ["", "--feature-columns age,income", "--feature-columns income"])
def test_columns_that_lack_numbers_come_along_as_the_user_s_own(
    folder: Path, features: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("probs.npy", PROBS)
    income = [1.5, np.nan, 3, 4, np.nan, 6, 7]
    table = pd.DataFrame({"age": range(N), "income": income, "label": LABELS})
    table.to_csv("t.csv", index=False)
    printed = run_command(f"import probs.npy --data t.csv --out run {features}", capsys)
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


BY_NAME, BY_PLACE = "matched to the classes by name", "whole numbers, the places of the classes"
TWELVE = np.random.default_rng(1).permutation(np.repeat(np.arange(12), 2))


@pytest.mark.parametrize(
    ("classes", "labels", "how", "kind"),
    [
        ([1, 2, 3], [1, 2, 2, 1], BY_NAME, "parquet"),
        (["1", "2", "3"], ["1", "2", "2", "1"], BY_NAME, "jsonl"),
        ([f"class_{number}" for number in range(12)], TWELVE.tolist(), BY_PLACE, "csv"),
        ([f"class_{c}" for c in range(12)], [f"class_{c}" for c in TWELVE], BY_NAME, "parquet"),
        (list("xyz"), list("zxy"), BY_NAME, "csv"),
    ],
    ids=["numbers", "numbers as texts", "places", "names", "letters"],
)
def test_labels_meet_the_classes_of_a_long_table(
    folder: Path, classes: list[Any], labels: list[Any], how: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = np.array([classes.index(each) if each in classes else each for each in labels])
    probs = right_passes(truth, len(classes))
    rows = [
        (f"e{n}", t, classes[c], probs[t, n, c])
        for n, t, c in np.random.default_rng(0).permutation(list(np.ndindex(len(truth), 2, len(classes))))
    ]
    write_table(pd.DataFrame(rows, columns=LONG), Path(f"passes.{kind}"))
    ids = [f"e{n}" for n in range(len(truth))]
    write_table(pd.DataFrame({"id": ids, "label": labels}), Path(f"labels.{kind}"))
    printed = run_command(f"import passes.{kind} --labels labels.{kind} --out run", capsys)
    assert f"labels: {how}" in printed
    assert "accuracy: ensemble 100.00%" in printed
    run = mcviz.open_run("run")
    assert run.class_names == tuple(map(str, classes))
    assert run.labels.tolist() == [truth[int(name[1:])] for name in run.scores()["id"]]


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
    printed = run_command(f"import p.{kind} {beside} --out run", capsys)
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
        run_command(f"import probs.csv --labels l.csv {names} --out {out}")
    check_examples(mcviz.open_run("z-ant"), LABELS, "xyz", NAMES)
    check_examples(mcviz.open_run("pairs-ant"), LABELS, "xyz", NAMES)
    check_examples(mcviz.open_run("z-z"), 2 - LABELS, "xyz", NAMES)
    check_examples(mcviz.open_run("pairs-z"), 2 - LABELS, "xyz", NAMES)
    check_examples(mcviz.open_run("t-ant"), LABELS, CLASSES, NAMES)  # in the order of the passes
    for refused in ("bee,ant,dog", "x,y,z"):
        assert main(["import", "probs.csv", "--class-names", refused, "--out", "run"]) == 2
        assert "should be the names that the passes have, ant, bee, cat. Received" in capsys.readouterr().err


def test_names_of_many_classes_fit_on_the_command_line(folder: Path) -> None:
    names = [f"a class of some length and with the number {number}" for number in range(1000)]
    np.save("probs.npy", np.random.default_rng(0).dirichlet(np.ones(1000), (2, 3)))
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
    printed = run_command(f"sample --model {model} --data photos --out run --passes 4", capsys)
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
        write_file(folder / "idx/t10k-images-idx3-ubyte", encode_idx(COLOUR[..., 0]))
        write_file(folder / "idx/t10k-labels-idx1-ubyte", encode_idx(LABELS.astype(np.uint8)))
        return "idx"
    np.savez(folder / "data.npz", x_test=COLOUR, y_test=LABELS[:, None])
    return "data.npz"


KINDS = {  # labels, class names, ids
    "table": (LABELS, CLASSES, "gfedcba"),
    "flat": (None, None, NAMES),
    "npz": (LABELS, None, None),
}


@pytest.mark.parametrize("kind", only(["table"], KINDS))
def test_every_kind_of_data_is_sampled_and_checked(
    folder: Path, model: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_of(kind, folder)
    run = sample_data(model, data)
    check_examples(run, *KINDS[kind])
    np.testing.assert_array_equal(run.images[:], COLOUR)
    check_passes(run, expected_passes(model, COLOUR, Preprocessing(255.0)))
    if kind == "table":
        assert run.table()["patient"].tolist() == list(range(N))
    capsys.readouterr()
    printed = run_command(f"check --model {model} --data {data} --passes 100", capsys)
    assert f"examples:       {N}\n" in printed
    assert f"images:         8 × 8 × 3, uint8, {COLOUR.min()} to {COLOUR.max()}\n" in printed
    assert "half (Dropout 0.5)" in printed
    fixed = mcviz.load_model(model).predict(COLOUR / np.float32(255), verbose=0).argmax(axis=1)
    accuracy = "no labels" if KINDS[kind][0] is None else f"{(fixed == LABELS).mean():.1%} of all {N}"
    assert f"accuracy:       {accuracy}, dropout off\n" in printed
    assert "100 passes:" in printed
    names = KINDS[kind][1]
    assert f"classes:        3{': ' + ', '.join(names) if names else ''}\n" in printed


def test_idx_files_as_mnist_has_them(folder: Path, tmp_path: Path) -> None:
    layers = keras.layers
    stack = [keras.Input((8, 8)), layers.Flatten(), layers.Dropout(0.5, name="dropout"), layers.Dense(3, "softmax")]
    keras.Sequential(stack).save(tmp_path / "grey.keras")
    run = sample_data(tmp_path / "grey.keras", data_of("idx", folder))
    check_examples(run, LABELS)
    np.testing.assert_array_equal(run.images[:], COLOUR[..., :1])
    check_passes(run, expected_passes(tmp_path / "grey.keras", COLOUR[..., 0], Preprocessing(255.0)))


def test_names_from_a_file_reorder_the_folders(folder: Path, model: Path) -> None:
    write_pictures(Path("photos"), by_class=True)
    Path("names.txt").write_text("cat\nant\nbee\n")
    run = sample_data(model, "photos --class-names names.txt")
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
    run = sample_data(model, "photos --class-names Ameise,Biene,Katze --names-in-order")
    assert (run.labels.tolist(), run.class_names) == (LABELS.tolist(), ("Ameise", "Biene", "Katze"))
    assert main([*command, "--class-names", "Cat,Ant", "--names-in-order"]) == 2
    assert (
        "--names-in-order is for new names of the classes that the data have, ant, bee, cat. Received: Cat, Ant."
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("options", "how"),
    one_in(
        2,
        [
            ("--scale 127.5 --mean 1 --std 1", Preprocessing(127.5, (1.0,), (1.0,), reason="As asked for.")),
            ("--preprocess imagenet", replace(IMAGENET, reason="As asked for.")),
        ],
    ),
)
def test_preprocessing_that_is_given_is_done_and_kept(
    folder: Path, model: Path, options: str, how: Preprocessing
) -> None:
    run = sample_data(model, f"{data_of('npz', folder)} {options}")
    assert run.manifest.preprocessing == how
    np.testing.assert_array_equal(run.images[:], COLOUR)
    np.testing.assert_allclose(run.probs_block(0, None), expected_passes(model, COLOUR, how), atol=2e-5)


@pytest.mark.parametrize("crop", one_in(2, [False, True]))
def test_crop_keeps_the_middle_where_pictures_are_stretched_without_it(folder: Path, model: Path, crop: bool) -> None:
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = 250
    Path("wide").mkdir()
    Image.fromarray(wide).save("wide/a.png")
    run = sample_data(model, f"wide {'--crop' if crop else ''}")
    edges = run.images[0][:, [0, -1]].mean()
    assert edges > 240 if crop else edges < 60
    assert run.manifest.preprocessing.crop is crop


def test_layers_of_the_user_s_own_come_from_a_module_that_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    sys.path.append(str(folder))
    Path("my_layers_of_ways_in.py").write_text(
        "import keras\n"
        "@keras.saving.register_keras_serializable('ways_in')\n"
        "class Doubled(keras.layers.Layer):\n"
        "    def call(self, inputs):\n"
        "        return 2 * inputs\n"
    )
    network(import_module("my_layers_of_ways_in").Doubled()).save("own.keras")
    keras.saving.get_custom_objects().pop("ways_in>Doubled")  # as in another process, which knows no such layer
    del sys.modules["my_layers_of_ways_in"]
    sys.path.remove(str(folder))
    data = data_of("npz", folder)
    assert main(f"sample --model own.keras --data {data} --out run --passes 3".split()) == 2
    assert "--import" in capsys.readouterr().err
    run = sample_data(Path("own.keras"), f"{data} --import my_layers_of_ways_in")
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
    table = pd.DataFrame(rows, columns=LONG)
    table.loc[(table["pass"] == 1) & (table["class"] == "aardvark"), "probability"] = 0.08
    table.loc[(table["pass"] == 1) & (table["probability"] == 0.7), "probability"] = 0.72
    table.to_csv("long.csv", index=False)
    assert main(["import", "long.csv", "--data", "photos", "--out", "run"]) == 0
    run = mcviz.open_run("run")
    assert run.class_names == tuple(names)
    assert run.scores()["correct"].all()
