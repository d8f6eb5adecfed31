"""Models that take texts: what they take and refuse, and a vocabulary in front of a model of numbers."""

from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from mcviz import Sampler, load_model, sample, with_vocabulary
from mcviz.data import as_data_set
from mcviz.errors import InvalidInputError, UnsuitableModelError
from mcviz.sampling.keras.model_files import write_model_file
from tests.cases import one_in
from tests.sampling.keras.zoo import WORDS, make, outputs_while_prepared, sequential, text_layer

TEXTS = ["good film", "A bad, bad film!", "", "again again never unheard"]


def on_texts(front: keras.Layer | None = None, *, item: tuple[int, ...] = (1,)) -> keras.Model:
    keras.utils.set_random_seed(1)
    front = front or text_layer()
    stack = [layers.Embedding(9, 4), layers.Dropout(0.5), layers.Flatten(), layers.Dense(3, activation="softmax")]
    return sequential(item, front, *stack, dtype="string")


@cache
def sampler_of_texts(item: tuple[int, ...] = (1,)) -> Sampler:
    return Sampler(on_texts(item=item))


def on_numbers(rows: int = 9, dtype: str = "int32", length: int | None = 6, first: keras.Layer | None = None):
    keras.utils.set_random_seed(1)
    pooling, dense = layers.GlobalAveragePooling1D(), layers.Dense(3, activation="softmax")
    embedding = first or layers.Embedding(rows, 4, name="of_words")
    return sequential((length,), embedding, layers.Dropout(0.5), pooling, dense, dtype=dtype)


@pytest.mark.parametrize(
    "given",
    one_in(
        3,
        zip(
            [
                TEXTS,
                tuple(TEXTS),
                np.array(TEXTS),
                np.array(TEXTS, dtype=object),
                np.array(TEXTS)[:, None],
                (TEXTS, [0, 1, 0, 2]),
                as_data_set(TEXTS),
            ]
        ),
    ),
    ids=["list", "tuple", "str array", "object array", "column", "pair with labels", "data set"],
)
@pytest.mark.parametrize("item", [pytest.param((1,), marks=pytest.mark.slow), ()])
def test_texts_are_taken_in_every_form(given, item):
    sampler = sampler_of_texts(item)
    assert sampler.takes_texts
    expected = sampler.model(tf.reshape(tf.constant(TEXTS), (-1, *item)), training=False)
    np.testing.assert_allclose(sampler.deterministic(given), expected, atol=1e-6)
    np.testing.assert_array_equal(sampler.sample(given, passes=3), sampler.sample(TEXTS, passes=3))


@pytest.mark.parametrize(
    ("front", "texts"),
    one_in(3, [
        (lambda: layers.TextVectorization(vocabulary=list(WORDS), output_mode="multi_hot"), TEXTS),
        (lambda: layers.TextVectorization(vocabulary=list(WORDS), output_mode="count", ngrams=2), TEXTS),
        (lambda: layers.TextVectorization(vocabulary=list("abdgo"), split="character", output_mode="count"), TEXTS),
        (lambda: layers.TextVectorization(vocabulary=["good"], output_mode="tf_idf", idf_weights=[2.0]), TEXTS),
        (lambda: layers.TextVectorization(vocabulary=["a"], standardize=tf.strings.lower, output_mode="count"), ["A"]),
        (lambda: layers.StringLookup(vocabulary=["red", "blue"], output_mode="one_hot"), ["red", "blue", "other"]),
    ]),
)  # fmt: skip
@pytest.mark.parametrize("item", [pytest.param((1,), marks=pytest.mark.slow), ()])
def test_every_text_layer_gives_what_the_model_computes(front, texts, item):
    keras.utils.set_random_seed(1)
    model = sequential(item, front(), layers.Dropout(0.5), layers.Dense(3, activation="softmax"), dtype="string")
    expected = model(tf.reshape(tf.constant(texts), (-1, *item)), training=False)
    sampler = Sampler(model)
    assert sampler.model is model
    np.testing.assert_allclose(sampler.deterministic(texts), expected, atol=1e-6)
    assert np.std(sampler.sample(texts, passes=50), axis=0).max() > 0


@cache
def of_characters() -> Sampler:
    front = layers.TextVectorization(vocabulary=["a", "b", "0"], split="character", output_sequence_length=6)
    return Sampler(on_texts(front))


@settings(max_examples=20)
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=1, max_size=40),
    masks=st.sampled_from(["per_pass", "per_example"]),
    data=st.data(),
)
def test_any_text_gives_the_same_bits_in_any_company(texts, masks, data):
    sampler = of_characters()
    first, start = data.draw(st.integers(0, 5)), data.draw(st.integers(0, len(texts) - 1))
    whole = sampler.sample(texts, passes=8, seed=1, masks=masks)
    part = sampler.sample(texts[start:], passes=8 - first, seed=1, masks=masks, first_pass=first, first_example=start)
    np.testing.assert_array_equal(part, whole[first:, start:])


@pytest.mark.slow
def test_texts_are_one_model_s_and_another_thread_sees_it_as_it_is():
    model, texts = on_texts(), tf.constant(TEXTS)[:, None]
    expected = model(texts, training=False).numpy()
    for probs in outputs_while_prepared(model, texts):
        np.testing.assert_array_equal(probs, expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], r"`examples` should be \(N,\) texts, at least one\. Received: shape \(0,\)"),
        ("good film", "should be texts, since the model takes texts. Received: 'good film'. Give a list of str"),
        (None, "Received: None"),
        (["good", None], "Received: None at position 1. Give a str for each example, an empty one where"),
        (["good", float("nan")], "Received: nan at position 1"),
        ([b"good"], "Received: b'good' at position 0"),
        (np.zeros(3), "Received: 0.0 at position 0"),
        (np.zeros((3, 6), np.int32), r"Received: shape \(3, 6\)"),
        ([["good", "film"]], r"Received: shape \(1, 2\)"),
        ([["good"], ["bad", "film"]], r"Received: \['good'\] at position 0"),
    ],
)
def test_what_is_no_texts_is_refused_in_one_line(given, message):
    sampler = sampler_of_texts()
    for predict in (lambda: sampler.sample(given, passes=2), lambda: sampler.deterministic(given)):
        with pytest.raises(InvalidInputError, match=message) as caught:
            predict()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", one_in(3, [TEXTS, np.array(TEXTS)[:, None], np.array([TEXTS] * 2, dtype=object)]))
def test_texts_for_a_model_of_numbers_are_refused_with_what_to_do(given):
    with pytest.raises(InvalidInputError, match=r"`examples` should be numbers.*The model takes numbers.*--vocabulary"):
        Sampler(make("text"), compiler="none").sample(given, passes=2)


def two_text_layers() -> keras.Model:
    text = keras.Input((1,), dtype="string")
    both = [layers.Embedding(9, 4)(text_layer()(text)) for _ in range(2)]
    hidden = layers.Flatten()(layers.Dropout(0.5)(layers.Add()(both)))
    return keras.Model(text, layers.Dense(3)(hidden))


class Longer(layers.Layer):
    """A layer that changes texts, or counts their bytes."""

    def __init__(self, *, count: bool = False) -> None:
        super().__init__()
        self.count = count

    def call(self, texts):
        return tf.cast(tf.strings.length(texts), "float32") if self.count else texts + " film"

    def compute_output_spec(self, texts):
        return keras.KerasTensor(texts.shape, dtype="float32" if self.count else "string")


def text_used_twice() -> keras.Model:
    text = keras.Input((1,), dtype="string")
    hidden = layers.Flatten()(layers.Embedding(9, 4)(text_layer()(text)))
    joined = layers.Concatenate()([layers.Dropout(0.5)(hidden), Longer(count=True)(text)])
    return keras.Model(text, layers.Dense(3, activation="softmax")(joined))


def text_changed_first() -> keras.Model:
    stack = [Longer(), text_layer(), layers.Embedding(9, 4), layers.Dropout(0.5), layers.Flatten()]
    return sequential((1,), *stack, layers.Dense(3, activation="softmax"), dtype="string")


class OwnModel(keras.Model):
    """A model whose text layer is used in Python code."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.embedding = text_layer(), layers.Embedding(9, 4)
        self.dropout, self.last = layers.Dropout(0.5), layers.Dense(3, activation="softmax")

    def call(self, texts, training=False):
        hidden = self.embedding(self.words(texts))
        return self.last(self.dropout(keras.ops.mean(hidden, axis=1), training=training))


def own_model() -> keras.Model:
    model = OwnModel()
    model(tf.constant([["good"]]))
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (two_text_layers, "A model takes texts by one TextVectorization or StringLookup layer .* keras.Sequential"),
        (own_model, "Received: model 'own_model.*', a class of its own. Make one model of the text layer"),
        (text_used_twice, "has to be the one and only layer that takes the model's input"),
        (text_changed_first, "has to be the one and only layer that takes the model's input"),
        (lambda: on_texts(layers.StringLookup(vocabulary=["a"]), item=(6,)), r"takes texts of the shape \(N, 6\)"),
        (
            lambda: sequential(
                (1,), layers.Hashing(9), layers.Embedding(9, 4), layers.Dropout(0.5), layers.Flatten(),
                layers.Dense(3), dtype="string",
            ),
            "with the text layers: none",
        ),
    ],
)  # fmt: skip
def test_a_model_that_takes_texts_in_another_way_is_refused_with_what_to_do(model, message):
    with pytest.raises(UnsuitableModelError, match=message) as caught:
        Sampler(model())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{}, {"ragged": True}, {"output_mode": "multi_hot", "sparse": True}])
def test_numbers_that_depend_on_the_other_texts_are_refused(options):
    front = layers.TextVectorization(vocabulary=list(WORDS), **options)
    pooled = layers.Dense(4) if "sparse" in options else layers.GlobalMaxPooling1D()
    embedded = [] if "sparse" in options else [layers.Embedding(9, 4)]
    stack = [*embedded, pooled, layers.Dropout(0.5), layers.Dense(3, activation="softmax")]
    with pytest.raises(
        UnsuitableModelError, match=r"as many numbers as any other.*output_sequence_length, ragged=False"
    ):
        Sampler(sequential((1,), front, *stack, dtype="string"))


def test_what_the_text_layer_cannot_take_is_told_in_one_line():
    model = on_texts(layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=0))
    sampler = Sampler(model)
    assert sampler.sample(["a", "b"], passes=2).shape == (2, 2, 3)
    with pytest.raises(UnsuitableModelError, match=r"^The model fails on these examples\. Received: "):
        sampler.sample(["a", "c"], passes=2)


# A vocabulary in front of a model of numbers


@pytest.mark.parametrize("dtype", one_in(3, ["int32", "int64", "float32"]))
@pytest.mark.parametrize(
    "words", one_in(2, [list(WORDS), ["", "[UNK]", *WORDS]]), ids=["words alone", "with Keras's first two"]
)
def test_a_vocabulary_makes_numbers_of_texts_as_keras_counts_them(dtype, words):
    model = on_numbers(dtype=dtype)
    numbers = [[2, 4, 0, 0, 0, 0], [1, 3, 3, 4, 0, 0], [0] * 6, [8, 8, 7, 1, 0, 0]]
    whole = with_vocabulary(model, words)
    assert Sampler(whole).takes_texts
    np.testing.assert_array_equal(sample(whole, TEXTS, passes=5), sample(model, np.array(numbers, dtype), passes=5))
    assert all(one is other for one, other in zip(whole.weights, model.weights, strict=True))


@pytest.mark.slow
def test_a_model_with_a_vocabulary_is_saved_and_loaded_as_a_whole(tmp_path):
    whole = with_vocabulary(on_numbers(dtype="float32"), WORDS)
    (tmp_path / "model.keras").write_bytes(write_model_file(whole, tmp_path))
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(sample(loaded, TEXTS, passes=5), sample(whole, TEXTS, passes=5))


def test_the_embedding_that_gets_the_input_counts_and_not_that_of_positions():
    words = keras.Input((6,), dtype="int64")
    positions = layers.Embedding(6, 4, name="positions")(keras.ops.ones_like(words) * keras.ops.arange(6))
    hidden = layers.Dropout(0.5)(layers.Embedding(9, 4, name="of_words")(words) + positions)
    model = keras.Model(words, layers.Dense(3, activation="softmax")(layers.Flatten()(hidden)))
    assert sample(with_vocabulary(model, WORDS), TEXTS, passes=2).shape == (2, 4, 3)
    with pytest.raises(InvalidInputError, match="since the model's of_words has 9 rows"):
        with_vocabulary(model, WORDS[:4])


@pytest.mark.slow
def test_the_names_of_several_outputs_stay():
    words = keras.Input((6,), dtype="int64")
    hidden = layers.Dropout(0.5)(layers.Flatten()(layers.Embedding(9, 4)(words)))
    outputs = [layers.Dense(n, activation="softmax", name=name)(hidden) for n, name in ((2, "tone"), (3, "genre"))]
    whole = with_vocabulary(keras.Model(words, outputs), WORDS)
    assert [Sampler(whole, output=name).width for name in ("tone", "genre")] == [2, 3]


@pytest.mark.parametrize(
    ("model", "words", "message"),
    [
        (on_numbers, WORDS[:-1], r"of 7 words, since the model's of_words has 9 rows, 2 of them .* Received: 6 words"),
        (on_numbers, [*WORDS, "more"], "Received: 8 words"),
        (on_numbers, [*WORDS[:-1], "good"], "of words that differ, none of them empty. Received: 'good' as word 6"),
        (on_numbers, [*WORDS[:-1], " "], "Received: ' ' as word 6"),
        (on_numbers, [*WORDS, ""], "Received: '' as word 7"),
        (on_numbers, [], "at least one word. Received: none"),
        (on_numbers, "good", "a list of words. Received: 'good'"),
        (on_numbers, [1, 2], "a list of words"),
        (on_numbers, None, "a list of words. Received: None"),
        (lambda: on_numbers(rows=1), WORDS, "^The model fails on these examples"),
        (lambda: on_numbers(length=None), WORDS, "takes a fixed number of words"),
        (lambda: on_numbers(dtype="float32", first=layers.Reshape((6, 1))), WORDS, "gives them to an Embedding"),
        (on_texts, WORDS, "gives them to an Embedding"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_refused_in_one_line(model, words, message):
    with pytest.raises((InvalidInputError, UnsuitableModelError), match=message) as caught:
        with_vocabulary(model(), words)
    assert "\n" not in str(caught.value)


def test_many_texts_of_a_large_vocabulary_are_not_held_at_once():
    """A bag of 20,000 words for each of 100,000 texts would take 16 GB."""
    front = layers.TextVectorization(20_000, vocabulary=list(WORDS), output_mode="count", pad_to_max_tokens=True)
    stack = [layers.Dense(2), layers.Dropout(0.5), layers.Dense(3, activation="softmax")]
    taken, _ = Sampler(sequential((1,), front, *stack, dtype="string")).plan_for(["good film"] * 100_000)
    (numbers,) = taken.values()
    assert numbers.shape == (100_000, 20_000)
    assert numbers[99_990:].sum() == 20
