"""``realtime-cli chat``: a voice conversation."""

from __future__ import annotations

from functools import partial

from realtime_cli.audio.drivers.choose import open_sink, open_source
from realtime_cli.cli.inputs import chat_inputs, has_keyboard
from realtime_cli.cli.sound_commands import sound_commands
from realtime_cli.cli.wiring import UserSide, hold_conversation
from realtime_cli.conversation.facts import Muted
from realtime_cli.errors import InputError
from realtime_cli.session.echo_control import choose_echo_control
from realtime_cli.settings.settings import Environment, Settings
from realtime_cli.terminal.keys import talk_key_named


def run(settings: Settings, environment: Environment, *, resume: str | None) -> int:
    """Talk to the end. Raises InputError for settings that exclude each other, and errors of the configuration."""
    check_usage(settings)
    typed = chat_inputs(settings, environment, sound_commands(settings.mic, settings.speaker))
    user = UserSide(
        make_source=lambda note: open_source(settings.mic, note, on_demand=settings.ptt),
        make_sink=lambda note, _pending: open_sink(settings.speaker, note, source=settings.mic),
        other_source=lambda name, note: open_source(name, note, on_demand=settings.ptt),
        other_sink=open_sink,
        make_echo_control=partial(choose_echo_control, settings),
        plays=not settings.text_only,
        inputs=typed.inputs,
        controls=typed.controls,
        facts=(Muted(on=True),) if settings.mute else (),
    )
    return hold_conversation(settings, environment, "voice", user, resume=resume)


def check_usage(settings: Settings) -> None:
    """Raise InputError for settings that no chat can be held with."""

    if settings.ptt and not has_keyboard(settings):
        raise InputError("--ptt needs a keyboard, and stdin is no terminal", "run it in a terminal")
    if settings.ptt and settings.mute:
        raise InputError("--ptt and --mute exclude each other", "with --ptt the microphone is closed until you press")
    talk_key_named(settings.ptt_key)
    if settings.vad == "off" and not settings.ptt:
        raise InputError("--vad off leaves nobody to end your turns", "add --ptt")
