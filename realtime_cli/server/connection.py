"""One connection at work: a thread that reads the inbox, drives the core and listens, and two for what takes long."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from realtime_cli.protocol.server_events import server_event_to_json
from realtime_cli.server.core import effects
from realtime_cli.server.core.core import ServerCore
from realtime_cli.server.core.effects import Effect
from realtime_cli.server.core.facts import (
    BinaryMessage,
    ClientMessage,
    Fact,
    ReplyFailed,
    ReplyFinished,
    ServerFailed,
    Tick,
    Transcribed,
    TranscriptionFailed,
)
from realtime_cli.server.inbox import Closed, Inbox
from realtime_cli.server.jobs import Anticipated, PrepareJob, ReplyJob, TranscriptionJob
from realtime_cli.server.worker import Worker

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from realtime_cli.server.listening.input_audio import InputAudio
    from realtime_cli.server.sharing import SharedEngines

_LOG = logging.getLogger(__name__)


INTERNAL_ERROR = 1011
"""The close code of a server that broke (RFC 6455, 7.4.1)."""

INTERNAL = "The server failed and cannot go on with this session."
"""All that a client is told: the text of an exception may hold what is not for it."""

MOST_TRANSCRIPTIONS = 8
"""A recording may come in many times faster than it is recognised: its sender then waits, and not its audio here."""


class Ending(msgspec.Struct, frozen=True):
    """How a connection ended: with a ``close`` unless there is more to say."""

    code: int = 1000
    """As a WebSocket closes (RFC 6455, 7.4.1)."""
    reason: str = ""
    """For the client."""
    problem: str | None = None
    """What broke, for the server's owner."""


class Connection:
    """A client's connection. Its thread is started by :meth:`start` and ends with :meth:`close` or a bug."""

    def __init__(
        self, core: ServerCore, engines: SharedEngines, deliver: Callable[[str], None], ended: Callable[[Ending], None]
    ) -> None:
        """``deliver`` and ``ended`` are called on the connection's thread and must not raise.

        ``deliver`` takes one message to the client and may block; ``ended`` is called once, last, with how it ended.
        """
        self._core = core
        self._engines = engines
        self._recogniser = Worker("speech-recogniser")
        self._speaker = Worker("reply-speaker")
        self._deliver = deliver
        self._ended = ended
        self._inbox: Inbox[Fact] = Inbox()
        self._input: InputAudio | None = None
        self._listen = effects.Listen("audio/pcm", None)
        self._transcriptions: dict[int, TranscriptionJob] = {}
        self._replies: dict[str, ReplyJob] = {}
        self._anticipated: Anticipated | None = None
        self._ending: Ending | None = None
        self._thread = threading.Thread(target=self._run, name="voice-server", daemon=True)

    def start(self) -> None:
        """Begin; the first message to the client is ``session.created``."""
        self._thread.start()

    def receive(self, text: str) -> None:
        """Take one message from the client; blocks while too many wait. Any thread; after the end it is dropped."""
        self._inbox.put(ClientMessage(text), waits=True)

    def receive_binary(self) -> None:
        """The client sent what is no text. Any thread; as :meth:`receive`."""
        self._inbox.put(BinaryMessage(), waits=True)

    def close(self) -> None:
        """Ask the connection to end. Any thread; does not wait; may be called twice."""
        self._inbox.close()

    def join(self, timeout_s: float) -> None:
        """Wait for its threads to end."""
        deadline = time.monotonic() + timeout_s
        for thread in (self._thread, self._recogniser, self._speaker):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        try:
            self._carry_out_all(self._core.open(time.monotonic()))
            while self._ending is None:
                self._handle(self._inbox.get(self._time_left()) or Tick())
        except Closed:
            pass
        except Exception as error:  # noqa: BLE001 -- whatever it was, the client must hear of it
            _LOG.debug("the connection's thread failed", exc_info=True)
            problem = f"the local voice server failed ({type(error).__name__}: {error})"
            self._carry_out_all(self._core.handle(ServerFailed(INTERNAL), time.monotonic()))
            self._ending = Ending(INTERNAL_ERROR, "server_error.server_error", problem)
        finally:
            self.close()
            for transcription in self._transcriptions.values():
                transcription.cancel()
            for reply in self._replies.values():
                reply.cancel()
            self._drop_anticipated()
            self._recogniser.close()
            self._speaker.close()
            self._ended(self._ending or Ending())

    def _time_left(self) -> float | None:
        deadline = self._core.deadline
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def _handle(self, fact: Fact) -> None:
        match fact:
            case Transcribed(job) | TranscriptionFailed(job):
                self._forget(job)
            case ReplyFinished(response_id) | ReplyFailed(response_id):
                self._replies.pop(response_id, None)
        self._carry_out_all(self._core.handle(fact, time.monotonic()))

    def _carry_out_all(self, wanted: list[Effect]) -> None:
        for effect in wanted:
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case effects.Emit(event):
                self._deliver(server_event_to_json(event))
            case effects.Hear(audio):
                self._hear(audio)
            case effects.Listen():
                self._listen = effect
                if self._input is not None:
                    self._input.listen(effect.audio_format, effect.endpointing)
            case effects.Forget(before_ms):
                if self._input is not None:
                    self._input.forget(before_ms)
            case effects.Transcribe():
                self._transcribe(effect)
            case effects.Hurry(job):
                if job in self._transcriptions:
                    self._transcriptions[job].hurry()
            case effects.DropTranscription(job):
                self._forget(job)
                if self._anticipated and self._anticipated.wanted.job == job:
                    self._drop_anticipated()
            case effects.Prepare():
                self._speaker.submit(PrepareJob(self._engines, effect, self._inbox.is_closed))
            case effects.StartReply():
                self._start_reply(effect)
            case effects.Anticipate():
                self._drop_anticipated()
                self._anticipated = Anticipated(self._engines, effect, self._inbox.put)
                self._speaker.submit(self._anticipated.reply)
            case effects.CancelReply(response_id):
                if response_id in self._replies:
                    self._replies.pop(response_id).cancel()
            case effects.CloseConnection(code, reason):
                self._ending = Ending(code, reason)

    def _hear(self, audio: bytes) -> None:
        for decision in (self._input or self._open_input()).hear(audio):
            self._handle(decision)

    def _open_input(self) -> InputAudio:
        """Begin to listen with the first audio: a text session needs neither numpy nor the engines that hear."""
        from realtime_cli.server.listening.input_audio import InputAudio

        self._engines.prefetch(speech=True, replies=self._core.makes_replies)
        self._input = InputAudio(self._engines.voice_activity, lambda: self._engines.turn_detection)
        self._input.listen(self._listen.audio_format, self._listen.endpointing)
        return self._input

    def _start_reply(self, wanted: effects.StartReply) -> None:
        anticipated = self._anticipated
        if anticipated and anticipated.fits(wanted):
            self._anticipated = None
            self._replies[wanted.response_id] = anticipated.take(wanted.response_id)
            return
        self._drop_anticipated()
        job = ReplyJob(self._engines, wanted, self._inbox.put)
        self._replies[wanted.response_id] = job
        self._speaker.submit(job)

    def _drop_anticipated(self) -> None:
        """The reply begun on suspicion, if there is one, will not be asked for."""
        if self._anticipated:
            self._anticipated.reply.cancel()
            self._anticipated = None

    def _transcribe(self, wanted: effects.Transcribe) -> None:
        speech: effects.Recording | npt.NDArray[np.float32]
        if isinstance(wanted.speech, effects.Recording):
            speech = wanted.speech
        else:
            speech = (self._input or self._open_input()).cut(wanted.speech)
        job = TranscriptionJob(self._engines, wanted, speech, self._inbox.put)
        self._transcriptions[wanted.job] = job
        self._inbox.hold(len(self._transcriptions) >= MOST_TRANSCRIPTIONS)
        self._recogniser.submit(job)

    def _forget(self, job: int) -> None:
        """A recognition is done, or no longer wanted, which a done one does not mind."""
        forgotten = self._transcriptions.pop(job, None)
        if forgotten is not None:
            forgotten.cancel()
        self._inbox.hold(len(self._transcriptions) >= MOST_TRANSCRIPTIONS)
