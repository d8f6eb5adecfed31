"""A run goes to other tools as it is."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mcviz.errors import InvalidInputError, StorageError
from mcviz.runs import Run, as_xarray, export_run
from tests.runs.making import FORMS, make


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make(tmp_path_factory.mktemp("runs") / "run")


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
    import xarray

    export_run(run, tmp_path / "run.nc")
    with xarray.open_dataset(tmp_path / "run.nc") as found:
        assert dict(found.sizes) == {"draw": 6, "example": 11, "category": 3}
        assert found["probs"].dims == ("draw", "example", "category")
        np.testing.assert_array_equal(found["probs"], run.probs_block(0, 11))
        np.testing.assert_array_equal(found["label"], run.labels)
        np.testing.assert_array_equal(found["margin"], run.scores()["margin"])
        assert found["category"].values.tolist() == list(run.class_names)
        assert found.attrs["digest"] == run.digest


@pytest.mark.parametrize("name", ["one target of rows", "three targets with variances"])
def test_a_regression_goes_with_its_targets_and_its_variances(tmp_path: Path, name: str) -> None:
    import xarray

    run = make(tmp_path / "run", **FORMS[name])
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
    with xarray.open_dataset(tmp_path / "a.nc") as found:
        for array, values in (wanted | {"label": run.labels}).items():
            np.testing.assert_array_equal(found[array], values)
        assert found["outputs"].dims == ("draw", "example", "target")
        assert found["target"].values.tolist() == targets
        assert set(run.manifest.scores) <= set(found)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), run.table())


def test_texts_and_rows_go_with_the_scores(tmp_path: Path) -> None:
    for name in ("classes of texts", "one target of rows"):
        run = make(tmp_path / name, **FORMS[name])
        export_run(run, tmp_path / "a.parquet")
        found = pd.read_parquet(tmp_path / "a.parquet")
        pd.testing.assert_frame_equal(
            found[list(run.manifest.examples.content)].astype(run.content.dtypes), run.content
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
