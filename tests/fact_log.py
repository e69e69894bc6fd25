"""Writes down what a core is told and answers, and tells it again: a JSON object a line.

As a program (``python -m tests.fact_log FILE ARGUMENT...``) it is ``realtime-cli`` whose conversation or transcription
is written down.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from realtime_cli import errors
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.conversation import Conversation
from realtime_cli.conversation.effects import Effect
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.records import Snapshot
from realtime_cli.conversation.transcription.options import TranscriptionOptions
from realtime_cli.conversation.transcription.transcription import Transcription
from realtime_cli.errors import RealtimeError
from realtime_cli.protocol.codec import ServerEvent, UnknownEvent
from realtime_cli.protocol.server_events import server_event_from_object, server_event_to_object


class Entry(msgspec.Struct, frozen=True):
    """One call of the core: the time, the fact's kind and content, and what was asked for."""

    now: float
    kind: str
    body: Any
    effects: list[Any]


class Log(msgspec.Struct, frozen=True):
    """The first line: what a core knew beforehand."""

    conversation: ConversationOptions | None = None
    transcription: TranscriptionOptions | None = None

    def core(self) -> Conversation | Transcription:
        """A new one."""
        if self.transcription is not None:
            return Transcription(self.transcription)
        assert self.conversation is not None
        return Conversation(self.conversation)


class Written:
    """A core (:class:`realtime_cli.ports.Core`) that writes down all that passes."""

    def __init__(self, log: Log, path: Path) -> None:
        self._core = log.core()
        self._path = path
        self._path.write_bytes(msgspec.json.encode(log) + b"\n")

    def handle(self, fact: f.Fact, now: float) -> list[Effect]:
        """The core's answer, written down."""
        effects = self._core.handle(fact, now)
        kind, body = _plain(fact)
        line = msgspec.json.encode(Entry(now, kind, body, plain_effects(effects)))
        with self._path.open("ab") as file:
            file.write(line + b"\n")
        return effects

    def snapshot(self) -> Snapshot:
        """The core's."""
        return self._core.snapshot()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)


def read(path: Path) -> tuple[Log, list[Entry]]:
    """What was written down."""
    first, *rest = path.read_bytes().splitlines()
    return msgspec.json.decode(first, type=Log), [msgspec.json.decode(line, type=Entry) for line in rest]


def replayed(log: Log, entries: list[Entry]) -> Iterator[list[Any]]:
    """What a new core asks for when it is told the same."""
    core = log.core()
    for entry in entries:
        if entry.kind == "ServerEvent":
            fact: Any = server_event_from_object(entry.body)
        else:
            kind = UnknownEvent if entry.kind == "UnknownEvent" else getattr(f, entry.kind)
            fact = msgspec.convert(entry.body, type=kind, dec_hook=_error)
        yield plain_effects(core.handle(fact, entry.now))


def plain_effects(effects: list[Effect]) -> list[Any]:
    """Effects as JSON has them, each with its name."""
    plain = [[type(effect).__name__, msgspec.to_builtins(effect, enc_hook=str)] for effect in effects]
    decoded: list[Any] = msgspec.json.decode(msgspec.json.encode(plain))
    return decoded


def _plain(fact: f.Fact) -> tuple[str, Any]:
    if isinstance(fact, ServerEvent):
        return "ServerEvent", server_event_to_object(fact)
    return type(fact).__name__, msgspec.to_builtins(fact, enc_hook=_plain_error)


def _plain_error(error: Any) -> list[str]:
    return [type(error).__name__, *map(str, error.args)]


def _error(_kind: type, plain: list[str]) -> RealtimeError:
    kind: type[RealtimeError] = getattr(errors, plain[0])
    return kind(*plain[1:])


if __name__ == "__main__":
    from realtime_cli.cli import transcribe, wiring

    log = Path(sys.argv.pop(1))
    wiring.Conversation = lambda options: Written(Log(conversation=options), log)  # type: ignore[assignment, misc]
    transcribe.Transcription = lambda options: Written(Log(transcription=options), log)  # type: ignore[assignment, misc]
    from realtime_cli.__main__ import run

    sys.exit(run())
