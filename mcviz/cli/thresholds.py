"""`mcviz thresholds`."""

import mcviz
from mcviz.analysis.thresholds import Thresholds
from mcviz.cli.base import print_json, say, table_lines
from mcviz.errors import InvalidInputError
from mcviz.measures.thresholds import Target
from mcviz.runs import open_run
from mcviz.text import one_line


def thresholds(
    run: str,
    values: tuple[str, ...],
    best: Target | None,
    recall: float | None,
    classes: tuple[str, ...],
    tolerances: tuple[str, ...],
    clear: bool,
    group: str | None,
    as_json: bool,
) -> None:
    """Set and print thresholds or tolerances, with figures."""
    opened = open_run(run)
    result = mcviz.thresholds(
        opened,
        values=_parse_values(values),
        best=best,
        recall=recall,
        classes=classes or None,
        tolerance=_parse_tolerances(tolerances),
        clear=clear,
        group=group,
    )
    if as_json:
        print_json(result.as_dict())
        return
    for line in [*result.sentences, *_class_lines(result)]:
        say(line)


def _class_lines(result: Thresholds) -> list[str]:
    if not result.classes:
        return []
    share = next(measure for measure in result.run.task.quality.of_class if measure.name == "recall")
    score = next(measure for measure in result.run.task.quality.of_class if measure.name == "f1")
    rows = [("class", "threshold", "chosen by", "examples", "recall", "precision", "F1", "F1 at 0.5")]
    rows += [
        (
            one_line(name),
            f"{one.threshold:.4g}",
            one.chosen_by or "–",
            f"{one.examples:,}",
            share.format_interval(one.recall),
            share.format_interval(one.precision),
            score.format_interval(one.f1),
            score.format(one.f1_at_half),
        )
        for name, one in result.classes.items()
    ]
    return ["", *table_lines(rows)]


def _parse_values(given: tuple[str, ...]) -> dict[str, float]:
    values = {}
    for text in given:
        name, _, number = text.rpartition("=")
        try:
            values[name] = float(number)
        except ValueError:
            name = ""
        if not name:
            raise InvalidInputError(f"A threshold should be CLASS=NUMBER, such as login=0.34. Received: {text!r}.")
    return values


def _parse_tolerances(given: tuple[str, ...]) -> str | dict[str, str] | None:
    if len(given) == 1 and "=" not in given[0]:
        return given[0]
    for text in given:
        if not text.rpartition("=")[0]:
            raise InvalidInputError(f"Of several tolerances each should be TARGET=NUMBER. Received: {text!r}.")
    return {name: value for name, _, value in (text.rpartition("=") for text in given)} or None
