"""Pages of a run of two classes with a threshold: the slider on Trust, and that every page follows it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

import mcviz
from mcviz.analysis.thresholds import choosing_curve
from mcviz.app import navigation
from mcviz.app.views import VIEWS
from mcviz.reviews import open_reviews
from tests.analysis.test_threshold_of_two import COUNT, draw_two, write
from tests.app.opening import assert_sound, opened_page
from tests.app.probing import widget, words
from tests.cases import only

PAGES: list[tuple[str, dict[str, str]]] = [
    *((page.url_path, {}) for page in navigation.PAGES),
    *(("uncertain", {"view": view}) for view in VIEWS),
    *(("uncertain", {"view": view, "colour": "correct"}) for view in ("scatter", "map")),
    ("uncertain", {"correct": "wrong"}),
    ("uncertain", {"view": "groups", "other": "other"}),
    ("trust", {"details": "figures,groups,scores,sets,unlabelled", "column": "label"}),
    ("trust", {"details": "groups", "column": "site", "group": "site"}),
    ("runs", {"other": "other"}),
    *(("story", {"step": step}) for step in "1234"),
    *(("example", {"example": example}) for example in "01"),
    *(("review", {"part": part}) for part in ("queue", "label_errors", "results")),
    ("side_by_side", {"pinned": "0,1"}),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for seed, name in enumerate(("one", "other")):
        mcviz.thresholds(write(folder / name, *draw_two(seed)), best="f1")
    open_reviews(mcviz.open_run(folder / "one")).add(0, "Ada", "class", class_name="rare")
    return folder


@pytest.mark.parametrize(("page", "query"), only([("overview", {}), ("trust", {}), ("uncertain", {})], PAGES))
def test_every_page_shows_a_run_whose_labels_chose_in_part(
    cache: Path, monkeypatch: pytest.MonkeyPatch, page: str, query: dict[str, str]
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))
    said = words(opened_page(page, {"run": "one", **query}))
    run = mcviz.open_run(cache / "one")
    accuracy = f"{100 * run.scores()['correct'].mean():.2f}%"
    if page == "overview":
        assert f"{accuracy} right on 400 examples, 200 whose labels judge" in said.replace("*", "")
        assert "Accuracy at 0.5" in said
    if page == "uncertain" and not query:
        assert "Of the 200 whose labels judge: " in said
    if "group" in query:
        assert "Earlier thresholds were chosen on a half that cuts groups of site." in said
    if query.get("part") == "results":
        assert "The labels of 200 examples chose, and judge nothing; those of the other 200 do." in said
    if page == "trust":
        assert f"its accuracy {accuracy}" in said
        assert "The labels of 200 examples chose, and judge nothing; those of the other 200 do." in said


def test_the_slider_counts_the_labels_that_choose_and_a_threshold_is_kept(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "runs" / "one"
    shutil.copytree(cache / "one", copy)
    run = mcviz.open_run(copy)
    mcviz.thresholds(run, clear=True)
    monkeypatch.setenv("MCVIZ_CACHE", str(copy.parent))
    app = opened_page("trust", {"trust_threshold": "0.3"})
    assert "A threshold of 0.5 costs the F1 of rare" in words(app)
    curve = choosing_curve(run, 1)
    (table,) = (each.value for each in app.table if each.value.index.name == "threshold")
    assert table.loc["this", "found"] == f"{curve.count(0.3).both:,}"
    next(each for each in app.button if each.key == "threshold-keep").click().run()
    assert_sound(app)
    kept = mcviz.open_run(copy).decisions.thresholds["rare"]
    assert kept.value in curve.thresholds
    assert "trust_threshold" not in app.query_params
    judging = ~run.choosing
    expected = f1_score(run.labels[judging], run.mean_probs[judging, 1] > kept.value)
    assert mcviz.thresholds(run).classes["rare"].f1.value == pytest.approx(expected)
    assert "rare is predicted above" in words(app).replace("*", "")
    assert np.count_nonzero(judging) == COUNT // 2
    assert widget(app.slider, "trust_threshold").value == kept.value
    widget(app.segmented_control, "trust_class").set_value(0).run()
    assert_sound(app)
    assert app.query_params["trust_class"] == "0"
    assert widget(app.slider, "trust_threshold").value == pytest.approx(1 - kept.value)
