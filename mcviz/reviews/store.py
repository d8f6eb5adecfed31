"""The store of decisions: one SQLite file per set of examples.

Rows are only added, each in a transaction that is on disk before `Reviews.add` returns. So a killed process loses at
most one decision, and several reviewers lose nothing. Each row has a checksum, except those of format 1, which come
first. A decision may name several classes since format 3, and numbers since format 4.
"""

import hashlib
import json
import math
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import platformdirs

from mcviz.errors import CorruptReviewsError, InvalidInputError, StorageError
from mcviz.permission import require_permission
from mcviz.runs import Examples, Run
from mcviz.runs.storage import PACKAGE
from mcviz.runs.writer import REVIEWS
from mcviz.text import first_line, is_text
from mcviz.validate import invalid, whole_number

DecisionKind = Literal["class", "classes", "values", "none", "wrong_label", "skip"]
EntryKind = DecisionKind | Literal["note", "undo"]
REVIEWS_FORMAT = 4
APPLICATION = 0x6D637669  # "mcvi", identifies the file
LOCK_SECONDS = 5.0
MOST_VALUE_BYTES = 1 << 16  # of one value; files with more are refused
LONGEST_REVIEWER = 100
LONGEST_NOTE = 2_000
LONGEST_CLASSES = 60_000  # bytes, for all classes or targets together
EXAMPLES_TABLE = "CREATE TABLE examples (sha256 TEXT NOT NULL, count INTEGER NOT NULL) STRICT"
DECISIONS_TABLE = (
    "CREATE TABLE decisions (number INTEGER PRIMARY KEY, example INTEGER NOT NULL, reviewer TEXT NOT NULL, "
    "time TEXT NOT NULL, kind TEXT NOT NULL, class TEXT, label TEXT, note TEXT, undone INTEGER{}) STRICT"
)
SCHEMAS = {
    1: (EXAMPLES_TABLE, DECISIONS_TABLE.format("")),
    **dict.fromkeys((2, 3, REVIEWS_FORMAT), (EXAMPLES_TABLE, DECISIONS_TABLE.format(", checksum TEXT"))),
}
DAMAGE_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_ERROR}
ERROR_ADVICE = {
    sqlite3.SQLITE_BUSY: "Another program holds it; close that, and try again",
    sqlite3.SQLITE_FULL: "Make room there, and try again",
}


class ReviewRow(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A line of the history.

    Attributes:
        number: of the line, counted from 1.
        example: its number.
        reviewer: their name.
        time: in UTC, as ISO 8601.
        kind: of the entry: a class was given, several classes were decided, numbers were given, no class fits, the
            given label is wrong, the example was skipped, a note was written, or a line of the same reviewer was
            undone.
        class_name: the given class; several classes as `encode_classes` writes them, numbers as `encode_values` does.
        label: the run's label, a class name, or None without one; several labels and numbers likewise.
        note: the written note.
        undone: the number of the undone line.
    """

    number: int
    example: int
    reviewer: str
    time: datetime
    kind: EntryKind
    class_name: str | None
    label: str | None
    note: str | None
    undone: int | None


class Reviews:
    """The decisions about a set of examples, safe to share between threads.

    Every method raises StorageError if the file is locked, cannot be written or its disk is full, and
    CorruptReviewsError if its content is damaged; nothing is changed then.

    Attributes:
        path: of the file, which the first entry creates.
    """

    def __init__(self, path: Path, examples_sha256: str, count: int) -> None:
        self.path = path
        self._examples = (examples_sha256, count)

    def rows(self) -> list[ReviewRow]:
        """Read the whole history, the oldest line first."""
        if not self._exists():
            return []
        with self._transaction("read") as connection:
            if _is_new(connection):
                return []
            columns = "*, NULL" if self._check_format(connection) == 1 else "*"
            lines = connection.execute(f"SELECT {columns} FROM decisions ORDER BY number").fetchall()
        return self._check_rows(lines)

    def add(
        self,
        example: int,
        reviewer: str,
        kind: DecisionKind | Literal["note"],
        *,
        class_name: str | None = None,
        label: str | None = None,
        note: str | None = None,
    ) -> None:
        """Add a decision; it is on disk when this returns.

        Args:
            example: its number.
            reviewer: a name of 1 to 100 characters.
            kind: of the decision, as in `ReviewRow`.
            class_name: with `class`; with `classes` and `values` as `encode_classes` and `encode_values` write them.
            label: of the run, as in `ReviewRow`.
            note: with `note`, at most 2,000 characters; an empty one removes the note.

        Raises:
            InvalidInputError: a name that is empty, a name or a note that is too long or no text, or no such example.
            NotPermittedError: the caller has read-only access.
        """
        self.add_all([Entry(example, reviewer, kind, class_name, label, note)])

    def add_all(self, entries: "list[Entry]") -> None:
        """Add several decisions, all or none.

        Raises:
            As `add`.
        """
        require_permission("Nothing can be reviewed")
        for entry in entries:
            self._check(entry)
        with self._transaction("written") as connection:
            for entry in entries:
                _insert(connection, entry)

    def undo(self, reviewer: str) -> int | None:
        """Undo a reviewer's latest line that is not undone.

        Returns:
            The number of its example, or None if there is nothing to undo.

        Raises:
            NotPermittedError: the caller has read-only access.
        """
        require_permission("Nothing can be reviewed")
        if not self._exists():
            return None
        with self._transaction("written") as connection:
            last = connection.execute(
                "SELECT number, example FROM decisions WHERE reviewer = ?1 AND kind <> 'undo' AND number NOT IN "
                "(SELECT undone FROM decisions WHERE reviewer = ?1 AND kind = 'undo' AND undone IS NOT NULL) "
                "ORDER BY number DESC LIMIT 1",
                (reviewer,),
            ).fetchone()
            if last is None:
                return None
            _insert(connection, Entry(last[1], reviewer, "undo", undone=last[0]))
        return int(last[1])

    def _exists(self) -> bool:
        try:
            self.path.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._storage_error(error, "read") from error
        return True

    def _check(self, entry: "Entry") -> None:
        whole_number("example", entry.example, 0, self._examples[1] - 1)
        _check_text("reviewer", entry.reviewer, LONGEST_REVIEWER)
        if entry.kind == "class" and entry.class_name is None:
            raise invalid("class_name", "the name of a class", "None")
        if entry.kind in DECODERS:
            DECODERS[entry.kind](entry.class_name or "")
            if len((entry.class_name or "").encode()) > LONGEST_CLASSES:
                received = f"{len(entry.class_name or ''):,} characters"
                raise invalid("class_name", f"at most {LONGEST_CLASSES:,} bytes on all classes or targets", received)
        if entry.kind == "note":
            _check_text("note", entry.note, LONGEST_NOTE, least=0)

    def _check_rows(self, lines: list[tuple[Any, ...]]) -> list[ReviewRow]:
        with_checksums = False
        for *values, checksum in lines:
            with_checksums |= checksum is not None
            if with_checksums and checksum != _checksum(values):
                raise self._damage_error(f"line {values[0]} is not what was written")
        try:
            rows = msgspec.convert([line[:-1] for line in lines], list[ReviewRow])
            for row in rows:
                if row.kind in DECODERS:
                    DECODERS[row.kind](row.class_name or "")
        except (msgspec.ValidationError, InvalidInputError) as error:
            raise self._damage_error(first_line(error)) from error
        count = self._examples[1]
        wrong = next((row for row in rows if not 0 <= row.example < count or row.time.tzinfo is None), None)
        if wrong is not None:
            raise self._damage_error(f"line {wrong.number} has an impossible example or time")
        return rows

    @contextmanager
    def _transaction(self, done: str) -> Iterator[sqlite3.Connection]:
        """Open a transaction; `done`, read or written, goes into its error."""
        try:
            if done == "written":
                self.path.parent.mkdir(parents=True, exist_ok=True)
            mode = "rwc" if done == "written" else "rw"
            address = f"{self.path.absolute().as_uri()}?mode={mode}"
            with closing(sqlite3.connect(address, timeout=LOCK_SECONDS, uri=True, isolation_level=None)) as connection:
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_VALUE_BYTES)
                connection.execute("PRAGMA trusted_schema = OFF")
                connection.execute("PRAGMA synchronous = FULL")
                if done == "written":
                    if _is_new(connection):
                        connection.execute("PRAGMA journal_mode = WAL")
                    connection.execute("BEGIN IMMEDIATE")
                    self._prepare(connection)
                else:
                    connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raise self._storage_error(error, done) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Create the tables of a new file, upgrade an older one, refuse others."""
        if _is_new(connection):
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {REVIEWS_FORMAT}")
            for statement in SCHEMAS[REVIEWS_FORMAT]:
                connection.execute(statement)
            connection.execute("INSERT INTO examples VALUES (?, ?)", self._examples)
        elif (version := self._check_format(connection)) < REVIEWS_FORMAT:
            if version == 1:
                connection.execute("ALTER TABLE decisions ADD COLUMN checksum TEXT")
            connection.execute(f"PRAGMA user_version = {REVIEWS_FORMAT}")

    def _check_format(self, connection: sqlite3.Connection) -> int:
        """Return the format of the file; refuse other files."""
        if _application_id(connection) != APPLICATION:
            raise self._damage_error("it is no file of reviews")
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version not in SCHEMAS:
            raise InvalidInputError(
                f"{self.path} has reviews of format {version}, and this mcviz reads formats 1 to {REVIEWS_FORMAT}. "
                "Use the version of mcviz that wrote it."
            )
        if _statements(connection) != set(SCHEMAS[version]):
            raise self._damage_error("its tables are not those of reviews")
        if connection.execute("SELECT * FROM examples").fetchall() != [self._examples]:
            raise self._damage_error("it is of other examples")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()  # checksums cannot show missing lines
        if verdict != "ok":
            raise self._damage_error("SQLite finds it malformed")
        return version

    def _damage_error(self, reason: str) -> CorruptReviewsError:
        return CorruptReviewsError(
            f"The reviews in {self.path} cannot be used: {reason}. Restore the file from a copy, or move it away to "
            "begin anew; it is left as it is."
        )

    def _storage_error(self, error: Exception, done: str) -> Exception:
        code = getattr(error, "sqlite_errorcode", None)
        if not isinstance(error, OSError) and (code is None or code & 0xFF in DAMAGE_CODES):  # None: a text is no UTF-8
            return self._damage_error(first_line(error))
        advice = ERROR_ADVICE.get((code or 0) & 0xFF, "See that there is room and permission there, and try again")
        return StorageError(
            f"The reviews in {self.path} cannot be {done}: {first_line(error)}. {advice}; what was decided before is "
            "kept."
        )


class Entry(msgspec.Struct, frozen=True):
    """A line to add, with the attributes of `ReviewRow`."""

    example: int
    reviewer: str
    kind: EntryKind
    class_name: str | None = None
    label: str | None = None
    note: str | None = None
    undone: int | None = None


def encode_classes(classes: Mapping[str, bool]) -> str:
    """Write decided classes as JSON, by name; undecided ones are left out."""
    return json.dumps(dict(classes), sort_keys=True, ensure_ascii=False)


def decode_classes(text: str) -> dict[str, bool]:
    """Read the JSON of `encode_classes`.

    Raises:
        InvalidInputError: it has another form.
    """
    try:
        return msgspec.json.decode(text, type=dict[str, bool])
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise invalid("class_name", "what is said of classes, as JSON", f"{text!r:.60}") from error


def encode_values(values: Mapping[str, float]) -> str:
    """Write the numbers of targets as JSON, by name."""
    return json.dumps(dict(values), sort_keys=True, ensure_ascii=False, allow_nan=False)


def decode_values(text: str) -> dict[str, float]:
    """Read what `encode_values` writes.

    Raises:
        InvalidInputError: it is something else, or a number is not finite.
    """
    try:
        values = msgspec.json.decode(text, type=dict[str, float])
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise invalid("class_name", "the numbers of targets, as JSON", f"{text!r:.60}") from error
    if not all(map(math.isfinite, values.values())):
        raise invalid("class_name", "finite numbers of targets", f"{text!r:.60}")
    return values


DECODERS: dict[str, Callable[[str], Mapping[str, float]]] = {"classes": decode_classes, "values": decode_values}


def open_reviews(run: Run) -> Reviews:
    """Open the reviews of a run's examples, shared by all their runs.

    They are beside the run, in the folder `reviews`. They are in the user's data folder if they exist there, if the run
    is at a network address or inside the installed package, or if the folder is not writable.
    """
    return locate_reviews(run.path, run.manifest.examples)


def locate_reviews(folder: str | os.PathLike[str], examples: Examples) -> Reviews:
    """Locate the reviews of a run in any state, as in `open_reviews`.

    Args:
        folder: of the run, or its address.
        examples: of the run's manifest.
    """
    run = os.fspath(folder)
    name = f"{examples.sha256[:32]}.sqlite"
    user_path = Path(platformdirs.user_data_dir("mcviz", appauthor=False)) / REVIEWS / name
    path = user_path
    if "://" not in run and not Path(run).resolve().is_relative_to(PACKAGE):
        beside = Path(run).absolute().parent / REVIEWS / name
        if beside.exists() or (not user_path.exists() and _is_writable(beside.parent)):
            path = beside
    return Reviews(path, examples.sha256, examples.count)


def _is_writable(folder: Path) -> bool:
    return os.access(folder if folder.exists() else folder.parent, os.W_OK)


def _insert(connection: sqlite3.Connection, entry: Entry) -> None:
    (number,) = connection.execute("SELECT COALESCE(MAX(number), 0) + 1 FROM decisions").fetchone()
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    decided = (entry.kind, entry.class_name, entry.label, entry.note, entry.undone)
    values = [number, int(entry.example), entry.reviewer, now, *decided]
    connection.execute("INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, _checksum(values)))


def _checksum(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _is_new(connection: sqlite3.Connection) -> bool:
    """Whether the file has no content but SQLite's header."""
    return not _statements(connection) and _application_id(connection) == 0


def _application_id(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA application_id").fetchone()[0])


def _statements(connection: sqlite3.Connection) -> set[str | None]:
    return {line[0] for line in connection.execute("SELECT sql FROM sqlite_schema")}


def _check_text(name: str, value: str | None, longest: int, least: int = 1) -> None:
    if value is None or not least <= len(value.strip()) <= len(value) <= longest or not is_text(value):
        raise invalid(name, f"a text of {least} to {longest:,} characters", f"{value!r:.60}")
