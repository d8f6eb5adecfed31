"""Which example a value is of, where values come with an index: by the ids, or by their places."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mcviz.text import one_line
from mcviz.validate import invalid

BY_PLACE = "Give values.to_numpy() where they are in the order of the examples, or a mapping from their ids."


def order_by_ids(name: str, values: Any, ids: Sequence[str] | None, count: int, *, strict: bool = False) -> Any:
    """Bring values that have an index into the order of the examples.

    An index that has the ids of the examples names them. One that counts rows says nothing, nor does one that shares
    nothing with the ids, such as that of rows which were selected. Where an index could mean ids or places, and these
    disagree, it is refused.

    Args:
        name: what an error calls the values.
        values: a mapping, whose keys are ids; a Series or a DataFrame; anything else is given back as it is.
        ids: of the examples, in their order; None where they have no names but their numbers.
        count: of the examples.
        strict: whether an index that shares nothing with the ids is refused as well.

    Returns:
        Of a mapping a Series. An index that was put in order is gone.

    Raises:
        InvalidInputError: ids that repeat, are missing or unknown; or an index that could mean two things.
    """
    is_mapping = isinstance(values, Mapping)
    if is_mapping:
        values = pd.Series(dict(values))
    if not isinstance(values, pd.Series | pd.DataFrame):
        return values
    if strict and values.index.nlevels > 1:
        advice = "Make one level of ids, such as by values.reset_index(level, drop=True)."
        raise invalid(name, "named by ids", f"an index of {values.index.nlevels} levels", advice)
    index, known = values.index.map(str), pd.Index(map(str, range(count)) if ids is None else ids)
    counts = not is_mapping and values.index.equals(pd.RangeIndex(len(values)))
    if index.equals(known):
        return values.reset_index(drop=True)
    same = index.is_unique and len(index) == len(known) and bool(index.isin(known).all())
    if same and (counts or (ids is None and not is_mapping)):
        found = f"an index that counts them, and ids in another order, such as {one_line(known[0]):.80} for the first"
        if not counts:
            found = f"an index with {one_line(index[0]):.80} for the first, in another order than the examples"
        raise invalid(name, "in the order of the examples, or named by their ids", found, BY_PLACE)
    if not same and not is_mapping and (counts or ids is None or not (strict or index.isin(known).any())):
        return values.reset_index(drop=True)
    for problem, wrong in (
        ("two for", index[index.duplicated()]),
        ("one for an id that no example has,", index.difference(known)),
        ("none for", known.difference(index)),
    ):
        if len(wrong):
            expected = f"one for each of the {count:,} examples, by their ids"
            raise invalid(name, expected, f"{problem} {one_line(wrong[0]):.80}", BY_PLACE)
    return values.set_axis(index).reindex(known).reset_index(drop=True)
