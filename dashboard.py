"""The dashboard: `streamlit run dashboard.py`."""

from mcviz.app.main import main

main()
