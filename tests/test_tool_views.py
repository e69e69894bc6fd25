"""How calls are shown, and the keys that answer questions about them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from realtime_cli.controls import Controls
from realtime_cli.conversation.records import Phase, Snapshot, ToolAsked, ToolCalled, ToolFinished
from realtime_cli.terminal.key_bindings import KeyBindings
from realtime_cli.terminal.keys import Key
from realtime_cli.view.hints import hints
from realtime_cli.view.layout import plain
from realtime_cli.view.live import LiveView
from realtime_cli.view.plain import PlainView
from realtime_cli.view.status import status_line
from realtime_cli.view.tool_lines import MAX_CHARS, always_text, call_text, question_text, result_text


def called(arguments: str = '{"name": "a b", "n": [1, null]}') -> ToolCalled:
    return ToolCalled(call_id="c", name="look", arguments=arguments)


def asked(arguments: str = "{}") -> ToolAsked:
    return ToolAsked(call_id="c", name="look", arguments=arguments)


def finished(output: str = "x", *, failed: bool = False, ms: int = 12) -> ToolFinished:
    return ToolFinished(call_id="c", name="look", output=output, failed=failed, duration_ms=ms)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"name": "a b", "n": [1, null]}', 'look(name="a b", n=[1,null])'),
        ("{}", "look()"),
        ("", "look()"),
        ('{"cut', 'look({"cut)'),
        ("[1]", "look([1])"),
    ],
)
def test_a_call_reads_like_one(arguments: str, text: str) -> None:
    assert call_text(called(arguments)) == text


def test_a_call_that_carries_a_book_is_cut() -> None:
    text = call_text(called('{"text": "' + "x" * 10_000 + '"}'))
    assert len(text) == MAX_CHARS
    assert text.endswith("…")


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (finished(), "took 12 ms"),
        (finished(ms=2500), "took 2.50 s"),
        (finished('{"error": "no such file"}', failed=True), "failed after 12 ms: no such file"),
        (finished("Error executing tool", failed=True), "failed after 12 ms: Error executing tool"),
        (finished('{"error": "not allowed"}', failed=True, ms=0), "failed: not allowed"),
    ],
)
def test_the_end_of_a_call_says_how_long_it_took_or_why_it_failed(record: ToolFinished, text: str) -> None:
    assert result_text(record) == text


def test_the_plain_view_tells_of_calls_in_one_line_each_whatever_they_carry() -> None:
    out, err = io.StringIO(), io.StringIO()
    view = PlainView(out, err, streaming=True)
    for record in (called('{"x": "a\\nb\\u001b[2J"}'), asked(), finished('{"error": "one\\ntwo"}', failed=True)):
        view.show(record, 0.0)
    view.close()
    assert out.getvalue() == ""
    assert err.getvalue().splitlines() == [
        r'tool: look(x="a\nb\u001b[2J")',
        "may look run?",
        "  without arguments",
        "y, n or a (always for look), then Enter",
        "tool: look failed after 12 ms: one two",
    ]


def test_the_status_line_names_what_runs_and_the_keys_that_answer() -> None:
    running = Snapshot(phase=Phase.LISTENING, running=("look", "listen"))
    assert plain(status_line(running, Controls(keyboard=True), 100)).startswith("⚙ running look and 1 more")
    question = Snapshot(phase=Phase.LISTENING, running=("listen",), question=asked())
    assert "y yes · n no · a always" in plain(hints(question, Controls(keyboard=True, answers=True), 100))
    assert "yes" not in plain(hints(question, Controls(keyboard=True), 100))
    assert plain(status_line(Snapshot(phase=Phase.SPEAKING, running=("look",)), Controls(), 100)).startswith("▶")


def test_a_question_shows_every_argument_in_full_and_for_which_server() -> None:
    arguments = json.dumps({"note": "harmless " * 500, "command": "rm -rf ~"})
    question = ToolAsked(call_id="c", name="run_command", arguments=arguments, server="files")
    title, note, command, again = question_text(question).split("\n")
    assert title == again == "may run_command of the MCP server files run?"
    assert note == f'  note = "{"harmless " * 500}"'
    assert command == '  command = "rm -rf ~"'
    assert always_text(question) == "always for run_command of the MCP server files"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ('{"command": "ls", "command": "rm"}', '  with {"command": "ls", "command": "rm"}'),
        ('{"cut', '  with {"cut'),
        ("[1]", "  with [1]"),
        ("[" * 100_000, "  with " + "[" * 100_000),
        ('{"x": "a\\u200bb\\u202ec"}', r'  x = "a\u200bb\u202ec"'),
        ('{"x": "one\\ntwo"}', r'  x = "one\ntwo"'),
        ('{"a\\nb = 1": 2}', r'  "a\nb = 1" = 2'),
        ("", "  without arguments"),
    ],
)
def test_a_question_can_hide_nothing(arguments: str, shown: str) -> None:
    assert question_text(asked(arguments)).removesuffix("\nmay look run?") == f"may look run?\n{shown}"


def test_arguments_that_fill_the_window_do_not_push_the_question_out_of_sight() -> None:
    short = asked(json.dumps({"command": "ls"}))
    many = asked(json.dumps({f"file_{number}": "x" for number in range(30)}))
    assert question_text(short).split("\n") == ["may look run?", '  command = "ls"']
    assert question_text(many).split("\n")[-2:] == ['  file_29 = "x"', "may look run?"]


def test_the_name_of_a_tool_cannot_write_a_question_of_its_own() -> None:
    question = ToolAsked(call_id="c", name="ls run?\n  without arguments\nmay\u200b x", arguments="{}", server="a\nb")
    assert question_text(question).count("\n") == 1


def test_a_letter_that_only_looks_like_a_latin_one_shows_in_every_name() -> None:
    cyrillic = "s\N{CYRILLIC SMALL LETTER IE}arch"
    question = ToolAsked(call_id="c", name=cyrillic, arguments=json.dumps({cyrillic: "Größe"}), server="d\u03bfcs")
    assert question_text(question) == ('may s\\u0435arch of the MCP server d\\u03bfcs run?\n  "s\\u0435arch" = "Größe"')
    assert always_text(question) == "always for s\\u0435arch of the MCP server d\\u03bfcs"
    assert call_text(question).startswith("s\\u0435arch(")
    running = Snapshot(phase=Phase.LISTENING, running=(cyrillic,))
    assert "running s\\u0435arch" in plain(status_line(running, Controls(), 100))


def test_the_live_view_prints_the_whole_question_where_it_can_be_scrolled_to(tmp_path: Path) -> None:
    question = asked(json.dumps({"note": "harmless " * 500, "command": "rm -rf ~"}))
    with (tmp_path / "screen").open("w", encoding="utf-8") as stream:
        view = LiveView(Console(file=stream, force_terminal=True, width=40), {})
        view.show(question, 0.0)
        view.draw(Snapshot(question=question))
        view.close()
    screen = (tmp_path / "screen").read_text(encoding="utf-8")
    assert '"rm -rf ~"' in screen
    assert screen.count("harmless") == 500


def test_a_y_in_a_typed_line_is_a_letter() -> None:
    bindings = KeyBindings()
    bindings.press(Key("o", text="o"), 1.0)
    bindings.ask(asked())
    assert bindings.press(Key("y", text="y"), 1.1) == []
    assert bindings.controls.typing == "oy"
    snapshot = Snapshot(phase=Phase.LISTENING, question=asked())
    assert plain(status_line(snapshot, bindings.controls, 100)).startswith("? your consent: send or leave the line")
