"""What the server is told of an interrupted reply, beside a recording of the loudspeaker; and how soon it is silent.

The server interrupts replies at any moment of them, as it does when it hears the user, and is told with
``conversation.item.truncate`` how much of each was heard. The recording is of the same frames that the loudspeaker got.
"""

from __future__ import annotations

import random
import time

import numpy as np

from benchmarks.client import Client, audio_delta, chatting
from benchmarks.figures import Series, arguments, show
from benchmarks.sound import RATE_HZ, Ear, devices_if_any
from tests.scripted_reply import tone

REPLY_MS = 4000
DELTA_MS = 200
EARLIEST_S, LATEST_S = 0.1, 2.5
"""Within a reply, from its first sound to its interruption."""

SETTLED_S = 0.4
"""After an interruption: longer than any device's buffer."""

AUDIBLE = 30
"""Of 32767: the tone is 8000, and silence is silent."""

GAP_FRAMES = RATE_HZ // 1000
"""A tone is never that long below what is audible of it."""

NEVER_S = 3.0
SEED = 1


def main() -> None:
    """Measure and print."""
    given = arguments(__doc__, rounds=50, options="")
    moments = random.Random(SEED)
    told_ms, errors_ms, gaps_ms, silent_ms = [], [], [], []
    with devices_if_any() as devices:
        if devices is None:
            return
        with chatting(devices, *str(given["options"]).split()) as client, Ear(devices) as ear:
            time.sleep(1)
            for _ in range(int(given["rounds"])):
                told, heard, gaps, silent = _interruption(client, ear, moments.uniform(EARLIEST_S, LATEST_S))
                told_ms.append(told)
                errors_ms.append(told - heard)
                gaps_ms.append(gaps)
                silent_ms.append(silent)
    rows = [
        Series("told as heard", "ms", told_ms),
        Series("told beyond what was heard", "ms", errors_ms, goal="within 5"),
        Series("the same, however signed", "ms", [abs(error) for error in errors_ms], goal="under 20 in all"),
        Series("silence within, where the device ran dry", "ms", gaps_ms),
        Series("barge-in to silence", "ms", silent_ms, goal="30"),
    ]
    show("Interruptions", rows)


def _interruption(client: Client, ear: Ear, after_s: float) -> tuple[float, float, float, float]:
    """Interrupt one reply. Milliseconds told as heard, heard, silent in between, and until it was silent for good."""
    ear.forget()
    truncated = _truncated(client)
    reply = client.begin_reply()
    sound = tone(REPLY_MS)
    step = RATE_HZ * DELTA_MS // 1000 * 2
    began_s = time.monotonic()
    for start in range(0, len(sound), step):
        client.talk.send(audio_delta(reply, sound[start : start + step]))
    assert ear.onset(began_s, NEVER_S) is not None, "nothing was played"
    time.sleep(after_s)
    stopped_s = client.interrupt(reply)
    time.sleep(SETTLED_S)
    loud = np.flatnonzero(np.abs(ear.heard().astype(np.int32)) > AUDIBLE)
    told = _truncated(client)[len(truncated) :]
    assert len(told) == 1, "the server was not told"
    last_s = ear.last_loud(stopped_s) or stopped_s
    pauses = np.diff(loud)
    gaps_ms = float(pauses[pauses > GAP_FRAMES].sum()) * 1000 / RATE_HZ
    heard_ms = float(loud[-1] + 1 - loud[0]) * 1000 / RATE_HZ - gaps_ms
    return told[0], heard_ms, gaps_ms, (last_s - stopped_s) * 1000


def _truncated(client: Client) -> list[int]:
    return [event["audio_end_ms"] for event in client.received if event["type"] == "conversation.item.truncate"]


if __name__ == "__main__":
    main()
