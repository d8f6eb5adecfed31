"""An open run gives what was sampled, and what follows from it."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mcviz.errors import McvizError, PartialRunError, RunNotFoundError
from mcviz.measures import SCORES, Predictions, register
from mcviz.runs import Model, Run, export_run, open_run, verify_run
from tests.runs.making import MadeUpSource, contents, make, make_partial, some_images, some_labels

pytestmark = pytest.mark.lowest

HALF_A_STEP = 0.5 / 65534 + 2**-24


@pytest.fixture(scope="module")
def run(finished_runs: dict[str, Path]) -> Run:
    return open_run(finished_runs["classes of images"])


@pytest.fixture(scope="module")
def sampled() -> np.ndarray:
    return MadeUpSource(some_images(), 3, 5).passes(0, 11, 0, 6, lambda *_: None)


def test_probabilities_are_those_that_were_sampled(run: Run, sampled: np.ndarray) -> None:
    for image in range(11):
        np.testing.assert_allclose(run.probs(image), sampled[:, image], rtol=0, atol=HALF_A_STEP)
    assert run.probs(0).dtype == np.float32


@pytest.mark.parametrize("span", [(0, 11), (3, 4), (2, 9), (4, 8), (5, 5), (10, 99), (-2, None)])
def test_a_block_is_a_slice(run: Run, sampled: np.ndarray, span: tuple[int, int]) -> None:
    block = run.probs_block(*span)
    np.testing.assert_allclose(block, sampled[:, slice(*span)], rtol=0, atol=HALF_A_STEP)
    assert block.dtype == np.float32


@pytest.mark.parametrize("image", [-1, 11])
def test_an_image_that_there_is_not(run: Run, image: int) -> None:
    with pytest.raises(IndexError, match=f"examples 0 to 10. Received: {image}"):
        run.probs(image)


@pytest.mark.parametrize("image", [True, 1.5, "x", None, np.float32(1)])
def test_what_is_no_number_of_an_image(run: Run, image: object) -> None:
    with pytest.raises(TypeError, match=f"a whole one. Received: {re.escape(repr(image))}"):
        run.probs(image)
    np.testing.assert_array_equal(run.probs(np.uint8(3)), run.probs(3))


def test_curves_and_means_follow_from_the_kept_passes(run: Run) -> None:
    probs, labels = run.probs_block(0, 11).astype(np.float64), some_labels()
    np.testing.assert_array_equal(run.labels, labels)
    np.testing.assert_allclose(run.mean_probs, probs.mean(0), atol=1e-7)
    assert run.pass_accuracy.tolist() == [np.mean(one.argmax(1) == labels) for one in probs]
    assert run.ensemble_accuracy.tolist() == [
        np.mean(probs[: size + 1].mean(0).argmax(1) == labels) for size in range(6)
    ]
    assert run.deterministic_accuracy == np.mean(
        MadeUpSource(some_images(), 3, 5).deterministic(0, 11).argmax(1) == labels
    )


def test_the_ordinary_model_is_kept_exactly(run: Run) -> None:
    np.testing.assert_array_equal(run.deterministic_probs, MadeUpSource(some_images(), 3, 5).deterministic(0, 11))


def test_scores_are_those_of_the_kept_passes(run: Run) -> None:
    table = run.scores()
    probs = run.probs_block(0, 11)
    assert list(table) == ["id", "label", "prediction", "correct", *SCORES]
    assert table.index.name == "example"
    predictions = Predictions(probs, run.labels)
    for name, score in SCORES.items():
        np.testing.assert_allclose(table[name], score.compute(predictions), rtol=0, atol=1e-6)
    assert table["id"].tolist() == [str(example) for example in range(11)]
    assert table["correct"].tolist() == (table["prediction"] == some_labels()).tolist()
    assert [str(table[name].dtype) for name in ("label", "prediction", "correct")] == ["Int64", "int64", "boolean"]


def test_a_score_that_was_not_known_when_the_run_was_made(tmp_path: Path, run: Run) -> None:
    older = make(tmp_path / "older", scores=("margin", "mutual_information"))
    computed, expected = older.scores(), run.scores()
    assert list(computed) == list(expected)
    for name in SCORES:
        np.testing.assert_allclose(computed[name], expected[name], rtol=0, atol=1e-6)
    assert verify_run(older.path).mean_scores.keys() == {"margin", "mutual_information"}


@pytest.fixture
def late_score() -> Iterator[str]:
    """A score that is registered after the run was made and its table read."""

    @register("Hit by chance", "probability", "low", "The probability that the passes give the label.")
    def label_probability(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return probs.mean(axis=0)[np.arange(len(labels)), labels]

    yield "label_probability"
    del SCORES["label_probability"]


def test_a_score_that_is_registered_late_is_computed_once_and_kept_beside_the_run(
    tmp_path: Path, late_score: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(tmp_path / "run", scores=("margin",))
    expected = run.probs_block(0, None).mean(axis=0)[np.arange(11), some_labels()]
    np.testing.assert_allclose(run.scores()[late_score], expected, atol=1e-6)
    again = open_run(run.path)
    monkeypatch.setattr(Run, "probs_block", lambda *_: pytest.fail("computed again"))
    np.testing.assert_allclose(again.scores()[late_score], expected, atol=1e-6)


def test_a_score_that_needs_labels_is_left_out_of_a_run_without_them(tmp_path: Path, late_score: str) -> None:
    assert late_score not in make(tmp_path / "unlabelled", labelled=False, scores=("margin",)).scores()


def test_a_run_without_deterministic_outputs_says_so(tmp_path: Path) -> None:
    run = make(tmp_path / "run", deterministic=False)
    assert run.deterministic_probs is None
    assert run.deterministic_accuracy is None
    assert run.ensemble_accuracy is not None
    assert not [name for name in contents(tmp_path / "run") if "deterministic" in name]
    assert "deterministic" not in verify_run(run.path).quality
    for name in ("a.npz", "a.nc", "a.parquet"):
        export_run(run, tmp_path / name)


def test_an_array_of_all_images_is_the_callers_own(run: Run) -> None:
    for whole in (np.array(run.images), np.asarray(run.images)):
        whole[0] = 0
    np.testing.assert_array_equal(run.images[:], some_images())


def test_without_labels_nothing_claims_to_be_right_or_wrong(tmp_path: Path) -> None:
    run = make(tmp_path / "unlabelled", labelled=False)
    assert run.labels is None
    assert run.pass_accuracy is None
    assert run.ensemble_accuracy is None
    assert run.deterministic_accuracy is None
    assert run.scores()["label"].isna().all()
    assert run.scores()["correct"].isna().all()


@pytest.mark.parametrize(
    "index", [0, -1, slice(2, 9, 3), [9, 0, 3], np.arange(11) % 2 == 0, slice(None), np.array([], dtype=int)]
)
def test_images_are_indexed_like_the_array_they_were(run: Run, index: object) -> None:
    np.testing.assert_array_equal(run.images[index], some_images()[index])
    assert not run.images[index].flags.writeable


def test_images_have_the_shape_of_the_array_they_were(run: Run) -> None:
    assert run.images.shape == (11, 4, 3, 1)
    assert len(run.images) == 11
    assert run.images.dtype == np.uint8
    with pytest.raises(IndexError):
        run.images[11]
    for index in ((..., 0), (0, 1), (slice(None), 0), ..., None):
        with pytest.raises(IndexError, match=r"first axis alone.*`run\.images\[:\]` is an array"):
            run.images[index]


def test_float_images_come_back_to_the_bit(tmp_path: Path) -> None:
    images = np.random.default_rng(3).normal(size=(7, 5, 5, 3)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(make(tmp_path / "float", pixels=images).images), images)


def test_a_run_without_images_and_model_says_so(tmp_path: Path) -> None:
    run = make(tmp_path / "bare", keep=False)
    assert run.model_path is None
    assert not [name for name in contents(tmp_path / "bare") if "images" in name or "model" in name]
    with pytest.raises(McvizError, match="kept without its images"):
        run.images  # noqa: B018


def test_what_is_shared_cannot_be_changed(run: Run) -> None:
    for array in (
        run.probs(0),
        run.probs_block(0, 9),
        run.labels,
        run.deterministic_probs,
        run.mean_probs,
        run.pass_accuracy,
    ):
        assert not array.flags.writeable
    table = run.scores()
    table["margin"] = 0
    assert (run.scores()["margin"] != 0).any()


def test_no_run_and_a_partial_run_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match=r"There is no run at .*nowhere\. Make one with"):
        open_run(tmp_path / "nowhere")

    make_partial(tmp_path / "stopped", predictions=30)
    with pytest.raises(PartialRunError, match=r"partial run: 4 of 11 examples have their 6 passes\. Go on with"):
        open_run(tmp_path / "stopped")


def test_a_notebook_shows_what_the_manifest_says_and_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(tmp_path / "<b>run", model=Model("<script>alert(1)</script>", "0" * 64, True))
    accuracy = run.ensemble_accuracy
    opened = open_run(run.path)
    monkeypatch.setattr(Run, "_read", None)  # of no file
    html = opened._repr_html_()
    assert set(re.findall(r"<(\w+)", html)) == {"b", "table", "tr", "td"}
    facts = dict(re.findall(r"<td>(.*?)</td><td>(.*?)</td>", html))
    assert facts["model"] == "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert (facts["passes"], facts["examples"]) == ("6, masks per_pass, seed 5", "11")
    assert facts["accuracy"] == f"{accuracy[-1]:.2%}"
    assert "Run &lt;b&gt;run<" in html
    assert len(html) < 1000
