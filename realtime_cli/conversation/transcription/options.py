"""What a transcription must know beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from realtime_cli.protocol.dialects import Dialect
from realtime_cli.protocol.error_codes import Key
from realtime_cli.providers.prices import PriceList


class TranscriptionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How this transcription is made."""

    provider: str
    key: Key = Key()
    model: str
    session: Mapping[str, Any]
    """The body of the ``session.update``, in the dialect that the server is taken to speak."""
    session_otherwise: Mapping[Dialect, Mapping[str, Any]] = {}
    """The same in the dialects that it may turn out to speak; none where there is no doubt."""
    left_out: Mapping[Dialect, tuple[str, ...]] = {}
    """What the user should know of each of those: which options it cannot say."""
    server_cuts: bool = True
    """The server's voice detection finds the segments of speech (``turn_detection`` is not null)."""
    recording: str | None = None
    """The name of what to transcribe (``session.drivers.OpenRecording``); None for the microphone."""
    settle_s: float = 1.0
    """How long after the end of the audio the server may still find speech in it."""
    answer_timeout_s: float = 60.0
    hello_timeout_s: float = 15.0
    prices: PriceList | None = None
    """What models cost; None: this machine's are free."""
    reconnect_s: float = 0.0
    """For how long a lost connection is tried again; 0: never."""
    seed: int = 0
    """Of the jitter of those tries."""
