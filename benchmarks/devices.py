"""The speed of Monte Carlo passes of PyTorch models on each device, against the loop of plain torch there.

    python benchmarks/devices.py [--networks NAME ...] [--passes 100] [--turns 3] [--share 1]

On a processor of two cores, this measures the largest network in half a minute:

    python benchmarks/devices.py --networks vit --passes 8 --turns 1 --share 0.0625

All weights are random. The loop calls the model on the device with its dropout on, once a pass, with the best of some
sizes of a batch; some of its passes are timed and the rest scaled. Both take turns. The bytes that cross the bus are
computed from the plan. A device waits while no thread has work for it, as while random numbers are drawn.
"""

import argparse
import math
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from mcviz.runs.tables import Rows
from mcviz.sampling import Sampler
from mcviz.sampling.base import Plan
from mcviz.sampling.engine import SamplerCall, count_examples

if TYPE_CHECKING:
    import torch

    from benchmarks.torch_sampling import Network

DEVICES = "cpu", "cuda", "mps"
LOOP_PASSES = 2
BATCHES = 16, 64, 256
SEED = 0


def forecast_bytes(plan: Plan, inputs: Mapping[str, Rows], passes: int, masks: str) -> tuple[int, int]:
    """Forecast the bytes that a sampling sends to a device, and those that come back.

    Args:
        plan: of the model on the device.
        inputs: the examples, each (N, ...).
        passes: the number of passes, from the first one.
        masks: `per_pass` or `per_example`.
    """
    count, size, examples = count_examples(inputs), plan.shared_examples_per_block, plan.examples_per_block
    shared_rows = 0 if plan.layers.untraced else -(-count // size) * size
    input_bytes = sum(rows.dtype.itemsize * math.prod(rows.shape[1:]) for rows in inputs.values())
    blocks = -(-count // examples) * -(-passes // plan.passes_per_block)
    numbers = 0
    for request in plan.random_requests:
        elements = math.prod(request.shape)
        row_bytes = -(-elements // 8) if request.distribution == "bernoulli" else 4 * elements
        numbers += row_bytes * plan.passes_per_block * (1 if request.shared or masks == "per_pass" else examples)
    up = shared_rows * input_bytes + blocks * (examples * plan.shared_bytes + numbers)
    down = shared_rows * plan.shared_bytes + blocks * examples * plan.passes_per_block * 4 * plan.width
    return up, down


def vit() -> "torch.nn.Module":
    """Build a ViT-B/16 with dropout, in its attention, too."""
    import torch
    from torchvision.models import vit_b_16

    model = vit_b_16(dropout=0.1, attention_dropout=0.1)
    torch.nn.init.normal_(model.heads.head.weight, std=0.02)  # it starts at zero, where no pass differs
    return model


def resnet50() -> "torch.nn.Module":
    """Build a ResNet50 with dropout in front of its last layer."""
    import torch
    from torchvision.models import resnet50

    model = resnet50()
    model.fc = torch.nn.Sequential(torch.nn.Dropout(0.1), model.fc)
    return model


def list_networks() -> "dict[str, Network]":
    """List the networks of docs/appendix/speed.md, and two large ones."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    from benchmarks.torch_sampling import NETWORKS, Network, images

    if cores:
        os.sched_setaffinity(0, cores)  # that benchmark takes one core
    return {
        **NETWORKS,
        "vit": Network("ViT-B/16, 224 × 224, dropout and attention dropout", vit, images(3, 224, 224), 32, 1),
        "resnet50": Network("ResNet50, 224 × 224, dropout before the last layer", resnet50, images(3, 224, 224), 64, 1),
    }


def find_missing() -> dict[str, str]:
    """Find the devices that torch does not see, with the reasons."""
    import torch

    missing = {}
    for device in DEVICES:
        try:
            torch.zeros(1, device=device)
        except (RuntimeError, AssertionError) as error:
            missing[device] = str(error).splitlines()[0][:100]
    return missing


class Busy:
    """The time in which at least one thread is within some functions."""

    def __init__(self) -> None:
        self.seconds, self._within, self._since, self._lock = 0.0, 0, 0.0, threading.Lock()

    @contextmanager
    def within(self) -> Iterator[None]:
        """Count what is done meanwhile."""
        with self._lock:
            self._since = self._since if self._within else time.perf_counter()
            self._within += 1
        try:
            yield
        finally:
            with self._lock:
                self._within -= 1
                self.seconds += 0 if self._within else time.perf_counter() - self._since

    def watch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is counted."""

        @wraps(function)
        def call(*given: Any) -> Any:
            with self.within():
                return function(*given)

        return call


def pass_by_torch(model: "torch.nn.Module", examples: "torch.Tensor", batch: int) -> float:
    """Carry out some passes by torch alone; return the seconds of one."""
    import torch

    began = time.perf_counter()
    with torch.no_grad():
        for _ in range(LOOP_PASSES):
            for start in range(0, len(examples), batch):
                returned = model(examples[start : start + batch])
                getattr(returned, "logits", returned).sum().item()  # which waits for the device
    return (time.perf_counter() - began) / LOOP_PASSES


def pass_by_mcviz(plan: Plan, inputs: Mapping[str, Rows], passes: int, sampler: Sampler) -> tuple[float, float]:
    """Sample; return the seconds, and the share of them in which the device had nothing to do."""
    busy, result = Busy(), np.empty((passes, count_examples(inputs), plan.width), np.float32)
    began = time.perf_counter()
    SamplerCall(plan.guard(busy.watch), inputs, result, SEED, False, 0, 0, sampler.product).run(None)
    seconds = time.perf_counter() - began
    return seconds, 1 - busy.seconds / seconds


def measure(network: "Network", device: str, passes: int, turns: int, count: int) -> Sequence[str]:
    """Measure a network on a device; return a row of the table."""
    import torch

    torch.manual_seed(SEED)
    model, examples = network.build().eval(), network.examples(count)
    sampler, looped = Sampler(model, device=device), network.build().eval().to(device)
    for module in looped.modules():
        module.training = not isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
    inputs, plan = sampler.plan_for(examples)
    there, batches = examples.to(device), sorted({min(size, count) for size in BATCHES})
    pass_by_torch(looped, there[: batches[0]], batches[0])  # the plan was tried before
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    loops, ours = [], []
    for _ in range(turns):
        loops.append(min(map(partial(pass_by_torch, looped, there), batches)))
        ours.append(pass_by_mcviz(plan, inputs, passes, sampler))
    loop, seconds = statistics.median(loops), statistics.median(seconds for seconds, _ in ours)
    crossing = (
        ""
        if device == "cpu"
        else "{:,.1f} / {:,.1f}".format(*(size / 1e6 for size in forecast_bytes(plan, inputs, passes, "per_pass")))
    )
    peak = f"{torch.cuda.max_memory_allocated() / 1e6:,.0f}" if device == "cuda" else ""
    return (
        network.name,
        device,
        f"{count:,}",
        f"{1 / loop:,.2f}",
        f"{passes / seconds:,.2f}",
        f"**{loop * passes / seconds:,.1f}×**",
        crossing,
        peak,
        "" if device == "cpu" else f"{statistics.median(share for _, share in ours):.0%}",
    )


def main() -> None:
    """Print the table."""
    networks = list_networks()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=networks, default=list(networks), help="otherwise all")
    parser.add_argument("--passes", type=int, default=100, help="otherwise 100")
    parser.add_argument("--turns", type=int, default=3, help="of which the median is printed; otherwise 3")
    parser.add_argument("--share", type=float, default=1, help="of the examples, for a try; otherwise all")
    options = parser.parse_args()
    import torch

    missing = find_missing()
    for device, reason in missing.items():
        print(f"{device} is missing: {reason}")
    card = torch.cuda.get_device_name() if "cuda" not in missing else "no card"
    print(f"torch {torch.__version__}, {card}, {options.passes} passes, medians of {options.turns} turns")
    print("| | device | examples | passes/s, torch | passes/s, mcviz | speed-up | MB up / down | peak MB | waited |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in options.networks:
        network = networks[name]
        for device in (device for device in DEVICES if device not in missing):
            row = measure(network, device, options.passes, options.turns, max(1, int(network.count * options.share)))
            print("|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
