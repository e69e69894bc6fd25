"""The session object: its defaults, and what a ``session.update`` may do to it.

Updates merge: a field left out keeps its value; an explicit null clears it where it can be empty and else brings back
the default. An update is taken whole or not at all.
Defaults are the documented ones (https://platform.openai.com/docs/api-reference/realtime-client-events/session).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Literal, TypeAlias

from realtime_cli.server.core import checks
from realtime_cli.server.core.checks import Check, Fields, boolean, nullable, one_of, record, string
from realtime_cli.server.core.refusal import Refusal, invalid, missing
from realtime_cli.server.listening.endpointing import (
    DEFAULT_PREFIX_PADDING_MS,
    DEFAULT_THRESHOLD,
    EAGERNESS_SILENCE_MS,
    Endpointing,
)

SessionType: TypeAlias = Literal["realtime", "transcription"]

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

_TURN_FIELDS: Mapping[str, Fields] = {
    "server_vad": {
        "type": string,
        "threshold": checks.decimal(0.0, 1.0),
        "prefix_padding_ms": checks.integer(0),
        "silence_duration_ms": checks.integer(0),
        "idle_timeout_ms": nullable(checks.integer(5000, 30000)),
        "create_response": boolean,
        "interrupt_response": boolean,
    },
    "semantic_vad": {
        "type": string,
        "eagerness": one_of("low", "medium", "high", "auto"),
        "create_response": boolean,
        "interrupt_response": boolean,
    },
}
_TRANSCRIPTION: Check = record(
    {
        "model": string,
        "language": nullable(string),
        "languages": nullable(checks.list_of(string)),
        "keywords": nullable(checks.list_of(string)),
        "prompt": nullable(string),
        "delay": nullable(one_of("minimal", "low", "medium", "high", "xhigh")),
    }
)
_NOISE_REDUCTION: Check = record(
    {"type": one_of("near_field", "far_field"), "strength": checks.decimal(0.0, 1.0)}, ("type",)
)
_AUDIO_INPUT: Fields = {
    "format": checks.audio_format,
    "noise_reduction": _NOISE_REDUCTION,
    "transcription": _TRANSCRIPTION,
    "turn_detection": checks.anything,
}
_AUDIO_OUTPUT: Fields = {
    "format": checks.audio_format,
    "voice": checks.voice,
    "speed": checks.decimal(0.25, 1.5),
}
_AUDIO: Mapping[str, Mapping[str, Fields]] = {
    "realtime": {"input": _AUDIO_INPUT, "output": _AUDIO_OUTPUT},
    "transcription": {"input": _AUDIO_INPUT},
}
_COMMON: Fields = {"type": string, "include": checks.list_of(string)}
_REPLY_FIELDS: Fields = {
    "instructions": string,
    "output_modalities": checks.modalities,
    "tools": checks.list_of(checks.tool),
    "tool_choice": checks.tool_choice,
    "max_output_tokens": checks.output_tokens,
    "prompt": nullable(checks.anything),
    "reasoning": nullable(checks.anything),
    "parallel_tool_calls": boolean,
}
_FIELDS: Mapping[str, Fields] = {
    "realtime": {
        **_COMMON,
        **_REPLY_FIELDS,
        "model": string,
        "truncation": checks.anything,
        "tracing": checks.anything,
    },
    "transcription": _COMMON,
}
RESPONSE_FIELDS: Fields = {
    **_REPLY_FIELDS,
    "conversation": one_of("auto", "none"),
    "input": checks.list_of(checks.anything),
    "metadata": nullable(checks.metadata),
    "audio": record({"output": record({"format": checks.audio_format, "voice": checks.voice})}),
}
"""What ``response.create`` may override."""


class SessionState:
    """The effective session of one connection."""

    def __init__(self, session_id: str, model: str, kind: SessionType) -> None:
        self.id = session_id
        self.kind = kind
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
        return {"id": self.id, "object": f"realtime.{_OBJECT[self.kind]}", **deepcopy(self._body)}

    def update(self, changes: Mapping[str, Any], voice_used: bool) -> None:
        """Merge a ``session.update``. ``voice_used``: audio was sent in the current voice, so it is fixed.

        Raises Refusal, and then nothing has changed.
        """
        if "type" not in changes:
            raise missing("session.type")
        if changes["type"] != self.kind:
            raise invalid("session.type", f"{changes['type']!r}. This is a {self.kind} session and stays one.")
        body = deepcopy(self._body)
        fields = _FIELDS[self.kind]
        for name, value in changes.items():
            if name == "audio":
                self._merge_audio(body["audio"], value)
                continue
            check = checks.known(fields, name, "session")
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
        sides = _AUDIO[self.kind]
        for side, side_changes in _object(changes, "session.audio").items():
            path = f"session.audio.{side}"
            if side not in sides:
                checks.known({}, side, "session.audio")
            for name, value in _object(side_changes, path).items():
                check = checks.known(sides[side], name, path)
                if value is None:
                    default = self._defaults["audio"][side][name]
                    audio[side][name] = None if name == "turn_detection" else deepcopy(default)
                elif name == "turn_detection":
                    audio[side][name] = _turn_detection(audio[side][name], value, f"{path}.{name}")
                elif name == "transcription":
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
            return Endpointing(silence_duration_ms=EAGERNESS_SILENCE_MS[turn["eagerness"]])
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


def _object(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise invalid(path, "expected an object.")
    return value


def _turn_detection(current: Mapping[str, Any] | None, changes: Any, path: str) -> dict[str, Any]:
    """Changes of the same kind merge; another kind begins with its own defaults."""
    changes = _object(changes, path)
    kind = changes.get("type", current["type"] if current else None)
    if kind is None:
        raise missing(f"{path}.type")
    one_of(*_TURN_DETECTION)(kind, f"{path}.type")
    base = current if current and current["type"] == kind else _TURN_DETECTION[kind]
    return {**base, **record(_TURN_FIELDS[kind])(changes, path)}
