"""The end of a turn by the sound of it: Smart Turn v3.2 (BSD-2-Clause, https://github.com/pipecat-ai/smart-turn).

A small Whisper encoder with one output: whether what was said sounds finished, in 23 languages.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from realtime_cli.server.engines.interface import EAR_RATE_HZ
from realtime_cli.server.engines.mel import log_mel

if TYPE_CHECKING:
    import numpy.typing as npt

HEARD_FRAMES = 8 * EAR_RATE_HZ
"""It listens to the last 8 s; what is shorter comes after silence."""

LEAST_VARIANCE = 1e-7
"""Added before dividing, as in the feature extractor that it was trained with (transformers' Whisper)."""


class SmartTurn:
    """A :class:`~realtime_cli.server.engines.interface.TurnDetection`."""

    def __init__(self, model: Path) -> None:
        """Load the network (about 0.1 s, blocks)."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def finished(self, speech: npt.NDArray[np.float32]) -> float:
        """Probability 0..1 that the turn is over; see the interface. Blocks about 50 ms."""
        window = np.zeros(HEARD_FRAMES, np.float32)
        heard = speech[-HEARD_FRAMES:]
        if len(heard):
            window[-len(heard) :] = heard
        even = (window - window.mean()) / np.sqrt(window.var() + LEAST_VARIANCE)
        picture = log_mel(even.astype(np.float32), HEARD_FRAMES)
        output = self._session.run(None, {"input_features": picture[np.newaxis]})[0]
        return float(np.asarray(output).reshape(-1)[0])
