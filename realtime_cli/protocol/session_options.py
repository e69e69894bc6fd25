"""What the user may ask of a session, in words that belong to no dialect. ``None`` leaves the choice to the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Vad = Literal["server", "semantic", "off"]
Eagerness = Literal["low", "medium", "high", "auto"]
NoiseReduction = Literal["near", "far", "off"]


class SessionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a conversation session; the wire's bodies are made of them in ``session_body.py``."""

    model: str | None = None
    instructions: str | None = None
    voice: str | None = None
    speed: float | None = None
    language: str | None = None
    max_output_tokens: int | Literal["inf"] | None = None
    vad: Vad = "server"
    vad_threshold: float | None = None
    silence_ms: int | None = None
    prefix_padding_ms: int | None = None
    eagerness: Eagerness | None = None
    create_response: bool | None = None
    noise_reduction: NoiseReduction | None = None
    transcription_model: str | None = None
    """A transcription model's name, or None for no transcript of the user."""
    keywords: tuple[str, ...] = ()
    """Names and terms that the user's words may hold."""
    reasoning: str | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    text_only: bool = False
    """No audio back."""
