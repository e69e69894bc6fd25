"""Every kind of server that the program knows, as they deviate: the real program against scripted ones."""

from __future__ import annotations

import base64
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_cli.config_file import read_config_file
from realtime_cli.errors import ConfigError
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.providers.profiles import PROVIDERS, Auth, Provider
from realtime_cli.providers.user import known_providers
from tests import accents, scripts
from tests.running import KEY, lines_of, run
from tests.scripted_reply import RATE_HZ, tone
from tests.scripted_server import ScriptedServer
from tests.scripted_talk import Talk

TWO_TURNS = ("say", "--interactive", "--json")
GA_SESSION = {"type": "realtime", "audio": {}}
BETA_SESSION = {"modalities": ["text", "audio"], "voice": "alloy"}
FILE_TO_FILE = ("chat", "--json", "--max-turns", "1")


def spoken(path: Path, *parts_ms: int) -> Path:
    """A recording of tones and silences, in turn."""
    pcm = b"".join(bytes(48 * ms) if number % 2 else tone(ms) for number, ms in enumerate(parts_ms))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(pcm)
    return path


def session_sent(server: ScriptedServer, number: int = -1) -> dict[str, Any]:
    """The body of a ``session.update``."""
    body: dict[str, Any] = server.of_type("session.update")[number]["session"]
    return body


def opens_with(*first: dict[str, Any], reply: str = "Fine.") -> scripts.Script:
    """Sends these as they are in the place of a greeting, then answers."""

    def script(talk: Talk) -> None:
        for event in first:
            talk.send_raw(json.dumps(event))
        talk.obey_until("response.create")
        talk.reply(reply)
        talk.obey_until_closed()

    return script


def created(**session: Any) -> dict[str, Any]:
    return {"type": "session.created", "event_id": "event_1", "session": {"id": "sess_1", **session}}


@pytest.mark.parametrize("deviation", accents.DEVIATIONS)
def test_a_server_may_deviate_and_two_turns_are_told_all_the_same(deviation: str) -> None:
    with ScriptedServer(scripts.text_turns("One.", "Two."), accent=accents.DEVIATIONS[deviation]) as server:
        done = run(*TWO_TURNS, "--base-url", server.url, stdin=b"first\nsecond\n")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in lines_of(done) if line["type"] != "assistant_delta"]
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


def test_speech_to_speech_that_serves_somebody_else_is_one_line_and_exit_4() -> None:
    error = {"type": "session_limit_reached", "message": "Session limit reached", "code": None, "param": None}

    def script(talk: Talk) -> None:
        talk.send_raw(json.dumps({"type": "error", "event_id": "event_1", "error": error}))
        talk.close(1008, "session_limit_reached")

    with ScriptedServer(script) as server:
        done = run("say", "hello", "--provider", "speech-to-speech", "--base-url", server.url)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "close the other one" in done.stderr


def test_the_session_that_a_server_shows_corrects_a_wrong_guess_with_a_notice() -> None:
    with ScriptedServer(scripts.text_turns("Old school."), beta=True) as server:
        done = run("say", "hello", "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "Old school.\n")
    assert done.stderr.count("\n") == 1
    assert "beta" in done.stderr
    assert server.types == ["session.update", "conversation.item.create", "response.create"]
    assert session_sent(server)["modalities"] == ["text"]
    with ScriptedServer(scripts.text_turns("New school.")) as server:
        done = run("say", "hello", "--provider", "speaches", "--model", "m", "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "New school.\n")
    assert "ga" in done.stderr
    assert session_sent(server)["output_modalities"] == ["text"]


def test_a_server_that_shows_xais_session_gets_one() -> None:
    with ScriptedServer(opens_with(created(voice="Ara", audio={})), checked=False) as server:
        done = run("say", "hello", "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "Fine.\n")
    assert session_sent(server)["modalities"] == ["text"]
    assert "type" not in session_sent(server)


@pytest.mark.parametrize(
    ("beta", "code", "arguments", "field"),
    [
        (True, "unknown_parameter", (), "modalities"),
        (False, "missing_required_parameter", ("--provider", "speaches", "--model", "m"), "output_modalities"),
    ],
)
def test_the_error_by_which_a_server_shows_its_dialect_corrects_a_wrong_guess_too(
    beta: bool, code: str, arguments: tuple[str, ...], field: str
) -> None:
    def script(talk: Talk) -> None:
        talk.send_raw(json.dumps(created()))
        talk.receive()
        talk.error(code, "Parameter.", param="session.type", event_id="evt_000001")
        talk.obey_until("response.create")
        talk.reply("Fine.")
        talk.obey_until_closed()

    with ScriptedServer(script, beta=beta, checked=False) as server:
        done = run("say", "hello", "--base-url", server.url, *arguments)
    assert (done.returncode, done.stdout) == (0, "Fine.\n")
    assert done.stderr.count("\n") == 1
    assert len(server.of_type("session.update")) == 2
    assert session_sent(server)[field] == ["text"]


def test_a_guess_is_corrected_only_once() -> None:
    def script(talk: Talk) -> None:
        talk.send_raw(json.dumps(created(voice="Ara", audio={})))
        talk.receive()
        talk.error("unknown_parameter", "Unknown.", param="session.type")
        talk.obey_until_closed()

    with ScriptedServer(script, checked=False) as server:
        done = run("say", "hello", "--base-url", server.url)
    assert done.returncode == 4
    assert len(server.of_type("session.update")) == 1
    assert "--dialect beta" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "session"),
    [
        (("--dialect", "ga"), BETA_SESSION),
        (("--provider", "xai"), GA_SESSION),
        ((), GA_SESSION),
        ((), {}),
        ((), {"type": "realtime", "audio": {}, "voice": "x", "modalities": None}),
    ],
)
def test_what_the_user_said_or_what_fits_is_not_corrected(arguments: tuple[str, ...], session: dict[str, Any]) -> None:
    with ScriptedServer(opens_with(created(**session)), checked=False) as server:
        done = run("say", "hello", "--base-url", server.url, *arguments, XAI_API_KEY="xai-0123456789")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Fine.\n", "")
    assert ("type" in session_sent(server)) == ("xai" not in arguments)


@pytest.mark.parametrize("arguments", [(), ("--provider", "speaches", "--model", "m")], ids=["corrected", "speaches"])
def test_a_transcription_by_a_beta_server_is_asked_for_in_the_betas_way(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    question = spoken(tmp_path / "question.wav", 500)

    def script(talk: Talk) -> None:
        session = {"id": "sess_1", "input_audio_format": "pcm16", "turn_detection": None}
        talk.send_raw(json.dumps({"type": "transcription_session.created", "event_id": "event_1", "session": session}))
        talk.expect("transcription_session.update")
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
    (session, *_) = (event["session"] for event in server.of_type("transcription_session.update"))
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


def test_a_provider_of_the_users_is_reached_as_described(tmp_path: Path) -> None:
    with ScriptedServer(scripts.text_turns("Fine."), beta=True) as server:
        (tmp_path / "config.toml").write_text(
            f"""
            [providers.mine]
            base-url = "{server.url}?tier=a"
            key_variable = "MINE_API_KEY"
            key_needed = true
            auth = "api-key"
            dialect = "beta"
            beta_header = true
            model = "their-model"
            """
        )
        folder = {"REALTIME_CLI_CONFIG_DIR": str(tmp_path)}
        done = run("say", "hello", "--provider", "mine", **folder, MINE_API_KEY=KEY)
        without_key = run("say", "hello", "--provider", "mine", **folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Fine.\n", "")
    (handshake,) = server.handshakes
    headers = {name.lower(): value for name, value in handshake.headers.items()}
    assert (headers["api-key"], headers["openai-beta"]) == (KEY, "realtime=v1")
    assert handshake.query == {"tier": ["a"], "model": ["their-model"]}
    assert without_key.returncode == 3
    assert "MINE_API_KEY" in without_key.stderr


def described(folder: Path, text: str) -> Provider:
    path = folder / "config.toml"
    path.write_text(f"[providers.mine]\n{text}")
    return known_providers(read_config_file(path))["mine"]


def test_everything_about_a_provider_can_be_said(tmp_path: Path) -> None:
    provider = described(
        tmp_path,
        'title = "Mine"\nbase-url = "host:1"\nauth = "api-key"\ndialect = "xai"\nmodel_needed = true\n'
        'transcription_model = "w"\ncan-cancel = false\ncan_truncate = false\ninput_rate_hz = 16000\n',
    )
    assert (provider.name, provider.title, provider.base_url) == ("mine", "Mine", "host:1")
    assert (provider.auth, provider.dialect, provider.transcription_model) == (Auth.API_KEY, Dialect.XAI, "w")
    assert (provider.can_cancel, provider.can_truncate, provider.input_rate_hz) == (False, False, 16_000)
    assert described(tmp_path, 'base_url = "host:1"').title == "mine"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no URL"),
        ("base_url = 'h'\ncan_cancle = false", "did you mean can_cancel?"),
        ("base_url = 'h'\nname = 'other'", "unknown name, name"),
        ("base_url = 'h'\ndialect = 'latin'", "choose ga, beta, xai"),
        ("base_url = 'h'\nauth = 'basic'", "choose bearer or api-key"),
        ("base_url = 'h'\ncan_cancel = 'no'", "can_cancel"),
        ("base_url = 3", "base_url"),
        ("base_url = 'h'\ninput_rate_hz = 10", "input_rate_hz"),
        ("base_url = 'h'\nkey_variable = 'sk-proj-hunter2hunter2'", "key_variable"),
    ],
)
def test_a_provider_that_is_described_amiss_is_one_line_that_names_table_and_file(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        described(tmp_path, text)
    said = str(caught.value)
    assert words in said
    assert "[providers.mine]" in said
    assert str(tmp_path) in said
    assert "hunter2" not in said


@pytest.mark.parametrize("name", [*PROVIDERS, "auto"])
def test_a_provider_of_the_users_may_not_take_a_known_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[providers.{name}]\nbase_url = "host:1"\n')
    with pytest.raises(ConfigError, match="another name"):
        known_providers(read_config_file(path))


CHAT = ("chat", "--mic", "none", "--speaker", "none")
SAY = ("say", "hello")


@pytest.mark.parametrize("command", [SAY, CHAT], ids=["say", "chat"])
@pytest.mark.parametrize(
    ("script", "words"),
    [
        (scripts.error_then_close("invalid_api_key", 3000), "check the API key in OPENAI_API_KEY"),
        (scripts.error_then_close("model_not_found", 4004), "--model"),
        (scripts.error_then_close("invalid_model", 4000), "--model"),
        (scripts.error_then_close("missing_model", 4000), "--model"),
        (scripts.error_then_close("beta_api_shape_disabled", 4000), "--dialect ga"),
        (scripts.error_then_close("insufficient_quota", 4000), "add credit"),
        (scripts.error_then_close("credit_balance_exhausted", 4000), "add credit"),
        (scripts.error_then_close("rate_limit_exceeded", 4000), "wait a little"),
        (scripts.error_then_close("server_error", 1011), "try again"),
        (scripts.closes(3000, "invalid_request_error.invalid_api_key"), "check the API key in OPENAI_API_KEY"),
        (scripts.closes(4004, "invalid_request_error.model_not_found"), "--model"),
        (scripts.closes(1008, "denied"), "check the API key in OPENAI_API_KEY"),
        (scripts.http_status(401, "invalid_api_key", f"Incorrect API key provided: {KEY}"), "in OPENAI_API_KEY"),
        (scripts.http_status(403), "have access to the Realtime API"),
        (scripts.http_status(404), "--base-url and --model"),
        (scripts.http_status(404, "DeploymentNotFound", "The API deployment does not exist."), "--model"),
        (scripts.http_status(429), "wait a little"),
        (scripts.http_status(429, "insufficient_quota", "You exceeded your quota."), "add credit"),
        (scripts.http_status(400, "OpperationNotSupported", "Not with this model."), "--model"),
    ],
)
def test_what_fails_at_the_handshake_or_in_the_first_event_is_one_line_with_a_remedy_and_exit_4(
    command: tuple[str, ...], script: scripts.Script, words: str
) -> None:
    with ScriptedServer(script) as server:
        done = run(*command, "--base-url", server.url, OPENAI_API_KEY=KEY)
    assert done.returncode == 4, done.stderr
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "SECRET" not in done.stderr


@pytest.mark.parametrize("command", [SAY, CHAT], ids=["say", "chat"])
@pytest.mark.parametrize("url", ["wss:///v1", "https://", "ws://:8080/v1"])
def test_a_url_without_a_host_is_exit_2_wherever_it_comes_from(command: tuple[str, ...], url: str) -> None:
    for done in (run(*command, "--base-url", url), run(*command, OPENAI_BASE_URL=url)):
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "no host" in done.stderr
