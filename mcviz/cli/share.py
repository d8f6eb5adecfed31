"""`mcviz share`."""

from pathlib import Path

from mcviz.app.sharing import share as write_page
from mcviz.app.sharing.withheld import Part
from mcviz.cli.base import say
from mcviz.cli.progress import count_progress
from mcviz.runs import open_run


def share(
    run: str,
    to: Path,
    score: str | None,
    examples: tuple[int, ...],
    without: tuple[Part, ...],
    link: str,
    max_size: float,
    present: bool,
) -> None:
    """Write a run as one web page."""
    with count_progress("examples") as progress:
        write_page(
            open_run(run),
            to,
            score=score,
            examples=examples or None,
            without=without,
            link=link,
            max_size=max_size,
            present=present,
            progress=progress,
        )
    say(f"{to} is written, {to.stat().st_size / 1e6:.1f} MB.")
