"""What a distortion does to accuracy and calibration over many examples: computed on demand, kept beside the run."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from mcviz.app.components.charts import chart
from mcviz.app.kinds import kind_renderer
from mcviz.app.navigation import PROBE, scroll_to_section
from mcviz.app.on_request import compute_on_request, progress_bar, request
from mcviz.app.probe.inputs import MIX, Distorter, DistortionSettings
from mcviz.app.resources import has, masks, model_inputs, sampler
from mcviz.app.state import PageState
from mcviz.app.wording import counted
from mcviz.data.distortions import Distortion
from mcviz.figures.trust import PREDICTOR_LABELS, calibration_along
from mcviz.measures.calibration import Calibration, calibration, degradation_sentences
from mcviz.measures.intervals import Interval
from mcviz.measures.registry import Terms
from mcviz.runs import Derived, Run, load_derived, save_derived

EXAMPLES, STEPS, PASSES = 200, 6, 50  # at most
WORK = "distorting"  # of which the subject is the run and the distortion
TERMS = "correct", "confidence", "nll", "brier"
Steps = list[dict[str, Terms]]


def render_degradation(run: Run, state: PageState) -> None:
    """Render what the distortion that is chosen does to many examples, computed on demand and kept beside the run."""
    distorter = kind_renderer(run).distorter
    if distorter is None or not (has(run, "classes") and has(run, "labels")):
        return
    with st.container(key="distortions"):
        st.header("How accuracy and calibration change with the distortion", anchor=False)
        name = distorter.settings(run, state).name
        if name == MIX:
            st.caption("A mixture of two examples has no label of its own. Choose another distortion.")
            return
        cache, key, distortion = _cache(), (run.digest, name), distorter.distortions[name]
        if key not in cache and (steps := load_steps(run, name, distortion)) is not None:
            cache[key] = list(map(calibration, steps))
        if key in cache:
            _render_steps(run, name, distortion, cache[key])
        else:
            _compute_on_request(run, name, distorter)
    scroll_to_section(state, "distortions")


def step_amounts(distortion: Distortion) -> np.ndarray:
    """Return (S,) float64 amounts from unchanged examples to the end of the slider, in whole steps of it."""
    even = np.linspace(distortion.unchanged, distortion.high, STEPS)
    return np.unique(np.clip((even / distortion.step).round() * distortion.step, distortion.low, distortion.high))


def load_steps(run: Run, name: str, distortion: Distortion) -> Steps | None:
    """Load the steps of a distortion that were computed before; None without them."""
    arrays = load_derived(run.path, run.digest, _derived(name))
    count = len(step_amounts(distortion)), min(EXAMPLES, len(run))
    if arrays is None or any(array.shape[:2] != count for array in arrays.values()):
        return None
    return [
        {way: {name: arrays[f"{way}_{name}"][step] for name in TERMS} for way in PREDICTOR_LABELS}
        for step in range(count[0])
    ]


def _compute_on_request(run: Run, name: str, distorter: Distorter) -> None:
    key = run.digest, name

    def compute() -> None:
        steps = _compute(run, name, distorter)
        arrays = {
            f"{way}_{name}": np.stack([step[way][name] for step in steps]) for way in PREDICTOR_LABELS for name in TERMS
        }
        save_derived(run.path, run.digest, _derived(name), arrays)
        _cache()[key] = list(map(calibration, steps))

    if compute_on_request(WORK, key, compute, PROBE.title, stop="Stop distorting"):
        return
    st.caption(
        f"{_count(run)} of this run, {STEPS} steps, "
        f"{counted(min(PASSES, run.passes), 'pass')}. It takes up to a minute, and the result is kept."
    )
    label = f"Distort the {run.kind.plural}"
    st.button(label, icon=":material/play_arrow:", key="distort", on_click=request, args=(WORK, key))


def _count(run: Run) -> str:
    """Return how many examples are distorted, such as "200 images"."""
    return counted(min(EXAMPLES, len(run)), run.manifest.examples.kind)


def _compute(run: Run, name: str, distorter: Distorter) -> Steps:
    assert run.labels is not None
    prepared = sampler(run)
    from mcviz.sampling.checking import sweep_calibration

    examples = np.sort(np.random.default_rng(0).permutation(len(run))[:EXAMPLES])
    settings, contents = DistortionSettings(name, 0, 0.0, 0, 0), distorter.contents(run, examples)
    with progress_bar("predictions") as progress:
        return sweep_calibration(
            prepared,
            lambda amount: model_inputs(run, distorter.distort(run, settings, contents, [amount])),
            step_amounts(distorter.distortions[name]).tolist(),
            run.labels[examples],
            passes=min(PASSES, run.passes),
            masks=masks(run),
            progress=progress,
        )


def _render_steps(run: Run, name: str, distortion: Distortion, calibrations: Sequence[Calibration]) -> None:
    sentences = degradation_sentences(calibrations)
    st.markdown(f"**{sentences[0]}** {' '.join(sentences[1:])}")
    st.caption(f"With 95% bands, of {_count(run)}. Above 0, confidence − accuracy is over-confidence.")
    measures = {
        label: {way: _line([step.figures[way][measure] for step in calibrations]) for way in PREDICTOR_LABELS}
        for label, measure in (("accuracy", "accuracy"), ("confidence − accuracy", "overconfidence"))
    }
    title, tick_format = f"{distortion.label}, {distortion.unit}", ".0%" if distortion.unit.startswith("of ") else ""
    figure = calibration_along(step_amounts(distortion), measures, title, tick_format)
    chart(
        figure,
        f"distorted-{name}",
        f"Accuracy and confidence − accuracy along {distortion.label.lower()}. {' '.join(sentences)}",
    )


def _line(values: Sequence[Interval]) -> np.ndarray:
    """Return (S, 3) float64 values with the ends of their intervals."""
    return np.array([(interval.value, interval.low, interval.high) for interval in values])


def _derived(name: str) -> Derived:
    names = [f"{way}_{name}" for way in PREDICTOR_LABELS for name in TERMS]
    dtypes = {name: "bool" if name.endswith("_correct") else "float32" for name in names}
    return Derived(f"distorted-{name.replace('_', '-')}", 1, dtypes)


@st.cache_resource(show_spinner=False)
def _cache() -> dict[tuple[str, str], list[Calibration]]:
    """Return the calibration of each step, by the run's digest and the distortion, shared by all sessions."""
    return {}
