"""Function calls of the model's: which to run, to ask about, or to give up, and when to ask for a reply.

Every ``call_id`` gets exactly one ``function_call_output``, whatever happens; when all calls of a response are
answered, one reply is due. The user may speak meanwhile: the outputs go in all the same, and no reply is asked for
that the server is about to give anyhow (https://platform.openai.com/docs/guides/realtime-conversations#function-calling).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from realtime_cli.conversation.effects import CancelTool, Effect, RunTool, Send, Show
from realtime_cli.conversation.facts import ToolReturned
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.records import Notice, ToolAsked, ToolCalled, ToolFinished
from realtime_cli.conversation.responses import Replies
from realtime_cli.conversation.tool_offers import Answer, Offer, Outcome, failure
from realtime_cli.protocol.client_events import ConversationItemCreate
from realtime_cli.protocol.items import Item, Response
from realtime_cli.protocol.response_events import FunctionArgumentsDone, OutputItemAdded, OutputItemDone

COMMIT_GRACE_S = 2.0
"""How soon after its end a server must make a turn of the user's speech, which brings a reply by itself."""

REFUSED = "the user does not allow this call"
NOBODY_TO_ASK = "this call needs the user's consent, and there is no keyboard to ask at; it did not run"

APPROVAL = "mcp_approval_request"
"""An item that asks for consent: https://platform.openai.com/docs/guides/realtime-mcp."""

UNFINISHED = ("in_progress", "incomplete")
"""The status of a call whose arguments were cut off, by an interruption or a limit."""

ANSWERS: Mapping[str, Answer] = {"y": "yes", "yes": "yes", "n": "no", "no": "no", "a": "always", "always": "always"}
"""What a person may type when asked."""


class Call(msgspec.Struct):
    """One call, from the model's wish to its answer. ``started_at`` is when it began to run."""

    call_id: str
    name: str
    arguments: str
    response_id: str
    started_at: float | None = None
    remote: bool = False
    """The model's side runs it, an MCP server's tool, and asks only for consent."""


class Calls(msgspec.Struct):
    """The one owner of what is known about function calls."""

    options: ConversationOptions
    replies: Replies
    offers: dict[str, Offer] = msgspec.field(default_factory=dict)
    _open: dict[str, Call] = msgspec.field(default_factory=dict)
    _known: set[str] = msgspec.field(default_factory=set)
    """Items of calls that have begun: their end is told more than once."""
    _names: dict[str, str] = msgspec.field(default_factory=dict)
    """Names by item: a beta server's ``arguments.done`` has none."""
    _unconfirmed: dict[str, Item] = msgspec.field(default_factory=dict)
    """Calls of which only ``arguments.done`` came: it comes for those that were cut off as well."""
    _asking: list[str] = msgspec.field(default_factory=list)
    """Calls that wait for the user's consent; the first is the one asked about."""
    _allowed: set[str] = msgspec.field(default_factory=set)
    _unspoken: set[str] = msgspec.field(default_factory=set)
    """Responses with results that the model has not spoken about."""
    _patient_until: float | None = None
    """Till then a turn of the user's may bring the reply that is due."""
    _blind: bool = False
    """The next response to begin was asked for before the results were in."""

    @property
    def open(self) -> bool:
        """Whether something is still to be answered, or to be said about the answers."""
        return bool(self._open or self._unspoken)

    @property
    def reply_due(self) -> bool:
        """Whether all results of some response are in, the model has not spoken about them, and is not about to."""
        return self._reply_open and self._patient_until is None

    @property
    def question(self) -> ToolAsked | None:
        """What the user is asked."""
        if not self._asking:
            return None
        call = self._open[self._asking[0]]
        return ToolAsked(call_id=call.call_id, name=call.name, arguments=call.arguments)

    @property
    def running(self) -> tuple[str, ...]:
        """The names of the functions that run."""
        return tuple(call.name for call in self._open.values() if call.started_at is not None)

    @property
    def deadline(self) -> float | None:
        """When the first of the running calls has had its time, or the user's turn its chance to bring the reply."""
        starts = [call.started_at for call in self._open.values() if call.started_at is not None]
        due = [min(starts) + self.options.tool_timeout_s] if starts else []
        due += [self._patient_until] if self._patient_until is not None and self._reply_open else []
        return min(due, default=None)

    @property
    def _reply_open(self) -> bool:
        return not self._unspoken <= {call.response_id for call in self._open.values()}

    def speech_stopped(self, now: float) -> None:
        """The user's speech is over, and is about to become a turn; it may also be dropped as a noise."""
        self._patient_until = now + COMMIT_GRACE_S

    def committed(self) -> None:
        """The user's speech became a turn."""
        self._patient_until = None

    def item(self, event: OutputItemAdded | OutputItemDone, now: float) -> list[Effect]:
        """A response began or finished an item."""
        item = event.item
        if isinstance(event, OutputItemAdded):
            self._names[item.id or ""] = item.name or ""
        elif item.type == "mcp_call":
            return self.remote_done(item, event.response_id, now)
        elif item.type in ("function_call", APPROVAL) and item.status not in UNFINISHED:
            return self._begin(item, event.response_id, now)
        return []

    def remote_done(self, item: Item, response_id: str, now: float) -> list[Effect]:
        """The model's side has run a tool of an MCP server; it speaks about the result when asked to."""
        if item.id in self._known:
            return []
        self._known.add(item.id or "")
        call = self._open.pop(item.approval_request_id or "", None)
        shown: list[Effect] = []
        if call is None:
            call = Call(item.id or "", item.name or "", item.arguments or "", response_id)
            shown = [Show(ToolCalled(call_id=call.call_id, name=call.name, arguments=call.arguments))]
        self._note_result(call)
        error = item.error.get("message") if isinstance(item.error, dict) else item.error
        outcome = Outcome(item.output or "") if item.error is None else failure(str(error))
        return [*shown, self._finished(call, outcome, now)]

    def arguments(self, event: FunctionArgumentsDone) -> None:
        """A call's arguments are over, whole or cut off; some servers send nothing else about a call."""
        name = event.name or self._names.get(event.item_id, "")
        whole = Item(id=event.item_id, call_id=event.call_id, name=name, arguments=event.arguments)
        self._unconfirmed[event.item_id or event.call_id] = whole

    def response_began(self) -> None:
        """A response began; it knows the results that were in when it was asked for."""
        if self._blind:
            self._blind = False
        else:
            self._unspoken.clear()

    def ask_for_reply(self) -> list[Effect]:
        """Ask for the reply that is due; when it is refused, it is not asked for again."""
        self._unspoken.clear()
        self._patient_until = None
        return self.replies.ask()

    def response_done(self, response: Response, now: float) -> list[Effect]:
        """A response ended: its calls that no other event told of begin, and a reply may be due."""
        effects: list[Effect] = []
        for item in response.output or ():
            if item.type in ("function_call", APPROVAL) and item.status not in UNFINISHED:
                effects += self._begin(item, response.id, now)
        if response.status in ("completed", ""):
            for item in list(self._unconfirmed.values()):
                effects += self._begin(item, response.id, now)
        self._unconfirmed.clear()
        return effects

    def returned(self, fact: ToolReturned, now: float) -> list[Effect]:
        """A call came to its end; one that was given up before is long answered."""
        call = self._open.get(fact.call_id)
        return self._answer(call, fact.outcome, now) if call else []

    def decided(self, answer: Answer, now: float) -> list[Effect]:
        """The user answered the question: ``yes``, ``no`` or ``always``, which holds for this function from now on."""
        if not self._asking:
            return []
        call = self._open[self._asking.pop(0)]
        effects = self._answer(call, failure(REFUSED), now) if answer == "no" else self._run(call, now)
        if answer == "always":
            self._allowed.add(call.name)
            for other in [self._open[it] for it in self._asking if self._open[it].name == call.name]:
                self._asking.remove(other.call_id)
                effects += self._run(other, now)
        return [*effects, *self._ask_next()]

    def expire(self, now: float) -> list[Effect]:
        """Give up the calls that have had their time, and the wait for a turn that has not come."""
        if self._patient_until is not None and now >= self._patient_until:
            self._patient_until = None
        effects: list[Effect] = []
        limit_s = self.options.tool_timeout_s
        for call in list(self._open.values()):
            if call.started_at is not None and now >= call.started_at + limit_s:
                outcome = failure(f"no result within {limit_s:g} s; it was given up")
                cancelled = [] if call.remote else [CancelTool(call.call_id)]
                effects += [*cancelled, *self._answer(call, outcome, now)]
        return effects

    def _begin(self, item: Item, response_id: str, now: float) -> list[Effect]:
        call_id = item.call_id or item.id or ""
        # Some servers count their calls anew in every response, so it is the item that is known.
        key = item.id or call_id
        if key in self._known or call_id in self._open:
            return []
        self._known.add(key)
        self._unconfirmed.pop(key, None)
        name = item.name or self._names.get(item.id or "", "")
        call = Call(call_id, name, item.arguments or "", response_id, remote=item.type == APPROVAL)
        self._open[call_id] = call
        called = Show(ToolCalled(call_id=call_id, name=call.name, arguments=call.arguments))
        offer = self.offers.get(call.name)
        asks = call.remote or (offer is not None and offer.asks)
        if not asks or call.name in self._allowed:
            return [called, *self._run(call, now)]
        if not self.options.can_ask:
            hint = Notice(text=f"{call.name} was not run: nobody can be asked here; see --confirm-tools")
            return [called, Show(hint), *self._answer(call, failure(NOBODY_TO_ASK), now)]
        self._asking.append(call_id)
        return [called, *(self._ask_next() if self._asking == [call_id] else [])]

    def _ask_next(self) -> list[Effect]:
        return [Show(self.question)] if self.question else []

    def _run(self, call: Call, now: float) -> list[Effect]:
        call.started_at = now
        if call.remote:
            return [self._consent(call, approve=True)]
        return [RunTool(call.call_id, call.name, call.arguments)]

    def _answer(self, call: Call, outcome: Outcome, now: float) -> list[Effect]:
        del self._open[call.call_id]
        self._note_result(call)
        finished = self._finished(call, outcome, now)
        if call.remote:
            return [*([] if call.started_at else [self._consent(call, approve=False)]), finished]
        item = Item(type="function_call_output", call_id=call.call_id, output=outcome.output)
        return [Send(ConversationItemCreate(item=item)), finished]

    def _note_result(self, call: Call) -> None:
        self._unspoken.add(call.response_id)
        self._blind = self.replies.owed

    def _finished(self, call: Call, outcome: Outcome, now: float) -> Effect:
        finished = ToolFinished(
            call_id=call.call_id,
            name=call.name,
            output=outcome.output,
            failed=outcome.failed,
            duration_ms=0 if call.started_at is None else round((now - call.started_at) * 1000),
        )
        return Show(finished)

    def _consent(self, call: Call, *, approve: bool) -> Effect:
        # The official types want an id of the client's choice.
        name = f"consent_{len(self._known):06d}"
        item = Item(id=name, type="mcp_approval_response", approval_request_id=call.call_id, approve=approve)
        return Send(ConversationItemCreate(item=item))
