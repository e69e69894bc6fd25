"""The program: its commands, and nothing heavier than typer until one of them runs."""

from __future__ import annotations

from typing import Annotated

import typer

from realtime_cli import __version__
from realtime_cli.cli import ask, chat, config, devices, doctor, say, token, transcribe
from realtime_cli.cli.streams import standard_streams

app = typer.Typer(
    name="realtime-cli",
    help="Talk with a realtime voice model from a terminal.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (chat, say, ask, transcribe, token, devices, config, doctor):
    group.register(app)


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
