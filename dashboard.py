"""The dashboard: `streamlit run dashboard.py`."""

from mcviz.app import main

main()
