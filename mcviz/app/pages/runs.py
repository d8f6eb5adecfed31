"""List all runs, manage the chosen one, and sample new ones."""

import streamlit as st

from mcviz.app.navigation import RUNS, render_no_runs
from mcviz.app.resources import run_paths
from mcviz.app.runs.chosen import render_run, render_runs
from mcviz.app.runs.jobs import render_jobs
from mcviz.app.runs.new_run import render_form
from mcviz.app.state import address
from mcviz.permission import may_write
from mcviz.runs import list_runs
from mcviz.runs.folder import cache_folder, list_shipped_runs

st.title(RUNS.title, anchor=False)
folder, paths = cache_folder(), run_paths()
runs = list_runs(folder) or list_shipped_runs()
if all(run.is_shipped for run in runs):
    render_no_runs(examples=bool(runs))
if runs:
    name = address().get("run") or next(iter(paths), "")
    render_runs(runs, name, folder.name)
    for run in runs:
        if run.name == name:
            render_run(run, paths.get(name, folder / name), paths)
render_jobs(RUNS.title)
if may_write():
    render_form(RUNS.title)
