"""Files with the mean and std of scaled rows or targets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mcviz.data.npz import open_npz
from mcviz.data.tables import read_frame
from mcviz.errors import DataNotFoundError, InvalidInputError
from mcviz.manifest import TargetScaler
from mcviz.text import list_names
from mcviz.validate import dtype, finite, invalid, shape

SCALER_ADVICE = "Give a .csv with the columns mean and std, or an .npz with these arrays."
STD = ("std", "scale")  # as numpy and as scikit-learn's StandardScaler call it
Numbers = tuple[float, ...]


def read_target_scaler(path: str | Path, targets: Sequence[str] | None = None) -> TargetScaler:
    """Read the mean and std of scaled targets.

    Args:
        path: as `read_scaler` takes it.
        targets: names of the targets; None where nothing names them, so that their order is that of the file.

    Raises:
        DataNotFoundError: nothing is at that path.
        InvalidInputError: as `read_scaler`.
    """
    return TargetScaler(*read_scaler(path, targets, whose="regression has"))


def read_scaler(
    path: str | Path, columns: Sequence[str] | None, *, whose: str = "rows have"
) -> tuple[Numbers, Numbers]:
    """Read mean and std, a number a column.

    Args:
        path: of a `.csv` with the columns `mean` and `std` and a row a column, which `column` may name; or of an `.npz`
            with the arrays `mean` and `std` or `scale`, and perhaps `column`. Without names the order is that of
            `columns`.
        columns: names of the columns of the rows, or of targets, D of them; None takes all, in the file's order.
        whose: whose columns these are, in an error.

    Returns:
        D means and D stds, in the order of `columns`.

    Raises:
        DataNotFoundError: nothing is at that path.
        InvalidInputError: it is neither, or holds other numbers than one mean and one std above 0 a column.
    """
    path = Path(path)
    if not path.is_file():
        raise DataNotFoundError(f"There is no scaler at {path}. {SCALER_ADVICE}")
    try:
        read = {".csv": _read_csv, ".npz": _read_npz}.get(path.suffix)
        if read is None:
            raise InvalidInputError(f"only .csv and .npz are read, since a pickle could run any code. {SCALER_ADVICE}")
        mean, std, names = read(path)
        if columns is None:
            columns, names = list(map(str, range(np.size(mean)))), None
        for name, numbers in (("mean", mean), ("std", std)):
            shape(name, numbers, (len(columns),), advice=f"The {whose} {len(columns):,} columns.")
            finite(name, dtype(name, numbers, np.floating, np.integer))
        if (std <= 0).any():
            raise invalid("std", "above 0", f"{std.min():g} in place {std.argmin():,}, counted from 0")
        places = _match_columns(names, columns)
    except InvalidInputError as error:
        raise error if str(path) in str(error) else InvalidInputError(f"{path} cannot be used: {error}") from error
    return tuple(mean[places].astype(float).tolist()), tuple(std[places].astype(float).tolist())


def _read_csv(path: Path) -> tuple[np.ndarray, np.ndarray, list[str] | None]:
    table = read_frame(path)
    std = next((name for name in STD if name in table), None)
    if "mean" not in table or std is None:
        raise InvalidInputError(f"it has the columns {list_names(table.columns)}. {SCALER_ADVICE}")
    names = [str(name) for name in table["column"]] if "column" in table else None
    return table["mean"].to_numpy(), table[std].to_numpy(), names


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray, list[str] | None]:
    with open_npz(path) as arrays:
        std = next((name for name in STD if name in arrays), None)
        if "mean" not in arrays or std is None:
            raise InvalidInputError(f"it holds {arrays}. {SCALER_ADVICE}")
        names = ["mean", std, *(["column"] if "column" in arrays else [])]
        mean, std_read, *columns = (arrays.read(name) for name in names)
    return mean, std_read, [str(name) for name in columns[0].ravel()] if columns else None


def _match_columns(names: list[str] | None, columns: Sequence[str]) -> np.ndarray:
    if names is None:
        return np.arange(len(columns))
    if sorted(names) != sorted(columns):
        unknown = [name for name in names if name not in columns] or [name for name in columns if name not in names]
        received = f"{', '.join(unknown[:5])} in one and not in the other" if unknown else "a name twice"
        raise invalid("column", f"the names of the rows' columns, {', '.join(columns[:5])}…", received)
    return pd.Index(names).get_indexer(pd.Index(columns))
