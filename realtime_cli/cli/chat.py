"""``realtime-cli chat``: a voice conversation."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import typer
from msgspec.structs import replace

from realtime_cli.cli.options import command
from realtime_cli.controls import Controls
from realtime_cli.errors import InputError
from realtime_cli.settings.settings import AUDIO, SERVER, SESSION, TOOLS, VIEW, Environment, Settings

if TYPE_CHECKING:
    from realtime_cli.ports import Input


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, SERVER, SESSION, TOOLS, AUDIO, VIEW)
    def chat(settings: Settings, environment: Environment) -> int:
        """Talk: microphone and speaker, until Ctrl-C, /quit, or the end of a file microphone."""
        check_usage(settings)
        from realtime_cli.audio.drivers.choose import open_sink, open_source  # --help must not load it
        from realtime_cli.cli.wiring import hold
        from realtime_cli.conversation.facts import Muted
        from realtime_cli.session.echo_control import choose_echo_control
        from realtime_cli.terminal.keys import talk_key_named

        hold_chat = partial(
            hold,
            settings,
            environment,
            "voice",
            make_source=lambda note: open_source(settings.mic, note, on_demand=settings.ptt),
            make_sink=lambda note, _pending: open_sink(settings.speaker, note, source=settings.mic),
            make_echo_control=partial(choose_echo_control, settings),
            plays=not settings.text_only,
            facts=(Muted(on=True),) if settings.mute else (),
        )
        half_duplex = settings.half_duplex and not settings.ptt
        if not _has_keyboard(settings):
            return hold_chat(inputs=_commands(settings), controls=lambda: Controls(half_duplex=half_duplex))
        from realtime_cli.terminal.chat_keys import TalkKeys  # only where there is a keyboard

        keys = TalkKeys(
            push_to_talk=settings.ptt,
            talk_key=talk_key_named(settings.ptt_key),
            talk_limit_s=settings.ptt_max_s,
            muted=settings.mute,
        )
        return hold_chat(inputs=(keys,), controls=lambda: replace(keys.controls, half_duplex=half_duplex))


def check_usage(settings: Settings) -> None:
    """Raise InputError for settings that no chat can be held with."""
    if settings.ptt and not _has_keyboard(settings):
        raise InputError("--ptt needs a keyboard, and stdin is no terminal", "run it in a terminal")
    if settings.ptt and settings.mute:
        raise InputError("--ptt and --mute exclude each other", "with --ptt the microphone is closed until you press")
    from realtime_cli.terminal.keys import talk_key_named  # --help must not load it

    talk_key_named(settings.ptt_key)
    if settings.vad == "off" and not settings.ptt:
        raise InputError("--vad off leaves nobody to end your turns", "add --ptt")


def _has_keyboard(settings: Settings) -> bool:
    return sys.stdin.isatty() and settings.mic != "-"


def _commands(settings: Settings) -> tuple[Input, ...]:
    """What drives the chat in the keyboard's place: commands on standard input, for a program that reads ``--json``."""
    if not settings.json or settings.mic == "-":
        return ()
    from realtime_cli.terminal.commands import json_commands  # for programs only

    return (json_commands(sys.stdin.buffer),)
