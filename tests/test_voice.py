"""Real speech through real (virtual) sound devices: a question, its answer, and an interruption."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import scripts
from tests.audio_signals import ATTEMPTS
from tests.running import environment, lines_of, run
from tests.scripted_server import ScriptedServer
from tests.virtual_devices import VirtualDevices
from tests.voice_chat import QUESTION, Chat, first_sound_ms, speech
from tests.waiting import PATIENCE_S


def test_a_question_spoken_into_the_microphone_is_understood_and_answered_aloud(
    virtual_devices: VirtualDevices, tmp_path: Path
) -> None:
    recorded = tmp_path / "reply.raw"
    with virtual_devices.recording(recorded), Chat(virtual_devices, "--local", "--max-turns", "1") as chat:
        chat.wait_for("session")
        virtual_devices.play_into_mic(speech())
        understood = chat.wait_for("user")
        said = chat.wait_for("assistant")
        assert chat.wait_for_end() == 0
    assert "capital of france" in understood["text"].lower()
    assert "paris" in said["text"].lower()
    assert not said["interrupted"]
    reply = tmp_path / "reply.wav"
    with wave.open(str(reply), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(recorded.read_bytes())
    heard = run("ask", str(reply), "--local", "--json")
    transcript = next(line["text"] for line in lines_of(heard) if line["type"] == "user")
    assert "paris" in transcript.lower()


def interrupted_story(virtual_devices: VirtualDevices, recorded: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The line about a reply that was interrupted, and what the server was told; ``recorded`` is what was played."""
    with ScriptedServer(scripts.interrupted_turn(silence_ms=scripts.ON_DEVICES_MS)) as server:
        # The canceller would need the first second of the reply to learn that these devices have no echo.
        arguments = ("--base-url", server.url, "--max-turns", "2", "--no-aec")
        with Chat(virtual_devices, *arguments) as chat:
            chat.wait_for("session")
            with virtual_devices.recording(recorded):
                virtual_devices.play_into_mic(speech())
                chat.wait_for("assistant_delta")
                virtual_devices.play_into_mic(speech())
                interrupted = chat.wait_for("assistant")
            chat.wait_for("assistant")
            assert chat.wait_for_end() == 0
    (truncate,) = server.of_type("conversation.item.truncate")
    return interrupted, truncate


def test_an_interruption_tells_the_server_what_the_loudspeaker_played(
    virtual_devices: VirtualDevices, tmp_path: Path
) -> None:
    recorded = tmp_path / "story.raw"
    for _ in range(ATTEMPTS):
        interrupted, truncate = interrupted_story(virtual_devices, recorded)
        if first_sound_ms(recorded) == pytest.approx(truncate["audio_end_ms"], abs=20):
            break
    assert interrupted["interrupted"]
    assert interrupted["heard_ms"] == truncate["audio_end_ms"]
    assert first_sound_ms(recorded) == pytest.approx(truncate["audio_end_ms"], abs=20)


def test_a_chat_from_file_to_file_ends_by_itself_and_needs_no_sound_card(tmp_path: Path) -> None:
    reply = tmp_path / "reply.wav"
    done = run("chat", "--local", "--json", "--mic", str(QUESTION), "--speaker", str(reply))
    assert done.returncode == 0, done.stderr
    lines = {line["type"]: line for line in lines_of(done)}
    assert {"underruns", "underflows", "overflows", "dropped_blocks"} <= set(lines["audio"])
    assert "capital of france" in lines["user"]["text"].lower()
    assert "paris" in lines["assistant"]["text"].lower()
    with wave.open(str(reply)) as file:
        assert file.getnframes() > lines["assistant"]["heard_ms"] * 24


def test_a_chat_from_pipe_to_pipe_ends_by_itself() -> None:
    command = [sys.executable, "-m", "realtime_cli", "chat", "--local", "--mic", "-", "--speaker", "-"]
    done = subprocess.run(
        command, check=False, input=speech(), capture_output=True, env=environment(), timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr.decode()
    assert np.abs(np.frombuffer(done.stdout, "<i2").astype(int)).max() > 1000
    assert "paris" in done.stderr.decode().lower()


def test_a_spoken_question_is_answered_in_text_and_into_a_file(tmp_path: Path) -> None:
    reply = tmp_path / "reply.wav"
    done = run("ask", str(QUESTION), "--local", "--speaker", str(reply))
    assert done.returncode == 0, done.stderr
    assert "Paris" in done.stdout
    assert "capital of France" in done.stderr
    with wave.open(str(reply)) as file:
        assert file.getnframes() > 24_000
