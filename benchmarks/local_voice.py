"""How long the embedded server lets one wait for its voice, over spoken questions, in this process.

From the end of the speech, and from the end of the turn as the server hears it, to the first audio of the reply. Beside
each wait stands the processor time that the whole process took meanwhile, on all cores: a wait that grew without it
was the machine's, which had something else to do; one that grew with it was the server's.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.figures import Series, arguments, show
from realtime_cli.audio.core.pcm import BLOCK_FRAMES, BLOCK_MS, RATE_HZ
from realtime_cli.protocol.dialects import append_message
from realtime_cli.server.core.core import SessionPlan
from realtime_cli.server.local_server import load_server

QUESTIONS = (
    "What is the capital of France?",
    "How many days are there in a week?",
    "Can you tell me something about the moon?",
    "What should I cook for dinner tonight?",
    "Why is the sky blue?",
    "Please count from one to five.",
    "What is your favourite colour?",
    "How do I make a good cup of coffee?",
    "Which animal is the largest on earth?",
    "Tell me a short story about a king.",
)

PAUSE_S = 0.5
PATIENCE_S = 60.0
QUIET = 300
"""Of 32767: what espeak-ng's voices end in is softer than that for some ten milliseconds."""

Samples = npt.NDArray[np.int16]


class Turns:
    """One conversation, held at the pace of speech."""

    def __init__(self) -> None:
        self._events: SimpleQueue[tuple[float, float, dict[str, Any]]] = SimpleQueue()
        self._speech: SimpleQueue[Samples] = SimpleQueue()
        self._spoken: SimpleQueue[tuple[float, float]] = SimpleQueue()
        self._stopping = threading.Event()
        self._server = load_server(lambda _line: None)
        self._line = self._server.connect(self._take, lambda _ending: None, SessionPlan())
        self._microphone = threading.Thread(target=self._run, name="microphone")
        self._microphone.start()

    def __enter__(self) -> Turns:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._microphone.join()
        self._line.close()
        self._server.close()

    def ask(self, speech: Samples) -> dict[str, tuple[float, float]]:
        """Say something and wait for the whole reply; wall and processor seconds of each wait."""
        while not self._events.empty():
            self._events.get()
        self._speech.put(speech)
        ended = self._spoken.get(timeout=PATIENCE_S)
        endpoint = self._when("input_audio_buffer.speech_stopped")
        first = self._when("response.output_audio.delta")
        done = self._when("response.done")
        return {
            "end of speech to endpoint": _between(ended, endpoint),
            "endpoint to first audio": _between(endpoint, first),
            "end of speech to first audio": _between(ended, first),
            "first audio to end of reply": _between(first, done),
        }

    def _when(self, kind: str) -> tuple[float, float]:
        while True:
            wall_s, cpu_s, event = self._events.get(timeout=PATIENCE_S)
            if event["type"] == "error":
                raise RuntimeError(event["error"]["message"])
            if event["type"] == kind:
                return wall_s, cpu_s

    def _take(self, text: str) -> None:
        self._events.put((time.monotonic(), time.process_time(), json.loads(text)))

    def _run(self) -> None:
        """A microphone that delivers silence, and speech when there is some."""
        waiting = np.zeros(0, np.int16)
        due_s = time.monotonic()
        ends_in = 0
        while not self._stopping.is_set():
            if not len(waiting):
                try:
                    waiting = self._speech.get_nowait()
                    ends_in = len(waiting)
                except Empty:
                    pass
            block, waiting = waiting[:BLOCK_FRAMES], waiting[BLOCK_FRAMES:]
            due_s += BLOCK_MS / 1000
            time.sleep(max(0.0, due_s - time.monotonic()))
            self._line.receive(append_message(block.tobytes().ljust(2 * BLOCK_FRAMES, b"\0")))
            if ends_in and not len(waiting):
                # The last block may be a short one: the speech ended that long before its end.
                self._spoken.put((due_s - (BLOCK_FRAMES - len(block)) / RATE_HZ, time.process_time()))
                ends_in = 0


def _between(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return other[0] - one[0], other[1] - one[1]


def spoken(text: str, voice: str = "en-us") -> Samples:
    """``text`` by espeak-ng, 24 kHz mono, without the silence around it."""
    import soundfile
    import soxr

    made = subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "--stdout", text], capture_output=True, check=True)
    frames, rate_hz = soundfile.read(io.BytesIO(made.stdout), dtype="float32")
    samples: Samples = (soxr.resample(frames, rate_hz, RATE_HZ) * 20_000).astype(np.int16)
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > QUIET)
    return samples[loud[0] : loud[-1] + 1]


def main() -> None:
    """Measure and print."""
    turns = int(arguments(__doc__, turns=30)["turns"])
    if shutil.which("espeak-ng") is None:
        sys.stdout.write("espeak-ng is missing\n")
        return
    questions = [spoken(text) for text in QUESTIONS]
    waits: dict[str, list[tuple[float, float]]] = {}
    with Turns() as conversation:
        for turn in range(turns):
            for name, wait in conversation.ask(questions[turn % len(questions)]).items():
                waits.setdefault(name, []).append(wait)
            time.sleep(PAUSE_S)
    goals = {"endpoint to first audio": "0.6", "end of speech to first audio": "1.0"}
    rows = []
    for name, seen in waits.items():
        rows.append(Series(name, "s", [wall for wall, _ in seen], goal=goals.get(name, "")))
        rows.append(Series("  processor time", "s", [cpu for _, cpu in seen]))
    slowest = sorted(waits["endpoint to first audio"], reverse=True)[:3]
    show("Embedded server: spoken turns", rows)
    told = ", ".join(f"{wall:.2f} s with {cpu:.2f} s of processor time" for wall, cpu in slowest)
    sys.stdout.write(f"slowest from endpoint to first audio: {told}\n")


if __name__ == "__main__":
    main()
