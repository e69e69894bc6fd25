"""The program as a child process, connected to a server in this one."""

from __future__ import annotations

import base64
import contextlib
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from tests.running import environment
from tests.scripted_reply import Reply
from tests.scripted_server import ScriptedServer
from tests.scripted_talk import Talk
from tests.virtual_devices import VirtualDevices
from tests.waiting import PATIENCE_S


@dataclass(frozen=True, slots=True)
class Client:
    """One running ``chat`` whose session is set up; ``talk`` is the server's side of it."""

    process: subprocess.Popen[bytes]
    talk: Talk
    received: list[dict[str, Any]]
    """All events that it sent so far."""

    def begin_reply(self) -> Reply:
        """A spoken reply that only lacks its audio."""
        reply = self.talk.begin_reply()
        reply.say("Well")
        return reply

    def interrupt(self, reply: Reply) -> float:
        """What a server does when it hears the user talk into ``reply``; returns when it began, as time.monotonic."""
        item = self.talk.new_id("item")
        at_s = time.monotonic()
        self.talk.send({"type": "input_audio_buffer.speech_started", "item_id": item, "audio_start_ms": 0})
        reply.finish("cancelled", "turn_detected")
        self.talk.send({"type": "input_audio_buffer.speech_stopped", "item_id": item, "audio_end_ms": 0})
        self.talk.commit(item)
        return at_s


def audio_delta(reply: Reply, pcm: bytes) -> dict[str, Any]:
    """The event that carries a piece of a reply's audio."""
    place = {"response_id": reply.response_id, "item_id": reply.item_id, "output_index": 0, "content_index": 0}
    return {"type": "response.output_audio.delta", **place, "delta": base64.b64encode(pcm).decode()}


@contextlib.contextmanager
def chatting(
    devices: VirtualDevices,
    *options: str,
    module: str = "realtime_cli",
    hear: Callable[[dict[str, Any]], None] = lambda _append: None,
    output: int = subprocess.DEVNULL,
    peer: str = "",
) -> Iterator[Client]:
    """Run ``chat`` while the block lasts; ``hear`` gets each append, on the server's thread.

    ``output`` is where its standard error goes. ``peer`` is the command of another client to run in its place.
    """
    ready: SimpleQueue[Talk] = SimpleQueue()

    def script(talk: Talk) -> None:
        talk.greet()
        hear(talk.obey_until("input_audio_buffer.append"))
        ready.put(talk)
        while True:
            hear(talk.obey_until("input_audio_buffer.append"))

    with ScriptedServer(script, checked=False) as server:
        command = [sys.executable, "-m", module, "chat", "--base-url", server.url, *options]
        address = {"OPENAI_BASE_URL": server.url.replace("ws://", "http://"), "OPENAI_API_KEY": "sk-none"}
        process = subprocess.Popen(
            shlex.split(peer) if peer else command,
            env=environment(**devices.environment, **(address if peer else {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
        )
        try:
            yield Client(process, ready.get(timeout=PATIENCE_S), server.received)
        finally:
            process.terminate()
            process.communicate()
