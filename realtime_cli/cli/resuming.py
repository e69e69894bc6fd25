"""``--resume``: which saved conversation is meant, and what the model is told of it."""

from __future__ import annotations

import msgspec

from realtime_cli.cli.sessions import opened, saved_in
from realtime_cli.conversation.past import Entry, User, newest
from realtime_cli.journal.resuming import whole_past
from realtime_cli.settings.settings import Environment


class Resumed(msgspec.Struct, frozen=True):
    """A conversation that is taken up: its past, oldest first, and a line for the user."""

    id: str
    past: tuple[Entry, ...]
    notice: str


def resumed(environment: Environment, name: str, budget_tokens: int) -> Resumed:
    """The conversation that the user wants to go on with; a model is told ``budget_tokens`` of it.

    Raises InputError.
    """
    conversation = opened(environment, name)
    past = whole_past(conversation, saved_in(environment).find)
    turns = sum(isinstance(entry, User) for entry in past)
    told = sum(isinstance(entry, User) for entry in newest(past, budget_tokens))
    header = conversation.header
    notice = f"going on with {header.id} of {header.at.astimezone():%Y-%m-%d %H:%M}, {turns} turns"
    if told < turns:
        notice += f"; the model is told the latest {told} of them"
    return Resumed(header.id, past, notice)
