"""Every kind of server that the program knows, as they deviate: the real program against scripted ones."""

from __future__ import annotations

import base64
import json
import wave
from pathlib import Path

import numpy as np
import pytest

from tests import accents, scripts
from tests.running import KEY, lines_of, run
from tests.scripted_reply import RATE_HZ, tone
from tests.scripted_server import ScriptedServer, session_sent
from tests.scripted_talk import Talk

TWO_TURNS = ("say", "--interactive", "--json")
FILE_TO_FILE = ("chat", "--json", "--max-turns", "1")


def spoken(path: Path, *parts_ms: int) -> Path:
    """A recording of tones and silences, in turn."""
    pcm = b"".join(bytes(48 * ms) if number % 2 else tone(ms) for number, ms in enumerate(parts_ms))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(pcm)
    return path


@pytest.mark.parametrize("deviation", accents.DEVIATIONS)
def test_a_server_may_deviate_and_two_turns_are_told_all_the_same(deviation: str) -> None:
    with ScriptedServer(scripts.text_turns("One.", "Two."), accent=accents.DEVIATIONS[deviation]) as server:
        done = run(*TWO_TURNS, "--base-url", server.url, stdin=b"first\nsecond\n")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in lines_of(done) if line["type"] not in ("assistant_delta", "cost")]
    kinds = [line["type"] for line in lines]
    assert kinds == ["session", "user", "assistant", "usage", "user", "assistant", "usage", "end"]
    assert [line["text"] for line in lines if line["type"] in ("user", "assistant")] == [
        "first",
        "One.",
        "second",
        "Two.",
    ]
    assert server.types.count("session.update") == 1


@pytest.mark.parametrize("deviation", ["no ids", "nulls", "items created, not added", "bare responses"])
def test_a_spoken_turn_with_a_server_that_deviates_is_heard_and_answered_aloud(tmp_path: Path, deviation: str) -> None:
    question, reply = spoken(tmp_path / "question.wav", 300), tmp_path / "reply.wav"
    script = scripts.voice_turns("what time is it", "Ten.", audio_ms=300)
    with ScriptedServer(script, accent=accents.DEVIATIONS[deviation]) as server:
        files = ("--mic", str(question), "--speaker", str(reply))
        done = run(*FILE_TO_FILE, *files, "--provider", "speech-to-speech", "--base-url", server.url)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in lines_of(done) if line["type"] in ("user", "assistant")]
    assert [(line["type"], line["text"]) for line in lines] == [("user", "what time is it"), ("assistant", "Ten.")]
    assert lines[1]["heard_ms"] == 300
    with wave.open(str(reply)) as file:
        assert np.abs(np.frombuffer(file.readframes(file.getnframes()), "<i2")).max() > 500


@pytest.mark.parametrize(
    ("version", "path", "query"),
    [
        ("", "/openai/v1/realtime", {"model": ["my-deployment"]}),
        (
            "2025-04-01-preview",
            "/openai/realtime",
            {"api-version": ["2025-04-01-preview"], "deployment": ["my-deployment"]},
        ),
    ],
    ids=["ga", "preview"],
)
def test_azure_is_reached_by_either_of_its_interfaces(version: str, path: str, query: dict[str, list[str]]) -> None:
    with ScriptedServer(scripts.text_turns("Fine."), beta=bool(version)) as server:
        done = run(
            *("say", "hello", "--provider", "azure", "--model", "my-deployment"),
            AZURE_OPENAI_ENDPOINT=server.url.removesuffix("/v1").replace("ws:", "http:"),
            AZURE_OPENAI_API_KEY=KEY,
            OPENAI_API_VERSION=version,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Fine.\n", "")
    (handshake,) = server.handshakes
    assert (handshake.path.partition("?")[0], handshake.query) == (path, query)
    headers = {name.lower(): value for name, value in handshake.headers.items()}
    assert headers["api-key"] == KEY
    assert {"authorization", "openai-beta"}.isdisjoint(headers)
    assert ("type" in session_sent(server)) == (not version)


def test_events_that_are_not_known_are_shown_with_debug() -> None:
    accent = accents.DEVIATIONS["events of its own"]
    with ScriptedServer(scripts.text_turns("Fine."), accent=accent) as server:
        done = run("say", "hello", "--debug", "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "Fine.\n")
    assert '"type": "ping"' in done.stderr


def test_an_error_that_is_a_plain_string_is_told_as_it_is() -> None:
    with ScriptedServer(scripts.refuses_everything, checked=False) as server:
        done = run("say", "hello", "--base-url", server.url)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "I am a teapot" in done.stderr


def test_a_failure_that_is_called_completed_is_a_failed_turn() -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        talk.begin_reply().finish()
        talk.obey_until_closed()

    with ScriptedServer(script, accent=accents.without_event_ids) as server:
        done = run("say", "hello", "--provider", "localai", "--model", "p", "--base-url", server.url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "empty reply" in done.stderr
    assert server.handshakes[0].query == {"model": ["p"]}


def test_speaches_gets_the_beta_and_neither_cancel_nor_truncate(tmp_path: Path) -> None:
    question = spoken(tmp_path / "question.wav", 400, 1500, 400)
    reply = tmp_path / "reply.wav"
    with ScriptedServer(scripts.interrupted_turn(), beta=True, accent=accents.without("rate_limits.")) as server:
        where = ("--provider", "speaches", "--model", "qwen", "--base-url", server.url)
        done = run("chat", "--json", "--mic", str(question), "--speaker", str(reply), *where)
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.handshakes[0].query == {"model": ["qwen"], "intent": ["conversation"]}
    assert server.types == ["session.update"]
    assert session_sent(server)["turn_detection"] == {"type": "server_vad"}
    said = [line for line in lines_of(done) if line["type"] in ("user", "assistant")]
    assert next((line["type"], line["text"]) for line in said) == ("user", "tell me a story")
    assert [line["interrupted"] for line in said if line["type"] == "assistant"] == [True, False]


def test_xai_opens_with_its_own_event_and_gets_its_own_session(tmp_path: Path) -> None:
    question = spoken(tmp_path / "question.wav", 400)

    def script(talk: Talk) -> None:
        talk.send_raw(json.dumps({"type": "conversation.created", "conversation": {"id": "conv_1"}}))
        talk.hear_turn("what time is it")
        talk.reply("Ten.", audio_ms=200)
        talk.obey_until_closed()

    with ScriptedServer(script, checked=False, accent=accents.with_xai_transcripts) as server:
        where = ("--provider", "xai", "--voice", "Eve", "--base-url", server.url)
        files = ("--mic", str(question), "--speaker", str(tmp_path / "reply.wav"))
        done = run(*FILE_TO_FILE, *files, *where, XAI_API_KEY="xai-0123456789")
    assert done.returncode == 0, done.stdout + done.stderr
    assert session_sent(server) == {
        "voice": "Eve",
        "turn_detection": {"type": "server_vad"},
        "audio": {
            "input": {"format": {"type": "audio/pcm", "rate": 24000}},
            "output": {"format": {"type": "audio/pcm", "rate": 24000}},
        },
    }
    texts = [line["text"] for line in lines_of(done) if line["type"] in ("user", "assistant")]
    assert texts == ["what time is it", "Ten."]


def test_speech_to_speech_gets_silence_behind_a_recording_and_answers_by_itself(tmp_path: Path) -> None:
    question = spoken(tmp_path / "question.wav", 400)
    with ScriptedServer(scripts.voice_turns("what time is it", "Ten.", audio_ms=200)) as server:
        where = ("--provider", "speech-to-speech", "--base-url", server.url)
        done = run("ask", str(question), "--json", *where)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    texts = [line["text"] for line in lines_of(done) if line["type"] in ("user", "assistant")]
    assert texts == ["what time is it", "Ten."]
    assert server.types == ["session.update"]


def test_a_server_that_writes_where_sound_was_asked_for_is_said_to_and_no_empty_file_is_left(tmp_path: Path) -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        for _ in range(2):
            talk.obey_until("response.create")
            talk.reply("Only words.", audio_ms=0)
        talk.obey_until_closed()

    reply = tmp_path / "reply.wav"
    with ScriptedServer(script, accent=accents.without("response.output_audio.")) as server:
        done = run(*TWO_TURNS, "--speaker", str(reply), "--base-url", server.url, stdin=b"first\nsecond\n")
    lines = lines_of(done)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert [line["text"] for line in lines if line["type"] == "notice"] == [
        "the server sent words and no sound to play"
    ]
    assert not reply.exists()


def test_speech_to_speech_that_serves_somebody_else_is_one_line_and_exit_4() -> None:
    error = {"type": "session_limit_reached", "message": "Session limit reached", "code": None, "param": None}

    def script(talk: Talk) -> None:
        talk.send_raw(json.dumps({"type": "error", "event_id": "event_1", "error": error}))
        talk.close(1008, "session_limit_reached")

    with ScriptedServer(script) as server:
        done = run("say", "hello", "--provider", "speech-to-speech", "--base-url", server.url)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "close the other one" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "update"),
    [
        ((), "transcription_session.update"),
        (("--provider", "speaches", "--model", "m"), "session.update"),
    ],
    ids=["corrected", "speaches"],
)
def test_a_transcription_by_a_beta_server_is_asked_for_in_the_betas_way(
    tmp_path: Path, arguments: tuple[str, ...], update: str
) -> None:
    question = spoken(tmp_path / "question.wav", 500)

    def script(talk: Talk) -> None:
        session = {"id": "sess_1", "input_audio_format": "pcm16", "turn_detection": None}
        talk.send_raw(json.dumps({"type": "transcription_session.created", "event_id": "event_1", "session": session}))
        talk.expect(update)
        talk.hear_turn("what time is it")
        while True:
            talk.receive()
            talk.send_raw(json.dumps({"type": "transcription_session.updated", "session": session}))

    with ScriptedServer(script, beta=True) as server:
        model = ("--transcription-model", "whisper-1")
        done = run("transcribe", str(question), "--base-url", server.url, *model, *arguments)
    assert (done.returncode, done.stdout) == (0, "what time is it\n"), done.stderr
    assert done.stderr.count("beta") == (0 if arguments else 1)
    assert server.handshakes[0].query["intent"] == ["transcription"]
    (session, *_) = (event["session"] for event in server.of_type(update))
    assert session["input_audio_transcription"]["model"] == "whisper-1"


def pitch_hz(audio: bytes, rate_hz: int) -> float:
    """The pitch of a tone."""
    samples = np.frombuffer(audio, "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), n=8 * len(samples)))
    return float(np.argmax(spectrum)) * rate_hz / (8 * len(samples))


def audio_sent(server: ScriptedServer) -> bytes:
    return b"".join(base64.b64decode(event["audio"]) for event in server.of_type("input_audio_buffer.append"))


def test_dashscope_gets_recordings_at_16_khz_to_their_last_millisecond(tmp_path: Path) -> None:
    question = spoken(tmp_path / "question.wav", 1000)
    with ScriptedServer(scripts.text_turns("Ten."), beta=True) as server:
        where = ("--provider", "dashscope", "--base-url", server.url)
        done = run("ask", str(question), *where, DASHSCOPE_API_KEY=KEY)
    assert (done.returncode, done.stdout) == (0, "Ten.\n")
    assert server.types == ["session.update", "input_audio_buffer.commit", "response.create"]
    assert server.received[-2]["type"] == "input_audio_buffer.commit"
    assert len(audio_sent(server)) == 2 * 16_000
    assert pitch_hz(audio_sent(server), 16_000) == pytest.approx(440, abs=2)
    assert server.handshakes[0].query == {"model": ["qwen3.5-omni-plus-realtime"]}


def test_a_recording_that_is_sent_as_one_item_is_resampled_as_well(tmp_path: Path) -> None:
    question = spoken(tmp_path / "question.wav", 1000)
    with ScriptedServer(scripts.text_turns("Ten."), beta=True) as server:
        where = ("--provider", "dashscope", "--base-url", server.url)
        done = run("ask", str(question), "--as-item", *where, DASHSCOPE_API_KEY=KEY)
    assert (done.returncode, done.stdout) == (0, "Ten.\n"), done.stderr
    (part,) = server.of_type("conversation.item.create")[0]["item"]["content"]
    audio = base64.b64decode(part["audio"])
    assert len(audio) == 2 * 16_000
    assert pitch_hz(audio, 16_000) == pytest.approx(440, abs=2)


def test_a_microphone_is_resampled_too_where_the_user_says_the_rate(tmp_path: Path) -> None:
    question = spoken(tmp_path / "question.wav", 1000)
    with ScriptedServer(scripts.voice_turns(reply="Ten.", audio_ms=200)) as server:
        config = f'[providers.mine]\nbase_url = "{server.url}"\ninput_rate_hz = 8000\n'
        (tmp_path / "config.toml").write_text(config)
        files = ("--mic", str(question), "--speaker", str(tmp_path / "reply.wav"))
        done = run(*FILE_TO_FILE, *files, "--provider", "mine", REALTIME_CLI_CONFIG_DIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    heard = np.frombuffer(audio_sent(server), "<i2")
    loud = np.flatnonzero(np.abs(heard) > 500)
    assert loud[-1] - loud[0] == pytest.approx(8_000, abs=40)
    assert pitch_hz(heard[loud[0] : loud[-1]].tobytes(), 8_000) == pytest.approx(440, abs=2)
