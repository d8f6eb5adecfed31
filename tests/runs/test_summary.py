"""A run that keeps a summary has what all passes come to, and all passes of the most uncertain examples."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz.errors import InvalidInputError, McvizError, PassesNotKeptError
from mcviz.manifest import layout_for
from mcviz.measures import summarise
from mcviz.measures.summary import BINS, histograms
from mcviz.runs import Run, export_run, open_run
from mcviz.runs.manifest_file import check_manifest
from tests.runs.making import make, some_images, some_labels, wanted

KEPT = [1, 2, 3, 4, 7]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make(tmp_path_factory.mktemp("summary") / "run", with_passes=len(KEPT))


def test_all_that_both_runs_have_is_the_same(whole: Run, summary: Run) -> None:
    pd.testing.assert_frame_equal(whole.table(), summary.table())
    for name in (
        *(
            "mean_probs",
            "deterministic_probs",
            "labels",
            "pass_accuracy",
            "ensemble_accuracy",
            "deterministic_accuracy",
        ),
    ):
        np.testing.assert_array_equal(getattr(whole, name), getattr(summary, name))
    assert summary.manifest.quality == whole.manifest.quality
    assert summary.digest != whole.digest
    assert summary.score_names == whole.score_names


def test_those_with_passes_are_the_most_uncertain(whole: Run, summary: Run) -> None:
    least = whole.scores()["max_probability"].sort_values().index[: len(KEPT)]
    assert sorted(least) == KEPT
    assert summary.examples_with_passes.tolist() == KEPT
    assert whole.examples_with_passes is None
    for example in KEPT:
        assert summary.has_passes(example)
        np.testing.assert_array_equal(summary.probs(example), whole.probs(example))


def test_every_example_has_its_summary(whole: Run, summary: Run) -> None:
    for example in range(len(whole)):
        probs, found = whole.probs(example).astype(np.float64), summary.summary(example)
        np.testing.assert_allclose(found.mean, probs.mean(axis=0), atol=1e-7)
        np.testing.assert_allclose(found.std, probs.std(axis=0), atol=1e-7)
        assert found.votes.tolist() == [int((probs.argmax(axis=1) == c).sum()) for c in range(3)]
        assert found.prediction == probs.mean(axis=0).argmax()
        assert found.passes == 6
        for c in range(3):
            assert found.histograms[c].tolist() == np.histogram(probs[:, c], BINS, (0, 1))[0].tolist()
        np.testing.assert_array_equal(whole.summary(example).histograms, found.histograms)


def test_passes_that_are_not_there_are_never_made_up(summary: Run) -> None:
    assert not summary.has_passes(0)
    with pytest.raises(
        PassesNotKeptError, match=r"passes of its 5 most uncertain examples\. Example 0 is not among them"
    ):
        summary.probs(0)
    for block in (summary.probs_block, summary.predictions_block):
        with pytest.raises(PassesNotKeptError, match=r"keeps a summary, and this takes all passes\. Sample it again"):
            block(1, 3)
    with pytest.raises(IndexError):
        summary.probs(11)
    with pytest.raises(McvizError, match="regression"):
        summary.outputs(1)


def test_more_than_there_are_cannot_be_claimed(tmp_path: Path) -> None:
    manifest = wanted(some_images(), some_labels(), with_passes=12)
    with pytest.raises(InvalidInputError, match="12 of 11 examples"):
        check_manifest(manifest)
    make(tmp_path / "run", with_passes=11)
    assert open_run(tmp_path / "run").examples_with_passes.tolist() == list(range(11))


def test_it_is_exported_as_it_is(tmp_path: Path, summary: Run, whole: Run) -> None:
    export_run(summary, tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz", allow_pickle=False) as file:
        assert file["example_with_passes"].tolist() == KEPT
        np.testing.assert_array_equal(file["probs"], whole.probs_block(0, None)[:, KEPT])
        np.testing.assert_array_equal(file["mean_probs"], whole.mean_probs)
        assert file["votes"].sum() == 6 * 11


def test_xarray_reads_it_as_it_is(summary: Run, whole: Run) -> None:
    import xarray

    found = xarray.open_zarr(f"{summary.path}/predictions.zarr", consolidated=False)
    assert found["example_with_passes"].to_numpy().tolist() == KEPT
    probs = found["probs"].sel(example_with_passes=4).transpose("draw", "category").to_numpy()
    np.testing.assert_allclose(probs, whole.probs(4), atol=1e-7)
    assert found["histograms"].sum("bin").to_numpy().tolist() == [[6] * 3] * 11


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40), st.integers(1, 3))
def test_a_histogram_holds_every_pass_in_its_hundredth(values: list[float], examples: int) -> None:
    steps = np.rint(np.array(values) * 65534) / np.float32(65534)  # as they are stored
    probs = np.stack([steps, 1 - steps], axis=-1).astype(np.float32)[:, None].repeat(examples, axis=1)
    found = histograms(probs)
    assert found.shape == (examples, 2, BINS)
    assert (found.sum(axis=-1) == len(values)).all()
    expected, _ = np.histogram(probs[:, 0, 0], BINS, (0, 1))
    assert found[0, 0].tolist() == expected.tolist()
    np.testing.assert_array_equal(summarise(probs[:, 0]).histograms, found[0])


@pytest.mark.parametrize(("passes", "width"), [(1, 2), (20, 10), (500, 10), (500, 1000), (10_000, 100)])
def test_a_shard_of_a_summary_takes_a_bounded_memory(passes: int, width: int) -> None:
    layout = layout_for(passes, width, None, summary=True)
    assert layout.examples_per_shard * width * BINS <= 1 << 24
    assert layout.examples_per_shard <= 4096
    manifest = wanted(some_images(), None, passes=passes, classes=2, layout=layout, with_passes=3)
    assert manifest.examples_at_once * passes * manifest.width <= 1 << 22
