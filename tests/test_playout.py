"""The jitter buffer: what is played, what counts as heard, and when it waits."""

from __future__ import annotations

import numpy as np

from realtime_cli.audio.core.pcm import ms_to_frames
from realtime_cli.audio.core.playout import FADE_FRAMES, PAUSE_FADE_FRAMES, Playout


def tone(frames: int, level: int = 1000) -> np.ndarray:
    return np.full(frames, level, np.int16)


def test_a_pull_gives_exactly_what_was_pushed_and_then_silence() -> None:
    playout = Playout()
    playout.push(0, "a", 0, tone(300), now=0.0)
    playout.finish(0, "a", 0, now=0.0)
    out = np.concatenate([playout.pull(128) for _ in range(4)])
    assert out.tolist() == [1000] * 300 + [0] * 212


def test_progress_tells_to_the_frame_what_was_heard_and_a_finished_part_once() -> None:
    playout = Playout()
    playout.push(0, "a", 0, tone(300), now=0.0)
    playout.pull(100)
    assert [(p.item_id, p.heard_frames, p.finished) for p in playout.progress()] == [("a", 100, False)]
    playout.finish(0, "a", 0, now=0.0)
    playout.pull(400)
    assert [(p.item_id, p.heard_frames, p.finished) for p in playout.progress()] == [("a", 300, True)]
    assert playout.progress() == ()


def test_a_flush_says_what_was_heard_with_its_fade_and_forgets_the_rest() -> None:
    playout = Playout()
    playout.push(0, "a", 0, tone(5000), now=0.0)
    playout.push(0, "b", 0, tone(700), now=0.0)
    playout.pull(1000)
    heard = playout.flush()
    assert [(p.item_id, p.heard_frames, p.received_frames) for p in heard] == [
        ("a", 1000 + FADE_FRAMES, 5000),
        ("b", 0, 700),
    ]
    after = playout.pull(1000)
    assert np.count_nonzero(after[FADE_FRAMES:]) == 0
    assert np.all(np.diff(after[:FADE_FRAMES].astype(int)) <= 0)
    assert after[0] == 1000
    assert playout.pending() == 0


def test_a_flush_never_claims_more_than_was_received() -> None:
    playout = Playout()
    playout.push(0, "a", 0, tone(110), now=0.0)
    playout.pull(100)
    (part,) = playout.flush()
    assert part.heard_frames == 110


def test_audio_of_before_a_flush_that_comes_after_it_is_dropped() -> None:
    playout = Playout()
    playout.push(0, "a", 0, tone(100), now=0.0)
    playout.flush()
    playout.push(0, "a", 0, tone(100), now=0.0)
    playout.finish(0, "a", 0, now=0.0)
    assert playout.pending() == 0
    playout.push(playout.epoch, "b", 0, tone(100, 7), now=0.0)
    assert playout.pull(100).tolist() == [7] * 100


def test_a_burst_starts_at_once() -> None:
    playout = Playout()
    playout.push(0, "a", 0, tone(480), now=10.0)
    assert np.count_nonzero(playout.pull(480)) == 480


def test_a_reply_that_runs_dry_is_counted_and_glides_to_silence() -> None:
    playout = Playout()
    playout.push(0, "a", 0, tone(480), now=0.0)
    out = playout.pull(480 + 2 * FADE_FRAMES)
    glide = out[480 : 480 + FADE_FRAMES].astype(int)
    assert playout.underruns == 1
    assert glide[0] == 1000
    assert np.all(np.diff(glide) <= 0)
    assert np.count_nonzero(out[480 + FADE_FRAMES :]) == 0


def test_after_running_dry_it_waits_for_300_ms_of_audio_and_fades_in() -> None:
    playout = Playout()
    playout.push(0, "a", 0, tone(480), now=0.0)
    playout.pull(960)
    playout.push(0, "a", 0, tone(ms_to_frames(300)), now=0.120)  # 100 ms late
    assert np.count_nonzero(playout.pull(480)) == 0
    playout.push(0, "a", 0, tone(1), now=0.120)
    resumed = playout.pull(480)
    assert resumed[0] == 0
    assert resumed[-1] == 1000
    assert playout.underruns == 1


def test_a_reply_that_ran_dry_at_its_very_end_does_not_hold_the_next_one_back() -> None:
    playout = Playout()
    playout.push(0, "a", 0, tone(480), now=0.0)
    playout.pull(960)
    playout.finish(0, "a", 0, now=0.040)
    playout.push(0, "b", 0, tone(480), now=1.0)
    assert np.count_nonzero(playout.pull(480)) == 480


def test_the_end_of_a_reply_is_never_held_back() -> None:
    playout = Playout()
    playout.push(0, "a", 0, tone(480), now=0.0)
    playout.pull(960)
    playout.push(0, "a", 0, tone(480), now=0.250)
    playout.finish(0, "a", 0, now=0.250)
    assert np.count_nonzero(playout.pull(480)) == 479  # the first frame of the fade-in is zero


def test_a_network_that_was_late_makes_the_next_reply_wait_at_most_300_ms() -> None:
    playout = Playout()
    playout.push(0, "a", 0, tone(480), now=0.0)
    playout.push(0, "a", 0, tone(480), now=2.0)
    playout.finish(0, "a", 0, now=2.0)
    playout.pull(2000)
    playout.push(0, "b", 0, tone(480), now=3.0)
    assert np.count_nonzero(playout.pull(480)) == 0
    playout.push(0, "b", 0, tone(ms_to_frames(300)), now=3.0)
    assert np.count_nonzero(playout.pull(480)) == 480


# --- Holding


def held_after(frames: int, total: int = 5000) -> tuple[Playout, np.ndarray]:
    """A part that is paused when so many frames were played, and what came out until then."""
    playout = Playout()
    playout.push(0, "a", 0, tone(total), now=0.0)
    playout.finish(0, "a", 0, now=0.0)
    before = playout.pull(frames)
    playout.pause()
    return playout, before


def test_a_hold_fades_out_and_a_resume_goes_on_where_it_stopped_with_a_fade() -> None:
    playout, _ = held_after(1000)
    paused = playout.pull(2000)
    assert paused[0] == 1000
    assert np.all(np.diff(paused[:PAUSE_FADE_FRAMES].astype(int)) <= 0)
    assert not paused[PAUSE_FADE_FRAMES:].any()
    assert playout.pending() == 0
    playout.resume()
    rest = playout.pull(5000)
    assert np.all(np.diff(rest[:PAUSE_FADE_FRAMES].astype(int)) >= 0)
    assert np.count_nonzero(rest[1:]) == 5000 - 1000 - PAUSE_FADE_FRAMES - 1
    assert playout.underruns == 0


def test_a_flush_while_it_holds_ends_at_the_pause() -> None:
    playout, _ = held_after(1000)
    playout.pull(3000)
    playout.push(0, "a", 0, tone(500), now=1.0)
    (part,) = playout.flush()
    assert part.heard_frames == 1000 + PAUSE_FADE_FRAMES
    playout.push(1, "b", 0, tone(300), now=2.0)
    playout.finish(1, "b", 0, now=2.0)
    assert playout.pull(300).tolist() == [1000] * 300


def test_a_hold_in_silence_keeps_what_comes_from_sounding_and_a_second_hold_or_resume_changes_nothing() -> None:
    playout = Playout()
    playout.pause()
    playout.pause()
    playout.push(0, "a", 0, tone(300), now=0.0)
    playout.finish(0, "a", 0, now=0.0)
    assert not playout.pull(400).any()
    playout.resume()
    playout.resume()
    assert np.count_nonzero(playout.pull(400)) == 300 - 1


def test_a_reply_that_runs_dry_while_it_is_held_is_no_underrun() -> None:
    playout = Playout()
    playout.push(0, "a", 0, tone(PAUSE_FADE_FRAMES + 100), now=0.0)
    playout.pull(100)
    playout.pause()
    playout.pull(1000)
    playout.resume()
    playout.pull(1000)
    assert playout.underruns == 0
