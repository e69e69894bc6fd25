"""Gaps heard in a reply over a bad network: pieces late by up to 150 ms, and each second one stall of 180 ms.

The server speaks at the pace of speech, so that nothing ever comes early: the hardest case. Once for real, recorded at
the loudspeaker of the running program, after a bare client that has all in memory (a busy machine has gaps of its own);
and for many other networks through its playout buffer alone, in simulated time.
"""

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np

from benchmarks.client import audio_delta, chatting
from benchmarks.figures import Series, arguments, show
from benchmarks.sound import RATE_HZ, Ear, Samples, devices_if_any
from realtime_cli.audio.core.playout import Playout
from realtime_cli.audio.drivers.device_stream import CALLBACK_MS
from tests.scripted_reply import tone
from tests.virtual_devices import VirtualDevices

DELTA_MS = 100
LATE_S = 0.150
STALL_S = 0.180
STALL_EVERY_S = 1.0

GAP_FRAMES = RATE_HZ * 3 // 1000
"""Quiet for longer than this is a gap: a tone's own zeros last for single frames, a fade for two or three ms."""
QUIET = 200

PULL_FRAMES = 240
NETWORKS = 200


def arrivals(seconds: float, seed: int) -> list[float]:
    """When each piece of a reply arrives, in seconds after the first was sent; in order, as TCP keeps it."""
    chance = random.Random(seed)
    times: list[float] = []
    for number in range(int(seconds * 1000 / DELTA_MS)):
        at_s = number * DELTA_MS / 1000 + chance.uniform(0, LATE_S)
        if at_s % STALL_EVERY_S < STALL_S and at_s > STALL_EVERY_S:
            at_s += STALL_S - at_s % STALL_EVERY_S
        times.append(max(at_s, times[-1] if times else 0.0))
    return times


def gaps(sound: Samples) -> list[tuple[float, float]]:
    """Start and length, both in seconds, of each gap between the first and the last sound."""
    loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > QUIET)
    after = np.flatnonzero(np.diff(loud) > GAP_FRAMES)
    return [(float(loud[at] - loud[0]) / RATE_HZ, float(loud[at + 1] - loud[at]) / RATE_HZ) for at in after]


def main() -> None:
    """Measure and print."""
    given = arguments(__doc__, seconds=20, seed=1, options="", peer="")
    seconds, seed = float(given["seconds"]), int(given["seed"])
    rows = []
    with devices_if_any() as devices:
        if devices:
            rows += _rows("bare client, no network", [gaps(_bare(devices, seconds))])
            rows += _rows("chat", [gaps(_heard(devices, seconds, seed, str(given["options"])))])
            if peer := str(given["peer"]):
                rows += _rows("peer", [gaps(_heard(devices, seconds, seed, "", peer))])
    rows += _rows("simulated networks", [gaps(simulated(seconds, seed)) for seed in range(NETWORKS)])
    show(f"Gaps in {seconds:.0f} s of reply", rows)


def _heard(devices: VirtualDevices, seconds: float, seed: int, options: str, peer: str = "") -> Samples:
    """What is recorded of a reply over a bad network, as this program or a ``peer`` plays it."""
    with chatting(devices, *options.split(), peer=peer) as client, Ear(devices) as ear:
        reply, piece = client.begin_reply(), tone(DELTA_MS)
        began_s = time.monotonic()
        for at_s in arrivals(seconds, seed):
            time.sleep(max(0.0, began_s + at_s - time.monotonic()))
            client.talk.send(audio_delta(reply, piece))
        reply.finish()
        time.sleep(1)
        return ear.heard()


def _bare(devices: VirtualDevices, seconds: float) -> Samples:
    """What is recorded of a steady tone that was never anywhere but in memory: the machine's own gaps."""
    import sounddevice

    sound = np.frombuffer(tone(int(seconds * 1000)), "<i2")
    at = 0

    def play(outdata: Any, frames: int, _time: Any, _status: Any) -> None:
        nonlocal at
        piece = sound[at : at + frames]
        outdata[: len(piece), 0] = piece
        outdata[len(piece) :] = 0
        at += frames

    form: dict[str, Any] = {"samplerate": RATE_HZ, "channels": 1, "dtype": "int16", "latency": "low"}
    blocksize = RATE_HZ * CALLBACK_MS["output"] // 1000
    with Ear(devices) as ear, sounddevice.OutputStream(callback=play, blocksize=blocksize, **form):
        time.sleep(seconds + 1)
        return ear.heard()


def simulated(seconds: float, seed: int) -> Samples:
    """What a loudspeaker would play of a reply over one network."""
    playout, piece = Playout(), np.frombuffer(tone(DELTA_MS), "<i2")
    due = arrivals(seconds, seed)
    played = []
    number = 0
    for block in range(int((seconds + 2) * RATE_HZ / PULL_FRAMES)):
        now = block * PULL_FRAMES / RATE_HZ
        while number < len(due) and due[number] <= now:
            playout.push(0, "item", 0, piece, due[number])
            number += 1
            if number == len(due):
                playout.finish(0, "item", 0, now)
        played.append(playout.pull(PULL_FRAMES))
    return np.concatenate(played)


def _rows(name: str, found: list[list[tuple[float, float]]]) -> list[Series]:
    lengths = [length * 1000 for each in found for _, length in each]
    return [
        Series(f"{name}: gaps", "", [len(each) for each in found]),
        Series(f"{name}: gaps after the first", "", [max(0, len(each) - 1) for each in found], goal="0"),
        Series(f"{name}: length of a gap", "ms", lengths),
    ]


if __name__ == "__main__":
    main()
