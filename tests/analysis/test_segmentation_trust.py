"""How far a run of segmentation can be trusted: figures against plain loops over its label maps, and in words."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from mcviz import compare, plot, refer, trust, write_run
from mcviz.analysis.labelling import acquire
from mcviz.analysis.referral import describe_scores_here
from mcviz.analysis.segmentation_trust import FOREGROUND, WHOLE
from mcviz.errors import InvalidInputError, McvizError
from mcviz.measures.intervals import bounded_interval
from mcviz.measures.quality import difference_intervals
from mcviz.measures.segmentation import SEGMENTATION, count_overlaps, count_pixels, join_pixels, mean_of_known
from mcviz.measures.selective import Ranking, selective_figures
from mcviz.runs import Run
from tests.commands import output_of

NAMES = ["none", "cell", "edge"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    rng = np.random.default_rng(0)
    masks = np.zeros((60, 12, 12), np.uint8)
    for mask in masks:
        for number in (1, 2):
            row, column = rng.integers(0, 8, 2)
            mask[row : row + 4, column : column + 4] = number
    noise = rng.gamma(1.0, 1.0, size=(60, 1, 1, 1))
    logits = 3 * np.eye(3)[masks] + noise * (rng.normal(size=(5, 60, 12, 12, 3)) + rng.normal(size=(60, 12, 12, 3)))
    probs = np.exp(logits)
    probs = (probs / probs.sum(axis=-1, keepdims=True)).astype(np.float32)
    masks[:, 0] = 255
    options = {"columns": {"patient": np.arange(60) // 3}, "class_names": NAMES, "deterministic": probs[0]}
    return write_run(tmp_path_factory.mktemp("seg") / "run", probs, labels=masks, task="segmentation", **options)


def test_dice_is_that_of_all_passes_together_with_an_interval_over_images(run: Run) -> None:
    result = trust(run)
    overlaps = count_overlaps(run.array("mean_class"), run.labels, 3, 0)
    dice = result.figures["ensemble"]["dice"]
    assert dice.value == pytest.approx(overlaps.mean_dice.mean())
    assert dice.value == pytest.approx(run.manifest.quality)
    assert 0 <= dice.low < dice.value < dice.high <= 1
    assert result.differences["deterministic"]["dice"].value == pytest.approx(
        dice.value - result.figures["deterministic"]["dice"].value
    )
    cell = result.maps["cell"]
    assert cell.dice.value == pytest.approx(np.nanmean(overlaps.dice[:, 1]))
    assert cell.iou.value == pytest.approx(np.nanmean(overlaps.iou[:, 1]), abs=1e-6)
    assert cell.images == np.isfinite(overlaps.dice[:, 1]).sum()


def test_calibration_of_pixels_is_that_of_a_loop_and_leaves_out_what_is_ignored(run: Run) -> None:
    result = trust(run)
    predicted, labels = run.array("mean_class"), run.labels
    confidence = run.array("mean_confidence") / 254
    for name, chosen in {
        WHOLE: predicted < 3,
        FOREGROUND: predicted > 0,
        "those predicted as edge": predicted == 2,
    }.items():
        some = chosen & (labels < 3)
        expected = confidence[some].mean() - (predicted[some] == labels[some]).mean()
        interval = result.excess[name]
        assert interval.value == pytest.approx(expected)
        assert interval.low < interval.value < interval.high
    assert result.calibration == (
        "Probabilities are too low of those predicted as none: on average, and beyond chance."
    )
    valid = labels < 3
    bins = np.minimum((confidence[valid] * 15).astype(int), 14)
    gaps = [abs((confidence[valid][bins == b] - (predicted == labels)[valid][bins == b]).sum()) for b in range(15)]
    assert result.ece == pytest.approx(sum(gaps) / valid.sum(), abs=2e-3)
    halves = [count_pixels(*(array[part] for array in (predicted, run.array("mean_confidence"), labels)), 3)
              for part in (slice(0, 20), slice(20, 60))]  # fmt: skip
    assert join_pixels(halves).ece == pytest.approx(result.ece)


def test_groups_are_resampled_whole(run: Run) -> None:
    single, grouped = trust(run), trust(run, group="patient")
    assert grouped.figures["ensemble"]["dice"].value == single.figures["ensemble"]["dice"].value
    assert grouped.figures["ensemble"]["dice"].high != single.figures["ensemble"]["dice"].high
    assert grouped.excess[WHOLE].high != single.excess[WHOLE].high


def test_a_mean_is_over_the_images_that_have_a_value() -> None:
    values = np.full(200, np.nan)
    values[::2] = np.linspace(0, 1, 100)
    groups = np.arange(200) // 4
    for every, members in ((None, None), (groups, groups[::2])):
        assert mean_of_known(values, every, 0.95) == bounded_interval(values[::2], (0, 1), members)
    assert np.isnan(mean_of_known(np.full(4, np.nan), None, 0.95).value)


def test_intervals_leave_room_for_images_that_fail_too_rarely_to_be_seen() -> None:
    rng, draws, options = np.random.default_rng(0), 100, {"confidence": 0.95, "resamples": 200, "seed": 0}
    left_out = {"mean": 0, "difference": 0}
    for _ in range(draws):
        before = rng.uniform(0.9, 0.95, 50)
        after = np.where(rng.random(50) < 0.01, 0.3, before + rng.normal(0, 0.003, 50))
        mean = mean_of_known(after, None, 0.95)
        difference = difference_intervals(SEGMENTATION, {"dice": before}, {"dice": after}, ["dice"], **options)["dice"]
        left_out["mean"] += not mean.low <= 0.99 * 0.925 + 0.01 * 0.3 <= mean.high
        left_out["difference"] += not difference.low <= 0.01 * (0.3 - 0.925) <= difference.high
    assert max(left_out.values()) <= binom.ppf(0.999, draws, 0.05)


def test_groups_are_also_the_images_with_a_class(run: Run) -> None:
    for by, has_class in (("label", run.array("class_area_label") > 0), ("prediction", run.array("class_area") > 0)):
        groups, loss = trust(run, by=by).by_group, run.scores()["loss"].to_numpy(np.float64)
        for number, name in enumerate(run.class_names):
            within = has_class[:, number]
            if within.any():
                assert groups[name].examples == within.sum()
                assert groups[name].figures["dice"].value == pytest.approx(1 - loss[within].mean())


def test_scores_find_losses_and_images_are_referred_for_the_dice_of_the_rest(run: Run) -> None:
    scores = trust(run).scores
    assert set(scores) == set(run.score_names)
    random = float(run.scores()["loss"].mean()) / 2
    assert scores["pairwise_dice"].augrc.value < random
    referral = refer(run, quality=0.9)
    assert referral.score.name == "pairwise_dice"
    assert referral.quality_of_rest >= 0.9
    assert list(referral.table["pairwise_dice"]) == sorted(referral.table["pairwise_dice"])


def test_the_best_score_here_is_named_and_those_that_know_no_more_than_chance(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    result, loss = trust(run), run.scores()["loss"].to_numpy(float)
    named = result.sentences[-2]
    best = min(result.scores, key=lambda name: result.scores[name].augrc.value)
    assert named.startswith(f"Here {run.score_registry[best].inline_label} finds losses of Dice best")
    printed = output_of(capsys, "trust", run.path).splitlines()
    (random,) = (line for line in printed if line.startswith("  random "))
    assert float(random.split()[1]) == pytest.approx(1e6 * loss.mean() / 2, abs=0.1)
    assert named in output_of(capsys, "refer", run.path, "--budget", 5)
    orders = {"pairwise_dice": np.random.default_rng(1).random(60), "mean_entropy": loss, "window_entropy": -loss}
    figures = selective_figures({name: Ranking(order, loss) for name, order in orders.items()})
    assert describe_scores_here(run, figures) == (
        "Here mean entropy finds losses of Dice best. Not shown to be better than a random order: pairwise Dice, "
        "largest window entropy."
    )
    del figures["mean_entropy"]
    assert describe_scores_here(run, figures) == (
        "No score is shown to find losses of Dice better than a random order."
    )


def test_what_to_label_next_is_where_pixels_are_least_certain(run: Run) -> None:
    for method, score in (("bald", "mean_mutual_information"), ("entropy", "mean_entropy")):
        chosen = acquire(run, method, 5)["example"].tolist()
        assert chosen == run.scores()[score].to_numpy().argsort()[::-1][:5].tolist()
    with pytest.raises(InvalidInputError, match=r"chosen there by bald or power-bald or entropy or random"):
        acquire(run, "batch-bald", 5)


def test_what_takes_no_label_maps_says_so(run: Run) -> None:
    with pytest.raises(McvizError, match="read `label_maps`"):
        plot.example(compare(run, run), 0)
    with pytest.raises(McvizError, match="read `label_maps`"):
        run.predictions(0)
    with pytest.raises(McvizError, match="no probabilities of classes"):
        run.probs(0)


def test_the_command_line_says_what_dice_counts_and_of_what_it_is_made(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    printed = output_of(capsys, "trust", run.path)
    assert printed.startswith(f"The mean Dice is {100 * run.manifest.quality:.2f}% (")
    for words in ("classes that the label lacks", "mean Dice ", "pairwise Dice", "ECE of the pixels", "losses of Dice"):
        assert words in printed
    printed = output_of(capsys, "refer", run.path, "--budget", 5, "--to", tmp_path / "out.csv")
    assert "5 of 60" in printed
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 6
    scores = tmp_path / "own.csv"
    scores.write_text("\n".join(map(str, range(60))))
    output_of(capsys, "score", run.path, "--name", "own", "--from", scores)
    assert "own" in run.score_names
