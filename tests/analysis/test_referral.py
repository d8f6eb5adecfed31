"""Which examples a person should look at, what is then guaranteed, and what is refused; on the command line too."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mcviz
from mcviz.analysis.referral import rank_by_all_scores, refer
from mcviz.cli import main
from mcviz.errors import InvalidInputError
from mcviz.runs import Run
from tests.analysis.conftest import CACHE, RANKING_SCORES, SHIPPED
from tests.commands import output_of, refusal_of
from tests.factories import make_doubtful_run
from tests.runs.making import make


def test_the_referral_that_is_printed_for_the_shipped_run_is_that_of_its_table(capsys) -> None:
    found = json.loads(output_of(capsys, "refer", SHIPPED, "--accuracy", "0.999", "--json"))
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
    rest_of_half = tested["examples"] - tested["referred"]
    chance = sum(  # of so few mistakes, if the accuracy were lower
        float(np.prod([(rest_of_half - i) / (i + 1) for i in range(k)])) * 0.001**k * 0.999 ** (rest_of_half - k)
        for k in range(missed + 1)
    )
    assert chance <= 0.05

    assert json.loads(output_of(capsys, "refer", SHIPPED, "--accuracy", "99.9%", "--json")) == found
    lines = output_of(capsys, "refer", SHIPPED, "--accuracy", "99.9%").splitlines()
    looked_at = f"{found['referred']:,} of 10,000"
    assert lines[0] == f"For an accuracy of 99.9% left after review a person looks at {looked_at} examples."
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


def test_the_list_for_these_labels_and_that_for_new_examples_are_both_named_and_written(
    old: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, found = (tmp_path / "these.csv", tmp_path / "new.parquet"), refer(old, accuracy=0.97)
    command = ["refer", old.path, "--accuracy", "0.97", "--to", files[0], "--guaranteed-to", files[1]]
    lines = output_of(capsys, *command).splitlines()
    values = old.scores().set_index("id")["max_probability"]
    written = pd.read_csv(files[0])["id"].tolist(), pd.read_parquet(files[1])["id"].tolist()
    for ids, threshold, words, file in zip(
        written, (found.threshold, found.guaranteed_threshold), ("these labels", "new examples"), files, strict=True
    ):
        assert ids == values[values <= threshold].sort_values(kind="stable").index.tolist()
        said = f"To look at for {words}, the most uncertain first: {', '.join(ids[:10])} and {len(ids) - 10:,} more."
        assert lines[lines.index(said) + 1] == f"{len(ids):,} examples are written to {file}."
    assert len(written[0]) < len(written[1])
    assert list(refer(old, budget=20).rules) == ["these labels"], "a budget has one list"
    refused = ["refer", old.path, "--accuracy", "0.99999", "--guaranteed-to", tmp_path / "none.csv"]
    assert "Nothing is guaranteed for new examples" in refusal_of(capsys, *refused)


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
    tomorrow = replace(mcviz.SCORES["margin"], needs=("an array of tomorrow",))
    monkeypatch.setitem(mcviz.SCORES, "score_of_tomorrow", tomorrow)
    assert set(rank_by_all_scores(old)) - {"deterministic"} == set(RANKING_SCORES)
    with pytest.raises(InvalidInputError, match="`score` should be 'max_probability' or"):
        refer(old, budget=3, score="score_of_tomorrow")


def test_a_share_of_mistakes_is_missed_at_most(old: Run) -> None:
    found = refer(old, miss=0.1).as_dict()
    mistakes = found["caught"] + found["missed"]
    assert found["missed"] <= 0.1 * mistakes < found["missed"] + 1
    assert refer(old, miss=0).as_dict()["missed"] == 0


def test_a_threshold_of_a_labelled_run_is_applied_to_one_without_labels(old: Run, new: Run, tmp_path, capsys) -> None:
    file = tmp_path / "look.csv"
    command = ["refer", new.path, "--calibrated-on", old.path, "--accuracy", "0.97", "--to", file]
    assert main([str(word) for word in [*command, "--json"]]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    of_old = refer(old, accuracy=0.97)
    assert found["threshold"] == found["guaranteed"]["threshold"] == of_old.guaranteed_threshold
    values = new.scores()["max_probability"]
    assert found["referred"] == (values <= found["threshold"]).sum() == len(found["ids"])
    assert found["accuracy_of_rest"] is found["missed"] is None
    assert found["guaranteed"]["tested_on"]["examples"] == 1500
    assert found["shift"]["p_value"] > 0.01
    (warning,) = printed.err.splitlines()
    assert "do not say which model made them" in warning
    assert pd.read_csv(file)["id"].tolist() == found["ids"]
    assert pd.read_csv(file)["prediction_name"].isin(["cat", "dog", "=owl"]).all()


def test_a_new_run_with_labels_shows_what_a_threshold_of_another_comes_to(old: Run, tmp_path: Path, capsys) -> None:
    more = make_doubtful_run(tmp_path / "more", 2000, 2)
    found = refer(more, accuracy=0.97, calibrated_on=old)
    rest = more.scores()["max_probability"] > found.threshold
    assert found.quality_of_rest == pytest.approx(more.scores()["correct"][rest].mean())
    assert found.quality_of_rest > 0.96
    assert "\nthis run's labels  " in output_of(capsys, "refer", more.path, "--calibrated-on", old.path, "--budget", 50)


def test_new_examples_that_are_not_like_the_old_ones_are_noticed(old: Run, moved: Run) -> None:
    found = refer(moved, accuracy=0.97, calibrated_on=old)
    assert found.shift.p_value < 1e-6
    assert "distributed otherwise" in found.warnings[-1]


def test_the_same_model_is_needed(shipped: Run, tmp_path: Path) -> None:
    assert refer(shipped, budget=100, calibrated_on=shipped).warnings == ()
    other = mcviz.open_run(CACHE / "fashion-cnn")
    with pytest.raises(InvalidInputError, match=r"for one model\. Received: .*, of two"):
        refer(other, budget=100, calibrated_on=shipped)
    first, second = make(tmp_path / "first"), make(tmp_path / "second", labelled=False, passes=7)
    assert "differ in their passes" in refer(second, budget=1, calibrated_on=first).warnings[0]
    scaled = make(tmp_path / "scaled", labelled=False, preprocessing=mcviz.runs.Preprocessing(divide_by=255.0))
    with pytest.raises(InvalidInputError, match="two kinds of preprocessing"):
        refer(scaled, budget=1, calibrated_on=first)


def test_where_nothing_can_be_guaranteed_that_is_said(old: Run, new: Run, capsys) -> None:
    found = refer(old, accuracy=0.99999)
    assert found.guarantee is found.guaranteed_examples is found.as_dict()["guaranteed"] is None
    assert len(found.examples) > 0
    assert "Nothing is guaranteed for new examples" in output_of(capsys, "refer", old.path, "--accuracy", "0.99999")
    with pytest.raises(InvalidInputError, match="guarantee no threshold"):
        refer(new, accuracy=0.99999, calibrated_on=old)


def test_nobody_is_needed_where_all_is_good_enough(old: Run, capsys) -> None:
    found = refer(old, accuracy=0.2)
    assert (found.threshold, len(found.examples)) == (None, 0)
    assert found.as_dict()["threshold"] is None
    assert "a person looks at none of 3,000 examples" in output_of(capsys, "refer", old.path, "--accuracy", "0.2")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "one target: accuracy, quality, budget or miss. Received: none of them"),
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
    assert words in refusal_of(capsys, "refer", old.path, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_the_deterministic_model_is_ranked_by_its_own_mistakes(shipped: Run) -> None:
    ranking = rank_by_all_scores(shipped)["deterministic"]
    assert 1 - ranking.loss.mean() == pytest.approx(shipped.deterministic_accuracy)
    assert ranking.uncertainty.argmax() == shipped.deterministic_probs.max(axis=1).argmin()
