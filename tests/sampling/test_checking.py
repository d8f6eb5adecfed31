"""What `mcviz check` says of a model and a data set is so."""

import re
import warnings

import keras
import numpy as np
import pytest

from mcviz.data import DataSet
from mcviz.errors import InvalidInputError, ModelWarning
from mcviz.measures.calibration import calibration_terms
from mcviz.runs import Preprocessing, ValueScale
from mcviz.runs.tables import describe_images
from mcviz.sampling.adapters import ImageAdapter, adapter_for_examples
from mcviz.sampling.checking import Trial, check_model, sweep_calibration, try_model
from mcviz.sampling.examples import preprocess
from mcviz.sampling.run_sampling import sample_run
from mcviz.sampling.sampler import Sampler
from mcviz.tasks.base import StoredLabels
from tests.cases import one_in
from tests.factories import dropout_network

layers = keras.layers
RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 4
AMOUNTS = [0.0, 0.5, 1.0]
EXAMPLES, PASSES = 30, 7
IMAGES = np.zeros((60, 4, 4, 1), np.uint8)
IMAGES[np.arange(60), LABELS] = 255  # the row that is white is the class


def saturated(scale: float) -> keras.Model:
    """A model whose answer is the white row where the mean of the image is a quarter of the scale, else class 0."""
    image = keras.Input((4, 4, 1))
    rows = layers.Reshape((4, 4))(image)
    means = keras.ops.mean(rows, axis=-1) / scale
    fits = keras.ops.cast(keras.ops.abs(keras.ops.sum(means, axis=-1, keepdims=True) - 1) < 0.1, "float32")
    scores = means * 20 * fits + keras.ops.concatenate([1 - fits, fits * 0, fits * 0, fits * 0], axis=-1)
    return keras.Model(image, layers.Softmax()(layers.Dropout(0.1)(scores)))


def try_on(sampler: Sampler, examples: DataSet, preprocessing: Preprocessing | None = None) -> Trial:
    """A first look at a model, as `sample_run` takes it."""
    labels = StoredLabels(examples.label_array)
    return try_model(*adapter_for_examples(sampler, examples, preprocessing), examples, labels, None)


def test_shapes_values_classes_layers_accuracy_and_costs():
    check = check_model(saturated(1), DataSet(IMAGES, LABELS, class_names=("a", "b", "c", "d")))
    assert (check.examples, check.kind, check.description) == (60, "images", "4 × 4 × 1, uint8, 0 to 255")
    assert check.outputs == {"classes": "4: a, b, c, d"}
    assert "Dropout 0.1" in check.layers
    assert check.preprocessing.divide_by == 255
    assert (check.quality, check.quality_text, check.advice) == (1, "accuracy 100.0%", "")
    assert 0 < check.seconds_per_pass < 5
    assert 0 < check.bytes_per_pass < 60 * 4 * 2 * 1.5


def test_the_disk_that_it_foresees_is_what_a_run_takes(tmp_path):
    data = DataSet(RNG.integers(0, 256, (300, 4, 4, 1), dtype=np.uint8))
    model = dropout_network((4, 4, 1))
    run = sample_run(model, data, tmp_path / "run", passes=50)
    stored = sum(file.bytes for name, file in run.manifest.files.items() if "/probs/c." in name)
    assert check_model(model, data).bytes_per_pass * 50 == pytest.approx(stored, rel=0.3)


@pytest.mark.parametrize(
    ("scale", "preprocessing", "advice"),
    one_in(
        3,
        [
            (255, None, r"right on 25\.0% of all 60 images, .* on 25\.0%\. With --scale 1 it is right on 100"),
            (1, Preprocessing(), r"With --scale 255 it is right on 100"),
            (1, None, "^$"),
            (3, None, "Are the images prepared as they were in training, and the classes in the same order"),
        ],
    ),
)
def test_a_scale_that_mends_an_accuracy_near_chance_is_named(scale, preprocessing, advice):
    trial = try_on(Sampler(saturated(scale)), DataSet(IMAGES, LABELS), preprocessing)
    assert re.search(advice, trial.advice)


def test_the_examples_that_are_tried_are_drawn_from_all_of_them():
    labels = np.repeat([0, 3], [560, 240])  # as a sorted folder has them, of which a model knows the first class alone
    look = try_on(Sampler(saturated(3)), DataSet(np.zeros((800, 4, 4, 1), np.uint8), labels))
    assert len(look.examples) == 512
    assert 0.65 < look.quality < 0.75


def test_python_warns_of_a_model_that_is_hardly_better_than_guessing_and_once(tmp_path):
    with pytest.warns(ModelWarning, match=r"right on 25\.0% of all 60 images, .* With --scale 1 it is right on 100"):
        sample_run(saturated(255), DataSet(IMAGES, LABELS), tmp_path / "run", passes=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ModelWarning)
        sample_run(saturated(1), DataSet(IMAGES, LABELS), tmp_path / "good", passes=2)


def test_python_warns_where_nothing_confirms_what_the_outputs_are_taken_for(tmp_path):
    model = dropout_network((4, 4, 1), activation=None)
    with pytest.warns(ModelWarning, match=r"taken for 4 logits, of which a softmax .* say from_logits"):
        sample_run(model, DataSet(IMAGES), tmp_path / "run", passes=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ModelWarning)
        sample_run(model, DataSet(IMAGES), tmp_path / "said", passes=2, from_logits=True)


def test_a_layer_that_scales_is_believed_by_the_values_that_it_was_fitted_to():
    for images, expected in ((IMAGES.astype(np.float32), 1), (IMAGES / np.float32(255), 255)):
        norm = layers.Normalization(axis=None)
        norm.adapt(images)
        adapter, _ = ImageAdapter.for_examples(Sampler(dropout_network((4, 4, 1), norm)), DataSet(IMAGES))
        assert adapter.preprocessing.divide_by == expected
        assert adapter.preprocessing.reason


@pytest.mark.parametrize(
    "how",
    [
        Preprocessing(255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        Preprocessing(127.5, (1.0,)),
        Preprocessing(1.0, (103.939, 116.779, 123.68), channel_order="bgr"),
    ],
)
def test_preprocessing_is_what_keras_applications_do(how):
    images = RNG.integers(0, 256, (5, 4, 4, 3)).astype(np.float32)
    mode = {255.0: "torch", 127.5: "tf", 1.0: "caffe"}[how.divide_by]
    expected = keras.src.applications.imagenet_utils.preprocess_input(images.copy(), "channels_last", mode)
    np.testing.assert_allclose(preprocess(images, how), expected, atol=2e-4)


@pytest.mark.parametrize("mode", ["raw", "applied"])
def test_a_run_remembers_its_preprocessing_and_shows_true_colours(tmp_path, mode):
    how = Preprocessing(255.0, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3), applied=mode == "applied")
    pixels = RNG.integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    taken = preprocess(pixels.astype(np.float32), how)
    model = dropout_network((4, 4, 3))
    run = sample_run(model, taken if how.applied else pixels, tmp_path / "run", passes=3, preprocessing=how)
    adapter = ImageAdapter.for_run(Sampler(model), run)
    np.testing.assert_allclose(adapter.from_stored(run.images[:]), taken, atol=1e-5)
    np.testing.assert_allclose(adapter.from_inputs(pixels / np.float32(255)), taken, atol=1e-4)
    np.testing.assert_array_equal(run.pictures[:], pixels)


@pytest.mark.parametrize(
    ("low", "high", "shown_low", "shown_high", "stretched"),
    [
        (0, 1, 0, 1, False),
        (-1, 1, -1, 1, False),
        (0, 250, 0, 255, False),
        (-2.1, 2.6, -2.1, 2.6, True),
        (0, 3, 0, 3, True),
    ],
)
def test_pictures_are_shown_by_the_range_that_they_have(low, high, shown_low, shown_high, stretched):
    images = np.linspace(low, high, 48, dtype=np.float32).reshape(1, 4, 4, 3)
    scale = ValueScale.of(describe_images(images, True)[0], Preprocessing())
    expected = (images - np.float32(shown_low)) / np.float32(shown_high - shown_low)
    np.testing.assert_allclose(scale.to_unit(images), expected, atol=1e-6)
    np.testing.assert_allclose(scale.from_unit(scale.to_unit(images)), images, atol=1e-4)
    assert scale.stretched is stretched


def test_data_that_do_not_fit_are_refused():
    with pytest.raises(InvalidInputError, match="of the shape that the model takes"):
        check_model(saturated(1), IMAGES[:, :3])
    with pytest.raises(InvalidInputError, match="class indices from 0 to 3"):
        check_model(saturated(1), DataSet(IMAGES, LABELS + 1))


# Calibration along a distortion, against predicting each step by itself


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    return Sampler(dropout_network((6,), classes=3))


@pytest.fixture(scope="module")
def examples() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(EXAMPLES, 6)).astype(np.float32)


def test_each_step_is_predicted_in_the_three_ways(sampler: Sampler, examples: np.ndarray) -> None:
    labels, counts = np.arange(EXAMPLES) % 3, []
    terms = sweep_calibration(
        sampler,
        lambda amount: examples * np.float32(1 - amount),
        AMOUNTS,
        labels,
        passes=PASSES,
        seed=4,
        progress=lambda *each: counts.append(each),
    )
    for amount, step in zip(AMOUNTS, terms, strict=True):
        distorted = examples * np.float32(1 - amount)
        probs = sampler.sample(distorted, passes=PASSES, seed=4)
        ways = {
            "deterministic": np.asarray(sampler.model(distorted, training=False))[None],
            "single_pass": probs,
            "ensemble": probs.mean(axis=0)[None],
        }
        for name, of_way in ways.items():
            expected = calibration_terms(of_way, labels)
            np.testing.assert_array_equal(step[name]["correct"], expected["correct"])
            for field in ("confidence", "nll", "brier"):
                np.testing.assert_allclose(step[name][field], expected[field], rtol=1e-4, atol=1e-6)
    shares = [done / total for done, total in counts]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert {total for _, total in counts} == {len(AMOUNTS) * PASSES * EXAMPLES}


def test_what_progress_raises_ends_it(sampler: Sampler, examples: np.ndarray) -> None:
    steps = []

    def distorted(amount: float) -> np.ndarray:
        steps.append(amount)
        return examples

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep_calibration(sampler, distorted, AMOUNTS, np.zeros(EXAMPLES, int), passes=PASSES, progress=stop)
    assert steps == AMOUNTS[:1]
