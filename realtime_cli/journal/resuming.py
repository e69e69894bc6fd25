"""Taking up a saved conversation: what of it another model is told. Pure but for reading the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from realtime_cli.conversation import past
from realtime_cli.errors import InputError
from realtime_cli.journal.entries import Conversation, read

MAX_LINKS = 100
"""So often may a conversation have been taken up: files that name each other in a circle must come to an end."""


def past_of(conversation: Conversation) -> Iterator[past.Entry]:
    """What was said, as far as it was heard, called and answered, in order."""
    for entry in conversation.entries:
        match entry.type:
            case "user" if entry.text:
                yield past.User(text=entry.text, item_id=entry.item_id, late=entry.late)
            case "assistant" if entry.text:
                yield past.Model(text=entry.text, item_id=entry.item_id, interrupted=entry.interrupted)
            case "tool_call" if not entry.server:
                yield past.Call(call_id=entry.call_id, name=entry.name, arguments=entry.arguments)
            case "tool_result":
                yield past.Result(call_id=entry.call_id, output=entry.output, failed=entry.failed)


def whole_past(conversation: Conversation, find: Callable[[str], Path]) -> tuple[past.Entry, ...]:
    """The past of a conversation and of those that it went on with, the oldest first.

    ``find`` gives the file of an id. One that was deleted meanwhile is left out. Raises InputError for a conversation
    that cannot be taken up, and what :func:`~realtime_cli.journal.entries.read` raises.
    """
    if conversation.header.command == "transcribe":
        raise InputError(f"{conversation.header.id} is a transcription", "only conversations can be resumed")
    links = [conversation]
    while (earlier := links[0].header.resumed_from) and len(links) < MAX_LINKS:
        try:
            links.insert(0, read(find(earlier)))
        except InputError:
            break
    return tuple(entry for each in links for entry in past_of(each))
