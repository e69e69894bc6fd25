"""A recorded list of facts replays a conversation exactly: the core reads no clock and opens nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests import scripts
from tests.fact_log import Entry, read, replayed
from tests.running import ROOT, environment
from tests.scripted_server import Script, ScriptedServer
from tests.test_transcribe import transcriber
from tests.waiting import PATIENCE_S

QUESTION = str(ROOT / "examples" / "question.wav")


def recorded(script: Script, folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[bytes], list[Entry]]:
    """The program's run with what its core was told, which another core answers alike."""
    log = folder / "facts.jsonl"
    with ScriptedServer(script) as server:
        done = subprocess.run(
            [sys.executable, "-m", "tests.fact_log", str(log), *arguments, "--base-url", server.url],
            check=False,
            capture_output=True,
            env=environment(),
            timeout=PATIENCE_S,
            cwd=folder,
        )
    before, entries = read(log)
    assert list(replayed(before, entries)) == [entry.effects for entry in entries]
    return done, entries


def test_a_real_conversations_facts_replay_to_the_same_effects(tmp_path: Path) -> None:
    speaker = ("--speaker", str(tmp_path / "heard.wav"))
    done, entries = recorded(
        scripts.voice_turns(), tmp_path, "chat", "--json", "--mic", QUESTION, *speaker, "--max-turns", "1"
    )
    assert done.returncode == 0, done.stderr
    assert {"ServerEvent", "Opened", "Heard", "MicOpened"} <= {entry.kind for entry in entries}
    assert {name for entry in entries for name, _ in entry.effects} >= {"Send", "Play", "OpenMic", "Show", "End"}


def test_recordings_are_named_and_not_held_by_the_core(tmp_path: Path) -> None:
    done, entries = recorded(scripts.voice_turns(), tmp_path, "ask", QUESTION)
    assert done.returncode in (0, 1), done.stderr
    assert [entry.body for entry in entries if entry.kind == "Spoken"] == [{"source": QUESTION}]


def test_a_transcriptions_facts_replay_to_the_same_effects(tmp_path: Path) -> None:
    done, entries = recorded(transcriber("What is the capital of France?"), tmp_path, "transcribe", QUESTION)
    assert (done.returncode, done.stdout) == (0, b"What is the capital of France?\n"), done.stderr
    assert {"ServerEvent", "Opened", "Fed"} <= {entry.kind for entry in entries}
    assert {name for entry in entries for name, _ in entry.effects} >= {"Send", "Feed", "Show", "End"}
