"""Which server is meant, where it is, and what is sent to it before the first event."""

from __future__ import annotations

import pytest

from realtime_cli.errors import ConfigError, InputError
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.providers.endpoint import endpoint, realtime_url
from realtime_cli.providers.profiles import (
    AZURE,
    CUSTOM,
    LOCAL,
    LOCALAI,
    OPENAI,
    PROVIDERS,
    SPEACHES,
    SPEECH_TO_SPEECH,
    XAI,
    Provider,
    choose_provider,
)

KEY = "sk-proj-AbCdEfGhIjKl"
AZURE_HOME = {"AZURE_OPENAI_ENDPOINT": "https://res.openai.azure.com/", "AZURE_OPENAI_API_KEY": "a1b2c3d4e5f6"}


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("localhost:8765", "ws://localhost:8765/v1/realtime"),
        ("localhost", "ws://localhost/v1/realtime"),
        ("192.168.1.7:8000/v1", "ws://192.168.1.7:8000/v1/realtime"),
        ("[::1]:8765", "ws://[::1]:8765/v1/realtime"),
        ("ws://host", "ws://host/v1/realtime"),
        ("wss://host/", "wss://host/v1/realtime"),
        ("http://host:1/v1", "ws://host:1/v1/realtime"),
        ("https://host/v1/", "wss://host/v1/realtime"),
        ("https://host/openai/v1", "wss://host/openai/v1/realtime"),
        ("wss://host/v1/realtime", "wss://host/v1/realtime"),
        ("wss://host/v1/realtime/?a=b", "wss://host/v1/realtime?a=b"),
        ("HTTPS://Host.Example/v1", "wss://host.example/v1/realtime"),
        ("http://[fe80::1]:80", "ws://[fe80::1]:80/v1/realtime"),
    ],
)
def test_a_base_url_may_be_written_in_many_ways(base_url: str, url: str) -> None:
    assert realtime_url(base_url) == url


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "ws://",
        "ftp://host",
        "file:///etc",
        "host:port",
        "host:99999",
        "::1",
        "ws://[::1",
        "a b",
        "wss://h\n",
        "h#x",
    ],
)
def test_what_is_no_base_url_is_the_users_to_mend(base_url: str) -> None:
    with pytest.raises(InputError, match="the base URL"):
        realtime_url(base_url)


def test_a_password_in_a_base_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(InputError, match="user name") as failed:
        realtime_url("wss://me:hunter2@host/v1")
    assert "hunter2" not in str(failed.value)


def test_openai_gets_the_current_model_a_bearer_key_and_no_beta_header() -> None:
    home = endpoint(OPENAI, {"OPENAI_API_KEY": KEY, "OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj_1"})
    assert home.url == "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"
    assert home.headers["Authorization"] == f"Bearer {KEY}"
    assert home.headers["OpenAI-Organization"] == "org-1"
    assert home.headers["OpenAI-Project"] == "proj_1"
    assert home.dialect is Dialect.GA
    assert "OpenAI-Beta" not in home.headers
    forced = endpoint(OPENAI, {"OPENAI_API_KEY": KEY}, dialect=Dialect.BETA)
    assert forced.dialect is Dialect.BETA
    assert "OpenAI-Beta" not in forced.headers


def test_the_user_goes_before_the_environment_and_that_before_the_profile() -> None:
    environment = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://env/v1", "OPENAI_REALTIME_MODEL": "env-model"}
    assert endpoint(OPENAI, environment).url == "wss://env/v1/realtime?model=env-model"
    said = endpoint(OPENAI, environment, base_url="https://said/v1", model="said model")
    assert said.url == "wss://said/v1/realtime?model=said+model"
    assert said.model == "said model"


def test_openais_model_variable_says_nothing_about_other_providers() -> None:
    home = endpoint(XAI, {"XAI_API_KEY": "xai-abcdefgh", "OPENAI_REALTIME_MODEL": "gpt-realtime-2.1"})
    assert home.url == "wss://api.x.ai/v1/realtime?model=grok-voice-latest"
    assert home.dialect is Dialect.XAI
    assert "OpenAI-Organization" not in home.headers


def test_a_transcription_at_openai_has_its_model_in_the_session_and_not_in_the_url() -> None:
    home = endpoint(OPENAI, {"OPENAI_API_KEY": KEY}, intent="transcription")
    assert home.url == "wss://api.openai.com/v1/realtime?intent=transcription"


def test_azure_speaks_ga_with_its_own_header_and_needs_a_deployment() -> None:
    home = endpoint(AZURE, AZURE_HOME, model="my-realtime")
    assert home.url == "wss://res.openai.azure.com/openai/v1/realtime?model=my-realtime"
    assert home.headers["api-key"] == "a1b2c3d4e5f6"
    assert "Authorization" not in home.headers
    assert home.dialect is Dialect.GA
    with pytest.raises(ConfigError, match="name one with --model"):
        endpoint(AZURE, AZURE_HOME)


def test_azures_preview_versions_have_another_url_and_speak_beta() -> None:
    preview = endpoint(AZURE, {**AZURE_HOME, "OPENAI_API_VERSION": "2025-04-01-preview"}, model="d")
    assert preview.url == ("wss://res.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=d")
    assert preview.dialect is Dialect.BETA
    assert endpoint(AZURE, {**AZURE_HOME, "OPENAI_API_VERSION": "2024-10-21"}, model="d").dialect is Dialect.GA


def test_azure_without_its_endpoint_says_which_variable_is_missing() -> None:
    with pytest.raises(ConfigError, match="set AZURE_OPENAI_ENDPOINT or use --base-url"):
        endpoint(AZURE, {"AZURE_OPENAI_API_KEY": "a1b2c3d4e5f6"}, model="d")


def test_local_servers_need_no_key_and_say_what_they_lack() -> None:
    speaches = endpoint(SPEACHES, {}, model="qwen")
    assert speaches.url == "ws://localhost:8000/v1/realtime?model=qwen&intent=conversation"
    assert set(speaches.headers) == {"User-Agent"}
    assert speaches.dialect is Dialect.BETA
    assert (SPEACHES.can_cancel, SPEACHES.can_truncate) == (False, False)
    assert endpoint(LOCALAI, {"LOCALAI_API_KEY": "k"}, model="p").headers["Authorization"] == "Bearer k"
    assert endpoint(SPEECH_TO_SPEECH, {"OPENAI_API_KEY": KEY}).headers.keys() == {"User-Agent"}
    with pytest.raises(ConfigError, match="no URL is known for the embedded local server"):
        endpoint(LOCAL, {})


def test_a_custom_server_gets_the_general_key_if_there_is_one_and_the_beta_header_if_it_speaks_beta() -> None:
    bare = endpoint(CUSTOM, {}, base_url="localhost:9000")
    assert (bare.url, bare.model, bare.key) == ("ws://localhost:9000/v1/realtime", "", "")
    keyed = endpoint(CUSTOM, {"OPENAI_API_KEY": KEY}, base_url="https://host/v1?tier=a", dialect=Dialect.BETA)
    assert keyed.url == "wss://host/v1/realtime?tier=a"
    assert keyed.headers["Authorization"] == f"Bearer {KEY}"
    assert keyed.headers["OpenAI-Beta"] == "realtime=v1"


@pytest.mark.parametrize("provider", [OPENAI, AZURE, XAI], ids=lambda provider: provider.name)
def test_a_missing_key_is_named_and_an_empty_one_is_missing(provider: Provider) -> None:
    home = {"AZURE_OPENAI_ENDPOINT": "https://h", provider.key_variable: ""}
    with pytest.raises(ConfigError, match=f"set {provider.key_variable} in the environment or in .env"):
        endpoint(provider, home, model="m")


@pytest.mark.parametrize("key", [f"{KEY}\n", f" {KEY}", f"{KEY}\r\nX-Evil: 1", f"{KEY}\x00", f"{KEY}é", f'"{KEY} "'])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY has a blank") as failed:
        endpoint(OPENAI, {"OPENAI_API_KEY": key})
    assert KEY not in repr(failed.value)


def test_a_key_is_never_sent_unencrypted_over_a_network() -> None:
    with pytest.raises(ConfigError, match="would cross the network unencrypted") as failed:
        endpoint(OPENAI, {"OPENAI_API_KEY": KEY}, base_url="http://192.168.1.7/v1")
    assert KEY not in repr(failed.value)
    custom = endpoint(CUSTOM, {"OPENAI_API_KEY": KEY}, base_url="192.168.1.7:8000")
    assert "Authorization" not in custom.headers
    assert custom.key == ""
    assert custom.notice == (
        "ws://192.168.1.7:8000/v1/realtime is not encrypted: the key in OPENAI_API_KEY is not sent"
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "box.localhost", "0.0.0.0", "[::]"])
def test_this_machine_counts_as_private(host: str) -> None:
    assert endpoint(OPENAI, {"OPENAI_API_KEY": KEY}, base_url=f"http://{host}:1/v1").key == KEY


def test_an_endpoint_shows_neither_its_key_nor_its_query() -> None:
    home = endpoint(CUSTOM, {"OPENAI_API_KEY": KEY}, base_url="wss://host/v1?api_key=hunter2")
    assert KEY not in repr(home)
    assert "hunter2" not in repr(home)
    assert "hunter2" not in home.where
    assert repr(home) == f"Endpoint({home.where})"


def test_auto_takes_what_the_environment_and_the_installation_speak_for() -> None:
    key, base = {"OPENAI_API_KEY": KEY}, {"OPENAI_BASE_URL": "http://localhost:1"}
    assert choose_provider("auto", key, local_available=True) is OPENAI
    assert choose_provider("auto", key | base, local_available=True) is OPENAI
    assert choose_provider("auto", base, local_available=True) is CUSTOM
    assert choose_provider("auto", key, local_available=True, base_url="host:1") is CUSTOM
    assert choose_provider("auto", {}, local_available=True) is LOCAL
    assert choose_provider("auto", {"OPENAI_API_KEY": ""}, local_available=True) is LOCAL


def test_auto_with_nothing_to_talk_with_names_both_ways_out() -> None:
    with pytest.raises(ConfigError) as failed:
        choose_provider("auto", {}, local_available=False)
    assert failed.value.exit_code == 3
    assert "OPENAI_API_KEY" in str(failed.value)
    assert "pip install" in str(failed.value)


def test_a_provider_is_chosen_by_name_whatever_the_environment_says() -> None:
    for name, provider in PROVIDERS.items():
        assert choose_provider(name, {"OPENAI_API_KEY": KEY}, local_available=False) is provider
    with pytest.raises(ConfigError, match=r"no provider 'nosuch': choose auto or one of azure, .*xai"):
        choose_provider("nosuch", {}, local_available=True)


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)
def test_a_profile_is_consistent(provider: Provider) -> None:
    assert provider.title
    assert not (provider.key_needed and not provider.key_variable)
    assert not (provider.model and provider.model_needed)
    if provider.base_url:
        assert realtime_url(provider.base_url).endswith("/v1/realtime")


def test_no_default_model_is_about_to_retire() -> None:
    retiring = {"gpt-realtime", "gpt-realtime-mini", "gpt-4o-mini-transcribe", "gpt-4o-transcribe", "whisper-1"}
    assert not {OPENAI.model, OPENAI.transcription_model} & retiring
