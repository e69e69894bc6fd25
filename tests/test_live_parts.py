"""What the status line says: the live view's parts that need no terminal."""

from __future__ import annotations

import msgspec
import pytest
from rich.cells import cell_len

from realtime_cli.controls import Controls
from realtime_cli.conversation.records import Phase, Snapshot, Totals
from realtime_cli.view.input_line import input_line
from realtime_cli.view.status import status_line

FULL = Snapshot(
    phase=Phase.LISTENING,
    provider="openai",
    model="gpt-realtime-2",
    totals=Totals(turns=3, input_tokens=1200, output_tokens=350),
)
KEYS = Controls(keyboard=True)


@pytest.mark.parametrize("width", [1, 5, 20, 39, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("phase", list(Phase))
def test_the_status_line_never_exceeds_the_window(width: int, phase: Phase) -> None:
    snapshot = msgspec.structs.replace(FULL, phase=phase, model="模型" * 30, talking=phase is Phase.HEARING)
    for controls in (Controls(), KEYS, Controls(keyboard=True, push_to_talk=True, hold=True), Controls(typing="x")):
        status = status_line(snapshot, controls, width, talking_s=3601)
        assert status.cell_len <= width
        assert "\n" not in status.plain


def test_the_status_line_says_the_most_useful_first() -> None:
    assert status_line(FULL, KEYS, 39).plain == "● listening   F2 mute · Ctrl-C quit"
    assert (
        status_line(FULL, KEYS, 79).plain == "● listening   openai · gpt-realtime-2 · 3 turns   F2 mute · Ctrl-C quit"
    )
    assert (
        status_line(FULL, KEYS, 199).plain == "● listening   openai · gpt-realtime-2 · 3 turns · 1.6k tokens   "
        "F2 mute · ? keys · Ctrl-C quit"
    )


def test_the_status_line_tells_who_has_the_microphone() -> None:
    def says(controls: Controls, **changes: object) -> str:
        return status_line(msgspec.structs.replace(FULL, **changes), controls, 60, talking_s=65).plain

    tapped = Controls(keyboard=True, push_to_talk=True)
    held = Controls(keyboard=True, push_to_talk=True, hold=True)
    assert says(tapped).startswith("○ ready ")
    assert "space talk" in says(tapped)
    assert "hold space to talk" in says(held)
    assert says(tapped, talking=True).startswith("◉ talking 1:05")
    assert "space send" in says(tapped, talking=True)
    assert "release space to send" in says(held, talking=True)
    muted = Controls(keyboard=True, muted=True)
    assert says(muted).startswith("○ muted ")
    assert "F2 unmute" in says(muted)
    assert says(muted, phase=Phase.SPEAKING).startswith("▶ speaking, muted")
    assert says(Controls(half_duplex=True), phase=Phase.SPEAKING).startswith("▶ speaking, not listening")
    assert "Ctrl-C quit" in says(Controls())
    assert "F2 mute" not in says(Controls())


@pytest.mark.parametrize("width", [10, 11, 40, 200])
@pytest.mark.parametrize("cursor", [0, 5, 40, 89, 95])
def test_of_a_long_line_that_is_typed_the_cursor_stays_in_sight(width: int, cursor: int) -> None:
    text = "begin " + "漢字" * 40 + "\nend 👨\u200d👩\u200d👧"
    row, cells = input_line(text, cursor, width)
    assert cell_len(row.plain) < width
    assert cells < width
    shown = row.plain[2:].replace("⏎", "\n").strip("…")
    assert shown in text
    if cursor == 0:
        assert (cells, row.plain[:5]) == (2, "❯ beg")


def test_the_cursor_stands_behind_what_is_typed() -> None:
    assert input_line("/quit", 5, 40).cursor_cells == 7
    assert input_line("/quit", 2, 40).cursor_cells == 4
    assert input_line("a\x1bb", 3, 40).row.plain == "❯ a␛b"


def test_a_pasted_text_is_drawn_by_its_part_on_the_screen_only() -> None:
    text = "x" * 2_000_000
    assert input_line(text, len(text), 80).row.plain == "❯ …" + "x" * 76
