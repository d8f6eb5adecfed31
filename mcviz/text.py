"""Text of others, made safe to print; and numbers as text."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from decimal import ROUND_FLOOR, Decimal

MOST_LISTED = 10  # names in a sentence
# Control characters move a terminal's cursor or colour it, bidirectional ones turn the words around them, and halves of
# surrogate pairs, as in file names that are no UTF-8, cannot be written anywhere.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def one_line(text: str) -> str:
    r"""Return one printable line; control characters are escaped, as `\x1b`."""
    lines = text.replace("\t", " ").splitlines()
    return UNPRINTABLE.sub(_escape, " ".join(filter(None, map(str.strip, lines))))


def as_html(text: str) -> str:
    """Escape a text for HTML, as one printable line."""
    import html  # here, because its table of names takes time to load, and few commands write HTML

    return html.escape(one_line(text))


def describe_in_html(title: str, sentences: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """Return title, sentences and a table in HTML."""
    cells = ["".join(f"<td>{as_html(cell)}</td>" for cell in row) for row in rows]
    return (
        f"<b>{as_html(title)}</b><p>{'<br>'.join(map(as_html, sentences))}</p>"
        f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
    )


def list_names(names: Collection[object]) -> str:
    """List ten names in a sentence, and count the others."""
    listed = ", ".join(str(name) for name, _ in zip(names, range(MOST_LISTED), strict=False))
    return f"{listed} and {len(names) - MOST_LISTED:,} more" if len(names) > MOST_LISTED else listed


def explain_alike(missing: Iterable[str], names: Iterable[str]) -> str:
    """Explain a missing name that differs only in Unicode form, or return ""."""
    composed = {unicodedata.normalize("NFC", name): name for name in names}
    for name in missing:
        if (other := composed.get(unicodedata.normalize("NFC", name), name)) != name:
            return (
                f"{name} is there twice, composed otherwise in Unicode: {name!a} and {other!a}. "
                "Bring both to one form, such as unicodedata.normalize('NFC', name)."
            )
    return ""


def is_text(text: str) -> bool:
    """Return whether a text is printable Unicode without surrogates."""
    return printable(text) == text


def printable(text: str) -> str:
    """Replace surrogates by question marks."""
    return text.encode(errors="replace").decode()


def true_minus(number: str) -> str:
    """Replace a hyphen by a minus sign, as charts do."""
    return number.replace("-", "−")


def percent(fraction: float, digits: int = 1) -> str:
    """Format a percentage that never rounds up to certainty.

    Args:
        fraction: 0 to 1.
        digits: after the point.

    Returns:
        Such as "99.2%"; "over 99.9%" for less than 1 that would round to it, "under 0.1%" for more than 0 that would.
    """
    text, step = fixed(100 * fraction, digits), 10.0**-digits
    if fraction < 1 and text == fixed(100, digits):
        return f"over {100 - step:.{digits}f}%"
    if fraction > 0 and text == fixed(0, digits):
        return f"under {step:.{digits}f}%"
    return f"{text}%"


def fixed(value: float, digits: int, sign: str = "") -> str:
    """Format a number with fixed digits, so that rounding errors never show.

    Args:
        value: such as 3.875, which may also be computed as 3.8749999999999996.
        digits: after the point; more if a difference that is not 0 would be printed as 0.
        sign: "" of a value; of a difference "-", or "+" to show that of one that is not below 0 as printed. 0 has no
            minus sign.
    """
    value = round(value, max(9, digits))
    while sign and value and not round(value, digits):
        digits += 1
    return true_minus(f"{value:{sign}z,.{digits}f}")


def percent_at_least(fraction: float, digits: int = 1) -> str:
    """Format a lower bound as a percentage, rounded down to hold as printed.

    Args:
        fraction: 0 to 1.
        digits: after the point.
    """
    return f"{(Decimal(str(fraction)) * 100).quantize(Decimal(10) ** -digits, ROUND_FLOOR)}%"


def significant(value: float) -> str:
    """Format with four significant digits, such as "3.21", "−0.05" or "452,300"."""
    return true_minus(f"{float(f'{value:.4g}'):z,.15g}")


def format_with_unit(value: float, unit: str) -> str:
    """Format a number with a user's unit, which may be "": "452,300 mg/dl"."""
    return f"{significant(value)} {one_line(unit)}".rstrip()


def format_bytes(count: int) -> str:
    """Format bytes, such as "21.3 MB" or "0.4 kB"."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def format_duration(seconds: float) -> str:
    """Format a duration: "under a second", "40 s", "12 min", "1 h 20 min"."""
    if seconds < 1:
        return "under a second"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def first_line(error: BaseException) -> str:
    """Return the first line of an error without full stop, or its class."""
    lines = [line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def reason(error: BaseException) -> str:
    """Return an error's first line, bounded and printable."""
    text = "".join(character if character.isprintable() else " " for character in first_line(error))
    return text if len(text) <= 300 else f"{text[:300]}…"


def make_target_names(count: int) -> tuple[str, ...]:
    """Return default names: target, or target_0 and so on."""
    return ("target",) if count == 1 else tuple(f"target_{number}" for number in range(count))


def _escape(character: re.Match[str]) -> str:
    return character[0].encode("unicode_escape").decode()
