"""When a lost connection is tried again."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.conversation.reconnection import FIRST_PAUSE_S, LONGEST_PAUSE_S, STABLE_S, Reconnection, pauses

seeds = st.integers(0, 2**31)


@given(seeds)
def test_pauses_grow_to_a_limit_and_no_two_clients_share_them(seed: int) -> None:
    first = list(islice(pauses(seed), 12))
    assert all(FIRST_PAUSE_S / 2 <= pause <= LONGEST_PAUSE_S for pause in first)
    assert first[0] <= FIRST_PAUSE_S
    assert first[-1] >= LONGEST_PAUSE_S / 2
    assert first == list(islice(pauses(seed), 12))
    assert first != list(islice(pauses(seed + 1), 12))


@given(seeds, st.floats(0, 300), st.lists(st.floats(0, 20), max_size=40))
def test_it_is_given_up_within_its_bound(seed: int, bound_s: float, times_s: list[float]) -> None:
    again = Reconnection(bound_s, seed)
    now = lost_at = 100.0
    for took_s in [*times_s, 1000.0, 1000.0]:
        if not again.lose(now):
            break
        assert again.due is not None
        assert now < again.due <= lost_at + bound_s
        now = again.due
        again.begin_try()
        now += took_s
    else:
        raise AssertionError("it never gave up")
    assert now >= lost_at


def test_nothing_is_tried_where_nothing_is_to_be_tried() -> None:
    again = Reconnection(0.0, 1)
    assert not again.lose(5.0)


def test_a_connection_that_breaks_at_once_does_not_begin_the_pauses_anew() -> None:
    again = Reconnection(60.0, 1)
    now, waits = 0.0, []
    for _ in range(4):
        assert again.lose(now)
        assert again.due is not None
        waits.append(again.due - now)
        now = again.due
        again.begin_try()
        again.restore(now)
        now += STABLE_S / 2
    assert waits == pytest.approx(list(islice(pauses(1), 4)))
    assert again.lose(now + STABLE_S)
    assert again.due == now + STABLE_S + waits[0]
