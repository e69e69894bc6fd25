"""The conversation itself: one method, facts in, effects out. No socket, no device, no thread, no clock.

The session tells it every fact on one thread and carries out what it asks for, in order; a recorded list of facts
replays a conversation exactly. :class:`Turns` knows the user's side, :class:`Responses` the model's and what is owed,
:class:`ToolCalls` the functions it calls, :class:`History` what is not told yet; this class knows the session: its
beginning, its errors, its sums and its end.

What belongs to one connection, and is begun anew with another: responses, spoken turns, calls' ids, side channels
(their ``reset``), event ids and the session's setup. What belongs to the conversation: history, sums, what waits to be
sent or asked for, runs of functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.continuity import Continuity
from realtime_cli.conversation.effects import (
    ChangeDevice,
    CloseMic,
    Drop,
    Effect,
    End,
    FeedSilence,
    Mute,
    OpenMic,
    Play,
    Send,
    Show,
)
from realtime_cli.conversation.event_ids import EventIds
from realtime_cli.conversation.failures import (
    CANCELLED,
    asked_to_wait_s,
    failure_of,
    silent_server,
    trouble_of,
    unanswered,
)
from realtime_cli.conversation.history import UNNAMED, History
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.out_of_band import OutOfBand
from realtime_cli.conversation.records import (
    AssistantDelta,
    AssistantSaid,
    Ended,
    MicChanged,
    Notice,
    Phase,
    SessionStarted,
    Snapshot,
    SourceState,
    Trouble,
)
from realtime_cli.conversation.reply import Reply, Wish
from realtime_cli.conversation.request_rate import RequestRate
from realtime_cli.conversation.responses import Responses
from realtime_cli.conversation.session_setup import SessionSetup
from realtime_cli.conversation.states import ResponseState
from realtime_cli.conversation.timeouts import Timeouts
from realtime_cli.conversation.tool_calls import CONSENTS, ToolCalls
from realtime_cli.conversation.tool_definitions import ToolDefinition
from realtime_cli.conversation.turns import Turns
from realtime_cli.conversation.usage import UsageMeter
from realtime_cli.errors import ConnectionFailed, InputError, RealtimeError
from realtime_cli.protocol import conversation_events as c
from realtime_cli.protocol import response_events as r
from realtime_cli.protocol.client_events import ConversationItemCreate, ConversationItemDelete, ResponseCreate
from realtime_cli.protocol.codec import ServerEvent, UnknownEvent
from realtime_cli.protocol.dialects import dialect_of
from realtime_cli.protocol.error_codes import SESSION_EXPIRED, Severity, classify, dialect_shown_by, fatal_error
from realtime_cli.protocol.items import ErrorDetail, Item, Response
from realtime_cli.providers.prices import dollars

ALREADY_ACTIVE = "conversation_already_has_active_response"


class Conversation:
    """See the module. Not thread-safe: one thread owns it."""

    def __init__(self, options: ConversationOptions) -> None:
        self.options = options
        self._history = History()
        self._meter = UsageMeter(options.prices, options.transcription_model, options.budget_usd)
        self._rate = RequestRate()
        self._responses = Responses(options, self._history)
        self._turns = Turns(options, self._history, self._responses)
        self._calls = ToolCalls(options, self._responses)
        self._out_of_band = OutOfBand(options.side_channels, self._responses, self._meter, self._rate)
        self._setup = SessionSetup(options.session, options.session_otherwise, options.own_settings)
        self._timeouts = Timeouts(options, self._turns, self._responses, self._calls, self._out_of_band)
        self._event_ids = EventIds()
        self._tools: tuple[ToolDefinition, ...] | None = None if options.offers_tools else ()
        self._now = 0.0
        self._continuity = Continuity(
            options, self._history, self._turns, self._responses, self._calls, self._out_of_band, self._setup
        )
        self._links = self._continuity.links
        self._begun = False
        self._model = ""
        self._mic_opened = False
        self._microphone: SourceState = "works"
        self._ended = False
        self._turn_failed = self._turn_cancelled = False
        """What became of the latest turn; cancelled by the server without anybody's word."""
        self._failed_before = False
        self._early_press = False
        self._last_reply = ""
        """Id of the last reply's item, where the server has it."""

    def handle(self, fact: f.Fact, now: float) -> list[Effect]:
        """What is to be done about ``fact``, which came at ``now`` seconds of a monotonic clock. Never blocks."""
        if self._ended:
            return []
        self._now = now
        effects = self._decide(fact, now)
        if isinstance(fact, ServerEvent | UnknownEvent | f.Opened):
            self._timeouts.server_heard(now)
        if not self._ended:
            effects += self._history.release(now)
        effects = self._sendable(effects)
        if not self._ended:
            effects += self._sendable(self._go_on(now))
        self._watch(effects, now)
        return [self._event_ids.named(effect) for effect in effects]

    @property
    def deadline(self) -> float | None:
        """When a Tick is due, if nothing else happens."""
        if self._ended:
            return None
        if not self._session_id:
            due = [self._timeouts.hello_due(), self._links.due, self._calls.due, self._turns.due(self._now)]
            return min((at for at in due if at is not None), default=None)
        due = [
            self._links.due,
            self._timeouts.answer_due(),
            self._timeouts.notice_due(),
            self._timeouts.endless_speech_due(),
            self._timeouts.end_due(self._now) if self._begun else None,
            self._timeouts.idle_due(self._now) if self._begun else None,
            self._responses.suspect_due,
            self._turns.due(self._now),
            self._calls.due,
            self._out_of_band.due,
            self._history.due,
            self._rate.due if self._responses.wish is not None else None,
            (self._responses.wish.not_before or None) if self._responses.wish is not None else None,
        ]
        return min((at for at in due if at is not None), default=None)

    def snapshot(self) -> Snapshot:
        """How things stand."""
        return Snapshot(
            phase=self._phase(),
            provider=self.options.provider,
            model=self._model,
            lines=self._history.lines(),
            totals=self._meter.totals(self._turns.count),
            talking=self.options.push_to_talk and self._turns.talk_key.talking,
            opening=self._turns.talk_key.opening,
            running=self._calls.running,
            question=self._calls.question,
            microphone=self._microphone,
        )

    @property
    def audible(self) -> bool:
        """Whether some of the model's audio is still to be heard: then progress is worth reporting."""
        return self._responses.audible

    @property
    def urgent(self) -> bool:
        """Whether the user speaks, or waits for the model."""
        return self._turns.speaking or self._turns.feeding or self._responses.busy

    def _decide(self, fact: f.Fact, now: float) -> list[Effect]:
        match fact:
            case ServerEvent():
                return self._server_said(fact, now)
            case f.Typed() if self._calls.question and (answer := CONSENTS.get(fact.text.lower())):
                return self._calls.decided(answer, now)
            case f.Wanted():
                self._turns.waiting.append(fact)
            case f.Typed() | f.Spoken():
                self._turns.waiting.append(fact)
                return self._responses.interrupt(server_cancels=False) if self.options.listens else []
            case f.Retried():
                return self._retry()
            case f.UsageAsked():
                return [Show(Notice(text=self._meter.in_words(self._turns.count)))]
            case f.BudgetSet():
                return self._meter.set_budget(fact.usd)
            case f.SavingAsked():
                return [Show(Notice(text=self.options.saved_as))]
            case f.ToolsAsked():
                return [Show(Notice(text=text)) for text in _described(self._tools or ())]
            case f.Reconfigured() if self._begun:
                return self._setup.change(fact)
            case f.DeviceChosen():
                return [ChangeDevice(fact.end, fact.name)]
            case f.StopReply():
                return self._turns.talk_key.discard() if self._turns.talk_key.talking else self._responses.stop()
            case f.Fed():
                return self._turns.fed(now)
            case f.Pressed() if not self._begun and self._turns.talk_key.pressed_at is None:
                self._early_press = not self._early_press
            case f.Pressed():
                return self._turns.talk_key.pressed(now)
            case f.Released() if self._turns.talk_key.pressed_at is not None:
                return self._turns.talk_key.released()
            case f.Released():
                self._early_press = False
            case f.MicOpened():
                return self._turns.talk_key.mic_opened()
            case f.MicClosed() if self._turns.talk_key.talking:
                return self._turns.talk_key.mic_closed(fact, now)
            case f.MicState():
                self._microphone = fact.state
                return [Show(MicChanged(state=fact.state))]
            case f.Heard():
                self._responses.heard(fact)
                if fact.heard_ms > 0:
                    return self._meter.audible(fact.item_id, self._turns.ended_at, self._turns.committed_at, now)
            case f.Flushed():
                self._turns.voice_silenced()
                return self._responses.flushed(fact)
            case f.InputsEnded():
                self._timeouts.inputs_ended = True
            case f.MicEnded():
                self._timeouts.mic_ended(now)
            case f.ToolsReady():
                self._tools = fact.definitions
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
            case f.Failed():
                return self._fail(fact.error)
            case f.Lost():
                return self._lose(fact, now)
            case f.Opened():
                self._links.link.opened(fact.wall_s, now)
            case f.OnStandby():
                return self._links.on_standby(fact, now)
            case f.Slept():
                self._links.slept(fact.seconds)
            case f.Tick():
                return self._time_passed(now)
        return []

    def _server_said(self, event: ServerEvent, now: float) -> list[Effect]:
        if (aside := self._out_of_band.take(event, now)) is not None:
            return aside
        if isinstance(event, _ANSWERS_TO_UPDATE):
            self._setup.answered()
        match event:
            case c.SessionCreated():
                return self._session_created(event.session, now)
            case c.ConversationCreated():
                # xAI's first event; elsewhere, if at all, it comes behind the one that opens the session.
                return self._session_created({}, now)
            case c.ErrorEvent():
                return self._error(event.error, now)
            case c.SpeechStarted():
                return self._turns.speech_started(event, now)
            case c.SpeechStopped():
                return self._turns.speech_stopped(event, now)
            case c.InputAudioBufferCommitted():
                self._turns.committed(event, now)
            case c.ConversationItemAdded() | c.ConversationItemCreated() | c.ConversationItemDone():
                return self._item(event.item, event.previous_item_id, now)
            case c.TranscriptionCompleted():
                paid = self._meter.transcribed(event.item_id, event.usage)
                return [*self._turns.transcribed(event, now), *paid]
            case c.TranscriptionDelta() | c.TranscriptionFailed():
                return self._turns.transcribed(event, now)
            case r.ResponseCreated():
                return self._responses.created(event.response, now)
            case r.OutputItemAdded() | r.OutputItemDone():
                began = self._responses.item(event, now)
                return began + self._calls.item(event, now, may_call=self._may_call)
            case r.FunctionArgumentsDone():
                self._calls.arguments(event)
            case r.McpListToolsFailed():
                return self._calls.listing_failed(event.item_id)
            case (
                r.OutputTextDelta()
                | r.OutputTextDone()
                | r.OutputTranscriptDelta()
                | r.OutputTranscriptDone()
                | r.OutputAudioDelta()
                | r.OutputAudioDone()
            ):
                return self._responses.content(event, now)
            case r.ResponseDone():
                return self._response_done(event.response, now)
        return []

    def _session_created(self, session: Mapping[str, Any], now: float) -> list[Effect]:
        if self._session_id:
            return []
        self._links.link.greeted(session)
        corrected = self._setup.correct(dialect_of(session))
        if self._links.lost:
            return [*corrected, *self._begin(now)]
        self._model = self._meter.model = self._links.link.model or str(self.options.session.get("model") or "")
        started = SessionStarted(id=self._session_id, model=self._model, provider=self.options.provider)
        return [*corrected, Show(started), *self._begin(now)]

    def _begin(self, now: float) -> list[Effect]:
        """Set the session up, once it is there and all that is offered to the model is known."""
        if not self._session_id or self._tools is None or self._begun:
            return []
        self._begun = True
        self._calls.definitions = {definition.name: definition for definition in self._tools}
        self._setup.tools = [definition.for_session() for definition in self._tools]
        effects = self._continuity.restore(now)
        if self.options.listens and not self.options.push_to_talk and not self._mic_opened:
            self._mic_opened = True
            effects.append(OpenMic())
        if self._early_press:
            self._early_press = False
            effects += self._turns.talk_key.pressed(now)
        return effects

    @property
    def _session_id(self) -> str:
        return self._links.link.session_id

    def _lose(self, fact: f.Lost, now: float) -> list[Effect]:
        """The connection was lost; one that never opened a session is not tried again."""
        if not self._begun and not self._links.lost:
            return self._fail(fact.error)
        effects = self._continuity.lose(fact, now)
        if isinstance(effects, RealtimeError):
            return self._fail(effects)
        self._begun = False
        self._timeouts.nobody_answers()
        if self._continuity.turn_failed and self._timeouts.inputs_ended and not self._turns.waiting:
            problem = f"the connection was lost again before an answer came: {fact.error.problem}"
            return self._fail(ConnectionFailed(problem, fact.error.remedy))
        self._turn_failed = self._turn_failed or self._continuity.turn_failed
        self._continuity.turn_failed = False
        return effects

    def _sendable(self, effects: list[Effect]) -> list[Effect]:
        """Remember what is told, and leave out what is to be sent while there is nobody to send it to."""
        done: list[Effect] = []
        for effect in effects:
            done += self._continuity.take(effect)
            if isinstance(effect, Send) and effect.epoch is None and self._links.lost:
                self._continuity.unsent(effect.event)
            else:
                done.append(effect)
        return done

    def _item(self, item: Item, previous_item_id: str | None, now: float) -> list[Effect]:
        if item.type == "mcp_call" and item.status not in ("in_progress", "incomplete"):
            return self._calls.remote_done(item, "", now)
        if item.type == "mcp_list_tools":
            self._calls.listing(item)
        else:
            self._turns.item(item, previous_item_id, now)
        return []

    @property
    def _may_call(self) -> bool:
        current = self._responses.current
        return current is None or current.wish is None or current.wish.may_call

    def _response_done(self, response: Response, now: float) -> list[Effect]:
        if self._responses.is_over(response.id):
            return self._meter.out_of_band_done(response)
        calls = self._calls.response_done(response, now, may_call=self._may_call)
        effects, reply = self._responses.done(response, now)
        effects += [*calls, *self._history.release(now)]
        effects += self._meter.response_done(response, self._turns.ended_at, now)
        whole = reply is not None and reply.state is ResponseState.DONE
        if (again := self._ask_again_later(response, reply, now)) is not None:
            return effects + again
        failure = failure_of(response, empty=whole and reply is not None and reply.empty and not self._calls.open)
        self._turn_failed = failure is not None
        # Where nobody can speak, it was not the user who interrupted.
        self._turn_cancelled = whole and response.status == "cancelled" and not self.options.listens
        self._out_of_band.turn_over(response)
        return [*effects, Show(failure)] if failure else effects

    def _ask_again_later(self, response: Response, reply: Reply | None, now: float) -> list[Effect] | None:
        """A rate limit passes: wait for as long as it says, and ask once more. None where that is no way out."""
        wait_s = asked_to_wait_s(response)
        wish = (reply.wish if reply else None) or Wish()
        if wait_s is None or reply is None or wish.retried or self._responses.wish is not None:
            return None
        self._responses.want(msgspec.structs.replace(wish, retried=True, not_before=now + wait_s))
        text = f"the rate limit is used up: asking again in {max(1, round(wait_s))} s"
        return [Show(Notice(text=text))]

    def _error(self, error: ErrorDetail, now: float) -> list[Effect]:
        cause = self._event_ids.cause_of(error)
        severity = classify(error)
        if error.code == SESSION_EXPIRED and self._begun:
            ended = ConnectionFailed("the session came to its age limit", "run the command again", recoverable=True)
            return [Drop(self._links.link.epoch), *self._lose(f.Lost(ended), now)]
        if isinstance(cause, ResponseCreate) and self._out_of_band.owns(cause):
            return self._out_of_band.refused(cause, error)
        if error.code == ALREADY_ACTIVE:
            self._responses.refused(because_active=True)
            return []
        if self._setup.change_refused(cause):
            return [Show(trouble_of(error))]
        if corrected := self._setup.correct(dialect_shown_by(error)):
            return [*corrected, self._setup.update()]
        if severity is Severity.FATAL or not self._session_id:
            return self._refused_session(error, severity, now)
        match self._setup.refused(error, cause):
            case InputError() as refusal:
                return self._fail(refusal)
            case list() as again:
                self._responses.suspect(now)
                return again
        if severity is Severity.BENIGN:
            return []
        coming = self._responses.coming
        if isinstance(cause, ConversationItemCreate):
            self._responses.turn_refused()
            self._turn_failed = True
        elif severity is Severity.NOTICE and cause is None:
            # A setting was refused, which has nothing to do with the reply that is owed.
            return [Show(trouble_of(error))]
        elif isinstance(cause, ResponseCreate) or (cause is None and coming and coming.state is ResponseState.ASKED):
            self._responses.refused(because_active=False)
            self._turn_failed = True
        elif cause is None:
            self._responses.suspect(now)
        return [Show(trouble_of(error))]

    def _retry(self) -> list[Effect]:
        """Another reply: the last one is interrupted, or taken out of the conversation."""
        if not self._turns.count:
            return [Show(Notice(text="there is nothing to answer yet"))]
        effects = self._responses.interrupt(server_cancels=False)
        last, self._last_reply = self._last_reply, ""
        if last:
            effects.append(Send(ConversationItemDelete(item_id=last)))
        self._turns.waiting.append(f.Wanted())
        return effects

    def _refused_session(self, error: ErrorDetail, severity: Severity, now: float) -> list[Effect]:
        """The server opens no session, or ends it for good; what may pass is tried again where there was one before."""
        failure = fatal_error(error, self.options.key)
        if severity is Severity.FATAL or not self._links.lost:
            return self._fail(failure)
        passing = ConnectionFailed(failure.problem, failure.remedy, recoverable=True)
        return [Drop(self._links.link.epoch), *self._lose(f.Lost(passing), now)]

    def _go_on(self, now: float) -> list[Effect]:
        """Send the next waiting turn, ask for what is wanted, or end, when nothing else is going on."""
        if not self._begun:
            return []
        if ending := self._budget_or_silence_ends(now):
            return ending
        # Before the next turn: a side channel reads the conversation as it stands.
        effects = self._out_of_band.ask(now)
        turns, responses = self._turns, self._responses
        answered = not responses.audible and not self._calls.open
        if turns.waiting and self._may_ask and not responses.busy and (self.options.listens or answered):
            self._failed_before = self._failed_before or self._turn_failed or self._turn_cancelled
            self._turn_failed = self._turn_cancelled = False
            effects += [*turns.next_input(now), *self._history.release(now)]
        elif self._calls.reply_due and self._may_ask and not responses.busy:
            effects += [] if turns.speaking or turns.settling(now) else self._want_reply_to_results()
        if responses.wish is not None and self._may_ask and now >= responses.wish.not_before:
            effects += self._ask(responses.wish, now)
        if not effects and self._timeouts.idle(now) and not turns.transcript_pending:
            effects += self._continuity.renew(now)
        return effects + self._end_if_over(now)

    def _budget_or_silence_ends(self, now: float) -> list[Effect]:
        """The end, once nothing is being said, where money or patience is used up."""
        if self._responses.busy or self._responses.audible or self._calls.open:
            return []
        if self._meter.spent:
            text = f"the budget of {dollars(self._meter.budget_usd)} is used up (--budget)"
            return [Show(Notice(text=text)), *self._end(0, "budget")]
        if _is_due(self._timeouts.idle_due(now), now):
            text = f"nobody has said anything for {self.options.idle_timeout_s:g} s (--idle-timeout)"
            return [Show(Notice(text=text)), *self._end(0, "idle")]
        return []

    @property
    def _may_ask(self) -> bool:
        return self._responses.free and not self._turns.feeding

    def _ask(self, wish: Wish, now: float) -> list[Effect]:
        """Ask for a response; what is not the user's doing only as often as a conversation can need it."""
        if wish.reason != "turn":
            if not self._rate.allows(now):
                return self._rate.slowed_down()
            self._rate.take()
        return self._responses.ask(now)

    def _want_reply_to_results(self) -> list[Effect]:
        """Let the model speak about the results of its calls, but not for ever without a turn of the user's."""
        limit = self.options.max_tool_rounds
        self._turns.tool_rounds += 1
        over = self._turns.tool_rounds - limit
        if over > 1:
            self._calls.spoken_about()
            return []
        self._responses.want(Wish(reason="tools", may_call=over < 1))
        text = f"the model called functions {limit} times in a row: it is asked to answer without (--max-tool-rounds)"
        return [Show(Notice(text=text))] if over == 1 else []

    def _time_passed(self, now: float) -> list[Effect]:
        """See to what is due."""
        timeouts = self._timeouts
        effects = self._links.time_passed(now)
        effects += self._turns.time_passed(now) + self._calls.expire(now) + self._out_of_band.expire(now)
        answer_due = timeouts.answer_due() if self._session_id else timeouts.hello_due()
        if answer_due is not None and now >= answer_due:
            return effects + self._stalled()
        if _is_due(self._responses.suspect_due, now):
            self._turn_failed = True
            if self._responses.current is None:
                effects.append(Show(Trouble(message="the server gave no answer")))
            effects += self._responses.give_up()
        if _is_due(timeouts.notice_due(), now):
            effects += timeouts.still_waiting()
        if _is_due(timeouts.endless_speech_due(), now) and self._turns.speech_never_ended(now):
            self._turn_failed = True
            effects.append(Show(Trouble(message="the server did not hear the end of what was said")))
        return effects

    def _stalled(self) -> list[Effect]:
        """The server owes something and says nothing: that turn has failed; a chat goes on."""
        error = silent_server(self.options, opened=bool(self._session_id))
        if self._links.lost:
            return [
                Drop(self._links.link.epoch),
                *self._lose(f.Lost(ConnectionFailed(error.problem, error.remedy, recoverable=True)), self._now),
            ]
        if not self._session_id or (not self.options.listens and self._responses.busy):
            return self._fail(error)
        if not self._responses.busy:
            return self._responses.give_up()
        coming = self._responses.coming
        self._turn_failed = True
        # What the server was to answer by itself may have been a cough.
        noise = coming is not None and coming.wish is None and not self._timeouts.nobody_left
        told = unanswered(self.options) if noise else Trouble(message=str(error))
        return [*self._responses.give_up(), Show(told)]

    def _end_if_over(self, now: float) -> list[Effect]:
        if not self._timeouts.quiet(now) or not _is_due(self._timeouts.end_due(now), now):
            return []
        self._turns.give_up_transcripts(also_empty=True)
        cancelled: list[Effect] = [Show(CANCELLED)] if self._turn_cancelled else []
        failed = self._turn_failed or self._turn_cancelled or (self._failed_before and not self.options.listens)
        return [*cancelled, *self._end(1 if failed else 0, "done")]

    def _fail(self, error: RealtimeError) -> list[Effect]:
        self._responses.cut_off()
        told = self._history.release(self._now, everything=True)
        return [*told, Show(Trouble(message=str(error))), *self._end(error.exit_code, "failed", error)]

    def _end(self, exit_code: int, reason: str, error: RealtimeError | None = None) -> list[Effect]:
        """Say what was heard of a reply that is cut off by the end, then end."""
        self._ended = True
        self._turns.give_up_transcripts(also_empty=False)
        self._responses.cut_off()
        return [
            CloseMic(),
            *self._history.release(self._now, everything=True),
            Show(Ended(reason=reason, exit_code=exit_code)),
            End(exit_code, reason, error),
        ]

    def _watch(self, effects: list[Effect], now: float) -> None:
        """Note first words and first sounds for the latencies, and since when the server owes something."""
        for effect in effects:
            match effect:
                case Show(record=AssistantDelta()):
                    self._meter.arrived("text", now)
                case Show(record=AssistantSaid() as said):
                    unknown = said.item_id.startswith(UNNAMED) or said.heard_ms == 0
                    self._last_reply = "" if unknown else said.item_id
                case Play():
                    self._meter.arrived("audio", now)
                case Send(event=ResponseCreate()) | FeedSilence():
                    self._timeouts.server_heard(now)

    def _phase(self) -> Phase:
        if self._ended:
            return Phase.ENDED
        if not self._begun and self._links.lost:
            return Phase.RECONNECTING
        if not self._session_id:
            return Phase.CONNECTING
        if self._turns.speaking:
            return Phase.HEARING
        if self._responses.audible:
            return Phase.SPEAKING
        return Phase.THINKING if self._responses.busy or self._turns.feeding else Phase.LISTENING


_ANSWERS_TO_UPDATE = (
    *(c.SessionUpdated, c.ConversationItemAdded, c.ConversationItemCreated, c.ConversationItemDone),
    *(c.InputAudioBufferCommitted, r.ResponseCreated, r.ResponseDone),
)
"""What a server sends when it has taken the update, or what was sent behind that."""


def _is_due(at: float | None, now: float) -> bool:
    return at is not None and now >= at


def _described(tools: tuple[ToolDefinition, ...]) -> list[str]:
    """What the model may call, a line each."""
    if not tools:
        return ["the model is offered no functions: see --tools and --mcp"]
    return [f"{tool.name}: {tool.description.strip().split(chr(10), 1)[0] or 'no description'}" for tool in tools]
