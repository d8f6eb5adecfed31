"""Every recipe of docs/how-to/recipes.md makes the run that it says, where its framework is installed."""

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from inspect import getsource
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn.datasets
import sklearn.model_selection
from PIL import Image

import mcviz
from mcviz import Run
from mcviz.analysis.labelling import label_issues
from mcviz.cli import main
from mcviz.reviews import compute_outcome, open_reviews, summarise_reviews
from mcviz.reviews.files import encode_label_studio
from tests.requiring import require_torch

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/how-to/recipes.md").read_text(encoding="utf-8")
RECIPES = {
    title.split(":")[0]: code
    for title, code in re.findall(
        r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE
    )
}
RNG = np.random.default_rng(0)
IMAGES = RNG.random((12, 8, 8, 3)).astype(np.float32)
LABELS = np.arange(12) % 3


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_recipe(title: str, run: str, **given: Any) -> Run:
    """The run that a recipe writes."""
    return run_recipe_in(title, run, {"images": IMAGES, "labels": LABELS, **given})


def run_recipe_in(title: str, run: str, names: dict[str, Any]) -> Run:
    """The run that a recipe writes, whose names stay for another that goes on from it."""
    exec(compile(RECIPES[title], title, "exec"), names)
    return mcviz.open_run(Path("cache") / run)


def split(data_set: str) -> dict[str, Any]:
    """The names of the line that fetches something to try a recipe with."""
    (line,) = re.findall(rf"^`(x, x_test, y, y_test = .*{data_set}.*)`", TEXT, re.MULTILINE)
    names: dict[str, Any] = {**vars(sklearn.datasets), **vars(sklearn.model_selection)}
    exec(line, names)
    return {name: names[name] for name in ("x", "x_test", "y", "y_test")}


def check(run: Run, passes: int) -> np.ndarray:
    np.testing.assert_array_equal(run.labels, LABELS)
    probs = run.probs_block(0, None)
    assert probs.shape == (passes, 12, 3)
    return probs


def network() -> keras.Model:
    layers = keras.layers
    first = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.GlobalAveragePooling2D()]
    return keras.Sequential([keras.Input((8, 8, 3)), *first, layers.Dropout(0.5), layers.Dense(3, "softmax")])


def test_each_is_of_at_most_15_lines() -> None:
    assert len(RECIPES) == TEXT.count("```python") == 22
    assert {title: len(code.splitlines()) for title, code in RECIPES.items() if len(code.splitlines()) > 15} == {}


@pytest.mark.slow
def test_texts() -> None:
    for part, count in (("train", 2000), ("test", 200)):
        file = f"definitions-{part}.csv"
        pd.read_csv(ROOT / "tests/data_sets" / file, nrows=count).to_csv(file, index=False)
    names: dict[str, Any] = {}
    for title, name in (("Texts with an LSTM", "lstm"), ("Texts with a transformer block", "transformer")):
        run = run_recipe_in(title, name, names)
        assert (run.passes, len(run), run.manifest.examples.kind) == (100, 200, "text")
        assert run.class_names == ("animal", "artifact", "body part", "food", "plant", "substance")
        stored = pd.read_parquet(f"cache/{name}/examples.parquet")
        assert stored["text"].tolist() == pd.read_csv("definitions-test.csv")["text"].tolist()
        assert run.probs(0).std(axis=0).max() > 0.01
        assert run.ensemble_accuracy is not None
        assert run.ensemble_accuracy[-1] > 0.5  # of a third of the texts; a guess is right about one of six


@pytest.mark.slow
def test_rows_of_a_table() -> None:
    given = split("load_breast_cancer")
    run = run_recipe("Rows of a table", "cancer", **given)
    assert run.manifest.examples.kind == "row"
    stored = pd.read_parquet("cache/cancer/examples.parquet")[list(given["x"].columns)]
    np.testing.assert_array_equal(stored, given["x_test"].to_numpy(np.float32))
    np.testing.assert_array_equal(run.labels, given["y_test"])
    assert run.ensemble_accuracy is not None
    assert run.ensemble_accuracy[-1] > 0.9


@pytest.mark.slow
def test_regression() -> None:
    given = split("load_diabetes")
    run_recipe("Regression with a predicted variance", "diabetes", **given)
    run_recipe("Regression with a random forest", "trees", **given)
    for name in ("diabetes", "trees"):
        run = mcviz.open_run(f"cache/{name}")
        assert (run.manifest.task, run.manifest.examples.kind) == ("regression", "row")
        table = run.table()
        np.testing.assert_array_equal(table["label"], given["y_test"])
        off = np.sqrt(np.mean((table["prediction"] - table["label"]) ** 2))
        assert off < 0.9 * given["y_test"].std()
        spread = table["predictive_std" if name == "trees" else "total_std"]
        assert 0.5 * off < np.sqrt(np.mean(spread**2)) < 2 * off


def test_scikit_learn() -> None:
    run = run_recipe("scikit-learn", "forest")
    assert (run.passes, run.images.shape[1:]) == (50, (8, 8, 1))
    assert run.manifest.origin.source == "50 trees of a random forest"
    assert run.ensemble_accuracy is not None
    assert run.ensemble_accuracy[-1] > 0.95


@pytest.mark.slow
def test_out_of_fold_passes_find_labels_that_were_changed_and_say_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "Out of fold", RECIPES["Out of fold"].replace("epochs=60", "epochs=20"))
    digits = sklearn.datasets.load_digits()
    images, true = (digits.images[:600] / 16).astype(np.float32), digits.target[:600]
    labels = true.copy()
    labels[::20] = (true[::20] + 1) % 10

    def build() -> keras.Model:
        layers = keras.layers
        hidden = [layers.Flatten(), layers.Dense(64, "relu"), layers.Dropout(0.2)]
        model = keras.Sequential([keras.Input((8, 8)), *hidden, layers.Dense(10, "softmax")])
        learning = keras.optimizers.Adam(0.003)  # learns in 20 epochs what it learns in 60 by its own rate
        model.compile(learning, "sparse_categorical_crossentropy", steps_per_execution=13)  # an epoch at once
        return model

    keras.utils.set_random_seed(0)
    run = run_recipe("Out of fold", "folds", images=images, labels=labels, build=build)
    assert (run.passes, len(run)) == (50, 600)
    assert (label_issues(run, 30)["example"] % 20 == 0).mean() > 0.8
    count = mcviz.count_label_errors(run)
    assert count.low <= 30 <= count.high


@pytest.mark.slow
def test_a_deep_ensemble() -> None:
    Path("models").mkdir()
    members = [network() for _ in range(3)]
    for number, member in enumerate(members):
        member.save(f"models/{number}.keras")
    probs = check(run_recipe("A deep ensemble of Keras models", "ensemble"), 3)
    expected = [member.predict(IMAGES, verbose=0) for member in members]
    np.testing.assert_allclose(probs, expected, atol=1e-5)


@pytest.mark.slow
def test_test_time_augmentation() -> None:
    model = network()
    run = run_recipe("Test-time augmentation", "augmented", model=model)
    check(run, 50)
    np.testing.assert_allclose(run.deterministic_probs, model.predict(IMAGES, verbose=0), atol=1e-6)


def test_pytorch() -> None:
    require_torch("safetensors")
    import torch

    nn = torch.nn
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, 3))
    pixels, before = torch.tensor(IMAGES).permute(0, 3, 1, 2), model[1].running_mean.clone()
    run = run_recipe("PyTorch", "torch", model=model, images=pixels)
    probs = check(run, 100)
    assert torch.equal(model[1].running_mean, before)
    np.testing.assert_array_equal(run.images[:], IMAGES)
    with torch.inference_mode():
        fixed = model.eval()(pixels).softmax(1).numpy()
    np.testing.assert_allclose(run.deterministic_probs, fixed, atol=1e-6)
    assert probs.std(axis=0).mean() > 0.01
    np.testing.assert_allclose(probs.mean(axis=0), fixed, atol=0.2)


def test_passes_on_your_own_gpu() -> None:
    require_torch()
    import torch

    nn, fast = torch.nn, torch.backends.mha.get_fastpath_enabled()
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, 3))
    pixels, before = torch.tensor(IMAGES).permute(0, 3, 1, 2), model[1].running_mean.clone()
    try:
        run = run_recipe("Passes on your own GPU", "gpu", model=model, images=pixels)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    probs = check(run, 100)
    assert torch.equal(model[1].running_mean, before)
    assert probs.std(axis=0).min() > 0.01
    np.testing.assert_array_equal(run.images[:], IMAGES)
    with torch.inference_mode():
        np.testing.assert_allclose(run.deterministic_probs, model.eval()(pixels).softmax(1).numpy(), atol=1e-6)


@pytest.fixture
def photographs(folder: Path) -> list[Image.Image]:
    """A folder of pictures that differ in size, as the recipes read it."""
    taken = []
    for number, image in enumerate(IMAGES):
        path = folder / "photographs" / "abc"[number % 3] / f"{number // 3}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray((image * 255).astype(np.uint8)).resize((200, 180 if number else 150))
        picture.save(path)
        taken.append(picture.resize((200, 180), Image.Resampling.BILINEAR))
    return [taken[number] for number in np.argsort(LABELS, kind="stable")]


@pytest.mark.slow
@pytest.mark.parametrize("title", ["torchvision", "timm"])
def test_photographs(title: str, photographs: list[Image.Image], monkeypatch: pytest.MonkeyPatch) -> None:
    require_torch("safetensors", title)
    import torch

    library = import_module(title)
    torch.manual_seed(0)
    names: dict[str, Any] = {"name": "test_vit"}  # the smallest of timm
    if title == "torchvision":
        weights = library.models.resnet18(num_classes=3).state_dict()
        weights = {name.replace("fc.", "fc.1."): tensor for name, tensor in weights.items()}
    else:
        weights = library.create_model("test_vit", num_classes=3).state_dict()
    torch.save(weights, "birds.pt")
    small = RECIPES[title].replace(".transforms()", ".transforms(crop_size=64, resize_size=64)")
    monkeypatch.setitem(RECIPES, title, small.replace("passes=100", "passes=20"))  # in a tenth of the time
    run = run_recipe_in(title, "birds" if title == "torchvision" else "timm", names)
    assert (run.passes, run.class_names) == (20, ("a", "b", "c"))
    np.testing.assert_array_equal(run.images[:], np.stack([np.asarray(picture) for picture in photographs]))
    prepared = torch.stack([names["transform"](picture) for picture in photographs])
    with torch.inference_mode():
        fixed = names["model"].eval()(prepared).softmax(1).numpy()
    np.testing.assert_allclose(run.deterministic_probs, fixed, atol=1e-4)
    assert run.probs(0).std(axis=0).max() > 1e-4


@pytest.mark.slow
def test_hugging_face_texts() -> None:
    require_torch("safetensors", "transformers")
    import torch
    import transformers

    torch.manual_seed(0)
    table = pd.read_csv(ROOT / "tests/data_sets/definitions-test.csv").groupby("label").head(2)
    table.to_csv("definitions-test.csv", index=False)
    texts = table["text"].tolist()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted({word for text in texts for word in text.split()})]
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        num_labels=6, hidden_dropout_prob=0.3,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained("bert")
    Path("vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer("vocab.txt").save_pretrained("bert")
    names: dict[str, Any] = {"name": "bert"}
    run = run_recipe_in("Hugging Face texts", "bert", names)
    assert (run.passes, len(run), run.manifest.examples.kind) == (100, 12, "text")
    assert pd.read_parquet("cache/bert/examples.parquet")["text"].tolist() == texts
    encoded = names["tokenizer"](texts, padding="max_length", max_length=32, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        fixed = names["model"].eval()(**encoded).logits.softmax(1).numpy()
    np.testing.assert_allclose(run.deterministic_probs, fixed, atol=1e-5)
    assert run.probs(0).std(axis=0).max() > 1e-4


@pytest.mark.slow
def test_hugging_face_images() -> None:
    require_torch("safetensors", "transformers", "datasets")
    import datasets
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.ViTConfig(
        image_size=8, patch_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        num_labels=3, hidden_dropout_prob=0.2,
    )  # fmt: skip
    transformers.ViTForImageClassification(config).save_pretrained("vit")
    transformers.ViTImageProcessor(size={"height": 8, "width": 8}).save_pretrained("vit")
    pictures = [Image.fromarray((image * 255).astype(np.uint8)) for image in IMAGES]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    data = datasets.Dataset.from_dict({"image": pictures, "label": LABELS.tolist()}, features=features)
    run = run_recipe("Hugging Face images", "vit", name="vit", data=data)
    check(run, 50)
    assert run.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(run.images[:], (IMAGES * 255).astype(np.uint8))
    np.testing.assert_array_equal(mcviz.data.as_data_set(data["image"]).images, run.images[:])


def plant_wrong_labels(**given: Any) -> tuple[Run, np.ndarray]:
    """A run of 200 labels, of which one in twenty is wrong, as a person finds and corrects them, and the true ones."""
    true = RNG.integers(3, size=200)
    labels = np.where(np.arange(200) % 20 == 7, (true + 1) % 3, true)
    probs = 0.1 * RNG.dirichlet(np.ones(3), (4, 200)) + 0.9 * np.eye(3)[true]
    run = mcviz.write_run("cache/mine", probs, labels=labels, class_names=["a", "b", "c"], **given)
    table, reviews = label_issues(run), open_reviews(run)
    assert set(table["example"]) == set(np.flatnonzero(labels != true))
    for example in table["example"]:
        names = (run.class_names[label[example]] for label in (true, labels))
        reviews.add(int(example), "Ada", "class", class_name=next(names), label=next(names))
    assert main(["review", "export", "cache/mine", "--to", "labels.csv"]) == 0
    return run, true


def test_planted_wrong_labels_go_into_a_table_and_back() -> None:
    ids = [f"e{number}" for number in range(200)]
    run, true = plant_wrong_labels(ids=ids)
    pd.DataFrame({"id": ids[::-1], "x": range(200), "label": "a"}).to_csv("table.csv", index=False)
    exec(compile(RECIPES["Corrected labels in a table"], "table", "exec"), {})
    back = mcviz.write_run("cache/back", run.probs_block(0, None)[:, ::-1], data="corrected.csv", class_names="abc")
    np.testing.assert_array_equal(back.labels, true[::-1])
    assert (back.manifest.quality, mcviz.count_label_errors(back).mistakes) == (1, 0)


@pytest.mark.slow
def test_planted_wrong_labels_go_into_a_hugging_face_data_set_and_back() -> None:
    datasets = pytest.importorskip("datasets", reason="not installed: datasets")
    run, true = plant_wrong_labels()
    features = datasets.Features(
        {"id": datasets.Value("int64"), "x": datasets.Value("float32"), "label": datasets.ClassLabel(names=list("abc"))}
    )
    given = {"id": range(200), "x": RNG.random(200), "label": run.labels.tolist()}
    names = {"data": datasets.Dataset.from_dict(given, features=features)}
    exec(compile(RECIPES["Corrected labels in a Hugging Face data set"], "data set", "exec"), names)
    back = mcviz.write_run("cache/back", run.probs_block(0, None), data="corrected")
    np.testing.assert_array_equal(back.labels, true)
    assert (back.class_names, back.manifest.quality) == (("a", "b", "c"), 1)


def test_decisions_go_to_label_studio_and_come_back() -> None:
    run, _ = plant_wrong_labels()
    before = compute_outcome(run, summarise_reviews(run, open_reviews(run).rows()))
    tasks = json.loads(encode_label_studio(run, summarise_reviews(run, open_reviews(run).rows())))
    for task in tasks:
        task["annotations"][0]["result"][0]["meta"]["text"] = ["Bob"]
    Path("exported.json").write_text(json.dumps(tasks))
    exec(compile(RECIPES["Corrected labels of Label Studio"], "Label Studio", "exec"), {})
    known = summarise_reviews(run, open_reviews(run).rows())
    assert {decision.reviewer for decision in known.decisions} == {"Ada", "Bob"}
    np.testing.assert_array_equal(compute_outcome(run, known).labels, before.labels)
    assert len(json.loads(Path("tasks.json").read_text())) == 10


def draw_squares(count: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 32, 32, 1) images with a bright and a dim square, and (N, 32, 32) masks of both, classes 1 and 2."""
    images, masks = RNG.random((count, 32, 32, 1), np.float32) / 5, np.zeros((count, 32, 32), np.uint8)
    for image, mask in zip(images[..., 0], masks, strict=True):
        for number, light in ((1, 0.8), (2, 0.4)):
            top, left = RNG.integers(22, size=2)
            image[top : top + 10, left : left + 10] += light - image[top : top + 10, left : left + 10] / 2
            mask[top : top + 10, left : left + 10] = number
    return images, masks


def write_slices(images: np.ndarray, masks: np.ndarray) -> None:
    for kind, pictures in (("images", (255 * images[..., 0] / images.max()).astype(np.uint8)), ("masks", masks)):
        Path("slices", kind).mkdir(parents=True)
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(f"slices/{kind}/{number:02}.png")


@pytest.mark.slow
def test_a_keras_u_net() -> None:
    (x, y), (x_test, y_test) = draw_squares(200), draw_squares(20)
    run = run_recipe("Keras U-Net", "unet", x=x, y=y, x_test=x_test, y_test=y_test, classes=3)
    assert (run.passes, run.manifest.task) == (20, "segmentation")
    np.testing.assert_array_equal(run.labels, y_test)
    assert 1 - run.table()["loss"].mean() > 0.7
    assert run.table()["pairwise_dice"].max() < 1


def test_a_pytorch_u_net() -> None:
    require_torch("safetensors", "monai")
    import torch
    from monai.networks.nets import UNet

    images, masks = draw_squares(4)
    write_slices(images, masks)
    torch.manual_seed(0)
    model = UNet(2, in_channels=1, out_channels=3, channels=(16, 32, 64), strides=(2, 2), dropout=0.2)
    torch.save(model.state_dict(), "unet.pt")
    run = run_recipe("PyTorch U-Net", "slices")
    np.testing.assert_array_equal(run.labels, masks)
    with torch.inference_mode():
        inputs = torch.from_numpy(np.moveaxis(run.images[:], -1, 1) / np.float32(255))
        fixed = model.eval()(inputs).argmax(dim=1).numpy()
    assert np.mean(run.deterministic_predictions == fixed) > 0.999
    assert (run.predictions_block(0, None).classes.std(axis=0) > 0).any()


def test_passes_of_an_ensemble() -> None:
    images, masks = draw_squares(4)
    members = [lambda images, shift=shift: RNG.random((*images.shape[:-1], 3)) + shift for shift in (0, 1)]
    run = run_recipe("Passes of an ensemble", "members", images=images, masks=masks, members=members)
    assert (run.passes, run.manifest.origin.source) == (2, "2 models")
    np.testing.assert_array_equal(run.labels, masks)


@pytest.mark.slow
def test_jax() -> None:
    jax = pytest.importorskip("jax")
    weights = RNG.normal(size=(192, 3)).astype(np.float32)

    def predict(images: np.ndarray, key: Any) -> Any:
        mask = jax.random.bernoulli(key, 0.5, (12, 192)) / 0.5
        return (images.reshape(12, 192) * mask) @ weights

    probs = check(run_recipe("JAX", "jax", predict=predict), 100)
    first = predict(IMAGES, jax.random.split(jax.random.key(0), 100)[0])
    np.testing.assert_allclose(probs[0], jax.nn.softmax(first), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_keras_file_of_another_backend_loads(backend: str) -> None:
    pytest.importorskip(backend)
    np.save("images.npy", IMAGES)
    making = (
        f"import keras, numpy\n{getsource(network)}\nmodel = network()\nmodel.save('model.keras')\n"
        "numpy.save('probs.npy', model.predict(numpy.load('images.npy'), verbose=0))"
    )
    other = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", making], check=True, env=other, capture_output=True)
    probs = mcviz.Sampler(mcviz.load_model("model.keras")).deterministic(IMAGES)
    np.testing.assert_allclose(probs, np.load("probs.npy"), atol=1e-5)
