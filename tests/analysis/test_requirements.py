"""A requirement is what was typed and nothing else, and an interval decides whether a run is not worse."""

import math
from dataclasses import astuple
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
    roc_auc_score,
)

import mcviz
from mcviz.analysis.parts import quote
from mcviz.analysis.predictors import main_predictors
from mcviz.analysis.quality_trust import measure_quality
from mcviz.analysis.requirements import (
    NON_INFERIORITY_FORM,
    OPERATORS,
    REQUIREMENT_FORM,
    Judgement,
    NonInferiority,
    Requirement,
    parse_non_inferiority,
    parse_requirement,
)
from mcviz.errors import InvalidInputError
from mcviz.measures.calibration import calibration
from mcviz.measures.intervals import Interval
from mcviz.measures.quality import (
    CLASSIFICATION,
    REGRESSION,
    compare_measures,
    overconfidence_growth,
)
from mcviz.runs import Run
from mcviz.tasks import TASKS
from tests.factories import draw_probs

NAMES = st.sampled_from(["accuracy", "ece_equal_mass", "ensemble", "single_pass", "lower", "high_", "x1"])
NUMBERS = st.decimals(-1000, 1000, allow_nan=False) | st.sampled_from([Decimal("1e300"), Decimal("-2e-300")])
FIGURES = {
    "ensemble": {"accuracy": Interval(0.999, 0.99, 0.9995), "ece": Interval(0.02), "nll": Interval(math.nan)},
    "deterministic": {"accuracy": Interval(0.9, 0.8, 0.95), "nll": Interval(0.3, 0.2, 0.4)},
}


# What is typed


TEXTS = st.text() | st.sampled_from(
    ["every", "worst", "every class", "low", "a=b", 'say "no"', "50%", "\\", "with", "in"]
)
PLACES = st.fixed_dictionaries(
    {},
    optional={
        "class_name": TEXTS,
        "column": TEXTS,
        "value": TEXTS,
        "fewest": st.integers(0, 10**9 - 1),
        "every_class": st.just(True),
        "worst_slice": st.just(True),
    },
).filter(
    lambda given: (
        not given.keys() >= {"class_name", "every_class"}
        and ("value" not in given or "column" in given)
        and not given.keys() >= {"column", "worst_slice"}
    )
)


@given(
    st.builds(
        lambda *given, places: Requirement(*given, **places),
        NAMES,
        st.sampled_from(list(OPERATORS)),
        NUMBERS,
        st.booleans(),
        NAMES,
        st.sampled_from(["", "low", "high"]),
        places=PLACES,
    )
)
def test_a_requirement_is_parsed_as_it_is_formatted(requirement: Requirement) -> None:
    assert parse_requirement(str(requirement)) == requirement
    if '"' not in str(requirement):
        assert parse_requirement(f"  {requirement}  ".replace(" ", "\t")) == requirement


@given(st.builds(NonInferiority, NAMES, NUMBERS.map(abs), st.booleans()))
def test_a_margin_is_parsed_as_it_is_formatted(requirement: NonInferiority) -> None:
    assert parse_non_inferiority(str(requirement)) == requirement


@given(st.text() | st.text("accuracy.lowhigh<>=0123456789%+-e notworseby", max_size=40))
def test_any_other_text_is_refused_with_what_would_be_understood(text: str) -> None:
    for parse, form in ((parse_requirement, REQUIREMENT_FORM), (parse_non_inferiority, NON_INFERIORITY_FORM)):
        try:
            found = parse(text)
        except InvalidInputError as refusal:
            error = refusal
        else:
            assert parse(str(found)) == found
            continue
        assert form in str(error)


def test_every_part_of_a_requirement_is_read() -> None:
    assert parse_requirement("accuracy>=99%") == Requirement("accuracy", ">=", Decimal(99), percent=True)
    assert parse_requirement("ece <= .02") == Requirement("ece", "<=", Decimal("0.02"))
    found = parse_requirement("deterministic.nll.high < 5e-2")
    assert found == Requirement("nll", "<", Decimal("0.05"), predictor="deterministic", end="high")
    assert parse_requirement("overconfidence.low > -1 %").end == "low"
    found = parse_requirement('recall.low of "grey cat">=.8 in region = west with at least 5 examples')
    parts = {"class_name": "grey cat", "column": "region", "value": "west", "fewest": 5}
    assert found == Requirement("recall", ">=", Decimal("0.8"), end="low", **parts)
    found = parse_requirement("f1 of every class >= 80% in every label")
    assert (found.every_class, found.column, found.value) == (True, "label", None)
    assert parse_requirement("accuracy > 70% in worst slice").worst_slice
    assert parse_requirement(r'accuracy > 70% in "a \"b\""="="').column == 'a "b"'
    assert parse_non_inferiority("accuracy not worse by 0.5%") == NonInferiority("accuracy", Decimal("0.5"), True)
    assert parse_non_inferiority("nll not worse") == NonInferiority("nll")


@pytest.mark.parametrize(
    "text",
    ["", "accuracy", "accuracy 99%", "accuracy = 99%", "accuracy => 99%", "accuracy >= 99%%", "accuracy >= nan",
     "accuracy >= inf", "accuracy >= 1e999", "a.b.c >= 1", "low >= 1", "accuracy >= 99% and ece <= 1%", ">= 1",
     "accuracy >= 99% in west", "accuracy >= 99% in region=north side", "recall of grey cat >= 1%",
     r'recall of "\q" >= 1%', "accuracy >= 1% in every", "accuracy >= 1% with at least 5"],
)  # fmt: skip
def test_nonsense_is_no_requirement(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"should be \[PREDICTOR\.\]MEASURE.*Received"):
        parse_requirement(text)


@pytest.mark.parametrize(
    "text",
    ["accuracy", "accuracy not worse by", "accuracy not worse by -1%", "accuracy worse", "accuracy >= 99%",
     "ensemble.accuracy not worse"],
)  # fmt: skip
def test_nonsense_is_no_margin(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"should be MEASURE not worse.*Received"):
        parse_non_inferiority(text)


# A bound on a figure


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("accuracy >= 99.9%", True),  # 0.999, whatever a float makes of 99.9 / 100
        ("accuracy > 99.9%", False),
        ("accuracy <= 0.999", True),
        ("accuracy < 0.999", False),
        ("accuracy.low >= 99.1%", False),
        ("accuracy.low >= 99%", True),
        ("accuracy.high < 99.96%", True),
        ("ece <= 2%", True),
        ("deterministic.accuracy >= 0.91", False),
        ("deterministic.nll.high <= 0.4", True),
    ],
)
def test_a_figure_or_an_end_of_its_interval_meets_a_bound_or_does_not(text: str, met: bool) -> None:
    assert parse_requirement(text).judge(FIGURES).met is met


def test_a_judgement_says_what_was_found_as_it_was_asked_for() -> None:
    assert parse_requirement("accuracy > 1%").judge(FIGURES).in_words == "accuracy is 99.9% (99 to 99.95)"
    assert parse_requirement("accuracy > 0.01").judge(FIGURES).in_words == "accuracy is 0.999 (0.99 to 0.9995)"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rmse <= 1", "has no measure rmse of ensemble, but accuracy, ece, nll"),
        ("deterministic.ece <= 1", "has no measure ece of deterministic"),
        ("single_pass.accuracy >= 0.5", "has no predictor single_pass, but ensemble, deterministic"),
        ("nll <= 1", "has no value of nll"),
        ("ece.low <= 0.9", "has no interval of ece"),
        ("deterministic.nll <= 1%", "no share"),
        ("accuracy >= 85", "cannot meet it: accuracy is 0 to 1, which is 0% to 100%"),
        ("accuracy.low > 100%", "cannot meet it"),
        ("accuracy < 0", "cannot meet it"),
        ("accuracy >= 0%", "cannot miss it"),
        ("ece <= 3", "cannot miss it: ECE is 0 to 1"),
        ("ece <= 100%", "cannot miss it"),
        ("nll >= 0", "cannot miss it: NLL is 0 and up"),
    ],
)
def test_what_means_nothing_of_a_run_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=f"means nothing here: the run .*{reason}"):
        parse_requirement(text).judge(FIGURES)


@pytest.mark.parametrize("measure", [*CLASSIFICATION.measures, *CLASSIFICATION.of_class, *REGRESSION.measures])
def test_a_bound_within_the_values_of_a_measure_means_something_and_one_beyond_them_nothing(measure) -> None:
    """What is refused is what the ends of the values meet both, or neither."""
    task = REGRESSION if measure in REGRESSION.measures else CLASSIFICATION
    figures = {"ensemble": dict.fromkeys((each.name for each in task.measures), Interval(0.5, 0.4, 0.6))}
    low, high = measure.bounds
    for bound in {-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 85.0}:
        for comparison, meets in OPERATORS.items():
            values = [max(low, -1e9), (max(low, -1e9) + min(high, 1e9)) / 2, min(high, 1e9)]
            outcomes = {bool(meets(value, bound)) for value in values}
            requirement = Requirement(measure.name, comparison, Decimal(bound))
            if len(outcomes) == 1:
                with pytest.raises(InvalidInputError, match=r"cannot (meet|miss) it"):
                    requirement.judge(figures)
            elif measure in CLASSIFICATION.of_class:
                with pytest.raises(InvalidInputError, match="Give `judge` the run"):
                    requirement.judge(figures)
            else:
                requirement.judge(figures)


# Parts of a run


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A model that is worse in the west; one region has seven examples, and one class has no label."""
    random, count = np.random.default_rng(0), 600
    labels = random.integers(0, 2, count)
    region = np.array(["west", "east", "north side", "a=b"], object)[np.arange(count) % 4]
    region[:7] = "tiny"
    lean = np.where(region == "west", 0.3, 2.5)
    return mcviz.write_run(
        tmp_path_factory.mktemp("parts") / "run",
        draw_probs(random, labels, passes=3, lean=lean),
        labels=labels,
        class_names=["cat", "grey dog", "yak"],
        columns=pd.DataFrame({"region": region}),
    )


def judge(text: str, run: Run, confidence: float = 0.95) -> Judgement:
    found = calibration(main_predictors(run), confidence=confidence)
    return parse_requirement(text).judge({"ensemble": found.figures["ensemble"]}, run, confidence)


def accuracy_in(run: Run, region: str, confidence: float) -> Interval:
    correct = run.scores()["correct"].to_numpy(bool)[(run.columns["region"] == region).to_numpy()]
    exact = scipy.stats.binomtest(int(correct.sum()), len(correct)).proportion_ci(confidence, "exact")
    return Interval(correct.mean(), exact.low, exact.high)


def test_a_group_is_judged_by_its_own_examples(parts: Run) -> None:
    expected = accuracy_in(parts, "west", 0.95)
    found = judge("accuracy >= 85% in region=west", parts)
    assert astuple(found.found) == pytest.approx(astuple(expected))
    assert not found.met
    assert found.in_words.endswith("in region=west")
    bound = f"{expected.low:.4f}"
    assert judge(f"accuracy.low >= {float(bound) - 0.001} in region=west", parts).met
    assert not judge(f"accuracy.low >= {float(bound) + 0.001} in region=west", parts).met
    assert judge('accuracy >= 85% in region="north side"', parts).met
    assert judge('accuracy >= 85% in region="a=b"', parts).met


def test_every_group_has_to_meet_it_and_the_worst_is_named(parts: Run) -> None:
    found = judge("accuracy >= 85% in every region with at least 20 examples", parts)
    assert [each.part for each in found.parts if not each.met] == ["in region=west"]
    assert found.parts[0].part == "in region=west"
    assert sum(each.examples for each in found.parts) == len(parts) - 7
    for each in found.parts:  # the intervals hold for all four together
        region = {f"in region={quote(name)}": name for name in set(parts.columns["region"])}[each.part]
        assert astuple(each.found) == pytest.approx(astuple(accuracy_in(parts, region, 1 - 0.05 / 4)))
    assert not found.met
    assert "in region=west, the worst of 4" in found.in_words
    failing = judge("accuracy > 99.9% in every region with at least 20 examples", parts)
    for each in failing.parts:
        assert (f"{each.part}," in f"{failing.in_words.partition(';')[2]},") == (not each.met)
    assert judge("accuracy >= 50% in every region with at least 5 examples", parts).met


def test_the_worst_slice_is_one_that_is_worse_than_chance_explains(parts: Run) -> None:
    found = judge("accuracy >= 85% in worst slice", parts)
    assert not found.met
    assert found.parts[0].part == "in prediction=yak"  # which no label is
    assert "in region=west" in {each.part for each in found.parts}
    for each in found.parts:  # the intervals hold for all slices that were looked at
        assert each.found.high > accuracy_in(parts, "west", 0.95).high or each.part != "in region=west"
    even = SimpleNamespace(slices=(), counts={"mistakes": 9})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mcviz.analysis.parts.slices", lambda _: even)
        whole = judge("accuracy >= 1% in worst slice", parts)
    assert whole.found.value == pytest.approx(parts.scores()["correct"].mean())
    assert "no slice is worse than chance explains" in whole.in_words


def test_a_class_is_judged_by_its_recall_precision_and_f1(parts: Run) -> None:
    predicted, labels = parts.mean_probs.argmax(axis=1), parts.labels
    for place, name in enumerate(("cat", "grey dog")):
        expected = precision_recall_fscore_support(labels, predicted, labels=[place])[:3]
        for measure, value in zip(("precision", "recall", "f1"), expected, strict=True):
            found = judge(f"{measure} of {quote(name)} >= 1%", parts)
            assert found.found.value == pytest.approx(value[0])
            assert found.found.low < value[0] < found.found.high
            assert found.parts[0].examples == (labels == place).sum()
    area = judge("roc_auc of cat >= 0.1", parts).found.value
    assert area == pytest.approx(roc_auc_score(labels == 0, parts.mean_probs[:, 0]))
    both = judge("recall of every class >= 1% in region=west with at least 20 examples", parts)
    assert {each.part for each in both.parts} == {"of cat in region=west", 'of "grey dog" in region=west'}


def test_several_labels_are_judged_by_class_with_the_figures_that_trust_shows(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = (random.random((300, 2)) < [0.3, 0.5]).astype(np.int8)
    probs = np.clip(0.4 * labels + random.uniform(0, 0.6, (4, 300, 2)), 0, 1).astype(np.float32)
    labels[::7, 0] = -1
    names = ["login", "grey cat"]
    run = mcviz.write_run(tmp_path / "run", probs, labels=labels, task="multilabel", class_names=names)
    figures = mcviz.trust(run).figures
    known = labels[:, 0] >= 0
    true, mean = labels[known, 0], run.mean_probs[known, 0]
    expected = {
        "recall": recall_score(true, mean > 0.5),
        "precision": precision_score(true, mean > 0.5),
        "f1": f1_score(true, mean > 0.5),
        "ap": average_precision_score(true, mean),
        "auroc": roc_auc_score(true, mean),
        "excess": mean.mean() - true.mean(),
    }
    for measure, value in expected.items():
        found = parse_requirement(f"{measure} of login >= 1%").judge(figures, run)
        assert found.found.value == pytest.approx(value, abs=1e-6)
        assert found.parts[0].examples == true.sum()
        assert parse_requirement(f"{measure} of login >= 0.01").judge(figures, run).met is found.met
    every = parse_requirement("f1.low of every class >= 99.9%").judge(figures, run)
    assert not every.met
    assert {part.part for part in every.parts} == {"of login", 'of "grey cat"'}
    with pytest.raises(InvalidInputError, match="has no nll of a class, but recall, precision, f1, ap, auroc"):
        parse_requirement("nll of login <= 1").judge(figures, run)


def test_a_class_of_a_segmentation_is_judged_by_its_dice(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    masks = (random.random((30, 6, 6)) < 0.4).astype(np.uint8)
    probs = np.eye(2, dtype=np.float32)[np.where(random.random((3, 30, 6, 6)) < 0.1, 1 - masks, masks)]
    run = mcviz.write_run(tmp_path / "run", probs, labels=masks, task="segmentation", class_names=["none", "nucleus"])
    trust = mcviz.trust(run)
    for measure, expected in (("dice", trust.maps["nucleus"].dice), ("overconfidence", None)):
        found = parse_requirement(f"{measure} of nucleus >= 30%").judge(trust.figures, run).found
        if expected is not None:
            assert found == expected
        else:
            assert found.value == pytest.approx(trust.excess["those predicted as nucleus"].value)
    of_deterministic = parse_requirement("deterministic.dice of nucleus >= 30%")
    with pytest.raises(InvalidInputError, match=r"The dice of a class is known of ensemble\. Received: deterministic"):
        of_deterministic.judge({"deterministic": trust.figures["ensemble"]}, run)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("accuracy >= 80% in every region", "has 7 examples in region=tiny, and it takes 20.* 'with at least 20"),
        ("accuracy >= 80% in region=tiny", "has 7 examples in region=tiny, and it takes 20.* 'with at least 7"),
        ("accuracy >= 80% in region=tiny with at least 9 examples", "has 7 examples in region=tiny, and it takes 9"),
        ("recall of yak >= 80%", "has 0 labels of yak"),
        ("recall of yak >= 80% with at least 0 examples", "has 0 labels of yak, and it takes 1"),
        ("recall of every class >= 80%", "has 0 labels of yak"),
        ("recall >= 80%", "no recall of all classes; write 'recall of every class'"),
        ("roc_auc >= 0.8", "no roc_auc of all classes"),
        ("accuracy of cat >= 80%", "no accuracy of a class, but recall, precision, f1, roc_auc"),
        ("recall of horse >= 80%", 'The classes are cat, "grey dog", yak. Received: horse'),
        ("accuracy >= 80% in region=nowhere", 'region has the values .*"north side".* Received: nowhere'),
        ("accuracy >= 80% in colour=red", "grouped by one of the columns label, prediction, region"),
        ("accuracy >= 1% with at least 601 examples", "has 600 examples, and it takes 601"),
        ("ece.low >= 1% in region=west", "has no interval of ece in region=west"),
    ],
)
def test_a_part_that_cannot_be_judged_is_refused(parts: Run, text: str, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        judge(text, parts)
    with pytest.raises(InvalidInputError, match="Give `judge` the run"):
        parse_requirement(text).judge({"ensemble": {"accuracy": Interval(1.0), "ece": Interval(0.0)}})


def test_a_regression_is_judged_by_group_too(tmp_path: Path) -> None:
    random, region = np.random.default_rng(0), np.array(["west", "east"])[np.arange(80) % 2]
    labels = random.normal(size=(80, 1)).astype(np.float32)
    spread = np.where(region == "west", 2, 0.5)[:, None]
    outputs = (labels + spread * random.normal(size=(4, 80, 1))).astype(np.float32)
    run = mcviz.write_run(
        tmp_path / "run", outputs, labels=labels, task="regression", columns=pd.DataFrame({"region": region})
    )
    figures = measure_quality(run).figures
    found = parse_requirement("rmse <= 1.5 in every region").judge(figures, run)
    for each in found.parts:
        within = region == each.part.removeprefix("in region=")
        errors = (outputs.mean(axis=0) - labels)[within]
        assert each.found.value == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-3)
        assert each.examples == 40
    assert [each.part for each in found.parts] == ["in region=west", "in region=east"]
    single = parse_requirement("single_pass.mae > 0.1 in region=east").judge(figures, run)
    assert single.found.value == pytest.approx(np.abs(outputs - labels)[:, region == "east"].mean(), rel=1e-3)


# Not worse


def terms(seed: int, count: int, skill: float) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    correct = np.random.default_rng(0).uniform(size=count) < skill + random.normal(0, 0.05, count)
    confidence = np.clip(0.75 + 0.2 * correct + random.normal(0, 0.1, count), 0.34, 1)
    nll = np.where(correct, 1 - confidence, 2 * confidence)
    return {"correct": correct, "confidence": confidence, "nll": nll, "brier": nll / 2, "uncertainty": -confidence}


def compared(one: dict, other: dict, **changes: object) -> SimpleNamespace:
    run = SimpleNamespace(task=TASKS["classification"])
    measures = compare_measures(CLASSIFICATION, one, other)
    given = {"one": run, "terms": (one, other), "measures": measures, "paired": True, "is_unchanged": False}
    given["measured"] = range(len(one["nll"]))
    return SimpleNamespace(**given | {"confidence": 0.95, "groups": None} | changes)


def test_the_end_on_the_side_of_worse_decides() -> None:
    one, other = terms(1, 4000, 0.9), terms(3, 4000, 0.9)
    both = compared(one, other)
    accuracy, nll, *_ = (each.difference for each in both.measures)
    growth = overconfidence_growth(one, other)
    assert accuracy.low < 0 < nll.high
    for measure, worst in (("accuracy", -accuracy.low), ("nll", nll.high), ("overconfidence", growth.high)):
        for margin, met in ((worst * 1.01, True), (worst * 0.99, False), (0, False)):
            assert NonInferiority(measure, Decimal(float(margin))).judge(both).met is met
    better = terms(1, 4000, 0.97)
    assert parse_non_inferiority("accuracy not worse").judge(compared(one, better)).met
    assert not parse_non_inferiority("accuracy not worse by 1%").judge(compared(better, one)).met


def test_the_same_predictions_so_far_are_no_proof_of_equal_ones() -> None:
    """A model that fails in 2% of inputs fails in none of 50 with a chance of 36%."""
    one = terms(1, 50, 0.9)
    most = 1 - 0.025 ** (1 / 50)
    for margin, met in ((0.0, False), (0.0156, False), (most * 1.001, True), (most * 0.999, False)):
        assert NonInferiority("accuracy", Decimal(margin)).judge(compared(one, dict(one))).met is met


def test_the_magnitude_of_overconfidence_is_what_must_not_grow() -> None:
    over, under = terms(1, 4000, 0.8), terms(1, 4000, 0.8)
    excess = [(each["confidence"] - each["correct"]).mean() for each in (over, under)]
    under["confidence"] = np.clip(under["confidence"] - 1.2 * excess[1], 0, 1)
    judged = parse_non_inferiority("overconfidence not worse").judge(compared(over, under))
    assert judged.met
    assert "the magnitude of confidence − accuracy changes by −" in judged.in_words
    assert not parse_non_inferiority("overconfidence not worse by 1%").judge(compared(under, over)).met


@pytest.mark.parametrize(
    ("text", "groups", "limit"),
    [
        ("nll not worse by 0.02", None, "1,000 examples can show 0.044 at best; about 5,000 are needed"),
        ("accuracy not worse by 0.1%", None, "1,000 examples can show 0.37% at best; about 10,000 are needed"),
        ("brier not worse by 0.005", np.arange(1000) // 2, "500 groups can show 0.015 at best; about 2,000 are needed"),
        ("accuracy not worse", None, ""),
        ("nll not worse by 0.1", None, ""),
    ],
)
def test_a_margin_that_so_many_examples_cannot_show_names_the_number_that_can(
    text: str, groups: np.ndarray | None, limit: str
) -> None:
    one = terms(1, 1000, 0.9)
    other = one | {"nll": one["nll"] + np.where(np.arange(1000) % 50, 0, 0.1), "brier": one["brier"].copy()}
    judgement = parse_non_inferiority(text).judge(compared(one, other, groups=groups))
    assert judgement.met is (text == "nll not worse by 0.1")
    _, _, said = judgement.in_words.partition("; ")
    assert said == limit


def test_no_number_of_examples_is_named_for_a_model_that_is_worse() -> None:
    one = terms(1, 1000, 0.9)
    judgement = parse_non_inferiority("nll not worse by 0.02").judge(compared(one, one | {"nll": one["nll"] + 0.5}))
    assert not judgement.met
    assert "at best" not in judgement.in_words


@pytest.mark.parametrize(
    ("text", "changes", "reason"),
    [
        ("accuracy not worse", {"terms": None}, "has no labels"),
        ("accuracy not worse", {"paired": False}, "other examples"),
        ("rmse not worse", {}, "no measure rmse that can be worse, but accuracy, nll"),
        ("ece not worse by 2%", {}, "chance alone raises.*require accuracy, nll, brier, overconfidence, aurc, auroc"),
        ("auroc not worse", {}, "too few examples, changes or mistakes"),
        ("nll not worse by 1%", {}, "no share"),
        ("accuracy not worse by 50", {}, "could not miss it: two values differ by 0 to 1, which is 0% to 100%"),
        ("accuracy not worse by 100%", {}, "could not miss it"),
        ("brier not worse by 2", {}, "could not miss it: two values differ by 0 to 2"),
        ("overconfidence not worse by 1", {}, "could not miss it: two values differ by 0 to 1"),
        ("aurc not worse by 50%", {}, "too few examples, changes or mistakes"),
    ],
)
def test_a_margin_that_means_nothing_is_refused(text: str, changes: dict[str, object], reason: str) -> None:
    perfect = terms(1, 30, 1.5), terms(2, 30, 1.5)
    with pytest.raises(InvalidInputError, match=f"means nothing here: the run .*{reason}"):
        parse_non_inferiority(text).judge(compared(*perfect, **changes))
