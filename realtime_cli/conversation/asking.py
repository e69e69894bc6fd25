"""When the model is asked to answer: for a turn, about results of its calls, once more after a rate limit, or again."""

from __future__ import annotations

import msgspec

from realtime_cli.conversation.effects import Effect, Send, Show
from realtime_cli.conversation.facts import Wanted
from realtime_cli.conversation.failures import asked_to_wait_s
from realtime_cli.conversation.history import UNNAMED
from realtime_cli.conversation.parts import Parts
from realtime_cli.conversation.records import AssistantSaid, Notice
from realtime_cli.conversation.reply import Reply, Wish
from realtime_cli.protocol.client_events import ConversationItemDelete
from realtime_cli.protocol.items import Response


class Asking:
    """See the module. What is wanted is kept by :class:`.Responses`, which asks for it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._last_reply = ""
        """Id of the last reply's item, where the server has it."""

    @property
    def possible(self) -> bool:
        """Whether a response may be asked for now."""
        return self._parts.responses.free and not self._parts.turns.feeding

    @property
    def may_call(self) -> bool:
        """Whether the response in progress may call functions."""
        current = self._parts.responses.current
        return current is None or current.wish is None or current.wish.may_call

    def told(self, said: AssistantSaid) -> None:
        """A reply was told."""
        unknown = said.item_id.startswith(UNNAMED) or said.heard_ms == 0
        self._last_reply = "" if unknown else said.item_id

    def ask(self, now: float) -> list[Effect]:
        """Ask for what is wanted, if it is time; what is not the user's doing only as often as a conversation needs."""
        rate, wish = self._parts.rate, self._parts.responses.wish
        if wish is None or not self.possible or now < wish.not_before:
            return []
        if wish.reason != "turn":
            if not rate.allows(now):
                return rate.slowed_down()
            rate.take()
        return self._parts.responses.ask(now)

    def want_reply_to_results(self) -> list[Effect]:
        """Let the model speak about the results of its calls, but not for ever without a turn of the user's."""
        turns, limit = self._parts.turns, self._parts.options.max_tool_rounds
        turns.tool_rounds += 1
        over = turns.tool_rounds - limit
        if over > 1:
            self._parts.calls.spoken_about()
            return []
        self._parts.responses.want(Wish(reason="tools", may_call=over < 1))
        text = f"the model called functions {limit} times in a row: it is asked to answer without (--max-tool-rounds)"
        return [Show(Notice(text=text))] if over == 1 else []

    def again_later(self, response: Response, reply: Reply | None, now: float) -> list[Effect] | None:
        """A rate limit passes: wait for as long as it says, and ask once more. None where that is no way out."""
        wait_s = asked_to_wait_s(response)
        wish = (reply.wish if reply else None) or Wish()
        if wait_s is None or reply is None or wish.retried or self._parts.responses.wish is not None:
            return None
        self._parts.responses.want(msgspec.structs.replace(wish, retried=True, not_before=now + wait_s))
        text = f"the rate limit is used up: asking again in {max(1, round(wait_s))} s"
        return [Show(Notice(text=text))]

    def retry(self) -> list[Effect]:
        """Another reply: the last one is interrupted, or taken out of the conversation."""
        if not self._parts.turns.count:
            return [Show(Notice(text="there is nothing to answer yet"))]
        effects = self._parts.responses.interrupt(server_cancels=False)
        last, self._last_reply = self._last_reply, ""
        if last:
            effects.append(Send(ConversationItemDelete(item_id=last)))
        self._parts.turns.waiting.append(Wanted())
        return effects
