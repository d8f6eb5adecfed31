"""Explanations: nearest examples by the model's features, and evidence in the input.

Both ask the model, so they are computed on demand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from mcviz.app.components.gallery import tiles
from mcviz.app.kinds import kind_renderer
from mcviz.app.kinds.base import Contributions, Parts, as_batch, digest_contents
from mcviz.app.resources import Need, cached_for_run, has, model_inputs, numbers_key, sampler, seed
from mcviz.app.state import PageState, session_store
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import CloserLook, ExampleContext
from mcviz.app.wording import counted
from mcviz.app.work import is_stopped, offer_to_go_on, progress_bar, stop_work
from mcviz.measures.scores import OcclusionEffects, occlusion_effects
from mcviz.runs import Run
from mcviz.text import fixed

if TYPE_CHECKING:
    from mcviz.sampling.ood import Neighbours

NEIGHBOURS = 6
PASSES = 100  # of each input with a part hidden
BLOCK_BYTES = 2**25  # of such inputs at once
MOST_AT_ONCE = 64
MOST_EFFECTS = 8  # in a session, so that another class costs nothing
EFFECTS = "explanations"  # of the session
WORK = "explaining"


@dataclass(frozen=True)
class InputContext:
    """An input whose prediction is explained.

    Attributes:
        run: whose model predicts.
        state: of the page.
        content: of the input, as `ProbeInput.content`.
        predictions: (T, K) of its passes.
        example: its number, where it is one of the run.
    """

    run: Run
    state: PageState
    content: Any
    predictions: np.ndarray
    example: int | None = None


def render_neighbours(context: InputContext) -> None:
    """Render the examples that are most alike to the model."""
    run = context.run
    if not has(run, "examples"):
        st.caption("This run was kept without its examples, so there is none to compare with.")
        return
    prepared, neighbours = sampler(run), _find_neighbours(run)
    from mcviz.sampling.ood import unit_features

    features = unit_features(prepared, model_inputs(run, as_batch(context.content)))[0]
    examples, cosines = neighbours.nearest(features, NEIGHBOURS, context.example)
    if len(examples) == 0:
        st.caption("This run has no other example.")
        return
    among = "" if len(neighbours.examples) == len(run) else f", of {len(neighbours.examples):,} that were compared,"
    st.caption(
        f"The examples of this run{among} that the model sees as most alike. The cosine similarity of the features in "
        f"front of its last layer is {fixed(cosines[0], 2)} for the first and {fixed(cosines[-1], 2)} for the last; "
        "1 is the same. Click one to open it."
    )
    tiles(run, context.state, examples, None, context.state.score, key="neighbours")


def render_evidence(context: InputContext) -> None:
    """Render the effect of each part of the input, over the passes."""
    run, content = context.run, context.content
    parts = kind_renderer(run).parts(run, content)
    if parts.count == 0:
        st.caption("There is nothing in it that could be hidden.")
        return
    asked = task_renderer(run).choose_evidence(run, context.state, context.predictions)
    st.caption(
        f"What would {asked.in_words} be without each part? {parts.method} {counted(_passes(run), 'pass')} each, "
        "through the same masks."
    )
    effects = _load_effects(run, content, parts, stoppable=context.example is not None)
    if effects is None:
        offer_to_go_on(WORK, "The explanation was stopped.", "Go on", key="explain-again")
        return
    mean, std = (asked.scale * values[:, asked.column] for values in (effects.mean, effects.std))
    parts.render(Contributions(mean, std, asked.unit, asked.name))


def explanations(run: Run) -> dict[str, tuple[str, Callable[[InputContext], None]]]:
    """Return explanations of a run's kind: label and renderer by name; None for pixels."""
    if run.task.of_pixels:
        return {}
    explanations: dict[str, tuple[str, Callable[[InputContext], None]]] = {
        "neighbours": ("Nearest to the model", render_neighbours)
    }
    if kind_renderer(run).has_parts:
        explanations["evidence"] = ("Where the answer comes from", render_evidence)
    return explanations


def explanations_for(run: Run) -> dict[str, CloserLook]:
    """Return explanations as closer looks, by name."""

    def render_for_example(render: Callable[[InputContext], None], context: ExampleContext) -> None:
        content = kind_renderer(run).contents(run, np.array([context.example]))[0]
        render(InputContext(run, context.state, content, context.predictions, context.example))

    return {
        name: CloserLook(label, partial(render_for_example, render), needs=frozenset[Need]({"examples", "model"}))
        for name, (label, render) in explanations(run).items()
    }


def _passes(run: Run) -> int:
    return min(run.passes, PASSES)


def _load_effects(run: Run, content: Any, parts: Parts, stoppable: bool) -> OcclusionEffects | None:
    cached: dict[tuple[str, str], OcclusionEffects] = session_store().setdefault(EFFECTS, {})
    key = run.digest, digest_contents(as_batch(content))
    if key in cached:
        return cached[key]
    if is_stopped(WORK):
        return None
    place = st.empty()
    if stoppable:
        place.button(
            "Stop explaining", icon=":material/stop_circle:", key="stop-explaining", on_click=stop_work, args=(WORK,)
        )
    effects = _compute_effects(run, content, parts)
    place.empty()
    while len(cached) >= MOST_EFFECTS:
        cached.pop(next(iter(cached)))
    cached[key] = effects
    return effects


def _compute_effects(run: Run, content: Any, parts: Parts) -> OcclusionEffects:
    """Compute effects in blocks, so that memory stays bounded."""
    prepared, passes = sampler(run), _passes(run)

    def predict(contents: np.ndarray) -> np.ndarray:
        # One draw of masks a pass: what is compared has to go through the same ones.
        return prepared.sample(model_inputs(run, contents), passes=passes, seed=seed(run), masks="per_pass")

    whole = predict(as_batch(content))[:, 0]
    step = int(min(MOST_AT_ONCE, max(1, BLOCK_BYTES // max(1, as_batch(content).nbytes))))
    blocks = []
    with progress_bar("parts") as progress:
        for start in range(0, parts.count, step):
            stop = min(start + step, parts.count)
            blocks.append(occlusion_effects(whole, predict(parts.hidden(start, stop))))
            progress(stop, parts.count)
    return OcclusionEffects(
        np.concatenate([block.mean for block in blocks]), np.concatenate([block.std for block in blocks])
    )


def _find_neighbours(run: Run) -> "Neighbours":
    prepared, cache = sampler(run), _neighbours_cache(run)
    from mcviz.sampling.ood import find_neighbours

    if not cache:
        with progress_bar("examples as the model sees them") as progress:
            cache.append(find_neighbours(prepared, run, progress))
    return cache[0]


@cached_for_run(numbers_key, max_entries=2)
def _neighbours_cache(run: Run) -> "list[Neighbours]":  # noqa: ARG001 (the key)
    """Return a list outside the cache, which would render the bar at each hit."""
    return []
