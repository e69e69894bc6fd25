"""Writes journals and recordings in children, and kills each at a random moment: ``python -m tests.killed_writers``.

Children are forked, as a start of the interpreter costs more than all that one of them does. Each writes a few bytes at
a time, so that most kills come in the middle of something, and says what is whole so far: a number a line.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np

from realtime_cli.audio.core.pcm import BLOCK_FRAMES
from realtime_cli.conversation.records import UserSaid
from realtime_cli.journal import recording, writer
from realtime_cli.journal.entries import Header

Tell = Callable[[int], None]

MOST_STEPS = 60
"""What a child says before it is killed, at most: lines of a journal, or how often a recording was made whole."""

CHUNK_BYTES = 11
"""Of a journal's line, which has some dozens."""

SAMPLES_CHUNK_BYTES = 500

CHUNK_S = 0.0001
"""The pause before each, so that the time goes by in the middle of lines and blocks."""

LATEST_S = 0.003
"""After what it was waited for comes the kill, at most so much later."""

FRAME_BYTES = 4
HEADER_BYTES = 44


def write_journal(path: Path, tell: Tell) -> None:
    """Put lines one by one, each when the one before is in the file, which is told. Never returns."""
    whole = threading.Semaphore(0)

    def write_a_little(descriptor: int, data: bytes) -> int:
        time.sleep(CHUNK_S)
        count = _write(descriptor, data[:CHUNK_BYTES])
        if count == len(data):
            whole.release()
        return count

    writer.os.write = write_a_little  # type: ignore[attr-defined]
    journal = writer.Journal(path, Header(id="x", at=datetime.now(UTC), command="chat"), print)
    threading.Thread(target=journal.run, daemon=True).start()
    lines = 0
    while True:
        journal.put(UserSaid(item_id=str(lines), text="word " * (lines % 50)), float(lines))
        if not lines:
            whole.acquire()  # the header
        whole.acquire()
        lines += 1
        tell(lines)


def write_recording(path: Path, tell: Tell) -> None:
    """Record both sides; what the file claims to hold is told, in frames. Never returns."""

    def write_slowly(file: BinaryIO, data: bytes) -> None:
        whole = data
        while data:
            time.sleep(CHUNK_S)
            data = data[file.write(data[:SAMPLES_CHUNK_BYTES]) :]
        if whole.startswith(b"RIFF"):
            tell(int.from_bytes(whole[40:HEADER_BYTES], "little") // FRAME_BYTES)

    recording.WRITE_S = 0.0
    recording._write_all = write_slowly
    recorder = recording.Recorder(path, print, by_clock=False)
    threading.Thread(target=recorder.run, daemon=True).start()
    for number in itertools.count():
        block = np.full(BLOCK_FRAMES, number % 30_000 + 1, np.int16)
        recorder.spoke(block.tobytes())
        recorder.heard(block)
        # Some hundred times as fast as a device.
        time.sleep(0.0002)


KINDS = {"journal": write_journal, "recording": write_recording}
_write = os.write


def kill_one(kind: str, path: Path, until: int, later_s: float) -> int:
    """Let a child write into ``path`` until it has told ``until`` times and a little longer, and kill it.

    Returns what it told last.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        os.close(read_end)
        KINDS[kind](path, lambda whole: _tell(write_end, whole))
    os.close(write_end)
    told = b""
    while told.count(b"\n") < until:
        told += os.read(read_end, 4096)
    time.sleep(later_s)
    os.kill(child, signal.SIGKILL)
    while more := os.read(read_end, 4096):
        told += more
    os.close(read_end)
    os.waitpid(child, 0)
    lines = told.split(b"\n")[:-1]
    return int(lines[-1]) if lines else 0


def _tell(descriptor: int, whole: int) -> None:
    _write(descriptor, b"%d\n" % whole)


def main() -> None:
    """Kill so many of a kind; prints a JSON object for each: its path, and what was whole when it was killed."""
    kind, folder, moments = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(kind)
    for number in range(moments):
        path = folder / f"{kind}_{number}"
        told = kill_one(kind, path, chance.randrange(MOST_STEPS), chance.uniform(0, LATEST_S))
        sys.stdout.write(json.dumps({"path": str(path), "told": told}) + "\n")


if __name__ == "__main__":
    main()
