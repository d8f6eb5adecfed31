"""Corrected labels become moves of files between folders of classes, which overwrite nothing and can be resumed."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mcviz
from mcviz.cli import main
from mcviz.errors import InvalidInputError, StorageError
from mcviz.reviews import (
    ReviewSummary,
    corrected_labels,
    find_open_moves,
    move_files,
    open_reviews,
    plan_moves,
    summarise_reviews,
)
from mcviz.reviews.answers import PREDICTION_IS_WRONG
from mcviz.runs import Run

IDS = ("cat/1.png", "cat/2.png", "cat/deep/3.png", "dog/1.png", "dog/4.png", "owl/4.png", "owl/5.png")
CLASSES = ("cat", "dog", "owl")
DECISIONS = {"cat/1.png": "dog", "cat/deep/3.png": "owl", "dog/4.png": "cat", "owl/4.png": "cat", "owl/5.png": "owl"}
MOVES = {
    "cat/1.png": "dog/1-from-cat.png",
    "cat/deep/3.png": "owl/deep/3.png",
    "dog/4.png": "cat/4-from-dog.png",
    "owl/4.png": "cat/4-from-owl.png",
}


def write(path: Path, ids: tuple[str, ...] = IDS, class_names: tuple[str, ...] = CLASSES, **more: object) -> Run:
    labels = [class_names.index(name.split("/")[0]) if name.split("/")[0] in class_names else 0 for name in ids]
    probs = np.random.default_rng(0).dirichlet(np.ones(len(class_names)), (4, len(ids)))
    return mcviz.write_run(path, probs, labels=labels, ids=ids, class_names=class_names, **more)


def decide(run: Run, answers: dict[str, str], reviewer: str = "Ada") -> ReviewSummary:
    reviews, ids = open_reviews(run), run.scores()["id"].tolist()
    for name, answer in answers.items():
        reviews.add(
            ids.index(name), reviewer, "class", class_name=answer, label=run.class_names[run.labels[ids.index(name)]]
        )
    return summarise_reviews(run, reviews.rows())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write(tmp_path / "cache" / "run")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The folder of the run's files, each with its own name in it."""
    folder = tmp_path / "photos"
    for name in IDS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def expected() -> dict[str, str]:
    return {MOVES.get(name, name): name for name in IDS}


def test_the_table_has_each_example_s_label_and_who_gave_it(run: Run, tmp_path: Path, capsys) -> None:
    decide(run, DECISIONS)
    reviews = open_reviews(run)
    reviews.add(1, "Bob", "wrong_label", label="cat")
    reviews.add(0, "Ada", "note", note="a tail", label="cat")
    table = corrected_labels(run, summarise_reviews(run, reviews.rows())).set_index("id")
    assert list(table) == ["old", "new", "who", "when", "note"]
    assert "cat/2.png" not in table.index, "which has no class"
    assert table["new"].to_dict() == {name: DECISIONS.get(name, name.split("/")[0]) for name in IDS if name != IDS[1]}
    assert table["who"].to_dict() == {name: "Ada" if name in DECISIONS else "" for name in table.index}
    assert table.loc["cat/1.png", "note"] == "a tail"
    assert pd.to_datetime(table.loc["cat/1.png", "when"]).tzinfo is not None
    file = tmp_path / "labels.csv"
    assert main(["review", "export", run.path, "--to", str(file)]) == 0
    told = capsys.readouterr().out
    assert "6 labels are written to" in told
    assert "Changed: 4." in told
    assert "Left out, since nobody named their class: 1." in told
    assert pd.read_csv(file, keep_default_na=False)["new"].tolist() == table["new"].tolist()


def test_files_move_only_with_yes_and_a_second_time_nothing_is_left(run: Run, photos: Path, capsys) -> None:
    decide(run, DECISIONS)
    command = ["review", "export", run.path, "--to-folders", str(photos)]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert all(f"{name}" in told and place in told for name, place in MOVES.items())
    assert contents(photos) == {name: name for name in IDS}
    assert main([*command, "--yes"]) == 0
    assert contents(photos) == expected()
    capsys.readouterr()
    assert main([*command, "--yes"]) == 0
    assert capsys.readouterr().out == "Files moved: 0. Moved before: 4.\n"
    assert contents(photos) == expected()


@pytest.mark.parametrize("failing", ["link", "unlink"])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_what_is_stopped_half_way_is_gone_on_with(
    run: Run, photos: Path, failing: str, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves, calls = plan_moves(run, decide(run, DECISIONS)), iter(range(99))
    with monkeypatch.context() as patch:
        owner = os if failing == "link" else Path
        real = getattr(owner, failing)

        def fail(*arguments: object, **more: object) -> object:
            if next(calls) == after:
                raise OSError(28, "No space left on device")
            return real(*arguments, **more)

        patch.setattr(owner, failing, fail)
        with pytest.raises(StorageError, match=r"No space left on device.*the same command moves the rest"):
            move_files(photos, moves)
    assert set(contents(photos).values()) == set(IDS), "nothing is lost"
    move_files(photos, moves)
    assert contents(photos) == expected()


def test_what_is_in_the_way_is_refused_before_anything_moves(run: Run, photos: Path) -> None:
    moves = plan_moves(run, decide(run, DECISIONS))
    (photos / "cat" / "4-from-owl.png").write_text("mine")
    before = contents(photos)
    with pytest.raises(InvalidInputError, match=r"4-from-owl\.png is there already"):
        move_files(photos, moves)
    assert contents(photos) == before
    (photos / "cat" / "4-from-owl.png").unlink()
    (photos / "dog" / "4.png").unlink()
    with pytest.raises(InvalidInputError, match=r"dog/4\.png is not there"):
        move_files(photos, moves)


@pytest.mark.parametrize("link", ["cat/1.png", "cat", "owl", "dog"])
def test_no_link_is_followed(run: Run, photos: Path, link: str, tmp_path: Path) -> None:
    moves = plan_moves(run, decide(run, DECISIONS))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (photos / link).rename(elsewhere / "it")
    (photos / link).symlink_to(elsewhere / "it")
    before = contents(photos), contents(elsewhere)
    with pytest.raises(InvalidInputError, match="and no link"):
        move_files(photos, moves)
    assert (contents(photos), contents(elsewhere)) == before


@pytest.mark.parametrize(
    ("ids", "classes", "answer", "words"),
    [
        (("1.png", "cat/2.png"), CLASSES, "dog", "Files are moved where each lies in the folder of its class"),
        (("dog/../../1.png", "cat/2.png"), CLASSES, "cat", "folder of its class"),
        (("cat/1.png", "cat/2.png"), ("cat", ".."), "..", "the name of a folder"),
        (("cat/1.png", "cat/2.png"), ("cat", "/"), "/", "the name of a folder"),
        (("cat/1.png", "cat/2.png"), ("cat", "../../dog"), "../../dog", "the name of a folder"),
        (("//1.png", "/2.png"), ("/", "cat"), "cat", "folder of its class"),
        (("cat/1.png", "dog/1.png", "dog/1-from-cat.png"), CLASSES, "dog", "would both become"),
    ],
)
def test_a_plan_never_leaves_the_folder(
    tmp_path: Path, ids: tuple[str, ...], classes: tuple[str, ...], answer: str, words: str
) -> None:
    run = write(tmp_path / "cache" / "run", ids, classes)
    with pytest.raises(InvalidInputError, match=words):
        plan_moves(run, decide(run, {ids[0]: answer}))


def test_without_a_folder_or_with_two_places_it_is_refused(run: Run, tmp_path: Path, capsys) -> None:
    moves = plan_moves(run, decide(run, DECISIONS))
    with pytest.raises(InvalidInputError, match="There is no folder"):
        find_open_moves(tmp_path / "nowhere", moves)
    for options in ([], ["--yes"], ["--to", "a.csv", "--to-folders", "b"], ["--to", "a.csv", "--yes"]):
        assert main(["review", "export", run.path, *options]) == 2
        assert "go to one place" in capsys.readouterr().err


def test_of_a_segmentation_the_decisions_and_their_notes_are_exported(tmp_path: Path, capsys) -> None:
    maps = np.random.default_rng(0).integers(2, size=(3, 4, 6, 6)).astype(np.uint8)
    run = mcviz.write_run(tmp_path / "cache" / "maps", maps, labels=maps[0], ids=IDS[:4], task="segmentation")
    reviews = open_reviews(run)
    reviews.add(2, "Ada", "class", class_name=PREDICTION_IS_WRONG)
    reviews.add(2, "Ada", "note", note="the left edge")
    file = tmp_path / "decisions.csv"
    assert main(["review", "export", run.path, "--to", str(file)]) == 0
    assert "1 decisions are written to" in capsys.readouterr().out
    (row,) = pd.read_csv(file).to_dict("records")
    assert (row["id"], row["reviewer"], row["verdict"]) == (IDS[2], "Ada", PREDICTION_IS_WRONG)
    assert row["note"] == "the left edge"
    assert main(["review", "export", run.path, "--to-folders", str(tmp_path)]) == 2
