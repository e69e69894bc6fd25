"""The program: its commands, and nothing heavier than typer until one of them runs."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from realtime_cli import __version__
from realtime_cli.cli.streams import standard_streams

COMMANDS = ("chat", "say", "ask", "transcribe", "token", "devices", "config", "doctor")
"""Each is a module of this package, with a ``register``; in the order of the help."""


class Commands(TyperGroup):
    """The commands, made when they are named: making all of them takes as long as starting to connect."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One command, or None; then all are there for a guess at what was meant."""
        for name in (cmd_name,) if cmd_name in COMMANDS else COMMANDS:
            if name not in self.commands:
                group = typer.Typer()
                import_module(f"realtime_cli.cli.{name}").register(group)
                self.add_command(get_group(group).commands[name], name)
        return super().get_command(ctx, cmd_name)


app = typer.Typer(
    name="realtime-cli",
    cls=Commands,
    help="Talk with a realtime voice model from a terminal.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"realtime-cli {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it and exit")
    ] = False,
) -> None:
    """Talk with a realtime voice model from a terminal."""


def main() -> None:
    """Run the command line; ends in SystemExit."""
    with standard_streams():
        app()
