"""``realtime-cli devices``: which microphones and loudspeakers there are."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import msgspec

from realtime_cli.audio.drivers.devices import Device, list_devices
from realtime_cli.printable import json_line, one_line
from realtime_cli.settings.settings import Environment, Settings


def run(settings: Settings, _environment: Environment) -> int:
    """Print the devices. Raises AudioError."""
    show_devices(list_devices(), as_json=settings.json)
    return 0


def show_devices(devices: Iterable[Device], *, as_json: bool) -> None:
    """Print the devices on stdout: a table, or one JSON object a line."""
    if as_json:
        for device in devices:
            sys.stdout.write(json_line({"type": "device", **msgspec.to_builtins(device)}) + "\n")
        return
    # rich: for people only.
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("#", "name", "host API", "in", "out", "rate", "default"):
        table.add_column(title, justify="right" if title in ("#", "in", "out", "rate") else "left", overflow="fold")
    for device in devices:
        roles = (("microphone", device.is_default_input), ("speaker", device.is_default_output))
        defaults = " and ".join(role for role, is_default in roles if is_default)
        ends = (str(device.max_input_channels or "–"), str(device.max_output_channels or "–"))
        rate = f"{device.default_rate_hz} Hz"
        table.add_row(
            str(device.index), Text(one_line(device.name)), Text(one_line(device.host_api)), *ends, rate, defaults
        )
    Console(markup=False, highlight=False).print(table)
