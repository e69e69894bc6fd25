"""The real program over sockets whose network breaks: what the next server is told, what the user sees, the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from realtime_cli.session.clock import SLEPT_S
from tests import scripts
from tests.network import Network
from tests.running import ROOT, environment, lines_of, run
from tests.scripted_server import Script, ScriptedServer
from tests.scripted_talk import TRANSCRIPTION, Talk
from tests.waiting import PATIENCE_S

QUESTION = str(ROOT / "examples" / "question.wav")

SILENT = ("--mic", "none", "--speaker", "none")


def states(lines: list[dict[str, Any]]) -> list[str]:
    return [line["state"] for line in lines if line["type"] == "connection"]


class Running:
    """The program, its JSON lines read one by one, and its commands on standard input."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Read on to a line of this type that has these fields."""
        stream: IO[bytes] = self.process.stdout  # type: ignore[assignment]
        for text in stream:
            self.lines.append(json.loads(text))
            if self.lines[-1]["type"] == kind and fields.items() <= self.lines[-1].items():
                return self.lines[-1]
        raise AssertionError(f"no {kind} {fields} came: {self.lines} {self.process.stderr.read()!r}")  # type: ignore[union-attr]

    def tell(self, **command: Any) -> None:
        self.process.stdin.write(json.dumps(command).encode() + b"\n")  # type: ignore[union-attr]
        self.process.stdin.flush()  # type: ignore[union-attr]


@contextmanager
def chat(url: str, *options: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "realtime_cli", "chat", "--json", "--base-url", url, "--no-save", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment(), stdin=pipe, stdout=pipe, stderr=pipe) as process:
        running = Running(process)
        try:
            yield running
        finally:
            if process.poll() is None:
                process.kill()


def breaks_off(network: list[Network], text: str = "Once upon a") -> Script:
    """Begins to answer, and is cut off."""

    def script(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        talk.begin_reply().say(text)
        talk.until_all_has_come()
        network[0].reset()

    return script


def test_a_one_shot_that_is_cut_off_in_its_reply_is_asked_again_once() -> None:
    network: list[Network] = []
    script = scripts.in_turn(breaks_off(network), scripts.text_turns("Once upon a time."))
    with ScriptedServer(script) as server, Network(server.url) as between:
        network.append(between)
        done = run("say", "Tell me a story.", "--json", "--no-save", "--base-url", between.url)
    lines = lines_of(done)
    assert done.returncode == 0, done.stderr
    assert states(lines) == ["lost", "retrying", "restored"]
    assert [line["text"] for line in lines if line["type"] == "assistant"] == ["Once upon a", "Once upon a time."]
    assert server.talks[1].told == ["session.update", "user: Tell me a story.", "response.create"]


def test_a_call_that_ran_when_the_network_went_is_told_with_its_result(tmp_path: Path) -> None:
    tools = tmp_path / "tools.py"
    marker = tmp_path / "called"
    tools.write_text(
        "import pathlib, time\n"
        "def look(place: str) -> str:\n"
        "    'Looks there.'\n"
        f"    pathlib.Path({str(marker)!r}).touch()\n"
        f"    while not pathlib.Path({str(tmp_path / 'go')!r}).exists():\n"
        "        time.sleep(0.01)\n"
        "    return 'a cat'\n"
    )
    network: list[Network] = []

    def calls(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        call = {"id": "item_9", "object": "realtime.item", "type": "function_call", "status": "completed"}
        call |= {"call_id": "call_1", "name": "look", "arguments": '{"place":"there"}'}
        reply = talk.begin_reply()
        place = {"response_id": reply.response_id, "output_index": 0}
        talk.send({"type": "response.output_item.done", **place, "item": call})
        while not marker.exists():
            talk.pause(0.01)
        talk.until_all_has_come()
        network[0].reset()

    def after(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("conversation.item.create")
        (tmp_path / "go").touch()
        talk.obey_until("response.create")
        talk.reply("There is a cat.")
        talk.obey_until_closed()

    script = scripts.in_turn(calls, after)
    with ScriptedServer(script, checked=False) as server, Network(server.url) as between:
        network.append(between)
        done = run("say", "What is there?", "--tools", str(tools), "--no-save", "--base-url", between.url)
    assert (done.returncode, done.stdout) == (0, "There is a cat.\n"), done.stderr
    assert "trying to get it back" in done.stderr
    assert server.talks[1].told == [
        "session.update",
        "user: What is there?",
        'function_call: {"place":"there"}',
        "function_call_output: a cat",
        "response.create",
    ]


def test_a_recording_that_was_on_its_way_is_sent_again() -> None:
    network: list[Network] = []

    def takes_half(talk: Talk) -> None:
        talk.greet()
        for _ in range(10):
            talk.obey_until("input_audio_buffer.append")
        network[0].reset()

    def answers(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        talk.reply("Paris.")
        talk.obey_until_closed()

    with ScriptedServer(scripts.in_turn(takes_half, answers)) as server, Network(server.url) as between:
        network.append(between)
        done = run("ask", QUESTION, "--no-save", "--base-url", between.url)
    assert (done.returncode, done.stdout) == (0, "Paris.\n"), done.stderr
    second = server.talks[1]
    assert second.told == ["session.update", "input_audio_buffer.commit", "response.create"]
    assert len(second.received) > 20


def test_a_transcription_goes_on_with_times_that_are_right() -> None:
    network: list[Network] = []

    def writes_one(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("input_audio_buffer.append")
        heard(talk, "a", "one", 200, 900)
        talk.until_all_has_come()
        network[0].reset()

    def writes_two(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("input_audio_buffer.append")
        heard(talk, "b", "two", 100, 600)
        talk.obey_until_closed()

    script = scripts.in_turn(writes_one, writes_two)
    with ScriptedServer(script, checked=False) as server, Network(server.url) as between:
        network.append(between)
        named = ("--transcription-model", "whisper-1")
        done = run("transcribe", QUESTION, "--json", "--base-url", between.url, *named)
    lines = lines_of(done)
    told = [(line["text"], line["start_ms"], line["end_ms"]) for line in lines if line["type"] == "transcript"]
    assert told == [("one", 200, 900), ("two", 1000, 1500)], done.stderr
    assert done.returncode == 0
    assert states(lines) == ["lost", "retrying", "restored"]


def heard(talk: Talk, item_id: str, text: str, start_ms: int, end_ms: int) -> None:
    talk.send({"type": "input_audio_buffer.speech_started", "item_id": item_id, "audio_start_ms": start_ms})
    talk.send({"type": "input_audio_buffer.speech_stopped", "item_id": item_id, "audio_end_ms": end_ms})
    talk.send({"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": None})
    done = {"item_id": item_id, "content_index": 0, "transcript": text, "usage": {"type": "duration", "seconds": 1.0}}
    talk.send({"type": f"{TRANSCRIPTION}.completed", **done})


def test_a_reset_in_the_middle_of_a_word_loses_nothing_of_the_sentence_and_greets_nobody() -> None:
    network: list[Network] = []

    def hears_the_beginning(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        talk.reply("Welcome!", audio_ms=100)
        talk.hear_speech()
        talk.send({"type": "input_audio_buffer.speech_started", "item_id": "item_x", "audio_start_ms": 0})
        talk.until_all_has_come()
        network[0].reset()

    def hears_it_all(talk: Talk) -> None:
        talk.greet()
        talk.hear_turn("what is the capital of France")
        talk.reply("Paris.", audio_ms=100)
        talk.obey_until_closed()

    script = scripts.in_turn(hears_the_beginning, hears_it_all)
    with ScriptedServer(script) as server, Network(server.url) as between:
        network.append(between)
        options = ("--greet", "--mic", QUESTION, "--speaker", "none", "--max-turns", "1")
        with chat(between.url, *options) as running:
            running.until("assistant", text="Paris.")
            running.until("end")
            assert running.process.wait(PATIENCE_S) == 0
    assert states(running.lines) == ["lost", "retrying", "restored"]
    assert server.talks[1].told[:2] == ["session.update", "assistant: Welcome!"]
    assert "response.create" not in server.talks[1].told


def test_a_network_that_stalls_with_the_socket_open_is_noticed_and_the_talk_goes_on() -> None:
    def answers(talk: Talk) -> None:
        talk.greet()
        while True:
            talk.obey_until("response.create")
            talk.reply("Yes.", audio_ms=100)

    with (
        ScriptedServer(answers) as server,
        Network(server.url) as between,
        chat(between.url, *SILENT, "--ping-s", "5") as running,
    ):
        running.until("session")
        running.tell(type="say", text="Are you there?")
        running.until("assistant", text="Yes.")
        between.stall()
        running.tell(type="say", text="And now?")
        running.until("connection", state="restored")
        running.until("assistant", text="Yes.")
        running.tell(type="quit")
        running.until("end")
        assert running.process.wait(PATIENCE_S) == 0
    told = next(line for line in running.lines if line["type"] == "connection")
    assert "does not answer any more" in told["reason"]
    assert server.talks[1].told == [
        "session.update",
        "user: Are you there?",
        "assistant: Yes.",
        "user: And now?",
        "response.create",
    ]


def test_a_session_is_renewed_before_it_ends_and_nobody_notices() -> None:
    def the_first_lasts_six_seconds(talk: Talk) -> None:
        if talk.number == 0:
            talk.session = {"expires_at": int(time.time()) + 6}
        talk.greet()
        while True:
            talk.obey_until("response.create")
            talk.reply("Yes.", audio_ms=100)

    with ScriptedServer(the_first_lasts_six_seconds, checked=False) as server, chat(server.url, *SILENT) as running:
        running.tell(type="say", text="One?")
        running.until("assistant", text="Yes.")
        running.until("connection", state="renewed")
        running.tell(type="say", text="Two?")
        running.until("assistant", text="Yes.")
        running.tell(type="quit")
        running.until("end")
    assert states(running.lines) == ["renewed"]
    assert server.talks[1].told[:3] == ["session.update", "user: One?", "assistant: Yes."]
    assert server.talks[0].close_code == 1000  # the session before was closed in good order


def test_a_program_that_slept_finds_its_connection_gone_and_goes_on() -> None:
    stopped = threading.Event()

    def goes_away(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        talk.reply("Yes.", audio_ms=100)
        assert stopped.wait(PATIENCE_S)
        talk.close(1001)

    script = scripts.in_turn(goes_away, scripts.text_turns("Here."))
    with ScriptedServer(script) as server, chat(server.url, *SILENT) as running:
        running.until("session")
        running.tell(type="say", text="Are you there?")
        running.until("assistant", text="Yes.")
        os.kill(running.process.pid, signal.SIGSTOP)
        stopped.set()
        # Stopped for so long that it counts as a sleep; nothing less shows that.
        never = threading.Event()
        never.wait(SLEPT_S + 0.5)
        os.kill(running.process.pid, signal.SIGCONT)
        running.until("connection", state="restored")
        running.tell(type="say", text="And now?")
        running.until("assistant", text="Here.")
        running.tell(type="quit")
        running.until("end")
    assert server.talks[1].told[:3] == ["session.update", "user: Are you there?", "assistant: Yes."]


def test_a_network_that_does_not_come_back_ends_it_with_one_line_and_exit_code_4() -> None:
    with (
        ScriptedServer(scripts.text_turns("Yes.")) as server,
        chat(server.url, *SILENT, "--reconnect-s", "1.5") as running,
    ):
        running.until("session")
        running.tell(type="say", text="Are you there?")
        running.until("assistant", text="Yes.")
        server.vanish()
        running.until("end")
        assert running.process.wait(PATIENCE_S) == 4
    (error,) = [line for line in running.lines if line["type"] == "error"]
    assert "not regained within 1.5 s (--reconnect-s)" in error["message"]
    assert states(running.lines)[0] == "lost"


@pytest.mark.parametrize("code", [1012, 4004])
def test_only_closes_after_which_another_try_may_help_are_tried_again(code: int) -> None:
    def closes(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        talk.close(code, "")

    with ScriptedServer(scripts.in_turn(closes, scripts.text_turns("Yes."))) as server:
        done = run("say", "Hello?", "--no-save", "--base-url", server.url)
    assert done.returncode == (0 if code < 3000 and code != 1008 else 4), done.stderr
    assert len(server.talks) == (2 if done.returncode == 0 else 1)
