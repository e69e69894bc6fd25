"""Whisper's front end in numpy: 16 kHz audio to the log-mel picture that the encoder reads.

The figures are those of Whisper's ``audio.py`` (https://github.com/openai/whisper, MIT): 25 ms Hann windows every
10 ms, 80 Slaney mel bands up to 8 kHz, base-10 logarithm, the lowest 8 decades below the loudest point clipped.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from realtime_cli.server.engines.interface import EAR_RATE_HZ

if TYPE_CHECKING:
    import numpy.typing as npt

    Samples = npt.NDArray[np.float32]

N_FFT = 400
HOP = 160
N_MELS = 80
WINDOW_FRAMES = 30 * EAR_RATE_HZ
"""Whisper is trained to read 30 s; what is missing is silence."""

SILENCE = np.float32(-10.0)
"""log10 of the smallest power that is told from nothing (1e-10)."""


def log_mel(speech: Samples, window_frames: int = WINDOW_FRAMES) -> Samples:
    """The picture of ``speech``, shape ``(frames,)``, -1..1, and the silence after it that fills the window.

    Its shape is ``(80, window_frames // 160)``. Only the part that holds sound is transformed, the silent rest is
    filled in: 2 ms for a 3 s clip in place of 30 ms. Raises ``ValueError`` for speech that does not fit.
    """
    if len(speech) > window_frames:
        raise ValueError(f"at most {window_frames} frames fit one window, got {len(speech)}")
    all_columns = window_frames // HOP
    columns = min(all_columns, (len(speech) + N_FFT // 2) // HOP + 1)
    padded = np.zeros(columns * HOP + N_FFT, np.float32)
    margin = N_FFT // 2
    padded[margin : margin + len(speech)] = speech
    mirrored = speech[1 : margin + 1][::-1]
    padded[margin - len(mirrored) : margin] = mirrored
    windows = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP][:columns]
    power = np.abs(np.fft.rfft(windows * _hann())) ** 2
    picture = np.full((all_columns, N_MELS), SILENCE, np.float32)
    picture[:columns] = np.log10(np.maximum(power.astype(np.float32) @ _mel_filters().T, 1e-10))
    np.maximum(picture, picture.max() - 8.0, out=picture)
    return np.ascontiguousarray(((picture + 4.0) / 4.0).T)


@cache
def _hann() -> Samples:
    """A periodic Hann window."""
    return np.hanning(N_FFT + 1)[:-1].astype(np.float32)


@cache
def _mel_filters() -> Samples:
    """Triangular filters, shape ``(80, 201)``, each of unit area (Slaney's, as in librosa's ``filters.mel``)."""
    edges_mel = np.linspace(0.0, float(_hz_to_mel(EAR_RATE_HZ / 2)), N_MELS + 2)
    edges = _mel_to_hz(edges_mel)
    bins = np.fft.rfftfreq(N_FFT, 1 / EAR_RATE_HZ)
    width = np.diff(edges)
    ramps = edges[:, np.newaxis] - bins[np.newaxis]
    rising = -ramps[:-2] / width[:-1, np.newaxis]
    falling = ramps[2:] / width[1:, np.newaxis]
    area = 2.0 / (edges[2:] - edges[:-2])
    filters: Samples = (np.maximum(0.0, np.minimum(rising, falling)) * area[:, np.newaxis]).astype(np.float32)
    return filters


# Slaney's mel scale: linear below 1 kHz (3 mel for 200 Hz), logarithmic above (27 steps for a factor of 6.4).
_LINEAR_HZ = 200.0 / 3.0
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _LINEAR_HZ
_LOG_STEP = float(np.log(6.4) / 27.0)


def _hz_to_mel(hz: float) -> float:
    return hz / _LINEAR_HZ if hz < _KNEE_HZ else _KNEE_MEL + float(np.log(hz / _KNEE_HZ)) / _LOG_STEP


def _mel_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(mel < _KNEE_MEL, mel * _LINEAR_HZ, _KNEE_HZ * np.exp(_LOG_STEP * (mel - _KNEE_MEL)))
