"""The real engines, which a whole test run shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pytest

from realtime_cli.server.engines import optional_packages as parts
from realtime_cli.server.engines.interface import Piece, SpeechToText, TextToSpeech, Transcription
from realtime_cli.server.engines.loading import Engines, load_engines
from realtime_cli.server.engines.weights import WeightsOutOfReach, fetch_weights
from tests.needs import need

Samples = npt.NDArray[np.int16]


def never() -> bool:
    """A reply that is wanted to its end."""
    return False


def text(pieces: Iterable[Piece]) -> str:
    """What a reply says."""
    return "".join(piece for piece in pieces if isinstance(piece, str))


def sound(mouth: TextToSpeech, words: str, voice: str = "marin", speed: float = 1.0) -> Samples:
    """All that is heard of some words: int16, shape ``(frames,)``, 24 kHz."""
    parts = list(mouth.synthesize(words, voice, speed, never))
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def heard_in(ear: SpeechToText, speech: npt.NDArray[np.float32], language: str | None = None) -> Transcription:
    """What is recognised in speech of -1..1 at 16 kHz."""
    return ear.transcribe(speech, language, never)


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """All of them, loaded once: no test may close them."""
    need(not parts.missing_parts(), "the optional part")
    try:
        fetch_weights(lambda _done, _total: None)
    except WeightsOutOfReach as error:
        need(False, str(error))
    with load_engines() as loaded:
        _ = loaded.lm  # before a test can name another folder for the weights
        yield loaded


@pytest.fixture
def ear(engines: Engines) -> SpeechToText:
    """What recognises speech."""
    return engines.stt
