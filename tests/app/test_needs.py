"""What a run does not have is said in one way, and what needs it is not offered."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from mcviz.app import needs
from mcviz.app.exports import EXPORTS
from mcviz.app.navigation import PAGES, PROBE
from mcviz.app.needs import MISSING, available, check_needs, has
from mcviz.app.views import VIEWS

APP = Path(__file__).parents[2] / "mcviz" / "app"


@dataclass
class Kept:
    """A run of which some things were kept."""

    labels: object = None
    has_images: bool = False
    model_path: str | None = None
    columns: object = None
    class_names: tuple[str, ...] = ("a", "b")
    targets: tuple[str, ...] = ()

    @property
    def manifest(self) -> SimpleNamespace:
        origin = SimpleNamespace(kind="dropout")
        return SimpleNamespace(features=None, origin=origin, has_examples=self.has_images)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(needs, "st", SimpleNamespace(info=lambda words, icon: found.append(words)))  # noqa: ARG005
    return found


def test_what_is_missing_is_said_once_and_what_is_there_is_not(said: list[str]) -> None:
    assert check_needs(Kept(has_images=True), {"images"})
    assert check_needs(Kept(), set())
    assert said == []
    assert not check_needs(Kept(has_images=True), {"model", "labels"})
    assert said == [MISSING["labels"][1]]


def test_each_kind_of_thing_is_looked_for() -> None:
    everything = Kept(labels=(), has_images=True, model_path="model.keras")
    for need in MISSING:
        assert has(everything, need)
        assert not has(Kept(), need)


def test_views_and_exports_are_offered_where_the_run_has_what_they_need() -> None:
    assert available(VIEWS, Kept()) == ["gallery", "table", "scatter"]
    assert available(VIEWS, Kept(labels=())) == ["gallery", "table", "scatter", "confusion", "classes"]
    assert available(VIEWS, Kept(has_images=True)) == ["gallery", "table", "scatter", "map"]
    assert available(EXPORTS, Kept()) == ["csv", "parquet", "html"]


def test_pages_are_registered_once_each_with_its_needs() -> None:
    assert PROBE.needs == {"model"}
    assert {page.script for page in PAGES} == set((APP / "pages").glob("*.py"))
