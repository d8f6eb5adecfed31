"""Texts, rows and regressions: what reaches the model, what is said of it at a first look, and what a run keeps."""

from functools import cache
from itertools import product
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from msgspec.structs import replace

from mcviz.data import DataSet, as_data_set
from mcviz.errors import InvalidInputError
from mcviz.runs import Preprocessing, Run, open_run, verify_run
from mcviz.sampling import Sampler
from mcviz.sampling.adapters import adapter_for_examples, adapter_for_run, load_stored
from mcviz.sampling.checking import check_model
from mcviz.sampling.keras.model_files import load_model
from mcviz.sampling.run_sampling import sample_run
from tests.cases import one_in
from tests.sampling.keras.zoo import WORDS, sequential, text_layer
from tests.sampling.test_checking import try_on

pytestmark = pytest.mark.usefixtures("small_blocks")
N = 21
RNG = np.random.default_rng(0)
TEXTS = [" ".join(RNG.choice([*WORDS, "unheard"], size)) for size in RNG.integers(0, 9, N)]
NAMES = ["age", "pressure", "sugar"]
ROWS = pd.DataFrame(RNG.normal([50, 120, 5], [10, 20, 1], (N, 3)).astype(np.float32), columns=NAMES)
MEAN, STD = tuple(map(float, ROWS.mean())), tuple(map(float, ROWS.std()))
SCALER = Preprocessing(mean=MEAN, std=STD, reason="By scaler.csv.")
SCALED = (ROWS.to_numpy() - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
LABELS = np.arange(N) % 3
TRUE = (SCALED @ np.array([[2.0, 0], [1, -1], [0, 3]]) + [100, 20]).astype(np.float32)


def of_texts() -> keras.Model:
    keras.utils.set_random_seed(1)
    stack = [layers.Embedding(9, 4), layers.Dropout(0.5), layers.Flatten(), layers.Dense(3, activation="softmax")]
    return sequential((1,), text_layer(), *stack, dtype="string")


def of_rows(width: int = 3, activation: str | None = "softmax") -> keras.Model:
    keras.utils.set_random_seed(1)
    return sequential((3,), layers.Dense(8, "tanh"), layers.Dropout(0.3), layers.Dense(width, activation))


CASES = {
    "classes of texts": (of_texts, {}, {"data": TEXTS, "labels": LABELS}, None),
    "classes of rows with a scaler": (of_rows, {}, {"data": ROWS, "labels": LABELS}, SCALER),
    "a target of texts": (
        lambda: sequential(
            (1,), text_layer(), layers.Embedding(9, 4), layers.Dropout(0.5), layers.Flatten(), layers.Dense(1),
            dtype="string",
        ),
        {"task": "regression"},
        {"data": TEXTS, "labels": TRUE[:, :1]},
        None,
    ),
    "targets of rows with variances": (
        lambda: of_rows(4, None),
        {"task": "regression", "predicts": "mean,log_variance"},
        {"data": ROWS, "labels": TRUE},
        SCALER,
    ),
}  # fmt: skip


@cache
def sampler(name: str) -> Sampler:
    make, options, _, _ = CASES[name]
    return Sampler(make(), **options)


def data_of(name: str) -> DataSet:
    given, task = CASES[name][2], CASES[name][1].get("task", "classification")
    ids = [f"patient {number}" for number in range(N)]
    own = pd.DataFrame({"ward": [f"ward {number % 2}" for number in range(N)]})
    return as_data_set(given["data"]).with_labels(given["labels"], task).with_ids(ids).with_columns(own)


def taken(name: str) -> object:
    """The examples as the model takes them, by hand."""
    return TEXTS if CASES[name][3] is None else SCALED


def sample_case(name: str, out: Path, passes: int = 6, **settings) -> Run:
    return sample_run(
        sampler(name), data_of(name), out, passes=passes, seed=3, preprocessing=CASES[name][3], **settings
    )


some_cases = pytest.mark.parametrize("name", one_in(3, CASES))


@pytest.mark.parametrize(("name", "masks"), one_in(5, product(CASES, ("per_pass", "per_example"))))
def test_a_run_holds_what_the_sampler_gives_and_the_examples(tmp_path: Path, name: str, masks: str) -> None:
    run = open_run(sample_case(name, tmp_path / "run", masks=masks).path)
    passes = sampler(name).sample(taken(name), passes=6, seed=3, masks=masks)
    fixed = sampler(name).deterministic(taken(name))
    tolerance = {"rtol": 1e-6} if run.targets else {"atol": 1 / 131068 + 1e-7}
    np.testing.assert_allclose(run.predictions_block(0, None), passes, **tolerance)
    np.testing.assert_allclose(run.deterministic_predictions, fixed, rtol=1e-6)
    np.testing.assert_array_equal(run.labels, data_of(name).labels)
    assert run.content.to_numpy().tolist() == (
        [[text] for text in TEXTS] if CASES[name][3] is None else ROWS.to_numpy().tolist()
    )
    assert list(run.table()["ward"]) == [f"ward {number % 2}" for number in range(N)]
    assert list(run.scores()["id"])[20] == "patient 20"
    assert run.manifest.preprocessing.mean == (() if CASES[name][3] is None else MEAN)
    verify_run(run.path)


@some_cases
def test_the_kept_model_of_a_run_gives_its_numbers_again(tmp_path: Path, name: str) -> None:
    run = sample_case(name, tmp_path / "run")
    again = Sampler.for_run(load_model(run.model_path), run)
    assert (again.task, again.predicts) == (run.manifest.task, run.manifest.predicts)
    adapter, stored = adapter_for_run(again, run), load_stored(run)
    passes = again.sample(adapter.from_stored(stored[8:16]), passes=6, seed=3, first_example=8)
    np.testing.assert_allclose(run.predictions_block(8, 16), passes, atol=1 / 131068 + 1e-7, rtol=1e-6)


@some_cases
def test_new_examples_reach_the_model_as_those_of_the_run_do(tmp_path: Path, name: str) -> None:
    run = sample_case(name, tmp_path / "run")
    from_data, content = adapter_for_examples(sampler(name), data_of(name), CASES[name][3])
    from_run, stored = adapter_for_run(sampler(name), run), load_stored(run)
    expected = np.asarray(taken(name), object if CASES[name][3] is None else np.float32)
    for prepared in (
        from_data.from_stored(content[:]),
        from_run.from_stored(stored[:]),
        from_run.from_inputs(stored[:]),
    ):
        assert prepared.dtype == expected.dtype
        np.testing.assert_array_equal(prepared, expected)


@pytest.mark.parametrize(
    ("name", "data", "how", "message"),
    [
        ("classes of texts", ROWS, None, "`data` should be texts, as the model takes them. Received: rows of numbers"),
        ("classes of texts", TEXTS, SCALER, "`preprocessing` should be left out for texts"),
        ("classes of rows with a scaler", TEXTS, None, "numbers. Received: texts. Give the vocabulary"),
        ("classes of rows with a scaler", ROWS[NAMES[:2]], None, r"\(N, 3\). Received: 2 columns: age, pressure"),
        ("classes of rows with a scaler", ROWS, replace(SCALER, mean=(1.0, 2.0)), "1 or 3 numbers.*Received: 2"),
        ("classes of rows with a scaler", ROWS, replace(SCALER, channel_order="bgr"), "left out for rows of numbers"),
        ("classes of rows with a scaler", DataSet(None).with_labels(LABELS), None, "a data set without any"),
    ],
)
def test_examples_that_do_not_fit_are_refused_and_nothing_is_written(tmp_path: Path, name, data, how, message) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        sample_run(sampler(name), data, tmp_path / "run", passes=2, preprocessing=how)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_classes_have_no_unit_and_no_names_of_targets(tmp_path: Path) -> None:
    name = "classes of rows with a scaler"
    with pytest.raises(InvalidInputError, match="`unit` should be left out for a classification"):
        sample_run(sampler(name), ROWS, tmp_path / "run", passes=2, unit="kg")
    with pytest.raises(InvalidInputError, match="`target_names` should be left out for a classification"):
        sample_run(sampler(name), ROWS, tmp_path / "run", passes=2, target_names=["a"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (TRUE[:, 0], "of 2 targets, as are predicted. Received: 1"),
        (np.array(["a"] * N), "numbers, which a regression predicts"),
        (np.where(np.arange(N)[:, None] == 4, np.inf, TRUE), "1 of 21 labels are .*not finite"),
    ],
)
def test_labels_that_are_not_those_of_the_targets_are_refused(tmp_path: Path, labels, message) -> None:
    with pytest.raises(InvalidInputError, match=message):
        sample_run(sampler("targets of rows with variances"), (ROWS, labels), tmp_path / "run", passes=2)
    assert list(tmp_path.iterdir()) == []


def test_names_of_targets_are_in_the_order_of_the_model(tmp_path: Path) -> None:
    name = "targets of rows with variances"
    labels = pd.DataFrame(TRUE, columns=["width", "height"])
    run = sample_run(
        sampler(name), (ROWS, labels), tmp_path / "run", passes=2, target_names=["height", "width"], unit="cm"
    )
    assert (run.targets, run.manifest.unit) == (("height", "width"), "cm")
    np.testing.assert_array_equal(run.labels, TRUE[:, ::-1])
    with pytest.raises(InvalidInputError, match="`target_names` should be 2 different names"):
        sample_run(sampler(name), (ROWS, labels), tmp_path / "other", passes=2, target_names=["a", "a"])
    with pytest.raises(InvalidInputError, match="`class_names` should be left out"):
        sample_run(sampler(name), ROWS, tmp_path / "other", passes=2, class_names=["a", "b"])


@pytest.mark.parametrize(
    ("name", "lines"),
    one_in(
        3,
        [
            (
                "classes of texts",
                ("examples:       21", "texts:          0 to ", "classes:        3", "accuracy:       "),
            ),
            (
                "classes of rows with a scaler",
                (
                    "rows:           3 columns, ",
                    "preprocessing:  less the mean ",
                    "classes:        3",
                    "accuracy:       ",
                ),
            ),
            ("a target of texts", ("texts:          0 to ", "targets:        target", "RMSE:           ")),
            (
                "targets of rows with variances",
                (
                    "rows:           3 columns, ",
                    "targets:        target_0, target_1, with a spread",
                    "RMSE:           ",
                ),
            ),
        ],
    ),
)
def test_a_check_says_what_there_is(name: str, lines: tuple[str, ...]) -> None:
    check = check_model(sampler(name), data_of(name), preprocessing=CASES[name][3])
    printed = check.lines(100)
    for line in lines:
        assert any(text.startswith(line) for text in printed), (line, printed)
    fixed, labels = sampler(name).deterministic(taken(name)), data_of(name).labels
    if "classes" in name:
        assert check.quality == (fixed.argmax(axis=1) == labels).mean()
    else:
        errors = fixed[:, : labels.shape[1]].astype(np.float64) - labels
        assert check.quality == pytest.approx(np.sqrt(np.square(errors).mean()))
    assert check.bytes_per_pass > 0
    assert check.tried == N


def exactly(outputs: keras.Layer) -> Sampler:
    """A regression that gives what a layer makes of scaled rows, dropout off."""
    return Sampler(sequential((3,), layers.Dropout(0.3), outputs), task="regression")


def test_an_rmse_that_is_no_better_than_the_mean_is_told_and_one_that_is_better_is_not() -> None:
    weights = np.array([[2.0, 0], [1, -1], [0, 3]], np.float32)
    good = layers.Dense(2)
    honest = exactly(good)
    good.set_weights([weights, np.array([100, 20], np.float32)])
    data = as_data_set((ROWS, TRUE), "regression")
    look = try_on(honest, data, SCALER)
    assert look.quality == pytest.approx(0, abs=1e-4)
    assert look.advice == ""
    unscaled = try_on(honest, data)
    assert "RMSE on all 21 rows is" in unscaled.advice
    assert "by always saying the mean. Were the targets scaled in training?" in unscaled.advice
    assert "Are the rows prepared as they were in training, by the same scaler" in unscaled.advice
    good.set_weights([0.01 * weights, np.array([100, 20], np.float32)])
    assert "by always saying the mean" in try_on(exactly(good), data, SCALER).advice


def test_a_first_look_needs_no_labels() -> None:
    for name in CASES:
        look = try_on(sampler(name), as_data_set(CASES[name][2]["data"]), CASES[name][3])
        assert (look.quality, look.advice) == (None, "")


def test_examples_of_no_kind_that_reaches_a_model_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"`data` should be examples\. Received: a data set without any"):
        adapter_for_examples(sampler("classes of texts"), as_data_set(DataSet(None, labels=LABELS)))
