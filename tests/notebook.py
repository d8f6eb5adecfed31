"""Run the notebook of the documentation and store its outputs, charts as pictures: `python -m tests.notebook`.

It takes a Chromium, which draws the charts. The runs are those that come with mcviz.
"""

import argparse
import ast
import base64
import io
import json
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import plotly.graph_objects as go
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from plotly.offline import get_plotlyjs

from tests.browsing import ROOT, SWITCHES, find_chromium

NOTEBOOK = ROOT / "docs" / "first-look.ipynb"
WIDTH = 720  # pixels, of a chart
DRAW = """async figure => {
  const chart = document.body.appendChild(document.createElement("div"));
  await Plotly.newPlot(chart, figure.data, figure.layout);
  return await Plotly.toImage(chart, {format: "png", width: figure.layout.width, height: figure.layout.height});
}"""


def run_cells(notebook: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Run the cells with code one after the other; yield each with the value of its last line."""
    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            module = ast.parse("".join(cell["source"]))
            last = module.body[-1]
            if isinstance(last, ast.Expr):
                module.body[-1] = ast.Assign([ast.Name("_", ast.Store())], last.value)
            exec(compile(ast.fix_missing_locations(module), NOTEBOOK.name, "exec"), names)
            yield cell, names.pop("_", None)


def store_outputs() -> None:
    """Run all cells, and write what each shows into the notebook."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=find_chromium(), args=SWITCHES) as browser,
    ):
        page = browser.new_page()
        page.add_script_tag(content=get_plotlyjs())
        for number, (cell, value) in enumerate(run_cells(notebook), 1):
            result = {"data": _show(value, page), "execution_count": number, "metadata": {}}
            cell["execution_count"] = number
            cell["outputs"] = [] if value is None else [{"output_type": "execute_result", **result}]
    NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _show(value: Any, page: Page) -> dict[str, Any]:
    if isinstance(value, go.Figure):
        shown = go.Figure(value).update_layout(width=WIDTH, template="plotly_white")
        _, _, picture = page.evaluate(DRAW, json.loads(shown.to_json())).partition(",")
        return {"image/png": picture, "text/plain": ["a chart"]}
    if isinstance(value, Image.Image):
        file = io.BytesIO()
        value.save(file, "PNG", optimize=True)
        return {"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": ["a picture"]}
    html = value._repr_html_()
    return {"text/html": html.splitlines(keepends=True), "text/plain": ["a table"]}


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as empty:
        os.environ["MCVIZ_CACHE"] = empty
        store_outputs()
