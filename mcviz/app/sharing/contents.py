"""The examples of a shared page, as its script reads them: numbers, words, explanations, and pictures in sheets.

Arrays are compressed with gzip, and all bytes are base64 in the page. The words of a score change at few of its values,
so they are stored with these values, and the script looks them up.
"""

import base64
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pandas as pd
from PIL import Image

from mcviz.analysis.layouts import load_tsne, similarity_basis
from mcviz.app.components.gallery import short_value
from mcviz.app.filters import OF_CLASSES
from mcviz.app.kinds import kind_renderer
from mcviz.app.kinds.base import TILE
from mcviz.app.resources import (
    class_sets,
    details,
    format_facts,
    format_value,
    has,
    own_columns,
    run_scores,
    searched_columns,
)
from mcviz.app.resources import table as run_table
from mcviz.app.reviewing import ANSWERS, ANSWERS_OF_SEVERAL
from mcviz.app.selection import mistakes
from mcviz.app.sharing.withheld import WithheldRun
from mcviz.app.state import PageState
from mcviz.app.tasks import task_renderer
from mcviz.app.tasks.base import ExampleContext
from mcviz.app.views.rail import brush_column
from mcviz.figures import CRISP_BELOW, contact_sheet, thumbnails
from mcviz.measures import Score
from mcviz.reviews import answers_of
from mcviz.runs import Run
from mcviz.runs.columns import as_texts
from mcviz.runs.tables import Progress
from mcviz.text import one_line

SHEET_SIDE = 1024  # pixels, which a browser decodes in milliseconds
QUALITY = 80  # of photographs, as WebP
TOGETHER = 256  # explanations that the script unpacks at once
BLOCK_VALUES = 20_000_000  # predicted numbers that are read at once
SPARSE, SPARSE_VALUES = 8, 100_000  # times as many examples in between: then only so many numbers are read at once
BINS = 20  # of a histogram of passes
MOST_COLUMNS = 40  # by which examples are filtered; a table of pixels has hundreds


@dataclass(frozen=True)
class Choice:
    """The parts of a run for a page.

    Attributes:
        run: the run.
        state: the ranking, the filters and the targets with which it opens.
        examples: (n,) int64 numbers, ascending.
        scores: names of those by which examples are ranked.
        side: pixels that larger pictures are scaled down to.
    """

    run: Run
    state: PageState
    examples: np.ndarray
    scores: tuple[str, ...]
    side: int = TILE


def pack(array: np.ndarray) -> str:
    """Compress the bytes of an array, and encode them in base64."""
    return base64.b64encode(gzip.compress(np.ascontiguousarray(array).tobytes(), 9, mtime=0)).decode()


def pack_json(content: Any) -> str:
    """Compress content to JSON in base64; nonfinite is null."""
    return base64.b64encode(
        gzip.compress(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), 9, mtime=0)
    ).decode()


def describe_examples(choice: Choice, progress: Progress) -> dict[str, Any]:
    """Return all that the script has of the examples.

    Args:
        choice: what goes into the page.
        progress: called with (done, total) examples; what it raises stops the work.
    """
    run, examples, layout = choice.run, choice.examples, load_layout(choice.run)
    names = run_table(run)["id"].iloc[examples].map(format_value).tolist() if has_ids(run) else None
    return {
        "examples": pack(examples.astype(np.int32)),
        "scores": {name: _describe_score(choice, name) for name in choice.scores},
        "classes": _describe_classes(choice),
        "own": _describe_columns(choice),
        "find": {"classes": bool(task_renderer(run).filter_words(run)), "columns": list(searched_columns(run))},
        "map": None if layout is None else {"layout": "tsne", "positions": pack(layout[examples])},
        "words": pack_json(_tile_words(choice)),
        "names": pack_json(names),
        "details": pack_json(_tile_details(choice)),
        **_draw_sheets(choice),
        "review": _describe_answers(choice),
        "explanations": [pack_json(part) for part in _explain_in_parts(choice, progress)],
        "together": TOGETHER,
    }


def has_ids(run: Run) -> bool:
    """Return whether examples have ids that say more than their numbers."""
    return run.columns is not None and "id" in details(run)


def _describe_score(choice: Choice, name: str) -> dict[str, Any]:
    run, score, column = choice.run, run_scores(choice.run)[name], brush_column(choice.run, name)
    values = run_table(run)[name].to_numpy(np.float32)
    wrong = mistakes(run)
    return {
        "label": score.label,
        "inline": score.inline_label,
        "meaning": score.meaning,
        "low": score.uncertain_when == "low",
        "suspect": score.needs_labels,
        "values": pack(values[choice.examples]),
        "texts": pack_json(_score_texts(score, values[choice.examples])),
        "bins": column.names,
        "edges": column.edges,
        "scale": column.scale,
        "members": pack(column.members[choice.examples].astype(np.int16)),
        "all": np.bincount(column.members[column.members >= 0], minlength=len(column.names)),
        "marked": "" if wrong is None else "predicted otherwise" if score.needs_labels else "wrong",
    }


def _score_texts(score: Score, values: np.ndarray) -> list[tuple[float, str, str]]:
    texts: list[tuple[float, str, str]] = []
    for value in np.unique(values).tolist():
        words = short_value(score, value), score.format(value)
        if not texts or texts[-1][1:] != words or not np.isfinite(value):
            texts.append((value, *words))
    return texts


def _describe_classes(choice: Choice) -> dict[str, Any]:
    run, examples, table = choice.run, choice.examples, run_table(choice.run)
    found: dict[str, Any] = {}
    for name in OF_CLASSES:
        if name in class_sets(run) and (has(run, "labels") or name == "prediction"):
            found[name] = {"sets": pack(class_sets(run)[name][examples].astype(np.uint8))}
        elif has(run, "classes") and name in ("label", "prediction") and not table[name].isna().all():
            found[name] = {"numbers": pack(table[name].fillna(-1).to_numpy(np.int32)[examples])}
    if has(run, "classes"):
        found["disagree"] = pack((table["variation_ratio"].to_numpy()[examples] > 0).astype(np.uint8))
        if has(run, "labels"):
            found["correct"] = pack(table["correct"].astype("Int8").fillna(-1).to_numpy(np.int8)[examples])
    return found


def _describe_columns(choice: Choice) -> dict[str, Any]:
    run, found = choice.run, {}
    for name in [*dict.fromkeys([*searched_columns(run), *own_columns(run)])][:MOST_COLUMNS]:
        kind, values = own_columns(run)[name], run_table(run)[name].iloc[choice.examples]
        found[name] = {"label": one_line(name), "kind": kind}
        if kind == "number":
            found[name]["numbers"] = pack(values.to_numpy(np.float64, na_value=np.nan))
        elif not (run.kind.content.searched and name in run.manifest.examples.content):
            members, texts = pd.factorize(as_texts(values))
            found[name] |= {"texts": pack_json(list(texts)), "members": pack(members.astype(np.int32))}
    return found


def describe_map(run: Run) -> str:
    """Describe a page's map, or ""."""
    basis = similarity_basis(run)
    return f"By t-SNE: examples with similar {basis} are near each other." if load_layout(run) is not None else ""


def load_layout(run: Run) -> np.ndarray | None:
    """Return (N, 2) float32 of a computed layout, or None."""
    shows_examples = not isinstance(run, WithheldRun) or "images" not in run.without
    return load_tsne(run.whole if isinstance(run, WithheldRun) else run) if shows_examples else None


def _tile_words(choice: Choice) -> dict[str, Any]:
    run, tile_text = choice.run, task_renderer(choice.run).phrases.tile_text
    places: dict[tuple[str, str, bool, str, str], int] = {}
    of_examples = []
    for row in run_table(run).iloc[choice.examples].to_dict("records"):
        text = tile_text(run, row)
        words = text.prediction, text.label, text.wrong, text.brief, text.whole
        of_examples.append(places.setdefault(words, len(places)))
    return {"different": list(places), "examples": of_examples}


def _tile_details(choice: Choice) -> dict[str, Any]:
    run, examples = choice.run, choice.examples
    own = [name for name in details(run) if name != "id"]
    rows = run_table(run)[own].iloc[examples].to_dict("records") if own else []
    tiles = kind_renderer(run).tiles(run, examples).details if has(run, "examples") and not has(run, "images") else ()
    return {"tiles": tiles, "facts": [format_facts(own, row) for row in rows]}


def _describe_answers(choice: Choice) -> dict[str, Any] | None:
    run = choice.run
    if not run.task.decides:
        return None
    answers = answers_of(run)
    words = ANSWERS_OF_SEVERAL if answers.several else ANSWERS
    places: dict[str, int] = {}
    of_examples = []
    for example in map(int, choice.examples):
        offered = [[words[name], *answer] for name, answer in answers.shortcuts(example).items()]
        key = json.dumps({"offered": offered, "label": answers.label_text(example)})
        of_examples.append(places.setdefault(key, len(places)))
    return {
        "examples_sha256": run.manifest.examples.sha256,
        "options": run.class_names if run.task.decides == "class" else (),
        "answers": pack_json({"different": list(map(json.loads, places)), "examples": of_examples}),
    }


def _draw_sheets(choice: Choice) -> dict[str, Any]:
    run, examples = choice.run, choice.examples
    if not has(run, "images") or not len(examples):
        return {"sheets": []}
    height, width = thumbnails(task_renderer(run).pictures(run, examples[:1], choice.side), choice.side).shape[1:3]
    columns, rows = (max(1, SHEET_SIDE // side) for side in (width, height))
    crisp = max(run.image_shape[:2]) < CRISP_BELOW
    sheets = []
    for start in range(0, len(examples), columns * rows):
        part = examples[start : start + columns * rows]
        pictures = thumbnails(task_renderer(run).pictures(run, part, choice.side), choice.side)
        blank = np.zeros((columns * rows - len(part), *pictures.shape[1:]), np.uint8)
        sheets.append(webp_url(contact_sheet(np.concatenate([pictures, blank]), columns), lossless=crisp))
    return {"sheets": sheets, "columns": columns, "rows": rows, "aspect": width / height, "crisp": crisp}


def webp_url(pixels: np.ndarray, *, lossless: bool) -> str:
    """Encode (height, width, 1 or 3) uint8 as WebP in a `data:` address."""
    file = io.BytesIO()
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    picture.save(file, "WEBP", lossless=lossless, quality=QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def _explain_in_parts(choice: Choice, progress: Progress) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    total = len(choice.examples)
    for done, context in enumerate(_read_contexts(choice), 1):
        part.append(_explain(context))
        if len(part) == TOGETHER or done == total:
            yield part
            part = []
        progress(done, total)


def _read_contexts(choice: Choice) -> Iterator[ExampleContext]:
    run, state, table = choice.run, choice.state, run_table(choice.run)
    width = run.passes * run.manifest.width
    for block in _split(choice.examples, BLOCK_VALUES // width):
        is_sparse = block[-1] - block[0] >= SPARSE * len(block)
        for part in _split(block, SPARSE_VALUES // width) if is_sparse else [block]:
            first = int(part[0])
            passes = None if run.task.of_pixels else run.predictions_block(first, int(part[-1]) + 1)
            for example in part.tolist():
                context = ExampleContext(run, state, example, table.iloc[example])
                if passes is not None:
                    vars(context)["predictions"] = np.ascontiguousarray(passes[:, example - first])
                yield context


def _split(examples: np.ndarray, step: int) -> list[np.ndarray]:
    """Split numbers, which ascend, at the multiples of a step."""
    return np.split(examples, np.flatnonzero(np.diff(examples // max(1, step))) + 1) if len(examples) else []


def _explain(context: ExampleContext) -> dict[str, Any]:
    run, example, renderer = context.run, context.example, task_renderer(context.run)
    found: dict[str, Any] = {**renderer.explain_alone(context)}
    if "histograms" in found:
        found["histograms"] = _narrow(found["histograms"])
    if maps := renderer.maps(context):
        found["maps"] = maps
    if has(run, "examples") and not has(run, "images"):
        found["text"], found["row"] = kind_renderer(run).text(run, example), kind_renderer(run).values(run, example)
    return found


def _narrow(histograms: dict[str, Any]) -> dict[str, Any]:
    size = histograms.get("size", 100)
    panels = [_coarsen(histograms["panels"][place], size) for place in histograms["strips"]]
    return {**histograms, "ticks": [], "size": BINS, "panels": panels, "strips": list(range(len(panels)))}


def _coarsen(panel: dict[str, Any], size: int) -> dict[str, Any]:
    bins = np.asarray(panel["bins"], int) * BINS // size
    counts = np.bincount(bins, panel["counts"], BINS).astype(int)
    filled = np.flatnonzero(counts)
    return {**panel, "bins": filled.tolist(), "counts": counts[filled].tolist()}


def kept_scores(run: Run, state: PageState) -> tuple[Sequence[str], Sequence[str]]:
    """Return the names of all scores, and of those that a smaller page keeps: the first, and that of the ranking."""
    names = list(run_scores(run))
    return names, [name for name in names if name in (run.first_score, state.score)]
