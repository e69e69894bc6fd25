"""The bodies of the session's own threads: sending, playing, showing. Each has one queue, and is its only reader."""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import msgspec

from realtime_cli.audio.core.pcm import BLOCK_MS, RATE_HZ
from realtime_cli.conversation.effects import EndOfAudio, Play
from realtime_cli.conversation.records import Record, Snapshot
from realtime_cli.ports import View
from realtime_cli.protocol.client_events import (
    ClientEvent,
    ConversationItemCreate,
    InputAudioBufferClear,
    InputAudioBufferCommit,
)
from realtime_cli.protocol.dialects import Dialect, append_message, to_wire

if TYPE_CHECKING:
    from realtime_cli.audio.core.resampling import ByteResampler

MAX_WAITING_BLOCKS = 10_000 // BLOCK_MS
"""Ten seconds of microphone may wait for a stalled network; more would arrive as a monologue from the past."""

FRAME_S = 1 / 12
"""The least time between two drawings of the screen: smooth enough for text, and cheap."""


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
    """All that goes to the server, in order: a commit can never overtake its audio."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[bytes | ClientEvent | None] = SimpleQueue()
        # Counts free places for audio, so that a stalled network makes the feeder wait and the microphone drop.
        self._places = threading.Semaphore(MAX_WAITING_BLOCKS)
        self.dropped_blocks = 0
        """Microphone blocks that were lost because the network stalled."""

    def put(self, event: ClientEvent) -> None:
        """Queue an event. Any thread; returns at once."""
        self._queue.put(event)

    def put_block(self, pcm: bytes) -> None:
        """Queue a microphone block, or drop it when too many wait. Device thread; returns at once."""
        if self._places.acquire(blocking=False):
            self._queue.put(pcm)
        else:
            self.dropped_blocks += 1

    def put_recorded(self, pcm: bytes, stopping: threading.Event) -> None:
        """Queue a block of a recording; blocks while too many wait. Feeder thread."""
        while not stopping.is_set():
            if self._places.acquire(timeout=0.1):
                self._queue.put(pcm)
                return

    def close(self) -> None:
        """Let :meth:`run` return once all that is queued has been sent."""
        self._queue.put(None)

    def run(self, send: Callable[[str], None], encoder: Encoder) -> None:
        """Send until closed. Sender thread. Raises ConnectionFailed."""
        while (message := self._queue.get()) is not None:
            if isinstance(message, bytes):
                for text in encoder.block(message):
                    send(text)
                self._places.release()
            else:
                for text in encoder.event(message):
                    send(text)


class Player:
    """Decodes the model's audio into the playout buffer."""

    def __init__(self) -> None:
        from realtime_cli.audio.core.playout import Playout  # numpy: text turns do without it

        self.playout = Playout()
        self._queue: SimpleQueue[tuple[int, Play | EndOfAudio] | None] = SimpleQueue()

    def put(self, effect: Play | EndOfAudio) -> None:
        """Queue a piece of audio or the end of a part. Main thread, which is also the one that flushes."""
        self._queue.put((self.playout.epoch, effect))

    def close(self) -> None:
        """Let :meth:`run` return."""
        self._queue.put(None)

    def run(self) -> None:
        """Decode until closed. Playback thread. Audio that is not base64 is silence, as no other can be made of it."""
        import numpy as np

        while (job := self._queue.get()) is not None:
            epoch, effect = job
            now = time.monotonic()
            if isinstance(effect, EndOfAudio):
                self.playout.finish(epoch, effect.item_id, effect.content_index, now)
                continue
            try:
                pcm = binascii.a2b_base64(effect.delta)
            except binascii.Error:
                continue
            samples = np.frombuffer(pcm, dtype="<i2", count=len(pcm) // 2)
            self.playout.push(epoch, effect.item_id, effect.content_index, samples, now)


class Screen:
    """Feeds the view: every record in order, and the latest snapshot some times a second."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._queue: SimpleQueue[tuple[Record, float] | None] = SimpleQueue()
        self._snapshot = Snapshot()

    def put(self, record: Record, t: float) -> None:
        """Queue a record that happened ``t`` seconds after the start. Any thread; returns at once."""
        self._queue.put((record, t))

    def update(self, snapshot: Snapshot) -> None:
        """Replace the snapshot to be drawn next. Main thread; returns at once."""
        self._snapshot = snapshot

    def close(self) -> None:
        """Let :meth:`run` return once all records are shown."""
        self._queue.put(None)

    def run(self) -> None:
        """Show until closed. View thread. Raises BrokenPipeError when nobody reads any more."""
        while True:
            try:
                queued = self._queue.get(timeout=FRAME_S)
            except Empty:
                self._view.draw(self._snapshot)
                continue
            if queued is None:
                self._view.draw(self._snapshot)
                return
            self._view.show(*queued)
            if self._queue.empty():
                self._view.draw(self._snapshot)


def _resampled(event: ConversationItemCreate, resampler: ByteResampler) -> ConversationItemCreate:
    """The event with the audio of its item, if it has any, at the server's rate."""
    content = tuple(
        msgspec.structs.replace(part, audio=base64.b64encode(resampler.whole(base64.b64decode(part.audio))).decode())
        if part.audio
        else part
        for part in event.item.content or ()
    )
    return msgspec.structs.replace(event, item=msgspec.structs.replace(event.item, content=content or None))
