"""What the workers do for a connection: recognise an utterance, make a reply. The results go back as facts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.server.core.effects import Anticipate, Prepare, Recording, StartReply, Transcribe, Voice
from realtime_cli.server.core.facts import (
    CallPiece,
    Fact,
    ReplyFailed,
    ReplyFinished,
    ReplyPiece,
    Transcribed,
    TranscriptionFailed,
)
from realtime_cli.server.engines.interface import CallArguments, CallBegun, Ended, Piece
from realtime_cli.server.engines.sentences import SentenceSplitter
from realtime_cli.server.engines.spoken_text import UNSPEAKABLE, SpokenText, is_sayable
from realtime_cli.server.engines.text_language import language_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from realtime_cli.server.sharing import SharedEngines

Post: TypeAlias = Callable[[Fact], None]

Made: TypeAlias = ReplyPiece | CallPiece | ReplyFinished | ReplyFailed
"""What a reply comes to."""


class TranscriptionJob:
    """Recognises one utterance, unless it is cancelled before its turn comes."""

    def __init__(
        self, engines: SharedEngines, wanted: Transcribe, speech: npt.NDArray[np.float32] | Recording, post: Post
    ) -> None:
        self._engines = engines
        self._wanted = wanted
        self._speech = speech
        self._post = post
        self._cancelled = threading.Event()
        self._awaited = threading.Event()
        if not wanted.suspected:
            self._awaited.set()

    def hurry(self) -> None:
        """Somebody waits for it now. Any thread."""
        self._awaited.set()

    def cancel(self) -> None:
        """Nobody waits for it any more. Any thread."""
        self._cancelled.set()

    def run(self) -> None:
        """Recognise; blocks for some hundred ms, and while the engine loads."""
        if self._cancelled.is_set():
            return
        from realtime_cli.server.listening.input_audio import (
            recording,  # needs numpy, which a text session does without
        )

        speech = recording(self._speech) if isinstance(self._speech, Recording) else self._speech
        found = self._engines.transcribe(speech, self._wanted.language, self._cancelled.is_set, self._awaited.is_set)
        self._post(Transcribed(self._wanted.job, found.text.strip()))

    def failed(self, problem: str) -> None:
        """Say so."""
        self._post(TranscriptionFailed(self._wanted.job, problem))


class PrepareJob:
    """Lets the model read what replies will begin with; if it fails, so will the reply."""

    def __init__(self, engines: SharedEngines, wanted: Prepare, cancelled: Callable[[], bool]) -> None:
        self._engines = engines
        self._wanted = wanted
        self._cancelled = cancelled

    def run(self) -> None:
        """Read, and say nothing."""
        self._engines.lm.prepare(self._wanted.messages, self._wanted.tools, self._cancelled)

    def failed(self, problem: str) -> None:
        """Nobody waits for it."""


RUNS_OUT_S = 1.0
"""A reply of which less than this is left to be heard is waited for again: a sentence takes 0.1 s, and others wait."""


class ReplyJob:
    """Makes one reply, piece by piece, until it is finished or cancelled."""

    def __init__(
        self, engines: SharedEngines, reply: StartReply, post: Callable[[Made], None], *, awaited: bool = True
    ) -> None:
        """``awaited``: somebody waits for it from the beginning, see :meth:`hurry`."""
        self._engines = engines
        self._reply = reply
        self._post = post
        self._cancelled = threading.Event()
        self._splitter = SentenceSplitter()
        self._spoken = SpokenText()
        self._begun = False
        self._audible = False
        self._heard_until_s = 0.0
        """When its sound so far ends if it is heard as it is made."""
        self._awaited = threading.Event()
        if awaited:
            self._awaited.set()
        self._shown = False
        """Something was given without sound."""
        self._call: CallBegun | None = None
        self._tokens = 0
        """Tokens of the model since the last piece."""

    def cancel(self) -> None:
        """Stop soon: within a token, or a sentence's synthesis. Any thread."""
        self._cancelled.set()

    def hurry(self) -> None:
        """Somebody waits for it now. Any thread."""
        self._awaited.set()

    def run(self) -> None:
        """Write, and speak what is written; blocks until the reply is complete."""
        ended = Ended()
        try:
            for piece in self._pieces():
                if self._cancelled.is_set():
                    return
                if isinstance(piece, Ended):
                    ended = piece
                else:
                    self._take(piece)
        finally:
            # Of a reply that fails in the middle of a sentence the beginning is said.
            self._say_rest()
        self._announce_silence()
        if not self._cancelled.is_set():
            self._post(ReplyFinished(self._reply.response_id, ended.cut_off, ended))

    def failed(self, problem: str) -> None:
        """Say so."""
        self._post(ReplyFailed(self._reply.response_id, problem))

    def _pieces(self) -> Iterable[Piece]:
        wanted = self._reply
        if wanted.words is not None:
            return [wanted.words]
        return self._engines.lm.reply(wanted.messages, wanted.tools, wanted.max_tokens, self._cancelled.is_set)

    def _take(self, piece: str | CallBegun | CallArguments) -> None:
        match piece:
            case str():
                self._written(piece)
            case CallBegun(call_id, name):
                self._say_rest()
                self._call = piece
                self._post(CallPiece(self._reply.response_id, call_id, name, ""))
            case CallArguments(delta) if self._call:
                self._post(CallPiece(self._reply.response_id, self._call.call_id, self._call.name, delta))

    def _written(self, text: str) -> None:
        if not self._begun:
            # Models begin with a line feed or a space, which nobody wants to see.
            text = text.lstrip()
            self._begun = bool(text)
        self._tokens += 1
        if self._reply.voice is None:
            if text:
                self._give(text, b"")
            return
        for sentence in self._splitter.feed(text):
            if not self._cancelled.is_set():
                self._speak(sentence)

    def _say_rest(self) -> None:
        rest = self._splitter.flush()
        if rest and not self._cancelled.is_set():
            self._speak(rest)

    def _speak(self, sentence: str) -> None:
        voice = self._reply.voice
        if voice is None:
            return
        text = sentence
        for audio in self._sounds(self._spoken.say(sentence, language_of(sentence)), voice):
            self._give(text, audio)
            text = ""
            self._audible = True
        if text:
            self._give(text, b"")
            self._shown = self._shown or bool(text.strip())

    def _announce_silence(self) -> None:
        """A reply of which nothing could be said would leave the user waiting."""
        voice = self._reply.voice
        if voice is not None and self._shown and not self._audible:
            for audio in self._sounds(UNSPEAKABLE, voice):
                self._give("", audio)

    def _sounds(self, words: str, voice: Voice) -> Iterator[bytes]:
        """The sound of some words in the wanted format, as it is made."""
        if not is_sayable(words) or self._cancelled.is_set():
            return
        frames = self._engines.synthesize(words.strip(), voice, self._cancelled.is_set, self._is_urgent)
        if voice.audio_format == "audio/pcm":
            for part in frames:
                self._heard_until_s = max(self._heard_until_s, time.monotonic()) + len(part) / RATE_HZ
                yield part.astype("<i2").tobytes()
            return
        # Both need numpy, which a text session does without.
        import numpy as np

        from realtime_cli.audio.core import g711

        # The narrower band is filtered for the whole sentence: pieces would click where they meet.
        whole = list(frames)
        if whole:
            sound = np.concatenate(whole)
            self._heard_until_s = max(self._heard_until_s, time.monotonic()) + len(sound) / RATE_HZ
            yield g711.encode(g711.narrow(sound), voice.audio_format)

    def _is_urgent(self) -> bool:
        """Whether somebody waits in silence for more of it, or soon will."""
        return self._awaited.is_set() and self._heard_until_s - time.monotonic() < RUNS_OUT_S

    def _give(self, text: str, audio: bytes) -> None:
        if not self._cancelled.is_set():
            self._post(ReplyPiece(self._reply.response_id, text, audio, self._tokens))
        self._tokens = 0


class Anticipated:
    """A reply begun on suspicion: what it comes to is kept until it is asked for."""

    def __init__(self, engines: SharedEngines, wanted: Anticipate, post: Post) -> None:
        self.wanted = wanted
        self.reply = ReplyJob(engines, wanted.reply, self._keep, awaited=False)
        self._post = post
        # The worker adds to it while the connection takes it over: nothing may get lost in between.
        self._lock = threading.Lock()
        self._kept: list[Made] = []
        self._response_id: str | None = None

    def fits(self, reply: StartReply) -> bool:
        """Whether this is the reply that is asked for."""
        return replace(reply, response_id=self.wanted.reply.response_id) == self.wanted.reply

    def take(self, response_id: str) -> ReplyJob:
        """Give out what was made, and whatever comes from now on, as a response's. The connection's thread."""
        with self._lock:
            self._response_id = response_id
            self.reply.hurry()
            for made in self._kept:
                self._post(replace(made, response_id=response_id))
        return self.reply

    def _keep(self, made: Made) -> None:
        with self._lock:
            if self._response_id is None:
                self._kept.append(made)
            else:
                self._post(replace(made, response_id=self._response_id))
