"""Threads that use PyTorch models at the same time get what one thread gets, and leave each other alone."""

import copy
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcviz
from mcviz.sampling.loading import load_run_sampler
from tests.requiring import require_torch

require_torch("safetensors")

import torch  # noqa: E402
from torch import nn  # noqa: E402

from tests.sampling.torch import package  # noqa: E402
from tests.sampling.torch.test_network import ROWS, ask_numpy, branch, model_with, remember  # noqa: E402
from tests.sampling.torch.zoo import CASES  # noqa: E402

EIGHT = pytest.param(8, marks=pytest.mark.slow)
KINDS = {
    "traced": {},
    "a condition": {"change": branch},
    "numpy": {"change": ask_numpy},
    "a cache": {"change": remember},
}


def run_together(threads: int, works: list[Callable[[], Any]]) -> list[Any]:
    """Start as many of the works at once as there are threads."""
    together = threading.Barrier(threads)

    def start(work: Callable[[], Any]) -> Any:
        together.wait()
        return work()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(start, works))


@pytest.mark.parametrize("threads", [2, EIGHT])
@pytest.mark.parametrize("shared", [False, True])
def test_threads_that_sample_modules_get_the_bits_of_one(threads: int, shared: bool) -> None:
    """Of their own, of all kinds; and of one that they share."""
    models = [model_with(**each) for each in KINDS.values()]
    models = [models[1]] * threads if shared else [copy.deepcopy(each) for each in models for _ in range(threads // 2)]
    alone = {type(each): mcviz.sample(copy.deepcopy(each), ROWS, passes=5) for each in models}
    assert all(module.training for model in models for module in model.modules())
    for model, passes in zip(
        models,
        run_together(threads, [lambda each=each: mcviz.sample(each, ROWS, passes=5) for each in models]),
        strict=True,
    ):
        np.testing.assert_array_equal(passes, alone[type(model)])
        assert all(module.training for module in model.modules())


@pytest.mark.parametrize("threads", [2, EIGHT])
def test_threads_that_open_runs_get_the_bits_of_one(
    threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCVIZ_IMPORT", "tests.sampling.torch.package")
    rows = np.random.default_rng(0).random((9, 4), dtype=np.float32)
    examples = {"row": rows, "sequence": torch.tensor(rows).reshape(3, 3, 4)}
    runs = [
        mcviz.sample_run(mcviz.load_torch(f"{package.__name__}:{name}_model"), each, tmp_path / name, passes=5)
        for name, each in examples.items()
    ]
    given = list(examples.values())

    def open_again(number: int) -> tuple[np.ndarray, np.ndarray]:
        sampler = load_run_sampler(mcviz.open_run(runs[number].path))
        return sampler.sample(given[number], passes=5), sampler.network.compute_features(given[number])

    alone = [open_again(0), open_again(1)]
    for number, outcomes in enumerate(
        run_together(threads, [lambda number=number: open_again(number % 2) for number in range(threads)])
    ):
        for one, other in zip(alone[number % 2], outcomes, strict=True):
            np.testing.assert_array_equal(one, other)


@contextmanager
def use_torch_elsewhere() -> Iterator[list[Any]]:
    """Call and train a module in another thread; the list then has its predictions and what it raised."""
    torch.manual_seed(1)
    module, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), torch.ones(3, 4)
    outcomes: list[Any] = []
    ended = threading.Event()

    def use() -> None:
        try:
            while not ended.is_set():
                predicted = module(x)
                predicted.sum().backward()
                outcomes.append(predicted.detach())
        except Exception as error:  # noqa: BLE001 (of any kind: the test shows it)
            outcomes.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    try:
        yield outcomes
    finally:
        ended.set()
        thread.join()


def test_another_thread_that_uses_torch_is_left_alone_and_changes_nothing() -> None:
    model, images = CASES["functional"].make()
    alone = mcviz.sample(model, images, passes=5)
    with use_torch_elsewhere() as outcomes:
        for each in (model, model_with(change=branch)):
            passes = mcviz.sample(each, images if each is model else ROWS, passes=5)
            np.testing.assert_array_equal(passes, alone) if each is model else None
    assert len(outcomes) > 10
    assert all(isinstance(each, torch.Tensor) and torch.equal(each, outcomes[0]) for each in outcomes), outcomes[-1]
