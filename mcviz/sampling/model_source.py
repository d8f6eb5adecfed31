"""Where a model comes from, and how it is prepared: enough to do it again in another process."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from mcviz.options import ModelOptions, TaskOptions


@dataclass(frozen=True)
class ModelSource:
    """A model file, and all that a `Sampler` of it is told.

    Attributes:
        options: of the model, with a path that means the same to every process.
        task: what it predicts.
        run: of the run whose own model it is, which is then sampled as it was for that run; or None.
    """

    options: ModelOptions
    task: TaskOptions = field(default_factory=TaskOptions)
    run: str | None = None


def absolute(path: str | os.PathLike[str]) -> str:
    """A path that means the same to a process with another working directory; an address as it is."""
    text = os.fspath(path)
    return text if "://" in text else str(Path(text).absolute())
