"""What to label next is a list that Actions gives, with or without labels."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.analysis.labelling import acquire
from mcviz.app.referral import METHOD_LABELS, acquisition_csv
from mcviz.app.views.actions import DIALOG
from mcviz.choices import METHODS
from tests.app.keeping import kept_of
from tests.app.opening import opened_page


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mcviz.Run:
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    return mcviz.write_run(tmp_path / "run", np.random.default_rng(0).dirichlet(np.ones(3), (8, 30)))


def opened() -> AppTest:
    """The page with the dialog, where there is a way to it."""
    app = opened_page("uncertain", {})
    for button in app.button:
        if button.key == "action-acquire":
            button.click().run()
    return app


def test_every_method_is_offered_and_no_more_than_there_are() -> None:
    app = opened()
    assert app.selectbox(key="acquire-method").options == [METHOD_LABELS[method] for method in METHODS]
    assert (app.number_input(key="acquire-batch").value, app.number_input(key="acquire-batch").max) == (30, 30)
    kept_of(app)[DIALOG] = "acquire"  # or else the test's rerun, which is one of all of the page, closes it
    app.selectbox(key="acquire-method").set_value("batch-bald").run()
    assert any("takes some seconds" in each.value for each in app.caption)


@pytest.mark.parametrize("method", METHODS)
def test_the_list_is_what_the_command_writes(run: mcviz.Run, method: str) -> None:
    listed = pd.read_csv(io.BytesIO(acquisition_csv(run, method, 7)))
    assert listed["example"].tolist() == acquire(run, method, 7)["example"].tolist()


def test_several_labels_are_listed_by_what_is_summed_over_the_classes(tmp_path: Path) -> None:
    mcviz.remove_run(tmp_path / "run")
    run = mcviz.write_run(tmp_path / "several", np.random.default_rng(0).random((8, 30, 3)), task="multilabel")
    assert opened().selectbox(key="acquire-method").options == ["BALD", "PowerBALD", "entropy", "at random"]
    listed = pd.read_csv(io.BytesIO(acquisition_csv(run, "bald", 7)))
    assert listed["example"].tolist() == acquire(run, "bald", 7)["example"].tolist()


def test_a_regression_has_no_such_list(tmp_path: Path) -> None:
    mcviz.remove_run(tmp_path / "run")
    mcviz.write_run(tmp_path / "values", np.random.default_rng(0).normal(size=(4, 9, 1)), task="regression")
    assert "acquire-method" not in {each.key for each in opened().selectbox}
