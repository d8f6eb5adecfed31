"""Models and data that can be sampled: those that the operator has put in place, and those of runs."""

from dataclasses import dataclass
from pathlib import Path

from mcviz.app.places import DATA, MODELS, finished_runs, folders, list_offered, offered_data


@dataclass(frozen=True)
class InputSource:
    """A model or a data set.

    Attributes:
        name: what it is called.
        path: of the file or folder; of the run, where it is that of one.
        of_run: whether it is the model, or the examples, of a run.
    """

    name: str
    path: Path
    of_run: bool = False


def models() -> dict[str, InputSource]:
    """The models by their names: files of the operator's folders, and then those that runs have kept."""
    files = list_offered(MODELS, lambda folder: folder.rglob("*.keras"))
    kept = {
        f"model of the run {name}": InputSource(name, path, of_run=True)
        for name, path, manifest in finished_runs()
        if manifest.has_model
    }
    return _named(files) | kept


def data_sets() -> dict[str, InputSource]:
    """The data sets by their names: what is in the operator's folders, and then the examples of runs."""
    kept = {
        f"examples of the run {name}": InputSource(name, path, of_run=True)
        for name, path, manifest in finished_runs()
        if manifest.has_examples
    }
    return _named(offered_data()) | kept


def without_folders(told: str) -> str:
    """Leave out the folders above those of models and data, which are the operator's affair."""
    for folder in (*folders(MODELS), *folders(DATA)):
        told = told.replace(f"{folder}/", "")
    return told


def _named(files: dict[str, Path]) -> dict[str, InputSource]:
    return {name: InputSource(path.stem, path) for name, path in files.items()}
