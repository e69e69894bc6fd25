"""What views have in common that print line by line, and how they write replies to standard output."""

from __future__ import annotations

from typing import TextIO

from realtime_cli.conversation.records import AssistantDelta, AssistantSaid, Snapshot
from realtime_cli.printable import printable


class LineView:
    """Shows each record at once. On such a view nothing is drawn, and nothing is to be prepared."""

    frame_s = None

    def open(self) -> None:
        """Nothing to prepare."""

    def draw(self, snapshot: Snapshot) -> None:
        """Nothing: only what happened is printed."""


class ReplyWriter:
    """``streaming``: each piece as it comes. Otherwise a reply is written when it is over, as far as it was heard."""

    def __init__(self, out: TextIO, *, streaming: bool) -> None:
        self._out = out
        self._streaming = streaming
        self._item_id = ""
        self._written = ""

    @property
    def mid_line(self) -> bool:
        """A line of a reply is open on the output."""
        return bool(self._written) and not self._written.endswith("\n")

    def add(self, delta: AssistantDelta) -> None:
        """Write a piece at once, if streaming. Raises BrokenPipeError."""
        if not self._streaming or not delta.text:
            return
        if delta.item_id != self._item_id:
            self.end_line()
            self._item_id, self._written = delta.item_id, ""
        self._written += delta.text
        self._write(delta.text)

    def finish(self, said: AssistantSaid) -> None:
        """Write what of the reply is not written yet, and end its line. Raises BrokenPipeError."""
        already = self._written if said.item_id == self._item_id else ""
        if not already:
            self.end_line()
        if said.text.startswith(already):
            self._written = said.text
            self._write(said.text[len(already) :])
        self.end_line()

    def end_line(self) -> None:
        """End an open line. Raises BrokenPipeError."""
        if self.mid_line:
            self._write("\n")
        self._item_id = self._written = ""

    def _write(self, text: str) -> None:
        if text:
            self._out.write(printable(text, self._out))
            self._out.flush()
