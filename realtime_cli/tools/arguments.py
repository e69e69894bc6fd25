"""The arguments that a model wrote."""

from __future__ import annotations

import json
from typing import Any


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
