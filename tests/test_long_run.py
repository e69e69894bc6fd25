"""A conversation that loses its connection again and again: threads, descriptors and memory stay what they were."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from tests.scripted_server import ScriptedServer
from tests.scripted_talk import Talk
from tests.test_reconnecting import SILENT, chat
from tests.waiting import PATIENCE_S

if not sys.platform.startswith("linux"):
    pytest.skip("reads /proc", allow_module_level=True)

LOSSES = 4


def held(pid: int) -> tuple[int, int]:
    """How many threads and descriptors the program has."""
    process = Path("/proc") / str(pid)
    return len(list((process / "task").iterdir())), len(list((process / "fd").iterdir()))


def resident_kb(pid: int) -> int:
    status = (Path("/proc") / str(pid) / "status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def test_lost_connections_leave_no_thread_no_descriptor_and_no_memory_behind() -> None:
    breaking = threading.Semaphore(0)

    def lasts_until_told(talk: Talk) -> None:
        talk.greet()
        talk.obey_until("response.create")
        talk.reply("Yes.", audio_ms=100)
        assert breaking.acquire(timeout=PATIENCE_S)
        talk.close(1012)

    with ScriptedServer(lasts_until_told) as server, chat(server.url, *SILENT) as running:
        pid = running.process.pid
        counts: list[tuple[int, int]] = []
        resident: list[int] = []
        for number in range(LOSSES):
            running.tell(type="say", text=f"Turn {number}?")
            running.until("assistant", text="Yes.")
            counts.append(held(pid))
            resident.append(resident_kb(pid))
            breaking.release()
            running.until("connection", state="restored")
        breaking.release()
        running.tell(type="quit")
        running.until("end")
    # The threads of the connection before may be about to end, so that some are counted a moment too long.
    threads, descriptors = zip(*counts, strict=True)
    assert max(threads) <= threads[0] + 2
    assert max(descriptors) <= descriptors[0] + 2
    assert resident[-1] < resident[1] + 4096
