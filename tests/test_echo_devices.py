"""Echo on real PortAudio streams: the loudspeaker is heard in the microphone through a room."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_voice import Chat, speech

from realtime_cli.audio.duplex import HALF_DUPLEX, overheard
from realtime_cli.audio.echo import EchoCanceller, webrtc_canceller
from realtime_cli.audio.portaudio import PortAudioSink, PortAudioSource
from realtime_cli.pcm import RATE_HZ
from tests.audio_signals import Background, Player, Samples, find
from tests.echo_scene import interruption, judge, loudness, replies, started_ms, through_room, to_pcm
from tests.virtual_devices import VirtualDevices

REPLY_S = 16.0
INTERRUPTED_AT_S = (5.0, 9.0, 12.5)
QUICK_MS = 500
ATTEMPTS = 3
SPOILED_SHARE = 0.1
"""Of the echo's loudness: what two computations of it may differ by, and no lost block is so soft."""

CALM_S = 4
"""For so long after the echo moved the canceller may look for it. What happens then says nothing."""

PATIENCE_S = 60
OF_THE_SOUND_SERVER_MS = 60
"""About what the way through it costs: the room adds the rest."""


@dataclass(frozen=True, slots=True)
class Take:
    """What happened in one conversation, in the microphone's own time."""

    heard: Samples
    sent: Samples
    onsets: tuple[int, ...]
    """At which frame each interruption was heard."""
    spoiled: tuple[bool, ...]
    """Which seconds of ``heard`` are not what the room would give: the machine was too busy for its sound."""

    def calm(self, ms: float) -> bool:
        """Whether nothing was spoiled for some seconds before and one after: else the canceller had to begin anew."""
        second = int(ms / 1000)
        return not any(self.spoiled[max(0, second - CALM_S) : second + 2])


@contextmanager
def in_a_room(devices: VirtualDevices, gain_db: float, delay_ms: float) -> Iterator[None]:
    command = [sys.executable, str(Path(__file__).parent / "echo_room.py"), str(gain_db), str(delay_ms)]
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
        wanted = int(seconds * RATE_HZ / 480)
        with self._came:
            assert self._came.wait_for(lambda: len(self.heard) >= wanted, PATIENCE_S)


def take(devices: VirtualDevices, gain_db: float, delay_ms: float, words: list[Samples]) -> Take:
    """A reply, and somebody who says ``words`` meanwhile, one after the other."""
    reply = to_pcm(replies(REPLY_S))
    canceller = EchoCanceller(webrtc_canceller(), print)
    ears, sink, source = Ears(canceller), PortAudioSink("speaker"), PortAudioSource("mic")
    with in_a_room(devices, gain_db, delay_ms - OF_THE_SOUND_SERVER_MS):
        sink.open()
        source.open()
        hearing = Background(source.run, ears, lambda: None)
        ears.wait_until(1)
        speaking = Background(sink.run, overheard(Player(reply), canceller))
        for number, said in enumerate(words):
            ears.wait_until(1 + INTERRUPTED_AT_S[number])
            devices.play_into_mic(said.tobytes())
        ears.wait_until(1 + REPLY_S + 1)
        for run in (speaking, hearing):
            run.stopping.set()
        source.close()
        sink.close()
        speaking.join()
        hearing.join()
    heard, sent = (np.frombuffer(b"".join(blocks), "<i2") for blocks in (ears.heard, ears.sent))
    ideal = through_room(replies(REPLY_S), gain_db, 0) * 32767
    onsets = tuple(find(said, heard) for said in words)
    return Take(
        heard,
        sent,
        onsets,
        _spoiled(heard, [(find(to_pcm(ideal / 32767), heard), ideal), *zip(onsets, words, strict=True)]),
    )


def _spoiled(heard: Samples, sounds: list[tuple[int, Any]]) -> tuple[bool, ...]:
    left = heard.astype(np.float32)
    for at, sound in sounds:
        count = min(len(sound), len(left) - at)
        left[at : at + count] -= sound[:count]
    seconds = left[: len(left) // RATE_HZ * RATE_HZ].reshape(-1, RATE_HZ)
    return tuple(np.sqrt(np.square(seconds).mean(axis=1)) > SPOILED_SHARE * loudness(sounds[0][1]))


@pytest.fixture(autouse=True)
def _voices() -> None:
    if shutil.which("espeak-ng") is None:
        if os.environ.get("CI"):
            pytest.fail("espeak-ng is missing")
        pytest.skip("espeak-ng is missing")


@pytest.mark.parametrize(("gain_db", "delay_ms"), [(-12, 80), (-6, 150)])
def test_on_devices_the_model_does_not_hear_itself_and_hears_who_interrupts_it(
    sound: VirtualDevices, gain_db: float, delay_ms: float
) -> None:
    level = loudness(replies(REPLY_S)) * 10 ** ((gain_db + 5) / 20)
    words = [to_pcm(interruption(number) * np.float32(level)) for number in range(len(INTERRUPTED_AT_S))]
    for _ in range(ATTEMPTS):
        taken = take(sound, gain_db, delay_ms, words)
        if not any(taken.spoiled):
            break
    assert [ms for ms in started_ms(taken.heard) if ms < INTERRUPTED_AT_S[0] * 1000], "there was no echo to keep out"
    spoken = [(at / RATE_HZ, (at + len(said)) / RATE_HZ) for at, said in zip(taken.onsets, words, strict=True)]
    judged = judge(started_ms(taken.sent), spoken)
    missed = [
        begin
        for (begin, _), noticed in zip(spoken, judged.noticed_ms, strict=True)
        if taken.calm(begin * 1000 + QUICK_MS) and (noticed is None or noticed > QUICK_MS)
    ]
    assert not missed, judged.noticed_ms
    assert not [ms for ms in judged.false_ms if taken.calm(ms)]


def test_a_chat_on_open_speakers_does_not_interrupt_itself(virtual_devices: VirtualDevices) -> None:
    with virtual_devices.echo(-6, 150), Chat(virtual_devices, "--local", "--max-turns", "1") as chat:
        chat.wait_for("session")
        virtual_devices.play_into_mic(speech())
        said = chat.wait_for("assistant")
        assert chat.wait_for_end() == 0
    assert not said["interrupted"]
    assert "paris" in said["text"].lower()
    assert not [line for line in chat.lines if line["type"] == "notice"]


def test_a_chat_says_that_it_is_half_duplex(virtual_devices: VirtualDevices) -> None:
    with Chat(virtual_devices, "--local", "--half-duplex", "--max-turns", "1") as chat:
        assert chat.wait_for("notice")["text"] == HALF_DUPLEX
        chat.wait_for("session")
        virtual_devices.play_into_mic(speech())
        assert not chat.wait_for("assistant")["interrupted"]
