"""Calls by WebRTC, each with a server of its own, and clients at the side of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from tests.calling import Caller, Noise, Whistler, calling, comes_true
from tests.serving import Client, Serving, serving
from tests.waiting import PATIENCE_S

VOICE: dict[str, Any] = {"tts": Whistler(), "vad": Noise}
Talk = Callable[[Caller, Serving], Coroutine[Any, Any, None]]


def on_call(talk: Talk, *, session: Any = None, **options: Any) -> None:
    """Hold one call with a server of its own."""

    async def hold(serve: Serving) -> None:
        async with asyncio.timeout(2 * PATIENCE_S), calling(serve.base_url, session) as caller:
            await caller.until("session.created")
            await talk(caller, serve)

    with serving(**{**VOICE, **options}) as serve:
        asyncio.run(hold(serve))
        asyncio.run(comes_true(lambda: serve.server.sessions == 0))


def call_id(caller: Caller) -> str:
    return caller.location.rpartition("/")[2]


class Side:
    """A client at the side, from the loop that the caller lives on."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def until(self, kind: str) -> dict[str, Any]:
        return await asyncio.to_thread(self.client.until, kind)

    async def closed(self) -> tuple[int, str]:
        closed = await asyncio.to_thread(self.client.closed)
        return closed.code, closed.reason

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.client.events]


@asynccontextmanager
async def joined(caller: Caller, serve: Serving, key: str = "any") -> AsyncIterator[Side]:
    """A client at the side until the end of the block."""
    header = [f"Authorization: Bearer {key}"]
    client = await asyncio.to_thread(serve.connect, f"?call_id={call_id(caller)}", header=header)
    try:
        yield Side(client)
    finally:
        await asyncio.to_thread(client.close)


def side_threads() -> list[threading.Thread]:
    """One for each who is at the side of a call."""
    return [thread for thread in threading.enumerate() if thread.name == "sideband"]
