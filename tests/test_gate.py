"""`mcviz trust` and `mcviz compare` as a gate: exit codes, what is said, and the summary that is left."""

import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from PIL import Image

import mcviz
from mcviz.cli import main
from mcviz.errors import InvalidInputError
from mcviz.measures.conformal import pass_intervals
from mcviz.runs import Run
from mcviz.tasks.regression import Regression
from tests.app.hostile import CANARY, HOSTILE, HOSTILE_RUN, SHOWN_RUN

ROOT = Path(__file__).parents[1]
EXAMPLES = 120
NAMES = list(HOSTILE)[:3]
IDS = [f"{list(HOSTILE)[example % len(HOSTILE)]} {example}" for example in range(EXAMPLES)]
LABELS = np.arange(EXAMPLES) % 3
IMAGES = np.random.default_rng(0).integers(0, 256, (EXAMPLES, 5, 4, 3), dtype=np.uint8)
TEXTS = pd.DataFrame({"text": [f"{each} <i>{example}</i>" for example, each in enumerate(IDS)]})


def classes(path: Path, lean: float, **given: object) -> Run:
    logits = np.random.default_rng(1).normal(size=(4, EXAMPLES, 3)) + lean * np.eye(3)[LABELS]
    probs = (np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)).astype(np.float32)
    given = {"data": IMAGES, "labels": LABELS, "class_names": NAMES, "ids": IDS} | given
    return mcviz.write_run(path, probs, **given)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of hostile names, a worse one, one without labels, one of other examples, one of texts and a regression."""
    folder = tmp_path_factory.mktemp("gate")
    classes(folder / HOSTILE_RUN, 1.0)
    classes(folder / "worse", 0.2)
    classes(folder / "unlabelled", 1.0, labels=None)
    classes(folder / "others", 1.0, data=255 - IMAGES, ids=None)
    classes(folder / "texts", 1.0, data=TEXTS)
    outputs = LABELS[:, None] + np.random.default_rng(2).normal(size=(9, EXAMPLES, 1)).astype(np.float32)
    rows = pd.DataFrame({"a <b>": np.arange(EXAMPLES, dtype=np.float32), "c": np.float32(1.5)})
    given = {"labels": LABELS[:, None].astype(np.float32), "unit": "<kg>", "data": rows}
    mcviz.write_run(folder / "numbers", outputs.astype(np.float32), task="regression", **given)
    return folder


def run_command(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, list[str]]:
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err.splitlines()


def require(*texts: str) -> list[str]:
    return [word for text in texts for word in ("--require", text)]


# Exit codes


def test_trust_exits_with_1_and_a_line_for_each_requirement_that_fails(folder: Path, capsys) -> None:
    wanted = require("accuracy >= 50%", "accuracy.low > 0.99", "single_pass.nll <= 0.001", "ece < 100%")
    code, out, lines = run_command(capsys, "trust", folder / HOSTILE_RUN, *wanted, "--json")
    report = json.loads(out)
    assert code == 1
    assert [line.partition(";")[0] for line in lines] == [
        "mcviz: not met: accuracy.low > 0.99",
        "mcviz: not met: single_pass.nll <= 0.001",
    ]
    assert [each["met"] for each in report["requirements"]] == [True, False, False, True]
    assert report["requirements"][1] == {
        "requirement": "accuracy.low > 0.99", "met": False, **report["figures"]["ensemble"]["accuracy"]
    }  # fmt: skip
    assert "parts" not in report["requirements"][1]
    groups = require("accuracy >= 1% in every label with at least 5 examples")
    (judged,) = json.loads(run_command(capsys, "trust", folder / HOSTILE_RUN, *groups, "--json")[1])["requirements"]
    assert [each["examples"] for each in judged["parts"]] == [40, 40, 40]
    assert judged["value"] == min(each["value"] for each in judged["parts"]) == judged["parts"][0]["value"]
    assert all(each.keys() == {"part", "examples", "value", "low", "high", "met"} for each in judged["parts"])
    assert report["requirements"][2]["value"] == report["figures"]["single_pass"]["nll"]["value"]


def test_trust_exits_with_0_where_all_is_met(folder: Path, capsys) -> None:
    code, out, lines = run_command(capsys, "trust", folder / "worse", *require("accuracy >= 1%", "nll<9"))
    assert (code, lines) == (0, [])
    printed = out.splitlines()
    assert printed[-1] == "All requirements are met: accuracy >= 1%, nll < 9."
    heading, *rows = printed[printed.index("") + 1 :][:4]
    assert {row.index("(") for row in rows} == {heading.index("95% interval")}, "columns stand below their headings"


@pytest.mark.parametrize(
    ("run", "requirement", "words"),
    [
        (
            "worse",
            "accuracy >= high",
            "A requirement should be [PREDICTOR.]MEASURE[.low|.high] [of CLASS|of every class] (>=|<=|>|<) NUMBER[%]",
        ),
        ("unlabelled", "accuracy >= 1%", "has none"),
    ],
)
def test_trust_exits_with_2_before_the_work_where_nothing_can_be_judged(
    folder: Path, run: str, requirement: str, words: str, tmp_path: Path, capsys
) -> None:
    given = *require("accuracy >= 1%", requirement), "--summary", tmp_path
    code, out, (line,) = run_command(capsys, "trust", folder / run, *given)
    assert (code, out) == (2, "")
    assert words in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("run", "requirement", "words"),
    [
        ("worse", "ece <= 3", "cannot miss it: ECE is 0 to 1, which is 0% to 100%"),
        ("worse", "brier <= 15", "cannot miss it: Brier score is 0 to 2"),
        ("numbers", "coverage <= 85", "cannot miss it: coverage of 90% intervals is 0 to 1"),
        ("numbers", "accuracy >= 1%", "has no measure accuracy of ensemble"),
        ("numbers", "deterministic.rmse <= 1", "has no predictor deterministic"),
    ],
)
def test_after_exit_code_2_the_summary_gives_the_reason(
    folder: Path, run: str, requirement: str, words: str, tmp_path: Path, capsys
) -> None:
    known = "coverage >= 1%" if run == "numbers" else "accuracy >= 1%"
    given = *require(known, requirement), "--summary", tmp_path
    code, out, (line,) = run_command(capsys, "trust", folder / run, *given)
    assert code == 2
    assert out.startswith(mcviz.trust(mcviz.open_run(folder / run)).sentences[0])
    assert words in line
    assert {"report.html", "summary.md"} <= {path.name for path in tmp_path.iterdir()}
    for parsed in read_summary(tmp_path):
        assert {known, "met", requirement, "means nothing here"} <= set(parsed.cells)
        assert any(words in cell for cell in parsed.cells)


def test_compare_writes_its_summary_and_json_where_a_requirement_means_nothing(
    folder: Path, tmp_path: Path, capsys
) -> None:
    given = *require("accuracy not worse by 99%", "ece not worse"), "--summary", tmp_path, "--json"
    code, out, lines = run_command(capsys, "compare", folder / HOSTILE_RUN, folder / "worse", *given)
    met, refused = json.loads(out)["requirements"]
    assert (code, met["met"], refused["met"], refused["value"]) == (2, True, None, None)
    assert lines[-1] == f"mcviz: {refused['reason']}"
    for parsed in read_summary(tmp_path):
        assert refused["reason"] in parsed.cells


@pytest.mark.parametrize("run", [HOSTILE_RUN, "numbers"])
def test_an_unchanged_run_passes_every_gate(folder: Path, run: str, tmp_path: Path, capsys) -> None:
    quality = mcviz.open_run(folder / run).task.quality.measures
    measures = [each.name for each in quality if each.has_interval and each.better]
    given = *require(*(f"{name} not worse" for name in measures)), "--summary", tmp_path
    code, out, lines = run_command(capsys, "compare", folder / run, folder / run, *given)
    assert (code, lines) == (0, [])
    same = f"Nothing changed: all {EXAMPLES} examples have the same labels and predictions in both runs"
    assert f"{same}." in out
    for parsed in read_summary(tmp_path):
        assert parsed.cells.count(same) == len(measures)


@pytest.mark.parametrize(
    ("runs", "requirements", "code", "words"),
    [
        (("worse", HOSTILE_RUN), ["accuracy not worse", "accuracy not worse by 1%"], 0, []),
        (
            (HOSTILE_RUN, "worse"),
            ["accuracy not worse by 5%", "accuracy not worse by 99%"],
            1,
            ["by 5%; accuracy changes"],
        ),
        ((HOSTILE_RUN, "others"), ["accuracy not worse"], 2, ["over other examples"]),
        (("numbers", "numbers"), ["accuracy not worse"], 2, ["no measure accuracy that can be worse, but rmse, mae"]),
    ],
)
def test_compare_judges_the_second_run(folder: Path, runs, requirements, code: int, words: list[str], capsys) -> None:
    exit_code, _, lines = run_command(capsys, "compare", *(folder / each for each in runs), *require(*requirements))
    assert exit_code == code
    refused = [line for line in lines if not line.startswith("mcviz: note: ")]
    assert len(refused) == len(words)
    assert all(each in line for each, line in zip(words, refused, strict=True))


@pytest.mark.slow
def test_the_shipped_run_fails_as_the_document_says(capsys) -> None:
    text = (ROOT / "docs" / "how-to" / "gate.md").read_text(encoding="utf-8")
    (command,) = re.findall("^mcviz (trust cache/.*)$", text, re.MULTILINE)
    code, _, (line,) = run_command(capsys, *shlex.split(command.replace("cache", f"{ROOT}/cache")))
    assert code == 1
    assert f"> {line}" in text.splitlines()


# Regressions


def test_trust_of_a_regression_prints_its_errors_and_its_coverage(folder: Path, capsys) -> None:
    run = mcviz.open_run(folder / "numbers")
    code, out, _ = run_command(capsys, "trust", run.path, "--json", *require("rmse > 0", "coverage.low >= 1%"))
    report = json.loads(out)
    outputs = run.predictions_block(0, None).astype(np.float64)
    errors = outputs - run.labels
    assert code == 0
    figures = {way: {name: each["value"] for name, each in row.items()} for way, row in report["figures"].items()}
    assert figures["ensemble"]["rmse"] == pytest.approx(np.sqrt((errors.mean(axis=0) ** 2).mean()))
    assert figures["single_pass"] == pytest.approx(
        {"rmse": np.sqrt((errors**2).mean()), "mae": abs(errors).mean(), "crps": abs(errors).mean()}
    )
    within = pass_intervals(Regression().predictions(outputs, targets=1), 0.9)
    held = ((within.low <= run.labels) & (run.labels <= within.high)).mean()
    assert figures["ensemble"]["coverage"] == pytest.approx(held)
    assert report["ensemble_less"]["single_pass"]["rmse"]["value"] < 0
    assert "(no interval), too few examples to tell" in report["in_words"]


def test_trust_prints_what_python_finds(folder: Path, capsys) -> None:
    for name, given in ((HOSTILE_RUN, {"by": "label", "score": "margin"}), ("numbers", {})):
        trust = mcviz.trust(mcviz.open_run(folder / name), confidence=0.9, **given)
        options = [text for option, value in given.items() for text in (f"--{option}", value)]
        code, out, _ = run_command(capsys, "trust", folder / name, "--confidence", "90%", "--json", *options)
        assert code == 0
        of_python = json.loads(orjson.dumps(trust.as_dict(), option=orjson.OPT_SERIALIZE_NUMPY))
        assert {name: value for name, value in json.loads(out).items() if name in of_python} == of_python
        _, out, _ = run_command(capsys, "trust", folder / name, "--confidence", "90%", *options)
        assert out.startswith(f"{trust.in_words}\n")
        markup = trust._repr_html_()
        assert CANARY not in markup
        assert len(Parsed(markup).cells) == sum(map(len, trust.text_rows))


def test_a_regression_is_measured_by_a_column_of_one_s_own_and_by_no_label(folder: Path, capsys) -> None:
    run = mcviz.open_run(folder / "numbers")
    trust = mcviz.trust(run, by="c")
    (group,) = trust.by_group.values()
    assert group.examples == EXAMPLES
    assert repr(group.figures) == repr(trust.figures["ensemble"]), "all examples are in it; NaN is not equal to itself"
    _, out, _ = run_command(capsys, "trust", folder / "numbers", "--by", "c")
    assert "RMSE of the ensemble, by c" in out.splitlines()
    with pytest.raises(InvalidInputError, match=r"^This takes one class an example\. Received: .*numbers"):
        mcviz.trust(run, by="label")


@pytest.mark.parametrize("name", [HOSTILE_RUN, "numbers"])
def test_the_table_of_trust_has_the_figures_that_requirements_judge(folder: Path, name: str) -> None:
    trust = mcviz.trust(mcviz.open_run(folder / name))
    table = trust.table
    assert list(table.index) == list(trust.figures)
    for way, figures in trust.figures.items():
        known = table.loc[way].dropna()
        assert set(known.index) <= {f"{measure}{end}" for measure in figures for end in ("", "_low", "_high")}
        for measure, each in figures.items():
            ends = [table.loc[way, f"{measure}{end}"] for end in ("", "_low", "_high")]
            np.testing.assert_array_equal(ends, [each.value, each.low, each.high])


@pytest.mark.parametrize(
    "option", [["--by", "label"], ["--mistake-cost", "1", "--look-cost", "1"], ["--score", "margin"]]
)
def test_an_option_of_classes_is_refused_for_a_regression(folder: Path, option: list[str], capsys) -> None:
    code, out, (line,) = run_command(capsys, "trust", folder / "numbers", *option)
    assert (code, out) == (2, "")
    assert "Received: " in line


# Summaries


class Parsed(HTMLParser):
    """The tags, attributes and cells of a page."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.cells, self.is_cell = set(), [], [], False
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag in ("td", "th"):
            self.cells.append("")
            self.is_cell = True

    def handle_endtag(self, tag: str) -> None:
        self.is_cell &= tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.is_cell:
            self.cells[-1] += data


OURS = {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "img"}
OF_PAGES = OURS - {"thead", "tbody"} | {"html", "head", "meta", "title", "style", "body", "div", "script"}


def read_summary(folder: Path) -> tuple[Parsed, Parsed]:
    """The Markdown, as GitHub and others render it, and the web page."""
    rendered = MarkdownIt("commonmark").enable("table").render((folder / "summary.md").read_text("utf-8"))
    markdown = Parsed(rendered.replace("\u2060", ""))  # which marks no word
    html = Parsed((folder / "report.html").read_text("utf-8"))
    assert markdown.tags <= OURS
    assert html.tags <= OF_PAGES
    links = [value for name, value in (*markdown.attributes, *html.attributes) if name in ("src", "href")]
    assert all(link == "examples.png" or link.startswith("data:image/png;base64,") for link in links)
    assert "default-src 'none'" in dict(html.attributes)["content"]
    assert not any(CANARY in str(value) for _, value in (*markdown.attributes, *html.attributes))
    return markdown, html


def test_a_summary_shows_hostile_names_as_they_were_typed(folder: Path, tmp_path: Path, capsys) -> None:
    given = (
        *require("accuracy >= 99.9%", "ece <= 90%", "recall of every class > 1%"),
        "--summary",
        tmp_path / "new" / "gate",
    )
    assert run_command(capsys, "trust", folder / HOSTILE_RUN, *given)[0] == 1
    assert sorted(path.name for path in (tmp_path / "new" / "gate").iterdir()) == [
        "examples.png", "report.html", "summary.md"
    ]  # fmt: skip
    table = mcviz.open_run(folder / HOSTILE_RUN).scores().sort_values("max_probability", kind="stable").iloc[:24]
    for parsed in read_summary(tmp_path / "new" / "gate"):
        assert [cell for cell in parsed.cells if re.search("[<>]= ", cell)][:2] == ["accuracy >= 99.9%", "ece <= 90%"]
        place = parsed.cells.index("part")
        parts = parsed.cells[place + 4 : place + 16]
        assert {parts[1], parts[5], parts[9]} == {"40"}
        assert {parts[3], parts[7], parts[11]} == {"met"}
        start = parsed.cells.index("max_probability") + 1
        rows = [parsed.cells[start + 5 * row : start + 5 * row + 5] for row in range(24)]
        assert [row[0] for row in rows] == table.index.astype(str).tolist()
        for row, (example, known) in zip(rows, table.iterrows(), strict=True):
            typed = list(HOSTILE)[example % len(HOSTILE)]
            assert row[1] == f"{HOSTILE[typed]} {example}"
            assert row[2:4] == [HOSTILE[NAMES[known["label"]]], HOSTILE[NAMES[known["prediction"]]]]
    title = (tmp_path / "new" / "gate" / "report.html").read_text("utf-8")
    assert f"{SHOWN_RUN.replace('<', '&lt;').replace('>', '&gt;')}: 1 of 3 requirements not met" in title
    with Image.open(tmp_path / "new" / "gate" / "examples.png") as picture:
        assert picture.size[0] > 8 * 64


@pytest.mark.slow
def test_a_summary_of_two_runs_has_both_and_the_examples_that_changed(folder: Path, tmp_path: Path, capsys) -> None:
    given = *require("accuracy not worse by 90%"), "--summary", tmp_path
    assert run_command(capsys, "compare", folder / HOSTILE_RUN, folder / "worse", *given)[0] == 0
    for parsed in read_summary(tmp_path):
        assert {"accuracy not worse by 90%", "met", "OTHER less RUN", "right to wrong"} <= set(parsed.cells)


@pytest.mark.slow
def test_texts_and_rows_are_summarised_in_a_table(folder: Path, tmp_path: Path, capsys) -> None:
    for run, heading in (("texts", "text"), ("numbers", "a <b>")):
        assert run_command(capsys, "trust", folder / run, "--summary", tmp_path / run)[0] == 0
        assert not (tmp_path / run / "examples.png").exists()
        for parsed in read_summary(tmp_path / run):
            assert heading in parsed.cells
            assert "img" not in parsed.tags
    texts = read_summary(tmp_path / "texts")[1].cells
    assert sum("<i>" in cell for cell in texts) == 24


def test_a_summary_goes_into_no_file(folder: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "taken").write_text("mine")
    for command in (["trust", folder / "worse"], ["compare", folder / "worse", folder / "worse"]):
        code, out, (line,) = run_command(capsys, *command, "--summary", tmp_path / "taken")
        assert (code, out) == (2, "")
        assert "written into a folder. Received: " in line
    assert (tmp_path / "taken").read_text() == "mine"
