"""What a model raises when it is run, which can be anything, in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from mcviz.errors import McvizError, UnsuitableModelError
from mcviz.model.model_files import reason
from mcviz.model.tracing import SamePassesError


@contextmanager
def refusing_what_fails() -> Iterator[None]:
    """Raise what a model raises when it is run as an UnsuitableModelError of one line."""
    try:
        yield
    except (McvizError, SamePassesError):
        raise
    except Exception as error:
        raise UnsuitableModelError(
            f"The model fails on these examples. Received: {reason(error)}. Do they have the shape and range that "
            "it was trained on, and does model.predict take them?"
        ) from error
