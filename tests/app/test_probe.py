"""The probe on the shipped run, and on a tiny colour model of another size: every input, the verdict, the sweep."""

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import keras
import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz import Run, data
from mcviz.app.opened import in_the_model_s_range
from mcviz.app.probe.asking import own_images
from mcviz.app.probe.distorting import Chosen, described
from mcviz.app.probe.sweep import Sweep, Swept, summary
from mcviz.app.probe.verdict import STILL_LEARNING, ByDetector, ByDoubt, Learning, _learning, the_judge
from mcviz.data.drawing import Stroke, drawn
from mcviz.errors import CorruptRunError, InvalidInputError
from mcviz.measures import SCORES
from mcviz.model import scope
from tests.runs.making import make

ROOT = Path(__file__).parents[2]
OpenProbe = Callable[..., AppTest]


@pytest.fixture
def open_probe() -> OpenProbe:
    def opened(ask: bool = True, drawing: list[dict[str, object]] | None = None, **query: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=120)
        app.run()
        for key, value in query.items():
            app.query_params[key] = value
        app.session_state["asked"], app.session_state["drawing"] = ask, drawing or []
        app.switch_page("mcviz/app/pages/probe.py").run()
        assert not app.exception
        return app

    return opened


@pytest.fixture(scope="session")
def run() -> Run:
    return mcviz.open_run(ROOT / "cache" / "mnist-cnn")


@pytest.fixture(scope="session")
def colour_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with a run of a tiny colour model: 12 × 10 pixels, 3 classes."""
    cache = tmp_path_factory.mktemp("cache")
    model = keras.Sequential(
        [
            keras.layers.Input((12, 10, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    images = np.random.default_rng(0).integers(0, 256, (30, 12, 10, 3), dtype=np.uint8)
    mcviz.record(model, images, cache / "colour", passes=20, class_names=["red", "green", "blue"])
    return cache


@pytest.fixture(scope="session")
def small_cache(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with two runs of the shipped model: `few` of 12 images, and `bare` without its images."""
    cache = tmp_path_factory.mktemp("small")
    model, images = mcviz.load_model(run.model_path), np.asarray(run.images[:30])
    mcviz.record(model, images[:12], cache / "few", passes=20)
    mcviz.record(model, images, cache / "bare", passes=20, keep_images=False)
    return cache


def words(app: AppTest) -> str:
    kinds = (app.title, app.caption, app.markdown, app.info, app.error, app.warning, app.success, app.subheader)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def button(app: AppTest, label: str):
    return next(each for each in app.button if each.label.startswith(label))


def means(app: AppTest) -> list[float]:
    return [float(mean.removesuffix(" %")) for mean in app.table[0].value["mean"]]


def shown(probs: np.ndarray) -> list[float]:
    return [float(f"{100 * value:.2f}") for value in probs.mean(axis=0, dtype=np.float64)]


@pytest.mark.parametrize("kind", data.NOISES)
def test_every_noise_is_drawn_by_its_seed_and_strength(open_probe: OpenProbe, run: Run, kind: str) -> None:
    app = open_probe(noise=kind, seed="3", strength="0.8")
    noise = data.NOISES[kind].draw(1, (28, 28, 1), 3, 0.8)
    assert means(app) == shown(mcviz.sample(mcviz.load_model(run.model_path), noise, passes=500)[:, 0])
    assert "No answer is right" in words(app)


def test_after_the_first_question_every_change_asks_again(open_probe: OpenProbe) -> None:
    app = open_probe(ask=False)
    assert not app.table
    button(app, "Ask the model").click().run()
    before = means(app)
    app.slider(key="strength-widget").set_value(0.5).run()
    assert means(app) != before
    app.selectbox(key="noise-widget").select("smooth").run()
    assert app.selectbox(key="noise-widget").value == "smooth"
    assert not [each for each in app.button if each.label.startswith("Ask")]


@pytest.mark.parametrize("name", [*data.DISTORTIONS, "fgsm"])
def test_every_distortion_has_its_slider_and_its_curves(open_probe: OpenProbe, name: str) -> None:
    app = open_probe(input="Distort an image", image="11", distortion=name)
    assert "Along the whole slider" in words(app)
    before = means(app)
    slider = app.slider(key="amount-widget")
    slider.set_value(slider.max).run()
    assert not app.exception
    assert means(app) != before
    assert "The label of the image before is **6**" in words(app)


def test_a_six_turned_half_round_is_taken_for_a_nine(open_probe: OpenProbe, run: Run) -> None:
    app = open_probe(input="Distort an image", image="11", distortion="rotate", amount="180")
    turned = np.rot90(run.images[11], 2).astype(np.float32)[None] / np.float32(255)
    assert means(app) == shown(mcviz.sample(mcviz.load_model(run.model_path), turned, passes=500)[:, 0])
    assert "says **9**" in words(app)


def test_an_unchanged_image_is_like_the_test_images_and_noise_is_not(open_probe: OpenProbe) -> None:
    assert "Like the test images" in open_probe(input="Distort an image", image="11").success[0].value
    assert "Unlike the test images" in open_probe().warning[0].value


def test_the_first_verdict_is_the_detector_s_and_no_other_follows(open_probe: OpenProbe) -> None:
    app = open_probe()
    assert "none are as foreign to the class that it names" in app.warning[0].value
    assert "By the doubt alone" not in words(app)


def test_the_line_keeps_95_percent_of_the_test_images(run: Run) -> None:
    blocks = range(0, 10_000, 1000)
    unlike = [
        ByDoubt(run, STILL_LEARNING).unlike(np.empty(0), run.probs_block(start, start + 1000)) for start in blocks
    ]
    assert np.concatenate(unlike).mean() == pytest.approx(0.05, abs=0.001)


def test_the_detector_takes_over_when_it_has_learnt(
    open_probe: OpenProbe, colour_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(colour_cache))
    app = open_probe()
    run = mcviz.open_run(colour_cache / "colour")
    _learning(run.digest, run).detector.result(60)
    assert isinstance(the_judge(run), ByDetector)
    app.slider(key="strength-widget").set_value(0.0).run()
    assert not app.exception
    assert "as foreign to the class" in words(app)
    assert "By the doubt alone" not in words(app)


ENDING = """
import atexit
import sys
import mcviz
from mcviz.app.probe.verdict import _learning
run = mcviz.open_run(sys.argv[1])
detector = _learning(run.digest, run).detector
atexit.register(lambda: print("learnt" if detector.done() else "learning"))
"""


def test_a_server_that_ends_while_it_learns_waits_for_it(colour_cache: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDING, colour_cache / "colour"], capture_output=True, text=True, timeout=300, check=True
    )
    assert ended.stdout.split()[-1:] == ["learnt"], "a process that ends amid a matrix product can hang"


def test_too_few_images_to_learn_from_leave_the_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(sampler: object, run: Run) -> None:
        raise InvalidInputError("too few")

    monkeypatch.setattr(scope, "fit_scope", refuse)
    monkeypatch.setattr("mcviz.app.probe.verdict.sampler", lambda _: None)
    run = make(tmp_path / "few")
    assert isinstance(_learning(run.digest, run).detector.exception(10), InvalidInputError)
    judge = the_judge(run)
    assert isinstance(judge, ByDoubt)
    assert judge.why == "The better detector could not be learnt from this run. too few"


def test_a_detector_that_is_still_learning_leaves_the_doubt_for_so_long(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcviz.app.probe.verdict._learning", lambda *_: Learning(deadline=0))
    assert the_judge(run) == ByDoubt(run, STILL_LEARNING)


def test_a_run_of_twelve_images_is_judged_by_the_doubt_alone_and_says_why(
    open_probe: OpenProbe, small_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(small_cache))
    app = open_probe(run="few", sweep="1")
    assert "By the doubt alone. The better detector could not be learnt from this run." in words(app)
    assert "a run of 12 images. Sample at least 20." in words(app)
    button(app, "Run the sweep").click().run()
    assert not app.exception
    assert "1 of 1 noise image is taken for" in words(app)
    assert "The verdict, by the doubt alone, calls" in words(app)


def test_without_kept_images_there_is_one_sentence_and_nothing_to_distort_or_sweep(
    open_probe: OpenProbe, small_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(small_cache))
    app = open_probe(run="bare", input="Distort an image")
    assert [each.value for each in app.info] == [
        "This run was kept without its images, so there is none to distort. Sample it again with the images kept."
    ]
    assert not [*app.error, *app.button, *app.slider, *app.number_input]
    app.segmented_control(key="input-widget").set_value("Noise").run()
    assert not app.exception
    assert len(app.table) == 2
    assert "By the doubt alone. The better detector could not be learnt" in words(app)
    assert "was kept without its images" in words(app)


def test_percentiles_count_the_test_images_with_less_doubt(open_probe: OpenProbe, run: Run) -> None:
    app = open_probe(input="Distort an image", image="247")
    table = app.table[1].value
    scores = run.scores()
    for name, score in SCORES.items():
        own = scores[name].to_numpy()
        less = own < own[247] if score.uncertain_when == "high" else own > own[247]
        value = float(table["more in doubt than"][score.label].removeprefix("over ").removeprefix("under ").strip("%"))
        assert value == pytest.approx(100 * less.mean(), abs=0.3)  # other masks than those of the run


def test_a_drawing_pad_waits_for_the_first_stroke(open_probe: OpenProbe) -> None:
    app = open_probe(input="Draw")
    assert "Draw something" in words(app)
    assert not app.table


def test_a_drawing_that_is_kept_in_the_session_is_answered(open_probe: OpenProbe, run: Run) -> None:
    line = [{"width": 0.09, "points": [[0.5, 0.2], [0.5, 0.8]]}]
    app = open_probe(input="Draw", drawing=line)
    assert "says **1**" in words(app)
    app.toggle(key="drawing-centred").set_value(False).run()
    plain = drawn([Stroke(0.09, ((0.5, 0.2), (0.5, 0.8)))], 28, 28)[None, ..., None]
    assert means(app) == shown(mcviz.sample(mcviz.load_model(run.model_path), plain, passes=500)[:, 0])


def test_an_upload_is_shown_as_the_model_sees_it_and_a_bad_one_ends_in_a_sentence(open_probe: OpenProbe) -> None:
    app = open_probe(input="Upload")
    assert "Choose a picture" in words(app)
    app.file_uploader(key="picture-file").upload("seven.png", png(np.zeros((40, 30, 3), np.uint8)), "image/png").run()
    assert not app.exception
    assert len(app.table) == 2
    for name, content, kind, refused in (
        ("seven.png", b"GIF89a" + bytes(50), "image/png", "neither PNG nor JPEG"),
        ("seven.txt", b"Seven.", "text/plain", "neither PNG nor JPEG"),
        ("large.png", png(np.zeros((2, 2), np.uint8)) + bytes(5 * 2**20), "image/png", "The file is too large: 5.0 MB"),
    ):
        app.file_uploader(key="picture-file").upload(name, content, kind).run()
        assert not app.exception
        assert [refused in each.value for each in app.error] == [True]
        assert not app.table
        assert not app.info
    app.file_uploader(key="picture-file").upload("seven.png", png(np.zeros((40, 30, 3), np.uint8)), "image/png").run()
    assert len(app.table) == 2
    assert not app.error


def test_the_sweep_counts_classes_and_compares_scores(open_probe: OpenProbe, run: Run) -> None:
    app = open_probe(sweep="40", noise="gaussian")
    button(app, "Run the sweep").click().run()
    assert not app.exception
    blocks = [data.gaussian_noise(20, (28, 28, 1), seed) for seed in (0, 20)]
    model = mcviz.load_model(run.model_path)
    mean = np.concatenate([mcviz.sample(model, block, passes=500).mean(axis=0) for block in blocks])
    counts = np.bincount(mean.argmax(axis=1), minlength=10)
    assert f"{counts.max()} of 40 noise images are taken for {counts.argmax()}" in words(app)
    assert "Gaussian noise at 100% strength" in words(app)
    app.segmented_control(key="input-widget").set_value("Distort an image").run()
    assert "of 40 noise images" not in words(app)


def test_a_sweep_over_distorted_images_says_how_many_are_still_right(open_probe: OpenProbe, run: Run) -> None:
    app = open_probe(input="Distort an image", sweep="60")
    button(app, "Run the sweep").click().run()
    swept = np.random.default_rng(0).permutation(10_000)[:60]
    right = int(run.scores()["correct"].to_numpy(bool)[swept].sum())
    assert f"{right} are still taken for what their label says" in words(app)


def test_the_most_deceiving_is_the_surest_wrong_answer(run: Run) -> None:
    over = Swept("images", "images", 20, lambda *_: np.empty(0), run.digest)
    mistakes = ~run.scores()["correct"].to_numpy(bool)
    start = 20 * int(mistakes.reshape(-1, 20).sum(axis=1).argmax())
    sweep, labels = Sweep(over, 20, ByDoubt(run, STILL_LEARNING)), run.labels[start : start + 20]
    probs = run.probs_block(start, start + 20)
    sweep.add(run, np.arange(10.0)[:, None], labels[:10], probs[:, :10])
    sweep.add(run, np.arange(10.0, 20.0)[:, None], labels[10:], probs[:, 10:])
    mean = probs.mean(axis=0, dtype=np.float64)
    wrong = np.flatnonzero(mean.argmax(axis=1) != labels)
    assert len(wrong) > 1
    assert sweep.deceiving == wrong[mean[wrong].max(axis=1).argmax()]
    assert sweep.picture == [sweep.deceiving]
    assert sweep.right.sum() == 20 - len(wrong)


def test_a_stopped_sweep_keeps_what_it_has_and_one_interrupted_goes_on(open_probe: OpenProbe) -> None:
    app = open_probe(sweep="60")
    button(app, "Run the sweep").click().run()
    whole = words(app)
    sweep: Sweep = app.session_state["sweep"]
    cut = Sweep(sweep.over, 60, sweep.judge, running=False)
    cut.scores = {name: values[:20] for name, values in sweep.scores.items()}
    cut.unlike, cut.right, cut.deceiving, cut.picture = sweep.unlike[:20], sweep.right[:20], 0, sweep.picture
    app.session_state["sweep"] = cut
    app.run()
    assert "Stopped after 20 of 60" in words(app)
    app.slider(key="strength-widget").set_value(0.5).run()
    assert not [each for each in app.button if each.label == "Go on"], "another strength is another sweep"
    app.slider(key="strength-widget").set_value(1.0).run()
    button(app, "Go on").click().run()
    assert not app.exception
    assert words(app) == whole
    assert not [each for each in app.button if each.label == "Go on"]


def test_a_sweep_that_is_interrupted_amid_a_verdict_counts_no_image_twice(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = Sweep(noise_of(run), 2, ByDoubt(run, STILL_LEARNING))
    images, probs = np.zeros((2, 1)), run.probs_block(0, 2)
    with monkeypatch.context() as patched:
        patched.setattr(ByDoubt, "unlike", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            sweep.add(run, images, None, probs)
    sweep.add(run, images, None, probs)
    assert sweep.done == 2
    assert {len(values) for values in sweep.scores.values()} == {2}
    assert len(sweep.right) == 2


def test_an_error_ends_a_sweep_and_what_it_has_stays(open_probe: OpenProbe) -> None:
    app = open_probe(sweep="40")
    button(app, "Run the sweep").click().run()
    sweep: Sweep = app.session_state["sweep"]

    def damaged(start: int, stop: int) -> np.ndarray:
        raise CorruptRunError(f"images {start} to {stop} are damaged")

    app.session_state["sweep"] = replace(sweep, over=replace(sweep.over, some=damaged), total=60, running=True)
    app.run()
    assert not app.exception
    assert [each.value for each in app.error] == ["images 40 to 60 are damaged"]
    assert "Stopped after 40 of 60" in words(app)
    assert button(app, "Run the sweep")
    assert not [each for each in app.button if each.label == "Stop"]


def test_a_sweep_s_summary_is_grammatical_for_one_and_for_many(run: Run) -> None:
    first, mistakes = run.probs_block(0, 3), ~run.scores()["correct"].to_numpy(bool)
    assert not mistakes[:3].any()

    def said(count: int, labels: np.ndarray | None) -> str:
        sweep = Sweep(noise_of(run, labels), count, ByDoubt(run, STILL_LEARNING))
        sweep.add(run, np.zeros((count, 28, 28, 1)), None if labels is None else labels[:count], first[:, :count])
        return summary(run, sweep)

    one = said(1, run.labels[:3])
    assert one.startswith("1 of 1 noise image is taken for 7, with ")
    assert "average" not in one
    assert "1 is still taken for what its label says. The verdict, by the doubt alone, calls 0 of 1 unlike" in one
    assert "3 are still taken for what their label says" in said(3, run.labels[:3])
    assert said(3, None).startswith("1 of 3 noise images is taken for 1, with ")


def test_a_distortion_in_words_keeps_its_acronym_and_names_the_other_image() -> None:
    assert described(Chosen("fgsm", 3, 0.1, 0, 1)) == "adversarial step (FGSM), 10% of full brightness"
    assert described(Chosen("mix", 3, 0.5, 0, 7)) == "mix with another, 50% of the other, image 7"


@pytest.mark.parametrize("kind", ["Noise", "Draw", "Upload", "Distort an image"])
def test_a_colour_model_of_another_size_works_as_well(
    open_probe: OpenProbe, colour_cache: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(colour_cache))
    app = open_probe(input=kind, sweep="25")
    if kind == "Upload":
        app.file_uploader(key="picture-file").upload("a.png", png(np.full((9, 9, 3), 200, np.uint8)), "image/png").run()
    assert not app.exception
    assert not app.error
    if kind != "Draw":
        assert app.table[0].value.index.tolist() == ["red", "green", "blue"]
    if kind in ("Noise", "Distort an image"):
        button(app, "Run the sweep").click().run()
        assert not app.exception
        assert "of 25" in words(app)


def test_images_of_another_range_are_brought_there_and_back(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).uniform(-1, 1, (11, 4, 3, 1)).astype(np.float32)
    run = make(tmp_path / "float", pixels=pixels)
    indices = np.arange(11)
    unit = own_images(run, indices)
    assert unit.min() == 0
    assert unit.max() == 1
    np.testing.assert_allclose(in_the_model_s_range(run, unit), pixels, atol=1e-6)


def noise_of(run: Run, labels: np.ndarray | None = None) -> Swept:
    return Swept("noise images", "noise", 3, lambda *_: np.empty(0), run.digest, labels)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
