"""Transcripts as text and as subtitles."""

from __future__ import annotations

import pytest

from realtime_cli.conversation.records import Transcribed
from realtime_cli.view.subtitles import Format, cues, writer

LONG = "The quick brown fox jumps over the lazy dog, and then it does the same thing over and over again until night."


def test_a_long_stretch_becomes_several_cues_of_two_lines() -> None:
    made = cues(Transcribed(item_id="a", text=LONG, start_ms=1000, end_ms=9000))
    assert len(made) == 2
    assert all(len(line) <= 42 for cue in made for line in cue.lines)
    assert (made[0].start_ms, made[-1].end_ms) == (1000, 9000)
    assert made[0].end_ms == made[1].start_ms
    assert " ".join(line for cue in made for line in cue.lines) == LONG


def test_a_cue_whose_end_nobody_told_lasts_as_long_as_reading_takes() -> None:
    (short,) = cues(Transcribed(item_id="a", text="Yes.", start_ms=500))
    assert short.end_ms == 1500


@pytest.mark.parametrize(
    ("form", "document"),
    [
        ("txt", "Is 1 < 2 --> yes?\nNo.\n"),
        (
            "srt",
            "1\n01:01:01,001 --> 01:01:02,000\nIs 1 < 2 -> yes?\n\n2\n01:01:03,000 --> 01:01:04,000\nNo.\n\n",
        ),
        (
            "vtt",
            "WEBVTT\n\n01:01:01.001 --> 01:01:02.000\nIs 1 &lt; 2 --&gt; yes?\n\n"
            "01:01:03.000 --> 01:01:04.000\nNo.\n\n",
        ),
    ],
)
def test_the_formats(form: Format, document: str) -> None:
    made = writer(form)
    pieces = [
        Transcribed(item_id="a", text="Is 1 < 2\n--> yes?", start_ms=3_661_001, end_ms=3_662_000),
        Transcribed(item_id="b", text="No.", start_ms=3_663_000, end_ms=3_664_000),
    ]
    assert made.head() + "".join(map(made.piece, pieces)) + made.tail() == document
