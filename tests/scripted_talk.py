"""One connection of the scripted server, in the words that scripts are written in."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import TYPE_CHECKING, Any, Protocol

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from tests.scripted_beta import in_beta
from tests.scripted_reply import Reply
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from tests.scripted_server import ScriptedServer

LOOK_S = 0.05
"""How often a script looks whether the client's pong has come."""

TRANSCRIPTION = "conversation.item.input_audio_transcription"
"""How the types of the events begin that tell what the user said."""

LOUD = 500
"""Peak of a block, of 32767, from which on the fake takes it for speech."""


class Connected(Protocol):
    """What a script talks over: a WebSocket, or a call (:mod:`tests.scripted_calls`)."""

    @property
    def close_code(self) -> int | None:
        """The code that it was closed with, once it was."""

    def send(self, data: Any) -> None:
        """Send a message. Raises ConnectionClosed."""

    def recv(self, timeout: float | None = None) -> Any:
        """The next message. Raises ConnectionClosed, and TimeoutError when none comes."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End it."""


class ClientGone(Exception):
    """The client closed the connection; ends a script in good order."""


class Talk:
    """One connection, from the server's side."""

    def __init__(self, server: ScriptedServer, connection: Connected, number: int = 0) -> None:
        self._server = server
        self.connection = connection
        self._ids = 0
        self._text_only = False
        self.active: Reply | None = None
        self.number = number
        """How many connections there were before."""
        self.received: list[dict[str, Any]] = []
        """The client's events on this connection."""
        self.items: dict[str, dict[str, Any]] = {}
        """What is in the conversation, as far as a script put it here for a client that asks."""
        self.session: dict[str, Any] = {}
        """What this server's sessions have beside the usual."""

    def send(self, event: dict[str, Any]) -> None:
        """Send an event in GA shape; it gets an id, is checked, and is put into the beta's shape if that is spoken."""
        named = {"type": event["type"], "event_id": self.new_id("event"), **event}
        spoken = in_beta(named) if self._server.beta else named
        if spoken is not None:
            self._server.check("server", spoken)
            for said in self._server.accent(spoken) if self._server.accent else [spoken]:
                self.send_raw(json.dumps(said))

    def send_raw(self, data: str | bytes) -> None:
        """Send anything: text, or bytes as a binary frame."""
        try:
            self.connection.send(data)
        except ConnectionClosed:
            raise ClientGone from None

    def until_all_has_come(self) -> None:
        """Answer whatever comes until the client has taken in all that was sent: its pong comes behind that."""
        try:
            assert isinstance(self.connection, ServerConnection)
            arrived = self.connection.ping()
        except ConnectionClosed:
            raise ClientGone from None
        while not arrived.is_set():  # a pong lies behind what the client sent before it, so that has to be taken
            with contextlib.suppress(TimeoutError):
                self._obey(self.receive(LOOK_S))

    def receive(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The client's next event. Raises ClientGone, and TimeoutError when none comes."""
        try:
            event: dict[str, Any] = json.loads(self.connection.recv(timeout_s))
        except ConnectionClosed:
            raise ClientGone from None
        self._server.received.append(event)
        self.received.append(event)
        self._server.check("client", event)
        return event

    def expect(self, kind: str) -> dict[str, Any]:
        """The client's next event but for microphone audio, which must be a ``kind``; it is not answered."""
        while (event := self.receive())["type"] == "input_audio_buffer.append" != kind:
            pass
        assert event["type"] == kind, f"expected {kind}, the client sent {event['type']}"
        return event

    def swallow_audio(self) -> tuple[int, dict[str, Any]]:
        """Take audio without keeping or checking it, up to another event: its bytes before base64, and that event."""
        size = 0
        while True:
            try:
                message = self.connection.recv(PATIENCE_S)
            except ConnectionClosed:
                raise ClientGone from None
            event: dict[str, Any] = json.loads(message)
            if event["type"] != "input_audio_buffer.append":
                return size, event
            size += len(event["audio"]) * 3 // 4 - event["audio"][-2:].count("=")

    def obey_next(self, kind: str) -> dict[str, Any]:
        """The next event but for microphone audio, which must be a ``kind``; it is answered."""
        event = self.expect(kind)
        self._obey(event)
        return event

    def obey_until(self, kind: str) -> dict[str, Any]:
        """Answer whatever comes as a server would, up to a ``kind``, which is returned unanswered."""
        while (event := self.receive())["type"] != kind:
            self._obey(event)
        return event

    def obey_until_closed(self) -> None:
        """Answer whatever comes until the client goes; a ``response.create`` is left unanswered."""
        while True:
            self._obey(self.receive())

    def hear_speech(self) -> None:
        """Wait for a loud block of microphone audio; everything else is answered."""
        while not _is_loud(self.obey_until("input_audio_buffer.append")):
            pass

    def hear_silence(self, ms: int = 300) -> None:
        """Wait for that much quiet microphone audio in a row."""
        quiet_ms = 0.0
        while quiet_ms < ms:
            block = self.obey_until("input_audio_buffer.append")
            quiet_ms = 0.0 if _is_loud(block) else quiet_ms + len(base64.b64decode(block["audio"])) / 48

    def greet(self) -> None:
        """``session.created``."""
        self.send({"type": "session.created", "session": self._session({})})

    def hear_turn(self, transcript: str | None = None, silence_ms: int = 300) -> str:
        """A spoken turn found by voice detection: from ``speech_started`` to the user's item, and its transcript.

        ``silence_ms`` without a loud block are its end.
        """
        item_id = self.new_id("item")
        self.hear_speech()
        self.send({"type": "input_audio_buffer.speech_started", "item_id": item_id, "audio_start_ms": 0})
        self.hear_silence(silence_ms)
        self.send({"type": "input_audio_buffer.speech_stopped", "item_id": item_id, "audio_end_ms": 1000})
        self.commit(item_id, transcript)
        return item_id

    def commit(self, item_id: str, transcript: str | None = None) -> None:
        """The input buffer becomes a user item."""
        self.send({"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": None})
        content = [{"type": "input_audio", "transcript": None}]
        self._add({"id": item_id, "type": "message", "role": "user", "content": content})
        if transcript is not None:
            place = {"item_id": item_id, "content_index": 0}
            self.send({"type": f"{TRANSCRIPTION}.delta", **place, "delta": transcript})
            usage = {"type": "duration", "seconds": 1.0}
            self.send({"type": f"{TRANSCRIPTION}.completed", **place, "transcript": transcript, "usage": usage})

    def begin_reply(self) -> Reply:
        """``response.created``; the rest is the caller's."""
        return Reply(self, text_only=self._text_only)

    def reply(self, text: str, *, audio_ms: int = 400, pauses_s: tuple[float, ...] = ()) -> None:
        """A whole reply: spoken, or written if the session asks for text."""
        reply = self.begin_reply()
        reply.say(text, audio_ms=audio_ms, pauses_s=pauses_s)
        reply.finish()

    def error(
        self, code: str | None, message: str = "No.", *, param: str | None = None, event_id: str | None = None
    ) -> None:
        """An ``error`` event."""
        detail = {"type": "invalid_request_error", "code": code, "message": message, "param": param}
        self.send({"type": "error", "error": {**detail, "event_id": event_id}})

    @property
    def close_code(self) -> int | None:
        """The code that the client closed with, once it has."""
        return self.connection.close_code

    @property
    def told(self) -> list[str]:
        """What the client sent on this connection but audio, in short."""
        return [_short(event) for event in self.received if event["type"] != "input_audio_buffer.append"]

    def close(self, code: int, reason: str = "") -> None:
        """Close the connection."""
        self.connection.close(code, reason)

    def pause(self, seconds: float) -> None:
        """Do nothing for a while; ends early when the server stops."""
        if self._server.stopping.wait(seconds):
            raise ClientGone

    def new_id(self, kind: str) -> str:
        """An id that is new to this connection."""
        self._ids += 1
        return f"{kind}_{self._ids:04d}"

    def _obey(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind in {"session.update", "transcription_session.update"}:
            self._update(event["session"])
        elif kind == "conversation.item.create":
            self._add({"id": self.new_id("item"), **event["item"]})
        elif kind == "conversation.item.truncate":
            kept = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
            self.send({"type": "conversation.item.truncated", **kept})
        elif kind == "conversation.item.delete":
            self.send({"type": "conversation.item.deleted", "item_id": event["item_id"]})
        elif kind == "conversation.item.retrieve":
            item = self.items.get(event["item_id"])
            if item:
                self.send({"type": "conversation.item.retrieved", "item": item})
        elif kind == "input_audio_buffer.clear":
            self.send({"type": "input_audio_buffer.cleared"})
        elif kind == "input_audio_buffer.commit":
            self.commit(self.new_id("item"))
        elif kind == "response.cancel":
            self._cancel(event)

    def _update(self, session: dict[str, Any]) -> None:
        modalities = session.get("output_modalities") or session.get("modalities") or ["audio"]
        self._text_only = "audio" not in modalities
        self.send({"type": "session.updated", "session": self._session(session)})

    def _cancel(self, event: dict[str, Any]) -> None:
        if self.active is None:
            self.error("response_cancel_not_active", "Nothing to cancel.", event_id=event.get("event_id"))
        else:
            self.active.finish("cancelled", "client_cancelled")

    def _add(self, item: dict[str, Any]) -> None:
        whole = {"object": "realtime.item", "status": "completed", **item}
        for stage in ("added", "done"):
            self.send({"type": f"conversation.item.{stage}", "previous_item_id": None, "item": whole})

    def _session(self, changes: dict[str, Any]) -> dict[str, Any]:
        base = {
            **self.session,
            "id": f"sess_{self.number + 1}",
            "object": "realtime.session",
            "model": self._server.model,
        }
        if self._server.beta:
            return base | {"modalities": ["text", "audio"], "voice": "alloy"} | changes
        return base | {"type": "realtime", "output_modalities": ["audio"], "audio": {}} | changes


def _short(event: dict[str, Any]) -> str:
    if event["type"] != "conversation.item.create":
        return str(event["type"])
    item = event["item"]
    words = "".join(part.get("text", "") for part in item.get("content", ()))
    return f"{item.get('role') or item['type']}: {words or item.get('output') or item.get('arguments') or ''}"


def _is_loud(block: dict[str, Any]) -> bool:
    samples = memoryview(base64.b64decode(block["audio"])).cast("h")
    return max(map(abs, samples), default=0) >= LOUD
