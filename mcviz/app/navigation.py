"""The pages: their titles and needs of a run, how one is opened, and what all of them begin with."""

import shlex
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mcviz.analysis.comparison import check_comparable
from mcviz.analysis.pairing import same_examples
from mcviz.app.address import RunLimits
from mcviz.app.components.assets import load_assets
from mcviz.app.failures import refusal
from mcviz.app.resources import (
    ComparedRun,
    RunPart,
    check_needs,
    has,
    join_runs,
    open_cached_run,
    own_columns,
    run_numbers,
    run_paths,
    run_scores,
)
from mcviz.app.selection import computed_layouts
from mcviz.app.state import (
    PageState,
    address,
    go_to_run,
    go_to_same_examples,
    is_open,
    note_address,
    note_link,
    quote,
    read_state,
    resolve_run,
    state_widget_args,
    update_state,
)
from mcviz.app.streamlit_internals import current_visit
from mcviz.app.wording import as_markdown, counted, information
from mcviz.errors import CorruptRunError, McvizError
from mcviz.permission import may_write
from mcviz.runs import Run
from mcviz.runs.folder import cache_folder
from mcviz.text import one_line

_mounted = st.components.v2.component(
    "mcviz_copy_link", css=load_assets("copy_link.css"), js=load_assets("copy_link.js")
)

PageGroup = Literal["explore", "decide", "test", "manage", "present"]
OF_THE_STORY = "step", "present"  # keys of the address that mean nothing on other pages
MOST_QUOTED = 4  # parts of an address that were not understood
GROUPS: tuple[PageGroup, ...] = get_args(PageGroup)


def current_person() -> str | None:
    """Return the address of a person: by Streamlit's login, or in a header that the operator trusts.

    None where nobody is, where the login gives no address or says that it was not verified, and in a thread of its own.
    """
    if current_visit() is None:
        return None
    user = st.user.to_dict()
    known = user.get("is_logged_in") is True or bool(st.get_option("server.trustedUserHeaders"))
    address = user.get("email")
    if not known or not isinstance(address, str) or user.get("email_verified") is False:
        return None
    return address.strip() or None


def render_login() -> None:
    """Render what somebody may do here, if not everything; and buttons to log in or out, if there is a login."""
    user = st.user.to_dict()
    if not may_write():
        st.badge("read-only", icon=":material/lock:", color="gray")
    if "is_logged_in" not in user:  # there is no login
        return
    if user["is_logged_in"]:
        name = as_markdown(current_person() or "without an address")
        st.button("Log out", icon=":material/logout:", key="log-out", help=name, type="tertiary", on_click=st.logout)
        return
    for provider in _providers() or [""]:
        words = f"Log in with {as_markdown(provider)}" if provider else "Log in"
        st.button(
            words, icon=":material/login:", key=f"log-in-{provider}", type="tertiary", on_click=st.login,
            args=(provider,) if provider else (),
        )  # fmt: skip


def _providers() -> list[str]:
    """Return the names of the login's providers, where there are several to choose from."""
    return [name for name, each in st.secrets["auth"].items() if isinstance(each, Mapping)]


def copy_link() -> None:
    """Render the button."""
    _mounted(key="copy-link", width="content")


@dataclass(frozen=True)
class Page:
    """A page of the dashboard.

    Attributes:
        file: its script in `pages/`.
        title: what links to it say.
        icon: a Material symbol.
        needs: what a run has to have, or else the page says what is missing.
        of_classes: whether it has no meaning for a regression, and is not linked there.
        group: what somebody wants who opens it, one of `GROUPS`.
    """

    file: str
    title: str
    icon: str
    needs: Collection[RunPart] = field(default_factory=frozenset)
    of_classes: bool = False
    group: PageGroup = "explore"

    @property
    def script(self) -> Path:
        """Return the script's path."""
        return Path(__file__).parent / "pages" / self.file


OVERVIEW = Page("overview.py", "Overview", ":material/monitoring:")
UNCERTAIN = Page("uncertain.py", "Uncertain examples", ":material/grid_view:")
EXAMPLE = Page("example.py", "One example", ":material/image_search:")
SIDE_BY_SIDE = Page("side_by_side.py", "Side by side", ":material/compare:")
TRUST = Page("trust.py", "Trust", ":material/verified_user:", of_classes=True, group="decide")
REVIEW = Page("review.py", "Review", ":material/rate_review:", of_classes=True, group="decide")
PROBE = Page("probe.py", "Probe", ":material/science:", needs={"model"}, group="test")
OUT_OF_DISTRIBUTION = Page(
    "out_of_distribution.py", "Out of distribution", ":material/rule:", of_classes=True, group="test"
)
RUNS = Page("runs.py", "Runs", ":material/folder_open:", group="manage")
COMPARE = Page("compare.py", "Compare", ":material/compare_arrows:", group="manage")
STORY = Page("story.py", "Story", ":material/auto_stories:", group="present")
PAGES = (
    OVERVIEW,
    UNCERTAIN,
    EXAMPLE,
    SIDE_BY_SIDE,
    TRUST,
    REVIEW,
    PROBE,
    OUT_OF_DISTRIBUTION,
    RUNS,
    COMPARE,
    STORY,
)


def render_navigation() -> None:
    """Render links to every page, which carry the state along; and a warning about an unknown run."""
    missing = resolve_run(list(run_paths()))
    _render_links()
    with st.container():  # also where it is empty: what is drawn alone must not move when a warning goes
        if missing:
            now = address().get("run") or next(iter(run_paths()))
            st.warning(
                f"There is no run {quote(missing)} here. This is **{as_markdown(now)}**.", icon=":material/link_off:"
            )


def _render_links() -> None:
    of_classes = _predicts_classes()
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="navigation"):
        for group in GROUPS:
            linked = [page for page in PAGES if page.group == group and (of_classes or not page.of_classes)]
            if not linked:
                continue
            with st.container(horizontal=True, gap="xsmall", width="content", key=f"navigation-{group}"):
                for page in linked:
                    with st.container(key="open-page", width="content") if is_open(page.title) else nullcontext():
                        link_to(page)
        render_login()


def _predicts_classes() -> bool:
    """Return whether the run of the address predicts classes; also where that cannot be seen."""
    paths = run_paths()
    path = paths.get(address().get("run") or next(iter(paths), ""))
    try:
        return path is None or has(open_cached_run(path), "classes")
    except McvizError:  # which the page will tell
        return True


def link_to(page: Page, label: str | None = None, icon: str | None = None) -> None:
    """Render a link to a page, which carries the whole state along, but for the story's own."""
    query = {key: text for key, text in address().items() if page is STORY or key not in OF_THE_STORY}
    note_link(page.title, query)
    st.page_link(page.script, label=label or page.title, icon=icon or page.icon, query_params=query)


def require_classes(run: Run, words: str, instead: Page) -> None:
    """End a page that has no meaning for a regression, with a sentence and a link to another."""
    if not has(run, "classes"):
        st.info(words, icon=":material/info:")
        link_to(instead)
        st.stop()


def open_page(page: Page, state: PageState, **changes: Any) -> NoReturn:
    """Go to a page with a state, but for these changes."""
    query = state.link(**changes)
    note_address(query)
    st.switch_page(page.script, query_params=query)


def begin(page: Page, heading: str = "", extra: Callable[[Run], None] | None = None) -> tuple[Run, PageState]:
    """Open the run that the address names and show the heading of a page, with a chooser where there are several runs.

    The page ends here, with a sentence on what to do, where there is no run, where it cannot be opened, and where it
    does not have what the page needs.

    Args:
        page: that begins.
        heading: where it is another than the page's title.
        extra: renders more in the line of the link.

    Returns:
        The run, and the state of the page.
    """
    head = st.container(horizontal=True, vertical_alignment="center", gap="small", key="page-title")
    head.title(heading or page.title, anchor=False, width="content")
    run = _open_run(page, head)
    with head:
        _render_facts(run)
        copy_link()
        if extra:
            extra(run)
    if not check_needs(run, page.needs):
        st.stop()
    state = load_state(run)
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
    """Load the state that the address names for a run; once a rerun, and once a rerun of a fragment."""
    return read_state(
        RunLimits(
            examples=len(run),
            classes=len(run.class_names),
            targets=len(run.targets),
            labels=has(run, "labels"),
            columns=own_columns(run),
            scores=run_scores(run),
            numbers=run_numbers(run),
            layouts=computed_layouts(run) if "area" in address() else (),
        )
    )


def _render_facts(run: Run) -> None:
    """Render the run of a page, and how it was made."""
    settings, origin = run.manifest.settings, run.manifest.origin
    facts = [f"**{as_markdown(run.name)}**", counted(len(run), "example"), counted(run.passes, "pass")]
    facts += [f"imported from {as_markdown(origin.source or 'elsewhere')}"] if origin.kind == "imported" else []
    facts += [f"{name} `{each}`" if isinstance(each, str) else f"{name} {each}" for name, each in settings.items()]
    facts += [f"compared with **{as_markdown(run.other.name)}**"] if isinstance(run, ComparedRun) else []
    stretched = run.manifest.images is not None and run.value_scale.stretched
    st.caption(" · ".join(facts), help=information(run.manifest, stretched) or None, width="content")


def render_no_runs(*, examples: bool = False) -> None:
    """Render what to do where there is no run, or none but examples, which came with mcviz."""
    shown = " The runs below came with mcviz, as examples." if examples else ""
    st.info(
        f"There is no run of your own in {quote(cache_folder().name)} yet. Make one with "
        f"`mcviz sample --model MODEL --data FILE.npz --out {_new_run_folder()}`, then reload this page.{shown}",
        icon=":material/inbox:",
    )


def choose_run(paths: Collection[str], name: str, change: Callable[[str], None] = go_to_run) -> None:
    """Render a chooser of the run, where there are several.

    Args:
        paths: the names of the runs that are there.
        name: of the one that the address names.
        change: goes to the run of another name.
    """
    if len(paths) > 1 and name in paths:
        st.selectbox(
            "Run",
            list(paths),
            format_func=one_line,
            width=240,
            label_visibility="collapsed",
            **state_widget_args("run", name, change),
        )


def _new_run_folder() -> str:
    """Return a folder for a new run as one types it; no visitor is told where others are."""
    folder = cache_folder()
    if folder.is_absolute() and not folder.is_relative_to(Path.cwd()):
        return "$MCVIZ_CACHE/NAME"
    place = folder.relative_to(Path.cwd()) if folder.is_absolute() else folder
    return shlex.quote(one_line(str(place / "NAME")))


def _open_run(page: Page, head: DeltaGenerator) -> Run:
    """Open the run, with its chooser in the head of the page; what is wrong with it stands below."""
    paths = run_paths()
    if not paths:
        render_no_runs()
        st.stop()
    name = address().get("run") or next(iter(paths))
    if len(paths) > 1:
        with head:
            choose_run(paths, name, lambda new: _change_run(new, name))
            if page is COMPARE:
                _choose_other(paths, name)
    try:
        run = open_cached_run(paths[name])
    except McvizError as error:
        st.error(f"**{as_markdown(name)}** cannot be shown. {refusal(error, page.title)}", icon=":material/error:")
        st.stop()
    return _join_other(run, paths)


def _choose_other(paths: Collection[str], name: str) -> None:
    """Render the choice of the run that is compared with."""
    others, other = [each for each in paths if each != name], address().get("other")
    st.selectbox(
        "Compare with",
        others,
        format_func=one_line,
        placeholder="Compare with …",
        label_visibility="collapsed",
        width=240,
        **state_widget_args(
            "other", other if other in others else None, lambda new: update_state(other=new or ""), may_be_empty=True
        ),
    )


def _change_run(name: str, now: str) -> None:
    """Go to another run, with all that is shown where both are over the same examples."""
    paths = run_paths()
    try:
        before, then = open_cached_run(paths[now]).manifest, open_cached_run(paths[name]).manifest
    except (McvizError, KeyError):  # which the page will tell
        go_to_run(name)
        return
    if before.task == then.task and same_examples(before, then):
        go_to_same_examples(name, now, same_classes=before.class_names == then.class_names)
    else:
        go_to_run(name)


def _join_other(run: Run, paths: dict[str, Path]) -> Run:
    """Join the other run of the address, where that predicts some of the same examples."""
    other = address().get("other", "")
    if other not in paths or other == run.name:
        return run
    try:
        joined = open_cached_run(paths[other])
        check_comparable(run.manifest, joined.manifest)
    except McvizError:  # which the page that compares tells
        return run
    return join_runs(run, joined, "old" if address().get("labels_of") == "old" else "new")
