"""Names are text: on every page that Streamlit draws, in a shared page, in figures and in the terminal."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz import figures
from mcviz.app.selection import Selection
from mcviz.app.sharing import fit_page
from mcviz.app.state import PageState
from mcviz.app.tasks import task_renderer
from mcviz.app.views import VIEWS
from mcviz.app.wording import as_markdown
from mcviz.cli import main
from mcviz.figures.style import escape_label
from mcviz.measures import summarise
from mcviz.reviews import open_reviews
from mcviz.text import one_line
from tests.app.hostile import (
    CANARY,
    HONEST,
    HONEST_RUN,
    HOSTILE,
    HOSTILE_RUN,
    LIVE_RUN,
    OWN_RUN,
    SHOWN_RUN,
    hostile_cache,
)
from tests.app.opening import assert_sound, opened_page
from tests.app.probing import compared_figures, sentences
from tests.cases import one_in

pytestmark = pytest.mark.attack

OURS = {"p", "strong", "code", "ul", "li"}  # what Markdown of our own makes
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOSTILE_REVIEWER = "![*Ada*](http://canary.invalid/ada) `x` :smile: $y$"
SHOWN = [*HOSTILE.values()]
PAGES = [
    ("overview", {}),
    *(("uncertain", {"view": view, "label": "0,1", "prediction": ""}) for view in VIEWS),
    ("uncertain", {"columns": json.dumps({name: [name] for name in HOSTILE} | {"id": "x"}), "view": "groups"}),
    *(("example", {"closer_look": look, "example": "1"}) for look in ("similar", "two_classes", "passes")),
    ("example", {"example": "![x](http://canary.invalid/a)\n\n![y](http://canary.invalid/b)"}),
    ("side_by_side", {"pinned": "0,1,2,3"}),
    *(("story", {"step": str(step)}) for step in range(1, 6)),
    ("probe", {"input": "distortion"}),
    ("review", {}),
    ("review", {"part": "results"}),
    ("runs", {}),
    ("runs", {"other": HONEST_RUN}),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("named")
    hostile_cache(folder)
    review(folder)
    return folder


class Rendered(HTMLParser):
    """The words and the tags of a piece of HTML."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.words, self.tags = "", set()
        self.feed(markup)

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 (as HTMLParser calls it)
        self.tags.add(tag)


def rendered(markdown: str) -> Rendered:
    """What CommonMark makes of a text; the characters without width that mark no word are left out."""
    found = Rendered(MARKDOWN.render(markdown))
    found.words = found.words.replace("\u2060", "").removesuffix("\n")
    return found


def markdown_of(app: AppTest) -> Iterator[str]:
    """Every text of a page that Streamlit takes for Markdown."""
    kinds = ("title", "header", "subheader", "caption", "markdown", "info", "warning", "error", "success", "toast")
    for kind in kinds:
        yield from (str(element.value) for element in getattr(app, kind))
    yield from sentences(app)
    for kind in ("button", "metric", "selectbox", "slider", "number_input", "toggle", "text_input", "multiselect"):
        yield from (element.label for element in getattr(app, kind))
    for group in app.segmented_control:
        yield from group.options
    for table in app.table:
        yield from map(str, [*table.value.index, *table.value.columns, *table.value.to_numpy().ravel()])
    yield from (progress.proto.text for progress in app.get("progress"))


def review(folder: Path) -> None:
    """Decide about an example of each run in all ways, under names and with notes that could do harm."""
    for path in folder.iterdir():
        if (path / "manifest.json").exists():
            run = mcviz.open_run(path)
            for number, reviewer in enumerate([HOSTILE_REVIEWER, *(name[:100] for name in HOSTILE)]):
                class_name = run.class_names[number % len(run.class_names)]
                open_reviews(run).add(0, reviewer, "class", class_name=class_name)
                open_reviews(run).add(0, reviewer, "note", note=reviewer)


def opened(name: str, run: str, query: dict[str, str], *said: str, predicting: bool = False) -> AppTest:
    app = opened_page(name, {"run": run, **query}, *said, predicting=predicting, reviewer=HOSTILE_REVIEWER)
    assert app.title
    return app


RUNS = [(HOSTILE_RUN, SHOWN_RUN), (LIVE_RUN, LIVE_RUN), (HONEST_RUN, HONEST_RUN), (OWN_RUN, OWN_RUN)]


@pytest.mark.parametrize(
    ("name", "query", "run", "shown"), one_in(17, [(*page, *run) for run in RUNS for page in PAGES])
)
def test_no_page_takes_a_name_for_markdown(
    cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, query: dict[str, str], run: str, shown: str
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))
    asks_no_model = query.get("step") == "5" and run in (HOSTILE_RUN, HONEST_RUN)
    said = ["Keras cannot load that model"] if asks_no_model else []
    found = [rendered(text) for text in markdown_of(opened(name, run, query, *said, predicting=run == LIVE_RUN))]
    assert not set().union(*(each.tags for each in found)) - OURS
    assert any(each.words.startswith((f"{shown} · ", f"{shown} is finished")) for each in found)


def test_two_runs_are_compared_under_any_names(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (HOSTILE_RUN, f"{HOSTILE_RUN} again"):
        (tmp_path / name).symlink_to(cache / HOSTILE_RUN)
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = opened("runs", HOSTILE_RUN, {"other": f"{HOSTILE_RUN} again", "example": "1"})
    assert_sound(app)
    found = [rendered(text) for text in markdown_of(app)]
    assert not set().union(*(each.tags for each in found)) - OURS
    assert any(f"{SHOWN_RUN} again compared with {SHOWN_RUN}" in each.words for each in found)
    assert compared_figures(app).columns[:2].tolist() == [SHOWN_RUN, f"{SHOWN_RUN} again"]


def test_ids_and_columns_are_shown_as_they_were_typed(
    cache: Path, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))
    app = opened("example", OWN_RUN, {"example": "0"})
    (rows,) = (each.value for each in app.table if "id" in each.value.index)
    assert [rendered(text).words for text in rows.index] == ["id", *SHOWN]
    expected = [list(HOSTILE.values())[-shift % len(HOSTILE)] for shift in range(len(HOSTILE))]
    assert [rendered(text).words for text in rows["value"]] == [f"{SHOWN[0]} 0", *expected]
    app = opened("uncertain", OWN_RUN, {"view": "scatter"})
    widget = next(each for each in app.selectbox if each.label == "Your columns")
    for name in list(HOSTILE)[::stride]:
        widget.select(name).run()
        assert_sound(app)
        widget = next(each for each in app.selectbox if each.label == "Your columns")


@pytest.mark.parametrize(("run", "names"), [(HOSTILE_RUN, SHOWN), (HONEST_RUN, HONEST)])
def test_names_are_shown_as_they_were_typed(
    cache: Path, monkeypatch: pytest.MonkeyPatch, run: str, names: list[str], stride: int
) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))
    app = opened("uncertain", run, {"view": "classes"})
    assert [rendered(text).words for text in app.table[0].value.index] == names
    (classes,) = (each for each in app.selectbox if each.label == "One class in detail")
    assert classes.options == names
    app = opened("uncertain", run, {})
    labels, predictions = ([option.rpartition(" (")[0] for option in each.options] for each in app.multiselect)
    assert labels == predictions == names
    truths = mcviz.open_run(cache / run).labels
    for example in range(0, len(names), stride):
        app = opened("example", run, {"example": str(example)})
        sent = [json.loads(each.proto.json) for each in app.get("bidi_component") if "panels" in each.proto.json]
        (shown,) = (each["explanation"]["histograms"] for each in sent if "explanation" in each)
        assert [panel["name"] for panel in shown["panels"]] == names
        words = " ".join(rendered(text).words for text in sentences(app))
        assert f"the label is {names[truths[example]]}." in words or "That is correct." in words
        assert any(f"The ensemble predicts {shown} with " in words for shown in names)


def test_the_messages_of_files_and_finds_are_text(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))
    app = opened("uncertain", HOSTILE_RUN, {})
    app.text_input[0].set_value("![x](http://a.invalid/p.png)").run()
    (toast,) = (rendered(each.value) for each in app.toast)
    assert not toast.tags - OURS
    assert "“![x](http://a.invalid/p.png)” is none of the classes" in toast.words


@pytest.mark.parametrize(
    "typed", [*HOSTILE, *HONEST, "\ud800", "    indented", "12) b", "+", "&amp;", "a\u2028b", "***"]
)
def test_markdown_shows_a_name_as_one_line_of_text(typed: str) -> None:
    expected = HOSTILE.get(typed, one_line(typed))
    for markdown in (as_markdown(typed), f"So **{as_markdown(typed)}**, say.", f"- {as_markdown(typed)}"):
        found = rendered(markdown)
        assert expected in found.words
        assert not found.tags - OURS
        found.words.encode()  # not half of a surrogate pair


@pytest.mark.parametrize("typed", HONEST)
def test_an_ordinary_name_is_left_as_it_is_in_a_figure_and_in_the_terminal(typed: str) -> None:
    assert one_line(typed) == typed
    assert escape_label(typed).replace("&amp;", "&") == typed


def texts_of(part: object, key: str = "") -> Iterator[str]:
    """Every text of a figure that plotly may show."""
    if isinstance(part, dict):
        for name, value in part.items():
            yield from texts_of(value, name)
    elif isinstance(part, list | tuple | np.ndarray):
        for value in part:
            yield from texts_of(value, key)
    elif isinstance(part, str) and key != "source":
        yield part


def test_figures_hold_names_without_html_latex_and_variables() -> None:
    names, count = list(HOSTILE), len(HOSTILE)
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(count), 30).astype(np.float32)
    labels = np.arange(count)
    made: list[go.Figure] = [
        figures.class_probabilities(summarise(probs), names, 1),
        figures.class_counts(labels, names),
        figures.confusion_matrix(labels, labels[::-1], names),
        figures.estimate_by_passes(probs, labels, names),
        *(figures.two_classes(probs, int(c), int(c) - 1, names, probs.argmax(axis=-1)) for c in labels),
        figures.class_accuracies(rng.random(count), rng.random(count), names, "score"),
        figures.scatter(
            rng.random(count), rng.random(count), labels, names, ["red"] * count, labels, axes=("x", "y"),
            selected=labels > 3,
        ),
    ]  # fmt: skip
    for figure in made:
        for text in texts_of(figure.to_dict()):
            ours = re.sub(r"<extra></extra>|%\{(x|y|text|hovertext|customdata)(:\.\d[%f])?\}", "", text)
            assert not re.search(r"[<>$]|%\{|\x1b|\u202e", ours), text


def test_a_shared_page_shows_names_as_text(cache: Path) -> None:
    run = mcviz.open_run(cache / HOSTILE_RUN)
    page = fit_page(run, PageState(), np.arange(len(run)))
    found = Rendered(re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL))
    assert not found.tags & {"img", "script", "iframe", "i", "em"}
    assert SHOWN_RUN in found.words


def test_the_table_of_scores_gives_the_names_back(cache: Path) -> None:
    run = mcviz.open_run(cache / HOSTILE_RUN)
    selection = Selection(run, PageState(), np.arange(len(run)))
    read = task_renderer(run).export_table(selection)
    assert read["label_name"].tolist() == [run.class_names[label] for label in run.labels]


@pytest.mark.parametrize("command", ["list", "verify", "export", "refused", "usage", "broken"])
def test_a_terminal_is_not_steered(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    run = str(cache / HOSTILE_RUN)
    broken = tmp_path / "\x1b[31m" / "two\nmcviz: lines"
    broken.mkdir(parents=True)
    (broken / "manifest.json").write_text("{")
    arguments, code, line = {
        "list": (["list", str(cache)], 0, SHOWN_RUN),
        "verify": (["verify", run], 0, SHOWN_RUN),
        "export": (["export", run, "--to", str(tmp_path / "out.npz")], 0, SHOWN_RUN),
        "refused": (["verify", "\x1b]0;t\x07\u202e"], 2, r"\x1b]0;t\x07\u202e"),
        "usage": (["list", "a", "\x1b[2J\nmcviz: done"], 2, r"\x1b[2J mcviz: done"),
        "broken": (["list", str(broken.parent)], 0, r"\x1b[31m/two mcviz: lines  damaged"),
    }[command]
    assert main(arguments) == code
    printed = "".join(capsys.readouterr())
    assert line in printed
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", printed)
    assert CANARY not in printed
    assert not any(each.startswith("mcviz: ") for each in printed.splitlines()[1:])
