"""What each view prints, from real records; the live view under a real pseudo-terminal."""

from __future__ import annotations

import io
import json
import re
import sys

import msgspec
import pytest
from rich.cells import cell_len

from realtime_cli.config import Settings
from realtime_cli.controls import Controls
from realtime_cli.conversation.records import (
    AssistantDelta,
    AssistantSaid,
    Ended,
    Line,
    Notice,
    Phase,
    Record,
    SessionStarted,
    Snapshot,
    Totals,
    Trouble,
    UsageReported,
    UserSaid,
)
from realtime_cli.errors import InputError
from realtime_cli.ports import View
from realtime_cli.view.choose import choose_view
from realtime_cli.view.jsonl import JsonView
from realtime_cli.view.plain import PlainView
from realtime_cli.view.quiet import QuietView
from realtime_cli.view.region import Region, Row, reflows
from realtime_cli.view.stats import StatsView
from realtime_cli.view.status import status_line, typing_line
from realtime_cli.view.text import neutralise, printable
from realtime_cli.view.transcript import Transcript

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX's", allow_module_level=True)

from pty_driver import Terminal

STARTED = SessionStarted(id="sess_1", model="gpt-realtime-2", provider="openai")
ASKED = UserSaid(item_id="u1", text="What is\nthe capital?")
PIECES = [AssistantDelta(item_id="a1", text="It is "), AssistantDelta(item_id="a1", text="Paris.")]
ANSWERED = AssistantSaid(item_id="a1", text="It is Paris.", heard_ms=900)
CUT_SHORT = AssistantSaid(item_id="a1", text="It is", heard_ms=420, interrupted=True)
USED = UsageReported(
    response_id="r1",
    input_tokens=120,
    output_tokens=40,
    cached_tokens=64,
    first_text_ms=310,
    first_audio_ms=540,
    done_ms=2150,
)
ENDED = Ended(reason="done", exit_code=0)
EVIL = "red \x1b[31mpaint\x07 and \x9b2Jmore\x7f"


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def played(view: View, *records: Record) -> None:
    view.open()
    for t, record in enumerate(records):
        view.show(record, t)
        view.draw(Snapshot())
    view.close()
    view.close()


def plain(*records: Record, streaming: bool, out: io.StringIO | None = None) -> tuple[str, str]:
    out, err = out or io.StringIO(), io.StringIO()
    played(PlainView(out, err, streaming=streaming), *records)
    return out.getvalue(), err.getvalue()


# Plain and quiet


def test_a_streaming_reply_is_written_piece_by_piece_and_ends_in_one_line_feed() -> None:
    written: list[str] = []

    class Pipe(io.StringIO):
        def flush(self) -> None:
            written.append(self.getvalue())

    plain(STARTED, *PIECES, ANSWERED, ENDED, streaming=True, out=Pipe())
    assert written == ["It is ", "It is Paris.", "It is Paris.\n"]


def test_standard_output_holds_the_replies_and_nothing_else() -> None:
    records = [STARTED, ASKED, *PIECES, Notice(text="a device came"), Trouble(message="a\nproblem"), ANSWERED, ENDED]
    for streaming in (True, False):
        out, err = plain(*records, streaming=streaming)
        assert out == "It is Paris.\n"
        told = ["you: What is the capital?", "a device came", "error: a problem"]
        assert err.splitlines() == (told if streaming else ["connected to openai · gpt-realtime-2", *told])


def test_what_was_not_heard_of_a_spoken_reply_is_not_printed() -> None:
    out, err = plain(ASKED, *PIECES, CUT_SHORT, streaming=False)
    assert out == "It is\n"
    assert err.splitlines()[-1] == "[interrupted after 0.4 s]"


def test_a_reply_of_which_nothing_was_heard_leaves_no_empty_line() -> None:
    said = AssistantSaid(item_id="a1", text="", heard_ms=0, interrupted=True)
    assert plain(said, streaming=False) == ("", "[interrupted after 0.0 s]\n")


def test_a_reply_that_came_without_pieces_is_printed_whole_and_a_missing_end_is_added() -> None:
    assert plain(ANSWERED, streaming=True)[0] == "It is Paris.\n"
    assert plain(PIECES[0], ANSWERED, streaming=True)[0] == "It is Paris.\n"


def test_pieces_of_two_replies_stand_on_two_lines() -> None:
    other = AssistantDelta(item_id="a2", text="Next.")
    assert plain(*PIECES, other, streaming=True)[0] == "It is Paris.\nNext.\n"


def test_on_a_terminal_a_transcript_that_comes_late_does_not_cut_the_reply_in_two() -> None:
    shared = Screen()
    view = PlainView(shared, shared, streaming=True)
    played(view, PIECES[0], ASKED, PIECES[1], ANSWERED, ENDED)
    assert shared.getvalue() == "It is Paris.\nyou: What is the capital?\n"


def test_a_pipe_does_not_wait_for_the_end_of_a_reply() -> None:
    err = io.StringIO()
    view = PlainView(io.StringIO(), err, streaming=True)
    view.show(PIECES[0], 0)
    view.show(Trouble(message="it broke"), 1)
    assert err.getvalue() == "error: it broke\n"


def test_the_quiet_view_prints_replies_and_errors_only() -> None:
    out, err = io.StringIO(), io.StringIO()
    records = [STARTED, ASKED, *PIECES, Notice(text="psst"), ANSWERED, Trouble(message="it broke"), ENDED]
    played(QuietView(out, err, streaming=True), *records)
    assert (out.getvalue(), err.getvalue()) == ("It is Paris.\n", "error: it broke\n")


def test_control_characters_reach_a_pipe_untouched_and_a_terminal_as_symbols() -> None:
    said = AssistantSaid(item_id="a1", text=EVIL)
    assert plain(said, streaming=False)[0] == EVIL + "\n"
    shown = plain(said, streaming=False, out=Screen())[0]
    assert shown == "red ␛[31mpaint␇ and �2Jmore␡\n"


@pytest.mark.parametrize("code", [*range(32), *range(0x7F, 0xA0)])
def test_no_control_character_but_line_feed_and_tab_survives(code: int) -> None:
    shown = neutralise(f"a{chr(code)}b")
    assert all(char.isprintable() or char in "\n\t" for char in shown)


def test_text_that_the_stream_cannot_encode_is_replaced_and_never_an_error() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert printable("café \ud800", out) == "caf? ?"


def test_a_reader_that_went_away_is_told_to_the_caller() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    view = PlainView(Broken(), io.StringIO(), streaming=True)
    with pytest.raises(BrokenPipeError):
        view.show(PIECES[0], 0.0)


# JSON


def json_lines(*records: Record) -> list[str]:
    out = io.BytesIO()
    played(JsonView(out), *records)
    return out.getvalue().decode("utf-8").splitlines()


def test_every_record_is_one_json_object_a_line_with_its_type_and_time_first() -> None:
    records = [STARTED, ASKED, *PIECES, CUT_SHORT, USED, Trouble(message="x"), Notice(text=EVIL), ENDED]
    lines = json_lines(*records)
    assert [list(json.loads(line))[:2] for line in lines] == [["type", "t"]] * len(records)
    assert [json.loads(line)["type"] for line in lines] == [
        "session",
        "user",
        "assistant_delta",
        "assistant_delta",
        "assistant",
        "usage",
        "error",
        "notice",
        "end",
    ]
    assert json.loads(lines[4]) == {
        "type": "assistant",
        "t": 4,
        "item_id": "a1",
        "text": "It is",
        "heard_ms": 420,
        "interrupted": True,
    }
    assert "\x1b" not in lines[7]
    assert json.loads(lines[7])["text"] == EVIL


def test_times_have_three_decimals() -> None:
    out = io.BytesIO()
    JsonView(out).show(ENDED, 1.23456)
    assert json.loads(out.getvalue())["t"] == 1.235


# Statistics


def test_statistics_follow_the_reply_they_belong_to() -> None:
    out, err = io.StringIO(), io.StringIO()
    view = StatsView(PlainView(out, err, streaming=False))
    played(view, ASKED, *PIECES, USED, ANSWERED, ENDED)
    assert err.getvalue().splitlines() == [
        "you: What is the capital?",
        "stats: first text 310 ms · first audio 540 ms · done 2.15 s · 120 tokens in (64 cached), 40 out",
    ]
    order: list[str] = []

    class Listing(QuietView):
        def show(self, record: Record, _t: float) -> None:
            order.append(type(record).__name__)

    played(StatsView(Listing(out, err, streaming=False)), *PIECES, USED, ANSWERED, ENDED)
    assert order == ["AssistantDelta", "AssistantDelta", "UsageReported", "AssistantSaid", "Notice", "Ended"]


def test_statistics_of_a_reply_that_never_ended_come_before_the_end() -> None:
    out, err = io.BytesIO(), io.StringIO()
    view = StatsView(JsonView(out), err)
    view.show(PIECES[0], 0)
    view.show(USED, 1)
    assert err.getvalue() == ""
    view.show(ENDED, 2)
    assert err.getvalue().startswith("stats: ")
    assert b"stats" not in out.getvalue()


def test_statistics_name_only_what_was_measured() -> None:
    err = io.StringIO()
    StatsView(QuietView(io.StringIO(), err, streaming=True), err).show(
        UsageReported(response_id="r", input_tokens=3, output_tokens=4), 0
    )
    assert err.getvalue() == "stats: 3 tokens in, 4 out\n"


# The choice


def chosen(settings: Settings | None = None, *, screen: bool = True, streaming: bool = False, **environ: str) -> str:
    def make() -> io.StringIO:
        return Screen() if screen else io.StringIO()

    view = choose_view(
        settings or Settings(), streaming=streaming, out=make(), err=make(), environ={"TERM": "xterm", **environ}
    )
    return type(view).__name__


def test_a_terminal_gets_the_live_view_and_everything_else_the_plain_one() -> None:
    assert chosen() == "LiveView"
    assert chosen(screen=False) == "PlainView"
    assert chosen(streaming=True) == "PlainView"
    assert chosen(TERM="dumb") == "PlainView"
    assert chosen(Settings(plain=True)) == "PlainView"
    assert chosen(Settings(quiet=True)) == "QuietView"
    assert chosen(Settings(stats=True)) == "StatsView"


def test_json_is_written_as_bytes_to_standard_output() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    view = choose_view(Settings(json=True), streaming=True, out=out, err=io.StringIO())
    view.show(Notice(text="日本"), 0.0)
    assert "日本" in out.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]


@pytest.mark.parametrize("flags", [{"plain", "json"}, {"json", "quiet"}, {"plain", "quiet"}])
def test_two_views_at_once_are_refused_by_name(flags: set[str]) -> None:
    with pytest.raises(InputError) as refusal:
        chosen(Settings(**dict.fromkeys(flags, True)))
    assert all(f"--{flag}" in str(refusal.value) for flag in flags)


def test_when_standard_output_is_the_loudspeaker_no_text_goes_there() -> None:
    out, err = io.StringIO(), io.StringIO()
    view = choose_view(Settings(speaker="-"), streaming=True, out=out, err=err)
    played(view, *PIECES, ANSWERED)
    assert (out.getvalue(), err.getvalue()) == ("", "It is Paris.\n")
    with pytest.raises(InputError, match="standard output"):
        choose_view(Settings(speaker="-", json=True), streaming=True, out=out, err=err)


# The transcript


def line(item_id: str, text: str = "", *, pending: bool = False) -> Line:
    role = "user" if item_id.startswith("u") else "assistant"
    return Line(item_id=item_id, role=role, text=text, pending=pending)


def told(transcript: Transcript, *lines: Line) -> list[str]:
    return [f"{done.line.item_id}{'late' * done.late}:{done.line.text}" for done in transcript.take_done(lines)]


def test_a_line_is_told_once_and_only_when_it_is_final() -> None:
    transcript = Transcript()
    assert told(transcript, line("u1", "Hi"), line("a1", "He", pending=True)) == ["u1:Hi"]
    assert told(transcript, line("u1", "Hi"), line("a1", "Hello")) == ["a1:Hello"]
    assert told(transcript, line("u1", "Hi"), line("a1", "Hello")) == []


def test_a_transcript_on_its_way_holds_back_the_answer_to_it() -> None:
    transcript = Transcript()
    assert told(transcript, line("u1", pending=True), line("a1", "Hello")) == []
    assert told(transcript, line("u1", "Hi"), line("a1", "Hello")) == ["u1:Hi", "a1:Hello"]


def test_a_transcript_later_than_the_whole_next_turn_is_told_late_but_not_lost() -> None:
    transcript = Transcript()
    waiting, answer = line("u1", pending=True), line("a1", "Hello")
    assert told(transcript, waiting, answer, line("u2", pending=True)) == []
    assert told(transcript, waiting, answer, line("u2", "More")) == ["u1:", "a1:Hello", "u2:More"]
    assert told(transcript, line("u1", "Hi"), answer, line("u2", "More")) == ["u1late:Hi"]
    assert told(transcript, line("u1", "Hi"), answer, line("u2", "More")) == []


def test_at_the_end_every_line_that_is_left_is_told() -> None:
    transcript = Transcript()
    lines = [line("u1", pending=True), line("a1", "Half", pending=True), line("u2", pending=True)]
    assert [done.line.item_id for done in transcript.take_all(lines)] == ["u1", "a1", "u2"]
    assert transcript.take_all(lines) == []


# The status line


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
    assert status_line(FULL, KEYS, 39).plain == "● listening   m mute · Ctrl-C quit"
    assert status_line(FULL, KEYS, 79).plain == "● listening   openai · gpt-realtime-2 · 3 turns   m mute · Ctrl-C quit"
    assert (
        status_line(FULL, KEYS, 199).plain == "● listening   openai · gpt-realtime-2 · 3 turns · 1.6k tokens   "
        "m mute · Enter type · / command · Ctrl-C quit"
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
    assert "m unmute" in says(muted)
    assert says(muted, phase=Phase.SPEAKING).startswith("▶ speaking, muted")
    assert "Ctrl-C quit" in says(Controls())
    assert "m mute" not in says(Controls())


def test_the_end_of_a_long_line_stays_in_sight_while_it_is_typed() -> None:
    assert typing_line("/quit", 40).plain == "❯ /quit "
    for width in (10, 11, 40):
        typed = typing_line("begin " + "漢字" * 40 + " end", width)
        assert cell_len(typed.plain) <= width
        assert typed.plain.startswith("❯ …")
        assert typed.plain.endswith("end ")


# The live view

LIVE = """
import os, select, sys, termios
import msgspec
from realtime_cli.config import Settings
from realtime_cli.controls import Controls
from realtime_cli.conversation.records import AnyRecord, Notice, Snapshot, Trouble
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
        self.wait_for("connecting")

    def show(self, snapshot: Snapshot) -> None:
        self.send(b"s" + msgspec.json.encode(snapshot) + b"\n")

    def set(self, controls: Controls) -> None:
        self.send(b"c" + msgspec.json.encode(controls) + b"\n")

    def lines(self, *lines: Line, phase: Phase = Phase.LISTENING) -> None:
        self.show(msgspec.structs.replace(FULL, lines=lines, phase=phase))

    def end(self) -> list[str]:
        self.send("q\n")
        self.wait_for_end()
        return self.everything()


def reply(text: str, heard: int, *, pending: bool = True) -> Line:
    return Line(item_id="a1", role="assistant", text=text, pending=pending, heard_chars=heard)


REPLY = "The capital of France is Paris, and [red]markup[/red] stays as it is. 日本語も 😀 fine."
STATUS = {
    40: "● listening   m mute · Ctrl-C quit",
    80: "● listening   openai · gpt-realtime-2 · 3 turns   m mute · Ctrl-C quit",
    200: "● listening   openai · gpt-realtime-2 · 3 turns · 1.6k tokens   "
    "m mute · Enter type · / command · Ctrl-C quit",
}
ROWS = {
    40: [
        " ai  The capital of France is Paris,",
        "     and [red]markup[/red] stays as it",
        "     is. 日本語も 😀 fine.",
    ],
    80: [
        " ai  The capital of France is Paris, and [red]markup[/red] stays as it is.",
        "     日本語も 😀 fine.",
    ],
    200: [" ai  " + REPLY],
}


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_live_view_at_every_width(columns: int) -> None:
    with Live(columns) as terminal:
        terminal.lines(line("u1", "Where is Paris?"), reply(REPLY, 10))
        terminal.wait_for("fine.")
        assert terminal.screen() == ["you  Where is Paris?", *ROWS[columns], STATUS[columns]]
        assert terminal.cursor_hidden
        terminal.lines(line("u1", "Where is Paris?"), reply(REPLY, 99, pending=False), line("u2", pending=True))
        terminal.wait_for("you  …")
        assert terminal.screen() == ["you  Where is Paris?", *ROWS[columns], "you  …", STATUS[columns]]
        assert terminal.end() == ["you  Where is Paris?", *ROWS[columns], "you  …", "closed"]
        assert not terminal.cursor_hidden


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
            assert terminal.screen()[-1].startswith("▶ speaking")
        terminal.lines(reply(words, 1600, pending=False))
        assert " ".join("".join(terminal.end()[:-1]).replace(" ai ", "").split()) == words


def test_nothing_is_written_while_nothing_changes() -> None:
    with Live() as terminal:
        terminal.lines(line("u1", "Hello"), line("a1", "Hi", pending=True))
        terminal.wait_for("Hi")
        before = len(terminal.raw)
        for _ in range(5):
            terminal.lines(line("u1", "Hello"), line("a1", "Hi", pending=True))
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
                lines=(line("u1", EVIL), line("a1", EVIL + "\r\x1b[1A", pending=True)),
            )
        )
        terminal.wait_for("you  red ␛[31mpaint␇")
        screen = terminal.wait_for("m␛[2J")
        assert "␛]0;owned␇" in screen[0]
        assert terminal.title == ""
        assert b"\x1b[2J" not in terminal.raw
        assert "\x9b" not in terminal.raw.decode()


def test_a_line_being_typed_has_a_row_and_keys_of_its_own() -> None:
    with Live(columns=40) as terminal:
        terminal.set(Controls(keyboard=True, typing="/qu"))
        screen = terminal.wait_for("Enter send")
        assert screen == ["❯ /qu", "○ connecting   Enter send · Esc cancel"]
        terminal.set(KEYS)
        assert terminal.wait_for("m mute") == ["○ connecting   m mute · Ctrl-C quit"]


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
    out = io.StringIO()
    region = Region(out)
    region.draw([], [Row("a" * 70, 70), Row("b" * 30, 30), Row("", 0)], 80)
    out.truncate(0)
    region.draw([], [Row("c", 1)], 35)
    # Two rows of the first, one each of the others; the cursor is in the last.
    assert "\r\x1b[3A\x1b[J" in out.getvalue()
    assert not reflows({"XTERM_VERSION": "XTerm(390)"})
    assert reflows({"TERM": "tmux-256color"})


def test_after_a_suspension_the_view_goes_on_below_the_shells_lines() -> None:
    with Live() as terminal:
        terminal.lines(line("u1", "Hello"), line("a1", "Hi", pending=True))
        terminal.wait_for("Hi")
        terminal.set(Controls(keyboard=True, resumed=1))
        terminal.wait_until(lambda: sum(row == " ai  Hi" for row in terminal.screen()) == 2, "both regions")
        assert [row[:5] for row in terminal.screen()] == ["you  ", " ai  ", " ai  ", "● lis"]


def test_a_transcript_that_comes_after_the_next_turn_is_marked() -> None:
    with Live() as terminal:
        answer, more = line("a1", "Hello"), line("u2", "More")
        terminal.lines(line("u1", pending=True), answer, more)
        terminal.wait_for("you  More")
        terminal.lines(line("u1", "Hi"), answer, more)
        terminal.wait_for("(earlier)")
        assert terminal.end() == ["you  …", " ai  Hello", "you  More", "you  (earlier) Hi", "closed"]
