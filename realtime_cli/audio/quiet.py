"""Keeping what C libraries print on file descriptor 2 off a live screen.

PortAudio, ALSA and JACK write warnings straight to file descriptor 2, from whatever thread they are on and also when
all is well. While they are silenced that descriptor leads to the null device, and ``sys.stderr`` to where it led
before.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_STDERR_FD = 2


class _Silencer:
    def __init__(self) -> None:
        # Silence is process-wide: the first to ask for it begins it and the last to leave ends it, on any thread.
        self._lock = threading.Lock()
        self._holders = 0
        self._kept_fd = -1
        self._kept_stderr: TextIO | None = None

    def begin(self) -> None:
        with self._lock:
            if self._holders == 0:
                self._redirect()
            self._holders += 1

    def end(self) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                self._restore()

    def _redirect(self) -> None:
        try:
            self._kept_fd = os.dup(_STDERR_FD)
        except OSError:
            # The program was started with standard error closed: there is nothing to keep clean.
            return
        if _writes_to_stderr(sys.stderr):
            sys.stderr.flush()
            self._kept_stderr = sys.stderr
            sys.stderr = open(  # noqa: SIM115 -- closed by _restore; a descriptor has no path
                self._kept_fd, "w", encoding=sys.stderr.encoding, errors=sys.stderr.errors, buffering=1, closefd=False
            )
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, _STDERR_FD)
        os.close(null)

    def _restore(self) -> None:
        if self._kept_fd < 0:
            return
        os.dup2(self._kept_fd, _STDERR_FD)
        if self._kept_stderr is not None:
            sys.stderr.flush()
            sys.stderr, self._kept_stderr = self._kept_stderr, None
        os.close(self._kept_fd)
        self._kept_fd = -1


def _writes_to_stderr(stream: TextIO | None) -> bool:
    """Whether Python's own messages go through file descriptor 2 (a test runner or an editor may have moved them)."""
    try:
        return stream is not None and stream.fileno() == _STDERR_FD
    except (io.UnsupportedOperation, ValueError):
        return False


_SILENCER = _Silencer()


@contextmanager
def libraries_silenced() -> Iterator[None]:
    """Let C libraries print nothing meanwhile; what Python writes to ``sys.stderr`` still arrives.

    Any thread; may be nested. A stream object taken from ``sys.stderr`` earlier is silenced too: a program with a live
    screen enters this before it opens the screen.
    """
    _SILENCER.begin()
    try:
        yield
    finally:
        _SILENCER.end()
