"""What ``realtime-cli doctor`` makes of the sound it recorded: its chirp's echo, and the microphone's level."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from realtime_cli.audio.core.pcm import ms_to_frames
from realtime_cli.doctor.check import Check, Status
from realtime_cli.doctor.chirp import Echo, chirp, find_echo
from realtime_cli.doctor.verdicts import EchoProtection, judge_echo, judge_microphone

LEAD = ms_to_frames(500)


def room(gain_db: float, delay_ms: float, noise: float) -> npt.NDArray[np.int16]:
    """Two seconds in which the chirp comes back ``delay_ms`` after it was played, half a second from the start."""
    recording = np.random.default_rng(5).normal(size=ms_to_frames(2000)) * noise
    at = LEAD + ms_to_frames(delay_ms)
    recording[at : at + len(chirp())] += chirp() * 10 ** (gain_db / 20)
    return np.round(recording).astype(np.int16)


@pytest.mark.parametrize(("gain_db", "noise"), [(-12, 0), (-12, 60), (-6, 300), (-40, 30), (3, 0)])
def test_an_echo_is_found_to_the_frame_and_its_level_to_the_decibel(gain_db: float, noise: float) -> None:
    echo = find_echo(room(gain_db, 80, noise), chirp(), LEAD)
    assert echo is not None
    assert echo.at_frame == LEAD + ms_to_frames(80)
    assert echo.gain_db == pytest.approx(gain_db, abs=1.0)


@pytest.mark.parametrize("noise", [0, 1, 100, 3000])
def test_where_nothing_comes_back_no_echo_is_found(noise: float) -> None:
    assert find_echo(room(-200, 80, noise), chirp(), LEAD) is None


def test_a_hum_that_breaks_off_with_the_recording_is_no_echo() -> None:
    hum_alone = np.sin(np.arange(ms_to_frames(2000)) * 2 * np.pi * 200 / 24_000) * 300
    assert find_echo(hum_alone.astype(np.int16), chirp(), LEAD) is None


def test_the_chirp_is_soft_and_begins_and_ends_without_a_click() -> None:
    sound = chirp().astype(int)
    assert 3000 < np.abs(sound).max() < 3300
    assert np.abs(sound[[0, -1]]).max() < 30


def heard(samples: npt.NDArray[Any], platform: str = "linux") -> Check:
    return judge_microphone("microphone", '"mic" at 24000 Hz', samples.astype(np.int16), platform)


def test_digital_silence_is_a_warning_with_the_platforms_own_remedy() -> None:
    silence = np.zeros(24_000)
    assert "Privacy & Security > Microphone" in heard(silence, "darwin").fix
    assert "Privacy & security" in heard(silence, "win32").fix
    assert "alsamixer" in heard(silence).fix
    assert (heard(silence).status, heard(silence).exit_code) == (Status.WARN, 0)


@pytest.mark.parametrize(
    ("peak", "status", "words"),
    [
        (20_000, Status.OK, "peak -4 dBFS"),
        (30, Status.WARN, "very quiet"),
        (32_767, Status.WARN, "clipped"),
    ],
)
def test_the_microphones_level_is_judged(peak: int, status: Status, words: str) -> None:
    found = heard(np.tile([0, peak, 0, -peak], 6000))
    assert found.status is status
    assert words in found.finding
    assert bool(found.fix) == (status is not Status.OK)


def test_a_microphone_that_delivers_nothing_is_a_failure() -> None:
    assert heard(np.zeros(0)).status is Status.FAIL


@pytest.mark.parametrize(
    ("echo", "protection", "status", "words"),
    [
        (Echo(0, -12.0), EchoProtection.CANCELLER, Status.OK, "open speakers, with echo cancellation"),
        (Echo(0, -12.0), EchoProtection.MISSING, Status.WARN, "pip install pywebrtc-audio"),
        (Echo(0, -12.0), EchoProtection.OFF, Status.WARN, "leave out --no-aec"),
        (Echo(0, 6.0), EchoProtection.CANCELLER, Status.WARN, "--ptt"),
        (Echo(0, 6.0), EchoProtection.TURNS, Status.OK, "no matter"),
        (None, EchoProtection.MISSING, Status.OK, "headphones"),
    ],
)
def test_the_echo_leads_to_a_recommendation(
    echo: Echo | None, protection: EchoProtection, status: Status, words: str
) -> None:
    found = judge_echo("echo", echo, 90.0, protection=protection)
    assert found.status is status
    assert words in f"{found.finding} {found.fix}"
