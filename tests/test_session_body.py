"""What the session.update asks for, in the shape of each dialect."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from realtime_cli.errors import InputError
from realtime_cli.protocol.client_events import (
    SessionUpdate,
)
from realtime_cli.protocol.dialects import Dialect, to_wire
from realtime_cli.protocol.session_body import session_update, transcription_session
from realtime_cli.protocol.session_options import SessionOptions, truncation_of

EVERYTHING = SessionOptions(
    model="gpt-realtime-2.1",
    instructions="Be brief.",
    voice="marin",
    speed=1.2,
    languages=("en",),
    max_output_tokens=500,
    vad_threshold=0.6,
    silence_ms=400,
    prefix_padding_ms=200,
    create_response=True,
    noise_reduction="near",
    transcription_model="gpt-transcribe",
    reasoning="low",
    tools=({"type": "function", "name": "now", "parameters": {"type": "object", "properties": {}}},),
)


PCM = {"type": "audio/pcm", "rate": 24000}


VAD = {
    "type": "server_vad",
    "threshold": 0.6,
    "prefix_padding_ms": 200,
    "silence_duration_ms": 400,
    "create_response": True,
}


def test_a_ga_session_says_everything_that_was_asked_for() -> None:
    assert session_update(EVERYTHING, Dialect.GA) == {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": "Be brief.",
        "max_output_tokens": 500,
        "reasoning": {"effort": "low"},
        "tools": [dict(EVERYTHING.tools[0])],
        "audio": {
            "input": {
                "format": PCM,
                "transcription": {"model": "gpt-transcribe", "languages": ["en"]},
                "turn_detection": VAD,
                "noise_reduction": {"type": "near_field"},
            },
            "output": {"format": PCM, "voice": "marin", "speed": 1.2},
        },
    }


def test_a_ga_session_says_nothing_that_was_not_asked_for() -> None:
    assert session_update(SessionOptions(), Dialect.GA) == {
        "type": "realtime",
        "output_modalities": ["audio"],
        "audio": {
            "input": {"format": PCM, "transcription": None, "turn_detection": {"type": "server_vad"}},
            "output": {"format": PCM},
        },
    }


def test_a_beta_session_is_flat_and_has_no_type() -> None:
    assert session_update(EVERYTHING, Dialect.BETA) == {
        "modalities": ["text", "audio"],
        "instructions": "Be brief.",
        "voice": "marin",
        "speed": 1.2,
        "max_response_output_tokens": 500,
        "tools": [dict(EVERYTHING.tools[0])],
        "input_audio_transcription": {"model": "gpt-transcribe", "language": "en"},
        "input_audio_noise_reduction": {"type": "near_field"},
        "turn_detection": VAD,
    }


def test_an_xai_session_has_voice_and_turn_detection_at_the_top_and_formats_inside() -> None:
    assert session_update(EVERYTHING, Dialect.XAI) == {
        "instructions": "Be brief.",
        "voice": "marin",
        "tools": [dict(EVERYTHING.tools[0])],
        "turn_detection": VAD,
        "audio": {"input": {"format": PCM}, "output": {"format": PCM}},
    }


@pytest.mark.parametrize("dialect", Dialect)
def test_voice_detection_that_is_off_is_an_explicit_null(dialect: Dialect) -> None:
    body = session_update(SessionOptions(vad="off"), dialect)
    holder = body["audio"]["input"] if dialect is Dialect.GA else body
    assert holder["turn_detection"] is None


def test_semantic_detection_takes_eagerness_and_none_of_the_servers_tuning() -> None:
    options = SessionOptions(vad="semantic", eagerness="high", silence_ms=400, create_response=False)
    detection = session_update(options, Dialect.GA)["audio"]["input"]["turn_detection"]
    assert detection == {"type": "semantic_vad", "eagerness": "high", "create_response": False}


def test_text_only_noise_reduction_and_transcription_are_said_in_each_dialects_way() -> None:
    options = SessionOptions(text_only=True, noise_reduction="off")
    ga, beta, xai = (session_update(options, dialect) for dialect in Dialect)
    assert ga["output_modalities"] == beta["modalities"] == xai["modalities"] == ["text"]
    assert ga["audio"]["input"]["noise_reduction"] is None
    assert beta["input_audio_noise_reduction"] is None
    assert beta["input_audio_transcription"] is None


@pytest.mark.parametrize(
    ("model", "languages", "sent"),
    [
        ("gpt-transcribe", ("de",), {"languages": ["de"]}),
        ("gpt-live-transcribe", ("de", "en"), {"languages": ["de", "en"]}),
        ("whisper-1", ("de",), {"language": "de"}),
        ("gpt-4o-mini-transcribe", ("de",), {"language": "de"}),
        ("gpt-transcribe", (), {}),
        ("whisper-1", (), {}),
    ],
)
def test_newer_transcription_models_get_languages_and_older_ones_one_language_and_none_gets_both(
    model: str, languages: tuple[str, ...], sent: dict[str, Any]
) -> None:
    options = SessionOptions(transcription_model=model, languages=languages)
    for body in (session_update(options, Dialect.GA), transcription_session(options, Dialect.GA)):
        assert body["audio"]["input"]["transcription"] == {"model": model, **sent}


def test_several_languages_for_a_model_that_takes_one_are_refused_here() -> None:
    options = SessionOptions(transcription_model="whisper-1", languages=("de", "en"))
    with pytest.raises(InputError, match=r"whisper-1 takes one language.*gpt-transcribe"):
        session_update(options, Dialect.GA)


@pytest.mark.parametrize("word", ["a<b", "a>b", "a\rb", "a\nb"])
def test_a_keyword_that_would_have_the_whole_update_refused_is_refused_here_by_its_name(word: str) -> None:
    options = SessionOptions(transcription_model="gpt-transcribe", keywords=("Lovelace", word))
    with pytest.raises(InputError, match=re.escape(repr(word))):
        session_update(options, Dialect.GA)


@pytest.mark.parametrize(("said", "own"), [("voice_1234", "voice_1234"), ("id:Ada", "Ada"), ("marin", None)])
def test_a_voice_of_ones_own_is_an_object_in_ga_and_a_string_elsewhere(said: str, own: str | None) -> None:
    options = SessionOptions(voice=said)
    ga, beta, xai = (session_update(options, dialect) for dialect in Dialect)
    assert ga["audio"]["output"]["voice"] == ({"id": own} if own else said)
    assert beta["voice"] == xai["voice"] == (own or said)


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("auto", "auto"),
        ("disabled", "disabled"),
        ("0.8", {"type": "retention_ratio", "retention_ratio": 0.8}),
        (
            "0.5,20000",
            {"type": "retention_ratio", "retention_ratio": 0.5, "token_limits": {"post_instructions": 20_000}},
        ),
    ],
)
def test_how_a_long_talk_is_shortened_is_said_in_ga_only(said: str, sent: Any) -> None:
    options = SessionOptions(truncation=truncation_of(said))
    assert session_update(options, Dialect.GA)["truncation"] == sent
    assert "truncation" not in session_update(options, Dialect.BETA)


@pytest.mark.parametrize("said", ["1.5", "-1", "nan", "0.8,", "0.8,0", "0.8,x", "much", "0.8,1,2"])
def test_what_says_no_truncation_is_one_clear_line(said: str) -> None:
    with pytest.raises(InputError, match="--truncation"):
        truncation_of(said)


def test_what_the_beta_does_not_know_of_the_users_speech_is_said_its_way_or_left_out() -> None:
    wanted = SessionOptions(
        transcription_model="gpt-transcribe", languages=("de",), keywords=("Ada", "Bob"), idle_timeout_ms=6000
    )
    body = session_update(wanted, Dialect.BETA)
    assert body["input_audio_transcription"] == {"model": "gpt-transcribe", "language": "de", "prompt": "Ada, Bob"}
    assert body["turn_detection"] == {"type": "server_vad"}
    ga = session_update(wanted, Dialect.GA)
    assert ga["audio"]["input"]["turn_detection"] == {"type": "server_vad", "idle_timeout_ms": 6000}


def test_an_idle_time_out_without_the_servers_own_detection_is_refused() -> None:
    with pytest.raises(InputError, match="--vad server"):
        session_update(SessionOptions(vad="semantic", idle_timeout_ms=6000), Dialect.GA)


def test_a_transcription_session_has_input_and_nothing_else() -> None:
    options = SessionOptions(
        transcription_model="gpt-transcribe", languages=("de",), create_response=True, voice="marin"
    )
    transcription = {"model": "gpt-transcribe", "languages": ["de"]}
    detection = {"type": "server_vad"}
    assert transcription_session(options, Dialect.GA) == {
        "type": "transcription",
        "audio": {"input": {"format": PCM, "transcription": transcription, "turn_detection": detection}},
    }


def test_a_beta_transcription_session_goes_out_under_its_own_event_name() -> None:
    session = transcription_session(SessionOptions(transcription_model="whisper-1"), Dialect.BETA)
    sent = json.loads(to_wire(SessionUpdate(session=session), Dialect.BETA))
    assert sent == {
        "type": "transcription_session.update",
        "session": {"input_audio_transcription": {"model": "whisper-1"}, "turn_detection": {"type": "server_vad"}},
    }


def test_models_that_transcribe_as_the_audio_comes_get_no_voice_detection() -> None:
    session = transcription_session(SessionOptions(transcription_model="gpt-live-transcribe"), Dialect.GA)
    assert session["audio"]["input"]["turn_detection"] is None


def test_a_transcription_without_a_model_is_the_users_to_mend() -> None:
    with pytest.raises(InputError, match="--transcription-model"):
        transcription_session(SessionOptions(), Dialect.GA)
