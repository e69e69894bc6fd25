"""The protocol's voices: all are spoken by one voice of each engine, higher or lower. No engine is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PITCH: Mapping[str, float] = MappingProxyType(
    {
        "marin": 1.0,
        "cedar": 0.65,
        "alloy": 0.88,
        "ash": 0.7,
        "ballad": 0.76,
        "coral": 1.14,
        "echo": 0.6,
        "sage": 1.07,
        "shimmer": 1.3,
        "verse": 0.82,
    }
)
"""OpenAI's voice names (https://platform.openai.com/docs/guides/realtime-conversations), as factors of the pitch."""

VOICES = tuple(PITCH)
"""The first is the default."""


def pitch(voice: str) -> float:
    """The factor for a voice; an unknown one is the default."""
    return PITCH.get(voice, PITCH[VOICES[0]])
