"""Audio that came long before it can be heard."""

from __future__ import annotations

import base64
import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.audio.core.pcm import RATE_HZ
from realtime_cli.conversation.effects import EndOfAudio, Play
from realtime_cli.session import workers
from realtime_cli.session.spill import Piece, Spill
from realtime_cli.session.workers import MAX_QUEUED_FRAMES, Player
from tests.waiting import wait_until

BURST_S = 1200


@given(st.lists(st.one_of(st.none(), st.binary(max_size=20), st.just("take"))))
def test_what_is_spilled_comes_back_in_order(steps: list[Any]) -> None:
    spill = Spill()
    kept: list[Piece] = []
    for number, step in enumerate(steps):
        if step == "take":
            assert spill.take(1) == (kept.pop(0) if kept else None)
        else:
            kept.append(Piece(1, f"item {number}", 0, step, float(number)))
            spill.put(kept[-1])
    while kept:
        assert spill.take(1) == kept.pop(0)
    assert len(spill) == 0
    spill.close()


def test_what_an_interruption_made_worthless_is_passed_over() -> None:
    spill = Spill()
    for epoch in (1, 1, 2):
        spill.put(Piece(epoch, "a", 0, bytes([epoch]) * 4, 0.0))
    taken = spill.take(2)
    assert taken is not None
    assert taken.pcm == b"\2\2\2\2"
    assert spill.take(2) is None
    spill.close()


class Playing:
    """A player whose thread runs while the ``with`` block lasts."""

    def __init__(self) -> None:
        self.player = Player()
        self._thread = threading.Thread(target=self.player.run)

    def __enter__(self) -> Player:
        self._thread.start()
        return self.player

    def __exit__(self, *_: object) -> None:
        self.player.close()
        self._thread.join()


def second(number: int) -> str:
    return base64.b64encode(np.full(RATE_HZ, number, "<i2").tobytes()).decode()


def test_a_long_burst_is_heard_to_the_end_and_in_bounded_memory() -> None:
    tracemalloc.start()
    heard: list[int] = []
    with Playing() as player:
        for number in range(1, BURST_S + 1):
            player.put(Play("a", 0, second(number)))
            wait_until(lambda: player.undecoded < 4 << 20)
        player.put(EndOfAudio("a", 0))
        wait_until(lambda: not player.undecoded)
        waiting, _ = tracemalloc.get_traced_memory()
        while len(heard) < BURST_S:
            wait_until(lambda: player.playout.pending() >= RATE_HZ)
            samples = player.playout.pull(RATE_HZ)
            assert samples[0] == samples[-1]
            heard.append(int(samples[0]))
    tracemalloc.stop()
    assert heard == list(range(1, BURST_S + 1))
    assert waiting < 16 << 20
    assert player.playout.progress()[0].heard_frames == BURST_S * RATE_HZ


def test_an_interruption_of_such_a_burst_is_silent_at_once_and_what_comes_next_is_heard() -> None:
    with Playing() as player:
        for number in range(1, 200):
            player.put(Play("a", 0, second(number)))
        wait_until(lambda: player.playout.queued() >= MAX_QUEUED_FRAMES)
        assert player.playout.pull(RATE_HZ)[0] == 1
        (played,) = player.playout.flush()
        assert played.heard_frames < 2 * RATE_HZ
        player.put(Play("b", 0, second(777)))
        player.put(EndOfAudio("b", 0))
        player.playout.pull(RATE_HZ // 10)
        got = player.playout.pull(RATE_HZ // 100)
        while not got.any():
            got = player.playout.pull(RATE_HZ // 100)
        assert set(got[got != 0]) == {777}


def test_with_a_full_disk_it_is_heard_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workers.Spill, "put", full)
    with Playing() as player:
        for number in range(1, 100):
            player.put(Play("a", 0, second(number)))
        player.put(EndOfAudio("a", 0))
        wait_until(lambda: player.playout.queued() == 99 * RATE_HZ)
        assert [int(player.playout.pull(RATE_HZ)[-1]) for _ in range(99)] == list(range(1, 100))
