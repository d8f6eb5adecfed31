"""What `sample` takes and refuses, and what it says."""

import keras
import numpy as np
import pytest
from keras import layers

from mcviz import load_model
from mcviz.errors import DataNotFoundError, InvalidInputError, UnsuitableModelError
from mcviz.sampling import Sampler, StochasticLayer, sample
from mcviz.sampling.engine import SamplerCall
from tests.cases import one_in
from tests.sampling.keras.zoo import CLASSES, AlwaysOn, Subclassed, images_for, make, outputs_while_prepared, sequential

pytestmark = [pytest.mark.lowest, pytest.mark.usefixtures("same_weights_every_time")]


def dense_model(last: keras.Layer | None = None, rate: float = 0.5) -> keras.Model:
    keras.utils.set_random_seed(1)
    last = last or layers.Dense(CLASSES, activation="softmax")
    return sequential((4,), layers.Dense(8, activation="relu"), layers.Dropout(rate), last)


IMAGES = np.random.default_rng(0).random((5, 4), dtype=np.float32)


def test_predict_with_training_true_is_not_stochastic_in_keras_and_ours_is():
    """The well-known trick is silently off: this is why the layers are switched on by themselves."""
    image = keras.Input((4,))
    hidden = layers.Dropout(0.5)(layers.Dense(8, activation="relu")(image), training=True)
    model = keras.Model(image, layers.Dense(CLASSES, activation="softmax")(hidden))
    np.testing.assert_array_equal(model.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0))
    probs = sample(model, IMAGES, passes=20)
    assert max(len(np.unique(probs[:, image, 0])) for image in range(5)) > 10


def test_logits_are_found_and_become_probabilities():
    keras.utils.set_random_seed(2)
    softmax, logits = dense_model(), dense_model(layers.Dense(CLASSES))
    logits.set_weights(softmax.get_weights())
    np.testing.assert_allclose(sample(logits, IMAGES, passes=9), sample(softmax, IMAGES, passes=9), atol=1e-6)
    np.testing.assert_array_equal(
        Sampler(logits, from_logits=True).sample(IMAGES, passes=9), sample(logits, IMAGES, passes=9)
    )
    scaled = Sampler(logits, from_logits=False).sample(IMAGES, passes=9)
    assert np.abs(scaled.sum(axis=2) - 1).max() > 0.1


def test_a_softmax_layer_and_a_hand_made_softmax_are_probabilities():
    one = dense_model(layers.Dense(CLASSES))
    probs = keras.Model(one.inputs, layers.Softmax()(one.outputs[0]))
    exponentials = keras.ops.exp(one.outputs[0])
    by_hand = keras.Model(one.inputs, exponentials / keras.ops.sum(exponentials, 1, True))
    np.testing.assert_array_equal(sample(probs, IMAGES, passes=9), sample(one, IMAGES, passes=9))
    np.testing.assert_allclose(sample(by_hand, IMAGES, passes=9), sample(one, IMAGES, passes=9), atol=1e-6)


@pytest.mark.parametrize("activation", one_in(2, ["sigmoid", "linear"]))
def test_a_single_output_is_two_classes(activation):
    model = dense_model(layers.Dense(1, activation=activation))
    sampler = Sampler(model, from_logits=True if activation == "linear" else None)
    probs = sampler.sample(IMAGES, passes=30)
    assert sampler.width == 2
    assert probs.shape == (30, 5, 2)
    np.testing.assert_allclose(probs.sum(axis=2), 1, atol=1e-6)
    positive = model(IMAGES, training=False).numpy()[:, 0]
    expected = positive if activation == "sigmoid" else 1 / (1 + np.exp(-positive))
    np.testing.assert_allclose(sampler.deterministic(IMAGES)[:, 1], expected, atol=1e-6)


def test_one_of_several_outputs_is_picked_by_name():
    image = keras.Input((4,))
    hidden = layers.Dropout(0.5)(layers.Dense(8, activation="relu")(image))
    outputs = [layers.Dense(n, activation="softmax", name=name)(hidden) for n, name in ((2, "colour"), (3, "shape"))]
    for model in (
        keras.Model(image, outputs), keras.Model(image, {"colour": outputs[0], "shape": outputs[1]})
    ):  # fmt: skip
        assert Sampler(model, output="colour").width == 2
        assert Sampler(model, output="shape").sample(IMAGES, passes=4).shape == (4, 5, 3)
        with pytest.raises(
            InvalidInputError, match=r"one of the model's 2 outputs: colour, shape. Received: output=None"
        ):
            Sampler(model)
        with pytest.raises(InvalidInputError, match="Received: output='size'"):
            Sampler(model, output="size")


def test_an_output_in_front_of_all_dropout_is_refused():
    image = keras.Input((4,))
    early = layers.Dense(3, activation="softmax", name="early")(image)
    late = layers.Dense(3, activation="softmax", name="late")(layers.Dropout(0.5)(early))
    with pytest.raises(UnsuitableModelError, match="All passes agree to the last bit"):
        Sampler(keras.Model(image, [early, late]), output="early")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: sequential((4,), layers.Dense(3)), "the model has no stochastic layer. Received: model 'sequential"),
        (lambda: dense_model(rate=0.0), r"the rate of every stochastic layer is 0 \(dropout"),
        (lambda: dense_model(rate=1.0), r"All passes agree to the last bit.*Dropout 1\)"),
        (lambda: dense_model(layers.Dense(3, activation="sigmoid")), "Several sigmoid outputs"),
        (lambda: dense_model(layers.Reshape((2, 4))), r"\(N, C\) of floats. Received: shape \(N, 2, 4\)"),
        (lambda: keras.Sequential([layers.Dropout(0.5), layers.Dense(3)]), "no weights yet"),
        (Subclassed, "no weights yet"),
        (lambda: "model.keras", "must be a Keras model. Received: str"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_be_sampled_is_refused(model, message):
    with pytest.raises(UnsuitableModelError, match=message) as caught:
        Sampler(model())
    assert isinstance(caught.value, ValueError)


def test_several_inputs_are_refused():
    one, other = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    model = keras.Model([one, other], layers.Dense(3)(layers.Dropout(0.5)(layers.Add()([one, other]))))
    with pytest.raises(UnsuitableModelError, match="2 inputs: left, right"):
        Sampler(model)


def test_a_stateful_layer_is_refused():
    cells = layers.LSTM(4, dropout=0.5, stateful=True)
    model = keras.Sequential([keras.Input((3, 2), batch_size=8), cells, layers.Dense(3)])
    with pytest.raises(UnsuitableModelError, match="stateful"):
        Sampler(model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    one_in(
        3,
        [
            ({"examples": IMAGES[:, :3]}, r"the shape that the model takes, \(N, 4\). Received: shape \(5, 3\)"),
            ({"examples": IMAGES[0]}, r"Received: shape \(4,\)"),
            ({"examples": IMAGES[:0]}, "with at least one example"),
            ({"examples": IMAGES.astype(str)}, "`examples` should be numbers. Received: dtype <U"),
            ({"examples": IMAGES.astype(object)}, "Received: dtype object"),
            ({"passes": 0}, "`passes` should be a whole number of at least 1. Received: 0"),
            ({"passes": 2.5}, "Received: 2.5"),
            ({"seed": -1}, "`seed`"),
            ({"masks": "each"}, "`masks` should be 'per_pass' or 'per_example'. Received: 'each'"),
        ],
    ),
)
def test_arguments_that_cannot_be_used_are_refused(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        sample(dense_model(), **({"examples": IMAGES, "passes": 3} | arguments))


def test_fractions_for_a_model_of_whole_numbers_are_refused():
    last = layers.Dense(CLASSES, activation="softmax")
    model = sequential((7,), layers.Embedding(11, 5), layers.Dropout(0.5), layers.Flatten(), last, dtype="int32")
    with pytest.raises(InvalidInputError, match=r"`examples` should be whole numbers. Received: dtype float64"):
        Sampler(model).sample(np.full((2, 7), 0.5), passes=2)


@pytest.mark.parametrize("value", one_in(3, [np.nan, np.inf, 1e300]))
def test_images_that_are_not_finite_are_refused(value):
    images = IMAGES.astype(np.float64)
    images[3, 1] = value
    with pytest.raises(InvalidInputError, match="finite"), np.errstate(over="ignore"):
        sample(dense_model(), images, passes=3)


def test_outputs_that_are_not_finite_are_refused():
    images = IMAGES.copy()
    images[3, 1] = 1e38
    with pytest.raises(UnsuitableModelError, match="not finite"):
        sample(sequential((4,), layers.Dropout(0.5), layers.Rescaling(1e30), layers.Dense(3)), images, passes=3)


def test_uint8_examples_are_divided_by_255_as_sample_run_does():
    images = (IMAGES * 255).astype(np.uint8)
    model = dense_model()
    passes = sample(model, images, passes=3)
    np.testing.assert_array_equal(passes, sample(model, images.astype(np.float32) / np.float32(255), passes=3))


def test_a_model_of_any_input_size_takes_several():
    keras.utils.set_random_seed(1)
    model = sequential(
        (None, None, 1), layers.Conv2D(4, 3, activation="relu"), layers.Dropout(0.5), layers.GlobalMaxPooling2D(),
        layers.Dense(3, activation="softmax"),
    )  # fmt: skip
    sampler = Sampler(model)
    with pytest.raises(UnsuitableModelError, match="once the model has seen examples"):
        _ = sampler.width
    for size in (6, 9):
        assert sampler.sample(np.ones((2, size, size, 1), np.float32), passes=3).shape == (3, 2, 3)
    assert sampler.width == 3


def test_augmentation_stays_off_and_the_description_says_what_is_on():
    image = keras.Input((6, 6, 2))
    flipped = layers.RandomRotation(0.5, name="turn")(layers.RandomFlip(name="flip")(image))
    hidden = layers.GaussianNoise(0.1, name="noise")(layers.Flatten()(flipped))
    model = keras.Model(image, layers.Dense(3)(layers.Dropout(0.25, name="drop")(hidden)))
    sampler = Sampler(model)
    assert sampler.inactive_layers == ("flip", "turn")
    assert sampler.stochastic_layers == (
        StochasticLayer("noise", "GaussianNoise", 0.1), StochasticLayer("drop", "Dropout", 0.25)
    )  # fmt: skip
    assert sampler.description() == (
        "Stochastic layers: noise (GaussianNoise 0.1), drop (Dropout 0.25); inactive: flip, turn"
    )
    images = np.random.default_rng(0).random((2, 6, 6, 2), dtype=np.float32)
    np.testing.assert_allclose(
        sampler.deterministic(images), keras.ops.softmax(model(images, training=False)), atol=1e-6
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    one_in(
        12,
        [
            ("nested models", [("Dropout", 0.5), ("Dropout", 0.2)]),
            ("LSTM", [("LSTM dropout", 0.3), ("LSTM recurrent_dropout", 0.2)]),
            ("MultiHeadAttention", [("MultiHeadAttention dropout", 0.3)]),
            ("StackedRNNCells", [("LSTMCell dropout", 0.2), ("GRUCell recurrent_dropout", 0.3)]),
            ("own layer, always on", [("Dropout", 0.3)]),
            ("shared layers", [("Dropout", 0.3)]),
        ],
    ),
)
def test_the_stochastic_layers_are_named_with_their_rates(name, expected):
    assert [(layer.kind, layer.rate) for layer in Sampler(make(name)).stochastic_layers] == expected


def test_a_layer_that_draws_other_numbers_is_refused_and_the_model_restored():
    class Strange(layers.Dropout):
        def call(self, inputs):
            return inputs * keras.random.gamma(keras.ops.shape(inputs), 2.0, seed=self.seed_generator)

    model = sequential((4,), Strange(0.5), layers.Dense(3))
    with pytest.raises(UnsuitableModelError, match=r"keras\.random\.gamma"):
        Sampler(model)
    assert "call" not in vars(model.layers[0])
    assert "keras" in keras.random.gamma.__module__
    assert keras.random.gamma((2,), 2.0).shape == (2,)


def test_randomness_that_does_not_come_from_keras_is_refused():
    import tensorflow as tf

    class Foreign(layers.Dropout):
        def call(self, inputs, training=False):
            return super().call(inputs, training=training) + tf.random.normal((4,))

    with pytest.raises(UnsuitableModelError, match="do not come from Keras"):
        Sampler(sequential((4,), Foreign(0.5), layers.Dense(3)))


def test_a_model_from_a_file_is_the_model_that_was_saved(tmp_path):
    model = make("small reference network")
    model.save(tmp_path / "model.keras")
    loaded, images = load_model(tmp_path / "model.keras"), images_for(model, 2)
    np.testing.assert_array_equal(sample(loaded, images, passes=3), sample(model, images, passes=3))


def test_a_file_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(DataNotFoundError, match="No model"):
        load_model(tmp_path / "none.keras")
    (tmp_path / "text.keras").write_text("a text")
    with pytest.raises(UnsuitableModelError, match=r"text\.keras"):
        load_model(tmp_path / "text.keras")


def test_code_in_a_file_is_not_run(tmp_path):
    model = sequential((4,), layers.Lambda(lambda x: x + 1), layers.Dropout(0.5), layers.Dense(3))
    model.save(tmp_path / "code.keras")
    with pytest.raises(UnsuitableModelError, match=r"code\.keras"):
        load_model(tmp_path / "code.keras")


def test_a_custom_layer_outside_the_stochastic_kinds_keeps_its_own_randomness_off():
    model = sequential((4,), AlwaysOn(0.5), layers.Dense(3))
    sampler = Sampler(model)
    np.testing.assert_array_equal(sampler.deterministic(IMAGES), sampler.deterministic(IMAGES))


def test_numbers_drawn_anew_in_each_step_of_a_loop_are_keyed_too():
    class Noisy(layers.SimpleRNNCell):
        def call(self, inputs, states, training=False):
            return super().call(inputs + keras.random.normal((1, 2)), states, training=training)

    model = sequential((5, 2), layers.RNN(Noisy(4, dropout=0.2)), layers.Dense(3))
    sampler, images = Sampler(model), np.ones((2, 5, 2), np.float32)
    whole = sampler.sample(images, passes=140)
    np.testing.assert_array_equal(
        sampler.sample(images[1:], passes=10, first_pass=125, first_example=1), whole[125:135, 1:]
    )
    assert whole.std(axis=0).min() > 0


@pytest.mark.parametrize("masks", one_in(2, ["per_pass", "per_example"]))
def test_a_mask_that_a_layer_shares_over_its_batch_is_one_a_pass_in_both_modes(masks):
    model = sequential((4,), layers.Dense(8), layers.Dropout(0.5, noise_shape=(1, 8)), layers.Dense(3))
    probs = sample(model, np.repeat(IMAGES[:1], 3, axis=0), passes=50, masks=masks)
    np.testing.assert_allclose(probs[:, 0], probs[:, 2], atol=1e-6)
    assert len(np.unique(probs[:, 0, 0])) > 20


@pytest.mark.parametrize("wrapped", [lambda image: [image], lambda image: {"image": image}])
def test_the_one_input_may_stand_in_a_list_or_a_dictionary(wrapped):
    image = keras.Input((4,), name="image")
    model = keras.Model(wrapped(image), layers.Dense(3)(layers.Dropout(0.5)(image)))
    assert sample(model, IMAGES, passes=3).shape == (3, 5, 3)


def test_another_thread_sees_the_model_as_it_is_while_one_prepares_it():
    model = dense_model()
    expected = model(IMAGES, training=False).numpy()
    for probs in outputs_while_prepared(model, IMAGES):
        np.testing.assert_array_equal(probs, expected)


def test_two_numbers_without_a_softmax_are_asked_about_and_taken_where_they_are_logits():
    layers = keras.layers
    model = keras.Sequential([keras.Input((3,)), layers.Dropout(0.5), layers.Dense(2)])
    with pytest.raises(UnsuitableModelError, match=r"two numbers without a softmax.* say so \(from_logits\)"):
        Sampler(model)
    assert Sampler(model, from_logits=True).width == 2
    assert Sampler(model, task="regression").width == 2


def test_one_number_without_a_sigmoid_is_asked_about_and_taken_where_it_is_said_what_it_is():
    model = dense_model(layers.Dense(1))
    with pytest.raises(UnsuitableModelError, match=r"one number without a sigmoid.*task='regression'.*\(from_logits\)"):
        Sampler(model)
    assert Sampler(model, from_logits=True).width == 2
    assert Sampler(model, task="regression").width == 1


def test_passes_are_tried_on_one_example_and_then_on_more_but_fewer_of_large_outputs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []

    class Recorded(SamplerCall):
        def __init__(self, plan, examples, result, *others):
            tried.append(result.shape[:2])
            super().__init__(plan, examples, result, *others)

    monkeypatch.setattr("mcviz.sampling.sampler.SamplerCall", Recorded)
    Sampler(dense_model())
    assert tried == [(8, 1)]
    same, seldom, wide = (
        sequential((4,), layers.Dense(units), layers.Dropout(rate), layers.Dense(CLASSES, kernel_initializer="zeros"))
        for units, rate in ((8, 0.5), (8, 0.001), (4000, 0.9))
    )
    for model, values, count, more in (
        (same, 8 * CLASSES, 8, [250]),  # in which four of eight elements make a thousand
        (same, 2 * CLASSES, 2, [250]),
        (same, 1, 1, [250]),
        (seldom, 8 * CLASSES, 8, [1000]),
        (wide, 8 * CLASSES, 8, []),
    ):
        tried.clear()
        monkeypatch.setattr("mcviz.sampling.sampler.VALUES_TRIED", values)
        with pytest.raises(UnsuitableModelError, match=r"agree.*weights behind them zero\?"):
            Sampler(model)
        assert tried == [(8, 1), (8, count), *((passes, count) for passes in more)]
