"""The engines' mouth: every voice says what it is told, and the engines' ear understands it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soxr

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.server.engines.interface import EAR_RATE_HZ, SpeechToText, TextToSpeech
from realtime_cli.server.engines.loading import Engines
from tests.real_engines import never, sound

if TYPE_CHECKING:
    import numpy.typing as npt


@pytest.fixture
def mouth(engines: Engines) -> TextToSpeech:
    return engines.tts


def heard(ear: SpeechToText, speech: npt.NDArray[np.int16]) -> str:
    samples = speech.astype(np.float32) / 32768
    return ear.transcribe(np.asarray(soxr.resample(samples, RATE_HZ, EAR_RATE_HZ), np.float32), None, never).text


def test_every_voice_says_what_it_is_told(ear: SpeechToText, mouth: TextToSpeech) -> None:
    sentence = "The capital of France is Paris."
    assert {voice: heard(ear, sound(mouth, sentence, voice, 1.0)) for voice in mouth.voices} == dict.fromkeys(
        mouth.voices, sentence
    )


def test_every_voice_sounds_different(mouth: TextToSpeech) -> None:
    spoken_by = {sound(mouth, "Hello there.", voice, 1.0).tobytes() for voice in mouth.voices}
    assert len(spoken_by) == len(mouth.voices) == 10


def test_an_unknown_voice_is_the_first_one(mouth: TextToSpeech) -> None:
    unknown = sound(mouth, "Hello there.", "nobody", 1.0)
    assert np.array_equal(unknown, sound(mouth, "Hello there.", mouth.voices[0], 1.0))


def pitch_hz(speech: npt.NDArray[np.int16]) -> float:
    """The middle one of the pitches of all 50 ms, each told by the strongest period between 60 and 400 Hz."""
    size, shortest, longest = RATE_HZ // 20, RATE_HZ // 400, RATE_HZ // 60
    frames = speech[: len(speech) // size * size].astype(np.float64).reshape(-1, size)
    loud = frames[np.abs(frames).max(axis=1) > 1000]
    spectrum = np.abs(np.fft.rfft(loud, 2 * size, axis=1)) ** 2
    periods = np.fft.irfft(spectrum, axis=1)[:, shortest:longest].argmax(axis=1)
    return float(RATE_HZ / (shortest + np.median(periods)))


def test_a_deep_voice_is_deeper_than_a_high_one(mouth: TextToSpeech) -> None:
    sentence = "Where are you now? We are all in the garden."
    deep, middle, high = (pitch_hz(sound(mouth, sentence, voice, 1.0)) for voice in ("echo", "marin", "shimmer"))
    assert deep < 0.8 * middle
    assert middle < 0.9 * high


def test_speed_makes_speech_shorter_or_longer(mouth: TextToSpeech) -> None:
    slow, plain, fast = (
        len(sound(mouth, "The quick brown fox jumps over the lazy dog.", "marin", speed)) for speed in (0.25, 1.0, 1.5)
    )
    assert slow > 3 * plain
    assert fast < 0.75 * plain


@pytest.mark.parametrize("text", ["", " \n", "😀"])
def test_what_cannot_be_spoken_is_empty_audio(mouth: TextToSpeech, text: str) -> None:
    speech = sound(mouth, text, "marin", 1.0)
    assert speech.shape == (0,)
    assert speech.dtype == np.int16


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("That is rule ①, please.", "one"),
        ("9" * 50, "9"),
    ],
)
def test_odd_numbers_are_read_sensibly(ear: SpeechToText, mouth: TextToSpeech, text: str, word: str) -> None:
    said = heard(ear, sound(mouth, text, "marin", 1.0)).lower()
    assert word in said or {"one": "1", "9": "nine"}.get(word, word) in said
    assert "hash" not in said
