"""The bodies of two of the session's threads, playing and showing. Each has one queue, and is its only reader."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue

from realtime_cli.audio.core.delta_decoder import DeltaDecoder
from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.conversation.effects import EndOfAudio, Play
from realtime_cli.conversation.records import Record, Snapshot
from realtime_cli.ports import View
from realtime_cli.session.spill import Piece, Spill

MAX_QUEUED_FRAMES = 60 * RATE_HZ
"""So much decoded audio is ready to be played; more waits on disk (:mod:`realtime_cli.session.spill`)."""

REFILL_S = 0.05
"""How often it is looked whether some of that can be played; a file that takes a reply as fast as it comes waits."""


class Player:
    """Decodes the model's audio into the playout buffer."""

    def __init__(self) -> None:
        from realtime_cli.audio.core.playout import Playout  # numpy: text turns do without it

        self._decoder = DeltaDecoder()
        self._decoded_epoch = 0
        self.playout = Playout()
        self._queue: SimpleQueue[tuple[int, Play | EndOfAudio] | None] = SimpleQueue()
        self._put_characters = self._decoded_characters = 0

    @property
    def undecoded(self) -> int:
        """How many characters of audio wait to be decoded. Any thread."""
        return self._put_characters - self._decoded_characters

    def put(self, effect: Play | EndOfAudio) -> None:
        """Queue a piece of audio or the end of a part. Main thread, which is also the one that flushes."""
        if isinstance(effect, Play):
            self._put_characters += len(effect.delta)
        self._queue.put((self.playout.epoch, effect))

    def close(self) -> None:
        """Let :meth:`run` return."""
        self._queue.put(None)

    def run(self) -> None:
        """Decode until closed. Playback thread."""
        spill = Spill()
        while True:
            try:
                job = self._queue.get(timeout=REFILL_S if spill else None)
            except Empty:
                self._refill(spill)
                continue
            if job is None:
                spill.close()
                return
            if piece := self._decode(*job):
                self._hold(piece, spill)

    def _decode(self, epoch: int, effect: Play | EndOfAudio) -> Piece | None:
        if epoch != self._decoded_epoch:
            self._decoder, self._decoded_epoch = DeltaDecoder(), epoch
        now = time.monotonic()
        if isinstance(effect, EndOfAudio):
            self._decoder.finish(effect.item_id, effect.content_index)
            return Piece(epoch, effect.item_id, effect.content_index, None, now)
        pcm = self._decoder.decode(effect.item_id, effect.content_index, effect.delta)
        self._decoded_characters += len(effect.delta)
        return Piece(epoch, effect.item_id, effect.content_index, pcm, now) if pcm else None

    def _hold(self, piece: Piece, spill: Spill) -> None:
        """Let it be played, or wait on disk where much waits already; with a full disk in memory after all."""
        if spill and piece.epoch != self.playout.epoch:
            return
        if spill or self.playout.queued() > MAX_QUEUED_FRAMES:
            with suppress(OSError):
                spill.put(piece)
                self._refill(spill)
                return
        self._push(piece)

    def _refill(self, spill: Spill) -> None:
        """Let more be played where little is left; nothing is left of what an interruption has made worthless."""
        while spill and self.playout.queued() <= MAX_QUEUED_FRAMES // 2:
            piece = spill.take(self.playout.epoch)
            if piece is not None:
                self._push(piece)

    def _push(self, piece: Piece) -> None:
        if piece.pcm is None:
            self.playout.finish(piece.epoch, piece.item_id, piece.content_index, piece.now)
            return
        import numpy as np

        samples = np.frombuffer(piece.pcm, "<i2")
        self.playout.push(piece.epoch, piece.item_id, piece.content_index, samples, piece.now)


class Screen:
    """Feeds the view: every record in order, and the latest snapshot as often as the view wants to be drawn."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._queue: SimpleQueue[tuple[Record, float] | None] = SimpleQueue()
        self._snapshot = Snapshot()
        self._ended = threading.Event()

    def put(self, record: Record, t: float) -> None:
        """Queue a record that happened ``t`` seconds after the start. Any thread; returns at once."""
        self._queue.put((record, t))

    def update(self, snapshot: Snapshot) -> None:
        """Replace the snapshot to be drawn next. Main thread; returns at once."""
        self._snapshot = snapshot

    def close(self) -> None:
        """Let :meth:`run` return once all records are shown."""
        self._queue.put(None)
        self._ended.set()

    def run(self) -> None:
        """Show until closed. View thread. Raises BrokenPipeError when nobody reads any more."""
        ended = False
        while not ended:
            frame_s = self._view.frame_s
            if frame_s is None:
                queued = self._queue.get()
                if queued is None:
                    return
                self._view.show(*queued)
                continue
            self._draw()
            # Not the queue: each piece of a reply would be a wake-up of its own.
            ended = self._ended.wait(frame_s)
        self._draw()

    def _draw(self) -> None:
        # The snapshot first: it may lack a line that was told, but must never lack one whose record is still queued.
        snapshot = self._snapshot
        with suppress(Empty):
            while (queued := self._queue.get_nowait()) is not None:
                self._view.show(*queued)
        self._view.draw(snapshot)
