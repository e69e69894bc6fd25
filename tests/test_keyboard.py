"""The keyboard under a real terminal, which is given back whatever happens."""

from __future__ import annotations

import io
import os
import signal
import sys
import termios
from pathlib import Path

import pytest

from realtime_cli.errors import InputError

if sys.platform == "win32":
    pytest.skip("these terminals are POSIX's", allow_module_level=True)

from realtime_cli.terminal.chat_keyboard import Keyboard
from tests.pty_driver import XTERM, Answers, KittyTerminal, Terminal

PROGRAM = """
import sys, threading
from realtime_cli.terminal.chat_keyboard import Keyboard
keyboard = Keyboard(sys.stdin, lambda: print("resumed", flush=True), lambda key: key.name == "ctrl+c" and claimed)
claimed = False
stopping = threading.Event()
def show(key):
    print(key.name, key.action, repr(key.text), flush=True)
    if key.name == "r":
        print("releases:", keyboard.reports_release, flush=True)
    global claimed
    claimed = key.name == "c"
    if key.name == "q":
        stopping.set()
    if key.name == "x":
        raise RuntimeError("a crash")
def read():
    global crashed
    try:
        keyboard.run(show, stopping)
    except RuntimeError:
        crashed = True
    ended.set()
crashed = False
ended = threading.Event()
keyboard.open()
thread = threading.Thread(target=read)
try:
    print("ready.", flush=True)
    thread.start()
    while not ended.wait(0.1):
        pass
except KeyboardInterrupt:
    print("interrupted", flush=True)
    stopping.set()
    keyboard.wake()
thread.join()
if crashed:
    raise SystemExit("no close at all")
keyboard.close()
print("over", flush=True)
"""


def wait_for_kitty(terminal: Terminal) -> None:
    """Wait until the program has asked both its questions, what is known and what is granted."""
    terminal.wait_for("ready.")
    terminal.wait_until(lambda: terminal.raw.count(b"\x1b[?u\x1b[c") == 2, "the second question")


def program(answers: Answers | None = None) -> Terminal:
    return Terminal([sys.executable, "-c", PROGRAM], answers=XTERM if answers is None else answers)


# The keyboard under a real terminal


def test_a_stream_that_is_no_terminal_is_refused_in_one_line() -> None:
    with Path(os.devnull).open() as stream, pytest.raises(InputError, match="no terminal"):
        Keyboard(stream).open()


def test_keys_arrive_unechoed_and_the_terminal_is_given_back() -> None:
    with program() as terminal:
        terminal.wait_for("ready.")
        terminal.send("mé")
        screen = terminal.wait_for("é press 'é'")
        assert not any(row.startswith("mé") for row in screen)
        assert terminal.modes() != terminal.found
        terminal.send("\x1b")
        terminal.wait_for("escape press")
        terminal.send("q")
        assert terminal.wait_for_end() == 0
        assert terminal.modes() == terminal.found
        assert b"\x1b[<u" not in terminal.raw
        assert terminal.raw.count(b"\x1b[?2004h") == terminal.raw.count(b"\x1b[?2004l") == 1


def test_keys_typed_while_the_terminal_is_asked_are_kept() -> None:
    with program({b"\x1b[c": lambda: b"ab\x1b[?64c"}) as terminal:
        terminal.wait_for("a press")
        terminal.wait_for("b press")


def test_a_terminal_that_answers_nothing_is_used_without_releases() -> None:
    with program({}) as terminal:
        terminal.wait_for("ready.")
        terminal.send("r")
        terminal.wait_for("releases: False")
        terminal.send("q")
        assert terminal.wait_for_end() == 0


def test_a_kitty_terminal_reports_releases_and_has_its_protocol_popped_at_the_end() -> None:
    with KittyTerminal([sys.executable, "-c", PROGRAM]) as terminal:
        wait_for_kitty(terminal)
        terminal.send("\x1b[32;;32u\x1b[32;1:3u\x1b[114;;114u")
        terminal.wait_for("space release")
        terminal.wait_for("releases: True")
        terminal.send("\x1b[113;;113u")
        assert terminal.wait_for_end() == 0
        assert terminal.raw.count(b"\x1b[>31u") == terminal.raw.count(b"\x1b[<u") == 1
        assert terminal.modes() == terminal.found


def test_a_terminal_that_grants_only_part_of_the_protocol_is_not_trusted_with_releases() -> None:
    with KittyTerminal([sys.executable, "-c", PROGRAM], known=1) as terminal:
        wait_for_kitty(terminal)
        terminal.send("r")
        terminal.wait_for("releases: False")
        terminal.send("q")
        assert terminal.wait_for_end() == 0


@pytest.mark.parametrize("ctrl_c", ["\x03", "\x1b[99;5u", "\x1b[1089::99;5u"])
def test_ctrl_c_is_an_interrupt_in_every_encoding(ctrl_c: str) -> None:
    with KittyTerminal([sys.executable, "-c", PROGRAM]) as terminal:
        wait_for_kitty(terminal)
        terminal.send(ctrl_c)
        terminal.wait_for("interrupted")
        assert terminal.wait_for_end() == 0
        assert terminal.modes() == terminal.found


@pytest.mark.parametrize("kitty", [True, False])
def test_ctrl_c_is_a_key_while_somebody_claims_it(kitty: bool) -> None:
    with KittyTerminal([sys.executable, "-c", PROGRAM]) if kitty else program() as terminal:
        if kitty:
            wait_for_kitty(terminal)
        terminal.wait_for("ready.")
        ctrl_c = "\x1b[99;5u" if kitty else "\x03"
        terminal.send("c" + ctrl_c)
        terminal.wait_for("ctrl+c press")
        terminal.send(ctrl_c)
        terminal.wait_for("interrupted")
        assert terminal.wait_for_end() == 0


def test_a_release_that_is_on_its_way_when_the_program_ends_does_not_reach_the_shell() -> None:
    command = [sys.executable, "-c", PROGRAM]
    with KittyTerminal(["sh", "-c", 'exec "$@"; ', "sh", *command], late=b"\x1b[99;5:3u") as terminal:
        wait_for_kitty(terminal)
        terminal.send("\x1b[99;5u")
        assert terminal.wait_for_end() == 0
        # The release was sent when the terminal heard of the end, and its answer behind that.
        assert terminal.raw.count(b"\x1b[<u\x1b[c") == 1
        assert terminal.unread() == b""


def test_a_terminal_that_belongs_to_somebody_else_is_written_to_without_opening_it(tmp_path: Path) -> None:
    # As after su: the descriptors are there, the path may not be opened.
    script = "import os\nos.ttyname = lambda fd: '/nowhere'\n" + PROGRAM
    with KittyTerminal([sys.executable, "-c", script]) as terminal:
        wait_for_kitty(terminal)
        terminal.send("\x1b[113;;113u")
        assert terminal.wait_for_end() == 0
        assert terminal.modes() == terminal.found


def test_standard_input_that_can_only_be_read_and_nothing_to_write_to_still_gives_keys() -> None:
    # Descriptors for reading only, and a path that cannot be opened.
    script = "import os\nos.ttyname = lambda fd: '/nowhere'\n" + PROGRAM
    command = ["sh", "-c", 'name=$(tty); exec "$@" <"$name" 2>/dev/null | cat', "sh", sys.executable, "-c", script]
    with Terminal(command) as terminal:
        terminal.wait_for("ready.")
        terminal.send("mq")
        terminal.wait_for("m press")
        assert terminal.wait_for_end() == 0
        assert terminal.modes() == terminal.found


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_deadly_signal_kills_but_gives_the_terminal_back_first(signum: signal.Signals) -> None:
    with KittyTerminal([sys.executable, "-c", PROGRAM]) as terminal:
        wait_for_kitty(terminal)
        terminal.signal(signum)
        assert terminal.wait_for_end() == -signum
        assert terminal.modes() == terminal.found
        assert terminal.raw.count(b"\x1b[<u") == 1


def test_a_crash_without_closing_gives_the_terminal_back() -> None:
    with program() as terminal:
        terminal.wait_for("ready.")
        terminal.send("x")
        assert terminal.wait_for_end() == 1
        assert terminal.modes() == terminal.found


@pytest.mark.parametrize("ctrl_z", ["\x1a", "\x1b[122;5u"])
def test_a_suspended_program_leaves_the_shell_a_sane_terminal_and_takes_it_again(tmp_path: Path, ctrl_z: str) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    with KittyTerminal(["bash", "--norc", "--noprofile", "-i"]) as terminal:
        terminal.send(f"'{sys.executable}' '{script}'\n")
        wait_for_kitty(terminal)
        terminal.send(ctrl_z)
        terminal.wait_for("Stopped")
        assert terminal.raw.count(b"\x1b[<u") == 1
        # Bash itself edits lines without the terminal's help: ask what a program would find.
        terminal.send("stty -a | tr ';' '\\n'\n")
        terminal.wait_for(" icanon")
        terminal.send("clear; fg\n")
        terminal.wait_for("resumed")
        terminal.send("m")
        terminal.wait_for("m press 'm'")
        assert not terminal.modes()[3] & termios.ICANON  # type: ignore[operator]
        terminal.send("q")
        # At the end of a row: the name of a folder may hold the word.
        terminal.wait_until(lambda: any(row.endswith("over") for row in terminal.screen()), "the end")
        assert terminal.raw.count(b"\x1b[>31u") == terminal.raw.count(b"\x1b[<u")
        # Told twice, a view would draw its status line twice.
        assert [row for row in terminal.everything() if "resumed" in row] == ["resumed"]


def test_a_text_stream_without_a_terminal_behind_it_is_refused_too() -> None:
    with pytest.raises(InputError):
        Keyboard(io.StringIO()).open()
