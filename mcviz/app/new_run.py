"""The form of a new run, and of a run that is sampled again."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import streamlit as st

from mcviz.app.filters import Filters
from mcviz.app.jobs import (
    DATA,
    HIGHEST_SEED,
    MODELS,
    MOST_PASSES,
    change_jobs,
    folders,
    list_offered,
    offered_data,
    open_jobs,
    render_last_error,
)
from mcviz.app.navigation import EXPLORE, RUNS, link_to, load_state
from mcviz.app.resources import check_needs, open_cached_run
from mcviz.app.selection import select
from mcviz.app.state import queue_value, session_store, widget_value
from mcviz.app.wording import as_markdown, counted
from mcviz.devices import AUTO, CPU, find_devices
from mcviz.errors import McvizError
from mcviz.jobs import Jobs
from mcviz.jobs.of_run import can_be_sampled, check_kept_model, options_of_data, options_of_model, options_of_more
from mcviz.jobs.queue import check_new_name
from mcviz.options import (
    CheckOptions,
    ColumnOptions,
    DataOptions,
    ModelOptions,
    OptionField,
    PreprocessingOptions,
    SampleOptions,
    TaskOptions,
    format_arguments,
    option_fields,
)
from mcviz.regular import path_exists
from mcviz.runs import Manifest, Run
from mcviz.runs.folder import LONGEST_NAME, cache_folder
from mcviz.runs.writer import REVIEWS
from mcviz.tasks import TASKS
from mcviz.text import one_line

TROUBLE, NAME = "new-run-trouble", "new-run-name"  # of the session
AGAIN = "sample-again"  # key of a menu, and in the session the error of what was started there
ASKED = "new-run-asked"  # in the session: whether the job is to start with what stands in the fields
PASSES_OF_PIXELS = 20  # that are proposed where an image is as many predictions as it has pixels
MOST_EXAMPLES = 100_000_000
MOST = {"passes": MOST_PASSES, "seed": HIGHEST_SEED}
WIDTHS = {"passes": 160, "masks": 380, "seed": 160}  # in pixels, of fields in one line
MEANINGS = {"per_pass": "one draw for all examples of a pass", "per_example": "a draw for each example"}
FOUND_OUT, OF_THE_RUN = "found out from the model", "as for its run"
PREPARED = {
    FOUND_OUT: PreprocessingOptions(),
    "divided by 255": PreprocessingOptions(scale=255),
    "as they are": PreprocessingOptions(scale=1),
    "as torchvision does for ImageNet": PreprocessingOptions(preprocess="imagenet"),
    "as Keras does for ImageNet, in the style of Caffe": PreprocessingOptions(preprocess="caffe"),
    "as Keras does for ImageNet, from -1 to 1": PreprocessingOptions(preprocess="tf"),
}
OF_CHECK = option_fields(CheckOptions)  # how many passes, under which masks
OF_SAMPLE = [field for field in option_fields(SampleOptions) if field not in OF_CHECK]


FinishedRuns: TypeAlias = Sequence[tuple[str, Path, Manifest]]  # name, folder and manifest of each


@dataclass(frozen=True)
class InputSource:
    """A model or a data set.

    Attributes:
        name: what it is called.
        path: of the file or folder; of the run, where it is that of one.
        of_run: whether it is the model, or the examples, of a run.
    """

    name: str
    path: Path
    of_run: bool = False


@dataclass(frozen=True)
class NewRun:
    """A run to sample.

    Attributes:
        model: which.
        data: which.
        options: of `mcviz sample`.
        examples: (n,) numbers of the chosen examples of the data, or None.
    """

    model: InputSource
    data: InputSource
    options: tuple[str, ...]
    examples: np.ndarray | None


def models(runs: FinishedRuns) -> dict[str, InputSource]:
    """Return models by name: of the operator, then of runs."""
    files = list_offered(MODELS, lambda folder: folder.rglob("*.keras"))
    of_runs = {
        f"model of the run {name}": InputSource(name, path, of_run=True)
        for name, path, manifest in runs
        if manifest.has_model
    }
    return _named(files) | of_runs


def data_sets(runs: FinishedRuns) -> dict[str, InputSource]:
    """Return data sets by name: of the operator, then of runs."""
    of_runs = {
        f"examples of the run {name}": InputSource(name, path, of_run=True)
        for name, path, manifest in runs
        if manifest.has_examples
    }
    return _named(offered_data()) | of_runs


def render_form(runs: FinishedRuns, opened: str) -> None:
    """Render the form; its button starts a job that checks before it samples.

    Args:
        runs: whose models and examples are offered.
        opened: the name of the open one.
    """
    st.header("New run", anchor=False)
    known_models, known_data = models(runs), data_sets(runs)
    if not known_models or not known_data:
        what = "model" if not known_models else "data set"
        st.info(
            f"There is no {what} to sample here. Name folders of yours in the variables `{MODELS}` (files that end in "
            f".keras) and `{DATA}`, and start the dashboard again.",
            icon=":material/inbox:",
        )
        return
    is_asked = session_store().get(ASKED, False) and NAME in st.session_state  # not so after the page was left
    wanted = _form(known_models, known_data, opened)
    session_store()[ASKED] = False  # only now: a newer click may end the drawing of the fields
    if wanted is None:
        return
    proposed = _free("-".join(dict.fromkeys((wanted.model.name, wanted.data.name))))
    if is_asked:  # in a callback of the button it would start with what stood in the fields at the last drawing
        change_jobs(partial(_start, wanted, proposed), TROUBLE)
        st.rerun()
    _render_name(NAME, proposed)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Start", type="primary", icon=":material/play_arrow:", key="new-run-start",
            on_click=session_store().__setitem__, args=(ASKED, True),
        )  # fmt: skip
        st.caption(
            "Model and data are checked first. What that finds and how long the passes take stands with the job, "
            "which asks before it samples where something looks wrong.",
            width="content",
        )
    render_last_error(RUNS.title, TROUBLE)


def _form(known_models: dict[str, InputSource], known_data: dict[str, InputSource], opened: str) -> NewRun | None:
    left, right = st.columns(2)
    model = _choose_source(left, "Model", known_models, opened)
    data = _choose_source(right, "Data", known_data, opened)
    if not (folders(MODELS) and folders(DATA)):
        st.caption(f"Models and data of your own are offered from the folders that `{MODELS}` and `{DATA}` name.")
    options = [*_of_model(model, data, left), *_of_data(data, right)]
    examples, which = _choose_examples(data, opened)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        of_pixels = any(task.of_pixels and f"--task={name}" in options for name, task in TASKS.items())
        proposed = {"passes": PASSES_OF_PIXELS} if of_pixels else {}
        options += ["--noise", *which, *_render_fields(OF_CHECK, proposed), *_render_fields(OF_SAMPLE)]
    if examples is not None and len(examples) == 0:
        st.info("No example matches. Take a filter off first.", icon=":material/filter_alt_off:")
        return None
    return NewRun(model, data, tuple(options), examples)


def _choose_source(
    place: "st.delta_generator.DeltaGenerator", label: str, known: dict[str, InputSource], opened: str
) -> InputSource:
    first = (number for number, source in enumerate(known.values()) if not source.of_run or source.name == opened)
    key = f"new-run-{label.lower()}"
    return known[place.selectbox(label, list(known), next(first, 0), format_func=one_line, key=key)]


def _render_fields(options: Iterable[OptionField], proposed: Mapping[str, int] | None = None) -> tuple[str, ...]:
    filled = [
        (field, _render_field(field, field.option.choices, (proposed or {}).get(field.name)))
        for field in options
        if field.option.label
    ]
    return tuple(f"{field.argument}{text}" for field, text in filled if text)


def _render_field(field: OptionField, choices: Sequence[str], proposed: int | None = None) -> str:
    option, key = field.option, f"new-run-{field.name}"
    width: Any = WIDTHS.get(field.name, "stretch")
    if choices:
        return st.selectbox(option.label, choices, format_func=_describe_choice, key=key, width=width)
    if option.at_least is not None:
        most = MOST.get(field.name)
        first, key = (field.default, key) if proposed is None else (proposed, f"{key}-{proposed}")
        number = st.number_input(option.label, option.at_least, most, first, key=key, width=width)
        return "" if number is None else str(number)
    return st.text_input(option.label, placeholder=option.placeholder, key=key, width=width).strip()


def _describe_choice(choice: str) -> str:
    return f"{choice}: {MEANINGS[choice]}" if choice in MEANINGS else choice


def _of_model(model: InputSource, data: InputSource, place: "st.delta_generator.DeltaGenerator") -> Iterator[str]:
    prepared = {OF_THE_RUN: PreprocessingOptions(), **PREPARED} if model.of_run else PREPARED
    usual = OF_THE_RUN if model.of_run and model.path == data.path else FOUND_OUT
    with place.expander("About the model", icon=":material/tune:"):
        how = st.selectbox(
            "How it takes examples", list(prepared), list(prepared).index(usual), key=f"new-run-prepared-{usual}",
        )  # fmt: skip
        device = _choose_device()
        if model.of_run:
            run = open_cached_run(model.path)
            own, as_task, prepared_as = options_of_model(run, preprocessing=how == OF_THE_RUN)
            yield from format_arguments(replace(own, device=device), as_task, prepared_as)
        else:
            yield from format_arguments(ModelOptions(str(model.path), device=device))
            task, *of_values = option_fields(TaskOptions)
            chosen = _render_field(task, list(TASKS))
            yield f"{task.argument}{chosen}"
            if TASKS[chosen].last_axis == "target":
                yield from _render_fields(of_values)
            yield from _render_fields(option_fields(ModelOptions))
        yield from format_arguments(prepared[how])


def _choose_device() -> str:
    found = find_devices()
    return st.selectbox("Device", (AUTO, CPU, *found), key="new-run-device") if found else AUTO


def _of_data(data: InputSource, place: "st.delta_generator.DeltaGenerator") -> Iterator[str]:
    if data.of_run:
        yield from format_arguments(options_of_data(open_cached_run(data.path)))
        return
    yield from format_arguments(DataOptions(str(data.path)))
    with place.expander("About the data", icon=":material/tune:"):
        names = [name.strip() for name in st.text_input(
            "Names of the classes, in the model's order", placeholder="cat, dog, owl", key="new-run-classes"
        ).split(",")]  # fmt: skip
        if len(names) > 1 and not path_exists(",".join(names)):  # or else that file would be read
            yield from format_arguments(DataOptions(class_names=tuple(names)))
        yield from _render_fields(option_fields(DataOptions))
        st.caption("Columns of a table, where they have other names than the usual:")
        yield from _render_fields(option_fields(ColumnOptions))


def _choose_examples(data: InputSource, opened: str) -> tuple[np.ndarray | None, tuple[str, ...]]:
    selected = _selected(data) if data.of_run and data.name == opened else None
    choices = {"all": "All", "first": "The first"}
    if selected is not None:
        choices["selected"] = f"The {len(selected):,} matching on {EXPLORE.title}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.segmented_control(
            "Examples", list(choices), default="all", format_func=choices.__getitem__, required=True,
            key=f"new-run-examples-{len(choices)}",
        )  # fmt: skip
        if chosen == "first":
            count = st.number_input("How many", 1, MOST_EXAMPLES, 1000, key="new-run-first", width=160)
            return None, format_arguments(DataOptions(first=count))
        if data.of_run and selected is None and data.name == opened:
            link_to(EXPLORE, "Filter them", icon=":material/filter_list:")
    return (selected, ()) if chosen == "selected" else (None, ())


def _selected(data: InputSource) -> np.ndarray | None:
    """Return (n,) numbers of the selected examples; None without filters."""
    try:
        run = open_cached_run(data.path)
        state = load_state(run)
    except McvizError:
        return None
    return None if state.filters == Filters() else np.sort(select(run, state).examples)


def _render_name(key: str, proposed: str) -> None:
    st.text_input("Name of the run", placeholder=proposed, max_chars=LONGEST_NAME, key=key, width=420)


def _take_name(key: str, proposed: str) -> str:
    """Return the current text of the field before it is drawn."""
    return (widget_value(key) or "").strip() or proposed


def _free(base: str) -> str:
    base = re.sub(r"[^\w.-]+", "-", base).strip("-.")[:80] or "run"
    taken = {
        REVIEWS,
        *(path.name for path in cache_folder().glob("*")),
        *(entry.job.run for entry in open_jobs().found()),
    }
    names = (base if number == 1 else f"{base}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _start(wanted: NewRun, proposed: str, jobs: Jobs) -> None:
    name = _take_name(NAME, proposed)
    if wanted.model.of_run:
        check_kept_model(open_cached_run(wanted.model.path))
    examples = None if wanted.examples is None else wanted.examples.tolist()
    check_new_name(jobs.cache, name)
    jobs.add("sample", wanted.options, name, name, examples=examples, check_first=True)
    queue_value(NAME, "")


def render_sample_again(run: Run) -> None:
    """Render a form for fresh passes of a run as another run."""
    if not can_be_sampled(run):
        return
    with st.popover("Sample again", icon=":material/replay:", key=AGAIN, on_change="rerun"):
        if not check_needs(run, {"model"}):
            return
        st.markdown(f"Fresh passes of the model of **{as_markdown(run.name)}** over the same examples, as another run.")
        render_last_error(RUNS.title, AGAIN)
        with st.form("again", border=False):
            of_run = run.digest[:12]
            passes, seed = f"again-passes-{of_run}", f"again-seed-{of_run}"
            st.number_input("Passes", 1, MOST_PASSES, run.passes, key=passes)
            st.number_input("Seed", 0, HIGHEST_SEED, ((run.manifest.seed or 0) + 1) % (HIGHEST_SEED + 1), key=seed)
            name, proposed = f"again-name-{of_run}", _free(run.name)
            _render_name(name, proposed)
            st.form_submit_button(
                "Start", type="primary", icon=":material/play_arrow:", key="again-start", on_click=change_jobs,
                args=(partial(_sample_again, run, passes, seed, name, proposed), AGAIN),
            )  # fmt: skip


def _sample_again(run: Run, passes: str, seed: str, name: str, proposed: str, jobs: Jobs) -> None:
    new = _take_name(name, proposed)
    check_new_name(jobs.cache, new)
    options = format_arguments(options_of_more(run, seed=widget_value(seed), passes=widget_value(passes)))
    jobs.add("sample", options, new, f"{new}: {counted(widget_value(passes), 'pass')} of {run.name}'s model")
    queue_value(name, "")
    queue_value(AGAIN, False)


def _named(files: dict[str, Path]) -> dict[str, InputSource]:
    return {name: InputSource(path.stem, path) for name, path in files.items()}
