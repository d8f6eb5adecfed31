"""What several rates of dropout are worth, as `mcviz rates` keeps it in a folder."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from mcviz.errors import CorruptRunError
from mcviz.manifest import Layer
from mcviz.measures.bootstrap import Interval
from mcviz.measures.quality import QUALITY, Compared
from mcviz.measures.rates import RateChoice
from mcviz.runs.files import Folder, folder_at

FILE = "rates.json"
MOST_BYTES = 1 << 22


@dataclass(frozen=True)
class KeptRates:
    """What rates of dropout are worth, and what was sampled for it.

    Attributes:
        found: the figures.
        model_sha256: of the model's architecture and weights, as a run's manifest has it.
        layers: those whose rate was another, at the rates of the training.
        facts: what was sampled, by name.
        unit: of the targets of a regression.
    """

    found: RateChoice
    model_sha256: str
    layers: tuple[Layer, ...]
    facts: Mapping[str, str]
    unit: str = ""

    @property
    def trained(self) -> list[float]:
        """The rates of the training, ascending."""
        return sorted({layer.rate for layer in self.layers if layer.rate is not None})

    def write(self, folder: Folder) -> None:
        """Keep it as JSON, from which `read_rates` reads it.

        Raises:
            StorageError: the folder cannot be written.
        """
        folder.write(FILE, orjson.dumps(self._as_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY))

    def _as_json(self) -> dict[str, Any]:
        found = self.found
        names = [measure.name for measure in QUALITY[found.task].measures]

        def named(figures: Sequence[Interval]) -> dict[str, Interval]:
            return dict(zip(names, figures, strict=True))

        return {
            "sampled": dict(self.facts),
            "task": found.task,
            "model_sha256": self.model_sha256,
            "in_words": found.in_words(self.unit),
            "layers": [{"name": layer.name, "kind": layer.kind, "rate": layer.rate} for layer in self.layers],
            "unit": self.unit,
            "confidence": found.confidence,
            "examples": dict(zip(("choosing", "judging"), found.examples, strict=True)),
            "chosen_by": QUALITY[found.task].decides,
            "chosen": found.chosen,
            "rates": [
                {"rate": rate, "choosing": value, "judging": named(figures)}
                for rate, value, figures in zip(found.rates, found.choosing, found.figures, strict=True)
            ],
            "as_trained": named(found.as_trained),
            "chosen_less_as_trained": {
                each.measure.name: {"difference": each.difference, "chosen_is": each.verdict} for each in found.gain
            },
        }


def read_rates(folder: Folder) -> KeptRates:
    """What `KeptRates.write` has kept.

    Raises:
        FileNotFoundError: there is none.
        StorageError: it cannot be read.
        CorruptRunError: it is not what was written.
    """
    try:
        return _of_json(orjson.loads(folder.read(FILE, 0, MOST_BYTES)))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise CorruptRunError(
            f"{folder.address(FILE)} is damaged, or another mcviz wrote it. Give `mcviz rates` once more with this "
            "folder: what was sampled is kept, and it is written anew."
        ) from error


def folders_of_rates(parent: str | os.PathLike[str]) -> list[str]:
    """The names of the folders directly in one that hold what rates are worth; none is opened.

    Raises:
        StorageError: the folder cannot be listed.
    """
    return [name for name in folder_at(parent).subfolders_with(FILE) if not name.startswith(".")]


def _of_json(content: Any) -> KeptRates:
    measures, rows = QUALITY[content["task"]].measures, content["rates"]

    def figures(named: Any) -> list[Interval]:
        return [_interval(named[measure.name]) for measure in measures]

    judged = {float(row["rate"]): figures(row["judging"]) for row in rows}
    chosen = float(content["chosen"])
    less = [_interval(content["chosen_less_as_trained"][measure.name]["difference"]) for measure in measures]
    parts = zip(measures, figures(content["as_trained"]), judged[chosen], less, strict=True)
    found = RateChoice(
        task=content["task"],
        rates=np.array(list(judged)),
        choosing=np.array([float(row["choosing"]) for row in rows]),
        figures=list(judged.values()),
        chosen=chosen,
        gain=[Compared(*part) for part in parts],
        examples=(int(content["examples"]["choosing"]), int(content["examples"]["judging"])),
        confidence=float(content["confidence"]),
    )
    layers = [Layer(str(each["name"]), str(each["kind"]), _number(each["rate"])) for each in content["layers"]]
    facts = {str(name): str(value) for name, value in content["sampled"].items()}
    return KeptRates(found, str(content["model_sha256"]), tuple(layers), facts, str(content["unit"]))


def _interval(of: Any) -> Interval:
    return Interval(*(math.nan if of[end] is None else float(of[end]) for end in ("value", "low", "high")))


def _number(of: Any) -> float | None:
    return None if of is None else float(of)
