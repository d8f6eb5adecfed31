"""Runs of segmentation: what is kept of the passes, verified as far as it can be, and resumed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mcviz import write_run
from mcviz.errors import CorruptRunError, InvalidInputError, RunExistsError
from mcviz.manifest import LabelMaps, Manifest
from mcviz.measures.segmentation import count_overlaps, pairwise_dice, reduce_label_maps, reduce_probabilities
from mcviz.runs import Run, export_run, open_run
from mcviz.runs.arrays import encode_shard, shard_file, stored_arrays
from mcviz.runs.data_set import data_set_of
from mcviz.runs.manifest_file import check_manifest
from mcviz.runs.storage import folder_at
from mcviz.runs.verify import as_xarray, verify_run
from mcviz.runs.writer import check_resumable
from mcviz.tasks import TASKS
from tests.factories import Stop, stop_after
from tests.runs.sealing import replace_file

SIZE = 11, 9
IGNORED = 255


def draw(seed: int = 0, count: int = 7, passes: int = 5, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of passes that tend to the masks, and these, of which one is ignored and one all background."""
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, classes, (count, *SIZE)).astype(np.uint8)
    masks[1] = 0
    logits = rng.normal(size=(passes, count, *SIZE, classes)) + 2 * np.eye(classes)[masks]
    masks[:, 0], masks[2] = IGNORED, IGNORED
    probs = np.exp(logits)
    return (probs / probs.sum(axis=-1, keepdims=True)).astype(np.float32), masks


def make(out: Path, passes: Any = None, **options: Any) -> Run:
    probs, masks = draw()
    options = {"labels": masks, "deterministic": None, **options}
    return write_run(out, probs if passes is None else passes, task="segmentation", **options)


def in_small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcviz.manifest.SHARD_VALUES", 2 * 5 * 3 * 11 * 9)


def test_what_is_kept_is_what_the_probabilities_give(tmp_path: Path) -> None:
    probs, masks = draw()
    run, expected = make(tmp_path / "run", deterministic=probs.mean(axis=0)), reduce_probabilities(probs, masks, 0)
    labels = np.where(masks == IGNORED, 3, masks)
    assert np.array_equal(run.labels, labels)
    assert run.array("classes").shape == (7, *SIZE, 5)
    assert np.array_equal(run.label_maps(4), probs[:, 4].argmax(axis=-1))
    assert np.array_equal(run.array("mean_class"), expected.mean_class)
    assert np.array_equal(run.deterministic_predictions, expected.mean_class)
    block = run.predictions_block(0, None)
    assert block.mean_confidence == pytest.approx(expected.mean_confidence, abs=0.5 / 254)
    assert block.predictive_entropy == pytest.approx(expected.predictive_entropy, abs=np.log(3) / 65534)
    assert block.mutual_information == pytest.approx(expected.mutual_information, abs=np.log(3) / 65534)
    assert np.array_equal(run.array("dice_by_ensemble_size"), expected.dice_by_ensemble_size, equal_nan=True)
    overlaps = count_overlaps(expected.mean_class, labels, 3, 0)
    table = run.scores()
    assert table["loss"].to_numpy() == pytest.approx(1 - overlaps.mean_dice, nan_ok=True, abs=1e-6)
    assert list(table["loss"].isna()) == [False, False, True, False, False, False, False]
    assert table["pairwise_dice"].to_numpy() == pytest.approx(pairwise_dice(expected.classes, 3, 0))
    assert run.array("class_dice") == pytest.approx(overlaps.dice, nan_ok=True)
    assert run.array("class_area_mean").sum(axis=1) == pytest.approx(np.ones(7))
    single, ensembles = run.quality_by_pass
    known = np.delete(run.array("dice_per_pass"), 2, axis=0)
    assert single == pytest.approx(known.mean(axis=0))
    assert ensembles[-1] == pytest.approx(np.nanmean(overlaps.mean_dice))
    assert run.manifest.quality == pytest.approx(np.nanmean(overlaps.mean_dice))
    assert run.deterministic_quality == pytest.approx(ensembles[-1])


def test_label_maps_alone_give_their_majority_and_no_entropy(tmp_path: Path) -> None:
    probs, masks = draw()
    maps = probs.argmax(axis=-1)
    run, expected = make(tmp_path / "run", maps), reduce_label_maps(maps.astype(np.uint8), masks, 3, 0)
    assert np.array_equal(run.array("mean_class"), expected.mean_class)
    assert np.array_equal(run.array("dice_by_ensemble_size"), expected.dice_by_ensemble_size, equal_nan=True)
    assert run.score_names == ("pairwise_dice", "soft_dice_of_passes")
    assert run.predictions_block(0, 2).predictive_entropy is None
    with pytest.raises(KeyError):
        run.array("mutual_information")
    report = verify_run(tmp_path / "run")
    assert "checksums alone" not in str(report)
    assert report.quality["ensemble"] == run.manifest.quality


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("alone", [True, False])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labelled: bool, alone: bool
) -> None:
    in_small_shards(monkeypatch)
    probs, masks = draw()
    passes, labels = probs.argmax(axis=-1) if alone else probs, masks if labelled else None
    whole = make(tmp_path / "whole", passes, labels=labels)
    with pytest.raises(Stop):
        make(tmp_path / "stopped", passes, labels=labels, progress=stop_after(0.5))
    resumed = make(tmp_path / "stopped", passes, labels=labels)
    assert resumed.manifest.files == whole.manifest.files
    assert resumed.manifest.shards > 1
    assert verify_run(tmp_path / "stopped").files == len(whole.manifest.files)


def test_shards_do_not_change_what_a_run_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = make(tmp_path / "one")
    in_small_shards(monkeypatch)
    several = make(tmp_path / "several")
    assert (one.manifest.shards, several.manifest.shards) == (1, 4)
    assert one.scores().equals(several.scores())
    for name in ("classes", "predictive_entropy", "class_pairwise_dice", "dice_per_pass"):
        assert np.array_equal(one.array(name), several.array(name), equal_nan=True)


def test_a_run_of_imported_passes_does_not_grow_and_says_why(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    with pytest.raises(RunExistsError, match=r"has 5 imported passes, and takes no more \(6 asked for\).*are not kept"):
        check_resumable(folder_at(run.path), replace(run.manifest, passes=6, state="partial"))
    assert open_run(tmp_path / "run").passes == 5


def test_the_background_and_what_is_ignored_are_part_of_what_a_run_is(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    assert run.manifest.label_maps == LabelMaps(*SIZE, 0, IGNORED)
    with pytest.raises(RunExistsError, match="label maps"):
        make(tmp_path / "run", background=None)
    other = make(tmp_path / "other", background=1)
    assert other.manifest.quality != run.manifest.quality


@pytest.mark.parametrize("name", ["classes", "class_pairwise_dice", "dice_per_pass", "scores"])
def test_numbers_that_are_not_those_of_the_label_maps_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make(tmp_path / "run")
    task = TASKS["segmentation"]
    right = type(task).aggregate

    def wrong(*args: Any) -> Any:
        known = right(*args)
        values = known.columns if name == "scores" else known.arrays
        key = {"scores": "pairwise_dice", "classes": "class_area_mean"}.get(name, name)
        values[key] = values[key] + np.float32(0.01)
        return known

    monkeypatch.setattr(type(task), "aggregate", wrong)
    with pytest.raises(CorruptRunError, match="not those of the passes"):
        verify_run(tmp_path / "run")


def test_a_majority_that_is_not_that_of_the_label_maps_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "run", draw()[0].argmax(axis=-1))
    task = TASKS["segmentation"]
    right = type(task).encode
    monkeypatch.setattr(
        type(task), "encode", lambda *args: {name: 2 - rows for name, rows in right(*args).items() if rows.ndim == 3}
    )
    with pytest.raises(CorruptRunError, match="mean_class holds numbers that are not those of the passes"):
        verify_run(tmp_path / "run")


def test_what_follows_from_nothing_stored_is_said(tmp_path: Path) -> None:
    make(tmp_path / "run")
    report = str(verify_run(tmp_path / "run"))
    assert "Of mean_class, mean_confidence, predictive_entropy, mutual_information and" in report.replace(
        "mutual_information, ", "mutual_information and "
    )
    assert "the checksums alone were verified" in report
    assert "mean Dice, ensemble:" in report


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 4), st.integers(2, 4), st.integers(2, 5), st.booleans())
def test_runs_of_any_size_are_verified(
    tmp_path_factory: pytest.TempPathFactory, count: int, passes: int, classes: int, labelled: bool
) -> None:
    probs, masks = draw(count, 4, passes, classes)
    run = make(tmp_path_factory.mktemp("any") / "run", probs[:, :count], labels=masks[:count] if labelled else None)
    verify_run(run.path)
    assert (run.manifest.quality is None) == (not labelled)


def test_the_examples_of_a_run_have_the_masks_that_were_given(tmp_path: Path) -> None:
    probs, masks = draw()
    run = make(tmp_path / "run", data=np.zeros((7, *SIZE, 3), np.uint8), class_names=["none", "cell", "edge"])
    again = data_set_of(run)
    assert np.array_equal(again.labels, masks)
    assert write_run(tmp_path / "again", probs, data=again, task="segmentation").digest == run.digest


def test_label_maps_and_reductions_are_exported(tmp_path: Path) -> None:
    probs, masks = draw()
    run = make(tmp_path / "run", deterministic=probs[0])
    export_run(run, tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as arrays:
        assert np.array_equal(arrays["classes"], probs.argmax(axis=-1))
        assert np.array_equal(arrays["labels"], np.where(masks == IGNORED, 3, masks))
        assert arrays["deterministic_classes"].shape == arrays["mutual_information"].shape == (7, *SIZE)
    data = as_xarray(run)
    assert data["classes"].dims == ("draw", "example", "height", "width")
    assert data["label"].dims == ("example", "height", "width")
    export_run(run, tmp_path / "run.parquet")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_maps": None}, "size of its label maps is missing"),
        ({"label_maps": LabelMaps(*SIZE, 3)}, "background is 3"),
        ({"classes": 255, "class_names": tuple(map(str, range(255)))}, "255 classes"),
        ({"label_maps": LabelMaps(3000, 2500)}, r"3,000 × 2,500 pixels and 3 classes take 1\.3 GiB .* 1 GiB at most"),
    ],
)
def test_what_no_run_can_be_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    manifest = make(tmp_path / "run").manifest
    with pytest.raises(InvalidInputError, match=message):
        check_manifest(replace(manifest, **changes))


def test_manifests_of_other_tasks_do_not_name_label_maps(tmp_path: Path) -> None:
    probs = np.random.default_rng(1).dirichlet([1, 1], (3, 4)).astype(np.float32)
    run = write_run(tmp_path / "run", probs)
    assert b"label_maps" not in (tmp_path / "run" / "manifest.json").read_bytes()
    assert isinstance(run.manifest, Manifest)
    assert run.manifest.label_maps is None
    with pytest.raises(Exception, match="label maps"):
        run.label_maps(0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("label", 4), ("mean_class", 3), ("classes", 3), ("deterministic_classes", 3), ("class_dice", 2.0),
     ("class_area_std", -0.5), ("dice_by_ensemble_size", 1.5), ("dice_per_pass", -1.0)],
)  # fmt: skip
def test_numbers_that_no_run_has_are_refused_though_a_manifest_vouches_for_them(
    tmp_path: Path, name: str, value: float
) -> None:
    run = make(tmp_path / "run", deterministic=draw()[0][0])
    array, rows = stored_arrays(run.manifest)[name], run.array(name).copy()
    rows[3].flat[0] = value
    replace_file(tmp_path / "run", shard_file(run.manifest, array, 0), encode_shard(array, 0, rows))
    with pytest.raises(CorruptRunError, match=f"{name}/c.0.* holds numbers beyond 0 to [1-3]"):
        open_run(tmp_path / "run").array(name)
