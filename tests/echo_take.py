"""A reply and somebody who talks into it, on real PortAudio streams in a room of the virtual devices."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realtime_cli.audio.core.echo_canceller import EchoCanceller, webrtc_canceller
from realtime_cli.audio.core.pcm import BLOCK_FRAMES, RATE_HZ
from realtime_cli.audio.drivers.portaudio import PortAudioSink, PortAudioSource
from realtime_cli.session.echo_control import overheard
from tests.audio_signals import Background, Player, Samples, find
from tests.virtual_devices import VirtualDevices
from tests.waiting import PATIENCE_S

QUIET_S = 1
"""Before the reply begins, and after it has ended."""

OF_THE_SOUND_SERVER_MS = 60
"""About what the way through it costs: the room adds the rest."""

_SEARCHED_S = 4
"""So long after somebody began to speak, the words have begun to be heard."""


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody says, and when: seconds after the reply began."""

    at_s: float
    samples: Samples


@dataclass(frozen=True, slots=True)
class Take:
    """What happened, in the microphone's own time."""

    heard: Samples
    sent: Samples
    onsets: tuple[int, ...]
    """At which frame each interruption was heard."""
    jumps: int
    """How often the two devices had to be put in step again."""
    underflows: int
    overflows: int


@contextmanager
def in_a_room(devices: VirtualDevices, gain_db: float, delay_ms: float) -> Iterator[None]:
    """Let the loudspeaker be heard in the microphone, ``delay_ms`` after it was played, meanwhile."""
    added_ms = delay_ms - OF_THE_SOUND_SERVER_MS
    command = [sys.executable, str(Path(__file__).parent / "echo_room.py"), str(gain_db), str(added_ms)]
    process = subprocess.Popen(command, env=devices.environment, stdin=subprocess.PIPE)
    try:
        yield
    finally:
        process.communicate(timeout=PATIENCE_S)


class Ears:
    """Keeps what comes from the microphone, before and after cleaning, and tells when there is so much."""

    def __init__(self, canceller: EchoCanceller) -> None:
        self._canceller = canceller
        self._came = threading.Condition()
        self.heard: list[bytes] = []
        self.sent: list[bytes] = []

    def __call__(self, block: bytes) -> None:
        cleaned = self._canceller.clean(block)
        with self._came:
            self.heard.append(block)
            self.sent.append(cleaned)
            self._came.notify_all()

    def wait_until(self, seconds: float) -> None:
        """Wait until so much was heard."""
        wanted = int(seconds * RATE_HZ / BLOCK_FRAMES)
        patience_s = PATIENCE_S + seconds - len(self.heard) * BLOCK_FRAMES / RATE_HZ
        with self._came:
            assert self._came.wait_for(lambda: len(self.heard) >= wanted, patience_s)


def take(devices: VirtualDevices, gain_db: float, delay_ms: float, reply: Samples, words: Sequence[Words]) -> Take:
    """Play ``reply``, which nothing stops, and say ``words`` meanwhile. Blocks for as long as that takes."""
    canceller = EchoCanceller(webrtc_canceller(), print)
    ears, sink, source = Ears(canceller), PortAudioSink("speaker"), PortAudioSource("mic")
    began: list[int] = []
    with in_a_room(devices, gain_db, delay_ms):
        sink.open()
        source.open()
        hearing = Background(source.run, ears, lambda: None)
        ears.wait_until(QUIET_S)
        speaking = Background(sink.run, overheard(Player(reply), canceller.played))
        for said in words:
            ears.wait_until(QUIET_S + said.at_s)
            began.append(len(ears.heard) * BLOCK_FRAMES)
            devices.play_into_mic(said.samples.tobytes())
        ears.wait_until(QUIET_S + len(reply) / RATE_HZ + QUIET_S)
        for run in (speaking, hearing):
            run.stopping.set()
        source.close()
        sink.close()
        speaking.join()
        hearing.join()
    heard, sent = (np.frombuffer(b"".join(blocks), "<i2") for blocks in (ears.heard, ears.sent))
    onsets = tuple(
        at + find(said.samples, heard[at : at + len(said.samples) + _SEARCHED_S * RATE_HZ])
        for at, said in zip(began, words, strict=True)
    )
    return Take(heard, sent, onsets, canceller.jumps, sink.underflows, source.overflows)
