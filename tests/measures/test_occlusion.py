"""What a part adds is compared pass by pass."""

import numpy as np

from mcviz.measures.occlusion import occlusion_effects


def test_passes_that_differ_but_lose_the_same_have_no_spread() -> None:
    whole = np.array([[0.9, 0.1], [0.5, 0.5]])
    hidden = np.array([[[0.7, 0.3], [0.9, 0.1]], [[0.3, 0.7], [0.3, 0.7]]])
    effects = occlusion_effects(whole, hidden)
    np.testing.assert_allclose(effects.mean, [[0.2, -0.2], [0.1, -0.1]])
    np.testing.assert_allclose(effects.std, [[0, 0], [0.1, 0.1]], atol=1e-12)
