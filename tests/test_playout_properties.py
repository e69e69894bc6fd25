"""The jitter buffer under any order of pushes, pulls, pauses and flushes: no frame is lost, doubled or made up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_cli.audio.core import playout as module
from realtime_cli.audio.core.playout import Played, Playout

PUSH, FINISH, PULL, PAUSE, RESUME, FLUSH, PROGRESS = "push", "finish", "pull", "pause", "resume", "flush", "progress"

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just(PUSH), st.integers(1, 4000)),
        st.tuples(st.just(PULL), st.integers(1, 3000)),
        st.tuples(st.sampled_from([FINISH, PAUSE, RESUME, FLUSH, PROGRESS]), st.just(0)),
    ),
    max_size=60,
)


class Listener:
    """Does what it is told with a playout, and keeps count of all that went in, came out and was reported."""

    def __init__(self) -> None:
        self.playout = Playout()
        self.pushed: list[list[int]] = [[]]
        self.heard: list[list[int]] = [[]]
        self.reported: dict[str, Played] = {}
        self.item = 0
        self.held = False
        self._next = 1
        self._now = 0.0

    def do(self, step: str, size: int) -> None:
        """One step; each takes 10 ms of the clock."""
        self._now += 0.01
        epoch = self.playout.epoch
        if step == PUSH:
            samples = np.arange(self._next, self._next + size) % 32_000 + 1
            self._next += size
            self.pushed[-1] += samples.tolist()
            self.playout.push(epoch, str(self.item), 0, samples.astype(np.int16), self._now)
        elif step == FINISH:
            self.playout.finish(epoch, str(self.item), 0, self._now)
            self.item += 1
        elif step == PULL:
            out = self.playout.pull(size)
            assert len(out) == size
            if self.held:
                assert not out[module.PAUSE_FADE_FRAMES + module.FADE_FRAMES :].any()
            self.heard[-1] += out[out != 0].tolist()
        elif step == PAUSE:
            self.playout.pause()
            self.held = True
        elif step == RESUME:
            self.playout.resume()
            self.held = False
        elif step == FLUSH:
            self._report(self.playout.flush())
            self.pushed.append([])
            self.heard.append([])
            self.item += 1
            self.held = False
        else:
            self._report(self.playout.progress())

    def _report(self, parts: tuple[Played, ...]) -> None:
        for part in parts:
            before = self.reported.get(part.item_id)
            assert 0 <= part.heard_frames <= part.received_frames
            if before:
                assert not before.finished
                assert before.heard_frames <= part.heard_frames
            if part.finished:
                assert part.heard_frames == part.received_frames
            self.reported[part.item_id] = part


@pytest.fixture
def without_fades(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So that what comes out is, sample by sample, what went in."""
    with monkeypatch.context() as patch:
        patch.setattr(module, "FADE_FRAMES", 0)
        patch.setattr(module, "PAUSE_FADE_FRAMES", 0)
        yield


@settings(max_examples=300)
@given(steps=STEPS)
def _every_frame_is_pulled_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    listener = Listener()
    for step, size in steps:
        listener.do(step, size)
    for pushed, heard in zip(listener.pushed, listener.heard, strict=True):
        assert heard == pushed[: len(heard)]
    if listener.held:
        listener.do(RESUME, 0)
    listener.do(FINISH, 0)
    while listener.playout.pending():
        listener.do(PULL, 1000)
    assert listener.heard[-1] == listener.pushed[-1]


def test_every_frame_is_pulled_once_and_in_order_whatever_is_held_and_resumed(without_fades: None) -> None:
    _every_frame_is_pulled_once_and_in_order()


@settings(max_examples=300)
@given(steps=STEPS)
def test_what_was_heard_is_never_more_than_was_received_and_never_taken_back(steps: list[tuple[str, int]]) -> None:
    listener = Listener()
    for step, size in steps:
        listener.do(step, size)
    listener.do(FLUSH, 0)


@settings(max_examples=100)
@given(steps=STEPS, pulls=st.lists(st.integers(1, 5000), max_size=6))
def test_a_hold_keeps_the_place_however_long_it_lasts(steps: list[tuple[str, int]], pulls: list[int]) -> None:
    listener = Listener()
    for step, size in steps:
        listener.do(step, size)
    listener.playout.pause()
    paused = listener.playout.progress()
    for size in pulls:
        listener.playout.pull(size)
    listener.playout.push(listener.playout.epoch, "later", 0, np.ones(100, np.int16), 100.0)
    still = listener.playout.progress()
    if paused and not paused[-1].finished:
        assert (still[-1].item_id, still[-1].heard_frames) == (paused[-1].item_id, paused[-1].heard_frames)
    flushed = {part.item_id: part.heard_frames for part in listener.playout.flush()}
    assert flushed.get("later", 0) == 0
