"""A score of every input of a task ranks examples, is measured and compared, and reaches new examples."""

import inspect
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcviz
from mcviz.analysis.base import ranking_scores
from mcviz.app.tasks import task_renderer
from mcviz.measures.registry import register
from mcviz.runs import Run
from mcviz.tasks import TASKS

N, C = 24, 2
RNG = np.random.default_rng(0)
PROBS = RNG.dirichlet(np.ones(C), (4, N)).astype(np.float32)
MAPS = RNG.dirichlet(np.ones(C), (4, N, 3, 3)).astype(np.float32)
FORMS: dict[str, dict[str, Any]] = {
    "classification": {"passes": PROBS, "labels": np.arange(N) % C, "deterministic": PROBS[0]},
    "multilabel": {"passes": PROBS, "labels": np.arange(N * C).reshape(N, C) % 3 % 2, "deterministic": PROBS[0]},
    "regression": {
        "passes": PROBS + 1,
        "labels": PROBS[0, :, :1],
        "deterministic": PROBS[0] + 1,
        "predicts": "mean,variance",
    },
    "segmentation": {"passes": MAPS, "labels": MAPS[0].argmax(axis=-1).astype(np.uint8)},
}


def score_of(parameter: str) -> Any:
    """A score that takes one input, and depends on it where that has a row an example."""

    def score(values: Any) -> np.ndarray:
        array = np.asarray(values, np.float64)
        by_pass = parameter in ("probs", "outputs", "variances", "classes")
        rows = np.moveaxis(array, 1, 0) if by_pass else array
        return np.arange(N)[: len(rows)] + rows.reshape(len(rows), -1).mean(axis=1) if rows.ndim else np.arange(N) + 0.0

    score.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(parameter, inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    )
    score.__name__ = f"of_{parameter}"
    return score


@pytest.fixture(params=list(FORMS))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """A run of each task, with a score of each of its inputs."""
    registry = TASKS[request.param].scores
    before = dict(registry)
    made = mcviz.write_run(tmp_path / "run", **FORMS[request.param], task=request.param)
    for field in fields(registry.predictions):
        register(f"Of {field.name}", "", "high", "A score.", scores=registry)(score_of(field.name))
    yield mcviz.open_run(made.path)
    registry.clear()
    registry.update(before)


def test_a_score_of_each_input_ranks_is_measured_and_is_compared(run: Run, stride: int) -> None:
    registry = run.task.scores
    own = {f"of_{field.name}" for field in fields(registry.predictions)}
    assert own <= set(run.score_names)
    assert np.isfinite(run.scores()[sorted(own)].to_numpy()).all()
    assert own & set(ranking_scores(run)) == own - {"of_labels"}
    for name in sorted(own - {"of_labels"})[::stride]:
        assert mcviz.trust(run, score=name).score == name
        if np.isfinite(run.task.loss.largest):
            assert mcviz.refer(run, budget=3, score=name).score.name == name
        assert mcviz.compare(run, run, score=name).in_words
    beside = {"of_labels", "of_dice_by_ensemble_size", "of_deterministic_probs", "of_deterministic_outputs"}
    assert {name for name in own if not registry[name].from_passes} == own & {*beside, "of_deterministic_variances"}
    of_new = task_renderer(run).compute_scores(run, FORMS[run.manifest.task]["passes"][:, :1])
    assert own & set(of_new) == {name for name in own if registry[name].from_passes}
