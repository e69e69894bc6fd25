"""The past of a conversation, as another connection is told of it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from realtime_cli.conversation.effects import Send, Show
from realtime_cli.conversation.past import (
    RESTORED,
    Call,
    Entry,
    Model,
    Past,
    Result,
    User,
    newest,
)
from realtime_cli.conversation.records import AssistantSaid, ToolCalled, ToolFinished, UserSaid
from realtime_cli.protocol.client_events import ConversationItemCreate
from realtime_cli.protocol.dialects import Dialect, to_wire
from realtime_cli.protocol.items import Content, Item
from tests.schema_check import check_beta_client_event, check_client_event

words = st.text(max_size=60)
call_ids = st.sampled_from(["c1", "c2", "c3"])
entries: st.SearchStrategy[Entry] = st.one_of(
    st.builds(User, text=words, item_id=words, late=st.booleans()),
    st.builds(Model, text=words, item_id=words, interrupted=st.booleans()),
    st.builds(Call, call_id=call_ids, name=words, arguments=words),
    st.builds(Result, call_id=call_ids, output=words, failed=st.booleans()),
)
pasts = st.lists(entries, max_size=30)
budgets = st.integers(0, 400)


def text_of(entry: Entry) -> str:
    assert isinstance(entry, User | Model)
    return entry.text


@given(pasts, budgets, st.frozensets(call_ids))
def test_no_result_goes_without_its_call_and_no_call_without_its_result_unless_it_is_open(
    past: list[Entry], budget: int, open_calls: frozenset[str]
) -> None:
    open_now: list[str] = []
    for entry in newest(past, budget, open_calls=open_calls):
        if isinstance(entry, Call):
            open_now.append(entry.call_id)
        if isinstance(entry, Result):
            open_now.remove(entry.call_id)
    assert set(open_now) <= open_calls


@given(pasts)
def test_with_room_enough_every_word_goes_in_order(past: list[Entry]) -> None:
    said = [entry.text for entry in past if isinstance(entry, User | Model)]
    items = [text_of(entry) for entry in newest(past, 10**9) if isinstance(entry, User | Model)]
    if not any(isinstance(entry, User) and entry.late for entry in past):
        assert items == said
    assert sorted(items) == sorted(said)


@given(pasts, budgets)
def test_what_is_left_out_is_the_oldest(past: list[Entry], budget: int) -> None:
    whole = newest(past, 10**9)
    kept = newest(past, budget)
    messages = [entry for entry in kept if isinstance(entry, User | Model)]
    every = [entry for entry in whole if isinstance(entry, User | Model)]
    assert messages == every[len(every) - len(messages) :]
    assert bool(kept) == bool(whole)


@given(pasts, budgets)
def test_more_budget_never_tells_less(past: list[Entry], budget: int) -> None:
    assert len(newest(past, budget)) <= len(newest(past, budget + 50))


def test_each_event_is_what_servers_of_both_shapes_take() -> None:
    entries: list[Entry] = [
        User(text="Look.", parts=(Content(type="input_image", image_url="data:image/png;base64,AA=="),)),
        Call(call_id="c1", name="look", arguments="{}"),
        Result(call_id="c1", output="a cat"),
        Model(text="A cat."),
    ]
    events = [event for _, event in Past(entries, budget_tokens=9999).restoring()]
    assert [event.item.id for event in events] == [f"{RESTORED}{number:06d}" for number in range(1, 5)]
    for event in events:
        check_client_event(json.loads(to_wire(event, Dialect.GA)))
    for _, event in Past(entries[1:], budget_tokens=9999).restoring():
        check_beta_client_event(json.loads(to_wire(event, Dialect.BETA)))


def test_the_past_is_what_was_told_and_only_as_far_as_it_was_heard() -> None:
    past = Past(budget_tokens=9999)
    image = Content(type="input_image", image_url="data:image/png;base64,AA==")
    item = Item(id="typed_1", type="message", role="user", content=(Content(type="input_text", text="Look."), image))
    for effect in (
        Send(ConversationItemCreate(item=item)),
        Show(UserSaid(item_id="typed_1", text="Look.")),
        Show(AssistantSaid(item_id="a", text="I see", heard_ms=400, interrupted=True)),
        Show(UserSaid(item_id="noise", text="")),
        Show(AssistantSaid(item_id="b", text="", heard_ms=0, interrupted=True)),
        Show(ToolCalled(call_id="c1", name="f", arguments="{}")),
        Show(ToolFinished(call_id="c1", name="f", output="7", failed=False, duration_ms=3)),
        Show(ToolFinished(call_id="elsewhere", name="f", output="7", failed=False, duration_ms=3)),
    ):
        past.take(effect)
    assert past.entries == (
        User(text="Look.", item_id="typed_1", parts=(image,)),
        Model(text="I see", item_id="a", interrupted=True),
        Call(call_id="c1", name="f", arguments="{}"),
        Result(call_id="c1", output="7"),
    )


def test_a_turn_whose_words_came_late_goes_before_its_answer() -> None:
    past = [User(text="one"), Model(text="1"), Model(text="2"), User(text="two", late=True), User(text="three")]
    assert [text_of(item) for item in newest(past, 1000)] == ["one", "two", "1", "2", "three"]


def test_the_newest_turn_goes_whatever_it_costs() -> None:
    past = [User(text="short"), User(text="long " * 1000)]
    assert [text_of(item)[:4] for item in newest(past, 10)] == ["long"]


def test_a_call_that_still_runs_is_told_without_its_result() -> None:
    past = [User(text="Go."), Call(call_id="c1", name="f", arguments="{}"), Call(call_id="c2", name="f", arguments="")]
    told = newest(past, 1000, open_calls=frozenset({"c2"}))
    assert told == [past[0], past[2]]


@given(st.lists(st.tuples(entries, st.booleans()), max_size=120), budgets, st.data())
def test_what_is_forgotten_would_never_have_been_told(
    said: list[tuple[Entry, bool]], budget: int, data: st.DataObject
) -> None:
    """``True`` beside an entry: there was a moment without a reply in hand behind it."""
    past = Past(budget_tokens=budget, forgets_from=0)
    everything: list[Entry] = []
    in_hand: list[str] = []
    for number, (each, free) in enumerate(said):
        # No two items of a conversation have the same name.
        entry = replace(each, item_id=f"item {number}") if isinstance(each, User | Model) else each
        past.append(entry)
        everything.append(entry)
        in_hand += [entry.item_id] if isinstance(entry, Model) else []
        if free:
            past.forget()
            in_hand.clear()
        open_calls = data.draw(st.frozensets(call_ids))
        more = data.draw(st.lists(entries, max_size=2))
        left_out = data.draw(st.frozensets(st.sampled_from(in_hand))) if in_hand else frozenset()
        told = [entry for entry, _ in past.restoring(open_calls=open_calls, more=more, leave_out=left_out)]
        whole = [it for it in (*everything, *more) if not (isinstance(it, User | Model) and it.item_id in left_out)]
        assert told == newest(whole, budget, open_calls=open_calls)


def test_an_endless_conversation_takes_no_more_memory_than_what_is_told_of_it() -> None:
    past = Past(budget_tokens=1000)
    for number in range(5000):
        past.append(User(text=f"And what is {number}?"))
        past.append(Call(call_id=f"c{number}", name="look_up", arguments=f'{{"number": {number}}}'))
        past.append(Result(call_id=f"c{number}", output=f"the successor of {number - 1}"))
        past.append(Model(text=f"That is the successor of {number - 1}."))
        past.forget()
    assert len(past.entries) < 300
