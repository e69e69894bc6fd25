"""What the user may ask of a session, in words that belong to no dialect. ``None`` leaves the choice to the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from realtime_cli.errors import InputError

Vad = Literal["server", "semantic", "off"]
Eagerness = Literal["low", "medium", "high", "auto"]
NoiseReduction = Literal["near", "far", "off"]

VOICE_ID = "id:"
"""Before the id of a voice of the user's own, where the id does not tell by itself."""

_CUSTOM_VOICE = "voice_"
"""How the ids of custom voices begin (https://platform.openai.com/docs/guides/text-to-speech#custom-voices)."""


class RetentionRatio(msgspec.Struct, frozen=True):
    """How much of a talk that has grown too long the server keeps, and from how many tokens on it is too long."""

    ratio: Annotated[float, msgspec.Meta(ge=0, le=1)]
    most_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None


Truncation = Literal["auto", "disabled"] | RetentionRatio


class SessionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a conversation session; the wire's bodies are made of them in ``session_body.py``."""

    model: str | None = None
    instructions: str | None = None
    voice: str | None = None
    speed: float | None = None
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes of what the user speaks; several only for models that take several."""
    max_output_tokens: int | Literal["inf"] | None = None
    vad: Vad = "server"
    vad_threshold: float | None = None
    silence_ms: int | None = None
    prefix_padding_ms: int | None = None
    idle_timeout_ms: int | None = None
    """After so long a silence the server has the model speak."""
    eagerness: Eagerness | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None
    """Whether the server cancels its reply when the user begins to speak."""
    noise_reduction: NoiseReduction | None = None
    transcription_model: str | None = None
    """A transcription model's name, or None for no transcript of the user."""
    keywords: tuple[str, ...] = ()
    """Names and terms that the user's words may hold."""
    reasoning: str | None = None
    truncation: Truncation | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    text_only: bool = False
    """No audio back."""


def flag_of(name: str) -> str:
    """The flag by which an option is asked for."""
    return "--language" if name == "languages" else f"--{name.replace('_', '-')}"


def words_of(listed: str | None) -> tuple[str, ...]:
    """The entries of a list with commas between."""
    return tuple(word.strip() for word in (listed or "").split(",") if word.strip())


def languages_of(listed: str | None) -> tuple[str, ...]:
    """The languages of ``de,en``. Raises InputError for what is no language code."""
    codes = words_of(listed)
    for code in codes:
        if not (code.isascii() and code.replace("-", "").isalnum()):
            raise InputError(f"--language: {code!r} is no language code", "write codes like en, or de,en for several")
    return codes


def truncation_of(said: str | None) -> Truncation | None:
    """What ``auto``, ``disabled``, ``0.8`` or ``0.8,20000`` means. Raises InputError."""
    if said is None:
        return None
    if said == "auto":
        return "auto"
    if said == "disabled":
        return "disabled"
    ratio, comma, tokens = said.partition(",")
    try:
        wanted = {"ratio": float(ratio), "most_tokens": int(tokens) if comma else None}
        return msgspec.convert(wanted, RetentionRatio)
    except (ValueError, msgspec.ValidationError):
        raise InputError(
            f"--truncation: {said!r} is not usable", "write auto, disabled, a share such as 0.8, or 0.8,TOKENS"
        ) from None


def custom_voice(voice: str) -> str | None:
    """The id of a voice of the user's own, written ``voice_…`` or ``id:…``; None for a built-in voice's name."""
    if voice.startswith(VOICE_ID):
        return voice.removeprefix(VOICE_ID)
    return voice if voice.startswith(_CUSTOM_VOICE) else None
