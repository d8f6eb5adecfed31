"""A shared page says what the dashboard says, fits its limit, names nothing of the machine, and is never half there."""

import base64
import getpass
import gzip
import json
import re
import socket
from bisect import bisect_right
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcviz
from mcviz.app.components.gallery import short_value
from mcviz.app.resources import run_scores, table
from mcviz.app.selection import mistakes
from mcviz.app.sharing import fit_page
from mcviz.app.sharing.summary import sentence, story_steps
from mcviz.app.state import PageState
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import load_example
from mcviz.cli import main
from mcviz.errors import InvalidInputError
from mcviz.runs import Run
from tests.app.opening import assert_sound, opened_page
from tests.factories import make_doubtful_run

EXAMPLES = 120


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_doubtful_run(tmp_path_factory.mktemp("runs") / "doubtful", EXAMPLES, seed=3)


def data_of(page: str) -> dict[str, Any]:
    """What the script of a page reads."""
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


def unpacked(packed: str) -> bytes:
    return gzip.decompress(base64.b64decode(packed))


def numbers_of(page: str) -> list[int]:
    return np.frombuffer(unpacked(data_of(page)["examples"]), np.int32).tolist()


def test_a_page_says_what_the_dashboard_says_and_nothing_of_this_machine(run: Run, tmp_path: Path) -> None:
    for name in ("one.html", "two.html"):
        mcviz.share(run, tmp_path / name)
    page = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert page == (tmp_path / "two.html").read_text(encoding="utf-8"), "the same run is the same page"
    assert "default-src 'none'" in page[: page.index("</head>")]
    assert sentence(task_renderer(run).phrases.describe_run(run)) in page
    content = re.sub('"(H4sI[^"]+)"', lambda packed: unpacked(packed[1]).decode(errors="replace"), page)
    assert {*re.findall(r"\w+://[\w.]*", content)} == {"http://www.w3.org"}, "the name of SVG"
    for words in (str(run.path), str(tmp_path), str(Path.home()), socket.gethostname(), f"/{getpass.getuser()}"):
        assert not re.search(rf"(?<!\w){re.escape(words)}(?!\w)", content), words
    mcviz.share(run, tmp_path / "linked.html", link="https://example.invalid/?a=1&b=2")
    linked = (tmp_path / "linked.html").read_text(encoding="utf-8")
    assert 'href="https://example.invalid/?a=1&amp;b=2">Open in the dashboard' in linked


def test_every_value_of_a_score_has_the_words_that_a_tile_of_the_dashboard_has(run: Run) -> None:
    data = data_of(fit_page(run, PageState(), np.arange(EXAMPLES)))
    assert {*data["scores"]} == {*run_scores(run)}
    for name, score in run_scores(run).items():
        packed = data["scores"][name]
        values = np.frombuffer(unpacked(packed["values"]), np.float32)
        np.testing.assert_array_equal(values, table(run)[name].to_numpy())
        texts = json.loads(unpacked(packed["texts"]))
        starts = [start for start, *_ in texts]
        for value in values.tolist():
            assert texts[bisect_right(starts, value) - 1][1:] == [short_value(score, value), score.format(value)]


def test_a_page_that_is_too_large_loses_scores_and_then_examples_but_no_mistake(run: Run) -> None:
    whole = fit_page(run, PageState(), np.arange(EXAMPLES))
    wrong = np.flatnonzero(mistakes(run)).tolist()
    two = fit_page(run, PageState(score="margin"), np.arange(EXAMPLES), max_size=(len(whole) - 2_000) / 1e6)
    assert [*data_of(two)["scores"]] == [run.first_score, "margin"]
    assert numbers_of(two) == [*range(EXAMPLES)]
    small = (len(two) - 3_000) / 1e6
    few = fit_page(run, PageState(score="margin"), np.arange(EXAMPLES), max_size=small)
    assert len(few) <= small * 1e6
    left = numbers_of(few)
    assert len(wrong) < len(left) < EXAMPLES
    assert {*wrong} <= {*left}
    ranked = np.argsort(table(run)["margin"].to_numpy(), kind="stable")
    right = [example for example in ranked.tolist() if example not in wrong]
    assert sorted(right[: len(left) - len(wrong)]) == [example for example in left if example not in wrong]
    assert f"This file has {len(left)} examples of {EXAMPLES}" in few
    assert sum(data_of(few)["scores"]["margin"]["all"]) == EXAMPLES, "histograms are of all"
    with pytest.raises(InvalidInputError, match="Not even a page of one example"):
        fit_page(run, PageState(), np.arange(EXAMPLES), max_size=0.001)


@pytest.mark.slow
def test_a_page_that_is_too_large_keeps_the_examples_of_its_slides(run: Run) -> None:
    told = story_steps(run)[0].examples[0]
    for present in (False, True):
        size = len(fit_page(run, PageState(), np.arange(EXAMPLES), present=present))
        two = fit_page(run, PageState(), np.arange(EXAMPLES), max_size=(size - 2_000) / 1e6, present=present)
        small = (len(two) - 3_000) / 1e6
        page = fit_page(run, PageState(), np.arange(EXAMPLES), max_size=small, present=present)
        assert len(numbers_of(page)) < EXAMPLES
        assert (told in numbers_of(page)) == present, "it is the most certain one"


def test_a_page_has_the_examples_that_are_asked_for(run: Run, tmp_path: Path, capsys: Any) -> None:
    page = tmp_path / "page.html"
    command = ["share", str(run.path), "--to", str(page), "--examples", "5,3,99", "--score", "margin"]
    assert main(command) == 0
    assert re.fullmatch(r".*page\.html is written, 0\.\d MB\.\n", capsys.readouterr().out)
    assert numbers_of(page.read_text(encoding="utf-8")) == [3, 5, 99]
    data = data_of(page.read_text(encoding="utf-8"))
    assert data["first_score"] == "margin"
    explained = json.loads(unpacked(data["explanations"][0]))
    for example, found in zip((3, 5, 99), explained, strict=True):
        context = load_example(run, PageState(), example)
        assert found["sentences"] == task_renderer(run).explain_alone(context)["sentences"]
    for wrong in (["--examples", "120"], ["--score", "age"], ["--max-size", "0.001"]):
        assert main(["share", str(run.path), "--to", str(tmp_path / "none.html"), *wrong]) == 2
    assert [*tmp_path.iterdir()] == [page]


def test_what_is_left_out_is_nowhere_in_the_page(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    for without in ("", "labels", "columns,ids", "images,labels,columns,ids"):
        assert main(["share", str(run.path), "--to", str(page), *(["--without", without] if without else [])]) == 0
        text = page.read_text(encoding="utf-8")
        content = re.sub('"(H4sI[^"]+)"', lambda packed: unpacked(packed[1]).decode(errors="replace"), text)
        parts = {*filter(None, without.split(","))}
        assert ("the label is" in content, "correct" in data_of(text)["classes"]) == (("labels" not in parts),) * 2
        assert ("self_confidence" in data_of(text)["scores"], "% right" in text) == (("labels" not in parts),) * 2
        assert ("item 7" in content) == ("ids" not in parts)
        assert ('["source","a"]' in content, "source" in data_of(text)["own"]) == (("columns" not in parts),) * 2
        assert (f"Left out: {', '.join(sorted(parts))}." in text) == bool(parts)
    assert main(["share", str(run.path), "--to", str(page), "--without", "names"]) == 2


def test_a_stopped_page_leaves_no_file(run: Run, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        assert total == EXAMPLES
        if done == 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mcviz.share(run, tmp_path / "page.html", progress=stop)
    assert not [*tmp_path.iterdir()]


def test_a_sentence_is_text_but_for_bold_words_and_code() -> None:
    assert sentence(r"**a \<b\>** & `mcviz trust` \*c\*") == "<b>a &lt;b&gt;</b> &amp; <code>mcviz trust</code> *c*"


def test_the_bar_makes_the_page_of_what_is_filtered(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(Path(run.path).parent))
    app = opened_page("trust", {"correct": "wrong", "score": "margin"})
    app.session_state["bar-share"] = True
    app.run()
    app.session_state["share-examples"] = "matching"
    app.run()
    app.button(key="share-make").click().run()
    assert_sound(app)
    (download,) = [each for each in app.get("download_button") if each.key == "share-download"]
    assert re.fullmatch(r"Download, 0\.\d MB", download.proto.label)
    _, page = app.session_state["kept"]["shared-page"]
    assert numbers_of(page) == np.flatnonzero(mistakes(run)).tolist()
    assert data_of(page)["start"] == "correct=wrong&score=margin"
