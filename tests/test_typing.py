"""Typing into the program at a terminal and through a pipe, and how it leaves the terminal when it is killed."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("these terminals are POSIX's", allow_module_level=True)

from tests import scripts
from tests.pty_driver import XTERM, Terminal
from tests.running import environment, run
from tests.scripted_server import ScriptedServer
from tests.scripted_talk import Talk

SILENT = ("--mic", "none", "--speaker", "none")


def program(server: ScriptedServer, *arguments: str, **variables: str) -> Terminal:
    command = [sys.executable, "-m", "realtime_cli", *arguments, "--base-url", server.url]
    return Terminal(command, environ={**environment(), "OPENAI_API_KEY": "", **variables}, answers=XTERM)


def typed_texts(server: ScriptedServer) -> list[str]:
    """What the user wrote, as the server got it."""
    return [event["item"]["content"][0]["text"] for event in server.of_type("conversation.item.create")]


def test_a_typed_conversation_on_a_terminal_has_a_line_that_can_be_edited_and_recalled() -> None:
    with ScriptedServer(scripts.text_turns("First answer.", "Second answer.")) as server:
        with program(server, "say", "--interactive") as terminal:
            terminal.wait_for("ready")
            terminal.send("wat?\x1b[D\x1b[D\x1b[Dh\r")
            terminal.wait_for("First answer.")
            terminal.wait_for("ready")
            terminal.send("\x1b[A!\r")
            terminal.wait_for("Second answer.")
            terminal.wait_for("ready")
            terminal.send("\x04")
            assert terminal.wait_for_end() == 0
            assert terminal.everything()[:4] == [
                "you  what?",
                " ai  First answer.",
                "you  what?!",
                " ai  Second answer.",
            ]
            assert terminal.modes() == terminal.found
        assert typed_texts(server) == ["what?", "what?!"]


def endless(talk: Talk) -> None:
    """A reply that goes on until it is cancelled, and then silence."""
    talk.greet()
    talk.obey_until("response.create")
    reply = talk.begin_reply()
    reply.say("This goes on and on")
    talk.obey_until("response.cancel")
    reply.finish("cancelled", "client_cancelled")
    talk.obey_until_closed()


def test_ctrl_c_clears_a_line_then_stops_a_written_reply_and_then_ends() -> None:
    with ScriptedServer(endless) as server, program(server, "say", "--interactive") as terminal:
        terminal.wait_for("ready")
        terminal.send("never mind")
        terminal.wait_for("never mind")
        terminal.send("\x03")
        terminal.wait_until(lambda: not any("never mind" in row for row in terminal.screen()), "an empty line")
        terminal.send("go on\r")
        terminal.wait_for("on and on")
        terminal.send("\x03")
        terminal.wait_for("[interrupted]")
        terminal.wait_for("ready")
        terminal.send("\x03")
        assert terminal.wait_for_end() == 130
        assert terminal.modes() == terminal.found


def test_ctrl_c_stops_a_written_reply_before_it_ends_the_conversation_also_where_the_terminal_edits_the_line() -> None:
    with ScriptedServer(endless) as server, program(server, "say", "--interactive", "--plain") as terminal:
        terminal.wait_for("Ctrl-D ends")
        terminal.send("go on\n")
        terminal.wait_for("on and on")
        terminal.send("\x03")
        terminal.wait_for("[interrupted]")
        terminal.wait_until(lambda: len(server.of_type("response.cancel")) == 1, "the cancel")
        terminal.send("\x03")
        assert terminal.wait_for_end() == 130
        assert terminal.modes() == terminal.found


@pytest.mark.parametrize("how", [(), ("--plain",)])
def test_a_second_ctrl_c_ends_where_the_first_could_not_stop_the_reply(how: tuple[str, ...]) -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        talk.begin_reply().say("This goes on and on")
        talk.obey_until_closed()

    with ScriptedServer(script) as server, program(server, "say", "--interactive", *how) as terminal:
        terminal.wait_for("Ctrl-D ends" if how else "ready")
        terminal.send("go on\n" if how else "go on\r")
        terminal.wait_for("on and on")
        terminal.send("\x03")
        terminal.wait_until(lambda: len(server.of_type("response.cancel")) == 1, "the cancel")
        terminal.send("\x03")
        assert terminal.wait_for_end() == 130


@pytest.mark.parametrize("how", ["--plain", "TERM=dumb"])
def test_where_no_line_is_drawn_the_terminal_itself_echoes_what_is_typed(how: str) -> None:
    arguments, variables = ([how], {}) if how == "--plain" else ([], {"TERM": "dumb"})
    with ScriptedServer(scripts.text_turns("An answer.")) as server:
        with program(server, "chat", *SILENT, *arguments, **variables) as terminal:
            terminal.wait_for("connected to")
            terminal.send("helo\x7flo\n")
            terminal.wait_for("hello")
            terminal.wait_for("An answer.")
            terminal.send("/mute\n")
            terminal.wait_for("[microphone muted]")
            terminal.send("/help\n")
            terminal.wait_for("/image FILE [WORDS]")
            terminal.send("\x04")
            assert terminal.wait_for_end() == 0
        assert typed_texts(server) == ["hello"]
        assert b"\x1b" not in terminal.raw


def test_quit_in_a_pipe_still_waits_for_the_answer_to_what_was_asked() -> None:
    with ScriptedServer(scripts.text_turns("An answer.")) as server:
        done = run("say", "--interactive", "--base-url", server.url, stdin=b"A question?\n/quit\nnever\n")
    assert (done.returncode, done.stdout) == (0, "An answer.\n")
    assert typed_texts(server) == ["A question?"]


def test_enter_stops_what_is_being_said_and_escape_too() -> None:
    cancelled = threading.Event()

    def script(talk: Talk) -> None:
        talk.greet()
        for _ in range(2):
            talk.obey_until("response.create")
            reply = talk.begin_reply()
            reply.say("This goes on and on", audio_ms=200)
            talk.obey_until("response.cancel")
            reply.finish("cancelled", "client_cancelled")
        cancelled.set()
        talk.obey_until_closed()

    with ScriptedServer(script) as server, program(server, "chat", *SILENT) as terminal:
        terminal.wait_for("listening")
        terminal.send("go on\r")
        terminal.wait_for("goes on")
        terminal.send("stop\r")
        terminal.wait_until(lambda: len(server.of_type("response.create")) == 2, "the second request")
        terminal.send("\x1b")
        terminal.wait_until(cancelled.is_set, "the second cancel")
        terminal.send("\x04")
        assert terminal.wait_for_end() == 0
    assert typed_texts(server) == ["go on", "stop"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_killed_program_leaves_no_status_line_and_a_sane_terminal(signum: signal.Signals) -> None:
    with ScriptedServer(scripts.text_turns("An answer.")) as server, program(server, "chat", *SILENT) as terminal:
        terminal.wait_for("listening")
        terminal.send("hello\r")
        terminal.wait_for("An answer.")
        terminal.wait_for("listening")
        terminal.signal(signum)
        assert terminal.wait_for_end() == -signum
        assert terminal.modes() == terminal.found
        assert not terminal.cursor_hidden
        assert terminal.everything() == ["you  hello", " ai  An answer."]


def test_a_terminal_that_takes_no_output_stalls_neither_the_conversation_nor_its_end() -> None:
    with ScriptedServer(scripts.text_turns("An answer.")) as server, program(server, "chat", *SILENT) as terminal:
        terminal.wait_for("listening")
        terminal.send("\x13")
        for turn in range(3):
            terminal.send(f"turn {turn}\r")
            terminal.wait_until(lambda turn=turn: len(typed_texts(server)) > turn, "the turn")  # type: ignore[misc]
        terminal.send("\x03")
        assert terminal.wait_for_end() == 130
        assert terminal.modes() == terminal.found
        assert not any("turn 2" in row for row in terminal.screen())
    assert typed_texts(server) == ["turn 0", "turn 1", "turn 2"]


def test_a_program_that_is_killed_for_good_leaves_the_cursor_visible_below_the_text() -> None:
    with ScriptedServer(scripts.text_turns("An answer.")) as server, program(server, "chat", *SILENT) as terminal:
        terminal.wait_for("listening")
        terminal.send("hello\r")
        terminal.wait_for("An answer.")
        terminal.wait_for("listening")
        terminal.signal(signal.SIGKILL)
        assert terminal.wait_for_end() == -signal.SIGKILL
        assert not terminal.cursor_hidden
        assert terminal.cursor[0] == len(terminal.screen()) - 1


def test_after_a_suspension_the_conversation_goes_on_below_what_the_shell_wrote() -> None:
    with ScriptedServer(scripts.text_turns("An answer.")) as server:
        chat = f"'{sys.executable}' -m realtime_cli chat --mic none --speaker none --base-url {server.url}"
        command = ["bash", "--norc", "--noprofile", "-i"]
        environ = {**environment(), "OPENAI_API_KEY": "", "PS1": "$ "}
        with Terminal(command, environ=environ, answers=XTERM) as terminal:
            terminal.wait_for("$")
            terminal.send(f"{chat}\n")
            terminal.wait_for("listening")
            terminal.send("hello\r")
            terminal.wait_for("An answer.")
            terminal.wait_for("listening")
            terminal.send("\x1a")
            terminal.wait_for("Stopped")
            assert not terminal.cursor_hidden
            terminal.send("echo in between\n")
            terminal.wait_until(lambda: "in between" in terminal.screen(), "the line of the shell")
            terminal.send("fg\n")
            terminal.wait_until(lambda: terminal.screen()[-1].startswith("❯"), "the line to type")
            terminal.send("again\r")
            terminal.wait_until(lambda: sum(" ai  An answer." in row for row in terminal.screen()) == 2, "the reply")
            rows = [row for row in terminal.everything() if row.startswith(("you", " ai", "in between"))]
            assert rows == ["you  hello", " ai  An answer.", "in between", "you  again", " ai  An answer."]
            terminal.send("\x04")
            terminal.wait_until(lambda: terminal.screen()[-1] == "$", "the shell")
            terminal.send("exit\n")
            assert terminal.wait_for_end() == 0


def test_commands_change_the_session_list_and_ask_again_while_it_lasts(tmp_path: Path) -> None:
    guide = tmp_path / "guide.md"
    guide.write_text("Be brief.")
    with (
        ScriptedServer(scripts.text_turns("First.", "Second.")) as server,
        program(server, "chat", *SILENT) as terminal,
    ):
        terminal.wait_for("listening")
        terminal.send("/retry\r")
        terminal.wait_for("there is nothing to answer yet")
        terminal.send("hello\r")
        terminal.wait_for("First.")
        terminal.wait_for("listening")
        terminal.send("/retry\r")
        terminal.wait_for("Second.")
        terminal.wait_for("listening")
        for line in ("/voice marin", f"/instructions @{guide}", "/vad semantic", "/vad off", "/tools", "/voice"):
            terminal.send(f"{line}\r")
        terminal.wait_for("/vad takes server or semantic")
        terminal.wait_for("the model is offered no functions")
        terminal.wait_for("/voice needs more")
        terminal.wait_until(lambda: len(server.of_type("session.update")) == 4, "the changes")
        terminal.send("\x04")
        assert terminal.wait_for_end() == 0
    _, voice, instructions, vad = (event["session"] for event in server.of_type("session.update"))
    assert voice == {"type": "realtime", "audio": {"output": {"voice": "marin"}}}
    assert instructions == {"type": "realtime", "instructions": "Be brief."}
    assert vad == {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}
    (deleted,) = server.of_type("conversation.item.delete")
    first = server.types.index("response.create")
    assert server.types[first + 1 : first + 3] == ["conversation.item.delete", "response.create"]
    assert deleted["item_id"]


def test_a_change_that_the_server_refuses_is_told_and_ends_nothing() -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.obey_next("session.update")
        refused = talk.expect("session.update")
        talk.error("cannot_update_voice", "Too late for another voice.", event_id=refused["event_id"])
        talk.obey_until("response.create")
        talk.reply("Still here.")
        talk.obey_until_closed()

    with ScriptedServer(script) as server, program(server, "chat", *SILENT) as terminal:
        terminal.wait_for("listening")
        terminal.send("/voice marin\r")
        terminal.wait_for("Too late for another voice.")
        terminal.send("hello\r")
        terminal.wait_for("Still here.")
        terminal.send("\x04")
        assert terminal.wait_for_end() == 0


@pytest.mark.parametrize("save", [True, False])
def test_what_was_typed_comes_back_in_the_next_conversation_unless_nothing_is_saved(tmp_path: Path, save: bool) -> None:
    arguments = ("say", "--interactive", *([] if save else ["--no-save"]))
    with ScriptedServer(scripts.text_turns("An answer.")) as server:
        for turn in range(2):
            with program(server, *arguments, REALTIME_CLI_DATA_DIR=str(tmp_path), REALTIME_CLI_SAVE="") as terminal:
                terminal.wait_for("ready")
                terminal.send("the first line\r" if turn == 0 else "\x1b[A and more\r")
                terminal.wait_for("An answer.")
                terminal.send("\x04")
                assert terminal.wait_for_end() == 0
    assert typed_texts(server) == ["the first line", "the first line and more" if save else "and more"]
