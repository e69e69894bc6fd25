"""Where audio is cut for a server that hears no pauses."""

from __future__ import annotations

from collections.abc import Iterator

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.transcription.commit_segmentation import LONGEST_MS, Cutter
from tests.audio_signals import tone

BLOCK = 2_400 * 2
"""100 ms."""


def blocks(pcm: bytes) -> Iterator[bytes]:
    return (pcm[at : at + BLOCK] for at in range(0, len(pcm), BLOCK))


def cuts_of(pcm: bytes) -> list[f.Cut]:
    cutter = Cutter()
    found = [cut for block in blocks(pcm) if (cut := cutter.hear(block))]
    return found + [cut for cut in [cutter.finish()] if cut]


def test_speech_without_a_pause_is_cut_at_the_longest_length() -> None:
    assert cuts_of(tone(20_000)) == [f.Cut(0, LONGEST_MS, True), f.Cut(LONGEST_MS, 20_000, True)]


def test_speech_is_cut_in_a_pause_where_there_is_one() -> None:
    noise = tone(500, level=0.002)
    assert cuts_of(tone(6000) + noise + tone(3000)) == [f.Cut(0, 6400, True), f.Cut(6400, 9500, True)]
    assert cuts_of(tone(3000) + noise + tone(3000)) == [f.Cut(0, 6500, True)]


def test_silence_is_cut_as_such_and_a_rest_under_100_ms_is_no_piece() -> None:
    assert cuts_of(bytes(48 * 5000)) == [f.Cut(0, 5000, False)]
    assert cuts_of(tone(LONGEST_MS) + tone(60)) == [f.Cut(0, LONGEST_MS, True)]
