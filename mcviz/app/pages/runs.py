"""List, manage and compare runs; show jobs, and sample new runs."""

import html
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import streamlit as st

from mcviz.analysis.comparison import OTHER_PREFIX, Comparison, check_comparable, scores_to_compare
from mcviz.analysis.pairing import LabelChoice, name_apart
from mcviz.app.address import ANY_RUN
from mcviz.app.components import text_table
from mcviz.app.components.gallery import render_gallery, short_value, tiles
from mcviz.app.filters import ColumnFilter
from mcviz.app.jobs import MOST_PASSES, change_jobs, render_jobs, render_last_error
from mcviz.app.kinds import render_example
from mcviz.app.kinds.base import TILE
from mcviz.app.navigation import (
    COMPARE,
    EXAMPLE,
    EXPLORE,
    OVERVIEW,
    RUNS,
    chips,
    current_page,
    load_state,
    open_named_run,
    open_page,
    render_head,
    render_no_runs,
    run_name,
    score_chooser,
)
from mcviz.app.new_run import render_form, render_sample_again
from mcviz.app.resources import (
    ComparedRun,
    all_grouping_columns,
    available,
    check_needs,
    compare_cached,
    has,
    open_cached_run,
    run_numbers,
    run_paths,
    run_scores,
    table,
)
from mcviz.app.selection import filter_mask, select
from mcviz.app.state import (
    PageState,
    choose_detail,
    choose_name,
    go_to_run,
    latest_state,
    queue_value,
    quote,
    read_state,
    session_store,
    state_widget_args,
    update_state,
    widget_value,
)
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import load_example
from mcviz.app.views.scatter import COLOURINGS, render_scatter_chart
from mcviz.app.wording import (
    all_as_markdown,
    as_markdown,
    capitalised,
    counted,
    describe_manifest,
    time_made,
)
from mcviz.app.work import compute_on_request, hide_folders, progress_bar, refusal, request
from mcviz.errors import McvizError
from mcviz.figures import sheet_url
from mcviz.jobs import Jobs
from mcviz.jobs.of_run import can_be_sampled, options_of_more
from mcviz.jobs.queue import PATIENCE
from mcviz.measures.quality import MeasureComparison
from mcviz.options import format_arguments
from mcviz.permission import may_write
from mcviz.reviews.store import locate_reviews
from mcviz.runs import ListedRun, Run, list_runs, open_run, preview_removal, remove_run, rename_run, verify_run
from mcviz.runs.folder import LONGEST_NAME, cache_folder, list_shipped_runs
from mcviz.runs.storage import is_shipped
from mcviz.tasks import task_of
from mcviz.text import format_bytes, format_duration, one_line, percent

STATES = {"finished": "finished", "partial": "partial", "damaged": "damaged", "unreadable": "cannot be read"}
TICKS = 2  # runs
NONE_TICKED = "."  # in the address; no run has such a name
MOST_LISTED, TABLE_HEIGHT = 8, 400  # runs, above which their list scrolls; pixels
NAME_WIDTH, PICTURE = 240, 80  # pixels: of a name, and of a picture on a screen of twice the usual sharpness

WORK = "verifying"  # of which the subject is the run's path and digest
RESULT = "verified"  # in the session: that subject, whether it is whole, and a sentence

GROWTH, NAMING = "more-passes-menu", "rename"  # keys of menus, and in the session the error of more passes
ASKED, SAID, TROUBLE = "runs-asked", "runs-said", "runs-trouble"  # in the session

MOST_CHANGED = 3  # examples that changed, of each kind: a row
VERDICT_MARKS = {"better": "▲ ", "worse": "▼ "}
COMPARED_WIDTH = 220  # pixels, of an example in both runs


def describe_runs(runs: Sequence[ListedRun], folder: str) -> str:
    """Say how many runs there are.

    Args:
        runs: all of them.
        folder: of the runs, unless they came with mcviz, as visitors may know it.
    """
    whole = format_bytes(sum(run.bytes for run in runs))
    place = "that came with mcviz" if all(run.is_shipped for run in runs) else f"in **{as_markdown(folder)}**"
    to_do = (
        "Tick one to see what it is, two to compare them."
        if len(runs) > 1
        else "It is the only run here: sample its model again, with another seed or rate, to compare the two."
    )
    return f"{counted(len(runs), 'run')} {place}, {whole}. {to_do}"


def find_ticked(names: Sequence[str], opened: str, state: PageState) -> list[str]:
    """Return ticked runs: none, the open one, another, or both compared."""
    if state.other in names and state.other != opened and opened in names:
        return [opened, state.other]
    if state.ticked_run == NONE_TICKED:
        return []
    return [state.ticked_run] if state.ticked_run in names else [opened] if opened in names else []


def tick(ticked: Sequence[str], opened: str) -> None:
    """Tick runs in a callback; differences count from the open run.

    Args:
        ticked: their names, two at most.
        opened: the name of the open run.
    """
    if len(ticked) == TICKS and opened not in ticked:
        go_to_run(*ticked)
    elif len(ticked) == TICKS:
        (other,) = set(ticked) - {opened}
        update_state(run=opened, other=other, ticked_run="")
    else:
        alone = ticked[0] if ticked else NONE_TICKED
        update_state(other="", ticked_run="" if alone == opened else alone)


def render_runs(runs: Sequence[ListedRun], paths: dict[str, Path], ticked: Sequence[str], opened: str) -> None:
    """Render a row a run: a box ticks it beside another, its name alone.

    Args:
        runs: all of them.
        paths: of those that can be opened, by their names.
        ticked: the names of ticked runs.
        opened: the name of the open one.
    """

    def change(name: str, is_ticked: bool) -> None:
        others = [other for other in ticked if other != name]
        tick([*others, name][-TICKS:] if is_ticked else others, opened)

    height: Any = TABLE_HEIGHT if len(runs) > MOST_LISTED else "content"
    with st.container(height=height, border=False, key="list-of-runs", gap="xxsmall"):
        for run in runs:
            name = one_line(run.name)
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.checkbox(
                    f"Tick {as_markdown(name)}",
                    label_visibility="collapsed",
                    width="content",
                    **state_widget_args(f"tick-{run.name}", run.name in ticked, partial(change, run.name)),
                )
                picture = _picture(paths.get(run.name), run.manifest.digest if run.manifest else "")
                st.html(f'<div class="mcviz-run">{picture}</div>', width="content")
                st.button(
                    f"**{as_markdown(name)}**", key=f"alone-{run.name}", type="tertiary", width=NAME_WIDTH,
                    on_click=tick, args=((run.name,), opened),
                )  # fmt: skip
                facts = "".join(f"<span>{html.escape(fact)}</span>" for fact in describe_row(run))
                st.html(f'<div class="mcviz-run">{facts}</div>', width="content")


def describe_row(run: ListedRun) -> tuple[str, str, str]:
    """Return quality or else state, passes, and date of a run, each "" if not known."""
    if run.manifest is None:
        return describe_state(run), "", ""
    quality = describe_quality(run) if run.state == "finished" else describe_state(run)
    time = time_made(run.manifest)
    return quality, counted(run.manifest.passes, "pass"), f"{time:%Y-%m-%d}" if time else ""


@st.cache_data(max_entries=1000, show_spinner=False)
def _picture(path: Path | None, digest: str) -> str:  # noqa: ARG001 (a run that was written anew has another picture)
    with suppress(McvizError):
        run = open_run(path) if path else None
        if run is not None and has(run, "images"):
            url = sheet_url(task_renderer(run).pictures(run, np.array([0]), PICTURE), 1, PICTURE)
            return f'<img alt="" src="{url}">'
    return "<i></i>"


def describe_state(run: ListedRun) -> str:
    """Return the state of a run, with the finished share."""
    if run.state != "partial" or run.manifest is None:
        return STATES[run.state]
    return f"partial, {percent(run.examples_done / run.manifest.examples.count, 0)}"


def describe_quality(run: ListedRun) -> str:
    """Return the quality, such as "accuracy 99.41%", or ""."""
    manifest = run.manifest
    if manifest is None or manifest.quality is None:
        return ""
    task = task_of(manifest)
    return one_line(f"{run.measure} {task.format_quality(manifest.quality, manifest.unit)}")


def render_run(run: ListedRun, path: Path, names: Sequence[str], opened: str) -> None:
    """Render the single ticked run and its actions.

    Args:
        run: as the list has it.
        path: its folder.
        names: of all runs.
        opened: the name of the open one.
    """
    may_change = may_write() and (path.is_symlink() or not run.is_shipped)
    sentence = st.container()  # filled when the buttons are those of this run: what it says is what a click is about
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if run.state == "finished":
            if st.button("Open", icon=":material/open_in_new:", key="open", type="primary"):
                open_page(OVERVIEW, latest_state() if run.name == opened else PageState(run=run.name))
            verify = st.container(width="content")
            with suppress(McvizError):  # one that cannot be opened cannot be sampled
                whole = open_cached_run(path)
                if may_write():
                    render_sample_again(whole)
                if may_change:
                    _render_growth(whole)
        if may_change:
            _render_rename(run, path, opened)
            st.button("Remove", icon=":material/delete:", key="remove", on_click=_ask_removal, args=(run.name,))
    with sentence:
        _render_state(run)
    if run.state == "finished":
        render_verification(run, path, verify)
    if may_change and session_store().get(ASKED) == run.name:
        _render_removal(run, path, next((name for name in names if name != run.name), ""), opened)
    if run.manifest is not None:
        with st.expander("How it was made, and what is in it", icon=":material/description:"):
            facts = describe_manifest(run.manifest) | {"On disk": format_bytes(run.bytes)}
            text_table(("fact", "value"), map(all_as_markdown, facts.items()))


def _render_state(run: ListedRun) -> None:
    name = f"**{as_markdown(run.name)}**"
    if run.state == "partial":
        st.info(f"{name}: {as_markdown(hide_folders(run.message))}", icon=":material/hourglass:")
    elif run.message:
        st.error(f"{name}: {as_markdown(hide_folders(run.message))}", icon=":material/error:")
    else:
        quality = describe_quality(run)
        shipped = " It came with mcviz and cannot be changed." if run.is_shipped else ""
        st.markdown(f"{name} is finished{f'; its ensemble has {as_markdown(quality)}' if quality else ''}.{shipped}")


def render_outcome() -> None:
    """Say how the last click ended."""
    if words := session_store().pop(SAID, None):
        st.success(words, icon=":material/check_circle:")
    render_last_error(RUNS.title, TROUBLE)


def _render_growth(run: Run) -> None:
    if (seed := run.manifest.seed) is None or run.passes >= MOST_PASSES or not can_be_sampled(run):
        return
    if is_shipped(run.path):
        return
    with st.popover("More passes", icon=":material/add:", key=GROWTH, on_change="rerun"):
        if not check_needs(run, {"model"}):
            return
        name = as_markdown(run.name)
        st.markdown(f"**{name}** has {counted(run.passes, 'pass')}. {_describe_growth(run)}")
        render_last_error(RUNS.title, GROWTH)
        key = f"more-passes-{run.digest[:12]}"
        st.number_input("Passes in all", run.passes + 1, MOST_PASSES, min(2 * run.passes, MOST_PASSES), key=key)

        def start(jobs: Jobs) -> None:
            wanted = widget_value(key)  # which is newer than the drawing where somebody typed it just before the click
            options = format_arguments(options_of_more(run, seed=seed, passes=wanted))
            jobs.add("sample", options, run.name, f"{run.name}: {run.passes:,} to {wanted:,} passes")
            queue_value(GROWTH, False)

        st.button("Add passes", icon=":material/add:", key="more-passes", on_click=change_jobs, args=(start, GROWTH))


def _describe_growth(run: Run) -> str:
    if run.task.keeps_passes:
        return "These stay as they are, and others are added."
    started, finished = run.manifest.time("started"), run.manifest.time("finished")
    took = f" These took {format_duration((finished - started).total_seconds())}." if started and finished else ""
    return (
        f"The probabilities of passes over pixels are not kept, so all passes are sampled anew.{took} "
        "Until they are done, the run stays as it is."
    )


def _render_rename(run: ListedRun, path: Path, opened: str) -> None:
    with (
        st.popover("Rename", icon=":material/edit:", key=NAMING, on_change="rerun"),
        st.form(f"rename-{run.name}", border=False),
    ):
        field = f"new-name-{run.name}"
        st.text_input("Its new name", run.name, max_chars=LONGEST_NAME, key=field)
        st.form_submit_button("Rename", on_click=_rename, args=(run.name, path, field, opened))


def _rename(old: str, path: Path, field: str, opened: str) -> None:
    name = widget_value(field).strip()
    try:
        rename_run(path, name, PATIENCE)
    except McvizError as error:
        session_store()[TROUBLE] = error
        return
    queue_value(NAMING, False)
    session_store()[SAID] = f"{as_markdown(old)} is now called {as_markdown(name)}. Links to it need the new name."
    if old == opened:
        go_to_run(name)
    else:
        update_state(ticked_run=name)


def _ask_removal(name: str | None) -> None:
    session_store()[ASKED] = name


def _render_removal(run: ListedRun, path: Path, another: str, opened: str) -> None:
    goes = preview_removal(path)
    with st.container(border=True, key="removing"):
        st.markdown(f"**Remove {as_markdown(run.name)}?** This cannot be undone.")
        lines = [as_markdown(line) for line in goes.lines()]
        if run.manifest is not None and not goes.link and locate_reviews(path, run.manifest.examples).path.exists():
            lines.append("What reviewers decided stays: it belongs to the examples, whatever run they are in.")
        st.markdown("\n".join(f"- {line}" for line in lines))
        with st.container(horizontal=True, gap="small"):
            st.button("Keep it", key="keep", on_click=_ask_removal, args=(None,))
            st.button(
                "Remove it", key="remove-it", type="primary", icon=":material/delete_forever:", on_click=_remove,
                args=(run.name, path, another if run.name == opened else opened),
            )  # fmt: skip


def _remove(name: str, path: Path, another: str) -> None:
    session_store()[ASKED] = None
    try:
        left = remove_run(path, PATIENCE)
    except McvizError as error:
        session_store()[TROUBLE] = error
        return
    stays = f" Files that are not part of the run stay: {as_markdown(', '.join(left))}." if left else ""
    session_store()[SAID] = f"{as_markdown(name)} is removed.{stays}"
    go_to_run(another)


def render_verification(run: ListedRun, path: Path, place: Any) -> None:
    """Render the button, the bar and the result.

    Args:
        run: as the list has it.
        path: its folder.
        place: of the button.
    """
    assert run.manifest is not None
    key = str(path), run.manifest.digest
    # One button with one key: of two, that which was clicked keeps its room until the next click, and that goes astray.
    compute_on_request(WORK, key, partial(_verify, path, key), RUNS.title, place=place, key="verify")
    place.button(
        "Verify", icon=":material/fact_check:", key="verify", on_click=request, args=(WORK, key),
        help="Reads every byte, compares it with its checksum, and computes scores and accuracies again.",
    )  # fmt: skip
    verified, is_valid, words = session_store().get(RESULT, (None, False, ""))
    if verified == key:
        (st.success if is_valid else st.error)(words, icon=":material/verified:" if is_valid else ":material/error:")


def _verify(path: Path, key: tuple[str, str]) -> None:
    try:
        with progress_bar("files and groups of examples") as progress:
            verified = verify_run(path, progress)
    except McvizError as error:
        session_store()[RESULT] = key, False, refusal(error, RUNS.title)
    else:
        read = f"{counted(verified.files, 'file')}, {format_bytes(verified.bytes)}"
        words = f"All is as it was written: {read}. The stored scores and sums are those of the passes."
        session_store()[RESULT] = key, True, words


def open_run_and_state(paths: dict[str, Path]) -> tuple[Run | None, PageState]:
    """Open the run of the address, if possible, and read the address."""
    try:
        run = open_named_run(paths)
    except (McvizError, KeyError):  # the list says why
        return None, read_state(ANY_RUN)
    return run, load_state(run)


def render_comparison(run: Run | None, state: PageState, paths: dict[str, Path]) -> None:
    """Render the comparison with the other ticked run.

    Args:
        run: the open run, joined with the other where they share examples; None where it cannot be opened.
        state: of the page.
        paths: of all runs that can be opened, by their names.
    """
    st.header(f"{as_markdown(state.other)} compared with {as_markdown(run.name if run else state.run)}", anchor=False)
    other = _load_other(run, state, paths)
    if run is None or other is None:
        return
    score = choose_name(state.score, scores_to_compare(run, other), next(iter(run_scores(run))))
    comparison = compare_cached(run, other, score, state.labels_of)
    st.markdown(f"{as_markdown(comparison.in_words)} {comparison.examples_in_words}")
    if isinstance(run, ComparedRun):
        render_changes(run, state, comparison)
    if comparison.pairs.labels_differ:
        _render_label_choice(comparison, state)
    for note in comparison.notes:
        st.caption(f":material/info: {note}")
    if comparison.measures:
        st.header("By how much?" if comparison.paired else "Each by itself", anchor=False)
        render_figures(comparison)
        task_renderer(run).render_comparison(comparison, state)
    if isinstance(run, ComparedRun):
        st.header("One example in both", anchor=False)
        render_example_in_both(run, state, comparison)
        st.header("Are they uncertain about the same examples?", anchor=False)
        render_doubt(run, state, comparison)


def _load_other(run: Run | None, state: PageState, paths: dict[str, Path]) -> Run | None:
    try:
        if run is None:
            open_cached_run(paths[state.run])
            return None
        other = open_cached_run(paths[state.other])
    except (McvizError, KeyError) as error:
        st.error(f"Nothing can be compared. {refusal(error, COMPARE.title)}", icon=":material/error:")
        return None
    try:
        check_comparable(run.manifest, other.manifest)
    except McvizError as error:
        st.info(f"**No verdict.** {as_markdown(str(error))}", icon=":material/compare_arrows:")
        return None
    return other


def render_figures(comparison: Comparison) -> None:
    """Render measures of both runs, and paired differences on one axis."""
    names = [html.escape(name) for name in name_apart(comparison.one, comparison.other)]
    spans = [_scale_difference(measured) for measured in comparison.measures]
    most = max((max(abs(low), abs(high)) for low, _, high in filter(None, spans)), default=1.0)
    heads = ["measure", *names, *(["difference", "worse ← 0 → better", "verdict"] if comparison.paired else [])]
    rows = []
    for measured, (label, *both, difference, verdict), span in zip(
        comparison.measures, comparison.text_rows, spans, strict=True
    ):
        cells = [f"<td>{html.escape(text)}</td>" for text in both]
        if comparison.paired:
            mark = VERDICT_MARKS.get(measured.verdict, "")
            cells += [
                f"<td>{html.escape(difference)}</td>",
                f"<td>{_draw_interval(span, most, measured.verdict)}</td>",
                f'<td class="{measured.verdict}">{mark}{html.escape(verdict)}</td>',
            ]
        rows.append(f'<tr><th scope="row">{html.escape(label)}</th>{"".join(cells)}</tr>')
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    st.html(
        '<div class="mcviz-figures" tabindex="0" role="region" aria-label="Measures of both runs"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
    if comparison.paired:
        one, other = as_markdown(comparison.one.name), as_markdown(comparison.other.name)
        st.caption(
            f"The difference is {other} − {one}, with "
            f"{100 * comparison.confidence:.6g}% intervals, each drawn in halves of its own width: one that does not "
            "touch 0 is more than noise. Each row is judged by itself, the sentence above by its measures together. "
            f"Examples are ranked by {run_scores(comparison.one)[comparison.score].inline_label}."
        )


def _scale_difference(measured: MeasureComparison) -> tuple[float, float, float] | None:
    """Return a difference and its interval, better to the right, in half widths; None without interval or direction."""
    low, value, high = measured.difference.low, measured.difference.value, measured.difference.high
    if not measured.measure.better or not high > low:
        return None
    half = (high - low) / 2
    ends = (low / half, value / half, high / half)
    return ends if measured.measure.better == "high" else (-ends[2], -ends[1], -ends[0])


def _draw_interval(span: tuple[float, float, float] | None, most: float, verdict: str) -> str:
    if span is None:
        return ""
    low, value, high = (50 + 48 * end / most for end in span)
    bar = f'<i class="bar" style="left:{low:.1f}%;width:{high - low:.1f}%"></i>'
    dot = f'<i class="dot" style="left:{value:.1f}%"></i>'
    return f'<span class="interval {verdict}" aria-hidden="true">{bar}{dot}</span>'


def render_changes(run: ComparedRun, state: PageState, comparison: Comparison) -> None:
    """Render numbers of changed examples, the first ones, and links."""
    changes = comparison.changes
    assert changes is not None  # they share examples
    counts = ", ".join(f"**{count:,}** {kind}" for kind, count in changes.counts.items())
    st.header("Which examples changed?", anchor=False)
    st.markdown(
        f"From {as_markdown(run.name)} to {as_markdown(run.other.name)}: {counts}. The largest changes come first; "
        "click one to see it in both runs below."
    )
    here = current_page()
    for column, kind in zip(st.columns(len(changes.moved), gap="large"), changes.moved, strict=True):
        with column:
            st.subheader(capitalised(kind), anchor=False)
            examples = comparison.changed(kind)
            if not len(examples):
                st.caption("No example.")
                continue
            first, key = examples[:MOST_CHANGED], f"changed-{kind.split()[0]}"
            facts = [_facts_in_both(run, comparison, int(example), state.score) for example in first]
            pictures = task_renderer(run).pictures_of_both(comparison, first, TILE)
            tiles(run, state, first, None, state.score, key, here, facts=facts, pictures=pictures)
            filters = replace(state.filters, columns=(ColumnFilter(run.change, (kind,)),))
            st.page_link(
                EXPLORE.script,
                label="Filter to this one" if len(examples) == 1 else f"Filter to these {len(examples):,}",
                icon=":material/arrow_forward:",
                query_params=state.link(filters=filters.without("lasso", "area", "selected")),
            )


def _facts_in_both(run: Run, comparison: Comparison, example: int, score: str) -> list[tuple[str, str]]:
    both = run, comparison.other
    numbers = example, int(comparison.pairs.other[comparison.pairs.find(example)])
    rows = [table(of_run).iloc[number].to_dict() for of_run, number in zip(both, numbers, strict=True)]
    texts = [task_renderer(of_run).phrases.tile_text(of_run, row) for of_run, row in zip(both, rows, strict=True)]
    scores = [run_scores(of_run).get(score) for of_run in both]
    label = texts[0].label
    changes = {
        f"label {label}" if label else "predicted": [text.brief or text.prediction for text in texts],
        run_scores(run)[score].inline_label: [
            short_value(found, row[score]) for found, row in zip(scores, rows, strict=True) if found
        ],
    }
    return [(name, " → ".join(values)) for name, values in changes.items() if values]


def render_example_in_both(run: ComparedRun, state: PageState, comparison: Comparison) -> None:
    """Render an example with passes of both runs on equal axes."""
    changes = comparison.changes
    assert changes is not None
    changed = [*np.concatenate(list(map(comparison.changed, changes.moved))), comparison.pairs.one[0]]
    example = int(changed[0]) if state.example is None else state.example
    place = comparison.pairs.find(example)
    left, right = st.columns([1, 3], gap="large")
    with left:
        st.number_input("Example", 0, len(run) - 1, width=140, **state_widget_args("example", example))
        render_example(run, example, COMPARED_WIDTH)
        st.caption(
            f"{as_markdown(run.other.name)} does not have this example."
            if place is None
            else f"From {as_markdown(run.name)} to {as_markdown(run.other.name)}: {changes.kinds[changes.kind[place]]}."
        )
        if st.button("Open it", icon=":material/open_in_new:", key="open-example"):
            open_page(EXAMPLE, state, example=example)
    if place is not None:
        with right:
            task_renderer(run).render_example_of_both(load_example(run, state, example), comparison)


def render_doubt(run: ComparedRun, state: PageState, comparison: Comparison) -> None:
    """Render a score of both runs, with a lasso that filters."""
    score = comparison.score
    if comparison.shared_top is not None:
        st.markdown(
            f"Of the 100 examples that each is most uncertain about, by {run_scores(run)[score].inline_label}, "
            f"**{100 * comparison.shared_top:.0f}** are the same."
        )
    place = choose_detail("Each example in both runs", "both", state)
    if not place.open:
        return
    with place:
        _render_scores_of_both(run, state, score)


def _render_scores_of_both(run: ComparedRun, state: PageState, score: str) -> None:
    numbers = run_numbers(run)
    axis_score = choose_name(state.score, [name for name in run_scores(run) if OTHER_PREFIX + name in numbers], score)
    colourings = [*all_grouping_columns(run), *available(COLOURINGS, run)]
    colouring = choose_name(state.colour, colourings, choose_name(run.change, colourings))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        score_chooser("Score", run, state)
    selection = select(run, state)
    chips(selection)
    if not filter_mask(run, selection.filters.without("lasso")).any():
        render_gallery(selection)
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        render_scatter_chart(
            selection, axis_score, OTHER_PREFIX + axis_score, colouring, name="both", line=True, looks=False
        )
    with right:
        render_gallery(selection)


def _render_label_choice(comparison: Comparison, state: PageState) -> None:
    newer_is_other = (comparison.pairs.labels_of is comparison.other) == (state.labels_of == "new")
    runs = (comparison.other, comparison.one) if newer_is_other else (comparison.one, comparison.other)
    names = {choice: run.name for choice, run in zip(get_args(LabelChoice), runs, strict=True)}
    st.radio(
        "Measure both by the labels of",
        list(names),
        format_func=lambda choice: f"{as_markdown(names[choice])}, the {choice}er run",
        horizontal=True,
        **state_widget_args("labels_of", state.labels_of),
    )


folder, paths = cache_folder(), run_paths()
runs = list_runs(folder) or list_shipped_runs()
opened = run_name(paths)
run, state = open_run_and_state(paths)
render_head(RUNS, describe_runs(runs, folder.name) if runs else "")
ticked = find_ticked([run.name for run in runs], opened, state)
if runs:
    if state.other and len(ticked) < TICKS and state.other != opened:
        st.warning(f"There is no run {quote(state.other)} here.", icon=":material/link_off:")
    render_runs(runs, paths, ticked, opened)
render_outcome()
if len(ticked) == TICKS:
    render_comparison(run, state, paths)
for one in runs:
    if ticked == [one.name]:
        render_run(one, paths.get(one.name, folder / one.name), [run.name for run in runs], opened)
render_jobs(RUNS.title)
if may_write() and len(ticked) < TICKS:  # two runs fill the page
    finished = {run.name: run.manifest for run in runs if run.state == "finished" and run.manifest}
    render_form([(name, path, finished[name]) for name, path in paths.items() if name in finished], opened)
if all(run.is_shipped for run in runs):
    render_no_runs()
