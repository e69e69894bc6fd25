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
from realtime_cli.conversation.effects import Effect, Flush, ResumeMic, Send, Show
from realtime_cli.conversation.history import History
from realtime_cli.conversation.links import Links
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.out_of_band import OutOfBand
from realtime_cli.conversation.past import Past
from realtime_cli.conversation.records import AssistantSaid, Trouble
from realtime_cli.conversation.reply import Wish
from realtime_cli.conversation.responses import Responses
from realtime_cli.conversation.session_setup import SessionSetup
from realtime_cli.conversation.states import ResponseState
from realtime_cli.conversation.tool_calls import ToolCalls
from realtime_cli.conversation.turns import Turns
from realtime_cli.errors import ConnectionFailed
from realtime_cli.protocol.client_events import (
    ClientEvent,
    ConversationItemCreate,
    ConversationItemDelete,
    InputAudioBufferCommit,
)
from realtime_cli.protocol.items import Content

OVERLAP_S = 1.0
"""How much of the microphone a renewed session hears again: what was said as the one before ended is not lost, and a
turn that was answered is longer ago."""


UNANSWERED = "the turn got no answer: the connection was lost twice: say it again"


class Continuity:
    """Carries the conversation over from one connection to the next. What it resets belongs to one of them."""

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
        self.past = Past(options.past, budget_tokens=options.restore_tokens)
        self.links = Links(options.reconnect_s, options.seed, setup)
        self.turn_failed = False
        """The latest turn will not be answered, because the connection was lost again; to be taken back by who asks."""
        self._unheard_since = 0.0
        self._commit_again = False
        self._unsent: list[ClientEvent] = []
        self._left_out: frozenset[str] = frozenset()
        self._restored: dict[str, tuple[ConversationItemCreate, str]] = {}
        """Replies that were still being heard when they were told to the server: as what, and behind which item."""

    def lose(self, fact: f.Lost, now: float) -> list[Effect] | ConnectionFailed:
        """The connection, or a try to get another, was lost; the error to end with when it is given up."""
        outcome = self.links.lose(fact, now)
        if isinstance(outcome, ConnectionFailed):
            return outcome
        effects, worked = outcome
        if self._options.joined:
            # The call goes on, and so does all that is going on in it.
            return effects
        return effects + (self._cut(now, fact.silent_s) if worked else [])

    def renew(self, now: float) -> list[Effect]:
        """Let the session that stands by take over, if it is ready. To be called when nothing is going on."""
        taken = self.links.take_over()
        if not taken:
            return []
        self._reset(now)
        self._unheard_since = now - OVERLAP_S
        return [*taken, *self._tell_past(), *self._resume(now)]

    def restore(self, now: float) -> list[Effect]:
        """Tell a server that has just opened the session all that it needs, the session's configuration first."""
        if self._options.joined:
            unsent, self._unsent = self._unsent, []
            sent = [Send(event) for event in unsent]
            return [*self._setup.speak(), *self._setup.additions(), *sent, *self.links.restored(now)]
        effects: list[Effect] = [*self._setup.speak(), self._setup.update(), *self._tell_past()]
        if not self.links.lost:
            return effects
        return [*effects, *self._resume(now), *self.links.restored(now)]

    def unsent(self, event: ClientEvent) -> None:
        """Something was to be sent while there was no connection: what the talk key recorded is sent later."""
        if self._options.joined:
            # The call still waits for it.
            self._unsent.append(event)
        talked_from = self._turns.talked_from
        if isinstance(event, InputAudioBufferCommit) and talked_from is not None:
            self._unheard_since, self._commit_again = talked_from, True

    def take(self, effect: Effect) -> list[Effect]:
        """Remember what is told; mend what a server was told of a reply that was then heard less far."""
        self.past.take(effect)
        if not (self._left_out or self._may_be_asked_again):
            self.past.forget()
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

    def _cut(self, now: float, silent_s: float) -> list[Effect]:
        """What the lost server had in hand: kept, to be asked again, or given up."""
        turns, responses = self._turns, self._responses
        self._left_out, self._commit_again = frozenset(), False
        wish, given_up = self._unanswered()
        asked_about_speech = wish is not None and wish.reason == "turn" and self._options.asks_for_answers
        self._unheard_since = min([now - silent_s, *turns.unheard(asked=asked_about_speech)])
        if asked_about_speech and turns.latest_unheard:
            wish = None  # it is sent once more as sound
        elif turns.feeding or (wish is not None and wish.reason == "turn"):
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
            elif self._may_be_asked_again:
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

    @property
    def _may_be_asked_again(self) -> bool:
        """Whether there is a reply which, if it is cut now, is left out and asked for once more: where turns wait for
        each other nobody is there to do that.
        """
        current = self._responses.current
        active = current is not None and current.state is ResponseState.ACTIVE and not current.called
        return active and not self._options.listens

    def _reset(self, now: float) -> list[Effect]:
        """Begin anew what belongs to one connection."""
        responses = self._responses
        wish = responses.wish
        effects: list[Effect] = self._turns.reset()
        effects += [effect for effect in responses.give_up() if not isinstance(effect, Send)]
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
        self._history.new_connection()
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
        told = self.past.restoring(open_calls=self._calls.open_ids, more=more, leave_out=self._left_out)
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
