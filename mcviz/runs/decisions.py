"""The file of a user's decisions, which is kept beside a run since the run itself stays as it is."""

import math

import msgspec

from mcviz.decisions import Decisions
from mcviz.errors import CorruptRunError
from mcviz.manifest import Manifest
from mcviz.runs.storage import Folder
from mcviz.tasks import task_of
from mcviz.text import first_line, printable

FILE = "decisions.json"
LARGEST = 1 << 24  # bytes, enough for a bit of each of 100 million examples


class StoredDecisions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of the file: the digest of the examples, and the decisions."""

    examples: str
    decisions: Decisions


def encode_decisions(decisions: Decisions, manifest: Manifest) -> bytes:
    """Encode decisions about a run."""
    stored = StoredDecisions(manifest.examples.sha256, decisions)
    return msgspec.json.format(msgspec.json.encode(stored, order="sorted"), indent=2)


def read_decisions(folder: Folder, manifest: Manifest) -> Decisions:
    """Read the decisions about a run; those of a file that is not there are none.

    Raises:
        CorruptRunError: the file cannot be used: figures without it would be others than the user decided on.
    """
    try:
        content = folder.read(FILE, 0, LARGEST + 1)
    except FileNotFoundError:
        return Decisions()
    try:
        if len(content) > LARGEST:
            raise ValueError(f"it has more than {LARGEST:,} bytes")
        stored = msgspec.json.decode(content, type=StoredDecisions)
        _check(stored, manifest)
    except (ValueError, RecursionError) as error:
        problem = f"{folder.address(FILE)} cannot be used: {printable(first_line(error)):.300}."
        advice = f"Remove it with `mcviz thresholds {folder.path} --clear`, and decide again; the run is not affected."
        raise CorruptRunError(f"{problem} {advice}") from error
    return stored.decisions


def _check(stored: StoredDecisions, manifest: Manifest) -> None:
    decisions = stored.decisions
    if stored.examples != manifest.examples.sha256:
        raise ValueError("it is of other examples")
    decisions.find_choosing(manifest.examples.count)
    task = task_of(manifest)
    takes_thresholds = bool(task.classes_with_thresholds(manifest))
    if (decisions.thresholds or decisions.chosen_on) and not takes_thresholds:
        raise ValueError("its thresholds are of two classes, or of several labels an example")
    if task.has_one_class and len(decisions.thresholds) > 1:
        raise ValueError("both of two classes have thresholds")
    if unknown := [name for name in decisions.thresholds if name not in manifest.class_names]:
        raise ValueError(f"the run has no class {unknown[0]!r:.60}")
    if decisions.tolerances and set(decisions.tolerances) != set(manifest.targets):
        raise ValueError("its tolerances are of other targets")
    values = [tolerance.value for tolerance in decisions.tolerances.values()]
    if not all(map(math.isfinite, values)):
        raise ValueError("a tolerance is not finite")
