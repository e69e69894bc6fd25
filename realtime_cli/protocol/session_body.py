"""The bodies of ``session.update``: what the user asked for and what the program needs, and nothing else.

Field by field after https://platform.openai.com/docs/api-reference/realtime-client-events/session/update. What is left
out keeps the server's default; an explicit null clears.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec.structs import replace

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.errors import InputError
from realtime_cli.protocol.dialects import BETA_INPUT, Dialect, to_beta, voice_name
from realtime_cli.protocol.session_options import (
    NoiseReduction,
    RetentionRatio,
    SessionOptions,
    Truncation,
    custom_voice,
)


class MakeBody(Protocol):
    """Makes the body of a session: :func:`session_update` or :func:`transcription_session`."""

    def __call__(self, options: SessionOptions, dialect: Dialect) -> dict[str, Any]:
        """Make it. Raises InputError."""


PCM: Mapping[str, Any] = {"type": "audio/pcm", "rate": RATE_HZ}

MODELS_WITHOUT_VAD = frozenset({"gpt-live-transcribe", "gpt-realtime-whisper"})
"""Transcription models that refuse voice detection: they transcribe as the audio comes.

https://platform.openai.com/docs/guides/realtime-transcription
"""

MODELS_WITH_KEYWORDS = frozenset({"gpt-transcribe", "gpt-live-transcribe", "local"})
MODELS_WITH_LANGUAGES = frozenset({"gpt-transcribe", "gpt-live-transcribe"})
"""They take ``languages`` and no ``language``; all others take one ``language``. Never both.

https://developers.openai.com/cookbook, "Migrating from Whisper to gpt-transcribe"
"""

NOT_IN_KEYWORDS = "<>\r\n"
"""A keyword with one of these makes the service refuse the whole update (same page)."""

MODELS_WITHOUT_HINTS = frozenset({"gpt-realtime-whisper", "gpt-4o-transcribe-diarize"})
"""Which hints transcription models take, from the descriptions of the fields in OpenAI's SDK
(``openai.types.realtime.AudioTranscription``)."""

_GROUPS = frozenset({"audio", "audio.input", "audio.output"})

_NOISE_REDUCTION: dict[NoiseReduction, dict[str, str] | None] = {
    "near": {"type": "near_field"},
    "far": {"type": "far_field"},
    "off": None,
}


def session_update(options: SessionOptions, dialect: Dialect) -> dict[str, Any]:
    """The session of a conversation, in the dialect's shape."""
    body = _conversation(options)
    if dialect is Dialect.BETA:
        del body["type"]
        return to_beta(body)
    return _to_xai(body) if dialect is Dialect.XAI else body


def transcription_session(options: SessionOptions, dialect: Dialect) -> dict[str, Any]:
    """The session of a transcription. Raises InputError without a transcription model.

    ``type`` is there in the beta's body as well: it tells the translation to name the event
    ``transcription_session.update``, and goes no further.
    """
    if options.transcription_model is None:
        raise InputError("there is nothing to transcribe with", "name a model with --transcription-model")
    audio_input = _audio_input(options)
    if options.transcription_model in MODELS_WITHOUT_VAD:
        audio_input["turn_detection"] = None
    elif audio_input["turn_detection"] is not None:
        for answering in ("create_response", "interrupt_response", "idle_timeout_ms"):
            audio_input["turn_detection"].pop(answering, None)
    body: dict[str, Any] = {"type": "transcription", "audio": {"input": audio_input}}
    return to_beta(body) if dialect is Dialect.BETA else body


def left_out(
    options: SessionOptions, in_full: Callable[[SessionOptions], object], sent: Callable[[SessionOptions], object]
) -> tuple[str, ...]:
    """Names of the options that are asked for, and are in the body made by ``in_full`` but not in what is ``sent``."""
    return tuple(
        name
        for name in SessionOptions.__struct_fields__
        if (without := _without(options, name)) is not options
        and _differ(in_full, options, without)
        and not _differ(sent, options, without)
    )


def _without(options: SessionOptions, name: str) -> SessionOptions:
    """The options with one of them as if nobody had asked for it; the same ones where nobody has."""
    default = getattr(SessionOptions(), name)
    return options if getattr(options, name) == default else replace(options, **{name: default})


def _differ(make: Callable[[SessionOptions], object], one: SessionOptions, other: SessionOptions) -> bool:
    """Whether two bodies are told from each other."""
    try:
        return make(one) != make(other)
    except InputError:
        # Without it there is no session at all.
        return True


def without_nulls(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body for servers that take no explicit null."""
    return {
        name: without_nulls(value) if isinstance(value, Mapping) else value
        for name, value in body.items()
        if value is not None
    }


def settings_of(body: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The settings in a body by their paths, such as ``audio.input.turn_detection``."""
    flat: dict[str, Any] = {}
    for name, value in body.items():
        path = above + name
        flat |= settings_of(value, f"{path}.") if path in _GROUPS and isinstance(value, Mapping) else {path: value}
    return flat


def body_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The body that has these settings."""
    body: dict[str, Any] = {}
    for path, value in settings.items():
        *groups, name = path.split(".")
        holder = body
        for group in groups:
            holder = holder.setdefault(group, {})
        holder[name] = value
    return body


def without_optional(settings: Mapping[str, Any], own: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The settings without what nobody asked for: nulls, audio formats, and what ``own`` names."""
    own = own | {"format"} | {BETA_INPUT[name] for name in own if name in BETA_INPUT}
    return {path: value for path, value in settings.items() if value is not None and path.rpartition(".")[2] not in own}


def dialect_of_update(body: Mapping[str, Any]) -> Dialect:
    """The dialect that the body of a ``session.update`` is in."""
    if body.get("type") == "realtime" or {"audio", "type"} <= body.keys():
        return Dialect.GA
    return Dialect.XAI if "audio" in body else Dialect.BETA


def _conversation(options: SessionOptions) -> dict[str, Any]:
    output = {"format": dict(PCM)} | _given(voice=_voice(options), speed=options.speed)
    body: dict[str, Any] = {
        "type": "realtime",
        "output_modalities": ["text"] if options.text_only else ["audio"],
        "audio": {"input": _audio_input(options), "output": output},
    }
    body |= _given(instructions=options.instructions, max_output_tokens=options.max_output_tokens)
    if options.reasoning is not None:
        body["reasoning"] = {"effort": options.reasoning}
    if options.truncation is not None:
        body["truncation"] = _truncation(options.truncation)
    if options.tools:
        body["tools"] = [dict(tool) for tool in options.tools]
    return body


def _voice(options: SessionOptions) -> str | dict[str, str] | None:
    own = custom_voice(options.voice or "")
    return {"id": own} if own else options.voice


def _truncation(wanted: Truncation) -> str | dict[str, Any]:
    if not isinstance(wanted, RetentionRatio):
        return wanted
    limits = {} if wanted.most_tokens is None else {"token_limits": {"post_instructions": wanted.most_tokens}}
    return {"type": "retention_ratio", "retention_ratio": wanted.ratio, **limits}


def _audio_input(options: SessionOptions) -> dict[str, Any]:
    transcription = None
    if options.transcription_model is not None:
        transcription = {"model": options.transcription_model} | _languages(options) | _hints(options)
    audio_input: dict[str, Any] = {
        "format": dict(PCM),
        "transcription": transcription,
        "turn_detection": _turn_detection(options),
    }
    if options.noise_reduction is not None:
        audio_input["noise_reduction"] = _NOISE_REDUCTION[options.noise_reduction]
    return audio_input


def _languages(options: SessionOptions) -> dict[str, Any]:
    if not options.languages:
        return {}
    if options.transcription_model in MODELS_WITH_LANGUAGES:
        return {"languages": list(options.languages)}
    if len(options.languages) > 1:
        newer = " or ".join(sorted(MODELS_WITH_LANGUAGES))
        raise InputError(
            f"{options.transcription_model} takes one language", f"name one, or use --transcription-model {newer}"
        )
    return {"language": options.languages[0]}


def _hints(options: SessionOptions) -> dict[str, Any]:
    """Keywords where the model takes them; older ones read them as a prompt, and one takes neither."""
    if not options.keywords:
        return {}
    if options.transcription_model in MODELS_WITHOUT_HINTS:
        raise InputError(f"{options.transcription_model} takes no keywords", "leave out --keywords")
    if options.transcription_model in MODELS_WITH_KEYWORDS:
        _check_keywords(options.keywords)
        return {"keywords": list(options.keywords)}
    return {"prompt": ", ".join(options.keywords)}


def _check_keywords(keywords: tuple[str, ...]) -> None:
    for word in keywords:
        if any(character in NOT_IN_KEYWORDS for character in word):
            raise InputError(f"--keywords: {word!r} has <, > or a line break in it", "leave that out of the word")


def _turn_detection(options: SessionOptions) -> dict[str, Any] | None:
    if options.vad == "off":
        return None
    answering = _given(create_response=options.create_response, interrupt_response=options.interrupt_response)
    if options.vad == "semantic":
        if options.idle_timeout_ms is not None:
            raise InputError("--idle-timeout-ms needs --vad server", "semantic detection has no such limit")
        return {"type": "semantic_vad"} | _given(eagerness=options.eagerness) | answering
    tuning = _given(
        threshold=options.vad_threshold,
        prefix_padding_ms=options.prefix_padding_ms,
        silence_duration_ms=options.silence_ms,
        idle_timeout_ms=options.idle_timeout_ms,
    )
    return {"type": "server_vad"} | tuning | answering


def _to_xai(body: dict[str, Any]) -> dict[str, Any]:
    """The mixed session of xAI: formats nested, the rest at the top; it always transcribes, with a model of its own.

    https://docs.x.ai/docs/guides/voice/agent
    """
    audio = body["audio"]
    session: dict[str, Any] = {key: body[key] for key in ("instructions", "tools") if key in body}
    if "voice" in audio["output"]:
        session["voice"] = voice_name(audio["output"]["voice"])
    session["turn_detection"] = audio["input"]["turn_detection"]
    session["audio"] = {"input": {"format": dict(PCM)}, "output": {"format": dict(PCM)}}
    if body["output_modalities"] == ["text"]:
        session["modalities"] = ["text"]
    return session


def _given(**fields: Any) -> dict[str, Any]:
    """The fields that are set."""
    return {name: value for name, value in fields.items() if value is not None}
