"""The caching layer: what a run is, how it is written, opened and checked. Nothing here needs TensorFlow."""

from mcviz.runs.derived import Derived, load_derived, save_derived
from mcviz.runs.export import as_xarray, export_run
from mcviz.runs.folder import ListedRun, list_runs, remove_run
from mcviz.runs.images import StoredImages
from mcviz.runs.manifest import ImageSet, Layer, Layout, Manifest, ModelUsed
from mcviz.runs.run import Run, open_run
from mcviz.runs.verify import Verification, verify_run

__all__ = [
    "Derived",
    "ImageSet",
    "Layer",
    "Layout",
    "ListedRun",
    "Manifest",
    "ModelUsed",
    "Run",
    "StoredImages",
    "Verification",
    "as_xarray",
    "export_run",
    "list_runs",
    "load_derived",
    "open_run",
    "remove_run",
    "save_derived",
    "verify_run",
]
