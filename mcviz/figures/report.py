"""Single-file web pages of text and charts that make no network request.

Their content security policy blocks requests, even by a name that contains HTML.
"""

from collections.abc import Iterable, Iterator

import plotly.graph_objects as go

from mcviz.text import as_html

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
STYLE = """
html { scrollbar-gutter: stable; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2733; background: #fff; max-width: 1080px; margin: 32px auto;
  padding: 0 16px; }
h1, h2 { line-height: 1.2; } h1, h2, p { overflow-wrap: anywhere; }
table { border-collapse: collapse; } td, th { padding: 4px 16px 4px 0; text-align: left; }
"""


def web_page(title: str, parts: Iterable[str], style: str = "") -> str:
    """Write a web page.

    Args:
        title: as text.
        parts: of its body, as HTML.
        style: CSS beside that of all pages.
    """
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            f"<title>{as_html(title)}</title><style>{STYLE}{style}</style></head><body>",
            *parts,
            "</body></html>",
        ]
    )


def draw_in_page(figures: Iterable[go.Figure], height: int | None = None) -> Iterator[str]:
    """Yield charts as HTML; the first one includes plotly's script.

    Args:
        figures: the charts.
        height: of each, in pixels, or its own.
    """
    for place, figure in enumerate(figures):
        figure.update_layout(template="plotly_white", height=height or figure.layout.height)
        config = {"displayModeBar": False, "responsive": True}
        yield figure.to_html(full_html=False, include_plotlyjs=place == 0, config=config)
