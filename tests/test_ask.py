"""``ask`` with recordings of all sizes, against the scripted server and the embedded one."""

from __future__ import annotations

import base64
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_cli.cli.ask import ITEM_MS
from tests import scripts
from tests.on_terminal import on_terminal
from tests.running import ROOT, environment, lines_of, run
from tests.scripted_server import ScriptedServer
from tests.scripted_talk import Talk

QUESTION = ROOT / "examples" / "question.wav"
RATE_HZ = 24_000


def speech(path: Path, ms: int, hz: int = 220) -> Path:
    """A tone as long as asked, PCM16 24 kHz mono."""
    frames = np.arange(RATE_HZ * ms // 1000)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes((np.sin(frames * 2 * np.pi * hz / RATE_HZ) * 9000).astype("<i2").tobytes())
    return path


def sparse_wav(path: Path, seconds: int, rate_hz: int = 8_000) -> Path:
    """A WAV file of any length that takes no room on the disk: a second of tone, then a hole."""
    speech(path, 1000)
    with path.open("r+b") as file:
        head = bytearray(file.read(44))
        head[4:8] = (36 + seconds * rate_hz * 2).to_bytes(4, "little")
        head[24:32] = rate_hz.to_bytes(4, "little") + (rate_hz * 2).to_bytes(4, "little")
        head[40:44] = (seconds * rate_hz * 2).to_bytes(4, "little")
        file.seek(0)
        file.write(head)
        file.truncate(44 + seconds * rate_hz * 2)
    return path


def hears_recordings(*replies: str) -> scripts.Script:
    """Answers each committed recording."""

    def script(talk: Talk) -> None:
        talk.greet()
        for reply in replies:
            talk.obey_until("input_audio_buffer.commit")
            talk.commit(talk.new_id("item"), "a question")
            talk.obey_until("response.create")
            talk.reply(reply)
        talk.obey_until_closed()

    return script


def appended(server: ScriptedServer) -> bytes:
    return b"".join(base64.b64decode(event["audio"]) for event in server.of_type("input_audio_buffer.append"))


def test_several_files_are_turns_of_one_conversation(tmp_path: Path) -> None:
    first, second = speech(tmp_path / "one.wav", 700), speech(tmp_path / "two.wav", 500, hz=330)
    with ScriptedServer(hears_recordings("Fine.", "Good bye.")) as server:
        done = run("ask", str(first), str(second), "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "Fine.\nGood bye.\n"), done.stderr
    assert len(server.handshakes) == 1
    turn = ["input_audio_buffer.commit", "response.create"]
    assert server.types == ["session.update", *turn, *turn]
    assert len(appended(server)) == 48 * 1200


def test_a_recording_can_be_sent_as_one_item(tmp_path: Path) -> None:
    recording = speech(tmp_path / "one.wav", 700)
    with ScriptedServer(scripts.text_turns("Fine.")) as server:
        done = run("ask", str(recording), "--as-item", "--base-url", server.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Fine.\n", "")
    assert server.types == ["session.update", "conversation.item.create", "response.create"]
    (part,) = server.of_type("conversation.item.create")[0]["item"]["content"]
    assert part["type"] == "input_audio"
    with wave.open(str(recording)) as file:
        assert base64.b64decode(part["audio"]) == file.readframes(file.getnframes())
    assert appended(server) == b""


def test_a_recording_too_long_for_one_item_is_exit_2_and_names_the_limit(tmp_path: Path) -> None:
    long = sparse_wav(tmp_path / "long.wav", ITEM_MS // 1000 + 2)
    done = run("ask", str(long), "--as-item", "--base-url", "127.0.0.1:9")
    assert done.returncode == 2
    assert "15 MB" in done.stderr
    assert "--as-item" in done.stderr


def test_the_longest_item_is_an_event_under_the_limit() -> None:
    encoded = (ITEM_MS * 48 + 2) // 3 * 4
    assert encoded < 15 * 1024 * 1024 - 2048
    assert encoded > 14.9 * 1024 * 1024


def test_the_embedded_server_understands_a_recording_as_an_item_too() -> None:
    done = run("ask", str(QUESTION), "--as-item", "--local", "--json")
    assert done.returncode == 0, done.stderr
    assert "paris" in next(line["text"].lower() for line in lines_of(done) if line["type"] == "assistant")


@pytest.mark.parametrize("which", ["silent", "short", "empty", "text"])
@pytest.mark.parametrize("as_item", [False, True], ids=["stream", "item"])
def test_a_bad_second_file_is_exit_2_before_anything_is_sent(which: str, as_item: bool, tmp_path: Path) -> None:
    good, bad = speech(tmp_path / "good.wav", 500), tmp_path / "bad.wav"
    match which:
        case "silent":
            with wave.open(str(bad), "wb") as file:
                file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
                file.writeframes(bytes(RATE_HZ))
        case "short":
            speech(bad, 60)
        case "empty":
            bad.touch()
        case "text":
            bad.write_text("no audio")
    done = run("ask", str(good), str(bad), "--base-url", "127.0.0.1:9", *(["--as-item"] if as_item else []))
    assert done.returncode == 2, done.stderr
    assert "bad.wav" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reply_is_not_written_over_the_second_question(tmp_path: Path) -> None:
    first, second = speech(tmp_path / "one.wav", 500), speech(tmp_path / "two.wav", 500)
    before = second.read_bytes()
    done = run("ask", str(first), str(second), "--speaker", str(second), "--base-url", "127.0.0.1:9")
    assert done.returncode == 2, done.stderr
    assert second.read_bytes() == before


def test_a_long_recording_shows_a_bar_on_a_terminal_and_clears_it_away(tmp_path: Path) -> None:
    def slow(talk: Talk) -> None:
        talk.greet()
        talk.expect("session.update")
        talk.pause(0.5)
        assert talk.swallow_audio()[1]["type"] == "input_audio_buffer.commit"
        talk.commit(talk.new_id("item"), "a question")
        talk.obey_until("response.create")
        talk.reply("Fine.")
        talk.obey_until_closed()

    long = sparse_wav(tmp_path / "long.wav", 600)
    with ScriptedServer(slow) as server:
        code, out, seen = on_terminal("ask", str(long), "--base-url", server.url)
    assert (code, out) == (0, "Fine.\n")
    assert "sending long.wav" in seen
    assert "of 10:00" in seen
    assert "━" not in seen.rsplit("\x1b[2K", 1)[1]


def test_a_recording_may_come_on_standard_input(tmp_path: Path) -> None:
    with ScriptedServer(hears_recordings("Fine.")) as server:
        done = run("ask", "-", "--quiet", "--base-url", server.url, stdin=QUESTION.read_bytes(), TMPDIR=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "Fine.\n", "")
    assert list(tmp_path.iterdir()) == []


def test_standard_input_can_be_read_once() -> None:
    done = run("ask", "-", "-", "--base-url", "127.0.0.1:9")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "once" in done.stderr


TELLS_ITS_MEMORY = """
import re, resource, sys
from pathlib import Path
from realtime_cli.cli.main import main

def most_bytes():
    # On Linux getrusage also counts the process that this one was forked from (getrusage(2)), which is the tests.
    if sys.platform == "linux":
        return int(re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

try:
    main()
finally:
    print(most_bytes(), file=sys.stderr)
"""


def test_three_hours_are_sent_in_bounded_memory(tmp_path: Path) -> None:
    received: list[Any] = []

    def script(talk: Talk) -> None:
        talk.greet()
        talk.expect("session.update")
        size, event = talk.swallow_audio()
        received.extend((size, event["type"]))
        talk.commit(talk.new_id("item"), "a long story")
        talk.obey_until("response.create")
        talk.reply("That was long.")
        talk.obey_until_closed()

    long = sparse_wav(tmp_path / "long.wav", 3 * 3600)
    with ScriptedServer(script) as server:
        command = [sys.executable, "-c", TELLS_ITS_MEMORY, "ask", str(long), "--quiet", "--base-url", server.url]
        done = subprocess.run(command, check=False, capture_output=True, env=environment(), timeout=600)
    assert done.stdout == b"That was long.\n", done.stderr.decode()
    assert received == [3 * 3600 * 48_000, "input_audio_buffer.commit"]
    assert int(done.stderr.split()[-1]) < 200e6
