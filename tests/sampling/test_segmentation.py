"""Models that predict a class for every pixel, in both frameworks: their outputs, and runs sampled from them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

import mcviz
from mcviz import sample_run
from mcviz.data import DataSet, read_data
from mcviz.errors import InvalidInputError, RunExistsError, UnsuitableModelError
from mcviz.manifest import LabelMaps
from mcviz.measures.segmentation import reduce_probabilities
from mcviz.runs import Preprocessing, open_run
from mcviz.runs.verify import verify_run
from mcviz.sampling.checking import Trial, check_model
from mcviz.sampling.sampler import Sampler
from mcviz.tasks import TASKS
from tests.commands import output_of
from tests.factories import Stop, stop_after
from tests.requiring import require_torch

SIZE = 12, 8


def keras_model(classes: int = 3, activation: str | None = None, stride: int = 1) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((*SIZE, 1))
    hidden = keras.layers.Conv2D(6, 3, strides=stride, padding="same", activation="relu")(inputs)
    hidden = keras.layers.Dropout(0.4)(hidden)
    return keras.Model(inputs, keras.layers.Conv2D(classes, 3, padding="same", activation=activation)(hidden))


def torch_model(classes: int = 3, activation: str | None = None, stride: int = 1, name: str = "") -> Any:
    require_torch()
    import torch

    class TorchModel(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first = torch.nn.Conv2d(1, 6, 3, stride=stride, padding=1)
            self.dropout = torch.nn.Dropout2d(0.4)
            self.second = torch.nn.Conv2d(6, classes, 3, padding=1)

        def forward(self, images: torch.Tensor) -> Any:
            scores = self.second(self.dropout(self.first(images).relu()))
            if activation == "softmax":
                scores = scores.softmax(dim=1)
            if activation == "sigmoid":
                scores = scores.sigmoid()
            return {name: scores, "aux": scores} if name else scores

    return TorchModel()


MODELS = {"keras": keras_model, "torch": torch_model}


def draw(count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 3, (count, *SIZE)).astype(np.uint8)
    masks[:, 0] = 255
    return rng.random((count, *SIZE, 1)).astype(np.float32), masks


def exact_scores(model: Any, images: np.ndarray) -> np.ndarray:
    """(N, h, w, C) of the model itself, with dropout off."""
    if isinstance(model, keras.Model):
        return np.asarray(model(images, training=False))
    import torch

    model.eval()
    with torch.no_grad():
        scores = model(torch.from_numpy(np.moveaxis(images, -1, 1).copy()))
    scores = next(iter(scores.values())) if isinstance(scores, dict) else scores
    return np.moveaxis(scores.numpy(), 1, -1)


@pytest.mark.parametrize("framework", MODELS)
@pytest.mark.parametrize("activation", ["softmax", None])
def test_probabilities_of_pixels_are_those_of_the_model(framework: str, activation: str | None) -> None:
    model, images = MODELS[framework](3, activation), draw()[0]
    sampler = Sampler(model, task="segmentation")
    probs = sampler.deterministic(images).reshape(5, *SIZE, 3)
    expected = exact_scores(model, images)
    assert probs == pytest.approx(expected if activation else softmax(expected, axis=-1), abs=1e-5)
    assert "3 classes for each of 12 × 8 pixels" in sampler.meaning.text
    assert sampler.describe_maps() == LabelMaps(*SIZE)


@pytest.mark.parametrize("framework", MODELS)
@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_one_score_a_pixel_is_that_of_the_second_of_two_classes(framework: str, activation: str | None) -> None:
    model, images = MODELS[framework](1, activation), draw()[0]
    sampler = Sampler(model, task="segmentation")
    probs = sampler.deterministic(images).reshape(5, *SIZE, 2)
    expected = exact_scores(model, images)[..., 0]
    expected = expected if activation else 1 / (1 + np.exp(-expected))
    assert probs[..., 1] == pytest.approx(expected, abs=1e-5)
    assert probs.sum(axis=-1) == pytest.approx(np.ones((5, *SIZE)))
    assert sampler.count_last(sampler.width) == 2


@pytest.mark.parametrize("framework", MODELS)
def test_smaller_logits_are_resized_before_the_softmax_and_it_is_said(framework: str) -> None:
    require_torch()
    import torch

    model, images = MODELS[framework](3, None, stride=2), draw()[0]
    sampler = Sampler(model, task="segmentation")
    logits = torch.from_numpy(np.moveaxis(exact_scores(model, images), -1, 1).copy())
    resized = torch.nn.functional.interpolate(logits, SIZE, mode="bilinear", align_corners=False).numpy()
    probs = sampler.deterministic(images).reshape(5, *SIZE, 3)
    assert probs == pytest.approx(softmax(np.moveaxis(resized, 1, -1), axis=-1), abs=1e-4)
    assert "resized (bilinear) from 6 × 4" in sampler.meaning.text


@pytest.mark.parametrize("framework", MODELS)
def test_large_images_are_computed_in_smaller_blocks(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = MODELS[framework](), draw()[0]
    options: dict[str, Any] = {"passes": 6, "seed": 3}
    expected = Sampler(model, task="segmentation").sample(images, **options)
    monkeypatch.setattr("mcviz.sampling.base.SHARED_VALUES", 4 * 3 * 12 * 8)
    sampler = Sampler(model, task="segmentation")
    assert sampler.sample(images, **options) == pytest.approx(expected, abs=1e-5)
    assert sampler.deterministic(images).reshape(5, *SIZE, 3) == pytest.approx(
        softmax(exact_scores(model, images), axis=-1), abs=1e-5
    )


@pytest.mark.parametrize("name", ["out", "logits"])
def test_the_usual_names_of_outputs_need_no_naming(name: str) -> None:
    model, images = torch_model(name=name), draw()[0]
    probs = Sampler(model, task="segmentation").deterministic(images).reshape(5, *SIZE, 3)
    assert probs == pytest.approx(softmax(exact_scores(model, images), axis=-1), abs=1e-5)


@pytest.mark.parametrize("framework", MODELS)
def test_a_run_holds_what_its_passes_give_and_goes_on_where_it_was_stopped(
    framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcviz.manifest.SHARD_VALUES", 2 * 6 * 3 * 12 * 8)
    model, (images, masks) = MODELS[framework](), draw()
    sampler = Sampler(model, task="segmentation")
    options: dict[str, Any] = {"passes": 6, "seed": 3}
    run = sample_run(sampler, (images, masks), tmp_path / "run", **options)
    probs = sampler.sample(images, **options).reshape(6, 5, *SIZE, 3)
    expected = reduce_probabilities(probs, np.where(masks == 255, 3, masks), 0)
    assert run.manifest.shards == 3
    assert np.array_equal(run.predictions_block(0, None).classes, expected.classes)
    assert np.array_equal(run.array("mean_class"), expected.mean_class)
    assert np.array_equal(run.array("dice_by_ensemble_size"), expected.dice_by_ensemble_size)
    assert np.array_equal(run.deterministic_predictions, exact_scores(model, images).argmax(axis=-1))
    with pytest.raises(Stop):
        sample_run(sampler, (images, masks), tmp_path / "stopped", progress=stop_after(0.5), **options)
    resumed = sample_run(sampler, (images, masks), tmp_path / "stopped", **options)
    assert resumed.manifest.files == run.manifest.files
    assert "mean Dice, deterministic" in str(verify_run(run.path))
    again = sample_run(sampler, open_run(run.path), tmp_path / "again", **options)
    assert again.digest == run.digest


def test_more_passes_are_all_sampled_anew_and_the_run_stays_whole_until_they_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcviz.manifest.SHARD_VALUES", 2 * 6 * 3 * 12 * 8)
    sampler, data = Sampler(keras_model(), task="segmentation"), draw()
    few = sample_run(sampler, data, tmp_path / "run", passes=4, seed=3)
    with pytest.raises(Stop):
        sample_run(sampler, data, tmp_path / "run", passes=6, seed=3, progress=stop_after(0.5))
    there = open_run(tmp_path / "run")
    assert there.manifest.files == few.manifest.files
    verify_run(there.path)
    seen: list[tuple[int, int]] = []
    grown = sample_run(
        sampler, data, tmp_path / "run", passes=6, seed=3, progress=lambda done, total: seen.append((done, total))
    )
    fresh = sample_run(sampler, data, tmp_path / "fresh", passes=6, seed=3)
    assert seen[-1] == (6 * 5, 6 * 5)
    assert grown.digest == fresh.digest
    for name in ("classes", "mean_class", "predictive_entropy", "dice_by_ensemble_size"):
        assert np.array_equal(grown.array(name), fresh.array(name)), name
    assert grown.scores().equals(fresh.scores())
    assert grown.manifest.store != few.manifest.store
    assert not (tmp_path / "run" / few.manifest.store).exists()
    verify_run(grown.path)


def test_masks_follow_images_that_are_resized(tmp_path: Path) -> None:
    images, masks = draw()
    large = np.repeat(np.repeat(masks, 2, axis=1), 2, axis=2)
    run = sample_run(Sampler(keras_model(), task="segmentation"), images, tmp_path / "a", passes=4)
    stored = TASKS["segmentation"].stored_labels(DataSet(images, large), "abc", run.manifest.label_maps, as_images=True)
    assert np.array_equal(stored.values, np.where(masks == 255, 3, masks))


def test_a_check_says_what_the_outputs_are_and_how_good() -> None:
    images, masks = draw()
    check = check_model(Sampler(keras_model(), task="segmentation"), (images, masks))
    assert check.outputs == {"classes of a pixel": "3"}
    assert check.quality_text.startswith("mean Dice ")
    assert check.bytes_per_pass > 0


@pytest.mark.parametrize("framework", MODELS)
def test_pixels_and_rows_are_not_taken_for_each_other(framework: str) -> None:
    with pytest.raises(UnsuitableModelError, match="task='segmentation'"):
        mcviz.sample(MODELS[framework](), draw()[0], passes=2)
    rows = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(3)])
    with pytest.raises(UnsuitableModelError, match=r"scores of classes for each pixel.*Received: shape \(N, 3\)"):
        Sampler(rows, task="segmentation")


class Colours:
    """A model without a fault for images whose colour is the class of the pixel."""

    size = 6, 4

    @classmethod
    def build(cls) -> keras.Model:
        keras.utils.set_random_seed(0)
        inputs = keras.Input((*cls.size, 3))
        hidden = keras.layers.Dropout(0.4)(inputs)
        layer = keras.layers.Conv2D(3, 1, use_bias=False, activation="softmax")
        model = keras.Model(inputs, layer(hidden))
        layer.set_weights([20 * np.eye(3, dtype=np.float32)[None, None]])
        return model

    @classmethod
    def write(cls, folder: Path, *, turn: int = 1, margin: int = 0) -> Path:
        """Pictures with masks, larger than the model takes, with more at both sides, and stored turned."""
        truth = np.random.default_rng(0).integers(0, 3, (4, *cls.size)).astype(np.uint8)
        note = Image.Exif()
        note[0x0112] = turn
        for number, classes in enumerate(truth):
            large = np.pad(classes, [(0, 0), (margin, margin)]).repeat(2, axis=0).repeat(2, axis=1)
            stored = np.rot90(large) if turn == 6 else large
            for name, picture in (("images", (255 * np.eye(3, dtype=np.uint8))[stored]), ("masks", stored)):
                (folder / name).mkdir(parents=True, exist_ok=True)
                encoded = Image.fromarray(np.ascontiguousarray(picture))
                encoded.save(folder / name / f"{number}.png", **({"exif": note} if name == "images" else {}))
        return folder


@pytest.mark.parametrize("case", [{"margin": 3}, {"turn": 6}])
def test_a_model_without_a_fault_has_dice_1_on_images_that_are_cropped_or_turned(
    tmp_path: Path, case: dict[str, int]
) -> None:
    how = Preprocessing(255.0, crop="margin" in case)
    trials: list[Trial] = []
    options: dict[str, Any] = {"passes": 2, "preprocessing": how, "tried": trials.append}
    folder = Colours.write(tmp_path / "data", **case)
    run = sample_run(Sampler(Colours.build(), task="segmentation"), folder, tmp_path / "run", **options)
    assert run.deterministic_quality == 1
    assert trials[0].quality == 1
    assert "brought to 6 × 4 pixels (nearest)" in trials[0].labels.summary


def test_a_run_whose_masks_would_be_others_now_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcviz.manifest.SHARD_VALUES", 2 * 2 * 3 * 6 * 4)
    folder = Colours.write(tmp_path / "data", turn=6)
    examples = read_data(folder, task="segmentation")
    sampler, before = Sampler(Colours.build(), task="segmentation"), np.asarray(examples.labels)[:, ::-1]
    options: dict[str, Any] = {"passes": 2, "progress": stop_after(0.5)}
    with pytest.raises(Stop):
        sample_run(sampler, replace(examples, labels=before), tmp_path / "run", **options)
    with pytest.raises(RunExistsError, match="differs in: labels"):
        sample_run(sampler, examples, tmp_path / "run", passes=2)


BINARY = {"passes": 2, "keep_model": False}


def test_masks_that_hold_only_0_and_255_are_of_the_foreground_unless_ignore_is_given(tmp_path: Path) -> None:
    images, masks = draw()[0], np.random.default_rng(0).integers(0, 2, (5, *SIZE)).astype(np.uint8)
    sampler, trials = Sampler(keras_model(2), task="segmentation"), []
    options: dict[str, Any] = {**BINARY, "tried": trials.append}
    run = sample_run(sampler, (images, 255 * masks), tmp_path / "run", **options)
    plain = sample_run(sampler, (images, masks), tmp_path / "plain", **options)
    assert np.array_equal(run.labels, masks)
    assert run.digest == plain.digest
    assert "They hold only 0 and 255, which is taken as class 1." in trials[0].labels.summary
    assert "only 0" not in trials[1].labels.summary
    ignored = sample_run(sampler, (images, 255 * masks), tmp_path / "ignored", ignore=255, **options)
    assert np.array_equal(ignored.labels, 2 * masks)
    assert "No pixel of the masks is of class 1." in trials[2].advice
    again = sample_run(sampler, open_run(ignored.path), tmp_path / "again", **options)
    assert again.digest == ignored.digest
    with pytest.raises(InvalidInputError, match="If 255 is the foreground, leave ignore out"):
        sample_run(sampler, (images, 255 * masks), tmp_path / "none", ignore=None, **options)


def test_arrays_of_masks_have_the_proportions_of_the_images_and_one_pixel_at_least_that_counts(tmp_path: Path) -> None:
    (images, masks), sampler = draw(), Sampler(keras_model(), task="segmentation")
    with pytest.raises(InvalidInputError, match=r"masks of the size of the images, \(12, 8\).*Received: \(12, 9\)"):
        sample_run(sampler, (images, np.pad(masks, [(0, 0), (0, 0), (0, 1)])), tmp_path / "run", passes=2)
    with pytest.raises(InvalidInputError, match="Received: 255 in every pixel, which is ignored"):
        sample_run(sampler, (images, np.full_like(masks, 255)), tmp_path / "run", passes=2)
    with pytest.raises(InvalidInputError, match="Received: dtype float64"):
        sample_run(sampler, (images, masks.astype(float)), tmp_path / "run", passes=2)


def test_the_command_that_checks_says_what_masks_hold_under_the_options_of_masks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcviz.sampling.checking.SECONDS", 0.0)
    folder = Colours.write(tmp_path / "data")
    Colours.build().save(tmp_path / "model.keras")
    model = "check", "--model", tmp_path / "model.keras", "--task", "segmentation", "--data", folder
    plain = output_of(capsys, *model)
    assert "masks:          class 0 " in plain
    assert "ignored 0.00% of 96 pixels in 4 masks. They are brought to 6 × 4 pixels (nearest)" in plain
    assert "100.0% of all 4, dropout off" in plain
    assert "class 0 0.00%" in output_of(capsys, *model, "--ignore", "0", "--background", "none")
