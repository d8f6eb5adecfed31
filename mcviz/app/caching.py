"""Results for a run that are computed once for all sessions, and shared, so not to be written to."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper, wraps
from typing import Any, Generic, ParamSpec, TypeVar

import streamlit as st

from mcviz.app.compared_run import ComparedRun
from mcviz.app.filters import Area, Filters, Lasso
from mcviz.runs import Run

P = ParamSpec("P")
R = TypeVar("R")
RunKey = Callable[[Run], str]


def numbers_key(run: Run) -> str:
    """Return the key of what follows from a run's own numbers, targets, examples and model."""
    return run.digest


def scores_key(run: Run) -> str:
    """Return the key of what follows from a run's scores, of which some may be added or replaced."""
    return run.scores_version


def table_key(run: Run) -> str:
    """Return the key of what follows from a run's table, in which there may be another run beside it."""
    if not isinstance(run, ComparedRun):
        return scores_key(run)
    labels_of = run.pairs.labels_of
    beside = scores_key(run.other), *_names(run.other), labels_of and labels_of.digest
    return repr((scores_key(run), run.class_names, *beside))


def names_key(run: Run) -> str:
    """Return the key of what also says the names of the run and of its classes."""
    return repr((table_key(run), *_names(run)))


def cached_for_run(
    key: RunKey,
    *,
    max_entries: int,
    show_spinner: bool | str = False,
    validate: Callable[[Any], bool] | None = None,
) -> Callable[[Callable[P, R]], "CachedForRun[P, R]"]:
    """Cache a function of runs, and of other arguments, which count by their values.

    Arguments whose names begin with an underscore do not count: they have to follow from the others.

    Args:
        key: of a run: `numbers_key`, `scores_key`, `table_key` or `names_key`. Runs of one key share what is computed.
        max_entries: results that are kept.
        show_spinner: words that are shown meanwhile, if any.
        validate: tells whether a result still holds.
    """
    options = {"max_entries": max_entries, "show_spinner": show_spinner, "validate": validate}
    return lambda function: CachedForRun(function, key, options)


class CachedForRun(Generic[P, R]):
    """A function whose results are kept under the keys of the runs that it is given; see `cached_for_run`."""

    def __init__(self, function: Callable[P, R], key: RunKey, options: dict[str, Any]) -> None:
        @st.cache_resource(**options, hash_funcs=HASHED)
        @wraps(function)
        def computed(*args: Any, **kwargs: Any) -> R:
            return function(*map(_run_of, args), **{name: _run_of(each) for name, each in kwargs.items()})

        self._computed, self._key = computed, key
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the result for these arguments."""
        return self._computed(*map(self._keyed, args), **{name: self._keyed(each) for name, each in kwargs.items()})

    def _keyed(self, value: object) -> object:
        return _Keyed(value, self._key(value)) if isinstance(value, Run) else value

    def clear(self) -> None:
        """Forget all results."""
        self._computed.clear()


@dataclass(frozen=True)
class _Keyed:
    """A run and its key: to Streamlit, a run that stands alone and the same beside another never have one key."""

    run: Run
    key: str


HASHED: dict[str | type, Callable[[Any], str]] = {_Keyed: lambda of: of.key, Filters: repr, Lasso: repr, Area: repr}


def _run_of(value: Any) -> Any:
    return value.run if isinstance(value, _Keyed) else value


def _names(run: Run) -> tuple[str, str, tuple[str, ...]]:
    return run.digest, run.name, run.class_names
