"""The older shape of the protocol, for clients that know no other: translated at the edge, as the client's side does
for older servers (:mod:`realtime_cli.protocol.dialects`), and the other way round.

Names and fields: https://platform.openai.com/docs/guides/realtime#beta-to-ga-migration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime_cli.protocol.codec import from_json, to_json
from realtime_cli.protocol.dialects import BETA_CONTENT, BETA_FIELDS, BETA_INPUT, GA_CONTENT, GA_NAMES

_BETA_NAMES: Mapping[str, str] = {ga: beta for beta, ga in GA_NAMES.items() if not ga.startswith("session.")} | {
    "conversation.item.added": "conversation.item.created"
}
_UNKNOWN = frozenset({"conversation.item.done", "input_audio_buffer.timeout_triggered"})
"""Events that the beta does not have, and that its clients can do without."""

_GA_FIELDS: Mapping[str, str] = {beta: ga for ga, beta in BETA_FIELDS.items()}
_GA_INPUT: Mapping[str, str] = {beta: ga for ga, beta in BETA_INPUT.items()}
_FORMATS: Mapping[str, Mapping[str, Any]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_BETA_FORMATS: Mapping[str, str] = {str(ga["type"]): beta for beta, ga in _FORMATS.items()}
_SESSION_SHARED = ("id", "object", "expires_at", "model", "instructions", "tools", "tool_choice", "tracing", "include")
_TEMPERATURE = 0.8
"""The beta's default; nothing here has one."""


def ga_from_client(text: str) -> str:
    """A beta client's message in GA shape. What is no event is handed on as it is, to be refused."""
    try:
        body = dict(from_json(text))
    except (ValueError, RecursionError):
        return text
    kind = body.get("type")
    if kind in ("session.update", "transcription_session.update") and isinstance(body.get("session"), dict):
        session = _ga_body(body["session"])
        session["type"] = "transcription" if kind == "transcription_session.update" else "realtime"
        body |= {"type": "session.update", "session": session}
    elif kind == "response.create" and isinstance(body.get("response"), dict):
        response = _ga_body(body["response"])
        if isinstance(response.get("input"), list):
            response["input"] = [_with_content(item, GA_CONTENT) for item in response["input"]]
        body["response"] = response
    elif kind == "conversation.item.create":
        body["item"] = _with_content(body.get("item"), GA_CONTENT)
    return to_json(body)


def beta_from_server(text: str) -> tuple[str, ...]:
    """A GA event as a beta client knows it; nothing where it does not."""
    body = dict(from_json(text))
    kind = str(body["type"])
    if kind in _UNKNOWN:
        return ()
    body["type"] = _BETA_NAMES.get(kind, kind)
    if kind in ("session.created", "session.updated"):
        if body["session"]["type"] == "transcription":
            body["type"] = f"transcription_{kind}"
        body["session"] = _beta_session(body["session"])
    elif kind == "response.function_call_arguments.done":
        body.pop("name", None)
    if "item" in body:
        body["item"] = _with_content(body["item"], BETA_CONTENT)
    if "response" in body:
        body["response"] = _beta_response(body["response"])
    return (to_json(body),)


def _ga_body(flat: Mapping[str, Any]) -> dict[str, Any]:
    """A GA body of a session or a response for a flat one; a field that neither has stays, to be refused."""
    body: dict[str, Any] = {}
    audio_input: dict[str, Any] = {}
    audio_output: dict[str, Any] = {}
    for name, value in flat.items():
        if name == "temperature":
            continue
        if name == "modalities":
            body["output_modalities"] = ["audio"] if isinstance(value, list) and "audio" in value else ["text"]
        elif name in _GA_INPUT:
            audio_input[_GA_INPUT[name]] = value
        elif name == "input_audio_format":
            audio_input["format"] = _FORMATS.get(str(value), value)
        elif name == "output_audio_format":
            audio_output["format"] = _FORMATS.get(str(value), value)
        elif name in ("voice", "speed"):
            audio_output[name] = value
        else:
            body[_GA_FIELDS.get(name, name)] = value
    sides = {"input": audio_input, "output": audio_output}
    if audio := {side: fields for side, fields in sides.items() if fields}:
        body["audio"] = audio
    return body


def _beta_session(session: Mapping[str, Any]) -> dict[str, Any]:
    audio_input = session["audio"]["input"]
    flat = {name: session[name] for name in _SESSION_SHARED if session.get(name) is not None}
    flat |= {beta: audio_input[ga] for ga, beta in BETA_INPUT.items()}
    if flat["turn_detection"] is not None:
        flat["turn_detection"] = {
            name: value for name, value in flat["turn_detection"].items() if name != "idle_timeout_ms"
        }
    flat["input_audio_format"] = _BETA_FORMATS[audio_input["format"]["type"]]
    if session["type"] == "transcription":
        return flat
    output = session["audio"]["output"]
    return flat | {
        "modalities": _modalities(session["output_modalities"]),
        "max_response_output_tokens": session["max_output_tokens"],
        "output_audio_format": _BETA_FORMATS[output["format"]["type"]],
        "voice": output["voice"],
        "speed": output["speed"],
        "temperature": _TEMPERATURE,
    }


def _beta_response(response: Mapping[str, Any]) -> dict[str, Any]:
    flat = {name: value for name, value in response.items() if name not in ("audio", "output_modalities")}
    flat["output"] = [_with_content(item, BETA_CONTENT) for item in response.get("output", ())]
    flat["modalities"] = _modalities(response["output_modalities"])
    flat["temperature"] = _TEMPERATURE
    output = (response.get("audio") or {}).get("output")
    if output:
        flat |= {"voice": output["voice"], "output_audio_format": _BETA_FORMATS[output["format"]["type"]]}
    return flat


def _modalities(modalities: list[str]) -> list[str]:
    return ["text", "audio"] if modalities == ["audio"] else ["text"]


def _with_content(item: Any, names: Mapping[str, str]) -> Any:
    """An item with its assistant's content named otherwise."""
    if not isinstance(item, dict) or item.get("role") != "assistant" or not isinstance(item.get("content"), list):
        return item
    parts = [
        {**part, "type": names.get(str(part.get("type")), part.get("type"))} if isinstance(part, dict) else part
        for part in item["content"]
    ]
    return {**item, "content": parts}
