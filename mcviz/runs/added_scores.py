"""Scores that were made elsewhere, kept beside a run in a file of their own: the run stays as it was."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np

from mcviz import validate
from mcviz.errors import InvalidInputError, McvizError
from mcviz.manifest import Manifest
from mcviz.measures import Score, Scores
from mcviz.runs.files import Folder
from mcviz.runs.table import decode_table, encode_table
from mcviz.text import first_line, is_text, one_line, printable

if TYPE_CHECKING:
    import pandas as pd

FILE = "added-scores.parquet"
ABOUT = b"mcviz"  # the key in the metadata of the file
MOST_SCORES = 100
LONGEST_MEANING = 500  # characters
NAME = re.compile("[a-z][a-z0-9_]{0,39}")
TAKEN = re.compile("deterministic|example|id|image|correct|(change|error|label|prediction|other|user)(_.*)?")


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a score that was added is read."""

    uncertain_when: Literal["low", "high"]
    meaning: Annotated[str, msgspec.Meta(max_length=LONGEST_MEANING)] = ""


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The metadata of the file: the digest of the examples, and the scores by their names."""

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
        """Copy the registry of a task, with these scores behind its own."""
        found = scores.copy()
        for name, each in self.about.items():
            label = name.replace("_", " ").capitalize()
            meaning = each.meaning or f"It was added to the run. {each.uncertain_when.capitalize()}: uncertain."
            found[name] = Score(name, label, "", each.uncertain_when, meaning, _refuse_to_compute, needs=())
        return found


def read_added_scores(folder: Folder, manifest: Manifest, taken: Callable[[], Collection[str]]) -> AddedScores:
    """Read the scores that were added to a run; of a file that cannot be used, only the problem.

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
    """Encode the scores that were added to a run, with one more, or another in its place."""
    scores = {**added.about, name: about}
    if len(scores) > MOST_SCORES:
        raise InvalidInputError(f"A run takes at most {MOST_SCORES} scores more. Received: {name}, beyond that.")
    metadata = msgspec.json.encode(About(manifest.examples.sha256, scores))
    columns = {} if added.table is None else {each: added.table[each].to_numpy() for each in added.about}
    return encode_table(tuple(ids), len(ids), {}, {**columns, name: values}, {ABOUT: metadata})


def check_name(name: Any, taken: Collection[str]) -> str:
    """Check that a score that is added can be called so.

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
    """Describe how a score that is added is read.

    Raises:
        InvalidInputError: the meaning is no text, or too long.
    """
    if not isinstance(meaning, str) or len(meaning) > LONGEST_MEANING or not is_text(meaning):
        raise validate.invalid("meaning", f"a text of at most {LONGEST_MEANING} characters", f"{meaning!r:.80}")
    return Description("high" if high_is_uncertain else "low", meaning)


def match_values(values: Any, ids: "pd.Series") -> np.ndarray:
    """Bring the values of a score into the order of the examples.

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

    from mcviz.data.by_id import order_by_ids  # here, because it imports pandas, which takes time

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
        kept = given.astype(np.float32)
    unusable = ~np.isfinite(kept) | ((kept == 0) & (given != 0))
    if unusable.any():
        first = int(unusable.argmax())
        raise validate.invalid(
            "values",
            "finite, and of a size that float32 holds",
            f"{given[first]:g} for {one_line(ids.iloc[first]):.80}",
            "Fill in what is missing, and give the logarithm of what is very large or small.",
        )
    return kept


def _decode(content: bytes, manifest: Manifest, taken: Collection[str]) -> AddedScores:
    """Decode the file; raise a ValueError where it is none, or that of other examples."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(pa.BufferReader(content)).metadata or {}
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it is no Parquet file ({error})") from error
    about = msgspec.json.decode(metadata.get(ABOUT, b""), type=About)
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
