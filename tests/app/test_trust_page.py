"""The page Trust: its words and figures are those of the run, and what it refers is a selection."""

import json
import re
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import mcviz
from mcviz.analysis.calibration_sentences import calibration_sentences
from mcviz.analysis.predictors import predictors
from mcviz.analysis.referral import find_cheapest_referral, refer
from mcviz.analysis.unlabelled import estimate_accuracy
from mcviz.app import calibration as calibration_parts
from mcviz.app import referral as referral_parts
from mcviz.app.address import RunLimits
from mcviz.app.calibration import ANSWERS
from mcviz.app.filters import Filters
from mcviz.app.referral import referral_csv, referral_filters
from mcviz.app.wording import as_markdown
from mcviz.cli import main
from mcviz.measures.calibration import Calibration, calibration, find_verdict
from mcviz.runs.storage import SHIPPED_RUNS
from tests.analysis.test_trust import in_groups
from tests.app.keeping import kept_of
from tests.app.opening import assert_sound, opened_page
from tests.app.probing import calibration_figures, paragraphs, widget, words
from tests.app.test_regression_pages import decoded
from tests.factories import make_doubtful_run

EXAMPLES = 120


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three classes, of which the more certain predictions are more often correct; and one without labels."""
    folder, rng = tmp_path_factory.mktemp("trust"), np.random.default_rng(0)
    labels = rng.integers(0, 3, EXAMPLES)
    strength = rng.uniform(0.2, 5, EXAMPLES)
    logits = rng.normal(size=(12, EXAMPLES, 3)) + strength[:, None] * (rng.normal(size=(EXAMPLES, 3)) * 0.4)
    logits[:, np.arange(EXAMPLES), labels] += strength
    fixed = logits.mean(axis=0)
    mcviz.write_run(
        folder / "labelled",
        logits,
        labels=labels,
        deterministic=fixed,
        from_logits=True,
        class_names=["*cat*", "dog", "owl"],
    )
    mcviz.write_run(folder / "unlabelled", logits, from_logits=True)
    probs = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    mcviz.write_run(folder / "right", probs, labels=probs.mean(axis=0).argmax(axis=1))
    mcviz.write_run(folder / "one", logits[:, :1], labels=labels[:1], from_logits=True)
    values = rng.normal(size=(5, 40, 1))
    mcviz.write_run(folder / "values", values, labels=rng.normal(size=40), task="regression")
    return folder


@pytest.fixture(autouse=True)
def _here(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(cache))


def opened(run: str, **query: str) -> AppTest:
    return opened_page("trust", {"run": run, **query})


def test_groups_that_fare_worse_are_named_and_marked_in_their_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_groups(tmp_path / "sites", 0.7)
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = opened("sites", column="site", details="groups")
    assert "**Worse than chance explains: \\*b\\*.**" in paragraphs(app)
    (rows,) = (each.value for each in app.dataframe if "beyond chance" in each.value)
    assert rows[["group", "beyond chance"]].to_numpy().tolist() == [["*b*", "less accurate, over-confident"], ["a", ""]]
    assert rows["interval"].str.fullmatch(r"\d+\.\d\d to \d+\.\d\d").all()
    app = opened("sites", column="age", details="groups")
    (rows,) = (each.value for each in app.dataframe)
    assert not rows["beyond chance"].any()
    assert "**No group is worse than chance explains.**" in paragraphs(app)


def cards(app: AppTest) -> dict[str, str]:
    return {each.label: each.value for each in app.metric}


def test_the_figures_of_every_way_to_predict_are_said(cache: Path) -> None:
    app, run = opened("labelled", details="figures"), mcviz.open_run(cache / "labelled")
    table = calibration_figures(app)
    of_label = np.take_along_axis(run.mean_probs, run.labels[:, None], axis=1)
    nll = -np.log(np.maximum(of_label.astype(np.float64), 1 / 131068)).mean()
    assert table.loc["ensemble", "NLL, nats"].startswith(f"{nll:.4f} (")
    assert table.loc["ensemble", "accuracy"].startswith(f"{100 * run.ensemble_accuracy[-1]:.2f}% (")
    assert table.loc["deterministic", "accuracy"].startswith(f"{100 * run.deterministic_accuracy:.2f}% (")
    assert table.loc["single pass", "accuracy"].startswith(f"{100 * run.pass_accuracy.mean():.2f}% (")
    for column in ("ECE", "ECE, equal mass"):
        for way in ("ensemble", "single pass"):
            assert re.fullmatch(r"\d+\.\d\d%, chance \d+\.\d\d%", table.loc[way, column])
        assert re.fullmatch(r"[+-]\d+\.\d\d points", table.loc["ensemble − deterministic", column])
    assert {"ensemble − deterministic", "ensemble, temperature-scaled"} <= set(table.index)
    (opening,) = (each for each in paragraphs(app) if each.startswith("**The ensemble.**"))
    for sentence in calibration_sentences(measured(run))[2:]:
        assert opening.count(sentence) == 1
        assert sentence not in " ".join(each for each in paragraphs(app) if each != opening), "it is said once"


@pytest.mark.parametrize("run", ["labelled", "right"])
def test_the_first_sentence_answers_in_plain_words_and_gives_the_figures_of_the_command_line(
    cache: Path, run: str
) -> None:
    found = measured(mcviz.open_run(cache / run))
    answer = paragraphs(opened(run))[0]
    assert answer == f"**{ANSWERS[find_verdict(found)]}** {' '.join(calibration_sentences(found)[:2])}"
    assert answer.startswith(("**Yes, ", "**No, ", "**Too few "))


def test_the_first_screen_names_no_nats() -> None:
    assert "nats" not in words(opened("labelled"))


def measured(run: mcviz.Run) -> Calibration:
    return calibration(predictors(run))


@pytest.mark.parametrize(
    ("referral", "wanted", "target"),
    [("budget", "17", {"budget": 17}), ("accuracy", "0.95", {"accuracy": 0.95}), ("miss", "0.2", {"miss": 0.2})],
)
@pytest.mark.parametrize("score", ["max_probability", "mutual_information"])
def test_the_cards_say_what_a_referral_comes_to(
    cache: Path, referral: str, wanted: str, target: dict[str, float], score: str
) -> None:
    run = mcviz.open_run(cache / "labelled")
    shown, table = cards(opened("labelled", referral=referral, wanted=wanted, score=score)), run.scores()
    found = refer(run, score=score, **target)
    referred = np.isin(np.arange(EXAMPLES), found.examples)
    wrong = ~table["correct"].to_numpy(bool)
    assert shown["To a person"] == f"{referred.sum():,}"
    assert shown["Mistakes caught"] == f"{(wrong & referred).sum():,}"
    assert shown["Mistakes missed"] == f"{(wrong & ~referred).sum():,}"
    assert referral_filters(found).mask(table).tolist() == referred.tolist()


def test_what_is_referred_is_a_selection(cache: Path) -> None:
    app = opened("labelled", referral="budget", wanted="17")
    app.button(key="select-referred").click().run()
    assert_sound(app)
    query = {key: app.query_params[key] for key in app.query_params}
    kept = Filters.from_query(query, RunLimits(EXAMPLES, 3))
    table = mcviz.open_run(cache / "labelled").scores()
    assert set(np.flatnonzero(kept.mask(table))) == set(refer(mcviz.open_run(cache / "labelled"), budget=17).examples)


def test_the_list_for_these_labels_and_that_for_new_examples_are_both_a_selection_and_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_doubtful_run(tmp_path / "run", 1000, 1)
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    found, app = refer(run, quality=0.99), opened("run", referral="accuracy", wanted="0.99")
    lists = {"these labels": found.examples, "new examples": found.guaranteed_examples}
    ids = run.scores()["id"]
    for name, examples in lists.items():
        assert f"**{len(examples):,} examples to look at** for {name}" in words(app)
        assert pd.read_csv(BytesIO(referral_csv(found, name)))["id"].tolist() == ids.iloc[examples].tolist()
    assert 0 < len(found.examples) < len(found.guaranteed_examples)
    assert len(app.get("download_button")) == 2
    app.button(key="select-guaranteed").click().run()
    assert f"**{len(found.guaranteed_examples)}** of 1,000 examples match" in words(app)


def test_what_is_referred_is_reviewed(cache: Path) -> None:
    app = opened("labelled", referral="budget", wanted="17")
    kept_of(app)["reviewer"] = "Ada"
    app.button(key="review-referred").click().run()
    assert_sound(app)
    count = len(refer(mcviz.open_run(cache / "labelled"), budget=17).examples)
    assert f"**0** of {count} examples decided" in app.get("progress")[0].proto.text


def test_the_same_control_selects_on_uncertain_examples(cache: Path) -> None:
    app = opened_page("uncertain", {"run": "labelled", "referral": "budget", "wanted": "17"})
    app.button(key="action-refer").click().run()
    app.button(key="select-referred").click().run()
    assert_sound(app)
    count = len(refer(mcviz.open_run(cache / "labelled"), budget=17).examples)
    assert f"**{count}** of {EXAMPLES} examples match" in words(app)


def test_the_cheapest_threshold_is_the_referral_where_it_pays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    sure = random.uniform(0.5, 1, 1000)
    probs, labels = np.stack([sure, 1 - sure], axis=1), (random.random(1000) > sure).astype(int)
    mcviz.write_run(tmp_path / "run", np.stack([probs, (probs + 0.5) / 2]), labels=labels)
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    found = find_cheapest_referral(mcviz.open_run(tmp_path / "run"), 5, 1)
    app = opened("run", mistake_costs="5", look_costs="1", referral="cheapest")
    assert found.in_words.startswith("It is cheaper to look at")
    assert as_markdown(found.in_words) in [each.value for each in app.markdown]
    costs = found.costs
    assert (
        f"{len(costs.on_others.referred):,} reviews and the mistakes that are missed cost {costs.cost:,.6g};"
        in words(app)
    )
    assert f"no review costs {costs.of_none:,.6g}, and a review of all 500 costs {costs.of_all:,.6g}." in words(app)
    shown = cards(app)
    assert shown["To a person"] == f"{found.looks:,}"
    correct = mcviz.open_run(tmp_path / "run").scores()["correct"].to_numpy(bool)
    assert shown["Mistakes missed"] == f"{(~np.delete(correct, found.referral.examples)).sum():,}"
    app.button(key="select-referred").click().run()
    assert f"**{found.looks}** of 1,000 examples match" in words(app)


@pytest.mark.parametrize(("mistake", "look", "cheaper", "count"), [("0", "1", "none", 0), ("9", "0", "all", EXAMPLES)])
def test_where_no_threshold_pays_nobody_looks_or_somebody_at_all(
    mistake: str, look: str, cheaper: str, count: int
) -> None:
    app = opened("labelled", mistake_costs=mistake, look_costs=look, referral="cheapest")
    assert f"No threshold is shown to be cheaper than looking at {cheaper}" in words(app)
    assert cards(app)["To a person"] == f"{count:,}"


def test_addresses_of_details_that_went_into_others_open_those(cache: Path) -> None:
    app = opened("labelled", details="costs,mistakes", mistake_costs="7")
    assert widget(app.segmented_control, "referral").value == "cheapest"
    assert widget(app.number_input, "mistake_costs").value == 7
    assert "**The mistakes that nobody sees**" in paragraphs(app)
    assert not app.warning, "nothing of the address is left out"
    widget(app.segmented_control, "referral").set_value("budget").run()
    assert app.query_params["details"] == "scores"
    assert widget(app.segmented_control, "referral").value == "budget"


def test_groups_are_compared_by_their_accuracy(cache: Path) -> None:
    (rows,) = (each.value for each in opened("labelled", column="label", details="groups").dataframe)
    table = mcviz.open_run(cache / "labelled").scores()
    for row in rows.itertuples():
        members = table[table["label"] == ["*cat*", "dog", "owl"].index(row.group)]
        assert row.examples == len(members)
        assert row.accuracy == pytest.approx(members["correct"].mean())
    assert rows["accuracy"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("run", "said"), [("unlabelled", "Without labels"), ("one", "Too few"), ("values", "intervals")]
)
def test_a_run_of_which_nothing_can_be_told_says_so(run: str, said: str) -> None:
    app = opened(run)
    assert said in words(app)
    assert not app.metric


def test_without_labels_the_accuracy_is_estimated_by_a_run_with_labels_that_is_chosen(cache: Path) -> None:
    app = opened("unlabelled")
    assert widget(app.selectbox, "calibrated_on").options == ["labelled", "right"], "of as many classes"
    found = {
        name: estimate_accuracy(*map(mcviz.open_run, (cache / "unlabelled", cache / name)))
        for name in ("labelled", "right")
    }
    assert as_markdown(found["labelled"].sentences[0]) in paragraphs(app)[0]
    widget(app.selectbox, "calibrated_on").set_value("right").run()
    assert_sound(app)
    assert as_markdown(found["right"].sentences[0]) in paragraphs(app)[0]
    (rows,) = (each.value for each in app.dataframe if "corrected p" in each.value)
    assert rows["corrected p"].tolist() == [each.corrected for each in found["right"].columns]
    assert not rows["shifted"].any(), "these are the same examples"


def test_without_labels_and_a_run_that_has_some_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mcviz.write_run(tmp_path / "alone", np.random.default_rng(0).dirichlet(np.ones(3), (4, 9)))
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    said = words(opened("alone"))
    assert "no run of the same model with labels here" in said
    assert "Without labels nobody can tell" in said
    assert "import them again with labels" in said


def test_without_mistakes_no_score_is_the_best_at_finding_them(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = opened("right", details="scores")
    assert "no mistakes by which scores could be ranked" in words(app)
    assert "finds mistakes best" not in words(app)
    assert main(["trust", str(cache / "right")]) == 0
    told = capsys.readouterr().out
    assert "no mistakes by which scores could be ranked" in told
    assert "ties with the best" not in told


def test_a_detail_is_computed_when_it_is_opened_and_is_in_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    monkeypatch.setattr(calibration_parts, "render_groups", lambda *_: computed.append("groups"))
    monkeypatch.setattr(referral_parts, "render_prediction_sets", lambda *_: computed.append("sets"))
    app = opened("labelled")
    assert [each.label for each in app.expander] == [
        "How accurate is each way to predict?",
        "Does a group fare worse?",
        "Which score finds the mistakes?",
        "How many classes are possible?",
    ]
    assert not computed
    app = opened("labelled", details="sets,nothing,groups")
    assert computed == ["groups", "sets"]


def test_a_control_that_was_changed_is_in_the_address() -> None:
    app = opened("labelled")
    widget(app.segmented_control, "referral").set_value("accuracy").run()
    widget(app.number_input, "wanted-accuracy").set_value(90.0).run()
    assert (app.query_params["referral"], app.query_params["wanted"]) == ("accuracy", "0.9")


@pytest.mark.slow
def test_the_answer_is_true_of_the_shipped_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCVIZ_CACHE", str(SHIPPED_RUNS[0].parent))
    answer = paragraphs(opened(SHIPPED_RUNS[0].name))[0]
    assert answer.startswith("**No, the probabilities are too low: the model is right more often than they say.**")
    assert "The ensemble is under-confident by 0.79 percentage points (95% interval 0.61 to 0.94)." in answer


def test_the_worst_slice_is_a_link_that_selects_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = in_groups(tmp_path / "sites", 0.7)
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = opened("sites")
    assert "The worst slice is site \\*b\\*: " in words(app)
    assert "The worst slice by calibration is site \\*b\\*: " in words(app)
    links = [each.proto for each in app.get("page_link") if each.proto.label == "Filter to these 400"]
    assert len(links) == 2
    for link in links:
        query = {name: value for name, (value,) in parse_qs(link.query_string).items()}
        selected = Filters.from_query(query).mask(run.table())
        np.testing.assert_array_equal(selected, run.table()["site"] == "*b*")


def test_of_a_run_of_numbers_it_says_how_many_labels_its_intervals_hold_and_draws_them_by_size(cache: Path) -> None:
    run = mcviz.open_run(cache / "values")
    app, trusted = opened("values", details="widths"), mcviz.trust(run)
    assert paragraphs(app)[0].replace("**", "") == trusted.sentences[0]
    (chart,) = (each for each in app.get("plotly_chart") if "coverage-by-size" in each.proto.id)
    drawn = {trace["name"]: trace["y"] for trace in json.loads(chart.proto.spec)["data"]}
    assert list(drawn) == ["all", "lowest third", "middle third", "highest third"]
    outputs, labels = run.predictions_block(0, None)[..., 0].astype(float), run.labels[:, 0]
    order = np.argsort(outputs.mean(axis=0), kind="stable")
    for name, part in zip(drawn, (order, *np.array_split(order, 3)), strict=True):
        ends = np.quantile(outputs[:, part], [0.05, 0.95], axis=0, method="weibull")
        held = np.mean((ends[0] <= labels[part]) & (labels[part] <= ends[1]))
        assert decoded(drawn[name])[2] == pytest.approx(held), name
    (table,) = (each.value for each in app.table)
    assert "split-conformal, of one width" in table.index
    assert next(each for each in app.get("download_button") if each.proto.label == "Intervals as CSV")


def test_a_run_with_too_few_labels_estimates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(3), (4, 9))
    mcviz.write_run(tmp_path / "few", probs, labels=np.arange(9) % 3)
    mcviz.write_run(tmp_path / "unlabelled", probs)
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    assert "no run of the same model with labels here" in words(opened("unlabelled"))


def test_that_no_slice_is_worse_is_said() -> None:
    assert "No slice is worse than chance explains, of " in words(opened("right"))


def test_groups_that_belong_together_are_chosen_where_there_are_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_groups(tmp_path / "sites", 0.7)
    monkeypatch.setenv("MCVIZ_CACHE", str(tmp_path))
    app = opened("sites")
    assert "Examples count as independent." in words(app)
    before = paragraphs(app)[0]
    widget(app.selectbox, "group").set_value("site").run()
    assert_sound(app)
    assert app.query_params["group"] == "site"
    assert "only between groups: 2 by site." in words(app)
    assert paragraphs(app)[0] != before
    assert "There are too few groups to tell whether the ensemble is calibrated: 2." in paragraphs(app)[0]


def test_without_columns_it_is_said_that_examples_are_independent() -> None:
    app = opened("right", group="site")
    assert "Examples count as independent." in words(app)
    assert not [each for each in app.selectbox if each.key.startswith("group")]
