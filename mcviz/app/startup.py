"""What is done once when the dashboard starts, by `mcviz dashboard` or at the first page of `streamlit run`."""

from contextlib import suppress
from functools import cache

import click

from mcviz.extras import keep_runs_from_import
from mcviz.permission import describe_writers
from mcviz.runs.folder import cache_folder
from mcviz.variables import check_variables

OPEN_FILES = 1 << 16  # that the server may have at a time, where the system lets it


@cache
def prepare_server() -> None:
    """Check the environment, print who may write, close the folder of runs to imports, and let many files be open.

    Raises:
        InvalidInputError: there is an environment variable whose name may be mistyped; this is asked again then.
    """
    check_variables()
    click.echo(describe_writers())
    keep_runs_from_import(cache_folder())
    raise_file_limit()


def raise_file_limit() -> None:
    """Raise the soft limit on open files, of which Streamlit 1.67 leaves three open after each visit."""
    try:
        import resource
    except ImportError:  # on Windows, which has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # where the system has a lower limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
