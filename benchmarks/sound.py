"""Sound devices for measurements: the tests' virtual ones, and what is at their other ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.virtual_devices import VirtualDevices, run_virtual_devices

RATE_HZ = 24_000
BLOCK_MS = 5
BLOCK_FRAMES = RATE_HZ * BLOCK_MS // 1000
LOUD = 4_000
"""Of 32767: far above any noise, far below the signals here."""

PATIENCE_S = 10.0

_MOUTH = "mouth"
_MOUTH_PCM = 'pcm.mouth {{ type asym  playback.pcm {{ type pulse server "unix:{socket}" device "mic_in" }} }}\n'
"""For this process only: what is played here is what programs record."""

Samples = npt.NDArray[np.int16]


@contextlib.contextmanager
def devices_if_any() -> Iterator[VirtualDevices | None]:
    """Virtual devices while the block lasts, or None and a line about it.

    PortAudio in this process sees them too, if it is not loaded yet.
    """
    if shutil.which("pulseaudio") is None or shutil.which("pacat") is None:
        sys.stdout.write("no virtual devices: they need PulseAudio's programs and ALSA's plugins for it\n")
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="snd") as folder, run_virtual_devices(Path(folder)) as devices:
        programs = Path(devices.environment["ALSA_CONFIG_PATH"])
        ours = Path(folder) / "ours.conf"
        ours.write_text(programs.read_text() + _MOUTH_PCM.format(socket=Path(folder) / "socket"))
        os.environ.update(devices.environment | {"ALSA_CONFIG_PATH": str(ours)})
        yield devices


class Mouth:
    """Speaks into the virtual microphone: silence, and a click when asked."""

    def __init__(self) -> None:
        import sounddevice

        self._click: Samples | None = None
        self._clicked = threading.Event()
        self._clicked_s = 0.0
        self._stream: Any = sounddevice.OutputStream(
            device=_MOUTH,
            callback=self._speak,
            samplerate=RATE_HZ,
            channels=1,
            dtype="int16",
            blocksize=0,
            latency="low",
        )

    def __enter__(self) -> Mouth:
        self._stream.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.abort()
        self._stream.close()

    def click(self) -> float:
        """Click once; returns when, on the clock of ``time.monotonic``. Blocks for a few milliseconds."""
        self._clicked.clear()
        self._click = np.full(RATE_HZ // 1000, 30_000, np.int16)
        assert self._clicked.wait(PATIENCE_S)
        return self._clicked_s

    def _speak(self, outdata: Any, frames: int, _time: Any, _status: Any) -> None:
        outdata[:] = 0
        if self._click is not None:
            if not self._clicked.is_set():
                self._clicked_s = time.monotonic()
                self._clicked.set()
            count = min(frames, len(self._click))
            outdata[:count, 0] = self._click[:count]
            self._click = self._click[count:] if count < len(self._click) else None


class Ear:
    """Hears what the virtual loudspeaker plays, with the time when each block got here."""

    def __init__(self, devices: VirtualDevices) -> None:
        self._process = _pacat(devices, "--record", "spk.monitor", f"--latency-msec={BLOCK_MS}", stdout=subprocess.PIPE)
        self._blocks: list[tuple[float, Samples]] = []
        self._thread = threading.Thread(target=self._run, name="ear")
        self._thread.start()

    def __enter__(self) -> Ear:
        while not self._blocks:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._process)
        self._thread.join()

    def onset(self, since_s: float, within_s: float) -> float | None:
        """When the first loud frame after ``since_s`` was heard; blocks until then, or for ``within_s``."""
        while time.monotonic() < since_s + within_s:
            for at_s, block in self._after(since_s):
                if _is_loud(block):
                    return at_s
            time.sleep(0.01)
        return None

    def last_loud(self, since_s: float) -> float | None:
        """When the last loud frame so far after ``since_s`` was heard."""
        return max((at_s for at_s, block in self._after(since_s) if _is_loud(block)), default=None)

    def heard(self) -> Samples:
        """Everything so far."""
        return np.concatenate([block for _, block in self._blocks])

    def forget(self) -> None:
        """Begin anew."""
        self._blocks.clear()

    def _after(self, since_s: float) -> list[tuple[float, Samples]]:
        return [entry for entry in list(self._blocks) if entry[0] > since_s]

    def _run(self) -> None:
        pipe: Any = self._process.stdout
        while data := pipe.read(2 * BLOCK_FRAMES):
            self._blocks.append((time.monotonic(), np.frombuffer(data[: len(data) // 2 * 2], "<i2")))


def _is_loud(block: Samples) -> bool:
    return bool(len(block)) and int(np.abs(block.astype(np.int32)).max()) > LOUD


def _pacat(devices: VirtualDevices, mode: str, device: str, *options: str, **pipes: int) -> subprocess.Popen[bytes]:
    command = ["pacat", mode, f"--device={device}", "--raw", "--format=s16le", f"--rate={RATE_HZ}", "--channels=1"]
    return subprocess.Popen([*command, *options], env=devices.environment, bufsize=0, **pipes)  # type: ignore[call-overload,no-any-return]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.communicate()
