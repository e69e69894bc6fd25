"""``realtime-cli fetch``, and what fetches by itself on first use: the weights that no package brings along."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from realtime_cli.cli.printing import tell
from realtime_cli.errors import InputError
from realtime_cli.server.engines.optional_packages import require_parts
from realtime_cli.server.engines.weight_sets import LANGUAGE_MODEL, WEIGHT_SETS, WeightSet
from realtime_cli.server.engines.weights import WeightsOutOfReach
from realtime_cli.settings.settings import Environment, Settings

ALL = "all"


def run(_settings: Settings, _environment: Environment, *, names: list[str] | None) -> int:
    """Fetch what is not here yet, and say where it is. Blocks. Raises InputError and ConfigError."""
    require_parts()
    known = {weights.name: weights for weights in WEIGHT_SETS}
    for name in names or ():
        if name not in known and name != ALL:
            raise InputError(f"fetch {name}: there are no such weights", f"one of: {', '.join(known)}, {ALL}")
    wanted = WEIGHT_SETS if ALL in (names or ()) else [known[name] for name in names or (LANGUAGE_MODEL.name,)]
    for weights in wanted:
        files = weights.find() or _fetch(weights)
        size = sum(path.stat().st_size for path in files)
        sys.stdout.write(f"{weights.name}: {size / 1e6:.0f} MB in {files[0].parent}\n")
    return 0


def fetch_visibly(wanted: Iterable[WeightSet]) -> list[str]:
    """Fetch the weights that are not here. Blocks; returns what the user should know where they cannot be had."""
    notices = []
    for weights in wanted:
        try:
            if weights.find() is None:
                _fetch(weights)
        except WeightsOutOfReach as error:
            notices.append(str(error))
    return notices


def _fetch(weights: WeightSet) -> tuple[Path, ...]:
    """With a progress bar on a terminal. Raises WeightsOutOfReach."""
    # rich: for those who have to wait.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    text = f"fetching {weights.title}, once"
    columns = (TextColumn(text), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    if not sys.stderr.isatty():
        tell(f"{text} ({weights.fetched_bytes / 1e6:.0f} MB)")
    with (
        _signals_unwind(),
        Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bars,
    ):
        task = bars.add_task("", total=None)
        return weights.fetch(lambda done, total: bars.update(task, completed=done, total=total))


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
