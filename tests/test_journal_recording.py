"""Recordings of conversations: both channels by one clock, and a file that is whole at any moment."""

from __future__ import annotations

import math
import random
import stat
import subprocess
import sys
import threading
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from realtime_cli.audio.core.pcm import BLOCK_FRAMES, RATE_HZ, ms_to_frames
from realtime_cli.journal.recording import Recorder, Track
from tests.waiting import PATIENCE_S


class Clock:
    """A clock that is told what time it is."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def stereo(path: Path) -> npt.NDArray[np.int16]:
    """What a WAV file holds, shape ``(frames, 2)``."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, RATE_HZ, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


def record(path: Path, play: Callable[[Recorder, Clock], None], *, by_clock: bool = True) -> npt.NDArray[np.int16]:
    """Record what ``play`` does."""
    clock = Clock()
    notices: list[str] = []
    recorder = Recorder(path, notices.append, clock=clock, by_clock=by_clock)
    play(recorder, clock)
    recorder.close()
    thread = threading.Thread(target=recorder.run)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert notices == []
    return stereo(path)


def block(value: int, frames: int = BLOCK_FRAMES) -> npt.NDArray[np.int16]:
    return np.full(frames, value, np.int16)


def ramp(start: int, frames: int) -> npt.NDArray[np.int16]:
    """Samples that tell their own place, modulo 30,000."""
    return (np.arange(start, start + frames) % 30_000 + 1).astype(np.int16)


def test_the_user_is_on_the_left_and_the_model_on_the_right_each_where_it_was_heard(tmp_path: Path) -> None:
    def play(recorder: Recorder, clock: Clock) -> None:
        clock.now += 1.0
        recorder.spoke(block(100, RATE_HZ // 2).tobytes())
        recorder.heard(block(200, RATE_HZ // 2), latency_s=0.25)

    sound = record(tmp_path / "talk.wav", play)
    left, right = sound[:, 0].nonzero()[0], sound[:, 1].nonzero()[0]
    assert (left[0], left[-1]) == (RATE_HZ // 2, RATE_HZ - 1)
    assert (right[0], right[-1]) == (RATE_HZ * 5 // 4, RATE_HZ * 7 // 4 - 1)


def placed(starts: list[int]) -> list[int]:
    """Where blocks stand that began at these places, as far as was known; each tells its number."""
    track = Track()
    for number, start in enumerate(starts):
        track.place(block(number % 30_000 + 1), start)
    track.settle(math.inf)
    sound = track.take(track.end)
    begins = np.flatnonzero(np.diff(sound, prepend=0) * (sound > 0))
    assert (sound[begins] == np.arange(len(starts)) % 30_000 + 1).all()
    return [int(at) for at in begins]


def test_devices_with_clocks_of_their_own_and_losses_stay_aligned_to_within_a_block_at_any_moment() -> None:
    # A device 100 parts in a million fast, blocks up to 60 ms late, some 60 or 500 ms lost every few seconds.
    dice = random.Random(5)
    true, known = [0], [0]
    captured = BLOCK_FRAMES
    while captured < 900 * RATE_HZ:
        captured += ms_to_frames(dice.choice((60, 500))) if dice.random() < 1 / 200 else 0
        true.append(round(captured / 1.0001))
        known.append(true[-1] + ms_to_frames(dice.choice((0, 0, 1, 5, 60))))
        captured += BLOCK_FRAMES
    # Of a late block right before a loss nobody can know on which side of it it belongs.
    off = [abs(at - place) for at, place, seen in zip(placed(known), true, known, strict=True) if seen == place]
    assert max(off) <= BLOCK_FRAMES


def test_a_late_block_is_not_taken_for_a_gap() -> None:
    places = [number * BLOCK_FRAMES for number in range(500)]
    late = [place + ms_to_frames(700 if number % 50 == 7 else 0) for number, place in enumerate(places)]
    assert placed(late) == places


def test_a_microphone_that_was_closed_leaves_silence_as_long_as_it_was(tmp_path: Path) -> None:
    def play(recorder: Recorder, clock: Clock) -> None:
        for pause in (0.0, 2.0):
            clock.now += pause
            for _ in range(50):
                clock.now += 0.02
                recorder.spoke(block(100).tobytes())

    sound = record(tmp_path / "talk.wav", play)
    assert len(sound) == 4 * RATE_HZ
    assert not sound[RATE_HZ : 3 * RATE_HZ].any()
    assert sound[:RATE_HZ, 0].all()
    assert sound[3 * RATE_HZ :, 0].all()


def test_what_is_sent_and_written_as_fast_as_it_comes_stands_in_turns(tmp_path: Path) -> None:
    def play(recorder: Recorder, _clock: Clock) -> None:
        for _turn in range(2):
            for at in range(0, RATE_HZ, BLOCK_FRAMES):
                recorder.spoke(ramp(at, BLOCK_FRAMES).astype("<i2").tobytes())
            recorder.heard(ramp(0, 2 * RATE_HZ))

    sound = record(tmp_path / "talk.wav", play, by_clock=False)
    assert len(sound) == 6 * RATE_HZ
    for begin in (0, 3 * RATE_HZ):
        assert (sound[begin : begin + RATE_HZ, 0] == ramp(0, RATE_HZ)).all()
        assert (sound[begin + RATE_HZ : begin + 3 * RATE_HZ, 1] == ramp(0, 2 * RATE_HZ)).all()


def test_only_the_owner_may_hear_it_and_nothing_that_is_there_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "talk.wav"
    record(path, lambda recorder, _clock: recorder.heard(block(1)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    notices: list[str] = []
    Recorder(path, notices.append).run()
    assert [notice.split(":")[0] for notice in notices] == ["the recording ends here"]
    assert len(stereo(path)) == BLOCK_FRAMES


def test_a_full_disk_ends_the_recording_with_a_notice_and_what_is_there_can_be_played(tmp_path: Path) -> None:
    program = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from realtime_cli.journal.recording import Recorder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
recorder = Recorder(Path(sys.argv[1]), print, by_clock=False)
for _ in range(500):
    recorder.heard(np.ones(480, np.int16), 0.0)
recorder.close()
recorder.run()
"""
    path = tmp_path / "talk.wav"
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    assert done.stdout.startswith("the recording ends here")
    stereo(path)


def test_the_file_is_whole_after_the_program_was_killed(tmp_path: Path) -> None:
    program = """
import sys, threading, time
from pathlib import Path
import numpy as np
from realtime_cli.journal import recording
recording.WRITE_S = 0.002
recorder = recording.Recorder(Path(sys.argv[1]), print, by_clock=False)
threading.Thread(target=recorder.run, daemon=True).start()
print("ready", flush=True)
while True:
    recorder.heard(np.ones(480, np.int16))
    recorder.spoke(np.ones(480, np.int16).tobytes())
    time.sleep(0.0005)
"""
    for number in range(3):
        path = tmp_path / f"{number}.wav"
        with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            while not path.exists() or path.stat().st_size < 20_000 * (number + 1):
                assert process.poll() is None
            process.kill()
        claimed = stereo(path)
        assert len(claimed) > 0
        assert path.stat().st_size >= 44 + claimed.nbytes


@pytest.mark.parametrize("frames", [1, 7, 480, 1000])
def test_a_track_gives_back_what_it_took_whatever_the_sizes(frames: int) -> None:
    track = Track()
    for at in range(0, 7000, 700):
        track.add(ramp(at, 700))
    taken = [track.take(min(frames, 7000 - at)) for at in range(0, 7000, frames)]
    assert (np.concatenate(taken) == ramp(0, 7000)).all()
