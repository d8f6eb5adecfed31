"""Runs that several files only read."""

from pathlib import Path

import pytest

import mcviz
from mcviz.runs import Run
from tests.factories import make_doubtful_run

CACHE = Path(__file__).parents[2] / "cache"
SHIPPED = CACHE / "mnist-cnn"
RANKING_SCORES = tuple(name for name, score in mcviz.SCORES.items() if not score.needs_labels)


@pytest.fixture(scope="session")
def shipped() -> Run:
    return mcviz.open_run(SHIPPED)


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_doubtful_run(tmp_path_factory.mktemp("runs") / "old", 3000, 0)


@pytest.fixture(scope="session")
def new(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Examples like those of `old`, without labels."""
    return make_doubtful_run(tmp_path_factory.mktemp("runs") / "new", 1000, 1, labelled=False)


@pytest.fixture(scope="session")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Examples of more doubt than those of `old`, without labels."""
    return make_doubtful_run(tmp_path_factory.mktemp("runs") / "moved", 1000, 3, labelled=False, doubt=2)
