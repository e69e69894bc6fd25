"""What the live view is made of and needs no terminal: rows of text, the status line, hints, the line that is typed."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realtime_cli.audio.core.meters import Meters
from realtime_cli.controls import Controls
from realtime_cli.conversation.records import AssistantSaid, Line, Phase, Snapshot, ToolAsked, Totals
from realtime_cli.printable import clock
from realtime_cli.settings.settings import Bidi
from realtime_cli.view.hints import candidates_row, help_rows, hints
from realtime_cli.view.input_line import input_line
from realtime_cli.view.layout import Rows, Span, cells, clusters, fitted, plain, spans_cells
from realtime_cli.view.paragraph import CUT_OFF, UNHEARD, finished, in_progress, wrapped
from realtime_cli.view.right_to_left import is_right_to_left, orders, visual, visual_input
from realtime_cli.view.status import METER_CELLS, Gauges, meter_cells, status_line

FULL = Snapshot(
    phase=Phase.LISTENING,
    provider="openai",
    model="gpt-realtime-2",
    totals=Totals(turns=3, input_tokens=1200, output_tokens=350, usd=0.449),
)
KEYS = Controls(keyboard=True)
FAMILY = "👨\u200d👩\u200d👧"


def rows(text: str, width: int) -> list[str]:
    return [text[start:end] for start, end in Rows(width).of(text)]


# Rows of text


@pytest.mark.parametrize(
    ("text", "width", "broken"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("one  two", 3, ["one", "two"]),
        ("  indented text", 10, ["  indented", "text"]),
        ("a\u00a0b c", 3, ["a\u00a0b", "c"]),
        ("unbreakable", 4, ["unbr", "eaka", "ble"]),
        ("first\n\nsecond\n", 20, ["first", "", "second", ""]),
        ("日本語の文章です。", 11, ["日本語の文", "章です。"]),
        ("これは、長い", 6, ["これ", "は、長", "い"]),
        (f"{FAMILY}{FAMILY}{FAMILY}", 5, [f"{FAMILY}{FAMILY}", FAMILY]),
        ("e\u0301" * 5, 4, ["e\u0301" * 4, "e\u0301"]),
        ("🇩🇪🇫🇷🇯🇵", 4, ["🇩🇪🇫🇷", "🇯🇵"]),
        ("", 5, [""]),
    ],
)
def test_text_breaks_after_blanks_between_ideographs_and_never_within_a_character(
    text: str, width: int, broken: list[str]
) -> None:
    assert rows(text, width) == broken


PIECES = st.sampled_from(
    [
        "a",
        "bc",
        "def ghi",
        " ",
        "\n",
        "日本",
        "。",
        "、",
        FAMILY,
        "  ",
        "e\u0301",
        "longlonglong",
        "\u200b",
        "\u3000",
        "שלום",
    ]
)


@given(st.lists(PIECES, max_size=25), st.integers(2, 20))
@example(["日本", "。", "bc", "a"], 3)
def test_rows_of_a_text_that_grows_are_those_of_the_whole_text_and_lose_nothing(pieces: list[str], width: int) -> None:
    growing, text = Rows(width), ""
    for piece in pieces:
        text += piece
        assert growing.of(text) == Rows(width).of(text)
    broken = rows(text, width)
    assert "".join("".join(broken).split()).replace("\u200b", "") == "".join(text.split()).replace("\u200b", "")
    assert all(cells(row) <= width or len(list(clusters(row))) == 1 for row in broken)


@pytest.mark.parametrize("width", [8, 20, 40, 200])
def test_what_is_printed_for_good_stands_where_it_stood_while_it_grew(width: int) -> None:
    line = Line(item_id="a1", role="assistant", text="The capital of France is Paris. 日本語", heard_chars=99)
    growing = wrapped(in_progress(msgspec.structs.replace(line, pending=True)), width)
    assert list(map(plain, growing)) == list(map(plain, wrapped(in_progress(line), width)))
    assert all(spans_cells(row) <= width for row in growing)


def test_a_row_says_by_its_style_what_was_heard_what_was_not_and_what_never_will_be() -> None:
    line = Line(item_id="a1", role="assistant", text="Heard not heard", pending=True, heard_chars=6)
    assert in_progress(line).body == [Span("Heard "), Span("not heard", UNHEARD)]
    said = AssistantSaid(item_id="a1", text="Heard", interrupted=True)
    cut = finished(said, " not heard")
    assert plain(cut.body) == "Heard — [interrupted: not heard]"
    assert Span("not heard", CUT_OFF) in cut.body
    assert plain(finished(said).body) == "Heard — [interrupted]"


# Right to left


def seen(text: str) -> str:
    return plain(visual([Span(text)], leftwards=is_right_to_left(text)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain (text)", "plain (text)"),
        ("שלום עולם", "םלוע םולש"),
        ("גרסה 3.11 של Python (חדשה).", ".(השדח) Python לש 3.11 הסרג"),
        ("the word שלום means peace", "the word םולש means peace"),
        ("ש\u05b8לום", "םולש\u05b8"),
        ("سلام", "\u0645\ufe8e\ufee0\ufeb3"),
        ("می\u200cخواهم", "\ufee2\ufeeb\u0627\ufeee\ufea7\ufbfd\u200c\ufee3"),
        ("مُحَمَّد", "\ufeaa\ufee4\u064e\u0651\ufea4\u064e\ufee3\u064f"),
        ("👨\u200d👩 سلام", "\u0645\ufe8e\ufee0\ufeb3 👨\u200d👩"),
        ("Tehran تهران 12", "Tehran 12 \u0646\u0627\ufeae\ufeec\ufe97"),
    ],
)
def test_right_to_left_text_is_put_in_the_order_in_which_it_is_read(text: str, shown: str) -> None:
    assert seen(text) == shown


def test_letters_are_joined_one_by_one_so_that_nothing_becomes_wider_or_narrower() -> None:
    for text in ("لا إله إلا الله", "ع\u200d", "پژوهشگر", "ہے یہ اردو", "ئۇيغۇرچە", "مُدَرِّسٌ"):
        assert len(seen(text)) == len(text)
        assert cells(seen(text)) == cells(text)


def test_styles_go_where_their_characters_go() -> None:
    row = visual([Span("שלום "), Span("עולם", UNHEARD)], leftwards=True)
    assert row == [Span("םלוע", UNHEARD), Span(" םולש")]


def test_the_cursor_stands_where_the_next_character_will_be() -> None:
    assert visual_input(input_line("שלום", 4, 40)).cursor_cells == 2
    assert visual_input(input_line("שלום", 0, 40)).cursor_cells == 5
    assert visual_input(input_line("hello", 5, 40)).cursor_cells == 7


@pytest.mark.parametrize(
    ("setting", "environ", "orders_itself"),
    [
        ("auto", {"TERM": "xterm-256color"}, True),
        ("auto", {"VTE_VERSION": "7600"}, False),
        ("auto", {"VTE_VERSION": "5202"}, True),
        ("auto", {"TERM_PROGRAM": "Apple_Terminal"}, False),
        ("auto", {"KONSOLE_VERSION": "230800"}, False),
        ("on", {"VTE_VERSION": "7600"}, True),
        ("off", {"TERM": "xterm"}, False),
    ],
)
def test_terminals_that_order_text_themselves_are_left_to_it(
    setting: Bidi, environ: dict[str, str], orders_itself: bool
) -> None:
    assert orders(setting, environ) is orders_itself


# The status line


@pytest.mark.parametrize("width", [1, 5, 20, 39, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("phase", list(Phase))
def test_the_status_line_never_exceeds_the_window(width: int, phase: Phase) -> None:
    snapshot = msgspec.structs.replace(FULL, phase=phase, model="模型" * 30, talking=phase is Phase.HEARING)
    for controls in (Controls(), KEYS, Controls(keyboard=True, push_to_talk=True, hold=True), Controls(typing="x")):
        names = {"microphone_name": "模型" * 30, "speaker_name": "HDMI \x1b[31m\n2"}
        gauges = Gauges(microphone=3, speaker=6, elapsed_s=3601, talking_s=3601, **names)
        for row in (status_line(snapshot, controls, width, gauges), hints(snapshot, controls, width)):
            assert spans_cells(row) <= width
            assert "\n" not in plain(row)


def test_the_status_line_says_the_most_useful_first() -> None:
    gauges = Gauges(microphone=2, speaker=0, elapsed_s=192)
    lines = {width: plain(status_line(FULL, KEYS, width, gauges)) for width in (39, 59, 79, 199)}
    assert lines == {
        39: "● listening  mic ━━────  3:12 · $0.45",
        59: "● listening  mic ━━────  out ──────  3:12 · $0.45",
        79: "● listening  mic ━━────  out ──────  gpt-realtime-2 · 3:12 · $0.45 · 3 turns",
        199: "● listening  mic ━━────  out ──────  openai · gpt-realtime-2 · 3:12 · $0.45 · 3 turns · 1.6k tokens",
    }
    little = msgspec.structs.replace(FULL, totals=Totals(usd=0.0042, priced=False))
    assert "$0.004+" in plain(status_line(little, KEYS, 79))
    local = msgspec.structs.replace(FULL, provider="local", model="local")
    assert plain(status_line(local, KEYS, 199)).count("local") == 1


def test_the_devices_are_named_behind_their_levels_where_there_is_room_for_the_names() -> None:
    named = {"microphone_name": "Jabra Speak 750", "speaker_name": "HDA Intel PCH: ALC257 Analog (hw:0,0)"}
    gauges = Gauges(microphone=2, speaker=0, elapsed_s=192, **named)
    lines = {width: plain(status_line(FULL, KEYS, width, gauges)) for width in (79, 99, 119, 159)}
    begun = "● listening  mic ━━──── Jabra Speak 750  out ──────"
    assert lines == {
        79: "● listening  mic ━━────  out ──────  gpt-realtime-2 · 3:12 · $0.45",
        99: f"{begun}  gpt-realtime-2 · 3:12 · $0.45",
        119: f"{begun} HDA Intel PCH: ALC2…  gpt-realtime-2 · 3:12 · $0.45 · 3 turns",
        159: f"{begun} HDA Intel PCH: ALC2…  openai · gpt-realtime-2 · 3:12 · $0.45 · 3 turns · 1.6k tokens",
    }
    assert "Jabra" not in plain(status_line(FULL, KEYS, 199, Gauges(microphone_name="Jabra")))


def test_the_keys_that_matter_most_come_with_the_least_room() -> None:
    assert plain(hints(FULL, KEYS, 80)) == "speak or type · F2 mute · ? keys · Ctrl-C quit"
    assert plain(hints(FULL, KEYS, 37)) == "speak or type · F2 mute · Ctrl-C quit"
    speaking = msgspec.structs.replace(FULL, phase=Phase.SPEAKING)
    assert plain(hints(speaking, KEYS, 40)) == "speak or type · Esc stop · F2 mute"
    asked = msgspec.structs.replace(FULL, question=ToolAsked(call_id="1", name="f", arguments="{}"))
    assert plain(hints(asked, msgspec.structs.replace(KEYS, answers=True), 40)).startswith("y yes · n no · a always")
    assert plain(hints(FULL, Controls(keyboard=True, listens=False), 80)) == "type · ? keys · Ctrl-C quit"


@pytest.mark.parametrize(
    ("dbfs", "before", "full"), [(-math.inf, 0, 0), (-60, 0, 0), (-21, 0, 4), (0, 0, 6), (3, 0, 6), (-60, 5, 4)]
)
def test_a_meter_rises_at_once_and_falls_so_that_it_can_be_read(dbfs: float, before: int, full: int) -> None:
    assert meter_cells(dbfs, before) == full <= METER_CELLS


def test_meters_measure_the_block_that_passed_last_and_fall_to_nothing_when_none_comes() -> None:
    meters = Meters()
    assert (meters.microphone_dbfs(), meters.speaker_dbfs()) == (-math.inf, -math.inf)
    meters.heard(np.array([0, -16384, 100], "<i2").tobytes())
    meters.played(np.array([3277, -20], np.int16))
    assert meters.microphone_dbfs() == pytest.approx(-6.02, abs=0.01)
    assert meters.speaker_dbfs() == pytest.approx(-20, abs=0.01)
    assert (meters.microphone_dbfs(), meters.speaker_dbfs()) == (-math.inf, -math.inf)
    meters.heard(b"")
    meters.played(np.zeros(480, np.int16))
    assert (meters.microphone_dbfs(), meters.speaker_dbfs()) == (-math.inf, -math.inf)


def test_time_passed_is_written_like_on_a_clock() -> None:
    assert [clock(seconds) for seconds in (0, 192, 3792)] == ["0:00", "3:12", "1:03:12"]


def test_lists_of_keys_and_of_candidates_fit_the_window() -> None:
    for width in (20, 40, 200):
        for controls in (KEYS, Controls(keyboard=True, push_to_talk=True, talk_key="f5")):
            listed = help_rows(controls, width, 9)
            assert len(listed) == 9
            assert all(spans_cells(row) <= width for row in listed)
    many = tuple(f"/image {name}.png" for name in "abcdefghij")
    assert plain(candidates_row(many, 24)) == "a.png  b.png  c.png  …"
    assert fitted([Span("日本語")], 5) == [Span("日本")]


def test_the_status_line_tells_who_has_the_microphone() -> None:
    def says(controls: Controls, **changes: object) -> str:
        snapshot = msgspec.structs.replace(FULL, **changes)
        gauges = Gauges(talking_s=65)
        return f"{plain(status_line(snapshot, controls, 60, gauges))} | {plain(hints(snapshot, controls, 60))}"

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
    assert plain(status_line(FULL, Controls(), 60)).endswith("Ctrl-C quit")


@pytest.mark.parametrize("width", [10, 11, 40, 200])
@pytest.mark.parametrize("cursor", [0, 5, 40, 89, 95])
def test_of_a_long_line_that_is_typed_the_cursor_stays_in_sight(width: int, cursor: int) -> None:
    text = "begin " + "漢字" * 40 + "\nend 👨\u200d👩\u200d👧"
    row, before = input_line(text, cursor, width)
    assert spans_cells(row) < width
    assert before < width
    shown = plain(row)[2:].replace("⏎", "\n").strip("…")
    assert shown in text
    if cursor == 0:
        assert (before, plain(row)[:5]) == (2, "❯ beg")


def test_the_cursor_stands_behind_what_is_typed() -> None:
    assert input_line("/quit", 5, 40).cursor_cells == 7
    assert input_line("/quit", 2, 40).cursor_cells == 4
    assert plain(input_line("a\x1bb", 3, 40).row) == "❯ a␛b"


def test_a_pasted_text_is_drawn_by_its_part_on_the_screen_only() -> None:
    text = "x" * 2_000_000
    assert plain(input_line(text, len(text), 80).row) == "❯ …" + "x" * 76
