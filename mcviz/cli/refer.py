"""`mcviz refer`, `label-issues`, `acquire` and `score`."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mcviz
from mcviz.analysis import labelling
from mcviz.analysis.base import group_sentence
from mcviz.analysis.labelling import OUT_OF_FOLD, count_label_errors, label_errors_sentence
from mcviz.analysis.referral import (
    NEW,
    SHIFT_P_VALUE,
    THESE,
    name_best_score,
    referral_rows,
    referral_sentences,
)
from mcviz.cli.base import loading, print_json, say, table_lines, tell
from mcviz.data.labels import NUMBER_PATTERN
from mcviz.data.tables import (
    ID_COLUMNS,
    UNNAMED_PREFIX,
    ColumnNames,
    check_columns,
    find_usual_column,
    read_frame,
    require_complete,
)
from mcviz.errors import InvalidInputError, McvizError, MissingPackageError
from mcviz.extras import require_framework
from mcviz.measures.multilabel import THRESHOLD
from mcviz.runs import Run, check_table_file, open_run, write_table
from mcviz.text import one_line, percent

IDS_SHOWN = 10

NUMBER = "example"  # the column of an export with the numbers of the examples


def refer(
    run: str,
    calibrated_on: str | None,
    group: str | None,
    modules: tuple[str, ...],
    to: str | None,
    guaranteed_to: str | None,
    as_json: bool,
    **target: Any,
) -> None:
    """Print and write the examples to refer to a person."""
    for file in filter(None, (to, guaranteed_to)):
        check_table_file(file)
    old = open_run(calibrated_on) if calibrated_on else None
    new = open_run(run)
    referral = mcviz.refer(new, calibrated_on=old, group=group, **target)
    if old is not None:
        referral = replace(referral, warnings=(*referral.warnings, *ood_warnings(old, new, modules, "the guarantee")))
    for warning in referral.warnings:
        tell(f"warning: {warning}")
    guaranteed = referral.guaranteed_table
    if guaranteed_to and guaranteed is None:
        raise InvalidInputError(
            f"Nothing is guaranteed for new examples, so there is no list for them. Received: --guaranteed-to "
            f"{guaranteed_to}. Leave it out, or ask for less."
        )
    for path, table in ((to, referral.table), (guaranteed_to, guaranteed)):
        if path and table is not None:
            write_table(table, path)
    if as_json:
        print_json(referral.as_dict() | {"group": group})
        return
    lines = table_lines(referral_rows(referral))
    lines = [*referral_sentences(referral), *(["", *lines, ""] if lines else []), group_sentence(old or new, group)]
    best = name_best_score(old or new, group, target["confidence"])
    for line in [*lines, *([best] if best else [])]:
        say(line)
    first = "the most uncertain first"
    if guaranteed is None or len(referral.rules) == 1:
        _say_examples(f"To look at, {first}", referral.table, to or guaranteed_to)
    else:
        _say_examples(f"To look at for {THESE}, {first}", referral.table, to)
        _say_examples(f"To look at for {NEW}, {first}", guaranteed, guaranteed_to, "--guaranteed-to")


def label_issues(run: str, first: int | None, confidence: float, seed: int, to: str | None, as_json: bool) -> None:
    """Print and write the labels that are most likely wrong."""
    if to:
        check_table_file(to)
    opened = open_run(run)
    count = count_label_errors(opened, confidence, seed)
    in_words = label_errors_sentence(count, confidence)
    table = labelling.label_issues(opened, first or labelling.count_listed(count))
    if to:
        write_table(table, to)
    several, ids = opened.task.decides == "classes", table["id"].tolist()
    if as_json:
        classes = {"classes": table["class"].tolist()} if several else {}
        content = {"run": run, "examples": len(opened), "in_words": in_words}
        print_json(content | {"estimated": {"confidence": confidence, **vars(count)}, "ids": ids, **classes})
        return
    say(in_words)
    score = opened.score_registry[opened.task.label_score].inline_label
    if several:
        others = int(((table["probability"] > THRESHOLD) != (table["given"] == 1)).sum())
        say(f"These are the {len(table):,} least probable. The ensemble predicts the opposite of {others:,}.")
        ids = [f"{name} ({one_line(of)})" for name, of in zip(ids, table["class"], strict=True)]
    elif opened.task.decides == "values":
        say(f"These are the {len(table):,} highest by {score}.")
    else:
        others = int((opened.task.loss_of_table(table) > 0).sum())
        say(f"These are the {len(table):,} lowest by {score}. The ensemble predicts another class for {others:,}.")
    say(OUT_OF_FOLD)
    _say_ids("To check, the likeliest to be wrong first", ids)
    why = "as --first says" if first else "as many as are estimated to be wrong"
    if not first and math.isnan(count.value):
        why = f"at most {labelling.USUAL_ISSUES}, since there is no estimate"
    say(f"{len(table):,} rows are {f'written to {to}' if to else 'listed; --to FILE writes them'}: {why}.")


def acquire(run: str, method: Any, batch: int, seed: int, to: str) -> None:
    """Print and write the examples to label next."""
    check_table_file(to)
    table = labelling.acquire(open_run(run), method, batch, seed)
    write_table(table, to)
    _say_examples(f"To label next, by {method}", table, to)


def ood_warnings(old: Run, new: Run, modules: tuple[str, ...], promise: str) -> list[str]:
    """Warn if new examples differ by the OOD score; needs a stored model.

    Args:
        old: a run with labels.
        new: a run of the same model.
        modules: to import for the model.
        promise: words for the result that assumes similar examples.
    """
    if old.manifest.examples.sha256 == new.manifest.examples.sha256:
        return []
    keep_examples = all(run.manifest.has_examples for run in (old, new))
    if old.model_path is None or not keep_examples:
        return []
    try:
        require_framework(old.model_path)
    except MissingPackageError:
        return []
    with loading():  # here, because few commands on runs load samplers
        from mcviz.sampling.loading import load_run_sampler
        from mcviz.sampling.ood import ood_shift
        from mcviz.sampling.sampler import find_backend

    try:
        with loading():
            find_backend(old.model_path)  # imports the framework
        shift, usual, share = ood_shift(load_run_sampler(old, modules), old, new)
    except McvizError as error:
        return [f"The examples are not compared by the OOD score. {error}"]
    if shift.p_value >= SHIFT_P_VALUE:
        return []
    return [
        f"The OOD score is distributed otherwise than in {old.path} (Kolmogorov–Smirnov {shift.statistic:.3f}, "
        f"p = {shift.p_value:.2g}): {percent(share)} of the examples are out of distribution, of the old ones "
        f"{percent(usual)}, and {promise} is for examples that are alike."
    ]


def _say_examples(what: str, table: pd.DataFrame, to: str | None, option: str = "--to") -> None:
    _say_ids(what, table["id"].tolist())
    if to:
        say(f"{len(table):,} examples are written to {to}.")
    elif len(table) > IDS_SHOWN:
        say(f"{option} FILE writes all of them, --json prints them.")


def _say_ids(what: str, ids: Sequence[str]) -> None:
    if ids:
        more = len(ids) - IDS_SHOWN
        say(f"{what}: {', '.join(ids[:IDS_SHOWN])}" + (f" and {more:,} more." if more > 0 else "."))


def score(run: str, name: str, file: Path, low_is_uncertain: bool, meaning: str) -> None:
    """Add a user's score to a run."""
    opened = open_run(run)
    opened.add_score(name, _read_values(file, name, opened), high_is_uncertain=not low_is_uncertain, meaning=meaning)
    say(f"{run} has the score {name}, of {len(opened):,} examples.")


def _read_values(file: Path, name: str, run: Run) -> pd.Series | np.ndarray:
    frame = read_frame(file)
    if not frame.index.equals(pd.RangeIndex(len(frame))):  # stored in a Parquet file
        frame = frame.reset_index(names=frame.index.name or f"{UNNAMED_PREFIX}0")
    try:
        check_columns(frame, ColumnNames())
        unnamed = [column for column in frame.columns[:1] if str(column).startswith(UNNAMED_PREFIX)]
        key = find_usual_column(frame, (*ID_COLUMNS, NUMBER, *unnamed, *map(str.lower, unnamed)))
        others = [str(column) for column in frame if column not in (key, NUMBER, *unnamed)]
        if name not in others and len(others) != 1:
            columns = ", ".join(others) or "none"
            raise InvalidInputError(f"it should have a column {name}, or one column besides id. Received: {columns}.")
        column = name if name in others else others[0]
        if key is not None:
            keys = require_complete(frame[key])
            if _are_numbers(key, keys, run):
                return _order_by_number(frame[column], keys, run)
            return frame[column].set_axis(keys)
        if NUMBER_PATTERN.fullmatch(column):  # without a header, the first value became one
            return pd.concat([pd.Series([float(column)]), frame[column]], ignore_index=True)
        return frame[column]
    except InvalidInputError as error:
        raise InvalidInputError(f"{file}: {error}") from error


def _are_numbers(key: str, keys: pd.Series, run: Run) -> bool:
    """Whether a column holds example numbers, not ids, like an unnamed index."""
    return key.lower() not in ID_COLUMNS and (key.lower() == NUMBER or not set(keys.map(str)) & set(run.scores()["id"]))


def _order_by_number(values: pd.Series, numbers: pd.Series, run: Run) -> np.ndarray:
    order = np.argsort(numbers, kind="stable")
    if not np.array_equal(numbers.iloc[order], np.arange(len(run))):
        raise InvalidInputError(
            f"its column {numbers.name} should have the number of each example once, 0 to {len(run) - 1:,}. Received: "
            f"{len(numbers):,} numbers, from {numbers.min()} to {numbers.max()}."
        )
    return values.to_numpy()[order]
