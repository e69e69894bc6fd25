"""``realtime-cli chat``: a voice conversation."""

from __future__ import annotations

import sys
from functools import partial

from msgspec.structs import replace

from realtime_cli.audio.drivers.choose import open_sink, open_source
from realtime_cli.cli.wiring import hold
from realtime_cli.controls import Controls
from realtime_cli.conversation.facts import Muted
from realtime_cli.errors import InputError
from realtime_cli.ports import Input
from realtime_cli.session.echo_control import choose_echo_control
from realtime_cli.settings.settings import Environment, Settings
from realtime_cli.terminal.chat_keys import TalkKeys
from realtime_cli.terminal.commands import json_commands
from realtime_cli.terminal.keys import talk_key_named


def run(settings: Settings, environment: Environment) -> int:
    """Talk to the end. Raises InputError for settings that exclude each other, and errors of the configuration."""
    check_usage(settings)
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
    talk_key_named(settings.ptt_key)
    if settings.vad == "off" and not settings.ptt:
        raise InputError("--vad off leaves nobody to end your turns", "add --ptt")


def _has_keyboard(settings: Settings) -> bool:
    return sys.stdin.isatty() and settings.mic != "-"


def _commands(settings: Settings) -> tuple[Input, ...]:
    """What drives the chat in the keyboard's place: commands on standard input, for a program that reads ``--json``."""
    if not settings.json or settings.mic == "-":
        return ()
    return (json_commands(sys.stdin.buffer),)
