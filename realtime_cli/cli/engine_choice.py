"""The engines of the embedded server, as the settings and the environment have them."""

from __future__ import annotations

import locale

from realtime_cli.server.engines.choice import EngineChoice, Wishes, choose_engines
from realtime_cli.server.engines.neighbours import find_neighbours
from realtime_cli.settings.settings import Environment, Settings


def engines_of(settings: Settings, environment: Environment, *, replies: bool = True) -> EngineChoice:
    """What the embedded server is to have; without ``replies`` for transcripts alone.

    Raises InputError and ConfigError.
    """
    wishes = Wishes(
        lm=settings.lm if replies else None,
        lm_model=settings.lm_model if replies else None,
        stt=settings.stt,
        stt_model=settings.stt_model,
        tts=settings.tts if replies else None,
        tts_model=settings.tts_model,
        language=settings.language,
        locale=locale.getlocale()[0] or "",
        hears_meaning=settings.vad == "semantic",
        replies=replies,
    )
    return choose_engines(wishes, environment)


def better_models(choice: EngineChoice) -> list[str]:
    """What to tell a user of the embedded model who has better ones. Blocks for 0.1 s at most, usually 1 ms."""
    if choice.lm is not None:
        return []
    return [one.line for one in find_neighbours()]
