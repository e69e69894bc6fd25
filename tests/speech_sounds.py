"""Sounds a person makes while the model speaks, the same in every run: words, assent in several voices, coughs, claps.

All are int16, shape ``(frames,)``, 24 kHz, without silence around them, at a given loudness (root mean square of what
is not silent, dB of full scale).
"""

from __future__ import annotations

import subprocess
from functools import cache

import numpy as np
import numpy.typing as npt
import soxr

from realtime_cli.audio.core.pcm import BLOCK_FRAMES, RATE_HZ

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]

VOICES = ("en-us+m3", "en-gb+f2", "en-us+f4", "en-gb+m7")
"""Two men and two women of espeak-ng's."""

ASSENTS = ("[[m@h'@m]]", "Yeah.", "Uh-huh.", "Right.", "Okay.")
"""What listeners say without wanting the floor. The first is "mm-hm" in phonemes: espeak-ng reads out its letters."""

OBJECTIONS = (
    "Wait, stop there for a moment please.",
    "No, that is not what I meant.",
    "Actually, tell me something else.",
)
"""What they say when they do."""

LEVEL_DBFS = -25.0
"""A voice at arm's length from a laptop."""

_ESPEAK_RATE_HZ = 22_050
_WAV_HEADER_BYTES = 44


def speech(text: str, voice: str = VOICES[0], *, level_dbfs: float = LEVEL_DBFS) -> Samples:
    """Words, spoken by espeak-ng (a program of Debian's of the same name)."""
    return _at_level(spoken(text, voice), level_dbfs)


def assent(number: int, *, level_dbfs: float = LEVEL_DBFS) -> Samples:
    """One of twenty: each of ``ASSENTS`` in each of ``VOICES``."""
    text, voice = ASSENTS[number % len(ASSENTS)], VOICES[number // len(ASSENTS) % len(VOICES)]
    return speech(text, voice, level_dbfs=level_dbfs)


def objection(number: int, *, level_dbfs: float = LEVEL_DBFS) -> Samples:
    """One of twelve: each of ``OBJECTIONS`` in each of ``VOICES``."""
    text, voice = OBJECTIONS[number % len(OBJECTIONS)], VOICES[number // len(OBJECTIONS) % len(VOICES)]
    return speech(text, voice, level_dbfs=level_dbfs)


def cough(number: int = 0, *, level_dbfs: float = LEVEL_DBFS) -> Samples:
    """Two bursts of breath, each a hard onset that dies away: some 450 ms of noise around 1 kHz, without pitch."""
    chance = np.random.default_rng(100 + number)
    bursts = [_burst(chance, ms, decay_ms) for ms, decay_ms in ((220, 60), (230, 80))]
    return _at_level(_band(np.concatenate(bursts), 400, 3000), level_dbfs)


def clap(number: int = 0, *, level_dbfs: float = LEVEL_DBFS) -> Samples:
    """A clap of the hands, or a door: 80 ms of broadband noise that is over in 15 ms, and its echo in the room."""
    chance = np.random.default_rng(200 + number)
    return _at_level(_band(_burst(chance, 80, 6) + 0.2 * _burst(chance, 80, 30), 300, 8000), level_dbfs)


@cache
def spoken(text: str, voice: str, words_a_minute: int = 160) -> Floats:
    """Words without silence around them, at a loudness of 1."""
    command = ["espeak-ng", "-v", voice, "-s", str(words_a_minute), "--stdout", text]
    wav = subprocess.run(command, check=True, capture_output=True).stdout[_WAV_HEADER_BYTES:]
    words: Floats = soxr.resample(np.frombuffer(wav, "<i2").astype(np.float32), _ESPEAK_RATE_HZ, RATE_HZ)
    loud = np.flatnonzero(np.abs(words) > 0.02 * np.abs(words).max())
    words = words[loud[0] : loud[-1]]
    return words / np.float32(loudness(words))


def loudness(signal: Floats) -> float:
    """Root mean square over the blocks that are not silent."""
    blocks = signal[: len(signal) // BLOCK_FRAMES * BLOCK_FRAMES].reshape(-1, BLOCK_FRAMES)
    power = np.square(blocks).mean(axis=1)
    return float(np.sqrt(power[power > power.max() * 1e-3].mean()))


def _burst(chance: np.random.Generator, ms: int, decay_ms: float) -> Floats:
    """Noise that begins within a millisecond and dies away."""
    times_ms = np.arange(RATE_HZ * ms // 1000) * 1000 / RATE_HZ
    envelope = np.minimum(times_ms, 1) * np.exp(-times_ms / decay_ms)
    return (chance.normal(size=len(times_ms)) * envelope).astype(np.float32)


def _band(signal: Floats, low_hz: float, high_hz: float) -> Floats:
    """What of a signal lies between two frequencies."""
    spectrum = np.fft.rfft(signal)
    hertz = np.fft.rfftfreq(len(signal), 1 / RATE_HZ)
    spectrum[(hertz < low_hz) | (hertz > high_hz)] = 0
    return np.fft.irfft(spectrum, len(signal)).astype(np.float32)


def _at_level(signal: Floats, level_dbfs: float) -> Samples:
    scaled = signal / np.float32(loudness(signal)) * np.float32(32768 * 10 ** (level_dbfs / 20))
    return np.round(scaled).clip(-32768, 32767).astype(np.int16)
