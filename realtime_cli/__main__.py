"""The program's entry: ``realtime-cli`` and ``python -m realtime_cli`` are the same."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and __spec__ is not None and not sys.flags.safe_path:
    # ``python -m`` looks for every module in the working folder first, and that may be anybody's.
    del sys.path[0]
if sys.platform == "win32":
    # Nor for programs: https://learn.microsoft.com/windows/win32/api/processenv/nf-processenv-needcurrentdirectoryforexepathw
    os.environ["NODEFAULTCURRENTDIRECTORYINEXEPATH"] = "1"

import gc
import signal
import threading
from contextlib import suppress

INTERRUPTED = 130
"""What :mod:`realtime_cli.errors` says, which is not imported yet when the first Ctrl-C may come."""


def run() -> None:
    """Run the program; ends in SystemExit."""
    # Importing makes thousands of objects that all stay: looking for garbage among them takes a fifth of the start.
    # The session turns the collector on again.
    gc.disable()
    try:
        from realtime_cli.cli.main import main

        main()
    except KeyboardInterrupt:
        _leave(INTERRUPTED)
    except SystemExit as end:
        if isinstance(end.code, int) and (end.code == INTERRUPTED or threading.active_count() > 1):
            _leave(end.code)
        raise


def _leave(exit_code: int) -> None:
    """End at once: an engine that is still being loaded would be waited for, or crash without an interpreter."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(exit_code)


if __name__ == "__main__":
    run()
