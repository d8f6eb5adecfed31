"""The runs of a folder: list, rename and remove them."""

import os
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mcviz.errors import (
    CorruptRunError,
    InvalidInputError,
    McvizError,
    PartialRunError,
    RunExistsError,
    RunNotFoundError,
)
from mcviz.manifest import IDENTITY, MODEL_FILES, Manifest, Preprocessing
from mcviz.measures.calibration import calibration_terms, equal_width_edges, reliability
from mcviz.permission import require_permission
from mcviz.runs.arrays import read_whole_manifest
from mcviz.runs.decisions import FILE as DECISIONS
from mcviz.runs.derived import user_folder
from mcviz.runs.manifest_file import NAME, read_manifest
from mcviz.runs.run import examples_done, open_run
from mcviz.runs.some_examples import labelled_examples
from mcviz.runs.storage import (
    PACKAGE,
    Folder,
    LocalFolder,
    folder_at,
    has_lock,
    is_shipped,
    require_own,
    shipped_runs,
    write_lock,
)
from mcviz.runs.writer import REMOVED, is_being_removed, own_files, refuse_name_of_reviews, remove_files
from mcviz.tasks import task_of
from mcviz.text import UNPRINTABLE, format_bytes, is_text, list_names, printable
from mcviz.validate import invalid

if TYPE_CHECKING:
    import pandas as pd


PRESETS = {  # as keras.applications and torchvision document them
    "imagenet": Preprocessing(255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), crop=True),
    "caffe": Preprocessing(1.0, (103.939, 116.779, 123.68), channel_order="bgr"),
    "tf": Preprocessing(127.5, (1.0,)),
}

FIGURES = "nll", "ece"  # of the ensemble: in nats, and as a fraction

RunState = Literal["finished", "partial", "damaged", "unreadable"]
LONGEST_NAME = 200  # bytes, of 255 that file systems take: the lock's name is longer
DERIVED = "derived/"


def read_figures(path: str, manifest: Manifest | None) -> dict[str, float]:
    """Compute NLL and ECE of the ensemble, by name; none unless it is a finished classification with labels.

    Args:
        path: of the run.
        manifest: of the run, or None where it cannot be read.
    """
    if manifest is None or manifest.state != "finished" or manifest.labels_sha256 is None:
        return {}
    if not task_of(manifest).has_one_class:
        return {}
    try:
        run = labelled_examples(open_run(path).undecided)
        terms = calibration_terms(run.mean_probs, np.asarray(run.labels))
    except McvizError:  # which the list says
        return {}
    return {"nll": float(terms["nll"].mean()), "ece": reliability(terms, equal_width_edges()).ece}


@dataclass(frozen=True)
class ListedRun:
    """A run as a list shows it.

    Attributes:
        path: its folder or address.
        state: "finished", "partial", "damaged" or "unreadable" (by this mcviz, or for want of permission).
        manifest: of the run, or None where it cannot be read.
        examples_done: how many of its examples have their passes.
        bytes: of all its files.
        message: the problem and what to do; empty for a finished run.
    """

    path: str
    state: RunState
    manifest: Manifest | None = field(repr=False)  # which fills a screen
    examples_done: int
    bytes: int
    message: str

    @property
    def name(self) -> str:
        """The folder's own name."""
        return PurePosixPath(self.path).name

    @property
    def is_shipped(self) -> bool:
        """Whether it came with mcviz, and cannot be changed."""
        return is_shipped(self.path)

    @property
    def measure(self) -> str | None:
        """The name of the quality in its manifest, which says 0.5 where a user decided on other thresholds."""
        if self.manifest is None:
            return None
        task = task_of(self.manifest)
        takes_thresholds = bool(task.classes_with_thresholds(self.manifest))
        is_decided = takes_thresholds and bool(folder_at(self.path).version(DECISIONS))
        return f"{task.quality_name} at 0.5" if is_decided else task.quality_name

    def as_json(self) -> dict[str, Any]:
        """The row of a list in types that JSON has; unknown values are null."""
        manifest = self.manifest
        row: dict[str, Any] = {"name": self.name, "path": self.path, "state": self.state, "message": self.message}
        row |= {"bytes": self.bytes, "examples_done": self.examples_done if manifest else None}
        model = manifest.model if manifest else None
        return row | {
            "model": model.name if model else None,
            "data": manifest.about.get("source") if manifest else None,
            "task": manifest.task if manifest else None,
            "kind": manifest.examples.kind if manifest else None,
            "examples": manifest.examples.count if manifest else None,
            "passes": manifest.passes if manifest else None,
            **{mark.name: getattr(manifest, name, None) for name, mark in IDENTITY.items() if mark.setting},
            "rate": manifest.rates or None if manifest else None,
            "measure": self.measure,
            "quality": manifest.quality if manifest else None,
            "started": manifest.created.get("started") if manifest else None,
            "finished": manifest.created.get("finished") if manifest else None,
            "digest": manifest.digest if manifest else None,
            "shipped": self.is_shipped,
        }


@dataclass(frozen=True)
class Removal:
    """The files that a removal takes, and those that stay.

    Attributes:
        files: how many files of the run's own.
        bytes: of these.
        model: whether a model is among them.
        derived: the bytes of each file that was derived from the run, by its name; of those in the user's data folder,
            too.
        stays: names of files and empty folders in its folder that are none of the run's.
        link: whether only a link to the run goes, and the run stays.
    """

    files: int
    bytes: int
    model: bool
    derived: dict[str, int]
    stays: list[str]
    link: bool = False

    def lines(self) -> list[str]:
        """The removal in sentences."""
        if self.link:
            return ["Only the link to the run goes. The run itself stays where it is."]
        what = "passes, scores and all else that the run keeps" + (", its model too" if self.model else "")
        sentences = [f"{_count_files(self.files)}, {format_bytes(self.bytes)}: {what}."]
        if self.derived:
            names = ", ".join(name.removesuffix(".npz") for name in sorted(self.derived))
            sentences.append(f"What was derived from it goes too, {format_bytes(sum(self.derived.values()))}: {names}.")
        if self.stays:
            sentences.append(f"Files that are not part of the run stay in its folder: {list_names(self.stays)}.")
        return sentences


def cache_folder() -> Path:
    """The folder of the user's runs: `MCVIZ_CACHE`, or `cache` in the current folder, or else that of a checkout."""
    if named := os.environ.get("MCVIZ_CACHE"):
        return Path(named)
    here, checkout = Path("cache"), PACKAGE.parent
    return checkout / "cache" if (checkout / "pyproject.toml").exists() and not here.is_dir() else here


def run_names(folder: str | os.PathLike[str]) -> list[str]:
    """The names of the runs directly in a folder, in any state, in order; none of them is opened.

    Args:
        folder: a path or an fsspec address; one that is not there holds no runs.

    Raises:
        StorageError: the folder itself cannot be listed.
    """
    names = folder_at(folder).subfolders_with(NAME)
    return [name for name in names if not name.startswith(".") and is_text(name)]


def list_runs(folder: str | os.PathLike[str]) -> list[ListedRun]:
    """Open and list the runs directly in a folder, by name; a damaged one is listed as damaged.

    Args:
        folder: a path or an fsspec address; one that is not there holds no runs.

    Raises:
        StorageError: the folder itself cannot be listed.
    """
    here = folder_at(folder)
    names = sorted({*here.subfolders_with(NAME), *here.subfolders_with(REMOVED)})
    inspected = [_inspect(here, name) for name in names if not name.startswith(".")]
    return [run for run in inspected if run is not None]


def list_shipped_runs() -> list[ListedRun]:
    """Return the shipped runs as `list_runs` does."""
    inspected = [_inspect(folder_at(run.parent), run.name) for run in shipped_runs().values()]
    return [run for run in inspected if run is not None]


def runs_table(folder: str | os.PathLike[str] | None = None) -> "pd.DataFrame":
    """List the runs of a folder in a table, with how good each is; no pass is read.

    Args:
        folder: a path or an fsspec address; `MCVIZ_CACHE` or `cache` without it, and where there are no runs, those
            that came with mcviz, as `mcviz list` prints them.

    Returns:
        One row a run, indexed by `name`, with the columns that `mcviz list --json` has: among them `state`, `path`,
        `task`, `examples`, `passes`, `rate`, the rates of the dropout as a text, and the ensemble's `quality`, an
        accuracy or RMSE as `measure` says; then of a finished classification with labels `nll`, in nats, and `ece`, a
        fraction, of the ensemble. What is not known is missing.

    Raises:
        RunNotFoundError: there is no such folder.
        StorageError: it cannot be listed.
    """
    import pandas as pd  # here, because it takes time to import

    if folder is None:
        runs = list_runs(cache_folder()) or list_shipped_runs()
    else:
        require_folder(folder)
        runs = list_runs(folder)
    columns = [*ListedRun("", "unreadable", None, 0, 0, "").as_json(), *FIGURES]
    rows = [run.as_json() | read_figures(run.path, run.manifest) for run in runs]
    return pd.DataFrame(rows, columns=columns).convert_dtypes().set_index("name")


def preview_removal(path: str | os.PathLike[str]) -> Removal:
    """List the files that `remove_run` would remove.

    Raises:
        RunNotFoundError: there is no run.
        StorageError: its folder cannot be listed.
        NotPermittedError: it came with mcviz.
    """
    folder = folder_at(path)
    _require_run(folder)
    if isinstance(folder, LocalFolder) and folder.is_link():
        return Removal(0, 0, False, {}, [], link=True)
    require_own(folder.path)
    sizes = folder.sizes()
    own = {name: count for name, count in sizes.items() if name in {NAME, *own_files(folder)}}
    derived = Counter({name.removeprefix(DERIVED): count for name, count in own.items() if name.startswith(DERIVED)})
    with suppress(McvizError):  # of a manifest that cannot be read nothing else is known
        elsewhere = folder_at(user_folder(read_manifest(folder).digest)).sizes()
        derived.update({name.removeprefix(DERIVED): count for name, count in elsewhere.items()})
    remaining = {name: count for name, count in own.items() if not name.startswith(DERIVED)}
    return Removal(
        len(remaining),
        sum(remaining.values()),
        not remaining.keys().isdisjoint(MODEL_FILES.values()),
        derived,
        sorted(map(printable, sizes.keys() - own.keys())),
    )


def remove_run(path: str | os.PathLike[str], patience: float | None = None) -> list[str]:
    """Remove a run in any state, with everything derived from it, and its folder if that is empty then.

    Args:
        path: its folder, or an fsspec address.
        patience: how many seconds to wait where another process writes the run; without it, until that has ended.

    Returns:
        The names of the files and empty folders that are none of the run's, and stay.

    Raises:
        RunNotFoundError: there is no run.
        StorageError: it cannot be removed, or another process writes it.
        NotPermittedError: the caller may not remove it.
    """
    require_permission("No run can be removed")
    folder = folder_at(path)
    if isinstance(folder, LocalFolder) and folder.is_link():
        _require_run(folder)
        folder.unlink()
        return []
    require_own(folder.path)
    if not has_lock(folder):  # that of a writer, or of a process that was killed
        _require_run(folder)
    with write_lock(folder, patience):
        folder.remove([])  # a folder that is empty is all that some leave who are killed
        _require_run(folder)
        remove_files(folder)
        return sorted(map(printable, folder.sizes()))


def rename_run(path: str | os.PathLike[str], name: str, patience: float | None = None) -> str:
    """Rename a run in any state within its folder, in one step.

    Derived arrays go along. Reviews hang on the examples, whatever a run is called.

    Args:
        path: its folder on this machine.
        name: the new name, without a folder.
        patience: as of `remove_run`.

    Returns:
        The run's new folder.

    Raises:
        InvalidInputError: no run can be called so, or the run is at an address of the network.
        RunNotFoundError: there is no run.
        RunExistsError: something of that name is there already.
        StorageError: it cannot be renamed, or another process writes it.
        NotPermittedError: the caller may not rename it.
    """
    require_permission("No run can be renamed")
    folder = folder_at(path)
    if not isinstance(folder, LocalFolder):
        raise InvalidInputError(
            f"{folder.path} is at an address of the network, where files cannot be moved in one step. Copy the folder "
            "with a tool of that storage, and remove this one."
        )
    check_run_name(name)
    if not folder.is_link():
        require_own(folder.path)
    _require_run(folder, "renamed")
    old = Path(folder.path)
    if old.name in ("", ".."):
        raise invalid("path", "the run's folder by its own name", folder.path)
    new = LocalFolder(str(old.with_name(name)))
    if old.name == name:
        return new.path
    with ExitStack() as held:
        for locked in sorted(
            (folder, new), key=lambda path: path.path
        ):  # in one order, or two could wait for each other
            held.enter_context(write_lock(locked, patience))
        _require_run(folder, "renamed")
        if os.path.lexists(new.path):
            raise RunExistsError(f"{new.path} is there already. Choose another name, or remove that first.")
        folder.move(new.path)
    return new.path


def check_run_name(name: str) -> None:
    """Check that a run can be called so.

    Raises:
        InvalidInputError: it cannot.
    """
    fits = 0 < len(name.encode(errors="replace")) <= LONGEST_NAME and name == name.strip()
    if not fits or name.startswith(".") or set(name) & {"/", "\\"} or UNPRINTABLE.search(name):
        raise invalid(
            "name",
            f"a name of 1 to {LONGEST_NAME} bytes, without slashes, control characters, a dot as its first character "
            "or spaces around it",
            f"{name!r:.80}",
        )
    refuse_name_of_reviews(name)


def _count_files(files: int) -> str:
    return f"{files:,} file{'' if files == 1 else 's'}"


def require_folder(path: str | os.PathLike[str]) -> None:
    """Refuse a folder that does not exist; at an fsspec address there are no folders, only files.

    Raises:
        RunNotFoundError: there is no such folder on this machine.
    """
    folder = folder_at(path)
    if isinstance(folder, LocalFolder) and not Path(folder.path).is_dir():
        raise RunNotFoundError(f"There is no folder {folder.path}. Name the folder that holds the runs, or make it.")


def _require_run(folder: Folder, done: str = "removed") -> None:
    if folder.sizes([NAME, REMOVED]).keys().isdisjoint({NAME, REMOVED}):
        raise RunNotFoundError(f"There is no run at {folder.path}, so nothing was {done}.")


def _inspect(here: Folder, name: str) -> ListedRun | None:
    state: RunState = "finished"
    path, message, manifest, sizes = here.address(name), "", None, {}
    try:
        folder = folder_at(path)
        sizes = folder.sizes()
        manifest = read_whole_manifest(folder)
        complete = all(sizes.get(stored) == file.bytes for stored, file in manifest.files.items())
        if manifest.state != "finished" or not complete:
            open_run(path)  # which says why not
    except PartialRunError as error:
        state, message = "partial", str(error)
    except CorruptRunError as error:
        state, message = "damaged", str(error)
    except RunNotFoundError:
        if not is_being_removed(folder):
            return None
        state, message = "damaged", f"Its removal was stopped. Finish it with `mcviz remove {path}`."
    except McvizError as error:
        state, message = "unreadable", str(error)
    done = examples_done(manifest) if manifest else 0
    return ListedRun(printable(path), state, manifest, done, sum(sizes.values()), message)
