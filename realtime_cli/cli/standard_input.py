"""``-`` in the place of a text or a file: what comes on standard input."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from realtime_cli.errors import InputError

STANDARD_INPUT = Path("-")


def read_standard_input(what: str) -> str:
    """All of standard input as text. Blocks. Raises InputError when it is not UTF-8."""
    data = sys.stdin.buffer.read()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{what} on standard input is not UTF-8 (byte {error.start})", "convert it first") from error


@contextmanager
def as_files(files: Sequence[Path]) -> Iterator[list[Path]]:
    """The files, standard input among them as one of its own, which is gone afterwards. Blocks until all has come.

    A recording is opened more than once, and a pipe can be read but once. Raises InputError.
    """
    if STANDARD_INPUT not in files:
        yield list(files)
        return
    if list(files).count(STANDARD_INPUT) > 1:
        raise InputError("standard input can be read once", "name - once")
    if sys.stdin.isatty():
        raise InputError("standard input is a terminal, and no recording", "pipe one into it: … < speech.wav")
    with tempfile.TemporaryDirectory(prefix="realtime-cli-") as folder:
        path = Path(folder, "standard input")
        with path.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        yield [path if file == STANDARD_INPUT else file for file in files]
