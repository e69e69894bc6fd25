"""The dialects of the protocol, translated at the edge: inside the program everything is in GA shape.

Servers differ in the shape of what they take (:class:`Dialect`, chosen by the provider's profile) and in the names of
what they send; of the latter both families are understood whatever the dialect. Mapping of names and fields:
https://platform.openai.com/docs/guides/realtime#beta-to-ga-migration.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from enum import Enum
from typing import Any

from realtime_cli.errors import ConnectionFailed
from realtime_cli.protocol.client_events import ClientEvent, InputAudioBufferAppend, client_event_to_object
from realtime_cli.protocol.codec import JsonObject, ServerEvent, UnknownEvent, from_json, to_json
from realtime_cli.protocol.redaction import without_keys
from realtime_cli.protocol.server_events import server_event_from_object
from realtime_cli.protocol.split_characters import SplitCharacters


class Dialect(Enum):
    """The shape of sessions, response requests and assistant items that a server takes."""

    GA = "ga"
    """OpenAI's interface since August 2025."""
    BETA = "beta"
    """Its flat predecessor; OpenAI has closed it, compatible servers still speak it."""
    XAI = "xai"
    """GA names, but voice and turn detection at the top of the session."""


class NotAnEvent(ConnectionFailed, ValueError):
    """What the server sent is no event of the protocol at all."""


GA_NAMES: Mapping[str, str] = {
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
}
GA_CONTENT: Mapping[str, str] = {"text": "output_text", "audio": "output_audio"}
BETA_CONTENT: Mapping[str, str] = {ga: beta for beta, ga in GA_CONTENT.items()}

BETA_FIELDS: Mapping[str, str] = {
    "output_modalities": "modalities",
    "max_output_tokens": "max_response_output_tokens",
}
_GA_ONLY = frozenset({"audio", "reasoning", "parallel_tool_calls", "prompt", "truncation"})
BETA_INPUT: Mapping[str, str] = {
    "transcription": "input_audio_transcription",
    "noise_reduction": "input_audio_noise_reduction",
    "turn_detection": "turn_detection",
}


def append_message(pcm: bytes) -> str:
    """``input_audio_buffer.append`` for one block of PCM16, the same in every dialect.

    The hot path of the sender: some fifty a second, so the JSON is written by hand (base64 needs no escaping).
    """
    return _append_message(base64.b64encode(pcm).decode("ascii"))


def to_wire(event: ClientEvent, dialect: Dialect) -> str:
    """The event as one text message in the server's dialect; a session.update's body is in that dialect already."""
    if isinstance(event, InputAudioBufferAppend) and event.event_id is None:
        return _append_message(event.audio)
    body = client_event_to_object(event)
    if dialect is Dialect.BETA:
        _to_beta(body)
    elif dialect is Dialect.XAI and "output_modalities" in (body.get("response") or {}):
        body["response"]["modalities"] = body["response"].pop("output_modalities")
    return to_json(body)


def from_wire(text: str | bytes, split: SplitCharacters | None = None) -> ServerEvent | UnknownEvent:
    """The event in one text message of any dialect; raises NotAnEvent when there is none in it, and nothing else.

    ``split`` belongs to the connection and joins characters that the server cut in two; without it halves are replaced.
    Keys that a server repeats in an error's message are hidden here, before anybody can show them.
    """
    try:
        return _event((split or SplitCharacters()).mend(dict(from_json(text))))
    except RecursionError:
        raise _not_an_event("nested too deeply") from None
    except ValueError as error:
        raise _not_an_event(f"{error}") from None


def _event(body: dict[str, Any]) -> ServerEvent | UnknownEvent:
    """The event in a JSON object, translated. Raises ValueError for an object without a type."""
    name = body.get("type")
    if not isinstance(name, str):
        raise ValueError("an object without a type")  # noqa: TRY004 -- callers treat all that is no event as one
    if name == "session.created" and "created" in body and "session" not in body:
        raise _vllm()
    body = {**without_keys(body), "type": GA_NAMES.get(name, name)}
    if "item" in body:
        body["item"] = _ga_item(body["item"])
    elif isinstance(body.get("response"), dict):
        body["response"] = _ga_response(body["response"])
    return server_event_from_object(body)


def to_beta(body: JsonObject) -> dict[str, Any]:
    """The flat body for a GA body of a session or of a response to be created; what the beta does not have is left out.

    Audio formats are left out too: pcm16 at 24 kHz is the beta's default, and servers that speak it disagree on its
    name (pcm16, pcm).
    """
    audio = body.get("audio") or {}
    flat = {BETA_FIELDS.get(key, key): value for key, value in body.items() if key not in _GA_ONLY}
    if flat.get("modalities") == ["audio"]:
        flat["modalities"] = ["text", "audio"]
    heard = {BETA_INPUT[key]: value for key, value in audio.get("input", {}).items() if key in BETA_INPUT}
    if heard.get("input_audio_transcription"):
        heard["input_audio_transcription"] = _beta_transcription(heard["input_audio_transcription"])
    if heard.get("turn_detection"):
        heard["turn_detection"] = {
            key: value for key, value in heard["turn_detection"].items() if key != "idle_timeout_ms"
        }
    flat |= heard
    output = audio.get("output", {})
    if "voice" in output:
        flat["voice"] = voice_name(output["voice"])
    if "speed" in output:
        flat["speed"] = output["speed"]
    return flat


def _beta_transcription(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The beta knows one language, and no keywords but in a prompt."""
    flat = {key: value for key, value in wanted.items() if key not in {"languages", "keywords"}}
    if len(languages := wanted.get("languages", ())) == 1:
        flat["language"] = languages[0]
    if keywords := wanted.get("keywords"):
        flat["prompt"] = ", ".join(keywords)
    return flat


def voice_name(voice: Any) -> Any:
    """A custom voice is an object with an id in GA; in the other dialects every voice is a string."""
    return voice["id"] if isinstance(voice, Mapping) else voice


def dialect_of(session: JsonObject) -> Dialect | None:
    """Which dialect the session of a ``session.created`` is in; None when it does not show.

    An explicit null shows nothing: some servers fill every field that any dialect has.
    """
    shown = {name for name, value in session.items() if value is not None}
    if "type" in shown:
        return Dialect.GA
    if "audio" in shown:
        return Dialect.XAI if shown & {"voice", "turn_detection"} else Dialect.GA
    return Dialect.BETA if shown & {"modalities", "input_audio_format"} else None


def _append_message(audio: str) -> str:
    return f'{{"type":"input_audio_buffer.append","audio":"{audio}"}}'


def _to_beta(body: dict[str, Any]) -> None:
    """Translate an event in place."""
    if body["type"] == "session.update" and body["session"].get("type") == "transcription":
        body["type"] = "transcription_session.update"
        body["session"] = {key: value for key, value in body["session"].items() if key != "type"}
    if "item" in body:
        body["item"] = _with_content(body["item"], BETA_CONTENT)
    if "response" in body:
        response = to_beta(body["response"])
        if "input" in response:
            response["input"] = [_with_content(item, BETA_CONTENT) for item in response["input"]]
        body["response"] = response


def _ga_item(item: Any) -> Any:
    """An item with the assistant's content types in GA spelling; some GA servers spell them the beta's way as well."""
    return _with_content(item, GA_CONTENT) if isinstance(item, dict) and item.get("role") == "assistant" else item


def _ga_response(response: dict[str, Any]) -> dict[str, Any]:
    response = dict(response)
    if "modalities" in response:
        named = response.pop("modalities")
        response["output_modalities"] = ["audio"] if isinstance(named, list) and "audio" in named else ["text"]
    if isinstance(response.get("output"), list):
        response["output"] = [_ga_item(item) for item in response["output"]]
    return response


def _with_content(item: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    content = item.get("content")
    if not isinstance(content, list):
        return item
    parts = [
        {**part, "type": names.get(str(part.get("type")), part.get("type"))} if isinstance(part, dict) else part
        for part in content
    ]
    return {**item, "content": parts}


def _vllm() -> NotAnEvent:
    """https://github.com/vllm-project/vllm, entrypoints/openai/realtime/protocol.py."""
    return NotAnEvent(
        "the server speaks vLLM's own protocol for transcriptions, which is not the Realtime protocol",
        "reach it with a client made for it, or use another server (vLLM-Omni has conversations)",
    )


def _not_an_event(what: str) -> NotAnEvent:
    return NotAnEvent(
        f"the server sent something that is not an event of the Realtime protocol ({what})",
        "check --base-url: is this a Realtime endpoint?",
    )
