"""Text of others, made safe to print; and numbers as text."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence

MOST_LISTED = 10  # names in a sentence
# Control characters move a terminal's cursor or colour it, bidirectional ones turn the words around them, and halves of
# surrogate pairs, as in file names that are no UTF-8, cannot be written anywhere.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def one_line(text: str) -> str:
    r"""Bring a text to one printable line; characters that would control a terminal are escaped, as `\x1b`."""
    lines = text.replace("\t", " ").splitlines()
    return UNPRINTABLE.sub(_escape, " ".join(filter(None, map(str.strip, lines))))


def as_html(text: str) -> str:
    """Escape a text for HTML, as one printable line."""
    import html  # here, because its table of names takes time to load, and few commands write HTML

    return html.escape(one_line(text))


def describe_in_html(title: str, sentences: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a title, sentences and the rows of a table in HTML, as a notebook shows a result."""
    cells = ["".join(f"<td>{as_html(cell)}</td>" for cell in row) for row in rows]
    return (
        f"<b>{as_html(title)}</b><p>{'<br>'.join(map(as_html, sentences))}</p>"
        f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
    )


def list_names(names: Collection[object]) -> str:
    """List the first ten names for a sentence, and say how many more there are."""
    listed = ", ".join(str(name) for name, _ in zip(names, range(MOST_LISTED), strict=False))
    return f"{listed} and {len(names) - MOST_LISTED:,} more" if len(names) > MOST_LISTED else listed


def explain_alike(missing: Iterable[str], names: Iterable[str]) -> str:
    """Say that a name which is not among others looks like one of them, composed otherwise in Unicode; or ""."""
    composed = {unicodedata.normalize("NFC", name): name for name in names}
    for name in missing:
        if (other := composed.get(unicodedata.normalize("NFC", name), name)) != name:
            return (
                f"{name} is there twice, composed otherwise in Unicode: {name!a} and {other!a}. "
                "Bring both to one form, such as unicodedata.normalize('NFC', name)."
            )
    return ""


def is_text(text: str) -> bool:
    """Whether a text is Unicode; an undecodable file name has surrogates in it, and cannot be printed."""
    return printable(text) == text


def printable(text: str) -> str:
    """Replace every surrogate of a text by a question mark."""
    return text.encode(errors="replace").decode()


def true_minus(number: str) -> str:
    """Write a formatted number with a minus sign in place of a hyphen, as charts do."""
    return number.replace("-", "−")


def format_bytes(count: int) -> str:
    """Format a number of bytes, such as "21.3 MB" or "0.4 kB"."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def format_duration(seconds: float) -> str:
    """Format a time: "under a second", "40 s", "12 min", "1 h 20 min"."""
    if seconds < 1:
        return "under a second"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, without its full stop, or else the error's class."""
    lines = [line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def reason(error: BaseException) -> str:
    """The first line of an error's message, of bounded length and without control characters."""
    text = "".join(character if character.isprintable() else " " for character in first_line(error))
    return text if len(text) <= 300 else f"{text[:300]}…"


def make_target_names(count: int) -> tuple[str, ...]:
    """Make default names of targets: target, or target_0 and so on."""
    return ("target",) if count == 1 else tuple(f"target_{number}" for number in range(count))


def _escape(character: re.Match[str]) -> str:
    return character[0].encode("unicode_escape").decode()
