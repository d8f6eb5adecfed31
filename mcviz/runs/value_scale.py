"""The values of stored images that stand for black and white."""

from dataclasses import dataclass

import numpy as np

from mcviz.manifest import Images, Preprocessing

BYTES = 255


@dataclass(frozen=True)
class ValueScale:
    """Between the values of stored images and 0 (black) to 1 (white).

    Attributes:
        low: the value of black, (1,) or one a channel, float32.
        high: the value of white, likewise.
        reversed_channels: whether the colours are stored as blue, green, red.
        stretched: whether the range was only taken from the images, so that their true colours are not known.
    """

    low: np.ndarray
    high: np.ndarray
    reversed_channels: bool = False
    stretched: bool = False

    @classmethod
    def of(cls, images: Images, preprocessing: Preprocessing) -> "ValueScale":
        """The scale of a run's images, from the manifest."""
        lowest, highest = images.lowest, images.highest
        if images.dtype == "uint8":
            return cls._between(0, BYTES)
        if preprocessing.applied:
            return cls._from_preprocessing(preprocessing)
        if lowest >= -1 and highest <= 1:
            return cls._between(0 if lowest >= 0 else -1, 1)
        if lowest >= 0 and BYTES / 2 < highest <= BYTES:
            return cls._between(0, BYTES)
        return cls._between(lowest, highest if highest > lowest else lowest + 1, stretched=True)

    def to_unit(self, images: np.ndarray) -> np.ndarray:
        """(…, height, width, channels) as they are stored, to float32 in 0..1 in the order red, green, blue."""
        unit = np.clip((images.astype(np.float32) - self.low) / (self.high - self.low), 0, 1)
        return unit[..., ::-1] if self.reversed_channels else unit

    def from_unit(self, images: np.ndarray) -> np.ndarray:
        """(…, height, width, channels) float32 in 0..1, to float32 in the values of the stored images."""
        ordered = images[..., ::-1] if self.reversed_channels else images
        return ordered.astype(np.float32, copy=False) * (self.high - self.low) + self.low

    @classmethod
    def _between(cls, low: float, high: float, stretched: bool = False) -> "ValueScale":
        return cls(np.array([low], np.float32), np.array([high], np.float32), stretched=stretched)

    @classmethod
    def _from_preprocessing(cls, done: Preprocessing) -> "ValueScale":
        mean, std = np.array(done.mean or (0,)), np.array(done.std or (1,))
        white = BYTES if done.divide_by > 1 or mean.max() > 1 or std.max() > 1 else 1
        low, high = -mean / std, (white / done.divide_by - mean) / std
        return cls(low.astype(np.float32), high.astype(np.float32), done.channel_order == "bgr")
