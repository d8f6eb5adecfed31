"""The charts of a run's pages, for notebooks and scripts.

Each function takes a run and returns a plotly figure; `examples` returns a picture. `reliability`, `risk_coverage` and
`example` also draw both runs of `mcviz.compare`. `rows` are rows of `Run.table`, such as `run.table().query("label ==
3")`, by default all. Scores have names of `Run.scores`; the task's first is the default. A run without such a chart
raises an `InvalidInputError`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageDraw, ImageFont, ImageOps

from mcviz import figures, validate
from mcviz.analysis.base import (
    REVIEWED_SHARE,
    as_predictions,
    column,
    find_groups,
    mistakes_in_order,
    require_any_labels,
    require_one_class,
    summarise_classes,
)
from mcviz.analysis.comparison import Comparison
from mcviz.analysis.intervals import calibrate_by_size, calibrate_intervals
from mcviz.analysis.layouts import components_plane, load_components, load_tsne
from mcviz.analysis.pairing import class_order, name_apart, paired_class_names
from mcviz.analysis.predictors import Convergence, compute_convergence, main_predictors, predictors
from mcviz.analysis.referral import rank_by_all_scores
from mcviz.analysis.terms import load_terms
from mcviz.analysis.thresholds import choosing_curve
from mcviz.errors import InvalidInputError
from mcviz.figures import thumbnails
from mcviz.figures.comparison import class_histograms, classes_to_compare, output_histograms
from mcviz.figures.style import WRONG, axis_title
from mcviz.figures.trust import (
    DETERMINISTIC_CURVE,
    accuracy_against_referred,
    calibration_intervals,
    class_reliability_diagram,
    measures_by_passes,
    precision_recall_curve,
    reliability_diagram,
)
from mcviz.measures import Score, most_uncertain_first, summarise
from mcviz.measures.calibration import Calibration, reliability_near_one
from mcviz.measures.calibration import calibration as measure_calibration
from mcviz.measures.conformal import IntervalCalibration, pass_intervals
from mcviz.measures.multilabel import UNKNOWN
from mcviz.measures.multilabel import class_reliability as measure_class_reliability
from mcviz.measures.registry import Terms
from mcviz.measures.regression import predictive_variance
from mcviz.measures.selective import Ranking, perfect_ranking, quality_of_rest, risk_bands
from mcviz.runs import Run, labelled_examples
from mcviz.text import one_line

if TYPE_CHECKING:
    import pandas as pd


COLUMNS = 8
TILE = 128  # pixels of the side that a picture is fitted into
GAP, CAPTION, MARK = 8, 18, 3  # pixels: between tiles, of the line below a picture, of the mark of a mistake

BAND_POINTS = 41
MOST_POINTS = 500  # of a curve of precision and recall
TOP_UNCERTAIN = 100  # examples, by which the rankings of two halves of the passes are compared


def draw_contact_sheet(run: Run, examples: Sequence[int] | np.ndarray, columns: int = COLUMNS) -> Image.Image:
    """Draw the pictures of some examples in one, row by row, each with its number below.

    A wrong prediction has a red line under its picture.

    Args:
        run: with its images.
        examples: (n,) numbers of examples, at least one, in the order in which they stand.
        columns: how many stand side by side.

    Returns:
        An RGB picture; small images are enlarged to crisp squares, large ones scaled down to 128 pixels.

    Raises:
        McvizError: the run has no images.
    """
    pictures = thumbnails((run.pictures[int(example)] for example in examples), TILE)
    scale = max(1, TILE // max(pictures.shape[1:3]))
    height, width = (scale * side for side in pictures.shape[1:3])
    columns, step = min(columns, len(pictures)), (max(width, TILE // 2) + GAP, height + MARK + CAPTION + GAP)
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (GAP + columns * step[0], GAP + rows * step[1]), "white")
    pen, font, table = ImageDraw.Draw(sheet), ImageFont.load_default(12), run.scores()
    wrong = ~table["correct"].fillna(True) if "correct" in table else table.index < 0
    for place, (example, pixels) in enumerate(zip(examples, pictures, strict=True)):
        left, top = (GAP + at * size for at, size in zip((place % columns, place // columns), step, strict=True))
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        sheet.paste(ImageOps.scale(picture, scale, Image.Resampling.NEAREST), (left, top))
        if wrong[int(example)]:
            pen.rectangle((left, top + height, left + width - 1, top + height + MARK - 1), WRONG)
        pen.text((left, top + height + MARK + 2), f"{example}", "black", font)
    return sheet


# The whole run
def accuracy(run: Run) -> go.Figure:
    """Draw the accuracy of each pass, of the ensemble and of the deterministic model; of a regression the RMSE."""
    single, ensembles = _quality(run)
    if run.task.quality.measures[0].unit == "share":
        name = run.task.sealed_quality_name
        return figures.accuracy_against_ensemble(single, ensembles[-1], run.deterministic_quality, name)
    return figures.rmse_against_ensemble(single, ensembles[-1], run.deterministic_quality, run.manifest.unit)


def ensemble_size(run: Run) -> go.Figure:
    """Draw the accuracy of the mean of the first 1, 2, … passes; of a regression its RMSE."""
    _, ensembles = _quality(run)
    if run.task.quality.measures[0].unit == "share":
        return figures.accuracy_by_ensemble_size(ensembles, run.deterministic_quality, run.task.sealed_quality_name)
    return figures.rmse_by_ensemble_size(ensembles, run.deterministic_quality, run.manifest.unit)


def reliability(
    run: Run | Comparison, found: Mapping[str, Terms] | None = None, *, group: str | None = None
) -> go.Figure:
    """Draw the reliability diagram of a classification: how far accuracy is from confidence, by confidence.

    Args:
        run: with labels; or a comparison of two runs with labels, of which the ensembles are drawn.
        found: the result of `analysis.predictors.main_predictors`, if it is there already; others in it are not drawn.
        group: one of the user's own columns, whose values are groups of examples that belong together.
    """
    if isinstance(run, Comparison):
        return reliability_diagram(reliability_near_one(_terms_by_name(run)))
    terms = main_predictors(run) if found is None else found
    chosen = {name: terms[name] for name in ("deterministic", "ensemble") if name in terms}
    return reliability_diagram(reliability_near_one(chosen, groups=find_groups(labelled_examples(run), group)))


def class_reliability(run: Run, number: int = 0, *, group: str | None = None) -> go.Figure:
    """Draw how many examples have one of several classes, by the probability that the ensemble gives it.

    Args:
        run: of several labels an example, with labels.
        number: of the class, 0 to C − 1.
        group: one of the user's own columns, whose values are groups of examples that belong together.
    """
    if not (run.task.several_labels and run.task.last_axis == "class"):
        raise InvalidInputError(
            f"This is for several labels an example. Received: {run.path}, of {run.manifest.task}. "
            "`mcviz.plot.reliability` is for one class."
        )
    validate.whole_number("number", number, 0, len(run.class_names) - 1)
    terms, name = load_terms(run)["ensemble"], _class_names(run)[number]
    if (terms["labels"][:, number] == UNKNOWN).all():
        raise InvalidInputError(f"Of no example it is known whether it has {name}. Received: {run.path}.")
    return class_reliability_diagram(name, *measure_class_reliability(terms, number, groups=find_groups(run, group)))


def precision_recall(run: Run, number: int = 0, threshold: float = 0.5, *, group: str | None = None) -> go.Figure:
    """Draw precision over recall of one of several classes, by the half of the labels that chooses its threshold.

    Args:
        run: of two classes, or of several labels an example, with labels.
        number: of the class, 0 to C − 1.
        threshold: that is marked, 0 to 1.
        group: one of the user's own columns, whose values are groups of examples that stay in one half.
    """
    validate.whole_number("number", number, 0, len(run.class_names) - 1)
    curve = choosing_curve(run, number, group)
    drawn = curve.thresholds[:: -(-len(curve.thresholds) // MOST_POINTS)]
    limits = np.sort(np.append(drawn, validate.fraction("threshold", threshold)))
    counts = curve.count(limits)
    return precision_recall_curve(counts.recall, counts.precision, limits, int(np.searchsorted(limits, threshold)))


def calibration(run: Run, found: Calibration | None = None) -> go.Figure:
    """Draw accuracy, NLL, Brier score, ECE and confidence − accuracy of each way to predict, with 95% intervals.

    Args:
        run: a classification with labels.
        found: the result of `measures.calibration.calibration`, if it is there already.
    """
    return calibration_intervals(measure_calibration(predictors(run)) if found is None else found)


def intervals(run: Run, target: int = 0, found: Sequence[IntervalCalibration] | None = None) -> go.Figure:
    """Draw how often intervals of the passes of a regression hold the label, against how often they should.

    Args:
        run: with labels.
        target: the index of a target.
        found: the result of `analysis.intervals.calibrate_intervals`, if it is there already.
    """
    _require_targets(run, target)
    return figures.interval_coverage((calibrate_intervals(run) if found is None else found)[target])


def intervals_by_size(run: Run, target: int = 0, *, group: str | None = None) -> go.Figure:
    """Draw how often intervals of a regression hold the label, of all examples and of thirds by the prediction.

    Args:
        run: with labels.
        target: the index of a target.
        group: one of the user's own columns, whose values are groups of examples that belong together.
    """
    _require_targets(run, target)
    return figures.coverage_by_part(calibrate_by_size(run, target, group))


def convergence(run: Run, score: str | None = None, found: Convergence | None = None) -> go.Figure:
    """Draw how the figures of a classification and its ranking change as passes are added.

    Args:
        run: with labels.
        score: that ranks examples.
        found: the result of `analysis.predictors.compute_convergence`, if it is there already.
    """
    if found is None:
        found = compute_convergence(run, _score(run, score).name)
    values = {"accuracy": found.accuracy, "NLL, nats": found.nll, "ECE": found.ece}
    if run.passes > 1 and run.manifest.labelled > TOP_UNCERTAIN:  # of fewer, both halves name all
        values["top shared"] = found.shared_top
    formats = {"accuracy": ".2%", "NLL, nats": ".3f", "ECE": ".2%", "top shared": ".0%"}
    return measures_by_passes(found.sizes, values, formats, found.enough if found.enough < run.passes else None)


def ranking(run: Run, score: str | None = None) -> go.Figure:
    """Draw the share of the mistakes that are found by a look at the most uncertain examples first.

    Of a regression these are the largest errors, one example in twenty.

    Args:
        run: with labels.
        score: that ranks examples; one that needs no labels.
    """
    require_any_labels(run)
    ranked_by = _score(run, score, with_labels=False)
    order = most_uncertain_first(ranked_by.name, run.scores()[ranked_by.name].to_numpy(), run.score_registry)
    noun = "mistakes" if run.task.loss.is_mistake else "largest errors"
    return figures.mistakes_by_reviewed(mistakes_in_order(run, order), REVIEWED_SHARE, noun)


def risk_coverage(run: Run | Comparison, score: str | None = None, *, group: str | None = None) -> go.Figure:
    """Draw the accuracy of the rest of a classification when the most uncertain share of its examples is referred.

    The share of mistakes among the rest is the risk, and its size the coverage; the band is a 95% interval.

    Args:
        run: with labels; or a comparison of two runs with labels.
        score: that ranks examples; one that needs no labels. A comparison has its own.
        group: as for `reliability`.
    """
    if isinstance(run, Comparison):
        return _referral_in_both(run)
    rankings, ranked_by = rank_by_all_scores(run, group), _score(run, score, with_labels=False)
    chosen, deterministic = rankings[ranked_by.name], rankings.get("deterministic")
    curves = {ranked_by.label: quality_of_rest(chosen)}
    if deterministic is not None:
        curves[DETERMINISTIC_CURVE] = quality_of_rest(deterministic)
    coverages = np.linspace(1, 1 / BAND_POINTS, BAND_POINTS)
    ends = risk_bands(chosen, coverages)
    shares = np.linspace(0, 1, len(chosen) + 1)
    low, high = (
        np.interp(shares, 1 - coverages, [1 - getattr(curve, end) for curve in ends]) for end in ("high", "low")
    )
    return accuracy_against_referred(
        curves,
        quality_of_rest(perfect_ranking(chosen)),
        1 - float(chosen.loss.mean()),
        bands={ranked_by.label: (low, high)},
        quality=run.task.rest_name,
    )


# Many examples
def confusion(
    run: Run,
    score: str | None = None,
    *,
    rows: "pd.DataFrame | None" = None,
    selected: tuple[int, int] | None = None,
) -> go.Figure:
    """Draw the confusion matrix of a classification.

    Args:
        run: with labels.
        score: that is averaged in each cell; without it, examples are counted.
        rows: of `Run.table`.
        selected: the label and the prediction of a cell to mark.
    """
    require_one_class(run)
    require_any_labels(run)
    rows, averaged = _rows(run, rows).dropna(subset="correct"), None if score is None else _score(run, score)
    return figures.confusion_matrix(
        rows["label"].to_numpy(int),
        rows["prediction"].to_numpy(int),
        _class_names(run),
        None if averaged is None else rows[averaged.name].to_numpy(),
        "examples off the diagonal" if averaged is None else f"mean {averaged.inline_label}",
        "high" if averaged is None else averaged.uncertain_when,
        selected,
    )


def classes(run: Run, score: str | None = None) -> go.Figure:
    """Draw the share of mistakes of each class against its mean score, of a classification with labels."""
    require_one_class(run)
    require_any_labels(run)
    ranked_by = _score(run, score)
    summaries = summarise_classes(run.scores(), ranked_by.name, len(run.class_names))
    return figures.class_accuracies(
        summaries["accuracy"].to_numpy(), summaries["score"].to_numpy(), _class_names(run), ranked_by.inline_label
    )


def distribution(run: Run, score: str | None = None, *, rows: "pd.DataFrame | None" = None) -> go.Figure:
    """Draw the distribution of a score, by known correctness."""
    rows, ranked_by = _rows(run, rows), _score(run, score)
    known = run.task.loss.is_mistake and run.labels is not None
    correct = 1 - run.task.loss_of_table(rows).astype(np.float64) if known else None
    return figures.score_distributions(rows[ranked_by.name].to_numpy(), correct, ranked_by.label)


def map(  # noqa: A001 (what the page is called)
    run: Run,
    score: str | None = None,
    *,
    positions: np.ndarray | None = None,
    rows: "pd.DataFrame | None" = None,
    **marks: Any,
) -> go.Figure:
    """Draw examples on a plane on which similar ones are near each other, coloured by a score.

    Args:
        run: with its examples, or with features.
        score: of the colours.
        positions: (N, 2) where each example lies, such as of a UMAP, NaN where it does not; without it the t-SNE layout
            that lies beside the run, or else the first two principal components.
        rows: of `Run.table`.
        marks: `outline`, `selected` and `window` of `figures.coloured_map`.
    """
    rows, coloured = _rows(run, rows), _score(run, score)
    plane = load_tsne(run) if positions is None else positions
    if plane is None:
        plane = components_plane(load_components(run))
    examples = rows.index.to_numpy()
    there = np.isfinite(plane[examples, 0])
    examples = examples[there]
    return figures.coloured_map(
        plane[examples, 0],
        plane[examples, 1],
        rows[coloured.name].to_numpy()[there],
        coloured.label,
        examples,
        uncertain_when=coloured.uncertain_when,
        **map_marks(run, rows[there]),
        **marks,
    )


def map_marks(run: Run, rows: "pd.DataFrame") -> dict[str, Any]:
    """Return marks of a map for `figures.scatter` and `figures.coloured_map`.

    Confident examples are faded; names are in the middle of labels, or else predictions.

    Args:
        run: of any task.
        rows: (n,) of `Run.table`, in the order of the points.
    """
    confidence = run.score_registry[run.first_score]
    doubt = figures.measure_doubt(run.scores()[confidence.name].to_numpy(), confidence.uncertain_when)[rows.index]
    if not run.task.has_one_class:
        return {"doubt": doubt}
    members = rows["label"].fillna(rows["prediction"]).to_numpy(int)
    return {"doubt": doubt, "classes": (members, _class_names(run))}


def predicted(
    run: Run, score: str | None = None, *, target: int = 0, rows: "pd.DataFrame | None" = None, **marks: Any
) -> go.Figure:
    """Draw the prediction of a target against its label, of a regression with labels.

    Args:
        run: with labels.
        score: of the colours.
        target: the index of the target.
        rows: of `Run.table`; of up to 300 the standard deviations are drawn.
        marks: as of `map`.
    """
    _require_targets(run, target)
    require_any_labels(run)
    rows, coloured = _rows(run, rows).dropna(subset=column(run, "label", target)), _score(run, score)
    std = None
    if len(rows) <= figures.ERROR_BARS:
        passes = np.stack([run.predictions(int(example)) for example in rows.index], axis=1)
        given = as_predictions(run, passes)
        std = np.sqrt(predictive_variance(given.outputs, given.variances))[:, target]
    return figures.predicted_against_true(
        rows[column(run, "label", target)].to_numpy(),
        rows[column(run, "prediction", target)].to_numpy(),
        rows.index.to_numpy(),
        unit=run.manifest.unit,
        std=std,
        score=rows[coloured.name].to_numpy(),
        title=coloured.label,
        uncertain_when=coloured.uncertain_when,
        **marks,
    )


def errors(run: Run, score: str | None = None, *, rows: "pd.DataFrame | None" = None, **marks: Any) -> go.Figure:
    """Draw the absolute error of each example against a score, of a regression with labels.

    Args:
        run: with labels.
        score: one that needs no labels.
        rows: of `Run.table`.
        marks: as of `map`.
    """
    _require_targets(run)
    require_any_labels(run)
    rows, ranked_by = _rows(run, rows).dropna(subset="absolute_error"), _score(run, score, with_labels=False)
    unit = run.manifest.unit
    return figures.error_against_score(
        rows[ranked_by.name].to_numpy(),
        rows["absolute_error"].to_numpy(),
        rows.index.to_numpy(),
        title=axis_title(ranked_by.label, unit if ranked_by.unit == "target" else ""),
        unit=unit,
        **marks,
    )


# Some examples
def examples(run: Run, ids: Sequence[int] | Sequence[str] | np.ndarray) -> "Image.Image":
    """Draw the pictures of some examples as a contact sheet, each with its number; wrong predictions are marked.

    Args:
        run: with its images.
        ids: (n,) numbers of examples, or their ids as text, at least one, in the order in which they stand.

    Raises:
        InvalidInputError: there is no such example, or none is named.
        McvizError: the run has no images.
    """
    known = run.scores()["id"]
    if all(isinstance(example, str) for example in ids):
        numbers = dict(zip(known, known.index, strict=True))
        numbers_found = [numbers.get(name, -1) for name in ids]
    else:
        numbers_found = [int(number) for number in ids]
    missing = [given for given, number in zip(ids, numbers_found, strict=True) if not 0 <= number < len(run)]
    if missing or not numbers_found:
        received = one_line(str(missing[0])) if missing else "none"
        raise validate.invalid("ids", f"numbers of examples, 0 to {len(run) - 1}, or their ids", received)
    return draw_contact_sheet(run, numbers_found)


# One example
def example(run: Run | Comparison, example: int, *, target: int = 0, coverage: float = 0.9) -> go.Figure:
    """Draw the passes' predictions of an example.

    Args:
        run: whose example it is; or a comparison of two runs.
        example: its number; of a comparison, in the first run.
        target: of a regression, the index of the target.
        coverage: of the interval of a regression, 0 to 1.

    Returns:
        As `passes`, with the label and the prediction of the deterministic model where these are known. Of a
        comparison, histograms of the passes of each run, above each other on the same axes.

    Raises:
        IndexError: there is no such example.
        InvalidInputError: there is no such target, a coverage that cannot be, or an example that only one run has.
    """
    if isinstance(run, Comparison):
        return _example_in_both(run, example, target)
    predictions, labels, deterministic = run.predictions(example), run.labels, run.deterministic_predictions
    if run.task.has_one_class:
        return passes(run, predictions, label=None if labels is None or labels[example] < 0 else int(labels[example]))
    _require_targets(run, target)
    return passes(
        run,
        predictions,
        label=None if labels is None or np.isnan(labels[example, target]) else float(labels[example, target]),
        deterministic=None if deterministic is None else float(deterministic[example, target]),
        target=target,
        coverage=coverage,
    )


def passes(
    run: Run,
    predictions: np.ndarray,
    *,
    label: float | None = None,
    deterministic: float | None = None,
    target: int = 0,
    coverage: float = 0.9,
) -> go.Figure:
    """Draw the passes' predictions of one input.

    Args:
        run: whose model predicts.
        predictions: (T, K) as `Run.predictions` gives them, and `mcviz.sample` for each input.
        label: the class, or the true value of the target, where it is known.
        deterministic: the prediction of a regression with dropout off, where it is known.
        target: of a regression, the index of the target.
        coverage: of the interval of a regression, 0 to 1.

    Returns:
        The mean of each class with one standard deviation to either side; of a regression a histogram of the passes.

    Raises:
        InvalidInputError: predictions of another shape or not finite, no such target, or a coverage that cannot be.
    """
    validate.shape("predictions", predictions, ("T", "K"), advice="Take those of one input.")
    validate.finite("predictions", predictions)
    if run.task.has_one_class:
        return figures.class_probabilities(
            summarise(predictions, run.task.decide), _class_names(run), None if label is None else int(label)
        )
    _require_targets(run, target)
    given = as_predictions(run, predictions[:, None])
    interval = pass_intervals(given, validate.fraction("coverage", coverage))
    return figures.example_outputs(
        given.outputs[:, 0, target],
        unit=run.manifest.unit,
        variances=None if given.variances is None else given.variances[:, 0, target],
        deterministic=deterministic,
        label=label,
        interval=(interval.low[0, target], interval.high[0, target]),
        coverage=coverage,
    )


def _terms_by_name(comparison: Comparison) -> dict[str, Mapping[str, np.ndarray]]:
    require_one_class(comparison.one)
    if comparison.terms is None:
        raise InvalidInputError(
            f"This takes labels, and neither {comparison.one.path} nor {comparison.other.path} has them."
        )
    return dict(zip(name_apart(comparison.one, comparison.other), comparison.terms, strict=True))


def _referral_in_both(comparison: Comparison) -> go.Figure:
    rankings = {
        name: Ranking(of_run["uncertainty"], ~of_run["correct"]) for name, of_run in _terms_by_name(comparison).items()
    }
    first = next(iter(rankings.values()))
    shares = np.linspace(0, 1, len(first) + 1)
    curves = {name: quality_of_rest(ranking) for name, ranking in rankings.items()}
    return accuracy_against_referred(
        {name: np.interp(shares, np.linspace(0, 1, len(curve)), curve) for name, curve in curves.items()},
        quality_of_rest(perfect_ranking(first)),
        1 - float(first.loss.mean()),
    )


def _example_in_both(comparison: Comparison, example: int, target: int) -> go.Figure:
    one, other, labels = comparison.one, comparison.other, comparison.pairs.labels
    predictions, place = one.predictions(example), comparison.pairs.find(example)
    if place is None:
        raise validate.invalid("example", f"one that {other.path} has, too", example)
    names, there = name_apart(one, other), other.predictions(int(comparison.pairs.other[place]))
    if not one.task.has_one_class:
        _require_targets(one, target)
        label = None if labels is None or np.isnan(labels[place, target]) else float(labels[place, target])
        both = [predictions[:, target], there[:, target]]
        return output_histograms(both, names, unit=one.manifest.unit, label=label)
    means = summarise(predictions), summarise(there[:, class_order(one, other)])
    known = None if labels is None or labels[place] < 0 else int(labels[place])
    classes = classes_to_compare(means[0].mean, means[1].mean, known)
    return class_histograms(means, names, classes, paired_class_names(one, other), known)


def _quality(run: Run) -> tuple[np.ndarray, np.ndarray]:
    require_any_labels(run)
    assert run.quality_by_pass is not None
    return run.quality_by_pass


def _score(run: Run, name: str | None, *, with_labels: bool = True) -> Score:
    offered = [name for name in run.score_names if with_labels or not run.score_registry[name].needs_labels]
    return run.score_registry[run.first_score if name is None else validate.choice("score", name, offered)]


def _rows(run: Run, rows: "pd.DataFrame | None") -> "pd.DataFrame":
    return run.table() if rows is None else rows


def _class_names(run: Run) -> tuple[str, ...]:
    return tuple(one_line(name) for name in run.class_names)


def _require_targets(run: Run, target: int = 0) -> None:
    if run.task.last_axis != "target":
        raise InvalidInputError(
            f"This is for runs of regression. Received: {run.path}, of {run.manifest.task}. "
            "`mcviz.plot.reliability` and `mcviz.plot.confusion` are for classes."
        )
    validate.whole_number("target", target, 0, len(run.targets) - 1)
