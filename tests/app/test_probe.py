"""The probe with the shipped model, and a tiny colour model of another size: every input, and what is shown of it."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz import Run
from mcviz.app.kinds import base
from mcviz.app.kinds.base import DistortionSettings
from mcviz.app.kinds.image import IMAGE_DISTORTER, background_brightness, load_images
from mcviz.data.drawing import Stroke, center_digit, render_strokes
from mcviz.kinds.image_distortions import DISTORTIONS, NOISES
from tests.app.opening import assert_sound
from tests.app.probing import OpenProbe, button, class_means, widget, words
from tests.cases import one_in
from tests.runs.making import make

pytestmark = pytest.mark.usefixtures("run")


@pytest.fixture
def run(trained: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run that is open."""
    monkeypatch.setenv("MCVIZ_CACHE", str(Path(trained.path).parent))
    return trained


def means(app: AppTest) -> list[float]:
    return [float(f"{100 * mean:.4f}") for mean in class_means(app).values()]


def shown(probs: np.ndarray) -> list[float]:
    return [float(f"{100 * value:.4f}") for value in probs.mean(axis=0, dtype=np.float64)]


@pytest.mark.parametrize("kind", one_in(5, NOISES))
def test_every_noise_is_drawn_by_its_seed_and_strength(open_probe: OpenProbe, run: Run, kind: str) -> None:
    app = open_probe(noise=kind, seed="3", strength="0.8")
    noise = NOISES[kind].draw(1, (28, 28, 1), 3, 0.8)
    assert means(app) == shown(mcviz.sample(mcviz.load_model(run.model_path), noise, passes=run.passes)[:, 0])
    assert "No prediction is correct" in words(app)


def test_a_link_is_answered_by_itself_and_so_is_every_change(open_probe: OpenProbe) -> None:
    app = open_probe(predict=None, seed="3")
    before = means(app)
    widget(app.slider, "strength").set_value(0.5).run()
    assert means(app) != before
    widget(app.selectbox, "noise").select("smooth").run()
    assert widget(app.selectbox, "noise").value == "smooth"
    assert not [each for each in app.button if each.label.startswith("Predict in")]


def test_predicting_is_stopped_and_started_again(open_probe: OpenProbe) -> None:
    app = open_probe(seed="0")
    button(app, "Stop predicting").click().run()
    widget(app.slider, "strength").set_value(0.5).run()
    assert not app.table
    assert not [each for each in app.button if each.label == "Stop predicting"]
    button(app, "Predict in").click().run()
    assert means(app)


def test_predictions_are_cached_up_to_a_number_of_bytes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    predicted: list[int] = []

    def passes(_: Run, images: np.ndarray) -> np.ndarray:
        predicted.append(int(images[0, 0, 0, 0]))
        return np.zeros((1, 1, 10), np.float32)

    kept: dict[str, object] = {}
    monkeypatch.setattr(base, "session_store", lambda: kept)
    monkeypatch.setattr(base, "predict_live", passes)
    monkeypatch.setattr(base, "MOST_CACHED_BYTES", 2 * 40)
    for number in (1, 2, 1, 3, 2, 1):
        base.predict(run, np.full((1, 2, 2, 1), number, np.float32))
    assert predicted == [1, 2, 3, 1], "the third takes the place of the first"
    monkeypatch.setattr(base, "MOST_CACHED_BYTES", 39)
    assert len(base.predict(run, np.full((1, 2, 2, 1), 4, np.float32))) == 1, "what is too large is shown as well"


@pytest.mark.parametrize("name", one_in(11, ["fgsm", *DISTORTIONS]))
def test_every_distortion_has_its_slider_and_its_curves(open_probe: OpenProbe, name: str) -> None:
    app = open_probe(input="distortion", example="11", distortion=name)
    assert "Along the whole slider" in words(app)
    before = means(app)
    slider = widget(app.slider, f"amount-{name}")
    slider.set_value(slider.max).run()
    assert_sound(app)
    assert means(app) != before
    assert "The label of the example is **6**" in words(app)


def test_an_adversarial_step_goes_where_the_loss_grows(run: Run) -> None:
    images, settings = load_images(run, np.arange(20)), DistortionSettings("fgsm", 0, 0.1, 0, 1)
    moved = IMAGE_DISTORTER.distort(run, settings, images, [0.1])
    model = mcviz.load_model(run.model_path)
    before, after = (mcviz.sample(model, each, passes=20).mean(axis=0) for each in (images, moved))
    predicted = before.argmax(axis=1)[:, None]
    assert (np.take_along_axis(after, predicted, 1) < np.take_along_axis(before, predicted, 1)).mean() > 0.9


def test_a_six_rotated_by_180_degrees_is_predicted_as_a_nine(open_probe: OpenProbe, run: Run) -> None:
    app = open_probe(input="distortion", example="11", distortion="rotate", amount="180")
    rotated = np.rot90(run.images[11], 2).astype(np.float32)[None] / np.float32(255)
    assert means(app) == shown(mcviz.sample(mcviz.load_model(run.model_path), rotated, passes=run.passes)[:, 0])
    assert "predicts **9**" in words(app)


def test_without_kept_images_there_is_one_sentence_and_nothing_to_distort_or_sweep(
    open_probe: OpenProbe, small_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(small_cache))
    app = open_probe(run="bare", input="distortion", seed="0")
    assert [each.value for each in app.info] == [
        "This run was kept without its images. Sample it again with the images kept to see them here."
    ]
    assert not [*app.error, *app.button, *app.slider, *app.number_input]
    widget(app.segmented_control, "input").set_value("noise").run()
    assert_sound(app)
    assert len(app.table) == 2
    assert "By expected entropy alone. The OOD detector could not be fitted" in words(app)
    assert "was kept without its images" in words(app)


def test_a_drawing_pad_waits_for_the_first_stroke(open_probe: OpenProbe) -> None:
    app = open_probe(input="drawing")
    assert "Draw something" in words(app)
    assert not app.table


def test_a_drawing_that_is_kept_in_the_session_is_predicted(open_probe: OpenProbe, run: Run) -> None:
    line = [{"width": 0.09, "points": [[0.5, 0.2], [0.5, 0.8]]}]
    app = open_probe(input="drawing", drawing=line)
    assert "predicts **1**" in words(app)
    app.toggle(key="drawing-centred").set_value(False).run()
    as_drawn = render_strokes([Stroke(0.09, ((0.5, 0.2), (0.5, 0.8)))], 28, 28)[None, ..., None]
    assert means(app) == shown(mcviz.sample(mcviz.load_model(run.model_path), as_drawn, passes=run.passes)[:, 0])


def test_an_upload_is_shown_as_the_model_sees_it_and_a_bad_one_ends_in_a_sentence(open_probe: OpenProbe) -> None:
    app = open_probe(input="upload")
    assert "Choose a picture" in words(app)
    app.file_uploader(key="picture-file").upload("seven.png", png(np.zeros((40, 30, 3), np.uint8)), "image/png").run()
    assert_sound(app)
    assert len(app.table) == 2
    for name, content, kind, refused in (
        ("seven.png", b"GIF89a" + bytes(50), "image/png", "neither PNG nor JPEG"),
        ("seven.txt", b"Seven.", "text/plain", "neither PNG nor JPEG"),
        (
            "large.png",
            png(np.zeros((2, 2), np.uint8)) + bytes(40 * 2**20),
            "image/png",
            "The file is too large: 40.0 MB",
        ),
    ):
        app.file_uploader(key="picture-file").upload(name, content, kind).run()
        assert_sound(app, refused)
        assert not app.table
        assert not app.info
    app.file_uploader(key="picture-file").upload("seven.png", png(np.zeros((40, 30, 3), np.uint8)), "image/png").run()
    assert_sound(app)
    assert len(app.table) == 2


def test_a_bright_background_offers_to_invert_where_the_runs_own_are_dark(open_probe: OpenProbe) -> None:
    paper = np.full((40, 30, 3), 230, np.uint8)
    paper[5:35, 13:17] = 20
    app = open_probe(input="upload", predict=False)
    app.file_uploader(key="picture-file").upload("one.png", png(paper), "image/png").run()
    assert "Its background is bright; those of this run's images are dark." in words(app)
    button(app, "Invert the picture").click().run()
    assert app.toggle(key="upload-inverted").value
    assert "Its background" not in words(app)
    app.file_uploader(key="picture-file").upload("dark.png", png(255 - paper), "image/png").run()
    assert "Its background is bright" in words(app), "inverted, it has a bright one"
    app.toggle(key="upload-inverted").set_value(False).run()
    assert "Its background" not in words(app)


def test_a_bright_background_is_as_it_should_be_where_the_runs_own_are_bright(
    open_probe: OpenProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcviz.app.kinds.image.background_brightness", lambda _run: 1.0)
    app = open_probe(input="upload", predict=False)
    for brightness, said in ((255, False), (0, True)):
        paper = png(np.full((40, 30, 3), brightness, np.uint8))
        app.file_uploader(key="picture-file").upload(f"{brightness}.png", paper, "image/png").run()
        assert ("Its background is dark; those of this run's images are bright." in words(app)) == said


def test_nothing_is_offered_where_the_backgrounds_of_a_run_differ(tmp_path: Path) -> None:
    pixels = np.zeros((40, 8, 8, 1), np.uint8)
    assert background_brightness(make(tmp_path / "dark", pixels=pixels)) == 0
    pixels[::3] = 255
    assert background_brightness(make(tmp_path / "mixed", pixels=pixels)) is None


def test_a_distortion_in_words_keeps_its_acronym_and_names_the_other_example() -> None:
    describe = IMAGE_DISTORTER.describe
    assert describe(DistortionSettings("fgsm", 3, 0.1, 0, 1)) == "adversarial step (FGSM), 10% of full brightness"
    assert describe(DistortionSettings("mix", 3, 0.5, 0, 7)) == "mix with another, 50% of the other, example 7"


@pytest.mark.parametrize("kind", one_in(2, ["noise", "drawing", "upload", "distortion"]))
def test_a_colour_model_of_another_size_works_as_well(
    open_probe: OpenProbe, colour_cache: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(colour_cache))
    app = open_probe(input=kind, sweep="25", seed="0")
    if kind == "upload":
        app.file_uploader(key="picture-file").upload("a.png", png(np.full((9, 9, 3), 200, np.uint8)), "image/png").run()
    assert_sound(app)
    if kind != "drawing":
        assert list(class_means(app)) == ["red", "green", "blue"]
    if kind in ("noise", "distortion"):
        button(app, "Predict noise" if kind == "noise" else "Predict distorted").click().run()
        assert_sound(app)
        assert "of 25" in words(app)


def test_images_of_another_range_are_brought_there_and_back(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).uniform(-3, 5, (11, 4, 3, 1)).astype(np.float32)
    run = make(tmp_path / "float", pixels=pixels)
    indices = np.arange(11)
    unit = load_images(run, indices)
    assert unit.min() == 0
    assert unit.max() == 1
    np.testing.assert_allclose(run.value_scale.from_unit(unit), pixels, atol=1e-6)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("shape", "signs", "offered", "on"),
    [
        ((28, 28, 1), True, True, True),
        ((28, 28, 1), False, True, False),
        ((28, 28, 3), True, False, False),
        ((28, 32, 1), True, False, False),
        ((96, 96, 1), True, False, False),
    ],
)
def test_centring_is_offered_for_small_grey_squares_and_on_where_the_runs_own_images_are_so(
    tmp_path: Path, shape: tuple[int, int, int], signs: bool, offered: bool, on: bool
) -> None:
    height, width, channels = shape
    pixels = np.random.default_rng(0).integers(0, 256, (11, *shape), dtype=np.uint8)
    if signs:
        stroke = render_strokes([Stroke(0.1, ((0.3, 0.2), (0.7, 0.8)))], 8 * height, 8 * width)
        sign = np.round(center_digit(stroke, height, width) * 255).astype(np.uint8)
        pixels[:] = np.repeat(sign[..., None], channels, axis=-1)
    make(tmp_path / "run", pixels=pixels)

    def script(path: str) -> None:
        import streamlit as st

        import mcviz
        from mcviz.app.kinds.image import centring_toggle

        st.write(str(centring_toggle(mcviz.open_run(path), "centred")))

    app = AppTest.from_function(script, args=(str(tmp_path / "run"),)).run()
    assert [each.value for each in app.toggle] == [on] * offered
    assert app.markdown[0].value == str(on)
