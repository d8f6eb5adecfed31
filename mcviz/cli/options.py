"""The options of commands, made of the fields of their groups."""

from collections.abc import Callable, Collection, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcviz.options import ModelOptions, OptionField, all_option_fields, option_fields, read_group

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Command = Callable[..., Any]
PATH = click.Path(path_type=Path)


def add_options(
    group: "type[DataclassInstance]", *, required: Collection[str], helps: Mapping[str, str] | None = None
) -> Callable[[Command], Command]:
    """Give a command the options of a group, of which it takes an instance as `options`.

    Args:
        group: the class.
        required: names of the options that have to be given; the help begins with them.
        helps: by the name of an option, its help where it is another one in this command.
    """
    declared = sorted(all_option_fields(group), key=lambda each: each.name not in required)

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_group(**values: Any) -> Any:
            own = {each.field: values.pop(each.field) for each in declared}
            return command(options=read_group(group, own), **values)

        decorated: Command = with_group
        for each in reversed(declared):
            words = (helps or {}).get(each.name, each.option.help)
            decorated = _click_option(each, words, required=each.name in required)(decorated)
        return decorated

    return decorate


def import_option(command: Command) -> Command:
    """Give a command the option that names modules of the user's own; it takes `modules`."""
    (modules,) = (each for each in option_fields(ModelOptions) if each.field == "modules")
    return _click_option(modules, modules.option.help, required=False)(command)


def _click_option(each: OptionField, words: str, *, required: bool) -> Callable[[Command], Command]:
    option, is_told = each.option, each.default not in (None, "", ()) and each.default is not False
    default = {} if required else {"default": each.default if is_told else None}  # with any, none would be required
    return click.option(
        f"--{each.name}/{each.argument}" if each.default is True else f"--{each.name}",
        each.field,
        type=_click_type(each),
        is_flag=each.is_flag,
        multiple=option.several,
        metavar=option.metavar,
        show_default=is_told,
        required=required,
        envvar=option.variable,
        show_envvar=option.variable is not None,
        callback=partial(_parse_value, each),
        help=words,
        **default,
    )


def _click_type(each: OptionField) -> Any:
    option = each.option
    if option.choices:
        return click.Choice(option.choices)
    if option.at_least is not None:
        return click.IntRange(min=option.at_least)
    if option.between is not None:
        return click.FloatRange(*option.between, min_open=True, max_open=True)
    return {bool: bool, bool | None: bool, float | None: float}.get(each.type, str)


def _parse_value(each: OptionField, context: click.Context, parameter: click.Parameter, given: Any) -> Any:
    if given in (None, ()):
        return each.default
    try:
        return each.option.parse(given) if each.option.parse else given
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from error
