"""Where runs come from, and what the pages share of one."""

import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

import mcviz
from mcviz import Run
from mcviz.app import resources
from mcviz.app.kinds.base import import_ahead
from mcviz.errors import RunNotFoundError, UnsuitableModelError
from mcviz.measures import SCORES, most_uncertain_first
from tests.runs.making import make


def folder_of(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).mkdir(parents=True)
        (path / name / "manifest.json").write_text("{")
    return path


def test_runs_are_found_by_name_without_being_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path, "b", "a", ".hidden")
    (tmp_path / "no-run").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    assert resources.run_paths() == {"a": tmp_path / "a", "b": tmp_path / "b"}


@pytest.mark.parametrize("name", ["file", "mistyped"])
def test_what_was_named_and_is_no_folder_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / name))
    with pytest.raises(RunNotFoundError, match=f"There is no folder {tmp_path / name}. Name the folder"):
        resources.run_paths()


def test_only_the_shipped_runs_are_shown_where_the_folder_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path / "installed", "shipped", "example", "somebody's")
    shipped = {name: tmp_path / "installed" / name for name in ("shipped", "example", "taken-away")}
    monkeypatch.setattr("mcviz.runs.storage.SHIPPED_RUNS", tuple(shipped.values()))
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / "mine"))
    assert resources.run_paths() == {name: shipped[name] for name in ("shipped", "example")}
    folder_of(tmp_path / "mine", "zebra")
    assert resources.run_paths() == {"zebra": tmp_path / "mine" / "zebra"}
    folder_of(tmp_path / "mine", "another", "shipped")
    assert list(resources.run_paths()) == ["shipped", "another", "zebra"]


def test_runs_are_in_the_current_folder_or_else_in_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MCVIZ_CACHE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert next(iter(resources.run_paths())) == "mnist-cnn"
    folder_of(tmp_path / "checkout" / "cache", "its-own")
    monkeypatch.setattr("mcviz.runs.folder.PACKAGE", tmp_path / "checkout" / "mcviz")
    monkeypatch.setattr("mcviz.runs.storage.SHIPPED_RUNS", ())
    assert resources.run_paths() == {}
    (tmp_path / "checkout" / "pyproject.toml").touch()
    assert list(resources.run_paths()) == ["its-own"]
    folder_of(tmp_path / "cache", "mine")
    assert list(resources.run_paths()) == ["mine"]


def test_a_run_has_one_table_and_its_rankings_are_read_only(run: Run) -> None:
    assert resources.table(run) is resources.table(run)
    for name in SCORES:
        values = resources.table(run)[name].to_numpy()
        np.testing.assert_array_equal(resources.ranking(run, name), most_uncertain_first(name, values))
        np.testing.assert_array_equal(resources.sorted_scores(run, name), np.sort(values))
        assert not resources.ranking(run, name).flags.writeable
        assert not resources.sorted_scores(run, name).flags.writeable


def test_live_passes_are_as_many_as_the_run_has(colour_cache: Path) -> None:
    run = mcviz.open_run(colour_cache / "colour")
    assert resources.predict_live(run, np.zeros((2, 12, 10, 3), np.float32)).shape == (run.passes, 2, 3)


def test_a_run_is_opened_once_and_again_where_it_was_written_anew(tmp_path: Path) -> None:
    make(tmp_path / "run")
    opened = resources.open_cached_run(tmp_path / "run")
    assert resources.open_cached_run(tmp_path / "run") is opened
    os.utime(tmp_path / "run" / "manifest.json", (1, 1))
    assert resources.open_cached_run(tmp_path / "run") is not opened


def test_garbage_is_not_kept_where_a_model_is_loaded_and_what_is_loaded_is_not_looked_at(
    colour_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "gc", gc)

    class Garbage:
        def __init__(self) -> None:
            self.itself = self

    before, after = Garbage(), Garbage()
    there = weakref.ref(before), weakref.ref(after)
    del before
    resources.sampler.clear()
    resources.sampler(mcviz.open_run(colour_cache / "colour"))
    assert there[0]() is None
    assert len(gc.get_objects()) < gc.get_freeze_count() / 3, "Keras collects garbage after every rerun"
    del after
    resources.sampler.clear()
    resources.sampler(mcviz.open_run(colour_cache / "colour"))
    assert there[1]() is None, "what is garbage by the next time is not kept either"


def test_what_a_page_imports_ahead_is_not_looked_at_either(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Mock()
    monkeypatch.setattr(resources, "gc", calls)
    monkeypatch.setattr("importlib.import_module", calls.load)
    monkeypatch.delitem(sys.modules, "mcviz.sampling.keras.network", raising=False)
    before = {*threading.enumerate()}
    import_ahead(run)
    for thread in {*threading.enumerate()} - before:
        thread.join()
    assert [name for name, *_ in calls.mock_calls] == ["load", "unfreeze", "collect", "freeze"]


@pytest.mark.slow
def test_layers_of_the_user_s_own_come_from_the_modules_that_the_operator_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_layers_of_resources.py").write_text(
        "import keras\n"
        "@keras.saving.register_keras_serializable('resources')\n"
        "class Doubled(keras.layers.Layer):\n"
        "    def call(self, inputs):\n"
        "        return 2 * inputs\n"
    )
    making = (
        "import keras, mcviz, numpy, my_layers_of_resources as my; layers = keras.layers\n"
        "stack = [keras.Input((4, 4, 1)), my.Doubled(), layers.Flatten(), layers.Dropout(0.5), layers.Dense(3)]\n"
        "images = numpy.zeros((2, 4, 4, 1), 'uint8') + 100\n"
        "mcviz.sample_run(keras.Sequential(stack), images, 'run', passes=3)"
    )
    alone = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}  # what it registers is unknown here
    subprocess.run([sys.executable, "-c", making], cwd=tmp_path, check=True, env=alone, capture_output=True)
    run = mcviz.open_run(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    with pytest.raises(UnsuitableModelError, match="name its module by --import"):
        resources.predict_live(run, np.zeros((2, 4, 4, 1), np.float32))
    monkeypatch.setenv("MCVIZ_IMPORT", "my_layers_of_resources")
    live = resources.predict_live(run, np.full((2, 4, 4, 1), 100 / 255, np.float32))
    np.testing.assert_allclose(live, run.probs_block(0, None), atol=1e-4)
