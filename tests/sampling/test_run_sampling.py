"""A model is sampled straight into a run, and the run holds what `sample` gives."""

from itertools import product
from pathlib import Path

import keras
import numpy as np
import pytest

from mcviz.cli import main
from mcviz.data import DataSet, as_model_input
from mcviz.errors import DataNotFoundError, InvalidInputError, MissingPackageError, RunExistsError, UnsuitableModelError
from mcviz.runs import open_run, runs_table, verify_run
from mcviz.sampling import run_sampling
from mcviz.sampling.keras.model_files import load_model
from mcviz.sampling.keras.network import model_digest
from mcviz.sampling.run_sampling import sample_run
from mcviz.sampling.sampler import Sampler, sample
from tests.cases import one_in, only
from tests.factories import Stop, dropout_network, stop_after
from tests.runs.making import contents, numbers
from tests.sampling.fake import FakeNetwork, make_arrays

pytestmark = pytest.mark.usefixtures("small_blocks")
HALF_A_STEP = 0.5 / 65534 + 2**-24


@pytest.fixture(scope="module")
def keras_network() -> keras.Model:
    return dropout_network((6, 5, 1), hidden=16)


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork(make_arrays(factored=True))


@pytest.fixture(scope="module")
def data() -> DataSet:
    numbers_ = np.random.default_rng(0)
    return DataSet(
        numbers_.integers(0, 256, (21, 6, 5, 1), dtype=np.uint8), numbers_.integers(0, 4, 21, dtype=np.int64)
    )


@pytest.mark.parametrize("masks", one_in(2, ["per_pass", "per_example"]))
def test_a_run_holds_what_sampling_gives(tmp_path: Path, keras_network: keras.Model, data: DataSet, masks: str) -> None:
    run = sample_run(keras_network, data, tmp_path / "run", passes=12, seed=3, masks=masks)
    inputs = as_model_input(data.images)
    sampled = sample(keras_network, inputs, passes=12, seed=3, masks=masks)
    np.testing.assert_allclose(run.probs_block(0, 21), sampled, rtol=0, atol=HALF_A_STEP)
    np.testing.assert_allclose(run.deterministic_probs, keras_network.predict(inputs, verbose=0), atol=1e-6)
    np.testing.assert_array_equal(run.images, data.images)
    np.testing.assert_array_equal(run.labels, data.labels)
    assert run.deterministic_accuracy == np.mean(run.deterministic_probs.argmax(1) == data.labels)
    assert verify_run(run.path).quality["mean single pass"] == pytest.approx(run.pass_accuracy.mean())


def test_a_run_is_sampled_again_at_another_rate_by_its_own_examples_and_its_own_model(
    tmp_path: Path, keras_network: keras.Model, data: DataSet
) -> None:
    trained = sample_run(keras_network, data, tmp_path / "trained", passes=4)
    expected = sample_run(Sampler(keras_network, rate=0.2), data, tmp_path / "expected", passes=4)
    again = sample_run(keras_network, trained, tmp_path / "again", passes=4, rate=0.2)
    by_path = sample_run(trained.model_path, trained.path, tmp_path / "by-path", passes=4, rate=0.2)
    typed = ["--model", trained.path, "--data", trained.path, "--out", str(tmp_path / "typed"), "--passes", "4"]
    assert main(["sample", *typed, "--rate", "1.2"]) == 2
    assert main(["sample", *typed, "--rate", "0.2"]) == 0
    assert {run.digest for run in (again, by_path, open_run(tmp_path / "typed"))} == {expected.digest}
    assert (trained.manifest.rates, again.manifest.rates) == ("0.5", "0.2")
    assert runs_table(tmp_path).loc[["trained", "again"], "rate"].tolist() == ["0.5", "0.2"]


def test_a_sampler_is_taken_as_it_is(
    tmp_path: Path, network: FakeNetwork, data: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler, expected = Sampler(network), sample_run(network, data, tmp_path / "model", passes=3)
    monkeypatch.setattr(FakeNetwork, "make_plan", None)  # to prepare a model once more would fail
    assert numbers(sample_run(sampler, data, tmp_path / "sampler", passes=3)) == numbers(expected)
    for options in ({"output": "classes"}, {"from_logits": False}):
        with pytest.raises(InvalidInputError, match="should be left out for a Sampler, which has its own"):
            sample_run(sampler, data, tmp_path / "sampler", passes=3, **options)


def test_the_manifest_says_how_it_was_made(tmp_path: Path, keras_network: keras.Model, data: DataSet) -> None:
    keras_network.save(tmp_path / "given.keras")
    run = sample_run(
        tmp_path / "given.keras",
        data,
        tmp_path / "run",
        passes=3,
        class_names=["a", "b", "c", "d"],
        about={"source": "random", "licence": "none"},
    )
    manifest = run.manifest
    assert (manifest.passes, manifest.seed, manifest.masks, manifest.classes) == (3, 0, "per_pass", 4)
    assert [(layer.name, layer.kind, layer.rate) for layer in manifest.origin.stochastic_layers] == [
        ("dropped", "Dropout", 0.5)
    ]
    assert run.class_names == ("a", "b", "c", "d")
    assert manifest.about == {"source": "random", "licence": "none"}
    assert manifest.created["versions"]["keras"] == keras.__version__
    assert set(manifest.created) == {"started", "finished", "versions"}
    assert (manifest.images.lowest, manifest.images.highest) == (data.images.min(), data.images.max())
    assert manifest.model.name == "small"


def test_a_run_of_a_product_that_is_missing_is_opened_and_not_gone_on_with(
    tmp_path: Path, network: FakeNetwork, data: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = sample_run(Sampler(network, product="subset_sums"), data, tmp_path / "run", passes=3)
    sampler = Sampler(network)
    monkeypatch.setattr("mcviz.sampling.sampler.subset_sums_error", lambda: "No module named 'numba'")
    assert sample_run(sampler, data, tmp_path / "run", passes=3).digest == run.digest
    before = contents(tmp_path / "run")
    with pytest.raises(MissingPackageError, match=r"sums of subsets, which need numba.*No module named 'numba'"):
        sample_run(sampler, data, tmp_path / "run", passes=5)
    assert contents(tmp_path / "run") == before


WAYS = {  # of making the passes, by hand; the first of each network is what the sampler takes by itself
    "compiled": [{"compiler": "xla"}, {"compiler": "none"}],
    "convolved": [{"product": "channel_sums"}, {"product": "matmul"}],
    "dense": [{"product": "subset_sums"}, {"product": "matmul"}],
}


def network_of(kind: str) -> keras.Model:
    keras.utils.set_random_seed(3)
    layers = keras.layers
    stack = {
        "compiled": (keras.Input((6,)), layers.GaussianNoise(0.3), layers.Dense(8, activation="relu")),
        "convolved": (keras.Input((6, 4)), layers.SpatialDropout1D(0.3), layers.Conv1D(5, 3), layers.Flatten()),
        "dense": (keras.Input((6,)), layers.Dropout(0.3), layers.Dense(8, activation="relu")),
    }[kind]
    return keras.Sequential([*stack, layers.Dense(3, activation="softmax")])


@pytest.mark.parametrize(("kind", "own"), only([("dense", 0)], product(WAYS, (0, 1))))
def test_a_run_is_gone_on_with_in_its_own_way_and_in_no_other(tmp_path: Path, kind: str, own: int) -> None:
    model = network_of(kind)
    rows = np.random.default_rng(0).standard_normal((21, *model.input_shape[1:]), dtype=np.float32)
    asked = Sampler(model, **WAYS[kind][own])
    whole = sample_run(asked, rows, tmp_path / "whole", passes=9)
    ((setting, value),) = WAYS[kind][own].items()
    assert getattr(whole.manifest.origin, setting) == (None if value == "none" else value)
    with pytest.raises(Stop):
        sample_run(asked, rows, tmp_path / "run", passes=7, progress=stop_after(0.5))
    sample_run(model, rows, tmp_path / "run", passes=7)
    grown = sample_run(Sampler(model), rows, tmp_path / "run", passes=9)
    assert numbers(grown) == numbers(whole)
    assert grown.digest == whole.digest
    assert getattr(Sampler.for_run(model, whole), setting) == value
    two_ways = r"differs in: origin \(.*('matmul'|'xla')"
    with pytest.raises(RunExistsError, match=two_ways):
        sample_run(Sampler(model, **WAYS[kind][1 - own]), rows, tmp_path / "run", passes=11)


def test_a_compiled_run_is_opened_and_not_gone_on_with_where_there_is_no_xla(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, rows = network_of("compiled"), np.ones((4, 6), np.float32)
    run = sample_run(model, rows, tmp_path / "run", passes=3)
    for module in ("network", "tracing"):
        monkeypatch.setattr(f"mcviz.sampling.keras.{module}.xla_error", lambda: "no platform")
    assert sample_run(Sampler(model), rows, tmp_path / "run", passes=3).digest == run.digest
    assert Sampler.for_run(model, run).compiler == "none"
    before = contents(tmp_path / "run")
    with pytest.raises(MissingPackageError, match=r"compiled by XLA, which this TensorFlow does not have: no platform"):
        sample_run(Sampler(model), rows, tmp_path / "run", passes=5)
    assert contents(tmp_path / "run") == before


@pytest.mark.parametrize("share", one_in(3, [0, 0.02, 0.1, 0.3, 0.9]))
def test_in_stages_it_is_the_run_that_was_sampled_in_one_go_wherever_it_is_stopped(
    tmp_path: Path, network: FakeNetwork, data: DataSet, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr(run_sampling.SamplerSource, "passes_at_once", 3)
    counts: list[tuple[int, int]] = []
    known = np.zeros(21, int)
    seen: dict[int, np.ndarray] = {}

    def look(manifest, start, summary) -> None:
        rows = slice(start, start + len(summary.columns["prediction"]))
        assert (known[rows] <= manifest.passes).all()
        known[rows] = manifest.passes
        if (known == manifest.passes).all():
            seen[manifest.passes] = known.copy()

    def progress(done: int, total: int) -> None:
        counts.append((done, total))

    out = tmp_path / "run"
    if share:
        with pytest.raises(Stop):
            sample_run(network, data, out, passes=30, seed=3, in_stages=True, progress=stop_after(share))
    run = sample_run(network, data, out, passes=30, seed=3, in_stages=True, progress=progress, seen=look)
    sample_run(network, data, tmp_path / "whole", passes=30, seed=3)
    assert contents(out) == contents(tmp_path / "whole")
    assert run.passes == 30
    assert max(seen) == 30
    if not share:
        assert list(seen) == [3, 12, 30]
    done = [each for each, _ in counts]
    assert done == sorted(done)
    assert counts[-1] == (21 * 30, 21 * 30)


def test_a_model_is_the_same_in_memory_saved_and_loaded(tmp_path: Path, keras_network: keras.Model) -> None:
    keras_network.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert model_digest(loaded) == model_digest(keras_network)
    loaded.compile("adam", "categorical_crossentropy")
    assert model_digest(loaded) == model_digest(keras_network)
    assert model_digest(dropout_network((6, 5, 1), hidden=16, seed=1)) != model_digest(keras_network)
    assert model_digest(dropout_network((6, 5, 1), hidden=16, rate=0.25)) != model_digest(keras_network)
    loaded.layers[-1].bias.assign_add([0, 0, 0, 1e-7])
    assert model_digest(loaded) != model_digest(keras_network)


def test_sampling_does_not_change_what_a_model_is(tmp_path: Path, keras_network: keras.Model, data: DataSet) -> None:
    before = model_digest(keras_network)
    sample_run(keras_network, data, tmp_path / "run", passes=3)
    keras_network.predict(as_model_input(data.images), verbose=0)
    assert model_digest(keras_network) == before
    assert sample_run(keras_network, data, tmp_path / "run", passes=3).manifest.model.sha256 == before


def test_the_kept_model_has_no_optimizer_and_gives_the_same_passes(tmp_path: Path, data: DataSet) -> None:
    network = dropout_network((6, 5, 1), hidden=16)
    network.compile("adam", "sparse_categorical_crossentropy")
    network.fit(as_model_input(data.images), data.labels, verbose=0)
    run = sample_run(network, data, tmp_path / "run", passes=5)
    kept = keras.saving.load_model(run.model_path)
    assert getattr(kept, "optimizer", None) is None
    assert network.optimizer is not None
    assert model_digest(kept) == model_digest(network)
    inputs = as_model_input(data.images)
    np.testing.assert_array_equal(Sampler(kept).sample(inputs, passes=5), Sampler(network).sample(inputs, passes=5))


def test_another_model_or_other_images_are_another_run(tmp_path: Path, network: FakeNetwork, data: DataSet) -> None:
    sample_run(network, data, tmp_path / "run", passes=3)
    images = data.images.copy()
    images[20, 5, 4, 0] ^= 1
    for model, other, what in (
        (FakeNetwork(make_arrays(factored=True, seed=1)), data, "model"),
        (network, DataSet(images, data.labels), "examples"),
        (network, DataSet(data.images, (data.labels + 1) % 4), "labels"),
        (network, DataSet(as_model_input(data.images), data.labels), "examples"),
    ):
        with pytest.raises(RunExistsError, match=f"differs in: {what}"):
            sample_run(model, other, tmp_path / "run", passes=3)


def test_another_run_is_refused_before_the_examples_are_described(
    tmp_path: Path, network: FakeNetwork, data: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample_run(network, data, tmp_path / "run", passes=3)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    monkeypatch.setattr(run_sampling, "describe_images", None)  # to describe them would fail
    with pytest.raises(RunExistsError, match="differs in: model"):
        sample_run(FakeNetwork(make_arrays(factored=True, seed=1)), data, tmp_path / "run", passes=3)
    with pytest.raises(RunExistsError, match=r"differs in: masks .*, seed"):
        sample_run(network, data, tmp_path / "run", passes=3, seed=1, masks="per_example")
    with pytest.raises(RunExistsError, match=r"differs in: passes \(3 there, 2 asked for\)"):
        sample_run(network, data, tmp_path / "run", passes=2)
    with pytest.raises(RunExistsError, match=r"holds notes\.txt but no run"):
        sample_run(network, data, tmp_path / "other", passes=3)


def test_labels_may_be_any_sequence(tmp_path: Path, network: FakeNetwork, data: DataSet) -> None:
    for labels in (data.labels.tolist(), tuple(data.labels.tolist()), data.labels.astype(np.uint8)):
        run = sample_run(network, DataSet(data.images, labels), tmp_path / "run", passes=3)
        np.testing.assert_array_equal(run.labels, data.labels)


def test_images_alone_from_memory_or_a_file(tmp_path: Path, network: FakeNetwork, data: DataSet) -> None:
    floats = as_model_input(data.images)
    run = sample_run(network, floats, tmp_path / "alone", passes=3, keep_images=False, keep_model=False)
    assert run.labels is None
    assert run.model_path is None
    assert run.manifest.images.dtype == "float32"
    np.savez(tmp_path / "data.npz", images=data.images, labels=data.labels)
    from_file = sample_run(network, tmp_path / "data.npz", tmp_path / "file", passes=3)
    np.testing.assert_array_equal(from_file.probs_block(0, 21), run.probs_block(0, 21))
    np.testing.assert_array_equal(from_file.labels, data.labels)


def test_a_float_run_and_a_uint8_run_are_asked_the_same(tmp_path: Path, network: FakeNetwork, data: DataSet) -> None:
    bytes_ = sample_run(network, data, tmp_path / "bytes", passes=3)
    floats = sample_run(network, DataSet(as_model_input(data.images), data.labels), tmp_path / "floats", passes=3)
    np.testing.assert_array_equal(bytes_.probs_block(0, 21), floats.probs_block(0, 21))
    assert bytes_.digest != floats.digest


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"passes": 0}, r"`passes` should be a whole number of at least 1\. Received: 0"),
        ({"passes": 2.0}, r"`passes` should be a whole number of at least 1\. Received: 2\.0"),
        ({"passes": 10**9}, "1000000000 passes of 4 numbers are too many"),
        ({"seed": -1}, r"`seed` should be a whole number of at least 0\. Received: -1"),
        ({"masks": "both"}, "`masks` should be 'per_pass' or 'per_example'. Received: 'both'"),
        (
            {"class_names": ["a", "b"]},
            r"`class_names` should be names of 4 classes at least, by the labels\. Received: 2",
        ),
        ({"class_names": ["a", "b", "b", "c"]}, r"`class_names` should be different names\. Received: a, b, b, c"),
    ],
)
def test_arguments_that_cannot_be_used(
    tmp_path: Path, network: FakeNetwork, data: DataSet, arguments: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        sample_run(network, data, tmp_path / "run", **{"passes": 3, **arguments})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda data: data.images.astype(object), r"uint8 or floating point\. Received: dtype object"),
        (lambda data: data.images.astype(np.int64) * 2, "whole numbers of 0 to 255, or floating"),
        (lambda data: data.images.reshape(21, 30), r"shape \(N, 6, 5, 1\)\. Received: 30 columns: x0, x1"),
        (lambda data: data.images[:0], r"with no axis empty\. Received: shape \(0, 6, 5, 1\)"),
        (
            lambda data: data.images[:, :4],
            r"shape that the model takes, \(N, 6, 5, 1\)\. Received: shape \(21, 4, 5, 1\)",
        ),
        (lambda data: data.images / np.float32(0), r"finite\. Received: NaN or infinite"),
        (
            lambda data: DataSet(data.images, data.labels[:-1]),
            r"`labels` should be 21 class indices, one an example\. Received: shape \(20,\)",
        ),
        (
            lambda data: DataSet(data.images, [1.5] * 21),
            r"21 class indices, texts or one-hot rows\. Received: fractions",
        ),
        (lambda data: DataSet(data.images, [[1], [1, 2]]), r"21 class indices, one an example\. Received: \[\[1\]"),
        (lambda data: DataSet(data.images, data.labels + 4), r"class indices from 0 to 3\. Received: 7"),
        (lambda data: DataSet(data.images, data.labels - 1), r"class indices from 0 upwards\. Received: -1"),
    ],
)
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value)")
def test_data_that_cannot_be_used(tmp_path: Path, network: FakeNetwork, data: DataSet, spoil, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        sample_run(network, spoil(data), tmp_path / "run", passes=3)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there(tmp_path: Path, keras_network: keras.Model, data: DataSet) -> None:
    with pytest.raises(DataNotFoundError, match=r"no\.keras"):
        sample_run(tmp_path / "no.keras", data, tmp_path / "run")
    with pytest.raises(DataNotFoundError, match=r"no\.npz"):
        sample_run(keras_network, tmp_path / "no.npz", tmp_path / "run")
    with pytest.raises(UnsuitableModelError, match="rate of every stochastic layer is 0"):
        sample_run(dropout_network((6, 5, 1), rate=0.0), data, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_memory_address(network: FakeNetwork, data: DataSet, tmp_path: Path) -> None:
    address = f"memory://{tmp_path.name}/run"
    sample_run(network, data, address, passes=3)
    assert open_run(address).probs(20).shape == (3, 4)


def test_memory_stays_flat_while_blocks_finish(tmp_path: Path, network: FakeNetwork) -> None:
    """The most that is allocated at once is the same for three times the blocks, but for what grows with the images."""
    import tracemalloc

    def peak(blocks: int, attempt: int) -> int:
        images = np.zeros((8 * blocks, 6, 5, 1), np.uint8)
        tracemalloc.start()
        sample_run(network, images, tmp_path / f"run-{blocks}-{attempt}", passes=1000)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    sample_run(network, np.zeros((8, 6, 5, 1), np.uint8), tmp_path / "warm", passes=1000)
    # Threads may hold more or less at once, by chance; the least of some attempts grows only with the blocks.
    least = min(peak(4, attempt) for attempt in range(3))
    assert any(peak(12, attempt) < 1.2 * least for attempt in range(3))
