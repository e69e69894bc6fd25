"""Whether both sides of a recording stay together: clicks of the loudspeaker, heard again in the microphone.

The program's own drivers and recorder on the virtual devices, the one heard in the other after a fixed time. Every
click stands in both channels; how far apart its two places are must not change, whatever the devices lose.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.figures import Series, arguments, show
from benchmarks.sound import devices_if_any
from realtime_cli.audio.core.pcm import BLOCK_MS, RATE_HZ
from realtime_cli.audio.drivers.portaudio import PortAudioSink, PortAudioSource
from realtime_cli.journal.recording import Recorder
from realtime_cli.session.echo_control import overheard, recording
from tests.audio_signals import Background
from tests.virtual_devices import VirtualDevices

CLICK = np.full(24, 20_000, np.int16)
ECHO_MS = 80
LOSS_S = 0.7


class Clicks:
    """A loudspeaker's stream with a click a second."""

    def __init__(self) -> None:
        self._at = 0

    def __call__(self, frames: int) -> npt.NDArray[np.int16]:
        places = (np.arange(self._at, self._at + frames)) % RATE_HZ
        self._at += frames
        return np.where(places < len(CLICK), CLICK[0], 0).astype(np.int16)


def main() -> None:
    """Measure and print."""
    given = arguments(__doc__, seconds=600.0, losses=5)
    seconds, losses = float(given["seconds"]), int(given["losses"])
    with devices_if_any() as devices, tempfile.TemporaryDirectory() as folder:
        if devices is None:
            return
        path = Path(folder, "talk.wav")
        with devices.echo(-6.0, ECHO_MS):
            _record(devices, path, seconds, losses)
        apart = _apart_ms(path)
        middle = float(np.median(apart)) if apart else 0.0
        off = [abs(each - middle) for each in apart]
        goal = f"within a block, {BLOCK_MS} ms"
        rows = [
            Series("a click's two places apart", "ms", apart),
            Series("off the median", "ms", off, goal=goal),
        ]
        show(f"A recording of {seconds:.0f} s, the microphone lost {losses} times for {LOSS_S:g} s", rows)


def _record(devices: VirtualDevices, path: Path, seconds: float, losses: int) -> None:
    recorder = Recorder(path, sys.stderr.write)
    sink, source = PortAudioSink("speaker"), PortAudioSource("mic")
    sink.open()
    source.open()
    writing = threading.Thread(target=recorder.run)
    writing.start()
    hearing = Background(source.run, recorder.spoke, lambda: None)
    speaking = Background(sink.run, overheard(Clicks(), recording(recorder, sink)))
    pause = threading.Event()
    for _ in range(losses + 1):
        pause.wait(seconds / (losses + 1))
        if losses:
            devices.pactl("suspend-source", "mic", "1")
            pause.wait(LOSS_S)
            devices.pactl("suspend-source", "mic", "0")
    for run in (speaking, hearing):
        run.stopping.set()
    source.close()
    sink.close()
    speaking.join()
    hearing.join()
    recorder.close()
    writing.join()


def _apart_ms(path: Path) -> list[float]:
    """For each click on the right how long after it one stands on the left, where one was heard."""
    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    left, right = (_onsets(sound[:, side]) for side in (0, 1))
    found = (left[(left > at) & (left < at + RATE_HZ // 2)] for at in right)
    return [float(heard[0] - at) * 1000 / RATE_HZ for at, heard in zip(right, found, strict=True) if len(heard)]


def _onsets(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.intp]:
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 4_000)
    return loud[np.diff(loud, prepend=-RATE_HZ) > RATE_HZ // 4]


if __name__ == "__main__":
    main()
