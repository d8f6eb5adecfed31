"""Masks and label maps from the folders and archives in which people keep them, on the command line and in Python."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcviz import write_run
from mcviz.data import read_data
from mcviz.data.masks import read_mask
from mcviz.errors import InvalidInputError
from mcviz.runs import open_run
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
    with pytest.raises(
        InvalidInputError, match=r"of one size. Received: \(10, 6\) in .*a.png, and \(5, 6\) in .*d.png"
    ):
        read_data(tmp_path, task="segmentation")
    Image.fromarray(np.full(SIZE, 300, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(InvalidInputError, match="numbers up to 300"):
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
