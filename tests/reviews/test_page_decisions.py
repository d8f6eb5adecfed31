"""Decisions that a shared page saved are added whole, once, and to the examples that they are about."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcviz
from mcviz.cli import main
from mcviz.errors import InvalidInputError
from mcviz.reviews import import_reviews, open_reviews, summarise_reviews
from mcviz.runs import Run
from tests.factories import make_doubtful_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_doubtful_run(tmp_path / "runs" / "doubtful", 20, seed=0)


def saved(run: Run, *decisions: dict[str, Any], **changes: Any) -> bytes:
    """A file as the page saves it."""
    sha256 = run.manifest.examples.sha256
    content = {"examples_sha256": sha256, "reviewer": "Ada", "decisions": list(decisions), "format": 1}
    return json.dumps(content | changes).encode()


def test_a_file_is_added_once_and_conflicts_are_named(run: Run, tmp_path: Path, capsys: Any) -> None:
    reviews, label = open_reviews(run), run.class_names[run.labels[3]]
    reviews.add(3, "Bob", "class", class_name="dog" if label != "dog" else "cat", label=label)
    reviews.add(4, "Ada", "none")
    file = tmp_path / "decisions.json"
    file.write_bytes(
        saved(
            run,
            {"example": 3, "kind": "class", "class_name": label, "label": label, "note": "clear"},
            {"example": 4, "kind": "class", "class_name": "=owl", "label": None},
            {"example": 5, "kind": "skip"},
        )
    )
    assert main(["review", "import", str(run.path), str(file)]) == 0
    assert capsys.readouterr().out == (
        "4 of 4 lines were new. Decided otherwise before by the same person: example 4. "
        "Disputed, to be settled on the page Label: example 3.\n"
    )
    known = summarise_reviews(run, reviews.rows())
    mine = {example: decision.in_words(run.class_names) for example, decision in known.decisions_by("Ada").items()}
    assert mine == {3: label, 4: "=owl", 5: "skipped"}
    assert known.notes == {(3, "Ada"): "clear"}
    lines = len(reviews.rows())
    assert main(["review", "import", str(run.path), str(file)]) == 0
    assert capsys.readouterr().out.startswith("0 of 4 lines were new.")
    assert len(reviews.rows()) == lines


def test_a_run_with_other_passes_over_the_same_examples_takes_it(run: Run, tmp_path: Path) -> None:
    images = np.zeros((6, 4, 4, 1), np.uint8) + np.arange(6, dtype=np.uint8)[:, None, None, None]
    probs = np.random.default_rng(9).dirichlet(np.ones(2), (5, 6))
    few, more = (mcviz.write_run(tmp_path / f"of-{t}", probs[:t], data=images, class_names="ab") for t in (2, 5))
    content = saved(few, {"example": 1, "kind": "class", "class_name": "b"})
    assert import_reviews(more, open_reviews(more), content).added == 1
    with pytest.raises(InvalidInputError, match="about other examples"):
        import_reviews(run, open_reviews(run), content)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"examples_sha256": "0" * 64}, "about other examples, 000000000000"),
        ({"decisions": [{"example": 20, "kind": "none"}]}, "There are examples 0 to 19"),
        ({"decisions": [{"example": 1, "kind": "class", "class_name": "cow"}]}, "“class cow” on example 1"),
        ({"decisions": [{"example": 1, "kind": "sure"}]}, "no decisions that a shared page saved"),
        ({"decisions": [{"example": 1, "answer": "cat"}]}, "no decisions that a shared page saved"),
        ({"reviewer": " "}, "reviewer"),
        ({"format": 2}, "no decisions that a shared page saved"),
    ],
)
def test_nothing_of_a_file_with_a_wrong_part_is_added(run: Run, broken: dict[str, Any], words: str) -> None:
    good = {"example": 0, "kind": "none"}
    decisions = [good, *broken.get("decisions", ())]
    with pytest.raises(InvalidInputError, match=words):
        import_reviews(run, open_reviews(run), saved(run, **{**broken, "decisions": decisions}))
    assert open_reviews(run).rows() == []
