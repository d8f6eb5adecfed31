"""Runs on disk: written, opened, checked, listed and exported. Nothing here needs TensorFlow."""

from mcviz.manifest import Examples, Images, Layer, Layout, Manifest, Model, Origin, Preprocessing
from mcviz.runs.derived import Derived, load_derived, save_derived
from mcviz.runs.export import as_xarray, check_table_file, export_run, write_table
from mcviz.runs.folder import (
    ListedRun,
    Removal,
    list_runs,
    preview_removal,
    remove_run,
    rename_run,
    run_names,
    runs_table,
)
from mcviz.runs.images import StoredImages
from mcviz.runs.opening import open_run
from mcviz.runs.presets import PRESETS
from mcviz.runs.run import Run
from mcviz.runs.value_scale import ValueScale
from mcviz.runs.verify import Verification, verify_run

__all__ = [
    "PRESETS",
    "Derived",
    "Examples",
    "Images",
    "Layer",
    "Layout",
    "ListedRun",
    "Manifest",
    "Model",
    "Origin",
    "Preprocessing",
    "Removal",
    "Run",
    "StoredImages",
    "ValueScale",
    "Verification",
    "as_xarray",
    "check_table_file",
    "export_run",
    "list_runs",
    "load_derived",
    "open_run",
    "preview_removal",
    "remove_run",
    "rename_run",
    "run_names",
    "runs_table",
    "save_derived",
    "verify_run",
    "write_table",
]
