"""The one sentence for a file of a run that is not what was written."""

from mcviz.errors import CorruptRunError


def damaged(address: str, what: str) -> CorruptRunError:
    """The error for a file at `address`, of which `what` is wrong."""
    return CorruptRunError(f"{address} {what}. Take it from a copy, or remove the run and sample again.")
