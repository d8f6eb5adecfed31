"""What the tests of pages look at."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pandas as pd
from streamlit.testing.v1 import AppTest

from mcviz.measures.calibration import CALIBRATION_MEASURES

OpenProbe = Callable[..., AppTest]


def sentences(app: AppTest) -> list[str]:
    """What is said of the example in Markdown, which the browser draws."""
    sent = [json.loads(each.proto.json) for each in app.get("bidi_component") if each.proto.json]
    explanations = [data["explanation"] for data in sent if "explanation" in data]
    return [sentence for each in explanations for sentence in each.get("sentences", ())]


def sent(app: AppTest, key: str) -> list[dict[str, Any]]:
    """What components were given that take something of that name."""
    all_sent = [json.loads(each.proto.json) for each in app.get("bidi_component") if each.proto.json]
    return [data for data in all_sent if key in data]


def class_means(app: AppTest) -> dict[str, float]:
    """The mean of each class, as the browser draws it."""
    explained = (data["explanation"] for data in sent(app, "explanation"))
    (histograms,) = (explanation["histograms"] for explanation in explained if "histograms" in explanation)
    return {panel["name"]: panel["mean"] for panel in histograms["panels"]}


class Cells(HTMLParser):
    """The texts of a table's cells, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.rows[-1][-1] += data


def compared_figures(app: AppTest) -> pd.DataFrame:
    """The measures of two runs, as the table of their comparison has them."""
    (body,) = (each.proto.body for each in app.get("html") if '<div class="mcviz-figures"' in each.proto.body)
    cells = Cells()
    cells.feed(body)
    head, *rows = cells.rows
    return pd.DataFrame(rows, columns=head).set_index("measure")


def words(app: AppTest) -> str:
    kinds = (
        app.title,
        app.caption,
        app.markdown,
        app.info,
        app.error,
        app.warning,
        app.success,
        app.subheader,
        app.header,
    )
    return "\n".join([*(str(element.value) for kind in kinds for element in kind), *sentences(app)])


def about_run(app: AppTest) -> str:
    """What the bar says of the run."""
    elements = list(app.main)
    titles = [place for place, each in enumerate(elements) if each.type == "title"]
    return "\n".join(each.value for each in elements[: titles[0]] if each.type == "markdown")


def paragraphs(app: AppTest) -> list[str]:
    """What the page says in Markdown: first the sentence below its title."""
    elements = list(app.main)
    titles = [place for place, each in enumerate(elements) if each.type == "title"]
    return [each.value for each in elements[titles[0] :] if each.type == "markdown"]


def button(app: AppTest, label: str):
    return next(each for each in app.button if each.label.startswith(label))


def widget(elements, name: str):
    """The widget that is bound to a value of the state."""
    (found,) = (each for each in elements if each.key and each.key.rpartition("-")[0] == name)
    return found


def table(app: AppTest, column: str) -> pd.DataFrame:
    """The table that has a column."""
    (found,) = (each.value for each in app.table if column in each.value.columns)
    return found


def calibration_figures(app: AppTest) -> pd.DataFrame:
    """The figures of the ways to predict, as the chart of them says them to those who cannot see it."""
    (spoken,) = (each.proto.alt for each in app.get("plotly_chart") if "NLL, nats" in each.proto.alt)
    rows = (row.split(": ", 1) for row in spoken.removesuffix(".").split(". "))
    names = "|".join(re.escape(measure.heading) for measure in CALIBRATION_MEASURES.values())
    found = {way: dict(re.findall(rf"(?:^|; )({names}) ([^;]+)", said)) for way, said in rows}
    return pd.DataFrame.from_dict(found, orient="index")


def verdict_figures(app: AppTest) -> dict[str, str]:
    """The figures below the verdict."""
    return dict(table(app, "figure")["figure"])


def listed_runs(app: AppTest) -> dict[str, str]:
    """The runs in the list of the page Runs, and the facts of each."""
    names = [each.key.removeprefix("alone-") for each in app.button if (each.key or "").startswith("alone-")]
    rows = [each.proto.body for each in app.get("html") if each.proto.body.startswith('<div class="mcviz-run"><span')]
    return {name: re.sub("<[^>]*>", "|", row).strip("|") for name, row in zip(names, rows, strict=True)}


def ticked_runs(app: AppTest) -> set[str]:
    """The runs whose boxes are ticked."""
    ticked = (each.key.removeprefix("tick-").rpartition("-")[0] for each in app.checkbox if each.value)
    return set(ticked)
