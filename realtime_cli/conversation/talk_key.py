"""Push-to-talk: the microphone is open while a key is down, and what was said is sent when it goes up."""

from __future__ import annotations

from collections.abc import Callable

from realtime_cli.conversation.effects import CloseMic, Effect, OpenMic, Send, Show
from realtime_cli.conversation.facts import MicClosed
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.records import MicChanged, Notice
from realtime_cli.conversation.responses import Responses
from realtime_cli.protocol.client_events import InputAudioBufferClear

MIN_COMMIT_MS = 100
"""The least audio that a commit takes; less is an error, ``input_audio_buffer_commit_empty``."""


class TalkKey:
    """``finish_speech`` makes a turn of what was said."""

    def __init__(
        self, options: ConversationOptions, responses: Responses, finish_speech: Callable[[float], list[Effect]]
    ) -> None:
        self._options = options
        self._responses = responses
        self._finish_speech = finish_speech
        self.pressed_at: float | None = None
        """Since when the key is down."""
        self.opening = False
        """The key is down, and the microphone does not deliver yet."""
        self.talking = False
        """The microphone is open."""
        self.talked_from: float | None = None
        """When the key went down for the latest turn; None when that was made otherwise."""
        self._discarded = False

    @property
    def due(self) -> float | None:
        """When the key has been down for too long."""
        return None if self.pressed_at is None else self.pressed_at + self._options.talk_limit_s

    def pressed(self, now: float) -> list[Effect]:
        """The key went down: whatever the model says is interrupted, and the microphone opens.

        It was down already: a second tap, or a release that was lost. What was said is sent.
        """
        if self.pressed_at is not None:
            return self.released()
        self.talking = self.opening = True
        self._discarded = False
        self.pressed_at = self.talked_from = now
        return [*self._responses.interrupt(server_cancels=False), *self._clear(), OpenMic()]

    def released(self) -> list[Effect]:
        """The talk key went up: the microphone closes."""
        self.opening = False
        self.pressed_at = None
        return [CloseMic(), Show(MicChanged(state="closed"))]

    def discard(self) -> list[Effect]:
        """What is being said with the talk key down is not to be sent."""
        self._discarded = True
        return self.released()

    def mic_opened(self) -> list[Effect]:
        """The microphone delivers: now is the time to talk."""
        if not self.opening:
            return []
        self.opening = False
        return [Show(MicChanged(state="open"))]

    def mic_closed(self, fact: MicClosed, now: float) -> list[Effect]:
        """The talk key went up: what was said is sent, if it is long enough to be speech."""
        self.talking = False
        if self._discarded:
            return [*self._clear(), Show(Notice(text="nothing was sent"))]
        if fact.spoken_ms < MIN_COMMIT_MS:
            return [*self._clear(), Show(Notice(text="too short: nothing was sent"))]
        return self._finish_speech(now)

    def time_passed(self, now: float) -> list[Effect]:
        """A key may be stuck, or forgotten: nobody's room is listened to for ever. What was said is sent."""
        limit_s = self._options.talk_limit_s
        if self.pressed_at is None or now < self.pressed_at + limit_s:
            return []
        limit = f"the talk key was down for {limit_s:g} s: the microphone is closed (--ptt-max-s)"
        return [Show(Notice(text=limit)), *self.released()]

    def _clear(self) -> list[Effect]:
        return [] if self._options.detection_always_on else [Send(InputAudioBufferClear())]
