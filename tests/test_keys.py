"""From bytes to keys, from keys to what a chat does, and lines of standard input."""

from __future__ import annotations

import os
import threading

import pytest

from realtime_cli.conversation import facts as f
from realtime_cli.errors import InputError
from realtime_cli.terminal.chat_keys import fact_of
from realtime_cli.terminal.key_bindings import Desk, Entered, Mute, Talk
from realtime_cli.terminal.keys import FOCUS_LOST, Answer, Key, KeyParser, talk_key_named
from realtime_cli.terminal.line_editor import LineEditor
from realtime_cli.terminal.stdin_lines import read_lines


def keys(data: bytes) -> list[Key | Answer]:
    return KeyParser().feed(data)


# The parser


def test_plain_characters_and_controls_are_keys_by_name() -> None:
    assert keys("a é\r\x7f\t\x04日".encode()) == [
        Key("a", text="a"),
        Key("space", text=" "),
        Key("é", text="é"),
        Key("enter"),
        Key("backspace"),
        Key("tab"),
        Key("ctrl+d"),
        Key("日", text="日"),
    ]


def test_every_cut_of_the_input_gives_the_same_keys() -> None:
    text = "é\x1b[32;1:3u\x1b[A\x1bOPq\x1b[200~pasted\r\ntext\x1b[201~\x1b[?0u\x1b[?62;4cm\x1b]11;rgb:0/0/0\x1b\\z"
    data = text.encode()
    whole = keys(data)
    for cut in range(len(data)):
        parser = KeyParser()
        assert parser.feed(data[:cut]) + parser.feed(data[cut:]) == whole
    assert whole == [
        Key("é", text="é"),
        Key("space", "release"),
        Key("f1"),
        Key("q", text="q"),
        Key("paste", text="pasted\r\ntext"),
        Answer("kitty", 0),
        Answer("attributes"),
        Key("m", text="m"),
        Key("z", text="z"),
    ]


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("32;;32", Key("space", text=" ")),
        ("32;1:2;32", Key("space", "repeat", " ")),
        ("32;1:3", Key("space", "release")),
        ("97:65;2;65", Key("A", text="A")),
        ("97;65:1", Key("a", text="a")),
        ("13", Key("enter")),
        ("57414", Key("enter")),
        ("27;1:3", Key("escape", "release")),
        ("99;5", Key("ctrl+c")),
        ("1089::99;5", Key("ctrl+c")),
        ("1100::109;;1100", Key("m", text="ь")),
        ("99;69", Key("ctrl+c")),
        ("118;3", Key("alt+v")),
    ],
)
def test_the_kitty_protocol_tells_event_modifiers_layout_and_text(sent: str, key: Key) -> None:
    assert keys(f"\x1b[{sent}u".encode()) == [key]


def test_a_modifier_pressed_alone_is_no_key() -> None:
    assert keys(b"\x1b[57441;2u\x1b[57441;1:3u") == []


def test_arrows_editing_keys_and_reports_of_mouse_focus_and_cursor_are_swallowed_whole() -> None:
    assert keys(b"\x1b[A\x1b[1;5C\x1bOA\x1b[2~\x1b[<0;10;10M\x1b[I\x1b[7;1R\x1b[[F") == []


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("\x1bOP", Key("f1")),
        ("\x1b[[E", Key("f5")),
        ("\x1b[15~", Key("f5")),
        ("\x1b[24;1:1~", Key("f12")),
        ("\x1b[1;1:3P", Key("f1", "release")),
        ("\x1b[13;129:2~", Key("f3", "repeat")),
        ("\x1b[S", Key("f4")),
        ("\x1b[O", Key(FOCUS_LOST)),
    ],
)
def test_function_keys_are_known_in_every_encoding_and_so_is_the_loss_of_the_focus(sent: str, key: Key) -> None:
    for cut in range(len(sent)):
        parser = KeyParser()
        assert parser.feed(sent[:cut].encode()) + parser.feed(sent[cut:].encode()) == [key]


def test_a_function_key_with_a_modifier_is_another_key() -> None:
    assert keys(b"\x1b[15;5~\x1b[1;3P") == []


@pytest.mark.parametrize(("written", "name"), [("Space", "space"), ("T", "t"), ("F12", "f12"), (" tab ", "tab")])
def test_a_key_to_talk_with_is_named_in_any_case(written: str, name: str) -> None:
    assert talk_key_named(written) == name


@pytest.mark.parametrize("written", ["f13", "enter", "/", "ctrl+t", "ab", "\x07"])
def test_a_key_that_cannot_be_talked_with_is_refused_with_those_that_can(written: str) -> None:
    with pytest.raises(InputError, match="f1 to f12"):
        talk_key_named(written)


def test_an_escape_with_nothing_after_it_is_the_escape_key_once_settled() -> None:
    parser = KeyParser()
    assert parser.feed(b"\x1b") == []
    assert parser.waiting
    assert parser.settle() == [Key("escape")]
    assert not parser.waiting
    assert parser.feed(b"m") == [Key("m", text="m")]


def test_a_paste_is_waited_for_and_not_settled() -> None:
    parser = KeyParser()
    assert parser.feed(b"\x1b[200~hold ") == []
    assert not parser.waiting
    assert parser.settle() == []
    assert parser.feed(b"on\x1b[201~") == [Key("paste", text="hold on")]


def test_bytes_that_are_no_text_disturb_nothing_after_them() -> None:
    assert keys(b"\xff\xfe\x00a")[-1] == Key("a", text="a")
    assert keys(b"\x1b[99999999999;1ua") == [Key("a", text="a")]
    assert keys(b"\x1b[" + b"1;" * 400 + b"ua")[-1] == Key("a", text="a")


# The line and the desk


def press_all(desk: Desk, text: str, now: float = 0.0) -> list[object]:
    return [action for key in KeyParser().feed(text.encode()) for action in desk.press(key, now)]  # type: ignore[arg-type]


def test_a_line_is_edited_at_its_end() -> None:
    editor = LineEditor("/")
    for key in keys(b"quiz two  \x17\x7ft"):
        assert editor.press(key) == "editing"  # type: ignore[arg-type]
    assert editor.text == "/quit"
    assert editor.press(Key("enter", "release")) == "editing"
    assert editor.press(Key("enter")) == "entered"


def test_backspace_on_nothing_and_escape_cancel_a_line() -> None:
    assert LineEditor().press(Key("backspace")) == "cancelled"
    assert LineEditor("some").press(Key("escape")) == "cancelled"


def test_a_slash_begins_a_command_and_enter_a_message() -> None:
    desk = Desk()
    assert press_all(desk, "/qui") == []
    assert desk.controls.typing == "/qui"
    assert press_all(desk, "t\r") == [Entered("/quit")]
    assert desk.controls.typing is None
    assert press_all(desk, "\rmy message\r") == [Entered("my message")]
    assert press_all(desk, "\r   \r") == []


def test_pasted_text_becomes_a_message_and_no_commands() -> None:
    desk = Desk(push_to_talk=True)
    assert press_all(desk, "\x1b[200~m q /x\r\nnext\x1b\x1b[201~") == [Talk(on=False)]
    assert desk.controls.typing == "m q /x next"


def test_m_mutes_and_mutes_back_and_shows_it() -> None:
    desk = Desk()
    assert press_all(desk, "m", 1.0) == [Mute(on=True)]
    assert desk.controls.muted
    assert press_all(desk, "m", 1.03) == []
    assert press_all(desk, "m", 1.4) == [Mute(on=False)]
    assert not desk.controls.muted


def test_every_tap_is_told_and_what_it_means_is_for_the_conversation_to_say() -> None:
    desk = Desk(push_to_talk=True)
    assert press_all(desk, " ", 1.0) == [Talk(on=True)]
    assert press_all(desk, " ", 3.0) == [Talk(on=True)]


@pytest.mark.parametrize(("key", "sent"), [("t", "tT"), ("f5", "\x1b[15~\x1b[15;65~"), ("tab", "\t\x1b[9u")])
def test_another_key_talks_where_the_user_wants_it(key: str, sent: str) -> None:
    desk = Desk(push_to_talk=True, talk_key=key)
    desk.reports_release(True)
    assert press_all(desk, sent) == [Talk(on=True), Talk(on=True)]
    assert press_all(desk, " ") == []


def test_a_key_that_is_held_is_let_go_of_when_another_window_takes_the_keys() -> None:
    desk = Desk(push_to_talk=True)
    assert press_all(desk, " \x1b[O") == [Talk(on=True)]
    desk.reports_release(True)
    assert press_all(desk, "\x1b[32;;32u\x1b[O") == [Talk(on=True), Talk(on=False)]


def test_without_push_to_talk_a_release_or_a_lost_focus_says_nothing() -> None:
    desk = Desk()
    desk.reports_release(True)
    assert press_all(desk, "\x1b[32;;32u\x1b[32;1:3u\x1b[O") == []
    assert not desk.controls.hold


def test_a_talk_key_held_down_where_releases_are_unknown_starts_once() -> None:
    desk = Desk(push_to_talk=True)
    times = [1.0, 1.66, *(1.7 + n * 0.04 for n in range(50))]
    assert [action for now in times for action in press_all(desk, " ", now)] == [Talk(on=True)]


def test_holding_talks_until_the_release_however_short() -> None:
    desk = Desk(push_to_talk=True)
    desk.reports_release(True)
    assert press_all(desk, "\x1b[32;;32u\x1b[32;1:2;32u\x1b[32;1:3u") == [Talk(on=True), Talk(on=False)]


def test_a_release_that_comes_unannounced_makes_the_talk_key_one_to_hold() -> None:
    desk = Desk(push_to_talk=True)
    assert press_all(desk, "\x1b[32;;32u\x1b[32;1:3u") == [Talk(on=True), Talk(on=False)]
    assert desk.controls.hold


def test_space_types_a_space_while_a_line_is_typed() -> None:
    desk = Desk(push_to_talk=True)
    assert press_all(desk, "\ra b\r") == [Talk(on=False), Entered("a b")]


def test_typing_ends_talking() -> None:
    desk = Desk(push_to_talk=True)
    assert press_all(desk, " /") == [Talk(on=True), Talk(on=False)]


def test_actions_become_facts_of_the_conversation() -> None:
    assert fact_of(Talk(on=True)) == f.Pressed()
    assert fact_of(Talk(on=False)) == f.Released()
    assert fact_of(Entered("hello")) == f.Typed("hello")
    assert fact_of(Entered("/quit")) == f.Quit()
    assert isinstance(fact_of(Entered("/nonsense really")), f.Noted)


# Lines of standard input


def read_all(data: bytes) -> tuple[list[str], bool]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream:
        with os.fdopen(writing, "wb") as out:
            out.write(data)
        lines: list[str] = []
        ended = threading.Event()
        read_lines(stream, lines.append, ended.set, threading.Event())
        return lines, ended.is_set()


def test_lines_are_told_without_their_endings_and_the_last_needs_none() -> None:
    assert read_all("\ufefferste\r\n\n日本\nlast".encode()) == (["erste", "", "日本", "last"], True)
    assert read_all(b"") == ([], True)


def test_a_line_that_is_not_utf_8_is_named() -> None:
    with pytest.raises(InputError, match=r"line 2, is not UTF-8 \(byte 3"):
        read_all(b"fine\nso\xff so\n")


def test_reading_lines_ends_when_told_to_though_nothing_comes() -> None:
    reading, writing = os.pipe()
    stopping = threading.Event()
    lines: list[str] = []
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as out:

        def take(line: str) -> None:
            lines.append(line)
            stopping.set()

        thread = threading.Thread(target=read_lines, args=(stream, take, lambda: lines.append("end"), stopping))
        thread.start()
        out.write(b"one\ntwo\n")
        thread.join(30)
        assert not thread.is_alive()
    assert lines == ["one"]
