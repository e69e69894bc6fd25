"""``realtime-cli chat``: a voice conversation."""

from __future__ import annotations

import sys

import typer

from realtime_cli.cli.options import command
from realtime_cli.config import AUDIO, SERVER, SESSION, VIEW, Environment, Settings
from realtime_cli.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, SERVER, SESSION, AUDIO, VIEW)
    def chat(settings: Settings, environment: Environment) -> int:
        """Talk: microphone and speaker, until Ctrl-C, /quit, or the end of a file microphone."""
        has_keyboard = sys.stdin.isatty() and settings.mic != "-"
        if settings.ptt and not has_keyboard:
            raise InputError("--ptt needs a keyboard, and stdin is no terminal", "run it in a terminal")
        if settings.vad == "off" and not settings.ptt:
            raise InputError("--vad off leaves nobody to end your turns", "add --ptt")
        from realtime_cli.audio.choose import open_sink, open_source  # --help must not load it
        from realtime_cli.cli.wiring import hold

        source, sink = open_source(settings.mic), open_sink(settings.speaker)
        if not has_keyboard:
            return hold(settings, environment, "voice", source=source, sink=sink)
        from realtime_cli.terminal.talking import TalkKeys  # only where there is a keyboard

        keys = TalkKeys(push_to_talk=settings.ptt)
        return hold(
            settings, environment, "voice", source=source, sink=sink, inputs=(keys,), controls=lambda: keys.controls
        )
