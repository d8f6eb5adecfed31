"""A new run: of which model and data, how many passes; what they will take; and the button that starts it."""

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from mcviz.app.components.charts import text_table
from mcviz.app.failures import hide_folders, show_failures
from mcviz.app.filters import Filters
from mcviz.app.navigation import EXPLORE, link_to, load_state
from mcviz.app.places import DATA, MODELS, folders
from mcviz.app.resources import open_cached_run, run_paths
from mcviz.app.runs.jobs import (
    HIGHEST_SEED,
    MOST_PASSES,
    SECONDS,
    InputSource,
    change_jobs,
    data_sets,
    models,
    open_jobs,
    without_folders,
)
from mcviz.app.selection import select
from mcviz.app.state import address, session_store
from mcviz.app.wording import all_as_markdown, as_markdown
from mcviz.errors import McvizError
from mcviz.jobs import FoundJob, JobProgress, Jobs
from mcviz.jobs.of_run import check_kept_model, options_of_data, options_of_model
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
from mcviz.runs.folder import LONGEST_NAME, cache_folder
from mcviz.runs.writer import REVIEWS
from mcviz.tasks import TASKS
from mcviz.text import format_duration, one_line

CHECK = "new-run-check"  # id of the job, of the session
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
ROOM = 2.2  # times the predictions: a run that grows is there twice, for a moment


@dataclass(frozen=True)
class NewRun:
    """A run to sample.

    Attributes:
        model: which.
        data: which.
        options: of `mcviz check` and `mcviz sample`.
        more: those of `mcviz sample` alone.
        examples: (n,) numbers of those that are taken of the data, or None.
    """

    model: InputSource
    data: InputSource
    options: tuple[str, ...]
    more: tuple[str, ...]
    examples: np.ndarray | None

    @property
    def key(self) -> list[object]:
        """The values that a check is made for."""
        return [list(self.options), None if self.examples is None else self.examples.tolist()]


def render_form(page: str) -> None:
    """The form, what a check finds, and the button that starts the sampling.

    Args:
        page: title of the page, for messages.
    """
    st.header("New run", anchor=False)
    known_models, known_data = models(), data_sets()
    if not known_models or not known_data:
        what = "model" if not known_models else "data set"
        st.info(
            f"There is no {what} to sample here. Name folders of yours in the variables `{MODELS}` (files that end in "
            f".keras) and `{DATA}`, and start the dashboard again.",
            icon=":material/inbox:",
        )
        return
    wanted = _form(known_models, known_data)
    if wanted is None:
        return
    name = _name(wanted)
    st.button(
        "Check", icon=":material/fact_check:", key="new-run-check-button",
        on_click=change_jobs, args=(partial(start_check, wanted),),
        help="Checks whether model and data fit, and estimates how long the passes take",
    )  # fmt: skip
    _render_check(page, wanted, name)


def _form(known_models: dict[str, InputSource], known_data: dict[str, InputSource]) -> NewRun | None:
    left, right = st.columns(2)
    model = known_models[left.selectbox("Model", list(known_models), format_func=one_line, key="new-run-model")]
    data = known_data[right.selectbox("Data", list(known_data), format_func=one_line, key="new-run-data")]
    if not (folders(MODELS) and folders(DATA)):
        st.caption(f"Models and data of your own are offered from the folders that `{MODELS}` and `{DATA}` name.")
    options = [*_of_model(model, data, left), *_of_data(data, right)]
    examples, which = _choose_examples(data)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options += [*which, *_render_fields(OF_CHECK)]
        more = _render_fields(OF_SAMPLE)
    if examples is not None and len(examples) == 0:
        st.info("No example matches. Take a filter off first.", icon=":material/filter_alt_off:")
        return None
    return NewRun(model, data, tuple(options), more, examples)


def _render_fields(options: Iterable[OptionField]) -> tuple[str, ...]:
    """Render the fields of the options that have one, and return the arguments that say what is in them."""
    filled = [(field, _render_field(field, field.option.choices)) for field in options if field.option.label]
    return tuple(f"{field.argument}{text}" for field, text in filled if text)


def _render_field(field: OptionField, choices: Sequence[str]) -> str:
    """Render the field of an option, and return the text in it."""
    option, key = field.option, f"new-run-{field.name}"
    width: Any = WIDTHS.get(field.name, "stretch")
    if choices:
        return st.selectbox(option.label, choices, format_func=_describe_choice, key=key, width=width)
    if option.at_least is not None:
        most = MOST.get(field.name)
        number = st.number_input(option.label, option.at_least, most, field.default, key=key, width=width)
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
        if model.of_run:
            run = open_cached_run(model.path)
            yield from format_arguments(*options_of_model(run, preprocessing=how == OF_THE_RUN))
        else:
            yield from format_arguments(ModelOptions(str(model.path)))
            task, *of_values = option_fields(TaskOptions)
            chosen = _render_field(task, list(TASKS))
            yield f"{task.argument}{chosen}"
            if TASKS[chosen].last_axis == "target":
                yield from _render_fields(of_values)
            yield from _render_fields(option_fields(ModelOptions))
        yield from format_arguments(prepared[how])


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


def _choose_examples(data: InputSource) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Render a choice of examples; return numbers or None for all, and an option where that says it."""
    selected = _selected(data)
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
        if data.of_run and selected is None and data.name == _open_run():
            link_to(EXPLORE, "Filter them", icon=":material/filter_list:")
    return (selected, ()) if chosen == "selected" else (None, ())


def _selected(data: InputSource) -> np.ndarray | None:
    """(n,) the numbers of the examples that pass the filters of the open run, where these are the data; or None."""
    if not data.of_run or data.name != _open_run():
        return None
    try:
        run = open_cached_run(data.path)
        state = load_state(run)
    except McvizError:
        return None
    return None if state.filters == Filters() else np.sort(select(run, state).examples)


def _open_run() -> str:
    return address().get("run") or next(iter(run_paths()), "")


def _name(wanted: NewRun) -> str:
    """The field for the run's name, which proposes one that is free."""
    parts = dict.fromkeys((wanted.model.name, wanted.data.name))
    proposed = _free("-".join(parts))
    typed = st.text_input(
        "Name of the run", proposed, max_chars=LONGEST_NAME, key=f"new-run-name-{proposed}", width=420
    )
    return typed.strip()


def _free(base: str) -> str:
    base = re.sub(r"[^\w.-]+", "-", base).strip("-.")[:80] or "run"
    taken = {
        REVIEWS,
        *(path.name for path in cache_folder().glob("*")),
        *(entry.job.run for entry in open_jobs().found()),
    }
    names = (base if number == 1 else f"{base}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def start_check(wanted: NewRun, jobs: Jobs) -> None:
    """Start a check, in a callback, and forget the one before."""
    if wanted.model.of_run:
        check_kept_model(open_cached_run(wanted.model.path))
    _forget_check(jobs)
    job = jobs.add(
        "check", wanted.options, "check", f"Check of {wanted.model.name}", about={"key": wanted.key},
        examples=None if wanted.examples is None else wanted.examples.tolist(),
    )  # fmt: skip
    session_store()[CHECK] = job.id


def _forget_check(jobs: Jobs) -> None:
    check = _find_check()
    session_store().pop(CHECK, None)
    if check is not None:
        (jobs.stop if check.is_open else jobs.forget)(check.job.id)


def _render_check(page: str, wanted: NewRun, name: str) -> None:
    """Render the findings of the check, if it was made for what is wanted now."""
    check = _find_check()
    if check is None or check.job.about.get("key") != wanted.key:
        return
    st.fragment(
        partial(render_check_result, page, wanted, name, check.is_open), run_every=SECONDS if check.is_open else None
    )()


def _find_check() -> FoundJob | None:
    try:
        return open_jobs().find(session_store()[CHECK]) if CHECK in session_store() else None
    except McvizError:
        return None


def render_check_result(page: str, wanted: NewRun, name: str, was_open: bool) -> None:
    """Render what the check found, with a button to start the sampling; or that it goes on, was stopped, or failed."""
    with show_failures(page):
        check = _find_check()
        if check is None:  # the sampling was started, and stands among the jobs
            st.rerun()
        if check.is_open:
            open_jobs().tend()
            st.info("Model and data are being checked. That takes some seconds.", icon=":material/hourglass_top:")
            return
        if was_open:
            st.rerun()
        if check.state != "finished" or check.progress is None:
            message = hide_folders(without_folders(check.message)) or "The check was stopped. Check again."
            st.error(as_markdown(message), icon=":material/error:")
            return
        _result_table(check.progress)
        st.button(
            "Start sampling", type="primary", icon=":material/play_arrow:", key="new-run-start", on_click=change_jobs,
            args=(partial(_start, wanted, name),),
        )  # fmt: skip


def _result_table(progress: JobProgress) -> None:
    text_table(("", "found"), map(all_as_markdown, progress.found.items()))
    if progress.advice:
        st.warning(as_markdown(progress.advice), icon=":material/warning:")
    cache = cache_folder().absolute()
    free = shutil.disk_usage(next(folder for folder in (cache, *cache.parents) if folder.exists())).free
    if progress.bytes * ROOM > free:
        st.warning(
            f"There may be too little room: {free / 1e6:,.0f} MB are free, and about "
            f"{ROOM * progress.bytes / 1e6:,.0f} MB are needed while the run is written.",
            icon=":material/warning:",
        )
    st.caption(
        f"About {format_duration(progress.seconds)} if nothing else is running; the dashboard and other programs "
        "have priority."
    )


def _start(wanted: NewRun, name: str, jobs: Jobs) -> None:
    """Put the sampling into the queue, in a callback; the check has done its part."""
    check_new_name(jobs.cache, name)
    options = [*wanted.options, *wanted.more]
    jobs.add("sample", options, name, name, examples=None if wanted.examples is None else wanted.examples.tolist())
    _forget_check(jobs)
