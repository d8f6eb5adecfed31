"""Packages that only a part of mcviz needs."""

from importlib.util import find_spec

from mcviz.errors import MissingPackageError


def require_keras() -> None:
    """Check that Keras and TensorFlow are installed, without importing them, which would take seconds.

    Raises:
        MissingPackageError: one of them is not; the message has the line to type.
    """
    missing = [name for name in ("keras", "tensorflow") if find_spec(name) is None]
    if missing:
        raise MissingPackageError(
            "Training, loading and sampling a model need Keras and TensorFlow. "
            f'Received: a Python without {" and ".join(missing)}. Type: pip install "mcviz[keras]"'
        )
