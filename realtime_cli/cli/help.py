"""What ``--help`` prints: plain text for 80 columns, without the libraries that draw frames.

Loading those takes longer than all the rest of the program, and their tables cut the names of options.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, ClassVar

from typer.core import TyperCommand, TyperGroup

from realtime_cli.cli.command import Command
from realtime_cli.cli.commands import COMMANDS, GROUPS, HELP

OPTIONS = "Options"
"""The panel of what belongs to one command alone."""


class HelpfulCommand(TyperCommand):
    """A command whose help has examples, and its options by groups."""

    command: ClassVar[Command]

    @classmethod
    def of(cls, command: Command) -> type[HelpfulCommand]:
        """The class for one command."""
        return type(cls.__name__, (cls,), {"command": command})

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """What it does, and how it is typed."""
        super().format_help_text(ctx, formatter)
        with formatter.section("Examples"):
            for line in self.command.examples:
                formatter.write(f"  {_typed(line)}\n")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The arguments, the command's own options, and the settings, each group under its name."""
        parameters = self.get_params(ctx)
        arguments = [each for each in parameters if each.param_type_name == "argument"]
        options = [each for each in parameters if each.param_type_name == "option"]
        _write(formatter, "Arguments", _records(arguments, ctx))
        # --help comes last of all, and belongs to the command's own.
        own = sorted((each for each in options if not _panel(each)), key=lambda each: each.name == "help")
        _write(formatter, OPTIONS, _records(own, ctx))
        for panel, members in groupby((each for each in options if _panel(each)), key=_panel):
            _write(formatter, panel, _records(members, ctx))
        if self.command.more:
            formatter.write_paragraph()
            formatter.write_text(self.command.more)
            formatter.write("\n")


class HelpfulGroup(TyperGroup):
    """Commands whose one-line descriptions are printed without making them."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands."""
        told = {**GROUPS, HELP: "As --help: realtime-cli help chat"}
        above = ctx.command_path.partition(" ")[2]
        rows = []
        for name in self.list_commands(ctx):
            whole = f"{above} {name}".strip()
            text = next((each.help for each in COMMANDS if each.name == whole), told.get(whole, ""))
            rows.append((name, text.partition("\n")[0]))
        _write(formatter, "Commands", rows)


def _typed(line: str) -> str:
    """A command line of the examples, with the program's name unless another comes first."""
    return line if "realtime-cli" in line else f"realtime-cli {line}"


def _panel(parameter: Any) -> str:
    return parameter.rich_help_panel or ""


def _records(parameters: Iterable[Any], ctx: Any) -> Iterator[tuple[str, str]]:
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        if record is not None:
            yield record


def _write(formatter: Any, title: str, records: Iterable[tuple[str, str]]) -> None:
    rows = list(records)
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)
