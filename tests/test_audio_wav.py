"""WAV files as the loudspeaker: what they hold in the end, and what is said when they cannot be written."""

from __future__ import annotations

import signal
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.audio.core.playout import Playout
from realtime_cli.audio.drivers.wav import WavSink
from realtime_cli.errors import InputError
from tests.audio_signals import Background, Player, Samples, noise


def played(path: Path, samples: Samples) -> Player:
    """What a loudspeaker's file was given before it was closed."""
    player = Player(samples)
    sink = WavSink(path)
    sink.open()
    run = Background(sink.run, player)
    assert player.finished.wait(60)
    run.stop()
    sink.close()
    return player


def test_a_wav_loudspeaker_hears_the_silences_too(tmp_path: Path) -> None:
    path = tmp_path / "reply.wav"
    player = played(path, np.concatenate([np.zeros(4800, np.int16), noise(0.2)]))
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


def test_a_wav_that_heard_nothing_is_not_made_and_one_that_was_there_stays(tmp_path: Path) -> None:
    played(tmp_path / "reply.wav", np.zeros(4800, np.int16))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "reply.wav").write_bytes(b"what was there")
    played(tmp_path / "reply.wav", np.zeros(4800, np.int16))
    assert (tmp_path / "reply.wav").read_bytes() == b"what was there"


def test_an_existing_wav_is_replaced_with_the_first_sound_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "reply.wav"
    soundfile.write(path, noise(2.0), RATE_HZ)
    path.chmod(0o640)
    played(path, noise(0.2))
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        assert file.getnframes() < RATE_HZ
    assert path.stat().st_mode & 0o777 == 0o640 or sys.platform == "win32"
    played(tmp_path / "new.wav", noise(0.2))
    assert (tmp_path / "new.wav").stat().st_mode & 0o777 == 0o600 or sys.platform == "win32"
    assert {each.name for each in tmp_path.iterdir()} == {"reply.wav", "new.wav"}


KILLED = """
import sys, threading
from pathlib import Path
import numpy as np
from realtime_cli.audio.drivers.wav import WavSink

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
from realtime_cli.audio.drivers.wav import WavSink
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
