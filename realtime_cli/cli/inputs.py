"""Who sits at the terminal, and what their keys do: the inputs of a chat and of a typed conversation."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from realtime_cli.cli.slash_commands import session_commands
from realtime_cli.controls import Controls
from realtime_cli.conversation import facts as f
from realtime_cli.ports import Input
from realtime_cli.printable import printable
from realtime_cli.settings.folders import data_folder
from realtime_cli.settings.settings import Environment, Settings
from realtime_cli.terminal.json_commands import json_commands
from realtime_cli.terminal.keys import talk_key_named
from realtime_cli.terminal.slash_commands import SlashCommand
from realtime_cli.terminal.typed_turns import MuteSwitch, typed_turns
from realtime_cli.view.choose import is_live

HISTORY_FILE = "typed.jsonl"
"""What was typed, beside the saved conversations."""

HOW_TO_TYPE = "write a message and press Enter; /help lists commands, Ctrl-D ends"
"""Said where no line of keys is on the screen."""


class Inputs(NamedTuple):
    """What is typed, for :class:`realtime_cli.cli.wiring.UserSide`."""

    inputs: tuple[Input, ...]
    controls: Callable[[], Controls] = Controls
    hints: tuple[str, ...] = ()


def has_keyboard(settings: Settings) -> bool:
    """Whether standard input is a terminal that is free for keys."""
    return sys.stdin.isatty() and settings.mic != "-"


def chat_inputs(settings: Settings, environment: Environment, commands: tuple[SlashCommand, ...]) -> Inputs:
    """A chat's: single keys under the live view and for push-to-talk, else lines as the terminal edits them.

    ``commands`` are the chat's own. Where standard input is no terminal, a program may drive the chat (``--json``).
    Raises InputError.
    """
    half_duplex = settings.half_duplex and not settings.ptt
    commands = (*session_commands(), *commands)
    if not has_keyboard(settings):
        return Inputs(_json_commands(settings), lambda: Controls(half_duplex=half_duplex))
    drawn = is_live(settings, streaming=False, environ=environment)
    if settings.ptt or drawn:
        return _single_keys(
            Controls(
                push_to_talk=settings.ptt,
                talk_key=talk_key_named(settings.ptt_key),
                talk_limit_s=settings.ptt_max_s,
                muted=settings.mute,
                half_duplex=half_duplex,
            ),
            commands,
            _history_path(settings, environment),
            drawn=drawn,
        )
    mute = MuteSwitch(on=settings.mute).command()
    return Inputs((typed_turns(sys.stdin.buffer, [*commands, mute], at_end=f.Quit()),))


def interactive_inputs(settings: Settings, environment: Environment) -> Inputs:
    """A typed conversation's: a line to edit under the live view, else lines of standard input."""
    if sys.stdin.isatty() and is_live(settings, streaming=False, environ=environment):
        return _single_keys(Controls(listens=False), session_commands(), _history_path(settings, environment))
    hints = (HOW_TO_TYPE,) if sys.stdin.isatty() else ()
    return Inputs((typed_turns(sys.stdin.buffer, session_commands()),), hints=hints)


def _history_path(settings: Settings, environment: Environment) -> Path | None:
    """Where typed lines are kept between conversations, unless the user wants nothing kept."""
    return data_folder(environment) / HISTORY_FILE if settings.save else None


def _single_keys(
    controls: Controls, commands: tuple[SlashCommand, ...], history_path: Path | None, *, drawn: bool = True
) -> Inputs:
    """``drawn``: a view draws the line that is typed."""
    from realtime_cli.terminal.chat_keyboard import ChatKeyboard  # wcwidth: only where there is a keyboard

    echo = None if drawn or not sys.stderr.isatty() else _write_echo
    keys = ChatKeyboard(controls, commands=commands, history_path=history_path, echo=echo)
    return Inputs((keys,), lambda: keys.controls)


def _write_echo(before: Controls, after: Controls) -> None:
    from realtime_cli.view.typed_echo import typed_echo  # wcwidth

    if text := typed_echo(before, after):
        sys.stderr.write(printable(text, sys.stderr))
        sys.stderr.flush()


def _json_commands(settings: Settings) -> tuple[Input, ...]:
    """What drives the chat in the keyboard's place: commands on standard input, for a program that reads ``--json``."""
    if not settings.json or settings.mic == "-":
        return ()
    return (json_commands(sys.stdin.buffer),)
