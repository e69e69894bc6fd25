"""How compatible servers deviate from the protocol, each as a function from an event to what is sent in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.scripted_server import Accent

Event = dict[str, Any]

BETA_NAMES = {"output_text": "text", "output_audio": "audio", "output_audio_transcript": "audio_transcript"}
IDS = ("event_id", "item_id", "response_id", "previous_item_id")


def without(*kinds: str) -> Accent:
    """Never sends these events; a name that ends in a dot stands for all that begin with it."""
    return lambda event: [] if event["type"].startswith(kinds) else [event]


def renamed(names: Mapping[str, str]) -> Accent:
    """Sends these events under other names."""
    return lambda event: [event | {"type": names.get(event["type"], event["type"])}]


def with_extra(*extras: Event) -> Accent:
    """Sends these before each of its events but the first."""
    return lambda event: [event] if event["type"] == "session.created" else [*extras, event]


def after_greeting(*extras: Event) -> Accent:
    """Sends these behind its first event."""
    return lambda event: [event, *extras] if event["type"] == "session.created" else [event]


def without_event_ids(event: Event) -> list[Event]:
    """LocalAI: every ``event_id`` is empty."""
    return [event | {"event_id": ""}]


def without_ids(event: Event) -> list[Event]:
    """No event says which response and which item it is about."""
    event = event | {name: "" for name in IDS if name in event}
    for part in ("item", "response"):
        if part in event:
            event[part] = event[part] | {"id": ""}
    if "response" in event:
        event["response"]["output"] = [item | {"id": None} for item in event["response"]["output"]]
    return [event]


def with_nulls(event: Event) -> list[Event]:
    """speech-to-speech: fields that other servers leave out are there, and null."""
    event = {"previous_item_id": None, "obfuscation": None, "content_index": None, "usage": None, **event}
    if "item" in event:
        event["item"] = event["item"] | {"name": None, "call_id": None, "content": event["item"].get("content") or None}
    if "response" in event:
        nothing = {"metadata": None, "audio": None, "output": event["response"]["output"] or None, "usage": None}
        event["response"] = event["response"] | nothing
    if "session" in event:
        event["session"] = {"modalities": None, "voice": None, "turn_detection": None, **event["session"]}
    return [event]


def with_bare_responses(event: Event) -> list[Event]:
    """A response says how it ended, and nothing else: no output, no usage."""
    if "response" in event:
        event = event | {"response": {name: event["response"][name] for name in ("id", "status")}}
    return [event]


def in_both_families(event: Event) -> list[Event]:
    """Deltas under their GA names, all else under the beta's."""
    if event["type"].endswith(".delta"):
        return [event]
    return [event | {"type": ".".join(BETA_NAMES.get(step, step) for step in event["type"].split("."))}]


def with_ids_of_its_own(event: Event) -> list[Event]:
    """The user's items get ids of the server's, whatever the client named them."""
    if event["type"].startswith("conversation.item.") and event["item"].get("role") == "user":
        event = event | {"item": event["item"] | {"id": f"its_{event['item']['id']}"}}
    return [event]


def with_xai_transcripts(event: Event) -> list[Event]:
    """xAI: a growing transcript comes whole, again and again, under a name of its own."""
    kind = "conversation.item.input_audio_transcription"
    if event["type"] != f"{kind}.delta":
        return [event]
    return [
        {"type": f"{kind}.updated", "item_id": event["item_id"], "transcript": event["delta"][:length]}
        for length in (3, len(event["delta"]))
    ]


DEVIATIONS: Mapping[str, Accent] = {
    "no item.done": without("conversation.item.done"),
    "no items at all": without("conversation.item.", "response.output_item."),
    "no content parts": without("response.content_part."),
    "no rate limits": without("rate_limits."),
    "no deltas": without("response.output_text.delta"),
    "nothing but deltas": without("response.output_text.done", "response.output_item.", "response.content_part."),
    "items created, not added": renamed({"conversation.item.added": "conversation.item.created"}),
    "no event ids": without_event_ids,
    "no ids": without_ids,
    "nulls": with_nulls,
    "bare responses": with_bare_responses,
    "both families of names": in_both_families,
    "ids of its own": with_ids_of_its_own,
    "a second session.created": with_extra({"type": "session.created", "session": {"id": "sess_2"}}),
    "conversation.created": after_greeting({"type": "conversation.created", "conversation": {"id": "conv_1"}}),
    "events of its own": with_extra(
        {"type": "ping", "timestamp": 1},
        {"type": "mcp_list_tools.in_progress", "item_id": "item_x"},
        {"type": "response.function_call_arguments.delta", "delta": "{"},
        {"type": "response.output_audio_transcript.annotation.added"},
    ),
}
"""What a client must do without, put up with, or pass by."""
