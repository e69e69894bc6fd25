"""What of the model's voice can be heard at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

AUDIBLE_PEAK = 33
"""-60 dBFS: what is played more softly is not heard."""


def is_audible(samples: npt.NDArray[np.int16]) -> bool:
    """Whether these samples, int16 of shape ``(frames,)``, can be heard when they are played."""
    return len(samples) > 0 and max(int(samples.max()), -int(samples.min())) >= AUDIBLE_PEAK
