"""Assent, noises and objections as sounds, heard by the embedded server's own ears while the model speaks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.server.engines.interface import SpeechToText
from realtime_cli.server.engines.loading import Engines
from tests import careful_talk
from tests.audio_signals import ATTEMPTS
from tests.careful_talk import Outcome, Samples
from tests.needs import need_espeak
from tests.scripted_engines import ScriptedEngine, says, whole
from tests.scripted_reply import tone
from tests.speech_sounds import ASSENTS, VOICES, assent, clap, cough, objection, speech
from tests.virtual_devices import VirtualDevices
from tests.voice_chat import Chat, audible_frames
from tests.waiting import wait_until

Try = Callable[..., Outcome]

REPLY_MS = 60_000
PAUSED_S = 0.6
"""The voice is paused for at least so long by any speech: what ends it is half a second of silence."""

ALMOST_MS = 100
"""Fades, and what a device plays of a block, on either side of a pause."""


@pytest.fixture(autouse=True)
def _voices() -> None:
    need_espeak()


@pytest.fixture
def into_a_reply(engines: Engines) -> Try:
    return partial(careful_talk.outcome, make_vad=engines.voice_activity)


@pytest.mark.parametrize("number", [1, 7, 13, 19])
def test_assent_pauses_the_voice_and_no_more_however_late_its_words_are_known(
    into_a_reply: Try, ear: SpeechToText, number: int
) -> None:
    for transcript_s in (0.2, 3.0):
        heard = into_a_reply(assent(number), ear=ear, transcript_s=transcript_s)
        assert (heard.stopped, heard.answers) == (False, 0), (ASSENTS[number % 5], VOICES[number // 5], heard)
        assert heard.paused_ms is not None
        assert heard.went_on_ms is not None


@pytest.mark.parametrize("number", [0, 4, 11])
def test_an_objection_stops_the_voice_where_it_was_paused_and_is_answered(
    into_a_reply: Try, ear: SpeechToText, number: int
) -> None:
    heard = into_a_reply(objection(number), ear=ear)
    assert (heard.stopped, heard.went_on_ms, heard.answers) == (True, None, 1), heard
    assert heard.paused_ms is not None
    assert heard.audible_after_ms <= heard.paused_ms


def test_a_short_objection_stops_the_voice_by_its_words_also_when_they_come_late(
    into_a_reply: Try, ear: SpeechToText
) -> None:
    at_once = into_a_reply(speech("Stop."), ear=ear)
    assert (at_once.stopped, at_once.went_on_ms, at_once.answers) == (True, None, 1), at_once
    late = into_a_reply(speech("Stop."), ear=ear, transcript_s=3.0)
    assert (late.stopped, late.went_on_ms is not None, late.answers) == (True, True, 1), late


@pytest.mark.parametrize("noise", [cough, clap])
def test_coughs_and_claps_do_not_end_a_reply(into_a_reply: Try, noise: Callable[[int], Samples]) -> None:
    for number in range(4):
        assert not into_a_reply(noise(number), ear=None).stopped


class Cut(NamedTuple):
    """A reply that somebody assented to and then objected to."""

    line: dict[str, Any]
    said: list[str]
    """By the user."""
    audible_ms: float

    @property
    def right(self) -> bool:
        """The server's word of what was heard is what was played."""
        as_played = self.line["heard_ms"] == pytest.approx(self.audible_ms, abs=ALMOST_MS)
        return bool(as_played and self.line["interrupted"] and len(self.said) == 1)


def assented_and_objected(virtual_devices: VirtualDevices, recorded: Path) -> Cut:
    """What comes of it on devices; ``recorded`` is what was played."""
    arguments = ("--local", "--interruptions", "careful", "--greeting", "Tell me a story.", "--no-aec")
    with ScriptedEngine().running() as lm, ScriptedEngine().running() as tts, virtual_devices.recording(recorded):
        lm.answers, tts.answers = [says("A long story")], [whole(tone(REPLY_MS), "audio/pcm")]
        servers = ("--lm", lm.url, "--lm-model", "any", "--tts", tts.url, "--tts-model", "any")
        with Chat(virtual_devices, *arguments, *servers) as chat:
            chat.wait_for("latency")
            virtual_devices.play_into_mic(assent(1).tobytes())
            wait_until(lambda: went_on(recorded), "the paused voice", every_s=0.05)
            tts.answers = [whole(bytes(4800), "audio/pcm")]
            virtual_devices.play_into_mic(objection(1).tobytes())
            cut = chat.wait_for("assistant")
            if not any(line["type"] == "user" for line in chat.lines):
                chat.wait_for("user")
    said = [line["text"] for line in chat.lines if line["type"] == "user"]
    return Cut(cut, said, audible_ms(recorded))


def test_on_devices_assent_pauses_the_voice_and_an_objection_ends_it_at_what_was_heard(
    virtual_devices: VirtualDevices, tmp_path: Path
) -> None:
    for _ in range(ATTEMPTS):
        cut = assented_and_objected(virtual_devices, tmp_path / "heard.raw")
        if cut.right:
            break
    assert cut.line["interrupted"]
    assert cut.line["heard_ms"] == pytest.approx(cut.audible_ms, abs=ALMOST_MS)
    (objected,) = cut.said
    assert "not what i meant" in objected.lower()


def went_on(path: Path) -> bool:
    """Whether the tone was silent for long and is heard again."""
    return bool((np.diff(audible_frames(path)) > PAUSED_S * RATE_HZ).any())


def audible_ms(path: Path) -> float:
    """How long the tone was heard in all; its zero crossings are none of its pauses."""
    steps = np.diff(audible_frames(path))
    return float(steps[steps < RATE_HZ // 100].sum()) * 1000 / RATE_HZ
