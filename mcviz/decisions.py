"""A user's decisions about a run: thresholds of classes, tolerances of targets."""

import base64
from typing import Annotated

import msgspec
import numpy as np

Probability = Annotated[float, msgspec.Meta(gt=0, lt=1)]


class Threshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The probability above which a class is predicted.

    Attributes:
        value: above 0 and below 1.
        chosen_by: how labels of the run chose it, such as "f1"; empty where a person set it.
    """

    value: Probability
    chosen_by: Annotated[str, msgspec.Meta(max_length=40)] = ""


class Tolerance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The largest error that counts as right.

    Attributes:
        value: above 0, in the unit of the target, or as a share of the label.
        is_share: whether it is a share of the label.
    """

    value: Annotated[float, msgspec.Meta(gt=0)]
    is_share: bool = False

    def __str__(self) -> str:
        return f"{100 * self.value:.6g}%" if self.is_share else f"{self.value:.6g}"


class Decisions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user's decisions; a class without threshold uses 0.5.

    Attributes:
        thresholds: by the names of classes.
        tolerances: of every target by its name, or none.
        chosen_on: which examples chose thresholds, a bit an example, packed as base64; empty where none did.
    """

    thresholds: dict[str, Threshold] = {}
    tolerances: dict[str, Tolerance] = {}
    chosen_on: str = ""

    def find_choosing(self, count: int) -> np.ndarray:
        """Return (N,) bool of `count` examples that chose thresholds.

        Raises:
            ValueError: they are of another number of examples.
        """
        if not self.chosen_on:
            return np.zeros(count, bool)
        packed = np.frombuffer(base64.b64decode(self.chosen_on, validate=True), np.uint8)
        if len(packed) != -(-count // 8):
            raise ValueError(f"the thresholds were chosen on other examples than {count:,}")
        return np.unpackbits(packed, count=count).astype(bool)


def pack_choosing(choosing: np.ndarray) -> str:
    """Pack (N,) bool as `Decisions.chosen_on`."""
    return base64.b64encode(np.packbits(choosing).tobytes()).decode()
