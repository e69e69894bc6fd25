"""A recorded list of facts replays a conversation exactly: the core reads no clock and opens nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests import scripts
from tests.fact_log import read, replayed
from tests.running import PATIENCE_S, ROOT, environment
from tests.scripted_server import ScriptedServer
from tests.test_transcribe import transcriber


def test_a_real_conversations_facts_replay_to_the_same_effects(tmp_path: Path) -> None:
    log, question = tmp_path / "facts.jsonl", str(ROOT / "examples" / "question.wav")
    with ScriptedServer(scripts.voice_turns()) as server:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.fact_log", str(log), "chat", "--json", "--base-url", server.url),
                *("--mic", question, "--speaker", str(tmp_path / "heard.wav"), "--max-turns", "1"),
            ],
            check=False,
            capture_output=True,
            env=environment(),
            timeout=PATIENCE_S,
            cwd=tmp_path,
        )
    assert done.returncode == 0, done.stderr
    before, entries = read(log)
    kinds = {entry.kind for entry in entries}
    assert {"ServerEvent", "Opened", "Heard", "MicOpened"} <= kinds
    assert {name for entry in entries for name, _ in entry.effects} >= {"Send", "Play", "OpenMic", "Show", "End"}
    assert list(replayed(before, entries)) == [entry.effects for entry in entries]


def test_recordings_are_named_and_not_held_by_the_core(tmp_path: Path) -> None:
    log, question = tmp_path / "facts.jsonl", str(ROOT / "examples" / "question.wav")
    with ScriptedServer(scripts.voice_turns()) as server:
        done = subprocess.run(
            [sys.executable, "-m", "tests.fact_log", str(log), "ask", question, "--base-url", server.url],
            check=False,
            capture_output=True,
            env=environment(),
            timeout=PATIENCE_S,
            cwd=tmp_path,
        )
    assert done.returncode in (0, 1), done.stderr
    before, entries = read(log)
    assert [entry.body for entry in entries if entry.kind == "Spoken"] == [{"source": question}]
    assert list(replayed(before, entries)) == [entry.effects for entry in entries]


def test_a_transcriptions_facts_replay_to_the_same_effects(tmp_path: Path) -> None:
    log, question = tmp_path / "facts.jsonl", str(ROOT / "examples" / "question.wav")
    with ScriptedServer(transcriber("What is the capital of France?")) as server:
        done = subprocess.run(
            [sys.executable, "-m", "tests.fact_log", str(log), "transcribe", question, "--base-url", server.url],
            check=False,
            capture_output=True,
            env=environment(),
            timeout=PATIENCE_S,
            cwd=tmp_path,
        )
    assert (done.returncode, done.stdout) == (0, b"What is the capital of France?\n"), done.stderr
    before, entries = read(log)
    assert {"ServerEvent", "Opened", "Fed"} <= {entry.kind for entry in entries}
    assert {name for entry in entries for name, _ in entry.effects} >= {"Send", "Feed", "Show", "End"}
    assert list(replayed(before, entries)) == [entry.effects for entry in entries]
