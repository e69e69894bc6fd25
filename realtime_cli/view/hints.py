"""What the keys do now, in one row, and what all of them do. Pure."""

from __future__ import annotations

from textwrap import wrap

from realtime_cli.controls import Controls
from realtime_cli.conversation.records import Snapshot
from realtime_cli.printable import one_line
from realtime_cli.view.layout import Span, Spans, fitted, spans_cells
from realtime_cli.view.status import Part, joined

MIN_CELLS = 12
"""Of a row of help: narrower, and it is cut off rather than broken."""

TYPING_KEYS = (
    ("Enter", "send the line"),
    ("Esc, Ctrl-C", "leave the line"),
    ("↑ ↓", "what was typed before"),
    ("Tab", "complete a command"),
    ("Alt-Enter", "a line break"),
    ("Ctrl-A E U K W Y", "as in a shell"),
)


def hints(snapshot: Snapshot, controls: Controls, width: int) -> Spans:
    """The keys that do something now, as they stand in the place of the line that may be typed."""
    keys = [Part([Span(text, "dim")], rank, "key") for text, rank in _keys(snapshot, controls)]
    return joined(keys, width)


def _keys(snapshot: Snapshot, controls: Controls) -> list[tuple[str, int]]:
    if snapshot.question:
        answers = [("y yes", 1), ("n no", 1), ("a always", 2)] if controls.answers else []
        return [*answers, ("Ctrl-C quit", 9)]
    if snapshot.talking:
        return [(_talk_hint(snapshot, controls), 1), ("Esc discard", 2)]
    speech = [(_talk_hint(snapshot, controls), 1)] if controls.push_to_talk else []
    write = "speak or type" if controls.listens and not (controls.push_to_talk or controls.muted) else "type"
    stop = [("Esc stop", 2)] if snapshot.phase.replying else []
    mute = [("F2 unmute" if controls.muted else "F2 mute", 4)] if controls.mutes else []
    return [*speech, (write, 3), *stop, *mute, ("? keys", 6), ("Ctrl-C quit", 5)]


def _talk_hint(snapshot: Snapshot, controls: Controls) -> str:
    if controls.hold:
        return f"release {controls.talk_key} to send" if snapshot.talking else f"hold {controls.talk_key} to talk"
    return f"{controls.talk_key} send" if snapshot.talking else f"{controls.talk_key} talk"


def help_rows(controls: Controls, width: int, height: int) -> list[Spans]:
    """The list of the keys, in at most ``height`` rows."""
    keys = [("any character", "begin a message; / begins a command, /help lists them")]
    if controls.push_to_talk:
        hold = "hold to talk, release to send" if controls.hold else "tap to talk, tap again to send"
        keys.append((controls.talk_key, hold))
        keys.append(("Esc", "stop what is being said, or throw away what you say"))
    else:
        keys.append(("Esc", "stop what is being said"))
    if controls.mutes:
        keys.append(("F2, Alt-M", "mute the microphone, or open it again"))
    keys += [*TYPING_KEYS, ("Ctrl-D", "end"), ("Ctrl-C", "clear the line, or end"), ("?", "close this list")]
    widest = max(len(key) for key, _ in keys)
    rows: list[Spans] = []
    for key, text in keys:
        # Under its own column, where the window is narrow.
        first, *more = wrap(text, max(MIN_CELLS, width - widest - 2))
        rows += [[Span(f"{key:>{widest}}  ", "bold cyan"), Span(first)]]
        rows += [[Span(" " * (widest + 2)), Span(words)] for words in more]
    return [fitted(row, width) for row in rows[:height]]


def candidates_row(candidates: tuple[str, ...], width: int) -> Spans:
    """What a line may become, as much of it as fits."""
    row: Spans = []
    for candidate in candidates:
        # The part that they have in common is on the line already: the last word tells them apart.
        word = Span(one_line(candidate).rpartition(" ")[2] + "  ", "cyan")
        if spans_cells([*row, word]) > width - 1:
            return [*row, Span("…", "dim")]
        row.append(word)
    return row
