"""From bytes to keys, and lines of standard input."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.errors import InputError
from realtime_cli.terminal.console_keys import ConsoleKeys
from realtime_cli.terminal.key_parser import MAX_PASTE_CHARS, KeyParser
from realtime_cli.terminal.keys import FOCUS_LOST, Answer, Key, talk_key_named
from realtime_cli.terminal.stdin_lines import read_lines
from tests.waiting import PATIENCE_S


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
        Key("up"),
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


def test_keys_without_a_meaning_and_reports_of_mouse_focus_and_cursor_are_swallowed_whole() -> None:
    assert keys(b"\x1b[2~\x1b[5~\x1b[<0;10;10M\x1b[I\x1b[7;1R\x1b[[F\x1bOE") == []


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("\x1b[A", "up"),
        ("\x1bOD", "left"),
        ("\x1b[1;5C", "ctrl+right"),
        ("\x1b[1;3D", "alt+left"),
        ("\x1b[1;1:2D", "left"),
        ("\x1b[3~", "delete"),
        ("\x1b[3;5~", "ctrl+delete"),
        ("\x1b[7~", "home"),
        ("\x1b[57417u", "left"),
        ("\x1bb", "alt+b"),
        ("\x1b\x7f", "alt+backspace"),
        ("\x1b\r", "alt+enter"),
        ("\x1b[13;3u", "alt+enter"),
        ("\x1b[109;3u", "alt+m"),
        ("\x1b[Z", "shift+tab"),
    ],
)
def test_keys_that_move_and_erase_are_known_in_every_encoding(sent: str, name: str) -> None:
    (key,) = keys(sent.encode())
    assert isinstance(key, Key)
    assert key.name == name


def test_the_digits_of_a_keypad_type_digits_under_the_kitty_protocol() -> None:
    assert keys(b"\x1b[57404;;53u") == [Key("5", text="5")]


@pytest.mark.parametrize("char", ["\u200d", "\u200c", "\u00a0", "\u3000", "\ufe0f", "\U0001fae9", "\ue0b0"])
def test_characters_that_are_invisible_or_newer_than_python_are_typed_as_they_are(char: str) -> None:
    assert keys(char.encode()) == [Key(char, text=char)]
    assert keys(f"\x1b[{ord(char)};;{ord(char)}u".encode())[0].text == char  # type: ignore[union-attr]


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


def test_of_a_paste_without_an_end_the_beginning_is_kept_and_nothing_of_it_is_typed() -> None:
    parser = KeyParser()
    assert parser.feed(b"\x1b[200~") == []
    for _ in range(60):
        assert parser.feed(b"x" * 4096 + b"\r") == []
    (paste, after) = parser.feed(b"y\x1b[201~m")
    assert paste == Key("paste", text=("x" * 4096 + "\r") * 24 + "x" * (MAX_PASTE_CHARS - 24 * 4097))
    assert after == Key("m", text="m")


SEQUENCES = st.sampled_from(
    [
        b"\x1b",
        b"\x1b[",
        b"\x1b[200~",
        b"\x1b[201~",
        b"\x1bO",
        b"\x1b]",
        b"\x07",
        b"[",
        b"1;5u",
        b"~",
        b"\r",
        b"\xf0\x9f",
    ]
)


@given(st.lists(SEQUENCES | st.binary(max_size=4), max_size=20), st.data())
def test_whatever_comes_is_read_the_same_however_it_is_cut(pieces: list[bytes], data: st.DataObject) -> None:
    sent = b"".join(pieces)
    cut = data.draw(st.integers(0, len(sent)))
    parser = KeyParser()
    assert parser.feed(sent[:cut]) + parser.feed(sent[cut:]) == keys(sent)


def test_bytes_that_are_no_text_disturb_nothing_after_them() -> None:
    assert keys(b"\xff\xfe\x00a")[-1] == Key("a", text="a")
    assert keys(b"\x1b[99999999999;1ua") == [Key("a", text="a")]
    assert keys(b"\x1b[" + b"1;" * 400 + b"ua")[-1] == Key("a", text="a")


# The Windows console


def console(units: str, *, typed_slowly: bool = False) -> list[Key]:
    """The keys of what ``getwch`` gives; slowly typed, one unit at a time is there."""
    left = list(units)
    reader = ConsoleKeys(lambda: left.pop(0), lambda: bool(left) and not typed_slowly)
    found: list[Key] = []
    while left or reader.pending:
        found += reader.read()
    return found


def test_the_letter_that_is_also_a_prefix_is_a_letter_where_no_code_follows() -> None:
    a = Key("à", text="à")
    assert console("\xe0", typed_slowly=True) == [a]
    assert console("\xe0 l") == [a, Key("space", text=" "), Key("l", text="l")]
    assert console("\xe0\xe0") == [a, a]
    assert console("\xe0K\x00;\xe0\x86\xe0I") == [Key("left"), Key("f1"), Key("f12")]


def test_a_character_in_two_units_is_one_and_half_a_one_is_marked() -> None:
    assert console("\ud83d\ude00a") == [Key("😀", text="😀"), Key("a", text="a")]
    assert console("\ud83da") == [Key("\ufffd", text="\ufffd"), Key("a", text="a")]


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
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert lines == ["one"]
