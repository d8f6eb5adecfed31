"""Sampling at several rates: against runs of models that were built with each, stopped, gone on with, refused."""

import csv
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import mcviz
from mcviz.cli import main
from mcviz.errors import InvalidInputError, RunExistsError, UnsuitableModelError
from mcviz.measures.quality import QUALITY
from mcviz.measures.registry import Predictions
from mcviz.model import Sampler
from mcviz.model.rates import SampledRates, sample_rates

EXAMPLES = 60
LABELS = np.arange(EXAMPLES) % 3
IMAGES = np.random.default_rng(0).random((EXAMPLES, 6), dtype=np.float32) + np.eye(6, dtype=np.float32)[LABELS]


def network(rate: float = 0.5, last: Any = None) -> keras.Model:
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.layers.Input((6,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(rate),
            last or keras.layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    return Sampler(network())


def sampled(sampler: Sampler, out: Path, **changes: Any) -> SampledRates:
    return sample_rates(sampler, (IMAGES, LABELS), out, **({"rates": [0.2, 0.4], "passes": 12} | changes))


def test_each_rate_is_worth_what_a_model_built_with_it_is(sampler: Sampler, tmp_path: Path) -> None:
    found = sampled(sampler, tmp_path / "rates")
    assert [layer.rate for layer in found.layers] == [0.5]
    for rate, terms in {**found.by_rate, 0.5: found.as_trained}.items():
        built = network(rate)
        built.set_weights(sampler.model.get_weights())
        probs = Sampler(built).sample(IMAGES, passes=12)
        wanted = QUALITY["classification"].terms(Predictions(probs, LABELS))
        for name, values in wanted.items():
            np.testing.assert_array_equal(terms[name], values)
        np.testing.assert_allclose(terms["uncertainty"], -probs.mean(axis=0).max(axis=1), rtol=1e-6)


def test_what_was_stopped_goes_on_and_nothing_is_sampled_twice(
    sampler: Sampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StopError(Exception):
        pass

    def stop_at_second(done: int, total: int) -> None:
        assert total == 3 * 12 * EXAMPLES
        if done > 1.5 * 12 * EXAMPLES:
            raise StopError

    out = tmp_path / "rates"
    with pytest.raises(StopError):
        sampled(sampler, out, progress=stop_at_second)
    there = {path.name for path in out.iterdir()}
    assert there == {"settings.json", "as-trained.npz"}
    told: list[int] = []
    found = sampled(sampler, out, progress=lambda done, _: told.append(done))
    assert told[0] == 12 * EXAMPLES  # that which was kept
    assert told == sorted(told)
    assert told[-1] == 3 * 12 * EXAMPLES
    whole = sampled(sampler, tmp_path / "whole")
    for rate in (0.2, 0.4):
        for name, values in whole.by_rate[rate].items():
            np.testing.assert_array_equal(found.by_rate[rate][name], values)
    with monkeypatch.context() as patch:
        patch.setattr(Sampler, "sample", None)  # nothing is to be sampled
        again = sampled(sampler, out)
    np.testing.assert_array_equal(again.as_trained["nll"], whole.as_trained["nll"])
    more = sampled(sampler, out, rates=[0.2, 0.4, 0.6])  # another rate is added
    assert list(more.by_rate) == [0.2, 0.4, 0.6]


def test_a_damaged_rate_is_sampled_again(sampler: Sampler, tmp_path: Path) -> None:
    out = tmp_path / "rates"
    before = sampled(sampler, out)
    (out / "rate-0.2.npz").write_bytes((out / "rate-0.2.npz").read_bytes()[:100])
    (out / "rate-0.4.npz").write_bytes((out / "as-trained.npz").read_bytes()[::-1])
    after = sampled(sampler, out)
    for rate in (0.2, 0.4):
        np.testing.assert_array_equal(after.by_rate[rate]["nll"], before.by_rate[rate]["nll"])


def test_a_folder_of_something_else_is_left_alone(sampler: Sampler, tmp_path: Path) -> None:
    out = tmp_path / "rates"
    sampled(sampler, out, rates=[0.2])
    for changes, named in (({"passes": 13}, "passes"), ({"seed": 1}, "seed"), ({"score": "margin"}, "score")):
        with pytest.raises(RunExistsError, match=f"with other {named}"):
            sampled(sampler, out, rates=[0.2], **changes)
    other = Sampler(network(last=keras.layers.Dense(3, activation="softmax", bias_initializer="ones")))
    with pytest.raises(RunExistsError, match="with other model"):
        sampled(other, out, rates=[0.2])
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("a picture")
    with pytest.raises(RunExistsError, match=r"holds cat\.jpg"):
        sampled(sampler, tmp_path / "photos")
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


@pytest.mark.parametrize("rates", [[], [0], [1.0], [-0.5], [0.2, 2], list(np.linspace(0.01, 0.9, 101))])
def test_what_are_no_rates_is_refused(sampler: Sampler, tmp_path: Path, rates: list[float]) -> None:
    with pytest.raises(InvalidInputError, match="rates"):
        sampled(sampler, tmp_path / "rates", rates=rates)


def test_what_cannot_choose_is_refused(sampler: Sampler, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="with labels"):
        sample_rates(sampler, IMAGES, tmp_path / "a", rates=[0.2])
    with pytest.raises(InvalidInputError, match="with labels"):
        sample_rates(sampler, (IMAGES[:3], LABELS[:3]), tmp_path / "a", rates=[0.2])
    with pytest.raises(InvalidInputError, match="score"):
        sampled(sampler, tmp_path / "a", score="self_confidence")
    with pytest.raises(InvalidInputError, match="own rates"):
        sampled(Sampler(sampler.model, rate=0.2), tmp_path / "a")
    noise = keras.Sequential(
        [keras.layers.Input((6,)), keras.layers.GaussianNoise(0.2), keras.layers.Dense(3, activation="softmax")]
    )
    with pytest.raises(UnsuitableModelError, match="whose rate can be changed"):
        sampled(Sampler(noise), tmp_path / "noise")


def test_a_regression_has_its_own_measures(tmp_path: Path) -> None:
    sampler = Sampler(network(last=keras.layers.Dense(2)), task="regression")
    truth = IMAGES[:, :2]
    found = sample_rates(sampler, (IMAGES, truth), tmp_path / "rates", rates=[0.3], passes=9)
    outputs = Sampler(sampler.model, task="regression", rate=0.3).sample(IMAGES, passes=9)
    errors = np.square(outputs.astype(np.float64).mean(axis=0) - truth).mean(axis=1)
    np.testing.assert_allclose(found.by_rate[0.3]["squared_error"], errors, rtol=1e-6)


def test_the_command_writes_figures_and_a_page_that_opens_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data, out = tmp_path / "model.keras", tmp_path / "data.npz", tmp_path / "rates"
    network().save(model)
    np.savez(data, x=IMAGES, y=LABELS)
    command = ["rates", str(model), str(data), "--rates", "0.2:0.6:3", "--passes", "12", "--out", str(out)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    found = json.loads((out / "rates.json").read_text())
    assert [each["rate"] for each in found["rates"]] == [0.2, 0.4, 0.6]
    assert found["layers"][0]["rate"] == 0.5
    assert found["in_words"] in printed
    assert found["chosen"] == min(found["rates"], key=lambda each: each["choosing"])["rate"]
    rows = list(csv.DictReader((out / "rates.csv").read_text().splitlines()))
    assert [row["rate"] for row in rows] == ["as trained", "0.2", "0.4", "0.6"]
    chosen = next(row for row in rows if row["chosen"] == "1")
    judged = next(each["judging"] for each in found["rates"] if each["rate"] == found["chosen"])
    assert float(chosen["nll_high"]) == judged["nll"]["high"]
    page = (out / "rates.html").read_text()
    assert found["in_words"] in page
    assert 'src="http' not in page
    assert page.count("plotly-graph-div") == 4
    assert main([*command[:-2], "--out", str(tmp_path)]) == 2  # which holds the model
    for wrong in ("0.2:0.6", "0.2:0.6:1", "a,b", "0.5:1.5:3"):
        assert main([*command[:4], wrong, *command[5:]]) == 2


def test_a_run_is_sampled_at_the_rate_that_was_chosen(tmp_path: Path) -> None:
    model, data = tmp_path / "model.keras", tmp_path / "data.npz"
    network().save(model)
    np.savez(data, x=IMAGES, y=LABELS)
    command = ["sample", "--model", str(model), "--data", str(data), "--passes", "8", "--out", str(tmp_path / "run")]
    assert main([*command, "--rate", "0.2"]) == 0
    assert [layer.rate for layer in mcviz.open_run(tmp_path / "run").manifest.origin.stochastic_layers] == [0.2]
    assert main([*command, "--rate", "1.2"]) == 2
