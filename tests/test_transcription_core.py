"""The core of transcriptions, driven by facts: where it cuts, what it sends and tells, and when it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_cli.conversation import facts as f
from realtime_cli.conversation.effects import (
    CloseMic,
    Connect,
    Effect,
    End,
    Feed,
    OpenMic,
    ResumeMic,
    Send,
    Show,
    Speak,
    Use,
)
from realtime_cli.conversation.records import (
    ConnectionChanged,
    Ended,
    Notice,
    Transcribed,
    TranscriptionUsage,
    Trouble,
)
from realtime_cli.conversation.transcription.commit_segmentation import LONGEST_MS, Cutter
from realtime_cli.conversation.transcription.ending import LAST_WORDS_S
from realtime_cli.conversation.transcription.options import TranscriptionOptions
from realtime_cli.conversation.transcription.segments import OVERTAKEN_S
from realtime_cli.conversation.transcription.sent_audio import MARKER
from realtime_cli.conversation.transcription.server_session import SETUP
from realtime_cli.conversation.transcription.transcription import Transcription
from realtime_cli.errors import ConnectionFailed
from realtime_cli.protocol.client_events import InputAudioBufferCommit, SessionUpdate
from realtime_cli.protocol.dialects import Dialect, from_wire, to_wire
from realtime_cli.providers.prices import Price, PriceList
from tests.audio_signals import tone
from tests.scripted_talk import TRANSCRIPTION

BODY = {"type": "transcription", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}


class Driver:
    """Tells a transcription facts and keeps what it wants."""

    def __init__(self, **options: Any) -> None:
        wanted = {"session": BODY, **options}
        self.core = Transcription(TranscriptionOptions(provider="test", model="m", **wanted))
        self.effects: list[Effect] = []
        self.now = 0.0

    def tell(self, *facts: f.Fact) -> list[Effect]:
        new = [effect for fact in facts for effect in self.core.handle(fact, self.now)]
        self.effects += new
        return new

    def says(self, kind: str, **fields: Any) -> list[Effect]:
        return self.tell(from_wire(json.dumps({"type": kind, "event_id": "e", **fields})))

    def begin(self) -> list[Effect]:
        self.tell(f.Opened())
        return self.says("session.created", session={"id": "sess_1", "type": "transcription"})

    def completed(self, item_id: str, text: str) -> list[Effect]:
        return self.says(f"{TRANSCRIPTION}.completed", item_id=item_id, content_index=0, transcript=text)

    def wait(self) -> list[Effect]:
        """Let time pass until something is due."""
        assert self.core.deadline is not None
        self.now = self.core.deadline
        return self.tell(f.Tick())

    @property
    def texts(self) -> list[str]:
        return [record.text for record in self.records(Transcribed)]

    def records(self, kind: type) -> list[Any]:
        return [it.record for it in self.effects if isinstance(it, Show) and isinstance(it.record, kind)]

    @property
    def commits(self) -> int:
        return sum(isinstance(it, Send) and isinstance(it.event, InputAudioBufferCommit) for it in self.effects)


def test_the_session_is_set_up_before_any_audio() -> None:
    setup, _started, audio = Driver(recording="talk").begin()
    assert isinstance(setup, Send)
    assert isinstance(setup.event, SessionUpdate)
    assert setup.event.session == BODY
    assert audio == Feed("talk", cut=False)
    assert isinstance(Driver().begin()[-1], OpenMic)


def test_a_server_that_shows_another_dialect_is_answered_in_that() -> None:
    beta = {"turn_detection": None, "type": "transcription"}
    driver = Driver(session_otherwise={Dialect.BETA: beta})
    driver.tell(f.Opened())
    effects = driver.says("transcription_session.created", session={"id": "s", "input_audio_format": "pcm16"})
    assert effects[0] == Speak(Dialect.BETA)
    (update,) = [it.event for it in effects if isinstance(it, Send)]
    assert isinstance(update, SessionUpdate)
    assert update.session == beta


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


def speech(driver: Driver, item_id: str, at_ms: int) -> None:
    driver.says("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=at_ms)
    driver.says("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=at_ms + 1000)


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


@pytest.mark.parametrize("named", ["nothing", "transcripts", "commits"])
def test_a_server_may_leave_ids_out(named: str) -> None:
    driver = Driver(server_cuts=False, recording="talk")
    driver.begin()
    driver.tell(f.Cut(0, 5000, True), f.Cut(5000, 9000, True), f.Fed())
    for item_id in ("a", "b"):
        driver.says("input_audio_buffer.committed", item_id=item_id if named == "commits" else "")
    for item_id in ("a", "b"):
        known = item_id if named == "transcripts" else ""
        driver.says(f"{TRANSCRIPTION}.delta", item_id=known, content_index=0, delta=item_id)
        driver.completed(known, f"{item_id}!")
    assert [(it.text, it.start_ms, it.end_ms) for it in driver.records(Transcribed)] == [
        ("a!", 0, 5000),
        ("b!", 5000, 9000),
    ]
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


def test_a_transcript_may_come_in_the_item_and_is_told_once_if_it_comes_again() -> None:
    driver = Driver(recording="talk")
    driver.begin()
    driver.tell(f.Fed())
    driver.says("session.updated", session=BODY)
    driver.says("input_audio_buffer.speech_stopped", item_id="", audio_end_ms=0)
    driver.says("input_audio_buffer.committed", item_id="")
    item = {"id": "a", "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": "hello"}]}
    driver.says("conversation.item.created", item=item)
    driver.says("conversation.item.done", item=item)
    driver.completed("a", "hello")
    driver.wait()
    assert driver.texts == ["hello"]
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


def test_a_commit_without_an_id_is_that_of_the_speech_that_ended() -> None:
    driver = Driver()
    driver.begin()
    speech(driver, "a", 100)
    driver.says("input_audio_buffer.committed", item_id="")
    driver.completed("a", "hello")
    assert driver.records(Transcribed) == [Transcribed(item_id="a", text="hello", start_ms=100, end_ms=1100)]
    assert driver.core.deadline is None


def test_a_recording_in_which_the_server_finds_no_speech_is_a_word_and_no_success() -> None:
    driver = Driver(recording="talk")
    driver.begin()
    driver.tell(f.Fed())
    driver.says("session.updated", session=BODY)
    driver.wait()
    (trouble,) = driver.records(Trouble)
    assert "--vad off" in trouble.message
    assert driver.records(Ended) == [Ended(reason="done", exit_code=1)]


WISHES = {
    "type": "transcription",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "m"},
            "noise_reduction": None,
            "turn_detection": {"type": "server_vad"},
        }
    },
}


def sent(effects: list[Effect]) -> list[Any]:
    return [it.event.session for it in effects if isinstance(it, Send) and isinstance(it.event, SessionUpdate)]


def test_a_session_that_is_refused_without_an_event_id_is_tried_leaner_and_then_given_up_in_one_line() -> None:
    driver = Driver(session=WISHES)
    driver.begin()
    refusal = {"type": "invalid_request_error", "message": "2 validation errors for Session:\n  page\n  of text"}
    (lean,) = sent(driver.says("error", error=refusal))
    assert lean == {
        "type": "transcription",
        "audio": {"input": {"transcription": {"model": "m"}, "turn_detection": {"type": "server_vad"}}},
    }
    (notice,) = driver.records(Notice)
    assert notice.text == (
        "the server refuses some options (2 validation errors for Session): going on without format, noise_reduction"
    )
    driver.says("error", error=refusal)
    (trouble,) = driver.records(Trouble)
    assert trouble.message.startswith("the server refuses an option: 2 validation errors for Session: ")
    assert driver.records(Ended) == [Ended(reason="failed", exit_code=2)]


def test_a_beta_server_that_knows_only_session_update_gets_one() -> None:
    flat = {"type": "transcription", "input_audio_transcription": {"model": "m"}, "turn_detection": None}
    driver = Driver(session=flat)
    driver.tell(f.Opened())
    driver.says("transcription_session.created", session={"id": "sess_1"})
    unknown = {"message": "Unknown event type: transcription_session.update", "type": "invalid_request_error"}
    (bare,) = sent(driver.says("error", error=unknown))
    assert bare == {"input_audio_transcription": {"model": "m"}, "turn_detection": None}
    assert json.loads(to_wire(SessionUpdate(session=bare), Dialect.BETA))["type"] == "session.update"
    (lean,) = sent(driver.says("error", error=unknown))
    assert lean == {"input_audio_transcription": {"model": "m"}}
    driver.says("error", error=unknown)
    assert "no transcription sessions" in driver.records(Trouble)[0].message


def test_a_session_that_is_refused_without_an_event_id_and_cannot_be_leaner_is_no_endless_wait() -> None:
    driver = Driver()
    driver.begin()
    driver.says("error", error={"message": "bad session"})
    assert driver.records(Ended) == [Ended(reason="failed", exit_code=2)]
    driver = Driver(recording="talk")
    driver.begin()
    driver.says("session.updated", session=BODY)
    driver.says("error", error={"message": "a hiccup"})
    assert driver.records(Ended) == []


def test_a_server_without_transcription_sessions_is_said_to_have_none() -> None:
    driver = Driver()
    driver.begin()
    driver.says("error", error={"code": "invalid_value", "param": "session.type", "message": "Use realtime."})
    assert "no transcription sessions" in driver.records(Trouble)[0].message
    assert driver.records(Ended)[0].exit_code == 2


def test_an_error_in_answer_to_the_marker_says_that_all_was_heard() -> None:
    driver = Driver(recording="talk")
    driver.begin()
    driver.says("session.updated", session=BODY)
    speech(driver, "a", 100)
    driver.completed("a", "words")
    driver.tell(f.Fed())
    driver.says("error", error={"type": "invalid_request_error", "message": "the session cannot be changed now"})
    driver.wait()
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


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


def test_a_refused_commit_is_owed_no_transcript() -> None:
    driver = Driver(server_cuts=False, recording="talk")
    driver.begin()
    driver.tell(f.Cut(0, 5000, True), f.Fed())
    driver.says("error", error={"type": "invalid_request_error", "code": "input_audio_buffer_commit_empty"})
    assert driver.records(Ended) == [Ended(reason="done", exit_code=0)]


BLOCK = 2_400 * 2
"""100 ms."""


def blocks(pcm: bytes) -> Iterator[bytes]:
    return (pcm[at : at + BLOCK] for at in range(0, len(pcm), BLOCK))


def cuts_of(pcm: bytes) -> list[f.Cut]:
    cutter = Cutter()
    found = [cut for block in blocks(pcm) if (cut := cutter.hear(block))]
    return found + [cut for cut in [cutter.finish()] if cut]


def test_speech_without_a_pause_is_cut_at_the_longest_length() -> None:
    assert cuts_of(tone(20_000)) == [f.Cut(0, LONGEST_MS, True), f.Cut(LONGEST_MS, 20_000, True)]


def test_speech_is_cut_in_a_pause_where_there_is_one() -> None:
    noise = tone(500, level=0.002)
    assert cuts_of(tone(6000) + noise + tone(3000)) == [f.Cut(0, 6400, True), f.Cut(6400, 9500, True)]
    assert cuts_of(tone(3000) + noise + tone(3000)) == [f.Cut(0, 6500, True)]


def test_silence_is_cut_as_such_and_a_rest_under_100_ms_is_no_piece() -> None:
    assert cuts_of(bytes(48 * 5000)) == [f.Cut(0, 5000, False)]
    assert cuts_of(tone(LONGEST_MS) + tone(60)) == [f.Cut(0, LONGEST_MS, True)]


GONE = ConnectionFailed("the connection was lost", "check the network", recoverable=True)


class Lasting(Driver):
    """A transcription whose connection the test can lose and give back."""

    def __init__(self, **options: Any) -> None:
        super().__init__(reconnect_s=60.0, **options)
        self.begin()

    def speak(self, item_id: str, start_ms: int, end_ms: int) -> None:
        self.says("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=start_ms)
        self.says("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=end_ms)
        self.says("input_audio_buffer.committed", item_id=item_id)

    def lose_and_regain(self) -> list[Effect]:
        """What the new server is sent."""
        self.tell(f.Lost(GONE))
        while not any(isinstance(effect, Connect) for effect in self.wait()):
            pass
        self.tell(f.Opened())
        return self.says("session.created", session={"id": "sess_2", "type": "transcription"})


def test_a_recording_goes_on_where_it_was_written_down_with_times_that_are_right() -> None:
    driver = Lasting(recording="talk")
    driver.speak("a", 100, 1100)
    driver.completed("a", "one")
    driver.speak("b", 2000, 3000)
    driver.speak("c", 4000, 5000)
    driver.completed("c", "three, which nobody is told before two")
    setup, feed, *_ = driver.lose_and_regain()
    assert isinstance(setup, Send)
    assert isinstance(setup.event, SessionUpdate)
    assert feed == Feed("talk", cut=False, from_ms=1700)
    driver.speak("d", 300, 1300)
    driver.completed("d", "two")
    driver.speak("e", 2300, 3300)
    driver.completed("e", "three")
    assert driver.records(Transcribed) == [
        Transcribed(item_id="a", text="one", start_ms=100, end_ms=1100),
        Transcribed(item_id="d", text="two", start_ms=2000, end_ms=3000),
        Transcribed(item_id="e", text="three", start_ms=4000, end_ms=5000),
    ]
    assert [record.state for record in driver.records(ConnectionChanged)] == ["lost", "retrying", "restored"]


def test_pieces_that_are_cut_here_are_cut_anew_from_where_nothing_is_known() -> None:
    driver = Lasting(recording="talk", server_cuts=False)
    driver.tell(f.Cut(0, 5000, has_speech=True))
    driver.says("input_audio_buffer.committed", item_id="a")
    driver.completed("a", "one")
    driver.tell(f.Cut(5000, 9000, has_speech=True))
    effects = driver.lose_and_regain()
    assert Feed("talk", cut=True, from_ms=5000) in effects
    driver.tell(f.Cut(0, 4000, has_speech=True))
    driver.says("input_audio_buffer.committed", item_id="b")
    driver.completed("b", "two")
    assert driver.records(Transcribed)[-1] == Transcribed(item_id="b", text="two", start_ms=5000, end_ms=9000)


def test_a_microphone_goes_on_and_the_word_that_was_being_said_is_heard_again() -> None:
    driver = Lasting()
    driver.tell(f.MicOpened())
    driver.now = 30.0
    driver.says("input_audio_buffer.speech_started", item_id="a", audio_start_ms=28_000)
    driver.says(f"{TRANSCRIPTION}.delta", item_id="a", content_index=0, delta="half a sen")
    effects = driver.lose_and_regain()
    (resumed,) = [effect for effect in effects if isinstance(effect, ResumeMic)]
    assert resumed.seconds == pytest.approx(driver.now - 28.0)
    driver.tell(f.MicResumed(28_000))
    driver.speak("b", 100, 2100)
    driver.completed("b", "half a sentence")
    assert driver.records(Transcribed) == [
        Transcribed(item_id="b", text="half a sentence", start_ms=28_100, end_ms=30_100)
    ]


def test_of_speech_that_began_long_before_the_loss_what_came_is_told() -> None:
    driver = Lasting()
    driver.tell(f.MicOpened())
    driver.now = 30.0
    driver.says("input_audio_buffer.speech_started", item_id="a", audio_start_ms=10_000)
    driver.says(f"{TRANSCRIPTION}.delta", item_id="a", content_index=0, delta="a long story")
    effects = driver.lose_and_regain()
    assert driver.texts == ["a long story"]
    (resumed,) = [effect for effect in effects if isinstance(effect, ResumeMic)]
    assert resumed.seconds == pytest.approx(driver.now - 30.0)


def test_a_transcription_that_ends_while_it_is_lost_ends() -> None:
    driver = Lasting()
    driver.tell(f.Lost(GONE))
    driver.tell(f.Quit(exit_code=130))
    assert [effect.exit_code for effect in driver.effects if isinstance(effect, End)] == [130]


def test_a_transcription_whose_session_ends_soon_goes_on_in_another() -> None:
    driver = Driver(reconnect_s=60.0)
    driver.tell(f.Opened(1000.0))
    driver.says("session.created", session={"id": "sess_1", "type": "transcription", "expires_at": 1010})
    driver.tell(f.MicOpened())
    (connect,) = driver.wait()
    assert connect == Connect(2, standby=True)
    assert driver.now == 8.0
    hello = json.dumps({"type": "session.created", "session": {"id": "sess_2", "expires_at": 1018}})
    driver.tell(f.OnStandby(2, f.Opened(1008.0)), f.OnStandby(2, from_wire(hello)))
    driver.tell(f.OnStandby(2, from_wire(json.dumps({"type": "session.updated", "session": {}}))))
    assert Use(2) not in driver.effects
    driver.wait()
    assert driver.now == 9.5
    assert Use(2) in driver.effects
    assert ResumeMic(1.0) in driver.effects


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
