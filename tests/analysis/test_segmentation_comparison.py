"""Two runs of segmentation against each other: figures against plain loops over label maps, and what is refused."""

import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mcviz import compare, write_run
from mcviz.analysis.comparison import change_table, compare_groups, join_comparison
from mcviz.analysis.requirements import parse_non_inferiority
from mcviz.analysis.slices import compare_slices
from mcviz.data.in_place import LazyRows
from mcviz.errors import InvalidInputError
from mcviz.runs import Run
from mcviz.runs.arrays import ArrayReader
from tests.cases import one_in
from tests.commands import output_of, refusal_of
from tests.factories import Stop, stop_after
from tests.requiring import require_torch

NAMES = ["none", "cell", "edge"]
COUNT, SIZE, PASSES, IGNORED = 66, (12, 10), 4, 255
SITES = ["east", "west"]


def draw_masks() -> np.ndarray:
    rng = np.random.default_rng(0)
    masks = np.zeros((COUNT, *SIZE), np.uint8)
    for example, mask in enumerate(masks):
        for number in (1, 2) if example % 3 else (1,):
            row, column = rng.integers(0, 7, 2)
            mask[row : row + 4, column : column + 4] = number
    masks[:, -1], masks[5], masks[6] = IGNORED, IGNORED, 0
    return masks


MASKS = draw_masks()
IMAGES = np.random.default_rng(1).integers(0, 256, (COUNT, *SIZE, 1), dtype=np.uint8)


def draw_probs(seed: int, noise: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = COUNT, *SIZE, 3
    logits = 3 * np.eye(3)[np.where(MASKS == IGNORED, 0, MASKS)] + noise * rng.normal(size=shape)
    probs = np.exp(logits + rng.normal(size=(PASSES, *shape)))
    return (probs / probs.sum(axis=-1, keepdims=True)).astype(np.float32)


PROBS = draw_probs(2, 1.2), draw_probs(3, 1.5)


def make(path: Path, which: int, **changes: Any) -> Run:
    columns = {"site": [SITES[example % 2] for example in range(COUNT)], "patient": np.arange(COUNT) // 3}
    given = {"passes": PROBS[which], "data": IMAGES, "labels": MASKS, "class_names": NAMES, "columns": columns}
    given |= {"task": "segmentation"} | changes
    return write_run(path, given.pop("passes"), **given)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("pair")
    return make(folder / "one", 0), make(folder / "other", 1)


def slow_dice(first: np.ndarray, second: np.ndarray, background: int = 0) -> float:
    """The mean Dice of the foreground classes of either map, pixel by pixel; 3 and 255 of the second are ignored."""
    both, either = dict.fromkeys(range(3), 0), dict.fromkeys(range(3), 0)
    pixels = [(int(a), int(b)) for a, b in zip(first.ravel(), second.ravel(), strict=True) if b < 3]
    for a, b in pixels:
        either[a] += 1
        either[b] += 1
        both[a] += a == b
    values = [2 * both[number] / either[number] for number in range(3) if number != background and either[number]]
    return float("nan") if not pixels else sum(values) / len(values) if values else 1.0


def predicted(which: int) -> np.ndarray:
    return PROBS[which].mean(axis=0, dtype=np.float64).argmax(axis=-1)


def dice_of(which: int, masks: np.ndarray = MASKS) -> np.ndarray:
    return np.array([slow_dice(*maps) for maps in zip(predicted(which), masks, strict=True)])


def test_measures_and_changes_are_those_of_a_slow_loop(pair: tuple[Run, Run]) -> None:
    found, (before, after) = compare(*pair), map(dice_of, range(2))
    dice = found.measures[0]
    assert dice.measure.name == "dice"
    assert dice.one.value == pytest.approx(np.nanmean(before))
    assert dice.other.value == pytest.approx(np.nanmean(after))
    assert dice.difference.value == pytest.approx(np.nanmean(after - before))
    assert dice.difference.low < dice.difference.value < dice.difference.high < 0
    assert found.verdicts == {"dice": "worse"}
    assert found.in_words.startswith("other has the worse mean Dice, by ")
    assert found.changes is not None
    assert found.changes.counts == {
        "lower Dice": (after < before).sum(),
        "higher Dice": (after > before).sum(),
        "same Dice": (after == before).sum(),
        "every pixel ignored": 1,
    }
    assert found.changes.moved == ("lower Dice", "higher Dice")
    np.testing.assert_allclose(found.changes.worse, np.nan_to_num(before - after))
    for run, measured in zip(pair, (dice.one, dice.other), strict=True):
        assert measured.value == pytest.approx(run.manifest.quality)


def test_the_dice_of_both_is_that_of_torchmetrics(pair: tuple[Run, Run]) -> None:
    require_torch("torchmetrics")
    import torch
    from torchmetrics.functional.segmentation import dice_score

    found = compare(*pair)
    assert found.terms is not None
    chosen = np.delete(np.arange(COUNT), 5)
    rows = slice(None, -1)  # since the last one is ignored, which torchmetrics does not know
    for which, terms in enumerate(found.terms):
        maps = (torch.from_numpy(each[chosen, rows].astype(np.int64)) for each in (predicted(which), MASKS))
        expected = dice_score(
            *maps,
            num_classes=3,
            include_background=False,
            average="macro",
            input_format="index",
            aggregation_level="samplewise",
        )
        np.testing.assert_allclose(terms["dice"][chosen], torch.nan_to_num(expected, 1.0), rtol=1e-6)


def test_without_labels_the_change_is_the_dice_of_both_predictions(tmp_path: Path) -> None:
    found = compare(*(make(tmp_path / str(which), which, labels=None) for which in range(2)))
    same = [slow_dice(*maps) for maps in zip(predicted(0), predicted(1), strict=True)]
    assert found.changes is not None
    np.testing.assert_allclose(found.changes.worse, 1 - np.array(same))
    equal = int((predicted(0) == predicted(1)).all(axis=(1, 2)).sum())
    assert found.changes.counts == {"another prediction": COUNT - equal, "same prediction": equal}
    assert found.measures == ()
    assert "labels are missing" in found.in_words


MOVED = np.random.default_rng(7).permutation(COUNT)[:60]  # the images of a second run, in its order
ORDER = [2, 0, 1]  # of its classes
MENDED = np.where(np.arange(COUNT)[:, None, None] % 10 == 1, np.roll(MASKS, 1, axis=2), MASKS)


def turn(masks: np.ndarray) -> np.ndarray:
    """Masks with the numbers of the classes in that order."""
    return np.where(masks == IGNORED, IGNORED, np.append(np.argsort(ORDER), [0] * 253)[masks]).astype(np.uint8)


@pytest.mark.parametrize(("which", "masks"), one_in(3, [("new", MENDED), ("old", MASKS)]))
@pytest.mark.parametrize("turned_first", one_in(2, [True, False]))
def test_images_classes_and_labels_in_another_order_are_matched(
    pair: tuple[Run, Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    which: Any,
    masks: np.ndarray,
    turned_first: bool,
) -> None:
    """With labels of either run, read in small blocks, and runs of several shards."""
    monkeypatch.setattr("mcviz.manifest.SHARD_VALUES", 8 * PASSES * 3 * 120)
    monkeypatch.setattr("mcviz.analysis.pairing.BLOCK_BYTES", 7 * 120)
    site = [SITES[example % 2] for example in MOVED]
    turned = make(
        tmp_path / "turned", 1, passes=PROBS[1][:, MOVED][..., ORDER], data=IMAGES[MOVED], labels=turn(MENDED)[MOVED],
        class_names=[NAMES[number] for number in ORDER], background=1, columns={"site": site, "patient": MOVED // 3},
    )  # fmt: skip
    assert turned.manifest.shards > 1
    pair[0].manifest.created.update(started="2026-01-01T00:00:00+00:00")
    done: list[tuple[int, int]] = []
    runs = (turned, pair[0]) if turned_first else (pair[0], turned)
    found = compare(*runs, labels=which, progress=lambda *now: done.append(now))
    kept = MOVED if turned_first else np.sort(MOVED)
    assert found.pairs.by == ("contents",)
    assert isinstance(found.pairs.labels, LazyRows)
    expected = turn(masks) if turned_first else masks
    np.testing.assert_array_equal(found.pairs.labels[:], np.where(expected == IGNORED, 3, expected)[kept])
    assert found.pairs.labels_differ == ((MENDED != MASKS).any(axis=(1, 2)))[MOVED].sum() > 0
    assert found.pairs.labels_of is (turned if which == "new" else pair[0])
    both = [dice_of(0, masks)[kept], dice_of(1, masks)[kept]][:: -1 if turned_first else 1]
    assert found.terms is not None
    assert found.changes is not None
    for terms, dice in zip(found.terms, both, strict=True):
        np.testing.assert_allclose(terms["dice"], dice)
    np.testing.assert_allclose(found.changes.worse, np.nan_to_num(both[0] - both[1]), atol=1e-12)
    assert done[-1] == (COUNT + len(MOVED),) * 2
    assert [now[0] for now in done] == sorted(now[0] for now in done)
    assert len(done) > 3
    order, has_class = (
        runs[0].class_names,
        {name: (masks == NAMES.index(name)).any(axis=(1, 2))[kept] for name in NAMES},
    )
    known = ~np.isnan(both[0])
    groups = compare_groups(found, "label")
    assert list(groups) == list(order)
    for name, (count, measured) in groups.items():
        within = has_class[name] & known
        assert count == within.sum()
        assert measured.one.value == pytest.approx(both[0][within].mean())
        assert measured.difference.value == pytest.approx((both[1] - both[0])[within].mean())
    np.testing.assert_array_equal(found.label_sets, np.stack([has_class[name] for name in order], axis=1))
    assert compare_slices(found) is not None
    joined = join_comparison(*runs, found.pairs)
    assert not {"other_loss", "loss"} & set(joined), "which is of other labels than the run's own beside it"


def test_label_maps_are_read_as_they_are_needed_and_never_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcviz.manifest.SHARD_VALUES", 8 * PASSES * 3 * 120)
    monkeypatch.setattr("mcviz.analysis.pairing.BLOCK_BYTES", 7 * 120)
    runs, most = [make(tmp_path / str(which), which) for which in range(2)], {}

    def counting(read: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        def counted(reader: ArrayReader, name: str, *which: Any) -> np.ndarray:
            rows = read(reader, name, *which)
            most[name] = max(most.get(name, 0), len(rows) if rows.ndim > 2 else 0)
            return rows

        return counted

    for way in ("rows", "take"):
        monkeypatch.setattr(ArrayReader, way, counting(getattr(ArrayReader, way)))
    found = compare(*runs)
    change_table(found)
    assert 0 < most.pop("label") <= 8
    assert 0 < most.pop("mean_class") <= 8
    assert not any(most.values()), "no array of pixels is read but these"


def test_what_is_read_can_be_stopped(pair: tuple[Run, Run]) -> None:
    with pytest.raises(Stop):
        compare(*pair, progress=stop_after(0.4))


def test_a_run_against_itself_is_the_same(pair: tuple[Run, Run]) -> None:
    found = compare(pair[0], pair[0])
    assert {each.verdict for each in found.measures} == {"same"}
    same = f"all {COUNT} examples have the same labels and predictions in both runs"
    assert found.in_words == f"Nothing changed: {same}."
    assert found.changes is not None
    assert found.changes.counts["same Dice"] == COUNT - 1


def test_groups_are_kept_whole_and_groups_are_compared(pair: tuple[Run, Run]) -> None:
    single, grouped = compare(*pair), compare(*pair, group="patient")
    assert grouped.measures[0].difference.value == single.measures[0].difference.value
    assert grouped.measures[0].difference.low != single.measures[0].difference.low
    by_site = compare_groups(grouped, "site")
    before = dice_of(0)
    for number, name in enumerate(SITES):
        within = (np.arange(COUNT) % 2 == number) & ~np.isnan(before)
        count, measured = by_site[name]
        assert count == within.sum()
        assert measured.one.value == pytest.approx(before[within].mean())
    differences = pair[0].task.quality.differences
    changed = {"dice": np.r_[np.linspace(0.1, 0.5, 30), np.zeros(30)]}, {"dice": np.zeros(60)}
    options: dict[str, Any] = {"confidence": 0.95, "resamples": 100, "seed": 0}
    few, many = (differences(*changed, ["dice"], groups=np.arange(60) // size, **options)["dice"] for size in (10, 3))
    assert few.low < many.low < many.high < few.high


def test_label_maps_alone_are_compared_with_probabilities(pair: tuple[Run, Run], tmp_path: Path) -> None:
    maps = make(tmp_path / "maps", 1, passes=PROBS[1].argmax(axis=-1).astype(np.uint8))
    found = compare(pair[0], maps)
    assert found.score == "pairwise_dice"
    assert found.measures[0].other.value == pytest.approx(maps.manifest.quality)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"passes": PROBS[1][:, :, :6], "labels": MASKS[:, :6], "data": None},
            "height and width 12 × 10 and 6 × 10. Choose another run, or make one of them again from images of the",
        ),
        ({"background": 1}, "the background class none and class cell. Choose another run, or .* other's --background"),
        ({"background": None}, "the background class none and no class. Choose another run, or .* the other's --back"),
        ({"ignore": 254, "labels": None}, "ignored pixels 255 and 254. Choose another run, or .* the other's --ignore"),
        ({"passes": PROBS[1][..., :2] / PROBS[1][..., :2].sum(-1, keepdims=True), "labels": None,
          "class_names": NAMES[:2]}, "number of classes 3 and 2. Choose another run"),
    ],
)  # fmt: skip
def test_what_predicts_something_else_is_refused(
    pair: tuple[Run, Run], tmp_path: Path, changes: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make(tmp_path / "run", 1, **changes)
    with pytest.raises(InvalidInputError, match=said):
        compare(pair[0], other)
    assert "Choose another run" in refusal_of(capsys, "compare", pair[0].path, other.path)


def test_the_command_and_the_notebook_say_what_python_finds(
    pair: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths, found = [run.path for run in pair], compare(*pair)
    assert found.changes is not None
    more = "--json", "--group", "patient", "--by", "prediction", "--to", tmp_path / "all.csv"
    printed = json.loads(output_of(capsys, "compare", *paths, *more))
    assert printed["group"] == "patient"
    assert printed["measures"]["dice"]["other_less_one"]["value"] == found.measures[0].difference.value
    ids = pair[0].scores()["id"]
    assert printed["changes"]["lower Dice"]["ids"] == ids[found.changed("lower Dice")].tolist()
    assert set(printed["groups"]) <= set(NAMES)
    table = pd.read_csv(tmp_path / "all.csv")
    assert table["id"].astype(str).tolist() == ids[change_table(found).index].tolist()
    assert table["change"].iloc[0] == "lower Dice"
    np.testing.assert_allclose(table["other_pairwise_dice"], pair[1].scores()["pairwise_dice"][table["id"]], rtol=1e-6)
    np.testing.assert_allclose(1 - table["other_loss"], dice_of(1)[table["id"]], rtol=1e-6)
    output = output_of(capsys, "compare", *paths, "--by", "site")
    for words in (found.in_words, "mean Dice by site", "lower Dice", "every pixel ignored", "Is it worse on anything?"):
        assert words in output
    page = found._repr_html_()
    for text in (found.examples_in_words, found.in_words, *(cell for row in found.text_rows for cell in row)):
        assert html.escape(text) in page


def test_a_gate_takes_a_dice_that_is_not_worse(pair: tuple[Run, Run]) -> None:
    for margin, met in (("30%", True), ("0.1%", False)):
        judgement = parse_non_inferiority(f"dice not worse by {margin}").judge(compare(*pair))
        assert judgement.met is met
        assert judgement.in_words.startswith("mean Dice changes by −")
