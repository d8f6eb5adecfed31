"""Where a model comes from, and how it is prepared: enough to do it again in another process."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from mcviz.extras import is_function_name
from mcviz.options import ModelOptions, TaskOptions

WEIGHTS_ALONE = (
    "A file of PyTorch has weights, and the function that builds the model is missing: give --model "
    "package.module:function --weights FILE, or in Python mcviz.load_torch('package.module:function', weights=FILE)."
)


@dataclass(frozen=True)
class ModelSource:
    """A model's file or function, and all that a `Sampler` of it is told.

    Attributes:
        options: of the model, with paths that mean the same to every process.
        task: what it predicts.
        run: of the run whose own model it is, which is then sampled as it was for that run; or None.
    """

    options: ModelOptions
    task: TaskOptions = field(default_factory=TaskOptions)
    run: str | None = None


def absolute(path: str | os.PathLike[str]) -> str:
    """A path that means the same to a process with another working directory; an address or a function as it is."""
    text = os.fspath(path)
    return text if "://" in text or is_function_name(text) else str(Path(text).absolute())
