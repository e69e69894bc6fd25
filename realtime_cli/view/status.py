"""The status line: as many facts as fit, the most useful first. Pure."""

from __future__ import annotations

from typing import NamedTuple

from rich.text import Text

from realtime_cli.controls import Controls
from realtime_cli.conversation.records import Phase, Snapshot, ToolAsked
from realtime_cli.printable import one_line
from realtime_cli.view.tool_lines import question_text

PHASES = {
    Phase.CONNECTING: ("○", "yellow"),
    Phase.RECONNECTING: ("○", "bold yellow"),
    Phase.LISTENING: ("●", "green"),
    Phase.HEARING: ("◉", "bold cyan"),
    Phase.THINKING: ("◌", "yellow"),
    Phase.SPEAKING: ("▶", "magenta"),
    Phase.ENDED: ("■", "dim"),
}

LAST_SECONDS = 10
"""Of a press of the talk key, in which it is shown how many are left."""

GAP = "   "
"""Between the state, the facts and the keys."""

INNER_GAP = " · "
"""Between two facts or two keys."""


class Part(NamedTuple):
    """A piece of the line. The higher ``rank``, the sooner it is left out."""

    text: str
    style: str
    rank: int
    group: str


def status_line(snapshot: Snapshot, controls: Controls, width: int, talking_s: int = 0) -> Text:
    """One line of at most ``width`` cells. ``talking_s``: for how long the push-to-talk microphone has been open."""
    parts = [_state(snapshot, controls, talking_s), *_facts(snapshot), *_hints(snapshot, controls)]
    while len(parts) > 1 and _joined(parts).cell_len > width:
        parts.remove(max(parts, key=lambda part: part.rank))
    line = _joined(parts)
    line.truncate(width)
    return line


def _joined(parts: list[Part]) -> Text:
    line = Text(no_wrap=True, end="")
    for before, part in zip([None, *parts], parts, strict=False):
        if before:
            line.append(INNER_GAP if before.group == part.group else GAP, "dim")
        line.append(part.text, part.style)
    return line


def _state(snapshot: Snapshot, controls: Controls, talking_s: int) -> Part:
    if snapshot.opening:
        return Part("◌ opening the microphone", "yellow", 0, "state")
    if snapshot.talking:
        left_s = controls.talk_limit_s - talking_s
        soon = f", {max(0, left_s)} s left" if left_s <= LAST_SECONDS else ""
        return Part(f"◉ talking {talking_s // 60}:{talking_s % 60:02}{soon}", "bold red", 0, "state")
    if snapshot.question:
        return Part("? your consent", "bold yellow", 0, "state")
    if snapshot.running and snapshot.phase in (Phase.LISTENING, Phase.THINKING):
        more = f" and {len(snapshot.running) - 1} more" if len(snapshot.running) > 1 else ""
        return Part(f"⚙ running {one_line(snapshot.running[0])}{more}", "yellow", 0, "state")
    symbol, style = PHASES[snapshot.phase]
    if snapshot.microphone != "works":
        if snapshot.microphone == "lost" and snapshot.phase in (Phase.LISTENING, Phase.HEARING):
            return Part("○ microphone lost", "bold red", 0, "state")
        return Part(f"{symbol} {snapshot.phase.value}, microphone {snapshot.microphone}", "bold red", 0, "state")
    if controls.muted:
        if snapshot.phase in (Phase.LISTENING, Phase.HEARING):
            return Part("○ muted", "bold red", 0, "state")
        return Part(f"{symbol} {snapshot.phase.value}, muted", "bold red", 0, "state")
    if controls.half_duplex and snapshot.phase is Phase.SPEAKING:
        return Part(f"{symbol} speaking, not listening", style, 0, "state")
    if snapshot.phase is Phase.LISTENING and (controls.push_to_talk or not controls.listens):
        # There is no microphone, or it is closed: nobody listens.
        return Part("○ ready", style, 0, "state")
    return Part(f"{symbol} {snapshot.phase.value}", style, 0, "state")


def _facts(snapshot: Snapshot) -> list[Part]:
    totals = snapshot.totals
    tokens = totals.input_tokens + totals.output_tokens
    parts = [
        (snapshot.provider, 7),
        (snapshot.model, 5),
        (f"{totals.turns} turn{'s' * (totals.turns != 1)}" if totals.turns else "", 6),
        (f"{_short(tokens)} tokens" if tokens else "", 8),
    ]
    return [Part(one_line(text), "dim", rank, "fact") for text, rank in parts if text]


def _hints(snapshot: Snapshot, controls: Controls) -> list[Part]:
    """The keys that do something now."""
    if controls.typing is not None:
        keys = [("Enter send", 1), ("Esc cancel", 2)]
    elif not controls.keyboard:
        keys = [("Ctrl-C quit", 2)]
    elif snapshot.question:
        keys = [("y yes", 1), ("n no", 1), ("a always", 2), ("Ctrl-C quit", 9)]
    else:
        speech = [(_talk_hint(snapshot, controls), 1)] if controls.push_to_talk else []
        mute = [(_mute_hint(controls), 3)] if controls.mutes else []
        keys = [*speech, *mute, ("? keys", 9), ("Ctrl-C quit", 2)]
    return [Part(text, "", rank, "key") for text, rank in keys]


def _talk_hint(snapshot: Snapshot, controls: Controls) -> str:
    if controls.hold:
        return f"release {controls.talk_key} to send" if snapshot.talking else f"hold {controls.talk_key} to talk"
    return f"{controls.talk_key} send" if snapshot.talking else f"{controls.talk_key} talk"


def _mute_hint(controls: Controls) -> str:
    return "F2 unmute" if controls.muted else "F2 mute"


def _short(number: int) -> str:
    if number < 1000:
        return str(number)
    return f"{number / 1000:.1f}k" if number < 100_000 else f"{number / 1000:.0f}k"


def question_line(question: ToolAsked, width: int) -> Text:
    """What the user is asked, cut to the window."""
    line = Text(one_line(question_text(question)), "bold yellow", no_wrap=True, end="")
    line.truncate(width, overflow="ellipsis")
    return line
