"""Generated conversations: facts and events of every kind, well formed and not, in any order, and what must hold."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime_cli.audio.core.pcm import base64_bytes
from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.conversation import Conversation
from realtime_cli.conversation.options import ConversationOptions, SideChannel
from realtime_cli.conversation.records import AssistantSaid, ToolCalled, ToolFinished, UserSaid
from realtime_cli.conversation.tool_definitions import ToolDefinition, ToolOutcome
from realtime_cli.protocol.client_events import (
    ConversationItemCreate,
    ConversationItemTruncate,
    ResponseCancel,
    ResponseCreate,
)
from realtime_cli.protocol.conversation_events import ErrorEvent
from realtime_cli.protocol.dialects import NotAnEvent, from_wire
from realtime_cli.protocol.response_events import OutputAudioDelta, ResponseCreated, ResponseDone
from realtime_cli.protocol.server_events import SERVER_EVENTS, server_event_from_object
from tests.conversation_driver import SECOND

ANSWER_S = 60.0
"""After so long without an answer the core may ask again."""

CASES = int(os.environ.get("GENERATED_CASES", "300"))
"""How many conversations a test makes; a longer run by hand sets more."""

OPEN_AT_MOST = 64
"""No conversation of these lengths has more items open at once than it can have turns and replies in progress."""

IDS = st.sampled_from(["", "a", "b", "c", "typed_000001", "unnamed turn 1"])
WORDS = st.sampled_from(["", " ", "Hello there. ", "\ud83d", "\x1b[2J", "日本語"])
ODD = st.sampled_from([None, 0, -1, 1.5, True, "x", [], {}, [{}], {"id": None}])
INDEXES = st.sampled_from([0, 0, 0, 1, 7])
AUDIO = st.sampled_from([SECOND, SECOND[:6400], "AAAA", "A", "!!", ""])
NAMES = st.sampled_from(["look", "write", "nothing", ""])
STATUSES = st.sampled_from(["completed", "cancelled", "failed", "incomplete", "in_progress", "", "odd"])

CONTENT = st.fixed_dictionaries(
    {"type": st.sampled_from(["input_text", "input_audio", "output_text", "output_audio"])},
    optional={"text": WORDS, "transcript": WORDS},
)
ITEMS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["message", "function_call", "mcp_approval_request", "mcp_call", "mcp_list_tools", "function_call_output"]
        )
    },
    optional={
        "id": IDS,
        "role": st.sampled_from(["user", "assistant", "system"]),
        "status": STATUSES,
        "content": st.lists(CONTENT, max_size=2),
        "name": NAMES,
        "call_id": IDS,
        "arguments": WORDS,
        "server_label": IDS,
        "approval_request_id": IDS,
        "output": WORDS,
        "error": ODD,
    },
)
RESPONSES = st.fixed_dictionaries(
    {},
    optional={
        "id": IDS,
        "status": STATUSES,
        "output": st.lists(ITEMS, max_size=3),
        "conversation_id": IDS,
        "metadata": st.sampled_from([None, {}, {"side_channel": "mood"}, {"other": "x"}]),
        "usage": st.sampled_from([None, {}, {"input_tokens": 3, "output_tokens": 2}]),
        "status_details": st.sampled_from([None, {"reason": "turn_detected"}, {"error": {"message": "No."}}]),
    },
)
ERRORS = st.fixed_dictionaries(
    {"message": WORDS},
    optional={
        "code": st.sampled_from(
            [
                None,
                "some_code",
                "conversation_already_has_active_response",
                "response_cancel_not_active",
                "input_audio_buffer_commit_empty",
            ]
        ),
        "param": st.sampled_from([None, "session.voice", "item"]),
        "event_id": st.sampled_from([None, *(f"evt_{number:06d}" for number in range(2, 9))]),
    },
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "session": st.just({"id": "sess_1", "type": "realtime"}),
    "response": RESPONSES,
    "item": ITEMS,
    "error": ERRORS,
    "item_id": IDS,
    "previous_item_id": st.one_of(st.none(), IDS),
    "response_id": IDS,
    "call_id": IDS,
    "output_index": INDEXES,
    "content_index": INDEXES,
    "text": WORDS,
    "transcript": WORDS,
    "arguments": WORDS,
    "name": NAMES,
    "audio_start_ms": st.integers(0, 9000),
    "audio_end_ms": st.integers(0, 9000),
}


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """One server event, as JSON; now and then a field is missing or of the wrong kind."""
    kind = draw(st.sampled_from(sorted(SERVER_EVENTS)))
    body: dict[str, Any] = {"type": kind}
    for name in SERVER_EVENTS[kind].__struct_fields__:
        strategy = FIELDS.get(name)
        if name == "delta":
            strategy = AUDIO if kind == OutputAudioDelta.type else WORDS
        if strategy is not None and draw(st.integers(0, 9)):
            body[name] = draw(ODD) if not draw(st.integers(0, 30)) else draw(strategy)
    return body


def grammar(response: str, item: str, status: str, seconds: int) -> list[dict[str, Any]]:
    """A turn and its reply as a server sends them."""
    ids = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
    message = {"id": item, "type": "message", "role": "assistant"}
    user = f"u{item}"
    return [
        {"type": "input_audio_buffer.speech_started", "item_id": user},
        {"type": "input_audio_buffer.speech_stopped", "item_id": user},
        {"type": "input_audio_buffer.committed", "item_id": user},
        {"type": "response.created", "response": {"id": response}},
        {"type": "response.output_item.added", "response_id": response, "item": message},
        {"type": "response.output_audio_transcript.delta", **ids, "delta": "Hello there. "},
        *[{"type": "response.output_audio.delta", **ids, "delta": SECOND}] * seconds,
        {
            "type": "response.output_item.done",
            "response_id": response,
            "item": {"id": f"c{item}", "type": "function_call", "call_id": item, "name": "look", "arguments": "{}"},
        },
        {"type": "conversation.item.input_audio_transcription.completed", "item_id": user, "transcript": "Hi."},
        {"type": "response.done", "response": {"id": response, "status": status}},
    ]


@st.composite
def mutated_turns(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Turns by the grammar, of which events are lost, repeated and swapped."""
    turns: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 4))):
        name = draw(st.sampled_from([f"{number}", "same"]))
        turns += grammar(f"r{name}", f"i{name}", draw(STATUSES), draw(st.integers(0, 3)))
    for _ in range(draw(st.integers(0, 6))):
        at, to = draw(st.integers(0, len(turns) - 1)), draw(st.integers(0, len(turns) - 1))
        match draw(st.sampled_from(["lose", "repeat", "swap"])):
            case "lose" if len(turns) > 1:
                del turns[at]
            case "repeat":
                turns.insert(to, turns[at])
            case "swap":
                turns[at], turns[to] = turns[to], turns[at]
    return turns


FACTS = st.one_of(
    st.builds(f.Typed, WORDS),
    st.builds(f.Typed, st.sampled_from(["y", "n", "a"]), answers=st.booleans()),
    st.builds(f.Wanted, st.sampled_from([None, "Greet."])),
    st.builds(f.Spoken, st.just("a.wav")),
    st.sampled_from([f.Fed(), f.MicEnded(), f.Pressed(), f.Released(), f.StopReply(), f.MicOpened(), f.Opened()]),
    st.builds(f.Heard, IDS, INDEXES, st.integers(0, 9000), st.booleans()),
    st.builds(f.Muted, st.booleans()),
    st.builds(f.Decided, st.sampled_from(["yes", "no", "always"])),
    st.builds(f.ToolReturned, st.sampled_from([f"run_{n:06d}" for n in range(1, 6)]), st.just(ToolOutcome("fine"))),
    st.builds(f.Noted, WORDS),
)
STEPS = st.one_of(
    events().map(lambda event: [event]),
    mutated_turns(),
    FACTS.map(lambda fact: [fact]),
    st.integers(1, 4000).map(lambda tenths: [tenths / 10]),
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        name: st.booleans()
        for name in (
            "listens",
            "plays",
            "server_decides_turns",
            "server_answers",
            "server_interrupts",
            "detection_always_on",
            "transcribes_user",
            "push_to_talk",
            "can_cancel",
            "can_truncate",
            "can_ask",
            "asks_for_answers",
        )
    }
    | {"interruptions": st.sampled_from(["always", "careful", "never"])},
)


class Watched:
    """A conversation of which every effect is held against what must never happen."""

    def __init__(self, options: dict[str, Any]) -> None:
        channels = (SideChannel("mood", "How?"),) if options.get("listens") else ()
        options = {"offers_tools": True, "side_channels": channels, "max_tool_rounds": 3, **options}
        self.core = Conversation(ConversationOptions(provider="test", session={"type": "realtime"}, **options))
        self.now = 0.0
        self.received: dict[tuple[str, int], int] = defaultdict(int)
        self.told: Counter[str] = Counter()
        self.called: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.runs: Counter[str] = Counter()
        self.returned: set[str] = set()
        self.cancelled: set[str] = set()
        self.over: set[str] = set()
        self.pending_asks = 0
        self.asked_at = 0.0
        self.ended = False
        self.tell(
            f.ToolsReady(
                (ToolDefinition(name="look", parameters={}), ToolDefinition(name="write", parameters={}, asks=True))
            )
        )
        self.tell(server_event_from_object({"type": "session.created", "session": {"id": "sess_1"}}))

    def tell(self, fact: Any) -> None:
        """Tell a fact, and carry out what it brings about, as a session does."""
        if isinstance(fact, f.ToolReturned):
            self.returned.add(fact.run_id)
        if hasattr(fact, "response_id") or isinstance(fact, ResponseCreated | ResponseDone | ErrorEvent):
            # It may be the beginning or the refusal of what was asked for.
            self.pending_asks = 0
        effects = self.core.handle(fact, self.now)
        if isinstance(fact, ResponseDone) and fact.response.id:
            self.over.add(fact.response.id)
        if isinstance(fact, OutputAudioDelta) and any(isinstance(effect, e.Play) for effect in effects):
            assert not fact.response_id or fact.response_id not in self.over | self.cancelled, "a dead response plays"
        for effect in effects:
            self.carry_out(effect)
        lines = self.core.snapshot().lines
        assert len(lines) <= OPEN_AT_MOST
        assert self.core.deadline is None or self.core.deadline >= self.now - 1e-6 or self.due_at_once()

    def due_at_once(self) -> bool:
        """Whether what is due goes away when it is seen to: a deadline that stays in the past would spin."""
        for effect in self.core.handle(f.Tick(), self.now):
            self.carry_out(effect)
        return self.core.deadline is None or self.core.deadline > self.now

    def carry_out(self, effect: e.Effect) -> None:
        match effect:
            case e.Play():
                self.received[effect.item_id, effect.content_index] += base64_bytes(effect.delta)
            case e.Send(event=ConversationItemTruncate() as cut):
                most = max((size for (_, part), size in self.received.items() if part == cut.content_index), default=0)
                assert 0 < cut.audio_end_ms <= most // 48, "more truncated than was received"
            case e.Send(event=ResponseCancel(response_id=name)) if name:
                self.cancelled.add(name)
            case e.Send(event=ResponseCreate(response=body)) if not (body or {}).get("metadata"):
                # What got no answer for so long may be asked again.
                self.pending_asks = 1 if self.now - self.asked_at >= ANSWER_S - 1e-6 else self.pending_asks + 1
                self.asked_at = self.now
                assert self.pending_asks <= 1, "two responses asked for at once"
            case e.Send(event=ConversationItemCreate(item=item)) if item.type == "function_call_output":
                self.answered["output"] += 1
            case e.RunTool():
                self.runs[effect.run_id] += 1
                assert self.runs[effect.run_id] == 1, "a call runs twice"
            case e.Show(record=ToolCalled()):
                self.called["all"] += 1
            case e.Show(record=ToolFinished()):
                self.called["finished"] += 1
                assert self.called["finished"] <= self.called["all"], "a call is answered twice"
            case e.Show(record=UserSaid() | AssistantSaid() as record):
                self.told[record.item_id] += 1
                assert self.told[record.item_id] == 1, f"{record.item_id} is told twice"
            case e.Flush():
                parts = (f.Heard(*part, size // 96, finished=False) for part, size in self.received.items())
                self.tell(f.Flushed(tuple(parts)))
            case e.CloseMic():
                self.tell(f.MicClosed(900))
            case e.End():
                assert not self.ended
                self.ended = True


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(OPTIONS, st.lists(STEPS, min_size=10, max_size=60))
def test_whatever_happens_no_invariant_of_a_conversation_is_broken(options: dict[str, Any], steps: list[Any]) -> None:
    watched = Watched(options)
    for step in [each for group in steps for each in group]:
        if isinstance(step, dict):
            with contextlib.suppress(NotAnEvent):
                watched.tell(from_wire(json.dumps(step)))
        elif isinstance(step, float):
            watched.now += step
            watched.tell(f.Tick())
        else:
            watched.tell(step)
    watched.tell(f.Quit())
    assert watched.ended
    assert watched.core.deadline is None
    assert watched.called["finished"] <= watched.called["all"]
