"""``realtime-cli chat``: a voice conversation."""

from __future__ import annotations

import sys
from functools import partial

import typer

from realtime_cli.cli.options import command
from realtime_cli.config import AUDIO, SERVER, SESSION, VIEW, Environment, Settings
from realtime_cli.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, SERVER, SESSION, AUDIO, VIEW)
    def chat(settings: Settings, environment: Environment) -> int:
        """Talk: microphone and speaker, until Ctrl-C, /quit, or the end of a file microphone."""
        check_usage(settings)
        from realtime_cli.audio.choose import open_sink, open_source  # --help must not load it
        from realtime_cli.cli.wiring import hold

        hold_chat = partial(
            hold,
            settings,
            environment,
            "voice",
            make_source=lambda session: open_source(settings.mic, session.note),
            make_sink=lambda session: open_sink(settings.speaker, session.note, source=settings.mic),
            plays=not settings.text_only,
        )
        if not _has_keyboard(settings):
            return hold_chat()
        from realtime_cli.terminal.talking import TalkKeys  # only where there is a keyboard

        keys = TalkKeys(push_to_talk=settings.ptt)
        return hold_chat(inputs=(keys,), controls=lambda: keys.controls)


def check_usage(settings: Settings) -> None:
    """Raise InputError for settings that no chat can be held with."""
    if settings.ptt and not _has_keyboard(settings):
        raise InputError("--ptt needs a keyboard, and stdin is no terminal", "run it in a terminal")
    if settings.vad == "off" and not settings.ptt:
        raise InputError("--vad off leaves nobody to end your turns", "add --ptt")


def _has_keyboard(settings: Settings) -> bool:
    return sys.stdin.isatty() and settings.mic != "-"
