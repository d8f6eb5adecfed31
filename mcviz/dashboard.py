"""The script that `mcviz dashboard` serves, as `dashboard.py` of a checkout."""

import streamlit as st

from mcviz.app.main import main
from mcviz.app.server import PAGE_MIDDLEWARE

if __name__ == "__main__":  # a page
    main()
else:  # the server, as `streamlit run` looks for it
    app = st.App(__file__, middleware=PAGE_MIDDLEWARE)
