"""Passes of models of PyTorch, against torch's own with dropout on."""

import copy
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp

from mcviz.choices import MASKS
from mcviz.sampling import Sampler, engine
from tests.requiring import require_torch

require_torch()

import torch  # noqa: E402

from tests.sampling.torch.zoo import CASES, LARGE, Case  # noqa: E402

PASSES = 600
LEAST_P = 1e-5  # of the same distribution; a rate of 0.3 for 0.4 gives less than 1e-9
NEEDS = {"resnet": "torchvision", "bert": "transformers", "vit": "timm"}

QUICK = "functional", "lstm"
OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in CASES | LARGE if name not in QUICK]
every_case = pytest.mark.parametrize("case", [*QUICK, *OTHERS], indirect=True)


Prepared = tuple[Case, torch.nn.Module, Any, Sampler]


@pytest.fixture(scope="module")
def prepared() -> dict[str, Prepared]:
    """By the name of the model, each made once."""
    return {}


@pytest.fixture
def case(request: pytest.FixtureRequest, prepared: dict[str, Prepared]) -> Prepared:
    name = request.param
    if name not in prepared:
        require_torch(*filter(None, [NEEDS.get(name)]))
        case = (CASES | LARGE)[name]
        model, examples = case.make()
        prepared[name] = case, model, examples, Sampler(model)
    return prepared[name]


def own_passes(model: torch.nn.Module, drawing: Any, example: Any, passes: int) -> np.ndarray:
    """(passes, classes) by torch alone, each pass a row of one batch."""
    rows = torch.as_tensor(example)[None].repeat_interleave(passes, 0)
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    for module in drawing:
        module.training = True
    try:
        with torch.no_grad():
            returned = model(rows)
    finally:
        model.eval()
        torch.backends.mha.set_fastpath_enabled(before)
    return getattr(returned, "logits", returned).softmax(1).numpy()


def check_distribution(passes: np.ndarray, own: np.ndarray) -> None:
    assert own.std(axis=0).min() > 1e-3
    for column in range(own.shape[1]):
        assert ks_2samp(passes[:, column].round(4), own[:, column].round(4)).pvalue > LEAST_P


@every_case
def test_passes_are_distributed_as_those_of_torch(case: Prepared) -> None:
    kind, model, examples, sampler = case
    for masks in MASKS:
        passes = sampler.sample(examples, passes=PASSES, masks=masks)
        for number in (0, 4):
            check_distribution(passes[:, number], own_passes(model, kind.drawing(model), examples[number], PASSES))
    with torch.no_grad():
        returned = model(torch.as_tensor(examples))
    expected = getattr(returned, "logits", returned).softmax(1).numpy()
    np.testing.assert_allclose(sampler.deterministic(examples), expected, atol=1e-5)
    assert ("one example at a time" in sampler.description()) == (kind is CASES["branching"])


@every_case
def test_any_split_and_any_threads_give_the_same_bits(case: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, examples, sampler = case
    usual = torch.get_num_threads()
    for masks in MASKS:
        whole, predicted = sampler.sample(examples, passes=140, masks=masks), sampler.deterministic(examples)
        for threads, own_threads, taken in ((1, 2, slice(0, 6)), (3, 1, slice(4, 5))):
            monkeypatch.setattr(engine, "_thread_limit", threads)
            torch.set_num_threads(own_threads)
            try:
                options = {"masks": masks, "first_example": taken.start}
                part = sampler.sample(examples[taken], passes=15, first_pass=120, **options)
                alone = sampler.deterministic(examples[taken])
            finally:
                torch.set_num_threads(usual)
            np.testing.assert_array_equal(part, whole[120:135, taken])
            np.testing.assert_array_equal(alone, predicted[taken])


def test_the_order_of_axes_in_memory_changes_no_bit() -> None:
    """An axis of one channel may have any stride in NumPy, which torch takes for another order of the axes."""
    model, images = CASES["functional"].make()
    channels_last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    sampler, pictures = Sampler(model), images.permute(0, 2, 3, 1).contiguous().numpy()
    passes, predicted = sampler.sample(images, passes=20), sampler.deterministic(images)
    np.testing.assert_array_equal(sampler.sample(pictures, passes=20), passes)
    np.testing.assert_array_equal(sampler.deterministic(np.asfortranarray(pictures)), predicted)
    np.testing.assert_allclose(Sampler(channels_last).sample(images, passes=20), passes, atol=1e-5)
