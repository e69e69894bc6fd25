"""Audio that came long before it can be heard waits on disk: an hour of it would be 173 MB of memory.

A file without a name, which goes with the program whatever ends it. Playback thread only.
"""

from __future__ import annotations

import tempfile
from collections import deque
from typing import IO, NamedTuple


class Piece(NamedTuple):
    """A piece of one part's audio (PCM16), or the end of that part (``pcm`` is None), as it came at ``now``."""

    epoch: int
    item_id: str
    content_index: int
    pcm: bytes | None
    now: float


class Spill:
    """First in, first out."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._pieces: deque[tuple[Piece, int]] = deque()
        """The pieces without their audio, and how many bytes that has in the file."""
        self._written = self._read = 0

    def __len__(self) -> int:
        return len(self._pieces)

    def put(self, piece: Piece) -> None:
        """Keep a piece. Raises OSError when the disk is full."""
        size = 0
        if piece.pcm is not None:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by close()
            self._file.seek(self._written)
            size = self._file.write(piece.pcm)
            self._written += size
        self._pieces.append((piece._replace(pcm=None if piece.pcm is None else b""), size))

    def take(self, epoch: int) -> Piece | None:
        """The next piece of this epoch; those of earlier ones are forgotten. None when there is none."""
        while self._pieces:
            piece, size = self._pieces.popleft()
            at, self._read = self._read, self._read + size
            if piece.epoch == epoch:
                taken = piece if piece.pcm is None or self._file is None else piece._replace(pcm=self._at(at, size))
                self._begin_anew_if_empty()
                return taken
        self._begin_anew_if_empty()
        return None

    def close(self) -> None:
        """Give the disk back."""
        self._pieces.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _at(self, at: int, size: int) -> bytes:
        if self._file is None:
            return b""
        self._file.seek(at)
        return self._file.read(size)

    def _begin_anew_if_empty(self) -> None:
        if not self._pieces and self._file is not None and self._written:
            self._file.seek(0)
            self._file.truncate()
            self._written = self._read = 0
