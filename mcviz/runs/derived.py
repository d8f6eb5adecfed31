"""Arrays that follow from a run and take long to compute, kept so that they are computed once.

They are not part of the run: if they are missing, damaged or of another run, they are computed again. They lie in the
run's folder under `derived/`, or, where that cannot be written to, in the user's own data folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs

from mcviz.errors import McvizError, StorageError
from mcviz.permission import may_write
from mcviz.runs.files import folder_at
from mcviz.runs.lock import write_lock
from mcviz.runs.manifest_file import read_manifest
from mcviz.runs.npz import decode_npz, encode_npz
from mcviz.runs.shipped import PACKAGE

DIGEST = "run_digest"
PATIENCE = 2.0  # seconds


@dataclass(frozen=True)
class Derived:
    """Something that can be derived from a run.

    Attributes:
        name: for the name of its file.
        version: goes up whenever the same run gives something else.
        dtypes: the numpy dtype of each array, by its name.
    """

    name: str
    version: int
    dtypes: Mapping[str, str]

    @property
    def file(self) -> str:
        """Where it lies in a run's folder."""
        return f"derived/{self.name}-{self.version}.npz"


def load_derived(path: str, digest: str, derived: Derived) -> dict[str, np.ndarray] | None:
    """Load arrays that were saved earlier.

    Args:
        path: of the run that they follow from.
        digest: of that run.
        derived: which ones.

    Returns:
        Each array by its name, or None where they are not there as they were written, for this very run.
    """
    # The user's first: there is one where the run's own folder could not take what was found later.
    for folder in (folder_at(user_folder(digest)), folder_at(path)):
        try:
            arrays = _unpack(folder.read(derived.file), digest)
        except (FileNotFoundError, McvizError):
            continue
        if arrays is not None and {name: str(array.dtype) for name, array in arrays.items()} == dict(derived.dtypes):
            return arrays
    return None


def save_derived(path: str, digest: str, derived: Derived, arrays: Mapping[str, np.ndarray]) -> bool:
    """Save arrays that follow from a run.

    Args:
        path: of the run that they follow from.
        digest: of that run.
        derived: which ones.
        arrays: each array by its name, of the dtype that `derived` says.

    Returns:
        Whether they are kept: not where the run is gone, was replaced, nothing can be written, or nothing may be.
    """
    if not may_write():
        return False
    content = _pack({name: np.asarray(arrays[name], dtype) for name, dtype in derived.dtypes.items()}, digest)
    folder = folder_at(path)
    try:
        if read_manifest(folder).digest != digest:
            return False
        if Path(path).resolve().is_relative_to(PACKAGE):  # where it is installed, nothing is written
            return _save_for_user(digest, derived, content)
        with write_lock(folder, PATIENCE):  # nobody removes the run meanwhile; who lets it grow holds it for long
            if read_manifest(folder).digest != digest:
                return False
            folder.write(derived.file, content)
        folder_at(user_folder(digest)).delete(derived.file)  # which is older from now on
    except StorageError:
        return _save_for_user(digest, derived, content)
    except McvizError:
        return False
    return True


def user_folder(digest: str) -> str:
    """The folder in the user's data for arrays that cannot be saved in the run's own."""
    return str(Path(platformdirs.user_data_dir("mcviz", appauthor=False)) / "derived" / digest[:32])


def _save_for_user(digest: str, derived: Derived, content: bytes) -> bool:
    try:
        folder_at(user_folder(digest)).write(derived.file, content)
    except McvizError:
        return False
    return True


def _pack(arrays: Mapping[str, np.ndarray], digest: str) -> bytes:
    return encode_npz({DIGEST: np.frombuffer(bytes.fromhex(digest), np.uint8), **arrays})


def _unpack(content: bytes, digest: str) -> dict[str, np.ndarray] | None:
    try:
        arrays = decode_npz(content)
    except ValueError:
        return None
    of_run = arrays.pop(DIGEST, np.empty(0, np.uint8))
    return arrays if of_run.tobytes() == bytes.fromhex(digest) else None
