"""The one download there is: the local language model's weights, on first use, with a progress bar."""

from __future__ import annotations

import sys

from realtime_cli.cli.printing import tell
from realtime_cli.server.engines.weights import WeightsOutOfReach, fetch_weights, find_weights


def fetch_weights_visibly() -> list[str]:
    """Fetch the weights unless they are here. Blocks; returns what the user should know when they cannot be had."""
    if find_weights() is not None:
        return []
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("fetching the language model, once"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    if not sys.stderr.isatty():
        tell("fetching the language model, once (93 MB)")
    try:
        with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bars:
            task = bars.add_task("", total=None)
            fetch_weights(lambda done, total: bars.update(task, completed=done, total=total))
    except WeightsOutOfReach as error:
        return [f"{error}; until then set answers stand in"]
    return []
