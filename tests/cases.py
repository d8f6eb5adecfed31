"""Which of very many cases are looked at: some by `pytest`, all of them where `pytest -m slow` runs too."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def one_in(step: int, cases: Iterable[Any]) -> list[Any]:
    """Mark all cases of a parametrised test as slow, but for the first of each so many."""
    cases = list(cases)
    return only(cases[::step], cases)


def only(chosen: Collection[Any], cases: Iterable[Any]) -> list[Any]:
    """Mark all cases of a parametrised test as slow, but for those that are chosen."""
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=() if case in chosen else pytest.mark.slow)
        for case in cases
    ]
