"""Referral of a run's uncertain examples to a person, and the accuracy of the rest."""

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace

from mcviz import validate
from mcviz.analysis.base import (
    LEAST_LABELLED,
    example_rows,
    find_groups,
    ranking_scores,
    require_bounded_loss,
    require_known_labels,
    require_labels,
)
from mcviz.errors import InvalidInputError
from mcviz.measures import Score
from mcviz.measures.conformal import SetFigures, cross_fit_sets, set_figures
from mcviz.measures.selective import (
    Costs,
    Guarantee,
    Ranking,
    Referral,
    SelectiveFigures,
    Shift,
    compare_scores,
    evaluate_threshold,
    find_cheapest,
    find_ties_with_best,
    guarantee_budget,
    guarantee_quality,
    guarantee_threshold,
    referral_for_budget,
    referral_for_misses,
    referral_for_quality,
    select_referred,
    selective_figures,
)
from mcviz.runs import Manifest, Run, labelled_examples, unlabelled_examples
from mcviz.tasks import Task
from mcviz.text import list_names, percent, percent_at_least, significant

if TYPE_CHECKING:
    import pandas as pd


Array = np.ndarray


DETERMINISTIC, DETERMINISTIC_SCORE = "deterministic", "deterministic confidence"  # a ranking
THESE, NEW = "these labels", "new examples"  # which the lists of a referral are for
SHIFT_P_VALUE = 0.01  # below it, scores are reported to be distributed otherwise
SET_COVERAGE = 0.9  # of prediction sets
RANDOM_SAMPLE = "The examples with a label are taken for a random sample of all: if they were chosen, it does not hold."


def rank_by_score(run: Run, score: str, group: str | None = None) -> Ranking:
    """Rank the examples of a labelled run by a score; one without a known label is left out.

    Args:
        run: of a task whose loss has a bound.
        score: one of `ranking_scores` of it.
        group: one of the user's own columns, whose values are groups of examples that belong together.

    Raises:
        InvalidInputError: the run has no labels, its loss has no bound, or there is no such score or column.
    """
    require_bounded_loss(run)
    require_known_labels(run)
    run = labelled_examples(run)
    loss = run.task.loss_of_table(run.scores())
    return Ranking(score_uncertainty(run, score), loss, find_groups(run, group)).select(~np.isnan(loss))


def rank_by_all_scores(run: Run, group: str | None = None) -> dict[str, Ranking]:
    """Rank the examples of a labelled run by every score, and by the deterministic model's max probability.

    Args:
        run: a classification.
        group: as for `rank_by_score`.

    Returns:
        Rankings by the name of the score; `deterministic` is that of the deterministic model, with its own mistakes.

    Raises:
        InvalidInputError: the run has no labels, or no such column.
    """
    run = labelled_examples(run)
    rankings = {name: rank_by_score(run, name, group) for name in ranking_scores(run)}
    if run.task.has_one_class and run.deterministic_predictions is not None:
        probs, labels = run.deterministic_predictions, require_labels(run)
        mistakes = run.task.decide(probs) != labels
        rankings[DETERMINISTIC] = Ranking(-run.task.confidence(probs), mistakes, find_groups(run, group))
    return rankings


def compare_scores_here(run: Run, group: str | None = None, confidence: float = 0.95) -> dict[str, SelectiveFigures]:
    """Measure how well each of `rank_by_all_scores` finds the losses of a labelled run; {} if no loss is known."""
    rankings = rank_by_all_scores(run, group)
    return selective_figures(rankings, confidence=confidence) if len(rankings[run.first_score]) else {}


def describe_scores_here(run: Run, figures: Mapping[str, SelectiveFigures]) -> str:
    """Say which score finds the losses of a run best, and which ones are not shown to be better than a random order.

    Args:
        run: with labels.
        figures: of its scores, as `compare_scores_here` returns them.

    Returns:
        Sentences; "" where there is no loss to find.
    """
    if not any(each.augrc.value for each in figures.values()):
        return ""
    noun, tied = run.task.loss.noun, find_ties_with_best(figures)
    names = {name: score.inline_label for name, score in run.score_registry.items()} | {
        DETERMINISTIC: DETERMINISTIC_SCORE
    }
    poor = [names[name] for name, each in figures.items() if not each.beats_random]
    if len(poor) == len(figures):
        return f"No score is shown to find {noun} better than a random order."
    ties = f", but {len(tied) - 1} of {len(figures) - 1} others tie with it" if len(tied) > 1 else ""
    best = f"Here {names[tied[0]]} finds {noun} best{ties}."
    return f"{best} Not shown to be better than a random order: {list_names(poor)}." if poor else best


def name_best_score(run: Run, group: str | None = None, confidence: float = 0.95) -> str:
    """Describe the scores of a labelled run if it depends on the model which is the best; "" otherwise."""
    if run.manifest.labelled < LEAST_LABELLED or not run.task.best_score_varies:
        return ""
    return describe_scores_here(run, compare_scores_here(run, group, confidence))


def score_uncertainty(run: Run, score: str) -> Array:
    """Return (N,) float32, a score as uncertainty.

    Args:
        run: of any task.
        score: one of `ranking_scores` of it.

    Raises:
        InvalidInputError: there is no such score.
    """
    validate.choice("score", score, ranking_scores(run))
    return run.score_registry[score].uncertainty(run.scores()[score].to_numpy())


@dataclass(frozen=True)
class RunReferral:
    """The examples of a run that go to a person.

    Attributes:
        run: the run.
        score: the score that ranks its examples.
        target: the target, in words.
        on_labels: the fewest for the target on the run's own labels; None for a threshold of another run.
        guarantee: the threshold that was chosen on one half of labelled examples and tested on the other; None where
            the examples are too few, or the mistakes too many.
        shift: of a threshold of another run: whether the scores are distributed as those of that run.
        warnings: what may break the guarantee, in sentences.
    """

    run: Run
    score: Score
    target: str
    on_labels: Referral | None
    guarantee: Guarantee | None
    shift: Shift | None = None
    warnings: tuple[str, ...] = ()

    @property
    def rules(self) -> dict[str, float]:
        """The thresholds of its lists, as in `measures.selective.Referral`, by the examples that each is for.

        The one for "these labels" is optimistic for others; the one for "new examples" has the guarantee. If both are
        the same, the first stands for both.
        """
        rules = {} if self.on_labels is None else {THESE: self.on_labels.threshold}
        if self.guarantee is not None and self.guarantee.threshold not in rules.values():
            rules[NEW] = self.guarantee.threshold
        return rules

    @property
    def threshold(self) -> float | None:
        """The score from which examples are referred, in its unit, or None."""
        return _to_score(self.score, self._cutoff)

    @property
    def guaranteed_threshold(self) -> float | None:
        """The guaranteed threshold, or None if it refers nothing."""
        return None if self.guarantee is None else _to_score(self.score, self.guarantee.threshold)

    @cached_property
    def labelled(self) -> int:
        """The number of the run's examples of which a label is known."""
        return 0 if self.run.labels is None else len(rank_by_score(self.run, self.score.name))

    @cached_property
    def examples(self) -> Array:
        """(R,) int64, the examples that go to a person, the most uncertain first."""
        return self.select(self._cutoff)

    @property
    def guaranteed_examples(self) -> Array | None:
        """(R,) int64 examples referred for the guarantee, or None."""
        return None if self.guarantee is None else self.select(self.guarantee.threshold)

    @property
    def table(self) -> "pd.DataFrame":
        """The rows of `Run.table` of `examples`, in their order."""
        return example_rows(self.run, self.examples)

    @property
    def guaranteed_table(self) -> "pd.DataFrame | None":
        """The rows of `guaranteed_examples`, or None."""
        return None if self.guaranteed_examples is None else example_rows(self.run, self.guaranteed_examples)

    def select(self, rule: float) -> Array:
        """Return (R,) int64, the examples that one of `rules` refers, the most uncertain first."""
        return select_referred(score_uncertainty(self.run, self.score.name), rule)

    @property
    def quality_of_rest(self) -> float | None:
        """The quality of the rest, for classes the accuracy, or None."""
        outcome = self._evaluate(self._cutoff)
        return None if outcome is None else outcome.quality_of_rest

    def as_dict(self) -> dict[str, Any]:
        """Return the referral for JSON: numbers, and the ids of the examples that are referred."""
        content: dict[str, Any] = {"run": self.run.path, "score": self.score.name, "target": self.target}
        content |= self._figures_as_dict(self._cutoff)
        content["guaranteed"] = self._guarantee_as_dict()
        if self.shift is not None:
            content["shift"] = self.shift
        return content | {"warnings": self.warnings}

    @property
    def _cutoff(self) -> float:
        if self.on_labels is not None:
            return self.on_labels.threshold
        assert self.guarantee is not None  # without labels there is no other threshold
        return self.guarantee.threshold

    def _evaluate(self, rule: float) -> Referral | None:
        return None if self.run.labels is None else evaluate_threshold(rank_by_score(self.run, self.score.name), rule)

    def _figures_as_dict(self, rule: float) -> dict[str, Any]:
        examples, outcome = self.select(rule), self._evaluate(rule)
        return {
            "referred": len(examples),
            "examples": len(self.run),
            "threshold": _to_score(self.score, rule),
            "referred_when": "at or below" if self.score.uncertain_when == "low" else "at or above",
            f"{self.run.task.rest_name.lower()}_of_rest": None if outcome is None else outcome.quality_of_rest,
            "caught": None if outcome is None else outcome.caught,
            "missed": None if outcome is None else outcome.missed,
            "ids": self.run.scores()["id"].iloc[examples].tolist(),
        }

    def _guarantee_as_dict(self) -> dict[str, Any] | None:
        given = self.guarantee
        if given is None:
            return None
        on_others, quality = given.on_others, self.run.task.rest_name.lower()
        return {
            "confidence": given.confidence,
            f"{quality}_at_least": given.quality,
            "score": self.score.name,
            **self._figures_as_dict(given.threshold),
            "tested_on": {
                "examples": len(given.others),
                "referred": len(on_others.referred),
                f"{quality}_of_rest": on_others.quality_of_rest,
                "caught": on_others.caught,
                "missed": on_others.missed,
            },
        }


def describe_threshold(score: Score, rule: float, digits: int = 6) -> str:
    """Describe the values of a score that go to a person, such as "up to 0.906313".

    Args:
        score: the score that ranks.
        rule: a threshold of its uncertainty, as in `Referral`.
        digits: significant ones.
    """
    value = _to_score(score, rule)
    if value is None:
        return "none"
    return f"{'up to' if score.uncertain_when == 'low' else 'from'} {value:.{digits}g}"


def _to_score(score: Score, rule: float) -> float | None:
    return float(score.uncertainty(np.array(rule))) if np.isfinite(rule) else None


@dataclass(frozen=True)
class CheapestReferral:
    """The cheapest threshold of a labelled run.

    Attributes:
        run: the run.
        score: the score that ranks its examples.
        costs: by a threshold that one half of the labels chose, on the other half.
        confidence: of the interval of what it saves.
    """

    run: Run
    score: Score
    costs: Costs
    confidence: float

    @property
    def looks(self) -> int:
        """The number of the run's examples that go to a person."""
        return len(select_referred(score_uncertainty(self.run, self.score.name), self.costs.threshold))

    @property
    def judged(self) -> int:
        """The number of examples whose labels judge the threshold."""
        return len(rank_by_score(self.run, self.score.name)) // 2

    @property
    def pays(self) -> bool:
        """Whether the threshold is cheaper than looking at none and than looking at all, by more than chance."""
        return self.costs.saved.low > 0

    @cached_property
    def referral(self) -> RunReferral:
        """The referred examples: by the threshold if it pays, else none or all."""
        costs, none = self.costs, np.inf
        threshold = costs.threshold if self.pays else none if costs.of_none <= costs.of_all else -np.inf
        on_labels = evaluate_threshold(rank_by_score(self.run, self.score.name), threshold)
        return RunReferral(self.run, self.score, "the least cost", on_labels, None)

    @property
    def in_words(self) -> str:
        """Say whether a threshold is shown to be cheaper than looking at none or at all."""
        costs = self.costs
        cheaper = "none" if costs.of_none <= costs.of_all else "all"
        value, low, high = map(significant, astuple(costs.saved))
        saves = f"saves {value} ({100 * self.confidence:.6g}% interval {low} to {high})"
        if self.pays:
            where = f"{self.score.inline_label} {describe_threshold(self.score, costs.threshold, 4)}"
            return (
                f"It is cheaper to look at those with {where}, here {self.looks:,} of {len(self.run):,} examples, than "
                f"at {cheaper}. One half of the labels chose that; on the other half it {saves}."
            )
        unknown = f"No threshold is shown to be cheaper than looking at {cheaper}"
        if len(costs.on_others.referred) in (0, self.judged):
            return f"{unknown}."
        return f"{unknown}: the one that half of the labels chose {saves} on the other half."

    def as_dict(self) -> dict[str, Any]:
        """Return threshold and costs, on labels that did not choose it, for JSON."""
        costs = self.costs
        return {
            "in_words": self.in_words,
            "threshold": _to_score(self.score, costs.threshold),
            "looks": self.looks,
            "pays": self.pays,
            "judged_on": {
                "examples": self.judged,
                "looks": len(costs.on_others.referred),
                "missed": costs.on_others.missed,
                "cost": costs.cost,
                "of_none": costs.of_none,
                "of_all": costs.of_all,
                "saved": costs.saved,
            },
        }


def find_cheapest_referral(
    run: Run, mistake: float, look: float, score: str | None = None, *, confidence: float = 0.95, seed: int = 0
) -> CheapestReferral:
    """Find the cheapest threshold of a labelled run on one half of its labels, and judge it by the other half.

    Args:
        run: of a task whose loss has a bound.
        mistake: cost of a mistake that is missed, or of the largest loss, 0 or more.
        look: cost of a look at an example, in the same unit.
        score: one of `ranking_scores` of it; the first without it.
        confidence: of the interval of what it saves.
        seed: of the halves.

    Raises:
        InvalidInputError: the run has no labels, there is no such score, or a cost below 0.
    """
    mistake, look = validate.number("mistake", mistake, least=0), validate.number("look", look, least=0)
    score = run.first_score if score is None else score
    costs = find_cheapest(rank_by_score(run, score), mistake, look, confidence=confidence, seed=seed)
    return CheapestReferral(run, run.score_registry[score], costs, confidence)


def refer(
    run: Run,
    *,
    quality: float | None = None,
    accuracy: float | None = None,
    budget: int | None = None,
    miss: float | None = None,
    score: str | None = None,
    confidence: float = 0.95,
    calibrated_on: Run | None = None,
    group: str | None = None,
    seed: int = 0,
) -> RunReferral:
    """Choose the examples that a person should look at.

    Args:
        run: of a task whose loss has a bound; with labels, unless `calibrated_on` has them.
        quality: the least quality of the rest, a fraction: one less the mean loss. Give this, `budget` or `miss`.
        accuracy: the same, where predictions are right or wrong.
        budget: the most examples that a person looks at.
        miss: the most mistakes among the rest, as a share of all mistakes; or of another loss.
        score: one of `ranking_scores` of it; the first without it.
        confidence: of the guarantee, above 0.5.
        calibrated_on: a run with labels of the same model, whose threshold is applied to `run`.
        group: one of the user's own columns of the run with labels. Its values are groups of examples that belong
            together: halves keep them whole, and the guarantee is for examples of new groups.
        seed: of the halves of the labelled examples: one chooses the threshold, the other tests it. That of a budget is
            chosen without labels, and tested on all.

    Raises:
        InvalidInputError: no labels, a loss without a bound, another number of targets than one, a value that cannot
            be, no such column, or runs of which one's threshold means nothing for the other.
    """
    labelled = calibrated_on or run
    require_bounded_loss(run)
    score = run.first_score if score is None else score
    uncertainty = score_uncertainty(run, score)
    of_ranked = uncertainty if labelled is run else None
    choose, guarantees, target = _parse_target(run, quality, accuracy, budget, miss, of_ranked)
    validate.confidence(confidence, above=0.5)
    ranking = rank_by_score(labelled, score, group)
    guarantee = guarantees(ranking, confidence, seed)
    if calibrated_on is None:
        return RunReferral(run, run.score_registry[score], target, choose(ranking), guarantee)
    warnings, within = check_same_model(run, calibrated_on), run.digest == calibrated_on.digest
    if within and run.manifest.examples_with_labels is not None:
        warnings.append(RANDOM_SAMPLE)
        uncertainty = score_uncertainty(unlabelled_examples(run), score)
    if guarantee is None:
        raise InvalidInputError(
            f"The {calibrated_on.manifest.labelled:,} labels of {calibrated_on.path} guarantee no threshold for this "
            "target. Ask for less, or for a lower confidence."
        )
    shift = compare_scores(ranking.uncertainty, uncertainty)
    if shift.p_value < SHIFT_P_VALUE:
        warnings.append(
            f"The {run.score_registry[score].inline_label} is distributed otherwise than in {calibrated_on.path} "
            f"(Kolmogorov–Smirnov {shift.statistic:.3f}, p = {shift.p_value:.2g}), and the guarantee is for examples "
            "that are alike."
        )
    return RunReferral(run, run.score_registry[score], target, None, guarantee, shift, tuple(warnings))


def measure_prediction_sets(run: Run, coverage: float = SET_COVERAGE, *, group: str | None = None) -> SetFigures:
    """Measure how large prediction sets have to be to hold the label that often.

    Args:
        run: a classification with labels.
        coverage: of each class, 0 to 1.
        group: as for `rank_by_score`.

    Raises:
        InvalidInputError: the run has no labels, one example, is of a regression, or has no such column.
    """
    run = labelled_examples(run)
    labels, groups = require_labels(run), find_groups(run, group)
    return set_figures(cross_fit_sets(run.mean_probs, labels, coverage, groups=groups), labels, groups=groups)


def set_rows(figures: SetFigures) -> list[tuple[str, str]]:
    """The figures of prediction sets as text, a row each."""
    return [
        ("classes in a set, on average", figures.size.format("{:.2f}".format)),
        ("hold the label", figures.coverage.format(lambda share: f"{100 * share:.2f}", "%")),
        ("are one class alone", percent(figures.single)),
        ("are empty: none fits", percent(figures.empty)),
    ]


def referral_sentences(referral: RunReferral) -> list[str]:
    """Describe a referral: a sentence for the labels, and one for the guarantee."""
    lines = []
    if referral.on_labels is not None:
        lines.append(f"For {referral.target} {_look_clause(referral, referral.on_labels.threshold)}.")
    given = referral.guarantee
    if given is None:
        large = "too many mistakes" if referral.run.task.loss.is_mistake else "too large losses"
        return [*lines, f"Nothing is guaranteed for new examples: there are too few labels, or {large}."]
    least, task = percent_at_least(given.quality, 2), referral.run.task
    is_least = f"the {task.rest_name} of the rest is at least {least}"
    if task.loss.is_mistake:
        is_least = f"at least {least} of the rest are right"
    promise = f"With {100 * given.confidence:.6g}% confidence {is_least}"
    if referral.on_labels is not None and len(given.others) == referral.labelled:
        return [*lines, f"{promise}: the threshold of a budget takes no labels, so all of them test it."]
    return [*lines, f"{promise} where {_look_clause(referral, given.threshold)}."]


def referral_rows(referral: RunReferral) -> list[tuple[str, ...]]:
    """The figures of a referral as text: the heads of a table, then a row for each of its two thresholds."""
    score, run, given = referral.score, referral.run, referral.guarantee
    parts = {}
    if referral.on_labels is not None:
        parts[THESE] = referral.on_labels, referral.labelled
    if given is not None and not (referral.on_labels is not None and len(given.others) == referral.labelled):
        parts["the labels that tested the guarantee"] = given.on_others, len(given.others)
        if referral.on_labels is None and run.labels is not None:
            ranking = rank_by_score(run, score.name)
            parts["this run's labels"] = evaluate_threshold(ranking, given.threshold), len(ranking)
    rows = [
        (
            words,
            describe_threshold(score, on.threshold),
            f"{len(on.referred):,} of {count:,}",
            describe_caught(run.task, on),
            "there is none" if on.quality_of_rest is None else percent(on.quality_of_rest, 2),
        )
        for words, (on, count) in parts.items()
    ]
    caught, left = f"{run.task.loss.noun} caught", f"{run.task.rest_name} left after review"
    return [("on", score.inline_label, "to a person", caught, left), *rows] if rows else []


def describe_caught(task: Task, on: Referral) -> str:
    """Describe how many of the mistakes went to a person, such as "58 of 70"; or which share of another loss."""
    total = on.caught + on.missed
    if task.loss.is_mistake:
        return f"{on.caught:,} of {total:,}"
    return percent(on.caught / total) if total else "there is none"


def _look_clause(referral: RunReferral, rule: float) -> str:
    count = len(referral.select(rule))
    return f"a person looks at {f'{count:,}' if count else 'none'} of {len(referral.run):,} examples"


def _parse_target(
    run: Run,
    quality: float | None,
    accuracy: float | None,
    budget: int | None,
    miss: float | None,
    uncertainty: np.ndarray | None,
) -> tuple[Callable[[Ranking], Referral], Callable[[Ranking, float, int], Guarantee | None], str]:
    task, targets = run.task, {"accuracy": accuracy, "quality": quality, "budget": budget, "miss": miss}
    given = [name for name, value in targets.items() if value is not None]
    if len(given) != 1:
        received = " and ".join(given) or "none of them"
        raise InvalidInputError(
            f"A referral is for one target: accuracy, quality, budget or miss. Received: {received}."
        )
    if accuracy is not None and not task.loss.is_mistake:
        advice = f"Give quality, the least {task.rest_name} of the rest."
        raise validate.invalid("accuracy", f"left out for a {task.name}", accuracy, advice)
    if (least := quality if accuracy is None else accuracy) is not None:
        validate.fraction(given[0], least)
        article = "an" if task.rest_name[0] in "aeiou" else "a"
        return (
            partial(referral_for_quality, quality=least),
            lambda ranking, confidence, seed: guarantee_quality(ranking, least, confidence=confidence, seed=seed),
            f"{article} {task.rest_name} of {100 * least:.6g}% left after review",
        )
    if miss is not None:
        validate.fraction("miss", miss)
        choose = partial(referral_for_misses, share=miss)
        return (
            choose,
            lambda ranking, confidence, seed: guarantee_threshold(ranking, choose, confidence=confidence, seed=seed),
            f"at most {100 * miss:.6g}% of the {task.loss.noun} missed",
        )
    assert budget is not None
    most = validate.whole_number("budget", budget, 0)

    def share(ranking: Ranking) -> int:
        if uncertainty is None:
            return most * len(ranking) // len(run)
        others = np.sort(uncertainty)[: max(0, len(run) - most)]  # with and without a known label
        return int((ranking.uncertainty > others[-1]).sum()) if len(others) else len(ranking)

    return (
        lambda ranking: referral_for_budget(ranking, share(ranking)),
        lambda ranking, confidence, seed: guarantee_budget(ranking, share(ranking), confidence=confidence, seed=seed),
        f"a budget of {most:,} examples",
    )


def check_same_model(run: Run, old: Run) -> list[str]:
    """Check that two runs are of one model, and return warnings on other differences.

    Raises:
        InvalidInputError: they are of two models, or it takes their examples in two ways.
    """
    ours, theirs, paths = run.manifest, old.manifest, f"{run.path} and {old.path}"
    if ours.classes != theirs.classes:
        raise InvalidInputError(f"A threshold is for one model. Received: {paths}, with other numbers of classes.")
    if _model_identity(ours) != _model_identity(theirs):
        raise InvalidInputError(f"A threshold is for one model. Received: {paths}, of two. Sample both with the same.")
    if replace(ours.preprocessing, reason="") != replace(theirs.preprocessing, reason=""):
        raise InvalidInputError(
            f"A threshold is for examples that the model takes in one way. Received: {paths}, with two kinds of "
            "preprocessing. Sample both with the same."
        )
    warnings = []
    if ours.model is None and run.digest != old.digest:
        warnings.append(f"{paths} do not say which model made them. That it is the same cannot be checked.")
    if run.decisions.thresholds != old.decisions.thresholds:
        warnings.append(f"{paths} predict classes above other thresholds.")
    for name in ("passes", "masks"):
        if getattr(ours, name) != getattr(theirs, name):
            warnings.append(f"{paths} differ in their {name}, which moves the scores.")
    return warnings


def _model_identity(manifest: Manifest) -> object:
    model = manifest.model
    return None if model is None else (model.sha256, model.output, model.from_logits)
