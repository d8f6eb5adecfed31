"""What the app keeps beside a run: its images' components and its t-SNE layout."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import mcviz
from mcviz.analysis.layouts import SIMILARITY, TSNE, load_tsne
from mcviz.app import selection
from mcviz.app.filters import Filters, lasso_on_map
from mcviz.app.state import PageState
from mcviz.measures.similarity import most_similar
from mcviz.runs import save_derived
from tests.browsing import ROOT
from tests.runs.making import make


@pytest.fixture
def copied(run: mcviz.Run, tmp_path: Path) -> mcviz.Run:
    """The shipped run, in a folder of its own."""
    shutil.copytree(run.path, tmp_path / "copied")
    return mcviz.open_run(tmp_path / "copied")


def test_similar_images_are_near_in_their_pixels(copied: mcviz.Run) -> None:
    pixels = np.asarray(copied.images[:]).reshape(len(copied), -1).astype(np.float64)
    components = selection.components.__wrapped__(copied)
    for example in (0, 247, 9999):
        nearest = most_similar(components, example, 6)
        assert example not in nearest
        distances = np.sqrt(((pixels - pixels[example]) ** 2).sum(axis=1))
        assert (distances[nearest] <= np.quantile(distances, 0.01)).all()


def test_components_are_computed_once_for_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(tmp_path / "run")
    first = selection.components.__wrapped__(run)

    def refuse(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("mcviz.measures.similarity.principal_components", refuse)
    again = selection.components.__wrapped__(mcviz.open_run(run.path))
    np.testing.assert_array_equal(again, first)
    assert not again.flags.writeable


def test_components_of_another_number_of_images_are_computed_again(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    save_derived(run.path, run.digest, SIMILARITY, {"components": np.zeros((len(run) + 1, 3), np.float32)})
    assert len(selection.components.__wrapped__(run)) == len(run)


def test_a_kept_layout_is_read_back_and_one_that_does_not_fit_is_not(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    positions = np.random.default_rng(0).random((len(run), 2), dtype=np.float32)
    for wrong in (positions[1:], positions[:, :1]):
        save_derived(run.path, run.digest, TSNE, {"positions": wrong})
        assert selection.positions(run, "tsne") is None
        assert selection.computed_layouts(run) == ["pca"]
        assert selection.choose_layout(run, PageState()) == "pca"
    save_derived(run.path, run.digest, TSNE, {"positions": positions})
    np.testing.assert_array_equal(selection.positions(run, "tsne"), positions)
    assert selection.computed_layouts(run) == ["pca", "tsne"]
    assert selection.choose_layout(run, PageState()) == "tsne"
    assert selection.choose_layout(run, PageState(layout="pca")) == "pca"
    on_pca = Filters(area=lasso_on_map("pca", ((0, 0), (1, 0), (0, 1))))
    assert selection.choose_layout(run, PageState(filters=on_pca)) == "pca", "where the lasso was drawn"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist-cnn", "fashion-cnn"])
def test_the_layout_that_a_shipped_run_comes_with_shows_its_classes(name: str) -> None:
    run = mcviz.open_run(ROOT / "cache" / name)
    layout = load_tsne(run)
    assert layout is not None
    examples = np.random.default_rng(0).choice(len(run), 200, replace=False)
    labels = run.labels
    of_neighbours = [labels[most_similar(layout, int(example), 5)] == labels[example] for example in examples]
    assert np.mean(of_neighbours) > 0.6, "by chance it would be a tenth"


@pytest.mark.parametrize("count", [1, 6])
def test_no_example_is_similar_to_itself_in_a_small_run(tmp_path: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    images, probs = rng.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8), rng.dirichlet(np.ones(4), (3, count))
    small = mcviz.write_run(tmp_path / "small", probs, data=images)
    components = selection.components.__wrapped__(small)
    for example in range(count):
        others = sorted(set(range(count)) - {example})
        assert sorted(most_similar(components, example, 6)) == others
