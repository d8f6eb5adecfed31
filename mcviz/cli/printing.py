"""Output of commands: lines on a terminal, and JSON."""

from collections.abc import Sequence
from typing import Any

import click

from mcviz.text import one_line


def tell(message: str) -> None:
    """Print an error or a warning."""
    say(f"mcviz: {message}", err=True)


def say(line: str, *, err: bool = False) -> None:
    """Print one line, indented as it is; control characters in it are shown and not obeyed."""
    click.echo(" " * (len(line) - len(line.lstrip(" "))) + one_line(line), err=err)


def print_json(found: Any) -> None:
    """Print results as JSON."""
    import orjson

    # What is not a number or not finite is null.
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY).decode())


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table, its first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "   ".join(
            [f"{first:<{widths[0]}}", *(f"{text:>{width}}" for text, width in zip(others, widths[1:], strict=True))]
        )
        for first, *others in rows
    ]
    return ["", *lines, ""] if lines else []
