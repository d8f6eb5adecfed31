"""The dashboard: `streamlit run dashboard.py`."""

from pathlib import Path

import streamlit as st

from mcviz.app.parts import PAGES, navigation
from mcviz.errors import McvizError

st.set_page_config(page_title="mcviz", page_icon="mcviz/app/icon.png", layout="wide")
st.html(Path(__file__).parent / "mcviz/app/page.css")
page = st.navigation(
    [st.Page(listed.script, title=listed.title, icon=listed.icon, default=listed is PAGES[0]) for listed in PAGES],
    position="hidden",
)
navigation()
try:
    page.run()
except McvizError as error:  # a run that is damaged or kept without its images; the other pages and runs work on
    st.error(str(error), icon=":material/error:")
