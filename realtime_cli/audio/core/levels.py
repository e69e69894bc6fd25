"""What of the model's voice can be heard at all, and what is none of it."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

AUDIBLE_PEAK = 33
"""-60 dBFS: what is played more softly is not heard."""


@cache
def silence(frames: int) -> npt.NDArray[np.int16]:
    """So many frames of it: always the same array, not to be written to, and known by that at no cost."""
    samples = np.zeros(frames, np.int16)
    samples.flags.writeable = False
    return samples


def is_audible(samples: npt.NDArray[np.int16]) -> bool:
    """Whether these samples, int16 of shape ``(frames,)``, can be heard when they are played."""
    if samples is silence(len(samples)):
        return False
    return len(samples) > 0 and max(int(samples.max()), -int(samples.min())) >= AUDIBLE_PEAK
