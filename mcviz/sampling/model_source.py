"""Where a model comes from, and how it is prepared: enough to do it again in another process."""

import os
from dataclasses import dataclass
from pathlib import Path

from mcviz.choices import Predicts


@dataclass(frozen=True)
class ModelSource:
    """A model file, and all that a `Sampler` of it is told.

    Attributes:
        path: of the file.
        run: of the run whose own model it is, which is then sampled as it was for that run; or None.
        trust: see `load_model`.
        vocabulary: see `with_vocabulary`; or None.
        modules: of the user's own, which are imported first: they register layers.
        output: see `Sampler`, as for what follows.
        from_logits: likewise.
        task: likewise.
        predicts: likewise.
        rate: likewise.
    """

    path: str
    run: str | None = None
    trust: bool = False
    vocabulary: tuple[str, ...] | None = None
    modules: tuple[str, ...] = ()
    output: str | None = None
    from_logits: bool | None = None
    task: str | None = None
    predicts: Predicts | None = None
    rate: float | None = None


def absolute(path: str | os.PathLike[str]) -> str:
    """A path that means the same to a process with another working directory; an address as it is."""
    text = os.fspath(path)
    return text if "://" in text else str(Path(text).absolute())
