"""``realtime-cli devices``: which microphones and loudspeakers there are."""

from __future__ import annotations

import typer

from realtime_cli.cli.options import command
from realtime_cli.settings.settings import Environment, Settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, only=("json", "debug"))
    def devices(settings: Settings, _environment: Environment) -> int:
        """List audio devices, the defaults marked, with their own rates."""
        from realtime_cli.audio.drivers.devices import list_devices  # --help must not load it
        from realtime_cli.cli.device_table import show_devices

        show_devices(list_devices(), as_json=settings.json)
        return 0
