"""The page Out of distribution is about the open run: it computes when asked, and says what it found."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.app import out_of_distribution
from mcviz.app.jobs import offered_data
from mcviz.measures.ood import DETECTORS, VERDICT
from mcviz.runs.ood_scores import OODScores, load_ood_scores, save_ood_scores
from mcviz.sampling import Sampler
from mcviz.sampling.ood import compute_ood_scores
from mcviz.text import percent
from tests.app.opening import assert_sound, opened_page
from tests.app.probing import button, paragraphs, words
from tests.sampling.ood_runs import CLASSES, photograph_run, text_run

ROOT = Path(__file__).parents[2]
OpenPage = Callable[..., AppTest]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of texts, and what else has no figures."""
    folder = tmp_path_factory.mktemp("made")
    text_run(folder / "texts")
    mcviz.write_run(folder / "imported", np.random.default_rng(0).dirichlet(np.ones(3), (4, 70)))
    mcviz.write_run(folder / "regression", np.random.default_rng(0).normal(size=(4, 70, 1)), task="regression")
    return folder


@pytest.fixture
def cache(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of them, of which nothing is computed yet, for one test."""
    shutil.copytree(made, tmp_path / "cache")
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path / "cache"))
    out_of_distribution._unsaved.clear()
    yield tmp_path / "cache"
    out_of_distribution._unsaved.clear()


@pytest.fixture(scope="module")
def scores(made: Path) -> OODScores:
    """What is found of the texts, computed once."""
    run = mcviz.open_run(made / "texts")
    return compute_ood_scores(Sampler.for_run(mcviz.load_model(run.model_path), run), run)


@pytest.fixture
def open_page(cache: Path) -> OpenPage:
    return lambda **query: opened_page("probe", {**query, "input": "detectors"})


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, open_page: OpenPage) -> OpenPage:
    monkeypatch.setenv("MCVIZ_CACHE", str(ROOT / "cache"))
    return lambda **query: open_page(run="mnist-cnn", **query)


def test_the_shipped_run_comes_with_its_figures_and_says_three_sentences(shipped: OpenPage) -> None:
    app, found = shipped(), load_ood_scores(mcviz.open_run(ROOT / "cache" / "mnist-cnn"))
    assert found is not None
    assert app.title[0].value == "Probe"
    for sentence in found.sentences:
        assert sentence in " ".join(paragraphs(app)).replace("\\", "")
    low, high = found.stopped_by_chance
    assert f"held-out examples {100 * found.own.stopped.value:.1f}% are stopped" in words(app)
    assert f"chance explains {100 * low:.1f}% to {100 * high:.1f}%" in words(app)
    assert low <= found.own.stopped.value <= high
    (table,) = app.dataframe
    assert list(table.value.index) == [each.label for each in found.hardest_first()]
    assert set(found.labels.values()) <= set(table.value.columns)
    first = found.hardest_first()[0]
    assert table.value.loc[first.label, "Verdict"] == pytest.approx(first.figures[VERDICT][0].auroc)
    assert len(app.get("plotly_chart")) == 4


def test_the_address_says_whose_distributions_are_shown(shipped: OpenPage) -> None:
    app = shipped(ood_set="inverted", detector="content_alone")
    assert "Pixels alone: Inverted" in [each.value for each in app.subheader]
    app = shipped(ood_set="nothing", detector="nothing")
    assert any(each.value.startswith("Verdict: ") for each in app.subheader), "the hardest set, by the verdict"


@pytest.mark.slow
def test_what_is_asked_for_of_photographs_is_computed_kept_and_shown(open_page: OpenPage, cache: Path) -> None:
    photograph_run(cache / "photos")
    app = open_page(run="photos")
    assert "Nothing is computed yet" in app.info[0].value
    assert not app.dataframe
    button(app, "Compare").click().run()
    assert_sound(app)
    assert "the verdict stops" in paragraphs(app)[0]
    assert load_ood_scores(mcviz.open_run(cache / "photos")) is not None
    assert "Turned by 90°" in app.dataframe[0].value.index
    assert set(CLASSES) & set(re.findall(r"predicted: (\w+)", words(app))), "classes by their names"
    assert not re.search(r"\bdigits?\b", words(app))
    assert open_page(run="photos").dataframe, "kept"


def test_what_the_operator_allows_is_offered_added_and_removed(
    open_page: OpenPage, cache: Path, scores: OODScores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    texts = list(mcviz.open_run(cache / "texts").content)[:20]
    pd.DataFrame({"text": texts}).to_csv(tmp_path / "data" / "mine.csv", index=False)
    monkeypatch.setenv("MCVIZ_DATA", str(tmp_path / "data"))
    save_ood_scores(mcviz.open_run(cache / "texts"), scores)
    app = open_page(run="texts")
    (given,) = (each for each in app.selectbox if each.label == "Compare also with")
    assert given.options == ["mine.csv"], "no other run is of texts"
    app.button(key="ood-add").click().run()
    assert_sound(app)
    assert "mine" in app.dataframe[0].value.index
    button(app, "Remove").click().run()
    assert "mine" not in app.dataframe[0].value.index


def test_one_that_does_not_fit_is_refused_in_a_sentence(
    open_page: OpenPage, cache: Path, scores: OODScores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "pictures.npz", images=np.zeros((2, 8, 8), np.uint8))
    monkeypatch.setenv("MCVIZ_DATA", str(tmp_path / "data"))
    save_ood_scores(mcviz.open_run(cache / "texts"), scores)
    app = open_page(run="texts")
    app.button(key="ood-add").click().run()
    assert "should hold texts, as the run does" in app.error[0].value
    assert app.dataframe, "what was there stays"


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("imported", "there is no model to ask"),
        ("regression", "Detectors are about probabilities of classes."),
    ],
)
def test_where_it_cannot_be_computed_it_says_so_and_what_to_do(open_page: OpenPage, run: str, said: str) -> None:
    app = open_page(run=run)
    assert said in words(app)
    assert not [each for each in app.button if each.label == "Compare"]


def test_only_what_lies_in_the_operator_s_folders_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
    (outside / "secret.npz").write_bytes(b"")
    (inside / "link.npz").symlink_to(outside / "secret.npz")
    (inside / "out").symlink_to(outside)
    (inside / ".hidden").mkdir()
    (inside / "notes.txt").write_text("")
    (inside / "pictures").mkdir()
    (inside / "array.NPZ").write_bytes(b"")
    monkeypatch.setenv("MCVIZ_DATA", f"{inside}:{tmp_path / 'gone'}")
    assert set(offered_data()) == {"pictures", "array.NPZ"}
    monkeypatch.delenv("MCVIZ_DATA")
    assert offered_data() == {}


@pytest.mark.parametrize("is_kept", [True, False], ids=["on disk", "in memory"])
def test_what_is_asked_for_is_computed_and_kept(
    open_page: OpenPage, cache: Path, scores: OODScores, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    monkeypatch.setattr("mcviz.sampling.ood.compute_ood_scores", lambda *_, **__: scores)
    if not is_kept:
        monkeypatch.setattr("mcviz.app.out_of_distribution.save_ood_scores", lambda *_: False)
    app = open_page(run="texts")
    assert "Nothing is computed yet" in app.info[0].value
    assert not app.dataframe
    button(app, "Compare").click().run()
    assert_sound(app)
    assert (load_ood_scores(mcviz.open_run(cache / "texts")) is not None) == is_kept
    assert "the verdict stops" in paragraphs(app)[0]
    assert "Words alone" in app.dataframe[0].value.columns
    assert len(DETECTORS) + 3 == len(app.dataframe[0].value.columns)


@pytest.mark.parametrize("detector", [VERDICT, "content_alone"])
def test_a_run_of_texts_shows_texts(open_page: OpenPage, cache: Path, scores: OODScores, detector: str) -> None:
    save_ood_scores(mcviz.open_run(cache / "texts"), scores)
    app = open_page(run="texts", detector=detector)
    assert "Shuffled words" in app.dataframe[0].value.index
    hardest = scores.hardest_first()[0]
    label = {VERDICT: "Verdict", "content_alone": "Words alone"}[detector]
    assert f"{label}: {hardest.label}" in [each.value for each in app.subheader]
    passing = len(hardest.shown) - 1
    assert words(app).count("predicted: ") == min(3, passing)


def test_it_names_documents_that_are_there(shipped: OpenPage) -> None:
    named = re.findall(r"`(docs/[\w/-]+\.md)`", words(shipped()))
    assert len(named) == 2
    assert all((ROOT / name).is_file() for name in named)


def test_the_document_says_what_the_shipped_run_says() -> None:
    found = load_ood_scores(mcviz.open_run(ROOT / "cache" / "mnist-cnn"))
    pages = ROOT / "docs/how-to/out-of-distribution.md", ROOT / "docs/appendix/studies.md"
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    assert found is not None
    assert "\n".join(f"> {sentence}" for sentence in found.sentences) in text
    assert f"| set | stopped | sure | stopped of sure | {' | '.join(found.chart_labels().values())} |" in text
    for each in found.sets:
        (row,) = (line for line in text.splitlines() if line.startswith(f"| {each.label} |"))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1] == percent(each.stopped.value)
        assert cells[4] == f"{each.figures[VERDICT][0].auroc:.3f}"
