"""Which engines there are, and which better models run on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from realtime_cli.server.engines.neighbours import Neighbour, find_neighbours
from tests.network import closed_port
from tests.running import lines_of, run
from tests.scripted_engines import Answer, ScriptedEngine, says, silent, status, whole


@pytest.mark.parametrize(
    ("answer", "models"),
    [
        (whole(b'{"data": [{"id": "llama"}, {"id": "qwen"}]}'), ("llama", "qwen")),
        (whole(b'{"data": []}'), None),
        (whole(b"<html>", "text/html"), None),
        (whole(b'{"data": [7]}'), None),
        (status(401), None),
        (silent, None),
    ],
)
def test_a_program_that_serves_models_is_found_and_another_one_is_passed_by(
    answer: Answer, models: tuple[str, ...] | None
) -> None:
    with ScriptedEngine().running() as other:
        other.answers = [answer]
        port = urlsplit(other.url).port or 0
        found = find_neighbours({port: "Ollama"}, within_s=0.5 if answer is silent else 30)
        assert [one.models for one in found] == ([models] if models else [])


def test_where_nothing_listens_nothing_is_found() -> None:
    with closed_port() as port:
        assert find_neighbours({port: "Ollama"}) == []


def test_the_flags_name_a_model_where_there_are_several() -> None:
    one = Neighbour("Ollama", "http://localhost:11434/v1", ("llama",))
    two = Neighbour("Ollama", "http://localhost:11434/v1", ("llama", "qwen"))
    assert one.flags == "--lm http://localhost:11434/v1"
    assert two.line.endswith("--lm http://localhost:11434/v1 --lm-model llama talks with it")


def test_the_list_says_what_is_here_and_how_to_get_the_rest(tmp_path: Path) -> None:
    done = run("serve", "--list-engines", "--json", REALTIME_CLI_CACHE_DIR=str(tmp_path))
    listed = {line["name"]: line for line in lines_of(done)}
    assert listed["SmolLM2-135M"]["here"] is False
    assert listed["SmolLM2-135M"]["get"] == "realtime-cli fetch smollm2"
    assert listed["Whisper base"]["get"] == "realtime-cli fetch whisper-base"
    table = run("serve", "--list-engines", REALTIME_CLI_CACHE_DIR=str(tmp_path), COLUMNS="160")
    assert (table.returncode, table.stderr) == (0, "")
    assert "Smart Turn" in table.stdout


def test_a_chat_in_writing_is_answered_by_the_server_that_was_named() -> None:
    with ScriptedEngine().running() as other:
        other.answers = [says("Hello ", "from there.")]
        done = run("say", "Hi.", "--local", "--lm", other.url, "--lm-model", "tiny", REALTIME_CLI_LM_KEY="s3cr3t-key")
        assert (done.returncode, done.stdout.strip()) == (0, "Hello from there.")
        assert other.asked[0].headers["Authorization"] == "Bearer s3cr3t-key"
        assert other.asked[0].json["messages"][-1] == {"role": "user", "content": "Hi."}


def test_who_names_a_language_model_is_not_sent_to_a_paid_service() -> None:
    with ScriptedEngine().running() as other:
        other.answers = [says("Here.")]
        done = run("say", "Hi.", "--lm", other.url, "--lm-model", "tiny", OPENAI_API_KEY="sk-of-somebody")
        assert (done.returncode, done.stdout.strip()) == (0, "Here.")


def test_its_failure_is_a_failed_turn_with_its_reason_and_the_chat_goes_on() -> None:
    with ScriptedEngine().running() as other:
        other.answers = [status(429, {"error": {"message": "too many"}}), says("Now.")]
        words = ("say", "--interactive", "--local", "--lm", other.url, "--lm-model", "tiny", "--json")
        done = run(*words, stdin=b"first\nsecond\n")
        assert "answered 429 (too many)" in done.stdout + done.stderr
        texts = [json.loads(line).get("text") for line in done.stdout.splitlines()]
        assert "Now." in texts
