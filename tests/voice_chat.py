"""``realtime-cli chat`` on virtual devices, the question that is spoken into them, and what was heard of replies."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tests.running import ROOT, environment
from tests.virtual_devices import VirtualDevices
from tests.waiting import PATIENCE_S

QUESTION = ROOT / "examples" / "question.wav"


def speech(path: Path = QUESTION) -> bytes:
    """A recording as raw PCM16."""
    with wave.open(str(path)) as file:
        return file.readframes(file.getnframes())


def audible_frames(path: Path) -> npt.NDArray[np.int64]:
    """Which frames of a raw recording, which may still be growing, are no silence."""
    data = path.read_bytes()
    return np.flatnonzero(np.abs(np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.int32)) > 30)


def first_sound_ms(path: Path) -> float:
    """From the first sound in a raw recording to the first 100 ms of silence after it."""
    loud = audible_frames(path)
    assert len(loud), "nothing was played"
    pauses = np.flatnonzero(np.diff(loud) > 2400)
    last = loud[pauses[0]] if len(pauses) else loud[-1]
    return float((last - loud[0] + 1) / 24)


class Chat:
    """``realtime-cli chat --json`` on the virtual devices, line by line."""

    def __init__(self, devices: VirtualDevices, *arguments: str) -> None:
        command = [sys.executable, "-m", "realtime_cli", "chat", "--json", *arguments]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment(), **devices.environment},
        )
        self.lines: list[dict[str, Any]] = []

    def __enter__(self) -> Chat:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def wait_for(self, kind: str) -> dict[str, Any]:
        """Read lines up to the next one of a type."""
        stream: IO[bytes] = self._process.stdout  # type: ignore[assignment]
        for text in stream:
            self.lines.append(json.loads(text))
            if self.lines[-1]["type"] == kind:
                return self.lines[-1]
        errors = self._process.stderr.read().decode()  # type: ignore[union-attr]
        raise AssertionError(f"no {kind} came: {self.lines} {errors}")

    def wait_for_end(self) -> int:
        """Read to the end; returns the exit code."""
        self.wait_for("end")
        return self._process.wait(PATIENCE_S)
