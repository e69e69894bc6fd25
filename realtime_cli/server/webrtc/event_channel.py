"""The data channel of a call, which carries its events, and the size of message that the caller takes."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from realtime_cli.protocol.conversation_events import ErrorEvent
from realtime_cli.protocol.items import ErrorDetail
from realtime_cli.protocol.server_events import server_event_to_json
from realtime_cli.server.local_server import new_id

if TYPE_CHECKING:
    from aiortc import RTCDataChannel

DEFAULT_MOST_BYTES = 65_536
"""Of a message, where an offer says nothing (RFC 8841, 6.1). Chromium and Safari say 262144, Firefox 1073741823."""

MOST_UNSENT = 1000
"""Events that wait for the data channel; a call that is led from the side alone has none."""

MOST_BUFFERED_BYTES = 32 * 1024 * 1024
"""A caller that leaves more unread has stalled."""

_MOST_BYTES = re.compile(r"^a=max-message-size:(\d{1,18})\s*$", re.MULTILINE)
_TEXT_LENGTHS = (65_536, 16_384, 4096, 1024)
"""What the texts of an event are cut to, one after the other, until it fits."""


class EventChannel:
    """All on the loop's thread of the call."""

    def __init__(self) -> None:
        self._channel: RTCDataChannel | None = None
        self._most_bytes = DEFAULT_MOST_BYTES
        self._unsent: deque[str] = deque(maxlen=MOST_UNSENT)

    def offered(self, sdp: str) -> None:
        """Note what size of message the caller takes."""
        self._most_bytes = most_message_bytes(sdp)

    def opened(self, channel: RTCDataChannel) -> bool:
        """It is there: send what has waited for it. False for another one: a call has one channel of events."""
        if self._channel is not None:
            return False
        self._channel = channel
        unsent, self._unsent = self._unsent, deque(maxlen=0)
        for text in unsent:
            self.send(text)
        return True

    def send(self, text: str) -> bool:
        """Send an event, shortened if need be. False when the caller takes nothing any more."""
        if self._channel is None:
            self._unsent.append(text)
        elif self._channel.readyState == "open":
            if self._channel.bufferedAmount > MOST_BUFFERED_BYTES:
                return False
            self._channel.send(fitted(text, self._most_bytes))
        return True

    async def flush(self, within_s: float) -> None:
        """Let it send what it holds."""
        channel, loop = self._channel, asyncio.get_running_loop()
        until = loop.time() + within_s
        while channel and channel.readyState == "open" and channel.bufferedAmount and loop.time() < until:
            await asyncio.sleep(0.02)


def most_message_bytes(sdp: str) -> int:
    """The largest message that whoever made this offer takes (RFC 8841, 6)."""
    return min((int(size) or sys.maxsize for size in _MOST_BYTES.findall(sdp)), default=DEFAULT_MOST_BYTES)


def fitted(text: str, most_bytes: int) -> str:
    """An event in at most so many bytes: as it is, or with its long texts cut, which then end with an ellipsis.

    Data channels split no messages, and browsers close one that gets a larger message than they take. What an item says
    in full can be had from the side. Where even that is not enough an error says which event was left out.
    """
    if 4 * len(text) <= most_bytes or len(text.encode()) <= most_bytes:
        return text
    body = msgspec.json.decode(text)
    for length in _TEXT_LENGTHS:
        made = msgspec.json.encode(_shortened(body, length))
        if len(made) <= most_bytes:
            return made.decode()
    message = f"An event {body.get('type')} of {len(text.encode())} bytes is more than the data channel takes."
    detail = ErrorDetail(type="server_error", code="event_too_large", message=message)
    return server_event_to_json(ErrorEvent(event_id=new_id("event"), error=detail))


def _shortened(value: Any, length: int) -> Any:
    match value:
        case str() if len(value) > length:
            return f"{value[:length]}…"
        case dict():
            return {name: _shortened(each, length) for name, each in value.items()}
        case list():
            return [_shortened(each, length) for each in value]
    return value
