"""The script that `mcviz dashboard` serves; `streamlit run dashboard.py` serves its twin at the top of a checkout."""

from mcviz.app.main import main

if __name__ == "__main__":
    main()
