"""Masks and label maps from the folders and archives in which people keep them, on the command line and in Python."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from mcviz import write_run
from mcviz.data import read_data
from mcviz.data.masks import read_mask
from mcviz.errors import CorruptRunError, InvalidInputError, ModelWarning, RunExistsError
from mcviz.measures.segmentation import majority
from mcviz.runs import open_run, verify_run
from mcviz.runs.manifest_file import check_manifest
from mcviz.tasks import TASKS
from tests.cases import one_in
from tests.commands import output_of, refusal_of
from tests.factories import write_npz

SIZE = 10, 6


def draw(count: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 255, (count, *SIZE, 3), np.uint8), rng.integers(0, 3, (count, *SIZE)).astype(np.uint8)


def save(folder: Path, maps: np.ndarray, names: str = "abcdef", palette: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in zip(names, maps, strict=False):
        picture = Image.fromarray(values)
        if palette:
            picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
        picture.save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize("palette", [True, False])
def test_masks_have_the_names_of_their_images(tmp_path: Path, palette: bool) -> None:
    images, masks = draw()
    save(tmp_path / "images", images)
    save(tmp_path / "masks", masks, palette=palette)
    save(tmp_path / "masks", masks[:1], "z")
    examples = read_data(tmp_path, task="segmentation")
    assert np.array_equal(examples.labels, masks)
    assert np.array_equal(examples.images[:], images)
    assert examples.ids == ("a", "b", "c", "d")
    assert examples.kind == "image"


def test_nnunet_names_its_classes_and_training_cases_are_told(tmp_path: Path) -> None:
    images, masks = draw()
    names = [f"case{place}_0000" for place in range(4)]
    for place, name in enumerate(names):
        save(tmp_path / "imagesTr", images[[place]], [name])
        save(tmp_path / "labelsTr", masks[[place]], [name.removesuffix("_0000")])
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "cell": 1, "edge": 2, "ignore": 3}}))
    examples = read_data(tmp_path, task="segmentation")
    assert examples.class_names == ("background", "cell", "edge")
    assert "training cases" in examples.notes[0]
    assert examples.ids == ("case0", "case1", "case2", "case3")
    save(tmp_path / "imagesTr", images[:1], ["case0_0001"])
    with pytest.raises(InvalidInputError, match="one picture each, of the name CASE_0000"):
        read_data(tmp_path, task="segmentation")


@pytest.mark.parametrize("name", ["labels", "masks"])
def test_an_archive_has_masks_under_either_name(tmp_path: Path, name: str) -> None:
    images, masks = draw()
    names = np.array(["none", "cell", "edge"])
    file = write_npz(tmp_path / "data.npz", images=images, class_names=names, **{name: masks})
    examples = read_data(file, task="segmentation")
    assert np.array_equal(examples.labels, masks)
    assert examples.class_names == ("none", "cell", "edge")


def test_what_is_no_mask_is_named_with_what_to_do(tmp_path: Path) -> None:
    images, masks = draw()
    save(tmp_path / "images", images)
    save(tmp_path / "masks", masks[:3])
    with pytest.raises(InvalidInputError, match="no mask for 1 of 4 images, such as d"):
        read_data(tmp_path, task="segmentation")
    save(tmp_path / "masks", images[3:], "d")
    with pytest.raises(InvalidInputError, match=r"d\.png is a picture of colours \(RGB\).*with a palette"):
        read_data(tmp_path, task="segmentation")
    save(tmp_path / "masks", masks[3:, :5], "d")
    with pytest.raises(InvalidInputError, match=r"d\.png should have the proportions .* 10 × 6 .*Received: 5 × 6\."):
        read_data(tmp_path, task="segmentation")
    Image.fromarray(np.full(SIZE, 300, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(InvalidInputError, match="numbers of 300 to 300"):
        read_mask(tmp_path / "deep.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InvalidInputError, match="cannot be read as a picture"):
        read_mask(tmp_path / "broken.png")


def draw_passes(masks: np.ndarray, passes: int = 5) -> np.ndarray:
    """Probabilities of passes that tend to the masks."""
    logits = np.random.default_rng(1).normal(size=(passes, *masks.shape, 3)) + 2 * np.eye(3)[masks]
    probs = np.exp(logits)
    return (probs / probs.sum(axis=-1, keepdims=True)).astype(np.float32)


def test_probabilities_in_an_archive_become_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, masks = draw()
    data, probs = write_npz(tmp_path / "data.npz", images=images, masks=masks), draw_passes(masks)
    file = write_npz(tmp_path / "passes.npz", probs=probs, deterministic=probs.mean(axis=0))
    result = output_of(capsys, "import", file, "--task", "segmentation", "--data", data, "--out", tmp_path / "run")
    assert "mean Dice: ensemble" in result
    run = open_run(tmp_path / "run")
    assert np.array_equal(run.predictions_block(0, None).classes, probs.argmax(axis=-1))
    assert np.array_equal(run.deterministic_predictions, probs.mean(axis=0).argmax(axis=-1))
    assert np.array_equal(run.images[:], images)


@pytest.mark.parametrize("kind", ["npz", "npy", "folders"])
def test_label_maps_alone_become_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    images, masks = draw()
    maps = draw_passes(masks).argmax(axis=-1).astype(np.uint8)
    save(tmp_path / "data" / "images", images)
    save(tmp_path / "data" / "masks", masks)
    if kind == "npz":
        passes = write_npz(tmp_path / "passes.npz", masks=maps)
    elif kind == "npy":
        passes = tmp_path / "passes.npy"
        np.save(passes, maps)
    else:
        passes = tmp_path / "passes"
        for number, one in enumerate(maps):
            save(passes / f"pass{number}", one)
        (passes / ".thumbnails").mkdir()
        (passes / "notes.txt").write_text("five passes")
    options = "--task", "segmentation", "--data", tmp_path / "data", "--out", tmp_path / "run", "--background", "none"
    output_of(capsys, "import", passes, *options)
    run = open_run(tmp_path / "run")
    assert np.array_equal(run.predictions_block(0, None).classes, maps)
    assert run.manifest.label_maps.alone
    assert run.manifest.label_maps.background is None


def test_passes_that_do_not_go_with_masks_or_each_other_are_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, masks = draw()
    maps = draw_passes(masks).argmax(axis=-1).astype(np.uint8)
    for number, one in enumerate(maps):
        save(tmp_path / "passes" / f"{number}", one[: 4 - number % 2])
    options = "--task", "segmentation", "--out", tmp_path / "run"
    assert "none for d in" in refusal_of(capsys, "import", tmp_path / "passes", *options)
    given = {"task": "segmentation", "out": tmp_path / "run", "passes": maps}
    with pytest.raises(InvalidInputError, match=r"masks of the size of the passes, \(10, 6\).*Received: \(5, 6\)"):
        write_run(**given, labels=masks[:, :5])
    masks[2, 3, 4] = 7
    with pytest.raises(InvalidInputError, match=r"7 in row 3, column 4 of the mask of example 2.*ignore"):
        write_run(**given, labels=masks)
    with pytest.raises(InvalidInputError, match="shape"):
        write_run(tmp_path / "run", maps[0], task="segmentation")
    with pytest.raises(InvalidInputError, match="A probability of pass 0, example 0"):
        write_run(tmp_path / "run", -draw_passes(masks % 3), task="segmentation")
    assert not (tmp_path / "run").exists()
    assert write_run(**given, labels=masks, ignore=7).labels[2, 3, 4] == 3


def mean_of(probs: np.ndarray) -> np.ndarray:
    return probs.mean(axis=0, dtype=np.float64).astype(np.float32)


@pytest.mark.parametrize("way", one_in(3, ["npz", "option", "python"]))
def test_the_mean_beside_label_maps_is_the_prediction(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr("mcviz.manifest.SHARD_VALUES", 2 * 5 * 60)  # two images a shard
    images, masks = draw()
    probs, out = draw_passes(masks), tmp_path / "run"
    maps, mean = probs.argmax(axis=-1).astype(np.uint8), mean_of(probs)
    data = write_npz(tmp_path / "data.npz", images=images, masks=masks)
    if way == "python":
        write_run(out, maps, data=images, labels=masks, task="segmentation", mean_probs=mean, deterministic=maps[0])
    else:
        given = {"classes": maps, "deterministic": maps[0]} | ({"mean_probs": mean} if way == "npz" else {})
        np.save(tmp_path / "mean.npy", mean)
        file, more = write_npz(tmp_path / "passes.npz", **given), ["--mean-probs", tmp_path / "mean.npy"]
        options = "--task", "segmentation", "--data", data, "--out", out, *(more if way == "option" else ())
        output_of(capsys, "import", file, *options)
    run = open_run(out)
    known, whole = (
        run.predictions_block(0, None),
        write_run(tmp_path / "whole", probs, labels=masks, task="segmentation"),
    )
    assert run.manifest.shards > 1
    assert np.array_equal(known.classes, maps)
    assert np.array_equal(run.deterministic_predictions, maps[0])
    assert np.array_equal(known.mean_class, mean.argmax(axis=-1))
    assert not np.array_equal(known.mean_class, majority(maps, 3)[0])
    assert known.mutual_information is None
    entropy = -sum(
        np.where(share > 0, share * np.log(np.maximum(share, 1e-30)), 0) for share in np.moveaxis(mean, -1, 0)
    )
    assert known.predictive_entropy == pytest.approx(entropy, abs=np.log(3) / 65534)
    assert known.mean_confidence == pytest.approx(mean.max(axis=-1), abs=0.5 / 254)
    assert run.manifest.quality == pytest.approx(whole.manifest.quality)
    assert run.score_names == tuple(name for name in whole.score_names if name != "mean_mutual_information")
    assert run.scores()["window_entropy"].to_numpy() == pytest.approx(whole.scores()["window_entropy"], abs=1e-4)
    votes = write_run(tmp_path / "votes", maps, labels=masks, task="segmentation").array("dice_by_ensemble_size")
    by_size = run.array("dice_by_ensemble_size")
    assert np.array_equal(by_size[:, :-1], votes[:, :-1])
    assert by_size[:, -1] == pytest.approx(1 - run.scores()["loss"].to_numpy())
    report = verify_run(out)
    assert "Of mean_class, mean_confidence, predictive_entropy the checksums alone" in str(report)
    assert report.quality["ensemble"] == run.manifest.quality


def test_a_mean_is_part_of_what_a_run_is_and_of_no_other_manifest(tmp_path: Path) -> None:
    _, masks = draw()
    probs = draw_passes(masks)
    given = {"passes": probs.argmax(axis=-1).astype(np.uint8), "task": "segmentation"}
    bare, run = write_run(tmp_path / "bare", **given), write_run(tmp_path / "run", **given, mean_probs=mean_of(probs))
    assert b"mean_sha256" not in (tmp_path / "bare" / "manifest.json").read_bytes()
    assert run.digest != bare.digest
    assert write_run(tmp_path / "run", **given, mean_probs=mean_of(probs)).digest == run.digest
    with pytest.raises(RunExistsError, match="mean probabilities"):
        write_run(tmp_path / "run", **given, mean_probs=mean_of(probs[:3]))
    with pytest.raises(InvalidInputError, match="it has mean probabilities"):
        check_manifest(
            replace(write_run(tmp_path / "probs", probs, task="segmentation").manifest, mean_sha256="0" * 64)
        )


def test_numbers_that_are_not_those_of_a_mean_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, masks = draw()
    probs, task = draw_passes(masks), type(TASKS["segmentation"])
    right = task.with_mean

    def wrong(*args: Any) -> Any:
        rows = right(*args)
        return rows | {"dice_by_ensemble_size": rows["dice_by_ensemble_size"] * np.float32(0.9)}

    monkeypatch.setattr(task, "with_mean", wrong)
    maps = probs.argmax(axis=-1).astype(np.uint8)
    write_run(tmp_path / "run", maps, labels=masks, task="segmentation", mean_probs=mean_of(probs))
    with pytest.raises(CorruptRunError, match="dice_by_ensemble_size holds numbers that are not those of the passes"):
        verify_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda mean: mean[:, :5], r"`mean_probs` should be .*Received: shape \(4, 5, 6, 3\)"),
        (lambda mean: mean[:2], r"`mean_probs` should be .*Received: shape \(2, 10, 6, 3\)"),
        (lambda mean: mean[..., 0], r"`mean_probs` should be .*Received: shape \(4, 10, 6\)"),
        (lambda mean: (100 * mean).astype(int), "`mean_probs` should be floating point"),
        (lambda mean: mean[..., :2], "`mean_probs` should be of 3 to 254 classes, as the label maps need them. .*: 2"),
        (lambda mean: np.where(np.arange(4)[:, None, None, None] < 2, mean, 2 * mean), "row 0, column 0 of example 2"),
        (lambda mean: mean - np.array([0.9, 0, -0.9]), "`mean_probs` should be probabilities that sum to 1"),
        (lambda mean: np.where(np.arange(6)[:, None] == 3, np.nan, mean), "nan in row 0, column 3 of example 0"),
        (lambda mean: np.where(np.arange(6)[:, None] == 3, np.inf, mean), "inf in row 0, column 3 of example 0"),
    ],
)  # fmt: skip
def test_a_mean_that_is_none_is_named_and_nothing_is_written(tmp_path: Path, change: Any, message: str) -> None:
    _, masks = draw()
    probs = draw_passes(masks)
    maps = probs.argmax(axis=-1).astype(np.uint8)
    with pytest.raises(InvalidInputError, match=message):
        write_run(tmp_path / "run", maps, task="segmentation", mean_probs=change(mean_of(probs)))
    with pytest.raises(
        InvalidInputError, match=r"`mean_probs` should be left out.*it is given where these are label maps"
    ):
        write_run(tmp_path / "run", probs, task="segmentation", mean_probs=mean_of(probs))
    with pytest.raises(InvalidInputError, match="`mean_probs` should be left out"):
        write_run(tmp_path / "run", probs[:, :, 0, 0], mean_probs=mean_of(probs)[:, 0, 0])
    assert not (tmp_path / "run").exists()


def test_a_mean_says_how_many_classes_there_are(tmp_path: Path) -> None:
    _, masks = draw()
    mean = np.pad(mean_of(draw_passes(masks)), [(0, 0)] * 3 + [(0, 2)])
    maps = draw_passes(masks).argmax(axis=-1).astype(np.uint8)
    given = {"passes": maps, "task": "segmentation", "mean_probs": mean}
    assert write_run(tmp_path / "run", **given).manifest.classes == 5
    with pytest.raises(InvalidInputError, match="Name all classes"):
        write_run(tmp_path / "other", **given, class_names=["a", "b", "c"])


def test_masks_and_label_maps_of_0_and_255_are_of_two_classes_and_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, masks = draw()
    masks = np.minimum(masks, 1)
    maps = draw_passes(masks).argmax(axis=-1).clip(max=1).astype(np.uint8)
    data = write_npz(tmp_path / "data.npz", images=images, masks=255 * masks)
    passes = write_npz(tmp_path / "passes.npz", masks=255 * maps, deterministic=255 * maps[0])
    options = "--task", "segmentation", "--data", data
    said = output_of(capsys, "import", passes, *options, "--class-names", "none,cell", "--out", tmp_path / "run")
    run, plain = open_run(tmp_path / "run"), write_run(tmp_path / "plain", maps, labels=masks, task="segmentation")
    assert np.array_equal(run.labels, masks)
    assert np.array_equal(run.predictions_block(0, None).classes, maps)
    assert np.array_equal(run.deterministic_predictions, maps[0])
    assert run.manifest.quality == plain.manifest.quality
    shares = f"0 none {1 - masks.mean():.2%}, 1 cell {masks.mean():.2%}, ignored 0.00%"
    assert f"masks: {shares} of 240 pixels in 4 masks" in said
    assert "passes: 5 over 4 images of 10 × 6 pixels (height × width), 2 classes; their label maps hold only 0" in said
    assert "They hold only 0 and 255, which is taken as 1 cell." in said


@pytest.mark.parametrize(("values", "named"), [((0, 2), None), ((0, 1, 255), None), ((0, 128), 3), ((0, 255), 3)])
def test_label_maps_of_other_numbers_are_taken_as_they_are(
    tmp_path: Path, values: tuple[int, ...], named: int | None
) -> None:
    maps = np.random.default_rng(0).choice(np.array(values, np.uint8), (5, 4, *SIZE))
    names = named and [str(number) for number in "abcdefg"[:named]]
    if max(values) < 100:
        run = write_run(tmp_path / "run", maps, task="segmentation", class_names=names)
        assert np.array_equal(run.predictions_block(0, None).classes, maps)
    else:
        with pytest.raises(InvalidInputError, match=r"At most 254 classes|names"):
            write_run(tmp_path / "run", maps, task="segmentation", class_names=names)


def test_most_pixels_that_are_ignored_and_classes_that_never_occur_are_warned_of(tmp_path: Path) -> None:
    _, masks = draw()
    probs = draw_passes(masks)
    masks[:, :6], masks[masks == 2] = 255, 1
    with pytest.warns(ModelWarning, match=r"60.00% of the pixels .* hold 255. No pixel of the masks is of class 2\."):
        write_run(tmp_path / "run", probs, labels=masks, task="segmentation")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_run(tmp_path / "run", probs, labels=masks, task="segmentation")


@pytest.mark.parametrize("maps", [True, False])
@pytest.mark.parametrize("value", [-1, 3, 200, 1.6, np.nan])
def test_predictions_with_dropout_off_that_are_no_classes_are_refused(tmp_path: Path, value: float, maps: bool) -> None:
    probs = draw_passes(draw()[1])
    classes = probs[0].argmax(axis=-1).astype(type(value))
    classes[1, 2, 3] = value
    passes = probs.argmax(axis=-1) if maps else probs
    with pytest.raises(InvalidInputError, match=r"`deterministic` should be (classes, 0 to 2|whole numbers)"):
        write_run(tmp_path / "run", passes, task="segmentation", deterministic=classes)


@pytest.mark.parametrize("change", [lambda probs: 2 * probs, lambda probs: probs * np.nan, lambda probs: probs[:, 1:]])
def test_probabilities_with_dropout_off_that_are_none_are_refused(tmp_path: Path, change: Any) -> None:
    probs = draw_passes(draw()[1])
    with pytest.raises(InvalidInputError, match="`deterministic` should be"):
        write_run(tmp_path / "run", probs, task="segmentation", deterministic=change(probs[0]))


def test_masks_of_imported_passes_have_their_proportions_or_are_cropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, masks = draw()
    wide = np.pad(masks, [(0, 0), (0, 0), (2, 2)])
    save(tmp_path / "data" / "images", np.pad(images, [(0, 0), (0, 0), (2, 2), (0, 0)]).repeat(2, axis=1).repeat(2, 2))
    save(tmp_path / "data" / "masks", wide.repeat(2, axis=1).repeat(2, axis=2))
    passes = write_npz(tmp_path / "passes.npz", probs=draw_passes(masks))
    given = "import", passes, "--task", "segmentation", "--data", tmp_path / "data", "--out", tmp_path / "run"
    assert "--crop; otherwise bring the masks to the size of the passes" in refusal_of(capsys, *given)
    assert "They are brought to 10 × 6 pixels (nearest)" in output_of(capsys, *given, "--crop")
    run = open_run(tmp_path / "run")
    assert np.array_equal(run.labels, masks)
    assert run.image_shape == (10, 6, 3)
    large = masks.repeat(3, axis=1).repeat(3, axis=2)
    resized = write_run(tmp_path / "large", draw_passes(masks), labels=large, task="segmentation")
    assert np.array_equal(resized.labels, masks)


def test_images_of_a_pixel_and_no_more_classes_than_a_byte_holds_are_taken(tmp_path: Path) -> None:
    probs = draw_passes(draw()[1])[:, :, :1, :1]
    pixel = np.zeros((4, 1, 1, 1), np.uint8)
    for number, passes in enumerate((probs, probs.argmax(axis=-1))):
        run = write_run(tmp_path / f"{number}", passes, data=pixel, task="segmentation")
        assert np.array_equal(run.predictions_block(0, None).classes, probs.argmax(axis=-1))
    many = [str(number) for number in range(300)]
    with pytest.raises(InvalidInputError, match="`classes` should be 2 to 254 for each pixel"):
        write_run(tmp_path / "run", probs.argmax(axis=-1), labels=pixel[..., 0], task="segmentation", class_names=many)
    with pytest.raises(InvalidInputError, match=r"`class_names` should be names without ;. Received: b;c"):
        write_run(tmp_path / "run", probs, task="segmentation", class_names=["a", "b;c", "d"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--ignore", "255"], "--ignore should be left out for a classification"),
        (["--background", "0", "--task", "multilabel"], "--background should be left out for a multilabel"),
        (["--crop"], "--crop should be left out without --data"),
        (["--crop", "--task", "segmentation"], "--crop should be left out without --data or --labels"),
        (["--text-column", "a", "--skip-broken"], "--text-column, --skip-broken should be left out without --data"),
        (["--label-column", "a"], "--label-column should be left out without --data or --labels"),
    ],
)
def test_options_without_meaning_for_the_task_or_the_input_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    passes = write_npz(tmp_path / "passes.npz", probs=np.random.default_rng(0).dirichlet(np.ones(3), (5, 4)))
    assert words in refusal_of(capsys, "import", passes, "--out", tmp_path / "run", *options)
    with pytest.raises(InvalidInputError, match="`background` should be left out for a classification"):
        write_run(tmp_path / "run", np.ones((2, 4, 3)) / 3, background=None)


@pytest.mark.parametrize(
    ("labels", "names", "ignored"),
    [
        ({"none": 0, "cell": "1", "ignore": 2}, ("none", "cell"), 2),
        ({"none": 0, "cell": 1.7}, None, None),
        ({"none": 0, "cell": True}, None, None),
        ({"none": 0, "cell": [1, 2]}, None, None),
        ({"none": 0, "cell": 2}, None, None),
    ],
)
def test_nnunet_numbers_its_classes_by_whole_numbers(
    tmp_path: Path, labels: dict[str, Any], names: tuple[str, ...] | None, ignored: int | None
) -> None:
    images, masks = draw(1)
    save(tmp_path / "imagesTs", images, ["a_0000"])
    save(tmp_path / "labelsTs", masks, ["a"])
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    if names is None:
        with pytest.raises(InvalidInputError, match=r"dataset\.json (has .* for cell|should number all classes)"):
            read_data(tmp_path, task="segmentation")
    else:
        examples = read_data(tmp_path, task="segmentation")
        assert (examples.class_names, examples.ignored) == (names, ignored)
        assert examples.resolve_ignore("auto") == (2, False)
