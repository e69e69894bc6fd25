"""``--resume``: which saved conversation is meant, and what the model is told of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from realtime_cli.cli.sessions import opened, saved_in
from realtime_cli.conversation.past import Entry, User
from realtime_cli.journal.folder import LAST, NAMES_ONE
from realtime_cli.journal.resuming import whole_past
from realtime_cli.settings.settings import Environment

OPTION = "--resume"


class Resumed(msgspec.Struct, frozen=True):
    """A conversation that is taken up: its past, oldest first, and a line for the user."""

    id: str
    past: tuple[Entry, ...]
    notice: str


def resumed(environment: Environment, name: str) -> Resumed:
    """The conversation that the user wants to go on with. Raises InputError."""
    conversation = opened(environment, name)
    past = whole_past(conversation, saved_in(environment).find)
    turns = sum(isinstance(entry, User) for entry in past)
    header = conversation.header
    notice = f"going on with {header.id} of {header.at.astimezone():%Y-%m-%d %H:%M}, {turns} turns"
    return Resumed(header.id, past, notice)


def with_value(words: Sequence[str]) -> list[str]:
    """The command line with ``last`` behind each ``--resume`` that names no conversation.

    A word behind it counts only if it could be an id, as ``say --resume "And now?"`` has a text there.
    """
    given: list[str] = []
    for at, word in enumerate(words):
        if word == "--":
            return [*given, *words[at:]]
        following = words[at + 1] if at + 1 < len(words) else ""
        named = word != OPTION or NAMES_ONE.fullmatch(following)
        given.append(word if named else f"{OPTION}={LAST}")
    return given
