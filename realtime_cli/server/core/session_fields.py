"""The fields of sessions and of ``response.create``, and what may stand in each.

After https://platform.openai.com/docs/api-reference/realtime-client-events/session/update and the types of the official
SDK; where today's clients send more than these say, it is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from realtime_cli.server.core.checks import (
    Check,
    Fields,
    anything,
    boolean,
    decimal,
    integer,
    invalid,
    list_of,
    map_of,
    mapping,
    missing,
    nullable,
    one_of,
    record,
    string,
    text_or_record,
)

SessionType: TypeAlias = Literal["realtime", "transcription"]

UNLIMITED_TOKENS = 4096
"""What ``"inf"`` tokens come to: the schema's longest reply."""

METADATA_PAIRS, METADATA_KEY, METADATA_VALUE = 16, 64, 512
"""The documented bounds of ``metadata``."""


def modalities(value: Any, path: str) -> list[str]:
    """``["audio"]`` or ``["text"]``; audio always brings its transcript, so both together are refused."""
    if value not in (["audio"], ["text"]):
        raise invalid(path, f"{value!r:.80}. Supported combinations are: ['audio'] and ['text'].")
    return list(value)


def output_tokens(value: Any, path: str) -> int | str:
    """A number of tokens, or ``"inf"``. The schema says at most 4096, the cards of models 32,000: any is taken."""
    return "inf" if value == "inf" else int(integer(1)(value, path))


def metadata(value: Any, path: str) -> dict[str, str]:
    """Up to sixteen short strings by name."""
    pairs: dict[str, str] = map_of(string)(value, path)
    if len(pairs) > METADATA_PAIRS:
        raise invalid(path, f"at most {METADATA_PAIRS} pairs.")
    for key, text in pairs.items():
        if len(key) > METADATA_KEY or len(text) > METADATA_VALUE:
            raise invalid(f"{path}.{key}", f"keys up to {METADATA_KEY}, values up to {METADATA_VALUE} characters.")
    return pairs


def audio_format(value: Any, path: str) -> dict[str, Any]:
    """``{"type": "audio/pcm", "rate": 24000}``, ``{"type": "audio/pcmu"}`` or ``{"type": "audio/pcma"}``."""
    kind = record({"type": one_of("audio/pcm", "audio/pcmu", "audio/pcma"), "rate": anything}, ("type",))(value, path)
    if kind["type"] != "audio/pcm":
        return {"type": kind["type"]}
    if kind.get("rate", 24000) != 24000:
        raise invalid(f"{path}.rate", "the only rate of audio/pcm is 24000.")
    return {"type": "audio/pcm", "rate": 24000}


_FUNCTION: Check = record(
    {
        "type": string,
        "name": string,
        "description": nullable(string),
        "parameters": nullable(mapping),
        # Chat completions have it, and so clients that are used to them send it.
        "strict": nullable(boolean),
    },
    ("name",),
)
_TOOL_NAMES: Check = record({"tool_names": list_of(string), "read_only": boolean})
_MCP: Check = record(
    {
        "type": string,
        "server_label": string,
        "server_url": nullable(string),
        "connector_id": nullable(string),
        "tunnel_id": nullable(string),
        "server_description": nullable(string),
        "authorization": nullable(string),
        "headers": nullable(map_of(string)),
        "allowed_tools": lambda value, path: (
            list_of(string)(value, path) if isinstance(value, list) else nullable(_TOOL_NAMES)(value, path)
        ),
        "allowed_callers": nullable(list_of(one_of("direct", "programmatic"))),
        "require_approval": nullable(
            text_or_record(one_of("always", "never"), record({"always": _TOOL_NAMES, "never": _TOOL_NAMES}))
        ),
        "defer_loading": nullable(boolean),
    },
    ("server_label",),
)
_TOOLS: Mapping[str, Check] = {"function": _FUNCTION, "mcp": _MCP}
_CHOICES: Mapping[str, Check] = {
    "function": record({"type": string, "name": string}, ("name",)),
    "mcp": record({"type": string, "server_label": string, "name": nullable(string)}, ("server_label",)),
}


def tool(value: Any, path: str) -> dict[str, Any]:
    """A function, or an MCP server, which this server does not call."""
    kept = _of_kind(_TOOLS, value, path)
    return {name: inner for name, inner in kept.items() if name != "strict"}


def tool_choice(value: Any, path: str) -> Any:
    """``none``, ``auto``, ``required``, or an object that names one tool."""
    if isinstance(value, Mapping):
        return _of_kind(_CHOICES, value, path)
    return one_of("none", "auto", "required")(value, path)


_TURN: Fields = {
    "type": string,
    "create_response": boolean,
    "interrupt_response": boolean,
    # Of the model that detects turns; both agents SDKs pass it on, the schema does not have it.
    "model_version": anything,
}
TURN_FIELDS: Mapping[str, Fields] = {
    "server_vad": {
        **_TURN,
        "threshold": decimal(0.0, 1.0),
        "prefix_padding_ms": integer(0),
        "silence_duration_ms": integer(0),
        "idle_timeout_ms": integer(5000, 30000),
    },
    "semantic_vad": {**_TURN, "eagerness": one_of("low", "medium", "high", "auto")},
}
"""Of each kind of turn detection; an explicit null means the default of each."""

_TRANSCRIPTION: Check = record(
    {
        "model": nullable(string),
        "language": nullable(string),
        "languages": nullable(list_of(string)),
        "keywords": nullable(list_of(string)),
        "prompt": nullable(string),
        "delay": nullable(one_of("minimal", "low", "medium", "high", "xhigh")),
    }
)
_NOISE_REDUCTION: Check = record({"type": one_of("near_field", "far_field"), "strength": decimal(0.0, 100.0)})
_AUDIO_INPUT: Fields = {
    "format": audio_format,
    "noise_reduction": _NOISE_REDUCTION,
    "transcription": _TRANSCRIPTION,
    "turn_detection": anything,
}
_VOICE: Check = text_or_record(string, record({"id": string}, ("id",)))
_AUDIO_OUTPUT: Fields = {"format": audio_format, "voice": _VOICE, "speed": decimal(0.25, 1.5)}
AUDIO_FIELDS: Mapping[str, Mapping[str, Fields]] = {
    "realtime": {"input": _AUDIO_INPUT, "output": _AUDIO_OUTPUT},
    "transcription": {"input": _AUDIO_INPUT},
}
"""By type of session and side; ``turn_detection`` is checked by its own kind."""

_COMMON: Fields = {"type": string, "include": list_of(one_of("item.input_audio_transcription.logprobs"))}
_REPLY_FIELDS: Fields = {
    "instructions": string,
    "output_modalities": modalities,
    "tools": list_of(tool),
    "tool_choice": tool_choice,
    "max_output_tokens": output_tokens,
    "prompt": nullable(
        record({"id": string, "version": nullable(string), "variables": nullable(map_of(string))}, ("id",))
    ),
    "reasoning": nullable(record({"effort": nullable(one_of("minimal", "low", "medium", "high", "xhigh"))})),
    "parallel_tool_calls": boolean,
}
SESSION_FIELDS: Mapping[str, Fields] = {
    "realtime": {
        **_COMMON,
        **_REPLY_FIELDS,
        "model": string,
        "truncation": text_or_record(
            one_of("auto", "disabled"),
            record(
                {
                    "type": one_of("retention_ratio"),
                    "retention_ratio": decimal(0.0, 1.0),
                    "token_limits": nullable(record({"post_instructions": nullable(integer(0))})),
                },
                ("type", "retention_ratio"),
            ),
        ),
        "tracing": text_or_record(
            one_of("auto"),
            record({"workflow_name": nullable(string), "group_id": nullable(string), "metadata": nullable(mapping)}),
        ),
    },
    "transcription": _COMMON,
}
"""By type of session, all but ``audio``."""

RESPONSE_FIELDS: Fields = {
    **_REPLY_FIELDS,
    "conversation": one_of("auto", "none"),
    "input": list_of(mapping),
    "metadata": nullable(metadata),
    "audio": record({"output": record({"format": audio_format, "voice": _VOICE})}),
}
"""What ``response.create`` may override."""


def _of_kind(kinds: Mapping[str, Check], value: Any, path: str) -> dict[str, Any]:
    kind = mapping(value, path).get("type")
    if kind is None:
        raise missing(f"{path}.type")
    kept: dict[str, Any] = kinds[one_of(*kinds)(kind, f"{path}.type")](value, path)
    return kept
