"""Servers that the user describes in config.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime_cli.errors import ConfigError
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.providers.profiles import PROVIDERS, Auth, Provider
from realtime_cli.providers.user import known_providers
from realtime_cli.settings.config_file import read_config_file
from tests import scripts
from tests.running import KEY, lines_of, run
from tests.scripted_server import ScriptedServer
from tests.test_servers import FILE_TO_FILE, spoken


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


def test_a_provider_with_only_a_url_shows_the_transcripts_that_its_server_sends_unasked(tmp_path: Path) -> None:
    question = spoken(tmp_path / "question.wav", 300)
    with ScriptedServer(scripts.voice_turns("what time is it", "Ten.", audio_ms=200)) as server:
        (tmp_path / "config.toml").write_text(f'[providers.mine]\nbase_url = "{server.url}"\n')
        files = ("--mic", str(question), "--speaker", str(tmp_path / "reply.wav"))
        done = run(*FILE_TO_FILE, *files, "--provider", "mine", REALTIME_CLI_CONFIG_DIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line["text"] for line in lines_of(done) if line["type"] == "user"] == ["what time is it"]


def test_whether_transcripts_come_unasked_can_still_be_said(tmp_path: Path) -> None:
    assert described(tmp_path, 'base_url = "host:1"').transcribes_unasked
    assert not described(tmp_path, 'base_url = "host:1"\ntranscribes-unasked = false').transcribes_unasked
    assert not described(tmp_path, 'base_url = "host:1"\ntranscription_model = "w"').transcribes_unasked


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
