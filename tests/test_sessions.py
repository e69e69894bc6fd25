"""``realtime-cli sessions`` and what the other commands save for it."""

from __future__ import annotations

import json
import wave
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import Show
from realtime_cli.conversation.records import AssistantSaid, UserSaid
from realtime_cli.journal.entries import read
from realtime_cli.journal.folder import Folder, id_of
from realtime_cli.protocol.dialects import from_wire
from realtime_cli.server.engines.optional_packages import missing_parts
from tests import scripts
from tests.conversation_driver import Drive
from tests.needs import need
from tests.running import KEY, ROOT, lines_of, run
from tests.saved import AT, save
from tests.scripted_server import ScriptedServer
from tests.scripted_talk import Talk
from tests.test_transcribe import transcriber

QUESTION = ROOT / "examples" / "question.wav"


@pytest.fixture
def data(tmp_path: Path) -> dict[str, str]:
    """Variables under which the program saves, and where."""
    return {"REALTIME_CLI_DATA_DIR": str(tmp_path / "data"), "REALTIME_CLI_SAVE": "true"}


@pytest.fixture
def folder(data: dict[str, str]) -> Folder:
    return Folder(Path(data["REALTIME_CLI_DATA_DIR"]))


def answers_a_recording(talk: Talk) -> None:
    """Commits what it is sent, and speaks an answer."""
    talk.greet()
    talk.obey_until("input_audio_buffer.commit")
    talk.commit(talk.new_id("item"), "a question")
    talk.obey_until("response.create")
    talk.reply("Paris.", audio_ms=800)
    talk.obey_until_closed()


def test_what_say_said_is_saved_and_the_first_time_one_is_told_where(data: dict[str, str], folder: Folder) -> None:
    with ScriptedServer(scripts.text_turns("Hello there.")) as server:
        ask = ("say", "hi", "--base-url", server.url, "-i", "Be brief.")
        first = run(*ask, OPENAI_API_KEY=KEY, **data)
    with ScriptedServer(scripts.text_turns("Hello there.")) as server:
        second = run("say", "hi", "--base-url", server.url, "--no-save-instructions", "-i", "Be brief.", **data)
    assert (first.returncode, second.returncode) == (0, 0)
    assert f"conversations are saved in {folder.path}; --no-save keeps none" in first.stderr
    assert "saved" not in second.stderr
    told, untold = sorted((read(path) for path in folder.paths()), key=lambda each: each.header.at)
    assert [(entry.type, entry.text) for entry in told.said] == [("user", "hi"), ("assistant", "Hello there.")]
    assert (told.header.command, told.header.instructions) == ("say", "Be brief.")
    assert untold.header.instructions is None
    assert untold.header.instructions_sha256 == told.header.instructions_sha256
    assert KEY not in "".join(path.read_text() for path in folder.paths())


def test_a_conversation_that_is_taken_up_is_told_to_the_model_before_the_next_turn(
    data: dict[str, str], folder: Folder
) -> None:
    with ScriptedServer(scripts.text_turns("Noted.")) as server:
        run("say", "My name is Ada.", "--base-url", server.url, **data).check_returncode()
    with ScriptedServer(scripts.text_turns("Ada.")) as server:
        again = ("say", "--resume", "What is my name?", "--greet", "--base-url", server.url)
        done = run(*again, **data)
    assert done.stdout == "Ada.\n"
    assert "going on with" in done.stderr
    assert server.types == ["session.update", *["conversation.item.create"] * 3, "response.create"], "and no greeting"
    told = [event["item"] for event in server.of_type("conversation.item.create")]
    assert [(item["role"], item["content"][0]["text"]) for item in told] == [
        ("user", "My name is Ada."),
        ("assistant", "Noted."),
        ("user", "What is my name?"),
    ]
    first, second = sorted((read(path) for path in folder.paths()), key=lambda each: each.header.at)
    assert second.header.resumed_from == first.header.id
    assert [entry.text for entry in second.said] == ["What is my name?", "Ada."], "what was said before is in its file"


def test_what_cannot_be_resumed_is_one_line_and_exit_2(data: dict[str, str]) -> None:
    for words in (("chat", "--resume", "--mic", "none"), ("say", "--resume=3kf9ab", "hello")):
        done = run(*words, "--local", **data)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1


def test_the_embedded_server_answers_from_what_was_said_in_a_conversation_before(data: dict[str, str]) -> None:
    need(not missing_parts(), "the optional part")
    run("say", "--local", "My name is Ada.", **data).check_returncode()
    done = run("say", "--local", "--resume", "What is my name?", **data)
    assert "Ada" in done.stdout


def test_the_wire_log_of_a_recording_replays_to_the_same_conversation_and_holds_no_key(
    data: dict[str, str], folder: Folder
) -> None:
    with ScriptedServer(scripts.text_turns("It is noon.", "It is one.")) as server:
        talk = ("say", "--interactive", "--record", "--base-url", server.url)
        run(*talk, stdin=b"What time is it?\nAnd now?\n", OPENAI_API_KEY=KEY, **data).check_returncode()
    (path,) = folder.paths()
    log = path.with_suffix(".wire").read_text()
    assert KEY not in log
    told = Drive(listens=False, server_decides_turns=False, plays=False)
    told.tell(f.Opened())
    for line in map(json.loads, log.splitlines()):
        message = line["message"]
        if line["direction"] == "received":
            told.tell(from_wire(json.dumps(message)), at=line["t"])
        elif message["type"] == "conversation.item.create":
            told.tell(f.Typed(message["item"]["content"][0]["text"]), at=line["t"])
    records = [effect.record for effect in told.effects if isinstance(effect, Show)]
    said = [record.text for record in records if isinstance(record, UserSaid | AssistantSaid)]
    assert said == [entry.text for entry in read(path).said]


def test_no_save_keeps_nothing(data: dict[str, str], folder: Folder) -> None:
    with ScriptedServer(scripts.text_turns("Hello there.")) as server:
        done = run("say", "hi", "--base-url", server.url, "--no-save", **data)
    assert done.returncode == 0
    assert not folder.path.exists()
    assert "saved" not in done.stderr


def test_a_recording_without_a_conversation_to_belong_to_is_refused(data: dict[str, str]) -> None:
    done = run("say", "hi", "--record", "--no-save", **data)
    assert done.returncode == 2
    assert "--record" in done.stderr


def test_a_folder_that_cannot_be_written_is_a_notice_and_not_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with ScriptedServer(scripts.text_turns("Hello there.")) as server:
        data = {"REALTIME_CLI_DATA_DIR": str(tmp_path / "file" / "data"), "REALTIME_CLI_SAVE": "true"}
        done = run("say", "hi", "--base-url", server.url, **data)
    assert (done.returncode, done.stdout) == (0, "Hello there.\n")
    assert "the conversation is not being saved" in done.stderr


def test_both_sides_of_ask_are_recorded_one_after_the_other(
    data: dict[str, str], folder: Folder, tmp_path: Path
) -> None:
    with ScriptedServer(answers_a_recording) as server:
        ask = ("ask", str(QUESTION), "--base-url", server.url, "--speaker", str(tmp_path / "reply.wav"), "--record")
        run(*ask, **data).check_returncode()
    (path,) = folder.paths()
    with wave.open(str(path.with_suffix(".wav"))) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    left, right = (sound[:, side].nonzero()[0] for side in (0, 1))
    assert left[-1] < right[0], "the answer is behind the question"
    assert read(path).header.recording == path.with_suffix(".wav").name


def test_a_transcription_is_saved_with_its_times(data: dict[str, str], folder: Folder) -> None:
    with ScriptedServer(transcriber("hello there")) as server:
        run("transcribe", str(QUESTION), "--base-url", server.url, **data).check_returncode()
    (conversation,) = (read(path) for path in folder.paths())
    assert conversation.header.command == "transcribe"
    assert [(entry.type, entry.text) for entry in conversation.said] == [("transcript", "hello there")]


def test_the_list_shows_what_the_id_belongs_to(data: dict[str, str], folder: Folder) -> None:
    path = save(folder, provider="openai")
    done = run("sessions", "list", **data)
    assert done.returncode == 0
    header, row = done.stdout.splitlines()
    assert header.split() == ["id", "when", "length", "turns", "cost", "said", "first"]
    assert row.startswith(id_of(path))
    assert row.endswith("What is the capital of France?")


def test_the_list_can_be_shortened_and_says_what_it_left_out(data: dict[str, str], folder: Folder) -> None:
    for day in range(3):
        save(folder, at=AT + timedelta(days=day))
    done = run("sessions", "list", "-n", "1", **data)
    assert len(done.stdout.splitlines()) == 2
    assert "2 older ones: --limit 0" in done.stderr


def test_scripts_get_one_object_a_conversation(data: dict[str, str], folder: Folder) -> None:
    path = save(folder, provider="openai", model="gpt-realtime-2.1")
    (row,) = lines_of(run("sessions", "list", "--json", **data))
    assert (row["type"], row["id"], row["model"], row["turns"]) == ("conversation", id_of(path), "gpt-realtime-2.1", 2)


@pytest.mark.parametrize("words", [("list",), ("search", "hello"), ("stats",), ("show", "last")])
def test_what_was_saved_is_harmless_in_json_lines(data: dict[str, str], folder: Folder, words: tuple[str, ...]) -> None:
    hostile = "hello \x9b31m\u202e"
    save(folder, [(1.0, UserSaid(item_id="u", text=hostile))], provider=hostile, model=hostile)
    done = run("sessions", *words, "--json", **data)
    assert (done.returncode, set("\x9b\u202e") & set(done.stdout)) == (0, set())
    assert "\\u009b31m\\u202e" in done.stdout


@pytest.mark.parametrize("since", ["yesterdayish", "2026-13-01", "7", "-1d"])
def test_a_day_that_is_none_is_refused(data: dict[str, str], since: str) -> None:
    done = run("sessions", "list", "--since", since, **data)
    assert done.returncode == 2
    assert "--since" in done.stderr


def test_searching_prints_the_line_with_its_time_and_conversation(data: dict[str, str], folder: Folder) -> None:
    path = save(folder)
    found = run("sessions", "search", "paris", **data)
    assert found.returncode == 0
    row = found.stdout.splitlines()[1].split()
    assert row == [id_of(path), "2026-11-26", "0:02", "ai", *["The", "capital", "of", "France", "is", "Paris."]]
    assert run("sessions", "search", "atlantis", **data).returncode == 1


def test_show_prints_it_as_it_was_and_takes_the_beginning_of_an_id(data: dict[str, str], folder: Folder) -> None:
    path = save(folder)
    done = run("sessions", "show", id_of(path)[:4], **data)
    assert done.stdout.splitlines()[0] == "you  What is the capital of France?"
    assert done.stdout.splitlines()[-1] == " ai  Yamous — [interrupted]"
    assert json.loads(run("sessions", "show", "last", "--json", **data).stdout)["id"] == id_of(path)


@pytest.mark.parametrize("ending", ["md", "txt", "json", "srt", "vtt"])
def test_an_export_takes_its_form_from_the_name_of_the_file(
    data: dict[str, str], folder: Folder, tmp_path: Path, ending: str
) -> None:
    save(folder)
    out = tmp_path / f"talk.{ending}"
    out.write_text("what was there before")
    run("sessions", "export", "last", "-o", str(out), **data).check_returncode()
    assert "The capital of France is Paris." in out.read_text()
    assert out.read_text() == run("sessions", "export", "last", "--format", ending, **data).stdout


def test_what_was_there_stays_when_the_export_fails(data: dict[str, str], folder: Folder, tmp_path: Path) -> None:
    save(folder)
    out = tmp_path / "talk.wav"
    out.write_text("what was there before")
    done = run("sessions", "export", "last", "-o", str(out), **data)
    assert done.returncode == 2
    assert "was not recorded" in done.stderr
    assert out.read_text() == "what was there before"
    assert run("sessions", "export", "last", "-o", str(tmp_path / "no" / "talk.md"), **data).returncode == 2
    assert run("sessions", "export", "last", "--format", "docx", **data).returncode == 2


def test_a_recording_is_played_from_a_time_or_from_where_something_was_said_with_its_lines(
    data: dict[str, str], folder: Folder, tmp_path: Path
) -> None:
    path = save(folder)
    with wave.open(str(path.with_suffix(".wav")), "wb") as file:
        file.setparams((2, 2, 24_000, 0, "NONE", ""))
        second = [np.full((24_000, 2), level, "<i2") for level in (100, 200, 300)]
        file.writeframes(np.concatenate(second).tobytes())
    heard = tmp_path / "heard.wav"
    done = run("sessions", "play", "last", "--from", "2", "--speaker", str(heard), **data)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == " ai  The capital of France is Paris."
    with wave.open(str(heard)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert (sound[:24_000] == 600).all(), "both sides together"
    by_words = run("sessions", "play", "last", "--match", "paris", "--speaker", "none", **data)
    assert by_words.stdout.splitlines()[0] == " ai  The capital of France is Paris."
    assert run("sessions", "play", "last", "--match", "atlantis", "--speaker", "none", **data).returncode == 2
    assert run("sessions", "play", "last", "--from", "noon", "--speaker", "none", **data).returncode == 2


def test_deleting_asks_or_wants_yes(data: dict[str, str], folder: Folder) -> None:
    path = save(folder)
    refused = run("sessions", "delete", "last", **data)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert path.exists()
    run("sessions", "delete", "last", "--yes", **data).check_returncode()
    assert not path.exists()
    assert run("sessions", "show", "last", **data).returncode == 2


def test_stats_sum_up_days_and_models(data: dict[str, str], folder: Folder) -> None:
    save(folder, model="a")
    save(folder, model="b")
    save(folder, at=AT + timedelta(days=1), model="a")
    rows = lines_of(run("sessions", "stats", "--json", **data))
    assert [(row["day"], row["model"], row["turns"]) for row in rows] == [
        ("2026-11-27", "a", 2),
        ("2026-11-26", "b", 2),
        ("2026-11-26", "a", 2),
    ]
    assert run("sessions", "stats", **data).stdout.splitlines()[-1].split()[:3] == ["all", "3", "6"]


def test_nothing_saved_is_no_error(data: dict[str, str]) -> None:
    for command in (("list",), ("stats",)):
        done = run("sessions", *command, **data)
        assert (done.returncode, done.stdout) == (0, "")
    assert run("sessions", "show", "last", **data).returncode == 2
