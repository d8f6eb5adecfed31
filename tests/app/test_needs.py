"""What a run does not have is said in one way, and what needs it is not offered."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from mcviz.app import resources
from mcviz.app.navigation import PAGES, PROBE
from mcviz.app.resources import MISSING, WITHOUT_LABELS, available, check_needs, has
from mcviz.app.views import VIEWS
from mcviz.app.views.actions import EXPORTS
from mcviz.extras import INSTALL_TORCH
from mcviz.manifest import Model
from mcviz.tasks import Task, find_task

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
    model: Model | None = None

    @property
    def task(self) -> Task:
        return find_task("regression" if self.targets else "classification")

    @property
    def manifest(self) -> SimpleNamespace:
        origin = SimpleNamespace(kind="dropout")
        return SimpleNamespace(
            features=None,
            labels_sha256=None if self.labels is None else "0" * 64,
            origin=origin,
            has_examples=self.has_images,
            model=self.model,
            has_model=self.model is not None,
            inputs_sha256=None,
        )


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(resources, "st", SimpleNamespace(info=lambda words, icon: found.append(words)))  # noqa: ARG005
    return found


def test_what_is_missing_is_said_once_and_what_is_there_is_not(said: list[str]) -> None:
    assert check_needs(Kept(has_images=True), {"images"})
    assert check_needs(Kept(), set())
    assert said == []
    assert not check_needs(Kept(has_images=True), {"model", "labels"})
    assert said == [MISSING["labels"][1].format(ways=WITHOUT_LABELS)]
    assert "labelled run of the same model" in said[0]
    assert not check_needs(Kept(class_names=(), targets=("a",)), {"labels"})
    assert "labelled run" not in said[1]


def test_what_a_model_of_pytorch_needs_is_said(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run = Kept(model_path="model.safetensors", model=Model("Net", "", True, backend="torch"))
    monkeypatch.setenv("MCVIZ_IMPORT", "cats")
    monkeypatch.setattr("mcviz.extras.find_spec", {"torch": None}.get)
    for function, modules, part in (
        ("", "birds", "does not name the function that builds it. To ask it about new examples, sample it from `mcviz"),
        ("birds.models:build", "cats", "start again with `--import birds`, or with `MCVIZ_IMPORT='birds'`"),
        ("birds.models:build", "birds", INSTALL_TORCH),
    ):
        monkeypatch.setenv("MCVIZ_IMPORT", modules)
        run.model = replace(run.model, function=function)
        assert not check_needs(run, {"model"})
        assert part in said[-1]
        assert "Keras" not in said[-1]
    monkeypatch.setattr("mcviz.extras.find_spec", lambda name: name)
    assert check_needs(run, {"model"})


def test_each_kind_of_thing_is_looked_for() -> None:
    everything = Kept(labels=(), has_images=True, model_path="model.keras")
    for need in MISSING:
        assert has(everything, need)
        assert not has(Kept(), need)


def test_views_and_exports_are_offered_where_the_run_has_what_they_need() -> None:
    offered = [{*available(VIEWS, run)} for run in (Kept(), Kept(labels=()), Kept(has_images=True))]
    of_labels, of_images, of_targets = {"confusion", "classes"}, {"map"}, {"predicted", "intervals"}
    assert all({"gallery", "table", "scatter"} <= each and not of_targets & each for each in offered)
    assert [of_labels & each for each in offered] == [set(), of_labels, set()]
    assert [of_images & each for each in offered] == [set(), set(), of_images]
    assert available(EXPORTS, Kept()) == ["csv", "parquet"]


def test_pages_are_registered_once_each_with_its_needs() -> None:
    assert not PROBE.needs, "its detectors are shown without a model"
    assert {page.script for page in PAGES} == set((APP / "pages").glob("*.py"))


def test_links_to_pages_that_people_kept_still_lead_there() -> None:
    kept = {
        "Overview": "overview", "Explore": "uncertain", "Trust": "trust", "Label": "review", "Probe": "probe",
        "Runs": "runs", "One example": "example", "Side by side": "side_by_side", "Present": "story",
        "Out of distribution": "out_of_distribution", "Compare": "compare",
    }  # fmt: skip
    assert kept.items() <= {page.title: page.url_path for page in PAGES}.items()
