"""Numbers that follow from a run and take long to compute, kept in its folder so that they are computed once.

They are no part of the run: what is missing, damaged or of another run is computed again, and a folder that cannot be
written to goes without.
"""

import numpy as np

from mcviz.errors import McvizError
from mcviz.runs.codec import from_planes, to_planes
from mcviz.runs.frames import FrameFile, pack
from mcviz.runs.lock import writing
from mcviz.runs.manifest import read_manifest
from mcviz.runs.place import place_of
from mcviz.runs.run import Run


def derived(run: Run, name: str, count: int) -> np.ndarray | None:
    """Numbers that were kept earlier.

    Args:
        run: that they follow from.
        name: of what they are and of the way in which they are computed, for a file's name.
        count: how many there should be, M.

    Returns:
        (M,) float64, or None where they are not there as they were written, for this very run.
    """
    try:
        file = FrameFile.open(place_of(run.path), _file(name), _key(run, name), 1)
        return from_planes(file.read(0, 8 * count), np.dtype(np.float64), (count,))
    except (FileNotFoundError, McvizError):
        return None


def keep_derived(run: Run, name: str, values: np.ndarray) -> bool:
    """Keep (M,) float64 numbers that follow from a run.

    Returns:
        Whether they are kept: not where the run is gone, was replaced, or cannot be written to.
    """
    place = place_of(run.path)
    try:
        with writing(place):  # nobody takes the run away meanwhile
            if read_manifest(place).digest != run.digest:
                return False
            place.write(_file(name), pack(_key(run, name), [to_planes(values.astype(np.float64, copy=False))]))
    except McvizError:
        return False
    return True


def _file(name: str) -> str:
    return f"derived/{name}.frames"


def _key(run: Run, name: str) -> str:
    return f"derived {name} {run.digest}"
