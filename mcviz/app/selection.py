"""Which images are looked at: filters that every view reads and sets, and that fit into an address.

Nothing here knows Streamlit. A selection is never a list of thousands of indices but the filters that make it: a lasso
is kept as its outline, so that a link stays short and means the same in another session.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

import numpy as np
import pandas as pd

from mcviz.app.wording import score_value
from mcviz.measures import SCORES

ANSWERS = ("all", "right", "wrong")
DIGITS = 18  # of the largest whole number that is read from an address
Range = tuple[str, float, float]


@dataclass(frozen=True)
class Outline:
    """A closed polygon drawn on the plane of two scores.

    Attributes:
        x: name of the score along the x axis.
        y: name of the score along the y axis.
        corners: ((x, y), …), three at least.
    """

    x: str
    y: str
    corners: tuple[tuple[float, float], ...]

    def contains(self, scores: pd.DataFrame) -> np.ndarray:
        """(N,) bool: the images inside, by the even-odd rule."""
        x, y = (scores[name].to_numpy(dtype=np.float64) for name in (self.x, self.y))
        inside = np.zeros(len(scores), dtype=bool)
        previous = self.corners[-1]
        for corner in self.corners:
            (x0, y0), (x1, y1) = previous, corner
            crosses = (y0 > y) != (y1 > y)
            # The side of the edge on which a point lies, without a division that nearly level edges would overflow.
            side = (x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)
            inside ^= crosses & ((side > 0) == (y1 > y0))
            previous = corner
        return inside


@dataclass(frozen=True)
class Selection:
    """Filters that all have to hold; without any, every image is selected.

    Attributes:
        true: class indices, one of which is the true class; empty for any.
        said: class indices, one of which is the predicted class; empty for any.
        answers: one of `ANSWERS`.
        disagree: only images whose passes do not all vote alike.
        ranges: (score, lowest, highest), at most one a score; an end that is open is infinite.
        outline: a lasso or a box over two scores.
        picked: image indices, one by one; empty for any.
    """

    true: tuple[int, ...] = ()
    said: tuple[int, ...] = ()
    answers: str = "all"
    disagree: bool = False
    ranges: tuple[Range, ...] = ()
    outline: Outline | None = None
    picked: tuple[int, ...] = ()

    def mask(self, scores: pd.DataFrame) -> np.ndarray:
        """The images that pass every filter.

        Args:
            scores: of a run, one row an image.

        Returns:
            (N,) bool.
        """
        kept = np.ones(len(scores), dtype=bool)
        for column, classes in (("label", self.true), ("prediction", self.said)):
            if classes:
                kept &= scores[column].isin(classes).to_numpy(dtype=bool)
        if self.answers != "all":
            kept &= (scores["correct"] == (self.answers == "right")).fillna(False).to_numpy(dtype=bool)
        if self.disagree:
            kept &= scores["variation_ratio"].to_numpy() > 0
        for name, low, high in self.ranges:
            kept &= scores[name].between(low, high).to_numpy()
        if self.outline:
            kept &= self.outline.contains(scores)
        if self.picked:
            kept &= np.isin(np.arange(len(scores)), self.picked)
        return kept

    def with_range(self, score: str, low: float, high: float) -> "Selection":
        """The same selection, with this range for a score in place of an earlier one; with none, if it is open."""
        others = tuple(kept for kept in self.ranges if kept[0] != score)
        return replace(self, ranges=others if (low, high) == (-inf, inf) else (*others, (score, low, high)))

    def chips(self, class_names: tuple[str, ...]) -> list[tuple[str, "Selection"]]:
        """What each filter is called, and the selection without it."""
        found: list[tuple[str, Selection]] = []
        if self.true:
            found.append((f"true {_listed(self.true, class_names)}", replace(self, true=())))
        if self.said:
            found.append((f"said {_listed(self.said, class_names)}", replace(self, said=())))
        if self.answers != "all":
            found.append((f"{self.answers} answers", replace(self, answers="all")))
        if self.disagree:
            found.append(("passes disagree", replace(self, disagree=False)))
        for kept in self.ranges:
            found.append((_range_named(*kept), self.with_range(kept[0], -inf, inf)))
        if self.outline:
            plane = f"{SCORES[self.outline.x].label} × {SCORES[self.outline.y].label}"
            found.append((f"outlined in {plane}", replace(self, outline=None)))
        if self.picked:
            count = len(self.picked)
            found.append((f"{count} picked image{'s' if count > 1 else ''}", replace(self, picked=())))
        return found

    def to_query(self) -> dict[str, str]:
        """The selection as part of an address; what is not filtered is left out."""
        query = {
            "true": _numbers(self.true),
            "said": _numbers(self.said),
            "answers": "" if self.answers == "all" else self.answers,
            "disagree": "1" if self.disagree else "",
            "range": "~".join(f"{name}:{_end(low)}:{_end(high)}" for name, low, high in self.ranges),
            "picked": _numbers(self.picked),
        }
        if self.outline:
            corners = ",".join(f"{value:.5g}" for corner in self.outline.corners for value in corner)
            query["outline"] = f"{self.outline.x}:{self.outline.y}:{corners}"
        return {key: value for key, value in query.items() if value}

    @classmethod
    def from_query(cls, query: Mapping[str, str], classes: int, images: int) -> "Selection":
        """Read a selection from an address. A part that means nothing for this run is passed over.

        Args:
            query: as `to_query` writes it; other keys are left alone.
            classes: how many classes the run has.
            images: how many images the run has.
        """
        answers = query.get("answers", "all")
        return cls(
            true=_indices(query.get("true", ""), classes),
            said=_indices(query.get("said", ""), classes),
            answers=answers if answers in ANSWERS else "all",
            disagree=query.get("disagree") == "1",
            ranges=_ranges(query.get("range", "")),
            outline=_outline(query.get("outline", "")),
            picked=_indices(query.get("picked", ""), images),
        )

    def narrowed_by(self, words: str, class_names: tuple[str, ...]) -> "Selection":
        """Narrow by what a person types: `3 as 5` (true 3, taken for 5), `3`, `as 5`, `wrong`, `right`.

        Raises:
            ValueError: the words are none of these, or name a class that is not there.
        """
        text = words.strip()
        if text.lower() in ("right", "wrong"):
            return replace(self, answers=text.lower())
        parts = re.split(r"\sas\s", f" {text} ", maxsplit=1, flags=re.IGNORECASE)
        true, said = (part.strip() for part in (*parts, "")[:2])
        if not true and not said:
            raise ValueError("Type a class, or two as in “3 as 5”.")
        indices = {name.lower(): (c,) for c, name in enumerate(class_names)}
        for name in (true, said):
            if name and name.lower() not in indices:
                raise ValueError(f"“{name}” is none of the classes {', '.join(class_names)}. Type “3 as 5”, say.")
        return replace(
            self, true=indices[true.lower()] if true else self.true, said=indices[said.lower()] if said else self.said
        )


def _listed(classes: tuple[int, ...], class_names: tuple[str, ...]) -> str:
    return " or ".join(class_names[c] for c in classes)


def _range_named(name: str, low: float, high: float) -> str:
    label, lowest, highest = SCORES[name].label, score_value(name, low), score_value(name, high)
    if low == -inf:
        return f"{label} up to {highest}"
    return f"{label} from {lowest}" if high == inf else f"{label} {lowest} to {highest}"


def _end(value: float) -> str:
    """One end of a range, exactly, so that no image at that end is lost; nothing where it is open."""
    return repr(float(value)) if np.isfinite(value) else ""


def _numbers(values: tuple[int, ...]) -> str:
    return ",".join(str(value) for value in values)


def whole(text: str) -> int | None:
    """The whole number that a text of an address is, or None."""
    return int(text) if len(text) <= DIGITS and text.isascii() and text.isdigit() else None


def _indices(text: str, count: int) -> tuple[int, ...]:
    values = [whole(part) for part in text.split(",")]
    return tuple(dict.fromkeys(value for value in values if value is not None and value < count))


def _floats(parts: list[str]) -> list[float]:
    try:
        values = [float(part) for part in parts]
    except ValueError:
        return []
    return values if np.isfinite(values).all() else []


def _ranges(text: str) -> tuple[Range, ...]:
    found: dict[str, Range] = {}
    for part in text.split("~"):
        name, *ends = part.split(":")
        values = _floats([end for end in ends if end])
        if name in SCORES and len(ends) == 2 and values:
            found[name] = (name, min(values) if ends[0] else -inf, max(values) if ends[1] else inf)
    return tuple(found.values())


def _outline(text: str) -> Outline | None:
    x, _, rest = text.partition(":")
    y, _, corners = rest.partition(":")
    values = _floats(corners.split(","))
    if x not in SCORES or y not in SCORES or len(values) < 6 or len(values) % 2:
        return None
    return Outline(x, y, tuple(zip(values[::2], values[1::2], strict=True)))
