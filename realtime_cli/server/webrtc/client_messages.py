"""What a call's clients send, over the data channel or from the side, and its sound, on the way to the voice server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from realtime_cli.server.connection import Connection
from realtime_cli.server.core.checks import Refusal, invalid
from realtime_cli.server.inbox import Closed, Inbox
from realtime_cli.server.webrtc.offers import without_formats

CLEAR = "output_audio_buffer.clear"
"""Concerns the call's sound alone: the voice server has no such event."""

APPEND = "input_audio_buffer.append"
"""The call's track is what is listened to: pieces of other sound between its frames would be heard as neither."""

MOST_WAITING = 3000
"""Messages that wait to be taken by the voice server: a minute of sound."""

OBEY_S = 1.0
"""For the call's thread to take a message from the side."""


class Refused(Exception):
    """A message that is answered with an error; ``event_id`` is what the client called it."""

    def __init__(self, refusal: Refusal, event_id: str | None) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.event_id = event_id


def for_server(message: str) -> str | None:
    """The message as the voice server is to have it, without formats of sound; None for CLEAR. Raises Refused."""
    try:
        body = msgspec.json.decode(message)
    except (ValueError, RecursionError):
        return message
    if not isinstance(body, dict):
        return message
    kind = body.get("type")
    if kind == CLEAR:
        return None
    if kind == APPEND:
        event_id = body.get("event_id")
        refusal = invalid("type", "the sound of a call comes over its audio track.")
        raise Refused(refusal, event_id if isinstance(event_id, str) else None)
    changed = {
        name: without_formats(body[name]) for name in ("session", "response") if isinstance(body.get(name), dict)
    }
    return msgspec.json.encode({**body, **changed}).decode() if changed else message


class ClientMessages:
    """The one queue that leads to the voice server; a thread of its own empties it, which may have to wait."""

    def __init__(
        self,
        on_loop: Callable[[Callable[[], None]], None],
        clear: Callable[[], None],
        refuse: Callable[[Refused], None],
    ) -> None:
        """``on_loop`` has something done on the call's thread, where ``clear`` and ``refuse`` are called."""
        self._on_loop = on_loop
        self._clear = clear
        self._refuse = refuse
        self._waiting: Inbox[str] = Inbox()

    def carry(self, connection: Connection) -> None:
        """Begin to give the voice server its messages. Does not block."""

        def give() -> None:
            with suppress(Closed):
                while (text := self._waiting.get(None)) is not None:
                    connection.receive(text)

        threading.Thread(target=give, name="call-input", daemon=True).start()

    def put(self, body: dict[str, Any]) -> bool:
        """Tell the voice server something. The call's thread; does not block. False when too much waits."""
        return self._put(msgspec.json.encode(body).decode())

    def from_channel(self, message: str | bytes) -> bool:
        """Obey a message of the caller's. The call's thread; does not block. False when too much waits."""
        if isinstance(message, bytes):
            message = message.decode("utf-8", "replace")
        try:
            text = for_server(message)
        except Refused as refused:
            self._refuse(refused)
            return True
        if text is None:
            self._clear()
            return True
        return self._put(text)

    def from_side(self, message: str) -> None:
        """Obey a message from the side, after those that it sent before. Any other thread; blocks while many wait."""
        try:
            text = for_server(message)
        except Refused as problem:
            refused = problem
            self._on_loop(lambda: self._refuse(refused))
            return
        if text is not None:
            self._waiting.put(text, waits=True)
            return
        obeyed = threading.Event()

        def obey() -> None:
            self._clear()
            obeyed.set()

        self._on_loop(obey)
        # What it sends next must not overtake the truncations.
        obeyed.wait(OBEY_S)

    def close(self) -> None:
        """Nothing goes through any more; who waits here goes on. Any thread."""
        self._waiting.close()

    def _put(self, text: str) -> bool:
        self._waiting.put(text)
        return len(self._waiting) <= MOST_WAITING
