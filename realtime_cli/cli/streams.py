"""Standard streams that are closed, or whose reader goes away, are no reason for a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def standard_streams() -> Iterator[None]:
    """Run the program with three open streams, and let the interpreter's last flush of them fail silently."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # Closed by who started us: a socket must not get the number, and a print must have somewhere to go.
            _point_nowhere(fd)
            setattr(sys, name, os.fdopen(fd, "w" if fd else "r", encoding="utf-8", closefd=False))
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BrokenPipeError:
                # https://docs.python.org/3/library/signal.html#note-on-sigpipe
                _point_nowhere(stream.fileno())


def _point_nowhere(fd: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != fd:
        os.dup2(nowhere, fd)
        os.close(nowhere)
