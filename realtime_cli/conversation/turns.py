"""The user's side: turns that are spoken, typed or recorded, and the transcripts of what was said.

The spoken ones are kept in :mod:`.spoken_turns`. Who ends turns is the server with its voice detection, or the program
with a commit; a server whose detection cannot be turned off ends recorded and push-to-talk turns as well, and is sent
silence instead of commits.
"""

from __future__ import annotations

from collections import deque

from realtime_cli.conversation.effects import Effect, Feed, FeedSilence, Send, Show
from realtime_cli.conversation.facts import Spoken, Typed, Wanted
from realtime_cli.conversation.history import History
from realtime_cli.conversation.interruptions import Interruptions
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.past import RESTORED
from realtime_cli.conversation.records import Notice
from realtime_cli.conversation.reply import Wish
from realtime_cli.conversation.responses import Responses
from realtime_cli.conversation.spoken_turns import SpokenTurns, Turn
from realtime_cli.conversation.states import TurnEvent, TurnState
from realtime_cli.conversation.talk_key import TalkKey
from realtime_cli.protocol.client_events import ConversationItemCreate, InputAudioBufferCommit
from realtime_cli.protocol.conversation_events import (
    InputAudioBufferCommitted,
    SpeechStarted,
    SpeechStopped,
    TranscriptionCompleted,
    TranscriptionDelta,
    TranscriptionFailed,
)
from realtime_cli.protocol.items import Content, Item


class Turns:
    """See the module. What waits to be sent belongs to the conversation, all else to one connection."""

    def __init__(self, options: ConversationOptions, history: History, responses: Responses) -> None:
        self._options = options
        self._history = history
        self._responses = responses
        self.waiting: deque[Typed | Spoken | Wanted] = deque()
        """Turns that are said but not sent, because an answer is still going on."""
        self.count = 0
        """Turns of the user's so far."""
        self.ended_at: float | None = None
        """When the user's last turn ended; latencies count from here."""
        self.committed_at: float | None = None
        """When the server last made an item of what was said."""
        self.tool_rounds = 0
        """How often the model was asked to speak about results since the user's last turn."""
        self._typed = 0
        self._interruptions = Interruptions(options, responses)
        self.talk_key = TalkKey(options, responses, self._finish_speech)
        self.feeding = False
        """A recording is being sent."""
        self.recorded: Spoken | None = None
        """The recording that the latest turn was made of."""
        self._recorded_again = False
        self._spoken = SpokenTurns(history)

    def reset(self) -> list[Effect]:
        """A new connection knows of no speech: what was not committed is lost. What waits to be sent stays."""
        owed = self._spoken.get(self._responses.owed_turn)
        if owed is None and self.latest_unheard and self._responses.busy:
            owed = self._spoken.latest
        if owed is not None and owed.counted and not owed.understood:
            self.count -= 1  # it is heard again
        self._spoken.reset()
        self.feeding = False
        return self._interruptions.connection_lost()

    @property
    def latest_unheard(self) -> bool:
        """Whether the latest spoken turn was committed, and its words are not known."""
        return self._spoken.latest_unheard

    def unheard(self, *, asked: bool) -> list[float]:
        """When the spoken turns began that no server has understood: those that are open, and one that is owed.

        ``asked``: the answer to the latest was asked for.
        """
        latest = self._spoken.latest
        return self._spoken.unheard(
            latest.item_id if asked and latest and self.latest_unheard else self._responses.owed_turn
        )

    def was_understood(self, turn_id: str) -> bool:
        """Whether the words of this turn are known."""
        turn = self._spoken.get(turn_id)
        return turn is not None and turn.understood

    @property
    def talked_from(self) -> float | None:
        """Since when the talk key was down for the latest turn, if its words are not known."""
        latest = self._spoken.latest
        understood = latest is not None and latest.understood
        return None if understood or self.talk_key.talking else self.talk_key.talked_from

    def send_again(self) -> bool:
        """Let the recording in hand be sent once more; False when that was done before, or its words are known."""
        recorded, latest = self.recorded, self._spoken.latest
        if recorded is None or (latest is not None and latest.understood):
            return False
        if not self.feeding:
            if self._recorded_again:
                return False
            self._recorded_again = True
            self.count -= 1
        self.waiting.appendleft(recorded)
        return True

    @property
    def speaking(self) -> bool:
        """The server hears the user, or the talk key is down."""
        return self.talk_key.talking or self._spoken.detected

    @property
    def speech_detected(self) -> bool:
        """The server hears the user."""
        return self._spoken.detected

    @property
    def transcript_pending(self) -> bool:
        """Whether a transcript of the user is still to come."""
        return any(not entry.final for entry in self._history.of("user"))

    def due(self, now: float) -> float | None:
        """When the talk key has been down for too long, or speech that became no turn is settled."""
        due = [at for at in (self.talk_key.due, self._interruptions.due) if at is not None]
        return min([*due, *self._spoken.due(now)], default=None)

    def settling(self, now: float) -> bool:
        """Whether the server is about to make a turn of what was said."""
        return self._spoken.settling(now)

    def next_input(self, now: float) -> list[Effect]:
        """Send the next waiting turn."""
        turn = self.waiting.popleft()
        self.talk_key.talked_from = None
        if turn is not self.recorded:
            self.recorded, self._recorded_again = None, False
        if isinstance(turn, Spoken):
            self.feeding = True
            self.recorded = turn
            return [Feed(turn.source)]
        if isinstance(turn, Wanted):
            self.ended_at = now
            self._responses.want(Wish(instructions=turn.instructions))
            return []
        self._typed += 1
        item_id = f"typed_{self._typed:06d}"
        entry = self._history.entry(item_id, "user", now)
        if entry is not None:
            entry.text, entry.final = turn.text, True
        words = (Content(type="input_text", text=turn.text),) if turn.text else ()
        item = Item(id=item_id, type="message", role="user", content=(*words, *turn.parts))
        self._made(now)
        self._responses.want(Wish())
        return [Send(ConversationItemCreate(item=item))]

    def fed(self, now: float) -> list[Effect]:
        """A recording has been sent."""
        self.feeding = False
        return self._finish_speech(now)

    def time_passed(self, now: float) -> list[Effect]:
        """Speech that did not become a turn was a noise; a talk key may be stuck."""
        self._spoken.drop_noises(now)
        return [*self._interruptions.time_passed(now), *self.talk_key.time_passed(now)]

    def speech_never_ended(self, now: float) -> bool:
        """No more audio comes, and the server has not heard the end of speech: what was said makes no turn."""
        return self._spoken.drop_open(now)

    def speech_started(self, event: SpeechStarted, now: float) -> list[Effect]:
        """The server hears the user: this interrupts a reply that is going on."""
        turn = self._spoken.find(event.item_id, TurnState.SPEAKING)
        if turn is None:
            self._spoken.drop_open(now)
            turn = self._spoken.begin(event.item_id, now)
        else:
            turn.move(TurnEvent.STARTED, now)
        turn.audio_start_ms = event.audio_start_ms
        return self._interruptions.speech_started(turn.item_id, now)

    def voice_silenced(self) -> None:
        """The playback was flushed: nothing is paused any more."""
        self._interruptions.settled()

    def speech_stopped(self, event: SpeechStopped, now: float) -> list[Effect]:
        """The server hears that the user stopped."""
        turn = self._spoken.find(event.item_id, TurnState.SPEAKING) or self._spoken.begin(event.item_id, now)
        if not turn.move(TurnEvent.STOPPED, now):
            return []
        self.ended_at = now
        self._spoken.ended(turn, now)
        length_ms = event.audio_end_ms - turn.audio_start_ms
        return self._interruptions.speech_stopped(turn.item_id, length_ms / 1000 if length_ms > 0 else None, now)

    def committed(self, event: InputAudioBufferCommitted, now: float) -> None:
        """The user's audio became an item; with the server deciding, a response follows by itself."""
        turn = self._spoken.find(event.item_id, TurnState.SPEAKING, TurnState.STOPPED)
        if turn is None:
            turn = self._spoken.begin(event.item_id, now, event.previous_item_id)
        if not turn.move(TurnEvent.COMMITTED, now):
            return
        # Whatever was being said is in this item, also where its id was another one before.
        self._spoken.drop_open(now)
        self.committed_at = now
        entry = self._spoken.ended(turn, now)
        if entry is not None and not self._options.transcribes_user:
            entry.final = True
        if self._options.server_takes_turns:
            turn.counted = True
            self.count += 1
            self.tool_rounds = 0
            if self._options.server_answers:
                self._responses.server_owes(turn.item_id, now)
            self._interruptions.committed(turn.item_id)

    def item(self, item: Item, previous_item_id: str | None, now: float) -> None:
        """An item of the user's entered the conversation or is final."""
        if item.role != "user" or not item.id:
            return
        kinds = {part.type for part in item.content or ()}
        if not self._history.knows(item.id) and kinds == {"input_text"}:
            if self._options.joined is None or item.id.startswith(RESTORED):
                # A typed turn, which was told when it was sent: this server gives it an id of its own.
                return
            self._made(now)
        self._spoken.find(item.id, TurnState.COMMITTED)
        entry = self._history.entry(item.id, "user", now, previous_item_id)
        if entry is None or entry.final:
            return
        entry.ended_at = now if entry.ended_at is None else entry.ended_at
        if item.words:
            entry.text, entry.final = item.words, True

    def transcribed(
        self, event: TranscriptionDelta | TranscriptionCompleted | TranscriptionFailed, now: float
    ) -> list[Effect]:
        """A transcript of the user's grows, is complete, or failed."""
        turn = self._spoken.find(event.item_id, *TurnState)
        item_id = turn.item_id if turn else event.item_id or self._spoken.unnamed_id()
        effects: list[Effect] = []
        if isinstance(event, TranscriptionCompleted) and turn:
            effects, ignored = self._interruptions.transcribed(turn.item_id, event.item_id, event.transcript)
            turn.understood = bool(event.transcript.strip())
            if ignored or not event.transcript.strip():
                self._was_noise(turn, now)
            if ignored:
                self._spoken.forget(turn)
                return effects
        entry = self._history.entry(item_id, "user", now)
        if isinstance(event, TranscriptionFailed) and turn:
            effects = self._interruptions.not_transcribed(turn.item_id)
        if entry is None or entry.final:
            return effects
        entry.ended_at = now if entry.ended_at is None else entry.ended_at
        if isinstance(event, TranscriptionDelta):
            entry.add_text(event.delta)
            return []
        entry.final = True
        if isinstance(event, TranscriptionCompleted):
            entry.text = event.transcript.strip()
            return effects
        entry.text = ""
        problem = event.error.message or "no reason given"
        return [Show(Notice(text=f"your words could not be transcribed: {problem}")), *effects]

    def give_up_transcripts(self, *, also_empty: bool) -> None:
        """The conversation is over: turns whose transcript is not whole are told as far as it came."""
        for entry in self._history.of("user"):
            entry.final = entry.final or also_empty or bool(entry.text)

    def _finish_speech(self, now: float) -> list[Effect]:
        """What was recorded or said with the talk key is over: it becomes a turn."""
        if self._options.detection_always_on:
            self.ended_at = now
            self._responses.server_owes("", now)
            return [FeedSilence(self._options.closing_silence_ms)]
        self._made(now)
        self._responses.want(Wish())
        return [Send(InputAudioBufferCommit())]

    def _made(self, now: float) -> None:
        """The user made a turn."""
        self.ended_at = now
        self.count += 1
        self.tool_rounds = 0

    def _was_noise(self, turn: Turn, now: float) -> None:
        """Nothing was said: the server owes no answer to it, though perhaps to another turn."""
        if turn.counted:
            turn.counted = False
            self.count -= 1
            self._responses.withdraw(turn.item_id)
        turn.move(TurnEvent.DROPPED, now)
