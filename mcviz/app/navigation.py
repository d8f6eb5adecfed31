"""The pages: what each is called and needs of a run, how one is opened, and what all of them begin with."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st

from mcviz.app.columns import own_columns
from mcviz.app.components.widgets import bound
from mcviz.app.failures import refusal
from mcviz.app.needs import Part, has, met
from mcviz.app.resources import cache_folder, opened_run, run_paths
from mcviz.app.state import PageState, address, current_state, go_to_run, quoted, settle_run
from mcviz.app.wording import as_markdown, counted, information
from mcviz.errors import McvizError
from mcviz.runs import Run
from mcviz.text import one_line


@dataclass(frozen=True)
class Page:
    """A page of the dashboard.

    Attributes:
        file: its script in `pages/`.
        title: what links to it say.
        icon: a Material symbol.
        needs: what a run has to have, or else the page says what is missing.
    """

    file: str
    title: str
    icon: str
    needs: Collection[Part] = field(default_factory=frozenset)

    @property
    def script(self) -> Path:
        """The script's path."""
        return Path(__file__).parent / "pages" / self.file


OVERVIEW = Page("overview.py", "Overview", ":material/monitoring:")
UNCERTAIN = Page("uncertain.py", "Uncertain examples", ":material/grid_view:")
EXAMPLE = Page("example.py", "One example", ":material/image_search:")
SIDE_BY_SIDE = Page("side_by_side.py", "Side by side", ":material/compare:")
PROBE = Page("probe.py", "Probe", ":material/science:", needs={"model"})
OUT_OF_DISTRIBUTION = Page("out_of_distribution.py", "Out of distribution", ":material/rule:")
STORY = Page("story.py", "Story", ":material/auto_stories:")
PAGES = (OVERVIEW, UNCERTAIN, EXAMPLE, SIDE_BY_SIDE, PROBE, OUT_OF_DISTRIBUTION, STORY)


def links_to_all_pages() -> None:
    """Links to every page, which carry the whole state along; and a warning where the address names an unknown run."""
    missing = settle_run(list(run_paths()))
    with st.container(horizontal=True, gap="xsmall", key="navigation"):
        for page in PAGES:
            link_to(page)
    if missing:
        now = address().get("run") or next(iter(run_paths()))
        st.warning(
            f"There is no run {quoted(missing)} here. This is **{as_markdown(now)}**.", icon=":material/link_off:"
        )


def link_to(page: Page, label: str | None = None, icon: str | None = None) -> None:
    """A link to a page, which carries the whole state along."""
    st.page_link(page.script, label=label or page.title, icon=icon or page.icon, query_params=address())


def open_page(page: Page, state: PageState, **changes: Any) -> NoReturn:
    """Go to a page with a state, but for these changes."""
    st.switch_page(page.script, query_params=state.link(**changes))


def begin(page: Page, heading: str = "") -> tuple[Run, PageState]:
    """Open the run that the address names and show the heading of a page, with a chooser where there are several runs.

    The page ends here, with a sentence on what to do, where there is no run, where it cannot be opened, and where it
    does not have what the page needs.

    Args:
        page: that begins.
        heading: where it is another than the page's title.

    Returns:
        The run, and the state of the page.
    """
    run = _run_of_the_address(page)
    title(heading or page.title, run)
    if not met(run, page.needs):
        st.stop()
    return run, state_of(run)


def state_of(run: Run) -> PageState:
    """The state that the address names for a run; once a rerun, and once more where a fragment is rerun alone."""
    return current_state(len(run), len(run.class_names), labels=has(run, "labels"), columns=own_columns(run))


def title(text: str, run: Run) -> None:
    """A page's heading, with the run that it is about."""
    masks, seed, origin = run.manifest.masks, run.manifest.seed, run.manifest.origin
    facts = [f"**{as_markdown(run.name)}**", counted(len(run), "example"), counted(run.passes, "pass")]
    facts += [f"imported from {as_markdown(origin.source or 'elsewhere')}"] if origin.kind == "imported" else []
    facts += [] if masks is None else [f"masks `{masks}`"]
    facts += [] if seed is None else [f"seed {seed}"]
    st.title(text, anchor=False)
    stretched = run.manifest.images is not None and run.value_scale.stretched
    st.caption(" · ".join(facts), help=information(run.manifest, stretched) or None)


def _run_of_the_address(page: Page) -> Run:
    paths = run_paths()
    if not paths:
        st.info(
            f"There is no run in {quoted(cache_folder().name)} yet. Make one with "
            "`mcviz sample --model MODEL.keras --data FILE.npz --out cache/NAME`, then reload this page.",
            icon=":material/inbox:",
        )
        st.stop()
    name = address().get("run") or next(iter(paths))
    if len(paths) > 1:
        st.selectbox("Run", list(paths), format_func=one_line, width=320, **bound("run", name, go_to_run))
    try:
        return opened_run(paths[name])
    except McvizError as error:
        st.error(f"**{as_markdown(name)}** cannot be shown. {refusal(error, page.title)}", icon=":material/error:")
        st.stop()
