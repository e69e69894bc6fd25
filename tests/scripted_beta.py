"""The scripted server's events in the beta's spelling."""

from __future__ import annotations

from typing import Any

_BETA_NAMES = {"output_text": "text", "output_audio": "audio", "output_audio_transcript": "audio_transcript"}


def in_beta(event: dict[str, Any]) -> dict[str, Any] | None:
    """The event as a beta server sends it; None where it has no such event."""
    kind = event["type"]
    if kind == "conversation.item.done":
        return None
    if kind == "conversation.item.added":
        kind = "conversation.item.created"
    steps = [_BETA_NAMES.get(step, step) for step in kind.split(".")]
    spoken = {**event, "type": ".".join(steps)}
    if kind == "response.function_call_arguments.done":
        del spoken["name"]
    if "item" in spoken:
        spoken["item"] = _beta_item(spoken["item"])
    if "response" in spoken:
        response = dict(spoken["response"])
        response["modalities"] = ["text", "audio"] if "audio" in response.pop("output_modalities") else ["text"]
        response["output"] = [_beta_item(item) for item in response["output"]]
        if response["usage"]:
            read = response["usage"]["input_token_details"]
            known = {name: read[name] for name in ("text_tokens", "audio_tokens", "cached_tokens")}
            response["usage"] = {**response["usage"], "input_token_details": known}
        spoken["response"] = response
    return spoken


def _beta_item(item: dict[str, Any]) -> dict[str, Any]:
    content = [{**part, "type": _BETA_NAMES.get(part["type"], part["type"])} for part in item.get("content", [])]
    return {**item, "content": content}
