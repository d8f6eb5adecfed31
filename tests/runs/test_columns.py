"""The examples' ids, the user's own columns and features in a run: kept, checked, grown and removed with it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from mcviz.errors import CorruptRunError, InvalidInputError, RunExistsError
from mcviz.manifest import COLUMNS
from mcviz.runs import Run, open_run, remove_run, verify_run
from mcviz.runs.tables import Contents, describe_examples, encode_columns, hash_array, rename_reserved
from mcviz.runs.writer import write
from tests.runs.making import MadeUpSource, contents, some_images, wanted
from tests.runs.sealing import replace_file

IDS = tuple(f"scan {number}" for number in range(11))
OWN = pd.DataFrame(
    {"source": list("aabbccddeef"), "age": np.arange(11.0), "seen": pd.date_range("2026-01-01", periods=11)}
)
FEATURES = np.random.default_rng(0).normal(size=(11, 5)).astype(np.float32)


def make_with_columns(out: Path, columns: pd.DataFrame = OWN, passes: int = 6) -> Run:
    images = some_images()
    manifest = wanted(images, None, passes=passes)
    examples, table = describe_examples(manifest.examples, "classification", (), IDS, None, columns)
    manifest = replace(
        manifest,
        examples=examples,
        model=replace(manifest.model, stored=False),
        features=5,
        features_sha256=hash_array(FEATURES),
    )
    parts = Contents(MadeUpSource(images, 3, 5), images, None, IDS, table, FEATURES)
    return write(out, manifest, parts)


def test_they_come_back_as_they_were_and_are_removed_with_the_run(tmp_path):
    run = open_run(make_with_columns(tmp_path / "run").path)
    assert run.columns is not None
    assert list(run.columns["id"]) == list(run.scores()["id"]) == list(IDS)
    for name in ("source", "age"):
        assert run.columns[name].tolist() == OWN[name].tolist()
    assert (run.columns["seen"] == OWN["seen"]).all()
    assert list(run.table().columns)[-3:] == ["source", "age", "seen"]
    np.testing.assert_array_equal(run.features, FEATURES)
    verify_run(run.path)
    assert remove_run(run.path) == []
    assert not (tmp_path / "run").exists()


def test_a_run_that_grows_keeps_them_and_is_the_one_made_at_once(tmp_path):
    make_with_columns(tmp_path / "grown")
    grown, at_once = make_with_columns(tmp_path / "grown", passes=9), make_with_columns(tmp_path / "once", passes=9)
    assert grown.digest == at_once.digest
    assert contents(tmp_path / "grown") == contents(tmp_path / "once")


def test_other_columns_or_ids_are_another_run(tmp_path):
    make_with_columns(tmp_path / "run")
    with pytest.raises(RunExistsError, match="ids and columns"):
        make_with_columns(tmp_path / "run", OWN.assign(age=3))


def test_ids_that_are_not_those_of_the_scores_are_found_by_verify(tmp_path):
    run = make_with_columns(tmp_path / "run")
    content = encode_columns(IDS[::-1], OWN)
    assert content is not None
    replace_file(Path(run.path), COLUMNS, content)
    with pytest.raises(CorruptRunError, match=r"scores\.parquet"):
        verify_run(tmp_path / "run")


def test_columns_of_any_ordinary_kind_are_kept_and_others_refused():
    kinds = pd.DataFrame({"text": ["a", None], "flag": [True, False], "kind": pd.Categorical(["x", "y"]), 3: [1, 2]})
    assert encode_columns(None, kinds) is not None
    with pytest.raises(InvalidInputError, match="Two columns of the examples have the name user_id"):
        encode_columns(None, rename_reserved(pd.DataFrame({"id": [1], "user_id": [2]}), ["id"]))
    with pytest.raises(InvalidInputError, match="A column of the examples cannot be kept"):
        encode_columns(None, pd.DataFrame({"mixed": [1, "a"]}))
