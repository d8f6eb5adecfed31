"""Nobody needs mcviz to read a run: xarray, pandas and DuckDB open its files as they are."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import xarray

from mcviz.measures import SCORES
from mcviz.runs import Run
from tests.runs.making import make, some_images, some_labels

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make(tmp_path_factory.mktemp("runs") / "run")


def test_xarray_gives_the_arrays_under_the_names_of_the_field(run: Run) -> None:
    found = xarray.open_zarr(f"{run.path}/predictions.zarr", consolidated=False)
    assert found["probs"].dims == ("example", "category", "draw")
    np.testing.assert_allclose(
        found["probs"].transpose("draw", "example", "category"), run.probs_block(0, None), atol=1e-7
    )
    np.testing.assert_array_equal(found["deterministic_probs"], run.deterministic_probs)
    np.testing.assert_array_equal(found["mean_probs"], run.mean_probs)
    np.testing.assert_array_equal(found["images"], some_images())
    np.testing.assert_array_equal(found["label"], some_labels())
    np.testing.assert_array_equal(found["correct_per_pass"] / len(run), run.pass_accuracy)
    assert found["label"].dtype == np.int64


def test_pandas_gives_the_ranking(run: Run) -> None:
    found = pd.read_parquet(f"{run.path}/scores.parquet")
    assert list(found) == ["example", "id", "label", "prediction", "correct", *SCORES]
    assert found["example"].tolist() == list(range(11))
    pd.testing.assert_frame_equal(found[list(SCORES)], run.scores()[list(SCORES)].reset_index(drop=True))


def test_duckdb_gives_the_ranking(run: Run) -> None:
    query = f"select example from '{run.path}/scores.parquet' order by mutual_information desc, example limit 3"
    expected = run.scores()["mutual_information"].sort_values(ascending=False, kind="stable").index[:3]
    assert [row[0] for row in duckdb.sql(query).fetchall()] == expected.tolist()


def test_a_missing_shard_is_missing_numbers_and_never_zeros(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    (tmp_path / "run/predictions.zarr/probs/c.1.0.0").unlink()
    (tmp_path / "run/predictions.zarr/mean_probs/c.0.0").unlink()
    found = xarray.open_zarr(f"{run.path}/predictions.zarr", consolidated=False)
    assert np.isnan(found["probs"][4:8]).all()
    assert np.isfinite(found["probs"][:4]).all()
    assert np.isnan(found["mean_probs"]).all()


def test_the_shipped_run_opens_without_mcviz_and_without_a_warning() -> None:
    script = """
import json, sys
import numpy, pandas, xarray
probs = xarray.open_zarr("cache/mnist-cnn/predictions.zarr", consolidated=False)["probs"]
scores = pandas.read_parquet("cache/mnist-cnn/scores.parquet")
top = float(probs.isel(example=1247).mean("draw").max())
print(json.dumps([probs.dims, str(probs.dtype), top - float(scores["max_probability"][1247]), "mcviz" in sys.modules]))
"""
    printed = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    dimensions, dtype, difference, imported = json.loads(printed)
    assert (dimensions, dtype[:5], imported) == (["example", "category", "draw"], "float", False)
    assert abs(difference) < 1e-5
