"""What each view prints, from real records."""

from __future__ import annotations

import io
import json

import pytest

from realtime_cli.conversation.records import (
    AssistantDelta,
    AssistantSaid,
    AudioReported,
    Ended,
    Notice,
    Record,
    SessionStarted,
    Snapshot,
    Trouble,
    UsageReported,
    UserSaid,
)
from realtime_cli.errors import InputError
from realtime_cli.ports import View
from realtime_cli.settings.settings import Settings
from realtime_cli.view.choose import choose_view
from realtime_cli.view.jsonl import JsonView
from realtime_cli.view.plain import PlainView
from realtime_cli.view.quiet import QuietView
from realtime_cli.view.stats import StatsView

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
    usd=0.0213,
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
        "began_ms_ago": None,
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
        "stats: first text 310 ms · first audio 540 ms · done 2.15 s · 120 tokens in (64 cached), 40 out · $0.0213",
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


def test_statistics_end_with_what_went_wrong_with_the_sound() -> None:
    out, err = io.StringIO(), io.StringIO()
    audio = AudioReported(underruns=2, underflows=3, overflows=4, dropped_blocks=5)
    played(StatsView(PlainView(out, err, streaming=False)), *PIECES, ANSWERED, audio, ENDED)
    assert err.getvalue().splitlines() == [
        "stats: sound: 2 underruns, 5 blocks dropped · device: 3 underflows, 4 overflows",
    ]


def test_statistics_name_only_what_was_measured() -> None:
    err = io.StringIO()
    StatsView(QuietView(io.StringIO(), err, streaming=True), err).show(
        UsageReported(response_id="r", input_tokens=3, output_tokens=4), 0
    )
    assert err.getvalue() == "stats: 3 tokens in, 4 out · no price known\n"


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
