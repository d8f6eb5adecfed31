"""Many inputs at once: noise, distorted examples, and effects on accuracy and calibration.

All is computed on demand, and findings are stored beside the run.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import numpy as np
import streamlit as st

from mcviz.analysis.calibration_sentences import degradation_sentences
from mcviz.app.components import chart
from mcviz.app.components.gallery import input_tiles
from mcviz.app.kinds import kind_renderer
from mcviz.app.kinds.base import MIX, MOST_INPUTS, Distorter, DistortionSettings, InputKind, SweepInputs
from mcviz.app.navigation import OVERVIEW, PROBE, Page, link_to, load_state, score_chooser, scroll_to_section
from mcviz.app.out_of_distribution import (
    FITTED_SCORE,
    POLL,
    Detector,
    ScoreDetector,
    detector_for,
    is_detector_ready,
)
from mcviz.app.resources import has, masks, model_inputs, run_scores, sampler, seed, sorted_scores
from mcviz.app.state import (
    PageState,
    latest_state,
    rerun_fragments,
    session_store,
    state_widget_args,
    update_state,
    widget_value,
)
from mcviz.app.tasks import task_renderer
from mcviz.app.thresholds import at_half
from mcviz.app.wording import as_markdown, as_sentence, counted
from mcviz.app.work import compute_on_request, give_way_to_clicks, progress_bar, request
from mcviz.figures.sweeps import score_comparison
from mcviz.figures.trust import PREDICTOR_LABELS, calibration_along
from mcviz.kinds.base import Distortion
from mcviz.measures.calibration import TERMS, Calibration, calibration
from mcviz.measures.intervals import Interval, proportion
from mcviz.measures.registry import Terms
from mcviz.runs import Derived, Run, labelled_numbers, load_derived, save_derived
from mcviz.text import percent

DEFAULT_INPUTS = 100  # as many findings are kept beside a run
SWEEP = "sweep"  # of the session
WORK = "sweeping"  # of which the subject is the version of the run's numbers
BLOCK = 20  # inputs that are predicted at a time; one that is stopped amid a block loses it

NOISE_PARTS = NOISE_TILES, NOISE_LOOK = "noise-tiles", "noise-look"  # fragments, and the keys of their containers
TILES = 24
PASSING = 12  # of them, at most, where others are stopped
WORDS = 6  # tiles of texts and rows, which take more room

EXAMPLES, STEPS, PASSES = 200, 6, 50  # at most
DISTORTING = "distorting"  # of which the subject is the run and the distortion
Steps = list[dict[str, Terms]]


@dataclass
class Sweep:
    """A sweep and its findings so far.

    Attributes:
        inputs: that are predicted.
        total: how many of them are to be predicted.
        detector: finds out which of them are out of distribution; None before, and of findings that were kept.
        by: the score that it detects by, where that is not the fitted one; or "".
        scores: name to (done,) arrays, as `TaskRenderer.compute_scores` gives them.
        is_ood: (done,) bool, by the detector.
        correct: (done,) bool: whether the prediction is the label; never, where that is not known.
        worst: the number, counted from 0, of the most prominent input; -1 while there is none.
        worst_content: its input.
        prominence: of the worst, as `TaskRenderer.prominence` gives it.
    """

    inputs: SweepInputs
    total: int
    detector: Detector | None = None
    by: str = ""
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    is_ood: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    correct: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    worst: int = -1
    worst_content: Any = None
    prominence: float = 0.0

    @property
    def done(self) -> int:
        """How many inputs are predicted."""
        return len(self.is_ood)

    def add(self, run: Run, contents: np.ndarray, labels: np.ndarray | None, predictions: np.ndarray) -> None:
        """Add predictions of inputs: all, or none after an interrupt.

        Args:
            run: whose examples are in distribution.
            contents: n inputs.
            labels: (n,) int, or None where no prediction is correct.
            predictions: (T, n, K) of their passes.
        """
        self.detector = self.detector or detector_for(run, patient=True)
        self.by = self.detector.score.inline_label if isinstance(self.detector, ScoreDetector) else ""
        renderer = task_renderer(run)
        is_ood, scores = self.detector.is_ood(contents, predictions), renderer.compute_scores(run, predictions)
        correct = np.zeros(len(contents), bool) if labels is None else scores["prediction"] == labels
        prominence = renderer.prominence(scores, correct)
        worst = int(prominence.argmax())
        if prominence[worst] > self.prominence:
            self.prominence = float(prominence[worst])
            self.worst, self.worst_content = self.done + worst, contents[worst]
        self.scores = {
            name: np.concatenate([self.scores.get(name, values[:0]), values]) for name, values in scores.items()
        }
        self.correct = np.concatenate([self.correct, correct])
        self.is_ood = np.concatenate([self.is_ood, is_ood])


def find_sweep(run: Run, inputs: SweepInputs) -> Sweep | None:
    """Return the sweep over these inputs of this visit, or its findings that are kept beside the run."""
    sweep: Sweep | None = session_store().get(SWEEP)
    return sweep if sweep and sweep.inputs.same_as(inputs) else _load(run, inputs)


def _load(run: Run, inputs: SweepInputs) -> Sweep | None:
    is_kept = bool(inputs.stored_as) and not run.decisions.thresholds
    arrays = load_derived(run.path, run.digest, _derived(inputs)) if is_kept else None
    if arrays is None:
        return None
    about, is_ood = json.loads(arrays["about"].tobytes()), arrays["is_ood"]
    values = zip(about["scores"], arrays["values"], strict=True)
    scores = {name: value.astype(int) if name == "prediction" else value for name, value in values}
    return Sweep(inputs, len(is_ood), None, about["by"], scores, is_ood, np.zeros(len(is_ood), bool))


def start_sweep(inputs: SweepInputs, total: int = DEFAULT_INPUTS) -> None:
    """Begin a sweep, in a callback."""
    session_store()[SWEEP] = Sweep(inputs, min(total, inputs.available))
    request(WORK, inputs.digest)


def continue_on_request(run: Run, page: Page, place: Any = None) -> bool:
    """Continue the requested sweep of this visit; see `compute_on_request`."""
    sweep: Sweep | None = session_store().get(SWEEP)
    if sweep is None or sweep.inputs.digest != run.numbers_version:
        return False
    return compute_on_request(WORK, run.numbers_version, partial(compute, run, sweep), page.title, place=place)


def render_sweep(run: Run, state: PageState, choose: Callable[[Run, PageState], SweepInputs]) -> None:
    """Render the findings of a sweep over distorted examples, and its controls.

    Args:
        run: whose model predicts.
        state: of the page.
        choose: returns the inputs that a new sweep would go over now.
    """
    now = choose(run, state)
    st.header(f"Many {now.kind} at once", anchor=False)
    sweep: Sweep | None = session_store().get(SWEEP)
    if sweep and (sweep.inputs.digest, sweep.inputs.kind) != (now.digest, now.kind):
        sweep = None
    render_controls(run, state, choose)
    if sweep and sweep.done:
        name = f"{sweep.inputs.name[:1].upper()}{sweep.inputs.name[1:]}"
        st.markdown(f"**{name}**: {as_markdown(summarize(run, sweep))}")
        left, right = st.columns([5, 3], gap="large")
        with left:
            task_renderer(run).render_sweep(run, state, sweep)
        with right:
            render_comparison(run, state, sweep)


def render_controls(run: Run, state: PageState, choose: Callable[[Run, PageState], SweepInputs]) -> None:
    """Render how many inputs are predicted, and the buttons that begin, stop and continue a sweep."""
    now, sweep = choose(run, state), session_store().get(SWEEP)
    most = min(MOST_INPUTS, now.available)
    count = state.sweep if state.sweep is not None and state.sweep <= most else min(DEFAULT_INPUTS, most)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = state_widget_args("sweep", count)
        st.number_input("How many", 1, most, step=10, width=130, **number)
        buttons = st.empty()
    continue_on_request(run, PROBE, buttons)
    with buttons.container(horizontal=True):
        if sweep and sweep.done < sweep.total and sweep.inputs.same_as(now):
            st.button("Go on", icon=":material/resume:", on_click=request, args=(WORK, run.numbers_version))
        st.button(
            f"Predict {now.kind}",
            icon=":material/grain:",
            type="secondary" if find_sweep(run, now) else "primary",
            on_click=_start,
            args=(run, choose, number["key"]),
        )


def render_comparison(run: Run, state: PageState, sweep: Sweep) -> None:
    """Render a score of the inputs of a sweep beside that of the run's examples."""
    score_chooser("Compared with this run's examples, by", run, state)
    score, kind = run_scores(run)[state.score], sweep.inputs.kind
    if score.name not in sweep.scores:
        why = "compares with a label" if score.needs_labels else "takes the prediction with dropout off"
        why = "was added to the run" if score.name in run.added_scores else why
        st.caption(f"{score.label} {why}, and these inputs have none. Choose another score.")
        return
    figure = score_comparison(sorted_scores(run, score.name), sweep.scores[score.name], score.label, kind)
    chart(figure, "sweep-scores", f"Histograms of {score.label} of this run's examples and of the {kind}.")


def summarize(run: Run, sweep: Sweep) -> str:
    """Describe the findings of a sweep in short sentences."""
    stopped, kind = int(sweep.is_ood.sum()), sweep.inputs.kind.removesuffix("s" if sweep.done == 1 else "")
    share, by = proportion(stopped, sweep.done), f", by {sweep.by} alone" if sweep.by else ""
    are = "is" if 1 in (stopped, sweep.done) else "are"
    sentences = [
        f"{stopped:,} of {sweep.done:,} {kind} {are} stopped as out of distribution{by} "
        f"(95% interval {percent(share.low, 0)} to {percent(share.high, 0)}).",
        *task_renderer(run).phrases.describe_sweep(run, sweep),
    ]
    if task_renderer(run).fits_detector and not sweep.by:
        sentences.append(FITTED_SCORE)
    if sweep.done < sweep.total:
        sentences.append(f"Ended after {sweep.done:,} of {sweep.total:,}.")
    return " ".join(sentences)


def _start(run: Run, choose: Callable[[Run, PageState], SweepInputs], count_key: str) -> None:
    start_sweep(choose(run, load_state(run)), widget_value(count_key))


def compute(run: Run, sweep: Sweep) -> None:
    """Predict all inputs that are left, with a bar that clicks interrupt."""
    bar = st.empty()

    def progress(predictions: int, total: int) -> None:
        give_way_to_clicks()
        words = f"{sweep.done:,} of {sweep.total:,} {sweep.inputs.kind}, {run.passes:,} passes each"
        bar.progress(predictions / total, words)

    try:
        predict_inputs(run, sweep, progress)
    finally:
        bar.empty()


def predict_inputs(run: Run, sweep: Sweep, progress: Callable[[int, int], None]) -> None:
    """Predict all inputs that are left; a block that is done stays, and findings of a usual sweep are kept.

    Args:
        run: whose model predicts.
        sweep: over the inputs.
        progress: called with the numbers of predictions so far and in all; it may end the work by an exception.
    """
    inputs, total = sweep.inputs, run.passes * sweep.total
    prepared = sampler(run)
    while sweep.done < sweep.total:
        before = run.passes * sweep.done
        progress(before, total)
        start, stop = sweep.done, min(sweep.done + BLOCK, sweep.total)
        contents = inputs.load(start, stop)
        labels = None if inputs.labels is None else inputs.labels[start:stop]
        predictions = prepared.sample(
            model_inputs(run, contents),
            passes=run.passes,
            seed=seed(run),
            masks=masks(run),
            first_example=start,
            progress=lambda done, _, before=before: progress(before + done, total),  # type: ignore[misc]
        )
        sweep.add(run, contents, labels, predictions)
    if sweep.inputs.stored_as and sweep.total == DEFAULT_INPUTS and not run.decisions.thresholds:
        _keep(run, sweep)


def compute_overview(run: Run, progress: Callable[[str, float], None]) -> None:
    """Compute and keep beside a run all that Overview shows and that takes long.

    Args:
        run: that is finished.
        progress: called with the name of each part and the share of it that is done; it may end the work by an
            exception.
    """
    if has(run, "labels"):
        task_renderer(run).compute_passes(run, lambda done, total: progress("how many passes are enough", done / total))
    if noise_kind(run) is None or not has(run, "model"):
        return
    inputs = noise_inputs(run, PageState())
    if _load(run, inputs) is None:
        while not is_detector_ready(run):
            progress("fits the detector", 0)
            time.sleep(POLL)
        sweep = Sweep(inputs, min(DEFAULT_INPUTS, inputs.available))
        predict_inputs(run, sweep, lambda done, total: progress(f"predicts {sweep.total} {inputs.kind}", done / total))


def _derived(inputs: SweepInputs) -> Derived:
    return Derived(inputs.stored_as, 1, {"about": "uint8", "values": "float64", "is_ood": "bool"})


def _keep(run: Run, sweep: Sweep) -> None:
    about = json.dumps({"by": sweep.by, "scores": list(sweep.scores)}).encode()
    arrays = {
        "about": np.frombuffer(about, np.uint8),
        "values": np.stack(list(sweep.scores.values())),
        "is_ood": sweep.is_ood,
    }
    save_derived(run.path, run.digest, _derived(sweep.inputs), arrays)


def noise_kind(run: Run) -> InputKind | None:
    """Return the inputs of noise of a run's kind, or None."""
    return next((kind for kind in kind_renderer(run).inputs.values() if kind.is_noise), None)


def noise_inputs(run: Run, state: PageState) -> SweepInputs:
    """Return noise as the state says; of a run whose kind has some."""
    kind = cast("InputKind", noise_kind(run))
    assert kind.sweep is not None
    return kind.sweep(run, state)


def is_looked_at(state: PageState, sweep: Sweep | None) -> bool:
    """Return whether one input is looked at: by its seed, or since an address names it and no findings of many."""
    return state.seed is not None or (sweep is None and (state.noise != "" or state.strength != 1))


def render_tiles(run: Run, state: PageState, inputs: SweepInputs, sweep: Sweep | None) -> None:
    """Render some of the inputs as tiles, those first that are not stopped; a click looks at one."""
    pictures = run.kind.content.of_images
    most, first = TILES if pictures else WORDS, PASSING if pictures else WORDS // 2
    current = state.seed if is_looked_at(state, sweep) else None
    if sweep is None or not sweep.done:
        st.caption(f"{most} of the {inputs.kind}. Click one to see what is predicted for it.")
        _render_group(run, inputs, list(range(most)), None, current)
        return
    order = np.argsort(-task_renderer(run).prominence(sweep.scores, sweep.correct), kind="stable")
    passing, stopped = ([int(number) for number in order if sweep.is_ood[number] == side] for side in (False, True))
    shown = passing[: max(first, most - len(stopped))]
    for name, numbers, listed in (
        ("Not stopped", passing, shown),
        ("Stopped", stopped, stopped[: most - len(shown)]),
    ):
        if numbers:
            few = "" if len(listed) == len(numbers) else f"{len(listed)} of them, "
            st.markdown(f"**{name}: {len(numbers):,}** · {few}{task_renderer(run).phrases.prominent_first}")
            _render_group(run, inputs, listed, sweep, current)


def render_findings(run: Run, state: PageState, sweep: Sweep) -> None:
    """Render a sweep's predictions, and a score beside that of the run."""
    st.markdown(f"**What is predicted for {sweep.done:,} {sweep.inputs.kind}**")
    st.caption(as_markdown(as_sentence(sweep.inputs.name)))
    figure = task_renderer(run).sweep_figure(run, state, sweep)
    chart(figure, "sweep-predictions", " ".join(task_renderer(run).phrases.describe_sweep(run, sweep)))
    render_comparison(run, state, sweep)


def render_noise_summary(run: Run) -> None:
    """Render the predictions for noise and the stopped share, or a button to compute them.

    Nothing for kinds without noise, or without a model and stored findings.
    """
    if noise_kind(run) is None:
        return
    inputs = noise_inputs(run, PageState())
    sweep = find_sweep(run, inputs)
    if sweep is None and not has(run, "model"):
        return
    st.header("What it makes of noise", anchor=False)
    requested = continue_on_request(run, OVERVIEW)
    words = st.container()
    if run.kind.content.of_images:
        left, words = st.columns([1, 4], gap="small", vertical_alignment="center")
        with left:
            kind_renderer(run).render_small(run, inputs.load(0, 1)[0], f"One of the {inputs.kind}")
    with words:
        if sweep is not None and sweep.done:
            st.markdown(as_markdown(summarize(run, sweep)))
        elif not requested:
            st.caption(
                f"What does the model predict for {inputs.kind}, and does it notice? It takes up to a minute, and the "
                "result is kept."
            )
            label = f"Predict {DEFAULT_INPUTS} {inputs.kind}"
            st.button(label, icon=":material/grain:", key="noise-summary", on_click=start_sweep, args=(inputs,))
        link_to(PROBE, "More on noise", ":material/arrow_forward:")


def _render_group(run: Run, inputs: SweepInputs, numbers: list[int], sweep: Sweep | None, current: int | None) -> None:
    contents = np.concatenate([inputs.load(number, number + 1) for number in numbers])
    scores = {} if sweep is None else sweep.scores
    rows = [{name: values[number] for name, values in scores.items()} for number in numbers]
    key = "noise" if sweep is None else f"noise-{sweep.is_ood[numbers[0]]}"
    input_tiles(run, contents, numbers, rows, f"{inputs.name}, number", current, look_at_noise, key)


def look_at_noise(seed: int | None) -> None:
    """Look at the noise of a seed, or at all, in a callback; from one to the next, tiles and look alone are drawn."""
    if None in (seed, latest_state().seed):
        update_state(seed=seed)
        rerun_fragments()
    else:
        update_state(seed=seed, parts=NOISE_PARTS)


def render_degradation(run: Run, state: PageState) -> None:
    """Render effects of the distortion on many examples, on demand."""
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
    """Return (S,) float64 amounts from unchanged examples to the strongest distortion, in whole steps of the slider."""
    even = np.linspace(distortion.unchanged, distortion.strongest, STEPS)
    ascending = np.unique(np.clip((even / distortion.step).round() * distortion.step, *distortion.ends))
    return ascending if distortion.strongest > distortion.unchanged else ascending[::-1]


def load_steps(run: Run, name: str, distortion: Distortion) -> Steps | None:
    """Load the steps of a distortion that were computed before; None without them."""
    arrays = load_derived(run.path, run.digest, _derived_of_steps(name))
    count = len(step_amounts(distortion)), min(EXAMPLES, run.manifest.labelled)
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
        save_derived(run.path, run.digest, _derived_of_steps(name), arrays)
        _cache()[key] = list(map(calibration, steps))

    if compute_on_request(DISTORTING, key, compute, PROBE.title, stop="Stop distorting"):
        return
    st.caption(
        f"{_count(run)} of this run, {STEPS} steps, "
        f"{counted(min(PASSES, run.passes), 'pass')}. It takes up to a minute, and the result is kept."
    )
    label = f"Distort the {run.kind.plural}"
    st.button(label, icon=":material/play_arrow:", key="distort", on_click=request, args=(DISTORTING, key))


def _count(run: Run) -> str:
    return counted(min(EXAMPLES, run.manifest.labelled), run.manifest.examples.kind)


def _compute(run: Run, name: str, distorter: Distorter) -> Steps:
    assert run.labels is not None
    prepared = sampler(run)
    from mcviz.sampling.checking import sweep_calibration

    examples = np.sort(np.random.default_rng(0).permutation(labelled_numbers(run.undecided))[:EXAMPLES])
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
    st.caption(f"With 95% bands, of {_count(run)}{at_half(run)}. Above 0, confidence − accuracy is over-confidence.")
    measures = {
        label: {way: _line([step.figures[way][measure] for step in calibrations]) for way in PREDICTOR_LABELS}
        for label, measure in (("accuracy", "accuracy"), ("confidence − accuracy", "overconfidence"))
    }
    title, tick_format = f"{distortion.label}, {distortion.unit}", ".0%" if distortion.is_share else ""
    figure = calibration_along(step_amounts(distortion), measures, title, tick_format)
    chart(
        figure,
        f"distorted-{name}",
        f"Accuracy and confidence − accuracy along {distortion.label.lower()}. {' '.join(sentences)}",
    )


def _line(values: Sequence[Interval]) -> np.ndarray:
    """Return (S, 3) float64 values with intervals."""
    return np.array([(interval.value, interval.low, interval.high) for interval in values])


def _derived_of_steps(name: str) -> Derived:
    dtypes = {f"{way}_{term}": dtype for way in PREDICTOR_LABELS for term, dtype in TERMS.items()}
    return Derived(f"distorted-{name.replace('_', '-')}", 1, dtypes)


@st.cache_resource(show_spinner=False)
def _cache() -> dict[tuple[str, str], list[Calibration]]:
    return {}
