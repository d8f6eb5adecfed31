"""Passes from anywhere become a run, with the numbers that they had."""

import shutil
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import xarray
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import mcviz
from mcviz.cli import main
from mcviz.data import DataSet, as_data_set, open_passes
from mcviz.errors import DataNotFoundError, InvalidInputError, RunExistsError, StorageError
from mcviz.runs import Run, verify_run
from mcviz.tasks.regression import Regression
from tests.factories import write_file, write_npz, write_table
from tests.failing import full_disk

pytestmark = pytest.mark.lowest

HALF_A_STEP = 1 / 131068
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(5, 7, 3)) * 2


def softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


PROBS = softmax(LOGITS)
IMAGES = RNG.integers(0, 256, (7, 4, 5, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2, 0])


def check(run: Run, probs: np.ndarray = PROBS) -> None:
    np.testing.assert_allclose(run.probs_block(0, None), probs, atol=HALF_A_STEP + 1e-7, rtol=0)
    verify_run(run.path)


def test_a_run_has_all_that_was_given(tmp_path):
    columns = pd.DataFrame({"source": list("aabbccd"), "age": np.arange(7.0), "label": list("xyzxyzx")})
    run = mcviz.write_run(
        tmp_path / "run",
        PROBS,
        data=IMAGES,
        labels=LABELS,
        class_names=["ant", "bee, wild", "cat"],
        ids=[f"{n}.png" for n in range(7)],
        columns=columns,
        deterministic=PROBS[0],
        features=np.arange(14).reshape(7, 2),
        source="an ensemble of 5",
        about={"licence": "CC0"},
    )
    check(run)
    np.testing.assert_array_equal(run.images, IMAGES)
    np.testing.assert_array_equal(run.labels, LABELS)
    np.testing.assert_array_equal(run.features, np.arange(14).reshape(7, 2))
    np.testing.assert_allclose(run.deterministic_probs, PROBS[0], atol=1e-6)
    table = run.table()
    assert run.class_names == ("ant", "bee, wild", "cat")
    assert list(table["id"]) == [f"{n}.png" for n in range(7)]
    assert (list(table["source"]), list(table["user_label"])) == (list("aabbccd"), list("xyzxyzx"))
    assert (run.manifest.origin.kind, run.manifest.origin.source) == ("imported", "an ensemble of 5")
    assert (run.manifest.seed, run.manifest.masks, run.model_path) == (None, None, None)
    assert run.manifest.about == {"licence": "CC0"}


def test_passes_alone_are_enough(tmp_path):
    run = mcviz.write_run(tmp_path / "run", PROBS)
    check(run)
    assert (run.labels, run.has_images, run.columns, run.deterministic_probs) == (None, False, None, None)
    assert list(run.scores()["id"]) == [str(n) for n in range(7)]


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(["pass", "example", "class"]),
    dtype=st.sampled_from(["f2", "f4", "f8"]),
    on_disk=st.booleans(),
)
def test_axes_in_any_order_that_is_named(tmp_path_factory, order, dtype, on_disk):
    moved = np.transpose(PROBS, [("pass", "example", "class").index(axis) for axis in order]).astype(dtype)
    folder = tmp_path_factory.mktemp("run")
    np.save(folder / "probs.npy", np.ascontiguousarray(moved))
    given = np.load(folder / "probs.npy", mmap_mode="r") if on_disk else moved
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mcviz.importing.BLOCK_VALUES", 30)
        run = mcviz.write_run(folder / "run", given, axes=order)
    exact = np.transpose(moved.astype(np.float32), [list(order).index(a) for a in ("pass", "example", "class")])
    np.testing.assert_allclose(run.probs_block(0, None), exact, atol=HALF_A_STEP + 1e-7, rtol=0)


def test_logits_become_probabilities(tmp_path):
    run = mcviz.write_run(tmp_path / "run", LOGITS, deterministic=LOGITS[0], from_logits=True)
    check(run)
    np.testing.assert_allclose(run.deterministic_probs, PROBS[0], atol=1e-6)


def open_lazily(kind: str, folder: Path) -> object:
    if kind == "zarr":
        return zarr.create_array(folder / "z", data=PROBS, chunks=(2, 3, 2))
    if kind == "hdf5":
        with h5py.File(folder / "h", "w") as file:
            file.create_dataset("probs", data=PROBS, chunks=(2, 3, 2))
        return h5py.File(folder / "h")["probs"]
    if kind == "memmap":
        np.save(folder / "a.npy", PROBS)
        return np.load(folder / "a.npy", mmap_mode="r")
    if kind == "Fortran":
        np.save(folder / "f.npy", np.asfortranarray(PROBS))
        return np.load(folder / "f.npy", mmap_mode="r")
    if kind == "part of a memmap":
        np.save(folder / "p.npy", np.concatenate([PROBS[::-1], PROBS]))
        return np.load(folder / "p.npy", mmap_mode="r")[5:]
    if kind == "dask":
        return DaskLike()
    return iter(PROBS)


class DaskLike:
    """What is used of a Dask array: shape, dtype, the sizes of the chunks, and slices that are computed."""

    shape, dtype = PROBS.shape, PROBS.dtype
    chunks = ((2, 2, 1), (4, 3), (3,))

    def __getitem__(self, part: tuple[slice, ...]) -> np.ndarray:
        return PROBS[part]


@pytest.mark.parametrize("kind", ["zarr", "hdf5", "memmap", "Fortran", "part of a memmap", "dask", "iterator"])
def test_lazy_arrays_and_iterators_give_the_same_run(tmp_path, kind):
    run = mcviz.write_run(tmp_path / "run", open_lazily(kind, tmp_path))
    check(run)
    first = mcviz.write_run(tmp_path / "array", PROBS.astype(np.float32) if kind == "iterator" else PROBS)
    assert run.digest == first.digest


def test_memory_stays_flat(tmp_path):
    passes, examples, classes = 20, 20_000, 10
    whole = passes * examples * classes * 4

    def generate_passes() -> Iterator[np.ndarray]:
        for number in range(passes):
            probs = np.full((examples, classes), 0.1, np.float32)
            probs[:, 0] += 0.001 * number
            probs[:, 1] -= 0.001 * number
            yield probs

    mcviz.write_run(tmp_path / "warm", PROBS)
    tracemalloc.start()
    try:
        run = mcviz.write_run(tmp_path / "run", generate_passes())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert run.passes == passes
    assert peak < 4 * whole / 2  # and the same for any number of examples


class Tensor:
    """What is used of a tensor of PyTorch: it has a dtype of its own, and makes itself an array."""

    shape, dtype = PROBS.shape, "torch.float64"

    def __getitem__(self, part: tuple[slice, ...]) -> "Tensor":
        raise NotImplementedError

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return PROBS


class Failing(Tensor):
    """One that tracks gradients."""

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        raise RuntimeError("detach it first\nand so on")


def test_a_tensor_of_another_framework_is_an_array(tmp_path):
    check(mcviz.write_run(tmp_path / "run", Tensor()))
    check(mcviz.write_run(tmp_path / "tensorflow", tf.constant(PROBS)))


def test_probabilities_of_many_classes_sum_to_1_within_what_their_dtype_rounds(tmp_path):
    probs = np.random.default_rng(0).dirichlet(np.ones(5000), (2, 3))
    rounded = (probs * 1.005).astype(np.float16)
    assert mcviz.write_run(tmp_path / "run", rounded).probs_block(0, None).shape == (2, 3, 5000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"passes": PROBS[:, :5]},
            "as many passes as examples .5., so the axes cannot be told apart. Name their order",
        ),
        ({"passes": PROBS.transpose(1, 0, 2), "data": IMAGES}, r"shape \(7, 5, 3\), and there are 7 examples\. Name"),
        (
            {"passes": PROBS, "data": IMAGES, "axes": ("example", "pass", "class")},
            "of 7 examples, as the data are. Received: 5 examples",
        ),
        ({"passes": PROBS, "axes": ("pass", "example", "draw")}, "pass, example and class in some order"),
        ({"passes": PROBS[:1]}, "at least 2 passes and 2 classes. Received: 1 and 3"),
        ({"passes": PROBS[..., :1]}, "at least 2 passes and 2 classes. Received: 5 and 1"),
        ({"passes": np.repeat(PROBS[:1], 5, axis=0)}, "All 5 passes are the same"),
        (
            {"passes": LOGITS},
            "pass 0, example .* is negative.* say so .*--from-logits.*--task regression",
        ),
        ({"passes": PROBS * 1.01}, "pass 0, example 0 sum to 1.01, and should sum to 1 within 0.001"),
        ({"passes": np.where(np.arange(7)[:, None] == 4, np.nan, PROBS)}, "pass 0, example 4 is not a finite number"),
        ({"passes": (PROBS * 100).astype(int)}, "floating point. Received: dtype int64"),
        (
            {"passes": PROBS[0]},
            r"\(passes, examples, classes\), or targets in place of classes, with.*Received: shape \(7, 3\)",
        ),
        ({"passes": iter([PROBS[0], PROBS[1, :3]])}, r"all of one shape. Received: \(3, 3\) in pass 1"),
        ({"passes": [PROBS[0], PROBS[1, :3]]}, r"`passes` should be one array. Received: list"),
        ({"passes": iter([PROBS[0], "text"])}, "floating point or whole numbers. Received: dtype <U4"),
        ({"passes": Failing()}, r"`passes` should be one array. Received: Failing \(detach it first\)"),
        ({"passes": PROBS, "deterministic": [["a", "b", "c"]] * 7}, "`deterministic` should be floating point"),
        ({"passes": iter([])}, "at least 2 passes. Received: none"),
        ({"passes": 3}, "an array, or an iterator of passes. Received: int"),
        ({"passes": PROBS, "labels": LABELS + 1}, "class indices from 0 to 2. Received: 3"),
        ({"passes": PROBS, "labels": LABELS[:-1]}, "of 6 examples, as the data are. Received: 7 examples"),
        ({"passes": PROBS, "data": IMAGES, "labels": LABELS[:-1]}, "7 class indices"),
        ({"passes": PROBS, "data": IMAGES[:-1]}, "there are 6 examples|of 6 examples"),
        (
            {"passes": PROBS, "class_names": ["a", "b"]},
            "`class_names` should be 3 different names. Received: a, b. Name all",
        ),
        ({"passes": PROBS, "class_names": ["a", "b", "a"]}, "different names"),
        ({"passes": PROBS, "ids": ["a"] * 7}, "7 different texts|different texts"),
        ({"passes": PROBS, "columns": pd.DataFrame({"a": [1]})}, "of 1 examples"),
        ({"passes": PROBS, "deterministic": PROBS[0, :3]}, r"of the shape \(7, 3\). Received: shape \(3, 3\)"),
        ({"passes": PROBS, "deterministic": LOGITS[0]}, "probabilities that sum to one"),
        ({"passes": PROBS, "features": np.zeros((3, 2))}, r"\(7, features\)"),
    ],
)
def test_what_cannot_be_a_run_is_refused_before_anything_is_written(tmp_path, arguments, message):
    with pytest.raises(InvalidInputError, match=message) as caught:
        mcviz.write_run(tmp_path / "run", **arguments)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_same_call_opens_the_run_and_another_is_refused(tmp_path):
    first = mcviz.write_run(tmp_path / "run", PROBS, labels=LABELS)
    assert mcviz.write_run(tmp_path / "run", PROBS, labels=LABELS).digest == first.digest
    renamed = mcviz.write_run(tmp_path / "run", PROBS, labels=LABELS, class_names=["a", "b", "c"])
    assert (renamed.class_names, renamed.digest) == (("a", "b", "c"), first.digest)
    with pytest.raises(RunExistsError, match="origin"):
        mcviz.write_run(tmp_path / "run", PROBS[::-1], labels=LABELS)
    with pytest.raises(RunExistsError, match="ids and columns"):
        mcviz.write_run(tmp_path / "run", PROBS, labels=LABELS, ids=list("abcdefg"))


def test_pictures_of_a_data_set_and_their_names(tmp_path):
    data = as_data_set((IMAGES, np.array(["x", "y", "z"])[LABELS])).with_ids(list("abcdefg"))
    run = mcviz.write_run(tmp_path / "run", PROBS, data=data)
    assert (run.class_names, "".join(run.scores()["id"])) == (("x", "y", "z"), "abcdefg")
    again = data.in_order_of(list("gfedcba"))
    np.testing.assert_array_equal(again.labels, LABELS[::-1])
    with pytest.raises(InvalidInputError, match=r"those of the 7 examples. Received: 7 ids, of which h names none"):
        data.in_order_of(list("hfedcba"))


ARRAY_NAMES = {  # of which each says what it is of
    "class": {"npz": "passes", "h5": "probs", "xarray zarr": "passes", "netcdf": "passes"},
    "target": {"npz": "values", "h5": "outputs", "xarray zarr": "predictions"},
}


def write_passes(kind: str, folder: Path, passes: np.ndarray, last: str = "class") -> Path:
    """Passes in a file of a kind, with the names of their axes where it has any."""
    path = folder / {"folder": "passes", "netcdf": "a.nc", "xarray zarr": "x"}.get(kind, f"a.{kind}")
    dimensions = ("draw", "example" if last == "class" else "obs_id", "category" if last == "class" else "output")
    name = ARRAY_NAMES[last].get(kind, "y")
    named = xarray.Dataset({name: (dimensions[: passes.ndim], passes)}).transpose(..., "draw")
    if kind == "npy":
        np.save(path, passes)
    elif kind == "npz":
        others = {"deterministic_passes": passes[0]} if last == "class" else {"images": np.zeros((2, 3))}
        np.savez(path, **{name: passes}, labels=LABELS if last == "class" else TRUE, **others)
    elif kind == "folder":
        path.mkdir()
        for number, each in enumerate(passes):
            np.save(path / f"{number}.npy", each)
    elif kind == "zarr":
        zarr.create_array(path, data=passes, chunks=(5, 3, 3))
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file[name], file["weights"] = passes, passes[0]
    elif kind == "xarray zarr":
        named.to_zarr(path, consolidated=False)
    elif kind == "netcdf":
        named.to_netcdf(path)
    elif kind.endswith(".nc"):
        write_chains(kind, path, passes)
    else:
        write_table(long_table(passes, last), path)
    return path


def write_chains(kind: str, path: Path, passes: np.ndarray) -> None:
    """Two chains of two passes, as ArviZ has them: alone, or beside the parameters' posterior."""
    chains = np.stack([passes[:2], passes[2:4]])
    if kind == "chains.nc":
        xarray.Dataset({"y": (("chain", "draw", "obs_id", "category"), chains)}).to_netcdf(path)
        return
    dimensions = ("chain", "draw", "y_dim_0", "y_dim_1")[: chains.ndim]
    xarray.Dataset({"sigma": (("chain", "draw"), np.ones((1, 4)))}).to_netcdf(path, group="posterior")
    xarray.Dataset({"y": (dimensions, chains)}).to_netcdf(path, group="posterior_predictive", mode="a")


def long_table(passes: np.ndarray, last: str) -> pd.DataFrame:
    """A row for each number, in the order of examples alone; one target has no column of its name."""
    axes = ["pass", "example", last][: passes.ndim]
    table = pd.DataFrame(np.ndindex(passes.shape), columns=axes)
    table["probability" if last == "class" else "value"] = passes.ravel()
    return table.sample(frac=1, random_state=0).sort_values("example")


@pytest.mark.parametrize(
    "kind", ["npy", "npz", "folder", "zarr", "xarray zarr", "h5", "netcdf", "chains.nc", "csv", "parquet"]
)
def test_every_kind_of_file(tmp_path, kind):
    with open_passes(write_passes(kind, tmp_path, PROBS)) as passes:
        run = mcviz.write_run(tmp_path / "run", passes.passes, axes=passes.axes)
        assert (passes.ids, passes.last_names) == (None, None)
        if kind == "npz":
            assert passes.labels is not None
            np.testing.assert_array_equal(passes.labels, LABELS)
    check(run, PROBS[:4] if kind == "chains.nc" else PROBS)


MEANS = RNG.normal(50, 20, (5, 7, 2)).astype(np.float32)
SPREADS = RNG.gamma(2, 3, MEANS.shape).astype(np.float32)
TRUE = RNG.normal(50, 20, (7, 2)).astype(np.float32)
STORED = {"mean,variance": lambda v: v, "mean,log_variance": np.log, "mean,std": np.sqrt}


def check_values(run: Run, means: np.ndarray = MEANS, variances: np.ndarray | None = None) -> None:
    expected = means if variances is None else np.concatenate([means, variances], axis=2)
    np.testing.assert_allclose(run.predictions_block(0, None), expected, rtol=2e-6 if variances is not None else 0)
    verify_run(run.path)


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(["pass", "example", "target"]),
    dtype=st.sampled_from(["f4", "f8"]),
    targets=st.integers(1, 2),
    predicts=st.sampled_from(["mean", *STORED]),
    form=st.sampled_from(["array", "iterator", "lazy"]),
)
def test_values_of_a_regression_are_kept_as_they_are_and_every_spread_as_a_variance(
    tmp_path_factory, order, dtype, targets, predicts, form
):
    means, variances = MEANS[..., :targets], SPREADS[..., :targets]
    given = means if predicts == "mean" else np.concatenate([means, STORED[predicts](variances)], axis=2)
    given = given.astype(dtype)
    folder = tmp_path_factory.mktemp("run")
    order = ["pass", "example", "target"] if form == "iterator" else order
    moved = np.transpose(given, [("pass", "example", "target").index(axis) for axis in order])
    passes = {"array": lambda: moved, "iterator": lambda: iter(moved), "lazy": lambda: zarr.array(moved)}[form]()
    fixed = given[0]
    run = mcviz.write_run(
        folder / "run", passes, task="regression", predicts=predicts, axes=order, deterministic=fixed, unit="kg"
    )
    check_values(run, means, None if predicts == "mean" else variances)
    np.testing.assert_allclose(run.deterministic_predictions, run.predictions_block(0, None)[0], rtol=1e-6)
    assert (run.targets, run.manifest.unit) == (("target",) if targets == 1 else ("target_0", "target_1"), "kg")


@pytest.mark.parametrize("axes", [None, ("example", "pass")])
@pytest.mark.parametrize("form", ["array", "list", "iterator", "lazy"])
def test_one_target_needs_no_axis_of_its_own(tmp_path, axes, form):
    given = MEANS[..., 0] if axes is None else MEANS[..., 0].T
    forms = {
        "array": lambda: given,
        "list": given.tolist,
        "iterator": lambda: iter(MEANS[..., 0]),
        "lazy": lambda: zarr.array(given),
    }
    run = mcviz.write_run(
        tmp_path / "run",
        forms[form](),
        task="regression",
        axes=None if form == "iterator" else axes,
        labels=TRUE[:, 0],
        deterministic=MEANS[0, :, 0],
    )
    check_values(run, MEANS[..., :1])
    np.testing.assert_array_equal(run.labels, TRUE[:, :1])
    np.testing.assert_array_equal(run.deterministic_predictions, MEANS[0, :, :1])


@pytest.mark.parametrize("two", [True, False], ids=["two targets", "one target"])
@pytest.mark.parametrize(
    "kind",
    ["npy", "npz", "folder", "xarray zarr", "h5", "netcdf", "posterior_predictive.nc", "csv", "parquet"],
)
def test_values_of_a_regression_in_every_kind_of_file(tmp_path, kind, two):
    path = write_passes(kind, tmp_path, MEANS if two else MEANS[..., 0], "target")
    with open_passes(path, Regression.pass_names) as passes:
        run = mcviz.write_run(tmp_path / "run", passes.passes, task="regression", axes=passes.axes)
        assert (passes.ids, passes.last_names, passes.predicts) == (None, None, None)
    expected = MEANS[:4] if kind.startswith("posterior") else MEANS
    check_values(run, expected if two else expected[..., :1])


@pytest.mark.parametrize(("targets", "predicts"), [(1, "mean"), (2, "mean,log_variance")])
@pytest.mark.parametrize("exported", ["predictions.zarr", "run.npz", "run.nc"])
def test_a_regression_s_numbers_come_in_again_as_they_were(tmp_path, targets, predicts, exported):
    passes = MEANS[..., :targets]
    if predicts != "mean":
        passes = np.concatenate([passes, np.log(SPREADS[..., :targets])], axis=2)
    given = {"task": "regression", "predicts": predicts, "labels": TRUE[:, :targets], "deterministic": passes[0]}
    run = mcviz.write_run(tmp_path / "run", passes, **given)
    if exported != "predictions.zarr":
        mcviz.export_run(run, tmp_path / "run" / exported)
    with open_passes(tmp_path / "run" / exported, Regression.pass_names) as opened:
        again = mcviz.write_run(
            tmp_path / "again",
            opened.passes,
            task="regression",
            axes=opened.axes,
            labels=opened.labels,
            deterministic=opened.deterministic,
            predicts=opened.resolve_predicts("mean"),
        )
    assert again.manifest.predicts == ("mean" if predicts == "mean" else "mean,variance")
    for name in ("labels", "deterministic_predictions", "mean_predictions", "pass_rmse"):
        np.testing.assert_array_equal(getattr(again, name), getattr(run, name))
    np.testing.assert_array_equal(again.predictions_block(0, None), run.predictions_block(0, None))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"passes": MEANS[:1]}, "at least 2 passes. Received: 1 and 2. Name the axes"),
        ({"passes": np.repeat(MEANS[:1], 5, axis=0)}, "All 5 passes are the same"),
        ({"passes": np.where(np.arange(7)[:, None] == 4, np.inf, MEANS)}, "pass 0, example 4 is not a finite number"),
        ({"passes": MEANS.astype(int)}, "floating point. Received: dtype int64"),
        ({"passes": MEANS[0, :, 0]}, r"or targets in place of classes.*Received: shape \(7,\)"),
        ({"passes": MEANS, "from_logits": True}, "`from_logits` should be left out for a regression"),
        ({"passes": MEANS, "class_names": ["a", "b"]}, "`class_names` should be left out for a regression"),
        ({"passes": MEANS, "target_names": ["a"]}, "`target_names` should be 2 different names. Received: a"),
        ({"passes": MEANS, "target_names": ["a", "a"]}, "2 different names. Received: a, a"),
        (
            {"passes": MEANS, "labels": TRUE[:, 0]},
            "`labels` should be of 2 targets, as .* Received: 1",
        ),
        ({"passes": MEANS, "labels": ["a"] * 7}, "numbers, which a regression predicts"),
        ({"passes": MEANS, "predicts": "median"}, "`predicts` should be 'mean' or"),
        ({"passes": MEANS[..., :1], "predicts": "mean,std"}, "an even number of columns. Received: 1 columns"),
        (
            {"passes": -abs(MEANS), "predicts": "mean,variance"},
            "of pass 0, example 0 is not above 0. .*--predicts",
        ),
        ({"passes": MEANS, "deterministic": MEANS[0, :, :1]}, r"of the shape \(7, 2\). Received: shape \(7, 1\)"),
        ({"passes": MEANS, "axes": ("pass", "example", "class")}, "pass, example and target in some order"),
        ({"passes": MEANS, "data": pd.DataFrame({"a": np.arange(6.0)})}, "there are 6 examples|of 6 examples"),
    ],
)
def test_what_cannot_be_a_regression_is_refused_before_anything_is_written(tmp_path, arguments, message):
    with pytest.raises(InvalidInputError, match=message) as caught:
        mcviz.write_run(tmp_path / "run", **{"task": "regression", **arguments})
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_classification_has_no_unit_and_no_targets(tmp_path):
    for arguments, message in (
        ({"unit": "kg"}, "`unit` should be left out for a classification. Received: kg"),
        ({"target_names": ["a", "b", "c"]}, "`target_names` should be left out for a classification"),
        ({"predicts": "mean,std"}, "`predicts` should be left out for a classification"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            mcviz.write_run(tmp_path / "run", PROBS, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_labels_of_targets_follow_names_that_are_their_own(tmp_path):
    labels = pd.DataFrame(TRUE, columns=["width", "height"])
    data = DataSet(None).with_labels(labels, "regression")
    run = mcviz.write_run(tmp_path / "run", MEANS, task="regression", data=data, target_names=["height", "width"])
    np.testing.assert_array_equal(run.labels, TRUE[:, ::-1])
    new = mcviz.write_run(tmp_path / "new", MEANS, task="regression", data=data, target_names=["a", "b"])
    np.testing.assert_array_equal(new.labels, TRUE)
    with pytest.raises(InvalidInputError, match="names for all of width, height"):
        mcviz.write_run(tmp_path / "x", MEANS, task="regression", data=data, target_names=["a", "width"])


ROWS = pd.DataFrame(RNG.normal(size=(7, 3)).astype(np.float32), columns=["age", "prediction", "blood pressure"])
OWN = pd.DataFrame({"note": ["", "NaN", "null", "7", "e\u0301", "a\nb", " "]})


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("kind", ["text", "row"])
def test_texts_and_rows_come_back_with_ids_and_columns(tmp_path, kind, task):
    data = list(OWN["note"]) if kind == "text" else ROWS
    passes, labels = (PROBS, LABELS) if task == "classification" else (MEANS, TRUE)
    given = {"task": task, "labels": labels, "ids": list("abcdefg"), "columns": OWN[["note"]]}
    run = mcviz.open_run(mcviz.write_run(tmp_path / "run", passes, data=data, **given).path)
    assert run.manifest.examples.kind == kind
    assert run.content.to_numpy().tolist() == (OWN[["note"]] if kind == "text" else ROWS).to_numpy().tolist()
    taken = "user_prediction" if task == "classification" else "prediction"  # of two targets, each column has its name
    assert list(run.content) == (["text"] if kind == "text" else ["age", taken, "blood pressure"])
    assert list(run.scores()["id"]) == list("abcdefg")
    assert list(run.table()["note"]) == list(OWN["note"])
    np.testing.assert_array_equal(run.labels, labels)
    assert verify_run(run.path).run.digest == run.digest
    again = mcviz.write_run(tmp_path / "run", passes, data=data, **given)
    assert again.digest == run.digest
    with pytest.raises(RunExistsError, match="examples"):
        mcviz.write_run(tmp_path / "run", passes, data=data[::-1] if kind == "text" else ROWS + 1, **given)


def test_the_passes_of_a_run_come_in_again(tmp_path):
    run = mcviz.write_run(tmp_path / "run", PROBS, labels=LABELS)
    with open_passes(tmp_path / "run" / "predictions.zarr") as passes:
        check(mcviz.write_run(tmp_path / "again", passes.passes, axes=passes.axes))
    mcviz.export_run(run, tmp_path / "run.npz")
    with open_passes(tmp_path / "run.npz") as passes:
        check(mcviz.write_run(tmp_path / "exported", passes.passes, labels=passes.labels))
        assert passes.ids is None


def test_an_npz_keeps_ids_and_labels_stay_with_them(tmp_path):
    ids = [f"{name}.png" for name in "gfedcba"]
    run = mcviz.write_run(tmp_path / "run", PROBS, labels=LABELS, ids=ids)
    mcviz.export_run(run, tmp_path / "run.npz")
    assert main(["import", str(tmp_path / "run.npz"), "--out", str(tmp_path / "again")]) == 0
    table = pd.DataFrame({"id": sorted(ids), "place": range(7)})
    table.to_csv(tmp_path / "places.csv", index=False)
    command = ["import", str(tmp_path / "run.npz"), "--data", str(tmp_path / "places.csv")]
    assert main([*command, "--out", str(tmp_path / "joined")]) == 0
    for name in ("again", "joined"):
        run = mcviz.open_run(tmp_path / name)
        assert run.scores()["id"].tolist() == ids
        np.testing.assert_array_equal(run.labels, LABELS)
    assert run.columns["place"].tolist() == [6, 5, 4, 3, 2, 1, 0]


def test_a_long_table_names_examples_and_classes(tmp_path):
    rows = [(f"{e}.png", t, "xyz"[c], PROBS[t, e, c]) for e in range(7) for t in range(5) for c in range(3)]
    pd.DataFrame(rows, columns=["example", "pass", "class", "probability"]).to_csv(tmp_path / "a.csv", index=False)
    with open_passes(tmp_path / "a.csv") as passes:
        assert (passes.ids, passes.last_names) == (tuple(f"{n}.png" for n in range(7)), ("x", "y", "z"))
        check(mcviz.write_run(tmp_path / "run", passes.passes, axes=passes.axes, ids=passes.ids))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f / "nowhere", "There are no passes at .*nowhere. Give .npz"),
        (lambda f: f, "holds no .npy, one a pass, and is no Zarr store"),
        (lambda f: write_file(f / "a.txt", "0.1 0.9"), "none of what is taken"),
        (
            lambda f: write_file(f / "a.csv", "a,b\n1,2\n"),
            "example, pass, class, probability. This one has a, b",
        ),
        (lambda f: write_file(f / "a.csv", "example,pass,class,probability\n0,0,0,1\n0,1,1,1\n"), "should have 4 rows"),
        (lambda f: write_file(f / "a.npz", "PK"), "it is not an .npz"),
        (
            lambda f: write_npz(f / "a.npz", a=PROBS, b=PROBS),
            "array of pass, example and class, under the name probs",
        ),
        (lambda f: write_file(f / "zarr.json", "{").parent, "cannot be read as Zarr"),
        (lambda f: write_file(f / "a.h5", "\x89HDF"), "none of what is taken"),
    ],
)
def test_a_file_without_passes_is_told_in_one_line(tmp_path, make, message):
    with pytest.raises((InvalidInputError, DataNotFoundError), match=message) as caught, open_passes(make(tmp_path)):
        pass
    assert "\n" not in str(caught.value)


def write_claim(path: Path, shape: tuple[int, ...], written: int) -> Path:
    """Passes of which only the first are written."""
    if path.suffix == ".zarr":
        array = zarr.create_array(path, name="probs", shape=shape, chunks=(1, *shape[1:]), dtype="f4")
    else:
        file = h5py.File(path, "w")
        array = file.create_dataset("probs", shape, "f4", chunks=(1, *shape[1:]), compression="gzip")
    for number in range(written):
        array[number] = np.random.default_rng(number).random(shape[1:])
    if path.suffix != ".zarr":
        file.close()
    return path


@pytest.mark.parametrize("name", ["a.h5", "a.zarr"])
def test_an_array_that_its_file_is_too_small_for_is_refused_before_it_is_read(tmp_path, name):
    path = write_claim(tmp_path / name, (25_000_000, 1000, 100), 0)  # 10 TB
    with (
        pytest.raises(InvalidInputError, match=r"probs should take 10,000,000,000,000 bytes, of which the file holds"),
        open_passes(path),
    ):
        pass
    with open_passes(write_claim(tmp_path / f"half-{name}", (4, 10, 3), 2)) as file:
        assert np.asarray(file.passes[1:3]).any(axis=(1, 2)).tolist() == [True, False]


@pytest.mark.attack
@pytest.mark.parametrize("kind", ["hdf5", "iterator"])
def test_a_full_temporary_disk_is_told_in_one_line_and_nothing_stays_there(tmp_path, monkeypatch, kind):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    passes = iter([np.full((10_000, 3), 1 / 3)] * 3) if kind == "iterator" else open_lazily(kind, tmp_path)
    with pytest.raises(StorageError, match="do not fit into the folder of temporary files") as caught, full_disk(100):
        mcviz.write_run(tmp_path / "run", passes)
    assert "\n" not in str(caught.value)
    assert not list(folder.iterdir())
    assert not (tmp_path / "run").exists()


def test_passes_that_exceed_the_temporary_disk_are_refused_before_a_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1000, 900, 100))
    with pytest.raises(StorageError, match="they take 840 bytes"):
        mcviz.write_run(tmp_path / "run", open_lazily("hdf5", tmp_path))


def test_a_machine_without_a_folder_of_temporary_files_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "missing")])
    with pytest.raises(StorageError, match="No usable temporary directory"):
        mcviz.write_run(tmp_path / "run", iter(PROBS))


SPREADS_OF_ONE = SPREADS[..., :1]
LONG_OF_CLASSES = "example,pass,class,probability\n0,0,0,1\n0,1,0,1\n"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: write_file(f / "a.csv", "example,pass,value\n0,0,much\n0,1,little\n"), "value should hold numbers"),
        (lambda f: write_file(f / "a.csv", LONG_OF_CLASSES), "has the columns example, pass, target, value"),
        (
            lambda f: write_npz(f / "a.npz", outputs=MEANS, variances=SPREADS_OF_ONE),
            r"variances has the shape \(5, 7, 1\), and outputs the shape",
        ),
    ],
)
def test_a_file_without_values_of_a_regression_is_told_in_one_line(tmp_path, make, message):
    with (
        pytest.raises(InvalidInputError, match=message) as refusal,
        open_passes(make(tmp_path), Regression.pass_names),
    ):
        pass
    assert "\n" not in str(refusal.value)


def test_a_spread_is_that_which_the_file_has(tmp_path):
    path = write_npz(tmp_path / "a.npz", outputs=MEANS, variances=SPREADS)
    with open_passes(path, Regression.pass_names) as passes:
        assert passes.resolve_predicts("mean") == passes.resolve_predicts("mean,variance") == "mean,variance"
        with pytest.raises(InvalidInputError, match="or mean,variance, as the file has them"):
            passes.resolve_predicts("mean,std")
