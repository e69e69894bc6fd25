"""``transcribe`` as a program, against a scripted server and against the embedded one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.audio_signals import tone
from tests.on_terminal import on_terminal
from tests.running import ROOT, environment, lines_of, run
from tests.scripted_server import Script, ScriptedServer
from tests.scripted_talk import TRANSCRIPTION, Talk
from tests.virtual_devices import VirtualDevices
from tests.waiting import PATIENCE_S

QUESTION = ROOT / "examples" / "question.wav"


def transcriber(*texts: str, by_voice: bool = True) -> Script:
    """Hears as many turns as there are texts, by loudness or by commits, and writes each down."""

    def script(talk: Talk) -> None:
        session = {"type": "transcription", "object": "realtime.transcription_session", "id": "sess_1"}
        talk.send({"type": "session.created", "session": session})
        asked = talk.expect("session.update")["session"]
        talk.send({"type": "session.updated", "session": session | asked})
        for text in texts:
            if by_voice:
                talk.hear_turn(text)
            else:
                talk.expect("input_audio_buffer.commit")
                talk.commit(talk.new_id("item"), text)
        while True:
            event = talk.receive()
            if event["type"] == "session.update":
                talk.send({"type": "session.updated", "session": session | event["session"]})

    return script


@pytest.fixture
def talk_wav(tmp_path: Path) -> Path:
    """Stereo at an odd rate: a word, a pause, a word."""
    path = tmp_path / "talk.wav"
    word, pause = np.full((8000, 2), 9000, "<i2"), np.zeros((16_000, 2), "<i2")
    word[::2] *= -1
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 11_025, 0, "NONE", ""))
        file.writeframes(np.concatenate([word, pause, word, pause]).tobytes())
    return path


def test_the_command_writes_down_a_recording(talk_wav: Path) -> None:
    with ScriptedServer(transcriber("Hello there.", "Good bye.")) as server:
        done = run("transcribe", str(talk_wav), "--base-url", server.url, "--language", "en")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello there.\nGood bye.\n", "")
    assert server.handshakes[0].query["intent"] == ["transcription"]
    session = server.of_type("session.update")[0]["session"]
    assert session["type"] == "transcription"
    assert session["audio"]["input"]["transcription"] == {"model": "whisper-1", "language": "en"}


def test_a_beta_server_is_asked_in_its_own_words(talk_wav: Path) -> None:
    def script(talk: Talk) -> None:
        talk.send({"type": "session.created", "session": {"id": "sess_1", "modalities": ["text"]}})
        talk.expect("transcription_session.update")
        talk.hear_turn("Old school.")
        talk.obey_until_closed()

    with ScriptedServer(script, beta=True) as server:
        done = run("transcribe", str(talk_wav), "--dialect", "beta", "--language", "en", "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "Old school.\n"), done.stderr
    session = server.of_type("transcription_session.update")[0]["session"]
    assert session["input_audio_transcription"] == {"model": "whisper-1", "language": "en"}
    assert "type" not in session


def test_json_lines_of_a_transcription(talk_wav: Path) -> None:
    with ScriptedServer(transcriber("Hello.")) as server:
        done = run("transcribe", str(talk_wav), "--json", "--base-url", server.url)
    lines = lines_of(done)
    kinds = ["session", "transcript_delta", "transcript", "usage", "end"]
    assert [line["type"] for line in lines] == kinds
    assert (lines[2]["text"], lines[2]["start_ms"], lines[2]["end_ms"]) == ("Hello.", 0, 1000)
    assert lines[3]["seconds"] == 1.0


def test_without_voice_detection_the_program_commits_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(tone(20_000))
    with ScriptedServer(transcriber("One.", "Two.", by_voice=False)) as server:
        arguments = ("--transcription-model", "gpt-live-transcribe", "--keywords", "Realtime, SmolLM")
        done = run("transcribe", str(path), "--format", "vtt", "--base-url", server.url, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("WEBVTT\n\n00:00:00.000 --> 00:00:15.000\nOne.\n\n00:00:15.000 --> 00:00:20.000\nTwo.\n\n")
    sent = server.of_type("session.update")[0]["session"]["audio"]["input"]
    assert sent["turn_detection"] is None
    assert sent["transcription"] == {"model": "gpt-live-transcribe", "keywords": ["Realtime", "SmolLM"]}


def test_the_format_is_told_by_the_name_of_the_file(talk_wav: Path, tmp_path: Path) -> None:
    subtitles = tmp_path / "talk.srt"
    with ScriptedServer(transcriber("Hello.")) as server:
        done = run("transcribe", str(talk_wav), "--output", str(subtitles), "--base-url", server.url)
    assert done.stdout == "Hello.\n"
    assert subtitles.read_text() == "1\n00:00:00,000 --> 00:00:01,000\nHello.\n\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere.wav"],
        ["{talk}", "--format", "doc"],
        ["{talk}", "--mic", "other.wav"],
        ["{talk}", "--json", "--format", "srt"],
        ["{talk}", "--output", "{talk}"],
        ["{talk}", "--output", "{talk}/no.srt"],
        ["{talk}", "--transcription-model", "off"],
        ["{talk}", "--transcription-model", "gpt-realtime-whisper", "--keywords", "a,b"],
        ["{silent}"],
        ["{short}"],
        ["{empty}"],
        ["{text}"],
    ],
)
def test_what_cannot_be_transcribed_is_one_line_and_exit_2(
    arguments: list[str], talk_wav: Path, tmp_path: Path
) -> None:
    files = {name: tmp_path / f"{name}.wav" for name in ("silent", "short", "empty", "text")}
    for name, samples in (("silent", bytes(48_000)), ("short", tone(60))):
        with wave.open(str(files[name]), "wb") as file:
            file.setparams((1, 2, 24_000, 0, "NONE", ""))
            file.writeframes(samples)
    files["empty"].touch()
    files["text"].write_text("This is no audio.")
    before = talk_wav.read_bytes()
    named = [argument.format(talk=talk_wav, **files) for argument in arguments]
    done = run("transcribe", *named, "--base-url", "127.0.0.1:9")
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert talk_wav.read_bytes() == before


def test_ctrl_c_finishes_the_sentence_and_the_subtitles(tmp_path: Path) -> None:
    path, subtitles = tmp_path / "endless.wav", tmp_path / "said.json"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(tone(60_000))

    def script(talk: Talk) -> None:
        talk.send({"type": "session.created", "session": {"type": "transcription", "id": "sess_1"}})
        talk.expect("session.update")
        talk.hear_speech()
        item_id = talk.new_id("item")
        talk.send({"type": "input_audio_buffer.speech_started", "item_id": item_id, "audio_start_ms": 20})
        talk.send({"type": f"{TRANSCRIPTION}.delta", "item_id": item_id, "content_index": 0, "delta": "Stop"})
        talk.expect("input_audio_buffer.commit")
        talk.commit(item_id, "Stop me.")
        talk.obey_until_closed()

    with ScriptedServer(script) as server:
        command = [sys.executable, "-m", "realtime_cli", "transcribe", "--mic", str(path), "--json"]
        command += ["--output", str(subtitles), "--base-url", server.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as running:
            assert running.stdout is not None
            while json.loads(running.stdout.readline())["type"] != "transcript_delta":
                pass
            running.send_signal(signal.SIGINT)
            rest = [json.loads(line) for line in running.stdout]
            assert running.wait(PATIENCE_S) == 130
    assert [line["text"] for line in rest if line["type"] == "transcript"] == ["Stop me."]
    assert rest[-1]["type"] == "end"
    assert json.loads(subtitles.read_text())["text"] == "Stop me."


def test_a_terminal_shows_a_bar_and_clears_it_away(talk_wav: Path) -> None:
    with ScriptedServer(transcriber("Hello.", "Bye.")) as server:
        code, out, seen = on_terminal("transcribe", str(talk_wav), "--base-url", server.url)
    assert (code, out) == (0, "Hello.\nBye.\n")
    assert "transcribing" in seen
    assert "of 0:04" in seen
    assert seen.endswith("\r\x1b[2K")


@pytest.mark.parametrize("flag", ["--plain", "--quiet"])
def test_who_wants_no_control_codes_gets_no_bar(flag: str, talk_wav: Path) -> None:
    with ScriptedServer(transcriber("Hello.", "Bye.")) as server:
        assert on_terminal("transcribe", str(talk_wav), flag, "--base-url", server.url) == (0, "Hello.\nBye.\n", "")


def test_the_embedded_server_writes_down_a_recording_offline() -> None:
    done = run("transcribe", "--local", str(QUESTION), "--json")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in lines_of(done) if line["type"] == "transcript"]
    assert "capital of france" in line["text"].lower()
    assert 0 <= line["start_ms"] < line["end_ms"] < 3500


def test_a_real_microphone_is_written_down_until_ctrl_c(virtual_devices: VirtualDevices) -> None:
    with wave.open(str(QUESTION)) as file:
        speech = file.readframes(file.getnframes())
    command = [sys.executable, "-m", "realtime_cli", "transcribe", "--local", "--json"]
    variables = {**environment(), **virtual_devices.environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=variables) as running:
        assert running.stdout is not None
        lines = (json.loads(line) for line in running.stdout)
        assert next(line for line in lines if line["type"] == "session")
        virtual_devices.play_into_mic(speech)
        heard = next(line for line in lines if line["type"] == "transcript")
        running.send_signal(signal.SIGINT)
        assert [line["exit_code"] for line in lines if line["type"] == "end"] == [130]
        assert running.wait(PATIENCE_S) == 130
    assert "capital of france" in heard["text"].lower()


def test_the_embedded_server_transcribes_what_is_committed_too_and_fetches_no_language_model(tmp_path: Path) -> None:
    done = run("transcribe", "--local", str(QUESTION), "--vad", "off", REALTIME_CLI_CACHE_DIR=str(tmp_path))
    assert "capital of france" in done.stdout.lower()
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
