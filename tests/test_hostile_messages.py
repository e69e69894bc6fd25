"""Whatever a server sends: an event, an unknown event, or one clear error. Generated messages, and the known worst."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.protocol import items
from realtime_cli.protocol.client_events import CLIENT_EVENTS
from realtime_cli.protocol.codec import ServerEvent, UnknownEvent
from realtime_cli.protocol.conversation_events import ErrorEvent, TranscriptionCompleted
from realtime_cli.protocol.dialects import NotAnEvent, dialect_of, from_wire
from realtime_cli.protocol.error_codes import classify, fatal_error
from realtime_cli.protocol.response_events import OutputTextDelta, OutputTextDone
from realtime_cli.protocol.server_events import SERVER_EVENTS
from realtime_cli.protocol.split_characters import MOST_WAITING, SplitCharacters, has_halves

BETA_NAMES = ("response.text.delta", "response.audio.delta", "transcription_session.updated", "session.created")
FIELDS = sorted(
    {name for cls in SERVER_EVENTS.values() for name in cls.__struct_fields__}
    | {name for cls in (items.Item, items.Content, items.Response, items.Usage) for name in cls.__struct_fields__}
    | {"modalities", "input_audio_format", "session", "text", "code", "message", "param"}
)
TEXT = st.text(st.characters(codec=None), max_size=8) | st.sampled_from(["audio", "assistant", "message", "text"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | TEXT, inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from([*SERVER_EVENTS, *CLIENT_EVENTS, *BETA_NAMES])
EVENTS = st.builds(
    lambda name, body: {**body, "type": name},
    NAMES,
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6),
)
DEEP = 100_000


def taken(message: str | bytes) -> ServerEvent | UnknownEvent | None:
    """The event, or None for one that was refused in one line."""
    try:
        return from_wire(message)
    except NotAnEvent as refusal:
        words = str(refusal)
    assert "\n" not in words
    assert "not an event of the Realtime protocol" in words
    return None


@given(VALUES | EVENTS)
def test_any_json_is_an_event_or_one_clear_error(value: Any) -> None:
    event = taken(json.dumps(value))
    if isinstance(event, ServerEvent):
        for name in event.__struct_fields__:
            assert not has_halves(getattr(event, name))
    if isinstance(event, ErrorEvent):
        classify(event.error)
        fatal_error(event.error)
    if isinstance(value, dict):
        dialect_of(value)


@given(EVENTS)
def test_an_event_of_a_known_name_is_always_understood(value: dict[str, Any]) -> None:
    assert taken(json.dumps(value)) is not None


@given(st.text(max_size=20) | st.binary(max_size=20))
def test_any_text_is_an_event_or_one_clear_error(message: str | bytes) -> None:
    taken(message)


@pytest.mark.parametrize(
    "message",
    [
        "[" * DEEP,
        '{"type":' * DEEP,
        '{"type":"error","error":' + "[" * DEEP + "]" * DEEP + "}",
        '{"type":"x","a":' + "[" * 900 + '"\\ud83d"' + "]" * 900 + "}",
        '{"type":"response.done","response":{"output":[' + '{"content":[' * DEEP,
        '{"type":"response.created","response":{"modalities":5}}',
        '{"type":"error","error":"no","code":{"a":1}}',
        '{"type":"x","n":' + "9" * 5000 + "}",
        '{"type":"x","n":1e999}',
        '{"type":"x","n":NaN}',
        '"\\ud83d"',
        "",
        "\x00",
    ],
    ids=lambda message: message[:12].encode("unicode_escape").decode(),
)
def test_the_worst_that_is_known_is_one_line(message: str) -> None:
    taken(message)


def said(split: SplitCharacters, delta: str, item_id: str = "item_1") -> str:
    """What one written delta says, as JSON with escapes."""
    event = from_wire(json.dumps({"type": "response.text.delta", "item_id": item_id, "delta": delta}), split)
    assert isinstance(event, OutputTextDelta)
    return event.delta


def test_a_character_cut_in_two_is_whole_again_in_the_next_delta() -> None:
    split = SplitCharacters()
    assert [said(split, "one \ud83d"), said(split, ""), said(split, "\ude00 two")] == ["one ", "", "\U0001f600 two"]


def test_halves_of_different_texts_never_meet() -> None:
    split = SplitCharacters()
    assert said(split, "a\ud83d", "item_1") == "a"
    assert said(split, "\ude00b", "item_2") == "\ufffdb"
    assert said(split, "\ude00c", "item_1") == "\U0001f600c"


def test_half_a_character_that_stays_alone_is_replaced() -> None:
    split = SplitCharacters()
    assert said(split, "\ude00 and \ud83d here") == "\ufffd and \ufffd here"
    assert said(split, "\ud83d") == ""
    assert said(split, "x") == "\ufffdx"
    done = from_wire('{"type":"response.text.done","text":"x\\ud83d"}', split)
    assert isinstance(done, OutputTextDone)
    assert done.text == "x\ufffd"


def test_a_whole_text_has_whole_characters() -> None:
    kind = "conversation.item.input_audio_transcription.completed"
    event = from_wire(json.dumps({"type": kind, "transcript": "\ud83d\ude00\ude00"}))
    assert isinstance(event, TranscriptionCompleted)
    assert event.transcript == "\U0001f600\ufffd"


@given(st.text(max_size=30), st.data())
def test_a_text_cut_anywhere_between_its_units_comes_together(text: str, data: st.DataObject) -> None:
    units = text.encode("utf-16-le", "surrogatepass")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(units) // 2), max_size=5)))
    edges = [0, *(2 * cut for cut in cuts), len(units)]
    pieces = [units[a:b].decode("utf-16-le", "surrogatepass") for a, b in pairwise(edges)]
    split = SplitCharacters()
    assert "".join(said(split, piece) for piece in pieces) == text


def test_texts_that_never_come_to_their_end_are_bounded() -> None:
    split = SplitCharacters()
    for number in range(MOST_WAITING + 1):
        said(split, "\ud83d", f"item_{number}")
    assert said(split, "\ude00", "item_0") == "\ufffd"
    assert said(split, "\ude00", f"item_{MOST_WAITING}") == "\U0001f600"
