"""Whether the model of a run can be opened here: one of PyTorch is built by code, which the run only names."""

from collections.abc import Sequence

from mcviz.errors import MissingPackageError
from mcviz.extras import IMPORT_VARIABLE, is_in_modules, require_torch
from mcviz.manifest import Manifest


def explain_closed_model(manifest: Manifest, modules: Sequence[str]) -> str:
    """Explain in Markdown why a run's model cannot be opened here, and what to do; or "" where nothing is in the way.

    A run is a file, and files are copied: what one names is imported only from modules that the operator has named.

    Args:
        manifest: of the run.
        modules: that the operator has named, with all that is in them.
    """
    model = manifest.model
    if model is None or (model.backend == "keras" and not model.function and not model.transform):
        return ""
    if manifest.inputs_sha256 is not None:
        return (
            "This run's model was given arrays that are not in the run, so it cannot be asked about others. Sample it "
            "with a transform, which makes the model's input of an example."
        )
    if not model.function or (model.has_transform and not model.transform):
        missing = "transform of its examples" if model.function else "function that builds it"
        return (
            f"This run has its model's weights, and does not name the {missing}. To ask it about new examples, sample "
            "it from `mcviz.load_torch('package.module:function', weights=…, transform='package.module:function')`."
        )
    closed = [name for name in (model.function, model.transform) if name and not is_in_modules(name, modules)]
    if closed:
        packages = dict.fromkeys(name.partition(":")[0].partition(".")[0] for name in closed)
        return (
            "This run's model is built by code that the run only names, "
            f"{' and '.join(f'`{name}`' for name in closed)}. Code is imported from packages that you name: if you "
            f"trust it, start again with `{' '.join(f'--import {name}' for name in packages)}`, or with "
            f"`{IMPORT_VARIABLE}='{' '.join(packages)}'`."
        )
    try:
        require_torch()
    except MissingPackageError as error:
        return str(error)
    return ""
