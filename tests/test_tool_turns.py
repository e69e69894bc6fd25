"""Whole turns of the real program in which the model calls Python functions."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from realtime_cli.terminal.typed_turns import ASK_AGAIN
from tests.pty_driver import Terminal
from tests.running import ROOT, environment, lines_of, run
from tests.scripted_server import ScriptedServer
from tests.scripted_talk import Talk
from tests.tool_scripts import EXAMPLE, Call, calling, make_calls, outputs, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "garden.txt").write_text("Tulips in spring.\nDahlias in autumn.\n", encoding="utf-8")
    (tmp_path / "letter.txt").write_text("Dear Ünï,\nno flowers here\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("beta", [False, True], ids=["ga", "beta"])
def test_say_with_the_example_lists_reads_and_searches_a_folder(folder: Path, beta: bool) -> None:
    rounds = (
        Call("list_files", {"order": "size"}),
        (Call("read_file", {"name": "notes/garden.txt", "first_line": 2}), Call("search", {"words": "FLOWERS"})),
    )
    with ScriptedServer(calling(*rounds, reply="Dahlias."), beta=beta) as server:
        dialect = "beta" if beta else "ga"
        arguments = ("--tools", EXAMPLE, "--base-url", server.url, "--dialect", dialect)
        done = run("say", "What grows in autumn?", *arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (0, "Dahlias.\n"), done.stderr
    listed, *others = outputs(server)
    assert [file["name"] for file in json.loads(listed)] == ["notes/garden.txt", "letter.txt"]
    assert sorted(others) == sorted(["Dahlias in autumn.", '["letter.txt:2: no flowers here"]'])
    offered = server.of_type("session.update")[0]["session"]["tools"]
    assert [tool["name"] for tool in offered] == ["list_files", "read_file", "search"]
    assert 'tool: read_file(name="notes/garden.txt", first_line=2)\n' in done.stderr
    assert "tool: search took " in done.stderr


def test_the_example_reads_nothing_outside_its_folder(folder: Path) -> None:
    with ScriptedServer(calling(Call("read_file", {"name": "../secret"}), Call("read_file", {"name": 5}))) as server:
        done = run("say", "hi", "--tools", EXAMPLE, "--base-url", server.url, "--json", cwd=folder)
    assert done.returncode == 0
    results = [line for line in lines_of(done) if line["type"] == "tool_result"]
    assert [result["failed"] for result in results] == [True, True]
    assert "outside" in results[0]["output"]
    assert "'name'" in results[1]["output"]


def test_json_lines_tell_of_calls_and_results(folder: Path) -> None:
    with ScriptedServer(calling(Call("list_files"))) as server:
        done = run("say", "hi", "--tools", EXAMPLE, "--base-url", server.url, "--json", cwd=folder)
    told = [line for line in lines_of(done) if line["type"].startswith("tool_")]
    assert [sorted(line) for line in told] == [
        ["arguments", "call_id", "name", "server", "t", "type"],
        ["call_id", "duration_ms", "failed", "name", "output", "server", "t", "type"],
    ]
    assert told[0]["arguments"] == "{}"
    assert [line["type"] for line in lines_of(done) if line["type"] in ("assistant", "end")] == ["assistant", "end"]


def test_several_calls_of_one_response_run_at_the_same_time(tmp_path: Path) -> None:
    text = (
        "import threading\nboth = threading.Barrier(2)\n"
        "def meet() -> int:\n    return both.wait(60)\n"
        "async def meet_too() -> int:\n    import asyncio\n    return await asyncio.to_thread(both.wait, 60)\n"
    )
    with ScriptedServer(calling((Call("meet"), Call("meet_too")))) as server:
        done = run("say", "hi", "--tools", write(tmp_path, text), "--base-url", server.url)
    assert done.returncode == 0, done.stderr
    assert sorted(outputs(server)) == ["0", "1"]


def test_a_function_that_hangs_costs_neither_the_reply_nor_the_end(tmp_path: Path) -> None:
    text = "import threading\ndef hang() -> None:\n    threading.Event().wait()\n"
    with ScriptedServer(calling(Call("hang"), reply="It takes too long.")) as server:
        arguments = ("--tools", write(tmp_path, text), "--tool-timeout", "0.2", "--base-url", server.url)
        done = run("say", "hi", *arguments)
    assert (done.returncode, done.stdout) == (0, "It takes too long.\n"), done.stderr
    assert "0.2 s" in json.loads(outputs(server)[0])["error"]
    assert "tool: hang failed after" in done.stderr


def test_what_goes_wrong_is_one_line_for_the_user_and_words_for_the_model(tmp_path: Path) -> None:
    text = "def fails(n: int) -> None:\n    raise RuntimeError('first line\\nsecond line')\n"
    calls = (Call("fails", {"n": 1}), Call("fails", {"n": "x"}), Call("unknown"), Call("fails", "{n"))
    with ScriptedServer(calling(*calls)) as server:
        done = run("say", "hi", "--tools", write(tmp_path, text), "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "Done.\n")
    errors = [json.loads(output)["error"] for output in outputs(server)]
    for error, words in zip(errors, ["RuntimeError: first line second", "'n'", "'unknown'", "JSON"], strict=True):
        assert words in error
    assert done.stderr.count("\n") == 2 * len(calls)
    assert "Traceback" not in done.stderr


def test_a_traceback_is_for_debug(tmp_path: Path) -> None:
    path = write(tmp_path, "def fails() -> None:\n    raise RuntimeError('ouch')\n")
    with ScriptedServer(calling(Call("fails"))) as server:
        done = run("say", "hi", "--tools", path, "--base-url", server.url, "--debug")
    assert done.returncode == 0
    assert f'File "{path}", line 2' in done.stderr


def test_what_a_function_prints_does_not_get_into_the_reply(tmp_path: Path) -> None:
    path = write(tmp_path, "print('loading')\ndef talk() -> str:\n    print('busy', 1)\n    return 'ok'\n")
    with ScriptedServer(calling(Call("talk"))) as server:
        done = run("say", "hi", "--tools", path, "--base-url", server.url)
    assert done.stdout == "Done.\n"
    assert "loading\n" in done.stderr
    assert "busy 1\n" in done.stderr


def test_several_typed_turns_wait_for_the_calls_of_each(folder: Path) -> None:
    with ScriptedServer(calling(Call("list_files"))) as server:
        arguments = ("--interactive", "--tools", EXAMPLE, "--base-url", server.url)
        done = run("say", *arguments, cwd=folder, stdin=b"one\ntwo\n")
    assert (done.returncode, done.stdout) == (0, "Done.\nDone.\n")
    one = ["conversation.item.create", "response.create", "conversation.item.create", "response.create"]
    assert server.types == ["session.update", *one, *one]


def test_ask_can_call_functions_too(folder: Path) -> None:
    with ScriptedServer(calling(Call("list_files"), reply="Two files.")) as server:
        question = str(ROOT / "examples" / "question.wav")
        done = run("ask", question, "--tools", EXAMPLE, "--base-url", server.url, cwd=folder)
    assert (done.returncode, done.stdout) == (0, "Two files.\n"), done.stderr


def test_without_a_keyboard_a_call_that_needs_consent_is_refused_and_the_way_out_named(folder: Path) -> None:
    with ScriptedServer(calling(Call("list_files"))) as server:
        arguments = ("--tools", EXAMPLE, "--base-url", server.url, "--confirm-tools", "always")
        done = run("say", "hi", *arguments, cwd=folder)
    assert done.returncode == 0
    assert "consent" in json.loads(outputs(server)[0])["error"]
    assert "--confirm-tools" in done.stderr


def answer(terminal: Terminal, typed: str) -> None:
    """Answer until the model has gone on: an answer that comes before a person could have read the question is none."""

    def seen(words: str) -> int:
        return sum(words in line for line in terminal.everything())

    while not seen("Done."):
        told = seen(ASK_AGAIN)
        terminal.send(typed)
        terminal.wait_until(lambda told=told: bool(seen("Done.")) or seen(ASK_AGAIN) > told, "an end, or a question")


@pytest.mark.parametrize(("typed", "runs"), [("y\r", True), ("n\r", False)])
def test_at_a_terminal_say_asks_and_takes_a_typed_answer(folder: Path, typed: str, runs: bool) -> None:
    with ScriptedServer(calling(Call("search", {"words": "tulips"}))) as server:
        command = [sys.executable, "-m", "realtime_cli", "say", "hi", "--tools", EXAMPLE, "--base-url", server.url]
        options = ["--confirm-tools", "always"]
        with Terminal([*command, *options], environ={**environment(), "FOLDER_TOOLS_ROOT": str(folder)}) as terminal:
            terminal.wait_for('words = "tulips"')
            answer(terminal, typed)
            assert terminal.wait_for_end() == 0
    assert ("Tulips" in outputs(server)[0]) == runs


def test_the_list_of_files_in_a_variable_has_semicolons(folder: Path, tmp_path: Path) -> None:
    other = write(tmp_path, "def ping() -> str: return 'pong'\n")
    with ScriptedServer(calling(Call("ping"))) as server:
        done = run("say", "hi", "--base-url", server.url, REALTIME_CLI_TOOLS=f"{EXAMPLE}; {other}", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert outputs(server) == ["pong"]


@pytest.mark.parametrize(("key", "ran"), [("y", "took"), ("n", "failed: the user does not allow this call")])
def test_a_chat_asks_in_its_live_view_and_takes_a_single_key(folder: Path, key: str, ran: str) -> None:
    with ScriptedServer(calling(Call("search", {"words": "tulips"}))) as server:
        command = [sys.executable, "-m", "realtime_cli", "chat", "--mic", "none", "--speaker", "none"]
        command += ["--tools", EXAMPLE, "--confirm-tools", "always", "--base-url", server.url]
        environ = {**environment(), "FOLDER_TOOLS_ROOT": str(folder)}
        with Terminal(command, environ=environ) as terminal:
            terminal.wait_for("listening")
            terminal.send("\rflowers?\r")
            terminal.wait_for('words = "tulips"')
            terminal.wait_for("y yes · n no · a always")
            terminal.send(key)
            terminal.wait_for(f'⚙ search(words="tulips") {ran}')
            terminal.wait_for("Done.")
            terminal.send("\x04")
            assert terminal.wait_for_end() == 0
    assert ("Tulips" in outputs(server)[0]) == (key == "y")


def test_a_spoken_conversation_calls_functions_and_ends_after_the_reply(folder: Path) -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.hear_turn("what is in my folder")
        make_calls(talk, Call("list_files"))
        talk.obey_until("response.create")
        talk.reply("Two files.", audio_ms=300)
        talk.obey_until_closed()

    with ScriptedServer(script) as server:
        question = str(ROOT / "examples" / "question.wav")
        arguments = ("--mic", question, "--speaker", "none", "--tools", EXAMPLE, "--base-url", server.url, "--json")
        done = run("chat", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    told = [line["type"] for line in lines_of(done) if line["type"] in ("tool_call", "tool_result", "assistant", "end")]
    assert told == ["tool_call", "tool_result", "assistant", "end"]
    assert len(server.of_type("response.create")) == 1
