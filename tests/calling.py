"""A caller by WebRTC, as a browser is one: a microphone of known sound, and all that comes back, events and sound."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from tests.local_engines import Beeper
from tests.schema_check import check_order, check_server_event
from tests.waiting import PATIENCE_S

RATE_HZ = 48_000
FRAMES = 960
LOUD = 2000
"""Far above what coding makes of silence, of 32768."""


def tone(seconds: float, rate_hz: int, level: int = 12_000) -> np.ndarray[Any, np.dtype[np.int16]]:
    """440 Hz: a constant would not come through a codec."""
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    wave: np.ndarray[Any, np.dtype[np.int16]] = (level * np.sin(2 * np.pi * 440 * at)).astype(np.int16)
    return wave


class Whistler(Beeper):
    """Speaks a tone, a tenth of a second for each letter."""

    def synthesize(self, text: str, *_: Any) -> Any:
        yield tone(0.1 * len(text), 24_000)


class Noise:
    """The recogniser's and detector's view of the tone: loud is speech, however loud it swings."""

    def probability(self, frame: np.ndarray[Any, Any]) -> float:
        return float(np.abs(frame).mean() > 0.05)

    def reset(self) -> None:
        """It remembers nothing."""


class Microphone(MediaStreamTrack):
    """Silence, in real time, and what it is told to speak."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._speech = np.zeros(0, np.int16)
        self._frames = 0
        self._began: float | None = None

    def speak(self, seconds: float) -> None:
        self._speech = np.concatenate((self._speech, tone(seconds, RATE_HZ)))

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self._began = self._began or loop.time()
        await asyncio.sleep(max(0.0, self._began + self._frames / RATE_HZ - loop.time()))
        now, self._speech = self._speech[:FRAMES], self._speech[FRAMES:]
        samples = np.pad(now, (0, FRAMES - len(now))).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._frames, Fraction(1, RATE_HZ)
        self._frames += FRAMES
        return frame


class Caller:
    """One call. Events are checked against the official types as they come."""

    def __init__(self) -> None:
        self.microphone = Microphone()
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peer.addTrack(self.microphone)
        self.channel = self.peer.createDataChannel("oai-events")
        self.events: list[dict[str, Any]] = []
        self.loud_ms = 0
        """How much sound came that was no silence."""
        self.location = ""
        self._read = 0
        self._news = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self.channel.on("message", self._take)
        self.peer.on("track", self._listen)

    async def dial(self, url: str, headers: Mapping[str, str], session: Any = None) -> None:
        """Post the offer and take the answer."""
        await self.peer.setLocalDescription(await self.peer.createOffer())
        body, kind = offered(self.peer.localDescription.sdp, session)
        status, answer, location = await asyncio.to_thread(post, url, body, {"Content-Type": kind, **headers})
        assert status == 201, answer
        self.location = location
        await self.peer.setRemoteDescription(RTCSessionDescription(answer.decode(), "answer"))

    def send(self, kind: str, **fields: Any) -> None:
        self.channel.send(json.dumps({"type": kind, **fields}))

    def say(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})

    async def until(self, kind: str) -> dict[str, Any]:
        """The next event of a type; no error may come before it."""
        while True:
            while self._read < len(self.events):
                event = self.events[self._read]
                self._read += 1
                check_server_event(event)
                check_order(self.events[: self._read])
                assert event["type"] != "error" or kind == "error", event
                if event["type"] == kind:
                    return event
            await self._change()

    async def hears(self, milliseconds: int) -> None:
        """Wait until so much sound has come."""
        while self.loud_ms < milliseconds:
            await self._change()

    async def gone(self) -> None:
        """Wait until the other side has ended the call."""
        while self.peer.connectionState != "closed" and self.channel.readyState != "closed":
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        await self.peer.close()
        if self._listening is not None:
            await self._listening

    async def _change(self) -> None:
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), PATIENCE_S)
        except TimeoutError:
            raise AssertionError(f"{self.loud_ms} ms and {[event['type'] for event in self.events]}") from None

    def _take(self, message: str) -> None:
        self.events.append(json.loads(message))
        self._news.set()

    def _listen(self, track: MediaStreamTrack) -> None:
        self._listening = asyncio.ensure_future(self._measure(track))

    async def _measure(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, av.AudioFrame)
            if np.abs(frame.to_ndarray().astype(np.int32)).mean() > LOUD:
                self.loud_ms += 1000 * frame.samples // frame.sample_rate
                self._news.set()


def offered(sdp: str, session: Any) -> tuple[bytes, str]:
    """Body and type of a request: the SDP alone, or a form."""
    if session is None:
        return sdp.encode(), "application/sdp"
    parts = (("sdp", sdp), ("session", json.dumps(session)))
    form = "".join(f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in parts)
    return f"{form}--edge--\r\n".encode(), "multipart/form-data; boundary=edge"


def post(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes, str]:
    """Status, body and ``Location`` of the answer."""
    request = urllib.request.Request(url, body, dict(headers), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read(), answer.headers.get("Location", "")
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read(), ""


@asynccontextmanager
async def calling(base_url: str, session: Any = None, key: str = "any", query: str = "") -> AsyncIterator[Caller]:
    """A call until the end of the block."""
    caller = Caller()
    try:
        await caller.dial(f"{base_url}/realtime/calls{query}", {"Authorization": f"Bearer {key}"}, session)
        yield caller
    finally:
        await caller.close()


async def comes_true(state: Callable[[], bool]) -> None:
    """Until another thread has come so far."""
    async with asyncio.timeout(PATIENCE_S):
        while not state():
            await asyncio.sleep(0.01)
