"""What recordings of the microphone mean for a conversation. Pure: samples in, checks out."""

from __future__ import annotations

import math
import sys
from enum import Enum

import numpy as np

from realtime_cli.audio.drivers.library import unmute_remedy
from realtime_cli.doctor.check import Check, doubtful, failed, good
from realtime_cli.doctor.chirp import Echo, Samples
from realtime_cli.errors import AudioError

_FULL_SCALE = 32_700
"""A sample this large was cut off, or is about to be."""

_CLIPPED_SAMPLES = 10
_QUIET_DBFS = -55.0
"""A peak under this is what a quiet room gives, and no voice does at any useful input level."""

_LOUD_ECHO_DB = 0.0
"""The microphone hears the loudspeaker at more than was played: both are turned up far too high."""


class EchoProtection(Enum):
    """What keeps the model from hearing itself."""

    CANCELLER = "echo cancellation"
    MISSING = "echo cancellation is wanted, and not installed"
    OFF = "echo cancellation is not wanted"
    TURNS = "nobody is heard while the model speaks"


_NO_CANCELLER = {
    EchoProtection.MISSING: ("and echo cancellation is not installed", "pip install pywebrtc-audio"),
    EchoProtection.OFF: ("and echo cancellation is switched off", "leave out --no-aec"),
}


def peak_dbfs(samples: Samples) -> float:
    """The peak, beside full scale; minus infinity for digital silence."""
    peak = int(np.abs(samples.astype(np.int32)).max(initial=0))
    return 20 * math.log10(peak / 32_768) if peak else -math.inf


def judge_microphone(name: str, opened: str, samples: Samples, platform: str = sys.platform) -> Check:
    """``samples``: about a second of the microphone; ``opened``: how it was opened."""
    if not len(samples):
        return failed(
            name,
            AudioError(f"{opened} delivers no sound at all", "close what else uses it, or choose another with --mic"),
        )
    level = peak_dbfs(samples)
    if level == -math.inf:
        # A chat runs with it, and says the same.
        return doubtful(
            name, f"{opened} delivers nothing but digital silence: nobody is heard", unmute_remedy(platform)
        )
    finding = f"{opened}; peak {level:.0f} dBFS"
    if np.count_nonzero(np.abs(samples.astype(np.int32)) >= _FULL_SCALE) >= _CLIPPED_SAMPLES:
        return doubtful(name, f"{finding}, clipped", "lower the input level in the system's sound settings")
    if level < _QUIET_DBFS:
        return doubtful(name, f"{finding}, very quiet", "if you spoke, raise the input level; if not, all may be well")
    return good(name, finding)


def judge_echo(name: str, echo: Echo | None, latency_ms: float, *, protection: EchoProtection) -> Check:
    """``latency_ms``: from the program through the air and back."""
    if echo is None:
        return good(name, "none came back: headphones, or the loudspeaker is turned down (did you hear the chirp?)")
    finding = f"{echo.gain_db:+.1f} dB, back after {latency_ms:.0f} ms"
    if protection is EchoProtection.TURNS:
        return good(name, f"{finding}: no matter, as the microphone rests while the model speaks")
    if protection is not EchoProtection.CANCELLER:
        problem, fix = _NO_CANCELLER[protection]
        return doubtful(name, f"{finding}, {problem}", f"{fix}; or headphones, --half-duplex or --ptt")
    if echo.gain_db > _LOUD_ECHO_DB:
        remedy = "turn the volume down, or use headphones, --half-duplex or --ptt"
        return doubtful(name, f"{finding}: too loud to be cancelled well", remedy)
    return good(name, f"{finding}: open speakers, with echo cancellation")
