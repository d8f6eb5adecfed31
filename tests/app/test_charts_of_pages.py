"""Every chart of a run on a page is the one that `mcviz.plot` draws in a notebook."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

import mcviz
from mcviz import Run, plot
from mcviz.analysis.comparison import Comparison
from tests.app.opening import opened_page
from tests.cases import only

CASES: list[tuple[str, str, dict[str, str], list[Callable[[Run], go.Figure]]]] = [
    ("classes", "overview", {"section": "passes"}, [plot.accuracy, plot.convergence]),
    ("classes", "uncertain", {"view": "map"}, [plot.map]),
    ("classes", "uncertain", {"view": "confusion"}, [plot.confusion]),
    ("classes", "uncertain", {"view": "classes"}, [plot.classes]),
    ("classes", "side_by_side", {"pinned": "3"}, [lambda run: plot.example(run, 3)]),
    ("classes", "story", {"step": "4"}, [plot.accuracy]),
    (
        "classes",
        "trust",
        {"details": "figures,scores"},
        [plot.reliability, plot.calibration, plot.risk_coverage],
    ),
    (
        "classes",
        "runs",
        {"other": "other-classes", "example": "3", "details": "curves,both"},
        [
            lambda run: plot.reliability(of_both(run)),
            lambda run: plot.risk_coverage(of_both(run)),
            lambda run: plot.example(of_both(run), 3),
        ],
    ),
    ("targets", "runs", {"other": "other-targets", "example": "3"}, [lambda run: plot.example(of_both(run), 3)]),
    ("targets", "overview", {"section": "passes"}, [plot.accuracy, plot.ensemble_size]),
    ("targets", "uncertain", {"view": "map"}, [plot.map]),
    ("targets", "uncertain", {"view": "predicted"}, [plot.predicted]),
    ("targets", "uncertain", {"view": "errors"}, [plot.errors]),
    ("targets", "uncertain", {"view": "intervals"}, [plot.intervals]),
    ("targets", "example", {"example": "3"}, [lambda run: plot.example(run, 3)]),
    ("targets", "story", {"step": "3"}, [plot.intervals]),
]


def of_both(run: Run) -> Comparison:
    path = Path(run.path)
    return mcviz.compare(run, mcviz.open_run(path.with_name(f"other-{path.name}")))


QUICK = [case for case in CASES if case[1] in ("overview", "side_by_side", "example")]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (40, 5, 4, 1)).astype(np.uint8), random.integers(3, size=40)
    probs = random.dirichlet(np.ones(3), (6, 40)).astype(np.float32)
    mcviz.write_run(folder / "classes", probs, data=images, labels=labels, deterministic=probs[0])
    mcviz.write_run(folder / "other-classes", probs[::-1, ::-1], data=images[::-1], labels=labels[::-1])
    rows, outputs = random.normal(size=(40, 3)), random.normal(size=(6, 40, 1)).astype(np.float32)
    more = {"labels": outputs[0], "target_names": ["weight"], "unit": "kg"}
    mcviz.write_run(folder / "targets", outputs, task="regression", data=rows.astype(np.float32), **more)
    mcviz.write_run(folder / "other-targets", 2 * outputs, task="regression", data=rows.astype(np.float32), **more)
    return folder


def holds(figure: go.Figure) -> list[dict[str, object]]:
    """The traces of a chart, as they are sent to the browser."""
    return json.loads(figure.to_json())["data"]


@pytest.mark.parametrize(("name", "page", "query", "drawn"), only(QUICK, CASES))
def test_a_chart_of_a_page_is_that_of_a_notebook(
    name: str,
    page: str,
    query: dict[str, str],
    drawn: list[Callable[[Run], go.Figure]],
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))
    app, run = opened_page(page, {"run": name, **query}), mcviz.open_run(cache / name)
    on_page = [json.loads(each.proto.spec)["data"] for each in app.get("plotly_chart")]
    for draw in drawn:
        assert holds(draw(run)) in on_page
