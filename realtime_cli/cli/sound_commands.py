"""Slash commands of a chat about its sound: devices, and how the end of a turn is found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

from realtime_cli.audio.drivers.choose import is_device
from realtime_cli.audio.drivers.devices import WHAT, Direction, list_devices
from realtime_cli.cli.slash_commands import given
from realtime_cli.conversation import facts as f
from realtime_cli.errors import AudioError, InputError
from realtime_cli.terminal.slash_commands import SlashCommand

Detection = Literal["server", "semantic"]
"""What can find the user's turns in mid-conversation; "off" would leave nobody to."""


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
        wanted = given(rest, name, "NAME")
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


def _detect(rest: str) -> Iterator[f.Fact]:
    for kind in get_args(Detection):
        if rest.lower() == kind:
            yield f.Reconfigured(vad=kind)
            return
    raise InputError("/vad takes server or semantic", "write it like: /vad semantic")
