"""What the server hears: input audio decoded, resampled to 16 kHz, kept until it is of no more use, and searched for
speech. Runs on the connection's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import soxr

from realtime_cli.audio.core import g711
from realtime_cli.audio.core.pcm import FRAME_BYTES, RATE_HZ
from realtime_cli.server.core.effects import Recording, Span
from realtime_cli.server.engines.interface import EAR_RATE_HZ, VAD_FRAMES, TurnDetection, VoiceActivity
from realtime_cli.server.listening.endpointing import (
    Asking,
    Decision,
    Endpointer,
    Endpointing,
    SpeechStarted,
    SpeechStopped,
)

KEPT_SILENCE_S = 30
"""While speech is looked for and there is none, only this much is kept: the most that one recognition reads."""

MEANING_S = 8
"""How much of a turn tells whether it is finished: as much as Smart Turn listens to."""

_FRAMES_PER_MS = EAR_RATE_HZ // 1000


class InputAudio:
    """The input buffer and the voice activity detection of one connection."""

    def __init__(
        self, make_vad: Callable[[], VoiceActivity], turn_detection: Callable[[], TurnDetection | None] = lambda: None
    ) -> None:
        """Both are called when they are first needed, and may block while the engine loads."""
        self._make_vad = make_vad
        self._make_turn_detection = turn_detection
        self._turn_detection: TurnDetection | None = None
        self._vad: VoiceActivity | None = None
        self._kept = bytearray()
        self._dropped_frames = 0
        self._searched_frames = 0
        self._endpointer: Endpointer | None = None
        self._settings: Endpointing | None = None
        self._speaking = False
        self.listen("audio/pcm", None)

    def listen(self, audio_format: str, endpointing: Endpointing | None) -> None:
        """Take this format from now on, and look for speech as told. Blocks while the engine loads."""
        self._decoder = _Decoder(audio_format)
        self._settings = endpointing
        if endpointing is not None:
            if self._vad is None:
                self._vad = self._make_vad()
            self._vad.reset()
            if endpointing.meaning is not None:
                self._turn_detection = self._make_turn_detection()
        self._search_afresh()

    def hear(self, audio: bytes) -> Iterator[Decision]:
        """Keep this audio and yield what is decided about it, each decision at once: what the caller does about it
        (:meth:`forget`, :meth:`cut`) happens before the search goes on."""
        self._kept += self._decoder.decode(audio).tobytes()
        while self._vad is not None and self._endpointer is not None:
            frame = self._from(self._searched_frames, VAD_FRAMES)
            if len(frame) < VAD_FRAMES:
                break
            self._searched_frames += VAD_FRAMES
            found = self._endpointer.frame(self._vad.probability(_floats(frame)))
            decision = self._endpointer.judged(self._sounds_finished()) if isinstance(found, Asking) else found
            if decision is not None:
                self._speaking = not isinstance(decision, SpeechStopped) and (
                    self._speaking or isinstance(decision, SpeechStarted)
                )
                yield decision
        if self._endpointer is not None and not self._speaking:
            self._drop(self._end_frames - KEPT_SILENCE_S * EAR_RATE_HZ)

    def _sounds_finished(self) -> float:
        start = max(self._dropped_frames, self._searched_frames - MEANING_S * EAR_RATE_HZ)
        said = _floats(self._from(start, self._searched_frames - start))
        return self._turn_detection.finished(said) if self._turn_detection else 0.0

    def forget(self, before_ms: int) -> None:
        """Drop the audio before ``before_ms`` and look for speech afresh in what comes after it."""
        self._drop(before_ms * _FRAMES_PER_MS)
        self._search_afresh()

    def cut(self, speech: Span | Recording) -> npt.NDArray[np.float32]:
        """The audio to recognise: shape ``(frames,)``, -1..1, 16 kHz."""
        if isinstance(speech, Recording):
            return recording(speech)
        start = max(speech.start_ms * _FRAMES_PER_MS, self._dropped_frames)
        return _floats(self._from(start, max(0, speech.end_ms * _FRAMES_PER_MS - start)))

    @property
    def _end_frames(self) -> int:
        return self._dropped_frames + len(self._kept) // FRAME_BYTES

    def _from(self, start: int, frames: int) -> npt.NDArray[np.int16]:
        at = (start - self._dropped_frames) * FRAME_BYTES
        return np.frombuffer(bytes(self._kept[at : at + frames * FRAME_BYTES]), np.int16)

    def _drop(self, before_frames: int) -> None:
        extra = min(max(before_frames, self._dropped_frames), self._end_frames) - self._dropped_frames
        del self._kept[: extra * FRAME_BYTES]
        self._dropped_frames += extra
        self._searched_frames = max(self._searched_frames, self._dropped_frames)

    def _search_afresh(self) -> None:
        self._speaking = False
        self._searched_frames = max(self._searched_frames, self._dropped_frames)
        if self._settings is None:
            self._endpointer = None
            self._searched_frames = self._end_frames
        else:
            start_ms = self._searched_frames // _FRAMES_PER_MS
            self._endpointer = Endpointer(self._settings, start_ms, can_ask=self._turn_detection is not None)


class _Decoder:
    """A stream of wire audio to 16 kHz frames; an odd byte waits for its other half."""

    def __init__(self, audio_format: str) -> None:
        self._format = audio_format
        self._odd = b""
        rate_hz = RATE_HZ if audio_format == "audio/pcm" else g711.RATE_HZ
        self._resampler = soxr.ResampleStream(rate_hz, EAR_RATE_HZ, 1, dtype="int16", quality="MQ")

    def decode(self, audio: bytes, last: bool = False) -> npt.NDArray[np.int16]:
        if self._format != "audio/pcm":
            frames = g711.decode(audio, self._format)
        else:
            audio = self._odd + audio
            whole = len(audio) - len(audio) % FRAME_BYTES
            self._odd = audio[whole:]
            frames = np.frombuffer(audio[:whole], "<i2").astype(np.int16)
        resampled: npt.NDArray[np.int16] = self._resampler.resample_chunk(frames, last=last)
        return resampled


def recording(speech: Recording) -> npt.NDArray[np.float32]:
    """Audio that came inside an item, as it is to be recognised."""
    return _floats(_Decoder(speech.audio_format).decode(speech.audio, last=True))


def _floats(frames: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    return frames.astype(np.float32) / np.float32(32768)
