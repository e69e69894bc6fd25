"""Where speech begins and ends, told from speech probabilities every 32 ms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from realtime_cli.server.core.effects import Span
from realtime_cli.server.listening.endpointing import (
    ASKING_MS,
    Asking,
    Decision,
    Endpointer,
    Endpointing,
    MaybeEnded,
    Meaning,
    Resumed,
    SpeechStarted,
    SpeechStopped,
)
from realtime_cli.server.listening.input_audio import InputAudio
from tests.local_engines import LoudnessVad

QUIET, LOUD = 0.02, 0.98
NO_PADDING = Endpointing(prefix_padding_ms=0)


def decide(probabilities: list[float], settings: Endpointing = NO_PADDING, start_ms: int = 0) -> list[Decision]:
    endpointer = Endpointer(settings, start_ms)
    return [decision for value in probabilities if (decision := endpointer.frame(value))]


def test_a_spoken_turn_starts_at_its_first_frame_and_stops_when_the_silence_has_lasted() -> None:
    assert decide([QUIET] * 10 + [LOUD] * 20 + [QUIET] * 40) == [
        SpeechStarted(320),
        MaybeEnded(960 + 4 * 32),
        SpeechStopped(960 + 16 * 32),
    ]


def test_a_start_is_known_with_the_third_loud_frame() -> None:
    endpointer = Endpointer(NO_PADDING)
    assert [endpointer.frame(LOUD) for _ in range(3)] == [None, None, SpeechStarted(0)]


@pytest.mark.parametrize("click", [[LOUD], [LOUD, LOUD], [LOUD, QUIET, QUIET, LOUD, LOUD]])
def test_a_click_is_no_speech(click: list[float]) -> None:
    assert decide([QUIET] * 10 + click + [QUIET] * 40) == []


def test_a_missed_frame_at_the_onset_does_not_delay_the_start() -> None:
    assert decide([LOUD, QUIET, LOUD, LOUD])[0] == SpeechStarted(0)


def test_padding_reaches_back_but_never_before_the_start_of_the_buffer() -> None:
    padded = Endpointing(prefix_padding_ms=300)
    assert decide([QUIET] * 20 + [LOUD] * 3, padded) == [SpeechStarted(340)]
    assert decide([QUIET] * 2 + [LOUD] * 3, padded, start_ms=1000) == [SpeechStarted(1000)]


def test_padding_never_reaches_into_the_turn_before() -> None:
    padded = Endpointing(prefix_padding_ms=2000)
    decisions = decide([LOUD] * 5 + [QUIET] * 20 + [LOUD] * 5, padded)
    stopped = next(one for one in decisions if isinstance(one, SpeechStopped))
    assert decisions[-1] == SpeechStarted(stopped.audio_end_ms)


def test_a_pause_is_suspected_and_then_resumed() -> None:
    decisions = decide([LOUD] * 10 + [QUIET] * 10 + [LOUD] * 10 + [QUIET] * 40)
    assert [type(one) for one in decisions] == [SpeechStarted, MaybeEnded, Resumed, MaybeEnded, SpeechStopped]


def test_a_click_in_the_pause_does_not_prolong_it() -> None:
    decisions = decide([LOUD] * 10 + [QUIET] * 10 + [LOUD] + [QUIET] * 10)
    assert decisions[-1] == SpeechStopped((10 + 16) * 32)


def test_doubtful_frames_neither_start_nor_end_speech() -> None:
    doubtful = 0.4
    assert decide([doubtful] * 50) == []
    assert decide([LOUD] * 10 + [doubtful] * 50) == [SpeechStarted(0)]


def test_the_threshold_is_the_clients() -> None:
    assert decide([0.6] * 10, Endpointing(threshold=0.7)) == []
    assert decide([0.6] * 10, Endpointing(threshold=0.5, prefix_padding_ms=0)) == [SpeechStarted(0)]


def test_a_short_silence_setting_ends_the_turn_without_a_suspicion() -> None:
    brief = Endpointing(prefix_padding_ms=0, silence_duration_ms=100)
    assert decide([LOUD] * 10 + [QUIET] * 10, brief) == [SpeechStarted(0), SpeechStopped(320 + 128)]


def tone(seconds: float, rate_hz: int = 24000) -> bytes:
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    return (np.sin(2 * np.pi * 220 * time) * 20000).astype("<i2").tobytes()


def silence(seconds: float) -> bytes:
    return bytes(2 * int(seconds * 24000))


def ear(settings: Endpointing | None = NO_PADDING) -> InputAudio:
    made = InputAudio(LoudnessVad)
    made.listen("audio/pcm", settings)
    return made


def test_the_ear_finds_the_same_turns_in_any_slicing_of_the_audio() -> None:
    audio = silence(0.5) + tone(1.0) + silence(1.0) + tone(0.5) + silence(1.0)
    whole = list(ear().hear(audio))
    sliced = ear()
    odd = [decision for at in range(0, len(audio), 481) for decision in sliced.hear(audio[at : at + 481])]
    assert whole == odd
    assert [type(one) for one in whole] == [SpeechStarted, MaybeEnded, SpeechStopped] * 2


def test_the_ear_forgets_a_turn_in_the_middle_of_a_large_piece_and_still_finds_the_next() -> None:
    listener = ear()
    decisions = []
    for decision in listener.hear(silence(0.5) + tone(1.0) + silence(1.0) + tone(0.5) + silence(1.0)):
        decisions.append(decision)
        if isinstance(decision, SpeechStopped):
            listener.forget(decision.audio_end_ms)
    starts = [one.audio_start_ms for one in decisions if isinstance(one, SpeechStarted)]
    assert starts == pytest.approx([500, 2500], abs=32)


def test_the_ear_cuts_out_what_was_said_at_16_khz() -> None:
    listener = ear(None)
    assert list(listener.hear(silence(1.0) + tone(1.0) + silence(1.0))) == []
    cut = listener.cut(Span(1000, 2000))
    assert len(cut) == 16000
    assert float(np.abs(cut).max()) == pytest.approx(20000 / 32768, rel=0.05)
    listener.forget(1500)
    assert len(listener.cut(Span(1000, 2000))) == 8000


def test_the_ear_keeps_no_more_than_half_a_minute_of_silence() -> None:
    listener = ear()
    for _ in range(40):
        assert list(listener.hear(silence(1.0))) == []
    assert len(listener.cut(Span(0, 40_000))) == 30 * 16000


@pytest.mark.parametrize(("kind", "subtype"), [("audio/pcmu", "ULAW"), ("audio/pcma", "ALAW")])
def test_the_telephone_formats_are_those_of_libsndfile(kind: str, subtype: str) -> None:
    import io

    import soundfile

    from realtime_cli.audio.core import g711

    frames = np.arange(-32000, 32000, 7, dtype=np.int16)
    file = io.BytesIO()
    soundfile.write(file, frames, 8000, subtype=subtype, format="RAW")
    coded = file.getvalue()
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="int16", samplerate=8000, channels=1, subtype=subtype, format="RAW")
    np.testing.assert_array_equal(g711.decode(coded, kind), decoded)
    ours = g711.decode(g711.encode(frames, kind), kind).astype(int)
    theirs = decoded.astype(int)
    assert np.abs(ours - frames).max() <= np.abs(theirs - frames).max()
    np.testing.assert_array_equal(g711.decode(g711.encode(decoded, kind), kind), decoded)


# The end of a turn by its meaning

ASKED = Endpointing(prefix_padding_ms=0, meaning=Meaning(finished_from=0.5, last_resort_ms=2000, silence_ms=700))


def judged(answers: list[float], silent_frames: int, *, can_ask: bool = True) -> list[tuple[int, str]]:
    """Ten frames of speech, then silence; each question gets the next answer. When what was decided."""
    endpointer = Endpointer(ASKED, can_ask=can_ask)
    given = iter(answers)
    told: list[tuple[int, str]] = []
    for number, probability in enumerate([1.0] * 10 + [0.0] * silent_frames, 1):
        found = endpointer.frame(probability)
        if isinstance(found, Asking):
            told.append((number * 32 - 320, "asked"))
            found = endpointer.judged(next(given, 0.0))
        if found is not None and not isinstance(found, SpeechStarted):
            told.append((number * 32 - 320, type(found).__name__))
    return told


def test_what_sounds_finished_is_over_after_a_fifth_of_a_second() -> None:
    assert judged([0.9], 100) == [(128, "MaybeEnded"), (192, "asked"), (192, "SpeechStopped")]


def test_what_sounds_unfinished_is_asked_about_again_and_ends_with_the_last_resort() -> None:
    assert judged([0.1, 0.8], 100) == [
        (128, "MaybeEnded"),
        *((ms, "asked") for ms in ASKING_MS),
        (2016, "SpeechStopped"),
    ]
    assert judged([0.1, 0.95], 100)[-1] == (960, "SpeechStopped")


def test_where_nobody_can_tell_a_silence_ends_the_turn() -> None:
    assert judged([], 100, can_ask=False) == [(128, "MaybeEnded"), (704, "SpeechStopped")]


def test_a_pause_is_no_end_and_each_pause_is_asked_about() -> None:
    endpointer = Endpointer(ASKED, can_ask=True)
    frames = [*[1.0] * 10, *[0.0] * 8, *[1.0] * 10, *[0.0] * 8]
    found = [endpointer.frame(probability) for probability in frames]
    assert [type(one).__name__ for one in found if one is not None] == [
        *("SpeechStarted", "MaybeEnded", "Asking"),
        *("Resumed", "MaybeEnded", "Asking"),
    ]


class Judge:
    """Says that everything is finished, and keeps what it heard."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def finished(self, speech: Any) -> float:
        self.heard.append(speech)
        return 1.0


def test_the_judge_hears_the_turn_up_to_now_and_at_most_its_last_eight_seconds() -> None:
    judge = Judge()
    audio = InputAudio(LoudnessVad, lambda: judge)
    audio.listen("audio/pcm", ASKED)
    decisions = [type(one).__name__ for one in audio.hear(tone(10) + silence(0.5))]
    assert decisions == ["SpeechStarted", "MaybeEnded", "SpeechStopped"]
    (heard,) = judge.heard
    assert len(heard) == 8 * 16_000
    assert np.abs(heard[-3000:]).max() < 0.01 < np.abs(heard[:3000]).max()
