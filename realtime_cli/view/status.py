"""The status line: the state, the levels, and as many facts as fit, the most useful first. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from realtime_cli.controls import Controls
from realtime_cli.conversation.records import Phase, Snapshot, Totals
from realtime_cli.printable import clock, in_ascii, one_line
from realtime_cli.providers.prices import dollars
from realtime_cli.view.layout import Span, Spans, cells, fitted, plain, spans_cells

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

METER_CELLS = 6
METER_FLOOR_DBFS = -60.0
"""What is softer is shown as nothing; each cell is 10 dB, so that speech fills four or five."""

FULL_CELLS, EMPTY_CELLS = "━", "─"

METERS = ("mic", "out")
"""Groups of the two ends, in which a level is followed by a name."""

NAME_CELLS = 20
"""Of a device: many are called by vendor, chip, connector and number."""

GAP = "  "
"""Between the state, each level, the facts and the keys."""

INNER_GAP = " · "
"""Between two facts or two keys."""


class Gauges(msgspec.Struct, frozen=True):
    """What moves by itself: whole cells of the meters (None where there is nothing to measure) and whole seconds."""

    microphone: int | None = None
    speaker: int | None = None
    elapsed_s: int = 0
    talking_s: int = 0
    """For how long the push-to-talk microphone has been open."""
    microphone_name: str = ""
    speaker_name: str = ""


class Part(NamedTuple):
    """A piece of a row. The higher ``rank``, the sooner it is left out."""

    spans: Spans
    rank: int
    group: str


def meter_cells(dbfs: float, before: int) -> int:
    """How much of a meter is full; it rises at once, and falls by one cell a drawing, so that it can be read."""
    level = 0 if math.isinf(dbfs) else round((1 - dbfs / METER_FLOOR_DBFS) * METER_CELLS)
    return max(0, min(METER_CELLS, max(level, before - 1)))


def status_line(snapshot: Snapshot, controls: Controls, width: int, gauges: Gauges = Gauges()) -> Spans:  # noqa: B008 -- immutable
    """One row of at most ``width`` cells."""
    hints = [] if controls.keyboard else [Part([Span("Ctrl-C quit")], 2, "key")]
    return joined([_state(snapshot, controls, gauges), *_meters(gauges), *_facts(snapshot, gauges), *hints], width)


def joined(parts: list[Part], width: int) -> Spans:
    """The parts in one row, without those of the highest ranks if there is not room for all."""
    parts = list(parts)
    while len(parts) > 1 and spans_cells(_row(parts)) > width:
        parts.remove(max(parts, key=lambda part: part.rank))
    return fitted(_row(parts), width)


def _row(parts: list[Part]) -> Spans:
    row: Spans = []
    for before, part in zip([None, *parts], parts, strict=False):
        if before:
            inner = " " if part.group in METERS else INNER_GAP
            row.append(Span(inner if before.group == part.group else GAP, "dim"))
        row += part.spans
    return row


def _state(snapshot: Snapshot, controls: Controls, gauges: Gauges) -> Part:
    text, style = _state_text(snapshot, controls, gauges.talking_s)
    return Part([Span(text, style)], 0, "state")


def _state_text(snapshot: Snapshot, controls: Controls, talking_s: int) -> tuple[str, str]:
    if snapshot.opening:
        return "◌ opening the microphone", "yellow"
    if snapshot.talking:
        left_s = controls.talk_limit_s - talking_s
        soon = f", {max(0, left_s)} s left" if left_s <= LAST_SECONDS else ""
        return f"◉ talking {talking_s // 60}:{talking_s % 60:02}{soon}", "bold red"
    if snapshot.question:
        # A letter belongs to the line that is typed, and not to a question that came meanwhile.
        first = ": send or leave the line first" if controls.typing else ""
        return f"? your consent{first}", "bold yellow"
    if snapshot.running and snapshot.phase in (Phase.LISTENING, Phase.THINKING):
        more = f" and {len(snapshot.running) - 1} more" if len(snapshot.running) > 1 else ""
        return f"⚙ running {one_line(in_ascii(snapshot.running[0]))}{more}", "yellow"
    symbol, style = PHASES[snapshot.phase]
    if snapshot.microphone != "works":
        if snapshot.microphone == "lost" and snapshot.phase in (Phase.LISTENING, Phase.HEARING):
            return "○ microphone lost", "bold red"
        return f"{symbol} {snapshot.phase.value}, microphone {snapshot.microphone}", "bold red"
    if controls.muted:
        if snapshot.phase in (Phase.LISTENING, Phase.HEARING):
            return "○ muted", "bold red"
        return f"{symbol} {snapshot.phase.value}, muted", "bold red"
    if controls.half_duplex and snapshot.phase is Phase.SPEAKING:
        return f"{symbol} speaking, not listening", style
    if snapshot.phase is Phase.LISTENING and (controls.push_to_talk or not controls.listens):
        # There is no microphone, or it is closed: nobody listens.
        return "○ ready", style
    return f"{symbol} {snapshot.phase.value}", style


def _meters(gauges: Gauges) -> list[Part]:
    """The level of each end, and behind it what the device is called."""
    ends = (
        ("mic", gauges.microphone, 1, "green", gauges.microphone_name, 7),
        ("out", gauges.speaker, 5, "magenta", gauges.speaker_name, 8),
    )
    parts = []
    for end, full, rank, style, name, name_rank in ends:
        if full is not None:
            parts.append(Part(_meter(end, full, style), rank, end))
            if name:
                parts.append(Part([Span(_short_name(name), "dim")], name_rank, end))
    return parts


def _short_name(name: str) -> str:
    name = one_line(name)
    if cells(name) <= NAME_CELLS:
        return name
    return plain(fitted([Span(name)], NAME_CELLS - 1)).rstrip() + "…"


def _meter(name: str, full: int, style: str) -> Spans:
    meter = [Span(FULL_CELLS * full, style), Span(EMPTY_CELLS * (METER_CELLS - full), "dim")]
    return [Span(f"{name} ", "dim"), *(span for span in meter if span.text)]


def _facts(snapshot: Snapshot, gauges: Gauges) -> list[Part]:
    totals = snapshot.totals
    tokens = totals.input_tokens + totals.output_tokens
    connected = snapshot.phase is not Phase.CONNECTING
    facts = [
        # A server that serves one model is often called like it.
        (snapshot.provider if snapshot.provider != snapshot.model else "", 10),
        (snapshot.model, 6),
        (clock(gauges.elapsed_s) if connected else "", 4),
        (_money(totals), 3),
        (f"{totals.turns} turn{'s' * (totals.turns != 1)}" if totals.turns else "", 9),
        (f"{_short(tokens)} tokens" if tokens else "", 11),
    ]
    return [Part([Span(one_line(text), "dim")], rank, "fact") for text, rank in facts if text]


def _money(totals: Totals) -> str:
    """What it cost so far; a plus where something had no known price, and nothing where nothing had one."""
    if not totals.usd:
        return ""
    return f"{dollars(totals.usd, brief=True)}{'' if totals.priced else '+'}"


def _short(number: int) -> str:
    if number < 1000:
        return str(number)
    return f"{number / 1000:.1f}k" if number < 100_000 else f"{number / 1000:.0f}k"
