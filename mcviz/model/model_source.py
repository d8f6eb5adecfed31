"""Where a model comes from, and how it is prepared: enough to do it again in another process."""

import os
from dataclasses import dataclass
from pathlib import Path

from mcviz.choices import Predicts
from mcviz.extras import import_modules
from mcviz.model.loading import load_model
from mcviz.model.sampler import Sampler
from mcviz.model.texts import with_vocabulary
from mcviz.runs import open_run


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

    def sampler(self) -> Sampler:
        """Load the model and prepare it.

        Raises:
            DataNotFoundError: there is no such file.
            MissingPackageError: a module is not there.
            InvalidInputError: an argument that cannot be used.
            UnsuitableModelError: a model that cannot be loaded or sampled.
        """
        import_modules(self.modules)
        network = load_model(self.path, trust=self.trust)
        if self.vocabulary is not None:
            network = with_vocabulary(network, list(self.vocabulary))
        if self.run is not None:
            found = Sampler.for_run(network, open_run(self.run))
        else:
            found = Sampler(
                network,
                output=self.output,
                from_logits=self.from_logits,
                task=self.task or "classification",
                predicts=self.predicts or "mean",
                rate=self.rate,
            )
        found.source = self
        return found


def absolute(path: str | os.PathLike[str]) -> str:
    """A path that means the same to a process with another working directory; an address as it is."""
    text = os.fspath(path)
    return text if "://" in text else str(Path(text).absolute())
