"""The past of a conversation: what was said, as it was heard, what was called, and what that gave. Pure.

It is what another connection is told, so that the model goes on where it was: after a lost connection, when a session
comes to its age limit, and for a conversation that is taken up again. What was not heard is no part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from realtime_cli.conversation.effects import Effect, Send, Show
from realtime_cli.conversation.records import AssistantSaid, ToolCalled, ToolFinished, UserSaid
from realtime_cli.protocol.client_events import ConversationItemCreate
from realtime_cli.protocol.items import Content, Item

RESTORED = "past_"
"""How the ids of items begin that another connection is told of. Short: some servers allow 32 characters."""

ITEM_TOKENS = 4
"""What an item costs beside its words."""

BYTES_A_TOKEN = 3
"""A cautious estimate: English has about four bytes of UTF-8 a token, Chinese three, and JSON fewer than prose
(https://platform.openai.com/docs/concepts#tokens)."""

IMAGE_TOKENS = 1000
"""About what an image costs (https://platform.openai.com/docs/guides/images-vision#calculating-costs)."""


class User(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="user"):
    """A turn of the user's: its text, or the transcript of its speech."""

    text: str
    item_id: str = ""
    parts: tuple[Content, ...] = ()
    """What else belongs to it, such as images."""
    late: bool = False
    """Its transcript came after the answer to it was told: it belongs before that."""


class Model(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="model"):
    """A reply of the model's, as far as it was heard; ``interrupted`` when it had more to say."""

    text: str
    item_id: str = ""
    interrupted: bool = False


class Call(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="call"):
    """A function that the model called; ``arguments`` is the JSON that it wrote."""

    call_id: str
    name: str
    arguments: str


class Result(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="result"):
    """What the model was told about a call."""

    call_id: str
    output: str
    failed: bool = False


Entry: TypeAlias = User | Model | Call | Result


class Past:
    """What happened, in order, as far back as another connection may be told of it: ``budget_tokens``, as in
    :func:`newest`. Not thread-safe: the core's thread owns it.
    """

    def __init__(self, entries: Iterable[Entry] = (), *, budget_tokens: int, forgets_from: int = 64) -> None:
        """``forgets_from``: so many entries are kept without a look at what they cost."""
        self._budget_tokens = budget_tokens
        self._entries: list[Entry] = []
        self._parts: dict[str, tuple[Content, ...]] = {}
        self._forgets_from = self._looked_through_at = forgets_from
        for entry in entries:
            self.append(entry)
        self.forget()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """A copy of it."""
        return tuple(self._entries)

    def append(self, entry: Entry) -> None:
        """Something more happened."""
        _put(self._entries, entry)

    def forget(self) -> None:
        """Let go of what no connection can be told any more, as newer entries use up the budget.

        Not to be called while a reply is in hand that may be left out of what is told. The entry that goes beyond the
        budget stays, so that nothing older than that is told in its place; so do calls that wait for a result, and the
        latest turn of the user's, behind which a late one goes.
        """
        entries = self._entries
        if len(entries) < self._looked_through_at:
            return
        partner, waiting = _pairs(entries)
        beyond = _beyond(entries, partner, self._budget_tokens)
        latest_turn = max((at for at, entry in enumerate(entries) if isinstance(entry, User)), default=beyond)
        kept = {latest_turn, *waiting.values()}
        self._entries = [
            entry
            for index, entry in enumerate(entries)
            if index >= beyond or partner.get(index, -1) >= beyond or index in kept
        ]
        # Twice as many, so that an entry costs the same however long the conversation lasts.
        self._looked_through_at = max(self._forgets_from, 2 * len(self._entries))

    def take(self, effect: Effect) -> Entry | None:
        """Remember what an effect of the core's tells or sends, if it is part of the past; that entry, if so."""
        match effect:
            case Send(event=ConversationItemCreate(item=Item(role="user") as item)) if item.id:
                if parts := tuple(part for part in item.content or () if part.type != "input_text"):
                    self._parts[item.id] = parts
                return None
            case Show(record=record) if (entry := self._entry_of(record)) is not None:
                self.append(entry)
                return entry
        return None

    def user(self, item_id: str, text: str) -> User:
        """A turn of the user's that is not told yet, with what else belongs to it."""
        return User(text=text, item_id=item_id, parts=self._parts.get(item_id, ()))

    def restoring(
        self,
        *,
        open_calls: frozenset[str] = frozenset(),
        more: Sequence[Entry] = (),
        leave_out: frozenset[str] = frozenset(),
    ) -> list[tuple[Entry, ConversationItemCreate]]:
        """What a new connection is told of all this, in order, the newest within the budget, each with its event.

        ``open_calls``: calls whose results are still to come; other calls without a result are left out. ``more``:
        what comes behind the past and is still going on. ``leave_out``: items that are to be said once more.
        """
        said: list[Entry] = []
        for entry in (*self._entries, *more):
            if not (isinstance(entry, User | Model) and entry.item_id in leave_out):
                _put(said, entry)
        chosen = _newest(said, self._budget_tokens, open_calls)
        ids = (f"{RESTORED}{number:06d}" for number in range(1, len(chosen) + 1))
        items = (msgspec.structs.replace(_item(entry), id=name) for entry, name in zip(chosen, ids, strict=True))
        return [(entry, ConversationItemCreate(item=item)) for entry, item in zip(chosen, items, strict=True)]

    def _entry_of(self, record: object) -> Entry | None:
        match record:
            case UserSaid():
                parts = self._parts.pop(record.item_id, ())
                if not (record.text or parts):
                    return None
                return User(text=record.text, item_id=record.item_id, parts=parts, late=record.late)
            case AssistantSaid() if record.text:
                return Model(text=record.text, item_id=record.item_id, interrupted=record.interrupted)
            case ToolCalled() if not record.server:
                return Call(call_id=record.call_id, name=record.name, arguments=record.arguments)
            case ToolFinished() if self._is_open(record.call_id):
                return Result(call_id=record.call_id, output=record.output, failed=record.failed)
        return None

    def _is_open(self, call_id: str) -> bool:
        """Whether the latest that is known of this call is the call itself."""
        for entry in reversed(self._entries):
            if isinstance(entry, Call | Result) and entry.call_id == call_id:
                return isinstance(entry, Call)
        return False


def newest(entries: Sequence[Entry], budget_tokens: int, *, open_calls: frozenset[str] = frozenset()) -> list[Entry]:
    """The newest entries that cost ``budget_tokens`` or less, in order; always of the newest one.

    A call and its result go together or not at all. A late turn of the user's goes before the reply it came behind.
    """
    ordered: list[Entry] = []
    for entry in entries:
        _put(ordered, entry)
    return _newest(ordered, budget_tokens, open_calls)


def _put(ordered: list[Entry], entry: Entry) -> None:
    at = len(ordered)
    if isinstance(entry, User) and entry.late:
        while at and not isinstance(ordered[at - 1], User):
            at -= 1
        at = at or len(ordered)
    ordered.insert(at, entry)


def _newest(ordered: Sequence[Entry], budget_tokens: int, open_calls: frozenset[str]) -> list[Entry]:
    partner, waiting = _pairs(ordered)
    partner |= {index: index for call_id, index in waiting.items() if call_id in open_calls}
    beyond = _beyond(ordered, partner, budget_tokens)
    return [entry for at, entry in enumerate(ordered) if at in partner and max(at, partner[at]) > beyond]


def _beyond(ordered: Sequence[Entry], partner: Mapping[int, int], budget_tokens: int) -> int:
    """Where the newest entry stands that the budget has no room for, -1 where it has room for all. The newest of all
    has room whatever it costs; a call costs what it does where its result stands.
    """
    left = budget_tokens
    for index in range(len(ordered) - 1, -1, -1):
        other = partner.get(index, index + 1)
        if other > index:
            continue
        cost = sum(_tokens(ordered[each]) for each in {index, other})
        if cost > left and left < budget_tokens:
            return index
        left -= cost
    return -1


def _pairs(entries: Sequence[Entry]) -> tuple[dict[int, int], dict[str, int]]:
    """For each entry that may be told, the one that it goes with: a result for a call, itself for all others. And where
    the calls without a result are.
    """
    pairs: dict[int, int] = {}
    waiting: dict[str, int] = {}
    for index, entry in enumerate(entries):
        match entry:
            case Call():
                waiting[entry.call_id] = index
            case Result() if entry.call_id in waiting:
                call = waiting.pop(entry.call_id)
                pairs[call], pairs[index] = index, call
            case User() | Model():
                pairs[index] = index
    return pairs, waiting


def _tokens(entry: Entry) -> int:
    match entry:
        case User():
            images = sum(1 for part in entry.parts if part.image_url)
            # Sound costs ten tokens a second of 24,000 samples of two bytes (protocol's pricing page), in base64.
            sound = sum(len(part.audio or "") for part in entry.parts) // 6400
            return _cost(entry.text) + images * IMAGE_TOKENS + sound
        case Model():
            return _cost(entry.text)
        case Call():
            return _cost(entry.name + entry.arguments)
        case Result():
            return _cost(entry.output)


def _cost(text: str) -> int:
    return ITEM_TOKENS - -len(text.encode("utf-8", "replace")) // BYTES_A_TOKEN


def _item(entry: Entry) -> Item:
    match entry:
        case User():
            words = (Content(type="input_text", text=entry.text),) if entry.text else ()
            return Item(type="message", role="user", content=(*words, *entry.parts))
        case Model():
            return Item(type="message", role="assistant", content=(Content(type="output_text", text=entry.text),))
        case Call():
            return Item(type="function_call", call_id=entry.call_id, name=entry.name, arguments=entry.arguments)
        case Result():
            return Item(type="function_call_output", call_id=entry.call_id, output=entry.output)
