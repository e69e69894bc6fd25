"""Who speaks when: greetings, turns that nobody answers unasked, and programs that decide."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from realtime_cli.conversation import facts as f
from realtime_cli.terminal.json_commands import fact_of_command
from tests import scripts
from tests.running import ROOT, environment, lines_of, run
from tests.scripted_server import ScriptedServer
from tests.scripted_talk import Talk
from tests.waiting import PATIENCE_S

QUESTION = str(ROOT / "examples" / "question.wav")


def test_the_model_speaks_first() -> None:
    with ScriptedServer(scripts.text_turns("Welcome!")) as server:
        done = run("say", "--greet", "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "Welcome!\n"), done.stderr
    assert server.types == ["session.update", "response.create"]
    assert "response" not in server.of_type("response.create")[0]


def test_a_greeting_can_be_wished_for_and_the_turn_comes_after_it() -> None:
    with ScriptedServer(scripts.text_turns("Ahoy!", "Fine.")) as server:
        done = run("say", "How are you?", "--greeting", "Greet like a pirate.", "--base-url", server.url)
    assert done.stdout == "Ahoy!\nFine.\n"
    assert server.types == ["session.update", "response.create", "conversation.item.create", "response.create"]
    greeting, answer = server.of_type("response.create")
    assert greeting["response"] == {"instructions": "Greet like a pirate."}
    assert "response" not in answer


def test_a_chat_begins_with_a_greeting() -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        talk.reply("Hello, I am listening.", audio_ms=100)
        talk.hear_turn("what time is it")
        talk.reply("Late.", audio_ms=100)
        talk.obey_until_closed()

    with ScriptedServer(script) as server:
        done = run("chat", "--greet", "--json", "--mic", QUESTION, "--speaker", "none", "--base-url", server.url)
    said = [line["text"] for line in lines_of(done) if line["type"] == "assistant"]
    assert said[-1] == "Late."
    assert len(said) == 2
    assert len(server.of_type("response.create")) == 1


def test_the_embedded_server_greets_too() -> None:
    done = run("say", "--greeting", "Say hello.", "--local")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


class Driven:
    """``chat --json`` without a microphone's help, driven by lines."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "realtime_cli", "chat", "--json", "--speaker", "none", *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
        )
        self.lines: list[dict[str, Any]] = []

    def __enter__(self) -> Driven:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def tell(self, command: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()

    def wait_for(self, kind: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            self.lines.append(json.loads(text))
            if self.lines[-1]["type"] == kind:
                return self.lines[-1]
        raise AssertionError(f"no {kind} came: {self.lines}")


def test_a_program_decides_which_turns_are_answered(tmp_path: Path) -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.hear_turn("what time is it")
        talk.obey_until("response.create")
        talk.reply("Late.", audio_ms=100)
        talk.obey_until("response.create")
        talk.reply("You are welcome.", audio_ms=100)
        talk.obey_until_closed()

    with (
        ScriptedServer(script) as server,
        Driven("--no-auto-response", "--mic", QUESTION, "--base-url", server.url) as driven,
    ):
        assert driven.wait_for("user")["text"] == "what time is it"
        assert server.of_type("response.create") == []
        driven.tell({"type": "respond", "instructions": "Be brief."})
        assert driven.wait_for("assistant")["text"] == "Late."
        driven.tell({"type": "nonsense"})
        assert "nonsense" in driven.wait_for("notice")["text"]
        driven.tell({"type": "say", "text": "Thanks."})
        assert driven.wait_for("assistant")["text"] == "You are welcome."
        driven.tell({"type": "quit"})
        assert driven.wait_for("end")["reason"] == "quit"
        assert driven.process.wait(PATIENCE_S) == 0
    detection = server.of_type("session.update")[0]["session"]["audio"]["input"]["turn_detection"]
    assert detection["create_response"] is False
    assert server.of_type("response.create")[0]["response"] == {"instructions": "Be brief."}


def test_a_turn_that_nobody_is_to_answer_does_not_keep_a_chat_from_ending() -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.hear_turn("just a note")
        talk.obey_until_closed()

    with ScriptedServer(script) as server:
        arguments = ("--no-auto-response", "--mic", QUESTION, "--speaker", "none")
        done = run("chat", "--json", *arguments, "--base-url", server.url)
    assert done.returncode == 0, done.stderr
    assert [line["text"] for line in lines_of(done) if line["type"] == "user"] == ["just a note"]


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ('{"type":"say","text":" Hi "}', f.Typed("Hi")),
        ('{"type":"respond"}', f.Wanted()),
        ('{"type":"quit"}', f.Quit()),
    ],
)
def test_commands(line: str, fact: f.Fact) -> None:
    assert fact_of_command(line) == fact


@pytest.mark.parametrize(
    "line", ["hello", "[]", "{}", '{"type":"say"}', '{"type":"say","text":" "}', '{"type":"quit","x":1}']
)
def test_a_line_that_is_no_command_is_told_and_changes_nothing(line: str) -> None:
    assert isinstance(fact_of_command(line), f.Noted)
