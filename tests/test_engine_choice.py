"""Which engines a server has, from what the user said."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime_cli.errors import ConfigError, InputError
from realtime_cli.server.engines.choice import EngineChoice, RemoteEngine, Wishes, choose_engines
from realtime_cli.server.engines.weight_sets import LANGUAGE_MODEL, SMART_TURN, WHISPER_BASE


@pytest.fixture(autouse=True)
def nothing_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_CLI_CACHE_DIR", str(tmp_path))


def test_without_wishes_the_bundled_engines_are_meant() -> None:
    assert choose_engines(Wishes(), {}) == EngineChoice()
    assert EngineChoice().weights() == (LANGUAGE_MODEL,)


def test_engines_by_address_need_no_weights_and_have_keys_of_their_own() -> None:
    keys = {"REALTIME_CLI_LM_KEY": "a", "REALTIME_CLI_STT_KEY": "b", "REALTIME_CLI_TTS_KEY": "c", "OPENAI_API_KEY": "d"}
    wishes = Wishes(lm="localhost:11434", lm_model="llama", stt="http://ear/v1", tts="http://mouth/v1")
    choice = choose_engines(wishes, keys)
    assert choice.lm == RemoteEngine("localhost:11434", "llama", "a")
    assert choice.stt == RemoteEngine("http://ear/v1", "whisper-1", "b")
    assert choice.tts == RemoteEngine("http://mouth/v1", "tts-1", "c")
    assert choice.weights() == ()


def test_a_file_is_a_model_of_the_users_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.touch()
    assert choose_engines(Wishes(lm=str(file)), {}).lm == file


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        (Wishes(lm="nowhere.gguf"), "no such file"),
        (Wishes(stt="large"), "tiny.en, base, or a URL"),
        (Wishes(lm_model="llama"), "--lm-model names a model of a server"),
    ],
)
def test_what_cannot_be_meant_is_one_line(wishes: Wishes, told: str) -> None:
    with pytest.raises(InputError, match=told):
        choose_engines(wishes, {})


def test_a_key_with_a_line_feed_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError) as refused:
        choose_engines(Wishes(lm="http://localhost:1/v1"), {"REALTIME_CLI_LM_KEY": "sec\nret"})
    assert "sec" not in str(refused.value)


@pytest.mark.parametrize(
    ("wishes", "stt"),
    [
        (Wishes(), "tiny.en"),
        (Wishes(language="en-GB", locale="de_DE"), "tiny.en"),
        (Wishes(language="de"), "base"),
        (Wishes(locale="de_DE"), "base"),
        (Wishes(locale="en_US"), "tiny.en"),
        (Wishes(stt="base"), "base"),
        (Wishes(stt="tiny.en", language="de"), "tiny.en"),
    ],
)
def test_the_recogniser_fits_the_language(wishes: Wishes, stt: str) -> None:
    choice = choose_engines(wishes, {})
    assert choice.stt == stt
    assert (WHISPER_BASE in choice.weights()) is (stt == "base")


def test_the_end_of_turns_by_meaning_and_mere_transcripts_need_weights_of_their_own() -> None:
    assert SMART_TURN in choose_engines(Wishes(hears_meaning=True), {}).weights()
    assert choose_engines(Wishes(replies=False), {}).weights() == ()
