"""``realtime-cli fetch``, and what fetches by itself on first use: the weights that no package brings along."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from realtime_cli.cli.printing import tell
from realtime_cli.server.engines.optional_packages import require_parts
from realtime_cli.server.engines.weights import WeightsOutOfReach, fetch_weights, find_weights
from realtime_cli.settings.settings import Environment, Settings


def run(_settings: Settings, _environment: Environment) -> int:
    """Fetch what is not here yet, and say where it is. Blocks. Raises ConfigError where it cannot be had."""
    require_parts()
    weights = find_weights() or _fetch()
    sys.stdout.write(f"{weights.stat().st_size / 1e6:.0f} MB in {weights}\n")
    return 0


def fetch_weights_visibly() -> list[str]:
    """Fetch the weights unless they are here. Blocks; returns what the user should know when they cannot be had."""
    if find_weights() is not None:
        return []
    try:
        _fetch()
    except WeightsOutOfReach as error:
        return [str(error)]
    return []


def _fetch() -> Path:
    """With a progress bar on a terminal. Raises WeightsOutOfReach."""
    # rich: for those who have to wait.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("fetching the language model, once"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    if not sys.stderr.isatty():
        tell("fetching the language model, once (93 MB)")
    with (
        _signals_unwind(),
        Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bars,
    ):
        task = bars.add_task("", total=None)
        return fetch_weights(lambda done, total: bars.update(task, completed=done, total=total))


@contextmanager
def _signals_unwind() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the program by an exception, so that the cursor comes back. Main thread."""

    def end(signum: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + signum)  # as shells report it

    names = ("SIGTERM", "SIGHUP", "SIGQUIT")
    ours = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {signum: signal.getsignal(signum) for signum in ours}
    for signum in ours:
        if before[signum] is signal.SIG_DFL:
            signal.signal(signum, end)
    try:
        yield
    finally:
        for signum, handler in before.items():
            if handler is signal.SIG_DFL:
                signal.signal(signum, handler)
