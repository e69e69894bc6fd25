"""Transcriptions: the core by facts, the command against a scripted server and against the embedded one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.cutting import LONGEST_MS, Cutter
from realtime_cli.conversation.effects import CloseMic, Effect, End, Feed, OpenMic, Send, Show, Speak
from realtime_cli.conversation.records import Ended, Transcribed, Trouble
from realtime_cli.conversation.transcription import FAREWELL_S, MARKER, SETUP, Transcription, TranscriptionOptions
from realtime_cli.protocol.client import InputAudioBufferCommit, SessionUpdate
from realtime_cli.protocol.dialects import Dialect, from_wire
from realtime_cli.view.subtitles import Format, cues, writer
from tests.on_terminal import on_terminal
from tests.running import PATIENCE_S, ROOT, environment, lines_of, run
from tests.scripted_server import Script, ScriptedServer
from tests.scripted_talk import Talk
from tests.virtual_devices import VirtualDevices

QUESTION = ROOT / "examples" / "question.wav"
BODY = {"type": "transcription", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
TRANSCRIPTION = "conversation.item.input_audio_transcription"
BLOCK = 2_400 * 2
"""100 ms."""


def tone(ms: int, level: float = 0.3) -> bytes:
    frames = np.arange(24 * ms)
    return bytes((np.sin(frames * 2 * np.pi * 220 / 24_000) * level * 32767).astype("<i2").tobytes())


def blocks(pcm: bytes) -> Iterator[bytes]:
    return (pcm[at : at + BLOCK] for at in range(0, len(pcm), BLOCK))


class Driver:
    """Tells a transcription facts and keeps what it wants."""

    def __init__(self, **options: Any) -> None:
        self.core = Transcription(TranscriptionOptions(provider="test", model="m", session=BODY, **options))
        self.effects: list[Effect] = []
        self.now = 0.0

    def tell(self, *facts: f.Fact) -> list[Effect]:
        new = [effect for fact in facts for effect in self.core.handle(fact, self.now)]
        self.effects += new
        return new

    def says(self, kind: str, **fields: Any) -> list[Effect]:
        return self.tell(from_wire(json.dumps({"type": kind, "event_id": "e", **fields})))

    def begin(self) -> list[Effect]:
        self.tell(f.Opened())
        return self.says("session.created", session={"id": "sess_1", "type": "transcription"})

    def completed(self, item_id: str, text: str) -> list[Effect]:
        return self.says(f"{TRANSCRIPTION}.completed", item_id=item_id, content_index=0, transcript=text)

    def wait(self) -> list[Effect]:
        """Let time pass until something is due."""
        assert self.core.deadline is not None
        self.now = self.core.deadline
        return self.tell(f.Tick())

    @property
    def texts(self) -> list[str]:
        return [record.text for record in self.records(Transcribed)]

    def records(self, kind: type) -> list[Any]:
        return [it.record for it in self.effects if isinstance(it, Show) and isinstance(it.record, kind)]

    @property
    def commits(self) -> int:
        return sum(isinstance(it, Send) and isinstance(it.event, InputAudioBufferCommit) for it in self.effects)


def test_the_session_is_set_up_before_any_audio() -> None:
    setup, _started, audio = Driver(recording="talk").begin()
    assert isinstance(setup, Send)
    assert isinstance(setup.event, SessionUpdate)
    assert setup.event.session == BODY
    assert audio == Feed("talk", cut=False)
    assert isinstance(Driver().begin()[-1], OpenMic)


def test_a_server_that_shows_another_dialect_is_answered_in_that() -> None:
    beta = {"turn_detection": None, "type": "transcription"}
    driver = Driver(session_otherwise={Dialect.BETA: beta})
    driver.tell(f.Opened())
    effects = driver.says("transcription_session.created", session={"id": "s", "input_audio_format": "pcm16"})
    assert effects[0] == Speak(Dialect.BETA)
    (update,) = [it.event for it in effects if isinstance(it, Send)]
    assert isinstance(update, SessionUpdate)
    assert update.session == beta


def test_transcripts_are_told_in_the_order_of_speech_and_not_of_arrival() -> None:
    driver = Driver()
    driver.begin()
    for item_id, at in (("a", 100), ("b", 2000)):
        driver.says("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=at)
        driver.says("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=at + 1000)
        driver.says("input_audio_buffer.committed", item_id=item_id)
    driver.completed("b", "second")
    assert driver.texts == []
    driver.completed("a", "first")
    assert driver.records(Transcribed) == [
        Transcribed(item_id="a", text="first", start_ms=100, end_ms=1100),
        Transcribed(item_id="b", text="second", start_ms=2000, end_ms=3000),
    ]


def test_speech_that_the_server_took_back_holds_nothing_up() -> None:
    driver = Driver()
    driver.begin()
    driver.says("input_audio_buffer.speech_started", item_id="cough", audio_start_ms=100)
    driver.says("input_audio_buffer.speech_started", item_id="word", audio_start_ms=900)
    driver.says("input_audio_buffer.committed", item_id="word")
    driver.completed("word", "hello")
    assert driver.texts == ["hello"]


def test_a_recording_ends_when_the_server_has_heard_all_of_it_and_owes_nothing() -> None:
    driver = Driver(recording="talk")
    driver.begin()
    (marker,) = driver.tell(f.Fed())
    assert isinstance(marker, Send)
    assert marker.event.event_id == MARKER
    driver.says("input_audio_buffer.committed", item_id="a")
    driver.says("session.updated", session=BODY)
    driver.now += 30
    assert driver.tell(f.Tick()) == []
    driver.completed("a", "words")
    assert driver.records(Ended) == []
    driver.wait()
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


def test_speech_that_goes_on_at_the_end_of_a_recording_is_committed() -> None:
    driver = Driver(recording="talk")
    driver.begin()
    driver.says("input_audio_buffer.speech_started", item_id="a", audio_start_ms=100)
    driver.tell(f.Fed())
    driver.says("session.updated", session=BODY)
    driver.wait()
    assert driver.commits == 1
    driver.says("input_audio_buffer.committed", item_id="a")
    driver.completed("a", "words")
    driver.wait()
    assert driver.texts == ["words"]
    assert driver.records(Ended)[0].exit_code == 0


def test_ctrl_c_waits_for_what_was_said_and_ends_with_130() -> None:
    driver = Driver()
    driver.begin()
    driver.says("input_audio_buffer.speech_started", item_id="a", audio_start_ms=100)
    assert CloseMic() in driver.tell(f.Quit(exit_code=130))
    driver.tell(f.MicClosed(2000))
    assert driver.commits == 1
    driver.says("input_audio_buffer.committed", item_id="a")
    assert driver.records(Ended) == []
    driver.completed("a", "the last words")
    assert driver.texts == ["the last words"]
    assert End(130, "interrupted") in driver.effects


def test_ctrl_c_does_not_wait_for_ever_and_keeps_what_came() -> None:
    driver = Driver()
    driver.begin()
    driver.says("input_audio_buffer.committed", item_id="a")
    driver.says(f"{TRANSCRIPTION}.delta", item_id="a", content_index=0, delta="half a sen")
    driver.tell(f.Quit(exit_code=130), f.MicClosed(2000))
    driver.wait()
    assert driver.now == FAREWELL_S
    assert driver.texts == ["half a sen"]
    assert End(130, "interrupted") in driver.effects


def test_where_this_side_cuts_the_times_are_those_of_the_cuts() -> None:
    driver = Driver(server_cuts=False, recording="talk")
    assert Feed("talk", cut=True) in driver.begin()
    driver.tell(f.Cut(0, 5000, True), f.Cut(5000, 9000, False), f.Cut(9000, 12_000, True), f.Fed())
    for item_id in ("a", "b"):
        driver.says("input_audio_buffer.committed", item_id=item_id)
        driver.completed(item_id, item_id)
    assert [(it.start_ms, it.end_ms) for it in driver.records(Transcribed)] == [(0, 5000), (9000, 12_000)]
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


def test_the_rest_of_a_microphone_is_committed_only_if_somebody_spoke_in_it() -> None:
    for has_speech, commits in ((True, 1), (False, 0)):
        driver = Driver(server_cuts=False)
        driver.begin()
        driver.tell(f.Cut(0, 5000, False), f.Quit(exit_code=130), f.MicClosed(7000, has_speech))
        assert driver.commits == commits
    driver = Driver(server_cuts=False)
    driver.begin()
    driver.tell(f.Cut(0, 5000, False), f.Quit(exit_code=130), f.MicClosed(5050))
    assert driver.commits == 0
    assert End(130, "interrupted") in driver.effects


def test_a_part_that_fails_is_told_and_the_rest_goes_on() -> None:
    driver = Driver(server_cuts=False, recording="talk")
    driver.begin()
    driver.tell(f.Cut(0, 5000, True), f.Cut(5000, 9000, True), f.Fed())
    for item_id in ("a", "b"):
        driver.says("input_audio_buffer.committed", item_id=item_id)
    driver.says(f"{TRANSCRIPTION}.failed", item_id="a", content_index=0, error={"message": "too noisy"})
    driver.completed("b", "words")
    assert "too noisy" in driver.records(Trouble)[0].message
    assert driver.texts == ["words"]
    assert driver.records(Ended) == [Ended(reason="done", exit_code=1)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "invalid_api_key", "message": "no"}, 4),
        ({"code": "invalid_value", "message": "no such model", "event_id": SETUP}, 2),
    ],
)
def test_errors_that_end_a_transcription(error: dict[str, str], code: int) -> None:
    driver = Driver()
    driver.begin()
    driver.says("error", error={"type": "invalid_request_error", **error})
    assert driver.records(Ended) == [Ended(reason="failed", exit_code=code)]


def test_a_server_that_falls_silent_is_a_failure_that_keeps_what_came() -> None:
    driver = Driver()
    driver.tell(f.Opened())
    driver.wait()
    assert driver.records(Ended)[0].exit_code == 4
    driver = Driver()
    driver.begin()
    driver.says("input_audio_buffer.committed", item_id="a")
    driver.wait()
    assert driver.records(Ended)[0].exit_code == 1


def test_a_refused_commit_is_owed_no_transcript() -> None:
    driver = Driver(server_cuts=False, recording="talk")
    driver.begin()
    driver.tell(f.Cut(0, 5000, True), f.Fed())
    driver.says("error", error={"type": "invalid_request_error", "code": "input_audio_buffer_commit_empty"})
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


def cuts_of(pcm: bytes) -> list[f.Cut]:
    cutter = Cutter()
    found = [cut for block in blocks(pcm) if (cut := cutter.hear(block))]
    return found + [cut for cut in [cutter.finish()] if cut]


def test_speech_without_a_pause_is_cut_at_the_longest_length() -> None:
    assert cuts_of(tone(20_000)) == [f.Cut(0, LONGEST_MS, True), f.Cut(LONGEST_MS, 20_000, True)]


def test_speech_is_cut_in_a_pause_where_there_is_one() -> None:
    noise = tone(500, level=0.002)
    assert cuts_of(tone(6000) + noise + tone(3000)) == [f.Cut(0, 6400, True), f.Cut(6400, 9500, True)]
    assert cuts_of(tone(3000) + noise + tone(3000)) == [f.Cut(0, 6500, True)]


def test_silence_is_cut_as_such_and_a_rest_under_100_ms_is_no_piece() -> None:
    assert cuts_of(bytes(48 * 5000)) == [f.Cut(0, 5000, False)]
    assert cuts_of(tone(LONGEST_MS) + tone(60)) == [f.Cut(0, LONGEST_MS, True)]


LONG = "The quick brown fox jumps over the lazy dog, and then it does the same thing over and over again until night."


def test_a_long_stretch_becomes_several_cues_of_two_lines() -> None:
    made = cues(Transcribed(item_id="a", text=LONG, start_ms=1000, end_ms=9000))
    assert len(made) == 2
    assert all(len(line) <= 42 for cue in made for line in cue.lines)
    assert (made[0].start_ms, made[-1].end_ms) == (1000, 9000)
    assert made[0].end_ms == made[1].start_ms
    assert " ".join(line for cue in made for line in cue.lines) == LONG


def test_a_cue_whose_end_nobody_told_lasts_as_long_as_reading_takes() -> None:
    (short,) = cues(Transcribed(item_id="a", text="Yes.", start_ms=500))
    assert short.end_ms == 1500


@pytest.mark.parametrize(
    ("form", "document"),
    [
        ("txt", "Is 1 < 2 --> yes?\nNo.\n"),
        (
            "srt",
            "1\n01:01:01,001 --> 01:01:02,000\nIs 1 < 2 -> yes?\n\n2\n01:01:03,000 --> 01:01:04,000\nNo.\n\n",
        ),
        (
            "vtt",
            "WEBVTT\n\n01:01:01.001 --> 01:01:02.000\nIs 1 &lt; 2 --&gt; yes?\n\n"
            "01:01:03.000 --> 01:01:04.000\nNo.\n\n",
        ),
    ],
)
def test_the_formats(form: Format, document: str) -> None:
    made = writer(form)
    pieces = [
        Transcribed(item_id="a", text="Is 1 < 2\n--> yes?", start_ms=3_661_001, end_ms=3_662_000),
        Transcribed(item_id="b", text="No.", start_ms=3_663_000, end_ms=3_664_000),
    ]
    assert made.head() + "".join(map(made.piece, pieces)) + made.tail() == document


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
