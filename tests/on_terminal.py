"""Runs the program with a terminal for standard error and a pipe for standard output."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable

from tests.running import environment


def on_terminal(*arguments: str) -> tuple[int, str, str]:
    """``realtime-cli`` to its end: the exit code, standard output, and what the terminal got."""
    main, terminal = pty.openpty()
    command = [sys.executable, "-m", "realtime_cli", *arguments]
    variables = {**environment(), "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, env=variables) as running:
        os.close(terminal)
        seen = b"".join(iter(_reader(main), b""))
        assert running.stdout is not None
        out = running.stdout.read().decode()
    os.close(main)
    return running.returncode, out, seen.decode()


def _reader(fd: int) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return os.read(fd, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            return b""

    return read
