"""The family of errors; each is also the builtin that fits it."""


class McvizError(Exception):
    """The base of all errors: problem, received value, advice."""


class InvalidInputError(McvizError, ValueError):
    """An argument, image array or data file that is unusable."""


class DataNotFoundError(McvizError, FileNotFoundError):
    """A missing data or model file."""


class UnsuitableModelError(McvizError, ValueError):
    """A model without usable Monte Carlo dropout."""


class MissingPackageError(McvizError, ImportError):
    """A missing optional package; the message has the command to install it."""


class UnsupportedKerasError(McvizError, ImportError):
    """An unsupported version or backend of Keras."""


class RunNotFoundError(McvizError, FileNotFoundError):
    """No run at that address."""


class RunExistsError(McvizError, FileExistsError):
    """Another run is already at that address."""


class CorruptRunError(McvizError, ValueError):
    """A run with changed files; the message names the file."""


class CorruptReviewsError(McvizError, ValueError):
    """A changed file of reviews; the message names it."""


class PartialRunError(McvizError, ValueError):
    """A stopped run that can be resumed."""


class NotPermittedError(McvizError, PermissionError):
    """A change by somebody who may only look."""


class ClusterError(McvizError, ConnectionError):
    """A silent Dask cluster or unfit worker; the message names it."""


class StorageError(McvizError, OSError):
    """A full disk, a read-only folder, or a silent store."""


class DeviceWarning(UserWarning):
    """A device out of memory, so that batches are smaller."""


class ModelWarning(UserWarning):
    """A model that hardly beats guessing, or doubtful examples or outputs."""
