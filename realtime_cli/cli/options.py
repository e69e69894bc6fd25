"""Typer commands made from the settings: each option is declared once, in :mod:`realtime_cli.settings.settings`."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from realtime_cli.errors import INTERRUPTED_EXIT_CODE, InternalError, RealtimeError
from realtime_cli.settings.settings import Field, fields, load_environment
from realtime_cli.settings.sources import resolve

Command = Callable[..., int]
OFF = "no_"
"""Before the name of a flag that is off by default: switches off what a variable or a profile switched on."""


def command(
    app: typer.Typer, *groups: str, without: tuple[str, ...] = (), only: tuple[str, ...] = ()
) -> Callable[[Command], Command]:
    """Register a function as a command that also takes the options of some groups of settings, or ``only`` some.

    The function's first two parameters are the resolved :class:`~realtime_cli.settings.settings.Settings` and the
    :class:`~realtime_cli.settings.settings.Environment`; the others are the command's own arguments. It returns the
    exit code.
    """
    chosen = tuple(
        field for field in fields() if field.name in only or (field.group in groups and field.name not in without)
    )

    def register(function: Command) -> Command:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[2:]

        def run(**values: Any) -> None:
            arguments = {parameter.name: values[parameter.name] for parameter in own}
            raise typer.Exit(_run(function, flags_of(values), arguments))

        parameters = [
            *own,
            *(_parameter(field) for field in chosen),
            *map(_off_switch, filter(_has_off_switch, chosen)),
        ]
        run.__doc__ = function.__doc__
        run.__signature__ = inspect.Signature([p.replace(kind=p.KEYWORD_ONLY) for p in parameters])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name=function.__name__)(run)
        return function

    return register


def flags_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the parameters of a command line say about the settings; None where they say nothing."""
    flags = {field.name: values.get(field.name) for field in fields()}
    return flags | {name: False for name, flag in flags.items() if flag is None and values.get(OFF + name)}


def _run(function: Command, flags: dict[str, Any], values: dict[str, Any]) -> int:
    """Run a command; every error is one line on stderr and an exit code, with a traceback only for ``--debug``."""
    debug = bool(flags.get("debug"))
    try:
        environment = load_environment()
        settings = resolve(flags, environment)
        debug = settings.debug
        return function(settings, environment, **values)
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
    except BrokenPipeError:
        # Whoever read standard output has enough.
        return 0
    except Exception as error:  # noqa: BLE001 -- the last place that can turn a bug into one line
        if debug:
            traceback.print_exception(error)
        shown = error if isinstance(error, RealtimeError) else InternalError("main", error)
        sys.stderr.write(f"realtime-cli: {shown}\n")
        return shown.exit_code


def _parameter(field: Field) -> inspect.Parameter:
    """The option of one setting. Its value stays text: the settings convert and check what comes from anywhere."""
    flag = f"{field.flag}/--no-{field.flag[2:]}" if field.negatable else field.flag
    names = (flag, field.short) if field.short else (flag,)
    option = typer.Option(
        *names,
        help=field.help if field.default in (None, False, True, ()) else f"{field.help} (default: {field.default})",
        metavar=None if field.is_flag else field.metavar,
        rich_help_panel=field.group,
        show_default=False,
    )
    kind: Any = bool if field.is_flag else list[str] if field.repeatable else str
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _has_off_switch(field: Field) -> bool:
    return field.is_flag and not field.negatable


def _off_switch(field: Field) -> inspect.Parameter:
    """``--no-stats`` for ``--stats``: hidden, as only those with a profile or a variable ever need it."""
    annotation = Annotated[bool, typer.Option(f"--no-{field.flag[2:]}", hidden=True)]
    return inspect.Parameter(OFF + field.name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
