"""Typer commands made from their declarations: each option that is a setting is declared once, in
:mod:`realtime_cli.settings.settings`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from realtime_cli.cli.command import Command
from realtime_cli.cli.help import HelpfulCommand
from realtime_cli.settings.fields import Field, fields

OFF = "no_"
"""Before the name of a flag that is off by default: switches off what a variable or a profile switched on."""


def add_command(app: typer.Typer, command: Command) -> None:
    """Register the command; the module that runs it is imported when it does."""
    chosen = taken(command)

    def run(**values: Any) -> None:
        arguments = {parameter.name: values[parameter.name] for parameter in command.own}
        # The settings' sources, and all that runs: not for --help.
        from realtime_cli.cli.running import run_command

        raise typer.Exit(run_command(command, flags_of(values), arguments))

    parameters = [
        *command.own,
        *(_parameter(field, listed=not command.listed or field.name in command.listed) for field in chosen),
        *map(_off_switch, filter(_has_off_switch, chosen)),
    ]
    run.__doc__ = command.help
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app.command(name=command.name.rpartition(" ")[2], cls=HelpfulCommand.of(command))(run)


def taken(command: Command) -> tuple[Field, ...]:
    """The settings that are options of the command, in the order of its help."""
    known = [field for field in fields() if field.name not in command.without]
    chosen = [field for group in command.groups for field in known if field.group == group]
    return (*chosen, *(field for field in known if field.name in command.also and field not in chosen))


def flags_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the parameters of a command line say about the settings; None where they say nothing."""
    flags = {field.name: values.get(field.name) for field in fields()}
    return flags | {name: False for name, flag in flags.items() if flag is None and values.get(OFF + name)}


def _parameter(field: Field, *, listed: bool) -> inspect.Parameter:
    """The option of one setting. Its value stays text: the settings convert and check what comes from anywhere."""
    flag = f"{field.flag}/--no-{field.flag[2:]}" if field.negatable else field.flag
    option = typer.Option(
        *_names(flag, field.short),
        help=_help(field),
        metavar=None if field.is_flag else field.metavar,
        rich_help_panel=field.group,
        show_default=False,
        hidden=not listed,
    )
    kind: Any = bool if field.is_flag else list[str] if field.repeatable else str
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _help(field: Field) -> str:
    if field.default in (None, False, True, ()):
        return field.help
    default = f"{field.default:g}" if isinstance(field.default, float) else field.default
    return f"{field.help} (default: {default})"


def _names(flag: str, short: str) -> Iterable[str]:
    return (flag, short) if short else (flag,)


def _has_off_switch(field: Field) -> bool:
    return field.is_flag and not field.negatable


def _off_switch(field: Field) -> inspect.Parameter:
    """``--no-stats`` for ``--stats``: hidden, as only those with a profile or a variable ever need it."""
    annotation = Annotated[bool, typer.Option(f"--no-{field.flag[2:]}", hidden=True)]
    return inspect.Parameter(OFF + field.name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
