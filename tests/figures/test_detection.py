"""What the figures of detection hold, looked up in their data."""

import numpy as np

from mcviz.figures.trust import ood_score_distributions, roc_curve, shade_cells


def test_better_cells_are_darker() -> None:
    words = shade_cells(np.array([[0.5, 0.95, np.nan], [0.99, 0.999, 1.0]]))
    assert words[0, 2] == ""
    order = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    background = [luminance(words[cell].split("#")[1][:6]) for cell in order]
    assert sorted(background, reverse=True) == background
    assert len(set(background)) == 5


def test_where_less_is_better_smaller_cells_are_darker_as_far_as_is_asked() -> None:
    shares = np.array([[0.9, 0.4, 0.2, 0.01, 0.0]])
    background = [luminance(word.split("#")[1][:6]) for word in shade_cells(shares, perfect=0, far=0.5)[0]]
    assert sorted(background, reverse=True) == background
    assert len(set(background)) == 5
    assert (shade_cells(shares, perfect=0) == shade_cells(1 - shares)).all()


def test_text_stands_out_on_every_shade() -> None:
    for words in shade_cells(1 - np.geomspace(0.2, 1e-5, 200)[None])[0]:
        light, dark = sorted((luminance(words.split("#")[part][:6]) for part in (1, 2)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 4.5  # the contrast that WCAG 2.1 asks for


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_the_roc_keeps_its_shares_behind_the_stretched_axis() -> None:
    rates = np.array([0, 0.04, 1])
    compared, chosen = roc_curve(rates, np.array([0.9, 1, 1]), "new", np.array([0.1, 0.5, 1]), "old").data
    assert (compared.name, chosen.name) == ("old", "new")
    np.testing.assert_allclose(chosen.x, [0, 0.2, 1])
    np.testing.assert_array_equal(chosen.customdata, rates)
    np.testing.assert_array_equal(chosen.y, [0.9, 1, 1])


def test_the_roc_says_what_the_false_positives_are() -> None:
    curve = roc_curve(np.array([0, 1]), np.array([0, 1]), "new", np.array([0, 1]), "old", "correct predictions")
    assert curve.layout.xaxis.title.text == "false positive rate, among correct predictions"


def test_distributions_are_shares_of_each_set_over_the_same_bins() -> None:
    in_distribution, out_of_distribution = ood_score_distributions(
        np.array([0.0, 1, 2]), np.array([30, 10]), np.array([0, 5]), ["test images", "noise"]
    ).data
    assert in_distribution.y.tolist() == [0.75, 0.25]
    assert out_of_distribution.y.tolist() == [0, 1]
    assert in_distribution.x.tolist() == out_of_distribution.x.tolist() == [0.5, 1.5]
    assert in_distribution.line.color != out_of_distribution.line.color


def test_a_set_without_images_draws_an_empty_line() -> None:
    _, out_of_distribution = ood_score_distributions(np.array([0.0, 1]), np.array([3]), np.array([0]), ["a", "b"]).data
    assert out_of_distribution.y.tolist() == [0]
