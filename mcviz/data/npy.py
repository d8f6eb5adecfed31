"""Arrays from `.npy` files."""

from pathlib import Path

import numpy as np

from mcviz.errors import InvalidInputError
from mcviz.regular import open_regular


def load_array(path: Path) -> np.ndarray:
    """An array of an `.npy` file, mapped from disk and not read.

    Raises:
        InvalidInputError: it is no regular file, or cannot be read as a plain array.
    """
    open_regular(path).close()
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InvalidInputError(f"{path} cannot be read as a plain array ({error}).") from error
