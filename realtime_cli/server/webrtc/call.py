"""One call: a WebRTC connection joined to a connection of the voice server.

Sound goes over the media tracks, events over the data channel, as the remote service does it
(https://platform.openai.com/docs/guides/realtime-webrtc). All state belongs to the loop's thread; the voice server's
messages are handed over to it, and what is for the voice server goes by a thread that may wait. Other clients may join
from the side (:mod:`realtime_cli.server.webrtc.sideband`).
"""

from __future__ import annotations

import asyncio
import base64
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import msgspec
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

from realtime_cli.protocol.conversation_events import ErrorEvent, SessionCreated
from realtime_cli.protocol.server_events import server_event_to_json
from realtime_cli.server.connection import Connection, Ending
from realtime_cli.server.core.checks import invalid
from realtime_cli.server.local_server import new_id
from realtime_cli.server.webrtc.client_messages import APPEND, ClientMessages, Refused
from realtime_cli.server.webrtc.event_channel import EventChannel
from realtime_cli.server.webrtc.playout import Cut, Notice, Playout
from realtime_cli.server.webrtc.sideband import Sideband, Sidebands
from realtime_cli.server.webrtc.tracks import PacedTrack, listen

_LOG = logging.getLogger(__name__)

CONNECT_S = 20.0
"""For a caller to get through after it has the answer."""

FLUSH_S = 1.0
"""For the last events to go out before the call is ended."""

HUNG_UP = Ending(1000, "the call has ended")


class _Event(msgspec.Struct):
    """What of an event of the voice server decides where it goes."""

    type: str
    response_id: str = ""
    item_id: str = ""
    delta: str = ""
    session: dict[str, Any] = {}
    response: dict[str, Any] = {}


class Call:
    """Made on any thread; :meth:`answer` and what follows run on the loop's."""

    def __init__(
        self,
        call_id: str,
        model: str,
        key: str | None,
        connect: Callable[[Callable[[str], None], Callable[[Ending], None]], Connection],
        ended: Callable[[Call], None],
    ) -> None:
        """``key``: the ephemeral one that it was begun with. ``connect`` joins the voice server; ``ended`` is called
        once and last, on the loop's thread."""
        self.id = call_id
        self.model = model
        self.key = key
        self.over = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connect = connect
        self._ended = ended
        self._playout = Playout()
        self._peer: RTCPeerConnection | None = None
        self._channel = EventChannel()
        self._connection: Connection | None = None
        self._messages = ClientMessages(self._hand_over, lambda: self._clear(asked=True), self._refuse)
        self._sidebands = Sidebands(self)
        self._session: Mapping[str, Any] | None = None
        """As it is by now; None before it has begun."""
        self._yields = True
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = False

    async def answer(self, offer: str) -> str:
        """The SDP that answers a caller's. Raises Refusal for an offer that is none."""
        self._loop = asyncio.get_running_loop()
        self._channel.offered(offer)
        # No servers: the candidates are the addresses of this machine, and nobody else is asked for any.
        peer = self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.on("track", self._on_track)
        peer.on("datachannel", self._on_channel)
        peer.on("connectionstatechange", self._on_state)
        try:
            await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            peer.addTrack(PacedTrack(self._take))
            await peer.setLocalDescription(await peer.createAnswer())
        except Exception as problem:  # noqa: BLE001 -- aiortc raises what it stumbles over in foreign SDP
            _LOG.debug("an offer was not understood", exc_info=True)
            await self._end()
            raise invalid("sdp", f"the offer was not understood ({type(problem).__name__}).") from None
        self._run(self._hang_up_unless_connected())
        return peer.localDescription.sdp

    def close(self, code: int = HUNG_UP.code, reason: str = HUNG_UP.reason) -> None:
        """Ask it to end; code and reason are for those at the side. Any thread; does not wait; may be called twice."""
        self._hand_over(self._left, Ending(code, reason))

    def drop(self) -> None:
        """Nothing is waited for here that a caller could hold up: as :meth:`close`. Any thread."""
        self.close()

    def _run(self, work: Any) -> None:
        """Do it beside the rest, until it or the call ends."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hang_up_unless_connected(self) -> None:
        await asyncio.sleep(CONNECT_S)
        if self._connection is None:
            await self._end()

    async def _on_state(self) -> None:
        assert self._peer is not None  # noqa: S101 -- for the type
        if self._peer.connectionState == "connected":
            self._begin()
        elif self._peer.connectionState in ("failed", "closed"):
            await self._end()

    def _begin(self) -> None:
        """The caller is there: join the voice server."""
        if self._connection is not None or self._ending:
            return
        self._connection = self._connect(
            lambda text: self._hand_over(self._from_server, text), lambda ending: self._hand_over(self._left, ending)
        )
        self._messages.carry(self._connection)

    def _hand_over(self, take: Callable[..., None], *things: Any) -> None:
        """From another thread to the loop's; after the loop's end nobody is interested."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(take, *things)

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio":
            self._run(listen(track, self._hear))

    def _hear(self, audio: bytes) -> None:
        if self._connection is not None:
            self._tell_server({"type": APPEND, "audio": base64.b64encode(audio).decode()})

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if self._channel.opened(channel):
            channel.on("message", self._from_client)
            channel.on("close", self.close)

    def _from_client(self, message: str | bytes) -> None:
        if self._connection is None:
            self._begin()
        if not self._messages.from_channel(message):
            self.close()

    def join(self, deliver: Callable[[str], None], ended: Callable[[Ending], None]) -> Sideband:
        """A client at the side. Any thread; does not block. Raises NotAllowed when it may not."""
        sideband = self._sidebands.join(deliver, ended)
        self._hand_over(self._welcome, sideband)
        return sideband

    def _welcome(self, sideband: Sideband) -> None:
        event = self._session and SessionCreated(event_id=new_id("event"), session=self._session)
        sideband.begin(server_event_to_json(event) if event else None)

    def from_side(self, message: str) -> None:
        """Obey a message from the side. Blocks while many wait; any other thread."""
        self._messages.from_side(message)

    def binary_from_side(self) -> None:
        """Something from the side that is no text. Blocks as :meth:`from_side`; any other thread."""
        if self._connection is not None:
            self._connection.receive_binary()

    def _refuse(self, refused: Refused) -> None:
        detail = refused.refusal.to_error(refused.event_id)
        self._send(server_event_to_json(ErrorEvent(event_id=new_id("event"), error=detail)))

    def _tell_server(self, body: dict[str, Any]) -> None:
        if not self._messages.put(body):
            self.close()

    def _from_server(self, text: str) -> None:
        event = msgspec.json.decode(text, type=_Event)
        match event.type:
            case "response.output_audio.delta":
                self._playout.add(event.response_id, event.item_id, base64.b64decode(event.delta))
                return
            case "session.created" | "session.updated":
                self._session = event.session
                turn = event.session["audio"]["input"].get("turn_detection")
                self._yields = turn is not None and bool(turn.get("interrupt_response"))
            case "response.done":
                self._playout.finish(event.response["id"])
        self._send(text)
        if event.type == "input_audio_buffer.speech_started" and self._yields:
            self._clear(asked=False)

    def _clear(self, *, asked: bool) -> None:
        """Stop the sound, and let the conversation hold what of it was sent. A caller that ``asked`` is answered."""
        notices, cuts = self._playout.clear()
        if asked and not notices:
            notices = (Notice("cleared", self._playout.last_response_id),)
        self._tell_client(notices)
        self._truncate(cuts)

    def _truncate(self, cuts: Iterable[Cut]) -> None:
        for cut in cuts:
            place = {"item_id": cut.item_id, "content_index": 0, "audio_end_ms": cut.sent_ms}
            self._tell_server({"type": "conversation.item.truncate", **place})

    def _take(self, size: int) -> bytes:
        audio, notices = self._playout.take(size)
        self._tell_client(notices)
        return audio

    def _tell_client(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            body = {"type": f"output_audio_buffer.{notice.kind}", "event_id": new_id("event")}
            self._send(msgspec.json.encode({**body, "response_id": notice.response_id}).decode())

    def _send(self, text: str) -> None:
        """Tell the caller and those at the side."""
        self._sidebands.put(text)
        if not self._channel.send(text):
            self.close()

    def _left(self, ending: Ending) -> None:
        """The session has ended, or is to."""
        if ending.problem:
            _LOG.warning("a call ended: %s", ending.problem)
        self._run(self._end(ending))

    async def _end(self, ending: Ending = HUNG_UP) -> None:
        if self._ending:
            return
        self._ending = True
        try:
            self._sidebands.end(ending)
            await self._channel.flush(FLUSH_S)
            if self._peer is not None:
                await self._peer.close()
        finally:
            self._messages.close()
            if self._connection is not None:
                self._connection.close()
            for task in self._tasks:
                if task is not asyncio.current_task():
                    task.cancel()
            self._ended(self)
            self.over.set()
