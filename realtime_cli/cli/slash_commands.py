"""The slash commands of a chat, beside those that any conversation has: devices, and what can change while it lasts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

from realtime_cli.audio.drivers.choose import is_device
from realtime_cli.audio.drivers.devices import WHAT, Direction, list_devices
from realtime_cli.conversation import facts as f
from realtime_cli.errors import AudioError, InputError
from realtime_cli.settings.sources import read_text
from realtime_cli.terminal.slash_commands import SlashCommand

Detection = Literal["server", "semantic"]
"""What can find the user's turns in mid-conversation; "off" would leave nobody to."""

VOICES = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse")
"""For completion only (https://platform.openai.com/docs/guides/realtime-conversations#voice-options)."""


def session_commands() -> tuple[SlashCommand, ...]:
    """What changes the conversation."""
    return (
        SlashCommand(
            name="/instructions", argument="TEXT|@FILE", help="tell the model how to behave from now on", run=_instruct
        ),
        SlashCommand(
            name="/voice",
            argument="NAME",
            help="another voice, if the model has not spoken yet",
            run=lambda name: [f.Reconfigured(voice=_given(name, "/voice", "NAME"))],
            values=lambda _begun: VOICES,
        ),
        SlashCommand(name="/usage", help="what was used and what it cost so far", run=lambda _rest: [f.UsageAsked()]),
        SlashCommand(
            name="/budget", argument="USD", help="end politely when it has cost so many US dollars", run=_budget
        ),
        SlashCommand(name="/save", help="where this conversation is saved", run=lambda _rest: [f.SavingAsked()]),
        SlashCommand(name="/tools", help="list what the model may call", run=lambda _rest: [f.ToolsAsked()]),
        SlashCommand(name="/retry", help="have the last reply again, another way", run=lambda _rest: [f.Retried()]),
    )


def _budget(rest: str) -> Iterator[f.Fact]:
    try:
        usd = float(rest.removeprefix("$"))
    except ValueError:
        usd = 0.0
    if not 0 < usd < float("inf"):
        raise InputError(f"/budget: {rest!r} is no sum of dollars", "write it like: /budget 0.50")
    yield f.BudgetSet(usd)


def sound_commands(mic: str | None, speaker: str | None) -> tuple[SlashCommand, ...]:
    """What changes the sound. ``mic`` and ``speaker`` are what the user named at the start."""
    devices = SlashCommand(name="/devices", help="list microphones and loudspeakers", run=lambda _rest: _listed())
    vad = SlashCommand(
        name="/vad",
        argument="server|semantic",
        help="how the end of your turn is found",
        run=_detect,
        values=lambda _begun: get_args(Detection),
    )
    return (
        devices,
        *([_device("microphone", "/mic", "input")] if is_device(mic) else []),
        *([_device("speaker", "/speaker", "output")] if is_device(speaker) else []),
        vad,
    )


def _device(end: Literal["microphone", "speaker"], name: str, direction: Direction) -> SlashCommand:
    def choose(rest: str) -> Iterator[f.Fact]:
        wanted = _given(rest, name, "NAME")
        if not is_device(wanted):
            raise InputError(f"{name} takes a device", "list them with /devices")
        yield f.DeviceChosen(end, wanted)

    def names(_begun: str) -> Iterable[str]:
        try:
            return {device.name for device in list_devices() if device.channels(direction)}
        except AudioError:
            return ()

    return SlashCommand(
        name=name, argument="NAME", help=f"another {WHAT[direction]}, by name or number", run=choose, values=names
    )


def _listed() -> Iterator[f.Fact]:
    try:
        devices = list_devices()
    except AudioError as error:
        yield f.Noted(str(error))
        return
    directions: Sequence[Direction] = ("input", "output")
    for direction in directions:
        for device in devices:
            if device.channels(direction):
                default = " (default)" if device.is_default(direction) else ""
                yield f.Noted(f"{WHAT[direction]} {device.index}: {device.name}{default}")


def _instruct(rest: str) -> Iterator[f.Fact]:
    text = _given(rest, "/instructions", "TEXT or @FILE")
    if text.startswith("@"):
        text = read_text(Path(text[1:]).expanduser(), "/instructions")
    yield f.Reconfigured(instructions=text)


def _detect(rest: str) -> Iterator[f.Fact]:
    for kind in get_args(Detection):
        if rest.lower() == kind:
            yield f.Reconfigured(vad=kind)
            return
    raise InputError("/vad takes server or semantic", "write it like: /vad semantic")


def _given(rest: str, command: str, what: str) -> str:
    if not rest:
        raise InputError(f"{command} needs more", f"write it like: {command} {what}")
    return rest
