"""List all runs, manage the chosen one, and sample new ones."""

from mcviz.app.navigation import RUNS, render_head, render_no_runs
from mcviz.app.resources import run_paths
from mcviz.app.runs.chosen import describe_runs, render_run, render_runs
from mcviz.app.runs.jobs import render_jobs
from mcviz.app.runs.new_run import render_form
from mcviz.app.state import address
from mcviz.permission import may_write
from mcviz.runs import list_runs
from mcviz.runs.folder import cache_folder, list_shipped_runs

folder, paths = cache_folder(), run_paths()
runs = list_runs(folder) or list_shipped_runs()
render_head(RUNS, describe_runs(runs, folder.name) if runs else "")
if all(run.is_shipped for run in runs):
    render_no_runs()
if runs:
    name = address().get("run") or next(iter(paths), "")
    render_runs(runs, name)
    for run in runs:
        if run.name == name:
            render_run(run, paths.get(name, folder / name), paths)
render_jobs(RUNS.title)
if may_write():
    render_form(RUNS.title)
