"""Keeping what C libraries print on file descriptor 2 off a live screen.

PortAudio, ALSA and JACK write warnings straight to file descriptor 2, from whatever thread they are on and also when
all is well. While they are silenced that descriptor leads to the null device, and Python's own standard error to where
the descriptor led before.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR_FD = 2


class _Silencer:
    def __init__(self) -> None:
        # Silence is process-wide: the first to ask for it begins it and the last to leave ends it, on any thread.
        self._lock = threading.Lock()
        self._holders = 0
        self._kept_fd = -1
        self._python: io.RawIOBase | None = None

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
        self._python = _raw_stderr()
        if self._python is not None:
            _point(self._python, self._kept_fd)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, _STDERR_FD)
        os.close(null)

    def _restore(self) -> None:
        if self._kept_fd < 0:
            return
        os.dup2(self._kept_fd, _STDERR_FD)
        if self._python is not None:
            _point(self._python, _STDERR_FD)
        os.close(self._kept_fd)
        self._kept_fd = -1


def _raw_stderr() -> io.RawIOBase | None:
    """What Python's standard error writes through, if that is file descriptor 2 (a test runner may have moved it)."""
    buffer = getattr(sys.stderr, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # python -u has no buffer in between
    try:
        return raw if isinstance(raw, io.RawIOBase) and raw.fileno() == _STDERR_FD else None
    except (OSError, ValueError):
        return None


def _point(raw: io.RawIOBase, fd: int) -> None:
    """Let an open raw file write to another descriptor.

    A new ``sys.stderr`` would not do: consoles and loggers keep the one they were made with, and would fall silent.
    """
    raw.__init__(fd, "wb", closefd=False)  # type: ignore[misc] # what FileIO and the Windows console take


_SILENCER = _Silencer()


@contextmanager
def libraries_silenced() -> Iterator[None]:
    """Let C libraries print nothing meanwhile; what Python writes to ``sys.stderr`` still arrives.

    Any thread; may be nested. Child processes started meanwhile have no standard error unless they are given one.
    """
    silence_libraries()
    try:
        yield
    finally:
        unsilence_libraries()


def silence_libraries() -> None:
    """Begin what :func:`libraries_silenced` does; to be ended with :func:`unsilence_libraries`. Any thread."""
    _SILENCER.begin()


def unsilence_libraries() -> None:
    """End one :func:`silence_libraries`; the last one ends the silence. Any thread."""
    _SILENCER.end()
