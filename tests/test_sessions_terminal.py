"""Saved conversations on terminals of several widths: tables leave out what matters least, lines are folded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("these terminals are POSIX's", allow_module_level=True)

from realtime_cli.conversation.records import AssistantSaid, UserSaid
from realtime_cli.journal.folder import Folder
from tests.pty_driver import XTERM, Terminal
from tests.running import environment
from tests.saved import save

SAID = (
    (1.0, UserSaid(item_id="u1", text="What is the capital of France?")),
    (2.5, AssistantSaid(item_id="a1", text="The capital of France is Paris, on the Seine, a river.", heard_ms=1400)),
    (6.0, UserSaid(item_id="u2", text="سلام")),
)


def rows(tmp_path: Path, columns: int, *arguments: str) -> list[str]:
    """What is on the screen after ``sessions`` with these arguments."""
    save(Folder(tmp_path), SAID, model="gpt-realtime-2.1", provider="openai")
    command = [sys.executable, "-m", "realtime_cli", "sessions", *arguments]
    environ = environment(REALTIME_CLI_DATA_DIR=str(tmp_path), TERM="xterm-256color")
    with Terminal(command, columns=columns, environ=environ, answers=XTERM) as terminal:
        assert terminal.wait_for_end() == 0
        return terminal.everything()


def test_a_narrow_list_shows_the_first_words_rather_than_counts(tmp_path: Path) -> None:
    titles, line, *_ = rows(tmp_path, 60, "list")
    assert titles.split() == ["id", "when", "length", "said", "first"]
    assert "What is the capital" in line
    titles, line, *_ = rows(tmp_path, 40, "list")
    assert titles.split() == ["id", "when", "said", "first"]
    assert line.endswith("What is the c…")


def test_a_narrow_table_of_sums_keeps_the_money_and_a_wide_one_has_all(tmp_path: Path) -> None:
    assert rows(tmp_path, 40, "stats")[0].split() == ["day", "model", "cost"]
    assert rows(tmp_path, 120, "stats")[0].split() == ["day", "model", "talks", "turns", "minutes", "tokens", "cost"]


def test_a_conversation_is_shown_as_it_was_on_the_screen_folded_between_words_and_in_order(tmp_path: Path) -> None:
    shown = rows(tmp_path, 40, "show", "last")
    assert shown[-4:] == [
        "you  What is the capital of France?",
        " ai  The capital of France is Paris, on",
        "     the Seine, a river.",
        "you  \u0645\ufe8e\ufee0\ufeb3",
    ]
