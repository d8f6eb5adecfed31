"""A run goes to other tools: exported, and as it is, which xarray, pandas and DuckDB open without mcviz."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import xarray

from mcviz.errors import InvalidInputError, StorageError
from mcviz.measures import SCORES
from mcviz.runs import Run, as_xarray, export_run, open_run
from mcviz.tasks import task_of
from tests.runs.making import FORMS, make, some_content, some_images, some_labels, some_targets

ROOT = Path(__file__).parents[2]
STORED = [name for name, score in SCORES.items() if set(score.needs) == {"probs"}]


@pytest.fixture(scope="module")
def run(finished_runs: dict[str, Path]) -> Run:
    return open_run(finished_runs["classes of images"])


def test_scores_as_parquet(run: Run, tmp_path: Path) -> None:
    export_run(run, tmp_path / "scores.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "scores.parquet"), run.scores())


def test_probabilities_as_npz(run: Run, tmp_path: Path) -> None:
    export_run(run, tmp_path / "probs.npz")
    with np.load(tmp_path / "probs.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["probs"], run.probs_block(0, 11))
        np.testing.assert_array_equal(arrays["deterministic_probs"], run.deterministic_probs)
        np.testing.assert_array_equal(arrays["labels"], run.labels)


def test_everything_as_netcdf(run: Run, tmp_path: Path) -> None:
    export_run(run, tmp_path / "run.nc")
    with xarray.open_dataset(tmp_path / "run.nc") as arrays:
        assert dict(arrays.sizes) == {"draw": 6, "example": 11, "category": 3}
        assert arrays["probs"].dims == ("draw", "example", "category")
        np.testing.assert_array_equal(arrays["probs"], run.probs_block(0, 11))
        np.testing.assert_array_equal(arrays["label"], run.labels)
        np.testing.assert_array_equal(arrays["margin"], run.scores()["margin"])
        assert arrays["category"].values.tolist() == list(run.class_names)
        assert arrays.attrs["digest"] == run.digest


@pytest.mark.parametrize("name", ["one target of rows", "three targets with variances"])
def test_a_regression_goes_with_its_targets_and_its_variances(
    finished_runs: dict[str, Path], tmp_path: Path, name: str
) -> None:
    run = open_run(finished_runs[name])
    targets, passes, fixed = list(run.targets), run.predictions_block(0, None), run.deterministic_predictions
    wanted = {"outputs": passes[..., : len(targets)], "deterministic_outputs": fixed[:, : len(targets)]}
    if run.manifest.predicts != "mean":
        wanted |= {"variances": passes[..., len(targets) :], "deterministic_variances": fixed[:, len(targets) :]}
    for suffix in (".npz", ".nc", ".parquet"):
        export_run(run, tmp_path / f"a{suffix}")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        more = {"labels": run.labels} | ({} if run.columns is None else {"ids": run.columns["id"]})
        assert set(arrays) == {*wanted, *more}
        for array, values in (wanted | more).items():
            np.testing.assert_array_equal(arrays[array], values)
    with xarray.open_dataset(tmp_path / "a.nc") as netcdf:
        for array, values in (wanted | {"label": run.labels}).items():
            np.testing.assert_array_equal(netcdf[array], values)
        assert netcdf["outputs"].dims == ("draw", "example", "target")
        assert netcdf["target"].values.tolist() == targets
        assert set(run.manifest.scores) <= set(netcdf)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), run.table())


def test_texts_and_rows_go_with_the_scores(finished_runs: dict[str, Path], tmp_path: Path) -> None:
    for name in ("classes of texts", "one target of rows"):
        run = open_run(finished_runs[name])
        export_run(run, tmp_path / "a.parquet")
        table = pd.read_parquet(tmp_path / "a.parquet")
        pd.testing.assert_frame_equal(
            table[list(run.manifest.examples.content)].astype(run.content.dtypes), run.content
        )


def test_without_labels(tmp_path: Path) -> None:
    run = make(tmp_path / "run", labelled=False)
    for name in ("a.parquet", "a.npz", "a.nc"):
        export_run(run, tmp_path / name)
    assert "label" not in as_xarray(run)
    assert pd.read_parquet(tmp_path / "a.parquet")["correct"].isna().all()


def test_another_kind_of_file(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"to \.parquet, \.npz or \.nc\. Received: .*probs\.csv"):
        export_run(run, tmp_path / "probs.csv")


@pytest.mark.parametrize(
    ("module", "name", "what"),
    [
        ("pyarrow", "a.parquet", "pip install pyarrow"),
        ("xarray", "a.nc", "pip install xarray netCDF4"),
        ("netCDF4", "a.nc", "pip install xarray netCDF4"),
    ],
)
def test_a_package_that_is_not_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str, what: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InvalidInputError, match=what):
        export_run(run, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(run: Run, tmp_path: Path) -> None:
    for name in ("a.parquet", "a.npz", "a.nc"):
        with pytest.raises(StorageError, match="cannot be written"):
            export_run(run, tmp_path / "nowhere" / name)


# Without mcviz


def test_xarray_gives_the_arrays_under_the_names_of_the_field(run: Run) -> None:
    arrays = xarray.open_zarr(f"{run.path}/predictions.zarr", consolidated=False)
    assert arrays["probs"].dims == ("example", "category", "draw")
    np.testing.assert_allclose(
        arrays["probs"].transpose("draw", "example", "category"), run.probs_block(0, None), atol=1e-7
    )
    np.testing.assert_array_equal(arrays["deterministic_probs"], run.deterministic_probs)
    np.testing.assert_array_equal(arrays["mean_probs"], run.mean_probs)
    np.testing.assert_array_equal(arrays["images"], some_images())
    np.testing.assert_array_equal(arrays["label"], some_labels())
    np.testing.assert_array_equal(arrays["correct_per_pass"] / len(run), run.pass_accuracy)
    assert arrays["label"].dtype == np.int64


@pytest.mark.parametrize("name", ["one target of rows", "three targets with variances"])
def test_xarray_gives_a_regression_in_its_unit(finished_runs: dict[str, Path], name: str) -> None:
    form, run = FORMS[name], open_run(finished_runs[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        arrays = xarray.open_zarr(f"{run.path}/predictions.zarr", consolidated=False)
        passes = arrays["outputs"].transpose("draw", "example", "target").to_numpy()
        if "predicts" in form:
            passes = np.concatenate([passes, arrays["variances"].transpose("draw", "example", "target")], axis=2)
    np.testing.assert_array_equal(passes, run.predictions_block(0, None))
    np.testing.assert_array_equal(arrays["label"], some_targets(11, len(form["targets"])))
    np.testing.assert_array_equal(arrays["mean_outputs"], run.mean_predictions[:, : len(form["targets"])])
    rmse = np.sqrt(arrays["squared_error_per_pass"] / arrays["label"].size)
    np.testing.assert_allclose(rmse, run.pass_rmse, rtol=1e-12)
    assert arrays["outputs"].attrs.get("units") == form.get("unit")
    assert arrays["squared_error_per_pass"].attrs.get("units") == ("(kg)^2" if "unit" in form else None)


def test_a_unit_of_time_stays_a_number_for_xarray(tmp_path: Path) -> None:
    run = make(tmp_path / "run", **FORMS["one target of rows"] | {"unit": "days"})
    arrays = xarray.open_zarr(f"{run.path}/predictions.zarr", consolidated=False)
    assert arrays["outputs"].dtype == np.float32


def test_pandas_gives_a_regression_s_values_and_its_texts_and_rows(finished_runs: dict[str, Path]) -> None:
    for name, form in FORMS.items():
        run = open_run(finished_runs[name])
        table = pd.read_parquet(f"{run.path}/scores.parquet")
        expected = ["example", "id", *task_of(run.manifest).table_columns(run.targets), *run.manifest.scores]
        assert list(table) == expected
        if form.get("targets") == ("x", "y", "z 1"):
            assert expected[2:8] == [
                "label_x",
                "label_y",
                "label_z 1",
                "prediction_x",
                "prediction_y",
                "prediction_z 1",
            ]
        if "kind" in form and form["kind"] != "none":
            content = pd.read_parquet(f"{run.path}/examples.parquet")[list(run.manifest.examples.content)]
            given = some_content(form["kind"])
            assert content.to_numpy().tolist() == given.to_numpy().tolist() == run.content.to_numpy().tolist()


def test_pandas_gives_the_ranking(run: Run) -> None:
    table = pd.read_parquet(f"{run.path}/scores.parquet")
    assert list(table) == ["example", "id", "label", "prediction", "correct", *STORED]
    assert table["example"].tolist() == list(range(11))
    pd.testing.assert_frame_equal(table[STORED], run.scores()[STORED].reset_index(drop=True))


def test_duckdb_gives_the_ranking(run: Run) -> None:
    query = f"select example from '{run.path}/scores.parquet' order by mutual_information desc, example limit 3"
    expected = run.scores()["mutual_information"].sort_values(ascending=False, kind="stable").index[:3]
    assert [row[0] for row in duckdb.sql(query).fetchall()] == expected.tolist()


@pytest.mark.parametrize("array", ["outputs", "variances"])
def test_a_missing_shard_of_a_regression_is_missing_numbers_and_never_zeros(tmp_path: Path, array: str) -> None:
    run = make(tmp_path / "run", **FORMS["three targets with variances"])
    for name in (array, "label", f"mean_{array}"):
        (tmp_path / "run/predictions.zarr" / name / ("c.1.0.0" if name == array else "c.0.0")).unlink()
    (tmp_path / "run/predictions.zarr/squared_error_per_pass/c.0").unlink()
    arrays = xarray.open_zarr(f"{run.path}/predictions.zarr", consolidated=False)
    assert np.isnan(arrays[array][4:8]).all()
    assert np.isfinite(arrays[array][:4]).all()
    assert all(np.isnan(arrays[name]).all() for name in ("label", f"mean_{array}", "squared_error_per_pass"))


def test_a_missing_shard_is_missing_numbers_and_never_zeros(finished_run: Path) -> None:
    (finished_run / "predictions.zarr/probs/c.1.0.0").unlink()
    (finished_run / "predictions.zarr/mean_probs/c.0.0").unlink()
    arrays = xarray.open_zarr(f"{finished_run}/predictions.zarr", consolidated=False)
    assert np.isnan(arrays["probs"][4:8]).all()
    assert np.isfinite(arrays["probs"][:4]).all()
    assert np.isnan(arrays["mean_probs"]).all()


WITHOUT_MCVIZ = """
import json, sys
import numpy, pandas, xarray
probs = xarray.open_zarr("cache/mnist-cnn/predictions.zarr", consolidated=False)["probs"]
scores = pandas.read_parquet("cache/mnist-cnn/scores.parquet")
top = float(probs.isel(example=1247).mean("draw").max())
print(json.dumps([probs.dims, str(probs.dtype), top - float(scores["max_probability"][1247]), "mcviz" in sys.modules]))
"""


@pytest.mark.slow
def test_the_shipped_run_opens_without_mcviz_and_without_a_warning() -> None:
    printed = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_MCVIZ], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    dimensions, dtype, difference, imported = json.loads(printed)
    assert (dimensions, dtype[:5], imported) == (["example", "category", "draw"], "float", False)
    assert abs(difference) < 1e-5
