"""What a transcription shows: the transcript on standard output or in a file, all else on standard error."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from realtime_cli.conversation.records import (
    ConnectionChanged,
    Ended,
    Notice,
    Record,
    SessionStarted,
    Snapshot,
    Transcribed,
    Trouble,
)
from realtime_cli.ports import View
from realtime_cli.printable import one_line, printable
from realtime_cli.result_file import ResultFile
from realtime_cli.view.line_view import LineView
from realtime_cli.view.subtitles import Writer


class TranscriptView(LineView):
    """Each stretch of speech when it is whole, as ``writer`` puts it. ``quiet``: errors only on ``err``."""

    def __init__(self, out: TextIO, err: TextIO, writer: Writer, *, quiet: bool = False) -> None:
        self._out, self._err = out, err
        self._writer = writer
        self._quiet = quiet
        self._begun = self._closed = False

    def show(self, record: Record, _t: float) -> None:
        """Print what a record has to say. Raises BrokenPipeError."""
        match record:
            case SessionStarted():
                self._begin()
            case Transcribed():
                self._write(self._writer.piece(record))
            case Notice() if not self._quiet:
                self._note(record.text)
            case ConnectionChanged() if record.words and not self._quiet:
                self._note(record.words)
            case Trouble():
                self._note(f"error: {record.message}")

    def close(self) -> None:
        """Finish the document, if it was begun: without a session there is none. Raises BrokenPipeError."""
        if self._begun and not self._closed:
            self._closed = True
            self._write(self._writer.tail())

    def _begin(self) -> None:
        self._begun = True
        self._write(self._writer.head())

    def _write(self, text: str) -> None:
        if text:
            self._out.write(printable(text, self._out))
            self._out.flush()

    def _note(self, text: str) -> None:
        self._err.write(printable(one_line(text), self._err) + "\n")
        self._err.flush()


class FileTranscript:
    """The transcript in a file, beside any other view: a whole document from the first stretch of speech on.

    Until then nothing is written, so that what was there stays if nothing comes. A transcription that ends well without
    a word is an empty document.
    """

    def __init__(self, inner: View, path: Path, writer: Writer) -> None:
        self._inner = inner
        self._writer = writer
        self._file = ResultFile(path)
        # A pipe or a terminal gets what comes last when it is known.
        self._seekable = path.is_file() or not path.exists()
        self._end = 0
        self._done = self._closed = False

    @property
    def frame_s(self) -> float | None:
        """As the wrapped view."""
        return self._inner.frame_s

    def open(self) -> None:
        """Look whether the file can be written. Raises InputError when it cannot."""
        self._file.check()
        self._inner.open()

    def show(self, record: Record, t: float) -> None:
        """Write a stretch of speech. Raises InputError when the file takes no more, and what ``inner`` raises."""
        match record:
            case Transcribed():
                self._write(self._writer.piece(record))
            case Ended():
                self._done = record.exit_code == 0
        self._inner.show(record, t)

    def draw(self, snapshot: Snapshot) -> None:
        """Draw the wrapped view."""
        self._inner.draw(snapshot)

    def close(self) -> None:
        """Finish the file and close the wrapped view. May be called twice."""
        if not self._closed:
            self._closed = True
            if self._done and not self._file.begun:
                self._write("")
            if self._file.begun and not self._seekable:
                self._file.write(self._writer.tail().encode())
            self._file.close()
        self._inner.close()

    def _write(self, text: str) -> None:
        """Put a stretch where the last one ended, and behind it what makes the document whole."""
        stretch = (text if self._file.begun else self._writer.head() + text).encode()
        if not self._seekable:
            self._file.write(stretch)
            return
        self._file.write(stretch + self._writer.tail().encode(), at=self._end)
        self._end += len(stretch)
