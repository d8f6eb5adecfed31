"""The pages: titles, needs, links, and the head and choices that they share."""

import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st

from mcviz.analysis.comparison import check_comparable
from mcviz.app.address import RunLimits
from mcviz.app.filters import Filters
from mcviz.app.resources import (
    RunPart,
    check_needs,
    class_names,
    has,
    join_runs,
    open_cached_run,
    own_columns,
    run_numbers,
    run_paths,
    run_scores,
    target_names,
)
from mcviz.app.selection import Selection, computed_layouts
from mcviz.app.server import is_history_navigation
from mcviz.app.state import (
    OWN_KEYS,
    PageState,
    address,
    is_open,
    note_address,
    note_link,
    quote,
    read_state,
    state_widget_args,
    update_state,
)
from mcviz.app.wording import as_markdown, describe_scores
from mcviz.app.work import refusal
from mcviz.errors import CorruptRunError, McvizError
from mcviz.runs import Run
from mcviz.runs.folder import cache_folder
from mcviz.text import one_line

MOST_QUOTED = 4  # parts of an address that were not understood


@dataclass(frozen=True)
class Page:
    """A page of the dashboard.

    Attributes:
        file: its script in `pages/`.
        title: what links to it say.
        icon: a Material symbol.
        needs: what a run has to have, or else the page says what is missing.
        entry: the title of the page whose entry in the bar is marked, where that is another one; "" for none.
        path: in the address, where it is not the script's name.
    """

    file: str
    title: str
    icon: str
    needs: Collection[RunPart] = field(default_factory=frozenset)
    entry: str | None = None
    path: str = ""

    @property
    def script(self) -> Path:
        """Return the script's path."""
        return Path(__file__).parent / "pages" / self.file

    @property
    def url_path(self) -> str:
        """Return its path in the address."""
        return self.path or self.script.stem

    def declare(self, *, root: bool = False) -> st.Page:
        """Return the page for Streamlit, at its own path or at the root."""
        return st.Page(self.script, title=self.title, url_path="" if root else self.url_path, default=root)


OVERVIEW = Page("overview.py", "Overview", ":material/monitoring:")
EXPLORE = Page("explore.py", "Explore", ":material/grid_view:", path="uncertain")
TRUST = Page("trust.py", "Trust", ":material/verified_user:")
LABELLING = Page("label.py", "Label", ":material/rate_review:", path="review")
PROBE = Page("probe.py", "Probe", ":material/science:")
RUNS = Page("runs.py", "Runs", ":material/folder_open:")
EXAMPLE = Page("example.py", "One example", ":material/image_search:", entry=EXPLORE.title)
SIDE_BY_SIDE = Page("side_by_side.py", "Side by side", ":material/compare:", entry=EXPLORE.title)
OUT_OF_DISTRIBUTION = replace(PROBE, title="Out of distribution", path="out_of_distribution", entry=PROBE.title)
COMPARE = replace(RUNS, title="Compare", icon=":material/compare_arrows:", path="compare", entry=RUNS.title)
PRESENT = Page("present.py", "Present", ":material/slideshow:", entry="", path="story")
ENTRIES = OVERVIEW, EXPLORE, TRUST, LABELLING, PROBE, RUNS  # of the bar
PAGES = *ENTRIES, EXAMPLE, SIDE_BY_SIDE, OUT_OF_DISTRIBUTION, COMPARE, PRESENT
MOVED_DETAILS: dict[str, tuple[Page, dict[str, Any]]] = {  # that links to Trust name: the page that took it, and where
    "distortions": (PROBE, {"input": "distortion", "section": "distortions"}),
    "passes": (OVERVIEW, {"section": "passes"}),
}
OPENED_IN_PAGES = EXAMPLE, SIDE_BY_SIDE, OUT_OF_DISTRIBUTION, COMPARE  # by a look, Actions, a segment, and ticks


def current_page() -> Page:
    """Return the open page."""
    return next(page for page in PAGES if is_open(page.title))


def open_entry() -> str:
    """Return the title of the marked entry in the bar, or ""."""
    page = current_page()
    return page.title if page.entry is None else page.entry


def link_to(page: Page, label: str | None = None, icon: str | None = None, **own: str) -> None:
    """Render a link to a page that carries the shared state.

    Args:
        page: that it leads to.
        label: of the link; the page's title without one.
        icon: a Material symbol; the page's without one, and "" for none.
        own: what the address of that page has of its own, by keys.
    """
    query = {key: text for key, text in address().items() if key not in OWN_KEYS} | own
    note_link(page.title, query)
    symbol = page.icon if icon is None else icon
    st.page_link(page.declare(), label=label or page.title, icon=symbol or None, query_params=query)


def scroll_to_section(state: PageState, section: str) -> None:
    """Scroll to the section of the address: the container of that key."""
    if state.section == section:
        script = f"document.querySelector('.st-key-{section}')?.scrollIntoView()"
        st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)


def open_page(page: Page, state: PageState, **changes: Any) -> NoReturn:
    """Open a page with a changed state."""
    query = state.link(**changes)
    note_address(query)
    st.switch_page(page.declare(), query_params=query)


def render_head(page: Page, answer: str = "") -> None:
    """Render title, links and a sentence.

    Args:
        page: that begins.
        answer: the sentence that answers the page's question, in Markdown.
    """
    with st.container(key="page-head", gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.title(page.title, anchor=False, width="content")
            for other in PAGES:
                if other.entry == page.title and other not in OPENED_IN_PAGES:
                    link_to(other)
        if answer:
            st.markdown(answer)


def begin(page: Page, answer: Callable[[Run, PageState], str]) -> tuple[Run, PageState]:
    """Open the run of the address and render the page's head.

    The page ends with advice if there is no usable run or a needed part is missing.

    Args:
        page: that begins.
        answer: makes the sentence that answers the page's question, in Markdown.

    Returns:
        The run, and the state of the page.
    """
    paths = run_paths()
    if not paths:
        render_head(page)
        render_no_runs()
        st.stop()
    try:
        run = open_named_run(paths)
    except McvizError as error:
        name = as_markdown(run_name(paths))
        render_head(page)
        st.error(f"**{name}** cannot be shown. {refusal(error, page.title)}", icon=":material/error:")
        st.stop()
    state = load_state(run)
    moved = page is TRUST and state.details and all(detail in MOVED_DETAILS for detail in state.details)
    if moved and not is_history_navigation():
        other, place = MOVED_DETAILS[state.details[0]]
        open_page(other, state, details=(), **place)
    if not all(has(run, part) for part in page.needs):
        render_head(page)
        check_needs(run, page.needs)
        st.stop()
    render_head(page, answer(run, state))
    with st.container():
        if run.added_scores_problem:
            st.warning(refusal(CorruptRunError(run.added_scores_problem), page.title), icon=":material/warning:")
        if state.ignored:
            parts = ", ".join(map(quote, state.ignored[:MOST_QUOTED]))
            st.warning(
                f"Some of the address means nothing for this run and is left out: {parts}. The link may be of another "
                "run, or cut.",
                icon=":material/link_off:",
            )
    return run, state


def load_state(run: Run) -> PageState:
    """Load the state for a run, once a rerun."""
    return read_state(
        RunLimits(
            examples=len(run),
            classes=len(run.class_names) if has(run, "class filters") else 0,
            one_class=has(run, "classes"),
            targets=len(run.targets),
            labels=has(run, "labels"),
            columns=own_columns(run),
            scores=run_scores(run),
            numbers=run_numbers(run),
            layouts=computed_layouts(run) if "area" in address() else (),
        )
    )


def run_name(paths: Collection[str]) -> str:
    """Return the name of the shown run, of these."""
    return address().get("run") or next(iter(paths), "")


def open_named_run(paths: dict[str, Path]) -> Run:
    """Open the run of the address, joined with the compared one.

    Raises:
        McvizError: it cannot be opened.
    """
    run, other = open_cached_run(paths[run_name(paths)]), address().get("other", "")
    if other not in paths or other == run.name:
        return run
    try:
        joined = open_cached_run(paths[other])
        check_comparable(run.manifest, joined.manifest)
    except McvizError:  # which the page that compares tells
        return run
    return join_runs(run, joined, "old" if address().get("labels_of") == "old" else "new")


def render_no_runs() -> None:
    """Render advice without runs of one's own."""
    st.info(
        f"There is no run of your own in {quote(cache_folder().name)} yet. Make one with "
        f"`mcviz sample --model MODEL --data FILE.npz --out {_new_run_folder()}`, then reload this page.",
        icon=":material/inbox:",
    )


def _new_run_folder() -> str:
    folder = cache_folder()
    if folder.is_absolute() and not folder.is_relative_to(Path.cwd()):
        return "$MCVIZ_CACHE/NAME"
    place = folder.relative_to(Path.cwd()) if folder.is_absolute() else folder
    return shlex.quote(one_line(str(place / "NAME")))


def score_chooser(label: str, run: Run, state: PageState) -> None:
    """Render the choice of score that pages share."""
    scores = run_scores(run)
    st.selectbox(
        label,
        list(scores),
        format_func=lambda name: scores[name].label,
        help=describe_scores(scores),
        width=290,
        **state_widget_args("score", state.score),
    )


def target_chooser(run: Run, state: PageState) -> None:
    """Render the choice of target that pages share, if there are several."""
    names = target_names(run)
    if len(names) > 1:
        st.selectbox(
            "Target",
            range(len(names)),
            format_func=names.__getitem__,
            width=320,
            **state_widget_args("target", state.target),
        )


def chips(selection: Selection, *, with_count: bool = True) -> None:
    """Render the number of selected examples and a button a filter."""
    filters, flagged = selection.filters, selection.state.flagged
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content", key="chips"):
        if with_count:
            st.markdown(f"**{len(selection.examples):,}** of {len(selection.run):,} examples", width="content")
        removable = filters.chips(class_names(selection.run), run_numbers(selection.run))
        for index, (label, take_off) in enumerate(removable):
            st.button(
                as_markdown(label),
                icon=":material/close:",
                key=f"chip-{index}",
                help="Take this filter off",
                on_click=update_state,
                kwargs={"filters": take_off},
            )
        if flagged and filters.selected != flagged:
            st.button(
                f"Show the {len(flagged)} flagged",
                icon=":material/flag:",
                type="tertiary",
                on_click=update_state,
                kwargs={"filters": Filters(selected=flagged)},
            )
        if len(removable) > 1:
            st.button("Clear all", type="tertiary", key="clear", on_click=update_state, kwargs={"filters": Filters()})
