"""The model's side, and the one owner of what is owed: which response is asked for, active or over.

Only one response may be active in the default conversation, so what is wanted (:class:`Wish`) is asked for when the one
before is over: :meth:`Responses.ask` alone sends a ``response.create`` for the conversation. The states and what their
moves send are in :mod:`.states`; how much of a reply was heard is in :mod:`.heard_replies`. Everything is keyed on the
response's id; where a server leaves ids out, the response in progress is meant.
"""

from __future__ import annotations

import msgspec

from realtime_cli.conversation.effects import Effect, Flush, Send, Show
from realtime_cli.conversation.history import UNNAMED, History
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.records import Notice
from realtime_cli.conversation.reply import ContentEvent, Reply, Wish
from realtime_cli.conversation.states import Recent, ResponseEvent, ResponseState
from realtime_cli.protocol.client_events import ResponseCancel
from realtime_cli.protocol.items import Response
from realtime_cli.protocol.response_events import OutputItemAdded, OutputItemDone

ERROR_GRACE_S = 5.0
"""How long a response may bring nothing after an error in the middle of it that names no cause."""

REFUSED_SESSION_GRACE_S = 15.0
"""How long one that was asked for may not begin after the session's options were refused without naming a cause: the
request may have been meant."""

UNANSWERED = (ResponseState.ASKED, ResponseState.ACTIVE)
"""States of a response that brought nothing yet in which its turn is still owed one."""


class Responses:
    """See the module. Belongs to one connection, but for what is wanted."""

    def __init__(self, options: ConversationOptions, history: History) -> None:
        self._options = options
        self._history = history
        self.wish: Wish | None = None
        """What is to be asked for as soon as nothing else is going on."""
        self._told_soundless = False
        self.reset()

    def reset(self) -> None:
        """A new connection knows of no response; what is wanted stays. (What was in progress: :meth:`give_up`.)"""
        self.current: Reply | None = None
        """The response in progress: active or dying."""
        self.coming: Reply | None = None
        """The response that was asked for, or is due by the server's own decision, and has not begun."""
        self.results = 0
        """How many results of function calls are in."""
        self.spoken_about = 0
        """How many of them the model knew when it last began to answer."""
        self._ended = Recent()
        self._unnamed = 0
        self._refused_while_active = False

    @property
    def busy(self) -> bool:
        """Whether the model owes something or is answering."""
        owed = self.coming is not None and self.coming.state is ResponseState.ASKED
        return owed or self.wish is not None or self.current is not None

    @property
    def free(self) -> bool:
        """Whether a response may be asked for."""
        return self.current is None and self.coming is None and not self._refused_while_active

    @property
    def audible(self) -> bool:
        """Whether something is still to be heard."""
        return any(entry.audible for entry in self._history.of("assistant"))

    @property
    def suspect_due(self) -> float | None:
        """When the response in progress is given up because of an error in the middle of it."""
        if self.current is not None and self.current.suspect_since is not None:
            return self.current.suspect_since + ERROR_GRACE_S
        if self.coming is not None and self.coming.suspect_since is not None:
            return self.coming.suspect_since + REFUSED_SESSION_GRACE_S
        return None

    def want(self, wish: Wish) -> None:
        """Ask for a response as soon as nothing else is going on. The user's turns come before all else."""
        if self.wish is None or wish.reason == "turn":
            self.wish = wish

    def ask(self, now: float) -> list[Effect]:
        """Ask for what is wanted. To be called when :attr:`free`."""
        wish, self.wish = self.wish, None
        if wish is None:
            return []
        self.coming = Reply(wish=wish, asked_at=now, knows=self.results)
        self.spoken_about = self.results
        return [Send(wish.event())]

    def server_owes(self, turn_id: str, now: float) -> None:
        """The server is about to answer a turn by itself, or is doing so already."""
        if self.wish is not None and self.wish.not_before:
            self.wish = None  # whoever has to wait is overtaken
        if self.coming is not None and self.coming.wish is None:
            self.coming.turn_id = turn_id
        elif self.coming is None and (self.current is None or self.current.state is ResponseState.DYING):
            self.coming = Reply(turn_id=turn_id, asked_at=now, knows=self.results)

    @property
    def put_off(self) -> bool:
        """Whether nothing is owed now but a response that may only be asked for later."""
        return self.wish is not None and self.wish.not_before > 0 and self.current is None and self.coming is None

    @property
    def owed_turn(self) -> str:
        """Item of the turn that the server is to answer by itself, or has begun to answer without a word yet."""
        for reply in (self.coming, self.current):
            if reply is not None and reply.wish is None and reply.empty and reply.state in UNANSWERED:
                return reply.turn_id
        return ""

    def withdraw(self, turn_id: str) -> None:
        """A turn was only a noise: the server owes no answer to that one."""
        if self.coming is not None and self.coming.wish is None and self.coming.turn_id == turn_id:
            self.coming.move(ResponseEvent.DROPPED)
            self.coming = None

    def refused(self, *, because_active: bool) -> None:
        """The server refused the response that was asked for; because another is active, it is asked for again."""
        coming, self.coming = self.coming, None
        if not because_active:
            self.wish = None
            return
        self._refused_while_active = True
        if coming is None or coming.state is ResponseState.ASKED:
            asked = coming.wish if coming and coming.wish else Wish()
            self.want(msgspec.structs.replace(asked, reason="again"))

    def turn_refused(self) -> None:
        """The server refused a turn: the reply that was asked for along with it would answer something else."""
        self.wish = None
        if self.coming is not None:
            self.coming.move(ResponseEvent.INTERRUPTED)

    def suspect(self, now: float) -> None:
        """An error came that names no cause: it may be the end of the response in progress, or of the one asked for."""
        if reply := self.current or self.coming:
            reply.suspect_since = now

    def created(self, response: Response, now: float) -> list[Effect]:
        """A response began."""
        if response.id:
            return self._begin(self._name(response.id), now)
        self._unnamed += 1
        return self._begin(f"{UNNAMED}response {self._unnamed}", now)

    def item(self, event: OutputItemAdded | OutputItemDone, now: float) -> list[Effect]:
        """A response began or finished an item."""
        effects, reply = self._alive(event.response_id, now)
        if reply is not None:
            reply.suspect_since = None
            reply.called = reply.called or event.item.type != "message"
            if event.item.type == "message" and event.item.id:
                reply.entry(self._history, event.item.id, event.output_index, now)
        return effects

    def content(self, event: ContentEvent, now: float) -> list[Effect]:
        """A piece of a reply. Pieces of a response that was interrupted, or is over, die here."""
        effects, reply = self._alive(event.response_id, now)
        if reply is None or reply.state is not ResponseState.ACTIVE:
            return effects
        reply.suspect_since = None
        entry = reply.entry(self._history, event.item_id, event.output_index, now)
        if entry is None:
            return effects
        elsewhere = self._options.joined is not None
        return effects + reply.piece(entry, event, plays=self._options.plays, elsewhere=elsewhere)

    def is_over(self, response_id: str) -> bool:
        """Whether this response ended, or was given up, before."""
        return self._name(response_id) in self._ended

    def name_of(self, response_id: str) -> str:
        """The id under which a response is known here: its own, or one that stands for the missing one."""
        return self._name(response_id)

    def done(self, response: Response, now: float) -> tuple[list[Effect], Reply | None]:
        """A response ended, whatever its status; None for one that was over before."""
        self._refused_while_active = False
        effects, reply = self._alive(response.id, now)
        if reply is None:
            return effects, None
        ours = reply.state is ResponseState.DYING
        if not ours:
            for index, item in enumerate(response.output or ()):
                reply.called = reply.called or item.type != "message"
                effects += reply.complete_from(self._history, item, index, now)
            effects += self._soundless(reply)
        return effects + self._end(now, cut=not ours and response.status == "cancelled"), reply

    def interrupt(self, *, server_cancels: bool) -> list[Effect]:
        """The user cuts in: silence at once, and no more of what is being said, or about to be."""
        if self.coming is not None and not server_cancels:
            self.coming.move(ResponseEvent.INTERRUPTED)
        silence: list[Effect] = [Flush()] if self.audible or self.current is not None else []
        if self.current is not None and self.current.move(ResponseEvent.INTERRUPTED) and not server_cancels:
            # The cancel goes first: a server may refuse to truncate what it is still writing.
            return [*self._cancel(self.current), *silence]
        return silence

    def stop(self) -> list[Effect]:
        """A key stops what is being said, or about to be; nothing is asked for instead."""
        self.wish = None
        return self.interrupt(server_cancels=False)

    def give_up(self) -> list[Effect]:
        """Wait for nothing any more: what came of the response in progress is all there will be of it."""
        effects: list[Effect] = []
        self.wish, self._refused_while_active = None, False
        if self.coming is not None:
            self.coming.move(ResponseEvent.DROPPED)
            self.coming = None
        if self.current is not None:
            reply, active = self.current, self.current.state is ResponseState.ACTIVE
            reply.move(ResponseEvent.DROPPED)
            effects += self._cancel(reply) if active else []
            effects += self._close(reply, cut=True)
        return effects

    def _soundless(self, reply: Reply) -> list[Effect]:
        """Say once that a server writes where sound was asked for: nothing will be heard of it."""
        spoken = any(entry.parts for entry in reply.entries)
        if not self._options.wants_sound or self._told_soundless or spoken or not any(it.text for it in reply.entries):
            return []
        self._told_soundless = True
        return [Show(Notice(text="the server sent words and no sound to play"))]

    def _alive(self, response_id: str, now: float) -> tuple[list[Effect], Reply | None]:
        """The response of this id, which begins now if nothing was heard of it before; None for one that is over."""
        name = self._name(response_id)
        if name in self._ended:
            return [], None
        return self._begin(name, now), self.current

    def _name(self, response_id: str) -> str:
        current = self.current
        if current is not None and not response_id:
            return current.id
        if current is not None and current.id.startswith(UNNAMED) and response_id not in self._ended:
            current.id = response_id
        if response_id:
            return response_id
        self._unnamed += 1
        return f"{UNNAMED}response {self._unnamed}"

    def _begin(self, name: str, now: float) -> list[Effect]:
        if name in self._ended or (self.current is not None and self.current.id == name):
            return []
        # There is only one at a time: whatever came before is over, even if the server does not say so.
        effects = self._end(now, cut=False) if self.current is not None else []
        reply, self.coming = self.coming or Reply(asked_at=now, knows=self.results), None
        reply.id, reply.suspect_since = name, None
        reply.move(ResponseEvent.BEGAN)
        self.current = reply
        self.spoken_about = max(self.spoken_about, reply.knows)
        return [*effects, *(self._cancel(reply) if reply.state is ResponseState.DYING else [])]

    def _end(self, now: float, *, cut: bool) -> list[Effect]:
        reply = self.current
        if reply is None:
            return []
        reply.move(ResponseEvent.ENDED)
        for entry in reply.entries:
            entry.ended_at = now
        return self._close(reply, cut=cut)

    def _close(self, reply: Reply, *, cut: bool) -> list[Effect]:
        """What is left of a response that is over; ``cut``: it is not whole."""
        self.current = None
        self._ended.add(reply.id)
        return reply.close(cut=cut)

    def _cancel(self, reply: Reply) -> list[Effect]:
        if not self._options.can_cancel:
            return []
        return [Send(ResponseCancel(response_id=None if reply.id.startswith(UNNAMED) else reply.id))]
