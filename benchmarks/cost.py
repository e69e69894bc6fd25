"""What ``chat`` costs: processor time in seconds a minute, and resident memory, from /proc of the running program.

While it listens (an idle server, both devices open) and while it plays a reply, without an echo and with one, on
virtual devices. The floor is a bare client (:mod:`benchmarks.bare_client`) that does the same. Each runs alone: clients
of one sound server share its wake-ups. A process's own time, but a busy machine lengthens it: what counts is the
comparison.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.client import Client, audio_delta, chatting
from benchmarks.figures import Series, arguments, show
from benchmarks.sound import devices_if_any
from tests.running import environment
from tests.scripted_reply import tone
from tests.virtual_devices import VirtualDevices

ROUNDS = 2
"""All are measured by turns, so that what else the machine does meets all alike."""

SETTLING_S = 2.0

DEVICES = """
import sounddevice, sys
form = dict(samplerate=24000, channels=1, dtype="int16", blocksize=120, latency="low")
def capture(indata, frames, time, status): bytes(indata)
def play(outdata, frames, time, status): outdata[:] = bytes(len(outdata))
with sounddevice.RawInputStream(callback=capture, **form), sounddevice.RawOutputStream(callback=play, **form):
    sys.stdin.read()
"""

IMPORTS = "import sys, websocket, sounddevice, numpy; sys.stdin.read()"

DELTA_MS = 200

ECHO = (-12.0, 80)
"""Its gain in dB and its delay in ms: a laptop's loudspeaker."""

BARE = f"{sys.executable} -m benchmarks.bare_client"


def main() -> None:
    """Measure and print."""
    given = arguments(__doc__, seconds=20, options="", peer="")
    options, peer = str(given["options"]).split(), str(given["peer"])
    with devices_if_any() as devices:
        if devices is None:
            return
        subjects = {
            "imports alone": partial(_bare, devices, IMPORTS),
            "devices alone, 5 ms blocks": partial(_bare, devices, DEVICES),
            "bare client listens": partial(_listening, devices, [], BARE),
            "bare client plays": partial(_playing, devices, [], BARE),
            "chat listens": partial(_listening, devices, options),
            "chat plays": partial(_playing, devices, options),
            "chat plays, with its echo": partial(_playing, devices, options, echo=True),
        }
        if peer:
            subjects |= {
                "peer listens": partial(_listening, devices, [], peer),
                "peer plays": partial(_playing, devices, [], peer),
            }
        costs = {name: Cost() for name in subjects}
        for _ in range(ROUNDS):
            for name, subject in subjects.items():
                with subject() as pid:
                    time.sleep(SETTLING_S)
                    costs[name].measure(pid, float(given["seconds"]) / ROUNDS)
    _show(costs)


class Cost:
    """What was seen of a process that ran more than once."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        """Of the processor a minute."""
        self.megabytes: list[float] = []

    def measure(self, pid: int, seconds: float) -> None:
        """Watch it for a while. Blocks."""
        began_s, began = time.monotonic(), _cpu_s(pid)
        time.sleep(seconds)
        self.seconds.append((_cpu_s(pid) - began) / (time.monotonic() - began_s) * 60)
        self.megabytes.append(resident_mb(pid))


def _cpu_s(pid: int) -> float:
    """Of all its threads that run; to the nanosecond, where /proc/PID/stat counts in hundredths of a second."""
    return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def resident_mb(pid: int) -> float:
    """What it keeps in memory, all threads together."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


@contextlib.contextmanager
def _bare(devices: VirtualDevices, code: str) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(**devices.environment),
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.communicate(b"")


@contextlib.contextmanager
def _listening(devices: VirtualDevices, options: list[str], peer: str = "") -> Iterator[int]:
    with chatting(devices, *options, peer=peer) as client:
        yield client.process.pid


@contextlib.contextmanager
def _playing(devices: VirtualDevices, options: list[str], peer: str = "", *, echo: bool = False) -> Iterator[int]:
    """One reply that goes on, with words and sound at the pace of speech, a second ahead of the loudspeaker."""
    stopping = threading.Event()
    sound = tone(DELTA_MS)

    def reply(client: Client) -> None:
        spoken = client.begin_reply()
        due_s = time.monotonic() - 1
        while not stopping.wait(max(0.0, due_s - time.monotonic())):
            spoken.say("word")
            client.talk.send(audio_delta(spoken, sound))
            due_s += DELTA_MS / 1000

    room = devices.echo(*ECHO) if echo else contextlib.nullcontext()
    with room, chatting(devices, *options, peer=peer) as client:
        thread = threading.Thread(target=reply, args=(client,))
        thread.start()
        try:
            yield client.process.pid
        finally:
            stopping.set()
            thread.join()


def _show(costs: dict[str, Cost]) -> None:
    rows = []
    goals = {("chat listens", "s a minute"): "0.67 x", ("chat plays", "s a minute"): "1.00 x"}
    for unit, of in (("s a minute", "seconds"), ("MB", "megabytes")):
        series = {name: Series(name, unit, getattr(cost, of)) for name, cost in costs.items()}
        for name, row in series.items():
            what = "listens" if "listens" in name else "plays"
            floor = series[f"bare client {what}"] if name.startswith(("chat", "peer")) else None
            rows.append(Series(name, unit, row.values, floor, ratio=True, goal=goals.get((name, unit), "")))
    show("Cost", rows)


if __name__ == "__main__":
    main()
