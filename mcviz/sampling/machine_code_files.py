"""Files of compiled functions, each with a SHA-256.

numba alone would crash on a damaged file, or run its machine code.
"""
# mypy: disallow-untyped-calls=False
# numba types few of its functions.

import hashlib
import pickle
from contextlib import suppress
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.serialize import dumps


class CheckedFile(IndexDataCacheFile):
    """Compiled forms of a function; damaged ones are dropped."""

    def load(self, key: Any) -> Any:
        """Load a compiled form, or None if missing or damaged."""
        try:
            if (kept := super().load(key)) is None:
                return None
            digest, content = kept
            if digest == _digest(content):
                return pickle.loads(content)  # noqa: S301 (numba's own format)
        except Exception:  # noqa: BLE001 (damaged bytes raise anything)
            pass
        with suppress(OSError):
            self.flush()
        return None

    def save(self, key: Any, data: Any) -> None:
        """Save a compiled form with its digest."""
        content = dumps(data)
        try:
            super().save(key, (_digest(content), content))
        except OSError:  # a damaged index names a file that cannot be
            self.flush()
            super().save(key, (_digest(content), content))


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


class CheckedCache(FunctionCache):
    """A function's cache in checked files.

    Raises:
        RuntimeError: no folder can be written for them.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = CheckedFile(self.cache_path, self._impl.filename_base, stamp)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save a compiled form if the disk has room."""
        with suppress(OSError):
            super().save_overload(sig, data)


def keep_compiled(compiled: Any, function: Any) -> None:
    """Cache a function's compiled forms in checked files if possible."""
    with suppress(RuntimeError, OSError):
        compiled._cache = CheckedCache(function)
