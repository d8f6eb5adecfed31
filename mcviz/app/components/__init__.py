"""Pieces of a page that several pages and views show: each knows what it is given, and nothing of the page.

Their scripts and styles are files beside this one.
"""

from pathlib import Path


def load_assets(*names: str) -> str:
    """Load some files as one text: what one defines, the later ones use."""
    return "\n".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in names)
