"""``realtime-cli doctor`` on a terminal: what it says of it, and how it looks there."""

from __future__ import annotations

import sys

import pytest

if sys.platform == "win32":
    pytest.skip("these terminals are POSIX's", allow_module_level=True)

from tests.pty_driver import XTERM, KittyTerminal, Terminal
from tests.running import environment

PROGRAM = (sys.executable, "-m", "realtime_cli", "doctor", "--mic", "none", "--speaker", "none", "--provider", "openai")


def test_a_terminal_that_reports_releases_is_recognised_and_given_back() -> None:
    with KittyTerminal(PROGRAM, environ=environment(TERM="xterm-256color")) as terminal:
        assert terminal.wait_for_end() == 3
        shown = "\n".join(terminal.everything())
        assert terminal.modes() == terminal.found
    assert "80 x 24, 256 colour, utf-8; push-to-talk by holding the key" in shown


def test_on_another_terminal_the_key_is_tapped() -> None:
    with Terminal(PROGRAM, environ=environment(), answers=XTERM) as terminal:
        assert terminal.wait_for_end() == 3
        assert "push-to-talk by tapping" in " ".join(" ".join(terminal.everything()).split())


@pytest.mark.parametrize("columns", [60, 80])
def test_lines_are_folded_between_words_under_their_own_column(columns: int) -> None:
    with Terminal(PROGRAM, columns=columns, environ=environment(), answers=XTERM) as terminal:
        terminal.wait_for_end()
        rows = terminal.everything()
    assert max(map(len, rows)) < columns
    folded = [row for row in rows if row.startswith(" ")]
    assert folded
    assert all(row.startswith(" " * 14) and row[14] != " " for row in folded)
    assert " ".join(" ".join(rows).split()).endswith(
        "-> set OPENAI_API_KEY in the environment or in .env, or use --local chat will not work: mend first what failed"
    )


def test_colours_are_for_terminals_that_want_them() -> None:
    with Terminal(PROGRAM, environ=environment(), answers=XTERM) as terminal:
        terminal.wait_for_end()
        assert b"\x1b[32m" in terminal.raw
    with Terminal(PROGRAM, environ=environment(NO_COLOR="1"), answers=XTERM) as terminal:
        terminal.wait_for_end()
        assert b"\x1b[32m" not in terminal.raw
