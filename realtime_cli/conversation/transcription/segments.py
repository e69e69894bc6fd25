"""The stretches of speech in a transcription: which are owed, what came of them, and when they may be told.

A segment is begun by ``speech_started``, ended by ``speech_stopped``, made an item by ``committed``, and done with its
transcript; a server may leave any of the first three out, and ids too. From its end or its commit on it is owed. Who is
owed for too long is given up, so that one lost transcript does not withhold all that follows.
"""

from __future__ import annotations

from collections import deque

import msgspec

from realtime_cli.conversation.facts import Cut
from realtime_cli.conversation.records import Line, Transcribed

OVERTAKEN_S = 10.0
"""How long a transcript may be missing after that of later speech has come. Servers transcribe side by side, so that a
long stretch is overtaken by a short one, by some seconds."""


PADDING_MS = 300
"""How much of the audio before speech is sent again with it: what servers keep as ``prefix_padding_ms``."""


REMEMBERED_IDS = 64
"""Of how many segments that are told a server may tell the transcript again, in the item and in an event of its own."""


class Segment(msgspec.Struct, eq=False):
    """One stretch of speech; times of the audio in ms. An empty id: the server has not told it."""

    item_id: str
    start_ms: int | None = None
    end_ms: int | None = None
    text: str = ""
    committed: bool = False
    owed_since: float | None = None
    done_at: float | None = None

    @property
    def owed(self) -> bool:
        """Whether its transcript is still to come."""
        return self.owed_since is not None and self.done_at is None


class Segments:
    """Those that are not told yet, in the order of speech, whatever order their transcripts come in."""

    def __init__(self) -> None:
        self.commits: deque[Cut | None] = deque()
        """What was committed on this side and not confirmed; with its times, where this side cuts."""
        self.offset_ms = 0
        """Where in all of the audio this connection's begins."""
        self.told_ms = 0
        """How much of the audio has been told of."""
        self._waiting: list[Segment] = []
        self._told: deque[str] = deque(maxlen=REMEMBERED_IDS)

    @property
    def pending(self) -> bool:
        """Whether a transcript is still to come."""
        return bool(self.commits) or any(segment.owed for segment in self._waiting)

    @property
    def speaking(self) -> bool:
        """Whether the server hears speech that has not ended."""
        return any(_is_open(segment) and segment.start_ms is not None for segment in self._waiting)

    def split(self, since_ms: int) -> tuple[list[Transcribed], int | None]:
        """Another connection hears what began from here on; the rest, as far as it came, and where the first begins."""
        again = [it for it in self._waiting if it.done_at is None and (it.start_ms or 0) >= since_ms]
        starts = [segment.start_ms for segment in again]
        starts += [cut.start_ms for cut in self.commits if cut is not None and cut.start_ms >= since_ms]
        self._waiting = [segment for segment in self._waiting if segment not in again]
        self.commits.clear()
        return self.rest(), min((ms for ms in starts if ms is not None), default=None)

    def begin_again(self) -> int:
        """Another connection hears all that is not told yet; from where on, in ms."""
        starts = [segment.start_ms for segment in self._waiting] + [cut.start_ms for cut in self.commits if cut]
        self._waiting.clear()
        self.commits.clear()
        first = min((ms for ms in starts if ms is not None), default=self.told_ms)
        return max(self.told_ms, first - PADDING_MS)

    @property
    def overtaken_due(self) -> float | None:
        """When the first segment is given up because later speech is transcribed already."""
        done = [segment.done_at for segment in self._waiting if segment.done_at is not None]
        if not done or self._waiting[0].done_at is not None:
            return None
        return max(min(done), self._waiting[0].owed_since or 0.0) + OVERTAKEN_S

    def started(self, item_id: str, at_ms: int) -> None:
        """Speech began; what had begun before and has not ended was no speech: the server took it back."""
        self._waiting = [segment for segment in self._waiting if not _is_open(segment) or segment.text]
        self._of(item_id).start_ms = self.offset_ms + at_ms

    def stopped(self, item_id: str, at_ms: int, now: float) -> None:
        """Speech ended."""
        segment = self._of(item_id)
        segment.end_ms = self.offset_ms + at_ms
        segment.owed_since = now if segment.owed_since is None else segment.owed_since

    def committed(self, item_id: str, now: float) -> None:
        """The server made an item of what was said."""
        cut = self.commits.popleft() if self.commits else None
        segment = self._named(item_id) or self._first_uncommitted(item_id) or self._new(item_id)
        segment.committed = True
        segment.owed_since = now if segment.owed_since is None else segment.owed_since
        if cut is not None and segment.start_ms is None:
            segment.start_ms, segment.end_ms = cut.start_ms, cut.end_ms

    def grew(self, item_id: str, delta: str) -> None:
        """A piece of a transcript."""
        self._transcribed(item_id).text += delta

    def completed(self, item_id: str, text: str, now: float) -> None:
        """All of a transcript is there; empty when nobody spoke, or when it came to nothing."""
        if item_id not in self._told:
            segment = self._transcribed(item_id)
            segment.text, segment.done_at = text, now

    def whole(self) -> list[Transcribed]:
        """The transcripts that may be told now. Each is handed out once."""
        told: list[Transcribed] = []
        while self._waiting and self._waiting[0].done_at is not None:
            told += self._tell(self._waiting.pop(0))
        return told

    def give_up(self, now: float, *, everything: bool = False) -> list[Segment]:
        """Wait no longer for what is overtaken, or owed at all; the segments whose transcript did not come."""
        given_up: list[Segment] = []
        if everything:
            given_up = [Segment("", cut.start_ms, cut.end_ms) for cut in self.commits if cut is not None]
            self.commits.clear()
            given_up = [segment for segment in self._waiting if segment.owed] + given_up
        elif (due := self.overtaken_due) is not None and now >= due:
            given_up = [self._waiting[0]]
        for segment in given_up:
            segment.done_at = now
        return given_up

    def rest(self) -> list[Transcribed]:
        """All that is left, as far as it came."""
        rest, self._waiting = self._waiting, []
        return [record for segment in rest for record in self._tell(segment)]

    def lines(self) -> tuple[Line, ...]:
        """What has come of the transcripts that are not told yet."""
        return tuple(
            Line(item_id=segment.item_id, role="user", text=segment.text, pending=True, heard_chars=len(segment.text))
            for segment in self._waiting
            if segment.text
        )

    def _of(self, item_id: str) -> Segment:
        """The segment that a server hears: the one of this id, or, without one, the one that is open."""
        if not item_id:
            found = next((segment for segment in self._waiting if _is_open(segment)), None)
            return found or self._new("")
        return self._named(item_id) or self._new(item_id)

    def _transcribed(self, item_id: str) -> Segment:
        """The segment of a transcript: the one of this id, or the first that is owed and has none; else a new one."""
        if named := self._named(item_id):
            return named
        owed = (segment for segment in self._waiting if segment.owed and (not item_id or not segment.item_id))
        segment = next(owed, None) or self._new(item_id)
        segment.item_id = segment.item_id or item_id
        return segment

    def _first_uncommitted(self, item_id: str) -> Segment | None:
        """The segment that a commit without an id is about."""
        if item_id:
            return None
        return next((it for it in self._waiting if not it.committed and it.done_at is None), None)

    def _named(self, item_id: str) -> Segment | None:
        return next((segment for segment in self._waiting if item_id and segment.item_id == item_id), None)

    def _new(self, item_id: str) -> Segment:
        """A segment behind all others."""
        self._waiting.append(Segment(item_id))
        return self._waiting[-1]

    def _tell(self, segment: Segment) -> list[Transcribed]:
        start_ms = self.told_ms if segment.start_ms is None else segment.start_ms
        self.told_ms = max(self.told_ms, segment.end_ms or start_ms)
        if not segment.text:
            return []
        if segment.item_id:
            self._told.append(segment.item_id)
        return [Transcribed(item_id=segment.item_id, text=segment.text, start_ms=start_ms, end_ms=segment.end_ms)]


def _is_open(segment: Segment) -> bool:
    return segment.owed_since is None and segment.done_at is None
