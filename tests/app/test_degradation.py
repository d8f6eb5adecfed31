"""Where a model fails: asked for, computed, kept beside the run, stopped; and true for any run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.app import sweep
from mcviz.app.kinds import KIND_RENDERERS
from mcviz.app.kinds.base import MIX
from mcviz.app.sweep import STEPS, step_amounts
from mcviz.data import DataSet
from mcviz.errors import UnsuitableModelError
from mcviz.kinds.base import Distortion
from mcviz.kinds.row_distortions import add_noise
from tests.app.opening import assert_sound, opened_page
from tests.app.probing import button, widget, words
from tests.sampling.ood_runs import row_run, text_run

IMAGES, PASSES = 40, 6
SHOWN = {kind.name: shown for kind, shown in KIND_RENDERERS.items()}
OFFERED = {
    kind: {name: distortion for name, distortion in shown.distorter.distortions.items() if name != MIX}
    for kind, shown in SHOWN.items()
    if shown.distorter
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of small colour images of two classes with its model, and one without."""
    import keras

    folder = tmp_path_factory.mktemp("made")
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((8, 6, 3)),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.4),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(0)
    labels = np.arange(IMAGES) % 2
    images = (rng.integers(0, 90, (IMAGES, 8, 6, 3)) + 150 * labels[:, None, None, None]).astype(np.uint8)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images / 255, labels, epochs=5, verbose=0)
    mcviz.sample_run(model, DataSet(images, labels), folder / "kept", passes=PASSES)
    probs = mcviz.open_run(folder / "kept").probs_block(0, None)
    mcviz.write_run(folder / "imported", probs, labels=labels, data=images)
    return folder


@pytest.fixture
def cache(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of both, of which nothing is known yet."""
    folder = Path(shutil.copytree(made, tmp_path / "cache"))
    monkeypatch.setenv("MCVIZ_CACHE", str(folder))
    sweep._cache.clear()
    return folder


def opened(run: str, **query: str) -> AppTest:
    return opened_page("probe", {"run": run, "input": "distortion", "distortion": "blur", **query})


def test_it_is_computed_when_asked_for_and_read_again_without_the_model(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened("kept")
    assert "averaging passes" not in words(app)
    assert f"{IMAGES} images of this run, {STEPS} steps, {PASSES} passes" in words(app)
    button(app, "Distort the images").click().run()
    assert_sound(app)
    said = words(app)
    assert "averaging passes makes the NLL" in said
    correct = mcviz.open_run(cache / "kept").scores()["correct"].mean()
    assert f"accuracy goes from {100 * correct:.1f}%" in said or correct == 1
    assert (cache / "kept" / "derived" / "distorted-blur-1.npz").exists()
    sweep._cache.clear()
    monkeypatch.setattr(sweep, "sampler", None)
    app = opened("kept")
    assert words(app) == said
    assert not [each for each in app.button if each.label in ("Stop distorting", "Distort the images")]
    widget(app.selectbox, "distortion").select("shift_right").run()
    assert app.query_params["distortion"] == "shift_right"
    assert "averaging passes" not in words(app), "another distortion is another question"


def test_the_address_that_it_had_on_trust_opens_it_on_probe(cache: Path) -> None:
    app = opened_page("trust", {"run": "kept", "details": "distortions", "distortion": "blur"})
    assert app.title[0].value == "Probe"
    assert app.query_params["input"] == "distortion"
    assert button(app, "Distort the images")


def test_stop_ends_it_and_it_starts_only_when_asked_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, stopping = opened("kept", distortion="shift_right"), monkeypatch.context()
    with stopping as patched:
        patched.setattr(sweep, "_compute", lambda *_: sweep.st.stop())  # as Streamlit ends what is left
        button(app, "Distort the images").click().run()
        assert_sound(app)
        button(app, "Stop distorting").click().run()
    assert "averaging passes" not in words(app)
    assert not [each for each in app.button if each.label == "Stop distorting"]
    assert "averaging passes" not in words(app.run())
    button(app, "Distort the images").click().run()
    assert "averaging passes" in words(app)
    assert (cache / "kept" / "derived" / "distorted-shift-right-1.npz").exists()


def test_a_model_that_cannot_be_asked_is_a_sentence(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_) -> None:
        raise UnsuitableModelError("The model has no dropout.")

    app = opened("kept")
    monkeypatch.setattr(sweep, "sampler", refuse)
    button(app, "Distort the images").click().run()
    assert_sound(app, "The model has no dropout.")
    monkeypatch.undo()
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))
    button(app.run(), "Distort the images").click().run()
    assert "averaging passes" in words(app)


def test_passes_without_a_model_are_told_what_to_do(cache: Path) -> None:
    app = opened("imported")
    assert "there is no model to ask" in words(app)
    assert not [each for each in app.button if each.label == "Distort the images"]


def labelled_row_run(path: Path) -> mcviz.Run:
    """The rows of `row_run`, whose classes take turns, with labels."""
    run = row_run(path.with_name("without-labels"))
    data = DataSet(None, rows=run.content, labels=np.arange(len(run)) % 3)
    return mcviz.sample_run(mcviz.load_model(run.model_path), data, path, passes=PASSES)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "make"), [("row", labelled_row_run), ("text", text_run)])
def test_rows_and_texts_are_distorted_likewise(
    kind: str, make: Callable[[Path], mcviz.Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(tmp_path / "cache" / "run")
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / "cache"))
    sweep._cache.clear()
    first = {"row": "noise", "text": "drop_words"}[kind]
    app = opened("run", distortion=first)
    button(app, f"Distort the {kind}s").click().run()
    assert_sound(app)
    assert "averaging passes" in words(app)
    assert (Path(run.path) / "derived" / f"distorted-{first.replace('_', '-')}-1.npz").exists()
    steps = sweep.load_steps(run, first, OFFERED[kind][first])
    examples = np.sort(np.random.default_rng(0).permutation(len(run))[:200])
    whole, broken = (steps[at]["deterministic"] for at in (0, -1))
    mean = run.deterministic_probs[examples]
    np.testing.assert_array_equal(whole["correct"][:, 0], mean.argmax(axis=1) == run.labels[examples])
    np.testing.assert_allclose(whole["confidence"][:, 0], mean.max(axis=1), atol=1e-4)  # a run stores steps of 1/65534
    if kind == "text":  # of which no word is left, so that all are alike
        assert np.ptp(broken["confidence"]) < 1e-6
    else:
        rows = run.content.to_numpy(np.float32)
        noisy = mcviz.load_model(run.model_path)(add_noise(rows[examples], rows, 5.0)).numpy()
        np.testing.assert_allclose(broken["confidence"][:, 0], noisy.max(axis=1), rtol=1e-4)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in OFFERED for name in OFFERED[kind]])
def test_steps_begin_with_examples_as_they_are_and_end_at_the_slider_s_end(kind: str, name: str) -> None:
    distortion = OFFERED[kind][name]
    amounts = step_amounts(distortion)
    assert amounts[0] == distortion.unchanged
    assert amounts[-1] == distortion.strongest
    assert len(amounts) == STEPS
    rng = np.random.default_rng(0)
    examples = {
        "image": rng.random((3, 28, 28, 1), dtype=np.float32),
        "row": rng.random((3, 4), dtype=np.float32),
        "text": np.array(["a text of some words", "another one", "the third of them"], object),
    }[kind]
    np.testing.assert_array_equal(distortion.apply(examples, float(amounts[0]), 0, examples), examples)
    assert all(distortion.apply(examples, float(amount), 0, examples).shape == examples.shape for amount in amounts)


def test_steps_lead_to_the_strongest_distortion_also_where_that_is_the_smallest_amount() -> None:
    contrast = Distortion("Contrast", "of the contrast", 1, 0, 0.1, lambda x, amount, *_: x * amount, is_share=True)
    assert contrast.ends == (0, 1)
    np.testing.assert_allclose(step_amounts(contrast), [1, 0.8, 0.6, 0.4, 0.2, 0])


def test_what_ends_at_another_label_is_not_offered() -> None:
    assert "mix" in SHOWN["image"].inputs["distortion"].choose.__self__.distortions
    assert "mix" not in OFFERED["image"]
