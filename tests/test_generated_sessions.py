"""Sessions and items of every kind, generated: valid by the official types, and the same after the beta and back."""

from __future__ import annotations

import json
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.protocol.client_events import ConversationItemCreate, ResponseCreate, SessionUpdate
from realtime_cli.protocol.conversation_events import ConversationItemCreated
from realtime_cli.protocol.dialects import Dialect, from_wire, to_wire
from realtime_cli.protocol.items import Content, Item
from realtime_cli.protocol.response_events import OutputAudioDelta, OutputTextDelta, OutputTranscriptDone, ResponseDone
from realtime_cli.protocol.session_body import (
    NOT_IN_KEYWORDS,
    body_of,
    session_update,
    settings_of,
    transcription_session,
    without_nulls,
    without_optional,
)
from realtime_cli.protocol.session_options import Eagerness, NoiseReduction, RetentionRatio, SessionOptions
from tests.schema_check import check_beta_client_event, check_client_event, check_server_event
from tests.scripted_beta import in_beta

WORDS = st.text(st.characters(codec="utf-8", exclude_characters=NOT_IN_KEYWORDS), min_size=1, max_size=12)
OLDER = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
NEWER = ("gpt-transcribe", "gpt-live-transcribe")


def options(models: tuple[str, ...], most_languages: int) -> st.SearchStrategy[SessionOptions]:
    """What the flags can ask for, in all combinations that are not refused here."""
    return st.builds(
        SessionOptions,
        instructions=st.none() | WORDS,
        voice=st.none() | st.sampled_from(["marin", "alloy", "voice_1", "id:Ada"]),
        speed=st.none() | st.floats(0.25, 1.5),
        languages=st.lists(st.sampled_from(["de", "en", "pt-BR"]), max_size=most_languages, unique=True).map(tuple),
        max_output_tokens=st.none() | st.just("inf") | st.integers(1, 4096),
        vad=st.sampled_from(["server", "off"]),
        vad_threshold=st.none() | st.floats(0, 1),
        silence_ms=st.none() | st.integers(0, 60_000),
        prefix_padding_ms=st.none() | st.integers(0, 60_000),
        idle_timeout_ms=st.none() | st.integers(5_000, 30_000),
        eagerness=st.none() | st.sampled_from(get_args(Eagerness)),
        create_response=st.none() | st.booleans(),
        noise_reduction=st.none() | st.sampled_from(get_args(NoiseReduction)),
        transcription_model=st.sampled_from(models),
        keywords=st.lists(WORDS, max_size=2).map(tuple),
        reasoning=st.none() | st.sampled_from(["minimal", "low", "medium", "high", "xhigh"]),
        truncation=st.none()
        | st.sampled_from(["auto", "disabled"])
        | st.builds(RetentionRatio, st.floats(0, 1), st.none() | st.integers(1, 100_000)),
        text_only=st.booleans(),
    )


def sent(event: Any, dialect: Dialect) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(to_wire(event, dialect))
    return body


@given(options(OLDER, 1))
def test_whatever_the_flags_ask_for_is_valid_in_ga_and_beta(wanted: SessionOptions) -> None:
    for make in (session_update, transcription_session):
        check_client_event(sent(SessionUpdate(session=make(wanted, Dialect.GA)), Dialect.GA))
        check_beta_client_event(sent(SessionUpdate(session=make(wanted, Dialect.BETA)), Dialect.BETA))


@given(options(NEWER, 3))
def test_newer_transcription_models_get_languages_and_keywords_that_are_valid(wanted: SessionOptions) -> None:
    for make in (session_update, transcription_session):
        body = make(wanted, Dialect.GA)
        check_client_event(sent(SessionUpdate(session=body), Dialect.GA))
        assert "language" not in body["audio"]["input"]["transcription"]


@given(options((*OLDER, *NEWER), 1), st.sampled_from(Dialect))
def test_a_leaner_session_is_part_of_the_whole_one_and_still_valid(wanted: SessionOptions, dialect: Dialect) -> None:
    body = session_update(wanted, dialect)
    settings = settings_of(body)
    assert body_of(settings) == body
    lean = without_optional(settings, frozenset({"transcription"}))
    assert lean.items() <= settings.items()
    assert None not in lean.values()
    assert without_optional(lean, frozenset({"transcription"})) == lean
    if dialect is Dialect.GA:
        for smaller in (body_of(lean), without_nulls(body)):
            check_client_event(sent(SessionUpdate(session=smaller), dialect))


TEXT = st.text(max_size=20)
ITEMS = st.one_of(
    st.builds(lambda t: Item(type="message", role="user", content=(Content(type="input_text", text=t),)), TEXT),
    st.builds(lambda t: Item(type="message", role="system", content=(Content(type="input_text", text=t),)), TEXT),
    st.builds(lambda t: Item(type="message", role="assistant", content=(Content(type="output_text", text=t),)), TEXT),
    st.builds(lambda t: Item(type="function_call", name="f", call_id="call_1", arguments=t), TEXT),
    st.builds(lambda t: Item(type="function_call_output", call_id="call_1", output=t), TEXT),
)


@given(ITEMS)
def test_an_item_is_the_same_after_the_way_to_a_beta_server_and_back(item: Item) -> None:
    told = sent(ConversationItemCreate(item=item), Dialect.BETA)
    check_beta_client_event(told)
    event = from_wire(json.dumps({"type": "conversation.item.created", "event_id": "e", "item": told["item"]}))
    assert isinstance(event, ConversationItemCreated)
    assert event.item == item


@given(st.lists(ITEMS, max_size=3), st.sampled_from([["audio"], ["text"]]), st.none() | st.integers(1, 4096))
def test_a_request_for_a_response_is_valid_in_ga_and_beta(items: list[Item], modalities: list[str], limit: Any) -> None:
    named = [{**sent(ConversationItemCreate(item=item), Dialect.GA)["item"], "id": "item_1"} for item in items]
    wanted = {"output_modalities": modalities, "input": named} | ({"max_output_tokens": limit} if limit else {})
    check_client_event(sent(ResponseCreate(response=wanted), Dialect.GA))
    check_beta_client_event(sent(ResponseCreate(response=wanted), Dialect.BETA))


PLACE = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
USAGE = {
    "total_tokens": 3,
    "input_tokens": 2,
    "output_tokens": 1,
    "input_token_details": {"text_tokens": 2, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 1, "audio_tokens": 0},
}


@given(TEXT, st.sampled_from([["audio"], ["text"]]), st.sampled_from(["completed", "cancelled", "incomplete"]))
def test_what_a_beta_server_says_is_what_a_ga_server_says(text: str, modalities: list[str], status: str) -> None:
    kind = "output_text" if modalities == ["text"] else "output_audio"
    part = {"type": kind, "text": text} if kind == "output_text" else {"type": kind, "transcript": text}
    item = {"id": "item_1", "object": "realtime.item", "type": "message", "role": "assistant", "status": "completed"}
    response = {
        "id": "resp_1",
        "object": "realtime.response",
        "status": status,
        "output": [item | {"content": [part]}],
        "output_modalities": modalities,
        "usage": USAGE,
    }
    events: list[tuple[type, dict[str, Any]]] = [
        (OutputTextDelta, {"type": "response.output_text.delta", **PLACE, "delta": text}),
        (OutputAudioDelta, {"type": "response.output_audio.delta", **PLACE, "delta": "AAAA"}),
        (OutputTranscriptDone, {"type": "response.output_audio_transcript.done", **PLACE, "transcript": text}),
        (ResponseDone, {"type": "response.done", "response": response}),
    ]
    for cls, event in events:
        named = {"event_id": "event_1", **event}
        check_server_event(named)
        spoken = in_beta(json.loads(json.dumps(named)))
        assert spoken is not None
        understood = from_wire(json.dumps(spoken))
        assert isinstance(understood, cls)
        plain = from_wire(json.dumps(named))
        if isinstance(plain, ResponseDone) and isinstance(understood, ResponseDone):
            assert (plain.response.status, plain.response.output, plain.response.output_modalities) == (
                understood.response.status,
                understood.response.output,
                understood.response.output_modalities,
            )
        else:
            assert plain == understood
