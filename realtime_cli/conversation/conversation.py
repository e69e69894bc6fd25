"""The conversation itself: one method, facts in, effects out. No socket, no device, no thread, no clock.

The session tells it every fact on one thread and carries out what it asks for, in order; a recorded list of facts
replays a conversation exactly. :class:`.Turns` knows the user's side, :class:`.Responses` the model's and what is owed,
:class:`.ToolCalls` the functions it calls, :class:`.History` what is not told yet (all in :mod:`.parts`). What the
server's events are to them is in :mod:`.server_events`, its errors in :mod:`.server_errors`, its session in
:mod:`.server_session`; when the model is asked to answer in :mod:`.asking`, what time brings in :mod:`.deadlines`, the
end in :mod:`.ending`.
"""

from __future__ import annotations

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.asking import Asking
from realtime_cli.conversation.deadlines import Deadlines
from realtime_cli.conversation.effects import ChangeDevice, Effect, FeedSilence, Mute, Play, Send, Show
from realtime_cli.conversation.ending import Ending
from realtime_cli.conversation.event_ids import EventIds
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.parts import Parts
from realtime_cli.conversation.records import (
    AssistantDelta,
    AssistantSaid,
    MicChanged,
    Notice,
    Phase,
    Snapshot,
    SourceState,
)
from realtime_cli.conversation.server_events import ServerEvents
from realtime_cli.conversation.server_session import ServerSession
from realtime_cli.conversation.tool_calls import CONSENTS
from realtime_cli.protocol.client_events import ResponseCreate
from realtime_cli.protocol.codec import ServerEvent, UnknownEvent


class Conversation:
    """See the module. Not thread-safe: one thread owns it."""

    def __init__(self, options: ConversationOptions) -> None:
        self.options = options
        self._parts = Parts(options)
        self._event_ids = EventIds()
        self._ending = Ending(self._parts)
        self._session = ServerSession(self._parts, self._ending)
        self._asking = Asking(self._parts)
        self._server_events = ServerEvents(self._parts, self._session, self._asking, self._ending, self._event_ids)
        self._deadlines = Deadlines(self._parts, self._session, self._server_events.errors, self._ending)
        self._now = 0.0
        self._microphone: SourceState = "works"

    def handle(self, fact: f.Fact, now: float) -> list[Effect]:
        """What is to be done about ``fact``, which came at ``now`` seconds of a monotonic clock. Never blocks."""
        if self._ending.ended:
            return []
        self._now = now
        effects = self._decide(fact, now)
        if isinstance(fact, ServerEvent | UnknownEvent | f.Opened):
            self._parts.timeouts.server_heard(now)
        if not self._ending.ended:
            effects += self._parts.history.release(now)
        effects = self._sendable(effects)
        if not self._ending.ended:
            effects += self._sendable(self._go_on(now))
        self._watch(effects, now)
        return [self._event_ids.named(effect) for effect in effects]

    @property
    def deadline(self) -> float | None:
        """When a Tick is due, if nothing else happens."""
        return None if self._ending.ended else self._deadlines.next(self._now)

    def snapshot(self) -> Snapshot:
        """How things stand."""
        parts = self._parts
        return Snapshot(
            phase=self._phase(),
            provider=self.options.provider,
            model=self._session.model,
            lines=parts.history.lines(),
            totals=parts.meter.totals(parts.turns.count),
            talking=self.options.push_to_talk and parts.turns.talk_key.talking,
            opening=parts.turns.talk_key.opening,
            running=parts.calls.running,
            question=parts.calls.question,
            microphone=self._microphone,
        )

    @property
    def audible(self) -> bool:
        """Whether some of the model's audio is still to be heard: then progress is worth reporting."""
        return self._parts.responses.audible

    @property
    def urgent(self) -> bool:
        """Whether the user speaks, or waits for the model."""
        turns = self._parts.turns
        return turns.speaking or turns.feeding or self._parts.responses.busy

    def _decide(self, fact: f.Fact, now: float) -> list[Effect]:
        parts = self._parts
        match fact:
            case ServerEvent():
                return self._server_events.handle(fact, now)
            case f.ToolsReady():
                return self._session.tools_ready(fact.definitions, now)
            case f.ToolReturned():
                return parts.calls.returned(fact, now)
            case f.Noted():
                return [Show(Notice(text=fact.text))]
            case f.Quit():
                return self._ending.end(fact.exit_code, "quit" if fact.exit_code == 0 else "interrupted", now)
            case f.Failed():
                return self._ending.fail(fact.error, now)
            case f.Lost():
                return self._session.lose(fact, now)
            case f.Opened():
                parts.links.link.opened(fact.wall_s, now)
                return self._session.joined(self.options.joined, now) if self.options.joined else []
            case f.OnStandby():
                return parts.links.on_standby(fact, now)
            case f.Slept():
                parts.links.slept(fact.seconds)
            case f.Tick():
                return self._deadlines.time_passed(now)
            case f.Pressed() | f.Released() | f.MicOpened() | f.MicClosed() | f.MicState() | f.MicEnded() | f.Fed():
                return self._heard_from_microphone(fact, now)
            case f.Heard():
                return self._heard(fact, now)
            case f.Flushed():
                parts.turns.voice_silenced()
                return parts.heard_replies.flushed(fact)
            case _:
                return self._asked_by_user(fact, now)
        return []

    def _asked_by_user(self, fact: f.Fact, now: float) -> list[Effect]:
        """What the user typed, chose or set."""
        parts = self._parts
        key = parts.turns.talk_key
        match fact:
            case f.Typed(answers=True) if parts.calls.question and (answer := CONSENTS.get(fact.text.lower())):
                return parts.calls.decided(answer, now)
            case f.Decided():
                return parts.calls.decided(fact.answer, now)
            case f.Wanted():
                parts.turns.waiting.append(fact)
            case f.Typed() | f.Spoken():
                parts.turns.waiting.append(fact)
                return parts.responses.interrupt(server_cancels=False) if self.options.listens else []
            case f.InputsEnded():
                parts.timeouts.inputs_ended = True
            case f.Retried():
                return self._asking.retry()
            case f.StopReply():
                return key.discard() if key.talking else parts.responses.stop()
            case f.Reconfigured() if self._session.begun:
                return parts.setup.change(fact)
            case f.DeviceChosen():
                return [ChangeDevice(fact.end, fact.name)]
            case f.Muted():
                return [Mute(fact.on), Show(MicChanged(state="muted" if fact.on else "unmuted"))]
            case f.BudgetSet():
                return parts.meter.set_budget(fact.usd)
            case f.UsageAsked():
                return [Show(Notice(text=parts.meter.in_words(parts.turns.count)))]
            case f.SavingAsked():
                return [Show(Notice(text=self.options.saved_as))]
            case f.ToolsAsked():
                return [Show(Notice(text=text)) for text in self._session.described_tools()]
        return []

    def _heard_from_microphone(self, fact: f.Fact, now: float) -> list[Effect]:
        """What became of the microphone, of the key that opens it, or of a recording in its place."""
        turns = self._parts.turns
        key = turns.talk_key
        match fact:
            case f.Pressed() if not self._session.begun and key.pressed_at is None:
                self._session.early_press = not self._session.early_press
            case f.Pressed():
                return key.pressed(now)
            case f.Released() if key.pressed_at is not None:
                return key.released()
            case f.Released():
                self._session.early_press = False
            case f.MicOpened():
                return key.mic_opened()
            case f.MicClosed() if key.talking:
                return key.mic_closed(fact, now)
            case f.MicState():
                self._microphone = fact.state
                return [Show(MicChanged(state=fact.state))]
            case f.MicEnded():
                self._parts.timeouts.mic_ended(now)
            case f.Fed():
                return turns.fed(now)
        return []

    def _heard(self, fact: f.Heard, now: float) -> list[Effect]:
        parts = self._parts
        parts.heard_replies.heard(fact)
        if fact.heard_ms <= 0:
            return []
        began_at = now - fact.heard_ms / 1000
        return parts.meter.audible(fact.item_id, parts.turns.ended_at, parts.turns.committed_at, began_at)

    def _sendable(self, effects: list[Effect]) -> list[Effect]:
        """Remember what is told, and leave out what is to be sent while there is nobody to send it to."""
        done: list[Effect] = []
        for effect in effects:
            done += self._parts.continuity.take(effect)
            if isinstance(effect, Send) and effect.epoch is None and self._parts.links.lost:
                self._parts.continuity.unsent(effect.event)
            else:
                done.append(effect)
        return done

    def _go_on(self, now: float) -> list[Effect]:
        """Send the next waiting turn, ask for what is wanted, or end, when nothing else is going on."""
        if not self._session.begun:
            return []
        if ending := self._ending.budget_or_silence(now):
            return ending
        # Before the next turn: a side channel reads the conversation as it stands.
        effects = self._parts.out_of_band.ask(now)
        turns, responses, calls = self._parts.turns, self._parts.responses, self._parts.calls
        answered = not responses.audible and not calls.open
        free = self._asking.possible and not responses.busy
        if turns.waiting and free and (self.options.listens or answered):
            self._ending.next_turn()
            effects += [*turns.next_input(now), *self._parts.history.release(now)]
        elif calls.reply_due and free and not (turns.speaking or turns.settling(now)):
            effects += self._asking.want_reply_to_results()
        effects += self._asking.ask(now)
        if not effects and self._parts.timeouts.idle(now) and not turns.transcript_pending:
            effects += self._parts.continuity.renew(now)
        return effects + self._ending.if_over(now)

    def _watch(self, effects: list[Effect], now: float) -> None:
        """Note first words and first sounds for the latencies, and since when the server owes something."""
        for effect in effects:
            match effect:
                case Show(record=AssistantDelta()):
                    self._parts.meter.arrived("text", now)
                case Show(record=AssistantSaid() as said):
                    self._asking.told(said)
                case Play():
                    self._parts.meter.arrived("audio", now)
                case Send(event=ResponseCreate()) | FeedSilence():
                    self._parts.timeouts.server_heard(now)

    def _phase(self) -> Phase:
        if self._ending.ended:
            return Phase.ENDED
        if not self._session.begun and self._parts.links.lost:
            return Phase.RECONNECTING
        if not self._parts.session_id:
            return Phase.CONNECTING
        if self._parts.turns.speaking:
            return Phase.HEARING
        if self._parts.responses.audible:
            return Phase.SPEAKING
        return Phase.THINKING if self._parts.responses.busy or self._parts.turns.feeding else Phase.LISTENING
