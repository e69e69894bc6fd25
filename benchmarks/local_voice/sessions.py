"""How many spoken conversations the server holds at once, in a process of its own, and its memory.

All clients ask at the same moment, each another question, at the pace of speech: the worst that can happen to them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from benchmarks.cost import resident_mb
from benchmarks.figures import Series, show
from benchmarks.local_voice.clips import Clip, Samples, in_a_room
from realtime_cli.audio.core.pcm import BLOCK_FRAMES, BLOCK_MS, RATE_HZ
from realtime_cli.protocol.dialects import append_message
from tests.serving import Client
from tests.waiting import PATIENCE_S

TURNS = 3
ALWAYS, FURTHER = (1, 2, 4), (6, 8)
"""Sessions at once: the latter only while all are answered in time."""

AIM_MS = 1500
SILENCE_BLOCKS = 60
"""After the question: longer than the server's voice detection waits."""


def measure(said: Sequence[Clip]) -> None:
    """Ask more and more at once until one of them waits too long, and print."""
    rows: list[Series] = []
    held, late = 0, False
    for sessions in ALWAYS + FURTHER:
        if late and sessions not in ALWAYS:
            break
        waits, (before, after) = _spoken(sessions, said)
        rows.append(Series(f"{sessions} at once: end of speech to first audio", "ms", waits, goal=f"< {AIM_MS}"))
        rows.append(Series(f"{sessions} at once: memory of the server, before and after", "MB", [before, after]))
        late = late or max(waits) >= AIM_MS
        held = held if late else sessions
    show(f"Spoken conversations at once: {held} held with every first audio within {AIM_MS} ms", rows)


def _spoken(sessions: int, said: Sequence[Clip]) -> tuple[list[float], tuple[float, float]]:
    """Several clients speak at once: their waits in ms, and the memory in MB."""
    with _program() as (url, pid):
        before = resident_mb(pid)
        waits: list[float] = []
        together = threading.Barrier(sessions)
        turns = min(TURNS, len(said) // sessions)
        clients = [
            threading.Thread(target=_ask, args=(url, said[number::sessions][:turns], together, waits))
            for number in range(sessions)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        return waits, (before, resident_mb(pid))


@contextmanager
def _program() -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "realtime_cli", "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["websocket_url"], process.pid
        process.terminate()


def _ask(url: str, said: Sequence[Clip], together: threading.Barrier, waits: list[float]) -> None:
    """Turns of one conversation; all clients end their questions at the same moment."""
    client = Client(f"{url}?model=x", check=lambda _event: None)
    longest = max(len(clip.sound) for clip in said)
    for clip in said:
        together.wait(PATIENCE_S)
        pcm = np.concatenate([np.zeros(longest - len(clip.sound), np.int16), clip.sound])
        ended = time.perf_counter() + len(pcm) / RATE_HZ
        speaker = threading.Thread(target=_speak, args=(client, pcm))
        speaker.start()
        client.until("response.output_audio.delta")
        waits.append((time.perf_counter() - ended) * 1000)
        client.until("response.done")
        speaker.join()
    client.close()


def _speak(client: Client, pcm: Samples) -> None:
    """Deliver it and the silence after it, as a microphone does."""
    begun = time.perf_counter()
    sound = in_a_room(np.concatenate([pcm, np.zeros(SILENCE_BLOCKS * BLOCK_FRAMES, np.int16)]))
    for number, at in enumerate(range(0, len(sound), BLOCK_FRAMES), 1):
        time.sleep(max(0.0, begun + number * BLOCK_MS / 1000 - time.perf_counter()))
        client.socket.send(append_message(sound[at : at + BLOCK_FRAMES].tobytes()))
