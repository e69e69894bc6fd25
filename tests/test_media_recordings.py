"""Recordings as phones, browsers and cameras make them, which libsndfile does not read."""

from __future__ import annotations

import itertools
import os
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.audio.drivers.recordings import Recording
from realtime_cli.errors import InputError
from tests import scripts
from tests.audio_signals import Samples, likeness
from tests.running import ROOT, run
from tests.scripted_server import ScriptedServer

WITHOUT_AV = """
import importlib.util

find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *package: None if name == "av" else find(name, *package)
"""
"""Python runs this at its start: an installation without the optional part."""


def chirp(seconds: float, rate_hz: int) -> Samples:
    """From 200 Hz to 3 kHz, which every format here can hold."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return (8000 * np.sin(2 * np.pi * (200 * t + (2800 / seconds) * t**2 / 2))).astype(np.int16)


def record(path: Path, codec: str, rate_hz: int, *, seconds: float = 2.0, picture: bool = False) -> Path:
    """A file with a chirp in it, as another program would write it."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream(codec, rate=rate_hz)
        sound.bit_rate = 64_000
        if picture:
            film = container.add_stream("mpeg4", rate=10)
            film.width, film.height, film.pix_fmt = 64, 64, "yuv420p"
            dark = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            for packet in [packet for _ in range(round(seconds * 10)) for packet in film.encode(dark)] + film.encode():
                container.mux(packet)
        frame = av.AudioFrame.from_ndarray(chirp(seconds, rate_hz).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate_hz
        for packet in sound.encode(frame) + sound.encode(None):
            container.mux(packet)
    return path


def decoded(path: Path) -> Samples:
    return np.frombuffer(b"".join(Recording(path).blocks()), "<i2")


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz", "picture"),
    [
        ("phone.m4a", "aac", 44_100, False),
        ("phone.3gp", "aac", 32_000, False),
        ("browser.webm", "libopus", 48_000, False),
        ("old.wma", "wmav2", 44_100, False),
        ("film.mp4", "aac", 48_000, True),
        ("film.mkv", "libopus", 48_000, True),
        ("film.mov", "aac", 44_100, True),
        ("bare.aac", "aac", 24_000, False),
    ],
)
def test_what_phones_browsers_and_cameras_record_becomes_the_wire_s_own(
    tmp_path: Path, name: str, codec: str, rate_hz: int, picture: bool
) -> None:
    path = record(tmp_path / name, codec, rate_hz, picture=picture)
    recording = Recording(path)
    recording.check()
    recording.check_for_speech()
    samples = decoded(path)
    assert likeness(chirp(2.0, RATE_HZ)[2400:-2400], samples) > 0.97
    assert abs(len(samples) - 2 * RATE_HZ) <= RATE_HZ // 10
    assert recording.duration_ms is not None
    assert abs(recording.duration_ms - 2000) <= 150
    assert {len(block) for block in itertools.islice(recording.blocks(4800), 10)} == {4800}


def test_a_voice_message_in_amr_is_read(tmp_path: Path) -> None:
    # 12.2 kbit/s: a header, then frames of 20 ms, each with its table of contents (RFC 4867, 5).
    frames = np.random.default_rng(1).integers(0, 256, (100, 31), dtype=np.uint8)
    (tmp_path / "note.amr").write_bytes(b"#!AMR\n" + b"".join(b"\x3c" + frame.tobytes() for frame in frames))
    assert len(decoded(tmp_path / "note.amr")) == pytest.approx(2 * RATE_HZ, abs=RATE_HZ // 10)


def test_a_browsers_recording_does_not_say_how_long_it_is_and_is_read_all_the_same(tmp_path: Path) -> None:
    whole = record(tmp_path / "film.webm", "libopus", 48_000).read_bytes()
    # Duration (0x4489, of 8 bytes) of Matroska's segment information becomes a Void element (0xEC): as MediaRecorder
    # writes it, which does not know yet (https://www.matroska.org/technical/elements.html).
    at = whole.index(b"\x44\x89\x88")
    path = tmp_path / "live.webm"
    path.write_bytes(whole[:at] + b"\xec\x89" + bytes(9) + whole[at + 11 :])
    recording = Recording(path)
    assert recording.duration_ms is None
    recording.check()
    assert abs(len(decoded(path)) - 2 * RATE_HZ) <= RATE_HZ // 10


def test_a_recording_that_stops_in_the_middle_says_where(tmp_path: Path) -> None:
    whole = record(tmp_path / "film.mkv", "libopus", 48_000, seconds=8.0).read_bytes()
    (tmp_path / "half.mkv").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"half.mkv is (cut off|damaged) after \d"):
        decoded(tmp_path / "half.mkv")


def test_a_film_without_sound_and_a_playlist_under_a_recordings_name_are_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "mute.mp4"), "w") as container:
        film = container.add_stream("mpeg4", rate=10)
        film.width, film.height, film.pix_fmt = 64, 64, "yuv420p"
        dark = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        for packet in [packet for _ in range(5) for packet in film.encode(dark)] + film.encode():
            container.mux(packet)
    with pytest.raises(InputError, match="no sound in it"):
        Recording(tmp_path / "mute.mp4").check()
    record(tmp_path / "real.aac", "aac", 24_000)
    (tmp_path / "list.m4a").write_text(f"#EXTM3U\n#EXTINF:2,\n{tmp_path}/real.aac\n#EXT-X-ENDLIST\n")
    (tmp_path / "concat.m4a").write_text(f"ffconcat version 1.0\nfile {tmp_path}/real.aac\n")
    for name in ("list.m4a", "concat.m4a"):
        with pytest.raises(InputError, match="not an audio file that can be read"):
            Recording(tmp_path / name).check()


def test_a_long_recording_is_decoded_in_little_memory(tmp_path: Path) -> None:
    path = record(tmp_path / "long.m4a", "aac", 24_000, seconds=30.0)
    tracemalloc.start()
    try:
        blocks = sum(1 for _ in Recording(path).blocks())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert blocks >= 30 * 50
    assert peak < 1_000_000


def test_a_phones_recording_is_asked_and_without_the_decoder_there_is_advice(tmp_path: Path) -> None:
    path = record(tmp_path / "note.m4a", "aac", 44_100)
    with ScriptedServer(scripts.text_turns("Ten.")) as server:
        done = run("ask", str(path), "--base-url", server.url)
    assert (done.returncode, done.stdout) == (0, "Ten.\n"), done.stderr
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(WITHOUT_AV)
    without = run("ask", str(path), "--base-url", "127.0.0.1:9", PYTHONPATH=f"{tmp_path / 'hidden'}{os.pathsep}{ROOT}")
    assert (without.returncode, without.stderr.count("\n")) == (2, 1)
    assert "realtime-voice-cli[media]" in without.stderr
    assert "ffmpeg -i FILE" in without.stderr
