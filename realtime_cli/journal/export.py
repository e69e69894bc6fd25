"""A saved conversation in other forms: Markdown, text, JSON, and subtitles for its recording. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

import msgspec

from realtime_cli.conversation.records import Transcribed
from realtime_cli.journal.entries import Conversation, Entry
from realtime_cli.printable import clock, json_text, one_line
from realtime_cli.view.subtitles import MIN_CUE_MS, writer

ExportFormat = Literal["md", "json", "txt", "srt", "vtt", "wav"]

WHO = {"user": "You", "transcript": "You", "assistant": "Assistant"}

_MARKDOWN = str.maketrans({char: "\\" + char for char in "\\`*_[]<>#|"})
"""What would otherwise format, link or hide a text in Markdown (https://spec.commonmark.org/0.31.2/#backslash-escapes)."""


def exported(conversation: Conversation, form: Literal["md", "json", "txt", "srt", "vtt"]) -> str:
    """The whole conversation as text in ``form``."""
    if form == "md":
        return markdown(conversation)
    if form == "json":
        return _json(conversation)
    if form == "txt":
        return "".join(f"{line}\n" for line in transcript(conversation))
    subtitles = writer(form)
    pieces = [subtitles.piece(cue) for cue in _cues(conversation)]
    return "".join((subtitles.head(), *pieces, subtitles.tail()))


def transcript(conversation: Conversation) -> Iterator[str]:
    """The lines as they were on the screen: who, what, and what was done."""
    return (line for _began_s, line in timed_transcript(conversation))


def timed_transcript(conversation: Conversation) -> Iterator[tuple[float, str]]:
    """The same, each with the second in which it began."""
    for entry in conversation.entries:
        match entry.type:
            case "user" | "transcript":
                yield entry.began_s, f"you  {one_line(entry.text)}"
            case "assistant":
                cut = " — [interrupted]" if entry.interrupted else ""
                yield entry.began_s, f" ai  {one_line(entry.text)}{cut}"
            case "tool_call":
                yield entry.t, f"tool {one_line(entry.name)}({one_line(entry.arguments)})"
            case "tool_result":
                yield entry.t, f"     {'failed: ' if entry.failed else '→ '}{one_line(entry.output)}"
            case "aside":
                yield entry.t, f"note {one_line(entry.name)}: {one_line(entry.text)}"


def markdown(conversation: Conversation) -> str:
    """A page with a heading, what held the conversation, and each turn with its time."""
    header = conversation.header
    with_whom = ", ".join(_escaped(each) for each in (header.provider, conversation.model) if each)
    name = _escaped(header.id)
    lines = [
        f"# Conversation of {header.at.astimezone():%Y-%m-%d %H:%M}",
        "",
        f"{with_whom} · {clock(int(conversation.duration_s))} · {name}" if with_whom else name,
        "",
    ]
    for entry in conversation.entries:
        if entry.type in WHO:
            cut = " …" if entry.interrupted else ""
            lines += [f"**{WHO[entry.type]}** ({clock(int(entry.began_s))}): {_escaped(entry.text)}{cut}", ""]
        elif entry.type == "tool_call":
            lines += [f"> {_escaped(entry.name)}({_escaped(entry.arguments)})", ">"]
        elif entry.type == "tool_result":
            lines += [f"> {'failed: ' if entry.failed else '→ '}{_escaped(entry.output)}", ""]
        elif entry.type == "aside":
            lines += [f"_{_escaped(entry.name)}: {_escaped(entry.text)}_", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _escaped(text: str) -> str:
    return one_line(text).translate(_MARKDOWN)


def _json(conversation: Conversation) -> str:
    """One document: the header's fields, and all lines as they stand in the file."""
    entries = [msgspec.Raw(line) for line in conversation.lines if _is_object(line)]
    document = msgspec.json.encode({**msgspec.to_builtins(conversation.header), "entries": entries})
    return json_text(msgspec.json.format(document, indent=2).decode()) + "\n"


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except (msgspec.MsgspecError, RecursionError):
        return False


def _cues(conversation: Conversation) -> Iterator[Transcribed]:
    """What was said with its times, none of which overlap: what begins while another speaks cuts that one short."""
    said = [entry for entry in conversation.said if entry.text.strip()]
    for entry, following in zip(said, [*said[1:], None], strict=True):
        start_ms, end_ms = times_ms(entry)
        if following is not None:
            end_ms = min(end_ms, max(start_ms + 1, times_ms(following)[0]))
        who = "" if entry.type == "transcript" else f"{WHO[entry.type]}: "
        yield Transcribed(item_id=entry.item_id, text=who + entry.text, start_ms=start_ms, end_ms=end_ms)


def times_ms(entry: Entry) -> tuple[int, int]:
    """When what was said began and ended, in ms since the start of the program, as well as is known."""
    if entry.start_ms is not None:
        return entry.start_ms, entry.end_ms or entry.start_ms + MIN_CUE_MS
    start = timedelta(seconds=entry.began_s) // timedelta(milliseconds=1)
    told = timedelta(seconds=entry.t) // timedelta(milliseconds=1)
    return start, max(start + (entry.heard_ms or 0), told, start + MIN_CUE_MS)
