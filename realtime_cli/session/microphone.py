"""What lies between a microphone and what is sent: the talk key's gate, mute, echo control, and commits of our own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from realtime_cli.audio.core.meters import Meters
from realtime_cli.audio.core.pcm import BLOCK_BYTES, BLOCK_MS, bytes_to_ms
from realtime_cli.audio.core.silence import PauseDetector
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.transcription.commit_segmentation import Cutter
from realtime_cli.ports import Deliver, EchoControl, Recorder
from realtime_cli.protocol.client_events import InputAudioBufferClear, InputAudioBufferCommit
from realtime_cli.session.sending import MAX_WAITING_S, SendQueue

KEPT_S = MAX_WAITING_S
"""So much is kept, sent or not, for another connection: a sentence. Older speech would come out of place."""


class Microphone:
    """Lets blocks into a connection's queue while it is open. All but :meth:`feed` is called on the main thread.

    Without a connection blocks are only kept, the latest of them.
    """

    def __init__(self, post: Callable[[f.Fact], None]) -> None:
        self._post = post
        self._queue: SendQueue | None = None
        self._closed = threading.Event()
        self._closed.set()
        # Held while a block passes, so that none gets into the queue behind what closing sends, or into the wrong one.
        self._passing = threading.Lock()
        self._kept: deque[tuple[float, bytes]] = deque(maxlen=KEPT_S * 1000 // BLOCK_MS)
        """Blocks as they were sent or would have been, with when they were captured."""
        self._total_ms = 0
        self._cutter: Cutter | None = None
        self._pause = PauseDetector()
        self._spoken_ms = 0
        self.muted = False
        """Send silence instead: the server must hear that the speaker stopped."""
        self.echo: EchoControl | None = None
        self.meters: Meters | None = None
        self.recorder: Recorder | None = None
        """Is given all that is sent."""

    def open(self, *, cut: bool) -> tuple[Deliver, threading.Event] | None:
        """Where the source is to deliver, and what ends it; None where it is open already.

        ``cut``: commit at sensible lengths, for a server that hears no pauses.
        """
        self._cutter = Cutter() if cut else None
        if not self._closed.is_set():
            return None
        self._spoken_ms = 0
        self._kept.clear()
        self._closed = closed = threading.Event()
        return (lambda pcm: self._hear(closed, pcm)), closed

    def close(self) -> f.MicClosed:
        """Let no further block through, and say what came through since it was opened."""
        with self._passing:
            self._closed.set()
        return f.MicClosed(self._spoken_ms, self._cutter.has_speech if self._cutter else True)

    def reopen(self) -> tuple[Deliver, threading.Event] | None:
        """Where another source is to deliver, if the microphone is open; the one before is heard no more."""
        with self._passing:
            if self._closed.is_set():
                return None
            self._closed.set()
            self._closed = closed = threading.Event()
        return (lambda pcm: self._hear(closed, pcm)), closed

    def detach(self) -> None:
        """There is no connection: keep what comes."""
        with self._passing:
            self._queue = None

    def attach(self, queue: SendQueue, seconds: float = 0.0) -> f.MicResumed:
        """Send to this connection, at first what was captured in the last ``seconds``, as far as it is kept."""
        since = time.monotonic() - seconds
        with self._passing:
            blocks = [pcm for at, pcm in self._kept if at >= since] if seconds else []
            self._queue = queue
            if self._cutter:
                self._cutter = Cutter()
            for pcm in blocks:
                self._send(pcm)
            return f.MicResumed(self._total_ms - sum(bytes_to_ms(len(pcm)) for pcm in blocks))

    def forget(self) -> None:
        """What was kept is from another time: this machine slept."""
        with self._passing:
            self._kept.clear()

    def feed(self, blocks: Iterator[bytes], queue: SendQueue, stopping: threading.Event, *, cut: bool) -> None:
        """Send a recording as fast as the queue takes it, to its end or the connection's. Own thread; blocks."""
        cutter = Cutter() if cut else None
        for block in blocks:
            if not queue.put_recorded(block, stopping):
                return
            if self.recorder:
                self.recorder.spoke(block)
            if cutter:
                self._cut(cutter.hear(block), queue)
        if cutter:
            self._cut(cutter.finish(), queue)
        self._post(f.Fed())

    def feed_silence(self, duration_ms: int, queue: SendQueue, stopping: threading.Event) -> None:
        """Send so much silence, as fast as the queue takes it, or to the connection's end. Own thread; blocks."""
        blocks = -(-duration_ms // BLOCK_MS)
        while blocks > 0 and queue.put_recorded(bytes(BLOCK_BYTES), stopping):
            blocks -= 1

    def _hear(self, closed: threading.Event, pcm: bytes) -> None:
        """Take a block, unless it came too late. Device thread."""
        if self.echo:
            pcm = self.echo.clean(pcm)
        with self._passing:
            if closed.is_set():
                return
            if not self._spoken_ms:
                self._post(f.MicOpened())
            length_ms = bytes_to_ms(len(pcm))
            self._spoken_ms += length_ms
            self._total_ms += length_ms
            block = bytes(len(pcm)) if self.muted else pcm
            self._kept.append((time.monotonic(), block))
            if self.meters:
                self.meters.heard(block)
            if self.recorder:
                self.recorder.spoke(block)
            self._send(block)

    def _send(self, block: bytes) -> None:
        queue = self._queue
        if queue is None:
            return
        # Each message is a wake-up at both ends, and nobody waits for a silence that lasts.
        queue.put_block(block, may_wait=self._pause.hear(block))
        if self._cutter:
            self._cut(self._cutter.hear(block), queue)

    def _cut(self, cut: f.Cut | None, queue: SendQueue) -> None:
        """Commit the audio that is in the queue, if it is cut here; told before the server can answer."""
        if cut is None:
            return
        self._post(cut)
        queue.put(InputAudioBufferCommit() if cut.has_speech else InputAudioBufferClear())
