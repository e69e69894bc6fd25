"""Which lines of a conversation are done with and may scroll away, in their order. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from realtime_cli.conversation.records import Line


class Done(msgspec.Struct, frozen=True):
    """A line to print for good. ``late``: its place was printed before its text was known."""

    line: Line
    late: bool = False


class Transcript:
    """Remembers which lines were handed out; each is handed out once, and none is lost."""

    def __init__(self) -> None:
        self._done: set[str] = set()
        self._unfilled: set[str] = set()

    def take_done(self, lines: Sequence[Line]) -> list[Done]:
        """The lines that may scroll away now.

        A line whose text is still to come holds back those after it, until a later line of the same side is whole:
        a transcript that takes longer than the whole next turn is printed late instead.
        """
        taken = [Done(line, late=True) for line in lines if line.item_id in self._unfilled and not line.pending]
        self._unfilled.difference_update(done.line.item_id for done in taken)
        left = self.left(lines)
        for index, line in enumerate(left):
            if line.pending and not any(it.role == line.role and not it.pending for it in left[index + 1 :]):
                break
            taken.append(self._take(line))
        return taken

    def take_all(self, lines: Sequence[Line]) -> list[Done]:
        """All lines that are left, as they stand: the conversation is over."""
        return [*self.take_done(lines), *(self._take(line) for line in self.left(lines))]

    def left(self, lines: Sequence[Line]) -> list[Line]:
        """The lines that were not handed out yet."""
        return [line for line in lines if line.item_id not in self._done]

    def _take(self, line: Line) -> Done:
        self._done.add(line.item_id)
        if line.pending:
            self._unfilled.add(line.item_id)
        return Done(line)
