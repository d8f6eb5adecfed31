"""What the engine promises of any network behind its protocol, whatever framework it is of."""

import threading
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from mcviz.choices import MASKS
from mcviz.data import as_model_input
from mcviz.errors import InvalidInputError, UnsuitableModelError
from mcviz.options import ModelOptions, TaskOptions
from mcviz.runs import Run
from mcviz.sampling import Sampler, engine
from mcviz.sampling.adapters import adapter_for_run
from mcviz.sampling.base import ModelSettings, Network
from mcviz.sampling.masks import draw_active_mask, draw_random_numbers
from mcviz.sampling.ood import find_neighbours, fit_ood_detector, ood_verdict, unit_features
from mcviz.sampling.run_sampling import sample_run
from tests.cases import one_in, only
from tests.factories import Stop, stop_after
from tests.requiring import require_torch
from tests.runs.making import contents
from tests.sampling.fake import Arrays, FakeNetwork, make_arrays
from tests.test_no_tensorflow import run_codes

if find_spec("torch"):
    from tests.sampling.torch.pretend import NAME, register

    register()  # torch takes no more devices after the first gradient in a process

pytestmark = pytest.mark.usefixtures("small_blocks")
CLASSIFICATIONS = [
    "fake", "fake, factored", "fake of two inputs", "Keras", "Keras, factored", "PyTorch", "PyTorch, factored",
]  # fmt: skip
SELDOM = "PyTorch of two inputs", "PyTorch, factored, on a device"
BACKENDS = [*CLASSIFICATIONS, "fake regression", *SELDOM]
IMAGES = np.random.default_rng(0).integers(0, 256, (37, 6, 5, 1), dtype=np.uint8)


def keras_network(arrays: Arrays, factored: bool) -> Network:
    """The same network: a second ReLU behind the dropout changes no number, and keeps the layer from being factored."""
    import keras

    from mcviz.sampling.keras.network import KerasNetwork

    layers = keras.layers
    dropout = layers.Dropout(float(arrays["settings"][0]), name="dropout")
    stack = [layers.Flatten(name="flat"), layers.Dense(16, activation="relu", name="first"), dropout]
    stack += [] if factored else [layers.ReLU(name="again")]
    last = layers.Dense(4, activation="softmax", name="second")
    model = keras.Sequential([keras.Input((6, 5, 1), name="images"), *stack, last], name="network")
    model.set_weights([arrays[name] for name in ("first", "first_bias", "second", "second_bias")])
    return KerasNetwork(model)


def make_network(name: str, **changed: np.ndarray) -> Network:
    arrays = make_arrays(inputs=2 if "two" in name else 1, factored="factored" in name) | changed
    task = "regression" if "regression" in name else "classification"
    if "Keras" in name:
        return keras_network(arrays, "factored" in name)
    if "PyTorch" in name:
        require_torch()
        from tests.sampling.torch.twins import make_twin

        return make_twin(arrays, task, NAME if "device" in name else "cpu")
    return FakeNetwork(arrays, ModelSettings(task=task))


@pytest.fixture(scope="module")
def samplers() -> dict[str, Sampler]:
    """By the name of the backend, each made once."""
    return {}


@pytest.fixture
def sampler(request: pytest.FixtureRequest, samplers: dict[str, Sampler]) -> Sampler:
    if request.param not in samplers:
        samplers[request.param] = Sampler(make_network(request.param))
    return samplers[request.param]


every_backend = pytest.mark.parametrize("sampler", only(BACKENDS[: -len(SELDOM)], BACKENDS), indirect=True)
every_classification = pytest.mark.parametrize(
    "sampler", only(CLASSIFICATIONS, [*CLASSIFICATIONS, *SELDOM]), indirect=True
)
every_backend_and_mode = pytest.mark.parametrize(
    ("sampler", "masks"), one_in(3, product(BACKENDS, MASKS)), indirect=["sampler"]
)


def expected_passes(sampler: Sampler, count: int, passes: int, seed: int, masks: str | None) -> np.ndarray:
    """A slow loop in float64, (passes, count, width); without masks with the dropout off."""
    arrays = {name: array.astype(np.float64) for name, array in make_arrays().items()}
    rate, (_, plan) = arrays["settings"][0], sampler.plan_for(as_model_input(IMAGES))
    (request,), size = plan.random_requests, plan.passes_per_block
    expected = np.empty((passes, count, 4))
    for i, image in enumerate(IMAGES[:count].reshape(count, -1) / 255):
        hidden = np.maximum(image @ arrays["first"] + arrays["first_bias"], 0)
        for t in range(passes):
            kept = np.full(16, 1 - rate)
            if masks == "per_pass":
                kept = draw_random_numbers(request, size, seed, t // size, None)[t % size]
            if masks == "per_example":
                active = np.flatnonzero(hidden)
                kept[active] = draw_active_mask(request, size, seed, t // size, i, active)[t % size]
            values = (hidden * kept / (1 - rate)) @ arrays["second"] + arrays["second_bias"]
            expected[t, i] = values
            if sampler.task == "classification":
                expected[t, i] = np.exp(values) / np.exp(values).sum()
    return expected


@every_backend_and_mode
def test_passes_are_those_of_a_slow_loop_on_the_same_masks(sampler: Sampler, masks: str) -> None:
    passes = sampler.sample(as_model_input(IMAGES), passes=150, seed=9, masks=masks)
    np.testing.assert_allclose(passes[:, :3], expected_passes(sampler, 3, 150, 9, masks), atol=2e-6)
    assert passes.std(axis=0).min() > 0.001
    assert len(np.unique(passes[:, 0, 0])) > 75


@every_backend
def test_deterministic_is_the_network_without_dropout(sampler: Sampler) -> None:
    predicted = sampler.deterministic(as_model_input(IMAGES))
    np.testing.assert_allclose(predicted, expected_passes(sampler, len(IMAGES), 1, 0, None)[0], atol=2e-6)
    for start, stop in ((0, 1), (3, 9), (36, 37)):
        np.testing.assert_array_equal(sampler.deterministic(as_model_input(IMAGES[start:stop])), predicted[start:stop])


@every_backend_and_mode
def test_any_split_any_threads_and_any_order_in_memory_give_the_same_bits(
    sampler: Sampler, masks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = as_model_input(IMAGES)
    whole = sampler.sample(images, passes=300, seed=4, masks=masks)
    for threads, of_images, as_laid in (
        (1, slice(0, 37), np.asfortranarray),
        (3, slice(0, 1), np.ascontiguousarray),
        (8, slice(5, 37), np.asfortranarray),
        (2, slice(15, 17), lambda array: np.repeat(array, 2, axis=0)[::2]),
    ):
        monkeypatch.setattr(engine, "_thread_limit", threads)
        for first, last in ((0, 300), (0, 3), (255, 258), (127, 300)):
            part = sampler.sample(
                as_laid(images[of_images]),
                passes=last - first,
                seed=4,
                masks=masks,
                first_pass=first,
                first_example=of_images.start,
            )
            np.testing.assert_array_equal(part, whole[first:last, of_images])


def test_rows_that_lie_column_by_column_in_memory_give_the_same_bits() -> None:
    """As a table gives them. A product of few units rounds by the order that it is given."""
    sampler = Sampler(FakeNetwork(make_arrays((300,), hidden=3)))
    rows = np.random.default_rng(0).random((37, 300), dtype=np.float32)
    whole = sampler.sample(rows, passes=20)
    np.testing.assert_array_equal(sampler.sample(np.asfortranarray(rows), passes=20), whole)
    np.testing.assert_array_equal(sampler.sample(rows[:, ::-1][:, ::-1], passes=20), whole)


@every_backend_and_mode
def test_a_run_that_is_stopped_and_one_that_grows_are_the_run_that_was_made_in_one_go(
    sampler: Sampler, masks: str, tmp_path: Path
) -> None:
    whole = sample_run(sampler, IMAGES, tmp_path / "whole", passes=20, masks=masks)
    for share in (0.3, 0.7):
        with pytest.raises(Stop):
            sample_run(sampler, IMAGES, tmp_path / "run", passes=9, masks=masks, progress=stop_after(share))
    counts: list[tuple[int, int]] = []
    sample_run(sampler, IMAGES, tmp_path / "run", passes=9, masks=masks, progress=lambda *each: counts.append(each))
    assert counts[0] == (24 * 9, 37 * 9)  # three shards of eight were finished
    assert counts[-1] == (37 * 9, 37 * 9)
    with pytest.raises(Stop):
        sample_run(sampler, IMAGES, tmp_path / "run", passes=20, masks=masks, progress=stop_after(0.5))
    grown = sample_run(sampler, IMAGES, tmp_path / "run", passes=20, masks=masks)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")
    assert grown.digest == whole.digest


@pytest.fixture
def run(sampler: Sampler, tmp_path: Path) -> Run:
    return sample_run(sampler, IMAGES, tmp_path / "run", passes=12)


@every_backend
def test_the_model_in_a_run_is_sampled_as_it_was_for_the_run(sampler: Sampler, run: Run) -> None:
    assert run.model_path is not None
    kept = type(sampler.network).load(ModelOptions(run.model_path, modules=("tests",)), TaskOptions(), run)
    assert kept.compute_digest() == sampler.network.compute_digest() == run.manifest.model.sha256
    for again in (Sampler.for_run(kept, run), Sampler.for_run(type(kept).for_run(kept.model, run), run)):
        assert (again.task, again.product, again.compiler) == (sampler.task, sampler.product, sampler.compiler)
        adapter = adapter_for_run(again, run)
        others = np.random.default_rng(1).random((5, 6, 5, 1), dtype=np.float32)
        np.testing.assert_array_equal(
            again.sample(adapter.from_inputs(others), passes=12), sampler.sample(others, passes=12)
        )
        passes = again.sample(adapter.from_stored(run.images[:]), passes=12)
        np.testing.assert_allclose(run.predictions_block(0, None), passes, rtol=0, atol=1e-5)


@every_classification
def test_a_digest_is_that_of_the_weights(sampler: Sampler, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["sampler"]
    assert make_network(name).compute_digest() == sampler.network.compute_digest()
    changed = make_network(name, second_bias=make_arrays()["second_bias"] + np.float32([0, 0, 0, 1e-6]))
    assert changed.compute_digest() != sampler.network.compute_digest()


@every_classification
def test_the_detector_and_the_neighbours_are_found_by_what_the_network_computes(
    sampler: Sampler, tmp_path: Path
) -> None:
    random = np.random.default_rng(2)
    patterns, labels = random.random((4, 6, 5, 1)) < 0.4, np.arange(200) % 4
    images = np.clip(0.8 * patterns[labels] + 0.05 * random.standard_normal((200, 6, 5, 1)), 0, 1).astype(np.float32)
    run = sample_run(sampler, images[:120], tmp_path / "run", passes=12)
    detector = fit_ood_detector(sampler, run)

    def share(others: np.ndarray) -> float:
        return ood_verdict(detector, sampler, others, sampler.sample(others, passes=12)).is_ood.mean()

    assert share(images[120:]) < 0.2
    assert share(random.random((50, 6, 5, 1), dtype=np.float32)) > 0.5
    neighbours, features = find_neighbours(sampler, run), unit_features(sampler, images[:120])
    np.testing.assert_allclose(neighbours.features, features, atol=1e-3)
    assert [neighbours.nearest(each, 1)[0][0] for each in features] == list(range(120))


@pytest.mark.parametrize("sampler", [*CLASSIFICATIONS, SELDOM[1]], indirect=True)
def test_a_small_step_along_the_sign_makes_a_class_less_probable(sampler: Sampler) -> None:
    images, labels = as_model_input(IMAGES), np.arange(len(IMAGES)) % 4
    before = sampler.deterministic(images)
    for given in (None, labels):
        sign = sampler.network.compute_gradient_sign(images, given)
        assert sign.shape == images.shape
        assert set(np.unique(sign)) <= {-1, 0, 1}
        classes = before.argmax(axis=1) if given is None else given
        after = sampler.deterministic(images + np.float32(1e-2) * sign)
        assert (np.take_along_axis(after - before, classes[:, None], axis=1) < 0).all()


@pytest.mark.filterwarnings("ignore:(overflow|invalid value)")
@pytest.mark.parametrize("name", BACKENDS)
def test_a_network_that_cannot_be_sampled_is_refused(name: str) -> None:
    arrays = make_arrays()
    with pytest.raises(UnsuitableModelError, match="All passes agree to the last bit"):
        Sampler(make_network(name, second=0 * arrays["second"]))
    with pytest.raises(UnsuitableModelError, match="numbers that are not finite"):
        Sampler(make_network(name, first=np.full_like(arrays["first"], 3e38)))


@pytest.mark.filterwarnings("ignore:(overflow|invalid value)")
@every_backend
def test_examples_without_finite_predictions_are_named(sampler: Sampler) -> None:
    images = as_model_input(IMAGES)
    images[17] = 3e38
    plan = sampler.plan_for(images)[1]

    def named(size: int) -> str:
        first = 17 // size * size
        return rf"not finite\. Received: examples {first} to {min(first + size, len(images)) - 1}\. "

    with pytest.raises(UnsuitableModelError, match=named(plan.examples_per_block)):
        sampler.sample(images, passes=30)
    with pytest.raises(UnsuitableModelError, match=named(plan.shared_examples_per_block)):
        sampler.deterministic(images)


@every_backend
def test_a_progress_that_raises_ends_the_work(sampler: Sampler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_thread_limit", 1)  # at most three of the many pieces of work finish between two calls
    images, calls, threads = np.concatenate([as_model_input(IMAGES)] * 8), [], threading.active_count()

    def progress(done: int, total: int) -> None:
        calls.append((done, total))
        if done > 0.3 * total:
            raise Stop

    with pytest.raises(Stop):
        sampler.sample(images, passes=300, progress=progress)
    assert threading.active_count() == threads
    done, total = calls[-1]
    assert total == 300 * len(images)
    assert 0.3 * total < done < total
    calls.clear()
    whole = sampler.sample(images, passes=300, progress=lambda *counts: calls.append(counts))
    assert len(calls) > 2
    assert calls == sorted(calls)
    assert calls[-1] == (total, total)
    np.testing.assert_array_equal(sampler.sample(images, passes=300), whole)


def test_a_network_has_its_own_options() -> None:
    network = make_network("fake")
    for option in ({"task": "regression"}, {"output": "a"}, {"from_logits": False}, {"rate": 0.2}):
        with pytest.raises(InvalidInputError, match=f"`{next(iter(option))}` should be left out for a network"):
            Sampler(network, **option)


@pytest.mark.slow
def test_the_engine_imports_no_framework(tmp_path: Path) -> None:
    (tmp_path / "model.fake").write_bytes(make_network("fake, factored").save())
    program = f"""
import numpy as np
from mcviz.options import ModelOptions, TaskOptions
from mcviz.sampling import Sampler
from mcviz.sampling.ood import find_neighbours
from mcviz.sampling.ood import fit_ood_detector, ood_verdict
from mcviz.sampling.base import ModelSpec
from mcviz.sampling.run_sampling import sample_run
from mcviz.sampling.loading import load_sampler

class Stop(Exception):
    pass

def stop(done, total):
    if done > total / 2:
        raise Stop

options = ModelOptions({str(tmp_path / "model.fake")!r}, modules=("tests.sampling.fake",))
sampler = load_sampler(ModelSpec(options))
images = np.random.default_rng(0).random((40, 6, 5, 1), dtype=np.float32)
out = {str(tmp_path / "run")!r}
try:
    sample_run(sampler, images, out, passes=9, progress=stop)
except Stop:
    run = sample_run(sampler, images, out, passes=9)
run = sample_run(sampler, images, out, passes=20)
sampler = Sampler.for_run(sampler.network, run)
ood_verdict(fit_ood_detector(sampler, run), sampler, images, sampler.sample(images, passes=9))
find_neighbours(sampler, run)
"""
    ((imported, _),) = run_codes(program).values()
    assert not imported
