"""Text that others wrote (names of classes and runs, paths, messages) as text and nothing else."""

import re

# Control characters move a terminal's cursor or colour it, bidirectional ones turn the words around them, and halves of
# surrogate pairs, as in file names that are no UTF-8, cannot be written anywhere.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def one_line(text: str) -> str:
    r"""A text as one line that any screen shows as it is; a character that would steer it is written out, as `\x1b`."""
    lines = text.replace("\t", " ").splitlines()
    return UNPRINTABLE.sub(_written_out, " ".join(filter(None, map(str.strip, lines))))


def _written_out(character: re.Match[str]) -> str:
    return character[0].encode("unicode_escape").decode()
