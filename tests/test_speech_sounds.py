"""The sounds that interruptions are tried with: what the embedded server's voice detection takes them for."""

from __future__ import annotations

import numpy as np
import pytest

from tests.echo_scene import started_ms
from tests.needs import need_espeak
from tests.speech_sounds import Samples, assent, clap, cough, objection

PAUSE = np.zeros(24_000, np.int16)


@pytest.fixture(scope="module", autouse=True)
def _voices() -> None:
    need_espeak()


def in_a_row(*sounds: Samples) -> Samples:
    """With a second of silence around each."""
    return np.concatenate([PAUSE, *(piece for sound in sounds for piece in (sound, PAUSE))])


def test_the_same_sound_is_the_same_in_every_run_and_as_loud_as_it_was_asked_to_be() -> None:
    for make in (assent, objection, cough, clap):
        np.testing.assert_array_equal(make(3), make(3))
        assert int(np.abs(make(3, level_dbfs=-45)).max()) < int(np.abs(make(3, level_dbfs=-25)).max())


def test_words_of_every_kind_start_a_turn_and_claps_do_not() -> None:
    assert len(started_ms(in_a_row(*(objection(number) for number in (0, 4, 8))))) >= 3
    assert started_ms(in_a_row(*(assent(number) for number in range(0, 20, 3))))
    assert not started_ms(in_a_row(*(clap(number) for number in range(4))))


def test_assent_is_shorter_than_an_objection() -> None:
    assert max(len(assent(number)) for number in range(20)) < min(len(objection(number)) for number in range(12))
