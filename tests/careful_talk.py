"""Somebody makes a sound while the model speaks: both cores joined in memory, with the real ears of the server.

Time is that of the sound, so that a busy machine changes nothing: a transcript comes as late as it is told to.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from realtime_cli.audio.core.pcm import BLOCK_FRAMES, BLOCK_MS, RATE_HZ
from realtime_cli.audio.core.playout import Playout
from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.conversation import Conversation
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.protocol.dialects import Dialect, from_wire, to_wire
from realtime_cli.protocol.session_body import session_update
from realtime_cli.protocol.session_options import SessionOptions
from realtime_cli.server.core import effects as server_effects
from realtime_cli.server.core.facts import Transcribed
from realtime_cli.server.engines.interface import SpeechToText, VoiceActivity
from realtime_cli.server.listening.input_audio import InputAudio
from tests.conversation_driver import heard, play
from tests.local_core_driver import SECOND, Driver

Samples = npt.NDArray[np.int16]

REPLY_S = 12
QUIET_S = 1.0
"""Before the sound; the reply is audible by then."""

ROOM = 3
"""Loudness of the room, of 32767."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the reply. Times are milliseconds from the first frame of the sound; None: it did not happen."""

    paused_ms: int | None
    went_on_ms: int | None
    stopped_ms: int | None
    audible_after_ms: int
    """How much of the reply was heard after the sound had begun."""
    words: str | None
    """What was understood; None where no speech was noticed."""
    answers: int
    """How many replies were asked for after the sound."""

    @property
    def stopped(self) -> bool:
        """The reply ended with it."""
        return self.stopped_ms is not None


def outcome(
    sound: Samples, make_vad: Callable[[], VoiceActivity], ear: SpeechToText | None, *, transcript_s: float = 0.3
) -> Outcome:
    """Make one sound into a reply. ``transcript_s``: how long recognition takes; without an ``ear`` there is none."""
    talk = _Talk(make_vad, ear, transcript_s)
    talk.start_reply()
    talk.listen(np.zeros(int(QUIET_S * RATE_HZ), np.int16))
    began, heard, asked = talk.now, talk.heard_ms, talk.asked
    talk.listen(np.concatenate([sound, np.zeros(int((3.0 + transcript_s) * RATE_HZ), np.int16)]))

    def since(name: str) -> int | None:
        return next((round((at - began) * 1000) for told, at in talk.voice if told == name and at >= began), None)

    return Outcome(
        paused_ms=since("Pause"),
        went_on_ms=since("Resume"),
        stopped_ms=since("Flush"),
        audible_after_ms=talk.heard_ms - heard,
        words=talk.words,
        answers=talk.asked - asked,
    )


class _Talk:
    def __init__(self, make_vad: Callable[[], VoiceActivity], ear: SpeechToText | None, transcript_s: float) -> None:
        self._input = InputAudio(make_vad)
        self._ear = ear
        self._transcript_s = transcript_s
        self._room = np.random.default_rng(0)
        self._playout = Playout()
        self._server = Driver()
        self._crossed = self._carried = 0
        self._order = itertools.count()
        self._due: list[tuple[float, int, Transcribed]] = []
        self.now = 0.0
        self.heard_ms = 0
        self.asked = 0
        self.words: str | None = None
        self.voice: list[tuple[str, float]] = []
        """What was done to the voice, and when."""
        wanted = SessionOptions(
            transcription_model="local" if ear else None, create_response=False, interrupt_response=False
        )
        self._client = Conversation(
            ConversationOptions(
                provider="local",
                session=session_update(wanted, Dialect.GA),
                interruptions="careful",
                server_answers=False,
                server_interrupts=False,
                asks_for_answers=True,
                transcribes_user=ear is not None,
            )
        )
        self._deliver()

    def start_reply(self) -> None:
        """A typed turn is answered with a long reply."""
        self._tell(f.Typed("Tell me a story."))
        self._deliver()
        self._server.replied(("Once upon a time there was a story. ", REPLY_S * SECOND))
        self._deliver()

    def listen(self, sound: Samples) -> None:
        """The microphone delivers this, while the loudspeaker plays and time passes."""
        noisy = (sound + self._room.normal(0, ROOM, len(sound))).astype(np.int16)
        for at in range(0, len(noisy), BLOCK_FRAMES):
            self.now += BLOCK_MS / 1000
            self._server.now = self.now
            self._server.append(noisy[at : at + BLOCK_FRAMES].tobytes())
            self._deliver()
            while self._due and self._due[0][0] <= self.now:
                self._server.tell(heapq.heappop(self._due)[2])
                self._deliver()
            self._play()
            if (due := self._client.deadline) is not None and due <= self.now:
                self._tell(f.Tick())
                self._deliver()

    def _play(self) -> None:
        self._playout.pull(BLOCK_FRAMES)
        for part in self._playout.progress():
            self.heard_ms = part.heard_ms
            self._tell(heard(part))
        self._deliver()

    def _deliver(self) -> None:
        """Let the server's ears work, and messages cross, until nothing is left."""
        while self._crossed < len(self._server.events) or self._carried < len(self._server.effects):
            if self._carried < len(self._server.effects):
                self._carried += 1
                self._work(self._server.effects[self._carried - 1])
            else:
                self._crossed += 1
                self._tell(from_wire(json.dumps(self._server.events[self._crossed - 1])))

    def _work(self, effect: Any) -> None:
        match effect:
            case server_effects.Listen():
                self._input.listen(effect.audio_format, effect.endpointing)
            case server_effects.Hear(audio):
                for decision in self._input.hear(audio):
                    self._server.tell(decision)
                    # What it asks for happens before the search goes on.
                    self._deliver()
            case server_effects.Forget(before_ms):
                self._input.forget(before_ms)
            case server_effects.Transcribe():
                self.words = ""
                if self._ear is not None:
                    self.words = self._ear.transcribe(self._input.cut(effect.speech), "en", lambda: False).text
                    at = self.now + self._transcript_s
                    heapq.heappush(self._due, (at, next(self._order), Transcribed(effect.job, self.words.strip())))

    def _tell(self, fact: Any) -> None:
        for effect in self._client.handle(fact, self.now):
            self._carry_out(effect)

    def _carry_out(self, effect: e.Effect) -> None:
        if isinstance(effect, e.Pause | e.Resume | e.Flush):
            self.voice.append((type(effect).__name__, self.now))
        match effect:
            case e.Send():
                message = json.loads(to_wire(effect.event, Dialect.GA))
                self.asked += message["type"] == "response.create"
                self._server.send(message.pop("type"), **message)
            case e.Pause():
                self._playout.pause()
            case e.Resume():
                self._playout.resume()
            case e.Play() | e.EndOfAudio() | e.Flush():
                for told in play(self._playout, effect, self.now):
                    for part in told.parts:
                        self.heard_ms = part.heard_ms
                    self._tell(told)
