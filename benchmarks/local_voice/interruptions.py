"""How soon a barge-in stops everything: the sending of the reply, and the work of the engines.

The work is over when the processors have nothing to do any more but to listen: this process uses less than a sixth of
one for a tenth of a second. Interrupted are the making of a long spoken reply, and the reading of a long question.
"""

from __future__ import annotations

import random
import threading
import time

import numpy as np

from benchmarks.figures import Series, show
from benchmarks.local_voice.clips import Samples, spoken
from benchmarks.local_voice.conversation import Conversation
from realtime_cli.server.local_server import LocalServer

LONG = "Tell me a long story about a king, a queen, a dragon and seven brave children who lived by the sea. "
REPLIES, QUESTIONS = "while a reply is made", "while a long question is read"
TIMES = {REPLIES: 1, QUESTIONS: 12}
"""How often the words are asked: the longest question that the embedded model reads is 1200 bytes long."""

LATEST_S = {REPLIES: 0.9, QUESTIONS: 0.3}
SETTLED_S = 0.6
SAMPLE_S = 0.005
WINDOW = 20
"""Samples in a tenth of a second."""

AT_REST = 0.16
"""Processor seconds a second: listening takes 0.05."""


def measure(server: LocalServer, rounds: int) -> None:
    """Interrupt and print."""
    word = spoken("Stop it please.")
    moments = random.Random(1)
    rows = []
    with Conversation(server) as conversation:
        for what, times in TIMES.items():
            sent, worked = [], []
            for _ in range(rounds):
                seen = _interrupt(conversation, LONG * times, word, moments.uniform(0.0, LATEST_S[what]))
                if seen is not None:
                    sent.append(seen[0])
                    worked.append(seen[1])
            rows.append(Series(f"{what}: last of it sent", "ms", sent, goal="< 100"))
            rows.append(Series(f"{what}: engines at rest", "ms", worked, goal="< 100"))
    show("Embedded server: from a barge-in (speech_started)", rows)


def _interrupt(conversation: Conversation, text: str, word: Samples, after_s: float) -> tuple[float, float] | None:
    """Milliseconds until the last event of the reply, and until nothing is done for it; None where it was over."""
    part = {"type": "input_text", "text": text}
    conversation.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
    conversation.send("response.create")
    conversation.until("response.created")
    time.sleep(after_s)
    load = _Load()
    conversation.begin_to_say(word)
    started, _ = conversation.until("input_audio_buffer.speech_started")
    time.sleep(SETTLED_S)
    used = load.stop()
    last_s, status = started.wall_s, ""
    for moment, event in conversation.waiting():
        if event["type"].startswith("response.output"):
            last_s = moment.wall_s
        if event["type"] == "response.done":
            status = event["response"]["status"]
    # What was said is answered as well, and must be over before the next round.
    while status != "completed":
        status = conversation.until("response.done")[1]["response"]["status"]
    rest_s = _rest(used, started.wall_s)
    return None if rest_s is None else ((last_s - started.wall_s) * 1000, (rest_s - started.wall_s) * 1000)


def _rest(used: list[tuple[float, float]], from_s: float) -> float | None:
    """From when on the processors had little to do; None when they had little to do already."""
    at_s, cpu_s = np.array(used).T
    rate = (cpu_s[WINDOW:] - cpu_s[:-WINDOW]) / (at_s[WINDOW:] - at_s[:-WINDOW])
    before = rate[at_s[WINDOW:] <= from_s]
    if not len(before) or before[-1] < AT_REST:
        return None
    resting = np.flatnonzero((at_s[:-WINDOW] >= from_s) & (rate < AT_REST))
    return float(at_s[resting[0]]) if len(resting) else float(at_s[-1])


class _Load:
    """How much processor time this process has used, every five milliseconds."""

    def __init__(self) -> None:
        self._used: list[tuple[float, float]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="load")
        self._thread.start()

    def stop(self) -> list[tuple[float, float]]:
        """What was seen: clock and processor seconds."""
        self._stopping.set()
        self._thread.join()
        return self._used

    def _sample(self) -> None:
        while not self._stopping.wait(SAMPLE_S):
            self._used.append((time.monotonic(), time.process_time()))
