"""The calls of all pages, each with a session of this process that takes part in it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from realtime_cli.session.session import Session
from realtime_cli.session.threads import Threads
from realtime_cli.web.page_channel import PageChannel, Told

MOST_KNOWN = 16
"""Calls that are known, the latest: a page may ask for news of one that has just ended."""


class PastLine(msgspec.Struct, frozen=True):
    """What was said before, in a conversation that goes on."""

    who: Literal["user", "assistant"]
    text: str
    interrupted: bool = False


class Begun(msgspec.Struct, frozen=True):
    """A call that the voice server took, as its page has to know it. No key is in it."""

    sdp: str
    title: str
    """The voice server's name, for people."""
    model: str
    past: tuple[PastLine, ...] = ()
    first: tuple[str, ...] = ()
    """Messages that the page is to send before all others: what was said before, or the wish to be greeted."""
    notices: tuple[str, ...] = ()


MakeCall = Callable[[str, PageChannel], tuple[Begun, Session]]
"""Takes a page's offer to the voice server. Blocks for the network. Raises errors of this program."""


class PageCalls:
    """See the module. Any thread."""

    def __init__(self, make_call: MakeCall, tell: Callable[[str], None]) -> None:
        """``tell`` gets a line when something breaks."""
        self._make_call = make_call
        self._threads = Threads(lambda name, error: tell(f"the {name} failed: {type(error).__name__}: {error}"))
        # Requests come on threads of their own.
        self._lock = threading.Lock()
        self._channels: dict[str, PageChannel] = {}

    def start(self, sdp: str) -> dict[str, Any]:
        """Make a call: what its page has to know. Blocks for the network. Raises errors of this program."""
        channel = PageChannel()
        begun, session = self._make_call(sdp, channel)
        name = secrets.token_urlsafe(9)
        with self._lock:
            self._channels[name] = channel
            for forgotten in list(self._channels)[:-MOST_KNOWN]:
                self._channels.pop(forgotten).leave()
        self._threads.start("call", self._hold, session, channel)
        return {"call": name, **msgspec.to_builtins(begun)}

    def news(self, name: str, after: int) -> dict[str, Any] | None:
        """What there is to tell of a call behind the first ``after`` of it. Blocks until there is some; None for a call
        that is not known."""
        channel = self._channels.get(name)
        if channel is None:
            return None
        news, over = channel.news(after)
        return {"news": news, "over": over}

    def take(self, told: Told) -> None:
        """Take what a page tells of its call; of one that is not known, nothing."""
        if channel := self._channels.get(told.call):
            channel.take(told)

    def close(self, within_s: float) -> None:
        """End all sessions, finish their files, and have their pages know. Blocks for at most ``within_s``."""
        deadline = time.monotonic() + within_s
        with self._lock:
            channels = list(self._channels.values())
        for channel in channels:
            channel.leave()
        self._threads.join_all(deadline)
        for channel in channels:
            channel.wait_for_page(deadline - time.monotonic())

    def _hold(self, session: Session, channel: PageChannel) -> None:
        try:
            session.run()
        finally:
            channel.end()
