"""Model files that run code, read other files, or take all memory or time, where nobody checks them.

`HOSTILE` and `BOMBS` have functions that write one into a folder and return its path. `saved_model` leaves the file
`ran` in the folder if it is ever loaded, and `a_module` if it is imported.
"""

import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf

Config = dict[str, Any]
CONFIG, WEIGHTS = "config.json", "model.weights.h5"
VOCABULARY = "assets/layers/text_vectorization/vocabulary.txt"
NOBODYS = {"module": "keras.layers", "registered_name": None}


def honest(folder: Path) -> Path:
    """A small classifier with dropout: flat, hidden, dropped and classes."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Flatten(name="flat"),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.Dropout(0.5, name="dropped"),
            layers.Dense(3, activation="softmax", name="classes"),
        ],
        name="honest",
    )
    model.save(folder / "model.keras")
    return folder / "model.keras"


def honest_functional(folder: Path) -> Path:
    """The same as a functional model, with operations between its layers."""
    image = keras.Input((4, 4, 1), name="image")
    hidden = keras.layers.Dense(8, activation="relu", name="hidden")(keras.layers.Flatten(name="flat")(image[:, 1:]))
    dropped = keras.layers.Dropout(0.5, name="dropped")(hidden * 2.0 + hidden)
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax", name="classes")(dropped))
    model.save(folder / "model.keras")
    return folder / "model.keras"


def honest_texts(folder: Path, **options: Any) -> Path:
    """A small classifier of texts, whose words stand in a file beside its configuration."""
    layers = keras.layers
    words = layers.TextVectorization(name="words", **options)
    words.adapt(["a good film", "a bad film", "a film"])
    model = keras.Sequential(
        [
            keras.Input((1,), dtype="string"),
            words,
            layers.CategoryEncoding(6, "count"),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.save(folder / "model.keras")
    return folder / "model.keras"


def with_text_option(folder: Path, **options: Any) -> Path:
    """An honest classifier of texts with other options of its text layer."""
    path = honest_texts(folder, output_sequence_length=4)
    config = config_of(path)
    config["config"]["layers"][1]["config"].update(options)
    return with_config(path, config)


def with_lookup(folder: Path, name: str = "StringLookup", **options: Any) -> Path:
    """An honest file whose dropout is a layer with a vocabulary."""
    return with_layer(folder, class_name=name, config={"name": "dropped", **options})


def with_file(folder: Path, name: str, content: bytes = b"a\nb") -> Path:
    """An honest classifier of texts with a file more, or another one."""
    path = honest_texts(folder, output_sequence_length=4)
    return written(path, {**members(path), name: content}, zipfile.ZIP_DEFLATED)


def without_words(folder: Path) -> Path:
    path = honest_texts(folder, output_sequence_length=4)
    return written(path, {name: content for name, content in members(path).items() if "assets" not in name})


def twice(folder: Path) -> Path:
    path = honest_texts(folder, output_sequence_length=4)
    contents = [*members(path).items(), (VOCABULARY, b"c")]
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings(action="ignore"):
        for name, content in contents:
            archive.writestr(name, content)
    return path


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path: Path, contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def config_of(path: Path) -> Config:
    return json.loads(members(path)[CONFIG])


def with_config(path: Path, config: Any) -> Path:
    """The file with another architecture, the weights as they were."""
    return written(path, {**members(path), CONFIG: json.dumps(config).encode()})


def with_layer(folder: Path, **layer: Any) -> Path:
    """An honest file whose dropout is another object."""
    path = honest(folder)
    config = config_of(path)
    config["config"]["layers"][3] = {**NOBODYS, "config": {"name": "dropped"}, **layer}
    return with_config(path, config)


def with_option(folder: Path, layer: str, **options: Any) -> Path:
    """An honest file with other options of one layer."""
    path = honest(folder)
    config = config_of(path)
    next(each for each in config["config"]["layers"] if each["config"]["name"] == layer)["config"].update(options)
    return with_config(path, config)


def with_weights(folder: Path, change: Callable[[h5py.File], object]) -> Path:
    """An honest file whose HDF5 file of weights was changed."""
    path = honest(folder)
    contents = members(path)
    file = io.BytesIO(contents[WEIGHTS])
    with h5py.File(file, "r+") as weights:
        change(weights)
    return written(path, {**contents, WEIGHTS: file.getvalue()})


def saved_model(folder: Path) -> Path:
    """A TensorFlow SavedModel that writes `folder/ran` as soon as it is loaded."""

    class Writes(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self) -> tf.Tensor:
            return tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.string, shared_name="writes")

        def _initialize(self) -> None:
            tf.io.write_file(str(folder / "ran"), "loaded")

    module = tf.Module()
    module.writes = Writes()
    module.serve = tf.function(lambda images: images, input_signature=[tf.TensorSpec((None, 8))])
    tf.saved_model.save(module, folder / "saved", signatures={"serve": module.serve})
    (folder / "ran").unlink(missing_ok=True)  # written when the resource was made here
    return folder / "saved"


def a_module(folder: Path, name: str) -> None:
    """A module that writes `folder/ran` when it is imported."""
    (folder / f"{name}.py").write_text(f"open({str(folder / 'ran')!r}, 'w').close()\n")


def lambda_layer(folder: Path) -> Path:
    path = folder / "model.keras"
    ran = folder / "ran"
    touched = str(ran)
    run = keras.layers.Lambda(lambda x: (__import__("pathlib").Path(touched).touch(), x)[1])
    model = keras.Sequential([keras.Input((4,)), run, keras.layers.Dropout(0.5), keras.layers.Dense(3)])
    model.save(path)
    ran.unlink()
    return path


def tfsm_layer(folder: Path) -> Path:
    options = {"name": "dropped", "filepath": str(saved_model(folder)), "call_endpoint": "serve"}
    return with_layer(folder, class_name="TFSMLayer", config=options)


def lambda_of_tfsm_layer(folder: Path) -> Path:
    """A functional model with a Lambda that calls the class TFSMLayer on the path of a SavedModel."""
    path = honest_functional(folder)
    config = config_of(path)
    function = {
        "module": "keras.layers",
        "class_name": "function",
        "config": "TFSMLayer",
        "registered_name": "TFSMLayer",
    }
    call = {
        **NOBODYS,
        "class_name": "Lambda",
        "name": "made",
        "config": {"name": "made", "function": function, "arguments": {"call_endpoint": "serve"}},
        "inbound_nodes": [{"args": [], "kwargs": {"inputs": str(saved_model(folder))}}],
    }
    config["config"]["layers"].append(call)
    return with_config(path, config)


def package(folder: Path) -> Path:
    a_module(folder, "keras_hub")
    return with_layer(folder, module="keras_hub", class_name="Backbone")


def nested_compile_config(folder: Path) -> Path:
    """A model within the model that is to be compiled with a layer that loads a SavedModel."""
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.saving.load_model(honest(folder))])
    model.save(folder / "model.keras")
    config = config_of(folder / "model.keras")
    options = {"filepath": str(saved_model(folder)), "call_endpoint": "serve"}
    optimizer = {**NOBODYS, "class_name": "TFSMLayer", "config": options}
    config["config"]["layers"][1]["compile_config"] = {"optimizer": optimizer, "loss": "mse"}
    return with_config(folder / "model.keras", config)


def function(name: str, module: str) -> Config:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


HOSTILE: dict[str, Callable[[Path], Path]] = {
    "Lambda": lambda_layer,
    "TFSMLayer": tfsm_layer,
    "Lambda of TFSMLayer": lambda_of_tfsm_layer,
    "package in the working directory": package,
    "activation from another module": lambda folder: with_option(
        folder, "hidden", activation=function("load_model", "keras.models")
    ),
    "function of builtins": lambda folder: with_option(folder, "hidden", activation=function("eval", "builtins")),
    "layer of another's name": lambda folder: with_layer(folder, class_name="Dropout", registered_name="os>system"),
    "class without a module": lambda folder: _without_module(folder),
    "lambda in Keras's notation": lambda folder: with_option(
        folder, "hidden", activation={"class_name": "__lambda__", "config": {"value": ["", None, None]}}
    ),
    "type in Keras's notation": lambda folder: with_option(
        folder,
        "hidden",
        activation={
            "class_name": "__typespec__",
            "spec_name": "TensorSpec",
            "module": "os",
            "registered_name": None,
            "config": [],
        },
    ),
    "wrapper of TFSMLayer": lambda folder: with_layer(
        folder,
        class_name="TimeDistributed",
        config={"name": "dropped", "layer": {**NOBODYS, "class_name": "TFSMLayer", "config": {"filepath": "saved"}}},
    ),
    "vocabulary from a file": lambda folder: with_layer(
        folder, class_name="StringLookup", config={"name": "dropped", "vocabulary": "/etc/passwd"}
    ),
    "vocabulary of numbers from a file": lambda folder: with_lookup(folder, "IntegerLookup", vocabulary="/etc/passwd"),
    "vocabulary of a text layer from a file": lambda folder: with_text_option(folder, vocabulary="/etc/passwd"),
    "vocabulary of an empty name": lambda folder: with_text_option(folder, vocabulary=""),
    "vocabulary from a file in a wrapped layer": lambda folder: with_layer(
        folder,
        class_name="TimeDistributed",
        config={
            "name": "dropped",
            "layer": {**NOBODYS, "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
        },
    ),
    "vocabulary that is an object": lambda folder: with_lookup(
        folder, vocabulary={"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "int8"}}
    ),
    "vocabulary of words and numbers": lambda folder: with_lookup(folder, vocabulary=["a", 1]),
    "weights of words from a file": lambda folder: with_lookup(
        folder, vocabulary=["a"], output_mode="tf_idf", idf_weights="/etc/passwd"
    ),
    "a function that standardizes": lambda folder: with_text_option(
        folder, standardize=function("load_model", "keras.models")
    ),
    "an activation that standardizes": lambda folder: with_text_option(
        folder, standardize=function("relu", "keras.activations")
    ),
    "a lambda that splits": lambda folder: with_text_option(
        folder, split={"class_name": "__lambda__", "config": {"value": ["", None, None]}}
    ),
    "a name that splits": lambda folder: with_text_option(folder, split="os.system"),
    "another codec": lambda folder: with_text_option(folder, encoding="zlib_codec"),
    "a text layer without words": without_words,
    "a word twice": lambda folder: with_file(folder, VOCABULARY, b"a\na"),
    "a vocabulary twice": twice,
    "a vocabulary out of the folder": lambda folder: with_file(folder, "assets/../../ran/vocabulary.txt"),
    "a vocabulary out of the folder by backslashes": lambda folder: with_file(
        folder, "assets\\..\\..\\ran/vocabulary.txt"
    ),
    "a vocabulary from the root": lambda folder: with_file(folder, f"{folder}/ran/vocabulary.txt"),
    "code beside a vocabulary": lambda folder: with_file(folder, "assets/layers/text_vectorization/vocabulary.py"),
    "a file beside the model's own": lambda folder: written(
        honest(folder), {**members(honest(folder)), "assets/vocabulary.txt": b"a"}
    ),
    "a path out of the folder": lambda folder: written(
        honest(folder), {**members(honest(folder)), "assets/../../ran": b"a"}
    ),
    "weights in another file": lambda folder: with_weights(folder, _external_link),
    "weights by a soft link": lambda folder: with_weights(
        folder, lambda file: file.__setitem__("layers/up", h5py.SoftLink("/layers"))
    ),
    "weights as the bytes of another file": lambda folder: with_weights(folder, _external_storage),
    "weights seen through another file": lambda folder: with_weights(folder, _virtual),
    "weights in a circle": lambda folder: with_weights(folder, lambda file: file.__setitem__("layers/up", file["/"])),
    "control characters in a name": lambda folder: with_option(folder, "hidden", name="\x1b[2Jhidden"),
}  # fmt: skip


def _without_module(folder: Path) -> Path:
    path = honest(folder)
    config = config_of(path)
    config["config"]["layers"][3] = {"class_name": "TFSMLayer", "config": {"filepath": "saved"}}
    return with_config(path, config)


def _external_link(file: h5py.File) -> None:
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.ExternalLink("/etc/passwd", "/")


def _external_storage(file: h5py.File) -> None:
    shape = file["layers/dense/vars/0"].shape
    del file["layers/dense/vars/0"]
    file.create_dataset("layers/dense/vars/0", shape, "float32", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def _virtual(file: h5py.File) -> None:
    shape = file["layers/dense/vars/0"].shape
    del file["layers/dense/vars/0"]
    layout = h5py.VirtualLayout(shape, "float32")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape)
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def wide(folder: Path) -> Path:
    """8 KB that claim a layer of 16 GB."""
    path = with_option(folder, "hidden", units=2**28)
    assert path.stat().st_size < 50_000
    return path


def long_config(folder: Path) -> Path:
    path = honest(folder)
    contents = members(path)
    contents[CONFIG] += b" " * (100 << 20)
    return written(path, contents, zipfile.ZIP_DEFLATED)


def packed_weights(folder: Path) -> Path:
    path = honest(folder)
    contents = members(path)
    contents[WEIGHTS] += bytes(100 << 20)
    return written(path, contents, zipfile.ZIP_DEFLATED)


def _empty_weights(file: h5py.File) -> None:
    del file["layers/dense/vars/0"]
    file.create_dataset("layers/dense/vars/0", (16, 2**28), "float32")  # never written, so that it takes no room


def _packed_in_hdf5(file: h5py.File) -> None:
    del file["layers/dense/vars/0"]
    file.create_dataset("layers/dense/vars/0", (16, 2**28), "float32", chunks=(16, 2**16), compression="gzip")


def deep(folder: Path, layers: int = 3000) -> Path:
    path = honest(folder)
    config = config_of(path)
    stack = config["config"]["layers"]
    dropout = json.dumps(stack[3])
    stack[3:4] = [json.loads(dropout.replace("dropped", f"dropped_{number}")) for number in range(layers)]
    return with_config(path, config)


def nested(folder: Path, depth: int = 12, calls: int = 10) -> Path:
    """A model within a model within a model, each called ten times by the next."""
    inner = keras.Input((4,), name="x")
    model = keras.Model(inner, keras.layers.Dropout(0.5, name="dropped")(inner), name="m")
    model.save(folder / "model.keras")
    config = config_of(folder / "model.keras")
    for level in range(depth):
        outer = json.loads(json.dumps(config))
        tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 4], "dtype": "float32"}}
        tensor["config"]["keras_history"] = ["x", 0, 0]
        config["name"] = config["config"]["name"] = f"m{level}"
        config["inbound_nodes"] = [{"args": [tensor], "kwargs": {}}] * calls
        outer["config"]["layers"] = [outer["config"]["layers"][0], config]
        outer["config"]["output_layers"] = [f"m{level}", 0, 0]
        config = outer
    return with_config(folder / "model.keras", config)


def referred(folder: Path, depth: int = 40) -> Path:
    """Each model holds the one before it twice, the second time by its number."""
    path = honest(folder)
    config = config_of(path)
    inner = {**NOBODYS, "class_name": "Dropout", "config": {"rate": 0.5}}
    for level in range(depth):
        again = {**NOBODYS, "class_name": "Pipeline", "config": {"layers": []}, "shared_object_id": level}
        inner = {
            **NOBODYS,
            "class_name": "Pipeline",
            "config": {"layers": [inner, again]},
            "shared_object_id": level + 1,
        }
        if level == 0:
            inner["config"]["layers"][1] = inner["config"]["layers"][0]
    config["config"]["layers"][3] = inner
    return with_config(path, config)


def on_numbers(folder: Path) -> Path:
    """A layer that is called on a number in the file, and so runs while the model is built."""
    path = honest_functional(folder)
    config = config_of(path)
    number = {"class_name": "__numpy__", "config": {"value": [[1.0]], "dtype": "float32"}}
    repeat = {**NOBODYS, "class_name": "RepeatVector", "name": "r", "config": {"name": "r", "n": 2**32}}
    config["config"]["layers"].append({**repeat, "inbound_nodes": [{"args": [number], "kwargs": {}}]})
    return with_config(path, config)


def long_texts(folder: Path) -> Path:
    value = {"class_name": "__numpy__", "config": {"value": ["a"] * 1000, "dtype": "U10000000"}}
    return with_option(folder, "hidden", bias_initializer={**NOBODYS, "module": "keras.initializers",
                       "class_name": "Constant", "config": {"value": value}})  # fmt: skip


def _one_long_word(count: int = 100_000) -> list[str]:
    """2 MB that numpy holds as 40 GB: each word takes as much as the longest."""
    return [*map(str, range(count)), "a" * count]


BOMBS: dict[str, Callable[[Path], Path]] = {
    "one long word of many": lambda folder: with_text_option(folder, vocabulary=_one_long_word()),
    "one long word of many in a file": lambda folder: with_file(
        folder, VOCABULARY, "\n".join(_one_long_word()).encode()
    ),
    "a packed vocabulary": lambda folder: with_file(folder, VOCABULARY, b"a" * (100 << 20)),
    "many vocabularies": lambda folder: written(
        honest(folder),
        {**members(honest(folder)), **{f"assets/layers/l{n}/vocabulary.txt": b"a" * 10_000_000 for n in range(9)}},
        zipfile.ZIP_DEFLATED,
    ),
    "unknown words without end": lambda folder: with_lookup(folder, vocabulary=["a"], num_oov_indices=2**40),
    "room for words without end": lambda folder: with_lookup(
        folder, vocabulary=["a"], output_mode="tf_idf", idf_weights=[1.0], pad_to_max_tokens=True, max_tokens=2**40
    ),
    "groups of words without end": lambda folder: with_text_option(folder, ngrams=2**40),
    "8 KB that claim 16 GB": wide,
    "a packed config.json": long_config,
    "packed weights": packed_weights,
    "weights that were never written": lambda folder: with_weights(folder, _empty_weights),
    "weights packed in HDF5": lambda folder: with_weights(folder, _packed_in_hdf5),
    "3,000 layers": deep,
    "400 layers that are built anew with each": lambda folder: deep(folder, 400),
    "models in models": nested,
    "models in models by reference": referred,
    "a layer called on numbers": on_numbers,
    "texts without end": long_texts,
    "nested without end": lambda folder: written(
        honest(folder), {**members(honest(folder)), CONFIG: b'{"class_name":' * 10**5}
    ),
    "nested objects without end": lambda folder: written(
        honest(folder), {**members(honest(folder)), CONFIG: b'{"a":' * 900 + b"1" + b"}" * 900}
    ),
}


def named_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "model.keras")
    return folder / "model.keras"


def numbers_for(count: int) -> np.ndarray:
    """Images for an honest model, (count, 4, 4, 1) uint8."""
    return np.random.default_rng(0).integers(0, 256, (count, 4, 4, 1), dtype=np.uint8)
