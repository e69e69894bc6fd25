"""What is sent over a connection, what is kept for the next one, and when a silent one counts as dead."""

from __future__ import annotations

import base64
import json
import threading
from queue import SimpleQueue
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.audio.core.pcm import BLOCK_BYTES, BLOCK_MS, later_part
from realtime_cli.conversation import facts as f
from realtime_cli.protocol.client_events import ClientEvent, InputAudioBufferCommit, ResponseCreate
from realtime_cli.protocol.dialects import Dialect
from realtime_cli.session.clock import SLEPT_S, Clock
from realtime_cli.session.microphone import KEPT_S, Microphone
from realtime_cli.session.sending import MAX_WAITING_BLOCKS, Encoder, SendQueue
from realtime_cli.transport.liveness import Limits, Liveness, Verdict


def block(number: int) -> bytes:
    return number.to_bytes(2, "little") * (BLOCK_BYTES // 2)


def numbers_of(message: str) -> list[int]:
    """Of the blocks in an append, which holds as many as were ready."""
    audio = base64.b64decode(json.loads(message)["audio"])
    return [int.from_bytes(audio[at : at + 2], "little") for at in range(0, len(audio), BLOCK_BYTES)]


def sent_by(queue: SendQueue) -> list[str]:
    """All that waits, as it is sent."""
    sent: list[str] = []
    queue.close()
    queue.run(sent.append, Encoder(Dialect.GA))
    return sent


@given(st.lists(st.booleans(), max_size=60).map(lambda kinds: kinds * 12))
def test_however_slow_the_network_memory_is_bounded_and_the_oldest_speech_goes_first(kinds: list[bool]) -> None:
    queue = SendQueue()
    blocks, events = 0, 0
    for is_block in kinds:
        if is_block:
            queue.put_block(block(blocks))
            blocks += 1
        else:
            queue.put(InputAudioBufferCommit())
            events += 1
    sent = sent_by(queue)
    appends = [message for message in sent if "append" in message]
    numbers = [number for message in appends for number in numbers_of(message)]
    assert numbers == list(range(blocks))[-MAX_WAITING_BLOCKS:]
    assert queue.dropped_blocks == max(0, blocks - MAX_WAITING_BLOCKS)
    assert len(sent) - len(appends) == events


def test_a_recording_waits_for_room_and_stops_with_the_connection() -> None:
    queue = SendQueue()
    stopping = threading.Event()
    for number in range(MAX_WAITING_BLOCKS):
        assert queue.put_recorded(block(number), stopping)
    refused: list[bool] = []
    feeder = threading.Thread(target=lambda: refused.append(queue.put_recorded(block(0), stopping)))
    feeder.start()
    queue.abandon()
    feeder.join()
    assert refused == [False]
    assert sent_by(queue) == []
    assert queue.dropped_blocks == 0


def opened(post: Any = lambda _fact: None, *, cut: bool = False) -> tuple[Microphone, Any]:
    microphone = Microphone(post)
    delivery = microphone.open(cut=cut)
    assert delivery
    return microphone, delivery[0]


def test_speech_in_the_gap_between_two_connections_goes_to_the_second_one() -> None:
    microphone, deliver = opened()
    first, second = SendQueue(), SendQueue()
    microphone.attach(first)
    deliver(block(1))
    microphone.detach()
    deliver(block(2))
    resumed = microphone.attach(second, 60.0)
    deliver(block(3))
    assert [numbers_of(message) for message in sent_by(first)] == [[1]]
    assert [numbers_of(message) for message in sent_by(second)] == [[1, 2, 3]]
    assert resumed == f.MicResumed(0)


def test_only_so_much_of_it_and_nothing_from_before_a_sleep() -> None:
    microphone, deliver = opened()
    many = KEPT_S * 1000 // BLOCK_MS + 50
    for number in range(many):
        deliver(block(number))
    queue = SendQueue()
    resumed = microphone.attach(queue, 600.0)
    assert resumed == f.MicResumed(many * BLOCK_MS - KEPT_S * 1000)
    assert numbers_of(sent_by(queue)[-1])[-1] == many - 1
    microphone.forget()
    deliver(block(7))
    queue = SendQueue()
    assert microphone.attach(queue, 600.0) == f.MicResumed(many * BLOCK_MS)
    assert [numbers_of(message) for message in sent_by(queue)] == [[7]]


def test_without_being_asked_for_it_nothing_is_sent_twice() -> None:
    microphone, deliver = opened()
    deliver(block(1))
    queue = SendQueue()
    assert microphone.attach(queue) == f.MicResumed(BLOCK_MS)
    assert sent_by(queue) == []


def test_pieces_are_cut_anew_on_another_connection() -> None:
    facts: list[f.Fact] = []
    microphone, deliver = opened(facts.append, cut=True)
    microphone.attach(SendQueue())
    for _ in range(100):
        deliver(block(2000))
    queue = SendQueue()
    microphone.attach(queue, 0.0)
    for _ in range(15_000 // BLOCK_MS):
        deliver(block(2000))
    (cut,) = [fact for fact in facts if isinstance(fact, f.Cut)]
    assert (cut.start_ms, cut.end_ms) == (0, 15_000)


@given(st.binary(max_size=400).map(lambda pcm: pcm[: len(pcm) // 2 * 2]), st.integers(1, 40), st.integers(0, 10))
def test_a_recording_goes_on_to_the_frame_where_it_stopped(pcm: bytes, size: int, from_ms: int) -> None:
    blocks = [pcm[at : at + 2 * size] for at in range(0, len(pcm), 2 * size)]
    assert b"".join(later_part(blocks, from_ms)) == pcm[from_ms * 48 :]


LIMITS = Limits(interval_s=10, timeout_s=5, urgent_interval_s=2, urgent_timeout_s=3)


def test_silence_is_asked_about_and_a_silent_answer_is_death() -> None:
    alive = Liveness(LIMITS)
    assert alive.judge(100.0, urgent=True) is Verdict.ALIVE
    alive.heard(100.0)
    assert alive.judge(101.9, urgent=True) is Verdict.ALIVE
    assert alive.judge(102.0, urgent=False) is Verdict.ALIVE
    assert alive.judge(102.0, urgent=True) is Verdict.ASK
    alive.ask(102.0, lambda: True)
    assert alive.judge(104.9, urgent=True) is Verdict.ALIVE
    assert alive.judge(105.0, urgent=True) is Verdict.DEAD
    assert alive.judge(105.0, urgent=False) is Verdict.ALIVE
    alive.heard(105.0)
    assert alive.judge(106.0, urgent=True) is Verdict.ALIVE
    assert alive.silent_s(107.5) == 2.5


def test_an_answer_that_comes_at_once_and_a_question_that_cannot_be_sent_leave_nothing_to_wait_for() -> None:
    def answered() -> bool:
        alive.heard(102.0)
        return True

    for ping in (answered, lambda: False):
        alive = Liveness(LIMITS)
        alive.heard(100.0)
        alive.ask(102.0, ping)
        assert alive.judge(106.0, urgent=True) is Verdict.ASK


def test_a_message_that_does_not_go_out_is_a_sign_of_death_too() -> None:
    alive = Liveness(LIMITS)
    alive.heard(100.0)
    alive.sending(100.5)
    assert alive.judge(103.5, urgent=True) is Verdict.DEAD
    alive.sending(None)
    assert alive.judge(101.0, urgent=True) is Verdict.ALIVE


def test_what_was_unanswered_before_a_sleep_says_nothing_but_is_asked_again_at_once() -> None:
    alive = Liveness(LIMITS)
    alive.heard(100.0)
    alive.ask(110.0, lambda: True)
    alive.woke()
    assert alive.judge(300.0, urgent=False) is Verdict.ASK
    alive.ask(300.0, lambda: True)
    assert alive.judge(304.9, urgent=False) is Verdict.ALIVE
    assert alive.judge(305.0, urgent=False) is Verdict.DEAD


def test_all_limits_shrink_together() -> None:
    small = Limits.of(0.15)
    assert small.interval_s == pytest.approx(0.15)
    assert small.urgent_interval_s == pytest.approx(0.02)


class Hands:
    """Two clocks that a test turns."""

    def __init__(self) -> None:
        self.ran = self.wall = 1000.0
        self.clock = Clock(lambda: self.ran, lambda: self.wall)

    def turn(self, ran: float, wall: float | None = None) -> float:
        self.ran += ran
        self.wall += ran if wall is None else wall
        return self.clock.slept_s()


def test_the_cores_clock_leaves_sleeps_out() -> None:
    hands = Hands()
    began = hands.clock.now()
    assert hands.turn(0.5) == 0.0
    assert hands.turn(120.0) == 120.0  # stopped: its own clock went on
    assert hands.turn(0.5) == 0.0
    assert hands.turn(0.2, wall=3600.0) == 3600.0  # suspended: its own clock stood still
    assert hands.turn(SLEPT_S - 0.1) == 0.0
    assert hands.turn(0.1, wall=-500.0) == 0.0  # the wall clock was put back
    assert hands.clock.now() - began == pytest.approx(0.5 + 0.5 + 0.2 + SLEPT_S - 0.1 + 0.1)


def test_a_silence_that_lasts_goes_out_in_larger_pieces_and_what_follows_it_at_once() -> None:
    microphone, deliver = opened()
    queue = SendQueue()
    microphone.attach(queue)
    sent: SimpleQueue[str] = SimpleQueue()
    sender = threading.Thread(target=lambda: queue.run(sent.put, Encoder(Dialect.GA)))
    sender.start()
    for number in (*range(8), 1000):
        deliver(block(number))
    assert numbers_of(sent.get()) == [0, 1, 2, 3, 4]
    rest: list[int] = []
    # In how many pieces depends on how much has come when the first one is taken.
    while rest[-1:] != [1000]:
        rest += numbers_of(sent.get())
    assert rest == [5, 6, 7, 1000]
    deliver(block(1))  # within a sentence nothing waits
    assert numbers_of(sent.get()) == [1]
    queue.put_block(block(2), may_wait=True)
    queue.put(InputAudioBufferCommit())
    assert numbers_of(sent.get()) == [2]
    assert "commit" in sent.get()
    queue.put_block(block(3), may_wait=True)
    queue.close()
    sender.join()
    assert numbers_of(sent.get()) == [3]


def test_events_keep_their_place_among_the_audio() -> None:
    queue = SendQueue()
    events: list[ClientEvent | bytes] = [block(1), InputAudioBufferCommit(), ResponseCreate(), block(2)]
    for each in events:
        queue.put_block(each) if isinstance(each, bytes) else queue.put(each)
    kinds = [message.split('"')[3] for message in sent_by(queue)]
    assert kinds == [
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "response.create",
        "input_audio_buffer.append",
    ]
