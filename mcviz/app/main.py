"""The dashboard, run by Streamlit from top to bottom at each rerun."""

from base64 import b64encode
from pathlib import Path

import streamlit as st

from mcviz.app.bar import current_person, render_bar
from mcviz.app.components.keys import page_listeners
from mcviz.app.failures import refusal, show_failures
from mcviz.app.navigation import OVERVIEW, PAGES
from mcviz.app.server import prepare_server
from mcviz.app.state import finish_page, start_page, sync_from_url
from mcviz.errors import InvalidInputError
from mcviz.permission import identify_users

HERE = Path(__file__).parent
# Within the page: Streamlit deletes the file of a run that is cut short, before the browser has fetched it.
ICON = "data:image/png;base64," + b64encode((HERE / "icon.png").read_bytes()).decode()


def main() -> None:
    """Draw the page that the address names; Streamlit calls it at each rerun."""
    try:
        prepare_server()
    except InvalidInputError as error:
        st.error(refusal(error, "the start"))
        st.stop()
    start_page()
    identify_users(current_person)
    # Before the navigation: or else the browser asks a font server for the icon of the page.
    st.set_page_config(page_icon=ICON, layout="wide")
    st.html(HERE / "page.css")
    st.html(HERE / "bar.css")
    page_listeners()
    page = st.navigation([OVERVIEW.declare(root=True), *(page.declare() for page in PAGES)], position="hidden")
    st.set_page_config(page_title=f"{page.title} · mcviz")
    sync_from_url(page.title)
    with show_failures(page.title):
        render_bar()
        page.run()
    finish_page()
