"""What all server events share, and how an event this program does not know is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from realtime_cli.protocol.codec import Wire


class ServerEvent(Wire, frozen=True, kw_only=True):
    """Root of the server events."""

    type: ClassVar[str] = ""
    event_id: str | None = None


class UnknownEvent(Wire, frozen=True, kw_only=True):
    """An event this program has no use for; ``name`` is its type."""

    name: str
    body: Mapping[str, Any]
