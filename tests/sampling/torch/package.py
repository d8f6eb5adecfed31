"""Functions of a user's package: they build modules, and prepare examples for them."""

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

LETTERS = "abcdefghijklmnopqrstuvwxyz "


def picture_model() -> nn.Module:
    """Takes pictures (N, 3, 8, 8), and tells the colour that is brightest."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(8 * 36, 3))


def picture_transform(picture: Image.Image) -> torch.Tensor:
    """Half the size, around 0."""
    pixels = np.asarray(picture.resize((8, 8), Image.Resampling.BILINEAR), np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1


class TextModel(nn.Module):
    """Takes numbers of letters, of which some are masked."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__()
        self.embedding, self.dropout, self.last = nn.Embedding(30, 8), nn.Dropout(0.5), nn.Linear(8, 3)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        letters = self.embedding(input_ids)
        if attention_mask is not None:
            letters = letters * attention_mask[..., None]
        return self.last(self.dropout(letters.mean(1)))


def text_model() -> nn.Module:
    return TextModel()


def text_transform(text: str) -> dict[str, list[int]]:
    """Numbers of the first 16 letters, as a tokenizer returns them."""
    numbers = [LETTERS.find(letter) + 2 for letter in text.lower()[:16]]
    padding = [0] * (16 - len(numbers))
    return {"input_ids": numbers + padding, "attention_mask": [1] * len(numbers) + padding}


def word_transform(text: str) -> np.ndarray:
    """Numbers of five words."""
    return np.array([1 + len(word) for word in f"{text} . . . . .".split()[:5]])


class SequenceModel(nn.Module):
    """Takes sequences (N, length, 4)."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__()
        self.layers, self.last = nn.LSTM(4, 6, 2, batch_first=True, dropout=0.5), nn.Linear(6, 3)

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        return self.last(self.layers(sequences)[0][:, -1])


def sequence_model() -> nn.Module:
    return SequenceModel()


def row_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))


def row_transform(row: Any) -> np.ndarray:
    """Around 0, as a scaler does."""
    return (row - 5) / 2
