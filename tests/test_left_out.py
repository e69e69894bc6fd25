"""Options that a server cannot be told, or takes and does nothing with: the user is told so, once, by the flag."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_cli.cli.conversation_options import session_options
from realtime_cli.cli.which_server import find_server
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.records import Notice
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.protocol.session_body import session_update, transcription_session
from realtime_cli.settings.settings import Environment, Settings
from tests import scripts
from tests.conversation_driver import HELLO, Drive, said
from tests.running import run
from tests.scripted_server import ScriptedServer

KEYS = Environment({"OPENAI_API_KEY": "sk-test-0123456789", "XAI_API_KEY": "xai-test-0123456789"})

WISHES: dict[str, Any] = {
    "voice": "marin",
    "speed": 1.2,
    "language": "de",
    "keywords": "Ada",
    "max_output_tokens": 100,
    "vad_threshold": 0.0,
    "silence_ms": 0,
    "idle_timeout_ms": 6000,
    "noise_reduction": "off",
    "transcription_model": "gpt-transcribe",
    "reasoning": "low",
    "truncation": "auto",
    "instructions": "Be brief.",
}


def told(**wanted: Any) -> dict[Dialect, tuple[str, ...]]:
    settings = Settings(**wanted)
    server = find_server(settings, KEYS)
    options = session_options(settings, server.provider, "voice", spoken=True)
    return server.left_out(settings, options, session_update)


def flags(lines: tuple[str, ...]) -> set[str]:
    assert all(line.startswith("--") for line in lines)
    return {line.split()[0] for line in lines}


def test_what_a_dialect_cannot_say_is_told_by_its_flag_and_what_it_can_is_not() -> None:
    lines = told(provider="openai", dialect="beta", **WISHES)[Dialect.BETA]
    assert flags(lines) == {"--idle-timeout-ms", "--reasoning", "--truncation"}
    assert "--truncation is left out: the beta dialect has no setting for it" in lines
    assert told(provider="openai", **WISHES)[Dialect.GA] == ()


def test_several_languages_are_told_where_only_one_can_be_said() -> None:
    wanted = {"provider": "openai", "dialect": "beta", "transcription_model": "gpt-transcribe"}
    assert flags(told(**wanted, language="de,en")[Dialect.BETA]) == {"--language"}
    assert told(**wanted, language="de")[Dialect.BETA] == ()


def test_xai_is_named_where_it_has_no_setting_and_a_model_that_nobody_chose_is_not_missed() -> None:
    lines = told(provider="xai", **WISHES)[Dialect.XAI]
    assert flags(lines) == {
        *("--speed", "--language", "--keywords", "--max-output-tokens", "--noise-reduction"),
        *("--transcription-model", "--reasoning", "--truncation"),
    }
    assert "--language is left out: xAI has no setting for it" in lines
    assert told(provider="xai")[Dialect.XAI] == ()


def test_a_server_that_takes_no_null_cannot_be_told_to_turn_something_off() -> None:
    wanted = {"provider": "speaches", "base_url": "ws://localhost:1", "model": "m"}
    lines = told(**wanted, noise_reduction="off")[Dialect.BETA]
    assert lines == ("--noise-reduction is left out: Speaches has no setting for it",)
    assert told(**wanted, noise_reduction="near")[Dialect.BETA] == ()


def test_what_a_transcription_cannot_say_is_told_as_well() -> None:
    settings = Settings(provider="openai", dialect="beta", transcription_model="gpt-transcribe", language="de,en")
    server = find_server(settings, KEYS, "transcription")
    options = session_options(settings, server.provider, "voice", spoken=False)
    assert flags(server.left_out(settings, options, transcription_session)[Dialect.BETA]) == {"--language"}


def test_a_server_that_turns_out_to_speak_another_dialect_is_told_of_with_what_that_leaves_out() -> None:
    lines = told(base_url="ws://localhost:1", truncation="auto")
    assert lines[Dialect.GA] == ()
    drive = Drive(session_otherwise={Dialect.BETA: {"modalities": ["text"]}}, left_out=lines)
    drive.tell(said("session.created", session={"id": "s", "modalities": ["text"], "input_audio_format": "pcm16"}))
    assert [notice.text for notice in drive.shown(Notice)] == [
        "this server speaks the beta dialect: going on in that",
        "--truncation is left out: the beta dialect has no setting for it",
    ]
    assert Drive(left_out=lines).tell(HELLO, f.Tick()).shown(Notice) == []


@pytest.mark.parametrize(("flag", "value"), [("--truncation", "auto"), ("--reasoning", "low")])
def test_a_person_reads_it_once_on_standard_error(flag: str, value: str) -> None:
    with ScriptedServer(scripts.text_turns("Hi."), beta=True) as server:
        done = run("say", "hello", "--base-url", server.url, "--dialect", "beta", flag, value)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(f"{flag} is left out: the beta dialect has no setting for it") == 1


def test_the_embedded_server_says_what_it_takes_and_does_nothing_with() -> None:
    done = run("say", "Hello.", "--local", "--text-only", "--reasoning", "low", "--truncation", "auto")
    assert done.returncode == 0, done.stderr
    assert "--reasoning changes nothing: the embedded local server takes it, and does without" in done.stderr
    assert "--truncation changes nothing" in done.stderr
