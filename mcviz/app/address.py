"""Fields of a dataclass as an address: the type of a field defines its text.

`Annotated[type, InRun(…)]` adds a bound by the run, `Annotated[type, OwnText(…)]` a text form.
"""

import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from math import inf
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

from msgspec import Meta, ValidationError, convert

from mcviz.measures import SCORES

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

UNBOUNDED = 10**18
LARGEST = sys.float_info.max
DIGITS = 18  # of the largest whole number that is read from an address

Whole = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1)]
Name = Annotated[str, Meta(pattern=r"\A[a-z0-9_]{1,40}\Z")]  # of what only some runs offer
ELSEWHERE = "elsewhere"  # beside the type of a field that is not in the address


@dataclass(frozen=True)
class RunLimits:
    """The parts of a run that an address can name.

    Attributes:
        examples: how many, N.
        classes: how many, C.
        one_class: whether an example has one of them.
        targets: how many a regression predicts, D.
        labels: whether there are any; without, nothing is filtered by them.
        columns: the names of columns with filters; None for all.
        scores: the names of scores that rank.
        numbers: the names of the scores and other numbers that examples can be filtered and drawn by.
        layouts: the names of the layouts of the map that are there.
    """

    examples: int = UNBOUNDED
    classes: int = UNBOUNDED
    one_class: bool = True
    targets: int = UNBOUNDED
    labels: bool = True
    columns: Collection[str] | None = None
    scores: Collection[str] = tuple(SCORES)
    numbers: Collection[str] = tuple(SCORES)
    layouts: Collection[str] = ()


ANY_RUN = RunLimits()  # what is known of no run in particular


@dataclass(frozen=True)
class InRun:
    """A bound by the run on a field, or on each item of a tuple.

    Attributes:
        limit: gives the number below which values are, or the values that there are.
        refers_to: whose numbers it holds, where those are others in another run.
        most: items that are kept of a tuple.
        otherwise: chooses among the values that there are, where neither the text nor the default is one of them.
    """

    limit: Callable[[RunLimits], Any]
    refers_to: Literal["", "examples", "classes"] = ""
    most: int | None = None
    otherwise: Callable[[Any], Any] | None = None

    def allows(self, value: Any, run: RunLimits) -> bool:
        """Return whether a run allows a value."""
        limit = self.limit(run)
        return bool(value < limit) if isinstance(limit, int) else value in limit


@dataclass(frozen=True)
class OwnText:
    """A text form of its own for a field, read as far as it is valid.

    Attributes:
        read: gives the value of a text for a run; None or what is false for the default.
        write: gives the text of a value that is not the default.
        key: of the address; the field's own name, where it is empty.
        refers_to: as `InRun` has it.
    """

    read: Callable[[str, RunLimits], Any]
    write: Callable[[Any], str]
    key: str = ""
    refers_to: Literal["", "examples", "classes"] = ""


@dataclass(frozen=True)
class AddressField:
    """A field of a dataclass in the address.

    Attributes:
        name: of the field.
        key: of the address.
        default: what is left out of the address.
        kind: the type of its values.
        in_run: what a run allows, where that is not the same for all runs.
        own_text: how it is read and written, where its type does not say so.
    """

    name: str
    key: str
    default: Any
    kind: Any
    in_run: InRun | None
    own_text: OwnText | None

    def read(self, text: str, run: RunLimits) -> Any:
        """Read a value for a run; the default if the text is invalid."""
        if self.own_text:
            return self.own_text.read(text, run) or self.default
        if self._is_tuple:
            items = (self._convert(part, get_args(self.kind)[0], run) for part in text.split(",") if text)
            values = tuple(dict.fromkeys(item for item in items if item is not None))
            return values[: self.in_run.most] if self.in_run else values
        value = self._convert(text, self.kind, run) if text else None
        if value is not None:
            return value
        if not self.in_run or not self.in_run.otherwise or self.in_run.allows(self.default, run):
            return self.default
        return self.in_run.otherwise(self.in_run.limit(run))

    def write(self, value: Any) -> str:
        """Write a value that is not the default."""
        if self.own_text:
            return self.own_text.write(value)
        return ",".join(map(format_value, value)) if self._is_tuple else format_value(value)

    def was_fully_read(self, text: str, understood: str | None) -> bool:
        """Return whether all of a text was understood.

        Args:
            text: of the field's key.
            understood: what was understood of it, written again; None for the default.
        """
        if understood is None:
            understood = "" if self.default is None or self.own_text else self.write(self.default)
        if self.own_text:
            return bool(text) == bool(understood) and text.count("~") == understood.count("~")
        if self._is_tuple:
            return set(text.split(",")) <= {*understood.split(","), ""}
        value = parse_number(text, -inf, inf)
        return text in ("", understood) or (value is not None and value == parse_number(understood, -inf, inf))

    @property
    def refers_to(self) -> Literal["", "examples", "classes"]:
        """The parts of a run that its values refer to."""
        beside = self.in_run or self.own_text
        return beside.refers_to if beside else ""

    @property
    def _is_tuple(self) -> bool:
        return get_origin(self.kind) is tuple

    def _convert(self, text: str, kind: Any, run: RunLimits) -> Any:
        for value in (parse_whole(text), text, parse_number(text, -inf, inf)):
            if value is not None:
                try:
                    converted = convert(value, kind)
                except ValidationError:
                    continue
                return converted if self.in_run is None or self.in_run.allows(converted, run) else None
        return None


@cache
def address_fields(of: "type[DataclassInstance]") -> tuple[AddressField, ...]:
    """Return the fields of a dataclass in the address."""
    hints, in_address = get_type_hints(of, include_extras=True), []
    for field in fields(of):
        kind, *beside = (
            get_args(hints[field.name]) if get_origin(hints[field.name]) is Annotated else [hints[field.name]]
        )
        if ELSEWHERE in beside:
            continue
        in_run = next((one for one in beside if isinstance(one, InRun)), None)
        own_text = next((one for one in beside if isinstance(one, OwnText)), None)
        checks = tuple(one for one in beside if isinstance(one, Meta))
        key = (own_text and own_text.key) or field.name
        kind = Annotated[(kind, *checks)] if checks else kind
        in_address.append(AddressField(field.name, key, field.default, kind, in_run, own_text))
    return tuple(in_address)


def read_fields(of: "type[DataclassInstance]", query: Mapping[str, str], run: RunLimits) -> dict[str, Any]:
    """Read values of `address_fields` by name."""
    return {field.name: field.read(query.get(field.key, ""), run) for field in address_fields(of)}


def write_fields(of: "DataclassInstance") -> dict[str, str]:
    """Write the part of an address for `read_fields`, without defaults."""
    values = ((field, getattr(of, field.name)) for field in address_fields(type(of)))
    return {field.key: field.write(value) for field, value in values if value != field.default}


def defaults_referring_to(what: Literal["examples", "classes"], *of: "type[DataclassInstance]") -> dict[str, Any]:
    """Return defaults of fields that refer to these parts of a run."""
    all_fields = (field for one in of for field in address_fields(one))
    return {field.name: field.default for field in all_fields if field.refers_to == what}


def format_value(value: object) -> str:
    """Write a number or a name."""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def parse_whole(text: str) -> int | None:
    """Return a whole number or None."""
    return int(text) if len(text) <= DIGITS and text.isascii() and text.isdigit() else None


def parse_number(text: str, low: float, high: float) -> float | None:
    """Return a number from `low` to `high`, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if low <= value <= high else None


def parse_finite(texts: Iterable[str]) -> list[float]:
    """Read numbers; none, unless all of them are finite."""
    numbers = [parse_number(text, -LARGEST, LARGEST) for text in texts]
    values = [value for value in numbers if value is not None]
    return values if len(values) == len(numbers) else []


def escape(name: str) -> str:
    """Escape separators in a name of others."""
    return re.sub("[%:~]", lambda match: f"%{ord(match[0]):02X}", name)
