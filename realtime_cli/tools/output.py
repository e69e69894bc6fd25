"""What a function returned, as text for the model."""

from __future__ import annotations

import pydantic_core

from realtime_cli.conversation.tool_definitions import ToolOutcome, failure

MAX_OUTPUT_CHARS = 60_000
"""Some 15,000 tokens. The smallest context of a realtime model holds 32,000 (https://platform.openai.com/docs/models)."""


def outcome_of(result: object) -> ToolOutcome:
    """A string as it is, anything else as JSON, and what JSON does not know as its ``str``."""
    if isinstance(result, str):
        return ToolOutcome(shortened(result))
    try:
        text = pydantic_core.to_json(result, fallback=str, inf_nan_mode="strings").decode()
    except (ValueError, RecursionError) as error:
        return failure(f"the result cannot be written as JSON: {error}")
    return ToolOutcome(shortened(text))


def shortened(text: str) -> str:
    """At most ``MAX_OUTPUT_CHARS`` of ``text``, and how much is missing."""
    if len(text) <= MAX_OUTPUT_CHARS:
        return text
    return f"{text[:MAX_OUTPUT_CHARS]}… (cut here: {len(text)} characters in all)"


def error_text(error: BaseException) -> str:
    """An exception in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
