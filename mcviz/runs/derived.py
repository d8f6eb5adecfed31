"""Derived arrays and scores beside a run, which itself never changes.

If they are missing, damaged or of another run, they are computed again. They are in `derived/` of the run, or in the
user's data folder if that is not writable.
"""

import io
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
import platformdirs

from mcviz import validate
from mcviz.data.npz import NPZ_ERRORS
from mcviz.errors import InvalidInputError, McvizError, StorageError
from mcviz.manifest import Manifest
from mcviz.measures import Score, Scores
from mcviz.permission import may_write
from mcviz.runs.manifest_file import read_manifest
from mcviz.runs.storage import PACKAGE, Folder, folder_at, write_lock
from mcviz.runs.tables import decode_table, encode_table
from mcviz.text import first_line, is_text, one_line, printable

if TYPE_CHECKING:
    import pandas as pd


DIGEST = "run_digest"
PATIENCE = 2.0  # seconds

FILE = "added-scores.parquet"
METADATA_KEY = b"mcviz"  # the key in the metadata of the file
MOST_SCORES = 100
LONGEST_MEANING = 500  # characters
NAME = re.compile("[a-z][a-z0-9_]{0,39}")
TAKEN = re.compile("deterministic|example|id|image|correct|(change|error|label|prediction|other|user)(_.*)?")


@dataclass(frozen=True)
class Derived:
    """Something that can be derived from a run.

    Attributes:
        name: for the name of its file.
        version: goes up whenever the same run gives something else.
        dtypes: the numpy dtype of each array, by its name.
    """

    name: str
    version: int
    dtypes: Mapping[str, str]

    @property
    def file(self) -> str:
        """The file's name in a run's folder."""
        return f"derived/{self.name}-{self.version}.npz"


def load_derived(path: str, digest: str, derived: Derived) -> dict[str, np.ndarray] | None:
    """Load arrays that were saved earlier.

    Args:
        path: of the run that they follow from.
        digest: of that run.
        derived: which ones.

    Returns:
        Each array by its name, or None where they are not there as they were written, for this very run.
    """
    # The user's first: there is one where the run's own folder could not take what was found later.
    for folder in (folder_at(user_folder(digest)), folder_at(path)):
        try:
            arrays = _unpack(folder.read(derived.file), digest)
        except (FileNotFoundError, McvizError):
            continue
        if arrays is not None and {name: str(array.dtype) for name, array in arrays.items()} == dict(derived.dtypes):
            return arrays
    return None


def save_derived(path: str, digest: str, derived: Derived, arrays: Mapping[str, np.ndarray]) -> bool:
    """Save arrays that follow from a run.

    Args:
        path: of the run that they follow from.
        digest: of that run.
        derived: which ones.
        arrays: each array by its name, of the dtype that `derived` says.

    Returns:
        Whether they are kept: not where the run is gone, was replaced, nothing can be written, or nothing may be.
    """
    if not may_write():
        return False
    content = _pack({name: np.asarray(arrays[name], dtype) for name, dtype in derived.dtypes.items()}, digest)
    folder = folder_at(path)
    try:
        if read_manifest(folder).digest != digest:
            return False
        if Path(path).resolve().is_relative_to(PACKAGE):  # where it is installed, nothing is written
            return _save_for_user(digest, derived, content)
        with write_lock(folder, PATIENCE):  # nobody removes the run meanwhile; who lets it grow holds it for long
            if read_manifest(folder).digest != digest:
                return False
            folder.write(derived.file, content)
        folder_at(user_folder(digest)).delete(derived.file)  # which is older from now on
    except StorageError:
        return _save_for_user(digest, derived, content)
    except McvizError:
        return False
    return True


def user_folder(digest: str) -> str:
    """Return the user's folder for arrays that a run's folder cannot take."""
    return str(Path(platformdirs.user_data_dir("mcviz", appauthor=False)) / "derived" / digest[:32])


def _save_for_user(digest: str, derived: Derived, content: bytes) -> bool:
    try:
        folder_at(user_folder(digest)).write(derived.file, content)
    except McvizError:
        return False
    return True


def _pack(arrays: Mapping[str, np.ndarray], digest: str) -> bytes:
    file = io.BytesIO()
    members: dict[str, Any] = {DIGEST: np.frombuffer(bytes.fromhex(digest), np.uint8), **arrays}
    np.savez_compressed(file, **members)
    return file.getvalue()


def _unpack(content: bytes, digest: str) -> dict[str, np.ndarray] | None:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = dict(archive)
    except NPZ_ERRORS:
        return None
    of_run = arrays.pop(DIGEST, np.empty(0, np.uint8))
    return arrays if of_run.tobytes() == bytes.fromhex(digest) else None


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a score that was added is read."""

    uncertain_when: Literal["low", "high"]
    meaning: Annotated[str, msgspec.Meta(max_length=LONGEST_MEANING)] = ""


class Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file's metadata: digest of examples, and scores by name."""

    examples: str
    scores: Annotated[dict[str, Description], msgspec.Meta(max_length=MOST_SCORES)]


@dataclass(frozen=True)
class AddedScores:
    """The scores that were added to a run.

    Attributes:
        about: each by its name.
        table: a row an example, a column each, float32; None where there are none.
        problem: why the file cannot be used, and what to do; empty where it can.
    """

    about: Mapping[str, Description]
    table: "pd.DataFrame | None" = None
    problem: str = ""

    def register(self, scores: Scores) -> Scores:
        """Copy a task's registry with these scores at its end."""
        registry = scores.copy()
        for name, about in self.about.items():
            label = name.replace("_", " ").capitalize()
            meaning = about.meaning or f"It was added to the run. {about.uncertain_when.capitalize()}: uncertain."
            registry[name] = Score(name, label, "", about.uncertain_when, meaning, _refuse_to_compute, needs=())
        return registry


def read_added_scores(folder: Folder, manifest: Manifest, taken: Callable[[], Collection[str]]) -> AddedScores:
    """Read added scores; only the problem of an unusable file.

    Args:
        folder: of the run.
        manifest: of the run.
        taken: gives the names of the columns of its table; asked only where there is a file.
    """
    # As large as the run's own table, whose ids it repeats, and as many scores as there can be, with their indices in a
    # dictionary and their meanings twice, as Parquet writes them.
    most = manifest.files[manifest.table].bytes + MOST_SCORES * (8 * manifest.examples.count + 10_000)
    try:
        content = folder.read(FILE, 0, most + 1)
        if len(content) > most:
            raise ValueError(f"it has more than {most:,} bytes")
        return _decode(content, manifest, taken())
    except FileNotFoundError:
        return AddedScores({})
    except (McvizError, ValueError, RecursionError) as error:
        problem = f"{folder.address(FILE)} cannot be used: {printable(first_line(error)):.300}."
    advice = "Remove that file, and add its scores again; the run itself is not affected."
    return AddedScores({}, problem=f"{problem} {advice}")


def encode_added_scores(
    added: AddedScores, manifest: Manifest, ids: "pd.Series", name: str, about: Description, values: np.ndarray
) -> bytes:
    """Encode added scores with one added or replaced."""
    scores = {**added.about, name: about}
    if len(scores) > MOST_SCORES:
        raise InvalidInputError(f"A run takes at most {MOST_SCORES} scores more. Received: {name}, beyond that.")
    metadata = msgspec.json.encode(Metadata(manifest.examples.sha256, scores))
    columns = {} if added.table is None else {name: added.table[name].to_numpy() for name in added.about}
    return encode_table(tuple(ids), len(ids), {}, {**columns, name: values}, {METADATA_KEY: metadata})


def check_name(name: Any, taken: Collection[str]) -> str:
    """Check the name of an added score.

    Args:
        name: of the score.
        taken: the names of the columns of the run's table.

    Raises:
        InvalidInputError: it cannot.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        expected = "a letter and up to 39 more letters, digits and underscores, all in lower case"
        raise validate.invalid("name", expected, f"{name!r:.80}")
    if name in taken or TAKEN.fullmatch(name):
        raise validate.invalid("name", "another than that of a column of the run", name)
    return name


def describe(high_is_uncertain: bool, meaning: str) -> Description:
    """Describe the meaning of an added score.

    Raises:
        InvalidInputError: the meaning is no text, or too long.
    """
    if not isinstance(meaning, str) or len(meaning) > LONGEST_MEANING or not is_text(meaning):
        raise validate.invalid("meaning", f"a text of at most {LONGEST_MEANING} characters", f"{meaning!r:.80}")
    return Description("high" if high_is_uncertain else "low", meaning)


def match_values(values: Any, ids: "pd.Series") -> np.ndarray:
    """Order a score's values like the examples.

    Args:
        values: (N,) numbers in that order; or a mapping from ids, or a pandas Series, whose index is taken as
            `order_by_ids` says.
        ids: (N,) of the examples.

    Returns:
        (N,) float32, finite.

    Raises:
        InvalidInputError: they are not one finite number an example, or ids and places disagree.
    """
    import pandas as pd

    from mcviz.data.labels import order_by_ids  # here, because it imports pandas, which takes time

    expected = f"one number for each of the {len(ids):,} examples"
    values = order_by_ids("values", values, list(ids), len(ids), strict=True)
    if not isinstance(values, pd.Series):
        values = pd.Series(
            validate.shape("values", validate.array("values", values), (len(ids),), advice=f"Give {expected}.")
        )
    if len(values) != len(ids):
        raise validate.invalid("values", expected, f"{len(values):,}")
    if not pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_complex_dtype(values.dtype):
        raise validate.invalid("values", "numbers", f"dtype {values.dtype}")
    given = values.to_numpy(np.float64, na_value=np.nan)
    with np.errstate(over="ignore", under="ignore"):  # which is told below
        packed = given.astype(np.float32)
    unusable = ~np.isfinite(packed) | ((packed == 0) & (given != 0))
    if unusable.any():
        first = int(unusable.argmax())
        raise validate.invalid(
            "values",
            "finite, and of a size that float32 holds",
            f"{given[first]:g} for {one_line(ids.iloc[first]):.80}",
            "Fill in what is missing, and give the logarithm of what is very large or small.",
        )
    return packed


def _decode(content: bytes, manifest: Manifest, taken: Collection[str]) -> AddedScores:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(pa.BufferReader(content)).metadata or {}
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it is no Parquet file ({error})") from error
    about = msgspec.json.decode(metadata.get(METADATA_KEY, b""), type=Metadata)
    if about.examples != manifest.examples.sha256:
        raise ValueError("it is of other examples")
    for name in about.scores:
        check_name(name, taken)
    table = decode_table(content, manifest.examples.count, {}, tuple(about.scores)).drop(columns="id")
    if not np.isfinite(table.to_numpy()).all():
        raise ValueError("it has numbers that are not finite")
    return AddedScores(about.scores, table)


def _refuse_to_compute() -> np.ndarray:
    raise TypeError("A score that was added to a run is not computed from passes.")
