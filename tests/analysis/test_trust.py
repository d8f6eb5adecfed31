"""What is said of a run's probabilities, of its passes and of its groups; on the command line too."""

import json
import re
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

import mcviz
from mcviz.analysis.base import group_sentence
from mcviz.analysis.calibration_sentences import calibration_sentences
from mcviz.analysis.predictors import compute_convergence, group_by_column, main_predictors, predictors
from mcviz.analysis.quality_trust import compare_with_deterministic
from mcviz.errors import InvalidInputError
from mcviz.measures import margin
from mcviz.measures.calibration import calibration
from mcviz.runs import Run
from tests.analysis.conftest import RANKING_SCORES, SHIPPED
from tests.cases import one_in
from tests.commands import output_of, refusal_of
from tests.factories import make_doubtful_run

ROOT = Path(__file__).parents[2]


def test_trust_prints_convergence_sets_and_the_cheapest_threshold(old: Run, capsys) -> None:
    costs = ["--mistake-cost", "50", "--look-cost", "2"]
    found = json.loads(output_of(capsys, "trust", old.path, *costs, "--score", "margin", "--json"))
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

    lines = output_of(capsys, "trust", old.path, *costs, "--score", "margin").splitlines()
    assert cheapest["in_words"].startswith(f"It is cheaper to look at those with margin up to {cutoff:.4g}, here")
    at = lines.index(cheapest["in_words"])
    assert [line.split()[-1] for line in lines[at + 2 : at + 5]] == [
        f"{judged[name]:,.6g}" for name in ("cost", "of_none", "of_all")
    ]
    assert any(line.split()[0] == "8" and f"{100 * old.ensemble_accuracy[-1]:.2f}%" in line for line in lines if line)
    assert "classes in a set" in "\n".join(lines)


@pytest.mark.parametrize(
    ("options", "words"),
    one_in(
        5,
        [
            (["--mistake-cost", "3"], "both --mistake-cost and --look-cost"),
            (["--look-cost", "3"], "both --mistake-cost and --look-cost"),
            (["--mistake-cost", "-1", "--look-cost", "3"], "--mistake-cost"),
            (["--mistake-cost", "nan", "--look-cost", "3"], "`mistake` should be"),
            (["--mistake-cost", "inf", "--look-cost", "3"], "`mistake` should be"),
            (["--score", "self_confidence"], "`score` should be 'max_probability' or"),
        ],
    ),
)
def test_costs_that_cannot_be_are_refused_in_one_line(old: Run, options: list[str], words: str, capsys) -> None:
    assert words in refusal_of(capsys, "trust", old.path, *options)


@pytest.mark.slow
def test_what_the_documents_quote_is_printed(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    pages = [ROOT / "docs" / page for page in ("explanation/trust.md", "how-to/refer.md", "how-to/slices.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    quotes = re.findall(r"^```\nmcviz (.*)\n```\n\n((?:> .*\n)+)", text, re.MULTILINE)
    assert len(quotes) == 4
    printed = {command: output_of(capsys, *command.split()).splitlines() for command, _ in quotes}
    for command, quoted in quotes:
        lines = printed[command]
        assert {line.removeprefix("> ") for line in quoted.splitlines()} <= set(lines), command
        printed_cells = [re.split(r"\s{2,}", line.strip()) for line in lines]
        for row in quoted_rows(text, quoted):
            assert row in printed_cells, command
    of_run = printed["trust cache/mnist-cnn"]
    of_scores = of_run[[line.startswith("AUGRC") for line in of_run].index(True) + 1 :]
    ties = [line for line in of_scores if line.endswith("ties with the best")]
    assert len(ties) == len(RANKING_SCORES) + 1


def quoted_rows(text: str, quoted: str) -> list[list[str]]:
    """The rows of the table right behind a quotation, where there is one."""
    table = re.match(r"\n((?:\|.*\n)+)", text[text.index(quoted) + len(quoted) :])
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()] if table else []
    return [row for row in rows if set("".join(row)) != {"-"}]


@pytest.fixture(scope="module")
def unfit(tmp_path_factory: pytest.TempPathFactory, new: Run) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("unfit")
    outputs = np.random.default_rng(0).normal(size=(4, 9, 1)).astype(np.float32)
    regression = mcviz.write_run(folder / "regression", outputs, labels=outputs[0], task="regression")
    return {"no labels": new.path, "regression": regression.path, "one": make_doubtful_run(folder / "one", 1, 0).path}


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
        if kind != "regression" or command[0] == "refer"
    ],
)
def test_a_run_that_is_unfit_is_refused_in_one_line(
    unfit: dict[str, str], command: list[str], kind: str, words: str, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in refusal_of(capsys, *command, unfit[kind])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_figures_of_the_shipped_run(shipped: Run, capsys) -> None:
    found = json.loads(output_of(capsys, "trust", SHIPPED, "--by", "label", "--json"))
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
    lines = output_of(capsys, "trust", old.path, "--by", "source").splitlines()
    assert lines[0].startswith("The ensemble is ")
    assert "deterministic" not in " ".join(lines)  # the run has none
    assert "cheaper" not in " ".join(lines)  # nobody said what a mistake costs
    (ensemble,) = [line for line in lines if line.startswith(f"  ensemble  {'':<20}") and "%" in line][:1]
    assert f"{100 * old.ensemble_accuracy[-1]:.2f}%" in ensemble
    single, *_, excess = (line for line in lines if line.startswith("  single pass "))
    assert re.fullmatch(r" *single pass +\d+\.\d\d%  \(.*\) +[+−]\d+\.\d\d points  \(.*\)", single)
    assert excess.count(" points  (") == 2, "confidence − accuracy is a difference, and so is that of two of them"
    groups = lines[lines.index("accuracy of the ensemble, by source") + 1 :][:3]
    assert {line.split()[0] for line in groups} == {"–", "a", "b"}
    assert sum(int(line.split()[1].replace(",", "")) for line in groups) == 3000


def test_ways_that_are_read_shard_by_shard_are_those_of_all_passes(shipped: Run, old: Run) -> None:
    assert set(predictors(shipped)) == {*predictors(old), "deterministic", "deterministic_scaled"}
    assert list(main_predictors(old)) == ["ensemble"]
    assert list(main_predictors(shipped)) == ["ensemble", "deterministic"]
    ways = predictors(old)
    single, sentence = ways["single_pass"], calibration_sentences(calibration(ways, resamples=20))[-1]
    assert sentence.startswith("Its accuracy is ")
    assert old.pass_accuracy is not None
    gain = 100 * float(ways["ensemble"]["correct"].mean() - old.pass_accuracy.mean())
    assert f"{abs(gain):.2f} percentage points {'above' if gain > 0 else 'below'} that of a single pass" in sentence
    probs = old.probs_block(0, None)
    np.testing.assert_array_equal(single["correct"], (probs.argmax(axis=2) == old.labels).T)
    np.testing.assert_allclose(single["confidence"], probs.max(axis=2).T)


def test_shards_that_are_read_at_once_give_what_one_after_the_other_gives(
    old: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[tuple[int, int]] = []
    at_once = compute_convergence(old, "margin", lambda *done: reports.append(done))
    assert reports == [(shard + 1, old.manifest.shards) for shard in range(old.manifest.shards)]
    monkeypatch.setattr("mcviz.analysis.predictors.MOST_THREADS", 1)
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
    monkeypatch.setattr("mcviz.analysis.predictors.MOST_GROUPS_OF_COLUMN", 2)
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
    said, *lines = output_of(capsys, "trust", run.path, "--by", "site").splitlines()
    groups = lines.index("accuracy of the ensemble, by site")
    assert [line.split()[0] for line in lines[groups + 1 : groups + 3]] == ["*b*", "a"], "the least accurate first"
    wrong = (~run.table()["correct"].astype(bool)).groupby(run.table()["site"]).mean()
    shares = f"{wrong['*b*']:.1%} of 400 examples are wrong, of the rest {wrong['a']:.1%}. "
    assert f"The worst slice is site *b*: {shares}" in said
    points = 100 * (wrong["*b*"] - (1 - run.mean_probs.max(axis=1).mean()))
    assert (
        f"The worst slice by calibration is site *b*: confidence − accuracy is {points:+.1f} points over 400 " in said
    )
    trust, alone = (json.loads(output_of(capsys, command, run.path, "--json")) for command in ("trust", "slices"))
    assert trust["cheapest"] is None
    found = trust["slices"]
    assert found == {name: alone[name] for name in found}
    assert [(each["measure"], each["where"]) for each in found["slices"]] == [
        ("mistakes", {"site": "*b*"}),
        ("overconfidence", {"site": "*b*"}),
    ]


def test_that_no_group_fares_worse_and_how_far_the_accuracy_is_from_guessing_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said, *_ = output_of(capsys, "trust", in_groups(tmp_path / "run", 0.9).path).splitlines()
    assert "No slice is worse than chance explains, of 47 that were looked at." in said
    assert "Always answering the most frequent label would be right in 50.00% of the examples." in said


@pytest.mark.parametrize("worse", [False, True])
def test_the_gain_of_a_regression_is_that_of_its_paired_errors(tmp_path: Path, worse: bool) -> None:
    rng = np.random.default_rng(int(worse))  # or else the passes would be the same, and the run
    labels = rng.normal(0, 1, (400, 1))
    outputs = labels + rng.normal(0, 1, (10, 400, 1))
    deterministic = labels + rng.normal(0, 0.01 if worse else 0.32, (400, 1))
    run = mcviz.write_run(
        tmp_path / "run", outputs, task="regression", labels=labels, deterministic=deterministic, unit="m"
    )
    _, fixed, single, worst = mcviz.trust(run).sentences
    assert worst == mcviz.slices(run).in_words
    assert compare_with_deterministic(run)[1] == fixed, "which takes no pass to be read"
    ensemble = np.sqrt(((outputs.mean(axis=0) - labels) ** 2).mean())
    gain = np.sqrt(((outputs - labels) ** 2).mean()) - ensemble
    loss = ensemble - np.sqrt(((deterministic - labels) ** 2).mean())
    assert re.fullmatch(
        r"Its RMSE is better than that of a single pass by (\S+) m \((\S+) to (\S+)\): more than noise\.", single
    )
    assert float(single.split(" by ")[1].split()[0]) == pytest.approx(gain, rel=1e-3)
    value, low, high = (float(each) for each in re.findall(r"[-+]?\d+\.\d+(?:e-\d+)?", fixed.replace("−", "-")))
    assert value == pytest.approx(loss, rel=1e-3)
    assert low < value < high
    if worse:
        assert "worse than that of the deterministic model" in fixed
        assert "more than noise" in fixed
    else:
        assert "within noise" in fixed
        assert low < 0 < high


def test_the_ensemble_is_compared_with_dropout_off_by_an_exact_test_of_the_same_examples() -> None:
    run = mcviz.open_run(SHIPPED.with_name("fashion-cnn"))
    right, fixed = (probs.argmax(axis=1) == run.labels for probs in (run.mean_probs, run.deterministic_probs))
    gained, lost = int((right & ~fixed).sum()), int((fixed & ~right).sum())
    assert binomtest(gained, gained + lost).pvalue < 0.05
    by = 100 * (lost - gained) / len(run)
    said = compare_with_deterministic(run)[1]
    assert said.startswith(f"Its accuracy is worse than that of the deterministic model by {by:.2f} points (")
    assert said.endswith("): more than noise.")


def test_of_few_examples_no_gain_of_a_regression_is_claimed(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).normal(0, 1, (300, 1))
    passes = labels + np.random.default_rng(1).normal(0, 1, (4, 300, 1))
    columns = pd.DataFrame({"source": np.arange(300) // 2})
    run = mcviz.write_run(tmp_path / "run", passes, task="regression", labels=labels, columns=columns)
    few = mcviz.write_run(tmp_path / "few", passes[:, :299], task="regression", labels=labels[:299])
    assert "more than noise" in mcviz.trust(run).in_words
    assert "(no interval), too few examples to tell" in mcviz.trust(few).in_words
    assert "(no interval), too few examples to tell" in mcviz.trust(run, group="source").in_words
    for group, count in ((None, 300), ("source", 150)):
        (share,) = re.findall(
            r"A failure on less than (\S+)% of inputs may not be among them", group_sentence(run, group)
        )
        assert (1 - float(share) / 100) ** count == pytest.approx(0.05, abs=0.002)
