"""Small models of PyTorch of every kind that draws random numbers, each with examples, and what draws in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (as everybody calls it)
from torch import nn


@dataclass(frozen=True)
class Case:
    """A model.

    Attributes:
        build: makes it; its weights follow from torch's seed.
        examples: makes N of them.
        drawing: what torch's own passes have in training mode.
    """

    build: Callable[[], nn.Module]
    examples: Callable[[int], Any]
    drawing: Callable[[nn.Module], Sequence[nn.Module]]

    def make(self, count: int = 6) -> tuple[nn.Module, Any]:
        torch.manual_seed(0)
        return self.build().eval(), self.examples(count)


class Functional(nn.Module):
    """Dropout by a function, right behind normalisation of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.hidden, self.last = nn.Linear(36, 16), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.convolution(x)), inplace=True), 2).flatten(1)
        x = F.relu(self.hidden(F.dropout(x, 0.5, training=self.training)))
        return 3 * self.last(F.dropout(x, 0.3, training=self.training, inplace=True))


class Recurrent(nn.Module):
    def __init__(self, layers: nn.RNNBase) -> None:
        super().__init__()
        self.words, self.layers, self.last = nn.Embedding(50, 8), layers, nn.LazyLinear(3)
        self(torch.zeros(1, 5, dtype=torch.int64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.layers(self.words(x).transpose(0, 1))
        return 9 * self.last(states[-1])


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.2)
        self.words, self.layers, self.last = nn.Embedding(50, 8), nn.TransformerEncoder(layer, 2), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * self.last(self.layers(self.words(x)).mean(1))


class Attention(nn.Module):
    """MultiheadAttention that is asked for its weights, and the function of scaled dot products."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.heads, self.last = (
            nn.Embedding(50, 8),
            nn.MultiheadAttention(8, 2, dropout=0.3),
            nn.Linear(8, 3),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.words(x).transpose(0, 1)
        x, _ = self.heads(x, x, x)
        x = x.transpose(0, 1)[:, None]
        rate = 0.4 if self.training else 0.0
        return 9 * self.last(F.scaled_dot_product_attention(x, x, x, dropout_p=rate)[:, 0].mean(1))


class Channels(nn.Module):
    """Dropout of whole channels, of a kind for SELU, and of whole paths: by random numbers of the module's own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
        self.channels, self.alpha, self.both = nn.Dropout2d(0.3), nn.AlphaDropout(0.2), nn.FeatureAlphaDropout(0.2)
        self.last = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.both(F.selu(self.first(self.alpha(self.channels(x + 1)))))
        if self.training:  # a path is left out by the draw of a uniform number, and noise added
            kept = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.8
            x = x + self.second(x) * kept / 0.8 + 0.1 * torch.randn_like(x) + 0.1 * torch.bernoulli(torch.sigmoid(x))
        else:
            x = x + self.second(x) + 0.1 * torch.sigmoid(x)
        return 3 * self.last(x.mean((2, 3)))


class Branching(Functional):
    """A graph cannot follow a condition on numbers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x if x.sum() > -1e9 else -x)


def lstm() -> nn.Module:
    return Recurrent(nn.LSTM(8, 12, 2, dropout=0.4))


def resnet() -> nn.Module:
    from torchvision.models.resnet import BasicBlock, ResNet

    model = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=5)  # one block of each size and stride
    model.fc = nn.Sequential(nn.Dropout(0.5), model.fc)
    return model


def bert() -> nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    return BertForSequenceClassification(BertConfig(vocab_size=50, num_labels=3, initializer_range=0.5, **sizes))


def vit() -> nn.Module:
    from timm.models import VisionTransformer

    sizes = {"img_size": 16, "patch_size": 8, "embed_dim": 32, "depth": 3, "num_heads": 2, "num_classes": 5}
    model = VisionTransformer(**sizes, drop_path_rate=0.4)
    nn.init.normal_(model.head.weight, std=0.1)  # it starts at zero
    return model


def everything(model: nn.Module) -> list[nn.Module]:
    return list(model.modules())


def without_norm(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if not isinstance(module, nn.BatchNorm2d)]


def words(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 50, (count, 5))


def three_words(count: int) -> np.ndarray:
    """A recurrent layer that is traced has each of its steps as operations, there and back."""
    return words(count)[:, :3]


def images(channels: int, size: int) -> Callable[[int], torch.Tensor]:
    return lambda count: torch.rand((count, channels, size, size), generator=torch.Generator().manual_seed(1))


CASES = {
    "functional": Case(Functional, images(1, 8), lambda model: [model]),
    "lstm": Case(lstm, words, everything),
    "encoder": Case(Encoder, words, everything),
    "attention": Case(Attention, words, everything),
    "channels": Case(Channels, images(1, 6), everything),
    "branching": Case(Branching, images(1, 8), lambda model: [model]),
}
LARGE = {
    "gru": Case(lambda: Recurrent(nn.GRU(8, 6, 2, dropout=0.4, bidirectional=True)), three_words, everything),
    "resnet": Case(resnet, images(3, 32), lambda model: [model.fc[0]]),
    "bert": Case(bert, words, everything),
    "vit": Case(vit, images(3, 16), everything),
}
