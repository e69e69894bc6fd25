"""The program: its commands, and nothing heavier than typer until one of them runs."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.main import get_group

from realtime_cli import __version__
from realtime_cli.cli.commands import COMMANDS, GROUPS, HELP, with_value
from realtime_cli.cli.help import HelpfulGroup
from realtime_cli.cli.printing import complain
from realtime_cli.errors import in_words

CLICK_ERROR: Any = typer.BadParameter.__mro__[2]
"""typer carries a copy of click in some versions and imports it in others: no name of it holds for all."""


class Commands(HelpfulGroup):
    """The commands, made when they are named: making all of them takes as long as starting to connect."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The names, in the order of the help."""
        return [*dict.fromkeys(command.name.partition(" ")[0] for command in COMMANDS), HELP]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One command, or None; then all are there for a guess at what was meant."""
        names = self.list_commands(ctx)
        for name in (cmd_name,) if cmd_name in names else names:
            if name not in self.commands and name != HELP:
                self.add_command(_made(name), name)
        return super().get_command(ctx, cmd_name)


def _made(name: str) -> Any:
    """The command of that name, or the group."""
    from realtime_cli.cli.options import add_command  # the settings: not for --version

    made = typer.Typer(rich_markup_mode=None, no_args_is_help=name in GROUPS, cls=HelpfulGroup)
    for command in COMMANDS:
        if command.name.partition(" ")[0] == name:
            add_command(made, command)
    if name not in GROUPS:
        return get_group(made).commands[name]
    made.callback(help=GROUPS[name])(lambda: None)
    return get_group(made)


app = typer.Typer(
    name="realtime-cli",
    cls=Commands,
    help="Talk with a realtime voice model from a terminal.",
    no_args_is_help=True,
    rich_markup_mode=None,
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
    _open_standard_streams()
    code = 0
    try:
        code = _main(sys.argv[1:])
    finally:
        code = _flush() or code
    sys.exit(code)


def _main(words: list[str]) -> int:
    """The exit code. A command line that cannot be understood is one line on stderr."""
    if words[:1] == [HELP]:
        words = [*words[1:], "--help"]
    words = with_value(words)
    try:
        return int(app(words, prog_name="realtime-cli", standalone_mode=False) or 0)
    except typer.Abort:
        return 1
    except OSError as error:
        # The help could not be printed.
        return _unwritten(error)
    except CLICK_ERROR as error:
        told: Any = error
        if type(error).__name__ == "NoArgsIsHelpError":
            told.show()
        else:
            complain(_usage(told))
        return int(told.exit_code)


def _usage(error: Any) -> str:
    """What is wrong with the command line, and where it is told what is right."""
    problem = " ".join(error.format_message().split()).rstrip(".")
    where = f"; see {error.ctx.command_path} --help" if getattr(error, "ctx", None) else ""
    return f"{problem[:1].lower()}{problem[1:]}{where}"


def _open_standard_streams() -> None:
    """Three open streams that take any text."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by who started us: a socket must not get the number, and a print must have somewhere to go.
            _open_null_at(fd)
            setattr(sys, name, os.fdopen(fd, "w" if fd else "r", encoding="utf-8", closefd=False))
        elif fd:
            # A terminal of another encoding gets a question mark for what it cannot show.
            stream.reconfigure(errors="replace")


def _flush() -> int:
    """Write what is left, before the interpreter does it with a traceback. The exit code of a failure, or 0."""
    code = 0
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            # https://docs.python.org/3/library/signal.html#note-on-sigpipe
            _open_null_at(stream.fileno())
            code = code or _unwritten(error)
    return code


def _unwritten(error: OSError) -> int:
    """What could not be written is said, unless whoever read it has enough."""
    if isinstance(error, BrokenPipeError):
        return 0
    failure = in_words("main", error)
    complain(failure)
    return failure.exit_code


def _open_null_at(fd: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != fd:
        os.dup2(nowhere, fd)
        os.close(nowhere)
