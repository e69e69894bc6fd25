"""The conversation itself: one method, facts in, effects out. No socket, no device, no thread, no clock.

The session tells it every fact on one thread and carries out what it asks for, in order; a recorded list of facts
replays a conversation exactly. :class:`Turns` knows the user's side and :class:`Replies` the model's; this class knows
the session: its beginning, its errors, its sums and its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.dialect_detection import Guess
from realtime_cli.conversation.effects import CloseMic, Effect, End, Mute, OpenMic, Play, Send, Show
from realtime_cli.conversation.event_ids import SentEvents
from realtime_cli.conversation.failures import failure_of, silent_server, trouble_of
from realtime_cli.conversation.history import History
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.out_of_band import Asides
from realtime_cli.conversation.records import (
    AssistantDelta,
    Ended,
    MicChanged,
    Notice,
    Phase,
    SessionStarted,
    Snapshot,
    Trouble,
)
from realtime_cli.conversation.responses import Replies
from realtime_cli.conversation.timeouts import Patience
from realtime_cli.conversation.tool_calls import ANSWERS, Calls
from realtime_cli.conversation.tool_offers import Offer
from realtime_cli.conversation.turns import Turns
from realtime_cli.conversation.usage import Meter
from realtime_cli.errors import InputError, RealtimeError
from realtime_cli.protocol import conversation_events as c
from realtime_cli.protocol import response_events as r
from realtime_cli.protocol.client_events import ConversationItemCreate, ResponseCreate, SessionUpdate
from realtime_cli.protocol.codec import ServerEvent, UnknownEvent
from realtime_cli.protocol.dialects import dialect_of
from realtime_cli.protocol.error_codes import Severity, classify, dialect_shown_by, fatal_error
from realtime_cli.protocol.items import ErrorDetail, Response

ALREADY_ACTIVE = "conversation_already_has_active_response"


class Conversation:
    """See the module. Not thread-safe: one thread owns it."""

    def __init__(self, options: ConversationOptions) -> None:
        self.options = options
        self._history = History()
        self._replies = Replies(options, self._history)
        self._turns = Turns(options, self._history, self._replies)
        self._calls = Calls(options, self._replies)
        self._meter = Meter()
        self._asides = Asides(options.side_channels, self._meter)
        self._guess = Guess(options.session, options.session_otherwise)
        self._patience = Patience(options, self._turns, self._replies, self._calls, self._asides)
        self._tools: tuple[Offer, ...] | None = None if options.offers_tools else ()
        self._session_id = ""
        self._begun = False
        self._model = ""
        self._ended = False
        self._turn_failed = False
        self._early_press = False
        self._sent = SentEvents()

    def handle(self, fact: f.Fact, now: float) -> list[Effect]:
        """What is to be done about ``fact``, which came at ``now`` seconds of a monotonic clock. Never blocks."""
        if self._ended:
            return []
        effects = self._decide(fact, now)
        if isinstance(fact, ServerEvent | UnknownEvent | f.Opened):
            self._patience.owed(now)
        effects += self._go_on(now)
        self._watch(effects, now)
        return [self._sent.named(effect) for effect in effects]

    @property
    def deadline(self) -> float | None:
        """When a Tick is due, if nothing else happens."""
        if self._ended:
            return None
        due = [self._answer_due(), self._end_due(), self._turns.release_due, self._calls.deadline]
        return min((at for at in due if at is not None), default=None)

    def snapshot(self) -> Snapshot:
        """How things stand."""
        return Snapshot(
            phase=self._phase(),
            provider=self.options.provider,
            model=self._model,
            lines=self._history.lines(),
            totals=self._meter.totals(self._turns.count),
            talking=self.options.push_to_talk and self._turns.speaking,
            opening=self._turns.opening,
            running=self._calls.running,
            question=self._calls.question,
        )

    @property
    def audible(self) -> bool:
        """Whether some of the model's audio is still to be heard: then progress is worth reporting."""
        return self._replies.audible

    @property
    def urgent(self) -> bool:
        """Whether the user speaks, or waits for the model."""
        return self._turns.speaking or self._turns.feeding or self._replies.busy

    def _decide(self, fact: f.Fact, now: float) -> list[Effect]:
        match fact:
            case ServerEvent():
                return self._server_said(fact, now)
            case f.Typed() if self._calls.question and (answer := ANSWERS.get(fact.text.lower())):
                return self._calls.decided(answer, now)
            case f.Wanted():
                self._turns.waiting.append(fact)
            case f.Typed() | f.Spoken():
                self._turns.waiting.append(fact)
                return self._replies.interrupt(server_cancels=False) if self.options.listens else []
            case f.StopReply():
                return self._replies.stop()
            case f.Discarded() if self._turns.pressed_at is not None:
                return self._turns.discarded()
            case f.Fed():
                return self._turns.fed(now)
            case f.Pressed() if not self._begun:
                self._early_press = not self._early_press
            case f.Pressed():
                return self._turns.pressed(now) if self._turns.pressed_at is None else self._turns.released()
            case f.Released() if self._turns.pressed_at is not None:
                return self._turns.released()
            case f.Released():
                self._early_press = False
            case f.MicOpened():
                return self._turns.mic_opened()
            case f.MicClosed() if self._turns.speaking:
                return self._turns.mic_closed(fact, now)
            case f.Heard():
                return self._replies.heard(fact)
            case f.Flushed():
                return self._replies.flushed(fact)
            case f.InputsEnded():
                self._patience.inputs_ended()
            case f.MicEnded():
                self._patience.mic_ended(now)
            case f.ToolsReady():
                self._tools = fact.offers
                return self._begin(now)
            case f.ToolReturned():
                return self._calls.returned(fact, now)
            case f.Decided():
                return self._calls.decided(fact.answer, now)
            case f.Muted():
                return [Mute(fact.on), Show(MicChanged(state="muted" if fact.on else "unmuted"))]
            case f.Noted():
                return [Show(Notice(text=fact.text))]
            case f.Quit():
                return self._end(fact.exit_code, "quit" if fact.exit_code == 0 else "interrupted")
            case f.Failed() | f.Lost():
                return self._fail(fact.error)
            case f.Tick():
                return self._time_passed(now)
        return []

    def _server_said(self, event: ServerEvent, now: float) -> list[Effect]:
        aside = self._asides.take(event)
        if aside is not None:
            return aside
        match event:
            case c.SessionCreated():
                return self._session_created(event.session, now)
            case c.ConversationCreated():
                # xAI's first event; elsewhere, if at all, it comes behind the one that opens the session.
                return self._session_created({}, now)
            case c.ErrorEvent():
                return self._error(event.error)
            case c.SpeechStarted():
                return self._turns.speech_started(event)
            case c.SpeechStopped():
                self._turns.speech_stopped(event, now)
                self._calls.speech_stopped(now)
            case c.InputAudioBufferCommitted():
                self._calls.committed()
                return self._turns.committed(event)
            case c.ConversationItemDone() if event.item.type == "mcp_call":
                return self._calls.remote_done(event.item, "", now)
            case c.ConversationItemAdded() | c.ConversationItemCreated() | c.ConversationItemDone():
                return self._turns.item(event.item, event.previous_item_id)
            case c.TranscriptionDelta() | c.TranscriptionCompleted() | c.TranscriptionFailed():
                return self._turns.transcribed(event)
            case r.ResponseCreated():
                self._calls.response_began()
                return self._replies.created(event.response)
            case r.OutputItemAdded() | r.OutputItemDone():
                self._replies.item_added(event)
                return self._calls.item(event, now)
            case r.FunctionArgumentsDone():
                self._calls.arguments(event)
            case (
                r.OutputTextDelta()
                | r.OutputTextDone()
                | r.OutputTranscriptDelta()
                | r.OutputTranscriptDone()
                | r.OutputAudioDelta()
                | r.OutputAudioDone()
            ):
                return self._replies.content(event)
            case r.ResponseDone():
                return self._response_done(event.response, now)
        return []

    def _session_created(self, session: Mapping[str, Any], now: float) -> list[Effect]:
        if self._session_id:
            return []
        self._session_id = str(session.get("id") or "unnamed")
        self._model = str(session.get("model") or self.options.session.get("model") or "")
        started = SessionStarted(id=self._session_id, model=self._model, provider=self.options.provider)
        return [*self._guess.correct(dialect_of(session)), Show(started), *self._begin(now)]

    def _begin(self, now: float) -> list[Effect]:
        """Set the session up, once it is there and all that is offered to the model is known."""
        if not self._session_id or self._tools is None or self._begun:
            return []
        self._begun = True
        self._calls.offers = {offer.name: offer for offer in self._tools}
        self._guess.tools = [offer.for_session() for offer in self._tools]
        opened: list[Effect] = [] if self.options.push_to_talk or not self.options.listens else [OpenMic()]
        early = self._turns.pressed(now) if self._early_press else []
        return [self._guess.update(), *opened, *early]

    def _response_done(self, response: Response, now: float) -> list[Effect]:
        effects = self._calls.response_done(response, now) + self._replies.done(response)
        effects.append(Show(self._meter.response_done(response, self._turns.ended_at, now)))
        failure = failure_of(response, empty=self._replies.empty and not self._calls.open)
        self._turn_failed = failure is not None
        effects += self._asides.turn_over(response)
        return [*effects, Show(failure)] if failure else effects

    def _error(self, error: ErrorDetail) -> list[Effect]:
        cause = self._sent.cause_of(error)
        severity = classify(error)
        if isinstance(cause, ResponseCreate) and self._asides.owns(cause):
            return self._asides.refused(error)
        if error.code == ALREADY_ACTIVE:
            self._replies.refused(because_active=True)
            return []
        if corrected := self._guess.correct(dialect_shown_by(error)):
            return [*corrected, self._guess.update()]
        if severity is Severity.FATAL or not self._session_id:
            return self._fail(fatal_error(error, self.options.key))
        if isinstance(cause, SessionUpdate):
            return self._fail(InputError(f"the server refuses an option: {error.message}", "change it or leave it out"))
        if severity is Severity.BENIGN:
            return []
        if isinstance(cause, ConversationItemCreate):
            self._replies.turn_refused()
        if isinstance(cause, ResponseCreate | ConversationItemCreate) or (cause is None and self._replies.owed):
            self._replies.refused(because_active=False)
            self._turn_failed = True
        return [Show(trouble_of(error))]

    def _go_on(self, now: float) -> list[Effect]:
        """Send the next waiting turn, or end, when nothing else is going on."""
        if not self._begun or self._ended:
            return []
        free = not self._turns.feeding and not self._replies.busy
        answered = not self._replies.audible and not self._calls.open
        if self._turns.waiting and free and (self.options.listens or answered):
            return self._turns.next_input(now)
        if self._calls.reply_due and free and not self._turns.speaking:
            return self._calls.ask_for_reply()
        return self._time_passed(now) if self._patience.quiet(now) else []

    def _time_passed(self, now: float) -> list[Effect]:
        answer_due, end_due, release_due = self._answer_due(), self._end_due(), self._turns.release_due
        if release_due is not None and now >= release_due:
            return self._turns.held_too_long()
        if expired := self._calls.expire(now):
            return expired
        if answer_due is not None and now >= answer_due:
            return self._fail(silent_server(self.options, opened=bool(self._session_id)))
        if end_due is not None and now >= end_due:
            return [*self._turns.give_up_transcripts(), *self._end(1 if self._turn_failed else 0, "done")]
        return []

    def _answer_due(self) -> float | None:
        return self._patience.answer_due() if self._session_id else self._patience.hello_due()

    def _end_due(self) -> float | None:
        return self._patience.end_due() if self._begun else None

    def _fail(self, error: RealtimeError) -> list[Effect]:
        return [Show(Trouble(message=str(error))), *self._end(error.exit_code, "failed")]

    def _end(self, exit_code: int, reason: str) -> list[Effect]:
        """Say what was heard of a reply that is cut off by the end, then end."""
        self._ended = True
        return [
            CloseMic(),
            *self._replies.cut_off(),
            Show(Ended(reason=reason, exit_code=exit_code)),
            End(exit_code, reason),
        ]

    def _watch(self, effects: list[Effect], now: float) -> None:
        """Note first words and first sounds for the latencies, and since when the server owes something."""
        for effect in effects:
            match effect:
                case Show(record=AssistantDelta()):
                    self._meter.arrived("text", now)
                case Play():
                    self._meter.arrived("audio", now)
                case Send(event=ResponseCreate()):
                    self._patience.owed(now)

    def _phase(self) -> Phase:
        if self._ended:
            return Phase.ENDED
        if not self._session_id:
            return Phase.CONNECTING
        if self._turns.speaking:
            return Phase.HEARING
        if self._replies.audible:
            return Phase.SPEAKING
        return Phase.THINKING if self._replies.busy or self._turns.feeding else Phase.LISTENING
