"""The session object: its defaults, and what a ``session.update`` may do to it.

Updates merge: a field left out keeps its value; an explicit null clears it where it can be empty and else brings back
the default. An update is taken whole or not at all.
Defaults are the documented ones (https://platform.openai.com/docs/api-reference/realtime-client-events/session).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from realtime_cli.server.core.checks import Refusal, invalid, known, mapping, missing, one_of, record
from realtime_cli.server.core.session_fields import AUDIO_FIELDS, SESSION_FIELDS, TURN_FIELDS, SessionType
from realtime_cli.server.listening.endpointing import (
    DEFAULT_PREFIX_PADDING_MS,
    DEFAULT_THRESHOLD,
    EAGERNESS,
    Endpointing,
)

DEFAULT_VOICE = "alloy"

_SERVER_VAD: dict[str, Any] = {
    "type": "server_vad",
    "threshold": DEFAULT_THRESHOLD,
    "prefix_padding_ms": DEFAULT_PREFIX_PADDING_MS,
    "silence_duration_ms": Endpointing().silence_duration_ms,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_SEMANTIC_VAD: dict[str, Any] = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_TURN_DETECTION = {"server_vad": _SERVER_VAD, "semantic_vad": _SEMANTIC_VAD}

_MERGED = frozenset({"transcription", "noise_reduction"})
"""Parts of the input's settings of which an update may name some fields and keep the others."""


class SessionState:
    """The effective session of one connection."""

    def __init__(self, session_id: str, model: str, kind: SessionType, expires_at: int | None = None) -> None:
        """``expires_at``: when the session ends, in seconds since 1970."""
        self.id = session_id
        self.kind = kind
        self._expires_at = expires_at
        audio_input = {
            "format": {"type": "audio/pcm", "rate": 24000},
            "noise_reduction": None,
            "transcription": None,
            "turn_detection": dict(_SERVER_VAD),
        }
        self._body: dict[str, Any] = {"type": kind, "audio": {"input": audio_input}, "include": None}
        if kind == "realtime":
            self._body["audio"]["output"] = {
                "format": {"type": "audio/pcm", "rate": 24000},
                "voice": DEFAULT_VOICE,
                "speed": 1.0,
            }
            self._body |= {
                "model": model,
                "output_modalities": ["audio"],
                "instructions": "",
                "tools": [],
                "tool_choice": "auto",
                "max_output_tokens": "inf",
                "truncation": "auto",
                "tracing": None,
                "prompt": None,
            }
        self._defaults = deepcopy(self._body)

    def to_object(self) -> dict[str, Any]:
        """The whole session as ``session.created`` and ``session.updated`` show it, a copy."""
        shown = {"id": self.id, "object": f"realtime.{_OBJECT[self.kind]}"}
        expiry = {} if self._expires_at is None else {"expires_at": self._expires_at}
        return {**shown, **expiry, **deepcopy(self._body)}

    def update(self, changes: Mapping[str, Any], voice_used: bool) -> None:
        """Merge a ``session.update``. ``voice_used``: audio was sent in the current voice, so it is fixed.

        Raises Refusal, and then nothing has changed.
        """
        if "type" not in changes:
            raise missing("session.type")
        if changes["type"] != self.kind:
            raise invalid("session.type", f"{changes['type']!r}. This is a {self.kind} session and stays one.")
        body = deepcopy(self._body)
        fields = SESSION_FIELDS[self.kind]
        for name, value in changes.items():
            if name == "audio":
                self._merge_audio(body["audio"], value)
                continue
            check = known(fields, name, "session")
            kept = deepcopy(self._defaults.get(name)) if value is None else check(value, f"session.{name}")
            # Clients of the agents SDKs name the remote service's models here; the one that answers is fixed.
            if name != "model":
                body[name] = kept
        if voice_used and body["audio"]["output"]["voice"] != self._body["audio"]["output"]["voice"]:
            raise Refusal(
                "cannot_update_voice",
                "Cannot update a conversation's voice if assistant audio is present.",
                "session.audio.output.voice",
            )
        self._body = body

    def _merge_audio(self, audio: dict[str, Any], changes: Any) -> None:
        sides = AUDIO_FIELDS[self.kind]
        for side, side_changes in mapping(changes, "session.audio").items():
            path = f"session.audio.{side}"
            if side not in sides:
                known({}, side, "session.audio")
            for name, value in mapping(side_changes, path).items():
                check = known(sides[side], name, path)
                if value is None:
                    default = self._defaults["audio"][side][name]
                    audio[side][name] = None if name == "turn_detection" else deepcopy(default)
                elif name == "turn_detection":
                    audio[side][name] = _turn_detection(audio[side][name], value, f"{path}.{name}")
                elif name in _MERGED:
                    audio[side][name] = {**(audio[side][name] or {}), **check(value, f"{path}.{name}")}
                else:
                    audio[side][name] = check(value, f"{path}.{name}")

    @property
    def input_format(self) -> str:
        """Type of the audio that comes in."""
        return str(self._body["audio"]["input"]["format"]["type"])

    @property
    def turn_detection(self) -> Mapping[str, Any] | None:
        """None when the client says itself where a turn ends."""
        found: Mapping[str, Any] | None = self._body["audio"]["input"]["turn_detection"]
        return found

    @property
    def answers_turns(self) -> bool:
        """A turn whose end was heard is answered without being asked."""
        turn = self.turn_detection
        return self.kind == "realtime" and turn is not None and bool(turn["create_response"])

    @property
    def yields(self) -> bool:
        """A response stops when the user begins to speak."""
        turn = self.turn_detection
        return turn is not None and bool(turn["interrupt_response"])

    @property
    def idle_timeout_s(self) -> float | None:
        """After this long without a word the user is asked whether they are still there; None for never."""
        timeout_ms = (self.turn_detection or {}).get("idle_timeout_ms")
        return None if timeout_ms is None else timeout_ms / 1000

    @property
    def endpointing(self) -> Endpointing | None:
        """How to listen, or None for a client that says itself where a turn ends."""
        turn = self.turn_detection
        if turn is None:
            return None
        if turn["type"] == "semantic_vad":
            return Endpointing(meaning=EAGERNESS[turn["eagerness"]])
        return Endpointing(turn["threshold"], turn["prefix_padding_ms"], turn["silence_duration_ms"])

    @property
    def transcription(self) -> Mapping[str, Any] | None:
        """None when the client wants no transcript of the user."""
        found: Mapping[str, Any] | None = self._body["audio"]["input"]["transcription"]
        return found

    @property
    def replies(self) -> Mapping[str, Any]:
        """Session settings that a response takes over, read-only."""
        return self._body


_OBJECT = {"realtime": "session", "transcription": "transcription_session"}


def _turn_detection(current: Mapping[str, Any] | None, changes: Any, path: str) -> dict[str, Any]:
    """Changes of the same kind merge; another kind begins with its own defaults, which a null brings back."""
    changes = mapping(changes, path)
    kind = changes.get("type", current["type"] if current else None)
    if kind is None:
        raise missing(f"{path}.type")
    defaults = _TURN_DETECTION[one_of(*_TURN_DETECTION)(kind, f"{path}.type")]
    base = current if current and current["type"] == kind else defaults
    given = {name: value for name, value in changes.items() if value is not None}
    for name in changes:
        known(TURN_FIELDS[kind], name, path)
    cleared = {name: defaults[name] for name in changes if name not in given and name in defaults}
    kept = record(TURN_FIELDS[kind])(given, path)
    return {name: value for name, value in {**base, **cleared, **kept}.items() if name in defaults}
