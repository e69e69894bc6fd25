"""A linear echo canceller, for comparison with what the program uses: a partitioned-block Kalman filter.

After Enzner and Vary, "Frequency-domain adaptive Kalman filter for acoustic echo control in hands-free telephones",
Signal Processing 86 (2006), with the partitions of Kuech, Mabande and Enzner (ICASSP 2014). Being linear it takes
nothing from the user's words, and being exact it loses an echo whose path changes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realtime_cli.audio.core.pcm import BLOCK_FRAMES

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]

PARTITIONS = 20
"""Of 20 ms: echoes up to 400 ms."""

TRANSITION = np.float32(0.9998) ** 2
CONSTRAINED = 4
"""Partitions whose filter is cut back to 20 ms in each block, by turns: all of them would cost half as much again."""

FIRST_VARIANCE = 0.03


class LinearFilter:
    """20 ms at a time, without delay."""

    def __init__(self) -> None:
        shape = (PARTITIONS, BLOCK_FRAMES + 1)
        self._filter = np.zeros(shape, np.complex64)
        self._variance = np.full(shape, FIRST_VARIANCE, np.float32)
        self._spectra = np.zeros(shape, np.complex64)
        self._powers = np.zeros(shape, np.float32)
        self._noise = np.zeros(shape[1], np.float32)
        self._window = np.zeros(2 * BLOCK_FRAMES, np.float32)
        self._next = 0

    def clean(self, played: Samples, heard: Samples) -> Samples:
        """The block without what can be computed from what was played."""
        self._advance(played.astype(np.float32) / 32768)
        echo: Floats = np.fft.irfft(np.einsum("pk,pk->k", self._spectra, self._filter))[BLOCK_FRAMES:]
        left = heard.astype(np.float32) / 32768 - echo
        self._learn(np.fft.rfft(np.concatenate((np.zeros(BLOCK_FRAMES, np.float32), left))))
        return np.asarray((left * 32768).clip(-32768, 32767), np.int16)

    def _advance(self, block: Floats) -> None:
        self._window = np.concatenate((self._window[BLOCK_FRAMES:], block))
        spectrum = np.fft.rfft(self._window)
        self._spectra = np.concatenate((spectrum[np.newaxis], self._spectra[:-1]))
        power = np.square(np.abs(spectrum))
        self._powers = np.concatenate((power[np.newaxis], self._powers[:-1]))

    def _learn(self, error: npt.NDArray[np.complex64]) -> None:
        self._noise = np.float32(0.5) * (self._noise + np.square(np.abs(error)))
        expected = np.float32(0.5) * (self._variance * self._powers).sum(axis=0) + self._noise + np.float32(1e-6)
        step = self._variance / expected
        self._filter += step * np.conj(self._spectra) * error
        self._variance *= np.maximum(1 - np.float32(0.5) * step * self._powers, 0)
        self._variance = TRANSITION * self._variance + (1 - TRANSITION) * np.square(np.abs(self._filter))
        those = np.arange(self._next, self._next + CONSTRAINED) % PARTITIONS
        self._next = (self._next + CONSTRAINED) % PARTITIONS
        response = np.fft.irfft(self._filter[those], axis=1)
        response[:, BLOCK_FRAMES:] = 0
        self._filter[those] = np.fft.rfft(response, axis=1)
