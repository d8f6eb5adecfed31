"""Why a prediction is as it is: the nearest examples in the model's own features, and where the answer comes from.

Both ask the model, so they are computed when they are asked for.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from mcviz.app.caching import cached_for_run, numbers_key
from mcviz.app.components.gallery import tiles
from mcviz.app.explaining.parts import Drawn, Parts
from mcviz.app.inputs import as_batch
from mcviz.app.kinds import kind_of
from mcviz.app.needs import Need, has
from mcviz.app.probe.predicting import as_bytes
from mcviz.app.resources import model_inputs, progress_bar, sampler, seed
from mcviz.app.session import session_store
from mcviz.app.state import PageState
from mcviz.app.tasks import task_of
from mcviz.app.tasks.base import CloserLook, ExampleContext
from mcviz.app.wording import counted
from mcviz.measures.summary import OcclusionEffects, occlusion_effects
from mcviz.runs import Run

if TYPE_CHECKING:
    from mcviz.sampling.features import Neighbours

NEIGHBOURS = 6
PASSES = 100  # of each input with a part hidden
BLOCK_BYTES = 2**25  # of such inputs at once
MOST_AT_ONCE = 64
MOST_KEPT = 8  # maps in a session, so that another class costs nothing
KEPT, STOPPED = "explanations", "explanation-stopped"  # of the session


@dataclass(frozen=True)
class Explained:
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


def neighbours(explained: Explained) -> None:
    """The examples of the run that the model sees as most alike."""
    run = explained.run
    if not has(run, "examples"):
        st.caption("This run was kept without its examples, so there is none to compare with.")
        return
    prepared, found = sampler(run), _neighbours(run)
    from mcviz.sampling.features import unit_features

    features = unit_features(prepared, model_inputs(run, as_batch(explained.content)))[0]
    examples, cosines = found.nearest(features, NEIGHBOURS, explained.example)
    if len(examples) == 0:
        st.caption("This run has no other example.")
        return
    among = "" if len(found.examples) == len(run) else f", of {len(found.examples):,} that were compared,"
    st.caption(
        f"The examples of this run{among} that are most alike to the model, by the cosine similarity of the features "
        f"in front of its last layer: {cosines[0]:.2f} for the first, {cosines[-1]:.2f} for the last; 1 is the same. "
        "Click one to open it."
    )
    tiles(run, explained.state, examples, None, explained.state.score, key="neighbours")


def evidence(explained: Explained) -> None:
    """What each part of the input adds to the prediction, over the passes."""
    run, content = explained.run, explained.content
    found = kind_of(run).parts(run, content)
    if found.count == 0:
        st.caption("There is nothing in it that could be hidden.")
        return
    asked = task_of(run).choose_evidence(run, explained.state, explained.predictions)
    st.caption(
        f"What would {asked.in_words} be without each part? {found.how} {counted(_passes(run), 'pass')} each, through "
        "the same masks."
    )
    effects = _effects(run, content, found, stoppable=explained.example is not None)
    if effects is None:
        if st.button("Go on", icon=":material/play_arrow:", key="explain-again"):
            session_store()[STOPPED] = False
            st.rerun(scope="app")
        return
    mean, std = (asked.scale * each[:, asked.column] for each in (effects.mean, effects.std))
    found.draw(Drawn(mean, std, asked.unit, asked.name))


def explanations_for(run: Run) -> dict[str, CloserLook]:
    """The closer looks at an example that explain its prediction, by name; only what the kind of examples has."""
    return {
        name: CloserLook(label, partial(_of_example, show), needs=frozenset[Need]({"examples", "model"}))
        for name, (label, show) in explanations(run).items()
    }


def explanations(run: Run) -> dict[str, tuple[str, Callable[[Explained], None]]]:
    """What explains a prediction, each by its name: its label, and what draws it of an `Explained`."""
    found: dict[str, tuple[str, Callable[[Explained], None]]] = {"neighbours": ("Nearest to the model", neighbours)}
    if kind_of(run).has_parts:
        found["evidence"] = ("Where the answer comes from", evidence)
    return found


def _of_example(show: Callable[[Explained], None], shown: ExampleContext) -> None:
    content = kind_of(shown.run).contents(shown.run, np.array([shown.example]))[0]
    show(Explained(shown.run, shown.state, content, shown.predictions, shown.example))


def _passes(run: Run) -> int:
    return min(run.passes, PASSES)


def _effects(run: Run, content: Any, parts: Parts, stoppable: bool) -> OcclusionEffects | None:
    """The effects of all parts on all predicted numbers; None where they were stopped.

    Args:
        run: whose model predicts.
        content: of the input.
        parts: of the input.
        stoppable: whether there is a button to stop; one in a fragment would wait until all is done.
    """
    found: dict[tuple[str, str], OcclusionEffects] = session_store().setdefault(KEPT, {})
    key = run.digest, hashlib.sha256(as_bytes(as_batch(content))).hexdigest()
    if key in found:
        return found[key]
    if session_store().get(STOPPED):
        st.info("The explanation was stopped.", icon=":material/pause_circle:")
        return None
    place = st.empty()
    if stoppable:
        place.button("Stop explaining", icon=":material/stop_circle:", key="stop-explaining", on_click=_stop)
    effects = _computed(run, content, parts)
    place.empty()
    while len(found) >= MOST_KEPT:
        found.pop(next(iter(found)))
    found[key] = effects
    return effects


def _computed(run: Run, content: Any, parts: Parts) -> OcclusionEffects:
    """The effects, block by block, so that memory stays bounded whatever the size of an input."""
    prepared, passes = sampler(run), _passes(run)

    def predicted(contents: np.ndarray) -> np.ndarray:
        # One draw of masks a pass: what is compared has to go through the same ones.
        return prepared.sample(model_inputs(run, contents), passes=passes, seed=seed(run), masks="per_pass")

    whole = predicted(as_batch(content))[:, 0]
    bytes_of_one = as_batch(content).nbytes
    step = int(min(MOST_AT_ONCE, max(1, BLOCK_BYTES // max(1, bytes_of_one))))
    found = []
    with progress_bar("parts") as progress:
        for start in range(0, parts.count, step):
            stop = min(start + step, parts.count)
            found.append(occlusion_effects(whole, predicted(parts.hidden(start, stop))))
            progress(stop, parts.count)
    return OcclusionEffects(np.concatenate([each.mean for each in found]), np.concatenate([each.std for each in found]))


def _stop() -> None:
    session_store()[STOPPED] = True


def _neighbours(run: Run) -> "Neighbours":
    held, prepared = _held(run), sampler(run)
    from mcviz.sampling.features import find_neighbours

    if not held:
        with progress_bar("examples as the model sees them") as progress:
            held.append(find_neighbours(prepared, run, progress))
    return held[0]


@cached_for_run(numbers_key, max_entries=2)
def _held(run: Run) -> "list[Neighbours]":  # noqa: ARG001 (whose they are)
    """What is found once for all sessions; a bar that is drawn while it is would be drawn again at each look."""
    return []
