"""What becomes of a conversation when its connection changes: lost and regained, or renewed before its session ends.

The server behind a new connection knows nothing. It is sent the session's configuration first, then the past
(:mod:`.past`), then the microphone from where nobody heard it. A turn that was finished and not answered is asked
again, once; a reply that was cut is not: it stays in the past as far as it was heard. Where turns wait for each other
(no microphone), a cut reply is asked for again, once, as nobody else would. It is never greeted again.
"""

from __future__ import annotations

import msgspec

from realtime_cli.conversation import facts as f
from realtime_cli.conversation import past
from realtime_cli.conversation.effects import Connect, Drop, Effect, Flush, ResumeMic, Send, Show, Use
from realtime_cli.conversation.history import History
from realtime_cli.conversation.link import Link
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.out_of_band import OutOfBand
from realtime_cli.conversation.past import Past
from realtime_cli.conversation.reconnection import Reconnection
from realtime_cli.conversation.records import AssistantSaid, ConnectionChanged, Trouble
from realtime_cli.conversation.reply import Wish
from realtime_cli.conversation.responses import Responses
from realtime_cli.conversation.session_setup import SessionSetup
from realtime_cli.conversation.states import ResponseState
from realtime_cli.conversation.tool_calls import ToolCalls
from realtime_cli.conversation.turns import Turns
from realtime_cli.errors import ConnectionFailed
from realtime_cli.protocol import conversation_events as c
from realtime_cli.protocol.client_events import (
    ClientEvent,
    ConversationItemCreate,
    ConversationItemDelete,
    InputAudioBufferCommit,
)
from realtime_cli.protocol.dialects import dialect_of
from realtime_cli.protocol.items import Content

OVERLAP_S = 1.0
"""How much of the microphone a renewed session hears again: what was said as the one before ended is not lost, and a
turn that was answered is longer ago."""

STANDBY_RETRY_S = 15.0
"""How soon after a failed attempt another session is opened in advance."""

FIRST_EPOCH = 1
"""The number of the connection that the session opens by itself."""


UNANSWERED = "the turn got no answer: the connection was lost twice: say it again"


class Continuity:
    """The one owner of what is known about connections. What it resets belongs to one of them."""

    def __init__(
        self,
        options: ConversationOptions,
        history: History,
        turns: Turns,
        responses: Responses,
        calls: ToolCalls,
        out_of_band: OutOfBand,
        setup: SessionSetup,
    ) -> None:
        self._options = options
        self._history = history
        self._turns = turns
        self._responses = responses
        self._calls = calls
        self._out_of_band = out_of_band
        self._setup = setup
        self.past = Past(options.past)
        self.link = Link(FIRST_EPOCH)
        self._epochs = FIRST_EPOCH
        self._standby: Link | None = None
        self._standby_not_before = 0.0
        self._reconnection = Reconnection(options.reconnect_s, options.seed)
        self._reason = ""
        self.turn_failed = False
        """The latest turn will not be answered, because the connection was lost again; to be taken back by who asks."""
        self._unheard_since = 0.0
        self._commit_again = False
        self._left_out: frozenset[str] = frozenset()
        self._restored: dict[str, tuple[ConversationItemCreate, str]] = {}
        """Replies that were still being heard when they were told to the server: as what, and behind which item."""

    @property
    def lost(self) -> bool:
        """Whether there is no connection that works."""
        return self._reconnection.lost

    @property
    def due(self) -> float | None:
        """When the next try is due, or another session is to be opened in advance."""
        if self.lost:
            return self._reconnection.due
        rollover_due = self.link.rollover_due
        if rollover_due is None or self._standby is not None:
            return None
        return max(rollover_due, self._standby_not_before)

    def lose(self, fact: f.Lost, now: float) -> list[Effect] | ConnectionFailed:
        """The connection, or a try to get another, was lost; the error to end with when it is given up."""
        if self.lost and self._reconnection.due is not None:
            return []  # the same loss, told once more
        if not fact.error.recoverable:
            return fact.error
        first = not self.lost
        if not self._reconnection.lose(now):
            return self._given_up(fact.error) if self._options.reconnect_s else fact.error
        self._reason = fact.error.problem
        if not first:
            return []
        standby, self._standby = self._standby, None
        dropped: list[Effect] = [Drop(standby.epoch)] if standby else []
        told = ConnectionChanged(state="lost", reason=self._reason, id=self.link.session_id)
        return [*dropped, Show(told), *self._cut(now, fact.silent_s)]

    def opened(self, fact: f.Opened, now: float) -> None:
        """The current connection is there."""
        self.link.opened(fact.wall_s, now)

    def slept(self, seconds: float) -> None:
        """This machine slept."""
        for link in (self.link, self._standby):
            if link is not None:
                link.slept(seconds)

    def time_passed(self, now: float) -> list[Effect]:
        """Try again, or open another session in advance."""
        if self.due is None or now < self.due:
            return []
        self._epochs += 1
        if self.lost:
            self._reconnection.begin_try()
            self.link = Link(self._epochs)
            told = ConnectionChanged(state="retrying", reason=self._reason, attempt=self._reconnection.tries)
            return [Show(told), Connect(self._epochs)]
        self._standby = Link(self._epochs)
        return [Connect(self._epochs, standby=True)]

    def on_standby(self, fact: f.OnStandby, now: float) -> list[Effect]:
        """Something happened on the connection that stands by."""
        link = self._standby
        if link is None or link.epoch != fact.epoch:
            return []
        match fact.fact:
            case f.Opened(wall_s=wall_s):
                link.opened(wall_s, now)
            case c.SessionCreated(session=session) if not link.session_id:
                link.greeted(session)
                corrected = self._setup.correct(dialect_of(session))
                setup = [*(corrected or self._setup.speak()), self._setup.update()]
                return [_on(effect, link.epoch) for effect in setup]
            case c.SessionUpdated():
                link.accepted = True
            case f.Lost() | c.ErrorEvent():
                self._standby = None
                self._standby_not_before = now + STANDBY_RETRY_S
                return [Drop(link.epoch)]
        return []

    def renew(self, now: float) -> list[Effect]:
        """Let the session that stands by take over, if it is ready. To be called when nothing is going on."""
        link = self._standby
        if link is None or not link.accepted:
            return []
        self._standby = None
        self.link = link
        self._reset(now)
        self._unheard_since = now - OVERLAP_S
        told = Show(ConnectionChanged(state="renewed", id=link.session_id))
        return [Use(link.epoch), *self._tell_past(), *self._resume(now), told]

    def restore(self, now: float) -> list[Effect]:
        """Tell a server that has just opened the session all that it needs, the session's configuration first."""
        effects: list[Effect] = [*self._setup.speak(), self._setup.update(), *self._tell_past()]
        if not self.lost:
            return effects
        self._reconnection.restore(now)
        effects += self._resume(now)
        return [*effects, Show(ConnectionChanged(state="restored", id=self.link.session_id))]

    def unsent(self, event: ClientEvent) -> None:
        """Something was to be sent while there was no connection: what the talk key recorded is sent later."""
        talked_from = self._turns.talked_from
        if isinstance(event, InputAudioBufferCommit) and talked_from is not None:
            self._unheard_since, self._commit_again = talked_from, True

    def take(self, effect: Effect) -> list[Effect]:
        """Remember what is told; mend what a server was told of a reply that was then heard less far."""
        self.past.take(effect)
        if not (isinstance(effect, Show) and isinstance(effect.record, AssistantSaid)):
            return []
        told = self._restored.pop(effect.record.item_id, None)
        if told is None or told[0].item.words == effect.record.text or not self._options.can_truncate:
            return []
        create, previous = told
        mended: list[Effect] = [Send(ConversationItemDelete(item_id=create.item.id or ""))]
        if effect.record.text:
            heard = Content(type="output_text", text=effect.record.text)
            item = msgspec.structs.replace(create.item, id=f"{create.item.id}h", content=(heard,))
            mended.append(Send(ConversationItemCreate(item=item, previous_item_id=previous)))
        return mended

    def _given_up(self, error: ConnectionFailed) -> ConnectionFailed:
        bound = f"{self._options.reconnect_s:g} s (--reconnect-s)"
        return ConnectionFailed(
            f"the connection was lost and not regained within {bound}: {error.problem}", error.remedy
        )

    def _cut(self, now: float, silent_s: float) -> list[Effect]:
        """What the lost server had in hand: kept, to be asked again, or given up."""
        turns, responses = self._turns, self._responses
        self._unheard_since = min([now - silent_s, *turns.unheard()])
        self._left_out, self._commit_again = frozenset(), False
        wish, given_up = self._unanswered()
        if turns.feeding or (wish is not None and wish.reason == "turn"):
            if turns.send_again():
                wish = None
            elif turns.talked_from is not None:
                self._unheard_since, self._commit_again = turns.talked_from, True
        if turns.talk_key.talking and turns.talk_key.pressed_at is not None:
            self._unheard_since = turns.talk_key.pressed_at
        effects = self._reset(now)
        if self._left_out and responses.audible:
            effects.append(Flush())
        if wish is not None:
            responses.want(wish)
        if given_up:
            self.turn_failed = True
            effects.append(Show(Trouble(message=UNANSWERED, code="connection_lost")))
        return effects

    def _unanswered(self) -> tuple[Wish | None, bool]:
        """What is to be asked again, and whether something is not because it was before.

        That is: what was asked for and not answered at all, or results that were not spoken about.
        """
        responses, calls = self._responses, self._calls
        current, coming = responses.current, responses.coming
        reply = coming if coming is not None and coming.state is ResponseState.ASKED else None
        if reply is None and current is not None and current.state is ResponseState.ACTIVE:
            if current.empty:
                reply = current
            elif not self._options.listens and not current.called:
                # Nobody is there to ask again.
                reply = current
                self._left_out = frozenset(entry.item_id for entry in current.entries)
        if reply is None:
            return (Wish(reason="tools") if calls.reply_due else responses.wish), False
        if reply.wish is None:
            # What was said and not understood is sent once more as sound.
            return (Wish(retried=True) if self._turns.was_understood(reply.turn_id) else None), False
        if reply.wish.retried:
            return None, True
        return msgspec.structs.replace(reply.wish, retried=True), False

    def _reset(self, now: float) -> list[Effect]:
        """Begin anew what belongs to one connection."""
        responses = self._responses
        wish = responses.wish
        self._turns.reset()
        effects: list[Effect] = [effect for effect in responses.give_up() if not isinstance(effect, Send)]
        for entry in self._history.of("assistant"):
            entry.server_id = ""
            if not entry.text and not entry.parts:
                self._history.drop(entry)
        effects += self._calls.forget_remote(now)
        responses.reset()
        responses.wish = wish
        self._calls.reset()
        self._out_of_band.reset()
        self._restored.clear()
        return effects

    def _tell_past(self) -> list[Effect]:
        """Tell the server what was said before; of what is still being heard, all that came, for the time being."""
        more: list[past.Entry] = []
        for entry in self._history.open:
            if entry.role == "assistant" and entry.text:
                text = entry.text if entry.audible else entry.heard_text
                more.append(past.Model(text=text, item_id=entry.item_id))
            elif entry.role == "user" and entry.final:
                turn = self.past.user(entry.item_id, entry.text)
                more += [turn] if turn.text or turn.parts else []
        told = self.past.restoring(
            self._options.restore_tokens, open_calls=self._calls.open_ids, more=more, leave_out=self._left_out
        )
        previous = "root"
        for said, event in told:
            if isinstance(said, past.Model) and said in more:
                self._restored[said.item_id] = (event, previous)
            previous = event.item.id or ""
        self._left_out = frozenset()
        return [Send(event) for _, event in told]

    def _resume(self, now: float) -> list[Effect]:
        options, turns = self._options, self._turns
        if not options.listens or (options.push_to_talk and not turns.talk_key.talking and not self._commit_again):
            return []
        effects: list[Effect] = [ResumeMic(now - self._unheard_since)]
        if self._commit_again:
            self._commit_again = False
            effects.append(Send(InputAudioBufferCommit()))
        return effects


def _on(effect: Effect, epoch: int) -> Effect:
    """The effect on another connection, if it is one that goes to a connection."""
    return msgspec.structs.replace(effect, epoch=epoch) if hasattr(effect, "epoch") else effect
