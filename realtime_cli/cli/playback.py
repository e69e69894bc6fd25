"""``realtime-cli sessions play``: a recording, with its transcript running along."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.audio.drivers.choose import open_sink
from realtime_cli.cli.sessions import on_screen, opened, recording_of
from realtime_cli.errors import InputError, in_words
from realtime_cli.journal.entries import Conversation
from realtime_cli.journal.export import timed_transcript
from realtime_cli.session.threads import Threads
from realtime_cli.settings.settings import Environment, Settings

STEP_S = 0.1
"""How often is looked which line is due: nobody sees that a word came a tenth of a second late."""

SHUTDOWN_S = 2.0

_HEADER_BYTES = 44
"""Of the files that :mod:`realtime_cli.journal.recording` writes."""

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")


class Playback:
    """Both sides of a recording together, from ``start_s`` on. ``pull`` is for the device's thread."""

    def __init__(self, path: Path, start_s: float) -> None:
        """Raises InputError where the file holds no audio."""
        data_bytes = path.stat().st_size - _HEADER_BYTES
        if data_bytes < 4:
            raise InputError(f"{path} holds no sound", "it was cut off before anything was recorded")
        # Mapped, as an hour of it is 350 MB.
        sound = np.memmap(path, "<i2", mode="r", offset=_HEADER_BYTES, shape=(data_bytes // 4, 2))
        self._sound: npt.NDArray[np.int16] = sound
        self._at = min(round(start_s * RATE_HZ), len(sound))
        self.ended = threading.Event()
        """Set when all has been pulled."""

    @property
    def position_s(self) -> float:
        """How much of the recording has been pulled, in seconds from its beginning. Any thread."""
        return self._at / RATE_HZ

    def pull(self, frames: int) -> npt.NDArray[np.int16]:
        """The next ``frames`` frames, int16, shape ``(frames,)``, 24 kHz; silence behind the end."""
        both = self._sound[self._at : self._at + frames].astype(np.int32)
        mixed = np.zeros(frames, np.int16)
        mixed[: len(both)] = np.clip(both.sum(axis=1), -32768, 32767)
        self._at += len(both)
        if len(both) < frames:
            self.ended.set()
        return mixed


def play(settings: Settings, environment: Environment, *, name: str, start: str | None, match: str | None) -> int:
    """Play a recording on the loudspeaker and print its lines when they were said. Raises errors of both."""
    conversation = opened(environment, name)
    playback = Playback(recording_of(conversation), _start_s(conversation, start, match))
    failures: list[Exception] = []

    def ended_badly(_name: str, error: Exception) -> None:
        failures.append(error)
        playback.ended.set()

    stopping = threading.Event()
    threads = Threads(ended_badly)
    sink = open_sink(settings.speaker)
    sink.open()
    try:
        threads.start("speaker", sink.run, playback.pull, stopping)
        _print_when_due(conversation, playback, on_screen(settings, environment))
    finally:
        sink.close()
        stopping.set()
        threads.join_all(time.monotonic() + SHUTDOWN_S)
    if failures:
        raise in_words("speaker", failures[0])
    return 0


def _print_when_due(conversation: Conversation, playback: Playback, fold: Callable[[str], list[str]]) -> None:
    """Print each line when it is due, as rows; blocks until the recording ends."""
    begun_s = playback.position_s
    lines: Iterator[tuple[float, str]] = (line for line in timed_transcript(conversation) if line[0] >= begun_s)
    due = next(lines, None)
    while True:
        over = playback.ended.wait(STEP_S)
        while due is not None and (over or due[0] <= playback.position_s):
            sys.stdout.writelines(f"{row}\n" for row in fold(due[1]))
            sys.stdout.flush()
            due = next(lines, None)
        if over:
            return


def _start_s(conversation: Conversation, start: str | None, match: str | None) -> float:
    """Where to begin: at a time such as ``90`` or ``1:30``, or where the words were said. Raises InputError."""
    if start is not None:
        found = _TIME.fullmatch(start)
        if not found:
            raise InputError(f"--from {start!r} is no time", "write it like 90, 1:30 or 1:02:03")
        hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return hours * 3600 + minutes * 60 + seconds
    if match is None:
        return 0.0
    words = match.casefold()
    for began_s, line in timed_transcript(conversation):
        if words in line.casefold():
            return began_s
    raise InputError(f"{match!r} was not said in {conversation.header.id}", "see realtime-cli sessions search")
