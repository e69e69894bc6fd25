"""The text of a call: the arguments that a model wrote, and the output that it is told."""

from __future__ import annotations

import json
from typing import Any

import pydantic_core

from realtime_cli.conversation.tool_definitions import ToolOutcome, failure

MAX_OUTPUT_CHARS = 60_000
"""Some 15,000 tokens. The smallest context of a realtime model holds 32,000 (https://platform.openai.com/docs/models)."""


class BadArguments(ValueError):
    """The arguments do not fit; the message tells the model all that is wrong with them."""


def json_object(arguments: str) -> dict[str, Any]:
    """The arguments by name. Raises BadArguments."""
    try:
        # Some servers send nothing at all for a function without parameters.
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise BadArguments(f"the arguments are no JSON: {error}") from error
    if not isinstance(given, dict):
        raise BadArguments("the arguments are no JSON object")
    return given


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
