"""Taking up saved conversations."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from realtime_cli.cli.commands import with_value
from realtime_cli.conversation import past
from realtime_cli.conversation.records import ToolCalled, ToolFinished, Transcribed, UserSaid
from realtime_cli.errors import InputError
from realtime_cli.journal.entries import read
from realtime_cli.journal.folder import Folder, id_of
from realtime_cli.journal.resuming import whole_past
from tests.saved import AT, CAPITALS, save


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("chat --resume", "chat --resume=last"),
        ("chat --resume --plain", "chat --resume=last --plain"),
        ("chat --resume last", "chat --resume last"),
        ("chat --resume 3kf9ab --plain", "chat --resume 3kf9ab --plain"),
        ("say --resume 3KF hello", "say --resume 3KF hello"),
        ("say --resume hello", "say --resume=last hello"),
        ("say hello --resume", "say hello --resume=last"),
        ("say --resume=3kf hello", "say --resume=3kf hello"),
        ("say -- --resume", "say -- --resume"),
    ],
)
def test_resume_takes_a_word_that_names_a_conversation_and_no_other(typed: str, meant: str) -> None:
    assert with_value(typed.split()) == meant.split()


def test_the_past_is_what_was_said_as_far_as_it_was_heard(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    called = ToolCalled(call_id="c1", name="look", arguments="{}")
    finished = ToolFinished(call_id="c1", name="look", output="a door", failed=False, duration_ms=3)
    path = save(folder, (*CAPITALS, (9.0, called), (9.1, finished)))
    assert whole_past(read(path), folder.find) == (
        past.User(text="What is the capital of France?", item_id="u1"),
        past.Model(text="The capital of France is Paris.", item_id="a1"),
        past.User(text="And of Côte d'Ivoire?", item_id="u2"),
        past.Model(text="Yamous", item_id="a2", interrupted=True),
        past.Call(call_id="c1", name="look", arguments="{}"),
        past.Result(call_id="c1", output="a door"),
    )


def test_a_conversation_that_went_on_with_another_has_the_past_of_both(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    first = save(folder)
    more = [(1.0, UserSaid(item_id="u9", text="And of Chad?"))]
    second = save(folder, more, at=AT + timedelta(days=1), resumed_from=id_of(first))
    texts = [entry.text for entry in whole_past(read(second), folder.find) if isinstance(entry, past.User)]
    assert texts == ["What is the capital of France?", "And of Côte d'Ivoire?", "And of Chad?"]
    folder.delete(first)
    assert len(whole_past(read(second), folder.find)) == 1


def test_files_that_name_each_other_in_a_circle_come_to_an_end(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    path = save(folder, resumed_from="2aaaaa")
    path.rename(path.with_name("26-093000-2aaaaa.jsonl"))
    assert len(whole_past(read(folder.find("last")), folder.find)) == 100 * len(CAPITALS)


def test_a_transcription_is_no_conversation_to_go_on_with(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    path = save(folder, [(1.0, Transcribed(item_id="t", text="hello", start_ms=0))], command="transcribe")
    with pytest.raises(InputError, match="is a transcription"):
        whole_past(read(path), folder.find)
