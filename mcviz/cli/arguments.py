"""Arguments and options that several commands take."""

import click


def parse_share(context: click.Context, option: click.Parameter, given: str | None) -> float | None:
    """Parse a fraction, typed as 0.05 or 5%."""
    try:
        return None if given is None else float(f"{given[:-1]}e-2" if given.endswith("%") else given)  # 99.9% is 0.999
    except ValueError as error:
        raise click.BadParameter(
            f"expected a share such as 0.05 or 5%, received {given!r}.", context, option
        ) from error


RUN = click.argument("run", metavar="RUN")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, with all that is found.")
CONFIDENCE = click.option(
    "--confidence",
    callback=parse_share,
    metavar="SHARE",
    default="95%",
    show_default=True,
    help="Of intervals and guarantees.",
)
GROUP = click.option(
    "--group",
    metavar="COLUMN",
    help="One of your own columns: examples of one value belong together, such as those of a patient.",
)
SEED = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of what is drawn at random."
)
TO = click.option("--to", metavar="FILE", required=True, help="A .csv or .parquet, a row an example.")
