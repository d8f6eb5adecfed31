"""The dot plot of AUROC by set: a row a set, a trace a detector, and nothing that is hidden."""

import numpy as np

from mcviz.figures.trust import auroc_of_sets

SETS = ["Noise", "<b>Mine</b>"]
VALUES = {
    "Verdict": np.array([[0.99, 0.98, 1.0], [0.9, 0.85, 0.93]]),
    "Pixels alone": np.array([[0.7, 0.6, 0.8], [0.1, 0.05, 0.15]]),
}


def test_a_dot_is_the_auroc_with_the_ends_of_its_interval() -> None:
    verdict, pixels = auroc_of_sets(SETS, VALUES).data
    assert (verdict.name, pixels.name) == tuple(VALUES)
    np.testing.assert_allclose(verdict.x, [0.99, 0.9])
    np.testing.assert_allclose(verdict.x + verdict.error_x.array, [1.0, 0.93])
    np.testing.assert_allclose(verdict.x - verdict.error_x.arrayminus, [0.98, 0.85])
    assert verdict.y[0] > pixels.y[0] > verdict.y[1] > pixels.y[1], "a row a set, from top to bottom"


def test_what_is_worse_than_guessing_is_at_the_edge_with_an_arrow_and_told_as_it_is() -> None:
    pixels = auroc_of_sets(SETS, VALUES).data[1]
    assert pixels.x[1] == 0.5
    assert list(pixels.text) == ["", "◂"]
    assert pixels.customdata[1][0] == 0.1


def test_names_are_shown_as_they_were_typed_and_pictures_stand_beside_them() -> None:
    figure = auroc_of_sets(SETS, VALUES, ["data:image/png;base64,AAAA", ""])
    assert list(figure.layout.yaxis.ticktext) == ["Noise", "&lt;b&gt;Mine&lt;/b&gt;"]
    (picture,) = figure.layout.images
    assert picture.y == 0
    assert picture.x < 0.5 == min(figure.layout.xaxis.tickvals)
    assert figure.layout.height > auroc_of_sets(SETS[:1], {"Verdict": VALUES["Verdict"][:1]}).layout.height
