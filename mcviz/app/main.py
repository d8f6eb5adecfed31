"""The dashboard, run anew by Streamlit for whatever a person does."""

from pathlib import Path

import streamlit as st

from mcviz.app.parts import PAGES, navigation
from mcviz.errors import McvizError

HERE = Path(__file__).parent


def main() -> None:
    """Show the page that the address names."""
    st.set_page_config(page_title="mcviz", page_icon=str(HERE / "icon.png"), layout="wide")
    st.html(HERE / "page.css")
    page = st.navigation(
        [st.Page(listed.script, title=listed.title, icon=listed.icon, default=listed is PAGES[0]) for listed in PAGES],
        position="hidden",
    )
    navigation()
    try:
        page.run()
    except McvizError as error:  # a run that is damaged or kept without its images; the other pages and runs work on
        st.error(str(error), icon=":material/error:")
