"""The dashboard: `streamlit run dashboard.py`."""

import streamlit as st

st.set_page_config(page_title="mcviz", page_icon="mcviz/app/icon.png", layout="wide")

st.navigation(
    [
        st.Page("mcviz/app/pages/overview.py", title="Overview", icon=":material/monitoring:", default=True),
        st.Page("mcviz/app/pages/uncertain.py", title="Uncertain examples", icon=":material/grid_view:"),
        st.Page("mcviz/app/pages/example.py", title="One example", icon=":material/image_search:"),
        st.Page("mcviz/app/pages/probe.py", title="Noise probe", icon=":material/grain:"),
    ],
    position="top",
).run()
