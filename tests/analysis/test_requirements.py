"""A requirement is what was typed and nothing else, and an interval decides whether a run is not worse."""

import math
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcviz.analysis.requirements import (
    NON_INFERIORITY_FORM,
    OPERATORS,
    REQUIREMENT_FORM,
    NonInferiority,
    Requirement,
    parse_non_inferiority,
    parse_requirement,
)
from mcviz.errors import InvalidInputError
from mcviz.measures.bootstrap import Interval
from mcviz.measures.quality import CLASSIFICATION, compare_measures, overconfidence_growth
from mcviz.tasks import TASKS

NAMES = st.sampled_from(["accuracy", "ece_equal_mass", "ensemble", "single_pass", "lower", "high_", "x1"])
NUMBERS = st.decimals(-1000, 1000, allow_nan=False) | st.sampled_from([Decimal("1e300"), Decimal("-2e-300")])
FIGURES = {
    "ensemble": {"accuracy": Interval(0.999, 0.99, 0.9995), "ece": Interval(0.02), "nll": Interval(math.nan)},
    "deterministic": {"accuracy": Interval(0.9, 0.8, 0.95), "nll": Interval(0.3, 0.2, 0.4)},
}


# What is typed


@given(
    st.builds(
        Requirement,
        NAMES,
        st.sampled_from(list(OPERATORS)),
        NUMBERS,
        st.booleans(),
        NAMES,
        st.sampled_from(["", "low", "high"]),
    )
)
def test_a_requirement_is_parsed_as_it_is_formatted(requirement: Requirement) -> None:
    assert parse_requirement(str(requirement)) == requirement
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
    assert parse_non_inferiority("accuracy not worse by 0.5%") == NonInferiority("accuracy", Decimal("0.5"), True)
    assert parse_non_inferiority("nll not worse") == NonInferiority("nll")


@pytest.mark.parametrize(
    "text",
    ["", "accuracy", "accuracy 99%", "accuracy = 99%", "accuracy => 99%", "accuracy >= 99%%", "accuracy >= nan",
     "accuracy >= inf", "accuracy >= 1e999", "a.b.c >= 1", "low >= 1", "accuracy >= 99% and ece <= 1%", ">= 1"],
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
        ("single_pass.accuracy >= 1", "has no predictor single_pass, but ensemble, deterministic"),
        ("nll <= 1", "has no value of nll"),
        ("ece.low <= 1", "has no interval of ece"),
        ("deterministic.nll <= 1%", "no share"),
    ],
)
def test_what_means_nothing_of_a_run_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=f"means nothing here: the run .*{reason}"):
        parse_requirement(text).judge(FIGURES)


# Not worse


def terms(seed: int, count: int, skill: float) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    correct = np.random.default_rng(0).uniform(size=count) < skill + random.normal(0, 0.05, count)
    confidence = np.clip(0.75 + 0.2 * correct + random.normal(0, 0.1, count), 0.34, 1)
    nll = np.where(correct, 1 - confidence, 2 * confidence)
    return {"correct": correct, "confidence": confidence, "nll": nll, "brier": nll / 2, "uncertainty": -confidence}


def compared(one: dict, other: dict, **changes: object) -> SimpleNamespace:
    run = SimpleNamespace(task=TASKS["classification"])
    measures = compare_measures(CLASSIFICATION, one, other, paired=True)
    given = {"one": run, "terms": (one, other), "measures": measures, "paired": True, "confidence": 0.95}
    return SimpleNamespace(**given | changes)


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
    assert "the magnitude of overconfidence changes by -" in judged.in_words
    assert not parse_non_inferiority("overconfidence not worse by 1%").judge(compared(under, over)).met


@pytest.mark.parametrize(
    ("text", "changes", "reason"),
    [
        ("accuracy not worse", {"terms": None}, "has no labels"),
        ("accuracy not worse", {"paired": False}, "other examples"),
        ("rmse not worse", {}, "no measure rmse that can be worse, but accuracy, nll"),
        ("ece not worse by 2%", {}, "chance alone raises.*require accuracy, nll, brier, overconfidence, aurc, auroc"),
        ("overconfidence not worse", {}, "too few examples, changes or mistakes"),
        ("nll not worse by 1%", {}, "no share"),
        ("nll not worse by 1", {}, "too few examples, changes or mistakes"),
    ],
)
def test_a_margin_that_means_nothing_is_refused(text: str, changes: dict[str, object], reason: str) -> None:
    perfect = terms(1, 30, 1.5), terms(2, 30, 1.5)
    with pytest.raises(InvalidInputError, match=f"means nothing here: the run .*{reason}"):
        parse_non_inferiority(text).judge(compared(*perfect, **changes))
