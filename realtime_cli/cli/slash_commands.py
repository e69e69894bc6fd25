"""Slash commands that change a conversation while it lasts, beside those that any conversation has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from realtime_cli.conversation import facts as f
from realtime_cli.errors import InputError
from realtime_cli.settings.sources import read_text
from realtime_cli.terminal.slash_commands import SlashCommand

VOICES = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse")
"""For completion only (https://platform.openai.com/docs/guides/realtime-conversations#voice-options)."""


def session_commands() -> tuple[SlashCommand, ...]:
    """What changes the conversation."""
    return (
        SlashCommand(
            name="/instructions", argument="TEXT|@FILE", help="tell the model how to behave from now on", run=_instruct
        ),
        SlashCommand(
            name="/voice",
            argument="NAME",
            help="another voice, if the model has not spoken yet",
            run=lambda name: [f.Reconfigured(voice=given(name, "/voice", "NAME"))],
            values=lambda _begun: VOICES,
        ),
        SlashCommand(name="/usage", help="what was used and what it cost so far", run=lambda _rest: [f.UsageAsked()]),
        SlashCommand(
            name="/budget", argument="USD", help="end politely when it has cost so many US dollars", run=_budget
        ),
        SlashCommand(name="/save", help="where this conversation is saved", run=lambda _rest: [f.SavingAsked()]),
        SlashCommand(name="/tools", help="list what the model may call", run=lambda _rest: [f.ToolsAsked()]),
        SlashCommand(name="/retry", help="have the last reply again, another way", run=lambda _rest: [f.Retried()]),
    )


def _budget(rest: str) -> Iterator[f.Fact]:
    try:
        usd = float(rest.removeprefix("$"))
    except ValueError:
        usd = 0.0
    if not 0 < usd < float("inf"):
        raise InputError(f"/budget: {rest!r} is no sum of dollars", "write it like: /budget 0.50")
    yield f.BudgetSet(usd)


def _instruct(rest: str) -> Iterator[f.Fact]:
    text = given(rest, "/instructions", "TEXT or @FILE")
    if text.startswith("@"):
        text = read_text(Path(text[1:]).expanduser(), "/instructions")
    yield f.Reconfigured(instructions=text)


def given(rest: str, command: str, what: str) -> str:
    if not rest:
        raise InputError(f"{command} needs more", f"write it like: {command} {what}")
    return rest
