"""What the browser is sent for the histograms of the passes."""

from typing import Any

import numpy as np
import pytest

from mcviz.app.components import class_panels, strips, ticks
from mcviz.measures import summarise

NAMES = [str(c) for c in range(10)]


def panels_of(probs: np.ndarray, class_names: list[str], label: int | None) -> list[dict[str, Any]]:
    panels = class_panels(summarise(probs), class_names, label)
    return [{**panel, "counts": counts_of(panel)} for panel in panels]


def counts_of(panel: dict[str, Any]) -> list[int]:
    """The counts of all 100 bins, of which only those with passes are sent."""
    assert 0 not in panel["counts"]
    counts = [0] * 100
    for bin_, count in zip(panel["bins"], panel["counts"], strict=True):
        counts[bin_] = count
    return counts


@pytest.fixture
def probs() -> np.ndarray:
    """200 passes of one example, most of them for class 3, some for class 5."""
    drawn = np.random.default_rng(0).dirichlet(np.full(10, 0.05) + np.eye(10)[3] * 3 + np.eye(10)[5], 200)
    return drawn.astype(np.float32)


@pytest.mark.parametrize(
    ("passes", "expected"),
    [(1, [0, 1]), (6, [0, 1, 2, 5]), (20, [0, 2, 5, 10]), (500, [0, 50, 250, 500]), (1000, [0, 250, 500, 1000])],
)
def test_any_number_of_passes_has_a_scale(passes: int, expected: list[int]) -> None:
    assert ticks(passes) == expected


def test_ten_histograms_of_a_hundred_bins_hold_every_pass(probs: np.ndarray) -> None:
    panels = panels_of(probs, NAMES, label=5)
    assert [panel["name"] for panel in panels] == NAMES
    for panel in panels:
        assert len(panel["counts"]) == 100
        assert sum(panel["counts"]) == 200


def test_each_histogram_counts_its_own_class(probs: np.ndarray) -> None:
    for c, panel in enumerate(panels_of(probs, NAMES, None)):
        expected = [0] * 100
        for probability in probs[:, c].astype(np.float64):
            expected[min(int(probability * 100), 99)] += 1
        assert panel["counts"] == expected


def test_certainty_falls_into_the_last_bin_and_never_into_the_first() -> None:
    first, second = panels_of(np.array([[1, 0], [1, 0]], np.float32), ["a", "b"], None)
    assert first["counts"] == [0] * 99 + [2]
    assert second["counts"] == [2] + [0] * 99


def test_mean_and_spread_stand_beside_the_name(probs: np.ndarray) -> None:
    for c, panel in enumerate(panels_of(probs, NAMES, None)):
        mean, std = probs[:, c].astype(np.float64).mean(), probs[:, c].astype(np.float64).std()
        if mean > 0.001 and std > 0.001:
            assert panel["value"] == f"{mean:.1%} ± {std:.1%}"
    assert "<" in panels_of(np.array([[0.9999, 0.0001]] * 2), ["a", "b"], None)[1]["value"]


def test_roles_are_told_in_words_and_in_colours(probs: np.ndarray) -> None:
    panels = panels_of(probs, NAMES, label=5)
    assert [panel["role"] for panel in panels] == ["", "", "", "prediction", "", "label", "", "", "", ""]
    assert len({panels[c]["colour"] for c in (3, 5, 0)}) == 3
    assert panels_of(probs, NAMES, label=3)[3]["role"] == "prediction and label"


def test_a_histogram_is_told_to_those_who_cannot_see_it() -> None:
    probs = np.array([[0.905, 0.095], [0.905, 0.095], [0.505, 0.495]])
    spoken = panels_of(probs, ["cat", "dog"], label=1)[1]["spoken"]
    assert spoken == "dog, label: 22.8% ± 18.9%; most often 9% to 10%, in 2 of 3 passes."


def test_a_narrow_column_has_the_classes_of_two_percent_and_the_label_and_says_how_little_the_others_get() -> None:
    mean = np.array([0.012, 0.6, 0.02, 0.3, 0.019, 0.049])
    summary = summarise(np.tile(mean, (4, 1)))
    assert strips(summary, None) == {"strips": [1, 3, 5, 2], "rest": "2 more classes below 1.9%."}
    assert strips(summary, 0) == {"strips": [1, 3, 5, 2, 0], "rest": "1 more class below 1.9%."}
    certain = summarise(np.array([[0.9999, 0.0001], [1, 0]]))
    assert strips(certain, None) == {"strips": [0], "rest": "1 more class below 0.1%."}
    many = summarise(np.tile(np.full(30, 1 / 30), (2, 1)))
    assert len(strips(many, 29)["strips"]) == 9
    assert strips(many, 29)["rest"] == "21 more classes below 3.4%."
