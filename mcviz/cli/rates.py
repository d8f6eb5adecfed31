"""The command that measures a model at several rates of dropout."""

import io
from typing import TYPE_CHECKING, Any

import click

from mcviz.cli.printing import say

if TYPE_CHECKING:
    from mcviz.measures.bootstrap import Interval
    from mcviz.measures.rates import RateChoice
    from mcviz.runs.rates import KeptRates

USUAL = "0.05:0.6:12"
SHOWN = 4  # digits of a rate


def parsed_rates(context: click.Context, option: click.Parameter, given: str) -> "list[float]":
    """The rates of LOW:HIGH:COUNT, or of a list with commas."""
    try:
        if ":" not in given:
            return [float(part) for part in given.split(",")]
        low, high, count = given.split(":")
        steps = int(count)
        if not 2 <= steps <= 100:
            raise ValueError
        return [round(float(low) + (float(high) - float(low)) * step / (steps - 1), 6) for step in range(steps)]
    except ValueError as error:
        raise click.BadParameter(
            f"expected LOW:HIGH:COUNT with a count of 2 to 100, such as {USUAL}, or rates with commas between them; "
            f"received {given!r}.",
            context,
            option,
        ) from error


def write_rates(out: str, kept: "KeptRates") -> None:
    """Write the figures as JSON, as a table and as a page with charts."""
    from mcviz.figures.rates import rates_page
    from mcviz.runs.files import folder_at

    folder = folder_at(out)
    kept.write(folder)
    folder.write("rates.csv", _csv(kept.found).encode())
    folder.write("rates.html", rates_page(kept.found, kept.trained, kept.facts, kept.unit).encode())


def rate_lines(found: "RateChoice", unit: str) -> list[str]:
    """The figures as lines of a terminal."""
    from mcviz.measures.quality import QUALITY

    quality = QUALITY[found.task]
    shown = [quality.place[name] for name in quality.drawn]
    decisive = found.decisive.measure
    first, second = found.examples
    lines = [
        f"{'':<12}{f'chosen on {first:,}':<18}judged on the other {second:,}, {100 * found.confidence:.6g}% intervals",
        f"{'rate':<12}{decisive.label:<18}" + "".join(f"{quality.measures[at].label:<34}" for at in shown),
    ]

    def line(name: str, value: str, figures: "list[Interval]", mark: str) -> str:
        cells = "".join(f"{quality.measures[at].with_interval(figures[at], unit):<34}" for at in shown)
        return f"{name:<12}{value:<18}{cells}{mark}".rstrip()

    lines.append(line("as trained", "", found.as_trained, ""))
    for rate, value, figures in zip(found.rates, found.choosing, found.figures, strict=True):
        mark = "chosen" if rate == found.chosen else ""
        lines.append(line(f"{rate:.{SHOWN}g}", decisive.number(float(value)), figures, mark))
    return lines


def _csv(found: "RateChoice") -> str:
    import csv

    from mcviz.measures.quality import QUALITY

    measures = QUALITY[found.task].measures
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    heads = [f"{each.name}{end}" for each in measures for end in ("", "_low", "_high")]
    writer.writerow(["rate", "chosen", f"choosing_{QUALITY[found.task].decides}", *heads])

    def row(rate: "float | str", value: "float | str", figures: "list[Interval]") -> list[Any]:
        ends = [end for of in figures for end in (of.value, of.low, of.high)]
        return [rate, int(rate == found.chosen), value, *ends]

    writer.writerow(row("as trained", "", found.as_trained))
    for rate, value, figures in zip(found.rates.tolist(), found.choosing.tolist(), found.figures, strict=True):
        writer.writerow(row(rate, value, figures))
    return file.getvalue()


def say_rates(out: str, found: "RateChoice", unit: str) -> None:
    """Print the figures, and where they are."""
    say(found.in_words(unit))
    for line in ["", *rate_lines(found, unit)]:
        say(line)
    say(f"The chart is {out}/rates.html, the figures are rates.json and rates.csv beside it.")
    say("Where the folder lies beside runs of this model, the dashboard shows the chart on the page Runs.")
