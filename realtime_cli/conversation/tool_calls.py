"""Function calls of the model's: which to run, to ask about, or to give up, and when to ask for a reply. Which calls
there are, of all that a server tells, is known in :mod:`.announced_calls`.

Every call gets exactly one ``function_call_output``, whatever happens; when all calls of a response are answered, one
reply is due. The user may speak meanwhile: the outputs go in all the same, and no reply is asked for that the server is
about to give anyhow (https://platform.openai.com/docs/guides/realtime-conversations#function-calling). The states of a
call are in :mod:`.states`. A call is known by its item, as some servers count ``call_id`` anew in every response, and a
run of a function by an id of our own.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from realtime_cli.conversation.announced_calls import AnnouncedCalls
from realtime_cli.conversation.effects import CancelTool, Effect, RunTool, Send, Show
from realtime_cli.conversation.facts import ToolReturned
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.records import Notice, ToolAsked, ToolCalled, ToolFinished
from realtime_cli.conversation.responses import Responses
from realtime_cli.conversation.states import CALL_MOVES, CallEvent, CallState
from realtime_cli.conversation.tool_definitions import Consent, ToolDefinition, ToolOutcome, failure
from realtime_cli.protocol.client_events import ConversationItemCreate
from realtime_cli.protocol.items import Item, Response
from realtime_cli.protocol.response_events import OutputItemAdded, OutputItemDone

REFUSED = "the user does not allow this call"
NOBODY_TO_ASK = "this call needs the user's consent, and there is no keyboard to ask at; it did not run"
TOO_MANY_ROUNDS = "too many calls in a row; it did not run: answer the user with what there is"

CONNECTION_LOST = "the connection was lost before it was run"

ANSWERED_ANOTHER = "the call that was asked about is gone, and this is another one: answer again"

RECONSIDERED_S = 1.0
"""How long a yes is not taken after the question that was shown went away: it was pressed before the next one could be
read, and a server may time the change for that. Browsers delay their questions for the same reason
(https://bugzilla.mozilla.org/show_bug.cgi?id=162020)."""

CONSENTS: Mapping[str, Consent] = {"y": "yes", "yes": "yes", "n": "no", "no": "no", "a": "always", "always": "always"}
"""What a person may type when asked."""


class Call(msgspec.Struct, eq=False):
    """One call, from the model's wish to its answer. ``started_at`` is when it began to run."""

    run_id: str
    call_id: str
    name: str
    arguments: str
    response_id: str
    server: str = ""
    """Label of the MCP server whose tool it is."""
    remote: bool = False
    """The model's side runs it, an MCP server's tool, and asks only for consent."""
    started_at: float | None = None
    state: CallState = CallState.WRITTEN

    @property
    def kind(self) -> tuple[bool, str, str]:
        """What "always" holds for. The model's side chooses the names of what it runs, also such as ours have."""
        return self.remote, self.server, self.name

    def move(self, event: CallEvent) -> bool:
        """Go to the next state; False where there is no such move."""
        after = CALL_MOVES.get((self.state, event))
        if after is not None:
            self.state = after
        return after is not None


class ToolCalls:
    """See the module. Runs go on over a change of connection; what the server knows of calls does not."""

    def __init__(self, options: ConversationOptions, responses: Responses) -> None:
        self._options = options
        self._responses = responses
        self.definitions: dict[str, ToolDefinition] = {}
        self._open: dict[str, Call] = {}
        self._runs = 0
        self._consents = 0
        self._allowed: set[tuple[bool, str, str]] = set()
        """The :attr:`Call.kind` of what the user has allowed for good."""
        self._answerable_from = 0.0
        """Until then an answer may be meant for a question that went away under the user's finger."""
        self.reset()

    def reset(self) -> None:
        """A new connection: its ids are new, and it waits for no results."""
        self.announced = AnnouncedCalls()
        self._unspoken: dict[str, int] = {}
        """The number of the latest result of each response whose results the model has not spoken about."""

    @property
    def open(self) -> bool:
        """Whether something is still to be answered, or to be said about the answers."""
        return bool(self._open or self._unspoken_ids())

    @property
    def open_ids(self) -> frozenset[str]:
        """The ids of the calls whose results are to be sent."""
        return frozenset(call.call_id for call in self._open.values() if not call.remote)

    @property
    def reply_due(self) -> bool:
        """Whether all results of some response are in, and the model has not spoken about them."""
        return not self._unspoken_ids() <= {call.response_id for call in self._open.values()}

    @property
    def question(self) -> ToolAsked | None:
        """What the user is asked."""
        call = self._asked_about()
        if call is None:
            return None
        return ToolAsked(call_id=call.call_id, name=call.name, arguments=call.arguments, server=call.server)

    @property
    def running(self) -> tuple[str, ...]:
        """The names of the functions that run."""
        return tuple(call.name for call in self._open.values() if call.state is CallState.RUNNING)

    @property
    def due(self) -> float | None:
        """When the first of the running calls has had its time."""
        starts = [call.started_at for call in self._open.values() if call.started_at is not None]
        return min(starts) + self._options.tool_timeout_s if starts else None

    def item(self, event: OutputItemAdded | OutputItemDone, now: float, *, may_call: bool) -> list[Effect]:
        """A response began or finished an item. ``may_call``: whether the model was to call functions in it."""
        if isinstance(event, OutputItemDone) and event.item.type == "mcp_call":
            return self.remote_done(event.item, event.response_id, now)
        call = self.announced.item(event)
        return self._begin(call, event.response_id, now, may_call) if call else []

    def remote_done(self, item: Item, response_id: str, now: float) -> list[Effect]:
        """The model's side has run a tool of an MCP server; it speaks about the result when asked to."""
        if not item.id or not self.announced.is_new(item.id):
            return []
        call = next((it for it in self._open.values() if it.remote and it.call_id == item.approval_request_id), None)
        shown: list[Effect] = []
        if call is None:
            call = self._new_call(item, item.id, response_id)
            call.move(CallEvent.STARTED)
            shown = [self._called(call)]
        asked = call.state is CallState.ASKING and call is self._asked_about()
        if asked:
            self._answerable_from = now + RECONSIDERED_S
        call.move(CallEvent.RETURNED)
        error = item.error.get("message") if isinstance(item.error, dict) else item.error
        outcome = ToolOutcome(item.output or "") if item.error is None else failure(str(error))
        return [*shown, *self._close(call, outcome, now), *(self._ask_next() if asked else [])]

    def listing_failed(self, item_id: str) -> list[Effect]:
        """The model's side could not list the tools of an MCP server."""
        label = self.announced.server_of(item_id)
        server = f"the MCP server {label}" if label else "an MCP server"
        return [Show(Notice(text=f"the model's side could not list the tools of {server}: they are not offered"))]

    def response_done(self, response: Response, now: float, *, may_call: bool) -> list[Effect]:
        """A response ended: its calls that no other event told of begin, and a reply may be due."""
        calls = self.announced.response_done(response)
        return [effect for call in calls for effect in self._begin(call, response.id, now, may_call)]

    def spoken_about(self) -> None:
        """The model was asked to speak about the results, or shall not be asked any more."""
        self._unspoken.clear()

    def returned(self, fact: ToolReturned, now: float) -> list[Effect]:
        """A run came to its end; one that was given up before is long answered."""
        call = self._open.get(fact.run_id)
        if call is None or call.remote or not call.move(CallEvent.RETURNED):
            return []
        return self._answer(call, fact.outcome, now)

    def decided(self, answer: Consent, now: float) -> list[Effect]:
        """The user answered the question: ``yes``, ``no`` or ``always``, which holds for this function from now on.

        A question that takes the place of one that went away unanswered is asked again rather than answered at once.
        """
        call = self._asked_about()
        if call is None:
            return []
        if answer != "no" and now < self._answerable_from:
            return [Show(Notice(text=ANSWERED_ANOTHER)), *self._ask_next()]
        effects = self._refuse(call, REFUSED, now) if answer == "no" else self._run(call, now)
        if answer == "always":
            self._allowed.add(call.kind)
            for other in list(self._open.values()):
                if other.state is CallState.ASKING and other.kind in self._allowed:
                    effects += self._run(other, now)
        return [*effects, *self._ask_next()]

    def forget_remote(self, now: float) -> list[Effect]:
        """The connection is gone, and with it what the model's side ran or asked consent for."""
        gone = [call for call in self._open.values() if call.remote]
        asked = any(call.state is CallState.ASKING for call in gone)
        if asked:
            self._answerable_from = now + RECONSIDERED_S
        effects = [each for call in gone for each in self._close(call, failure(CONNECTION_LOST), now)]
        return effects + (self._ask_next() if asked else [])

    def expire(self, now: float) -> list[Effect]:
        """Give up the calls that have had their time."""
        effects: list[Effect] = []
        limit_s = self._options.tool_timeout_s
        for call in list(self._open.values()):
            if call.started_at is None or now < call.started_at + limit_s or not call.move(CallEvent.OVERDUE):
                continue
            outcome = failure(f"no result within {limit_s:g} s; it was given up")
            cancelled = [] if call.remote else [CancelTool(call.run_id)]
            effects += [*cancelled, *self._answer(call, outcome, now)]
        return effects

    def _unspoken_ids(self) -> set[str]:
        return {name for name, number in self._unspoken.items() if number > self._responses.spoken_about}

    def _asked_about(self) -> Call | None:
        return next((call for call in self._open.values() if call.state is CallState.ASKING), None)

    def _begin(self, item: Item, response_id: str, now: float, may_call: bool) -> list[Effect]:
        response_id = self._responses.name_of(response_id)
        call_id = item.call_id or item.id or ""
        # Some servers leave the item's id out of some of the events that tell of a call.
        if not self.announced.is_new(f"{response_id} {call_id}", item.id or ""):
            return []
        call = self._new_call(item, call_id, response_id)
        called = self._called(call)
        if not may_call:
            return [called, *self._refuse(call, TOO_MANY_ROUNDS, now)]
        definition = self.definitions.get(call.name)
        asks = call.remote or (definition is not None and definition.asks)
        if not asks or call.kind in self._allowed:
            return [called, *self._run(call, now)]
        if not self._options.can_ask:
            hint = Notice(text=f"{call.name} was not run: nobody can be asked here; see --confirm-tools")
            return [called, Show(hint), *self._refuse(call, NOBODY_TO_ASK, now)]
        first = self._asked_about() is None
        call.move(CallEvent.ASKED)
        return [called, *(self._ask_next() if first else [])]

    def _new_call(self, item: Item, call_id: str, response_id: str) -> Call:
        self._runs += 1
        name = item.name or ""
        definition = self.definitions.get(name)
        remote = item.type not in {"function_call", ""}
        server = item.server_label or "" if remote else (definition.server if definition else "")
        run_id = f"run_{self._runs:06d}"
        call = Call(run_id, call_id, name, item.arguments or "", response_id, server, remote)
        self._open[run_id] = call
        return call

    def _called(self, call: Call) -> Effect:
        return Show(ToolCalled(call_id=call.call_id, name=call.name, arguments=call.arguments, server=call.server))

    def _ask_next(self) -> list[Effect]:
        return [Show(self.question)] if self.question else []

    def _run(self, call: Call, now: float) -> list[Effect]:
        call.move(CallEvent.STARTED)
        call.started_at = now
        return [self._consent(call, approve=True) if call.remote else RunTool(call.run_id, call.name, call.arguments)]

    def _refuse(self, call: Call, why: str, now: float) -> list[Effect]:
        call.move(CallEvent.REFUSED)
        consent = [self._consent(call, approve=False)] if call.remote else []
        return [*consent, *self._answer(call, failure(why), now)]

    def _answer(self, call: Call, outcome: ToolOutcome, now: float) -> list[Effect]:
        item = Item(type="function_call_output", call_id=call.call_id, output=outcome.output)
        output: list[Effect] = [] if call.remote else [Send(ConversationItemCreate(item=item))]
        return [*output, *self._close(call, outcome, now)]

    def _close(self, call: Call, outcome: ToolOutcome, now: float) -> list[Effect]:
        del self._open[call.run_id]
        self._responses.results += 1
        self._unspoken = {name: self._unspoken[name] for name in self._unspoken_ids()}
        self._unspoken[call.response_id] = self._responses.results
        finished = ToolFinished(
            call_id=call.call_id,
            name=call.name,
            output=outcome.output,
            failed=outcome.failed,
            duration_ms=0 if call.started_at is None else round((now - call.started_at) * 1000),
            server=call.server,
        )
        return [Show(finished)]

    def _consent(self, call: Call, *, approve: bool) -> Effect:
        # The official types want an id of the client's choice.
        self._consents += 1
        name = f"consent_{self._consents:06d}"
        item = Item(id=name, type="mcp_approval_response", approval_request_id=call.call_id, approve=approve)
        return Send(ConversationItemCreate(item=item))
