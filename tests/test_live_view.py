"""The live view under a real pseudo-terminal, as a person sees it."""

from __future__ import annotations

import re
import sys

import msgspec
import pytest

from realtime_cli.controls import Controls
from realtime_cli.conversation.records import (
    AssistantDelta,
    AssistantSaid,
    Line,
    Phase,
    Snapshot,
    Totals,
    UserSaid,
)
from realtime_cli.view.region import Region, Row, reflows

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX's", allow_module_level=True)

from tests.pty_driver import Terminal

EVIL = "red \x1b[31mpaint\x07 and \x9b2Jmore\x7f"
FULL = Snapshot(
    phase=Phase.LISTENING,
    provider="openai",
    model="gpt-realtime-2",
    totals=Totals(turns=3, input_tokens=1200, output_tokens=350),
)
KEYS = Controls(keyboard=True)


def line(item_id: str, text: str = "", *, pending: bool = False) -> Line:
    role = "user" if item_id.startswith("u") else "assistant"
    return Line(item_id=item_id, role=role, text=text, pending=pending)


# The live view

LIVE = """
import os, select, sys, termios
import msgspec
from realtime_cli.settings.settings import Settings
from realtime_cli.controls import Controls
from realtime_cli.conversation.records import AssistantDelta, AssistantSaid, Notice, Snapshot, Trouble, UserSaid
from realtime_cli.view.choose import choose_view
controls = Controls(keyboard=True)
view = choose_view(Settings(), streaming=False, controls=lambda: controls)
view.open()
snapshot = Snapshot()
modes = termios.tcgetattr(0)
modes[3] &= ~(termios.ECHO | termios.ICANON)
termios.tcsetattr(0, termios.TCSANOW, modes)
buffer = b""
while True:
    if select.select([0], [], [], 0.02)[0]:
        buffer += os.read(0, 65536)
        *lines, buffer = buffer.split(b"\\n")
        for line in lines:
            kind, body = line[:1], line[1:]
            if kind == b"s":
                snapshot = msgspec.json.decode(body, type=Snapshot)
            elif kind == b"r":
                view.show(msgspec.json.decode(body, type=UserSaid | AssistantSaid | AssistantDelta), 0.0)
            elif kind == b"n":
                view.show(Notice(text=body.decode()), 0.0)
            elif kind == b"e":
                view.show(Trouble(message=body.decode()), 0.0)
            elif kind == b"c":
                controls = msgspec.json.decode(body, type=Controls)
            else:
                view.close()
                print("closed", flush=True)
                sys.exit(0)
            view.draw(snapshot)
    view.draw(snapshot)
"""


class Live(Terminal):
    """The live view in a program that draws what it is told."""

    def __init__(self, columns: int = 80, lines: int = 24, **environ: str) -> None:
        super().__init__(
            [sys.executable, "-c", LIVE], columns=columns, lines=lines, environ={"NO_COLOR": "", **environ}
        )
        self.told: set[str] = set()
        self.wait_for("connecting")

    def show(self, snapshot: Snapshot) -> None:
        self.send(b"s" + msgspec.json.encode(snapshot) + b"\n")

    def set(self, controls: Controls) -> None:
        self.send(b"c" + msgspec.json.encode(controls) + b"\n")

    def tell(self, record: UserSaid | AssistantSaid | AssistantDelta) -> None:
        self.send(b"r" + msgspec.json.encode(record) + b"\n")

    def lines(self, *lines: Line, phase: Phase = Phase.LISTENING) -> None:
        """As the core does: what is whole comes as a record, once, and only the rest is in the snapshot."""
        for line in lines:
            if not line.pending and line.item_id not in self.told:
                self.told.add(line.item_id)
                said = AssistantSaid(item_id=line.item_id, text=line.text, interrupted=line.interrupted)
                self.tell(UserSaid(item_id=line.item_id, text=line.text) if line.role == "user" else said)
        still_open = tuple(line for line in lines if line.item_id not in self.told)
        self.show(msgspec.structs.replace(FULL, lines=still_open, phase=phase))

    def steady(self) -> list[str]:
        """The screen, with a T for the time that passed."""
        return [re.sub(r"\b\d+:\d\d\b", "T", row) for row in self.screen()]

    def end(self) -> list[str]:
        self.send("q\n")
        self.wait_for_end()
        return self.everything()


def reply(text: str, heard: int, *, pending: bool = True) -> Line:
    return Line(item_id="a1", role="assistant", text=text, pending=pending, heard_chars=heard)


REPLY = "The capital of France is Paris, and [red]markup[/red] stays as it is. 日本語も 😀 fine."
STATUS = {
    40: "● listening  gpt-realtime-2 · T",
    80: "● listening  openai · gpt-realtime-2 · T · 3 turns · 1.6k tokens",
    200: "● listening  openai · gpt-realtime-2 · T · 3 turns · 1.6k tokens",
}
KEYS_NOW = {
    40: "❯ speak or type · F2 mute · Ctrl-C quit",
    80: "❯ speak or type · F2 mute · ? keys · Ctrl-C quit",
    200: "❯ speak or type · F2 mute · ? keys · Ctrl-C quit",
}
ROWS = {
    40: [
        " ai  The capital of France is Paris,",
        "     and [red]markup[/red] stays as it",
        "     is. 日本語も 😀 fine.",
    ],
    80: [
        " ai  The capital of France is Paris, and [red]markup[/red] stays as it is. 日本",
        "     語も 😀 fine.",
    ],
    200: [" ai  " + REPLY],
}


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_live_view_at_every_width(columns: int) -> None:
    bottom = [STATUS[columns], KEYS_NOW[columns]]
    with Live(columns) as terminal:
        terminal.lines(line("u1", "Where is Paris?"), reply(REPLY, 10))
        terminal.wait_for("fine.")
        assert terminal.steady() == ["you  Where is Paris?", *ROWS[columns], *bottom]
        terminal.lines(line("u1", "Where is Paris?"), reply(REPLY, 99, pending=False), line("u2", pending=True))
        terminal.wait_for("you  …")
        assert terminal.steady() == ["you  Where is Paris?", *ROWS[columns], "you  …", *bottom]
        assert not terminal.cursor_hidden
        assert terminal.end() == ["you  Where is Paris?", *ROWS[columns], "you  …", "closed"]


def test_what_was_heard_stands_out_from_what_was_not() -> None:
    with Live() as terminal:
        terminal.lines(reply("Heard not heard", 6), phase=Phase.SPEAKING)
        terminal.wait_for("not heard")
        assert b"  Heard \x1b[2mnot heard\x1b[0m" in terminal.raw


def test_an_interrupted_reply_shows_what_was_heard_and_says_so() -> None:
    with Live() as terminal:
        cut = Line(item_id="a1", role="assistant", text="It is", heard_chars=5, interrupted=True)
        terminal.lines(cut, line("u2", pending=True), phase=Phase.HEARING)
        terminal.wait_for("hearing you")
        assert terminal.screen()[:2] == [" ai  It is — [interrupted]", "you  …"]


def test_of_a_reply_that_was_cut_the_words_are_struck_that_were_never_heard() -> None:
    with Live() as terminal:
        for piece in (
            "It is a ",
            "truth universally acknowledged, ",
            "that a single man in possession of a good fortune",
        ):
            terminal.tell(AssistantDelta(item_id="a1", text=piece))
        terminal.lines(reply("It is a truth universally acknowledged, that", 8), phase=Phase.SPEAKING)
        terminal.wait_for("universally")
        terminal.lines(Line(item_id="a1", role="assistant", text="It is a", heard_chars=7, interrupted=True))
        terminal.wait_for("[interrupted:")
        assert terminal.screen()[:2] == [
            " ai  It is a — [interrupted: truth universally acknowledged, that a single man",
            "     in possession of a good…]",
        ]
        assert re.search(rb"\x1b\[2;9mtruth universally acknowledged", terminal.raw)


def test_a_long_conversation_scrolls_into_the_history_in_order_and_whole() -> None:
    with Live(columns=40, lines=8) as terminal:
        lines: list[Line] = []
        for turn in range(12):
            lines.append(line(f"u{turn}", pending=True))
            terminal.lines(*lines, phase=Phase.HEARING)
            answer = f"Answer {turn}, with so many words that it takes two rows."
            lines.append(line(f"a{turn}", answer, pending=True))
            terminal.lines(*lines, phase=Phase.SPEAKING)
            lines[-2:] = [line(f"u{turn}", f"Question {turn}"), line(f"a{turn}", answer)]
            terminal.lines(*lines)
        expected = [
            row
            for turn in range(12)
            for row in (
                f"you  Question {turn}",
                f" ai  Answer {turn}, with so many words that",
                "     it takes two rows.",
            )
        ]
        assert terminal.end() == [*expected, "closed"]


def test_of_a_reply_taller_than_the_window_the_rows_around_the_voice_are_shown() -> None:
    words = " ".join(f"word{number:03}" for number in range(200))
    with Live(columns=40, lines=10) as terminal:
        for heard in (0, 300, 1590):
            terminal.lines(reply(words, heard), phase=Phase.SPEAKING)
            at = f"word{heard // 8:03}"
            terminal.wait_until(lambda at=at: any(at in row for row in terminal.screen()), at)  # type: ignore[misc]
            assert len(terminal.screen()) <= 10
            assert terminal.screen()[-2].startswith("▶ speaking")
        terminal.lines(reply(words, 1600, pending=False))
        assert " ".join("".join(terminal.end()[:-1]).replace(" ai ", "").split()) == words


def test_nothing_is_written_while_nothing_changes() -> None:
    with Live() as terminal:
        # Not connected: else the time that has passed would change.
        snapshot = Snapshot(lines=(line("a1", "Hi", pending=True),))
        terminal.show(snapshot)
        terminal.wait_for("Hi")
        before = len(terminal.raw)
        for _ in range(5):
            terminal.show(snapshot)
            terminal.set(KEYS)
        terminal.end()
        assert b"\x1b[?2026h" not in terminal.raw[before:]


def test_notices_and_errors_stand_above_and_stay() -> None:
    with Live() as terminal:
        terminal.send("na [bold]new[/bold] microphone\n")
        terminal.wait_for("a [bold]new[/bold] microphone")
        terminal.send("ethe server stumbled\n")
        terminal.wait_for("error: the server stumbled")
        assert b"\x1b[31merror: the server stumbled" in terminal.raw
        assert terminal.end() == ["a [bold]new[/bold] microphone", "error: the server stumbled", "closed"]


def test_escape_sequences_from_the_model_or_the_server_are_shown_and_not_obeyed() -> None:
    with Live() as terminal:
        terminal.send("n\x1b]0;owned\x07\n")
        terminal.show(
            msgspec.structs.replace(
                FULL,
                model="m\x1b[2J",
                lines=(line("u1", EVIL, pending=True), line("a1", EVIL + "\r\x1b[1A", pending=True)),
            )
        )
        terminal.wait_for("you  red ␛[31mpaint␇")
        screen = terminal.wait_for("m␛[2J")
        assert "␛]0;owned␇" in screen[0]
        assert terminal.title == ""
        assert b"\x1b[2J" not in terminal.raw
        assert "\x9b" not in terminal.raw.decode()


def test_the_line_being_typed_is_the_last_row_with_the_cursor_in_it() -> None:
    with Live(columns=40) as terminal:
        terminal.set(Controls(keyboard=True, typing="/quit", cursor=3))
        screen = terminal.wait_for("❯ /quit")
        assert screen == ["○ connecting", "❯ /quit"]
        assert terminal.cursor == (1, 5)
        terminal.set(Controls(keyboard=True, typing="/m", cursor=2, candidates=("/mic ", "/mute")))
        assert terminal.wait_for("/mute") == ["/mic  /mute", "○ connecting", "❯ /m"]
        terminal.set(KEYS)
        assert terminal.wait_for("F2 mute") == ["○ connecting", KEYS_NOW[40]]
        assert terminal.cursor == (1, 2)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_list_of_the_keys_stands_above_the_status_line_until_the_next_key(columns: int) -> None:
    with Live(columns) as terminal:
        terminal.set(Controls(keyboard=True, help=True))
        screen = terminal.wait_for("begin a message")
        keys = ("Ctrl-A", "Ctrl-D", "Ctrl-C", "?")
        assert [row.split()[0] for row in screen[:-2] if row.split()[0] in keys] == list(keys)
        terminal.set(KEYS)
        terminal.wait_until(lambda: len(terminal.screen()) == 2, "no list")


def test_no_color_leaves_no_colour() -> None:
    with Live(NO_COLOR="1") as terminal:
        terminal.send("eit broke\n")
        terminal.lines(line("u1", "Hello"), reply("Hi there", 2))
        terminal.wait_for("Hi there")
        terminal.end()
        assert not re.search(rb"\x1b\[(?:[0-9;]*;)?(?:3|4|9|10)[0-9](?:;[0-9;]*)?m", terminal.raw)


@pytest.mark.parametrize("sizes", [[(40, 24), (120, 24)], [(79, 24), (78, 24), (30, 24)]])
def test_a_resized_window_keeps_every_line_once(sizes: list[tuple[int, int]]) -> None:
    # This terminal cuts rows that no longer fit, as xterm does.
    with Live(XTERM_VERSION="XTerm(390)") as terminal:
        lines = [line("u1", "Hello"), reply(REPLY, 20)]
        terminal.lines(*lines)
        terminal.wait_for("fine.")
        for columns, rows in sizes:
            terminal.resize(columns, rows)
            drawn = len(terminal.raw)
            terminal.wait_until(lambda drawn=drawn: b"\x1b[?2026l" in terminal.raw[drawn:], "a new drawing")  # type: ignore[misc]
            assert [row[:5] for row in terminal.screen()].count(" ai  ") == 1
        terminal.lines(lines[0], reply(REPLY, 99, pending=False))
        told = terminal.end()
        assert " ".join(" ".join(told).split()) == f"you Hello ai {REPLY} closed"


def test_rows_that_the_terminal_wrapped_anew_are_all_erased() -> None:
    written: list[str] = []
    region = Region(written.append)
    region.draw([], [Row("a" * 70, 70), Row("b" * 30, 30), Row("c" * 50, 50)], 80, cursor=2)
    region.draw([], [Row("d", 1)], 35)
    # The cursor is in the first of the two rows of the last; above it are two of the first and one of the second.
    assert "\r\x1b[2K\x1b[B\x1b[2K\x1b[1A" + "\x1b[A\x1b[2K" * 3 + "\x1b[?7l" in written[-1]


def test_only_rows_that_changed_are_written() -> None:
    written: list[str] = []
    region = Region(written.append)
    rows = [Row("one", 3), Row("two", 3), Row("three", 5)]
    region.draw([], rows, 80)
    region.draw([], [rows[0], Row("TWO", 3), rows[2]], 80)
    assert "TWO" in written[-1]
    assert "one" not in written[-1]
    assert "three" not in written[-1]
    region.draw([], [rows[0], Row("TWO", 3), rows[2]], 80)
    assert len(written) == 2


def test_terminals_that_cut_rows_when_they_become_narrower_are_known() -> None:
    assert not reflows({"XTERM_VERSION": "XTerm(390)"})
    assert reflows({"TERM": "tmux-256color"})


def test_after_a_suspension_the_view_goes_on_below_the_shells_lines() -> None:
    with Live() as terminal:
        terminal.lines(line("u1", "Hello"), line("a1", "Hi", pending=True))
        terminal.wait_for("Hi")
        terminal.set(Controls(keyboard=True, resumed=1))
        terminal.wait_until(lambda: sum(row == " ai  Hi" for row in terminal.screen()) == 2, "both regions")
        rows = [row[:5] for row in terminal.screen()]
        assert rows == ["you  ", " ai  ", "● lis", " ai  ", "● lis", "❯ spe"]


def test_while_somebody_else_has_the_terminal_nothing_is_drawn_and_nothing_is_lost() -> None:
    with Live() as terminal:
        terminal.lines(line("u1", "Hello"))
        terminal.wait_for("listening")
        terminal.set(Controls(keyboard=True, away=True))
        terminal.tell(UserSaid(item_id="u2", text="Meanwhile"))
        terminal.set(Controls(keyboard=True, resumed=1))
        terminal.wait_for("you  Meanwhile")
        rows = ["you  ", "● lis", "you  ", "● lis", "❯ spe"]
        terminal.wait_until(lambda: [row[:5] for row in terminal.screen()] == rows, "the view below what it left")


def test_a_transcript_that_comes_after_the_next_turn_is_marked() -> None:
    with Live() as terminal:
        terminal.lines(line("u1", pending=True), line("a1", "Hello"), line("u2", "More"))
        terminal.wait_for("you  …")
        assert terminal.screen()[:3] == [" ai  Hello", "you  More", "you  …"]
        terminal.tell(UserSaid(item_id="u1", text="Hi", late=True))
        terminal.wait_for("(earlier)")
        assert terminal.end() == [" ai  Hello", "you  More", "you  (earlier) Hi", "closed"]
