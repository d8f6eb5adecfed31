"""Lines on a terminal."""

import click

from mcviz.text import one_line


def tell(message: str) -> None:
    """Print what went wrong, or is a warning."""
    say(f"mcviz: {message}", err=True)


def say(line: str, *, err: bool = False) -> None:
    """Print one line; whatever it tells of, a terminal shows it and does not obey it."""
    click.echo(one_line(line), err=err)
