"""Calls by WebRTC at the scripted server: its HTTP side, and a call as what a script talks over.

:class:`Provider` answers what https://platform.openai.com/docs/guides/realtime-webrtc describes: client secrets,
offers, and whoever joins a call from the side. A call's script is the server's, and reads and sends as it does over a
WebSocket: its events go to the caller and to all who joined, and both are heard.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler
from queue import Empty, SimpleQueue
from typing import Any

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from tests.http_server import Quiet
from tests.scripted_server import HttpAnswer

SECRET = "ek_0123456789abcdef0123456789abcdef"
REALTIME = "/v1/realtime"

SOUND: tuple[str, ...] = ("response.output_audio.delta", "response.audio.delta")
"""What goes as sound and not as an event."""


class Call:
    """One call; for a script it is what a WebSocket's connection is."""

    close_code: int | None = None

    def __init__(self, name: str, run: Callable[[Coroutine[Any, Any, Any]], Future[Any]]) -> None:
        self.name = name
        self._run = run
        self._heard: SimpleQueue[str | None] = SimpleQueue()
        # Events go out on the script's thread, and sides join on their own.
        self._lock = threading.Lock()
        self._sides: list[ServerConnection] = []
        self._first = ""
        self._sounding = ""
        self._channel: RTCDataChannel | None = None
        self._open = threading.Event()
        self.joined = threading.Semaphore(0)
        """Released by each who joins."""
        self.from_side: list[dict[str, Any]] = []
        """What those who joined sent."""

    async def answer(self, sdp: str) -> str:
        """Take an offer. On the loop."""
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peer.on("datachannel", self._has_channel)
        self._peer.on("connectionstatechange", self._changed)
        await self._peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        self._peer.addTrack(AudioStreamTrack())
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        return str(self._peer.localDescription.sdp)

    def wait_open(self, timeout_s: float) -> bool:
        """Until the caller is there."""
        return self._open.wait(timeout_s)

    def join(self, side: ServerConnection) -> None:
        """Somebody joins from the side: blocks until he leaves."""
        with self._lock:
            if self._first:
                side.send(self._first)
            self._sides.append(side)
        self.joined.release()
        try:
            for message in side:
                self.from_side.append(json.loads(message))
                self._heard.put(str(message))
        except ConnectionClosed:
            pass
        finally:
            with self._lock:
                self._sides.remove(side)

    def drop_sides(self) -> None:
        """Break off the connections of those who joined."""
        self._close_sides(1011)

    def send(self, data: str) -> None:
        """Send an event to all. Sound is told of in place of being sent."""
        event = json.loads(data)
        kind = event["type"]
        if kind in SOUND:
            if event["response_id"] != self._sounding:
                self._sounding = event["response_id"]
                self._tell("output_audio_buffer.started")
            return
        if kind == "session.created":
            self._first = data
        self._send(data)
        if kind == "response.done" and event["response"]["id"] == self._sounding:
            self.silence("stopped")

    def silence(self, how: str) -> None:
        """The sound of the reply has ``stopped``, or was ``cleared``."""
        if self._sounding:
            self._tell(f"output_audio_buffer.{how}")
        self._sounding = ""

    def recv(self, timeout: float | None = None) -> str:
        try:
            message = self._heard.get(timeout=timeout)
        except Empty:
            raise TimeoutError from None
        if message is None:
            raise ConnectionClosed(None, None)
        return message

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Hang up."""
        self.close_code = code
        self._heard.put(None)
        self._close_sides(code, reason)
        self._run(self._peer.close())

    def _sides_now(self) -> list[ServerConnection]:
        with self._lock:
            return list(self._sides)

    def _close_sides(self, code: int, reason: str = "") -> None:
        for side in self._sides_now():
            side.close(code, reason)

    def _tell(self, kind: str) -> None:
        event = {"type": kind, "event_id": f"event_{kind}_{self._sounding}", "response_id": self._sounding}
        self._send(json.dumps(event))

    def _send(self, data: str) -> None:
        # Begun first: those at the side may end the call by what they get, and the caller is to have got it then.
        self._run(self._send_to_caller(data))
        for side in self._sides_now():
            try:
                side.send(data)
            except ConnectionClosed:
                continue

    async def _send_to_caller(self, data: str) -> None:
        if self._channel is not None and self._channel.readyState == "open":
            self._channel.send(data)

    def _has_channel(self, channel: RTCDataChannel) -> None:
        self._channel = channel
        channel.on("message", lambda message: self._heard.put(str(message)))
        channel.on("close", lambda: self._heard.put(None))
        self._open.set()

    async def _changed(self) -> None:
        if self._peer.connectionState in ("failed", "closed"):
            self._heard.put(None)


class Provider:
    """The HTTP side. What it should do wrong, a test says by ``failing``: by what is asked for, the answer instead.

    ``older``: it has the pair of the beta interface only. ``names_calls``: its answers say where the call is.
    """

    def __init__(self, *, older: bool = False, names_calls: bool = True) -> None:
        self.older = older
        self.names_calls = names_calls
        self.side_error = False
        """Who joins is let in, and refused by an event then."""
        self.holds_sides = threading.Event()
        """Who joins has to wait for it."""
        self.holds_sides.set()
        self.failing: dict[str, HttpAnswer] = {}
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        """What was posted: the resource, headers in lower case, and the body, as JSON where it is some."""
        self.calls: dict[str, Call] = {}
        self.on_call: Callable[[Call], None] = lambda _call: None
        # Scripts send on threads of their own, also when all is over.
        self._lock = threading.Lock()
        self._over = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="scripted calls")
        self._thread.start()

    @property
    def resources(self) -> list[str]:
        """What was asked for, in order."""
        return [name for name, _, _ in self.asked]

    def close(self) -> None:
        """End all calls."""
        for call in self.calls.values():
            call.close()
        with self._lock:
            self._over = True
        closing = asyncio.run_coroutine_threadsafe(self._finish(), self._loop)
        closing.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """What is answered to a ``POST``."""
        resource, _, _query = path.removeprefix(REALTIME).lstrip("/").partition("?")
        resource = resource or "offer"
        is_json = headers.get("content-type") == "application/json"
        self.asked.append((resource, dict(headers), json.loads(body) if is_json else body.decode()))
        if resource in self.failing:
            return self.failing[resource]
        offers = "offer" if self.older else "calls"
        secrets = "sessions" if self.older else "client_secrets"
        if resource == secrets:
            secret = {"value": SECRET, "expires_at": 4_000_000_000}
            session = {"id": "sess_1", "object": "realtime.session"}
            answer = {**session, "client_secret": secret} if self.older else {**secret, "session": session}
            return HttpAnswer(200, json.dumps(answer), {"Content-Type": "application/json"})
        if resource == offers:
            return self._take_call(body.decode())
        return HttpAnswer(404, '{"detail": "Not Found"}', {"Content-Type": "application/json"})

    def refuses_to_join(self, call_id: str) -> HttpAnswer | None:
        """Why nobody may join this call; None where that is fine."""
        if "side" in self.failing:
            return self.failing["side"]
        error = {"message": "No session found for the provided call_id.", "code": "call_id_not_found"}
        return None if call_id in self.calls else HttpAnswer(404, json.dumps({"error": error}))

    def _take_call(self, sdp: str) -> HttpAnswer:
        call = Call(f"rtc_{len(self.calls) + 1:04d}", self._run)
        answered = self._run(call.answer(sdp)).result()
        self.calls[call.name] = call
        self.on_call(call)
        place = {"Location": f"{REALTIME}/calls/{call.name}"} if self.names_calls else {}
        return HttpAnswer(201, answered, {"Content-Type": "application/sdp", **place})

    def _run(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Do it on the loop's thread. Raises ConnectionClosed when all is over."""
        with self._lock:
            if self._over:
                work.close()
                raise ConnectionClosed(None, None)
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _finish(self) -> None:
        """Let what was begun end."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(others, timeout=2.0) if others else None


class Poster(Quiet, BaseHTTPRequestHandler):
    """One ``POST`` at the scripted server's port."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.answer(self.path, headers, body)  # type: ignore[attr-defined]
        content = answer.body.encode()
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(content)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
