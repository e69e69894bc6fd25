"""Recognition and speech by their addresses, and espeak-ng: what is asked, what comes, and how each fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from realtime_cli.errors import TurnError
from realtime_cli.server.engines import espeak
from realtime_cli.server.engines.http_calls import Service
from realtime_cli.server.engines.speech_calls import Speech, Transcriptions
from realtime_cli.server.engines.voices import Voices
from tests.local_engines import Beeper
from tests.needs import need_espeak
from tests.network import closed_port
from tests.real_engines import never
from tests.scripted_engines import Exchange, ScriptedEngine, silent, status, whole
from tests.waiting import PATIENCE_S

HALF_SECOND = np.full(8000, 0.25, np.float32)
TONE = (np.sin(np.arange(24_000) / 20) * 8000).astype("<i2")


@pytest.fixture
def other() -> Iterator[ScriptedEngine]:
    with ScriptedEngine().running() as engine:
        yield engine


def ear(other: ScriptedEngine, silence_s: float = 30.0) -> Transcriptions:
    return Transcriptions(Service("the recogniser", other.url, "secret", "THE_KEY", silence_s), "whisper-1")


def mouth(other: ScriptedEngine, silence_s: float = 30.0) -> Speech:
    return Speech(Service("the voice", other.url, "", "THE_KEY", silence_s), "tts-1")


def spoken(voice: Speech | Voices, text: str = "Hello there.") -> np.ndarray[Any, Any]:
    parts = list(voice.synthesize(text, "cedar", 1.2, never))
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def test_speech_is_sent_as_a_file_with_the_language_and_the_key(other: ScriptedEngine) -> None:
    other.answers = [whole(b'{"text": " Hello you. "}')]
    found = ear(other).transcribe(HALF_SECOND, "de", never)
    assert (found.text, found.language) == ("Hello you.", "de")
    (asked,) = other.asked
    assert asked.path == "/v1/audio/transcriptions"
    assert asked.headers["Authorization"] == "Bearer secret"
    assert asked.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    for part in (b"RIFF", b'name="model"\r\n\r\nwhisper-1', b'name="language"\r\n\r\nde', b'filename="speech.wav"'):
        assert part in asked.body


def test_a_language_that_is_not_named_is_left_to_the_server(other: ScriptedEngine) -> None:
    other.answers = [whole(b'{"text": "Hello."}')]
    ear(other).transcribe(HALF_SECOND, None, never)
    assert b'name="language"' not in other.asked[0].body


def test_words_are_spoken_in_the_voice_asked_for_and_no_frame_is_lost(other: ScriptedEngine) -> None:
    sound = TONE.tobytes()

    def in_odd_pieces(exchange: Exchange) -> None:
        exchange.begin("audio/pcm", len(sound))
        for at in range(0, len(sound), 1001):
            exchange.write(sound[at : at + 1001])

    other.answers = [in_odd_pieces]
    assert np.array_equal(spoken(mouth(other)), TONE)
    assert other.asked[0].path == "/v1/audio/speech"
    assert other.asked[0].json == {
        "model": "tts-1",
        "input": "Hello there.",
        "voice": "cedar",
        "speed": 1.2,
        "response_format": "pcm",
    }


def test_speech_is_heard_before_the_server_has_made_all_of_it(other: ScriptedEngine) -> None:
    def half(exchange: Exchange) -> None:
        exchange.begin("audio/pcm")
        exchange.write(TONE.tobytes()[:20_000])
        exchange.hang()

    other.answers = [half]
    stop = threading.Event()
    parts = mouth(other).synthesize("Hello.", "cedar", 1.0, stop.is_set)
    assert len(next(parts)) > 4000
    stop.set()
    for _ in parts:
        """What had come before."""
    assert other.client_gone.wait(PATIENCE_S)


def cut(exchange: Exchange) -> None:
    exchange.begin("audio/pcm", 100_000)
    exchange.write(b"\1\0" * 100)


FAILURES = [
    (status(401, {"error": {"message": "bad key"}}), r"answered 401 \(bad key\)"),
    (status(429), "answered 429: it has too much to do"),
    (cut, "broke off"),
]


@pytest.mark.parametrize(
    ("answer", "told"), [*FAILURES, (whole(b"[]"), "no transcript"), (whole(b"<p>"), "no transcript")]
)
def test_every_failure_of_recognition_is_one_line(other: ScriptedEngine, answer: Any, told: str) -> None:
    other.answers = [answer]
    with pytest.raises(TurnError, match=f"the recogniser at 127.0.0.1:.*{told}"):
        ear(other).transcribe(HALF_SECOND, None, never)


@pytest.mark.parametrize(
    ("answer", "told"), [*FAILURES, (whole(b'{"oh": 1}'), "no sound"), (whole(b"<p>"), "no sound")]
)
def test_every_failure_of_speech_is_one_line(other: ScriptedEngine, answer: Any, told: str) -> None:
    other.answers = [answer]
    with pytest.raises(TurnError, match=f"the voice at 127.0.0.1:.*{told}"):
        spoken(mouth(other))


def test_servers_that_say_nothing_or_are_not_there_are_given_up(other: ScriptedEngine) -> None:
    other.answers = [silent]
    with pytest.raises(TurnError, match="does not answer"):
        ear(other, 0.1).transcribe(HALF_SECOND, None, never)
    with pytest.raises(TurnError, match="does not answer"):
        spoken(mouth(other, 0.1))
    with closed_port() as port, pytest.raises(TurnError, match="cannot be reached"):
        spoken(Speech(Service("the voice", f"http://127.0.0.1:{port}/v1"), "tts-1"))


def test_a_recognition_that_is_given_up_comes_to_nothing(other: ScriptedEngine) -> None:
    other.answers = [silent]
    assert ear(other).transcribe(HALF_SECOND, None, lambda: True).text == ""


# espeak-ng


def test_a_sentence_is_spoken_by_who_knows_its_language() -> None:
    need_espeak()
    english = spoken(Voices(Beeper()))
    german = spoken(Voices(Beeper()), "Das ist schönes Wetter, nicht wahr?")
    assert set(english) == {1000}
    assert len(german) > 24_000
    assert np.abs(german).max() > 1000


def test_the_voices_differ_in_other_languages_too() -> None:
    need_espeak()
    sounds = {
        voice: b"".join(part.tobytes() for part in espeak.speak("Guten Tag.", "de", voice, 1.0, never))
        for voice in ("cedar", "marin", "shimmer")
    }
    assert len(set(sounds.values())) == 3


def test_what_is_not_wanted_any_more_is_not_spoken() -> None:
    need_espeak()
    assert list(espeak.speak("Guten Tag.", "de", "marin", 1.0, lambda: True)) == []


def test_without_the_program_the_english_voice_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    espeak.spoken_languages.cache_clear()
    try:
        assert espeak.spoken_languages() == frozenset()
        assert set(spoken(Voices(Beeper()), "Das ist gut.")) == {1000}
    finally:
        espeak.spoken_languages.cache_clear()
