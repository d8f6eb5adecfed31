"""Runs on disk: written, opened, checked, listed and exported. Nothing here needs TensorFlow."""

from mcviz.manifest import Examples, Images, Layer, Layout, Manifest, Model, Origin, Preprocessing
from mcviz.runs.arrays import ValueScale
from mcviz.runs.derived import Derived, load_derived, save_derived
from mcviz.runs.folder import (
    PRESETS,
    ListedRun,
    Removal,
    list_runs,
    preview_removal,
    remove_run,
    rename_run,
    run_names,
    runs_table,
)
from mcviz.runs.run import Run, open_run
from mcviz.runs.verify import Verification, as_xarray, check_table_file, export_run, verify_run, write_table

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
