"""The caching layer: what a run is, how it is written, opened and checked. Nothing here needs TensorFlow."""

from mcviz.runs.derived import derived, keep_derived
from mcviz.runs.export import as_xarray, export_run
from mcviz.runs.folder import ListedRun, list_runs, remove_run
from mcviz.runs.images import StoredImages
from mcviz.runs.manifest import ImageSet, Layer, Layout, Manifest, ModelUsed
from mcviz.runs.run import Run, open_run
from mcviz.runs.verify import Verification, verify_run

__all__ = [
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
    "derived",
    "export_run",
    "keep_derived",
    "list_runs",
    "open_run",
    "remove_run",
    "verify_run",
]
