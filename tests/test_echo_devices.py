"""Echo on real PortAudio streams: the loudspeaker is heard in the microphone through a room."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from realtime_cli.audio.core.echo_canceller import MISSING, POOR
from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.session.echo_control import HALF_DUPLEX
from tests.audio_signals import find
from tests.echo_scene import interruption, judge, replies, started_ms, through_room, to_pcm
from tests.echo_take import Take, Words, take
from tests.needs import need_espeak
from tests.speech_sounds import loudness
from tests.virtual_devices import VirtualDevices
from tests.voice_chat import Chat, speech

REPLY_S = 16.0
INTERRUPTED_AT_S = (5.0, 9.0, 12.5)
QUICK_MS = 500
ATTEMPTS = 3
SPOILED_SHARE = 0.1
"""Of the echo's loudness: what two computations of it may differ by, and no lost block is so soft."""

CALM_S = 4
"""For so long after the echo moved the canceller may look for it. What happens then says nothing."""


def spoiled(taken: Take, reply: Any, gain_db: float, words: list[Words]) -> tuple[bool, ...]:
    """Which seconds heard are not what the room would give: the machine was too busy for its sound."""
    ideal = through_room(reply, gain_db, 0) * 32767
    sounds = [(find(to_pcm(ideal / 32767), taken.heard), ideal)]
    sounds += [(at, said.samples) for at, said in zip(taken.onsets, words, strict=True)]
    left = taken.heard.astype(np.float32)
    for at, sound in sounds:
        count = min(len(sound), len(left) - at)
        left[at : at + count] -= sound[:count]
    seconds = left[: len(left) // RATE_HZ * RATE_HZ].reshape(-1, RATE_HZ)
    return tuple(np.sqrt(np.square(seconds).mean(axis=1)) > SPOILED_SHARE * loudness(sounds[0][1]))


@pytest.fixture(autouse=True)
def _voices() -> None:
    need_espeak()


@pytest.mark.parametrize(("gain_db", "delay_ms"), [(-12, 80), (-6, 150)])
def test_on_devices_the_model_does_not_hear_itself_and_hears_who_interrupts_it(
    sound: VirtualDevices, gain_db: float, delay_ms: float
) -> None:
    reply = replies(REPLY_S)
    level = loudness(reply) * 10 ** ((gain_db + 5) / 20)
    words = [
        Words(at_s, to_pcm(interruption(number) * np.float32(level))) for number, at_s in enumerate(INTERRUPTED_AT_S)
    ]
    for _ in range(ATTEMPTS):
        taken = take(sound, gain_db, delay_ms, to_pcm(reply), words)
        bad = spoiled(taken, reply, gain_db, words)
        if not any(bad):
            break

    def calm(ms: float) -> bool:
        """Nothing was spoiled for some seconds before and one after: else the canceller had to begin anew."""
        second = int(ms / 1000)
        return not any(bad[max(0, second - CALM_S) : second + 2])

    if not any(bad[: round(INTERRUPTED_AT_S[0])]):
        assert [ms for ms in started_ms(taken.heard) if ms < INTERRUPTED_AT_S[0] * 1000], (
            "there was no echo to keep out"
        )
    spoken = [(at / RATE_HZ, (at + len(said.samples)) / RATE_HZ) for at, said in zip(taken.onsets, words, strict=True)]
    judged = judge(started_ms(taken.sent), spoken)
    missed = [
        begin
        for (begin, _), noticed in zip(spoken, judged.noticed_ms, strict=True)
        if calm(begin * 1000 + QUICK_MS) and (noticed is None or noticed > QUICK_MS)
    ]
    assert not missed, judged.noticed_ms
    assert not [ms for ms in judged.false_ms if calm(ms)]


def test_a_chat_on_open_speakers_does_not_interrupt_itself(virtual_devices: VirtualDevices) -> None:
    with virtual_devices.echo(-6, 150), Chat(virtual_devices, "--local", "--max-turns", "1") as chat:
        chat.wait_for("session")
        virtual_devices.play_into_mic(speech())
        said = chat.wait_for("assistant")
        assert chat.wait_for_end() == 0
    assert not said["interrupted"]
    assert "paris" in said["text"].lower()
    told = [line["text"] for line in chat.lines if line["type"] == "notice"]
    assert not [text for text in told if MISSING in text or POOR in text]


def test_a_chat_says_that_it_is_half_duplex(virtual_devices: VirtualDevices) -> None:
    with Chat(virtual_devices, "--local", "--half-duplex", "--max-turns", "1") as chat:
        assert chat.wait_for("notice")["text"] == HALF_DUPLEX
        chat.wait_for("session")
        virtual_devices.play_into_mic(speech())
        assert not chat.wait_for("assistant")["interrupted"]
