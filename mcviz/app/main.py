"""The dashboard, run by Streamlit from top to bottom at each rerun."""

from pathlib import Path

import streamlit as st

from mcviz.app.failures import failures_shown
from mcviz.app.navigation import PAGES, links_to_all_pages

HERE = Path(__file__).parent


def main() -> None:
    """Draw the page that the address names; Streamlit calls it at each rerun."""
    st.set_page_config(page_title="mcviz", page_icon=HERE / "icon.png", layout="wide")
    st.html(HERE / "page.css")
    page = st.navigation(
        [st.Page(each.script, title=each.title, icon=each.icon, default=each is PAGES[0]) for each in PAGES],
        position="hidden",
    )
    with failures_shown(page.title):
        links_to_all_pages()
        page.run()
