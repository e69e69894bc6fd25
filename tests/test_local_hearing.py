"""The engines' ear on real speech: espeak-ng speaks, and what was said is told from silence and recognised."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soxr

from realtime_cli.server.engines.interface import EAR_RATE_HZ, VAD_FRAMES, SpeechToText
from realtime_cli.server.engines.loading import Engines
from realtime_cli.server.engines.mel import log_mel
from tests.needs import need_espeak
from tests.real_engines import heard_in

if TYPE_CHECKING:
    import numpy.typing as npt

    Speech = npt.NDArray[np.float32]

ESPEAK_RATE_HZ = 22_050
SECOND = EAR_RATE_HZ
WAV_HEADER_BYTES = 44


@cache
def spoken(text: str, voice: str = "en-us") -> Speech:
    """``text`` said by espeak-ng, at 16 kHz."""
    need_espeak()
    wav = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", "160", "--stdout", text], check=True, capture_output=True
    ).stdout
    samples = np.frombuffer(wav[WAV_HEADER_BYTES:], "<i2").astype(np.float32) / 32768
    return np.asarray(soxr.resample(samples, ESPEAK_RATE_HZ, EAR_RATE_HZ), np.float32)


def silence(seconds: float) -> Speech:
    return np.zeros(int(seconds * SECOND), np.float32)


def noise(seconds: float, level: float) -> Speech:
    return np.random.default_rng(0).normal(0, level, int(seconds * SECOND)).astype(np.float32)


# Voice activity


def probabilities(engines: Engines, sound: Speech) -> list[float]:
    activity = engines.voice_activity()
    ends = range(VAD_FRAMES, len(sound), VAD_FRAMES)
    return [activity.probability(sound[end - VAD_FRAMES : end]) for end in ends]


def test_speech_is_told_from_the_silence_around_it(engines: Engines) -> None:
    found = probabilities(
        engines, np.concatenate((silence(1), spoken("How many legs does a spider have?"), silence(1)))
    )
    per_second = SECOND // VAD_FRAMES
    assert max(found[: per_second - 2]) < 0.3
    assert np.mean(np.array(found[per_second + 5 : -per_second - 10]) > 0.5) > 0.9
    assert max(found[-per_second // 2 :]) < 0.3


def test_noise_is_no_speech(engines: Engines) -> None:
    assert max(probabilities(engines, noise(2, 0.05))) < 0.5


def test_a_reset_makes_voice_activity_answer_as_at_the_start(engines: Engines) -> None:
    activity = engines.voice_activity()
    frame = spoken("Hello there.")[4096 : 4096 + VAD_FRAMES]
    first = activity.probability(frame)
    again = activity.probability(frame)
    activity.reset()
    assert activity.probability(frame) == first != again


def test_two_streams_of_voice_activity_know_nothing_of_each_other(engines: Engines) -> None:
    one, other = engines.voice_activity(), engines.voice_activity()
    frame = spoken("Hello there.")[4096 : 4096 + VAD_FRAMES]
    first = one.probability(frame)
    one.probability(frame)
    assert other.probability(frame) == first


def test_a_window_of_another_size_is_refused(engines: Engines) -> None:
    with pytest.raises(ValueError, match="512"):
        engines.voice_activity().probability(silence(1))


# Speech recognition


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


@pytest.mark.parametrize("voice", ["en-us", "en-gb"])
@pytest.mark.parametrize(
    "said",
    [
        "Tell me a joke.",
        "Turn off the light in the kitchen, please.",
        "I would like to book a table for tomorrow evening.",
    ],
)
def test_what_is_said_is_recognised_word_by_word(ear: SpeechToText, said: str, voice: str) -> None:
    found = heard_in(ear, spoken(said, voice))
    assert words(found.text) == words(said)
    assert found.no_speech_probability < 0.5


def test_faint_speech_is_recognised_as_well(ear: SpeechToText) -> None:
    found = heard_in(ear, spoken("Stop.") * np.float32(0.005))
    assert words(found.text) == ["stop"]
    assert found.no_speech_probability < 0.5


@pytest.mark.parametrize(
    "sound",
    [silence(1), silence(4), noise(1, 0.001), noise(2, 0.05), noise(4, 0.3)],
    ids=["silence", "longer silence", "faint noise", "noise", "loud noise"],
)
def test_where_nobody_speaks_nothing_is_recognised(ear: SpeechToText, sound: Speech) -> None:
    heard = heard_in(ear, sound)
    assert heard.text == ""
    assert heard.no_speech_probability > 0.8


def test_a_hum_in_which_the_model_hears_you_stays_empty(ear: SpeechToText) -> None:
    hum = np.sin(np.arange(4 * SECOND) * 2 * np.pi * 120 / EAR_RATE_HZ).astype(np.float32)
    assert heard_in(ear, hum).text == ""


def test_no_audio_at_all_is_no_speech(ear: SpeechToText) -> None:
    heard = heard_in(ear, silence(0))
    assert (heard.text, heard.no_speech_probability) == ("", 1.0)


def test_speech_of_more_than_thirty_seconds_is_recognised_to_its_end(ear: SpeechToText) -> None:
    sentences = [f"Sentence number {n} is about the weather in the mountains." for n in range(1, 16)]
    speech = np.concatenate([np.concatenate((spoken(sentence), silence(0.4))) for sentence in sentences])
    assert len(speech) > 45 * SECOND
    text = heard_in(ear, speech).text.lower()
    assert text.count("weather") == text.count("mountains") == len(sentences)
    assert "15" in text or "fifteen" in text


def test_long_speech_is_cut_where_it_is_quiet_and_loses_nothing(engines: Engines) -> None:
    from realtime_cli.server.engines.whisper import split

    speech = noise(70, 0.1)
    pauses = (24 * SECOND, 50 * SECOND)
    for pause in pauses:
        speech[pause : pause + SECOND // 2] = 0
    pieces = list(split(speech))
    cuts = np.cumsum([len(piece) for piece in pieces])[:-1]
    assert np.array_equal(np.concatenate(pieces), speech)
    assert [pause <= cut < pause + SECOND // 2 for cut, pause in zip(cuts, pauses, strict=True)] == [True, True]


def test_the_picture_of_a_pure_tone_is_bright_at_its_pitch_and_while_it_lasts() -> None:
    tone = np.sin(np.arange(SECOND) * 2 * np.pi * 1000 / EAR_RATE_HZ).astype(np.float32)
    picture = log_mel(tone)
    assert picture.shape == (80, 3000)
    # 1000 Hz is mel 15 of 45.2, which 81 steps cover: band 25 or 26.
    assert set(picture[:, 10:90].argmax(axis=0)) <= {25, 26}
    assert picture[:, 105:].max() == picture.min()


def test_the_picture_does_not_depend_on_silence_being_written_out() -> None:
    speech = spoken("Tell me a joke.")
    padded = np.concatenate((speech, silence(30 - len(speech) / SECOND)))
    np.testing.assert_allclose(log_mel(speech), log_mel(padded), atol=1e-5)
