"""Recordings, WAV files and pipes: all formats in, one format out, and a clear line for what cannot be used."""

from __future__ import annotations

import itertools
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime_cli.audio.choose import open_reply_sink, open_sink, open_source
from realtime_cli.audio.null import NullSink, NullSource
from realtime_cli.audio.pacing import Pacer
from realtime_cli.audio.pipe import PipeSink, PipeSource
from realtime_cli.audio.portaudio import PortAudioSink, PortAudioSource
from realtime_cli.audio.recording import Recording
from realtime_cli.audio.wavfile import WavSink, WavSource
from realtime_cli.errors import InputError
from realtime_cli.pcm import BLOCK_BYTES, RATE_HZ
from realtime_cli.playout import Playout
from tests.audio_signals import Background, Ear, Player, Samples, likeness, noise


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
    monkeypatch.setattr("realtime_cli.audio.pacing.time.monotonic", lambda: now[0])
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


def test_a_wav_loudspeaker_hears_the_silences_too(tmp_path: Path) -> None:
    path = tmp_path / "reply.wav"
    player = Player(np.concatenate([np.zeros(4800, np.int16), noise(0.2)]))
    sink = WavSink(path)
    sink.open()
    run = Background(sink.run, player)
    assert player.finished.wait(60)
    run.stop()
    sink.close()
    samples, rate_hz = soundfile.read(path, dtype="int16")
    assert rate_hz == RATE_HZ
    np.testing.assert_array_equal(samples[: len(player.samples)], player.samples)


def test_an_unpaced_wav_gets_the_reply_and_no_idle_silence(tmp_path: Path) -> None:
    path = tmp_path / "reply.wav"
    playout = Playout()
    sink = WavSink(path, playout.pending)
    sink.open()
    run = Background(sink.run, playout.pull)
    pieces = [noise(0.3, seed=seed) for seed in range(4)]
    for piece in pieces:
        playout.push(0, "item", 0, piece, now=0.0)
        run.stopping.wait(0.05)
    playout.finish(0, "item", 0, now=0.0)
    while playout.pending():
        run.stopping.wait(0.01)
    run.stop()
    sink.close()
    np.testing.assert_array_equal(soundfile.read(path, dtype="int16")[0], np.concatenate(pieces))


def test_an_unpaced_wav_waits_out_the_jitter_buffer_s_hesitation(tmp_path: Path) -> None:
    path = tmp_path / "reply.wav"
    playout = Playout()
    sink = WavSink(path, playout.pending)
    sink.open()
    first, rest = noise(0.1), noise(1.0, seed=2)
    playout.push(0, "item", 0, first, now=0.0)
    playout.push(0, "item", 0, rest[:2400], now=10.0)
    run = Background(sink.run, playout.pull)
    run.stopping.wait(0.1)
    playout.push(0, "item", 0, rest[2400:], now=10.0)
    playout.finish(0, "item", 0, now=10.0)
    while playout.pending():
        run.stopping.wait(0.01)
    run.stop()
    sink.close()
    np.testing.assert_array_equal(soundfile.read(path, dtype="int16")[0], np.concatenate([first, rest]))


def test_a_wav_that_heard_nothing_is_a_valid_empty_one(tmp_path: Path) -> None:
    sink = WavSink(tmp_path / "reply.wav")
    sink.open()
    sink.close()
    with wave.open(str(tmp_path / "reply.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()) == (24_000, 1, 2, 0)


def test_an_existing_wav_is_replaced(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "reply.wav", noise(2.0), RATE_HZ)
    test_a_wav_that_heard_nothing_is_a_valid_empty_one(tmp_path)


KILLED = """
import sys, threading
from pathlib import Path
import numpy as np
from realtime_cli.audio.wavfile import WavSink

sink = WavSink(Path(sys.argv[1]), lambda: 4800)
sink.open()
pulled = 0

def pull(frames):
    global pulled
    pulled += frames
    if pulled > 5 * 24000:
        print("played", flush=True)
        threading.Event().wait()
    return np.full(frames, 1000, np.int16)

sink.run(pull, threading.Event())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_wav_is_whole_but_for_its_last_second_when_the_program_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "reply.wav"
    program = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE)
    assert program.stdout
    with program.stdout:
        assert program.stdout.readline() == b"played\n"
    program.send_signal(signal.SIGKILL)
    program.wait(60)
    with wave.open(str(path)) as file:
        assert 4 * RATE_HZ <= file.getnframes() <= 5 * RATE_HZ
        assert set(np.frombuffer(file.readframes(RATE_HZ), "<i2")) == {1000}


@pytest.mark.parametrize(("name", "reason"), [("no/such/folder/reply.wav", "No such file"), (".", "no regular file")])
def test_a_wav_that_cannot_be_written_is_refused_when_it_is_opened(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as refused:
        WavSink(tmp_path / name).open()
    assert str(tmp_path) in str(refused.value)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot limit a file's size")
def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    program = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "reply.wav")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert program.stdout == f"cannot write {tmp_path / 'reply.wav'}: File too large\nclosed\n", program.stderr
    assert not program.stderr


FULL = """
import resource, signal, sys, threading
from pathlib import Path
import numpy as np
from realtime_cli.audio.wavfile import WavSink
from realtime_cli.errors import InputError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
sink = WavSink(Path(sys.argv[1]), lambda: 4800)
sink.open()
try:
    sink.run(lambda frames: np.ones(frames, np.int16), threading.Event())
except InputError as error:
    print(error)
sink.close()
print("closed")
"""


def test_a_pipe_microphone_fills_its_last_block_and_drops_half_a_frame() -> None:
    reader, writer = os.pipe()
    ear = Ear()
    with os.fdopen(reader, "rb") as stream:
        run = Background(PipeSource(stream).run, ear, lambda: None)
        for piece in (b"\1\1\1", b"\1" * BLOCK_BYTES, b"\1\1"):
            os.write(writer, piece)
        os.close(writer)
        blocks = ear.wait_for(3)
        run.stop()
    assert blocks[0] == b"\1" * BLOCK_BYTES
    assert blocks[1] == b"\1" * 4 + bytes(BLOCK_BYTES - 4)
    assert blocks[2] == bytes(BLOCK_BYTES)


def test_a_pipe_microphone_can_be_stopped_while_nobody_writes() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb"):
        Background(PipeSource(stream).run, Ear(), lambda: None).stop()


def test_a_pipe_microphone_without_any_audio_is_refused() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    with os.fdopen(reader, "rb") as stream, pytest.raises(InputError, match="held no audio"):
        PipeSource(stream).run(Ear(), lambda: None, threading.Event())


def test_a_pipe_loudspeaker_says_when_nobody_reads() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stream, pytest.raises(BrokenPipeError):
        PipeSink(stream).run(Player(noise(0.1)), threading.Event())


def test_a_pipe_loudspeaker_can_be_stopped_while_nobody_reads() -> None:
    reader, writer = os.pipe()
    player = Player(noise(10.0))
    with os.fdopen(reader, "rb"), os.fdopen(writer, "wb") as stream:
        os.set_blocking(writer, False)
        while fill(writer):
            pass
        os.set_blocking(writer, True)
        run = Background(PipeSink(stream).run, player)
        while not player.asked:
            run.stopping.wait(0.01)
        run.stop()


def fill(writer: int) -> bool:
    try:
        return os.write(writer, bytes(4096)) > 0
    except BlockingIOError:
        return False


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_terminal_is_neither_microphone_nor_loudspeaker() -> None:
    import pty

    keyboard, terminal = pty.openpty()
    with os.fdopen(keyboard, "wb", buffering=0), os.fdopen(terminal, "r+b", buffering=0) as stream:
        for driver in (PipeSource, PipeSink):
            with pytest.raises(InputError, match="is a terminal"):
                driver(stream).open()


@pytest.mark.parametrize(
    ("word", "microphone", "loudspeaker"),
    [
        (None, PortAudioSource, PortAudioSink),
        ("USB Headset", PortAudioSource, PortAudioSink),
        ("3", PortAudioSource, PortAudioSink),
        ("talk.wav", WavSource, WavSink),
        ("Talk.WAV", WavSource, WavSink),
        ("-", PipeSource, PipeSink),
        ("none", NullSource, NullSink),
    ],
)
def test_the_user_s_word_decides_what_is_opened(word: str | None, microphone: type, loudspeaker: type) -> None:
    assert type(open_source(word)) is microphone
    assert type(open_sink(word)) is loudspeaker


def test_a_recording_of_another_format_is_a_microphone_but_no_loudspeaker() -> None:
    assert type(open_source("talk.flac")) is WavSource
    with pytest.raises(InputError, match=r"ends in \.wav"):
        open_sink("talk.flac")


def test_a_reply_is_not_spoken_unless_a_loudspeaker_is_named() -> None:
    assert open_reply_sink(None) is None
    assert open_reply_sink("none") is None
    assert type(open_reply_sink("reply.wav", lambda: 0)) is WavSink


def test_a_recording_is_never_overwritten_by_its_own_reply(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "talk.wav", noise(0.5), RATE_HZ)
    (tmp_path / "link.wav").symlink_to(tmp_path / "talk.wav")
    for choose in (open_sink, open_reply_sink):
        with pytest.raises(InputError, match="both microphone and loudspeaker"):
            choose(str(tmp_path / "link.wav"), source=str(tmp_path / "talk.wav"))
