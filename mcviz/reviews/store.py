"""Where decisions are kept: one SQLite file for a set of examples, beside the runs over them and in none of them.

Rows are only ever added, each in a transaction of its own that is on disk before `Reviews.add` returns. So whatever is
killed, at most the decision that was being written is missing, and reviewers who work at once lose nothing. Each row
has a checksum, but for those of format 1, which come first.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import platformdirs

from mcviz.errors import CorruptReviewsError, InvalidInputError, StorageError
from mcviz.permission import require_permission
from mcviz.runs import Examples, Run
from mcviz.runs.existing import REVIEWS
from mcviz.runs.shipped import PACKAGE
from mcviz.text import first_line, is_text
from mcviz.validate import invalid, whole_number

Verdict = Literal["class", "none", "wrong_label", "skip"]
Kind = Verdict | Literal["note", "undo"]
FORMAT = 2
APPLICATION = 0x6D637669  # "mcvi", by which the file is known
LOCK_SECONDS = 5.0
MOST_BYTES = 1 << 16  # of one value; a file that claims more is not read
LONGEST_NAME = 100
LONGEST_NOTE = 2_000
EXAMPLES = "CREATE TABLE examples (sha256 TEXT NOT NULL, count INTEGER NOT NULL) STRICT"
DECISIONS = (
    "CREATE TABLE decisions (number INTEGER PRIMARY KEY, example INTEGER NOT NULL, reviewer TEXT NOT NULL, "
    "time TEXT NOT NULL, kind TEXT NOT NULL, class TEXT, label TEXT, note TEXT, undone INTEGER{}) STRICT"
)
SCHEMAS = {1: (EXAMPLES, DECISIONS.format("")), FORMAT: (EXAMPLES, DECISIONS.format(", checksum TEXT"))}
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_ERROR}
ADVICE = {
    sqlite3.SQLITE_BUSY: "Another program holds it; close that, and try again",
    sqlite3.SQLITE_FULL: "Make room there, and try again",
}


class Row(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A line of the history.

    Attributes:
        number: of the line, counted from 1.
        example: its number.
        reviewer: who decided.
        time: when, in UTC, as ISO 8601 writes it.
        kind: what was done: a class was given, none of the classes fits, the given label is wrong, the example was
            skipped, a note was written, or a line of the same reviewer was undone.
        class_name: that was given.
        label: the name of the class that the run gave as label, or None without one.
        note: that was written.
        undone: number of the line that was undone.
    """

    number: int
    example: int
    reviewer: str
    time: datetime
    kind: Kind
    class_name: str | None
    label: str | None
    note: str | None
    undone: int | None


class Reviews:
    """The decisions about a set of examples. It holds nothing open, and may be shared between threads.

    Every method raises StorageError where the file is locked, cannot be written or its disk is full, and
    CorruptReviewsError where it is not what was written; then nothing is changed.

    Attributes:
        path: of the file, which the first line makes.
    """

    def __init__(self, path: Path, examples_sha256: str, count: int) -> None:
        self.path = path
        self._examples = (examples_sha256, count)

    def rows(self) -> list[Row]:
        """The whole history, the oldest line first."""
        if not self._is_there():
            return []
        with self._opened("read") as connection:
            if _is_new(connection):
                return []
            columns = "*" if self._recognise(connection) == FORMAT else "*, NULL"
            found = connection.execute(f"SELECT {columns} FROM decisions ORDER BY number").fetchall()
        return self._checked(found)

    def add(
        self,
        example: int,
        reviewer: str,
        kind: Verdict | Literal["note"],
        *,
        class_name: str | None = None,
        label: str | None = None,
        note: str | None = None,
    ) -> None:
        """Keep a decision; it is on disk when this returns.

        Args:
            example: its number.
            reviewer: who decided, a name of 1 to 100 characters.
            kind: what was decided, as `Row` says.
            class_name: with `class`.
            label: the name of the class that the run gives as label.
            note: with `note`, at most 2,000 characters; an empty one takes the note away.

        Raises:
            InvalidInputError: a name that is empty, a name or a note that is too long or no text, or no such example.
            NotPermittedError: whoever asks may only look.
        """
        self.add_all([Entry(example, reviewer, kind, class_name, label, note)])

    def add_all(self, entries: "list[Entry]") -> None:
        """Keep several decisions, all of them or none.

        Raises:
            As `add`.
        """
        require_permission("Nothing can be reviewed")
        for entry in entries:
            self._check(entry)
        with self._opened("written") as connection:
            for entry in entries:
                _insert(connection, entry)

    def undo(self, reviewer: str) -> int | None:
        """Undo a reviewer's latest line that is not undone.

        Returns:
            The number of its example, or None where there is nothing to undo.

        Raises:
            NotPermittedError: whoever asks may only look.
        """
        require_permission("Nothing can be reviewed")
        if not self._is_there():
            return None
        with self._opened("written") as connection:
            found = connection.execute(
                "SELECT number, example FROM decisions WHERE reviewer = ?1 AND kind <> 'undo' AND number NOT IN "
                "(SELECT undone FROM decisions WHERE reviewer = ?1 AND kind = 'undo' AND undone IS NOT NULL) "
                "ORDER BY number DESC LIMIT 1",
                (reviewer,),
            ).fetchone()
            if found is None:
                return None
            _insert(connection, Entry(found[1], reviewer, "undo", undone=found[0]))
        return int(found[1])

    def _is_there(self) -> bool:
        try:
            self.path.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._failed(error, "read") from error
        return True

    def _check(self, entry: "Entry") -> None:
        whole_number("example", entry.example, 0, self._examples[1] - 1)
        _text("reviewer", entry.reviewer, LONGEST_NAME)
        if entry.kind == "class" and entry.class_name is None:
            raise invalid("class_name", "the name of a class", "None")
        if entry.kind == "note":
            _text("note", entry.note, LONGEST_NOTE, least=0)

    def _checked(self, found: list[tuple[Any, ...]]) -> list[Row]:
        with_checksums = False
        for *values, checksum in found:
            with_checksums |= checksum is not None
            if with_checksums and checksum != _checksum(values):
                raise self._damaged(f"line {values[0]} is not what was written")
        try:
            rows = msgspec.convert([line[:-1] for line in found], list[Row])
        except msgspec.ValidationError as error:
            raise self._damaged(first_line(error)) from error
        count = self._examples[1]
        wrong = next((row for row in rows if not 0 <= row.example < count or row.time.tzinfo is None), None)
        if wrong is not None:
            raise self._damaged(f"line {wrong.number} is of no example and time that there can be")
        return rows

    @contextmanager
    def _opened(self, done: str) -> Iterator[sqlite3.Connection]:
        """One transaction; `done` is what could not be done where it fails."""
        try:
            if done == "written":
                self.path.parent.mkdir(parents=True, exist_ok=True)
            mode = "rwc" if done == "written" else "rw"
            address = f"{self.path.absolute().as_uri()}?mode={mode}"
            with closing(sqlite3.connect(address, LOCK_SECONDS, uri=True, isolation_level=None)) as connection:
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
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
            raise self._failed(error, done) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables of a file that is new, bring an earlier one to today's format, and refuse any other."""
        if _is_new(connection):
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            for statement in SCHEMAS[FORMAT]:
                connection.execute(statement)
            connection.execute("INSERT INTO examples VALUES (?, ?)", self._examples)
        elif self._recognise(connection) == 1:
            connection.execute("ALTER TABLE decisions ADD COLUMN checksum TEXT")
            connection.execute(f"PRAGMA user_version = {FORMAT}")

    def _recognise(self, connection: sqlite3.Connection) -> int:
        """The format of the file.

        One of another kind, version or set of examples is refused, and one with triggers or views of somebody.
        """
        if _application(connection) != APPLICATION:
            raise self._damaged("it is no file of reviews")
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version not in SCHEMAS:
            raise InvalidInputError(
                f"{self.path} has reviews of format {version}, and this mcviz reads formats 1 to {FORMAT}. Use the "
                "version of mcviz that wrote it."
            )
        if _statements(connection) != set(SCHEMAS[version]):
            raise self._damaged("its tables are not those of reviews")
        if connection.execute("SELECT * FROM examples").fetchall() != [self._examples]:
            raise self._damaged("it is of other examples")
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()  # no checksum tells that lines are missing
        if found != "ok":
            raise self._damaged("SQLite finds it malformed")
        return version

    def _damaged(self, reason: str) -> CorruptReviewsError:
        return CorruptReviewsError(
            f"The reviews in {self.path} cannot be used: {reason}. Restore the file from a copy, or move it away to "
            "begin anew; it is left as it is."
        )

    def _failed(self, error: Exception, done: str) -> Exception:
        code = getattr(error, "sqlite_errorcode", None)
        if not isinstance(error, OSError) and (code is None or code & 0xFF in DAMAGED):  # None: a text is no UTF-8
            return self._damaged(first_line(error))
        advice = ADVICE.get((code or 0) & 0xFF, "See that there is room and permission there, and try again")
        return StorageError(
            f"The reviews in {self.path} cannot be {done}: {first_line(error)}. {advice}; what was decided before is "
            "kept."
        )


class Entry(msgspec.Struct, frozen=True):
    """A line to be added, with the attributes of `Row`."""

    example: int
    reviewer: str
    kind: Kind
    class_name: str | None = None
    label: str | None = None
    note: str | None = None
    undone: int | None = None


def reviews_of(run: Run) -> Reviews:
    """The reviews of a run's examples, which all runs over the same examples share.

    They lie beside the run, in the folder `reviews`; in the user's own data folder where they are there already, where
    the run is at an address of the network or inside the installed package, and where nothing can be written.
    """
    return reviews_beside(run.path, run.manifest.examples)


def reviews_beside(folder: str | os.PathLike[str], examples: Examples) -> Reviews:
    """The reviews of the examples of a run in any state, as `reviews_of` says.

    Args:
        folder: of the run, or its address.
        examples: of the run, as its manifest has them.
    """
    run = os.fspath(folder)
    name = f"{examples.sha256[:32]}.sqlite"
    users = Path(platformdirs.user_data_dir("mcviz", appauthor=False)) / REVIEWS / name
    path = users
    if "://" not in run and not Path(run).resolve().is_relative_to(PACKAGE):
        beside = Path(run).absolute().parent / REVIEWS / name
        if beside.exists() or (not users.exists() and _can_be_written(beside.parent)):
            path = beside
    return Reviews(path, examples.sha256, examples.count)


def _can_be_written(folder: Path) -> bool:
    return os.access(folder if folder.exists() else folder.parent, os.W_OK)


def _insert(connection: sqlite3.Connection, entry: Entry) -> None:
    (number,) = connection.execute("SELECT COALESCE(MAX(number), 0) + 1 FROM decisions").fetchone()
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    decided = (entry.kind, entry.class_name, entry.label, entry.note, entry.undone)
    values = [number, int(entry.example), entry.reviewer, now, *decided]
    connection.execute("INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, _checksum(values)))


def _checksum(values: list[Any]) -> str:
    """The SHA-256 of a line's values, in the order of their columns, as JSON."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _is_new(connection: sqlite3.Connection) -> bool:
    """Whether nothing is in the file, or only what SQLite itself writes before the first transaction."""
    return not _statements(connection) and _application(connection) == 0


def _application(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA application_id").fetchone()[0])


def _statements(connection: sqlite3.Connection) -> set[str | None]:
    return {each[0] for each in connection.execute("SELECT sql FROM sqlite_schema")}


def _text(name: str, value: str | None, longest: int, least: int = 1) -> None:
    if value is None or not least <= len(value.strip()) <= len(value) <= longest or not is_text(value):
        raise invalid(name, f"a text of {least} to {longest:,} characters", f"{value!r:.60}")
