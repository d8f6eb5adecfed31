"""A run without withheld parts: readers find it as if it never had them."""

from collections.abc import Collection
from functools import cached_property
from hashlib import sha256
from typing import Literal, get_args

import numpy as np
import pandas as pd
from msgspec.structs import replace

from mcviz.measures import Score
from mcviz.runs import Run

Part = Literal["images", "labels", "columns", "ids"]
PARTS: tuple[Part, ...] = get_args(Part)


class WithheldRun(Run):
    """A run without some parts; nothing derived is stored.

    Attributes:
        whole: the run.
        without: the parts. Without images it has no examples, of whatever kind they are.
    """

    def __init__(self, run: Run, without: Collection[Part]) -> None:
        """Withhold parts of a run."""
        super().__init__(run._folder, run.manifest)
        self.whole, self.without = run, frozenset(without)
        self.digest = sha256(f"{run.digest} without {sorted(without)}".encode()).hexdigest()
        images, examples = run.manifest.images, run.manifest.examples
        if "images" in without:
            images = images and replace(images, stored=False)
            examples = replace(examples, content=())
        self.manifest = replace(run.manifest, images=images, examples=examples)
        if "labels" in without:
            scores = run.task.scores
            left = tuple(name for name in run.manifest.scores if not (name in scores and scores[name].needs_labels))
            self.manifest = replace(self.manifest, labels_sha256=None, quality=None, scores=left)

    @property
    def scores_version(self) -> str:
        """The version of scores, by withheld parts."""
        return f"{super().scores_version} {self.digest}"

    @cached_property
    def columns(self) -> pd.DataFrame | None:
        """The columns without withheld ones."""
        columns, content = self.whole.columns, self.whole.manifest.examples.content
        if columns is None:
            return None
        own = [name for name in columns if name != "id" and name not in content]
        gone = [*(own if "columns" in self.without else ()), *(content if "images" in self.without else ())]
        return self._number(columns.drop(columns=gone))

    @cached_property
    def _table(self) -> pd.DataFrame:
        table = self._number(self.whole._table)
        if "labels" not in self.without:
            return table
        scores, of_task = self.task.scores, self.task.table_columns(self.targets)
        table = table.drop(columns=[name for name in map(str, table) if name in scores and scores[name].needs_labels])
        unknown = [name for name in of_task if not name.startswith("prediction")]
        return table.assign(**{name: table[name].where(np.zeros(len(table), bool)) for name in unknown})

    def _number(self, table: pd.DataFrame) -> pd.DataFrame:
        if "ids" not in self.without:
            return table
        return table.assign(id=pd.Series(map(str, range(len(table))), table.index, table["id"].dtype))

    def _compute_score(self, score: Score) -> np.ndarray:
        return self.whole._compute_score(score)
