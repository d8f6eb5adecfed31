"""What is said of a run's probabilities, its referrals, its labels and what to label next; on the command line too."""

import json
import re
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mcviz
from mcviz.analysis import base
from mcviz.analysis.base import RANKING_SCORES
from mcviz.analysis.labelling import acquire, count_label_errors, label_issues
from mcviz.analysis.referral import rank_by_all_scores, refer
from mcviz.analysis.trust import compute_convergence, group_by_column, main_predictors, predictors
from mcviz.choices import METHODS
from mcviz.cli import main
from mcviz.errors import InvalidInputError
from mcviz.measures import margin
from mcviz.measures.calibration import calibration, calibration_sentences, pass_gain_sentence
from mcviz.measures.labels import batch_bald, power_bald
from mcviz.runs import Run
from tests.runs.making import make

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "cache" / "mnist-cnn"


@pytest.fixture(scope="module")
def shipped() -> Run:
    return mcviz.open_run(SHIPPED)


def made_up(
    path: Path, examples: int, seed: int, *, labelled: bool = True, doubt: float = 1.0, classes: int = 3
) -> Run:
    """A run of a model that is often wrong where its passes are in doubt; more `doubt` is another distribution."""
    random, classes = np.random.default_rng(seed), 3
    truth, certainty = random.integers(classes, size=examples), random.gamma(3, 2 / doubt, examples)
    evidence = random.normal(size=(examples, classes)) + certainty[:, None] * np.eye(classes)[truth]
    logits = evidence + 0.3 * random.normal(size=(8, examples, classes))
    probs = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    columns = pd.DataFrame({"source": np.where(np.arange(examples) % 3 == 0, "a", "b"), "number": np.arange(examples)})
    columns.loc[:4, "source"] = None
    return mcviz.write_run(
        path,
        probs.astype(np.float32),
        labels=truth if labelled else None,
        ids=[f"item {example}" for example in range(examples)],
        columns=columns,
        class_names=["cat", "dog", "=owl"],
    )


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_up(tmp_path_factory.mktemp("runs") / "old", 3000, 0)


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_up(tmp_path_factory.mktemp("runs") / "new", 1000, 1, labelled=False)


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a refusal prints."""
    assert main([str(argument) for argument in arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert line.startswith("mcviz: ")
    return line


# Referrals


def test_the_referral_that_is_printed_for_the_shipped_run_is_that_of_its_table(capsys) -> None:
    found = json.loads(printed(capsys, "refer", SHIPPED, "--accuracy", "0.999", "--json"))
    table = pd.read_parquet(SHIPPED / "scores.parquet")
    best = None
    for threshold in sorted(table["max_probability"].unique()):
        rest = table[table["max_probability"] > threshold]
        if (rest["correct"]).mean() >= 0.999:
            best = threshold, rest
            break
    threshold, rest = best
    assert found["referred"] == len(table) - len(rest) == len(found["ids"]) == len(set(found["ids"]))
    assert (found["threshold"], found["referred_when"]) == (threshold, "at or below")
    assert found["accuracy_of_rest"] == pytest.approx(rest["correct"].mean(), abs=1e-12)
    assert found["missed"] == (~rest["correct"]).sum()
    assert found["caught"] + found["missed"] == (~table["correct"]).sum()
    ranked = table.sort_values("max_probability", kind="stable")["id"].iloc[: found["referred"]]
    assert found["ids"] == ranked.tolist()

    given = found["guaranteed"]
    assert (given["confidence"], given["accuracy_at_least"], given["score"]) == (0.95, 0.999, "max_probability")
    referred = table["max_probability"] <= given["threshold"]
    assert given["referred"] == referred.sum() == len(given["ids"])
    assert given["accuracy_of_rest"] == pytest.approx(table["correct"][~referred].mean(), abs=1e-12)
    _, second = np.array_split(np.random.default_rng(0).permutation(10_000), 2)
    half, tested = table.iloc[second], given["tested_on"]
    assert tested["examples"] == len(half)
    assert tested["referred"] == (half["max_probability"] <= given["threshold"]).sum()
    missed = int((~half["correct"][half["max_probability"] > given["threshold"]]).sum())
    assert tested["missed"] == missed
    kept = tested["examples"] - tested["referred"]
    chance = sum(  # of so few mistakes, if the accuracy were lower
        float(np.prod([(kept - i) / (i + 1) for i in range(k)])) * 0.001**k * 0.999 ** (kept - k)
        for k in range(missed + 1)
    )
    assert chance <= 0.05

    assert json.loads(printed(capsys, "refer", SHIPPED, "--accuracy", "99.9%", "--json")) == found
    lines = printed(capsys, "refer", SHIPPED, "--accuracy", "99.9%").splitlines()
    looked_at = f"{found['referred']:,} of 10,000"
    assert lines[0] == f"For an accuracy of the rest of 99.9% a person looks at {looked_at} examples."
    guaranteed = f"{given['referred']:,} of 10,000 examples."
    assert lines[1] == f"With 95% confidence at least 99.90% of the rest are right where a person looks at {guaranteed}"
    (on_labels,) = (line.split("  ") for line in lines if line.startswith("these labels"))
    assert found["caught"] + found["missed"] == 70
    figures = [looked_at, f"{found['caught']} of 70", f"{found['accuracy_of_rest']:.2%}"]
    assert [cell.strip() for cell in on_labels if cell][-3:] == figures
    (on_tested,) = (line for line in lines if line.startswith("the labels that tested the guarantee"))
    assert f"{tested['referred']:,} of {tested['examples']:,}" in on_tested
    assert f"{tested['caught']} of {tested['caught'] + missed}" in on_tested
    assert ", ".join(found["ids"][:10]) in lines[-2]


@pytest.mark.parametrize("score", RANKING_SCORES)
def test_every_score_refers_by_its_uncertain_end(shipped: Run, score: str) -> None:
    found = refer(shipped, budget=300, score=score)
    values = shipped.scores()[score]
    uncertain = values <= found.threshold if mcviz.SCORES[score].uncertain_when == "low" else values >= found.threshold
    assert set(found.examples) == set(np.flatnonzero(uncertain))
    assert len(found.examples) <= 300
    assert found.on_labels.caught > 30
    assert found.table["id"].tolist() == shipped.scores()["id"].iloc[found.examples].tolist()


def test_a_score_that_a_run_has_not_is_left_out(old: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "RANKING_SCORES", (*RANKING_SCORES, "score of tomorrow"))
    assert set(rank_by_all_scores(old)) - {"deterministic"} == set(RANKING_SCORES)
    with pytest.raises(InvalidInputError, match="`score` should be 'max_probability' or"):
        refer(old, budget=3, score="score of tomorrow")


def test_a_share_of_mistakes_is_missed_at_most(old: Run) -> None:
    found = refer(old, miss=0.1).as_dict()
    mistakes = found["caught"] + found["missed"]
    assert found["missed"] <= 0.1 * mistakes < found["missed"] + 1
    assert refer(old, miss=0).as_dict()["missed"] == 0


def test_a_threshold_of_a_labelled_run_is_applied_to_one_without_labels(old: Run, new: Run, tmp_path, capsys) -> None:
    file = tmp_path / "look.csv"
    command = ["refer", new.path, "--calibrated-on", old.path, "--accuracy", "0.97", "--to", file]
    assert main([str(word) for word in [*command, "--json"]]) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    of_old = refer(old, accuracy=0.97)
    assert found["threshold"] == found["guaranteed"]["threshold"] == of_old.guaranteed_threshold
    values = new.scores()["max_probability"]
    assert found["referred"] == (values <= found["threshold"]).sum() == len(found["ids"])
    assert found["accuracy_of_rest"] is found["missed"] is None
    assert found["guaranteed"]["tested_on"]["examples"] == 1500
    assert found["shift"]["p_value"] > 0.01
    (warning,) = told.err.splitlines()
    assert "do not say which model made them" in warning
    assert pd.read_csv(file)["id"].tolist() == found["ids"]
    assert pd.read_csv(file)["prediction_name"].isin(["cat", "dog", "=owl"]).all()


def test_a_new_run_with_labels_shows_what_a_threshold_of_another_comes_to(old: Run, tmp_path: Path, capsys) -> None:
    more = made_up(tmp_path / "more", 2000, 2)
    found = refer(more, accuracy=0.97, calibrated_on=old)
    rest = more.scores()["max_probability"] > found.threshold
    assert found.accuracy_of_rest == pytest.approx(more.scores()["correct"][rest].mean())
    assert found.accuracy_of_rest > 0.96
    assert "\nthis run's labels  " in printed(capsys, "refer", more.path, "--calibrated-on", old.path, "--budget", 50)


def test_new_examples_that_are_not_like_the_old_ones_are_noticed(old: Run, tmp_path: Path) -> None:
    moved = made_up(tmp_path / "moved", 1000, 3, labelled=False, doubt=2)
    found = refer(moved, accuracy=0.97, calibrated_on=old)
    assert found.shift.p_value < 1e-6
    assert "distributed otherwise" in found.warnings[-1]


def test_the_same_model_is_needed(shipped: Run, tmp_path: Path) -> None:
    assert refer(shipped, budget=100, calibrated_on=shipped).warnings == ()
    other = mcviz.open_run(ROOT / "cache" / "fashion-cnn")
    with pytest.raises(InvalidInputError, match=r"for one model\. Received: .*, of two"):
        refer(other, budget=100, calibrated_on=shipped)
    first, second = make(tmp_path / "first"), make(tmp_path / "second", labelled=False, passes=7)
    assert "differ in their passes" in refer(second, budget=1, calibrated_on=first).warnings[0]
    scaled = make(tmp_path / "scaled", labelled=False, preprocessing=mcviz.runs.Preprocessing(divide_by=255.0))
    with pytest.raises(InvalidInputError, match="two kinds of preprocessing"):
        refer(scaled, budget=1, calibrated_on=first)


def test_trust_prints_convergence_sets_and_the_cheapest_threshold(old: Run, capsys) -> None:
    costs = ["--mistake-cost", "50", "--look-cost", "2"]
    found = json.loads(printed(capsys, "trust", old.path, *costs, "--score", "margin", "--json"))
    convergence = compute_convergence(old, "margin")
    assert found["convergence"]["sizes"] == convergence.sizes.tolist() == [1, 2, 5, 8]
    assert found["convergence"]["enough"] == convergence.enough
    assert found["convergence"]["accuracy"][-1] == pytest.approx(old.ensemble_accuracy[-1])
    assert found["convergence"]["shared_top"][0] is None
    assert 0.88 < found["prediction_sets"]["coverage"]["value"] < 0.92
    margin, wrong = old.scores()["margin"].to_numpy(), ~old.scores()["correct"].to_numpy(bool)
    order = np.argsort(margin, kind="stable")
    choosing, judging = np.array_split(np.random.default_rng(0).permutation(len(wrong)), 2)
    in_half, of_others = order[np.isin(order, choosing)], order[np.isin(order, judging)]
    slow = [2 * looks + 50 * wrong[in_half[looks:]].sum() for looks in range(len(in_half) + 1)]
    cutoff = margin[in_half[int(np.argmin(slow)) - 1]]
    looks = int((margin[of_others] <= cutoff).sum())
    cheapest, judged = found["cheapest"], found["cheapest"]["judged_on"]
    assert cheapest["threshold"] == pytest.approx(cutoff)
    assert cheapest["looks"] == int((margin <= cutoff).sum())
    assert (judged["examples"], judged["looks"]) == (len(wrong) // 2, looks)
    assert judged["cost"] == 2 * looks + 50 * wrong[of_others[looks:]].sum()
    assert (judged["of_none"], judged["of_all"]) == (50 * wrong[judging].sum(), 2 * len(judging))
    assert cheapest["pays"]
    assert 0 < judged["saved"]["low"] < judged["saved"]["value"] < judged["saved"]["high"]

    lines = printed(capsys, "trust", old.path, *costs, "--score", "margin").splitlines()
    assert cheapest["in_words"].startswith(f"It is cheaper to look at those with margin up to {cutoff:.4g}, here")
    told = lines.index(cheapest["in_words"])
    assert [line.split()[-1] for line in lines[told + 2 : told + 5]] == [
        f"{judged[name]:,.6g}" for name in ("cost", "of_none", "of_all")
    ]
    assert any(line.split()[0] == "8" and f"{100 * old.ensemble_accuracy[-1]:.2f}%" in line for line in lines if line)
    assert "classes in a set" in "\n".join(lines)
    assert json.loads(printed(capsys, "trust", old.path, "--json"))["cheapest"] is None
    assert "cheaper" not in printed(capsys, "trust", old.path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mistake-cost", "3"], "both --mistake-cost and --look-cost"),
        (["--look-cost", "3"], "both --mistake-cost and --look-cost"),
        (["--mistake-cost", "-1", "--look-cost", "3"], "--mistake-cost"),
        (["--mistake-cost", "nan", "--look-cost", "3"], "`mistake` should be"),
        (["--mistake-cost", "inf", "--look-cost", "3"], "`mistake` should be"),
        (["--score", "self_confidence"], "`score` should be 'max_probability' or"),
    ],
)
def test_costs_that_cannot_be_are_refused_in_one_line(old: Run, options: list[str], words: str, capsys) -> None:
    assert words in refused(capsys, "trust", old.path, *options)


def test_where_nothing_can_be_guaranteed_that_is_said(old: Run, new: Run, capsys) -> None:
    found = refer(old, accuracy=0.99999)
    assert found.guarantee is found.guaranteed_examples is found.as_dict()["guaranteed"] is None
    assert len(found.examples) > 0
    assert "Nothing is guaranteed for new examples" in printed(capsys, "refer", old.path, "--accuracy", "0.99999")
    with pytest.raises(InvalidInputError, match="guarantee no threshold"):
        refer(new, accuracy=0.99999, calibrated_on=old)


def test_nobody_is_needed_where_all_is_good_enough(old: Run, capsys) -> None:
    found = refer(old, accuracy=0.2)
    assert (found.threshold, len(found.examples)) == (None, 0)
    assert found.as_dict()["threshold"] is None
    assert "a person looks at none of 3,000 examples" in printed(capsys, "refer", old.path, "--accuracy", "0.2")


@pytest.mark.exhaustive
def test_what_the_documents_quote_is_printed(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
    quotes = re.findall(r"^```\nmcviz (.*)\n```\n\n((?:> .*\n)+)", text, re.MULTILINE)
    assert len(quotes) == 4
    for command, quoted in quotes:
        lines = printed(capsys, *command.split()).splitlines()
        assert {line.removeprefix("> ") for line in quoted.splitlines()} <= set(lines), command
        printed_cells = [re.split(r"\s{2,}", line.strip()) for line in lines]
        for row in quoted_rows(text, quoted):
            assert row in printed_cells, command
    ties = [line for line in lines_of_scores(capsys) if line.endswith("ties with the best")]
    assert len(ties) == len(RANKING_SCORES) + 1


def quoted_rows(text: str, quoted: str) -> list[list[str]]:
    """The rows of the table right behind a quotation, where there is one."""
    table = re.match(r"\n((?:\|.*\n)+)", text[text.index(quoted) + len(quoted) :])
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()] if table else []
    return [row for row in rows if set("".join(row)) != {"-"}]


def lines_of_scores(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = printed(capsys, "trust", SHIPPED).splitlines()
    return lines[[line.startswith("AUGRC") for line in lines].index(True) + 1 :]


# What is refused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "one target: accuracy, budget or miss. Received: none of them"),
        (["--accuracy", "0.9", "--budget", "3"], "Received: accuracy and budget"),
        (["--accuracy", "1.5"], "`accuracy` should be"),
        (["--accuracy", "nan"], "`accuracy` should be"),
        (["--accuracy", "%"], "expected a share such as 0.05 or 5%, received '%'"),
        (["--accuracy", "much"], "expected a share such as 0.05 or 5%, received 'much'"),
        (["--miss", "120%"], "`miss` should be"),
        (["--budget", "-1"], "--budget"),
        (["--budget", "3", "--confidence", "0.4"], "`confidence` should be above 0.5 and below 1"),
        (["--budget", "3", "--confidence", "1"], "`confidence` should be above 0.5 and below 1"),
        (["--budget", "3", "--score", "self_confidence"], "`score` should be 'max_probability' or"),
        (["--budget", "3", "--to", "look.xlsx"], "written to .csv or .parquet. Received: look.xlsx"),
        (["--budget", "3", "--to", "nowhere/look.csv"], "nowhere/look.csv cannot be written"),
        (["--budget", "3", "--calibrated-on", "nowhere"], "nowhere"),
    ],
)
def test_a_referral_that_cannot_be_is_refused_in_one_line(
    old: Run, arguments: list[str], words: str, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in refused(capsys, "refer", old.path, *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def unfit(tmp_path_factory: pytest.TempPathFactory, new: Run) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("unfit")
    outputs = np.random.default_rng(0).normal(size=(4, 9, 1)).astype(np.float32)
    regression = mcviz.write_run(folder / "regression", outputs, labels=outputs[0], task="regression")
    return {"no labels": new.path, "regression": regression.path, "one": made_up(folder / "one", 1, 0).path}


@pytest.mark.parametrize(
    ("command", "kind", "words"),
    [
        (command, kind, words)
        for command in (["trust"], ["refer", "--budget", "1"], ["label-issues", "--to", "out.csv"])
        for kind, words in (
            ("no labels", "has none"),
            ("regression", "of regression. Of a regression, the dashboard shows"),
            ("one", "2 examples or more"),
        )
        if (command, kind) != (["trust"], "regression")
    ],
)
def test_a_run_that_is_unfit_is_refused_in_one_line(
    unfit: dict[str, str], command: list[str], kind: str, words: str, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in refused(capsys, *command, unfit[kind])
    assert list(tmp_path.iterdir()) == []


# Calibration


@pytest.mark.exhaustive
def test_the_figures_of_the_shipped_run(shipped: Run, capsys) -> None:
    found = json.loads(printed(capsys, "trust", SHIPPED, "--by", "label", "--json"))
    figures = found["figures"]
    accuracies = {"ensemble": shipped.ensemble_accuracy[-1], "single_pass": shipped.pass_accuracy.mean()}
    accuracies["deterministic"] = shipped.deterministic_accuracy
    for way, accuracy in accuracies.items():
        assert figures[way]["accuracy"]["value"] == pytest.approx(accuracy), way
    labels = shipped.labels
    for way, probs in (("ensemble", shipped.mean_probs), ("deterministic", shipped.deterministic_probs)):
        of_label = probs[np.arange(10_000), labels].astype(np.float64)
        assert figures[way]["nll"]["value"] == pytest.approx(-np.log(np.maximum(of_label, 1 / 131068)).mean())
        confidence, correct = probs.max(axis=1).astype(np.float64), probs.argmax(axis=1) == labels
        bins = np.ceil(confidence * 15)
        gaps = [abs((confidence - correct)[bins == number].sum()) for number in range(1, 16)]
        assert figures[way]["ece"]["value"] == pytest.approx(sum(gaps) / 10_000, abs=1e-6)
    assert found["in_words"].startswith("The ensemble is under-confident by 0.79 percentage points")
    assert "0.02 percentage points above that of the deterministic model, within noise" in found["in_words"]
    assert len(found["groups"]) == 10
    of_class = shipped.scores().groupby("label")["correct"].mean()
    nine = found["groups"][shipped.class_names[9]]["figures"]["ensemble"]["accuracy"]
    assert nine["value"] == pytest.approx(of_class[9])
    assert nine["low"] < nine["value"] < nine["high"]
    assert set(found["scores"]) == {*RANKING_SCORES, "deterministic"}
    best = found["scores"]["max_probability"]["above_best"]
    assert best["value"] == 0
    assert best["high"] == -best["low"] > 0


def test_the_figures_are_printed_with_a_sentence_before_them(old: Run, capsys) -> None:
    lines = printed(capsys, "trust", old.path, "--by", "source").splitlines()
    assert lines[0].startswith("The ensemble is ")
    assert "deterministic" not in " ".join(lines)  # the run has none
    (ensemble,) = [line for line in lines if line.startswith(f"  ensemble  {'':<20}") and "%" in line][:1]
    assert f"{100 * old.ensemble_accuracy[-1]:.2f}%" in ensemble
    groups = lines[lines.index("accuracy of the ensemble, by source") + 1 :][:3]
    assert {line.split()[0] for line in groups} == {"–", "a", "b"}
    assert sum(int(line.split()[1].replace(",", "")) for line in groups) == 3000


def test_ways_that_are_read_shard_by_shard_are_those_of_all_passes(shipped: Run, old: Run) -> None:
    assert set(predictors(shipped)) == {*predictors(old), "deterministic", "deterministic_scaled"}
    assert list(main_predictors(old)) == ["ensemble"]
    assert list(main_predictors(shipped)) == ["ensemble", "deterministic"]
    ways = predictors(old)
    single, sentence = ways["single_pass"], calibration_sentences(calibration(ways, resamples=20))[-1]
    assert old.pass_accuracy is not None
    early = pass_gain_sentence(float(ways["ensemble"]["correct"].mean()), old.pass_accuracy)
    assert early.startswith("Its accuracy is ")
    assert sentence.startswith(early.removesuffix(".")), "what is said before the passes are read stays true"
    probs = old.probs_block(0, None)
    np.testing.assert_array_equal(single["correct"], (probs.argmax(axis=2) == old.labels).T)
    np.testing.assert_allclose(single["confidence"], probs.max(axis=2).T)


def test_shards_that_are_read_at_once_give_what_one_after_the_other_gives(
    old: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    at_once = compute_convergence(old, "margin", lambda *done: told.append(done))
    assert told == [(shard + 1, old.manifest.shards) for shard in range(old.manifest.shards)]
    monkeypatch.setattr("mcviz.analysis.trust.MOST_THREADS", 1)
    one_by_one = compute_convergence(old, "margin")
    for name in ("sizes", "accuracy", "nll", "ece", "shared_top"):
        np.testing.assert_array_equal(getattr(at_once, name), getattr(one_by_one, name))

    def stop(*_: int) -> None:
        raise InterruptedError

    threads = threading.active_count()
    with pytest.raises(InterruptedError):
        compute_convergence(old, "margin", stop)
    assert threading.active_count() == threads, "nothing works on"


def test_what_more_passes_are_worth_is_read_shard_by_shard(old: Run) -> None:
    found = compute_convergence(old, "margin")
    assert found.sizes.tolist() == [1, 2, 5, 8]
    assert found.accuracy.tolist() == pytest.approx([old.ensemble_accuracy[size - 1] for size in found.sizes])
    probs = old.probs_block(0, None)
    halves = [np.argsort(margin(half), kind="stable")[:100] for half in (probs[:4], probs[4:])]
    assert np.isnan(found.shared_top[0])
    assert found.shared_top[-1] == len(set(halves[0]) & set(halves[1])) / 100


def test_groups_are_those_of_a_column(old: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = group_by_column(old, "source")
    assert [found.names[number] for number in found.members[:8]] == ["–"] * 5 + ["b", "a", "b"]
    assert group_by_column(old, "label").names == ("cat", "dog", "=owl")
    with pytest.raises(InvalidInputError, match=r"columns label, prediction, source, number\. Received: colour"):
        group_by_column(old, "colour")
    ranges = group_by_column(old, "number")
    assert len(ranges.names) == 5
    assert np.bincount(ranges.members) == pytest.approx(len(old) / 5, rel=0.01), "numbers are cut where as many are"
    monkeypatch.setattr("mcviz.analysis.trust.MOST_GROUPS_OF_COLUMN", 2)
    with pytest.raises(InvalidInputError, match=r"at most 2 groups\. Received: source, with 3 values"):
        group_by_column(old, "source")


def in_groups(path: Path, worse: float) -> Run:
    """Of 2,000 examples and two sites, a model that is right in 90% as it says, but at site *b* in `worse`."""
    random = np.random.default_rng(5)
    site = np.where(np.arange(2000) % 5 == 0, "*b*", "a")
    labels = np.arange(2000) % 2
    right = random.random(2000) < np.where(site == "a", 0.9, worse)
    probs = np.where(np.eye(2)[np.where(right, labels, 1 - labels)] > 0, 0.9, 0.1).astype(np.float32)
    columns = pd.DataFrame({"site": site, "age": np.arange(2000) % 97 / 7})
    passes = probs + np.array([[[0.001, -0.001]], [[-0.001, 0.001]]])
    return mcviz.write_run(path, passes, labels=labels, columns=columns)


def test_a_group_that_fares_badly_is_not_hidden_by_a_good_average(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = in_groups(tmp_path / "run", 0.7)
    said, *_ = printed(capsys, "trust", run.path).splitlines()
    wrong = (~run.table()["correct"].astype(bool)).groupby(run.table()["site"]).mean()
    shares = f"{wrong['*b*']:.1%} of 400 examples are wrong, of the rest {wrong['a']:.1%}. "
    assert f"The worst slice is site *b*: {shares}" in said
    points = 100 * (wrong["*b*"] - (1 - run.mean_probs.max(axis=1).mean()))
    assert (
        f"The worst slice by calibration is site *b*: confidence − accuracy is {points:+.1f} points over 400 " in said
    )
    found = json.loads(printed(capsys, "trust", run.path, "--json"))["slices"]
    alone = json.loads(printed(capsys, "slices", run.path, "--json"))
    assert found == {name: alone[name] for name in found}
    assert [(each["measure"], each["where"]) for each in found["slices"]] == [
        ("mistakes", {"site": "*b*"}),
        ("overconfidence", {"site": "*b*"}),
    ]


def test_that_no_group_fares_worse_and_how_far_the_accuracy_is_from_guessing_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said, *_ = printed(capsys, "trust", in_groups(tmp_path / "run", 0.9).path).splitlines()
    assert "No slice is worse than chance explains, of 47 that were looked at." in said
    assert "Always answering the most frequent label would be right in 50.00% of the examples." in said


def test_groups_are_printed_with_the_least_accurate_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "trust", in_groups(tmp_path / "run", 0.7).path, "--by", "site").splitlines()
    at = lines.index("accuracy of the ensemble, by site")
    assert [line.split()[0] for line in lines[at + 1 : at + 3]] == ["*b*", "a"]


def test_the_deterministic_model_is_ranked_by_its_own_mistakes(shipped: Run) -> None:
    ranking = rank_by_all_scores(shipped)["deterministic"]
    assert ranking.correct.mean() == pytest.approx(shipped.deterministic_accuracy)
    assert ranking.uncertainty.argmax() == shipped.deterministic_probs.max(axis=1).argmin()


# Labels


def test_labels_that_were_exchanged_are_listed_first(tmp_path: Path, capsys) -> None:
    random = np.random.default_rng(0)
    truth = random.integers(3, size=300)
    probs = (0.1 * random.dirichlet(np.ones(3), (4, 300)) + 0.9 * np.eye(3)[truth]).astype(np.float32)
    labels = truth.copy()
    labels[::30] = (labels[::30] + 1) % 3
    run = mcviz.write_run(tmp_path / "run", probs, labels=labels, class_names=["a", "b", "c"])
    command = ["label-issues", run.path, "--first", "10"]
    told = printed(capsys, *command, "--to", tmp_path / "issues.csv")
    count = count_label_errors(run)
    assert count.low <= 10 <= count.high
    assert f"About {round(count.value)} of 300 labels are estimated to be wrong (95% interval " in told
    assert "Was the model trained on these labels?" in told
    found = pd.read_csv(tmp_path / "issues.csv")
    assert set(found["example"]) == set(range(0, 300, 30))
    assert found["self_confidence"].is_monotonic_increasing
    assert (found["prediction_name"] != found["label_name"]).all()
    assert found["label_name"].tolist() == [run.class_names[label] for label in labels[found["example"]]]
    assert "The ensemble predicts another class for 10." in told
    listed = json.loads(printed(capsys, *command, "--json", "--confidence", "50%"))
    assert listed["ids"] == list(map(str, found["id"]))
    assert listed["estimated"] == {"confidence": 0.5, **vars(count_label_errors(run, 0.5))}
    assert len(label_issues(run, 1000)) == 300


@pytest.mark.parametrize("worse", [False, True])
def test_the_gain_of_a_regression_is_that_of_its_paired_errors(tmp_path: Path, worse: bool) -> None:
    rng = np.random.default_rng(int(worse))  # or else the passes would be the same, and the run
    labels = rng.normal(0, 1, (200, 1))
    outputs = labels + rng.normal(0, 1, (10, 200, 1))
    deterministic = labels + rng.normal(0, 0.01 if worse else 0.32, (200, 1))
    run = mcviz.write_run(
        tmp_path / "run", outputs, task="regression", labels=labels, deterministic=deterministic, unit="m"
    )
    _, fixed, single = mcviz.trust(run).sentences
    ensemble = np.sqrt(((outputs.mean(axis=0) - labels) ** 2).mean())
    gain = np.sqrt(((outputs - labels) ** 2).mean()) - ensemble
    loss = ensemble - np.sqrt(((deterministic - labels) ** 2).mean())
    assert re.fullmatch(
        r"Its RMSE is better than that of a single pass by (\S+) m \((\S+) to (\S+)\): more than noise\.", single
    )
    assert float(single.split(" by ")[1].split()[0]) == pytest.approx(gain, rel=1e-3)
    value, low, high = (float(each) for each in re.findall(r"[-+]?\d+\.\d+(?:e-\d+)?", fixed))
    assert value == pytest.approx(loss, rel=1e-3)
    assert low < value < high
    if worse:
        assert "worse than that of the deterministic model" in fixed
        assert "more than noise" in fixed
    else:
        assert "within noise" in fixed
        assert low < 0 < high


def test_of_few_examples_no_gain_of_a_regression_is_claimed(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).normal(0, 1, (20, 1))
    passes = labels + np.random.default_rng(1).normal(0, 1, (10, 20, 1))
    columns = pd.DataFrame({"source": list("abcdefghij") * 2})
    run = mcviz.write_run(tmp_path / "run", passes, task="regression", labels=labels, columns=columns)
    few = mcviz.write_run(tmp_path / "few", passes[:, :19], task="regression", labels=labels[:19])
    assert "more than noise" in mcviz.trust(run).in_words
    assert "fewer than 20 examples, a gain of the ensemble cannot be told from chance" in mcviz.trust(few).in_words
    assert "fewer than 20 groups of examples, a gain of the ensemble" in mcviz.trust(run, group="source").in_words


@pytest.mark.parametrize("method", METHODS)
def test_what_to_label_next_is_that_of_the_measures(new: Run, method: str, tmp_path: Path, capsys) -> None:
    file = tmp_path / "next.parquet"
    printed(capsys, "acquire", new.path, "--method", method, "--batch", 12, "--seed", 3, "--to", file)
    found, scores = pd.read_parquet(file), new.scores()
    expected = {
        "bald": scores["mutual_information"].sort_values(ascending=False, kind="stable").index[:12],
        "entropy": scores["predictive_entropy"].sort_values(ascending=False, kind="stable").index[:12],
        "power-bald": power_bald(scores["mutual_information"].to_numpy(np.float64), 12, 3),
        "batch-bald": batch_bald(new.probs_block(0, None), 12, 3),
        "random": np.random.default_rng(3).permutation(1000)[:12],
    }
    assert found["example"].tolist() == list(expected[method])
    assert found["id"].tolist() == [f"item {example}" for example in found["example"]]


def test_batch_bald_needs_masks_per_pass(tmp_path: Path, capsys) -> None:
    run = make(tmp_path / "run", masks="per_example")
    line = refused(capsys, "acquire", run.path, "--method", "batch-bald", "--batch", 2, "--to", tmp_path / "next.csv")
    assert "masks per_pass" in line
    assert len(acquire(run, "power-bald", 2)) == 2
    assert len(acquire(make(tmp_path / "other"), "batch-bald", 2)) == 2
    assert not (tmp_path / "next.csv").exists()


def test_more_than_there_is_cannot_be_labelled(new: Run, tmp_path: Path, capsys) -> None:
    line = refused(capsys, "acquire", new.path, "--method", "bald", "--batch", 1001, "--to", tmp_path / "next.csv")
    assert "`batch` should be a whole number" in line
    assert "Received: 1001" in line
