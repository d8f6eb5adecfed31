"""Numbers as text, with their unit."""

from decimal import ROUND_FLOOR, Decimal


def percent(fraction: float, digits: int = 1) -> str:
    """Format a fraction as a percentage that never rounds up to certainty.

    Args:
        fraction: 0 to 1.
        digits: after the point.

    Returns:
        Such as "99.2%"; "over 99.9%" for less than 1 that would round to it, "under 0.1%" likewise.
    """
    shown, step = fixed(100 * fraction, digits), 10.0**-digits
    if fraction < 1 and float(shown) == 100:
        return f"over {100 - step:.{digits}f}%"
    if fraction > 0 and float(shown) == 0:
        return f"under {step:.{digits}f}%"
    return f"{shown}%"


def fixed(value: float, digits: int, sign: str = "") -> str:
    """Format a number with so many digits after the point; how it was computed does not show where it ends in a 5.

    Args:
        value: such as 3.875, of which 3.8749999999999996 is another way to compute it.
        digits: after the point.
        sign: "+" to show that of a value above 0.
    """
    return f"{round(value, 9):{sign}.{digits}f}"


def percent_at_least(fraction: float, digits: int = 1) -> str:
    """Format a lower bound as a percentage that is rounded down, so that it holds as printed.

    Args:
        fraction: 0 to 1.
        digits: after the point.
    """
    return f"{(Decimal(str(fraction)) * 100).quantize(Decimal(10) ** -digits, ROUND_FLOOR)}%"


def significant(value: float) -> str:
    """Format a number of any size with four significant digits, such as "3.21", "-0.05" or "452,300"."""
    return f"{float(f'{value:.4g}'):,.15g}"


def format_with_unit(value: float, unit: str) -> str:
    """Format a value with its unit.

    Args:
        value: in that unit.
        unit: "probability" and "share of passes" are shown in percent, "nats" with three digits after the point,
            anything else with four significant digits and the unit behind them; "" is a plain number.

    Returns:
        Such as "97.1%", "0.322 nats", "3.142 pixels" or "-0.05".
    """
    if unit in ("probability", "share of passes"):
        return percent(value)
    if unit == "nats":
        return f"{value:.3f} nats"
    return f"{value:.4g} {unit}".rstrip()
