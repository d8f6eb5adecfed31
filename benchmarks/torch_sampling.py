"""The speed of Monte Carlo passes of PyTorch models, against the loop of plain torch.

    python benchmarks/torch_sampling.py [--networks NAME ...] [--turns 3] [--share 1]

The loop calls the model in eval mode with its dropout on, once a pass, with the best of some sizes of a batch. Some of
its passes are timed and the rest scaled. Both have one core and take turns, and ours is a job of whole blocks. Other
programs make torch's loop slower by far, so nothing else should run.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])  # before torch makes threads

import torch
import torch.nn.functional as F  # noqa: N812 (as everybody calls it)
from torch import nn

from mcviz.sampling import Sampler

PASSES = 500
LOOP_PASSES = 2
BATCHES = 16, 64, 256


def reference() -> nn.Module:
    """Build the reference network."""
    features = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)]
    head = [nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)]
    return nn.Sequential(*features, *head)


def resnet() -> nn.Module:
    """Build a ResNet18 with dropout in front of its last layer."""
    from torchvision.models import resnet18

    model = resnet18(num_classes=10)
    model.fc = nn.Sequential(nn.Dropout(0.5), model.fc)
    return model


class Functional(nn.Module):
    """A convolution and two dense layers, with dropout by a function."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16)
        self.hidden, self.last = nn.Linear(16 * 169, 64), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute (N, 10) logits."""
        x = F.max_pool2d(F.relu(self.norm(self.convolution(x))), 2).flatten(1)
        x = F.relu(self.hidden(F.dropout(x, 0.5, training=self.training)))
        return self.last(F.dropout(x, 0.5, training=self.training))


class Words(nn.Module):
    """Layers over embedded words."""

    def __init__(self, layers: nn.Module, width: int, last: Callable[[Any], torch.Tensor]) -> None:
        super().__init__()
        self.words, self.layers, self.take = nn.Embedding(1000, 64), layers, last
        self.dropout, self.last = nn.Dropout(0.3), nn.Linear(width, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute (N, 4) logits."""
        return self.last(self.dropout(self.take(self.layers(self.words(x)))))


def lstm() -> nn.Module:
    """Build two layers of LSTM."""
    return Words(nn.LSTM(64, 128, 2, batch_first=True, dropout=0.3), 128, lambda returned: returned[0][:, -1])


def transformer() -> nn.Module:
    """Build two layers of an encoder."""
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True, dropout=0.1)
    return Words(nn.TransformerEncoder(layer, 2), 64, lambda returned: returned.mean(1))


def bert() -> nn.Module:
    """Build a BERT of four layers."""
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 512}
    return BertForSequenceClassification(BertConfig(vocab_size=1000, num_labels=4, **sizes))


def images(*shape: int) -> Callable[[int], torch.Tensor]:
    """Make random images."""
    return lambda count: torch.rand(count, *shape)


def words(count: int) -> torch.Tensor:
    """Make random texts of 32 words."""
    return torch.randint(1, 1000, (count, 32))


@dataclass(frozen=True)
class Network:
    """A network of the benchmark, the examples of a job, and the bound of its speed-up."""

    name: str
    build: Callable[[], nn.Module]
    examples: Callable[[int], torch.Tensor]
    count: int
    bound: float


NETWORKS = {
    "reference": Network("the reference network", reference, images(1, 28, 28), 256, 50),
    "resnet": Network("ResNet18, 224 × 224, dropout before the last layer", resnet, images(3, 224, 224), 64, 200),
    "functional": Network("dropout by a function, behind BatchNorm", Functional, images(1, 28, 28), 256, 40),
    "lstm": Network("two layers of LSTM, 32 words", lstm, words, 64, 1.5),
    "transformer": Network("nn.TransformerEncoder of two layers, 32 words", transformer, words, 32, 1.0),
    "bert": Network("BERT of four layers, 32 words", bert, words, 16, 1.0),
}


def measure(work: Callable[[], Any]) -> tuple[float, float]:
    """Measure seconds of the processor, and by the clock."""
    processor, clock = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - processor, time.perf_counter() - clock


def pass_by_torch(model: nn.Module, examples: torch.Tensor, batch: int) -> None:
    """Carry out some passes by torch alone."""
    with torch.no_grad():
        for _ in range(LOOP_PASSES):
            for start in range(0, len(examples), batch):
                model(examples[start : start + batch])


def run_network(network: Network, turns: int, count: int) -> Sequence[str]:
    """Measure a network; return a row of the table."""
    torch.manual_seed(0)
    model, examples = network.build().eval(), network.examples(count)
    sampler, looped = Sampler(model), network.build().eval()
    prepared, _ = measure(lambda: sampler.sample(examples[:1], passes=2))
    for module in looped.modules():
        module.training = not isinstance(module, nn.BatchNorm2d)
    loops, ours = [], []
    for _ in range(turns):
        batches = [measure(partial(pass_by_torch, looped, examples, batch)) for batch in BATCHES]
        loops.append([seconds * PASSES / LOOP_PASSES for seconds in min(batches)])
        ours.append(measure(lambda: sampler.sample(examples, passes=PASSES)))
    loop, own = ([statistics.median(seconds) for seconds in zip(*times, strict=True)] for times in (loops, ours))
    return (
        network.name,
        f"{count:,}",
        f"{loop[0]:,.1f} s",
        f"{own[0]:,.2f} s",
        f"**{loop[0] / own[0]:,.1f}×**",
        f"{loop[1] / own[1]:,.1f}×",
        f"{network.bound:g}×",
        f"{prepared:.1f} s",
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="otherwise all")
    parser.add_argument("--turns", type=int, default=3, help="of which the median is printed; otherwise 3")
    parser.add_argument("--share", type=float, default=1, help="of the examples, for a try; otherwise all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {PASSES} passes, medians of {options.turns} turns, one core")
    print("| | examples | plain torch | mcviz | speed-up | by the clock | at least | to prepare |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.networks:
        network = NETWORKS[name]
        print(
            "|",
            " | ".join(run_network(network, options.turns, max(16, int(network.count * options.share)))),
            "|",
            flush=True,
        )


if __name__ == "__main__":
    main()
