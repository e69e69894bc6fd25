"""The conversation core, driven by lists of facts: what it sends, plays, shows, and when it ends."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from realtime_cli.conversation import effects as e
from realtime_cli.conversation import facts as f
from realtime_cli.conversation.machine import Conversation
from realtime_cli.conversation.options import ConversationOptions
from realtime_cli.conversation.records import (
    AssistantSaid,
    Ended,
    MicChanged,
    Notice,
    Phase,
    Trouble,
    UsageReported,
    UserSaid,
)
from realtime_cli.errors import AudioError
from realtime_cli.protocol.client import client_event_to_object
from realtime_cli.protocol.server import server_event_from_object

SESSION = {"type": "realtime"}
SECOND = base64.b64encode(bytes(48_000)).decode()


def said(name: str, **fields: Any) -> Any:
    """A server event."""
    return server_event_from_object({"type": name, **fields})


class Drive:
    """Tells a conversation facts at times that the test names, and keeps what it asked for."""

    def __init__(self, **options: Any) -> None:
        self.core = Conversation(ConversationOptions(provider="test", session=SESSION, **options))
        self.effects: list[e.Effect] = []
        self.now = 0.0
        self.heard: dict[str, int] = {}

    def tell(self, *facts: Any, at: float | None = None) -> Drive:
        self.now = self.now if at is None else at
        for fact in facts:
            self._carry_out(self.core.handle(fact, self.now))
        return self

    def _carry_out(self, effects: list[e.Effect]) -> None:
        for effect in effects:
            self.effects.append(effect)
            if isinstance(effect, e.Flush):
                parts = tuple(f.Heard(item, 0, ms, finished=False) for item, ms in self.heard.items())
                self.tell(f.Flushed(parts))
            if isinstance(effect, e.CloseMic):
                self.tell(f.MicClosed(self.heard.get("microphone", 0)))

    @property
    def sent(self) -> list[dict[str, Any]]:
        events = [client_event_to_object(x.event) for x in self.effects if isinstance(x, e.Send)]
        return [{key: value for key, value in event.items() if key != "event_id"} for event in events]

    @property
    def sent_types(self) -> list[str]:
        return [event["type"] for event in self.sent]

    def shown(self, kind: type) -> list[Any]:
        return [x.record for x in self.effects if isinstance(x, e.Show) and isinstance(x.record, kind)]

    @property
    def exit_code(self) -> int | None:
        ends = [x.exit_code for x in self.effects if isinstance(x, e.End)]
        assert len(ends) <= 1
        return ends[0] if ends else None


HELLO = said("session.created", session={"id": "sess_1", "model": "m", "type": "realtime"})


def reply(
    response: str = "resp_1", item: str = "item_a", seconds: int = 2, text: str = "Hello there friend"
) -> list[Any]:
    """A spoken reply up to and without its ``response.done``."""
    ids = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
    message = {"id": item, "type": "message", "role": "assistant"}
    return [
        said("response.created", response={"id": response}),
        said("response.output_item.added", response_id=response, item=message),
        said("response.output_audio_transcript.delta", **ids, delta=text),
        *[said("response.output_audio.delta", **ids, delta=SECOND) for _ in range(seconds)],
    ]


def done(response: str = "resp_1", status: str = "completed", **fields: Any) -> Any:
    return said("response.done", response={"id": response, "status": status, **fields})


def written(item: str) -> dict[str, Any]:
    """The item of a whole reply in writing."""
    content = [{"type": "output_text", "text": "Yes."}]
    return {"id": item, "type": "message", "role": "assistant", "content": content}


def user_turn(item: str = "item_u") -> list[Any]:
    return [
        said("input_audio_buffer.speech_started", item_id=item),
        said("input_audio_buffer.speech_stopped", item_id=item),
        said("input_audio_buffer.committed", item_id=item),
    ]


def test_a_typed_turn_sends_the_item_and_asks_for_one_response_and_ends_when_it_is_done() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(f.Opened(), f.Typed("hi"), f.InputsEnded(), HELLO)
    assert drive.sent_types == ["session.update", "conversation.item.create", "response.create"]
    assert drive.sent[1]["item"]["content"] == [{"type": "input_text", "text": "hi"}]
    ids = {"response_id": "resp_1", "item_id": "item_a", "output_index": 0, "content_index": 0}
    drive.tell(said("response.created", response={"id": "resp_1"}))
    drive.tell(
        said("response.output_text.delta", **ids, delta="Good "),
        said("response.output_text.delta", **ids, delta="day."),
    )
    assert drive.exit_code is None
    drive.tell(done())
    assert [(x.text, x.heard_ms, x.interrupted) for x in drive.shown(AssistantSaid)] == [("Good day.", None, False)]
    assert drive.exit_code == 0


def test_several_typed_turns_wait_for_each_other() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(
        HELLO, f.Typed("one"), f.Typed("two"), f.InputsEnded()
    )
    assert drive.sent_types.count("response.create") == 1
    drive.tell(said("response.created", response={"id": "resp_1"}), done(output=[written("item_a")]))
    assert drive.sent_types.count("response.create") == 2
    assert drive.exit_code is None
    drive.tell(said("response.created", response={"id": "resp_2"}), done("resp_2", output=[written("item_b")]))
    assert drive.exit_code == 0


def test_a_reply_whose_deltas_are_lost_is_taken_from_the_final_item() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO, f.Typed("hi"))
    output = [
        {"id": "item_a", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]}
    ]
    drive.tell(said("response.created", response={"id": "resp_1"}), done(output=output))
    assert [x.text for x in drive.shown(AssistantSaid)] == ["Yes."]


def test_a_recording_is_fed_then_committed_then_answered() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO, f.Spoken("blocks"), f.InputsEnded())
    assert [x.source for x in drive.effects if isinstance(x, e.Feed)] == ["blocks"]
    assert drive.exit_code is None
    drive.tell(f.Fed())
    assert drive.sent_types[1:] == ["input_audio_buffer.commit", "response.create"]


def test_a_turn_ends_when_its_audio_has_been_heard_and_not_when_the_response_is_done() -> None:
    drive = Drive(max_turns=1).tell(HELLO, *user_turn(), *reply(), done())
    drive.tell(said("conversation.item.input_audio_transcription.completed", item_id="item_u", transcript="Hi."))
    assert drive.core.snapshot().phase is Phase.SPEAKING
    assert drive.exit_code is None
    drive.tell(f.Heard("item_a", 0, 2000, finished=True))
    assert [(x.text, x.heard_ms) for x in drive.shown(AssistantSaid)] == [("Hello there friend", 2000)]
    assert drive.exit_code == 0


def test_an_interruption_truncates_at_what_was_heard_and_late_deltas_die() -> None:
    drive = Drive().tell(HELLO, *user_turn(), *reply())
    drive.heard = {"item_a": 700}
    drive.tell(said("input_audio_buffer.speech_started", item_id="item_v"))
    plays = sum(isinstance(x, e.Play) for x in drive.effects)
    drive.tell(*reply()[2:], done(status="cancelled"))
    assert drive.sent[1:] == [
        {"type": "conversation.item.truncate", "item_id": "item_a", "content_index": 0, "audio_end_ms": 700}
    ]
    assert sum(isinstance(x, e.Play) for x in drive.effects) == plays
    (reply_said,) = drive.shown(AssistantSaid)
    assert reply_said.interrupted
    assert reply_said.heard_ms == 700
    assert "Hello there friend".startswith(reply_said.text)
    assert len(reply_said.text) < len("Hello there friend")


def test_an_interruption_after_the_response_is_done_still_truncates() -> None:
    drive = Drive().tell(HELLO, *user_turn(), *reply(), done())
    drive.heard = {"item_a": 1500}
    drive.tell(said("input_audio_buffer.speech_started", item_id="item_v"))
    assert drive.sent_types == ["session.update", "conversation.item.truncate"]


def test_a_truncation_never_exceeds_what_was_received() -> None:
    drive = Drive().tell(HELLO, *user_turn(), *reply(seconds=1))
    drive.heard = {"item_a": 5000}
    drive.tell(said("input_audio_buffer.speech_started", item_id="item_v"))
    assert drive.sent[-1]["audio_end_ms"] == 1000


def test_a_reply_of_which_nothing_was_heard_is_deleted() -> None:
    drive = Drive().tell(HELLO, *user_turn(), *reply(), done())
    drive.tell(said("input_audio_buffer.speech_started", item_id="item_v"))
    assert drive.sent[-1] == {"type": "conversation.item.delete", "item_id": "item_a"}


def test_a_response_is_cancelled_only_where_the_server_does_not_do_it_and_only_while_active() -> None:
    drive = Drive(server_interrupts=False).tell(HELLO, *user_turn(), *reply())
    drive.heard = {"item_a": 100}
    drive.tell(said("input_audio_buffer.speech_started", item_id="item_v"))
    assert drive.sent_types[1:] == ["response.cancel", "conversation.item.truncate"]
    after = Drive(server_interrupts=False).tell(HELLO, *user_turn(), *reply(), done())
    after.heard = {"item_a": 100}
    after.tell(said("input_audio_buffer.speech_started", item_id="item_v"))
    assert after.sent_types[1:] == ["conversation.item.truncate"]


def test_speech_while_nothing_is_going_on_interrupts_nothing() -> None:
    drive = Drive().tell(HELLO, said("input_audio_buffer.speech_started", item_id="item_u"))
    assert drive.sent_types == ["session.update"]
    assert not any(isinstance(x, e.Flush) for x in drive.effects)


def test_the_users_line_is_reserved_before_its_transcript_which_may_come_after_the_reply() -> None:
    drive = Drive().tell(HELLO, *user_turn(), *reply(), done(), f.Heard("item_a", 0, 2000, finished=True))
    assert [(line.role, line.text, line.pending) for line in drive.core.snapshot().lines] == [
        ("user", "", True),
        ("assistant", "Hello there friend", False),
    ]
    drive.tell(said("conversation.item.input_audio_transcription.completed", item_id="item_u", transcript=" What? "))
    assert [line.text for line in drive.core.snapshot().lines] == ["What?", "Hello there friend"]
    assert [x.text for x in drive.shown(UserSaid)] == ["What?"]


def test_items_are_ordered_by_their_predecessor_and_not_by_arrival() -> None:
    drive = Drive().tell(HELLO)
    user = {"type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": "x"}]}
    drive.tell(said("conversation.item.added", item={"id": "item_1", **user}))
    drive.tell(said("conversation.item.added", item={"id": "item_3", **user}, previous_item_id="item_1"))
    drive.tell(said("conversation.item.added", item={"id": "item_2", **user}, previous_item_id="item_1"))
    assert [line.item_id for line in drive.core.snapshot().lines] == ["item_1", "item_2", "item_3"]


def test_push_to_talk_commits_and_asks_when_the_key_is_released() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO)
    assert not any(isinstance(x, e.OpenMic) for x in drive.effects)
    drive.tell(f.Pressed())
    assert drive.core.snapshot().talking
    drive.heard = {"microphone": 900}
    drive.tell(f.Released())
    assert drive.sent_types[1:] == ["input_audio_buffer.clear", "input_audio_buffer.commit", "response.create"]


def test_a_press_before_the_session_is_there_counts_when_it_comes() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(f.Pressed(), HELLO)
    assert drive.core.snapshot().talking
    assert any(isinstance(x, e.OpenMic) for x in drive.effects)
    let_go = Drive(push_to_talk=True, server_decides_turns=False).tell(f.Pressed(), f.Released(), HELLO)
    assert not let_go.core.snapshot().talking


def test_a_second_press_without_a_release_sends_as_a_tap_does() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO, f.Pressed())
    drive.heard = {"microphone": 900}
    drive.tell(f.Pressed())
    assert drive.sent_types[-2:] == ["input_audio_buffer.commit", "response.create"]
    assert not drive.core.snapshot().talking
    never_mind = Drive(push_to_talk=True, server_decides_turns=False).tell(f.Pressed(), f.Pressed(), HELLO)
    assert not never_mind.core.snapshot().talking


def test_the_microphone_is_being_opened_until_it_delivers() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO, f.Pressed())
    assert drive.core.snapshot().opening
    drive.tell(f.MicOpened())
    assert not drive.core.snapshot().opening
    drive.tell(f.Released(), f.MicOpened())
    assert [record.state for record in drive.shown(MicChanged)] == ["open", "closed"]


def test_a_press_that_lasts_too_long_is_ended_and_sent_and_the_next_one_starts_anew() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False, talk_limit_s=60.0).tell(HELLO, at=1.0)
    drive.tell(f.Pressed(), at=10.0)
    assert drive.core.deadline == 70.0
    drive.heard = {"microphone": 60_000}
    drive.tell(f.Tick(), at=69.9)
    assert drive.core.snapshot().talking
    drive.tell(f.Tick(), at=70.0)
    assert drive.sent_types[-2:] == ["input_audio_buffer.commit", "response.create"]
    assert "60 s" in drive.shown(Notice)[0].text
    before = len(drive.effects)
    drive.tell(f.Released(), at=71.0)
    assert drive.effects[before:] == []
    drive.tell(f.Pressed(), at=72.0)
    assert drive.core.snapshot().talking


def test_a_press_too_short_for_speech_clears_instead_of_committing() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO, f.Pressed())
    drive.heard = {"microphone": 99}
    drive.tell(f.Released())
    assert drive.sent_types[1:] == ["input_audio_buffer.clear", "input_audio_buffer.clear"]


def test_pressing_while_the_model_speaks_cancels_and_the_next_response_waits_for_the_end_of_the_first() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO, f.Pressed())
    drive.heard = {"microphone": 900}
    drive.tell(f.Released(), *reply())
    drive.heard = {"microphone": 900, "item_a": 400}
    drive.tell(f.Pressed(), f.Released())
    before = len(drive.sent)
    assert "response.cancel" in drive.sent_types
    assert drive.sent_types.count("response.create") == 1
    drive.tell(done(status="cancelled"))
    assert drive.sent_types[before:] == ["response.create"]


def test_a_response_that_was_asked_for_and_not_begun_is_cancelled_when_it_comes_after_a_press() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO, f.Pressed())
    drive.heard = {"microphone": 900}
    drive.tell(f.Released(), f.Pressed(), said("response.created", response={"id": "resp_1"}))
    assert drive.sent[-1] == {"type": "response.cancel", "response_id": "resp_1"}


def test_usage_is_reported_for_a_response_and_summed() -> None:
    usage = {"input_tokens": 10, "output_tokens": 5, "input_token_details": {"cached_tokens": 4}}
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO)
    drive.tell(f.Typed("hi"), at=1.0)
    drive.tell(said("response.created", response={"id": "resp_1"}), done(usage=usage), at=1.5)
    (report,) = drive.shown(UsageReported)
    assert (report.input_tokens, report.output_tokens, report.cached_tokens, report.done_ms) == (10, 5, 4, 500)
    drive.tell(f.Typed("hi"), said("response.created", response={"id": "resp_2"}), done("resp_2", usage=usage))
    assert drive.core.snapshot().totals.input_tokens == 20


def test_a_failed_response_ends_a_single_turn_with_1_and_is_told() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO, f.Typed("hi"), f.InputsEnded())
    details = {"type": "failed", "error": {"code": "insufficient_quota", "message": "You are out of credit."}}
    drive.tell(said("response.created", response={"id": "resp_1"}), done(status="failed", status_details=details))
    assert "You are out of credit: add credit" in drive.shown(Trouble)[0].message
    assert drive.exit_code == 1


def test_an_incomplete_response_is_a_failed_turn() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO, f.Typed("hi"), f.InputsEnded())
    details = {"type": "incomplete", "reason": "max_output_tokens"}
    drive.tell(said("response.created", response={"id": "resp_1"}), done(status="incomplete", status_details=details))
    assert "--max-output-tokens" in drive.shown(Trouble)[0].message
    assert drive.exit_code == 1


@pytest.mark.parametrize("code", ["response_cancel_not_active", "input_audio_buffer_commit_empty"])
def test_a_harmless_error_is_not_shown_and_ends_nothing(code: str) -> None:
    drive = Drive().tell(HELLO, said("error", error={"type": "invalid_request_error", "code": code, "message": "x"}))
    assert drive.shown(Trouble) == []
    assert drive.exit_code is None


def test_truncating_too_much_is_not_fatal_and_the_conversation_goes_on() -> None:
    drive = Drive().tell(HELLO, *user_turn(), *reply())
    drive.heard = {"item_a": 700}
    drive.tell(said("input_audio_buffer.speech_started", item_id="item_v"))
    event_id = next(x.event.event_id for x in drive.effects if isinstance(x, e.Send) and "truncate" in x.event.type)
    error = {"type": "invalid_request_error", "code": None, "message": "Audio content is already shorter than 700ms"}
    drive.tell(said("error", error={**error, "event_id": event_id}))
    assert drive.exit_code is None
    drive.tell(done(status="cancelled"), *user_turn("item_v")[1:], *reply("resp_2", "item_b"))
    assert drive.core.snapshot().phase is Phase.SPEAKING


def test_a_server_that_takes_no_cancel_is_sent_none_and_the_next_turn_waits_for_the_end_of_the_reply() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False, can_cancel=False).tell(HELLO, *reply(), at=1.0)
    drive.heard = {"item_a": 500, "microphone": 900}
    drive.tell(f.Pressed(), f.Released(), at=2.0)
    assert "response.cancel" not in drive.sent_types
    assert "response.create" not in drive.sent_types
    drive.tell(done())
    assert drive.sent_types[-1] == "response.create"


def test_a_server_that_takes_no_truncate_is_sent_none_and_the_user_is_told_what_was_heard_all_the_same() -> None:
    drive = Drive(can_truncate=False).tell(HELLO, *user_turn(), *reply())
    drive.heard = {"item_a": 0}
    drive.tell(*user_turn("item_v")[:1])
    drive.tell(done(status="cancelled"), *user_turn("item_v")[1:], *reply("resp_2", "item_b"))
    drive.heard = {"item_b": 700}
    drive.tell(*user_turn("item_w")[:1])
    assert {"conversation.item.truncate", "conversation.item.delete"}.isdisjoint(drive.sent_types)
    assert [(said.heard_ms, said.interrupted) for said in drive.shown(AssistantSaid)] == [(0, True), (700, True)]


def test_spoken_turns_and_replies_without_ids_are_kept_apart() -> None:
    nameless = said("response.output_audio_transcript.delta", delta="Hello.")
    drive = Drive(plays=False).tell(HELLO)
    for _ in range(2):
        drive.tell(said("input_audio_buffer.speech_started"), said("input_audio_buffer.speech_stopped"))
        drive.tell(said("input_audio_buffer.committed"), said("response.created"), nameless)
        drive.tell(said("conversation.item.input_audio_transcription.completed", transcript="Hi."))
        drive.tell(said("response.done", response={"status": "completed"}))
    assert [told.text for told in drive.shown(UserSaid)] == ["Hi.", "Hi."]
    assert [told.text for told in drive.shown(AssistantSaid)] == ["Hello.", "Hello."]


def test_a_reply_without_ids_is_cancelled_without_one_and_never_truncated() -> None:
    drive = Drive(push_to_talk=True, server_decides_turns=False).tell(HELLO, said("response.created"))
    drive.tell(said("response.output_audio.delta", delta=SECOND))
    drive.tell(f.Pressed())
    (cancel,) = (sent for sent in drive.sent if sent["type"] == "response.cancel")
    assert "response_id" not in cancel
    assert {"conversation.item.truncate", "conversation.item.delete"}.isdisjoint(drive.sent_types)
    (told,) = drive.shown(AssistantSaid)
    assert told.interrupted


def test_a_fatal_error_ends_with_4() -> None:
    error = {"type": "invalid_request_error", "code": "invalid_api_key", "message": "Incorrect API key provided."}
    drive = Drive().tell(f.Opened(), said("error", error=error))
    assert drive.exit_code == 4


def test_a_response_refused_because_another_is_active_is_asked_for_again_after_it() -> None:
    drive = Drive(listens=False, server_decides_turns=False).tell(HELLO, f.Typed("hi"))
    drive.tell(said("error", error={"code": "conversation_already_has_active_response", "message": "x"}))
    drive.tell(said("response.created", response={"id": "resp_0"}), done("resp_0"))
    assert drive.sent_types.count("response.create") == 2


def test_a_file_microphone_ends_the_chat_after_its_last_turn_was_answered_and_heard() -> None:
    drive = Drive().tell(HELLO, *user_turn()[:1], f.MicEnded(), at=1.0)
    assert drive.core.deadline is None
    drive.tell(*user_turn()[1:], *reply(), done(), at=2.0)
    drive.tell(f.Tick(), at=60.0)
    assert drive.exit_code is None
    drive.tell(f.Heard("item_a", 0, 2000, finished=True), at=61.0)
    assert drive.core.deadline == 64.0
    drive.tell(f.Tick(), at=64.0)
    assert drive.exit_code == 0


def test_a_server_that_opens_no_session_is_given_up() -> None:
    drive = Drive().tell(f.Opened(), at=5.0)
    assert drive.core.deadline == 20.0
    drive.tell(f.Tick(), at=20.0)
    assert drive.exit_code == 4


def test_a_server_that_owes_an_answer_and_falls_silent_is_given_up() -> None:
    drive = Drive(listens=False, server_decides_turns=False, answer_timeout_s=30.0).tell(HELLO, f.Typed("hi"), at=5.0)
    assert drive.core.deadline == 35.0
    drive.tell(f.Tick(), at=35.0)
    assert drive.exit_code == 1


def test_an_end_in_the_middle_of_a_reply_tells_what_was_heard_of_it() -> None:
    drive = Drive().tell(
        HELLO, *user_turn(), *reply(), f.Heard("item_a", 0, 1000, finished=False), f.Quit(exit_code=130)
    )
    (reply_said,) = drive.shown(AssistantSaid)
    assert (reply_said.heard_ms, reply_said.interrupted) == (1000, True)
    assert drive.shown(Ended)[0].reason == "interrupted"
    assert drive.exit_code == 130


def test_a_lost_device_ends_with_its_own_exit_code() -> None:
    drive = Drive().tell(HELLO, f.Failed(AudioError("the microphone is gone", "plug it in")))
    assert drive.exit_code == 5
    assert drive.shown(Trouble)[0].message == "the microphone is gone: plug it in"


def test_nothing_is_done_after_the_end() -> None:
    drive = Drive().tell(HELLO, f.Quit())
    before = len(drive.effects)
    drive.tell(*user_turn(), *reply(), f.Failed(AudioError("x")))
    assert len(drive.effects) == before
