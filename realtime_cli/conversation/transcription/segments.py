"""The stretches of speech in a transcription: which are owed, what came of them, and when they may be told."""

from __future__ import annotations

from collections import deque

import msgspec

from realtime_cli.conversation.facts import Cut
from realtime_cli.conversation.records import Line, Transcribed


class Piece(msgspec.Struct):
    """One stretch of speech. ``owed``: its transcript is to come."""

    item_id: str
    start_ms: int | None = None
    end_ms: int | None = None
    text: str = ""
    owed: bool = False
    done: bool = False


class Pieces(msgspec.Struct):
    """The pieces that are not told yet, in the order of speech, whatever order their transcripts come in."""

    commits: deque[Cut | None] = msgspec.field(default_factory=deque)
    """What was committed on this side and not confirmed; with its times, where this side cuts."""
    told_ms: int = 0
    """How much of the audio has been told of."""
    _waiting: list[Piece] = msgspec.field(default_factory=list)

    @property
    def pending(self) -> bool:
        """Whether a transcript is still to come."""
        return bool(self.commits) or any(piece.owed and not piece.done for piece in self._waiting)

    @property
    def speaking(self) -> bool:
        """Whether the server hears speech that has not ended."""
        return any(piece.start_ms is not None and not piece.owed and not piece.done for piece in self._waiting)

    def of(self, item_id: str) -> Piece:
        """The piece of this id, behind all others if it is new."""
        for piece in self._waiting:
            if piece.item_id == item_id:
                return piece
        self._waiting.append(Piece(item_id))
        return self._waiting[-1]

    def started(self, item_id: str, at_ms: int) -> None:
        """Speech began; what had begun before and has not ended was no speech: the server took it back."""
        self._waiting = [piece for piece in self._waiting if piece.owed or piece.done or piece.text]
        self.of(item_id).start_ms = at_ms

    def stopped(self, item_id: str, at_ms: int) -> None:
        """Speech ended."""
        piece = self.of(item_id)
        piece.end_ms, piece.owed = at_ms, True

    def committed(self, item_id: str) -> None:
        """The server made an item of what was said."""
        cut = self.commits.popleft() if self.commits else None
        piece = self.of(item_id)
        piece.owed = True
        if cut is not None and piece.start_ms is None:
            piece.start_ms, piece.end_ms = cut.start_ms, cut.end_ms

    def completed(self, item_id: str, text: str) -> None:
        """All of a transcript is there; empty when nobody spoke, or when it came to nothing."""
        piece = self.of(item_id)
        piece.text, piece.done = text, True

    def whole(self) -> list[Transcribed]:
        """The transcripts that may be told now. Each is handed out once."""
        told: list[Transcribed] = []
        while self._waiting and self._waiting[0].done:
            told += self._tell(self._waiting.pop(0))
        return told

    def rest(self) -> list[Transcribed]:
        """All that is left, as far as it came."""
        rest, self._waiting = self._waiting, []
        return [record for piece in rest for record in self._tell(piece)]

    def lines(self) -> tuple[Line, ...]:
        """What has come of the transcripts that are not told yet."""
        return tuple(
            Line(item_id=piece.item_id, role="user", text=piece.text, pending=True, heard_chars=len(piece.text))
            for piece in self._waiting
            if piece.text
        )

    def _tell(self, piece: Piece) -> list[Transcribed]:
        start_ms = self.told_ms if piece.start_ms is None else piece.start_ms
        self.told_ms = max(self.told_ms, piece.end_ms or start_ms)
        if not piece.text:
            return []
        return [Transcribed(item_id=piece.item_id, text=piece.text, start_ms=start_ms, end_ms=piece.end_ms)]
