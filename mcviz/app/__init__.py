"""The dashboard: Streamlit, and nothing but the command line imports it."""
