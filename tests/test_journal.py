"""Saving conversations, and finding them again."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.conversation.records import AssistantDelta, Notice, SessionStarted, UsageReported, UserSaid
from realtime_cli.errors import InputError
from realtime_cli.journal.entries import Header, NotAConversation, read
from realtime_cli.journal.folder import Folder, id_of
from realtime_cli.journal.index import FILE_NAME, Index
from realtime_cli.journal.writer import Journal
from tests.saved import AT, CAPITALS, save
from tests.waiting import PATIENCE_S


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "data")


def test_what_was_said_is_read_back_as_it_was_told(folder: Folder) -> None:
    conversation = read(save(folder, provider="openai", model="gpt-realtime-2.1"))
    assert conversation.header.at == AT
    assert conversation.model == "gpt-realtime-2.1"
    assert [(entry.type, entry.text) for entry in conversation.said] == [
        ("user", "What is the capital of France?"),
        ("assistant", "The capital of France is Paris."),
        ("user", "And of Côte d'Ivoire?"),
        ("assistant", "Yamous"),
    ]
    assert [entry.interrupted for entry in conversation.said] == [False, False, False, True]
    assert conversation.duration_s == 8.0


def test_the_model_is_the_one_that_the_server_named(folder: Folder) -> None:
    named = (0.2, SessionStarted(id="sess_1", model="gpt-realtime-2.1-2026-10-01", provider="openai"))
    assert read(save(folder, (named, *CAPITALS), model="gpt-realtime-2.1")).model == "gpt-realtime-2.1-2026-10-01"


def test_pieces_and_notices_are_not_saved(folder: Folder) -> None:
    passing = ((0.5, AssistantDelta(item_id="a1", text="The")), (0.6, Notice(text="reconnecting")))
    entries = read(save(folder, (*passing, *CAPITALS))).entries
    assert {entry.type for entry in entries} == {"user", "assistant"}


def test_a_conversation_in_which_nothing_was_said_leaves_no_file(folder: Folder) -> None:
    path = save(folder, [(0.2, SessionStarted(id="sess_1", model="m", provider="p"))])
    assert not path.exists()


def test_only_the_owner_may_read_it(folder: Folder) -> None:
    path = save(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@given(cut=st.integers(0, 2000))
def test_a_file_cut_off_anywhere_loses_at_most_the_line_that_was_cut(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = save(Folder(tmp_path_factory.mktemp("cut")))
    whole = path.read_bytes()
    cut %= len(whole)
    path.write_bytes(whole[:cut])
    lines = whole[:cut].count(b"\n")
    if lines == 0:
        with pytest.raises(NotAConversation):
            read(path)
    else:
        assert len(read(path).entries) == lines - 1


def test_lines_and_fields_of_a_later_version_are_no_hindrance(folder: Folder) -> None:
    path = save(folder)
    with path.open("ab") as file:
        file.write(b'{"type":"smell","t":9,"text":["an","odd","field"]}\n')
        file.write(b'{"type":"user","t":10,"text":"Still here.","mood":"curious"}\n')
    assert [entry.text for entry in read(path).said][-1] == "Still here."


def test_a_format_of_a_later_version_is_refused_rather_than_misread(folder: Folder) -> None:
    path = save(folder)
    path.write_bytes(path.read_bytes().replace(b'"type":"conversation"', b'"type":"conversation","format":99'))
    with pytest.raises(NotAConversation, match="later version"):
        read(path)


def test_killing_the_program_loses_nothing_that_was_told(tmp_path: Path) -> None:
    program = """
import sys, threading
from datetime import datetime, UTC
from pathlib import Path
from realtime_cli.conversation.records import UserSaid
from realtime_cli.journal.entries import Header
from realtime_cli.journal.writer import Journal
path = Path(sys.argv[1])
journal = Journal(path, Header(id="x", at=datetime.now(UTC), command="chat"), print)
threading.Thread(target=journal.run, daemon=True).start()
for number in range(10**9):
    journal.put(UserSaid(item_id=str(number), text="word " * (number % 50)), float(number))
    while not path.exists() or not path.read_bytes().count(b"\\n") >= number + 2:
        pass
    print(number, flush=True)
"""
    for stop_after in (1, 7, 30):
        path = tmp_path / f"{stop_after}.jsonl"
        with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told = next(int(line) for line in process.stdout if int(line) >= stop_after)
            process.kill()
        assert len(read(path).entries) > told


def test_a_full_disk_is_told_once_and_what_was_said_meanwhile_is_saved_when_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices: list[str] = []
    path = tmp_path / "talk.jsonl"
    journal = Journal(path, Header(id="x", at=AT, command="chat"), notices.append)
    room, write, wrote = [120], os.write, threading.Semaphore(0)

    def write_while_there_is_room(descriptor: int, data: bytes) -> int:
        if room[0] <= 0:
            wrote.release()
            raise OSError(28, "No space left on device")
        count = write(descriptor, data[: room[0]])
        room[0] -= count
        return count

    monkeypatch.setattr(os, "write", write_while_there_is_room)
    thread = threading.Thread(target=journal.run)
    thread.start()
    for number in range(5):
        journal.put(UserSaid(item_id=str(number), text=f"sentence {number}"), float(number))
    for _ in range(3):
        assert wrote.acquire(timeout=PATIENCE_S)
    room[0] = 10**6
    journal.put(UserSaid(item_id="5", text="sentence 5"), 5.0)
    journal.close()
    thread.join(PATIENCE_S)
    assert [entry.text for entry in read(path).said] == [f"sentence {number}" for number in range(6)]
    assert [notice.split(":")[0] for notice in notices] == [
        "the conversation is not being saved",
        "the conversation is being saved again",
    ]


def test_a_conversation_is_found_by_the_beginning_of_its_id_and_the_newest_as_last(folder: Folder) -> None:
    first, second = save(folder), save(folder, at=AT + timedelta(days=40))
    assert folder.find(id_of(first)) == first
    assert folder.find(id_of(second)[:4].upper()) == second
    assert folder.find("last") == second


def test_ids_that_fit_none_or_several_are_refused_with_what_to_do(folder: Folder) -> None:
    with pytest.raises(InputError, match="no conversation has been saved yet"):
        folder.find("last")
    first = save(folder)
    twin = first.with_name(f"26-093001-{id_of(first)[:5]}{'2' if first.stem[-1] != '2' else '3'}.jsonl")
    twin.write_bytes(first.read_bytes())
    with pytest.raises(InputError, match="could be 2 conversations"):
        folder.find(id_of(first)[:5])
    for wrong in ("", "nothing", "../../etc/passwd", "*", "zzzzzz"):
        with pytest.raises(InputError, match="no saved conversation"):
            folder.find(wrong)


def test_deleting_takes_along_what_belongs_to_it_and_nothing_else(folder: Folder) -> None:
    first, second = save(folder), save(folder)
    recording = first.with_suffix(".wav")
    recording.write_bytes(b"sound")
    assert folder.delete(first) == sorted([first, recording])
    assert folder.paths() == [second]


def test_the_list_is_newest_first_and_knows_first_words_turns_and_cost(folder: Folder) -> None:
    used = UsageReported(response_id="r1", input_tokens=100, output_tokens=20)
    save(folder, (*CAPITALS, (9.0, used)), provider="openai")
    save(folder, [(0.5, UserSaid(item_id="u", text="Hello"))], at=AT + timedelta(days=1), provider="local")
    newest, oldest = Index(folder).conversations()
    assert (newest.first_words, newest.turns) == ("Hello", 1)
    assert (oldest.first_words, oldest.turns, oldest.tokens) == ("What is the capital of France?", 2, 120)
    assert oldest.duration_s == 9.0


def test_the_list_can_be_of_one_provider_or_since_a_day(folder: Folder) -> None:
    save(folder, provider="openai")
    save(folder, at=AT + timedelta(days=3), provider="local")
    index = Index(folder)
    assert [each.provider for each in index.conversations(provider="openai")] == ["openai"]
    assert [each.provider for each in index.conversations(since=date(2026, 11, 28))] == ["local"]


def test_words_are_found_in_any_order_without_regard_to_accents_and_case(folder: Folder) -> None:
    save(folder)
    index = Index(folder)
    assert [match.text for match in index.search(["ivoire", "COTE"])] == ["And of Côte d'Ivoire?"]
    assert [(match.who, match.t) for match in index.search(["paris"])] == [("assistant", 2.5)]
    assert index.search(["paris", "ivoire"]) == []


@pytest.mark.parametrize("words", ['"', "NEAR(", "a OR b", "*", "text:paris", "'; DROP TABLE lines", "%", "\\"])
def test_nothing_in_the_words_is_a_language_of_its_own(folder: Folder, words: str) -> None:
    save(folder)
    assert Index(folder).search([words]) == []


def test_scripts_without_spaces_are_searched_too(folder: Folder) -> None:
    save(folder, [(1.0, UserSaid(item_id="u", text="今天天气怎么样？"))])
    assert len(Index(folder).search(["天气"])) == 1
    assert Index(folder).search(["天%气"]) == []


def test_the_index_follows_conversations_that_grow_and_go(folder: Folder) -> None:
    path = save(folder)
    index = Index(folder)
    assert len(index.search(["capital"])) == 2
    with path.open("ab") as file:
        file.write(b'{"type":"user","t":10,"text":"One more capital, please."}\n')
    assert len(index.search(["capital"])) == 3
    folder.delete(path)
    assert index.search(["capital"]) == []
    assert index.conversations() == []


@pytest.mark.parametrize("damage", [b"no database at all" * 100, b""])
def test_a_damaged_index_is_made_anew(folder: Folder, damage: bytes) -> None:
    save(folder)
    index = Index(folder)
    index.conversations()
    index.path.write_bytes(damage)
    assert len(index.conversations()) == 1


def test_an_index_of_another_version_is_made_anew(folder: Folder) -> None:
    save(folder)
    index = Index(folder)
    index.conversations()
    database = sqlite3.connect(index.path)
    database.execute("PRAGMA user_version = 77")
    database.commit()
    database.close()
    assert len(index.conversations()) == 1


def test_a_file_that_is_none_of_ours_is_passed_over(folder: Folder) -> None:
    path = save(folder)
    path.with_name("26-093000-strange.jsonl").write_text("shopping list\n")
    assert len(Index(folder).conversations()) == 1


@pytest.mark.parametrize(
    "damage",
    [
        (b'"at":"2026-', b'"at":"9999-12-31T23:59:59-12:00","was":"'),
        (b'{"type":"user"', b'{"type":"usage","input_tokens":' + b"9" * 40 + b'}\n{"type":"user"'),
        (b'{"type":"user"', b'{"type":"user","deep":' + b"[" * 100_000 + b"]" * 100_000 + b'}\n{"type":"user"'),
    ],
    ids=["the end of time", "more tokens than numbers hold", "nested too deeply"],
)
def test_a_file_that_is_odd_does_not_keep_the_others_from_being_found(
    folder: Folder, damage: tuple[bytes, bytes]
) -> None:
    good, odd = save(folder), save(folder)
    odd.write_bytes(odd.read_bytes().replace(*damage, 1))
    assert good in [each.path for each in Index(folder).conversations()]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in folders")
def test_a_pipe_among_the_files_is_passed_over(folder: Folder) -> None:
    path = save(folder)
    os.mkfifo(path.with_name("26-093000-9aaaaa.jsonl"))
    assert folder.paths() == [path]


def test_programs_that_bring_the_index_up_to_date_together_do_not_meet(folder: Folder) -> None:
    for day in range(20):
        save(folder, at=AT + timedelta(days=day))
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(len(Index(folder).conversations()))) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE_S)
    assert results == [20] * 6
    assert (folder.path / FILE_NAME).exists()


def test_times_keep_their_zone(folder: Folder) -> None:
    there = datetime.fromisoformat("2026-11-26T18:00:00+05:30")
    assert read(save(folder, at=there)).header.at == there
