"""What is offered to the model, and what comes back of a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Consent = Literal["yes", "no", "always"]
"""What the user says about a call; ``always`` holds for the function from now on."""


class ToolDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """One function that the model may call."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any]
    """JSON schema of an object."""
    asks: bool = False
    """The user is asked before each call."""
    server: str = ""
    """The MCP server whose tool it is, for whom the user is asked; "always" holds for this server's tool only."""

    def for_session(self) -> dict[str, Any]:
        """The function as a session's ``tools`` list it: flat, the same in every dialect."""
        described = {"description": self.description} if self.description else {}
        return {"type": "function", "name": self.name, **described, "parameters": dict(self.parameters)}


class ToolOutcome(msgspec.Struct, frozen=True):
    """What a call gave, in words for the model; ``failed`` when that is why there is no result."""

    output: str
    failed: bool = False


def failure(message: str) -> ToolOutcome:
    """An outcome that tells the model what went wrong."""
    return ToolOutcome(msgspec.json.encode({"error": message}).decode(), failed=True)
