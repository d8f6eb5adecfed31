"""The dashboard: Streamlit, and nothing but the command line imports it."""

import gc

# At the start Python looks for garbage after every 700 new objects, and finds none: what is imported stays.
gc.set_threshold(5_000)
