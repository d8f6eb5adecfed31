"""The family of errors; each is also the builtin that fits it."""


class McvizError(Exception):
    """The base of all errors. A message says what was wrong, what was received and what to do."""


class InvalidInputError(McvizError, ValueError):
    """An argument, an image array or a data file that cannot be used as it is."""


class DataNotFoundError(McvizError, FileNotFoundError):
    """A data or model file that is missing, or cannot be fetched."""


class UnsuitableModelError(McvizError, ValueError):
    """A model from which Monte Carlo dropout passes cannot be sampled."""


class MissingPackageError(McvizError, ImportError):
    """An optional package that is not installed. The message has the line to type."""


class UnsupportedKerasError(McvizError, ImportError):
    """A Keras of a version or backend that mcviz does not sample with."""


class RunNotFoundError(McvizError, FileNotFoundError):
    """No run at that address."""


class RunExistsError(McvizError, FileExistsError):
    """Another run is already at that address."""


class CorruptRunError(McvizError, ValueError):
    """A run whose files differ from what was written. The message names the file."""


class CorruptReviewsError(McvizError, ValueError):
    """A file of reviews that differs from what was written. The message names the file."""


class PartialRunError(McvizError, ValueError):
    """A run whose sampling was stopped before the last pass; it can be resumed."""


class NotPermittedError(McvizError, PermissionError):
    """A change by somebody who may only look."""


class ClusterError(McvizError, ConnectionError):
    """A Dask cluster that does not answer, or a worker that cannot take part. The message names it."""


class StorageError(McvizError, OSError):
    """A disk that is full, a folder that may not be written, a store that does not answer."""


class DeviceWarning(UserWarning):
    """A device whose memory ran out, so that less is computed there at once."""


class ModelWarning(UserWarning):
    """A model that is hardly better than guessing, or whose examples or outputs may not be what they are taken for."""
