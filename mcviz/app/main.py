"""The dashboard's script: the bar above a page. Streamlit reruns it from top to bottom.

Below 1000 pixels the style turns both groups of the bar into menus.
"""

from base64 import b64encode
from collections.abc import Collection, Mapping
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mcviz.analysis.pairing import same_examples
from mcviz.app.components import load_assets, page_listeners
from mcviz.app.navigation import (
    COMPARE,
    ENTRIES,
    EXPLORE,
    OVERVIEW,
    PAGES,
    PRESENT,
    RUNS,
    current_page,
    link_to,
    load_state,
    open_entry,
    open_named_run,
    render_head,
    run_name,
)
from mcviz.app.resources import ComparedRun, open_cached_run, run_paths
from mcviz.app.server import current_visit, prepare_server
from mcviz.app.state import (
    address,
    finish_page,
    go_to_run,
    go_to_same_examples,
    quote,
    resolve_run,
    start_page,
    state_widget_args,
    sync_from_url,
)
from mcviz.app.tasks import NoRendererError, task_renderer
from mcviz.app.wording import as_markdown, counted, describe_examples, information
from mcviz.app.work import refusal, show_failures
from mcviz.errors import InvalidInputError, McvizError
from mcviz.permission import identify_users, may_write
from mcviz.text import one_line

HERE = Path(__file__).parent
SHARE = "bar-share"
# Within the page: Streamlit deletes the file of a run that is cut short, before the browser has fetched it.
ICON = "data:image/png;base64," + b64encode((HERE / "icon.png").read_bytes()).decode()

_copy_link = st.components.v2.component(
    "mcviz_copy_link", css=load_assets("copy_link.css"), js=load_assets("copy_link.js")
)


def main() -> None:
    """Render the page of the address at each rerun."""
    try:
        prepare_server()
    except InvalidInputError as error:
        st.error(refusal(error, "the start"))
        st.stop()
    start_page()
    identify_users(current_person)
    # Before the navigation: or else the browser asks a font server for the icon of the page.
    st.set_page_config(page_icon=ICON, layout="wide")
    page = st.navigation([OVERVIEW.declare(root=True), *(page.declare() for page in PAGES)], position="hidden")
    st.set_page_config(page_title=f"{page.title} · mcviz")
    sync_from_url(page.title)
    with page_listeners(first=current_page() in (OVERVIEW, EXPLORE)), show_failures(page.title):
        paths = run_paths()
        share = render_bar(paths)
        if not _render_why_nothing_is_shown(paths):
            page.run()
            if share is not None and paths:  # at the end, since no page waits for it
                with share:
                    _render_share(paths, page.title)
    finish_page()


def render_bar(paths: dict[str, Path]) -> DeltaGenerator | None:
    """Render the bar and a warning about an unknown run.

    Args:
        paths: of all runs that can be opened, by their names.

    Returns:
        The place of the page that is shared, while it is open.
    """
    missing, entry = resolve_run(list(paths)), open_entry()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="bar"):
        with st.container(key="bar-mark", width="content"):
            link_to(OVERVIEW, "mcviz", "")
        _render_menu("pages", entry or PRESENT.title)
        with st.container(horizontal=True, gap=None, width="content", key="bar-pages"):
            for page in ENTRIES:
                with st.container(key="bar-open" if page.title == entry else f"bar-{page.title}", width="content"):
                    link_to(page, icon="")
        with st.container(key="bar-run"):
            _choose_run(paths)
        _render_menu("rest", "More")
        rest = st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content", key="bar-rest")
    with st.container():  # also where it is empty: what is drawn alone must not move when a warning goes
        if missing:
            st.warning(
                f"There is no run {quote(missing)} here. This is **{as_markdown(run_name(paths))}**.",
                icon=":material/link_off:",
            )
        about = _describe_run(paths)
    with rest:
        with st.popover("About this run", icon=":material/info:", type="tertiary", key="bar-about"):
            st.markdown(about)
        _copy_link(key="copy-link", width="content")
        share = st.popover("Share", icon=":material/ios_share:", type="tertiary", key=SHARE, on_change="rerun")
        with st.container(key="bar-present", width="content"):
            link_to(PRESENT, **_presentation_keys())
        _render_login()
    return share if share.open else None


def _render_share(paths: dict[str, Path], page: str) -> None:
    from mcviz.app.sharing.offer import render_offer  # what a page is made of, for which no bar waits

    run = open_named_run(paths)
    render_offer(run, load_state(run), page)


def _render_why_nothing_is_shown(paths: dict[str, Path]) -> bool:
    page = current_page()
    if page in (RUNS, COMPARE) or not paths:
        return False
    try:
        task_renderer(open_named_run(paths))
    except NoRendererError as error:
        render_head(page)
        st.info(as_markdown(str(error)), icon=":material/info:")
        return True
    except McvizError:  # which the page tells
        return False
    return False


def _render_menu(name: str, label: str) -> None:
    with st.container(key=f"bar-menu-{name}", width="content"):
        st.html(f"<details><summary>{label}</summary></details>")


def _presentation_keys() -> dict[str, str]:
    page = current_page()
    if page is not PRESENT:
        return {"present": "yes", "origin": page.url_path}
    return {"present": "yes"} | {key: text for key, text in address().items() if key == "step"}


def _choose_run(paths: Collection[str]) -> None:
    name = run_name(paths)
    if len(paths) > 1:
        st.selectbox(
            "Run",
            list(paths),
            format_func=one_line,
            label_visibility="collapsed",
            **state_widget_args("run", name, lambda new: _change_run(new, name)),
        )
    else:
        st.markdown(as_markdown(name) or "No run yet")


def _change_run(name: str, now: str) -> None:
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


def _describe_run(paths: dict[str, Path]) -> str:
    if not paths:
        return "There is no run yet."
    try:
        run = open_named_run(paths)
    except McvizError:
        return "This run cannot be opened; the page says why."
    manifest, origin, model = run.manifest, run.manifest.origin, run.manifest.model
    facts = [f"**{as_markdown(run.name)}**", counted(len(run), "example"), counted(run.passes, "pass")]
    facts += [f"imported from {as_markdown(origin.source or 'elsewhere')}"] if origin.kind == "imported" else []
    facts += [
        f"{name} `{setting}`" if isinstance(setting, str) else f"{name} {setting}"
        for name, setting in manifest.settings.items()
    ]
    facts += [f"compared with **{as_markdown(run.other.name)}**"] if isinstance(run, ComparedRun) else []
    labels = "without labels" if not manifest.labelled else "with labels"
    if manifest.examples_with_labels is not None:
        labels = f"{manifest.labelled:,} of them with a label"
    paragraphs = [" · ".join(facts), f"**Data**: {describe_examples(manifest)}, {labels}."]
    if model is not None:
        paragraphs.append(f"**Model**: {as_markdown(model.name)}, {'kept' if model.stored else 'not kept'} in the run.")
    paragraphs.append(information(manifest, manifest.images is not None and run.value_scale.stretched))
    return "\n\n".join(filter(None, paragraphs))


def current_person() -> str | None:
    """Return the person's address, by login or trusted header.

    None without a person, without a verified address, and in threads.
    """
    if current_visit() is None:
        return None
    user = st.user.to_dict()
    known = user.get("is_logged_in") is True or bool(st.get_option("server.trustedUserHeaders"))
    address = user.get("email")
    if not known or not isinstance(address, str) or user.get("email_verified") is False:
        return None
    return address.strip() or None


def _render_login() -> None:
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
    return [name for name, section in st.secrets["auth"].items() if isinstance(section, Mapping)]
