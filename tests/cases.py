"""Which of very many cases are looked at: some by `pytest`, all of them where `pytest -m slow` runs too."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def one_in(step: int, cases: Iterable[Any]) -> list[Any]:
    """Mark all cases of a parametrised test as slow, but for the first of each so many."""
    return [_mark(case, number % step == 0) for number, case in enumerate(cases)]


def only(chosen: Collection[Any], cases: Iterable[Any]) -> list[Any]:
    """Mark all cases of a parametrised test as slow, but for those that are chosen."""
    return [_mark(case, case in chosen) for case in cases]


def _mark(case: Any, by_default: bool) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=() if by_default else pytest.mark.slow)
