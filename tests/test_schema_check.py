"""The checker of events finds what the official types alone let pass."""

from __future__ import annotations

from typing import Any

import pytest

from tests.schema_check import check_beta_client_event, check_client_event, check_order, check_server_event

DELTA = {
    "type": "response.output_audio.delta",
    "event_id": "event_1",
    "response_id": "resp_1",
    "item_id": "item_1",
    "output_index": 0,
    "content_index": 0,
    "delta": "AAAA",
}


def updated(**session: Any) -> dict[str, Any]:
    return {"type": "session.updated", "event_id": "event_1", "session": {"type": "realtime", **session}}


@pytest.mark.parametrize("event", [DELTA, {**DELTA, "obfuscation": "xx"}, updated(id="sess_1")])
def test_good_events_pass(event: dict[str, Any]) -> None:
    check_server_event(event)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({**DELTA, "type": "response.audio.delta"}, "unknown event type"),
        ({name: value for name, value in DELTA.items() if name != "item_id"}, "item_id: Field required"),
        ({**DELTA, "output_index": "0"}, "valid integer"),
        ({**DELTA, "output_index": -1}, "negative"),
        ({**DELTA, "delta": "AAA"}, "padding"),
        ({**DELTA, "extra": 1}, "unknown fields"),
        (updated(modalities=["text"]), "unknown fields"),
        (updated(output_modalities=["text", "audio"]), "neither"),
        (updated(max_output_tokens=0), "not in"),
        (updated(audio={"output": {"speed": 9}}), "not in"),
        (updated(audio={"input": {"format": {"type": "audio/pcm", "rate": 16000}}}), "24000"),
        (updated(tools=[{"type": "function", "parameters": {}}]), "needs one"),
    ],
)
def test_each_kind_of_flaw_is_told_in_one_line(event: dict[str, Any], reason: str) -> None:
    with pytest.raises(AssertionError, match=reason) as caught:
        check_server_event(event)
    assert "\n" not in str(caught.value)


def test_each_dialect_has_its_own_session() -> None:
    beta = {"type": "session.update", "session": {"modalities": ["text"]}}
    check_beta_client_event(beta)
    with pytest.raises(AssertionError):
        check_client_event(beta)


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        (["response.created"], "event 0 is"),
        (["session.created", DELTA["type"]], "not in progress"),
        (["session.created", "response.created", DELTA["type"]], "item item_1 is not in progress"),
        (["session.created", "response.created", "response.done", "response.done"], "done already"),
    ],
)
def test_ids_out_of_order_are_found(kinds: list[str], reason: str) -> None:
    stream = [
        {**DELTA, "type": kind, "event_id": str(at), "response": {"id": "resp_1"}} for at, kind in enumerate(kinds)
    ]
    for event in stream:
        if "created" in event["type"] or "done" in event["type"]:
            del event["response_id"]
    with pytest.raises(AssertionError, match=reason):
        check_order(stream)
