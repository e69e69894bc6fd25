"""Which sound devices there are, and which of them the user means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from realtime_cli.audio.drivers.library import portaudio
from realtime_cli.audio.drivers.no_devices import here, way_out
from realtime_cli.errors import AudioError

Direction = Literal["input", "output"]

WHAT: dict[Direction, str] = {"input": "microphone", "output": "loudspeaker"}
_MANY = 8
"""So many names fit into an error message; whoever needs more asks for the list."""

_SEE_ALL = "list them with: realtime-cli devices"


@dataclass(frozen=True, slots=True)
class Device:
    """One device of one host API. Several host APIs may offer the same piece of hardware."""

    index: int
    name: str
    host_api: str
    max_input_channels: int
    max_output_channels: int
    default_rate_hz: int
    is_default_input: bool
    is_default_output: bool

    def channels(self, direction: Direction) -> int:
        """The most channels it can record or play."""
        return self.max_input_channels if direction == "input" else self.max_output_channels

    def is_default(self, direction: Direction) -> bool:
        """Whether it is used where the user names none."""
        return self.is_default_input if direction == "input" else self.is_default_output


def list_devices(wanted: Direction | None = None) -> tuple[Device, ...]:
    """All devices that PortAudio knows, in its own order. Blocks for as long as PortAudio takes to start.

    ``wanted`` is what the caller looks for. Raises AudioError when PortAudio is missing or there are no devices at all.
    """
    with portaudio() as sounddevice:
        infos: list[dict[str, Any]] = list(sounddevice.query_devices())
        host_apis = [str(api["name"]) for api in sounddevice.query_hostapis()]
        default_input, default_output = sounddevice.default.device
    if not infos:
        raise _no_devices(wanted)
    return tuple(
        Device(
            index=index,
            name=str(info["name"]),
            host_api=host_apis[info["hostapi"]],
            max_input_channels=int(info["max_input_channels"]),
            max_output_channels=int(info["max_output_channels"]),
            default_rate_hz=round(info["default_samplerate"]),
            is_default_input=index == default_input,
            is_default_output=index == default_output,
        )
        for index, info in enumerate(infos)
    )


def _no_devices(wanted: Direction | None) -> AudioError:
    helps = way_out(here())
    if wanted is None:
        return AudioError("there are no sound devices", f"{helps}, or use --mic/--speaker FILE.wav, - or none")
    flag = "--mic" if wanted == "input" else "--speaker"
    return AudioError(
        f"there is no {WHAT[wanted]}, nor any other sound device", f"{helps}, or use {flag} FILE.wav, - or none"
    )


def choose_device(devices: tuple[Device, ...], wanted: str | int | None, direction: Direction) -> Device:
    """The device that the user means by a number, a name, a unique part of a name (any case), or nothing.

    Raises AudioError that says which devices there are.
    """
    usable = [device for device in devices if device.channels(direction) > 0]
    if not usable:
        raise AudioError(f"there is no {WHAT[direction]}", f"none of the {len(devices)} sound devices is one")
    if wanted is None or wanted == "":
        return _default(usable, direction)
    if isinstance(wanted, int) or wanted.isdecimal():
        return _numbered(usable, int(wanted), direction)
    return _named(usable, wanted, direction)


def _default(usable: list[Device], direction: Direction) -> Device:
    for device in usable:
        if device.is_default(direction):
            return device
    raise AudioError(f"the system has no default {WHAT[direction]}", f"name one of: {_names(usable)}")


def _numbered(usable: list[Device], number: int, direction: Direction) -> Device:
    for device in usable:
        if device.index == number:
            return device
    known = ", ".join(f"{device.index} ({device.name})" for device in usable[:_MANY])
    raise AudioError(f"device {number} is no {WHAT[direction]}", f"there are: {known}")


def _named(usable: list[Device], name: str, direction: Direction) -> Device:
    part = name.casefold()
    exact = [device for device in usable if device.name.casefold() == part]
    found = exact or [device for device in usable if part in f"{device.name}, {device.host_api}".casefold()]
    if not found:
        raise AudioError(f'no {WHAT[direction]} is called "{name}"', f"there are: {_names(usable)}")
    if len(found) > 1:
        # Windows offers every device under several host APIs: the one of the default device is meant.
        usual = {device.host_api for device in usable if device.is_default(direction)}
        found = [device for device in found if device.host_api in usual] or found
    if len(found) > 1:
        raise AudioError(f'several are called "{name}"', f"say more of the name, or the number: {_numbers(found)}")
    return found[0]


def _names(devices: list[Device]) -> str:
    return ", ".join(device.name for device in devices[:_MANY]) + _more(devices)


def _numbers(devices: list[Device]) -> str:
    return ", ".join(f"{device.index} ({device.name})" for device in devices[:_MANY]) + _more(devices)


def _more(devices: list[Device]) -> str:
    return f" and {len(devices) - _MANY} more; {_SEE_ALL}" if len(devices) > _MANY else ""
