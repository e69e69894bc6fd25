"""The core of transcriptions, driven by facts: the order of what it tells, and when it ends."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import (
    CloseMic,
    End,
    Feed,
    OpenMic,
    Send,
    Show,
)
from realtime_cli.conversation.records import (
    Ended,
    Transcribed,
    TranscriptionUsage,
    Trouble,
)
from realtime_cli.conversation.transcription.ending import LAST_WORDS_S
from realtime_cli.conversation.transcription.segments import OVERTAKEN_S
from realtime_cli.conversation.transcription.sent_audio import MARKER
from realtime_cli.conversation.transcription.server_session import SETUP
from realtime_cli.protocol.client_events import SessionUpdate
from realtime_cli.providers.prices import Price, PriceList
from tests.scripted_talk import TRANSCRIPTION
from tests.transcription_driver import BODY, Driver, speech


def test_the_session_is_set_up_before_any_audio() -> None:
    setup, _started, audio = Driver(recording="talk").begin()
    assert isinstance(setup, Send)
    assert isinstance(setup.event, SessionUpdate)
    assert setup.event.session == BODY
    assert audio == Feed("talk", cut=False)
    assert isinstance(Driver().begin()[-1], OpenMic)


def test_transcripts_are_told_in_the_order_of_speech_and_not_of_arrival() -> None:
    driver = Driver()
    driver.begin()
    for item_id, at in (("a", 100), ("b", 2000)):
        driver.says("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=at)
        driver.says("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=at + 1000)
        driver.says("input_audio_buffer.committed", item_id=item_id)
    driver.completed("b", "second")
    assert driver.texts == []
    driver.completed("a", "first")
    assert driver.records(Transcribed) == [
        Transcribed(item_id="a", text="first", start_ms=100, end_ms=1100),
        Transcribed(item_id="b", text="second", start_ms=2000, end_ms=3000),
    ]


def test_speech_that_the_server_took_back_holds_nothing_up() -> None:
    driver = Driver()
    driver.begin()
    driver.says("input_audio_buffer.speech_started", item_id="cough", audio_start_ms=100)
    driver.says("input_audio_buffer.speech_started", item_id="word", audio_start_ms=900)
    driver.says("input_audio_buffer.committed", item_id="word")
    driver.completed("word", "hello")
    assert driver.texts == ["hello"]


def test_a_recording_ends_when_the_server_has_heard_all_of_it_and_owes_nothing() -> None:
    driver = Driver(recording="talk")
    driver.begin()
    (marker,) = driver.tell(f.Fed())
    assert isinstance(marker, Send)
    assert marker.event.event_id == MARKER
    driver.says("input_audio_buffer.committed", item_id="a")
    driver.says("session.updated", session=BODY)
    driver.now += 30
    assert driver.tell(f.Tick()) == []
    driver.completed("a", "words")
    assert driver.records(Ended) == []
    driver.wait()
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


def test_speech_that_goes_on_at_the_end_of_a_recording_is_committed() -> None:
    driver = Driver(recording="talk")
    driver.begin()
    driver.says("input_audio_buffer.speech_started", item_id="a", audio_start_ms=100)
    driver.tell(f.Fed())
    driver.says("session.updated", session=BODY)
    driver.wait()
    assert driver.commits == 1
    driver.says("input_audio_buffer.committed", item_id="a")
    driver.completed("a", "words")
    driver.wait()
    assert driver.texts == ["words"]
    assert driver.records(Ended)[0].exit_code == 0


def test_ctrl_c_waits_for_what_was_said_and_ends_with_130() -> None:
    driver = Driver()
    driver.begin()
    driver.says("input_audio_buffer.speech_started", item_id="a", audio_start_ms=100)
    assert CloseMic() in driver.tell(f.Quit(exit_code=130))
    driver.tell(f.MicClosed(2000))
    assert driver.commits == 1
    driver.says("input_audio_buffer.committed", item_id="a")
    assert driver.records(Ended) == []
    driver.completed("a", "the last words")
    assert driver.texts == ["the last words"]
    assert End(130, "interrupted") in driver.effects


def test_ctrl_c_does_not_wait_for_ever_and_keeps_what_came() -> None:
    driver = Driver()
    driver.begin()
    driver.says("input_audio_buffer.committed", item_id="a")
    driver.says(f"{TRANSCRIPTION}.delta", item_id="a", content_index=0, delta="half a sen")
    driver.tell(f.Quit(exit_code=130), f.MicClosed(2000))
    driver.wait()
    assert driver.now == LAST_WORDS_S
    assert driver.texts == ["half a sen"]
    assert End(130, "interrupted") in driver.effects


def test_where_this_side_cuts_the_times_are_those_of_the_cuts() -> None:
    driver = Driver(server_cuts=False, recording="talk")
    assert Feed("talk", cut=True) in driver.begin()
    driver.tell(f.Cut(0, 5000, True), f.Cut(5000, 9000, False), f.Cut(9000, 12_000, True), f.Fed())
    for item_id in ("a", "b"):
        driver.says("input_audio_buffer.committed", item_id=item_id)
        driver.completed(item_id, item_id)
    assert [(it.start_ms, it.end_ms) for it in driver.records(Transcribed)] == [(0, 5000), (9000, 12_000)]
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


def test_the_rest_of_a_microphone_is_committed_only_if_somebody_spoke_in_it() -> None:
    for has_speech, commits in ((True, 1), (False, 0)):
        driver = Driver(server_cuts=False)
        driver.begin()
        driver.tell(f.Cut(0, 5000, False), f.Quit(exit_code=130), f.MicClosed(7000, has_speech))
        assert driver.commits == commits
    driver = Driver(server_cuts=False)
    driver.begin()
    driver.tell(f.Cut(0, 5000, False), f.Quit(exit_code=130), f.MicClosed(5050))
    assert driver.commits == 0
    assert End(130, "interrupted") in driver.effects


def test_a_part_that_fails_is_told_and_the_rest_goes_on() -> None:
    driver = Driver(server_cuts=False, recording="talk")
    driver.begin()
    driver.tell(f.Cut(0, 5000, True), f.Cut(5000, 9000, True), f.Fed())
    for item_id in ("a", "b"):
        driver.says("input_audio_buffer.committed", item_id=item_id)
    driver.says(f"{TRANSCRIPTION}.failed", item_id="a", content_index=0, error={"message": "too noisy"})
    driver.completed("b", "words")
    assert "too noisy" in driver.records(Trouble)[0].message
    assert driver.texts == ["words"]
    assert driver.records(Ended) == [Ended(reason="done", exit_code=1)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "invalid_api_key", "message": "no"}, 4),
        ({"code": "invalid_value", "message": "no such model", "event_id": SETUP}, 2),
    ],
)
def test_errors_that_end_a_transcription(error: dict[str, str], code: int) -> None:
    driver = Driver()
    driver.begin()
    driver.says("error", error={"type": "invalid_request_error", **error})
    assert driver.records(Ended) == [Ended(reason="failed", exit_code=code)]


def test_a_server_that_falls_silent_is_a_failure_that_keeps_what_came() -> None:
    driver = Driver()
    driver.tell(f.Opened())
    driver.wait()
    assert driver.records(Ended)[0].exit_code == 4
    driver = Driver(recording="talk")
    driver.begin()
    driver.says(f"{TRANSCRIPTION}.delta", item_id="a", content_index=0, delta="half a sen")
    driver.says("input_audio_buffer.committed", item_id="a")
    driver.wait()
    assert driver.texts == ["half a sen"]
    assert driver.records(Ended)[0].exit_code == 1


def test_speech_for_which_no_transcript_comes_withholds_later_lines_for_some_seconds_only() -> None:
    driver = Driver()
    driver.begin()
    speech(driver, "lost", 3000)
    for number, item_id in enumerate(("a", "b")):
        speech(driver, item_id, 5000 + 2000 * number)
        driver.now += 2
        driver.completed(item_id, item_id)
    assert driver.texts == []
    driver.wait()
    assert driver.now == 2 + OVERTAKEN_S
    assert driver.texts == ["a", "b"]
    assert [it.message for it in driver.records(Trouble)] == ["no transcript came for what was said at 0:03"]
    driver.completed("lost", "late")
    assert driver.texts == ["a", "b", "late"]
    assert driver.records(Ended) == []


def test_a_microphone_goes_on_after_speech_that_nothing_comes_of() -> None:
    driver = Driver()
    driver.begin()
    speech(driver, "lost", 65_000)
    driver.wait()
    assert [it.message for it in driver.records(Trouble)] == ["no transcript came for what was said at 1:05"]
    assert driver.core.deadline is None
    speech(driver, "a", 70_000)
    driver.completed("a", "still here")
    assert driver.texts == ["still here"]
    driver.tell(f.Quit(exit_code=130), f.MicClosed(80_000))
    assert End(130, "interrupted") in driver.effects


def test_a_recording_in_which_the_server_finds_no_speech_is_a_word_and_no_success() -> None:
    driver = Driver(recording="talk")
    driver.begin()
    driver.tell(f.Fed())
    driver.says("session.updated", session=BODY)
    driver.wait()
    (trouble,) = driver.records(Trouble)
    assert "--vad off" in trouble.message
    assert driver.records(Ended) == [Ended(reason="done", exit_code=1)]


NAMES = st.sampled_from(["", "a", "b", "c"])


AT = st.integers(0, 100_000)


EVENTS = st.one_of(
    st.builds(lambda i, at: ("input_audio_buffer.speech_started", {"item_id": i, "audio_start_ms": at}), NAMES, AT),
    st.builds(lambda i, at: ("input_audio_buffer.speech_stopped", {"item_id": i, "audio_end_ms": at}), NAMES, AT),
    st.builds(lambda i: ("input_audio_buffer.committed", {"item_id": i}), NAMES),
    st.builds(lambda i: (f"{TRANSCRIPTION}.delta", {"item_id": i, "delta": "x"}), NAMES),
    st.builds(lambda i: (f"{TRANSCRIPTION}.completed", {"item_id": i, "transcript": "whole"}), NAMES),
    st.builds(lambda i: (f"{TRANSCRIPTION}.failed", {"item_id": i, "error": {"message": "no"}}), NAMES),
    st.just(("session.updated", {"session": {}})),
    st.builds(
        lambda code: ("error", {"error": {"message": "no", "code": code}}), st.sampled_from([None, "server_error"])
    ),
)


STEPS = (
    EVENTS | st.sampled_from([f.Cut(0, 5000, True), f.Cut(5000, 6000, False), f.Fed(), f.Noted("n")]) | st.just("wait")
)


@given(st.lists(STEPS, max_size=25), st.booleans(), st.booleans())
def test_whatever_comes_a_transcription_ends_and_tells_each_text_once(
    steps: list[Any], server_cuts: bool, from_microphone: bool
) -> None:
    driver = Driver(server_cuts=server_cuts, recording=None if from_microphone else "talk")
    driver.begin()
    for step in steps:
        match step:
            case (kind, fields):
                driver.says(kind, **fields)
            case "wait":
                if driver.core.deadline is not None:
                    driver.wait()
            case _:
                driver.tell(step)
    driver.tell(*([f.Quit(exit_code=130), f.MicClosed(0)] if from_microphone else [f.Fed()]))
    for _ in range(50):
        if driver.records(Ended):
            break
        driver.wait()
    assert len(driver.records(Ended)) == 1
    completed = sum(step[0] == f"{TRANSCRIPTION}.completed" for step in steps if isinstance(step, tuple))
    assert sum(text.endswith("whole") for text in driver.texts) <= completed
    assert all(driver.texts)


@pytest.mark.parametrize(
    ("prices", "usd"),
    [
        (None, 0.0),
        (PriceList(date(2026, 11, 25), {"m": Price(per_minute=0.06)}), 0.03),
        (PriceList(date(2026, 11, 25), {}), None),
    ],
    ids=["this machine", "a model that is listed", "a model that is not"],
)
def test_a_transcript_costs_what_its_model_costs_and_on_this_machine_nothing(
    prices: PriceList | None, usd: float | None
) -> None:
    driver = Driver(prices=prices)
    driver.begin()
    usage = {"type": "duration", "seconds": 30}
    told = driver.says(f"{TRANSCRIPTION}.completed", item_id="a", content_index=0, transcript="Hello.", usage=usage)
    (counted,) = [
        each.record for each in told if isinstance(each, Show) and isinstance(each.record, TranscriptionUsage)
    ]
    assert counted.usd == usd
