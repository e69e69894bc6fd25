"""How long sound is on its way through ``chat``, beside a bare client on the same (virtual) devices.

The floor is what the devices and this measurement take by themselves: a few lines of sounddevice with
``blocksize=0, latency="low"`` in place of the program. Both are measured with the same ends, one after the other, and
twice, so that a machine that gets busier in between shows.
"""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from benchmarks.client import audio_delta, chatting
from benchmarks.figures import Series, arguments, show
from benchmarks.sound import LOUD, RATE_HZ, Ear, Mouth, devices_if_any
from tests.scripted_reply import tone
from tests.virtual_devices import VirtualDevices

PAUSE_S = 0.25
"""Between two measurements: longer than any echo of the one before. Varied, to meet blocks at all their phases."""

NEVER_S = 3.0

Figures = dict[str, list[float]]


def main() -> None:
    """Measure and print."""
    given = arguments(__doc__, rounds=20, options="", peer="")
    rounds, options, peer = int(given["rounds"]), str(given["options"]).split(), str(given["peer"])
    clients = [("bare ", _bare), ("", _program), *([("peer ", partial(_program, peer=peer))] if peer else [])]
    with devices_if_any() as devices:
        if devices is None:
            return
        figures: Figures = {}
        for _ in range(2):
            for of, measure in clients:
                for name, values in measure(devices, rounds // 2, options).items():
                    figures.setdefault(f"{of}{name}", []).extend(values)
        figures["wire to playout buffer"] = _to_playout(devices, 2 * rounds, options)
    _show(figures)


def _show(figures: Figures) -> None:
    rows = []
    goals = {
        "microphone to wire": "+22, better +10",
        "wire to speaker": "+22",
        "barge-in to silence": "+22",
    }
    for name, goal in goals.items():
        floor = Series(f"{name}: bare client", "ms", figures[f"bare {name}"])
        rows += [floor, Series(f"{name}: chat", "ms", figures[name], floor, goal=goal)]
        if f"peer {name}" in figures:
            rows.append(Series(f"{name}: peer", "ms", figures[f"peer {name}"], floor))
    rows.append(Series("wire to playout buffer: chat", "ms", figures["wire to playout buffer"], goal="under 2"))
    show("Latency", rows)


def _bare(devices: VirtualDevices, rounds: int, _options: list[str]) -> Figures:
    """The devices themselves."""
    import sounddevice

    clicks: SimpleQueue[float] = SimpleQueue()
    sound = np.frombuffer(tone(100), np.int16)
    queued: SimpleQueue[bool] = SimpleQueue()
    playing: list[np.ndarray[Any, Any]] = []

    def capture(indata: Any, _frames: int, _time: Any, _status: Any) -> None:
        if np.abs(indata.astype(np.int32)).max(initial=0) > LOUD:
            clicks.put(time.monotonic())

    def play(outdata: Any, frames: int, _time: Any, _status: Any) -> None:
        outdata[:] = 0
        while not queued.empty():
            playing[:] = [sound] * 20 if queued.get() else []
        at = 0
        while playing and at < frames:
            count = min(len(playing[0]), frames - at)
            outdata[at : at + count, 0] = playing[0][:count]
            playing[0] = playing[0][count:]
            at += count
            if not len(playing[0]):
                playing.pop(0)

    form: dict[str, Any] = {"samplerate": RATE_HZ, "channels": 1, "dtype": "int16", "blocksize": 0, "latency": "low"}
    with sounddevice.InputStream(callback=capture, **form), Mouth() as mouth:
        spoken = _clicks(mouth, clicks, rounds)

    def begin() -> float:
        queued.put(True)
        return time.monotonic()

    def stop() -> float:
        queued.put(False)
        return time.monotonic()

    with sounddevice.OutputStream(callback=play, **form), Ear(devices) as ear:
        heard, silent = _sounds(ear, rounds, begin, stop)
    return {"microphone to wire": spoken, "wire to speaker": heard, "barge-in to silence": silent}


def _program(devices: VirtualDevices, rounds: int, options: list[str], peer: str = "") -> Figures:
    """The same through the program, or the ``peer`` in its place."""
    clicks: SimpleQueue[float] = SimpleQueue()
    sound = tone(2000)

    def hear(append: dict[str, Any]) -> None:
        if np.abs(np.frombuffer(base64.b64decode(append["audio"]), "<i2").astype(np.int32)).max() > LOUD:
            clicks.put(time.monotonic())

    with chatting(devices, *options, hear=hear, peer=peer) as client:
        with Mouth() as mouth:
            spoken = _clicks(mouth, clicks, rounds)

        reply: Any = None

        def begin() -> float:
            nonlocal reply
            reply = client.begin_reply()
            delta = audio_delta(reply, sound)
            time.sleep(0.05)
            began_s = time.monotonic()
            client.talk.send(delta)
            return began_s

        def stop() -> float:
            return client.interrupt(reply)

        with Ear(devices) as ear:
            heard, silent = _sounds(ear, rounds, begin, stop)
    return {"microphone to wire": spoken, "wire to speaker": heard, "barge-in to silence": silent}


def _to_playout(devices: VirtualDevices, rounds: int, options: list[str]) -> list[float]:
    """From a delta's departure at the server to the playout buffer of the program, milliseconds each."""
    piece = tone(100)
    took_ms = []
    with chatting(devices, *options, module="benchmarks.probe", output=subprocess.PIPE) as client:
        pushes: Any = client.process.stderr
        reply = client.begin_reply()
        for _ in range(rounds):
            delta = audio_delta(reply, piece)
            sent_s = time.monotonic()
            client.talk.send(delta)
            took_ms.append((_next_time(pushes) - sent_s) * 1000)
            time.sleep(0.1)
    return took_ms


def _next_time(lines: Any) -> float:
    for line in lines:
        try:
            return float(line)
        except ValueError:
            continue
    raise AssertionError("the program ended")


def _clicks(mouth: Mouth, arrivals: SimpleQueue[float], rounds: int) -> list[float]:
    """From each click to its arrival, milliseconds; a click that got lost is left out."""
    took_ms = []
    time.sleep(1)
    for number in range(rounds):
        while not arrivals.empty():
            arrivals.get()
        began_s = mouth.click()
        try:
            took_ms.append((arrivals.get(timeout=NEVER_S) - began_s) * 1000)
        except Empty:
            continue
        time.sleep(PAUSE_S + number * 0.0037)
    return took_ms


def _sounds(
    ear: Ear, rounds: int, begin: Callable[[], float], stop: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """From each order to sound, and from each order to be silent to silence, milliseconds."""
    heard_ms, silent_ms = [], []
    time.sleep(1)
    for number in range(rounds):
        began_s = begin()
        onset_s = ear.onset(began_s, NEVER_S)
        time.sleep(PAUSE_S + number * 0.0037)
        stopped_s = stop()
        time.sleep(2 * PAUSE_S)
        last_s = ear.last_loud(stopped_s)
        if onset_s is not None:
            heard_ms.append((onset_s - began_s) * 1000)
            silent_ms.append(((last_s or stopped_s) - stopped_s) * 1000)
        ear.forget()
    return heard_ms, silent_ms


if __name__ == "__main__":
    main()
