"""Fields of a dataclass as texts of an address: how each is written and read."""

import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from math import inf
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from mcviz.measures import SCORES

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
UNBOUNDED = 10**18
LARGEST = sys.float_info.max
YES = "yes"
NAME = re.compile("[a-z0-9_]{1,40}")
DIGITS = 18  # of the largest whole number that is read from an address


@dataclass(frozen=True)
class Offered:
    """The parts of a run that an address can name.

    Attributes:
        examples: how many, N.
        classes: how many, C.
        targets: how many a regression predicts, D.
        labels: whether there are any; without, nothing is filtered by them.
        columns: the names of those that can be filtered; None for all.
        scores: the names of those that examples can be ranked by.
        numbers: the names of the scores and other numbers that examples can be filtered and drawn by.
        layouts: the names of the layouts of the map that are there.
    """

    examples: int = UNBOUNDED
    classes: int = UNBOUNDED
    targets: int = UNBOUNDED
    labels: bool = True
    columns: Collection[str] | None = None
    scores: Collection[str] = tuple(SCORES)
    numbers: Collection[str] = tuple(SCORES)
    layouts: Collection[str] = ()


ALL_OFFERED = Offered()  # what is known of no run in particular


class AddressText(Generic[T]):
    """How a value is a text of an address.

    Attributes:
        about: whose numbers it holds, where those are others in another run.
    """

    about: Literal["", "examples", "classes"] = ""

    def parse(self, text: str, offered: Offered) -> T | None:
        """Read a value for a run; None for the default, where the text is empty or means nothing."""
        raise NotImplementedError

    def format(self, value: T) -> str:
        """Write a value."""
        return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)

    def is_complete(self, text: str, understood: str) -> bool:
        """Return whether all of a text was understood, by what was understood of it, written again."""
        value = parse_number(text, -inf, inf)
        return text in ("", understood) or (value is not None and value == parse_number(understood, -inf, inf))


class LenientText(AddressText[T]):
    """A value whose text is written otherwise than it was read, and read as far as it means something."""

    def is_complete(self, text: str, understood: str) -> bool:
        return bool(text) == bool(understood)


class Indices(AddressText[tuple[int, ...]]):
    """Numbers of examples or classes, in any order."""

    def format(self, value: tuple[int, ...]) -> str:
        return ",".join(map(str, value))

    def is_complete(self, text: str, understood: str) -> bool:
        return set(text.split(",")) <= {*understood.split(","), ""}


class Words(AddressText[str]):
    """Any text."""

    def parse(self, text: str, offered: Offered) -> str:
        return text


class Name(AddressText[str]):
    """A name of what only some runs offer, kept as it is."""

    def parse(self, text: str, offered: Offered) -> str | None:
        return text if NAME.fullmatch(text) else None


class Names(LenientText[tuple[str, ...]]):
    """Names of what only some runs offer, each once."""

    def parse(self, text: str, offered: Offered) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name in text.split(",") if NAME.fullmatch(name)))

    def format(self, value: tuple[str, ...]) -> str:
        return ",".join(value)


class Choice(AddressText[T]):
    """One of some values."""

    def __init__(self, choices: Iterable[T]) -> None:
        self.by_text = {str(each): each for each in choices}

    def parse(self, text: str, offered: Offered) -> T | None:
        return self.by_text.get(text)


class WholeNumber(AddressText[int]):
    """A whole number from a lowest to a highest."""

    def __init__(self, lowest: int, highest: int = UNBOUNDED) -> None:
        self.lowest, self.highest = lowest, highest

    def parse(self, text: str, offered: Offered) -> int | None:
        value = parse_whole(text)
        return value if value is not None and self.lowest <= value <= self.highest else None


class Number(AddressText[float]):
    """A number from a lowest to a highest."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def parse(self, text: str, offered: Offered) -> float | None:
        return parse_number(text, self.low, self.high)


class YesOrNo(AddressText[bool]):
    """Yes; nothing for no."""

    def parse(self, text: str, offered: Offered) -> bool:
        return text == YES

    def format(self, value: bool) -> str:
        return YES if value else ""


class Index(AddressText[int]):
    """The index of one of as many things as a run has."""

    def __init__(self, count: Callable[[Offered], int]) -> None:
        self.count = count

    def parse(self, text: str, offered: Offered) -> int | None:
        value = parse_whole(text)
        return value if value is not None and value < self.count(offered) else None


class ExampleIndex(Index):
    """The number of an example."""

    about = "examples"

    def __init__(self) -> None:
        super().__init__(lambda run: run.examples)


class ClassIndex(Index):
    """The index of a class."""

    about = "classes"

    def __init__(self) -> None:
        super().__init__(lambda run: run.classes)


class ExampleIndices(Indices):
    """Numbers of examples, at most so many."""

    about = "examples"

    def __init__(self, most: int | None = None) -> None:
        self.most = most

    def parse(self, text: str, offered: Offered) -> tuple[int, ...]:
        return parse_indices(text, offered.examples)[: self.most]


class OfferedName(AddressText[str]):
    """A name that is offered, or else the first of others that is, or else the last or the first that is offered."""

    def __init__(self, names: Callable[[Offered], Collection[str]], *otherwise: str, or_last: bool = False) -> None:
        self.names, self.otherwise, self.or_last = names, otherwise, or_last

    def parse(self, text: str, offered: Offered) -> str:
        names = list(self.names(offered))
        return next((name for name in (text, *self.otherwise) if name in names), names[-1 if self.or_last else 0])


def address_field(default: T, text: AddressText[Any], key: str = "") -> T:
    """Declare a field of a dataclass that is in the address.

    Args:
        default: what is left out of the address.
        text: how it is written and read.
        key: in the address; the field's own name, where it is empty.
    """
    declared: T = field(default=default, metadata={"text": text, "key": key})
    return declared


def address_fields(
    of: "DataclassInstance | type[DataclassInstance]",
) -> Iterator[tuple[Field[Any], str, AddressText[Any]]]:
    """The fields of a dataclass that are in the address, each with its key and how it is written."""
    for each in fields(of):
        if "text" in each.metadata:
            yield each, each.metadata["key"] or each.name, each.metadata["text"]


def read_fields(of: "type[DataclassInstance]", query: Mapping[str, str], offered: Offered) -> dict[str, Any]:
    """Read the values of `address_fields`, by the fields' names, from an address."""
    found = {}
    for each, key, text in address_fields(of):
        value = text.parse(query.get(key, ""), offered)
        found[each.name] = each.default if value is None else value
    return found


def write_fields(of: "DataclassInstance") -> dict[str, str]:
    """Write the part of an address that `read_fields` reads; defaults are left out."""
    found = ((each, key, text, getattr(of, each.name)) for each, key, text in address_fields(of))
    return {key: text.format(value) for each, key, text, value in found if value != each.default}


def defaults_about(
    of: "DataclassInstance | type[DataclassInstance]", about: Literal["examples", "classes"]
) -> dict[str, Any]:
    """Return the defaults of the `address_fields` that are about this, by the fields' names."""
    return {each.name: each.default for each, _, text in address_fields(of) if text.about == about}


def parse_whole(text: str) -> int | None:
    """Read a whole number; None if the text is none."""
    return int(text) if len(text) <= DIGITS and text.isascii() and text.isdigit() else None


def parse_indices(text: str, count: int) -> tuple[int, ...]:
    """Read the numbers below `count` that a text lists, each once."""
    values = [parse_whole(part) for part in text.split(",")]
    return tuple(dict.fromkeys(value for value in values if value is not None and value < count))


def parse_number(text: str, low: float, high: float) -> float | None:
    """Read a number from `low` to `high`; None if the text is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if low <= value <= high else None


def parse_finite(texts: Iterable[str]) -> list[float]:
    """Read numbers; none, unless all of them are finite."""
    found = [parse_number(text, -LARGEST, LARGEST) for text in texts]
    values = [value for value in found if value is not None]
    return values if len(values) == len(found) else []


def escape(name: str) -> str:
    """Escape what separates a name, which others may have written, from what follows."""
    return re.sub("[%:~]", lambda found: f"%{ord(found[0]):02X}", name)
