"""A model file runs no code, reads no other file, and takes no more memory and time than it has a right to."""

import copy
import inspect
import json
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from mcviz import Sampler, load_model, sample
from mcviz.errors import UnsuitableModelError
from mcviz.sampling.keras.model_files import (
    KNOWN_ACTIVATIONS,
    KNOWN_CLASSES,
    LAYERS_WITH_VOCABULARY,
    VOCABULARY_FILE,
    check_architecture,
    write_model_file,
)
from mcviz.sampling.keras.network import model_digest
from mcviz.sampling.keras.texts import vocabularies
from mcviz.sampling.run_sampling import sample_run
from tests.cases import one_in, only
from tests.sampling.keras import hostile
from tests.sampling.keras.zoo import MODELS, SOME_MODELS, image_model, images_for, make, sequential

layers = keras.layers
SOME_APPLICATIONS = ["MobileNetV3Small", "ConvNeXtTiny", "EfficientNetV2B0"]
FAMILIES = [
    "ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "EfficientNetV2B0", "EfficientNetV2S", "InceptionResNetV2",
    "InceptionV3", "MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small", "NASNetMobile", "ResNet50",
    "ResNet50V2", "VGG16", "VGG19", "Xception",
]  # fmt: skip
ON_THE_LIST = sorted((module, name) for module, names in KNOWN_CLASSES.items() for name in names)
TAKES_CODE_OR_A_PATH = {"fn", "func", "function", "callable", "module", "filepath", "path", "vocabulary", "call_fn"}


def refusal(path: Path) -> str:
    with pytest.raises(UnsuitableModelError) as refused:
        load_model(path)
    message = str(refused.value)
    assert str(path) in message
    assert message.isprintable()
    return message


def applications() -> dict[str, Callable[..., keras.Model]]:
    return {n: f for n, f in vars(keras.applications).items() if inspect.isfunction(f) and n[0].isupper()}


@contextmanager
def resolved_by_keras() -> Iterator[list[Any]]:
    """All that Keras looks up by name within the block."""
    library, resolved = keras.src.saving.serialization_lib, []
    look_up = library._retrieve_class_or_fn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            library, "_retrieve_class_or_fn", lambda *a, **k: resolved.append(look_up(*a, **k)) or resolved[-1]
        )
        yield resolved


@cache
def known_objects() -> set[Any]:
    """What Keras itself has under the names of the list."""
    classes = {getattr(import_module(module), name) for module, name in ON_THE_LIST}
    return classes | {getattr(keras.activations, name) for name in KNOWN_ACTIVATIONS}


# What is refused


@pytest.mark.attack
@pytest.mark.parametrize("name", one_in(3, hostile.HOSTILE))
def test_what_could_run_code_or_read_files_is_refused_and_nothing_ran(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hostile.HOSTILE[name](tmp_path)
    monkeypatch.chdir(tmp_path)
    refusal(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "TFSMLayer",
            r"Received: the class 'TFSMLayer' of 'keras\.layers'\. If you trust who made it, .* --trust-model",
        ),
        ("Lambda", r"A Lambda layer is Python code.* Make it a layer class of your own\. .* register it with @keras"),
        ("package in the working directory", r"'Backbone' is none of Keras's\. Received: 'keras_hub'"),
        ("function of builtins", r"Received: the function 'eval' of 'builtins'"),
        ("vocabulary from a file", r"Received: a StringLookup layer with a vocabulary that is no list.*'/etc/passwd'"),
        ("a text layer without words", r"needs words, each of them once\. Received: none that can be used for words"),
        ("weights in another file", r"Received: a link to elsewhere in model\.weights\.h5"),
        ("a file beside the model's own", r"and nothing else\. Received: 'assets/vocabulary\.txt"),
    ],
)
def test_it_is_refused_by_name(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UnsuitableModelError, match=message):
        load_model(hostile.HOSTILE[name](tmp_path))


def test_these_files_do_run_code_where_nobody_checks_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = tmp_path / "ran"
    keras.saving.load_model(hostile.lambda_of_tfsm_layer(tmp_path), compile=False, safe_mode=True)
    assert ran.exists()
    ran.unlink()
    path = hostile.package(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises((TypeError, ValueError)):
        keras.saving.load_model(path, compile=False, safe_mode=True)
    assert ran.exists()
    sys.modules.pop("keras_hub")


def public_names() -> list[tuple[str, str]]:
    """All that Keras exports, as (module, name)."""
    modules, names, waiting = set(), set(), [keras]
    while waiting:
        module = waiting.pop()
        modules.add(module)
        for name, value in vars(module).items():
            if inspect.ismodule(value) and value.__name__.startswith("keras.") and value not in modules:
                waiting.append(value)
            elif callable(value) and not name.startswith("_") and ".src" not in module.__name__:
                place = module.__name__.replace("keras._tf_keras.", "").replace("keras.api", "keras")
                names |= {(place, name), (value.__module__, name)}
    return sorted((place, name) for place, name in names if place)


def test_of_all_that_keras_has_only_what_is_on_the_list_can_be_named() -> None:
    names = public_names()
    assert len(names) > 1000
    for module, name in names:
        known = name in KNOWN_CLASSES.get(module, ())
        for registered in (None, name):
            layer = {"module": module, "class_name": name, "config": {}, "registered_name": registered}
            assert known == accepted({**layer, "config": {"name": "x"}}), (module, name)
            activation = {**layer, "class_name": "function", "config": name}
            assert accepted(activation) == (module in ("keras.activations", "builtins") and name in KNOWN_ACTIVATIONS)
        if not known:
            assert not accepted({"class_name": name, "config": {}})
            hidden = {
                "module": "keras.layers",
                "class_name": "Dense",
                "config": {},
                "registered_name": f"{module}>{name}",
            }
            assert not accepted(hidden)


def accepted(config: Any) -> bool:
    try:
        check_architecture(copy.deepcopy(config))
    except UnsuitableModelError:
        return False
    return True


def test_the_list_has_only_what_builds_a_graph_of_numbers() -> None:
    bases = (
        keras.Operation, keras.initializers.Initializer, keras.regularizers.Regularizer, keras.constraints.Constraint,
        keras.DTypePolicy,
    )  # fmt: skip
    for known in known_objects():
        if inspect.isclass(known):
            assert issubclass(known, bases), known
            checked = {"vocabulary"} if known.__name__ in LAYERS_WITH_VOCABULARY else set()
            assert not TAKES_CODE_OR_A_PATH & set(inspect.signature(known.__init__).parameters) - checked, known


NAMES = (
    st.sampled_from(public_names())
    | st.sampled_from(ON_THE_LIST)
    | st.tuples(
        st.sampled_from(["keras", "keras.layers", "builtins", "os", "keras_hub", "", None]), st.text(max_size=8)
    )
    | st.tuples(st.sampled_from(["builtins", "keras.activations", "os"]), st.sampled_from(sorted(KNOWN_ACTIVATIONS)))
)


def objects_in(config: Any) -> list[dict[str, Any]]:
    inner = config.values() if isinstance(config, dict) else config if isinstance(config, list) else ()
    own = [config] if isinstance(config, dict) and "class_name" in config else []
    return own + [found for each in inner for found in objects_in(each)]


@pytest.fixture(scope="module")
def honest_config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return hostile.config_of(hostile.honest_functional(tmp_path_factory.mktemp("honest")))


@pytest.mark.slow
@settings(max_examples=150)
@given(data=st.data())
def test_whatever_name_is_put_into_a_file_keras_finds_nothing_that_is_not_on_the_list(
    honest_config: dict[str, Any], data: st.DataObject
) -> None:
    config, known = copy.deepcopy(honest_config), known_objects()
    for _ in range(data.draw(st.integers(1, 3))):
        changed = data.draw(st.sampled_from(objects_in(config)))
        module, name = data.draw(NAMES)
        function = {"class_name": "function", "config": name, "module": module}
        changes = [
            {"class_name": name},
            {"module": module, "class_name": name},
            {"registered_name": name},
            function,
            {"activation": {**function, "registered_name": name}},
        ]
        changed.update(data.draw(st.sampled_from(changes)))
    if not accepted(config):
        return
    with resolved_by_keras() as resolved, suppress(Exception):  # it need not be a model
        keras.saving.deserialize_keras_object(config, safe_mode=True)
    assert set(resolved) <= known


# Memory and time


@pytest.mark.attack
@pytest.mark.parametrize("name", one_in(4, hostile.BOMBS))
def test_what_would_take_all_memory_or_time_is_refused_before_it_does(name: str, tmp_path: Path) -> None:
    path = hostile.BOMBS[name](tmp_path)
    before, started = peak_memory(), time.perf_counter()
    refusal(path)
    assert peak_memory() - before < 300 << 20
    assert time.perf_counter() - started < 5


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def test_activations_that_would_take_all_memory_are_refused_before_they_do() -> None:
    model = sequential(
        (4,), layers.Dropout(0.5), layers.RepeatVector(10**9), layers.GlobalMaxPooling1D(), layers.Dense(3)
    )
    before = peak_memory()
    with pytest.raises(UnsuitableModelError, match=r"more memory than mcviz gives one example\. Received: 14\.9 GB"):
        Sampler(model)
    assert peak_memory() - before < 300 << 20


@pytest.mark.attack
def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    assert "is no regular file" in refusal(hostile.named_pipe(tmp_path))
    assert "is no regular file" in refusal(Path("/dev/zero"))
    assert "that is a folder" in refusal(tmp_path)


def test_hdf5_is_refused_with_the_two_lines_that_convert_it(tmp_path: Path) -> None:
    model, path = make("Dropout"), tmp_path / "model.h5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("absl.logging.warning", lambda _: None)  # that HDF5 is of old
        model.save(path)
    message = refusal(path)
    namespace = {"keras": keras}
    exec(
        message.split("that you trust: ")[1].split(" The file is")[0].replace("NAME", str(tmp_path / "model")),
        namespace,
    )
    assert model_digest(load_model(tmp_path / "model.keras")) == model_digest(model)


# What is as it should be


@pytest.mark.slow
def test_a_model_of_a_hundred_layers_is_accepted(tmp_path: Path) -> None:
    assert len(load_model(hostile.deep(tmp_path, 100)).layers) == 103


@pytest.mark.parametrize("name", only(SOME_MODELS, MODELS))
def test_every_model_of_the_tests_is_accepted(name: str, tmp_path: Path) -> None:
    model = make(name)
    (tmp_path / "model.keras").write_bytes(write_model_file(model, tmp_path))
    if name == "subclassed, no graph":  # Keras builds it when it is called
        with pytest.warns(UserWarning, match="cannot be built automatically"):
            load_model(tmp_path / "model.keras")
    else:
        assert model_digest(load_model(tmp_path / "model.keras")) == model_digest(model)


def adapted(layer: keras.Layer, words: Any) -> keras.Layer:
    layer.adapt(words)
    return layer


def of_words(layer: keras.Layer, item: tuple[int, ...] = (1,), dtype: str = "string") -> keras.Model:
    return sequential(item, layer, layers.Dropout(0.5), layers.Dense(3, activation="softmax"), dtype=dtype)


WITH_VOCABULARY: dict[str, Callable[[], keras.Model]] = {
    "adapted text layer": lambda: of_words(adapted(layers.TextVectorization(output_mode="multi_hot"), ["b a", "a"])),
    "adapted weights": lambda: of_words(
        adapted(layers.TextVectorization(output_mode="tf_idf", ngrams=2), ["b a", "a"])
    ),
    "inline words": lambda: of_words(layers.TextVectorization(vocabulary=["é", "a"], output_sequence_length=3)),
    "inline weights": lambda: of_words(
        layers.TextVectorization(vocabulary=["b", "a"], output_mode="tf_idf", idf_weights=[1.0, 2.5], standardize=None)
    ),
    "adapted StringLookup": lambda: of_words(adapted(layers.StringLookup(output_mode="one_hot"), ["b", "é", "b"])),
    "inline StringLookup": lambda: of_words(
        layers.StringLookup(vocabulary=["a", "a b"], num_oov_indices=2, mask_token="", output_mode="multi_hot")
    ),
    "adapted IntegerLookup": lambda: of_words(
        adapted(layers.IntegerLookup(output_mode="multi_hot"), [7, 7, 3]), (2,), "int64"
    ),
    "inline IntegerLookup": lambda: of_words(
        layers.IntegerLookup(vocabulary=[7, 3], output_mode="multi_hot"), (2,), "int64"
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "nested"), one_in(8, [(name, nested) for name in WITH_VOCABULARY for nested in (False, True)])
)
def test_layers_with_a_vocabulary_are_accepted_and_know_the_same_words(name: str, nested: bool, tmp_path: Path) -> None:
    model = WITH_VOCABULARY[name]()
    if nested:
        outer = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype)
        model = keras.Model(outer, keras.Sequential([keras.Input(outer.shape[1:], dtype=outer.dtype), model])(outer))
    model.save(tmp_path / "keras.keras")
    (tmp_path / "ours.keras").write_bytes(write_model_file(model, tmp_path))
    for file in ("keras.keras", "ours.keras"):
        loaded = load_model(tmp_path / file)
        assert list(vocabularies(loaded)) == list(vocabularies(model)) != []
        assert model_digest(loaded) == model_digest(model)


def test_the_digest_of_a_model_is_of_its_words_too_and_of_others_only_what_it_was() -> None:
    def of(words: list[str], mode: str = "multi_hot") -> str:
        keras.utils.set_random_seed(1)
        keras.backend.clear_session()
        return model_digest(of_words(adapted(layers.TextVectorization(output_mode=mode), words)))

    digest = of(["a b", "b"])
    assert of(["a b", "b"]) == digest
    assert of(["a c", "c"]) != digest
    assert of(["a b", "a"]) != digest  # in another order
    assert of(["a b", "b"], "tf_idf") != of(["a b", "b", "b", "b"], "tf_idf")  # of other weights
    assert list(vocabularies(make("nested models"))) == []


def test_a_word_that_keras_would_read_back_as_two_is_refused_where_it_would_stand_in_a_file(tmp_path: Path) -> None:
    word = "a\N{LINE SEPARATOR}b"
    with pytest.raises(ValueError, match=r"^the word 'a\\u2028b' of its vocabulary has a line break in it$"):
        write_model_file(of_words(adapted(layers.StringLookup(output_mode="one_hot"), ["c", word])), tmp_path)
    model = of_words(layers.StringLookup(vocabulary=["c", word], output_mode="one_hot"))
    (tmp_path / "model.keras").write_bytes(write_model_file(model, tmp_path))
    assert model_digest(load_model(tmp_path / "model.keras")) == model_digest(model)


@settings(max_examples=300)
@given(
    parts=st.lists(
        st.sampled_from(["assets", "layers", "..", ".", "", "C:", "~", "a\\b", "vocabulary.txt"]), max_size=6
    ),
    separator=st.sampled_from(["/", "\\", "//"]),
)
def test_no_name_of_a_vocabulary_leads_out_of_the_folder(parts: list[str], separator: str) -> None:
    name = separator.join(["assets", *parts, "vocabulary.txt"])
    if VOCABULARY_FILE.fullmatch(name):
        for kind in (PurePosixPath, PureWindowsPath):
            assert kind(name).parts == tuple(name.split("/"))
            assert not {"..", "."} & set(kind(name).parts)
            assert not kind(name).is_absolute()


@pytest.mark.slow
@pytest.mark.parametrize("name", SOME_APPLICATIONS)
def test_some_networks_of_keras_are_accepted(name: str, tmp_path: Path) -> None:
    model = applications()[name](weights=None)
    model.save(tmp_path / "model.keras")
    with resolved_by_keras() as resolved:
        assert load_model(tmp_path / "model.keras").count_params() == model.count_params()
    assert set(resolved) <= known_objects()


def test_a_network_of_every_family_of_keras_is_looked_at() -> None:
    """Those of a family are made by one function, and differ in their sizes."""
    families = {function.__module__ for function in applications().values()}
    assert {applications()[name].__module__ for name in FAMILIES} == families


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_networks_of_keras_have_nothing_that_is_not_on_the_list(name: str) -> None:
    with keras.StatelessScope(initialize_variables=False):  # a graph without its weights, which may be gigabytes
        config = keras.saving.serialize_keras_object(applications()[name](weights=None))
    keras.utils.clear_session()  # or Keras makes the weights, of all the networks, when it is next asked for any
    check_architecture(json.loads(json.dumps(config)))


def test_activations_regularizers_policies_and_graphs_of_operations_are_accepted(tmp_path: Path) -> None:
    image = keras.Input((4, 4, 3))
    hidden = keras.ops.relu(image[:, ::2, ..., 1:]) + keras.ops.ones((1,))
    hidden = layers.Dropout(0.5)(layers.Activation(keras.activations.gelu)(keras.ops.reshape(hidden, (-1, 16)) * 2.5))
    dense = layers.Dense(
        3, keras.activations.softmax, kernel_regularizer=keras.regularizers.L2(0.1), bias_constraint="non_neg"
    )
    model = keras.Model(image, dense(layers.Dense(4, dtype="mixed_bfloat16")(hidden)))
    model.save(tmp_path / "model.keras")
    assert model_digest(load_model(tmp_path / "model.keras")) == model_digest(model)


def test_a_compiled_model_inside_another_is_loaded_without_what_it_was_trained_with(tmp_path: Path) -> None:
    inner = image_model(layers.Dropout(0.5))
    inner.compile("adam", "mse", metrics=["accuracy"])
    model = keras.Sequential([keras.Input((6, 6, 2)), inner])
    model.compile("adam", "mse")
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert not loaded.compiled
    assert not loaded.layers[0].compiled


def test_what_a_model_inside_another_is_to_be_compiled_with_is_not_looked_at(tmp_path: Path) -> None:
    with resolved_by_keras() as resolved:
        load_model(hostile.nested_compile_config(tmp_path))
    assert set(resolved) <= known_objects()
    assert not (tmp_path / "ran").exists()


def test_names_of_an_older_keras_are_accepted(tmp_path: Path) -> None:
    model, path = make("LSTM"), tmp_path / "model.keras"
    model.save(path)
    config = json.dumps(hostile.config_of(path))
    assert '"Orthogonal"' in config
    hostile.with_config(path, json.loads(config.replace('"Orthogonal"', '"OrthogonalInitializer"')))
    assert model_digest(load_model(path)) == model_digest(model)


def test_classes_of_one_s_own_count_where_they_are_registered(tmp_path: Path) -> None:
    class Own(layers.Dropout):
        pass

    sequential((4,), Own(0.5), layers.Dense(3)).save(tmp_path / "model.keras")
    assert "'Own' is none of Keras's" in refusal(tmp_path / "model.keras")
    with keras.saving.custom_object_scope({"Own": Own}):
        assert type(load_model(tmp_path / "model.keras").layers[0]) is Own


def test_the_working_directory_is_off_the_path_of_imports_while_a_model_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    class Looks(layers.Dropout):
        def __init__(self, *args, **options) -> None:
            super().__init__(*args, **options)
            seen.append(sys.path.copy())

    sequential((4,), Looks(0.5), layers.Dense(3)).save(tmp_path / "model.keras")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", ".", str(tmp_path), *sys.path])
    before = sys.path.copy()
    with keras.saving.custom_object_scope({"Looks": Looks}):
        load_model("model.keras")
    assert not {"", ".", str(tmp_path)} & set(seen[-1])
    assert sys.path == before


def test_a_model_that_is_trusted_is_loaded_as_keras_does(tmp_path: Path) -> None:
    path = hostile.lambda_layer(tmp_path)
    assert isinstance(load_model(path, trust=True).layers[0], layers.Lambda)
    assert (tmp_path / "ran").exists()
    with pytest.raises(UnsuitableModelError, match="no regular file"):
        load_model("/dev/zero", trust=True)


def test_a_model_in_memory_is_the_caller_s_own_and_its_run_is_checked_when_it_is_opened(tmp_path: Path) -> None:
    model = sequential(
        (4, 4, 1), layers.Flatten(), layers.Lambda(lambda x: 2 * x), layers.Dropout(0.5), layers.Dense(3)
    )
    model.compile("adam", "mse")
    run = sample_run(model, hostile.numbers_for(5), tmp_path / "run", passes=3)
    assert "A Lambda layer is Python code" in refusal(Path(run.model_path))


# The same bytes


@pytest.mark.slow
def test_a_model_is_written_in_the_same_bytes_whenever_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make("nested models")
    once = write_model_file(model, tmp_path)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images_for(model, 4), np.zeros(4), epochs=1, verbose=0)
    trained = write_model_file(model, tmp_path)
    assert len(trained) == len(once)  # the weights are others, the optimizer's are not there
    (tmp_path / "model.keras").write_bytes(trained)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert write_model_file(model, tmp_path) == trained
    again = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(images_for(model, 4)), model(images_for(model, 4)))


def test_a_model_of_texts_is_written_in_the_same_bytes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make("LSTM on texts")
    once = write_model_file(model, tmp_path)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert write_model_file(model, tmp_path) == once
    (tmp_path / "model.keras").write_bytes(once)
    texts = tf.constant(images_for(model, 4)[:, 0])
    np.testing.assert_array_equal(load_model(tmp_path / "model.keras")(texts), model(texts))


def test_two_runs_of_one_model_hold_the_same_file(tmp_path: Path) -> None:
    path = hostile.honest(tmp_path)
    runs = [sample_run(path, hostile.numbers_for(5), tmp_path / name, passes=3) for name in ("one", "other")]
    assert Path(runs[0].model_path).read_bytes() == Path(runs[1].model_path).read_bytes()


# Models that fail


class Fails(keras.Model):
    """A model that raises when it is run on what it was not made for."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error, self.dropout, self.dense = error, layers.Dropout(0.5), layers.Dense(3)

    def call(self, inputs, training=False):
        if inputs.shape[1] == 5:
            raise self.error
        return self.dense(self.dropout(keras.ops.mean(inputs, axis=1), training=training))

    def get_build_config(self):
        return None  # so that it says of no size what it takes


@pytest.mark.parametrize(
    "error",
    one_in(
        3,
        [
            ValueError("a\nb"),
            TypeError(),
            RuntimeError("x" * 10_000),
            KeyError("\x1b[2J"),
            AttributeError("a"),
            IndexError(),
        ],
    ),
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_model_raises_is_told_in_one_line(error: Exception) -> None:
    model = Fails(error)
    model(np.zeros((1, 4, 2), np.float32))
    sample(model, np.zeros((2, 4, 2), np.float32), passes=2)
    with pytest.raises(UnsuitableModelError, match=r"^The model fails on these examples\. Received: ") as refused:
        sample(model, np.zeros((2, 5, 2), np.float32), passes=2)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    "run", one_in(2, [lambda s, x: s.sample(x, passes=2), lambda s, x: s.deterministic(x)]), ids=["sample", "off"]
)
def test_examples_that_a_model_cannot_take_are_told_in_one_line(run: Callable[[Sampler, np.ndarray], Any]) -> None:
    model = sequential(
        (4,), layers.Embedding(11, 5), layers.Dropout(0.5), layers.Flatten(), layers.Dense(3), dtype="int32"
    )
    sampler = Sampler(model)
    run(sampler, np.full((2, 4), 10, np.int32))
    with pytest.raises(UnsuitableModelError, match=r"^The model fails on these examples\. Received: .*indices"):
        run(sampler, np.full((2, 4), 200, np.int32))


@pytest.mark.parametrize(
    ("name", "place"),
    one_in(
        12,
        [
            (name, place)
            for name in ("a b", "naïve", "a:b", "^", "\N{SNOWMAN}", "%s{}", "-x", "_x", "x" * 150, "a.b>c", "0")
            for place in ("model", "layer", "layer in a layer")
        ],
    ),
)
def test_a_name_is_refused_before_keras_fails_on_it_just_where_it_would(name: str, place: str) -> None:
    dense = layers.Dense(4, name=name if "layer" in place else None)
    hidden = layers.TimeDistributed(dense) if place == "layer in a layer" else dense
    stack = [keras.Input((2, 4), name="any name"), hidden, layers.Dropout(0.5), layers.Flatten(), layers.Dense(3)]
    model = keras.Sequential(stack, name=name if place == "model" else None)
    plain = re.fullmatch(r"[\w.>-]*", name, re.ASCII)
    if plain and (place != "model" or name[0] not in "-_>"):
        assert sample(model, np.ones((2, 2, 4), np.float32), passes=2).shape == (2, 2, 3)
        return
    with pytest.raises(
        UnsuitableModelError, match=r"^The name of a layer or model should be of .*Received: '.*'\. Rename"
    ):
        Sampler(model)
    assert layers.Dense(1, name="later").name == "later"
    assert keras.Variable(0.0, name="later").path == "later"


def test_the_messages_of_json_stay_in_one_line(tmp_path: Path) -> None:
    path = hostile.honest(tmp_path)
    hostile.written(
        path, {**hostile.members(path), "config.json": json.dumps({"class_name": "\n\x1b", "config": {}}).encode()}
    )
    refusal(path)
