"""A short sound that is easy to find again, and where and how loud it came back. Pure arithmetic.

The chirp is an exponential sweep (A. Farina, "Simultaneous measurement of impulse response and distortion with a
swept-sine technique", AES 108, 2000): all of the voice's band in a third of a second, so that the recording can be
compared with it in one cross-correlation, and noise 30 dB stronger than the echo hides nothing.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from realtime_cli.audio.core.pcm import RATE_HZ, ms_to_frames

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.floating[Any]]

CHIRP_MS = 300
LOWEST_HZ, HIGHEST_HZ = 300.0, 7000.0
"""What small loudspeakers and microphones can do, and what a voice needs."""

PEAK = 0.1
"""-20 dBFS: soft, and yet far above the noise of a quiet room once it has been correlated."""

_FADE_MS = 15
_ROOM_MS = 150
"""How long a living room answers: what comes this long after the chirp still belongs to its echo."""

_SURE = 8.0
"""How far the correlation must stand out of what noise alone gives: in 20,000 normal values none reaches five."""

_DIGITAL_NOISE = 1 / math.sqrt(12)
"""Rounding to whole numbers, in steps: where the microphone is digitally silent there is at least this noise."""


class Echo(msgspec.Struct, frozen=True):
    """What came back of the chirp: where it begins in the recording, and how loud it is beside what was played."""

    at_frame: int
    gain_db: float


def chirp() -> Samples:
    """The sound, ``(frames,)``, 24 kHz."""
    seconds = CHIRP_MS / 1000
    time = np.arange(ms_to_frames(CHIRP_MS)) / RATE_HZ
    octaves = math.log(HIGHEST_HZ / LOWEST_HZ)
    phase = 2 * math.pi * LOWEST_HZ * seconds / octaves * (np.exp(time / seconds * octaves) - 1)
    fade = np.sin(np.linspace(0, math.pi / 2, ms_to_frames(_FADE_MS))) ** 2
    shape = np.ones(len(time))
    shape[: len(fade)], shape[-len(fade) :] = fade, fade[::-1]
    return (np.sin(phase) * shape * PEAK * 32767).astype(np.int16)


def find_echo(recording: Samples, played: Samples, quiet_frames: int) -> Echo | None:
    """Look for ``played`` in ``recording``, whose first ``quiet_frames`` are from before it was played.

    None when nothing stands out of the noise. The gain is that of all the energy the room sent back.
    """
    heard, sent = recording.astype(float), played.astype(float)
    found = np.abs(_correlate(heard, sent))
    energy = float(sent @ sent)
    before = found[: max(1, quiet_frames - len(sent))]
    noise = max(float(np.sqrt(np.mean(before**2))), _DIGITAL_NOISE * math.sqrt(energy))
    at = int(np.argmax(found))
    if at < quiet_frames or found[at] < _SURE * noise:
        return None
    direct = (float(found[at]) / energy) ** 2
    room = heard[at : at + len(sent) + ms_to_frames(_ROOM_MS)]
    hum = float(np.mean(heard[:quiet_frames] ** 2)) * len(room)
    return Echo(at, 10 * math.log10(max(direct, (float(room @ room) - hum) / energy)))


def _correlate(heard: Floats, sent: Floats) -> Floats:
    """How alike ``sent`` and the part of ``heard`` that begins at each frame are, ``(frames,)``.

    Whole parts only: where the recording breaks off, a hum would end like a click, which is like everything.
    """
    size = 1 << (len(heard) + len(sent)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size))
    return np.fft.irfft(spectrum, size)[: len(heard) - len(sent) + 1]
