"""``realtime-cli chat``: a voice conversation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import typer

from realtime_cli.cli.options import command
from realtime_cli.errors import InputError
from realtime_cli.settings.settings import AUDIO, SERVER, SESSION, TOOLS, VIEW, Environment, Settings

if TYPE_CHECKING:
    pass


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, SERVER, SESSION, TOOLS, AUDIO, VIEW)
    def chat(settings: Settings, environment: Environment) -> int:
        """Talk: microphone and speaker, until Ctrl-C, /quit, or the end of a file microphone."""
        check_usage(settings)
        from realtime_cli.audio.drivers.choose import open_sink, open_source  # --help must not load it
        from realtime_cli.cli.inputs import chat_inputs
        from realtime_cli.cli.wiring import hold
        from realtime_cli.conversation.facts import Muted
        from realtime_cli.session.echo_control import choose_echo_control

        typed = chat_inputs(settings, environment)
        return hold(
            settings,
            environment,
            "voice",
            make_source=lambda note: open_source(settings.mic, note, on_demand=settings.ptt),
            make_sink=lambda note, _pending: open_sink(settings.speaker, note, source=settings.mic),
            make_echo_control=partial(choose_echo_control, settings),
            plays=not settings.text_only,
            facts=(Muted(on=True),) if settings.mute else (),
            inputs=typed.inputs,
            controls=typed.controls,
        )


def check_usage(settings: Settings) -> None:
    """Raise InputError for settings that no chat can be held with."""
    from realtime_cli.cli.inputs import has_keyboard  # --help must not load it
    from realtime_cli.terminal.keys import talk_key_named

    if settings.ptt and not has_keyboard(settings):
        raise InputError("--ptt needs a keyboard, and stdin is no terminal", "run it in a terminal")
    if settings.ptt and settings.mute:
        raise InputError("--ptt and --mute exclude each other", "with --ptt the microphone is closed until you press")
    talk_key_named(settings.ptt_key)
    if settings.vad == "off" and not settings.ptt:
        raise InputError("--vad off leaves nobody to end your turns", "add --ptt")
