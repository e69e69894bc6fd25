"""G.711: the telephone formats ``audio/pcmu`` and ``audio/pcma``, one byte a frame at 8 kHz (ITU-T G.711)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr

from realtime_cli.audio.core import pcm

RATE_HZ = 8000


def _mu_law() -> npt.NDArray[np.int16]:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    level = (((code & 0x0F) << 3) + 0x84 << ((code >> 4) & 7)) - 0x84
    return np.asarray(np.where(code & 0x80, -level, level), np.int16)


def _a_law() -> npt.NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code >> 4) & 7
    level = ((code & 0x0F) << 4) + 8 + np.where(segment > 0, 0x100, 0)
    level = level << np.maximum(segment - 1, 0)
    return np.asarray(np.where(code & 0x80, level, -level), np.int16)


_LEVELS = {"audio/pcmu": _mu_law(), "audio/pcma": _a_law()}


def decode(data: bytes, audio_format: str) -> npt.NDArray[np.int16]:
    """Frames of 8 kHz audio, shape ``(frames,)``."""
    return _LEVELS[audio_format][np.frombuffer(data, np.uint8)]


def narrow(frames: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """24 kHz audio, shape ``(frames,)``, at 8 kHz."""
    narrowed: npt.NDArray[np.int16] = soxr.resample(frames, pcm.RATE_HZ, RATE_HZ)
    return narrowed


def encode(frames: npt.NDArray[np.int16], audio_format: str) -> bytes:
    """The nearest code of each frame of 8 kHz audio."""
    levels = _LEVELS[audio_format]
    order = np.argsort(levels, kind="stable")
    ascending = levels[order].astype(np.int32)
    between = (ascending[1:] + ascending[:-1]) // 2
    codes = order[np.searchsorted(between, frames.astype(np.int32))]
    return codes.astype(np.uint8).tobytes()
