"""Reviews on disk: what was decided is kept whatever is killed, full, locked or damaged."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mcviz
from mcviz.errors import CorruptReviewsError, InvalidInputError, StorageError
from mcviz.reviews import Entry, Reviews, open_reviews, store
from mcviz.reviews.store import decode_classes, decode_values, encode_classes, encode_values
from tests.cases import one_in
from tests.failing import full_disk, in_child, killed

pytestmark = pytest.mark.lowest

EXAMPLES = 50


@pytest.fixture
def reviews(tmp_path: Path) -> Reviews:
    return at(tmp_path)


def at(folder: Path) -> Reviews:
    return Reviews(folder / "reviews" / "a.sqlite", "ab" * 32, EXAMPLES)


def history(reviews: Reviews) -> list[tuple[object, ...]]:
    return [(row.example, row.reviewer, row.kind, row.class_name) for row in reviews.rows()]


def test_nothing_is_written_before_the_first_decision(reviews: Reviews) -> None:
    assert reviews.rows() == []
    assert reviews.undo("Ada") is None
    assert not reviews.path.exists()


def test_every_line_is_kept_as_it_was_said(reviews: Reviews) -> None:
    reviews.add(3, "Ada", "class", class_name="“7”; DROP TABLE decisions", label="1")
    reviews.add(3, "Ada", "note", note="a *blurred*\nseven")
    reviews.add(4, "Bob", "wrong_label", label="1")
    first, second, third = reviews.rows()
    assert (first.class_name, first.label, first.undone) == ("“7”; DROP TABLE decisions", "1", None)
    assert second.note == "a *blurred*\nseven"
    assert (third.number, third.example, third.reviewer, third.kind) == (3, 4, "Bob", "wrong_label")
    assert first.time <= second.time <= third.time


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from(["add", "undo"]), st.integers(0, 9)), max_size=12))
def test_undo_takes_back_ones_own_latest_and_nobody_else_s(tmp_path_factory, steps) -> None:
    reviews, done = at(tmp_path_factory.mktemp("undo")), {"A": [], "B": []}
    for reviewer, step, example in steps:
        if step == "add":
            reviews.add(example, reviewer, "none")
            done[reviewer].append(example)
        else:
            assert reviews.undo(reviewer) == (done[reviewer].pop() if done[reviewer] else None)
    rows = reviews.rows()
    undone = {row.undone for row in rows if row.kind == "undo"}
    for reviewer, left in done.items():
        mine = [row for row in rows if row.reviewer == reviewer and row.kind != "undo"]
        assert [row.example for row in mine if row.number not in undone] == left


def test_a_writer_that_is_killed_loses_at_most_the_decision_it_was_writing(reviews: Reviews, stride: int) -> None:
    kills = 12 if stride == 1 else 3
    rng = np.random.default_rng(0)
    rows_before = 0
    for _ in range(kills):
        told, tell = os.pipe()

        def decide(tell: int = tell) -> None:
            for number in range(10_000):
                reviews.add(number % EXAMPLES, "Ada", "skip")
                os.write(tell, b".")

        child = in_child(decide)
        os.close(tell)
        with os.fdopen(told, "rb") as pipe:
            finished = len(pipe.read(rng.integers(1, 20)))
            killed(child, after=rng.uniform(0, 0.005))
            finished += len(pipe.read())
        rows = len(reviews.rows())
        assert rows_before + finished <= rows <= rows_before + finished + 1
        rows_before = rows
    assert rows_before > kills
    reviews.add(0, "Bob", "none")
    assert len(reviews.rows()) == rows_before + 1


def test_writers_at_once_lose_nothing_and_see_each_other(reviews: Reviews) -> None:
    def decide(reviewer: str) -> None:
        for example in range(20):
            reviews.add(example, reviewer, "skip")

    children = [in_child(lambda name=name: decide(name)) for name in ("Ada", "Bob", "Cy")]
    for child in children:
        os.waitpid(child, 0)
    rows = reviews.rows()
    assert [row.number for row in rows] == list(range(1, 61))
    for name in ("Ada", "Bob", "Cy"):
        assert [row.example for row in rows if row.reviewer == name] == list(range(20))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    yield
    holder.execute("ROLLBACK")
    holder.close()


@contextmanager
def in_the_way(path: Path) -> Iterator[None]:
    """The folder cannot be entered, as without permission, which root always has."""
    moved = path.parent.with_name("moved")
    path.parent.rename(moved)
    path.parent.write_text("no folder")
    yield
    path.parent.unlink()
    moved.rename(path.parent)


@pytest.mark.parametrize("trouble", [locked, lambda _: full_disk(1024), in_the_way])
@pytest.mark.parametrize("action", [lambda reviews: reviews.add(1, "Ada", "none"), lambda reviews: reviews.undo("Ada")])
def test_what_cannot_be_kept_is_said_and_nothing_is_lost(
    reviews: Reviews, monkeypatch: pytest.MonkeyPatch, trouble, action
) -> None:
    monkeypatch.setattr(store, "LOCK_SECONDS", 0.05)
    reviews.add(0, "Ada", "class", class_name="7")
    before = history(reviews)
    with trouble(reviews.path):
        with pytest.raises(
            StorageError, match=r"^The reviews in .*a\.sqlite cannot be (read|written): .*is kept\.$"
        ) as caught:
            action(reviews)
        assert "\n" not in str(caught.value)
    assert history(reviews) == before
    action(reviews)
    assert len(reviews.rows()) == 2


def with_page_flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:4160] = b"\xff" * 64
    path.write_bytes(content)


def by(*statements: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    return spoil


OLD = (
    f"PRAGMA application_id = {0x6D637669}",
    "PRAGMA user_version = 1",
    "CREATE TABLE examples (sha256 TEXT NOT NULL, count INTEGER NOT NULL) STRICT",
    "CREATE TABLE decisions (number INTEGER PRIMARY KEY, example INTEGER NOT NULL, reviewer TEXT NOT NULL, "
    "time TEXT NOT NULL, kind TEXT NOT NULL, class TEXT, label TEXT, note TEXT, undone INTEGER) STRICT",
    "BEGIN",
    f"INSERT INTO examples VALUES ('{'ab' * 32}', {EXAMPLES})",
    *(
        "INSERT INTO decisions (example, reviewer, time, kind, class) VALUES "
        f"({example}, 'Ada', '2025-01-01T00:00:00.000+00:00', 'class', '{'c' * 300}')"
        for example in range(30)
    ),
    "COMMIT",
)


def of_format_1(folder: Path) -> Reviews:
    """Reviews as the versions wrote them that knew no checksums."""
    reviews = at(folder)
    reviews.path.parent.mkdir(parents=True)
    by("PRAGMA journal_mode = WAL", *OLD)(reviews.path)
    return reviews


def of_format_3(folder: Path) -> Reviews:
    reviews = at(folder)
    reviews.add_all([Entry(example, "Ada", "class", class_name="c" * 300) for example in range(30)])
    return reviews


def of_format_2(folder: Path) -> Reviews:
    """Reviews as the versions wrote them that knew no decisions of several classes."""
    reviews = of_format_3(folder)
    by("PRAGMA user_version = 2")(reviews.path)
    return reviews


NEW = "INSERT INTO decisions (example, reviewer, time, kind, note) VALUES "
SPOILT = {
    "no database": lambda path: path.write_bytes(b"not a database" * 1000),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "flipped": with_page_flipped,
    "another application": by("PRAGMA application_id = 1"),
    "of other examples": by("UPDATE examples SET sha256 = 'other'"),
    "of fewer examples": by("UPDATE examples SET count = 3"),
    "a trigger": by("CREATE TRIGGER t AFTER INSERT ON decisions BEGIN DELETE FROM decisions; END"),
    "a view": by("CREATE VIEW v AS SELECT 1"),
    "another table": by("DROP TABLE decisions", "CREATE TABLE decisions (number INTEGER PRIMARY KEY)"),
    "an example too many": by(NEW + f"({EXAMPLES}, 'Ada', '2025-01-01T00:00:00+00:00', 'skip', NULL)"),
    "a negative example": by(NEW + "(-1, 'Ada', '2025-01-01T00:00:00+00:00', 'skip', NULL)"),
    "another kind": by(NEW + "(1, 'Ada', '2025-01-01T00:00:00+00:00', '<script>', NULL)"),
    "no time": by(NEW + "(1, 'Ada', 'yesterday', 'skip', NULL)"),
    "a time of no zone": by(NEW + "(1, 'Ada', '2025-01-01T00:00:00', 'skip', NULL)"),
    "classes that are none": by(
        "INSERT INTO decisions (example, reviewer, time, kind, class) VALUES "
        "(1, 'Ada', '2025-01-01T00:00:00+00:00', 'classes', 'cat')"
    ),
    "a text that is none": by(NEW + "(1, CAST(x'ff' AS TEXT), '2025-01-01T00:00:00+00:00', 'skip', NULL)"),
    "a huge text": by(NEW + "(1, 'Ada', '2025-01-01T00:00:00+00:00', 'note', hex(zeroblob(1000000)))"),
}


@pytest.mark.parametrize("reviews_of_format", one_in(5, [of_format_1, of_format_2, of_format_3]))
@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_file_that_is_not_what_was_written_is_refused_and_left_as_it_is(
    tmp_path: Path, spoilt: str, reviews_of_format: Callable[[Path], Reviews]
) -> None:
    reviews = reviews_of_format(tmp_path)
    assert len(reviews.rows()) == 30
    SPOILT[spoilt](reviews.path)
    before = reviews.path.read_bytes()
    with pytest.raises(CorruptReviewsError, match=r"a\.sqlite cannot be used: .* left as it is\.$") as caught:
        reviews.rows()
    assert "\n" not in str(caught.value)
    assert reviews.path.read_bytes() == before


@pytest.mark.parametrize("spoilt", ["no database", "another application", "of other examples", "a trigger"])
def test_nothing_is_added_to_a_file_that_is_not_what_was_written(reviews: Reviews, spoilt: str) -> None:
    reviews.add(0, "Ada", "skip")
    SPOILT[spoilt](reviews.path)
    before = reviews.path.read_bytes()
    with pytest.raises(CorruptReviewsError):
        reviews.add(1, "Ada", "skip")
    assert reviews.path.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        "class = 'd'", "label = 'd'", "kind = 'none'", "note = ''", "undone = 1", "example = 0", "reviewer = 'Bob'",
        "number = 99", "time = '2025-01-01T00:00:01.000+00:00'", "checksum = NULL", "checksum = ''",
    ],
)  # fmt: skip
def test_a_line_that_was_changed_is_told(tmp_path: Path, change: str) -> None:
    reviews = of_format_1(tmp_path)
    for example in (7, 8):
        reviews.add(example, "Ada", "class", class_name="c")
    by(f"UPDATE decisions SET {change} WHERE number = 32")(reviews.path)
    with pytest.raises(CorruptReviewsError, match=r"line (32|99) is not what was written"):
        reviews.rows()


def test_any_byte_that_is_flipped_is_told_or_changes_nothing(tmp_path: Path) -> None:
    reviews = at(tmp_path)
    for example in range(8):
        reviews.add(example, "Ada", "class", class_name="a class", label="a label")
    reviews.undo("Ada")
    rows, content, rng = reviews.rows(), reviews.path.read_bytes(), np.random.default_rng(0)
    size, refusals = len(content), 0
    cells = [*range(100, 110), *range(4096, 4104), *range(8192, 8230)]  # where SQLite says what is in a page
    schema = range(3600, 4096)
    for place in [*cells, *rng.choice(schema, 100, replace=False), *rng.choice(size, 300, replace=False)]:
        flipped = bytearray(content)
        flipped[place] ^= int(rng.integers(1, 256))
        reviews.path.write_bytes(flipped)
        try:
            assert reviews.rows() == rows, place
        except (CorruptReviewsError, InvalidInputError):  # or of a later version
            refusals += 1
    assert refusals > 100


def test_lines_of_the_format_before_are_kept_and_new_ones_have_checksums(tmp_path: Path) -> None:
    reviews = of_format_1(tmp_path)
    before = reviews.path.read_bytes()
    old = reviews.rows()
    assert reviews.path.read_bytes() == before  # whoever only looks changes nothing
    reviews.add(np.int64(7), "Bob", "none")
    assert reviews.undo("Ada") == 29
    assert reviews.rows()[:30] == old
    with closing(sqlite3.connect(reviews.path)) as connection:
        lines = connection.execute("SELECT * FROM decisions ORDER BY number").fetchall()
        assert connection.execute("PRAGMA user_version").fetchone() == (4,)
    assert [line[-1] for line in lines[:30]] == [None] * 30
    for *values, checksum in lines[30:]:
        assert checksum == hashlib.sha256(json.dumps(values).encode()).hexdigest()


def test_lines_of_one_class_are_kept_where_one_of_several_is_added(tmp_path: Path) -> None:
    reviews = of_format_2(tmp_path)
    before, old = reviews.path.read_bytes(), reviews.rows()
    assert reviews.path.read_bytes() == before
    said = {"dög": True, "cat; “owl”": False}
    reviews.add(3, "Bob", "classes", class_name=encode_classes(said), label=encode_classes({"dög": False}))
    *lines, new = reviews.rows()
    assert lines == old
    assert (decode_classes(new.class_name), decode_classes(new.label)) == (said, {"dög": False})
    with closing(sqlite3.connect(reviews.path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (4,)


def test_lines_of_several_classes_are_kept_where_numbers_are_added(reviews: Reviews) -> None:
    reviews.add(3, "Bob", "classes", class_name=encode_classes({"dög": True}))
    by("PRAGMA user_version = 3")(reviews.path)
    (old,) = reviews.rows()
    reviews.add(4, "Bob", "values", class_name=encode_values({"dög": 1.5}))
    assert reviews.rows()[0] == old
    assert decode_values(reviews.rows()[1].class_name) == {"dög": 1.5}
    with closing(sqlite3.connect(reviews.path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (4,)


def test_what_is_said_of_classes_is_written_in_one_way_and_comes_back() -> None:
    assert (
        encode_classes({"b": True, "a": False}) == encode_classes({"a": False, "b": True}) == '{"a": false, "b": true}'
    )
    for text in ("", "cat", "[]", '{"a": 1}', '{"a": null}', "\ud800"):
        with pytest.raises(InvalidInputError, match="what is said of classes"):
            decode_classes(text)


@pytest.mark.slow
def test_a_writer_that_is_killed_as_it_brings_a_file_to_the_new_format_loses_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for attempt in range(20):
        reviews = of_format_1(tmp_path / str(attempt))
        old = reviews.rows()
        child = in_child(lambda reviews=reviews: reviews.add(0, "Bob", "none"))
        killed(child, after=rng.uniform(0, 0.01))
        rows = reviews.rows()
        assert rows[:30] == old
        assert len(rows) <= 31
        reviews.add(1, "Bob", "none")
        assert len(reviews.rows()) == len(rows) + 1


def test_a_file_of_another_version_says_so(reviews: Reviews) -> None:
    reviews.add(0, "Ada", "skip")
    by("PRAGMA user_version = 5")(reviews.path)
    with pytest.raises(InvalidInputError, match="format 5, and this mcviz reads formats 1 to 4"):
        reviews.rows()


def test_a_file_that_was_only_begun_is_as_good_as_none(reviews: Reviews) -> None:
    reviews.path.parent.mkdir()
    by("PRAGMA journal_mode = WAL")(reviews.path)
    assert reviews.rows() == []
    reviews.add(0, "Ada", "skip")
    assert len(reviews.rows()) == 1


@pytest.mark.parametrize(
    "entry",
    [
        Entry(EXAMPLES, "Ada", "skip"),
        Entry(-1, "Ada", "skip"),
        Entry(0, " ", "skip"),
        Entry(0, "A" * 101, "skip"),
        Entry(0, "\ud800", "skip"),
        Entry(0, "Ada", "class"),
        Entry(0, "Ada", "classes"),
        Entry(0, "Ada", "classes", class_name="cat"),
        Entry(0, "Ada", "classes", class_name=encode_classes({f"a class {number}": True for number in range(5_000)})),
        Entry(0, "Ada", "note"),
        Entry(0, "Ada", "note", note="n" * 2001),
    ],
)
def test_what_cannot_be_a_decision_is_refused_and_so_are_those_with_it(reviews: Reviews, entry: Entry) -> None:
    with pytest.raises(InvalidInputError):
        reviews.add_all([Entry(0, "Ada", "skip"), entry])
    assert reviews.rows() == []


def make_run(folder: Path, seed: int, **more: object) -> mcviz.Run:
    passes = np.random.default_rng(seed).dirichlet(np.ones(3), (4, 6)).astype(np.float32)
    data = np.arange(6 * 4 * 4, dtype=np.uint8).reshape(6, 4, 4, 1)
    mcviz.write_run(folder, passes, data=data, **more)
    return mcviz.open_run(folder)


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "of the user"
    monkeypatch.setattr(store.platformdirs, "user_data_dir", lambda *_, **__: str(folder))
    return folder


def test_runs_over_the_same_examples_share_their_reviews(tmp_path: Path, users: Path) -> None:
    one, other = make_run(tmp_path / "one", 0), make_run(tmp_path / "other", 1, labels=[0, 1, 2, 0, 1, 2])
    assert one.digest != other.digest
    before = sorted((tmp_path / "one").rglob("*"))
    open_reviews(one).add(2, "Ada", "class", class_name="1")
    assert open_reviews(other).rows() == open_reviews(one).rows() != []
    assert sorted((tmp_path / "one").rglob("*")) == before
    assert mcviz.verify_run(tmp_path / "one")
    assert not users.exists()


def test_where_nothing_can_be_written_reviews_go_to_the_user_s_folder(
    tmp_path: Path, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "cache" / "one", 0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        open_reviews(run).add(0, "Ada", "skip")
    assert list(users.rglob("*.sqlite")) == [open_reviews(run).path]  # and are found there later on


def test_the_shipped_run_of_a_package_has_its_reviews_in_the_user_s_folder(
    tmp_path: Path, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PACKAGE", tmp_path / "package")
    assert open_reviews(make_run(tmp_path / "package" / "cache" / "one", 0)).path.is_relative_to(users)
