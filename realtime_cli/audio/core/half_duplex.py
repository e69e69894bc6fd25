"""The microphone hears nothing while the model is audible: sure on any device, but only keys interrupt the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime_cli.audio.core.levels import is_audible
from realtime_cli.audio.core.pcm import FRAME_BYTES, ms_to_frames

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

HANGOVER_FRAMES = ms_to_frames(400)
"""For so long after its last sound the model may still be heard: a Bluetooth loudspeaker is 250 ms late, and a living
room rings on for some 150 ms."""


class HalfDuplex:
    """See the module. ``played`` belongs to the playback thread, ``clean`` to the capture thread."""

    def __init__(self) -> None:
        # Both threads set it, and a lost subtraction would only lengthen the hangover by a block.
        self._shut_frames = 0

    def played(self, samples: npt.NDArray[np.int16]) -> None:
        """Take exactly what the device plays next: int16, shape ``(frames,)``, 24 kHz. Playback thread."""
        if is_audible(samples):
            self._shut_frames = HANGOVER_FRAMES

    def clean(self, pcm: bytes) -> bytes:
        """The block as it is, or as much silence: the server's clock must go on. Capture thread."""
        shut = self._shut_frames
        if not shut:
            return pcm
        self._shut_frames = max(0, shut - len(pcm) // FRAME_BYTES)
        return bytes(len(pcm))
