"""What was typed before, in a file: one JSON string a line, the newest last. Readable by its owner only."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

MAX_BYTES = 1_000_000
"""Of a longer file only the end is read, and it begins anew with that."""


def read_lines_of(path: Path) -> list[str]:
    """The lines that the file holds, the oldest first; what is no line is left out. Blocks for the disk."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MAX_BYTES))
            rows = file.read().splitlines()
    except OSError:
        return []
    lines = []
    for row in rows:
        with contextlib.suppress(msgspec.MsgspecError):
            lines.append(msgspec.json.decode(row, type=str))
    return lines


def append_line(path: Path, line: str) -> None:
    """Add a line. Blocks for the disk; a file that cannot be written is left as it is: it is a convenience."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > 2 * MAX_BYTES:
            _write(path, b"".join(msgspec.json.encode(each) + b"\n" for each in read_lines_of(path)), os.O_TRUNC)
        _write(path, msgspec.json.encode(line) + b"\n", os.O_APPEND)


def _write(path: Path, data: bytes, how: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
