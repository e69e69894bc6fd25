"""What is sent over one connection: in order, in the server's shape, and never much too late."""

from __future__ import annotations

import base64
import threading
from collections import deque
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING

import msgspec

from realtime_cli.audio.core.pcm import BLOCK_BYTES, BLOCK_MS, RATE_HZ, RECORDED_BLOCK_BYTES
from realtime_cli.protocol.client_events import (
    ClientEvent,
    ConversationItemCreate,
    InputAudioBufferClear,
    InputAudioBufferCommit,
)
from realtime_cli.protocol.dialects import Dialect, append_message, to_wire

if TYPE_CHECKING:
    from realtime_cli.audio.core.resampling import ByteResampler

MAX_WAITING_S = 6
"""So much microphone audio may wait for a slow network; more would arrive as a monologue from the past."""

JOINED_BYTES = RECORDED_BLOCK_BYTES
"""So much of the audio that waits goes out as one event: a network that was slow catches up sooner."""

MAX_WAITING_BLOCKS = MAX_WAITING_S * 1000 // BLOCK_MS


class Encoder:
    """Puts what is sent into the server's dialect, and audio into its rate. Sender thread."""

    def __init__(self, dialect: Dialect, input_rate_hz: int = RATE_HZ) -> None:
        self.dialect = dialect
        """Any thread may change it, before it queues what is the first to be in another dialect."""
        self._resampler: ByteResampler | None = None
        if input_rate_hz != RATE_HZ:
            from realtime_cli.audio.core.resampling import ByteResampler  # numpy: needed with few servers only

            self._resampler = ByteResampler(RATE_HZ, input_rate_hz)

    def block(self, pcm: bytes) -> Iterator[str]:
        """The message for a block of PCM16 24 kHz; none while the resampler holds it back."""
        if self._resampler is not None:
            pcm = self._resampler.feed(pcm)
        if pcm:
            yield append_message(pcm)

    def event(self, event: ClientEvent) -> Iterator[str]:
        """The message for an event, behind the rest of the audio that it is about."""
        if self._resampler is not None and isinstance(event, InputAudioBufferCommit | InputAudioBufferClear):
            rest = self._resampler.finish()
            if rest:
                yield append_message(rest)
        if self._resampler is not None and isinstance(event, ConversationItemCreate):
            event = _resampled(event, self._resampler)
        yield to_wire(event, self.dialect)


class SendQueue:
    """All that goes to the server over one connection, in order: a commit can never overtake its audio."""

    def __init__(self) -> None:
        # Device threads, the main thread and the feeder put while the sender takes: held for as long as that takes.
        # Only the feeder waits for it; the sender waits for a token, which wakes it once where a condition does twice.
        self._room = threading.Condition()
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self._waiting: deque[bytes | ClientEvent] = deque()
        self._blocks = 0
        self._due = False
        """Whether something waits that may not wait for more."""
        self._closed = False
        self.dropped_blocks = 0
        """Microphone blocks that were lost because the network was too slow."""

    def put(self, event: ClientEvent) -> None:
        """Queue an event. Any thread; returns at once."""
        with self._room:
            self._waiting.append(event)
            self._due = True
        self._tokens.put(None)

    def put_block(self, pcm: bytes, *, may_wait: bool = False) -> None:
        """Queue a microphone block; when too many wait, the oldest goes. Device thread; returns at once.

        ``may_wait``: until there are ``JOINED_BYTES``, or anything else is sent.
        """
        with self._room:
            if self._blocks >= MAX_WAITING_BLOCKS:
                self._drop_oldest_block()
            self._waiting.append(pcm)
            self._blocks += 1
            self._due = self._due or not may_wait or self._blocks * BLOCK_BYTES >= JOINED_BYTES
            if not self._due:
                return
        self._tokens.put(None)

    def put_recorded(self, pcm: bytes, stopping: threading.Event) -> bool:
        """Queue a block of a recording; blocks while too many wait. Feeder thread. False when nobody sends any more."""
        with self._room:
            while self._blocks >= MAX_WAITING_BLOCKS and not self._closed:
                self._room.wait(0.1)
                if stopping.is_set():
                    return False
            if self._closed:
                return False
            self._waiting.append(pcm)
            self._blocks += 1
            self._due = True
        self._tokens.put(None)
        return True

    def close(self) -> None:
        """Let :meth:`run` return once all that is queued has been sent."""
        with self._room:
            self._closed = True
            self._room.notify_all()
        self._tokens.put(None)

    def abandon(self) -> None:
        """Forget what is queued, and let :meth:`run` return: there is no network to send it over."""
        with self._room:
            self._waiting.clear()
            self._blocks = 0
        self.close()

    def run(self, send: Callable[[str], None], encoder: Encoder) -> None:
        """Send until closed. Sender thread. Raises ConnectionFailed."""
        while (message := self._next()) is not None:
            texts = encoder.block(message) if isinstance(message, bytes) else encoder.event(message)
            for text in texts:
                send(text)

    def _next(self) -> bytes | ClientEvent | None:
        """The next event, or all the audio that is ready, up to ``JOINED_BYTES``. Blocks while nothing is due."""
        while True:
            with self._room:
                if self._waiting and (self._due or self._closed):
                    message = self._taken()
                    self._due = bool(self._waiting)
                    return message
                if self._closed:
                    return None
            self._tokens.get()

    def _taken(self) -> bytes | ClientEvent:
        message = self._waiting.popleft()
        if not isinstance(message, bytes):
            return message
        blocks, size = [message], len(message)
        while self._waiting and isinstance(block := self._waiting[0], bytes) and size + len(block) <= JOINED_BYTES:
            self._waiting.popleft()
            blocks.append(block)
            size += len(block)
        self._blocks -= len(blocks)
        self._room.notify_all()
        return message if len(blocks) == 1 else b"".join(blocks)

    def _drop_oldest_block(self) -> None:
        for index, message in enumerate(self._waiting):
            if isinstance(message, bytes):
                del self._waiting[index]
                self._blocks -= 1
                self.dropped_blocks += 1
                return


def _resampled(event: ConversationItemCreate, resampler: ByteResampler) -> ConversationItemCreate:
    """The event with the audio of its item, if it has any, at the server's rate."""
    content = tuple(
        msgspec.structs.replace(part, audio=base64.b64encode(resampler.whole(base64.b64decode(part.audio))).decode())
        if part.audio
        else part
        for part in event.item.content or ()
    )
    return msgspec.structs.replace(event, item=msgspec.structs.replace(event.item, content=content or None))
