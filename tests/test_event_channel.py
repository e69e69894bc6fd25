"""What fits into a message of a data channel, and what is done with an event that does not."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.server.webrtc.event_channel import DEFAULT_MOST_BYTES, fitted, most_message_bytes
from tests.schema_check import check_server_event


@pytest.mark.parametrize(
    ("line", "most"),
    [
        ("a=max-message-size:262144", 262_144),
        ("a=max-message-size:0", sys.maxsize),
        ("a=sctp-port:5000", DEFAULT_MOST_BYTES),
        ("a=max-message-size:many", DEFAULT_MOST_BYTES),
        ("a=max-message-size:" + "9" * 5000, DEFAULT_MOST_BYTES),
        ("a=max-message-size:1000\r\na=max-message-size:2000", 1000),
    ],
)
def test_the_largest_message_is_the_offers(line: str, most: int) -> None:
    offer = f"v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{line}\r\na=mid:1\r\n"
    assert most_message_bytes(offer) == most


values = st.recursive(
    st.none() | st.integers() | st.text(max_size=3000),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), values, max_size=6), st.integers(2000, 20_000))
def test_whatever_an_event_holds_it_fits_and_keeps_its_form(body: dict[str, Any], most: int) -> None:
    text = json.dumps({**body, "type": "made.up"}, ensure_ascii=False)
    made = fitted(text, most)
    assert len(made.encode("utf-8", "surrogatepass")) <= most
    if len(text.encode("utf-8", "surrogatepass")) <= most:
        assert made == text
    elif (told := json.loads(made))["type"] == "error":
        assert told["error"]["code"] == "event_too_large"
    else:
        assert _alike(json.loads(text), told)


def _alike(whole: Any, short: Any) -> bool:
    """The same but for texts, which may be beginnings."""
    if isinstance(whole, dict):
        return list(whole) == list(short) and all(_alike(each, short[name]) for name, each in whole.items())
    if isinstance(whole, list):
        return len(whole) == len(short) and all(map(_alike, whole, short))
    if isinstance(whole, str):
        return bool(whole == short or (short.endswith("…") and whole.startswith(short[:-1])))
    return bool(whole == short)


def test_an_event_that_cannot_be_shortened_is_named_in_an_error() -> None:
    text = json.dumps({"type": "session.updated", "event_id": "e", "session": {"tools": [{"name": "x" * 64}] * 10_000}})
    told = json.loads(fitted(text, DEFAULT_MOST_BYTES))
    check_server_event(told)
    assert told["error"]["code"] == "event_too_large"
    assert "session.updated" in told["error"]["message"]
