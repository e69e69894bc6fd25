"""Recordings as the microphone: all formats in, one format out, and a clear line for what cannot be used."""

from __future__ import annotations

import itertools
import struct
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.audio.drivers.pacing import Pacer
from realtime_cli.audio.drivers.recordings import Recording
from realtime_cli.audio.drivers.wav import WavSource
from realtime_cli.errors import InputError
from tests.audio_signals import Samples, likeness, noise


def decoded(path: Path) -> Samples:
    return np.frombuffer(b"".join(Recording(path).blocks()), "<i2")


@pytest.mark.parametrize(
    ("ending", "subtype", "rate_hz", "channels"),
    [
        ("wav", "PCM_16", 24_000, 1),
        ("wav", "PCM_U8", 24_000, 2),
        ("wav", "PCM_24", 44_100, 2),
        ("wav", "FLOAT", 48_000, 6),
        ("wav", "ULAW", 8_000, 1),
        ("wav", "PCM_32", 11_025, 1),
        ("flac", "PCM_16", 44_100, 1),
        ("flac", "PCM_24", 96_000, 2),
        ("ogg", "VORBIS", 22_050, 1),
        ("ogg", "OPUS", 48_000, 2),
        ("mp3", "MPEG_LAYER_III", 32_000, 1),
        ("aiff", "PCM_16", 16_000, 1),
    ],
)
def test_a_recording_of_any_format_becomes_the_wire_s_own(
    tmp_path: Path, ending: str, subtype: str, rate_hz: int, channels: int
) -> None:
    path = tmp_path / f"speech.{ending}"
    wanted = band_limited(2.0)
    at_its_rate = resampled(wanted, rate_hz)
    soundfile.write(path, np.stack([at_its_rate / 32768] * channels, axis=1), rate_hz, subtype=subtype)
    assert likeness(wanted[2400:-2400], decoded(path)) > 0.99
    assert abs(Recording(path).duration_ms - 2000) <= 100
    assert abs(len(decoded(path)) - 2 * RATE_HZ) <= RATE_HZ // 10


def test_a_wav_that_was_streamed_and_promises_what_it_cannot_know_is_read(tmp_path: Path) -> None:
    path = tmp_path / "streamed.wav"
    soundfile.write(path, noise(1.0), RATE_HZ)
    whole = path.read_bytes()
    for promised in (2_000_000_000, 1_000_000_000, 0x7FFF_F000, 0xFFFF_FFFF):
        path.write_bytes(whole[:40] + struct.pack("<I", promised) + whole[44:])
        assert len(decoded(path)) == RATE_HZ
    path.write_bytes(whole[:40] + struct.pack("<I", 999_999_999) + whole[44:])
    with pytest.raises(InputError, match=r"cut off after 1\.0 s of 20833"):
        decoded(path)


def band_limited(seconds: float) -> Samples:
    """A chirp up to 3 kHz, which every format here can hold."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (8000 * np.sin(2 * np.pi * (200 * t + (2800 / seconds) * t**2 / 2))).astype(np.int16)


def resampled(samples: Samples, rate_hz: int) -> Samples:
    at = np.arange(round(len(samples) * rate_hz / RATE_HZ)) * RATE_HZ / rate_hz
    fine = np.fft.irfft(np.fft.rfft(samples), 16 * len(samples)) * 16
    return np.interp(at * 16, np.arange(len(fine)), fine).astype(np.int16)


def test_wire_audio_in_a_wav_comes_through_unchanged(tmp_path: Path) -> None:
    samples = noise(1.7)
    samples[:2] = -32768, 32767
    soundfile.write(tmp_path / "speech.wav", samples, RATE_HZ)
    np.testing.assert_array_equal(decoded(tmp_path / "speech.wav"), samples)


def test_blocks_are_whole_up_to_the_last(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "speech.wav", noise(1.0, 44_100), 44_100)
    sizes = [len(block) for block in Recording(tmp_path / "speech.wav").blocks(4800)]
    assert set(sizes[:-1]) == {4800}
    assert 0 < sizes[-1] <= 4800
    assert sum(sizes) == 2 * RATE_HZ


def test_the_channels_of_a_recording_are_mixed(tmp_path: Path) -> None:
    left, right = np.full(2400, 1000, np.int16), np.full(2400, 3000, np.int16)
    soundfile.write(tmp_path / "both.wav", np.stack([left, right], axis=1), RATE_HZ)
    assert set(decoded(tmp_path / "both.wav")) == {2000}


def test_a_three_hour_recording_is_read_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    size = 3 * 3600 * 48_000 * 2
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, *RIFF_48K))
        file.write(b"data" + struct.pack("<I", size))
        file.truncate(44 + size)
    recording = Recording(path)
    assert recording.duration_ms == 3 * 3600 * 1000
    tracemalloc.start()
    try:
        blocks = sum(1 for _ in itertools.islice(recording.blocks(), 60 * 50))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert blocks == 60 * 50
    assert peak < 8_000_000


RIFF_48K = (48_000, 96_000, 2, 16)


def spoil(path: Path, how: str) -> None:
    soundfile.write(path, noise(2.0), RATE_HZ)
    whole = path.read_bytes()
    match how:
        case "missing":
            path.unlink()
        case "a folder":
            path.unlink()
            path.mkdir()
        case "empty":
            path.write_bytes(b"")
        case "no audio":
            path.write_text("dear diary")
        case "header only":
            path.write_bytes(whole[:44])
        case "half a header":
            path.write_bytes(whole[:30])
        case "cut off":
            path.write_bytes(whole[:50_000])
        case "too short":
            soundfile.write(path, noise(0.05), RATE_HZ)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("missing", "No such file"),
        ("a folder", "Is a directory"),
        ("empty", "is empty"),
        ("no audio", "not an audio file"),
        ("header only", "cut off after 0.0 s"),
        ("half a header", "not an audio file"),
        ("cut off", "cut off after 1.0 s of 2.0 s"),
        ("too short", "only 50 ms"),
    ],
)
def test_a_file_that_cannot_be_a_microphone_is_refused_in_one_line(tmp_path: Path, how: str, reason: str) -> None:
    path = tmp_path / "speech.wav"
    spoil(path, how)
    with pytest.raises(InputError, match=reason) as refused:
        WavSource(path).open()
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_recording_that_is_damaged_further_on_ends_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "speech.flac"
    soundfile.write(path, noise(3.0), RATE_HZ)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"speech\.flac is (damaged|cut off) after \d"):
        decoded(path)


def test_a_wav_that_was_written_into_a_pipe_and_promises_gigabytes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    soundfile.write(path, noise(1.0), RATE_HZ)
    whole = bytearray(path.read_bytes())
    whole[4:8] = whole[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(whole)
    np.testing.assert_array_equal(decoded(path), noise(1.0))


@pytest.mark.parametrize(("peak", "level"), [(0, "every sample is zero"), (20, "-64 dBFS")])
def test_a_silent_recording_is_refused_where_speech_is_wanted(tmp_path: Path, peak: int, level: str) -> None:
    soundfile.write(tmp_path / "hush.wav", (noise(2.0).clip(-1, 1) * peak).astype(np.int16), RATE_HZ)
    Recording(tmp_path / "hush.wav").check()
    with pytest.raises(InputError, match=f"is silent: .*{level}"):
        Recording(tmp_path / "hush.wav").check_for_speech()


def test_a_recording_that_begins_with_silence_may_still_hold_speech(tmp_path: Path) -> None:
    late = np.concatenate([np.zeros(3 * RATE_HZ, np.int16), noise(0.5)])
    soundfile.write(tmp_path / "late.wav", late, RATE_HZ)
    Recording(tmp_path / "late.wav").check_for_speech()


def test_the_clock_of_a_file_does_not_drift() -> None:
    pacer = Pacer(threading.Event(), threading.Event())
    began = time.monotonic()
    for _ in range(50):
        pacer.wait()
    # Never early; lateness of one block is made up for by the next.
    assert time.monotonic() - began >= 50 * 0.02


def test_a_clock_that_was_asleep_does_not_rush(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("realtime_cli.audio.drivers.pacing.time.monotonic", lambda: now[0])
    pacer = Pacer(stopping := WaitLog(), threading.Event())
    pacer.wait()
    now[0] = 3600.0
    for _ in range(3):
        pacer.wait()
        now[0] += stopping.waits[-1]
    assert stopping.waits == pytest.approx([0.02, 0.0, 0.02, 0.02])


class WaitLog(threading.Event):
    """An event that is not waited for, but asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return self.is_set()
