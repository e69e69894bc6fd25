"""What the keys of a chat do, the line that is typed, and the commands in it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.controls import Controls
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import Snapshot, ToolAsked
from realtime_cli.terminal.answering import ARMING_S, Answering
from realtime_cli.terminal.history_file import MAX_BYTES, append_line, read_lines_of
from realtime_cli.terminal.key_bindings import Answered, Entered, KeyBindings, Left, Mute, Stop, Talk
from realtime_cli.terminal.key_parser import KeyParser
from realtime_cli.terminal.keys import Key
from realtime_cli.terminal.line_editor import LineEditor, LineHistory
from realtime_cli.terminal.slash_commands import SlashCommand, SlashCommands, path_and_words

QUESTION = ToolAsked(call_id="c1", name="f", arguments="{}")
FAMILY = "👨\u200d👩\u200d👧"
PERSIAN = "نمی\u200cخواهم"


def bound(*, ptt: bool = False, key: str = "space") -> KeyBindings:
    return KeyBindings(Controls(push_to_talk=ptt, talk_key=key))


def press_all(bindings: KeyBindings, text: str, now: float = 0.0) -> list[object]:
    pressed = (key for key in KeyParser().feed(text.encode()) if isinstance(key, Key))
    return [action for key in pressed for action in bindings.press(key, now)]


def edited(typed: str, text: str = "", **options: object) -> LineEditor:
    """The editor after all of these bytes; none of them ends the line."""
    editor = LineEditor(text, **options)  # type: ignore[arg-type]
    for key in KeyParser().feed(typed.encode()):
        assert editor.press(key) == "editing"  # type: ignore[arg-type]
    return editor


def with_cursor(editor: LineEditor) -> str:
    return editor.text[: editor.cursor] + "|" + editor.text[editor.cursor :]


# The line


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("/quiz two  \x17\x7f\x7ft", "/quit|"),
        ("one two\x01x\x05y", "xone twoy|"),
        ("one two\x1b[D\x1b[DX", "one tX|wo"),
        ("one two\x1bb\x1bb\x1bfX", "oneX| two"),
        ("one two\x1b[1;5DX", "one X|two"),
        ("one two\x01\x0b", "|"),
        ("one two\x1bb\x15", "|two"),
        ("one two\x17\x01\x19 ", "two |one "),
        ("one-two\x1b\x7f", "one-|"),
        ("one two\x01\x1b[3~\x1bd", "| two"),
        ("one\x1b\rtwo\x01X", "one\nX|two"),
        (f"a{FAMILY}\x7f", "a|"),
        (f"a{FAMILY}\x1b[D\x1b[D\x1b[3~", f"|{FAMILY}"),
        ("e\u0301🇩🇪🇫🇷\x7f\x1b[D\x7f", "|🇩🇪"),
        (f"{PERSIAN}\x1b[D", f"{PERSIAN[:-1]}|{PERSIAN[-1]}"),
        ("نمی\u200c\x7f", "نمی|"),
        ("क्षि\x7f", "|"),
        ("a\u00a0b\u3000c\u200db", "a\u00a0b\u3000c\u200db|"),
    ],
)
def test_a_line_is_edited_with_the_keys_of_a_shell_by_what_a_person_takes_for_characters(typed: str, line: str) -> None:
    assert with_cursor(edited(typed)) == line


def test_enter_ends_a_line_and_escape_or_backspace_on_nothing_leaves_it() -> None:
    assert LineEditor("some").press(Key("enter", "release")) == "editing"
    assert LineEditor("some").press(Key("enter")) == "entered"
    assert LineEditor().press(Key("backspace")) == "cancelled"
    assert LineEditor("some").press(Key("escape")) == "cancelled"


def test_earlier_lines_come_back_and_what_was_begun_is_not_lost() -> None:
    history = LineHistory(["first", "second"])
    assert not history.add("second")
    up, down = "\x1b[A", "\x1b[B"
    assert edited(f"beg{up}", history=history).text == "second"
    assert edited(f"beg{up}{up}{up}", history=history).text == "first"
    assert edited(f"beg{up}!{up}{down}{down}un{down}", history=history).text == "begun"
    assert edited(f"beg{up}!{up}{down}", history=history).text == "second!"


def test_tab_completes_as_far_as_there_is_no_choice_and_shows_the_choice() -> None:
    def complete(begun: str) -> tuple[str, ...]:
        return tuple(each for each in ("/mic ", "/mute") if each.startswith(begun))

    assert edited("/mi\t", complete=complete).text == "/mic "
    editor = edited("/\t", complete=complete)
    assert (editor.text, editor.candidates) == ("/m", ("/mic ", "/mute"))
    assert edited("/\tu", complete=complete).candidates == ()
    assert edited("x\t", complete=complete).text == "x"


STROKES = st.sampled_from(
    [*"ab \x01\x05\x0b\x15\x17\x19\x7f\t日ش\u200c", *(f"\x1b[{rest}" for rest in ("A", "B", "C", "D", "3~"))]
) | st.sampled_from(["\x1bb", "\x1bd", "\x1b\r", "e\u0301", FAMILY, "\x1b[200~x\r\ny\x1b[201~"])


@given(st.lists(STROKES, max_size=40))
def test_whatever_is_typed_the_cursor_stays_in_the_line(strokes: list[str]) -> None:
    editor = LineEditor("", LineHistory(["old"]), lambda begun: (f"{begun}x",))
    for stroke in strokes:
        for key in KeyParser().feed(stroke.encode()):
            editor.press(key)  # type: ignore[arg-type]
            assert 0 <= editor.cursor <= len(editor.text)


# The keys


@pytest.mark.parametrize("begun", ["m", "y", "q", "日", "/", FAMILY[0]])
def test_any_character_begins_a_line_with_itself(begun: str) -> None:
    bindings = bound()
    assert press_all(bindings, f"{begun}ust I\r") == [Entered(f"{begun}ust I")]
    assert bindings.controls.typing is None


def test_a_slash_begins_a_command_and_enter_an_empty_line() -> None:
    bindings = bound()
    assert press_all(bindings, "/qui") == []
    assert (bindings.controls.typing, bindings.controls.cursor) == ("/qui", 4)
    assert press_all(bindings, "t\r") == [Entered("/quit")]
    assert press_all(bindings, "\r?who\r") == [Entered("?who")]
    assert press_all(bindings, "\r   \r") == []


def test_pasted_text_keeps_its_lines_and_becomes_a_message_and_no_commands() -> None:
    bindings = bound(ptt=True)
    assert press_all(bindings, "\x1b[200~ m q /x\r\nnext\x1b\n\x1b[201~") == [Talk(on=False)]
    assert bindings.controls.typing == "m q /x\nnext"


def test_f2_and_alt_m_mute_and_mute_back_and_show_it() -> None:
    bindings = bound()
    assert press_all(bindings, "\x1bOQ", 1.0) == [Mute(on=True)]
    assert bindings.controls.muted
    assert press_all(bindings, "\x1bOQ", 1.03) == []
    assert press_all(bindings, "\x1bm", 1.4) == [Mute(on=False)]
    assert not bindings.controls.muted
    assert press_all(bound(ptt=True), "\x1bOQ") == []


def test_escape_stops_what_is_said_but_first_leaves_the_line() -> None:
    bindings = bound()
    escape = Key("escape")
    press_all(bindings, "some")
    assert bindings.press(escape, 0.0) == []
    assert bindings.controls.typing is None
    assert bindings.press(escape, 0.0) == [Stop()]


def test_ctrl_c_is_for_a_line_that_holds_something_and_ctrl_d_quits_without_one() -> None:
    bindings = bound()
    assert not bindings.claims_ctrl_c()
    press_all(bindings, "some")
    assert bindings.claims_ctrl_c()
    assert press_all(bindings, "\x03") == []
    assert bindings.controls.typing is None
    assert press_all(bindings, "\x04") == [Left()]
    assert press_all(bindings, "\r\x04") == [Left()]


@pytest.mark.parametrize(("key", "answer"), [("y", "yes"), ("N", "no"), ("a", "always")])
def test_a_question_is_answered_by_one_key_and_a_key_that_is_held_answers_no_other(key: str, answer: str) -> None:
    bindings = bound()
    bindings.ask(QUESTION)
    assert press_all(bindings, key, 1.0) == [Answered(answer)]  # type: ignore[arg-type]
    assert press_all(bindings, key, 1.1) == []
    bindings.ask(None)
    assert press_all(bindings, key, 1.2) == []
    assert bindings.controls.typing is None
    assert press_all(bindings, key, 2.5) == []
    assert bindings.controls.typing == key


def test_escape_answers_a_question_with_no() -> None:
    bindings = bound()
    bindings.ask(QUESTION)
    assert bindings.press(Key("escape"), 1.0) == [Answered("no")]


def test_a_question_can_be_answered_only_after_it_has_stood_for_a_while() -> None:
    answering, asking = Answering(), Snapshot(question=QUESTION)
    assert not answering.see(Snapshot(), 1.0)
    assert (answering.question(1.5), answering.due(1.5)) == (None, None)
    assert answering.see(asking, 2.0)
    assert not answering.see(asking, 2.1)
    assert (answering.question(2.5), answering.due(2.5)) == (None, 2.0 + ARMING_S)
    assert (answering.question(2.0 + ARMING_S), answering.due(2.0 + ARMING_S)) == (QUESTION, None)
    other = msgspec.structs.replace(QUESTION, call_id="c2")
    assert answering.see(Snapshot(question=other), 3.0)
    assert answering.question(3.1) is None
    assert answering.see(Snapshot(), 3.2)
    assert answering.question(9.0) is None


def test_a_letter_that_comes_before_a_question_can_be_read_begins_a_line_and_answers_nothing() -> None:
    bindings = bound()
    assert press_all(bindings, "y", 1.0) == []
    bindings.ask(QUESTION)
    assert press_all(bindings, "ay", 1.1) == []
    assert bindings.controls.typing == "yay"
    assert press_all(bindings, "\r", 1.2) == [Entered("yay", answers=False)]


def test_a_word_that_was_begun_before_the_question_is_a_message_and_one_begun_after_it_an_answer() -> None:
    bindings = bound()
    press_all(bindings, "\rye", 1.0)
    bindings.ask(QUESTION)
    assert press_all(bindings, "s\r", 2.0) == [Entered("yes", answers=False)]
    assert press_all(bindings, "\r yes\r", 3.0) == [Entered("yes", answers=True)]


def test_a_line_answers_the_question_that_stood_when_it_was_begun_and_no_later_one() -> None:
    bindings = bound()
    bindings.ask(QUESTION)
    assert press_all(bindings, "\ro\x7f!\r", 1.0) == [Entered("!", answers=True)]
    press_all(bindings, "\r!", 2.0)
    bindings.ask(msgspec.structs.replace(QUESTION, call_id="c2"))
    assert press_all(bindings, "\r", 3.0) == [Entered("!", answers=False)]


def test_an_empty_line_does_not_keep_a_letter_from_answering() -> None:
    bindings = bound()
    press_all(bindings, "\r", 1.0)
    bindings.ask(QUESTION)
    assert press_all(bindings, "n", 2.0) == [Answered("no")]


def test_a_question_mark_lists_the_keys_until_the_next_key() -> None:
    bindings = bound()
    assert press_all(bindings, "?") == []
    assert bindings.controls.help
    assert press_all(bindings, "hi") == []
    assert not bindings.controls.help
    assert bindings.controls.typing == "hi"


# Push-to-talk


@pytest.mark.parametrize(("key", "sent"), [("t", "tT"), ("f5", "\x1b[15~\x1b[15;65~"), ("tab", "\t\x1b[9u")])
def test_another_key_talks_where_the_user_wants_it(key: str, sent: str) -> None:
    bindings = bound(ptt=True, key=key)
    bindings.reports_release(True)
    assert press_all(bindings, sent) == [Talk(on=True), Talk(on=True)]
    assert press_all(bindings, " ") == []


def test_a_key_that_is_held_is_let_go_of_when_another_window_takes_the_keys() -> None:
    bindings = bound(ptt=True)
    assert press_all(bindings, " \x1b[O") == [Talk(on=True)]
    bindings.reports_release(True)
    assert press_all(bindings, "\x1b[32;;32u\x1b[O") == [Talk(on=True), Talk(on=False)]


def test_without_push_to_talk_a_release_or_a_lost_focus_says_nothing() -> None:
    bindings = bound()
    bindings.reports_release(True)
    assert press_all(bindings, "\x1b[32;;32u\x1b[32;1:3u\x1b[O") == []
    assert not bindings.controls.hold


def taps(*times: float, until: float = 60.0) -> list[tuple[float, object]]:
    """What comes of presses of the talk key at these times, and when, where releases are unknown."""
    bindings = bound(ptt=True)
    found: list[tuple[float, object]] = []
    for now in (*times, until):
        while bindings.due is not None and bindings.due <= now:
            due = bindings.due
            found += [(due, action) for action in bindings.time_passed(due)]
        if now != until:
            found += [(now, action) for action in press_all(bindings, " ", now)]
    return found


def test_every_tap_is_told_and_what_it_means_is_for_the_conversation_to_say() -> None:
    assert taps(1.0, 3.0) == [(1.0, Talk(on=True)), (3.0, Talk(on=True))]


def test_a_second_tap_counts_however_soon_it_comes_once_it_is_clear_that_no_key_is_held() -> None:
    assert taps(1.0, 1.4) == [(1.0, Talk(on=True)), (1.65, Talk(on=True))]
    assert taps(1.0, 1.4, 3.0)[1:] == [(1.65, Talk(on=True)), (3.0, Talk(on=True))]


@pytest.mark.parametrize(("delay", "every"), [(0.66, 0.04), (0.25, 0.092), (0.5, 0.09)])
def test_a_talk_key_held_down_where_releases_are_unknown_starts_once(delay: float, every: float) -> None:
    assert taps(1.0, *(1.0 + delay + n * every for n in range(50))) == [(1.0, Talk(on=True))]


def test_a_tap_soon_after_a_key_was_held_counts() -> None:
    held = [1.0, 1.66, *(1.7 + n * 0.04 for n in range(5))]
    assert [action for _, action in taps(*held, 2.3)] == [Talk(on=True), Talk(on=True)]


def test_holding_talks_until_the_release_however_short() -> None:
    bindings = bound(ptt=True)
    bindings.reports_release(True)
    assert press_all(bindings, "\x1b[32;;32u\x1b[32;1:2;32u\x1b[32;1:3u") == [Talk(on=True), Talk(on=False)]


def test_a_release_that_comes_unannounced_makes_the_talk_key_one_to_hold() -> None:
    bindings = bound(ptt=True)
    assert press_all(bindings, "\x1b[32;;32u\x1b[32;1:3u") == [Talk(on=True), Talk(on=False)]
    assert bindings.controls.hold


def test_space_types_a_space_while_a_line_is_typed_and_typing_ends_talking() -> None:
    assert press_all(bound(ptt=True), "\ra b\r") == [Talk(on=False), Entered("a b")]
    assert press_all(bound(ptt=True), " /") == [Talk(on=True), Talk(on=False)]


# Commands


@pytest.mark.parametrize(
    ("line", "name", "words"),
    [
        ("a.png What's this?", "a.png", "What's this?"),
        ("C:\\pics\\a.png and \\this", "C:\\pics\\a.png", "and \\this"),
        ("'my cat.png' say \"miau\"", "my cat.png", 'say "miau"'),
        ("my\\ cat.png hello", "my cat.png", "hello"),
        ("here is.png it", "here is.png", "it"),
        ("'tis", "'tis", ""),
        ("~nosuchuser/x y", "~nosuchuser/x", "y"),
    ],
)
def test_a_file_and_words_are_told_apart_without_a_shells_rules(
    line: str, name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here is.png").touch()
    assert path_and_words(line) == (Path(name), words)


@pytest.mark.parametrize("line", ["/image", "/image ~nosuchuser/x", "/image a\0b", "/nonsense really", "/image C:\\a"])
def test_a_command_that_cannot_be_run_says_so_and_ends_nothing(line: str) -> None:
    (fact,) = SlashCommands().facts(line)
    assert isinstance(fact, f.Noted)


def test_help_lists_every_command_with_its_argument_and_others_can_be_added() -> None:
    mic = SlashCommand(name="/mic", argument="NAME", help="take another", run=lambda rest: [f.Noted(rest)])
    commands = SlashCommands([mic])
    listed = [fact.text for fact in commands.facts("/help") if isinstance(fact, f.Noted)]
    assert [line.split()[0] for line in listed] == ["/help", "/image", "/mic", "/quit"]
    assert "/mic NAME" in listed[2]
    assert list(commands.facts("/MIC  the other ")) == [f.Noted("the other")]
    assert list(commands.facts("/q")) == [f.Quit()]


def test_commands_their_values_and_names_of_files_are_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cat.png").touch()
    Path("car").mkdir()
    vad = SlashCommand(name="/vad", argument="KIND", help="", run=lambda _rest: [], values=lambda _: ("server", "off"))
    commands = SlashCommands([vad])
    assert commands.complete("/") == ("/help", "/image ", "/quit", "/vad ")
    assert commands.complete("/vad s") == ("/vad server",)
    assert commands.complete("/image ca") == ("/image car/", "/image cat.png")
    assert commands.complete("/image nowhere/x") == ()
    assert commands.complete("hello") == ()


def test_typed_lines_are_kept_in_a_file_that_only_their_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "typed"
    assert read_lines_of(path) == []
    for line in ("first", "two\nlines", "日本"):
        append_line(path, line)
    path.write_bytes(path.read_bytes() + b'"torn')
    assert read_lines_of(path) == ["first", "two\nlines", "日本"]
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(b'"old"\n' * (MAX_BYTES // 2))
    append_line(path, "new")
    assert path.stat().st_size < 1.1 * MAX_BYTES
    assert read_lines_of(path)[-1] == "new"
