"""Echo in a computed room: the model must not hear itself, and must hear whoever interrupts it."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from realtime_cli.audio.core.echo_canceller import DELAY_FRAMES, GATED, MISSING, POOR, EchoCanceller, webrtc_canceller
from realtime_cli.audio.core.gates import FIRST_BLOCKS, HANGOVER_FRAMES, HOLD_BLOCKS, HalfDuplex, LoudnessGate
from realtime_cli.audio.core.pcm import BLOCK_FRAMES, RATE_HZ
from realtime_cli.audio.core.reference import LEAST_LEAD, MOST_LEAD, START_LEAD, STOPPED, WINDOW, Reference
from realtime_cli.session.echo_control import HALF_DUPLEX, choose_echo_control, overheard
from realtime_cli.settings.settings import Settings
from tests.audio_signals import Samples, noise
from tests.echo_scene import PATHS, Scene, Verdict, controlled, judge, scene, send_through, started_ms
from tests.echo_talk import Path, self_interruptions_s, shifted_in_pitch
from tests.needs import need_espeak

SPEECH = noise(1.0)
QUICK_MS = 500


@pytest.fixture(scope="module", autouse=True)
def _voices() -> None:
    need_espeak()


def verdict(acted: Scene, canceller: EchoCanceller | HalfDuplex) -> Verdict:
    return judge(started_ms(send_through(acted, controlled(canceller))), acted.spoken)


# --- The whole, judged by the server's own ear


@pytest.mark.parametrize(("gain_db", "delay_ms"), PATHS)
def test_the_model_never_hears_itself_and_always_hears_who_interrupts_it(gain_db: float, delay_ms: float) -> None:
    acted = scene(100, gain_db, delay_ms, interruptions=10)
    told: list[str] = []
    canceller = EchoCanceller(webrtc_canceller(), told.append)
    judged = verdict(acted, canceller)
    assert judged.false_starts == 0
    assert judged.within(QUICK_MS) >= 9, judged.noticed_ms
    assert not told
    assert canceller.cancels


def test_without_echo_control_the_model_does_hear_itself() -> None:
    acted = scene(20, *PATHS[1])
    assert judge(started_ms(acted.heard), ()).false_starts


def test_with_headphones_interruptions_are_heard_although_there_is_no_echo_to_learn_from() -> None:
    acted = scene(60, None, 0, interruptions=6)
    told: list[str] = []
    judged = verdict(acted, EchoCanceller(webrtc_canceller(), told.append))
    assert judged.false_starts == 0
    assert judged.within(QUICK_MS) == 6, judged.noticed_ms
    assert not told


def test_without_the_canceller_a_gate_keeps_the_echo_out_and_lets_loud_words_in() -> None:
    told: list[str] = []
    acted = scene(60, *PATHS[0], interruptions=6, louder_db=10)
    judged = verdict(acted, EchoCanceller(None, told.append))
    assert told == [f"{MISSING}: {GATED}"]
    assert judged.false_starts == 0
    assert judged.within(QUICK_MS) >= 5, judged.noticed_ms


def test_a_canceller_that_does_badly_is_replaced_by_the_gate_with_one_notice() -> None:
    told: list[str] = []
    acted = scene(60, *PATHS[1], spoil=lambda echo: shifted_in_pitch(echo, 0))
    canceller = EchoCanceller(webrtc_canceller(), told.append)
    sent = send_through(acted, controlled(canceller))
    assert told == [f"{POOR}: {GATED}"]
    assert not canceller.cancels
    assert not [ms for ms in started_ms(sent) if ms > 20_000]


# --- An echo that changes while they talk: each false turn would stop the reply, and the next reply begins as badly

HEADPHONES = Path(0, None)


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param((HEADPHONES, Path(12, -12, 80)), id="the headphones are pulled out"),
        pytest.param((HEADPHONES, Path(12, -25, 80)), id="the loudspeaker was nearly muted and is still soft"),
        pytest.param((HEADPHONES, Path(12, 0, 40)), id="the loudspeaker is turned up fully"),
        pytest.param((Path(0, -12, 80), Path(15, None), Path(25, -12, 80)), id="headphones in between"),
        pytest.param((Path(0, -12, 80), Path(18, -6, 200)), id="a second loudspeaker, louder and later"),
        pytest.param((Path(0, -12, 80), Path(18, -12, 120), Path(26, -12, 60)), id="another delay, and another"),
    ],
)
def test_the_model_does_not_interrupt_itself_when_its_echo_changes(paths: tuple[Path, ...]) -> None:
    told: list[str] = []
    assert not self_interruptions_s(EchoCanceller(webrtc_canceller(), told.append), paths, 35)
    assert not told


def test_an_echo_that_nothing_can_know_ends_with_the_gate_and_one_notice() -> None:
    told: list[str] = []
    canceller = EchoCanceller(webrtc_canceller(), told.append)
    false_s = self_interruptions_s(canceller, (HEADPHONES, Path(12, -6, 150)), 48, spoil=shifted_in_pitch)
    assert told == [f"{POOR}: {GATED}"]
    assert max(false_s) < 44


def test_interruptions_are_heard_after_the_loudspeaker_was_exchanged() -> None:
    first, second = scene(30, -12, 80), scene(30, -6, 200, interruptions=3)
    acted = Scene(
        np.concatenate((first.played, second.played)),
        np.concatenate((first.heard, second.heard)),
        tuple((begin + 30, end + 30) for begin, end in second.spoken),
    )
    judged = verdict(acted, EchoCanceller(webrtc_canceller(), print))
    assert judged.false_starts == 0
    assert judged.within(QUICK_MS) == 3, judged.noticed_ms


def test_an_echo_that_ends_at_once_leaves_nothing_behind() -> None:
    canceller = EchoCanceller(webrtc_canceller(), lambda _notice: None)
    far = noise(6.0)
    near = np.concatenate([np.zeros(1920, np.int16), far[:-1920] // 4])
    cleaned = []
    for at in range(0, len(far), BLOCK_FRAMES):
        canceller.played(far[at : at + BLOCK_FRAMES])
        captured = near[at : at + BLOCK_FRAMES] if at < 4 * RATE_HZ else np.zeros(BLOCK_FRAMES, np.int16)
        cleaned.append(np.frombuffer(canceller.clean(captured.tobytes()), "<i2"))
    # What is behind the end is what the canceller delays.
    assert not np.concatenate(cleaned)[4 * RATE_HZ + BLOCK_FRAMES :].any()


def test_a_canceller_is_missing_where_its_package_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pywebrtc_audio", None)
    assert webrtc_canceller() is None


# --- The canceller's shell


def test_while_nothing_is_played_speech_passes_untouched_whatever_the_size_of_its_blocks() -> None:
    canceller = EchoCanceller(webrtc_canceller(), lambda _text: None)
    sizes = [1, 479, 480, 1000, 7, 240]
    cleaned: list[bytes] = []
    at = 0
    while at < len(SPEECH):
        size = sizes[len(cleaned) % len(sizes)]
        block = SPEECH[at : at + size]
        cleaned.append(canceller.clean(block.tobytes()))
        assert len(cleaned[-1]) == 2 * len(block)
        at += size
    heard = np.frombuffer(b"".join(cleaned), "<i2")
    late = int(np.flatnonzero(heard)[0])
    assert late <= DELAY_FRAMES + BLOCK_FRAMES // 2 + int(np.flatnonzero(SPEECH)[0])
    np.testing.assert_array_equal(heard[late:], SPEECH[np.flatnonzero(SPEECH)[0] :][: len(heard) - late])


def test_passing_from_the_canceller_to_nothing_neither_repeats_nor_skips() -> None:
    canceller = EchoCanceller(lambda heard, _played: np.concatenate((tail(heard), heard))[: len(heard)], print)
    past = [np.zeros(DELAY_FRAMES, np.int16)]

    def tail(heard: Samples) -> Samples:
        before, past[0] = past[0], heard[-DELAY_FRAMES:]
        return before

    quiet = (noise(4.0) / 20).astype(np.int16)
    played = np.zeros_like(quiet)
    played[RATE_HZ : 2 * RATE_HZ] = SPEECH
    heard = send_through(Scene(played, quiet, ()), controlled(canceller))
    after = heard[3 * RATE_HZ :]
    np.testing.assert_array_equal(after, quiet[3 * RATE_HZ - DELAY_FRAMES : -DELAY_FRAMES])


def test_what_is_pulled_is_told_to_the_echo_control() -> None:
    half_duplex = HalfDuplex()
    pull = overheard(lambda frames: SPEECH[:frames], half_duplex.played)
    np.testing.assert_array_equal(pull(100), SPEECH[:100])
    assert half_duplex.clean(b"\1\1") == b"\0\0"


# --- Keeping in step


def in_step(reference: Reference, blocks: int, *, extra: int = 0) -> None:
    """Both devices at work; the loudspeaker plays ``extra`` frames more a block."""
    for _ in range(blocks):
        reference.write(np.ones(BLOCK_FRAMES + extra, np.int16))
        reference.read(BLOCK_FRAMES)


def test_the_reference_keeps_its_delay_while_both_devices_stutter() -> None:
    reference = Reference()
    written = read = np.zeros(0, np.int16)
    beats = np.random.default_rng(2).permuted(np.tile([0, 0, 0, 1, 1, 1], (16, 1)), axis=1)
    for number, reads in enumerate(beats.ravel()):
        if reads:
            read = np.concatenate((read, reference.read(BLOCK_FRAMES)))
        else:
            piece = np.full(BLOCK_FRAMES, number + 1, np.int16)
            written = np.concatenate((written, piece))
            reference.write(piece)
    there = np.flatnonzero(read)
    assert len(there) > len(read) // 2
    np.testing.assert_array_equal(read[there], written[there - START_LEAD])
    assert reference.jumps == 0


@pytest.mark.parametrize("who", ["loudspeaker", "microphone"])
def test_a_device_that_was_closed_for_a_while_is_put_in_step_at_once(who: str) -> None:
    reference = Reference()
    in_step(reference, 50)
    for _ in range(STOPPED // BLOCK_FRAMES + 2):
        if who == "microphone":
            reference.write(np.ones(BLOCK_FRAMES, np.int16))
        else:
            reference.read(BLOCK_FRAMES)
    reference.write(np.full(BLOCK_FRAMES, 7, np.int16))
    assert reference.read(2 * BLOCK_FRAMES).max() == 7
    assert reference.jumps == 1


def test_audio_lost_by_the_loudspeaker_is_made_up_by_one_jump() -> None:
    reference = Reference()
    in_step(reference, 50)
    reference.read(STOPPED - BLOCK_FRAMES)
    in_step(reference, 3 * WINDOW // BLOCK_FRAMES)
    assert reference.jumps == 1


@pytest.mark.parametrize("faster", [1, -1])
def test_a_drift_of_clocks_is_made_up_frame_by_frame(faster: int) -> None:
    reference = Reference()
    for _ in range(800):
        in_step(reference, 24)
        in_step(reference, 1, extra=faster)
    assert reference.jumps == 0
    reference.write(np.full(MOST_LEAD + BLOCK_FRAMES, 5, np.int16))
    lead = np.flatnonzero(reference.read(MOST_LEAD + 2 * BLOCK_FRAMES) == 5)[0]
    assert LEAST_LEAD - 100 <= lead <= MOST_LEAD + 100


# --- The gate


def learned(echo_db: float) -> LoudnessGate:
    gate = LoudnessGate()
    for _ in range(2 * FIRST_BLOCKS):
        gate.opens(-20.0, -20.0 + echo_db)
    return gate


def test_the_gate_is_shut_for_an_echo_and_opens_for_the_second_block_of_louder_words() -> None:
    gate = learned(-10)
    assert [gate.opens(-20, level) for level in (-30, -24, -24)] == [False, False, True]


def test_a_knock_does_not_open_the_gate() -> None:
    gate = learned(-10)
    assert not any(gate.opens(-20, level) for level in (-5, -30, -30))


def test_the_gate_stays_open_between_syllables_and_shuts_after_the_words() -> None:
    gate = learned(-10)
    opened = [gate.opens(-20, level) for level in [-15] * 3 + [-40] * HOLD_BLOCKS]
    assert opened[1:HOLD_BLOCKS] == [True] * (HOLD_BLOCKS - 1)
    assert not opened[-1]


def test_words_that_need_no_cancelling_are_told_from_others() -> None:
    gate = learned(-40)
    for _ in range(3):
        gate.opens(-20, -30)
    assert gate.alone
    gate = learned(-10)
    for _ in range(3):
        gate.opens(-20, -25)
    assert not gate.alone


def test_a_loudspeaker_that_is_turned_up_does_not_keep_the_gate_open() -> None:
    gate = learned(-20)
    opened = [gate.opens(-20, -25) for _ in range(400)]
    assert opened[10]
    assert not opened[-1]


# --- Half duplex, and who gets what


def test_half_duplex_sends_silence_while_the_model_is_audible_and_shortly_after() -> None:
    half_duplex = HalfDuplex()
    block = SPEECH[:BLOCK_FRAMES].tobytes()
    assert half_duplex.clean(block) == block
    half_duplex.played(SPEECH[:BLOCK_FRAMES])
    sent = [half_duplex.clean(block) for _ in range(HANGOVER_FRAMES // BLOCK_FRAMES + 1)]
    assert set(sent[:-1]) == {bytes(len(block))}
    assert sent[-1] == block


def test_silence_does_not_shut_the_microphone() -> None:
    half_duplex = HalfDuplex()
    half_duplex.played(np.zeros(BLOCK_FRAMES, np.int16))
    assert half_duplex.clean(b"\1\1") == b"\1\1"


@pytest.mark.parametrize(
    "settings",
    [Settings(mic="a.wav"), Settings(speaker="-"), Settings(mic="none"), Settings(aec=False), Settings(ptt=True)],
)
def test_files_pipes_and_talk_keys_need_no_echo_control(settings: Settings) -> None:
    assert choose_echo_control(settings, print) is None


def test_two_devices_get_a_canceller() -> None:
    assert isinstance(choose_echo_control(Settings(mic="USB"), print), EchoCanceller)


def test_half_duplex_is_said() -> None:
    told: list[str] = []
    assert isinstance(choose_echo_control(Settings(half_duplex=True), told.append), HalfDuplex)
    assert told == [HALF_DUPLEX]
