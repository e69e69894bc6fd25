"""Signals for tests of audio, and how alike two of them are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.waiting import PATIENCE_S

Samples = npt.NDArray[np.int16]


def noise(seconds: float, rate_hz: int = 24_000, seed: int = 1) -> Samples:
    """Soft noise without silence in it, at the bandwidth of speech: it fits itself at one place only."""
    generator = np.random.default_rng(seed)
    taps = np.hanning(rate_hz // 2000)
    white = generator.normal(size=round(seconds * rate_hz))
    return (np.convolve(white, taps / np.linalg.norm(taps), "same") * 3000).astype(np.int16)


def tone(ms: int, level: float = 0.3) -> bytes:
    """A sine tone as the wire has it: PCM16, 24 kHz, mono."""
    frames = np.arange(24 * ms)
    return bytes((np.sin(frames * 2 * np.pi * 220 / 24_000) * level * 32767).astype("<i2").tobytes())


def find(wanted: Samples, recording: Samples) -> int:
    """Where ``wanted`` begins in ``recording``, in frames."""
    size = 1 << int(np.ceil(np.log2(len(wanted) + len(recording))))
    spectrum = np.fft.rfft(recording.astype(float), size) * np.conj(np.fft.rfft(wanted.astype(float), size))
    return int(np.argmax(np.fft.irfft(spectrum, size)[: len(recording)]))


def likeness(wanted: Samples, recording: Samples) -> float:
    """The correlation of ``wanted`` with the place in ``recording`` that is most like it; 1.0 is the same."""
    at = find(wanted, recording)
    found = recording[at : at + len(wanted)].astype(float)
    if len(found) < len(wanted):
        return 0.0
    norm = float(np.linalg.norm(found) * np.linalg.norm(wanted.astype(float)))
    return float(found @ wanted.astype(float)) / norm if norm else 0.0


def piecewise(wanted: Samples, recording: Samples) -> list[float]:
    """The likeness of each 100 ms of ``wanted``, from worst to best.

    A busy machine loses a block of a device now and then, which spoils one piece and shifts the rest.
    """
    pieces = np.split(wanted, range(2400, len(wanted), 2400))
    return sorted(likeness(piece, recording) for piece in pieces)


ATTEMPTS = 6
"""So often sound is sent through devices until enough of it has come: the machine may be too busy for it."""


def spared(attempt: Callable[[], Samples], wanted: Samples, spoiled: int, at_least: float) -> Samples:
    """What came of ``wanted`` in the first attempt in which no more than ``spoiled`` of its pieces are unlike it.

    What is never right is given back as it came last.
    """
    for _ in range(ATTEMPTS):
        came = attempt()
        if piecewise(wanted, came)[spoiled] >= at_least:
            break
    return came


class Player:
    """A pull that gives ``samples`` once and silence ever after, and knows when it has given them all."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self.asked: list[int] = []
        self.pulled = 0
        self.finished = threading.Event()

    def __call__(self, frames: int) -> Samples:
        self.asked.append(frames)
        out = np.zeros(frames, np.int16)
        piece = self.samples[self.pulled : self.pulled + frames]
        out[: len(piece)] = piece
        self.pulled += len(piece)
        if self.pulled >= len(self.samples):
            self.finished.set()
        return out

    def pending(self) -> int:
        """Frames that can be pulled."""
        return len(self.samples) - self.pulled


class Background:
    """Runs a driver's ``run`` on a thread, as the session does, and keeps what it raised."""

    def __init__(self, run: Callable[..., None], *arguments: Any) -> None:
        self.stopping = threading.Event()
        self.ended = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._body, args=(run, arguments), daemon=True)
        self._thread.start()

    def _body(self, run: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        try:
            run(*arguments, self.stopping)
        except Exception as error:  # noqa: BLE001 -- raised again by join
            self.error = error
        finally:
            self.ended.set()

    def stop(self) -> None:
        """End it as the session does, and raise what it raised."""
        self.stopping.set()
        self.join()

    def join(self) -> None:
        """Wait for its end, and raise what it raised."""
        assert self.ended.wait(PATIENCE_S), "run did not return"
        self._thread.join(PATIENCE_S)
        if self.error:
            raise self.error


class Ear:
    """A deliver that keeps its blocks, and lets tests wait for some."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self._came = threading.Condition()

    def __call__(self, block: bytes) -> None:
        with self._came:
            self.blocks.append(block)
            self._came.notify_all()

    def wait_for(self, count: int) -> list[bytes]:
        """The first ``count`` blocks, as soon as there are so many."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.blocks) >= count, PATIENCE_S), "no more blocks came"
            return self.blocks[:count]

    @property
    def samples(self) -> Samples:
        """All that was heard."""
        return np.frombuffer(b"".join(self.blocks), "<i2")
