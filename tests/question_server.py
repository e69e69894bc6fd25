"""A voice server for a real browser, whose microphone plays a question: it hears speech as people's, and answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from realtime_cli.server.engines.interface import Transcription
from realtime_cli.server.engines.silero import SileroVoiceActivity, load_session
from tests.calling import Whistler
from tests.local_engines import Reciter, SecondsHeard
from tests.serving import Serving, serving

QUESTION = "What is the capital of France?"
LONG = ("This is a reply that takes a good many seconds to be said in full. ", *["And it has another sentence. "] * 9)


class Ear(SecondsHeard):
    """Hears the question of the recording in whatever is said."""

    def transcribe(self, *_: Any) -> Transcription:
        return Transcription(f" {QUESTION}", 0.0)


@contextmanager
def answering(*words: str, token: str | None = None) -> Iterator[Serving]:
    """The server, which answers with these words."""
    session = load_session()
    lm = Reciter(words or ("Paris.",))
    with serving(token=token, lm=lm, tts=Whistler(), vad=lambda: SileroVoiceActivity(session), stt=Ear()) as serve:
        yield serve
