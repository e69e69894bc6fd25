"""When a microphone that gives nothing but zeros is news."""

from __future__ import annotations

import pytest

from realtime_cli.audio.core.pcm import BLOCK_BYTES, BLOCK_MS
from realtime_cli.audio.core.silence import FIRST_S, LATER_S, PAUSE_PEAK, PAUSE_S, DigitalSilence, PauseDetector

ZEROS, SOUND = bytes(BLOCK_BYTES), bytes(BLOCK_BYTES - 1) + b"\1"


def news(silence: DigitalSilence, *spells: tuple[bytes, float]) -> list[bool]:
    """What ``lasts`` became, in order, while blocks were heard for so many seconds each."""
    found = []
    for block, seconds in spells:
        for _ in range(round(seconds * 1000 / BLOCK_MS)):
            if silence.hear(block):
                found.append(silence.lasts)
    return found


def test_a_microphone_that_never_gave_a_sound_is_told_once_and_its_first_sound_too() -> None:
    assert news(DigitalSilence(), (ZEROS, 4 * FIRST_S), (SOUND, 1)) == [True, False]


def test_a_microphone_that_falls_silent_later_is_told_after_a_longer_time() -> None:
    assert news(DigitalSilence(), (SOUND, 1), (ZEROS, LATER_S - 0.1)) == []
    assert news(DigitalSilence(), (SOUND, 1), (ZEROS, LATER_S)) == [True]


@pytest.mark.parametrize(("gap_s", "told"), [(LATER_S - 1, []), (1.5 * LATER_S, [True, False])])
def test_a_noise_gate_that_closes_between_sentences_is_told_at_most_once(gap_s: float, told: list[bool]) -> None:
    spells = [(SOUND, 1.0), (ZEROS, gap_s)] * 8
    assert news(DigitalSilence(), *spells, (SOUND, 1)) == told


def peaks(level: int) -> bytes:
    """A block that is so loud for a moment, in either direction."""
    return bytes(BLOCK_BYTES // 4) + (level.to_bytes(2, "little", signed=True) * 8) + bytes(BLOCK_BYTES * 3 // 4 - 16)


@pytest.mark.parametrize("level", [PAUSE_PEAK, -PAUSE_PEAK])
def test_a_pause_begins_two_seconds_after_the_last_word_and_ends_with_the_next(level: int) -> None:
    pause = PauseDetector()
    assert pause.hear(ZEROS)  # nobody has spoken yet
    assert not pause.hear(peaks(level))
    quiet = [pause.hear(peaks(level // 2)) for _ in range(2 * PAUSE_S * 1000 // BLOCK_MS)]
    assert quiet.index(True) == PAUSE_S * 1000 // BLOCK_MS - 1
    assert all(quiet[quiet.index(True) :])
    assert not pause.hear(peaks(level))
