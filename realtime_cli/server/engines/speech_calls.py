"""Recognition and speech by other servers: OpenAI's ``/v1/audio/transcriptions`` and ``/v1/audio/speech``, which
Speaches, LocalAI, Kokoro-FastAPI, vLLM and the remote service speak (https://platform.openai.com/docs/api-reference/audio).
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from urllib3.filepost import encode_multipart_formdata

from realtime_cli.errors import TurnError
from realtime_cli.server.engines.interface import EAR_RATE_HZ, SAMPLE_BYTES, Transcription
from realtime_cli.server.engines.pitches import VOICES

if TYPE_CHECKING:
    import numpy.typing as npt

    from realtime_cli.server.engines.http_calls import Service

TRANSCRIPTIONS, SPEECH = "/audio/transcriptions", "/audio/speech"

PIECE_BYTES = 9600
"""0.2 s of speech: smaller pieces as they come from the network are put together."""


class Transcriptions:
    """A :class:`~realtime_cli.server.engines.interface.SpeechToText` behind an address."""

    serial = False

    def __init__(self, service: Service, model: str) -> None:
        self._service = service
        self._model = model

    def transcribe(
        self, speech: npt.NDArray[np.float32], language: str | None, cancelled: Callable[[], bool]
    ) -> Transcription:
        """Have ``speech`` recognised; see the interface. Raises TurnError."""
        fields: list[tuple[str, str | tuple[str, bytes, str]]] = [
            ("file", ("speech.wav", _wav(speech), "audio/wav")),
            ("model", self._model),
            ("response_format", "json"),
            *([("language", language)] if language else []),
        ]
        body, kind = encode_multipart_formdata(fields)
        answer = b"".join(self._service.call("POST", TRANSCRIPTIONS, body, kind, cancelled))
        if cancelled():
            return Transcription("", 1.0)
        try:
            found = msgspec.json.decode(answer)
            return Transcription(str(found["text"]).strip(), 0.0, language or "")
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError, KeyError) as error:
            raise TurnError(f"{self._service.place} answers with something that is no transcript") from error


class Speech:
    """A :class:`~realtime_cli.server.engines.interface.TextToSpeech` behind an address; PCM at 24 kHz, as it comes."""

    serial = False
    voices: Sequence[str] = VOICES

    def __init__(self, service: Service, model: str) -> None:
        self._service = service
        self._model = model

    def synthesize(
        self, text: str, voice: str, speed: float, cancelled: Callable[[], bool]
    ) -> Iterator[npt.NDArray[np.int16]]:
        """Have ``text`` spoken; see the interface. Raises TurnError."""
        wanted = {"model": self._model, "input": text, "voice": voice, "speed": speed, "response_format": "pcm"}
        waiting = b""
        heard = False
        for piece in self._service.call("POST", SPEECH, msgspec.json.encode(wanted), cancelled=cancelled):
            if not heard and piece[:1] in (b"{", b"<"):
                raise TurnError(f"{self._service.place} answers with something that is no sound", "check its address")
            heard = True
            waiting += piece
            if len(waiting) >= PIECE_BYTES:
                whole = len(waiting) - len(waiting) % SAMPLE_BYTES
                yield _samples(waiting[:whole])
                waiting = waiting[whole:]
        if not cancelled():
            rest = _samples(waiting[: len(waiting) - len(waiting) % SAMPLE_BYTES])
            if len(rest):
                yield rest


def _samples(pcm: bytes) -> npt.NDArray[np.int16]:
    return np.frombuffer(pcm, "<i2").astype(np.int16)


def _wav(speech: npt.NDArray[np.float32]) -> bytes:
    """16 kHz mono, 16 bits, as a file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(SAMPLE_BYTES)
        out.setframerate(EAR_RATE_HZ)
        out.writeframes((np.clip(speech, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()
