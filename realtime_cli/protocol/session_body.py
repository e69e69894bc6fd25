"""The bodies of ``session.update``: what the user asked for and what the program needs, and nothing else.

Field by field after https://platform.openai.com/docs/api-reference/realtime-client-events/session/update. What is left
out keeps the server's default; an explicit null clears.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.errors import InputError
from realtime_cli.protocol.dialects import Dialect, to_beta
from realtime_cli.protocol.session_options import NoiseReduction, SessionOptions

PCM: Mapping[str, Any] = {"type": "audio/pcm", "rate": RATE_HZ}

MODELS_WITHOUT_VAD = frozenset({"gpt-live-transcribe", "gpt-realtime-whisper"})
"""Transcription models that refuse voice detection: they transcribe as the audio comes.

https://platform.openai.com/docs/guides/realtime-transcription
"""

MODELS_WITH_KEYWORDS = frozenset({"gpt-transcribe", "gpt-live-transcribe", "local"})
MODELS_WITHOUT_HINTS = frozenset({"gpt-realtime-whisper", "gpt-4o-transcribe-diarize"})
"""Which hints transcription models take, from the descriptions of the fields in OpenAI's SDK
(``openai.types.realtime.AudioTranscription``)."""

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
        audio_input["turn_detection"].pop("create_response", None)
    body: dict[str, Any] = {"type": "transcription", "audio": {"input": audio_input}}
    return to_beta(body) if dialect is Dialect.BETA else body


def _conversation(options: SessionOptions) -> dict[str, Any]:
    output = {"format": dict(PCM)} | _given(voice=options.voice, speed=options.speed)
    body: dict[str, Any] = {
        "type": "realtime",
        "output_modalities": ["text"] if options.text_only else ["audio"],
        "audio": {"input": _audio_input(options), "output": output},
    }
    body |= _given(instructions=options.instructions, max_output_tokens=options.max_output_tokens)
    if options.reasoning is not None:
        body["reasoning"] = {"effort": options.reasoning}
    if options.tools:
        body["tools"] = [dict(tool) for tool in options.tools]
    return body


def _audio_input(options: SessionOptions) -> dict[str, Any]:
    transcription = None
    if options.transcription_model is not None:
        transcription = {"model": options.transcription_model} | _given(language=options.language) | _hints(options)
    audio_input: dict[str, Any] = {
        "format": dict(PCM),
        "transcription": transcription,
        "turn_detection": _turn_detection(options),
    }
    if options.noise_reduction is not None:
        audio_input["noise_reduction"] = _NOISE_REDUCTION[options.noise_reduction]
    return audio_input


def _hints(options: SessionOptions) -> dict[str, Any]:
    """Keywords where the model takes them; older ones read them as a prompt, and one takes neither."""
    if not options.keywords:
        return {}
    if options.transcription_model in MODELS_WITHOUT_HINTS:
        raise InputError(f"{options.transcription_model} takes no keywords", "leave out --keywords")
    if options.transcription_model in MODELS_WITH_KEYWORDS:
        return {"keywords": list(options.keywords)}
    return {"prompt": ", ".join(options.keywords)}


def _turn_detection(options: SessionOptions) -> dict[str, Any] | None:
    if options.vad == "off":
        return None
    create_response = _given(create_response=options.create_response)
    if options.vad == "semantic":
        return {"type": "semantic_vad"} | _given(eagerness=options.eagerness) | create_response
    tuning = _given(
        threshold=options.vad_threshold,
        prefix_padding_ms=options.prefix_padding_ms,
        silence_duration_ms=options.silence_ms,
    )
    return {"type": "server_vad"} | tuning | create_response


def _to_xai(body: dict[str, Any]) -> dict[str, Any]:
    """The mixed session of xAI: formats nested, the rest at the top; it always transcribes, with a model of its own.

    https://docs.x.ai/docs/guides/voice/agent
    """
    audio = body["audio"]
    session: dict[str, Any] = {key: body[key] for key in ("instructions", "tools") if key in body}
    session |= {key: audio["output"][key] for key in ("voice",) if key in audio["output"]}
    session["turn_detection"] = audio["input"]["turn_detection"]
    session["audio"] = {"input": {"format": dict(PCM)}, "output": {"format": dict(PCM)}}
    if body["output_modalities"] == ["text"]:
        session["modalities"] = ["text"]
    return session


def _given(**fields: Any) -> dict[str, Any]:
    """The fields that are set."""
    return {name: value for name, value in fields.items() if value is not None}
