"""A transcript as text, as subtitles, or as one JSON document. Pure: records in, text out.

SubRip (srt) has no standard; what players agree on is at https://www.matroska.org/technical/subtitles.html#srt-subtitles.
WebVTT is https://www.w3.org/TR/webvtt1/.
"""

from __future__ import annotations

import textwrap
from typing import Literal, Protocol

import msgspec

from realtime_cli.conversation.records import Transcribed
from realtime_cli.printable import one_line

Format = Literal["txt", "srt", "vtt", "json"]

LINE_CHARS = 42
CUE_LINES = 2
"""Two lines of 42 characters at most are on the screen at once, as broadcasters and streaming services ask
(https://partnerhelp.netflixstudios.com/hc/en-us/articles/217350977)."""

MS_PER_CHAR = 60
MIN_CUE_MS = 1_000
"""How long a cue lasts whose end nobody told: about 17 characters a second can be read, and one second is needed."""


class Cue(msgspec.Struct, frozen=True):
    """What is on the screen for a while."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


class Writer(Protocol):
    """One format. The pieces of what it returns, one after the other, are the document."""

    def head(self) -> str:
        """What comes first."""

    def piece(self, record: Transcribed) -> str:
        """The next stretch of speech."""

    def tail(self) -> str:
        """What would come last if the document ended here; changes nothing."""


def writer(form: Format) -> Writer:
    """The writer of a format."""
    writers: dict[Format, type[Writer]] = {"txt": TextWriter, "srt": SrtWriter, "vtt": VttWriter, "json": JsonWriter}
    return writers[form]()


def cues(record: Transcribed) -> list[Cue]:
    """A stretch of speech in pieces that fit on a screen, each for its share of the time."""
    text = one_line(record.text)
    lines = textwrap.wrap(text, LINE_CHARS)
    end_ms = record.end_ms or record.start_ms + max(MIN_CUE_MS, MS_PER_CHAR * len(text))
    chars = sum(map(len, lines))
    made: list[Cue] = []
    shown, start_ms = 0, record.start_ms
    for at in range(0, len(lines), CUE_LINES):
        part = tuple(lines[at : at + CUE_LINES])
        shown += sum(map(len, part))
        until_ms = record.start_ms + (end_ms - record.start_ms) * shown // chars
        made.append(Cue(start_ms, until_ms, part))
        start_ms = until_ms
    return made


class TextWriter:
    """A line for each stretch of speech."""

    def head(self) -> str:
        """Nothing."""
        return ""

    def piece(self, record: Transcribed) -> str:
        """One line."""
        return one_line(record.text) + "\n"

    def tail(self) -> str:
        """Nothing."""
        return ""


class SrtWriter(TextWriter):
    """SubRip."""

    def __init__(self) -> None:
        self._number = 0

    def piece(self, record: Transcribed) -> str:
        """Its cues, numbered on."""
        return "".join(self._cue(cue) for cue in cues(record))

    def _cue(self, cue: Cue) -> str:
        self._number += 1
        # An arrow is what players know the line of times by.
        lines = "\n".join(cue.lines).replace("-->", "->")
        return f"{self._number}\n{_time(cue.start_ms, ',')} --> {_time(cue.end_ms, ',')}\n{lines}\n\n"


class VttWriter(TextWriter):
    """WebVTT."""

    def head(self) -> str:
        """Its signature."""
        return "WEBVTT\n\n"

    def piece(self, record: Transcribed) -> str:
        """Its cues."""
        return "".join(
            f"{_time(cue.start_ms, '.')} --> {_time(cue.end_ms, '.')}\n{_escaped(cue.lines)}\n\n"
            for cue in cues(record)
        )


class JsonWriter:
    """One document: the stretches with their times in ms, and the whole text."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def head(self) -> str:
        """The beginning of the list."""
        return '{\n  "segments": ['

    def piece(self, record: Transcribed) -> str:
        """The next stretch in the list."""
        mark = "," if self._texts else ""
        self._texts.append(record.text)
        stretch = {"start_ms": record.start_ms, "end_ms": record.end_ms, "text": record.text}
        return f"{mark}\n    {msgspec.json.encode(stretch).decode()}"

    def tail(self) -> str:
        """The end of the list, and the text."""
        return f'\n  ],\n  "text": {msgspec.json.encode(" ".join(self._texts)).decode()}\n}}\n'


def _time(ms: int, mark: str) -> str:
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{rest:03}"


def _escaped(lines: tuple[str, ...]) -> str:
    return "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
