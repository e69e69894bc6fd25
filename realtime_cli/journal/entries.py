"""What a saved conversation consists of: a header, then one JSON object a line, as ``--json`` prints them.

The lines are the records of :mod:`realtime_cli.conversation.records` that say what was said, done and paid, in the
conversation's order. A reader skips what it does not know, so that files of later versions can be read, and drops a
last line that was cut off by a crash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

FORMAT = 1
"""Grows when a reader of an earlier version would misunderstand a file, not when lines or fields join."""

KEPT = frozenset(
    {
        "session",
        "user",
        "assistant",
        "transcript",
        "tool_call",
        "tool_result",
        "aside",
        "usage",
        "cost",
        "latency",
        "connection",
        "error",
        "audio",
        "end",
    }
)
"""Types of records that are saved. Pieces of text, keys pressed and notices tell nothing that these do not."""

SPOKEN = frozenset({"user", "assistant", "transcript"})
"""Those that somebody said or wrote: a conversation is worth a file from its first one on."""


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="conversation"):
    """The first line. ``instructions`` is left out where the user keeps them out; their hash never is."""

    id: str
    at: datetime
    """When it began; with its time zone."""
    command: str
    format: int = FORMAT
    version: str = ""
    """Of the program."""
    provider: str = ""
    model: str = ""
    voice: str = ""
    language: str = ""
    instructions: str | None = None
    instructions_sha256: str | None = None
    resumed_from: str | None = None
    """The id of the conversation that this one goes on with."""
    recording: str | None = None
    """The name of the file with its sound, beside this one."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Any line behind the header, read liberally: the fields of all types together, absent ones empty.

    ``t``: seconds from the start of the program to the moment it was told.
    """

    type: str
    t: float = 0.0
    item_id: str = ""
    text: str = ""
    late: bool = False
    """Its transcript came after something later had been told."""
    began_ms_ago: int | None = None
    """How long before ``t`` the speaking or writing began."""
    heard_ms: int | None = None
    interrupted: bool = False
    start_ms: int | None = None
    end_ms: int | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    server: str = ""
    output: str = ""
    failed: bool = False
    model: str = ""
    provider: str = ""
    response_id: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    seconds: float | None = None
    usd: float | None = None
    audible_ms: int | None = None
    message: str = ""
    reason: str = ""
    exit_code: int | None = None

    @property
    def began_s(self) -> float:
        """Seconds from the start of the program to the beginning of what was said."""
        return max(0.0, self.t - (self.began_ms_ago or 0) / 1000)


class Conversation(msgspec.Struct, frozen=True):
    """One saved conversation, read."""

    path: Path
    header: Header
    entries: tuple[Entry, ...]
    lines: tuple[bytes, ...]
    """The whole lines behind the header, as they stand in the file."""

    @property
    def said(self) -> Iterator[Entry]:
        """What was said and written, in order."""
        return (entry for entry in self.entries if entry.type in SPOKEN)

    @property
    def duration_s(self) -> float:
        """From the start of the program to the last line."""
        return self.entries[-1].t if self.entries else 0.0

    @property
    def model(self) -> str:
        """The model that answered, as the server named it, else as it was asked for."""
        named = [entry.model for entry in self.entries if entry.type == "session" and entry.model]
        return named[-1] if named else self.header.model


class NotAConversation(ValueError):
    """A file that does not begin with the header of a saved conversation, or with one of a later format."""


def read(path: Path) -> Conversation:
    """Read a saved conversation, also one that is being written. Raises OSError and NotAConversation."""
    first, *rest = path.read_bytes().split(b"\n")
    # What stands behind the last line break was cut off, unless that is nothing.
    whole = rest[:-1]
    try:
        header = msgspec.json.decode(first, type=Header)
        # Times at the ends of the calendar fit into no other time zone.
        header.at.astimezone()
    except (msgspec.MsgspecError, RecursionError, OverflowError, ValueError) as error:
        raise NotAConversation(f"{path} does not begin like a saved conversation") from error
    if not rest or header.format > FORMAT:
        raise NotAConversation(f"{path} was saved by a later version of this program" if rest else f"{path} is empty")
    return Conversation(path, header, tuple(_entries(whole)), tuple(whole))


def _entries(lines: Sequence[bytes]) -> Iterator[Entry]:
    for line in lines:
        try:
            yield msgspec.json.decode(line, type=Entry)
        except (msgspec.MsgspecError, RecursionError):
            # Of a version that knows more, or damaged: the others still tell what they told.
            continue
