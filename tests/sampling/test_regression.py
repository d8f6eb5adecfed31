"""A regression is sampled as a classification is: what it returns, and what is refused."""

from functools import cache
from itertools import cycle
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from scipy import stats

from mcviz.choices import MASKS
from mcviz.data import as_data_set
from mcviz.errors import InvalidInputError, UnsuitableModelError
from mcviz.sampling import Sampler, sample
from mcviz.sampling.sampler import as_sampler
from tests.cases import one_in
from tests.sampling.keras.test_layers_and_models import FALSE_ALARMS, moments
from tests.sampling.keras.zoo import images_for, sequential, transformer_on_texts

PASSES = 1500
ROWS = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)


def dense(*last: keras.Layer) -> keras.Model:
    keras.utils.set_random_seed(1)
    hidden = [layers.Dense(12, activation="relu"), layers.Dropout(0.3), layers.Dense(8, activation="tanh")]
    return sequential((4,), *hidden, layers.Dropout(0.2), *(last or [layers.Dense(1)]))


MODELS = {
    "dense, two targets": (lambda: dense(layers.Dense(2)), "mean"),
    "dense with a spread": (lambda: dense(layers.Dense(4)), "mean,log_variance"),
    "transformer on texts": (lambda: transformer_on_texts(layers.Dense(2)), "mean,std"),
}
every_model = pytest.mark.parametrize("name", one_in(3, MODELS))


@cache
def sampler(name: str) -> Sampler:
    keras.utils.set_random_seed(5)
    make, predicts = MODELS[name]
    return Sampler(make(), task="regression", predicts=predicts)


def as_said(returned: np.ndarray, predicts: str) -> np.ndarray:
    """What a model returns, its spreads as variances, in float64."""
    returned = returned.astype(np.float64)
    if predicts == "mean":
        return returned
    means, spreads = np.split(returned, 2, axis=-1)
    squared = {"mean,variance": spreads, "mean,log_variance": np.exp(spreads), "mean,std": spreads**2}[predicts]
    return np.concatenate([means, squared], axis=-1)


@cache
def passes_of_the_loop(name: str) -> np.ndarray:
    """(PASSES, 3, width) by Keras's own layers with `training=True`, a draw for each row."""
    model = sampler(name).model
    rows = images_for(model, 3)
    loop = [np.asarray(model(np.repeat(row[None], PASSES, axis=0), training=True)) for row in rows]
    return as_said(np.stack(loop, axis=1), MODELS[name][1])


@pytest.mark.parametrize(("name", "masks"), one_in(12, zip(MODELS, cycle(MASKS))))
def test_mean_and_variance_are_those_of_the_keras_loop(name, masks):
    loop = passes_of_the_loop(name)
    ours = sampler(name).sample(images_for(sampler(name).model, 3), passes=PASSES, seed=7, masks=masks)
    assert (ours.shape, ours.dtype) == (loop.shape, np.float32)
    assert sampler(name).width == loop.shape[2]
    limit = stats.norm.isf(FALSE_ALARMS / 2 / (2 * loop[0].size))
    (mean, mean_error, variance, variance_error), theirs = moments(ours), moments(loop)
    assert np.all(np.abs(mean - theirs[0]) <= limit * np.hypot(mean_error, theirs[1]))
    assert np.all(np.abs(variance - theirs[2]) <= limit * np.hypot(variance_error, theirs[3]))


@every_model
def test_with_dropout_off_it_is_what_keras_computes(name):
    model = sampler(name).model
    rows = images_for(model, 20)
    returned = np.concatenate([np.asarray(model(row[None], training=False)) for row in rows])
    np.testing.assert_allclose(
        sampler(name).deterministic(rows), as_said(returned, MODELS[name][1]), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("predicts", one_in(3, ["mean,variance", "mean,log_variance", "mean,std"]))
def test_whatever_spread_is_predicted_the_same_variances_are_returned(predicts):
    """One model, whose last layer gives the logarithm of the variance, rewritten for every kind of spread."""
    log_variance = dense(layers.Dense(4))
    means, spreads = log_variance.outputs[0][:, :2], log_variance.outputs[0][:, 2:]
    written = {
        "mean,variance": keras.ops.exp(spreads),
        "mean,log_variance": spreads,
        "mean,std": -keras.ops.exp(spreads / 2),  # the sign of a spread says nothing
    }[predicts]
    model = keras.Model(log_variance.inputs, keras.ops.concatenate([means, written], axis=1))
    passes = sample(model, ROWS, passes=20, task="regression", predicts=predicts)
    expected = sample(log_variance, ROWS, passes=20, task="regression", predicts="mean,log_variance")
    assert passes.shape == (20, 5, 4)
    assert passes[..., 2:].min() > 0
    np.testing.assert_allclose(passes, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("predicts", "spread", "message"),
    one_in(
        3,
        [
            ("mean,variance", -50.0, r"Received: -50\. .* the logarithm\? Then give predicts='mean,log_variance'"),
            ("mean,std", 0.0, r"Received: 0\. .*Then give predicts='mean,log_variance'"),
            ("mean,log_variance", -500.0, r"Received: 0\. .* the variance itself\? Then give predicts='mean,variance'"),
        ],
    ),
)
def test_variances_that_are_not_above_0_are_refused_with_a_question(predicts, spread, message):
    means = dense()
    columns = keras.ops.concatenate([means.outputs[0], 0 * means.outputs[0] + spread], axis=1)
    model = keras.Model(means.inputs, columns)
    sampler = Sampler(model, task="regression", predicts=predicts)
    for run in (lambda: sampler.sample(ROWS, passes=5), lambda: sampler.deterministic(ROWS)):
        with pytest.raises(
            UnsuitableModelError, match=rf"^A predicted variance should be above 0\. {message}"
        ) as caught:
            run()
        assert "\n" not in str(caught.value)
    assert Sampler(model, task="regression").sample(ROWS, passes=5).shape == (5, 5, 2)


@pytest.mark.parametrize(
    ("last", "options", "message"),
    [
        (layers.Dense(3), {"predicts": "mean,variance"}, r"an even number of columns\. Received: 3\. For means alone"),
        (layers.Dense(1), {"predicts": "mean,std"}, "Received: 1"),
        (layers.Dense(3, activation="softmax"), {}, "a softmax over 3 outputs, which is no regression"),
        (layers.Dense(4), {"predicts": "mean,spread"}, "`predicts` should be 'mean' or 'mean,variance' or"),
        (layers.Dense(1), {"from_logits": True}, "`from_logits` should be left out for a regression. Received: True"),
        (layers.Dense(1), {"from_logits": False}, "`from_logits` should be left out for a regression"),
        (layers.Dense(1), {"task": "ranking"}, "`task` should be 'classification' or 'regression'"),
        (layers.Dense(4), {"task": "classification", "predicts": "mean,std"}, "left out for a classification"),
    ],
)  # fmt: skip
def test_what_is_no_regression_is_refused_in_one_line(last, options, message):
    last = last.__class__.from_config(last.get_config())  # a layer of each model's own
    with pytest.raises((InvalidInputError, UnsuitableModelError), match=message) as caught:
        Sampler(dense(last), **{"task": "regression", **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("by_name", one_in(2, [False, True]))
def test_a_mean_and_its_spread_may_be_two_outputs(by_name):
    features = keras.Input((3,))
    hidden = layers.Dropout(0.5)(layers.Dense(8, "relu")(features))
    mean, std = layers.Dense(2, name="mean")(hidden), layers.Dense(2, "softplus", name="std")(hidden)
    one = keras.Model(features, layers.Concatenate()([mean, std]))
    two = keras.Model(features, {"std": std, "mean": mean} if by_name else [mean, std])
    rows = np.random.default_rng(0).random((4, 3), np.float32)
    together, apart = (Sampler(each, task="regression", predicts="mean,std") for each in (one, two))
    np.testing.assert_allclose(apart.sample(rows, passes=3), together.sample(rows, passes=3), rtol=1e-5)
    names = "std, mean" if by_name else "mean, std"
    assert apart.meaning.text == f"mean and std of the model's 2 outputs ({names}): mean and std of 2 targets"
    with pytest.raises(InvalidInputError, match=r"one of the model's 2 outputs: \w+, \w+\. Received: output=None"):
        Sampler(two, task="regression")


@pytest.mark.parametrize("units", one_in(2, [1, 3]))
def test_a_sigmoid_may_be_a_regression_within_bounds(units):
    model = dense(layers.Dense(units, activation="sigmoid"))
    passes = sample(model, ROWS, passes=9, task="regression")
    assert passes.shape == (9, 5, units)
    np.testing.assert_allclose(Sampler(model, task="regression").deterministic(ROWS), model(ROWS), atol=1e-6)


def test_the_rows_of_a_table_are_the_rows_of_an_array():
    table = pd.DataFrame(ROWS, columns=list("abcd"))
    for given in (table, as_data_set(table)):
        np.testing.assert_array_equal(
            sample(dense(), given, passes=3, task="regression"), sample(dense(), ROWS, passes=3, task="regression")
        )


def test_one_of_several_outputs_may_be_a_regression():
    rows = keras.Input((4,))
    hidden = layers.Dropout(0.5)(layers.Dense(8, activation="relu")(rows))
    named = {"price": layers.Dense(1)(hidden), "kind": layers.Dense(3, activation="softmax")(hidden)}
    model = keras.Model(rows, named)
    assert Sampler(model, output="price", task="regression").width == 1
    assert Sampler(model, output="kind").width == 3


def run_of(task: str, predicts: str) -> SimpleNamespace:
    origin = SimpleNamespace(stochastic_layers=(), product=None, compiler=None, device_name="cpu")
    of_run = SimpleNamespace(model=None, origin=origin, task=task, predicts=predicts, target_scaler=None)
    return SimpleNamespace(manifest=of_run)


def test_a_run_s_model_is_prepared_for_the_run_s_task():
    model = dense(layers.Dense(2))
    again = Sampler.for_run(model, run_of("regression", "mean,log_variance"))
    assert (again.task, again.predicts) == ("regression", "mean,log_variance")
    expected = sample(model, ROWS, passes=3, task="regression", predicts="mean,log_variance")
    np.testing.assert_array_equal(again.sample(ROWS, passes=3), expected)
    classifier = dense(layers.Dense(3, activation="softmax"))
    assert Sampler.for_run(classifier, run_of("classification", "mean")).task == "classification"


def test_a_sampler_has_its_own_task():
    ready = Sampler(dense(), task="regression")
    assert as_sampler(ready) is ready
    assert as_sampler(dense(), task="regression", predicts=None).task == "regression"
    with pytest.raises(InvalidInputError, match="`task` should be left out for a Sampler, which has its own"):
        as_sampler(ready, task="regression")
