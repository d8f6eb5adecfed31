"""The promises of the simulated device on a GPU, within the rounding of its products: `pytest -m gpu`."""

import copy

import numpy as np
import pytest

from mcviz.choices import MASKS
from mcviz.sampling import Sampler
from tests.requiring import require_torch

require_torch()

import torch  # noqa: E402

from tests.sampling.torch.test_device import every_case, look, make  # noqa: E402

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: PyTorch sees no CUDA"),
]
PASSES = 140
CLOSE = 1e-4  # of probabilities, where products round otherwise


@every_case
def test_passes_are_those_of_the_processor_and_the_module_stays_where_it_is(name: str) -> None:
    model, examples = make(name)
    moved = copy.deepcopy(model).cuda()
    before, sampler = look(moved), Sampler(model, device="cpu")
    for other in (Sampler(model, device="cuda"), Sampler(moved)):
        assert other.device == "cuda"
        for masks in MASKS:
            expected, passes, again = (
                each.sample(examples, passes=PASSES, seed=3, masks=masks) for each in (sampler, other, other)
            )
            np.testing.assert_array_equal(again, passes)
            np.testing.assert_allclose(passes, expected, rtol=0, atol=CLOSE)
        np.testing.assert_allclose(other.deterministic(examples), sampler.deterministic(examples), rtol=0, atol=CLOSE)
        assert other.network.compute_digest() == sampler.network.compute_digest()
    assert look(moved) == before


def test_fewer_examples_are_computed_at_once_where_memory_runs_out() -> None:
    model, examples = make("functional")
    sampler = Sampler(model, device="cuda")
    whole = sampler.sample(examples, passes=PASSES)
    fresh, held = Sampler(model, device="cuda"), []
    try:
        while True:  # until little is left
            held.append(torch.empty(1 << 28, dtype=torch.uint8, device="cuda"))
    except torch.OutOfMemoryError:
        held.pop()
    try:
        np.testing.assert_allclose(fresh.sample(examples, passes=PASSES), whole, rtol=0, atol=CLOSE)
    finally:
        held.clear()
