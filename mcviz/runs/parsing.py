"""JSON into dataclasses, with every type checked."""

import types
import typing
from dataclasses import MISSING, fields
from typing import Any, TypeVar

T = TypeVar("T")


def as_dataclass(kind: type[T], content: Any) -> T:
    """Build a dataclass from parsed JSON.

    Raises:
        ValueError: a field without a default is missing, or one is unknown or of another type.
    """
    return typing.cast(T, _value(kind, content, kind.__name__))


def _value(kind: Any, content: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return content
    if origin is types.UnionType:
        return None if content is None else _value(arguments[0], content, where)
    if origin is typing.Literal:
        return _checked(content in arguments, content, where)
    if origin is tuple:
        _checked(isinstance(content, list), content, where)
        return tuple(_value(arguments[0], item, where) for item in content)
    if kind is dict or origin is dict:
        _checked(isinstance(content, dict), content, where)
        return {key: _value(arguments[1], item, f"{where}.{key}") for key, item in content.items()}
    if hasattr(kind, "__dataclass_fields__"):
        return _fields(kind, content, where)
    if kind is float:
        return float(_checked(type(content) in (int, float), content, where))
    return _checked(type(content) is kind, content, where)


def _fields(kind: Any, content: Any, where: str) -> Any:
    _checked(isinstance(content, dict), content, where)
    hints = typing.get_type_hints(kind)
    needed = {field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING}
    wrong = (needed - content.keys()) | (content.keys() - hints.keys())
    if wrong:
        raise ValueError(f"{where} lacks or adds {', '.join(sorted(wrong))}")
    return kind(**{name: _value(hints[name], value, f"{where}.{name}") for name, value in content.items()})


def _checked(fits: bool, content: Any, where: str) -> Any:
    if not fits:
        raise ValueError(f"{where} is {content!r:.60}")
    return content
