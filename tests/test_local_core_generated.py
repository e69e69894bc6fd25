"""The local server's core under whatever comes: client events of every kind and wrong shape, and engines that answer
for anything. Nothing makes it raise, every response has one ``response.done``, and all that it says is official."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime_cli.protocol.client_events import CLIENT_EVENTS
from realtime_cli.protocol.server_events import server_event_to_json
from realtime_cli.server.core.core import ServerCore, SessionPlan
from realtime_cli.server.core.effects import Effect, Emit, StartReply, Transcribe
from realtime_cli.server.core.facts import (
    CallPiece,
    ClientMessage,
    Fact,
    ReplyFailed,
    ReplyFinished,
    ReplyPiece,
    ServerFailed,
    Tick,
    Transcribed,
    TranscriptionFailed,
)
from realtime_cli.server.listening.endpointing import MaybeEnded, Resumed, SpeechStarted, SpeechStopped
from tests.schema_check import check_order, check_server_event

T = TypeVar("T")

IDS = st.sampled_from(["item_1", "item_2", "item_3", "item_9", "resp_1", "resp_2", "mine", "root", "", "x" * 40])
RESPONSES = st.sampled_from([f"resp_{number}" for number in range(1, 7)])
CALLS = st.sampled_from(["call_a", "call_b"])
TIMES = st.integers(0, 5000)
JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from([0, -1, 1, 100, 4096, 2**40, 10**25, 0.5, -0.5, 1e300]),
        st.sampled_from(["", "auto", "none", "audio", "text", "inf", "function", "mcp", "root", "item_1", "\u0000é"]),
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "id", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)
TURNS = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["server_vad", "semantic_vad", "other"])},
        optional={
            "threshold": st.one_of(st.none(), st.floats(-0.5, 1.5)),
            "eagerness": st.sampled_from([None, "low", "wild"]),
            "silence_duration_ms": st.one_of(st.none(), st.integers(-1, 2000)),
            "idle_timeout_ms": st.sampled_from([None, 5000, 1]),
            "create_response": st.sampled_from([None, True, False]),
            "interrupt_response": st.sampled_from([None, True, False]),
            "model_version": st.sampled_from([None, "v1"]),
        },
    ),
    JUNK,
)
FORMATS = st.sampled_from(
    [{"type": "audio/pcm", "rate": 24000}, {"type": "audio/pcmu"}, {"type": "audio/pcm", "rate": 1}]
)
INPUT = st.fixed_dictionaries(
    {},
    optional={
        "format": st.one_of(FORMATS, JUNK),
        "turn_detection": TURNS,
        "transcription": st.one_of(st.none(), st.just({"model": "whisper-1"}), st.just({"language": "de"}), JUNK),
        "noise_reduction": st.one_of(st.none(), st.just({"type": "near_field"}), st.just({"strength": 0.5}), JUNK),
    },
)
OUTPUT = st.fixed_dictionaries(
    {},
    optional={
        "format": st.one_of(FORMATS, JUNK),
        "voice": st.sampled_from([None, "marin", {"id": "mine"}, {"id": 3}, 7]),
        "speed": st.one_of(st.none(), st.floats(0, 2)),
    },
)
TOOLS = st.lists(
    st.sampled_from(
        [
            {"type": "function", "name": "clock", "parameters": {"type": "object"}},
            {"type": "function", "name": "map", "strict": True},
            {"type": "function"},
            {"type": "mcp", "server_label": "notes", "server_url": "https://example.org", "require_approval": "never"},
            {"type": "mcp", "server_label": "notes", "require_approval": {"always": {"tool_names": ["a"]}}},
        ]
    ),
    max_size=2,
)
REPLY_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "instructions": st.one_of(st.just("Be brief."), JUNK),
    "output_modalities": st.sampled_from([["text"], ["audio"], ["text", "audio"], None, "text"]),
    "tools": st.one_of(TOOLS, JUNK),
    "tool_choice": st.one_of(
        st.sampled_from(["auto", "required", {"type": "function", "name": "clock"}, {"type": "function"}]), JUNK
    ),
    "max_output_tokens": st.sampled_from(["inf", 1, 30_000, 0, 2**40, None]),
    "parallel_tool_calls": st.sampled_from([True, False, None, 1]),
    "prompt": JUNK,
    "reasoning": st.one_of(st.just({"effort": "low"}), JUNK),
}
SESSIONS = st.fixed_dictionaries(
    {"type": st.sampled_from(["realtime", "realtime", "realtime", "transcription", None])},
    optional={
        **REPLY_FIELDS,
        "audio": st.fixed_dictionaries({}, optional={"input": INPUT, "output": OUTPUT, "other": JUNK}),
        "truncation": st.one_of(st.just({"type": "retention_ratio", "retention_ratio": 0.5}), JUNK),
        "tracing": st.one_of(st.just({"workflow_name": "w", "metadata": {"a": 10**25}}), JUNK),
        "include": st.one_of(st.just(["item.input_audio_transcription.logprobs"]), JUNK),
        "model": JUNK,
        "unknown": JUNK,
    },
)
AUDIO = st.sampled_from([base64.b64encode(bytes(size)).decode() for size in (0, 1, 960, 4800, 48_000)])
CONTENT = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["input_text", "output_text", "text"]), "text": st.just("Hello.")}),
    st.fixed_dictionaries({"type": st.just("input_audio")}, optional={"audio": AUDIO, "transcript": st.just("Yes.")}),
    st.fixed_dictionaries(
        {"type": st.just("input_image")},
        optional={"image_url": st.just("data:image/png;base64,AA=="), "detail": st.sampled_from(["low", "x"])},
    ),
    JUNK,
)
ITEMS = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("message"),
            "role": st.sampled_from(["user", "assistant", "system", "tool"]),
            "content": st.lists(CONTENT, max_size=2),
        },
        optional={"id": IDS, "status": st.sampled_from(["completed", "wild"]), "object": JUNK},
    ),
    st.fixed_dictionaries(
        {"type": st.just("function_call"), "name": st.just("clock"), "arguments": st.just("{}")},
        optional={"id": IDS, "call_id": CALLS},
    ),
    st.fixed_dictionaries(
        {"type": st.just("function_call_output"), "call_id": CALLS, "output": st.just("noon")}, optional={"id": IDS}
    ),
    st.fixed_dictionaries({"type": st.just("item_reference"), "id": IDS}),
    JUNK,
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "session": st.one_of(SESSIONS, SESSIONS, JUNK),
    "audio": st.one_of(AUDIO, AUDIO, JUNK),
    "item": st.one_of(ITEMS, ITEMS, JUNK),
    "previous_item_id": st.one_of(st.none(), IDS),
    "item_id": IDS,
    "content_index": st.sampled_from([0, 0, 1, -1]),
    "audio_end_ms": st.one_of(TIMES, st.sampled_from([-1, 10**12])),
    "response": st.one_of(
        st.none(),
        st.fixed_dictionaries(
            {},
            optional={
                **REPLY_FIELDS,
                "conversation": st.sampled_from(["none", "auto", "other"]),
                "input": st.lists(ITEMS, max_size=2),
                "metadata": st.sampled_from([{"a": "b"}, {"a": 1}, None]),
                "audio": st.fixed_dictionaries({}, optional={"output": OUTPUT}),
            },
        ),
        JUNK,
    ),
    "response_id": st.one_of(st.none(), RESPONSES),
    "event_id": st.sampled_from(["mine", "x" * 600]),
}


def client_message(kind: str) -> st.SearchStrategy[str]:
    """An event of this kind with the fields that it has, some of them, and now and then one that it has not."""
    names = [name for name in CLIENT_EVENTS[kind].__struct_fields__ if name in FIELDS]
    required = {name: FIELDS[name] for name in names if name not in ("event_id", "previous_item_id", "response_id")}
    optional = {name: FIELDS[name] for name in names if name not in required}
    whole = st.fixed_dictionaries(required, optional=optional)
    torn = st.fixed_dictionaries({}, optional={**required, **optional, "other": JUNK})
    return st.one_of(whole, whole, whole, torn).map(lambda body: json.dumps({"type": kind, **body}))


GOOD = [
    {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}},
    {"type": "session.update", "session": {"type": "realtime", "tools": [{"type": "function", "name": "clock"}]}},
    {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}}},
    {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"transcription": {"model": "m"}}}}},
    {"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(48_000)).decode()},
    {"type": "input_audio_buffer.commit"},
    {"type": "response.create"},
    {"type": "response.create", "response": {"conversation": "none", "metadata": {"a": "b"}}},
    {"type": "response.cancel"},
    {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]},
    },
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": "call_a", "output": "noon"},
    },
]
MESSAGES = st.one_of(
    *[st.sampled_from(GOOD).map(json.dumps)] * 4,
    st.one_of(*(client_message(kind) for kind in CLIENT_EVENTS)),
    st.sampled_from(["", "{", "[]", "null", '{"type": 1}', '{"type": "nothing"}', "[" * 5000, '{"a": "\\ud83d"}']),
    JUNK.map(json.dumps),
)


class Reply(NamedTuple):
    """The engines answer for one of the responses and recognitions that they were asked for, or for none of them."""

    which: int
    make: Callable[[str, int], Fact]


TEXTS = st.sampled_from(["", "Hello.", "What time is it?"])
REPLIES = st.one_of(
    TEXTS.map(lambda text: lambda _response, job: Transcribed(job, text)),
    TEXTS.map(lambda text: lambda _response, job: Transcribed(job, text)),
    st.just(lambda _response, job: TranscriptionFailed(job, "it failed")),
    st.tuples(st.sampled_from(["", "Hi. "]), st.sampled_from([b"", bytes(4800)])).map(
        lambda made: lambda response, _job: ReplyPiece(response, *made)
    ),
    st.tuples(CALLS, st.sampled_from(["clock", "map"]), st.sampled_from(["", '{"a"'])).map(
        lambda made: lambda response, _job: CallPiece(response, *made)
    ),
    st.booleans().map(lambda cut_off: lambda response, _job: ReplyFinished(response, cut_off)),
    st.just(lambda response, _job: ReplyFailed(response, "it failed")),
)
FACTS: st.SearchStrategy[Fact | Reply] = st.one_of(
    MESSAGES.map(ClientMessage),
    st.builds(SpeechStarted, TIMES),
    st.builds(MaybeEnded, TIMES),
    st.builds(SpeechStopped, TIMES),
    st.builds(Reply, st.sampled_from([-1, -1, -1, 0, 1, 99]), REPLIES),
    st.builds(Reply, st.just(-1), REPLIES),
    st.sampled_from([Resumed(), Tick(), ServerFailed("it failed")]),
)


class Call:
    """A session and all that came of it."""

    def __init__(self, kind: Any) -> None:
        self._numbers: Counter[str] = Counter()
        self._core = ServerCore(self._new_id, SessionPlan(kind=kind, lifetime_s=1000.0))
        self._responses: list[str] = []
        self._jobs: list[int] = []
        self.events: list[dict[str, Any]] = []
        self._take(self._core.open(0.0))

    def tell(self, fact: Fact | Reply, now: float) -> None:
        if isinstance(fact, Reply):
            fact = fact.make(_pick(self._responses, fact.which, "resp_0"), _pick(self._jobs, fact.which, 77))
        self._take(self._core.handle(fact, now))

    def _new_id(self, prefix: str) -> str:
        self._numbers[prefix] += 1
        return f"{prefix}_{self._numbers[prefix]}" if prefix == "resp" else f"{prefix}_new_{self._numbers[prefix]}"

    def _take(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Emit(event):
                    self.events.append(json.loads(server_event_to_json(event)))
                case StartReply(response_id=response_id):
                    self._responses.append(response_id)
                case Transcribe(job=job):
                    self._jobs.append(job)


def _pick(known: list[T], which: int, otherwise: T) -> T:
    return known[which] if -len(known) <= which < len(known) else otherwise


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.lists(FACTS, min_size=10, max_size=60), st.sampled_from(["realtime", "realtime", "realtime", "transcription"])
)
def test_whatever_comes_is_answered_officially_and_every_response_is_done_once(
    facts: list[Fact | Reply], kind: Any
) -> None:
    call = Call(kind)
    for number, fact in enumerate(facts):
        call.tell(fact, number * 1.0)
    call.tell(Tick(), 1000.0)
    for event in call.events:
        check_server_event(event)
    check_order(call.events)
    created = [event["response"]["id"] for event in call.events if event["type"] == "response.created"]
    done = Counter(event["response"]["id"] for event in call.events if event["type"] == "response.done")
    assert done == Counter(created)
