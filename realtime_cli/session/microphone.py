"""What lies between a microphone and what is sent: the talk key's gate, mute, echo control, and commits of our own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from realtime_cli.audio.core.pcm import BLOCK_BYTES, BLOCK_MS, bytes_to_ms
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.transcription.commit_segmentation import Cutter
from realtime_cli.ports import Deliver, EchoControl
from realtime_cli.protocol.client_events import InputAudioBufferClear, InputAudioBufferCommit
from realtime_cli.session.workers import SendQueue


class Microphone:
    """Lets blocks into the send queue while it is open. Opened, closed and muted on the main thread only."""

    def __init__(self, queue: SendQueue, post: Callable[[f.Fact], None]) -> None:
        self._queue = queue
        self._post = post
        self._closed = threading.Event()
        self._closed.set()
        # Held while a block passes, so that none gets into the send queue behind what closing sends.
        self._passing = threading.Lock()
        self._cutter: Cutter | None = None
        self._spoken_ms = 0
        self.muted = False
        """Send silence instead: the server must hear that the speaker stopped."""
        self.echo: EchoControl | None = None

    def open(self, *, cut: bool) -> tuple[Deliver, threading.Event] | None:
        """Where the source is to deliver, and what ends it; None where it is open already.

        ``cut``: commit at sensible lengths, for a server that hears no pauses.
        """
        self._cutter = Cutter() if cut else None
        if not self._closed.is_set():
            return None
        self._spoken_ms = 0
        self._closed = closed = threading.Event()
        return (lambda pcm: self._hear(closed, pcm)), closed

    def close(self) -> f.MicClosed:
        """Let no further block through, and say what came through since it was opened."""
        with self._passing:
            self._closed.set()
        return f.MicClosed(self._spoken_ms, self._cutter.has_speech if self._cutter else True)

    def feed(self, blocks: Iterator[bytes], stopping: threading.Event, *, cut: bool) -> None:
        """Send a recording as fast as the send queue takes it. Own thread; blocks."""
        cutter = Cutter() if cut else None
        for block in blocks:
            self._queue.put_recorded(block, stopping)
            if stopping.is_set():
                return
            if cutter:
                self._cut(cutter.hear(block))
        if cutter:
            self._cut(cutter.finish())
        self._post(f.Fed())

    def feed_silence(self, duration_ms: int, stopping: threading.Event) -> None:
        """Send so much silence, as fast as the send queue takes it. Own thread; blocks."""
        for _ in range(-(-duration_ms // BLOCK_MS)):
            self._queue.put_recorded(bytes(BLOCK_BYTES), stopping)

    def _hear(self, closed: threading.Event, pcm: bytes) -> None:
        """Take a block, unless it came too late. Device thread."""
        if self.echo:
            pcm = self.echo.clean(pcm)
        with self._passing:
            if closed.is_set():
                return
            if not self._spoken_ms:
                self._post(f.MicOpened())
            self._spoken_ms += bytes_to_ms(len(pcm))
            block = bytes(len(pcm)) if self.muted else pcm
            self._queue.put_block(block)
            if self._cutter:
                self._cut(self._cutter.hear(block))

    def _cut(self, cut: f.Cut | None) -> None:
        """Commit the audio that is in the send queue, if it is cut here; told before the server can answer."""
        if cut is None:
            return
        self._post(cut)
        self._queue.put(InputAudioBufferCommit() if cut.has_speech else InputAudioBufferClear())
